"""ONNX files and sessions, and C that is compiled and read back: what several parts of lesson 09 call."""

import logging
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from bonsai.testing import require


def be_quiet() -> None:
    """Silence what exporters, quantizers and loaders say about themselves; errors are still heard."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
    logging.getLogger().setLevel(logging.ERROR)
    for name in ("torch.onnx", "torch.utils._pytree", "onnxscript", "onnx_ir", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for kind in (DeprecationWarning, FutureWarning, UserWarning):
        warnings.simplefilter("ignore", kind)


def session(model: str | Path | bytes, threads: int = 1, fused: bool = True):
    """An ONNX Runtime session on the CPU with so many threads, which sleep when there is nothing to do.

    Without `fused` each node is computed as it stands in the file, in float between the roundings: equal on every
    processor, while int8 sums saturate on x86 without VNNI.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    if not fused:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def logits_of(running, x: Tensor, batch: int = 250) -> Tensor:
    """Logits of a session with the input "input"."""
    return torch.cat([torch.from_numpy(running.run(None, {"input": part.numpy()})[0]) for part in x.split(batch)])


def onnx_bytes(nodes, inputs, outputs, stored) -> bytes:
    from onnx import helper

    graph = helper.make_graph(nodes, "network", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def write_onnx(model: nn.Sequential, path: str) -> None:
    """An ONNX file of a flat Sequential, node by node without an exporter: convolutions, batch norm, ReLU, pooling."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, stored, last = [], [], "input"
    for i, layer in enumerate(model):
        tensors = {k: v.detach().numpy() for k, v in layer.state_dict().items() if v.dim()}
        stored += [numpy_helper.from_array(v, f"{i}.{k}") for k, v in tensors.items()]
        name = "logits" if i == len(model) - 1 else f"{i}.out"
        order = ["weight", "bias", "running_mean", "running_var"]
        ins = [last, *(f"{i}.{k}" for k in order if k in tensors)]
        options: dict[str, Any] = {}
        if isinstance(layer, nn.Conv2d):
            pads = [int(p) for p in layer.padding] * 2
            kind, kernel = "Conv", list(layer.kernel_size)
            options = {"strides": list(layer.stride), "pads": pads, "kernel_shape": kernel}
        elif isinstance(layer, nn.BatchNorm2d):
            kind, options = "BatchNormalization", {"epsilon": layer.eps}
        elif isinstance(layer, nn.Linear):
            kind, options = "Gemm", {"transB": 1}
        else:
            kind = {nn.ReLU: "Relu", nn.AdaptiveAvgPool2d: "GlobalAveragePool", nn.Flatten: "Flatten"}[type(layer)]
        nodes.append(helper.make_node(kind, ins, [name], **options))
        last = name
    ends = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 1, 28, 28])]
    outs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])]
    Path(path).write_bytes(onnx_bytes(nodes, ends, outs, stored))


def stored_bytes(path: str | Path) -> int:
    """Bytes of a model's file, and of the weights beside it where the format has two files."""
    path = Path(path)
    weights = path.with_suffix(".bin")
    return path.stat().st_size + (weights.stat().st_size if path.suffix == ".xml" else 0)


HEADERS = {"stdint.h", "inttypes.h", "stddef.h"}


def read_c(text: str, name: str) -> tuple[bytes, int]:
    """Bytes and length that C source defines, read by a strict grammar: nothing but the two constants may be in it.

    Raises:
        CheckFailed: anything else is in it, or something is missing.
    """
    what = f"to_c_array for {name!r}"
    require(isinstance(text, str), f"{what}: expected a string, yours a {type(text).__name__}")
    text = text.replace("\r\n", "\n")
    code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    # a backslash, `??/` for it, or a lone carriage return would let the compiler see other comments than we do
    odd = re.search(r"[^\t\n -~]", code) or any(mark in text for mark in ("\\", "??", "\r"))
    require(not odd, f"{what}: only plain characters, without a backslash, are expected in the source")
    directives = [line.strip() for line in code.splitlines() if line.lstrip().startswith("#")]
    included = [m[1] for d in directives if (m := re.fullmatch(r"#\s*include\s*<([\w.]+)>", d))]
    guards = [d for d in directives if re.fullmatch(r"#\s*(ifndef|define)\s+[A-Za-z_]\w*|#\s*endif", d)]
    require(
        len(included) + len(guards) == len(directives) and set(included) <= HEADERS,
        f"{what}: unexpected directive: {directives!s:.100}",
    )
    require(
        bool({"stdint.h", "inttypes.h"} & set(included)),
        f"{what}: the include is missing: uint8_t comes from <stdint.h>",
    )
    body = " ".join(" ".join(line for line in code.splitlines() if not line.lstrip().startswith("#")).split())
    signed = re.search(r"\b((?:un)?signed char|char|int8_t|int)\b", body)
    kind = f"{what}: the array is of type {signed[1] if signed else ''}; use const uint8_t"
    require(not signed, f"{kind}: a (signed) char does not hold 200")
    const = lambda t: rf"(?:const {t}|{t} const)"  # noqa: E731
    array = re.search(rf"{const('uint8_t')} {re.escape(name)} ?\[ ?(\d*) ?\] ?= ?\{{([0-9a-fA-FxXuU, ]*)\}} ?;", body)
    require(array is not None, f"{what}: there is no `const uint8_t {name}[] = {{...}};` with numbers in it")
    assert array is not None
    size = re.search(
        rf"{const('uint32_t')} {re.escape(name)}_len ?= ?(?:(\d+)[uUlL]*|sizeof ?\(? ?{re.escape(name)} ?\)?) ?;", body
    )
    require(size is not None, f"{what}: there is no `const uint32_t {name}_len = ...;`")
    assert size is not None
    rest = body.replace(array[0], "").replace(size[0], "").strip()
    require(not rest, f"{what}: nothing but the two constants is expected, yours also holds {rest!r:.80}")
    values = []
    for token in array[2].rstrip(", ").split(","):
        number = token.strip().rstrip("uU")
        require(
            re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", number) is not None, f"{what}: {token.strip()!r} is not a number"
        )
        base = 16 if number[:2] in ("0x", "0X") else 8 if len(number) > 1 and number[0] == "0" else 10
        octal = f"{what}: in C a leading zero means octal: {number} is not what it looks like"
        require(base != 8 or not set(number) & set("89"), octal)
        values.append(int(number, base))
    require(all(v < 256 for v in values), f"{what}: {max(values)} does not fit into a byte")
    require(
        not array[1] or int(array[1]) == len(values),
        f"{what}: the array says [{array[1]}] and holds {len(values)} numbers",
    )
    return bytes(values), int(size[1]) if size[1] else len(values)


def compiled_bytes(source: str, name: str) -> bytes | None:
    """The bytes of a C array that a compiled program writes out again; None where there is no compiler."""
    import tempfile

    compiler = shutil.which("cc")
    if not compiler:
        return None
    read_c(source, name)
    program = (
        f"#include <stdio.h>\n#include <stdint.h>\nextern const uint8_t {name}[];\nextern const uint32_t {name}_len;\n"
    )
    program += f"int main(void) {{ return fwrite({name}, 1, {name}_len, stdout) != {name}_len; }}\n"
    with tempfile.TemporaryDirectory() as folder:
        files = {Path(folder, "array.c"): source, Path(folder, "main.c"): program}
        for path, text in files.items():
            path.write_text(text)
        binary = Path(folder, "main")
        subprocess.run(
            [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", *map(str, files), "-o", str(binary)], check=True
        )
        return subprocess.run([str(binary)], capture_output=True, check=True).stdout
