"""The global settings that tests run with, whatever a cell of the notebook has set."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch


def _device(name: str) -> None:
    torch.set_default_device(None if name == "cpu" else name)


def _printing() -> dict:
    return dict(vars(torch._tensor_str.PRINT_OPTS))


def _print(options: dict) -> None:
    vars(torch._tensor_str.PRINT_OPTS).update(options)


def _no_errors() -> None:
    warnings.filters[:] = [f for f in warnings.filters if f[0] != "error"]  # type: ignore[index]


# what a person calls it: how to read it, how to set it, what it usually is
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]] = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    "torch's default device": (lambda: str(torch.get_default_device()), _device, "cpu"),
    "whether torch records gradients": (torch.is_grad_enabled, torch.set_grad_enabled, True),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads, 1),
    "whether torch allows algorithms that are not deterministic": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
        False,
    ),
    "torch's autocast": (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda on: torch.set_autocast_enabled("cpu", on),
        False,
    ),
    "torch's anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, False),
    "torch's precision of matrix products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
        "highest",
    ),
    "how torch prints tensors": (_printing, _print, copy.copy(_printing())),
    "how numpy prints arrays": (np.get_printoptions, lambda o: np.set_printoptions(**o), np.get_printoptions()),
    "what numpy does about an invalid value": (np.geterr, lambda how: np.seterr(**how), np.geterr()),
    "what Python does about a warning": (
        lambda: any(f[0] == "error" and not f[2].__module__.startswith("IPython") for f in warnings.filters),  # its own
        lambda error: None if error else _no_errors(),
        False,
    ),
}


def changed() -> list[str]:
    """The settings that are not what they usually are, in words."""
    return [name for name, (read, _, usual) in SETTINGS.items() if read() != usual]


@contextlib.contextmanager
def usual_settings() -> Iterator[list[str]]:
    """Inside, everything is set as usual; afterwards as it was before, whatever was set inside.

    Yields:
        what had been changed.
    """
    before = {name: read() for name, (read, _, _) in SETTINGS.items()}
    found = changed()
    with warnings.catch_warnings():
        for name in found:
            _, write, usual = SETTINGS[name]
            write(usual)
        try:
            yield found
        finally:
            for name, (read, write, _) in SETTINGS.items():
                if read() != before[name]:
                    write(before[name])
