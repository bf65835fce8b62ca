# %% [markdown]
# # 05 · Knowledge distillation
#
# **The idea in two sentences.** A label says only which answer is right; a trained teacher also says how wrong each of
# the others is. A small student that learns from these graded answers needs fewer labels, and often ends up better,
# than one that learns from labels alone.
#
# After this lesson you can
#
# - soften a teacher's answers with a temperature, and say what is in them beyond the label,
# - derive the factor $T^2$ of the distillation loss, and measure what happens without it,
# - train a student that is five times smaller on images that nobody has labelled,
# - compare logits, hints, attention maps and similarities as things to imitate, and start a student from its teacher's
#   layers,
# - tell when distillation hardly helps, by comparing seed by seed before looking at the mean.
#
# **Why it matters.** Sanh et al. (2019) distilled BERT into DistilBERT: 40 % fewer parameters, 60 % faster, and 97 % of
# BERT's score on a benchmark of language understanding. The student may be any network at all.
#
# **What you need:** softmax and cross-entropy; from [lesson 00](../00_measure_first/00_measure_first.ipynb) bytes on
# disk (section 2), latency (section 4) and how a difference is judged (section 5). Plan two to three hours; each
# exercise says what it costs. Run the cells from the top, replace each `raise NotImplementedError()`, and run the test
# below it: it tells you what it expected.

# %% setup
import copy
import math
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from bonsai import data, measure, models, plot, train, widgets
from bonsai.testing import check, check_errors, check_inputs, expect, from_scratch, probe, record, require
from bonsai.verdict import verdict
import checks05
import lesson05
import pictures05
from checks05 import SYMPTOMS

torch.set_num_threads(1)
torch.manual_seed(0)
# Library calls that would do an exercise for you. Everything else in torch and numpy is allowed.
LIBRARIES = ["torchdistill", "sentence_transformers"]
FORBIDDEN = [*LIBRARIES, "torch.nn.functional.kl_div", "torch.kl_div", "torch.nn.KLDivLoss", "torch.distributions"]  # in distillation_loss

@probe
def inputs_after(exercise, *args):
    """What a call leaves of its arguments."""
    globals()[exercise](*args)
    return list(args)

# %% [markdown]
# ## 1. A pullover that is a little coat
#
# The teacher is the course's best network: ResNet-8 with 24, 48 and 96 channels, trained on all 55,000 labelled images.
# The student has the same plan and far fewer channels.

# %%
teacher = models.load("resnet8")
shape = (1, 1, 28, 28)
val_x, val_y = data.load("validation")
teacher_accuracy = measure.accuracy(teacher, val_x, val_y)
for name, net in (("teacher", teacher), ("student", lesson05.new_student(seed=0))):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):,} parameters, {measure.macs(net, shape):,} MACs an image, {measure.size_bytes(net):,} bytes as torch.save writes them")
print(f"accuracy of the teacher on the validation images: {teacher_accuracy:.2f} %")

# %% [markdown]
# A network ends in **logits**, one number $z_i$ a class, and softmax makes probabilities of them. Mostly the teacher is
# so sure that they round to 1 for one class and 0 for the others: a label again. A **temperature** $T$ brings out the
# differences between the small ones:
#
# $$p_i = \frac{e^{z_i/T}}{\sum_j e^{z_j/T}}.$$
#
# At $T = 1$ this is plain softmax. Larger temperatures move the probabilities together; as $T \to \infty$ they become
# equal, as $T \to 0$ the largest takes all. The order of the classes never changes.

# %% [markdown]
# ### Exercise 1 · `soften`
#
# <details><summary>Hint 1, a nudge</summary>Softmax guards against large numbers by itself: it subtracts the largest
# logit first. Which temperatures make no sense?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse such a temperature; divide the logits by it; softmax
# over the last axis.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>torch.softmax(logits / temperature, dim=-1)</code>.
# <code>not temperature > 0</code> is true for nan as well.</details>

# %% exercise="soften" minutes=5 difficulty=1
def soften(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Probabilities from logits at a temperature: softmax of logits / temperature over the last axis.

    Args:
        logits: float32 of any shape `[..., C]`, values up to ±1e4.
        temperature: > 0; larger is softer.

    Returns:
        the same shape, finite, each row along the last axis sums to 1. Gradients flow to the logits.

    Raises:
        ValueError: the temperature is not above 0 (nan is not, either).

    >>> soften(torch.tensor([2.0, 0.0]), 1.0)
    tensor([0.8808, 0.1192])
    >>> soften(torch.tensor([2.0, 0.0]), 4.0)
    tensor([0.6225, 0.3775])

    Source: Hinton et al. 2015, arXiv:1503.02531, equation 1.
    """
    ### BEGIN SOLUTION
    if not temperature > 0:
        raise ValueError(f"the temperature should be above 0, not {temperature}")
    return torch.softmax(logits / temperature, dim=-1)
    ### END SOLUTION

# %% test="soften" points=2
# Checked here: probabilities at three temperatures, very large logits, gradients; temperatures that do not exist.
# Hidden tests: other shapes and temperatures, larger logits, other gradients.
from_scratch(soften, LIBRARIES)

@probe
def soften_gradient(logits, temperature, weights):
    """The gradient of (soften * weights).sum()."""
    logits = logits.requires_grad_()
    (soften(logits, temperature) * weights).sum().backward()
    return logits.grad

_tensor, _log_2 = torch.tensor, math.log(2)
_logits = _tensor([[2 * _log_2, 0.0, 0.0], [0.0, 4 * _log_2, 2 * _log_2]])  # at T = 2: powers of two
check(
    soften,
    [(_logits, 2.0), (_tensor([0.0, 3.0]), 3.0), (_tensor([[[1e4, -1e4, 1e4]]]), 1.0)],
    [
        _tensor([[0.5, 0.25, 0.25], [1 / 7, 4 / 7, 2 / 7]]),
        _tensor([0.268941, 0.731059]),
        _tensor([[[0.5, 0.0, 0.5]]]),
    ],
    checks05.SOFTEN_MISTAKES,
    SYMPTOMS["soften"],
    tol=1e-5,
)
check(
    soften_gradient,
    [(_tensor([2 * _log_2, 0.0, 0.0]), 2.0, _tensor([1.0, 0.0, 0.0]))],
    [_tensor([0.125, -0.0625, -0.0625])],
    {},
    SYMPTOMS["no gradient"],
    tol=1e-5,
)
check_errors(ValueError, soften, (_logits, 0.0), (_logits, -1.0), (_logits, math.nan))
check_inputs(inputs_after, soften, _logits, 2.0)

### BEGIN HIDDEN TESTS
def _softened(z, T, axis=-1):
    z = z.double() / T
    rows = z.movedim(axis, -1).reshape(-1, z.shape[axis])
    out = []
    for row in rows.tolist():
        powers = [math.exp(v - max(row)) for v in row]
        out.append([p / sum(powers) for p in powers])
    shape = z.movedim(axis, -1).shape
    return _tensor(out).reshape(shape).movedim(-1, axis).float()

_rng = torch.Generator().manual_seed(51)
_cases = [
    (3 * torch.randn(*shape, generator=_rng), T)
    for shape, T in (
        ((4, 4), 3.0),
        ((5, 10), 0.5),
        ((2, 3, 5), 4.0),
        ((7,), 1.5),
        ((2, 2, 2, 2), 20.0),
        ((3, 1), 2.0),
        ((1, 6), 8),
    )
]
check(
    soften,
    _cases,
    _softened,
    {
        checks05.TIMES: lambda z, T: _softened(z, 1 / T),
        checks05.AXIS: (lambda z, T: _softened(z, T, 0), lambda z, T: _softened(z, T, 1)),
        checks05.NONE: lambda z, T: _softened(z, 1.0),
    },
    SYMPTOMS["soften"],
    tol=1e-5,
)
_large = [
    (_tensor([[1e4, 9990.0], [-1e4, -9995.0]]), 5.0),
    (_tensor([1e4, -1e4, 0.0]), 0.5),
    (_tensor([-1e4, -1e4]), 1.0),
    (_tensor([[9000.0, 1e4, 9950.0]]), 0.25),
]
check(soften, _large, _softened, {}, SYMPTOMS["soften"], tol=1e-5)

def _gradient(z, T, w):
    p = _softened(z, T)
    return p * (w - (p * w).sum(-1, keepdim=True)) / T

check(
    soften_gradient,
    [(z, T, torch.randn(z.shape, generator=_rng)) for z, T in _cases[:4]],
    _gradient,
    {},
    SYMPTOMS["no gradient"],
    tol=1e-5,
)
check_errors(
    ValueError, soften, (_tensor([1.0]), -0.0), (_tensor([1.0, 2.0]), -math.inf), (_tensor([1.0, 2.0]), float("nan"))
)
### END HIDDEN TESTS

# %% [markdown]
# Four validation images of which the teacher is right, but not quite sure. The black bar is the label.

# %%
with torch.no_grad():
    val_logits = torch.cat([teacher(x) for x in val_x.split(500)])
garments = lesson05.interesting(val_logits, val_y)
pictures05.draw_garments(val_x[garments], val_y[garments], {T: soften(val_logits[garments], T) for T in (1.0, 4.0)})

# %% [markdown]
# *Picture: four garments, and below each its bars over the ten classes at T = 1 and T = 4. A pullover is mostly
# pullover and a little coat; a sneaker is a little sandal, and nothing else.*
#
# The label never said that a pullover resembles a coat more than a trouser. Hinton calls this **dark knowledge**.
# Averaged over all garments of one kind, the soft targets draw a map of which classes are alike.

# %%
soft = soften(val_logits, 4.0)
pictures05.draw_likeness(torch.stack([soft[val_y == c].mean(0) for c in range(10)]))

# %% [markdown]
# *Picture: one row a true class, its mean soft target at T = 4, without the diagonal. T-shirt, pullover, coat and shirt
# resemble one another; so do sandal, sneaker and ankle boot; bag and trouser stand nearly alone.*
#
# Turn the slider. At which temperature does a third class become visible, and when do all classes look alike?

# %% tags=["nbval-ignore-output"]
def at_temperature(garment=0, temperature=4.0):
    i = garments[garment]
    return pictures05.draw_temperature(val_x[i], val_y[i], val_logits[i], temperature, soften)

widgets.explore(at_temperature, garment=(0, len(garments) - 1, 0), temperature=(0.5, 20.5, 4.5))

# %% [markdown]
# *Picture: a garment, its ten soft targets at the chosen temperature, and their entropy over temperature, which rises
# from 0 towards the 3.32 bits of ten equal classes.*
#
# ## 2. The loss, and why T²
#
# How far is the student's distribution $q$ from the teacher's $p$? The **Kullback-Leibler divergence** counts how many
# nats (bits times 0.693: the logarithm is natural) it costs to believe $q$ when $p$ is true:
#
# $$\mathrm{KL}(p\,\|\,q) = \sum_i p_i \log \frac{p_i}{q_i} = \underbrace{-\sum_i p_i \log q_i}_{\text{soft cross-entropy}} - \underbrace{\Big(-\sum_i p_i \log p_i\Big)}_{\text{entropy of the teacher}}.$$
#
# The second term does not depend on the student, so KL and the soft cross-entropy have the same gradient. KL is not
# symmetric: the teacher stands first, and a class that the teacher believes in must not be missing in the student.

# %% [markdown]
# Both distributions are softened. Through the softmax, the gradient on a logit $z_i$ of the student is
#
# $$\frac{\partial\, \mathrm{KL}}{\partial z_i} = \frac{1}{T}\,(q_i - p_i).$$

# %% [markdown]
# Now let $T$ be large. Then $e^{z/T} \approx 1 + z/T$, and if the logits of both (the teacher's are $v_i$) have mean 0,
# the $C$ probabilities are about $q_i \approx \frac{1}{C}(1 + z_i/T)$, so
#
# $$\frac{\partial\, \mathrm{KL}}{\partial z_i} \approx \frac{1}{C\,T^2}\,(z_i - v_i).$$
#
# One factor $1/T$ is the chain rule, the other the shrinking of the differences. The gradient fades with $T^2$, while
# that of the labels does not; **multiplying by $T^2$** keeps the two in proportion. The formula also shows the limit:
# at high temperature distillation is regression on the logits.

# %% [markdown]
# All together, with the labels $y$ at temperature 1 and a weight $\alpha$ for the teacher:
#
# $$L = \alpha\,T^2\,\mathrm{KL}(p_T\,\|\,q_T) + (1-\alpha)\,\mathrm{CE}(y, q_1).$$

# %% [markdown]
# ### Exercise 2 · `distillation_loss`
#
# `F.kl_div` is not allowed; `F.cross_entropy` is, soft targets included. The loss is graded by its gradient, so the
# soft cross-entropy is as good as KL. The gradient must be right also where a probability is 0 in float32.
#
# <details><summary>Hint 1, a nudge</summary>Work with logarithms, <code>F.log_softmax</code>, on both sides. Which of
# the two tensors must not receive a gradient?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Log-probabilities of both at the temperature; for each row the
# sum of p times (log p − log q); the mean over the batch, times T² and alpha. The labels' cross-entropy takes the
# student's own logits.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>log_p = F.log_softmax(teacher.detach() / T, dim=1)</code>,
# <code>log_q</code> likewise for the student; KL of a row is <code>(log_p.exp() * (log_p - log_q)).sum(1)</code>. The
# labels' part is <code>F.cross_entropy(student, labels)</code>.</details>

# %% exercise="distillation_loss" minutes=12 difficulty=2
def distillation_loss(student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor, temperature: float = 4.0, alpha: float = 0.5) -> torch.Tensor:
    """alpha * T² * KL(teacher || student) + (1 - alpha) * cross-entropy with the labels.

    Args:
        student, teacher: logits `[N, C]`, float32.
        labels: int64 `[N]`.
        temperature: T; softens both sides of KL, and neither side of the cross-entropy.
        alpha: the teacher's share, 0 to 1.

    Returns:
        a 0-d tensor: both parts are averaged over the batch and summed over classes. Gradients flow to the student's
        logits and never to the teacher's. A constant may be left out (soft cross-entropy in place of KL).

    >>> student = torch.zeros(1, 2, requires_grad=True)
    >>> teacher = torch.tensor([[2.0, 0.0]])
    >>> distillation_loss(student, teacher, torch.tensor([0]), temperature=2.0, alpha=1.0).backward()
    >>> student.grad                                          # T * (q - p) = 2 * (0.5 - 0.7311)
    tensor([[-0.4621,  0.4621]])

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """
    ### BEGIN SOLUTION
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)
    ### END SOLUTION

# %% test="distillation_loss" points=5
# Checked here: gradients on student and teacher for four settings of temperature and alpha.
# Hidden tests: random logits, batches and settings, probabilities that are 0 in float32.
from_scratch(distillation_loss, FORBIDDEN)

@probe
def distillation_gradients(student, teacher, labels, *settings):
    """Gradients of the loss on the student's and on the teacher's logits."""
    student, teacher = student.requires_grad_(), teacher.requires_grad_()
    distillation_loss(student, teacher, labels, *settings).backward()
    return {"student": student.grad, "teacher": torch.zeros_like(teacher) if teacher.grad is None else teacher.grad}

_tensor, _no_gradient = torch.tensor, torch.zeros(2, 3)
_student, _teacher, _labels = (
    _tensor([[2 * math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]]),
    _tensor([[0.0, 2 * math.log(2), 0.0], [0.0, 0.0, 0.0]]),
    _tensor([1, 2]),
)
_expected = lambda *rows: [... if r is ... else {"student": _tensor(r), "teacher": _no_gradient} for r in rows]
_second_row, _zero_row = [0.125, 0.125, -0.25], [0.0, 0.0, 0.0]
check(
    distillation_gradients,
    [
        (_student, _teacher, _labels, 2.0, 1.0),
        (_student, _teacher, _labels, 1.0, 0.0),
        (_student, _teacher, _labels, 2.0, 0.25),
        (_student, _teacher, _labels),
    ],
    _expected(
        [[0.25, -0.25, 0.0], _zero_row],
        [[1 / 3, -5 / 12, 1 / 12], [1 / 6, 1 / 6, -1 / 3]],
        [[0.3125, -0.375, 0.0625], _second_row],
        [[0.28799, -0.32965, 0.04167], [1 / 12, 1 / 12, -1 / 6]],
    ),
    checks05.distillation_loss_mistakes(_expected, _zero_row),
    SYMPTOMS["distillation_loss"],
    tol=2e-5,
)

### BEGIN HIDDEN TESTS
def _softmax(row):
    powers = [math.exp(v - max(row)) for v in row]
    return [p / sum(powers) for p in powers]

def _gradients(student, teacher, labels, T=4.0, alpha=0.5, mode=""):
    """Class by class, from the derivatives on paper."""
    n, c, rows = len(student), student.shape[1], []
    for z, v, y in zip(student.tolist(), teacher.tolist(), labels.tolist()):
        q, p = _softmax([a / T for a in z]), _softmax([a / T for a in v])
        if mode == "reversed":
            kl = sum(a * math.log(a / b) for a, b in zip(q, p))
            soft = [a * (math.log(a / b) - kl) for a, b in zip(q, p)]
        elif mode == "log":
            both = sum(a * b for a, b in zip(q, p))
            soft = [-a * (b - both) for a, b in zip(q, p)]
        else:
            soft = [a - b for a, b in zip(q, p)]
        power = {"square": -1, "one T": 0}.get(mode, 1)
        soft = [s * T**power / (n * c if mode == "classes" else 1 if mode == "summed" else n) for s in soft]
        h = T if mode == "labels" else 1.0
        hard = [(a - (i == y)) / h / n for i, a in enumerate(_softmax([a / h for a in z]))]
        share = 1 - alpha if mode == "swapped" else alpha
        rows.append([share * s + (1 - share) * g for s, g in zip(soft, hard)])
    return {"student": _tensor(rows), "teacher": torch.zeros_like(teacher)}

_rng = torch.Generator().manual_seed(52)
_cases = [
    (
        2 * torch.randn(n, c, generator=_rng),
        3 * torch.randn(n, c, generator=_rng),
        torch.randint(c, (n,), generator=_rng),
        T,
        a,
    )
    for n, c, T, a in (
        (4, 5, 3.0, 0.75),
        (6, 10, 2.0, 1.0),
        (1, 3, 8.0, 0.5),
        (3, 4, 1.0, 0.2),
        (5, 2, 0.5, 0.9),
        (8, 10, 4.0, 0.0),
    )
] + [(_student * 3, _teacher, _labels)]
_way = lambda mode: lambda *case: _gradients(*(case if len(case) == 5 else (*case, 4.0, 0.5)), mode)
check(
    distillation_gradients,
    _cases,
    _gradients,
    {
        checks05.SQUARE: (_way("square"), _way("one T")),
        checks05.REVERSED: _way("reversed"),
        checks05.CLASSES: _way("classes"),
        checks05.LOG: _way("log"),
        checks05.SWAPPED: _way("swapped"),
        checks05.LABELS_SOFT: _way("labels"),
        checks05.SUMMED: _way("summed"),
    },
    SYMPTOMS["distillation_loss"],
    tol=1e-5,
)
_sure = (
    _tensor([[60.0, 0.0, -60.0]]),
    _tensor([[0.0, 80.0, -80.0]]),
    _tensor([0]),
    1.0,
    0.5,
)  # probabilities that are 0 in float32
check(distillation_gradients, [_sure], _gradients, {}, SYMPTOMS["distillation_loss"], tol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# The claim about $T^2$, measured for a new student: the length of an image's gradient on its ten logits, as a mean over
# 500 images.

# %%
with torch.no_grad():
    student_logits = lesson05.new_student(seed=0).eval()(val_x[:500])

def gradient_size(T, alpha):
    z = student_logits.clone().requires_grad_()
    distillation_loss(z, val_logits[:500], val_y[:500], T, alpha).backward()
    return 500 * z.grad.norm(dim=1).mean().item()

temperatures = [1, 2, 4, 8, 16, 32]
with_square = [gradient_size(float(T), 1.0) for T in temperatures]
without = [size / T**2 for size, T in zip(with_square, temperatures)]
from_labels = gradient_size(1.0, 0.0)
for T, a, b in zip(temperatures, with_square, without):
    print(f"T = {T:2}: gradient from the teacher {a:.2f} with T², {b:.4f} without; from the labels {from_labels:.2f}")
pictures05.draw_gradients(temperatures, with_square, without, from_labels)

# %% [markdown]
# *Picture: mean gradient length over temperature on logarithmic axes. Without T² the curve falls along the dashed line
# 1/T² from T = 4 on; with it the curve stays within a factor of three of the labels' gradient.*
#
# Without $T^2$, $\alpha = 0.5$ would mean labels alone at $T = 32$. With it the gradient still more than doubles
# between 1 and 4: the approximation above holds only once $T$ is larger than the differences between the logits.
#
# ## 3. One pass
#
# Two networks, one optimizer. The teacher is in eval mode, or its batch norms would use, and remember, the statistics
# of our batches. A function that borrows two models gives them back as they were, even when something goes wrong.

# %% [markdown]
# ### Exercise 3 · `distill`
#
# One pass over the batches with the loss of exercise 2.
#
# <details><summary>Hint 1, a nudge</summary>A model in train mode may hold submodules in eval mode: note the mode of
# <em>every</em> one first, and restore it in a <code>finally</code>.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Set both modes. For each batch: the teacher's logits without a
# gradient, the loss, gradients to zero, backward, one step, and the loss as a number.</details>
#
# <details><summary>Hint 3, the key lines</summary>First
# <code>modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]</code>; a <code>try:</code> with the
# loop, in which <code>with torch.no_grad(): said = teacher(x)</code>; and <code>finally:</code> set
# <code>m.training = mode</code> for each pair. <code>loss.item()</code> is the number.</details>

# %% exercise="distill" minutes=15 difficulty=3
def distill(student: nn.Module, teacher: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]], optimizer: torch.optim.Optimizer, temperature: float, alpha: float) -> list[float]:
    """One pass over `batches`, in place on the student: one optimizer step a batch.

    Args:
        student: trained in train mode. Its optimizer has been made for its parameters.
        teacher: asked in eval mode and without gradients; nothing of it changes, running statistics included.
        batches: (x, y); both models are called with x, y are int64 labels.
        temperature, alpha: of distillation_loss.

    Returns:
        the loss of each batch, before its step, as Python floats.

    Every submodule of both models is afterwards in the mode (`.training`) in which it was, also when something raises.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2; Romero et al. 2015, arXiv:1412.6550, for the loop.
    """
    ### BEGIN SOLUTION
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()]
    finally:
        for module, mode in modes:
            module.training = mode
    return losses
    ### END SOLUTION

# %% test="distill" points=6
# Checked here: weights, statistics, modes and losses after two batches, and modes after an error.
# Hidden tests: other nets and settings; a student of the recorded teacher, its size and accuracy on unseen images.
# NBVAL_IGNORE_OUTPUT
from_scratch(distill, LIBRARIES)

@probe
def distilled(student, teacher, batches, lr, momentum, temperature, alpha):
    """Two small nets from their states, one distill; what is left of them."""
    s, t = checks05.small_net(student), checks05.small_net(teacher)
    s[0].eval()
    before = checks05.modes(s, t)
    optimizer = torch.optim.SGD(s.parameters(), lr=lr, momentum=momentum)
    losses = distill(s, t, batches, optimizer, temperature, alpha)
    state, other = checks05.copy_state(s), checks05.copy_state(t)
    return {
        "parameters": torch.cat([p.detach().flatten() for p in s.parameters()]),
        "statistics": torch.cat([v for n, v in state.items() if n.endswith(("_mean", "_var"))]),
        "teacher": torch.cat([v.flatten().float() for v in other.values()]),
        "teacher gradients": [p.grad for p in t.parameters()],
        "modes": list(zip(before, checks05.modes(s, t))),
        "losses": list(losses),
    }

@probe
def modes_after_an_error(student, teacher, batches):
    """Modes before and after a distill that raises."""
    s, t = checks05.small_net(student), checks05.small_net(teacher).eval()
    t[0].train()
    before = checks05.modes(s, t)
    try:
        distill(s, t, batches, torch.optim.SGD(s.parameters(), lr=0.1), 2.0, 0.5)
    except (RuntimeError, ValueError):
        pass
    return list(zip(before, checks05.modes(s, t)))

def after_distilling(*case):
    """All but the losses, which may be those of KL or of the soft cross-entropy."""
    return {name: value for name, value in distilled(*case).items() if name != "losses"}

after_distilling.__name__ = "distill"

_tensor = torch.tensor
_net = lambda weight, mean, var: {
    "0.weight": torch.ones(2),
    "0.bias": torch.zeros(2),
    "0.running_mean": _tensor(mean),
    "0.running_var": _tensor(var),
    "0.num_batches_tracked": _tensor(0),
    "1.weight": _tensor(weight),
}
_student, _teacher = (
    _net([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [1.0, 1.0]),
    _net([[2.0, -1.0], [-1.0, 1.0]], [1.0, -1.0], [4.0, 1.0]),
)
_batches = [
    (_tensor([[1.0, 0.0], [3.0, 2.0]]), _tensor([0, 1])),
    (_tensor([[0.0, 1.0], [4.0, -1.0]]), _tensor([1, 1])),
]
_modes = [(True, True), (False, False), (True, True), (True, True), (True, True), (True, True)]
_expected = lambda parameters, statistics=(0.38, 0.09, 1.79, 1.19), teacher=(1.0, -1.0, 4.0, 1.0): {
    "parameters": _tensor(parameters),
    "statistics": _tensor(statistics),
    "teacher": _tensor([1.0, 1.0, 0.0, 0.0, *teacher, 0.0, 2.0, -1.0, -1.0, 1.0]),
    "teacher gradients": [None] * 3,
    "modes": _modes,
}
_case = (_student, _teacher, _batches, 0.5, 0.0, 2.0, 0.75)
check(
    after_distilling,
    [_case],
    [_expected([0.98200, 1.20795, -0.23844, 0.25377, 0.99932, -0.20724, 0.00068, 1.20724])],
    checks05.distill_mistakes(_expected),
    SYMPTOMS["distill"],
    tol=1e-4,
)
checks05.check_losses(
    distilled(*_case)["losses"], [0.666840, 0.587179], [1.585888, 0.812926], "two batches"
)  # of KL, and the teacher's entropy beside it
require(
    all(a == b for a, b in modes_after_an_error(_student, _teacher, [(torch.zeros(2, 3), _tensor([0, 1]))])),
    "distill raised on a bad batch, and the modes of the models were not restored: use try and finally",
    "modes are restored after an error",
)

### BEGIN HIDDEN TESTS
def _distilled(student, teacher, batches, lr, momentum, T, alpha, mode=""):
    """The same with torch's own loss; and the losses of KL, and the entropies that a soft cross-entropy adds."""
    s, t = checks05.small_net(student), checks05.small_net(teacher)
    s.train(mode != "student in eval")
    t.train(mode == "teacher in train")
    optimizer, losses, entropies = torch.optim.SGD(s.parameters(), lr=lr, momentum=momentum), [], []
    for x, y in batches:
        with torch.no_grad():
            p = torch.softmax(t(x) / T, 1)
        z = s(x)
        loss = alpha * T * T * F.kl_div(torch.log_softmax(z / T, 1), p, reduction="batchmean") + (
            1 - alpha
        ) * F.cross_entropy(z, y)
        if mode != "kept":
            s.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [loss.item()]
        entropies.append(-alpha * T * T * torch.xlogy(p, p).sum(1).mean().item())
    state, other = checks05.copy_state(s), checks05.copy_state(t)
    return (
        {
            "parameters": torch.cat([p.detach().flatten() for p in s.parameters()]),
            "statistics": torch.cat([v for n, v in state.items() if n.endswith(("_mean", "_var"))]),
            "teacher": torch.cat([v.flatten().float() for v in other.values()]),
            "teacher gradients": [None for _ in t.parameters()],
            "modes": [(b, b) for b in [True, False] + [True] * (len(s) - 1 + 1 + len(t))],
        },
        losses,
        entropies,
    )

_random = torch.Generator().manual_seed(53)
_cases = []
for _i, (_student_sizes, _teacher_sizes, _lr, _momentum, _temperature_of, _alpha, _count) in enumerate(
    (
        ((4, 6, 3), (4, 8, 3), 0.1, 0.0, 3.0, 0.8, 5),
        ((3, 4), (3, 5, 4), 0.2, 0.9, 2.0, 1.0, 4),
        ((4, 5, 2), (4, 2), 0.05, 0.5, 4.0, 0.5, 6),
        ((2, 2), (2, 2), 0.3, 0.0, 1.0, 0.3, 1),
    )
):
    _draw = [
        (
            torch.randn(6, _student_sizes[0], generator=_random) + 1,
            torch.randint(_student_sizes[-1], (6,), generator=_random),
        )
        for _ in range(_count)
    ]
    _cases.append(
        (
            checks05.drawn(_student_sizes, _random),
            checks05.drawn(_teacher_sizes, _random),
            _draw,
            _lr,
            _momentum,
            _temperature_of,
            _alpha,
        )
    )
check(
    after_distilling,
    _cases,
    lambda *case: _distilled(*case)[0],
    {
        checks05.KEPT: lambda *case: _distilled(*case, "kept")[0],
        checks05.PASSED: tuple(
            lambda *case, other=other: _distilled(*case[:5], *other(*case[5:]))[0]
            for other in (
                lambda T, a: (1.0, a),
                lambda T, a: (4.0, a),
                lambda T, a: (T, 0.5),
                lambda T, a: (T, 0.9),
                lambda T, a: (T, 1.0),
                lambda T, a: (T, 1 - a),
                lambda T, a: (1.0, 0.5),
                lambda T, a: (a, T),
            )
        ),
    },
    SYMPTOMS["distill"],
    tol=1e-3,
)
for _case in _cases:
    checks05.check_losses(distilled(*_case)["losses"], *_distilled(*_case)[1:], f"{len(_case[2])} batches")
require(
    all(
        a == b
        for a, b in modes_after_an_error(
            _cases[0][0], _cases[0][1], [*_cases[0][2], (torch.zeros(2, 3), _tensor([0, 1]))]
        )
    ),
    "distill raised on a bad batch, and the modes of the models were not restored: use try and finally",
)

# measured: a student that the course began is taught for the last third of its training, in pieces: 40,000 images
# without labels, the teacher's recorded answers. Where the rounding of another processor was unlucky on the validation
# images, a short cycle follows
@probe
def taught_on(state, done, steps, total):
    """The student after `steps` more of `total` steps of distillation; no label is used."""
    images = data.load("train")[0][: lesson05.POOL]
    student = lesson05.new_student(seed=0)
    student.load_state_dict(state)
    batches = lesson05.draw_batches(torch.zeros(len(images), dtype=torch.int64), total, seed=0)[done : done + steps]
    recorded = nn.Embedding.from_pretrained(lesson05.table())
    distill(
        lesson05.ByNumber(student, images),
        recorded,
        batches,
        lesson05.optimizer_for(student, total, done),
        lesson05.TEMPERATURE,
        1.0,
    )
    return checks05.copy_state(student)

import io
_state, _back, _teacher_net, _validation = (
    lesson05.begun(),
    models.ResNet8(lesson05.WIDTH),
    models.load("resnet8"),
    data.load("validation"),
)
for _begin, _total in ((lesson05.BEGUN, lesson05.STEPS), (0, 400)):
    for _done in range(_begin, _total, 200):
        _state = taught_on(_state, _done, 200, _total)
    _file = io.BytesIO()
    torch.save({name: t.contiguous() for name, t in _state.items()}, _file)
    _file.seek(0)
    _back.load_state_dict(torch.load(_file))
    _val = measure.accuracy(_back, *_validation)
    if _val >= 0.973 * measure.accuracy(_teacher_net, *_validation):
        break
_bytes = measure.size_bytes(_teacher_net) / _file.getbuffer().nbytes
_labels = lesson05.load_results()["main"]["labels only"]
_test_images, _test_labels = data.load("test")  # mirrored: images that no lesson shows
_share = measure.accuracy(_back, _test_images.flip(-1), _test_labels) / measure.accuracy(
    _teacher_net, _test_images.flip(-1), _test_labels
)
record(ratio=_bytes, accuracy_share=_share, gain_over_labels=_val - sum(_labels) / len(_labels))
require(_bytes >= 5, f"expected a file at least 5 times smaller than the teacher's, yours {_bytes:.2f} times")
require(
    _share >= 0.97,
    f"expected at least 97 % of the teacher's accuracy on unseen images, without labels, yours {100 * _share:.2f} %",
)
require(
    _val - max(_labels) > max(_labels) - min(_labels),
    f"expected more than the spread above the best student of 1,000 labels ({max(_labels):.2f} %), yours {_val:.2f} %",
)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. A teacher in place of labels
#
# The case that distillation is made for: images are cheap, labels are not. Only the first 1,000 training images shall
# have labels; the teacher can be asked about these and 39,000 more.
#
# Its answers never change, so `data/make_lesson05.py` asked once, about each image and its mirrored twin, and stored
# the logits as 16-bit numbers. The images are numbered from 0 to 39,999, the twins from 40,000 on.

# %%
train_x, train_y = data.load("train")
pool = train_x[: lesson05.POOL]
answers = lesson05.table()
numbers = torch.tensor([7, 1234, 39_999, 40_007, 79_999])
with torch.no_grad():
    asked = teacher(lesson05.pictures(pool, numbers))
print(f"recorded: {tuple(answers.shape)}; largest difference to the teacher's own answers {'below 0.05' if (asked - answers[numbers]).abs().max() < 0.05 else 'TOO LARGE'}")
print(f"the teacher's best guess is the true label for {100 * (answers[: len(pool)].argmax(1) == train_y[: len(pool)]).float().mean():.0f} % of the 40,000 images, and for {teacher_accuracy:.0f} % of the validation images")

# %% [markdown]
# The last line is a warning. The teacher was trained on these images *with* their labels: 97 % there, 93 % on new
# images; a real pool is harder. The validation and test images are new to teacher and students alike.
#
# A table of answers is a network, too: `nn.Embedding` looks up rows by number. So both models are called with image
# *numbers*; the student is wrapped and fetches the pictures itself.
#
# Two students from the same random start. The first sees 1,000 images and their labels ($\alpha = 0$: the teacher's
# part counts nothing) for 400 steps, which is 50 passes.

# %% tags=["nbval-ignore-output"]
recorded = nn.Embedding.from_pretrained(answers)
few, steps, T = 1000, lesson05.STEPS, lesson05.TEMPERATURE
students = {name: lesson05.new_student(seed=0) for name in ("labels", "distilled")}
asked = lesson05.ByNumber(students["labels"], pool[:few])
losses = {"labels": distill(asked, recorded, lesson05.draw_batches(train_y[:few], 400, seed=0), lesson05.optimizer_for(asked, 400), T, 0.0)}
print(f"teacher {teacher_accuracy:.2f} %, student of {few:,} labels {measure.accuracy(students['labels'], val_x, val_y):.2f} % of the validation images")

# %% [markdown]
# The second sees 40,000 images and the teacher's answers ($\alpha = 1$; the labels in the batches are all 0, and count
# nothing). (About 20 s on one core.)

# %% tags=["nbval-ignore-output"]
unknown = torch.zeros(len(pool), dtype=torch.int64)  # labels that nobody has
asked, began = lesson05.ByNumber(students["distilled"], pool), time.process_time()
losses["distilled"] = distill(asked, recorded, lesson05.draw_batches(unknown, steps, seed=0), lesson05.optimizer_for(asked, steps), T, 1.0)
print(f"distilled student {measure.accuracy(students['distilled'], val_x, val_y):.2f} % of the validation images, after {time.process_time() - began:.0f} CPU seconds")
pictures05.draw_losses(losses)

# %% [markdown]
# *Picture: loss over steps. With labels it falls to nearly 0, because the student soon knows its 1,000 images by heart;
# that of the distilled student levels off.*
#
# One seed proves little. The same with three, the same number of steps for all, and a third student that gets only the
# teacher's *best guess* on the 40,000 images, as if it were a label:
#
# <details><summary><b>Predict first.</b> How much of the gain is in the teacher's best guess alone, and how much in its
# doubts?</summary>Nearly all of it is in the best guess, here.</details>

# %%
results = lesson05.load_results()
runs = {name: values for name, values in results["main"].items() if isinstance(values, list)}
print(f"{results['student']}, {results['main']['steps']} steps, seeds {results['seeds']}, accuracy on the validation images in %")
for name, values in runs.items():
    print(f"{name:24} mean {sum(values) / 3:.2f}, from {min(values):.2f} to {max(values):.2f}")
label_runs, guess_runs, soft_runs = (runs[name] for name in ("labels only", "teacher's best guess", "teacher's soft targets"))
print(f"97 % of the teacher      {0.97 * teacher_accuracy:.2f}; the lowest of the soft targets lies {min(soft_runs) - 0.97 * teacher_accuracy:+.2f} from it")
gap, spread = sum(soft_runs) / 3 - sum(label_runs) / 3, max(max(r) - min(r) for r in (soft_runs, label_runs))
print(f"gap to labels alone {gap:.2f} points, largest spread over seeds {spread:.2f}: the gap is {'larger' if gap > spread else 'NOT larger'} than the spread")
print(f"soft targets less best guess, seed by seed: {', '.join(f'{soft - guess:+.2f}' for soft, guess in zip(soft_runs, guess_runs))}")
pictures05.draw_runs(runs, "labels only", reference=("97 % of the teacher", 0.97 * teacher_accuracy))

# %% [markdown]
# *Picture: one row a way of teaching, three dots each; both students of the teacher lie far to the right of labels
# alone. Dashed: 97 % of the teacher's accuracy.*
#
# Without a single label the student keeps more than 97 % of its teacher's validation accuracy for each of the three
# seeds, the lowest by 0.16 points. But most of the gain is there with the best guess alone: the teacher is mainly a
# very cheap labeller. The soft part helps two seeds and not the third, so this table does not prove that it adds
# anything. The next one does: there the images have labels, and a best guess would only repeat them.
#
# ### When it hardly helps
#
# The comparison above is fair in what it costs, not in what it shows the student: 40,000 images against 1,000. Now both
# sides see the same labelled images and no others. (The teacher stays the one that knows them all.)

# %%
table = results["labels"]["accuracy"]
print(f"{results['labels']['steps']} steps each, seeds {results['seeds']}; accuracy on the validation images in %")
for n, row in table.items():
    for name, values in row.items():
        print(f"{int(n):6,} images, {name:18} mean {sum(values) / 3:.2f}, from {min(values):.2f} to {max(values):.2f}")
    a, b = row.values()
    gains = [taught - alone for alone, taught in zip(a, b)]
    found = "a gain for each" if min(gains) > 0 else "a loss for each" if max(gains) < 0 else "the seeds disagree"
    print(f"{int(n):6,} images: the teacher adds {np.mean(gains):+.2f} points; seed by seed {', '.join(f'{g:+.2f}' for g in gains)}: {found}")
pictures05.draw_labels(table)

# %% [markdown]
# *Picture: accuracy over the number of labelled images, with and without the teacher's answers; dots are seeds, lines
# join the means.*
#
# With few labels the teacher's opinions are worth a lot. With 40,000 the gain is +0.77, and nearly the same for each
# seed; small, a sixth of the gain at 1,000 images. **Where labels abound, distillation adds little.** To gain more from
# it takes fewer labels, or images that the labels do not cover.

# %%
warm = results["temperature"]
print(f"soft targets on the 40,000 images, {warm['steps']} steps; accuracy on the validation images in %")
for T_, values in warm["accuracy"].items():
    print(f"T = {T_:>2}: mean {sum(values) / 3:.2f}, from {min(values):.2f} to {max(values):.2f}")

# %% [markdown]
# And the temperature? T = 4 is a habit, not a discovery: all five means lie within the spread of one row, 2, and no row
# lies wholly above row 4. But rows 8 and 16 do not overlap: T may matter, without a trend to tune by.
#
# ### Never shown: one class left out
#
# Hinton et al. left all threes out of the student's images. It still recognised most of them: every soft target says
# how much of a three there is in a two or an eight. Since a three was never the answer, its level was too low, so they
# raised the bias of that class.
#
# Here the student's images hold no bag, or no coat. The bias correction needs no labels, only the knowledge that one
# garment in ten is of the missing class: on 5,000 other images a number is added to that logit until it wins one time
# in ten.
#
# <details><summary><b>Predict first.</b> A bag looks like nothing else; a coat looks like a pullover and a shirt. Which
# one can be learned from what it is not?</summary>Both, once the level is right, and the bag better than the coat:
# where no other class fits, a little probability is enough.</details>

# %%
missing = results["omitted"]
print(f"{missing['steps']} steps, seeds {results['seeds']}, validation images; mean (lowest to highest)")
for name, ways in missing["recall, accuracy, shift"].items():
    print(f"\nno {name} in the student's images{'':9} recall of {name:5}         accuracy, all classes    added to its logit")
    for way, runs in ways.items():
        recall, accuracy, *shift = ([min(v), sum(v) / len(v), max(v)] for v in zip(*runs))
        spread = "".join(f"{mid:8.1f} % ({low:.1f}–{high:.1f})".ljust(25) for low, mid, high in (recall, accuracy))
        print(f"{way:32} {spread}{f'{shift[0][1]:.1f} ({shift[0][0]:.1f}–{shift[0][2]:.1f})' if shift else ''}")

# %% [markdown]
# Without the correction next to nothing is recognised. With it the student of soft targets knows four bags of five and
# two coats of three, without an image or a label of either. (Hinton's missed 133 of 1,010 threes before the correction
# and 14 after it. Why ours, of 400 steps, needs it far more we have not examined.)
#
# But the same correction for *labels alone* finds two bags of three: that student knows what all other classes look
# like, and at a bag none of them fits. So a part of what looks like dark knowledge is exclusion. A coat can hardly be
# found by exclusion (one in four, and accuracy falls from 80.9 to 79.6 %), since the student takes it for a pullover or
# a shirt: here the soft targets are worth some forty points.

# %% [markdown]
# ## 5. Imitate what happens inside
#
# Three papers look at the middle of the computation, at features `[N, C, H, W]`. The student has fewer channels than
# the teacher, so they cannot simply be subtracted.
#
# **Hints** (Romero et al. 2015, FitNets): a small extra layer, the *regressor*, translates the student's channels into
# the teacher's, and the mean squared error compares. It is trained along and thrown away at the end.

# %% [markdown]
# ### Exercise 4 · `hint_loss`
#
# <details><summary>Hint 1, a nudge</summary>Two things differ: the channels, which the regressor translates, and the
# places. What brings those together?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Translate the student's features, then average them to the
# teacher's height and width, then take the mean square of the difference to the teacher's, which get no
# gradient.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>guess = regressor(student_features)</code>;
# <code>F.adaptive_avg_pool2d(guess, teacher_features.shape[-2:])</code> changes nothing where the sizes agree; then
# <code>F.mse_loss(guess, teacher_features.detach())</code>.</details>

# %% exercise="hint_loss" minutes=8 difficulty=2
def hint_loss(student_features: torch.Tensor, teacher_features: torch.Tensor, regressor: nn.Module) -> torch.Tensor:
    """Mean squared error between the translated student features and the teacher's.

    Args:
        student_features: `[N, Cs, h, w]`, float32.
        teacher_features: `[N, Ct, H, W]`, float32; a fixed target.
        regressor: makes Ct channels of Cs, for example nn.Conv2d(Cs, Ct, 1). Its output is brought to H x W by
            F.adaptive_avg_pool2d where it has another size. It is needed also where Cs equals Ct.

    Returns:
        a 0-d tensor, the mean over all elements. Gradients flow to the student's features and to the regressor,
        never to the teacher's features.

    >>> hint_loss(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.0), nn.Identity())
    tensor(4.)

    Source: Romero et al. 2015, arXiv:1412.6550, equation 3 (with 1x1 kernels, and a mean for the sum).
    """
    ### BEGIN SOLUTION
    guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[-2:])
    return F.mse_loss(guess, teacher_features.detach())
    ### END SOLUTION

# %% test="hint_loss" points=3
# Checked here: loss and gradients with equal sizes, a larger and a smaller teacher.
# Hidden tests: random features and regressors of other sizes, with an activation.
from_scratch(hint_loss, LIBRARIES)

@probe
def hints(student_features, teacher_features, weight, relu=False):
    """The loss with a convolution as regressor, and the gradients on features and regressor."""
    convolution = nn.Conv2d(
        weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2, bias=False
    )
    convolution.weight.data = weight
    s, t = student_features.requires_grad_(), teacher_features.requires_grad_()
    loss = hint_loss(s, t, nn.Sequential(convolution, nn.ReLU()) if relu else convolution)
    loss.backward()
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in (s, t, convolution.weight)]
    return dict(zip(("loss", "student", "teacher", "regressor"), (loss.detach(), *grads)))

_tensor = torch.tensor
_single = lambda v: _tensor([[[[v]]]])
_expected = lambda loss, student, teacher, regressor: {
    "loss": _tensor(loss),
    "student": _tensor(student),
    "teacher": torch.zeros_like(teacher),
    "regressor": _tensor(regressor),
}
_two_channels, _two_numbers, _two_weights = (
    _tensor([[[[1.0, 3.0], [2.0, 2.0]], [[4.0, 0.0], [1.0, 3.0]]]]),
    _tensor([[[[3.0]], [[5.0]]]]),
    _tensor([[[[1.0]], [[0.0]]], [[[0.0]], [[2.0]]]]),
)
_expected_smaller = lambda k: _expected(
    1.0 * k, [[[[-0.25 * k] * 2] * 2, [[-0.5 * k] * 2] * 2]], _two_numbers, [[[[-2.0 * k]], [[-2.0 * k]]]] * 2
)  # pooled 2 and 4 for 3 and 5
_tall_teacher = _tensor([[[[3.0], [5.0]]]])  # 2 x 1, larger than the student's
_expected_taller = lambda loss: _expected(loss, [[[[-8.0]]]], _tall_teacher, [[[[-4.0]]]])
check(
    hints,
    [
        (_single(1.0), _single(4.0), _single(2.0)),
        (_two_channels, _two_numbers, _two_weights),
        (_single(1.0), _tall_teacher, _single(2.0)),
    ],
    [_expected(4.0, [[[[-8.0]]]], _single(4.0), [[[[-4.0]]]]), _expected_smaller(1), _expected_taller(5.0)],
    checks05.hint_loss_mistakes(_expected, _single, _expected_smaller, _expected_taller),
    SYMPTOMS["hint_loss"],
    tol=1e-5,
)

### BEGIN HIDDEN TESTS
def _hints(s, t, w, relu=False, mode=""):
    """In float64, place by place."""
    zeros = torch.zeros_like(t)
    if mode in ("teacher to the smaller", "teacher to the student"):
        smaller = [min(a, b) for a, b in zip(s.shape[2:], t.shape[2:])]
        t = F.adaptive_avg_pool2d(t, smaller if mode == "teacher to the smaller" else s.shape[2:])
    s, w = s.double().requires_grad_(), w.double().requires_grad_()
    pooled = lambda f: torch.stack(
        [
            torch.stack(
                [
                    f[
                        :,
                        :,
                        math.floor(i * f.shape[2] / t.shape[2]) : math.ceil((i + 1) * f.shape[2] / t.shape[2]),
                        math.floor(j * f.shape[3] / t.shape[3]) : math.ceil((j + 1) * f.shape[3] / t.shape[3]),
                    ].mean((2, 3))
                    for j in range(t.shape[3])
                ],
                -1,
            )
            for i in range(t.shape[2])
        ],
        -2,
    )
    through = lambda f: (
        F.conv2d(f, w, padding=w.shape[2] // 2).relu() if relu else F.conv2d(f, w, padding=w.shape[2] // 2)
    )
    if mode in ("nearest", "bilinear"):
        pooled = lambda f: F.interpolate(f, t.shape[2:], mode=mode)
    guess = pooled(s) if mode == "skipped" else through(pooled(s)) if mode == "before" else pooled(through(s))
    loss = (guess - t).square().sum() / (1 if mode == "sum" else t.numel())
    student, regressor = torch.autograd.grad(loss, (s, w), allow_unused=True)
    return {
        "loss": loss.detach().float(),
        "student": student.float(),
        "teacher": zeros,
        "regressor": torch.zeros_like(w).float() if regressor is None else regressor.float(),
    }

_rng = torch.Generator().manual_seed(54)
_cases = []
for _n, _cs, _ct, _h, _big, _k, _relu in (
    (2, 3, 3, 4, 4, 1, False),
    (3, 2, 5, 4, 4, 1, False),
    (2, 3, 4, 6, 3, 3, True),
    (2, 4, 4, 7, 3, 1, True),
    (1, 2, 3, 3, 6, 1, False),
    (4, 1, 1, 5, 5, 3, True),
):
    _cases.append(
        (
            torch.randn(_n, _cs, _h, _h + 1, generator=_rng),
            torch.randn(_n, _ct, _big, _big + 1, generator=_rng),
            torch.randn(_ct, _cs, _k, _k, generator=_rng),
            _relu,
        )
    )
_way = lambda mode: lambda *case: _hints(*case, mode=mode)
check(
    hints,
    _cases,
    _hints,
    {
        checks05.SKIPPED: _way("skipped"),
        checks05.SUM: _way("sum"),
        checks05.BEFORE: _way("before"),
        checks05.TEACHERS: (_way("teacher to the smaller"), _way("teacher to the student")),
        checks05.NEAREST: (_way("nearest"), _way("bilinear")),
    },
    SYMPTOMS["hint_loss"],
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# **Attention maps** (Zagoruyko and Komodakis 2017) forget the channels: the sum of squares over them says *where* the
# network finds something, one number a place. Divided by its length, such a map can be compared with that of any
# network that has as many places.

# %% [markdown]
# ### Exercise 5 · `attention_map`
#
# <details><summary>Hint 1, a nudge</summary>Channels are axis 1. After the sum, one row of H · W numbers a sample is
# left. What is the length of a row of zeros, and what does dividing by it do?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Square, sum over the channels, make one row a sample, and
# divide each row by its own length.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>F.normalize(rows, dim=1)</code> divides by the length and
# guards against a length of 0. If you write it by hand, guard the <em>root</em>: the gradient of a square root at 0 is
# infinite, and infinity times zero is nan.</details>

# %% exercise="attention_map" minutes=8 difficulty=2
def attention_map(features: torch.Tensor) -> torch.Tensor:
    """Where the features are large: sum of squares over the channels, as a vector of length 1 for each sample.

    Args:
        features: `[N, C, H, W]`, float32.

    Returns:
        `[N, H * W]`, each row divided by its L2 norm. A sample whose features are all 0 gives a row of 0. Gradients
        flow to the features and are finite, for a sample of zeros as well.

    >>> attention_map(torch.tensor([[[[1.0, 2.0]], [[1.0, 0.0]], [[1.0, 0.0]]]]))       # sums of squares: 3 and 4
    tensor([[0.6000, 0.8000]])

    Source: Zagoruyko and Komodakis 2017, arXiv:1612.03928, section 3.1.
    """
    ### BEGIN SOLUTION
    return F.normalize(features.square().sum(1).flatten(1), dim=1)
    ### END SOLUTION

# %% test="attention_map" points=3
# Checked here: the maps of two samples, zeros, gradients; the input stays as it is.
# Hidden tests: random features of other shapes, zeros among them, their gradients.
from_scratch(attention_map, LIBRARIES)

@probe
def map_gradient(features, weights):
    """The gradient of (attention_map * weights).sum()."""
    features = features.requires_grad_()
    (attention_map(features) * weights).sum().backward()
    return features.grad

_tensor = torch.tensor
_features = _tensor(
    [[[[1.0, 2.0]], [[1.0, 0.0]], [[-1.0, 0.0]]], [[[0.0, 2.0]], [[2.0, -2.0]], [[2.0, 2.0]]]]
)  # sums of squares 3, 4 and 8, 12
check(
    attention_map,
    [(_features,), (torch.zeros(1, 2, 1, 3),)],
    [_tensor([[0.6, 0.8], [0.5547, 0.83205]]), torch.zeros(1, 3)],
    checks05.ATTENTION_MAP_MISTAKES,
    SYMPTOMS["attention_map"],
    tol=1e-5,
)
check(
    map_gradient,
    [
        (_tensor([[[[1.0, 2.0]], [[1.0, 0.0]], [[1.0, 0.0]]]]), _tensor([[1.0, 0.0]])),
        (torch.zeros(1, 2, 1, 2), _tensor([[1.0, 1.0]])),
    ],
    [_tensor([[[[0.256, -0.384]], [[0.256, 0.0]], [[0.256, 0.0]]]]), torch.zeros(1, 2, 1, 2)],
    {},
    SYMPTOMS["attention_map"],
    tol=1e-5,
)
check_inputs(inputs_after, attention_map, _features)

### BEGIN HIDDEN TESTS
def _maps(f, mode=""):
    rows = [
        [
            sum((v if mode == "signed" else abs(v) if mode == "absolute" else v * v) for v in f[n, :, i, j].tolist())
            for i in range(f.shape[2])
            for j in range(f.shape[3])
        ]
        for n in range(len(f))
    ]
    if mode == "signed":
        rows = [[v * v for v in row] for row in rows]
    length = lambda row: math.sqrt(sum(v * v for v in row)) or 1.0
    if mode == "raw":
        return _tensor(rows)
    if mode == "mean":
        return _tensor([[v / (sum(row) or 1.0) for v in row] for row in rows])
    if mode == "all":
        return _tensor(rows) / length([v for row in rows for v in row])
    if mode == "batch":
        columns = [length(column) for column in zip(*rows)]
        return _tensor([[v / c for v, c in zip(row, columns)] for row in rows])
    return _tensor([[v / length(row) for v in row] for row in rows])

_rng = torch.Generator().manual_seed(55)
_many_features = [
    torch.randn(*shape, generator=_rng) for shape in ((3, 3, 3, 3), (2, 5, 4, 3), (5, 1, 2, 6), (1, 4, 7, 7))
] + [torch.randn(4, 3, 2, 2, generator=_rng).relu() * _tensor([1.0, 0.0, 50.0, 1.0]).view(4, 1, 1, 1)]
_way = lambda mode: lambda f: _maps(f, mode)
check(
    attention_map,
    [(f,) for f in _many_features],
    _maps,
    {
        checks05.RAW: (_way("raw"), lambda f: _maps(f, "raw") / f.shape[1]),
        checks05.BATCH: (_way("batch"), _way("all")),
        checks05.SIGNED: _way("signed"),
        checks05.ABSOLUTE: _way("absolute"),
        checks05.MEAN: _way("mean"),
    },
    SYMPTOMS["attention_map"],
    tol=1e-5,
)

def _map_gradient(f, w):
    f = f.double().requires_grad_()
    rows = (f * f).sum(1).reshape(len(f), -1)
    total = sum((r * v).sum() / (r * r).sum().sqrt() for r, v in zip(rows, w.double()) if r.abs().sum() > 0)
    return torch.autograd.grad(total, f)[0].float()

check(
    map_gradient,
    [(f, torch.randn(len(f), f.shape[2] * f.shape[3], generator=_rng)) for f in _many_features],
    _map_gradient,
    {},
    SYMPTOMS["attention_map"],
    tol=1e-4,
)
### END HIDDEN TESTS

# %% [markdown]
# Your function, on the second block of the teacher, the student of labels and the student of the teacher's logits.
# Nobody has shown the students a map.

# %% tags=["nbval-ignore-output"]
looked = torch.cat([val_x[:500], val_x[garments]])
with torch.no_grad():
    seen = {name: lesson05.features(net.eval(), looked) for name, net in {"teacher": teacher, **students}.items()}
maps = {name: attention_map(middle) for name, (middle, _, _) in seen.items()}
shuffled = maps["teacher"][torch.randperm(len(looked), generator=torch.Generator().manual_seed(0))]
for name, other in {**{n: maps[n] for n in students}, "the teacher's map of another image": shuffled}.items():
    apart = (other - maps["teacher"]).square().sum(1).mean().item()
    print(f"{name:35}: mean squared distance to the teacher's maps {apart:.4f}")
pictures05.draw_maps(looked, maps, list(range(500, 500 + len(garments))))

# %% [markdown]
# *Picture: four garments, and beside each the attention maps of teacher, label-taught and distilled student, 7 × 7
# places on one scale of brightness. By eye no student is clearly closer to the teacher.*
#
# So read the numbers, the last of them first: that far apart are maps which have nothing to do with each other. Only
# what is well below it is likeness.
#
# **Similarities** (Tung and Mori 2019) forget channels *and* places. What is left is which images of the batch look
# alike to the network: the matrix $G = F F^\top$ of the inner products of all pairs, each row divided by its length.
# Garments alike for the teacher shall be alike for the student:
#
# $$L = \frac{1}{N^2}\,\lVert \tilde G_S - \tilde G_T \rVert_F^2 .$$

# %% [markdown]
# ### Exercise 6 · `similarity_loss`
#
# <details><summary>Hint 1, a nudge</summary>The two matrices are N × N whatever the number of features is. Normalise
# the rows of the matrix, not the features.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>For both networks: flatten each sample, take all products of
# two samples, divide each row of them by its length.</details>
#
# <details><summary>Hint 3, the key lines</summary>For both: <code>f = features.flatten(1)</code>,
# <code>g = F.normalize(f @ f.T, dim=1)</code>. Then the sum of the squared differences over <code>N ** 2</code>; the
# teacher's matrix is detached.</details>

# %% exercise="similarity_loss" minutes=8 difficulty=2
def similarity_loss(student_features: torch.Tensor, teacher_features: torch.Tensor) -> torch.Tensor:
    """Mean squared difference between the two similarity matrices of a batch.

    Args:
        student_features: `[N, ...]`, float32.
        teacher_features: `[N, ...]`, float32, usually of another shape behind N; a fixed target.

    Returns:
        a 0-d tensor: with f the features as `[N, -1]` and G = f fᵀ, each row of G divided by its L2 norm, the sum of
        the squared differences of the two matrices over N². Gradients flow to the student's features only.

    >>> similarity_loss(torch.eye(2), torch.tensor([[1.0], [1.0]]))        # rows (1, 0), (0, 1) and twice (0.71, 0.71)
    tensor(0.2929)

    Source: Tung and Mori 2019, arXiv:1907.09682, equations 1 to 4.
    """
    ### BEGIN SOLUTION
    def likeness(f):
        f = f.flatten(1)
        return F.normalize(f @ f.T, dim=1)

    return (likeness(student_features) - likeness(teacher_features.detach())).square().sum() / len(student_features) ** 2
    ### END SOLUTION

# %% test="similarity_loss" points=3
# Checked here: loss and gradients for features in rows and in pictures; nothing reaches the teacher.
# Hidden tests: random features of other shapes and batches, the gradients on the student.
from_scratch(similarity_loss, LIBRARIES)

@probe
def similarities(student_features, teacher_features):
    """The loss, its gradient on the student's features, and on the teacher's."""
    s, t = student_features.requires_grad_(), teacher_features.requires_grad_()
    loss = similarity_loss(s, t)
    loss.backward()
    return {
        "loss": loss.detach(),
        "student": torch.zeros_like(s) if s.grad is None else s.grad,
        "teacher": torch.zeros_like(t) if t.grad is None else t.grad,
    }

def similarity_of(student_features, teacher_features):
    """The loss and what reaches the teacher."""
    got = similarities(student_features, teacher_features)
    return {"loss": got["loss"], "teacher": got["teacher"]}

similarity_of.__name__ = "similarity_loss"

_tensor = torch.tensor
_student, _teacher = (
    _tensor([[3.0, 0.0], [0.0, 1.0], [1.0, 2.0]]),
    _tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]),
)
_expected = lambda loss: [{"loss": _tensor(loss), "teacher": torch.zeros(3, 3)}]
check(
    similarity_of,
    [(_student, _teacher)],
    _expected(0.124703),
    checks05.similarity_loss_mistakes(_expected),
    SYMPTOMS["similarity_loss"],
    tol=1e-5,
)
check(
    similarity_of,
    [(_tensor([[[1.0]], [[3.0]]]), _tensor([[2.0, 4.0], [6.0, 12.0]]))],
    [{"loss": _tensor(0.0), "teacher": torch.zeros(2, 2)}],
    {},
    SYMPTOMS["similarity_loss"],
    tol=1e-5,
)

### BEGIN HIDDEN TESTS
def _similarity(s, t, mode=""):
    """Pair by pair, in float64."""
    s = s.double().requires_grad_()

    def matrix(f):
        f = f.double().reshape(len(f), -1)
        if mode == "features":
            f = f / f.norm(dim=1, keepdim=True)
        g = torch.stack([torch.stack([(a * b).sum() for b in f]) for a in f])
        if mode == "whole":
            return g / (g * g).sum().sqrt()
        return g if mode in ("features", "never") else torch.stack([row / (row * row).sum().sqrt() for row in g])

    loss = sum(((a - b) ** 2).sum() for a, b in zip(matrix(s), matrix(t))) / (len(s) if mode == "n" else len(s) ** 2)
    return {
        "loss": loss.detach().float(),
        "student": torch.autograd.grad(loss, s)[0].float(),
        "teacher": torch.zeros_like(t),
    }

_rng = torch.Generator().manual_seed(56)
_cases = [
    (torch.randn(n, *a, generator=_rng), torch.randn(n, *b, generator=_rng))
    for n, a, b in (
        (4, (6,), (3,)),
        (5, (2, 3, 3), (4, 2, 2)),
        (3, (5,), (5,)),
        (2, (1, 4, 4), (7,)),
        (8, (3, 2), (2, 5)),
    )
]
_way = lambda mode: lambda s, t: _similarity(s, t, mode)
check(
    similarities,
    _cases,
    _similarity,
    {
        checks05.FEATURES: _way("features"),
        checks05.N: _way("n"),
        checks05.NEVER: _way("never"),
        checks05.WHOLE: _way("whole"),
    },
    SYMPTOMS["similarity_loss"],
    tol=1e-5,
)
### END HIDDEN TESTS

# %% [markdown]
# 60 garments sorted by class, six a class, as the last block of each network sees them:

# %% tags=["nbval-ignore-output"]
rows = torch.cat([(val_y[:500] == c).nonzero().flatten()[:6] for c in range(10)])
late = {name: features[1][rows] for name, features in seen.items()}
for name in students:
    print(f"{name:12}: similarity loss {similarity_loss(late[name], late['teacher']).item():.5f}")
pictures05.draw_similarities({name: F.normalize(f.flatten(1), dim=1) @ F.normalize(f.flatten(1), dim=1).T for name, f in late.items()})

# %% [markdown]
# *Picture: three matrices of 60 × 60 similarities. Ten bright squares on the diagonal are the classes; blocks beside
# it, classes that look alike. (For the picture each pair is divided by both lengths.)*
#
# Now they train something: your three losses, each beside the cross-entropy of 500 labels, for 100 steps from three
# starts. `lesson05.imitate` hands your function what student and teacher see. (About 20 s on one core.)

# %% tags=["nbval-ignore-output"]
shown_x, shown_y, weights = pool[:500], train_y[:500], lesson05.METHOD_WEIGHTS
teacher_sees = lesson05.seen_by(teacher, shown_x)  # what features() returns: second block, third block, logits

def of_maps(s, t, regressor):
    return sum((attention_map(s[block]) - attention_map(t[block])).square().sum(1).mean() for block in (0, 1))

beside = {
    "labels only": lambda s, t, regressor: 0,
    "hint": lambda s, t, regressor: weights["hint"] * hint_loss(s[0], t[0], regressor),
    "attention": lambda s, t, regressor: weights["attention"] * of_maps(s, t, regressor),
    "similarity": lambda s, t, regressor: weights["similarity"] * similarity_loss(s[1], t[1]),
}
reached = {}
for name, extra in beside.items():
    loss = lambda s, t, y, regressor: F.cross_entropy(s[2], y) + extra(s, t, regressor)
    short_runs = [lesson05.imitate(loss, shown_x, shown_y, teacher_sees, 100, seed) for seed in (0, 1, 2)]
    reached[name] = [measure.accuracy(net, val_x, val_y) for net in short_runs]
    gains = [a - b for a, b in zip(reached[name], reached["labels only"])]
    said = "" if name == "labels only" else f"; gain over labels, seed by seed: {', '.join(f'{g:+.1f}' for g in gains)}"
    print(f"{name:12} mean {np.mean(reached[name]):.1f} %, from {min(reached[name]):.1f} to {max(reached[name]):.1f}{said}")

# %% [markdown]
# Where the three gains differ in sign, nothing has been shown. When we ran it, similarities helped every time and the
# maps harmed every time: with 500 labels and 100 steps their weight of 20 is too large. At the same weight the longer
# run below shows no harm.
#
# Which is best to imitate? A longer run, with the same 4,000 labelled images, steps and seeds for all. The logits,
# beside a tenth of the labels' cross-entropy, come with KL, with KL and maps, and with half the mean squared error,
# KL's limit at high temperature (section 2); Ba and Caruana (2014) trained with it, and Kim et al. (2021) found it
# better than KL. Hints, maps and similarities stand beside the whole cross-entropy, with fixed weights (1, 20 and
# 3,000, after the papers), none of them tuned by us: a row that loses may only have the wrong weight.
# `data/make_lesson05.py` trained them once, with the losses that you have just written.
#
# <details><summary><b>Predict first.</b> Hints, maps, similarities or logits: which student will be
# best?</summary>Similarities lead here; logits and maps together come close.</details>

# %%
inside = results["methods"]
print(f"{inside['labels']:,} labels, {inside['steps']} steps, seeds {results['seeds']}; accuracy on the validation images in %")
for name, runs in inside["accuracy"].items():
    print(f"{name:21} mean {sum(runs) / len(runs):.2f}, from {min(runs):.2f} to {max(runs):.2f}")
pictures05.draw_runs(inside["accuracy"], "labels only")

# %% [markdown]
# *Picture: one row a method, three dots and a bar at their mean; a grey band is the range of labels alone.*
#
# Hints and attention maps alone stay inside or close to the range of labels alone: here they have not been shown to
# help. The logits by KL and the similarities are outside it; the squared error of the logits is not quite, and we
# cannot confirm that it is better than KL. Similarities lead, perhaps because their matrix says what is alike among 128
# images at once; logits and maps together overlap them. Another network, weight or budget can change this order.

# %% [markdown]
# ## 6. Many teachers, or none
#
# Networks that were trained separately make different mistakes, and the average of their *probabilities* is usually
# better than each, but expensive: Hinton et al. distilled such an ensemble into one network.
#
# As one teacher, the group needs logits whose softened version is the mean of the softened opinions:
#
# $$z = T \,\log\Big(\frac{1}{K}\sum_{k=1}^{K} \mathrm{softmax}(l_k / T)\Big).$$
#
# Averaging the logits would give the (renormalised) geometric mean of the probabilities, in which one member that says
# "impossible" overrules all others.

# %% [markdown]
# ### Exercise 7 · `ensemble_logits`
#
# <details><summary>Hint 1, a nudge</summary>Which logits does softmax(z / T) turn back into given
# probabilities?</details>
#
# <details><summary>Hint 2, the recipe in words</summary>Refuse an empty list. Average the softened probabilities of the
# members, take the logarithm, and multiply by the temperature.</details>
#
# <details><summary>Hint 3, the key lines</summary>In one line:
# <code>torch.stack([soften(l, temperature) for l in logits]).mean(0).log() * temperature</code>. (With
# <code>F.log_softmax</code> and <code>torch.logsumexp</code> it also survives probabilities that are 0 in
# float32.)</details>

# %% exercise="ensemble_logits" minutes=6 difficulty=2
def ensemble_logits(logits: list[torch.Tensor], temperature: float) -> torch.Tensor:
    """Logits of an ensemble: T * log(mean over members of softmax(l / T)).

    Args:
        logits: one tensor `[..., C]` a member, all of the same shape.
        temperature: T > 0.

    Returns:
        `[..., C]`, float32; softened at T it is the mean of the members' softened probabilities.

    Raises:
        ValueError: an empty list.

    >>> ensemble_logits([torch.tensor([0.0, 0.0]), torch.tensor([0.0, 0.0])], 2.0)       # 2 log(1/2)
    tensor([-1.3863, -1.3863])

    Source: Hinton et al. 2015, arXiv:1503.02531, section 5 (ensembles as teachers).
    """
    ### BEGIN SOLUTION
    if not logits:
        raise ValueError("an ensemble needs at least one member")
    logs = F.log_softmax(torch.stack(list(logits)) / temperature, dim=-1)
    return temperature * (torch.logsumexp(logs, dim=0) - math.log(len(logits)))
    ### END SOLUTION

# %% test="ensemble_logits" points=3
# Checked here: two members and one, at two temperatures; no members at all.
# Hidden tests: more members, other shapes and temperatures.
from_scratch(ensemble_logits, LIBRARIES)
_tensor, _log_3 = torch.tensor, math.log(3)
_members = [_tensor([[2 * _log_3, 0.0]]), _tensor([[0.0, 0.0]])]  # at T = 2: 3/4, 1/4 and 1/2, 1/2
check(
    ensemble_logits,
    [(_members, 2.0), ([_tensor([0.0, _log_3])], 1.0)],
    [_tensor([[-0.940007, -1.961658]]), _tensor([-1.386294, -0.287682])],
    checks05.ENSEMBLE_LOGITS_MISTAKES,
    {},
    tol=1e-5,
)
check_errors(ValueError, ensemble_logits, ([], 1.0))
check_inputs(inputs_after, ensemble_logits, _members, 2.0)

### BEGIN HIDDEN TESTS
def _together(logits, T, mode=""):
    flat, out = [l.reshape(-1, l.shape[-1]).tolist() for l in logits], []
    if mode == "logits":
        return sum(logits) / len(logits)
    if mode == "geometric":
        return T * sum(torch.log_softmax(l / T, -1) for l in logits) / len(logits)
    h = 1.0 if mode in ("inside", "no T at all") else T
    for rows in zip(*flat):
        total = [0.0] * len(rows[0])
        for row in rows:
            powers = [math.exp((v - max(row)) / h) for v in row]
            total = [a + p / sum(powers) for a, p in zip(total, powers)]
        out.append(
            [
                (1.0 if mode in ("no T", "no T at all") else T) * math.log(a / (1 if mode == "sum" else len(rows)))
                for a in total
            ]
        )
    return _tensor(out).reshape(logits[0].shape)

_rng = torch.Generator().manual_seed(57)
_cases = [
    ([2 * torch.randn(*shape, generator=_rng) for _ in range(k)], T)
    for k, shape, T in ((3, (4, 5), 3.0), (2, (6, 10), 0.5), (5, (3,), 4.0), (1, (2, 4), 2.0), (4, (2, 3, 4), 1.5))
]
_way = lambda mode: lambda logits, T: _together(logits, T, mode)
check(
    ensemble_logits,
    _cases,
    _together,
    {
        checks05.OF_LOGITS: _way("logits"),
        checks05.NO_T: (_way("no T"), _way("no T at all")),
        checks05.INSIDE: _way("inside"),
        checks05.TOTAL: _way("sum"),
        checks05.GEOMETRIC: _way("geometric"),
    },
    {},
    tol=1e-4,
)
check_errors(ValueError, ensemble_logits, ([], 4.0))
### END HIDDEN TESTS

# %% [markdown]
# What are three students of the same 4,000 labels, each from its own random start, worth together? And what happens
# when a student teaches a copy of itself (**self-distillation**, Furlanello et al. 2018), on the same images or on the
# 40,000 without labels?

# %%
group = results["ensemble"]
print(f"{group['labels']:,} labels, {group['steps']} steps ({group['steps on 40,000 images']:,} on the 40,000 images), seeds {results['seeds']}; accuracy on the validation images in %")
group = {name: runs for name, runs in group.items() if isinstance(runs, list)}
for name, runs in group.items():
    print(f"{name:36} mean {sum(runs) / len(runs):.2f}, from {min(runs):.2f} to {max(runs):.2f}")
later = [a for name, runs in group.items() if "40,000" in name for a in runs]
inside_range = sum(min(group["alone"]) <= a <= max(group["alone"]) for a in later)
print(f"{inside_range} of the {len(later)} students of 40,000 images lie in the range of the three alone")
pictures05.draw_runs(group, "alone")

# %% [markdown]
# *Picture: one row a way of teaching, dots and a bar at their mean; the grey band is the range of the three students
# alone.*
#
# The three together are better than the best of them, without a new label, at three times the cost of an answer.
# Self-distillation on the same 4,000 images gains nothing that can be seen here (Furlanello et al. trained far longer,
# and on larger networks, when they found a gain). On the 40,000 images the means rise by about half a point, but half
# of these dots still lie in the range of the students alone. No teacher who knows only 4,000 labels replaces one who
# has seen all.
#
# ### Sentences
#
# The same with text: the teacher is MiniLM, a pretrained text encoder that we fine-tuned to tell good from bad film
# reviews (lesson 09 deploys it). The student is a table of word vectors, one convolution over three neighbouring words,
# and a linear layer. `data/make_lesson05.py text` trained it with three seeds, and measured once on the test sentences.

# %%
told = results["text"]
n = told["test sentences"]
for name in ("teacher", "student"):
    print(f"{name}: {told['bytes'][name]:,} bytes, {told['ms'][name]:.1f} ms a sentence (batch 1, the machine of the record)")
smaller, faster = (told[what]["teacher"] / told[what]["student"] for what in ("bytes", "ms"))
print(f"the student is {smaller:.0f} times smaller and {faster:.0f} times faster")
print(f"teacher: {told['teacher']:.1f} % of {n:,} test sentences, {told['teacher on the training sentences']:.1f} % of the {told['sentences']:,} training sentences")
for name, runs in told["students"].items():
    mean = np.mean(runs)
    error = 100 * math.sqrt(mean / 100 * (1 - mean / 100) / n)
    without = told["students"][name.partition(", soft targets")[0]]
    gains = "" if runs is without else f"; gain, seed by seed: {', '.join(f'{a - b:+.1f}' for a, b in zip(runs, without))}"
    print(f"{name:41} mean {mean:.1f} ± {error:.1f} %, from {min(runs):.1f} to {max(runs):.1f}{gains}")

# %% [markdown]
# The ± is the standard error of a share of so many sentences. With the teacher every seed is 1.6 to 3.0 points above
# the same seed without it, and its answers alone do as well as labels and answers together. But the student stays far
# below its teacher, who cannot hand over what a student is unable to represent, here what a word means in its sentence,
# nor words that its sentences do not contain. 83 times smaller has its price, and distillation does not pay it.

# %% [markdown]
# ## 7. Start from the teacher's layers
#
# If student and teacher have the same width, as in DistilBERT, the student can start from every second layer of the
# teacher (Sanh et al. 2019). Each layer of a transformer *adds* something to the same stream of vectors, so a stream
# that skips a layer need not be nonsense.
#
# Our teacher here is a small transformer of six layers that cuts a garment into 16 patches.

# %% [markdown]
# ### Exercise 8 · `init_from_layers`
#
# <details><summary>Hint 1, a nudge</summary>A layer that stands in two lists is one layer: training the student would
# change the teacher.</details>
#
# <details><summary>Hint 2, the recipe in words</summary>For each index, in order, an independent copy of that layer;
# all of them in one module list.</details>
#
# <details><summary>Hint 3, the key lines</summary><code>copy.deepcopy(layer)</code> for each index of
# <code>keep</code> inside <code>nn.ModuleList([...])</code>. (Copying a whole list at once would give one shared layer
# for an index that stands there twice.)</details>

# %% exercise="init_from_layers" minutes=6 difficulty=1
def init_from_layers(teacher_layers: nn.ModuleList, keep: list[int]) -> nn.ModuleList:
    """Layers of a student: independent copies of some of the teacher's.

    Args:
        teacher_layers: any modules; they are not changed, and share no memory with the copies.
        keep: 0 <= index < len(teacher_layers), in the order wanted for the student. An index may stand there twice; it
            gives two independent copies.

    Returns:
        a ModuleList of len(keep) modules, with the parameters, buffers and modes of the originals.

    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(6)])
    >>> student = init_from_layers(layers, [0, 2, 4])
    >>> torch.equal(student[1].weight, layers[2].weight), student[1].weight is layers[2].weight
    (True, False)

    Source: Sanh et al. 2019, arXiv:1910.01108, section 2.
    """
    ### BEGIN SOLUTION
    return nn.ModuleList([copy.deepcopy(teacher_layers[i]) for i in keep])
    ### END SOLUTION

# %% test="init_from_layers" points=2
# Checked here: which layers are copied, in which order and mode; the teacher stays as it was.
# Hidden tests: random layers, layers that are taken twice, other modes.
from_scratch(init_from_layers, LIBRARIES)

@probe
def layers_from(states, keep, modes):
    """Which layers came, then after each copy in turn has been filled with its number: the copies and the teacher."""
    teacher = nn.ModuleList([checks05.small_net(state).train(mode) for state, mode in zip(states, modes)])
    made = init_from_layers(teacher, keep)
    said = {
        "kind": type(made).__name__,
        "modes": [m.training for m in made],
        "layers": [checks05.flat(m) for m in made],
    }
    for number, layer in enumerate(made):
        for tensor in layer.state_dict().values():
            tensor.fill_(100 + number)
    return said | {"filled": [checks05.flat(m)[0] for m in made], "teacher": [checks05.flat(m) for m in teacher]}

def _expected(states, keep, modes, order=None):
    rows = [checks05.flat(checks05.small_net(s)) for s in states]
    return {
        "kind": "ModuleList",
        "modes": [modes[i] for i in order or keep],
        "layers": [rows[i] for i in order or keep],
        "filled": [float(100 + n) for n in range(len(keep))],
        "teacher": rows,
    }

_layer = lambda value: {
    "0.weight": torch.full((2,), value),
    "0.bias": torch.full((2,), value + 0.5),
    "0.running_mean": torch.zeros(2),
    "0.running_var": torch.ones(2),
    "0.num_batches_tracked": torch.tensor(0),
    "1.weight": torch.full((1, 2), value),
}
_states = [_layer(float(v)) for v in (1, 2, 3, 4)]
check(
    layers_from,
    [(_states, [2, 0, 3], [True] * 4), (_states, [1], [True, False, True, True])],
    _expected,
    checks05.init_from_layers_mistakes(_expected, _states),
    SYMPTOMS["init_from_layers"],
)
### BEGIN HIDDEN TESTS
_rng = torch.Generator().manual_seed(58)
_draw = lambda n: [checks05.drawn((3, 4, 2), _rng) for _ in range(n)]
_cases = [
    (_draw(6), keep, [bool(torch.rand(1, generator=_rng) < 0.5) for _ in range(6)])
    for keep in ([4, 2, 0], [0, 2, 4], [5], [1, 1, 3], [3, 5, 1, 0, 2, 4], [])
]
check(
    layers_from,
    _cases,
    _expected,
    {checks05.ORDER: lambda s, k, m: _expected(s, k, m, sorted(k))},
    SYMPTOMS["init_from_layers"],
)
### END HIDDEN TESTS

# %% [markdown]
# Some of the six layers, before any training; embedding, position, last norm and classifier are the teacher's, too.
#
# <details><summary><b>Predict first.</b> Keep three of six layers, and do not train: the first three, the last three,
# or every second one?</summary>The first three, by far. The last three alone are hardly better than guessing.</details>

# %%
six = lesson05.load_transformer()
print(f"six layers: accuracy {measure.accuracy(six, val_x, val_y):.1f} %, {sum(p.numel() for p in six.parameters()):,} parameters")
for keep in ([0, 1, 2, 3, 4], [0, 2, 4], [0, 1, 2], [3, 4, 5], [5, 3, 1]):
    three = lesson05.PatchTransformer(init_from_layers(six.layers, keep))
    three.load_state_dict({n: t for n, t in six.state_dict().items() if not n.startswith("layers")}, strict=False)
    print(f"layers {keep}: accuracy {measure.accuracy(three, val_x, val_y):.1f} %, {sum(p.numel() for p in three.parameters()):,} parameters")

# %% [markdown]
# A layer expects what the one before it delivers, so it matters which ones are missing. How far does a short
# distillation get from there (three seeds, stored)?

# %%
started = results["layers"]
print(f"three layers, {started['steps']} steps of distillation from the six-layer transformer ({results['transformer']['accuracy']} %), seeds {results['seeds']}")
for name, runs in started["accuracy"].items():
    print(f"{name:18} before {sum(runs['before']) / 3:5.2f} %, after: mean {sum(runs['after']) / 3:.2f} %, from {min(runs['after']):.2f} to {max(runs['after']):.2f}")
pictures05.draw_runs({name: runs["after"] for name, runs in started["accuracy"].items()}, "new random layers")

# %% [markdown]
# *Picture: one row a start, three dots each after the distillation; the starts from the teacher's layers lie to the
# right of the random one.*
#
# A short distillation is hardly enough for new layers, and plenty for copied ones. In this small network the first
# three are the better start, before and after the training; DistilBERT took every second. Which to take is a question
# for an experiment of a few minutes.

# %% [markdown]
# ## 8. The result, measured
#
# The choice is made: width 10, temperature 4, soft targets alone. The distilled student is written to a file and read
# back, and the test images are looked at once.
#
# Beside it stands the same with the library. `F.kl_div` wants *log*-probabilities of the student first, then the
# teacher's (here as logarithms too, `log_target=True`), and `reduction="batchmean"`; its default `"mean"` also divides
# by the number of classes. T² and the labels' part remain yours in every library that we know.

# %%
def library_loss(student, teacher, labels, T=4.0, alpha=0.5):
    """Distillation with torch's own KL."""
    kl = F.kl_div(F.log_softmax(student / T, 1), F.log_softmax(teacher.detach() / T, 1), reduction="batchmean", log_target=True)
    return alpha * T**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)

def gradient_of(loss, *settings):
    z = student_logits.clone().requires_grad_()
    loss(z, val_logits[:500], val_y[:500], *settings).backward()
    return z.grad

for settings in ((4.0, 1.0), (2.0, 0.5), (8.0, 0.1)):
    apart = (gradient_of(distillation_loss, *settings) - gradient_of(library_loss, *settings)).abs().max().item()
    print(f"T = {settings[0]:.0f}, alpha = {settings[1]}: largest difference between your gradient and the library's {'below 0.000001' if apart < 1e-6 else apart}")

# %% tags=["nbval-ignore-output"]
import tempfile
from pathlib import Path
from unittest.mock import patch

short = 300  # steps: enough to compare two ways of computing one thing
twins = {}
for name, loss in (("by hand, short", distillation_loss), ("library, short", library_loss)):
    twins[name] = lesson05.new_student(seed=0)
    asked = lesson05.ByNumber(twins[name], pool)
    batches = lesson05.draw_batches(unknown, short, seed=0)
    with patch.dict(globals(), distillation_loss=loss):
        distill(asked, recorded, batches, lesson05.optimizer_for(twins[name], short), T, 1.0)
rows = {"teacher": teacher, "labels only": students["labels"], "distilled": students["distilled"], **twins}
with tempfile.TemporaryDirectory() as folder:
    written, back = {}, {}
    for name, net in rows.items():
        torch.save(net.state_dict(), Path(folder) / "net.pt")
        written[name] = (Path(folder) / "net.pt").stat().st_size
        back[name] = models.ResNet8(24 if name == "teacher" else lesson05.WIDTH)
        back[name].load_state_dict(torch.load(Path(folder) / "net.pt"))
        back[name].eval()
test_x, test_y = data.load("test")
with torch.no_grad():
    faster = {batch: measure.speedup(measure.latency_ms({n: lambda m=m, x=test_x[:batch]: m(x) for n, m in back.items() if "short" not in n}, rounds=60 if batch == 1 else 30), "teacher") for batch in (1, 64)}
print("                     bytes   smaller   faster, batch 1      faster, batch 64     validation   test")
on_test = {}
for name, net in back.items():
    spread = [f"{faster[b][name][1]:.2f} ({faster[b][name][0]:.2f}–{faster[b][name][2]:.2f})" if name in faster[b] else "" for b in (1, 64)]
    on_test[name] = measure.accuracy(net, test_x, test_y)
    print(f"{name:15} {written[name]:10,}   {written['teacher'] / written[name]:6.2f}   {spread[0]:18}   {spread[1]:18}   {measure.accuracy(net, val_x, val_y):8.2f} %   {on_test[name]:.2f} %")
for batch, row in faster.items():
    print(f"batch {batch}: is the distilled student faster? {verdict(row['distilled'], 'yes', 'no')}; five times, as its bytes would have it? {verdict(row['distilled'], 'yes', 'no', claim=5.0)}")
kept = 100 * on_test["distilled"] / on_test["teacher"]
print(f"the student keeps {kept:.1f} % of the teacher's test accuracy (goal 97 %: {'reached' if kept >= 97 else 'missed'}); five times smaller: {'reached' if written['teacher'] >= 5 * written['distilled'] else 'missed'}, with {measure.macs(teacher, shape) / measure.macs(back['distilled'], shape):.2f} times fewer MACs")

# %% [markdown]
# By hand and with the library the students are the same to rounding, which training amplifies: expect some tenths of a
# point between them. (The teacher's file is smaller than in section 1: each tensor's name in it begins with the name of
# the file, "net" here and "archive" in memory.) The student is 5.08 times smaller in file and 5.70 times in MACs, but
# not five times faster; lesson 04 measured why (a call has a price, and narrow layers use the processor badly).
#
# ## Pitfalls
#
# - **Probabilities for log-probabilities.** `F.kl_div(q, p)` with `q` a softmax raises no error and learns slowly or
#   not at all.
# - **The teacher in train mode.** It is worse, and no longer the model that you measured.
# - **T without T².** The teacher fades, and α no longer means what you set.
# - **Teaching what was memorised.** On its own training images a teacher is nearly always right and very sure: ask it
#   about others where you can.
# - **Cached answers, other images.** A recorded answer belongs to one image in one view. Augment the image and you have
#   to ask again (Beyer et al. 2022 make a point of it).
# - **One seed.** Two students that differ by half a point may be the same student with another start: compare several.
#
# ## Questions
#
# <details><summary>Why does the student not need a single label here, and what would go wrong if the teacher were wrong
# about one class?</summary>The teacher's answers are the targets, so whatever it gets wrong systematically the student
# learns as well. A few labels in the mixture (alpha below 1) or a validation set with true labels shows such errors;
# soft targets alone never will.</details>
#
# <details><summary>What is the difference between soft targets and label smoothing?</summary>Label smoothing gives
# every wrong class the same small probability: the network becomes less sure, but learns nothing about which classes
# are alike. (Müller et al. 2019 found that a teacher trained with label smoothing teaches worse: it has thrown the
# differences away.)</details>
#
# <details><summary>A larger and more accurate teacher made the student worse. How can that be?</summary>Its answers may
# be too sharp, or too complicated for a student of little capacity (Cho and Hariharan 2019). A higher temperature, a
# teacher stopped early, or one of middle size in between helps.</details>
#
# <details><summary>Distillation, quantization and pruning: in which order?</summary>Usual: distil into a small
# architecture first, prune it if channels are left over, quantize last. The large teacher can help again in each
# fine-tuning.</details>

# %% [markdown] question="question_distil_or_label" points=4
# ### For your teacher
#
# A hospital has a large network that recognises fractures, 2,000 labelled X-rays and 200,000 without labels, and wants
# a model for a portable device with a tenth of the parameters. Labelling costs 5 euros an image. A colleague has
# distilled once, on the 2,000 labelled images, found 0.4 points more than with labels alone, and proposes to publish
# this as a success. In at most ten sentences: what do you say to the colleague, how would you set up the distillation,
# and what would you measure before anyone relies on the model? Write your answer in the cell below.
#
# === BEGIN MARK SCHEME ===
# 4 points: one run is no evidence, several seeds with mean and spread (on data not used for choices) are needed, and
# 0.4 points may be inside the spread; the 200,000 unlabelled images are the asset: ask the teacher about them, store
# the logits for every view used, soft targets with T and T² (alpha near 1, labels mixed in); baseline under the same
# budget; measures size, latency on the device, accuracy on held-back labelled patients, per class and against the
# teacher's own errors, which the student inherits; perhaps spends some labels where teacher and student disagree.
#
# 2 points: wants several seeds and uses the unlabelled images, but gives no fair baseline or does not see that the
# teacher's errors are inherited.
#
# 0 or 1 point: accepts the single run, or only tunes the temperature.
# === END MARK SCHEME ===

# %% [markdown]
# *Your answer:*

# %% [markdown]
# ## An open experiment
#
# What does the teacher have to be? Spoil its answers on the 40,000 images on purpose: keep only the two largest logits,
# shuffle the small ones among themselves, give every class but the best the same share (label smoothing), or use the
# mean answer of a class for all of its images. Train for 300 steps each, with three seeds. Which still beats the best
# guess alone, and what does that say about where the dark knowledge sits? There is no right answer known to us.

# %% [markdown]
# ## References
#
# - J. Ba, R. Caruana (2014). *Do Deep Nets Really Need to Be Deep?* arXiv:1312.6184
# - G. Hinton, O. Vinyals, J. Dean (2015). *Distilling the Knowledge in a Neural Network.* arXiv:1503.02531
# - A. Romero et al. (2015). *FitNets: Hints for Thin Deep Nets.* arXiv:1412.6550
# - S. Zagoruyko, N. Komodakis (2017). *Paying More Attention to Attention.* arXiv:1612.03928
# - T. Kim et al. (2021). *Comparing Kullback-Leibler Divergence and Mean Squared Error Loss in Knowledge Distillation.*
#   arXiv:2105.08919
# - T. Furlanello et al. (2018). *Born Again Neural Networks.* arXiv:1805.04770
# - F. Tung, G. Mori (2019). *Similarity-Preserving Knowledge Distillation.* arXiv:1907.09682
# - V. Sanh et al. (2019). *DistilBERT, a Distilled Version of BERT.* arXiv:1910.01108
# - J. H. Cho, B. Hariharan (2019). *On the Efficacy of Knowledge Distillation.* arXiv:1910.01348
# - R. Müller, S. Kornblith, G. Hinton (2019). *When Does Label Smoothing Help?* arXiv:1906.02629
# - L. Beyer et al. (2022). *Knowledge Distillation: A Good Teacher Is Patient and Consistent.* arXiv:2106.05237
