"""Ask the teacher, train the students of lesson 05 and record what they reach (about 15 minutes on one core).

    python data/make_lesson05.py [PART ...]

Parts: answers (the teacher's logits), transformer, begun (a student half way through its training), main, labels,
methods, ensemble, temperature, layers; without any, all of them in this order. They write
data/checkpoints/lesson05.safetensors and data/lesson05.json. The losses are those of the lesson's solution.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai import data, measure, models, train

sys.path.insert(0, str(LESSONS / "05_knowledge_distillation"))
import lesson05

FOLDER = Path(__file__).parent
TENSORS, RESULTS = FOLDER / "checkpoints" / "lesson05.safetensors", FOLDER / "lesson05.json"
SEEDS = (0, 1, 2)
FEW = 1000  # labels in the main comparison
T = lesson05.TEMPERATURE
POOL = lesson05.POOL

names: dict = {"__name__": "answers"}
for cell in teacher_notebook(find_source("05")).cells:
    if cell.metadata.get("nbgrader", {}).get("solution"):
        exec("import copy, math, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n" + cell.source, names)

train_x, train_y = data.load("train")
validation = data.load("validation")
pool, pool_y = train_x[:POOL], train_y[:POOL]


def score(net: nn.Module) -> float:
    """Accuracy on the validation images, in percent."""
    return round(measure.accuracy(net, *validation), 2)


def trained(
    seed: int, images: Tensor, labels: Tensor, steps: int, loss: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> nn.Module:
    """A new student after `steps` batches; `loss` sees the student's logits, the numbers and the labels."""
    student = lesson05.new_student(seed)
    asked = lesson05.ByNumber(student, images)
    optimizer = lesson05.optimizer_for(student, steps)
    student.train()
    for numbers, y in lesson05.draw_batches(labels, steps, seed):
        optimizer.zero_grad()
        loss(asked(numbers), numbers, y).backward()
        optimizer.step()
    return student.eval()


def labels_only(s: Tensor, numbers: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy."""
    return F.cross_entropy(s, y)


def taught(answers: Tensor, alpha: float, temperature: float = T) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The distillation loss with recorded answers."""
    return lambda s, numbers, y: names["distillation_loss"](s, answers[numbers], y, temperature, alpha)


def first(answers: Tensor, n: int) -> Tensor:
    """The answers for the first n images of the pool, as they are and mirrored."""
    return answers.view(2, POOL, 10)[:, :n].reshape(2 * n, 10)


@torch.no_grad()
def ask(net: nn.Module, images: Tensor) -> Tensor:
    """A network's logits for images and their mirrored twins."""
    return torch.cat([net.eval()(x) for view in (images, images.flip(-1)) for x in view.split(500)])


def part_answers() -> None:
    """The teacher's logits, as float16."""
    save(teacher_logits=ask(models.load("resnet8"), pool).view(2, POOL, 10).half())


def part_transformer() -> dict:
    """Six layers, trained on labels."""
    torch.manual_seed(0)
    net = lesson05.PatchTransformer()
    train.fit(net, pool, pool_y, epochs=5, lr=2e-3, progress=False)
    save(**{name: t.half() for name, t in net.state_dict().items()})
    return {"layers": 6, "epochs": 5, "images": POOL, "accuracy": score(lesson05.load_transformer())}


def save(**tensors: Tensor) -> None:
    """Add tensors to the file."""
    there = load_file(TENSORS) if TENSORS.exists() else {}
    save_file({**there, **{name: t.contiguous() for name, t in tensors.items()}}, TENSORS)
    TENSORS.chmod(0o644)


def part_begun() -> None:
    """A student that has seen the first half of one cycle of distillation; who writes `distill` goes on from here."""
    student = lesson05.new_student(seed=0)
    asked, steps, done = lesson05.ByNumber(student, pool), lesson05.STEPS, lesson05.BEGUN
    batches = lesson05.draw_batches(torch.zeros(POOL, dtype=torch.int64), steps, seed=0)[:done]
    recorded = nn.Embedding.from_pretrained(lesson05.table())
    names["distill"](asked, recorded, batches, lesson05.optimizer_for(student, steps), T, 1.0)
    print(f"after {done} of {steps} steps {score(student):.2f} % of the validation images")
    save(**{f"begun.{name}": tensor for name, tensor in student.state_dict().items()})


def part_main() -> dict:
    """1,000 labels, and a pool of 40,000 images without labels that the teacher has seen: 1,000 steps each."""
    answers, steps = lesson05.table(), lesson05.STEPS
    few = (pool[:FEW], pool_y[:FEW])
    hard = answers.argmax(1)
    return {
        "steps": steps,
        "labels only": [score(trained(s, *few, steps, labels_only)) for s in SEEDS],
        "teacher's best guess": [
            score(trained(s, pool, pool_y, steps, lambda z, n, y: F.cross_entropy(z, hard[n]))) for s in SEEDS
        ],
        "teacher's soft targets": [score(trained(s, pool, pool_y, steps, taught(answers, 1.0))) for s in SEEDS],
    }


def part_labels() -> dict:
    """The student and the teacher see the same labelled images, and no others: 500 steps each."""
    answers, found = lesson05.table(), {}
    for n in (1000, 4000, POOL):
        some, some_y, said = pool[:n], pool_y[:n], first(answers, n)
        found[str(n)] = {
            "labels only": [score(trained(s, some, some_y, 500, labels_only)) for s in SEEDS],
            "labels and teacher": [score(trained(s, some, some_y, 500, taught(said, 0.9))) for s in SEEDS],
        }
    return {"steps": 500, "accuracy": found}


def part_methods() -> dict:
    """What the student imitates, on 4,000 labelled images: 400 steps each, the regressor of the hint included."""
    n, steps, teacher = 4000, 400, models.load("resnet8")
    assert isinstance(teacher, models.ResNet8)
    images, labels = pool[:n], pool_y[:n]
    answers = first(lesson05.table(), n)
    with torch.no_grad():
        views = torch.cat([images, images.flip(-1)])
        seen = [lesson05.features(teacher, x) for x in views.split(500)]
    middle, late = torch.cat([m for m, _, _ in seen]), torch.cat([f for _, f, _ in seen])
    maps, weights = names["attention_map"], lesson05.METHOD_WEIGHTS

    def attention(student_features: Tensor, teacher_features: Tensor) -> Tensor:
        return (maps(student_features) - maps(teacher_features)).square().sum(1).mean()

    def run(seed: int, method: str) -> float:
        student = lesson05.new_student(seed)
        regressor = nn.Conv2d(student.fc.in_features // 2, middle.shape[1], 1)
        optimizer = lesson05.optimizer_for(nn.ModuleList([student, regressor]), steps)
        student.train()
        for numbers, y in lesson05.draw_batches(labels, steps, seed):
            m, f, logits = lesson05.features(student, lesson05.pictures(images, numbers))
            loss = F.cross_entropy(logits, y)
            if "logits" in method:
                loss = names["distillation_loss"](logits, answers[numbers], y, T, 0.9)
            if "hint" in method:
                loss = loss + weights["hint"] * names["hint_loss"](m, middle[numbers], regressor)
            if "attention" in method:
                pairs = ((m, middle[numbers]), (f, late[numbers]))
                loss = loss + weights["attention"] * sum(attention(*pair) for pair in pairs)
            if "similarity" in method:
                loss = loss + weights["similarity"] * names["similarity_loss"](f, late[numbers])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return score(student)

    methods = ("labels only", "hint", "attention", "similarity", "logits", "logits + attention")
    found = {method: [run(s, method) for s in SEEDS] for method in methods}
    return {"steps": steps, "labels": n, "weights": weights, "accuracy": found}


def part_ensemble() -> dict:
    """Three students of 4,000 labels: alone, together, and as teachers of new ones."""
    n, steps, longer = 4000, 500, lesson05.STEPS
    images, labels = pool[:n], pool_y[:n]
    alone = [trained(s, images, labels, steps, labels_only) for s in SEEDS]
    said = [ask(net, pool) for net in alone]
    together = names["ensemble_logits"](said, T)
    voters = [ask(net, validation[0])[: len(validation[0])] for net in alone]
    votes = names["ensemble_logits"](voters, 1.0).argmax(1)
    again = [trained(s + 10, images, labels, steps, taught(first(said[s], n), 0.9)) for s in SEEDS]
    from_all = [trained(s + 20, pool, pool_y, longer, taught(together, 1.0)) for s in SEEDS]
    from_one = [trained(s + 30, pool, pool_y, longer, taught(said[s], 1.0)) for s in SEEDS]
    return {
        "steps": steps,
        "steps on 40,000 images": longer,
        "labels": n,
        "alone": [score(net) for net in alone],
        "the three together": [round(100 * (votes == validation[1]).float().mean().item(), 2)],
        "self-distilled": [score(net) for net in again],
        "taught by one, 40,000 images": [score(net) for net in from_one],
        "taught by the three, 40,000 images": [score(net) for net in from_all],
    }


def part_temperature() -> dict:
    """The main comparison's student at other temperatures: 300 steps each."""
    answers = lesson05.table()
    found = {
        str(t): [score(trained(s, pool, pool_y, 300, taught(answers, 1.0, float(t)))) for s in SEEDS]
        for t in (1, 2, 4, 8, 16)
    }
    return {"steps": 300, "accuracy": found}


def part_layers() -> dict:
    """Three of the transformer's six layers, or new ones, distilled for 200 steps."""
    teacher, steps = lesson05.load_transformer(), 200
    rng = torch.Generator().manual_seed(0)
    chosen = torch.randperm(POOL, generator=rng)[:12_800]
    images, answers = pool[chosen], torch.empty(0)
    with torch.no_grad():
        answers = torch.cat([teacher(x) for x in images.split(500)])
    found: dict[str, dict[str, list[float]]] = {}
    for name, keep in (("new random layers", None), ("layers 0, 1, 2", [0, 1, 2]), ("layers 0, 2, 4", [0, 2, 4])):
        found[name] = {"before": [], "after": []}
        for seed in SEEDS:
            torch.manual_seed(seed)
            net = lesson05.PatchTransformer(3)
            if keep:
                state = {n: t for n, t in teacher.state_dict().items() if not n.startswith("layers")}
                net.load_state_dict(state, strict=False)
                net.layers = names["init_from_layers"](teacher.layers, keep)
            found[name]["before"].append(score(net))
            optimizer = lesson05.one_cycle(torch.optim.AdamW(net.parameters(), lr=2e-3), steps)
            order = torch.cat([torch.randperm(len(images), generator=rng) for _ in range(2)])
            for rows in order.split(128)[:steps]:
                optimizer.zero_grad()
                loss = names["distillation_loss"](net(images[rows]), answers[rows], pool_y[chosen][rows], T, 1.0)
                loss.backward()
                optimizer.step()
            found[name]["after"].append(score(net))
    return {"steps": steps, "accuracy": found}


def main(parts: list[str]) -> None:
    every = [name.removeprefix("part_") for name in globals() if name.startswith("part_")]
    for part in parts or every:
        began = time.process_time()
        made = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson05.py"}
        made |= {"student": f"ResNet-8 of width {lesson05.WIDTH}", "temperature of the loss": T, "seeds": SEEDS}
        found = globals()[f"part_{part}"]()
        if found:
            made[part] = found | {"cpu_seconds": round(time.process_time() - began)}
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")
        print(part, round(time.process_time() - began), found, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
