"""One training loop: AdamW, a one-cycle schedule, mirrored images, whole tensors."""

from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: float = 1,
    lr: float = 2e-3,
    batch: int = 128,
    seed: int = 0,
    after_step: Callable[[], None] | None = None,
    progress: bool = True,
) -> list[float]:
    """Train `model` in place with cross-entropy and return the loss of every step.

    Args:
        images: float32 `[N, ...]`; half of each batch is mirrored left to right.
        labels: int64 `[N]`.
        epochs: passes over the data; a fraction stops early.
        lr: peak learning rate of the one-cycle schedule (Smith and Topin 2018, arXiv:1708.07120).
        seed: decides order and mirroring; two runs with one seed give equal weights.
        after_step: called after every optimizer step, to apply a mask for example.
        progress: show a bar; a test cell shows none, since stock nbgrader takes what it writes for an error.
    """
    rng = torch.Generator().manual_seed(seed)
    steps = max(1, round(epochs * len(images) / batch))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1)
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.int64)
    model.train()
    for _ in tqdm(range(steps), desc="training", unit="step", leave=False, disable=not progress):
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(len(images), generator=rng)])
        chosen, order = order[:batch], order[batch:]
        x, y = images[chosen], labels[chosen]
        mirrored = torch.rand(len(x), generator=rng) < 0.5
        x = torch.where(mirrored.view(-1, *[1] * (x.dim() - 1)), x.flip(-1), x)
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if after_step:
            after_step()
        losses.append(loss.item())
    model.eval()
    return losses
