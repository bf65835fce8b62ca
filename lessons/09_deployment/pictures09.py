"""Pictures of lesson 09, and the queue behind one of them."""

import numpy as np
from matplotlib.figure import Figure
from text09 import SentimentModel

from bonsai import plot


def draw_parameters(model: SentimentModel) -> Figure:
    """One bar: megabytes of the text model by part."""
    parts: dict[str, float] = {"word vectors": 0, "linear layers": 0, "the rest": 0}
    for name, p in model.named_parameters():
        kind = "linear layers" if p.dim() == 2 and ".layer." in name else "the rest"
        parts["word vectors" if "word_embeddings" in name else kind] += p.nbytes / 1e6
    fig, (ax,) = plot.figure(1, width=8, height=1.7)
    left = 0.0
    for (name, size), colour in zip(parts.items(), (plot.ORANGE, plot.SKY, plot.BLACK), strict=True):
        ax.barh(0, size, left=left, color=colour, label=f"{name}: {size:.1f} MB")
        left += size
    ax.set(yticks=[], xlabel="megabytes in float32", ylim=(-0.5, 1.3))
    ax.spines["left"].set_visible(False)
    ax.legend(frameon=False, ncols=3, loc="upper left")
    return fig


def draw_qdq() -> Figure:
    """Boxes: what happens in one call with dynamic and with static int8."""
    fig, (ax,) = plot.figure(1, width=9.5, height=2.7)
    rows = {
        "dynamic": ["float input", "find range", "quantize", "int8 × int8", "to float"],
        "static, as stored": ["float input", "Quantize\nLinear", "Dequantize\nLinear", "operator", "Quantize\nLinear"],
        "static, as it runs": ["float input", "quantize with\nstored scale", "int8 × int8", "rescale", "int8 output"],
    }
    for y, (name, boxes) in zip((2, 1, 0), rows.items(), strict=True):
        ax.text(-0.15, y, name, ha="right", va="center")
        for x, text in enumerate(boxes):
            colour = plot.ORANGE if text in ("find range", "to float") else plot.SKY if "int8" in text else "#EEEEEE"
            box = {"boxstyle": "round", "fc": colour}
            ax.text(x * 1.25 + 0.5, y, text, ha="center", va="center", fontsize=9, bbox=box)
            if x:
                arrow = {"arrowstyle": "->", "color": plot.BLACK, "shrinkA": 0, "shrinkB": 0}
                ax.annotate("", (x * 1.25 + 0.08, y), (x * 1.25 - 0.33, y), arrowprops=arrow)
    ax.set(xlim=(-1.5, 6.2), ylim=(-0.5, 2.5))
    ax.axis("off")
    return fig


def draw_load() -> Figure:
    """Three clients over time: calls as bars, one of them failed."""
    fig, (ax,) = plot.figure(1, width=9, height=2.3)
    calls = {"client 1": [32, 25, 38], "client 2": [27, 45, 22], "client 3": [41, -18, 30]}
    for y, (name, lengths) in enumerate(calls.items()):
        left = 0.0
        for length in lengths:
            failed = length < 0
            ax.barh(y, abs(length), left=left, height=0.6, color="white" if failed else plot.SKY, edgecolor=plot.BLACK)
            text = "error" if failed else f"{length} ms"
            ax.text(left + abs(length) / 2, y, text, ha="center", va="center", fontsize=9)
            left += abs(length)
        ax.text(-2, y, name, ha="right", va="center")
    ax.set(yticks=[], xlabel="time on the wall (ms)", ylim=(2.6, -0.6))
    ax.spines["left"].set_visible(False)
    return fig


def draw_microbatch() -> Figure:
    """Arrivals in boxes: one batch is full, one runs out of time, one holds a single request."""
    fig, (ax,) = plot.figure(1, width=9, height=1.9)
    full = ([0.5, 1.2, 1.6, 2.4], 2.4, "full: leaves at once")
    batches = [full, ([4.0, 6.5], 9.0, "clock ran out"), ([12.0], 17.0, "alone, clock ran out")]
    for times, end, why in batches:
        ax.add_patch(_box(times[0], end))
        ax.plot(times, [0] * len(times), "o", color=plot.BLUE)
        ax.text((times[0] + end) / 2, 0.62, why, ha="center", fontsize=9)
    ax.set(xlim=(0, 18), ylim=(-0.6, 1), yticks=[], xlabel="time (ms); max_batch 4, max_wait_ms 5")
    ax.spines["left"].set_visible(False)
    return fig


def _box(left: float, right: float):
    from matplotlib.patches import Rectangle

    return Rectangle((left - 0.12, -0.4), right - left + 0.24, 0.85, fill=False, edgecolor=plot.ORANGE, linewidth=1.5)


def draw_served(results: dict[str, dict[int, dict]]) -> Figure:
    """Left: from p50 to p99 for each number of clients, p95 marked. Right: calls per second."""
    fig, (latency, rate) = plot.figure(2)
    width = 0.8 / len(results)
    for i, ((name, rows), colour) in enumerate(zip(results.items(), plot.PALETTE, strict=False)):
        places = [x + (i - (len(results) - 1) / 2) * width for x in range(len(rows))]
        p50, p95, p99 = ([row[f"{key}_ms"] for row in rows.values()] for key in ("p50", "p95", "p99"))
        heights = [high - low for low, high in zip(p50, p99, strict=True)]
        latency.bar(places, heights, 0.8 * width, bottom=p50, color=colour, label=name)
        latency.plot(places, p95, "_", color=plot.BLACK, markersize=14)
        rate.bar(places, [row["per_second"] for row in rows.values()], 0.8 * width, color=colour, label=name)
        for ax in (latency, rate):
            ax.set(xticks=range(len(rows)), xticklabels=list(rows), xlabel="clients at the same time")
    latency.set(ylabel="latency (ms): p50 to p99, line: p95", yscale="log")
    low, high = latency.get_ylim()
    latency.set_yticks([t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if low <= t <= high])
    latency.minorticks_off()
    latency.yaxis.set_major_formatter("{x:.0f}")
    rate.set(ylabel="calls per second")
    latency.legend(frameon=False, loc="upper left")
    return fig


def draw_budget(rows: dict[str, tuple[int, int]], budgets: dict[str, tuple[int, int]]) -> Figure:
    """Flash and peak RAM of candidates, hollow in FP32 and filled in int8, and budgets as boxes.

    Args:
        rows: "network, format" -> bytes of flash and of RAM.
        budgets: name -> bytes of flash and of RAM.
    """
    from matplotlib.patches import Rectangle

    fig, (ax,) = plot.figure(1, width=7, height=3.6)
    for (name, (flash, ram)), colour in zip(budgets.items(), (plot.GREEN, plot.ORANGE), strict=False):
        size = (ram / 1024 - 1, flash / 1024 - 1)
        ax.add_patch(Rectangle((1, 1), *size, facecolor=colour, edgecolor=colour, alpha=0.2, label=f"budget: {name}"))
    networks = dict.fromkeys(name.rpartition(", ")[0] for name in rows)
    for network, marker, colour in zip(networks, plot.MARKERS, (plot.BLUE, plot.RED, plot.PURPLE), strict=False):
        ends = {kind: [v / 1024 for v in reversed(rows[f"{network}, {kind}"])] for kind in ("FP32", "int8")}
        ax.plot(*zip(*ends.values(), strict=True), color=colour, linewidth=0.8, zorder=1)
        for (kind, (x, y)), face in zip(ends.items(), ("white", colour), strict=True):
            ax.plot(x, y, marker, color=colour, markerfacecolor=face, label=f"{network}, {kind}")
    ax.set(xscale="log", yscale="log", xlabel="peak activations (kB of RAM)", ylabel="weights (kB of flash)")
    ax.xaxis.set_major_formatter("{x:.0f}")
    ax.yaxis.set_major_formatter("{x:.0f}")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def queue(arrivals_per_second: float, max_batch: int, max_wait_ms: float) -> np.ndarray:
    """Simulated latencies (ms) of 4,000 requests at random times to one worker: 4 ms a call and 1 ms an item."""
    rng = np.random.default_rng(0)
    arrive = np.cumsum(rng.exponential(1000 / arrivals_per_second, 4000))
    free, i, latency = 0.0, 0, np.zeros(len(arrive))
    while i < len(arrive):
        full = arrive[min(i + max_batch, len(arrive)) - 1]
        leave = max(free, min(full, arrive[i] + max_wait_ms))
        n = min(int(np.searchsorted(arrive, leave, side="right")) - i, max_batch)
        free = leave + 4.0 + 1.0 * max(n, 1)
        latency[i : i + max(n, 1)] = free - arrive[i : i + max(n, 1)]
        i += max(n, 1)
    return latency


def capacity(max_batch: int) -> float:
    """Requests a second that the simulated worker finishes in full batches; above it the queue grows without end."""
    return 1000 * max_batch / (4.0 + 1.0 * max_batch)


def draw_queue(arrivals_per_second: int, max_batch: int, max_wait_ms: float) -> Figure:
    """Simulated latency percentiles over the load, with and without batches; a line marks the chosen load."""
    fig, (hist, curve) = plot.figure(2)
    ways = {"one by one": (1, 0.0), "batches": (max_batch, max_wait_ms)}
    styles = dict(zip(ways, ((plot.ORANGE, "s"), (plot.BLUE, "o")), strict=True))
    chosen = {name: queue(arrivals_per_second, *way) for name, way in ways.items()}
    stable = {name: arrivals_per_second < capacity(way[0]) for name, way in ways.items()}
    shown = [chosen[name] for name in ways if stable[name]] or list(chosen.values())
    top = float(min(np.percentile(np.concatenate(shown), 99), 200.0))
    bins = np.linspace(0, top, 50).tolist()
    for name, way in ways.items():
        colour, marker = styles[name]
        p99 = f"p99 {np.percentile(chosen[name], 99):.0f} ms" if stable[name] else "no p99, it only grows"
        seen, label = np.clip(chosen[name], 0, top), f"{name}: {p99}"
        hist.hist(seen, bins=bins, histtype="step", color=colour, linewidth=1.5, label=label)
        end = capacity(way[0])
        loads = np.linspace(20, min(600.0, 0.97 * end), 12)
        curve.plot(loads, [np.percentile(queue(r, *way), 99) for r in loads], color=colour, marker=marker, label=name)
        if end < 640:
            curve.axvline(end, color=colour, linestyle="--", linewidth=1)
    hist.set(xlabel=f"latency (ms; last bar: {top:.0f} and more)", ylabel="requests")
    curve.axvline(arrivals_per_second, color=plot.BLACK, linestyle=":")
    curve.set(xlabel="requests per second (dashed: the most that can be served)", ylabel="p99 latency (ms)")
    curve.set(yscale="log", xlim=(0, 640))
    for ax in (hist, curve):
        ax.legend(frameon=False)
    return fig
