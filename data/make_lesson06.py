"""Train what lesson 06 compares and record it in data/lesson06.json (about 10 minutes on one core).

    python data/make_lesson06.py            everything
    python data/make_lesson06.py ladder     the rungs after training alone, about 3 minutes

The shipped small CNN, quantized after training (PTQ) and trained on with fake quantization (QAT): five pairs of
bit-widths; the learned steps of LSQ (Esser et al. 2020, arXiv:1902.08153) for the weights in place of the largest
absolute value; and batch norm folded before training, with live batch statistics, or left in place until the end.
"""

import copy
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bonsai import data, measure, models, train

FILE = Path(__file__).parent / "lesson06.json"
sys.path.insert(0, str(FILE.parent.parent / "lessons" / "06_quantization_aware_training"))
import lesson06  # noqa: E402

SEEDS, WIDTHS = (0, 1, 2), ((8, 8), (4, 8), (4, 4), (3, 4), (2, 4))
IMAGES, EPOCHS, LR, BATCH = 15_000, 2, 1e-3, 64
FEW, SMALL, LARGE = 6_000, 8, 64  # images and batch sizes of the runs about batch norm


class Layer(nn.Module):
    """A convolution or linear layer with the library's fake quantization; `bn` is folded with live statistics."""

    def __init__(self, layer: Any, bits_w: int, bits_a: int, lsq: bool, bn: Any = None):
        super().__init__()
        self.layer: Any = copy.deepcopy(layer)
        self.bn: Any = copy.deepcopy(bn)
        self.qmax, self.top = 2 ** (bits_w - 1) - 1, 2**bits_a - 1
        self.range: tuple[float, float] = (math.nan, math.nan)
        w = self.layer.weight.detach()
        self.step = nn.Parameter((2 * w.abs().mean() / math.sqrt(max(1, self.qmax))).reshape(1)) if lsq else None

    def input(self, x: Tensor) -> Tensor:
        if self.training:
            low, high = x.min().item(), x.max().item()
            old = (low, high) if math.isnan(self.range[0]) else self.range
            self.range = (0.9 * old[0] + 0.1 * low, 0.9 * old[1] + 0.1 * high)
        low, high = min(self.range[0], 0.0), max(self.range[1], 0.0)
        scale = (high - low) / self.top
        return torch.fake_quantize_per_tensor_affine(x, scale, round(-low / scale), 0, self.top)

    def rounded(self, w: Tensor) -> Tensor:
        if self.step is not None:
            factor = 1 / math.sqrt(w.numel() * max(1, self.qmax))
            zero = torch.zeros(1)
            return torch._fake_quantize_learnable_per_tensor_affine(
                w, self.step, zero, -self.qmax - 1, self.qmax, factor
            )
        scale = w.detach().flatten(1).abs().amax(1) / self.qmax
        zeros = torch.zeros(len(w), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(w, scale, zeros, 0, -self.qmax, self.qmax)

    def forward(self, x: Tensor) -> Tensor:
        x, layer = self.input(x), self.layer
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(x, self.rounded(layer.weight), layer.bias)
        if self.bn is None:
            return layer._conv_forward(x, self.rounded(layer.weight), layer.bias)
        mean, var = self.bn.running_mean, self.bn.running_var
        if self.training:
            y = layer._conv_forward(x, layer.weight, None)
            mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3), unbiased=False)
            with torch.no_grad():
                self.bn.running_mean.lerp_(mean, 0.1)
                self.bn.running_var.lerp_(var, 0.1)
        gain = self.bn.weight / torch.sqrt(var + self.bn.eps)
        w = layer.weight * gain.reshape(-1, 1, 1, 1)
        return layer._conv_forward(x, self.rounded(w), self.bn.bias - mean * gain)


def prepared(model: nn.Sequential, bits: tuple[int, int], how: str = "folded", lsq: bool = False) -> nn.Sequential:
    """The model with fake quantization; batch norm "folded", "live" or "kept"."""
    parts = list(copy.deepcopy(model).eval())
    layers: list[nn.Module] = []
    for i, part in enumerate(parts):
        if isinstance(part, nn.Conv2d):
            bn = parts[i + 1]
            assert isinstance(bn, nn.BatchNorm2d)
            if how == "folded":
                layers.append(Layer(fuse_conv_bn_eval(part, bn), *bits, lsq))
            else:
                layers.append(Layer(part, *bits, lsq, bn if how == "live" else None))
        elif isinstance(part, nn.Linear):
            layers.append(Layer(part, *bits, lsq))
        elif how == "kept" or not isinstance(part, nn.BatchNorm2d):
            layers.append(part)
    return nn.Sequential(*layers)


RUNGS = ("min-max", "MSE clipping", "and bias correction", "and AdaRound")


def fake(x: Tensor, low: float, high: float, bits: int) -> Tensor:
    """Activations rounded to a range that holds 0."""
    scale = (high - low) / (2**bits - 1)
    return torch.fake_quantize_per_tensor_affine(x, scale, round(-low / scale), 0, 2**bits - 1)


def activation_range(x: Tensor, bits: int, mse: bool) -> tuple[float, float]:
    """Least and largest value, or the share of them with the least mean squared error."""
    low, high = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    if not mse:
        return low, high
    shares = [i / 40 for i in range(8, 41)]
    errors = [(fake(x, low * s, high * s, bits) - x).square().mean().item() for s in shares]
    best = shares[errors.index(min(errors))]
    return low * best, high * best


def weight_scales(w: Tensor, bits: int, mse: bool) -> Tensor:
    """A scale for each output channel: of the largest weight, or with the least squared error."""
    largest = 2 ** (bits - 1) - 1
    flat = w.flatten(1)
    peaks = flat.abs().amax(1) / largest
    if not mse:
        return peaks
    tried = torch.stack([peaks * i / 40 for i in range(12, 41)])
    codes = (flat / tried[:, :, None]).round().clamp(-largest, largest)
    errors = (codes * tried[:, :, None] - flat).square().sum(2)
    return tried.gather(0, errors.argmin(0, keepdim=True))[0]


def adaround(layer: Any, x: Tensor, want: Tensor, scales: Tensor, bits: int, seed: int, steps: int = 600) -> Tensor:
    """Each weight rounded up or down so that the layer's output keeps closest (Nagel et al. 2020, arXiv:2004.10568)."""
    largest, w = 2 ** (bits - 1) - 1, layer.weight.detach()
    scale = scales.reshape(-1, *[1] * (w.dim() - 1))
    floor = (w / scale).floor()
    share = (w / scale - floor).clamp(0.01, 0.99)
    v = torch.log((share + 0.1) / (1.1 - share)).requires_grad_()  # a stretched sigmoid that begins at `share`
    optimizer = torch.optim.Adam([v], lr=1e-2)
    draw = torch.Generator().manual_seed(seed)
    apply = nn.functional.linear if isinstance(layer, nn.Linear) else layer._conv_forward
    for step in range(steps):
        some = torch.randperm(len(x), generator=draw)[:32]
        up = (torch.sigmoid(v) * 1.2 - 0.1).clamp(0, 1)
        soft = (floor + up).clamp(-largest, largest) * scale
        loss = (apply(x[some], soft, layer.bias) - want[some]).square().flatten(1).sum(1).mean()
        beta = 20 - 18 * max(0.0, (step / steps - 0.2) / 0.8)
        if step > 0.2 * steps:
            loss = loss + 0.01 * (1 - (2 * up - 1).abs().pow(beta)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (floor + (v > 0)).clamp(-largest, largest).detach() * scale


def after_training(model: nn.Sequential, images: Tensor, bits: tuple[int, int], rung: int, seed: int) -> nn.Sequential:
    """The model quantized after training, with everything up to a rung of the ladder, layer after layer."""
    parts = [copy.deepcopy(p) for p in prepared(model, bits)]
    net: list[Any] = [p.layer if isinstance(p, Layer) else p for p in parts]
    exact, rounded = images, images
    with torch.no_grad():
        for i, part in enumerate(net):
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                low, high = activation_range(rounded, bits[1], rung >= 1)
                rounded, want = fake(rounded, low, high, bits[1]), part(exact)
                scales = weight_scales(part.weight, bits[0], rung >= 1)
                if rung >= 3:
                    with torch.enable_grad():
                        part.weight.data = adaround(part, rounded, want, scales, bits[0], seed)
                else:
                    largest = 2 ** (bits[0] - 1) - 1
                    zeros = torch.zeros(len(scales), dtype=torch.int32)
                    part.weight.data = torch.fake_quantize_per_channel_affine(
                        part.weight, scales, zeros, 0, -largest, largest
                    )
                if rung >= 2:
                    other = [d for d in range(want.dim()) if d != 1]
                    part.bias += want.mean(other) - part(rounded).mean(other)
                net[i] = nn.Sequential(Rounding(low, high, bits[1]), part)
                exact, rounded = want, part(rounded)
            else:
                exact, rounded = part(exact), part(rounded)
    return nn.Sequential(*net).eval()


class Rounding(nn.Module):
    """Rounds its input to a fixed range."""

    def __init__(self, low: float, high: float, bits: int):
        super().__init__()
        self.low, self.high, self.bits = low, high, bits

    def forward(self, x: Tensor) -> Tensor:
        return fake(x, self.low, self.high, self.bits)


def ladder() -> dict[str, list[float]]:
    """What each rung gives at W3A4, three draws of 1,024 calibration images."""
    images, _ = data.load("train")
    validation = data.load("validation")
    model = models.load("small_cnn")
    assert isinstance(model, nn.Sequential)
    found: dict[str, list[float]] = {name: [] for name in RUNGS}
    for seed in SEEDS:
        chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:1024]
        for rung, name in enumerate(RUNGS):
            net = after_training(model, images[chosen], (3, 4), rung, seed)
            found[name].append(round(measure.accuracy(net, *validation), 2))
            print(seed, name, found[name][-1], flush=True)
    return found


def main() -> None:
    if sys.argv[1:] == ["ladder"]:  # alone, about 3 minutes
        made = json.loads(FILE.read_text()) | {"ladder": ladder()}
        FILE.write_text(json.dumps(made, indent=1) + "\n")
        return
    images, labels = data.load("train")
    validation = data.load("validation")
    model = models.load("small_cnn")
    assert isinstance(model, nn.Sequential)
    began = time.process_time()

    def trained(bits, seed, number, batch, epochs, how="folded", lsq=False) -> float:
        net = prepared(model, bits, how, lsq)
        chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:number]
        train.fit(net, images[chosen], labels[chosen], epochs=epochs, lr=LR, batch=batch, seed=seed, progress=False)
        return round(measure.accuracy(net, *validation), 2)

    table: dict[str, dict] = {}
    for bits in WIDTHS:
        row: dict[str, list[float]] = {"PTQ": [], "QAT": [], "QAT, LSQ": []}
        for seed in SEEDS:
            chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:1024]
            row["PTQ"].append(round(measure.accuracy(lesson06.ptq(model, images[chosen], *bits), *validation), 2))
            row["QAT"].append(trained(bits, seed, IMAGES, BATCH, EPOCHS))
            if bits[0] <= 3:
                row["QAT, LSQ"].append(trained(bits, seed, IMAGES, BATCH, EPOCHS, lsq=True))
        table[f"W{bits[0]}A{bits[1]}"] = row
        print(bits, row, round(time.process_time() - began), flush=True)
    batch_norm: dict[str, dict[str, list[float]]] = {}
    for batch in (SMALL, LARGE):
        batch_norm[str(batch)] = {
            how: [trained((3, 4), seed, FEW, batch, 1, how) for seed in SEEDS] for how in ("folded", "live", "kept")
        }
        print(batch, batch_norm[str(batch)], round(time.process_time() - began), flush=True)
    made = {
        "made_by": "data/make_lesson06.py",
        "model": "small_cnn, accuracy in percent on the 5,000 validation images",
        "seeds": SEEDS,
        "images": IMAGES,
        "epochs": EPOCHS,
        "lr": LR,
        "batch": BATCH,
        "batch_norm_images": FEW,
        "fp32": round(measure.accuracy(model, *validation), 2),
        "cpu_seconds": round(time.process_time() - began),
    }
    FILE.write_text(json.dumps({**made, "table": table, "batch_norm": batch_norm, "ladder": ladder()}, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
