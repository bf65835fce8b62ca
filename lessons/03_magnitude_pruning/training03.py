"""A training of lesson 03 that prunes on the way; what decides which weights go is the learner's."""

from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from bonsai import models


def tune_pruned(
    criterion: str,
    sparsity: float,
    images: Tensor,
    labels: Tensor,
    global_masks: Callable,
    cubic_sparsity: Callable,
    steps: int = 400,
    seed: int = 2,
) -> tuple[nn.Module, dict[str, Tensor]]:
    """LeNet-300-100 tuned for new images, pruned on the way by magnitude or by movement; and its masks.

    Source: Sanh, Wolf, Rush 2020, arXiv:2005.07683; hard movement pruning, the masks recomputed every five steps.
    """
    torch.manual_seed(seed)
    network = models.load("lenet_300_100").train()
    parameters = dict(network.named_parameters())
    scores = {name: torch.zeros_like(p) for name, p in parameters.items() if p.dim() > 1}
    masks: dict[str, Tensor] = {}
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def hide() -> None:
        with torch.no_grad():
            for name, mask in masks.items():
                parameters[name].mul_(mask)

    for t in range(steps):
        if t % 5 == 0:
            rank = scores if criterion == "movement" else {name: parameters[name].detach().abs() for name in scores}
            low = min(s.min() for s in rank.values())  # masks rank magnitudes, and scores may be negative
            target = cubic_sparsity(t, 0, int(0.7 * steps), 0.0, sparsity)
            masks = global_masks({name: s - low for name, s in rank.items()}, target)
        used = {n: (p * masks[n]).detach().requires_grad_() if n in masks else p for n, p in parameters.items()}
        i = torch.randint(len(images), (256,))
        optimizer.zero_grad()
        F.cross_entropy(functional_call(network, used, (images[i],)), labels[i]).backward()
        for name in masks:
            grad = used[name].grad
            assert grad is not None
            parameters[name].grad = grad  # straight through: pruned weights learn as well
            scores[name] -= grad * parameters[name].detach()
        optimizer.step()
        if criterion == "magnitude":
            hide()
    hide()
    return network.eval(), masks
