"""Carry out the capstone's eight briefs once each, and write what came of them to data/lesson11.json.

    python data/make_briefs11.py [text] [NUMBER ...]

The part `text` measures every technique on the text model, for the lesson's table and for briefs 1 and 2. Brief 3 uses
the networks of `data/make_lesson11.py good size`, brief 7 those of its part micro; run them first. What is trained is
kept in the scratch folder of that script, and a brief that was carried out is not carried out again unless it is named.
Times are CPU seconds, candidates and baseline in turns; images are the official test images in the mirror, sentences
those of the test split. Nothing here was chosen by them.
"""

import ast
import base64
import copy
import functools
import itertools
import json
import linecache
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jupytext
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from make_lesson11 import CODE, RESULTS, SCRATCH, SEEDS, Unfinished, changed, int8_file, lesson11, paused
from make_lesson11 import names as capstone
from torch import Tensor

from autograder.source import LESSONS, find_source
from bonsai import data, measure, models, train

for lesson in ("08_llm_compression", "09_deployment", "10_architecture_search"):
    sys.path.insert(0, str(LESSONS / lesson))
import lesson08  # noqa: E402
import lesson09  # noqa: E402
import lesson10  # noqa: E402
import onnx11  # noqa: E402
import served09  # noqa: E402
import text09  # noqa: E402
from checks11 import compared, held_back, recall  # noqa: E402

ROUNDS = 30  # of a race
SHIRT = 6


@functools.cache
def answers(number: str) -> dict[str, Any]:
    """The imports and the exercises' answers of a lesson's solution; their source can be looked up."""
    found: dict[str, Any] = {"__name__": f"answers{number}"}
    sys.path.insert(0, str(LESSONS / find_source(number).stem))
    for i, cell in enumerate(jupytext.reads(find_source(number).read_text(encoding="utf-8"), fmt="py:percent").cells):
        source = cell.source
        if cell.cell_type == "code" and cell.metadata.get("title") == "setup":
            tree = ast.parse(source)
            tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            source = ast.unparse(tree)
        elif cell.cell_type != "code" or "exercise" not in cell.metadata:
            continue
        name = f"<answer {number} {i}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), found)
    return found


def quartiles(seconds: dict[str, list[float]], baseline: str, name: str) -> list[float]:
    """How many times as fast as the baseline: quartiles over the rounds."""
    return [round(v, 2) for v in lesson11.ratio_quartiles(seconds, baseline, name)]


def listed(values: Iterable[float], form: str = "+.2f") -> str:
    """Numbers in a sentence."""
    return ", ".join(format(value, form) for value in values)


def best_of(rows: dict[Any, dict]) -> str:
    """The best level of all candidates."""
    return max((row["level"] for row in rows.values()), key=("none", "pass", "good", "excellent").index)


def level(marks: list[bool]) -> str:
    """The best level of which all conditions hold, from a truth value for pass, good and excellent."""
    return next((name for name, holds in zip(("excellent", "good", "pass"), marks[::-1], strict=True) if holds), "none")


# 1 and 2: the text model ---------------------------------------------------------------------------------------------

KEPT_LAYERS, FROZEN_LAYERS, WORDS, TEXT_STEPS, TEXT_BATCH, TEXT_RATE = 4, 2, 8_000, 120, 32, 2e-4
TEXT_FILE = SCRATCH / "text0.pt"


class FewerWords(nn.Module):
    """A table of the most frequent tokens; all others are read as [UNK]."""

    def __init__(self, table: nn.Embedding, kept: list[int], unknown: int):
        super().__init__()
        place = torch.full((len(table.weight),), kept.index(unknown), dtype=torch.int64)
        place[kept] = torch.arange(len(kept))
        self.register_buffer("place", place.int())
        self.weight = nn.Parameter(table.weight[kept].clone(), requires_grad=False)
        self.place: Tensor

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(self.place[ids].long(), self.weight)


def with_fewer_words() -> Any:
    """MiniLM with the 8,000 tokens that are most frequent in the training sentences."""
    model: Any = text09.load_sentiment_model()
    tokenizer = text09.load_tokenizer()
    counted = Counter(i for coded in tokenizer.encode_batch(data.load_snippets("train")[0]) for i in coded.ids)
    special = [tokenizer.token_to_id(t) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")]
    kept = [*special, *(i for i, _ in counted.most_common() if i not in special)][:WORDS]
    embeddings = model.encoder.embeddings
    embeddings.word_embeddings = FewerWords(embeddings.word_embeddings, kept, special[1])
    return model.eval()


def with_fewer_layers() -> Any:
    """MiniLM with the first four of its six layers, of which the last two, and the head, are trained with the labels.

    Sentences of similar length share a batch.
    """
    model: Any = text09.load_sentiment_model()
    layers, tokenizer = model.encoder.encoder.layer, text09.load_tokenizer()
    model.encoder.encoder.layer = nn.ModuleList([layers[i] for i in range(KEPT_LAYERS)])
    if not TEXT_FILE.exists():
        torch.manual_seed(0)
        texts, labels = data.load_snippets("train")
        trained = [*model.encoder.encoder.layer[FROZEN_LAYERS:].parameters(), *model.head.parameters()]
        for p in trained:
            p.requires_grad_(True)
        optimizer = torch.optim.AdamW(trained, lr=TEXT_RATE, weight_decay=0.01)
        by_length = torch.tensor(sorted(range(len(texts)), key=lambda i: len(texts[i])))
        batches = by_length.split(TEXT_BATCH)
        order = torch.randperm(len(batches), generator=torch.Generator().manual_seed(0)).tolist()
        model.train()
        for step in range(TEXT_STEPS):
            chosen = batches[order[step]].tolist()
            feed = text09.encode(tokenizer, [texts[i] for i in chosen])
            optimizer.param_groups[0]["lr"] = TEXT_RATE * min((step + 1) / 15, (TEXT_STEPS - step) / (TEXT_STEPS - 15))
            logits = model(torch.from_numpy(feed["ids"]), torch.from_numpy(feed["mask"]))
            loss = F.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 10 == 0:
                print(f"text, step {step}: loss {loss.item():.3f}, {time.process_time():.0f} s", flush=True)
        torch.save(model.state_dict(), TEXT_FILE)
    model.load_state_dict(torch.load(TEXT_FILE))
    return model.requires_grad_(False).eval()


def half_precision(blob: bytes) -> bytes:
    """An ONNX file whose large weights are stored in float16 and cast when they are read."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(blob)
    for stored in [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and math.prod(t.dims) > 64]:
        name = stored.name
        stored.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float16), f"{name}.half"))
        model.graph.node.insert(0, helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    return model.SerializeToString()


def int8_text(blob: bytes, operators: list[str] | None = None) -> bytes:
    """Dynamic int8 of an ONNX file, as lesson 09 makes it; of some kinds of operators alone if they are named."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(blob)
        kind: dict[str, Any] = {"weight_type": QuantType.QInt8, "reduce_range": True, "op_types_to_quantize": operators}
        quantize_dynamic(before, after, per_channel=True, **kind)
        return after.read_bytes()


def int4_text(blob: bytes) -> bytes:
    """Weights of the products as four-bit codes in groups of 32, computed in float32, and the words in int8."""
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    settings = nbits.DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=1, bits=4)
    made = nbits.MatMulNBitsQuantizer(onnx.load_model_from_string(int8_text(blob, ["Gather"])), algo_config=settings)
    made.process()
    return made.model.model.SerializeToString()


def text_whole() -> bytes:
    """The ONNX file of the text model in FP32, kept in the scratch folder."""
    kept = SCRATCH / "text.onnx"
    if not kept.exists():
        kept.write_bytes(text09.text_onnx(text09.load_sentiment_model()))
    return kept.read_bytes()


def text_shallow() -> bytes:
    """The ONNX file of the text model with fewer layers."""
    return text09.text_onnx(with_fewer_layers())


# row -> lesson, what it needs, steps of training, and what makes its ONNX file
TEXT_ROWS: dict[str, tuple[str, str, int, Callable[[], bytes]]] = {
    "FP32": ("00", "", 0, text_whole),
    "FP16 weights": ("01", "nothing", 0, lambda: half_precision(text_whole())),
    "int8, dynamic": ("09", "nothing", 0, lambda: int8_text(text_whole())),
    "int4 weights, groups of 32; words in int8": ("08", "nothing", 0, lambda: int4_text(text_whole())),
    f"{WORDS:,} words, int8": (
        *("09", "sentences without labels", 0),
        lambda: int8_text(text09.text_onnx(with_fewer_words())),
    ),
    f"{KEPT_LAYERS} of 6 layers, tuned": ("04", "labels", TEXT_STEPS, text_shallow),
    f"{KEPT_LAYERS} of 6 layers, tuned, int8": ("09", "labels", TEXT_STEPS, lambda: int8_text(text_shallow())),
}


def text_row(name: str) -> dict:
    """One technique on MiniLM: bytes, change of accuracy on the test sentences, and speed.

    Speed is that of 1 and of 32 sentences of 16 tokens in ONNX Runtime, in turns with FP32.
    """
    lesson09.be_quiet()
    tokenizer, (texts, right) = text09.load_tokenizer(), data.load_snippets("test")
    *about, make = TEXT_ROWS[name]
    blob, kept = make(), SCRATCH / "text_answers.pt"
    sessions = {"FP32": lesson09.session(text_whole()), name: lesson09.session(blob)}
    if not kept.exists():
        torch.save(text09.text_logits(sessions["FP32"], tokenizer, texts).argmax(1), kept)
    baseline = torch.load(kept)
    given = baseline if name == "FP32" else text09.text_logits(sessions[name], tokenizer, texts).argmax(1)
    row: dict = dict(zip(("lesson", "needs", "steps"), about, strict=True)) | {"bytes": len(blob)}
    row["accuracy"] = round(100 * (given == right).double().mean().item(), 2)
    row["change"], row["error"] = changed(given, baseline, right)
    ids = torch.randint(1000, 20000, (32, 16), generator=torch.Generator().manual_seed(0)).numpy()
    for batch in (1, 32):
        feed = {"ids": ids[:batch], "mask": np.ones((batch, 16), dtype=np.int64)}
        seconds = onnx11.in_turns({n: functools.partial(run.run, None, feed) for n, run in sessions.items()}, 20)
        row[f"speed {batch}"] = quartiles(seconds, "FP32", name)
        row[f"ms {batch}"] = round(1000 * statistics.median(seconds[name]), 2)
        row[f"FP32 ms {batch}"] = round(1000 * statistics.median(seconds["FP32"]), 2)
    return row


def make_text() -> None:
    """The rows of the text model's table that are not recorded yet, one after the other."""
    for name in TEXT_ROWS:
        made = json.loads(RESULTS.read_text())
        table = made.setdefault("text", {"sentences": len(data.load_snippets("test")[0]), "rows": {}})
        table["int8 kernels"] = lesson11.int8_kernels()
        if name not in table["rows"]:
            row = text_row(name)
            print(name, row, flush=True)
            made = json.loads(RESULTS.read_text())
            rows = made.setdefault("text", table)["rows"] | {name: row}
            made["text"]["rows"] = {n: rows[n] for n in TEXT_ROWS if n in rows}
            RESULTS.write_text(json.dumps(made, indent=1) + "\n")


def text_rows() -> dict[str, dict]:
    """What the part `text` has recorded."""
    return json.loads(RESULTS.read_text())["text"]["rows"]


def brief_1() -> dict:
    """A text model for a phone: the rows of the text model's table that are fast and exact enough."""
    rows = {}
    for name, row in text_rows().items():
        holds = row["change"] >= -2 and row["speed 1"][1] >= 1.5
        reached = level([holds and row["bytes"] <= limit for limit in (23.5e6, 17e6, 9e6)])
        rows[name] = {key: row[key] for key in ("bytes", "change", "error", "speed 1")} | {"level": reached}
    said = "; ".join(
        f"{name}: {row['bytes'] / 1e6:.1f} MB, {row['change']:+.1f} ± {row['error']:.1f} points, "
        f"{row['speed 1'][1]:.1f} times as fast ({row['level']})"
        for name, row in rows.items()
        if "int8" in name
    )
    return {"rows": rows, "level": best_of(rows), "seeds": [0], "said": said}


def brief_2() -> dict:
    """Dollars and kilowatt-hours a million sentences at batch 32, from the times of the text model's table."""
    rows, serving_cost = text_rows(), answers("00")["serving_cost"]
    watts, rent, use = 15.0, 0.05, 0.6
    whole = rows["FP32"]["ms 32"]  # each row was timed in turns with FP32: its time here is FP32's over its ratio
    costs = {n: serving_cost(whole / row["speed 32"][1], 32, use, watts, rent, 1e6) for n, row in rows.items()}
    table: dict[str, dict] = {}
    for name, row in rows.items():
        cheaper = row["speed 32"]
        holds = [row["change"] >= -2 and cheaper[0] >= least for least in (2, 4, 8)]
        table[name] = {key: round(value, 4) for key, value in costs[name].items()}
        table[name] |= {"cheaper": cheaper, "change": row["change"], "error": row["error"], "level": level(holds)}
    usd = next(key for key in costs["FP32"] if "usd" in key)
    kwh = next(key for key in costs["FP32"] if "kwh" in key)
    said = "; ".join(
        f"{name}: {row[usd]:.3f} USD, {row[kwh]:.3f} kWh, {row['cheaper'][1]:.1f} times cheaper "
        f"({row['cheaper'][0]:.1f}–{row['cheaper'][2]:.1f}), {row['change']:+.1f} ± {row['error']:.1f} points "
        f"({row['level']})"
        for name, row in table.items()
        if name == "FP32" or "int8" in name or "layers" in name
    )
    note = f"; assumed: {watts:g} W and {rent:g} USD an hour for a core, {100 * use:.0f} % busy"
    return {"rows": table, "level": best_of(table), "seeds": [0], "said": said + note}


# 3: a camera that must not miss a shirt ------------------------------------------------------------------------------


def brief_3() -> dict:
    """The size track's recipes of two lessons and of the whole course: bytes, recall of the shirt, time."""
    images, labels = held_back()
    baseline = lesson11.answers_of(models.load("resnet8"), images)
    before, whole = recall(baseline, labels), lesson11.TRACKS["size"][0]
    rows: dict[str, dict] = {}
    files = {"FP32": lesson11.onnx_of(models.load("resnet8"))}
    for name, stem in (("two lessons", "good"), ("the whole course", "size")):
        rows[name] = {"seeds": [], "bytes": [], "change": [], "error": [], "shirt": [], "recall": []}
        for seed in (seed for seed in SEEDS if (SCRATCH / f"{stem}{seed}.bin").exists()):
            blob = (SCRATCH / f"{stem}{seed}.bin").read_bytes()
            net = lesson11.build(capstone["decompress"](blob))
            given = lesson11.answers_of(net, images)
            change, error = changed(given, baseline, labels)
            classes = [round(v, 1) for v in recall(given, labels)]
            found = {"seeds": seed, "bytes": len(blob) + CODE, "change": change, "error": error}
            found |= {"shirt": round(classes[SHIRT] - before[SHIRT], 1), "recall": classes}
            for key, value in found.items():
                rows[name][key].append(value)
            files.setdefault(name, lesson11.onnx_of(net))
            files.setdefault(f"{name}, int8", int8_file(net))
    seconds = lesson11.race(files, images[:64], ROUNDS)
    for name, row in rows.items():
        speeds = [quartiles(seconds, "FP32", kind) for kind in (name, f"{name}, int8")]
        row["speed"] = max(speeds, key=lambda q: q[1])
        row["ratio"] = round(whole / max(row["bytes"]), 1)
        kept = min(row["change"]) >= -lesson11.FLOORS["size"] and min(row["shirt"]) >= -lesson11.WORST_CLASS
        kept = kept and (row["speed"][1] >= 2.5 or not lesson11.int8_kernels())
        row["level"] = level([kept and row["ratio"] >= least for least in (20, 40, 80)])
    said = "; ".join(
        f"{name}: {row['ratio']:.0f} times smaller, mean {listed(row['change'])} points, shirt "
        f"{listed(row['shirt'], '+.1f')} (seeds {listed(row['seeds'], 'd')}), {row['speed'][1]:.1f} times as fast "
        f"({row['speed'][0]:.1f}–{row['speed'][2]:.1f}) ({row['level']})"
        for name, row in rows.items()
    )
    said += f"; on a processor {'with' if lesson11.int8_kernels() else 'without'} int8 products"
    return {"rows": rows, "before": [round(v, 1) for v in before], "level": best_of(rows), "said": said}


# 4: a language model on one card -------------------------------------------------------------------------------------

Packed = tuple[bytes, Tensor]


def packed(w: Tensor, w_hat: Tensor, bits: int, group: int) -> Packed:
    """A rounded matrix as codes of so many bits with one float16 scale a group; and what is read back from that."""
    q = 2 ** (bits - 1) - 1
    scales, codes = [], []
    for part, rounded in zip(w.split(group, 1), w_hat.split(group, 1), strict=True):
        # GPTQ's and RTN's scale is a multiple of no code in particular: the largest code it used tells it back
        step = step_of(rounded, part, q).half().float()
        scales.append(step)
        codes.append((rounded / step).round().clamp(-q, q))
    code = torch.cat(codes, 1)
    number = (code.to(torch.int16) + q).numpy().astype(np.uint8).reshape(-1, 1)
    blob = np.packbits(np.unpackbits(number, axis=1)[:, 8 - bits :].ravel()).tobytes()
    blob += torch.cat(scales, 1).half().numpy().tobytes()
    bits_read = np.unpackbits(np.frombuffer(blob, np.uint8), count=bits * w.numel()).reshape(-1, bits)
    number = bits_read @ (2 ** np.arange(bits)[::-1])
    read = torch.tensor(number - q).float().reshape(w.shape)
    stored = torch.from_numpy(np.frombuffer(blob, np.float16, offset=len(blob) - 2 * len(scales) * len(w)).copy())
    step = stored.float().reshape(len(w), -1)
    return blob, read * step.repeat_interleave(group, 1)[:, : w.shape[1]]


def step_of(rounded: Tensor, part: Tensor, q: int) -> Tensor:
    """The step between the values of each row of a rounded group; where nothing is left, the group's own."""
    own = part.abs().amax(1, keepdim=True).clamp(min=1e-8) / q
    steps = torch.stack([rounded.abs().amax(1, keepdim=True) / k for k in range(1, q + 1)])
    off = ((rounded / steps.clamp(min=1e-8)).round() * steps - rounded).abs().amax(2, keepdim=True)
    good = off <= 1e-4 * rounded.abs().amax(1, keepdim=True).clamp(min=1e-8)
    first = good.float().argmax(0, keepdim=True)  # the largest step on whose multiples all values lie
    return torch.where(rounded.abs().amax(1, keepdim=True) > 0, steps.gather(0, first)[0], own)


def small_language_model(bits: int, group: int) -> tuple[nn.Module, int]:
    """Lesson 08's model with all matrices in so many bits, by GPTQ (the table of words by rounding); file's bytes."""
    model, given = models.load("small_decoder"), answers("08")
    seen = lesson08.inputs(model, lesson08.calibration())
    made, size = copy.deepcopy(model), 0
    layers = lesson08.linears(made)
    for name, layer in layers.items():
        w = layer.weight.detach().clone()
        blob, read = packed(w, given["gptq"](w, given["hessian"](seen[name]), bits, group), bits, group)
        layer.weight.data.copy_(read)
        size += len(blob)
    inside = {id(layer.weight) for layer in layers.values()}
    for p in made.parameters():
        if id(p) in inside:
            continue
        if p.dim() == 2:
            blob, read = packed(p.detach(), given["rtn"](p.detach(), bits, group), bits, group)
            p.data.copy_(read)
            size += len(blob)
        else:
            p.data.copy_(p.detach().half().float())
            size += 2 * p.numel()
    return made, size


def brief_4() -> dict:
    """Bits a weight, all in, and the perplexity of the held-back chapters; weights and cache at 2,048 tokens."""
    model: Any = models.load("small_decoder")
    windows = lesson08.windows("test", 48)
    count = sum(p.numel() for p in model.parameters())
    base, rows = lesson08.losses(model, windows), {}
    attention = model.layers[0].attention
    shape = (len(model.layers), attention.kv_heads, attention.k.out_features // attention.kv_heads)
    for name, bits, group in (("pass", 4, 128), ("good", 3, 128), ("excellent", 2, 64)):
        made, size = small_language_model(bits, group)
        rise = lesson08.losses(made, windows) - base
        cache = answers("08")["memory_gb"](count, 8 * size / count, 0, *shape, 2048, 1, 4)
        rows[name] = {"bits": bits, "group": group, "bytes": size, "bits a weight": round(8 * size / count, 3)}
        rows[name] |= {"perplexity ratio": round(math.exp(rise.mean().item()), 3)}
        rows[name] |= {"error": round((rise.std() / len(rise) ** 0.5).item(), 3)}
        rows[name] |= {"MB": round(1000 * cache["total"], 3)}
    before = answers("08")["memory_gb"](count, 32, 0, *shape, 2048, 1, 32)["total"]
    limits = {"pass": (4.25, 1.05), "good": (3.25, 1.10), "excellent": (2.5, 1.25)}
    holds = [
        any(r["bits a weight"] <= most and r["perplexity ratio"] <= worse for r in rows.values())
        for most, worse in limits.values()
    ]
    said = "; ".join(
        f"{r['bits a weight']:.2f} bits a weight: perplexity × {r['perplexity ratio']:.3f} ± {r['error']:.3f}, "
        f"{r['MB']:.2f} MB with a 4-bit cache"
        for r in rows.values()
    )
    said += f"; FP32 with its cache: {1000 * before:.1f} MB ({level(holds)}; calibration is the shipped one, no seeds)"
    return {"rows": rows, "before MB": round(1000 * before, 2), "level": level(holds), "seeds": [], "said": said}


# 5: four tasks in one process ----------------------------------------------------------------------------------------

# task -> the class of each of the ten garments, -1 where the task has nothing to say
TASKS = {
    "ten classes": list(range(10)),
    "shoe, bag or garment": [2, 2, 2, 2, 2, 0, 2, 0, 1, 0],
    "long sleeves or none": [1, 1, 0, 1, 0, -1, 0, -1, -1, -1],
    "top, bottom or whole": [0, 1, 0, 2, 0, -1, 0, -1, -1, -1],
}


def of_task(task: str, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The images that a task is about, with its labels."""
    wanted = torch.tensor(TASKS[task])[labels]
    return images[wanted >= 0], wanted[wanted >= 0]


@torch.no_grad()
def features(net: nn.Module, images: Tensor) -> Tensor:
    """What a residual net gives its classifier."""
    body = copy.deepcopy(net)
    body.fc = nn.Identity()
    return torch.cat([body(x) for x in images.split(500)])


def with_four_heads(trunk: Any, count: int = 10_000) -> Any:
    """A trunk whose classifier holds four heads, one below the other, the three new ones fitted to its features."""
    x, y = data.load("train")
    known, labels = features(trunk, x[:count]), y[:count]
    heads: list[nn.Linear] = [trunk.fc]
    for task in list(TASKS)[1:]:
        head = nn.Linear(known.shape[1], max(TASKS[task]) + 1)
        nn.init.zeros_(head.weight)
        inputs, wanted = of_task(task, known, labels)
        optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

        def loss(head=head, optimizer=optimizer, inputs=inputs, wanted=wanted) -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(head(inputs), wanted) + 1e-4 * head.weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        heads.append(head)
    net = copy.deepcopy(trunk)
    net.fc = nn.Linear(known.shape[1], sum(len(h.bias) for h in heads))
    net.fc.weight.data = torch.cat([h.weight.detach() for h in heads])
    net.fc.bias.data = torch.cat([h.bias.detach() for h in heads])
    return net.eval()


def brief_5() -> dict:
    """One trunk and four heads beside four resnet8 in FP32, each with a head fitted to its own task.

    The trunk is resnet8 in FP16, resnet8 rounded and coded, or the size entry.
    """
    images, labels = held_back()
    entry = (SCRATCH / f"size{SEEDS[0]}.bin").read_bytes()
    whole = models.load("resnet8")
    small = lesson11.build(capstone["decompress"](entry))
    live = capstone["compress"](whole, data.load("train"))
    coded = lesson11.build(capstone["decompress"](live))
    trunks = {"resnet8 in FP16": copy.deepcopy(whole).half().float(), "resnet8, coded": coded, "size entry": small}
    own = with_four_heads(whole)
    shared = {name: with_four_heads(trunk) for name, trunk in trunks.items()}
    sizes = {"resnet8 in FP16": measure.size_bytes(copy.deepcopy(shared["resnet8 in FP16"]).half())}
    for name, blob in (("resnet8, coded", live), ("size entry", entry)):
        sizes[name] = len(blob) + CODE + 2 * (shared[name].fc.weight.numel() + shared[name].fc.bias.numel())
    four = 4 * measure.size_bytes(whole)
    files = {"one resnet8": lesson11.onnx_of(whole)} | {n: lesson11.onnx_of(net) for n, net in shared.items()}
    seconds = lesson11.race(files, images[:64], ROUNDS)
    logits = {name: lesson11.logits_of(lesson11.session(files[name]), images) for name in shared}
    theirs = lesson11.logits_of(lesson11.session(lesson11.onnx_of(own)), images)
    rows: dict[str, dict] = {name: {"changes": {}} for name in shared}
    for number, task in enumerate(TASKS):
        start = sum(max(TASKS[t]) + 1 for t in list(TASKS)[:number])
        outputs = slice(start, start + max(TASKS[task]) + 1)
        before, wanted = of_task(task, theirs[:, outputs].argmax(1), labels)
        for name in shared:
            given, _ = of_task(task, logits[name][:, outputs].argmax(1), labels)
            rows[name]["changes"][task] = changed(given, before, wanted)
    for name, row in rows.items():
        row |= {"bytes": sizes[name], "ratio": round(four / sizes[name], 1)}
        row["time"] = round(1 / quartiles(seconds, "one resnet8", name)[1], 2)
        row["worst"] = min(row["changes"].values())
        good = row["worst"][0] >= -1 and row["time"] <= 1.15
        row["level"] = level([good and row["ratio"] >= least for least in (4, 16, 60)])
    said = "; ".join(
        f"{name}, four heads: 1/{row['ratio']:.0f} of four files, worst task {row['worst'][0]:+.2f} ± "
        f"{row['worst'][1]:.2f} points, {row['time']:.2f} times the time of one resnet8 ({row['level']})"
        for name, row in rows.items()
    )
    return {"rows": rows, "level": best_of(rows), "seeds": [SEEDS[0]], "said": said}


# 6: a service level --------------------------------------------------------------------------------------------------


def served(run: Callable[[Tensor], Tensor]) -> Callable[[list[str]], list[tuple[str, float]]]:
    """A function for lesson 09's server: a text is 64 images of bytes as base64, the label is their 64 classes."""

    def predict(texts: list[str]) -> list[tuple[str, float]]:
        answer = []
        for text in texts:
            pixels = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.float32).reshape(-1, 1, 28, 28)
            best = run((torch.from_numpy(pixels) / 255 - data.MEAN) / data.STD).softmax(1).max(1)
            answer.append((" ".join(map(str, best.indices.tolist())), best.values.mean().item()))
        return answer

    return predict


def brief_6(requests: int = 120, clients: int = 4, runs: int = 3) -> dict:
    """p99 of lesson 09's server with 64 images a request: torch FP32 beside two files of ONNX Runtime, in turns."""
    given, (images, labels) = answers("09"), held_back()
    model = models.load("resnet8")
    small = lesson11.build(capstone["decompress"]((SCRATCH / f"size{SEEDS[0]}.bin").read_bytes()))
    files = {"resnet8, FP32, ONNX Runtime": lesson11.onnx_of(model), "size entry, int8": int8_file(small)}

    def in_torch(x: Tensor) -> Tensor:
        with torch.no_grad():
            return model(x)

    torch.set_num_threads(1)
    runners: dict[str, Callable[[Tensor], Tensor]] = {"resnet8, FP32, torch": in_torch}
    for name, blob in files.items():
        runners[name] = functools.partial(lesson11.logits_of, lesson11.session(blob))
    pixels = ((images * data.STD + data.MEAN) * 255).round().clamp(0, 255).to(torch.uint8)
    texts = [base64.b64encode(x.numpy().tobytes()).decode() for x in pixels[:640].split(64)]
    stats: dict[str, list[dict]] = {name: [] for name in runners}
    with served09.load_from_outside(given["percentiles_under_load"]) as load:
        for _, (name, run) in itertools.product(range(runs), runners.items()):
            with served09.serve(given["create_app"](served(run), 100_000)) as url:
                load(url, texts, clients, 8)
                stats[name].append(load(url, texts, clients, requests))
    baseline = lesson11.answers_of(model, images)
    rows: dict[str, dict] = {}
    for name, run in runners.items():
        change, error = changed(run(images).argmax(1), baseline, labels)
        before = [s["p99_ms"] for s in stats["resnet8, FP32, torch"]]
        rows[name] = {key: [round(s[key], 1) for s in stats[name]] for key in ("p50_ms", "p99_ms")}
        rows[name]["ratios"] = [round(b / s["p99_ms"], 2) for b, s in zip(before, stats[name], strict=True)]
        rows[name]["errors"] = sum(s["errors"] for s in stats[name])
        rows[name] |= {"change": change, "error": error}
        kept = []
        for least in (2, 4, 7.5):
            limits = [{"max_p99_ms": p99 / least, "max_errors": 0} for p99 in before]
            broken = [given["meets_sla"](s, limit) for s, limit in zip(stats[name], limits, strict=True)]
            kept.append(change >= -1 and not any(broken))
        rows[name]["level"] = level(kept)
    said = "; ".join(
        f"{name}: p99 {listed(row['p99_ms'], '.0f')} ms, {row['change']:+.2f} points ({row['level']})"
        for name, row in rows.items()
    )
    return {"rows": rows, "requests": requests, "level": best_of(rows), "seeds": [SEEDS[0]], "said": said}


# 7: a microcontroller ------------------------------------------------------------------------------------------------


def brief_7() -> dict:
    """The microcontroller's networks as C arrays that a compiler takes."""
    given, rows = answers("09"), {}
    for seed in SEEDS:
        blob = (SCRATCH / f"micro{seed}.bin").read_bytes()
        found = lesson11.check_container(blob)
        lost = compared(lesson11.build(found["state"]), "small_cnn", True)
        back = lesson09.compiled_bytes(given["to_c_array"](blob, "network"), "network")
        rows[seed] = {key: found[key] for key in ("flash", "ram")} | {"metric": round(found["metric"], 3)}
        rows[seed] |= {"change": round(-lost["drop"], 2), "error": round(lost["drop_error"], 2), "bytes": len(blob)}
        rows[seed]["compiled"] = "no compiler" if back is None else back == blob
    levels = lesson11.TRACKS["micro"][1]
    good = all(r["change"] >= -lesson11.FLOORS["micro"] and r["compiled"] is True for r in rows.values())
    worst = max(r["metric"] for r in rows.values())
    first = rows[SEEDS[0]]
    said = (
        f"{first['flash']:,} bytes of flash and {first['ram']:,} of memory; "
        f"{listed(r['change'] for r in rows.values())} points (standard error {first['error']:.2f}) beside small_cnn "
        f"(seeds {listed(rows, 'd')}); the C array compiles without warnings and gives the same bytes back "
        f"({level([good and worst <= limit for limit in levels])})"
    )
    done = level([good and worst <= limit for limit in levels])
    return {"rows": rows, "level": done, "seeds": list(rows), "said": said}


# 8: search and compression -------------------------------------------------------------------------------------------

EPOCHS, POOL = 2, 40_000
CORNER = (math.log2(64 << 10), 15.0)  # of the hypervolume: log2 of the flash, error in percent
UNIFORM = ("1/2 wide, kernel 3", "3/4 wide, kernel 3")
FLASHES = (16 << 10, 32 << 10)


def searched(seed: int) -> list[list]:
    """One architecture for each flash budget: aging evolution over the inherited, recalibrated accuracy."""
    import random

    given, (x, y) = answers("10"), data.load("validation")
    supernet = lesson10.load_supernet(given["ElasticConv2d"], given["ElasticBatchNorm2d"])
    images, labels = data.load("train")
    batches = [(images[:250], labels[:250]), (images[250:500], labels[250:500])]

    @functools.cache
    def score(text: str) -> float:
        net = supernet.cut(json.loads(text))
        given["recalibrate"](net, batches)
        with torch.no_grad():
            return -F.cross_entropy(net.eval()(x[:1000]), y[:1000]).item()

    def flash(arch: list) -> int:
        return lesson11.chain_memory(lesson10.build(arch, lesson10.SPACE))[0]

    found = []
    for budget in FLASHES:
        rng = random.Random(seed)
        start: list = []
        while len(start) < 8:
            arch = lesson10.random_architecture(lesson10.SPACE, rng)
            start += [arch] if flash(arch) <= budget else []
        (best, _), _ = given["evolve"](
            start,
            lambda a, rng=rng: given["mutate"](a, lesson10.SPACE, rng),
            lambda a: score(json.dumps(a)),
            lambda a, budget=budget: flash(a) <= budget,
            16,
            4,
            rng,
        )
        found.append(json.loads(json.dumps(best)))
    return found


def in_int8(arch: list, seed: int, taught: bool, name: str) -> tuple[float, float]:
    """(log2 of the flash, error in percent on the images held back) of an architecture trained and made int8."""
    torch.manual_seed(seed)
    net = lesson10.build(arch, lesson10.SPACE)
    images, labels = data.load("train")
    if taught:
        paused(net, round(EPOCHS * POOL / 128), seed, name)
    else:
        kept = SCRATCH / f"{name}{seed}.pt"
        if not kept.exists():
            train.fit(net, images[:POOL], labels[:POOL], EPOCHS, 5e-3, seed=seed, progress=False)
            torch.save(net.state_dict(), kept)
        net.load_state_dict(torch.load(kept))
    chain = capstone["to_int8"](net.eval(), [(images[i : i + 250], labels[i : i + 250]) for i in range(0, 2000, 250)])
    flash, _ = lesson11.memory(chain)
    x, y = held_back()
    return math.log2(flash), round(100 - measure.accuracy(lesson11.build(chain), x[::2], y[::2]), 2)


def brief_8() -> dict:
    """Hypervolume of fronts over flash and error in int8: uniform designs, searched ones, both taught or not."""
    rows, area = {}, capstone["hypervolume"]
    for seed in SEEDS:
        kept = SCRATCH / f"searched{seed}.json"
        if not kept.exists():
            kept.write_text(json.dumps(searched(seed)))
        designs = {"uniform": [lesson10.UNIFORM[name] for name in UNIFORM], "searched": json.loads(kept.read_text())}
        fronts = {
            f"{kind}, {'teacher' if taught else 'labels'}": [
                in_int8(arch, seed, taught, f"{kind}{i}{'t' if taught else 'l'}-") for i, arch in enumerate(archs)
            ]
            for kind, archs in designs.items()
            for taught in (False, True)
        }
        rows[seed] = {name: {"points": at, "area": round(area(at, CORNER), 3)} for name, at in fronts.items()}
        print(seed, {name: row["area"] for name, row in rows[seed].items()}, flush=True)
    ratios = {
        name: [round(r[name]["area"] / r["uniform, labels"]["area"], 2) for r in rows.values()]
        for name in rows[SEEDS[0]]
    }
    done = {name: level([min(values) >= least for least in (1.0, 1.2, 1.6)]) for name, values in ratios.items()}
    said = "; ".join(
        f"{name}: {listed(values, '.2f')} ({done[name]})"
        for name, values in ratios.items()
        if name != "uniform, labels"
    )
    said = f"areas as shares of the uniform designs' trained with labels (seeds {listed(rows, 'd')}): {said}"
    found = {"rows": rows, "ratios": ratios, "epochs": EPOCHS, "level": done["searched, teacher"]}
    return found | {"seeds": SEEDS, "said": said}


def main(arguments: list[str]) -> None:
    every = ["text", *(name.removeprefix("brief_") for name in globals() if name.startswith("brief_"))]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for number in arguments or every:
        made = json.loads(RESULTS.read_text())
        if number == "text":
            make_text()
            continue
        if not arguments and number in made.get("briefs", {}):
            continue
        began = time.process_time()
        try:
            found = globals()[f"brief_{number}"]()
        except Unfinished:
            print(f"brief {number}: to be continued", flush=True)
            sys.exit(3)
        made = json.loads(RESULTS.read_text())
        briefs = made.get("briefs", {}) | {number: found}
        made["briefs"] = dict(sorted(briefs.items()))
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")
        print(f"{number}: {found['said']} [{time.process_time() - began:.0f} s]", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
