"""Small loops, files and integer arithmetic of lesson 06; `pictures06` draws, `onnx06` writes for ONNX Runtime."""

import copy
import json
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bonsai import models

# What was made once ---------------------------------------------------------------------------------------------------


def results() -> dict:
    """What `data/make_lesson06.py` recorded in `data/lesson06.json`."""
    return json.loads((models.CHECKPOINTS.parent / "lesson06.json").read_text())


# After training: the library's version of lesson 02 -------------------------------------------------------------------


@torch.no_grad()
def ptq(model: nn.Sequential, images: Tensor, bits_w: int, bits_a: int) -> nn.Sequential:
    """A flat Sequential quantized after training with the library's functions, as in lesson 02; for evaluation only.

    Batch norms are folded, weights rounded per output channel, the input of each layer rounded to the range that it
    has on `images`.
    """
    parts: list[Any] = []
    for part in copy.deepcopy(model).eval():
        if isinstance(part, nn.BatchNorm2d):
            parts[-1] = fuse_conv_bn_eval(parts[-1], part)
        else:
            parts.append(part)
    ranges: dict[Any, tuple[float, float]] = {}
    x, top, largest = images, 2**bits_a - 1, 2 ** (bits_w - 1) - 1
    for part in parts:
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            ranges[part] = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
        x = torch.cat([part(chunk) for chunk in x.split(500)])
    for part, (low, high) in ranges.items():
        w, step = part.weight, (high - low) / top
        scales, zeros = w.flatten(1).abs().amax(1) / largest, torch.zeros(len(w), dtype=torch.int32)
        part.weight.data = torch.fake_quantize_per_channel_affine(w, scales, zeros, 0, -largest, largest)

        def rounded(module, inputs, step=step, low=low):
            zero = round(-low / step)
            return torch.fake_quantize_per_tensor_affine(inputs[0], step, zero, 0, top)

        part.register_forward_pre_hook(rounded)
    return nn.Sequential(*parts).eval()


# Codes: a file, and a network that computes with integers -------------------------------------------------------------

Layers = list[tuple[str, dict]]  # what `convert` returns, in the order of the network


def pack(layers: Layers, bits: int) -> bytes:
    """One line of text for each layer, then its codes at `bits` a code, scales and bias as float32."""
    parts = []
    for name, layer in layers:
        codes, bias = np.asarray(layer["codes"]), layer["bias"]
        words = [name, bits, repr(float(layer["act_scale"])), int(layer["act_zero_point"]), int(bias is not None)]
        parts.append(" ".join(map(str, [*words, *codes.shape])).encode() + b"\n")
        offset = codes.flatten().astype(np.int64) + 2 ** (bits - 1)
        parts.append(np.packbits((offset[:, None] >> np.arange(bits)) & 1).tobytes())
        for values in (layer["scale"], bias):
            parts.append(b"" if values is None else np.asarray(values.detach(), np.float32).tobytes())
    return b"".join(parts)


def pack_fp32(model: nn.Sequential) -> bytes:
    """The same for the float model, batch norms folded: one line and its float32 numbers for each layer."""
    parts: list[bytes] = []
    modules: list[Any] = list(copy.deepcopy(model).eval())
    for i, module in enumerate(modules):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            layer: Any = fuse_conv_bn_eval(module, modules[i + 1]) if isinstance(module, nn.Conv2d) else module
            parts.append(" ".join(map(str, [i, *layer.weight.shape])).encode() + b"\n")
            parts += [t.detach().numpy().tobytes() for t in (layer.weight, layer.bias)]
    return b"".join(parts)


def unpack(blob: bytes) -> Layers:
    """What `pack` was given."""
    layers, at = [], 0
    while at < len(blob):
        end = blob.index(b"\n", at)
        name, bits_text, act_scale, zero, biased, *shape_text = blob[at:end].decode().split()
        bits, shape = int(bits_text), [int(n) for n in shape_text]
        count, at = math.prod(shape), end + 1
        size = -(-count * bits // 8)
        raw = np.unpackbits(np.frombuffer(blob, np.uint8, size, at))[: count * bits].reshape(count, bits)
        codes = (raw.astype(np.int64) << np.arange(bits)).sum(1) - 2 ** (bits - 1)
        at += size
        floats = [np.frombuffer(blob, np.float32, shape[0], at + 4 * i * shape[0]) for i in range(1 + int(biased))]
        at += 4 * shape[0] * len(floats)
        tensors = [torch.from_numpy(f.copy()) for f in floats]
        layer: dict[str, Any] = {"codes": torch.from_numpy(codes).to(torch.int8).reshape(shape), "scale": tensors[0]}
        layer |= {"bias": tensors[1] if len(tensors) > 1 else None}
        layers.append((name, layer | {"act_scale": float(act_scale), "act_zero_point": int(zero)}))
    return layers


def written(blob: bytes) -> bytes:
    """The bytes, after they have been on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(blob)
        return path.read_bytes()


class IntegerModel(nn.Module):
    """A network that multiplies and adds integers: between codes and accumulators no float is rounded.

    The integers are held in floats, since torch has no fast integer convolution: float32 is exact below 2**24, and
    where sums may grow beyond that, float64 below 2**53.
    """

    def __init__(self, layers: Layers, skeleton: nn.Sequential, bits_a: int):
        super().__init__()
        self.skeleton = [m for m in skeleton if not isinstance(m, (nn.BatchNorm2d, nn.Identity))]
        self.layers, self.top = [layer for _, layer in layers], 2**bits_a - 1
        self.codes: list[Tensor] = []  # of the input of each layer, in the last call

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        waiting, self.codes = iter(self.layers), []
        for part in self.skeleton:
            if not isinstance(part, (nn.Conv2d, nn.Linear)):
                x = part(x)
                continue
            layer = next(waiting)
            zero, step, w = layer["act_zero_point"], layer["act_scale"], layer["codes"].double()
            codes = torch.clamp(torch.round(x / step) + zero, 0, self.top)
            self.codes.append(codes)
            exact = torch.float32 if self.top * w.abs().flatten(1).sum(1).max() < 2**24 else torch.float64
            centred, w = (codes - zero).to(exact), w.to(exact)  # integers from here on
            if isinstance(part, nn.Conv2d):
                sums = F.conv2d(centred, w, None, part.stride, part.padding, part.dilation, part.groups)
            else:
                sums = centred @ w.T
            shape = [1, -1, *[1] * (sums.dim() - 2)]  # and up to here
            x = sums.float() * (step * layer["scale"]).reshape(shape)
            x = x if layer["bias"] is None else x + layer["bias"].reshape(shape)
        return x


# ONNX Runtime ---------------------------------------------------------------------------------------------------------


@contextmanager
def silence() -> Iterator[None]:
    """No warnings and no log lines of libraries for a while."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


# Models and layers from plain data, for the checks --------------------------------------------------------------------


def kinds(model: nn.Module) -> list[str]:
    """The types of all modules, in order."""
    return [type(m).__name__ for m in model.modules()]
