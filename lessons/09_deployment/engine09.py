"""The int8 engine of lesson 09: its C source, the integers that it needs, and a compiler to try it with."""

import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

ENGINE = r"""/* An int8 engine for a chain of convolutions: no files, no malloc, no float.
 *
 * Activations are uint8 codes, [row][column][channel]; weights are int8 codes with zero point 0.
 * `network` lies in flash. Each layer is twelve 32-bit words (the enum), then for each output
 * channel three more (bias, m0, shift), then the weights [out][row][column][in].
 */
#include <stdint.h>

enum { KIND, IN_H, IN_W, IN_C, OUT_H, OUT_W, OUT_C, KERNEL, STRIDE, PADDING, IN_ZERO, OUT_ZERO, WORDS };
enum { END, CONVOLUTION, AVERAGE };

extern const uint8_t network[];
static uint8_t arena[ARENA]; /* all the RAM there is: one layer's input and output */

static int32_t word(const uint8_t *p) {
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

/* sum * m0 * 2**-(31 + shift), rounded once, half away from zero; then the zero point, then 0 to 255 */
static uint8_t requantize(int32_t sum, int32_t m0, int32_t shift, int32_t zero) {
    int64_t product = (int64_t)sum * m0;
    int64_t magnitude = product < 0 ? -product : product;
    int64_t code = (magnitude + ((int64_t)1 << (30 + shift))) >> (31 + shift);
    code = (product < 0 ? -code : code) + zero;
    return code < 0 ? 0 : code > 255 ? 255 : (uint8_t)code;
}

static int32_t dot(const uint8_t *x, const int8_t *w, int32_t n, int32_t zero) {
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (x[i] - zero) * w[i];
    return sum;
}

/* a linear layer is a convolution of one pixel */
static void convolve(const int32_t *l, const uint8_t *channels, const uint8_t *in, uint8_t *out) {
    const int8_t *weights = (const int8_t *)(channels + 12 * l[OUT_C]);
    for (int32_t y = 0; y < l[OUT_H]; y++)
        for (int32_t x = 0; x < l[OUT_W]; x++)
            for (int32_t o = 0; o < l[OUT_C]; o++) {
                const int8_t *w = weights + o * l[KERNEL] * l[KERNEL] * l[IN_C];
                const uint8_t *channel = channels + 12 * o;
                int32_t sum = word(channel);
                for (int32_t i = 0; i < l[KERNEL]; i++)
                    for (int32_t j = 0; j < l[KERNEL]; j++, w += l[IN_C]) {
                        int32_t row = y * l[STRIDE] + i - l[PADDING];
                        int32_t column = x * l[STRIDE] + j - l[PADDING];
                        if (row < 0 || row >= l[IN_H] || column < 0 || column >= l[IN_W]) continue;
                        sum += dot(in + (row * l[IN_W] + column) * l[IN_C], w, l[IN_C], l[IN_ZERO]);
                    }
                *out++ = requantize(sum, word(channel + 4), word(channel + 8), l[OUT_ZERO]);
            }
}

/* the mean of each channel over all pixels, rounded; codes keep their scale */
static void average(const int32_t *l, const uint8_t *in, uint8_t *out) {
    int32_t pixels = l[IN_H] * l[IN_W];
    for (int32_t c = 0; c < l[IN_C]; c++) {
        int32_t sum = pixels / 2;
        for (int32_t i = 0; i < pixels; i++) sum += in[i * l[IN_C] + c];
        out[c] = (uint8_t)(sum / pixels);
    }
}

uint8_t *engine_input(void) { return arena; }

/* Codes of the logits. Input and output of a layer lie at opposite ends of the arena. */
const uint8_t *engine_run(void) {
    const uint8_t *p = network;
    uint8_t *in = arena;
    while (word(p) != END) {
        int32_t l[WORDS];
        for (int32_t i = 0; i < WORDS; i++, p += 4) l[i] = word(p);
        uint8_t *out = in == arena ? arena + ARENA - l[OUT_H] * l[OUT_W] * l[OUT_C] : arena;
        if (l[KIND] == CONVOLUTION) {
            convolve(l, p, in, out);
            p += l[OUT_C] * (12 + l[KERNEL] * l[KERNEL] * l[IN_C]);
        } else
            average(l, in, out);
        in = out;
    }
    return in;
}
"""

HOST = r"""/* The PC around the engine: images from standard input, codes of the logits to standard output. */
#include <stdint.h>
#include <stdio.h>

uint8_t *engine_input(void);
const uint8_t *engine_run(void);

int main(void) {
    while (fread(engine_input(), 1, IMAGE, stdin) == IMAGE)
        if (fwrite(engine_run(), 1, CLASSES, stdout) != CLASSES) return 1;
    return 0;
}
"""


def fixed_point(multiplier: float) -> tuple[int, int]:
    """(m0, shift) of lesson 01: the multiplier is about m0 * 2**-(31 + shift), with m0 in the upper half of 31 bits."""
    shift = max(0, -math.frexp(multiplier)[1])
    return min(round(multiplier * 2.0 ** (31 + shift)), 2**31 - 1), shift


def code_range(x: Tensor) -> tuple[float, int]:
    """Scale and zero point of uint8 codes for these values and 0."""
    low, high = min(x.min().item(), 0.0), max(x.max().item(), 0.0)
    scale = (high - low) / 255
    return scale, round(-low / scale)


@torch.no_grad()
def integer_layers(chain: nn.Sequential, images: Tensor) -> list[dict[str, Any]]:
    """The integers of a chain of convolutions, ReLU, one average pooling and a linear layer.

    Args:
        chain: batch norm is folded into the convolutions.
        images: the ranges of the activations come from them.

    Returns:
        a dict for each layer with weights: int8 codes `weight` `[out, in, k, k]`, int32 `bias`, `m0`, `shift` for each
        output channel, `in_zero`, `out_zero`, `stride`, `padding`, and the shapes; and for the pooling its shapes.
    """
    layers: list[dict[str, Any]] = []
    x = images
    scale, zero = code_range(x)
    first = {"scale": scale, "zero": zero}
    for layer, after in zip(chain, [*list(chain)[1:], None], strict=True):
        y = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            relu = isinstance(after, nn.ReLU)
            out_scale, out_zero = code_range(y.relu() if relu else y)
            weight = layer.weight.reshape(*layer.weight.shape[:2], *layer.weight.shape[2:] or (1, 1))
            step = weight.abs().amax((1, 2, 3)) / 127
            assert layer.bias is not None
            pairs = [fixed_point(m) for m in (scale * step / out_scale).tolist()]
            stride, padding = (layer.stride[0], int(layer.padding[0])) if isinstance(layer, nn.Conv2d) else (1, 0)
            shapes = [(*t.shape[1:], 1, 1)[:3] for t in (x, y)]
            layers.append({
                "kind": 1,
                "weight": torch.round(weight / step.reshape(-1, 1, 1, 1)).to(torch.int8),
                "bias": torch.round(layer.bias / (scale * step)).long(),
                "m0": torch.tensor([m0 for m0, _ in pairs]),
                "shift": torch.tensor([shift for _, shift in pairs]),
                "stride": stride,
                "padding": padding,
                "in_zero": zero,
                "out_zero": out_zero,
                "in": shapes[0],
                "out": shapes[1],
            })  # fmt: skip
            scale, zero = out_scale, out_zero
        elif isinstance(layer, nn.AdaptiveAvgPool2d):
            layers.append({"kind": 2, "in": tuple(x.shape[1:]), "out": tuple(y.shape[1:])})
        x = y
    layers[0] |= {"in_scale": first["scale"]}
    return layers


def image_codes(layers: list[dict[str, Any]], images: Tensor) -> Tensor:
    """uint8 codes of the images, as the first layer expects them."""
    return torch.clamp(torch.round(images / layers[0]["in_scale"]) + layers[0]["in_zero"], 0, 255).to(torch.uint8)


def network_bytes(layers: list[dict[str, Any]]) -> bytes:
    """What the engine reads from flash, little endian: words, then bias, m0 and shift, then weights, for each layer."""
    blob = b""
    for q in layers:
        (in_c, in_h, in_w), (out_c, out_h, out_w) = q["in"], q["out"]
        kernel = q["weight"].shape[-1] if q["kind"] == 1 else 0
        words = [q["kind"], in_h, in_w, in_c, out_h, out_w, out_c, kernel]
        words += [q.get(name, 0) for name in ("stride", "padding", "in_zero", "out_zero")]
        blob += np.array(words, dtype="<i4").tobytes()
        if q["kind"] == 1:
            blob += torch.stack([q["bias"], q["m0"], q["shift"]], 1).numpy().astype("<i4").tobytes()
            blob += q["weight"].permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    return blob + bytes(4)


def compiled(source: str, codes: Tensor, arena: int, classes: int) -> tuple[Tensor, dict[str, tuple[int, int]]] | None:
    """The engine and a network, compiled and run on images.

    Args:
        source: C source of the array `network`.
        codes: uint8 `[N, 1, H, W]`, one channel.
        arena: bytes of RAM for activations.

    Returns:
        codes of the logits, uint8 `[N, classes]`, and for the object files "engine" and "network" the bytes of flash
        (code and constants) and of RAM, as `size` reads them, empty where it cannot; None where there is no compiler.
    """
    compiler = shutil.which("cc")
    if not compiler:
        return None
    texts = {"engine": ENGINE, "network": source, "host": HOST}
    values = [f"-DARENA={arena}", f"-DIMAGE={codes[0].numel()}", f"-DCLASSES={classes}"]
    options = ["-std=c99", "-O2", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror", *values]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, f"{name}.c").write_text(text)
            subprocess.run([compiler, *options, "-c", f"{name}.c", "-o", f"{name}.o"], cwd=folder, check=True)
        subprocess.run([compiler, *(f"{name}.o" for name in texts), "-o", "engine"], cwd=folder, check=True)
        sizes = {name: _sections(Path(folder, f"{name}.o")) for name in ("engine", "network")}
        program, images = str(Path(folder, "engine")), codes.numpy().tobytes()
        done = subprocess.run([program], input=images, capture_output=True, check=True)
    logits = torch.from_numpy(np.frombuffer(done.stdout, dtype=np.uint8).copy()).reshape(len(codes), classes)
    return logits, {name: found for name, found in sizes.items() if found}


def _sections(path: Path) -> tuple[int, int] | None:
    """Flash (text and data) and RAM (data and bss) of an object file; None where `size` is missing or says it in
    another way than GNU's."""
    tool = shutil.which("size")
    lines = subprocess.run([tool, str(path)], capture_output=True, text=True).stdout.splitlines() if tool else []
    if len(lines) != 2 or lines[0].split()[:3] != ["text", "data", "bss"]:
        return None
    text, data, bss = map(int, lines[1].split()[:3])
    return text + data, data + bss
