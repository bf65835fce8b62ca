"""Train the transformer of lesson 04, and watch a rare class while a network is pruned (about 3 minutes on one core).

    python data/make_lesson04.py [PART ...]

Parts: rows (the transformer), rare; without any, both. They write data/checkpoints/lesson04.safetensors and
data/lesson04.json. Scores and cuts are those of the lesson's solution.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torch.nn as nn
from safetensors.torch import save_file
from torch import Tensor

from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai import data, measure, train

sys.path.insert(0, str(LESSONS / "04_structured_pruning"))
import lesson04

RESULTS = Path(__file__).parent / "lesson04.json"
SEEDS = (0, 1, 2)
DEFECT, SHARE = 3, 0.02  # dresses, and how many of the images show one

names: dict = {"__name__": "answers"}
for cell in teacher_notebook(find_source("04")).cells:
    if cell.metadata.get("nbgrader", {}).get("solution"):
        exec("import copy, math, torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n" + cell.source, names)

train_x, train_y = data.load("train")
val_x, val_y = data.load("validation")


def part_rows() -> dict:
    """Four layers of eight heads, trained on labels."""
    torch.manual_seed(0)
    net, images, epochs = lesson04.RowTransformer(), 40_000, 3
    train.fit(net, train_x[:images], train_y[:images], epochs=epochs, lr=2e-3, progress=False)
    save_file({name: t.half().contiguous() for name, t in net.state_dict().items()}, lesson04.TENSORS)
    lesson04.TENSORS.chmod(0o644)
    found = round(measure.accuracy(lesson04.load_rows(), val_x, val_y), 2)
    return {"layers": 4, "heads": 8, "epochs": epochs, "images": images, "accuracy": found}


@torch.no_grad()
def judged(net: nn.Module) -> dict[str, float]:
    """Recall of the defect, and accuracy on images of which SHARE are defective, in percent."""
    flagged = torch.cat([net.eval()(x)[:, :2].argmax(1) for x in val_x.split(500)]).bool()
    bad = val_y == DEFECT
    recall, passed = flagged[bad].float().mean().item(), (~flagged[~bad]).float().mean().item()
    return {"recall": round(100 * recall, 2), "accuracy": round(100 * (SHARE * recall + (1 - SHARE) * passed), 2)}


def taylor_scores(net: nn.Sequential, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Taylor scores of the channels behind the ReLU of each convolution."""
    seen = lesson04.watch(net, ["2", "5", "8", "11"], images, labels)
    return {str(int(relu) - 2): names["taylor_importance"](*pair) for relu, pair in seen.items()}


def drawn(rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Some of the rows, in random order."""
    return rows[torch.randperm(len(rows), generator=rng)[:count]]


def part_rare() -> dict:
    """A network that finds dresses, one image in 50, dense and with fewer channels: before and after fine-tuning."""
    bad, good = (train_y == DEFECT).nonzero().flatten(), (train_y != DEFECT).nonzero().flatten()
    n = 12_000
    defects = round(SHARE * n)
    runs: list[dict] = []
    for seed in SEEDS:
        rng = torch.Generator().manual_seed(seed)
        rows = drawn(torch.cat([drawn(bad, defects, rng), drawn(good, n - defects, rng)]), n, rng)
        images, labels = train_x[rows], (train_y[rows] == DEFECT).long()
        net = lesson04.train_chain(images, labels, lambda net: torch.tensor(0.0), seed=seed)
        scores = taylor_scores(net, images[:2000], labels[:2000])
        run: dict = {"dense": judged(net)}
        for kept in (0.75, 0.5, 0.3):
            keep = {k: s.topk(round(kept * len(s))).indices.sort().values for k, s in scores.items()}
            cut = names["prune_chain"](net, keep)
            ratio = round(measure.macs(net, (1, 1, 28, 28)) / measure.macs(cut, (1, 1, 28, 28)), 2)
            before = judged(cut)
            train.fit(cut, images, labels, epochs=1, seed=seed, progress=False)
            run[f"{100 * kept:.0f} % of the channels"] = {"macs_ratio": ratio, "before": before, "after": judged(cut)}
        runs.append(run)
        print(run, flush=True)
    return {"images": n, "defects": defects, "runs": runs}


def main(parts: list[str]) -> None:
    for part in parts or ["rows", "rare"]:
        began = time.process_time()
        made = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"made_by": "data/make_lesson04.py"}
        made[part] = globals()[f"part_{part}"]() | {"cpu_seconds": round(time.process_time() - began)}
        RESULTS.write_text(json.dumps(made | {"seeds": SEEDS}, indent=1) + "\n")
        print(part, made[part], flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
