"""The course's small networks and their shipped weights.

Four for images (28x28, grey, 10 classes, `[N, 10]` logits) and one for text (`bonsai.language`). And networks that
plain data describes, for checks.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from bonsai import language

CHECKPOINTS = Path(__file__).resolve().parent.parent / "data" / "checkpoints"


def lenet_300_100() -> nn.Sequential:
    """LeNet-300-100: two hidden linear layers, 266,610 parameters (LeCun et al. 1998)."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def lenet_5() -> nn.Sequential:
    """LeNet-5 in the 20-50-500 form that pruning papers use, 431,080 parameters (LeCun et al. 1998)."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip


def small_cnn() -> nn.Sequential:
    """Four conv-BatchNorm-ReLU blocks and a classifier, 47,194 parameters, one flat Sequential."""
    layers: list[nn.Module] = []
    for c_in, c_out, stride in ((1, 16, 1), (16, 32, 2), (32, 48, 1), (48, 64, 2)):
        layers += [nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016): `relu(shortcut(x) + f(x))`."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        same = c_in == c_out and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(y)))


class ResNet8(nn.Module):
    """Three residual blocks of `width`, 2 `width` and 4 `width` channels behind a stem of stride 2 (He et al. 2016)."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.block1 = ResidualBlock(width, width, 1)
        self.block2 = ResidualBlock(width, 2 * width, 2)
        self.block3 = ResidualBlock(2 * width, 4 * width, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(self.pool(x).flatten(1))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "lenet_300_100": lenet_300_100,
    "lenet_5": lenet_5,
    "small_cnn": small_cnn,
    "resnet8": ResNet8,
}
LANGUAGE_MODELS: dict[str, Callable[[], nn.Module]] = {"small_decoder": language.Decoder}


def load(name: str) -> nn.Module:
    """A shipped model with its trained weights, in eval mode, read without pickle.

    Raises:
        ValueError: no model of that name.
    """
    _check(name)
    model = (MODELS | LANGUAGE_MODELS)[name]()
    model.load_state_dict(load_file(CHECKPOINTS / f"{name}.safetensors"))
    return model.eval()


def network(spec: list | tuple, own: dict[str, Callable] | None = None) -> nn.Module:
    """An untrained network that plain data describes: a list makes a Sequential of its items, a tuple one module.

    Args:
        spec: for example `[("Conv2d", 1, 8, 3, {"padding": 1}), ("ReLU",)]`: a name, arguments, at last keywords.
        own: makers of modules that `torch.nn` does not have, by name.
    """
    if isinstance(spec, list):
        return nn.Sequential(*[network(item, own) for item in spec])
    name, *args = spec
    options = args.pop() if args and isinstance(args[-1], dict) else {}
    return ((own or {}).get(name) or getattr(nn, name))(*args, **options)


def random_state(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Other weights for a network, with BatchNorm statistics that are not those of a new layer."""
    rng = torch.Generator().manual_seed(seed)
    state = model.state_dict()
    for name, t in state.items():
        if "running_var" in name:
            t.copy_(torch.rand(t.shape, generator=rng) * 0.9 + 0.1)
        elif t.is_floating_point():
            spread = 1 / math.sqrt(t[0].numel()) if t.dim() > 1 else 0.5
            t.copy_(torch.randn(t.shape, generator=rng) * spread + (1.0 if t.dim() == 1 and "weight" in name else 0.0))
    return state


def card(name: str) -> dict:
    """What is recorded about a shipped model: `parameters`, `epochs`, `seed`, validation and test accuracy.

    Of the language model: `parameters`, `steps`, `seed`, validation and test perplexity of a token.

    Raises:
        ValueError: no model of that name.
    """
    _check(name)
    return json.loads((CHECKPOINTS / "checkpoints.json").read_text())[name]


def _check(name: str) -> None:
    if name not in MODELS | LANGUAGE_MODELS:
        raise ValueError(f"no model {name!r}: choose one of {', '.join(MODELS | LANGUAGE_MODELS)}")
