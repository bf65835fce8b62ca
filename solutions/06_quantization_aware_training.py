# %% [markdown]
# # 06 · Quantization-aware training
#
# **The idea in two sentences.** Rounding a trained network to very few bits breaks it, since no weight was ever told
# that it would be rounded. Let the network train with the rounding switched on, pretend in the backward pass that the
# rounding was not there, and it learns weights that survive it.
#
# After this lesson you can
#
# - write a fake quantizer with a straight-through gradient, and say where that gradient is wrong,
# - learn the step of a quantizer by gradient descent,
# - train a convolutional network with folded batch norms at 3-bit weights and 4-bit activations,
# - turn the result into integers, prove that they compute the same, and run them in an int8 runtime.
#
# **Why it matters.** Esser et al. (2020) trained ResNets with 3-bit weights and activations whose ImageNet accuracy
# equals that of their full-precision baselines; they learned their steps, and learned from a full-precision teacher as
# well (lesson 05).
#
# **What you need:** from [lesson 01](../01_quantization_math/01_quantization_math.ipynb) scale and zero point
# (section 2) and integer layers (section 7); from
# [lesson 02](../02_post_training_quantization/02_post_training_quantization.ipynb) folding (section 2), calibration
# (sections 3 and 4) and bias correction (section 5). Plan two to three hours; each exercise says what it costs. Run
# the cells from the top, replace each `raise NotImplementedError()`, and run the test below it: it tells you what it
# expected.

# %% setup
import copy
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, measure, models, plot, train, widgets
from bonsai.testing import Clauses, check, check_errors, check_inputs, expect, from_scratch, probe, record, require
import checks06
import lesson06
import onnx06
import pictures06
from checks06 import SYMPTOMS

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you. Everything else in torch and numpy is allowed.
FORBIDDEN = ["torch.fake_quantize_*", "torch._fake_quantize_*", "torch.fused_moving_avg_obs_fake_quant", "torch.ao", "torch.quantization", "torchao"]

@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)

# %% [markdown]
# ## 1. Where rounding after training ends
#
# Our patient is the small CNN of lesson 02. `W3A4` means: weights of 3 bits, activations of 4. Post-training
# quantization (PTQ) is done by `lesson06.ptq`: fold the batch norms, give each output channel of a weight a scale, take
# the range of each layer's input from 1,024 training images.

# %%
model = models.load("small_cnn")
train_x, train_y = data.load("train")
val_x, val_y = data.load("validation")
made = lesson06.results()
fp32_accuracy = measure.accuracy(model, val_x, val_y)
print(f"FP32: {fp32_accuracy:.2f} % of the validation images, {measure.size_bytes(model):,} bytes")
print("accuracy after PTQ, three draws of the calibration images:")
for name, row in made["table"].items():
    print(f"  {name}   " + "   ".join(f"{a:.2f} %" for a in row["PTQ"]))
pictures06.draw_cliff(made)
print("\nW3A4 after training alone, rung by rung, three draws of the calibration images:")
for rung, found in made["ladder"].items():
    print(f"  {rung:20}" + "   ".join(f"{a:.2f} %" for a in found))

# %% [markdown]
# *Picture: validation accuracy over the bit-widths W8A8, W4A8, W4A4, W3A4 and W2A4; it stays at the dotted FP32 line
# for W8A8, bends down at four bits and falls off a cliff at three and two.*
#
# (Made once, with three seeds, by `data/make_lesson06.py`.) In the table, ranges by minimum and maximum lose 33 to 48
# points at three bits, depending on the draw. The ladder draws the same images, but takes each layer's range behind
# layers that are rounded already; the table takes it from the float network. So its lowest rung, min-max again, loses
# 31 to 38. That is a straw man, so climb: clipping for the least squared error, which alone hurts here (54 % in every
# draw); with it the correction of the bias, which helps a lot; then **AdaRound** (Nagel et al. 2020), which rounds each
# weight up or down, whichever keeps the layer's output closest. None of these needs labels, and the top rung leaves
# training hardly anything to win here. At two bits it will be different.

# %% [markdown]
# ## 2. A gradient for a staircase
#
# So train with the rounding in place. **Fake quantization** rounds a value to its code and goes straight back to float:
#
# $$\hat x = s\,\bigl(\mathrm{clamp}(\mathrm{round}(x/s) + z,\; q_{min},\; q_{max}) - z\bigr).$$
#
# The loss then sees what the integers will compute. But the backward pass needs $\partial \hat x / \partial x$, and a
# staircase is flat: its derivative is 0 nearly everywhere.

# %%
w = torch.tensor([0.2, 0.7, -1.4], requires_grad=True)
(torch.round(w / 0.5) * 0.5).square().sum().backward()
print("gradient through torch.round:", w.grad.tolist())

# %% [markdown]
# Nothing would ever learn. Now add some noise before rounding, $u$ uniform in $[-\tfrac12, \tfrac12]$. The value
# $x = n + r$ with $0 \le r < 1$ is rounded up with probability $r$ and down with probability $1 - r$, so on average
#
# $$\mathbb{E}_u[\mathrm{round}(x + u)] = n\,(1 - r) + (n + 1)\,r = x.$$

# %%
pictures06.draw_dither()

# %% [markdown]
# *Picture: three panels over x; the staircase of round(x), the mean of 5 noisy roundings with small uneven steps, and
# the mean of 200, which lies on the diagonal.*
#
# The average is the diagonal, with derivative 1. The **straight-through estimator** (Bengio et al. 2013) uses this
# derivative for the rounding without noise: *forward, round; backward, pass the gradient through as if nothing had
# happened.* It is wrong for each single value and right on average over values that are spread over the steps. Beyond
# the last code, though, $\hat x$ does not depend on $x$ even on average. So
#
# $$\frac{\partial \hat x}{\partial x} := \begin{cases} 1 & q_{min} \le \mathrm{round}(x/s) + z \le q_{max} \\ 0 & \text{otherwise.}\end{cases}$$

# %% [markdown]
# ### Exercise 1 · `FakeQuantize`
#
# A `torch.autograd.Function` has a forward and a backward of its own. `forward(ctx, …)` keeps what backward needs with
# `ctx.save_for_backward`; `backward(ctx, grad)` returns one gradient for each argument of forward, `None` where there
# is none.
#
# <details><summary>Hint 1, a nudge</summary>Which rounded codes, before the clamp, are inside? That bool tensor is all
# that backward has to know.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Forward: divide, round, add the zero point; note which codes
# lie inside; clamp, subtract the zero point, multiply by the scale. Backward: the gradient passes where the code was
# inside; the four settings get none.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>codes = torch.round(x / scale) + zero_point</code>; save
# <code>(codes &gt;= qmin) &amp; (codes &lt;= qmax)</code>. Backward: the arriving gradient times that mask, and four
# times <code>None</code>.</details>

# %% exercise="FakeQuantize" minutes=15 difficulty=2
class FakeQuantize(torch.autograd.Function):
    """Quantize and dequantize; backward as if the rounding were not there.

    `FakeQuantize.apply(x, scale, zero_point, qmin, qmax)`:

    Args:
        x: float32, any shape. It is not changed.
        scale: positive; a number or a tensor that broadcasts against x.
        zero_point: integer; a number or a tensor that broadcasts against x.
        qmin, qmax: the least and the largest code, ints.

    Returns:
        float32 of the shape of x: `(clamp(round(x / scale) + zero_point, qmin, qmax) - zero_point) * scale`. Ties are
        rounded half to even, as torch.round does.

    Backward: x gets the arriving gradient where `qmin <= round(x / scale) + zero_point <= qmax`, and 0 elsewhere. No
    other argument gets a gradient. The arriving gradient is not changed.

    >>> x = torch.tensor([0.3, 5.0], requires_grad=True)
    >>> y = FakeQuantize.apply(x, 0.5, 0, -3, 3)               # 0.3 -> code 1 -> 0.5;  5.0 -> code 10 -> 3 -> 1.5
    >>> y.sum().backward(); x.grad                             # 5.0 was clipped
    tensor([1., 0.])

    Source: Bengio et al. 2013, arXiv:1308.3432; Jacob et al. 2018, arXiv:1712.05877, section 3.
    """

    @staticmethod
    def forward(ctx, x, scale, zero_point, qmin, qmax):
        ### BEGIN SOLUTION
        codes = torch.round(x / scale) + zero_point
        ctx.save_for_backward((codes >= qmin) & (codes <= qmax))
        return (codes.clamp(qmin, qmax) - zero_point) * scale
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad):
        ### BEGIN SOLUTION
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None, None
        ### END SOLUTION

# %% test="FakeQuantize" points=4
# Checked here: values and gradients inside and outside of the codes, and of two calls before one backward.
# Hidden tests: other shapes, scales by channel, zero points, ties, values of any size, empty tensors.
from_scratch(FakeQuantize, FORBIDDEN)

@probe
def fake_quantize(x, scale, zero_point, qmin, qmax, upstream):
    """Value, gradient and what is left of the arguments, for the upstream gradient given."""
    leaf = x.clone().requires_grad_()
    step = scale.clone().requires_grad_() if isinstance(scale, torch.Tensor) else scale
    y, arriving = FakeQuantize.apply(leaf, step, zero_point, qmin, qmax), []
    if y.requires_grad:
        y.register_hook(arriving.append)
        (y * upstream).sum().backward()
    zeros = torch.zeros_like(x)
    step_grad = getattr(step, "grad", None)
    return {
        "y": y.detach(),
        "gradient": zeros if leaf.grad is None else leaf.grad,
        "x": leaf.detach(),
        "arriving": arriving[0] if arriving else upstream,
        "scale gradient": torch.zeros(1) if step_grad is None else step_grad.flatten()[:1],
    }

_tensor = torch.tensor

def _expected(x, y, gradient, arriving):
    return {"y": y, "gradient": gradient, "x": x, "arriving": arriving, "scale gradient": torch.zeros(1)}

_values, _upstream = _tensor([0.3, 5.0, -0.8, 1.7, -1.7, -2.0]), _tensor([2.0, 1.0, -1.0, 0.5, 3.0, 7.0])
# steps of 0.5: 0.6 -> 1, 10 -> clipped, -1.6 -> -2, 3.4 -> 3 (inside), -3.4 -> -3 (inside), -4 -> clipped
_cases = [(_values, 0.5, 0, -3, 3, _upstream), (_values, 0.5, 2, 0, 15, _upstream)]
check(
    fake_quantize,
    _cases,
    [
        _expected(_values, _tensor(y), _tensor(gradient), _upstream)
        for y, gradient in (
            ([0.5, 1.5, -1.0, 1.5, -1.5, -1.5], [2.0, 0.0, -1.0, 0.5, 3.0, 0.0]),
            ([0.5, 5.0, -1.0, 1.5, -1.0, -1.0], [2.0, 1.0, -1.0, 0.5, 0.0, 0.0]),
        )
    ],
    checks06.fakequantize_mistakes(_expected),
    SYMPTOMS["FakeQuantize"],
    tol=1e-6,
)

@probe
def two_calls(x, other, scale, qmin, qmax):
    """Values and gradients of two calls, on x and on a transposed tensor, both made before one backward."""
    first, second = x.clone().requires_grad_(), other.clone().requires_grad_()
    y, z = FakeQuantize.apply(first, scale, 0, qmin, qmax), FakeQuantize.apply(second.t(), scale, 0, qmin, qmax)
    (y.sum() + (2 * z).sum()).backward()
    return {"values": [y.detach(), z.detach()], "gradients": [first.grad, second.grad]}

_matrix, _transposed = (
    _tensor([[0.5, 4.0], [-3.0, 1.0]]),
    _tensor([[1.0, -2.0], [7.0, -0.5]]),
)  # codes 1, 8, -6, 2 and 2, 14, -4, -1
check(
    two_calls,
    [(_matrix, _transposed, 0.5, -4, 3)],
    [
        {
            "values": [_tensor([[0.5, 1.5], [-2.0, 1.0]]), _tensor([[1.0, 1.5], [-2.0, -0.5]])],
            "gradients": [_tensor([[1.0, 0.0], [0.0, 1.0]]), _tensor([[2.0, 2.0], [0.0, 2.0]])],
        }
    ],
    {},
    SYMPTOMS["two calls"],
    tol=1e-6,
)

### BEGIN HIDDEN TESTS
def _slow(x, scale, zero_point, qmin, qmax, upstream):
    steps, zeros = (
        torch.as_tensor(scale).expand_as(x).flatten().tolist(),
        torch.as_tensor(zero_point).expand_as(x).flatten().tolist(),
    )
    values, gradients = [], []
    for v, s, z, up in zip(x.flatten().tolist(), steps, zeros, upstream.flatten().tolist()):
        code = round(v / s) + z  # Python rounds ties to even as well
        inside = qmin <= code <= qmax
        values.append((min(max(code, qmin), qmax) - z) * s)
        gradients.append(up if inside else 0.0)
    return _expected(x, _tensor(values).reshape(x.shape), _tensor(gradients).reshape(x.shape), upstream)

_rng = torch.Generator().manual_seed(61)
_cases = []
for _shape, _scale, _zero, _low, _high in (
    ((7, 5), 0.25, 0, -7, 7),
    ((40,), 0.5, 3, 0, 7),
    ((2, 3, 4), 2.0 ** torch.tensor([-3.0, -1.0]).reshape(2, 1, 1), 0, -1, 1),
    ((3, 4), torch.tensor([[0.25], [1.0], [0.125]]), torch.tensor([[3], [0], [-2]]), -4, 3),
):
    _cases.append(
        (torch.randn(_shape, generator=_rng) * 1.5, _scale, _zero, _low, _high, torch.randn(_shape, generator=_rng))
    )
_ties = torch.tensor([0.25, 0.75, -0.25, 1.25, 1.75, -2.25])  # they go to even
_cases += [(_ties, 0.5, zero, -3, 3, torch.ones(6)) for zero in (0, 1)]
_cases += [(torch.full((n,), 1e-3), 2e-3 / 3, 0, -7, 7, torch.ones(n)) for n in (0, 1)] + [
    (_tensor([1e3, -1e3, 1e-20]), 0.5, 0, -3, 3, torch.ones(3))
]

check(
    fake_quantize,
    _cases,
    _slow,
    checks06.fakequantize_mistakes(_expected),
    SYMPTOMS["FakeQuantize"],
    tol=1e-6,
)

def _both(x, other, scale, qmin, qmax):
    first, second = (
        _slow(x, scale, 0, qmin, qmax, torch.ones_like(x)),
        _slow(other, scale, 0, qmin, qmax, torch.full_like(other, 2.0)),
    )
    return {"values": [first["y"], second["y"].t()], "gradients": [first["gradient"], second["gradient"]]}

_pair = lambda n: (torch.randn(n, n, generator=_rng), torch.randn(n, n, generator=_rng))
check(
    two_calls,
    [(*_pair(n), 0.25, -3, 3) for n in (5, 3, 1)]
    + [(torch.randn(4, 3, generator=_rng), torch.randn(2, 7, generator=_rng), 0.5, -2, 1)],
    _both,
    {},
    SYMPTOMS["two calls"],
    tol=1e-6,
)
### END HIDDEN TESTS

# %%
x = torch.linspace(-2.4, 2.4, 481, requires_grad=True)
y = FakeQuantize.apply(x, 0.5, 0, -3, 3)
y.sum().backward()
pictures06.draw_gradient(x.detach(), y.detach(), x.grad)

# %% [markdown]
# *Picture: left, the staircase of 3-bit fake quantization, flat beyond ±1.5; right, its true derivative 0, dotted, and
# the straight-through derivative, 1 up to the last code and 0 beyond.*
#
# What does gradient descent do with a gradient that is a fiction? Play with one weight that should become 0.45 *after
# rounding*, which no code of a few bits can express.

# %% tags=["nbval-ignore-output"]
widgets.explore(pictures06.draw_one_weight, gradient=["straight-through", "true (zero)"], bits=(2, 6, 3), start=(-1.4, 1.4, -0.9), rate=(0.01, 0.5, 0.1))

# %% [markdown]
# *Picture: left, the loss over one weight as a staircase, the parabola without rounding, the slope that the chosen
# gradient reports, and the path of gradient descent; right, the weight and the rounded weight over the steps.*
#
# With the true gradient the weight never moves. With the straight-through gradient it walks down, and then
# **oscillates** between the two codes beside the target, since each points to the other (Nagel et al. 2022 study the
# cures; a falling learning rate, as we use it, is one). And a weight that starts in the clipped part, more than half a
# step beyond ±1, gets no gradient and stays there.
#
# ## 3. Ranges that follow the training
#
# A weight is at hand, so its scale can be taken anew in every step. An activation's range is known only batch by batch.
# Min and max over *all* batches, as in calibration, would never forget the first, untrained steps. A moving average
# does:
#
# $$r \leftarrow m\, r + (1 - m)\, r_{batch}, \qquad m = 0.9.$$

# %% [markdown]
# ### Exercise 2 · `ema_range`
#
# <details><summary>Hint 1, a nudge</summary>Min and max are averaged separately. What should the average be after the
# first batch?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>The smallest and the largest number of the batch are the range
# if there was none before. Else each end moves on its own: mostly the old one, a little of the new one.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>x.min().item()</code> and <code>x.max().item()</code>; if
# <code>previous</code> is not None, <code>momentum</code> times the old number plus <code>1 - momentum</code> times the
# new one.</details>

# %% exercise="ema_range" minutes=5 difficulty=1
def ema_range(previous, x: torch.Tensor, momentum: float = 0.9) -> tuple[float, float]:
    """Exponential moving average of the least and the largest value.

    Args:
        previous: the average so far, (least, largest), or None before the first batch.
        x: the batch, float32, any shape.
        momentum: the share of the old average that stays, 0 .. 1.

    Returns:
        `momentum * previous + (1 - momentum) * current` of both, as floats; without `previous`, least and largest of x.
        The range is not widened to hold 0.

    >>> ema_range((0.0, 2.0), torch.tensor([1.0, 4.0]), 0.75)
    (0.25, 2.5)

    Source: Jacob et al. 2018, arXiv:1712.05877, section 3.1.
    """
    ### BEGIN SOLUTION
    low, high = x.min().item(), x.max().item()
    if previous is None:
        return low, high
    return momentum * previous[0] + (1 - momentum) * low, momentum * previous[1] + (1 - momentum) * high
    ### END SOLUTION

# %% test="ema_range" points=2
# Checked here: the average of two ranges, the first batch, ranges that do not hold 0.
# Hidden tests: other momenta and shapes, ranges of one sign, several batches in turn.
from_scratch(ema_range, FORBIDDEN)
_tensor = torch.tensor
check(
    ema_range,
    [
        ((0.0, 2.0), _tensor([1.0, 4.0]), 0.75),
        ((-1.0, 3.0), _tensor([[0.5, 5.0], [-2.0, 1.0]])),
        (None, _tensor([2.0, 5.0]), 0.5),
        (None, _tensor([-4.0])),
        ((0.0, 0.0), _tensor([-2.0, 4.0]), 0.5),
    ],
    [(0.25, 2.5), (-1.1, 3.2), (2.0, 5.0), (-4.0, -4.0), (-1.0, 2.0)],
    checks06.EMA_RANGE_MISTAKES,
    tol=1e-6,
)
check_inputs(inputs_after, ema_range, (0.0, 1.0), _tensor([1.0, 2.0]), 0.5)

### BEGIN HIDDEN TESTS
def _ema(previous, x, momentum=0.9):
    values = x.flatten().tolist()
    now = [min(values), max(values)]
    return (
        tuple(now)
        if previous is None
        else tuple(momentum * old + (1 - momentum) * new for old, new in zip(previous, now))
    )

_rng = torch.Generator().manual_seed(62)
_cases = [((-3.0, 8.0), torch.randn(4, 3, 2, generator=_rng), m) for m in (0.0, 0.3, 0.9, 1.0)] + [
    ((1.0, 2.0), torch.rand(20, generator=_rng) + 5),
    (None, torch.rand(3, 3, generator=_rng) + 1, 0.7),
    (None, -torch.rand(9, generator=_rng) - 1),
]
check(
    ema_range,
    _cases,
    _ema,
    checks06.EMA_RANGE_MISTAKES,
    tol=1e-6,
)
### END HIDDEN TESTS

# %% [markdown]
# The inputs of the last linear layer, in batches of 16 images. Halfway, the contrast of the images is doubled for good.

# %%
body, batches, averages = model[:-1], [], {f"momentum {m}": [] for m in (0.0, 0.9, 0.99)}
with torch.no_grad():
    for i in range(80):
        features = body(train_x[16 * i : 16 * i + 16] * (1 if i < 40 else 2))
        batches.append((features.min().item(), features.max().item()))
        for name, rows in averages.items():
            rows.append(ema_range(rows[-1] if rows else None, features, float(name.split()[1])))
pictures06.draw_ranges(batches, averages)

# %% [markdown]
# *Picture: dots, the largest activation of each batch, jumping up at batch 40; with momentum 0 the range follows every
# dot, with 0.9 it catches up within some twenty batches, with 0.99 it is still on its way at the end.*

# %% [markdown]
# ## 4. Let the step be learned
#
# Why must the largest weight decide the step? At two or three bits that spends the few codes on a few extreme weights.
# **LSQ**, learned step size quantization (Esser et al. 2020), makes the step $s$ a parameter and gives it a gradient.
# For symmetric codes and $v = x/s$,
#
# $$\hat x = s \cdot \mathrm{clamp}(\mathrm{round}(v), q_{min}, q_{max}).$$
#
# Inside the range use the product rule, with the straight-through derivative for the rounding,
# $\partial\,\mathrm{round}(v)/\partial s := \partial v / \partial s = -v/s$:
#
# $$\frac{\partial \hat x}{\partial s} = \mathrm{round}(v) + s \cdot \Bigl(-\frac{v}{s}\Bigr) = \mathrm{round}(v) - v .$$
#
# Where the value is clipped, the derivative is $q_{max}$ or $q_{min}$. As in the paper, $v$ itself decides what is clipped;
# in `FakeQuantize` the rounded code did. The two differ within half a step of the ends.
#
# One step collects the gradients of *all* values of a tensor. So its gradient is multiplied by
# $g = 1/\sqrt{N\, q_{max}}$, with $N$ the number of values; the step starts at $2\,\overline{|x|}/\sqrt{q_{max}}$.

# %% [markdown]
# ### Exercise 3 · `LSQ`
#
# <details><summary>Hint 1, a nudge</summary>Autograd can do all of it if only the rounding gets a trick: <code>r +
# (torch.round(r) - r).detach()</code> has the value of round(r) and the derivative of r. What does the derivative of
# <code>clamp(x / step) … * step</code> give in the clipped part?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>At the first forward set the step and remember in the state
# that it is done. Then divide by the step, clamp, round so that the gradient passes, multiply by the step, which has
# the same value as the parameter but a gradient scaled by g.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>s = step * g + (step - step * g).detach()</code> scales only
# the gradient. Then <code>v = (x / s).clamp(qmin, qmax)</code>, round v with hint 1, return it times s. The flag is a
# buffer, <code>torch.tensor(False)</code>; the first forward sets <code>self.step.data</code> and the flag.</details>

# %% exercise="LSQ" minutes=25 difficulty=4
class LSQ(nn.Module):
    """A symmetric quantizer whose step is learned.

    Codes: -2**(bits-1) .. 2**(bits-1) - 1 if signed (bits >= 2), else 0 .. 2**bits - 1. With v = x / step,
    `forward(x) = clamp(round(v), qmin, qmax) * step`.

    Gradients (straight-through): x gets 1 where qmin < v < qmax, else 0 (what happens
    within half a step of the two ends is not tested). `step` gets, summed over x,
    `round(v) - v` inside, `qmin` below and `qmax` above, times `1 / sqrt(x.numel() * qmax)`.

    `step` is a Parameter (one value) from construction on. The first forward, in train or eval mode, sets its value to
    `2 * mean|x| / sqrt(qmax)`, later ones leave it to the optimizer, which may have been made before. That the first
    forward has happened is part of the `state_dict`. x is not all zero.

    Source: Esser et al. 2020, arXiv:1902.08153, section 2.
    """

    def __init__(self, bits: int, signed: bool = True):
        ### BEGIN SOLUTION
        super().__init__()
        self.qmin, self.qmax = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        self.step = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("started", torch.tensor(False))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        if not self.started:
            self.step.data.fill_(2 * x.detach().abs().mean().item() / math.sqrt(self.qmax))
            self.started.fill_(True)
        g = 1 / math.sqrt(x.numel() * self.qmax)
        step = self.step * g + (self.step - self.step * g).detach()
        v = (x / step).clamp(self.qmin, self.qmax)
        return (v + (torch.round(v) - v).detach()) * step
        ### END SOLUTION

# %% test="LSQ" points=5
# Checked here: the first step, values, gradients of input and step, two calls, loading a state_dict.
# Hidden tests: random values of other shapes, steps and bits, signed and unsigned.
from_scratch(LSQ, FORBIDDEN)

@probe
def lsq(first, x, step, upstream, bits, signed):
    """The step after a first forward; then, with another step, a forward and backward; then a copy by state_dict."""
    quantizer, leaf = LSQ(bits, signed), x.clone().requires_grad_()
    value = lambda p: float(p.detach().reshape(-1)[0])
    told = {"names": [n for n, _ in quantizer.named_parameters()]}
    held = quantizer.step
    quantizer(first)
    told |= {"first": value(quantizer.step), "held": value(held)}
    quantizer.step.data.fill_(step)
    y = quantizer(leaf)
    (y * upstream).sum().backward()
    told |= {
        "y": y.detach(),
        "x gradient": torch.zeros_like(x) if leaf.grad is None else leaf.grad,
        "second": value(quantizer.step),
    }
    told["step gradient"] = 0.0 if quantizer.step.grad is None else float(quantizer.step.grad.reshape(-1)[0])
    other = LSQ(bits, signed)
    other.load_state_dict(quantizer.state_dict())
    other(5 * x)
    third = LSQ(bits, signed).eval()
    third(first)
    return told | {"loaded": value(other.step), "first in eval mode": value(third.step)}

_tensor = torch.tensor

def _expected(first, step, y, x_gradient, step_gradient):
    return {
        "names": ["step"],
        "first": first,
        "held": first,
        "y": y,
        "x gradient": x_gradient,
        "step gradient": step_gradient,
        "second": step,
        "loaded": step,
        "first in eval mode": first,
    }

_upstream, _first_batch = _tensor([1.0, 2.0, 3.0, 0.5, 1.0]), _tensor([[1.0, -3.0, 2.0]])
# two bits, step 2: x / step is -1.2, 0.3, 1.8 (clipped to 1), -2.7 (clipped to -2), -0.2
_signed_values, _inside = _tensor([-2.0, 0.0, 2.0, -4.0, 0.0]), _tensor([1.0, 2.0, 0.0, 0.0, 1.0])
# what each adds to the gradient of the step: 0.2, 2 * -0.3, 3 * 1, 0.5 * -2, 0.2; over sqrt(5 * 1)
# three unsigned bits, step 0.5: 1.2, 4.7, 8.4 (clipped to 7), -1.4 (clipped to 0), 2.8
# adds -0.2, 2 * 0.3, 3 * 7, 0, 0.2
_unsigned_values = _tensor([[0.5, 2.5, 3.5, 0.0, 1.5]])
check(
    lsq,
    [
        (_first_batch, _tensor([-2.4, 0.6, 3.6, -5.4, -0.4]), 2.0, _upstream, 2, True),
        (_first_batch, _tensor([[0.6, 2.35, 4.2, -0.7, 1.4]]), 0.5, _upstream, 3, False),
    ],
    [
        _expected(4.0, 2.0, _signed_values, _inside, 1.8 / 5**0.5),
        _expected(4 / 7**0.5, 0.5, _unsigned_values, _inside[None], 21.6 / 35**0.5),
    ],
    checks06.lsq_mistakes(_expected, _signed_values, _inside, _upstream),
    SYMPTOMS["LSQ"],
    tol=1e-4,
)

@probe
def lsq_twice(x, other, step, bits):
    """Gradients of x, of a transposed tensor and of the step after two forwards and one backward."""
    quantizer, first, second = LSQ(bits), x.clone().requires_grad_(), other.clone().requires_grad_()
    quantizer(x)
    quantizer.step.data.fill_(step)
    y, z = quantizer(first), quantizer(second.t())
    (y.sum() + z.sum()).backward()
    return {
        "values": [y.detach(), z.detach()],
        "gradients": [first.grad, second.grad, quantizer.step.grad.reshape(-1)[:1]],
    }

# two bits, step 2: as above, -1.2 and 1.8 (clipped); -2.7 (clipped), 0.3
check(
    lsq_twice,
    [(_tensor([[-2.4, 3.6]]), _tensor([[-5.4], [0.6]]), 2.0, 2)],
    [
        {
            "values": [_tensor([[-2.0, 2.0]]), _tensor([[-4.0, 0.0]])],
            "gradients": [_tensor([[1.0, 0.0]]), _tensor([[0.0], [1.0]]), _tensor([(0.2 + 1 - 2 - 0.3) / 2**0.5])],
        }
    ],
    {},
    SYMPTOMS["two calls"],
    tol=1e-4,
)

### BEGIN HIDDEN TESTS
def _learned(first, x, step, upstream, bits, signed, clipped="end", through=False):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    y, gradients, total, sizes = [], [], 0.0, [abs(a) for a in first.flatten().tolist()]
    for a, up in zip(x.flatten().tolist(), upstream.flatten().tolist()):
        v = a / step
        code = min(max(round(v), low), high)
        y.append(code * step)
        inside = low < v < high
        gradients.append(up if inside or through else 0.0)
        total += up * (code - v if inside or clipped == "inside" else code if clipped == "end" else 0)
    return _expected(
        2 * sum(sizes) / len(sizes) / high**0.5,
        step,
        _tensor(y).reshape(x.shape),
        _tensor(gradients).reshape(x.shape),
        total / (x.numel() * high) ** 0.5,
    )

_rng = torch.Generator().manual_seed(63)

def _clear(shape, step, bits, signed):
    """Inside and clipped values, none near the middle between two codes and none that an end code is nearest to."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    codes = torch.randint(low - 1, high + 2, shape, generator=_rng)
    codes[codes == low] = low - 2
    codes[codes == high] = high + 1
    return (codes + 0.8 * torch.rand(shape, generator=_rng) - 0.4) * step

_cases = [
    (
        torch.randn(7, generator=_rng),
        _clear(shape, step, bits, signed),
        step,
        torch.randn(shape, generator=_rng),
        bits,
        signed,
    )
    for shape, step, bits, signed in (
        ((6, 5), 0.5, 2, True),
        ((40,), 0.25, 3, True),
        ((2, 3, 4), 2.0, 4, True),
        ((30,), 0.125, 2, False),
        ((5, 2, 5), 1.0, 3, False),
    )
]
check(
    lsq,
    _cases,
    _learned,
    {
        checks06.CLIPPED: tuple(
            lambda *c, clipped=clipped, through=through: _learned(*c, clipped=clipped, through=through)
            for clipped in ("zero", "inside", "end")
            for through in (False, True)
            if (clipped, through) != ("end", False)
        ),
    },
    SYMPTOMS["LSQ"],
    tol=1e-4,
)

def _twice(x, other, step, bits):
    told = [_learned(x, part, step, torch.ones_like(part), bits, True) for part in (x, other)]
    return {
        "values": [told[0]["y"], told[1]["y"].t()],
        "gradients": [told[0]["x gradient"], told[1]["x gradient"], _tensor([sum(t["step gradient"] for t in told)])],
    }

check(
    lsq_twice,
    [
        (_clear(a, step, bits, True), _clear(b, step, bits, True), step, bits)
        for a, b, step, bits in (((3, 3), (3, 3), 0.5, 3), ((1, 7), (2, 3), 2.0, 2))
    ],
    _twice,
    {},
    SYMPTOMS["two calls"],
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# Watch a step learn: the last convolution of our network, at 2 bits. The loss is the squared error between the weights
# and their rounded form, and gradient descent moves nothing but the step.

# %%
w = model[9].weight.detach()
quantizer, path = LSQ(2), []
for _ in range(40):
    error = (quantizer(w) - w).square().mean()
    quantizer.step.grad = None
    error.backward()
    path.append((quantizer.step.item(), error.item()))
    with torch.no_grad():
        quantizer.step -= 40 * quantizer.step.grad
steps = [path[-1][0] * f for f in np.linspace(0.3, 2.0, 80)]
errors = [(torch.clamp(torch.round(w / s), -2, 1) * s - w).square().mean().item() for s in steps]
print(f"largest absolute weight over Q = 1: {w.abs().max():.3f};  step learned: {path[-1][0]:.3f};  least error of the scan at {steps[int(np.argmin(errors))]:.3f}")

ramp = torch.linspace(-3.5, 3.5, 701)  # contributions of single values: a gradient for each x alone
inside = (ramp > -2) & (ramp < 1)
pictures06.draw_learned_step(ramp, torch.where(inside, torch.round(ramp) - ramp, ramp.clamp(-2, 1)), (steps, errors), path)

# %% [markdown]
# *Picture: left, what a value x contributes to the gradient of a 2-bit step: a saw between the codes, −2 below the
# range and +1 above it; right, the squared error over the step, a valley into whose bottom gradient descent runs.*
#
# The saw is the whole method: values near a code are content, values between two codes disagree about the direction,
# clipped values all pull towards a larger step.

# %% [markdown]
# ## 5. Layers that train with rounding
#
# In every forward pass the layer fake-quantizes its input with the moving range of the batches seen, and its weight
# with one symmetric scale for each output channel, taken anew from the weight: $s_o = \max|w_o| / Q$,
# $Q = 2^{b-1} - 1$. The float weight stays, often called the *shadow* weight: the optimizer moves it, in strides far
# smaller than a step.

# %% [markdown]
# ### Exercise 4 · `QATLinear` and `QATConv2d`
#
# One class does the work, and two inherit it. Write it in three steps, and run the test after each: it says which are
# not written yet.
#
# - **Step 1, the weight**: a copy of the layer, `weight_scale` and `fake_weight`.
# - **Step 2, the range of the input**: `act_qparams` and `fake_input`.
# - **Step 3, `forward`**: the rounded input times the rounded weight. The bias is not rounded.
#
# The frame is a proposal; only the names that the docstring lists count.
#
# <details><summary>Hint 1, a nudge</summary>Step 1: what must not be the old layer's own tensors? Step 2: a buffer of
# two numbers that starts as <code>nan</code> says by itself whether a batch has been seen.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>At each forward: one scale a channel from the weights as they
# are now, codes in ±Q, back to floats. Average the input's range in train mode only; before the first batch the input
# passes unchanged.</details>
#
# <details><summary>Hint 3, the key lines</summary>In <code>fake_input</code>: if <code>self.training</code>, put
# <code>ema_range(old or None, x.detach())</code> into the buffer; if there is no range yet, return x; else
# <code>FakeQuantize.apply(x, scale, zero_point, 0, 2**bits_a - 1)</code>. A convolution's <code>self._conv_forward(x,
# weight, bias)</code> knows all its settings.</details>

# %% exercise="QATLinear" minutes=35 difficulty=4
class QATLayer:
    """What QATLinear and QATConv2d share. (Yours may look different.)

    Both have

    - `from_float(module, bits_w, bits_a)`, a classmethod: copies of weight and bias (which may be None) as Parameters,
      the only ones; all settings of a convolution; attributes `bits_w`, `bits_a`. The module is not changed, nor shared.
    - `weight_scale() -> [out]`, float32: max|w| / Q of each output channel now, Q = 2**(bits_w-1) - 1; 1.0 where all are 0.
    - `fake_weight()`: the weight rounded to codes -Q .. Q with these scales; the weight gets a straight-through gradient.
    - `act_qparams() -> (float, int)`: scale and zero point of the input for codes 0 .. 2**bits_a - 1, from the moving
      range widened to hold 0. Scale (high - low) / (2**bits_a - 1), zero point round(-low / scale); (1.0, 0) if both are 0.
      Nobody asks before the first training batch.
    - `forward(x)`: in train mode first update the range with the raw min and max of x (`ema_range`, momentum 0.9; kept
      as it is, not widened), then use it. In eval mode the range is frozen; before the first training batch x passes
      through unrounded. The range lies in buffers. The rounded x meets what `fake_weight()` returns.

    >>> layer = QATLinear.from_float(nn.Linear(4, 2), bits_w=3, bits_a=4)
    >>> layer(torch.tensor([[0.0, 1.0, 2.0, 3.0]])).shape, layer.act_qparams()             # it is in train mode
    (torch.Size([1, 2]), (0.2, 0))

    Source: Jacob et al. 2018, arXiv:1712.05877, section 3; Krishnamoorthi 2018, arXiv:1806.08342, section 3.
    """

    # Step 1: a copy, and its rounded weight

    def start(self, module, bits_w, bits_a):
        """Copy weight and bias from the module, keep the bits, make the buffers of step 2, return self."""
        ### BEGIN SOLUTION
        self.bits_w, self.bits_a = bits_w, bits_a
        self.weight = nn.Parameter(module.weight.detach().clone())
        self.bias = None if module.bias is None else nn.Parameter(module.bias.detach().clone())
        self.register_buffer("range", torch.full((2,), math.nan))
        return self
        ### END SOLUTION

    def weight_scale(self) -> torch.Tensor:
        ### BEGIN SOLUTION
        largest = self.weight.detach().flatten(1).abs().amax(dim=1)
        return torch.where(largest > 0, largest / (2 ** (self.bits_w - 1) - 1), 1.0)
        ### END SOLUTION

    def fake_weight(self) -> torch.Tensor:
        ### BEGIN SOLUTION
        q = 2 ** (self.bits_w - 1) - 1
        scale = self.weight_scale().reshape(-1, *[1] * (self.weight.dim() - 1))
        return FakeQuantize.apply(self.weight, scale, 0, -q, q)
        ### END SOLUTION

    # Step 2: the range of the input

    def act_qparams(self) -> tuple[float, int]:
        ### BEGIN SOLUTION
        low, high = min(self.range[0].item(), 0.0), max(self.range[1].item(), 0.0)
        if low == high:
            return 1.0, 0
        scale = (high - low) / (2**self.bits_a - 1)
        return scale, round(-low / scale)
        ### END SOLUTION

    def fake_input(self, x: torch.Tensor) -> torch.Tensor:
        """Move the range if the layer trains, and return x rounded to it."""
        ### BEGIN SOLUTION
        seen = None if self.range.isnan().any() else self.range.tolist()
        if self.training:
            seen = ema_range(seen, x.detach())
            self.range.copy_(torch.tensor(seen))
        return x if seen is None else FakeQuantize.apply(x, *self.act_qparams(), 0, 2**self.bits_a - 1)
        ### END SOLUTION

# Step 3: forward


class QATLinear(QATLayer, nn.Linear):
    """A linear layer that trains with rounding."""

    @classmethod
    def from_float(cls, module: nn.Linear, bits_w: int, bits_a: int) -> "QATLinear":
        return cls(module.in_features, module.out_features, module.bias is not None).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return F.linear(self.fake_input(x), self.fake_weight(), self.bias)
        ### END SOLUTION


class QATConv2d(QATLayer, nn.Conv2d):
    """A convolution that trains with rounding."""

    @classmethod
    def from_float(cls, module: nn.Conv2d, bits_w: int, bits_a: int) -> "QATConv2d":
        names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        return cls(**{name: getattr(module, name) for name in names}).start(module, bits_w, bits_a)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self._conv_forward(self.fake_input(x), self.fake_weight(), self.bias)
        ### END SOLUTION

# %% test="QATLinear" points=8
# Checked here: of a linear layer and two convolutions the weight (step 1), the range (step 2), the output (step 3).
# Hidden tests: no bias, three axes, other paddings, weights and inputs of zeros.
from_scratch(QATLinear, FORBIDDEN)
from_scratch(QATConv2d, FORBIDDEN)
clauses = Clauses(weight=3, range=3, forward=2)

@probe
def qat_weight(spec, state, bits):
    module = checks06.network(spec, state)
    kind = QATLinear if spec[0] == "Linear" else QATConv2d
    return checks06.weight_facts(kind.from_float(module, *bits), module)

@probe
def qat_range(spec, state, bits, batches):
    kind = QATLinear if spec[0] == "Linear" else QATConv2d
    layer, other = (kind.from_float(checks06.network(spec, s), *bits) for s in (state, None))
    return checks06.range_facts(layer, other, batches)

@probe
def qat_forward(spec, state, bits, batches):
    kind = QATLinear if spec[0] == "Linear" else QATConv2d
    return checks06.forward_facts(kind.from_float(checks06.network(spec, state), *bits), batches)

def _check_weight(what, spec, bits, state, batches):
    with checks06.step(1, f"the weight: {what}"):
        checks06.check_weight(qat_weight(spec, state, bits), state, bits, what)

def _check_range(what, spec, bits, state, batches):
    with checks06.step(2, f"the range of the input: {what}"):
        checks06.check_range(qat_range(spec, state, bits, batches), bits, batches, what)

def _check_forward(what, spec, bits, state, batches):
    with checks06.step(3, f"forward: {what}"):
        checks06.check_forward(qat_forward(spec, state, bits, batches), spec, state, bits, batches, what)

def _layer(what, spec, shape, bits, ranges, seed):
    return what, spec, bits, *checks06.layer_case(spec, shape, bits, ranges, seed)

_ranges = [(-1.0, 2.0), (-3.0, 5.0), (0.5, 1.0), (-2.0, 4.0)]
_strided = ("Conv2d", 4, 4, 3, {"stride": 2, "padding": 1})
_reflected = ("Conv2d", 4, 4, 3, {"groups": 2, "dilation": 2, "padding": 2, "padding_mode": "reflect"})
_layers = [
    _layer("Linear, W3A4", ("Linear", 6, 4), (5, 6), (3, 4), _ranges, 64),
    _layer("Conv2d with stride and padding, W4A8", _strided, (2, 4, 6, 6), (4, 8), _ranges, 65),
    _layer("Conv2d with groups and reflecting padding, W3A4", _reflected, (2, 4, 6, 6), (3, 4), _ranges, 70),
]
with clauses("weight"):
    for _one in _layers:
        _check_weight(*_one)
with clauses("range"):
    for _one in _layers:
        _check_range(*_one)
with clauses("forward"):
    for _one in _layers:
        _check_forward(*_one)
### BEGIN HIDDEN TESTS
_more = [
    _layer(
        "Linear without bias, three axes, positive inputs",
        ("Linear", 8, 8, {"bias": False}),
        (2, 3, 8),
        (2, 4),
        [(1.0, 2.0), (0.5, 6.0), (2.0, 2.5), (0.1, 9.0)],
        66,
    ),
    _layer(
        "Conv2d with groups and dilation",
        ("Conv2d", 4, 6, 3, {"groups": 2, "dilation": 2, "padding": 2, "bias": False}),
        (2, 4, 6, 6),
        (3, 4),
        [(-5.0, -1.0), (-2.0, -0.5), (-8.0, 1.0), (-4.0, 2.0)],
        67,
    ),
    _layer(
        "Conv2d with reflecting padding and a flat kernel",
        ("Conv2d", 3, 5, (1, 3), {"padding": (0, 1), "padding_mode": "reflect"}),
        (2, 3, 4, 5),
        (8, 8),
        [(0.0, 1.0), (0.0, 3.0), (0.0, 0.4), (0.0, 2.0)],
        68,
    ),
    _layer(
        "Conv2d 'same'",
        ("Conv2d", 3, 3, 3, {"padding": "same"}),
        (2, 3, 4, 4),
        (4, 4),
        [(-1.0, 1.0), (-2.0, 3.0), (-1.0, 0.5), (-1.0, 4.0)],
        69,
    ),
]
_state = {"weight": torch.tensor([[0.0, 0.0], [1.0, -0.25]]), "bias": torch.tensor([0.5, 0.0])}
_blank = [torch.zeros(2, 2)] * 4
with clauses("weight"):
    for _one in _more:
        _check_weight(*_one)
    _facts = qat_weight(("Linear", 2, 2), _state, (3, 4))
    _first = [_facts["scale"][0], _facts["fake"][0]]
    expect(_first, [torch.tensor(1.0), torch.zeros(2)], "a channel of zeros: its scale is 1.0")
with clauses("range"):
    for _one in _more:
        _check_range(*_one)
    _facts = qat_range(("Linear", 2, 2), _state, (3, 4), _blank)
    expect(_facts["qparams"][-1], [1.0, 0.0], "inputs of zeros: (1.0, 0)", tol=1e-6)
with clauses("forward"):
    for _one in _more:
        _check_forward(*_one)
    _facts = qat_forward(("Linear", 2, 2), _state, (3, 4), _blank)
    expect(_facts["outputs"][-1], torch.tensor([[0.5, 0.0]] * 2), "the output for inputs of zeros", tol=1e-6)
### END HIDDEN TESTS
clauses.award()

# %% [markdown]
# ## 6. Fold, then train
#
# A batch norm behind a convolution disappears at inference: it is folded into the weights (lesson 02),
#
# $$\hat w_o = w_o \frac{\gamma_o}{\sqrt{\sigma_o^2 + \epsilon}}, \qquad \hat b_o = \beta_o + (b_o - \mu_o)\frac{\gamma_o}{\sqrt{\sigma_o^2 + \epsilon}},$$
#
# and it is $\hat w$ that will be rounded, so training must round $\hat w$, too. Which $\mu$ and $\sigma$? In training a
# batch norm uses those of the *current batch*. Fold with them, and the rounded weight is another one in every step.
# Here is how much: the factor of a channel of the first convolution, and the 3-bit codes that change, relative to the
# running statistics.

# %%
conv, bn = model[0], model[1]
def factor(var):
    return (bn.weight / torch.sqrt(var + bn.eps)).detach().reshape(-1, 1, 1, 1)

def codes(w, per_channel):
    largest = w.abs().amax(dim=(1, 2, 3), keepdim=True) if per_channel else w.abs().max()
    return torch.round(w / largest * 3)

running, factors = conv.weight.detach() * factor(bn.running_var), {}
for size in (8, 64):
    live = []
    with torch.no_grad():
        for i in range(30):
            live.append(conv.weight * factor(conv(train_x[size * i : size * i + size]).var((0, 2, 3))))
    channel = int((torch.stack(live) / running).flatten(2)[:, :, 0].std(0).argmax())
    factors[f"batches of {size}"] = [(w[channel, 0, 0, 0] / running[channel, 0, 0, 0]).item() for w in live]
    for per_channel in (False, True):
        changed = torch.stack([(codes(w, per_channel) != codes(running, per_channel)).float().mean() for w in live])
        print(f"batches of {size:2}, scale per {'channel' if per_channel else 'tensor '}: {100 * changed.mean():4.1f} % of the codes change")
rows = made["batch_norm"]
print("W3A4 after", f"{made['batch_norm_images']:,} images (mean of three seeds):")
for size, results in rows.items():
    print(f"  batches of {size:2}: " + ", ".join(f"{how} {sum(v) / 3:.2f} % (from {min(v):.2f} to {max(v):.2f})" for how, v in results.items()))
pictures06.draw_live(factors, made)

# %% [markdown]
# *Picture: left, one channel's factor wandering around the running statistics, far more with batches of 8 than of 64;
# right, validation accuracies at W3A4, three seeds each: with batches of 8 "folded" is best on average, with 64 "kept",
# and one seed of "live" lies far below.*
#
# (Right: from `data/make_lesson06.py`. *Folded*: running statistics, before training. *Live*: folded with each batch's
# statistics in training, with the running ones in eval mode. *Kept*: the batch norm stays behind the rounded
# convolution and is folded at the end.)
#
# With one scale per tensor, live statistics push weights into other codes. With one scale per channel the codes stay,
# since factor and scale move together; but training and inference still compute different things, which costs accuracy
# with small batches. With batches of 64, and few steps, batch statistics even helped, one seed aside. The literature
# takes live statistics for a while, then frozen ones (Krishnamoorthi 2018). We **fold first, then train**: what you
# train is what you deploy, whatever the batch.

# %% [markdown]
# ### Exercise 5 · `prepare_qat`
#
# For the folding, `torch.nn.utils.fusion.fuse_conv_bn_eval(conv, bn)` wants both in eval mode and returns a new
# convolution.
#
# <details><summary>Hint 1, a nudge</summary>On a <code>copy.deepcopy</code>, first fold, then replace. For folding, a
# function goes through a Sequential's children, and calls itself for Sequentials among them. What may stand where the
# batch norm was?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Leave something that does nothing in a folded batch norm's
# place, so that names stay. Then replace each plain Linear and Conv2d by its QAT twin, and return the copy in train
# mode.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>nn.Identity()</code> does nothing. Then <code>for name, module
# in list(result.named_modules())</code>: where <code>type(module) is nn.Linear</code>, <code>result.set_submodule(name,
# QATLinear.from_float(module, bits_w, bits_a))</code>; the same for convolutions.</details>

# %% exercise="prepare_qat" minutes=20 difficulty=3
def prepare_qat(model: nn.Sequential, bits_w: int, bits_a: int) -> nn.Module:
    """A copy of a trained model whose layers train with rounding, in train mode.

    Args:
        model: in any mode; Sequentials may nest. It is not changed, its mode neither.
        bits_w, bits_a: bits of all weights and of the inputs of all layers.

    Returns:
        a model in which every BatchNorm2d that directly follows a Conv2d in a Sequential is folded into it, with its running
        statistics, and then every Linear and Conv2d, at any depth and also in modules that are no Sequentials, is a
        QATLinear or QATConv2d. Everything else stays. The place of a folded batch norm may be empty or an identity.

    >>> net = prepare_qat(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()), 4, 8)
    >>> type(net[0]).__name__, net.training
    ('QATConv2d', True)

    Source: Krishnamoorthi 2018, arXiv:1806.08342, section 3.2; Nagel et al. 2021, arXiv:2106.08295, section 4.
    """
    ### BEGIN SOLUTION
    from itertools import pairwise

    from torch.nn.utils.fusion import fuse_conv_bn_eval

    result = copy.deepcopy(model).eval()
    for sequence in [m for m in result.modules() if isinstance(m, nn.Sequential)]:
        for (first, conv), (second, bn) in pairwise(list(sequence.named_children())):
            if type(conv) is nn.Conv2d and isinstance(bn, nn.BatchNorm2d):
                sequence.set_submodule(first, fuse_conv_bn_eval(conv, bn))
                sequence.set_submodule(second, nn.Identity())
    kinds = {nn.Linear: QATLinear, nn.Conv2d: QATConv2d}
    for name, module in list(result.named_modules()):
        if type(module) in kinds:
            result.set_submodule(name, kinds[type(module)].from_float(module, bits_w, bits_a))
    return result.train()
    ### END SOLUTION

# %% test="prepare_qat" points=5
# Checked here: layers, folded weights, modes and shapes of two models; the float model stays as it was.
# Hidden tests: batch norms that are not folded, modules of other classes, more nesting.
from_scratch(prepare_qat, FORBIDDEN)

@probe
def prepared(spec, state, bits, train_mode, x):
    """What the prepared model is made of, and what is left of the old one after the new one was used and changed."""
    model = checks06.network(spec, state).train(train_mode)
    result = prepare_qat(model, *bits)
    told = {
        "kinds": lesson06.kinds(result),
        "training": checks06.modes(result),
        "types": lesson06.kinds(model),
        "modes": checks06.modes(model),
    }
    layers = [m for m in result.modules() if isinstance(m, (QATLinear, QATConv2d))]
    told["layers"] = [
        (m.weight.detach().clone(), None if m.bias is None else m.bias.detach().clone()) for m in layers
    ]
    told["bits"] = [[int(m.bits_w), int(m.bits_a)] for m in layers]
    told["shape"] = list(result(x).shape)
    for p in result.parameters():
        p.data.add_(1)
    return told | {"after": dict(model.state_dict())}

_random = torch.Generator().manual_seed(70)

def _case(spec, shape, seed, bits, train_mode=False):
    state, x = checks06.random_state(spec, seed), torch.randn(shape, generator=_random)
    return spec, state, bits, train_mode, x

def _expected(spec, state, bits, train_mode, x):
    """Kinds and training flags are looked at by symptoms; they are free where the contract is."""
    model, layers = checks06.network(spec, state).train(train_mode), checks06.folded_layers(spec, state)
    types, modes = lesson06.kinds(model), checks06.modes(model)
    left = types.count("BatchNorm2d") - sum(
        1
        for (w, b), had in zip(layers, [m.weight for m in model.modules() if type(m) in (nn.Conv2d, nn.Linear)])
        if not torch.equal(w, had)
    )
    return {
        "types": types,
        "modes": modes,
        "layers": layers,
        "bits": [list(bits)] * len(layers),
        "shape": list(model.eval()(x).shape),
        "after": state,
        "left": left,
    }

def _check_prepared(*case):
    """The prepared model; kinds and modes are compared only through what they must not hold."""
    got, right = prepared(*case), _expected(*case)
    what = (
        "prepare_qat of "
        + ", ".join(lesson06.kinds(checks06.network(case[0]))[1:6])
        + (" …" if len(right["types"]) > 6 else "")
    )
    for sentence, shows in SYMPTOMS["prepare_qat"].items():
        require(not shows(got, right, *case), f"{what}: {sentence}")
    with checks06.one_line(what):
        expect(
            [got["types"], got["modes"]],
            [right["types"], right["modes"]],
            f"{what}: types and modes of the float model",
            checks06.PREPARE_QAT_MISTAKES,
        )
        expect(got["shape"], right["shape"], f"{what}: shape of the output")
        # float32 folding in another order
        expect(
            got["layers"],
            right["layers"],
            f"{what}: weights and biases, folded with the running statistics",
            checks06.folding_mistakes(*case[:2]),
            tol=1e-4,
        )

_layers = [
    ("Conv2d", 1, 4, 3, {"padding": 1, "bias": False}),
    ("BatchNorm2d", 4, {"eps": 0.1}),
    ("ReLU",),
    [("Conv2d", 4, 6, 3, {"stride": 2}), ("BatchNorm2d", 6), ("ReLU",)],
    ("Flatten",),
    ("Linear", 24, 5),
]
_check_prepared(*_case(_layers, (3, 1, 6, 6), 71, (3, 4)))
_check_prepared(
    *_case(
        [("Linear", 5, 4), ("ReLU",), [("Dropout", 0.1), [("Linear", 4, 3, {"bias": False})]]],
        (3, 5),
        72,
        (4, 8),
        train_mode=True,
    )
)
### BEGIN HIDDEN TESTS
_check_prepared(
    *_case(
        [
            [("Conv2d", 2, 4, 3, {"groups": 2}), ("BatchNorm2d", 4, {"eps": 0.2})],
            ("ReLU",),
            ("BatchNorm2d", 4),
            [[("Conv2d", 4, 4, 1), ("BatchNorm2d", 4)], ("AdaptiveAvgPool2d", 1)],
            ("Flatten",),
            ("Linear", 4, 3),
        ],
        (2, 2, 5, 5),
        73,
        (2, 4),
        train_mode=True,
    )
)
_check_prepared(
    *_case(
        [
            ("Conv2d", 3, 4, 3),
            ("ReLU",),
            ("Skip", [("Conv2d", 4, 4, 3, {"padding": 1}), ("ReLU",), [("Conv2d", 4, 4, 1, {"bias": False})]]),
            ("Skip", [("Conv2d", 4, 4, 1)]),
            ("Flatten",),
            ("Linear", 64, 2),
        ],
        (2, 3, 6, 6),
        74,
        (4, 4),
    )
)
_check_prepared(
    *_case(
        [
            ("Conv2d", 1, 3, 3, {"stride": 2, "padding": 1, "bias": False}),
            ("BatchNorm2d", 3),
            ("Conv2d", 3, 5, 3, {"padding": 1}),
            ("BatchNorm2d", 5, {"eps": 0.05}),
            ("ReLU",),
        ],
        (2, 1, 5, 5),
        75,
        (8, 8),
    )
)
_check_prepared(*_case([("Conv2d", 2, 3, 1), ("ReLU",), ("BatchNorm2d", 3)], (2, 2, 4, 4), 76, (4, 4)))
### END HIDDEN TESTS

# %% [markdown]
# Now train at W3A4: two short epochs on 10,000 images, a one-cycle learning rate with a low peak, since the network is
# already trained. First the range observers alone see some batches: PTQ with your layers, to compare with. (About 10 s
# on one core.)
#
# <details><summary><b>Predict first.</b> When the accuracy is back, how many of the codes will be others than before:
# most, a quarter, a few in a hundred?</summary>A few in a hundred; the cell after the next counts them. The nearest
# code is best for each weight alone, and not for their sum.</details>

# %% tags=["nbval-ignore-output"]
qat = prepare_qat(model, 3, 4)
with torch.no_grad():
    for x in train_x[:1024].split(64):
        qat(x)
old_state = copy.deepcopy(qat.state_dict())
ptq_accuracy = measure.accuracy(qat, val_x, val_y)
began = time.process_time()
losses = train.fit(qat, train_x[:10_000], train_y[:10_000], epochs=2, lr=1e-3, batch=64)
qat_accuracy = measure.accuracy(qat, val_x, val_y)
won_back = (qat_accuracy - ptq_accuracy) / (fp32_accuracy - ptq_accuracy)
print(f"FP32 {fp32_accuracy:.2f} %, W3A4 after PTQ {ptq_accuracy:.2f} %, after QAT {qat_accuracy:.2f} %: {100 * won_back:.0f} % of what min-max ranges lose won back, in {time.process_time() - began:.0f} CPU seconds")

# %% tags=["nbval-ignore-output"]
old, mixed = copy.deepcopy(qat), copy.deepcopy(qat)
old.load_state_dict(old_state)
code = lambda m: torch.round(m.weight.detach() / m.weight_scale().reshape(-1, *[1] * (m.weight.dim() - 1)))
for (name, before), after in zip(old.named_modules(), qat.modules()):
    if isinstance(after, (QATLinear, QATConv2d)):
        print(f"layer {name:2}: {100 * (code(before) != code(after)).float().mean():4.1f} % of the codes have changed")
kind = lambda key: key.rpartition(".")[2] if key.endswith(("weight", "bias")) else "range"
for what, new in (("the new weights in the old network", "weight"), ("the new biases", "bias"), ("the new ranges", "range")):
    mixed.load_state_dict({k: v if kind(k) == new else old_state[k] for k, v in qat.state_dict().items()})
    print(f"{what}: {measure.accuracy(mixed, val_x, val_y):.2f} %")
def layer(net):
    last = [m for m in net.modules() if isinstance(m, QATConv2d)][-1]
    return last.weight.detach(), last.weight_scale()

pictures06.draw_weights(layer(old), layer(qat), losses)

# %% [markdown]
# *Picture, the last convolution: left, how far each weight lay from its code before training, and in red those that got
# another code, nearly all close to half a step; in the middle, how far training moved the weights; right, the loss,
# falling quickly at first.*
#
# The few codes that changed do nearly all of the work: the new weights alone repair the old network. Training chose
# them so that the errors of a sum cancel instead of adding up, the idea of AdaRound, too.
#
# **The whole table**, made once with three seeds and 15,000 images by `data/make_lesson06.py`, and your run of today as
# a star:

# %%
def row_of(values):
    return f"{sum(values) / len(values):6.2f} ± {np.std(values, ddof=1):4.2f}" if values else "      -      "

print(f"FP32 {made['fp32']:.2f} %; mean and standard deviation over {len(made['seeds'])} seeds, {made['epochs']} epochs of {made['images']:,} images")
print("          PTQ              QAT              QAT, LSQ weights")
for name, row in made["table"].items():
    print(f"{name}   " + "    ".join(row_of(row[kind]) for kind in ("PTQ", "QAT", "QAT, LSQ")))

# %% tags=["nbval-ignore-output"]
pictures06.draw_cliff(made, {"your run": qat_accuracy}, trained=True)

# %% [markdown]
# *Picture: validation accuracy over the bit-widths; PTQ falls off the cliff as before, QAT stays close to the FP32 line
# down to W3A4 and falls at W2A4, where QAT with the learned steps of LSQ lies well above it.*
#
# At three bits QAT repairs most of what min-max ranges break, but comes out three quarters of a point below AdaRound at
# the top of the ladder, 89.9 against 90.7 %, which needed no labels. At two bits the largest absolute weight is a bad
# ruler (three codes, −1, 0 and 1, most weights become 0), and the learned step (one for each layer, four codes from −2
# to 1) earns its place. At three bits it came out worse than the simple scale, but the comparison is not fair: one step
# for a layer against one scale for each channel; and the paper trained longer, with a teacher's help.

# %% [markdown]
# ### Your own learned step, at two bits
#
# The same network is trained twice at W2A4, on the same 7,500 images in the same order: with your layers as they are,
# and with an `LSQ(2)` of yours in each of them in the place of `fake_weight`. (About 15 s on one core.)
#
# <details><summary><b>Predict first.</b> The steps start at 2·mean|w|, untrained. After two short epochs, which way
# will most of them have moved, and by a factor of two or by a few percent?</summary>By a few percent; the last line
# prints it. The weights do the moving.</details>

# %% tags=["nbval-ignore-output"]
def with_learned_steps(net, bits):
    """Each layer rounds its weight with a learned step, which is a parameter of the layer and so is trained with it."""
    for layer in [m for m in net.modules() if isinstance(m, (QATLinear, QATConv2d))]:
        layer.learned = LSQ(bits)
        layer.fake_weight = lambda layer=layer: layer.learned(layer.weight)
    return net

two_bits = {"largest weight": prepare_qat(model, 2, 4), "your LSQ": with_learned_steps(prepare_qat(model, 2, 4), 2)}
hits, first_steps = {}, []
for name, net in two_bits.items():
    with torch.no_grad():
        for x in train_x[:1024].split(64):
            net(x)
    steps = [m for m in net.modules() if isinstance(m, LSQ)]
    first_steps += [m.step.item() for m in steps]
    before, began = measure.accuracy(net, val_x, val_y), time.process_time()
    train.fit(net, train_x[:7_500], train_y[:7_500], epochs=2, lr=1e-3, batch=64, progress=False)
    seconds = time.process_time() - began
    with torch.no_grad():
        hits[name] = torch.cat([net(x).argmax(1) for x in val_x.split(500)]) == val_y
    print(f"W2A4, {name:14}: {before:5.2f} % before training, {100 * hits[name].float().mean():5.2f} % after {seconds:.0f} CPU seconds")
gain = hits["your LSQ"].float() - hits["largest weight"].float()
print(f"difference {100 * gain.mean():.1f} points, standard error over the {len(gain):,} images {100 * gain.std() / math.sqrt(len(gain)):.1f}; "
      f"standard deviation over seeds, from the table above: {np.std(made['table']['W2A4']['QAT'], ddof=1):.1f} and {np.std(made['table']['W2A4']['QAT, LSQ'], ddof=1):.1f}")
print("step after / before, layer by layer:", *(f"{m.step.item() / first:.2f}" for m, first in zip(steps, first_steps)))

# %% [markdown]
# ## 7. From fake to real: integers
#
# So far floats only pretended. What is stored are each layer's codes, one scale a channel, the bias, and scale and zero
# point of the input. Do integers compute the same? Write both factors of a product in codes, $\hat x = s_x (q_x - z)$
# and $\hat w_o = s_o\, q_o$, and pull what does not depend on the sum out of it:
#
# $$\sum_i \hat x_i\, \hat w_{oi} + b_o \;=\; s_x s_o \sum_i (q_{x,i} - z)\, q_{oi} \;+\; b_o .$$
#
# The sum on the right holds integers only, and nothing is approximated: it is the distributive law. It asks that
# $\hat w$ is *exactly* $s_o q_o$, and that the scale does not vary along the sum: one for each *output* channel is
# fine. A convolution's padding is the code $z$, which is exact since the range holds 0.

# %% [markdown]
# ### Exercise 6 · `convert`
#
# The measured exercise: the test trains the small CNN at W3A4 with your layers, packs your codes at three bits each,
# reads them back, and runs them with integers.
#
# <details><summary>Hint 1, a nudge</summary><code>named_modules()</code> gives names and modules;
# <code>isinstance(module, (QATLinear, QATConv2d))</code>. </details>
#
# <details><summary>Hint 2, the recipe in words</summary>For each QAT layer by name: its scale, the codes that this
# scale gives, its bias, and step and zero point of its input.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>scale = module.weight_scale()</code>; codes are
# <code>torch.round(weight / scale)</code> with the scale in the shape <code>[out, 1, …]</code>, as
# <code>torch.int8</code>. Return this very scale, not one fitted to the codes afterwards.</details>

# %% exercise="convert" minutes=12 difficulty=2
def convert(qat_model: nn.Module) -> dict[str, dict]:
    """What is left to store of a model made by prepare_qat and trained: integers and scales.

    Args:
        qat_model: its layers have seen at least one training batch; bits_w is at most 8. It is not changed.

    Returns:
        name of each QATLinear and QATConv2d (as in `named_modules()`) -> a dict of
        `codes` int8, of the shape of the weight, in -Q .. Q; `scale` float32 `[out]`; `bias` float32 `[out]` or None;
        `act_scale` float; `act_zero_point` int. `codes * scale` (by output channel) equals `fake_weight()`.
        Tensors that require no gradient and share no memory with the model.

    Source: Jacob et al. 2018, arXiv:1712.05877, section 2.
    """
    ### BEGIN SOLUTION
    layers = {}
    for name, module in qat_model.named_modules():
        if isinstance(module, (QATLinear, QATConv2d)):
            weight, scale = module.weight.detach(), module.weight_scale().detach()
            codes = torch.round(weight / scale.reshape(-1, *[1] * (weight.dim() - 1))).to(torch.int8)
            act_scale, zero_point = module.act_qparams()
            bias = None if module.bias is None else module.bias.detach().clone()
            layers[name] = {"codes": codes, "scale": scale, "bias": bias, "act_scale": act_scale, "act_zero_point": zero_point}
    return layers
    ### END SOLUTION

# %% test="convert" points=6
# Checked here: codes, scales, biases and keys of three models; ratio and won-back accuracy of the small CNN.
# Hidden tests: more models and bits, batch norms, zeros, the accuracy on images that nobody has seen.
# NBVAL_IGNORE_OUTPUT
from_scratch(convert, FORBIDDEN)

@probe
def converted(spec, state, bits, batches):
    """What convert returns for a prepared model that has seen some batches, and what its layers say."""
    qat = prepare_qat(checks06.network(spec, state), *bits)
    for x in batches:
        qat(x)
    modules = [(n, m) for n, m in qat.named_modules() if isinstance(m, (QATLinear, QATConv2d))]
    bias = lambda m: None if m.bias is None else m.bias.detach().clone()
    said = {
        n: {"fake": m.fake_weight().detach().clone(), "act": list(m.act_qparams()), "bias": bias(m)}
        for n, m in modules
    }
    state, modes = {k: t.clone() for k, t in qat.state_dict().items()}, checks06.modes(qat)
    layers = convert(qat)
    left = {
        "changed": [k for k, t in qat.state_dict().items() if checks06.difference(t, state[k])],
        "modes": checks06.modes(qat) == modes,
    }
    owned = {t.untyped_storage().data_ptr() for t in qat.state_dict().values()}
    for n, layer in [(n, layer) for n, layer in layers.items() if n in said]:
        tensors = {key: t for key, t in dict(layer).items() if isinstance(t, torch.Tensor)}
        said[n]["still trained"] = [key for key, t in tensors.items() if t.requires_grad]
        said[n]["shared"] = [key for key, t in tensors.items() if t.untyped_storage().data_ptr() in owned]
    return {n: dict(layer) for n, layer in layers.items()}, said, left

def codes_and_scales(spec, state, bits, batches):
    """Codes, scales and dtypes of each layer."""
    got, *_ = converted(spec, state, bits, batches)
    return {
        n: {"codes": layer["codes"], "scale": layer["scale"], "dtype": str(layer["codes"].dtype)}
        for n, layer in got.items()
    }

def _check_converted(what, spec, state, bits, batches):
    got, said, left = converted(spec, state, bits, batches)
    with checks06.one_line(what):
        require(
            not left["changed"],
            f"{what}: the weights of the model were changed, {left['changed']}: convert only reads them",
        )
        require(left["modes"], f"{what}: the model came in train mode and was left in eval mode: do not call eval()")
        require(set(got) == set(said), f"{what}: expected the layers {sorted(said)}, yours {sorted(got)}")
        for name, layer in got.items():
            keys = ["act_scale", "act_zero_point", "bias", "codes", "scale"]
            require(sorted(layer) == keys, f"{what}, layer {name}: expected the keys {keys}, yours {sorted(layer)}")
            product, fake = (
                layer["codes"].float() * layer["scale"].reshape(-1, *[1] * (layer["codes"].dim() - 1)),
                said[name]["fake"],
            )
            off = (product - fake).abs() / layer["scale"].reshape(-1, *[1] * (fake.dim() - 1))
            expect(
                product,
                fake,
                f"{what}, layer {name}: codes * scale against fake_weight()",
                checks06.codes_mistakes(fake, off),
                tol=3e-7 * fake.abs(),
            )  # two roundings of float32
            expect(
                [layer["act_scale"], layer["act_zero_point"]],
                said[name]["act"],
                f"{what}, layer {name}: act_scale and act_zero_point",
                tol=1e-6,
            )
            expect(layer["bias"], said[name]["bias"], f"{what}, layer {name}: bias")
            expect(
                said[name]["still trained"],
                [],
                f"{what}, layer {name}: entries that require a gradient",
                checks06.STILL_TRAINED,
            )
            require(
                not said[name]["shared"],
                f"{what}, layer {name}: {said[name]['shared']} shares memory with the model: clone() it",
            )

_random = torch.Generator().manual_seed(80)
_draw = lambda *shape: torch.randn(*shape, generator=_random)

def _expected(spec, state, bits, batches):
    found = {}
    for name, w in state.items():
        if name.endswith("weight"):
            codes, scale = checks06.codes_of(w, bits[0])
            found[name.removesuffix(".weight")] = {
                "codes": codes.to(torch.int8),
                "scale": scale,
                "dtype": "torch.int8",
            }
    return found

_specification = [
    ("Conv2d", 4, 4, 3, {"padding": 1}),
    ("ReLU",),
    ("Flatten",),
    ("Linear", 36, 36),
    ("ReLU",),
    ("Linear", 36, 5, {"bias": False}),
]
_state = checks06.clear_state(_specification, 3, 81)
check(
    codes_and_scales,
    [(_specification, _state, (3, 4), [_draw(2, 4, 3, 3)])],
    _expected,
    {},
    SYMPTOMS["convert"],
    tol=1e-6,
)
_check_converted("W3A4", _specification, _state, (3, 4), [_draw(2, 4, 3, 3), 2 * _draw(2, 4, 3, 3)])
_check_converted(
    "W8A8, 2,400 weights of any size",
    [("Linear", 60, 40)],
    {"0.weight": _draw(40, 60), "0.bias": _draw(40)},
    (8, 8),
    [_draw(4, 60)],
)

# measured: the shipped CNN at W3A4, trained with your layers, packed, read back, computed with integers
@probe
def trained_codes(images, labels):
    qat = prepare_qat(models.load("small_cnn"), 3, 4)
    train.fit(qat, images, labels, epochs=1, lr=2e-3, batch=32, progress=False)
    layers = convert(qat)
    return [(name, dict(layers[name])) for name, m in qat.named_modules() if isinstance(m, (QATLinear, QATConv2d))]

(_images, _labels), (_val_images, _val_labels), _model = (
    data.load("train"),
    data.load("validation"),
    models.load("small_cnn"),
)
_fp32_file = lesson06.written(lesson06.pack_fp32(_model))
_layers = trained_codes(_images[:1920].clone(), _labels[:1920].clone())
_shapes = [(16, 1, 3, 3), (32, 16, 3, 3), (48, 32, 3, 3), (64, 48, 3, 3), (10, 64)]
_your_shapes = [tuple(layer["codes"].shape) for _, layer in _layers]
require(
    _your_shapes == _shapes, f"expected codes of the five layers of the small CNN, {_shapes}, yours {_your_shapes}"
)
require(all(int(layer["codes"].abs().max()) <= 3 for _, layer in _layers), "3-bit codes lie in -3 .. 3")
_file = lesson06.written(lesson06.pack(_layers, 3))
_after, _before = (
    lesson06.IntegerModel(lesson06.unpack(_file), models.small_cnn(), 4),
    lesson06.ptq(_model, _images[:1024], 3, 4),
)

def _won_back(x, y):
    fp32, ptq, mine = (measure.accuracy(m, x, y) for m in (_model, _before, _after))
    require(
        fp32 > 85, f"the shipped model should reach more than 85 % here, it has {fp32:.2f} %: fetch the data again"
    )
    return fp32 - ptq, fp32 - mine, (mine - ptq) / (fp32 - ptq)

_lost, _still_lost, _share = _won_back(_val_images[:2500], _val_labels[:2500])
record(ratio=len(_fp32_file) / len(_file), ptq_drop=_lost, qat_drop=_still_lost, won_back=_share)
require(
    len(_fp32_file) / len(_file) >= 7,
    f"expected a file at least 7 times smaller than {len(_fp32_file):,} bytes, yours has {len(_file):,}",
)
require(
    _share >= 0.5,
    f"expected at least half of the {_lost:.1f} points that PTQ loses to be won back, yours are "
    f"{100 * _share:.0f} %: does the loss fall, and do codes, scales and ranges belong together?",
)
### BEGIN HIDDEN TESTS
for _seed, (_specification, _shape, _bits) in enumerate(
    [
        (
            [("Linear", 6, 6), ("ReLU",), [("Linear", 6, 6, {"bias": False}), ("ReLU",)], ("Linear", 6, 3)],
            (4, 6),
            (4, 8),
        ),
        (
            [("Conv2d", 6, 6, 3, {"groups": 2, "bias": False}), ("ReLU",), ("Conv2d", 6, 6, 1), ("ReLU",)],
            (2, 6, 5, 5),
            (2, 4),
        ),
        ([("Linear", 20, 30)], (4, 20), (8, 8)),
    ],
    82,
):
    _state = checks06.clear_state(_specification, _bits[0], _seed)
    check(
        codes_and_scales,
        [(_specification, _state, _bits, [_draw(*_shape)])],
        _expected,
        {},
        SYMPTOMS["convert"],
        tol=1e-6,
    )
    _check_converted(
        f"W{_bits[0]}A{_bits[1]}", _specification, _state, _bits, [_draw(*_shape) - 1, 2 * _draw(*_shape)]
    )
_check_converted(
    "W7A8, 4,000 weights",
    [("Linear", 80, 50)],
    {"0.weight": 0.01 * _draw(50, 80), "0.bias": _draw(50)},
    (7, 8),
    [_draw(3, 80)],
)
_specification = [
    ("Conv2d", 3, 8, 3, {"bias": False}),
    ("BatchNorm2d", 8),
    ("ReLU",),
    [("Conv2d", 8, 8, 3, {"padding": 1}), ("BatchNorm2d", 8)],
    ("Skip", [("Conv2d", 8, 8, 1)]),
    ("Flatten",),
    ("Linear", 72, 4),
]
_check_converted(
    "with batch norms", _specification, checks06.random_state(_specification, 85), (3, 4), [_draw(2, 3, 5, 5)]
)
_zero = {"0.weight": torch.zeros(2, 3), "0.bias": torch.ones(2)}
expect(
    codes_and_scales([("Linear", 3, 2)], _zero, (3, 4), [_draw(2, 3)])["0"]["codes"],
    torch.zeros(2, 3, dtype=torch.int8),
    "a layer of zeros",
)
# measured again on images that nobody has seen: a part of the test set, mirrored
_tx, _ty = (t[5000:7500] for t in data.load("test"))
_lost, _still_lost, _share = _won_back(_tx.flip(-1), _ty)
record(held_back_won_back=_share)
require(
    _share >= 0.5,
    f"expected at least half of the {_lost:.1f} points that PTQ loses on unseen images to be won back, yours are {100 * _share:.0f} %",
)
### END HIDDEN TESTS

# %% [markdown]
# Now your own network of section 6. `lesson06.pack` writes the codes at 3 bits each, scales and biases as float32;
# `lesson06.IntegerModel` rounds each layer's input to codes, multiplies and adds nothing but integers, and scales the
# sum once.
#
# <details><summary><b>Predict first.</b> Fake quantization computes with floats, the engine with integers. On how many
# of 5,000 images will they name another class?</summary>On none, or next to none: fake quantization was made to compute
# what the integers will.</details>

# %% tags=["nbval-ignore-output"]
layers = list(convert(qat).items())
blob, fp32_blob = lesson06.written(lesson06.pack(layers, 3)), lesson06.written(lesson06.pack_fp32(model))
integers = lesson06.IntegerModel(lesson06.unpack(blob), models.small_cnn(), bits_a=4)
with torch.no_grad():
    fake, real = (torch.cat([m(x) for x in val_x.split(500)]) for m in (qat, integers))
print(f"file: FP32 {len(fp32_blob):,} bytes, W3A4 {len(blob):,} bytes: {len(fp32_blob) / len(blob):.2f} times smaller ({measure.size_bytes(model) / len(blob):.2f} times, against torch.save)")
print(f"won back of the PTQ loss: {100 * won_back:.0f} %")
print(f"same class for {(fake.argmax(1) == real.argmax(1)).sum():,} of {len(val_x):,} images; largest difference of a logit {(fake - real).abs().max():.1e}, of logits up to {fake.abs().max():.0f}")

# %% [markdown]
# The difference comes from float32, which rounds at each addition; the integer sums are exact. (Such a last bit can tip
# a value between two codes, and then a logit differs visibly.) So accuracy measured with fake quantization *is* the
# accuracy of the integers. The ratio stays below 32 / 3 = 10.7, because scales and biases are still FP32.
#
# ## 8. Real int8 kernels
#
# No processor multiplies 3-bit numbers, but int8 units exist everywhere. `onnx06.write_onnx` writes your layers as ONNX
# operators: `QLinearConv` takes uint8 activations and int8 weights, adds in int32, and rounds to the codes of the next
# layer. Its output saturates at code 0, a ReLU for free, and a `Clip` holds it below 16.

# %% tags=["nbval-ignore-output"]
import os
import tempfile

folder = tempfile.TemporaryDirectory()
path = {name: os.path.join(folder.name, f"{name}.onnx") for name in ("FP32", "W3A4")}
with torch.no_grad():
    largest = onnx06.before_pool(qat)(train_x[:1024]).max().item()  # of the last convolution, which has no layer behind it that says so
onnx06.write_onnx_fp32(model, path["FP32"])
onnx06.write_onnx(layers, models.small_cnn(), path["W3A4"], 4, largest)
runtime = {name: onnx06.onnx_model(file) for name, file in path.items()}
logits = torch.cat([runtime["W3A4"](x) for x in val_x.split(500)])
import onnx
print("operators:", *sorted({node.op_type for node in onnx.load(path["W3A4"]).graph.node}))
print(f"same class as the fake-quantized model for {100 * (logits.argmax(1) == fake.argmax(1)).float().mean():.2f} % of the validation images; mean difference of a logit {(logits - fake).abs().mean():.3f}")
print(f"accuracy: fake {measure.accuracy(qat, val_x, val_y):.2f} %, integers {measure.accuracy(integers, val_x, val_y):.2f} %, ONNX Runtime int8 {measure.accuracy(runtime['W3A4'], val_x, val_y):.2f} %")

# %% [markdown]
# Parity is not perfect: the runtime rounds the bias to int32 units of $s_x s_o$, and the output of the last convolution
# to 256 codes.
#
# The table, with the test images, looked at for the first and only time.

# %% tags=["nbval-ignore-output"]
test_x, test_y = data.load("test")
ptq_model = lesson06.ptq(model, train_x[:1024], 3, 4)
rows = {"FP32": (model, len(fp32_blob)), "W3A4, PTQ": (ptq_model, len(blob)), "W3A4, QAT": (qat, len(blob)), "W3A4, QAT, integers": (integers, len(blob)),
        "ONNX Runtime FP32": (runtime["FP32"], os.path.getsize(path["FP32"])), "ONNX Runtime int8, W3A4": (runtime["W3A4"], os.path.getsize(path["W3A4"]))}
accuracies = {name: measure.accuracy(m, test_x, test_y) for name, (m, _) in rows.items()}
for name, (_, size) in rows.items():
    print(f"{name:24} {size:9,} bytes   {accuracies[name]:.2f} % of the test images")
lost, left = (accuracies["FP32"] - accuracies[name] for name in ("W3A4, PTQ", "W3A4, QAT"))
print(f"PTQ loses {lost:.2f} points, QAT {left:.2f}: {100 * (1 - left / lost):.0f} % won back; file {len(fp32_blob) / len(blob):.2f} times smaller")

# %% [markdown]
# ONNX Runtime's file holds a byte for each code, so it is about four times smaller than FP32, not ten. Lesson 02,
# section 10, measured how much faster it runs.
#
# ### The same with the library
#
# PyTorch's own QAT lives in **torchao** now. `quantize_` with a `QATConfig` gives linear layers fake quantization, in
# place; `step="convert"` turns them back into plain layers, ready for real integers. It handles linear layers only, so
# the patient is LeNet-300-100, with 2-bit weights and 8-bit activations (torchao: one range for each image, found on
# the fly).

# %% tags=["nbval-ignore-output"]
with lesson06.silence():
    from torchao.quantization import quantize_
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

mlp = models.load("lenet_300_100")
library, by_hand = copy.deepcopy(mlp), prepare_qat(mlp, 2, 8)
config = {"activation_config": IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False), "weight_config": IntxFakeQuantizeConfig(torch.int2, "per_channel")}
with lesson06.silence():
    quantize_(library, QATConfig(**config, step="prepare"))
with torch.no_grad():
    by_hand(train_x[:1024])
print(f"LeNet-300-100, FP32: {measure.accuracy(mlp, val_x, val_y):.2f} % of the validation images")
print("W2A8        before training   after     CPU seconds")
for name, net in {"by hand": by_hand, "torchao": library}.items():
    before, began = measure.accuracy(net, val_x, val_y), time.process_time()
    train.fit(net, train_x[:15_000], train_y[:15_000], epochs=2, lr=1e-3)
    print(f"{name}        {before:6.2f} %     {measure.accuracy(net, val_x, val_y):6.2f} %     {time.process_time() - began:.1f}")
with lesson06.silence():
    quantize_(library, QATConfig(step="convert"))
print("after convert:", ", ".join(type(m).__name__ for m in library), "- plain layers again, trained to survive the rounding")

# %% [markdown]
# The same idea with different choices: torchao's grid has a fourth code, −2, and a step of two thirds of the largest
# weight, which matters much more at two bits than at four. For convolutions torchao has the graph-based sister
# `prepare_qat_pt2e` (PT2E: lesson 02). It scales weights by the running statistics before it rounds them, and keeps the
# batch norm behind them.
#
# ## Pitfalls
#
# - **Training what is not deployed.** Whatever the deployed network rounds, the first and the last layer too, must be
#   rounded in training, in the same place.
# - **The learning rate of the first training.** It throws the trained network away. Take a tenth, falling to 0.
# - **Weight decay and clipping.** A clipped weight gets no gradient. Weight decay still moves it; without any, it stays
#   outside for good.
# - **A scale computed twice.** Codes made with one scale and stored with another: shapes fit, accuracy is a little
#   worse. Compare `codes * scale` with the fake weight, bit by bit.
# - **Comparing QAT with nothing.** Fine-tuning alone can raise accuracy. The fair baseline is the float network trained
#   for the same two epochs.
#
# ## Questions
#
# <details><summary>The straight-through gradient is not the gradient of the loss. Why does training with it work at
# all?</summary>It is the gradient of a smoothed loss, as if noise had been added before the rounding, and need only
# lead downhill on average. Where the steps are huge (two bits), it is a poor guide.</details>
#
# <details><summary>Why does the weight need a float copy during training, if only codes are used?</summary>One update
# is far smaller than a step: added to a code and rounded, it would vanish. The float copy adds up many until they cross
# an edge.</details>
#
# <details><summary>At W8A8 QAT gained nothing. Would you still use it?</summary>Not for this network: calibration takes
# seconds and needs no labels. Where eight bits cost points (small depthwise networks, wide outliers), try better ranges
# and per-channel scales, then a short QAT.</details>
#
# <details><summary>LSQ learns the step. Could it also learn that a channel needs no bits at all?</summary>The step can
# grow until all values of a channel round to 0, which is pruning, but nothing brings it back. Methods that learn
# bit-widths add a cost per bit to the loss.</details>

# %% [markdown] question="question_qat_or_not" points=4
# ### For your teacher
#
# A team has an image classifier for a doorbell: FP32 92 %, PTQ at W8A8 91.8 %, PTQ at W4A4 80 %. The chip multiplies
# 4-bit integers twice as fast as 8-bit ones. They propose to train a new 4-bit network from random weights with batch
# norms in place, and to fold them at the end. In at most ten sentences: what would you do instead and in which order,
# what exactly must be rounded during training, how would you show that the exported integers are the network that was
# measured, and when would you stay at 8 bits? Write your answer in the cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: starts from the trained FP32 network; tries cheap means first (per-channel scales, better ranges, first and
# last layer at 8 bits); then QAT with folded batch norms, rounding weights and inputs of every layer as deployed,
# ranges by moving average and frozen in eval, small falling learning rate; compares with the float network fine-tuned
# equally; checks codes * scale against the fake weights and the predictions of the exported model against the
# fake-quantized one on unseen images; stays at 8 bits if the remaining loss or the measured (not promised) speed-up
# does not pay.
#
# 2 points: proposes QAT from the trained network and checks accuracy afterwards, but says nothing on folding or on
# parity of the export.
#
# 0 or 1 point: trains longer or calibrates with more data and expects 4 bits to recover; or believes that fake
# quantization is faster.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## An open experiment
#
# Spend two bits where they hurt least. Train W2A4 with a learned step, but let one layer of your choice keep eight
# bits, and find the layer that buys the most accuracy for a byte. Is it the one that lesson 02's sensitivity would have
# named? There is no right answer: training moves the sensitivities that you measured before.

# %% [markdown]
# ## References
#
# - Y. Bengio, N. Léonard, A. Courville (2013). *Estimating or Propagating Gradients Through Stochastic Neurons for
#   Conditional Computation.* arXiv:1308.3432
# - B. Jacob et al. (2018). *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
#   Inference.* arXiv:1712.05877
# - R. Krishnamoorthi (2018). *Quantizing Deep Convolutional Networks for Efficient Inference: A Whitepaper.*
#   arXiv:1806.08342
# - S. K. Esser et al. (2020). *Learned Step Size Quantization.* arXiv:1902.08153
# - M. Nagel et al. (2020). *Up or Down? Adaptive Rounding for Post-Training Quantization.* arXiv:2004.10568
# - M. Nagel et al. (2021). *A White Paper on Neural Network Quantization.* arXiv:2106.08295
# - M. Nagel et al. (2022). *Overcoming Oscillations in Quantization-Aware Training.* arXiv:2203.11086
