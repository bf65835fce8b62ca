"""What a model costs and what it is worth: bytes on disk, multiply-accumulates, latency, accuracy."""

import io
import statistics
import time
from collections.abc import Callable

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

    layers = [m for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    hooks = [m.register_forward_hook(count) for m in layers]
    modes = [(m, m.training) for m in model.modules()]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(input_shape))
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
    return total


@torch.no_grad()
def accuracy(model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, batch: int = 500) -> float:
    """Top-1 accuracy in percent; a module is put in eval mode for it and back afterwards."""
    was_training = isinstance(model, nn.Module) and model.training
    if isinstance(model, nn.Module):
        model.eval()
    right = sum(
        (model(x).argmax(-1) == y).sum().item()
        for x, y in zip(images.split(batch), labels.split(batch), strict=True)
    )
    if was_training and isinstance(model, nn.Module):
        model.train()
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
