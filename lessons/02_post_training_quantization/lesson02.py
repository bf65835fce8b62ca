"""Pictures, containers and libraries of lesson 02. They look at what they are given: nothing here quantizes."""

import contextlib
import io
import logging
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

from bonsai import measure, plot

# A file with next to nothing around the numbers ---------------------------------------------------------------------


def pack(state: dict[str, Tensor]) -> bytes:
    """Name, dtype and shape of each tensor as one line of text, then its numbers as they lie in memory."""
    parts = []
    for name, t in state.items():
        parts.append("\t".join([name, str(t.dtype)[6:], *map(str, t.shape)]).encode() + b"\n")
        parts.append(t.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return b"".join(parts)


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


# Checks -------------------------------------------------------------------------------------------------------------


def relative_error(got: Tensor, want: Tensor, dim: int) -> Tensor:
    """Norm of the error by norm of the value, along `dim`."""
    return (got.detach().double() - want.double()).norm(dim=dim) / want.double().norm(dim=dim)


def size_ratio(before: dict[str, Tensor], after: dict[str, Tensor]) -> float:
    """Bytes of one state by those of the other, both as torch.save writes them."""
    return measure.size_bytes(before) / measure.size_bytes(after)
