"""Pictures of lesson 05. They look at what they are given: nothing here distils."""

import math
from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import data, plot


def draw_garments(images: Tensor, labels: Tensor, soft: dict[float, Tensor]) -> Figure:
    """Each garment over its soft targets at some temperatures; the label's bar is black."""
    fig, axes = plot.plt.subplots(
        1 + len(soft), len(images), figsize=(3 * len(images), 2 + 1.7 * len(soft)), layout="constrained"
    )
    plot.plt.close(fig)
    for column, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        axes[0, column].imshow(image[0], cmap="gray_r")
        axes[0, column].set_title(data.CLASSES[label])
        axes[0, column].axis("off")
        for ax, (temperature, p) in zip(axes[1:, column], soft.items(), strict=True):
            _bars(ax, p[column], label)
            ax.set_ylim(0, 1)
            if column == 0:
                ax.set_ylabel(f"T = {temperature:g}\nprobability")
    return fig


def _bars(ax: Axes, p: Tensor, label: int) -> None:
    ax.bar(range(10), p, color=[plot.BLACK if c == label else plot.ORANGE for c in range(10)])
    ax.set_xticks(range(10), data.CLASSES, rotation=90, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def draw_likeness(mean: Tensor) -> Figure:
    """Mean soft target of each true class, without the diagonal."""
    fig, (ax,) = plot.figure(1, width=6.4, height=5.2)
    shown = mean.clone()
    shown.fill_diagonal_(math.nan)
    seen = ax.imshow(shown, cmap="viridis")
    ax.set_xticks(range(10), data.CLASSES, rotation=60, ha="right")
    ax.set_yticks(range(10), data.CLASSES)
    ax.set(xlabel="class in the soft target", ylabel="true class")
    fig.colorbar(seen, label="mean probability at T = 4")
    return fig


def draw_temperature(image: Tensor, label: Tensor, logits: Tensor, temperature: float, soften: Callable) -> Figure:
    """A garment, its soft target, and the entropy of the soft target over the temperature."""
    fig, axes = plot.figure(3, width=3.6, height=3)
    axes[0].imshow(image[0], cmap="gray_r")
    axes[0].set_title(data.CLASSES[int(label)])
    axes[0].axis("off")
    _bars(axes[1], soften(logits, temperature).detach(), int(label))
    axes[1].set(ylim=(0, 1), ylabel="probability", title=f"T = {temperature:g}")

    def bits(t: float) -> float:
        p = soften(logits, t).detach()
        return -torch.xlogy(p, p).sum().item() / math.log(2)

    many = [0.25 * i for i in range(1, 83)]
    axes[2].plot(many, [bits(t) for t in many], color=plot.BLUE)
    axes[2].plot([temperature], [bits(temperature)], "o", color=plot.RED)
    axes[2].axhline(math.log2(10), color=plot.BLACK, linestyle=":")
    axes[2].set(xlabel="temperature", ylabel="entropy (bits)", ylim=(0, 3.5))
    return fig


def draw_gradients(temperatures: list[int], scaled: list[float], raw: list[float], labels: float) -> Figure:
    """Gradient length over temperature, with and without T²."""
    fig, (ax,) = plot.figure(1, width=6.2, height=3.8)
    curves = {"teacher, with T²": scaled, "teacher, without T²": raw}
    plot.lines(ax, temperatures, curves, "temperature T", "mean length of the gradient")
    ax.axhline(labels, color=plot.GREEN, linestyle="-.", label="labels")
    slope = [raw[-1] * (temperatures[-1] / t) ** 2 for t in temperatures]
    ax.plot(temperatures, slope, color=plot.BLACK, linestyle="--", linewidth=1, label="proportional to 1/T²")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(temperatures, [str(t) for t in temperatures])
    ax.legend(frameon=False)
    return fig


def draw_losses(losses: dict[str, list[float]]) -> Figure:
    """Loss of each step, averaged over 20."""
    fig, axes = plot.figure(len(losses), width=4.6, height=3)
    for ax, (name, values), colour in zip(axes, losses.items(), plot.PALETTE, strict=False):
        smooth = torch.tensor(values).unfold(0, 20, 1).mean(1)
        ax.plot(range(20, len(values) + 1), smooth, color=colour)
        ax.set(xlabel="step", ylabel="loss (mean of 20 steps)", title=name, ylim=(0, None))
    return fig


def draw_runs(runs: dict[str, list[float]], baseline: str, reference: tuple[str, float] | None = None) -> Figure:
    """Accuracies: a row a method, a dot a seed, a bar at the mean, a band for the seeds of the baseline."""
    fig, (ax,) = plot.figure(1, width=7.6, height=0.9 + 0.45 * len(runs))
    ax.axvspan(min(runs[baseline]), max(runs[baseline]), color="#dddddd")
    for row, (_, values) in enumerate(runs.items()):
        ax.plot(values, [row] * len(values), "o", color=plot.BLUE, markersize=6, alpha=0.7)
        ax.plot([sum(values) / len(values)], [row], "|", color=plot.RED, markersize=18, markeredgewidth=2)
    if reference:
        ax.axvline(reference[1], color=plot.BLACK, linestyle="--", linewidth=1)
        ax.text(reference[1], -0.75, reference[0], ha="right", va="bottom", fontsize=9)
    ax.set_yticks(range(len(runs)), list(runs))
    ax.set_ylim(len(runs) - 0.5, -0.8)
    ax.set_xlabel("accuracy on the validation images (%)")
    return fig


def draw_labels(table: dict[str, dict[str, list[float]]]) -> Figure:
    """Accuracy over the number of labelled images, one line a way of teaching, dots for seeds."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.8)
    counts = [int(n) for n in table]
    for name, colour, marker in zip(next(iter(table.values())), plot.PALETTE, plot.MARKERS, strict=False):
        rows = [row[name] for row in table.values()]
        ax.plot(counts, [sum(r) / len(r) for r in rows], color=colour, label=name)
        for n, values in zip(counts, rows, strict=True):
            ax.plot([n] * len(values), values, marker, color=colour, alpha=0.6, markersize=5)
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{n:,}" for n in counts])
    ax.minorticks_off()
    ax.set(xlabel="labelled images", ylabel="validation accuracy (%)")
    ax.legend(frameon=False, loc="lower right")
    return fig


def draw_maps(images: Tensor, maps: dict[str, Tensor], rows: list[int]) -> Figure:
    """Garments beside the attention maps that networks make of them, all maps on one scale of brightness."""
    size, top = math.isqrt(next(iter(maps.values())).shape[1]), max(m[rows].max().item() for m in maps.values())
    fig, axes = plot.plt.subplots(
        len(rows), 1 + len(maps), figsize=(1.5 * (1 + len(maps)), 1.5 * len(rows)), layout="constrained"
    )
    plot.plt.close(fig)
    for number, (line, i) in enumerate(zip(axes, rows, strict=True)):
        line[0].imshow(images[i, 0], cmap="gray_r")
        for ax, (name, values) in zip(line[1:], maps.items(), strict=True):
            ax.imshow(values[i].view(size, size), cmap="magma", vmin=0, vmax=top)
            if number == 0:
                ax.set_title(name)
        for ax in line:
            ax.axis("off")
    return fig


def draw_similarities(matrices: dict[str, Tensor]) -> Figure:
    """Similarity of every pair of a sorted batch, six a class."""
    fig, axes = plot.figure(len(matrices), width=3.9, height=3.9)
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        seen = ax.imshow(matrix, cmap="viridis", vmin=0, vmax=1)
        ax.set_title(name)
        ax.set_xticks([6 * c + 2.5 for c in range(10)], data.CLASSES, rotation=90, fontsize=8)
        ax.set_yticks([6 * c + 2.5 for c in range(10)], data.CLASSES, fontsize=8)
    fig.colorbar(seen, ax=axes, label="similarity", shrink=0.8)
    return fig
