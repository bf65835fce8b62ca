"""What the test cells of lesson 00 call: models from plain lists, what an answer leaves behind, signs of mistakes."""

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
from torch import Tensor

from bonsai.testing import expect, require


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
    what = f"size_on_disk of {len(parts)} tensor{'s' * (len(parts) != 1)}"
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
        why = "this is the sum of the tensors; each one in the file has a header, too: look at the file itself"
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

    def moved(got: dict) -> bool:
        return any("running_" in name and not torch.equal(got[name], was) for name, was in before["tensors"].items())

    expect(after["tensors"], before["tensors"], f"{what}: parameters and buffers afterwards", {TRAINING: moved})
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


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

OWN = "The model's own parameters were left out: children() lists only the modules in it."
TWICE = "A shared parameter was counted twice: it has two names and exists once."
FROZEN = "The frozen parameters were left out: they are stored and computed with all the same."
BUFFERS = "The buffers were counted: a running mean is not a parameter."
GROUPS = "The groups were ignored: an output channel sees only the input channels of its group."
FLOPS = "These are FLOPs; a multiply-accumulate is two of them."
BIAS = "The bias was counted: it is added without a multiplication."
BATCH = "The batch was ignored: input_shape holds it, and each of its images costs the same."
TRAINING = "BatchNorm moved its averages, and layers act as in training: run in eval mode."
ONCE = "A layer that runs twice counts twice, and one that does not run counts 0."
MEANS = "This is the ratio of means (or of sums): take the percentiles of the ratios of each round."
MEDIANS = "This is the ratio of percentiles: take the percentiles of the ratios of each round."
INVERTED = "The ratio is inverted: it is t_a / t_b, above 1 when B is faster."
TIES = "A dominated tie was kept: with equal cost the higher score wins, and with equal score the lower cost."
COST = "The cost was maximised: a low cost is good."
DUPLICATES = "A duplicate was dropped: equal points do not dominate each other, so both stay."
ORDER = "The right points, in another order: sort by cost, then by index."
SCORE = "The score was minimised: a high score is good."
POINTS = "These are points: return their indices."
RENT = "The rent includes power: usd is rent times machine hours, nothing else."
SECONDS = "A unit slipped: the latency is in milliseconds, not in seconds."
WATTS = "A unit slipped: the power is in watts, and kwh are kilowatt-hours."
HOURS = "A unit slipped: the power and the rent are per hour, not per second."
TIMES = "The utilisation was multiplied: an idle machine takes more hours for the same work, so divide."
NO_USE = "The utilisation was left out: the machine is paid for while it waits, too."
NO_BATCH = "The batch was ignored: one call answers `batch` requests."

COUNT_PARAMETERS_MISTAKES = {
    OWN: [0, 40, 16, 6],
    TWICE: [15, 80, 16, 6],
    FROZEN: [15, 40, 6, 6],
    BUFFERS: [15, 40, 16, 13],
    "A shared parameter and the buffers were counted as well: a state_dict lists more than the parameters.": [
        15,
        80,
        16,
        13,
    ],
}


MACS_MISTAKES = {
    GROUPS: [24, 3456, 14400, 150],
    FLOPS: [48, 6912, 14400, 300],
    BIAS: [30, 3584, 7600, 180],
    BATCH: [12, 3456, 3600, 50],
    ONCE: [24, 3456, 7200, 75],
    "A layer that does not run counts 0, and one that runs twice counts twice.": [24, 3456, 7200, 180],
}


def compare_mistakes(turns, quartiles) -> dict:
    """What mistakes in compare give."""
    return {
        MEANS: [{"calls": turns, "result": quartiles(17 / 6, 17 / 6, 17 / 6)}],
        MEDIANS: [{"calls": turns, "result": quartiles(3.0, 3.0, 2.8)}],
        INVERTED: [{"calls": turns, "result": quartiles(11 / 48, 1 / 3, 2 / 3)}],
    }


PARETO_FRONT_MISTAKES = {
    TIES: [[1, 2, 3, 0, 4], [1, 0, 2], [], [0]],
    COST: [[4], [2], [], [2, 1, 0]],
    "The cost was maximised: a low cost is good. ": [[4], [2], [], [0, 1, 2]],
    DUPLICATES: ([[1, 2, 0], [1, 2], [], [0]], [[1, 0], [1, 2], [], [0]]),
    "A duplicate was dropped: equal points all stay.": [[1, 3, 0], [1, 2], [], [0]],
    SCORE: [[1], [1], [], [0, 1, 2]],
    ORDER: [[0, 1, 2, 3], [1, 2], [], [0]],
}


PARETO_FRONT_SYMPTOMS = {
    POINTS: lambda got, want, *_: all(isinstance(point, (tuple, list)) and len(point) == 2 for point in got),
    ORDER: lambda got, want, *_: sorted(got) == sorted(want),
}


SERVING_COST_SYMPTOMS = {  # the right energy, and its price at up to 1 USD a kWh on top of the rent
    RENT: lambda got, want, *_: (
        abs(got["kwh"] / want["kwh"] - 1) < 1e-9 and 0 < got["usd"] - want["usd"] < 1.001 * want["kwh"]
    )
}


def serving_cost_mistakes(bill) -> dict:
    """What mistakes in serving_cost give."""
    return {
        SECONDS: [bill(2e3, 4e4), bill(2e3, 1.5e4)],
        WATTS: [bill(2e3, 40.0), bill(2e3, 15.0)],
        HOURS: [bill(7200.0, 144e3), bill(7200.0, 54e3)],
        TIMES: [bill(0.5, 10.0), ...],
        NO_USE: [bill(1.0, 20.0), ...],
        NO_BATCH: [bill(8.0, 160.0), ...],
        "The batch was multiplied: one call answers `batch` requests, so divide.": [bill(32.0, 640.0), ...],
    }
