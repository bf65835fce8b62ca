"""The pictures of lesson 08."""

from collections.abc import Callable

import torch
from lesson08 import METHODS, linears, points
from matplotlib.figure import Figure
from torch import Tensor, nn

from bonsai import plot

CARDS_GB = (8, 16, 24, 48, 80)


def draw_channels(x: Tensor, w: Tensor, recorded: dict) -> Figure:
    """Largest magnitude by channel, sorted, over that of the median channel: here and in SmolLM2."""
    fig, axes = plot.figure(2)
    here = [t.detach().abs().amax(0).sort(descending=True).values for t in (x, w)]
    there = [torch.tensor(v) for v in recorded["smollm2"]["channels"]["sorted"]]
    for ax, pair, title in (
        (axes[0], here, "small_decoder, block 2"),
        (axes[1], there, "SmolLM2, block 15 (recorded)"),
    ):
        for values, colour, style, name in zip(
            pair, (plot.BLUE, plot.ORANGE), ("-", "--"), ("inputs", "weights"), strict=False
        ):
            ax.plot(
                100 * torch.arange(len(values)) / len(values), values / values.median(), style, color=colour, label=name
            )
        ax.set(
            xlabel="channels, largest first (%)",
            ylabel="largest magnitude / median channel",
            title=title,
            yscale="log",
            ylim=(0.2, 60),
        )
        ax.legend(frameon=False)
    return fig


def draw_hessian(h: Tensor) -> Figure:
    """H with its diagonal scaled to 1."""
    fig, (ax,) = plot.figure(1, 4.6, 3.8)
    size = h.diagonal().sqrt()
    picture = ax.imshow(h / torch.outer(size, size), cmap="PuOr", vmin=-0.6, vmax=0.6)
    fig.colorbar(picture, label="H scaled to a diagonal of 1", extend="both")
    ax.set(xlabel="input channel", ylabel="input channel")
    return fig


def draw_columns(w: Tensor, h: Tensor, rounded: dict[str, Tensor]) -> Figure:
    """Output error after each column, and how far weights have moved."""
    fig, axes = plot.figure(2)
    step = torch.cat([part.abs().amax(1, keepdim=True).expand_as(part) / 3 for part in w.split(64, 1)], 1)
    for (name, w_hat), colour, style in zip(rounded.items(), plot.PALETTE, ("--", "-"), strict=False):
        e = w_hat - w
        grown = [((e[:, :i] @ h[:i, :i]) * e[:, :i]).sum().item() for i in range(1, w.shape[1] + 1)]
        axes[0].plot(range(1, w.shape[1] + 1), grown, style, color=colour, label=name)
        axes[1].hist(
            (e / step).flatten().tolist(),
            bins=80,
            range=(-1.5, 1.5),
            histtype="step",
            ls=style,
            color=colour,
            label=name,
        )
    axes[0].set(xlabel="columns rounded so far", ylabel="squared error of their outputs")
    axes[1].set(xlabel="move of a weight (steps of its group)", ylabel="weights", yscale="log")
    for ax in axes:
        ax.legend(frameon=False)
    return fig


def draw_bits(table: dict, title: str) -> Figure:
    """Rise of the perplexity over bits a weight."""
    fig, (ax,) = plot.figure(1, 6.4)
    for method, colour, marker in zip(METHODS, plot.PALETTE, plot.MARKERS, strict=False):
        rows = points(table, method)
        x, y = [b + 16 / g for b, g, _ in rows], [r["rise"] for _, _, r in rows]
        ax.plot(x, y, color=colour, marker=marker, ls="-" if len(rows) > 2 else "", label=method)
    ax.set(xlabel="bits a weight, scales included", ylabel="rise of the perplexity (%)", yscale="log", title=title)
    ax.legend(frameon=False)
    return fig


def draw_choice(table: dict, bits: str, group: str, method: str) -> Figure:
    """All settings, and the chosen one."""
    fig, (ax,) = plot.figure(1, 6.4)
    for name, colour, marker in zip(METHODS, plot.PALETTE, plot.MARKERS, strict=False):
        rows = points(table, name)
        ax.scatter(
            [r["bytes"] / 1000 for *_, r in rows],
            [max(r["rise"], 1e-3) for *_, r in rows],
            s=30,
            c=colour,
            marker=marker,
            label=name,
        )
    row = table.get(method, {}).get(f"{bits},{group}")
    text = "not recorded" if row is None else f"{row['rise']:+.2f} %, {row['bytes']:,} bytes"
    if row:
        ax.scatter([row["bytes"] / 1000], [max(row["rise"], 1e-3)], 160, facecolors="none", edgecolors=plot.BLACK)
    ax.set(
        xlabel="file (kB)",
        ylabel="rise of the perplexity (%)",
        yscale="log",
        title=f"{method}, {bits} bits, groups of {group}: {text}",
    )
    ax.legend(frameon=False)
    return fig


def draw_nf4(levels: Tensor, model: nn.Module) -> Figure:
    """Weights in units of their group's maximum, and two sets of levels."""
    fig, (ax,) = plot.figure(1, 6.4)
    parts = [w.weight.detach().unflatten(1, (-1, 64)) for w in linears(model).values()]
    ax.hist(
        torch.cat([(p / p.abs().amax(-1, keepdim=True)).flatten() for p in parts]).numpy(),
        101,
        color=plot.SKY,
        density=True,
    )
    for values, y, colour, name in (
        (torch.linspace(-1, 1, 15), -0.06, plot.ORANGE, "int4, symmetric"),
        (levels, -0.16, plot.BLUE, "NF4"),
    ):
        ax.plot(values, [y] * len(values), "|", color=colour, ms=9, mew=2, label=name)
    ax.set(xlabel="weight / largest magnitude of its group", ylabel="density")
    ax.legend(frameon=False)
    return fig


def draw_memory(memory_gb: Callable, billions: int, bits: float, context_k: int, batch: int, cache_bits: int) -> Figure:
    """Does it fit? Layers grow with the size as in common models."""
    layers = round(80 * (billions / 70) ** 0.4)
    need = memory_gb(billions * 1e9, bits, 64, layers, 8, 128, 1024 * context_k, batch, cache_bits)
    fig, (ax,) = plot.figure(1, 7.5, 2.3)
    ax.barh([0], [need["weights"]], color=plot.BLUE, label=f"weights {need['weights']:.1f} GB")
    ax.barh(
        [0],
        [need["kv_cache"]],
        left=[need["weights"]],
        color=plot.ORANGE,
        hatch="//",
        label=f"KV cache {need['kv_cache']:.1f} GB",
    )
    for size in CARDS_GB:
        ax.axvline(size, ymax=0.55, color=plot.BLACK, ls="-" if need["total"] <= size else ":")
        ax.text(size, 0.55, f"{size} GB", ha="center")
    fits = [f"{size} GB" for size in CARDS_GB if need["total"] <= size]
    verdict = f"{need['total']:.1f} in all, fits into {', '.join(fits) or 'none of them'}"
    ax.set(xlabel=f"GB; {verdict} ({layers} layers, 8 heads of 128)", yticks=[], ylim=(-0.5, 1.3))
    ax.legend(frameon=False, ncols=2, loc="upper center")
    return fig


def draw_roofline(limits: dict) -> Figure:
    """GFLOP/s over operations per byte of weights."""
    fig, (ax,) = plot.figure(1, 6.4)
    x = torch.logspace(-1, 3, 100)
    for factor, style, name in ((1, "-", "FP32"), (32 / 4.25, ":", "4-bit weights")):
        ax.plot(x, (x * factor * limits["gb_s"]).clamp(max=limits["gflop_s"]), style, color=plot.BLUE, label=name)
    for (tokens, seconds), marker in zip(limits["layer"].items(), plot.MARKERS, strict=False):
        ax.plot(
            tokens / 2,
            2 * tokens * limits["weights"] / seconds / 1e9,
            marker,
            color=plot.RED,
            label=f"{tokens} token{'s' * (tokens > 1)}",
        )
    ax.set(xlabel="operations per byte of an FP32 weight", ylabel="GFLOP/s", xscale="log", yscale="log")
    ax.legend(frameon=False)
    return fig


def draw_speed(made: dict) -> Figure:
    """Recorded tokens a second over bits a weight, and the ratio to FP32 in both phases."""
    fig, axes = plot.figure(2)
    formats = made["formats"]
    for (name, row), marker in zip(formats.items(), plot.MARKERS, strict=False):
        place = row["bits"], row["decode"]["tokens_a_second"]
        axes[0].plot(*place, marker, color=plot.BLUE)
        beside = (6, -2) if row["bits"] >= 8 else (-4, -13)
        axes[0].annotate(name, place, beside, textcoords="offset points", fontsize=8)
    bound = sorted((row["bits"], 1e9 * made["copy_gb_s"] / row["bytes_a_token"]) for row in formats.values())
    axes[0].plot(*zip(*bound, strict=True), ":", color=plot.BLACK, label="the copy's bytes a second / bytes a token")
    axes[0].set(xlabel="bits a weight", ylabel="tokens a second, decode", xscale="log", yscale="log", xlim=(3.8, 50))
    axes[0].set(xticks=(4, 8, 16, 32), xticklabels=("4", "8", "16", "32"), ylim=(4, 130))
    axes[0].set(yticks=(5, 10, 20, 50, 100), yticklabels=("5", "10", "20", "50", "100"))
    axes[0].minorticks_off()
    axes[0].legend(frameon=False, loc="upper right")
    for phase, shift, colour, hatch in (("decode", -0.2, plot.BLUE, ""), ("prefill", 0.2, plot.ORANGE, "//")):
        places = [i + shift for i in range(len(formats))]
        heights = [row[phase]["ratio"] for row in formats.values()]
        axes[1].barh(places, heights, 0.38, color=colour, hatch=hatch, label=phase)
    axes[1].axvline(1, color=plot.BLACK, ls=":")
    axes[1].set(yticks=range(len(formats)), yticklabels=formats, xlabel="times as fast as FP32")
    axes[1].invert_yaxis()
    axes[1].legend(frameon=False)
    return fig


def draw_smollm2(made: dict) -> Figure:
    """Rise of the perplexity by method, and questions answered over bits."""
    fig, axes = plot.figure(2)
    names = ("RTN", "AWQ", "GPTQ")
    for bits, shift, colour, hatch in ((4, -0.2, plot.BLUE, ""), (3, 0.2, plot.ORANGE, "//")):
        heights = [made["table"][f"{name} {bits} 64"]["rise"]["novel"] for name in names]
        bars = axes[0].bar(
            [i + shift for i in range(3)], heights, 0.38, color=colour, hatch=hatch, label=f"{bits} bits"
        )
        axes[0].bar_label(bars, [f"{h:.0f}" for h in heights], fontsize=8)
    axes[0].set(xticks=range(3), xticklabels=names, ylabel="rise of the perplexity (%)", yscale="log")
    axes[0].set(title="SmolLM2, the novel, groups of 64", ylim=(20, 3000))
    axes[0].legend(frameon=False)
    labels = {"float": "float", "AWQ 4 64": "AWQ\n4 bits", "AWQ 3 64": "AWQ\n3 bits", "RTN 2 64": "RTN\n2 bits"}
    order = [name for name in labels if name in made["ability"]]
    for kind, colour, marker in zip(made["questions"], plot.PALETTE, plot.MARKERS, strict=False):
        share = [100 * made["ability"][name][kind] / made["questions"][kind] for name in order]
        axes[1].plot(range(len(order)), share, color=colour, marker=marker, label=kind)
    axes[1].axhline(25, color=plot.BLACK, ls=":", label="guessing among four")
    axes[1].set(xticks=range(len(order)), xticklabels=[labels[n] for n in order], ylabel="answered (%)", ylim=(-3, 140))
    axes[1].set(yticks=range(0, 101, 20))
    axes[1].legend(frameon=False, ncols=2, loc="upper right")
    return fig
