"""The C engine of lesson 09 against an oracle in loops, and what a batch does to dynamic codes."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
import torch
import torch.nn as nn

FOLDER = Path(__file__).resolve().parent.parent / "lessons" / "09_deployment"


def helper(name: str):
    """A helper module of the lesson, loaded from where it lies."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


engine09 = helper("engine09")


def requantized(total: int, m0: int, shift: int, zero: int) -> int:
    """total * m0 / 2**(31 + shift), half away from zero, in Python's whole numbers of any size."""
    half, divisor = 2 ** (30 + shift), 2 ** (31 + shift)
    rounded = (abs(total) * m0 + half) // divisor
    return min(max((rounded if total > 0 else -rounded) + zero, 0), 255)


def slow(layers: list[dict], image: list) -> list[int]:
    """Codes of the logits of one image `[channel][row][column]`, loop by loop."""
    x = image
    for q in layers:
        height, width = len(x[0]), len(x[0][0])
        if q["kind"] == 2:
            pixels = height * width
            x = [[[(sum(map(sum, channel)) + pixels // 2) // pixels]] for channel in x]
            continue
        w, (_, out_h, out_w) = q["weight"].tolist(), q["out"]
        y = []
        for o, (bias, m0, shift) in enumerate(zip(*(q[k].tolist() for k in ("bias", "m0", "shift")), strict=True)):
            rows = []
            for r in range(out_h):
                row = []
                for c in range(out_w):
                    total = bias
                    for i, channel in enumerate(x):
                        for a in range(len(w[o][i])):
                            for b in range(len(w[o][i][a])):
                                at = r * q["stride"] + a - q["padding"], c * q["stride"] + b - q["padding"]
                                if 0 <= at[0] < height and 0 <= at[1] < width:
                                    total += (channel[at[0]][at[1]] - q["in_zero"]) * w[o][i][a][b]
                    row.append(requantized(total, m0, shift, q["out_zero"]))
                rows.append(row)
            y.append(rows)
        x = y
    return [channel[0][0] for channel in x]


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler here")
@pytest.mark.parametrize("seed", range(4))
def test_the_engine_computes_what_loops_in_whole_numbers_compute(seed):
    torch.manual_seed(seed)
    stride, padding = [(1, 0), (2, 1), (1, 1), (3, 2)][seed]
    chain = nn.Sequential(
        nn.Conv2d(1, 3, 3, stride, padding), nn.ReLU(), nn.Conv2d(3, 5, 2, 1, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4),
    ).eval()  # fmt: skip
    images = torch.randn(6, 1, 8, 8) - 0.5
    layers = engine09.integer_layers(chain, images)
    codes = engine09.image_codes(layers, 1.5 * images)  # some lie beyond the range
    blob = engine09.network_bytes(layers)
    source = f"#include <stdint.h>\nconst uint8_t network[] = {{{','.join(map(str, blob))}}};\n"
    sizes = [torch.tensor(shape).prod().item() for q in layers for shape in (q["in"], q["out"])]
    arena = max(a + b for a, b in zip(sizes[::2], sizes[1::2], strict=True))
    built = engine09.compiled(source, codes, arena, 4)
    assert built is not None
    logits, parts = built
    assert logits.tolist() == [slow(layers, image.tolist()) for image in codes]
    if parts:  # what `size` reads from the object files
        assert parts["engine"][1] >= arena and parts["network"][0] >= len(blob) and parts["network"][1] == 0


@pytest.mark.parametrize("multiplier", [0.5, 0.75, 1 - 1e-12, 1e-6, 0.1234567, 2.0**-20])
def test_a_multiplier_is_a_whole_number_and_a_shift(multiplier):
    m0, shift = engine09.fixed_point(multiplier)
    assert 2**30 <= m0 < 2**31 and shift >= 0
    assert abs(m0 * 2.0 ** -(31 + shift) / multiplier - 1) < 2**-30
