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

# What the weights of the small student are after `distill` with other settings.
OTHER_SETTINGS = (
    [0.91981, 1.07020, -0.19661, 0.21106, 0.92686, -0.07802, 0.07314, 1.07802],  # temperature 1
    [0.84998, 1.14041, -0.21761, 0.28438, 0.86489, -0.15673, 0.13511, 1.15673],  # alpha 0.5
    [1.07081, 1.23818, -0.24237, 0.24105, 1.07941, -0.22703, -0.07941, 1.22703],  # alpha 0.9
    [1.13385, 1.25391, -0.24135, 0.23510, 1.13234, -0.23563, -0.13234, 1.23563],  # alpha 1
    [0.73875, 1.05264, -0.17952, 0.32539, 0.73068, -0.08593, 0.26932, 1.08593],  # 1 - alpha
    [0.81470, 1.04508, -0.18871, 0.25060, 0.81734, -0.06650, 0.18266, 1.06650],  # temperature 1, alpha 0.5
    [1.03766, 1.32363, -0.26526, 0.28601, 1.06781, -0.31583, -0.06781, 1.31583],  # temperature 4
    [1.58709, 0.89723, 0.02719, 0.20830, 1.44370, 0.13361, -0.44370, 0.86639],  # one in the place of the other
)


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

TIMES = "The logits were multiplied by T; a higher temperature is softer, so divide."
AXIS = "The sum runs along the wrong axis: the classes are the last one."
NONE = "The temperature was not used."
SQUARE = "T² is missing: the teacher's part fades as the temperature grows."
REVERSED = "KL is reversed: it is KL(teacher ‖ student), weighted by the teacher's probabilities."
CLASSES = "The mean was taken over the classes as well: sum over classes, mean over the batch."
LOG = "A log is missing: KL compares logarithms of probabilities."
SWAPPED = "Alpha is swapped: it is the teacher's share."
LABELS_SOFT = "The labels' part was softened as well; it is plain cross-entropy, at temperature 1."
SUMMED = "The teacher's part was summed over the batch; average it."
KEPT = "The gradients of earlier batches were kept and added up: zero_grad before backward."
PASSED = (
    "temperature and alpha were not passed on as they are given (another number, or one in the place of the other)."
)
SKIPPED = "The regressor was skipped: the student's features go through it also where the channels agree."
SUM = "This is a sum; the mean squared error divides by the number of elements."
BEFORE = "Pooled before the regressor: it sees the student's features as they are."
TEACHERS = (
    "The teacher's features were pooled: they are the target as they are; the regressor's output is "
    "brought to their size."
)
NEAREST = "Only the nearest places count, as F.interpolate takes them; F.adaptive_avg_pool2d averages over all of them."
RAW = "The maps were not normalised: divide each row by its length."
BATCH = "Normalised over the batch: each sample has its own length."
SIGNED = "Square the features (or their absolute values) before the sum over the channels."
ABSOLUTE = "These are sums of absolute values; the features are squared before the sum."
MEAN = "Each row is divided by its sum; its L2 norm is the root of the sum of squares."
FEATURES = "The features were normalised; normalise the rows of the matrix G = f fᵀ."
N = "Divided by N; the matrix has N² entries."
NEVER = "The rows of the matrices were not normalised."
WHOLE = "The whole matrix was divided by its norm; each row has its own."
OF_LOGITS = "This is the mean of the logits; the mean is taken of the softened probabilities."
NO_T = "T was forgotten in front of the logarithm."
INSIDE = "T was forgotten inside: the members are softened at T before the mean."
TOTAL = "This is a sum over the members; divide by their number."
GEOMETRIC = "This is the mean of the log-probabilities; the mean is taken of the probabilities, then the logarithm."
ORDER = "The layers were sorted; they come in the order of keep."

SOFTEN_MISTAKES = {
    TIMES: [
        torch.tensor([[16 / 18, 1 / 18, 1 / 18], [1 / 273, 256 / 273, 16 / 273]]),
        torch.tensor([0.000123, 0.999877]),
        ...,
    ],
    AXIS: [torch.tensor([[2 / 3, 0.2, 1 / 3], [1 / 3, 0.8, 2 / 3]]), ..., ...],
    NONE: [torch.tensor([[2 / 3, 1 / 6, 1 / 6], [1 / 21, 16 / 21, 4 / 21]]), ..., ...],
}


def distillation_loss_mistakes(expected, zero_row) -> dict:
    """What mistakes in distillation_loss give."""
    return {
        SQUARE: (
            expected([[0.0625, -0.0625, 0.0], zero_row], ..., ..., ...),
            expected([[0.125, -0.125, 0.0], zero_row], ..., ..., ...),
        ),
        REVERSED: expected([[0.25993, -0.21661, -0.04332], zero_row], ..., ..., ...),
        CLASSES: expected([[1 / 12, -1 / 12, 0.0], zero_row], ..., ..., ...),
        LOG: expected([[0.03125, -0.046875, 0.015625], zero_row], ..., ..., ...),
        SWAPPED: expected([[1 / 3, -5 / 12, 1 / 12], [1 / 6, 1 / 6, -1 / 3]], ..., ..., ...),
        LABELS_SOFT: expected(..., ..., [[0.15625, -0.203125, 0.046875], [0.0625, 0.0625, -0.125]], ...),
        SUMMED: expected([[0.5, -0.5, 0.0], zero_row], ..., ..., ...),
    }


def distill_mistakes(expected) -> dict:
    """What mistakes in distill give."""
    return {
        KEPT: [expected([0.88706, 1.30290, -0.44417, 0.45950, 0.90438, -0.30218, 0.09562, 1.30218])],
        PASSED: tuple([expected(parameters)] for parameters in OTHER_SETTINGS),
    }


def hint_loss_mistakes(expected, single, expected_smaller, expected_taller) -> dict:
    """What mistakes in hint_loss give."""
    two_numbers = torch.zeros(1, 2, 1, 1)
    teacher_enlarged = expected(
        6.25,
        [[[[-0.5, 0.0], [-0.25, -0.25]], [[1.5, -2.5], [-1.5, 0.5]]]],
        two_numbers,
        [[[[-1.5]], [[-3.0]]], [[[-4.0]], [[3.0]]]],
    )
    first_place = expected(
        6.5,
        [[[[-2.0, 0.0], [0.0, 0.0]], [[6.0, 0.0], [0.0, 0.0]]]],
        two_numbers,
        [[[[-2.0]], [[-8.0]]], [[[3.0]], [[12.0]]]],
    )
    return {
        SKIPPED: [expected(9.0, [[[[-6.0]]]], single(4.0), [[[[0.0]]]]), ..., ...],
        SUM: [expected(4.0, [[[[-8.0]]]], single(4.0), [[[[-4.0]]]]), expected_smaller(2), ...],
        TEACHERS: ([..., ..., expected_taller(4.0)], [..., teacher_enlarged, ...]),
        NEAREST: [..., first_place, ...],
    }


ATTENTION_MAP_MISTAKES = {
    RAW: ([torch.tensor([[3.0, 4.0], [8.0, 12.0]]), ...], [torch.tensor([[1.0, 4 / 3], [8 / 3, 4.0]]), ...]),
    BATCH: (
        [torch.tensor([[0.35112, 0.31623], [0.93633, 0.94868]]), ...],
        [torch.tensor([[0.19652, 0.26203], [0.52405, 0.78608]]), ...],
    ),
    SIGNED: (
        [torch.tensor([[1.0, 4.0], [16.0, 4.0]]), ...],
        [torch.tensor([[0.24254, 0.97014], [0.97014, 0.24254]]), ...],
    ),
    ABSOLUTE: [torch.tensor([[0.83205, 0.5547], [0.5547, 0.83205]]), ...],
    MEAN: [torch.tensor([[3 / 7, 4 / 7], [0.4, 0.6]]), ...],
}


def similarity_loss_mistakes(expected) -> dict:
    """What mistakes in similarity_loss give."""
    return {FEATURES: expected(0.170806), N: expected(0.374109), NEVER: expected(9.444445), WHOLE: expected(0.088162)}


ENSEMBLE_LOGITS_MISTAKES = {
    OF_LOGITS: [torch.tensor([[1.098612, 0.0]]), ...],
    NO_T: ([torch.tensor([[-0.470004, -0.980829]]), ...], [torch.tensor([[-0.356675, -1.203973]]), ...]),
    INSIDE: [torch.tensor([[-0.713350, -2.407946]]), ...],
    TOTAL: [torch.tensor([[0.446287, -0.575364]]), ...],
    "These are probabilities; take T times their logarithm.": [torch.tensor([[0.625, 0.375]]), ...],
    GEOMETRIC: ([torch.tensor([[-0.980829, -2.079442]]), ...], [torch.tensor([[-0.490415, -1.039721]]), ...]),
}


def init_from_layers_mistakes(expected, states) -> dict:
    """What mistakes in init_from_layers give."""
    return {ORDER: [expected(states, [2, 0, 3], [True] * 4, [0, 2, 3]), ...]}
