"""Words for what went wrong: the learner's own line, a call that can be pasted, advice about well-known errors."""

import math
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

STUB = "raise NotImplementedError()"
MOST_ELEMENTS = 16  # of a tensor that is written out
LONGEST_CALL = 220
NOTEBOOK = re.compile(r"<ipython-input|[/\\]ipykernel_\d+[/\\]|^<answer>$")  # the names that Python gives to cells
ADVICE = {
    r"CUDA|NVIDIA": "There is no GPU when grading, and none is needed: leave out .cuda() and device='cuda'.",
    r"EOF when reading|raw_input was called": "input() has nobody to ask when a notebook is graded.",
    r"^ModuleNotFoundError": "When grading there is only what the course installs.",
    r"in-place operation|an inplace update": "Work on a copy, or inside torch.no_grad().",
}


def advice(kind: str, message: str) -> list[str]:
    """Lines about an error that says little to who meets it for the first time."""
    return [f"  {said}" for pattern, said in ADVICE.items() if re.search(pattern, f"{kind}: {message}")]


def learner_lines(error: BaseException) -> list[str]:
    """The places in the learner's cells that led to an error, the innermost last."""
    lines = getattr(error, "learner_lines", None)
    if lines is not None:  # it happened in another process, which said so
        return list(lines)
    tests = {f.filename for f in traceback.extract_stack(sys._getframe()) if f.name == "<module>"}
    frames = traceback.extract_tb(error.__traceback__)
    tests |= {f.filename for f in frames if f.name == "<module>"}
    own = once([f for f in frames if NOTEBOOK.search(f.filename) and f.filename not in tests])
    return [f"  line {f.lineno} of its cell, in {f.name}: {(f.line or '').strip()}"[:300] for f in own[-3:]]


def once(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Frames without those that stand on the line of the frame before: of a comprehension, or of a recursion."""
    places = [(f.filename, f.lineno) for f in frames]
    return [f for i, f in enumerate(frames) if i == 0 or places[i] != places[i - 1]]


def is_stub(error: BaseException) -> bool:
    """Whether an error says that an answer is not written yet, and not that something else is not implemented."""
    if not isinstance(error, NotImplementedError) or error.args:
        return False
    lines = learner_lines(error)
    return not lines or lines[-1].endswith((STUB, STUB[:-2], ": "))


def raised(error: BaseException) -> str:
    """An error in one line, then the learner's own lines, then advice."""
    kind = getattr(error, "learner_type", type(error).__name__)
    return "\n".join([f"raised {kind}: {error!s:.150}", *learner_lines(error), *advice(kind, str(error))])


def name_of(exercise: Callable) -> str:
    """The notebook's name for an exercise, which is not the `__name__` of a decorated, partial or callable object."""
    own = getattr(exercise, "__name__", "")
    frame: Any = sys._getframe()
    while frame is not None:
        names = frame.f_globals
        if "__name__" in names and names["__name__"] == "__main__":
            if own and names.get(own) is exercise:
                return own
            for name, value in names.items():
                if value is exercise and name[:1] != "_":
                    return name
        frame = frame.f_back
    return own or type(exercise).__name__


def call_as_code(name: str, args: tuple, kwargs: dict | None = None) -> str:
    """The call as Python that can be pasted into a cell, or "" where that would be too long."""
    parts = [as_code(a) for a in args] + [f"{k}={v}" if (v := as_code(a)) else "" for k, a in (kwargs or {}).items()]
    text = f"{name}({', '.join(parts)})"
    return text if all(parts) and len(text) <= LONGEST_CALL else ""


def as_code(value: Any) -> str:
    """An expression that gives a value, or ""."""
    if isinstance(value, Tensor):
        return _tensor_as_code(value)
    kind = type(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else "-math.inf" if value < 0 else f"math.{value}"
    if kind in (bool, int, str, bytes, type(None)):
        return repr(value)
    if kind in (list, tuple):
        parts = [as_code(v) for v in value]
        inner = ", ".join(parts) + ("," if kind is tuple and len(parts) == 1 else "")
        return "" if "" in parts else f"[{inner}]" if kind is list else f"({inner})"
    if kind is dict:
        pairs = [(as_code(k), as_code(v)) for k, v in value.items()]
        return "" if any("" in pair for pair in pairs) else f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    return ""


def _tensor_as_code(value: Tensor) -> str:
    shape = ", ".join(map(str, value.shape))
    usual = value.dtype in (torch.float32, torch.int64, torch.bool)
    dtype = "" if usual else f", dtype={value.dtype}"
    if value.layout != torch.strided or value.is_meta or value.is_complex():
        return ""
    if value.numel() == 0:
        return (
            f"torch.empty({shape}{dtype})"
            if value.is_floating_point()
            else f"torch.empty({shape}, dtype={value.dtype})"
        )
    if value.numel() > MOST_ELEMENTS:
        first = value.flatten()[0]
        if value.is_floating_point() and bool((value == first).all()):
            return f"torch.full(({shape},), {as_code(first.item())}{dtype})"
        return ""
    return f"torch.tensor({_numbers(value.detach().tolist(), value.dtype == torch.float64)}{dtype})"


def _numbers(value: Any, double: bool) -> str:
    """Numbers of a tensor, with as many digits as its dtype needs to find them again."""
    if isinstance(value, list):
        return f"[{', '.join(_numbers(v, double) for v in value)}]"
    if isinstance(value, float) and math.isfinite(value) and not double:
        return str(np.float32(value))
    return as_code(value)
