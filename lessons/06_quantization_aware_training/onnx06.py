"""Networks of lesson 06 as files for ONNX Runtime."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from lesson06 import Layers
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval


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
