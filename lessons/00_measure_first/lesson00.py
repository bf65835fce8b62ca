"""Pictures of lesson 00, and a clock for rehearsals. Nothing here measures."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator

from bonsai import plot

# Microseconds of the first 300 calls of resnet8 with one image, in a new process on a shared x86-64 machine with two
# cores, while two other programs kept both of them busy.
# fmt: off
RECORDED_US = (
    965, 430, 381, 370, 367, 361, 358, 4388, 362, 361, 365, 356, 355, 361, 359, 360, 354, 353, 4376, 362, 360, 368,
    360, 360, 364, 359, 361, 353, 352, 4371, 355, 355, 359, 355, 354, 363, 362, 358, 363, 355, 4373, 359, 355, 366,
    355, 353, 357, 356, 353, 361, 352, 4367, 376, 361, 365, 357, 357, 361, 356, 353, 357, 353, 354, 8386, 353, 358,
    353, 355, 359, 357, 355, 360, 354, 355, 12463, 371, 369, 359, 358, 363, 361, 356, 362, 356, 355, 8376, 353, 359,
    355, 355, 362, 361, 357, 364, 359, 357, 8383, 362, 368, 359, 358, 364, 359, 355, 361, 355, 354, 368, 355, 355,
    364, 356, 362, 362, 358, 364, 356, 358, 4380, 363, 361, 367, 356, 362, 359, 355, 365, 358, 357, 4377, 355, 355,
    361, 352, 353, 361, 353, 360, 357, 357, 4376, 360, 358, 363, 356, 357, 368, 356, 362, 356, 356, 4380, 358, 357,
    362, 354, 355, 366, 356, 358, 365, 357, 4375, 354, 352, 371, 355, 353, 365, 355, 354, 359, 353, 4368, 354, 351,
    357, 350, 349, 359, 352, 352, 360, 355, 355, 4374, 356, 361, 356, 355, 362, 353, 352, 358, 353, 351, 8387, 351,
    351, 357, 351, 357, 353, 355, 360, 356, 355, 8371, 351, 349, 358, 351, 354, 363, 361, 364, 359, 356, 7288, 359,
    357, 370, 354, 352, 359, 353, 355, 359, 353, 354, 363, 356, 12375, 359, 358, 362, 354, 357, 360, 351, 351, 358,
    351, 8362, 362, 350, 357, 351, 354, 358, 349, 350, 356, 349, 350, 4491, 373, 366, 356, 360, 361, 357, 360, 362,
    353, 8361, 368, 352, 361, 353, 355, 357, 351, 353, 358, 353, 354, 8371, 349, 349, 358, 354, 357, 356, 356, 365,
    358, 356, 8378, 358, 354, 363, 358, 354, 365, 360, 365, 358, 357, 8374,
)


class Rehearsal:
    """A clock that stands still except while one of its functions runs, and that writes down what happens.

    The calls of `Rehearsal(f=[0.5, 0.25]).function("f")` take 0.5, 0.25, 0.5, … seconds of the clock `read`. `order`
    holds the function's letter for each call, and `c` for each reading of the clock.
    """

    def __init__(self, start: float = 0.0, **durations: list[float]):
        self.now, self.durations, self.order = start, durations, ""

    def read(self) -> float:
        """The time in seconds."""
        self.order += "c"
        return self.now

    def function(self, name: str) -> Callable[[], None]:
        """A function without arguments that takes the next of its durations."""

        def call() -> None:
            script = self.durations[name]
            self.now += script[self.order.count(name[0]) % len(script)]
            self.order += name[0]

        return call


def draw_multiplications() -> Figure:
    """Left: a linear layer, every input times every output. Right: a 3x3 window over an image gives one number."""
    fig, (dense, window) = plot.figure(2, width=4.4, height=3.0)
    for i in range(4):
        for j in range(3):
            dense.plot([0, 1], [i, j + 0.5], color=plot.RED if j == 1 else plot.SKY, linewidth=1.6 if j == 1 else 0.7)
    dense.plot([0] * 4, range(4), "o", color=plot.BLACK)
    dense.plot([1] * 3, np.arange(3) + 0.5, "o", color=plot.BLUE)
    dense.set(title="linear, 4 to 3: 4 products an output", xlim=(-0.3, 1.3), ylim=(-0.5, 3.5))
    for x in range(6):
        for y in range(6):
            inside = 1 <= x <= 3 and 2 <= y <= 4
            window.add_patch(Rectangle((x, y), 1, 1, facecolor=plot.ORANGE if inside else "none", edgecolor=plot.BLACK))
    for x in range(4):
        for y in range(4):
            here = (x, y) == (1, 2)
            window.add_patch(
                Rectangle((x + 9, y + 1), 1, 1, facecolor=plot.BLUE if here else "none", edgecolor=plot.BLACK)
            )
    window.annotate("", (10, 3.5), (4, 3.5), arrowprops={"arrowstyle": "->", "color": plot.RED, "linewidth": 1.6})
    window.set(title="convolution, 3×3: 9 products an output", xlim=(-0.5, 13.5), ylim=(-0.7, 6.7), aspect="equal")
    for ax in (dense, window):
        ax.axis("off")
    return fig


def draw_file(entries: dict[str, int]) -> Figure:
    """The parts of a file as one long bar: tensors by size, and what is not a tensor."""
    fig, (ax,) = plot.figure(1, width=9.5, height=1.9)
    left = 0
    for i, (name, size) in enumerate(entries.items()):
        ax.barh(0, size, left=left, color=plot.PALETTE[i % len(plot.PALETTE)], edgecolor="white", label=name)
        left += size
    ax.set(yticks=[], xlabel="bytes in the file")
    ax.spines["left"].set_visible(False)
    ax.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig


def draw_layers(tables: dict[str, dict[str, tuple[int, int]]]) -> Figure:
    """For each model: the share of every layer in parameters and in multiply-accumulates."""
    fig, axes = plot.figure(len(tables), width=4.8, height=3.2)
    for ax, (name, layers) in zip(axes, tables.items(), strict=True):
        totals = [sum(row[k] for row in layers.values()) for k in (0, 1)]
        y = np.arange(len(layers))[::-1]
        for k, (label, colour, shift) in enumerate((("parameters", plot.BLUE, 0.19), ("MACs", plot.ORANGE, -0.19))):
            ax.barh(y + shift, [100 * row[k] / totals[k] for row in layers.values()], 0.36, color=colour, label=label)
        ax.set(yticks=y, yticklabels=list(layers), xlabel="share of the model (%)", title=name)
    axes[0].legend(frameon=False)
    return fig


def draw_interpolation(times: list[float], position: float, value: float) -> Figure:
    """Sorted times over their index, and a percentile between two of them."""
    fig, (ax,) = plot.figure(1, width=6.0, height=3.0)
    ax.plot(range(len(times)), sorted(times), "o-", color=plot.BLUE, label="sorted times")
    ax.plot(position, value, "D", color=plot.RED, label=f"95th percentile: position {position:g}, {value:g} ms")
    ax.vlines(position, 0, value, color=plot.RED, linestyle="--", linewidth=0.8)
    ax.set(xlabel="index", ylabel="latency (ms)", xticks=range(len(times)), ylim=(0, None))
    ax.legend(frameon=False)
    return fig


def draw_recording(statistics: dict[str, float]) -> Figure:
    """The recorded calls in their order, and how many of them took at most so long."""
    fig, (order, shares) = plot.figure(2)
    times = np.array(RECORDED_US) / 1000
    order.plot(times, ".", color=plot.BLUE, markersize=4)
    order.set(xlabel="call", ylabel="latency (ms)", yscale="log")
    shares.plot(np.sort(times), 100 * np.arange(1, len(times) + 1) / len(times), color=plot.BLACK)
    for (name, value), colour in zip(statistics.items(), (plot.BLUE, plot.ORANGE, plot.RED, plot.GREEN), strict=False):
        shares.axvline(value, color=colour, linestyle="--", label=name)
    shares.set(xlabel="latency (ms)", ylabel="calls that were as fast (%)", xscale="log")
    shares.legend(frameon=False)
    return fig


def draw_statistics(warmup: int, repeats: int, counts: list[int], curves: dict[str, list[float]]) -> Figure:
    """Left: which recorded calls are used. Right: percentiles over the number of calls."""
    fig, (used, values) = plot.figure(2)
    times = np.array(RECORDED_US) / 1000
    used.plot(times, ".", color="lightgrey", markersize=4)
    used.plot(range(warmup, warmup + repeats), times[warmup : warmup + repeats], ".", color=plot.BLUE, markersize=4)
    used.set(xlabel="call (blue: timed)", ylabel="latency (ms)", yscale="log")
    plot.lines(values, counts, curves, "timed calls", "latency (ms)")
    values.axvline(repeats, color=plot.BLACK, linestyle="--", linewidth=0.8)
    values.set(yscale="log")
    return fig


def draw_turns(apart: dict[str, list[float]], in_turns: dict[str, list[float]]) -> Figure:
    """Two candidates on a machine that slows down: one after the other, and in turns."""
    fig, axes = plot.figure(2)
    for ax, times, title in zip(axes, (apart, in_turns), ("first A, then B", "in turns"), strict=True):
        a, b = times["A"], times["B"]
        at = (
            (range(len(a)), range(len(a), 2 * len(a)))
            if times is apart
            else (range(0, 2 * len(a), 2), range(1, 2 * len(a), 2))
        )
        for x, y, name, colour, marker in zip(at, (a, b), "AB", (plot.BLUE, plot.ORANGE), "os", strict=True):
            ax.plot(x, [1000 * t for t in y], marker, color=colour, markersize=4, label=name)
        ax.set(xlabel="call", ylabel="latency (ms)", title=title, ylim=(0, 16))
    axes[0].legend(frameon=False, loc="lower right")
    return fig


def draw_macs(points: dict[str, tuple[int, float]]) -> Figure:
    """Median latency over multiply-accumulates, a point for each network or block."""
    fig, (ax,) = plot.figure(1, width=6.0)
    for i, (name, (macs, ms)) in enumerate(points.items()):
        ax.plot(macs / 1e6, ms, plot.MARKERS[i], color=plot.PALETTE[i], markersize=9, label=name)
    ax.set(xlabel="million MACs", ylabel="p50 latency of one image (ms)", xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.legend(frameon=False)
    return fig


def draw_batches(batches: list[int], latencies: dict[str, list[float]]) -> Figure:
    """Latency and throughput over the batch size."""
    fig, (slow, fast) = plot.figure(2)
    plot.lines(slow, batches, latencies, "images a call", "p50 latency (ms)")
    rates = {name: [1000 * b / t for b, t in zip(batches, ms, strict=True)] for name, ms in latencies.items()}
    plot.lines(fast, batches, rates, "images a call", "images per second")
    for ax in (slow, fast):
        ax.set(xscale="log", yscale="log", xticks=batches, xticklabels=map(str, batches))
        ax.minorticks_off()
    slow.legend(frameon=False)
    fast.legend().remove()
    return fig


def draw_fronts(
    names: list[str], scores: list[float], prices: dict[str, list[float]], fronts: list[list[int]]
) -> Figure:
    """Accuracy over one price a panel; the points of the front are filled and joined."""
    fig, axes = plot.figure(len(prices), width=4.2)
    for ax, (price, costs), front in zip(axes, prices.items(), fronts, strict=True):
        ax.plot([costs[i] for i in front], [scores[i] for i in front], color=plot.BLACK, linewidth=0.8)
        for i, name in enumerate(names):
            face = plot.PALETTE[i] if i in front else "white"
            ax.plot(
                costs[i],
                scores[i],
                plot.MARKERS[i],
                color=plot.PALETTE[i],
                markerfacecolor=face,
                markersize=9,
                label=name,
            )
        ax.set(xlabel=price, ylabel="validation accuracy (%)", xscale="log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    axes[0].legend(frameon=False)
    return fig


def draw_bill(utilisations: list[float], curves: dict[str, list[float]]) -> Figure:
    """Rent over the share of the time in which the machine has something to do."""
    fig, (ax,) = plot.figure(1, width=6.4)
    plot.lines(ax, [100 * u for u in utilisations], curves, "utilisation (%)", "rent for a billion images (USD)")
    ax.set(yscale="log")
    return fig
