"""Pictures, containers and checks of lesson 02. They look at what they are given: nothing here quantizes."""

import contextlib
import io
import logging
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import measure, models, plot
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


def pack(state: dict[str, Tensor]) -> bytes:
    """Name, dtype and shape of each tensor as one line of text, then its numbers as they lie in memory."""
    parts = []
    for name, t in state.items():
        parts.append("\t".join([name, str(t.dtype)[6:], *map(str, t.shape)]).encode() + b"\n")
        parts.append(t.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return b"".join(parts)


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


def written(blob: bytes) -> bytes:
    """The bytes after they were on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(blob)
        return path.read_bytes()


# Pictures -----------------------------------------------------------------------------------------------------------


def draw_folding(before: Tensor, after: Tensor) -> Figure:
    """Largest weight of each output channel, before and after BatchNorm was folded in."""
    fig, (ax,) = plot.figure(1, width=9, height=2.8)
    place = np.arange(len(before))
    ax.bar(place - 0.2, before.numpy(), 0.4, color=plot.SKY, label="convolution alone")
    ax.bar(place + 0.2, after.numpy(), 0.4, color=plot.RED, label="BatchNorm folded in")
    ax.set(xlabel="output channel", ylabel="largest |weight|")
    ax.legend(frameon=False)
    return fig


def draw_ranges(sizes: Sequence[int], seen: dict[str, tuple[list[float], list[float]]]) -> Figure:
    """The observed range over the number of images that were observed."""
    fig, axes = plot.figure(len(seen), width=4.2, height=2.8)
    for ax, (name, (lows, highs)) in zip(axes, seen.items(), strict=True):
        ax.fill_between(sizes, lows, highs, color=plot.SKY, alpha=0.6, step="post")
        ax.step(sizes, highs, color=plot.BLUE, where="post")
        ax.step(sizes, lows, color=plot.BLUE, where="post")
        ax.set(xscale="log", xlabel="images observed", ylabel="range of the input", title=name)
    return fig


def draw_example(counts: Sequence[int], p: Sequence[float], q: Sequence[float]) -> Figure:
    """A small example of entropy calibration: the histogram, the clipped one, the coarse one."""
    fig, axes = plot.figure(3, width=3.5, height=2.6)
    rows = (("counts", counts), ("P: clipped", p), ("Q: 2 levels", q))
    for ax, (title, heights), colour in zip(axes, rows, (plot.SKY, plot.BLUE, plot.RED), strict=True):
        ax.bar(range(len(heights)), heights, color=colour)
        ax.axvline(len(p) - 0.5, color=plot.BLACK, linestyle="--")
        ax.set(xlim=(-0.6, len(counts) - 0.4), ylim=(0, max(counts) * 1.1), xlabel="bin", title=title)
    return fig


def draw_calibration(
    x: Tensor, ranges: dict[str, tuple[float, float]], chosen: tuple[float, float], title: str
) -> Figure:
    """Histogram of activations with the range each method would choose; what lies outside the chosen one is shaded."""
    fig, (ax,) = plot.figure(1, width=9, height=3.6)
    ax.hist(x.flatten().numpy(), bins=150, color=plot.SKY, log=True)
    low, high = ax.get_xlim()
    for end, edge in ((chosen[0], low), (chosen[1], high)):
        ax.axvspan(*sorted((end, edge)), color=plot.BLACK, alpha=0.12, linewidth=0)
    for (name, ends), colour, style in zip(ranges.items(), plot.PALETTE, ("-", "--", "-.", ":"), strict=False):
        for end in ends:
            ax.axvline(end, color=colour, linestyle=style, label=name if end == ends[1] else None)
    ax.set(xlim=(low, high), xlabel="activation", ylabel="how many", title=title)
    ax.legend(facecolor="white", framealpha=1)
    return fig


def draw_shift(before: Tensor, after: Tensor) -> Figure:
    """Error of the mean of each channel, before and after bias correction."""
    fig, (ax,) = plot.figure(1, width=9, height=2.6)
    place = np.arange(len(before))
    ax.bar(place, before.numpy(), color=plot.ORANGE, label="before")
    ax.plot(place, after.numpy(), "o", color=plot.BLUE, markersize=4, label="after")
    ax.axhline(0, color=plot.BLACK, linewidth=0.8)
    ax.set(xlabel="output channel", ylabel="shift of the mean")
    ax.legend(frameon=False)
    return fig


def draw_rows(norms: Sequence[float], errors: dict[str, Sequence[float]]) -> Figure:
    """Relative error of each row over its size."""
    fig, (ax,) = plot.figure(1, width=6.4)
    for (name, values), colour, marker in zip(errors.items(), (plot.RED, plot.BLUE), plot.MARKERS, strict=False):
        ax.plot(norms, values, marker, color=colour, label=name, markersize=5)
    ax.set(xscale="log", yscale="log", xlabel="size of the row", ylabel="relative error of its output")
    ax.legend(frameon=False)
    return fig


def draw_curves(x: Sequence, curves: dict[str, list[float]], xlabel: str, ylabel: str, log: bool = False) -> Figure:
    """Marked lines, one axis."""
    fig, (ax,) = plot.figure(1, width=6.4)
    plot.lines(ax, x, curves, xlabel, ylabel)
    if log:
        ax.set_xscale("log", base=2)
        ax.set_xticks(list(x), [str(v) for v in x])
    return fig


def draw_sensitivity(drops: dict[str, dict[int, float]]) -> Figure:
    """Points lost when one layer alone has few bits."""
    fig, (ax,) = plot.figure(1, width=8, height=3.2)
    widths = list(next(iter(drops.values())))
    for i, (bits, colour) in enumerate(zip(widths, plot.PALETTE, strict=False)):
        place = np.arange(len(drops)) + (i - (len(widths) - 1) / 2) * 0.8 / len(widths)
        ax.bar(place, [d[bits] for d in drops.values()], 0.8 / len(widths), color=colour, label=f"{bits} bits")
    ax.set(xticks=range(len(drops)), xticklabels=list(drops), xlabel="layer", ylabel="points lost (symmetric log)")
    ax.set_yscale("symlog", linthresh=1)
    ax.set_yticks([0, 1, 10], ["0", "1", "10"])
    ax.set_ylim(-0.3, None)
    ax.axhline(0, color=plot.BLACK, linewidth=0.8)
    ax.legend(frameon=False, ncols=len(widths), loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig


def draw_budget(mixed: list[tuple[float, float]], uniform: list[tuple[float, float]], labels: list[str]) -> Figure:
    """Accuracy over the bytes of the weights."""
    fig, (ax,) = plot.figure(1, width=6.4)
    for points, name, colour, marker in (
        (mixed, "mixed", plot.BLUE, "o"),
        (uniform, "the same for all", plot.RED, "s"),
    ):
        ax.plot(*zip(*points, strict=True), marker, linestyle="-", color=colour, label=name)
    for (x, y), label in zip(uniform, labels, strict=True):
        ax.annotate(label, (x, y), (6, -10), textcoords="offset points", fontsize=9)
    ax.set(xlabel="weights (kB)", ylabel="accuracy (%)", ylim=(0, 100))
    ax.legend(frameon=False)
    return fig


def draw_speed(ratios: dict[str, tuple[float, float, float]], baseline: str) -> Figure:
    """How many times as fast as the baseline, with quartiles of the rounds; grey where they lie on both sides of 1."""
    fig, (ax,) = plot.figure(1, width=8, height=0.6 + 0.42 * len(ratios))
    names = list(ratios)[::-1]
    low, mid, high = np.array([ratios[n] for n in names]).T
    colours = ["lightgrey" if crosses else plot.SKY for crosses in (low <= 1) & (high >= 1)]
    ax.barh(names, mid, color=colours, xerr=[mid - low, high - mid], ecolor=plot.BLACK, capsize=3)
    ax.axvline(1, color=plot.RED, linestyle="--")
    ax.set(xlabel=f"times as fast as {baseline} (bar: median, whiskers: quartiles)")
    return fig


# Libraries ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No warnings, no log lines, nothing printed: exporters tell much that does not matter here."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)


def export_onnx(model: nn.Module, example: Tensor, path: str) -> None:
    """Write an ONNX file with a free batch size."""
    import onnx

    with silence():
        torch.onnx.export(
            model.eval(), (example,), path, dynamo=True, input_names=["x"], output_names=["y"],
            dynamic_shapes=({0: torch.export.Dim("batch")},), external_data=False, verbose=False,
        )  # fmt: skip
    graph = onnx.load(path)
    for part in (
        graph.graph,
        *graph.graph.node,
        *graph.graph.value_info,
    ):  # where each node comes from in this notebook
        del part.metadata_props[:]
    onnx.save(graph, path)


def onnx_model(path: str) -> Callable[[Tensor], Tensor]:
    """An ONNX file as a function of a batch, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def why_not_compile() -> str:
    """Why torch.compile should not be tried here; empty if it should."""
    if os.environ.get("NBGRADER_EXECUTION"):
        return "not while a grader runs this notebook"
    return (
        ""
        if shutil.which(os.environ.get("CXX", "g++"))
        else "torch.compile needs a C++ compiler (g++), and there is none"
    )


SETTING = "A setting was lost: groups, stride, padding, dilation and padding_mode are kept."


def unfolded(layers: list, state: dict[str, Tensor], x: Tensor, **changed) -> Tensor:
    """What a convolution and the BatchNorm behind it compute in eval mode, when some settings are others."""
    conv, norm = layers
    *sizes, options = conv if isinstance(conv[-1], dict) else (*conv, {})
    with torch.no_grad():
        return network([(*sizes, options | changed), norm], state).eval()(x)


# Checks -------------------------------------------------------------------------------------------------------------


def relative_error(got: Tensor, want: Tensor, dim: int) -> Tensor:
    """Norm of the error by norm of the value, along `dim`."""
    return (got.detach().double() - want.double()).norm(dim=dim) / want.double().norm(dim=dim)


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
        f"{what}: the float weight is still there, in {', '.join(wide)}: "
        "keep integer codes alone, no float tensor above 4 * out values",
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
    require(
        whole <= 0.05,
        f"{what}: expected an error of at most 5 % of the norm, yours {100 * whole:.1f} %: "
        "look at the calibration (all batches, eval mode) and at the zero point",
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
    sentence = f"{what}: the ranges were recomputed at inference; they were fixed when the model was made"
    require(
        difference(crowd[:1], alone, 1e-3) is None,
        f"{sentence}. The same image alone and beside a huge one gives different logits",
    )
    growth = float(scaled.norm() / usual.norm())
    require(growth < 10, f"{sentence}. Inputs 100 times as large should saturate; your outputs grew {growth:.0f}-fold")


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
    model = network(spec, state).eval()
    names, want = kinds(model), model(x).detach()
    same = (
        difference([got["before"], got["state"], got["y_before"]], [names, dict(model.state_dict()), want], 1e-6)
        is None
    )
    require(same, f"{what}: it mutates the model it was given: work on a deep copy")
    require_no_dots(got["dotted"], what)
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


def size_ratio(before: dict[str, Tensor], after: dict[str, Tensor]) -> float:
    """Bytes of one state by those of the other, both as torch.save writes them."""
    return measure.size_bytes(before) / measure.size_bytes(after)
