"""What lesson 11's text calls: small experiments. Beside it `pictures11`; `tracks11` holds the rules."""

import copy
import zlib
from collections.abc import Callable

import torch
import torch.nn as nn
from decide11 import advise, show_scenarios, success_checklist  # noqa: F401
from onnx11 import (  # noqa: F401
    activations_of,
    inspect_onnx,
    int8_kernels,
    logits_of,
    onnx_of,
    race,
    ratio_quartiles,
    session,
)
from results11 import (  # noqa: F401
    load_results,
    show_briefs,
    show_claims,
    show_levels,
    show_runs,
    show_table,
    show_text_table,
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
from training11 import distil, round_through, small_chain, soft_loss, teacher_answers, tune  # noqa: F401

from bonsai import data, measure


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
            f"{FLOORS[name]:g} beside {'small_cnn' if name == 'micro' else 'resnet8'}{more}"
        )


# Pictures ------------------------------------------------------------------------------------------------------------


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
