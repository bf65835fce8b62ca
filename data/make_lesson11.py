"""Carry out the capstone: the tracks' levels, all techniques on one model, and the briefs.

    python data/make_lesson11.py [PART ...]

Parts: size, micro, …; without any, all of them in this order. A part that is not finished after 150 CPU seconds
keeps what it has in a scratch folder (BONSAI_SCRATCH, or the system's) and ends with exit code 3: call it again.
They write data/lesson11.json. The answers are those of the lesson's solution.
"""

import copy
import json
import os
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn as nn

from autograder.source import LESSONS, find_source
from bonsai import data, measure, models

sys.path.insert(0, str(LESSONS / "11_capstone"))
import checks11
import jupytext
import lesson11
from safetensors.torch import save

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "lesson11.json"
SCRATCH = Path(os.environ.get("BONSAI_SCRATCH", tempfile.gettempdir())) / "lesson11_runs"
SEEDS = [int(seed) for seed in os.environ.get("BONSAI_SEEDS", "0 1 2").split()]
SECONDS = 150.0
STEPS, TARGET, GOOD_STEPS, GOOD_TARGET, MICRO_STEPS, FINE_TUNING = 2400, 14_000, 500, 13_000, 1500, 150

# The solution's answers.
names: dict = {"__name__": "answers"}
sources: list[str] = []
for cell in jupytext.reads(find_source("11").read_text(encoding="utf-8"), fmt="py:percent").cells:
    if cell.cell_type == "code" and ("exercise" in cell.metadata or cell.metadata.get("title") == "setup"):
        sources.append(cell.source)
        exec(cell.source, names)


CODE = lesson11.code_bytes(next(source for source in sources if "def decompress(" in source))


class Unfinished(Exception):
    """The time of this piece is over."""


def entries(name: str, width: int | None, steps: int, target: int) -> dict:
    """Entries of the size track by one recipe, with each seed: bytes with the decoder, and what they lose."""
    runs: dict[int, dict] = {}
    for seed in SEEDS:
        kept = SCRATCH / f"{name}{seed}.bin"
        if not kept.exists():
            began = time.process_time()
            pause = (SCRATCH / f"{name}{seed}.pt", SECONDS)
            blob = names["compress"](models.load("resnet8"), data.load("train"), 0.6, width, steps, target, seed, pause)
            print(f"{name}, seed {seed}: {time.process_time() - began:.0f} s", flush=True)
            if not blob:
                raise Unfinished
            kept.write_bytes(blob)
        blob = kept.read_bytes()
        found = checks11.compared(lesson11.build(names["decompress"](blob)), "resnet8", hidden=True)
        runs[seed] = {"bytes": len(blob) + CODE, "steps": steps}
        runs[seed] |= {key: round(value, 2) for key, value in found.items()}
        print(seed, runs[seed], flush=True)
    return runs


def part_live() -> dict:
    """What `compress` makes with its defaults: rounding and a coder, no training, no chance."""
    blob = names["compress"](models.load("resnet8"), data.load("train"))
    found = checks11.compared(lesson11.build(names["decompress"](blob)), "resnet8", hidden=True)
    return {"bytes": len(blob) + CODE} | {key: round(value, 2) for key, value in found.items()}


def part_size() -> dict:
    """The whole course: narrowed to width 16, taught, rounded while it learns, bits priced, coded."""
    return entries("size", 16, STEPS, TARGET)


def part_good() -> dict:
    """Two lessons: all channels, rounded while it learns with a price on bits (06), coded (07)."""
    return entries("good", None, GOOD_STEPS, GOOD_TARGET)


def part_micro() -> dict:
    """The microcontroller's network with three seeds: five layers, taught by the residual net, made int8."""
    train, validation = data.load("train"), data.load("validation")
    batches = [(train[0][i : i + 250], train[1][i : i + 250]) for i in range(0, 2000, 250)]
    runs = {}
    for seed in SEEDS:
        kept = SCRATCH / f"micro{seed}.pt"
        torch.manual_seed(seed)
        net = lesson11.small_chain()
        if not kept.exists():
            if not lesson11.distil(net, train[0], MICRO_STEPS, seed, pause=(SCRATCH / f"micro{seed}.part", SECONDS)):
                raise Unfinished
            torch.save(net.state_dict(), kept)
        net.load_state_dict(torch.load(kept))
        chain = names["to_int8"](net.eval(), batches)
        (SCRATCH / f"micro{seed}.bin").write_bytes(save({name: t.contiguous() for name, t in chain.items()}))
        flash, ram = lesson11.memory(chain)
        runs[seed] = {"flash": flash, "ram": ram, "fp32": round(measure.accuracy(net, *validation), 2)}
        runs[seed]["int8"] = round(measure.accuracy(lesson11.build(chain), *validation), 2)
        lost = checks11.compared(lesson11.build(chain), "small_cnn", hidden=True)
        runs[seed] |= {"drop": round(lost["drop"], 2), "drop_error": round(lost["drop_error"], 2)}
        print(seed, runs[seed], flush=True)
    return runs


# All techniques on one model -----------------------------------------------------------------------------------------


def changed(given: torch.Tensor, baseline: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Points of accuracy gained over the baseline on the same examples, and the standard error of that."""
    change = (given == labels).double() - (baseline == labels).double()
    return round(100 * change.mean().item(), 2), round(100 * change.std().item() / len(change) ** 0.5, 2)


def packed_int4(model: nn.Module) -> tuple[bytes, nn.Module]:
    """Weights in groups of 64 as four-bit codes with float16 scales, everything else float16; and that network."""
    net, parts = copy.deepcopy(model), []
    with torch.no_grad():
        for t in net.state_dict().values():
            if t.dim() < 2:
                parts.append(t.half().numpy().tobytes())
                continue
            rows = t.reshape(len(t), -1)
            padded = nn.functional.pad(rows, (0, -rows.shape[1] % 64)).reshape(len(t), -1, 64)
            scale = (padded.abs().amax(2, keepdim=True) / 7).half().float().clamp(min=1e-7)
            codes = (padded / scale).round().clamp(-7, 7)
            t.copy_((codes * scale).reshape(len(t), -1)[:, : rows.shape[1]].reshape(t.shape))
            nibbles = (codes.flatten()[: t.numel()].int() & 15).view(-1)
            nibbles = nn.functional.pad(nibbles, (0, nibbles.numel() % 2)).view(-1, 2)
            parts += [(nibbles[:, 0] | nibbles[:, 1] << 4).byte().numpy().tobytes(), scale.half().numpy().tobytes()]
    return b"".join(parts), net


def masks_of(model: nn.Module, sparsity: float) -> dict[str, torch.Tensor]:
    """Keep-masks of one magnitude threshold over all convolutions."""
    weights = {n: p.detach() for n, p in model.named_parameters() if p.dim() == 4}
    limit = torch.cat([w.abs().flatten() for w in weights.values()]).quantile(sparsity)
    return {n: w.abs() > limit for n, w in weights.items()}


def with_masks(model: nn.Module, masks: dict[str, torch.Tensor]) -> nn.Module:
    """A copy with zeros where the masks are False."""
    net = copy.deepcopy(model)
    parameters = dict(net.named_parameters())
    for name, mask in masks.items():
        parameters[name].data.mul_(mask)
    return net


def sparse_bytes(net: nn.Module) -> int:
    """Bytes of the state in float16 after zlib, which is what a simple sparse file takes."""
    return len(zlib.compress(b"".join(t.half().numpy().tobytes() for t in net.state_dict().values()), 9))


def paused(net: nn.Module, steps: int, seed: int, name: str, **options) -> nn.Module:
    """Train a network on the teacher's answers, in pieces; what was finished before is read back."""
    kept = SCRATCH / f"{name}{seed}.pt"
    if not kept.exists():
        if not lesson11.distil(
            net, data.load("train")[0], steps, seed, pause=(SCRATCH / f"{name}{seed}.part", SECONDS), **options
        ):
            raise Unfinished
        torch.save(net.state_dict(), kept)
    net.load_state_dict(torch.load(kept))
    return net.eval()


def int8_file(net: nn.Module) -> bytes:
    """Static int8 in ONNX Runtime, with seven-bit weights so that no processor's sums overflow."""
    return names["quantized_onnx"](lesson11.onnx_of(net), data.load("train")[0][:400])


def part_tuning() -> dict:
    """Train the two rows of the table that need it: nine weights in ten zero, and a third of the channels removed."""
    model = models.load("resnet8")
    masks = masks_of(model, 0.9)

    def view(name: str, p: torch.Tensor) -> torch.Tensor:
        return p * masks[name] if name in masks else p

    paused(with_masks(model, masks), FINE_TUNING, 0, "sparse", lr=0.02, view=view)
    paused(names["narrowed"](model, 16), FINE_TUNING, 0, "narrow", lr=0.04)
    return {"steps": FINE_TUNING}


def candidates(model: nn.Module, train: tuple) -> Iterator[tuple[str, dict, nn.Module, bytes | None]]:
    """Name, facts, network and (where the runtime runs something else than that network) ONNX file of each row.

    Two of them are there once the part tuning has trained them.
    """

    def facts(lesson: str, size: int, needs: str, steps: int = 0, note: str = "") -> dict:
        return {"lesson": lesson, "bytes": size, "steps": steps, "needs": needs, "note": note}

    labels, none, taught = "400 images without labels", "nothing", "images and a teacher"
    yield "FP32", facts("00", measure.size_bytes(model), ""), model, None
    half = copy.deepcopy(model).half()
    size = measure.size_bytes(half)
    yield "FP16 weights", facts("01", size, none, note="computes in FP32"), half.float(), None
    int8 = int8_file(model)
    yield "int8, static", facts("02", len(int8), labels), model, int8
    packed, four = packed_int4(model)
    yield "int4 weights, groups of 64", facts("01", len(packed), none, note="computes in FP32"), four, None
    note = "dense kernels; float16, zlib"
    half_zero = with_masks(model, masks_of(model, 0.5))
    yield "50 % of the weights zero", facts("03", sparse_bytes(half_zero), none, note=note), half_zero, None
    if (SCRATCH / "sparse0.pt").exists():
        masks = masks_of(model, 0.9)
        sparse = copy.deepcopy(model)
        sparse.load_state_dict(torch.load(SCRATCH / "sparse0.pt"))
        sparse = with_masks(sparse, masks).eval()
        zeros = facts("03", sparse_bytes(sparse), taught, FINE_TUNING, note)
        yield "90 % of the weights zero, tuned", zeros, sparse, None
    if (SCRATCH / "narrow0.pt").exists():
        narrow = names["narrowed"](model, 16)
        narrow.load_state_dict(torch.load(SCRATCH / "narrow0.pt"))
        size = measure.size_bytes(narrow.eval())
        yield "a third of the channels removed, tuned", facts("04", size, taught, FINE_TUNING), narrow, None
        int8 = int8_file(narrow)
        yield "the same in int8", facts("04", len(int8), taught, FINE_TUNING), narrow, int8
    note = "validation images, mean of lesson 05's three seeds"
    student = models.ResNet8(10).eval()
    wants = "images without labels"
    yield "student of width 10, distilled", facts("05", measure.size_bytes(student), wants, 1200, note), student, None
    blob = (SCRATCH / "good0.bin").read_bytes()
    net = lesson11.build(names["decompress"](blob))
    note = "computes in FP32"
    yield "rounded while trained (QAT), coded", facts("06", len(blob) + CODE, taught, GOOD_STEPS, note), net, None
    live = names["compress"](model, train)
    net = lesson11.build(names["decompress"](live))
    wants = "4,000 images without labels"
    yield "rounding and an entropy coder", facts("07", len(live) + CODE, wants, note=note), net, None
    blob = (SCRATCH / "size0.bin").read_bytes()
    net = lesson11.build(names["decompress"](blob))
    yield "all together, the size entry", facts("11", len(blob) + CODE, taught, STEPS, note), net, None
    int8 = int8_file(net)
    yield "all together, int8 in the runtime", facts("11", len(int8), taught, STEPS), net, int8


def part_table() -> dict:
    """Every technique on resnet8: bytes written, time in ONNX Runtime, test accuracy, what it needs."""
    model, test = models.load("resnet8"), data.load("test")
    baseline = lesson11.answers_of(model, test[0])
    rows, files = {}, {}
    for name, facts, net, file in candidates(model, data.load("train")):
        files[name] = lesson11.onnx_of(net) if file is None else file
        if file is None:
            given = lesson11.answers_of(net, test[0])
        else:
            given = lesson11.logits_of(lesson11.session(file), test[0]).argmax(1)
        rows[name] = facts | {"accuracy": round(100 * (given == test[1]).double().mean().item(), 2)}
        rows[name]["change"], rows[name]["error"] = changed(given, baseline, test[1])
        print(name, rows[name], flush=True)
    recorded = json.loads((FOLDER / "lesson05.json").read_text())["main"]["teacher's soft targets"]
    changes = [v - models.card("resnet8")["validation_accuracy"] for v in recorded]
    rows["student of width 10, distilled"] |= {
        "accuracy": round(statistics.fmean(recorded), 2),
        "change": round(statistics.fmean(changes), 2),
        "error": round(statistics.stdev(changes) / 3**0.5, 2),
    }
    for batch in (64, 1):
        seconds = lesson11.race(files, test[0][:batch], 40)
        for name in rows:
            rows[name][f"speed {batch}"] = [round(v, 2) for v in lesson11.ratio_quartiles(seconds, "FP32", name)]
        if batch == 64:
            base = statistics.median(seconds["FP32"])
    return {
        "baseline ms": round(1000 * base, 2),
        "images": len(test[1]),
        "int8 kernels": lesson11.int8_kernels(),
        "rows": rows,
    }


def main(arguments: list[str]) -> None:
    every = [name.removeprefix("part_") for name in globals() if name.startswith("part_")]
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for part in arguments or every:
        try:
            found = globals()[f"part_{part}"]()
        except Unfinished:
            print(f"{part}: to be continued", flush=True)
            sys.exit(3)
        made = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson11.py"}
        made[part] = found
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")
        print(part, made[part], flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
