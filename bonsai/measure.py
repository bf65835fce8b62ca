"""What a model costs and what it is worth: bytes on disk, multiply-accumulates, memory, latency, accuracy."""

import io
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor


def size_bytes(state: nn.Module | dict[str, Tensor]) -> int:
    """Bytes of the file that `torch.save` writes for a model's `state_dict` (or for that dict itself)."""
    buffer = io.BytesIO()
    torch.save(state.state_dict() if isinstance(state, nn.Module) else state, buffer)
    return buffer.getbuffer().nbytes


def macs(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of all Linear and Conv2d calls in one forward pass of `torch.zeros(input_shape)`.

    The batch counts; bias additions do not (Sze et al. 2017, arXiv:1703.09039). The model is left as it was.
    """
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        fan_in = layer.weight[0].numel()  # Linear: in_features; Conv2d: in_channels / groups * kernel area
        total += output.numel() * fan_in

    _look(model, input_shape, [m for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)], count)
    return total


def memory_bytes(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Bytes that a forward pass needs at least: parameters, buffers, and the largest input and output of one module.

    Shortcuts, workspaces and the framework itself come on top. The model is left as it was.
    """
    largest = 0

    def watch(module, inputs, output):
        nonlocal largest
        alive = {t.data_ptr(): t.numel() * t.element_size() for t in (*inputs, output) if isinstance(t, Tensor)}
        largest = max(largest, sum(alive.values()))  # a view, as nn.Flatten returns it, takes no room of its own

    _look(model, input_shape, [m for m in model.modules() if not list(m.children())], watch)
    return largest + sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))


def _look(model: nn.Module, input_shape: tuple[int, ...], modules: list[nn.Module], hook: Callable) -> None:
    """One forward pass of zeros in eval mode with a forward hook on some modules."""
    handles = [m.register_forward_hook(hook) for m in modules]
    try:
        with torch.no_grad(), _eval_mode(model):
            model(torch.zeros(input_shape))
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; then every submodule has its own mode back."""
    modes = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def accuracy(model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, batch: int = 500) -> float:
    """Top-1 accuracy in percent; a module is put in eval mode for it and back afterwards."""
    batches = zip(images.split(batch), labels.split(batch), strict=True)
    with _eval_mode(model) if isinstance(model, nn.Module) else nullcontext():
        right = sum((model(x).argmax(-1) == y).sum().item() for x, y in batches)
    return 100 * right / len(images)


def latency_ms(fns: dict[str, Callable[[], object]], rounds: int = 30) -> dict[str, list[float]]:
    """Milliseconds of each call, the candidates taken in turn so that a busy moment hits all of them.

    One untimed round warms up; then `rounds` rounds of A, B, C, A, B, C, …
    """
    times: dict[str, list[float]] = {name: [] for name in fns}
    for fn in fns.values():
        fn()
    for _ in range(rounds):
        for name, fn in fns.items():
            start = time.perf_counter()
            fn()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


def speedup(times: dict[str, list[float]], baseline: str) -> dict[str, tuple[float, float, float]]:
    """25th, 50th and 75th percentile of the per-round ratio baseline / candidate (above 1: faster)."""
    ratios = {
        name: [b / t for b, t in zip(times[baseline], candidate, strict=True)] for name, candidate in times.items()
    }
    quartiles = {name: statistics.quantiles(r, n=4, method="inclusive") for name, r in ratios.items()}
    return {name: (q[0], q[1], q[2]) for name, q in quartiles.items()}


def report(
    model: nn.Module, images: Tensor, labels: Tensor, batch: int = 1, threads: int = 1, repeats: int = 50
) -> dict[str, float]:
    """Everything that a report on a model needs. The model, and torch's number of threads, are left as they were.

    Args:
        images, labels: accuracy is measured on all of them, latency on the first `batch` images.
        batch: images in one timed call.
        threads: torch's threads while the calls are timed.
        repeats: timed calls, after five that are not.

    Returns:
        `parameters`, `bytes` (of the file), `macs` (of one image), `memory_bytes` (of one batch), `batch`, `threads`,
        `repeats`; `p50_ms`, `p95_ms`, `p99_ms` of a call; `images_per_second` at the mean latency; `accuracy` in %.

    Raises:
        ValueError: batch, threads or repeats below 1, or fewer images than `batch`.
    """
    if min(batch, threads, repeats) < 1 or len(images) < batch:
        raise ValueError(f"no batch of {batch} from {len(images)} images, {repeats} times with {threads} threads")
    x, threads_before = images[:batch], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad(), _eval_mode(model):
            for _ in range(4):  # and one more in latency_ms
                model(x)
            times = latency_ms({"model": lambda: model(x)}, repeats)["model"]
    finally:
        torch.set_num_threads(threads_before)
    p50, p95, p99 = np.percentile(times, [50, 95, 99]).tolist()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": size_bytes(model),
        "macs": macs(model, (1, *images.shape[1:])),
        "memory_bytes": memory_bytes(model, tuple(x.shape)),
        "batch": batch,
        "threads": threads,
        "repeats": repeats,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "images_per_second": 1000 * batch / statistics.fmean(times),
        "accuracy": accuracy(model, images, labels),
    }


def checklist(before: dict[str, float], after: dict[str, float], goals: dict[str, float]) -> dict[str, dict]:
    """Two results of `report`, or any other numbers with these names, against goals that were set beforehand.

    Args:
        goals: for `accuracy`, the points that may be lost; for every other name the least ratio, above 1 when the new
            model is better: after / before for names that end in `_per_second`, before / after for all others.

    Returns:
        name -> `before`, `after`, `change` (points gained, or that ratio), `goal`, `reached`.

    Raises:
        KeyError: a goal for a number that was not measured.
    """
    rows = {}
    for name, goal in goals.items():
        old, new = before[name], after[name]
        if name == "accuracy":
            change, reached = new - old, old - new <= goal
        else:
            change = new / old if name.endswith("_per_second") else old / new
            reached = change >= goal
        rows[name] = {"before": old, "after": new, "change": change, "goal": goal, "reached": reached}
    return rows
