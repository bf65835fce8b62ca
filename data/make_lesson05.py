"""Ask the teacher, train the students of lesson 05 and record what they reach (about 20 minutes on one core).

    python data/make_lesson05.py [PART ...]

Parts: answers (the teacher's logits), transformer, begun (a student after two thirds of its training), main, labels,
methods, omitted, text (needs the extra `text`), ensemble, temperature, layers; without any, all of them in this order.
They write data/checkpoints/lesson05.safetensors and data/lesson05.json. The losses are those of the lesson's solution.
"""

import json
import re
import sys
import time
from collections import Counter
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
OMITTED = (8, 4)  # bag and coat: classes that a student never sees
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
    """A student after two thirds of one cycle of distillation; who writes `distill` goes on from here."""
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
    middle, late, _ = lesson05.seen_by(teacher, images)
    seen = (middle, late, first(lesson05.table(), n))
    maps, weights = names["attention_map"], lesson05.METHOD_WEIGHTS

    def attention(student_features: Tensor, teacher_features: Tensor) -> Tensor:
        return (maps(student_features) - maps(teacher_features)).square().sum(1).mean()

    def loss_of(method: str) -> Callable:
        def loss(student: tuple[Tensor, ...], said: tuple[Tensor, ...], y: Tensor, regressor: nn.Module) -> Tensor:
            total = F.cross_entropy(student[2], y)
            if method == "logits, squared error":  # what T² KL becomes as T grows
                total = 0.1 * total + 0.9 * 0.5 * F.mse_loss(student[2], said[2])
            elif "logits" in method:
                total = names["distillation_loss"](student[2], said[2], y, T, 0.9)
            if "hint" in method:
                total = total + weights["hint"] * names["hint_loss"](student[0], said[0], regressor)
            if "attention" in method:
                total = total + weights["attention"] * sum(attention(student[i], said[i]) for i in (0, 1))
            if "similarity" in method:
                total = total + weights["similarity"] * names["similarity_loss"](student[1], said[1])
            return total

        return loss

    methods = (
        "labels only",
        "hint",
        "attention",
        "similarity",
        "logits",
        "logits, squared error",
        "logits + attention",
    )
    found = {
        method: [score(lesson05.imitate(loss_of(method), images, labels, seen, steps, s)) for s in SEEDS]
        for method in methods
    }
    return {"steps": steps, "labels": n, "weights": weights, "accuracy": found}


def part_omitted() -> dict:
    """The student never sees one class, and the teacher has not lost a word about it: 400 steps each.

    The bias correction adds a number to the logit of that class until it is predicted as often as it occurs, one image
    in ten; it is found on 5,000 other training images, and no label is looked at.
    """
    steps, answers, unseen = 400, lesson05.table().view(2, POOL, 10), train_x[POOL : POOL + 5000]
    found: dict[str, dict[str, list[list[float]]]] = {}

    def measured(logits: Tensor, c: int) -> list[float]:
        guess, y = logits.argmax(1), validation[1]
        right = (guess == y).float()
        return [round(100 * v.mean().item(), 2) for v in (right[y == c], right)]

    for c in OMITTED:
        rows = (pool_y != c).nonzero().flatten()
        images, labels, said = pool[rows], pool_y[rows], answers[:, rows].reshape(-1, 10)
        here = found.setdefault(data.CLASSES[c], {})
        for seed in SEEDS:
            for name, loss in (("labels alone", labels_only), ("soft targets", taught(said, 1.0))):
                net = trained(seed, images, labels, steps, loss)
                logits = ask(net, validation[0])[: len(validation[0])]
                here.setdefault(name, []).append(measured(logits, c))
                seen = ask(net, unseen)[: len(unseen)]
                others = torch.cat([seen[:, :c], seen[:, c + 1 :]], 1).max(1).values
                shift = (others - seen[:, c]).quantile(0.1)
                logits[:, c] += shift
                here.setdefault(f"{name} + bias", []).append([*measured(logits, c), round(shift.item(), 2)])
    return {"steps": steps, "recall, accuracy, shift": found}


class WordStudent(nn.Module):
    """Word vectors, a convolution over three neighbouring words, the largest answer of each filter, a classifier."""

    def __init__(self, words: int, width: int = 32, filters: int = 64):
        super().__init__()
        self.embed = nn.Embedding(words, width, padding_idx=0)
        self.conv, self.fc = nn.Conv1d(width, filters, 3, padding=1), nn.Linear(filters, 2)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.conv(F.dropout(self.embed(ids), 0.2, self.training).transpose(1, 2)).relu().max(2).values
        return self.fc(F.dropout(hidden, 0.5, self.training))


def part_text() -> dict:
    """The sentiment of sentences, from MiniLM of lesson 09 into a small student without an encoder.

    The vocabulary is that of all training sentences: words need no label. Every student sees as many batches.
    """
    sys.path.insert(0, str(LESSONS / "09_deployment"))
    import text09

    teacher, tokenizer = text09.load_sentiment_model(), text09.load_tokenizer()
    texts = {split: data.load_snippets(split) for split in ("train", "test")}
    order = torch.randperm(len(texts["train"][1]), generator=torch.Generator().manual_seed(0))  # the file is sorted
    texts["train"] = ([texts["train"][0][i] for i in order], texts["train"][1][order])

    @torch.no_grad()
    def asked(sentences: list[str]) -> Tensor:
        feeds = text09.encode(tokenizer, sentences)
        return teacher(torch.tensor(feeds["ids"]), torch.tensor(feeds["mask"]))

    said = {}
    for split, (sentences, _) in texts.items():
        by_length = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        said[split] = torch.empty(len(sentences), 2)
        for start in range(0, len(by_length), 32):
            rows = by_length[start : start + 32]
            said[split][rows] = asked([sentences[i] for i in rows])
    split_words = {s: [re.findall(r"[a-z']+|[!?]", t.lower()) for t in texts[s][0]] for s in texts}
    counts = Counter(w for words in split_words["train"] for w in words)
    known = {w: i for i, w in enumerate(sorted(w for w, n in counts.items() if n > 1), 2)}  # 0: padding, 1: unknown
    ids = {}
    for split, lists in split_words.items():
        ids[split] = torch.zeros(len(lists), 40, dtype=torch.int64)
        for row, words in zip(ids[split], lists, strict=True):
            for at, word in enumerate(words[:40]):
                row[at] = known.get(word, 1)
    y, y_test, steps = texts["train"][1], texts["test"][1], 800

    def student(seed: int, n: int, alpha: float) -> WordStudent:
        torch.manual_seed(seed)
        net = WordStudent(len(known) + 2)
        optimizer = lesson05.one_cycle(torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2), steps)
        for _ in range(steps):
            rows = torch.randint(n, (64,))
            optimizer.zero_grad()
            names["distillation_loss"](net(ids["train"][rows]), said["train"][rows], y[rows], 2.0, alpha).backward()
            optimizer.step()
        return net.eval()

    @torch.no_grad()
    def right(logits: Tensor, labels: Tensor) -> float:
        return round(100 * (logits.argmax(1) == labels).float().mean().item(), 2)

    ways = {
        "1,000 labels": (FEW, 0.0),
        "1,000 labels, soft targets for the same": (FEW, 0.9),
        "soft targets for all, no label": (len(y), 1.0),
        "all labels": (len(y), 0.0),
        "all labels, soft targets": (len(y), 0.9),
    }
    found: dict[str, list[float]] = {}
    net = WordStudent(1)
    for name, (n, alpha) in ways.items():
        found[name] = []
        for seed in SEEDS:
            net = student(seed, n, alpha)
            found[name].append(right(net(ids["test"]), y_test))
        print(name, found[name], flush=True)
    one = texts["test"][0][0]
    calls = {"teacher": lambda: asked([one]), "student": lambda: net(ids["test"][:1])}
    with torch.no_grad():
        ms = {name: sorted(times)[len(times) // 2] for name, times in measure.latency_ms(calls, rounds=30).items()}
    return {
        "steps": steps,
        "sentences": len(y),
        "test sentences": len(y_test),
        "words": len(known),
        "teacher": right(said["test"], y_test),
        "teacher on the training sentences": right(said["train"], y),
        "students": found,
        "bytes": {"teacher": measure.size_bytes(teacher), "student": measure.size_bytes(net)},
        "ms": {name: round(v, 3) for name, v in ms.items()},
    }


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
        found = globals()[f"part_{part}"]()
        made = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson05.py"}
        made |= {"student": f"ResNet-8 of width {lesson05.WIDTH}", "temperature of the loss": T, "seeds": SEEDS}
        if found:
            made[part] = found | {"cpu_seconds": round(time.process_time() - began)}
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")
        print(part, round(time.process_time() - began), found, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
