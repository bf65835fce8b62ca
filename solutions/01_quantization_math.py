# %% [markdown]
# # 01 · The mathematics of quantization
#
# **The idea in two sentences.** A trained network stores every weight with 32 bits, although a ruler with 256 marks, or
# even 16, measures it well enough. Quantization chooses the ruler, writes down the number of the nearest mark, and
# computes with those small whole numbers.
#
# After this lesson you can
#
# - choose scale and zero point for any range of real numbers, and say what the rounding costs in decibels,
# - decide between one scale per tensor, per channel or per group, and between clipping and rounding,
# - run a layer with integers alone, as a microcontroller does,
# - write a network into a file more than seven times smaller, read it back, and prove that it still works.
#
# **Why it matters.** Horowitz (2014) gives energies in a 45 nm chip: a 32-bit floating-point multiplication takes 3.7
# pJ, an 8-bit integer one 0.2 pJ, and fetching 32 bits from DRAM 640 pJ. Most of the cost of a large model is moving
# its weights, so one 32-bit weight costs about as much as eight of 4 bits.
#
# **What you need:** PyTorch and linear algebra; from [lesson 00](../00_measure_first/00_measure_first.ipynb) bytes on
# disk (section 2) and ratios taken in turns (section 5). Plan two to three hours; each exercise says what it costs. Run
# the cells from the top, replace each `raise NotImplementedError()`, and run the test below it: it tells you what it
# expected.

# %% setup
import json
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, measure, models, plot, widgets
from bonsai.testing import Clauses, check, check_errors, check_inputs, expect, fresh, from_scratch, probe, record, require
from bonsai.verdict import verdict
import checks01
import lesson01
from checks01 import SYMPTOMS

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you. Everything else in torch and numpy is allowed.
FORBIDDEN = [
    "torch.quantize_per_tensor", "torch.quantize_per_tensor_dynamic", "torch.quantize_per_channel",
    "torch.fake_quantize_*", "torch.ao", "torch.quantization", "torchao", "torch.Tensor.dequantize", "torch.dequantize",
]

@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)

# %% [markdown]
# ## 1. Numbers with fewer bits
#
# Every format spends its bits on a sign, an exponent (how far the numbers reach) and a mantissa (how finely they
# divide). BF16 keeps the reach of FP32 and gives up precision; FP16 gives up reach and keeps three more bits of
# precision than BF16. FP8 comes as E4M3 for weights and activations (what layers hand on) and E5M2 for gradients
# (Micikevicius et al. 2022). Integers have no exponent. NF4 (Dettmers et al. 2023) is a table of 16 values placed where
# normally distributed weights are frequent.

# %%
lesson01.draw_formats()

# %% [markdown]
# *Picture: stacked bars of sign, exponent and mantissa bits for eight formats; beside them number lines with every
# value of the five smallest. Floating-point marks crowd around zero, integer marks are evenly spaced.*
#
# So a floating-point format has the same *relative* precision everywhere, an integer format the same *absolute*
# precision. In numbers:

# %%
print("format             largest   smallest step above 1")
for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
    info = torch.finfo(dtype)
    print(f"{str(dtype)[6:]:14} {info.max:10.4g}   {info.eps:.3g}")

# %% [markdown]
# This lesson is about integers, which cheap hardware computes with. Our patient is LeNet-300-100, three linear layers
# trained on Fashion-MNIST.

# %%
model = models.load("lenet_300_100")
fp32_state = model.state_dict()
weights = fp32_state["1.weight"]  # the first layer, [300, 784]
val_x, val_y = data.load("validation")
print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {measure.size_bytes(fp32_state):,} bytes on disk")
print(f"first layer: smallest {weights.min():.3f}, largest {weights.max():.3f}, standard deviation {weights.std():.3f}")
print(f"accuracy on the validation images: {measure.accuracy(model, val_x, val_y):.2f} %")

# %% [markdown]
# ## 2. A ruler for real numbers
#
# A ruler has two free choices: the distance between two marks, the **scale** $s$, and which mark stands at zero, the
# **zero point** $z$. The integer $q$ under a mark is its **code**, and the mark stands at
#
# $$x = s\,(q - z).$$
#
# Codes $q_{min}$ to $q_{max}$ shall cover the range from $x_{min}$ to $x_{max}$. There are $q_{max}-q_{min}$ *steps*
# between the codes (one fewer than there are codes), so
#
# $$s = \frac{x_{max}-x_{min}}{q_{max}-q_{min}}, \qquad z = \mathrm{round}\!\left(q_{min} - \frac{x_{min}}{s}\right).$$
#
# One condition comes first: **zero must be a mark**. Networks are full of exact zeros (padding, ReLU, pruned weights),
# and a zero that comes back as 0.003 adds up. So the range is first widened to hold 0 (Jacob et al. 2018, section 2.1).

# %% [markdown]
# ### Exercise 1 · `affine_qparams`
#
# Compute scale and zero point.
#
# <details><summary>Hint 1, a nudge</summary>Widen the range first: what are the new ends if both old ends were
# positive?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse what is no range, and codes that are none. Pull the ends
# out until 0 lies between them, and take care of a range that is then empty. Else apply the two formulas, and hold the
# zero point within the codes.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>low, high = min(x_min, 0.0), max(x_max, 0.0)</code>; if they
# are equal there is nothing to divide by. <code>round</code> of a Python float returns an int; clamp it with
# <code>min</code> and <code>max</code>.</details>

# %% exercise="affine_qparams" minutes=10 difficulty=2
def affine_qparams(x_min: float, x_max: float, qmin: int, qmax: int) -> tuple[float, int]:
    """Scale and zero point that map the range [x_min, x_max] to the codes qmin..qmax.

    The range is widened to hold 0. If it is then empty (both ends 0): (1.0, 0 clamped to qmin..qmax).

    Returns:
        scale (float, > 0) and zero point (int, qmin <= zero_point <= qmax).

    Raises:
        ValueError: x_min > x_max, an end that is not finite, or qmin >= qmax.

    >>> affine_qparams(-1.0, 3.0, 0, 255)      # 4 / 255 and round(63.75)
    (0.01568627450980392, 64)

    Source: Jacob et al. 2018, arXiv:1712.05877, section 2.1.
    """
    ### BEGIN SOLUTION
    if not (math.isfinite(x_min) and math.isfinite(x_max)) or x_min > x_max or qmin >= qmax:
        raise ValueError(f"no range from {x_min} to {x_max}, or no codes from {qmin} to {qmax}")
    low, high = min(x_min, 0.0), max(x_max, 0.0)
    if low == high:
        return 1.0, min(max(0, qmin), qmax)
    scale = (high - low) / (qmax - qmin)
    return scale, min(max(round(qmin - low / scale), qmin), qmax)
    ### END SOLUTION

# %% test="affine_qparams" points=4
# Checked here: six ranges, some without 0 and one empty; ends or codes that make no range.
# Hidden tests: 60 random ranges and code ranges, ends that are infinite or nan.
from_scratch(affine_qparams, FORBIDDEN)
check(
    affine_qparams,
    [
        (-1.0, 3.0, 0, 255),
        (0.5, 2.0, 0, 255),
        (-3.0, -1.0, -128, 127),
        (5.0, 5.0, 0, 255),
        (0.0, 0.0, 0, 255),
        (-1.0, 3.0, -128, 127),
    ],
    [(4 / 255, 64), (2 / 255, 0), (3 / 255, 127), (5 / 255, 0), (1.0, 0), (4 / 255, -64)],
    checks01.AFFINE_QPARAMS_MISTAKES,
    SYMPTOMS["affine_qparams"],
    tol=1e-6,
)  # arithmetic in float32 is exact enough
check_errors(ValueError, affine_qparams, (2.0, 1.0, 0, 255), (0.0, math.inf, 0, 255), (0.0, 1.0, 7, 7))

### BEGIN HIDDEN TESTS
def _right(a, b, lo, hi, more=0, whole=round):
    a, b = min(a, 0.0), max(b, 0.0)
    scale = (b - a) / (hi - lo + more) or 1.0
    return scale, min(max(whole(lo - a / scale) if a < b else 0, lo), hi)

_rng = torch.Generator().manual_seed(11)
_cases = [
    (-3.0, -1.0, -128, 127),
    (1.0, 5.0, -8, 7),
    (-7.0, -7.0, 0, 15),
    (0.0, 6.0, 0, 15),
    (-1e-6, 1e-6, 0, 254),
    (-4e4, 2e4, -512, 511),
    (0.0, 0.0, 5, 9),
    (0.0, 0.0, -9, -5),
]
while len(_cases) < 60:
    _a, _b = sorted((3 * torch.randn(2, generator=_rng)).tolist())
    _lo, _hi = [(0, 255), (-128, 127), (-8, 7), (0, 3)][len(_cases) % 4]
    if (
        abs((_lo - min(_a, 0) / _right(_a, _b, _lo, _hi)[0]) % 1 - 0.5) > 1e-3
    ):  # at a tie both neighbours would be right
        _cases.append((_a, _b, _lo, _hi))
check(
    affine_qparams,
    _cases,
    _right,
    {
        checks01.STEPS: lambda *c: _right(*c, more=1),
        checks01.QMIN: lambda *c: _right(*c, whole=lambda z: round(z - c[2])),
        checks01.CUT: (lambda *c: _right(*c, whole=int), lambda *c: _right(*c, whole=math.floor)),
    },
    SYMPTOMS["affine_qparams"],
    tol=1e-6,
)
check_errors(
    ValueError,
    affine_qparams,
    (-math.inf, 0.0, 0, 255),
    (math.nan, 1.0, 0, 255),
    (0.0, math.nan, 0, 255),
    (0.0, 1.0, 9, 3),
    (-1.0, -2.0, 0, 3),
)
### END HIDDEN TESTS

# %% [markdown]
# Your ruler for −1 … 3 with codes 0 to 7. The red points are real numbers.

# %%
scale, zero_point = affine_qparams(-1.0, 3.0, 0, 7)
codes = torch.arange(8)
marks = (codes - zero_point) * scale
numbers = torch.tensor([-0.9, 0.0, 0.35, 1.6, 2.2])
nearest = marks[(numbers[:, None] - marks).abs().argmin(dim=1)]
print(f"scale {scale:.4f}, zero point {zero_point}: the marks reach from {marks[0]:.3f} to {marks[-1]:.3f}")
lesson01.draw_ruler(marks, codes, numbers, nearest)

# %% [markdown]
# *Picture: a line with eight labelled marks; arrows lead from five real numbers to the nearest mark, 0 to itself.*
#
# Rounding the zero point moved the ruler a little: that is the price of a zero that is exact.
#
# ## 3. There and back
#
# To **quantize** is to find the code of the nearest mark; numbers beyond the ruler go to its last mark (they
# **saturate**):
#
# $$q = \mathrm{clamp}\bigl(\mathrm{round}(x / s) + z,\; q_{min},\; q_{max}\bigr).$$
#
# Clamp *after* the zero point is added, since $q_{min}$ and $q_{max}$ bound the code itself, and *before* you make the
# numbers narrow: a cast of 200 to eight signed bits wraps it to −56.

# %% [markdown]
# ### Exercise 2 · `quantize`
#
# Turn a tensor into integer codes.
#
# <details><summary>Hint 1, a nudge</summary>The formula is one line of torch; the codes stay float until its
# end.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Divide, round (<code>torch.round</code> takes ties to even),
# add the zero point, clamp; the type changes last.</details>
#
# <details><summary>Hint 3, the key lines</summary>
# <code>torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax)</code>, then <code>torch.int32</code>, which holds
# any code.</details>

# %% exercise="quantize" minutes=8 difficulty=1
def quantize(x: torch.Tensor, scale, zero_point, qmin: int, qmax: int) -> torch.Tensor:
    """Integer codes clamp(round(x / scale) + zero_point, qmin, qmax) of x; ties go to the even neighbour.

    Args:
        x: float32, any shape; ±inf saturates. It is not changed.
        scale, zero_point: numbers, or tensors that broadcast with x as they are.

    Returns:
        codes of an integer dtype that holds qmin..qmax, shape of x (broadcast with scale).

    >>> quantize(torch.tensor([-1.0, 0.3, 100.0]), 0.5, 3, 0, 15)
    tensor([ 1,  4, 15], dtype=torch.int32)

    Source: Jacob et al. 2018, arXiv:1712.05877, equation 1 solved for q.
    """
    ### BEGIN SOLUTION
    return torch.clamp(torch.round(x / scale) + zero_point, qmin, qmax).to(torch.int32)
    ### END SOLUTION

# %% test="quantize" points=4
# Checked here: five small tensors: codes out of range, ties, wide and unsigned codes; the input stays as it is.
# Hidden tests: random tensors of several shapes, code ranges and scales, ties.
from_scratch(quantize, FORBIDDEN)
_tensor = torch.tensor
check(
    quantize,
    [
        (_tensor([-300.0, 100.0, 200.0]), 1.0, 0, -128, 127),
        (_tensor([-1.0, -0.4, 0.2, 0.3, 0.9, 10.0]), 0.5, 3, 0, 15),
        (_tensor([90.0, 200.0]), 1.0, 10, 0, 255),
        (_tensor([-700.0, 300.0]), 1.0, 0, -1000, 1000),
        (_tensor([0.25, 0.75, 1.25]), 0.5, 1, 0, 15),
    ],
    [
        _tensor([-128, 100, 127]),
        _tensor([1, 2, 3, 4, 5, 15]),
        _tensor([100, 210]),
        _tensor([-700, 300]),
        _tensor([1, 3, 3]),
    ],
    checks01.QUANTIZE_MISTAKES,
    SYMPTOMS["quantize"],
)
check_inputs(inputs_after, quantize, _tensor([0.3, 9.9]), 0.5, 3, 0, 15)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(12)
_draw = lambda s: (
    (torch.randint(-400, 400, (200,), generator=_rng) + 0.8 * torch.rand(200, generator=_rng) - 0.4) * s
)  # no ties
_settings = [
    (1.0, 0, -128, 127),
    (0.25, 3, 0, 15),
    (0.125, -5, -128, 127),
    (0.5, 128, 0, 255),
    (1.0, 0, -1000, 1000),
    (2.0**-8, 1, -8, 7),
]
_cases = [(_draw(s), s, *rest) for s, *rest in _settings] + [
    (_tensor([[math.inf, 1e30], [-math.inf, -7e9]]), _tensor([[0.5], [2.0]]), _tensor([[3], [1]]), -128, 127),
    (_tensor([[1.0, 2.0], [4.0, 8.0]]), _tensor([1.0, 2.0]), 0, -128, 127),
    (_tensor([-1.0, 7.0]), _tensor(0.5), _tensor(2), 0, 15),
    (_tensor([-0.5, 0.5, 1.5, 2.5]), 1.0, 0, -8, 7),
    (_tensor([-1.0, 1.0, 3.0]), 2.0, 5, 0, 15),
]
_codes = lambda x, s, z, lo, hi: ((x.double() / s).round() + z).clamp(lo, hi).long()
check(
    quantize,
    _cases,
    _codes,
    {
        checks01.CLAMP: lambda x, s, z, lo, hi: _codes(x, s, z, -(2**40), 2**40),
        checks01.EARLY: lambda x, s, z, lo, hi: _codes(x, s, 0, lo, hi) + z,
        checks01.LATE: lambda x, s, z, lo, hi: (x / s + z).round().clamp(lo, hi).long(),
        checks01.AWAY: lambda x, s, z, lo, hi: ((x / s + 0.5).floor() + z).clamp(lo, hi).long(),
    },
    SYMPTOMS["quantize"],
)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · `dequantize`
#
# The way back: $\hat x = s\,(q - z)$. Codes often arrive as `uint8`, whose arithmetic knows no negative numbers:
# $0 - 3$ is 253.
#
# <details><summary>Hint 1, a nudge</summary>Which dtype holds both 0 − 3 and a fraction?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Turn the codes into float32, then subtract, then
# multiply.</details>
#
# <details><summary>Hint 3, the key line</summary><code>(q.to(torch.float32) - zero_point) * scale</code></details>

# %% exercise="dequantize" minutes=5 difficulty=1
def dequantize(q: torch.Tensor, scale, zero_point) -> torch.Tensor:
    """Real values (q - zero_point) * scale of integer codes, float32.

    Args:
        q: codes of any integer dtype, any shape.
        scale, zero_point: numbers, or tensors that broadcast with q.

    >>> dequantize(torch.tensor([0, 3, 255], dtype=torch.uint8), 0.5, 3)
    tensor([ -1.5000,   0.0000, 126.0000])

    Source: Jacob et al. 2018, arXiv:1712.05877, equation 1.
    """
    ### BEGIN SOLUTION
    return ((q.to(torch.float32) - zero_point) * scale).to(torch.float32)
    ### END SOLUTION

# %% test="dequantize" points=3
# Checked here: unsigned and signed codes, the dtype of the result; the input stays as it is.
# Hidden tests: codes of five integer types and other shapes.
from_scratch(dequantize, FORBIDDEN)
_tensor = torch.tensor
_codes = _tensor([0, 3, 255], dtype=torch.uint8)
check(
    dequantize,
    [(_codes, 0.5, 3), (_tensor([-128, 127], dtype=torch.int8), 0.25, 127)],
    [_tensor([-1.5, 0.0, 126.0]), _tensor([-63.75, 0.0])],
    {},
    SYMPTOMS["dequantize"],
)
expect(str(dequantize(_codes, 0.5, 3).dtype), "torch.float32", "the dtype of dequantize", checks01.DEQUANTIZE_DTYPE)
check_inputs(inputs_after, dequantize, _tensor([1, 2]), 0.5, 1)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(13)
_cases = []
for _dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
    _low, _high = max(torch.iinfo(_dtype).min, -2000), min(torch.iinfo(_dtype).max, 2000)
    _cases.append((torch.randint(_low, _high + 1, (40,), generator=_rng).to(_dtype), 0.375, max(_low, -128) + 200))
_cases += [
    (_tensor([[0, 1], [2, 3]]), _tensor([[0.5], [2.0]]), _tensor([[1], [2]])),
    (_tensor([[9, -7]], dtype=torch.int8), _tensor([0.5, 2.0]), _tensor([-1, 3])),
    (_tensor(7), 2.0, 0),
]
check(dequantize, _cases, lambda q, s, z: ((q.double() - z) * s).float(), {}, SYMPTOMS["dequantize"], tol=1e-6)
_dtypes = [str(dequantize(*c).dtype) for c in _cases]
expect(_dtypes, ["torch.float32"] * 8, "the dtype of dequantize", checks01.DEQUANTIZE_DTYPE)
### END HIDDEN TESTS

# %% [markdown]
# There and back: the staircase, and the error that it leaves.

# %%
x = torch.linspace(-1.6, 3.6, 600)
x_hat = dequantize(quantize(x, scale, zero_point, 0, 7), scale, zero_point)
inside = (x >= marks[0]) & (x <= marks[-1])
print(f"largest error inside the range {(x_hat - x)[inside].abs().max():.4f}, half a step {scale / 2:.4f}")
lesson01.draw_round_trip(x, x_hat, scale)

# %% [markdown]
# *Picture: left, a staircase of eight steps around the diagonal that is flat outside the range; right, the error, a
# sawtooth between plus and minus half a step that grows without bound at both ends.*
#
# ## 4. What rounding costs
#
# If the numbers fall anywhere between two marks with equal probability, the error is spread evenly over one step, and
# its mean square is
#
# $$\frac{1}{s}\int_{-s/2}^{s/2} e^2\,de = \frac{s^2}{12}.$$
#
# Compared with the signal itself, in decibels, this is the **signal-to-quantization-noise ratio**:
#
# $$\mathrm{SQNR} = 10\,\log_{10}\frac{\sum x^2}{\sum (x-\hat x)^2}\ \text{dB}.$$
#
# One more bit halves the step, so the noise power falls to a quarter: $10\log_{10}4 \approx 6.02$ dB (a little more,
# since $b$ bits make $2^b-1$ steps). Remember six decibels a bit.

# %% [markdown]
# ### Exercise 4 · `sqnr_db`
#
# <details><summary>Hint 1, a nudge</summary>Sum first, divide once. Powers take 10 log10; amplitudes would take
# 20.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Look at the noise first, then at the signal:
# <code>math.log10</code> does not accept 0.</details>
#
# <details><summary>Hint 3, the key line</summary>
# <code>noise = (x.double() - x_hat.double()).square().sum().item()</code>, the signal likewise, and then
# <code>10 * math.log10(signal / noise)</code>.</details>

# %% exercise="sqnr_db" minutes=8 difficulty=1
def sqnr_db(x: torch.Tensor, x_hat: torch.Tensor) -> float:
    """Signal-to-quantization-noise ratio 10 log10(sum x² / sum (x - x_hat)²) in dB, a Python float.

    Args:
        x, x_hat: float32 of equal shape. Identical tensors give inf; a zero signal with noise gives -inf.

    >>> round(sqnr_db(torch.tensor([3.0, 4.0]), torch.tensor([3.3, 4.4])), 3)    # 25 / 0.25 = 100
    20.0
    """
    ### BEGIN SOLUTION
    signal, noise = x.double().square().sum().item(), (x.double() - x_hat.double()).square().sum().item()
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
    ### END SOLUTION

# %% test="sqnr_db" points=3
# Checked here: a small matrix, no noise, no signal; the inputs stay as they are.
# Hidden tests: random signals of several shapes and sizes of noise.
from_scratch(sqnr_db, FORBIDDEN)
_tensor = torch.tensor
check(
    sqnr_db,
    [
        (_tensor([[3.0, 4.0], [1.0, 2.0]]), _tensor([[3.1, 4.3], [1.1, 2.4]])),
        (torch.ones(3), torch.ones(3)),
        (torch.zeros(3), torch.ones(3)),
    ],
    [20.45757, math.inf, -math.inf],
    checks01.SQNR_DB_MISTAKES,
    SYMPTOMS["sqnr_db"],
    tol=1e-4,
)  # sums in float32 are good to about 1e-6
check_inputs(inputs_after, sqnr_db, _tensor([3.0, 4.0]), _tensor([3.1, 4.3]))
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(14)
_cases = [
    (a := torch.randn(s, generator=_rng) * 3, a + torch.randn(s, generator=_rng) * e)
    for s, e in (((4, 6), 0.1), ((50,), 1.0), ((4, 5, 6), 1.0), ((1,), 1e-3), ((300, 2), 10.0))
]
_cases += [
    (torch.zeros(2, 2), torch.zeros(2, 2)),
    (torch.zeros(2), _tensor([0.0, -1.0])),
    (_tensor([0.0, 2.0]), _tensor([0.0, 1.5])),
    (_tensor([1.0, 2.0]), torch.zeros(2)),
]
_sums = lambda x, y, *dim: (x.double().square().sum(*dim), (x.double() - y.double()).square().sum(*dim))

def _db(x, y, factor=10, log=math.log10):
    signal, noise = _sums(x, y)
    return math.inf if noise == 0 else factor * log(signal / noise) if signal > 0 else -math.inf

def _ratios(x, y, *dim):
    signal, noise = _sums(x[None], y[None], *dim)
    return signal / noise

check(
    sqnr_db,
    _cases,
    _db,
    {
        checks01.TWENTY: lambda x, y: _db(x, y, factor=20),
        checks01.NATURAL: lambda x, y: _db(x, y, log=math.log),
        checks01.UPSIDE: lambda x, y: -_db(x, y),
        checks01.VARIANCE: lambda x, y: _db(x - x.mean(), x - x.mean() - (x - y - (x - y).mean())),
        checks01.MEAN: (
            lambda x, y: (10 * _ratios(x, y, 0).mean().log10()).item(),
            lambda x, y: (10 * _ratios(x, y, 0).log10()).mean().item(),
            lambda x, y: (10 * _ratios(x, y, -1).mean().log10()).item(),
            lambda x, y: (10 * _ratios(x, y, -1).log10()).mean().item(),
            lambda x, y: (20 * _ratios(x, y, 0).sqrt().mean().log10()).item(),
            lambda x, y: (10 * _ratios(x, y, 0).sum().log10()).item(),
        ),
    },
    SYMPTOMS["sqnr_db"],
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# Do six decibels a bit hold? Evenly spread and normally distributed numbers, and the weights of our first layer, each
# with its own range:

# %%
def round_trip(t, bits):
    scale, zero_point = affine_qparams(t.min().item(), t.max().item(), 0, 2**bits - 1)
    return dequantize(quantize(t, scale, zero_point, 0, 2**bits - 1), scale, zero_point)

torch.manual_seed(1)
signals = {"evenly spread": torch.rand(20_000) * 2 - 1, "normal": torch.randn(20_000), "weights of layer 1": weights}
bit_widths = list(range(2, 13))
curves = {name: [sqnr_db(t, round_trip(t, b)) for b in bit_widths] for name, t in signals.items()}
for name, db in curves.items():
    print(f"{name:20} 4 bits {db[2]:5.1f} dB   8 bits {db[6]:5.1f} dB   gain per bit {(db[-1] - db[2]) / 8:.2f} dB")
lesson01.draw_bits_against_error(bit_widths, curves)

# %% [markdown]
# *Picture: SQNR over bits, three nearly parallel lines with a slope of six decibels a bit; evenly spread numbers on
# top, the real weights lowest.*
#
# The offset differs, since a few large values stretch the ruler, and all the small ones pay for it with a coarse step.
# The next sections deal with that.
#
# ## 5. More rulers: per tensor, per channel, per group
#
# Weights lie around zero, so let the zero point be 0. This is **symmetric** quantization: codes $-Q \ldots Q$ with
# $Q = 2^{bits-1}-1$ and one number to choose,
#
# $$s = \frac{\max|x|}{Q}.$$
#
# (For 8 bits that is −127 … 127; −128 is left unused.) One scale for a whole tensor is a compromise between its rows. A
# scale for each output channel costs 4 bytes a row and ends that compromise.

# %% [markdown]
# ### Exercise 5 · `symmetric_scale`
#
# <details><summary>Hint 1, a nudge</summary>Take absolute values, then the maximum over every axis except
# <code>axis</code>.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse fewer than 2 bits. Bring the kept axis to the front and
# flatten the rest, so that each slice is one row; without an axis all values are one slice. Mind the slices of
# zeros.</details>
#
# <details><summary>Hint 3, the key lines</summary>
# <code>x.abs().movedim(axis, 0).reshape(x.shape[axis], -1).amax(dim=1)</code> gives one maximum a slice;
# <code>torch.where</code> puts 1.0 where it is 0.</details>

# %% exercise="symmetric_scale" minutes=10 difficulty=2
def symmetric_scale(x: torch.Tensor, bits: int, axis: int | None = None) -> torch.Tensor:
    """Scale max|x| / Q of symmetric quantization, Q = 2**(bits-1) - 1.

    Args:
        x: float32, any shape.
        axis: None for one scale for the whole tensor, else the axis that keeps its own scales (may be negative).

    Returns:
        float32, 0-d for axis=None, else 1-d with one scale for each index along `axis`. All-zero slices give 1.0.

    Raises:
        ValueError: bits < 2.

    >>> symmetric_scale(torch.tensor([[1.0, -12.7], [0.0, 0.0]]), 8, axis=0)
    tensor([0.1000, 1.0000])

    Source: Krishnamoorthi 2018, arXiv:1806.08342, section 2.2.
    """
    ### BEGIN SOLUTION
    if bits < 2:
        raise ValueError(f"{bits} bits leave no codes but 0: at least 2 are needed")
    largest = x.abs().amax() if axis is None else x.abs().movedim(axis, 0).reshape(x.shape[axis], -1).amax(dim=1)
    return torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), torch.ones(()))
    ### END SOLUTION

# %% test="symmetric_scale" points=3
# Checked here: a scale for the tensor, for rows and for columns, slices of zeros, too few bits.
# Hidden tests: tensors of up to four axes, negative axes, other bits.
from_scratch(symmetric_scale, FORBIDDEN)
_weights, _tensor = torch.tensor([[1.0, -3.0, 5.0], [0.5, 2.0, 0.0], [0.25, 0.0, 0.0]]), torch.tensor
check(
    symmetric_scale,
    [
        (-_weights, 8),
        (_weights, 4, 0),
        (_weights, 4, -1),
        (_tensor([[0.0, 4.0, -7.0], [0.0, 0.0, 0.0]]), 4, 1),
        (torch.zeros(2, 2), 4),
    ],
    [_tensor(5 / 127), _tensor([5, 2, 0.25]) / 7, _tensor([1.0, 3, 5]) / 7, _tensor([1.0, 4 / 7, 1.0]), _tensor(1.0)],
    checks01.SYMMETRIC_SCALE_MISTAKES,
    SYMPTOMS["symmetric_scale"],
    tol=1e-6,
)
check_errors(ValueError, symmetric_scale, (_weights, 1))
check_inputs(inputs_after, symmetric_scale, _weights, 4, 0)

### BEGIN HIDDEN TESTS
def _scales(x, bits, axis=None, q=None, size=abs):
    slices = [x] if axis is None else list(x.unbind(axis))
    scales = _tensor([max(size(v) for v in t.flatten().tolist()) / (q or 2 ** (bits - 1) - 1) or 1.0 for t in slices])
    return scales[0] if axis is None else scales

_wide = torch.randn(4, 3, 2, 5, generator=torch.Generator().manual_seed(15)) - 0.8  # mostly negative
_wide[2] = 0
_square = _tensor([[1.0, 20.0], [3.0, -4.0]])
check(
    symmetric_scale,
    [
        (_wide, 8),
        (_square, 2, 0),
        (_square, 3, -1),
        (_square, 5, -2),
        (_wide, 4, 1),
        (_wide, 3, -1),
        (_wide, 2, -3),
        (_wide, 16, 2),
        (_wide, 8, 0),
        (_wide, 5, -4),
        (torch.zeros(3), 8),
        (_tensor(-2.0), 2),
    ],
    _scales,
    {
        checks01.LEVELS: lambda x, b, a=None: _scales(x, b, a, q=2 ** (b - 1)),
        checks01.SIGN: (
            lambda x, b, a=None: _scales(x, b, a, size=float),
            lambda x, b, a=None: _scales(x, b, a, size=float).abs(),
        ),
        checks01.AXIS: lambda x, b, a=None: _scales(x, b, None if a is None else 1 - a % 2),
    },
    SYMPTOMS["symmetric_scale"],
    tol=1e-6,
)
check_errors(ValueError, symmetric_scale, (_wide, 0, 0), (_wide, 1, 1))
### END HIDDEN TESTS

# %% [markdown]
# What a scale for each row is worth:

# %%
def symmetric_round_trip(w, bits, axis=None):
    q = 2 ** (bits - 1) - 1
    scale = symmetric_scale(w, bits, axis)
    scale = scale if axis is None else scale[:, None]
    return dequantize(quantize(w, scale, 0, -q, q), scale, 0)

for bits in (8, 4, 3):
    whole, rows = (sqnr_db(weights, symmetric_round_trip(weights, bits, axis)) for axis in (None, 0))
    print(f"{bits} bits: one scale {whole:5.1f} dB, one scale a row {rows:5.1f} dB")

# %% [markdown]
# One large weight among the 784 of a row still sets the step for all of them. So 4-bit formats cut each row into
# **groups** of 32, 64 or 128 neighbours along the input axis, and store one scale a group. In a file, a group of 64
# with a 16-bit scale costs $4 + 16/64 = 4.25$ bits a weight.

# %% [markdown]
# ### Exercise 6 · `group_quantize`
#
# <details><summary>Hint 1, a nudge</summary>A loop over <code>range(0, w.shape[1], group_size)</code> is fine: the last
# slice is shorter by itself.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>For each run of columns take one scale a row and quantize with
# it. Put the codes side by side again, and the scales into one column a run.</details>
#
# <details><summary>Hint 3, the key lines</summary>For each slice <code>w[:, i:i+group_size]</code>:
# <code>symmetric_scale(part, bits, axis=0)</code> and <code>quantize(part, scale[:, None], 0, -Q, Q)</code>; then
# <code>torch.cat(..., dim=1)</code> and <code>torch.stack(..., dim=1)</code>.</details>

# %% exercise="group_quantize" minutes=15 difficulty=3
def group_quantize(w: torch.Tensor, bits: int, group_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric quantization with one scale for each run of `group_size` weights along the input axis.

    Args:
        w: float32 `[out, in]`; the last group of a row may be shorter.
        bits: codes lie in -Q..Q, Q = 2**(bits-1) - 1.

    Returns:
        integer codes `[out, in]` and float32 scales `[out, ceil(in / group_size)]`, each scale max|group| / Q.

    Raises:
        ValueError: group_size < 1.

    >>> codes, scales = group_quantize(torch.tensor([[7.0, -1.0, 0.7]]), 4, 2)
    >>> codes.tolist(), [round(s, 3) for s in scales[0].tolist()]
    ([[7, -1, 7]], [1.0, 0.1])

    Source: Dettmers and Zettlemoyer 2023, arXiv:2212.09720 (blocks of weights).
    """
    ### BEGIN SOLUTION
    if group_size < 1:
        raise ValueError(f"a group holds at least one weight, not {group_size}")
    q = 2 ** (bits - 1) - 1
    codes, scales = [], []
    for start in range(0, w.shape[1], group_size):
        part = w[:, start : start + group_size]
        scale = symmetric_scale(part, bits, axis=0)
        codes.append(quantize(part, scale[:, None], 0, -q, q))
        scales.append(scale)
    return torch.cat(codes, dim=1), torch.stack(scales, dim=1)
    ### END SOLUTION

# %% test="group_quantize" points=4
# Checked here: codes and scales of two rows, with a shorter last group; a group of no size.
# Hidden tests: other shapes, bits and groups, a group of zeros.
from_scratch(group_quantize, FORBIDDEN)
_tensor = torch.tensor
_weights = _tensor([[7.0, -3.4, 1.0, 2.1, 4.0], [-14.0, 7.2, 0.4, 0.7, 3.5]])
_codes, _scales = _tensor([[7, -3, 3, 7, 7], [-7, 4, 4, 7, 7]]), _tensor([[1.0, 0.3, 4 / 7], [2.0, 0.1, 0.5]])
check(
    group_quantize,
    [(_weights[:, :4], 4, 2), (_weights, 4, 2)],
    [(_codes[:, :4], _scales[:, :2]), (_codes, _scales)],
    symptoms=SYMPTOMS["group_quantize"],
    tol=1e-6,
)
check_errors(ValueError, group_quantize, (_weights, 4, 0))
check_inputs(inputs_after, group_quantize, _weights, 4, 2)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(16)

def _made(out, size, bits, group):
    """Weights whose codes are known: (code + less than half) * scale, one full-range code in each group."""
    q = 2 ** (bits - 1) - 1
    codes = torch.randint(-q, q + 1, (out, size), generator=_rng)
    noise = torch.rand(out, size, generator=_rng) * 0.8 - 0.4
    scales = 2.0 ** torch.randint(-6, 3, (out, -(-size // group)), generator=_rng)
    codes[:, ::group] = -q
    noise[codes.abs() == q] = 0
    return (codes + noise) * scales.repeat_interleave(group, dim=1)[:, :size], codes, scales

_settings = [(4, 8, 4, 2), (5, 13, 4, 4), (3, 64, 8, 64), (4, 37, 2, 5), (2, 7, 3, 100), (6, 6, 4, 1), (4, 4, 5, 2)]
_all = [_made(*s) for s in _settings]
check(
    group_quantize,
    [(w, s[2], s[3]) for (w, _, _), s in zip(_all, _settings)],
    [(c, s) for _, c, s in _all],
    symptoms=SYMPTOMS["group_quantize"],
    tol=1e-6,
)
_some_codes, _some_scales = group_quantize(_tensor([[0.0, 0.0, 1.5, -3.0]]), 4, 2)
expect(_some_codes[:, :2], _tensor([[0, 0]]), "the codes of an all-zero group")
require(
    bool(_some_scales.isfinite().all()), "an all-zero group: expected a finite scale, yours is not (zero division)"
)
check_errors(ValueError, group_quantize, (_weights, 4, -3))
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Clip or round?
#
# A few large values can also be cut off. A smaller threshold $t$ makes the step $s = t/Q$ finer for everyone, and the
# few values beyond it wrong: rounding error falls and clipping error rises. Somewhere between lies the best threshold.

# %% [markdown]
# ### Exercise 7 · `mse_clip`
#
# Search a grid of thresholds for the one of least mean squared error.
#
# <details><summary>Hint 1, a nudge</summary>The largest threshold of the grid clips nothing. What is the grid when all
# values are 0?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Unless all is zero, try every threshold: quantize with its
# scale, turn back, and measure the mean squared error. Return the threshold of the smallest.</details>
#
# <details><summary>Hint 3, the key lines</summary>
# <code>(x - dequantize(quantize(x, t / Q, 0, -Q, Q), t / Q, 0)).square().mean()</code> for each threshold
# <code>t</code>; keep <code>t</code>, not the scale, of the smallest.</details>

# %% exercise="mse_clip" minutes=12 difficulty=2
def mse_clip(x: torch.Tensor, bits: int, steps: int = 100) -> float:
    """The threshold of least mean squared error for symmetric quantization of x.

    Candidates are max|x| * i / steps for i = 1..steps, each with scale threshold / Q and codes in -Q..Q,
    Q = 2**(bits-1) - 1. The error reached counts, to 1e-4 of the least. All-zero x gives 0.0.

    >>> mse_clip(torch.tensor([1.0, -1.0, 1.0]), 2)     # 0 error, and only at the largest threshold
    1.0

    Source: Choukroun et al. 2019, arXiv:1902.06822, section 3 (search for the scale of least error).
    """
    ### BEGIN SOLUTION
    largest, q = x.abs().max().item(), 2 ** (bits - 1) - 1
    if largest == 0:
        return 0.0
    thresholds = [largest * i / steps for i in range(1, steps + 1)]
    errors = [(x - dequantize(quantize(x, t / q, 0, -q, q), t / q, 0)).square().mean().item() for t in thresholds]
    return thresholds[errors.index(min(errors))]
    ### END SOLUTION

# %% test="mse_clip" points=4
# Checked here: six small tensors with the threshold of least error; the input stays as it is.
# Hidden tests: normal and skewed weights, few values, zeros, other bits and steps.
from_scratch(mse_clip, FORBIDDEN)
_small_cases = [
    (torch.cat([torch.linspace(-1, 1, 101), torch.tensor([4.0])]), 4, 20),
    (torch.tensor([1.0, -1.0, 1.0]), 2),
    (-torch.cat([torch.linspace(-1, 1, 101), torch.tensor([4.0])]), 4, 20),
    (torch.tensor([1.0] * 50 + [-5.0]), 2, 5),
    (torch.tensor([0.37] * 1000 + [-1.0]), 2),
    (torch.zeros(5), 4),
]
check(mse_clip, _small_cases, [3.2, 1.0, 3.2, 1.0, 0.37, 0.0], {}, SYMPTOMS["mse_clip"], tol=1e-5)
check_inputs(inputs_after, mse_clip, *_small_cases[0])

### BEGIN HIDDEN TESTS
def _best(x, bits, steps):
    q, top, errors = 2 ** (bits - 1) - 1, x.abs().max().item(), {}
    for t in (top * i / steps for i in range(1, steps + 1)):
        errors[t] = (
            (x.double() - (x.double() * q / t).round().clamp(-q, q) * t / q).square().mean().item() if t else 0.0
        )
    best, *others = sorted(errors, key=errors.get)
    assert not others or errors[others[0]] >= 1.001 * errors[best]  # the data leave no second threshold within 1e-4
    return best

_normal = torch.randn(4000, generator=torch.Generator().manual_seed(17))
check(
    mse_clip,
    [
        (_normal, 4, 15),
        (_normal**3, 3, 15),
        (_normal.view(40, 100).clamp(-1, 1), 2, 25),
        (_normal, 8, 20),
        (torch.cat([_normal, torch.tensor([60.0])]), 8, 40),
        (torch.tensor([-5.0, 5.0]), 2, 7),
        (-_normal.abs(), 3, 20),
        (torch.tensor([2.0] * 40 + [-6.0]), 2, 3),
        (_normal[:1], 5, 12),
        (torch.zeros(2, 3), 2, 1),
    ],
    _best,
    {},
    SYMPTOMS["mse_clip"],
    tol=1e-5,
)
### END HIDDEN TESTS

# %% [markdown]
# Move the sliders. The black marks under the histogram are the ruler; the red lines are the threshold. How does the
# best threshold move with the bits? The last choice hides one value of 8 among normal numbers: watch what it does to
# everyone else.

# %% tags=["nbval-ignore-output"]
def clipping(numbers="weights of layer 1", bits=4, clip=1.0):
    x = {"weights of layer 1": weights.flatten()[:20_000], "normal": signals["normal"],
         "normal and one 8.0": torch.cat([signals["normal"], torch.tensor([8.0])])}[numbers]
    q, largest = 2 ** (bits - 1) - 1, x.abs().max().item()
    back = lambda t: dequantize(quantize(x, t / q, 0, -q, q), t / q, 0)
    thresholds = [largest * i / 40 for i in range(2, 41)]
    errors = [(x - back(t)).square().mean().item() for t in thresholds]
    threshold = clip * largest
    fig = lesson01.draw_clipping(x, threshold / q, threshold, thresholds, errors)
    fig.suptitle(f"{bits} bits, threshold at {100 * clip:.0f} % of the largest: SQNR {sqnr_db(x, back(threshold)):.1f} dB")
    return fig

widgets.explore(clipping, numbers=["weights of layer 1", "normal", "normal and one 8.0"], bits=(2, 8, 4), clip=(0.05, 1.0, 0.6))

# %% [markdown]
# *Picture: left, a histogram on a logarithmic axis with marks and threshold; right, mean squared error over the
# threshold, a valley whose bottom lies inside the range.*

# %%
for bits in (2, 3, 4, 8):
    q, largest = 2 ** (bits - 1) - 1, weights.abs().max().item()
    best = mse_clip(weights, bits)
    db = [sqnr_db(weights, dequantize(quantize(weights, t / q, 0, -q, q), t / q, 0)) for t in (largest, best)]
    print(f"{bits} bits: no clipping {db[0]:5.1f} dB, best threshold {best / largest:.2f} of the largest: {db[1]:5.1f} dB")
codes, scales = group_quantize(weights, 4, 64)
grouped = dequantize(codes, scales.repeat_interleave(64, dim=1)[:, : weights.shape[1]], 0)
rows = symmetric_round_trip(weights, 4, axis=0)
print(f"4 bits, no clipping: one scale a row {sqnr_db(weights, rows):.1f} dB, groups of 64 {sqnr_db(weights, grouped):.1f} dB")

# %% [markdown]
# ## 7. Integers only
#
# So far we went back to floats before computing, which a microcontroller cannot. The derivation of Jacob et al. (2018)
# takes five steps. First, **what a layer computes**: $y = \sum_i x_i w_i + b$ for each output. Inputs are quantized
# with $(s_x, z_x)$, weights symmetrically with $s_w$:
#
# $$y \approx \sum_i s_x(q_{x,i} - z_x)\; s_w\,q_{w,i} + b.$$

# %%
layer = model[1]
flat = val_x[:500].flatten(1)
s_x, z_x = affine_qparams(flat.min().item(), flat.max().item(), 0, 255)
x_q = quantize(flat, s_x, z_x, 0, 255)
s_w = symmetric_scale(layer.weight.data, 8, axis=0)
w_q = quantize(layer.weight.data, s_w[:, None], 0, -127, 127)
print(f"input: scale {s_x:.5f}, zero point {z_x}; weight scales from {s_w.min():.6f} to {s_w.max():.6f}")

# %% [markdown]
# Second, **pull the scales out of the sum**. What remains inside are integers. If the bias is stored as the integer
# $b_q = \mathrm{round}\bigl(b/(s_x s_w)\bigr)$, it joins them:
#
# $$y \approx s_x s_w \underbrace{\Bigl(\sum_i (q_{x,i}-z_x)\,q_{w,i} + b_q\Bigr)}_{a,\ \text{32-bit accumulator}}.$$

# %%
b_q = torch.round(layer.bias.data / (s_x * s_w)).long()
accumulator = (x_q.long() - z_x) @ w_q.long().T + b_q
print(f"accumulators from {accumulator.min():,} to {accumulator.max():,}: within ±2**31 = {2**31:,}")
print(f"scaled back they differ from the float layer by {(accumulator * s_x * s_w - layer(flat)).abs().max():.4f}")
print(f"the largest output has a magnitude of {layer(flat).abs().max():.2f}")

# %% [markdown]
# Third, **requantize**. The next layer wants codes $q_y$ with its own $(s_y, z_y)$. Dividing by $s_y$ collects all
# scales in one number $M$ a channel:
#
# $$q_y = z_y + \mathrm{round}(M\,a), \qquad M = \frac{s_x s_w}{s_y}.$$

# %%
with torch.no_grad():
    y = F.relu(layer(flat))
s_y, z_y = affine_qparams(0.0, y.max().item(), 0, 255)
multipliers = s_x * s_w / s_y
print(f"M from {multipliers.min():.2e} to {multipliers.max():.2e}; all below 1: {bool((multipliers < 1).all())}")

# %% [markdown]
# Fourth, **make $M$ an integer, too**. Write it as a 31-bit integer and a shift,
#
# $$M \approx m_0 \cdot 2^{-(31+shift)}, \qquad 2^{30} \le m_0 < 2^{31},$$
#
# and multiplying by $M$ becomes an integer multiplication and a shift to the right. With $m_0$ in the upper half of its
# range, the relative error of $M$ is at most $2^{-31}$. ($M \ge 1$ would need a negative shift, and is refused.)

# %% [markdown]
# ### Exercise 8 · `fixed_point_multiplier`
#
# <details><summary>Hint 1, a nudge</summary><code>math.frexp(m)</code> gives (mantissa, exponent) with
# <code>m = mantissa * 2**exponent</code> and mantissa in 0.5 … 1. Which power of two turns the mantissa into
# m0?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse a multiplier that is not between 0 and 1. The mantissa
# gives the integer, the exponent the shift. Mind two edges: the integer may round up to 2**31, and then the shift may
# fall below 0.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>m0 = round(mantissa * 2**31)</code> and
# <code>shift = -exponent</code>. If m0 is 2**31, halve it and lower the shift by 1.</details>

# %% exercise="fixed_point_multiplier" minutes=12 difficulty=3
def fixed_point_multiplier(m: float) -> tuple[int, int]:
    """Integers (m0, shift) with m ≈ m0 * 2**-(31 + shift), 2**30 <= m0 < 2**31, shift >= 0.

    m0 is within 1 of the nearest integer. Where rounding would need shift -1 (m just below 1): (2**31 - 1, 0).

    Raises:
        ValueError: not 0 < m < 1.

    >>> fixed_point_multiplier(0.375)      # 0.75 * 2**-1
    (1610612736, 1)

    Source: Jacob et al. 2018, arXiv:1712.05877, section 2.2.
    """
    ### BEGIN SOLUTION
    if not 0 < m < 1:
        raise ValueError(f"the multiplier must lie between 0 and 1, not at {m}")
    mantissa, exponent = math.frexp(m)
    m0, shift = round(mantissa * 2**31), -exponent
    if m0 == 2**31:
        m0, shift = m0 // 2, shift - 1
    return (m0, shift) if shift >= 0 else (2**31 - 1, 0)
    ### END SOLUTION

# %% test="fixed_point_multiplier" points=3
# Checked here: eight multipliers, some next to a power of two; multipliers out of range.
# Hidden tests: 80 random multipliers, very small ones, and more of those next to a power of two.
from_scratch(fixed_point_multiplier, FORBIDDEN)
from fractions import Fraction

def _check_multiplier(m):
    """m0 * 2**-(31 + shift) must be m, with all 31 bits of m0 in use and m0 within 1 of the nearest integer."""
    got = fixed_point_multiplier(m)
    whole = isinstance(got, (tuple, list)) and len(got) == 2 and all(isinstance(v, (int, np.integer)) for v in got)
    require(whole, f"m = {m!r}: expected two ints (m0, shift), yours {got!r:.100}")
    m0, shift = map(int, got)
    too_large = "the mantissa was rounded up to 2**31, which needs 32 bits; halve it and lower the shift"
    require(m0 != 2**31, f"m = {m!r}: {too_large}")
    normal = f"expected 2**30 <= m0 < 2**31, yours {m0} with shift {shift}"
    require(2**30 <= m0 < 2**31, f"m = {m!r}: m0 is not normalised: {normal}")
    counts = f"it counts from 0 (m just below 1 gives (2**31 - 1, 0)), yours {(m0, shift)}"
    require(0 <= shift < 1100, f"m = {m!r}: the shift is wrong: {counts}")
    off = lambda extra: abs(m0 - Fraction(m) * 2 ** (31 + shift + extra))
    near = off(0) <= Fraction(3, 2) or (m > 0.9 and (m0, shift) == (2**31 - 1, 0))
    why = "the shift is wrong" if any(off(k) <= 2 for k in range(-32, 33)) else "m0 is not the nearest integer"
    if (m0, shift) == (2**31 - 1, 0):
        why = "the shift is wrong, perhaps its sign: (2**31 - 1, 0) is for m just below 1"
    value = float(m0 * Fraction(1, 2 ** (31 + shift)))
    said = f"expected m0 * 2**-(31 + shift) to be m, yours {(m0, shift)} is {value!r}: {why}"
    require(near, f"m = {m!r}: {said}")

for _multiplier in (0.5, 0.375, 0.25, 0.75, 2.0**-20, 0.3, 1 - 2.0**-40, 0.25 - 2.0**-50):
    _check_multiplier(_multiplier)
check_errors(ValueError, fixed_point_multiplier, (0.0,), (1.0,), (-0.5,), (math.nan,))
### BEGIN HIDDEN TESTS
_random = torch.rand(80, generator=torch.Generator().manual_seed(18), dtype=torch.float64)
for _multiplier in [
    *_random[:40].tolist(),
    *(2.0 ** -(30 * _random[40:])).tolist(),
    0.5 - 2.0**-40,
    2.0**-13 * (1 - 2.0**-45),
    1 - 2.0**-33,
    1 - 2.0**-53,
    0.5 + 2.0**-40,
    1e-30,
]:
    _check_multiplier(_multiplier)
check_errors(ValueError, fixed_point_multiplier, (1.5,), (-1e-9,), (math.inf,))
### END HIDDEN TESTS

# %% [markdown]
# Last, **round the product once**. $a\,m_0$ is an exact integer of up to 62 bits (a double has only 53). Dividing by
# $2^{31+shift}$ and rounding to the nearest, halves away from zero, is integer arithmetic as well: add half of the
# divisor to the magnitude, then shift.

# %% [markdown]
# ### Exercise 9 · `integer_linear`
#
# A whole linear layer without a single float.
#
# <details><summary>Hint 1, a nudge</summary>Widen everything to int64 before the subtraction. Once you have the
# accumulator, work with its sign and its magnitude.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Accumulator times m0; round and shift the magnitude as above,
# and give the sign back, so that both signs round alike. Add the output's zero point, clamp.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>product = accumulator * m0</code>;
# <code>total = 31 + shift</code>; <code>half = torch.ones_like(total) << (total - 1)</code>;
# <code>rounded = torch.sign(product) * ((product.abs() + half) >> total)</code>, with m0 and shift as int64
# tensors.</details>

# %% exercise="integer_linear" minutes=20 difficulty=4
def integer_linear(x_q, w_q, bias_q, x_zp: int, m0, shift, out_zp: int, qmin: int, qmax: int) -> torch.Tensor:
    """A linear layer on integer codes, with integer arithmetic alone.

    clamp(round(((x_q - x_zp) @ w_q.T + bias_q) * m0 * 2**-(31 + shift)) + out_zp, qmin, qmax), where the exact product is
    rounded once, half away from zero.

    Args:
        x_q: codes `[..., in]`, any integer dtype. w_q: codes `[out, in]`, any integer dtype, zero point 0.
        bias_q: integers `[out]`, or None.
        m0, shift: ints, or integer tensors `[out]` (one multiplier a channel); 0 <= shift <= 31.
            Accumulators stay below 2**31 in magnitude.

    Returns:
        integer codes `[..., out]`.

    >>> x, w = torch.tensor([[130, 126]]), torch.tensor([[1, 1], [2, -1]])
    >>> integer_linear(x, w, None, 128, 2**30, 0, 10, 0, 255)     # accumulators [0, 6], halved, plus 10
    tensor([[10, 13]])

    Source: Jacob et al. 2018, arXiv:1712.05877, section 2.2 and 2.4.
    """
    ### BEGIN SOLUTION
    accumulator = (x_q.long() - x_zp) @ w_q.long().T
    if bias_q is not None:
        accumulator = accumulator + bias_q.long()
    total = 31 + torch.as_tensor(shift).long()
    product = accumulator * torch.as_tensor(m0).long()
    half = torch.ones_like(total) << (total - 1)
    rounded = torch.sign(product) * ((product.abs() + half) >> total)
    return torch.clamp(rounded + out_zp, qmin, qmax)
    ### END SOLUTION

# %% test="integer_linear" points=5
# Checked here: sums too large for a float, zero points, halves, clamping, multipliers by channel; no floats.
# Hidden tests: random layers in several integer types, more ties and products next to a tie.
from_scratch(integer_linear, FORBIDDEN)
_tensor = torch.tensor
_largest = torch.full((1, 64), 127, dtype=torch.int8)
check(
    integer_linear,
    [
        (_tensor([[0]]), _tensor([[1]]), _tensor([2147483629]), 0, 1751894555, 0, 0, -(2**31), 2**31),
        (
            _tensor([[131, 127], [129, 125]]),
            _tensor([[1, 1], [2, -1]]),
            _tensor([1, 2]),
            128,
            2**30,
            1,
            10,
            0,
            255,
        ),  # sums [[3, 9], [-1, 7]], a quarter of them
        (_tensor([[-1], [-3], [1], [3]]), _tensor([[1]]), None, 0, 2**30, 0, 0, -128, 127),  # halves
        (_largest, _largest, None, -128, 2**30, 13, 0, -128, 127),
        (_tensor([[4], [8]]), _tensor([[1], [1]]), None, 0, _tensor([2**30, 2**30]), _tensor([0, 1]), 0, -128, 127),
    ],
    [
        _tensor([[1751894539]]),
        _tensor([[11, 12], [10, 12]]),
        _tensor([[-1], [-2], [1], [2]]),
        _tensor([[127]]),
        _tensor([[2, 1], [4, 2]]),
    ],
    checks01.INTEGER_LINEAR_MISTAKES,
    SYMPTOMS["integer_linear"],
)
_FLOATS = [
    "torch.Tensor.float",
    "torch.Tensor.double",
    "torch.Tensor.half",
    "torch.float*",
    "torch.double",
    "torch.half",
    "torch.bfloat16",
    "numpy.float*",
    "numpy.double",
    "numpy.longdouble",
]
from_scratch(integer_linear, _FLOATS)  # floats that happen to be exact
check_inputs(
    inputs_after,
    integer_linear,
    _tensor([[3, 4]]),
    _tensor([[1, 2]]),
    _tensor([5]),
    1,
    _tensor([2**30]),
    _tensor([1]),
    2,
    0,
    15,
)

### BEGIN HIDDEN TESTS
def _exact(x, w, b, zp, m0, shift, out_zp, qmin, qmax, rounding="away", by_row=False):
    """The same in Python's own integers."""
    rows = []
    for r, row in enumerate(x.reshape(-1, x.shape[-1]).tolist()):
        for o, ws in enumerate(w.tolist()):
            m, s = (int(t[r if by_row else o]) if isinstance(t, torch.Tensor) else t for t in (m0, shift))
            p, d = (sum((v - zp) * u for v, u in zip(row, ws)) + (0 if b is None else int(b[o]))) * m, 2 ** (31 + s)
            sign, once = (-1 if p < 0 else 1), (abs(p) + 2**30) // 2**31
            rounded = {
                "away": sign * ((abs(p) + d // 2) // d),
                "floor": p // d,
                "zero": sign * (abs(p) // d),
                "up": (p + d // 2) // d,
                "even": p // d + (2 * (p % d) > d or (2 * (p % d) == d and p // d % 2)),
                "twice": sign * ((once + 2**s // 2) // 2**s),
            }[rounding]
            rows.append(min(max(rounded + out_zp, qmin), qmax))
    return _tensor(rows).reshape(*x.shape[:-1], w.shape[0])

_way = lambda rounding: lambda *a: _exact(*a, rounding=rounding)
_rng = torch.Generator().manual_seed(19)
_ints = lambda low, high, shape, dtype=torch.int64: torch.randint(low, high, shape, generator=_rng).to(dtype)
_one = lambda *sums: (_tensor(sums)[:, None], _tensor([[1]]), None, 0)
_cases = [
    # a product of 62 bits just below a half, after an odd number: a double lands on the half, and all ways to round it go up
    (*_one(2147483445), 2057564382, 0, 0, -(2**31), 2**31),
    (*_one(-5, -3, -1, 1, 3, 5, 6, 10, -6), 2**30, 1, 0, -128, 127),
    (*_one(-5, -3, -1, 1, 3, 5), 2**30, 0, 0, -128, 127),
    (
        *_one(1, -1),
        2**31 - 8,
        1,
        0,
        -128,
        127,
    ),  # m0 / 2**32 is a little below 1/2; rounding after 31 bits gives 1, and its half rounds up
    (
        _ints(-9, 9, (4, 5)),
        _ints(-9, 9, (4, 5)),
        None,
        2,
        _ints(2**30, 2**31, (4,)),
        _tensor([0, 1, 2, 3]),
        0,
        -1000,
        1000,
    ),
    (
        _ints(-128, 128, (4, 70), torch.int8),
        _ints(-127, 128, (4, 70), torch.int8),
        None,
        -128,
        2**30 + 12345,
        9,
        -7,
        -128,
        127,
    ),
    (
        _ints(0, 256, (5, 9), torch.uint8),
        _ints(-127, 128, (4, 9), torch.int8),
        _ints(-5000, 5000, (4,)),
        128,
        _ints(2**30, 2**31, (4,)),
        _ints(6, 10, (4,)),
        3,
        0,
        255,
    ),
    (
        _ints(-8, 8, (2, 3, 6), torch.int32),
        _ints(-7, 8, (3, 6), torch.int16),
        _ints(-9, 9, (3,), torch.int32),
        -3,
        _ints(2**30, 2**31, (3,)),
        _ints(0, 3, (3,)),
        0,
        -8,
        7,
    ),
    (
        _ints(0, 200, (7,), torch.uint8),
        _ints(-127, 128, (2, 7), torch.int8),
        _ints(-99, 99, (2,)),
        40,
        2**31 - 1,
        31,
        5,
        0,
        255,
    ),
]
check(
    integer_linear,
    _cases,
    _exact,
    {
        checks01.DROP: lambda x, w, b, zp, *rest: _exact(x, w, b, 0, *rest),
        "The bias was dropped.": lambda x, w, b, *rest: _exact(x, w, None, *rest),
        checks01.FLOOR: (_way("floor"), _way("zero")),
        checks01.UP: _way("up"),
        checks01.EVEN: _way("even"),
        checks01.TWICE: _way("twice"),
        checks01.INTEGER_LINEAR_AXIS: lambda *a: _exact(*a, by_row=True),
    },
    SYMPTOMS["integer_linear"],
)
### END HIDDEN TESTS

# %% [markdown]
# Now the whole network: each layer's codes feed the next. ReLU costs nothing: its output range starts at 0, and the
# clamp does its work.
#
# <details><summary><b>Predict first.</b> Weights, inputs and outputs of three layers are rounded, and nothing is float
# in between. How many points does that cost?</summary>Less than one. The errors have both signs, and mostly cancel in
# sums of hundreds of products.</details>

# %%
def integer_network(images):
    """Codes of the logits of LeNet-300-100; between the first quantize and the last line there is no float."""
    codes, (scale, zero) = quantize(images.flatten(1), s_x, z_x, 0, 255), (s_x, z_x)
    real = val_x[:500].flatten(1)  # 500 validation images set the output ranges (lesson 02 is about this choice)
    for i in (1, 3, 5):
        w, b = model[i].weight.data, model[i].bias.data
        real = F.linear(real, w, b) if i == 5 else F.relu(F.linear(real, w, b))
        out_scale, out_zero = affine_qparams(real.min().item(), real.max().item(), 0, 255)
        w_scale = symmetric_scale(w, 8, axis=0)
        m0, shift = torch.tensor([fixed_point_multiplier(m) for m in (scale * w_scale / out_scale).tolist()]).T
        bias_q = torch.round(b / (scale * w_scale)).long()
        codes = integer_linear(codes, quantize(w, w_scale[:, None], 0, -127, 127), bias_q, zero, m0, shift, out_zero, 0, 255)
        scale, zero = out_scale, out_zero
    return codes

some_x, some_y = val_x[2000:4000], val_y[2000:4000]
print(f"float32:       {measure.accuracy(model, some_x, some_y):.2f} % of 2,000 validation images")
print(f"integers only: {measure.accuracy(integer_network, some_x, some_y):.2f} %")

# %% [markdown]
# ## 8. Into a file
#
# The smallest thing a file holds is a byte, so two codes of 4 bits must share one. The first goes into the low four
# bits (the low **nibble**), the second into the high four; negative codes are stored in two's complement, so −1 is
# `1111`.

# %% [markdown]
# ### Exercise 10 · `pack_int4` / `unpack_int4`
#
# <details><summary>Hint 1, a nudge</summary><code>codes & 15</code> keeps the low four bits; −2 becomes 14.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>There: check the range, keep four bits of each code, fill up to
# an even number, and put the second of each pair above the first. Back: interleave both halves of every byte, drop the
# filling, and give negative codes their sign back.</details>
#
# <details><summary>Hint 3, the key lines</summary>There: <code>codes[0::2] | codes[1::2] << 4</code>. Back:
# <code>low = packed & 15</code>, <code>high = packed >> 4</code>,
# <code>torch.stack([low, high], dim=1).flatten()</code>; codes above 7 stand for code − 16.</details>

# %% exercise="pack_int4" minutes=15 difficulty=2
def pack_int4(codes: torch.Tensor) -> torch.Tensor:
    """Two 4-bit codes in each byte, the first in the low nibble; an odd number is padded with 0.

    Args:
        codes: integers -8..7 of any integer dtype and shape, read flattened; may be empty.

    Returns:
        uint8 `[ceil(n / 2)]`.

    Raises:
        ValueError: a code outside -8..7.

    >>> pack_int4(torch.tensor([1, -2, 7]))       # 0xE1, 0x07
    tensor([225,   7], dtype=torch.uint8)
    """
    ### BEGIN SOLUTION
    flat = codes.flatten().to(torch.int32)
    if flat.numel() and (flat.min() < -8 or flat.max() > 7):
        raise ValueError("a 4-bit code lies in -8..7")
    flat = F.pad(flat, (0, flat.numel() % 2)) & 15
    return (flat[0::2] | flat[1::2] << 4).to(torch.uint8)
    ### END SOLUTION


def unpack_int4(packed: torch.Tensor, n: int) -> torch.Tensor:
    """The first n codes of what pack_int4 returned, int8 `[n]`.

    Raises:
        ValueError: n is larger than the number of codes stored.

    >>> unpack_int4(torch.tensor([225, 7], dtype=torch.uint8), 3)
    tensor([ 1, -2,  7], dtype=torch.int8)
    """
    ### BEGIN SOLUTION
    if n > 2 * packed.numel():
        raise ValueError(f"{packed.numel()} bytes hold {2 * packed.numel()} codes, not {n}")
    wide = packed.to(torch.int32)
    codes = torch.stack([wide & 15, wide >> 4], dim=1).flatten()[:n]
    return torch.where(codes > 7, codes - 16, codes).to(torch.int8)
    ### END SOLUTION

# %% test="pack_int4" points=4
# Checked here: bytes and codes of three small tensors, dtypes, codes and counts that do not fit.
# Hidden tests: all codes, odd and empty and larger tensors, other dtypes, more that does not fit.
from_scratch(pack_int4, FORBIDDEN)
from_scratch(unpack_int4, FORBIDDEN)
clauses = Clauses(packing=2, unpacking=2)
_two, _odd, _signed = torch.tensor([1, 2]), torch.tensor([1, 2, 7]), torch.tensor([-2, 1, 2, -3])
_bytes = lambda *values: torch.tensor(values, dtype=torch.uint8)
_two_packed, _odd_packed, _signed_packed = _bytes(0x21), _bytes(0x21, 0x07), _bytes(0x1E, 0xD2)
with clauses("packing"):
    check(
        pack_int4,
        [(_two,), (_odd,), (_signed,)],
        [_two_packed, _odd_packed, _signed_packed],
        symptoms=SYMPTOMS["pack_int4"],
    )
    expect(str(pack_int4(torch.tensor([1])).dtype), "torch.uint8", "the dtypes of the bytes")
    check_errors(ValueError, pack_int4, (torch.tensor([8]),), (torch.tensor([0, -9]),))
    check_inputs(inputs_after, pack_int4, torch.tensor([-1, 2, -3]))
with clauses("unpacking"):
    check(
        unpack_int4,
        [(_two_packed, 2), (_odd_packed, 3), (_signed_packed, 4)],
        [_two, _odd, _signed],
        symptoms=SYMPTOMS["unpack_int4"],
    )
    expect(str(unpack_int4(_bytes(1), 1).dtype), "torch.int8", "the dtypes of the codes")
    check_errors(ValueError, unpack_int4, (_bytes(1), 3))
    check_inputs(inputs_after, unpack_int4, _bytes(0xE1), 2)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(20)
_codes = [
    torch.tensor([5, 0, 3, 6]),
    torch.tensor([4, 1, 2]),
    torch.arange(-8, 8),
    torch.randint(-8, 8, (301,), generator=_rng).to(torch.int8),
    torch.randint(-8, 8, (7, 9), generator=_rng),
    torch.tensor([-1]),
    torch.zeros(0, dtype=torch.int64),
    torch.tensor([[-8, 7], [0, -1]], dtype=torch.int16),
]

def _packed(c):
    v = [x % 16 for x in c.flatten().tolist()] + [0] * (c.numel() % 2)
    return _bytes(*(v[i] | v[i + 1] << 4 for i in range(0, len(v), 2)))

with clauses("packing"):
    check(pack_int4, [(c,) for c in _codes], _packed, symptoms=SYMPTOMS["pack_int4"])
    expect(str(pack_int4(_codes[3]).dtype), "torch.uint8", "the dtypes of the bytes")
    check_errors(ValueError, pack_int4, (torch.tensor([0, 1, 100]),), (torch.tensor([[-8, 16]]),))
with clauses("unpacking"):
    check(
        unpack_int4,
        [(_packed(c), c.numel()) for c in _codes] + [(_packed(_codes[2]), 5)],
        [c.flatten() for c in _codes] + [_codes[2][:5]],
        symptoms=SYMPTOMS["unpack_int4"],
    )
    expect(str(unpack_int4(_packed(_codes[3]), 4).dtype), "torch.int8", "the dtypes of the codes")
    check_errors(ValueError, unpack_int4, (torch.zeros(0, dtype=torch.uint8), 1), (_bytes(1, 2), 5))
### END HIDDEN TESTS
clauses.award()

# %% [markdown]
# ### Exercise 11 · `save_int4` / `load_int4`
#
# The measured exercise: a real file. Weights as packed 4-bit codes in groups of 64 with one float16 scale each,
# everything that has one axis (the biases) as float16. You choose the container, as long as it is safe to open:
# unpickling a file from a stranger runs the stranger's code, so no `pickle`, and no `torch.save`, which pickles.
#
# The grader decodes your bytes in a fresh process that has neither the model nor the data, loads them into its own
# LeNet-300-100, and measures: **at least 7.2 times smaller** than the FP32 file, **accuracy within 1 point**.
#
# <details><summary>Hint 1, a nudge</summary>A container can be simple: the length of a JSON header as four bytes, the
# header, then the raw bytes. Or use <code>safetensors.torch.save</code>.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>The header has names and shapes; then come for each matrix its
# scales and packed codes, for each vector its float16 values. Reading walks through the header and knows from each
# shape how many bytes belong to it.</details>
#
# <details><summary>Hint 3, the key lines</summary>Better round the scales to float16 <em>before</em> you compute the
# codes, so that they belong together. <code>tensor.numpy().tobytes()</code> and <code>torch.frombuffer(bytearray(part),
# dtype=...)</code> go to bytes and back.</details>

# %% exercise="save_int4" minutes=25 difficulty=4
def save_int4(state: dict[str, torch.Tensor]) -> bytes:
    """A file with 2-d weights as int4 in groups of 64 along `in`, and 1-d tensors as float16.

    Args:
        state: names -> float32 tensors, all 1-d or 2-d. Largest magnitudes of the groups are 0 or 1e-3 .. 1e3,
            where float16 scales keep their precision.

    Returns:
        the bytes of the file, in any container that can be read without pickle.
    """
    ### BEGIN SOLUTION
    header, body = {}, b""
    for name, tensor in state.items():
        header[name] = list(tensor.shape)
        if tensor.dim() == 1:
            body += tensor.to(torch.float16).numpy().tobytes()
            continue
        _, scales = group_quantize(tensor, 4, 64)
        scales = scales.to(torch.float16)
        steps = scales.float().repeat_interleave(64, dim=1)[:, : tensor.shape[1]]
        body += scales.numpy().tobytes() + pack_int4(quantize(tensor, steps, 0, -7, 7)).numpy().tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "little") + text + body
    ### END SOLUTION


def load_int4(blob: bytes) -> dict[str, torch.Tensor]:
    """The tensors of save_int4's file: same names and shapes, float32.

    Each weight lies within half a step (largest magnitude of its group / 7 / 2, and 2 % for the float16 scale) of the
    original; 1-d tensors are as exact as float16.
    """
    ### BEGIN SOLUTION
    start = 4 + int.from_bytes(blob[:4], "little")
    header, state = json.loads(blob[4:start]), {}

    def take(count, dtype):
        nonlocal start
        size = count * torch.empty(0, dtype=dtype).element_size()
        part = torch.frombuffer(bytearray(blob[start : start + size]), dtype=dtype) if size else torch.empty(0, dtype=dtype)
        start += size
        return part

    for name, shape in header.items():
        if len(shape) == 1:
            state[name] = take(shape[0], torch.float16).float()
            continue
        out, size = shape
        groups = -(-size // 64)
        scales = take(out * groups, torch.float16).float().reshape(out, groups)
        codes = unpack_int4(take(-(-out * size // 2), torch.uint8), out * size).reshape(out, size)
        state[name] = dequantize(codes, scales.repeat_interleave(64, dim=1)[:, :size], 0)
    return state
    ### END SOLUTION

# %% test="save_int4" points=6
# Checked here: names, shapes, bytes and errors of two states; ratio and accuracy of the real model.
# Hidden tests: other shapes and sizes, a fresh process, the accuracy on images that nobody has seen.
_PICKLES = [
    "pickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "torch.serialization",
    "torch.jit",
]
from_scratch(save_int4, FORBIDDEN + _PICKLES)
from_scratch(load_int4, FORBIDDEN + _PICKLES)
torch.manual_seed(3)
_state = {"a.weight": torch.randn(70, 200), "a.bias": torch.randn(70), "b.weight": torch.randn(3, 5)}
_blob = save_int4(_state)
checks01.check_file(_state, _blob, load_int4(_blob), "a small state")
check_inputs(inputs_after, save_int4, _state)
# measured: the real model, on validation images
_model = models.load("lenet_300_100")
_fp32_bytes, _fp32_accuracy = measure.size_bytes(_model), measure.accuracy(_model, *data.load("validation"))
_blob = save_int4(dict(_model.state_dict()))
_back = fresh(load_int4)(_blob)
checks01.check_file(_model.state_dict(), _blob, _back, "LeNet-300-100")
_model.load_state_dict(_back)
_accuracy = measure.accuracy(_model, *data.load("validation"))
record(ratio=_fp32_bytes / len(_blob), accuracy_drop=_fp32_accuracy - _accuracy)
_said = f"expected a file at least 7.2 times smaller, yours is {_fp32_bytes / len(_blob):.2f} times smaller"
require(_fp32_bytes / len(_blob) >= 7.2, _said)
_said = f"expected accuracy within 1 point of {_fp32_accuracy:.2f} %, yours {_accuracy:.2f} %"
require(_fp32_accuracy - _accuracy <= 1, _said)
### BEGIN HIDDEN TESTS
torch.manual_seed(4)
_state = {
    "x.weight": torch.randn(20, 130) * 10.0 ** torch.randint(-2, 3, (20, 1)),
    "ä/1": torch.randn(9000) * 100,
    "zeros": torch.zeros(40, 64),
    "tail": torch.randn(31, 65),
    "odd": torch.randn(33, 1),
    "big": torch.full((8, 100), -999.0),
    "narrow": torch.randn(5000, 4),
    "wide": torch.randn(40, 640),
}
_state["zeros"][3, 5] = 0.002
_blob = fresh(save_int4)(_state)
checks01.check_file(_state, _blob, load_int4(_blob), "other shapes and sizes")
# measured again on images that nobody has seen: the second half of the test set, mirrored
_x, _y = (t[5000:] for t in data.load("test"))
_x, _model = _x.flip(-1), models.load("lenet_300_100")
_fp32_accuracy = measure.accuracy(_model, _x, _y)
require(
    _fp32_accuracy > 85,
    f"the shipped model should reach more than 85 % here, it has {_fp32_accuracy:.2f} %: fetch the data again",
)
_model.load_state_dict(_back)
_accuracy = measure.accuracy(_model, _x, _y)
record(held_back_accuracy_drop=_fp32_accuracy - _accuracy)
require(
    _fp32_accuracy - _accuracy <= 1,
    f"expected accuracy within 1 point of {_fp32_accuracy:.2f} % on unseen images, yours {_accuracy:.2f} %",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 9. All formats in one table
#
# Each file is written, and measured on the test images, which were used for no choice above. FP16 is what you get
# without any of this lesson.
#
# <details><summary><b>Predict first.</b> Order the five formats by accuracy before you look.</summary>You cannot, and
# neither can these test images: from FP32 to int8 the differences are smaller than the standard error √(p(1 − p)/n),
# printed below; only int4 lies lower by more.</details>

# %%
import tempfile
from pathlib import Path

def int8_file(state, axis):
    """FP32 biases, int8 codes and their scales: what torch.save makes of them, and the state they decode to."""
    stored, back = {}, {}
    for name, t in state.items():
        scale = symmetric_scale(t, 8, axis) if t.dim() == 2 else None
        if scale is None:
            stored[name] = back[name] = t
        else:
            wide = scale if axis is None else scale[:, None]
            codes = quantize(t, wide, 0, -127, 127)
            stored[name], stored[f"{name}.scale"], back[name] = codes.to(torch.int8), scale, dequantize(codes, wide, 0)
    return stored, back

def written(content):
    """Bytes of a file that was really written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive"  # torch.save writes the name into the file, and "archive" where there is none
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        return path.stat().st_size

half = {name: t.half() for name, t in fp32_state.items()}
formats = {"FP32": (fp32_state, fp32_state), "FP16": (half, {name: t.float() for name, t in half.items()})}
formats |= {"int8, one scale": int8_file(fp32_state, None), "int8, per channel": int8_file(fp32_state, 0)}
int4_blob = save_int4(fp32_state)
formats["int4, groups of 64"] = (int4_blob, load_int4(int4_blob))
test_x, test_y = data.load("test")
sizes, accuracies = {}, {}
print("format                 bytes     ratio   test accuracy    lost")
for name, (content, back) in formats.items():
    candidate = models.lenet_300_100()
    candidate.load_state_dict(back)
    sizes[name], accuracies[name] = written(content), measure.accuracy(candidate, test_x, test_y)
    print(f"{name:20} {sizes[name]:9,} {sizes['FP32'] / sizes[name]:8.2f}   {accuracies[name]:.2f} %   {accuracies['FP32'] - accuracies[name]:12.2f}")
p = accuracies["FP32"] / 100
print(f"standard error of FP32's accuracy: {100 * math.sqrt(p * (1 - p) / len(test_y)):.2f}")
lesson01.draw_sizes(sizes, accuracies)

# %% [markdown]
# *Picture: test accuracy over file size on a logarithmic axis; five points from FP32 on the right to int4 on the left,
# all within one point of accuracy.*
#
# Decoded to float32, the small model uses the same kernels (compiled routines) as before. Speed needs kernels that
# compute with the codes, the library's business.
#
# ## 10. The same with the library
#
# In the PyTorch version pinned here `torch.quantize_per_tensor` and `torch.ao.quantization` still work and say
# themselves that they are deprecated:

# %%
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scale_w = symmetric_scale(weights, 8).item()
    theirs = torch.quantize_per_tensor(weights, scale_w, 0, torch.qint8)
    import torch.ao.quantization

    torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {nn.Linear}, dtype=torch.qint8)
for warning in {str(w.message).split(". ")[0].split("\n")[0] for w in caught if "deprecated" in str(w.message)}:
    print("-", warning[:150])
ours = quantize(weights, scale_w, 0, -128, 127)
print(f"codes that differ from yours: {(theirs.int_repr() != ours).sum().item()} of {ours.numel()}")

# %% [markdown]
# The replacement is **torchao**. `quantize_` swaps the weights of every linear layer in place. First its two int8
# recipes beside your files. Latency is measured in turns with the FP32 model; above 1 means faster.

# %% tags=["nbval-ignore-output"]
import copy
import logging

logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)  # torchao makes this torch warn about itself
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

rows = {"FP32": model}
for name, config in (("torchao int8 weights", Int8WeightOnlyConfig()),
                     ("torchao int8 weights and inputs", Int8DynamicActivationInt8WeightConfig())):
    rows[name] = copy.deepcopy(model)
    quantize_(rows[name], config)
with torch.no_grad():
    ratios = {}
    for batch in (1, 64):
        calls = {name: lambda m=m, x=test_x[:batch]: m(x) for name, m in rows.items()}
        ratios[batch] = measure.speedup(measure.latency_ms(calls, rounds=40), "FP32")
print("model                               bytes   accuracy   faster, batch 1    faster, batch 64")
for name, m in rows.items():
    spread = [f"{ratios[b][name][1]:.2f} ({ratios[b][name][0]:.2f}–{ratios[b][name][2]:.2f})" for b in (1, 64)]
    print(f"{name:32} {measure.size_bytes(m.state_dict()):8,}   {measure.accuracy(m, test_x, test_y):6.2f} %   {spread[0]:18} {spread[1]}")
for name in list(rows)[1:]:
    print(f"{name}: " + ", ".join(f"batch {b}: {verdict(ratios[b][name], 'faster', 'slower')}" for b in (1, 64)))
print(f"{'yours, int4 groups of 64':32} {sizes['int4, groups of 64']:8,}   {accuracies['int4, groups of 64']:6.2f} %   decoded to FP32: 1 by construction")

# %% [markdown]
# In eager mode (one operation after another) on a CPU the library's int8 is usually *slower* than FP32: each call
# unpacks or quantizes before it multiplies. It pays off when a compiler merges these steps. Lesson 02 runs real int8
# kernels; lesson 08 comes back to 4 bits.
#
# **Four bits on a CPU.** torchao 0.18 has them as a prototype: weights in int4 with a scale for each group, activations
# in bf16, one kernel that unpacks while it multiplies. Its groups must divide the inputs (our 784 it skips), so take
# one layer of 2048 by 2048. With one input, a call mostly waits for the weights to come from memory, a quarter as many
# bytes as in bf16.
#
# <details><summary>Predict first: four times fewer bytes. How many times faster, with one input and with
# 64?</summary>Less than four with one, since unpacking costs as well. With 64 each weight is used 64 times, and memory
# no longer decides. (Eager bf16 may itself be slow on a processor without bf16 units, so read the lines against FP32
# too.)</details>

# %% tags=["nbval-ignore-output"]
try:
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig
    wide = nn.Linear(2048, 2048, bias=False)
    brain = copy.deepcopy(wide).bfloat16()
    four = copy.deepcopy(brain)
    quantize_(four, PrototypeInt4WeightOnlyConfig(group_size=64, set_inductor_config=False))
    with torch.no_grad():
        print(f"bytes: FP32 {measure.size_bytes(wide):,}, bf16 {measure.size_bytes(brain):,}, int4 {measure.size_bytes(four):,}")
        for batch in (1, 64):
            x = torch.randn(batch, 2048)
            low = x.bfloat16()
            off = (four(low) - brain(low)).float().norm() / brain(low).float().norm()
            taken = measure.latency_ms({"FP32": lambda: wide(x), "bf16": lambda: brain(low), "int4": lambda: four(low)}, rounds=60)
            for baseline in ("FP32", "bf16"):
                q = measure.speedup(taken, baseline)["int4"]
                print(f"batch {batch:2}: int4 is {q[1]:.2f} times as fast as {baseline} (quartiles {q[0]:.2f} to {q[2]:.2f}): {verdict(q, 'faster', 'slower')}")
        print(f"relative error of the output: {off:.3f}")
except (ImportError, NotImplementedError, RuntimeError) as error:
    print(f"the int4 prototype does not run here: {type(error).__name__}")

# %% [markdown]
# ## Pitfalls
#
# - **Cast, then clamp.** Many published notebooks do this and pass their own tests.
# - **"4 bits" on paper.** Pack the codes, count the scales, and look at the file.
# - **Simulated quantization is not faster.** It tells you about accuracy alone.
#
# ## Questions
#
# <details><summary>Why is −128 left out of symmetric int8?</summary>The codes would reach further down than up, and
# −(−128) does not fit into int8. Without it, the product of two codes also stays below 2**14, which some instructions
# rely on.</details>
#
# <details><summary>Groups of 16 would be more precise than groups of 64. What do they cost?</summary>A float16 scale
# for 16 weights is one more bit a weight: 5 bits in place of 4.25. At that price, 5-bit codes compete.</details>
#
# <details><summary>Why is the bias quantized with scale s_x · s_w and not with one of its own?</summary>It is added to
# the accumulator, whose unit is s_x · s_w; any other scale would need a multiplication first. With 32 bits it loses
# almost nothing.</details>
#
# <details><summary>Rounding error is s²/12 on average. When is that wrong?</summary>When values are not spread evenly
# over a step: exact zeros have no error at all, and at 2 bits most weights fall into the step around zero.</details>

# %% [markdown] question="question_int8_or_int4" points=4
# ### For your teacher
#
# A phone app ships a network of three linear layers. A colleague proposes int4 with one scale a tensor, since "the file
# is eight times smaller". In at most ten sentences: what would you measure before you agree, what do you expect to see,
# and what would you propose in its place? Write your answer in the cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: names accuracy on unseen data *and* bytes really written *and* latency in the runtime that the app uses;
# expects one scale a tensor to suffer from outliers at 4 bits (few marks, 6 dB a bit) and says why groups or channels
# help; knows that weight-only int4 decoded to float is not faster; proposes for example int4 in groups of 64 (4.25
# bits) or int8 per channel, and says what decides between them.
#
# 2 points: measures accuracy and size; sees that one scale is coarse; proposes per-channel scales without saying what
# they cost, or says nothing about speed.
#
# 0 or 1 point: repeats that int4 is smaller; or "int8 is better" without a measurement that could show it.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## An open experiment
#
# Codes need not lie at equal distances. Build a ruler of 16 marks for one layer's weights, whatever you like
# (quantiles, a normal distribution's, powers of two), and compare its error at 4 bits with the even ruler's, per tensor
# and in groups of 64. Then ask what a kernel would have to do with your marks. There is no right answer: what wins in
# error may lose in the loop.

# %% [markdown]
# ## References
#
# - B. Jacob et al. (2018). *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference.* arXiv:1712.05877
# - R. Krishnamoorthi (2018). *Quantizing deep convolutional networks for efficient inference: A whitepaper.*
#   arXiv:1806.08342
# - M. Nagel et al. (2021). *A White Paper on Neural Network Quantization.* arXiv:2106.08295
# - Y. Choukroun et al. (2019). *Low-bit Quantization of Neural Networks for Efficient Inference.* arXiv:1902.06822
# - T. Dettmers, L. Zettlemoyer (2023). *The case for 4-bit precision: k-bit Inference Scaling Laws.* arXiv:2212.09720
# - T. Dettmers et al. (2023). *QLoRA: Efficient Finetuning of Quantized LLMs.* arXiv:2305.14314
# - P. Micikevicius et al. (2022). *FP8 Formats for Deep Learning.* arXiv:2209.05433
# - M. Horowitz (2014). *Computing's energy problem (and what we can do about it).* ISSCC.
#   doi:10.1109/ISSCC.2014.6757323
# - H. Xiao, K. Rasul, R. Vollgraf (2017). *Fashion-MNIST.* arXiv:1708.07747
