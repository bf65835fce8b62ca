"""Train what lesson 06 compares and record it in data/lesson06.json (about 7 minutes on one core).

    python data/make_lesson06.py

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


def main() -> None:
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
    FILE.write_text(json.dumps({**made, "table": table, "batch_norm": batch_norm}, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
