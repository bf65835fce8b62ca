"""Pictures of lesson 06, small loops, and trusted arithmetic with the library for its checks."""

import contextlib
import copy
import io
import itertools
import json
import logging
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bonsai import models, plot
from bonsai.testing import difference, expect, require

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


def write_onnx(layers: Layers, skeleton: nn.Sequential, path: str, bits_a: int, largest: float) -> None:
    """Write a small CNN of codes as ONNX with integer operators, QLinearConv and MatMulInteger.

    The output codes of a QLinearConv are uint8 and saturate at 0, which is the ReLU if their zero point is 0; a Clip
    holds them below 2**bits_a. The last convolution's output goes up to `largest` in 256 codes. Weight codes are
    multiplied by a whole number (and their scales divided), so that the int32 bias has finer units; sums of two
    products stay within 16 bits, which older processors need.
    """
    from onnx import helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, value, dtype) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **options) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **options))
        return output

    room = min(127, 32767 // (2 * (2**bits_a - 1)))
    bottom, top = constant("bottom", 0, np.uint8), constant("top", 2**bits_a - 1, np.uint8)
    steps = [constant(f"step{i}", layer["act_scale"], np.float32) for i, (_, layer) in enumerate(layers)]
    zeros = [constant(f"zero{i}", layer["act_zero_point"], np.uint8) for i, (_, layer) in enumerate(layers)]
    convs = [m for m in skeleton if isinstance(m, nn.Conv2d)]
    out_steps, out_zeros = steps[1 : len(convs)], zeros[1 : len(convs)]
    assert not any(layer["act_zero_point"] for _, layer in layers[1 : len(convs)]), "codes behind a ReLU begin at 0"
    out_steps, out_zeros = [*out_steps, constant("fine", largest / 255, np.float32)], [*out_zeros, bottom]
    x = node("Clip", [node("QuantizeLinear", ["x", steps[0], zeros[0]], "q0"), bottom, top], "c0")
    for i, conv in enumerate(convs):
        layer = layers[i][1]
        assert all(d == 1 for d in conv.dilation) and conv.groups == 1 and not isinstance(conv.padding, str)
        factor = max(1, room // int(layer["codes"].abs().max()))
        w = constant(f"w{i}", layer["codes"].numpy() * factor, np.int8)
        scale = layer["scale"].double() / factor
        bias = constant(f"b{i}", (layer["bias"].double() / (scale * layer["act_scale"])).round(), np.int32)
        inputs = [x, steps[i], zeros[i], w, constant(f"s{i}", scale, np.float32)]
        inputs += [constant(f"none{i}", np.zeros(len(scale)), np.int8), out_steps[i], out_zeros[i], bias]
        settings = {"strides": list(conv.stride), "pads": [*conv.padding, *conv.padding]}
        x = node("QLinearConv", inputs, f"conv{i}", **settings)
        if i + 1 < len(convs):
            x = node("Clip", [x, bottom, top], f"c{i + 1}")
    x = node("GlobalAveragePool", [node("DequantizeLinear", [x, out_steps[-1], bottom], "features")], "pooled")
    x = node("QuantizeLinear", [node("Flatten", [x], "flat"), steps[-1], zeros[-1]], "q")
    last, x = layers[-1][1], node("Clip", [x, bottom, top], "c")
    x = node("MatMulInteger", [x, constant("w", last["codes"].T, np.int8), zeros[-1]], "products")
    scale = constant("t", last["scale"] * last["act_scale"], np.float32)
    x = node("Mul", [node("Cast", [x], "floats", to=1), scale], "scaled")
    node("Add", [x, constant("bias", last["bias"], np.float32)], "logits")
    _save_onnx(nodes, constants, path)


def write_onnx_fp32(model: nn.Sequential, path: str) -> None:
    """Write the FP32 small CNN, batch norms folded, as ONNX."""
    from onnx import helper, numpy_helper

    nodes, constants, x = [], [], "x"
    parts: list[Any] = list(copy.deepcopy(model).eval())
    for i, part in enumerate(parts):
        if isinstance(part, nn.BatchNorm2d):
            continue
        inputs, options = [x], dict[str, Any]()
        x = f"y{i}"
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            layer = fuse_conv_bn_eval(part, parts[i + 1]) if isinstance(part, nn.Conv2d) else part
            for kind in ("weight", "bias"):
                inputs.append(f"{kind}{i}")
                constants.append(numpy_helper.from_array(getattr(layer, kind).detach().numpy(), f"{kind}{i}"))
            if isinstance(part, nn.Conv2d):
                options = {"strides": list(part.stride), "pads": [*part.padding, *part.padding]}
            else:
                options, x = {"transB": 1}, "logits"
        kinds = {nn.Conv2d: "Conv", nn.Linear: "Gemm", nn.ReLU: "Relu", nn.Flatten: "Flatten"}
        nodes.append(helper.make_node(kinds.get(type(part), "GlobalAveragePool"), inputs, [x], **options))
    _save_onnx(nodes, constants, path)


def _save_onnx(nodes: list, constants: list, path: str) -> None:
    import onnx
    from onnx import helper

    ends = [
        helper.make_tensor_value_info("x", 1, ["n", 1, 28, 28]),
        helper.make_tensor_value_info("logits", 1, ["n", 10]),
    ]
    graph = helper.make_graph(nodes, "small_cnn", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def onnx_model(path: str) -> Callable[[Tensor], Tensor]:
    """An ONNX file on one thread, as a function of a batch of images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def before_pool(net: nn.Sequential) -> nn.Sequential:
    """The part of a flat network that comes before its pooling."""
    return nn.Sequential(*itertools.takewhile(lambda m: not isinstance(m, nn.AdaptiveAvgPool2d), net))


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


class Skip(nn.Module):
    """`x + inner(x)`: a module that is no Sequential, with layers inside."""

    def __init__(self, *inner: nn.Module):
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def network(spec, state: dict[str, Tensor] | None = None) -> nn.Module:
    """`models.network` with this lesson's own modules, and the weights of `state`."""
    model = models.network(spec, {"Skip": lambda inner: Skip(*[network(item) for item in inner])})
    if state is not None:
        model.load_state_dict(state)
    return model


def random_state(spec, seed: int) -> dict[str, Tensor]:
    """Weights for `network(spec)`."""
    return models.random_state(network(spec), seed)


def _near_half(value: float) -> bool:
    return abs(value - math.floor(value) - 0.5) < 0.05


def _clear(w: Tensor, bits: int, rng: torch.Generator) -> None:
    """Fill a weight, of steps that differ by channel, with no value near the middle between two codes."""
    largest = 2 ** (bits - 1) - 1
    steps = 2.0 ** (torch.arange(len(w)).remainder(5) - 4.0).reshape(-1, *[1] * (w.dim() - 1))
    units = torch.randint(-largest, largest + 1, w.shape, generator=rng) + 0.8 * torch.rand(w.shape, generator=rng)
    units = (units - 0.4).clamp(-largest, largest)
    units.flatten(1)[:, 0] = largest * torch.tensor([1.0, -1.0])[torch.arange(len(w)) % 2]
    w.copy_(units * steps)


def clear_state(spec, bits: int, seed: int) -> dict[str, Tensor]:
    """Weights for `network(spec)` (no batch norm) that lie clearly at one of the codes of `bits`."""
    rng = torch.Generator().manual_seed(seed)
    state = network(spec).state_dict()
    for t in state.values():
        if t.dim() > 1:
            _clear(t, bits, rng)
        else:
            t.copy_(torch.randn(t.shape, generator=rng))
    return state


def layer_case(spec: tuple, shape: tuple, bits: tuple[int, int], ranges: list[tuple[float, float]], seed: int) -> tuple:
    """Weights and batches for a layer in which no value lies near the middle between two codes.

    Args:
        ranges: least and largest value of each batch; the last batch is for eval mode and moves nothing.

    Returns:
        the state of `network(spec)`, and the batches.
    """
    rng = torch.Generator().manual_seed(seed)
    top = 2 ** bits[1] - 1
    jitter: Callable = lambda shape: 0.8 * torch.rand(shape, generator=rng) - 0.4  # noqa: E731
    state = network(spec).state_dict()
    _clear(state["weight"], bits[0], rng)
    if "bias" in state:
        state["bias"].copy_(torch.randn(state["bias"].shape, generator=rng))
    batches, low, high = [], math.nan, math.nan
    for i, (least, most) in enumerate(ranges):
        if i < len(ranges) - 1:
            low = least if i == 0 else 0.9 * low + 0.1 * least
            high = most if i == 0 else 0.9 * high + 0.1 * most
        step = (max(high, 0.0) - min(low, 0.0)) / top
        ends = [least / step, most / step]
        if any(_near_half(v) for v in (*ends, -min(low, 0.0) / step)):
            others = [(a * (1 + 0.007 * j), b * (1 + 0.004 * j)) for j, (a, b) in enumerate(ranges, 1)]
            return layer_case(spec, shape, bits, others, seed)
        codes = torch.round(ends[0] + (ends[1] - ends[0]) * torch.rand(shape, generator=rng))
        x = ((codes + jitter(shape)) * step).clamp(least, most)
        x.view(-1)[[1, 4]] = torch.tensor([least, most])
        batches.append(x)
    return state, batches


def layer_facts(layer: Any, other: nn.Module, module: nn.Module, batches: list[Tensor]) -> dict:
    """What a layer with fake quantization says and does, as plain data.

    Args:
        other: one of the same kind, made of a module with other weights; it is given the state of the first.
        batches: the first three in training, the last one in eval mode.
    """
    told: dict = {"parameters": sorted(name for name, _ in layer.named_parameters())}
    told["bits"] = [int(layer.bits_w), int(layer.bits_a)]
    told["before"] = {name: t.clone() for name, t in module.state_dict().items()}
    told["scale"], told["fake"] = layer.weight_scale().detach().clone(), layer.fake_weight().detach().clone()
    try:
        told["untrained"] = layer.eval()(batches[-1]).detach()
        layer.train()
        told["outputs"], told["qparams"] = [], []
        for x in batches[:-1]:
            x = x.clone().requires_grad_()
            layer.zero_grad()
            y = layer(x)
            (y * _ramp(y)).sum().backward()
            told["outputs"].append(y.detach())
            told["qparams"].append([float(v) for v in layer.act_qparams()])
        told["gradients"] = {name: _grad(p) for name, p in layer.named_parameters()} | {"x": _grad(x)}
        layer.eval()
        told["eval"] = layer(batches[-1]).detach()
        layer(10 * batches[-1])
        told["frozen"] = [float(v) for v in layer.act_qparams()]
        told["types"] = [isinstance(layer.act_qparams()[i], (float, int)[i]) for i in (0, 1)]
        try:
            other.load_state_dict(layer.state_dict())
            told["loaded"] = other.eval()(batches[-1]).detach()
        except RuntimeError as error:
            told["loaded"] = f"{error!s:.150}"
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        told["error"] = f"{type(error).__name__}: {error!s:.90}"
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(1)
    told["after"] = {name: t.clone() for name, t in module.state_dict().items()}
    return told


def _ramp(y: Tensor) -> Tensor:
    """An upstream gradient of size 1 that differs everywhere."""
    return torch.cos(torch.arange(y.numel(), dtype=torch.float32)).reshape(y.shape)


def _grad(t: Tensor) -> Tensor | None:
    return None if t.grad is None else t.grad.clone()


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Many checks under one name: only the last line is printed, or the failure raised."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
    print(f"✓ {what}")


def check_layer(told: dict, spec: tuple, state: dict, bits: tuple[int, int], batches: list[Tensor], what: str) -> None:
    """Compare what `layer_facts` says with the library's fake quantization, and print one line."""
    with one_line(what):
        _check_layer(told, spec, state, bits, batches, what)


def _check_layer(told: dict, spec: tuple, state: dict, bits: tuple[int, int], batches: list[Tensor], what: str) -> None:
    largest, top = 2 ** (bits[0] - 1) - 1, 2 ** bits[1] - 1
    w = state["weight"].clone().requires_grad_()
    biased = {"bias": state["bias"].clone().requires_grad_()} if "bias" in state else {}
    names = sorted(["weight", *biased])
    require(
        told["parameters"] == names,
        f"{what}: expected the parameters {names}, yours {told['parameters']}: {PARAMETERS}",
    )
    expect(told["bits"], list(bits), f"{what}: bits_w and bits_a")
    scales = w.detach().flatten(1).abs().amax(1) / largest
    per_tensor = "this is one scale per tensor; each output channel has its own."
    got = told["scale"]
    expect(
        got, scales, f"{what}: weight_scale()",
        {
            per_tensor: lambda got: got.numel() == 1 or (got.flatten() == got.flatten()[0]).all(),
            "the scale is max|w| / Q with Q = 2**(bits-1) - 1.": lambda got: bool((got < scales).all()),
            "the channels of a weight are its axis 0.": lambda got: got.shape != scales.shape,
        }, tol=_close(scales),
    )  # fmt: skip
    zeros = torch.zeros(len(w), dtype=torch.int32)
    fake = torch.fake_quantize_per_channel_affine(w, scales, zeros, 0, -largest, largest)
    expect(told["fake"], fake.detach(), f"{what}: fake_weight()", tol=_close(fake.detach()))
    require(
        "error" not in told,
        f"{what}: the layer failed; perhaps a setting was lost (stride, padding, groups …): {told.get('error')}",
    )

    model = network(spec)

    def run(x: Tensor) -> Tensor:
        weight, bias = fake, biased.get("bias")
        return torch.func.functional_call(model, {"weight": weight} | ({} if bias is None else {"bias": bias}), (x,))

    def zero_padded() -> Tensor:
        assert isinstance(model, nn.Conv2d)
        bias = state.get("bias")
        return F.conv2d(batches[-1], fake.detach(), bias, model.stride, model.padding, model.dilation, model.groups)

    size = fake.detach().flatten(1).abs().sum(1).max().item()
    plain = run(batches[-1]).detach()
    limit = 1e-5 * size * max(b.abs().max().item() for b in batches) + 1e-6  # float32 sums in another order
    lost = {
        "a setting was lost: stride, padding, dilation, groups and padding_mode stay those of the convolution.": (
            lambda got: isinstance(model, nn.Conv2d) and (got.shape != plain.shape or _same(got, zero_padded()))
        ),
        "the bias was lost.": lambda got: _same(got, run(batches[-1]).detach() - _channels(biased.get("bias"), plain)),
    }
    passed = {
        "before the first training batch the input passes through unrounded.": lambda got: got.shape == plain.shape
    }
    expect(told["untrained"], plain, f"{what}: eval before any training", lost | passed, _limit(plain, limit))

    low, high = math.nan, math.nan
    for i, x in enumerate(batches[:-1]):
        current = x.min().item(), x.max().item()
        earlier = (low, high)
        low = current[0] if i == 0 else 0.9 * low + 0.1 * current[0]
        high = current[1] if i == 0 else 0.9 * high + 0.1 * current[1]
        right = _qparams(low, high, top)
        wrong: dict = {
            "this is the range of the last batch alone; average it with momentum 0.9.": _qparams(*current, top),
            "momentum weighs the old range: 0.9 * old + 0.1 * new.": _qparams(
                0.1 * earlier[0] + 0.9 * current[0], 0.1 * earlier[1] + 0.9 * current[1], top
            ),
            "the zero point was cut off; it is round(-low / scale).": [
                right[0],
                float(int(_zero_point(low, high, top))),
            ],
            "the range did not move in training.": _qparams(*earlier, top) if i else [math.nan, 0.0],
        }
        expect(told["qparams"][i], right, f"{what}: act_qparams() after batch {i + 1}", wrong, tol=1e-6)
        x = x.clone().requires_grad_()
        y = run(torch.fake_quantize_per_tensor_affine(x, right[0], int(right[1]), 0, top))
        late = {"the range is updated before it is used.": lambda got, i=i: i > 0 or got.shape == plain.shape}
        expect(told["outputs"][i], y.detach(), f"{what}: output of batch {i + 1}", late, _limit(y, limit))
        grads = torch.autograd.grad((y * _ramp(y)).sum(), [w, x, *biased.values()], retain_graph=True)
    for name, right_grad in zip(("weight", "x", "bias"), grads, strict=False):
        wrong = {"no gradient arrives: where did the graph break?": lambda got: got is None}
        near = 1e-4 * right_grad.abs().max().item() + 1e-6
        expect(told["gradients"][name], right_grad, f"{what}: gradient of {name}", wrong, _limit(right_grad, near))
    moved = {"the observer moves in eval mode; there the range is frozen.": lambda got: True}
    expect(told["frozen"], right, f"{what}: act_qparams() after eval batches", moved, tol=1e-6)
    require(told["types"] == [True, True], f"{what}: act_qparams() is a float and an int")
    y = run(torch.fake_quantize_per_tensor_affine(batches[-1], right[0], int(right[1]), 0, top)).detach()
    expect(told["eval"], y, f"{what}: output in eval mode", moved, _limit(y, limit))
    lost = {"the range does not travel in the state_dict: use buffers that are there from the start.": lambda got: True}
    expect(told["loaded"], y, f"{what}: a second layer with this state_dict", lost, _limit(y, limit))
    shared = {"it shares the parameter with the float module: clone what you copy.": lambda got: True}
    expect(told["after"], told["before"], f"{what}: the float module after the layer was changed", shared)


def _channels(bias: Tensor | None, like: Tensor) -> Tensor:
    if bias is None:
        return torch.full_like(like, math.nan)
    return bias.detach().reshape(1, -1, *[1] * (like.dim() - 2)) if like.dim() == 4 else bias.detach()


def _same(a, b) -> bool:
    return difference(a, b, 1e-4) is None


def _close(t: Tensor) -> Tensor:
    """A float32 division or product may differ in its last bits."""
    return 1e-6 * t.abs() + 1e-12


def _limit(like: Tensor, value: float) -> Tensor:
    return torch.full(like.shape, value, dtype=torch.float64)


def _qparams(low: float, high: float, top: int) -> list[float]:
    low, high = min(low, 0.0), max(high, 0.0)
    if not high > low:
        return [1.0, 0.0]
    step = (high - low) / top
    return [step, float(min(max(round(-low / step), 0), top))]


def kinds(model: nn.Module) -> list[str]:
    """The types of all modules, in order."""
    return [type(m).__name__ for m in model.modules()]


def modes(model: nn.Module) -> list[bool]:
    """Whether each module is in training mode."""
    return [m.training for m in model.modules()]


def _folded(conv: dict, bn: dict, eps: float) -> tuple[Tensor, Tensor]:
    gain = bn["weight"] / (bn["running_var"] + eps).sqrt()
    bias = conv.get("bias", torch.zeros(len(gain)))
    return conv["weight"] * gain.reshape(-1, 1, 1, 1), bn["bias"] + (bias - bn["running_mean"]) * gain


def folded_layers(spec, state: dict[str, Tensor]) -> list[tuple[Tensor, Tensor | None]]:
    """Weight and bias of each layer of `network(spec)` in order, a batch norm directly behind a convolution folded."""
    flat: list[tuple[nn.Module, str, nn.Module | None]] = []
    model = network(spec)
    follows: dict[nn.Module, tuple[str, nn.Module]] = {}
    for name, sequence in model.named_modules():
        if isinstance(sequence, nn.Sequential):
            children = list(sequence.named_children())
            for (_, first), (second_name, second) in itertools.pairwise(children):
                follows[first] = f"{name}.{second_name}".lstrip("."), second
    for name, m in model.named_modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            flat.append((m, name, None))
    found: list[tuple[Tensor, Tensor | None]] = []
    for m, name, _ in flat:
        part = {k: state[f"{name}.{k}".lstrip(".")] for k in m.state_dict()}
        after_name, after = follows.get(m, ("", None))
        if isinstance(m, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            found.append(_folded(part, {k: state[f"{after_name}.{k}"] for k in after.state_dict()}, after.eps))
        else:
            found.append((part["weight"], part.get("bias")))
    return found


def codes_of(w: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Codes and scales per output channel, one weight at a time."""
    largest = 2 ** (bits - 1) - 1
    rows, scales = [], []
    for row in w.flatten(1).tolist():
        step = float(np.float32(max(map(abs, row)))) / largest or 1.0
        rows.append([max(-largest, min(largest, round(v / step))) for v in row])
        scales.append(step)
    return torch.tensor(rows).reshape(w.shape), torch.tensor(scales)


# Pictures -------------------------------------------------------------------------------------------------------------


def _stairs(x, step: float, largest: int):
    return np.clip(np.round(np.asarray(x) / step), -largest, largest) * step


def draw_cliff(made: dict, also: dict[str, float] | None = None, trained: bool = False) -> Figure:
    """Accuracy over the bit-widths after PTQ and, if `trained`, after QAT: a dot for each seed."""
    fig, (ax,) = plot.figure(1, width=7, height=3.3)
    names = list(made["table"])
    kinds_of = {"PTQ": (plot.RED, "o"), "QAT": (plot.BLUE, "s"), "QAT, LSQ": (plot.GREEN, "^")}
    for kind, (colour, marker) in kinds_of.items():
        if kind != "PTQ" and not trained:
            continue
        at = [i for i, name in enumerate(names) if made["table"][name][kind]]
        means = [sum(made["table"][names[i]][kind]) / len(made["table"][names[i]][kind]) for i in at]
        ax.plot(at, means, color=colour, label=kind)
        for i in at:
            values = made["table"][names[i]][kind]
            ax.scatter([i] * len(values), values, color=colour, marker=marker, s=18)
    for name, value in (also or {}).items():
        ax.scatter([names.index("W3A4")], [value], color=plot.BLACK, marker="*", s=90, zorder=3, label=name)
    ax.axhline(made["fp32"], color=plot.BLACK, linestyle=":", linewidth=1)
    ax.text(0, made["fp32"] + 2, "FP32", va="bottom")
    ax.set(xticks=range(len(names)), xticklabels=names, ylabel="validation accuracy (%)", ylim=(0, 105))
    ax.set_xlabel("bits of weights (W) and activations (A)")
    ax.legend(frameon=False, loc="lower left")
    return fig


def draw_dither() -> Figure:
    """Rounding, and the mean of rounding with 5 and with 200 draws of uniform noise."""
    fig, axes = plot.figure(3, width=3.3, height=2.9)
    x = np.linspace(-2.5, 2.5, 401)
    rng = np.random.default_rng(0)
    for ax, draws in zip(axes, (1, 5, 200), strict=True):
        noise = rng.uniform(-0.5, 0.5, (draws, 1)) if draws > 1 else np.zeros((1, 1))
        ax.plot(x, x, color=plot.ORANGE, linestyle="--", label="x")
        ax.plot(x, np.round(x + noise).mean(0), color=plot.BLUE)
        ax.set(xlabel="x", title="round(x)" if draws == 1 else f"mean of {draws} round(x + u)")
    axes[0].set_ylabel("value")
    return fig


def draw_gradient(x: Tensor, y: Tensor, gradient: Tensor) -> Figure:
    """A fake-quantized value and the gradient that its backward gives, over x."""
    fig, (left, right) = plot.figure(2, width=4.6, height=3.1)
    left.plot(x, x, color=plot.ORANGE, linestyle="--", label="x")
    left.plot(x, y, color=plot.BLUE, label="fake-quantized x")
    left.set(xlabel="x", ylabel="value")
    left.legend(frameon=False)
    right.plot(x, torch.zeros_like(x), color=plot.RED, linestyle=":", label="true derivative")
    right.plot(x, gradient, color=plot.BLUE, label="straight-through")
    right.set(xlabel="x", ylabel="derivative", ylim=(-0.1, 1.3))
    right.legend(frameon=False)
    return fig


def draw_one_weight(gradient: str, bits: int, start: float, rate: float, steps: int = 40) -> Figure:
    """One weight that is to become 0.45 after rounding: the loss over the weight, and the way of gradient descent."""
    target, largest = 0.45, 2 ** (bits - 1) - 1
    step = 1 / largest
    path, slopes = [start], []
    for _ in range(steps):
        w = path[-1]
        passes = abs(round(w / step)) <= largest and gradient.startswith("straight")
        slopes.append(2 * (float(_stairs(w, step, largest)) - target) * passes)
        path.append(w - rate * slopes[-1])
    fig, (left, right) = plot.figure(2, width=4.9, height=3.3)
    x = np.linspace(-1.4, 1.4, 1401)
    left.plot(x, (_stairs(x, step, largest) - target) ** 2, color=plot.BLUE, label="loss, with rounding")
    left.plot(x, (np.clip(x, -1, 1) - target) ** 2, color=plot.ORANGE, linestyle="--", label="loss, without rounding")
    left.plot(
        path, (_stairs(path, step, largest) - target) ** 2, color=plot.BLACK, marker="o", markersize=3, linewidth=0.5
    )
    left.plot(path[:1], (_stairs(path[:1], step, largest) - target) ** 2, color=plot.RED, marker="D", label="start")
    height, reach = (float(_stairs(start, step, largest)) - target) ** 2, np.array([-0.25, 0.25])
    left.plot(start + reach, height + slopes[0] * reach, color=plot.RED, linewidth=2, label=f"slope {slopes[0]:+.2f}")
    left.set(xlabel="weight", ylabel="loss", ylim=(-0.05, 2.9))
    left.legend(frameon=False, fontsize=8, loc="upper right")
    right.plot(path, color=plot.BLACK, label="weight")
    right.step(range(len(path)), _stairs(path, step, largest), color=plot.BLUE, where="mid", label="rounded weight")
    right.axhline(target, color=plot.GREEN, linestyle=":", label="target")
    right.set(xlabel="step", ylabel="value", ylim=(-1.5, 1.5))
    right.legend(frameon=False, fontsize=8, loc="lower right")
    return fig


def draw_ranges(batches: list[tuple[float, float]], averages: dict[str, list[tuple[float, float]]]) -> Figure:
    """The largest value of each batch, and running ranges."""
    fig, (ax,) = plot.figure(1, width=7, height=3)
    ax.scatter(
        range(len(batches)), [high for _, high in batches], color=plot.SKY, s=14, label="largest value of the batch"
    )
    for (name, rows), colour in zip(averages.items(), (plot.RED, plot.BLUE, plot.GREEN), strict=False):
        ax.plot([high for _, high in rows], color=colour, label=name)
    ax.set(xlabel="batch", ylabel="activation")
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_learned_step(x: Tensor, gradient: Tensor, scans: tuple[list, list], path: list[tuple[float, float]]) -> Figure:
    """Left: what each x contributes to the gradient of the step. Right: error over the step, and the way of descent."""
    fig, (left, right) = plot.figure(2, width=4.8, height=3.2)
    left.plot(x, gradient, color=plot.BLUE)
    left.axhline(0, color=plot.BLACK, linewidth=0.6)
    left.set(xlabel="x / step", ylabel="derivative by the step")
    right.plot(*scans, color=plot.SKY, label="mean squared error")
    right.plot(
        [s for s, _ in path], [e for _, e in path], color=plot.BLACK, marker="o", markersize=3, label="gradient descent"
    )
    right.plot(*path[0], color=plot.RED, marker="D", label="start, 2 mean|x| / √qmax")
    right.set(xlabel="step", ylabel="mean squared error")
    right.legend(frameon=False, fontsize=8)
    return fig


def draw_live(scales: dict[str, list[float]], made: dict) -> Figure:
    """Left: the folding factor of a channel, batch by batch. Right: accuracies of data/lesson06.json."""
    fig, (left, right) = plot.figure(2, width=4.9, height=3.2)
    for (name, values), colour, marker in zip(scales.items(), (plot.ORANGE, plot.BLUE), ("o", "s"), strict=True):
        left.plot(values, color=colour, marker=marker, markersize=3, linewidth=0.8, label=name)
    left.axhline(1, color=plot.BLACK, linestyle=":", label="running statistics")
    left.set(xlabel="batch", ylabel="folded weight, relative")
    left.legend(frameon=False, fontsize=8)
    colours = {"folded": plot.BLUE, "live": plot.RED, "kept": plot.GREEN}
    for i, rows in enumerate(made["batch_norm"].values()):
        for j, (how, values) in enumerate(rows.items()):
            right.scatter([i + 0.2 * (j - 1)] * len(values), values, color=colours[how], marker=plot.MARKERS[j], s=28,
                          label=how if i == 0 else None)  # fmt: skip
    right.set(xticks=[0, 1], xticklabels=[f"batches of {b}" for b in made["batch_norm"]], xlim=(-0.5, 1.5))
    right.set_ylabel("W3A4 validation accuracy (%)")
    right.legend(frameon=False, fontsize=8)
    return fig


def draw_weights(before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor], losses: list[float]) -> Figure:
    """Weights in units of their step, before and after training, and the loss of each step of training."""
    fig, (first, second, third) = plot.figure(3, width=3.7, height=2.9)
    for ax, (w, scale), title in ((first, before, "before training"), (second, after, "after training")):
        units = (w / scale.reshape(-1, 1, 1, 1)).flatten()
        ax.hist(units, bins=np.linspace(-3.05, 3.05, 123).tolist(), color=plot.BLUE)
        for edge in np.arange(-2.5, 3):
            ax.axvline(edge, color=plot.RED, linewidth=0.7, linestyle=":")
        ax.set(xlabel="weight / step (dotted: where rounding turns)", ylabel="weights", title=title)
    window = max(1, len(losses) // 30)
    smooth = np.convolve(losses, np.ones(window) / window, "valid")
    third.plot(losses, color=plot.SKY, linewidth=0.5)
    third.plot(np.arange(len(smooth)) + window / 2, smooth, color=plot.BLUE)
    third.set(xlabel="training step", ylabel="loss", title="loss")
    return fig


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments. --------------

PARAMETERS = "the weight and, if there is one, the bias are copied as Parameters; ranges are buffers."
MUTATED = "The float model was changed; work on a copy."
LEFT = "A BatchNorm2d behind a convolution is left; fold it into the convolution first."
NESTED = "Layers inside nested modules were left as they are."


def _names(got: dict, *wanted: str) -> int:
    return sum(got["kinds"].count(name) for name in wanted)


SYMPTOMS: dict[str, dict] = {
    "FakeQuantize": {
        "The input was changed; work on a copy.": lambda got, want, *_: not torch.equal(got["x"], want["x"]),
        "The clamp is missing: codes stop at qmin and qmax.": lambda got, want, x, scale, zero, qmin, qmax, up: bool(
            (torch.round(got["y"] / scale) + zero).gt(qmax).any()
            or (torch.round(got["y"] / scale) + zero).lt(qmin).any()
        ),
        "The gradient is zero everywhere: rounding has derivative 0, so write the backward pass yourself.": (
            lambda got, want, *_: difference(got["y"], want["y"], 1e-5) is None and not got["gradient"].any()
        ),
        "The gradient is 1 everywhere, also where the value was clipped.": lambda got, want, x, s, z, qmin, qmax, up: (
            difference(got["y"], want["y"], 1e-5) is None and torch.equal(got["gradient"], up)
        ),
        "The gradient that arrives is multiplied by the mask; yours is the mask alone.": lambda got, want, *_: (
            difference(got["y"], want["y"], 1e-5) is None
            and bool(((got["gradient"] == 0) | (got["gradient"] == 1)).all())
        ),
        "The scale got a gradient; it has none here.": lambda got, want, *_: bool(got["scale gradient"].any()),
        "Inside or clipped is decided by the rounded code: a code equal to qmin or qmax is inside.": (
            lambda got, want, *_: difference(got["y"], want["y"], 1e-5) is None
        ),
    },
    "two calls": {
        "Of two calls before one backward, one got the gradient of the other: what backward needs belongs to its own "
        "call (ctx), not to the class.": lambda got, want, *_: (
            difference(got["values"], want["values"], 1e-5) is None
            and difference(got["gradients"], want["gradients"], 1e-5) is not None
        ),
    },
    "LSQ": {
        "There is no parameter `step`: it exists from construction.": lambda got, want, *_: (
            got["names"] != want["names"]
        ),
        "The Parameter was replaced at the first forward, so an optimizer holds the old one: set its data.": (
            lambda got, want, *_: (
                abs(got["held"] - want["first"]) > 1e-4 * want["first"] > abs(got["first"] - want["first"])
            )
        ),
        "The first step is 2 mean|x| / sqrt(qmax).": lambda got, want, *_: (
            abs(got["first"] - want["first"]) > 1e-4 * want["first"]
        ),
        "In eval mode the first forward leaves the step as it was made; it sets it in either mode.": (
            lambda got, want, *_: (
                abs(got["first"] - want["first"])
                <= 1e-4 * want["first"]
                < abs(got["first in eval mode"] - want["first in eval mode"])
            )
        ),
        "The step was initialised again: a flag in the state_dict remembers the first forward.": lambda got, want, *_: (
            any(abs(got[k] - want[k]) > 1e-4 * want[k] for k in ("second", "loaded"))
        ),
        "No gradient reaches the step.": lambda got, want, *_: (
            difference(got["y"], want["y"], 1e-4) is None and got["step gradient"] == 0
        ),
        "The gradient of the step is unscaled: multiply it by 1 / sqrt(numel * qmax).": (
            lambda got, want, first, x, step, up, bits, signed: (
                abs(got["step gradient"] / (x.numel() * _top(bits, signed)) ** 0.5 - want["step gradient"])
                <= 1e-3 * abs(want["step gradient"])
            )
        ),
    },
    "prepare_qat": {
        "The float model was changed; work on a copy.": lambda got, want, *_: any(
            difference(got["after"][k], want["after"][k]) for k in want["after"]
        ),
        LEFT: lambda got, want, *_: _names(got, "BatchNorm2d") > want["left"],
        NESTED: lambda got, want, *_: _names(got, "Linear", "Conv2d") > 0 or len(got["layers"]) != len(want["layers"]),
        "A batch norm that follows no convolution stays as it is.": lambda got, want, *_: (
            _names(got, "BatchNorm2d") < want["left"]
        ),
        "The result is to be in train mode.": lambda got, want, *_: not all(got["training"]),
        "bits_w and bits_a are mixed up.": lambda got, want, *_: got["bits"] != want["bits"],
    },
    "convert": {
        "A layer is missing, or one too many: every QATLinear and QATConv2d, at any depth.": lambda got, want, *_: (
            set(got) != set(want)
        ),
        "codes is int8, of the shape of the weight.": lambda got, want, *_: any(
            g["dtype"] != "torch.int8" or g["codes"].shape != w["codes"].shape
            for g, w in zip(got.values(), want.values(), strict=True)
        ),
        "scale is the one that the codes were made with: it was recomputed after rounding.": lambda got, want, *_: (
            all(difference(g["codes"], w["codes"]) is None for g, w in zip(got.values(), want.values(), strict=True))
            and any(
                difference(g["scale"], w["scale"], 1e-4) is not None
                for g, w in zip(got.values(), want.values(), strict=True)
            )
        ),
        "The scale is that of 8 bits, max|w| / 127, whatever bits_w is.": lambda got, want, spec, state, bits, *_: (
            bits[0] < 8
            and all(difference(127 * g["scale"], _steps(bits) * w["scale"], 1e-4) is None for g, w in pairs(got, want))
        ),
        "The codes were cut off; a number that is nearly whole is to be rounded.": lambda got, want, *_: all(
            bool(((w["codes"] - g["codes"]) * w["codes"].sign()).isin(torch.tensor([0, 1])).all())
            for g, w in pairs(got, want)
        ),
        "Codes of a wrong channel axis: scale[o] belongs to codes[o].": lambda got, want, spec, state, *_: (
            (isinstance(got, RuntimeError) and "must match" in str(got))
            or any(_turned(g, state[f"{name}.weight"]) for name, g in got.items())
        ),
    },
}


def _zero_point(low: float, high: float, top: int) -> float:
    """-low / scale before it is rounded, of the range widened to hold 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    return -low * top / (high - low) if high > low else 0.0


def _steps(bits) -> int:
    return 2 ** (bits[0] - 1) - 1


def pairs(got: dict, want: dict) -> list[tuple[dict, dict]]:
    """What came and what should come, layer by layer."""
    return [(got[name], layer) for name, layer in want.items()]


def _turned(layer: dict, w: Tensor) -> bool:
    """Whether the codes are those of a scale that runs along another axis than the first."""
    for axis in range(1, w.dim()):
        if w.shape[axis] == len(layer["scale"]):
            shape = [-1 if a == axis else 1 for a in range(w.dim())]
            codes = torch.round(w / layer["scale"].reshape(shape)).clamp(-128, 127)
            if torch.equal(codes, layer["codes"].float()):
                return True
    return False


def _top(bits: int, signed: bool) -> int:
    return 2 ** (bits - 1) - 1 if signed else 2**bits - 1
