"""What the test cells of lesson 05 call: small networks from plain data, checks, and how mistakes show."""

import torch
import torch.nn as nn
from torch import Tensor

from bonsai.testing import difference, require, show, stumbled

# Small networks for tests --------------------------------------------------------------------------------------------


def small_net(state: dict[str, Tensor]) -> nn.Sequential:
    """BatchNorm and Linear, or Linear, BatchNorm, ReLU and Linear, as the shapes of `state` say; in train mode."""
    parts: list[nn.Module] = []
    for name in sorted({key.split(".")[0] for key in state}, key=int):
        weight = state[f"{name}.weight"]
        while len(parts) < int(name):
            parts.append(nn.ReLU())
        if weight.dim() == 2:
            parts.append(nn.Linear(weight.shape[1], weight.shape[0], bias=f"{name}.bias" in state))
        else:
            parts.append(nn.BatchNorm1d(len(weight)))
    net = nn.Sequential(*parts)
    net.load_state_dict(state)
    return net


def drawn(widths: tuple[int, ...], rng: torch.Generator) -> dict[str, Tensor]:
    """A state for `small_net`: (in, out) or (in, hidden, out)."""
    n_in, *hidden, n_out = widths
    at = {0: n_in} if not hidden else {1: hidden[0]}
    state: dict[str, Tensor] = {}
    if hidden:
        state["0.weight"] = torch.randn(hidden[0], n_in, generator=rng)
        state["0.bias"] = torch.randn(hidden[0], generator=rng)
    for place, n in at.items():
        state[f"{place}.weight"] = 0.5 + torch.rand(n, generator=rng)
        state[f"{place}.bias"] = torch.randn(n, generator=rng)
        state[f"{place}.running_mean"] = torch.randn(n, generator=rng)
        state[f"{place}.running_var"] = 0.5 + 3 * torch.rand(n, generator=rng)
        state[f"{place}.num_batches_tracked"] = torch.tensor(5)
    last = 3 if hidden else 1
    state[f"{last}.weight"] = torch.randn(n_out, hidden[0] if hidden else n_in, generator=rng)
    if hidden:
        state[f"{last}.bias"] = torch.randn(n_out, generator=rng)
    return state


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    """The state as plain tensors of its own."""
    return {name: t.detach().clone() for name, t in model.state_dict().items()}


def modes(*nets: nn.Module) -> list[bool]:
    """`.training` of every submodule."""
    return [m.training for net in nets for m in net.modules()]


def flat(net: nn.Module) -> list[float]:
    """All numbers of a state in one list."""
    return torch.cat([t.detach().flatten().float() for t in net.state_dict().values()]).tolist()


def check_losses(losses: object, of_kl: list[float], entropies: list[float], what: str) -> None:
    """The losses before each step, those of KL or, the teacher's entropy more, of the soft cross-entropy."""
    right = isinstance(losses, (list, tuple)) and all(type(v) is float for v in losses)
    require(right, f"distill, {what}: expected a list of Python floats, yours {show(losses)}: loss.item() makes one")
    assert isinstance(losses, (list, tuple))
    require(
        len(losses) == len(of_kl), f"distill, {what}: expected {len(of_kl)} losses, one a batch, yours {len(losses)}"
    )
    both = [a + b for a, b in zip(of_kl, entropies, strict=True)]
    fits = [difference(list(losses), want, tol=1e-3) is None for want in (of_kl, both)]
    require(
        any(fits),
        f"distill, {what}: these are not the losses before each step\n  expected {show(of_kl)} (or, without the "
        f"teacher's entropy, {show(both)})\n  yours    {show(list(losses))}",
        f"distill, the losses of {what}",
    )


# What wrong answers look like ----------------------------------------------------------------------------------------


def _failed(got) -> bool:
    return stumbled(got)


def _close(a: Tensor, b: Tensor, tol: float = 1e-4) -> bool:
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), atol=tol, rtol=tol)


def _reaches(got, want, *_) -> bool:
    return not _failed(got) and bool(got["teacher"].abs().max() > 0)


def _cut_off(got, want, *_) -> bool:
    return isinstance(got, RuntimeError) and "does not require grad" in str(got)


TEACHER = "A gradient flows into the teacher: detach its part, it is a fixed target."
CUT = "No gradient reaches the logits: numpy, .item(), .data and .detach() cut it off."
CUT_FEATURES = "No gradient reaches the student: numpy, .item(), .data and .detach() cut it off."
NAN = "There is a nan: dividing by a length of 0, or the gradient of a square root at 0."

SYMPTOMS: dict[str, dict] = {
    "soften": {
        "Overflow: e to a large power is infinite; softmax subtracts the largest logit first.": lambda got, *_: bool(
            (~got.isfinite()).any()
        ),
        "The result should have the shape of the logits.": lambda got, want, *_: got.shape != want.shape,
    },
    "no gradient": {CUT: _cut_off},
    "distillation_loss": {
        TEACHER: _reaches,
        CUT: _cut_off,
        "The loss should be one number: mean over the batch.": lambda got, *_: (
            isinstance(got, RuntimeError) and "scalar outputs" in str(got)
        ),
        "There is a nan: the logarithm of a probability that is 0 in float32; use log_softmax.": lambda got, *_: bool(
            got["student"].isnan().any()
        ),
        "The gradient of a row does not sum to 0: the student's logits went in without (log-)softmax.": (
            lambda got, *_: bool((got["student"].sum(1).abs() > 1e-3).any())
        ),
    },
    "distill": {
        "The teacher is in train mode: its batch norms used the batch, and their statistics moved.": (
            lambda got, want, *_: not _close(got["teacher"], want["teacher"])
        ),
        "The student is in eval mode: its batch norms did not learn from the batches.": lambda got, want, student, *_: (
            _close(got["statistics"], torch.cat([t for n, t in student.items() if "running" in n]))
        ),
        "No gradient reaches the student: distillation_loss takes the student's logits first, then the teacher's.": (
            lambda got, *_: isinstance(got, RuntimeError) and "does not require grad" in str(got)
        ),
        "The teacher has gradients: ask it under torch.no_grad().": lambda got, *_: any(
            g is not None for g in got["teacher gradients"]
        ),
        "The modes were not restored: every submodule of both models is afterwards as it was.": lambda got, want, *_: (
            any(a != b for a, b in got["modes"])
        ),
    },
    "hint_loss": {
        TEACHER: _reaches,
        CUT_FEATURES: _cut_off,
        "The sizes do not agree: the regressor's output is brought to the height and to the width of the teacher's.": (
            lambda got, *_: isinstance(got, RuntimeError) and "must match the size" in str(got)
        ),
    },
    "attention_map": {
        NAN: lambda got, *_: bool(got.isnan().any()),
        CUT_FEATURES: _cut_off,
        "One row a sample: [N, H * W].": lambda got, want, *_: got.shape != want.shape and got.numel() == want.numel(),
    },
    "similarity_loss": {
        TEACHER: _reaches,
        CUT_FEATURES: _cut_off,
        "Flatten the features behind the batch axis first: G is [N, N].": lambda got, want, s, t: (
            _failed(got) and (s.dim() > 2 or t.dim() > 2)
        ),
    },
    "init_from_layers": {
        "The copies share tensors with the teacher: training the student changes it.": lambda got, want, *_: (
            got["teacher"] != want["teacher"]
        ),
        "Two of the copies share tensors: copy each layer by itself.": lambda got, want, *_: (
            got["filled"] != want["filled"]
        ),
        "The copies are in another mode (train or eval) than the originals.": lambda got, want, *_: (
            got["layers"] == want["layers"] and got["modes"] != want["modes"]
        ),
    },
}
