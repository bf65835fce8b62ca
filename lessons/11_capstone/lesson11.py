"""What lesson 11's text calls: tables, pictures, and small experiments. The rules are in tracks11."""

import copy
import math
import zlib
from collections.abc import Callable

import torch
import torch.nn as nn
from decide11 import (  # noqa: F401
    advise,
    load_results,
    show_briefs,
    show_claims,
    show_levels,
    show_runs,
    show_scenarios,
    show_table,
    show_text_table,
    success_checklist,
)
from matplotlib.figure import Figure
from onnx11 import (  # noqa: F401
    inspect_onnx,
    int8_kernels,
    logits_of,
    onnx_of,
    race,
    ratio_quartiles,
    session,
)
from torch import Tensor
from tracks11 import (  # noqa: F401
    CODE_LIMIT,
    FLOORS,
    TRACKS,
    WORST_CLASS,
    build,
    check_chain,
    check_container,
    code_bytes,
    engine,
    memory,
    track_score,
)
from training11 import distil, round_through, small_chain, soft_loss, teacher_answers  # noqa: F401

from bonsai import data, measure, models, plot


@torch.no_grad()
def answers_of(net: nn.Module, images: Tensor) -> Tensor:
    """The class that a network gives each image."""
    return torch.cat([net(x).argmax(1) for x in images.split(500)])


def recall(given: Tensor, labels: Tensor) -> list[float]:
    """Percent of each class's images that are right."""
    return [100 * (given[labels == c] == c).double().mean().item() for c in range(10)]


def show_tracks() -> None:
    """Metric, floors and levels of the three tracks."""
    metric = {"size": "bytes, decoder included", "micro": "fuller of flash / 64 kB and RAM / 20 kB"}
    metric["latency"] = "time of 64 images / the baseline's"
    print(
        f"{'track':8} {'metric':40} {'baseline':>9} {'pass':>8} {'good':>8} {'excellent':>9}   points that may be lost"
    )
    for name, (baseline, levels) in TRACKS.items():
        shown = [f"{v:,.0f}" if v > 100 else f"{v:.3g}" for v in (baseline, *levels)]
        more = f"; worst class {WORST_CLASS:g}" if name == "size" else ""
        print(
            f"{name:8} {metric[name]:40} {shown[0]:>9} {shown[1]:>8} {shown[2]:>8} {shown[3]:>9}   "
            f"{FLOORS[name]:g}{more}"
        )


# Pictures ------------------------------------------------------------------------------------------------------------


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
    ticks = [20_000, 50_000, 100_000, 200_000, 500_000]
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


def chain_memory(net: nn.Sequential, pixels: int = 28) -> tuple[int, int]:
    """Bytes of flash and RAM that a chain would take as int8."""
    blocks = [m for m in net if isinstance(m, (nn.Conv2d, nn.Linear))]
    flash = sum(m.weight.numel() + 8 * len(m.weight) + 5 for m in blocks)
    return flash, max(layer_memory(net, pixels))


def layer_memory(net: nn.Sequential, pixels: int = 28) -> list[int]:
    """Bytes of input and output of each convolution as int8."""
    found, held = [], pixels * pixels
    for layer in (m for m in net if isinstance(m, nn.Conv2d)):
        pixels = (pixels - 1) // layer.stride[0] + 1
        made = layer.out_channels * pixels * pixels
        found.append(held + made)
        held = made
    return found


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


# Small experiments ---------------------------------------------------------------------------------------------------


def show_calibration(net: nn.Sequential, to_int8: Callable, train: tuple, some: tuple) -> None:
    """int8 accuracy with ranges from mixed garments, from trousers alone, and from pixels that were not normalised."""
    images, labels = train
    trousers = images[labels == 1][:250]
    chosen = {"250 garments of all kinds": images[:250], "250 trousers": trousers}
    chosen["250 garments, pixels of 0 to 1"] = images[:250] * data.STD + data.MEAN
    for name, x in chosen.items():
        chain = to_int8(net, [(x, torch.zeros(len(x)).long())])
        print(f"{name:32} {measure.accuracy(build(chain), *some):6.2f} % of {len(some[1]):,} validation images")


def rounded(net: nn.Module, names: set[str], step: float) -> nn.Module:
    """A copy whose weights of these names are rounded to `step` standard deviations of their filter."""
    made = copy.deepcopy(net)
    with torch.no_grad():
        for name, p in made.named_parameters():
            if name in names:
                size = step * p.flatten(1).std(1).view(-1, *[1] * (p.dim() - 1))
                p.copy_((p / size).round() * size)
    return made


def show_sensitivity(net: nn.Module, images: Tensor, labels: Tensor, step: float = 0.5) -> None:
    """Accuracy when one layer at a time is rounded."""
    whole = measure.accuracy(net, images, labels)
    for name, p in net.named_parameters():
        if p.dim() > 1:
            change = measure.accuracy(rounded(net, {name}, step), images, labels) - whole
            print(f"{name.removesuffix('.weight'):20} {p.numel():7,} weights {change:+6.2f} points")


def show_zeros(net: nn.Module, images: Tensor) -> None:
    """Half of the weights set to zero: multiplications that count, the packed file, and the clock."""
    made = copy.deepcopy(net)
    with torch.no_grad():
        for p in made.parameters():
            if p.dim() == 4:
                p.mul_(p.abs() > p.abs().flatten().median())
    kept = sum((p != 0).sum().item() for p in made.parameters() if p.dim() == 4)
    total = sum(p.numel() for p in made.parameters() if p.dim() == 4)
    packed = [
        len(zlib.compress(b"".join(p.detach().numpy().tobytes() for p in n.parameters()), 9)) for n in (net, made)
    ]
    seconds = race({"dense": onnx_of(net), "half zero": onnx_of(made)}, images)
    low, middle, high = ratio_quartiles(seconds, "dense", "half zero")
    print(
        f"weights that are not zero: {100 * kept / total:.0f} %; "
        f"the file after zlib: {packed[0]:,} → {packed[1]:,} bytes"
    )
    verdict = "faster" if low > 1.05 else "slower" if high < 0.95 else "no difference that the clock can see"
    print(f"speed {middle:.2f} (quartiles {low:.2f} to {high:.2f}): {verdict}")


def show_noise(file: bytes, images: Tensor) -> None:
    """A file raced against itself."""
    low, middle, high = ratio_quartiles(race({"a": file, "b": file}, images), "a", "b")
    print(f"the same file twice: ratio {middle:.3f}, quartiles {low:.3f} to {high:.3f}")


def show_ablation(net: nn.Module, train: tuple, images: Tensor, labels: Tensor, step: float = 0.55) -> None:
    """Rounding with one step a filter or one a tensor, with and without BatchNorm measured again."""
    names = {n for n, p in net.named_parameters() if p.dim() == 4}
    print(f"{'as it is':44} {measure.accuracy(net, images, labels):6.2f} %")
    for per_filter in (True, False):
        for again in (True, False):
            made = rounded(net, names, step) if per_filter else _rounded_by_tensor(net, names, step)
            if again:
                _measure_again(made, train[0][:2000])
            norm = "measured again" if again else "as it was"
            text = f"one step a {'filter' if per_filter else 'tensor'}, BatchNorm {norm}"
            print(f"{text:44} {measure.accuracy(made, images, labels):6.2f} %")


def _rounded_by_tensor(net: nn.Module, names: set[str], step: float) -> nn.Module:
    made = copy.deepcopy(net)
    with torch.no_grad():
        for name, p in made.named_parameters():
            if name in names:
                p.copy_((p / (step * p.std())).round() * step * p.std())
    return made


@torch.no_grad()
def _measure_again(net: nn.Module, images: Tensor) -> None:
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    for x in images.split(250):
        net(x)
    net.eval()


def show_shifts(nets: dict[str, nn.Module], images: Tensor, labels: Tensor) -> None:
    """Accuracy on images as they are, darker, moved by two pixels, and noisy."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    views = {"as they are": images, "darker by a third": (images + data.MEAN / data.STD) * 2 / 3 - data.MEAN / data.STD}
    views |= {"moved by two pixels": images.roll(2, -1), "noise of half a deviation": images + 0.5 * noise}
    print(f"{'images':28}" + "".join(f"{name:>14}" for name in nets) + "    change")
    for name, x in views.items():
        found = [measure.accuracy(net, x, labels) for net in nets.values()]
        print(f"{name:28}" + "".join(f"{a:12.2f} %" for a in found) + f"  {found[-1] - found[0]:+8.2f}")
