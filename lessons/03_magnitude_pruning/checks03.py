"""What the test cells of lesson 03 call: small networks from plain data, checks, and how mistakes show."""

import copy
import math
import re
import struct
from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from bonsai.scratch import HIDDEN_COMPRESSORS  # noqa: F401
from bonsai.testing import difference, name_of, raised, require, show

# Small networks for tests ---------------------------------------------------------------------------------------------


class Scaled(nn.Linear):
    """A module that is nearly, but not exactly, `nn.Linear`: not a layer in the course's sense."""


class Mixed(nn.Module):
    """A convolution, BatchNorm, dropout and linear layers at several depths; input [N, 1, 6, 6], 3 classes."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.wide = nn.Linear(64, 12)
        self.scaled = Scaled(12, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.block(x)).flatten(1)
        return self.head(F.relu(self.scaled(F.relu(self.wide(x)))))


NETS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Linear(2, 2, bias=False)),
    "chain": lambda: nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)),
    "two layers": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)),
    "mixed": Mixed,
    "batch norm": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
}
INPUTS = {"linear": ((2,), 2), "two layers": ((4,), 4), "mixed": ((1, 6, 6), 3), "batch norm": ((3,), 2)}
OPTIMIZERS: dict[str, Callable] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.5),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.5),
    "small steps": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "Nesterov, weight decay": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
}


def net(kind: str, state: dict[str, Tensor]) -> nn.Module:
    """One of the small networks with these weights, in train mode."""
    model = NETS[kind]()
    model.load_state_dict(state)
    return model


def prepare(kind: str, state: dict[str, Tensor], gradients: dict[str, Tensor]) -> nn.Module:
    """A small network that already has some gradients, every second module in train mode."""
    model = net(kind, state)
    for name, p in model.named_parameters():
        p.grad = gradients[name].clone() if name in gradients else None
    for i, module in enumerate(model.modules()):
        module.training = i % 2 == 0
    return model


def random_state(kind: str, seed: int, **scales: float) -> dict[str, Tensor]:
    """Normally distributed weights for a small network; a first name (`wide`) may have a scale of its own."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, t in NETS[kind]().state_dict().items():
        drawn = torch.randn(t.shape, generator=rng) * 0.5
        state[name] = drawn.abs() + 0.5 if name.endswith("var") else drawn * scales.get(name.split(".")[0], 1.0)
        if not t.is_floating_point():
            state[name] = torch.full_like(t, 3)
    return state


def random_batches(kind: str, seed: int, count: int, size: int = 8) -> list[tuple[Tensor, Tensor]]:
    """Batches that the small network can read."""
    rng = torch.Generator().manual_seed(seed)
    shape, classes = INPUTS[kind]
    draw = lambda: torch.randn(size, *shape, generator=rng) * 2  # noqa: E731
    return [(draw(), torch.randint(classes, (size,), generator=rng)) for _ in range(count)]


def copy_state(model: nn.Module) -> dict[str, Tensor]:
    return {name: t.detach().clone() for name, t in model.state_dict().items()}


def what_is_left(model: nn.Module) -> dict:
    """All that a function which restores a model has to restore, as plain data."""
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()]
    return {
        "gradients": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "state": copy_state(model),
        "training": {name: m.training for name, m in model.named_modules()},
        "hooks": hooks,
    }


def total(model: nn.Module) -> float:
    """A number that stands for an accuracy in tests: sum of k * |p| over all parameters, the first with k = 1."""
    return sum(k * p.detach().double().abs().sum().item() for k, p in enumerate(model.parameters(), 1))


def watch(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, list]:
    """What is seen at each optimizer step: zeros in each layer's weight, training mode, and the last input."""
    seen: dict[str, list] = {"zeros": [], "training": [], "inputs": []}
    last = [0.0]
    weights = [m.weight for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d)) and type(m) is not Scaled]

    def before(module, args):
        last[0] = args[0].double().sum().item()

    def step(*_):
        seen["zeros"].append([w.numel() - int(w.count_nonzero()) for w in weights])
        seen["training"].append(all(m.training for m in model.modules()))
        seen["inputs"].append(last[0])

    model.register_forward_pre_hook(before)
    optimizer.register_step_pre_hook(step)
    return seen


# Checks ---------------------------------------------------------------------------------------------------------------

INVERTED = "the mask is inverted: True marks a weight that is kept"

PLACES = "what argsort, sort or topk return are places in the tensor, not ranks: use them as indices"


def _places(mask: Tensor, importance: Tensor, removed: int) -> bool:
    """Whether the indices of a sorted tensor were compared with the number to remove, as if they were ranks."""
    flat, kept = importance.flatten(), mask.flatten()
    orders = (flat.argsort(), flat.argsort(descending=True), flat.topk(len(flat)).indices)
    limits = (removed - 1, removed) if 0 < removed < len(flat) else ()
    return any(torch.equal(kept, order > k) or torch.equal(kept, order <= k) for order in orders for k in limits)


def _judge(mask, importance: Tensor, signed: Tensor, removed: int, what: str, asked: float) -> None:
    """Whether a mask removes exactly `removed` weights, which is `asked` rounded, none larger than one that stays."""
    require(isinstance(mask, Tensor), f"{what}: expected a torch.Tensor, yours a {type(mask).__name__}")
    require(mask.dtype == torch.bool, f"{what}: expected a bool mask (True = kept), yours has dtype {mask.dtype}")
    right = mask.shape == importance.shape
    require(right, f"{what}: expected a mask of shape {tuple(importance.shape)}, yours {tuple(mask.shape)}")
    kept, gone = importance[mask], importance[~mask]
    found = f"\n  expected {removed} of {mask.numel()} removed\n  yours    {len(gone)} removed"
    if removed == 0:
        require(len(gone) == 0, f"{what}: it fails at sparsity 0, where nothing is to be removed{found}")
    upside = len(kept) > 0 and len(gone) > 0 and kept.max() < gone.min()
    require(not upside, f"{what}: {INVERTED}{found}")
    if len(gone) != removed:
        order = importance.flatten().sort().values
        tied = removed > 0 and (order == order[removed - 1]).sum() > 1
        ties = "a threshold takes all ties with it, or leaves them all; remove exactly as many as asked for"
        require(not tied, f"{what}: {ties}{found}")
        raise_count = (
            "the number was not rounded as round() does"
            if len(gone) in {math.floor(asked), math.ceil(asked)}
            else "the wrong number of weights"
        )
        if len(gone) not in {math.floor(asked), math.ceil(asked)}:
            beyond = bool(removed < mask.numel() and torch.equal(mask, importance > order[removed]))
            limit = "the smallest weight that is kept was removed as well: it equals the threshold, it is not below"
            require(not beyond, f"{what}: {limit}{found}")
            require(not _places(mask, importance, removed), f"{what}: {PLACES}{found}")
        require(False, f"{what}: {raise_count}{found}")
    if len(kept) and len(gone) and gone.max() > kept.min():
        value = bool(signed[~mask].max() <= signed[mask].min())
        require(value or not _places(mask, importance, removed), f"{what}: {PLACES}{found}")
        why = (
            "sorted by value: large negative weights matter, too"
            if value
            else "a removed weight is larger than a kept one"
        )
        require(False, f"{what}: {why}\n  largest removed {gone.max():.5g}, smallest kept {kept.min():.5g}")


def _call(exercise: Callable, first: Tensor | dict[str, Tensor], *more):
    """The result of a call on a copy, or its exception; and the call in words."""
    what = f"{name_of(exercise)}({', '.join(show(a, 40) for a in (first, *more))})"
    try:
        return exercise(copy.deepcopy(first), *more), what
    except NotImplementedError:
        raise
    except Exception as error:
        return error, what


def check_mask(exercise: Callable, cases: list[tuple[Tensor, float, int]]) -> None:
    """Cases of (weights, sparsity, how many are to be removed); any choice among equals is right."""
    for w, sparsity, removed in cases:
        mask, what = _call(exercise, w, sparsity)
        if isinstance(mask, Exception):
            why = "it fails at sparsity 0, where nothing is to be removed: " if removed == 0 else ""
            require(False, f"{what}: {why}expected a mask, yours {raised(mask)}")
        _judge(mask, w.abs(), w, removed, what, sparsity * w.numel())
    print(f"✓ {name_of(exercise)}: {len(cases)} cases")


def check_global(exercise: Callable, cases: list[tuple[dict[str, Tensor], float, int]]) -> None:
    """The same for masks over several tensors together."""
    for weights, sparsity, removed in cases:
        masks, _ = _call(exercise, weights, sparsity)
        what = (
            f"{name_of(exercise)}({{{', '.join(f'{n!r}: {tuple(w.shape)}' for n, w in weights.items())}}}, {sparsity})"
        )
        if isinstance(masks, Exception):
            require(False, f"{what}: expected masks, yours {raised(masks)}")
        names = isinstance(masks, dict) and set(masks) == set(weights)
        require(names, f"{what}: expected a dict with the keys {sorted(weights)}, yours {show(masks)}")
        for name, w in weights.items():
            mask = masks[name]
            require(isinstance(mask, Tensor), f"{what}: expected a tensor for {name!r}, yours a {type(mask).__name__}")
            require(
                mask.dtype == torch.bool, f"{what}: expected a bool mask for {name!r}, yours has dtype {mask.dtype}"
            )
            require(mask.shape == w.shape, f"{what}: {name!r} needs shape {tuple(w.shape)}, yours {tuple(mask.shape)}")
        gone = {n: int((~m).sum()) for n, m in masks.items()}
        shares = [(gone[n], sparsity * w.numel()) for n, w in weights.items()]
        alone = max(share for _, share in shares) >= 2 and all(n == round(share) for n, share in shares)
        flat, mask = (
            torch.cat([w.flatten() for w in weights.values()]),
            torch.cat([masks[n].flatten() for n in weights]),
        )
        try:
            _judge(mask, flat.abs(), flat, removed, what, sparsity * flat.numel())
        except AssertionError:
            own = "pruned per layer: each tensor lost the same share; sort the weights of all tensors together"
            require(not (alone and len(weights) > 1), f"{what}: {own}\n  yours removed {gone}")
            raise
    print(f"✓ {name_of(exercise)}: {len(cases)} cases")


def _groups_hold(mask: Tensor, importance: Tensor, n: int, m: int) -> bool:
    if importance.shape != mask.shape or importance.shape[1] % m:
        return False
    mask, importance = mask.reshape(-1, m), importance.reshape(-1, m)
    smallest = importance.masked_fill(~mask, torch.inf).amin(1)
    largest = importance.masked_fill(mask, -torch.inf).amax(1)
    return bool((mask.sum(1) == n).all() and (largest <= smallest).all())


def check_nm(exercise: Callable, cases: list[tuple[Tensor, int, int]]) -> None:
    """Cases of (weights [out, in], n, m) for n:m masks; any choice among equals is right."""
    for w, n, m in cases:
        mask, what = _call(exercise, w, n, m)
        axis = "the groups run along the wrong axis; they are m neighbours along `in`, the last axis"
        if isinstance(mask, Exception):
            why = f"{axis}: " if w.shape[0] % m and w.shape[1] % m == 0 else ""
            require(False, f"{what}: {why}expected a mask, yours {raised(mask)}")
        require(isinstance(mask, Tensor), f"{what}: expected a torch.Tensor, yours a {type(mask).__name__}")
        require(mask.dtype == torch.bool, f"{what}: expected a bool mask (True = kept), yours has dtype {mask.dtype}")
        require(mask.shape == w.shape, f"{what}: expected shape {tuple(w.shape)}, yours {tuple(mask.shape)}")
        if _groups_hold(mask, w.abs(), n, m):
            continue
        groups = mask.reshape(-1, m)
        runs = w.reshape(-1, m)
        at = next((i for i in range(len(runs)) if not _groups_hold(groups[i : i + 1], runs[i : i + 1].abs(), n, m)), 0)
        row, column = divmod(at * m, w.shape[1])
        place = f"row {row}, columns {column} to {column + m - 1}"
        found = f"\n  {place}: {show(runs[at])}\n  yours keeps {groups[at].tolist()}"
        strided = w.reshape(w.shape[0], m, -1).transpose(1, 2).reshape(w.shape)
        spread = mask.reshape(w.shape[0], m, -1).transpose(1, 2).reshape(w.shape)
        blocks, sizes = mask.reshape(m, -1).T, w.abs().reshape(m, -1).T
        turned = (
            _groups_hold(mask.T, w.T.abs(), n, m)
            or _groups_hold(spread, strided.abs(), n, m)
            or _groups_hold(blocks, sizes, n, m)
        )
        require(not turned, f"{what}: {axis}{found}")
        gone = (
            _groups_hold(~mask, w.abs(), n, m)
            or _groups_hold(mask, w.abs(), m - n, m)
            or _groups_hold(mask, -w.abs(), m - n, m)
        )
        require(not gone, f"{what}: n of the m weights are kept, yours prunes n (or prunes the largest){found}")
        require(not _groups_hold(mask, w, n, m), f"{what}: sorted by value; the magnitude decides{found}")
        require((groups.sum(1) == n).all(), f"{what}: expected exactly {n} kept in each group, ties too{found}")
        require(False, f"{what}: a removed weight is larger than a kept one of its group{found}")
    print(f"✓ {name_of(exercise)}: {len(cases)} cases")


def check_gradual(got: dict, case: str, sizes: dict[str, int], batches: list, wants: list[int], every: int) -> None:
    """The run of gradual_prune: steps, modes, batches, zeros at every step, and masks that agree with the model."""
    steps = len(wants)
    what = f"gradual_prune, {case}, {steps} steps, every {every}"
    require(len(got["zeros"]) == steps, f"{what}: expected {steps} optimizer steps, yours {len(got['zeros'])}")
    eval_steps = [t for t, mode in enumerate(got["training"]) if not mode]
    require(not eval_steps, f"{what}: the model was not in train mode at step {eval_steps[:1]}")
    inputs = [batches[t % len(batches)][0].double().sum().item() for t in range(steps)]
    found = difference(got["inputs"], inputs, 1e-6)
    require(found is None, f"{what}: the batches did not come in turn (step t takes batch t % {len(batches)})\n{found}")

    zeros, last = [sum(z) for z in got["zeros"]], (steps - 1) // every * every
    seen = f"\n  expected zeros before each step {wants}\n  yours                          {zeros}"
    masks = got["masks"]
    require(isinstance(masks, dict), f"{what}: expected a dict of masks, yours a {type(masks).__name__}")
    removed = sum(int((~m).sum()) for m in masks.values() if isinstance(m, Tensor) and m.dtype == torch.bool)
    own = "pruned per layer, each lost the same share; use one ranking over all layers"
    require(not _same_shares(got["zeros"][-1], sizes), f"{what}: {own}\n  zeros {got['zeros'][-1]} of {sizes}")
    others = set(masks) != set(sizes) and sum(zeros) > 0
    require(not others, f"{what}: expected masks for {list(sizes)}, yours for {list(masks)}")
    if zeros != wants:
        at = next(t for t in range(steps) if zeros[t] != wants[t])
        jump, late = last > 0 and zeros[0] == wants[-1], zeros[-1] < wants[-1]
        loose = any(z < zeros[t - t % every] for t, z in enumerate(zeros))
        for mistake, sentence in (
            (jump, "the sparsity jumps to its final value at once; it grows with cubic_sparsity"),
            (zeros == [0, *wants[:-1]], "the masks come a step too late: recompute before that step's forward pass"),
            (loose, "the masks were not held between the recomputations, pruned weights came back"),
            (late and removed == wants[-1], "the last mask came after the last step; training has to follow it"),
            (late, f"the last recomputation, at step {last}, has to reach the final sparsity"),
        ):
            require(not mistake, f"{what}: {sentence}{seen}")
        require(False, f"{what}: the sparsity is wrong at step {at}{seen}")

    require(set(masks) == set(sizes), f"{what}: expected masks for {list(sizes)}, yours for {list(masks)}")
    for name in sizes:
        m, w = masks[name], got["state"][name]
        require(isinstance(m, Tensor) and m.dtype == torch.bool, f"{what}: the mask of {name} should be a bool tensor")
        shapes = f"should have shape {tuple(w.shape)}, yours {tuple(m.shape)}"
        require(m.shape == w.shape, f"{what}: the mask of {name} {shapes}")
        alive = int(w[~m].count_nonzero())
        require(alive == 0, f"{what}: model and masks disagree: {alive} pruned weights of {name} are not 0")
    found = f"expected masks that remove {wants[-1]} weights, yours remove {removed}"
    require(removed == wants[-1], f"{what}: {found}")
    print(f"✓ {what}")


def _same_shares(zeros: list[int], sizes: dict[str, int]) -> bool:
    """Whether each layer lost the same share; not if that share is nothing or everything."""
    share = sum(zeros) / sum(sizes.values())
    return 0 < share < 1 and all(abs(z - share * n) <= 1 for z, n in zip(zeros, sizes.values(), strict=True))


def check_round_trip(encode: Callable, decode: Callable, w: Tensor, what: str, limit: float | None = None) -> None:
    """encode, decode, equal by value and shape; `limit`: bytes allowed as a share of the dense tensor's."""
    try:
        blob = encode(w)
    except (ValueError, OverflowError, struct.error) as error:
        wide = max(w.shape, default=0) > 255 and re.search("255|ubyte|range\\(0, 256\\)|byte must", str(error))
        require(
            not wide,
            f"{what}: one byte holds a size up to 255, and {max(w.shape, default=0)} is more\n  {raised(error)}",
        )
        raise
    require(isinstance(blob, bytes), f"{what}: encode_sparse should return bytes, yours a {type(blob).__name__}")
    back = decode(blob)
    require(isinstance(back, Tensor), f"{what}: decode_sparse should return a tensor, yours a {type(back).__name__}")
    found = f"expected shape {tuple(w.shape)}, yours {tuple(back.shape)}"
    require(back.shape == w.shape, f"{what}: the shape was lost: {found}")
    require(back.dtype == torch.float32, f"{what}: expected float32, yours {back.dtype}")
    wrong = difference(back, w)
    require(wrong is None, f"{what}: what comes back is not what went in\n{wrong}")
    if limit is not None:
        share, dense = len(blob) / (4 * w.numel()), (w != 0).float().mean().item()
        if dense > 0.5:
            why = "the dense form, when that is smaller, was forgotten: with few zeros, store the values as they are"
        elif share > 0.9:
            why = "the zeros are stored as well"
        else:
            why = "the indices take 16 bits or more for each kept weight; a bitmap takes 1 bit for every weight"
        seen = f"expected at most {limit} of the dense bytes at {100 * dense:.0f} % kept, yours {share:.4f}"
        require(share <= limit, f"{what}: {why}\n  {seen}")


def _pruned(state: dict[str, Tensor], masks: dict[str, Tensor]) -> bool:
    """Whether a pruned weight is not 0."""
    return any(bool(state[n][~m].any()) for n, m in masks.items())


def _still_trained(got: list, part: str, state: dict[str, Tensor], initial: dict, masks: dict) -> bool:
    """Whether an entry with `part` in its name kept its value after rewinding."""
    names = [n for n in state if n not in masks and part in n]
    return any(torch.equal(got[0][n], state[n]) and not torch.equal(state[n], initial[n]) for n in names)


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments.
SYMPTOMS: dict[str, dict] = {
    "cubic_sparsity": {
        "Where begin == end the sparsity is `final` from there on: it is `initial` only for step < begin.": (
            lambda got, want, step, begin, end, initial, final: step == begin == end and got == initial
        ),
        "Not clamped: before `begin` the sparsity is `initial`, from `end` on it is `final`.": (
            lambda got, want, step, begin, end, initial, final: step < begin or step >= end
        ),
    },
    "MaskedTrainer": {
        "The masks were not applied by __init__.": lambda got, want, kind, state, masks, *_: _pruned(got[0], masks),
        "Pruned weights came back: momentum moves a weight whose gradient is 0; mask the weights after the step.": (
            lambda got, want, kind, state, masks, *_: any(_pruned(s, masks) for s in got[1:])
        ),
    },
    "rewind": {
        "initial_state was changed, or the model shares its tensors; copy values, do not hand them over.": (
            lambda got, want, kind, state, initial, masks: difference(got[2], initial) is not None
        ),
        "The masks were applied the wrong way round: True keeps a weight.": (
            lambda got, want, kind, state, initial, masks: (
                _pruned(want[0], {n: ~m for n, m in masks.items()})
                and not _pruned(got[0], {n: ~m for n, m in masks.items()})
            )
        ),
        "The masks were not applied after rewinding.": lambda got, want, kind, state, initial, masks: _pruned(
            got[0], masks
        ),
        "The statistics of BatchNorm were forgotten: every entry of the state goes back, buffers too.": (
            lambda got, want, *args: any(_still_trained(got, p, *args[1:]) for p in ("running", "tracked"))
        ),
        "The biases were forgotten: every entry of the state goes back.": (
            lambda got, want, *args: _still_trained(got, "bias", *args[1:])
        ),
        "An entry was not put back: every entry of the state goes back, also what is not pruned.": (
            lambda got, want, *args: _still_trained(got, "", *args[1:])
        ),
        "The parameters were replaced by new ones, so an optimizer made before no longer moves them; copy in place.": (
            lambda got, want, *_: difference(got[0], want[0]) is None
        ),
    },
    "taylor_saliency": {
        "Only layers have a saliency: one entry for each nn.Linear and nn.Conv2d, under the name of its weight.": (
            lambda got, want, *_: set(got) != set(want)
        ),
    },
}


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

SQUARES = "Squares before summing: add the gradients of all batches first, then square once."
ALONE = "This is the gradient alone; the weight belongs into it."
PLAIN = "Not squared: the importance is (w * g)²."
MEAN = "The mean over the batches was taken; the gradients are summed."
SUMMED = "The loss of a batch is the mean over its samples, as F.cross_entropy gives it, not their sum."
CUMULATIVE = "Cumulative: each measurement starts from the original weights of the whole model."
NOT_RESTORED = "the model is not restored at the end"
NO_ZERO = "The gradients of earlier steps were added up: no zero_grad."
LATE_ZERO = "The first step adds to gradients from before: clear them before backward, not after the optimizer's step."
NO_STEP = "No weight moved: is zero_grad before backward, and optimizer.step() called after it?"
SQUARE = "The square of 1 - u; it is the third power."
SLOW = "Slow first: this grows with u³; the schedule of Zhu and Gupta is fast first and has (1 - u)³."


def restoring_mistakes(want: list[dict]) -> dict:
    """What mistakes in taylor_saliency leave, by the part of a model that differs first: the one that is shown."""

    def first(got: list[dict]) -> str:
        pairs = [(g[key], w[key], key) for g, w in zip(got, want, strict=True) for key in w]
        return next(key for g, w, key in pairs if difference(g, w) is not None)

    return {
        "it leaves gradients behind, or loses those that were there; put each .grad back": lambda g: (
            first(g) == "gradients"
        ),
        "the .training of a submodule is not restored: model.train(mode) gives all of them one mode, so note each": (
            lambda g: first(g) == "training"
        ),
        "the model is not restored: values, buffers or hooks have changed": lambda g: True,
    }


def taylor_saliency_mistakes(expected) -> dict:
    """What mistakes in taylor_saliency give."""
    return {
        SQUARES: (
            expected(1.064206, 3.967550, 0.266051, 8.926989),
            expected(1.599899, 3.994212, 0.399975, 8.986979),
            expected(0.532103, 1.983775, 0.133026, 4.463495),  # the mean of the squares
        ),
        ALONE: (expected(0.528512, 0.985222, 0.528512, 0.985222), expected(0.726988, 0.992583, 0.726988, 0.992584)),
        PLAIN: (expected(0.726988, 1.985167, 0.363494, 2.977751), expected(0.726988, 1.985167, -0.363494, 2.977751)),
        MEAN: expected(0.132128, 0.985222, 0.033032, 2.216750),
        SUMMED: expected(0.209807, 3.9144, 0.052452, 8.8073),
    }


def sensitivity_scan_mistakes(expected) -> dict:
    """What mistakes in sensitivity_scan give."""
    return {
        CUMULATIVE: (
            expected([16.5, 15.0, 15.0], [15.0, 13.0, 13.0]),
            expected([16.5, 15.0, 16.0], [16.0, 14.0, 16.0]),
            expected([16.5, 15.0, 15.0], [16.5, 14.5, 14.5]),
        ),
        "All the named parameters were pruned at once; prune one alone.": expected(
            [16.5, 13.0, 16.0], [16.5, 13.0, 16.0]
        ),
    }


SCAN_NOT_RESTORED = {NOT_RESTORED: lambda got: True}


def maskedtrainer_mistakes(expected) -> dict:
    """What mistakes in MaskedTrainer give."""
    return {
        NO_ZERO: expected([[1.0, 0.0], [3.0, 4.0]], [[0.5, 0.0], [2.5, 3.5]], [[-0.5, 0.0], [1.5, 2.5]]),
        NO_STEP: expected(*3 * [[[1.0, 0.0], [3.0, 4.0]]]),
    }


CUBIC_SPARSITY_MISTAKES = {
    SLOW: ([0.1, ..., ..., ..., ..., ...], [..., 0.53125, ..., ..., ..., ...], [..., 0.09375, ..., ..., ..., ...]),
    SQUARE: [0.6, 0.6875, 0.0, 0.8, 0.25, 0.8],
}


ENCODE_SPARSE_MISTAKES = {"The shape was lost, or an empty tensor cannot be encoded.": lambda *_: True}
