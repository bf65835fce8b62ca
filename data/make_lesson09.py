"""Teach the text encoder of lesson 09 what a good review is, with low-rank adapters (about 8 minutes on one core).

    python data/make_lesson09.py

Hu et al. 2021, arXiv:2106.09685: the weights W of all-MiniLM-L6-v2 stay as they are; each linear layer of the encoder
gets W + up @ down of rank 16, and only these, and the head, are trained. They are stored in float16, the head in
float32.
"""

import json
import random
import sys
import time
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.utils import parametrize

from bonsai import data

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lessons" / "09_deployment"))
import text09

RANK, EPOCHS, LR, BATCH, SEED = 16, 2, 1e-3, 32, 0
RECORD = text09.ADAPTER.with_suffix(".json")


class LowRank(nn.Module):
    """A weight plus a difference of low rank, zero at the start."""

    def __init__(self, out: int, width: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(RANK, width) / width**0.5)
        self.up = nn.Parameter(torch.zeros(out, RANK))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def batches(tokenizer, texts: list[str], labels: Tensor, order: list[int]):
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        coded = tokenizer.encode_batch([texts[i] for i in chosen])
        yield torch.tensor([c.ids for c in coded]), torch.tensor([c.attention_mask for c in coded]), labels[chosen]


@torch.no_grad()
def accuracy(model: nn.Module, tokenizer, split: str) -> float:
    texts, labels = data.load_snippets(split)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    model.eval()
    right = sum((model(i, m).argmax(1) == y).sum().item() for i, m, y in batches(tokenizer, texts, labels, order))
    return round(100 * right / len(texts), 2)


def main() -> None:
    torch.manual_seed(SEED)
    began, rng = time.process_time(), random.Random(SEED)
    model, tokenizer = text09.bare_model(), text09.load_tokenizer()
    model.requires_grad_(False)
    adapted = [m for name, m in model.named_modules() if isinstance(m, nn.Linear) and ".layer." in name]
    for module in adapted:
        parametrize.register_parametrization(module, "weight", LowRank(*module.weight.shape))
    model.head.requires_grad_(True)
    trained = [p for p in model.parameters() if p.requires_grad]
    texts, labels = data.load_snippets("train")
    steps = EPOCHS * -(-len(texts) // BATCH)
    optimizer = torch.optim.AdamW(trained, lr=LR, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps + 1, pct_start=0.1)
    step = 0
    for epoch in range(EPOCHS):
        order = list(range(len(texts)))
        rng.shuffle(order)
        model.train()
        for ids, mask, y in batches(tokenizer, texts, labels, order):
            loss = F.cross_entropy(model(ids, mask), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 20 == 0:
                print(f"{step}/{steps} loss {loss.item():.3f} {time.process_time() - began:.0f} s", flush=True)
        print(epoch, "validation", accuracy(model, tokenizer, "validation"), flush=True)
    parts = {"head.weight": model.head.weight.detach(), "head.bias": model.head.bias.detach()}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module):
            low = dict(module.named_parameters())
            for part in ("down", "up"):
                parts[f"{name}.{part}"] = low[f"parametrizations.weight.0.{part}"].detach().half()
    save_file({k: v.contiguous() for k, v in parts.items()}, text09.ADAPTER)
    text09.ADAPTER.chmod(0o644)  # safetensors writes files that only their owner may read
    again = text09.load_sentiment_model()
    card = {
        "made_by": "data/make_lesson09.py",
        "encoder": f"all-MiniLM-L6-v2, model.safetensors sha256 {text09.ENCODER_SHA256}",
        "training": f"{len(texts)} sentences, {EPOCHS} epochs, rank {RANK}, lr {LR}, batch {BATCH}, seed {SEED}",
        "bytes": text09.ADAPTER.stat().st_size,
        "cpu_seconds": round(time.process_time() - began),
        "validation_accuracy": accuracy(again, tokenizer, "validation"),
        "test_accuracy": accuracy(again, tokenizer, "test"),
    }
    RECORD.write_text(json.dumps(card, indent=1) + "\n")
    print(card)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
