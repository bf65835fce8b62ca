"""Pictures of lesson 04, and small loops around models. They look at what they are given: nothing here prunes."""

import itertools
import operator
from collections import OrderedDict
from collections.abc import Callable

import torch
import torch.fx
import torch.nn as nn
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from bonsai import measure, plot
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


def layer(kind: str, options: dict, state: dict[str, Tensor]) -> nn.Module:
    """A layer of torch.nn with copies of these tensors."""
    new = getattr(nn, kind)(**options)
    new.load_state_dict(state)
    return new


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


@torch.no_grad()
def masked_output(model: nn.Sequential, keep: dict[str, Tensor], x: Tensor) -> Tensor:
    """Output of `model` in eval mode when the channels that are not kept are zeroed after their BN and activation."""
    model.eval()
    dead: Tensor | None = None
    for name, layer in model.named_children():
        if dead is not None and not isinstance(layer, (nn.BatchNorm2d, nn.ReLU)):
            x = x.clone()
            x[:, dead] = 0
            dead = None
        x = layer(x)
        if name in keep:
            dead = torch.tensor([c for c in range(x.shape[1]) if c not in keep[name].tolist()], dtype=torch.int64)
    return x


def watch(model: nn.Module, names: list[str], x: Tensor, y: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Activation and gradient of the cross-entropy, for the outputs of the named modules, in eval mode.

    Each module is followed by another one that does not change its output in place.
    """
    kept: dict[str, Tensor] = {}

    def hook(name: str) -> Callable:
        def remember(module, inputs, output):
            output.retain_grad()
            kept[name] = output

        return remember

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(hook(name)) for name in names]
    model.eval()
    before = [p.grad for p in model.parameters()]
    F.cross_entropy(model(x), y).backward()
    for handle in hooks:
        handle.remove()
    for p, grad in zip(model.parameters(), before, strict=True):
        p.grad = grad
    found = {}
    for name, output in kept.items():
        assert output.grad is not None
        found[name] = (output.detach(), output.grad)
    return found


def lenet_5_of(first: int, second: int, hidden: int) -> nn.Sequential:
    """LeNet-5 with other widths than 20, 50 and 500, and random weights."""
    return nn.Sequential(
        nn.Conv2d(1, first, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(first, second, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * second, hidden), nn.ReLU(), nn.Linear(hidden, 10),
    ).eval()  # fmt: skip


def speedup(
    calls: dict[str, Callable[[], object]], baseline: str, rounds: int
) -> dict[str, tuple[float, float, float]]:
    """`bonsai.measure.speedup`; on a busy machine again, and of up to five runs the one of least relative spread."""
    runs = []
    for _ in range(5):
        found = measure.speedup(measure.latency_ms(calls, rounds), baseline)
        runs.append((max((high - low) / middle for low, middle, high in found.values()), found))
        if runs[-1][0] < 0.1:
            break
    return min(runs, key=lambda run: run[0])[1]


def train_chain(
    images: Tensor, labels: Tensor, penalty: Callable[[nn.Module], Tensor], epochs: int = 4
) -> nn.Sequential:
    """Four convolutions with batch norms, trained from scratch with Adam on cross-entropy plus `penalty(model)`."""
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for n_in, n_out, stride in ((1, 24, 2), (24, 32, 2), (32, 48, 1), (48, 64, 1)):
        parts += [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    steps = len(images) // 64
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(images))[: steps * 64].view(steps, 64):
            loss = F.cross_entropy(net(images[rows]), labels[rows]) + penalty(net)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


# Graphs --------------------------------------------------------------------------------------------------------------

KINDS = {nn.Conv2d: "conv", nn.Linear: "linear", nn.BatchNorm2d: "bn", nn.ReLU: "relu", nn.Identity: "identity"}
KINDS |= {nn.Flatten: "flatten", nn.Dropout: "dropout", nn.MaxPool2d: "pool", nn.AvgPool2d: "pool"}
KINDS |= {nn.AdaptiveAvgPool2d: "pool", nn.AdaptiveMaxPool2d: "pool"}


def _kind_of(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d) and module.groups > 1:
        return "depthwise" if module.groups == module.in_channels == module.out_channels else ""
    return KINDS.get(type(module), "")


def graph_of(model: nn.Module) -> dict[str, tuple[str, list[str]]]:
    """What `torch.fx` sees in one forward pass: node -> (kind, the nodes that it reads).

    Modules keep their dotted names. Kinds are `input`, `conv`, `depthwise`, `linear`, `bn`, `relu`, `identity`, `pool`,
    `flatten`, `dropout` and `add`.

    Raises:
        ValueError: something else, such as a concatenation or a convolution in groups: whose channels it passes on
            cannot be said with these kinds.
    """
    traced = torch.fx.symbolic_trace(model)
    modules = dict(traced.named_modules())
    called: dict = {operator.add: "add", operator.iadd: "add", torch.add: "add", F.relu: "relu", torch.relu: "relu"}
    called |= {torch.flatten: "flatten", F.adaptive_avg_pool2d: "pool", F.max_pool2d: "pool", "flatten": "flatten"}
    graph: dict[str, tuple[str, list[str]]] = {}
    name_of: dict[torch.fx.Node, str] = {}
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        name_of[node] = node.target if node.op == "call_module" else node.name
        if node.op == "placeholder":
            kind = "input"
        elif node.op == "call_module":
            kind = _kind_of(modules[node.target])
        else:
            kind = called.get(node.target, "")
        if not kind:
            raise ValueError(f"{name_of[node]}: this graph has no kind for what it does to channels")
        graph[name_of[node]] = (kind, [name_of[n] for n in node.all_input_nodes])
    return graph


# Attention -----------------------------------------------------------------------------------------------------------


def attend(weights: dict[str, Tensor], head_dim: int, x: Tensor) -> Tensor:
    """Self-attention of x `[N, L, embed]` by the tensors of `prune_heads`, any number of heads of `head_dim` rows."""
    n, length, _ = x.shape

    def split(part: str) -> Tensor:
        y = F.linear(x, weights[f"{part}_weight"], weights.get(f"{part}_bias"))
        return y.view(n, length, -1, head_dim).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(split("q"), split("k"), split("v"))
    return F.linear(mixed.transpose(1, 2).reshape(n, length, -1), weights["out_weight"], weights.get("out_bias"))


def attention(embed: int, heads: int, state: dict[str, Tensor]) -> nn.MultiheadAttention:
    """A batch-first attention in eval mode with the tensors of `state`."""
    attn = nn.MultiheadAttention(embed, heads, bias="in_proj_bias" in state, batch_first=True)
    attn.load_state_dict(state)
    return attn.eval()


@torch.no_grad()
def attend_zeroed(attn: nn.MultiheadAttention, heads: list[int], x: Tensor) -> Tensor:
    """Self-attention in which the outputs of `heads` are zero before the output projection."""
    q, k, v = F.linear(x, attn.in_proj_weight, attn.in_proj_bias).chunk(3, dim=-1)
    shape = (len(x), x.shape[1], attn.num_heads, attn.head_dim)
    q, k, v = (t.reshape(shape).transpose(1, 2) for t in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v)
    mixed[:, heads] = 0
    return attn.out_proj(mixed.transpose(1, 2).flatten(2))


def check_heads(
    weights: dict[str, Tensor], attn: nn.MultiheadAttention, heads: list[int], x: Tensor, what: str
) -> None:
    """Keys, shapes, where the rows come from, and the output, against the attention whose heads are zeroed."""
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
    for key in sorted(keys):
        shape = tuple(weights[key].shape)
        why = (
            "the heads given were kept, they are to be removed; " if gone in shape and gone not in (left, embed) else ""
        )
        require(shape == wants[key], f"{what}: {why}expected {key} of shape {wants[key]}, yours {shape}")
    blocks = dict(zip("qkv", attn.in_proj_weight.detach().chunk(3), strict=True))
    for part, block in blocks.items():
        rows = weights[f"{part}_weight"]
        inside = all((block == row).all(dim=1).any() for row in rows)
        message = f"{what}: q, k, v blocks mixed: in_proj_weight is all of q, then all of k, then all of v"
        require(inside, f"{message}; a row of {part}_weight does not come from the rows of {part}")
    mistakes: dict = {}
    with torch.no_grad():
        right, output = attend_zeroed(attn, heads, x), attend(weights, d, x)
        others = [h for h in range(attn.num_heads) if h not in heads]
        if others and heads:
            mistakes["the heads given were kept, they are to be removed"] = attend_zeroed(attn, others, x)
    # sums of at most 100 products of size 1 in float32, in another order
    expect(output, right, f"{what}: the output, against zeroed heads", mistakes, tol=1e-4)


# Pictures ------------------------------------------------------------------------------------------------------------


def draw_zeros_and_holes() -> Figure:
    """A weight matrix as it is, with single zeros, with zeroed rows, and without these rows."""
    rng = torch.Generator().manual_seed(3)
    w = torch.randn(8, 12, generator=rng)
    fig, axes = plot.figure(4, width=2.7, height=2.7)
    scattered = w * (w.abs() > w.abs().flatten().kthvalue(48).values)
    kept = w.abs().sum(1).argsort(descending=True)[:4].sort().values
    rows = torch.zeros_like(w)
    rows[kept] = w[kept]
    titles = ("dense", "half of the weights zero", "half of the rows zero", "those rows removed")
    for ax, matrix, title in zip(axes, (w, scattered, rows, w[kept]), titles, strict=True):
        shown = matrix.clone()
        shown[shown == 0] = float("nan")
        ax.imshow(shown, cmap="RdBu", vmin=-2.5, vmax=2.5)
        ax.set(xticks=[], yticks=[], title=title, xlabel=f"{matrix.shape[0]} × {matrix.shape[1]} numbers stored")
        ax.set_ylim(7.5, -0.5)
        ax.spines[:].set_visible(False)
    return fig


def draw_one_channel() -> Figure:
    """What goes when one channel goes: filter 1 of a layer, its batch-norm entry, its slice of every next filter."""
    fig, (ax,) = plot.figure(1, width=9.5, height=3.1)
    dead, alive = plot.RED, plot.SKY

    def cells(x: float, y: float, rows: int, columns: int, gone: Callable[[int, int], bool], label: str) -> None:
        for i in range(rows):
            for j in range(columns):
                colour, hatch = (dead, "///") if gone(i, j) else (alive, None)
                at = (x + j * 0.42, y - i * 0.5)
                ax.add_patch(plot.plt.Rectangle(at, 0.36, 0.42, facecolor=colour, edgecolor="white", hatch=hatch))
        ax.text(x + columns * 0.21, y + 0.62, label, ha="center", va="bottom")

    cells(0.0, 2.4, 4, 3, lambda i, j: i == 1, "convolution\n4 filters × 3 inputs")
    cells(2.6, 2.4, 4, 1, lambda i, j: i == 1, "batch norm\nγ, β, mean, var")
    cells(4.5, 2.4, 5, 4, lambda i, j: j == 1, "next convolution\n5 filters × 4 inputs")
    cells(7.9, 2.4, 2, 8, lambda i, j: j // 2 == 1, "or, after flatten of 4 × [1 × 2],\n2 outputs × 8 columns")
    for x in (1.55, 3.3):
        ax.annotate("", (x + 0.75, 1.6), (x, 1.6), arrowprops={"arrowstyle": "->", "color": plot.BLACK})
    ax.text(6.9, 1.6, "or", ha="center", va="center")
    ax.set(xlim=(-0.3, 11.6), ylim=(0.1, 4.1), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig


def draw_scores(truth: Tensor, scores: dict[str, Tensor]) -> Figure:
    """For each score, how much a channel's removal really changes the loss, over the rank by that score."""
    fig, axes = plot.figure(len(scores), width=3.6, height=3.1)
    for ax, (name, score), colour, marker in zip(axes, scores.items(), plot.PALETTE, plot.MARKERS, strict=False):
        ax.plot(score.argsort().argsort() + 1, truth, marker, color=colour, markersize=4)
        ax.set(xlabel=f"rank by {name} (1 = least)", ylabel="change of the loss")
    return fig


def draw_gammas(plain: Tensor, slim: Tensor) -> Figure:
    """Histograms of |gamma|, trained without and with the penalty."""
    fig, axes = plot.figure(2, width=4.6, height=2.8)
    top = max(t.abs().max().item() for t in (plain, slim))
    for ax, values, title, colour in zip(axes, (plain, slim), ("no penalty", "penalty"), plot.PALETTE, strict=False):
        ax.hist(values.abs().numpy(), bins=50, range=(0, top), color=colour)
        ax.set(xlabel="|γ| of a channel", ylabel="how many channels", title=title)
    axes[0].set_ylim(axes[1].get_ylim())
    return fig


def draw_tradeoff(speed: dict[str, float], accuracy: dict[str, float], floor: float) -> Figure:
    """Accuracy over latency ratio, one labelled point a model, and the floor that was set."""
    fig, (ax,) = plot.figure(1, width=6.4, height=3.6)
    for (name, ratio), marker, colour in zip(speed.items(), plot.MARKERS, plot.PALETTE, strict=False):
        ax.plot(ratio, accuracy[name], marker, color=colour, markersize=8, label=name)
    ax.axhline(floor, color=plot.BLACK, linestyle="--", linewidth=0.8)
    ax.axvline(3, color=plot.BLACK, linestyle=":", linewidth=0.8)
    ax.set(xlabel="times faster than dense, batch 64 (dotted: 3)", ylabel="validation accuracy (%)")
    ax.legend(frameon=False)
    return fig


def draw_keep(names: list[str], dense: list[int], pruned: list[int], title: str) -> Figure:
    """MACs of every layer, dense and pruned."""
    fig, (ax,) = plot.figure(1, width=7.2, height=3.0)
    spots = torch.arange(len(names)).float()
    ax.bar(spots - 0.2, [m / 1e3 for m in dense], 0.38, color=plot.SKY, label="dense")
    ax.bar(spots + 0.2, [m / 1e3 for m in pruned], 0.38, color=plot.ORANGE, hatch="//", label="pruned")
    ax.set(xticks=spots.tolist(), xticklabels=names, ylabel="thousand MACs an image", title=title)
    ax.legend(frameon=False)
    return fig


def draw_graph(graph: dict[str, tuple[str, list[str]]], groups: list[set[str]]) -> Figure:
    """The graph, one row a block; coupled layers share colour and number, other layers are white."""
    depth: dict[str, int] = {}
    for name, (_, inputs) in graph.items():
        depth[name] = 1 + max((depth[i] for i in inputs), default=-1)
    ends = [depth[n] + 2 for n, (kind, _) in graph.items() if kind == "add"][:-1]  # a row ends with an addition's ReLU
    starts = [0, *ends]
    place = {}
    for name, d in depth.items():
        row = sum(d >= end for end in ends)
        place[name] = (d - starts[row] + (row > 0), -1.9 * row - 0.8 * ("shortcut" in name))
    fig, (ax,) = plot.figure(1, width=11, height=1.5 * len(starts))
    order = sorted(groups, key=lambda g: min(depth[n] for n in g))
    member = {name: k for k, group in enumerate(order) for name in group}
    for row in range(1, len(starts)):
        ax.text(0, -1.9 * row, "relu", ha="center", va="center", fontsize=7.5)
    for name, (kind, inputs) in graph.items():
        (x, y), layer = place[name], kind in ("conv", "linear")
        label = name if layer else kind
        for source in inputs:
            x0, y0 = place[source]
            arrow = {"arrowstyle": "->", "color": "grey", "shrinkA": 10, "shrinkB": 6 + 1.8 * len(label)}
            if y0 - y >= 1.5:  # from the row above
                x0, y0 = 0, y0 - 1.9
            ax.annotate("", (x, y), (x0, y0), arrowprops=arrow, zorder=1)
        colour = plot.PALETTE[member[name]] if name in member else "white"
        text = f"{name}\n({member[name] + 1})" if name in member else label
        dark = colour in (plot.BLUE, plot.GREEN, plot.RED, plot.BLACK)
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": plot.BLACK if layer else "none"}
        ax.text(
            x, y, text, ha="center", va="center", fontsize=7.5, color="white" if dark else "black", bbox=box, zorder=2
        )
    right, bottom = max(x for x, _ in place.values()), min(y for _, y in place.values())
    ax.set(xlim=(-0.5, right + 0.5), ylim=(bottom - 0.5, 0.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return fig


def draw_speed(channels: list[int], ms: list[float], shares: dict[str, list[float]], names: list[str]) -> Figure:
    """Left: milliseconds of one convolution over its channels. Right: milliseconds of each kind of layer."""
    fig, (curve, bars) = plot.figure(2, width=5.4, height=3.2)
    curve.plot(channels, ms, color=plot.BLUE, marker="o", markersize=3)
    for c in channels:
        if c % 16 == 0:
            curve.axvline(c, color=plot.BLACK, linestyle=":", linewidth=0.6)
    curve.set(xlabel="output channels (dotted: multiples of 16)", ylabel="least ms a call, batch 64", ylim=(0, None))
    left = torch.zeros(len(names))
    for (kind, values), colour in zip(shares.items(), plot.PALETTE, strict=False):
        bars.barh(names, values, left=left.tolist(), color=colour, label=kind)
        left += torch.tensor(values)
    bars.set(xlabel="ms of one forward pass, batch 64")
    bars.legend(frameon=False, fontsize=8)
    return fig


# How mistakes show in a result, for `check`: functions of the result, the right value and the arguments. -------------

SHARED = "It shares memory with the old layer (a view of the old storage, or the same Parameter): copy what is kept."
SETTINGS = "A setting was lost; the new layer has all those of the old one."


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
    return not _equal(got["old"], want["old"]) or got["bytes"] > want["bytes"]


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


def _spread(spec, keep) -> bool:
    """Whether a linear layer reads a pruned convolution, several columns a channel."""
    layers = [(name, o) for name, kind, o in spec if kind in ("Conv2d", "Linear")]
    made = [(name, o.get("out_channels"), o.get("in_features")) for name, o in layers]
    pairs = itertools.pairwise(made)
    return any(first[0] in keep and first[1] and second[2] and second[2] > first[1] for first, second in pairs)


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
    },
    "shrink_conv": {
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
        "The bias was lost: it loses the same entries as the outputs.": lambda got, want, *_: (
            _equal(got["state"], want["state"], "weight") and not _equal(got["state"], want["state"], "bias")
        ),
        "The same weights stand in another order: `keep` says the order, too.": lambda got, want, *_: (
            not _equal(got["state"], want["state"], "weight")
            and _permuted(got["state"]["weight"], want["state"]["weight"])
        ),
        "An index was used on the wrong axis: outputs are axis 0 of the weight, inputs axis 1.": (
            lambda got, want, *_: isinstance(got, IndexError) or not _equal(got["state"], want["state"], "weight")
        ),
        SETTINGS: lambda got, want, *_: got["settings"] != want["settings"],
        SHARED: _shared,
    },
    "shrink_batchnorm": {
        "The buffers were forgotten: running mean, running variance and the counter belong to the layer as well.": (
            lambda got, want, *_: (
                not _equal(got["state"], want["state"], "running_mean", "running_var", "num_batches_tracked")
            )
        ),
        SETTINGS: lambda got, want, *_: got["settings"] != want["settings"],
        "Gamma or beta was forgotten.": lambda got, want, *_: not _equal(got["state"], want["state"], "weight", "bias"),
        SHARED: _shared,
    },
    "shrink_linear": {
        "`spatial` was ignored: each channel is `spatial` neighbouring columns.": (
            lambda got, want, state, keep_in, keep_out, spatial: (
                spatial > 1 and keep_in is not None and (_failed(got) or got["settings"]["in_features"] == len(keep_in))
            )
        ),
        "The columns are in interleaved order: those of channel c are c * spatial to (c + 1) * spatial - 1.": (
            lambda got, want, state, keep_in, keep_out, spatial: (
                spatial > 1
                and got["state"]["weight"].shape == want["state"]["weight"].shape
                and not _equal(got["state"], want["state"], "weight")
            )
        ),
        "The bias was lost: it loses the same entries as the outputs.": lambda got, want, *_: (
            _equal(got["state"], want["state"], "weight") and not _equal(got["state"], want["state"], "bias")
        ),
        SHARED: _shared,
    },
    "prune_chain": {
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
    },
    "slimming_penalty": {
        "A batch norm with affine=False has no gamma: its weight is None.": lambda got, want, gammas, strength: (
            isinstance(got, Exception) and "NoneType" in str(got) and any(g is None for g in gammas)
        ),
        "No gradient reaches gamma: .data, .detach() or .item() cut the penalty off.": lambda got, want, *_: (
            not _failed(got)
            and abs(got["penalty"] - want["penalty"]) < 1e-4
            and any(w is not None and g is None for g, w in zip(got["gradients"], want["gradients"], strict=True))
        ),
        "The betas (bn.bias) are in it, too; the penalty is on gamma alone.": lambda got, want, gammas, strength: (
            abs(got["penalty"] - want["penalty"] - strength * sum(len(g) for g in gammas if g is not None)) < 1e-4
            and any(g is not None for g in gammas)
        ),
        "The absolute value is missing.": lambda got, want, gammas, strength: (
            abs(got["penalty"] - strength * sum(g.sum().item() for g in gammas if g is not None)) < 1e-4
        ),
        "Other layers than BatchNorm2d count as well.": lambda got, want, *_: got["gradients elsewhere"] > 0,
    },
    "coupled_groups": {
        "A layer is in two groups: chains of adds were not merged into one group.": lambda got, want, graph: (
            len({name for group in got for name in group}) < sum(len(group) for group in got)
        ),
        "Nodes without inputs are named; only conv and linear layers are.": lambda got, want, graph: any(
            graph[name][0] not in ("conv", "linear") for group in got for name in group
        ),
        "A group of one is no group: its layer is free.": lambda got, want, graph: any(len(group) < 2 for group in got),
    },
    "channels_for_macs": {
        "The indices should ascend.": lambda got, want, *_: all(_same(got[n].sort().values, want[n]) for n in want),
    },
}
