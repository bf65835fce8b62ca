"""What the test cells of lesson 04 call: layers and chains from plain data, checks, and how mistakes show."""

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.fx
import torch.nn as nn
from lesson04 import attend, attend_zeroed, layer, masked_output
from torch import Tensor

from bonsai.testing import expect, require, stumbled

# Chains as plain data ------------------------------------------------------------------------------------------------


def build(spec: list[tuple[str, str, dict]], state: dict[str, Tensor] | None = None) -> nn.Sequential:
    """A flat Sequential in eval mode from (name, class in torch.nn, its options), with the tensors of `state`."""
    model = nn.Sequential(OrderedDict((name, getattr(nn, kind)(**options)) for name, kind, options in spec))
    if state is not None:
        model.load_state_dict(state)
    return model.eval()


def drawn(spec: list[tuple[str, str, dict]], seed: int) -> dict[str, Tensor]:
    """A state for `build(spec)`: normal weights, and batch norms whose statistics, scales and shifts all matter."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, old in build(spec).state_dict().items():
        if old.dtype == torch.int64:  # the counter of a batch norm
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (name.endswith("weight") and old.dim() == 1):
            state[name] = 0.5 + torch.rand(old.shape, generator=rng)
        else:
            state[name] = torch.randn(old.shape, generator=rng) / max(1, old[0].numel()) ** 0.5
    return state


SETTINGS_OF = {
    "Conv2d": ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"),
    "Linear": ("in_features", "out_features"),
    "BatchNorm2d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
}


@torch.no_grad()
def facts(new: nn.Module, old: nn.Module, x: Tensor | None = None) -> dict:
    """What can be said about a layer made from another one, as plain data; then the new one is filled with 9.

    Returns:
        its `settings`, its `state`, its `output` for x (if given), the `bytes` that its tensors hold in memory, and
        the state of the `old` layer after all this.
    """
    kind = next(name for name in SETTINGS_OF if isinstance(old, getattr(nn, name)))
    said: dict = {"settings": {name: getattr(new, name) for name in SETTINGS_OF[kind]}}
    said["state"] = {name: t.clone() for name, t in new.state_dict().items()}
    said["bytes"] = sum(t.untyped_storage().nbytes() for t in new.state_dict().values())
    if x is not None:
        try:
            said["output"] = new(x).clone()
        except (RuntimeError, ValueError) as error:
            said["output"] = f"the new layer raised {type(error).__name__}: {error!s:.80}"
    for t in new.state_dict().values():
        t.fill_(9)
    said["old"] = {name: t.clone() for name, t in old.state_dict().items()}
    return said


def wanted(kind: str, options: dict, state: dict[str, Tensor], old: dict[str, Tensor], x: Tensor | None = None) -> dict:
    """What `facts` should say: settings and state of the new layer are given, the old one's state is unchanged."""
    said = facts(layer(kind, options, state), layer(kind, options, state), x)
    return said | {"old": old}


# Attention -----------------------------------------------------------------------------------------------------------


def attention(embed: int, heads: int, state: dict[str, Tensor]) -> nn.MultiheadAttention:
    """A batch-first attention in eval mode with the tensors of `state`."""
    attn = nn.MultiheadAttention(embed, heads, bias="in_proj_bias" in state, batch_first=True)
    attn.load_state_dict(state)
    return attn.eval()


STACKED = "q, k and v stand one below the other in in_proj_weight: chunk it, and take rows, along axis 0"
OWNS = "head h owns h * d to (h + 1) * d - 1 of the rows of q, k and v, and of out_proj's columns"
KEPT = "the heads given were kept, they are to be removed"


def explain(error: Exception, what: str) -> None:
    """Say where an error of prune_heads may come from, if it is a well-known one."""
    none = "without biases in_proj_bias and out_proj.bias are None, and the result has none"
    require("NoneType" not in str(error), f"{what}: {none}; yours raised {error}")
    require(
        not isinstance(error, IndexError), f"{what}: an index is too large. {STACKED}; {OWNS}; yours raised {error}"
    )


def check_heads(
    weights: dict[str, Tensor], attn: nn.MultiheadAttention, heads: list[int], x: Tensor, what: str
) -> None:
    """Keys, shapes, where rows and columns come from, and the output, against the attention whose heads are zeroed."""
    keys = {"q_weight", "k_weight", "v_weight", "out_weight"}
    biased = attn.in_proj_bias is not None
    if biased:
        keys |= {"q_bias", "k_bias", "v_bias", "out_bias"}
    got = sorted(map(str, weights)) if isinstance(weights, dict) else type(weights).__name__
    require(
        isinstance(weights, dict) and set(weights) == keys, f"{what}: expected the keys {sorted(keys)}, yours {got}"
    )
    d, embed = attn.head_dim, attn.embed_dim
    left, gone = (attn.num_heads - len(heads)) * d, len(heads) * d
    if biased:
        n = len(weights["out_bias"])
        require(
            n == embed, f"{what}: the out bias was shrunk: it belongs to the {embed} outputs, yours has {n} entries"
        )
    wants = {f"{p}_{t}": (left, embed) if t == "weight" else (left,) for p in "qkv" for t in ("weight", "bias")}
    wants |= {"out_weight": (embed, left), "out_bias": (embed,)}
    counted = {embed: "nothing was removed", gone: KEPT, left // d: "this is one row a head, a head has d"}
    for key in sorted(keys, key=lambda key: (key.endswith("bias"), key)):
        shape, want = tuple(weights[key].shape), wants[key]
        whys = [
            f"{why}; " for n, why in counted.items() if shape == tuple(n if size == left else size for size in want)
        ]
        if key[1:] == "_weight" and shape[-1:] != (embed,):
            whys = [f"{STACKED}; "]
        require(shape == want, f"{what}: {''.join(whys[:1])}expected {key} of shape {want}, yours {shape}")
    for i, part in enumerate("qkv"):
        block = slice(i * embed, (i + 1) * embed)
        same = (weights[f"{part}_weight"][:, None] == attn.in_proj_weight.detach()[block]).all(dim=2)
        message = f"{what}: q, k, v blocks mixed: in_proj_weight is all of q, then all of k, then all of v"
        require(bool(same.any(dim=1).all()), f"{message}; a row of {part}_weight does not come from the rows of {part}")
        rows = same.int().argmax(dim=1)
        owners = set((rows // d).tolist())
        why = KEPT if owners == set(heads) else f"{part}_weight has rows of heads that are to be removed; {OWNS}"
        require(not owners & set(heads), f"{what}: {why}; yours has rows of the heads {sorted(owners)}")
        if biased:
            cut = _same(weights[f"{part}_bias"], attn.in_proj_bias.detach()[block][rows])
            require(cut, f"{what}: {part}_bias has other entries than {part}_weight has rows; one list cuts both")
    cut = _same(weights["out_weight"], attn.out_proj.weight.detach()[:, rows])
    require(cut, f"{what}: out_weight has other columns than v_weight has rows; {OWNS}")
    with torch.no_grad():
        right, output = attend_zeroed(attn, heads, x), attend(weights, d, x)
    # sums of at most 100 products of size 1 in float32, in another order
    expect(output, right, f"{what}: the output, against zeroed heads", tol=1e-4)


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments. -------------

SHARED = "It shares memory with the old layer (a view of the old storage, or the same Parameter): copy what is kept."
SETTINGS = "A setting was lost; the new layer has all those of the old one."
NUMBERS = "The tensors were cut, but the new layer's number of inputs, outputs or features is still the old one."
REMOVED = "What `keep` names was removed; it is what stays."
ORDER = "The same weights stand in another order: `keep` says the order, too."
AXES = "An index was used on the wrong axis: outputs are axis 0 of the weight, inputs axis 1."
TRUTH = "An index has no truth value, and a lone 0 counts as false: ask `is None`, in place of `if keep` or `or`."
NONE = "None was taken for a tensor: without a bias `bias` is None, and None as an index stands for all."
FRESH = "The new layer still has the random weights that it began with: copy those that stay into it."
BIAS_MADE = "The new layer has a bias, the old one has none."
BIAS_LOST = "The bias was lost: it loses the same entries as the outputs."
BIAS_OTHER = "The bias has other entries than the outputs: the index of the outputs cuts it, too."


def _failed(got) -> bool:
    return stumbled(got)


def _same(a, b) -> bool:
    """Whether two tensors, or Nones, are equal."""
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), atol=1e-5)


def _permuted(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.flatten().sort().values, b.flatten().sort().values)


def _shared(got, want, *_) -> bool:
    own = sum(t.numel() * t.element_size() for t in got["state"].values())
    return not _equal(got["old"], want["old"]) or got["bytes"] > own


def _those(t: Tensor, keep: Tensor | None, axis: int = 0) -> Tensor:
    """What `keep` names along an axis; for None all."""
    return t if keep is None else t.index_select(axis, keep)


def _others(t: Tensor, keep: Tensor | None, axis: int = 0) -> Tensor:
    """What `keep` does not name along an axis; for None all."""
    left = [c for c in range(t.shape[axis]) if keep is None or c not in keep.tolist()]
    return t.index_select(axis, torch.tensor(left, dtype=torch.int64))


def _old_numbers(got, want, old: dict[str, int]) -> bool:
    """Whether the tensors are right and a number of channels is still that of the old layer."""
    mine, right = got["settings"], want["settings"]
    return _equal(got["state"], want["state"]) and any(mine[n] == old[n] != right[n] for n in old)


def _instead(got, want, weight: Tensor) -> bool:
    """Whether this weight stands in the place of the right one."""
    return not _equal(got["state"], want["state"], "weight") and _same(got["state"]["weight"], weight)


def _fresh(got, old: Tensor) -> bool:
    return not torch.isin(got["state"]["weight"], old).any()


def _only_bias_wrong(got, want) -> bool:
    return _equal(got["state"], want["state"], "weight") and not _equal(got["state"], want["state"], "bias")


SHRUNK: dict[str, Callable] = {  # of a convolution or a linear layer
    TRUTH: lambda got, *_: "Boolean value of Tensor" in str(got),
    NONE: lambda got, *_: isinstance(got, Exception) and "NoneType" in str(got),
    BIAS_MADE: lambda got, want, *_: "bias" in got["state"] and "bias" not in want["state"],
    BIAS_LOST: lambda got, want, *_: _only_bias_wrong(got, want) and "bias" not in got["state"],
    BIAS_OTHER: lambda got, want, *_: _only_bias_wrong(got, want) and "bias" in got["state"],
}


def _equal(got: dict, want: dict, *names: str) -> bool:
    """Whether two states agree in the tensors of these names (none: all), where they should be there."""
    return all(_same(got.get(name), t) for name, t in want.items() if name in names or not names)


def _inputs(got, want, spec) -> list[tuple[int, int, int]]:
    """Inputs of each convolution and linear layer: yours, expected, and those of the old chain."""
    old = [o.get("in_channels", o.get("in_features")) for _, kind, o in spec if kind in ("Conv2d", "Linear")]
    return [(g[1][1], w[1][1], o) for g, w, o in zip(got["layers"], want["layers"], old, strict=True)]


def _behind_whole(got, want, spec, keep) -> bool:
    """Whether the first layer with a wrong number of inputs stands behind one that is not pruned."""
    names = [name for name, kind, _ in spec if kind in ("Conv2d", "Linear")]
    wrong = [i for i, (mine, right, _) in enumerate(_inputs(got, want, spec)) if mine != right]
    return bool(wrong) and wrong[0] > 0 and names[wrong[0] - 1] not in keep


def _other_channels(state, keep) -> dict[str, Tensor]:
    """What `keep` does not name of each layer in it."""
    return {name: _others(torch.arange(len(state[f"{name}.weight"])), kept) for name, kept in keep.items()}


def _spread(spec, keep) -> bool:
    """Whether a linear layer reads a pruned convolution, several columns a channel."""
    layers = [(name, o) for name, kind, o in spec if kind in ("Conv2d", "Linear")]
    made = [(name, o.get("out_channels"), o.get("in_features")) for name, o in layers]
    pairs = itertools.pairwise(made)
    return any(first[0] in keep and first[1] and second[2] and second[2] > first[1] for first, second in pairs)


def _adds(amount: Callable, got, gammas, strength) -> bool:
    """Whether the penalty is `strength` times the sum of this amount over the gammas."""
    total = strength * sum(amount(g).item() for g in gammas if g is not None)
    return math.isclose(got["penalty"], total, rel_tol=1e-4, abs_tol=1e-9)


def _outputs(layers) -> list[int]:
    return [shape[0] for _, shape in layers]


SYMPTOMS: dict[str, dict] = {
    "filter_importance": {
        "The scores ran along the wrong axis: a filter is weight[o], so one score an output channel.": (
            lambda got, want, w, *_: isinstance(got, Tensor) and got.shape != (len(w),)
        ),
    },
    "taylor_importance": {
        "Channel and batch are mixed up: axis 0 is the batch, axis 1 the channels.": lambda got, want, a, g: (
            got.shape != want.shape and got.shape == (len(a),)
        ),
        "A linear layer has no axes of space: `[N, C]` is allowed.": lambda got, want, a, g: (
            _failed(got) and a.dim() == 2
        ),
        "There can be any number of axes of space, not two alone.": lambda got, want, a, g: (
            isinstance(got, IndexError) and a.dim() != 4
        ),
        "One score a channel is asked for: take the mean over the batch.": lambda got, want, a, g: (
            got.shape == a.shape[:2] != want.shape
        ),
    },
    "shrink_conv": {
        **SHRUNK,
        NUMBERS: lambda got, want, options, *_: _old_numbers(
            got, want, {n: options[n] for n in ("in_channels", "out_channels")}
        ),
        "The groups were lost: a depthwise layer keeps as many groups as channels, and either index decides both.": (
            lambda got, want, options, *_: (
                options.get("groups", 1) > 1
                and (_failed(got) or got["settings"]["groups"] != want["settings"]["groups"])
            )
        ),
        "Nothing was removed: the new layer has as many channels as the old one.": lambda got, want, options, *_: (
            got["settings"] != want["settings"]
            and all(got["settings"][side] == options[side] for side in ("in_channels", "out_channels"))
        ),
        FRESH: lambda got, want, options, state, *_: _fresh(got, state["weight"]),
        REMOVED: lambda got, want, options, state, keep_out, keep_in, *_: _instead(
            got, want, _others(_others(state["weight"], keep_out), keep_in, 1)
        ),
        ORDER: lambda got, want, *_: (
            not _equal(got["state"], want["state"], "weight")
            and _permuted(got["state"]["weight"], want["state"]["weight"])
        ),
        "weight[keep_out, keep_in] takes pairs: cut one axis after the other.": lambda got, *_: (
            "could not be broadcast" in str(got) or got["state"]["weight"].dim() == 3
        ),
        AXES: lambda got, want, options, state, keep_out, keep_in, *_: (
            isinstance(got, IndexError) or _instead(got, want, _those(_those(state["weight"], keep_in), keep_out, 1))
        ),
        "The weight has other entries than `keep_out` and `keep_in` name.": lambda got, want, *_: (
            not _equal(got["state"], want["state"], "weight")
        ),
        SETTINGS: lambda got, want, *_: got["settings"] != want["settings"],
        SHARED: _shared,
    },
    "shrink_batchnorm": {
        "None was taken for a tensor: a batch norm can be without gamma and beta, or without running statistics.": (
            lambda got, *_: isinstance(got, Exception) and "NoneType" in str(got)
        ),
        "The counter, num_batches_tracked, is a single number: copy it as it is.": lambda got, *_: (
            isinstance(got, IndexError) and "dimension 0" in str(got)
        ),
        "The new layer has tensors that the old one is without: pass affine and track_running_stats on.": (
            lambda got, want, *_: (
                "Missing key" in str(got) if isinstance(got, Exception) else set(got["state"]) > set(want["state"])
            )
        ),
        NUMBERS: lambda got, want, options, *_: _old_numbers(got, want, {"num_features": options["num_features"]}),
        REMOVED: lambda got, want, options, state, keep: (
            not _equal(got["state"], want["state"])
            and any(_same(got["state"][name], _others(t, keep)) for name, t in state.items() if t.dim())
        ),
        ORDER: lambda got, want, *_: (
            not _equal(got["state"], want["state"])
            and all(_permuted(got["state"][name], t) for name, t in want["state"].items())
        ),
        "The buffers were forgotten: running mean, running variance and the counter belong to the layer as well.": (
            lambda got, want, *_: (
                not _equal(got["state"], want["state"], "num_batches_tracked")
                or (got["state"]["running_mean"] == 0).all()
                or (got["state"]["running_var"] == 1).all()
            )
        ),
        SETTINGS: lambda got, want, *_: got["settings"] != want["settings"],
        "Gamma or beta was forgotten.": lambda got, *_: (
            (got["state"]["weight"] == 1).all() or (got["state"]["bias"] == 0).all()
        ),
        "A tensor has other entries than those that `keep` names.": lambda got, want, *_: (
            not _equal(got["state"], want["state"])
        ),
        SHARED: _shared,
    },
    "shrink_linear": {
        **SHRUNK,
        NUMBERS: lambda got, want, state, *_: _old_numbers(
            got, want, dict(zip(("out_features", "in_features"), state["weight"].shape, strict=True))
        ),
        AXES: lambda got, *_: isinstance(got, IndexError),
        FRESH: lambda got, want, state, *_: _fresh(got, state["weight"]),
        REMOVED: lambda got, want, state, keep_in, keep_out, spatial: _instead(
            got, want, _others(_others(state["weight"], keep_out).unflatten(1, (-1, spatial)), keep_in, 1).flatten(1)
        ),
        ORDER: lambda got, want, *_: (
            not _equal(got["state"], want["state"], "weight")
            and _permuted(got["state"]["weight"], want["state"]["weight"])
        ),
        "`spatial` was ignored: each channel is `spatial` neighbouring columns.": (
            lambda got, want, state, keep_in, keep_out, spatial: (
                spatial > 1 and keep_in is not None and (_failed(got) or got["settings"]["in_features"] == len(keep_in))
            )
        ),
        "An index was not used: the new layer has as many outputs, or inputs, as the old one.": (
            lambda got, want, state, *_: any(
                mine == old != right
                for mine, old, right in zip(
                    got["state"]["weight"].shape, state["weight"].shape, want["state"]["weight"].shape, strict=True
                )
            )
        ),
        "The columns are in interleaved order: those of channel c are c * spatial to (c + 1) * spatial - 1.": (
            lambda got, want, state, keep_in, keep_out, spatial: _instead(
                got, want, _those(_those(state["weight"], keep_out).unflatten(1, (spatial, -1)), keep_in, 2).flatten(1)
            )
        ),
        "The indices name other rows or columns: channel c is the columns c * spatial to (c + 1) * spatial - 1.": (
            lambda got, want, *_: not _equal(got["state"], want["state"], "weight")
        ),
        SHARED: _shared,
    },
    "prune_chain": {
        REMOVED: lambda got, want, what, spec, state, keep, x: (
            _same(got["output"], masked_output(build(spec, state), _other_channels(state, keep), x))
            and not _same(got["output"], want["output"])
        ),
        "An index is too large: it counts channels before any cut; cut each layer once, by its own and the last one.": (
            lambda got, *_: isinstance(got, (IndexError, ZeroDivisionError))
        ),
        "The channels are still there: the layers that `keep` names have fewer outputs.": lambda got, want, *_: (
            _outputs(got["layers"]) != _outputs(want["layers"])
        ),
        "The next layer was not shrunk: it reads only the channels that are left.": lambda got, want, what, spec, *_: (
            any(mine == old != right for mine, right, old in _inputs(got, want, spec))
        ),
        "A layer that `keep` does not name keeps all its channels, and the layer behind it reads all of them.": (
            lambda got, want, what, spec, state, keep, *_: (
                (isinstance(got, KeyError) and str(got).strip("'\"") in {name for name, *_ in spec} - set(keep))
                or _behind_whole(got, want, spec, keep)
            )
        ),
        "The next layer has the wrong number of inputs: behind a flatten each channel is H * W columns.": (
            lambda got, want, what, spec, *_: any(mine != right for mine, right, _ in _inputs(got, want, spec))
        ),
        "The batch norm was not shrunk: it belongs to the channels of the layer before it.": lambda got, want, *_: (
            got["batch norms"] != want["batch norms"]
        ),
        "The old model was changed; work on copies.": lambda got, want, *_: not _equal(got["old"], want["old"]),
        "Layers that were not pruned are shared with the old model: copy them, training the new one changes it.": (
            lambda got, want, *_: (
                _equal(got["old"], want["old"])
                and not _equal(
                    got["old after the new one was filled with 9"], want["old after the new one was filled with 9"]
                )
            )
        ),
        "The flatten order is wrong: a channel is H * W neighbouring columns of the linear layer, c * H * W and on.": (
            lambda got, want, what, spec, state, keep, *_: (
                isinstance(got["output"], Tensor)
                and not torch.allclose(got["output"], want["output"], atol=1e-4)
                and _spread(spec, keep)
            )
        ),
        "The sizes are right, the numbers are not: look at the order of channels and at what batch norms hold.": (
            lambda got, want, *_: isinstance(got["output"], Tensor)
        ),
    },
    "slimming_penalty": {
        "A batch norm with affine=False has no gamma: its weight is None.": lambda got, want, gammas, strength: (
            isinstance(got, Exception) and "NoneType" in str(got) and any(g is None for g in gammas)
        ),
        "Without any gamma the penalty is 0.0.": lambda got, want, gammas, strength: (
            _failed(got) and all(g is None for g in gammas)
        ),
        "A scalar is asked for, with no axes: add all magnitudes up to one number.": lambda got, *_: (
            isinstance(got, str) and got.startswith("a tensor of shape")
        ),
        "No gradient reaches gamma: .data, .detach() or .item() cut the penalty off.": lambda got, want, *case: (
            _adds(lambda g: g.abs().sum(), got, *case) and "no gradient" in map(str, got["gradients"])
        ),
        "The betas (bn.bias) are in it, too; the penalty is on gamma alone.": lambda got, want, *case: _adds(
            lambda g: g.abs().sum() + len(g), got, *case
        ),
        "The absolute value is missing.": lambda got, want, *case: _adds(lambda g: g.sum(), got, *case),
        "The absolute value comes before the sum, for each gamma.": lambda got, want, *case: _adds(
            lambda g: g.sum().abs(), got, *case
        ),
        "These are squares; the penalty adds absolute values.": lambda got, want, *case: _adds(
            lambda g: g.square().sum(), got, *case
        ),
        "This is a mean over the channels; the penalty is a sum.": lambda got, want, *case: _adds(
            lambda g: g.abs().mean(), got, *case
        ),
        "`strength` is not in it.": lambda got, want, gammas, strength: (
            strength != 1 and _adds(lambda g: g.abs().sum(), got, gammas, 1)
        ),
        "Not every batch norm counts: add up over model.modules(), which are those at any depth.": (
            lambda got, want, gammas, strength: (
                not math.isclose(got["penalty"], want["penalty"], rel_tol=1e-4)
                and (got["penalty"] == 0 or _adds(lambda g: g.abs().sum(), got, gammas[:1], strength))
            )
        ),
        "Other layers than BatchNorm2d count as well.": lambda got, want, *_: got["gradients elsewhere"] > 0,
    },
    "coupled_groups": {
        "A layer is in two groups: groups that share a layer are one, along chains of adds as well.": (
            lambda got, *_: len({name for group in got for name in group}) < sum(len(group) for group in got)
        ),
        "Nodes without inputs are named; only conv and linear layers are.": lambda got, want, graph: any(
            not graph[name][1] for group in got for name in group
        ),
        "Nodes of other kinds are named; only conv and linear layers are.": lambda got, want, graph: any(
            graph[name][0] not in ("conv", "linear") for group in got for name in group
        ),
        "A group of one is no group: its layer is free.": lambda got, want, graph: any(len(group) < 2 for group in got),
    },
    "channels_for_macs": {
        "The indices should ascend.": lambda got, want, *_: all(_same(got[n].sort().values, want[n]) for n in want),
    },
}


# Wrong answers, under the sentences that name them ------------------------------------------------------------------

AXIS = "The scores ran along the wrong axis: a filter is weight[o], so one score an output channel."
SIGNED = "The weights were summed with their signs: take absolute values first."
OTHER = "This is the order of the other norm."
EARLY = "The absolute value was taken too early: first sum over space, then take it."
LATE = "The absolute value was taken too late: it comes before the mean over the batch."
MIXED = "Channel and batch are mixed up: axis 0 is the batch, axis 1 the channels."
PLACE = "This is a mean over space; the places of one image are summed."
PARAMS = (
    "These channels fit a budget of parameters, or the ratio itself; count the multiply-accumulates of "
    "the pruned chain."
)
INPUT = (
    "The input side of the next layer was forgotten: its inputs shrink as well, which leaves room for more channels."
)
EVEN = "Of two numbers equally near, `round` takes the even one."
LEAST = "These are the least important channels."
FLOOR = "The number was cut off, or rounded up; it is round(f * C)."
DIRECT = "Only direct pairs were found; channels also pass through other nodes on their way to an addition."
STOPS = "The search stops at a BN or ReLU; they pass channels on."
UNMERGED = "Chains of adds were not merged: what is added to a sum joins its group."
ONE_INPUT = "Layers that are added to the same input belong together; the input itself is not named."
OVERWRITTEN = "A second addition of the same layer overwrites the first: join whole groups, parent[find(a)] = find(b)."
JOINED = "Convolutions or linear layers were joined with what they read; they make channels of their own."
LINEAR = "Linear layers were passed over; they make channels and are named, as convolutions are."
FEW = "Only some kinds of nodes were thought of; every kind but conv, linear and add passes channels on."

FILTER_IMPORTANCE_MISTAKES = {
    AXIS: [[1, 0, 2], [1, 0, 2]],
    SIGNED: [[0, 1, 2], ...],
    OTHER: ([[2, 0, 1], [2, 1, 0]], [[2, 0, 1], ...], [..., [2, 1, 0]]),
}


GAMMA_MISTAKES = {
    "The absolute value of gamma is missing: a channel with gamma -2 speaks as loudly as one with 2.": [
        torch.tensor([0.5, -2.0, 1.0])
    ],
    "This is beta; the scale is gamma, bn.weight.": [torch.tensor([0.0, 1.0, 2.0])],
}


TAYLOR_IMPORTANCE_MISTAKES = {
    EARLY: [torch.tensor([3.5, 3.5]), torch.tensor([1.0, 2.0, 3.0])],
    LATE: ([torch.tensor([1.5, 0.5]), ...], [torch.tensor([3.0, 1.0]), ...]),
    "The absolute value is missing.": [torch.tensor([-1.5, 0.5]), ...],
    "These are squares; the absolute value is asked for.": [torch.tensor([2.5, 12.5]), ...],
    "Two sums over space were multiplied: multiply first, then sum.": [torch.tensor([0.0, 23.0]), ...],
    MIXED: [torch.tensor([2.5, 2.5]), torch.tensor([2.0])],
    PLACE: [torch.tensor([0.75, 1.75]), ...],
    "Divide by the batch: its mean is asked for.": [torch.tensor([3.0, 7.0]), ...],
}


def channels_for_macs_mistakes(most_important, first_and_second) -> dict:
    """What mistakes in channels_for_macs give."""
    return {
        PARAMS: [most_important(4), most_important(8), ..., most_important(4), ...],
        INPUT: [most_important(3), most_important(8), ..., most_important(3), ...],
        LEAST: [{"0": torch.tensor([0, 1, 2, 4, 6]), "2": torch.tensor([3, 4, 5, 6, 7])}, ..., ..., ..., ...],
        FLOOR: [most_important(5), most_important(8), ..., most_important(5), first_and_second(7, 2)],
        "This is the smallest fraction; the largest that fits is asked for.": [most_important(1)] * 4 + [...],
        "A cost equal to the budget fits, too: at most.": [most_important(5), most_important(7), ..., ..., ...],
        "These are the first channels, not the most important.": [
            {"0": torch.arange(5), "2": torch.arange(5)},
            most_important(8),
            *[...] * 3,
        ],
        "The two costs are of different batches: count both with the same input_shape.": [
            *(most_important(k) for k in (5, 8, 1, 2)),
            ...,
        ],
        "macs_ratio is the share that stays, not the one that goes.": [most_important(5), ValueError(), *[...] * 3],
        "The cost is not the square of the fraction: count the multiply-accumulates of the pruned chain.": [
            *(most_important(k) for k in (6, 8, 2, 6)),
            ...,
        ],
    }


def coupled_groups_mistakes(one_pair) -> dict:
    """What mistakes in coupled_groups give."""
    return {
        DIRECT: [one_pair, [], one_pair, [], [], ...],
        STOPS: [one_pair, [], one_pair, one_pair, [], ...],
        UNMERGED: (
            [one_pair, one_pair, one_pair, [], [], ...],
            [one_pair, one_pair, [["a", "b"], ["b", "c"]], ..., [], ...],
        ),
        FEW: [one_pair, one_pair, [["a", "b", "c"]], one_pair, [], []],
        JOINED: [..., ..., [["a", "b", "c", "d", "e"]], ..., ..., ...],
    }
