# %% [markdown]
# # 10 · Architecture search
#
# **The idea in two sentences.** Instead of making a given network smaller, let a program look
# through thousands of small networks for the one that fits a budget. The search is the easy part;
# what a network is worth, and what it costs on the machine that will run it, are the hard ones.
#
# After this lesson you can
#
# - describe a space of networks, count it, and walk from one network to its neighbours,
# - show that equal MACs are not equal milliseconds, and predict milliseconds from a table,
# - build and train a supernet: all networks of a space in one set of weights,
# - say why its batch norms need new statistics, and compute them,
# - sort candidates by two goals at once, and evolve them under a budget,
# - tell how many seeds it takes before "my search is better" means anything.
#
# **Why it matters.** Tan et al. (2019) let a search measure latency on a real phone instead of
# counting MACs. Their MnasNet runs 1.8 times faster than MobileNetV2 on a Pixel phone, with 0.5
# points higher accuracy on ImageNet.
#
# **What you need:** from [lesson 00](../00_measure_first/00_measure_first.ipynb) MACs (section 3),
# latency (sections 4 and 5) and Pareto fronts (section 7); from [lesson
# 05](../05_knowledge_distillation/05_knowledge_distillation.ipynb) the cross-entropy with soft
# targets (section 2). Plan three hours; each exercise says what it costs. Run the cells from the
# top, replace each `raise NotImplementedError()`, and run the test below it.

# %% setup
import math
import random
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, measure, models, plot, train, widgets
from bonsai.testing import check, check_errors, check_inputs, expect, from_scratch, probe
from bonsai.testing import record, require
import checks10
import lesson10

torch.set_num_threads(1)
torch.manual_seed(0)


@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)


# %% [markdown]
# ## 1. Equal work, unequal time
#
# A convolution with 32 inputs, 32 outputs and a 3×3 kernel needs 32 · 32 · 9 multiply-accumulates
# for each output pixel. MobileNet (Howard et al. 2017) splits it: a **depthwise** convolution, one
# 3×3 filter for each channel, then a **pointwise** one, 1×1, that mixes the channels. Together 32 ·
# 9 + 32 · 32: seven times fewer. There are other ways to save:
#
# | block | what it does | from |
# |---|---|---|
# | plain | k×k convolution | |
# | separable | k×k depthwise, then 1×1 | MobileNet |
# | inverted | 1×1 to twice the channels, k×k depthwise, 1×1 back | MobileNetV2 |
# | bottleneck | 1×1 to half the channels, k×k convolution, 1×1 back | ResNet |
#
# A **shape** in this lesson is a small network of two stages: a stem (a convolution of stride 2, or
# patches of 4×4 pixels), the kind of block and the kernel of each stage, a width (doubled in the
# second stage), and one or two blocks a stage. That makes 768 shapes. All of them were timed by
# `data/make_lesson10.py`, in four settings; nothing had to be trained for it.
#
# <details><summary>Predict first: four shapes of width 32 differ in the kind of block only. The
# separable one has about a seventh of the MACs of the plain one. How much faster is it with 64
# images in ONNX Runtime, and how much with one image in torch?</summary>Between two and four times
# faster would be a good guess for the first. The second surprises nearly everyone: look below at
# whether it is faster at all.</details>

# %%
made = lesson10.results()
kinds = lesson10.same_widths(made)
plain = kinds["plain"]
print("width 32, kernel 3, two blocks a stage; how many times less than the plain one:")
print("              MACs" + "".join(f"{name:>28}" for name in lesson10.SETTINGS.values()))
for name, row in kinds.items():
    faster = [plain["ms"][s][1] / row["ms"][s][1] for s in lesson10.SETTINGS]
    print(f"{name:12}{plain['macs'] / row['macs']:5.1f}x" + "".join(f"{f:27.2f}x" for f in faster))
lesson10.draw_kinds(kinds, "equal widths: MACs and milliseconds")

# %% [markdown]
# *Picture: four groups of bars, one a kind of block, for MACs and for milliseconds in four
# settings, all relative to the plain block. The MACs of the separable block are the lowest bar of
# all; its milliseconds are lower than the plain block's in three settings, and higher with one
# image in torch.*
#
# Where has the factor gone? A multiply-accumulate is not what costs time on a processor; moving
# numbers is. A plain 3×3 convolution uses each number that it loads for 32 outputs. A depthwise one
# uses it for one. And every layer is a call of its own, with a fixed price: torch pays it in full,
# ONNX Runtime fuses what it can. With one image that price is most of the bill, and two small
# layers cost more than one large one.
#
# The other way round: shapes whose MACs are (nearly) equal.

# %%
alike = lesson10.same_macs(made)
for name, row in alike.items():
    ms = "   ".join(f"{s} {row['ms'][s][1]:6.2f}" for s in lesson10.SETTINGS)
    print(f"{name:22}{row['macs'] / 1e6:5.2f} million MACs;  ms: {ms}")
for setting, words in lesson10.SETTINGS.items():
    ms = [row["ms"][setting][1] for row in alike.values()]
    print(f"slowest / fastest, {words}: {max(ms) / min(ms):.1f}")
lesson10.draw_kinds(alike, "nearly equal MACs")

# %% [markdown]
# *Picture: groups of bars for shapes with about two million MACs, relative to the first. The grey
# bars, MACs, have nearly one height; the coloured ones, milliseconds in four settings, do not, and
# their order changes from setting to setting.*
#
# This is how to read the papers. **MobileNet** counts MACs and is fast on phones, whose runtimes
# have good depthwise kernels; in a runtime without them its gain shrinks. **EfficientNet** (Tan and
# Le 2019) was found by a search whose cost was MACs: it is small for its accuracy, and often slower
# than its MACs promise. MnasNet, by the same first author, put measured milliseconds into the
# search instead. The lesson of the four bars: *choose in the runtime, and at the batch size, that
# you ship*.
#
# <details><summary>Which of the four settings is nearest to a phone app, and which to a server
# under load?</summary>One image in a compiled runtime is the app. A loaded server collects requests
# into batches: 64 images, in a compiled runtime again. Torch in eager mode is what most papers time
# and few people ship.</details>

# %% [markdown]
# ## 2. A space
#
# For the next sections we need a space whose networks can share weights. Three stages, each of
# stride 2; a stage has one or two layers; every layer (convolution, batch norm, ReLU) chooses its
# own width and kernel. An architecture is a list of stages, each a list of `(width, kernel)`.

# %%
for stage in lesson10.SPACE:
    print(stage)
print("the largest: ", lesson10.LARGEST)
print("the smallest:", lesson10.SMALLEST)
print(lesson10.build(lesson10.SMALLEST, lesson10.SPACE))

# %% [markdown]
# How many are there? A stage of depth $d$ with $c$ choices a layer has $c^d$ versions; depths are
# alternatives, so they add; stages are independent, so they multiply:
#
# $$N = \prod_{\text{stages}} \; \sum_{d \in \text{depths}} c^d, \qquad
# c = |\text{widths}| \cdot |\text{kernels}| .$$

# %% [markdown]
# ### Exercise 1 · `space_size` and `mutate`
#
# A search walks from a network to its **neighbours**: one decision changed, all else the same. When
# a stage grows, its old layers stay and new ones are drawn behind them; when it shrinks, the last
# ones go. Take care that every neighbour can come, and that the parent itself never does.
#
# <details><summary>Hint 1</summary>Write down all decisions that *could* change as a list first: a
# depth for each stage that has more than one, a width and a kernel for each layer that is there.
# Then draw one of them. If the list is empty there is nothing to change.</details>
#
# <details><summary>Hint 2</summary>For the decision that was drawn, draw among the *other* options
# only: then the parent cannot come. Build a new list of lists, since the parent must stay as it is.
# For a depth d: the first d old layers, then as many new ones as are missing.</details>
#
# <details><summary>Hint 3</summary>For a depth: <code>child[s] = layers[:depth] +
# fresh[len(layers):]</code>, where <code>fresh</code> is a list of depth new layers. For a width:
# <code>rng.choice([w for w in stage["widths"] if w != layers[i][0]])</code>.</details>


# %% exercise="space_size" minutes=20 difficulty=2
def space_size(space: list[dict]) -> int:
    """The number of different architectures in a space.

    Args:
        space: stages, each `{"depths": [...], "widths": [...], "kernels": [...], "stride": int}`.
            Every layer of a stage chooses its width and its kernel by itself.

    Returns:
        an exact int, however large. Layers that are not there do not count.

    >>> space_size([{"depths": [1, 2], "widths": [8, 16], "kernels": [3], "stride": 2}])
    6

    Source: Cai et al. 2020, arXiv:1908.09791, section 3.1.
    """
    ### BEGIN SOLUTION
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum(choices**depth for depth in stage["depths"])
    return total
    ### END SOLUTION


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    """A neighbour: the same architecture with exactly one decision changed.

    A decision is the width of one layer, the kernel of one layer, or the depth of one stage. When
    a depth changes, the shorter of the two stages is the beginning of the longer one, and new
    layers are drawn.

    Args:
        arch: one list of `(width, kernel)` a stage; lists and tuples are alike. Not changed.
        space: as in `space_size`.
        rng: every draw comes from it, and from nothing else: equal `rng`, equal child.

    Returns:
        a new, valid architecture, never the parent. Every such neighbour can come.

    Raises:
        ValueError: the space holds this one architecture only.

    >>> mutate([[(8, 3)]], [{"depths": [1], "widths": [8, 16], "kernels": [3], "stride": 1}],
    ...        random.Random(0))
    [[(16, 3)]]

    Source: Real et al. 2019, arXiv:1802.01548, section 3.
    """
    ### BEGIN SOLUTION
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = child[s], space[s]
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child
    ### END SOLUTION


# %% test="space_size" points=4
# Checked here: sizes of small and huge spaces; children of four parents, one decision changed each.
# Hidden tests: other spaces, depths in any order, lists for tuples, that all chance comes from rng.
from_scratch(space_size, checks10.SEARCHERS)
from_scratch(mutate, checks10.SEARCHERS)


@probe
def children(arch, space, number):
    """Children for many seeds of rng; for some again, with other global noise, and backwards."""
    mutate(arch, space, random.Random(0))
    told = {"parent": [[tuple(layer) for layer in layers] for layers in arch]}
    for name, noise, seeds in (
        ("born", 1, range(number)),
        ("again", 1, range(60)),
        ("other noise", 2, range(60)),
        ("backwards", 1, range(60, -1, -1)),
    ):
        random.seed(noise)
        told[name] = [mutate(arch, space, random.Random(seed)) for seed in seeds]
    return told


@probe
def one_child(arch, space):
    """A child of a parent."""
    return mutate(arch, space, random.Random(0))


check(
    space_size,
    [(checks10.SMALL_SPACE,), (checks10.LONG_SPACE,), (checks10.FIXED_SPACE,), (lesson10.SPACE,)],
    checks10.count_by_listing,
    checks10.SIZE_MISTAKES,
    checks10.SIZE_SYMPTOMS,
)
check(space_size, [(checks10.HUGE_SPACE,)], checks10.count_by_listing, {}, checks10.SIZE_SYMPTOMS)
for parent, space in (
    ([[(8, 3)], [(8, 3), (16, 3)]], checks10.SMALL_SPACE),
    ([[(8, 5), (16, 3)], [(12, 3), (12, 3)]], checks10.SMALL_SPACE),
    ([[(4, 3)], [(2, 1), (4, 3), (2, 3)]], checks10.LONG_SPACE),
    ([[(8, 3)], [(2, 1)]], [checks10.stage([1], [8], [3]), checks10.stage([1], [2], [1, 3])]),
):
    fault = checks10.fault_of_children(children(parent, space, 1201), parent, space)
    require(not fault, fault, f"mutate: 1,201 children of {parent}")
check_errors(ValueError, one_child, ([[(8, 3), (8, 3)], [(4, 5)]], checks10.FIXED_SPACE))
check_inputs(inputs_after, space_size, checks10.SMALL_SPACE)
### BEGIN HIDDEN TESTS
check(
    space_size,
    [
        ([checks10.stage([3], [1, 2, 3], [1, 3])],),
        (
            [
                checks10.stage([4, 1, 2], [5, 6], [7]),
                checks10.stage([2], [1], [1, 3, 5]),
                checks10.stage([1], [9], [9]),
            ],
        ),
        ([checks10.stage([5, 7], [2, 4, 8], [3])] * 3,),
        ([checks10.stage([1], [1], [1])],),
    ],
    checks10.count_by_listing,
    checks10.SIZE_MISTAKES,
    checks10.SIZE_SYMPTOMS,
)
check(
    space_size,
    [([checks10.stage([7, 9], [2, 4, 8], [3, 5, 7])] * 9,)],
    checks10.count_by_listing,
    {},
    checks10.SIZE_SYMPTOMS,
)
for parent, space in (
    (
        [[[5, 1]], [[1, 3]]],
        [checks10.stage([2, 1], [5, 6, 7], [1]), checks10.stage([1], [1, 2], [3, 5])],
    ),
    (
        [[(5, 1), (6, 1)], [(2, 5)]],
        [checks10.stage([2, 1], [5, 6, 7], [1]), checks10.stage([1], [1, 2], [3, 5])],
    ),
    ((((4, 3), (8, 3), (4, 3)),), [checks10.stage([1, 3], [4, 8], [3], 1)]),
    ([[(4, 3)]], [checks10.stage([2, 1, 3], [4, 8], [3])]),
    ([[(1, 3), (2, 3)]], [checks10.stage([2], [1, 2], [3])]),
    ([[(3, 3)]], [checks10.stage([1, 2], [3], [3])]),
):
    fault = checks10.fault_of_children(children(parent, space, 1201), parent, space)
    require(not fault, fault, f"mutate: 1,201 children of {parent}")
check_errors(ValueError, one_child, ([[(1, 1)]], [checks10.stage([1], [1], [1])]))
### END HIDDEN TESTS

# %%
print(f"{space_size(lesson10.SPACE):,} architectures")
rng, walker = random.Random(0), lesson10.SMALLEST
for _ in range(5):
    walker = mutate(walker, lesson10.SPACE, rng)
    print(walker)

# %% [markdown]
# ## 3. What an architecture costs

# %% [markdown]
# ### Exercise 2 · `architecture_cost`
#
# MACs and parameters follow from the list by arithmetic. A search asks for them thousands of times,
# so no network is built.
#
# <details><summary>Hint 1</summary>Walk through the layers and carry three things along: the
# channels that arrive, the height, the width of the picture. What does a stride of 2 make of 7
# pixels, with padding <code>kernel // 2</code>?</details>
#
# <details><summary>Hint 2</summary>Per layer: the size becomes size / stride, rounded up. The
# weights are c_out · c_in · kernel²; each works once for every output pixel. Batch norm adds 2 ·
# c_out parameters, the linear layer c · classes weights and as many biases as classes.</details>
#
# <details><summary>Hint 3</summary>Rounding up in integers: <code>-(-size //
# stride)</code>.</details>


# %% exercise="architecture_cost" minutes=12 difficulty=2
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    """MACs and parameters of an architecture, by arithmetic alone.

    Args:
        arch, space: as above. Every layer is a convolution without bias (padding `kernel // 2`),
            BatchNorm2d and ReLU; the first layer of a stage has the stage's stride, the others 1.
            A size n becomes n / stride, rounded up. At the end: the mean over the picture, and
            `Linear(channels, classes)`.
        image: channels, height and width of one image.

    Returns:
        `{"macs": int, "params": int}`: multiply-accumulates of one image (convolutions and
        linear layer, no bias), and trainable parameters (BatchNorm's two a channel as well).

    >>> architecture_cost([[(8, 3)]], [{"depths": [1], "widths": [8], "kernels": [3],
    ...                                 "stride": 2}], image=(1, 5, 5), classes=2)
    {'macs': 664, 'params': 106}
    """
    ### BEGIN SOLUTION
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = -(-height // stride), -(-width_px // stride)
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}
    ### END SOLUTION


# %% test="architecture_cost" points=3
# Checked here: two architectures on images of 28x28 and 13x13, against networks that torch runs.
# Hidden tests: pictures that are not square, stride 1 and 3, one class, and that no network is built.
from_scratch(architecture_cost, checks10.COUNTERS)


@probe
def modules_made(arch, space):
    """A 0 for each module that comes into being during a call."""
    made, original = [], nn.Module.__init__
    nn.Module.__init__ = lambda self, *args, **kwargs: (
        made.append(0),
        original(self, *args, **kwargs),
    )[1]
    try:
        architecture_cost(arch, space)
    finally:
        nn.Module.__init__ = original
    return made


check(architecture_cost, checks10.COST_CASES, checks10.costs, checks10.COST_MISTAKES)
check_inputs(inputs_after, architecture_cost, *checks10.COST_CASES[0])
### BEGIN HIDDEN TESTS
rng = random.Random(103)
cases = [(lesson10.random_architecture(lesson10.SPACE, rng), lesson10.SPACE) for _ in range(4)]
for stride, image, classes in (
    (1, (2, 9, 7), 3),
    (3, (1, 17, 30), 1),
    (2, (4, 1, 5), 100),
    (2, (1, 7, 7), 2),
):
    space = [
        checks10.stage([1, 2, 3], [3, 7], [1, 3, 5], stride),
        checks10.stage([1, 2], [5], [3], 2),
    ]
    cases.append((lesson10.random_architecture(space, rng), space, image, classes))
check(architecture_cost, cases, checks10.costs, checks10.COST_MISTAKES)
require(
    modules_made(*checks10.COST_CASES[0][:2]) == [], "a module was built; multiply and add instead"
)
### END HIDDEN TESTS

# %%
for name, arch in {"smallest": lesson10.SMALLEST, **lesson10.UNIFORM}.items():
    cost = architecture_cost(arch, lesson10.SPACE)
    print(f"{name:22}{cost['macs'] / 1e6:6.2f} million MACs   {cost['params']:8,} parameters")

# %% [markdown]
# The six rows behind the smallest are **uniform designs**: all layers at 1/2, 3/4 or all of the
# largest width, full depth, one kernel. Nobody had to search for them. They are the baseline that a
# search has to beat, and you will meet them again.
#
# Section 1 says that MACs are not milliseconds. Timing 74,088 networks is out of the question, but
# they are built of few different layers. Time each layer once, and add up (Cai et al. 2019): a
# **latency table**.

# %% [markdown]
# ### Exercise 3 · `latency_table` and `predict_latency`
#
# <details><summary>Hint 1</summary>A busy moment of the machine should hit all layers alike: go
# round all of them, again and again, as in lesson 00, and take the median of each at the end. The
# first call of anything is slow; make it before the clock is read.</details>
#
# <details><summary>Hint 2</summary>Two nested loops, rounds outside, and a list of seconds for each
# key. For the prediction walk as in exercise 2; the key asks for the size *before* the layer, so
# look up first and change the size afterwards.</details>
#
# <details><summary>Hint 3</summary> <code>total += table[size, c_in, width, kernel, stride]</code>,
# then <code>c_in, size = width, math.ceil(size / stride)</code>; at the end <code>table["head",
# c_in]</code>.</details>


# %% exercise="latency_table" minutes=20 difficulty=2
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    """Milliseconds of each function, measured in turns.

    Args:
        layers: key -> function without arguments.
        rounds: at least 1.
        clock: returns seconds.

    Returns:
        key -> median over the rounds, in milliseconds; of an even number of rounds the mean of the
            two in the middle. First every function is called once,
        untimed, in the order of the dict; then `rounds` rounds of all of them in that order. The
        clock is read once just before and once just after each timed call. No layers: `{}`.

    Raises:
        ValueError: rounds < 1.

    >>> sorted(latency_table({"a": list, "b": dict}))
    ['a', 'b']

    Source: Cai et al. 2019, arXiv:1812.00332, section 3.3.
    """
    ### BEGIN SOLUTION
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}
    ### END SOLUTION


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    """The sum of an architecture's entries in a latency table.

    Args:
        arch, space: as above.
        table: `(size, c_in, width, kernel, stride)` -> ms of one layer, where size is the height
            of the layer's **input**; and `("head", channels)` -> ms of pooling and classifier.
        image: channels, height and width; square.

    Returns:
        milliseconds.

    Raises:
        KeyError: an entry is missing.

    >>> predict_latency([[(8, 3)]], [{"depths": [1], "widths": [8], "kernels": [3], "stride": 2}],
    ...                 {(28, 1, 8, 3, 2): 0.25, ("head", 8): 0.5})
    0.75
    """
    ### BEGIN SOLUTION
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = width, math.ceil(size / stride)
    return total + table["head", c_in]
    ### END SOLUTION


# %% test="latency_table" points=4
# Checked here: order of calls, readings of a false clock, medians; two predictions.
# Hidden tests: one layer, one round, 15 rounds by default; other spaces and sizes; missing entries.
from_scratch(latency_table, checks10.TIMERS)
from_scratch(predict_latency, checks10.SEARCHERS)


@probe
def timed_in_turns(durations, rounds):
    """The table, and in which order functions were called and the clock was read."""
    now, log, calls = [5.0], [], {key: 0 for key in durations}

    def clock():
        log.append("clock")
        return now[0]

    def layer(key):
        def call():
            log.append(key)
            now[0] += durations[key][min(calls[key], len(durations[key]) - 1)]
            calls[key] += 1

        return call

    functions = {key: layer(key) for key in durations}
    table = (
        latency_table(functions, rounds, clock) if rounds else latency_table(functions, clock=clock)
    )
    return {"table": table, "log": log}


@probe
def table_of_nothing(rounds):
    """A table without layers, and with none of a layer's results in it."""
    return latency_table({}, rounds)


durations = {(28, 1, 8, 3, 2): [9.0, 0.004, 0.001, 0.009], "b": [7.0, 0.5, 0.25, 0.375]}
check(
    timed_in_turns,
    [(durations, 3), (durations, 2)],
    checks10.expected_table,
    {},
    checks10.TABLE_SYMPTOMS,
    tol=1e-6,
)
check(table_of_nothing, [(2,)], [{}])
check_errors(ValueError, table_of_nothing, (0,))
cases = [
    ([[(8, 3), (16, 5)], [(12, 3), (8, 3)]], checks10.SMALL_SPACE, (1, 28, 28)),
    ([[(16, 5)], [(8, 3), (16, 3)]], checks10.SMALL_SPACE, (3, 13, 13)),
]
cases = [(arch, space, checks10.full_table(space, image), image) for arch, space, image in cases]
check(
    predict_latency,
    cases,
    checks10.predicted,
    checks10.PREDICTION_MISTAKES,
    checks10.PREDICTION_SYMPTOMS,
    tol=1e-9,
)
### BEGIN HIDDEN TESTS
rng = random.Random(104)
many = {name: [rng.randrange(100, 900) / 1024 for _ in range(16)] for name in ("x", ("y", 3), 7)}
check(
    timed_in_turns,
    [(many, 5), (many, 15), (many, 4), ({"alone": [0.5, 0.125, 1.0, 0.25]}, 3), (many, 1)],
    checks10.expected_table,
    {},
    checks10.TABLE_SYMPTOMS,
    tol=1e-6,
)
check(
    timed_in_turns,
    [(many, None)],
    [checks10.expected_table(many, 15)],
    {},
    checks10.TABLE_SYMPTOMS,
    tol=1e-6,
)
check_errors(ValueError, table_of_nothing, (-1,))
cases = []
for stride, image in ((1, (2, 9, 9)), (3, (1, 17, 17)), (2, (1, 28, 28)), (2, (4, 1, 1))):
    space = [
        checks10.stage([1, 2, 3], [3, 7], [1, 3, 5], stride),
        checks10.stage([1, 2], [5, 2], [3], 2),
    ]
    cases.append(
        (lesson10.random_architecture(space, rng), space, checks10.full_table(space, image), image)
    )
check(
    predict_latency,
    cases,
    checks10.predicted,
    checks10.PREDICTION_MISTAKES,
    checks10.PREDICTION_SYMPTOMS,
    tol=1e-9,
)
check(
    predict_latency,
    [(arch, space, table) for arch, space, table, image in cases[2:3]],
    checks10.predicted,
    checks10.PREDICTION_MISTAKES,
    checks10.PREDICTION_SYMPTOMS,
    tol=1e-9,
)
for missing in (("head", 8), (28, 1, 8, 3, 2)):
    table = {(28, 1, 8, 3, 2): 0.25, ("head", 8): 0.5}
    del table[missing]
    check_errors(KeyError, predict_latency, ([[(8, 3)]], [checks10.stage([1], [8], [3])], table))
check_inputs(inputs_after, predict_latency, *cases[0])
### END HIDDEN TESTS

# %% [markdown]
# A table for our space, 32 images at a time. The clock is `time.process_time`, which stands still
# while other programs have the processor. Then the test that every such table should have to pass:
# whole networks, timed the same way, beside the sums.
#
# <details><summary>Predict first: will the sum of the parts be too high or too low? Think of what a
# network's layers do to each other's data in the cache, and of the clock that is read around each
# layer.</summary>On the machine that built these pages sums come out off by some ten percent in
# either direction; what matters more is whether the error is the same for all networks. A common
# factor would not hurt a search at all.</details>

# %% tags=["nbval-ignore-output"]
torch.manual_seed(0)
clock = time.process_time
table = latency_table(lesson10.layer_calls(lesson10.SPACE), clock=clock)
rng = random.Random(1)
known = {"smallest": lesson10.SMALLEST, **lesson10.UNIFORM}
some = known | {f"random {i}": lesson10.random_architecture(lesson10.SPACE, rng) for i in range(13)}
whole = {
    name: lesson10.on_noise(lesson10.build(arch, lesson10.SPACE).eval(), (32, 1, 28, 28))
    for name, arch in some.items()
}
real = latency_table(whole, clock=clock)
summed = {name: predict_latency(arch, lesson10.SPACE, table) for name, arch in some.items()}
work = {name: architecture_cost(arch, lesson10.SPACE)["macs"] for name, arch in some.items()}
common = np.median([summed[n] / real[n] for n in some])
print(f"{len(table)} entries; the sum is {common:.2f} times the real time (median)")
for words, guess in (("table", summed), ("MACs", work)):
    factor = np.median([real[n] / guess[n] for n in some])
    errors = [abs(factor * guess[n] / real[n] - 1) for n in some]
    wrong = f"mean error {100 * np.mean(errors):.0f} %, largest {100 * max(errors):.0f} %"
    print(f"{words}, with one common factor: {wrong}")
ratios = [times["full wide, kernel 5"] / times["1/2 wide, kernel 3"] for times in (summed, real)]
print(f"largest / uniform half width: {ratios[0]:.2f} by the table, {ratios[1]:.2f} in fact")
fig, axes = plot.figure(2)
names = [name if "random" not in name else "" for name in some]
lesson10.draw_pairs(
    axes[0], list(real.values()), list(summed.values()), names, "real, ms", "sum of the table, ms"
)
scaled = [work[n] * np.median([real[m] / work[m] for m in some]) for n in some]
lesson10.draw_pairs(axes[1], list(real.values()), scaled, names, "real, ms", "MACs, scaled, ms")
fig

# %% [markdown]
# *Picture: two clouds of points around the line of equality, for 20 networks; left the sums of the
# table over the real milliseconds, right the scaled MACs over the same; the named points are the
# smallest and the uniform designs.*
#
# The printed lines are measured anew each time. Where they show an error of ten percent and more, a
# table cannot tell apart two networks that differ by five. It is a filter: **a table proposes,
# whole networks are timed before anything is claimed**.

# %% [markdown]
# ## 4. All networks in one
#
# Training each candidate is dear. A **supernet** holds the largest network's weights, and every
# smaller network uses a part of them: the first filters, the first input channels, the centre of
# each kernel. Train the one, and all of them are there (Yu and Huang 2019; Cai et al. 2020).

# %% [markdown]
# ### Exercise 4 · `ElasticConv2d` and `ElasticBatchNorm2d`
#
# <details><summary>Hint 1</summary>Slicing a Parameter gives a view of it, and autograd brings the
# gradient back to the right place by itself. What must not happen on the way is a copy, or
# <code>.data</code>. Where does the centre of a 5×5 kernel begin if 3×3 are wanted?</details>
#
# <details><summary>Hint 2</summary>The convolution: <code>F.conv2d</code> with the slice, the
# stride, and padding of the kernel in use. The batch norm: <code>F.batch_norm</code> takes running
# values as tensors and changes them in place, also if they are views. A standalone layer is made as
# usual, and its values are copied.</details>
#
# <details><summary>Hint 3</summary> <code>edge = (largest - kernel) // 2</code> and
# <code>self.weight[:width, :x.shape[1], edge:edge + kernel, edge:edge + kernel]</code>. For the
# other, <code>F.batch_norm(x, self.running_mean[:c], self.running_var[:c], self.weight[:c],
# self.bias[:c], self.training, momentum=0.1, eps=1e-5)</code>.</details>


# %% exercise="ElasticConv2d" minutes=35 difficulty=4
class ElasticConv2d(nn.Module):
    """A convolution without bias that holds all its narrower and smaller versions in one weight.

    `weight`, `[c_out, c_in, kernel, kernel]`, is the only parameter; let it begin with small random
    numbers, like that of nn.Conv2d. A call uses the first `width` filters, the first `x.shape[1]`
    inputs, and the **central** part of the kernel, with padding `kernel // 2` of the kernel that is
    used. Gradients reach that part of the shared weight.

    Source: Cai et al. 2020, arXiv:1908.09791, section 3.3 (without the kernel transformation).
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        """The largest version; kernel is odd."""
        ### BEGIN SOLUTION
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        ### END SOLUTION

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        """x `[N, c, H, W]` to `[N, width, ceil(H / stride), ceil(W / stride)]`.

        Raises:
            ValueError: a width, kernel or number of input channels that is not in it (1 to the
                largest); an even kernel.
        """
        ### BEGIN SOLUTION
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)
        ### END SOLUTION

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        """The same as an ordinary layer that shares nothing with this one. ValueError as above."""
        ### BEGIN SOLUTION
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and 1 <= kernel <= largest
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]
        ### END SOLUTION


class ElasticBatchNorm2d(nn.Module):
    """Batch norm for the first `x.shape[1]` of its channels.

    Parameters `weight` (ones) and `bias` (zeros), buffers `running_mean` (zeros) and `running_var`
    (ones), each `[channels]`, and all four in the `state_dict`. In train mode it normalises with
    the batch (biased variance) and moves the running values of these channels alone: momentum 0.1,
    unbiased variance. In eval mode it normalises with the running values. eps is 1e-5.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167; Yu and Huang 2019, arXiv:1903.05134.
    """

    def __init__(self, channels: int):
        ### BEGIN SOLUTION
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.ones(channels)),
            nn.Parameter(torch.zeros(channels)),
        )
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x `[N, c, H, W]`, c at most `channels` (else ValueError)."""
        ### BEGIN SOLUTION
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = self.running_mean[:c], self.running_var[:c]  # views: they are moved in place
        scale, shift = self.weight[:c], self.bias[:c]
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-5)
        ### END SOLUTION

    def standalone(self, width: int) -> nn.BatchNorm2d:
        """The first `width` channels (1 to all, else ValueError) as an ordinary layer."""
        ### BEGIN SOLUTION
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm
        ### END SOLUTION


# %% test="ElasticConv2d" points=6
# Checked here: outputs and gradients of parts; batch norm in both modes; standalone copies; errors.
# Hidden tests: other sizes and strides, calls in a row and interleaved, one channel, all of them.
from_scratch(ElasticConv2d, checks10.SEARCHERS)
from_scratch(ElasticBatchNorm2d, checks10.SEARCHERS)


@probe
def elastic_calls(settings, weight, calls):
    """For each call: the output, and what the gradient of half the sum of its squares is."""
    layer = ElasticConv2d(*settings)
    told = {"parameters": [name for name, _ in layer.named_parameters()], "calls": []}
    checks10.fill(layer, {"weight": weight})
    for x, width, kernel in calls:
        x = x.clone().requires_grad_()
        layer.weight.grad = None
        y = layer(x, width, kernel)
        (y.square().sum() / 2).backward()
        gradient = torch.zeros_like(weight) if layer.weight.grad is None else layer.weight.grad
        told["calls"].append({"y": y.detach(), "x gradient": x.grad, "weight gradient": gradient})
    return told


@probe
def elastic_alone(settings, weight, x, width, kernel):
    """The output of an ordinary layer made of a part, before and after the weight is doubled."""
    layer = ElasticConv2d(*settings)
    checks10.fill(layer, {"weight": weight})
    alone = layer.standalone(x.shape[1], width, kernel)
    told = {"kind": type(alone).__name__}
    if told["kind"] != "Conv2d":
        return told
    told |= {"y": alone(x).detach(), "no bias": alone.bias is None}
    layer.weight.data.mul_(2)
    told["after doubling"] = alone(x).detach()
    alone.weight.data.zero_()
    alone(x).sum().backward()
    gradient = torch.zeros_like(weight) if layer.weight.grad is None else layer.weight.grad
    return told | {"elastic after": layer.weight.detach().clone(), "elastic gradient": gradient}


@probe
def elastic_error(settings, channels, width, kernel, alone):
    """A call, or a standalone layer, with settings that are not in it."""
    layer = ElasticConv2d(*settings)
    if alone:
        return tuple(layer.standalone(channels, width, kernel).weight.shape)
    return layer(torch.ones(1, channels, 8, 8), width, kernel)


@probe
def norm_calls(state, steps):
    """Outputs, and the running values after each call."""
    layer = ElasticBatchNorm2d(len(state["weight"]))
    checks10.fill(layer, state)
    told = []
    for training, x in steps:
        y = layer.train(training)(x)
        values = {
            name: getattr(layer, name).detach().clone() for name in ("running_mean", "running_var")
        }
        told.append({"y": y.detach()} | values)
    return told


@probe
def norm_alone(state, width, x):
    """An ordinary batch norm made of a part, in both modes; then all in it is set to 9."""
    layer = ElasticBatchNorm2d(len(state["weight"]))
    checks10.fill(layer, state)
    alone = layer.standalone(width)
    told = {"kind": type(alone).__name__}
    if told["kind"] != "BatchNorm2d":
        return told
    told["running_mean"] = alone.running_mean.clone()
    told["eval"] = alone.eval()(x).detach()
    told["train"] = alone.train()(x).detach()
    told |= {"moved mean": alone.running_mean.clone(), "moved var": alone.running_var.clone()}
    for tensor in alone.state_dict().values():
        tensor.fill_(9)
    return told | {
        "elastic after": torch.stack([getattr(layer, name).detach() for name in checks10.NORM])
    }


@probe
def new_norm(channels):
    """Names and values of a new layer, and which of the four tensors `state_dict` saves."""
    layer = ElasticBatchNorm2d(channels)
    told = {"parameters": sorted(name for name, _ in layer.named_parameters())}
    told["saved"] = [name for name in checks10.NORM if name in layer.state_dict()]
    return told | {name: getattr(layer, name).detach() for name in checks10.NORM}


@probe
def norm_gradient(state, x, upstream):
    """The gradients of (layer(x) * upstream).sum() on weight and bias."""
    layer = ElasticBatchNorm2d(len(state["weight"]))
    checks10.fill(layer, state)
    (layer(x) * upstream).sum().backward()
    return [layer.weight.grad, layer.bias.grad]


@probe
def norm_error(channels, width, alone):
    """Too many channels, in a call or in a standalone layer."""
    layer = ElasticBatchNorm2d(channels)
    return layer.standalone(width) if alone else layer(torch.ones(2, width, 3, 3))


def alone_wanted(settings, weight, x, width, kernel):
    call = checks10.elastic(settings, weight, [(x, width, kernel)])["calls"][0]["y"]
    return {
        "kind": "Conv2d",
        "y": call,
        "no bias": True,
        "after doubling": call,
        "elastic after": 2 * weight,
        "elastic gradient": torch.zeros_like(weight),
    }


def norm_alone_wanted(state, width, x):
    told = checks10.normed(state, [(False, x), (True, x)])
    flat = torch.stack([state[name] for name in checks10.NORM])
    return {
        "kind": "BatchNorm2d",
        "running_mean": state["running_mean"][:width],
        "eval": told[0]["y"],
        "train": told[1]["y"],
        "moved mean": told[1]["running_mean"][:width],
        "moved var": told[1]["running_var"][:width],
        "elastic after": flat,
    }


case = checks10.elastic_case(
    105, (3, 4, 5, 2), [((2, 2, 7, 7), 3, 3), ((2, 3, 6, 6), 2, 5), ((1, 1, 5, 5), 4, 1)]
)
check(
    elastic_calls,
    [case],
    checks10.elastic,
    checks10.ELASTIC_MISTAKES,
    checks10.ELASTIC_SYMPTOMS,
    tol=1e-4,
)
settings, weight, ((x, width, kernel), *_) = case
check(
    elastic_alone,
    [(settings, weight, x, width, kernel)],
    alone_wanted,
    {},
    checks10.CONV_ALONE_SYMPTOMS,
    tol=1e-4,
)
check_errors(
    ValueError,
    elastic_error,
    *[
        ((3, 4, 5), *wrong, alone)
        for wrong in ((4, 2, 3), (3, 5, 3), (3, 0, 3), (3, 2, 4), (3, 2, 7))
        for alone in (False, True)
    ],
)
check(
    new_norm,
    [(3,)],
    [
        {
            "parameters": ["bias", "weight"],
            "saved": ["weight", "bias", "running_mean", "running_var"],
            "weight": torch.ones(3),
            "bias": torch.zeros(3),
            "running_mean": torch.zeros(3),
            "running_var": torch.ones(3),
        }
    ],
    {},
    checks10.NEW_NORM_SYMPTOMS,
)
state = checks10.norm_state(4, 106)
steps = checks10.norm_steps(107, (True, (3, 2, 4, 4)), (True, (2, 2, 3, 3)), (False, (2, 1, 3, 3)))
check(
    norm_calls,
    [(state, steps)],
    checks10.normed,
    checks10.NORM_MISTAKES,
    checks10.NORM_SYMPTOMS,
    tol=1e-4,
)
check(
    norm_alone,
    [(state, 3, checks10.norm_steps(108, (True, (4, 3, 2, 2)))[0][1])],
    norm_alone_wanted,
    {},
    checks10.NORM_ALONE_SYMPTOMS,
    tol=1e-4,
)
check_errors(ValueError, norm_error, (3, 4, False), (3, 4, True), (3, 0, True))
### BEGIN HIDDEN TESTS
cases = [
    checks10.elastic_case(
        205, (2, 3, 3), [((2, 2, 4, 4), 3, 3), ((1, 1, 4, 5), 1, 1), ((2, 2, 4, 4), 3, 3)]
    ),
    checks10.elastic_case(
        206, (5, 6, 7, 3), [((2, 3, 9, 8), 4, 3), ((1, 5, 7, 7), 6, 5), ((3, 1, 3, 3), 1, 7)]
    ),
    checks10.elastic_case(
        207, (1, 2, 5), [((7, 1, 6, 6), 1, 3), ((1, 1, 6, 6), 2, 3), ((1, 1, 1, 1), 1, 3)]
    ),
]
check(
    elastic_calls,
    cases,
    checks10.elastic,
    checks10.ELASTIC_MISTAKES,
    checks10.ELASTIC_SYMPTOMS,
    tol=1e-4,
)
singles = [(s, w, x, width, k) for s, w, calls in cases for x, width, k in calls[:2]]
check(elastic_alone, singles, alone_wanted, {}, checks10.CONV_ALONE_SYMPTOMS, tol=1e-4)
check_errors(
    ValueError,
    elastic_error,
    *[
        ((2, 3, 3, 2), *wrong, alone)
        for wrong in ((3, 2, 3), (2, 4, 3), (2, -1, 3), (2, 3, 2), (2, 3, 5), (2, 3, -1), (1, 1, 0))
        for alone in (False, True)
    ],
    ((2, 3, 3), 0, 1, 3, True),
)
check(
    new_norm,
    [(2,)],
    [
        {
            "parameters": ["bias", "weight"],
            "saved": ["weight", "bias", "running_mean", "running_var"],
            "weight": torch.ones(2),
            "bias": torch.zeros(2),
            "running_mean": torch.zeros(2),
            "running_var": torch.ones(2),
        }
    ],
    {},
    checks10.NEW_NORM_SYMPTOMS,
)
state = checks10.norm_state(7, 208)
steps = checks10.norm_steps(
    209,
    (True, (3, 5, 2, 2)),
    (False, (2, 5, 3, 3)),
    (True, (5, 1, 3, 1)),
    (True, (2, 4, 4, 4)),
    (False, (1, 5, 1, 1)),
)
check(
    norm_calls,
    [(state, steps), (checks10.norm_state(3, 210), checks10.norm_steps(211, (True, (2, 3, 3, 3))))],
    checks10.normed,
    checks10.NORM_MISTAKES,
    checks10.NORM_SYMPTOMS,
    tol=1e-4,
)
check(
    norm_alone,
    [(state, w, checks10.norm_steps(212 + w, (True, (4, w, 2, 3)))[0][1]) for w in (1, 4, 7)],
    norm_alone_wanted,
    {},
    checks10.NORM_ALONE_SYMPTOMS,
    tol=1e-4,
)
upstream = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(213))
check(
    norm_gradient,
    [(checks10.norm_state(4, 214), checks10.norm_steps(215, (True, (3, 2, 4, 4)))[0][1], upstream)],
    checks10.norm_gradients,
    {},
    checks10.GRADIENT_SYMPTOMS,
    tol=1e-3,
)
check_errors(ValueError, norm_error, (1, 2, False), (1, 2, True), (5, -1, True))
### END HIDDEN TESTS

# %% [markdown]
# How to train it? With the largest network only, the small ones would be left behind; with random
# ones only, the largest would. The **sandwich rule** (Yu and Huang 2019): in each step the largest,
# the smallest and a few random ones. And the largest serves as the teacher of the others, lesson 05
# inside one network: the labels teach the largest $z_L$, its answers teach the rest,
#
# $$L = \mathrm{CE}(y, z_L) + \sum_{a \in \text{others}}
# \mathrm{CE}\bigl(\mathrm{softmax}(z_L), z_a\bigr).$$

# %% [markdown]
# ### Exercise 5 · `sandwich_step`
#
# <details><summary>Hint 1</summary>One loss, one backward, one step. The soft targets are computed
# once from the largest network's logits. Which of the tensors must not carry a gradient there, and
# why would it if you let it?</details>
#
# <details><summary>Hint 2</summary><code>F.cross_entropy</code> takes probabilities of the shape of
# the logits as its target as well as labels. Clear the gradients before backward, not after the
# step: there may be old ones.</details>
#
# <details><summary>Hint 3</summary><code>targets = torch.softmax(logits.detach(), 1)</code>, then
# for each other: <code>total = total + F.cross_entropy(net(x, arch), targets)</code>.</details>


# %% exercise="sandwich_step" minutes=15 difficulty=3
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    """One step of a supernet, in place: the largest learns from the labels, the others from it.

    Args:
        net: `net(x, arch)` gives logits `[N, C]`; it is called once an architecture, largest first.
        x, y: one batch; labels int64 `[N]`.
        largest: an architecture.
        others: architectures, perhaps none.
        optimizer: of the net's parameters; their gradients may still hold something.

    Returns:
        the loss of the largest as a float. The loss that is minimised is the cross-entropy of the
        largest with y, plus the **sum** over `others` of the cross-entropy with the softmax of the
        largest's logits, through which no gradient flows. One optimizer step; modes stay.

    Source: Yu and Huang 2019, arXiv:1903.05134, section 3; Cai et al. 2020, arXiv:1908.09791.
    """
    ### BEGIN SOLUTION
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = loss, torch.softmax(logits.detach(), 1)
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% test="sandwich_step" points=4
# Checked here: one step and two on a toy net that logs its calls; old gradients; no others at all.
# Hidden tests: eval mode, one other, the same one twice, other batches.
from_scratch(sandwich_step, checks10.SEARCHERS)


@probe
def toy_steps(weight, x, y, others, training, steps):
    """A toy net after some steps: its weight, its log of calls, and the losses."""
    return checks10.run_toy(sandwich_step, weight, x, y, others, training, steps)


check(
    toy_steps,
    [
        checks10.toy_case(109, [2, 3, 4]),
        checks10.toy_case(110, [1, 4], steps=2),
        checks10.toy_case(111, []),
    ],
    checks10.toy_with(""),
    checks10.SANDWICH_MISTAKES,
    checks10.SANDWICH_SYMPTOMS,
    tol=1e-4,
)
### BEGIN HIDDEN TESTS
check(
    toy_steps,
    [
        checks10.toy_case(301, [3, 1], training=False, steps=3),
        checks10.toy_case(302, [4], classes=7),
        checks10.toy_case(303, [2, 2, 3], steps=2),
        checks10.toy_case(304, [], training=False, steps=2),
    ],
    checks10.toy_with(""),
    checks10.SANDWICH_MISTAKES,
    checks10.SANDWICH_SYMPTOMS,
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# A short run, to see that it learns (about 10 s on one core). The supernet that comes with the
# course was trained by the same function.

# %%
train_x, train_y = data.load("train")
val_x, val_y = data.load("validation")
torch.manual_seed(0)
young = lesson10.Supernet(ElasticConv2d, ElasticBatchNorm2d)
optimizer = torch.optim.AdamW(young.parameters(), lr=5e-3, weight_decay=1e-2)
rng, losses = random.Random(0), []
for step in range(16):
    chosen = slice(128 * step, 128 * step + 128)
    others = [lesson10.SMALLEST] + [
        lesson10.random_architecture(lesson10.SPACE, rng) for _ in range(2)
    ]
    losses.append(
        sandwich_step(young, train_x[chosen], train_y[chosen], lesson10.LARGEST, others, optimizer)
    )
print(
    f"loss of the largest: {losses[0]:.2f} in the first step, {losses[-1]:.2f} after {len(losses)}"
)
how = made["supernet"]
size = f"{how['steps']:,} steps of {how['batch']} images"
print(f"the shipped one: {size}, {how['cpu_seconds']} CPU seconds")

# %% [markdown]
# ## 5. Whose statistics?
#
# Batch norm remembers the mean and variance of each channel, for eval mode. But channel 3 of a
# layer receives other inputs in a narrow network than in a wide one: fewer channels arrive. The
# shared running values are a mixture that fits nobody.
#
# <details><summary>Predict first: the largest network of the supernet has some accuracy with the
# shared statistics. What has the network of half that width, all kernels 3: a little less, half of
# it, or no better than chance?</summary>It varies with the network and with the training; look at
# the orange squares of the next picture. Some networks seem to be ruined, and none of them
# is.</details>

# %% [markdown]
# ### Exercise 6 · `recalibrate`
#
# The cure needs no labels and no gradients: run a few batches through the network, and take the
# statistics from them.
#
# <details><summary>Hint 1</summary>The running values are a moving average, which remembers old
# batches. What would make a batch norm forget everything but the last batch? Collect that after
# each batch, and average yourself.</details>
#
# <details><summary>Hint 2</summary>Put the whole model in eval mode and only the batch norms in
# train mode, with momentum 1: after a forward pass the running values are this batch's. Note modes
# and momenta before, and put them back at the end.</details>
#
# <details><summary>Hint 3</summary>Modes by hand: <code>modes = [(m, m.training) for m in
# model.modules()]</code>, and at the end <code>m.training = mode</code> for each. Everything inside
# <code>torch.no_grad()</code>.</details>


# %% exercise="recalibrate" minutes=20 difficulty=3
def recalibrate(model: nn.Module, batches: list) -> None:
    """New running statistics for every BatchNorm2d of a model, in place.

    Args:
        model: any module; `model(x)` runs it.
        batches: a list of `(x, y)`; y is not needed. It may be read again.

    `running_mean` and `running_var` become the mean over the batches, each batch alike, of the
    batch's mean and of its unbiased variance, while **all** BatchNorm2d layers normalise with the
    batch (train mode) and every other module is in eval mode. What the running values were before
    does not matter. Momentum, the mode of each module and parameters are afterwards as before; no
    gradients are made.

    Raises:
        ValueError: no batches.

    Source: Yu and Huang 2019, arXiv:1903.05134, section 3.3; Wu and Johnson 2021, arXiv:2105.07576.
    """
    ### BEGIN SOLUTION
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = [(m, m.training) for m in model.modules()], [m.momentum for m in norms]
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0  # the running values are then exactly those of the last batch
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    ### END SOLUTION


# %% test="recalibrate" points=5
# Checked here: running values of nested networks, dropout, momentum, modes that differ; no batches.
# Hidden tests: other batches and networks; what the supernet's half width gains on new images.
from_scratch(recalibrate, checks10.RECALIBRATORS)


@probe
def running_values(spec, state, images, training):
    """Running values after recalibration, twice, and what else may have changed."""
    net = models.network(spec)
    net.load_state_dict(state)
    checks10.set_modes(net, training)
    told = {}
    for name in ("running", "again"):
        recalibrate(net, [(x, torch.zeros(len(x), dtype=torch.int64)) for x in images])
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        told[name] = [{"mean": m.running_mean.clone(), "var": m.running_var.clone()} for m in norms]
    return told | {
        "modes": [m.training for m in net.modules()],
        "momentum": [m.momentum for m in norms],
        "parameters": [p.detach().clone() for p in net.parameters()],
        "gradients": [p.grad for p in net.parameters()],
    }


@probe
def statistics_of_nothing(spec):
    """No batches."""
    return recalibrate(models.network(spec), [])


cases = [
    checks10.norm_case(checks10.NORM_NET, 112, [4, 4, 4]),
    checks10.norm_case(checks10.NORM_NET, 113, [5, 3], training=True),
    checks10.norm_case(checks10.NORM_NET, 115, [3, 4], training="mixed"),
    checks10.norm_case(checks10.DROPOUT_NET, 114, [4, 6]),
]
check(
    running_values,
    cases,
    checks10.recalibrated_with(""),
    checks10.RECALIBRATION_MISTAKES,
    checks10.RECALIBRATION_SYMPTOMS,
    tol=1e-4,
)
check_errors(ValueError, statistics_of_nothing, (checks10.NORM_NET,))
### BEGIN HIDDEN TESTS
cases = [
    checks10.norm_case(checks10.NORM_NET, 401, [7], size=5),
    checks10.norm_case(checks10.NORM_NET, 402, [2, 9, 1], size=8, training=True),
    checks10.norm_case(checks10.DROPOUT_NET, 403, [3, 3, 5], training=True),
    checks10.norm_case(checks10.MIXED_NET, 404, [6, 4], size=4, training="mixed"),
]
check(
    running_values,
    cases,
    checks10.recalibrated_with(""),
    checks10.RECALIBRATION_MISTAKES,
    checks10.RECALIBRATION_SYMPTOMS,
    tol=1e-4,
)
check_errors(ValueError, statistics_of_nothing, ([("BatchNorm2d", 2)],))


@probe
def half_width_values(state, images):
    """Running values of the supernet's half-width network after recalibration."""
    net = lesson10.build(lesson10.UNIFORM["1/2 wide, kernel 3"], lesson10.SPACE)
    net.load_state_dict(state)
    recalibrate(net, [(x, torch.zeros(len(x), dtype=torch.int64)) for x in images])
    return [(m.running_mean, m.running_var) for m in net if isinstance(m, nn.BatchNorm2d)]


shipped = checks10.half_width()
images = data.load("train")[0][:500].split(250)
judge_x, judge_y = data.load("test")
judge_x, judge_y = judge_x[:2500].flip(-1), judge_y[:2500]
before = measure.accuracy(shipped, judge_x, judge_y)
require(before <= 40, f"the shipped network is not what it should be: {before:.1f} % before")
repaired = checks10.with_statistics(shipped, half_width_values(shipped.state_dict(), list(images)))
after = measure.accuracy(repaired, judge_x, judge_y)
record(accuracy_shared_statistics=before, accuracy_recalibrated=after)
require(
    after >= 74,
    f"half width, recalibrated: {after:.1f} % on images that nobody saw, expected at least 74 %",
)
### END HIDDEN TESTS

# %%
supernet = lesson10.load_supernet(ElasticConv2d, ElasticBatchNorm2d)
calibration = [(train_x[i : i + 250], train_y[i : i + 250]) for i in (0, 250)]
judge_x, judge_y = val_x[:2000], val_y[:2000]


def inherited(arch):
    """A network cut out of the supernet, with statistics of its own."""
    net = supernet.cut(arch)
    recalibrate(net, calibration)
    return net


rows = {}
for name, arch in {"smallest": lesson10.SMALLEST, **lesson10.UNIFORM}.items():
    before = measure.accuracy(supernet.cut(arch), judge_x, judge_y)
    rows[name] = (before, measure.accuracy(inherited(arch), judge_x, judge_y))
    print(f"{name:22} shared statistics {before:5.1f} %   recalibrated {rows[name][1]:5.1f} %")
lesson10.draw_recalibration(rows)

# %% [markdown]
# *Picture: one row a network; an orange square for its accuracy with shared statistics, which lies
# far to the left for some, and a blue dot for the accuracy after recalibration, far to the right
# for all.*
#
# The same trick repairs networks after other operations that shift activations: rounding (lesson
# 02), pruning (lesson 03), averaging the weights of two networks. torch's own version is
# `torch.optim.swa_utils.update_bn`; section 9 compares.

# %% [markdown]
# ## 6. Does the supernet rank as training would?
#
# Nobody ships inherited weights; the chosen network is trained on. So the supernet's accuracy only
# has to put the candidates *in the right order*. How much do two orders agree? Take all pairs:
# **Kendall's tau** is the number of pairs on which they agree minus the number on which they do
# not, divided by the number of pairs. With ties, the pairs that are tied in one of the two drop out
# of that one's count (tau-b):
#
# $$\tau = \frac{\text{agreeing} - \text{disagreeing}}
# {\sqrt{\text{untied in } a \cdot \text{untied in } b}} .$$

# %% [markdown]
# ### Exercise 7 · `kendall_tau`
#
# <details><summary>Hint 1</summary>Two nested loops over pairs i > j. The sign of <code>a[i] -
# a[j]</code> says how a orders them; the product of two signs says whether the orders
# agree.</details>
#
# <details><summary>Hint 2</summary>A tie has sign 0 and adds 0. Count separately the pairs with a
# sign in a and those with a sign in b. If one of these counts is 0, return 0.0.</details>
#
# <details><summary>Hint 3</summary><code>sign = (a[i] > a[j]) - (a[i] < a[j])</code>, and at the
# end <code>balance / math.sqrt(untied_a * untied_b)</code>.</details>


# %% exercise="kendall_tau" minutes=12 difficulty=2
def kendall_tau(a: list, b: list) -> float:
    """How far two scores agree on the order of things: Kendall's tau-b.

    Args:
        a, b: two scores of the same things, equally long.

    Returns:
        `(agreeing - disagreeing) / sqrt(untied in a * untied in b)`, over all pairs of things. A
        pair that is tied in a or in b neither agrees nor disagrees; "untied in a" counts the
        pairs with different scores in a. If all of a, or all of b, are equal: 0.0.

    Raises:
        ValueError: different lengths, or fewer than two.

    >>> kendall_tau([1, 2, 3], [10, 30, 20])
    0.3333333333333333

    Source: Kendall 1945, doi:10.1093/biomet/33.3.239.
    """
    ### BEGIN SOLUTION
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0
    ### END SOLUTION


# %% test="kendall_tau" points=3
# Checked here: with and without ties, constant sequences, lengths that do not fit.
# Hidden tests: random sequences of 2 to 40, huge and tiny numbers, tuples, negative values.
from_scratch(kendall_tau, checks10.TAU)
check(
    kendall_tau,
    [
        ([1, 2, 3, 4], [10, 30, 20, 90]),
        ([1, 2, 2, 3, 5], [1, 3, 2, 2, 9]),
        ([1, 1, 1, 2], [1, 2, 3, 3]),
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]),
        ([5, 5, 5], [1, 2, 3]),
        ([1, 2], [7, 7]),
    ],
    checks10.tau,
    checks10.TAU_MISTAKES,
    checks10.TAU_SYMPTOMS,
    tol=1e-9,
)
check_errors(ValueError, kendall_tau, ([1, 2], [1, 2, 3]), ([1], [1]), ([], []))
check_inputs(inputs_after, kendall_tau, [3, 1, 2], [1, 2, 2])
### BEGIN HIDDEN TESTS
rng = random.Random(405)
cases = [
    ([rng.randrange(values) for _ in range(n)], [rng.randrange(values) for _ in range(n)])
    for n, values in ((2, 9), (7, 3), (13, 100), (40, 6), (25, 2))
]
cases += [((1e300, 1e-300, -1e300, 0.0), (4, 3, 2, 1)), ([1e9, 1e9 + 1, 1e9 + 2], [-1, -3, -2])]
cases += [([0.1 + 0.2, 0.3, 1.0], [1, 2, 3]), ([4, 4], [4, 4]), ([7, 7, 7, 7], [1, 2, 2, 1])]
check(
    kendall_tau, cases, checks10.tau, checks10.TAU_MISTAKES, checks10.TAU_SYMPTOMS, tol=1e-9
)
check_errors(ValueError, kendall_tau, ((1, 2, 3), (1, 2)), ((), (1,)), ([2.0], [3.0]))
### END HIDDEN TESTS

# %% [markdown]
# Ten architectures were trained from scratch, shortly, with two seeds (`data/make_lesson10.py`).
# How well does the supernet foresee their order? MACs alone are the cheapest predictor of all: no
# training, no data. And two seeds of the *same* training show how well any predictor can do at
# best.

# %%
scratch = made["scratch"]
archs = [row["arch"] for row in scratch["rows"]]
seeds = [[row["accuracy"][s] for row in scratch["rows"]] for s in range(2)]
both = [sum(row["accuracy"]) / 2 for row in scratch["rows"]]
from_supernet = [measure.accuracy(inherited(arch), judge_x, judge_y) for arch in archs]
macs = [architecture_cost(arch, lesson10.SPACE)["macs"] for arch in archs]
print(f"{len(archs)} architectures, {scratch['steps']} steps of {scratch['batch']} images each")
for arch, guess, accuracies in zip(archs, from_supernet, zip(*seeds)):
    scores = "  ".join(f"{a:.1f}" for a in accuracies)
    print(f"  inherited {guess:.1f} %   from scratch {scores} %   {arch}")
print(f"tau, supernet and training:  {kendall_tau(from_supernet, both):.2f}")
print(f"tau, MACs and training:      {kendall_tau(macs, both):.2f}")
print(f"tau, one seed and the other: {kendall_tau(*seeds):.2f}")

# %% [markdown]
# Ten networks are 45 pairs, and pairs that differ by a tenth of a point are decided by luck; so
# read these three numbers as *roughly*. What a supernet buys for certain is something else: one
# training for a whole family of networks, and a head start for the one that is chosen. Its ranking
# is not training's ranking, because its weights are a compromise between all of them, and the
# compromise suits some better than others (Yu et al. 2020 train for longer, with further tricks,
# until the inherited weights can be shipped as they are).

# %% [markdown]
# ## 7. Two goals at once
#
# Fast *and* accurate: two networks may both be right. Lesson 00 kept those that nobody dominates. A
# search needs an order for the others, too: **fronts**. The first front is what nobody dominates;
# take it away, and the second front is what nobody of the rest dominates; and so on. Within one
# front, those with more room around them are preferred, so that a population does not crowd in one
# place. This is the heart of NSGA-II (Deb et al. 2002), the best known multi-objective evolution.

# %% [markdown]
# ### Exercise 8 · `nondominated_sort` and `crowding_distance`
#
# <details><summary>Hint 1</summary>Write `dominates(p, q)` as a function first: nowhere larger, and
# somewhere smaller. What does it say of two equal points, and what must it say?</details>
#
# <details><summary>Hint 2</summary>Peel: the front is whoever no other of the rest dominates; take
# it from the rest; until nothing is left. For the distance take one objective after the other: sort
# the *indices* by it, the ends get infinity, the others the gap between their two neighbours,
# divided by the range.</details>
#
# <details><summary>Hint 3</summary> <code>order = sorted(range(len(points)), key=lambda i:
# (points[i][m], i))</code>; and <code>zip(order, order[1:], order[2:])</code> gives before, here
# and after.</details>


# %% exercise="nondominated_sort" minutes=25 difficulty=3
def nondominated_sort(points: list) -> list[list[int]]:
    """Front after front: those that no other point dominates, then the same without them, …

    Args:
        points: tuples of one length >= 1, every objective to be **minimised**.

    Returns:
        lists of indices, ascending; every index stands in one of them. p dominates q if it is
        nowhere larger and somewhere smaller; equal points do not dominate each other. `[]`: `[]`.

    >>> nondominated_sort([(1, 4), (2, 2), (3, 3)])
    [[0, 1], [2]]

    Source: Deb et al. 2002, doi:10.1109/4235.996017, section III A.
    """

    ### BEGIN SOLUTION
    def dominates(p, q):
        return all(a <= b for a, b in zip(p, q)) and any(a < b for a, b in zip(p, q))

    left, fronts = list(range(len(points))), []
    while left:
        front = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts
    ### END SOLUTION


def crowding_distance(points: list) -> list[float]:
    """How much room each point of one front has around it.

    Args:
        points: as above; all of one front.

    Returns:
        one number a point, the sum over the objectives of: `inf` for the first and the last point
        in the order of this objective (ties by index), `(next - previous) / (max - min)` for the
        others. An objective in which all points are equal adds nothing, to no point.

    >>> crowding_distance([(0, 4), (1, 1), (4, 0)])
    [inf, 2.0, inf]

    Source: Deb et al. 2002, doi:10.1109/4235.996017, section III B.
    """
    ### BEGIN SOLUTION
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = points[order[0]][m], points[order[-1]][m]
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance
    ### END SOLUTION


# %% test="nondominated_sort" points=5
# Checked here: fronts of two and three objectives, equal points, one point, none; distances.
# Hidden tests: clouds of up to 40 points with many ties; one objective, three, one that is all equal.
from_scratch(nondominated_sort, checks10.SEARCHERS)
from_scratch(crowding_distance, checks10.SEARCHERS)


@probe
def fronts_of(points):
    """The fronts; an answer that never ends is stopped."""
    return checks10.at_most(400_000, nondominated_sort, points)


check(
    fronts_of,
    [
        ([(1, 4), (2, 2), (3, 3), (4, 1), (2, 4)],),
        ([(5, 5), (4, 4), (3, 3), (2, 2)],),
        ([(1, 2, 3), (3, 2, 1), (1, 2, 4), (9, 9, 9)],),
        ([(1, 2), (2, 1), (1, 2), (3, 3)],),
        ([(0.5, 0.5)],),
        ([],),
    ],
    checks10.peeled,
    checks10.SORT_MISTAKES,
    checks10.SORT_SYMPTOMS,
)
check(
    crowding_distance,
    [
        ([(0, 40), (4, 4), (1, 10), (8, 0)],),
        ([(0.0, 1.0), (1.0, 0.0)],),
        ([(0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 1, 1)],),
        ([(3, 0), (1, 4), (2, 1), (0, 9), (2.5, 0.5)],),
        ([(2, 7)],),
        ([],),
    ],
    checks10.crowded,
    checks10.CROWD_MISTAKES,
    checks10.CROWD_SYMPTOMS,
    tol=1e-9,
)
check_inputs(inputs_after, nondominated_sort, [(3, 1), (1, 3), (2, 2)])
check_inputs(inputs_after, crowding_distance, [(3, 1), (1, 3), (2, 2)])
### BEGIN HIDDEN TESTS
clouds = [
    checks10.cloud(505, 10, 2, 12),
    checks10.cloud(501, 40),
    checks10.cloud(502, 25, 3, 4),
    checks10.cloud(503, 12, 1, 5),
    checks10.cloud(504, 30, 2, 3),
]
clouds += [[(1.0, 1.0)] * 3 + [(0.0, 2.0)], [(1e9, -1e9), (1e9, -1e9 - 1), (1e-9, 0.0)]]
check(
    fronts_of,
    [(points,) for points in clouds],
    checks10.peeled,
    checks10.SORT_MISTAKES,
    checks10.SORT_SYMPTOMS,
)
fronts = [(points,) for points in clouds] + [
    ([(1, 5), (1, 5), (1, 5)],),
    ([(2, 1, 0), (2, 0, 1), (2, 0.5, 0.5)],),
]
check(
    crowding_distance,
    fronts,
    checks10.crowded,
    checks10.CROWD_MISTAKES,
    checks10.CROWD_SYMPTOMS,
    tol=1e-9,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 8. The table
#
# Comparing *searches* on a supernet mixes two questions: how good is the search, and how good is
# the supernet's opinion? And one search of a hundred trainings is one sample. Ying et al. (2019)
# had the idea that settles it: train every network of a space once, write the results down, and let
# the searches look them up. A search of hours becomes a millisecond, and you can repeat it with
# hundreds of seeds.
#
# Here it is in small: shapes of section 1, each trained for one short epoch with two seeds. The
# search sees the validation accuracy of seed 0. What it chose is judged by seed 1, on mirrored test
# images: other luck, other pictures.

# %%
shapes = lesson10.trained_table(made)
recipe = made["recipe"]
val, test = [[row[k] for row in shapes.values()] for k in ("val", "test")]
per_shape = [abs(a - b) / math.sqrt(2) for a, b in (row["seeds"] for row in shapes.values())]
slowest = max(row["ms"] for row in shapes.values())
print(f"{len(shapes)} shapes, up to {slowest:.1f} ms for 64 images in ONNX Runtime")
size = f"{recipe['images']:,} images in batches of {recipe['batch']}"
print(f"one epoch of {size}, judged on {recipe['judged_on']:,}")
print(
    f"validation accuracy: {min(val):.1f} to {max(val):.1f} %, standard deviation {np.std(val):.1f}"
)
spread = math.sqrt(np.mean(np.square(per_shape)))
print(
    f"the same shape with another seed: standard deviation {spread:.1f} points on the same images"
)
print(f"tau of seed 0 (validation) and seed 1 (test): {kendall_tau(val, test):.2f}")
for name in ("early", "params", "macs", "ms"):
    guess = [row[name] for row in shapes.values()]
    print(f"tau of {name:6} and the test accuracy:        {kendall_tau(guess, test):5.2f}")
fronts = nondominated_sort([(row["ms"], 100 - row["val"]) for row in shapes.values()])
print(f"{len(fronts)} fronts; in the first: {len(fronts[0])} shapes")


# %% tags=["nbval-ignore-output"]
def at_budget(budget_ms=1.2):
    return lesson10.draw_budget(shapes, budget_ms, nondominated_sort)


widgets.explore(at_budget, budget_ms=(0.4, 2.0, 1.2))

# %% [markdown]
# *Picture: a cloud of shapes, validation error over milliseconds; grey what is over the budget,
# blue what is allowed, a red star for the best of these, orange squares around the shapes of plain
# convolutions only, and the first front as a black staircase.*
#
# Move the budget. The best shape changes, and near the best there are many that are nearly as good.

# %% [markdown]
# ### Exercise 9 · `evolve`
#
# **Aging evolution** (Real et al. 2019): keep a population, in a queue. Draw a few, take the best
# of them as the parent, change one decision, train the child, put it at the end of the queue; the
# *oldest* leaves, good or bad. Whoever was lucky once must prove itself again through its children.
#
# <details><summary>Hint 1</summary>You need no separate population: the living are the last
# <code>len(start)</code> entries of the history. Ask <code>allowed</code> before
# <code>score</code>, always; a score is a whole training.</details>
#
# <details><summary>Hint 2</summary><code>rng.sample(living, sample)</code> draws distinct entries,
# <code>max(..., key=...)</code> finds the parent. A loop of at most 1000 rounds makes children
# until one is allowed; Python's <code>for … else</code> knows when none was.</details>
#
# <details><summary>Hint 3</summary> <code>history.append((child, score(child)))</code>; nothing has
# to be deleted. At the end, <code>max(history, key=lambda entry: entry[1])</code>.</details>


# %% exercise="evolve" minutes=25 difficulty=3
def evolve(
    start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random
) -> tuple:
    """Aging evolution: the best of a few is the parent, and the oldest dies.

    Args:
        start: the first population, in order of age, oldest first. Not changed.
        mutate: `mutate(parent)` gives a child.
        score: `score(arch)`, higher is better; called once for each entry of the history.
        allowed: `allowed(arch)`, whether it keeps the budget.
        cycles: children to make.
        sample: distinct living ones among which the best is the parent, drawn with `rng`. The
            living are the last `len(start)` of the history.
        rng: the only source of chance here.

    Returns:
        `(best, history)`: history is a list of `(arch, score)`, first those of `start` in order,
        then the children; best is the entry with the highest score of the **whole** history.
        A child that is not allowed is not scored: `mutate(parent)` is called again, for the same
        parent; at most 1000 calls for one child.

    Raises:
        ValueError: an empty start, `sample` not in 1 .. len(start), or one of start not allowed.
        RuntimeError: 1000 children of one parent in a row were not allowed.

    Source: Real et al. 2019, arXiv:1802.01548, algorithm 1.
    """
    ### BEGIN SOLUTION
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all(allowed(arch) for arch in start):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return max(history, key=lambda entry: entry[1]), history
    ### END SOLUTION


# %% test="evolve" points=6
# Checked here: runs whose children name their parents: who was chosen, died, scored; rng; 1000 tries.
# Hidden tests: other sizes, a sample of one and of all; then searches over the trained table.
from_scratch(evolve, checks10.SEARCHERS)


@probe
def evolution(start, cycles, sample, seed, refused):
    """One run on paths, with all that it asked; and its history with other global noise."""
    case, told = (evolve, start, cycles, sample, seed, refused), []
    for noise in (1, 2):
        random.seed(noise)
        np.random.seed(noise)
        told.append(checks10.run_evolution(*case))
    return told[0] | {"other noise": told[1]["history"]}


@probe
def evolution_of_nobody(start, sample, allowed):
    """A run that cannot begin, or cannot go on."""
    return checks10.run_refused(evolve, start, sample, allowed, 0)[0]


@probe
def children_tried(good):
    """Whether it gave up in two cycles in which every `good`-th child is allowed."""
    try:
        checks10.run_refused(evolve, [1, 2], 1, [1, 2], good)
    except RuntimeError:
        return "gave up"
    return "went on"


for case in ((6, 60, 3, 1, 0), (8, 50, 8, 2, 3), (5, 40, 2, 3, 2), (4, 0, 1, 4, 0)):
    fault = checks10.fault_of_evolution(evolution(*case), *case)
    require(not fault, f"evolve: {fault}", f"evolve: {case[0]} to begin with, {case[1]} children")
check_errors(
    ValueError,
    evolution_of_nobody,
    ([], 1, []),
    ([1, 2], 3, [1, 2]),
    ([1, 2], 0, [1, 2]),
    ([1, 2], 1, [1]),
)
check_errors(RuntimeError, evolution_of_nobody, ([1, 2], 1, [1, 2]))
check(
    children_tried, [(998,), (1003,)], ["went on", "gave up"], {}, checks10.TRIES_SYMPTOMS
)
### BEGIN HIDDEN TESTS
for case in (
    (10, 120, 5, 11, 0),
    (10, 60, 10, 12, 4),
    (7, 90, 2, 13, 3),
    (1, 12, 1, 14, 0),
    (3, 40, 1, 15, 2),
    (12, 80, 12, 16, 0),
):
    fault = checks10.fault_of_evolution(evolution(*case), *case)
    require(not fault, f"evolve: {fault}", f"evolve: {case[0]} to begin with, {case[1]} children")
check_errors(ValueError, evolution_of_nobody, ([1], -1, [1]), ([1, 2, 3], 2, [1, 3]), ([], 0, []))
check(
    children_tried, [(997,), (1004,)], ["went on", "gave up"], {}, checks10.TRIES_SYMPTOMS
)


@probe
def search_the_table(scores, start, children, sample, seed):
    """A search whose score is a look-up, among the shapes that have one."""
    rng = random.Random(seed)
    found = evolve(
        rng.sample(sorted(scores), start),
        lambda shape: lesson10.neighbour(shape, rng),
        lambda shape: scores[shape],
        lambda shape: shape in scores,
        children,
        sample,
        rng,
    )
    return {"best": found[0], "history": found[1]}


table = lesson10.trained_table(lesson10.results())
limit_ms = sorted(row["ms"] for row in table.values())[3 * len(table) // 4]
scores = {shape: row["val"] for shape, row in table.items() if row["ms"] <= limit_ms}
sizes = (checks10.START, checks10.CHILDREN)
runs = [search_the_table(scores, *sizes, checks10.SAMPLE, seed) for seed in range(checks10.RUNS)]
for run in runs:
    fault = checks10.fault_of_search(run, table, limit_ms, *sizes)
    require(not fault, f"evolve over the table: {fault}")
good = checks10.in_best_tenth(runs, table, limit_ms)
record(searches_in_best_tenth=good, searches=len(runs))
bar = 2 * len(runs) // 3
require(
    good >= bar,
    f"{good} of {len(runs)} searches found one of the best tenth, expected {bar} or more",
)
### END HIDDEN TESTS

# %% [markdown]
# Now five searches, each with 300 seeds:
#
# - **random search**: draw shapes without repeats, keep the best;
# - **evolution**: yours, a population of 6, the best of 3;
# - **hill climbing**: go to a better neighbour, start anew when stuck;
# - **predictor**: train a ridge regression on what was seen, and spend the last third of the budget
#   on what it likes best;
# - **successive halving** (Li et al. 2018): begin twice as many, and after a third of the training
#   go on with the better quarter only.
#
# <details><summary>Predict first: with 16 trained shapes, by how many points does the best of these
# searches beat random search, on average?</summary>Most people guess one or two points. Compare
# with the spread of a single training over seeds, printed above.</details>

# %%
SEEDS, BUDGETS = 300, (12, 16, 24)


def evolution(table, evaluations, rng):
    start = rng.sample(list(table), 6)
    best, history = evolve(
        start,
        lambda shape: lesson10.neighbour(shape, rng),
        lambda shape: table[shape]["val"],
        lambda shape: shape in table,
        evaluations - len(start),
        3,
        rng,
    )
    return best[0]


SEARCHES = {
    "random search": lesson10.random_search,
    "evolution": evolution,
    "hill climbing": lesson10.hill_climbing,
    "predictor": lesson10.predictor,
    "successive halving": lesson10.successive_halving,
}
found = {name: {} for name in SEARCHES}
for name, search in SEARCHES.items():
    for n in BUDGETS:
        chosen = [search(shapes, n, random.Random(seed)) for seed in range(SEEDS)]
        found[name][n] = [shapes[shape]["test"] for shape in chosen]
print(f"mean test accuracy over {SEEDS} seeds ± standard error, and the spread of single searches")
print("trained shapes      " + "".join(f"{n:>24}" for n in BUDGETS))
for name, runs in found.items():
    cells = [
        f"{np.mean(v):.2f} ± {np.std(v) / SEEDS**0.5:.2f} (sd {np.std(v):.2f})"
        for v in runs.values()
    ]
    print(f"{name:20}" + "".join(f"{cell:>24}" for cell in cells))
best = max(shapes, key=lambda shape: shapes[shape]["val"])
print(f"the best shape by validation, judged alike: {shapes[best]['test']:.2f} %")
print(f"all shapes: mean {np.mean(test):.2f} %;", end=" ")
ranked = sorted(shapes.values(), key=lambda row: row["val"])
tenth = max(2, len(ranked) // 10)
for words, rows in (("worst tenth", ranked[:tenth]), ("best tenth", ranked[-tenth:])):
    scores = [row["test"] for row in rows]
    print(f"{words} by validation: {min(scores):.1f} to {max(scores):.1f} %", end="; ")
print()
lesson10.draw_searches(found, max(test), "mirrored test accuracy, %")

# %% [markdown]
# *Picture: five lines over the number of trained shapes, mean test accuracy with standard error,
# close together beside the distance to the mean of all shapes; dotted, the best test accuracy in
# the table.*
#
# And now as it is mostly done in papers: few seeds. How often does the mean of $k$ runs of a search
# beat the mean of $k$ runs of random search, if we draw these runs from the 300?

# %%
numbers = [1, 3, 5, 10, 30, 100]
dice = np.random.default_rng(0)
shares = {}
for name in list(SEARCHES)[1:]:
    a, b = np.array(found[name][16]), np.array(found["random search"][16])
    shares[name] = []
    for k in numbers:
        ahead = dice.choice(a, (4000, k)).mean(1) - dice.choice(b, (4000, k)).mean(1)
        shares[name].append(
            50 * float((ahead > 0).mean() + (ahead >= 0).mean())
        )  # a tie is half a win
    gain, sd = a.mean() - b.mean(), math.sqrt((a.var() + b.var()) / 2)
    error = sd * math.sqrt(2 / SEEDS)
    needed = (
        f"{math.ceil(2 * (2.8 * sd / gain) ** 2):,}"
        if abs(gain) > 2 * error
        else "more than we have"
    )
    won = f"gain over random search {gain:+.2f} ± {error:.2f} points"
    print(f"{name:20} {won};  seeds a side for a claim: {needed}")
lesson10.draw_claims(shares, numbers)

# %% [markdown]
# *Picture: for each search the share of comparisons that it wins against random search, over the
# number of seeds a side, from one to a hundred; solid at 50 %, a coin, and dotted at 95 %. The
# lines fan out from the left to the right.*
#
# "Seeds a side" is the usual sample size for a difference $d$ with a spread $s$, $n = 2\,(2.8\,
# s/d)^2$: it finds a true difference in four of five cases, and raises a false alarm in one of
# twenty. Read the picture at three seeds, which is more than many papers have: a line between 20
# and 80 % means that the same two methods, compared again by somebody else, will often come out the
# other way round. Li and Talwalkar (2020) repeated published searches, and found random search hard
# to beat.
#
# What every search does buy is visible in the printed lines: the *mean* of all shapes, and the
# worst tenth, lie far below what any of them finds, while the best tenth differ by about as much as
# two seeds of one shape do. **Avoid the bad shapes; the top is flat.** Which search you take
# matters less than that you measure in the right runtime, and train the winner well.
#
# How far does this table carry? It is small, the trainings are short, and the printed ranks hold
# for them: a shape that learns fast is not always the one that ends best.

# %% [markdown]
# ## 9. The result, measured
#
# The winner of the table stands for *search*. Its rivals: the residual net of the course, pruned to
# a third of its channels with the library of lesson 04; and a residual net of that width from the
# start, as in lesson 05. Each of the three is then trained for the same number of steps on the same
# images, once with labels and once taught by the large residual net (lesson 05's loss), three seeds
# each: so architecture, inherited weights and training can be told apart. The pruned net has one
# advantage that no equal number of steps takes away: its weights come from a long training.

# %%
rivals = made["rivals"]
print(f"{rivals['steps']} steps of {rivals['batch']} images each, seeds {rivals['seeds']}")
print(" " * 36 + "ms, 64 images        ms, 1 image     MACs     params   accuracy, three seeds")
for row in rivals["rows"]:
    ms = [
        f"{row['ms'][s][1]:.3g} ({row['ms'][s][0]:.3g}-{row['ms'][s][2]:.3g})"
        for s in ("ort64", "ort1")
    ]
    scores = " ".join(f"{a:.1f}" for a in row["accuracy"])
    costs = f"{ms[0]:>18}{ms[1]:>21}{row['macs']:10,}{row['params']:9,}"
    print(f"{row['name']:27}{costs}   {scores}  mean {np.mean(row['accuracy']):.2f}")
usual = next(row["accuracy"] for row in rivals["rows"] if row["name"] == "narrow ResNet-8, labels")
for row in rivals["rows"]:
    above, below = min(row["accuracy"]) > max(usual), max(row["accuracy"]) < min(usual)
    verdict = "all three above" if above else "all three below" if below else "overlapping"
    print(f"{row['name']:27} against the narrow one with labels: {verdict}")
big = rivals["teacher"]
ms = big["ms"]["ort64"][1]
print(f"for comparison, the large net: {big['accuracy'][0]} % at {ms:.1f} ms for 64 images")
lesson10.draw_rivals(rivals["rows"])

# %% [markdown]
# *Picture: two panels, accuracy over milliseconds for 64 images and for one; each network is a
# large mark with its quartiles, and small dots for its three seeds.*
#
# Read the printed verdicts before the means. Here the start counts most: the pruned net is useless
# before these steps (its channels were cut without regard to each other), and ahead of the others
# after them, because trained weights come back quickly. Of the two that start from nothing the
# searched net is the more accurate one at about the same milliseconds; that is what the search has
# won. And the teacher's soft targets *cost* accuracy within so few steps; lesson 05, where they
# helped, gave its students ten times as many. How long, and from where, a network is trained moved
# the result more than which of these networks it was: change one thing at a time, or you will
# praise the search for its training.

# %% [markdown]
# ### The same with the library
#
# `scipy.stats.kendalltau` is exercise 7, `torch.optim.swa_utils.update_bn` is exercise 6 (it wants
# a model in train mode, and leaves dropout on). For searches, Optuna and pymoo are what
# practitioners call; not run here:
#
# ```python
# import optuna                                       # not run here
#
# def objective(trial):
#     width = trial.suggest_categorical("width", [16, 32, 48])
#     kind = trial.suggest_categorical("kind1", ["conv", "separable", "inverted2", "bottleneck"])
#     ...
#     return validation_error, milliseconds
#
# study = optuna.create_study(directions=["minimize", "minimize"],
#                             sampler=optuna.samplers.NSGAIISampler())
# study.optimize(objective, n_trials=100)
# ```

# %%
from scipy.stats import kendalltau
from torch.optim.swa_utils import update_bn

half = lesson10.UNIFORM["1/2 wide, kernel 3"]
by_hand, by_library = inherited(half), supernet.cut(half)
update_bn([x for x, _ in calibration], by_library)
pairs = zip(by_hand.buffers(), by_library.buffers())
apart = max((a - b).abs().max().item() for a, b in pairs if a.is_floating_point())
print(f"recalibrate and update_bn: largest difference {'below 0.00001' if apart < 1e-5 else apart}")
columns = [[row[k] for row in shapes.values()] for k in ("val", "test")]
print(f"kendall_tau {kendall_tau(*columns):.6f}, scipy {kendalltau(*columns).statistic:.6f}")
for words, net in (("by hand", by_hand), ("by library", by_library.eval())):
    print(f"half width, statistics {words}: {measure.accuracy(net, judge_x, judge_y):.1f} %")

# %% [markdown]
# ## Pitfalls
#
# - **MACs as milliseconds.** Section 1. Also: milliseconds of *another* runtime, or of another
#   batch.
# - **The supernet judged with shared statistics.** The ranking is then that of the statistics.
# - **The winner's score as its accuracy.** It was chosen *because* it scored high, luck included.
#   Judge it on other images, and better with another training.
# - **A weak baseline.** Uniform widths and random search cost nothing; compare with both, at the
#   same number of trainings.
# - **Different training for the winner.** If the winner gets a longer schedule, augmentation or a
#   teacher, its gain is the training's. Give the rivals the same.
# - **Very thin layers, odd widths.** A network of four channels does not learn; widths that are no
#   multiple of what the processor handles at once are slow for their size.
#
# ## An open experiment
#
# Which of the seven choices of a shape matters most, and does it depend on the others? `shapes`
# holds the table: average the accuracy over all shapes with kernel 3 and with kernel 5, with and
# without patches, … Then do the same for the milliseconds. Write down one rule that you would
# follow for the next network without any search, and check it against the best tenth of the table.
# There is no right answer.

# %%
for field, options in {"stem": ("conv2", "patch4"), "kernel2": (3, 5), "depth": (1, 2)}.items():
    at = list(lesson10.FIELDS).index(field)
    for option in options:
        rows = [row for shape, row in shapes.items() if shape[at] == option]
        if not rows:
            continue
        accuracy, ms = np.mean([r["test"] for r in rows]), np.mean([r["ms"] for r in rows])
        print(f"{field:8}{option!s:8}{len(rows):4} shapes   {accuracy:.1f} %   {ms:.2f} ms")

# %% [markdown]
# ## Questions
#
# <details><summary>Why does the oldest die, and not the worst?</summary>A training is a lucky or an
# unlucky draw. If only the worst die, a mediocre network that was lucky once stays for ever and has
# children. With aging it lives on only through children that do well, too; their luck is
# independent.</details>
#
# <details><summary>The table says that validation accuracy rises with MACs. Why not simply take the
# largest shape that fits the budget?</summary>The budget is in milliseconds, and MACs and
# milliseconds disagree. And tau is far from 1. As a first guess it is not bad; it is one of the
# baselines that a search has to beat.</details>
#
# <details><summary>In another space the predictor loses to random search at 12 trained
# shapes. Why might it win at 40?</summary>It learns from the first two thirds. With 8 examples for
# some eighteen weights there is little to learn; with 26 the coarse rules come out.</details>
#
# <details><summary>Can you search the bits of each layer (lesson 02) together with the
# architecture?</summary>Yes, it is one more decision a layer, and `mutate`, `nondominated_sort` and
# `evolve` do not mind. The dear part is the score: it has to contain the quantization, at least
# after training.</details>

# %% [markdown] question="question_is_the_search_better" points=4
# ### For your teacher
#
# A paper reports: "Our search finds a network of 300 million MACs with 76.1 % accuracy; random
# search in the same space finds 75.8 %, and MobileNetV2 has 72.0 %. We ran each search once, and
# trained the winner for 350 epochs with a teacher." You are asked whether to use this network in a
# camera that must answer within 20 ms. In at most ten sentences: which of these claims do you
# believe, what is missing, and what would you measure before you decide? Write your answer in the
# cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: one run of each search shows nothing about 0.3 points: the spread over seeds is needed
# (several seeds, the same number of trainings); MobileNetV2 had other training (350 epochs,
# teacher), so the 4 points mix architecture and training: train the rivals alike; MACs are not
# milliseconds: time all candidates as whole networks, batch 1, in the camera's runtime; uniform or
# scaled baselines at the same latency belong beside it; judge on images that the search has not
# seen.
#
# 2 points: asks for seeds or for latency on the device, but takes the comparison with MobileNetV2
# as it is.
#
# 0 or 1 point: believes the numbers, or doubts them without saying what to measure.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## References
#
# - A. Howard et al. (2017). *MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
#   Applications.* arXiv:1704.04861
# - M. Sandler et al. (2018). *MobileNetV2: Inverted Residuals and Linear Bottlenecks.*
#   arXiv:1801.04381
# - M. Tan et al. (2019). *MnasNet: Platform-Aware Neural Architecture Search for Mobile.*
#   arXiv:1807.11626
# - M. Tan, Q. V. Le (2019). *EfficientNet: Rethinking Model Scaling for Convolutional Neural
#   Networks.* arXiv:1905.11946
# - H. Cai, L. Zhu, S. Han (2019). *ProxylessNAS: Direct Neural Architecture Search on Target Task
#   and Hardware.* arXiv:1812.00332
# - H. Cai, C. Gan, T. Wang, Z. Zhang, S. Han (2020). *Once-for-All: Train One Network and
#   Specialize it for Efficient Deployment.* arXiv:1908.09791
# - J. Yu, T. Huang (2019). *Universally Slimmable Networks and Improved Training Techniques.*
#   arXiv:1903.05134
# - J. Yu et al. (2020). *BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage
#   Models.* arXiv:2003.11142
# - Y. Wu, J. Johnson (2021). *Rethinking "Batch" in BatchNorm.* arXiv:2105.07576
# - E. Real, A. Aggarwal, Y. Huang, Q. V. Le (2019). *Regularized Evolution for Image Classifier
#   Architecture Search.* arXiv:1802.01548
# - K. Deb, A. Pratap, S. Agarwal, T. Meyarivan (2002). *A Fast and Elitist Multiobjective Genetic
#   Algorithm: NSGA-II.* doi:10.1109/4235.996017
# - M. G. Kendall (1945). *The Treatment of Ties in Ranking Problems.* doi:10.1093/biomet/33.3.239
# - L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar (2018). *Hyperband: A Novel
#   Bandit-Based Approach to Hyperparameter Optimization.* arXiv:1603.06560
# - L. Li, A. Talwalkar (2020). *Random Search and Reproducibility for Neural Architecture Search.*
#   arXiv:1902.07638
# - C. Ying et al. (2019). *NAS-Bench-101: Towards Reproducible Neural Architecture Search.*
#   arXiv:1902.09635
