"""Pictures of lesson 01. They look at what they are given: nothing here quantizes."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import plot

# sign, exponent and mantissa (or integer) bits; NF4 is a table of 16 values (Dettmers et al. 2023)
FORMATS = {
    "FP32": (1, 8, 23), "BF16": (1, 8, 7), "FP16": (1, 5, 10), "FP8 E5M2": (1, 5, 2), "FP8 E4M3": (1, 4, 3),
    "INT8": (1, 0, 7), "INT4": (1, 0, 3), "NF4": (0, 0, 4),
}  # fmt: skip
NF4_ROUNDED = (-1, -0.70, -0.53, -0.39, -0.28, -0.18, -0.09, 0, 0.08, 0.16, 0.25, 0.34, 0.44, 0.56, 0.72, 1)


def draw_formats() -> Figure:
    """Left: how each format spends its bits. Right: every value of the small formats, largest scaled to 1."""
    fig, (bits, values) = plot.figure(2, height=3.2)
    names = list(FORMATS)[::-1]
    left = np.zeros(len(names))
    for part, colour in zip(range(3), (plot.BLACK, plot.ORANGE, plot.SKY), strict=True):
        width = np.array([FORMATS[name][part] for name in names])
        bits.barh(names, width, left=left, color=colour, label=("sign", "exponent", "mantissa or integer")[part])
        left += width
    bits.set(xlabel="bits of one number")
    bits.legend(frameon=False)
    every_byte = torch.arange(256, dtype=torch.uint8)
    rows = {
        "NF4": torch.tensor(NF4_ROUNDED),
        "INT4": torch.arange(-8, 8) / 8,
        "INT8": torch.arange(-128, 128) / 128,
        "FP8 E4M3": every_byte.view(torch.float8_e4m3fn).float(),
        "FP8 E5M2": every_byte.view(torch.float8_e5m2).float(),
    }
    for y, numbers in enumerate(rows.values()):
        finite = numbers[numbers.isfinite()]
        scaled = (finite / finite.abs().max()).tolist()
        values.vlines(scaled, y - 0.35, y + 0.35, color=plot.PALETTE[y], linewidth=0.8)
    values.set(yticks=range(len(rows)), yticklabels=list(rows), xlabel="representable values, the largest scaled to 1")
    return fig


def draw_ruler(marks: Tensor, codes: Tensor, numbers: Tensor, nearest: Tensor) -> Figure:
    """A ruler: real `marks` labelled with their integer `codes`, and where some `numbers` land (`nearest`)."""
    fig, (ax,) = plot.figure(1, width=9, height=1.9)
    ax.hlines(0, marks.min(), marks.max(), color=plot.BLACK, linewidth=0.8)
    for mark, code in zip(marks.tolist(), codes.tolist(), strict=True):
        ax.vlines(mark, -0.12, 0.12, color=plot.BLACK)
        ax.text(mark, -0.4, str(code), ha="center")
    for number, landed in zip(numbers.tolist(), nearest.tolist(), strict=True):
        arrow = {"arrowstyle": "->", "color": plot.BLUE}
        ax.annotate("", (landed, 0.12), (number, 0.75), arrowprops=arrow)
        ax.plot(number, 0.8, "o", color=plot.RED)
    ax.set(ylim=(-0.6, 1), yticks=[], xlabel="real value (the integer codes stand under the marks)")
    ax.spines["left"].set_visible(False)
    return fig


def draw_round_trip(x: Tensor, x_hat: Tensor, step: float) -> Figure:
    """Left: the staircase from x to its reconstruction. Right: the error, with the bound of half a step."""
    fig, (stairs, error) = plot.figure(2)
    order = x.argsort()
    x, x_hat = x[order], x_hat[order]
    stairs.plot(x, x, color=plot.BLACK, linewidth=0.8, label="unchanged")
    stairs.plot(x, x_hat, color=plot.BLUE, label="quantized and back")
    stairs.set(xlabel="x", ylabel="reconstruction")
    stairs.legend(frameon=False)
    error.plot(x, x_hat - x, color=plot.RED)
    for bound in (-step / 2, step / 2):
        error.axhline(bound, color=plot.BLACK, linestyle="--", linewidth=0.8)
    error.set(xlabel="x", ylabel="error (dashed: half a step)")
    return fig


def draw_bits_against_error(bits: list[int], curves: dict[str, list[float]]) -> Figure:
    """SQNR in dB over bits, and the slope of 6.02 dB a bit."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.8)
    plot.lines(ax, bits, curves, "bits", "SQNR (dB)")
    first = next(iter(curves.values()))
    ax.plot(bits, [first[-1] + 6.02 * (b - bits[-1]) for b in bits], "--", color=plot.BLACK, linewidth=0.8)
    ax.text(bits[-1], first[0] / 2, "dashed: 6.02 dB a bit", ha="right")
    return fig


def draw_clipping(x: Tensor, step: float, threshold: float, thresholds: list[float], errors: list[float]) -> Figure:
    """Left: histogram of x, the marks of the ruler, what is clipped. Right: mean squared error over the threshold."""
    fig, (counts, curve) = plot.figure(2)
    counts.hist(x.numpy(), bins=120, color=plot.SKY, log=True)
    last = round(threshold / step)
    marks = step * np.arange(-last, last + 1)
    counts.vlines(marks, 0.5, 1.2, color=plot.BLACK, linewidth=0.6)
    for end in (-threshold, threshold):
        counts.axvline(end, color=plot.RED, linestyle="--")
    clipped = (x.abs() > threshold).float().mean().item()
    counts.set(xlabel="value", ylabel="how many", title=f"{100 * clipped:.2f} % of the values are clipped")
    curve.plot(thresholds, errors, color=plot.BLUE)
    curve.axvline(threshold, color=plot.RED, linestyle="--")
    curve.set(xlabel="threshold", ylabel="mean squared error", yscale="log", title=f"step {step:.4g}")
    return fig


def draw_sizes(sizes: dict[str, int], accuracies: dict[str, float]) -> Figure:
    """Accuracy over bytes on disk, one labelled point a format."""
    fig, (ax,) = plot.figure(1, width=6.4)
    for (name, size), marker, colour in zip(sizes.items(), plot.MARKERS, plot.PALETTE, strict=False):
        ax.plot(size / 1000, accuracies[name], marker, color=colour, markersize=8, label=name)
    worst, best = min(accuracies.values()), max(accuracies.values())
    ax.set(xlabel="file size (kB, logarithmic)", ylabel="test accuracy (%)", xscale="log", ylim=(worst - 1, best + 1))
    ax.set_xticks([200, 400, 600, 800, 1000], minor=False)
    ax.minorticks_off()
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.legend(frameon=False, loc="lower right", ncols=2)
    return fig
