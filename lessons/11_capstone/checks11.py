"""What lesson 11's test cells call: inputs, slow oracles, and the sentences of mistakes. Nothing here is an answer."""

import base64
import contextlib
import functools
import itertools
import math
import symtable
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn
from onnx11 import ONNX_LIMIT, int8_kernels, onnx_of, ratio_quartiles
from torch import Tensor
from tracks11 import FLOORS, TEXT_LIMIT, TRACKS, WORST_CLASS, build, check_chain, check_container, engine, track_score

from bonsai import data, measure, models
from bonsai.testing import check, expect, record, remark, require, show

LIVE_BYTES, LIVE_SECONDS = 256 << 10, 20  # of `compress`; the grader ends any call after so many CPU seconds
LEAK = 3.0  # standard errors by which test and validation images may disagree about an entry
FULL, HALF = TRACKS["size"][1][0], 100_000  # bytes for all points of `compress`, and for half of them
# The lesson's modules that an answer may use: they hold the rules, and what every entry is measured with.
USES = ["lesson11", "decide11", "onnx11", "tracks11", "training11"]
# Where learned numbers lie: `decompress`, `entry` and `micro` have nothing to read. (In the grader a process of its own
# has no such files at all; the names are for the sentence that says so.)
FILES = ["pickle", "torch.load", "safetensors.torch.load_file", "safetensors.safe_open", "bonsai.models.load"]
FILES += ["bonsai.models.load_file", "bonsai.models.CHECKPOINTS", "bonsai.data.load", "subprocess", "socket"]


# hypervolume ---------------------------------------------------------------------------------------------------------


def area_by_cells(points: list, reference: tuple) -> float:
    """The dominated area, cell by cell of the grid that the points draw: slow and obvious."""
    inside = [(c, e) for c, e in points if c < reference[0] and e < reference[1]]
    costs = sorted({c for c, _ in inside} | {reference[0]})
    losses = sorted({e for _, e in inside} | {reference[1]})
    area = 0.0
    for left, right in itertools.pairwise(costs):
        for low, high in itertools.pairwise(losses):
            if any(c <= left and e <= low for c, e in inside):
                area += (right - left) * (high - low)
    return float(area)


def _every_rectangle(points: list, reference: tuple) -> float:
    return float(
        sum((reference[0] - c) * (reference[1] - e) for c, e in points if c < reference[0] and e < reference[1])
    )


def _staircase(points: list, reference: tuple) -> float:
    area, roof = 0.0, reference[1]
    for cost, loss in points:
        if loss < roof:
            area, roof = area + (reference[0] - cost) * (roof - loss), loss
    return float(area)


def _beyond_counted(points: list, reference: tuple) -> float:
    return _staircase(sorted(points), reference)


def _not_sorted(points: list, reference: tuple) -> float:
    return _staircase([p for p in points if p[0] < reference[0] and p[1] < reference[1]], reference)


def _no_step_kept(points: list, reference: tuple) -> float:
    """Each point of the front reaches to the reference, whatever the one before has."""
    area, roof = 0.0, reference[1]
    for cost, loss in sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1]):
        if loss < roof:
            area, roof = area + (reference[0] - cost) * (reference[1] - loss), loss
    return float(area)


def _dominated_subtracted(points: list, reference: tuple) -> float:
    """Each point is taken for one of the front: what lies above the roof is counted below zero."""
    area, roof = 0.0, reference[1]
    for cost, loss in sorted(p for p in points if p[0] < reference[0] and p[1] < reference[1]):
        area, roof = area + (reference[0] - cost) * (roof - loss), loss
    return float(area)


def _maximised(points: list, reference: tuple) -> float:
    return area_by_cells([(-c, -e) for c, e in points], (-reference[0], -reference[1]))


def _from_the_origin(points: list, reference: tuple) -> float:
    return area_by_cells([(-c, -e) for c, e in points], (0, 0))


AREA_MISTAKES: dict[str, Any] = {
    "Dominated or shared parts were counted twice: add only what the points before do not cover.": (
        _every_rectangle,
        _no_step_kept,
    ),
    "A dominated point adds nothing: its loss is not below the lowest one so far.": _dominated_subtracted,
    "A point beyond the reference adds nothing, in neither direction.": _beyond_counted,
    "The points come in any order: sort them by cost first.": _not_sorted,
    "Both numbers are minimised: the area lies between a point and the reference.": (_maximised, _from_the_origin),
}


def check_area(hypervolume: Callable, cases: list[tuple]) -> None:
    """The area against the slow one, on each (points, reference)."""
    check(hypervolume, cases, area_by_cells, AREA_MISTAKES, tol=1e-9)


def drawn_points(seed: int, count: int, whole: bool = False) -> list[tuple[float, float]]:
    """Points in and around the square from 0 to 10; whole numbers make ties and equal points."""
    rng = torch.Generator().manual_seed(seed)
    numbers = 12 * torch.rand(count, 2, generator=rng, dtype=torch.float64)
    return [tuple(p) for p in (numbers.floor() if whole else numbers).tolist()]


# The size track ------------------------------------------------------------------------------------------------------


@functools.cache
def held_back() -> tuple[Tensor, Tensor]:
    """The official test images in the mirror: no cell of the lesson shows them, and the answers' process has none."""
    images, labels = data.load("test")
    return images.flip(-1), labels


@functools.cache
def visible_images() -> tuple[Tensor, Tensor]:
    images, labels = data.load("validation")
    return images[:2000], labels[:2000]


@torch.no_grad()
def answers_of(net: nn.Module, images: Tensor) -> Tensor:
    """The class that a network gives each image."""
    return torch.cat([net(x).argmax(1) for x in images.split(100)])


@functools.cache
def baseline_answers(name: str, hidden: bool) -> Tensor:
    """What a shipped network says, which is first checked: its bytes and its accuracy."""
    model, (images, labels) = models.load(name), held_back() if hidden else visible_images()
    given = answers_of(model, images)
    size, right = measure.size_bytes(model), 100 * (given == labels).double().mean().item()
    least = {"resnet8": 92.0, "small_cnn": 90.5}[name]
    require(right >= least, f"the shipped {name} has {right:.2f} % here: its checkpoint is not the one of the course")
    require(name != "resnet8" or size == TRACKS["size"][0], f"the shipped resnet8 takes {size:,} bytes")
    return given


def recall(given: Tensor, labels: Tensor) -> list[float]:
    """Percent of each class's images that are right."""
    return [100 * (given[labels == c] == c).double().mean().item() for c in range(10)]


def compared(net: nn.Module, baseline: str, hidden: bool, every: int = 1) -> dict[str, float]:
    """`drop`, its standard error `drop_error`, and `worst_class_drop`, all in points, beside a shipped network."""
    images, labels = held_back() if hidden else visible_images()
    theirs, images, labels = baseline_answers(baseline, hidden)[::every], images[::every], labels[::every]
    given = answers_of(net, images)
    lost = (theirs == labels).double() - (given == labels).double()
    worst = min(recall(theirs, labels)) - min(recall(given, labels))
    error = 100 * lost.std().item() / math.sqrt(len(lost))
    return {"drop": 100 * lost.mean().item(), "drop_error": error, "worst_class_drop": worst}


def require_bytes(blob: Any, name: str, most: int = LIVE_BYTES) -> None:
    """A file is bytes, not empty, and not larger than it may be."""
    require(type(blob) is bytes, f"{name} is to return bytes, yours {show(blob, 60)}, a {type(blob).__name__}")
    require(len(blob) <= most, f"{name} may return at most {most:,} bytes, yours has {len(blob):,}")


# What the lesson's other cells bind; a search for shortcuts would find what stands behind these names.
OTHER_CELLS = {"model", "train", "val_x", "val_y", "said", "baseline_file", "small", "small_cnn", "chain", "ranges"}


def require_alone(code: str) -> None:
    """The decoder's cell reads no name of the lesson's other cells."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):  # its run will tell
        module = symtable.symtable(code, "<answer>", "exec")
        own = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
        for name in sorted(OTHER_CELLS & (global_names(module) - own)):
            require(False, f"decompress uses `{name}`, a name of another cell; the decoder runs alone, from its bytes")


def global_names(table: symtable.SymbolTable) -> set[str]:
    """The global names that code reads, in all its scopes."""
    outermost = table.get_type() == "module"
    found = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (outermost or s.is_global())}
    return found.union(*map(global_names, table.get_children()))


def decoded(fresh_decompress: Callable, blob: bytes, what: str) -> nn.Module:
    """The trusted network of a file that a process of its own decodes, twice with the same result."""
    began = time.process_time()
    try:
        state, again = fresh_decompress(blob), fresh_decompress(blob)
    except NameError as error:
        require(False, f"decompress needs something of another cell: {error}. It runs alone, after the set-up cell.")
    except (FileNotFoundError, PermissionError) as error:
        require(False, f"decompress looks for a file ({error!s:.100}); all that it knows is in the bytes.")
    seconds = (time.process_time() - began) / 2
    require(seconds <= LIVE_SECONDS, f"decompress took {seconds:.0f} s of CPU time; {LIVE_SECONDS} s is the limit")
    try:
        net = build(state)
    except ValueError as error:
        require(False, f"what decompress makes of {what} is not a network of the family resnet8: {error}")
    expect_same(state, again)
    return net


def expect_same(state: dict[str, Tensor], again: dict[str, Tensor]) -> None:
    """Two decodings of one file are equal, bit for bit."""
    same = set(state) == set(again) and all(torch.equal(t, again[n]) for n, t in state.items())
    require(same, "decompress gave other tensors the second time: it may draw nothing and keep nothing between calls")


def check_decompress(fresh_decompress: Callable, blob: Any, what: str, least: float = 70.0) -> nn.Module:
    """A file is decoded alone, twice alike, to a network that recognises garments."""
    require_bytes(blob, "compress")
    net = decoded(fresh_decompress, blob, what)
    images, labels = visible_images()
    right = 100 * (answers_of(net, images[:500]) == labels[:500]).double().mean().item()
    require(right >= least, f"the network that decompress makes of {what} recognises {right:.1f} % of 500 images")
    print(f"✓ decompress: {what}, {len(blob):,} bytes, decoded alone and twice alike")
    return net


def check_again(decompress: Callable, blob: bytes, net: nn.Module) -> None:
    """The same in the learner's own process, where others have run before, and twice in a row."""
    first, second = decompress(blob), decompress(blob)
    expect_same(first, second)
    state = {name: t for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    expect_same(state, {name: t for name, t in first.items() if name in state})


def check_kept(before: dict[str, Tensor], after: dict[str, Tensor], modes: list[bool]) -> None:
    """`compress` leaves the model as it was: tensors and modes."""
    changed = [n for n, t in before.items() if n not in after or not torch.equal(t, after[n])]
    require(not changed, f"compress changed the model that it was given ({', '.join(changed[:3])}): work on a copy")
    require(not any(modes), "compress left the model in train mode: work on a copy, or set it back")


def check_live(seconds: float) -> None:
    """The time of one call where it can be seen: in one's own kernel."""
    require(seconds <= LIVE_SECONDS, f"compress took {seconds:.0f} s of CPU time; {LIVE_SECONDS} s is the limit")


def check_drop(
    found: dict[str, float], most: float, what: str, slack: float = 0.0, guess: str = "", lever: str = ""
) -> None:
    """The floor: so many points may be lost. What to look at: a `guess` after a loss of nearly all, else a `lever`."""
    text = f"{what} loses {found['drop']:.2f} points (standard error {found['drop_error']:.2f})"
    look = f"That is no better than guessing: {guess}" if found["drop"] > 60 else lever
    require(found["drop"] <= most + slack, f"{text}; at most {most:g} are allowed. {look}".rstrip(), text)


def check_live_drop(net: nn.Module, found: dict[str, float], what: str, slack: float = 0.0) -> None:
    """The floor of `compress`."""
    guess, lever = "are the labels taken for logits?", "Take smaller steps, above all in the stem."
    if found["drop"] > 1.0 + slack and has_old_statistics(net):
        guess, lever = "was BatchNorm measured again after rounding?", "Was BatchNorm measured again after rounding?"
    check_drop(found, 1.0, what, slack, guess, lever)


def has_old_statistics(net: nn.Module) -> bool:
    """Whether a network of the shipped widths is better by 3 points with the shipped BatchNorm, measured again."""
    made, (images, labels) = models.load("resnet8"), visible_images()
    given = dict(net.named_parameters())
    if any(given[name].shape != p.shape for name, p in made.named_parameters()):
        return False
    own = {n: given[n] for n, p in made.named_parameters() if p.dim() > 1 or n == "fc.bias"}
    made.load_state_dict(own, strict=False)
    for norm in (m for m in made.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None
    made.train()
    with torch.no_grad():
        for x in images[:1000].split(250):
            made(x)
    right, again = ((answers_of(n, images) == labels).double().mean().item() for n in (net, made.eval()))
    return again > right + 0.03


def live_share(size: int) -> float:
    """The share of the points of `compress`: all at 70,000 bytes with the decoder, half at 100,000."""
    require(size <= HALF, f"with its decoder the file takes {size:,} bytes; {FULL:,} give all points, {HALF:,} half")
    print(f"✓ {size:,} bytes with the decoder: {'all' if size <= FULL else 'half'} of the points")
    return 1.0 if size <= FULL else 0.5


def judge_size(net: nn.Module, size: int, hidden: bool) -> float:
    """The score of a size entry, 0 to 100."""
    found = compared(net, "resnet8", hidden)
    guess = "is it written by the `compress` that belongs to this `decompress`?"
    lever = "Train more steps, take a smaller `step`, and end with `lesson11.tune`."
    check_drop(found, FLOORS["size"], "the entry", 0.0 if hidden else 0.5, guess, lever)
    worst = found["worst_class_drop"]
    allowed = WORST_CLASS + (0.0 if hidden else 2.0)
    require(worst <= allowed, f"the worst class loses {worst:.1f} points; {WORST_CLASS:g} are allowed: look at recall")
    score = track_score("size", size)
    if hidden:
        record(size_bytes=size, size_ratio=TRACKS["size"][0] / size, drop=found["drop"], worst_class_drop=worst)
        right = 100 * (baseline_answers("resnet8", True) == held_back()[1]).double().mean().item()
        record(drop_error=found["drop_error"], error=100 - right + found["drop"], score_size=score)
        look_for_leaks(net)
    return score


def look_for_leaks(net: nn.Module) -> None:
    """Remark on an entry that does better on the published test images than on images that were not published so.

    What it gains over the baseline (which was not trained on either) is compared between the test images and the
    validation images: a network that saw neither gains alike on both, up to chance, and a choice by the validation
    images favours these. More than three standard errors of the difference are told to the teacher. Training on
    the validation images hides it, and a gain below that size cannot be seen.
    """
    model, variance = models.load("resnet8"), 0.0
    gains: dict[str, float] = {}
    for split, every in (("test", 2), ("validation", 1)):  # 5,000 images each
        images, labels = (t[::every] for t in data.load(split))
        gain = (answers_of(net, images) == labels).double() - (answers_of(model, images) == labels).double()
        gains[split] = 100 * gain.mean().item()
        variance += 100**2 * gain.var().item() / len(gain)
    more, error = gains["test"] - gains["validation"], math.sqrt(variance)
    record(test_gain=more, test_gain_error=error)
    if more > LEAK * error:
        remark(
            f"The entry is {more:.1f} points better on the published test images than its validation accuracy lets one "
            f"expect (standard error {error:.1f}): was it trained on them? Make it again with its own compress."
        )


def prepared(exercise: Callable) -> Any:
    """What `entry` or `micro` returns; that its bytes lie in a file is named."""
    try:
        return exercise()
    except OSError as error:
        require(False, f"{exercise.__name__} looks for a file ({error!s:.100}): its bytes stand in this cell, as text")


def check_prepared(blob: Any, name: str) -> None:
    """Prepared bytes are bytes, and fit into a cell as base64."""
    most = TEXT_LIMIT // 4 * 3
    require_bytes(blob, name, most)


# The microcontroller track -------------------------------------------------------------------------------------------

CHAIN = [("Conv2d", 1, 6, 3, {"padding": 1, "bias": False}), ("BatchNorm2d", 6), ("ReLU",)]
CHAIN += [("Conv2d", 6, 8, 3, {"padding": 1, "stride": 2, "bias": False}), ("BatchNorm2d", 8), ("ReLU",)]
CHAIN += [("AdaptiveAvgPool2d", 1), ("Flatten",), ("Linear", 8, 10)]


def chain_spec(*layers: tuple[int, int, int]) -> list[tuple]:
    """A chain as plain data, from (channels, kernel, stride) of each convolution."""
    spec, before = [], 1
    for channels, kernel, stride in layers:
        options = {"padding": kernel // 2, "stride": stride, "bias": False}
        spec += [("Conv2d", before, channels, kernel, options), ("BatchNorm2d", channels), ("ReLU",)]
        before = channels
    return [*spec, ("AdaptiveAvgPool2d", 1), ("Flatten",), ("Linear", before, 10)]


def drawn_chain(spec: list[tuple], seed: int) -> dict[str, Tensor]:
    """Weights whose filters have very different sizes, and BatchNorm means that matter."""
    rng = torch.Generator().manual_seed(seed)
    state = models.random_state(models.network(spec), seed)
    for name, value in state.items():
        if value.dim() == 4:
            value.mul_(2.0 ** torch.randint(-4, 4, (len(value), 1, 1, 1), generator=rng))
        elif "running_mean" in name:
            value.copy_(torch.randn(value.shape, generator=rng) * 0.5)
    return state


def drawn_batches(seed: int, sizes: tuple[float, ...], pixels: int = 12) -> list[tuple[Tensor, Tensor]]:
    """One batch a size, whose pixels spread as far as that; not centred."""
    rng = torch.Generator().manual_seed(seed)
    made = [(s * (torch.randn(16, 1, pixels, pixels, generator=rng) + 0.7), torch.zeros(16).long()) for s in sizes]
    return made


def _inputs_of_layers(net: nn.Sequential, batches: list) -> list[tuple[float, float]]:
    """The least and the largest number that enters each convolution and the linear layer, over all batches."""
    seen: dict[int, list[float]] = {}
    with torch.no_grad():
        for x, _ in batches:
            for i, layer in enumerate(net):
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    low, high = seen.setdefault(i, [math.inf, -math.inf])
                    seen[i] = [min(low, x.min().item()), max(high, x.max().item())]
                x = layer(x)
    return [(low, high) for low, high in seen.values()]


def check_to_int8(chained: Callable, spec: list[tuple], state: dict, batches: list, what: str) -> None:
    """A chain made int8 computes what the float one does; and where it does not, why."""
    said = chained(spec, state, batches)
    got, net = said["chain"], models.network(spec)
    assert isinstance(net, nn.Sequential)
    net.load_state_dict(state)
    net.eval()
    require(isinstance(got, dict), f"to_int8, {what}: expected a dict of tensors, yours {show(got, 60)}")
    try:
        layers = check_chain(got)
    except ValueError as error:
        ranges = _inputs_of_layers(net, batches)
        left_out = "zero points" in str(error) and any(_leaves_out_zero(got, i, *r) for i, r in enumerate(ranges))
        require(False, f"to_int8, {what}: {error}.{ZERO_LEFT_OUT if left_out else ''}")
    check_kept(state, said["after"], said["modes"])
    strides = [m.stride[0] for m in net if isinstance(m, nn.Conv2d)]
    expect(got["strides"].tolist(), strides, f"to_int8, {what}: strides")
    ranges = _inputs_of_layers(net, batches)
    blocks = [m for m in net if isinstance(m, (nn.Conv2d, nn.Linear))]
    norms = [m for m in net if isinstance(m, nn.BatchNorm2d)]
    _check_weights(got, blocks, norms, what)
    _check_ranges(got, ranges, _inputs_of_layers(net, batches[-1:]), what)
    for i in range(layers + 1):
        _check_bias(got, i, blocks[i], norms[i] if i < layers else None, what)
    x = torch.cat([x for x, _ in batches])
    with torch.no_grad():
        want = net(x)
    apart = ((engine(got, x) - want).norm() / want.norm()).item()
    text = f"to_int8, {what}: the logits differ by {100 * apart:.1f} % of their size from the float network's"
    require(apart <= 0.03, f"{text}; 3 % is allowed", text)


def _folded(block: Any, norm: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Weight and bias with BatchNorm folded in, and the bias without its running mean."""
    if norm is None:
        return block.weight.detach(), block.bias.detach(), block.bias.detach()
    factor = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    weight = block.weight.detach() * factor.view(-1, 1, 1, 1)
    return weight, (norm.bias - norm.running_mean * factor).detach(), norm.bias.detach()


def _check_weights(got: dict[str, Tensor], blocks: list, norms: list, what: str) -> None:
    for i, block in enumerate(blocks):
        weight, _, _ = _folded(block, norms[i] if i < len(norms) else None)
        scale = got[f"{i}.scale"]
        require(
            bool(len(scale) == 1 or scale.std() > 0 or weight.flatten(1).abs().amax(1).std() == 0),
            f"to_int8, {what}: layer {i} has one scale for the whole tensor; each output channel has its own",
        )
        off = (got[f"{i}.weight"].float() * scale.view(-1, *[1] * (weight.dim() - 1)) - weight).abs()
        limit = 0.51 * weight.flatten(1).abs().amax(1) / 127 + 1e-6
        wrong = (off.flatten(1).amax(1) > 1.05 * limit).nonzero().flatten().tolist()
        require(
            not wrong,
            f"to_int8, {what}: channel {wrong[:1]} of layer {i}: codes · scale is further than half a step from the "
            "weight with BatchNorm folded in (scale = largest absolute weight of the channel / 127)",
        )


ZERO_LEFT_OUT = " 0 must lie in the range, even where all numbers are above it."


def _leaves_out_zero(got: dict[str, Tensor], i: int, low: float, high: float) -> bool:
    """Whether the scale of a layer's input is that of a range that begins above 0."""
    return low > 0 and abs(255 * got["act_scale"][i].item() - (high - low)) < 0.1 * low


def _check_ranges(got: dict[str, Tensor], ranges: list, last: list, what: str) -> None:
    for i, (lowest, highest) in enumerate(ranges):
        low, high = min(lowest, 0.0), max(highest, 0.0)
        scale, zero = got["act_scale"][i].item(), int(got["act_zero"][i])
        least, most = (-128 - zero) * scale, (127 - zero) * scale
        room = 1.5 * scale
        if least - room <= low and high <= most + room and most - least <= 2.6 * (high - low) + 1e-6:
            continue
        sign = (-128 + zero) * scale, (127 + zero) * scale
        story = ""
        if abs(sign[0] - low) <= 2 * room and abs(sign[1] - high) <= 2 * room:
            story = " The zero point has the wrong sign: code = round(x / scale) + zero point."
        elif _leaves_out_zero(got, i, lowest, highest):
            story = ZERO_LEFT_OUT
        elif abs(least - min(last[i][0], 0.0)) <= room and abs(most - max(last[i][1], 0.0)) <= room:
            story = " That is the range of the last batch alone; take the range over all of them."
        require(
            False,
            f"to_int8, {what}: the codes of layer {i}'s input reach from {least:.3g} to {most:.3g}, its numbers from "
            f"{low:.3g} to {high:.3g}.{story}",
        )


def _check_bias(got: dict[str, Tensor], i: int, block: nn.Module, norm: nn.Module | None, what: str) -> None:
    _, bias, no_mean = _folded(block, norm)
    unit = got[f"{i}.scale"].double() * got["act_scale"][i].double()
    codes = got[f"{i}.bias"].double()

    def fits(wanted: Tensor, step: Tensor) -> bool:
        return bool(((codes * step - wanted.double()).abs() <= step * 1.01 + 1e-4 * wanted.double().abs()).all())

    if fits(bias, unit):
        return
    story = ""
    if norm is not None and fits(no_mean, unit):
        story = " The running mean of BatchNorm was dropped: bias - mean · weight / √(variance + eps)."
    elif fits(bias, got[f"{i}.scale"].double()):
        story = " It is in units of the weight's scale alone; the unit is scale · act_scale[i]."
    elif fits(bias, got["act_scale"][i].double().expand_as(codes)):
        story = " It is in units of the input's scale alone; the unit is scale · act_scale[i]."
    require(False, f"to_int8, {what}: {i}.bias times scale · act_scale[{i}] is not the bias of the layer.{story}")


def judge_micro(blob: Any, hidden: bool) -> float:
    """The score of a microcontroller entry, 0 to 100."""
    check_prepared(blob, "micro")
    try:
        found = check_container(blob)
        net = build(found["state"])
    except ValueError as error:
        require(False, f"micro: {error}")
    print(f"flash {found['flash']:,} bytes, RAM {found['ram']:,}; the container itself has {len(blob):,} bytes")
    lost = compared(net, "small_cnn", hidden, every=2 if hidden else 4)
    what = "the integer network, beside small_cnn in FP32,"
    guess = "is the network trained, and are its ranges those of normalised images?"
    lever = "Train more steps with `lesson11.distil`, or take more channels."
    check_drop(lost, FLOORS["micro"], what, 0.0 if hidden else 0.7, guess, lever)
    score = track_score("micro", found["metric"])
    if hidden:
        record(flash=found["flash"], ram=found["ram"], micro_drop=lost["drop"], score_micro=score)
    return score


# The latency track ---------------------------------------------------------------------------------------------------


def check_file(said: dict, what: str = "fast_onnx") -> None:
    """What a process without the learner's code found in an ONNX file."""
    require(not said["problem"], f"{what}: the file is not run: {said['problem']}")
    share = said["int8"]
    require(share >= 0.9, f"{what}: {100 * share:.0f} % of the MACs are in int8; at least 90 % are asked")


SLOW = {
    "signed": " Its activations are signed: take `activation_type=QuantType.QUInt8`.",
    "dynamic": " It measures its activations anew at each call: take `quantize_static`.",
    "unsigned": " Start from a network with fewer channels.",
}


def judge_latency(said: dict, hidden: bool) -> float:
    """The score of a file on the latency track, 0 to 100; without int8 instructions its floors alone count."""
    images, labels = held_back() if hidden else visible_images()
    labels = labels[: len(said["logits"])]
    theirs = baseline_answers("resnet8", hidden)[: len(labels)]
    lost = (theirs == labels).double() - (said["logits"].argmax(1) == labels).double()
    found = {"drop": 100 * lost.mean().item(), "drop_error": 100 * lost.std().item() / math.sqrt(len(lost))}
    used = said["activations"]
    guess = "are the calibration images normalised as the inputs are?"
    if used["codes"] and used["codes"][0] > images[: len(labels)].min().item() + 0.2:
        guess = f"its input's codes reach from {used['codes'][0]:.2f} to {used['codes'][1]:.2f}; {guess}"
    lever = "Calibrate with some hundred training images, and with `reduce_range=True`."
    check_drop(found, FLOORS["latency"], "the file", 0.0 if hidden else 0.5, guess, lever)
    first, middle, third = ratio_quartiles(said["seconds"], "baseline", "entry")
    print(f"64 images: {middle:.2f} times as fast as resnet8 in FP32 (quartiles {first:.2f} to {third:.2f})")
    score = track_score("latency", min(1 / first, 1.0))
    if hidden:
        record(latency_ratio=middle, latency_ratio_p25=first, latency_drop=found["drop"], score_latency=score)
    if int8_kernels():
        if score < 60:
            tell = remark if hidden else print
            tell(f"fast_onnx is {first:.2f} times as fast; all points need 2.5.{SLOW.get(used['kind'], '')}")
        return score
    print("this processor has no int8 products: the ratio is reported and not graded")
    return 100.0


def baseline_file() -> bytes:
    """resnet8 in FP32 as ONNX."""
    return onnx_of(models.load("resnet8"))


def require_file(blob: Any) -> None:
    require_bytes(blob, "fast_onnx", ONNX_LIMIT)


def lines_of(blob: bytes, width: int = 96) -> str:
    """Bytes as base64 in lines, to be pasted into a cell."""
    text = base64.b64encode(blob).decode()
    return "\n".join(text[i : i + width] for i in range(0, len(text), width))
