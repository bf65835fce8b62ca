"""What the test cells of lesson 09 call: models from plain data, files looked into, servers talked to, mistakes."""

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from math import isnan
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from lesson09 import logits_of, onnx_bytes, read_c, session
from torch import Tensor

from bonsai.testing import CheckFailed, expect, require


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
    return session(onnx_bytes([node], ends[:1], ends[1:], [stored]))


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


def _names(text: str, value: float) -> bool:
    """Whether a sentence names a value, to 1 %."""
    if isnan(value):
        return "nan" in text.lower()
    numbers = [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]
    return any(abs(n - value) <= 0.01 * abs(value) + 1e-9 for n in numbers)


def check_sla(meets_sla: Callable, stats: dict, limits: dict, broken: list[str]) -> None:
    """The sentences: one for each broken limit, with key, value and limit in it."""
    what = f"limits {limits}"
    try:
        got = meets_sla(dict(stats), dict(limits))
    except (KeyError, ValueError) as error:
        if not any(prefix in name[4:] for name in limits for prefix in ("max_", "min_")):
            raise
        front = "a key may contain max_ or min_: take the prefix off at the front only"
        raise CheckFailed(f"{what}: yours raised {type(error).__name__}: {error!s:.80}; {front}") from None
    require(
        isinstance(got, (list, tuple)) and all(isinstance(s, str) for s in got),
        f"{what}: expected a list of sentences, yours {got!r:.100}",
    )
    for name in broken:
        key = name.split("_", 1)[1]
        about = [s for s in got if key in s]
        nan = f"{key} is nan, which keeps no limit: a comparison with nan is false, so ask for not value <= limit"
        require(bool(about) or not isnan(stats[key]), f"{what}: {nan}\n  yours {list(got)!s:.200}")
        require(bool(about), f"{what}: no sentence names {key}, which is {stats[key]}\n  yours {list(got)!s:.200}")
        found = [s for s in about if all(_names(s.replace(key, ""), v) for v in (stats[key], limits[name]))]
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
    empty = "; the empty ones: an old clock fired, so stop it when its batch leaves" if [] in wrong else ""
    require(not wrong, f"{what}: run should get lists of 1 to {size} items, yours got {wrong!s:.120}{empty}")
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


def check_beside(beside: Callable, items: list[int], size: int) -> None:
    """While `run` is at work, in a full batch or in one that the clock sends, the event loop goes on."""
    what = f"{len(items)} items at once, batches of up to {size}, a coroutine beside them"
    said = beside(items, size)
    stands = "run blocks the event loop: no other coroutine makes a step before it comes back"
    require(all(said["went on"]), f"{what}: {stands}; give it a thread (asyncio.to_thread)")
    results = [10 * x for x in items]
    require(said["results"] == results, f"{what}: expected {results}, yours {said['results']!s:.100}")
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
            f"{message}is it counted, under a name with {name.rstrip('s')!r} in it, or in another registry?",
        )
    print("✓ metrics: requests, errors and latency")


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

# Wrong results of the visible tests, and what each says of the answer

MEAN = "This is a mean: one logit that is far off would hide in it. Take the largest."
WINNER = "This looks at the winning class (argmax) only; the logits themselves may have moved."
SIGNED = "Take absolute differences before the maximum: a logit may be too small as well as too large."
NORM = "This is a norm, in which the differences of several logits add up; take the largest of them."
PARITY_MISTAKES = {
    MEAN: (
        [0.0, 0.25, 1 / 6, ...],
        [0.0, 1.25 / 6, 0.5 / 6, ...],
        [0.0, (1.25 / 6) ** 0.5, (0.5 / 6) ** 0.5, ...],
    ),
    WINNER: ([0.0, 0.0, 0.0, ...], [1.0, 1.0, 1.0, ...]),
    SIGNED: ([0.0, 0.5, 0.0, ...], [0.0, 1.0, 0.5, ...]),
    NORM: ([0.0, 1.25**0.5, 0.5**0.5, 0.625], [0.0, 1.0, 0.5, 0.625]),
}

SUM = "This is a sum over layers; buffers of finished layers are free again, so the largest layer counts."
ONLY = "Only outputs were counted; the input must exist as well while the layer runs."
TWICE = "Flatten, Dropout and inplace children reuse their input: count it once."
NO_BATCH = "The batch is part of input_shape and counts."
UNITS = "An activation takes bits / 8 bytes."
PEAK_MISTAKES = {
    SUM: [14 + 8 + 10, 64 + 512 + 512 + 640 + 128 + 138, 192 + 192 + 198, 2 * 4 * 32],
    ONLY: [6, 512, 192, 48],
    TWICE: [..., 1024, 384, ...],
    NO_BATCH: [14, 640, 66, 28],
    UNITS: [14, 640, 198, 56],
}
