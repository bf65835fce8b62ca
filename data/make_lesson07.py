"""Train what lesson 07 ships and record what it reaches (about 12 minutes on one core).

    python data/make_lesson07.py [lenet_300_100/SEED] [lenet_5/SEED] [order/SEED] [table] …

Deep Compression (Han, Mao and Dally 2016, arXiv:1510.00149) of the two shipped LeNets with three seeds each: gradual
global magnitude pruning, recovery with the masks held, one codebook a layer with trained entries. Then a table of
sparsity and bits for the slider, and the order experiment: which of pruning and quantization comes first, at equal
training. The dense network is the teacher throughout: its probabilities take the place of the labels.

Writes data/checkpoints/lesson07.safetensors (the first seed of each network, pruned and clustered) and
data/lesson07.json. The bytes in it are those of the file that the lesson's own `compress` writes.
"""

import copy
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from sklearn.cluster import KMeans
from torch import Tensor

from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai import data, measure, models

FILE = Path(__file__).parent / "lesson07.json"
LESSON, CHECKPOINT = LESSONS / "07_deep_compression", models.CHECKPOINTS / "lesson07.safetensors"
SEEDS, SHIPPED, BATCH, LR, CODEBOOK_LR = (0, 1, 2), 0, 256, 2e-3, 3e-4
RECIPES = {"lenet_300_100": (0.96, 2), "lenet_5": (0.945, 3)}  # sparsity and bits
CONV_SPARSITY, CONV_EPOCHS = 0.85, 0.5
TABLE_SPARSITIES, TABLE_BITS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99), (1, 2, 3, 4)
ORDERS = (
    "prune gradually, then quantize",
    "prune at once, then quantize",
    "quantize, then prune, values tied",
    "quantize, then prune, values free",
)
ORDER_SETTINGS, ORDER_EPOCHS = ((0.9, 4), (0.96, 2)), 1


def weights_of(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.dim() > 1}


@torch.no_grad()
def outputs(model: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([model(x) for x in images.split(500)])


def half_mirrored(images: Tensor) -> Tensor:
    """Every second image mirrored."""
    return torch.stack([images[::2], images[1::2].flip(-1)], dim=1).flatten(0, 1)


class Trainer:
    """Trains towards the probabilities of the dense network, which take the place of labels (lesson 05)."""

    def __init__(self, dense: nn.Module, images: Tensor, seed: int):
        self.images = images
        self.wanted = outputs(dense, images).softmax(-1)
        self.rng = torch.Generator().manual_seed(seed)

    def run(
        self, model: nn.Module, epochs: float, lr: float, before=None, step=None, after=None, falling: bool = True
    ) -> None:
        """AdamW (or `step(rate)`), the rate falls as a cosine; `before(i, steps)` and `after()` surround each step."""
        steps = round(epochs * len(self.images) / BATCH)
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-3)
        order = torch.empty(0, dtype=torch.int64)
        model.train()
        for i in range(steps):
            if before:
                before(i, steps)
            if len(order) < BATCH:
                order = torch.cat([order, torch.randperm(len(self.images), generator=self.rng)])
            chosen, order = order[:BATCH], order[BATCH:]
            x, wanted = self.images[chosen], self.wanted[chosen]
            loss = F.cross_entropy(model(x), wanted)
            model.zero_grad()
            loss.backward()
            rate = lr * (0.5 + 0.5 * math.cos(math.pi * i / steps)) if falling else lr
            optimizer.param_groups[0]["lr"] = rate
            if step:
                step(rate)
            else:
                optimizer.step()
            if after:
                after()
        model.eval()


@torch.no_grad()
def masks_at(model: nn.Module, sparsity: float, jitter: torch.Generator | None = None) -> dict[str, Tensor]:
    """Global magnitude masks; with `jitter`, ties (the weights of one cluster) fall by lot."""
    weights = weights_of(model)
    flat = torch.cat([w.flatten() for w in weights.values()]).abs().double()
    if jitter is not None:
        flat = flat + 1e-9 * torch.rand(len(flat), generator=jitter, dtype=torch.float64)
    mask = torch.ones(len(flat), dtype=torch.bool)
    mask[flat.argsort()[: round(sparsity * len(flat))]] = False
    parts = mask.split([w.numel() for w in weights.values()])
    return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts, strict=True)}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: dict[str, Tensor]) -> None:
    for name, w in weights_of(model).items():
        w.mul_(masks[name])


def prune(
    trainer: Trainer,
    model: nn.Module,
    sparsity: float,
    epochs: float,
    lr: float,
    gradual: bool = True,
    start: float = 0.0,
) -> dict[str, Tensor]:
    """Masks by the cubic schedule of Zhu and Gupta until 80 % of the steps, recomputed every 20; or all at once."""
    masks: dict[str, Tensor] = {}

    def before(i: int, steps: int) -> None:
        t = min(1.0, i / (0.8 * steps))
        if (gradual and i % 20 == 0 and i <= 0.8 * steps) or i == 0:
            now = sparsity + (start - sparsity) * (1 - t) ** 3 if gradual else sparsity
            masks.update(masks_at(model, now))
            apply_masks(model, masks)

    trainer.run(model, epochs, lr, before, after=lambda: apply_masks(model, masks), falling=False)
    masks.update(masks_at(model, sparsity))
    apply_masks(model, masks)
    return masks


class Codebooks:
    """One codebook of 2**bits values a layer for the weights that are not zero; k-means with the linear start."""

    def __init__(self, model: nn.Module, bits: int):
        self.model, self.places, self.indices, self.values = model, {}, {}, {}
        for name, w in weights_of(model).items():
            flat = w.detach().flatten()
            places = flat.nonzero().flatten()
            kept = flat[places]
            start = torch.linspace(kept.min().item(), kept.max().item(), 2**bits)
            points = kept.double().numpy().reshape(-1, 1)
            if len(kept.unique()) > 2**bits:
                fitted = KMeans(2**bits, init=start.double().numpy().reshape(-1, 1), n_init=1, max_iter=100).fit(points)
                self.values[name] = torch.from_numpy(fitted.cluster_centers_.astype(np.float32)).flatten()
                self.indices[name] = torch.from_numpy(fitted.labels_.astype(np.int64))
            else:
                self.values[name], self.indices[name] = kept.unique(return_inverse=True)
            self.places[name] = places
        self.write()
        self.moments: dict[str, tuple[Tensor, Tensor]] = {}
        self.count = 0

    @torch.no_grad()
    def write(self) -> None:
        for name, w in weights_of(self.model).items():
            flat = torch.zeros(w.numel())
            flat[self.places[name]] = self.values[name][self.indices[name]]
            w.copy_(flat.reshape(w.shape))

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Adam on the codebooks (the gradient of an entry is the sum over its weights) and on the biases."""
        self.count += 1
        weights = weights_of(self.model)
        for name, p in self.model.named_parameters():
            assert p.grad is not None
            gradient = p.grad
            if name in weights:
                gradient = torch.zeros_like(self.values[name])
                gradient.index_add_(0, self.indices[name], p.grad.flatten()[self.places[name]])
            m, v = self.moments.setdefault(name, (torch.zeros_like(gradient), torch.zeros_like(gradient)))
            m.lerp_(gradient, 0.1)
            v.lerp_(gradient**2, 0.01)
            change = rate * (m / (1 - 0.9**self.count)) / ((v / (1 - 0.99**self.count)).sqrt() + 1e-8)
            (self.values[name] if name in weights else p).sub_(change)
        self.write()


def settle(trainer: Trainer, model: nn.Module, bits: int, epochs: float, lr: float = 1e-3) -> Codebooks:
    """Train on with every kept weight at its codebook's value, while it may still change its cluster.

    The gradient moves a float weight behind the value (straight-through, lesson 06); after each step all weights go to
    the nearest entry, and the entries to the mean of their weights. Then indices are fixed.
    """
    books = Codebooks(copy.deepcopy(model), bits)
    weights = weights_of(model)
    floats = {name: w.detach().flatten()[books.places[name]].clone() for name, w in weights.items()}
    shown: dict[str, Tensor] = {}

    @torch.no_grad()
    def show(i: int = 0, steps: int = 0) -> None:
        for name, w in weights.items():
            values, kept = books.values[name], floats[name]
            books.indices[name] = torch.bucketize(kept, (values[1:] + values[:-1]) / 2)
            count = books.indices[name].bincount(minlength=len(values))
            total = torch.zeros(len(values)).index_add_(0, books.indices[name], kept)
            books.values[name] = torch.where(count > 0, total / count.clamp(min=1), values)
            shown[name] = books.values[name][books.indices[name]]
            flat = torch.zeros(w.numel())
            flat[books.places[name]] = shown[name]
            w.copy_(flat.reshape(w.shape))

    @torch.no_grad()
    def move() -> None:
        for name, w in weights.items():
            floats[name] += w.flatten()[books.places[name]] - shown[name]

    trainer.run(model, epochs, lr, show, after=move)
    show()
    books.model = model
    return books


def cluster(trainer: Trainer, model: nn.Module, bits: int, epochs: float) -> Codebooks:
    codebooks = Codebooks(model, bits)
    if epochs:
        trainer.run(model, epochs, CODEBOOK_LR, step=codebooks.step)
    return codebooks


@torch.no_grad()
def half_biases(model: nn.Module) -> nn.Module:
    """What a file holds: biases of 16 bits."""
    for p in model.parameters():
        if p.dim() == 1:
            p.copy_(p.half().float())
    return model


def lessons_own() -> dict:
    """The set-up and the answers of lesson 07, as they stand in its source: `compress` counts the bytes."""
    names: dict = {"__name__": "lesson07"}
    sys.path.insert(0, str(LESSON))
    for cell in teacher_notebook(find_source("07")).cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade_id") == "setup" or marks.get("solution"):
            exec(cell.source, names)
    return names


def stored(name: str, pruned: nn.Module, codebooks: Codebooks) -> dict[str, Tensor]:
    """The parts of data/checkpoints/lesson07.safetensors that describe one network."""
    parts: dict[str, Tensor] = {}
    for (key, before), after in zip(pruned.named_parameters(), codebooks.model.parameters(), strict=True):
        if before.dim() == 1:
            parts[f"{name}.{key}.pruned"] = before.detach().clone()
            parts[f"{name}.{key}.clustered"] = after.detach().clone()
            continue
        mask = before.detach() != 0
        bits = torch.cat([mask.flatten(), torch.zeros(-mask.numel() % 8, dtype=torch.bool)]).reshape(-1, 8)
        parts[f"{name}.{key}.mask"] = (bits * 2 ** torch.arange(8)).sum(1).to(torch.uint8)
        parts[f"{name}.{key}.kept"] = before.detach()[mask]
        parts[f"{name}.{key}.codebook"] = codebooks.values[key].clone()
        parts[f"{name}.{key}.indices"] = codebooks.indices[key].to(torch.uint8)
    return parts


def lenet_300_100(images: Tensor, seed: int, sparsity: float, bits: int) -> tuple[nn.Module, nn.Module, Codebooks]:
    """(pruned, clustered, codebooks trained): 8 epochs of pruning, 8 of recovery, 4 for codebooks and indices."""
    model = models.load("lenet_300_100")
    both = torch.cat([images, images.flip(-1)])  # one pass over these is two epochs
    trainer = Trainer(model, both, seed)
    masks = prune(trainer, model, sparsity, 4, 3e-3)
    recover(trainer, model, masks, 4, 3e-3)
    pruned, clustered = copy.deepcopy(model), copy.deepcopy(model)
    Codebooks(clustered, bits)
    return pruned, clustered, settle(Trainer(models.load("lenet_300_100"), both, seed), model, bits, 2)


def lenet_5(images: Tensor, seed: int, sparsity: float, bits: int) -> tuple[nn.Module, nn.Module, Codebooks]:
    """The same in two parts, since an epoch with convolutions takes ten times as long as one without.

    All layers to CONV_SPARSITY in CONV_EPOCHS; then the convolutions stay, and their stored outputs for the training
    images, every second one mirrored, are the inputs of the linear layers. The codebooks of the convolutions are not
    trained.
    """
    model, images = models.load("lenet_5"), half_mirrored(images)
    assert isinstance(model, nn.Sequential)
    trainer = Trainer(model, images, seed)
    prune(trainer, model, CONV_SPARSITY, CONV_EPOCHS, LR / 2)
    convolutions, linear = model[:7], model[7:]
    kept = sum(int((w != 0).sum()) for w in weights_of(convolutions).values())
    total = sum(w.numel() for w in weights_of(model).values())
    share = 1 - ((1 - sparsity) * total - kept) / sum(w.numel() for w in weights_of(linear).values())
    trainer.images = outputs(convolutions, images)
    masks = prune(trainer, linear, share, 4, LR, start=CONV_SPARSITY)
    recover(trainer, linear, masks, 4)
    pruned, clustered = copy.deepcopy(model), copy.deepcopy(model)
    Codebooks(clustered, bits)
    Codebooks(convolutions, bits)
    trainer.images = outputs(convolutions, images)
    cluster(trainer, linear, bits, 2)
    return pruned, clustered, Codebooks(model, bits)  # of the whole, from where its parts are: nothing moves


def ship(name: str, seed: int, images: Tensor, accuracies: Callable, before: dict) -> dict:
    """One network with one seed, beside those that were made before; the first seed is shipped, the others say how
    much that means."""
    sparsity, bits = RECIPES[name]
    make = {"lenet_300_100": lenet_300_100, "lenet_5": lenet_5}[name]
    pruned, clustered, codebooks = make(images, seed, sparsity, bits)
    small = half_biases(codebooks.model)
    row = {
        "seed": seed,
        "pruned": accuracies(pruned),
        "clustered": accuracies(clustered),
        "codebooks trained": accuracies(small),
        "bytes": len(lessons_own()["compress"](small)),
    }
    print(name, row, flush=True)
    rows = sorted([*(r for r in before.get("seeds", []) if r["seed"] != seed), row], key=lambda r: r["seed"])
    if seed == SHIPPED:
        parts = load_file(CHECKPOINT) if CHECKPOINT.exists() else {}
        parts |= stored(name, pruned, codebooks)
        save_file({key: t.contiguous() for key, t in parts.items()}, CHECKPOINT)
        CHECKPOINT.chmod(0o644)
    dense = accuracies(models.load(name))
    return {"sparsity": sparsity, "bits": bits, "dense": dense, "seeds": rows, "shipped": SHIPPED}


def recover(trainer: Trainer, model: nn.Module, masks: dict[str, Tensor], epochs: float, lr: float = LR) -> None:
    """Train on with the masks held."""
    trainer.run(model, epochs, lr, after=lambda: apply_masks(model, masks))


def table(images: Tensor, accuracies: Callable) -> list[dict]:
    """Sparsity and bits of LeNet-300-100 against bytes and accuracy: one seed, pruned further from row to row."""
    compress = lessons_own()["compress"]
    model = models.load("lenet_300_100")
    trainer = Trainer(model, half_mirrored(images), 0)
    rows: list[dict] = []
    for sparsity in TABLE_SPARSITIES:
        if sparsity:
            masks = prune(trainer, model, sparsity, 1, LR, gradual=False)
            recover(trainer, model, masks, 1)
        for bits in TABLE_BITS:
            clustered = copy.deepcopy(model)
            cluster(trainer, clustered, bits, 0.25)
            half_biases(clustered)
            size = len(compress(clustered))
            rows.append({"sparsity": sparsity, "bits": bits, "bytes": size, "accuracy": accuracies(clustered)[0]})
        print(sparsity, [(row["bits"], row["bytes"], row["accuracy"]) for row in rows[-len(TABLE_BITS) :]], flush=True)
    return rows


def order(seed: int, images: Tensor, accuracies: Callable, before: list[dict]) -> list[dict]:
    """Four orders at two settings; each trains for ORDER_EPOCHS three times. Adds one seed to what was made before."""
    rows = before or [
        {"sparsity": sparsity, "bits": bits, "order": how, "accuracy": {}}
        for sparsity, bits in ORDER_SETTINGS
        for how in ORDERS
    ]
    for row in rows:
        sparsity, bits, how = row["sparsity"], row["bits"], row["order"]
        model = models.load("lenet_300_100")
        trainer = Trainer(model, half_mirrored(images), seed)
        if how.startswith("prune"):
            masks = prune(trainer, model, sparsity, ORDER_EPOCHS, LR, gradual="gradually" in how)
            recover(trainer, model, masks, ORDER_EPOCHS)
            cluster(trainer, model, bits, ORDER_EPOCHS)
        elif how.endswith("free"):
            cluster(trainer, model, bits, ORDER_EPOCHS)
            masks = prune(trainer, model, sparsity, ORDER_EPOCHS, LR)
            recover(trainer, model, masks, ORDER_EPOCHS)
            Codebooks(model, bits)  # the weights have moved apart: to the nearest of new entries, not trained
        else:
            prune_tied(trainer, cluster(trainer, model, bits, ORDER_EPOCHS), sparsity, seed)
        row["accuracy"][str(seed)] = accuracies(half_biases(model))[0]
        print(row, flush=True)
    return rows


def prune_tied(trainer: Trainer, codebooks: Codebooks, sparsity: float, seed: int) -> None:
    """Prune gradually where all weights of a cluster are equal: ties fall by lot, what stays keeps its cluster."""
    lots = torch.Generator().manual_seed(seed)

    def keep(now: float) -> None:
        masks = masks_at(codebooks.model, now, lots)
        for name, mask in masks.items():
            kept = mask.flatten()[codebooks.places[name]]
            codebooks.places[name] = codebooks.places[name][kept]
            codebooks.indices[name] = codebooks.indices[name][kept]
        codebooks.write()

    def before(i: int, steps: int) -> None:
        if i % 20 == 0 and i <= 0.8 * steps:
            keep(sparsity * (1 - (1 - i / (0.8 * steps)) ** 3))

    trainer.run(codebooks.model, ORDER_EPOCHS, CODEBOOK_LR, before, step=codebooks.step)
    keep(sparsity)
    trainer.run(codebooks.model, ORDER_EPOCHS, CODEBOOK_LR, step=codebooks.step)


def main(parts: list[str]) -> None:
    images = data.load("train")[0]
    splits = [data.load("validation"), data.load("test")]
    accuracies = lambda model: [round(measure.accuracy(model, *split), 2) for split in splits]  # noqa: E731
    for part in parts or [*(f"{part}/{seed}" for part in (*RECIPES, "order") for seed in SEEDS), "table"]:
        began = time.process_time()
        name, _, seed = part.partition("/")
        before = recorded().get(name)
        if name in RECIPES:
            made: dict | list = ship(name, int(seed), images, accuracies, before or {})
        else:
            made = order(int(seed), images, accuracies, before or []) if name == "order" else table(images, accuracies)
        record: dict = {
            "made_by": "data/make_lesson07.py",
            "accuracy": "percent on the 5,000 validation and the 10,000 test images; table and order: validation alone",
            "seeds": SEEDS,
            "order_epochs": [ORDER_EPOCHS] * 3,
            "cpu_seconds": {},
        }
        record |= recorded() | {name: made}
        record["cpu_seconds"][part] = round(time.process_time() - began)
        FILE.write_text(json.dumps(record, indent=1) + "\n")


def recorded() -> dict:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
