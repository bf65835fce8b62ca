"""Small networks and loops of lesson 05. Nothing here distils; `pictures05` draws."""

import json
import math
from collections.abc import Callable

import torch
import torch.nn as nn
from safetensors.torch import load_file
from torch import Tensor

from bonsai import models

# Students, teachers and their batches --------------------------------------------------------------------------------

TENSORS = models.CHECKPOINTS / "lesson05.safetensors"
POOL = 40_000  # the first training images are those that the teacher was asked about; 40,000 and on: the same, mirrored
WIDTH, BATCH, STEPS, TEMPERATURE = 10, 128, 1200, 4.0  # of the student and of its training
BEGUN = 800  # steps that the student of `begun` has behind it
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


def seen_by(teacher: models.ResNet8, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`features` of the images and of their mirrored twins, one row a number, without gradients."""
    with torch.no_grad():
        parts = [features(teacher, x) for view in (images, images.flip(-1)) for x in view.split(500)]
    middle, late, logits = (torch.cat(column) for column in zip(*parts, strict=True))
    return middle, late, logits


def imitate(loss: Callable, images: Tensor, labels: Tensor, teacher: tuple[Tensor, ...], steps: int, seed: int):
    """A new student after `steps` batches of `loss(student, teacher, y, regressor)`, in eval mode.

    `student` and `teacher` are what `features` returns, for one batch; the regressor, a 1x1 convolution from the
    student's middle channels to the teacher's, is trained along and thrown away.
    """
    student = new_student(seed)
    regressor = nn.Conv2d(student.fc.in_features // 2, teacher[0].shape[1], 1)
    optimizer = optimizer_for(nn.ModuleList([student, regressor]), steps)
    student.train()
    for numbers, y in draw_batches(labels, steps, seed):
        optimizer.zero_grad()
        said = tuple(part[numbers] for part in teacher)
        loss(features(student, pictures(images, numbers)), said, y, regressor).backward()
        optimizer.step()
    return student.eval()


def interesting(logits: Tensor, labels: Tensor) -> list[int]:
    """One garment each of four classes for which the network is right, with a runner-up of about a fifth."""
    p, found = logits.softmax(1), []
    for c in (2, 7, 3, 0):
        rows = ((labels == c) & (p.argmax(1) == c)).nonzero().flatten()
        second = p[rows].topk(2).values[:, 1]
        found.append(int(rows[(second - 0.2).abs().argmin()]))
    return found
