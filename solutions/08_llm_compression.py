# %% [markdown]
# # 08 · Language models in 4 bits and fewer
#
# **The idea in two sentences.** A language model is read whole, once for every token that it
# writes, so its bytes are its speed. Store each weight in 4 bits or 3, choose the roundings with
# the inputs in mind, and most of its ability stays.
#
# After this lesson you can
#
# - measure a language model by its perplexity, and say what that number does not tell,
# - find outlier channels, and move them into the weights (SmoothQuant) or protect them (AWQ),
# - write GPTQ, which rounds one column at a time and lets the others make up for it,
# - make the formats of practice: NF4 with double quantization, and the Q4_0 blocks of a GGUF file,
# - quantize a KV cache, and reckon whether a model fits into a given memory.
#
# **Why it matters.** A model of 70 billion parameters takes 140 GB in float16 and 35 GB at 4 bits:
# two large data-centre cards, or less than one. Frantar et al. (2023) compressed a model of 175
# billion parameters to 3 and 4 bits in about four GPU hours, with little loss. You will write their
# algorithm in some fifteen lines.
#
# **What you need:** from [lesson 01](../01_quantization_math/01_quantization_math.ipynb) scale and
# zero point (section 2), one scale per group (section 5), clipping against rounding (section 6) and
# how codes go into a file (section 8). Plan three to four hours; each exercise says what it costs.
# Run the cells from the top, replace each `raise NotImplementedError()`, and run the test below it.

# %% setup
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import language, measure, models, plot, widgets
from bonsai.testing import Clauses, check, check_errors, check_inputs, expect, fresh, from_scratch
from bonsai.testing import probe, require
import checks08
import lesson08
import libraries08
import pictures08

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you. Everything else in torch and numpy is allowed.
FORBIDDEN = [
    *("torch.ao", "torchao", "torch.quantize_per_tensor", "torch.quantize_per_channel"),
    *("torch.fake_quantize_*", "bitsandbytes", "gguf", "gptqmodel", "auto_gptq", "awq"),
    *("llmcompressor", "transformers", "optimum", "hqq"),
]

@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)

# %% [markdown]
# ## 1. The patient, and how to measure it
#
# Our patient has read one book. `small_decoder` is a decoder as they are built today, only small:
# RMSNorm, rotary positions, grouped-query attention (four heads of queries share two of keys and
# values), a SwiGLU feed-forward part, and an embedding that is also the output layer. It was
# trained by `data/make_checkpoint08.py` on *Pride and Prejudice*, without every fifth chapter;
# those are held back for us. Its alphabet has 1,024 tokens: all bytes, and 768 pieces of words
# learned from the book (`bonsai/language.py` shows all of it, in about 250 lines).

# %% tags=["nbval-ignore-output"]
model = models.load("small_decoder")
tokenizer = language.tokenizer()
prompt = "Mr. Darcy looked at her, and"
ids = tokenizer.encode(prompt)
print("tokens:", [tokenizer.decode([i]) for i in ids])
print(prompt + tokenizer.decode(model.generate(ids, 40)))
parameters = sum(p.numel() for p in model.parameters())
layers = {name: m for name, m in model.named_modules() if type(m) is nn.Linear}
inside = sum(m.weight.numel() for m in layers.values())
print(f"{parameters:,} parameters, of them {inside:,} in {len(layers)} linear layers")

# %% [markdown]
# Always taking the likeliest token soon runs in a circle, in a very good style. How good is the
# model? A language model gives each possible next
# token a probability. Over a text $t_1, t_2, \dots$ its **log-loss** is the mean of
# $-\ln p(t_{i+1} \mid t_1 \dots t_i)$, and **perplexity** is
#
# $$\mathrm{PPL} = \exp\Bigl(\frac1N \sum_i -\ln p(t_{i+1} \mid t_1 \dots t_i)\Bigr).$$
#
# A model that guesses among $k$ equally likely tokens has perplexity $k$; so read it as *the
# number of tokens between which the model hesitates*. Two models can be compared by it only over
# the same text, the same tokens, and windows of the same length: a token at the start of a window
# has little to go by.

# %% [markdown]
# ### Exercise 1 · `perplexity`
#
# <details><summary>Hint 1</summary>Logits at place i are about the token at place i + 1. How many
# tokens of a window of n are predicted?</details>
#
# <details><summary>Hint 2</summary>For each window <code>ids</code> of at least two tokens:
# logits of <code>ids[None]</code>, without the last row; targets are <code>ids[1:]</code>. Add up
# the losses of all windows, count the predicted tokens, divide once, take
# <code>math.exp</code>.</details>
#
# <details><summary>Hint 3</summary><code>F.cross_entropy(logits[0, :-1], ids[1:],
# reduction="sum").item()</code> is the loss of one window.</details>

# %% exercise="perplexity" minutes=10 difficulty=2
def perplexity(model, tokens: torch.Tensor, window: int) -> float:
    """Perplexity of a language model over a text that is cut into disjoint windows.

    Args:
        model: `model(ids[None])` gives logits, float `[1, n, V]`, for ids int64 `[n]`.
        tokens: the text, int64 `[N]`, N >= 2.
        window: tokens of a window, >= 2. The last may be shorter; it counts from 2 tokens on.

    Returns:
        exp of the mean log-loss (natural logarithm) of all predicted tokens. In each window every
        token but the first is predicted once, from those before it in the same window.

    >>> uniform = lambda ids: torch.zeros(*ids.shape, 7)
    >>> round(perplexity(uniform, torch.tensor([3, 1, 4, 1, 5]), 4), 4)
    7.0

    Source: Jelinek et al. 1977, doi:10.1121/1.2016299.
    """
    ### BEGIN SOLUTION
    total, count = 0.0, 0
    with torch.no_grad():
        for ids in tokens.split(window):
            if len(ids) > 1:
                logits = model(ids[None])[0, :-1]
                total += F.cross_entropy(logits, ids[1:], reduction="sum").item()
                count += len(ids) - 1
    return math.exp(total / count)
    ### END SOLUTION

# %% test="perplexity" points=3
# Checked here: two short texts, one with a short last window, against a loop over single tokens.
# Hidden tests: other texts and windows, a left-over token, a window longer than the text.
from_scratch(perplexity, FORBIDDEN)
@probe
def perplexity_of(table, tokens, window):
    """The exercise on a model whose logits depend on the token and on its place in the window."""
    def table_model(ids):
        place = torch.arange(ids.shape[-1])[:, None]
        return table[ids] + 0.5 * place * table[0]
    return perplexity(table_model, tokens, window)

cases = [
    checks08.text_case(vocabulary=5, count=12, window=4, seed=81),
    checks08.text_case(vocabulary=6, count=11, window=4, seed=83),
]
check(perplexity_of, cases, checks08.slow_perplexity, checks08.PERPLEXITY_MISTAKES, tol=1e-4)
### BEGIN HIDDEN TESTS
_cases = [
    checks08.text_case(9, 30, 7, 91), checks08.text_case(4, 13, 4, 93),
    checks08.text_case(5, 6, 50, 95), checks08.text_case(3, 2, 2, 97),
    checks08.text_case(5, 8, 2, 99), checks08.text_case(7, 13, 5, 101),
]
check(perplexity_of, _cases, checks08.slow_perplexity, checks08.PERPLEXITY_MISTAKES, tol=1e-4)
_again = perplexity_of(*_cases[0])
check(perplexity_of, _cases[1:] + _cases[:1], checks08.slow_perplexity, {}, tol=1e-4)
### END HIDDEN TESTS

# %% [markdown]
# The held-back chapters come in two parts: *validation*, which this notebook looks at as often as
# it likes, and *test*, which the last table sees once. Shuffled, the same words are a different
# matter:

# %% tags=["nbval-ignore-output"]
validation = language.tokens("validation")
some = validation[:4096]
shuffled = some[torch.randperm(len(some))]
print(f"validation text: perplexity {perplexity(model, some, 128):.2f}")
print(f"the same tokens, shuffled: {perplexity(model, shuffled, 128):.0f}; a blind guess: 1024")
for window in (8, 32, 128):
    print(f"windows of {window:3} tokens: {perplexity(model, some, window):.2f}")

# %% [markdown]
# Windows of 128 tokens are what we compare from now on. (The model was trained on windows of
# 128 tokens; longer ones are strange to it.)
#
# ## 2. Round to nearest, in groups
#
# The simplest compression: **round to nearest** (RTN), as in lesson 01. One scale for each group
# of 32, 64 or 128 weights along the input, codes from $-Q$ to $Q = 2^{b-1}-1$. The codes take $b$
# bits a weight and the scale, in float16, $16/g$ bits more: 4.25 bits for $b=4$, $g=64$.

# %% [markdown]
# ### Exercise 2 · `rtn`
#
# <details><summary>Hint 1</summary><code>w.split(group, dim=1)</code> gives the groups, the short
# last one included. What is the scale of a group of zeros?</details>
#
# <details><summary>Hint 2</summary>For each part: the largest magnitude of each row, kept as a
# column; divided by Q it is the scale, or 1 where it is 0. Round <code>part / scale</code>,
# multiply, and put the parts together again with <code>torch.cat(parts, 1)</code>.</details>
#
# <details><summary>Hint 3</summary><code>scale = part.abs().amax(1, keepdim=True) / q</code>, then
# <code>torch.round(part / scale) * scale</code>.</details>

# %% exercise="rtn" minutes=8 difficulty=1
def rtn(w: torch.Tensor, bits: int, group: int) -> torch.Tensor:
    """Weights rounded to the nearest of a few levels, as float again.

    Args:
        w: float32 `[out, in]`. It is not changed.
        bits: at least 2; codes lie in -Q .. Q with `Q = 2**(bits-1) - 1`.
        group: weights along `in` that share a scale; the last group of a row may be shorter.

    Returns:
        float32 `[out, in]`: `code * scale`, `scale = max|group| / Q`, `code = round(w / scale)`.
        A group of zeros stays a group of zeros.

    >>> rtn(torch.tensor([[0.9, -0.2, 0.3, 8.0]]), 3, 2)
    tensor([[0.9000, -0.3000, 0.0000, 8.0000]])

    Source: Dettmers and Zettlemoyer 2023, arXiv:2212.09720, section 2 (block-wise quantization).
    """
    ### BEGIN SOLUTION
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):
        largest = part.abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest / q, 1.0)
        parts.append(torch.round(part / scale) * scale)
    return torch.cat(parts, 1)
    ### END SOLUTION

# %% test="rtn" points=3
# Checked here: groups that fit and groups that do not, at 2, 3 and 4 bits, and the input unchanged.
# Hidden tests: other shapes, a single weight, zeros, tiny and large values, transposed inputs.
from_scratch(rtn, FORBIDDEN)
w = checks08.random(4, 4, seed=5)
cases = [(w, 3, 2), (checks08.random(3, 7, seed=6), 4, 3), (checks08.random(2, 8, seed=7), 2, 8)]
check(rtn, cases, checks08.slow_rtn, checks08.RTN_MISTAKES, tol=1e-6)
check_inputs(inputs_after, rtn, w, 4, 2)
### BEGIN HIDDEN TESTS
_zeros = checks08.random(3, 9, seed=8)
_zeros[1, 3:6] = 0.0
_cases = [
    (checks08.random(5, 5, seed=9), 3, 2), (checks08.random(1, 1, seed=10), 4, 64), (_zeros, 4, 3),
    (checks08.random(7, 12, seed=11).T, 3, 5), (checks08.random(2, 130, seed=12), 8, 64),
    (checks08.random(3, 3, seed=13, scale=1e4), 2, 1), (torch.full((2, 4), -0.7), 3, 4),
    (checks08.random(1, 6, seed=14).expand(3, 6), 4, 4),
]
check(rtn, _cases, checks08.slow_rtn, checks08.RTN_MISTAKES, tol=1e-6)
_w = checks08.random(3, 10, seed=15)
_tiny = rtn(_w * 2.0**-18, 4, 4) * 2.0**18
expect(_tiny, checks08.slow_rtn(_w, 4, 4), "rtn of tiny weights", checks08.ADDED, tol=1e-6)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary><b>Predict first.</b> By how much does the perplexity rise at 8, 4, 3 and 2
# bits, groups of 64? Write down four numbers in per cent.</summary> Each bit less doubles the
# step, so the squared error of a weight grows about fourfold, and the first rises are small. At 2
# bits something else happens: symmetric codes are −1, 0 and 1, and most weights become 0. The
# next cell has the numbers.</details>

# %% tags=["nbval-ignore-output"]
windows = lesson08.windows("validation", 32)  # spread over the whole text, so not the tokens of section 1
baseline = lesson08.loss(model, windows)
print(f"FP32: perplexity {math.exp(baseline):.2f} on {windows[:, 1:].numel():,} predicted tokens")
rtn_rise = {}
for bits in (8, 4, 3, 2):
    for group in (128, 64, 32):
        rounded = lesson08.quantized(model, lambda name, w: rtn(w, bits, group))
        rtn_rise[bits, group] = 100 * (math.exp(lesson08.loss(rounded, windows) - baseline) - 1)
    row = "".join(f"   group {g:3}: {rtn_rise[bits, g]:+7.2f} %" for g in (128, 64, 32))
    print(f"{bits} bits{row}")

# %% [markdown]
# Smaller groups help, and cost bits: $16/32$ is half a bit for each weight. Everything below is an
# attempt to get the same, or more, without paying for it.

# %% [markdown]
# ## 3. Outliers
#
# A group's scale follows its largest value. If one value is far larger than the rest, the rest is
# rounded to almost nothing. In language models of some size this happens with *activations*: a few
# channels, the same ones in layer after layer, carry values ten or a hundred times the typical one
# (Dettmers et al. 2022). Weights are tamer. Before a remedy, look.

# %% [markdown]
# ### Exercise 3 · `outlier_channels`
#
# <details><summary>Hint 1</summary>The last axis holds the channels. Everything else is a token,
# however many axes that is.</details>
#
# <details><summary>Hint 2</summary><code>x.abs().reshape(-1, channels)</code>, the maximum over the
# first axis, and where it is above the threshold.</details>
#
# <details><summary>Hint 3</summary><code>(x.abs().flatten(0, -2).amax(0) &gt;
# threshold).nonzero()[:, 0]</code>; a tensor with one axis only is a single token.</details>

# %% exercise="outlier_channels" minutes=6 difficulty=1
def outlier_channels(x: torch.Tensor, threshold: float) -> torch.Tensor:
    """The channels that hold a value of a magnitude above the threshold, at any token.

    Args:
        x: float32 `[..., channels]`, for example `[batch, tokens, channels]`.
        threshold: a magnitude; 6.0 in the paper.

    Returns:
        int64 `[k]`: indices of the channels with `max |x[..., c]| > threshold`, ascending; or none.

    >>> outlier_channels(torch.tensor([[0.5, -7.0, 1.0], [0.1, 2.0, 6.5]]), 6.0)
    tensor([1, 2])

    Source: Dettmers et al. 2022, arXiv:2208.07339, section 4 (LLM.int8()).
    """
    ### BEGIN SOLUTION
    largest = x.abs().reshape(-1, x.shape[-1]).amax(0)
    return torch.nonzero(largest > threshold).flatten()
    ### END SOLUTION

# %% test="outlier_channels" points=2
# Checked here: negative outliers, a channel that only reaches the threshold, three axes.
# Hidden tests: other shapes, no outlier at all, a single token, inputs that are not contiguous.
from_scratch(outlier_channels, FORBIDDEN)
x = torch.tensor([[0.5, -7.0, 1.0, 6.0], [0.1, 2.0, 6.5, -6.0], [0.0, 1.0, -1.0, 0.2]])
deep = checks08.random(2, 3, 3, seed=21, scale=2.0)
cases = [
    (x, 6.0), (deep, 2.0), (checks08.random(5, 5, seed=22), 1.5), (torch.full((2, 3), 3.0), 2.0),
    (torch.tensor([[10.0, 1.0], [10.0, 1.0]]), 3.0),
]
check(outlier_channels, cases, checks08.slow_outliers, checks08.OUTLIER_MISTAKES)
### BEGIN HIDDEN TESTS
_cases = [
    (torch.tensor([[1.0, -3.0, 2.0], [-2.0, 1.0, 2.0], [0.5, 2.0, -2.5]]), 2.0),
    (checks08.random(2, 2, 4, 6, seed=23, scale=3.0), 5.0), (checks08.random(7, 3, seed=24).T, 1.0),
    (checks08.random(9, seed=25), 1.0), (checks08.random(4, 4, seed=26), 100.0),
    (checks08.random(4, 3, 4, seed=27, scale=2.0), 3.5), (torch.tensor([[5.0]]), 4.0),
    (checks08.random(4, 3, 5, seed=28, scale=2.0).permute(1, 0, 2), 3.0), (torch.full((3, 4), -2.0), 1.0),
]
check(outlier_channels, _cases, checks08.slow_outliers, checks08.OUTLIER_MISTAKES)
### END HIDDEN TESTS

# %% [markdown]
# A fixed threshold needs a known scale. To compare layers, take each channel's largest magnitude
# and divide it by the median channel's: a layer without outliers is near 1, and "6" means six
# times the typical channel.

# %% tags=["nbval-ignore-output"]
calibration = lesson08.calibration()
inputs = lesson08.inputs(model, calibration)
print("input of layer  largest / median channel   channels above 6 times the median")
for name in ("0.attention.q", "2.attention.q", "2.mlp.gate", "2.mlp.down"):
    x = inputs[f"layers.{name}"]
    median = x.abs().amax(0).median().item()
    found = outlier_channels(x, 6 * median)
    print(f"{name:14} {x.abs().max().item() / median:16.1f} {len(found):23} of {x.shape[1]}")
recorded = lesson08.results()
q_layer = model.layers[2].attention.q
there = recorded["smollm2"]["channels"]
print("SmolLM2, largest / median, by block:", *there["largest / median, by block"])
often = there["blocks in which a channel exceeds 6 medians"]
told = [f"{channel} in {n} of 30 blocks" for channel, n in often.items()]
print("its channels above 6 medians:", ", ".join(told))
pictures08.draw_channels(inputs["layers.2.attention.q"], q_layer.weight, recorded)

# %% [markdown]
# *Picture: two panels of the largest magnitude by channel, sorted, in units of the median channel.
# Left, the small model: inputs and weights both nearly flat. Right, one layer of SmolLM2-135M as
# recorded: a few input channels rise far above the rest, the weights stay flat.*
#
# No outliers here. Our model has a million parameters and has read one book; what makes channels
# grow out of proportion needs a larger model and far longer training. On the right is one that
# has them: SmolLM2 with 135 million parameters, measured by `data/make_lesson08.py`. A few
# channels stick out again and again, in block after block. Section 9 returns to it. Everything
# that follows is graded on the small model, and where the two disagree, the text says so.
#
# ### Moving the difficulty
#
# Rounding activations to 8 bits fails when one channel needs a range that the others do not.
# **SmoothQuant** moves the problem: divide channel $c$ of the input by $s_c$, multiply column $c$
# of the weight by it. The product is the same,
#
# $$X W^\top = (X \,\mathrm{diag}(s)^{-1})\,(W \,\mathrm{diag}(s))^\top, \qquad
# s_c = \frac{\max|X_c|^{\alpha}}{\max|W_c|^{1-\alpha}},$$
#
# and with $\alpha = \tfrac12$ input and weight share the burden equally. The division costs
# nothing at run time: it is folded into the norm before the layer.

# %% [markdown]
# ### Exercise 4 · `smooth_scales`
#
# <details><summary>Hint 1</summary>One scale for each input channel. Which axis of <code>w</code>
# has to go?</details>
#
# <details><summary>Hint 2</summary>The largest magnitude of each column of <code>w</code>, over the
# outputs. Clamp both vectors at 1e-5, then take the powers and divide.</details>
#
# <details><summary>Hint 3</summary><code>x_absmax.clamp(min=1e-5) ** alpha</code> over the other
# one <code>** (1 - alpha)</code>.</details>

# %% exercise="smooth_scales" minutes=6 difficulty=1
def smooth_scales(x_absmax: torch.Tensor, w: torch.Tensor, alpha: float) -> torch.Tensor:
    """What each input channel is divided by, and each column of the weight multiplied by.

    Args:
        x_absmax: float32 `[in]`, the largest magnitude of each input channel on some text. Not changed.
        w: float32 `[out, in]`. Not changed.
        alpha: 0 .. 1, the share of the difficulty that moves from the inputs to the weights.

    Returns:
        float32 `[in]`: `x_absmax**alpha / max_out|w|**(1 - alpha)`, where x_absmax and the weights'
        maxima are both clamped to at least 1e-5 first. Positive and finite, also for dead channels.

    >>> smooth_scales(torch.tensor([16.0, 1.0]), torch.tensor([[1.0, -4.0], [0.5, 2.0]]), 0.5)
    tensor([4.0000, 0.5000])

    Source: Xiao et al. 2023, arXiv:2211.10438, equation 4.
    """
    ### BEGIN SOLUTION
    from_inputs = x_absmax.clamp(min=1e-5)
    from_weights = w.abs().amax(dim=0).clamp(min=1e-5)
    return from_inputs**alpha / from_weights ** (1 - alpha)
    ### END SOLUTION

# %% test="smooth_scales" points=2
# Checked here: a square and a wide weight, and channels that are dead.
# Hidden tests: other values of alpha, 0 and 1 among them, and other shapes.
from_scratch(smooth_scales, FORBIDDEN)
w = checks08.random(3, 3, seed=31)
x_absmax = torch.tensor([20.0, 0.5, 2.0])
dead = torch.tensor([[0.0, -3.0, 0.5], [0.0, 1.0, 0.25]])
cases = [(x_absmax, w, 0.7), (torch.tensor([4.0, 0.0, 1.0]), dead, 0.5)]
check(smooth_scales, cases, checks08.slow_smooth, checks08.SMOOTH_MISTAKES, tol=1e-4)
check_inputs(inputs_after, smooth_scales, *cases[1])
### BEGIN HIDDEN TESTS
_wide = checks08.random(2, 5, seed=32)
_sizes = checks08.random(5, seed=33).abs() * 9
_square = checks08.random(5, 5, seed=34)
_square[:, 2] = 0.0
_cases = [
    (_sizes, _square, 0.3), (_sizes, _wide, 0.8), (_sizes, _wide, 0.0), (_sizes, _wide, 1.0),
    (torch.tensor([3.0]), torch.tensor([[-2.0]]), 0.25), (_sizes * 0, _wide, 0.5),
    (_sizes[:3], checks08.random(3, 7, seed=35).T[:, :3], 0.6),
]
check(smooth_scales, _cases, checks08.slow_smooth, checks08.SMOOTH_MISTAKES, tol=1e-4)
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
print("8-bit weights, activations of fewer bits (one scale a layer, from the calibration text)")
for bits in (8, 6, 5):
    plain = lesson08.smoothed(model, inputs, bits, None)
    row = [f"A{bits}: plain {lesson08.rise(model, windows, plain):+7.2f} %"]
    for alpha in (0.5, 0.8):
        scales = lambda x, w: smooth_scales(x.abs().amax(0), w, alpha)
        changed = lesson08.smoothed(model, inputs, bits, scales)
        row.append(f"alpha {alpha}: {lesson08.rise(model, windows, changed):+7.2f} %")
    print("   ".join(row))
print("SmolLM2, W8A8 (recorded):", lesson08.in_words(recorded["smollm2"]["smooth"]))

# %% [markdown]
# At 8 bits the small model loses little, and smoothing takes most of that back; with fewer bits for
# the activations it shows more clearly what the method does. In SmolLM2, with real outliers, plain
# W8A8 more than doubles the perplexity, and smoothing takes most of that back. The larger alpha does
# better on both. Activations have one scale a layer here and weights one a row, so it is the
# activations that need relief.
#
# ## 4. Protect what matters: AWQ
#
# Activations can stay in float: at batch 1 the time goes into reading weights (section 8). Then
# only weights are rounded, and the inputs tell *which weights matter*. An error in a column whose
# input is large does more damage. **AWQ** multiplies such columns by $s_c > 1$ before rounding
# and divides after: the group's scale hardly changes, so the column's relative error shrinks by
# about $s_c$.
#
# $$\min_\alpha \bigl\| \bigl(Q(W \operatorname{diag}(s))\operatorname{diag}(s)^{-1} - W\bigr)
# X^\top \bigr\|^2, \qquad s = \overline{|X|}^{\,\alpha}.$$
#
# (A channel that is always 0 would have the scale 0: means below 0.0001 count as 0.0001.)
#
# No gradient, no training: the best of twenty values of $\alpha$ on a handful of text.
#
# <details><summary><b>Predict first.</b> α = 0 is plain rounding. Why not always α = 1?</summary>
# A column that was scaled up much becomes the largest of its group, and then sets the group's
# scale: its neighbours pay for it. The search finds the balance.</details>

# %% [markdown]
# ### Exercise 5 · `awq_scale`
#
# <details><summary>Hint 1</summary>Your <code>rtn</code> does the rounding. Multiply the columns,
# round, divide again; compare outputs, not weights.</details>
#
# <details><summary>Hint 2</summary>Loop over <code>i</code>, <code>alpha = i / grid</code>. For
# each <code>s</code>: the error <code>((rtn(w * s, …) / s - w) @ x.T)</code>, squared and summed.
# Keep the <code>s</code> of the least error.</details>
#
# <details><summary>Hint 3</summary><code>s = x.abs().mean(0).clamp(min=1e-4) ** (i /
# grid)</code>, then <code>s = s / (s.max() * s.min()).sqrt()</code>.</details>

# %% exercise="awq_scale" minutes=15 difficulty=3
def awq_scale(
    w: torch.Tensor, x: torch.Tensor, bits: int, group: int, grid: int = 20
) -> torch.Tensor:
    """What each column of a weight is multiplied by before rounding (and divided by after).

    Args:
        w: float32 `[out, in]`. It is not changed.
        x: float32 `[tokens, in]`, inputs of the layer on some text. Not changed.
        bits, group: as for `rtn`, which does the rounding.
        grid: how many exponents are tried: `alpha = i / grid` for `i = 0 .. grid-1`.

    Returns:
        float32 `[in]`, positive: among `s = mean|x|**alpha / sqrt(max * min)` (of that vector) the
        one for which the outputs of `rtn(w * s) / s` differ least from those of w: least squared
        error, summed over tokens and outputs. Graded by that error: at most 1.02 times the best.

    Source: Lin et al. 2024, arXiv:2306.00978, section 3.2 and equation 5.
    """
    ### BEGIN SOLUTION
    magnitude = x.abs().mean(0).clamp(min=1e-4)
    best, least = None, math.inf
    for i in range(grid):
        s = magnitude ** (i / grid)
        s = s / (s.max() * s.min()).sqrt()
        error = ((rtn(w * s, bits, group) / s - w) @ x.T).square().sum().item()
        if error < least:
            best, least = s, error
    return best
    ### END SOLUTION

# %% test="awq_scale" points=5
# Checked here: the output error that your scale leaves, at 3 and 4 bits, and on a real layer.
# Hidden tests: other layers, grids and groups, dead channels, a short last group.
from_scratch(awq_scale, FORBIDDEN)
w, x = checks08.awq_case(tokens=40, out=12, inputs=16, seed=41)
for bits in (3, 4):
    left = checks08.judge_awq(awq_scale, w, x, bits, 8, 20, f"awq_scale, {bits} bits")
    print(f"✓ {bits} bits: the output error is {left:.2f} of round-to-nearest's")
check_inputs(inputs_after, awq_scale, w, x, 3, 8)
names, layer_input = checks08.inputs_of(models.load("small_decoder"), checks08.calibration()[:8])[7]
w = checks08.stacked(models.load("small_decoder"), names)
left = checks08.judge_awq(awq_scale, w, layer_input, 3, 64, 20, f"awq_scale on {names[0]}")
print(f"✓ {names[0]}, 3 bits: {left:.2f} of round-to-nearest's output error")
### BEGIN HIDDEN TESTS
_shapes = [
    (30, 7, 20, 3, 8, 20), (50, 5, 33, 4, 16, 20), (1, 3, 8, 3, 8, 20), (25, 9, 12, 2, 12, 10),
    (20, 1, 7, 3, 64, 5),
]
for _seed, (_tokens, _out, _in, _bits, _group, _grid) in enumerate(_shapes):
    _w, _x = checks08.awq_case(_tokens, _out, _in, 50 + 3 * _seed)
    _what = f"awq_scale [{_out}, {_in}], {_bits} bits, grid {_grid}"
    checks08.judge_awq(awq_scale, _w, _x, _bits, _group, _grid, _what)
_w, _x = checks08.awq_case(40, 10, 16, 71)
_x[:, 3] = 0.0  # a dead channel
checks08.judge_awq(awq_scale, _w, _x, 3, 8, 20, "awq_scale with a dead channel")
_patient = models.load("small_decoder")
for _names, _input in checks08.inputs_of(_patient, checks08.calibration()[8:16])[0:20:6]:
    _layer = checks08.stacked(_patient, _names)[:128]
    for _bits in (3, 4):
        _what = f"awq_scale on {_names[0]}, {_bits} bits"
        checks08.judge_awq(awq_scale, _layer, _input, _bits, 64, 20, _what)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Let the others make up for it: GPTQ
#
# RTN rounds each weight to its nearest level, and AWQ still does, on a better grid. But nearest
# is best only for a weight alone. The output is a *sum* over inputs, and inputs go together: if
# weight 7 was rounded up, weight 8, whose input is usually large at the same time, had better be
# rounded down.
#
# How much does an error $e$ (a row of $W - \hat W$) cost? Over the inputs of some text,
#
# $$\|X e\|^2 = e^\top X^\top X\, e = e^\top H\, e .$$
#
# $H = X^\top X$ is (up to a factor) the Hessian of the squared output error. One matrix for a
# layer, the same for all its rows.

# %% [markdown]
# ### Exercise 6 · `hessian`
#
# <details><summary>Hint 1</summary>One line. Which of the two products has the shape
# <code>[in, in]</code>?</details>
#
# <details><summary>Hint 2</summary>Nothing is centred, nothing is normalised: the second moment
# of the inputs as they are, because a constant input multiplies a weight's error as
# well.</details>
#
# <details><summary>Hint 3</summary><code>x.T @ x</code>.</details>

# %% exercise="hessian" minutes=4 difficulty=1
def hessian(x: torch.Tensor) -> torch.Tensor:
    """The matrix that weighs errors of a layer's weights by what they do to its outputs.

    Args:
        x: float32 `[tokens, in]`, inputs of the layer. It is not changed.

    Returns:
        float `[in, in]`: `xᵀ x`, up to a positive factor (2, or 1 / tokens, are usual).

    >>> hessian(torch.tensor([[1.0, 2.0], [0.0, 3.0]]))
    tensor([[ 1.,  2.],
            [ 2., 13.]])

    Source: Frantar et al. 2023, arXiv:2210.17323, section 3 (H = 2 X Xᵀ, with tokens in columns).
    """
    ### BEGIN SOLUTION
    return x.T @ x
    ### END SOLUTION

# %% test="hessian" points=1
# Checked here: inputs with a mean that is not 0, as many tokens as channels, up to a factor.
# Hidden tests: a single token, transposed inputs, large and tiny values.
from_scratch(hessian, FORBIDDEN)
checks08.judge_hessian(hessian, checks08.random(30, 6, seed=61) + 1.0, "30 tokens, 6 channels")
checks08.judge_hessian(hessian, checks08.correlated(8, 8, 62), "8 tokens, 8 channels")
check_inputs(inputs_after, hessian, checks08.random(5, 3, seed=63))
### BEGIN HIDDEN TESTS
for _x in (
    checks08.random(9, 40, seed=65).T - 0.5, checks08.random(6, 6, seed=66) + 0.7,
    checks08.random(1, 7, seed=64) + 2.0, checks08.random(12, 3, seed=67, scale=1e-4),
    checks08.random(300, 5, seed=68, scale=100.0) + 30.0,
):
    checks08.judge_hessian(hessian, _x, f"{_x.shape[0]} tokens, {_x.shape[1]} channels")
_x = checks08.random(7, 1, seed=69)
checks08.judge_hessian(hessian, _x, "a single channel")
expect(hessian(_x).shape, torch.Size([1, 1]), "the shape for a single channel")
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
x = inputs["layers.2.mlp.gate"]
torch.manual_seed(0)
alone = torch.stack([channel[torch.randperm(len(channel))] for channel in x.T], 1)
for what, some in (("as they are", x), ("each shuffled over the tokens by itself", alone)):
    together = torch.corrcoef(some.T).fill_diagonal_(0).abs()
    print(f"correlation of two inputs, {what}: {together.mean():.3f} on average, {together.max():.2f} at most")
pictures08.draw_hessian(hessian(x))

# %% [markdown]
# *Picture: the matrix H of one layer as a heat map, scaled to a diagonal of 1. Off the diagonal
# there are faint values of both signs everywhere, and some rows and columns stand out as stripes.*
#
# Inputs do go together, more than chance makes them: that is what GPTQ lives on.
#
# Now quantize the columns one after the other. Column $i$ of the (current) weight is rounded;
# that leaves the error $e_i = w_i - \hat w_i$ in each row. Which change of the columns *not yet
# rounded* makes up for it best? Minimise $e^\top H e$ over the entries $j > i$. The answer
# (Hassibi and Stork 1993, "Optimal Brain Surgeon") is in the inverse of the part of $H$ that is
# still free:
#
# $$w_j \leftarrow w_j - \frac{e_i}{[H_F^{-1}]_{ii}}\,[H_F^{-1}]_{ij},
# \qquad F = \{i, i+1, \dots\}.$$
#
# It would need a new inverse for each column. The discovery that made it fast is that one
# Cholesky factor holds them all: with $H^{-1} = U^\top U$ and $U$ upper triangular, row $i$ of
# $U$ is row $i$ of the $i$-th inverse, divided by $\sqrt{[H_F^{-1}]_{ii}} = U_{ii}$. So
#
# $$w_j \leftarrow w_j - \frac{e_i}{U_{ii}}\, U_{ij}, \quad j > i.$$
#
# Two practical points. $H$ may be singular: a hundredth of its mean diagonal is added to the
# diagonal (**damping**). An input that is always 0 has a zero on the diagonal: put a 1 there, so
# that $H$ has an inverse even with no damping. What becomes of its weight does not matter.

# %% [markdown]
# ### Exercise 7 · `gptq`
#
# The measured exercise: your answer quantizes the whole shipped model in a fresh process. On text
# that it was not calibrated on, the layers' squared output errors must be at most 0.78 of those
# that round-to-nearest leaves, at 3 and at 4 bits, and the loss that is added at 3 bits at most
# 0.9 of its. On the calibration text itself they must be what the published algorithm leaves.
#
# <details><summary>Hint 1</summary>Work on copies of w and h. Prepare h (dead inputs, damping),
# invert, factor. Then one loop over the columns: at the start of each group take the scale from the
# weights as they are now; round the column; hand its error on.</details>
#
# <details><summary>Hint 2</summary><code>u = torch.linalg.cholesky(torch.linalg.inv(h),
# upper=True)</code>. The error of column i, divided by <code>u[i, i]</code>, times the rest of
# row i of u (an outer product) is taken off the columns after i. Codes must be clamped: a weight
# that was pushed may be larger than its group's maximum was.</details>
#
# <details><summary>Hint 3</summary><code>w[:, i + 1:] -= torch.outer((w[:, i] - q_i) / u[i, i],
# u[i, i + 1:])</code>.</details>

# %% exercise="gptq" minutes=35 difficulty=4
def gptq(
    w: torch.Tensor, h: torch.Tensor, bits: int, group: int, damp: float = 0.01
) -> torch.Tensor:
    """Weights rounded column by column, each error handed on to the columns that follow.

    Args:
        w: float32 `[out, in]`. It is not changed.
        h: float32 `[in, in]`, symmetric, `xᵀ x` up to a factor; may be singular. Not changed.
        bits: at least 2; codes in -Q .. Q, `Q = 2**(bits-1) - 1`.
        group: columns that share a scale in each row; the last group may be shorter.
        damp: times the mean of h's diagonal as it is given, added to the diagonal. Inputs that
            are always 0 (a zero on the diagonal) get a 1 there, and any value on the grid.

    Returns:
        float32 `[out, in]`, dequantized: in each row and group, multiples -Q .. Q of one scale,
        max / Q of the group's weights as they are when its first column is reached.
        `trace(E h Eᵀ)` with `E = result - w` is at most 1.02 times that of the published algorithm,
        and below that of `rtn`. With a diagonal h nothing is handed on: the result is `rtn`'s.

    Source: Frantar et al. 2023, arXiv:2210.17323, algorithm 1.
    """
    ### BEGIN SOLUTION
    q = 2 ** (bits - 1) - 1
    w, h = w.clone(), h.clone()
    damping = damp * h.diagonal().mean()
    dead = h.diagonal() == 0
    h.diagonal()[dead] = 1.0
    h.diagonal().add_(damping)
    u = torch.linalg.cholesky(torch.linalg.inv(h), upper=True)
    result = torch.empty_like(w)
    for i in range(w.shape[1]):
        if i % group == 0:
            largest = w[:, i : i + group].abs().amax(1)
            scale = torch.where(largest > 0, largest / q, 1.0)
        result[:, i] = torch.round(w[:, i] / scale).clamp(-q, q) * scale
        w[:, i + 1 :] -= torch.outer((w[:, i] - result[:, i]) / u[i, i], u[i, i + 1 :])
    return result
    ### END SOLUTION

# %% test="gptq" points=10
# Checked here: small layers, a diagonal H, much damping and none; the shipped model at 3 bits on validation.
# Hidden tests: other shapes, singular H, dead inputs, short groups; the model on held-back text.
# NBVAL_IGNORE_OUTPUT
from_scratch(gptq, FORBIDDEN)
for ratio, out, size, bits, group, seed in checks08.GPTQ_CASES[:3]:
    w, h = checks08.gptq_case(out, size, seed)
    what = f"gptq, w [{out}, {size}], {bits} bits, groups of {group}"
    checks08.judge_gptq(gptq, w, h, bits, group, ratio, what)
checks08.judge_diagonal(gptq, w, torch.linspace(0.5, 9.0, w.shape[1]), bits=3, group=4)
checks08.judge_damping(gptq, w, h, bits=3, group=16)
check_inputs(inputs_after, gptq, w, h, 3, 4)
checks08.judge_dead_undamped(gptq)

@probe
def whole_model(layers, bits, group):
    """The exercise on each pair (w, h)."""
    return [gptq(w, h, bits, group) for w, h in layers]

checks08.measured(fresh(whole_model), 3, split="validation", count=32)
### BEGIN HIDDEN TESTS
for _ratio, _out, _in, _bits, _group, _seed in checks08.GPTQ_CASES[3:]:
    _w, _h = checks08.gptq_case(_out, _in, _seed)
    _what = f"gptq, w [{_out}, {_in}], {_bits} bits, groups of {_group}"
    checks08.judge_gptq(gptq, _w, _h, _bits, _group, _ratio, _what)
for _scale in (1e-4, 1e4):  # H counts up to a factor
    _ratio, _out, _in, _bits, _group, _seed = checks08.GPTQ_CASES[3]
    _w, _h = checks08.gptq_case(_out, _in, _seed)
    checks08.judge_gptq(gptq, _w, _scale * _h, _bits, _group, _ratio, f"gptq, H times {_scale:g}")
for _ratio, _kind, _out, _in, _bits, _group, _seed in checks08.SINGULAR_CASES:
    _w, _h = checks08.singular_case(_kind, _out, _in, _seed)
    checks08.judge_gptq(gptq, _w, _h, _bits, _group, _ratio, f"gptq, {_kind}")
_diagonal = torch.tensor([1.0, 4.0, 0.5, 2.0, 2.0, 9.0, 1.0])
checks08.judge_diagonal(gptq, checks08.random(3, 7, seed=78), _diagonal, 4, 3)
checks08.judge_diagonal(gptq, checks08.random(3, 1, seed=77), torch.tensor([2.0]), 3, 64)
_zero = checks08.random(2, 6, seed=79)
_zero[0, :3] = 0.0
checks08.judge_diagonal(gptq, _zero, torch.ones(6), 3, 3)
for _bits in (3, 4):
    checks08.measured(fresh(whole_model), _bits, "test", 48)
### END HIDDEN TESTS

# %% [markdown]
# Where does the gain come from? Watch the squared output error of one layer grow while its
# columns are rounded from left to right.

# %% tags=["nbval-ignore-output"]
name = "layers.2.mlp.gate"
w, h = layers[name].weight.detach(), hessian(inputs[name])
rounded = {"RTN": rtn(w, 3, 64), "GPTQ": gptq(w, h, 3, 64)}
for method, w_hat in rounded.items():
    mse = (w_hat - w).square().mean().sqrt() / w.square().mean().sqrt()
    cost = lesson08.output_error(w, w_hat, h)
    print(f"{method:4}: error of the weights {100 * mse:.1f} %, of the outputs {100 * cost:.1f} %")
pictures08.draw_columns(w, h, rounded)

# %% [markdown]
# *Picture: left, the output error of the columns rounded so far over the number of columns, for
# RTN and GPTQ; GPTQ stays below. Right, a histogram of how far weights moved, in steps: RTN never
# moves a weight by more than half a step, GPTQ moves some of them much further.*
#
# GPTQ's weights are *further* from the original ones and its outputs are closer. That is the whole
# point. It pays with a risk: it fits the text that it was shown. Calibrate on too few tokens, or on
# text of another kind, and it makes up for errors that nobody will see.
#
# <details><summary><b>Predict first.</b> RTN, AWQ, GPTQ at 3 bits on a model without outliers: in
# which order, from the least perplexity to the largest?</summary> GPTQ first, then AWQ and RTN,
# close together. AWQ protects columns whose inputs are large. Where all inputs are of about the
# same size, it has little to choose from. GPTQ lives on correlations, and those are there.</details>
#
# Now all methods on the whole model, on the same windows. (`lesson08.calibration()` holds 64
# windows of the training chapters. AWQ is applied layer by layer; in a deployed model its scales
# are folded into the norm before, as SmoothQuant's are.)

# %% tags=["nbval-ignore-output"]
table = {}
for bits in (4, 3):
    for method, quantize_layer in {
        "RTN": lambda w, x: rtn(w, bits, 64),
        "AWQ": lambda w, x: lesson08.scaled(rtn, w, awq_scale(w, x[::8], bits, 64), bits, 64),
        "GPTQ": lambda w, x: gptq(w, hessian(x), bits, 64),
    }.items():
        began = time.process_time()
        changed = lesson08.quantized(model, lambda name, w: quantize_layer(w, inputs[name]))
        seconds = time.process_time() - began
        table[method, bits] = lesson08.rise(model, windows, changed)
        size = lesson08.file_bytes(model, bits, 64)
        print(
            f"{bits} bits, {method:4}: {table[method, bits]:+6.2f} %, {size:,} bytes,"
            f" {seconds:.1f} CPU s"
        )

# %%
lesson08.print_small(recorded["small"])
for what, draws in recorded["errors"].items():
    if isinstance(draws, dict):
        shares = [share for pair in draws.values() for share in pair]
        print(f"GPTQ's output errors / RTN's, {what}: {min(shares):.3f} to {max(shares):.3f}")
for bits in (4, 3):
    draws = recorded["small"]["grading"][f"{bits},64"]["column by column"]
    print(f"GPTQ's added loss / RTN's, {bits} bits, shipped text and seeds 0, 1, 2:", *draws)
pictures08.draw_bits(recorded["small"]["table"], "small_decoder, held-back chapters")

# %% [markdown]
# *Picture: rise of the perplexity in per cent, on a logarithmic axis, over bits a weight, scales
# included; one marked line for each method. All rise steeply from 4 to 2 bits. At 3 bits GPTQ
# lies lowest, at 4 bits the methods lie within the noise of each other, at 2 bits all are
# broken.*
#
# (Recorded by `data/make_lesson08.py` on 48 windows of the held-back chapters, ± standard error
# over the windows. In brackets for GPTQ: the least and the largest rise with three other draws of
# the calibration windows.) Read it with the spread in mind. At 4 bits all rises are near one per
# cent or less, and this text is too short to rank RTN, AWQ and GPTQ: another draw of the
# calibration text moves GPTQ more than the three differ. At 3 bits GPTQ is ahead with every draw. AWQ is within one
# standard error of plain rounding: no channel stands out, so there is little to protect.
#
# The squared output errors of the layers are far steadier than the loss: the last lines above say
# what GPTQ leaves of RTN's, on its own calibration text and on text that no method was shown, for
# the shipped calibration windows and three seeds, by two right answers (column by column, and in
# blocks). Hardly a draw changes the second digit. The added loss at 4 bits is another matter. That
# is why the test of exercise 7 judges output errors at 3 and 4 bits, and the loss at 3 bits only;
# its limits leave room above the largest of these numbers and lie below RTN's, which is 1. All of
# them are recorded in `data/lesson08.json`, under `errors` and `grading`.
#
# Try the trade yourself: bits and group size against perplexity and bytes.

# %% tags=["nbval-ignore-output"]
small_table = recorded["small"]["table"]
widgets.explore(
    lambda bits, group, method: pictures08.draw_choice(small_table, bits, group, method),
    bits=["4", "3", "2", "8"], group=["64", "32", "128"], method=["GPTQ", "AWQ", "RTN"],
)

# %% [markdown]
# *Picture: all recorded settings as points, bytes of the file against the rise in perplexity; the
# chosen one is marked and named.*
#
# ## 6. Levels where the weights are: NF4
#
# Weights look like draws from a normal distribution: many near 0, few far out. Evenly spaced
# levels spend as many codes on the empty outskirts as on the crowded middle. **NF4** (QLoRA,
# Dettmers et al. 2023) puts its 16 levels at quantiles of the normal distribution, where each code
# would be used about equally often by draws from it. Zero must be among them. So take the two halves apart: eight
# positive values, seven negative ones, and 0. With $\delta = \tfrac12(\tfrac1{32} +
# \tfrac1{30})$, the quantiles at probabilities evenly spaced from $1-\delta$ to $\tfrac12$,
# without the last, which is 0. Then divide by the largest.

# %% [markdown]
# ### Exercise 8 · `nf4_codebook`
#
# <details><summary>Hint 1</summary><code>torch.special.ndtri(p)</code> is the quantile of the
# standard normal distribution at probability p. The eight positive values need nine evenly spaced
# probabilities, of which the last is dropped.</details>
#
# <details><summary>Hint 2</summary>Positive: <code>torch.linspace(1 - delta, 0.5, 9)[:-1]</code>.
# The negative ones are minus the quantiles of eight probabilities without the last. Add a 0,
# sort, divide by the largest.</details>
#
# <details><summary>Hint 3</summary><code>torch.cat([-ndtri(p7), torch.zeros(1),
# ndtri(p8)]).sort().values</code>.</details>

# %% exercise="nf4_codebook" minutes=10 difficulty=2
def nf4_codebook() -> torch.Tensor:
    """The 16 levels of the 4-bit NormalFloat data type.

    Returns:
        float32 `[16]`, ascending from -1.0 to 1.0, with an exact 0.0 as the eighth. Within 1e-4.

    >>> nf4_codebook()[[0, 7, 15]]
    tensor([-1.,  0.,  1.])

    Source: Dettmers et al. 2023, arXiv:2305.14314, section 3 and appendix E.
    """
    ### BEGIN SOLUTION
    delta = (1 / 32 + 1 / 30) / 2
    positive = torch.special.ndtri(torch.linspace(1 - delta, 0.5, 9)[:-1])
    negative = -torch.special.ndtri(torch.linspace(1 - delta, 0.5, 8)[:-1])
    levels = torch.cat([negative, torch.zeros(1), positive]).sort().values
    return levels / levels.max()
    ### END SOLUTION

# %% test="nf4_codebook" points=2
# Checked here: the 16 values against those that the paper prints.
# Hidden tests: the values again, their order, an exact zero.
from_scratch(nf4_codebook, FORBIDDEN)
levels = nf4_codebook()
expect(levels, checks08.NF4, "the 16 levels of NF4", checks08.NF4_MISTAKES, tol=1e-4)
### BEGIN HIDDEN TESTS
_levels = nf4_codebook()
expect(_levels, checks08.NF4, "the 16 levels, once more", checks08.NF4_MISTAKES, tol=1e-4)
_zero = _levels[7].item()
require(_zero == 0.0, f"expected an exact 0 as the eighth level, yours is {_zero}")
require(bool((_levels.diff() > 0).all()), "expected ascending levels")
### END HIDDEN TESTS

# %% [markdown]
# <details><summary><b>Predict first.</b> Both have 4 bits and the same groups. Where is NF4
# better, and where is it worse?</summary> Better near 0, where most weights are; worse for the
# few large ones, between whose levels there are wide gaps. Whether that pays depends on how
# normal the weights are: look at the histogram.</details>

# %% tags=["nbval-ignore-output"]
levels = nf4_codebook()
for method, changed in {
    "int4 (RTN)": lesson08.quantized(model, lambda name, w: rtn(w, 4, 64)),
    "NF4": lesson08.quantized(model, lambda name, w: lesson08.to_levels(w, levels, 64)),
}.items():
    print(f"{method:10}, groups of 64: {lesson08.rise(model, windows, changed):+.2f} %")
least, most = lesson08.code_shares(model, levels, 64)
print(f"NF4's codes are used by {100 * least:.1f} to {100 * most:.1f} % of the weights; even would be 6.25 %")
pictures08.draw_nf4(levels, model)

# %% [markdown]
# *Picture: histogram of all weights in units of their group's maximum, bell-shaped with a
# spike at either end (each group's own maximum), with the 15
# levels of symmetric int4 as short evenly spaced marks below and the 16 of NF4, denser near 0,
# under them.*
#
# The codes are not used equally: each group was divided by its own largest weight, and what is left
# is no longer a draw from the normal distribution.
#
# A block of 64 with a float32 scale costs half a bit a weight. QLoRA quantizes the scales as
# well (to 8-bit floats; integers here): they are positive and of similar size, so take their **mean** off, then give each 256 of
# them 8-bit codes with one scale. That is **double quantization**: $8/64 + 32/(64 \cdot 256) =
# 0.127$ bits in place of 0.5.

# %% [markdown]
# ### Exercise 9 · `double_quantize`
#
# <details><summary>Hint 1</summary>One mean for all scales. What is left is symmetric around 0, and
# each block of it is rounded as in lesson 01 with 8 bits.</details>
#
# <details><summary>Hint 2</summary>For each part of <code>(scales - mean).split(block)</code>:
# step = largest magnitude / 127 (1 if it is 0), codes = rounded part / step, as int8. Collect
# both.</details>
#
# <details><summary>Hint 3</summary><code>step = part.abs().max() / 127</code>;
# <code>torch.round(part / step).to(torch.int8)</code>.</details>

# %% exercise="double_quantize" minutes=10 difficulty=2
def double_quantize(
    scales: torch.Tensor, block: int = 256
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The scales of a quantized weight, quantized.

    Args:
        scales: float32 `[n]`, one for each group of weights. It is not changed.
        block: scales that share a step; the last block may be shorter.

    Returns:
        codes int8 `[n]` in -127 .. 127; block_scales float32 `[ceil(n / block)]`; the mean of all
        scales, a 0-d tensor. `scales ≈ codes * block_scale + mean`, each within half a block scale.
        The block scale is the largest `|scale - mean|` of the block, divided by 127. Where all
        scales of a block equal the mean, its codes are 0, its block scale any finite number.

    >>> double_quantize(torch.tensor([1.0, 3.0, 1.5, 2.5]), 2)
    (tensor([-127,  127, -127,  127], dtype=torch.int8), tensor([0.0079, 0.0039]), tensor(2.))

    Source: Dettmers et al. 2023, arXiv:2305.14314, section 3 (double quantization).
    """
    ### BEGIN SOLUTION
    mean = scales.mean()
    codes, steps = [], []
    for part in (scales - mean).split(block):
        step = part.abs().max() / 127
        step = torch.where(step > 0, step, 1.0)
        codes.append(torch.round(part / step).to(torch.int8))
        steps.append(step)
    return torch.cat(codes), torch.stack(steps), mean
    ### END SOLUTION

# %% test="double_quantize" points=3
# Checked here: two blocks, a short last block, and that the input stays as it is.
# Hidden tests: other sizes, a single scale, equal scales, tiny and large ones.
from_scratch(double_quantize, FORBIDDEN)
scales = checks08.random(10, seed=91).abs() + 0.5
checks08.judge_double(double_quantize, scales, 5, "10 scales in blocks of 5")
checks08.judge_double(double_quantize, scales, 4, "10 scales in blocks of 4")
check_inputs(inputs_after, double_quantize, scales, 4)
### BEGIN HIDDEN TESTS
_many = checks08.random(600, seed=92).abs() * 0.02 + 0.05
checks08.judge_double(double_quantize, _many, 256, "600 scales in blocks of 256")
checks08.judge_double(double_quantize, torch.full((7,), 0.25), 3, "seven equal scales")
checks08.judge_double(double_quantize, torch.tensor([0.75]), 256, "a single scale")
checks08.judge_double(double_quantize, _many[:9] * 1e4, 3, "large scales")
checks08.judge_double(double_quantize, _many[:8] * 1e-4, 8, "tiny scales")
_second = torch.stack([_many[:12], _many[12:24]], 1)[:, 0]
checks08.judge_double(double_quantize, _second, 7, "every second element")
expect(double_quantize(_many)[0].shape, torch.Size([600]), "the default block")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. The other memory: keys and values
#
# To write the next token, attention needs the keys and values of all tokens before it. They are
# kept: the **KV cache**. It grows with each token and each request; with long contexts it
# outweighs the weights (section 8 reckons when). Quantize it, too. KIVI (Liu et al. 2024) looked
# at what is in it: *keys* have outlier channels, the same for all tokens, so a key's scale
# belongs to a **channel**; *values* have none, and a scale for each **token** is better, since
# attention mixes whole tokens.

# %% [markdown]
# ### Exercise 10 · `kv_quantize`
#
# <details><summary>Hint 1</summary>Per channel means: each column has a range of its own, taken
# over all tokens. Which axis is reduced for a key, which for a value?</details>
#
# <details><summary>Hint 2</summary><code>low</code> and <code>high</code> with
# <code>keepdim=True</code>; the step is their difference over <code>2**bits - 1</code>. Where it
# is 0 return x itself.</details>
#
# <details><summary>Hint 3</summary><code>axis = {"key": 0, "value": 1}</code>; then
# <code>x.amin(axis, keepdim=True)</code>.</details>

# %% exercise="kv_quantize" minutes=10 difficulty=2
def kv_quantize(x: torch.Tensor, bits: int, kind: str) -> torch.Tensor:
    """Keys or values, rounded and dequantized.

    Args:
        x: float32 `[tokens, channels]`. It is not changed.
        bits: 1 .. 8.
        kind: "key": one range for each channel; "value": one for each token.

    Returns:
        float32 `[tokens, channels]`: on `2**bits` evenly spaced levels from the least value of the
        slice to its largest, `round((x - low) / scale) * scale + low`. A constant slice stays.

    Raises:
        ValueError: another kind.

    >>> kv_quantize(torch.tensor([[0.0, 5.0], [1.0, 5.0], [3.0, 5.0]]), 1, "key")
    tensor([[0., 5.],
            [0., 5.],
            [3., 5.]])

    Source: Liu et al. 2024, arXiv:2402.02750, sections 2 and 3 (KIVI).
    """
    ### BEGIN SOLUTION
    if kind not in ("key", "value"):
        raise ValueError(f"kind is 'key' or 'value', not {kind!r}")
    axis = 0 if kind == "key" else 1
    low, high = x.amin(axis, keepdim=True), x.amax(axis, keepdim=True)
    step = (high - low) / (2**bits - 1)
    rounded = torch.round((x - low) / torch.where(step > 0, step, 1.0)) * step + low
    return torch.where(step > 0, rounded, x)
    ### END SOLUTION

# %% test="kv_quantize" points=3
# Checked here: keys and values, square and not, a constant slice, another kind.
# Hidden tests: other shapes and bits, transposed inputs, large values, a single token.
from_scratch(kv_quantize, FORBIDDEN)
x = checks08.random(4, 4, seed=101)
flat = checks08.random(5, 3, seed=102)
flat[:, 1] = 0.7
cases = [(x, 2, "key"), (x, 2, "value"), (flat, 3, "key")]
check(kv_quantize, cases, checks08.slow_kv, checks08.KV_MISTAKES, tol=1e-5)
check_errors(ValueError, kv_quantize, (x, 4, "query"))
check_inputs(inputs_after, kv_quantize, x, 2, "key")
### BEGIN HIDDEN TESTS
_x = checks08.random(6, 6, seed=103) + 2.0
_wide = checks08.random(3, 9, seed=104, scale=50.0)
_wide[1] = -4.0
_cases = [
    (_x, 3, "value"), (_x, 3, "key"), (_wide, 4, "value"), (_wide.T, 4, "key"), (_wide, 1, "key"),
    (checks08.random(1, 7, seed=105), 4, "key"), (checks08.random(1, 7, seed=105), 4, "value"),
    (checks08.random(7, 1, seed=106), 8, "value"),
]
check(kv_quantize, _cases, checks08.slow_kv, checks08.KV_MISTAKES, tol=1e-5)
for _kind in ("key", "value"):
    _small = kv_quantize(_x.flip(0) * 2.0**-18, 3, _kind) * 2.0**18
    _want = checks08.slow_kv(_x.flip(0), 3, _kind)
    expect(_small, _want, f"kv_quantize, {_kind}, tiny values", checks08.NARROW, tol=1e-5)
check_errors(ValueError, kv_quantize, (_x, 4, "keys"), (_x, 4, ""), (_x, 4, "KEY"))
### END HIDDEN TESTS

# %% [markdown]
# <details><summary><b>Predict first.</b> At how many bits will the axis matter for the small
# model?</summary> With 256 levels no axis hurts. With four levels the range is everything: a
# slice whose values differ in size wastes them. How much the axes differ depends on how uneven
# channels are, and on how many values share a range.</details>

# %% tags=["nbval-ignore-output"]
print("small_decoder, keys and values of each window quantized after the positions are applied")
for bits in (8, 4, 2):
    row = []
    for keys, values in (("key", "value"), ("value", "value"), ("key", "key")):
        read = lambda k, v: (kv_quantize(k, bits, keys), kv_quantize(v, bits, values))
        changed = lesson08.with_cache(model, read)
        how = {"key": "channel", "value": "token"}
        change = lesson08.rise(model, windows, changed)
        row.append(f"K by {how[keys]}, V by {how[values]} {change:+6.2f} %")
    print(f"{bits} bits:  " + ";  ".join(row))
print("keys alone, values as they are:")
for bits in (4, 3, 2):
    row = []
    for how, keys, tokens in (("channel of 128 tokens", "key", 128), ("token of 32 channels", "value", 128),
                              ("channel of 32 tokens", "key", 32)):
        read = lambda k, v: (torch.cat([kv_quantize(part, bits, keys) for part in k.split(tokens)]), v)
        row.append(f"by {how} {lesson08.rise(model, windows, lesson08.with_cache(model, read)):+6.2f} %")
    print(f"{bits} bits:  " + ";  ".join(row))
print("SmolLM2 (recorded):", lesson08.in_words(recorded["smollm2"]["cache"]))

# %% [markdown]
# At 8 and 4 bits the cache is compressed nearly for nothing. Which axis is better hardly shows in the
# first lines, but that comparison is not a fair one: a range by channel covers all 128 tokens of a
# window, one by token the 32 channels of a head, so by token there are four times as many ranges.
# With as many ranges, one for 32 tokens of a channel, keys by channel are clearly better: channels
# differ in size, tokens hardly. SmolLM2's keys have outlier channels, and there a range by token
# costs several times as much as one by channel even so.
#
# ## 8. On disk and in memory
#
# ### Files that others can read: Q4_0
#
# The programs that run models on laptops (llama.cpp and those built on it) read **GGUF** files.
# Their oldest 4-bit format is `Q4_0`: blocks of 32 weights in 18 bytes. First a float16 scale $d
# = m / (-8)$, where $m$ is the value of largest magnitude, *with its sign*. Then 16 bytes of
# codes 0 to 15, $\min(15, \lfloor w/d + 8.5 \rfloor)$: weight $j$ in the low half of byte $j$,
# weight $j+16$ in the high half. Back: $(c - 8)\, d$. Dividing by $-8$ gives $m$ itself the code
# 0, so one end of the levels is exact, up to the rounding of $d$ to float16, and all 16 can be used;
# our symmetric codes use 15.

# %% [markdown]
# ### Exercise 11 · `q4_0_encode` and `q4_0_decode`
#
# <details><summary>Hint 1</summary>Reshape to rows of 32. The value of largest magnitude with its
# sign: <code>argmax</code> of the magnitudes, then <code>gather</code>.</details>
#
# <details><summary>Hint 2</summary>Divide by d in float32, before it is rounded to float16; a
# block of zeros has d = 0 and all codes 8. Low half: columns 0 to 15, high half: 16 to 31. The
# scale's two bytes: <code>d.half().view(torch.uint8)</code>. One <code>torch.cat</code> along
# axis 1 puts scales and codes in their order.</details>
#
# <details><summary>Hint 3</summary><code>packed = codes[:, :16] | codes[:, 16:] &lt;&lt; 4</code>
# (as uint8), and back <code>torch.cat([packed &amp; 15, packed &gt;&gt; 4], 1)</code>.</details>

# %% exercise="q4_0_encode" minutes=20 difficulty=3
def q4_0_encode(w: torch.Tensor) -> bytes:
    """The bytes of a weight in GGUF's Q4_0 format.

    Args:
        w: float32 `[..., in]`, in a multiple of 32. Magnitudes below 5e5. It is not changed.

    Returns:
        18 bytes for each 32 weights along `in`: d as little-endian float16, then 16 bytes.
        `d = m / -8` with m the value of largest magnitude; codes `min(15, floor(w / d + 8.5))`
        with d as float32 (8 where d is 0; of two codes equally near either will do); byte j has
        code j in its low, j + 16 in its high half.

    Raises:
        ValueError: `in` is no multiple of 32.

    >>> q4_0_encode(torch.linspace(-8, 7.5, 32))[:4].hex()      # d = 1.0, then codes 0 | 8, 1 | 9
    '003c8090'

    Source: ggml's block_q4_0 (github.com/ggml-org/ggml, docs/gguf.md and ggml-quants).
    """
    ### BEGIN SOLUTION
    if w.shape[-1] % 32:
        raise ValueError(f"rows of {w.shape[-1]} weights are no blocks of 32")
    blocks = w.reshape(-1, 32)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    d = largest / -8
    steps = torch.where(d == 0, 0.0, blocks / torch.where(d == 0, 1.0, d))
    codes = (steps + 8.5).floor().clamp(0, 15).to(torch.uint8)
    packed = codes[:, :16] | codes[:, 16:] << 4
    return torch.cat([d.half().view(torch.uint8), packed], 1).numpy().tobytes()
    ### END SOLUTION

def q4_0_decode(blob: bytes, shape: tuple) -> torch.Tensor:
    """The weights of Q4_0 bytes: float32 of the given shape, `(code - 8) * d`."""
    ### BEGIN SOLUTION
    rows = torch.frombuffer(bytearray(blob), dtype=torch.uint8).reshape(-1, 18)
    d = rows[:, :2].clone().view(torch.float16).float()
    codes = torch.cat([rows[:, 2:] & 15, rows[:, 2:] >> 4], 1)
    return ((codes.float() - 8) * d).reshape(shape)
    ### END SOLUTION

# %% test="q4_0_encode" points=6
# Checked here: the bytes of two weights, what comes back from bytes that we made, rows of 33.
# Hidden tests: a layer of the shipped model, zeros, signs, small values, reading in a fresh process.
from_scratch(q4_0_encode, FORBIDDEN)
from_scratch(q4_0_decode, FORBIDDEN)
clauses = Clauses(encoding=3, decoding=3)
weights = [checks08.random(2, 32, seed=111), checks08.random(3, 64, seed=112)]
with clauses("encoding"):
    for w in weights:
        checks08.judge_q4_0(q4_0_encode(w), w, f"q4_0_encode of {list(w.shape)}")
    check_errors(ValueError, q4_0_encode, (checks08.random(2, 33, seed=113),))
    check_inputs(inputs_after, q4_0_encode, weights[0])
with clauses("decoding"):
    for w in weights:
        blob = checks08.slow_q4_0(w)[0]
        back = q4_0_decode(blob, tuple(w.shape))
        want = checks08.slow_decode(blob, w.shape)
        mistakes = checks08.decoded_wrongly(blob, w.shape)
        expect(back, want, f"q4_0_decode to {list(w.shape)}", mistakes, tol=1e-6)
### BEGIN HIDDEN TESTS
_zeros = checks08.random(2, 96, seed=114)
_zeros[0, 32:64] = 0.0
_weights = [
    _zeros, -checks08.random(1, 32, seed=115).abs(), checks08.random(64, 5, seed=116).T,
    checks08.random(2, 2, 32, seed=117), checks08.random(32, seed=118),
    checks08.random(3, 32, seed=119, scale=1e-3), checks08.random(2, 64, seed=120, scale=300.0),
    checks08.random(40, 384, seed=121),
    models.load("small_decoder").layers[1].mlp.down.weight.detach()[:40],
]
with clauses("encoding"):
    for _w in _weights:
        checks08.judge_q4_0(q4_0_encode(_w), _w, f"q4_0_encode of {list(_w.shape)}")
    _odd = [(torch.ones(31),), (torch.ones(64, 16),), (torch.ones(2, 40),)]
    check_errors(ValueError, q4_0_encode, *_odd)
with clauses("decoding"):
    for _w in _weights:
        _shape, _right = tuple(_w.shape), checks08.slow_q4_0(_w)[0]
        _want = checks08.slow_decode(_right, _shape)
        expect(fresh(q4_0_decode)(_right, _shape), _want, f"q4_0_decode to {_shape}", tol=1e-6)
### END HIDDEN TESTS
clauses.award()

# %% [markdown]
# A block of 32 with a float16 scale: 4.5 bits a weight. The whole model, written and read back:

# %% tags=["nbval-ignore-output"]
blobs = {name: q4_0_encode(m.weight.detach()) for name, m in layers.items()}
back = {name: q4_0_decode(blobs[name], m.weight.shape) for name, m in layers.items()}
changed = lesson08.quantized(model, lambda name, w: back[name])
total = sum(map(len, blobs.values()))
print(f"{len(layers)} layers: {4 * inside:,} bytes in float32, {total:,} in Q4_0")
print(f"perplexity {lesson08.rise(model, windows, changed):+.2f} %")
print(lesson08.gguf_agrees(layers, blobs))

# %% [markdown]
# ### Does it fit?
#
# Weights, scales, and the cache. Each token keeps a key and a value of `kv_heads × head_dim`
# numbers in each layer, for each sequence of the batch. (Activations, buffers and the program
# come on top.)

# %% [markdown]
# ### Exercise 12 · `memory_gb`
#
# <details><summary>Hint 1</summary>Bits first, bytes at the end. The scales are one float16 for
# each <code>group</code> parameters.</details>
#
# <details><summary>Hint 2</summary>Cache: <code>2 * layers * kv_heads * head_dim</code> numbers a
# token, times context, times batch, times kv_bits / 8.</details>
#
# <details><summary>Hint 3</summary><code>bits_a_weight = bits + (16 / group if group else
# 0)</code>; everything is divided by 8 and by 1e9.</details>

# %% exercise="memory_gb" minutes=6 difficulty=1
def memory_gb(
    params: float,
    bits: float,
    group: int,
    layers: int,
    kv_heads: int,
    head_dim: int,
    context: int,
    batch: int,
    kv_bits: float,
) -> dict[str, float]:
    """What a language model needs at least, in GB of 1e9 bytes.

    Args:
        params: number of parameters, all stored with `bits` bits.
        group: parameters that share a float16 scale; 0: no scales.
        layers, kv_heads, head_dim: of the model; queries do not matter here.
        context: tokens of a sequence. batch: sequences at once.
        kv_bits: bits of a number in the cache.

    Returns:
        `weights` (scales included), `kv_cache` (keys and values), and their sum `total`.

    >>> memory_gb(7e9, 4, 0, 32, 8, 128, 1000, 1, 16)
    {'weights': 3.5, 'kv_cache': 0.131072, 'total': 3.631072}

    Source: Pope et al. 2022, arXiv:2211.05102, section 3 (memory of weights and cache).
    """
    ### BEGIN SOLUTION
    weights = params * (bits + (16 / group if group else 0)) / 8 / 1e9
    numbers = 2 * layers * kv_heads * head_dim * context * batch
    kv_cache = numbers * kv_bits / 8 / 1e9
    return {"weights": weights, "kv_cache": kv_cache, "total": weights + kv_cache}
    ### END SOLUTION

# %% test="memory_gb" points=2
# Checked here: two models, with and without scales, by hand.
# Hidden tests: other sizes and bits, among them 2.5 bits, a batch, and the shipped model.
from_scratch(memory_gb, FORBIDDEN)
cases = [(7e9, 4, 64, 32, 8, 128, 4096, 3, 16), (70e9, 16, 0, 80, 8, 128, 8192, 1, 8)]
check(memory_gb, cases, checks08.slow_memory, checks08.MEMORY_MISTAKES, tol=1e-9)
### BEGIN HIDDEN TESTS
_cases = [
    (135e6, 3, 128, 30, 3, 64, 2048, 4, 4), (8e9, 2.5, 32, 32, 8, 128, 131072, 2, 16),
    (1115520, 4, 32, 5, 2, 32, 128, 5, 2),
    (405e9, 8, 0, 126, 8, 128, 100, 7, 16), (1, 16, 1, 1, 1, 1, 1, 2, 16),
]
check(memory_gb, _cases, checks08.slow_memory, checks08.MEMORY_MISTAKES, tol=1e-9)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary><b>Predict first.</b> A card with 24 GB. How many bits may a weight of a
# 70-billion-parameter model take, and does 4 do?</summary> 24e9 · 8 / 70e9 = 2.7 bits, with no
# cache and nothing else on the card (2.9 bits if its 24 GB are GiB, 2<sup>30</sup> bytes each). Four bits (35 GB and more, with scales) do not fit. What
# does: 2 to 2.5 bits with good methods and a visible loss; some layers on the processor, slowly;
# or two cards at 4 bits.</details>

# %%
# 80 layers, 8 heads of keys and values of 128 channels: the shape of Llama 3 70B
shape = {"layers": 80, "kv_heads": 8, "head_dim": 128}
print("70 B parameters, weights alone:")
for bits, group in ((32, 0), (16, 0), (8, 0), (4, 0), (4, 64), (3, 64), (2.5, 0), (2, 64)):
    gb = memory_gb(70e9, bits, group, **shape, context=0, batch=1, kv_bits=16)["weights"]
    fits = [size for size in (8, 16, 24, 48, 80) if gb <= size]
    scales = f"groups of {group}" if group else "no scales"
    print(f"  {bits:4} bits, {scales:12}: {gb:6.1f} GB, fits into {fits or 'none of them'}")
print("its KV cache at 16 bits, one sequence:")
for context in (2048, 8192, 131072):
    grouped = memory_gb(70e9, 4, 64, **shape, context=context, batch=1, kv_bits=16)
    each = memory_gb(70e9, 4, 64, 80, 64, 128, context, 1, 16)["kv_cache"]
    print(
        f"  {context:7,} tokens: {grouped['kv_cache']:6.2f} GB"
        f" (without grouped queries {each:6.1f}), weights at 4 bits {grouped['weights']:.1f} GB"
    )
one = memory_gb(70e9, 4, 64, **shape, context=1, batch=1, kv_bits=16)
even = one["weights"] / one["kv_cache"]
print(f"cache = weights at {even:,.0f} tokens of all sequences together")
whole = memory_gb(70e9, 4, 64, **shape, context=8192, batch=1, kv_bits=16)
print("4 bits in groups of 64, one sequence of 8,192 tokens:")
print(f"  on two cards of 24 GB: {whole['total']:.1f} of 48 GB")
here = int(80 * (24 - whole["kv_cache"]) / whole["weights"])  # layers, all of about the same size
left = whole["weights"] * (80 - here) / 80
print(f"  on one: {here} of 80 layers beside the cache; {left:.1f} GB a token come from outside,")
print(f"  by 16 lanes of PCIe 4.0 (32 GB a second) for at most {32 / left:.1f} tokens a second")

# %% [markdown]
# With eight key-value heads in place of 64, the cache is an eighth. Even so, fourteen requests of
# 8,192 tokens together need as much memory as the 4-bit weights: quantizing weights helps the first
# request, quantizing the cache helps the many.

# %% tags=["nbval-ignore-output"]
widgets.explore(
    lambda billions, bits, context_k, batch, cache_bits: pictures08.draw_memory(
        memory_gb, billions, float(bits), context_k, batch, int(cache_bits)
    ),
    billions=(1, 100, 70), bits=["4", "2", "2.5", "3", "8", "16"], context_k=(1, 128, 8),
    batch=(1, 64, 1), cache_bits=["16", "8", "4", "2"],
)

# %% [markdown]
# *Picture: one stacked bar of weights and KV cache in GB, with lines at 8, 16, 24, 48 and 80 GB;
# those that the total exceeds are dotted.*
#
# ### Why bytes are speed
#
# A request has two phases. **Prefill** reads the prompt: all tokens at once, each weight is used
# hundreds of times, and arithmetic is the limit. **Decode** writes: one token at a time, each
# weight is read from memory and used once, and so is the cache. A processor that reads $b$ bytes a
# second can decode no faster than
#
# $$\text{tokens a second} \le \frac{b}{\text{bytes of the weights and of the cache}}.$$
#
# <details><summary><b>Predict first.</b> A layer takes 10 ms for one token. How long for eight
# tokens at once, and for 128?</summary> If reading the weights took all the time, eight tokens
# would cost no more than one. Arithmetic takes over where the slope meets the roof: divide the two
# limits that the cell prints. A real library may be dearer still for a few tokens.</details>
#
# Measure both limits of your machine: bytes by copying a large tensor (reading and writing count),
# and one layer at batch 1 and 128.

# %% tags=["nbval-ignore-output"]
limits = lesson08.roofline()
print(f"a copy moves {limits['gb_s']:.1f} GB/s; products reach {limits['gflop_s']:.0f} GFLOP/s")
for tokens, seconds in limits["layer"].items():
    bytes_s, flops = limits["bytes"] / seconds / 1e9, 2 * tokens * limits["weights"] / seconds / 1e9
    print(
        f"{tokens:4} tokens: {1000 * seconds:7.2f} ms,  {1000 * seconds / tokens:6.3f} ms a token,"
        f"  reads {bytes_s:5.1f} GB/s,  {flops:6.1f} GFLOP/s"
    )
pictures08.draw_roofline(limits)

# %% [markdown]
# *Picture: a roofline on logarithmic axes: reachable GFLOP/s over operations per byte, a slope
# and then a flat roof, which is the layer at 128 tokens; the layer at 1 token lies near the slope; a
# dotted line shows where the slope moves when a weight takes 4 bits.*
#
# The slope is that of a copy. Reading alone may be faster, so a point can lie somewhat above it.
#
# At one token the layer runs at the speed of memory, and weights of a quarter of the bytes could
# make it four times as fast. *Could*: the codes have to be unpacked and scaled on the way, which
# costs arithmetic, and a kernel must do it well. In prefill memory is not the limit: the unpacking
# comes on top, and a kernel wins only where its arithmetic is faster too, as bfloat16's is on
# processors that have it. What real CPU kernels give here, in turns with FP32 in the same process:

# %% tags=["nbval-ignore-output"]
for line in libraries08.kernel_lines():
    print(line)

# %% [markdown]
# Weight-only kernels are written for one machine at a time: the same call is fast on a processor
# with the instructions that its author had in mind and slow on another. (bitsandbytes has a fast
# NF4 kernel for processors with AVX512-BF16; on others it unpacks the whole layer to float and
# multiplies then.)
#
# <details><summary><b>Predict first.</b> A whole model now, SmolLM2 with 135 million parameters.
# Its linear layers by each of these kernels, its embedding, which is the output layer too, in
# FP32. By what factor may 4.5 bits speed up decoding at best?</summary> The output layer is a fifth
# of the parameters and stays: divide the megabytes a token of the first row by those of the last.
# That is the bound; what the kernels make of it is the next table.</details>

# %%
lesson08.print_speed(recorded["speed"])
pictures08.draw_speed(recorded["speed"])

# %% [markdown]
# *Picture: left, tokens a second while decoding over bits a weight, one labelled point for each
# kernel, and a dotted line for the bound, rising towards few bits; all points lie below it, further
# the fewer the bits. Right, bars of the speed in times FP32's, decode and prefill by kernel: only
# torchao's int4 decodes clearly faster than FP32 (bfloat16's runs reach below 1), and
# nothing reads the prompt faster.*
#
# (Recorded by `data/make_lesson08.py` on the processor of the first line, in CPU seconds of one
# thread; the ratios are of runs in turns.) The bound promises three times FP32's speed at 4.5
# bits, and the best kernel gives a quarter more: time goes into unpacking, and into all that is not a
# weight. Even FP32, which unpacks nothing, lies well below its bound. `torchao`'s int4 decodes faster than FP32 and reads
# the prompt more slowly: just the trade of the roofline. NF4 saves as many bytes and halves the
# speed here. The package `gguf` has no kernel at all: it reads and writes files, and llama.cpp has
# the kernels for them (not run here). Quantizing takes seconds in every format that looks at no
# text; section 9 has the seconds of AWQ and GPTQ, several times as many. Never believe a table of
# bits. Measure.
#
# ## 9. A real one: SmolLM2
#
# SmolLM2-135M-Instruct (Allal et al. 2025) is the smallest of a family of good small models: 30
# layers of 576 channels, 9 heads of queries and 3 of keys and values, 135 million parameters,
# trained on two trillion tokens. The file that we can have offline stores them rounded already (in
# Q4_1: 4 bits, and for each 32 weights a scale and a least value in float16). We take what it decodes
# to as the reference; the losses below come on top of that. It is an extra, see README. All numbers of this section were
# recorded by `data/make_lesson08.py` with the solution's answers (GPTQ in a faster form that works
# in blocks); only the last cell runs it live.
#
# <details><summary><b>Predict first.</b> Real outliers now. Which method will gain most over RTN,
# and what goes first: perplexity, facts or sums?</summary> AWQ was made for channels like these.
# The second question has no safe answer beforehand; that is why it is measured.</details>

# %%
lesson08.print_smollm2(recorded["smollm2"])
pictures08.draw_smollm2(recorded["smollm2"])

# %% [markdown]
# *Picture: left, bars of the rise of SmolLM2's perplexity on the novel for RTN, AWQ and GPTQ at 4
# and 3 bits, on a logarithmic axis; at 4 bits GPTQ is lowest, at 3 bits AWQ, and GPTQ is as bad as
# RTN. Right, the share of questions answered, by kind, for the float model and at 4,
# 3 and 2 bits: facts decline slowly, sums stay at 4 bits and fall to guessing at 3, the novel is
# near guessing throughout, and names without choices stay at 4 bits and are gone at 3.*
#
# **Read the table by columns.** The calibration text was 1,024 tokens of the novel (for AWQ every
# eighth of them). At 4 bits and groups of 64 or 128 GPTQ is best of the three *on the novel*, in
# groups of 32 AWQ is as good. On the film reviews, a text of another kind, AWQ loses about half as
# much as RTN; GPTQ loses more than RTN in groups of 32 and less in groups of 64 and 128. At 3 bits
# GPTQ beats RTN in groups of 32 on the novel alone; else it is no better, and on the reviews far
# worse. A likely reason is in its strength: GPTQ fits one
# number for every pair of inputs, and a layer of 1,536 inputs has more of them than 1,024 tokens
# can tell. AWQ fits a single exponent for a layer. With few outlier channels to protect it gains
# much, and it can hardly overfit. On the small model, with inputs without outliers and 8,192
# tokens for 384 of them, GPTQ was ahead. Neither is "the better method"; both are used with far
# more text in practice. **Measure on your model, on a text that was not used to calibrate.**
#
# NF4 and Q4_0 look at no text at all and do well here: all 16 levels, where our symmetric codes
# use 15. But do not rank them by this table: the file that we start from was itself rounded to 16
# levels in blocks of 32, and formats that are like it may profit from that.
#
# **Perplexity is not ability.** It is a mean over all tokens, most of which are easy. The right
# panel asks for facts, sums of one digit, and things from the novel, a dozen of each; a guess is
# right in a quarter of them. Last, the facts are asked again without choices: the name must be the
# likeliest of all 49,152 tokens. At 4 bits the perplexity has risen by a third and hardly an answer
# has changed. At 3 bits most facts are still recognised among four, not one is recalled without
# choices, and the sums are gone. The novel's people it did not know to begin with: a test that a
# float model fails says nothing about bits. With 12 questions of a kind one answer is 8 %, so only
# such large differences mean anything: whoever ships a quantized model tests the task that it is
# for.
#
# **Four bits or eight?** One prompt that asks for both kinds of thing, to the chat model, always
# the likeliest token. (Recorded; for the count each model reads the float model's answer and names
# its own choice for each next token.)

# %%
lesson08.print_prompt(recorded["prompt"])

# %% [markdown]
# Eight bits choose another token now and then, and after the first one the answers go their own
# ways, neither clearly the better. Four bits choose differently many times more often; rounded to
# nearest, the model only repeats the question. At three and two the sentences fall apart. Nobody
# multiplies: the second half of the prompt is beyond a model of this size at any number of bits.
# A single prompt proves little: with a model of your own run twenty, and read the answers without
# knowing which is which.
#
# With the extra, one part runs live: the same sentence at different bits.

# %% tags=["nbval-ignore-output"]
import smollm08

if smollm08.path() is None:
    print("SmolLM2 is not installed (README, extra llm): here it would write at 16, 4 and 3 bits.")
else:
    smol, smol_tokenizer = smollm08.load(smollm08.path())
    smol_ids = smol_tokenizer.encode("The most important thing about a language model is")
    for bits in (16, 4, 3):
        shown = lesson08.quantized(smol, lambda name, w: w if bits == 16 else rtn(w, bits, 64))
        began = time.perf_counter()
        words = smol_tokenizer.decode(shown.generate(smol_ids, 16))
        rate = 16 / (time.perf_counter() - began)
        print(f"{bits:2} bits ({rate:4.1f} tokens a second, all in float kernels): …{words!r}")

# %% [markdown]
# (All three run in the same float kernels: where the speeds differ, it is the machine's mood. Speed
# comes from a kernel, section 8.)
#
# ## 10. The same with the library
#
# What a practitioner calls, what it stores, and when. Your functions are the inside of these.
#
# | tool | stores | when |
# |---|---|---|
# | `bitsandbytes` `Linear4bit` | NF4, blocks of 64, double quantization | QLoRA on a GPU; no calibration |
# | `torchao` `quantize_` | int8 or int4 weight-only in groups | PyTorch models that stay PyTorch |
# | `gguf` and llama.cpp | Q4_0, Q8_0, K-quants, one file | laptops and telephones, CPU first |
# | GPTQModel | GPTQ, groups of 128 | GPU serving of 4-bit weights |
# | llm-compressor | AWQ, GPTQ, SmoothQuant, FP8 | models for vLLM |
# | vLLM | reads the formats above | many requests on GPUs: paged KV cache, batching |
# | TensorRT-LLM | INT4 AWQ, INT8 SmoothQuant, FP8 | NVIDIA GPUs, least latency |
# | DeepSpeed ZeRO-Inference | weights in RAM or on disk | models larger than the card |
#
# *auto-gptq* and *autoawq*, which many tutorials still call, are no longer maintained: their
# place was taken by GPTQModel and llm-compressor. The first three, on one layer of our model:

# %% tags=["nbval-ignore-output"]
for line in libraries08.library_lines(model.layers[2].mlp.gate, inputs["layers.2.mlp.gate"], rtn):
    print(line)

# %% [markdown]
# (`torchao`'s tensor keeps a byte for each 4-bit code here; the packed form belongs to its kernels.)
#
# The others need a GPU or more memory than a lesson should ask for. **Not run here**; each is a
# sketch of the call in the tool's documentation of 2026:
#
# ```python
# # GPTQModel: quantize with calibration texts, save, serve with vLLM            (not run here)
# from gptqmodel import GPTQModel, QuantizeConfig
# model = GPTQModel.load("meta-llama/Llama-3.1-8B", QuantizeConfig(bits=4, group_size=128))
# model.quantize(calibration_texts); model.save("llama-gptq-4bit")
#
# # llm-compressor: AWQ                                                          (not run here)
# from llmcompressor import oneshot
# from llmcompressor.modifiers.awq import AWQModifier
# recipe = [AWQModifier(targets=["Linear"], scheme="W4A16", ignore=["lm_head"])]
# oneshot(model=model, dataset=calibration_set, recipe=recipe, num_calibration_samples=256)
#
# # vLLM serves either; the cache in 8 bits                                      (not run here)
# # vllm serve ./llama-gptq-4bit --kv-cache-dtype fp8 --max-model-len 8192
#
# # llama.cpp: a file of 4.5 to 5 bits a weight, then a server                    (not run here)
# # llama-quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M
# # llama-server -m model-q4_k_m.gguf --ctx-size 8192 --cache-type-k q8_0
#
# # DeepSpeed ZeRO-Inference: weights in RAM, read layer by layer                 (not run here)
# # "zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}
# ```
#
# ## Pitfalls
#
# - **Comparing perplexities that cannot be compared.** Other tokens, other windows, another text:
#   another number. Compare only what one function computed on the same tokens.
# - **"4 bits".** Scales cost 0.25 to 0.5 bits more; embeddings and the output layer often stay in
#   16. Give the bytes of the file.
# - **Calibrating on the text that you evaluate on.** GPTQ fits it. Held-back text shows the
#   truth.
# - **Forgetting to clamp in GPTQ.** A weight that was pushed may leave the range; without the
#   clamp the codes do not fit into their bits, and the error looks *better*.
# - **A Hessian without damping.** Dead or equal inputs make it singular, and a nearly singular
#   one hands on enormous corrections.
# - **Quantizing keys by token.** One outlier channel then ruins the range of every token.
# - **Trusting the mean.** A model may lose a per cent of perplexity and most of its arithmetic.
# - **Expecting speed from bits.** Codes in float kernels are as slow as floats. Prefill and large
#   batches gain nothing from weight-only formats.
#
# ## Questions
#
# <details><summary>RTN minimises the error of each weight, GPTQ does not. Why are GPTQ's outputs
# closer?</summary>An output is a sum. Errors of inputs that go together add up or cancel; GPTQ
# chooses roundings that cancel on the inputs it has seen, and accepts larger errors of single
# weights for it. </details>
#
# <details><summary>Why does GPTQ with a diagonal H give exactly RTN?</summary>The inverse is
# diagonal too, so a column's error is handed on with weight 0. Nothing that others could do would
# help: their inputs never go together with this one.</details>
#
# <details><summary>AWQ multiplies a column before rounding and divides after. Where does the
# division go in a deployed model?</summary>Into whatever produces the input: the norm's weight,
# or the rows of the layer before. Where a nonlinearity lies between, it must stay a
# multiplication at run time, or not be used. </details>
#
# <details><summary>A server has 64 short requests at once. Does a 4-bit weight-only format
# help?</summary>It frees memory for cache. Whether it makes the step faster depends on the machine:
# on a processor like this one, by the roofline of section 8, arithmetic is the limit long before 64
# tokens for each weight read, and unpacking is more arithmetic. Formats
# whose activations are quantized too (W8A8, FP8) are made for that.</details>
#
# <details><summary>Why does NF4 need an exact zero?</summary>Padding, pruned weights and dead
# channels are exact zeros, and a small error there is repeated everywhere.</details>
#
# ## An open experiment
#
# No test, no right answer. Which layers can bear 2 bits? Quantize a single kind of layer (`q`,
# `k`, `v`, `o`, `gate`, `up`, `down`) or a single block to 2 bits with your `gptq`, all else at
# 4, and plot the rise of the perplexity against the bytes saved. Then spend a budget of 3 bits a
# weight as well as you can, and compare with 3 bits everywhere. `lesson08.quantized(model, lambda
# name, w: …)` gives you the names.

# %% tags=["nbval-ignore-output"]
for kind in ("attention.v", "mlp.down"):
    mixed = lesson08.quantized(model, lambda name, w: rtn(w, 2 if name.endswith(kind) else 4, 64))
    print(f"2 bits in {kind:12}, 4 elsewhere (RTN): {lesson08.rise(model, windows, mixed):+.2f} %")

# %% [markdown] question="question_support_chat" points=4
# ### For your teacher
#
# A company wants to run a 70-billion-parameter chat model (80 layers, 8 key-value heads of 128
# channels) for its support team on one machine with two cards of 24 GB: up to 16 conversations at
# once, 8,192 tokens each. A colleague proposes "4-bit GPTQ, perplexity is only 2 % worse, so it
# fits and is four times as fast". In at most ten sentences: does it fit, with numbers; what is
# wrong with the promise of speed; what would you measure before it goes live; and what would you
# propose?
#
# === BEGIN MARK SCHEME ===
# 4 points: 35 GB of codes, 37.2 GB with scales in groups of 64; the cache takes 0.33 MB a token
# in 16 bits, 2.7 GB a conversation, 43 GB for sixteen: does not fit into 48 GB together. Proposes
# a smaller cache (8 or 4 bits: 21 or 11 GB; the latter just about fits), shorter contexts, fewer
# conversations or a smaller model. Speed: at most about fourfold, only while decoding at small
# batch and with a good kernel; prefill and sixteen at once gain less. Measures: tasks of the
# support team (names, product numbers, arithmetic), not perplexity alone, on held-back
# conversations; tokens a second and time to the first token under load; memory at full context.
#
# 2 points: reckons weights and sees that the cache does not fit, or sees that perplexity is not
# ability; the other is missing or without numbers.
#
# 0 or 1 point: accepts the proposal, or counts weights only.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## References
#
# - F. Jelinek, R. Mercer, L. Bahl, J. Baker (1977). *Perplexity: a Measure of the Difficulty of
#   Speech Recognition Tasks.* doi:10.1121/1.2016299
# - B. Hassibi, D. Stork (1993). *Second Order Derivatives for Network Pruning: Optimal Brain
#   Surgeon.* NIPS 5
# - T. Dettmers, M. Lewis, Y. Belkada, L. Zettlemoyer (2022). *LLM.int8(): 8-bit Matrix
#   Multiplication for Transformers at Scale.* arXiv:2208.07339
# - R. Pope et al. (2022). *Efficiently Scaling Transformer Inference.* arXiv:2211.05102
# - T. Dettmers, L. Zettlemoyer (2023). *The Case for 4-bit Precision: k-bit Inference Scaling
#   Laws.* arXiv:2212.09720
# - E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh (2023). *GPTQ: Accurate Post-Training
#   Quantization for Generative Pre-trained Transformers.* arXiv:2210.17323
# - G. Xiao, J. Lin, M. Seznec, H. Wu, J. Demouth, S. Han (2023). *SmoothQuant: Accurate and
#   Efficient Post-Training Quantization for Large Language Models.* arXiv:2211.10438
# - T. Dettmers, A. Pagnoni, A. Holtzman, L. Zettlemoyer (2023). *QLoRA: Efficient Finetuning of
#   Quantized LLMs.* arXiv:2305.14314
# - J. Lin et al. (2024). *AWQ: Activation-aware Weight Quantization for LLM Compression and
#   Acceleration.* arXiv:2306.00978
# - Z. Liu et al. (2024). *KIVI: A Tuning-Free Asymmetric 2bit Quantization for KV Cache.*
#   arXiv:2402.02750
# - J. Ainslie et al. (2023). *GQA: Training Generalized Multi-Query Transformer Models from
#   Multi-Head Checkpoints.* arXiv:2305.13245
# - L. Ben Allal et al. (2025). *SmolLM2: When Smol Goes Big.* arXiv:2502.02737
