"""Pictures of lesson 07, the shipped networks between two stages, and an adaptive range coder."""

import io
import json
import logging
import math
from pathlib import Path

import torch
import torch.nn as nn
from matplotlib.figure import Figure
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models, plot

DATA = models.CHECKPOINTS.parent
logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)  # torchao, imported, warns of its own code

# What was made once ---------------------------------------------------------------------------------------------------


def results() -> dict:
    """What `data/make_lesson07.py` recorded in `data/lesson07.json`."""
    return json.loads((DATA / "lesson07.json").read_text())


def shipped(name: str, stage: str, file: Path = models.CHECKPOINTS / "lesson07.safetensors") -> nn.Module:
    """LeNet-300-100 or LeNet-5 as `data/make_lesson07.py` made it: `"pruned"`, or `"clustered"` as well.

    The file holds, for each weight, a bitmap, the kept values, and codebook and indices of the clustered ones.
    """
    parts, model = load_file(file), models.MODELS[name]()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(parts[f"{name}.{key}.{stage}"])
                continue
            bits = parts[f"{name}.{key}.mask"].unsqueeze(1) >> torch.arange(8) & 1
            mask = bits.flatten()[: p.numel()].bool().reshape(p.shape)
            kept = parts[f"{name}.{key}.kept"]
            if stage == "clustered":
                kept = parts[f"{name}.{key}.codebook"][parts[f"{name}.{key}.indices"].long()]
            p.zero_()[mask] = kept
    return model.eval()


def saved(model: nn.Module) -> bytes:
    """The file that `torch.save` writes for a model's state."""
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


# Pictures -------------------------------------------------------------------------------------------------------------


def draw_codebooks(values: Tensor, codebooks: dict[str, Tensor]) -> Figure:
    """A histogram of values, and below it the entries of each codebook."""
    fig, (ax,) = plot.figure(1, 7.2, 3.4)
    heights, _, _ = ax.hist(values.tolist(), bins=120, color=plot.SKY)
    for row, (name, codebook) in enumerate(codebooks.items(), 1):
        y = -0.12 * row * max(heights)
        ax.plot(codebook.tolist(), [y] * len(codebook), plot.MARKERS[row], color=plot.PALETTE[row + 1], label=name)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set(xlabel="weight", ylabel="number of weights", yticks=[t for t in ax.get_yticks() if t >= 0])
    ax.legend(frameon=False, title="start")
    return fig


def draw_lengths(codes: dict[str, tuple[list[int], list[int]]]) -> Figure:
    """Lengths of codes beside log2(1/p)."""
    fig, axes = plot.figure(len(codes), 4.6, 3.2)
    for ax, (title, (counts, lengths)) in zip(axes, codes.items(), strict=True):
        ideal = [math.log2(sum(counts) / c) for c in counts]
        ax.bar([str(c) for c in counts], lengths, color=plot.SKY, label="Huffman")
        ax.plot(range(len(counts)), ideal, plot.MARKERS[3], color=plot.RED, label="log2(1/p)")
        ax.set(xlabel="how often the symbol comes", ylabel="bits", title=title)
        ax.legend(frameon=False)
    return fig


def draw_gaps(bits: list[int], sizes: dict[str, list[float]]) -> Figure:
    """Bytes for gaps and values over the bits of a gap, for each way to write them."""
    fig, (ax,) = plot.figure(1, 6.4, 3.4)
    plot.lines(ax, bits, sizes, "bits of a gap", "bytes for gaps and values")
    ax.set_ylim(0, 2 * min(sizes["fixed width"]))
    return fig


def draw_waterfall(stages: dict[str, dict[str, int]], ideal: dict[str, dict[str, float]]) -> Figure:
    """Bytes after each stage, and the shares of what an ideal code would write."""
    fig, (left, right) = plot.figure(2, 5.6, 3.6)
    for number, (title, sizes) in enumerate(stages.items()):
        values = list(sizes.values())
        left.plot(values, plot.MARKERS[number], color=plot.PALETTE[number], label=title)
        for place, size in enumerate(values):
            up = size == max(other[list(sizes)[place]] for other in stages.values())
            text = f"{size / 1000:,.0f}k"
            left.annotate(text, (place, size), (0, 7 if up else -15), textcoords="offset points", ha="center")
    left.set(yscale="log", ylabel="bytes of the file", xlabel="stage", xlim=(-0.5, len(sizes) - 0.5))
    left.set_xticks(range(len(sizes)), list(sizes))
    every = [size for one in stages.values() for size in one.values()]
    left.set_ylim(min(every) / 2, 2 * max(every))
    left.legend(frameon=False)
    below = [0.0] * len(ideal)
    for number, part in enumerate(next(iter(ideal.values()))):
        shares = [100 * parts[part] / sum(parts.values()) for parts in ideal.values()]
        right.barh(list(ideal), shares, 0.5, left=below, color=plot.PALETTE[number + 1], label=part)
        below = [a + b for a, b in zip(below, shares, strict=True)]
    right.set(xlabel="share of the ideal size, %", ylim=(-0.6, 2.2))
    right.legend(frameon=False, ncols=4, fontsize=8, loc="upper center")
    return fig


def draw_order(rows: list[dict], least: float = 80) -> Figure:
    """Accuracy of each seed for each order, one picture for each setting; what lies below `least` is said in words."""
    settings = sorted({(row["sparsity"], row["bits"]) for row in rows})
    fig, axes = plot.figure(len(settings), 5.6, 2.8)
    for ax, (sparsity, bits) in zip(axes, settings, strict=True):
        chosen = [row for row in rows if (row["sparsity"], row["bits"]) == (sparsity, bits)][::-1]
        for y, row in enumerate(chosen):
            found = list(row["accuracy"].values())
            mean = sum(found) / len(found)
            if max(found) < least:
                ax.text(least + 0.1, y, f"◂ mean {mean:.1f} %", color=plot.RED, va="center")
                continue
            ax.plot(found, [y] * len(found), "o", color=plot.BLUE, alpha=0.6)
            ax.plot(mean, y, "|", color=plot.RED, markersize=18)
        ax.set_yticks(range(len(chosen)), [row["order"] for row in chosen] if ax is axes[0] else [""] * len(chosen))
        ax.set(xlabel="validation accuracy, %", title=f"{100 * sparsity:.0f} % pruned, {bits} bits")
        ax.set(xlim=(least, 90), ylim=(-0.5, len(chosen) - 0.5))
    return fig


def draw_trade(sparsity: str, bits: int) -> Figure:
    """The recorded table of sparsity and bits; one point is marked."""
    rows, dense = results()["table"], results()["lenet_300_100"]["dense"][0]
    fig, (ax,) = plot.figure(1, 7.2, 4)
    for number in sorted({row["bits"] for row in rows}):
        line = [row for row in rows if row["bits"] == number]
        style: dict = {
            "color": plot.PALETTE[number],
            "marker": plot.MARKERS[number],
            "alpha": 1 if number == bits else 0.35,
        }
        name = f"{number} bit{'s' * (number > 1)}"
        ax.plot([r["bytes"] for r in line], [r["accuracy"] for r in line], label=name, **style)
    share = float(sparsity.split()[0]) / 100
    here = next(r for r in rows if r["bits"] == bits and abs(r["sparsity"] - share) < 1e-9)
    ax.plot(here["bytes"], here["accuracy"], "o", markersize=14, fillstyle="none", color=plot.BLACK)
    ax.axhline(dense - 1, color="0.6", linestyle="--", linewidth=0.8)
    ax.annotate("1 point below dense", (min(r["bytes"] for r in rows), dense - 1), va="bottom", fontsize=8, color="0.4")
    ratio = (models.CHECKPOINTS / "lenet_300_100.safetensors").stat().st_size / here["bytes"]
    text = (
        f"{sparsity} pruned, {bits} bits: {here['bytes']:,} bytes, {ratio:.0f} times smaller, {here['accuracy']:.2f} %"
    )
    ax.set(xscale="log", xlabel="bytes of the file", ylabel="validation accuracy, %", title=text)
    ax.set_ylim(76, 91)
    ax.legend(frameon=False)
    return fig


# Beyond Huffman: an adaptive binary range coder (Martin 1979; LZMA) ------------------------------------------------


class RangeCoder:
    """Writes bits at -log2(p) bits each, p from what came before in the same context; or reads them back.

    `bit(context, bit)` writes; made from a blob, `bit(context)` reads. Both keep the same counts, so nothing but the
    bits themselves is in the file.
    """

    def __init__(self, blob: bytes | None = None):
        self.low, self.range, self.out = 0, 2**32 - 1, bytearray()
        self.blob, self.at = blob, 4
        self.code = int.from_bytes(blob[:4].ljust(4, b"\0"), "big") if blob is not None else 0
        self.counts: dict[object, list[int]] = {}

    def bit(self, context: object, bit: int = 0) -> int:
        counts = self.counts.setdefault(context, [1, 2])  # ones and all, as if one of each had come already
        ones, total = counts
        part = self.range * ones // total  # the lower part of the interval stands for 1
        part = min(max(part, 1), self.range - 1)
        if self.blob is not None:
            bit = int(self.code - self.low < part)
        if bit:
            self.range = part
            counts[0] = ones + 2
        else:
            self.low += part
            self.range -= part
        counts[1] = total + 2
        while self.range < 2**24:
            self._shift()
        return bit

    def _shift(self) -> None:
        """One byte leaves the interval at its upper end; a carry runs back through the bytes that have left."""
        if self.blob is None:
            self._carry()
            self.out.append(self.low >> 24 & 255)
        else:
            following = self.blob[self.at] if self.at < len(self.blob) else 0
            self.at += 1
            self.code = (self.code << 8 | following) - ((self.low >> 24) << 32)
        self.low = (self.low & (2**24 - 1)) << 8
        self.range <<= 8

    def _carry(self) -> None:
        if self.low >= 2**32:
            self.low -= 2**32
            at = len(self.out) - 1
            while self.out[at] == 255:
                self.out[at] = 0
                at -= 1
            self.out[at] += 1

    def finish(self) -> bytes:
        """The bytes; zeros at the end need not be stored."""
        self._carry()
        self.out += self.low.to_bytes(4, "big")
        return bytes(self.out).rstrip(b"\0")


def walk(coder: RangeCoder, layer: int, symbols: Tensor | None, shape: tuple[int, ...], width: int) -> Tensor:
    """Codes a weight's symbols (0 = pruned, else 1 .. 2**width - 1), or reads them, one place after the other.

    Whether a weight is kept depends on two things that the reader knows as well: how far the last kept weight lies
    back, and how many have been kept in this column so far. The value then follows bit by bit.
    """
    columns = shape[1] * (shape[2] * shape[3] if len(shape) > 2 else 1)
    given = symbols.flatten().tolist() if symbols is not None else None
    found, kept, since = [], [0] * columns, 0
    for place in range(shape[0] * columns):
        row, column = divmod(place, columns)
        share = int(2 * math.log2((kept[column] + 0.3) / (row + 10))) // 2
        near = since if since < 4 else 4 + since.bit_length()
        symbol = given[place] if given is not None else 0
        if coder.bit((layer, near, share), int(symbol > 0)):
            node = 1
            for shift in range(width - 1, -1, -1):
                node = 2 * node + coder.bit((layer, "value", node), symbol >> shift & 1)
            symbol, since = node - 2**width, 0
            kept[column] += 1
        else:
            symbol, since = 0, since + 1
        found.append(symbol)
    return torch.tensor(found).reshape(shape)


def range_file(model: nn.Module) -> bytes:
    """The same numbers as in the lesson's file, with the range coder: codebooks and biases in front, then all bits."""
    front, coder = b"", RangeCoder()
    for layer, p in enumerate(model.parameters()):
        if p.dim() == 1:
            front += p.detach().half().numpy().tobytes()
            continue
        book, index = torch.cat([torch.zeros(1), p.detach().flatten()]).unique(return_inverse=True)
        order = torch.cat([book[book == 0], book[book != 0]])  # symbol 0 is the value 0
        number = torch.empty(len(book), dtype=torch.int64)
        number[book == 0], number[book != 0] = 0, torch.arange(1, len(book))
        front += bytes([len(book) - 1]) + order[1:].numpy().tobytes()
        walk(coder, layer, number[index[1:]], tuple(p.shape), (len(book) - 1).bit_length())
    return front + coder.finish()


def range_read(blob: bytes, model: nn.Module) -> None:
    """Puts what `range_file` has written into a model of the same shapes, in place."""
    books: list[Tensor] = []
    at = 0
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                part = bytearray(blob[at : at + 2 * p.numel()])
                p.copy_(torch.frombuffer(part, dtype=torch.float16).float())
                at += 2 * p.numel()
                continue
            size = blob[at]
            part = bytearray(4) + blob[at + 1 : at + 1 + 4 * size]  # and the value 0 in front
            books.append(torch.frombuffer(bytearray(part), dtype=torch.float32))
            at += 1 + 4 * size
        coder, rest = RangeCoder(blob[at:]), iter(books)
        for layer, p in enumerate(model.parameters()):
            if p.dim() > 1:
                book = next(rest)
                width = (len(book) - 1).bit_length()
                p.copy_(book[walk(coder, layer, None, tuple(p.shape), width)])
