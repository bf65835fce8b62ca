"""What the test cells of lesson 02 call: models and files from plain data, checks, and how mistakes show."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn as nn
from lesson02 import relative_error
from torch import Tensor

from bonsai import models
from bonsai.testing import difference, expect, require

# Models from plain data, so that a test can describe one and a probe can build it ---------------------------------


class OwnLinear(nn.Linear):
    """A linear layer of a class of its own: not a *layer* in the sense of the course."""


class Paths(nn.Module):
    """A model with a layer that runs twice, one under two names, one deep inside, one that never runs."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.again = self.first
        self.own = OwnLinear(6, 6)
        self.inner = nn.ModuleDict(
            {"deep": nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 6, bias=False))}
        )
        self.unused = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.own(self.first(x)))
        return self.again(3 * self.inner["deep"](x))


def network(spec, state: dict[str, Tensor] | None = None) -> nn.Module:
    """`models.network` with this lesson's own modules, and the weights of `state`."""
    model = models.network(spec, {"OwnLinear": OwnLinear, "Paths": Paths})
    if state is not None:
        model.load_state_dict(state, strict=False)  # num_batches_tracked may be missing
    return model


def random_state(spec, seed: int) -> dict[str, Tensor]:
    """Weights for `network(spec)`."""
    return models.random_state(network(spec), seed)


def kinds(model: nn.Module) -> dict[str, tuple[str, str]]:
    """Every name in a model -> the type of the module and the first name that the same module has."""
    first: dict[int, str] = {}
    return {
        name: (type(module).__name__, first.setdefault(id(module), name))
        for name, module in model.named_modules(remove_duplicate=False)
    }


def dotted(model: nn.Module) -> list[str]:
    """Names with a dot that one module gives to its children; a dot stands between a module and its child."""
    return [name for module in model.modules() for name in module._modules if "." in name]


def require_no_dots(names: list[str], what: str):
    """A layer that `setattr(model, "0.1", layer)` stored does not stand where the old one does."""
    require(
        not names,
        f"{what}: setattr(model, '{next(iter(names), '')}', …) makes a new child with a dot in its name and leaves the "
        "layer where it was: find the parent with get_submodule, or use set_submodule",
    )


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def hooks(model: nn.Module) -> int:
    """Hooks, and forward methods that were put over a module's own."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in vars(m)) for m in model.modules())


def tensors_of(value: object, name: str = "") -> dict[str, Tensor]:
    """Every tensor that a module holds: parameters, buffers, and plain attributes too."""
    if isinstance(value, nn.Module):
        return tensors_of(vars(value), name)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(value)
    if isinstance(value, Tensor):
        return {name: value.detach()}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return {k: t for key, item in items for k, t in tensors_of(item, f"{name}.{key}").items()}


# A file with next to nothing around the numbers ---------------------------------------------------------------------


def unpack(blob: bytes) -> dict[str, Tensor]:
    """What `pack` was given."""
    state, start = {}, 0
    while start < len(blob):
        end = blob.index(b"\n", start)
        name, kind, *shape = blob[start:end].decode().split("\t")
        dtype = getattr(torch, kind)
        sizes = [int(n) for n in shape]
        stop = end + 1 + math.prod(sizes) * dtype.itemsize
        state[name] = torch.frombuffer(bytearray(blob[end + 1 : stop]), dtype=dtype).reshape(sizes)
        start = stop
    return state


# Libraries ----------------------------------------------------------------------------------------------------------

SETTING = "A setting was lost: groups, stride, padding, dilation and padding_mode are kept."


def unfolded(layers: list, state: dict[str, Tensor], x: Tensor, **changed) -> Tensor:
    """What a convolution and the BatchNorm behind it compute in eval mode, when some settings are others."""
    conv, norm = layers
    *sizes, options = conv if isinstance(conv[-1], dict) else (*conv, {})
    with torch.no_grad():
        return network([(*sizes, options | changed), norm], state).eval()(x)


# Checks -------------------------------------------------------------------------------------------------------------


def check_linear(
    got: dict, weight: Tensor, bias: Tensor | None, x: Tensor, what: str, by: str, bits: int = 8, most: float = 0.02
):
    """A QuantizedLinear: `by` "row" holds each row's error against the bound, `by` "channel" each output channel's."""
    out = len(weight)
    require(got["state"] is not None, f"{what}: QuantizedLinear.from_float should return an nn.Module, yours does not")
    want = nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double()).float()
    y, q = got["y"], 2 ** (bits - 1) - 1
    require(
        isinstance(y, Tensor) and y.shape == want.shape,
        f"{what}: expected an output of shape {tuple(want.shape)}, yours {tuple(getattr(y, 'shape', ()))}",
    )
    wide = [
        f"{name} ({t.numel()} values)"
        for name, t in got["tensors"].items()
        if t.is_floating_point() and t.numel() > 4 * out
    ]
    require(
        not wide,
        f"{what}: a float tensor as large as the weight is kept, in {', '.join(wide)}: "
        "store the codes as int8, and no float tensor above 4 * out values",
    )
    codes = [t for t in got["state"].values() if not t.is_floating_point() and t.numel() == weight.numel()]
    require(
        bool(codes) or bits < 8,
        f"{what}: no integer tensor of {weight.numel()} codes in the state_dict: register the codes as a buffer",
    )
    require(
        all(int(t.long().abs().max()) <= q for t in codes),
        f"{what}: codes lie in -{q} … {q} for {bits} bits; yours reach further",
    )
    flat, right = y.detach().reshape(-1, out), want.reshape(-1, out)
    errors = relative_error(flat, right, 1 if by == "row" else 0)
    worst, best = int(errors.nan_to_num(math.inf).argmax()), float(errors.min())
    why = {
        "row": "one scale for the whole batch? Each row of x has its own",
        "channel": "one scale for the whole weight? Each output channel has its own",
    }[by]
    why = why if best <= most else "look at the formulas of codes and scales"
    require(
        bool((errors <= most).all()),
        f"{what}: expected an error of at most {100 * most:.0f} % for every {by}, "
        f"yours has {100 * errors[worst]:.1f} % in {by} {worst}: {why}",
    )
    require(
        difference(got["again"], y.detach(), 1e-5) is None,
        f"{what}: a QuantizedLinear made of another layer and then given this state_dict computes something else: "
        "all that forward needs belongs in buffers",
    )
    require(
        difference(got["after"], {"weight": weight, **({} if bias is None else {"bias": bias})}) is None,
        f"{what}: from_float changed the float layer",
    )


def check_static(got: dict, spec, state: dict[str, Tensor], x: Tensor, what: str):
    """What quantize_static made of a model at 8 bits, against the float model on `x` (first run of the probe)."""
    model = network(spec, state).eval()
    with torch.no_grad():
        want = model.double()(x.double()).float()
    y = got["logits"][0]
    require("BatchNorm2d" not in got["kinds"], f"{what}: BatchNorm was not folded: a BatchNorm2d is still in the model")
    layers = [(n, m.weight) for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)]
    sizes = [t.numel() for t in got["state"].values() if not t.is_floating_point()]
    for name, w in reversed(layers):
        last = "the last layer was left out" if name == layers[-1][0] else f"layer {name} was left out"
        require(
            w.numel() in sizes,
            f"{what}: {last}: expected an integer tensor of {w.numel()} codes in the state_dict, "
            f"yours has integer tensors of {sorted(sizes)}",
        )
        sizes.remove(w.numel())
    lost = (
        ": a setting of a convolution was lost" if y.shape[:2] == want.shape[:2] and y.dim() == want.dim() == 4 else ""
    )
    require(
        y.shape == want.shape, f"{what}: expected an output of shape {tuple(want.shape)}, yours {tuple(y.shape)}{lost}"
    )
    without = network(_without_norms(spec))
    kept = [m for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    for layer, source in zip([m for m in without.modules() if type(m) in (nn.Linear, nn.Conv2d)], kept, strict=True):
        layer.load_state_dict(source.state_dict())
    with torch.no_grad():
        dropped = without.eval()(x)
    without_norms = (
        difference(dropped, want, 0.05) is not None and float(relative_error(y.flatten(), dropped.flatten(), 0)) < 0.1
    )
    require(
        not without_norms, f"{what}: BatchNorm was not folded but dropped: the output is that of the model without it"
    )
    require(not any(got["modes"]), f"{what}: the result should be in eval mode")
    # 8-bit rounding costs about 1 % of the norm a layer (weights and inputs together); the squares of two or three add
    flat, right = y.detach().movedim(1, 0).flatten(1), want.movedim(1, 0).flatten(1)
    whole = float(relative_error(flat.flatten(), right.flatten(), 0))
    folding = ", and at fold_batchnorm" if any(type(m) is nn.BatchNorm2d for m in model.modules()) else ""
    require(
        whole <= 0.05,
        f"{what}: expected an error of at most 5 % of the norm, yours {100 * whole:.1f} %: "
        f"look at the calibration (all batches, eval mode) and at the zero point{folding}",
    )
    errors = relative_error(flat, right, 1)
    worst = int(errors.argmax())
    require(
        float(errors[worst]) <= 0.05,
        f"{what}: expected an error of at most 5 % for every output channel, yours {100 * errors[worst]:.0f} % in "
        f"channel {worst}: one scale for the whole weight? Each output channel has its own",
    )
    require(
        difference(got["after"], got["before"]) is None and got["modes_after"] == got["modes_before"],
        f"{what}: quantize_static changed the model it was given",
    )


def _without_norms(spec):
    if isinstance(spec, list):
        return [_without_norms(part) for part in spec if part[0] != "BatchNorm2d"]
    return spec


def check_fixed(alone: Tensor, crowd: Tensor, usual: Tensor, scaled: Tensor, what: str):
    """Ranges were fixed: an image gives the same logits in any company, and a huge one saturates."""
    require(
        difference(crowd[:1], alone, 1e-3) is None,
        f"{what}: the ranges were recomputed at inference; they were fixed when the model was made. "
        "The same image alone and beside a huge one gives different logits",
    )
    growth = float(scaled.norm() / usual.norm())
    require(
        growth < 10,
        f"{what}: the ranges were recomputed at inference, or the codes are not clamped to 0 … 2**bits - 1. "
        f"Inputs 100 times as large should saturate; your outputs grew {growth:.0f}-fold",
    )


def check_threshold(
    kl_range: Callable, x: Tensor, bits: int, bins: int, allowed: Sequence[int], what: str, mistakes: dict[str, float]
):
    """kl_range must return the upper edge of an allowed bin; `mistakes`: sentence -> the bin that it ends at."""
    got, width = kl_range(x, bits, bins), x.abs().max().item() / bins
    require(isinstance(got, int | float), f"kl_range should return a float, yours a {type(got).__name__}")
    if any(abs(got / width - i) < 0.02 for i in allowed):
        return
    near: dict[str, Callable] = {
        "This is the index of the bin; return the threshold, index times width.": lambda g: any(
            abs(g - i) < 1.5 for i in allowed
        ),
        "The threshold lies between two bin edges; it is i * width.": lambda g: abs(g / width % 1 - 0.5) < 0.45,
    }
    ends = {
        sentence: lambda g, at=at: abs(g / width - at) < (0.02 if type(at) is float else 1.5)
        for sentence, at in mistakes.items()
    }  # a float: between two bin edges, so that it must be met
    near = {s: f for s, f in ends.items() if type(mistakes[s]) is float} | near | ends
    expect(got, min(allowed, key=lambda i: abs(i - got / width)) * width, f"kl_range of {what}", near)


def check_replaced(got: dict, what: str, spec, state: dict[str, Tensor], x: Tensor, bits: int | None):
    """What quantize_dynamic made of a model, module by module."""
    require_no_dots(got["dotted"], what)
    model = network(spec, state).eval()
    names, want = kinds(model), model(x).detach()
    same = (
        difference([got["before"], got["state"], got["y_before"]], [names, dict(model.state_dict()), want], 1e-6)
        is None
    )
    require(same, f"{what}: it mutates the model it was given: work on a deep copy")
    for name, (kind, first) in names.items():
        now, now_first = got["kinds"].get(name, ("nothing", ""))
        where = f"{name!r}" if name else "the model itself"
        if kind == "Linear":
            why = (
                "only the top level was replaced: go through all depths"
                if "." in name
                else "every Linear layer is replaced"
            )
            why = why if name else "a layer can be the model itself"
            require(now == "QuantizedLinear", f"{what}: expected a QuantizedLinear at {where}, yours a {now}: {why}")
        else:
            require(
                now == kind, f"{what}: expected a {kind} at {where}, yours a {now}: a layer's type is exactly nn.Linear"
            )
        require(
            now_first == first, f"{what}: {name!r} and {first!r} are one module in the model; in yours they are two"
        )
    error = float(relative_error(got["y"].flatten(), want.flatten(), 0))
    require(
        bits is not None or error < 0.05,
        f"{what}: expected an output within 5 % of the model's, yours is off by {100 * error:.0f} %",
    )
    weights = {m.weight.numel() for m in model.modules() if type(m) is nn.Linear}
    codes = [t for t in got["new"].values() if not t.is_floating_point() and t.numel() in weights]
    top = max((int(t.long().abs().max()) for t in codes), default=0)
    require(bits is None or top <= 2 ** (bits - 1) - 1, f"{what}: the codes reach to {top}: pass `bits` on")
    print("✓", what)


def check_sensitivity(
    runs: list[dict], what: str, spec, state: dict[str, Tensor], x: Tensor, y: Tensor, rounded: dict,
    whole: dict | None = None, cut: dict | None = None,
):  # fmt: skip
    """layer_sensitivity: the first run, and runs in which an evaluation failed.

    `rounded`, `whole`, `cut`: name -> its rounded weight; with one scale for the tensor; cut off in place of rounded.
    """
    got, full = runs[0], dict(network(spec, state).state_dict())
    require_no_dots(got["dotted"], what)
    alone = all(sum(difference(t, full[n]) is not None for n, t in seen.items()) <= 1 for seen in got["seen"])
    why = "" if alone else "cumulative: a layer was still quantized when the next one was tried; each is tried alone"
    require(difference(got["after"], full) is None, f"{what}: the model was not restored bit for bit. {why}")
    require(alone, f"{what}: {why}")
    require(
        got["modes"] == [False, True] + [False] * (len(got["modes"]) - 2),
        f"{what}: the mode of some modules was not restored",
    )
    drops = got["drops"]
    require(
        isinstance(drops, dict) and set(drops) == set(rounded),
        f"{what}: expected a dict with the layers {sorted(rounded)}, yours {drops}",
    )
    calls = f"expected one evaluation for the baseline and one a layer, {1 + len(rounded)} in all"
    require(len(got["seen"]) == 1 + len(rounded), f"{what}: {calls}; yours were {len(got['seen'])}")

    def metric(weights):
        with torch.no_grad():
            return -(network(spec, weights).eval()(x) - y).square().mean().item()

    for name, weight in rounded.items():
        key, top = f"{name}.weight", weight.abs().max().item()
        tried = next((seen[key] for seen in got["seen"] if difference(seen[key], state[key]) is not None), state[key])
        mistakes = {
            "Per tensor: one scale for the whole weight; each output channel has its own.": (whole or {}).get(name, ""),
            "The codes were cut off; round to the nearest integer.": (cut or {}).get(name, ""),
        }
        expect(tried, weight, f"{what}: the rounded weight of layer {name!r}", mistakes, tol=1e-5 * max(1.0, top))
        drop = metric(state) - metric({**state, key: tried})
        expect(
            drops[name],
            drop,
            f"{what}: the drop of layer {name!r}",
            {"The sign: baseline minus metric.": -drop},
            tol=1e-4,
        )
    for failed in runs[1:]:
        require(
            difference(failed["after"], full) is None, f"{what}: not restored after evaluate raised: use try … finally"
        )


def total_drop(choice: dict[str, int], table: dict[str, dict[int, float]]) -> float:
    return sum(table[name][bits] for name, bits in choice.items())


def check_assignment(
    assign_bits: Callable, what: str, table: dict, sizes: dict, budget: float, optimum: float, mistakes: dict
):
    """assign_bits against the least drop; `mistakes`: sentence -> the assignment that it gives."""
    try:
        got = assign_bits(table, sizes, budget)
    except ValueError as error:
        got = error
    fits = "but an assignment fits: sizes are elements, not bytes, and an element of b bits takes b / 8 bytes"
    require(not isinstance(got, ValueError), f"{what}: yours raised ValueError ({got}), {fits}")
    formed = isinstance(got, dict) and set(got) == set(table) and all(got[n] in table[n] for n in table)
    require(formed, f"{what}: expected one of its bit-widths for each of {list(table)}, yours {got}")
    got = {n: int(b) for n, b in got.items()}
    cost, drop = sum(sizes[n] * b for n, b in got.items()) / 8, total_drop(got, table)
    worst = sum(max(drops.values()) for drops in table.values())
    why = next((sentence for sentence, choice in mistakes.items() if choice == got), "")
    require(cost <= budget * (1 + 1e-12), f"{what}: over budget: {cost:g} bytes of {budget:g}, with {got}. {why}")
    enough = drop <= optimum + 0.01 * (worst - optimum) + 1e-9
    require(enough, f"{what}: expected a total drop of {optimum:g}, yours {drop:g} with {got}. {why}")


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments.
SYMPTOMS: dict[str, dict] = {
    "fold_batchnorm": {
        "It changed the convolution or the BatchNorm it was given; make a new one.": lambda got, want, *_: (
            difference(got["after"], want["after"]) is not None or got["modes"] != want["modes"]
        ),
        "It gives another result when it is called again: its weight or bias is still the random start of a new layer, "
        "into which the folded ones have to be stored.": lambda got, *_: got["again"] is False,
        "The bias of the convolution was dropped: there may be one, and there may be none.": (
            lambda got, want, spec, *_: isinstance(got, AttributeError | TypeError) and spec[0][-1] == {"bias": False}
        ),
        "affine=False: then there is no gamma and no beta; they count as 1 and 0.": lambda got, want, layers, *_: (
            isinstance(got, AttributeError | TypeError) and isinstance(layers[1][-1], dict)
            and layers[1][-1].get("affine") is False
        ),
        "The running statistics are there, in train mode too: they are used, and nothing is raised.": (
            lambda got, want, *_: isinstance(got, ValueError | AssertionError)
        ),
        SETTING: lambda got, want, *_: (
            (isinstance(got, RuntimeError) and "groups=" in str(got))
            or (got["y"].dim() == 4 and got["y"].shape[:2] == want["y"].shape[:2] and got["y"].shape != want["y"].shape)
        ),
    },
    "MinMaxObserver": {
        "The range is without 0: widen it to hold 0, as in lesson 01.": lambda got, want, batches, options: (
            not options.get("symmetric") and got[0] < want[0]
            and abs(got[0] * (2 ** options.get("bits", 8) - 1) / (_most(batches, max) - _most(batches, min)) - 1) < 1e-6
            and _most(batches, min) * _most(batches, max) > 0
        ),
        "qparams() was called after every batch, and once more: what was seen has to stay.": (
            lambda got, want, batches, options: (
                bool(batches) and (isinstance(got, ValueError) or got == (1.0, 0) != want)
            )
        ),
        "This is a moving average of the ranges; an observer of min and max keeps the extremes.": (
            lambda got, want, batches, options: len(batches) > 1 and any(
                abs(got[0] / _moving_scale(batches, options, share) - 1) < 1e-6 for share in (0.01, 0.1, 0.2, 0.9, 0.99)
            ) and abs(got[0] / want[0] - 1) > 1e-6
        ),
        "All zeros have the parameters (1.0, 0).": lambda got, want, batches, options: (
            want == (1.0, 0) and _most(batches, max) == 0
        ),
        "The zero point is an int.": lambda got, *_: isinstance(got[1], float),
    },
    "percentile_range": {
        "The range is symmetric, as if of |x|; each end has a percentile of its own.": lambda got, want, *_: (
            got[0] == -got[1] and abs(want[0] + want[1]) > 1e-3 * (want[1] - want[0])
        ),
    },
    "large": {
        "It fails on large tensors: all values count, also when there are more than 2**24.": lambda got, *_: (
            not isinstance(got, Exception) or "large" in str(got)
        ),
    },
    "correct_bias": {
        "One number a channel: average over all other axes, not over the batch only.": lambda got, *_: (
            got["bias"].dim() > 1
        ),
        "The layer was changed.": lambda got, want, *_: difference(got["after"], want["after"]) is not None,
        "The mean ran over the channels: each output channel has its own.": lambda got, want, *_: (
            got["bias"].shape != want["bias"].shape
        ),
    },
    "calibrate": {
        "The model ran in train mode: switch to eval mode first, and back afterwards.": lambda got, want, *_: (
            difference(got["after"], want["after"]) is not None
        ),
        "Hooks were left in the model.": lambda got, *_: got["hooks"] > 0,
        "The mode (train or eval) of some modules was not restored.": lambda got, want, *_: (
            got["modes"] != want["modes"]
        ),
        "The range was widened to hold 0; calibrate reports what it saw.": lambda got, want, *_: difference(
            got["ranges"], {n: (min(a, 0.0), max(b, 0.0)) for n, (a, b) in want["ranges"].items()}
        ) is None,
        "Everything was noted under the last layer's name: a function looks up a loop's variable when it runs; give "
        "each its own, for example as a default argument.": lambda got, want, spec, state, names, *_: (
            len(want["ranges"]) > 1 and list(got["ranges"]) == names[-1:]
        ),
        "A layer that never ran is left out of the result.": lambda got, want, *_: (
            set(got["ranges"]) > set(want["ranges"])
        ),
    },
}  # fmt: skip


def _moving_scale(batches: list[Tensor], options: dict, share: float) -> float:
    """The scale of a range that moves towards that of each batch by a share."""
    (low, high), *rest = ((x.min().item(), x.max().item()) for x in batches)
    for a, b in rest:
        low, high = (1 - share) * low + share * a, (1 - share) * high + share * b
    low, high, bits = min(low, 0.0), max(high, 0.0), options.get("bits", 8)
    return max(-low, high) / (2 ** (bits - 1) - 1) if options.get("symmetric") else (high - low) / (2**bits - 1)


def _most(batches: list[Tensor], of: Callable) -> float:
    return of(v for x in batches for v in x.flatten().tolist())


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

DROPPED = (
    "The outliers were dropped from P, or are in Q as well: "
    "all later counts join the last bin of P, and Q is made without them."
)
ZEROS = "The zeros were counted: only non-zero values enter the histogram."
EMPTY = "Q fills empty bins: a part's sum is shared by those of its bins that hold something in P; the others stay 0."
SIGNED = "The magnitudes count: negative values were left out."
SKIPPED = "Bins with Q = 0 were left out: they count, with Q floored at 1e-10."
REVERSED = "This is KL(Q || P): KL(P || Q) is the sum of P * log(P / Q)."
KL_MISTAKES = (ZEROS, DROPPED, EMPTY, SIGNED, SKIPPED, REVERSED)
MINUS = "The zero point is round(-x_min / s): mind the minus."
PER_SAMPLE = "One mean a sample; each output channel has its own, over all samples and positions."
ORDER = "Greedy by layer order: those who come first take what those who come later need more."
ELEMENTS = "Sizes are elements, not bytes: a layer takes elements * bits / 8."
RATIO = "Greedy by drop (or drop per byte): the cheapest step first need not lead to the best assignment."
FILLED = "Each layer was filled to whole bytes; only the sum of all elements * bits / 8 is compared with the budget."


def fold_batchnorm_mistakes(expected_plain, expected_settings) -> dict:
    """What mistakes in fold_batchnorm give."""
    return {
        "eps was forgotten: divide by sqrt(running_var + eps).": [expected_plain(1.0, 7.9282032), ..., ...],
        "eps stands under the root: sqrt(running_var + eps).": [expected_plain(1.0, 5.3923048), ..., ...],
        "running_var is the variance, not the standard deviation: take the root.": [expected_plain(1.0, 4.0), ..., ...],
        "running_var is the variance, not the standard deviation: take the root. And eps was forgotten.": [
            expected_plain(1.0, 5.0),
            ...,
            ...,
        ],
        "The bias of the convolution was dropped.": [expected_plain(-8.0, -2.0), ..., ...],
        "The bias of the convolution was not scaled: it passes through BatchNorm, too.": [
            expected_plain(-5.0, 1.0),
            ...,
            ...,
        ],
        "The running mean was left out: BatchNorm subtracts it first.": [expected_plain(16.0, 22.0), ..., ...],
        SETTING: expected_settings(padding_mode="zeros"),
    }


MINMAXOBSERVER_MISTAKES = {
    "The last batch wins; keep the extremes of all batches.": [
        (1 / 255, 0),
        (1.5 / 255, 0),
        (6 / 127, 0),
        ...,
        (0.2, 0),
    ],
    "The first batch wins; keep the extremes of all batches.": [(7 / 255, 36), ..., ..., ..., ...],
    "This is the average of the ranges; an observer of min and max keeps the extremes.": [
        (13 / 765, 59),
        (1.75 / 255, 0),
        (6.85 / 127, 0),
        ...,
        (0.35, 0),
    ],
    "The largest magnitude counts, negative numbers too: max|x|.": [
        (8 / 255, 64),
        (2 / 255, 0),
        (6 / 127, 0),
        (1.0, 0),
        (0.5, 0),
    ],
    "Symmetric codes reach to Q = 2**(bits-1) - 1.": [..., ..., (12.7 / 128, 0), ..., ...],
    "There are 2**bits - 1 steps between the codes.": [(8 / 256, 64), (2 / 256, 0), ..., ..., (7.5 / 16, 0)],
    "The zero point was truncated; round it to the nearest integer.": [(8 / 255, 63), (2 / 255, 0), ..., ..., ...],
    MINUS: (
        [(8 / 255, -64), (2 / 255, 0), ..., ..., ...],
        [(8 / 255, 0), (2 / 255, 0), ..., ..., ...],
    ),
}


PERCENTILE_RANGE_MISTAKES = {
    "One-sided: the lower end was left at the minimum; half of the rest is dropped at each end.": [
        (0.0, 90.0),
        (0.0, 1.5),
        ...,
    ],
    "One-sided: the range is not cut at both ends alike.": [(0.0, 95.0), ..., ...],
    "Each end loses (100 - p) / 2 percent, not 100 - p.": [(10.0, 90.0), (1.5, 1.5), ...],
    "Interpolate linearly between the two neighbours.": [..., (0.0, 2.0), ...],
    "Interpolate linearly between the two neighbours; this is the nearest one.": [..., (1.0, 2.0), ...],
    "Exclusive quantiles: the smallest value is the 0th percentile, the largest the 100th.": [
        (4.1, 95.9),
        (0.25, 8.0),
        ...,
    ],
}


KL_RANGE_8_BITS = {DROPPED: 128, ZEROS: 253, SIGNED: 456 * 0.9, SKIPPED: 419}


KL_RANGE_4_BITS = {DROPPED: 8, ZEROS: 15}


KL_RANGE_QUARTERS = {EMPTY: 12, DROPPED: 8, SIGNED: 17 / 3}


KL_RANGE_FIFTH = {REVERSED: 15}


def correct_bias_mistakes(expected, state, convolution) -> dict:
    """What mistakes in correct_bias give."""
    return {
        "The sign: add the mean of (float layer - rounded layer).": [
            expected(state, 9.0, 22.0),
            expected(convolution, -3.0, -1.5),
        ],
        "The old bias is missing: the correction is added to it.": [expected(state, 1.0, -2.0), ...],
        "The mean ran over the channels, too: each output channel has its own.": [
            expected(state, 9.5, 19.5),
            expected(convolution, 2.25, 2.25),
        ],
        "Only the first sample counted: average over all of x.": [..., expected(convolution, 1.0, 0.5)],
        "This is the sum; the mean is asked for.": [expected(state, 12.0, 16.0), expected(convolution, 18.0, 9.0)],
        PER_SAMPLE: [..., expected(convolution, 0.75, 3.75)],
    }


def calibrate_mistakes(expected, cases) -> dict:
    """What mistakes in calibrate give."""
    return {
        "This is the output of the layer; its input is asked for.": [
            expected(cases[0], _0=(-6.0, 4.0), _2=(-3.5, 0.5)),
            ...,
        ],
        "Only the last batch counts; keep the extremes of all batches.": [
            expected(cases[0], _0=(1.0, 2.0), _2=(2.0, 4.0)),
            ...,
        ],
        "The model ran in train mode: switch to eval mode first, and back afterwards.": [
            ...,
            expected(cases[1], _1=(-0.5, 0.5)),
        ],
    }


def after_a_failure(modes: list[bool]) -> dict:
    """How mistakes show in what calibrate leaves when a batch fails."""
    return {
        "After an error, hooks and modes were not restored: use try … finally.": lambda got: (
            got["hooks"] > 0 and got["modes"] != modes
        ),
        "Hooks were left in the model: use try … finally.": lambda got: got["hooks"] > 0,
        "The modes were not restored: use try … finally.": lambda got: got["modes"] != modes,
    }


ASSIGN_BITS_200 = {ORDER: {"b": 4, "a": 4}, ELEMENTS: {"b": 8, "a": 8}}


ASSIGN_BITS_330 = {ORDER: {"a": 8, "b": 2}, ELEMENTS: {"a": 8, "b": 8}}


ASSIGN_BITS_WHOLE_BYTES = {FILLED: {"a": 4, "b": 2}, RATIO: {"a": 2, "b": 4}}


ASSIGN_BITS_CHEAPEST = {ELEMENTS: {"a": 8, "b": 8}}


ASSIGN_BITS_110 = {RATIO: {"a": 4, "b": 4}}
