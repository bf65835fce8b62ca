"""ONNX files of the latency track: how one is written, what is in it, and how it is raced against another."""

import io
import itertools
import logging
import math
import statistics
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn as nn
from torch import Tensor

ONNX_LIMIT = 1 << 20  # bytes of a file
STANDARD = {"", "ai.onnx"}
CONTROL_FLOW = {"If", "Loop", "Scan", "SequenceMap"}
PRODUCTS = {"Conv", "Gemm", "MatMul", "ConvTranspose", "Einsum", "Attention", "RNN", "LSTM", "GRU"}
INTEGER_PRODUCTS = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}

# ONNX Runtime's quantizer advises everyone on stderr, and nbgrader by itself takes a word there for a failed test.
logging.getLogger().setLevel(logging.ERROR)


def onnx_of(net: Any) -> bytes:
    """The ONNX file of a residual net: BatchNorm folded, input "input", output "logits", any batch."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, stored = [], []

    def keep(name: str, value: Tensor) -> str:
        stored.append(numpy_helper.from_array(value.detach().contiguous().numpy(), name))
        return name

    def conv(name: str, x: str, layer: nn.Conv2d, norm: Any) -> str:
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        weight = keep(f"{name}.weight", layer.weight * factor.view(-1, 1, 1, 1))
        bias = keep(f"{name}.bias", norm.bias - norm.running_mean * factor)
        size: dict[str, Any] = {
            "strides": list(layer.stride),
            "pads": [layer.padding[0]] * 4,
            "kernel_shape": list(layer.kernel_size),
        }
        nodes.append(helper.make_node("Conv", [x, weight, bias], [name], name, **size))
        return name

    def relu(x: str) -> str:
        nodes.append(helper.make_node("Relu", [x], [f"{x}.relu"], f"{x}.relu"))
        return f"{x}.relu"

    x = relu(conv("stem", "input", net.conv, net.bn))
    for number in (1, 2, 3):
        block = getattr(net, f"block{number}")
        short = x if number == 1 else conv(f"block{number}.short", x, block.shortcut[0], block.shortcut[1])
        y = relu(conv(f"block{number}.first", x, block.conv1, block.bn1))
        y = conv(f"block{number}.second", y, block.conv2, block.bn2)
        nodes.append(helper.make_node("Add", [y, short], [f"block{number}"], f"block{number}"))
        x = relu(f"block{number}")
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"], "pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], "flat"))
    weight, bias = keep("fc.weight", net.fc.weight), keep("fc.bias", net.fc.bias)
    nodes.append(helper.make_node("Gemm", ["flat", weight, bias], ["logits"], "fc", transB=1))
    ends = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, 28, 28]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(net.fc.bias)]),
    ]
    graph = helper.make_graph(nodes, "resnet8", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def session(model: str | Path | bytes, threads: int = 1) -> Any:
    """An ONNX Runtime session on the CPU that keeps quiet."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 4
    with redirect_stderr(io.StringIO()):
        return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options)


def logits_of(running: Any, x: Tensor, batch: int = 250) -> Tensor:
    """The logits of a session for images, in batches."""
    import torch

    return torch.cat([torch.from_numpy(running.run(["logits"], {"input": b.numpy()})[0]) for b in x.split(batch)])


def inspect_onnx(blob: bytes) -> dict[str, Any]:
    """What is in an ONNX file: `problem` ("" if it may be run), and `int8`, the share of the MACs that are in int8."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(blob)
    except (DecodeError, ValueError) as error:
        return {"problem": f"it cannot be read as ONNX: {error!s:.80}", "int8": 0.0}
    graph = model.graph
    operators = {node.op_type for node in graph.node}
    domains = {node.domain for node in graph.node} - STANDARD
    stored = {t.name: t for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in stored]
    problem = ""
    if domains or model.functions:
        problem = f"it uses operators that are not of the ONNX standard: {', '.join(sorted(domains)) or 'functions'}"
    elif operators & CONTROL_FLOW:
        problem = f"it has control flow: {', '.join(sorted(operators & CONTROL_FLOW))}"
    elif any(t.data_location == onnx.TensorProto.EXTERNAL for t in stored.values()):
        problem = "its weights lie in another file"
    elif [i.name for i in inputs] != ["input"] or [o.name for o in graph.output] != ["logits"]:
        problem = f"its ends are {[i.name for i in inputs]} and {[o.name for o in graph.output]}"
    elif inputs[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
        problem = "its batch is fixed; the first axis is to be dynamic"
    return {"problem": problem, "int8": 0.0 if problem else int8_share(model)}


def activations_of(blob: bytes) -> dict[str, Any]:
    """How an int8 file quantizes what flows through it: `kind` (signed, unsigned, dynamic or ""), and `codes`, the
    least and largest input that its codes reach, if it says so."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(blob).graph
    stored = {t.name: t for t in graph.initializer}
    if any(node.op_type in ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger") for node in graph.node):
        return {"kind": "dynamic", "codes": []}
    for node in graph.node:
        known = len(node.input) == 3 and all(name in stored for name in node.input[1:])
        if node.op_type == "QuantizeLinear" and node.input[0] == "input" and known:
            scale, zero = (numpy_helper.to_array(stored[name]) for name in node.input[1:])
            if scale.size == zero.size == 1 and zero.dtype in (np.int8, np.uint8):
                bounds = np.iinfo(zero.dtype)
                codes = [(bound - int(zero.item())) * float(scale.item()) for bound in (bounds.min, bounds.max)]
                return {"kind": "signed" if zero.dtype == np.int8 else "unsigned", "codes": codes}
    return {"kind": "", "codes": []}


def int8_share(model: Any) -> float:
    """The share of the multiply-accumulates whose operator gets two integer operands: QDQ pairs, QLinear operators."""
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.value_info, *graph.output)}
    stored = {t.name: list(t.dims) for t in graph.initializer}

    def origin(name: str) -> str:
        node = made_by.get(name)
        while node is not None and node.op_type in ("DequantizeLinear", "QuantizeLinear", "Transpose", "Reshape"):
            name = node.input[0]
            node = made_by.get(name)
        return name

    total = quantized = 0
    for node in graph.node:
        if node.op_type not in PRODUCTS | INTEGER_PRODUCTS:
            continue
        weight = stored.get(origin(node.input[3 if node.op_type.startswith("QLinear") else 1]), [])
        out = shapes.get(node.output[0], [])
        places = math.prod(d or 1 for d in out[2:]) if len(out) == 4 else 1
        macs = math.prod(weight) * places
        both = [made_by.get(name) for name in node.input[:2]]
        total += macs
        if node.op_type in INTEGER_PRODUCTS or all(m is not None and m.op_type == "DequantizeLinear" for m in both):
            quantized += macs
    return quantized / total if total else 0.0


def in_turns(
    calls: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.thread_time
) -> dict[str, list[float]]:
    """Seconds of each call, all in turns, each once untimed; by default of processor time of this thread.

    Where a limit of processor time is set, the clock of the whole process moves with the ticks of Linux alone.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number, (name, call) in itertools.product(range(rounds + 1), calls.items()):
        began = clock()
        call()
        if number:
            seconds[name].append(clock() - began)
    return seconds


def race(
    files: dict[str, bytes], x: Tensor, rounds: int = 25, clock: Callable[[], float] = time.thread_time
) -> dict[str, list[float]]:
    """Seconds of each call of each file, taken in turns in one process with one thread; processor time by default.

    Each file is called once untimed.
    """
    feed: dict[str, np.ndarray] = {"input": x.numpy()}
    return in_turns({n: partial(session(blob).run, ["logits"], feed) for n, blob in files.items()}, rounds, clock)


def ratio_quartiles(seconds: dict[str, list[float]], baseline: str, candidate: str) -> tuple[float, float, float]:
    """Quartiles of the per-round ratio baseline / candidate: above 1 the candidate is faster."""
    ratios = [b / c for b, c in zip(seconds[baseline], seconds[candidate], strict=True)]
    first, middle, third = statistics.quantiles(ratios, n=4, method="inclusive")
    return first, middle, third


def int8_kernels() -> bool:
    """Whether the processor has instructions for products of bytes (VNNI or AMX on x86, dot products on ARM)."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    lines = [line for line in said.splitlines() if line.lower().startswith(("flags", "features"))]
    return bool(lines) and bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"} & set(lines[0].split()))
