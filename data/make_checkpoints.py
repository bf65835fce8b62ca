"""Train the four shipped models and record what they reach (about 15 minutes on one core).

python data/make_checkpoints.py [NAME ...]
"""

import json
import sys

import torch
from safetensors.torch import save_file

from bonsai import data, measure, models, train

EPOCHS = {"lenet_300_100": 15, "lenet_5": 10, "small_cnn": 12, "resnet8": 12}


def main(names: list[str]) -> None:
    images, labels = data.load("train")
    folder = models.CHECKPOINTS
    cards_file = folder / "checkpoints.json"
    cards = json.loads(cards_file.read_text()) if cards_file.exists() else {}
    for name in names or list(EPOCHS):
        torch.manual_seed(0)
        model = models.MODELS[name]()
        train.fit(model, images, labels, epochs=EPOCHS[name], lr=4e-3 if name in ("small_cnn", "resnet8") else 2e-3)
        path = folder / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        path.chmod(0o644)  # safetensors writes files that only their owner may read
        cards[name] = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "epochs": EPOCHS[name],
            "seed": 0,
            "validation_accuracy": round(measure.accuracy(model, *data.load("validation")), 2),
            "test_accuracy": round(measure.accuracy(model, *data.load("test")), 2),
        }
        cards_file.write_text(json.dumps(cards, indent=2) + "\n")
        print(name, cards[name], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
