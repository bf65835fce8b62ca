"""The capstone's rules: which networks are trusted, how they are run, what counts, and what it scores."""

import ast
import itertools
import math
import zlib
from typing import Any

import torch
import torch.nn as nn
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from torch import Tensor

from bonsai import models

CLASSES, PIXELS = 10, 28
WIDEST = {"stem": 24, "inner1": 24, "inner2": 48, "outer2": 48, "inner3": 96, "outer3": 96}  # the teacher's channels
CODE_LIMIT = 64 << 10  # bytes of a decoder's source, before it is compressed
TEXT_LIMIT = 64 << 10  # characters of base64 that a prepared entry may take
FLASH, RAM = 64 << 10, 20 << 10  # bytes, of the microcontroller

# name -> what a baseline has of the metric (lower is better), and the levels for 60, 80 and 100 points
TRACKS = {
    "size": (716_795, (70_000, 45_000, 18_000)),
    "micro": (3.7, (1.0, 0.5, 0.25)),
    "latency": (1.0, (1 / 2.5, 1 / 3.2, 1 / 4)),
}
FLOORS = {"size": 1.0, "micro": 1.5, "latency": 1.0}  # points of accuracy that may be lost
WORST_CLASS = 5.0  # points of recall that the worst class may lose on the size track


# Scores --------------------------------------------------------------------------------------------------------------


def track_score(track: str, metric: float, floors_kept: bool = True) -> float:
    """Points of 100: 60 at the level *pass*, 80 at *good*, 100 at *excellent*.

    In between linear in the logarithm of the metric, from 0 at the baseline; never below 0 or above 100.

    Args:
        track: size (bytes), micro (the fuller of flash and RAM, as a share) or latency (time / baseline's).
        floors_kept: whether the accuracy floors hold; else 0.

    Raises:
        ValueError: unknown track, or a metric that is not a positive number.
    """
    if track not in TRACKS:
        raise ValueError(f"no track {track!r}: choose one of {', '.join(TRACKS)}")
    if not (metric > 0 and math.isfinite(metric)):
        raise ValueError(f"the metric of a track is a number above 0, not {metric}")
    baseline, levels = TRACKS[track]
    if not floors_kept or metric >= baseline:
        return 0.0
    marks = [baseline, *levels]
    for (high, low), points in zip(itertools.pairwise(marks), (0, 60, 80), strict=True):
        if metric >= low:
            return points + (60 if points == 0 else 20) * math.log(high / metric) / math.log(high / low)
    return 100.0


def code_bytes(cell: str) -> int:
    """Bytes of a decoder: its cell without comments and docstrings, evenly laid out, after zlib at level 9.

    Raises:
        ValueError: more than 64 kB before zlib, or not Python.
    """
    if len(cell.encode()) > 4 * CODE_LIMIT:
        raise ValueError(f"a decoder's cell has at most {CODE_LIMIT} bytes, this one {len(cell.encode())}")
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the decoder's cell is not Python: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                node.body = node.body[1:] or [ast.Pass()]
    text = ast.unparse(tree).encode("utf-8", "surrogatepass")
    if len(text) > CODE_LIMIT:
        raise ValueError(f"a decoder has at most {CODE_LIMIT} bytes of code, this one {len(text)}")
    return len(zlib.compress(text, 9))


# Families ------------------------------------------------------------------------------------------------------------


def build(state: dict[str, Tensor]) -> nn.Module:
    """The trusted network for a state: a residual net of eight layers, or an integer chain as `to_int8` makes it.

    Args:
        state: names -> tensors. The family `resnet8` has the names of `models.ResNet8` (`num_batches_tracked` may be
            missing), float32, any channel counts that fit together and are at most the teacher's: 24 in the stem and
            block 1, 48 in block 2, 96 in block 3.

    Returns:
        the network in eval mode: images `[N, 1, 28, 28]` -> logits `[N, 10]`.

    Raises:
        ValueError: anything else, with the first thing that does not fit.
    """
    if not isinstance(state, dict) or not state:
        raise ValueError(f"a state is a dict of tensors, not {type(state).__name__}")
    for name, value in state.items():
        if type(name) is not str or type(value) is not Tensor or value.layout != torch.strided:
            raise ValueError(f"a state holds plain tensors by name; {str(name)[:60]!r} is a {type(value).__name__}")
    return Chain(state) if "act_scale" in state else _resnet8(state)


def _resnet8(state: dict[str, Tensor]) -> nn.Module:
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    net = models.ResNet8(1)
    names = [name for name in net.state_dict() if not name.endswith("num_batches_tracked")]
    if set(state) != set(names):
        odd = sorted(set(state) ^ set(names))[0]
        raise ValueError(f"{odd[:60]!r} is {'unknown' if odd in state else 'missing'} in a state of resnet8")
    for name, value in state.items():
        if value.dtype != torch.float32:
            raise ValueError(f"{name} is {value.dtype}; all tensors of resnet8 are float32")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} holds a number that is not finite")
        if value.dim() == 0 or value.numel() == 0:
            raise ValueError(f"{name} is empty")
        if name.endswith("running_var") and (value < 0).any():
            raise ValueError(f"{name} holds a negative variance")
    source = {"stem": "conv", "inner1": "block1.conv1", "inner2": "block2.conv1", "outer2": "block2.conv2"}
    source |= {"inner3": "block3.conv1", "outer3": "block3.conv2"}
    n = {part: len(state[f"{layer}.weight"]) for part, layer in source.items()}
    for part, most in WIDEST.items():
        if n[part] > most:
            raise ValueError(f"{source[part]} has {n[part]} channels; the teacher has {most}")
    shapes = {  # layer -> in, out, kernel, stride
        "conv": (1, n["stem"], 3, 2),
        "block1.conv1": (n["stem"], n["inner1"], 3, 1),
        "block1.conv2": (n["inner1"], n["stem"], 3, 1),
        "block2.conv1": (n["stem"], n["inner2"], 3, 2),
        "block2.conv2": (n["inner2"], n["outer2"], 3, 1),
        "block2.shortcut.0": (n["stem"], n["outer2"], 1, 2),
        "block3.conv1": (n["outer2"], n["inner3"], 3, 2),
        "block3.conv2": (n["inner3"], n["outer3"], 3, 1),
        "block3.shortcut.0": (n["outer2"], n["outer3"], 1, 2),
    }
    for layer, (c_in, c_out, kernel, stride) in shapes.items():
        norm = layer.replace("shortcut.0", "shortcut.1").replace("conv", "bn")
        net.set_submodule(layer, nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False))
        net.set_submodule(norm, nn.BatchNorm2d(c_out))
    net.fc = nn.Linear(n["outer3"], CLASSES)
    for name, value in net.state_dict().items():
        if name in state and value.shape != state[name].shape:
            raise ValueError(f"{name} has shape {tuple(state[name].shape)}, its neighbours want {tuple(value.shape)}")
    net.load_state_dict(state, strict=False)
    return net.eval()


class Chain(nn.Module):
    """A network of the family `chain`, run by `engine`."""

    def __init__(self, state: dict[str, Tensor]):
        super().__init__()
        check_chain(state)
        self.state = state

    def forward(self, x: Tensor) -> Tensor:
        return engine(self.state, x)


def check_chain(state: dict[str, Tensor]) -> int:
    """How many convolutions a chain has, if names, types, shapes and ranges are those that `to_int8` promises.

    Raises:
        ValueError: with the first thing that is not.
    """
    layers = sum(name.endswith(".weight") for name in state) - 1
    if layers < 1:
        raise ValueError("a chain has at least one convolution and the linear layer")
    kinds = {"weight": torch.int8, "scale": torch.float32, "bias": torch.int32}
    names = {f"{i}.{kind}" for i in range(layers + 1) for kind in kinds} | {"act_scale", "act_zero", "strides"}
    if set(state) != names:
        odd = sorted(set(state) ^ names)[0]
        raise ValueError(f"{odd[:60]!r} is {'unknown' if odd in state else 'missing'} in a chain")
    before = 1
    for i in range(layers + 1):
        weight = state[f"{i}.weight"]
        if weight.dim() != (2 if i == layers else 4) or 0 in weight.shape or weight.shape[1] != before:
            raise ValueError(f"{i}.weight has shape {tuple(weight.shape)}; the layer before has {before} channels")
        if i < layers and (weight.shape[2] != weight.shape[3] or weight.shape[2] % 2 == 0):
            raise ValueError(f"{i}.weight has a kernel of {tuple(weight.shape[2:])}; kernels are square and odd")
        before = len(weight)
        for kind, dtype in kinds.items():
            value = state[f"{i}.{kind}"]
            if value.dtype != dtype or (kind != "weight" and value.shape != (before,)):
                raise ValueError(f"{i}.{kind} is {value.dtype} {tuple(value.shape)}; expected {dtype} ({before},)")
        if (weight == -128).any():
            raise ValueError(f"{i}.weight holds -128; symmetric codes lie in -127..127")
    if before != CLASSES:
        raise ValueError(f"the linear layer has {before} outputs, not {CLASSES}")
    for name, count in (("act_scale", layers + 1), ("act_zero", layers + 1), ("strides", layers)):
        if state[name].shape != (count,) or state[name].is_floating_point() != (name == "act_scale"):
            raise ValueError(f"{name} is {state[name].dtype} {tuple(state[name].shape)}; expected {count} numbers")
    scales = [state["act_scale"], *(state[f"{i}.scale"] for i in range(layers + 1))]
    if not all(torch.isfinite(s).all() and (s > 0).all() for s in scales):
        raise ValueError("scales are finite and above 0")
    if not ((state["act_zero"] >= -128) & (state["act_zero"] <= 127)).all():
        raise ValueError("zero points of activations lie in -128..127")
    if not ((state["strides"] >= 1) & (state["strides"] <= PIXELS)).all():
        raise ValueError("strides are whole numbers from 1")
    return layers


@torch.no_grad()
def engine(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits of a chain in integer arithmetic: int8 in, int32 sums, one rounding a layer (Jacob et al. 2018).

    The sums are whole numbers in float32 where that holds them exactly, else in float64. Layer i computes
    `bias + sum of weight * (code - zero)`, cuts it at 0 (ReLU) and rounds `sum * scale * act_scale[i] / act_scale[i+1]`
    to the next layer's codes; the last convolution is averaged over the picture before that rounding.

    Args:
        state: as `to_int8` returns it.
        x: float32 `[N, c, h, w]`.

    Returns:
        float32 `[N, 10]`.
    """
    layers = len(state["strides"])
    scales, zeros = state["act_scale"].double(), state["act_zero"].double()
    code = (x.double() / scales[0] + zeros[0]).round().clamp(-128, 127)
    for i in range(layers):
        weight, stride = state[f"{i}.weight"], int(state["strides"][i])
        exact = torch.float32 if weight[0].numel() * 127 * 255 < 2**24 else torch.float64
        sums = torch.conv2d((code - zeros[i]).to(exact), weight.to(exact), None, stride, weight.shape[-1] // 2)
        sums = (sums.double() + state[f"{i}.bias"].double().view(-1, 1, 1)).clamp(min=0)
        if i == layers - 1:
            sums = sums.mean((2, 3), keepdim=True)
        factor = state[f"{i}.scale"].double() * scales[i] / scales[i + 1]
        code = (sums * factor.view(-1, 1, 1) + zeros[i + 1]).round().clamp(-128, 127)
    sums = (code.flatten(1) - zeros[layers]) @ state[f"{layers}.weight"].double().T + state[f"{layers}.bias"].double()
    return (sums * state[f"{layers}.scale"].double() * scales[layers]).float()


def memory(state: dict[str, Tensor], pixels: int = PIXELS) -> tuple[int, int]:
    """Bytes of flash and RAM that a chain needs on a microcontroller.

    Flash: one byte a stored weight, also for zeros, 8 a channel (scale and bias), 5 a layer (scale and zero point of
    its input). RAM: the largest input and output of one layer, int8, for an image of `pixels` x `pixels`.
    """
    layers = check_chain(state)
    weights = [state[f"{i}.weight"] for i in range(layers + 1)]
    flash = sum(w.numel() + 8 * len(w) for w in weights) + 5 * len(weights)
    ram, size, held = 0, pixels, pixels * pixels
    for weight, stride in zip(weights[:-1], state["strides"].tolist(), strict=True):
        size = (size - 1) // stride + 1
        made = len(weight) * size * size
        ram, held = max(ram, held + made), made
    return flash, max(ram, weights[-1].shape[1] + CLASSES)


def check_container(blob: bytes) -> dict[str, Any]:
    """What is in the bytes of a microcontroller's network: `state`, `flash`, `ram`, and `metric` for `track_score`.

    Raises:
        ValueError: not bytes, larger than 64 kB as base64 text, not safetensors, or not a chain.
    """
    if not isinstance(blob, bytes):
        raise ValueError(f"expected bytes, not {type(blob).__name__}")
    if 4 * math.ceil(len(blob) / 3) > TEXT_LIMIT:
        raise ValueError(f"{len(blob):,} bytes take more than {TEXT_LIMIT:,} characters as base64")
    try:
        state = read_safetensors(blob)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"this is not a safetensors container: {error}") from None
    flash, ram = memory(state)
    return {"state": state, "flash": flash, "ram": ram, "metric": max(flash / FLASH, ram / RAM)}
