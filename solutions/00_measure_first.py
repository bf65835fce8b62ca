# %% [markdown]
# # 00 · Measure first
#
# **The idea in two sentences.** A compressed model is better only in what somebody has measured: bytes on disk, work
# for one image, time for one call, energy, money, and what is left of the accuracy. You build these instruments, read
# four networks with them, and use them in every later lesson.
#
# After this lesson you can
#
# - count the parameters, the bytes and the multiply-accumulates of a network, and say which of them a technique will
#   change,
# - time a function so that somebody else would get the same answer, and compare two models on a busy machine,
# - pick the models worth considering, with a Pareto front,
# - estimate what it costs to serve a model, and say what the estimate leaves out.
#
# **Why it matters.** Tan et al. (2019) timed MobileNet and NASNet on the same phone: 575 and 564 million
# multiply-accumulates, 113 and 183 ms. Whoever had counted and not measured would have chosen the slower one.
#
# **What you need:** Python and a little PyTorch; no earlier lesson. Plan two hours; each exercise says what it costs.
# Run the cells from the top, replace each `raise NotImplementedError()`, and run the test below it: it tells you what
# it expected.

# %% setup
import io
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, energy, measure, models, plot, widgets
from bonsai.testing import check, check_errors, difference, expect, fresh, from_scratch, probe, record, require
from bonsai.verdict import verdict
import checks00
import lesson00
from checks00 import SYMPTOMS

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you; bonsai.measure is the course's own set of these instruments.
FORBIDDEN = ["torchinfo", "fvcore", "thop", "ptflops", "torch.utils.flop_counter", "torch.utils.benchmark", "timeit", "paretoset", "bonsai.measure"]

# %% [markdown]
# ## 1. Four patients
#
# The course ships four small networks that tell ten kinds of clothing apart (Fashion-MNIST, grey images of 28 × 28
# pixels). Two are classics, LeNet-300-100 and LeNet-5; two are modern, a plain chain of convolutions and a small
# residual network. All choices in this course are made on **validation** images; the **test** images are looked at
# once, at the end.

# %%
networks = {name: models.load(name) for name in models.MODELS}
val_x, val_y = data.load("validation")
for name, model in networks.items():
    kinds = [type(m).__name__ for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.BatchNorm2d))]
    layers = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    print(f"{name:15} {measure.accuracy(model, val_x, val_y):.2f} % of {len(val_x):,} validation images   {layers}")

# %% [markdown]
# How do they differ in size? First in the number of **parameters**, the numbers that training adjusts. Three things
# make the count less obvious than it looks.
#
# - A *frozen* parameter (`requires_grad=False`) is still stored and computed with. It counts.
# - A parameter may be *shared*: language models often read and write words with one matrix. It has two names, and
#   exists once.
# - A *buffer*, state that no gradient changes, such as the running mean of a batch normalisation, is not a parameter.

# %% [markdown]
# ### Exercise 1 · `count_parameters`
#
# <details><summary>Hint 1, a nudge</summary>What does <code>model.parameters()</code> do with a parameter that is
# registered twice?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Add up how many numbers each listed parameter holds. The list
# names a shared one once; <code>state_dict()</code> would name it twice, and buffers as well.</details>
#
# <details><summary>Hint 3, the key lines</summary>Add up <code>p.numel()</code> over
# <code>model.parameters()</code>.</details>

# %% exercise="count_parameters" minutes=5 difficulty=1
def count_parameters(model: nn.Module) -> int:
    """Number of elements of all parameters of a model, at any depth.

    Args:
        model: any module. Trainable and frozen parameters count; a Parameter that is registered under several names
            counts once; buffers do not count. A model without parameters has 0.

    Returns:
        a Python int.

    >>> count_parameters(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))      # 12 + 3, and 3 + 3
    21
    """
    ### BEGIN SOLUTION
    return sum(p.numel() for p in model.parameters())
    ### END SOLUTION

# %% test="count_parameters" points=3
# Checked here: parameters of small models: shared, frozen, and buffers that do not count.
# Hidden tests: a small language model in several sizes with blocks that run twice, layers without parameters.
from_scratch(count_parameters, FORBIDDEN)

@probe
def parameters_of(parts):
    return count_parameters(checks00.build(parts))

check(
    parameters_of,
    [
        ([("weight", "parameter", (3, 4)), ("bias", "parameter", (3,))],),
        ([("embedding", "parameter", (10, 4)), ("head.weight", "same as", "embedding")],),
        ([("body.weight", "frozen", (5, 2)), ("head.weight", "parameter", (2, 3))],),
        ([("norm.weight", "parameter", (6,)), ("norm.running_mean", "buffer", (6,)), ("norm.step", "buffer", ())],),
    ],
    [15, 40, 16, 6],
    checks00.COUNT_PARAMETERS_MISTAKES,
)

### BEGIN HIDDEN TESTS
@probe
def parameters_of_language_model(words, width, blocks, frozen, statistics):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.gain = nn.Linear(width, width), nn.Parameter(torch.tensor(1.0))
            nn.init.zeros_(self.linear.weight)
            self.register_buffer("seen", torch.zeros(statistics))

    model = nn.Sequential()
    model.embedding = nn.Embedding(words, width)
    model.blocks = nn.ModuleList([Block() for _ in range(blocks)])
    model.blocks.append(model.blocks[0])  # one block runs twice
    model.head = nn.Linear(width, words)
    model.head.weight = model.embedding.weight
    for p in list(model.blocks.parameters())[:frozen]:
        p.requires_grad = False
    return count_parameters(model)

_total = lambda words, width, blocks, frozen, statistics: words * width + words + blocks * (width * width + width + 1)
# each block has its gain, its weight and its bias, in this order
_trainable = lambda w, d, b, f, s: _total(w, d, b, f, s) - sum([1, d * d, d][i % 3] for i in range(f))
check(
    parameters_of_language_model,
    [(11, 4, 1, 0, 7), (20, 3, 3, 4, 5), (6, 5, 2, 6, 1), (9, 2, 1, 3, 30)],
    _total,
    {
        checks00.TWICE: lambda w, d, b, f, s: _total(w, d, b, f, s) + w * d,
        "A shared parameter was counted twice, and so was a block that appears twice.": lambda w, d, b, f, s: (
            _total(w, d, b + 1, f, s) + w * d
        ),
        checks00.FROZEN: _trainable,
        checks00.BUFFERS: lambda w, d, b, f, s: _total(w, d, b, f, s) + b * s,
        "A shared parameter and the buffers were counted as well: a state_dict lists more than the parameters.": lambda w, d, b, f, s: (
            _total(w, d, b + 1, f, s) + (b + 1) * s + w * d
        ),
    },
)

@probe
def parameters_without_layers(kind):
    return count_parameters(
        {"relu": nn.ReLU(), "lstm": nn.LSTM(3, 5), "list": nn.ParameterList([torch.zeros(4, 2), torch.zeros(2, 4)])}[
            kind
        ]
    )

check(parameters_without_layers, [("relu",), ("lstm",), ("list",)], [0, 4 * 5 * (3 + 5 + 1 + 1), 16])
### END HIDDEN TESTS

# %%
parameters = {name: count_parameters(model) for name, model in networks.items()}
for name, count in parameters.items():
    print(f"{name:15} {count:8,} parameters")

# %% [markdown]
# The network with the best accuracy is not the largest.
#
# ## 2. Bytes on disk
#
# The same parameter takes four bytes as float32, two as float16, and half a byte as int4; buffers are stored too,
# unless registered with `persistent=False`, and a container has headers. So we look at the file itself. PyTorch's
# ordinary checkpoint is the `state_dict`, the dictionary of names and tensors, written by `torch.save`: a zip archive
# with one entry a tensor. (Saving the whole *module* would pickle the code's class names as well: such a file breaks
# when the code moves, and runs code when it is opened.)

# %% [markdown]
# ### Exercise 2 · `size_on_disk`
#
# <details><summary>Hint 1, a nudge</summary><code>torch.save</code> writes to a path or to any object like an open
# file. A file in memory leaves nothing behind.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Save the state dict, not the model, to such an object, and
# count the bytes that arrived.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>buffer = io.BytesIO()</code>,
# <code>torch.save(model.state_dict(), buffer)</code>, then the length of <code>buffer.getvalue()</code>.</details>

# %% exercise="size_on_disk" minutes=8 difficulty=1
def size_on_disk(model: nn.Module) -> int:
    """Bytes of the file that `torch.save` makes of the model's `state_dict`.

    Args:
        model: any module, parameters and buffers of any dtype. It is not changed.

    Returns:
        bytes, a Python int. Nothing is left on disk afterwards.

    >>> size_on_disk(nn.Linear(1000, 100)) // 1000      # 400 kB of weights, and a little more
    402
    """
    ### BEGIN SOLUTION
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return len(buffer.getvalue())
    ### END SOLUTION

# %% test="size_on_disk" points=4
# Checked here: the bytes of three files against `torch.save`, one of small tensors; no file is left behind.
# Hidden tests: shared, many, mixed and deeply named tensors.
from_scratch(size_on_disk, FORBIDDEN)

@probe
def file_of(parts):
    for _ in range(2):  # a file may be another program's, once
        before = checks00.files()
        size = size_on_disk(checks00.build(parts))
        left = checks00.left_behind(before, size)
        if not left:
            break
    return size, left

_check_size = checks00.check_size
_buffers = [("weight", "parameter", (100, 200)), ("running_mean", "buffer", (15_000,))]
_unsaved = [("weight", "parameter", (100, 200)), ("cache", "unsaved buffer", (20_000,))]
_small = [(f"block{i}.bias", "parameter", (300,), "float16") for i in range(50)]  # many small tensors
for _model, _expected in ((_buffers, 141_600), (_unsaved, 81_300), (_small, 45_200)):
    _size, _left = file_of(_model)
    _check_size(_model, _size, _expected, _left)
### BEGIN HIDDEN TESTS
_tied = [
    ("embedding", "parameter", (300, 80)),
    ("head.weight", "same as", "embedding"),
    ("mean", "buffer", (20_000,), "float64"),
]
_many = [(f"block{i}.bias", "parameter", (200,)) for i in range(100)]
_mixed = [
    ("a.weight", "frozen", (90, 100), "bfloat16"),
    ("a.codes", "buffer", (60_000,), "int8"),
    ("a.cache", "unsaved buffer", (30_000,)),
]
_plain = [("deep.er.weight", "parameter", (7, 1500)), ("deep.count", "buffer", (8000,), "int64")]
for _model in (_mixed, _tied, _plain, _many):
    _file = io.BytesIO()
    torch.save(checks00.build(_model).state_dict(), _file)
    _size, _left = file_of(_model)
    _check_size(_model, _size, len(_file.getvalue()), _left)
### END HIDDEN TESTS

# %% [markdown]
# What is in the file of `small_cnn`? Python can list the entries of a zip archive.

# %%
import zipfile
file = io.BytesIO()
torch.save(networks["small_cnn"].state_dict(), file)
entries = zipfile.ZipFile(file).infolist()
tensors = sorted((e.file_size for e in entries if "/data/" in e.filename), reverse=True)
parts = {f"{size:,}": size for size in tensors[:4]} | {f"{len(tensors) - 4} small tensors": sum(tensors[4:])}
parts["names, headers, padding"] = file.getbuffer().nbytes - sum(tensors)
lesson00.draw_file(parts)

# %% [markdown]
# *Picture: one bar as long as the file; four large tensors fill most of it, the small ones are a thin slice, and names,
# headers and padding a thicker one.*

# %%
sizes = {name: size_on_disk(model) for name, model in networks.items()}
halves = {name: size_on_disk(models.load(name).half()) for name in networks}
print("model              bytes   bytes per parameter   as float16")
for name in networks:
    print(f"{name:15} {sizes[name]:9,} {sizes[name] / parameters[name]:15.2f} {halves[name]:18,}")

# %% [markdown]
# Buffers, names and headers come on top of four bytes a parameter, and the smallest model pays most for them. So
# halving the bits does not quite halve the file.
#
# ## 3. Work: multiply-accumulates
#
# Nearly all the arithmetic of a network is one operation: multiply two numbers and add the product to a sum, a
# **multiply-accumulate** (MAC). Papers also count FLOPs, floating-point operations: a MAC is two of them, and some
# papers write FLOPs and mean MACs.
#
# A **linear** layer has weights $[\,out, in\,]$. Each of its outputs is a sum of $in$ products:
#
# $$y_j = \sum_{i=1}^{in} w_{ji}\,x_i + b_j .$$
#
# For an input of $R$ rows (batch, words, whatever the leading axes are) that makes
#
# $$\text{MACs} = R \cdot out \cdot in .$$
#
# The bias, an addition without a multiplication, is left out, as in the literature (Sze et al. 2017).

# %%
lesson00.draw_multiplications()

# %% [markdown]
# *Picture: left, four points joined to three by lines, the four lines of one output in red; right, a 3×3 window on a
# 6×6 image and an arrow to the output cell that it computes.*
#
# A **convolution** has weights $[\,C_{out}, C_{in}/g, k_h, k_w\,]$, where $g$ is the number of groups. Each number of
# the output is a sum over one window and over the input channels of its group. For a batch of $N$ images the output has
# $N\,C_{out}\,H'\,W'$ numbers, so
#
# $$\text{MACs} = N\,C_{out}\,H'\,W' \cdot \frac{C_{in}}{g}\,k_h\,k_w .$$
#
# Stride, padding and dilation enter only through the size $H' \times W'$ of the output. To learn it, run the network
# once and look. A **forward hook** is a function that PyTorch calls after a layer has run, with the layer, its inputs
# and its output:

# %%
layer = nn.Conv2d(1, 2, kernel_size=3, stride=2)
handle = layer.register_forward_hook(lambda layer, inputs, output: print("the hook saw an output of", tuple(output.shape)))
layer(torch.zeros(5, 1, 28, 28))
handle.remove()
_ = layer(torch.zeros(5, 1, 28, 28))  # the hook is gone

# %% [markdown]
# An instrument must not change what it measures. In training mode the pass would move BatchNorm's averages and draw
# dropout's random numbers, so run it in eval mode. Hooks that stay count again next time; a model left in eval mode no
# longer trains properly. So put everything back, with `try … finally`, since the forward pass may fail.

# %% [markdown]
# ### Exercise 3 · `count_macs`
#
# <details><summary>Hint 1, a nudge</summary>Both formulas say the same: the number of elements of the output, times the
# number of weights that one output number uses.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Let a hook on each Linear and Conv2d note this product at each
# call. Run one batch of zeros in eval mode and without gradients; whatever happens, take the hooks out and give each
# module the mode it had.</details>
#
# <details><summary>Hint 3, the key lines</summary>The hook adds <code>output.numel() * layer.weight[0].numel()</code>
# to a total. Remember <code>[(m, m.training) for m in model.modules()]</code>; the forward pass stands in a
# <code>try</code>, the putting back in its <code>finally</code>.</details>

# %% exercise="count_macs" minutes=20 difficulty=3
def count_macs(model: nn.Module, input_shape: tuple) -> int:
    """Multiply-accumulates of all layers in one forward pass of `torch.zeros(input_shape)`.

    A layer is a module of type nn.Linear (any leading axes) or nn.Conv2d (any padding, stride, dilation, groups). Each
    call counts: a layer that runs twice counts twice, one that does not run counts 0. Bias additions and all other
    modules do not count.

    Args:
        model: runs in eval mode and without gradient. Afterwards it is as before, also when its forward pass fails:
            no hooks, `.training` of every submodule, parameters and buffers. No random numbers are drawn.
        input_shape: with the batch, which counts.

    Returns:
        a Python int.

    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), (2, 3, 10, 10))      # 2*8*10*10 outputs, 3*3*3 products each
    43200

    Source: Sze et al. 2017, arXiv:1703.09039.
    """
    ### BEGIN SOLUTION
    counts = []

    def note(layer, inputs, output):
        counts.append(output.numel() * layer.weight[0].numel())

    before = [(m, m.training) for m in model.modules()]
    notes = [m.register_forward_hook(note) for m, _ in before if type(m) in (nn.Linear, nn.Conv2d)]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(tuple(input_shape)))
    finally:
        for hook in notes:
            hook.remove()
        for m, training in before:
            m.training = training
    return sum(counts)
    ### END SOLUTION

# %% test="count_macs" points=6
# Checked here: linear layers, convolutions with groups, layers that run twice or never; the model stays as it was.
# Hidden tests: strides, dilation, padding, other shapes, mixed modes, a forward pass that fails, what the model sees.
from_scratch(count_macs, FORBIDDEN)

@probe
def macs_of(layers, input_shape, order=None):
    return count_macs(checks00.Chain(layers, order), input_shape)

check(
    macs_of,
    [
        ([("linear", 4, 3)], (2, 4)),
        ([("conv", 3, 8, 3)], (1, 3, 6, 6)),
        ([("conv", 4, 8, 3, {"groups": 2, "padding": 1})], (2, 4, 5, 5)),
        ([("linear", 5, 5), ("relu",), ("linear", 5, 7)], (3, 5), [0, 1, 0]),
    ],
    [24, 3456, 7200, 150],
    checks00.MACS_MISTAKES,
)

@probe
def before_and_after(layers, input_shape):
    model = checks00.Chain(layers).train()
    model.layers[0].eval()
    before = checks00.condition(model)
    try:
        count_macs(model, input_shape)
    except RuntimeError as error:
        if isinstance(error, NotImplementedError):
            raise
    return before, checks00.condition(model)

checks00.check_untouched(
    *before_and_after([("conv", 1, 4, 3), ("norm", 4), ("dropout", 0.5)], (2, 1, 8, 8)), "after count_macs"
)

### BEGIN HIDDEN TESTS
def _macs(layers, shape, order=None, groups=True, bias=False, factor=1, each_once=False, training=False):
    """Walk through the layers in order and count by hand."""
    total, shape, ran = 0, list(shape), set()
    for i in range(len(layers)) if order is None else order:
        kind, *sizes = layers[i]
        settings = sizes.pop() if isinstance(sizes[-1] if sizes else None, dict) else {}
        new = 0
        if kind == "linear":
            shape[-1] = sizes[1]
            new = math.prod(shape) * (sizes[0] + bias * settings.get("bias", True))
        elif kind == "conv":
            pair = lambda v: list(v) if isinstance(v, (tuple, list)) else [v, v]
            kernel, stride, dilation = (
                pair(sizes[2]),
                pair(settings.get("stride", 1)),
                pair(settings.get("dilation", 1)),
            )
            pad = settings.get("padding", 0)
            shape[-3] = sizes[1]
            for axis in (0, 1):
                reach = dilation[axis] * (kernel[axis] - 1)
                around = reach if pad == "same" else 2 * pair(pad)[axis]
                shape[axis - 2] = len(range(0, shape[axis - 2] + around - reach, stride[axis]))
            per_number = sizes[0] // (settings.get("groups", 1) if groups else 1) * kernel[0] * kernel[1]
            new = math.prod(shape) * (per_number + bias * settings.get("bias", True))
        elif kind == "pool":
            shape[-2:] = [n // sizes[0] for n in shape[-2:]]
        elif kind == "flatten":
            shape = [shape[0], math.prod(shape[1:])]
        elif kind == "training" and training:
            new = math.prod(shape) * sizes[0]
        total += 0 if each_once and i in ran else factor * new
        ran.add(i)
    return total

_net = [
    ("conv", 1, 6, 5, {"padding": 2}),
    ("norm", 6),
    ("relu",),
    ("pool", 2),
    ("conv", 6, 12, (3, 1), {"groups": 3, "bias": False}),
    ("training", 14),
    ("flatten",),
    ("linear", 12 * 12 * 14, 9),
    ("linear", 9, 9, {"bias": False}),
]
_cases = [
    (_net, (3, 1, 28, 28)),
    (_net, (1, 1, 28, 28), [*range(9), 8, 8]),
    ([("conv", 8, 8, 3, {"groups": 8, "stride": 2, "padding": 1})], (2, 8, 9, 11)),
    (
        [("conv", 2, 4, (5, 3), {"dilation": (2, 1), "stride": (1, 3), "padding": (0, 2), "bias": False})],
        (4, 2, 20, 13),
    ),
    ([("conv", 3, 3, 3, {"padding": "same", "dilation": 3})], (2, 3, 15, 16)),
    ([("linear", 6, 4)], (2, 3, 5, 6)),
    ([("linear", 6, 4)], (6,)),
    ([("conv", 2, 3, 3)], (2, 7, 7)),
    ([("relu",)], (4, 4)),
    ([("linear", 3, 3), ("conv", 1, 1, 1)], (2, 3), [0]),
]
check(
    macs_of,
    _cases,
    _macs,
    {
        checks00.GROUPS: lambda *c: _macs(*c, groups=False),
        checks00.FLOPS: lambda *c: _macs(*c, factor=2),
        checks00.BIAS: lambda *c: _macs(*c, bias=True),
        checks00.BATCH: lambda layers, shape, order=None: _macs(layers, (1, *shape[1:]), order),
        "The batch was divided out: every image of it costs the same, and counts.": lambda layers, shape, order=None: (
            _macs(layers, shape, order) // shape[0]
        ),
        checks00.ONCE: lambda *c: _macs(*c, each_once=True),
        checks00.TRAINING: lambda *c: _macs(*c, training=True),
    },
)
for _layers, _shape, _what in (
    ([("training", 4), ("norm", 4), ("conv", 4, 4, 1)], (2, 4, 3, 3), "a chain in mixed modes"),
    ([("linear", 2, 2), ("dropout", 0.5), ("stop",)], (1, 2), "a model whose forward pass fails (use finally)"),
):
    checks00.check_untouched(*before_and_after(_layers, _shape), _what)

@probe
def seen_by_the_model(shape):
    checks00.Chain.seen.clear()
    count_macs(checks00.Chain([("look",), ("linear", shape[-1], 2)]).train(), shape)
    return list(checks00.Chain.seen)

_seen = seen_by_the_model((2, 3, 4))
expect(
    _seen[:1],
    [{"shape": [2, 3, 4], "zeros": True, "training": False, "gradient": False}],
    "what the model saw",
    {
        checks00.TRAINING: lambda got: got[0]["training"],
        "The forward pass kept track of gradients: use torch.no_grad().": lambda got: got[0]["gradient"],
    },
)
### END HIDDEN TESTS

# %% [markdown]
# Where do the parameters sit, and where the work? The MACs of layer $i$ are those of the first $i$ layers minus those
# of the first $i-1$.

# %%
macs = {name: count_macs(model, (1, 1, 28, 28)) for name, model in networks.items()}
for name, count in macs.items():
    print(f"{name:15} {count:10,} MACs an image, {count / parameters[name]:6.1f} for each parameter")
tables = {}
for name in ("lenet_5", "small_cnn"):
    model, shape = networks[name], (1, 1, 28, 28)
    tables[name] = {f"{i} {type(m).__name__}": (count_parameters(m), count_macs(model[: i + 1], shape) - count_macs(model[:i], shape))
                    for i, m in enumerate(model) if isinstance(m, (nn.Conv2d, nn.Linear))}
lesson00.draw_layers(tables)

# %% [markdown]
# *Picture: bars for each layer of two networks. In LeNet-5 one linear layer holds most of the parameters and a
# convolution does most of the work; in the small CNN parameters grow towards the end, and work is spread more evenly.*
#
# So to make LeNet-5's *file* smaller, look at its first linear layer; to make it do less *work*, at its second
# convolution.
#
# How much **memory** does a network need while it runs? All the weights, and at least the input and the output of the
# layer that is running:

# %%
print("model            one image     64 images   (bytes)")
for name, model in networks.items():
    print(f"{name:15} {measure.memory_bytes(model, (1, 1, 28, 28)):10,} {measure.memory_bytes(model, (64, 1, 28, 28)):13,}")

# %% [markdown]
# With one image the weights dominate; with 64, in the convolutional networks, the activations (what each layer hands
# on), which compressing the weights does not change.
#
# ## 4. Time
#
# The same call never takes the same time twice. Here are 300 calls of `resnet8` with one image, recorded in a new
# process while two other programs kept both cores busy.

# %%
recorded = np.array(lesson00.RECORDED_US) / 1000
print(f"first calls: {', '.join(f'{t:.2f}' for t in recorded[:4])} ms")
print(f"fastest {recorded.min():.2f} ms, mean {recorded.mean():.2f} ms, slowest {recorded.max():.2f} ms")
print(f"{(recorded > 1).sum()} of {len(recorded)} calls took more than 1 ms")
lesson00.draw_recording({"median": np.percentile(recorded, 50), "mean": recorded.mean(), "95th percentile": np.percentile(recorded, 95)})

# %% [markdown]
# *Picture: left, 300 points on a logarithmic axis, nearly all on a line at the bottom, the first above it, the
# interrupted ones far above; right, the share of calls over latency, a steep step at the median, the mean far to its
# right, and a long flat tail with the 95th percentile.*
#
# - **The first call is different.** Memory is allocated, routines are chosen, caches are cold. So **warm up** with a
#   few calls.
# - **The mean describes nobody.** The interrupted calls pull it to a value that almost no call has. The **median**
#   (p50) tells you what a call usually takes.
# - **The tail is real.** **p95** and **p99** say how bad it gets; Dean and Barroso (2013) show how they rule a large
#   service, in which a user waits for the slowest of many calls.
#
# For a percentile, sort the $n$ times and number them from 0. Percentile $q$ (0.95, say) stands at the **position**
#
# $$p = (n-1)\,q .$$
#
# Split it into the index $k$ below and the fraction $f = p - k$, and **interpolate** between two neighbours:
#
# $$t_q = t_k + f\,(t_{k+1} - t_k).$$

# %%
some = [2.0, 3.0, 1.0, 8.0, 4.0]
position = (len(some) - 1) * 0.95
k = int(position)
value = sorted(some)[k] + (position - k) * (sorted(some)[k + 1] - sorted(some)[k])
print(f"position {position:g}: between index {k} and {k + 1}; the 95th percentile is {value:g} ms, numpy says {np.percentile(some, 95):g} ms")
lesson00.draw_interpolation(some, position, value)

# %% [markdown]
# *Picture: five sorted times joined by lines; the 95th percentile is a point on the last piece, four fifths of the way
# up.*
#
# Cutting the position off to an index would give 4 ms, rounding it up 8 ms.

# %% [markdown]
# ### Exercise 4 · `benchmark`
#
# `clock` is an argument so that a test can replace it: `lesson00.Rehearsal` has a clock that moves only while your
# function runs.
#
# <details><summary>Hint 1, a nudge</summary>Two loops: one without a clock, one that appends a difference of two
# readings for each call.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse a number of repeats below 1. Warm up, then keep every
# single call's time, in milliseconds. At the end: three percentiles and the mean of the same list, and calls a second
# from the mean.</details>
#
# <details><summary>Hint 3, the key lines</summary>
# <code>start = clock(); fn(); times.append(1000 * (clock() - start))</code>, and
# <code>np.percentile(times, [50, 95, 99])</code>, which interpolates linearly.</details>

# %% exercise="benchmark" minutes=15 difficulty=2
def benchmark(fn, warmup=5, repeats=50, clock=time.perf_counter) -> dict:
    """Latency of a function: percentiles, mean, and calls per second.

    Calls fn() exactly warmup + repeats times. The first `warmup` calls are not timed; for each of the others `clock` is
    read once just before and once just after, and at no other moment.

    Args:
        fn: a function without arguments.
        warmup, repeats: numbers of untimed and of timed calls.
        clock: gives the time in seconds.

    Returns:
        floats p50_ms, p95_ms, p99_ms (percentiles, linearly interpolated), mean_ms, and per_second = 1000 / mean_ms.

    Raises:
        ValueError: repeats < 1.

    >>> script = lesson00.Rehearsal(f=[0.002, 0.003, 0.001, 0.008, 0.004])
    >>> result = benchmark(script.function("f"), 0, 5, script.read)
    >>> {key: round(value, 3) for key, value in result.items()}
    {'p50_ms': 3.0, 'p95_ms': 7.2, 'p99_ms': 7.84, 'mean_ms': 3.6, 'per_second': 277.778}
    """
    ### BEGIN SOLUTION
    if repeats < 1:
        raise ValueError(f"at least one call has to be timed, not {repeats}")
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        start = clock()
        fn()
        times.append(1000 * (clock() - start))
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    mean = sum(times) / repeats
    return {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "mean_ms": mean, "per_second": 1000 / mean}
    ### END SOLUTION

# %% test="benchmark" points=5
# Checked here: order of calls and clock readings, percentiles, mean and rate of known times; no repeats.
# Hidden tests: random times, many repeats, a clock that has run for days, the default arguments and clock.
from_scratch(benchmark, FORBIDDEN)

@probe
def rehearse(seconds, warmup, repeats, start=0.0):
    script = lesson00.Rehearsal(start, f=seconds)
    result = benchmark(script.function("f"), warmup=warmup, repeats=repeats, clock=script.read)
    return {"order": script.order, "result": result}  # f for a call, c for a reading of the clock

_rising = [k / 1000 for k in range(1, 25)]
check(
    rehearse,
    [(_rising, 0, 24), ([0.064, 0.032, 0.004, 0.001, 0.002, 0.008, 0.003], 2, 5), ([0.016], 0, 1)],
    [
        {
            "order": 24 * "cfc",
            "result": {"p50_ms": 12.5, "p95_ms": 22.85, "p99_ms": 23.77, "mean_ms": 12.5, "per_second": 80.0},
        },
        {
            "order": "ff" + 5 * "cfc",
            "result": {"p50_ms": 3.0, "p95_ms": 7.2, "p99_ms": 7.84, "mean_ms": 3.6, "per_second": 277.77778},
        },
        {
            "order": "cfc",
            "result": {"p50_ms": 16.0, "p95_ms": 16.0, "p99_ms": 16.0, "mean_ms": 16.0, "per_second": 62.5},
        },
    ],
    symptoms=SYMPTOMS["benchmark"],
    tol=1e-5,
)  # the durations are exact, and float32 statistics good to 1e-6 of a value
check_errors(ValueError, rehearse, ([0.5], 2, 0))

### BEGIN HIDDEN TESTS
def _rehearsed(seconds, warmup, repeats, start=0.0):
    times = [1000 * seconds[i % len(seconds)] for i in range(warmup, warmup + repeats)]

    def at(q):
        ordered, place = sorted(times), (repeats - 1) * q
        below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
        return below + (place - math.floor(place)) * (above - below)

    mean = sum(times) / repeats
    return {
        "order": "f" * warmup + "cfc" * repeats,
        "result": {
            "p50_ms": at(0.5),
            "p95_ms": at(0.95),
            "p99_ms": at(0.99),
            "mean_ms": mean,
            "per_second": 1000 / mean,
        },
    }

_rng = torch.Generator().manual_seed(4)
_draw = lambda n: (torch.randint(2, 400, (n,), generator=_rng) * 2.0**-10).tolist()
check(
    rehearse,
    [
        (_draw(60), 5, 50),
        (_draw(9), 3, 6),
        (_draw(7), 0, 7),
        ([0.25, 0.5], 1, 2),
        (_draw(150), 49, 101),
        (_draw(5), 4, 1),
    ],
    _rehearsed,
    symptoms=SYMPTOMS["benchmark"],
    tol=1e-5,
)
# a machine that has been running for twelve days
check(
    rehearse,
    [([0.015625, 0.0078125, 0.03125], 1, 9, 2.0**20)],
    _rehearsed,
    symptoms={
        "A reading of the clock does not fit into float32: subtract first.": lambda got, want, *_: (
            got["order"] == want["order"]
        )
    },
    tol=1e-5,
)
check_errors(ValueError, rehearse, ([0.5], 0, -3), ([0.5], 0, 0))

@probe
def by_default():
    script = lesson00.Rehearsal(f=[0.25])
    benchmark(script.function("f"), clock=script.read)
    return script.order, benchmark(lambda: time.sleep(0.01), warmup=1, repeats=3)

_order, _real = by_default()
expect(_order, 5 * "f" + 50 * "cfc", "the calls (f) and clock readings (c) of benchmark(fn, clock=…)")
require(
    9.9 <= _real["p50_ms"] <= 5000,
    f"a function that sleeps for 10 ms, with the default clock: expected p50_ms of 10 or a little more, yours {_real['p50_ms']:.4g}",
)
### END HIDDEN TESTS

# %% [markdown]
# Now replay the recording through your own function, and move the sliders. How many calls of warm-up does it take, and
# how many timed calls until the percentiles settle?

# %% tags=["nbval-ignore-output"]
def statistics_of_recording(warm_up=5, repeats=60):
    def replay(count):
        script = lesson00.Rehearsal(f=[us / 1e6 for us in lesson00.RECORDED_US])
        return benchmark(script.function("f"), warm_up, count, script.read)

    counts = [1, 2, 3, 5, *range(10, 241, 5)]
    results = [replay(count) for count in counts]
    curves = {key: [r[f"{key}_ms"] for r in results] for key in ("p50", "mean", "p95", "p99")}
    chosen = replay(repeats)
    fig = lesson00.draw_statistics(warm_up, repeats, counts, curves)
    fig.suptitle(f"{warm_up} warm-up, {repeats} timed calls: " + ", ".join(f"{k} {chosen[f'{k}_ms']:.2f}" for k in curves) + " ms")
    return fig

widgets.explore(statistics_of_recording, warm_up=(0, 60, 0), repeats=(1, 240, 20))

# %% [markdown]
# *Picture: left, the recorded calls with the timed window in blue; right, p50, mean, p95 and p99 over the number of
# timed calls. The median settles after a few calls, the mean keeps wandering, p95 and p99 jump in steps.*
#
# Now your own machine:

# %% tags=["nbval-ignore-output"]
one = val_x[:1]
with torch.no_grad():
    latency = {name: benchmark(lambda: model(one)) for name, model in networks.items()}
print("one image         p50       p95       p99      mean ms   images/s   MACs per microsecond")
for name, r in latency.items():
    print(f"{name:15} {r['p50_ms']:6.3f}    {r['p95_ms']:6.3f}    {r['p99_ms']:6.3f}    {r['mean_ms']:6.3f} {r['per_second']:11,.0f} {macs[name] / r['p50_ms'] / 1000:12,.0f}")

# %% [markdown]
# If MACs decided the time, the last column would be the same in every row. But each call of a layer costs something
# before the first multiplication, and different shapes keep the processor busy to different degrees.
#
# ## 5. Which is faster?
#
# You could benchmark one model, then the other. But the machine may slow down in between, because it gets hot or
# another program starts. In this rehearsal B needs exactly 10 % less time than A, and the machine gets steadily slower
# until it takes half as long again.

# %%
def drifting(work, calls):
    """Seconds of the calls at these places of the queue, if the machine slows down to 1.5 times over 80 calls."""
    return [work * (1 + 0.5 * i / 79) for i in calls]

apart = {"A": drifting(0.010, range(40)), "B": drifting(0.009, range(40, 80))}
in_turns = {"A": drifting(0.010, range(0, 80, 2)), "B": drifting(0.009, range(1, 80, 2))}
for name, times in (("first A, then B", apart), ("in turns", in_turns)):
    ratios = np.array(times["A"]) / np.array(times["B"])
    print(f"{name:16} ratio of medians {np.median(times['A']) / np.median(times['B']):.3f}, median of the ratios {np.median(ratios):.3f} (true: {10 / 9:.3f})")
lesson00.draw_turns(apart, in_turns)

# %% [markdown]
# *Picture: left, rising points for A and then for B, which lie higher although B is faster; right, both rise together
# and A stays above B throughout.*
#
# In turns, the drift hits both, and nearly cancels when each call of A is divided by the call of B beside it:
#
# $$r_i = \frac{t_{A,i}}{t_{B,i}} .$$
#
# Above 1, B is faster. The **median** of the ratios is the answer, and their **quartiles** say how far to trust it. An
# interrupted call spoils one ratio, not the median; the ratio of the two *means* it can spoil.

# %% [markdown]
# ### Exercise 5 · `compare`
#
# <details><summary>Hint 1, a nudge</summary>A round yields one number. Percentiles, of these numbers, come only at the
# end.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse fewer than one round. Call each function once to warm
# up. In each round time A, then B, and keep the quotient. A quotient of two medians is something else.</details>
#
# <details><summary>Hint 3, the key lines</summary>In each round take two differences of clock readings and append
# <code>t_a / t_b</code>; then <code>np.percentile(ratios, [25, 50, 75])</code>.</details>

# %% exercise="compare" minutes=10 difficulty=2
def compare(fn_a, fn_b, rounds=20, clock=time.perf_counter) -> dict:
    """How many times faster B is than A, measured in turns.

    One untimed call of each, in either order; then `rounds` rounds of one timed call of A and one of B: A, B, A, B, …
    Each round gives the ratio t_a / t_b.

    Returns:
        floats ratio_p25, ratio_p50, ratio_p75: percentiles of the per-round ratios, linearly interpolated. Above 1, B is
        faster.

    Raises:
        ValueError: rounds < 1.

    >>> script = lesson00.Rehearsal(a=[9.0, 6.0, 3.0, 8.0], b=[1.0, 2.0, 3.0, 1.0])
    >>> compare(script.function("a"), script.function("b"), 3, script.read)      # ratios 3, 1 and 8
    {'ratio_p25': 2.0, 'ratio_p50': 3.0, 'ratio_p75': 5.5}

    Source: Kalibera and Jones 2013, doi:10.1145/2464157.2464160, on ratios with their uncertainty.
    """
    ### BEGIN SOLUTION
    if rounds < 1:
        raise ValueError(f"at least one round is needed, not {rounds}")
    fn_a()
    fn_b()
    ratios = []
    for _ in range(rounds):
        start = clock()
        fn_a()
        t_a = clock() - start
        start = clock()
        fn_b()
        ratios.append(t_a / (clock() - start))
    p25, p50, p75 = np.percentile(ratios, [25, 50, 75])
    return {"ratio_p25": float(p25), "ratio_p50": float(p50), "ratio_p75": float(p75)}
    ### END SOLUTION

# %% test="compare" points=4
# Checked here: whose turn it is, and the percentiles of the ratios of known times; no rounds.
# Hidden tests: random times, few and many rounds, the default arguments and clock.
from_scratch(compare, FORBIDDEN)

@probe
def rehearse_pair(seconds_a, seconds_b, rounds):
    script = lesson00.Rehearsal(a=seconds_a, b=seconds_b)
    result = compare(script.function("a"), script.function("b"), rounds=rounds, clock=script.read)
    return {"calls": script.order.replace("c", ""), "result": result}

def rehearse_both(seconds_a, seconds_b, rounds):
    got = rehearse_pair(seconds_a, seconds_b, rounds)
    calls = got["calls"]
    return got | {
        "calls": "ab" + calls[2:] if calls[:2] == "ba" else calls
    }  # which of the untimed comes first is free

_quartiles = lambda low, middle, high: {"ratio_p25": low, "ratio_p50": middle, "ratio_p75": high}
_turns = "ab" + 3 * "ab"
check(
    rehearse_both,
    [([4.0, 6.0, 3.0, 8.0], [1.0, 2.0, 3.0, 1.0], 3)],
    [{"calls": _turns, "result": _quartiles(2.0, 3.0, 5.5)}],
    checks00.compare_mistakes(_turns, _quartiles),
    SYMPTOMS["compare"],
    tol=1e-5,
)  # float32 statistics are good to 1e-6
check_errors(ValueError, rehearse_both, ([1.0], [1.0], 0))

### BEGIN HIDDEN TESTS
def _percentile(values, q):
    ordered, place = sorted(values), (len(values) - 1) * q
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return below + (place - math.floor(place)) * (above - below)

def _compared(a, b, rounds, ratio=None):
    pairs = [(a[i % len(a)], b[i % len(b)]) for i in range(1, rounds + 1)]
    values = [x / y for x, y in pairs] if ratio is None else ratio(*zip(*pairs))
    return {
        "calls": "ab" * (rounds + 1),
        "result": _quartiles(
            *(_percentile(values, q) if isinstance(values, list) else values(q) for q in (0.25, 0.5, 0.75))
        ),
    }

_rng = torch.Generator().manual_seed(5)
_draw = lambda n: (torch.randint(1, 40, (n,), generator=_rng) / 8).tolist()
check(
    rehearse_both,
    [
        (_draw(21), _draw(21), 20),
        (_draw(8), _draw(8), 7),
        ([5.0, 3.0], [1.0, 2.0], 1),
        (_draw(5), _draw(3), 10),
        (_draw(3), _draw(3), 2),
    ],
    _compared,
    {
        checks00.MEANS: lambda a, b, n: _compared(a, b, n, ratio=lambda x, y: [sum(x) / sum(y)]),
        checks00.MEDIANS: lambda a, b, n: _compared(
            a, b, n, ratio=lambda x, y: lambda q: _percentile(x, q) / _percentile(y, q)
        ),
        checks00.INVERTED: lambda a, b, n: _compared(b, a, n),
    },
    SYMPTOMS["compare"],
    tol=1e-5,
)
check_errors(ValueError, rehearse_both, ([1.0], [1.0], -1))

@probe
def compare_by_default():
    script = lesson00.Rehearsal(a=[0.5], b=[0.25])
    compare(script.function("a"), script.function("b"), clock=script.read)
    return script.order.replace("c", ""), compare(lambda: time.sleep(0.02), lambda: list(range(1000)), rounds=5)

_order, _real = compare_by_default()
expect(_order[2:], "ab" * 20, "the timed calls of compare(a, b, clock=…)")
require(
    _real["ratio_p50"] > 1,
    f"A sleeps for 20 ms and B makes a short list, with the default clock: expected a ratio above 1, yours {_real['ratio_p50']:.4g}",
)
### END HIDDEN TESTS

# %% [markdown]
# Before you believe a ratio, measure the **noise floor**: compare a model with itself. Whatever differs from 1 there is
# noise, and a speed-up smaller than that is none.
#
# A ratio whose quartiles lie on *both sides* of your claim is no result, however good its median looks. The toolkit's
# `verdict` says which is faster if at least three of four rounds agree, and else that the machine is too noisy, or,
# where the quartiles are within a tenth of each other, that there is no difference.
#
# <details><summary><b>Predict first.</b> resnet8 does 21 times the MACs of LeNet-300-100. Will it take 21 times as long
# with one image? And with 64?</summary>With one image clearly less, since each call has its fixed price. With 64 it
# comes closer: there arithmetic takes most of the time.</details>

# %% tags=["nbval-ignore-output"]
def versus(a, b, x, rounds=40):
    with torch.no_grad():
        r = compare(lambda: networks[a](x), lambda: networks[b](x), rounds)
    said = verdict((r["ratio_p25"], r["ratio_p50"], r["ratio_p75"]), f"{b} is faster", f"{b} is slower")
    return f"{r['ratio_p50']:.2f} ({r['ratio_p25']:.2f} to {r['ratio_p75']:.2f}: {said})"

print("resnet8 against itself:   ", versus("resnet8", "resnet8", one))
print("resnet8 / small_cnn:      ", versus("resnet8", "small_cnn", one), "with 1 image,", versus("resnet8", "small_cnn", val_x[:64], 10), "with 64")
print("resnet8 / lenet_300_100:  ", versus("resnet8", "lenet_300_100", one), "with 1 image,", versus("resnet8", "lenet_300_100", val_x[:64], 10), "with 64")
print(f"resnet8 / lenet_300_100:   {macs['resnet8'] / macs['lenet_300_100']:.0f} times the MACs")
for attempt in range(3):
    with torch.no_grad():
        alone = [benchmark(lambda: networks[n](one), repeats=20)["mean_ms"] for n in ("resnet8", "small_cnn")]
    print(f"one after the other, attempt {attempt + 1}: resnet8 / small_cnn {alone[0] / alone[1]:.2f} (ratio of means)")

# %% [markdown]
# A speed-up belongs to a pair of models, a batch size, a library, a number of threads and a machine. A report without
# them cannot be checked.
#
# ### Equal MACs, unequal time
#
# MobileNets replace a convolution by two (Howard et al. 2017): a **depthwise** one, in which each channel has a 3 × 3
# kernel of its own, and a 1 × 1 one that mixes the channels. Each costs few MACs, so a budget buys more channels. Here
# it is spent on a plain convolution from 24 to 24 channels, and on a depthwise-separable block from 72 to 63, at 28 ×
# 28 positions.
#
# <details><summary><b>Predict first.</b> The depthwise half does an eighth of the block's MACs. Which share of the
# block's time will it take?</summary>Far more; the second line of the output says how much. It does nine products for
# each number it loads, the plain convolution 216: fetching numbers is what it waits for, and MACs do not count
# that.</details>

# %% tags=["nbval-ignore-output"]
plain = nn.Conv2d(24, 24, 3, padding=1, bias=False)
depthwise, pointwise = nn.Conv2d(72, 72, 3, padding=1, groups=72, bias=False), nn.Conv2d(72, 63, 1, bias=False)
separable = nn.Sequential(depthwise, pointwise)
few, many = torch.randn(1, 24, 28, 28), torch.randn(1, 72, 28, 28)
block_macs = {"3×3 convolution": count_macs(plain, few.shape), "depthwise block": count_macs(separable, many.shape)}
with torch.no_grad():
    blocks = compare(lambda: separable(many), lambda: plain(few), 60)
    halves = compare(lambda: separable(many), lambda: depthwise(many), 60)
    block_times = {"3×3 convolution": benchmark(lambda: plain(few), repeats=60), "depthwise block": benchmark(lambda: separable(many), repeats=60)}
quartiles = lambda r: (r["ratio_p25"], r["ratio_p50"], r["ratio_p75"])
print(f"{block_macs['3×3 convolution']:,} and {block_macs['depthwise block']:,} MACs; the block takes {blocks['ratio_p50']:.2f} times as long "
      f"(quartiles {blocks['ratio_p25']:.2f} to {blocks['ratio_p75']:.2f}): {verdict(quartiles(blocks), 'the block is slower', 'the block is faster')}")
print(f"its depthwise half: {100 * count_macs(depthwise, many.shape) / block_macs['depthwise block']:.0f} % of the block's MACs, "
      f"{100 / halves['ratio_p50']:.0f} % of its time (quartiles {100 / halves['ratio_p75']:.0f} to {100 / halves['ratio_p25']:.0f})")
points = {name: (macs[name], latency[name]["p50_ms"]) for name in networks}
points |= {name: (block_macs[name], block_times[name]["p50_ms"]) for name in block_macs}
lesson00.draw_macs(points)

# %% [markdown]
# *Picture: median latency of one image over MACs, both logarithmic, for the four networks, the plain convolution and
# the depthwise block; the last two stand exactly above each other.*
#
# Whether fewer MACs become fewer milliseconds is decided by the processor and the library: compare blocks by time.
#
# ## 6. Batches and threads
#
# A call has a fixed price, paid once however many images it brings along. So larger batches give more images per
# second, and each of them waits longer: **throughput** and **latency** pull in different directions. A web service with
# one user at a time has batch 1, a nightly job the largest that fits.

# %% tags=["nbval-ignore-output"]
batches = [1, 4, 16, 64, 256]
by_batch = {}
with torch.no_grad():
    for name, model in networks.items():
        by_batch[name] = [benchmark(lambda: model(val_x[:b]), warmup=2, repeats=15)["p50_ms"] for b in batches]
        print(f"{name:15} " + "   ".join(f"{b} image{'s' * (b > 1)}: {t:.2f} ms" for b, t in zip(batches, by_batch[name])))
lesson00.draw_batches(batches, by_batch)

# %% [markdown]
# *Picture: left, latency over batch size on logarithmic axes, flat at first and then rising in proportion; right,
# images per second, rising at first, then level or falling.*
#
# Where the right-hand curve becomes level the processor is full, and a larger batch only makes everyone wait. It may
# even fall again, once the activations of a batch no longer fit into the cache. Where it still rises, the overhead of a
# call weighs more than the arithmetic.
#
# And **threads**? Two help when the cores are free and the work is large enough to share. On a busy machine they wait
# for each other, and a call can take *many times* as long. The next cell tries both, and goes back to one thread.

# %% tags=["nbval-ignore-output"]
by_threads = {}
try:
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with torch.no_grad():
            by_threads[threads] = [benchmark(lambda: networks["resnet8"](val_x[:b]), warmup=1, repeats=5) for b in (1, 64)]
finally:
    torch.set_num_threads(1)
for threads, (single, many) in by_threads.items():
    print(f"{threads} thread{'s' * (threads > 1)}:  1 image p50 {single['p50_ms']:.2f}, p95 {single['p95_ms']:.2f} ms    64 images p50 {many['p50_ms']:.2f}, p95 {many['p95_ms']:.2f} ms")

# %% [markdown]
# Run it again while something else runs. This course measures with one thread, slower on a free machine and repeatable
# on any. For your own service, use its number of threads, and say so.
#
# ## 7. Size, time and accuracy together
#
# One model may be smaller, another faster, a third more accurate. A model is **dominated** if another one costs no more
# *and* scores no less, and is better in at least one of the two. Nobody should choose a dominated one. What remains is
# the **Pareto front**: along it, every gain in accuracy has its price.

# %% [markdown]
# ### Exercise 6 · `pareto_front`
#
# <details><summary>Hint 1, a nudge</summary>Write "j dominates i" as code: <code>costs[j] <= costs[i]</code> and
# <code>scores[j] >= scores[i]</code> and one of the two strict.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse lists of different length. Keep a point if no other one
# dominates it. Sort the kept indices by cost, and by index where costs are equal.</details>
#
# <details><summary>Hint 3, the key lines</summary>Two nested loops are fine, with <code>any(…)</code> as the inner one;
# then <code>sorted(kept, key=lambda i: (costs[i], i))</code>.</details>

# %% exercise="pareto_front" minutes=10 difficulty=2
def pareto_front(costs, scores) -> list[int]:
    """Indices of the points that no other point dominates, sorted by cost and then by index.

    Point j dominates point i if its cost is not higher and its score is not lower, and one of the two is strictly better.

    Args:
        costs, scores: sequences of numbers of equal length. A low cost and a high score are good.

    Returns:
        indices as ints. Equal points do not dominate each other: they all stay, or none does. [] for empty sequences.

    Raises:
        ValueError: the lengths differ.

    >>> pareto_front([3, 1, 2, 2, 4], [90, 80, 85, 85, 90])      # the last costs more than the first, for the same score
    [1, 2, 3, 0]
    """
    ### BEGIN SOLUTION
    if len(costs) != len(scores):
        raise ValueError(f"{len(costs)} costs, {len(scores)} scores")

    def dominated(i):
        return any(c <= costs[i] and s >= scores[i] and (c < costs[i] or s > scores[i]) for c, s in zip(costs, scores))

    return sorted((i for i in range(len(costs)) if not dominated(i)), key=lambda i: (costs[i], i))
    ### END SOLUTION

# %% test="pareto_front" points=4
# Checked here: dominated points, ties, duplicates and order in four small lists; lists of unequal length.
# Hidden tests: random points with many ties, other unequal lists.
from_scratch(pareto_front, FORBIDDEN)
check(
    pareto_front,
    [([3, 1, 2, 2, 4], [90, 80, 85, 85, 90]), ([5.0, 2.0, 5.0], [0.5, 0.4, 0.7]), ([], []), ([1, 2, 3], [3, 2, 1])],
    [[1, 2, 3, 0], [1, 2], [], [0]],
    checks00.PARETO_FRONT_MISTAKES,
    checks00.PARETO_FRONT_SYMPTOMS,
)
check_errors(ValueError, pareto_front, ([1, 2], [1]))

### BEGIN HIDDEN TESTS
def _front(costs, scores, beats=lambda c, s, d, t: c <= d and s >= t and (c < d or s > t), key=lambda c, i: (c, i)):
    kept = []
    for i in range(len(costs)):
        if not any(beats(costs[j], scores[j], costs[i], scores[i]) for j in range(len(costs))):
            kept.append(i)
    return sorted(kept, key=lambda i: key(costs[i], i))

_grid = lambda n, top, rng=torch.Generator().manual_seed(6): torch.randint(0, top, (n,), generator=rng).tolist()
_cases = [(_grid(n, top), _grid(n, top)) for n, top in ((1, 5), (8, 4), (12, 5), (30, 8), (40, 60), (25, 3))]
_cases += [
    ([-1.5, 0.0, -1.5, 2.5], [-3.0, -2.0, -3.0, 7.5]),
    ((4, 4, 4), (1, 3, 2)),
    ([1, 2, 3], [5, 5, 5]),
    ([7], [7]),
    ([2, 1, 3, 1], [2, 1, 3, 1]),
]
_first_only = lambda c, s: [i for i in _front(c, s) if (c[i], s[i]) not in [(c[j], s[j]) for j in range(i)]]
_no_twin = lambda c, s: [i for i in _front(c, s) if list(zip(c, s)).count((c[i], s[i])) == 1]
check(
    pareto_front,
    _cases,
    _front,
    {
        checks00.TIES: lambda c, s: _front(c, s, beats=lambda c, s, d, t: c < d and s > t),
        checks00.COST: lambda c, s: _front(c, s, beats=lambda c, s, d, t: c >= d and s >= t and (c > d or s > t)),
        checks00.DUPLICATES: (_first_only, _no_twin),
        checks00.SCORE: lambda c, s: _front(c, s, beats=lambda c, s, d, t: c <= d and s <= t and (c < d or s < t)),
    },
    checks00.PARETO_FRONT_SYMPTOMS,
)
check_errors(ValueError, pareto_front, ([], [1]), ([1], []), ([1.0, 2.0, 3.0], [1.0, 2.0]))
### END HIDDEN TESTS

# %% [markdown]
# The fronts of our four networks, by bytes and by MACs, with the validation accuracy:
#
# <details><summary><b>Predict first.</b> Will any of the four networks stand on both fronts?</summary>The most accurate
# one always does: nothing dominates the best score. Of the others none does here.</details>

# %%
names = list(networks)
scores = [measure.accuracy(networks[n], val_x, val_y) for n in names]
for what, costs in (("bytes", sizes), ("MACs", macs)):
    front = pareto_front([costs[n] for n in names], scores)
    print(f"front by {what:6}", " -> ".join(f"{names[i]} ({costs[names[i]]:,}; {scores[i]:.2f} %)" for i in front))

# %% [markdown]
# LeNet-300-100 has the fewest MACs; by bytes it is dominated twice over. LeNet-5 and the small CNN have the same
# validation accuracy, so by bytes the one falls out and by MACs the other. "The best model" is not a question before
# somebody has said what is scarce.
#
# Say that the file may have 500 kB and validation accuracy must reach 91 %. Only when this choice is made do we look at
# the test images, once:

# %%
fitting = [n for n, score in zip(names, scores) if sizes[n] <= 500_000 and score >= 91]
print(f"within 500 kB and at least 91 %: {', '.join(fitting)}")
test_x, test_y = data.load("test")
test_accuracy = {n: measure.accuracy(networks[n], test_x, test_y) for n in names}
print(f"on {len(test_x):,} test images: " + ", ".join(f"{n} {test_accuracy[n]:.2f} %" for n in names))

# %% [markdown]
# The whole picture, with your machine's latency. A filled point lies on the front of its panel.

# %% tags=["nbval-ignore-output"]
prices = {"kB on disk": [sizes[n] / 1000 for n in names], "million MACs an image": [macs[n] / 1e6 for n in names],
          "p50 latency, one image (ms)": [latency[n]["p50_ms"] for n in names]}
print("model              bytes   parameters        MACs     p50 ms     p95 ms   images/s, batch 64   test accuracy")
for i, n in enumerate(names):
    print(f"{n:15} {sizes[n]:9,} {parameters[n]:12,} {macs[n]:11,} {latency[n]['p50_ms']:10.3f} {latency[n]['p95_ms']:10.3f} {64_000 / by_batch[n][3]:20,.0f} {test_accuracy[n]:13.2f} %")
lesson00.draw_fronts(names, scores, prices, [pareto_front(costs, scores) for costs in prices.values()])

# %% [markdown]
# *Picture: validation accuracy over bytes, over MACs and over latency. The residual network is the most accurate in all
# three; which of the others are filled differs from panel to panel.*
#
# ## 8. Energy
#
# Rent is paid by the hour, energy counted in kWh; both follow from the hours for which a machine is held. A call
# answers `batch` requests and takes `latency_ms`. A machine's **utilisation** is the share of time in which it
# computes: requests do not arrive in step. So
#
# $$\text{machine hours} = \frac{\text{requests}}{\text{batch}} \cdot \frac{\text{latency}}{\text{utilisation}}, \qquad \text{kWh} = \frac{\text{watts}}{1000} \cdot \text{machine hours}.$$
#
# Strubell et al. (2019) estimate the energy of training in the same way, from power and hours. The formula assumes that
# the machine draws the same power whether it computes or waits (roughly so for a server, not for a phone); nothing else
# runs on it; cooling, network and the making of the hardware are left out. Times the grams of CO₂ per kilowatt-hour
# that your grid operator publishes, kWh give emissions. All this is an estimate; a power meter measures.
#
# Many processors have one inside. Linux shows it as RAPL, often to the administrator alone, and hardly ever to a
# virtual machine. `energy.joules` reads it before and after a piece of work:

# %% tags=["nbval-ignore-output"]
for batch in (1, 64):
    calls, x = 256 // batch, val_x[:batch]
    with torch.no_grad():
        began = time.perf_counter()
        drawn = energy.joules(lambda: [networks["resnet8"](x) for _ in range(calls)])
        seconds = time.perf_counter() - began
    if drawn is None:
        print("no meter (RAPL) can be read here: below, the watts are an assumption, and the energy is an estimate")
        break
    print(f"resnet8, batch {batch:2}: {1000 * drawn / 256:.2f} millijoules an image, {drawn / seconds:.1f} W while it ran")

# %% [markdown]
# ## 9. Money
#
# $$\text{USD} = \text{USD per hour} \cdot \text{machine hours}.$$
#
# This assumes that power is part of the rent and that machines can be given back by the hour; storage, traffic and
# people cost extra.

# %% [markdown]
# ### Exercise 7 · `serving_cost`
#
# <details><summary>Hint 1, a nudge</summary>Write the unit beside every factor: requests per call, milliseconds per
# call, hours per millisecond, and so on.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>From requests to calls, to busy milliseconds, to busy hours,
# and to paid hours, which are more. Paid hours times kilowatts are the energy, times the price of an hour the
# money.</details>
#
# <details><summary>Hint 3, the key line</summary>The hours are <code>requests / batch * latency_ms / 3_600_000 /
# utilisation</code>.</details>

# %% exercise="serving_cost" minutes=8 difficulty=1
def serving_cost(latency_ms: float, batch: int, utilisation: float, power_watts: float, usd_per_hour: float, requests: float) -> dict:
    """Energy and rent for answering `requests` requests.

    machine hours = requests / batch * latency / utilisation, with the latency in hours.

    Args:
        latency_ms: of one call, in milliseconds.
        batch: requests that one call answers.
        utilisation: share of the time in which the machine computes, above 0 and at most 1.
        power_watts: what the machine draws, whether it computes or waits.
        usd_per_hour: rent of the machine, power included.
        requests: how many are answered; need not be a multiple of the batch.

    Returns:
        floats kwh (power times machine hours) and usd (rent times machine hours, nothing else).

    >>> serving_cost(20.0, 4, 0.5, 100.0, 2.0, 7_200_000)      # 10 hours of computing, 20 of a machine
    {'kwh': 2.0, 'usd': 40.0}
    """
    ### BEGIN SOLUTION
    hours = requests / batch * latency_ms / 3_600_000 / utilisation
    return {"kwh": power_watts / 1000 * hours, "usd": usd_per_hour * hours}
    ### END SOLUTION

# %% test="serving_cost" points=3
# Checked here: two bills with round numbers.
# Hidden tests: five bills of other machines, batches and utilisations.
from_scratch(serving_cost, FORBIDDEN)
_bill = lambda kwh, usd: {"kwh": kwh, "usd": usd}
check(
    serving_cost,
    [(20.0, 4, 0.5, 100.0, 2.0, 7_200_000), (5.0, 1, 1.0, 400.0, 3.0, 3_600_000)],
    [_bill(2.0, 40.0), _bill(2.0, 15.0)],
    checks00.serving_cost_mistakes(_bill),
    checks00.SERVING_COST_SYMPTOMS,
    tol=1e-9,
)  # a few roundings of doubles

### BEGIN HIDDEN TESTS
def _cost(ms, batch, use, watts, rent, requests, ms_per_hour=3.6e6, watts_per_kilowatt=1e3):
    calls = requests / batch
    hours = calls * ms / ms_per_hour / use
    return _bill(watts * hours / watts_per_kilowatt, rent * hours)

check(
    serving_cost,
    [
        (350.0, 8, 0.25, 700.0, 4.5, 1e7),
        (0.4, 1, 0.4, 65.0, 0.1, 1e9),
        (12.5, 64, 0.9, 250.0, 1.25, 3e8 + 1),
        (80.0, 3, 0.6, 90.0, 0.0, 1e6),
        (1000.0, 2, 0.125, 0.0, 9.0, 7201),
        (3.0, 5, 0.5, 10.0, 1.0, 0),
    ],
    _cost,
    {
        checks00.SECONDS: lambda *a: _cost(*a, ms_per_hour=3.6e3),
        checks00.WATTS: lambda *a: _cost(*a, watts_per_kilowatt=1),
        checks00.HOURS: lambda *a: _cost(*a, ms_per_hour=1e3),
        checks00.TIMES: lambda ms, b, use, *rest: _cost(ms, b, 1 / use, *rest),
        checks00.NO_USE: lambda ms, b, use, *rest: _cost(ms, b, 1, *rest),
        checks00.NO_BATCH: lambda ms, b, *rest: _cost(ms, 1, *rest),
        "The batch was multiplied: one call answers `batch` requests, so divide.": lambda ms, b, *rest: _cost(
            ms, 1 / b, *rest
        ),
        "Whole batches were counted: requests / batch need not be a whole number here.": lambda ms, b, use, w, usd, n: (
            _cost(ms, b, use, w, usd, b * math.ceil(n / b))
        ),
    },
    checks00.SERVING_COST_SYMPTOMS,
    tol=1e-9,
)
### END HIDDEN TESTS

# %% [markdown]
# A billion images, on an imaginary small machine: 65 W, 0.10 USD an hour, busy 40 % of the time. These are assumptions;
# put in your own. The latencies are measured.

# %% tags=["nbval-ignore-output"]
billion = {"utilisation": 0.4, "power_watts": 65, "usd_per_hour": 0.10, "requests": 1e9}
print("model             batch 1                batch 64")
bills = {}
for n in names:
    bills[n] = serving_cost(by_batch[n][0], 1, **billion), serving_cost(by_batch[n][3], 64, **billion)
    print(f"{n:15} " + "      ".join(f"{b['kwh']:7.2f} kWh {b['usd']:6.2f} USD" for b in bills[n]))
utilisations = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]
curves = {f"{n}, batch {b}": [serving_cost(by_batch[n][i], b, **billion | {"utilisation": u})["usd"] for u in utilisations]
          for n in ("resnet8", "small_cnn") for i, b in ((0, 1), (3, 64))}
lesson00.draw_bill(utilisations, curves)

# %% [markdown]
# *Picture: rent over utilisation, four falling curves, those of batch 64 below those of batch 1.*
#
# Is arithmetic the expensive part? Horowitz (2014) gives 3.7 pJ for a 32-bit floating-point multiplication and 0.9 pJ
# for an addition, in a 45 nm chip. Compare the MACs with what the formula says a call draws:

# %% tags=["nbval-ignore-output"]
arithmetic = macs["resnet8"] * (3.7 + 0.9) * 1e-12
machine = 65 * latency["resnet8"]["p50_ms"] / 1000
print(f"one image through resnet8: arithmetic {1e6 * arithmetic:.0f} microjoules, whole machine {1e6 * machine:,.0f} microjoules: {machine / arithmetic:,.0f} times as much")

# %% [markdown]
# Almost all of it goes to moving numbers, to waiting, and to everything else that is switched on. A technique that
# saves MACs and no time saves no energy on such a machine.
#
# ## 10. The same with the library
#
# `torch.utils.flop_counter` counts operations below the level of modules and reports FLOPs; `torch.utils.benchmark`
# chooses the number of calls itself and reports a median. torchinfo, fvcore and thop print such tables too, each with
# its own idea of what counts.

# %% tags=["nbval-ignore-output"]
import logging

logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it would tell us that there is no GPU
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

print("model            MACs: yours    flop_counter / 2    bonsai.measure      p50 ms: yours    Timer    bonsai.measure")
for n, model in networks.items():
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(one)
        timer = Timer("model(one)", globals={"model": model, "one": one}).blocked_autorange(min_run_time=0.2)
        course = measure.latency_ms({n: lambda: model(one)}, rounds=50)[n]
    print(f"{n:15} {macs[n]:11,} {counter.get_total_flops() // 2:19,} {measure.macs(model, (1, 1, 28, 28)):17,} {latency[n]['p50_ms']:17.3f} {1000 * timer.median:10.3f} {np.median(course):13.3f}")

# %% [markdown]
# The counts agree here; for attention, for functions that are not modules, or with another convention about biases,
# counters differ. The times agree on a quiet machine. On a busy one `Timer` reports more: it reads the clock once for a
# block of many calls, so that the interrupted ones are averaged in.
#
# ## 11. The success checklist
#
# Before you compress anything, write down what would count as success. The later lessons come back to this table.
#
# | question | number | how it is measured | goal |
# |---|---|---|---|
# | Is it smaller? | `bytes` | a file, written and read back | before / after |
# | Is it as good? | `accuracy` | images that were used for no choice | points lost at most |
# | Is it faster? | `p50_ms`, `p95_ms` | in turns, same batch, threads and library | before / after |
# | Does it serve more? | `images_per_second` | the batch that the service uses | after / before |
# | Does it fit? | `memory_bytes` | weights and the largest activations | before / after |
# | Does it pay? | `usd` | `serving_cost`, with its assumptions | before / after |
#
# `measure.report` fills in the numbers for a model and `measure.checklist` compares two with your goals. Here the small
# CNN is to replace LeNet-5. (The command `bonsai benchmark small_cnn` prints such a report in a terminal, with the
# accuracy on the test images; `bonsai benchmark all --json` is for programs.)

# %% tags=["nbval-ignore-output"]
reports = {n: measure.report(networks[n], val_x, val_y, batch=1, repeats=40) for n in ("lenet_5", "small_cnn")}
for report in reports.values():
    report["usd"] = serving_cost(report["p50_ms"], report["batch"], **billion)["usd"]
goals = {"bytes": 4.0, "accuracy": 0.5, "p50_ms": 1.0, "p95_ms": 1.0, "images_per_second": 1.0, "memory_bytes": 2.0, "usd": 1.0}
print("number                  before          after    change   goal   reached")
for key, row in measure.checklist(reports["lenet_5"], reports["small_cnn"], goals).items():
    unit = "pts" if key == "accuracy" else "×"
    print(f"{key:18} {row['before']:12,.2f} {row['after']:14,.2f} {row['change']:6.2f} {unit:3} {row['goal']:5.2f}   {'yes' if row['reached'] else 'no'}")

# %% [markdown]
# The rows that no machine decides say yes; those of time and money are your machine's. A smaller file promises nothing
# about speed. (For accuracy the change is in points, and the goal is the loss that we accept.)
#
# ## Pitfalls
#
# - **A mean without a distribution.** Report p50 and p95, and of how many calls.
# - **Counting zeros.** A checkpoint with 90 % zeros is as large as before, until somebody writes it in another format.
# - **Choosing on the test images.** Then they are validation images, and no test images are left.
#
# ## Questions
#
# <details><summary>A paper halves the MACs and reports that the latency stayed the same. Name two
# explanations.</summary>Overhead that does not depend on the arithmetic may dominate (small layers, batch 1). Or the
# new layers, depthwise ones for example, do few operations for each number they load, and memory is the limit. Or the
# removed operations were zeros, which a dense kernel multiplies all the same.</details>
#
# <details><summary>Why are p99 values of 50 calls hardly worth reporting?</summary>With 50 calls p99 stands at position
# 48.51, between the two slowest calls, and is decided by whichever interruption happened to come. A p99 needs many
# hundreds of calls.</details>
#
# <details><summary>Batch 64 is cheaper for each image. Why not always use it?</summary>A user must wait until 64
# requests have come together, and then for the whole batch. With few requests that is long.</details>

# %% [markdown] question="question_twice_as_fast" points=4
# ### For your teacher
#
# A colleague writes: "My pruned model is twice as fast, 41 ms in place of 82 ms, and lost nothing." In at most ten
# sentences: which questions do you ask before you believe it, how would you measure it yourself, and which result would
# convince you? Write your answer in the cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: asks for batch, threads, machine, library and the number of calls; asks how accuracy was measured and on
# which images (unseen, used for no choice); measures both models in turns with warm-up, reports the median of the
# per-round ratios with quartiles, and compares one model with itself as the noise floor; says in advance what would
# convince (for example quartiles clear of 1 and of the noise floor, accuracy on test images within a stated number of
# points, bytes of the written file).
#
# 2 points: asks for warm-up and several calls and for the accuracy on test images; measures one after the other, or
# gives only a mean; no criterion.
#
# 0 or 1 point: repeats the measurement once, or argues from MACs or sparsity that it must be faster.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## An open experiment
#
# Where does your machine stop gaining? Draw images per second over the batch for one network of your choice, with
# `compare` and the quartiles of at least 30 rounds, once while nothing else runs and once while a video plays. At which
# batch does the curve bend, does the bend move, and which of your ratios survive the second run? There is no right
# answer; yours belongs to your machine.

# %% [markdown]
# ## References
#
# - M. Tan et al. (2019). *MnasNet: Platform-Aware Neural Architecture Search for Mobile.* CVPR. arXiv:1807.11626
# - A. G. Howard et al. (2017). *MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications.*
#   arXiv:1704.04861
# - V. Sze et al. (2017). *Efficient Processing of Deep Neural Networks: A Tutorial and Survey.* arXiv:1703.09039
# - T. Kalibera, R. Jones (2013). *Rigorous Benchmarking in Reasonable Time.* ISMM. doi:10.1145/2464157.2464160
# - J. Dean, L. A. Barroso (2013). *The Tail at Scale.* Communications of the ACM 56(2). doi:10.1145/2408776.2408794
# - M. Horowitz (2014). *Computing's energy problem (and what we can do about it).* ISSCC.
#   doi:10.1109/ISSCC.2014.6757323
# - E. Strubell, A. Ganesh, A. McCallum (2019). *Energy and Policy Considerations for Deep Learning in NLP.*
#   arXiv:1906.02243
# - Y. LeCun et al. (1998). *Gradient-based learning applied to document recognition.* doi:10.1109/5.726791
# - H. Xiao, K. Rasul, R. Vollgraf (2017). *Fashion-MNIST.* arXiv:1708.07747
