# %% [markdown]
# # 03 · Magnitude pruning
#
# **The idea in two sentences.** Most weights of a trained network are close to zero, and the network hardly notices when they become exactly zero. Pruning removes them a few at a time, lets the rest adapt by training, and stores only what is left.
#
# After this lesson you can
#
# - choose which weights to remove, by magnitude or by what they mean for the loss, and for all layers together,
# - prune during training so that nine of ten weights disappear at the cost of less than a point of accuracy,
# - say what a lottery ticket is, and what 2:4 sparsity is for,
# - write a sparse file that is really smaller, and say when a sparse product is really faster.
#
# **Why it matters.** Han, Pool, Tran and Dally (2015) pruned AlexNet from 61 million to 6.7 million parameters without loss of accuracy on ImageNet. It is still the simplest way to a smaller file, and it combines with quantization: lesson 07 does both.
#
# **What you need:** PyTorch; from [lesson 00](../00_measure_first/00_measure_first.ipynb) bytes on disk (section 2) and ratios taken in turns (section 5); from [lesson 01](../01_quantization_math/01_quantization_math.ipynb) how codes go into a file (section 8). Plan three hours; each exercise says what it costs. Run the cells from the top, replace each `raise NotImplementedError()`, and run the test below it: it tells you what it expected.

# %% setup
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, measure, models, plot, widgets
from bonsai.testing import check, check_errors, check_inputs, difference, expect, fresh, from_scratch, probe, record, require
from bonsai.verdict import verdict
import checks03
import lesson03
import training03
from checks03 import SYMPTOMS

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you. Everything else in torch and numpy is allowed.
FORBIDDEN = ["torch.nn.utils.prune", "torch_pruning", "torch.ao.pruning"]

@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)

# %% [markdown]
# ## 1. Which weights can go?
#
# LeNet-300-100 again, three linear layers trained on Fashion-MNIST. Accuracies are measured on the 5,000 validation
# images; the test images wait until the end.

# %%
model = models.load("lenet_300_100")
weights = {name: p.detach() for name, p in model.named_parameters() if p.dim() == 2}
train_x, train_y = data.load("train")
val_x, val_y = data.load("validation")
dense_accuracy = measure.accuracy(model, val_x, val_y)
every_weight = torch.cat([w.flatten() for w in weights.values()])
print(f"{every_weight.numel():,} weights in {len(weights)} layers, accuracy {dense_accuracy:.2f} %")
for part in (0.5, 0.9):
    print(f"{100 * part:.0f} % of the weights are smaller than {every_weight.abs().quantile(part):.4f}; the largest is {every_weight.abs().max():.3f}")
lesson03.draw_weights(weights, every_weight.abs().quantile(0.5).item())

# %% [markdown]
# *Picture: left, a histogram of all weights, a narrow peak around zero, the smaller half in another colour; right, the magnitudes in falling order, logarithmic, with a dashed line at the threshold that removes half.*
#
# The oldest idea is the simplest: **remove the weights of least magnitude**. A weight times its input is what reaches the next layer; if inputs are of similar size, a small weight says little. We write the choice as a **mask** $m$ of the same shape, `True` where the weight is kept, and compute with $w \odot m$. The **sparsity** $s$ is the share that is removed:
#
# $$\#\{i : m_i = 0\} = \mathrm{round}(s \cdot n).$$
#
# "Remove everything below a threshold" is not the same: equal weights, such as zeros, would all go or all stay.
# Count, and the sparsity is exact.

# %% [markdown]
# ### Exercise 1 · `magnitude_mask`
#
# <details><summary>Hint 1, a nudge</summary>Sort the magnitudes and look at positions, not at values.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse a sparsity outside 0 to 1. Order the positions by magnitude and set the first so many to False in a mask of the weight's shape: right with ties, too.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>order = w.abs().flatten().argsort()</code>, then <code>mask[order[:round(sparsity * w.numel())]] = False</code> in a flat mask of ones.</details>

# %% exercise="magnitude_mask" minutes=10 difficulty=2
def magnitude_mask(w: torch.Tensor, sparsity: float) -> torch.Tensor:
    """Mask that removes exactly round(sparsity * w.numel()) weights, those of least magnitude.

    Args:
        w: float32, any shape, not empty.
        sparsity: share to remove, 0 .. 1, both included.

    Returns:
        bool tensor of the shape of w, True = kept. Among equal magnitudes any choice is right, but the number is exact,
        also when many weights are equal or 0. `round` is Python's: to the nearest, ties to even.

    Raises:
        ValueError: sparsity outside 0 .. 1, or nan.

    >>> magnitude_mask(torch.tensor([0.1, -3.0, 0.2, 1.0]), 0.5)
    tensor([False,  True, False,  True])

    Source: Han et al. 2015, arXiv:1506.02626, section 3.
    """
    ### BEGIN SOLUTION
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity lies between 0 and 1, not at {sparsity}")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = False
    return mask.reshape(w.shape)
    ### END SOLUTION

# %% test="magnitude_mask" points=4
# Checked here: which weights are kept at several sparsities, ties, a transposed tensor; sparsities out of range.
# Hidden tests: tensors of other shapes, many ties, zeros, sparsities just out of range.
from_scratch(magnitude_mask, FORBIDDEN)
_tensor = torch.tensor
_weights = _tensor([[0.1, -3.0, 0.2], [1.0, -0.5, 4.0]])
checks03.check_mask(
    magnitude_mask,
    [
        (_weights, 0.5, 3),
        (_tensor([0.5, -0.5, 0.5, 0.5]), 0.25, 1),
        (_tensor([0.0, 0.0, 0.0, 2.0]), 0.5, 2),  # ties
        (_weights, 0.0, 0),
        (_weights, 1.0, 6),
        (_weights[0], 0.6, 2),
        (_tensor([1.0, 2.0, 3.0, 4.0, 5.0]), 0.5, 2),  # 1.8 goes up, 2.5 goes to 2
    ],
)
check_errors(ValueError, magnitude_mask, (_weights, -0.1), (_weights, 1.5), (_weights, math.nan))
check_inputs(inputs_after, magnitude_mask, _weights, 0.5)

@probe
def mask_of_the_transposed(w, sparsity):
    """Of a tensor that is not contiguous: a view of w with its axes exchanged."""
    return magnitude_mask(w.t(), sparsity).t()

checks03.check_mask(mask_of_the_transposed, [(_weights, 0.5, 3)])
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(31)
_cases = [
    (torch.randn(s, generator=_rng) - 0.3, p)
    for s in ((40, 30), (7,), (4, 3, 5, 5), (1, 1))
    for p in (0.25, 0.9, 0.0, 1.0, 0.33)
]
_few = torch.randint(-2, 3, (50, 8), generator=_rng).float()  # ties everywhere, many zeros
_cases += [(_few, p) for p in (0.1, 0.5, 0.7)] + [
    (torch.zeros(6), 0.5),
    (torch.full((3, 4), -7.0), 0.25),
    (_few, 0.0),
    (torch.zeros(4), 0.0),
    (torch.ones(10), 0.25),
]
checks03.check_mask(magnitude_mask, [(w, p, round(p * w.numel())) for w, p in _cases])
checks03.check_mask(mask_of_the_transposed, [(_few, 0.3, 120), (torch.randn(5, 7, generator=_rng), 0.6, 21)])
check_errors(ValueError, magnitude_mask, (_few, 1 + 1e-6), (_few, -1e-6), (_few, math.inf), (_few, -math.inf))
### END HIDDEN TESTS

# %% [markdown]
# Each of the first layer's 784 columns belongs to one pixel. How many weights does each keep at 90 %?

# %%
first_mask = magnitude_mask(weights["1.weight"], 0.9)
print(f"kept {first_mask.sum():,} of {first_mask.numel():,} weights")
lesson03.draw_pixels(first_mask, train_x[:2000])

# %% [markdown]
# *Picture: left, the mean brightness of each pixel; right, the number of weights that each pixel keeps. The black corners and sides keep none, the middle of the upper and the lower edge most.*
#
# ## 2. One threshold for all layers
#
# Each layer could lose the same share. But the layers are not alike: the first has 235,200 weights, the last 1,000. If we sort the weights of **all layers together** and remove the smallest, each layer finds its own sparsity.

# %% [markdown]
# ### Exercise 2 · `global_masks`
#
# <details><summary>Hint 1, a nudge</summary>One long vector of all weights is a tensor like any other: you already have a function for it.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Join all weights to one vector, mask it, and cut the mask into pieces in the same order, each with its tensor's shape.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>torch.cat([w.flatten() for w in weights.values()])</code>, and <code>mask.split([w.numel() for w in weights.values()])</code> cuts.</details>

# %% exercise="global_masks" minutes=10 difficulty=2
def global_masks(weights: dict[str, torch.Tensor], sparsity: float) -> dict[str, torch.Tensor]:
    """Masks that remove exactly round(sparsity * total) weights over all tensors together, those of least magnitude.

    Args:
        weights: names -> float32 tensors of any shape, at least one.
        sparsity: share of all weights to remove, 0 .. 1.

    Returns:
        the same names -> bool masks of the same shapes, True = kept. Among equal magnitudes any choice is right.

    Raises:
        ValueError: sparsity outside 0 .. 1, or nan.

    >>> global_masks({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0, 4.0])}, 0.5)
    {'a': tensor([False, False]), 'b': tensor([True, True])}
    """
    ### BEGIN SOLUTION
    flat = torch.cat([w.flatten() for w in weights.values()])
    parts = magnitude_mask(flat, sparsity).split([w.numel() for w in weights.values()])
    return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts)}
    ### END SOLUTION

# %% test="global_masks" points=3
# Checked here: masks of two small models at several sparsities, ties; sparsities out of range.
# Hidden tests: a model with many tensors, ties across tensors, other sparsities.
from_scratch(global_masks, FORBIDDEN)
_tensor = torch.tensor
_two_tensors = {"small": _tensor([[0.1, -0.2], [0.3, 0.4]]), "large": _tensor([1.0, -2.0, 3.0, 4.0])}
_uneven = {"a": _tensor([0.5, 0.6, -0.7]), "b": _tensor([[1.0], [-9.0]]), "c": _tensor([0.1])}
checks03.check_global(
    global_masks,
    [
        (_two_tensors, 0.5, 4),
        (_two_tensors, 0.75, 6),
        (_uneven, 0.5, 3),
        (_uneven, 0.45, 3),
        ({"x": _tensor([1.0, 1.0, 1.0, 1.0])}, 0.5, 2),
        (_two_tensors, 0.0, 0),
        (_two_tensors, 1.0, 8),
    ],
)
check_errors(ValueError, global_masks, (_two_tensors, -0.5), (_two_tensors, 1.01), (_two_tensors, math.nan))
check_inputs(inputs_after, global_masks, _two_tensors, 0.5)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(32)
_many = {
    f"layer{i}.weight": torch.randn(s, generator=_rng) * scale
    for i, (s, scale) in enumerate((((30, 20), 0.1), ((8, 3, 3, 3), 1.0), ((10, 4), 4.0), ((5,), 0.02)))
}
_ties = {"a": torch.ones(5, 4), "b": -torch.ones(20), "c": torch.zeros(3)}
_cases = (
    [(_two_tensors, 0.5)]
    + [(_many, p) for p in (0.1, 0.5, 0.9, 0.99, 0.0, 1.0)]
    + [(_ties, 0.5), (_ties, 0.05), (_ties, 0.02)]
)
checks03.check_global(global_masks, [(w, p, round(p * sum(t.numel() for t in w.values()))) for w, p in _cases])
check_errors(ValueError, global_masks, (_many, math.inf), (_many, -1e-9))
### END HIDDEN TESTS

# %%
together = global_masks(weights, 0.9)
alone = {name: magnitude_mask(w, 0.9) for name, w in weights.items()}
lesson03.draw_layers({
    "each layer alone": {name: mask.float().mean().item() for name, mask in alone.items()},
    "all layers together": {name: mask.float().mean().item() for name, mask in together.items()},
})

# %% [markdown]
# *Picture: bars of the share of weights that each layer keeps. Alone, every layer keeps 10 %; together, the large first layer keeps a little less and the small last layer more than twice as much.*
#
# ## 3. What a weight means for the loss
#
# Magnitude looks at the weight alone. What we care about is the loss $L$. Taylor's formula predicts what happens when weight $i$ goes to zero, that is, when it changes by $-w_i$:
#
# $$L(w_i = 0) \approx L(w) - w_i\, g_i, \qquad g_i = \frac{\partial L}{\partial w_i}.$$
#
# The change may have either sign, and both are a change of what the network has learnt. Molchanov et al. (2019) square it and call it the importance of the weight:
#
# $$\mathcal{I}_i = (w_i\, g_i)^2.$$
#
# Here $g$ is the gradient over all the data we look at: **first sum the gradients of the batches, then square**. Squares of single batches would add the noise of each.

# %% [markdown]
# ### Exercise 3 · `taylor_saliency`
#
# The loss is cross-entropy, averaged over each batch. Afterwards the model is as it was: mode of every submodule, buffers, and every `.grad`.
#
# <details><summary>Hint 1, a nudge</summary><code>torch.autograd.grad(loss, tensors)</code> leaves every <code>.grad</code> alone. Note each module's <code>.training</code> before <code>model.eval()</code>.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>In eval mode add up the gradients of all batches for each layer's weight; square the product of weight and sum. The modes go back in a <code>finally</code>.</details>
#
# <details><summary>Hint 3, the key lines</summary>Layers: <code>type(module) in (nn.Linear, nn.Conv2d)</code> in <code>model.named_modules()</code>; the weight is <code>f"{name}.weight"</code> (without the dot if the model is itself the layer). Return <code>(w * g) ** 2</code>, detached.</details>

# %% exercise="taylor_saliency" minutes=20 difficulty=3
def taylor_saliency(model: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """First-order importance (w * g)² of the weights of all layers, g the sum of the batches' gradients.

    Args:
        model: any module. A layer is a submodule whose type is exactly nn.Linear or nn.Conv2d. Computed in eval mode.
        batches: pairs (x, y), y int64 class indices. The loss of a batch is F.cross_entropy(model(x), y).

    Returns:
        parameter name of each layer's weight, as in model.named_parameters() -> float32 tensor of the weight's shape.
        The model is restored, also when something raises: values, buffers, `.training` of each submodule, each `.grad`
        (what was None is None again).

    >>> layer = nn.Sequential(nn.Linear(2, 2, bias=False))
    >>> _ = layer[0].weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    >>> taylor_saliency(layer, [(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))])     # g[0, 0] = softmax - 1 = -0.2689
    {'0.weight': tensor([[0.0723, 0.0000], [0.0000, 0.0000]])}

    Source: Molchanov et al. 2019, arXiv:1906.10771, equation 8.
    """
    ### BEGIN SOLUTION
    named = dict(model.named_modules())
    layers = {f"{n}.weight".lstrip("."): m.weight for n, m in named.items() if type(m) in (nn.Linear, nn.Conv2d)}
    modes = {n: m.training for n, m in named.items()}
    total = {n: torch.zeros_like(w) for n, w in layers.items()}
    try:
        model.eval()
        for x, y in batches:
            for n, g in zip(layers, torch.autograd.grad(F.cross_entropy(model(x), y), list(layers.values()))):
                total[n] += g
    finally:
        for n, m in named.items():
            m.training = modes[n]
    return {n: (w.detach() * total[n]) ** 2 for n, w in layers.items()}
    ### END SOLUTION

# %% test="taylor_saliency" points=4
# Checked here: the saliencies of one layer over two batches; gradients and model are put back.
# Hidden tests: deeper models with batch norms, more batches, a batch that raises.
from_scratch(taylor_saliency, FORBIDDEN)
_tensor = torch.tensor

@probe
def taylor_saliency_of(net, state, batches):
    return taylor_saliency(checks03.net(net, state), batches)

@probe
def model_after(net, state, gradients, batches):
    model = checks03.prepare(net, state, gradients)
    try:
        taylor_saliency(model, batches)
    except Exception:
        pass
    return checks03.what_is_left(model)

def _check_restored(cases):
    """What is left of models that were asked for their saliency, beside what was there before."""
    got = [model_after(*case) for case in cases]
    want = [checks03.what_is_left(checks03.prepare(net, state, gradients)) for net, state, gradients, _ in cases]
    expect(got, want, f"the model after taylor_saliency, {len(cases)} cases", checks03.restoring_mistakes(want))

_state = {"0.weight": _tensor([[1.0, -2.0], [0.5, 3.0]])}
_two_batches = [(_tensor([[2.0, 0.0], [0.0, 1.0]]), _tensor([0, 1])), (_tensor([[-1.0, 1.0]]), _tensor([0]))]
_expected = lambda a, b, c, d: [{"0.weight": _tensor([[a, b], [c, d]])}]
check(
    taylor_saliency_of,
    [("linear", _state, _two_batches)],
    _expected(0.528512, 3.940887, 0.132128, 8.866999),
    checks03.taylor_saliency_mistakes(_expected),
    SYMPTOMS["taylor_saliency"],
    tol=1e-4,
)  # float32 gives about six digits
_check_restored(
    [
        ("linear", _state, gradients, _two_batches)
        for gradients in ({}, {"0.weight": _tensor([[1.0, 2.0], [3.0, 4.0]])})
    ]
)

### BEGIN HIDDEN TESTS
def _saliency(net, state, batches, how="right", mode=False):
    """Gradients from autograd, one weight and one batch at a time."""
    model = checks03.net(net, state).train(mode)
    found = {}
    for name, layer in model.named_modules():
        if type(layer) in (nn.Linear, nn.Conv2d):
            way = "sum" if how == "summed" else "mean"
            gradients = [
                torch.autograd.grad(F.cross_entropy(model(x), y, reduction=way), layer.weight)[0] for x, y in batches
            ]
            g, w = sum(gradients), layer.weight.detach()
            found[f"{name}.weight"] = {
                "right": (w * g) ** 2,
                "squares": w**2 * sum(h**2 for h in gradients),
                "squares too": sum((w * h).abs() for h in gradients) ** 2,
                "mean of squares": w**2 * sum(h**2 for h in gradients) / len(gradients),
                "g": g.abs(),
                "g squared": g**2,
                "signed": w * g,
                "absolute": (w * g).abs(),
                "mean": (w * g / len(batches)) ** 2,
                "summed": (w * g) ** 2,
            }[how]
    return found

_way = lambda how: lambda *case: _saliency(*case, how=how)
_cases = [
    (n, checks03.random_state(n, 33 + i, **more), checks03.random_batches(n, 40 + i, count))
    for i, (n, count, more) in enumerate(
        (
            ("two layers", 3, {"0": 2.0}),
            ("batch norm", 2, {}),
            ("mixed", 4, {"head": 3.0, "wide": 0.5}),
            ("mixed", 1, {"head": 4.0}),
        )
    )
]
check(
    taylor_saliency_of,
    _cases,
    _saliency,
    {
        checks03.SQUARES: (_way("squares"), _way("squares too"), _way("mean of squares")),
        checks03.ALONE: (_way("g"), _way("g squared")),
        checks03.PLAIN: (_way("signed"), _way("absolute")),
        checks03.MEAN: _way("mean"),
        checks03.SUMMED: _way("summed"),
        "Computed in train mode: BatchNorm then looks at the batch.": lambda *case: _saliency(*case, mode=True),
    },
    SYMPTOMS["taylor_saliency"],
    tol=1e-4,
)
_given = lambda state, names: {n: torch.full_like(state[n], 0.5) for n in names}
_check_restored(
    [
        (net, state, _given(state, names), [*batches, *more])
        for net, state, batches in _cases[:3]
        for names in ([], list(state)[:1], list(state))
        for more in ([], [(torch.zeros(2, 99), _tensor([0, 0]))])
    ]
)  # the last batch raises
### END HIDDEN TESTS

# %% [markdown]
# The three criteria, and a random mask as a control, **without any training after pruning**. For Taylor we use 10,000
# training images. The scatter shows what magnitude and Taylor keep in the first layer at 90 %.

# %%
saliency = taylor_saliency(model, list(zip(train_x[:10_000].split(100), train_y[:10_000].split(100))))
taylor_90 = global_masks(saliency, 0.9)  # the same function ranks any importance that is not negative
lesson03.draw_taylor(weights["1.weight"], saliency["1.weight"], {"magnitude": together["1.weight"], "Taylor": taylor_90["1.weight"]})

# %% [markdown]
# *Picture: two scatter plots of magnitude against gradient on logarithmic axes. Magnitude cuts along a vertical line; Taylor cuts along a falling diagonal, where the product of the two is constant.*

# %%
def pruned_accuracy(masks, images=val_x, labels=val_y):
    """Accuracy of the shipped model with some weights set to 0, not trained."""
    candidate = models.load("lenet_300_100")
    with torch.no_grad():
        for name, p in candidate.named_parameters():
            if name in masks:
                p.mul_(masks[name])
    return measure.accuracy(candidate, images, labels)

noise = {name: torch.rand(w.shape, generator=torch.Generator().manual_seed(i)) for i, (name, w) in enumerate(weights.items())}
criteria = {
    "random": lambda s: global_masks(noise, s),
    "magnitude, each layer alone": lambda s: {name: magnitude_mask(w, s) for name, w in weights.items()},
    "magnitude, all layers together": lambda s: global_masks(weights, s),
    "Taylor, all layers together": lambda s: global_masks(saliency, s),
}
percent = [0, 20, 40, 50, 60, 70, 80, 90, 95, 98]
one_shot = {name: [pruned_accuracy(masks(s / 100)) for s in percent] for name, masks in criteria.items()}
lesson03.draw_curves(percent, one_shot, dense_accuracy)

# %% [markdown]
# *Picture: validation accuracy over sparsity without training. Random falls first, then each layer alone, then all together; Taylor holds longest.*
#
# Move the slider, and watch what the smallest layer, `5.weight`, does at high sparsity under the two magnitude
# criteria.

# %% tags=["nbval-ignore-output"]
def look(sparsity_percent=80, criterion="magnitude, all layers together"):
    masks = criteria[criterion](sparsity_percent / 100)
    accuracy = pruned_accuracy(masks, val_x[:1000], val_y[:1000])
    fig = lesson03.draw_view(weights, masks, percent, one_shot[criterion], (sparsity_percent, accuracy))
    fig.suptitle(f"{criterion}: {sparsity_percent} % removed, {accuracy:.1f} % right on 1,000 images (no training)")
    return fig

widgets.explore(look, sparsity_percent=(0, 99, 80), criterion=["magnitude, all layers together", "magnitude, each layer alone", "Taylor, all layers together", "random"])

# %% [markdown]
# *Picture: left, the histogram of the weights before pruning in grey and the kept ones in colour, with a gap around
# zero; right, the accuracy curve with a marker at the slider's sparsity.*
#
# ## 4. Which layer can spare most?
#
# Prune one layer alone, measure, put it back. Such a **sensitivity scan** also works for criteria without a common
# scale, and it is the usual first step with an unknown network.

# %% [markdown]
# ### Exercise 4 · `sensitivity_scan`
#
# <details><summary>Hint 1, a nudge</summary>Each measurement starts from the original weights, so keep a copy of them.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>For each name and sparsity put the copy, masked, into the model and evaluate; at the end, also after an error, the copy itself.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>original = p.detach().clone()</code>; in a <code>try</code>: <code>p.data.copy_(original * magnitude_mask(original, s))</code>; in <code>finally</code>: <code>p.data.copy_(original)</code>.</details>

# %% exercise="sensitivity_scan" minutes=12 difficulty=2
def sensitivity_scan(model: nn.Module, names: list[str], sparsities: list[float], evaluate) -> dict[str, list[float]]:
    """The metric with one parameter alone pruned by magnitude, for each parameter and each sparsity.

    Args:
        model: any module.
        names: parameter names as in model.named_parameters(), weights or biases.
        sparsities: in any order, each 0 .. 1.
        evaluate: evaluate(model) -> float, higher is better.

    Returns:
        name -> metrics in the order of `sparsities`. Each starts from the original parameters, and the model is restored
        at the end, also when `evaluate` raises.

    Source: Han et al. 2015, arXiv:1506.02626, section 5 and figure 6.
    """
    ### BEGIN SOLUTION
    parameters, scan = dict(model.named_parameters()), {}
    for name in names:
        p = parameters[name]
        original, scan[name] = p.detach().clone(), []
        try:
            for sparsity in sparsities:
                p.data.copy_(original * magnitude_mask(original, sparsity))
                scan[name].append(evaluate(model))
        finally:
            p.data.copy_(original)
    return scan
    ### END SOLUTION

# %% test="sensitivity_scan" points=3
# Checked here: the drops of a small chain; the model is put back, also when evaluate raises.
# Hidden tests: models with convolutions and batch norms, biases, other sparsities and failures.
from_scratch(sensitivity_scan, FORBIDDEN)
_tensor = torch.tensor

@probe
def sensitivity_scan_of(net, state, names, sparsities):
    return sensitivity_scan(checks03.net(net, state), names, sparsities, checks03.total)

@probe
def model_after(net, state, names, sparsities, calls):
    """What is left when `evaluate` raises after so many calls."""
    model = checks03.prepare(net, state, {})
    done = []

    def evaluate(candidate):
        done.append(1)
        if len(done) > calls:
            raise RuntimeError("evaluate() was asked to fail")
        return checks03.total(candidate)

    try:
        sensitivity_scan(model, names, sparsities, evaluate)
    except RuntimeError:
        pass
    return checks03.what_is_left(model)

_state = {"0.weight": _tensor([[1.0, -2.0], [0.5, 3.0]]), "1.weight": _tensor([[4.0, -1.0]])}
_names = ["0.weight", "1.weight"]
# the metric of these tests is sum |first weight| + 2 * sum |second weight|, 16.5 before pruning
_expected = lambda a, b: [{"0.weight": a, "1.weight": b}]
check(
    sensitivity_scan_of,
    [("chain", _state, _names, [0.0, 0.5, 0.25])],
    _expected([16.5, 15.0, 16.0], [16.5, 14.5, 16.5]),
    checks03.sensitivity_scan_mistakes(_expected),
    tol=1e-6,
)
expect(
    [model_after("chain", _state, _names, [0.5, 0.25], calls) for calls in (99, 1)],
    [checks03.what_is_left(checks03.prepare("chain", _state, {}))] * 2,
    "the model after sensitivity_scan, and after one whose evaluate() raised",
    checks03.SCAN_NOT_RESTORED,
)

### BEGIN HIDDEN TESTS
def _scanned(net, state, names, sparsities, cumulative=()):
    """One entry at a time, on copies of the state."""
    found, left = {}, dict(state)
    for name in names:
        w, found[name] = left[name] if "names" in cumulative else state[name], []
        for s in sparsities:
            flat = sorted(range(w.numel()), key=lambda i: abs(w.flatten()[i].item()))
            pruned = w.flatten().clone()
            for i in flat[: round(s * w.numel())]:
                pruned[i] = 0.0
            left = {**(left if "names" in cumulative else state), name: pruned.reshape(w.shape)}
            found[name].append(checks03.total(checks03.net(net, left)))
            w = left[name] if "steps" in cumulative else w
    return found

_cases = [
    (
        "mixed",
        checks03.random_state("mixed", 35),
        ["wide.weight", "block.0.weight", "head.bias"],
        [0.75, 0.25, 0.5, 0.0],
    ),
    ("two layers", checks03.random_state("two layers", 36), ["2.weight", "0.weight"], [1.0, 0.5]),
    ("two layers", checks03.random_state("two layers", 37), ["0.bias"], [0.25]),
]
check(
    sensitivity_scan_of,
    _cases,
    _scanned,
    {
        checks03.CUMULATIVE: tuple(
            lambda *c, how=how: _scanned(*c, cumulative=how) for how in (("names", "steps"), ("names",), ("steps",))
        )
    },
    tol=1e-5,
)
_ways = [(case, calls) for case in _cases for calls in (99, 0, 2)]
expect(
    [model_after(*case, calls) for case, calls in _ways],
    [checks03.what_is_left(checks03.prepare(case[0], case[1], {})) for case, _ in _ways],
    "the model after more scans, some of which raised",
    {checks03.NOT_RESTORED: lambda got: True},
)
### END HIDDEN TESTS

# %%
scan = sensitivity_scan(model, list(weights), [p / 100 for p in percent], lambda m: measure.accuracy(m, val_x, val_y))
lesson03.draw_sensitivity(percent, scan, {name: w.numel() for name, w in weights.items()})

# %% [markdown]
# *Picture: validation accuracy over the sparsity of one layer alone, three lines. Which line falls first tells which layer needs its weights.*
#
# ## 5. Train what is left
#
# A pruned network should be trained on: the remaining weights take over the work of the removed ones. But training moves weights, and a pruned weight must stay at zero. The obvious idea is to zero its *gradient*. Let us try that with an optimizer that has momentum:

# %%
def train_with_masked_gradients(make_optimizer, steps=25):
    """Twenty dense steps, then 90 % are pruned and only the gradient is masked."""
    torch.manual_seed(1)
    patient = models.load("lenet_300_100").train()
    optimizer = make_optimizer(patient.parameters())
    batches = list(zip(train_x[:6000].split(128), train_y[:6000].split(128)))
    lesson03.plain_steps(patient, batches[:20], optimizer)
    named = {name: p for name, p in patient.named_parameters() if p.dim() == 2}
    masks = global_masks({name: p.detach() for name, p in named.items()}, 0.9)
    with torch.no_grad():
        for name, p in named.items():
            p.mul_(masks[name])
    sizes = [0.0]
    for x, y in batches[20 : 20 + steps]:
        optimizer.zero_grad()
        F.cross_entropy(patient(x), y).backward()
        for name, p in named.items():
            p.grad.mul_(masks[name])  # no gradient reaches a pruned weight
        optimizer.step()
        sizes.append(torch.cat([p.detach()[~masks[name]].abs() for name, p in named.items()]).mean().item())
    return sizes

revived = {
    "SGD": train_with_masked_gradients(lambda p: torch.optim.SGD(p, lr=0.05)),
    "SGD with momentum 0.9": train_with_masked_gradients(lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
    "Adam": train_with_masked_gradients(lambda p: torch.optim.Adam(p, lr=1e-3)),
}
lesson03.draw_revival(revived)

# %% [markdown]
# *Picture: mean magnitude of the pruned weights over the steps after pruning. Plain SGD keeps them at zero; with momentum and with Adam they move away from zero although their gradient is zero.*
#
# The optimizer remembers earlier gradients. With momentum $\mu$ a step is $v \leftarrow \mu v + g$, $w \leftarrow w - \eta v$: even with $g = 0$ the old $v$ goes on pushing the weight for many steps. So the rule is: **mask the weights, after every step**. What you do with the gradient does not matter then.

# %% [markdown]
# ### Exercise 5 · `MaskedTrainer`
#
# <details><summary>Hint 1, a nudge</summary>The contract applies the masks in two places: write one small method for it.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Keep the masks. Multiply at the start and again after each step of the optimizer; parameters without a mask are left alone.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>with torch.no_grad(): p.mul_(mask)</code> for each name in <code>dict(model.named_parameters())</code> that has a mask. <code>step</code>: zero_grad, backward, step, then this.</details>

# %% exercise="MaskedTrainer" minutes=10 difficulty=2
class MaskedTrainer:
    """Trains a model in place and keeps its pruned weights at exactly 0.

    `MaskedTrainer(model, masks)` applies the masks to the model at once. `masks`: parameter names -> bool masks, True = kept;
    parameters without a mask are trained as usual.

    `step(loss, optimizer)` clears the gradients, runs backward, takes one optimizer step, and applies the masks again.
    After it every pruned weight equals 0, whatever first-order optimizer is used (momentum, weight decay, Adam, …).

    Source: Zhu and Gupta 2017, arXiv:1710.01878, section 3 (masked weights are not updated).
    """

    def __init__(self, model: nn.Module, masks: dict[str, torch.Tensor]):
        ### BEGIN SOLUTION
        self.masked = [(p, masks[name]) for name, p in model.named_parameters() if name in masks]
        self.apply()
        ### END SOLUTION

    def step(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
        ### BEGIN SOLUTION
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.apply()

    def apply(self):
        with torch.no_grad():
            for p, mask in self.masked:
                p.mul_(mask)
        ### END SOLUTION

# %% test="MaskedTrainer" points=4
# Checked here: weights after each step with plain SGD and with momentum.
# Hidden tests: six optimizers on models with batch norms, after ordinary steps.
from_scratch(MaskedTrainer, FORBIDDEN)
_tensor = torch.tensor

@probe
def masked_training(net, state, masks, optimizer, dense, batches):
    """Some ordinary steps, then MaskedTrainer: the state after __init__ and after each of its steps."""
    model = checks03.net(net, state)
    optimizer = checks03.OPTIMIZERS[optimizer](model.parameters())
    lesson03.plain_steps(model, dense, optimizer)
    trainer = MaskedTrainer(model, masks)
    states = [checks03.copy_state(model)]
    for x, y in batches:
        trainer.step(lesson03.loss_of(model, x, y), optimizer)
        states.append(checks03.copy_state(model))
    return states

_expected = lambda *values: [[{"0.weight": _tensor(v)} for v in values]]
_state, _masks = {"0.weight": _tensor([[1.0, 2.0], [3.0, 4.0]])}, {"0.weight": _tensor([[True, False], [True, True]])}
_unit_batch = (
    _tensor([[1.0, 1.0]]),
    _tensor([[1.0, 1.0]]),
)  # the gradient of every weight is 1; the learning rate is 0.5
check(
    masked_training,
    [("linear", _state, _masks, "SGD", [], [_unit_batch, _unit_batch])],
    _expected([[1.0, 0.0], [3.0, 4.0]], [[0.5, 0.0], [2.5, 3.5]], [[0.0, 0.0], [2.0, 3.0]]),
    checks03.maskedtrainer_mistakes(_expected),
    SYMPTOMS["MaskedTrainer"],
    tol=1e-6,
)
check(
    masked_training,
    [("linear", _state, _masks, "momentum", [_unit_batch], [_unit_batch])],
    _expected([[0.5, 0.0], [2.5, 3.5]], [[-0.25, 0.0], [1.75, 2.75]]),
    {checks03.LATE_ZERO: _expected([[0.5, 0.0], [2.5, 3.5]], [[-0.75, 0.0], [1.25, 2.25]])},
    SYMPTOMS["MaskedTrainer"],
    tol=1e-6,
)

### BEGIN HIDDEN TESTS
def _masked(net, state, masks, optimizer, dense, batches, zero=True):
    """The same with plain torch; a step without zero_grad if asked for."""
    model = checks03.net(net, state)
    optimizer, parameters = checks03.OPTIMIZERS[optimizer](model.parameters()), dict(model.named_parameters())
    lesson03.plain_steps(model, dense, optimizer)
    states = []
    for batch in [None, *batches]:
        if batch:
            if zero:
                optimizer.zero_grad()
            lesson03.loss_of(model, *batch).backward()
            optimizer.step()
        for name, mask in masks.items():
            parameters[name].data[~mask] = 0.0
        states.append(checks03.copy_state(model))
    return states

_rng = torch.Generator().manual_seed(38)
_cases = []
for _i, _optimizer in enumerate(["SGD", "momentum", "Nesterov, weight decay", "Adam", "AdamW", "RMSprop"]):
    _net = ("two layers", "batch norm")[_i % 2]
    _state, _batches = checks03.random_state(_net, 50 + _i), checks03.random_batches(_net, 60 + _i, 7)
    _which = [n for n in _state if n.endswith("weight") or (n == "0.bias" and _i > 2)][: 3 - _i % 2]
    _cases.append(
        (
            _net,
            _state,
            {n: torch.rand(_state[n].shape, generator=_rng) < 0.5 for n in _which},
            _optimizer,
            _batches[:3],
            _batches[3:],
        )
    )
check(
    masked_training,
    _cases,
    _masked,
    {checks03.NO_ZERO: lambda *case: _masked(*case, zero=False)},
    SYMPTOMS["MaskedTrainer"],
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# ## 6. A little at a time
#
# Cut a little, train, cut a little more: each time the damage is small. Whether that pays we measure below. Zhu and
# Gupta (2017) do it inside one training run. From step `begin` to step `end` the sparsity follows
#
# $$s_t = s_f + (s_i - s_f)\,(1 - u)^3, \qquad u = \frac{t - t_{begin}}{t_{end} - t_{begin}}.$$
#
# At first, when nearly all weights are redundant, many go; towards the end few. Many tutorials print $s_f\,u^3$ in its
# place, which is the opposite.

# %% [markdown]
# ### Exercise 6 · `cubic_sparsity`
#
# <details><summary>Hint 1, a nudge</summary>Before <code>begin</code> and from <code>end</code> on no formula is needed, and nothing is divided by zero.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Between them u goes from 0 to 1; what is missing to the final sparsity shrinks with the third power of 1 − u.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>final + (initial - final) * (1 - u) ** 3</code> with <code>u = (step - begin) / (end - begin)</code>.</details>

# %% exercise="cubic_sparsity" minutes=6 difficulty=1
def cubic_sparsity(step: int, begin: int, end: int, initial: float, final: float) -> float:
    """Sparsity at a training step: initial before `begin`, final from `end` on, and between them
    final + (initial - final) * (1 - u)**3 with u = (step - begin) / (end - begin).

    Args:
        begin, end: steps, begin <= end. If they are equal the sparsity jumps there from initial to final.

    >>> [cubic_sparsity(t, 0, 10, 0.0, 0.8) for t in (0, 5, 10)]
    [0.0, 0.7, 0.8]

    Source: Zhu and Gupta 2017, arXiv:1710.01878, equation 1.
    """
    ### BEGIN SOLUTION
    if step < begin:
        return initial
    if step >= end:
        return final
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3
    ### END SOLUTION

# %% test="cubic_sparsity" points=3
# Checked here: six steps before, within and after two schedules.
# Hidden tests: many steps of other schedules, with ends that coincide.
from_scratch(cubic_sparsity, FORBIDDEN)
check(
    cubic_sparsity,
    [
        (5, 0, 10, 0.0, 0.8),
        (15, 10, 20, 0.5, 0.75),
        (0, 0, 10, 0.0, 0.8),
        (10, 0, 10, 0.0, 0.8),
        (3, 5, 10, 0.25, 0.8),
        (30, 5, 10, 0.25, 0.8),
    ],
    [0.7, 0.71875, 0.0, 0.8, 0.25, 0.8],
    checks03.CUBIC_SPARSITY_MISTAKES,
    SYMPTOMS["cubic_sparsity"],
    tol=1e-6,
)

### BEGIN HIDDEN TESTS
def _cubic(t, a, b, i, f):
    u = min(max((t - a) / (b - a), 0.0), 1.0) if b > a else float(t >= b)
    return f - (f - i) * (1 - u) * (1 - u) * (1 - u)

_cases = [
    (t, a, b, i, f)
    for a, b, i, f in ((0, 8, 0.0, 0.5), (100, 900, 0.25, 0.99), (3, 4, 0.0, 1.0), (0, 40, 0.5, 0.5))
    for t in (a + 1, (a + b) // 2, b - 1, a, b)
]
_cases += [
    (0, 100, 900, 0.25, 0.99),
    (99, 100, 900, 0.1, 0.9),
    (901, 100, 900, 0.1, 0.9),
    (10_000, 0, 8, 0.0, 0.5),
    (5, 5, 5, 0.0, 0.9),
    (4, 5, 5, 0.0, 0.9),
    (0, 0, 0, 0.0, 0.9),
]
_clamped = lambda formula: lambda t, a, b, i, f: i if t < a else f if t >= b else formula((t - a) / (b - a), i, f)
check(
    cubic_sparsity,
    _cases,
    _cubic,
    {
        checks03.SLOW: (_clamped(lambda u, i, f: i + (f - i) * u**3), _clamped(lambda u, i, f: f * u**3)),
        checks03.SQUARE: _clamped(lambda u, i, f: f + (i - f) * (1 - u) ** 2),
    },
    SYMPTOMS["cubic_sparsity"],
    tol=1e-6,
)
### END HIDDEN TESTS

# %%
def slow_first(step, begin, end, initial, final):
    """What many tutorials print."""
    return final if step >= end else final * ((step - begin) / (end - begin)) ** 3

steps = list(range(0, 401, 5))
lesson03.draw_schedules(steps, {"cubic (Zhu and Gupta)": [cubic_sparsity(t, 0, 400, 0.0, 0.95) for t in steps], "slow first": [slow_first(t, 0, 400, 0.0, 0.95) for t in steps]})

# %% [markdown]
# *Picture: left, sparsity over steps, one curve rising fast and flattening, one the opposite; right, the weights that each of twenty stages removes.*

# %% [markdown]
# ### Exercise 7 · `gradual_prune`
#
# Put it together, with your `global_masks`, `MaskedTrainer` and `cubic_sparsity` (exercises 2, 5 and 6; their tests should pass first): one training run that prunes on the way. At steps 0, `every`, 2·`every`, … **before the forward pass** the masks are computed anew from the present weights; between, they are held. The schedule ends at the *last recomputation*; the steps after it train at the final sparsity.
#
# <details><summary>Hint 1, a nudge</summary>The last recomputation is at <code>(steps - 1) // every * every</code>. Pruned weights are 0, so they stay the smallest.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>In train mode, at each recomputation: global masks from the weights as they are now, at this step's sparsity, and a new trainer with them. In every step the trainer takes the next batch, round and round. Return the last masks.</details>
#
# <details><summary>Hint 3, the key lines</summary>If <code>t % every == 0</code>: <code>masks = global_masks(weights, cubic_sparsity(t, 0, last, 0.0, final_sparsity))</code>, <code>trainer = MaskedTrainer(model, masks)</code>. Then <code>x, y = batches[t % len(batches)]</code> and <code>trainer.step(F.cross_entropy(model(x), y), optimizer)</code>.</details>

# %% exercise="gradual_prune" minutes=20 difficulty=4
def gradual_prune(model: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]], optimizer: torch.optim.Optimizer, steps: int, final_sparsity: float, every: int) -> dict[str, torch.Tensor]:
    """Train in place, in train mode, for `steps` optimizer steps and prune on the way; return the masks.

    Args:
        model: any module. Pruned are the weights (not the biases) of its layers: the submodules whose type is exactly
            nn.Linear or nn.Conv2d. One ranking by magnitude over all of them.
        batches: step t trains on batches[t % len(batches)] with F.cross_entropy.
        optimizer: made for the model's parameters; it may have momentum.
        every: the masks are computed anew at steps 0, every, 2 * every, … below `steps`, before that step's forward
            pass, with sparsity cubic_sparsity(t, 0, last, 0, final_sparsity), where `last` is the last of these steps.
            If there is only step 0, it prunes to the final sparsity at once.

    Returns:
        parameter name of each layer's weight -> bool mask, True = kept, with exactly round(final_sparsity * total)
        removed. The model's pruned weights are 0, after every step and at the end. Its mode need not be put back.

    Source: Zhu and Gupta 2017, arXiv:1710.01878, section 3.
    """
    ### BEGIN SOLUTION
    layers = {f"{n}.weight".lstrip("."): m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks({n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity))
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks
    ### END SOLUTION

# %% test="gradual_prune" points=6
# Checked here: how many zeros each step finds and whether they stay, in three schedules and a convolution.
# Hidden tests: five optimizers and schedules against a reference, batch norms, dropout.
from_scratch(gradual_prune, FORBIDDEN)

@probe
def gradual_run(net, state, batches, optimizer, steps, final, every):
    """Prune, and note the zeros before each optimizer step."""
    model = checks03.net(net, state).eval()
    optimizer = checks03.OPTIMIZERS[optimizer](model.parameters())
    seen = checks03.watch(model, optimizer)
    masks = gradual_prune(model, batches, optimizer, steps, final, every)
    return {**seen, "masks": masks, "state": checks03.copy_state(model)}

_sizes = {"0.weight": 32, "2.weight": 32}
_state, _batches = checks03.random_state("two layers", 71, **{"0": 3.0}), checks03.random_batches("two layers", 72, 5)
for _steps, _final, _every, _zeros in (
    (12, 0.75, 4, [0] * 4 + [42] * 4 + [48] * 4),
    (7, 0.5, 3, [0] * 3 + [28] * 3 + [32]),
    (4, 0.5, 5, [32] * 4),
):
    _result = gradual_run("two layers", _state, _batches, "small steps", _steps, _final, _every)
    checks03.check_gradual(_result, f"two layers, sparsity {_final}", _sizes, _batches, _zeros, _every)
_result = gradual_run(
    "mixed",
    checks03.random_state("mixed", 89, wide=0.3),
    checks03.random_batches("mixed", 88, 3),
    "small steps",
    5,
    0.75,
    2,
)
_sizes = {"block.0.weight": 36, "wide.weight": 768, "head.weight": 24}  # a convolution and two linear layers
checks03.check_gradual(
    _result,
    "a convolution and two linear layers, sparsity 0.75",
    _sizes,
    checks03.random_batches("mixed", 88, 3),
    [0, 0, 543, 543, 621],
    2,
)

### BEGIN HIDDEN TESTS
def _gradual(net, state, batches, optimizer, steps, final, every):
    """Zeros wanted at each step, and the weights at the end, computed one at a time."""
    model = checks03.net(net, state).train()
    optimizer, zeros, masks = checks03.OPTIMIZERS[optimizer](model.parameters()), [], {}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last, total = max(t for t in range(steps) if t % every == 0), sum(w.numel() for w in layers.values())
    for t in range(steps):
        if t % every == 0:
            sparsity = final if last == 0 else final - final * (1 - t / last) ** 3
            ranked = sorted((abs(v), n, i) for n, w in layers.items() for i, v in enumerate(w.flatten().tolist()))
            masks = {n: torch.ones(w.numel(), dtype=torch.bool) for n, w in layers.items()}
            for _, n, i in ranked[: round(sparsity * total)]:
                masks[n][i] = False
        zeros.append(sum(int((~m).sum()) for m in masks.values()))
        for again in (False, True):
            if again:
                lesson03.plain_steps(model, [batches[t % len(batches)]], optimizer)
            for n, w in layers.items():
                w.data.flatten()[~masks[n]] = 0.0
    return zeros, checks03.copy_state(model)

for _i, (_net, _optimizer, _steps, _final, _every) in enumerate(
    (
        ("two layers", "Adam", 23, 0.8, 8),
        ("two layers", "AdamW", 11, 0.5, 2),
        ("batch norm", "small steps", 9, 0.75, 4),
        ("two layers", "small steps", 5, 1.0, 1),
        ("two layers", "Adam", 6, 0.0, 2),
        ("batch norm", "Adam", 1, 0.5, 1),
    )
):
    _state, _batches = checks03.random_state(_net, 73 + _i, **{"0": 4.0}), checks03.random_batches(_net, 80 + _i, 3)
    _sizes = {n: w.numel() for n, w in _state.items() if w.dim() == 2}
    _zeros, _want = _gradual(_net, _state, _batches, _optimizer, _steps, _final, _every)
    _result = gradual_run(_net, _state, _batches, _optimizer, _steps, _final, _every)
    checks03.check_gradual(_result, f"{_net}, {_optimizer}, sparsity {_final}", _sizes, _batches, _zeros, _every)
    expect(
        _result["state"],
        _want,
        "the weights after gradual_prune",
        {"trained or pruned differently: one step a batch, masks from the present weights": lambda got: True},
        tol=1e-3,
    )
_state, _batches = (
    checks03.random_state("mixed", 90, wide=0.3),
    checks03.random_batches("mixed", 91, 4),
)  # dropout: only the counts are certain
_result = gradual_run("mixed", _state, _batches, "Adam", 9, 0.9, 4)
_total = 36 + 768 + 24
checks03.check_gradual(
    _result,
    "mixed, sparsity 0.9",
    {"block.0.weight": 36, "wide.weight": 768, "head.weight": 24},
    _batches,
    [0] * 4 + [round(0.9 * 0.875 * _total)] * 4 + [round(0.9 * _total)],
    4,
)
### END HIDDEN TESTS

# %% [markdown]
# Now the picture that this lesson is about. One epoch of training for every run, with the same batches in the same order:
# once everything is pruned at step 0 (`every = steps` leaves only that recomputation), once gradually. Three orders of the
# batches show how much is chance. For the schedule of the tutorials we lend your function another `cubic_sparsity`; if you
# wrote the formula into `gradual_prune` itself, the third curve equals the second. (About 25 s on one core.)
#
# <details><summary>Predict first: at 90 %, which way wins? And at 98 %?</summary>Most people expect the gradual way to win
# everywhere. The table below says where it does.</details>

# %% tags=["nbval-ignore-output"]
from unittest.mock import patch

epochs = [lesson03.read_batches(train_x, train_y, *lesson03.draw_batches(215, 256, seed)) for seed in (1, 2, 3)]

def prune_and_train(sparsity, every):
    """Accuracies of the shipped model after one epoch of 215 batches, one for each order of the batches."""
    found = []
    for epoch in epochs:
        patient = models.load("lenet_300_100")
        optimizer = torch.optim.AdamW(patient.parameters(), lr=4e-3)
        gradual_prune(patient, epoch, optimizer, len(epoch), sparsity, every)
        found.append(measure.accuracy(patient.eval(), val_x, val_y))
    return found

high = [90, 98]
retrained = {
    "at once, then one epoch": [prune_and_train(p / 100, 215) for p in high],
    "gradually in one epoch": [prune_and_train(p / 100, 43) for p in high],
}
with patch.dict(globals(), cubic_sparsity=slow_first):
    retrained["gradually, slow first"] = [[np.nan], prune_and_train(0.98, 43)]
print("mean of three runs, and the range of them")
for name, runs in retrained.items():
    cells = [f"{np.mean(r):5.2f} ({min(r):.2f} to {max(r):.2f})" if len(r) > 1 else "not run" for r in runs]
    print(f"{name:24}" + "   ".join(f"{p} %: {cell:24}" for p, cell in zip(high, cells)))
means = {name: [np.mean(r) for r in runs] for name, runs in retrained.items()}
lesson03.draw_curves(percent, one_shot, dense_accuracy, high, means)

# %% [markdown]
# *Picture: left, the four criteria without training; right, accuracy after one epoch of training: pruned at once, gradually, and (at 98 %) with the slow-first schedule.*
#
# Training repairs most of the damage. At 90 %, pruning at once is no worse: a whole epoch with the final mask heals one
# cut, and the gradual way reaches its final mask only near the end. At 98 % the gradual way is ahead, and the schedule
# that is slow first leaves no time to recover. Compare the ranges before you compare the means.
#
# ## 7. Lottery tickets
#
# Could we have trained the small network from the start? Usually that gives a worse result. Frankle and Carbin (2019)
# found an exception: keep the mask of a pruned network, put the remaining weights back to **the values they had
# before training**, and train again. They call a sparse start that then learns about as well as the large network a
# winning lottery ticket; new random values under the same mask do not.

# %% [markdown]
# ### Exercise 8 · `rewind`
#
# A colleague's rewind runs without an error and is wrong twice:
#
# ```python
# for name, p in model.named_parameters():
#     p.data = initial_state[name]
#     if name in masks:
#         p.data *= masks[name]
# ```
#
# One mistake is in the model afterwards, the other shows when the same `initial_state` is used again. Find both, and then
# write it right.
#
# <details><summary>Hint 1, a nudge</summary>What does a trained network with BatchNorm keep that is no parameter? And whose memory is <code>p.data</code> after the second line?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Copy the whole state into the model, then mask in place and without a gradient.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>model.load_state_dict(initial_state)</code>, then <code>p.mul_(mask)</code> under <code>torch.no_grad()</code>.</details>

# %% exercise="rewind" minutes=6 difficulty=1
def rewind(model: nn.Module, initial_state: dict[str, torch.Tensor], masks: dict[str, torch.Tensor]) -> None:
    """Put every entry of `initial_state` back into the model, in place, then set the masked-out weights to 0.

    Args:
        initial_state: deep copy of model.state_dict() from before training: weights, biases, buffers. It is not changed
            and shares no memory with the model afterwards.
        masks: parameter names -> bool masks, True = kept.

    The model's parameters stay the same objects, so an optimizer made for them goes on working.

    Source: Frankle and Carbin 2019, arXiv:1803.03635, section 1.
    """
    ### BEGIN SOLUTION
    model.load_state_dict(initial_state)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p.mul_(masks[name])
    ### END SOLUTION

# %% test="rewind" points=3
# Checked here: weights, statistics and mask after rewind, and that the initial state stays as it was.
# Hidden tests: three models, masks for some of the weights and none.
from_scratch(rewind, FORBIDDEN)
_tensor = torch.tensor

@probe
def rewound(net, state, initial, masks):
    """The model after rewind, after one more step (every gradient 1, rate 1), and initial_state after that."""
    model = checks03.net(net, state)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rewind(model, initial, masks)
    states = [checks03.copy_state(model)]
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    return [*states, checks03.copy_state(model), initial]

_shapes = checks03.random_state("batch norm", 0)
_filled_with = lambda value: {name: torch.full_like(t, value) for name, t in _shapes.items()}
_initial, _trained, _mask = (
    _filled_with(2),
    _filled_with(5),
    _tensor([[True, False, True], [False, False, True], [True, True, True], [False, True, False]]),
)
_after_rewind, _after_a_step = _filled_with(2), _filled_with(1)
_after_rewind["0.weight"], _after_a_step["0.weight"] = (
    _tensor([[2.0, 0, 2], [0, 0, 2], [2, 2, 2], [0, 2, 0]]),
    _tensor([[1.0, -1, 1], [-1, -1, 1], [1, 1, 1], [-1, 1, -1]]),
)
for _name in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
    _after_a_step[_name] = _initial[_name]
check(
    rewound,
    [("batch norm", _trained, _initial, {"0.weight": _mask})],
    [[_after_rewind, _after_a_step, _initial]],
    {},
    SYMPTOMS["rewind"],
)

### BEGIN HIDDEN TESTS
def _rewound(net, state, initial, masks):
    after = {n: t * masks[n] if n in masks else t for n, t in initial.items()}
    names = [n for n, _ in checks03.net(net, state).named_parameters()]
    return [after, {n: t - 1 if n in names else t for n, t in after.items()}, initial]

_rng, _cases = torch.Generator().manual_seed(39), []
for _i, _net in enumerate(("mixed", "batch norm", "two layers")):
    _state, _initial = checks03.random_state(_net, 92 + _i), checks03.random_state(_net, 95 + _i)
    _state = {n: t + 4 if not t.is_floating_point() else t for n, t in _state.items()}
    _cases += [
        (
            _net,
            _state,
            _initial,
            {n: torch.rand(t.shape, generator=_rng) < 0.4 for n, t in _initial.items() if t.dim() > 1},
        ),
        (_net, _state, _initial, {}),
    ]
check(rewound, _cases, _rewound, {}, SYMPTOMS["rewind"], tol=1e-6)
### END HIDDEN TESTS

# %% [markdown]
# A short run first: one epoch each, 5 % of the weights, one seed. The mask comes from the network after its first training.

# %% tags=["nbval-ignore-output"]
def one_epoch(network, masks):
    """Accuracy after one epoch from whatever weights the network has."""
    held = MaskedTrainer(network, masks)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    network.train()
    for x, y in epochs[0]:
        held.step(F.cross_entropy(network(x), y), optimizer)
    return measure.accuracy(network.eval(), val_x, val_y)

torch.manual_seed(5)
network = models.lenet_300_100()
start = {name: t.clone() for name, t in network.state_dict().items()}
print(f"all weights:               {one_epoch(network, {}):.2f} %")
ticket = global_masks({name: p.detach() for name, p in network.named_parameters() if p.dim() == 2}, 0.95)
rewind(network, start, ticket)
print(f"5 %, first values again:   {one_epoch(network, ticket):.2f} %")
rewind(network, models.lenet_300_100().state_dict(), ticket)
print(f"5 %, new random values:    {one_epoch(network, ticket):.2f} %")

# %% [markdown]
# One run proves little. `data/make_lesson03.py` repeated this with three seeds: train for three epochs, remove half
# of what is left, start again, seven rounds. The results are stored and only drawn here. The third curve keeps the
# trained weights of the round before and trains on, as one does in practice.

# %%
results = lesson03.load_results()
print(f"{results['model']}; seeds {results['seeds']}, {results['epochs']} epochs a round, {results['cpu_seconds']} CPU seconds")
print("kept      " + "   ".join(f"{name:>22}" for name in results["accuracy"]))
for i, kept in enumerate(results["kept"]):
    columns = [torch.tensor([seed[i] for seed in runs]) for runs in results["accuracy"].values()]
    print(f"{100 * kept:5.1f} %   " + "   ".join(f"{c.mean():8.2f} ({c.min():.2f}–{c.max():.2f})" for c in columns))
lesson03.draw_tickets(results["kept"], results["accuracy"])

# %% [markdown]
# *Picture: validation accuracy over the share of weights kept, from 100 % down to 1.6 %, mean of three seeds with bands from the worst to the best. Rewound tickets stay nearly flat until 3 %, new random values fall from the start; keeping the trained weights lies on top.*
#
# In every row below 100 % the worst rewound seed beats the best new random one: for this small network the claim of
# the paper holds. But three epochs are little training, and if the trained weights are at hand, keeping them is never
# worse than rewinding. A ticket is no faster way to a small model, since finding it means training the large one
# first. Larger networks are rewound to an early step, not to the very start (Frankle et al. 2020).
#
# ## 8. 2:4 sparsity
#
# Zeros anywhere are hard on hardware: it must find them. NVIDIA's GPUs since 2020 have a compromise (Mishra et al.
# 2021): in **every run of four neighbours** along the input axis **two are kept**, stored densely with a 2-bit
# position for each. The general form is n:m: keep n of every m.

# %% [markdown]
# ### Exercise 9 · `nm_mask`
#
# <details><summary>Hint 1, a nudge</summary>Give w the shape <code>[-1, m]</code>: each row of it is one run.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse what the contract refuses. Find the places of the n largest magnitudes in each row, set a mask of False to True there, and give it the weight's shape.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>kept = groups.abs().topk(n, dim=1).indices</code>, then <code>torch.zeros_like(groups, dtype=torch.bool).scatter_(1, kept, True)</code>; <code>topk</code> returns exactly n, ties or not.</details>

# %% exercise="nm_mask" minutes=10 difficulty=2
def nm_mask(w: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """n:m mask: in each run of m neighbours along the input axis exactly the n of largest magnitude are kept.

    Args:
        w: float32 `[out, in]`. Runs do not overlap: columns 0 .. m-1, m .. 2m-1, …
        n, m: whole numbers, 0 <= n <= m, m >= 1.

    Returns:
        bool `[out, in]`, True = kept. Among equal magnitudes any choice is right, but exactly n of each run are kept.

    Raises:
        ValueError: `in` is not a multiple of m, or n is not in 0 .. m.

    >>> nm_mask(torch.tensor([[1.0, -4.0, 2.0, 3.0]]), 2, 4)
    tensor([[False,  True, False,  True]])

    Source: Mishra et al. 2021, arXiv:2104.08378, section 2.
    """
    ### BEGIN SOLUTION
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError(f"no {n}:{m} mask for {w.shape[1]} inputs")
    groups = w.abs().reshape(-1, m)
    kept = groups.topk(n, dim=1).indices
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(1, kept, True).reshape(w.shape)
    ### END SOLUTION

# %% test="nm_mask" points=4
# Checked here: patterns 1:4, 2:4, 3:4, 1:2, ties, rows that do not divide, impossible patterns.
# Hidden tests: other patterns and shapes, many ties, a transposed tensor, more impossible patterns.
from_scratch(nm_mask, FORBIDDEN)
_tensor = torch.tensor
_weights = _tensor(
    [
        [1.0, -4.0, 2.0, 3.0, 0.1, 0.2, -0.3, 0.4],
        [-9.0, 8.0, 7.0, -6.0, 1.5, 1.4, -1.3, 1.2],
        [5.0, 0.5, 6.0, 0.6, -7.0, 0.7, 2.5, 0.8],
        [2.2, 2.1, -2.3, 2.4, 3.3, -3.1, 3.2, 3.0],
    ]
)
checks03.check_nm(
    nm_mask,
    [
        (_weights, 1, 4),
        (_weights, 2, 4),
        (_weights[:3], 3, 4),
        (_weights, 1, 2),
        (torch.ones(2, 8), 2, 4),
        (_tensor([[0.0, 0.0, 0.0, 1.0]]), 2, 4),
        (_weights, 0, 4),
        (_weights, 4, 4),
    ],
)
check_errors(ValueError, nm_mask, (torch.ones(4, 6), 2, 4), (_weights, 5, 4), (_weights, -1, 4))
check_inputs(inputs_after, nm_mask, _weights, 2, 4)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(41)
_cases = [
    (torch.randn(s, generator=_rng), n, m)
    for s, n, m in (
        ((8, 16), 1, 4),
        ((8, 16), 2, 4),
        ((3, 10), 1, 5),
        ((6, 12), 3, 4),
        ((5, 9), 2, 3),
        ((16, 16), 5, 16),
        ((2, 8), 1, 1),
        ((1, 6), 0, 3),
    )
]
_few = torch.randint(-1, 2, (12, 24), generator=_rng).float()
checks03.check_nm(
    nm_mask, _cases + [(_few, 2, 4), (_few, 3, 8), (torch.zeros(4, 8), 2, 4), (-torch.ones(4, 4), 1, 4)]
)

@probe
def nm_mask_of_a_transposed(w, n, m):
    """Of a tensor that is not contiguous: the same numbers, stored column by column."""
    return nm_mask(w.t().contiguous().t(), n, m)

checks03.check_nm(nm_mask_of_a_transposed, _cases[:3])
check_errors(ValueError, nm_mask, (torch.ones(8, 10), 2, 4), (torch.ones(8, 8), 9, 8), (torch.ones(2, 3), 1, 4))
### END HIDDEN TESTS

# %%
corner = weights["1.weight"][:12, 380:404]
lesson03.draw_pattern({"50 % anywhere": magnitude_mask(corner, 0.5), "2:4": nm_mask(corner, 2, 4)})

# %% [markdown]
# *Picture: two masks of 12 rows and 24 columns with red lines between groups of four columns. Left, full and empty groups; right, two in each.*
#
# In practice: prune once, train again with the mask held.
#
# <details><summary><b>Predict first.</b> Half of the weights go either way. What does the pattern 2:4 cost against half anywhere, before and after an epoch of training?</summary>Before training several points: some runs of four would rather keep three, others one. After the epoch it is within a point of the dense network.</details>

# %% tags=["nbval-ignore-output"]
masks_24 = {name: nm_mask(w, 2, 4) for name, w in weights.items()}
half = models.load("lenet_300_100")
print(f"50 % anywhere, not trained:      {pruned_accuracy(global_masks(weights, 0.5)):.2f} %")
print(f"2:4, not trained:                {pruned_accuracy(masks_24):.2f} %")
print(f"2:4 after one epoch, mask held:  {one_epoch(half, masks_24):.2f} % (dense {dense_accuracy:.2f} %)")

bits = 2 * 16 + 2 * 2
print(f"four weights in FP16: {4 * 16} bits, as 2:4 {bits}: {4 * 16 / bits:.2f} times fewer")

# %% [markdown]
# What 2:4 buys is speed on hardware that skips the zeros. A CPU does not, and PyTorch says so:

# %% tags=["nbval-ignore-output"]
try:
    torch.sparse.to_sparse_semi_structured(torch.eye(64, dtype=torch.float16))
except Exception as error:
    print(f"{type(error).__name__}: {str(error).splitlines()[0][:150]}")

# %% [markdown]
# ## 9. Movement pruning: when the task changes
#
# Magnitude says what mattered in the *old* training. Sanh, Wolf and Rush (2020) tune a pretrained network for a new task
# and rank weights by **movement** instead: each step adds $-w_i\, \partial L / \partial w_i$ to the score of weight $i$,
# which is positive if the step moves the weight away from zero. Masked weights get their gradient as if they were there, so
# they can come back. Our new task is the same garments lying on their side.

# %% tags=["nbval-ignore-output"]
side_x, side_val = train_x[:8000].transpose(-1, -2), val_x.transpose(-1, -2)
tuned = {}
for sparsity in (0.9, 0.995):
    for criterion in ("magnitude", "movement"):
        network, masks = training03.tune_pruned(criterion, sparsity, side_x, train_y, global_masks, cubic_sparsity)
        print(f"{100 * sparsity:.1f} % removed by {criterion:9}: {measure.accuracy(network, side_val, val_y):.2f} %")
        tuned[f"{criterion}, 99.5 % removed"] = network[1].weight.detach(), masks["1.weight"]  # the last ones stay
print(f"new task, not tuned: {measure.accuracy(model, side_val, val_y):.2f} %")
lesson03.draw_movement(weights["1.weight"], tuned)

# %% [markdown]
# *Picture: weights of the first layer before and after tuning. Movement also keeps weights that were near zero before.*
#
# The paper reports for BERT that magnitude is as good or better at moderate sparsity, and that movement wins when
# very little may stay. This is one seed: try another (`seed=`) before you trust a small gap.
#
# ## 10. Into a file
#
# A zero in a float32 tensor costs four bytes like any other number:

# %%
zeroed = models.load("lenet_300_100")
held = MaskedTrainer(zeroed, global_masks(weights, 0.9))
print(f"dense:  {measure.size_bytes(model):,} bytes")
print(f"pruned: {measure.size_bytes(zeroed):,} bytes, with {sum((p == 0).sum().item() for p in zeroed.parameters()):,} zeros")

# %% [markdown]
# A sparse format stores the kept values, and **where** they are. The second part is where formats differ. For a tensor of $n$ weights with a share $d$ kept:
#
# - a list of 64-bit indices (what sparse tensors hold in memory): $4dn + 8dn$ bytes;
# - **gaps**: the distance to the previous kept weight as one byte, $4dn + dn$; a gap beyond 255 needs a filler, a zero stored in between, of 5 bytes;
# - a **bitmap**: one bit for every weight, kept or not: $4dn + n/8$.

# %%
torch.manual_seed(3)
n = 1_000_000
densities = [1.0, 0.7, 0.5, 0.3, 0.2, 0.125, 0.08, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001]
formulas = {"dense": [], "64-bit indices": [], "16-bit gaps": [], "8-bit gaps": [], "bitmap": []}
for d in densities:
    places = torch.randperm(n)[: round(d * n)].sort().values
    skipped = torch.diff(places, prepend=torch.tensor([-1])) - 1
    fillers = (skipped // 256).sum().item()
    kept = len(places)
    for name, count in zip(formulas, (4 * n, 12 * kept, 6 * kept, 5 * (kept + fillers), 4 * kept + n / 8)):
        formulas[name].append(count / n)
print("kept      " + "   ".join(f"{name:>14}" for name in formulas))
for d, *row in zip(densities, *formulas.values()):
    print(f"{100 * d:5.1f} %   " + "   ".join(f"{v:14.4f}" for v in row))
lesson03.draw_bytes(densities, formulas, {})

# %% [markdown]
# *Picture: bytes for each weight of the dense tensor over the share that is kept, on logarithmic axes. The bitmap is best from nearly full down to one eighth, gaps of 8 bits below that, until fillers bend their line.*
#
# Read the crossings. Bitmap against 8-bit gaps: $n/8 = dn$, at $d = 1/8$. Far below 1 % the 8-bit gaps lose to 16
# bits, because most entries are fillers. At $d$ near 1 nothing beats the dense form.

# %% [markdown]
# ### Exercise 10 · `encode_sparse` / `decode_sparse`
#
# The measured exercise. One tensor in, bytes out, and back. Any shape, and any float32 value: a kept weight may be `nan` or `inf`. You choose the format; general compressors are not the point here (lesson 07 builds one).
#
# The grader takes the shipped LeNet-300-100, prunes it with **your** `gradual_prune` to 90 %, trains on with **your** `MaskedTrainer`, encodes each weight with your `encode_sparse`, decodes the bytes in a fresh process, loads them into its own model and measures: file **at least 7 times smaller** than FP32, accuracy **within 1 point**.
#
# <details><summary>Hint 1, a nudge</summary>Which parts must a reader find who knows nothing but the bytes? <code>w != 0</code> is also True for nan.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Writing: number of axes and sizes, a byte for the form, then one bit a weight and the kept values, or all values where that is shorter. Reading: put the kept values where the bits are 1.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>np.packbits(mask)</code> and <code>np.unpackbits(part, count=n)</code> for bitmaps; <code>struct.pack(f"&lt;B{w.dim()}q", w.dim(), *w.shape)</code> and <code>struct.unpack_from</code> for the header.</details>

# %% exercise="encode_sparse" minutes=30 difficulty=4
def encode_sparse(w: torch.Tensor) -> bytes:
    """The tensor in few bytes when many of its values are 0.

    Args:
        w: float32 of any shape, also 0-d or empty; any values, nan and inf too.

    Returns:
        bytes. For 100,000 weights: at most 0.14 of the dense bytes (4 for each weight) when 90 % are 0, and at most 1.05
        when none is.
    """
    ### BEGIN SOLUTION
    import struct

    values = w.detach().flatten().numpy()
    kept = values != 0
    header = struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape)
    sparse = np.packbits(kept).tobytes() + values[kept].tobytes()
    return header + (b"\x01" + sparse if len(sparse) < values.nbytes else b"\x00" + values.tobytes())
    ### END SOLUTION


def decode_sparse(blob: bytes) -> torch.Tensor:
    """The tensor that encode_sparse was given: float32, same shape, equal values (-0.0 may return as 0.0).

    It runs in a process of its own: all it knows is in the bytes.
    """
    ### BEGIN SOLUTION
    import struct

    axes = blob[0]
    shape = struct.unpack_from(f"<{axes}q", blob, 1)
    body = blob[2 + 8 * axes :]
    n = math.prod(shape)
    if blob[1 + 8 * axes] == 0:
        return torch.from_numpy(np.frombuffer(body, np.float32).copy()).reshape(shape)
    kept = np.unpackbits(np.frombuffer(body[: -(-n // 8)], np.uint8), count=n).astype(bool)
    values = np.zeros(n, np.float32)
    values[kept] = np.frombuffer(body[-(-n // 8) :], np.float32)
    return torch.from_numpy(values).reshape(shape)
    ### END SOLUTION

# %% test="encode_sparse" points=6
# Checked here: round trips, empty tensors, bytes at 10 % and 100 % kept; ratio and accuracy of a pruned LeNet.
# Hidden tests: other shapes, uneven gaps, a fresh process, the accuracy on images that nobody has seen.
# NBVAL_IGNORE_OUTPUT
_COMPRESSORS = [
    "torch.Tensor.to_sparse*",
    "gzip",
    "zlib.*compress*",
    "lzma",
    "bz2",
    "zipfile.ZIP_*",
    "tarfile",
    "numpy.savez_compressed",
    *checks03.HIDDEN_COMPRESSORS,
]
from_scratch(encode_sparse, FORBIDDEN + _COMPRESSORS)
from_scratch(decode_sparse, FORBIDDEN + _COMPRESSORS)
_tensor = torch.tensor
for _weights in (
    _tensor([[0.0, 1.5, 0.0], [-2.0, 0.0, 0.0]]),
    _tensor([0.0, 0.0, 0.0]),
    _tensor([1.0, math.nan, 0.0, -math.inf]),
    _tensor(3.0),
    _tensor(0.0),
    torch.arange(24.0).reshape(2, 3, 4, 1),
):
    checks03.check_round_trip(encode_sparse, decode_sparse, _weights, f"a tensor of shape {tuple(_weights.shape)}")

@probe
def empty_round_trip(w):
    back = decode_sparse(encode_sparse(w))
    return list(back.shape), str(back.dtype)

check(
    empty_round_trip,
    [(torch.zeros(0),), (torch.zeros(2, 0, 3),)],
    [([0], "torch.float32"), ([2, 0, 3], "torch.float32")],
    symptoms=checks03.ENCODE_SPARSE_MISTAKES,
)
_rng = torch.Generator().manual_seed(42)

def _sparse(shape, density):
    return torch.randn(shape, generator=_rng) * (torch.rand(shape, generator=_rng) < density)

for _density, _limit in ((0.1, 0.14), (1.0, 1.05)):
    _weights = _sparse((400, 250), _density) if _density < 1 else torch.randn(400, 250, generator=_rng)
    checks03.check_round_trip(
        encode_sparse, decode_sparse, _weights, f"100,000 weights, {100 * _density:.0f} % kept", _limit
    )
check_inputs(inputs_after, encode_sparse, _tensor([[0.0, 1.0], [2.0, 0.0]]))
print("✓ encode_sparse and decode_sparse: small and large tensors")

# measured: the real model, pruned and encoded by your functions
@probe
def prune_lenet(order, mirrored, epochs, every):
    """Prune the shipped model to 90 % while it trains; its state and the masks."""
    model = models.load("lenet_300_100")
    batches = lesson03.read_batches(*data.load("train"), order, mirrored)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    masks = gradual_prune(model, batches, optimizer, epochs * len(batches), 0.9, every)
    return checks03.copy_state(model), masks

@probe
def finish_lenet(state, masks, order, mirrored, epochs):
    """Train on with masks held while the learning rate falls to 0, the dense network as teacher; then encode."""
    model, teacher = models.lenet_300_100(), models.load("lenet_300_100")
    model.load_state_dict(state)
    batches = lesson03.read_batches(*data.load("train"), order, mirrored)
    optimizer, trainer = torch.optim.AdamW(model.parameters(), lr=3e-3), MaskedTrainer(model, masks)
    with torch.no_grad():
        wanted = [teacher(x).softmax(dim=1) for x, _ in batches]
    for t in range(epochs * len(batches)):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - t / (epochs * len(batches)))
        now = t % len(batches)
        trainer.step(F.cross_entropy(model(batches[now][0]), wanted[now]), optimizer)
    named = {name: p.detach() for name, p in model.named_parameters()}
    return {n: encode_sparse(p) for n, p in named.items() if n.endswith("weight")}, {
        n: p for n, p in named.items() if n.endswith("bias")
    }

_order, _mirrored = lesson03.draw_batches(98, 512, seed=43)
_state, _masks = prune_lenet(_order, _mirrored, 2, 40)
_blobs, _biases = finish_lenet(_state, _masks, _order, _mirrored, 3)
_model = models.load("lenet_300_100")
_fp32_bytes, _fp32_accuracy = measure.size_bytes(_model), measure.accuracy(_model, *data.load("validation"))
require(
    {n for n, p in _model.named_parameters() if p.dim() == 2} == set(_blobs),
    f"expected the three weights, yours {sorted(_blobs)}",
)
require(
    all(type(b) is bytes for b in _blobs.values()),
    f"encode_sparse should return bytes, yours {[type(b).__name__ for b in _blobs.values()]}",
)
_decode = fresh(decode_sparse)
_decoded = {**{n: _decode(b) for n, b in _blobs.items()}, **_biases}
require(
    all(isinstance(t, torch.Tensor) for t in _decoded.values()),
    f"expected tensors, yours {[type(t).__name__ for t in _decoded.values()]}",
)
_model.load_state_dict(_decoded)
_zeros, _total = (
    sum(count(_decoded[n]) for n in _blobs) for count in (lambda w: int((w == 0).sum()), lambda w: w.numel())
)
require(
    _zeros >= 0.9 * _total,
    f"expected 90 % of {_total} weights to be 0, yours {_zeros}: does gradual_prune reach its final sparsity, "
    "and does MaskedTrainer hold it?",
)
_bytes = (
    sum(map(len, _blobs.values())) + sum(4 * b.numel() for b in _biases.values()) + _decode.code_bytes
)  # the decoder belongs to the file
_accuracy = measure.accuracy(_model, *data.load("validation"))
record(ratio=_fp32_bytes / _bytes, accuracy_drop=_fp32_accuracy - _accuracy)
require(
    _fp32_bytes / _bytes >= 7,
    f"expected a file at least 7 times smaller, yours is {_fp32_bytes / _bytes:.2f} times smaller",
)
require(
    _fp32_accuracy - _accuracy <= 1,
    f"expected accuracy within 1 point of {_fp32_accuracy:.2f} %, yours {_accuracy:.2f} %",
)
### BEGIN HIDDEN TESTS
_odd = _tensor([0.0, -0.0, 1e-45, -3e38, math.nan, math.inf, 0.0, 1.0, 2.0])
for _weights in (
    _odd,
    _odd.reshape(3, 1, 3),
    _tensor([[-5.0]]),
    torch.zeros(1, 1, 1),
    torch.zeros(70_000),
    _sparse((3, 1, 5, 7, 2), 0.5),
    _sparse((70_001,), 0.0005),
    torch.randn(9, generator=_rng),
):
    checks03.check_round_trip(encode_sparse, decode_sparse, _weights, f"a tensor of shape {tuple(_weights.shape)}")
expect(empty_round_trip(torch.zeros(0, 7)), ([0, 7], "torch.float32"), "an empty tensor of shape (0, 7)")
_alone = _sparse((37, 11), 0.3)
expect(fresh(decode_sparse)(encode_sparse(_alone)), _alone, "decode_sparse in a process that knows only the bytes")
_block = torch.zeros(1000, 100)
_block[:100] = torch.randn(100, 100, generator=_rng)  # the kept weights stand together, so the gaps are uneven
_lumps = (_block, _sparse((100_000,), 0.1), torch.randn(10, 10_000, generator=_rng) + 0.0)
for _weights, _limit in zip(_lumps, (0.14, 0.14, 1.05)):
    checks03.check_round_trip(
        encode_sparse, decode_sparse, _weights, f"100,000 weights of shape {tuple(_weights.shape)}", _limit
    )
# measured again on images that nobody has seen: the test set, mirrored
_x, _y = data.load("test")
_x, _dense = _x.flip(-1), models.load("lenet_300_100")
_fp32_accuracy = measure.accuracy(_dense, _x, _y)
require(
    _fp32_accuracy > 85,
    f"the shipped model should reach more than 85 % here, it has {_fp32_accuracy:.2f} %: fetch the data again",
)
_accuracy = measure.accuracy(_model, _x, _y)
record(held_back_accuracy_drop=_fp32_accuracy - _accuracy)
require(
    _fp32_accuracy - _accuracy <= 1,
    f"expected accuracy within 1 point of {_fp32_accuracy:.2f} % on unseen images, yours {_accuracy:.2f} %",
)
### END HIDDEN TESTS

# %% [markdown]
# Your files on the same picture; each point is an encoded tensor of 100,000 weights.

# %%
rng = torch.Generator().manual_seed(4)
shares, written = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005], []
for share in shares:
    w = torch.randn(100_000, generator=rng)
    w[torch.randperm(100_000, generator=rng)[round(share * 100_000) :]] = 0.0
    written.append(len(encode_sparse(w)) / 100_000)
lesson03.draw_bytes(densities, formulas, {"your encode_sparse": (shares, written)})

# %% [markdown]
# *Picture: the same five lines, and black points of the learner's own encoder at seven densities.*
#
# ## 11. The measured result
#
# Four epochs of gradual pruning of the shipped network to 90 %, then four with the masks held while the learning rate
# falls to zero; in these the dense network is the teacher (lesson 05 explains why that helps). All tensors go into
# one file that is written and read back. Here the test images are used, once.

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path

began = time.process_time()
small = models.load("lenet_300_100")
batches = lesson03.read_batches(train_x, train_y, *lesson03.draw_batches(107, 512, seed=7))
final_masks = gradual_prune(small, batches, torch.optim.AdamW(small.parameters(), lr=3e-3, weight_decay=0.1), 4 * len(batches), 0.9, 80)
finish, finish_optimizer = MaskedTrainer(small, final_masks), torch.optim.AdamW(small.parameters(), lr=3e-3)
for t, (x, _) in enumerate(batches * 4):
    finish_optimizer.param_groups[0]["lr"] = 3e-3 * (1 - t / (4 * len(batches)))
    with torch.no_grad():
        wanted = model(x).softmax(dim=1)  # what the dense network says
    finish.step(F.cross_entropy(small(x), wanted), finish_optimizer)
small.eval()
print(f"{time.process_time() - began:.1f} CPU seconds; validation accuracy {measure.accuracy(small, val_x, val_y):.2f} %, dense {dense_accuracy:.2f} %")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "lenet.sparse"
    parts = {name: encode_sparse(t) for name, t in small.state_dict().items()}
    with path.open("wb") as file:
        for name, part in parts.items():
            file.write(len(name).to_bytes(2, "little") + name.encode() + len(part).to_bytes(8, "little") + part)
    content, back, at = path.read_bytes(), {}, 0
    while at < len(content):
        start = at + 2 + int.from_bytes(content[at : at + 2], "little")
        size = int.from_bytes(content[start : start + 8], "little")
        back[content[at + 2 : start].decode()] = decode_sparse(content[start + 8 : start + 8 + size])
        at = start + 8 + size
sparse_bytes, read_back = len(content), models.lenet_300_100()
read_back.load_state_dict(back)
print(f"{sparse_bytes:,} bytes, {measure.size_bytes(model) / sparse_bytes:.2f} times smaller than the dense file")

# %% [markdown]
# ## 12. The same with the library
#
# PyTorch has magnitude pruning in `torch.nn.utils.prune`, and n:m masks in `torch.ao.pruning`. Do they choose the weights that you chose?

# %%
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import prune

def linear_layers(network):
    return {f"{name}.weight": m for name, m in network.named_modules() if isinstance(m, nn.Linear)}

theirs = models.load("lenet_300_100")
prune.global_unstructured([(m, "weight") for m in linear_layers(theirs).values()], pruning_method=prune.L1Unstructured, amount=0.9)
differ = sum((m.weight_mask.bool() != together[name]).sum().item() for name, m in linear_layers(theirs).items())
print(f"prune.global_unstructured, 90 %: {differ} mask entries differ from yours")
theirs_24 = models.load("lenet_300_100")
sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
sparsifier.prepare(theirs_24, config=[{"tensor_fqn": name} for name in weights])
sparsifier.step()
differ = sum((m.parametrizations.weight[0].mask.bool() != masks_24[name]).sum().item() for name, m in linear_layers(theirs_24).items())
print(f"WeightNormSparsifier, 2:4:       {differ} mask entries differ from yours")
print(f"file while prune holds the masks: {measure.size_bytes(theirs):,} bytes (weight_orig and weight_mask of each layer)")
for m in linear_layers(theirs).values():
    prune.remove(m, "weight")
print(f"file after prune.remove:          {measure.size_bytes(theirs):,} bytes, zeros and all")

# %% [markdown]
# The library chooses the same weights, trains with them (its mask is part of the forward pass, so momentum cannot
# revive anything), and leaves files to you. PyTorch's sparse tensors in compressed row form (CSR) hold values, column
# numbers, and where each row begins. One table, all with the weights of section 11; latency in turns with the dense
# network, above 1 means faster.

# %% tags=["nbval-ignore-output"]
import copy
import warnings

warnings.filterwarnings("ignore", message=".*[Ss]parse.*beta.*")

class SparseLinear(nn.Module):
    """y = x Wᵀ + b with W in CSR form."""

    def __init__(self, layer):
        super().__init__()
        self.weight, self.bias = layer.weight.detach().to_sparse_csr(), layer.bias.detach()

    def forward(self, x):
        return (self.weight @ x.T).T + self.bias

csr = nn.Sequential(*(SparseLinear(m) if isinstance(m, nn.Linear) else m for m in copy.deepcopy(small)))
held_by_prune = copy.deepcopy(small)
for m in linear_layers(held_by_prune).values():
    prune.custom_from_mask(m, "weight", (m.weight != 0).float())
csr_state = {name: t.to_sparse_csr() if t.dim() == 2 else t for name, t in small.state_dict().items()}
rows = {
    "dense": (model, measure.size_bytes(model)), "pruned, plain .pt": (small, measure.size_bytes(small)), "pruned, held by prune": (held_by_prune, measure.size_bytes(held_by_prune)),
    "pruned, CSR tensors": (csr, measure.size_bytes(csr_state)), "pruned, your file": (read_back.eval(), sparse_bytes),
}
test_x, test_y = data.load("test")
with torch.no_grad():
    ratios = {}
    for size in (1, 64):
        calls = {name: lambda m=m, x=test_x[:size]: m(x) for name, (m, _) in rows.items()}
        ratios[size] = measure.speedup(measure.latency_ms(calls, rounds=60), "dense")
    accuracies = {name: measure.accuracy(m, test_x, test_y) for name, (m, _) in rows.items()}
print("                            bytes   smaller   test accuracy   faster, batch 1     faster, batch 64")
for name, (m, size) in rows.items():
    spread = [f"{ratios[b][name][1]:.2f} ({ratios[b][name][0]:.2f}–{ratios[b][name][2]:.2f})" for b in (1, 64)]
    print(f"{name:22} {size:10,} {rows['dense'][1] / size:8.2f}   {accuracies[name]:10.2f} %   {spread[0]:18}  {spread[1]}")
lesson03.draw_table({name: (size, accuracies[name]) for name, (_, size) in rows.items()})

# %% [markdown]
# *Picture: test accuracy over file size. This lesson's encoder stands leftmost.*
#
# The plain file of the pruned network is no smaller and no faster than the dense one. CSR pays 8 bytes of index for 4 bytes of value. Your file is small, but it has to be decoded before it can compute.
#
# ## 13. When is sparse faster?
#
# A dense product reads its numbers in order and uses the processor's wide units; a sparse product skips zeros, but
# looks up where each value belongs. At some density the two are equal. One layer with 1024 inputs and outputs, dense
# and in CSR form:
#
# <details><summary><b>Predict first.</b> At what share of zeros does the sparse product overtake the dense one: 50 %, 80 %, 95 %?</summary>The printed lines say where on your machine; at half zeros, at any rate, sparse loses.</details>

# %% tags=["nbval-ignore-output"]
torch.manual_seed(6)
kept_shares = [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01]
speeds, crossing = {}, None
for size in (1, 64):
    x = torch.randn(1024, size)
    dense = torch.randn(1024, 1024)
    calls = {"dense": lambda x=x: dense @ x}
    zeros = dense * (torch.rand(1024, 1024) < 0.1)
    calls["zeros"] = lambda x=x, w=zeros: w @ x
    for share in kept_shares:
        calls[share] = lambda x=x, w=(dense * (torch.rand(1024, 1024) < share)).to_sparse_csr(): w @ x
    measured = measure.speedup(measure.latency_ms(calls, rounds=40), "dense")
    speeds[f"CSR, batch {size}"] = [measured[share] for share in kept_shares]
    medians = [measured[share][1] for share in kept_shares]
    for what, key in (("90 % zeros in a dense product", "zeros"), ("CSR at 50 % kept", 0.5), ("CSR at 10 % kept", 0.1), ("CSR at 1 % kept", 0.01)):
        low, mid, high = measured[key]
        print(f"batch {size}: {what}: {mid:.2f} times as fast as dense (quartiles {low:.2f} to {high:.2f}): {verdict(measured[key], 'faster', 'slower')}")
    for a, b, left, right in zip(kept_shares, kept_shares[1:], medians, medians[1:]):
        if left < 1 <= right:
            part = math.log(1 / left) / math.log(right / left)
            crossing = math.exp(math.log(a) + part * math.log(b / a))
            print(f"batch {size}: sparse and dense are equal at about {100 * crossing:.0f} % kept")
lesson03.draw_speed(kept_shares, speeds, crossing)

# %% [markdown]
# *Picture: how many times faster the CSR product is than the dense one, over the share of weights kept, for one input
# and for 64. A dotted line marks the second crossing of 1.*
#
# Zeros in a dense product gain nothing: the processor multiplies by them. The sparse product wins only when most
# weights are gone. Lesson 04 removes whole channels; then dense kernels have less to do, without any special format.
#
# ## Pitfalls
#
# - **True means what?** Some libraries mark what is removed. Here True is kept; write it down wherever a mask changes
#   hands.
# - **The baseline after pruning.** Run cells out of order and the "dense" accuracy is that of the pruned model.
#   Measure the baseline first, on a fresh load.
# - **Comparing unequal training.** A pruned network that trained ten epochs longer than its dense rival proves
#   nothing about pruning.
#
# ## Questions
#
# <details><summary>Why does magnitude over all layers together beat the same share for each layer, and when could it fail badly?</summary>Layers differ in how many weights they can spare, and magnitude sees part of that: here the last layer has few and large weights. But magnitudes of different layers share no scale by themselves. A layer with small weights, for example behind BatchNorm, which undoes any scale, can be wiped out completely; then nothing passes any more. Check the smallest layer.</details>
#
# <details><summary>At 90 % sparsity the file is at least seven times smaller, not ten. Where is the rest?</summary>In the positions. A bitmap costs one bit for every weight, kept or not: 0.1 · 32 + 1 = 4.2 bits a weight in place of 32. The biases stay as they are. Gaps with an entropy code come closer to the limit (lesson 07).</details>
#
# <details><summary>Why does the Taylor importance of a fully trained model rely on noise to some degree?</summary>At a minimum of the training loss the summed gradient is zero, so (w·g)² would be zero for all weights. What we measure is the remainder: training stopped before the minimum, or our batches differ from the whole set. Summing squares of single-example gradients (an estimate of the Fisher information) does not vanish there.</details>
#
# <details><summary>Would you prune first and then quantize, or the other way round?</summary>Prune first: pruning needs training with fine steps, and magnitudes are better known in float. Afterwards the quantizer only has to serve the weights that are left, and zero must stay a mark of its ruler.</details>

# %% [markdown] question="question_sparse_or_not" points=4
# ### For your teacher
#
# A vendor offers you a recommender model "with 90 % of the weights pruned: ten times smaller, ten times faster, same quality". In at most ten sentences: which of the three claims can be true, what would you measure for each, on what data and what machine, and what would you ask the vendor for? Write your answer in the cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: separates the three claims. Size: only in a sparse format, about 7 to 8 times with a bitmap and less with ordinary index tensors, so look at the bytes of the file. Speed: unstructured zeros gain nothing in dense kernels; a sparse kernel must exist for this machine, and the gain at 10 % kept is nearer 1 to 3 than 10; measure latency in turns with the dense model, at the real batch size. Quality: unseen data, same training budget, perhaps rare classes or users, with the spread of several runs. Asks for the file format, the runtime, or for structured or 2:4 pruning if speed is wanted.
#
# 2 points: knows that zeros do not shrink a file or speed up a kernel by themselves, and wants accuracy on unseen data; vague about how to measure, or treats size and speed as one.
#
# 0 or 1 point: accepts the arithmetic "a tenth of the weights, a tenth of the cost"; or rejects pruning without a measurement.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## An open experiment
#
# Whom does pruning hurt? Prune to 95 %, fine-tune, and compare the classes one by one with the dense network.
# Are the losers rare, alike or hard? Then spend the same number of weights so that the worst class loses least. There is no
# right answer, and the mean accuracy will not tell you whether you found a good one.

# %% [markdown]
# ## References
#
# - S. Han et al. (2015). *Learning both Weights and Connections for Efficient Neural Networks.* arXiv:1506.02626
# - M. Zhu, S. Gupta (2017). *To prune, or not to prune: exploring the efficacy of pruning for model compression.* arXiv:1710.01878
# - P. Molchanov et al. (2019). *Importance Estimation for Neural Network Pruning.* arXiv:1906.10771
# - J. Frankle, M. Carbin (2019). *The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks.* arXiv:1803.03635
# - J. Frankle et al. (2020). *Linear Mode Connectivity and the Lottery Ticket Hypothesis.* arXiv:1912.05671
# - A. Renda, J. Frankle, M. Carbin (2020). *Comparing Rewinding and Fine-tuning in Neural Network Pruning.* arXiv:2003.02389
# - A. Mishra et al. (2021). *Accelerating Sparse Deep Neural Networks.* arXiv:2104.08378
# - V. Sanh, T. Wolf, A. M. Rush (2020). *Movement Pruning: Adaptive Sparsity by Fine-Tuning.* arXiv:2005.07683
# - D. Blalock et al. (2020). *What is the State of Neural Network Pruning?* arXiv:2003.03033
# - Y. LeCun, J. S. Denker, S. A. Solla (1990). *Optimal Brain Damage.* NIPS 2
# - H. Xiao, K. Rasul, R. Vollgraf (2017). *Fashion-MNIST.* arXiv:1708.07747
