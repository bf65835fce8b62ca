"""What the test cells of lesson 10 call: inputs, slow and obvious oracles, and the sentences about mistakes."""

import copy
import itertools
import math
import operator
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any

import lesson10
import spaces10
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models
from bonsai.testing import require, show

# Calls that would do an exercise for you: libraries, and the oracles below that no probe needs beside the answer.
ORACLES = [
    *("checks10.count_by_listing", "checks10.neighbours", "checks10.costs", "checks10.predicted", "checks10.elastic"),
    *("checks10.normed", "checks10.a_step", "checks10.recalibrated", "checks10.tau", "checks10.peeled"),
    *("checks10.crowded", "checks10.cost_with", "checks10.tau_with", "checks10.peeled_with", "checks10.crowded_with"),
]
LIBRARIES = ["nni", "optuna", "pymoo", "deap", "ray", "hyperopt", "syne_tune", "botorch"]
SEARCHERS = LIBRARIES + ORACLES
TAU = [*SEARCHERS, "scipy.stats.kendalltau", "scipy.stats.weightedtau", "pandas"]
RECALIBRATORS = [*SEARCHERS, "torch.optim.swa_utils.update_bn"]
COUNTERS = [*SEARCHERS, "torchinfo", "fvcore", "thop", "torch.utils.flop_counter", "bonsai.measure.macs"]
TIMERS = [*SEARCHERS, "timeit", "torch.utils.benchmark", "bonsai.measure.latency_ms"]


def stage(depths: list[int], widths: list[int], kernels: list[int], stride: int = 2) -> dict:
    """One stage of a space."""
    return {"depths": depths, "widths": widths, "kernels": kernels, "stride": stride}


# space_size and mutate ------------------------------------------------------------------------------------------------

SMALL_SPACE = [stage([1, 2], [8, 16], [3, 5]), stage([2], [8, 12, 16], [3])]
LONG_SPACE = [stage([1, 2, 3], [4, 8], [3]), stage([3, 1], [2, 4], [1, 3])]
FIXED_SPACE = [stage([2], [8], [3]), stage([1], [4], [5], 1)]
HUGE_SPACE = [stage([2, 3, 4], [8, 12, 16], [3, 5, 7])] * 12


def count_by_listing(space: list[dict]) -> int:
    """Architectures of a space, stage by stage and layer by layer."""
    total = 1
    for part in space:
        versions = 0
        for depth in part["depths"]:
            ways = 1
            for _ in range(depth):
                ways *= len(list(itertools.product(part["widths"], part["kernels"])))
            versions += ways
        total *= versions
    return total


def layer_choices(part: dict) -> int:
    return len(part["widths"]) * len(part["kernels"])


def one_depth(choices: int, depths: list[int]) -> int:
    """The versions of a stage whose layers have so many choices."""
    return sum(choices**d for d in depths)


def sized(choices: Callable = layer_choices, versions: Callable = one_depth) -> Callable:
    """A size from the choices of one layer, and the versions of a stage with these and its depths."""

    def answer(space):
        return math.prod(versions(choices(part), part["depths"]) for part in space)

    return answer


SIZE_MISTAKES: dict[str, Any] = {
    "Layers that are not there were counted: a stage of depth d has choices ** d versions.": (
        sized(versions=lambda c, depths: len(depths) * c ** max(depths)),
        sized(versions=lambda c, depths: c ** max(depths)),
    ),
    "One choice a stage was counted: every layer chooses its width and kernel by itself.": (
        sized(versions=lambda c, depths: len(depths) * c),
        lambda space: math.prod(len(s["kernels"]) * sum(len(s["widths"]) ** d for d in s["depths"]) for s in space),
        lambda space: math.prod(len(s["widths"]) * sum(len(s["kernels"]) ** d for d in s["depths"]) for s in space),
    ),
    "The stages were added: each version of one goes with each version of the others.": (
        lambda space: sum(sum(layer_choices(s) ** d for d in s["depths"]) for s in space),
    ),
    "A layer has len(widths) * len(kernels) choices: each width goes with each kernel.": (
        sized(lambda part: len(part["widths"]) + len(part["kernels"])),
        sized(lambda part: len(part["widths"])),
        sized(lambda part: len(part["kernels"])),
    ),
    "d layers with c choices each have c ** d versions.": (
        sized(versions=lambda c, depths: sum(c * d for d in depths)),
        sized(versions=lambda c, depths: sum(d**c for d in depths)),
    ),
    "A stage has one of its depths: add what each of them gives.": (
        sized(versions=lambda c, depths: math.prod(c**d for d in depths)),
        sized(versions=lambda c, depths: c ** min(depths)),
    ),
    "The depths are the numbers in the list; others do not occur.": (
        sized(versions=lambda c, depths: sum(c**d for d in range(1, max(depths) + 1))),
        sized(versions=lambda c, depths: sum(c**d for d in range(1, len(depths) + 1))),
    ),
    "Only the last stage was counted: multiply the stages.": lambda space: count_by_listing(space[-1:]),
    "The stride is no choice.": sized(lambda part: layer_choices(part) * part["stride"]),
}


def rounded_by_a_float(got: Any, right: int, space: list[dict]) -> bool:
    """A float, or an int that has been one."""
    near = isinstance(got, (int, float)) and not isinstance(got, bool)
    return near and (type(got) is float or got != right) and math.isclose(got, right, rel_tol=1e-9)


SIZE_SYMPTOMS: dict[str, Callable] = {
    "A float holds 53 bits only: count with ints (// and **, no numpy).": rounded_by_a_float,
    "An integer of numpy or torch has 64 bits only: count with Python's ints.": (
        lambda got, right, space: type(got) is not float and got != right and (got - right) % 2**64 == 0
    ),
}


def tidy(arch: Any) -> Any:
    """Lists and tuples are alike: tuples."""
    return tuple(tidy(part) for part in arch) if isinstance(arch, (list, tuple)) else arch


def neighbours(arch: Sequence, space: list[dict]) -> set:
    """Every architecture with one decision changed."""
    found: set = set()
    arch = tidy(arch)
    for s, part in enumerate(space):
        layer = list(itertools.product(part["widths"], part["kernels"]))
        for i, (width, kernel) in enumerate(arch[s]):
            near = {(w, kernel) for w in part["widths"]} | {(width, k) for k in part["kernels"]}
            for other in near - {(width, kernel)}:
                found.add((*arch[:s], (*arch[s][:i], other, *arch[s][i + 1 :]), *arch[s + 1 :]))
        for depth in part["depths"]:
            if depth < len(arch[s]):
                found.add((*arch[:s], arch[s][:depth], *arch[s + 1 :]))
            elif depth > len(arch[s]):
                for more in itertools.product(layer, repeat=depth - len(arch[s])):
                    found.add((*arch[:s], arch[s] + more, *arch[s + 1 :]))
    return found


def is_valid(arch: Any, space: list[dict]) -> bool:
    """Whether it is an architecture of the space."""
    if not isinstance(arch, tuple) or len(arch) != len(space):
        return False
    for layers, part in zip(arch, space, strict=True):
        if not isinstance(layers, tuple) or len(layers) not in part["depths"]:
            return False
        for layer in layers:
            if not isinstance(layer, tuple) or len(layer) != 2:
                return False
            if layer[0] not in part["widths"] or layer[1] not in part["kernels"]:
                return False
    return True


def fault_of_children(told: dict, arch: Sequence, space: list[dict]) -> str:
    """What is wrong with children of one parent, or nothing; `told` is what the probe saw."""
    parent, near = tidy(arch), neighbours(arch, space)
    if tidy(told["parent"]) != parent:
        return f"mutate changed its input: the parent was {parent}, and is {tidy(told['parent'])} afterwards"
    born, again, other, backwards = [
        [tidy(child) for child in told[key]] for key in ("born", "again", "other noise", "backwards")
    ]
    for child in born:
        if child == parent:
            return f"mutate returned the parent {parent}: one decision has to change"
        if not is_valid(child, space):
            return f"mutate made {child} of {parent}, which is not an architecture of the space {space}"
        if child not in near:
            return f"mutate made {child} of {parent}: {_redrawn(parent, child)}"
    some = born[:60]
    if some == again != other:
        return "an equal rng gave other children after another random.seed(…): draw from rng, not from global random"
    if some != again or some != backwards[:0:-1]:
        return "an equal rng gave another child: draw from rng and nothing else, and keep nothing between calls"
    if len(set(born)) == 1 < len(near):
        return "every seed of rng gave the same child: draw the decision from rng"
    missing = near - set(born)
    depths = {child for child in near if tuple(map(len, child)) != tuple(map(len, parent))}
    if depths and depths <= missing:
        return f"the depth never changes: in {len(born)} children of {parent} every stage kept its depth"
    never_deep = {tuple(map(len, child)) for child in missing} - {tuple(map(len, child)) for child in born}
    if never_deep:
        return f"the depths {sorted(never_deep)[0]} never came in {len(born)} children of {parent}: each other can come"
    if missing:
        advice = "; draw each new layer by itself" if missing <= depths else ""
        return f"{sorted(missing)[0]} is a neighbour of {parent} too, and never came in {len(born)} children{advice}"
    return ""


def _redrawn(parent: tuple, child: tuple) -> str:
    """How a child differs by more than one decision."""
    stages = [s for s in range(len(parent)) if parent[s] != child[s]]
    if len(stages) > 1:
        return f"{len(stages)} stages changed; change one decision"
    old, new = parent[stages[0]], child[stages[0]]
    if len(old) != len(new):
        return "a stage was redrawn: when the depth changes, the layers that both have stay as they are"
    return "a stage or layer was redrawn: change one width or one kernel of one layer"


# architecture_cost ----------------------------------------------------------------------------------------------------

COST_CASES = [
    ([[(8, 3), (8, 5)], [(12, 3), (16, 3)]], SMALL_SPACE, (1, 28, 28), 10),
    ([[(16, 5)], [(8, 3), (8, 3)]], SMALL_SPACE, (3, 13, 13), 7),
]


def costs(arch: Sequence, space: list[dict], image: tuple = (1, 28, 28), classes: int = 10) -> dict:
    """Both costs, from layers that really run."""
    net, x = spaces10.build(arch, space, image[0], classes).eval(), torch.zeros(1, *image)
    macs = params = 0
    for layer in net:
        x = layer(x)
        params += sum(p.numel() for p in layer.parameters())
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            macs += layer.weight.numel() * math.prod(x.shape[2:])
    return {"macs": macs, "params": params}


def cost_with(wrong: str) -> Callable:
    """Both costs by arithmetic, with one mistake."""

    def cost(arch, space, image=(1, 28, 28), classes=10):
        c_in, *size = (1, *image[1:]) if wrong == "one channel" else image
        classes = 10 if wrong == "ten classes" else classes
        macs = params = 0
        for layers, part in zip(arch, space, strict=True):
            for i, (c_out, kernel) in enumerate(layers):
                strided = (i == 0 or wrong == "stride everywhere") and wrong != "no stride"
                stride, before = part["stride"] if strided else 1, size
                up = {"rounded down": 0, "no padding": stride - kernel}.get(wrong, stride - 1)
                size = [(n + up) // stride for n in size]
                size = [size[0]] * 2 if wrong == "square" else size
                used = {"kernel once": kernel}.get(wrong, kernel * kernel)
                weights = c_out * used * (1 if wrong == "depthwise" else c_in)
                counted = weights + c_out * (wrong == "norm in macs")
                macs = macs * (wrong != "last layer") + counted * math.prod(before if wrong == "at the input" else size)
                norm = {"no norm": 0, "half a norm": c_out, "running": 4 * c_out, "conv bias": 3 * c_out}
                params += norm.get(wrong, 2 * c_out) + weights * (wrong != "no weights")
                last = i == len(layers) - 1
                c_in = c_in if wrong == "first input" or (wrong == "by stage" and not last) else c_out
        head = arch[-1][-1][0] * (math.prod(size) if wrong == "not pooled" else 1) * classes
        macs += 0 if wrong in ("no classifier", "classifier without macs") else head
        macs += classes * (wrong == "bias in macs")
        params += 0 if wrong == "no classifier" else head + classes * (wrong != "no bias")
        return {"macs": macs * (2 if wrong == "flops" else 1), "params": params}

    return cost


COST_MISTAKES: dict[str, Any] = {
    "Sizes are rounded down; padding kernel // 2 makes a size n to n / stride, rounded up.": cost_with("rounded down"),
    "The padding is kernel // 2: a size n becomes n / stride, rounded up.": cost_with("no padding"),
    "BatchNorm is forgotten: it has two parameters a channel.": cost_with("no norm"),
    "BatchNorm has two parameters a channel, weight and bias; its running values are none.": (
        cost_with("half a norm"),
        cost_with("running"),
    ),
    "The classifier is forgotten.": cost_with("no classifier"),
    "The classifier's multiply-accumulates are forgotten.": cost_with("classifier without macs"),
    "The classifier's bias is forgotten.": cost_with("no bias"),
    "The convolutions have no bias.": cost_with("conv bias"),
    "The weights of the convolutions are parameters, too.": cost_with("no weights"),
    "Every layer has the stride; only the first of a stage does.": cost_with("stride everywhere"),
    "The stride is not used: the first layer of a stage has it.": cost_with("no stride"),
    "MACs are counted at the size of the layer's input; a convolution works once for each output.": cost_with(
        "at the input"
    ),
    "A layer has c_out * c_in * kernel * kernel weights; c_in is the width of the layer before.": (
        cost_with("kernel once"),
        cost_with("depthwise"),
        cost_with("first input"),
        cost_with("by stage"),
    ),
    "The multiply-accumulates of all layers are added.": cost_with("last layer"),
    "A multiply-accumulate counts once, not as two operations.": cost_with("flops"),
    "Biases and BatchNorm are no multiply-accumulates here.": (cost_with("bias in macs"), cost_with("norm in macs")),
    "The classifier sees one number a channel: the mean over the picture comes before it.": cost_with("not pooled"),
    "The picture need not be square: carry height and width along.": cost_with("square"),
    "The number of classes is an argument.": cost_with("ten classes"),
    "The channels of the picture are image[0].": cost_with("one channel"),
}

# latency_table and predict_latency ------------------------------------------------------------------------------------


def expected_table(durations: dict[Any, list[float]], rounds: int) -> dict:
    """What a probe should tell: the log of events, and the table; the n-th call takes the n-th duration."""
    log = list(durations)
    for _ in range(rounds):
        for key in durations:
            log += ["clock", key, "clock"]
    table = {key: 1000 * statistics.median(seconds[1 : rounds + 1]) for key, seconds in durations.items()}
    return {"table": table, "log": log}


def _calls(got: dict) -> list:
    return [event for event in got["log"] if event != "clock"]


def warm_up_timed(got: dict, right: dict, *case: Any) -> bool:
    """The very first call stands between two readings."""
    return bool(got["log"]) and got["log"][0] == "clock"


def layer_by_layer(got: dict, right: dict, durations: dict, rounds: int) -> bool:
    """All calls of one key in a row, more than once."""
    timed = _calls(got)[-len(durations) * rounds :]
    blocks = len(list(itertools.groupby(timed)))
    return len(timed) == len(durations) * rounds > blocks == len(durations)


def made_of(statistic: Callable) -> Callable:
    """Whether every entry is a statistic of the seconds of that layer, which has the right readings."""

    def shows(got: dict, right: dict, durations: dict, rounds: int | None) -> bool:
        pairs = [(got["table"][key], statistic(v[1 : (rounds or 15) + 1])) for key, v in durations.items()]
        return bool(pairs) and all(math.isclose(mine, other, rel_tol=1e-6) for mine, other in pairs)

    return shows


def any_of(*shows: Callable) -> Callable:
    """Whether one of several symptoms shows."""
    return lambda *args: any(one(*args) for one in shows)


TABLE_SYMPTOMS: dict[str, Callable] = {
    "The clock that was given is not read: call clock(), in seconds.": (
        lambda got, right, *case: "clock" not in got["log"]
    ),
    "The warm-up is timed: the first call of each function is made before the clock is read.": warm_up_timed,
    "Layer by layer: a busy moment then hits one layer only; make rounds over all of them.": layer_by_layer,
    "Too many or too few calls: each function is called once untimed, and then once a round.": (
        lambda got, right, *case: len(_calls(got)) != len(_calls(right))
    ),
    "The order is another one: each round calls all functions as they stand in the dict.": (
        lambda got, right, *case: _calls(got) != _calls(right)
    ),
    "The clock is to be read just before and just after each timed call, and not elsewhere.": (
        lambda got, right, *case: got["log"] != right["log"]
    ),
    "The keys of the table are those of layers, unchanged.": (
        lambda got, right, *case: set(got["table"]) != set(right["table"])
    ),
    "One number a layer: the median of its times.": (
        lambda got, right, *case: not all(isinstance(ms, float) for ms in got["table"].values())
    ),
    "These are seconds; the table holds milliseconds.": made_of(statistics.median),
    "A second has 1000 milliseconds.": made_of(lambda seconds: 1e6 * statistics.median(seconds)),
    "The time is what the clock shows after a call, minus what it shows before.": (
        made_of(lambda seconds: -1000 * statistics.median(seconds))
    ),
    "This is the mean; one interrupted call would move it. Take the median.": (
        made_of(lambda seconds: 1000 * statistics.fmean(seconds))
    ),
    "The median of an even number of rounds is the mean of the two in the middle.": any_of(
        made_of(lambda seconds: 1000 * statistics.median_low(seconds)),
        made_of(lambda seconds: 1000 * statistics.median_high(seconds)),
    ),
    "Take the median over the rounds; this is another number of the same times.": any_of(
        *[made_of(lambda seconds, of=of: 1000 * of(seconds)) for of in (min, max, sum)],
        made_of(lambda seconds: 1000 * statistics.median(seconds[1:])),
    ),
}


def predicted(arch, space, table, image=(1, 28, 28)):
    """The entries of an architecture added up, the sizes read from a network that runs."""
    net, x = spaces10.build(arch, space, image[0]).eval(), torch.zeros(1, *image)
    total = 0.0
    for layer in net:
        before, x = x, layer(x)
        if isinstance(layer, nn.Conv2d):
            size = before.shape[2]
            total += table[size, layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0]]
        elif isinstance(layer, nn.Linear):
            total += table["head", layer.in_features]
    return total


def lookup(key: tuple) -> float:
    """A number of thousandths that tells keys apart."""
    mixed = 7
    for part in key:
        mixed = (mixed * 31 + (part if isinstance(part, int) else 999)) % 100_003
    return mixed / 1024


def full_table(space: list[dict], image: tuple) -> dict:
    """Entries for every layer that may be asked for, rightly or by one of the mistakes."""
    table: dict = {}
    widths = sorted({w for part in space for w in part["widths"]} | {image[0]})
    kernels = {k for part in space for k in part["kernels"]}
    strides = {1} | {part["stride"] for part in space}
    sizes, todo = set(), [image[1]]
    while todo:
        n = todo.pop()
        if n not in sizes:
            sizes.add(n)
            todo += [-(-n // s) for s in strides]
    for key in itertools.product(sizes, widths, widths, kernels, strides):
        table[key] = lookup(key)
    return table | {("head", c): lookup(("head", c)) for c in widths}


def predicted_with(wrong: str) -> Callable:
    """The entries added up by arithmetic, with one mistake."""

    def predict(arch, space, table, image=(1, 28, 28)):
        c_in, size, entries = image[0], image[1], []
        for layers, part in zip(arch, space, strict=True):
            for i, (width, kernel) in enumerate(layers):
                stride = part["stride"] if i == 0 or wrong == "stride everywhere" else 1
                after = size // stride if wrong == "rounded down" else -(-size // stride)
                asked = 1 if wrong in ("no stride", "never smaller") else stride
                channels = (width, c_in) if wrong == "width first" else (c_in, width)
                entries.append(table[after if wrong == "size after" else size, *channels, kernel, asked])
                size = size if wrong in ("size stays", "size by stage", "never smaller") else after
                c_in = c_in if wrong in ("first input", "one input") else width
            size = -(-size // part["stride"]) if wrong == "size by stage" else size
            if wrong == "many heads":
                entries.append(table["head", width])
        if wrong not in ("no head", "many heads"):
            entries.append(table["head", image[0] if wrong in ("head of image", "one input") else arch[-1][-1][0]])
        return sum(entries)

    return predict


PREDICTION_MISTAKES: dict[str, Any] = {
    "The head is forgotten.": predicted_with("no head"),
    "The head counts once, with the channels of the last layer.": (
        predicted_with("many heads"),
        predicted_with("head of image"),
    ),
    "Every layer was looked up with the stride; only the first of a stage has it.": predicted_with("stride everywhere"),
    "Every layer was looked up with stride 1; the first of a stage has the stage's.": (
        predicted_with("no stride"),
        predicted_with("never smaller"),
    ),
    "The size after the layer was looked up; the key holds the size of its input.": predicted_with("size after"),
    "The size changes after each layer with a stride, to size / stride, rounded up.": (
        predicted_with("size stays"),
        predicted_with("size by stage"),
        predicted_with("rounded down"),
    ),
    "c_in is the width of the layer before; of the first layer, the picture's channels.": (
        predicted_with("first input"),
        predicted_with("one input"),
    ),
    "The key is (size, c_in, width, kernel, stride): what comes in stands first.": predicted_with("width first"),
}
PREDICTION_SYMPTOMS: dict[str, Callable] = {
    "The table has no such entry: the key is (size, c_in, width, kernel, stride), with the size of the input.": (
        lambda got, right, *case: isinstance(got, KeyError)
    )
}

# the elastic classes --------------------------------------------------------------------------------------------------


def elastic_case(seed: int, settings: tuple, calls: list[tuple]) -> tuple:
    """(settings, weight, calls): calls are (x, width, kernel) with x of the given shape."""
    rng = torch.Generator().manual_seed(seed)
    c_in, c_out, kernel, *_ = settings
    weight = torch.randn(c_out, c_in, kernel, kernel, generator=rng)
    return settings, weight, [(torch.randn(shape, generator=rng), width, k) for shape, width, k in calls]


def elastic(settings: tuple, weight: Tensor, calls: list[tuple], wrong: str = "") -> dict:
    """What the probe should tell: outputs, and the gradients of half the sum of their squares."""
    stride, told = (*settings, 1)[3], []
    c_out, c_in, largest, _ = weight.shape
    for x, width, kernel in calls:
        x, full = x.clone().requires_grad_(), weight.clone().requires_grad_()
        edge = {"corner": 0, "far corner": largest - kernel}.get(wrong, (largest - kernel) // 2)
        outs = range(c_out) if wrong == "all" else range(c_out - width, c_out) if wrong == "last" else range(width)
        first = c_in - x.shape[1] if wrong == "last inputs" else 0
        rows = [full[o, first : first + x.shape[1], edge : edge + kernel, edge : edge + kernel] for o in outs]
        part = torch.stack(rows).detach() if wrong == "detached" else torch.stack(rows)
        pad = {"padding": largest // 2, "no padding": 0, "whole kernel": kernel}.get(wrong, kernel // 2)
        stride = 1 if wrong == "no stride" else stride
        y = F.conv2d(x, part, stride=stride, padding=pad)
        (y.square().sum() / 2).backward()
        gradient = torch.zeros_like(weight) if full.grad is None else full.grad
        told.append({"y": y.detach(), "x gradient": x.grad, "weight gradient": gradient})
    return {"parameters": ["weight"], "calls": told}


def elastic_with(wrong: str) -> Callable:
    """`elastic` with one mistake."""

    def answer(settings, weight, calls):
        return elastic(settings, weight, calls, wrong)

    return answer


ELASTIC_MISTAKES: dict[str, Any] = {
    "The corner of the kernel was used; a smaller kernel is the centre of the larger one.": (
        elastic_with("corner"),
        elastic_with("far corner"),
    ),
    "The last filters were used; take the first.": elastic_with("last"),
    "All filters were used; take the first `width`.": elastic_with("all"),
    "The last input channels of the weight were used; take the first.": elastic_with("last inputs"),
    "The stride is not used.": elastic_with("no stride"),
    "The padding is kernel // 2 of the kernel that is used.": (
        elastic_with("no padding"),
        elastic_with("whole kernel"),
    ),
    "No gradient reaches the shared weight: the part was copied or detached.": elastic_with("detached"),
    "The padding is that of the largest kernel; it belongs to the kernel that is used.": elastic_with("padding"),
}


def gradient_all_over(got: dict, right: dict, *case: Any) -> bool:
    """Outputs are right, but a gradient that should be zero is not."""
    pairs = list(zip(got["calls"], right["calls"], strict=True))
    same = all(torch.allclose(g["y"], w["y"], atol=1e-3) for g, w in pairs)
    return same and any((g["weight gradient"][w["weight gradient"] == 0] != 0).any() for g, w in pairs)


ELASTIC_SYMPTOMS: dict[str, Callable] = {
    "Its only parameter is to be `weight`, an nn.Parameter.": (
        lambda got, right, *case: got["parameters"] != right["parameters"]
    ),
    "A gradient reaches parts of the weight that the call did not use.": gradient_all_over,
}


NORM = ("weight", "bias", "running_mean", "running_var")


def fill(layer: nn.Module, state: dict[str, Tensor]) -> None:
    """Put values into an elastic layer; it may hold more than these.

    Raises:
        ValueError: a tensor of another shape.
    """
    for name, values in state.items():
        own = getattr(layer, name).data
        if own.shape != values.shape:
            raise ValueError(f"{name} has shape {tuple(own.shape)}, expected {tuple(values.shape)}")
        own.copy_(values)


def norm_state(channels: int, seed: int) -> dict[str, Tensor]:
    """Parameters and running values that are not those of a new layer."""
    rng = torch.Generator().manual_seed(seed)
    draw = torch.randn(3, channels, generator=rng)
    return {
        "weight": draw[0] / 4 + 1,
        "bias": draw[1],
        "running_mean": draw[2],
        "running_var": torch.rand(channels, generator=rng) + 0.5,
    }


def norm_steps(seed: int, *shapes: tuple) -> list[tuple[bool, Tensor]]:
    """(train mode or not, input) a call."""
    rng = torch.Generator().manual_seed(seed)
    return [(mode, torch.randn(shape, generator=rng) * 2 + 1) for mode, shape in shapes]


def normed(state: dict, steps: list, wrong: str = "") -> list[dict]:
    """Batch norm of the first channels, channel by channel; the running values after each call."""
    mean, var, told = state["running_mean"].clone(), state["running_var"].clone(), []
    weight, bias = state["weight"], state["bias"]
    for training, x in steps:
        y = torch.empty_like(x)
        used = range(x.shape[1])
        for k in used:
            c = k + len(mean) - x.shape[1] if wrong == "last" else k
            values = x[:, k].double()
            of_batch = values.mean(), values.var(unbiased=wrong == "unbiased" and values.numel() > 1)
            by_batch = {"always batch": True, "always running": False}.get(wrong, training)
            m, v = of_batch if by_batch else (mean[c].double(), var[c].double())
            scale, shift = (1, 0) if wrong == "not affine" else (weight[c].double(), bias[c].double())
            y[:, k] = ((values - m) / torch.sqrt(v + (1e-3 if wrong == "eps" else 1e-5)) * scale + shift).float()
            if by_batch and wrong != "never stored":
                unbiased = values.var(unbiased=wrong != "biased") if values.numel() > 1 else v
                new = {"most": 0.9, "replaced": 1.0}.get(wrong, 0.1)
                mean[c] = (1 - new) * mean[c] + new * values.mean()
                var[c] = (1 - new) * var[c] + new * (unbiased.sqrt() if wrong == "std" else unbiased)
        told.append({"y": y, "running_mean": mean.clone(), "running_var": var.clone()})
    return told


def normed_with(wrong: str) -> Callable:
    """`normed` with one mistake."""

    def answer(state, steps):
        return normed(state, steps, wrong)

    return answer


NORM_MISTAKES: dict[str, Any] = {
    "The running statistics are not updated in train mode: copies of the slices were moved.": (
        normed_with("never stored")
    ),
    "The running variance is the unbiased one (divided by n - 1).": normed_with("biased"),
    "The batch is normalised with its biased variance (divided by n).": normed_with("unbiased"),
    "It normalises with the batch in eval mode too; there, the running values are used.": normed_with("always batch"),
    "It normalises with the running values in train mode too; there, the batch's are used.": (
        normed_with("always running")
    ),
    "The new running value is 0.9 of the old one and 0.1 of the batch's.": (
        normed_with("most"),
        normed_with("replaced"),
    ),
    "The running variance is a variance, not a standard deviation.": normed_with("std"),
    "weight and bias are not used.": normed_with("not affine"),
    "The last channels' values were used; take the first.": normed_with("last"),
    "eps is 1e-5.": normed_with("eps"),
}


def others_moved(got: list, right: list, state: dict, steps: list) -> bool:
    """A running value of a channel that did not take part is another one."""
    used = max(x.shape[1] for _, x in steps)
    only = [(g["running_mean"][:used] != state["running_mean"][:used]).any() for g in got]
    return any(only) and any((g["running_mean"][used:] != state["running_mean"][used:]).any() for g in got)


NORM_SYMPTOMS: dict[str, Callable] = {"Channels that did not take part were moved as well.": others_moved}


def shares_memory(got: dict, right: dict, *case: Any) -> bool:
    """What the elastic layer holds after the standalone one was overwritten, or the other way round."""
    moved = "after doubling" in got and torch.allclose(got["y"], right["y"], atol=1e-4)
    moved = moved and not torch.allclose(got["after doubling"], right["after doubling"], atol=1e-4)
    return moved or _differs(got["elastic after"], right["elastic after"])


def _differs(a: Any, b: Any) -> bool:
    return not torch.allclose(torch.as_tensor(a), torch.as_tensor(b), atol=1e-4)


def other_output(got: dict, right: dict, *case: Any) -> bool:
    return got["y"].shape == right["y"].shape and _differs(got["y"], right["y"])


SHARED = "The standalone layer shares memory with the elastic one: copy the part."
CONV_ALONE_SYMPTOMS: dict[str, Callable] = {
    "standalone is to return an nn.Conv2d.": lambda got, right, *case: got["kind"] != "Conv2d",
    "The standalone layer has a bias; the elastic one has none.": lambda got, right, *case: not got["no bias"],
    "The standalone layer has another stride or padding.": (
        lambda got, right, *case: got["y"].shape != right["y"].shape
    ),
    "The standalone layer's weights are not the part that a call uses.": other_output,
    SHARED: shares_memory,
}
NORM_ALONE_SYMPTOMS: dict[str, Callable] = {
    "standalone is to return an nn.BatchNorm2d.": lambda got, right, *case: got["kind"] != "BatchNorm2d",
    "The standalone layer lacks the running statistics.": (
        lambda got, right, *case: not got["running_mean"].any() and right["running_mean"].any()
    ),
    "The standalone layer lacks weight and bias.": lambda got, right, *case: _differs(got["train"], right["train"]),
    "The standalone layer lacks the running variance.": lambda got, right, *case: _differs(got["eval"], right["eval"]),
    "The standalone layer moves its running values in another way: momentum is 0.1.": (
        lambda got, right, *case: _differs(got["moved mean"], right["moved mean"])
    ),
    SHARED: shares_memory,
}
NEW_NORM_SYMPTOMS: dict[str, Callable] = {
    "Its only parameters are to be `weight` and `bias`.": (
        lambda got, right, *case: got["parameters"] != right["parameters"]
    ),
    "The running values are not saved with the layer: make them buffers, by register_buffer.": (
        lambda got, right, *case: got["saved"] != right["saved"]
    ),
    "weight, bias, running_mean and running_var have one value a channel.": (
        lambda got, right, *case: any(got[name].shape != right[name].shape for name in NORM)
    ),
    "A new layer has weight and running_var 1, bias and running_mean 0.": (
        lambda got, right, *case: any(_differs(got[name], right[name]) for name in NORM)
    ),
}
GRADIENT_SYMPTOMS: dict[str, Callable] = {
    "No gradient reaches weight and bias: use slices of them, without .data or .detach().": (
        lambda got, right, *case: type(got) is RuntimeError or None in got
    ),
}


def norm_gradients(state: dict, x: Tensor, upstream: Tensor) -> list[Tensor]:
    """Gradients of the sum of a new layer's outputs, weighted, on weight and bias."""
    norm, c = nn.BatchNorm2d(x.shape[1]), x.shape[1]
    (norm(x) * upstream).sum().backward()
    found = []
    for parameter in (norm.weight, norm.bias):
        found.append(torch.zeros(len(state["weight"])))
        found[-1][:c] = parameter.grad  # type: ignore[assignment]
    return found


# sandwich_step --------------------------------------------------------------------------------------------------------


class Toy(nn.Module):
    """A net whose architectures are widths of one linear layer behind a batch norm; it logs its calls."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.norm = nn.BatchNorm1d(weight.shape[1])
        self.weight = nn.Parameter(weight.clone())
        self.log: list = []

    def forward(self, x: Tensor, arch: list) -> Tensor:
        width = arch[0][0][0]
        self.log.append([width, self.training])
        return self.norm(x)[:, :width] @ self.weight[:, :width].T


def toy_case(seed: int, others: list[int], training: bool = True, steps: int = 1, classes: int = 3) -> tuple:
    """(weight, x, y, widths of the others, train mode, steps)."""
    rng = torch.Generator().manual_seed(seed)
    weight, x = torch.randn(classes, 5, generator=rng), torch.randn(6, 5, generator=rng)
    return weight, x, torch.randint(0, classes, (6,), generator=rng), others, training, steps


class Counting(torch.optim.SGD):
    """SGD that counts its steps."""

    steps = 0

    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)


def run_toy(step: Callable, weight: Tensor, x: Tensor, y: Tensor, others: list, training: bool, steps: int) -> dict:
    """Some steps on a toy net whose parameters have a gradient left from before."""
    net = Toy(weight).train(training)
    optimizer = Counting(net.parameters(), lr=0.25, momentum=0.5)
    net.weight.grad = torch.ones_like(weight)
    losses = []
    for _ in range(steps):
        losses.append(step(net, x, y, [[(5, 3)]], [[[(width, 3)]] for width in others], optimizer))
    told = {"losses": losses, "weight": net.weight.detach().clone(), "calls": net.log, "training": net.training}
    told["optimizer steps"] = optimizer.steps
    return told | {"running_mean": net.norm.running_mean.clone()}  # type: ignore[operator,union-attr]


def a_step(wrong: str = "") -> Callable:
    """The step written out for the toy net, or one of the mistakes."""

    def step(net, x, y, largest, others, optimizer):
        if wrong not in ("no zero_grad", "cleared late"):
            for p in net.parameters():
                p.grad = None
        first = net(x, largest)
        loss = -torch.log_softmax(first, 1)[torch.arange(len(y)), y].mean()
        z = first if wrong == "teacher" else first.detach()
        teacher = torch.softmax(z / 2 if wrong == "temperature" else z, 0 if wrong == "over images" else 1)
        teacher = {"logits": z, "argmax": F.one_hot(z.argmax(1), z.shape[1]).float()}.get(wrong, teacher)
        parts: list = []
        for arch in others:
            other = net(x, arch)
            log_q = torch.log_softmax(torch.softmax(other, 1) if wrong == "softmax twice" else other, 1)
            hard, soft = -log_q[torch.arange(len(y)), y].mean(), -(teacher * log_q).sum(1).mean()
            soft = {"squares": (other - z).square().mean(), "sum": soft * len(y), "by class": soft / z.shape[1]}.get(
                wrong, soft
            )
            parts.append({"labels": hard, "both": hard + soft, "no gradient": soft.detach()}.get(wrong, soft))
            if wrong == "chain":
                teacher = torch.softmax(other.detach(), 1)
        if wrong == "last other":
            parts = parts[-1:]
        if wrong == "mean":
            parts = [sum([loss, *parts]) / (1 + len(parts))]
        elif wrong == "mean of others":
            parts = [loss, sum(parts) / max(1, len(parts))]
        elif wrong != "largest left out":
            parts = [loss, *parts][-1 if wrong == "last loss" else 0 :]
        if parts:
            torch.stack(parts).sum().backward()
        optimizer.step()
        if wrong == "cleared late":
            optimizer.zero_grad()
        return loss.item()

    return step


def toy_with(wrong: str) -> Callable:
    """The toy net after steps with one mistake."""

    def answer(*case):
        return run_toy(a_step(wrong), *case)

    return answer


SANDWICH_MISTAKES: dict[str, Any] = {
    "A gradient flows into the teacher: detach the largest network's logits.": toy_with("teacher"),
    "The others learned from the labels; they imitate the largest.": toy_with("labels"),
    "The losses were averaged; they are added.": (toy_with("mean"), toy_with("mean of others")),
    "Old gradients were not cleared before the step.": (toy_with("no zero_grad"), toy_with("cleared late")),
    "The largest network's own loss is left out.": toy_with("largest left out"),
    "The targets are the softmax of the largest's logits over the classes, dim 1.": (
        toy_with("over images"),
        toy_with("logits"),
    ),
    "The targets are all probabilities of the largest, not only its best class.": toy_with("argmax"),
    "The softmax was taken twice: F.cross_entropy takes the logits of the others.": toy_with("softmax twice"),
    "There is no temperature here.": toy_with("temperature"),
    "The loss of the others is the cross-entropy with the largest's probabilities.": toy_with("squares"),
    "The loss of the others is the mean over the images: no sum, and not divided by the classes.": (
        toy_with("sum"),
        toy_with("by class"),
    ),
    "The others learn from the largest alone, not from the labels as well.": toy_with("both"),
    "The largest teaches all others; each other one taught the next.": toy_with("chain"),
    "Only the last loss of several has an effect: add them all.": (toy_with("last other"), toy_with("last loss")),
    "No gradient reaches the others: only the largest's logits are detached.": toy_with("no gradient"),
}


def loss_of_all(got: dict, right: dict, *case: Any) -> bool:
    """The weights are right, and the losses are not."""
    return torch.allclose(got["weight"], right["weight"], atol=1e-4) and _differs(got["losses"], right["losses"])


def several_steps(got: dict, right: dict, *case: Any) -> bool:
    """The toy's optimizer counts its steps."""
    return got["optimizer steps"] > right["optimizer steps"]


def other_order(got: dict, right: dict, *case: Any) -> bool:
    return got["calls"] != right["calls"]


SANDWICH_SYMPTOMS: dict[str, Callable] = {
    "The optimizer made no step.": lambda got, right, *case: got["optimizer steps"] == 0,
    "The optimizer made a step for each network: add all losses, then one step.": several_steps,
    "net is to be called once an architecture, the largest first, its mode as it is.": other_order,
    "The weights did not change: the new gradients were cleared before the step.": (
        lambda got, right, weight, *case: torch.equal(got["weight"], weight)
    ),
    "The returned loss is to be the largest's alone, and that before the step.": loss_of_all,
}

# recalibrate ----------------------------------------------------------------------------------------------------------

NORM_NET = [
    ("Conv2d", 1, 3, 3, {"padding": 1}),
    ("BatchNorm2d", 3),
    ("ReLU",),
    [("Conv2d", 3, 4, 3, {"stride": 2}), ("BatchNorm2d", 4, {"momentum": 0.25}), ("ReLU",)],
]
DROPOUT_NET = [("Conv2d", 1, 2, 3), ("Dropout", 0.5), ("BatchNorm2d", 2)]
MIXED_NET = [
    *(("BatchNorm2d", 1, {"affine": False}), ("Conv2d", 1, 2, 1), ("BatchNorm2d", 2, {"momentum": None})),
    *(("AdaptiveAvgPool2d", 2), ("Flatten",), ("BatchNorm1d", 8), ("Linear", 8, 4), ("Unflatten", 1, (4, 1, 1))),
    *(("Upsample", {"scale_factor": 3}), ("Dropout2d", 0.5), ("BatchNorm2d", 4)),
]


def norm_case(spec: list, seed: int, batches: list[int], size: int = 6, training: bool | str = False) -> tuple:
    """(spec, state, batches of images, modes); see `set_modes`."""
    rng = torch.Generator().manual_seed(seed)
    images = [torch.randn(n, 1, size, size, generator=rng) * (1 + i) + i for i, n in enumerate(batches)]
    return spec, models.random_state(models.network(spec), seed), images, training


def set_modes(net: nn.Module, training: bool | str) -> None:
    """All modules in train mode, or in eval mode; or, "mixed", in turn."""
    for i, module in enumerate(net.modules()):
        module.training = i % 2 == 1 if training == "mixed" else bool(training)


def recalibrated(spec: list, state: dict, images: list[Tensor], training: bool | str, wrong: str = "") -> list[dict]:
    """Running values of every BatchNorm2d: layer after layer, all batches at a time."""
    net = models.network(spec)
    net.load_state_dict(state)
    net.eval()
    flow, found = [torch.cat(images)] if wrong == "pooled" else list(images), []
    for layer in flat(net):
        if wrong == "all norms" and isinstance(layer, nn.BatchNorm1d):
            layer.train()
        if isinstance(layer, nn.BatchNorm2d):
            means = [x.mean((0, 2, 3)) for x in flow]
            vars_ = [x.transpose(0, 1).flatten(1).var(1, unbiased=wrong != "biased") for x in flow]
            old = (layer.running_mean.clone(), layer.running_var.clone())  # type: ignore[union-attr]
            found.append({
                "mean": _averaged(means, old[0], 0.0, layer.momentum, wrong, images),
                "var": _averaged(vars_, old[1], 1.0, layer.momentum, wrong, images),
            })  # fmt: skip
            if wrong == "standard deviation":
                found[-1]["var"] = _averaged([v.sqrt() for v in vars_], old[1], 1.0, layer.momentum, wrong, images)
            if wrong in ("mean only", "last variance"):
                found[-1]["var"] = old[1] if wrong == "mean only" else vars_[-1]
            if wrong == "one by one":
                flow = [layer(x) for x in flow]
            else:
                flow = [F.batch_norm(x, None, None, layer.weight, layer.bias, True, 0.0, layer.eps) for x in flow]
        else:
            flow = [layer(x) for x in flow]
    return found


def flat(net: nn.Module) -> list[nn.Module]:
    """The layers of nested Sequentials in order."""
    return [leaf for part in net.children() for leaf in (flat(part) if list(part.children()) else [part])]


def _averaged(values: list[Tensor], old: Tensor, new: float, momentum: Any, wrong: str, images: list) -> Tensor:
    if wrong in ("last", "first"):
        return values[0 if wrong == "first" else -1]
    if wrong == "sum":
        return torch.stack(values).sum(0)
    if wrong == "by size":
        total = sum(len(x) for x in images)
        return torch.stack([v * len(x) / total for v, x in zip(values, images, strict=True)]).sum(0)
    if wrong in ("from old", "from zero", "from zero by a tenth"):
        momentum = 0.1 if wrong == "from zero by a tenth" else momentum
        moving = old if wrong == "from old" else torch.full_like(old, new)
        for v in values:
            moving = torch.lerp(moving, v, momentum or 0.1)
        return moving
    return torch.stack(values).mean(0)


def recalibrated_with(wrong: str) -> Callable:
    """The probe's result with one mistake."""

    def answer(spec, state, images, training):
        first = recalibrated(spec, state, images, training, wrong)
        again = recalibrated(spec, with_values(spec, state, first), images, training, wrong)
        return {"running": first, "again": again} | kept(spec, state, training)

    return answer


def with_values(spec: list, state: dict, running: list[dict]) -> dict:
    """The state with other running values."""
    net = models.network(spec)
    net.load_state_dict(state)
    norms = [m for m in flat(net) if isinstance(m, nn.BatchNorm2d)]
    for norm, values in zip(norms, running, strict=True):
        norm.running_mean, norm.running_var = values["mean"].detach().clone(), values["var"].detach().clone()
    return net.state_dict()


def kept(spec: list, state: dict, training: bool | str) -> dict:
    """What stays as it was: modes, momentum and parameters."""
    net = models.network(spec)
    net.load_state_dict(state)
    set_modes(net, training)
    return {
        "modes": [m.training for m in net.modules()],
        "momentum": [m.momentum for m in flat(net) if isinstance(m, nn.BatchNorm2d)],
        "parameters": [p.detach().clone() for p in net.parameters()],
        "gradients": [None for _ in net.parameters()],
    }


RECALIBRATION_MISTAKES: dict[str, Any] = {
    "A moving average from the old values: what they were before must not matter.": recalibrated_with("from old"),
    "A moving average from the values of a new layer: every batch counts alike.": (
        recalibrated_with("from zero"),
        recalibrated_with("from zero by a tenth"),
    ),
    "Only the last batch counts.": recalibrated_with("last"),
    "Only the first batch was used.": recalibrated_with("first"),
    "The sums over the batches are to be divided by their number.": recalibrated_with("sum"),
    "All images were taken as one batch: each batch has a mean and a variance of its own.": recalibrated_with("pooled"),
    "running_var is a variance, not a standard deviation.": recalibrated_with("standard deviation"),
    "running_var is averaged, too: it is neither the old one nor the last batch's.": (
        recalibrated_with("mean only"),
        recalibrated_with("last variance"),
    ),
    "Only BatchNorm2d layers are in train mode; other kinds of batch norm are not.": recalibrated_with("all norms"),
    "The variance is the unbiased one (divided by n - 1).": recalibrated_with("biased"),
    "Batches were weighted by their size: each counts alike.": recalibrated_with("by size"),
    "A layer normalised with its old running values: all batch norms use the batch.": recalibrated_with("one by one"),
}
RECALIBRATION_SYMPTOMS: dict[str, Callable] = {
    "The momentum is another one afterwards.": lambda got, right, *case: got["momentum"] != right["momentum"],
    "The modes are not as before: each module gets its own back.": (
        lambda got, right, *case: got["modes"] != right["modes"]
    ),
    "A parameter was changed.": lambda got, right, *case: _differs_in(got["parameters"], right["parameters"]),
    "A batch norm inside of another module kept its old values: model.modules() lists all.": (
        lambda got, right, spec, state, *case: deep_norms_kept(got["running"], spec, state)
    ),
    "The statistics differ from call to call: dropout is on; only the batch norms are in train mode.": (
        lambda got, right, spec, *case: "Dropout" in str(spec) and "again" in got and not _close(got)
    ),
}


def _differs_in(some: list[Tensor], others: list[Tensor]) -> bool:
    return any(_differs(a, b) for a, b in zip(some, others, strict=True))


def deep_norms_kept(running: list[dict], spec: list, state: dict) -> bool:
    """Whether exactly the batch norms that are no direct children have their old running means."""
    net = models.network(spec)
    net.load_state_dict(state)
    norms = [m for m in flat(net) if isinstance(m, nn.BatchNorm2d)]
    deep = [all(m is not child for child in net.children()) for m in norms]
    kept_mean = [not _differs(new["mean"], m.running_mean) for new, m in zip(running, norms, strict=True)]
    return any(deep) and deep == kept_mean


def _close(got: dict) -> bool:
    pairs = zip(got["running"], got["again"], strict=True)
    return all(torch.allclose(a[k], b[k], atol=1e-4) for a, b in pairs for k in ("mean", "var"))


# kendall_tau ----------------------------------------------------------------------------------------------------------


def signs(values: Sequence) -> Tensor:
    """The sign of the difference of every ordered pair."""
    t = torch.tensor(list(values), dtype=torch.float64)
    return torch.sign(t.unsqueeze(0) - t.unsqueeze(1))


def tau(a: Sequence, b: Sequence, wrong: str = "") -> float:
    """tau-b from two matrices of signs."""
    if min(len(a), len(b)) < 2 or len(a) != len(b):
        raise ValueError("two sequences of one length")
    sa, sb, n = signs(a), signs(b), len(a)
    untied_a, untied_b = float(sa.abs().sum()) / 2, float(sb.abs().sum()) / 2
    balance = float((sa * sb).sum()) / 2
    if wrong == "ties disagree":
        agree = float(((sa * sb) > 0).sum()) / 2
        return (2 * agree - n * (n - 1) / 2) / (n * (n - 1) / 2)
    if wrong == "tau-a":
        return balance / (n * (n - 1) / 2)
    if wrong == "twice":
        return 2 * balance / (n * (n - 1) / 2)
    if untied_a * untied_b == 0:
        return {"nan": math.nan, "one": 1.0}.get(wrong, 0.0)
    if wrong == "pearson":
        return float(torch.corrcoef(torch.tensor([list(a), list(b)], dtype=torch.float64))[0, 1])
    if wrong == "adjacent":
        steps = [float(torch.diagonal(s, 1).abs().sum()) for s in (sa, sb)]
        return float(torch.diagonal(sa * sb, 1).sum()) / math.sqrt(steps[0] * steps[1])
    above = {
        "agreeing alone": float(((sa * sb) > 0).sum()) / 2,
        "ties agree": balance + float(((sa == 0) & (sb == 0)).sum() - n) / 2,
        "turned round": -balance,
        "products": sum((a[i] - a[j]) * (b[i] - b[j]) for i in range(n) for j in range(i)),
        "twice b": 2 * balance,
    }
    below = {
        "untied in both": float((sa * sb).abs().sum()) / 2,
        "in a": untied_a,
        "in b": untied_b,
        "arithmetic": (untied_a + untied_b) / 2,
        "no root": untied_a * untied_b,
        "nothing": 1,
    }
    return above.get(wrong, balance) / below.get(wrong, math.sqrt(untied_a * untied_b))


def spearman(a: Sequence, b: Sequence) -> float:
    """Another measure of agreement: from the differences of ranks."""
    n, ranks = len(a), [[sorted(values).index(v) for v in values] for values in (a, b)]
    return 1 - 6 * sum((p - q) ** 2 for p, q in zip(*ranks, strict=True)) / (n * (n * n - 1))


def tau_with(wrong: str) -> Callable:
    """`tau` with one mistake."""

    def answer(a, b):
        return tau(a, b, wrong)

    return answer


TAU_MISTAKES: dict[str, Any] = {
    "Ties count as disagreement; they count as neither.": tau_with("ties disagree"),
    "This is tau-a: it divides by all pairs. Divide by the untied ones of a and of b.": tau_with("tau-a"),
    "Pairs are counted twice above the line and once below it.": (tau_with("twice"), tau_with("twice b")),
    "This is Pearson's correlation: only the order counts, not the distances.": tau_with("pearson"),
    "All equal on one side: 0 / 0 is to be 0.0 here.": (tau_with("nan"), tau_with("one")),
    "Divide by the square root of the product of both numbers of untied pairs.": (
        tau_with("in a"),
        tau_with("in b"),
        tau_with("arithmetic"),
        tau_with("no root"),
        tau_with("nothing"),
    ),
    "Untied in a and untied in b are counted apart, each over all pairs.": tau_with("untied in both"),
    "Subtract the pairs that disagree from those that agree.": tau_with("agreeing alone"),
    "Pairs that are tied in both count as agreement; they count as neither.": tau_with("ties agree"),
    "The sign of a difference counts, not its size.": tau_with("products"),
    "The sign is turned round: equal orders give 1.": tau_with("turned round"),
    "Only neighbours in the list were compared; take all pairs.": tau_with("adjacent"),
    "This is Spearman's rank correlation; Kendall's counts pairs.": spearman,
}
TAU_SYMPTOMS: dict[str, Callable] = {
    "All equal on one side: 0 / 0 is to be 0.0 here.": lambda got, right, *case: isinstance(got, ZeroDivisionError),
}

# nondominated_sort and crowding_distance ------------------------------------------------------------------------------


class Endless(RuntimeError):
    """An answer went round more often than any right one could."""


def at_most(lines: int, answer: Callable, *args: Any) -> Any:
    """Call an answer, and stop it after so many lines of Python."""
    left = lines

    def trace(frame, event, arg):
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise Endless("it goes round without end")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return answer(*args)
    finally:
        sys.settrace(before)


def peeled(points: Sequence, wrong: str = "") -> Any:
    """Fronts by looking at every pair, again and again."""
    sign = -1 if wrong == "maximised" else 1
    rows = [tuple(sign * v for v in p) for p in points]

    def beats(p, q):
        pairs = list(zip(p, q, strict=True))
        if wrong == "strict":
            return all(a < b for a, b in pairs)
        if wrong == "equal":
            return all(a <= b for a, b in pairs)
        if wrong == "sum":
            return sum(p) < sum(q)
        if wrong == "two objectives":
            pairs = pairs[:2]
            return all(a <= b for a, b in pairs) and p[:2] != q[:2]
        return all(a <= b for a, b in pairs) and p != q

    left, fronts = set(range(len(rows))), []
    if wrong == "counted":
        beaten = [sum(beats(q, p) for q in rows) for p in rows]
        return [[i for i, times in enumerate(beaten) if times == n] for n in sorted(set(beaten))]
    while left:
        front = [i for i in sorted(left) if not any(beats(rows[j], rows[i]) for j in left if j != i)]
        if not front:
            return RuntimeError("it goes round without end")
        fronts.append(front)
        left -= set(front)
        if wrong == "two" and len(fronts) == 1 and left:
            return [front, sorted(left)]
    return fronts


def peeled_with(wrong: str) -> Callable:
    """`peeled` with one mistake."""

    def answer(points):
        return peeled(points, wrong)

    return answer


def equal_points(points: Sequence) -> bool:
    return len(set(map(tuple, points))) < len(points)


def left_out(got: Any, points: Sequence) -> list[int]:
    """Indices that stand in no front."""
    return sorted(set(range(len(points))) - {i for front in got for i in front})


def equal_points_lost(got: Any, right: list, points: Sequence) -> bool:
    """Points that have an equal, and those behind them, are missing, or the peeling never ends with such points."""
    if not equal_points(points):
        return False
    if isinstance(got, Exception):
        return "without end" in str(got)
    lost = left_out(got, points)
    twins = [points[i] for i in lost if list(points).count(points[i]) > 1]
    return bool(lost) and all(any(all(map(operator.le, twin, points[i])) for twin in twins) for i in lost)


def is_nested(got: Sequence) -> bool:
    """Lists of ints in a list."""
    return all(isinstance(front, (list, tuple)) and all(isinstance(i, int) for i in front) for front in got)


def repeats(fronts: Sequence) -> bool:
    """Whether an index stands there twice."""
    flat_list = [i for front in fronts for i in front]
    return len(set(flat_list)) < len(flat_list)


def as_sets(fronts: Sequence) -> list[set]:
    return [set(front) for front in fronts]


SORT_SYMPTOMS: dict[str, Callable] = {
    "Equal points dominate each other here: somewhere, one has to be strictly smaller.": equal_points_lost,
    "The peeling never ends: a front came out empty.": (
        lambda got, right, points: isinstance(got, Exception) and "without end" in str(got)
    ),
    "A front is a list of indices.": lambda got, right, points: isinstance(got, (list, tuple)) and not is_nested(got),
    "The indices are those of all points, also in later fronts.": (
        lambda got, right, points: list(map(len, got)) == list(map(len, right)) and got[0] == right[0] and repeats(got)
    ),
    "The fronts are right; the indices in each are to be ascending.": (
        lambda got, right, points: as_sets(got) == as_sets(right) and bool(right)
    ),
    "The first front only: take it away, and look for the next, until nothing is left.": (
        lambda got, right, points: got == right[:1] and len(right) > 1
    ),
    "Several points may stand in one front: all that nobody of the rest dominates.": (
        lambda got, right, points: all(len(front) == 1 for front in got) and len(got) == len(points)
    ),
    "Without points there is no front: [].": lambda got, right, points: not points and got == [[]],
}
SORT_MISTAKES: dict[str, Any] = {
    "Equal points dominate each other here: somewhere, one has to be strictly smaller.": peeled_with("equal"),
    "A point that is equal in one objective and smaller in another dominates, too.": peeled_with("strict"),
    "The objectives were maximised; smaller is better.": peeled_with("maximised"),
    "Two fronts only: what is left over is peeled again and again.": peeled_with("two"),
    "Objectives are compared one by one, never added: they have different units.": peeled_with("sum"),
    "Only the first two objectives were compared; there may be one, or more.": peeled_with("two objectives"),
    "A front is what nobody of the rest dominates, however many of the earlier fronts do.": peeled_with("counted"),
}


def crowded(points: Sequence, wrong: str = "") -> list[float]:
    """Room around each point: its neighbours found by counting, objective after objective."""
    total = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        column = [p[m] for p in points]
        if max(column) == min(column):
            if wrong == "equal ends":
                total[0] = total[-1] = math.inf
            continue
        keys = [p[0] for p in points] if wrong == "one order" else column
        for i, value in enumerate(column):
            below = [(k, j) for j, k in enumerate(keys) if (k, j) < (keys[i], i)]
            above = [(k, j) for j, k in enumerate(keys) if (k, j) > (keys[i], i)]
            if wrong == "index order":
                below = [(k, j) for j, k in enumerate(keys) if j == i - 1]
                above = [(k, j) for j, k in enumerate(keys) if j == i + 1]
            spans = {"not normalised": 1, "by the largest": max(column)}
            span = spans.get(wrong, max(column) - min(column))
            if below and above:
                after, before = column[min(above)[1]], column[max(below)[1]]
                gap = {"next": after - value, "nearest": min(after - value, value - before)}.get(wrong, after - before)
                step = (abs(gap) if wrong == "index order" else gap) / span
                total[i] = (
                    step if wrong == "last objective" else total[i] + step**2 if wrong == "squares" else total[i] + step
                )
            elif wrong == "finite":
                total[i] += abs(column[(min(above) if above else max(below))[1]] - value) / span
            elif wrong != "zero":
                total[i] = math.inf
    parts = {"half": 2, "mean": len(points[0]) if points else 1}.get(wrong, 1)
    return [t / parts for t in total]


def crowded_with(wrong: str) -> Callable:
    """`crowded` with one mistake."""

    def answer(points):
        return crowded(points, wrong)

    return answer


CROWD_MISTAKES: dict[str, Any] = {
    "The distances are not normalised: divide by max - min of the objective.": crowded_with("not normalised"),
    "The ends are finite; they are infinitely far from a neighbour that is not there.": (
        crowded_with("finite"),
        crowded_with("zero"),
    ),
    "Neighbours were taken in the order of the indices; sort by each objective.": crowded_with("index order"),
    "The points were sorted by the first objective only; sort by each.": crowded_with("one order"),
    "Divide by max - min of the objective, not by max.": crowded_with("by the largest"),
    "The gap goes from the neighbour before to the neighbour after.": (crowded_with("next"), crowded_with("nearest")),
    "The gaps of all objectives are added.": crowded_with("last objective"),
    "The gaps are added as they are: no squares, no mean.": (
        crowded_with("squares"),
        crowded_with("mean"),
        crowded_with("half"),
    ),
    "An objective in which all points are equal adds nothing, also to the ends.": crowded_with("equal ends"),
}
CROWD_SYMPTOMS: dict[str, Callable] = {
    "The ends are finite; they are infinitely far from a neighbour that is not there.": (
        lambda got, right, points: all(map(math.isfinite, got)) and math.inf in right
    ),
    "An objective in which all points are equal adds nothing; do not divide by 0.": (
        lambda got, right, points: isinstance(got, ZeroDivisionError)
    ),
    "The numbers are right; they are to stand in the order of the points.": (
        lambda got, right, points: got != right and sorted(got) == sorted(right)
    ),
    "Without points there are no distances: [].": lambda got, right, points: not points and isinstance(got, IndexError),
}


def cloud(seed: int, number: int, objectives: int = 2, values: int = 9) -> list[tuple]:
    """Points on a coarse grid, so that some are equal in places."""
    dice = random.Random(seed)
    return [tuple(dice.randrange(values) / 4 for _ in range(objectives)) for _ in range(number)]


# evolve ---------------------------------------------------------------------------------------------------------------


def worth(path: Sequence[int]) -> float:
    """A score that depends on all of a path, without a trend."""
    mixed = 17
    for step in path:
        mixed = (mixed * 1_103 + step * 7_919 + 12_345) % 1_000_003
    return mixed / 1_000_003


def run_evolution(evolve: Callable, start: int, cycles: int, sample: int, seed: int, refused: int) -> dict:
    """Evolution of paths: a child is its parent's path with a number at the end, so that it tells who its parent was.

    A path whose last number divides by `refused` is not allowed (0: all are). All that was asked is noted in `log`.
    """
    log: list = []
    numbers = itertools.count(1)

    def mutate(parent):
        if not all(isinstance(step, int) for step in parent):
            raise TypeError(f"mutate takes an architecture, not an entry of history: {show(parent)}")
        log.append(["mutate", list(parent)])
        return [*parent, next(numbers)]

    def allowed(path):
        good = len(path) < 2 or not refused or path[-1] % refused != 0
        log.append(["allowed" if good else "refused", list(path)])
        return good

    def score(path):
        log.append(["score", list(path)])
        return worth(path)

    first = [[-i] for i in range(start)]
    best, history = evolve(first, mutate, score, allowed, cycles, sample, random.Random(seed))
    return {"best": best, "history": history, "log": log, "start": first}


def run_refused(evolve: Callable, start: list, sample: int, allowed: list, good: int) -> tuple:
    """Two cycles in which every `good`-th child is allowed (0: none is).

    Raises:
        Endless: the answer goes on for ever.
    """
    tries = itertools.count(1)

    def mutate(parent):
        count = next(tries)
        if count > 5_000:
            raise Endless("it goes on after 5,000 children")
        return 10 if good and count % good == 0 else 99

    return evolve(start, mutate, lambda arch: 0.5, [*allowed, 10].__contains__, 2, sample, random.Random(0))


TRIES_SYMPTOMS: dict[str, Callable] = {
    "It gave up too early: a child has 1000 tries, and the next one has 1000 again.": (
        lambda got, right, good: (got, right) == ("gave up", "went on")
    ),
    "It went on too long: after 1000 children that are not allowed comes a RuntimeError.": (
        lambda got, right, good: (got, right) == ("went on", "gave up")
    ),
}


def fault_of_evolution(told: dict, start: int, cycles: int, sample: int, seed: int, refused: int) -> str:
    """What is wrong with one run, or nothing."""
    history = told["history"]
    if tidy(told["start"]) != tuple((-i,) for i in range(start)):
        return f"the list start was changed: it had {start} items, and is {show(told['start'], 60)} now; work on a copy"
    pairs = isinstance(history, (list, tuple)) and all(isinstance(e, (list, tuple)) and len(e) == 2 for e in history)
    if not pairs:
        return "history is to be a list of (architecture, score)"
    paths, scores = [tidy(arch) for arch, _ in history], [s for _, s in history]
    if len(history) != start + cycles:
        return f"history has {len(history)} entries; {start} of the start and {cycles} children were expected"
    if paths[:start] != [(-i,) for i in range(start)]:
        return "history is to begin with the start, in its order"
    if any(not isinstance(s, float) or abs(s - worth(p)) > 1e-9 for p, s in zip(paths, scores, strict=True)):
        return "a score in history is not that of the architecture beside it"
    if over := [p for p in paths[start:] if refused and p[-1] % refused == 0]:
        return f"the budget was ignored: {over[0]} is not allowed, and stands in history"
    scored = [tidy(path) for what, path in told["log"] if what == "score"]
    if refused and any(p not in paths for p in scored):
        return "a child was scored before the budget was asked: ask allowed first, scores are dear"
    if scored != paths:
        return f"score was called {len(scored)} times for {len(paths)} entries; once for each, in the order of history"
    if fault := _fault_of_tries(told["log"], paths) or _fault_of_parents(paths, scores, start, sample):
        return fault
    best, top, alive = tidy(told["best"]), scores.index(max(scores)), len(scores) - start
    last = alive + scores[alive:].index(max(scores[alive:]))
    if best in (paths[last], (paths[last], scores[last])) and last != top:
        return "best is the best of the living; it is to be the best of the whole history"
    if best == paths[top]:
        return f"best is the architecture alone, {best}; it is to be its entry of history, (architecture, score)"
    if best != (paths[top], scores[top]):
        return f"best is to be the entry of history with the highest score, {scores[top]:.6f}; yours {show(best)}"
    if tidy(told["other noise"]) != tidy(history):
        return "an equal rng gave another history after another random.seed(…): draw from rng, not from global random"
    return ""


def _fault_of_tries(log: list, paths: list) -> str:
    """Whether a child that was not allowed had a child, or was followed by a child of another parent."""
    asked: list = []  # parents since the last score
    for what, path in log:
        if what == "mutate" and tidy(path) not in paths:
            return f"{path} was not allowed, and became a parent: call mutate(parent) again, not mutate(child)"
        if what == "mutate":
            asked.append(path)
            if path != asked[0]:
                return f"after a child that was not allowed the parent {asked[0]} was replaced by {path}; keep it"
        elif what == "score":
            asked = []
    return ""


def _fault_of_parents(paths: list, scores: list, start: int, sample: int) -> str:
    """Who was a parent, and what that says about who died and who was chosen."""
    dead, too_low, best_each_time, worst = [], 0, True, True
    for n in range(start, len(paths)):
        parent, living = paths[n][:-1], paths[n - start : n]
        if parent not in living:
            dead.append((n, parent))
            continue
        mine = scores[paths.index(parent)]
        better = sum(s > mine for s in scores[n - start : n])
        too_low += better > start - sample
        best_each_time &= better == 0
        worst &= better >= sample - 1
    if dead:
        return _who_died(paths, scores, start, dead)
    if too_low and worst:
        return f"the parent seems to be the worst of the {sample} that were drawn; take the one with the highest score"
    if too_low:
        return (
            f"{too_low} of {len(paths) - start} parents cannot have been the best of {sample} distinct ones among "
            f"{start} living: a random parent, one compared by something else than its score, or a sample that "
            "holds one of them twice"
        )
    if best_each_time and sample < start and len(paths) - start >= 30:
        return f"the parent was the best of all living each time; only {sample} drawn ones compete"
    return ""


def _who_died(paths: list, scores: list, start: int, dead: list) -> str:
    """Which rule explains parents that should not have lived any more."""
    n, parent = dead[0]
    living = list(range(start))  # as it would be if the worst died
    worst_dies = True
    for child in range(start, len(paths)):
        worst_dies &= paths.index(paths[child][:-1]) in living
        living.append(child)
        living.remove(min(living, key=lambda i: scores[i]))
    if worst_dies:
        return f"the worst dies here: {parent} was a parent as number {n} came, though it was among the oldest"
    return f"nobody dies, or not the oldest: {parent} was a parent as number {n} came; only the last {start} live"


# measured -------------------------------------------------------------------------------------------------------------

HALF = lesson10.UNIFORM["1/2 wide, kernel 3"]
START, CHILDREN, SAMPLE, RUNS = 6, 24, 3, 30  # of the searches over the table


def half_width() -> nn.Sequential:
    """The uniform half-width network with the supernet's weights and its shared statistics, as it was shipped."""
    net = lesson10.build(HALF, lesson10.SPACE)
    state = load_file(models.CHECKPOINTS / "lesson10.safetensors")
    net.load_state_dict({name.removeprefix("half."): t for name, t in state.items() if name.startswith("half.")})
    return net.eval()


def with_statistics(net: nn.Sequential, values: Any) -> nn.Sequential:
    """The same network with other running values: (mean, variance) of each batch norm.

    Raises:
        CheckFailed: they do not fit.
    """
    net = copy.deepcopy(net)
    norms = [m for m in net if isinstance(m, nn.BatchNorm2d)]
    require(len(values) == len(norms), f"{len(values)} pairs of running values for {len(norms)} batch norms")
    for norm, pair in zip(norms, values, strict=True):
        for name, new in zip(("running_mean", "running_var"), pair, strict=True):
            old = getattr(norm, name)
            fits = isinstance(new, Tensor) and new.shape == old.shape and bool(new.isfinite().all())
            require(fits, f"{name} is to be {len(old)} finite numbers, yours {show(new)}")
            old.copy_(new)
    return net


def fault_of_search(run: dict, table: dict[tuple, dict], limit_ms: float, start: int, children: int) -> str:
    """Whether a search over the table kept the budget and scored with the table, or what went wrong."""
    shapes = [tidy(shape) for shape, _ in run["history"]]
    if len(shapes) != start + children:
        return f"a search has {len(shapes)} entries in its history, expected {start + children}"
    for shape, (_, score) in zip(shapes, run["history"], strict=True):
        if shape not in table or table[shape]["ms"] > limit_ms:
            return f"the budget of {limit_ms} ms was not kept by {shape}"
        if score != table[shape]["val"]:
            return f"the score of {shape} is not that of the table"
    best = max(table[shape]["val"] for shape in shapes)
    chosen = tidy(run["best"])[0]
    return "" if table[chosen]["val"] == best else f"best is {chosen}, but history holds a better one"


def in_best_tenth(runs: list[dict], table: dict[tuple, dict], limit_ms: float) -> int:
    """How many searches found one of the best tenth of what the budget allows."""
    allowed = sorted((row["val"] for row in table.values() if row["ms"] <= limit_ms), reverse=True)
    bar = allowed[max(0, len(allowed) // 10 - 1)]
    return sum(max(table[tidy(shape)]["val"] for shape, _ in run["history"]) >= bar for run in runs)
