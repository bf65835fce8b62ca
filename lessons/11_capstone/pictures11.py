"""Pictures of lesson 11."""

import math
import tempfile
from pathlib import Path

import torch.nn as nn
from lesson11 import layer_memory, recall
from matplotlib.figure import Figure
from onnx11 import onnx_of, race, ratio_quartiles
from torch import Tensor
from tracks11 import (
    TRACKS,
)

from bonsai import data, models, plot


def draw_recall(answers: dict[str, Tensor], labels: Tensor) -> Figure:
    """Recall of each class, one point a network: the axis does not begin at 0."""
    fig, (ax,) = plot.figure(1, width=9, height=3)
    for i, (name, given) in enumerate(answers.items()):
        places = [c + 0.15 * (i - (len(answers) - 1) / 2) for c in range(10)]
        ax.plot(places, recall(given, labels), plot.MARKERS[i], label=name, color=plot.PALETTE[i])
    ax.set_xticks(range(10), data.CLASSES, rotation=20)
    ax.set(ylabel="recall on validation (%)")
    ax.grid(axis="y", alpha=0.3)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return fig


def draw_table(table: dict) -> Figure:
    """Accuracy over bytes, one marked point a technique, and the front."""
    fig, (ax,) = plot.figure(1, width=9, height=4.6)
    rows = table["rows"]
    points = sorted((row["bytes"], row["accuracy"]) for row in rows.values())
    best, front = 0.0, []
    for size, accuracy in points:
        if accuracy > best:
            best = accuracy
            front.append((size, accuracy))
    ax.step(*zip(*front, strict=True), where="post", color=plot.BLACK, linewidth=1, label="front")
    for i, (name, row) in enumerate(rows.items()):
        colour, marker = plot.PALETTE[i % 7], plot.MARKERS[(i + i // 7) % 7]
        ax.errorbar(row["bytes"], row["accuracy"], row["error"], color=colour, marker=marker, linestyle="", label=name)
    ax.set_xscale("log")
    ticks = [k * 10**p for p in range(4, 8) for k in (1, 2, 5) if points[0][0] <= k * 10**p <= points[-1][0]]
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="bytes of the file", ylabel="test accuracy (%)")
    ax.legend(frameon=False, fontsize=8, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    return fig


def draw_hypervolume() -> Figure:
    """Three points, the staircase that they dominate, one that adds nothing and one beyond the reference."""
    fig, (ax,) = plot.figure(1, width=5.4, height=3.8)
    reference, front = (10.0, 10.0), [(1.5, 6.5), (3.5, 3.5), (7.0, 1.5)]
    for cost, loss in front:
        ax.add_patch(plot.plt.Rectangle((cost, loss), reference[0] - cost, reference[1] - loss, color=plot.SKY, lw=0))
    ax.plot(*zip(*front, strict=True), "o", color=plot.BLUE, label="on the front")
    ax.plot([6.0], [5.0], "s", color=plot.RED, label="dominated: adds nothing")
    ax.plot([10.8], [0.8], "^", color=plot.ORANGE, label="beyond the reference: adds nothing")
    ax.plot(*[[r] for r in reference], "X", color=plot.BLACK, markersize=9, label="reference")
    ax.set(xlim=(0, 12), ylim=(0, 14), xlabel="cost", ylabel="loss")
    ax.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return fig


def parameters_of(width: int) -> tuple[int, int]:
    """Weights of the convolutions, and channels, of the residual net of a width."""
    parameters = models.ResNet8(width).named_parameters()
    sizes = [(p.numel(), len(p)) for _, p in parameters if p.dim() == 4]
    return sum(n for n, _ in sizes), sum(c for _, c in sizes)


def predicted_bytes(bits: float, zeros: float, width: int, code: int = 800) -> float:
    """The cost model: weights that are zero by chance, the others of so many bits; two bytes a channel; the code."""
    weights, channels = parameters_of(width)
    chance = -sum(p * math.log2(p) for p in (zeros, 1 - zeros) if p > 0)
    return weights * (chance + (1 - zeros) * bits) / 8 + 2 * channels + code


def draw_cost_model(bits: float, zeros: float, width: int) -> Figure:
    """Predicted bytes over the width, for a number of bits and a share of zeros; the levels of the track."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.8)
    widths = range(8, 25)
    ax.plot(widths, [predicted_bytes(bits, zeros, w) for w in widths], color=plot.BLUE)
    ax.plot([width], [predicted_bytes(bits, zeros, width)], "o", color=plot.RED)
    for name, level, style in zip(("pass", "good", "excellent"), TRACKS["size"][1], ("--", "-.", ":"), strict=True):
        ax.axhline(level, color=plot.BLACK, linestyle=style, linewidth=1)
        ax.text(8, level * 1.05, name, fontsize=9)
    ax.set_yscale("log")
    ax.set(xlabel="width of the network (channels of the stem)", ylabel="predicted bytes", ylim=(2e3, 3e5))
    ax.set_title(
        f"{bits:.1f} bits a kept weight, {100 * zeros:.0f} % zeros: {predicted_bytes(bits, zeros, width):,.0f} bytes"
    )
    return fig


def draw_interval(message: list[int], zero: float) -> Figure:
    """How an arithmetic coder's interval shrinks, bit by bit."""
    fig, (ax,) = plot.figure(1, width=7, height=0.8 + 0.5 * len(message))
    low, high = 0.0, 1.0
    for row, one in enumerate(message):
        cut = low + (high - low) * zero
        ax.barh(row, cut - low, left=low, color=plot.SKY, edgecolor="black", height=0.6)
        ax.barh(row, high - cut, left=cut, color=plot.ORANGE, edgecolor="black", height=0.6)
        low, high = (cut, high) if one else (low, cut)
        ax.plot([low, high], [row + 0.42] * 2, color=plot.BLACK, linewidth=3)
        ax.text(1.02, row, f"{one}: keep {low:.3f} to {high:.3f}", va="center", fontsize=9)
    ax.set(yticks=[], ylim=(len(message) - 0.3, -0.6), xlim=(0, 1), xlabel="number that names the message")
    return fig


def draw_memory(nets: dict[str, nn.Sequential]) -> Figure:
    """Input plus output of each layer, one panel a network; the limit of the microcontroller."""
    fig, axes = plot.figure(len(nets), width=4.2, height=3)
    for ax, (name, net) in zip(axes, nets.items(), strict=True):
        sizes = layer_memory(net)
        ax.bar(range(1, len(sizes) + 1), sizes, color=plot.BLUE)
        ax.axhline(20 << 10, color=plot.RED, linestyle="--", label="20 kB")
        ax.set(xlabel="convolution", ylabel="input + output, int8 (bytes)", title=name, ylim=(0, 22_000))
        ax.set_xticks(range(1, len(sizes) + 1))
        ax.legend(frameon=False, loc="upper right")
    return fig


def draw_race(files: dict[str, bytes], images: Tensor) -> Figure:
    """Speed of each file beside the first one, at 64 images and at one; quartiles."""
    fig, axes = plot.figure(2, width=4.4, height=3)
    first = next(iter(files))
    for ax, count in zip(axes, (64, 1), strict=True):
        seconds = race(files, images[:count])
        for i, name in enumerate(files):
            low, middle, high = ratio_quartiles(seconds, first, name)
            ax.bar(i, middle, color=plot.PALETTE[i], hatch=("", "//", "..")[i % 3])
            ax.errorbar(i, middle, [[middle - low], [high - middle]], color=plot.BLACK, capsize=4)
        ax.set_xticks(range(len(files)), list(files), rotation=15)
        ax.set(ylabel=f"times as fast as {first}", title=f"{count} image{'s' * (count > 1)}")
    return fig


def show_signs(net: nn.Module, some: Tensor, images: Tensor) -> None:
    """How fast a network is in int8 with unsigned and with signed activations, beside FP32; calibrated on some."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = list(some.split(50))

        def get_next(self) -> dict | None:
            return {"input": self.left.pop().numpy()} if self.left else None

    files = {"FP32": onnx_of(net)}
    with tempfile.TemporaryDirectory() as home:
        given, made = Path(home, "fp32.onnx"), Path(home, "int8.onnx")
        given.write_bytes(files["FP32"])
        for name, kind in (("unsigned", QuantType.QUInt8), ("signed", QuantType.QInt8)):
            options = {"quant_format": QuantFormat.QDQ, "per_channel": True, "reduce_range": True}
            quantize_static(given, made, Reader(), activation_type=kind, weight_type=QuantType.QInt8, **options)
            files[name] = made.read_bytes()
    seconds = race(files, images)
    for name in list(files)[1:]:
        low, middle, high = ratio_quartiles(seconds, "FP32", name)
        print(f"{name} activations: {middle:.2f} ({low:.2f} to {high:.2f}) times as fast as FP32")
