"""Pictures, small networks and loops of lesson 05. They look at what they are given: nothing here distils."""

import json
import math
from collections.abc import Callable

import torch
import torch.nn as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from safetensors.torch import load_file
from torch import Tensor

from bonsai import data, models, plot

# Students, teachers and their batches --------------------------------------------------------------------------------

TENSORS = models.CHECKPOINTS / "lesson05.safetensors"
POOL = 40_000  # the first training images are those that the teacher was asked about; 40,000 and on: the same, mirrored
WIDTH, BATCH, STEPS, TEMPERATURE = 10, 128, 1200, 4.0  # of the student and of its training
BEGUN = 600  # steps that the student of `begun` has behind it
METHOD_WEIGHTS = {"hint": 1.0, "attention": 20.0, "similarity": 3000.0}  # beside the loss on labels or logits


class ByNumber(nn.Module):
    """A network that is asked about images by their number: 0 to n - 1 as they are, n to 2 n - 1 mirrored."""

    def __init__(self, net: nn.Module, images: Tensor):
        super().__init__()
        self.net, self.images = net, images

    def forward(self, numbers: Tensor) -> Tensor:
        return self.net(pictures(self.images, numbers))


def pictures(images: Tensor, numbers: Tensor) -> Tensor:
    """The images of these numbers; a number of n and more is an image seen in the mirror."""
    x = images[numbers % len(images)]
    return torch.where((numbers >= len(images)).view(-1, 1, 1, 1), x.flip(-1), x)


def table() -> Tensor:
    """The teacher's recorded logits, float32 `[2 * POOL, 10]`, one row a number."""
    return load_file(TENSORS)["teacher_logits"].float().flatten(0, 1)


def new_student(seed: int, width: int = WIDTH) -> models.ResNet8:
    """A residual net like the teacher, but narrower and with new random weights."""
    torch.manual_seed(seed)
    return models.ResNet8(width).to(memory_format=torch.channels_last)


def begun() -> dict[str, Tensor]:
    """State of a student after `BEGUN` of `STEPS` steps of distillation by `data/make_lesson05.py`."""
    return {n.removeprefix("begun."): t for n, t in load_file(TENSORS).items() if n.startswith("begun.")}


def draw_batches(labels: Tensor, steps: int, seed: int, batch: int = BATCH) -> list[tuple[Tensor, Tensor]]:
    """`steps` batches of (numbers, labels), from shuffled passes over the images; half of each batch is mirrored."""
    rng, n = torch.Generator().manual_seed(seed), len(labels)
    passes = [torch.randperm(n, generator=rng) for _ in range(math.ceil(steps * batch / n))]
    order = torch.cat(passes)[: steps * batch]
    mirrored = torch.rand(len(order), generator=rng) < 0.5
    return list(zip((order + n * mirrored).split(batch), labels[order].split(batch), strict=True))


def one_cycle(optimizer: torch.optim.Optimizer, total: int, done: int = 0) -> torch.optim.Optimizer:
    """The optimizer, its rate rising in a quarter of `total` steps and then falling to 0; `done` of them are over."""
    peak, step = optimizer.param_groups[0]["lr"], done

    def set_rate(*_: object) -> None:
        nonlocal step
        step += 1
        u = step / (total + 1)
        rate = 4 * u if u < 0.25 else 0.5 + 0.5 * math.cos(math.pi * (u - 0.25) / 0.75)
        optimizer.param_groups[0]["lr"] = peak * rate

    optimizer.register_step_pre_hook(set_rate)
    return optimizer


def optimizer_for(student: nn.Module, total: int, done: int = 0) -> torch.optim.Optimizer:
    """Gradient descent with Nesterov's momentum for one cycle of `total` steps, of which `done` are over."""
    descent = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    return one_cycle(descent, total, done)


class PatchTransformer(nn.Module):
    """A small vision transformer: 16 patches of 7 x 7 pixels, some encoder layers, the mean, a classifier."""

    def __init__(self, layers: int | nn.ModuleList = 6, width: int = 64):
        super().__init__()
        self.embed = nn.Linear(49, width)
        self.position = nn.Parameter(0.02 * torch.randn(16, width))
        made = [encoder_layer(width) for _ in range(layers)] if isinstance(layers, int) else layers
        self.layers = nn.ModuleList(made)
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(-1, 4, 7, 4, 7).transpose(2, 3).reshape(len(x), 16, 49)
        x = self.embed(x) + self.position
        for layer in self.layers:
            x = layer(x)
        return self.fc(self.norm(x).mean(1))


def encoder_layer(width: int) -> nn.TransformerEncoderLayer:
    """Attention of 4 heads and a small perceptron, both behind a layer norm, without dropout."""
    return nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)


def load_transformer() -> PatchTransformer:
    """The six-layer teacher that data/make_lesson05.py trained, in eval mode."""
    state = {
        n: t.float() for n, t in load_file(TENSORS).items() if n != "teacher_logits" and not n.startswith("begun.")
    }
    model = PatchTransformer()
    model.load_state_dict(state)
    return model.eval()


def load_results() -> dict:
    """What data/make_lesson05.py recorded."""
    return json.loads((models.CHECKPOINTS.parent / "lesson05.json").read_text())


def features(net: models.ResNet8, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the second and the third block say, and the logits."""
    middle = net.block2(net.block1(torch.relu(net.bn(net.conv(x)))))
    late = net.block3(middle)
    return middle, late, net.fc(net.pool(late).flatten(1))


# Pictures ------------------------------------------------------------------------------------------------------------


def interesting(logits: Tensor, labels: Tensor) -> list[int]:
    """One garment each of four classes for which the network is right, with a runner-up of about a fifth."""
    p, found = logits.softmax(1), []
    for c in (2, 7, 3, 0):
        rows = ((labels == c) & (p.argmax(1) == c)).nonzero().flatten()
        second = p[rows].topk(2).values[:, 1]
        found.append(int(rows[(second - 0.2).abs().argmin()]))
    return found


def draw_garments(images: Tensor, labels: Tensor, soft: dict[float, Tensor]) -> Figure:
    """Each garment over its soft targets at some temperatures; the label's bar is black."""
    fig, axes = plot.plt.subplots(
        1 + len(soft), len(images), figsize=(3 * len(images), 2 + 1.7 * len(soft)), layout="constrained"
    )
    plot.plt.close(fig)
    for column, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        axes[0, column].imshow(image[0], cmap="gray_r")
        axes[0, column].set_title(data.CLASSES[label])
        axes[0, column].axis("off")
        for ax, (temperature, p) in zip(axes[1:, column], soft.items(), strict=True):
            _bars(ax, p[column], label)
            ax.set_ylim(0, 1)
            if column == 0:
                ax.set_ylabel(f"T = {temperature:g}\nprobability")
    return fig


def _bars(ax: Axes, p: Tensor, label: int) -> None:
    ax.bar(range(10), p, color=[plot.BLACK if c == label else plot.ORANGE for c in range(10)])
    ax.set_xticks(range(10), data.CLASSES, rotation=90, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def draw_likeness(mean: Tensor) -> Figure:
    """Mean soft target of each true class, without the diagonal."""
    fig, (ax,) = plot.figure(1, width=6.4, height=5.2)
    shown = mean.clone()
    shown.fill_diagonal_(math.nan)
    seen = ax.imshow(shown, cmap="viridis")
    ax.set_xticks(range(10), data.CLASSES, rotation=60, ha="right")
    ax.set_yticks(range(10), data.CLASSES)
    ax.set(xlabel="class in the soft target", ylabel="true class")
    fig.colorbar(seen, label="mean probability at T = 4")
    return fig


def draw_temperature(image: Tensor, label: Tensor, logits: Tensor, temperature: float, soften: Callable) -> Figure:
    """A garment, its soft target, and the entropy of the soft target over the temperature."""
    fig, axes = plot.figure(3, width=3.6, height=3)
    axes[0].imshow(image[0], cmap="gray_r")
    axes[0].set_title(data.CLASSES[int(label)])
    axes[0].axis("off")
    _bars(axes[1], soften(logits, temperature).detach(), int(label))
    axes[1].set(ylim=(0, 1), ylabel="probability", title=f"T = {temperature:g}")

    def bits(t: float) -> float:
        p = soften(logits, t).detach()
        return -torch.xlogy(p, p).sum().item() / math.log(2)

    many = [0.25 * i for i in range(1, 83)]
    axes[2].plot(many, [bits(t) for t in many], color=plot.BLUE)
    axes[2].plot([temperature], [bits(temperature)], "o", color=plot.RED)
    axes[2].axhline(math.log2(10), color=plot.BLACK, linestyle=":")
    axes[2].set(xlabel="temperature", ylabel="entropy (bits)", ylim=(0, 3.5))
    return fig


def draw_gradients(temperatures: list[int], scaled: list[float], raw: list[float], labels: float) -> Figure:
    """Gradient length over temperature, with and without T²."""
    fig, (ax,) = plot.figure(1, width=6.2, height=3.8)
    curves = {"teacher, with T²": scaled, "teacher, without T²": raw}
    plot.lines(ax, temperatures, curves, "temperature T", "mean length of the gradient")
    ax.axhline(labels, color=plot.GREEN, linestyle="-.", label="labels")
    slope = [raw[-1] * (temperatures[-1] / t) ** 2 for t in temperatures]
    ax.plot(temperatures, slope, color=plot.BLACK, linestyle="--", linewidth=1, label="proportional to 1/T²")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(temperatures, [str(t) for t in temperatures])
    ax.legend(frameon=False)
    return fig


def draw_losses(losses: dict[str, list[float]]) -> Figure:
    """Loss of each step, averaged over 20."""
    fig, axes = plot.figure(len(losses), width=4.6, height=3)
    for ax, (name, values), colour in zip(axes, losses.items(), plot.PALETTE, strict=False):
        smooth = torch.tensor(values).unfold(0, 20, 1).mean(1)
        ax.plot(range(20, len(values) + 1), smooth, color=colour)
        ax.set(xlabel="step", ylabel="loss (mean of 20 steps)", title=name, ylim=(0, None))
    return fig


def draw_runs(runs: dict[str, list[float]], baseline: str, reference: tuple[str, float] | None = None) -> Figure:
    """Accuracies: a row a method, a dot a seed, a bar at the mean, a band for the seeds of the baseline."""
    fig, (ax,) = plot.figure(1, width=7.6, height=0.9 + 0.45 * len(runs))
    ax.axvspan(min(runs[baseline]), max(runs[baseline]), color="#dddddd")
    for row, (_, values) in enumerate(runs.items()):
        ax.plot(values, [row] * len(values), "o", color=plot.BLUE, markersize=6, alpha=0.7)
        ax.plot([sum(values) / len(values)], [row], "|", color=plot.RED, markersize=18, markeredgewidth=2)
    if reference:
        ax.axvline(reference[1], color=plot.BLACK, linestyle="--", linewidth=1)
        ax.text(reference[1], -0.75, reference[0], ha="right", va="bottom", fontsize=9)
    ax.set_yticks(range(len(runs)), list(runs))
    ax.set_ylim(len(runs) - 0.5, -0.8)
    ax.set_xlabel("accuracy on the validation images (%)")
    return fig


def draw_labels(table: dict[str, dict[str, list[float]]]) -> Figure:
    """Accuracy over the number of labelled images, one line a way of teaching, dots for seeds."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.8)
    counts = [int(n) for n in table]
    for name, colour, marker in zip(next(iter(table.values())), plot.PALETTE, plot.MARKERS, strict=False):
        rows = [row[name] for row in table.values()]
        ax.plot(counts, [sum(r) / len(r) for r in rows], color=colour, label=name)
        for n, values in zip(counts, rows, strict=True):
            ax.plot([n] * len(values), values, marker, color=colour, alpha=0.6, markersize=5)
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{n:,}" for n in counts])
    ax.minorticks_off()
    ax.set(xlabel="labelled images", ylabel="validation accuracy (%)")
    ax.legend(frameon=False, loc="lower right")
    return fig


def draw_maps(images: Tensor, maps: dict[str, Tensor], rows: list[int]) -> Figure:
    """Garments beside the attention maps that networks make of them, all maps on one scale of brightness."""
    size, top = math.isqrt(next(iter(maps.values())).shape[1]), max(m[rows].max().item() for m in maps.values())
    fig, axes = plot.plt.subplots(
        len(rows), 1 + len(maps), figsize=(1.5 * (1 + len(maps)), 1.5 * len(rows)), layout="constrained"
    )
    plot.plt.close(fig)
    for number, (line, i) in enumerate(zip(axes, rows, strict=True)):
        line[0].imshow(images[i, 0], cmap="gray_r")
        for ax, (name, values) in zip(line[1:], maps.items(), strict=True):
            ax.imshow(values[i].view(size, size), cmap="magma", vmin=0, vmax=top)
            if number == 0:
                ax.set_title(name)
        for ax in line:
            ax.axis("off")
    return fig


def draw_similarities(matrices: dict[str, Tensor]) -> Figure:
    """Similarity of every pair of a sorted batch, six a class."""
    fig, axes = plot.figure(len(matrices), width=3.9, height=3.9)
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        seen = ax.imshow(matrix, cmap="viridis", vmin=0, vmax=1)
        ax.set_title(name)
        ax.set_xticks([6 * c + 2.5 for c in range(10)], data.CLASSES, rotation=90, fontsize=8)
        ax.set_yticks([6 * c + 2.5 for c in range(10)], data.CLASSES, fontsize=8)
    fig.colorbar(seen, ax=axes, label="similarity", shrink=0.8)
    return fig
