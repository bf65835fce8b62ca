"""Training for the capstone: networks that learn from the residual net's recorded answers, in pieces if need be."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models

POOL, TEMPERATURE = 40_000, 4.0


def teacher_answers() -> Tensor:
    """The residual net's logits for the first 40,000 training images, as they are and mirrored: `[2, 40000, 10]`.

    The table of lesson 05; it was made on training images alone.
    """
    return load_file(models.CHECKPOINTS / "lesson05.safetensors")["teacher_logits"]


def small_chain(
    widths: tuple[int, ...] = (12, 12, 20, 20, 36), strides: tuple[int, ...] = (2, 1, 2, 1, 2)
) -> nn.Sequential:
    """Untrained conv-BatchNorm-ReLU blocks of 3 x 3 kernels, average pooling, and a classifier: a flat Sequential."""
    layers: list[nn.Module] = []
    before = 1
    for width, stride in zip(widths, strides, strict=True):
        layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def distil(
    net: nn.Module,
    images: Tensor,
    steps: int,
    seed: int = 0,
    lr: float = 0.08,
    batch: int = 128,
    view: Callable[[str, Tensor], Tensor] | None = None,
    price: Callable[[int], Tensor] | None = None,
    pause: tuple[Path, float] | None = None,
) -> bool:
    """Train a network in place on the teacher's soft targets (lesson 05), and return whether it is finished.

    Nesterov's momentum, one cycle, half of each batch mirrored.

    Args:
        images: the training images, of which the first 40,000 are used.
        view: what the forward pass sees of a parameter, from its name and value: a fake quantizer, or a mask. The
            gradient goes through it to the parameter.
        price: an addition to the loss, from the number of the step.
        pause: a file and CPU seconds. After so many seconds everything is written there and the call returns False;
            the same call takes up from the file and goes on as if nothing had been.
    """
    answers, parameters = teacher_answers(), dict(net.named_parameters())
    net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    rng, order, first = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.int64), 0
    if pause and pause[0].exists():
        kept = torch.load(pause[0])
        net.load_state_dict(kept["net"])
        optimizer.load_state_dict(kept["optimizer"])
        rng.set_state(kept["rng"])
        order, first = kept["order"], kept["step"]
    net.train()
    began = time.process_time()
    for step in range(first, steps):
        if pause and time.process_time() - began > pause[1]:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "rng": rng.get_state()}
            torch.save(state | {"order": order, "step": step}, pause[0])
            return False
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(POOL, generator=rng)])
        chosen, order = order[:batch], order[batch:]
        mirrored = torch.rand(batch, generator=rng) < 0.5
        x = torch.where(mirrored.view(-1, 1, 1, 1), images[chosen].flip(-1), images[chosen])
        x = x.to(memory_format=torch.channels_last)
        wanted = answers[mirrored.long(), chosen].float()
        optimizer.param_groups[0]["lr"] = lr * cycle((step + 1) / (steps + 1))
        seen = {name: view(name, p) if view else p for name, p in parameters.items()}
        logits = torch.func.functional_call(net, seen, (x,))
        loss = soft_loss(logits, wanted)
        if price:
            loss = loss + price(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    if pause:
        pause[0].unlink(missing_ok=True)
    return True


def tune(net: nn.Module, images: Tensor, steps: int, seed: int = 0, lr: float = 4e-3, batch: int = 128) -> None:
    """Train in place what is not a convolution, on the teacher's soft targets, the network being in eval mode.

    It is what is left to learn when the convolutions are whole numbers already: BatchNorm's factors and offsets and
    the classifier, in a few hundred steps of Adam. Each factor moves in proportion to its size, offsets and the
    classifier in proportion to the mean size of their tensor. Half of each batch is mirrored.
    """
    answers, rng = teacher_answers(), torch.Generator().manual_seed(seed)
    start = {name: p.detach().clone() for name, p in net.named_parameters() if p.dim() != 4}
    size = {n: p.abs() if p.dim() == 1 and n.endswith("weight") else p.abs().mean() for n, p in start.items()}
    moved = {name: torch.zeros_like(p, requires_grad=True) for name, p in start.items()}
    optimizer = torch.optim.Adam(moved.values(), lr=lr)
    frozen = {name: p.detach() for name, p in net.named_parameters() if p.dim() == 4}
    for step in range(steps):
        chosen = torch.randint(POOL, (batch,), generator=rng)
        mirrored = torch.rand(batch, generator=rng) < 0.5
        x = torch.where(mirrored.view(-1, 1, 1, 1), images[chosen].flip(-1), images[chosen])
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        seen = frozen | {name: start[name] + size[name] * moved[name] for name in start}
        loss = soft_loss(torch.func.functional_call(net, seen, (x,)), answers[mirrored.long(), chosen].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name in start:
                p.copy_(start[name] + size[name] * moved[name])


def soft_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """T² times the Kullback-Leibler divergence at temperature 4 (Hinton et al. 2015)."""
    ours, theirs = F.log_softmax(logits / TEMPERATURE, 1), F.log_softmax(wanted / TEMPERATURE, 1)
    return TEMPERATURE**2 * F.kl_div(ours, theirs, log_target=True, reduction="batchmean")


def cycle(share: float) -> float:
    """The learning rate of one cycle: up in a quarter of the time, down to 0 along a cosine."""
    import math

    return 4 * share if share < 0.25 else 0.5 + 0.5 * math.cos(math.pi * (share - 0.25) / 0.75)


class Round(torch.autograd.Function):
    """Rounding that lets the gradient through (lesson 06)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


def round_through(x: Tensor) -> Tensor:
    """The nearest whole numbers; the gradient is that of x."""
    return Round.apply(x)
