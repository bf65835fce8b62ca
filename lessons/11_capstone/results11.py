"""The capstone's results, as scripts in `data` recorded them, and what was promised."""

import json

from tracks11 import TRACKS

from bonsai import models

RESULTS = models.CHECKPOINTS.parent / "lesson11.json"


def load_results() -> dict:
    """What data/make_lesson11.py recorded."""
    return json.loads(RESULTS.read_text())


def show_table(table: dict) -> None:
    """All techniques on one model."""
    kernels = "with" if table["int8 kernels"] else "without"
    print(f"{table['images']:,} test images; ONNX Runtime, one thread, a processor {kernels} int8 products")
    print(f"{'technique':38} {'bytes':>8} {'ratio':>6} {'change':>14} {'speed at 64':>18} {'at 1':>6}   needs")
    whole = table["rows"]["FP32"]["bytes"]
    for name, row in table["rows"].items():
        low, middle, high = row["speed 64"]
        steps = f", {row['steps']} steps" if row["steps"] else ""
        print(
            f"{name:38} {row['bytes']:8,} {whole / row['bytes']:6.1f} {row['change']:+6.2f} ± {row['error']:.2f} "
            f"{middle:6.2f} ({low:.2f}–{high:.2f}) {row['speed 1'][1]:6.2f}   {row['needs'] or '–'}{steps}"
        )
    for name, row in table["rows"].items():
        if row["note"]:
            print(f"  {name}: {row['note']}")


def show_text_table(table: dict) -> None:
    """All techniques that apply to the text model on it."""
    rows, kernels = table["rows"], "with" if table["int8 kernels"] else "without"
    print(f"{table['sentences']:,} test sentences, {rows['FP32']['accuracy']:.2f} % right in FP32")
    print(f"ONNX Runtime, one thread, a processor {kernels} int8 products; 32 sentences of 16 tokens, and one")
    print(f"{'technique':42} {'bytes':>10} {'ratio':>6} {'change':>14} {'speed at 32':>18} {'at 1':>6}   needs")
    for name, row in rows.items():
        low, middle, high = row["speed 32"]
        steps = f", {row['steps']} steps" if row["steps"] else ""
        print(
            f"{name:42} {row['bytes']:10,} {rows['FP32']['bytes'] / row['bytes']:6.1f} {row['change']:+6.2f} ± "
            f"{row['error']:.2f} {middle:6.2f} ({low:.2f}–{high:.2f}) {row['speed 1'][1]:6.2f}   "
            f"{row['needs'] or '–'}{steps}"
        )


# promise, technique of the table, least ratio, most points lost
CLAIMS = [
    ("FP16: 2 times, nothing lost", "FP16 weights", 2.0, 0.0),
    ("int8: 4 times, 0.5 to 2 points", "int8, static", 4.0, 2.0),
    ("int4: 8 times, 1 to 3 points", "int4 weights, groups of 64", 8.0, 3.0),
    ("50 % pruning: 2 times, 1 to 5 points", "50 % of the weights zero", 2.0, 5.0),
    ("distillation: 2 to 10 times, 2 to 5 points", "student of width 10, distilled", 2.0, 5.0),
    ("combined: 35 to 50 times", "all together, the size entry", 35.0, 5.0),
]

WHY = {
    "FP16 weights": "the container's own bytes do not shrink",
    "int8, static": "the graph's nodes and scales take their share of a small file",
    "int4 weights, groups of 64": "scales, BatchNorm and the classifier do not take four bits",
    "50 % of the weights zero": "in float16 and after zlib; the dense file and the clock do not change",
    "student of width 10, distilled": "1,200 steps, no labels; a longer training comes nearer",
    "all together, the size entry": "the code of the decoder counted",
}

# the same of the text model, each with its reason
TEXT_CLAIMS = [
    ("FP16", "FP16 weights", 2.0, 0.0, "nearly all bytes are weights"),
    ("int8", "int8, dynamic", 4.0, 2.0, "tables and products take a quarter, norms and scales stay in float"),
    ("int4", "int4 weights, groups of 32; words in int8", 8.0, 3.0, "half of the weights is the table of words"),
    ("combined", "4 of 6 layers, tuned, int8", 35.0, 5.0, "the table of words stays, and int8 is a quarter of FP32"),
]


def verdict(row: dict, whole: int, least: float, lost: float) -> str:
    """Whether a promise of ratio and points held: both, one or none of them. Two standard errors count as equal."""
    size = whole / row["bytes"] >= least * 0.98
    points = -row["change"] - 2 * row["error"] <= lost
    return "held" if size and points else "half held" if size or points else "did not hold here"


def show_claims(results: dict) -> None:
    """Each promise beside the row that tests it, of the residual net and of MiniLM."""
    rows = results["table"]["rows"]
    whole = rows["FP32"]["bytes"]
    for promise, name, least, lost in CLAIMS:
        if name not in rows:
            print(f"{promise:44} not run")
            continue
        row = rows[name]
        found = f"{whole / row['bytes']:.1f} times, {row['change']:+.2f} ± {row['error']:.2f} points"
        print(f"{promise:44} {found:36} {verdict(row, whole, least, lost)}; {WHY[name]}")
    text = results["text"]["rows"]
    for promise, name, least, lost, why in TEXT_CLAIMS:
        row, whole = text[name], text["FP32"]["bytes"]
        found = f"{whole / row['bytes']:.1f} times, {row['change']:+.2f} ± {row['error']:.2f} points"
        print(f"{f'{promise}, the text model':44} {found:36} {verdict(row, whole, least, lost)}; {why}")


def show_runs(results: dict, track: str) -> None:
    """The recorded seeds of a track's reference entry."""
    runs = results.get(track, {})
    for seed, run in runs.items():
        print(f"seed {seed}: " + ", ".join(f"{key} {value:,}" for key, value in run.items()))
    if not runs:
        print("no run is recorded")


RECIPES = {
    "live": "pass: rounding and a coder (07), no training",
    "good": "good: rounded while it learns, priced, coded (06, 07)",
    "size": "excellent: narrowed, taught, rounded, priced, tuned, coded (04 to 07)",
}


def show_levels(results: dict) -> None:
    """The recorded runs behind the size track's levels: bytes with the decoder, and what is lost."""
    for (name, recipe), level in zip(RECIPES.items(), TRACKS["size"][1], strict=True):
        runs = results[name] if name != "live" else {"–": results[name]}
        most = max(run["bytes"] for run in runs.values())
        print(f"{recipe}; at most {most:,} bytes, the level is {level:,}")
        for seed, run in runs.items():
            print(
                f"   seed {seed}: {run['bytes']:7,} bytes, {run.get('steps', 0):5,} steps, mean "
                f"{-run['drop']:+.2f} ± {run['drop_error']:.2f} points, worst class {-run['worst_class_drop']:+.1f}"
            )


LEVELS = {
    "1": ("mobile text model", "file ≤ 23.5 / 17 / 9 MB, ≤ 2 points, ≥ 1.5 times as fast"),
    "2": ("cloud cost", "2 / 4 / 8 times cheaper, ≤ 2 points"),
    "3": (
        "edge defect detection",
        "20 / 40 / 80 times smaller, shirt ≤ 5 points, mean ≤ 1; with int8 products also ≥ 2.5 times as fast",
    ),
    "4": ("a language model on one card", "4.25 / 3.25 / 2.5 bits a weight, perplexity ≤ 1.05 / 1.10 / 1.25 times"),
    "5": ("many models, one process", "files ≤ 1/4, 1/16, 1/60 of four; each ≤ 1 point; ≤ 1.15 times the time"),
    "6": ("a service level", "p99 ≤ 1/2, 1/4, 1/7.5 of the FP32 torch server's; no errors; ≤ 1 point"),
    "7": ("microcontroller", "the track; a C array that compiles"),
    "8": ("search and compression", "hypervolume 1.00 / 1.20 / 1.60 times the uniform designs'"),
}


def show_briefs(results: dict) -> None:
    """The eight briefs: budget for pass, good and excellent, and what the script measured."""
    for number, (title, budget) in LEVELS.items():
        print(f"{number}. {title}: {budget}")
        ran = results.get("briefs", {}).get(number, {})
        print(f"   {ran.get('said', f'not run yet: python data/make_briefs11.py {number} carries it out')}")
