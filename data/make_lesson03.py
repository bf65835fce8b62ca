"""Train the lottery tickets of lesson 03 and record what they reach in data/lesson03.json (5 minutes on one core).

    python data/make_lesson03.py

Frankle and Carbin 2019, arXiv:1803.03635: train, remove half of the remaining weights by magnitude over all layers,
go on from another start, repeat. Three starts for the same mask: the first weights of that network ("rewound"), new
random ones ("new random"), and the trained ones ("kept trained", which have then seen one round more).
"""

import json
import time
from pathlib import Path

import torch
import torch.nn as nn
from torch.nn.utils import prune

from bonsai import data, measure, models, train

SEEDS, ROUNDS, EPOCHS, LR = (0, 1, 2), 7, 3, 2e-3
FILE = Path(__file__).parent / "lesson03.json"


def layers(model: nn.Module) -> list[nn.Linear]:
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


def with_masks(state: dict[str, torch.Tensor], masks: list[torch.Tensor]) -> nn.Sequential:
    """LeNet-300-100 with these weights, and these masks held by the library."""
    model = models.lenet_300_100()
    model.load_state_dict(state)
    for layer, mask in zip(layers(model), masks, strict=True):
        prune.custom_from_mask(layer, "weight", mask)
    return model


def plain(model: nn.Sequential) -> dict[str, torch.Tensor]:
    """The state without the library's masks: pruned weights are 0 in it."""
    state = models.lenet_300_100().state_dict()
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            state[f"{name}.weight"] = layer.weight.detach().clone()
            state[f"{name}.bias"] = layer.bias.detach().clone()
    return state


def main() -> None:
    images, labels = data.load("train")
    validation = data.load("validation")
    began = time.process_time()
    accuracy: dict[str, list[list[float]]] = {"rewound": [], "new random": [], "kept trained": []}

    def trained(state, masks, seed) -> tuple[dict[str, torch.Tensor], float]:
        model = with_masks(state, masks)
        train.fit(model, images, labels, epochs=EPOCHS, lr=LR, seed=seed)
        return plain(model), round(measure.accuracy(model, *validation), 2)

    kept: list[float] = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        initial = models.lenet_300_100().state_dict()
        masks = [torch.ones_like(layer.weight) for layer in layers(models.lenet_300_100())]
        rows: dict[str, list[float]] = {name: [] for name in accuracy}
        kept = []
        previous = initial
        for number in range(ROUNDS):
            torch.manual_seed(1000 + 100 * seed + number)
            starts = {"rewound": initial, "new random": models.lenet_300_100().state_dict(), "kept trained": previous}
            results = {"rewound": trained(initial, masks, seed)}
            for name, start in starts.items():
                if name not in results:  # before anything is pruned there is one way only
                    results[name] = trained(start, masks, seed) if number else results["rewound"]
                rows[name].append(results[name][1])
            kept.append(round(sum(m.sum().item() for m in masks) / sum(m.numel() for m in masks), 6))
            previous = results["rewound"][0]
            print(seed, kept[-1], {name: row[-1] for name, row in rows.items()}, flush=True)
            model = with_masks(previous, masks)
            parts = [(layer, "weight") for layer in layers(model)]
            prune.global_unstructured(parts, pruning_method=prune.L1Unstructured, amount=0.5)
            masks = [dict(layer.named_buffers())["weight_mask"].clone() for layer in layers(model)]
        for name, row in rows.items():
            accuracy[name].append(row)
    made = {
        "made_by": "data/make_lesson03.py",
        "model": "LeNet-300-100, 55,000 training images, accuracy in percent on the 5,000 validation images",
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "lr": LR,
        "cpu_seconds": round(time.process_time() - began),
    }
    FILE.write_text(json.dumps({**made, "kept": kept, "accuracy": accuracy}, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
