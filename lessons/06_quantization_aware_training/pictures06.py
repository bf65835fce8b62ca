"""Pictures of lesson 06. They look at what they are given: nothing here trains."""

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import plot


def _stairs(x, step: float, largest: int):
    return np.clip(np.round(np.asarray(x) / step), -largest, largest) * step


def draw_cliff(made: dict, also: dict[str, float] | None = None, trained: bool = False) -> Figure:
    """Accuracy over the bit-widths after PTQ and, if `trained`, after QAT: a dot for each seed."""
    fig, (ax,) = plot.figure(1, width=7, height=3.3)
    names = list(made["table"])
    kinds_of = {"PTQ": (plot.RED, "o"), "QAT": (plot.BLUE, "s"), "QAT, LSQ": (plot.GREEN, "^")}
    for kind, (colour, marker) in kinds_of.items():
        if kind != "PTQ" and not trained:
            continue
        at = [i for i, name in enumerate(names) if made["table"][name][kind]]
        means = [sum(made["table"][names[i]][kind]) / len(made["table"][names[i]][kind]) for i in at]
        ax.plot(at, means, color=colour, label=kind)
        for i in at:
            values = made["table"][names[i]][kind]
            ax.scatter([i] * len(values), values, color=colour, marker=marker, s=18)
    for name, value in (also or {}).items():
        ax.scatter([names.index("W3A4")], [value], color=plot.BLACK, marker="*", s=90, zorder=3, label=name)
    ax.axhline(made["fp32"], color=plot.BLACK, linestyle=":", linewidth=1)
    ax.text(0, made["fp32"] + 2, "FP32", va="bottom")
    ax.set(xticks=range(len(names)), xticklabels=names, ylabel="validation accuracy (%)", ylim=(0, 105))
    ax.set_xlabel("bits of weights (W) and activations (A)")
    ax.legend(frameon=False, loc="lower left")
    return fig


def draw_dither() -> Figure:
    """Rounding, and the mean of rounding with 5 and with 200 draws of uniform noise."""
    fig, axes = plot.figure(3, width=3.3, height=2.9)
    x = np.linspace(-2.5, 2.5, 401)
    rng = np.random.default_rng(0)
    for ax, draws in zip(axes, (1, 5, 200), strict=True):
        noise = rng.uniform(-0.5, 0.5, (draws, 1)) if draws > 1 else np.zeros((1, 1))
        ax.plot(x, x, color=plot.ORANGE, linestyle="--", label="x")
        ax.plot(x, np.round(x + noise).mean(0), color=plot.BLUE)
        ax.set(xlabel="x", title="round(x)" if draws == 1 else f"mean of {draws} round(x + u)")
    axes[0].set_ylabel("value")
    return fig


def draw_gradient(x: Tensor, y: Tensor, gradient: Tensor) -> Figure:
    """A fake-quantized value and the gradient that its backward gives, over x."""
    fig, (left, right) = plot.figure(2, width=4.6, height=3.1)
    left.plot(x, x, color=plot.ORANGE, linestyle="--", label="x")
    left.plot(x, y, color=plot.BLUE, label="fake-quantized x")
    left.set(xlabel="x", ylabel="value")
    left.legend(frameon=False)
    right.plot(x, torch.zeros_like(x), color=plot.RED, linestyle=":", label="true derivative")
    right.plot(x, gradient, color=plot.BLUE, label="straight-through")
    right.set(xlabel="x", ylabel="derivative", ylim=(-0.1, 1.3))
    right.legend(frameon=False)
    return fig


def draw_one_weight(gradient: str, bits: int, start: float, rate: float, steps: int = 40) -> Figure:
    """One weight that is to become 0.45 after rounding: the loss over the weight, and the way of gradient descent."""
    target, largest = 0.45, 2 ** (bits - 1) - 1
    step = 1 / largest
    path, slopes = [start], []
    for _ in range(steps):
        w = path[-1]
        passes = abs(round(w / step)) <= largest and gradient.startswith("straight")
        slopes.append(2 * (float(_stairs(w, step, largest)) - target) * passes)
        path.append(w - rate * slopes[-1])
    fig, (left, right) = plot.figure(2, width=4.9, height=3.3)
    x = np.linspace(-1.4, 1.4, 1401)
    left.plot(x, (_stairs(x, step, largest) - target) ** 2, color=plot.BLUE, label="loss, with rounding")
    left.plot(x, (np.clip(x, -1, 1) - target) ** 2, color=plot.ORANGE, linestyle="--", label="loss, without rounding")
    left.plot(
        path, (_stairs(path, step, largest) - target) ** 2, color=plot.BLACK, marker="o", markersize=3, linewidth=0.5
    )
    left.plot(path[:1], (_stairs(path[:1], step, largest) - target) ** 2, color=plot.RED, marker="D", label="start")
    height, reach = (float(_stairs(start, step, largest)) - target) ** 2, np.array([-0.25, 0.25])
    left.plot(start + reach, height + slopes[0] * reach, color=plot.RED, linewidth=2, label=f"slope {slopes[0]:+.2f}")
    left.set(xlabel="weight", ylabel="loss", ylim=(-0.05, 2.9))
    left.legend(frameon=False, fontsize=8, loc="upper right")
    right.plot(path, color=plot.BLACK, label="weight")
    right.step(range(len(path)), _stairs(path, step, largest), color=plot.BLUE, where="mid", label="rounded weight")
    right.axhline(target, color=plot.GREEN, linestyle=":", label="target")
    right.set(xlabel="step", ylabel="value", ylim=(-1.5, 1.5))
    right.legend(frameon=False, fontsize=8, loc="lower right")
    return fig


def draw_ranges(batches: list[tuple[float, float]], averages: dict[str, list[tuple[float, float]]]) -> Figure:
    """The largest value of each batch, and running ranges."""
    fig, (ax,) = plot.figure(1, width=7, height=3)
    ax.scatter(
        range(len(batches)), [high for _, high in batches], color=plot.SKY, s=14, label="largest value of the batch"
    )
    for (name, rows), colour in zip(averages.items(), (plot.RED, plot.BLUE, plot.GREEN), strict=False):
        ax.plot([high for _, high in rows], color=colour, label=name)
    ax.set(xlabel="batch", ylabel="activation")
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_learned_step(x: Tensor, gradient: Tensor, scans: tuple[list, list], path: list[tuple[float, float]]) -> Figure:
    """Left: what each x contributes to the gradient of the step. Right: error over the step, and the way of descent."""
    fig, (left, right) = plot.figure(2, width=4.8, height=3.2)
    left.plot(x, gradient, color=plot.BLUE)
    left.axhline(0, color=plot.BLACK, linewidth=0.6)
    left.set(xlabel="x / step", ylabel="derivative by the step")
    right.plot(*scans, color=plot.SKY, label="mean squared error")
    right.plot(
        [s for s, _ in path], [e for _, e in path], color=plot.BLACK, marker="o", markersize=3, label="gradient descent"
    )
    right.plot(*path[0], color=plot.RED, marker="D", label="start, 2 mean|x| / √qmax")
    right.set(xlabel="step", ylabel="mean squared error")
    right.legend(frameon=False, fontsize=8)
    return fig


def draw_live(scales: dict[str, list[float]], made: dict) -> Figure:
    """Left: the folding factor of a channel, batch by batch. Right: accuracies of data/lesson06.json."""
    fig, (left, right) = plot.figure(2, width=4.9, height=3.2)
    for (name, values), colour, marker in zip(scales.items(), (plot.ORANGE, plot.BLUE), ("o", "s"), strict=True):
        left.plot(values, color=colour, marker=marker, markersize=3, linewidth=0.8, label=name)
    left.axhline(1, color=plot.BLACK, linestyle=":", label="running statistics")
    left.set(xlabel="batch", ylabel="folded weight, relative")
    left.legend(frameon=False, fontsize=8)
    colours = {"folded": plot.BLUE, "live": plot.RED, "kept": plot.GREEN}
    for i, rows in enumerate(made["batch_norm"].values()):
        for j, (how, values) in enumerate(rows.items()):
            right.scatter([i + 0.2 * (j - 1)] * len(values), values, color=colours[how], marker=plot.MARKERS[j], s=28,
                          label=how if i == 0 else None)  # fmt: skip
    right.set(xticks=[0, 1], xticklabels=[f"batches of {b}" for b in made["batch_norm"]], xlim=(-0.5, 1.5))
    right.set_ylabel("W3A4 validation accuracy (%)")
    right.legend(frameon=False, fontsize=8)
    return fig


def draw_weights(before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor], losses: list[float]) -> Figure:
    """Which weights got another code, how far the weights moved, and the loss of each step of training."""
    fig, (first, second, third) = plot.figure(3, width=3.7, height=2.9)
    old, new = ((w / scale.reshape(-1, 1, 1, 1)).flatten() for w, scale in (before, after))
    place, other = old - old.round(), old.round() != new.round()
    bins = np.linspace(-0.5, 0.5, 41).tolist()
    first.hist(place, bins=bins, color="lightgrey", label="all weights")
    first.hist(place[other], bins=bins, color=plot.RED, label="got another code")
    first.set(xlabel="distance from the code before training (steps)", ylabel="weights", yscale="log")
    first.legend(loc="lower center", framealpha=1)
    second.hist(new - old, bins=np.linspace(-0.15, 0.15, 61).tolist(), color=plot.BLUE)
    second.set(xlabel="moved by training (steps)", ylabel="weights", yscale="log")
    window = max(1, len(losses) // 30)
    smooth = np.convolve(losses, np.ones(window) / window, "valid")
    third.plot(losses, color=plot.SKY, linewidth=0.5)
    third.plot(np.arange(len(smooth)) + window / 2, smooth, color=plot.BLUE)
    third.set(xlabel="training step", ylabel="loss")
    return fig
