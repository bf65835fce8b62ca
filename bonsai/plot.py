"""One look for all pictures: a palette that colour-blind readers can tell apart, axes with units."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito 2008, "Color Universal Design"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#000000",
)
PALETTE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # the second cue beside colour


def figure(columns: int = 1, width: float = 5.2, height: float = 3.4) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` axes side by side, each `width` by `height` inches, without the top and right frame."""
    fig, axes = plt.subplots(1, columns, figsize=(width * columns, height), layout="constrained", squeeze=False)
    plt.close(fig)  # it is shown by being returned, not twice
    for ax in axes[0]:
        ax.spines[["top", "right"]].set_visible(False)
    return fig, list(axes[0])


def lines(ax: Axes, x, curves: dict[str, list[float]], xlabel: str, ylabel: str) -> None:
    """One marked line for each named curve, with a legend."""
    for (name, y), colour, marker in zip(curves.items(), PALETTE, MARKERS, strict=False):
        ax.plot(x, y, color=colour, marker=marker, markersize=4, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
