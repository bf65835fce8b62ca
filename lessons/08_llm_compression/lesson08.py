"""Lesson 08: windows of text, inputs of layers, rounded copies of a model, and what a machine can do.

Beside it `pictures08` draws, `libraries08` asks other people's kernels, `smollm08` reads the larger model of section 9,
`checks08` is for the tests.
"""

import copy
import json
import math
import textwrap
from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from bonsai import language, measure, models

METHODS = ("RTN", "AWQ", "GPTQ", "NF4", "Q4_0")


def results() -> dict:
    """What data/make_lesson08.py recorded."""
    return json.loads((models.CHECKPOINTS.parent / "lesson08.json").read_text())


def calibration() -> Tensor:
    """64 windows of 128 tokens from the training chapters."""
    return load_file(models.CHECKPOINTS / "lesson08.safetensors")["calibration"].long()


def windows(split: str, count: int) -> Tensor:
    """`count` windows of 129 tokens, spread evenly over a split: 128 predictions each."""
    tokens = language.tokens(split)
    starts = torch.linspace(0, len(tokens) - 129, count).long()
    return tokens[starts[:, None] + torch.arange(129)]


@torch.no_grad()
def losses(model: nn.Module, windows: Tensor) -> Tensor:
    """Mean log-loss of each window."""
    logits = torch.cat([model(part) for part in windows[:, :-1].split(8)])
    return F.cross_entropy(logits.transpose(1, 2), windows[:, 1:], reduction="none").mean(1)


def loss(model: nn.Module, windows: Tensor) -> float:
    """Mean log-loss of a predicted token."""
    return losses(model, windows).mean().item()


def rise(model: nn.Module, windows: Tensor, changed: nn.Module) -> float:
    """By how many per cent the perplexity of `changed` lies above that of `model`."""
    return 100 * (math.exp(loss(changed, windows) - loss(model, windows)) - 1)


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The layers that are quantized: all but the embedding, which is the output layer as well."""
    return {name: m for name, m in model.named_modules() if type(m) is nn.Linear}


@torch.no_grad()
def inputs(model: nn.Module, windows: Tensor) -> dict[str, Tensor]:
    """Name of each linear layer -> its inputs on some text, `[tokens, in]`."""
    seen: dict[str, Tensor] = {}

    def hook(name: str) -> Callable:
        return lambda module, args, output: seen.update({name: args[0].flatten(0, -2)})

    handles = [m.register_forward_hook(hook(name)) for name, m in linears(model).items()]
    model(windows)
    for handle in handles:
        handle.remove()
    return seen


@torch.no_grad()
def quantized(model: nn.Module, change: Callable[[str, Tensor], Tensor]) -> nn.Module:
    """A copy whose linear layers have the weights `change(name, weight)`."""
    made = copy.deepcopy(model)
    for name, layer in linears(made).items():
        layer.weight.copy_(change(name, layer.weight))
    return made


@torch.no_grad()
def with_layers(model: nn.Module, make: Callable[[nn.Linear], nn.Module]) -> nn.Module:
    """A copy with `make(layer)` in the place of each linear layer; the rest is shared."""
    layers = linears(model)
    made = copy.deepcopy(model, {id(t): t for t in model.parameters()})
    for name, layer in layers.items():
        made.set_submodule(name, make(layer))
    return made


def bytes_read(model: nn.Module, bits: float) -> int:
    """Bytes of the weights that one token needs: linear layers at `bits` bits, float32 for the output layer."""
    inside = sum(m.weight.numel() for m in linears(model).values())
    return round(inside * bits / 8) + 4 * (sum(p.numel() for p in model.parameters()) - inside)


def scaled(rtn: Callable, w: Tensor, scale: Tensor, bits: int, group: int) -> Tensor:
    """AWQ's weight: rounded with its columns multiplied, then divided."""
    return rtn(w * scale, bits, group) / scale


def to_levels(w: Tensor, levels: Tensor, group: int) -> Tensor:
    """Each group divided by its largest magnitude, moved to the nearest level, and multiplied again."""
    edges = (levels[1:] + levels[:-1]) / 2
    parts = []
    for part in w.split(group, dim=1):
        top = part.abs().amax(1, keepdim=True)
        parts.append(levels[torch.bucketize(part / torch.where(top > 0, top, 1.0), edges)] * top)
    return torch.cat(parts, dim=-1)


def smoothed(model: nn.Module, seen: dict[str, Tensor], bits: int, scales: Callable | None) -> nn.Module:
    """8-bit weights by output channel, and inputs rounded with one symmetric scale a layer, from `seen`."""
    made = copy.deepcopy(model)
    q = 2 ** (bits - 1) - 1
    for name, layer in linears(made).items():
        w, x = layer.weight.detach(), seen[name]
        s = scales(x, w) if scales else torch.ones(w.shape[1])
        step = (x / s).abs().max() / q
        step_w = (w * s).abs().amax(1, keepdim=True) / 127
        layer.weight.data = torch.round(w * s / step_w) * step_w

        def before(module: nn.Module, args: tuple, s: Tensor = s, step: Tensor = step) -> Tensor:
            return torch.round(args[0] / s / step).clamp(-q, q) * step

        layer.register_forward_pre_hook(before)
    return made


def with_cache(model: nn.Module, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> nn.Module:
    """A copy whose keys and values, `[tokens, channels]` of each head, pass through `change` before they are read."""
    made = copy.deepcopy(model)

    def store(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        pairs = [change(a, b) for a, b in zip(k.flatten(0, 1), v.flatten(0, 1), strict=True)]
        return tuple(torch.stack(t).reshape(k.shape) for t in zip(*pairs, strict=True))  # type: ignore[return-value]

    for module in made.modules():
        if isinstance(module, language.Attention):
            module.store = store
    return made


def file_bytes(model: nn.Module, bits: float, group: int) -> int:
    """Codes and float16 scales of the linear layers, float16 for everything else."""
    inside = sum(m.weight.numel() for m in linears(model).values())
    outside = sum(p.numel() for p in model.parameters()) - inside
    scales = sum(len(m.weight) * -(-m.weight.shape[1] // group) for m in linears(model).values()) if group else 0
    return round(inside * bits / 8) + 2 * (scales + outside)


def output_error(w: Tensor, w_hat: Tensor, h: Tensor) -> float:
    """Relative error of the layer's outputs over the tokens behind H."""
    cost = [((e @ h) * e).sum() for e in (w_hat - w, w)]
    return math.sqrt(cost[0] / cost[1])


def gguf_agrees(layers: dict[str, nn.Linear], blobs: dict[str, bytes]) -> str:
    """What the package `gguf` says to bytes of Q4_0, if it is here."""
    try:
        from gguf import GGMLQuantizationType, quants
    except ImportError:
        return "The package gguf (extra llm) is not installed, so nobody else has read these bytes."
    kind, other, worst = GGMLQuantizationType.Q4_0, 0, 0.0
    for name, layer in layers.items():
        w = layer.weight.detach().numpy()
        mine, theirs = (torch.frombuffer(bytearray(b), dtype=torch.uint8).numpy().reshape(len(w), -1)
                        for b in (blobs[name], quants.quantize(w, kind).tobytes()))  # fmt: skip
        other += int((mine != theirs).sum())
        worst = max(worst, float(abs(quants.dequantize(mine, kind) - quants.dequantize(theirs, kind)).max()))
    total = sum(map(len, blobs.values()))
    return f"gguf reads them; {other} of {total:,} bytes differ from its own (ties), by at most {worst:.1g} in a weight"


def in_words(found: dict[str, float]) -> str:
    """Rises in per cent, in one line."""
    return ", ".join(f"{name} {value:+.1f} %" for name, value in found.items())


def points(table: dict, method: str) -> list[tuple[int, int, dict]]:
    """(bits, group, row) of a method, by bits a weight."""
    rows = [(*map(int, key.split(",")), row) for key, row in table.get(method, {}).items()]
    return sorted(rows, key=lambda r: r[0] + 16 / r[1])  # type: ignore[return-value]


def print_small(made: dict) -> None:
    """The recorded table of the small model."""
    print(f"held-back chapters, FP32 perplexity {made['fp32']:.2f}; float16 file {made['float16_bytes']:,} bytes")
    for method in METHODS:
        for bits, group, row in points(made["table"], method):
            # recorded of the loss, times 100; of the perplexity it is as many times larger as that has risen
            spread = f" ± {row['standard_error'] * (1 + row['rise'] / 100):.2f}" if "standard_error" in row else ""
            spread += f" ({row['spread'][0]:+.2f} to {row['spread'][1]:+.2f})" if "spread" in row else ""
            print(f"{method:5} {bits} bits, groups of {group:3}: {row['rise']:+8.2f} %{spread}, {row['bytes']:,} bytes")


def code_shares(model: nn.Module, levels: Tensor, group: int) -> tuple[float, float]:
    """Of the levels the shares of weights that the least and the most used one gets, each group over its maximum."""
    counts = torch.zeros(len(levels))
    for layer in linears(model).values():
        for part in layer.weight.detach().split(group, 1):
            near = (part / part.abs().amax(1, keepdim=True)).unsqueeze(-1).sub(levels).abs().argmin(-1)
            counts += near.flatten().bincount(minlength=len(levels))
    return float(counts.min() / counts.sum()), float(counts.max() / counts.sum())


def roofline() -> dict:
    """Bytes a second of a copy, and one FP32 layer of 64 MB at 1, 8 and 128 tokens: medians of seconds."""
    source, layer = torch.ones(16 << 20), nn.Linear(4096, 4096, bias=False)
    target = torch.empty_like(source)
    x = {n: torch.randn(n, 4096) for n in (1, 8, 128)}
    with torch.no_grad():
        calls: dict = {n: lambda v=v: layer(v) for n, v in x.items()} | {"copy": lambda: target.copy_(source)}
        times: dict = {name: sorted(t)[len(t) // 2] / 1000 for name, t in measure.latency_ms(calls, rounds=7).items()}
    weights = layer.weight.numel()
    copied = 2 * 4 * source.numel() / times.pop("copy") / 1e9
    return {
        "gb_s": copied,
        "gflop_s": 2 * 128 * weights / times[128] / 1e9,
        "weights": weights,
        "bytes": 4 * weights,
        "layer": times,
    }


def print_speed(made: dict) -> None:
    """The recorded speeds of SmolLM2 by kernel."""
    print(
        f"processor: {made['cpu']}, one thread, a copy moves {made['copy_gb_s']} GB/s; "
        f"{made['rounds']} rounds in turns, {made['prompt_tokens']} tokens read, {made['written_tokens']} written; "
        "median (least to largest)"
    )
    print("kernel             bits  MB a token  quantize   tokens a second: decode    prefill  decode / FP32")
    for name, row in made["formats"].items():
        decode, prefill = row["decode"], row["prefill"]
        print(
            f"{name:17} {row['bits']:5} {row['bytes_a_token'] / 1e6:11.0f} {row['quantize_cpu_seconds']:7.1f} s"
            f" {decode['tokens_a_second']:11.1f} ({decode['spread'][0]} to {decode['spread'][1]})"
            f" {prefill['tokens_a_second']:10.0f} {decode['ratio']:7.2f} ({decode['ratio_spread'][0]:.2f} to"
            f" {decode['ratio_spread'][1]:.2f})"
        )


def print_prompt(made: dict) -> None:
    """One prompt, and what SmolLM2 wrote at several bits."""
    print(f"prompt: {made['prompt']}")
    for name, answer in made["answers"].items():
        same = f"the float's next token in {answer['same_next_token']} of {made['answer_tokens']} places"
        told = textwrap.fill(answer["text"], 96, initial_indent="    ", subsequent_indent="    ")
        print(f"{name.split()[0]}, {answer['bits']} bits: {same}\n{told}")


def print_smollm2(made: dict) -> None:
    """The recorded table of SmolLM2."""
    fp32 = made["fp32"]
    print(f"as shipped, in float: perplexity {fp32['novel']:.1f} (novel), {fp32['reviews']:.1f} (film reviews)")
    print("                bits group     novel   reviews      bytes of the file   CPU s to quantize")
    for name, row in made["table"].items():
        rise = row["rise"]
        print(
            f"{name.split()[0]:15} {row['bits']:4} {row['group'] or 'row':>5}"
            f" {rise['novel']:+8.1f} % {rise['reviews']:+8.1f} %  {row['bytes']:>15,} {row['cpu_seconds']:14.0f}"
        )
    print("questions answered:")
    for name, right in made["ability"].items():
        told = ", ".join(f"{kind} {n} of {made['questions'][kind]}" for kind, n in right.items())
        print(f"  {name.split()[0] if name == 'float' else label(made['table'], name):12} {told}")


def label(table: dict, name: str) -> str:
    """Method and bits."""
    return f"{name.split()[0]}, {table[name]['bits']} bits"
