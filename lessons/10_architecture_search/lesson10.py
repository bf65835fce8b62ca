"""What the text of lesson 10 calls: recorded results, the searches that stand beside yours, and the pictures."""

import itertools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from safetensors.torch import load_file
from spaces10 import FIELDS, LARGEST, SHAPES, SMALLEST, SPACE, UNIFORM, Supernet, build, random_architecture
from torch import Tensor

from bonsai import models, plot

__all__ = ["LARGEST", "SHAPES", "SMALLEST", "SPACE", "UNIFORM", "Supernet", "build", "random_architecture"]

# ---------------------------------------------------------------- what was recorded

SETTINGS = {
    "ort64": "ONNX Runtime, 64 images",
    "ort1": "ONNX Runtime, 1 image",
    "torch64": "torch, 64 images",
    "torch1": "torch, 1 image",
}


def results() -> dict:
    """`data/lesson10.json`, shapes as tuples."""
    made = json.loads((models.CHECKPOINTS.parent / "lesson10.json").read_text())
    for row in made["shapes"]:
        row["shape"] = tuple(row["shape"])
    return made


def trained_table(made: dict) -> dict[tuple, dict]:
    """shape -> `val` (seed 0), `test` (seed 1, mirrored), `early` (seed 0), `ms`, `macs`, `params`; complete rows."""
    return {
        row["shape"]: {
            **{key: row[key] for key in ("macs", "params")},
            "ms": row["ms"]["ort64"][1],
            "val": row["runs"][0]["val"],
            "early": row["runs"][0]["early"],
            "test": row["runs"][1]["test"],
            "seeds": [run["test"] for run in row["runs"]],
        }
        for row in made["shapes"]
        if len(row.get("runs", [])) == 2
    }


def load_supernet(conv: type, norm: type) -> Supernet:
    """The shipped supernet, in eval mode, made of your classes."""
    net = Supernet(conv, norm)
    state = load_file(models.CHECKPOINTS / "lesson10.safetensors")
    for name, tensor in net.state_dict().items():
        if name in state:
            tensor.copy_(state[name])
    return net.eval()


def layer_calls(space: list[dict], batch: int = 32, size: int = 28) -> dict[Any, Callable]:
    """One function for every entry that a latency table of the space needs."""
    calls: dict[Any, Callable] = {}
    sources = [1]
    for stage in space:
        for stride in (stage["stride"], 1):
            for c_in, width, kernel in itertools.product(sources, stage["widths"], stage["kernels"]):
                conv = nn.Conv2d(c_in, width, kernel, stride, kernel // 2, bias=False)
                layer = nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU()).eval()
                calls[size, c_in, width, kernel, stride] = on_noise(layer, (batch, c_in, size, size))
            size, sources = -(-size // stride), stage["widths"]
    for c in sources:
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))
        calls["head", c] = on_noise(head, (batch, c, size, size))
    return calls


def on_noise(net: nn.Module, shape: tuple) -> Callable:
    """A call of a network on one input, without gradients."""
    x = torch.randn(shape)

    def call() -> Tensor:
        with torch.inference_mode():
            return net(x)

    return call


# ---------------------------------------------------------------- searches over the table


def neighbour(shape: tuple, rng: random.Random) -> tuple:
    """The same shape with one of its seven choices changed, now and then two or three: the budget leaves gaps."""
    options = list(FIELDS.values())
    child = list(shape)
    while child == list(shape) or rng.random() < 0.3:
        at = rng.randrange(len(options))
        child[at] = rng.choice([o for o in options[at] if o != child[at]])
    return tuple(child)


def random_search(table: dict, evaluations: int, rng: random.Random) -> tuple:
    """The best of shapes drawn without repeats."""
    return max(rng.sample(list(table), evaluations), key=lambda s: table[s]["val"])


def hill_climbing(table: dict, evaluations: int, rng: random.Random) -> tuple:
    """Neighbours that were not seen; a better one is the new place; after 8 failures start anew."""
    seen: dict[tuple, float] = {}
    here, failures = rng.choice(list(table)), 0
    seen[here] = table[here]["val"]
    while len(seen) < evaluations:
        near = [s for s in (neighbour(here, rng) for _ in range(20)) if s in table and s not in seen]
        fresh = near[0] if near and failures < 8 else rng.choice([s for s in table if s not in seen])
        seen[fresh] = table[fresh]["val"]
        better = seen[fresh] > seen[here] or not near or failures >= 8
        here, failures = (fresh, 0) if better else (here, failures + 1)
    return max(seen, key=lambda s: seen[s])


def one_hot(shape: Sequence) -> list[float]:
    """1 for every choice that a shape makes."""
    return [1.0, *(float(value == v) for v, options in zip(shape, FIELDS.values(), strict=True) for value in options)]


def predictor(table: dict, evaluations: int, rng: random.Random) -> tuple:
    """Ridge regression on two thirds of the evaluations; the rest goes to what it likes best."""
    shapes = list(table)
    seen = rng.sample(shapes, 2 * evaluations // 3)
    x, y = np.array([one_hot(s) for s in seen]), np.array([table[s]["val"] for s in seen])
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (y - y.mean()))
    rest = sorted((s for s in shapes if s not in seen), key=lambda s: -float(np.dot(one_hot(s), weights)))
    return max(seen + rest[: evaluations - len(seen)], key=lambda s: table[s]["val"])


def successive_halving(table: dict, evaluations: int, rng: random.Random) -> tuple:
    """Twice as many shapes are begun; after a third of the training the better quarter goes on."""
    begun = rng.sample(list(table), min(2 * evaluations, len(table)))
    kept = sorted(begun, key=lambda s: -table[s]["early"])[: evaluations // 2]
    return max(kept, key=lambda s: table[s]["val"])


# ---------------------------------------------------------------- pictures

KIND_NAMES = {"conv": "plain", "separable": "separable", "inverted2": "inverted", "bottleneck": "bottleneck"}


def same_widths(made: dict, width: int = 32, kernel: int = 3) -> dict[str, dict]:
    """One shape of each kind of block, all else equal."""
    by_shape = {row["shape"]: row for row in made["shapes"]}
    return {name: by_shape["conv2", kind, kind, kernel, kernel, width, 2] for kind, name in KIND_NAMES.items()}


def same_macs(made: dict, macs: float = 2e6) -> dict[str, dict]:
    """Of each kind of block the shape whose MACs are nearest to a number, and one on patches."""
    found = {}
    for stem, mark in (("conv2", ""), ("patch4", ", patches")):
        for kind, name in KIND_NAMES.items():
            rows = [r for r in made["shapes"] if r["shape"][:3] == (stem, kind, kind)]
            best = min(rows, key=lambda r: abs(r["macs"] - macs))
            if abs(best["macs"] / macs - 1) < 0.25:
                found[name + mark] = best
    return found


def draw_kinds(rows: dict[str, dict], title: str) -> Figure:
    """Milliseconds of a few shapes in the four settings, each relative to the first of them."""
    fig, (ax,) = plot.figure(width=8.5, height=3.6)
    names = list(rows)
    base = rows[names[0]]
    for i, (setting, colour) in enumerate(zip(["macs", *SETTINGS], ("#999999", *plot.PALETTE), strict=False)):
        if setting == "macs":
            values, spread = [rows[n]["macs"] / base["macs"] for n in names], None
        else:
            middle = base["ms"][setting][1]
            values = [rows[n]["ms"][setting][1] / middle for n in names]
            quartiles = [[abs(rows[n]["ms"][setting][j] / middle - v) for n, v in zip(names, values, strict=True)]
                         for j in (0, 2)]  # fmt: skip
            spread = quartiles
        at = [n + 0.16 * (i - 2) for n in range(len(names))]
        ax.bar(at, values, 0.15, yerr=spread, color=colour, ecolor="black", label=SETTINGS.get(setting, "MACs"),
               error_kw={"lw": 0.8})  # fmt: skip
    ax.axhline(1, color="black", lw=0.6)
    ax.set_xticks(range(len(names)), [name.replace(", ", "\n") for name in names])
    ax.set(ylabel=f"relative to {names[0]}", title=title, ylim=(0, 1.15 * ax.get_ylim()[1]))
    ax.legend(frameon=False, fontsize=7.5, ncols=5, loc="upper center")
    return fig


def draw_pairs(ax: Axes, x: Sequence, y: Sequence, labels: Sequence[str], xlabel: str, ylabel: str) -> None:
    """Points with the line of equality, some with a name."""
    ax.plot(x, y, "o", color=plot.BLUE, markersize=4)
    for a, b, label in zip(x, y, labels, strict=True):
        ax.annotate(label, (a, b), fontsize=7, xytext=(4, -8), textcoords="offset points")
    ends = [min(*x, *y), max(*x, *y)]
    ax.plot(ends, ends, color="black", lw=0.6)
    ax.set(xlabel=xlabel, ylabel=ylabel)


def draw_recalibration(rows: dict[str, tuple[float, float]]) -> Figure:
    """Accuracy before and after, one line an architecture."""
    fig, (ax,) = plot.figure(width=6.5)
    for y, (before, after) in enumerate(rows.values()):
        ax.plot([before, after], [y, y], color="#999999", lw=1)
    ax.plot([b for b, _ in rows.values()], range(len(rows)), "s", color=plot.ORANGE, label="shared statistics")
    ax.plot([a for _, a in rows.values()], range(len(rows)), "o", color=plot.BLUE, label="recalibrated")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel="accuracy on 2,000 validation images, %", xlim=(0, 100))
    ax.legend(frameon=False, loc="lower left")
    return fig


def draw_budget(table: dict, budget_ms: float, fronts: Callable) -> Figure:
    """The cloud of trained shapes, what a budget allows, its best, and the front."""
    fig, (ax,) = plot.figure(width=7, height=4)
    shapes = list(table)
    points = [(table[s]["ms"], 100 - table[s]["val"]) for s in shapes]
    allowed = [i for i, (ms, _) in enumerate(points) if ms <= budget_ms]
    plain = [i for i, s in enumerate(shapes) if s[1:3] == ("conv", "conv")]

    def dots(chosen: Sequence[int], mark: str, label: str, **look: Any) -> None:
        ax.plot([points[i][0] for i in chosen], [points[i][1] for i in chosen], mark, label=label, **look)

    dots(range(len(points)), "o", "over the budget", color="#BBBBBB", markersize=4)
    dots(allowed, "o", "allowed", color=plot.SKY, markersize=4)
    front = sorted(points[i] for i in fronts(points)[0])
    ax.step(*zip(*front, strict=True), where="post", color=plot.BLACK, lw=1, label="first front")
    dots(plain, "s", "all plain", mfc="none", color=plot.ORANGE)
    if allowed:
        best = min(allowed, key=lambda i: points[i][1])
        label = "best allowed: " + " ".join(map(str, shapes[best]))
        ax.plot(*points[best], "*", color=plot.RED, markersize=14, label=label)
    ax.axvline(budget_ms, color=plot.RED, lw=0.8)
    ax.set(xlabel="ms for 64 images, ONNX Runtime", ylabel="validation error, %")
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_searches(found: dict[str, dict[int, list[float]]], best: float, ylabel: str) -> Figure:
    """Mean result over seeds with its standard error, over the number of evaluations."""
    fig, (ax,) = plot.figure(width=6.5)
    for (name, runs), colour, marker in zip(found.items(), plot.PALETTE, plot.MARKERS, strict=False):
        n = list(runs)
        means = [float(np.mean(v)) for v in runs.values()]
        errors = [float(np.std(v)) / len(v) ** 0.5 for v in runs.values()]
        ax.errorbar(n, means, yerr=errors, color=colour, marker=marker, capsize=3, label=name)
    ax.axhline(best, color="black", lw=0.6, ls=":")
    ax.set(xlabel="trained shapes", ylabel=ylabel)
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_claims(shares: dict[str, list[float]], seeds: list[int]) -> Figure:
    """How often the mean of so many seeds is above that of random search."""
    fig, (ax,) = plot.figure(width=6.5)
    for (name, y), colour, marker in zip(shares.items(), plot.PALETTE[1:], plot.MARKERS[1:], strict=False):
        ax.plot(seeds, y, color=colour, marker=marker, markersize=4, label=name)
    ax.set(xlabel="seeds a side", ylabel="comparisons that the search wins, %")
    ax.legend(frameon=False, fontsize=8)
    ax.axhline(50, color="black", lw=0.6)
    ax.axhline(95, color="black", lw=0.6, ls=":")
    ax.set_xscale("log")
    ax.set_xticks(seeds, [str(s) for s in seeds])
    return fig


def draw_rivals(rows: list[dict]) -> Figure:
    """Accuracy over milliseconds in two settings: one dot a seed, one mark a network."""
    fig, axes = plot.figure(2, width=5.6, height=4)
    for ax, setting in zip(axes, ("ort64", "ort1"), strict=True):
        for row, colour, marker in zip(rows, plot.PALETTE, plot.MARKERS, strict=False):
            low, ms, high = row["ms"][setting]
            mean = float(np.mean(row["accuracy"]))
            ax.errorbar(ms, mean, xerr=[[ms - low], [high - ms]], color=colour, marker=marker, label=row["name"])
            ax.plot([ms] * len(row["accuracy"]), row["accuracy"], ".", color=colour, markersize=4)
        ax.set(xlabel=f"ms, {SETTINGS[setting]}", ylabel="mirrored test accuracy, %")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return fig
