"""Pictures, batches and plain steps of lesson 03. They look at what they are given: nothing here prunes."""

import json
from itertools import pairwise

import torch
import torch.nn as nn
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from torch import Tensor

from bonsai import models, plot

# Batches and steps ----------------------------------------------------------------------------------------------------


def draw_batches(count: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """For `count` batches of `size` training images: their numbers, and which of them are mirrored."""
    rng = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.randperm(55_000, generator=rng) for _ in range(-(-count * size // 55_000))])
    return order[: count * size].reshape(count, size), torch.rand(count, size, generator=rng) < 0.5


def read_batches(images: Tensor, labels: Tensor, order: Tensor, mirrored: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The batches that `draw_batches` has drawn."""
    pick = lambda i, flip: torch.where(flip.view(-1, 1, 1, 1), images[i].flip(-1), images[i])  # noqa: E731
    return [(pick(i, flip), labels[i]) for i, flip in zip(order, mirrored, strict=True)]


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy; where y are floats, the sum of y * output, whose gradients can be found by hand."""
    return (model(x) * y).sum() if y.is_floating_point() else F.cross_entropy(model(x), y)


def plain_steps(model: nn.Module, batches: list, optimizer: torch.optim.Optimizer) -> list[float]:
    """Ordinary training: one step a batch. Returns the losses."""
    losses = []
    for x, y in batches:
        loss = loss_of(model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# Pictures -------------------------------------------------------------------------------------------------------------


def _plain_ticks(ax: Axes, values: list[float], axis: str) -> None:
    """These values, written as people do, on a logarithmic axis."""
    ticks = ax.xaxis if axis == "x" else ax.yaxis
    ticks.set_major_locator(FixedLocator(values))
    ticks.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.4g}" if v >= 1000 else f"{v:.3g}"))
    ticks.set_minor_locator(NullLocator())


def draw_weights(weights: dict[str, Tensor], threshold: float) -> Figure:
    """Left: histogram of all weights, those below the threshold in another colour. Right: sorted magnitudes."""
    fig, (counts, order) = plot.figure(2)
    together = torch.cat([w.flatten() for w in weights.values()])
    bins = torch.linspace(-0.25, 0.25, 151)
    for part, colour, name in (
        (together[together.abs() >= threshold], plot.BLUE, "kept"),
        (together[together.abs() < threshold], plot.ORANGE, "pruned"),
    ):
        counts.hist(part.numpy(), bins=bins.tolist(), color=colour, label=name)
    counts.set(xlabel="weight", ylabel="how many")
    counts.legend(frameon=False)
    sizes = together.abs().sort(descending=True).values[::200]
    order.plot([100 * i / len(sizes) for i in range(len(sizes))], sizes, color=plot.BLUE)
    order.axhline(threshold, color=plot.RED, linestyle="--")
    order.set(xlabel="weights in order of magnitude (%)", ylabel="magnitude", yscale="log", ylim=(1e-4, 1.5))
    return fig


def draw_pixels(mask: Tensor, images: Tensor) -> Figure:
    """Left: how bright each pixel is on average. Right: how many weights each pixel kept in the first layer."""
    fig, axes = plot.figure(2, width=4.2, height=3.4)
    for ax, image, name in zip(
        axes,
        (images.mean((0, 1)), mask.sum(0).reshape(28, 28)),
        ("mean brightness of each pixel", "weights kept for each pixel"),
        strict=True,
    ):
        shown = ax.imshow(image, cmap="viridis")
        ax.set(xticks=[], yticks=[], title=name)
        ax.spines[:].set_visible(False)
        fig.colorbar(shown, ax=ax, shrink=0.85)
    return fig


def draw_layers(removed: dict[str, dict[str, float]]) -> Figure:
    """Bars: the share of each layer's weights that is kept, for several criteria."""
    fig, (ax,) = plot.figure(1, width=7, height=3.4)
    width = 0.8 / len(removed)
    for i, (criterion, shares) in enumerate(removed.items()):
        at = [k + (i - (len(removed) - 1) / 2) * width for k in range(len(shares))]
        bars = ax.bar(at, [100 * s for s in shares.values()], width * 0.95, color=plot.PALETTE[i], label=criterion)
        ax.bar_label(bars, fmt="%.0f", padding=1)
        ax.set(xticks=range(len(shares)), xticklabels=list(shares))
    ax.set(ylabel="weights kept (%)")
    ax.legend(frameon=False)
    return fig


def draw_taylor(w: Tensor, saliency: Tensor, masks: dict[str, Tensor]) -> Figure:
    """One panel a mask: a sample of weights by magnitude and gradient, kept or pruned."""
    fig, axes = plot.figure(len(masks), width=4.6)
    some = torch.randperm(w.numel(), generator=torch.Generator().manual_seed(0))[:4000]
    size = w.flatten()[some].abs()
    slope = saliency.flatten()[some].sqrt() / size
    seen = slope > 0
    for ax, (name, mask) in zip(axes, masks.items(), strict=True):
        kept = mask.flatten()[some]
        for part, colour, label in ((~kept & seen, plot.ORANGE, "pruned"), (kept & seen, plot.BLUE, "kept")):
            ax.plot(size[part], slope[part], ".", markersize=2.5, color=colour, label=label)
        ax.set(xscale="log", yscale="log", xlabel="magnitude |w|", ylabel="gradient |g|", title=name, xlim=(1e-5, 1))
        ax.legend(frameon=False, markerscale=4)
    return fig


def draw_curves(
    percent: list[int],
    curves: dict[str, list[float]],
    dense: float,
    high: list[int] | None = None,
    trained: dict[str, list[float]] | None = None,
) -> Figure:
    """Accuracy over sparsity without training, and beside it with training if there is any."""
    fig, axes = plot.figure(2 if trained else 1, width=5.4, height=3.8)
    for ax in axes:
        ax.axhline(dense, color=plot.BLACK, linewidth=0.8, linestyle="--")
    plot.lines(axes[0], percent, curves, "weights removed (%)", "validation accuracy (%)")
    axes[0].set(ylim=(0, 95))
    if trained and high:
        axes[0].set(title="pruned at once, not trained (dashed: dense)")
        for (name, y), colour, marker in zip(trained.items(), plot.PALETTE[4:], plot.MARKERS[4:], strict=False):
            axes[1].plot(high, y, color=colour, marker=marker, markersize=5, label=name)
        axes[1].set(title="and trained for one epoch", xlabel="weights removed (%)", xticks=high)
        axes[1].legend(frameon=False)
    return fig


def draw_sensitivity(percent: list[float], scans: dict[str, list[float]], sizes: dict[str, int]) -> Figure:
    """Accuracy when one layer alone is pruned."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.6)
    named = {f"{n}: {sizes[n]:,} weights": y for n, y in scans.items()}
    plot.lines(ax, percent, named, "weights of this layer removed (%)", "validation accuracy (%)")
    return fig


def draw_revival(curves: dict[str, list[float]]) -> Figure:
    """Mean magnitude of the weights that were pruned, over the steps after pruning."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.4)
    for (name, y), colour, marker in zip(curves.items(), plot.PALETTE, plot.MARKERS, strict=False):
        ax.plot(range(len(y)), y, color=colour, marker=marker, markersize=3, label=name)
    ax.set(xlabel="steps after pruning", ylabel="mean magnitude of pruned weights")
    ax.legend(frameon=False)
    return fig


def draw_schedules(steps: list[int], schedules: dict[str, list[float]]) -> Figure:
    """Left: sparsity over steps. Right: how many weights are removed at each of twenty stages."""
    fig, (ax, removed) = plot.figure(2)
    for (name, y), colour in zip(schedules.items(), plot.PALETTE, strict=False):
        ax.plot(steps, [100 * s for s in y], color=colour, label=name)
        stages = [100 * y[i] for i in range(0, len(y), len(y) // 20)]
        removed.plot([b - a for a, b in pairwise(stages)], color=colour, marker="o", markersize=3)
    ax.set(xlabel="step", ylabel="sparsity (%)")
    ax.legend(frameon=False)
    removed.set(xlabel="stage", ylabel="removed in this stage (% of all)", ylim=(0, None), xticks=range(0, 20, 5))
    return fig


def load_results() -> dict:
    """What data/make_lesson03.py recorded."""
    return json.loads((models.CHECKPOINTS.parent / "lesson03.json").read_text())


def draw_tickets(kept: list[float], accuracy: dict[str, list[list[float]]]) -> Figure:
    """Mean over seeds, and the range from the worst to the best seed as a band."""
    fig, (ax,) = plot.figure(1, width=6.6, height=4)
    x = [100 * k for k in kept]
    for (name, seeds), colour, marker in zip(accuracy.items(), plot.PALETTE, plot.MARKERS, strict=False):
        runs = torch.tensor(seeds)
        ax.fill_between(x, runs.amin(0), runs.amax(0), color=colour, alpha=0.2, linewidth=0)
        ax.plot(x, runs.mean(0), color=colour, marker=marker, markersize=5, label=name)
    ax.set(xscale="log", xlabel="weights kept (%)", ylabel="validation accuracy (%)")
    _plain_ticks(ax, x, "x")
    ax.invert_xaxis()
    ax.legend(frameon=False)
    return fig


def draw_pattern(patterns: dict[str, Tensor]) -> Figure:
    """Masks as black and white cells, with a line between groups of four columns."""
    fig, axes = plot.figure(len(patterns), width=4.4, height=2.6)
    for ax, (name, mask) in zip(axes, patterns.items(), strict=True):
        ax.pcolormesh(mask.flip(0).float(), cmap="Blues", vmin=0, vmax=1.3, edgecolors="lightgrey", linewidth=0.5)
        ax.vlines(range(0, mask.shape[1] + 1, 4), 0, mask.shape[0], color=plot.RED, linewidth=1.2)
        ax.set(xticks=[], yticks=[], aspect="equal", title=name)
        ax.spines[:].set_visible(False)
    return fig


def draw_movement(before: Tensor, after: dict[str, tuple[Tensor, Tensor]]) -> Figure:
    """One panel a criterion: the weight before and after fine-tuning, kept ones in blue."""
    fig, axes = plot.figure(len(after), width=4.4, height=3.6)
    some = torch.randperm(before.numel(), generator=torch.Generator().manual_seed(0))[:20_000]
    x = before.flatten()[some]
    for ax, (name, (weights, mask)) in zip(axes, after.items(), strict=True):
        y, kept = weights.flatten()[some], mask.flatten()[some]
        ax.plot(x[~kept], y[~kept], ".", markersize=1, color=plot.ORANGE, label="pruned", rasterized=True)
        ax.plot(x[kept], y[kept], ".", markersize=3, color=plot.BLUE, label="kept", rasterized=True)
        reach = 0.4
        ax.set(xlabel="weight before", ylabel="weight after", title=name, xlim=(-reach, reach), ylim=(-reach, reach))
        ax.legend(frameon=False, markerscale=4, loc="upper left")
    return fig


def draw_bytes(density: list[float], formats: dict[str, list[float]], points: dict[str, tuple[list, list]]) -> Figure:
    """Bytes a weight over the share of kept weights, on logarithmic axes; points are files really written."""
    fig, (ax,) = plot.figure(1, width=6.8, height=4.2)
    for (name, y), colour in zip(formats.items(), plot.PALETTE, strict=False):
        ax.plot([100 * d for d in density], y, color=colour, label=name)
    for name, (x, y) in points.items():
        ax.plot([100 * d for d in x], y, "o", color=plot.BLACK, markersize=5, label=name)
    ax.set(xscale="log", yscale="log", xlabel="weights kept (%)", ylabel="bytes for each weight of the dense tensor")
    _plain_ticks(ax, [0.1, 1, 10, 100], "x")
    _plain_ticks(ax, [0.01, 0.1, 1, 4, 10], "y")
    ax.legend(frameon=False)
    return fig


def draw_speed(
    kept: list[float], ratios: dict[str, list[tuple[float, float, float]]], crossing: float | None
) -> Figure:
    """Dense time over sparse time; above the line the sparse product is faster. Bars: quartiles of the rounds."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.8)
    x = [100 * k for k in kept]
    for (name, r), colour, marker in zip(ratios.items(), plot.PALETTE, plot.MARKERS, strict=False):
        low, mid, high = (torch.tensor([q[i] for q in r]) for i in range(3))
        ax.errorbar(x, mid, [mid - low, high - mid], color=colour, marker=marker, markersize=5, capsize=3, label=name)
    ax.axhline(1, color=plot.BLACK, linewidth=0.8, linestyle="--")
    if crossing is not None:
        ax.axvline(100 * crossing, color=plot.RED, linewidth=0.8, linestyle=":")
    ax.set(xscale="log", yscale="log", xlabel="weights kept (%)", ylabel="times faster than dense")
    _plain_ticks(ax, x, "x")
    _plain_ticks(ax, [0.2, 0.5, 1, 2, 5, 10, 20], "y")
    ax.invert_xaxis()
    ax.legend(frameon=False)
    return fig


def draw_view(
    weights: dict[str, Tensor], masks: dict[str, Tensor], percent: list[float], curve: list[float], here: tuple
) -> Figure:
    """The interactive figure. Left: kept weights of each layer. Right: accuracy curve and the point of the slider."""
    fig, (counts, ax) = plot.figure(2)
    bins = torch.linspace(-0.3, 0.3, 81).tolist()
    everything = torch.cat([w.flatten() for w in weights.values()])
    counts.hist(everything.numpy(), bins=bins, color="lightgrey", log=True, label="before")
    kept = [w[masks[n]].flatten().numpy() for n, w in weights.items()]
    labels = [f"{n}: {100 * len(k) / weights[n].numel():.0f} % kept" for n, k in zip(weights, kept, strict=True)]
    for values, colour, label in zip(kept, plot.PALETTE, labels, strict=False):  # not stacked: the axis is logarithmic
        counts.hist(values, bins=bins, histtype="step", linewidth=1.6, color=colour, label=label)
    counts.set(xlabel="weight", ylabel="how many")
    counts.set_ylim(top=counts.get_ylim()[1] * 40)
    counts.legend(frameon=False, fontsize=8, loc="upper center", ncols=2)
    ax.plot(percent, curve, color=plot.BLUE, marker="o", markersize=4)
    ax.plot(*here, "D", color=plot.RED, markersize=9)
    ax.set(xlabel="weights removed (%)", ylabel="validation accuracy (%)", ylim=(0, 95), xlim=(-2, 101))
    return fig


def draw_table(rows: dict[str, tuple[float, float]]) -> Figure:
    """Accuracy over bytes, one labelled point a file."""
    fig, (ax,) = plot.figure(1, width=6.8, height=3.6)
    for (name, (size, accuracy)), colour, marker in zip(rows.items(), plot.PALETTE, plot.MARKERS, strict=False):
        ax.plot(size / 1000, accuracy, marker, color=colour, markersize=9, label=name)
    low, high = (pick(accuracy for _, accuracy in rows.values()) for pick in (min, max))
    ax.set(xlabel="file size (kB)", ylabel="test accuracy (%)", xscale="log", ylim=(low - 1.5, high + 0.5))
    _plain_ticks(ax, [100, 200, 500, 1000, 2000], "x")
    ax.legend(frameon=False, loc="lower left", ncols=2)
    return fig
