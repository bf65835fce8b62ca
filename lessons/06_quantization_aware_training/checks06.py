"""What the test cells of lesson 06 call: models and layers from plain data, arithmetic to trust, mistakes."""

import contextlib
import io
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from bonsai import models
from bonsai.testing import difference, expect, require

# Models and layers from plain data, for the checks --------------------------------------------------------------------


class Skip(nn.Module):
    """`x + inner(x)`: a module that is no Sequential, with layers inside; a single one is its own attribute."""

    def __init__(self, *inner: nn.Module):
        super().__init__()
        self.inner = inner[0] if len(inner) == 1 else nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def network(spec, state: dict[str, Tensor] | None = None) -> nn.Module:
    """`models.network` with this lesson's own modules, and the weights of `state`."""
    model = models.network(spec, {"Skip": lambda inner: Skip(*[network(item) for item in inner])})
    if state is not None:
        model.load_state_dict(state)
    return model


def random_state(spec, seed: int) -> dict[str, Tensor]:
    """Weights for `network(spec)`."""
    return models.random_state(network(spec), seed)


def _near_half(value: float) -> bool:
    return abs(value - math.floor(value) - 0.5) < 0.05


def _clear(w: Tensor, bits: int, rng: torch.Generator) -> None:
    """Fill a weight, of steps that differ by channel, with no value near the middle between two codes."""
    largest = 2 ** (bits - 1) - 1
    steps = 2.0 ** (torch.arange(len(w)).remainder(5) - 4.0).reshape(-1, *[1] * (w.dim() - 1))
    units = torch.randint(-largest, largest + 1, w.shape, generator=rng) + 0.8 * torch.rand(w.shape, generator=rng)
    units = (units - 0.4).clamp(-largest, largest)
    units.flatten(1)[:, 0] = largest * torch.tensor([1.0, -1.0])[torch.arange(len(w)) % 2]
    w.copy_(units * steps)


def clear_state(spec, bits: int, seed: int) -> dict[str, Tensor]:
    """Weights for `network(spec)` (no batch norm) that lie clearly at one of the codes of `bits`."""
    rng = torch.Generator().manual_seed(seed)
    state = network(spec).state_dict()
    for t in state.values():
        if t.dim() > 1:
            _clear(t, bits, rng)
        else:
            t.copy_(torch.randn(t.shape, generator=rng))
    return state


def layer_case(spec: tuple, shape: tuple, bits: tuple[int, int], ranges: list[tuple[float, float]], seed: int) -> tuple:
    """Weights and batches for a layer in which no value lies near the middle between two codes.

    Args:
        ranges: least and largest value of each batch; the last batch is for eval mode and moves nothing.

    Returns:
        the state of `network(spec)`, and the batches.
    """
    rng = torch.Generator().manual_seed(seed)
    top = 2 ** bits[1] - 1
    jitter: Callable = lambda shape: 0.8 * torch.rand(shape, generator=rng) - 0.4  # noqa: E731
    state = network(spec).state_dict()
    _clear(state["weight"], bits[0], rng)
    if "bias" in state:
        state["bias"].copy_(torch.randn(state["bias"].shape, generator=rng))
    batches, low, high = [], math.nan, math.nan
    for i, (least, most) in enumerate(ranges):
        if i < len(ranges) - 1:
            low = least if i == 0 else 0.9 * low + 0.1 * least
            high = most if i == 0 else 0.9 * high + 0.1 * most
        step = (max(high, 0.0) - min(low, 0.0)) / top
        ends = [least / step, most / step]
        if any(_near_half(v) for v in (*ends, -min(low, 0.0) / step)):
            others = [(a * (1 + 0.007 * j), b * (1 + 0.004 * j)) for j, (a, b) in enumerate(ranges, 1)]
            return layer_case(spec, shape, bits, others, seed)
        codes = torch.round(ends[0] + (ends[1] - ends[0]) * torch.rand(shape, generator=rng))
        x = ((codes + jitter(shape)) * step).clamp(least, most)
        x.view(-1)[[1, 4]] = torch.tensor([least, most])
        batches.append(x)
    return state, batches


def weight_facts(layer: Any, module: nn.Module) -> dict:
    """Step 1: what a layer with fake quantization says of itself and of its weight, as plain data."""
    told: dict = {"parameters": sorted(name for name, _ in layer.named_parameters())}
    told["bits"] = [int(layer.bits_w), int(layer.bits_a)]
    told["before"] = {name: t.clone() for name, t in module.state_dict().items()}
    told["scale"], fake = layer.weight_scale().detach().clone(), layer.fake_weight()
    if fake.requires_grad:
        (fake * _ramp(fake)).sum().backward()
    told["fake"], told["gradient"] = fake.detach().clone(), _grad(layer.weight)
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(1)
    told["after"] = {name: t.clone() for name, t in module.state_dict().items()}
    told["later"] = [layer.weight_scale().detach().clone(), layer.fake_weight().detach().clone()]
    return told


def range_facts(layer: Any, other: Any, batches: list[Tensor]) -> dict:
    """Step 2: the range that a layer has after each batch, and the inputs that it rounds.

    Args:
        layer: its `fake_input` is looked at where it has one; else the range moves by its `forward`.
        other: one of the same kind, which is given the state of the first.
        batches: all but the last in training, the last one in eval mode.
    """
    alone = callable(getattr(layer, "fake_input", None))
    told: dict = {"rounded": [], "qparams": []}

    def look(x: Tensor) -> None:
        y = layer.fake_input(x) if alone else layer(x)
        told["rounded"].append(y.detach().clone() if alone else None)

    layer.eval()
    look(batches[-1])
    layer.train()
    for x in batches[:-1]:
        look(x)
        told["qparams"].append(_said(layer))
    layer.eval()
    look(batches[-1])
    look(10 * batches[-1])
    told["frozen"] = _said(layer)
    told["types"] = [isinstance(v, t) for v, t in zip(layer.act_qparams(), (float, int), strict=True)]
    try:
        other.load_state_dict(layer.state_dict())
        told["loaded"] = _said(other)
    except (RuntimeError, TypeError, ValueError) as error:
        told["loaded"] = f"{error!s:.150}"
    return told


def forward_facts(layer: Any, batches: list[Tensor]) -> dict:
    """Step 3: what a layer computes, and what it says of its weight and range.

    Args:
        batches: as in `range_facts`.
    """
    told: dict = {"outputs": [], "qparams": [], "gradients": [], "fake": layer.fake_weight().detach().clone()}
    try:
        told["untrained"] = layer.eval()(batches[-1]).detach()
        layer.train()
        for x in batches[:-1]:
            x = x.clone().requires_grad_()
            layer.zero_grad()
            y = layer(x)
            if y.requires_grad:
                (y * _ramp(y)).sum().backward()
            told["outputs"].append(y.detach())
            told["qparams"].append(_said(layer))
            told["gradients"].append({name: _grad(p) for name, p in layer.named_parameters()} | {"x": _grad(x)})
        told["outputs"].append(layer.eval()(batches[-1]).detach())
        told["qparams"].append(_said(layer))
    except NotImplementedError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        told["error"] = f"{type(error).__name__}: {error!s:.90}"
    return told


def _said(layer: Any) -> list[float]:
    """Scale and zero point as a layer says them."""
    return [float(v) for v in layer.act_qparams()]


def _ramp(y: Tensor) -> Tensor:
    """An upstream gradient of size 1 that differs everywhere."""
    return torch.cos(torch.arange(y.numel(), dtype=torch.float32)).reshape(y.shape)


def _grad(t: Tensor) -> Tensor | None:
    return None if t.grad is None else t.grad.clone()


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Many checks under one name: only the last line is printed, or the failure raised."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
    print(f"✓ {what}")


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    """The checks of one step of an exercise, under one name."""
    with one_line(f"step {number}, {what}"):
        yield


def check_weight(told: dict, state: dict, bits: tuple[int, int], what: str) -> None:
    """Step 1: compare what `weight_facts` says with the library's fake quantization."""
    largest, w = 2 ** (bits[0] - 1) - 1, state["weight"]

    def rounded(w: Tensor) -> tuple[Tensor, Tensor]:
        scales = w.flatten(1).abs().amax(1) / largest
        zeros = torch.zeros(len(w), dtype=torch.int32)
        return scales, torch.fake_quantize_per_channel_affine(w, scales, zeros, 0, -largest, largest)

    names = sorted(state)
    require(
        told["parameters"] == names,
        f"{what}: expected the parameters {names}, yours {told['parameters']}: {PARAMETERS}",
    )
    expect(told["bits"], list(bits), f"{what}: bits_w and bits_a")
    scales, fake = rounded(w)
    got = told["scale"]
    expect(
        got, scales, f"{what}: weight_scale()",
        {
            "this is one scale per tensor; each output channel has its own.": (
                lambda got: got.numel() == 1 or (got.flatten() == got.flatten()[0]).all()
            ),
            "the scale is max|w| / Q with Q = 2**(bits-1) - 1.": lambda got: bool((got < scales).all()),
            "the channels of a weight are its axis 0.": lambda got: got.shape != scales.shape,
        }, tol=_close(scales),
    )  # fmt: skip
    expect(told["fake"], fake, f"{what}: fake_weight()", tol=_close(fake))
    through = _ramp(w)  # no weight is clipped: the largest one is the last code
    largest_ones = w.abs() == w.abs().flatten(1).amax(1).reshape(-1, *[1] * (w.dim() - 1))
    broken = {
        "rounding has derivative 0: pass the gradient straight through, as FakeQuantize does.": lambda got: (
            not got[~largest_ones].any()
        ),
        "a gradient reaches the largest weights through its scale: detach the scale.": lambda got: _same(
            got[~largest_ones], through[~largest_ones]
        ),
    }
    check_gradient(told["gradient"], through, f"{what}: gradient of the weight", broken, tol=1e-6)
    shared = {"it shares the parameter with the float module: clone what you copy.": lambda got: True}
    expect(told["after"], told["before"], f"{what}: the float module after the layer was changed", shared)
    scales, fake = rounded(w + 1)  # as the layer's weight is by now
    stale = {"the weight as it was counts no more: take its scale anew each time.": lambda got: True}
    expect(told["later"][0], scales, f"{what}: weight_scale() after a step", stale, tol=_close(scales))
    step = 1.01 * scales.max().item()  # a value between two codes may fall to either
    expect(told["later"][1], fake, f"{what}: fake_weight() after a step", stale, tol=step)


def check_gradient(got: Tensor | None, right: Tensor, what: str, mistakes: dict, tol: float | Tensor) -> None:
    """Compare a gradient with what it should be."""
    require(got is not None, f"{what}: no gradient arrives, its .grad is None: where did the graph break (detach)?")
    expect(got, right, what, mistakes, tol)


def check_range(told: dict, bits: tuple[int, int], batches: list[Tensor], what: str) -> None:
    """Step 2: compare what `range_facts` says with averages taken here."""
    top = 2 ** bits[1] - 1
    rounded = iter(told["rounded"])

    def compare(x: Tensor, when: str, mistakes: dict) -> None:
        if (got := next(rounded)) is not None:
            expect(got, x, f"{what}: the rounded input {when}", mistakes, 1e-5 * x.abs().max().item() + 1e-6)

    passed = {"before the first training batch the input passes through unrounded.": lambda got: True}
    compare(batches[-1], "in eval mode before any training", passed)
    low, high = math.nan, math.nan
    slow, wide = (0.0, 0.0), (0.0, 0.0)  # the averages of two mistakes
    for i, x in enumerate(batches[:-1]):
        current = x.min().item(), x.max().item()
        earlier = (low, high)
        slow = _average(slow, current, 0.99 if i else 0)
        wide = _average(wide, (min(current[0], 0), max(current[1], 0)), 0.9 if i else 0)
        low = current[0] if i == 0 else 0.9 * low + 0.1 * current[0]
        high = current[1] if i == 0 else 0.9 * high + 0.1 * current[1]
        right = _qparams(low, high, top)
        bare, more = (high - low) / top or 1.0, right[0] * top / (top + 1)
        wrong: dict = {
            "this is the range of the last batch alone; average it with momentum 0.9.": _qparams(*current, top),
            "momentum weighs the old range: 0.9 * old + 0.1 * new.": _qparams(
                0.1 * earlier[0] + 0.9 * current[0], 0.1 * earlier[1] + 0.9 * current[1], top
            ),
            "the zero point was cut off; it is round(-low / scale).": [
                right[0],
                float(int(_zero_point(low, high, top))),
            ],
            "the range did not move in training.": _qparams(*earlier, top) if i else [math.nan, 0.0],
            "the momentum is not 0.9 but 0.99.": _qparams(*slow, top),
            "the range was widened before it was averaged; average what comes, widen at use.": _qparams(*wide, top),
            "the range was not widened to hold 0.": [bare, float(round(-low / bare))],
            "the sign of the zero point is wrong: round(-low / scale).": [right[0], -right[1]],
            "codes 0 .. 2**bits_a - 1 are 2**bits_a - 1 steps, not 2**bits_a.": lambda got, more=more: (
                abs(got[0] - more) < 1e-6 * more
            ),
            "the input's codes begin at 0, not at -2**(bits_a - 1).": [right[0], right[1] - (top + 1) // 2],
        }
        expect(told["qparams"][i], right, f"{what}: act_qparams() after batch {i + 1}", wrong, tol=1e-6)
        late = {"the range is updated before it is used.": lambda got, i=i: i > 0 or torch.equal(got, batches[0])}
        compare(_rounded(x, right, top), f"of batch {i + 1}", late)
    moved = {"the observer moves in eval mode; there the range is frozen.": lambda got: True}
    expect(told["frozen"], right, f"{what}: act_qparams() after eval batches", moved, tol=1e-6)
    require(told["types"] == [True, True], f"{what}: act_qparams() is a float and an int")
    compare(_rounded(batches[-1], right, top), "in eval mode", moved)
    lost = {"the range does not travel in the state_dict: use buffers that are there from the start.": lambda got: True}
    expect(told["loaded"], right, f"{what}: act_qparams() of a second layer with this state_dict", lost, tol=1e-6)


def check_forward(told: dict, spec: tuple, state: dict, bits: tuple[int, int], batches: list, what: str) -> None:
    """Step 3: compare what `forward_facts` says with the float layer on the weight and range that it names itself."""
    top, model = 2 ** bits[1] - 1, network(spec)
    require(
        "error" not in told,
        f"{what}: the layer failed; perhaps a setting was lost (stride, padding, groups …): {told.get('error')}",
    )
    fake = told["fake"].clone().requires_grad_()
    biased = {"bias": state["bias"].clone().requires_grad_()} if "bias" in state else {}

    def run(x: Tensor) -> Tensor:
        return torch.func.functional_call(model, {"weight": fake, **biased}, (x,))

    def zero_padded() -> Tensor:
        assert isinstance(model, nn.Conv2d)
        bias = state.get("bias")
        return F.conv2d(batches[-1], fake.detach(), bias, model.stride, model.padding, model.dilation, model.groups)

    size = fake.detach().flatten(1).abs().sum(1).max().item()
    plain = run(batches[-1]).detach()
    limit = 1e-5 * size * max(b.abs().max().item() for b in batches) + 1e-6  # float32 sums in another order
    mistakes = {
        "it returns its input; forward multiplies it by the weight.": lambda got: _same(got, batches[-1]),
        "a setting was lost: stride, padding, dilation, groups and padding_mode stay those of the convolution.": (
            lambda got: isinstance(model, nn.Conv2d) and (got.shape != plain.shape or _same(got, zero_padded()))
        ),
        "the bias was lost.": lambda got: _same(got, plain - _channels(biased.get("bias"), plain)),
        "the bias was rounded; it is added as it is.": lambda got: bool(biased) and _same_by_channel(got - plain),
        "before the first training batch the input passes through unrounded.": lambda got: got.shape == plain.shape,
    }
    expect(told["untrained"], plain, f"{what}: eval before any training", mistakes, _limit(plain, limit))
    for i, (x, said, got) in enumerate(zip(batches, told["qparams"], told["outputs"], strict=True), 1):
        x = x.clone().requires_grad_()
        y = run(_rounded(x, said, top))
        unrounded = run(x).detach()
        late = {
            "the input was not rounded: forward multiplies the rounded input by the rounded weight.": (
                lambda got, unrounded=unrounded, i=i: i > 1 and _same(got, unrounded)
            ),
            "the range is updated before it is used.": lambda got, i=i: 1 <= i < len(batches),
        }
        expect(got, y.detach(), f"{what}: output of batch {i}", late, _limit(y, limit))
        if i == len(batches):  # in eval mode
            break
        grads = torch.autograd.grad((y * _ramp(y)).sum(), [fake, x, *biased.values()], retain_graph=True)
        for name, right in zip(("weight", "x", "bias"), grads, strict=False):
            near = _limit(right, 1e-4 * right.abs().max().item() + 1e-6)
            check_gradient(told["gradients"][i - 1][name], right, f"{what}: gradient of {name}", {}, near)


def _rounded(x: Tensor, qparams: list[float], top: int) -> Tensor:
    """The input rounded to codes 0 .. top, with a straight-through gradient where it is not clipped.

    torch.fake_quantize_per_tensor_affine would refuse the zero points outside the codes that a wrong layer may name.
    """
    scale, zero = qparams
    codes = torch.round(x.detach() / scale) + zero
    kept = torch.where((codes >= 0) & (codes <= top), x, x.detach())
    return kept + ((codes.clamp(0, top) - zero) * scale - kept).detach()


def _channels(bias: Tensor | None, like: Tensor) -> Tensor:
    if bias is None:
        return torch.full_like(like, math.nan)
    return bias.detach().reshape(1, -1, *[1] * (like.dim() - 2)) if like.dim() == 4 else bias.detach()


def _same_by_channel(d: Tensor) -> bool:
    """Whether an output's difference is one number a channel."""
    rows = d.movedim(1 if d.dim() == 4 else -1, 0).flatten(1)
    return bool((rows.amax(1) - rows.amin(1)).max() < 1e-4)


def _same(a, b) -> bool:
    return difference(a, b, 1e-4) is None


def _close(t: Tensor) -> Tensor:
    """A float32 division or product may differ in its last bits."""
    return 1e-6 * t.abs() + 1e-12


def _limit(like: Tensor, value: float) -> Tensor:
    return torch.full(like.shape, value, dtype=torch.float64)


def _average(old: tuple, new: tuple, momentum: float) -> tuple:
    return tuple(momentum * o + (1 - momentum) * n for o, n in zip(old, new, strict=True))


def _qparams(low: float, high: float, top: int) -> list[float]:
    low, high = min(low, 0.0), max(high, 0.0)
    if not high > low:
        return [1.0, 0.0]
    step = (high - low) / top
    return [step, float(min(max(round(-low / step), 0), top))]


def modes(model: nn.Module) -> list[bool]:
    """Whether each module is in training mode."""
    return [m.training for m in model.modules()]


def _folded(conv: dict, bn: dict, eps: float) -> tuple[Tensor, Tensor]:
    gain = bn["weight"] / (bn["running_var"] + eps).sqrt()
    bias = conv.get("bias", torch.zeros(len(gain)))
    return conv["weight"] * gain.reshape(-1, 1, 1, 1), bn["bias"] + (bias - bn["running_mean"]) * gain


def folded_layers(
    spec, state: dict[str, Tensor], eps: float | None = None, own_bias: bool = True
) -> list[tuple[Tensor, Tensor | None]]:
    """Weight and bias of each layer of `network(spec)` in order, a batch norm directly behind a convolution folded.

    Args:
        eps: taken in place of each batch norm's own.
        own_bias: whether a convolution's bias counts.
    """
    flat: list[tuple[nn.Module, str, nn.Module | None]] = []
    model = network(spec)
    follows: dict[nn.Module, tuple[str, nn.Module]] = {}
    for name, sequence in model.named_modules():
        if isinstance(sequence, nn.Sequential):
            children = list(sequence.named_children())
            for (_, first), (second_name, second) in itertools.pairwise(children):
                follows[first] = f"{name}.{second_name}".lstrip("."), second
    for name, m in model.named_modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            flat.append((m, name, None))
    found: list[tuple[Tensor, Tensor | None]] = []
    for m, name, _ in flat:
        part = {k: state[f"{name}.{k}".lstrip(".")] for k in m.state_dict()}
        after_name, after = follows.get(m, ("", None))
        if isinstance(m, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            conv = part if own_bias else {"weight": part["weight"]}
            bn = {k: state[f"{after_name}.{k}"] for k in after.state_dict()}
            found.append(_folded(conv, bn, after.eps if eps is None else eps))
        else:
            found.append((part["weight"], part.get("bias")))
    return found


def folding_mistakes(spec, state: dict[str, Tensor]) -> dict:
    """What mistakes in folding give."""
    return {
        "eps is that of the batch norm, bn.eps.": folded_layers(spec, state, eps=1e-5),
        "the convolution's own bias was forgotten.": folded_layers(spec, state, own_bias=False),
    }


def codes_of(w: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Codes and scales per output channel, one weight at a time."""
    largest = 2 ** (bits - 1) - 1
    rows, scales = [], []
    for row in w.flatten(1).tolist():
        step = float(np.float32(max(map(abs, row)))) / largest or 1.0
        rows.append([max(-largest, min(largest, round(v / step))) for v in row])
        scales.append(step)
    return torch.tensor(rows).reshape(w.shape), torch.tensor(scales)


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments. --------------

PARAMETERS = "the weight and, if there is one, the bias are copied as Parameters; ranges are buffers."
MUTATED = "The float model was changed; work on a copy."
LEFT = "A BatchNorm2d behind a convolution is left; fold it into the convolution first."
NESTED = "Layers inside nested modules were left as they are."


def _names(got: dict, *wanted: str) -> int:
    return sum(got["kinds"].count(name) for name in wanted)


SYMPTOMS: dict[str, dict] = {
    "FakeQuantize": {
        "The input was changed; work on a copy.": lambda got, want, *_: not torch.equal(got["x"], want["x"]),
        "The clamp is missing: codes stop at qmin and qmax.": lambda got, want, x, scale, zero, qmin, qmax, up: bool(
            (torch.round(got["y"] / scale) + zero).gt(qmax).any()
            or (torch.round(got["y"] / scale) + zero).lt(qmin).any()
        ),
        "The gradient is zero everywhere: rounding has derivative 0, so write the backward pass yourself.": (
            lambda got, want, *_: difference(got["y"], want["y"], 1e-5) is None and not got["gradient"].any()
        ),
        "The gradient is 1 everywhere, also where the value was clipped.": lambda got, want, x, s, z, qmin, qmax, up: (
            difference(got["y"], want["y"], 1e-5) is None and torch.equal(got["gradient"], up)
        ),
        "The gradient that arrives is multiplied by the mask; yours is the mask alone.": lambda got, want, *_: (
            difference(got["y"], want["y"], 1e-5) is None
            and bool(((got["gradient"] == 0) | (got["gradient"] == 1)).all())
        ),
        "The arriving gradient was changed in place; others may still need it: make a new tensor.": (
            lambda got, want, *_: (
                difference(got["y"], want["y"], 1e-5) is None
                and difference(got["arriving"], want["arriving"], 1e-6) is not None
            )
        ),
        "The scale got a gradient; only x gets one here, the other four places are None.": lambda got, want, *_: (
            "different than None" in str(got) if isinstance(got, RuntimeError) else bool(got["scale gradient"].any())
        ),
        "The mask is right, the size is not: inside, the arriving gradient passes as it is.": lambda got, want, *_: (
            difference(got["y"], want["y"], 1e-5) is None and torch.equal(got["gradient"] != 0, want["gradient"] != 0)
        ),
        "Inside or clipped is decided by the rounded code: a code equal to qmin or qmax is inside.": (
            lambda got, want, *_: difference(got["y"], want["y"], 1e-5) is None
        ),
    },
    "two calls": {
        "Of two calls before one backward, one got the gradient of the other: what backward needs belongs to its own "
        "call (ctx), not to the class.": lambda got, want, *_: (
            difference(got["values"], want["values"], 1e-5) is None
            and difference(got["gradients"], want["gradients"], 1e-5) is not None
        ),
    },
    "LSQ": {
        "There is no parameter `step`: it exists from construction.": lambda got, want, *_: (
            got["names"] != want["names"]
        ),
        "The Parameter was replaced at the first forward, so an optimizer holds the old one: set its data.": (
            lambda got, want, *_: (
                abs(got["held"] - want["first"]) > 1e-4 * want["first"] > abs(got["first"] - want["first"])
            )
        ),
        "The first step is 2 mean|x| / sqrt(qmax).": lambda got, want, *_: (
            abs(got["first"] - want["first"]) > 1e-4 * want["first"]
        ),
        "In eval mode the first forward leaves the step as it was made; it sets it in either mode.": (
            lambda got, want, *_: (
                abs(got["first"] - want["first"])
                <= 1e-4 * want["first"]
                < abs(got["first in eval mode"] - want["first in eval mode"])
            )
        ),
        "The step was initialised again: a flag in the state_dict remembers the first forward.": lambda got, want, *_: (
            any(abs(got[k] - want[k]) > 1e-4 * want[k] for k in ("second", "loaded"))
        ),
        "Signed codes begin at -2**(bits-1), one below -qmax.": lambda got, want, first, x, step, up, bits, signed: (
            signed and (want["y"] / step).amin() < -_top(bits, signed) <= (got["y"] / step).amin()
        ),
        "No gradient reaches the step.": lambda got, want, *_: (
            difference(got["y"], want["y"], 1e-4) is None and got["step gradient"] == 0
        ),
        "The gradient of the step is unscaled: multiply it by 1 / sqrt(numel * qmax).": (
            lambda got, want, first, x, step, up, bits, signed: (
                abs(got["step gradient"] / (x.numel() * _top(bits, signed)) ** 0.5 - want["step gradient"])
                <= 1e-3 * abs(want["step gradient"])
            )
        ),
        "N counts all values of x: x.numel(), while len(x) is its first axis alone.": lambda got, want, first, x, *_: (
            abs(got["step gradient"] * (len(x) / x.numel()) ** 0.5 - want["step gradient"])
            <= 1e-3 * abs(want["step gradient"])
        ),
    },
    "prepare_qat": {
        "The float model was changed; work on a copy.": lambda got, want, *_: any(
            difference(got["after"][k], want["after"][k]) for k in want["after"]
        ),
        LEFT: lambda got, want, *_: _names(got, "BatchNorm2d") > want["left"],
        NESTED: lambda got, want, *_: _names(got, "Linear", "Conv2d") > 0 or len(got["layers"]) != len(want["layers"]),
        "A batch norm that is not directly behind a convolution stays as it is.": lambda got, want, *_: (
            _names(got, "BatchNorm2d") < want["left"]
        ),
        "The result is to be in train mode.": lambda got, want, *_: not all(got["training"]),
        "bits_w and bits_a are mixed up.": lambda got, want, *_: got["bits"] != want["bits"],
    },
    "convert": {
        "A layer is missing, or one too many: every QATLinear and QATConv2d, at any depth.": lambda got, want, *_: (
            set(got) != set(want)
        ),
        "codes is int8, of the shape of the weight.": lambda got, want, *_: any(
            g["dtype"] != "torch.int8" or g["codes"].shape != w["codes"].shape
            for g, w in zip(got.values(), want.values(), strict=True)
        ),
        "There is one scale for the whole tensor; each output channel has its own.": lambda got, want, *_: any(
            g["scale"].unique().numel() == 1 < w["scale"].unique().numel() for g, w in pairs(got, want)
        ),
        "Only the shape of scale is wrong: one number a channel, [out].": lambda got, want, *_: (
            all(difference(g["scale"].flatten(), w["scale"], 1e-4) is None for g, w in pairs(got, want))
            and any(g["scale"].shape != w["scale"].shape for g, w in pairs(got, want))
        ),
        "scale is the one that the codes were made with: it was recomputed after rounding.": lambda got, want, *_: (
            all(difference(g["codes"], w["codes"]) is None for g, w in zip(got.values(), want.values(), strict=True))
            and any(
                difference(g["scale"], w["scale"], 1e-4) is not None
                for g, w in zip(got.values(), want.values(), strict=True)
            )
        ),
        "The scale is that of 8 bits, max|w| / 127, whatever bits_w is.": lambda got, want, spec, state, bits, *_: (
            bits[0] < 8
            and all(difference(127 * g["scale"], _steps(bits) * w["scale"], 1e-4) is None for g, w in pairs(got, want))
        ),
        "The codes were cut off; a number that is nearly whole is to be rounded.": lambda got, want, *_: all(
            bool(torch.isin((w["codes"] - g["codes"]) * w["codes"].sign(), torch.tensor([0, 1])).all())
            for g, w in pairs(got, want)
        ),
        "Codes of a wrong channel axis: scale[o] belongs to codes[o].": lambda got, want, spec, state, *_: (
            (isinstance(got, RuntimeError) and "must match" in str(got))
            or any(_turned(g, state[f"{name}.weight"]) for name, g in got.items())
        ),
    },
}


def _zero_point(low: float, high: float, top: int) -> float:
    """-low / scale before it is rounded, of the range widened to hold 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    return -low * top / (high - low) if high > low else 0.0


def _steps(bits) -> int:
    return 2 ** (bits[0] - 1) - 1


def pairs(got: dict, want: dict) -> list[tuple[dict, dict]]:
    """What came and what should come, layer by layer."""
    return [(got[name], layer) for name, layer in want.items()]


def _turned(layer: dict, w: Tensor) -> bool:
    """Whether the codes are those of a scale that runs along another axis than the first."""
    for axis in range(1, w.dim()):
        if w.shape[axis] == len(layer["scale"]):
            shape = [-1 if a == axis else 1 for a in range(w.dim())]
            codes = torch.round(w / layer["scale"].reshape(shape)).clamp(-128, 127)
            if torch.equal(codes, layer["codes"].float()):
                return True
    return False


def _top(bits: int, signed: bool) -> int:
    return 2 ** (bits - 1) - 1 if signed else 2**bits - 1


def codes_mistakes(fake: Tensor, off: Tensor) -> dict:
    """How mistakes in codes and scales show in their product; `off`: by how many steps it is not `fake`."""
    near_steps = ((off < 1e-3) | ((off - 1).abs() < 1e-3)).all() and (off > 0.5).any()
    return {
        "the codes were cut off: what is nearly a whole number, 4.9999995 for 5, is to be rounded.": lambda p: (
            near_steps
        ),
        "the scale was recomputed after rounding: return the one that the codes were made with.": lambda p: (
            ((p - fake).abs() > 1e-6 * fake.abs()).any() and (off < 0.5 * fake.abs()).all()
        ),
    }


STILL_TRAINED = {"bias is the model's own Parameter: store bias.detach().clone().": ["bias"]}


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

SWAPPED = "The momentum is swapped: it weighs the old average."
ZERO = "The average starts from 0; before the first batch it is the range of that batch."
WIDE = "The range was widened to hold 0; that is done when it is used."
KEEP = "The extremes of all batches were kept; average them."
CLIPPED = (
    "The clipped parts are wrong: below the range the step's derivative is qmin, above it qmax, and x "
    "gets no gradient there."
)


def fakequantize_mistakes(expected) -> dict:
    """What mistakes in FakeQuantize give."""

    def rounded(codes_of: Callable) -> Callable:
        def wrong(x, scale, zero_point, qmin, qmax, upstream):
            codes = codes_of(x / scale, zero_point)
            inside = (codes >= qmin) & (codes <= qmax)
            return expected(x, (codes.clamp(qmin, qmax) - zero_point) * scale, upstream * inside, upstream)

        return wrong

    return {
        "The codes were cut off; round to the nearest integer.": rounded(lambda v, zero: torch.trunc(v) + zero),
        "Ties go to the even code, as in torch.round: 0.5 to 0, 1.5 to 2.": rounded(
            lambda v, zero: (v + 0.5).floor() + zero
        ),
        "The zero point is added after the rounding: round(x / scale) + zero_point.": rounded(
            lambda v, zero: torch.round(v + zero)
        ),
    }


def _averaged(p, x: Tensor, m: float = 0.9, now: Callable | None = None) -> tuple[float, float]:
    low, high = (float(v) for v in (now(x) if now else x.aminmax()))
    return (low, high) if p is None else (m * p[0] + (1 - m) * low, m * p[1] + (1 - m) * high)


EMA_RANGE_MISTAKES: dict[str, Any] = {
    SWAPPED: lambda p, x, m=0.9: _averaged(p, x, 1 - m),
    ZERO: lambda p, x, m=0.9: _averaged(p or (0.0, 0.0), x, m),
    WIDE: lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (x.min().clamp(max=0), x.max().clamp(min=0))),
    KEEP: lambda p, x, m=0.9: (min(p[0], x.min().item()), max(p[1], x.max().item())) if p else _averaged(p, x),
    "Only None stands for no average yet; (0.0, 0.0) is an average like any other.": lambda p, x, m=0.9: _averaged(
        p if p and any(p) else None, x, m
    ),
    "The momentum is an argument; yours takes 0.9 whatever it is.": lambda p, x, m=0.9: _averaged(p, x),
    "The default momentum is 0.9; yours is another.": lambda p, x, m=0.99: _averaged(p, x, m),
    "The least comes first, then the largest.": (
        lambda p, x, m=0.9: _averaged(p, x, m)[::-1],
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (x.max(), x.min())),
    ),
    "The largest value is x.max(), which may be negative, and no absolute value.": (
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (x.min(), x.abs().max())),
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (-x.abs().max(), x.abs().max())),
    ),
    "Only a part of the batch was looked at; all of its values count, whatever its shape.": (
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: x[0].aminmax()),
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (x[0].min(), x.max())),
        lambda p, x, m=0.9: _averaged(p, x, m, lambda x: (x.min(), x[0].max())),
    ),
}


def lsq_mistakes(expected, signed_values, inside, upstream) -> dict:
    """What mistakes in LSQ give."""
    return {
        CLIPPED: tuple(
            [expected(4.0, 2.0, signed_values, gradient, total / 5**0.5), ...]
            for gradient in (inside, upstream)
            for total in (-0.2, -2.25, 1.8)
            if (gradient is upstream or total != 1.8)
        ),
        "The step has no gradient where x is divided by the step: do not detach it there.": [
            expected(4.0, 2.0, signed_values, inside, 1 / 5**0.5),
            ...,
        ],
    }


PREPARE_QAT_MISTAKES = {MUTATED: lambda got: True}
