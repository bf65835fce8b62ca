"""Train the shipped small language model on Pride and Prejudice (about 20 minutes on one core).

    python data/make_checkpoint08.py

Writes data/checkpoints/small_decoder.safetensors (float16), its card in checkpoints.json, and, where they are not there
yet, the tokenizer's merges. The weights of the best validation loss are kept.
"""

import json
import math
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from bonsai import language, models

STEPS, BATCH, WINDOW, RATE, DROPOUT, SEED = 2400, 16, 128, 3e-3, 0.15, 0


def schedule(step: int) -> float:
    """Learning rate: a warm-up, then a cosine to 0."""
    return RATE * min((step + 1) / 100, (1 + math.cos(math.pi * step / STEPS)) / 2)


@torch.no_grad()
def loss_of(model: language.Decoder, tokens: Tensor) -> float:
    """Mean log-loss of a token, in windows of the training length."""
    windows = tokens[: len(tokens) // WINDOW * WINDOW].view(-1, WINDOW)
    losses = [F.cross_entropy(model(w[:, :-1]).flatten(0, 1), w[:, 1:].flatten()) for w in windows.split(32)]
    return sum(x.item() * len(w) for x, w in zip(losses, windows.split(32), strict=True)) / len(windows)


def main() -> None:
    if not (merges := language.FOLDER / "merges.json").exists():
        pairs = language.learn_merges(language.text("train"), 768)
        merges.write_text(json.dumps([[a.hex(), b.hex()] for a, b in pairs]) + "\n")
    text = {split: language.tokens(split) for split in language.SPLITS}
    torch.manual_seed(SEED)
    model = language.Decoder(dropout=DROPOUT)
    language.init(model)
    matrices, vectors = ([p for p in model.parameters() if (p.dim() > 1) == deep] for deep in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95))
    path, began, best, best_step = models.CHECKPOINTS / "small_decoder.safetensors", time.process_time(), math.inf, 0
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step)
        starts = torch.randint(len(text["train"]) - WINDOW, (BATCH,))
        window = text["train"][starts[:, None] + torch.arange(WINDOW + 1)]
        logits = model(window[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            model.eval()
            now = loss_of(model, text["validation"])
            model.train()
            if now < best:
                best, best_step = now, step + 1
                save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, path)
            seconds = time.process_time() - began
            print(
                f"{step + 1} {loss:.3f} validation {now:.4f}, perplexity {math.exp(now):.2f}, {seconds:.0f} s",
                flush=True,
            )
    path.chmod(0o644)  # safetensors writes files that only their owner may read
    shipped = models.load("small_decoder")
    assert isinstance(shipped, language.Decoder)
    losses = {split: loss_of(shipped, text[split]) for split in ("validation", "test")}
    letters = {split: len(language.text(split)) / len(text[split]) for split in losses}
    cards_file = models.CHECKPOINTS / "checkpoints.json"
    cards = json.loads(cards_file.read_text())
    cards["small_decoder"] = {
        "parameters": sum(p.numel() for p in shipped.parameters()),
        "steps": STEPS,
        "best_step": best_step,
        "seed": SEED,
        "validation_perplexity": round(math.exp(losses["validation"]), 2),
        "test_perplexity": round(math.exp(losses["test"]), 2),
        "test_bits_per_character": round(losses["test"] / math.log(2) / letters["test"], 3),
        "cpu_seconds": round(time.process_time() - began),
    }
    cards_file.write_text(json.dumps(cards, indent=2) + "\n")
    print(cards["small_decoder"])


if __name__ == "__main__":
    main()
