"""The two spaces of lesson 10 and their networks: the elastic one of the supernet, and the shapes of the table."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

# ---------------------------------------------------------------- the elastic space

WIDTHS = ((8, 12, 16), (16, 24, 32), (24, 36, 48))
SPACE: list[dict] = [{"depths": [1, 2], "widths": list(w), "kernels": [3, 5], "stride": 2} for w in WIDTHS]
LARGEST = [[(w[-1], 5)] * 2 for w in WIDTHS]
SMALLEST = [[(w[0], 3)] for w in WIDTHS]
UNIFORM = {
    f"{share} wide, kernel {k}": [[(w[i], k)] * 2 for w in WIDTHS]
    for i, share in enumerate(("1/2", "3/4", "full"))
    for k in (3, 5)
}


def random_architecture(space: list[dict], rng: random.Random) -> list:
    """Every stage's depth uniform, then every width and kernel."""
    return [
        [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(rng.choice(stage["depths"]))]
        for stage in space
    ]


def build(arch: Sequence, space: list[dict], c_in: int = 1, classes: int = 10) -> nn.Sequential:
    """The network of an architecture, from torch's own modules."""
    parts: list[nn.Module] = []
    for layers, stage in zip(arch, space, strict=True):
        for i, (width, kernel) in enumerate(layers):
            step = 1 if i else stage["stride"]
            parts += [nn.Conv2d(c_in, width, kernel, step, kernel // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            c_in = width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_in, classes))


class Supernet(nn.Module):
    """All architectures of `SPACE` in one set of weights, made of the elastic classes that it is given."""

    def __init__(self, conv: type, norm: type):
        super().__init__()
        ends, self.convs, self.norms = [1, *(w[-1] for w in WIDTHS)], nn.ModuleList(), nn.ModuleList()
        for c_in, c_out in itertools.pairwise(ends):
            self.convs += [conv(c_in, c_out, 5, stride=2), conv(c_out, c_out, 5)]
            self.norms += [norm(c_out), norm(c_out)]
        self.fc = nn.Linear(ends[-1], 10)

    def forward(self, x: Tensor, arch: Sequence) -> Tensor:
        for stage, layers in enumerate(arch):
            for i, (width, kernel) in enumerate(layers):
                x = torch.relu(self.norms[2 * stage + i](self.convs[2 * stage + i](x, width, kernel)))
        x = x.mean((2, 3))
        return nn.functional.linear(x, self.fc.weight[:, : x.shape[1]], self.fc.bias)

    def cut(self, arch: Sequence) -> nn.Sequential:
        """One architecture with its inherited weights, as a plain network that shares nothing."""
        parts: list[nn.Module] = []
        c_in = 1
        for stage, layers in enumerate(arch):
            for i, (width, kernel) in enumerate(layers):
                conv: Any = self.convs[2 * stage + i]
                norm: Any = self.norms[2 * stage + i]
                parts += [conv.standalone(c_in, width, kernel), norm.standalone(width), nn.ReLU()]
                c_in = width
        head = nn.Linear(c_in, 10)
        head.load_state_dict({"weight": self.fc.weight[:, :c_in].detach().clone(), "bias": self.fc.bias.detach()})
        return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).train(self.training)


# ---------------------------------------------------------------- the shapes of the table

FIELDS: dict[str, tuple] = {
    "stem": ("conv2", "patch4"),
    "kind1": ("conv", "separable", "inverted2", "bottleneck"),
    "kind2": ("conv", "separable", "inverted2", "bottleneck"),
    "kernel1": (3, 5),
    "kernel2": (3, 5),
    "width": (16, 32, 48),
    "depth": (1, 2),
}
SHAPES: list[tuple] = list(itertools.product(*FIELDS.values()))
Layer = tuple[int, int, int, int, int, bool]  # c_in, c_out, kernel, stride, groups, a ReLU behind it or none


def block(kind: str, c_in: int, c_out: int, kernel: int, stride: int) -> list[Layer]:
    """The convolutions of one block; each has its batch norm."""
    if kind == "conv":
        return [(c_in, c_out, kernel, stride, 1, True)]
    if kind == "separable":  # MobileNet, arXiv:1704.04861
        return [(c_in, c_in, kernel, stride, c_in, True), (c_in, c_out, 1, 1, 1, True)]
    if kind == "inverted2":  # MobileNetV2, arXiv:1801.04381
        wide = 2 * c_in
        return [
            (c_in, wide, 1, 1, 1, True),
            (wide, wide, kernel, stride, wide, True),
            (wide, c_out, 1, 1, 1, False),
        ]
    thin = c_out // 2  # bottleneck: ResNet, arXiv:1512.03385
    return [(c_in, thin, 1, 1, 1, True), (thin, thin, kernel, stride, 1, True), (thin, c_out, 1, 1, 1, True)]


def plan(shape: Sequence) -> list[list[Layer]]:
    """The blocks of a shape, stem first; the input of a block is added to its output where both are alike."""
    stem, kind1, kind2, kernel1, kernel2, width, depth = shape
    size = 3 if stem == "conv2" else 4
    blocks: list[list[Layer]] = [[(1, width, size, 2 if stem == "conv2" else 4, 1, True)]]
    blocks += [block(kind1, width, width, kernel1, 1) for _ in range(depth)]
    blocks += [block(kind2, (1 + (i > 0)) * width, 2 * width, kernel2, 2 - (i > 0)) for i in range(depth)]
    return blocks


class Block(nn.Module):
    """Convolutions with batch norm (or with a bias, once it is folded), and a shortcut where input and output fit."""

    def __init__(self, layers: list[Layer], folded: bool):
        super().__init__()
        parts: list[nn.Module] = []
        for c_in, c_out, kernel, stride, groups, relu in layers:
            pad = kernel // 2 if kernel % 2 else 0
            parts.append(nn.Conv2d(c_in, c_out, kernel, stride, pad, groups=groups, bias=folded))
            parts += [nn.BatchNorm2d(c_out)] * (not folded) + [nn.ReLU()] * relu
        self.body = nn.Sequential(*parts)
        self.skip = is_skip(layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.skip else self.body(x)


def is_skip(layers: list[Layer]) -> bool:
    """Whether a block keeps size and channels."""
    return layers[0][0] == layers[-1][1] and all(stride == 1 for _, _, _, stride, _, _ in layers)


def shape_network(shape: Sequence, folded: bool = False) -> nn.Sequential:
    """The network of a shape; `folded`: as it is deployed, batch norm folded into the convolutions."""
    blocks = [Block(layers, folded) for layers in plan(shape)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * shape[5], 10))


def shape_cost(shape: Sequence, size: int = 28) -> dict[str, int]:
    """MACs of one image and parameters (batch norm's included)."""
    macs, params = 20 * shape[5], 20 * shape[5] + 10
    for layers in plan(shape):
        for c_in, c_out, kernel, stride, groups, _ in layers:
            size = -(-size // stride)
            weights = c_out * c_in // groups * kernel**2
            macs, params = macs + weights * size**2, params + weights + 2 * c_out
    return {"macs": macs, "params": params}
