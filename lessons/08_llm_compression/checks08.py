"""What the test cells of lesson 08 call: inputs, slow oracles, and mistakes under the sentence that names them.

Oracles are plain loops over Python floats, or recorded numbers where a loop would be the answer itself.
"""

import functools
import math
import struct
from collections.abc import Callable

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from bonsai import language, models
from bonsai.testing import CheckFailed, difference, expect, raised, record, require, show, type_name

GROUP = 64
# What a right answer of GPTQ leaves, as shares of what RTN leaves; data/lesson08.json ("grading" and "errors") has the
# results of two right answers and four draws of the calibration text. At 4 bits the losses are within the noise.
MOST_ERROR = {3: 0.78, 4: 0.78}  # of the squared output errors of all layers on held-back text
PUBLISHED = {3: 0.663, 4: 0.655}  # what the published algorithm leaves of them on the text behind its own H
MOST_EXCESS = {3: 0.9}  # of the log-loss above that of the float model


def random(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    """Normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def correlated(tokens: int, channels: int, seed: int) -> Tensor:
    """Inputs of a layer whose channels go together and differ in size."""
    mix = random(channels, channels, seed=seed) * torch.logspace(0.5, -1.5, channels)[:, None]
    return (random(tokens, channels, seed=seed + 1) @ mix + 0.1 * random(tokens, channels, seed=seed + 2)) * torch.exp(
        0.7 * random(channels, seed=seed + 3)
    )


# ---- perplexity -----------------------------------------------------------------------------------------------------


def text_case(vocabulary: int, count: int, window: int, seed: int) -> tuple[Tensor, Tensor, int]:
    """A table that a model reads its logits from, tokens, and a window."""
    tokens = torch.randint(vocabulary, (count,), generator=torch.Generator().manual_seed(seed + 1))
    return random(vocabulary, vocabulary, seed=seed), tokens, window


def log_losses(table: Tensor, tokens: Tensor, window: int, shift: int = 1, stride: int = 0) -> list[list[float]]:
    """Each window's log-losses, token by token; `shift` 0 asks for the token that the model has just read."""
    found, ids = [], tokens.tolist()
    for start in range(0, len(ids), stride or window):
        inside = ids[start : start + window]
        losses = []
        for place in range(len(inside) - 1):
            logits = (table[inside[place]] + 0.5 * place * table[0]).double()
            losses.append((logits.logsumexp(0) - logits[inside[place + shift]]).item())
        if len(inside) > 1:
            found.append(losses)
    return found


def chain(lists: list[list[float]]) -> list[float]:
    return [value for values in lists for value in values]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def slow_perplexity(table: Tensor, tokens: Tensor, window: int) -> float:
    """One token at a time."""
    return math.exp(mean(chain(log_losses(table, tokens, window))))


PERPLEXITY_MISTAKES = {
    "A model reads a token and predicts the next one: compare logits i with token i + 1, not with token i.": (
        lambda table, tokens, window: math.exp(mean(chain(log_losses(table, tokens, window, shift=0))))
    ),
    "The mean of the windows' means gives the tokens of a short window more weight: "
    "add up all losses, then divide by the number of predicted tokens.": (
        lambda *case: math.exp(mean([mean(losses) for losses in log_losses(*case)]))
    ),
    "That is the mean log-loss; perplexity is exp of it.": lambda *case: math.log(slow_perplexity(*case)),
    "2 to the power of a loss in nats: cross_entropy counts in nats, so take exp.": (
        lambda *case: 2 ** math.log(slow_perplexity(*case))
    ),
    "The short last window is left out; it counts if it holds at least two tokens.": (
        lambda table, tokens, window: slow_perplexity(table, tokens[: len(tokens) // window * window], window)
    ),
    "The mean of the perplexities of single windows; average the losses first, then take exp once.": (
        lambda *case: mean([math.exp(mean(losses)) for losses in log_losses(*case)])
    ),
    "The windows overlap by a token; they are disjoint, and the first token of each is not predicted.": (
        lambda table, tokens, window: math.exp(mean(chain(log_losses(table, tokens, window, stride=window - 1))))
    ),
    "The first token of a window is not predicted: divide by one less than the tokens of each window.": tuple(
        lambda *case, least=least: math.exp(
            sum(chain(log_losses(*case))) / sum(len(ids) for ids in case[1].split(case[2]) if len(ids) >= least)
        )
        for least in (1, 2)
    ),
}

# ---- rtn ------------------------------------------------------------------------------------------------------------


def slow_rtn(
    w: Tensor, bits: int, group: int, levels: float | None = None, rounding: Callable = round, signed: bool = False
) -> Tensor:
    """Group by group, weight by weight."""
    q = 2 ** (bits - 1) - 1
    rows = []
    for row in w.tolist():
        out: list[float] = []
        for start in range(0, len(row), group):
            part = row[start : start + group]
            largest = max(part) if signed else max(abs(v) for v in part)
            scale = largest / (levels or q) or 1.0
            out += [min(max(rounding(v / scale), -q), q) * scale for v in part]
        rows.append(out)
    return torch.tensor(rows).reshape(w.shape)


def affine_rtn(w: Tensor, bits: int, group: int) -> Tensor:
    """From the least to the largest value of a group, 2**bits levels."""
    parts = []
    for part in w.split(group, dim=1):
        low, high = part.amin(1, keepdim=True), part.amax(1, keepdim=True)
        scale = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
        parts.append(torch.round((part - low) / scale) * scale + low)
    return torch.cat(parts, dim=-1)


def plain_rtn(w: Tensor, bits: int, group: int, whole: bool = False) -> Tensor:
    """Without care for groups of zeros; a scale for each row's group, or for the group's whole block of rows."""
    parts = w.split(group, dim=1)
    tops = [part.abs().amax((0, 1) if whole else 1, keepdim=True) / (2 ** (bits - 1) - 1) for part in parts]
    return torch.cat([torch.round(part / top) * top for part, top in zip(parts, tops, strict=True)], dim=-1)


RTN_MISTAKES = {
    "The weights came back as they were.": lambda w, bits, group: w,
    "One scale for a whole row: each run of `group` weights along `in` has its own.": (
        lambda w, bits, group: slow_rtn(w, bits, w.shape[1])
    ),
    "The groups run along `out`; they run along `in`, so that a group meets one stretch of the input.": (
        lambda w, bits, group: slow_rtn(w.T, bits, group).T
    ),
    "The largest weight was divided by 2**(bits-1); the largest code is Q = 2**(bits-1) - 1.": (
        lambda w, bits, group: slow_rtn(w, bits, group, 2 ** (bits - 1))
    ),
    "Codes were cut off towards 0 instead of rounded to the nearest.": (
        lambda w, bits, group: slow_rtn(w, bits, group, rounding=int)
    ),
    "The range of a group starts at its least weight; symmetric codes have one scale and 0 in the middle.": affine_rtn,
    "The scale comes from the largest weight without its sign removed: take the largest magnitude.": (
        lambda w, bits, group: slow_rtn(w, bits, group, signed=True)
    ),
    "One scale for all rows: each row has its own in each group (amax over axis 1, with keepdim).": (
        lambda w, bits, group: plain_rtn(w, bits, group, whole=True)
    ),
    "A group of zeros gives 0 / 0, which is nan: where the largest magnitude is 0, divide by 1.": plain_rtn,
}
# where all other cases are right, and only tiny values are not
ADDED = {
    "the values are right, but not for tiny weights. Is something like 1e-8 added to the scale, or its least value? "
    "Only a scale of 0 needs another one.": lambda got: bool((got.abs() < 99).all()),
}

# ---- outliers and smoothing -----------------------------------------------------------------------------------------


def slow_outliers(
    x: Tensor, threshold: float, largest: Callable = lambda values: max(map(abs, values)), equal: bool = False
) -> Tensor:
    """Channel by channel."""
    values = [largest(x[..., c].flatten().tolist()) for c in range(x.shape[-1])]
    return torch.tensor(
        [c for c, v in enumerate(values) if v > threshold or (equal and v == threshold)], dtype=torch.long
    )


OUTLIER_MISTAKES = {
    "The largest value without its sign removed: a channel of large negative values is an outlier, too.": (
        lambda x, threshold: slow_outliers(x, threshold, max)
    ),
    "The mean of a channel hides a single large token: take the largest magnitude.": (
        lambda x, threshold: slow_outliers(x, threshold, lambda values: mean([abs(v) for v in values]))
    ),
    "The threshold is a magnitude, and not a multiple of the median channel's.": (
        lambda x, threshold: slow_outliers(x, threshold * float(x.abs().reshape(-1, x.shape[-1]).amax(0).median()))
    ),
    "The threshold is a magnitude, and not a multiple of a standard deviation.": (
        lambda x, threshold: slow_outliers(x, threshold * float(x.std()))
    ),
    "A channel that only reaches the threshold is not above it.": (
        lambda x, threshold: slow_outliers(x, threshold, equal=True)
    ),
    "nonzero() gives a row for each index and a column for each axis: take [:, 0], or flatten.": (
        lambda x, threshold: slow_outliers(x, threshold)[:, None]
    ),
    "squeeze() takes the axis away where there is a single index: take [:, 0], or flatten.": (
        lambda x, threshold: slow_outliers(x, threshold).squeeze()
    ),
    "The wrong axis: channels are the last one.": (lambda x, threshold: slow_outliers(x.movedim(-1, 0), threshold)),
    "All axes but the last are tokens; here only the first was reduced.": (
        lambda x, threshold: (x.abs().amax(0) > threshold).nonzero()[:, 0] if x.dim() > 2 else ...
    ),
    "Ascending order was asked for, not the largest first.": (
        lambda x, threshold: torch.tensor(
            sorted(slow_outliers(x, threshold).tolist(), key=lambda c: -x[..., c].abs().max().item()), dtype=torch.long
        )
    ),
}


def slow_smooth(
    x_absmax: Tensor, w: Tensor, alpha: float, floor: float = 1e-5, swap: bool = False, signed: bool = False
) -> Tensor:
    """Channel by channel."""
    found = []
    for c, big in enumerate(x_absmax.tolist()):
        column = w[:, c].tolist()
        weight = max(column) if signed else max(abs(v) for v in column)
        big, weight = max(big, floor), max(weight, floor)
        a = 1 - alpha if swap else alpha
        found.append(big**a / weight ** (1 - a))
    return torch.tensor(found)


SMOOTH_MISTAKES = {
    "alpha and 1 - alpha are swapped: alpha is the share of the activations.": (
        lambda x, w, alpha: slow_smooth(x, w, alpha, swap=True)
    ),
    "The weights' part has the power 1 - alpha, not alpha.": (
        lambda x, w, alpha: (x.clamp(min=1e-5) / w.abs().amax(0).clamp(min=1e-5)) ** alpha
    ),
    "Clamped after the powers were taken: first both parts are clamped at 1e-5, then come the powers.": (
        lambda x, w, alpha: (x**alpha).clamp(min=1e-5) / (w.abs().amax(0) ** (1 - alpha)).clamp(min=1e-5)
    ),
    "The weights' part was multiplied; it divides.": (
        lambda x, w, alpha: x.clamp(min=1e-5) ** alpha * w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)
    ),
    "The largest weight of an input channel without its sign removed.": (
        lambda x, w, alpha: slow_smooth(x, w, alpha, signed=True)
    ),
    "The maximum over the wrong axis: `w` is [out, in], and there is one scale for each input.": (
        lambda x, w, alpha: (
            x.clamp(min=1e-5) ** alpha / w.abs().amax(1).clamp(min=1e-5) ** (1 - alpha)
            if w.shape[0] == w.shape[1]
            else ...
        )
    ),
    "Both parts are clamped at 1e-5 before the powers are taken; a dead channel must not give 0, inf or nan.": (
        lambda x, w, alpha: x**alpha / w.abs().amax(0) ** (1 - alpha)
    ),
    "The result was clamped; the two parts are, before the powers.": (
        lambda x, w, alpha: (x**alpha / w.abs().amax(0) ** (1 - alpha)).nan_to_num(1e-5, posinf=1e-5).clamp(min=1e-5)
    ),
}

# ---- AWQ ------------------------------------------------------------------------------------------------------------


def fast_rtn(w: Tensor, bits: int, group: int) -> Tensor:
    """The trusted one, for measuring."""
    q = 2 ** (bits - 1) - 1
    parts = []
    for part in w.split(group, dim=1):
        top = part.abs().amax(1, keepdim=True)
        scale = torch.where(top > 0, top / q, torch.ones_like(top))
        parts.append(torch.round(part / scale).clamp(-q, q) * scale)
    return torch.cat(parts, dim=-1)


def output_error(w: Tensor, x: Tensor, scale: Tensor, bits: int, group: int) -> float:
    """Squared error of the layer's output when `w * scale` is rounded and divided again."""
    back = fast_rtn(w * scale, bits, group) / scale
    return (x.double() @ (back - w).double().T).square().sum().item()


def grid_scales(w: Tensor, x: Tensor, grid: int) -> list[Tensor]:
    """The candidates."""
    size = x.abs().mean(0).clamp(min=1e-4)
    powers = [size ** (i / grid) for i in range(grid)]
    return [s / (s.max() * s.min()).sqrt() for s in powers]


def awq_case(tokens: int, out: int, inputs: int, seed: int) -> tuple[Tensor, Tensor]:
    """Weights, and inputs of which some channels are far larger than the rest."""
    x = random(tokens, inputs, seed=seed) * torch.exp(1.5 * random(inputs, seed=seed + 1))
    return random(out, inputs, seed=seed + 2), x


def judge_awq(awq_scale: Callable, w: Tensor, x: Tensor, bits: int, group: int, grid: int, what: str) -> float:
    """One call of the exercise, judged by the error that its scale leaves; returns that error over RTN's."""
    got = awq_scale(w.clone(), x.clone(), bits, group, grid)
    if not isinstance(got, Tensor) or got.shape != (w.shape[1],):
        raise CheckFailed(f"{what}: expected one scale for each input\n{difference(got, torch.ones(w.shape[1]))}")
    got = got.detach().float()
    require(bool(got.isfinite().all()), f"{what}: a scale is nan or inf: is it |x| that is averaged, clamped at 1e-4?")
    require(bool((got > 0).all()), f"{what}: a scale is not positive: {got.min()}")
    plain = output_error(w, x, torch.ones(w.shape[1]), bits, group)
    mine = output_error(w, x, got, bits, group)
    candidates = grid_scales(w, x, grid)
    best = min(output_error(w, x, s, bits, group) for s in candidates)
    if mine <= 1.02 * best:
        return mine / plain
    flat, shape = got.log() - got.log().mean(), [s.log() - s.log().mean() for s in candidates]
    sentence = ""
    if flat.abs().max() < 1e-4:
        sentence = (
            "all scales are equal, so nothing is protected. Is alpha above 0 tried, is it |x| that is averaged, and is "
            "the error that of the outputs, over x, after dividing by the scale again?"
        )
    elif any((flat + s).abs().max() < 1e-3 for s in shape[1:]):
        sentence = "the scale is upside down: weights of large inputs are multiplied by more, not by less."
    elif any((flat - s).abs().max() < 1e-3 for s in shape):
        sentence = "this is a scale of the grid, but not the best one: keep the one whose output error is least."
    raise CheckFailed(
        f"{what}: {sentence}\n  expected an output error of at most 1.02 × {best:.5g}, the best of the grid\n"
        f"  yours leaves {mine:.5g} (round-to-nearest alone: {plain:.5g})"
    )


# ---- hessian and GPTQ -----------------------------------------------------------------------------------------------


def _only_damped(got: Tensor, want: Tensor) -> bool:
    """Whether a matrix is a multiple of another with the same number added to each element of the diagonal."""
    off = want - torch.diag(want.diagonal())
    rest = got - want * (got * off).sum() / off.square().sum()
    added = rest.diagonal().mean()
    return bool(added > 0) and difference(rest / added, torch.eye(len(want)), 0.05) is None


def judge_hessian(hessian: Callable, x: Tensor, what: str) -> None:
    """Equal to XᵀX up to one positive factor."""
    got = hessian(x.clone())
    n = x.shape[-1]
    want = x.double().T @ x.double()
    if not isinstance(got, Tensor) or got.shape != (n, n) or not got.is_floating_point():
        raise CheckFailed(f"{what}: expected a float matrix [in, in]\n{difference(got, want)}")
    got = got.detach().double()
    require(bool(got.isfinite().all()) and bool(got.trace() > 0), f"{what}: nan, inf, or no positive diagonal")
    centred = (x - x.mean(0)).double()
    size = want.diagonal().sqrt()
    mistakes = {
        "the mean was taken off: that is a covariance. The error of a layer needs the plain second moment.": (
            centred.T @ centred
        ),
        "that is a correlation: the size of the channels is divided away, and it is what matters.": (
            want / torch.outer(size, size)
        ),
        "only the diagonal is there: the products of different channels are what GPTQ lives on.": (
            torch.diag(want.diagonal())
        ),
    }
    scaled: dict = {sentence: m / m.trace() for sentence, m in mistakes.items() if m.trace() > 0}
    both = centred / centred.square().sum(0).sqrt()
    scaled["that is a correlation, as of torch.corrcoef: neither the mean nor the size may be divided away."] = (
        both.T @ both / n
    )
    scaled["something was added to the diagonal. The damping belongs into gptq; here it is XᵀX alone."] = lambda got: (
        _only_damped(got, want)
    )
    # sums of at most 300 products in float32, of values that may cancel
    expect(got / got.trace(), want / want.trace(), f"{what}: XᵀX up to a factor", scaled, tol=2e-6)


def weighted_error(w: Tensor, w_hat: Tensor, h: Tensor) -> float:
    """trace(E H Eᵀ), the squared error of the layer's outputs over the tokens behind H."""
    e = (w_hat - w).double()
    return ((e @ h.double()) * e).sum().item()


def off_grid(w_hat: Tensor, bits: int, group: int) -> str:
    """Where a row's group does not lie on multiples -Q .. Q of one scale; empty if everywhere."""
    q = 2 ** (bits - 1) - 1
    for start in range(0, w_hat.shape[1], group):
        part = w_hat[:, start : start + group].detach().double()
        top = part.abs().amax(1, keepdim=True)
        fits = top[:, 0] == 0
        for code in range(1, q + 1):  # the largest value has some code from 1 to Q
            steps = part / torch.where(top > 0, top / code, torch.ones_like(top))
            fits |= (steps - steps.round()).abs().amax(1) < 1e-3
        if not fits.all():
            row = int((~fits).nonzero()[0])
            levels = len(part[row].unique())
            return (
                f"row {row}, weights {start} to {start + part.shape[1] - 1}: {levels} different values that do not "
                f"lie on multiples -{q} .. {q} of one scale"
            )
    return ""


def gptq_case(out: int, inputs: int, seed: int) -> tuple[Tensor, Tensor]:
    """Weights, and the Hessian of correlated inputs."""
    x = correlated(4 * inputs, inputs, seed)
    return random(out, inputs, seed=seed + 9), x.T @ x


def on_grid(got: object, w: Tensor, bits: int, group: int, what: str) -> Tensor:
    """A dequantized weight, of the right kind."""
    if not isinstance(got, Tensor) or got.shape != w.shape or not got.is_floating_point():
        raise CheckFailed(f"{what}: expected a float tensor like w\n{difference(got, w)}")
    require(bool(got.isfinite().all()), f"{what}: the result holds nan or inf")
    found = off_grid(got, bits, group)
    require(not found, f"{what}: not {bits}-bit weights. Round, clamp to ±Q, and multiply by the scale; {found}")
    return got.detach().float()


def judge_damping(gptq: Callable, w: Tensor, h: Tensor, bits: int, group: int) -> None:
    """With a million times the diagonal's mean on it H is as good as diagonal, and nothing is handed on."""
    found = difference(gptq(w.clone(), h.clone(), bits, group, 1e6), fast_rtn(w, bits, group), 1e-4)
    require(found is None, f"gptq with damp = 1e6: so much on the diagonal leaves rtn's result; is damp used?\n{found}")


def _original_scales(got: Tensor, w: Tensor, bits: int, group: int) -> bool:
    """Whether all groups lie on multiples of the scales that the weights had before anything was handed on."""
    tops = [part.abs().amax(1, keepdim=True).expand_as(part) for part in w.split(group, dim=1)]
    codes = got / (torch.cat(tops, 1) / (2 ** (bits - 1) - 1))
    return w.shape[1] > group and difference(codes, codes.round(), 1e-3) is None


def judge_dead_undamped(gptq: Callable) -> None:
    """Without damping, a 1 on the diagonal is all that makes a dead input bearable."""
    w, x = random(3, 6, seed=321), random(40, 6, seed=322)
    x[:, 4] = 0.0
    what = "gptq with damp = 0 and an input that is always 0"
    hint = "an input that is always 0 gets a 1 on the diagonal of h, whatever damp is"
    try:
        got = gptq(w.clone(), x.T @ x, 3, 4, 0.0)
    except NotImplementedError:
        raise
    except Exception as error:
        raise CheckFailed(f"{what}: {hint}\n  expected weights, yours {raised(error)}") from error
    require(isinstance(got, Tensor) and bool(got.isfinite().all()), f"{what}: {hint}\n  yours holds nan or inf")
    on_grid(got, w, 3, 4, what)


def judge_gptq(gptq: Callable, w: Tensor, h: Tensor, bits: int, group: int, ratio: float, what: str) -> None:
    """One call of the exercise; `ratio` is the error of the published algorithm over that of RTN."""
    got = on_grid(gptq(w.clone(), h.clone(), bits, group), w, bits, group, what)
    nearest = fast_rtn(w, bits, group)
    mine, plain = weighted_error(w, got, h), weighted_error(w, nearest, h)
    if mine <= 1.02 * ratio * plain:
        return
    sentence = ""
    small, large = (gptq(w.clone(), h * size, bits, group) for size in (2.0**-16, 2.0**16))
    if difference(small, large, 1e-5) is not None:
        sentence = "another result for another size of h: what goes on its diagonal is damp times the diagonal's mean."
    elif difference(got, nearest, 1e-5) is None:
        sentence = "this is round-to-nearest: no error was handed on to the weights that are still to be rounded."
    elif _original_scales(got, w, bits, group):
        sentence = "the scales are those of the original weights: take a group's from its weights as they are by then."
    elif mine > plain and bool((got == got.round()).all()):
        sentence = "these are codes; multiply each by its group's scale."
    elif mine > plain:
        sentence = (
            "worse than round-to-nearest: errors are handed on, but not as the inverse Hessian says. Is the factor "
            "upper triangular, of the inverse, its row divided by its diagonal, the sign such that errors cancel, each "
            "code rounded to the nearest, and damp a small share of the mean of the diagonal?"
        )
    else:
        sentence = (
            "errors are handed on, but more is left than need be: is the scale of a group taken when the group begins, "
            "from the updated weights, damp multiplied with the mean of the diagonal, and each row of the factor that "
            "of a Cholesky decomposition?"
        )
    raise CheckFailed(
        f"{what}: {sentence}\n  expected trace(E H Eᵀ) of at most 1.02 × {ratio:.3f} of RTN's\n"
        f"  yours is {mine / plain:.3f}"
    )


# error of the published algorithm over that of RTN, out, in, bits, group, seed of gptq_case
GPTQ_CASES = [
    (0.5000, 4, 8, 3, 4, 200),
    (0.1278, 12, 20, 4, 8, 220),
    (0.2759, 16, 32, 3, 16, 210),
    (0.3662, 24, 48, 3, 16, 230),
    (0.2158, 10, 33, 4, 16, 240),
    (0.2329, 32, 64, 2, 32, 250),
    (0.6053, 5, 7, 3, 3, 260),
    (0.7266, 1, 12, 3, 64, 270),
]
# the same with the kind of singular_case before the sizes
SINGULAR_CASES = [
    (0.1518, "fewer tokens than inputs", 12, 24, 3, 8, 300),
    (0.1254, "dead inputs", 10, 16, 3, 8, 310),
    (0.1234, "two equal inputs", 8, 16, 4, 16, 320),
]


def singular_case(kind: str, out: int, inputs: int, seed: int) -> tuple[Tensor, Tensor]:
    """A Hessian that has no inverse before it is damped."""
    x = correlated(4 * inputs, inputs, seed)
    if kind == "fewer tokens than inputs":
        x = x[: inputs // 3]
    elif kind == "dead inputs":
        x[:, [1, inputs - 2]] = 0.0
    else:  # two inputs are the same
        x[:, 2] = x[:, inputs // 2]
    return random(out, inputs, seed=seed + 9), x.T @ x


def judge_diagonal(gptq: Callable, w: Tensor, diagonal: Tensor, bits: int, group: int) -> None:
    """Inputs that never go together leave nothing to hand on."""
    got = on_grid(gptq(w.clone(), torch.diag(diagonal), bits, group), w, bits, group, "gptq, diagonal H")
    expect(got, fast_rtn(w, bits, group), "gptq with a diagonal H is round-to-nearest", tol=1e-5)


# ---- the shipped model ----------------------------------------------------------------------------------------------


def calibration() -> Tensor:
    """The 64 fixed windows of 128 tokens, from the training chapters."""
    return load_file(models.CHECKPOINTS / "lesson08.safetensors")["calibration"].long()


def held_back(split: str, count: int) -> Tensor:
    """Windows of 129 tokens, spread evenly over a split."""
    tokens = language.tokens(split)
    starts = torch.linspace(0, len(tokens) - 129, count).long()
    return tokens[starts[:, None] + torch.arange(129)]


@torch.no_grad()
def mean_loss(model: torch.nn.Module, windows: Tensor) -> float:
    """Log-loss of a predicted token."""
    logits = torch.cat([model(part) for part in windows[:, :-1].split(16)])
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).item()


SHARED = (("attention.q", "attention.k", "attention.v"), ("attention.o",), ("mlp.gate", "mlp.up"), ("mlp.down",))


@torch.no_grad()
def inputs_of(model: language.Decoder, windows: Tensor) -> list[tuple[list[str], Tensor]]:
    """Layers that read the same input, and that input `[tokens, in]`: four kinds in each block."""
    seen: dict[str, Tensor] = {}
    names = [f"layers.{i}.{group[0]}" for i in range(len(model.layers)) for group in SHARED]

    def keep(name: str) -> Callable:
        return lambda module, args, output: seen.update({name: args[0].flatten(0, -2)})

    handles = [model.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        model(windows)
    finally:
        for handle in handles:
            handle.remove()
    groups = [[f"layers.{i}.{n}" for n in group] for i in range(len(model.layers)) for group in SHARED]
    return [(group, seen[group[0]]) for group in groups]


def stacked(model: language.Decoder, names: list[str]) -> Tensor:
    """The weights of layers that read the same input, one above the other."""
    return torch.cat([model.get_parameter(f"{name}.weight").detach() for name in names])


def with_weights(layers: list[tuple[list[str], Tensor]]) -> language.Decoder:
    """The shipped model with other weights."""
    model = models.load("small_decoder")
    assert isinstance(model, language.Decoder)
    with torch.no_grad():
        for names, weight in layers:
            parameters = [model.get_parameter(f"{name}.weight") for name in names]
            for p, part in zip(parameters, weight.split([len(p) for p in parameters]), strict=True):
                p.copy_(part)
    return model


@functools.cache
def patient() -> tuple[list[list[str]], list[Tensor], list[Tensor]]:
    """Names of layers that read the same input, their stacked weights, and their Hessians on the shipped windows."""
    model = models.load("small_decoder")
    assert isinstance(model, language.Decoder)
    groups = inputs_of(model, calibration())
    return [g for g, _ in groups], [stacked(model, g) for g, _ in groups], [x.T @ x for _, x in groups]


@functools.cache
def held_back_hessians(split: str, count: int) -> list[Tensor]:
    """Those of text that no method was shown."""
    model = models.load("small_decoder")
    assert isinstance(model, language.Decoder)
    return [x.T @ x for _, x in inputs_of(model, held_back(split, count)[:, :-1])]


def relative_error(weights: list[Tensor], rounded: list[Tensor], hessians: list[Tensor]) -> float:
    """Squared output error over squared output, the mean of all layers."""
    rows = zip(weights, rounded, hessians, strict=True)
    return mean([weighted_error(w, r, h) / weighted_error(torch.zeros_like(w), w, h) for w, r, h in rows])


@functools.cache
def yardsticks(bits: int, split: str, count: int) -> tuple[float, float]:
    """Log-loss of the float model on some windows, and what RTN adds to it."""
    names, weights, _ = patient()
    windows = held_back(split, count)
    full = mean_loss(models.load("small_decoder"), windows)
    nearest = [fast_rtn(w, bits, GROUP) for w in weights]
    return full, mean_loss(with_weights(list(zip(names, nearest, strict=True))), windows) - full


def measured(quantize: Callable, bits: int, split: str, count: int) -> None:
    """The whole shipped model by the exercise: `quantize(list of (w, h), bits, group)` gives a list of weights."""
    names, weights, hessians = patient()
    got = quantize(list(zip(weights, hessians, strict=True)), bits, GROUP)
    if not isinstance(got, list) or len(got) != len(weights):
        raise CheckFailed(f"expected a list of {len(weights)} weights from the {bits}-bit model")
    mine = [on_grid(t, w, bits, GROUP, n[0]) for t, w, n in zip(got, weights, names, strict=True)]
    nearest = [fast_rtn(w, bits, GROUP) for w in weights]
    unseen = held_back_hessians(split, count)
    error = relative_error(weights, mine, unseen) / relative_error(weights, nearest, unseen)
    own = relative_error(weights, mine, hessians) / relative_error(weights, nearest, hessians)
    full, rtn = yardsticks(bits, split, count)
    gptq = mean_loss(with_weights(list(zip(names, mine, strict=True))), held_back(split, count)) - full
    record(**{f"{split}_{bits}_bits_perplexity": math.exp(full + gptq), f"{split}_{bits}_bits_error": error})
    require(
        error <= MOST_ERROR[bits],
        f"{bits} bits, {split} text: the layers' output errors should be at most {MOST_ERROR[bits]} of those that "
        f"round-to-nearest leaves, yours are {error:.2f} of them",
    )
    hint = "they are less on held-back text, which h says nothing of: was it looked at?" if error < own else ""
    require(
        own <= 1.02 * PUBLISHED[bits],
        f"{bits} bits, the text behind h: the layers' output errors should be at most 1.02 × {PUBLISHED[bits]} of "
        f"those that round-to-nearest leaves, yours are {own:.3f} of them; {hint or 'is all of h used?'}",
    )
    require(
        gptq <= MOST_EXCESS.get(bits, math.inf) * rtn,
        f"{bits} bits, {split} text: GPTQ's loss above FP32's should be at most {MOST_EXCESS.get(bits)} of "
        f"round-to-nearest's {rtn:.4f}, yours is {gptq / rtn:.2f} of it",
    )
    print(
        f"✓ {bits} bits, {split} text: perplexity {math.exp(full):.2f} → {math.exp(full + gptq):.2f} "
        f"(round-to-nearest {math.exp(full + rtn):.2f}), output errors {error:.2f} of round-to-nearest's"
    )


# ---- NF4, double quantization, KV cache ------------------------------------------------------------------------------

# QLoRA (Dettmers et al. 2023, arXiv:2305.14314), appendix E, to four digits
NF4 = torch.tensor(
    [
        *(-1.0, -0.6962, -0.5251, -0.3949, -0.2844, -0.1848, -0.0911, 0.0),
        *(0.0796, 0.1609, 0.2461, 0.3379, 0.4407, 0.5626, 0.7230, 1.0),
    ]
)


def _quantiles(first: float, count: int) -> list[float]:
    """Of the normal distribution, from `first` towards 0.5."""
    chances = torch.linspace(first, 0.5, count + 1, dtype=torch.float64)[:-1]
    return torch.special.ndtri(chances).tolist()


OFFSET = 1 - (1 / 32 + 1 / 30) / 2
_PLUS, _MINUS = _quantiles(OFFSET, 8), _quantiles(OFFSET, 7)
NF4_MISTAKES = {
    "these are evenly spaced values: the steps of int4. The quantiles of a normal distribution lie closer near 0.": (
        torch.linspace(-1, 1, 16)
    ),
    "the halves are swapped: there are eight positive values and seven negative ones.": -NF4.flip(0),
    "not normalised: divide by the largest value, so that the ends are -1 and 1.": (
        torch.tensor(sorted(_PLUS + [0.0] + [-v for v in _MINUS]))
    ),
    "there is no exact 0: take the two halves apart, and 0 between them.": (
        torch.special.ndtri(torch.linspace(1 - OFFSET, OFFSET, 16, dtype=torch.float64)).float() / _PLUS[0]
    ),
    "the right values, but not ascending: sort them.": lambda got: difference(got.sort().values, NF4, 1e-4) is None,
    "the negative values are spaced like the eight positive ones; they are seven, at steps of their own.": (
        torch.tensor([-v for v in _PLUS[:7]] + [0.0] + _PLUS[::-1]) / _PLUS[0]
    ),
    "17 values: eight are positive, one is 0, and seven are negative.": lambda got: got.shape == (17,),
}


def slow_double(scales: Tensor, block: int) -> tuple[Tensor, Tensor, float]:
    """Block by block."""
    values = scales.double().tolist()
    middle = mean(values)
    codes: list[int] = []
    steps: list[float] = []
    for start in range(0, len(values), block):
        part = [v - middle for v in values[start : start + block]]
        step = max(abs(v) for v in part) / 127 or 1.0
        steps.append(step)
        codes += [round(v / step) for v in part]
    return torch.tensor(codes), torch.tensor(steps), middle


def _among(got: float, values: list[float]) -> bool:
    return any(difference(got, value, 1e-5) is None for value in values)


def judge_double(double_quantize: Callable, scales: Tensor, block: int, what: str) -> None:
    """Types and shapes, then what comes back from the codes."""
    got = double_quantize(scales.clone(), block)
    require(isinstance(got, (tuple, list)) and len(got) == 3, f"{what}: expected (codes, block_scales, mean)")
    codes, steps, middle = got
    want_codes, want_steps, want_middle = slow_double(scales, block)
    require(isinstance(codes, Tensor), f"{what}: expected int8 codes, yours a {type_name(codes)}")
    require(codes.dtype == torch.int8, f"{what}: expected int8 codes, yours {codes.dtype}: .to(torch.int8)")
    found = f"{what}: a code for each scale\n  expected shape {tuple(scales.shape)}\n  yours    {tuple(codes.shape)}"
    require(codes.shape == scales.shape, found)
    shape = tuple(steps.shape) if isinstance(steps, Tensor) else type(steps).__name__
    require(shape == tuple(want_steps.shape), f"{what}: expected one scale a block, {len(want_steps)}, yours {shape}")
    number = isinstance(middle, (int, float)) or (isinstance(middle, Tensor) and middle.numel() == 1)
    require(number, f"{what}: expected the mean as a 0-d tensor, as scales.mean() is, yours {show(middle)}")
    middle = float(middle)
    require(
        not (abs(middle) < 1e-12 < abs(want_middle)),
        f"{what}: the mean was not taken off. Scales are positive; around their mean both signs of a code are used.",
    )
    means = [part.mean().item() for part in scales.split(block)]
    one = {"that is the mean of one block; one mean of all scales is taken off.": lambda got: _among(got, means)}
    expect(middle, want_middle, f"{what}: the mean of all scales", one, tol=1e-5)

    def by_block(s: Tensor) -> Tensor:
        return s.detach().double().repeat_interleave(block)[: len(scales)]

    require(bool(steps.isfinite().all()), f"{what}: a block's scale is nan or inf")
    back = codes.double() * by_block(steps) + want_middle
    largest = codes.abs().amax().item() if len(codes) else 0
    sentence = {
        "the largest code should be ±127 in each block: is a block's scale its largest magnitude divided by 127?": (
            lambda got: largest < 120 and want_codes.abs().max() == 127
        ),
    }
    # half a step, and the rounding of float32
    expect(
        back,
        scales.double(),
        f"{what}: codes × block scale + mean",
        sentence,
        tol=0.502 * by_block(want_steps) + 1e-6 * scales.abs(),
    )


def slow_kv(x: Tensor, bits: int, kind: str, constant: float | None = None) -> Tensor:
    """Slice by slice; a constant one stays, or becomes `constant`."""
    slices = x.T.tolist() if kind == "key" else x.tolist()
    found = []
    for values in slices:
        low, high = min(values), max(values)
        scale = (high - low) / (2**bits - 1)
        flat = values if constant is None else [constant] * len(values)
        found.append([round((v - low) / scale) * scale + low for v in values] if scale else flat)
    back = torch.tensor(found)
    return back.T if kind == "key" else back


def tensor_kv(x: Tensor, bits: int, kind: str) -> Tensor:
    low, scale = x.min(), (x.max() - x.min()) / (2**bits - 1)
    return torch.round((x - low) / scale) * scale + low


def symmetric_kv(x: Tensor, bits: int, kind: str) -> Tensor:
    q = 2 ** (bits - 1) - 1
    scale = x.abs().amax(0 if kind == "key" else 1, keepdim=True) / max(q, 1)
    return torch.round(x / scale).clamp(-q, q) * scale


KV_MISTAKES = {
    "The axes are swapped: a key's channel has one range over all tokens, a value's token one over all channels.": (
        lambda x, bits, kind: slow_kv(x, bits, "value" if kind == "key" else "key")
    ),
    "One range for the whole tensor; each slice has its own.": tensor_kv,
    "A constant slice gives 0 / 0, which is nan; it stays as it is.": (
        lambda x, bits, kind: slow_kv(x, bits, kind, math.nan)
    ),
    "The range is symmetric around 0; it goes from the least to the largest value.": symmetric_kv,
    "2**bits steps; from the least to the largest value there are 2**bits - 1.": (
        lambda x, bits, kind: (lambda low, scale: torch.round((x - low) / scale) * scale + low)(
            x.amin(0 if kind == "key" else 1, keepdim=True),
            (x.amax(0 if kind == "key" else 1, keepdim=True) - x.amin(0 if kind == "key" else 1, keepdim=True))
            / 2**bits,
        )
    ),
}
NARROW = {
    "the levels are right, but not of a narrow range. Has the step a least value, or was something added to it? "
    "Only a step of 0 is special.": lambda got: bool((got.abs() < 99).all()),
}

# ---- Q4_0 -----------------------------------------------------------------------------------------------------------


def slow_q4_0(w: Tensor, blob: bytes = b"") -> tuple[bytes, set[int]]:
    """The file's bytes, value by value, and the numbers of the codes that lie on a tie.

    Where a block's largest magnitude occurs with both signs, either may give the scale: `blob` decides.
    """
    made, ties, number = b"", set(), 0
    values = w.flatten().tolist()
    for start in range(0, len(values), 32):
        block = values[start : start + 32]
        largest = max(block, key=abs)  # the first of equals
        if -largest in block and blob[len(made) : len(made) + 2] == struct.pack("<e", largest / 8):
            largest = -largest
        d = largest / -8
        codes = []
        for v in block:
            place = (v / d if d else 0.0) + 8.5
            if abs(place - round(place)) < 1e-4:
                ties.add(number)
            codes.append(min(15, int(place)))
            number += 1
        made += struct.pack("<e", d) + bytes(a | b << 4 for a, b in zip(codes[:16], codes[16:], strict=True))
    return made, ties


def codes_of(blob: bytes) -> list[int]:
    """The codes of a Q4_0 file in the order of the weights."""
    found: list[int] = []
    for start in range(0, len(blob), 18):
        packed = blob[start + 2 : start + 18]
        found += [b & 15 for b in packed] + [b >> 4 for b in packed]
    return found


def slow_decode(blob: bytes, shape: tuple[int, ...]) -> Tensor:
    """Back to float32."""
    scales = [struct.unpack("<e", blob[i : i + 2])[0] for i in range(0, len(blob), 18)]
    return torch.tensor([(c - 8) * scales[i // 32] for i, c in enumerate(codes_of(blob))]).reshape(shape)


def decoded_wrongly(blob: bytes, shape: tuple[int, ...]) -> dict[str, Tensor]:
    """What mistakes in the order of codes make of the bytes."""
    codes, scales = codes_of(blob), [struct.unpack("<e", blob[i : i + 2])[0] for i in range(0, len(blob), 18)]
    parts = [codes[start : start + 32] for start in range(0, len(codes), 32)]
    orders = {
        "Neighbours were taken from one byte; it holds weights j and j + 16.": [
            [c for both in zip(p[:16], p[16:], strict=True) for c in both] for p in parts
        ],
        "The nibbles are swapped: the low one is weight j, the high one j + 16.": [p[16:] + p[:16] for p in parts],
        "8 is taken off each code before it is multiplied by d.": [[c + 8 for c in part] for part in parts],
    }
    weights = {
        said: [[(c - 8) * d for c in part] for part, d in zip(order, scales, strict=True)]
        for said, order in orders.items()
    }
    return {said: torch.tensor(rows).reshape(shape) for said, rows in weights.items()}


def _scale(blob: bytes, block: int) -> float:
    """The scale of a block of a Q4_0 file."""
    return struct.unpack_from("<e", blob, 18 * block)[0]


def judge_q4_0(blob: object, w: Tensor, what: str) -> None:
    """The bytes of the exercise against those of the format, ties apart."""
    require(isinstance(blob, bytes), f"{what}: expected bytes, yours {type(blob).__name__}")
    assert isinstance(blob, bytes)
    want, ties = slow_q4_0(w, blob)
    require(
        len(blob) == len(want),
        f"{what}: expected {len(want):,} bytes, 18 for each 32 weights, yours {len(blob):,}",
    )
    scale_bytes = [i for start in range(0, len(want), 18) for i in (start, start + 1)]
    if any(blob[i] != want[i] for i in scale_bytes):
        at = next(i for i in scale_bytes if blob[i] != want[i]) // 18 * 18
        mine, right = (struct.unpack("<e", b[at : at + 2])[0] for b in (blob, want))
        swapped = struct.unpack(">e", blob[at : at + 2])[0]
        sentence = (
            "the scale has lost its sign: it is the value of largest magnitude, with its sign, divided by -8."
            if math.isclose(mine, -right, rel_tol=2e-3)
            else "the two bytes of the scale are in the other order: low byte first."
            if math.isclose(swapped, right, rel_tol=2e-3)
            else "the divisor is -8, not 7: the codes go down to -8."
            if math.isclose(abs(mine), abs(right) * 8 / 7, rel_tol=2e-3)
            else ""
        )
        raise CheckFailed(
            f"{what}: {sentence}\n  expected the scale {right:.6g} in block {at // 18}\n  yours {mine:.6g}"
        )
    mine, right = codes_of(blob), codes_of(want)
    wrong = [
        i for i, (a, b) in enumerate(zip(mine, right, strict=True)) if a != b and not (i in ties and abs(a - b) == 1)
    ]
    if wrong:
        halves = w.reshape(-1, 32) / torch.tensor([_scale(want, b) for b in range(w.numel() // 32)])[:, None]
        coarse = (halves.nan_to_num(0.0) + 8.5).floor().clamp(0, 15).flatten()
        neighbours = [c for s in range(0, len(right), 32) for c in _woven(right[s : s + 32])]
        nibbles = [c for s in range(0, len(right), 32) for c in right[s + 16 : s + 32] + right[s : s + 16]]
        shifted = [(c - 8) % 16 for c in right]
        sentence = (
            "neighbours share a byte; in Q4_0 weight j shares one with weight j + 16."
            if mine == neighbours
            else "the nibbles are swapped: the first 16 weights are in the low ones."
            if mine == nibbles
            else "codes are stored with 8 added, not as two's complement."
            if mine == shifted
            else "d was rounded to float16 already when w was divided by it: the codes come from d in float32."
            if all(mine[i] == coarse[i] for i in wrong)
            else "codes are cut off instead of rounded: 8.5 is added before the fraction is dropped."
            if all(a in (b, b - 1) for a, b in zip(mine, right, strict=True)) and len(wrong) > len(right) // 4
            else "two codes touch, or a code has left 0 .. 15: the largest is 15."
            if any(right[i] == 15 for i in wrong) and len(wrong) < len(right) // 4
            else ""
        )
        i = wrong[0]
        raise CheckFailed(
            f"{what}: {sentence}\n  first difference at weight {i} ({len(wrong)} differ)\n"
            f"  expected the code {right[i]}\n  yours {mine[i]}"
        )
    print(f"✓ {what}")


def _woven(codes: list[int]) -> list[int]:
    """What a reader of Q4_0 sees where neighbours were packed together."""
    return codes[::2] + codes[1::2]


# ---- memory ---------------------------------------------------------------------------------------------------------


def slow_memory(
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
    """By hand."""
    weights = params * bits / 8
    if group:
        weights += 2 * params / group
    cache = 2 * layers * kv_heads * head_dim * context * batch * kv_bits / 8
    return {"weights": weights / 1e9, "kv_cache": cache / 1e9, "total": (weights + cache) / 1e9}


def _wrong_memory(weights: float = 1.0, cache: float = 1.0, unit: float = 1.0, scales: bool = True) -> Callable:
    """The same with a factor that does not belong there."""

    def made(*args: float) -> dict[str, float]:
        params, bits, _, *rest = args
        right = slow_memory(*args)  # type: ignore[arg-type]
        w = right["weights"] if scales else slow_memory(params, bits, 0, *rest)["weights"]  # type: ignore[arg-type]
        w, c = w * weights * unit, right["kv_cache"] * cache * unit
        return {"weights": w, "kv_cache": c, "total": w + c}

    return made


def _scales_of(scale_bytes: float) -> Callable:
    """The same with scales of another size."""

    def made(*args: float) -> dict[str, float]:
        params, bits, _, *rest = args
        right, without = slow_memory(*args), slow_memory(params, bits, 0, *rest)  # type: ignore[arg-type]
        more = (right["weights"] - without["weights"]) * (scale_bytes / 2 - 1)
        return {**right, "weights": right["weights"] + more, "total": right["total"] + more}

    return made


def _batch_forgotten(*args: int) -> dict[str, float]:
    of_one = [*args[:7], 1, *args[8:]]
    return slow_memory(*of_one)


MEMORY_MISTAKES = {
    "The cache holds a key and a value: twice as much.": _wrong_memory(cache=0.5),
    "1 GB is 1e9 bytes here, not 2**30.": (
        _wrong_memory(unit=1e9 / 2**30),
        _wrong_memory(weights=1e9 / 2**30),
        _wrong_memory(cache=1e9 / 2**30),
    ),
    "A scale is a float16: 2 bytes, or 16 bits.": (_scales_of(4), _scales_of(1 / 4)),
    "The scales were left out: one float16 for each group of weights.": _wrong_memory(scales=False),
    "Every sequence of the batch has a cache of its own.": _batch_forgotten,
    "Bits were taken for bytes: divide by 8.": (
        _wrong_memory(weights=8.0, cache=8.0),
        _wrong_memory(weights=8.0),
        _wrong_memory(cache=8.0),
    ),
}
