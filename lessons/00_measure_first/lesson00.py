"""Pictures of lesson 00, models that are built from plain lists, and a clock for rehearsals. Nothing here measures."""

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator
from torch import Tensor

from bonsai import plot
from bonsai.testing import expect, require

# Microseconds of the first 300 calls of resnet8 with one image, in a new process on a shared x86-64 machine with two
# cores, while two other programs kept both of them busy.
# fmt: off
RECORDED_US = (
    965, 430, 381, 370, 367, 361, 358, 4388, 362, 361, 365, 356, 355, 361, 359, 360, 354, 353, 4376, 362, 360, 368,
    360, 360, 364, 359, 361, 353, 352, 4371, 355, 355, 359, 355, 354, 363, 362, 358, 363, 355, 4373, 359, 355, 366,
    355, 353, 357, 356, 353, 361, 352, 4367, 376, 361, 365, 357, 357, 361, 356, 353, 357, 353, 354, 8386, 353, 358,
    353, 355, 359, 357, 355, 360, 354, 355, 12463, 371, 369, 359, 358, 363, 361, 356, 362, 356, 355, 8376, 353, 359,
    355, 355, 362, 361, 357, 364, 359, 357, 8383, 362, 368, 359, 358, 364, 359, 355, 361, 355, 354, 368, 355, 355,
    364, 356, 362, 362, 358, 364, 356, 358, 4380, 363, 361, 367, 356, 362, 359, 355, 365, 358, 357, 4377, 355, 355,
    361, 352, 353, 361, 353, 360, 357, 357, 4376, 360, 358, 363, 356, 357, 368, 356, 362, 356, 356, 4380, 358, 357,
    362, 354, 355, 366, 356, 358, 365, 357, 4375, 354, 352, 371, 355, 353, 365, 355, 354, 359, 353, 4368, 354, 351,
    357, 350, 349, 359, 352, 352, 360, 355, 355, 4374, 356, 361, 356, 355, 362, 353, 352, 358, 353, 351, 8387, 351,
    351, 357, 351, 357, 353, 355, 360, 356, 355, 8371, 351, 349, 358, 351, 354, 363, 361, 364, 359, 356, 7288, 359,
    357, 370, 354, 352, 359, 353, 355, 359, 353, 354, 363, 356, 12375, 359, 358, 362, 354, 357, 360, 351, 351, 358,
    351, 8362, 362, 350, 357, 351, 354, 358, 349, 350, 356, 349, 350, 4491, 373, 366, 356, 360, 361, 357, 360, 362,
    353, 8361, 368, 352, 361, 353, 355, 357, 351, 353, 358, 353, 354, 8371, 349, 349, 358, 354, 357, 356, 356, 365,
    358, 356, 8378, 358, 354, 363, 358, 354, 365, 360, 365, 358, 357, 8374,
)
# fmt: on


class Rehearsal:
    """A clock that stands still except while one of its functions runs, and that writes down what happens.

    The calls of `Rehearsal(f=[0.5, 0.25]).function("f")` take 0.5, 0.25, 0.5, … seconds of the clock `read`. `order`
    holds the function's letter for each call, and `c` for each reading of the clock.
    """

    def __init__(self, start: float = 0.0, **durations: list[float]):
        self.now, self.durations, self.order = start, durations, ""

    def read(self) -> float:
        """The time in seconds."""
        self.order += "c"
        return self.now

    def function(self, name: str) -> Callable[[], None]:
        """A function without arguments that takes the next of its durations."""

        def call() -> None:
            script = self.durations[name]
            self.now += script[self.order.count(name[0]) % len(script)]
            self.order += name[0]

        return call


def build(parts: list[tuple]) -> nn.Module:
    """A module made of named tensors: `("block.weight", "parameter", (3, 4))`, all zeros.

    Kinds: parameter, frozen (a parameter that is not trained), buffer, unsaved buffer (not in the state_dict), and
    `("head.weight", "same as", "block.weight")`, which registers one parameter under a second name. A dtype may follow.
    """
    root = nn.Module()
    for name, kind, shape, *rest in parts:
        *path, last = name.split(".")
        home = root
        for step in path:
            if step not in home._modules:
                home.add_module(step, nn.Module())
            home = home._modules[step] or root
        if kind == "same as":
            home.register_parameter(last, root.get_parameter(shape))
            continue
        tensor = torch.zeros(tuple(shape), dtype=getattr(torch, rest[0]) if rest else torch.float32)
        if kind in ("parameter", "frozen"):
            home.register_parameter(last, nn.Parameter(tensor, requires_grad=kind == "parameter"))
        else:
            home.register_buffer(last, tensor, persistent=kind == "buffer")
    return root


class Chain(nn.Module):
    """Layers that run in `order`: some may run twice, and some not at all."""

    seen: list[dict] = []  # noqa: RUF012  (what ("look",) saw, also in a copy of the model)

    def __init__(self, layers: list[tuple], order: list[int] | None = None):
        super().__init__()
        self.layers = nn.ModuleList([_layer(*layer) for layer in layers])
        self.order = list(range(len(layers))) if order is None else order

    def forward(self, x: Tensor) -> Tensor:
        for i in self.order:
            x = self.layers[i](x)
        return x


def _layer(kind: str, *sizes) -> nn.Module:
    settings = sizes[-1] if sizes and isinstance(sizes[-1], dict) else {}
    sizes = sizes[: len(sizes) - bool(settings)]
    makers: dict[str, Callable[..., nn.Module]] = {
        "linear": nn.Linear,
        "conv": nn.Conv2d,
        "norm": nn.BatchNorm2d,
        "relu": nn.ReLU,
        "pool": nn.MaxPool2d,
        "flatten": nn.Flatten,
        "dropout": nn.Dropout,
        "look": Look,
        "stop": Stop,
        "training": OnlyInTraining,
    }
    return makers[kind](*sizes, **settings)


class Look(nn.Module):
    """Passes its input on and notes what it saw."""

    def forward(self, x: Tensor) -> Tensor:
        Chain.seen.append({
            "shape": list(x.shape), "zeros": not bool(x.any()), "training": self.training,
            "gradient": torch.is_grad_enabled(),
        })  # fmt: skip
        return x


class Stop(nn.Module):
    """Fails."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("this layer always fails")


class OnlyInTraining(nn.Module):
    """A linear layer that takes part in training only, like an auxiliary head."""

    def __init__(self, size: int):
        super().__init__()
        self.head = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x) if self.training else x


def condition(model: nn.Module) -> dict:
    """What an instrument must leave as it was: hooks, the mode of every module, every tensor, the random numbers."""
    everywhere = [getattr(nn.modules.module, name) for name in ("_global_forward_hooks", "_global_forward_pre_hooks")]
    per_module = [h for m in model.modules() for h in (m._forward_hooks, m._forward_pre_hooks)]
    return {
        "hooks": sum(map(len, everywhere + per_module)),
        "training": [m.training for m in model.modules()],
        "tensors": {k: v.detach().clone() for k, v in model.state_dict().items()},
        "random numbers": torch.get_rng_state(),
    }


def files() -> dict[str, int]:
    """What lies in the working, temporary and home folder, with the time of its last change in nanoseconds."""
    places = dict.fromkeys(Path(p).resolve() for p in (Path.cwd(), tempfile.gettempdir(), Path.home()))
    found = {}
    for entry in (entry for place in places for entry in place.iterdir()):
        with contextlib.suppress(OSError):  # another program's, or gone already
            found[str(entry)] = entry.stat().st_mtime_ns
    return found


def left_behind(before: dict[str, int], size: object) -> list[str]:
    """Names of my files of about `size` bytes that came since `files()` was `before`, also in a new folder."""
    if not isinstance(size, (int, float)):
        return []
    least, most = 0.9 * size - 1024, 1.1 * size + 1024
    names, recent = [], time.time_ns() - 10 * 10**9
    me = os.getuid() if hasattr(os, "getuid") else None
    for name, changed in files().items():
        if before.get(name) == changed:
            continue
        with contextlib.suppress(OSError):
            for path in [Path(name), *(Path(name).glob("*") if name not in before else ())]:
                facts = path.stat()
                mine = path.is_file() and me in (None, facts.st_uid)
                if mine and facts.st_mtime_ns > recent and least <= facts.st_size <= most:
                    names.append(path.name)
    return names


def draw_multiplications() -> Figure:
    """Left: a linear layer, every input times every output. Right: a 3x3 window over an image gives one number."""
    fig, (dense, window) = plot.figure(2, width=4.4, height=3.0)
    for i in range(4):
        for j in range(3):
            dense.plot([0, 1], [i, j + 0.5], color=plot.RED if j == 1 else plot.SKY, linewidth=1.6 if j == 1 else 0.7)
    dense.plot([0] * 4, range(4), "o", color=plot.BLACK)
    dense.plot([1] * 3, np.arange(3) + 0.5, "o", color=plot.BLUE)
    dense.set(title="linear, 4 to 3: 4 products an output", xlim=(-0.3, 1.3), ylim=(-0.5, 3.5))
    for x in range(6):
        for y in range(6):
            inside = 1 <= x <= 3 and 2 <= y <= 4
            window.add_patch(Rectangle((x, y), 1, 1, facecolor=plot.ORANGE if inside else "none", edgecolor=plot.BLACK))
    for x in range(4):
        for y in range(4):
            here = (x, y) == (1, 2)
            window.add_patch(
                Rectangle((x + 9, y + 1), 1, 1, facecolor=plot.BLUE if here else "none", edgecolor=plot.BLACK)
            )
    window.annotate("", (10, 3.5), (4, 3.5), arrowprops={"arrowstyle": "->", "color": plot.RED, "linewidth": 1.6})
    window.set(title="convolution, 3×3: 9 products an output", xlim=(-0.5, 13.5), ylim=(-0.7, 6.7), aspect="equal")
    for ax in (dense, window):
        ax.axis("off")
    return fig


def draw_file(entries: dict[str, int]) -> Figure:
    """The parts of a file as one long bar: tensors by size, and what is not a tensor."""
    fig, (ax,) = plot.figure(1, width=9.5, height=1.9)
    left = 0
    for i, (name, size) in enumerate(entries.items()):
        ax.barh(0, size, left=left, color=plot.PALETTE[i % len(plot.PALETTE)], edgecolor="white", label=name)
        left += size
    ax.set(yticks=[], xlabel="bytes in the file")
    ax.spines["left"].set_visible(False)
    ax.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig


def draw_layers(tables: dict[str, dict[str, tuple[int, int]]]) -> Figure:
    """For each model: the share of every layer in parameters and in multiply-accumulates."""
    fig, axes = plot.figure(len(tables), width=4.8, height=3.2)
    for ax, (name, layers) in zip(axes, tables.items(), strict=True):
        totals = [sum(row[k] for row in layers.values()) for k in (0, 1)]
        y = np.arange(len(layers))[::-1]
        for k, (label, colour, shift) in enumerate((("parameters", plot.BLUE, 0.19), ("MACs", plot.ORANGE, -0.19))):
            ax.barh(y + shift, [100 * row[k] / totals[k] for row in layers.values()], 0.36, color=colour, label=label)
        ax.set(yticks=y, yticklabels=list(layers), xlabel="share of the model (%)", title=name)
    axes[0].legend(frameon=False)
    return fig


def draw_interpolation(times: list[float], position: float, value: float) -> Figure:
    """Sorted times over their index, and a percentile between two of them."""
    fig, (ax,) = plot.figure(1, width=6.0, height=3.0)
    ax.plot(range(len(times)), sorted(times), "o-", color=plot.BLUE, label="sorted times")
    ax.plot(position, value, "D", color=plot.RED, label=f"95th percentile: position {position:g}, {value:g} ms")
    ax.vlines(position, 0, value, color=plot.RED, linestyle="--", linewidth=0.8)
    ax.set(xlabel="index", ylabel="latency (ms)", xticks=range(len(times)), ylim=(0, None))
    ax.legend(frameon=False)
    return fig


def draw_recording(statistics: dict[str, float]) -> Figure:
    """The recorded calls in their order, and how many of them took at most so long."""
    fig, (order, shares) = plot.figure(2)
    times = np.array(RECORDED_US) / 1000
    order.plot(times, ".", color=plot.BLUE, markersize=4)
    order.set(xlabel="call", ylabel="latency (ms)", yscale="log")
    shares.plot(np.sort(times), 100 * np.arange(1, len(times) + 1) / len(times), color=plot.BLACK)
    for (name, value), colour in zip(statistics.items(), (plot.BLUE, plot.ORANGE, plot.RED, plot.GREEN), strict=False):
        shares.axvline(value, color=colour, linestyle="--", label=name)
    shares.set(xlabel="latency (ms)", ylabel="calls that were as fast (%)", xscale="log")
    shares.legend(frameon=False)
    return fig


def draw_statistics(warmup: int, repeats: int, counts: list[int], curves: dict[str, list[float]]) -> Figure:
    """Left: which recorded calls are used. Right: percentiles over the number of calls."""
    fig, (used, values) = plot.figure(2)
    times = np.array(RECORDED_US) / 1000
    used.plot(times, ".", color="lightgrey", markersize=4)
    used.plot(range(warmup, warmup + repeats), times[warmup : warmup + repeats], ".", color=plot.BLUE, markersize=4)
    used.set(xlabel="call (blue: timed)", ylabel="latency (ms)", yscale="log")
    plot.lines(values, counts, curves, "timed calls", "latency (ms)")
    values.axvline(repeats, color=plot.BLACK, linestyle="--", linewidth=0.8)
    values.set(yscale="log")
    return fig


def draw_turns(apart: dict[str, list[float]], in_turns: dict[str, list[float]]) -> Figure:
    """Two candidates on a machine that slows down: one after the other, and in turns."""
    fig, axes = plot.figure(2)
    for ax, times, title in zip(axes, (apart, in_turns), ("first A, then B", "in turns"), strict=True):
        a, b = times["A"], times["B"]
        at = (
            (range(len(a)), range(len(a), 2 * len(a)))
            if times is apart
            else (range(0, 2 * len(a), 2), range(1, 2 * len(a), 2))
        )
        for x, y, name, colour, marker in zip(at, (a, b), "AB", (plot.BLUE, plot.ORANGE), "os", strict=True):
            ax.plot(x, [1000 * t for t in y], marker, color=colour, markersize=4, label=name)
        ax.set(xlabel="call", ylabel="latency (ms)", title=title, ylim=(0, 16))
    axes[0].legend(frameon=False, loc="lower right")
    return fig


def draw_batches(batches: list[int], latencies: dict[str, list[float]]) -> Figure:
    """Latency and throughput over the batch size."""
    fig, (slow, fast) = plot.figure(2)
    plot.lines(slow, batches, latencies, "images a call", "p50 latency (ms)")
    rates = {name: [1000 * b / t for b, t in zip(batches, ms, strict=True)] for name, ms in latencies.items()}
    plot.lines(fast, batches, rates, "images a call", "images per second")
    for ax in (slow, fast):
        ax.set(xscale="log", yscale="log", xticks=batches, xticklabels=map(str, batches))
        ax.minorticks_off()
    slow.legend(frameon=False)
    fast.legend().remove()
    return fig


def draw_fronts(
    names: list[str], scores: list[float], prices: dict[str, list[float]], fronts: list[list[int]]
) -> Figure:
    """Accuracy over one price a panel; the points of the front are filled and joined."""
    fig, axes = plot.figure(len(prices), width=4.2)
    for ax, (price, costs), front in zip(axes, prices.items(), fronts, strict=True):
        ax.plot([costs[i] for i in front], [scores[i] for i in front], color=plot.BLACK, linewidth=0.8)
        for i, name in enumerate(names):
            face = plot.PALETTE[i] if i in front else "white"
            ax.plot(
                costs[i],
                scores[i],
                plot.MARKERS[i],
                color=plot.PALETTE[i],
                markerfacecolor=face,
                markersize=9,
                label=name,
            )
        ax.set(xlabel=price, ylabel="validation accuracy (%)", xscale="log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0].legend(frameon=False)
    return fig


def draw_bill(utilisations: list[float], curves: dict[str, list[float]]) -> Figure:
    """Rent over the share of the time in which the machine has something to do."""
    fig, (ax,) = plot.figure(1, width=6.4)
    plot.lines(ax, [100 * u for u in utilisations], curves, "utilisation (%)", "rent for a billion images (USD)")
    ax.set(yscale="log")
    return fig


def check_size(parts: list[tuple], got: object, want: int, left: list[str]) -> None:
    """size_on_disk of `build(parts)` against the bytes that the file has, 10 % and 1 KiB allowed."""
    numbers: dict[str, int] = {"parameter": 0, "frozen": 0, "buffer": 0, "unsaved buffer": 0, "same as": 0}
    stored = dict(numbers)
    sizes: dict[str, int] = {}
    for name, kind, shape, *rest in parts:
        count = sizes[shape] if kind == "same as" else int(np.prod(shape))
        sizes[name] = count
        numbers[kind] += count
        stored[kind] += count * (torch.empty(0, dtype=getattr(torch, rest[0])).element_size() if rest else 4)
    what = f"size_on_disk of {len(parts)} tensors"
    unit = isinstance(got, float) and any(abs(got * k / want - 1) < 0.1 for k in (1e3, 1024, 1e6, 2**20))
    bytes_ = ": return bytes, not kilobytes or megabytes" if unit else ""
    whole = isinstance(got, int) and not isinstance(got, bool)
    require(whole, f"{what}: expected an int, yours is {got!r}{bytes_}")
    assert isinstance(got, int)

    def near(size: float) -> bool:
        return abs(got - size) <= 0.1 * size + 1024

    own = stored["parameter"] + stored["frozen"]
    saved = own + stored["buffer"]
    why = "look at the file itself"
    if near(want / 1000) or near(want / 1e6):
        why = "return bytes, not kilobytes or megabytes"
    elif stored["unsaved buffer"] and near(want + stored["unsaved buffer"]):
        why = "the whole module was pickled; the state_dict leaves out what is not to be saved"
    elif near(4 * (numbers["parameter"] + numbers["frozen"])) and not near(saved):
        why = "this is 4 bytes a parameter; the file holds buffers as well, and not every number has 4 bytes"
    elif stored["same as"] and near(saved + stored["same as"]):
        why = "a tensor with two names is in the file once"
    elif near(saved):
        why = "this is the sum of the tensors; each one in the file has a header, too"
    require(near(want), f"{what}: expected about {want:,} bytes, yours {got:,}: {why}")
    require(not left, f"{what}: it leaves a file behind: {', '.join(left)}", f"{what}: {want:,} bytes to within 10 %")


def check_untouched(before: dict, after: dict, what: str) -> None:
    """The `condition` of a model after count_macs against the one before."""
    hooks = f"{what}: expected {before['hooks']} hooks afterwards, yours leaves {after['hooks']}: remove its hooks"
    require(after["hooks"] == before["hooks"], hooks)
    expect(
        after["training"],
        before["training"],
        f"{what}: the mode (.training) of every submodule afterwards",
        {"The mode was left changed: remember .training of each submodule and put it back.": lambda got: True},
    )
    expect(after["tensors"], before["tensors"], f"{what}: parameters and buffers afterwards")
    expect(after["random numbers"], before["random numbers"], f"{what}: the random numbers drawn")


_KEYS = ("p50_ms", "p95_ms", "p99_ms", "mean_ms")


def _cut_off(got: dict, want: dict, seconds: list[float], *_) -> bool:
    pairs = [(got["result"][key], want["result"][key]) for key in _KEYS[:3]]
    return any(abs(g - w) > 1e-4 and any(abs(g / 1000 - s) < 1e-7 for s in seconds) for g, w in pairs)


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments.
def _exclusive(result: dict, seconds: list[float], warmup: int, repeats: int) -> bool:
    """Whether the percentiles are those at place p (n + 1) of the sorted times."""
    timed = [1000 * seconds[i % len(seconds)] for i in range(warmup, warmup + repeats)]
    found = np.percentile(timed, [50, 95, 99], method="weibull")
    if all(min(abs(v - t) for t in timed) < 1e-3 for v in found):  # as good as any rule that takes one of the times
        return False
    return all(abs(result[k] - v) < 1e-3 for k, v in zip(_KEYS, found, strict=False))


SYMPTOMS: dict[str, dict] = {
    "benchmark": {
        "The warm-up calls were timed: call fn `warmup` times before the clock is read at all.": (
            lambda got, want, s, warmup, *_: got["order"].index("c") < warmup
        ),
        "The total time was divided: read the clock just before and just after every single call.": lambda got, *_: (
            re.search("cf{2,}", got["order"])
        ),
        "fn is to be called warmup + repeats times.": lambda got, want, *_: (
            got["order"].count("f") != want["order"].count("f")
        ),
        "The clock is read twice for each timed call: just before it and just after it.": lambda got, want, *_: (
            got["order"] != want["order"]
        ),
        "These are seconds; the keys say milliseconds.": lambda got, want, *_: (
            abs(got["result"]["p50_ms"] * 1000 / want["result"]["p50_ms"] - 1) < 1e-4
        ),
        "Exclusive quantiles: the least time is the 0th percentile, the largest the 100th.": (
            lambda got, want, seconds, warmup, repeats, *_: _exclusive(got["result"], seconds, warmup, repeats)
        ),
        "A percentile is one of the measured times: interpolate between its neighbours, do not cut the index off.": (
            _cut_off
        ),
        "per_second is 1000 / mean_ms.": lambda got, want, *_: all(
            abs(got["result"][k] - want["result"][k]) < 1e-3 for k in _KEYS
        ),
    },
    "compare": {
        "All calls of A came first and then all of B: take turns, A, B, A, B.": lambda got, *_: (
            list(got["calls"][2:]) == sorted(got["calls"][2:]) and len(got["calls"]) > 4
        ),
        "Call each function once, untimed, before the first round.": lambda got, want, a, b, rounds: (
            got["calls"] == "ab" * rounds
        ),
        "The calls do not alternate A, B, A, B for `rounds` rounds.": lambda got, want, *_: (
            got["calls"] != want["calls"]
        ),
    },
}
