"""Pictures of lesson 04. They look at what they are given: nothing here prunes."""

from collections.abc import Callable

import torch
import torch.fx
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import plot


def draw_zeros_and_holes() -> Figure:
    """A weight matrix as it is, with single zeros, with zeroed rows, and without these rows."""
    rng = torch.Generator().manual_seed(3)
    w = torch.randn(8, 12, generator=rng)
    fig, axes = plot.figure(4, width=2.7, height=2.7)
    scattered = w * (w.abs() > w.abs().flatten().kthvalue(48).values)
    kept = w.abs().sum(1).argsort(descending=True)[:4].sort().values
    rows = torch.zeros_like(w)
    rows[kept] = w[kept]
    titles = ("dense", "half of the weights zero", "half of the rows zero", "those rows removed")
    for ax, matrix, title in zip(axes, (w, scattered, rows, w[kept]), titles, strict=True):
        shown = matrix.clone()
        shown[shown == 0] = float("nan")
        ax.imshow(shown, cmap="RdBu", vmin=-2.5, vmax=2.5)
        ax.set(xticks=[], yticks=[], title=title, xlabel=f"{matrix.shape[0]} × {matrix.shape[1]} numbers stored")
        ax.set_ylim(7.5, -0.5)
        ax.spines[:].set_visible(False)
    return fig


def draw_one_channel() -> Figure:
    """What goes when one channel goes: filter 1 of a layer, its batch-norm entry, its slice of every next filter."""
    fig, (ax,) = plot.figure(1, width=9.5, height=3.1)
    dead, alive = plot.RED, plot.SKY

    def cells(x: float, y: float, rows: int, columns: int, gone: Callable[[int, int], bool], label: str) -> None:
        for i in range(rows):
            for j in range(columns):
                colour, hatch = (dead, "///") if gone(i, j) else (alive, None)
                at = (x + j * 0.42, y - i * 0.5)
                ax.add_patch(plot.plt.Rectangle(at, 0.36, 0.42, facecolor=colour, edgecolor="white", hatch=hatch))
        ax.text(x + columns * 0.21, y + 0.62, label, ha="center", va="bottom")

    cells(0.0, 2.4, 4, 3, lambda i, j: i == 1, "convolution\n4 filters × 3 inputs")
    cells(2.6, 2.4, 4, 1, lambda i, j: i == 1, "batch norm\nγ, β, mean, var")
    cells(4.5, 2.4, 5, 4, lambda i, j: j == 1, "next convolution\n5 filters × 4 inputs")
    cells(7.9, 2.4, 2, 8, lambda i, j: j // 2 == 1, "or, after flatten of 4 × [1 × 2],\n2 outputs × 8 columns")
    for x in (1.55, 3.3):
        ax.annotate("", (x + 0.75, 1.6), (x, 1.6), arrowprops={"arrowstyle": "->", "color": plot.BLACK})
    ax.text(6.9, 1.6, "or", ha="center", va="center")
    ax.set(xlim=(-0.3, 11.6), ylim=(0.1, 4.1), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig


def draw_scores(truth: Tensor, scores: dict[str, Tensor]) -> Figure:
    """For each score, how much a channel's removal really changes the loss, over the rank by that score."""
    fig, axes = plot.figure(len(scores), width=3.6, height=3.1)
    for ax, (name, score), colour, marker in zip(axes, scores.items(), plot.PALETTE, plot.MARKERS, strict=False):
        ax.plot(score.argsort().argsort() + 1, truth, marker, color=colour, markersize=4)
        ax.set(xlabel=f"rank by {name} (1 = least)", ylabel="change of the loss")
    return fig


def draw_gammas(plain: Tensor, slim: Tensor) -> Figure:
    """Histograms of |gamma|, trained without and with the penalty."""
    fig, axes = plot.figure(2, width=4.6, height=2.8)
    top = max(t.abs().max().item() for t in (plain, slim))
    for ax, values, title, colour in zip(axes, (plain, slim), ("no penalty", "penalty"), plot.PALETTE, strict=False):
        ax.hist(values.abs().numpy(), bins=50, range=(0, top), color=colour)
        ax.set(xlabel="|γ| of a channel", ylabel="how many channels", title=title)
    axes[0].set_ylim(axes[1].get_ylim())
    return fig


def draw_tradeoff(speed: dict[str, float], accuracy: dict[str, float], floor: float) -> Figure:
    """Accuracy over latency ratio, one labelled point a model, and the floor that was set."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.6)
    for (name, ratio), marker, colour in zip(speed.items(), plot.MARKERS, plot.PALETTE, strict=False):
        ax.plot(ratio, accuracy[name], marker, color=colour, markersize=8, label=name)
    ax.axhline(floor, color=plot.BLACK, linestyle="--", linewidth=0.8)
    ax.axvline(3, color=plot.BLACK, linestyle=":", linewidth=0.8)
    ax.set(xlabel="times faster than dense, batch 64 (dotted: 3)", ylabel="validation accuracy (%)")
    ax.legend(frameon=False)
    return fig


def draw_keep(names: list[str], dense: list[int], pruned: list[int], title: str) -> Figure:
    """MACs of every layer, dense and pruned."""
    fig, (ax,) = plot.figure(1, width=7.2, height=3.0)
    spots = torch.arange(len(names)).float()
    ax.bar(spots - 0.2, [m / 1e3 for m in dense], 0.38, color=plot.SKY, label="dense")
    ax.bar(spots + 0.2, [m / 1e3 for m in pruned], 0.38, color=plot.ORANGE, hatch="//", label="pruned")
    ax.set(xticks=spots.tolist(), xticklabels=names, ylabel="thousand MACs an image", title=title)
    ax.legend(frameon=False)
    return fig


def draw_graph(graph: dict[str, tuple[str, list[str]]], groups: list[set[str]]) -> Figure:
    """The graph, one row a block; coupled layers share colour and number, other layers are white."""
    depth: dict[str, int] = {}
    for name, (_, inputs) in graph.items():
        depth[name] = 1 + max((depth[i] for i in inputs), default=-1)
    ends = [depth[n] + 2 for n, (kind, _) in graph.items() if kind == "add"][:-1]  # a row ends with an addition's ReLU
    starts = [0, *ends]
    place = {}
    for name, d in depth.items():
        row = sum(d >= end for end in ends)
        place[name] = (d - starts[row] + (row > 0), -1.9 * row - 0.8 * ("shortcut" in name))
    fig, (ax,) = plot.figure(1, width=11, height=1.5 * len(starts))
    order = sorted(groups, key=lambda g: min(depth[n] for n in g))
    member = {name: k for k, group in enumerate(order) for name in group}
    for row in range(1, len(starts)):
        ax.text(0, -1.9 * row, "relu", ha="center", va="center", fontsize=7.5)
    for name, (kind, inputs) in graph.items():
        (x, y), layer = place[name], kind in ("conv", "linear")
        label = name if layer else kind
        for source in inputs:
            x0, y0 = place[source]
            arrow = {"arrowstyle": "->", "color": "grey", "shrinkA": 10, "shrinkB": 6 + 1.8 * len(label)}
            if y0 - y >= 1.5:  # from the row above
                x0, y0 = 0, y0 - 1.9
            ax.annotate("", (x, y), (x0, y0), arrowprops=arrow, zorder=1)
        colour = plot.PALETTE[member[name]] if name in member else "white"
        text = f"{name}\n({member[name] + 1})" if name in member else label
        dark = colour in (plot.BLUE, plot.GREEN, plot.RED, plot.BLACK)
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": plot.BLACK if layer else "none"}
        ax.text(
            x, y, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "black", bbox=box, zorder=2
        )
    right, bottom = max(x for x, _ in place.values()), min(y for _, y in place.values())
    ax.set(xlim=(-0.5, right + 0.5), ylim=(bottom - 0.5, 0.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig


def draw_speed(channels: list[int], ms: list[float], shares: dict[str, list[float]], names: list[str]) -> Figure:
    """Left: milliseconds of one convolution over its channels. Right: milliseconds of each kind of layer."""
    fig, (curve, bars) = plot.figure(2, width=5.4, height=3.2)
    curve.plot(channels, ms, color=plot.BLUE, marker="o", markersize=3)
    for c in channels:
        if c % 16 == 0:
            curve.axvline(c, color=plot.BLACK, linestyle=":", linewidth=0.6)
    curve.set(xlabel="output channels (dotted: multiples of 16)", ylabel="least ms a call, batch 64", ylim=(0, None))
    left = torch.zeros(len(names))
    for (kind, values), colour in zip(shares.items(), plot.PALETTE, strict=False):
        bars.barh(names, values, left=left.tolist(), color=colour, label=kind)
        left += torch.tensor(values)
    bars.set(xlabel="ms of one forward pass, batch 64")
    bars.legend(frameon=False, fontsize=8)
    return fig
