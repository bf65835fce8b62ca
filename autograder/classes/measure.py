"""What grading a class costs: `python -m autograder.benchmark --class 100`, and with `--memory` and `--simulate`."""

import json
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.table import Table
from traitlets.config import Config

from autograder import course
from autograder.box.sandbox import ForkServer
from autograder.classes.executor import Cluster, Local, Settings, packed_result, run
from autograder.classes.gradebook import CourseRun
from autograder.classes.ledger import Ledger
from autograder.grading.grade import Graded, GradingCourse, Work
from autograder.source import find_source, teacher_notebook

SAMPLE = 6  # submissions that stock nbgrader grades, too: such as need no sandbox
KINDS = ("right", "wrong", "broken", "hostile")
SHARES = (0.45, 0.35, 0.1, 0.1)
HOSTILE = (
    "import os\nos._exit(0)",
    "import os\nfor name in range(3, 200):\n    try:\n        os.close(name)\n    except OSError:\n        pass",
    "print('x' * 50_000_000)",
    "hog = [bytearray(1 << 28) for _ in range(64)]",
    "open('/course/solutions/01_quantization_math.py').read()",
    "import socket\nsocket.create_connection(('10.0.0.1', 80), timeout=1)",
)
MUTATIONS = ((r"\bround\(", "floor("), (r"\bmax\b", "min"), (r" \+ ", " - "), (r" / ", " * "), (r"2 \*\*", "3 **"))


def class_of(lesson: str, count: int, seed: int = 0) -> list[Work]:
    """Made submissions: right, wrong in some exercises, broken files and cells, hostile cells that end by themselves.

    None loops for ever: such a one costs its limit, which says nothing about the grader.
    """
    source = find_source(lesson)
    chance, works = random.Random(seed), []
    for number in range(count):
        kind = chance.choices(KINDS, SHARES)[0]
        notebook = nbformat.from_dict(teacher_notebook(source))
        answers = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
        for cell in answers:
            cell.source = re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        if kind == "wrong":
            for cell in chance.sample(answers, chance.randint(1, len(answers))):
                pattern, other = chance.choice(MUTATIONS)
                cell.source = re.sub(pattern, other, cell.source, count=1)
        if kind == "hostile":
            chance.choice(answers).source += "\n" + chance.choice(HOSTILE)
        content = json.dumps(notebook).encode()
        if kind == "broken":
            fault = chance.randrange(3)
            if fault == 0:
                content = content[: len(content) // 2]
            elif fault == 1:
                chance.choice(answers).source = "def f(:"
                content = json.dumps(notebook).encode()
            else:
                notebook.cells.insert(2, next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")))
                content = json.dumps(notebook).encode()
        works.append(Work(f"{kind}{number:03}", content, lesson=source.stem, student=f"{kind}{number:03}"))
    return works


def family_cpu(pid: int) -> float:
    """CPU seconds of a process, its living descendants, and those of theirs that have ended."""
    from autograder.benchmark import tree_cpu
    from autograder.box.sandbox import cpu_seconds

    pids, seconds = [pid], 0.0
    for one in pids:  # grows while we walk
        seconds += cpu_seconds(one)
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return max(seconds, tree_cpu(pid))


@contextmanager
def dask_cluster(workers: int, processes: bool = True) -> Iterator[str]:
    """A scheduler and workers on this machine; gives the address."""
    from distributed import LocalCluster

    options: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1, "processes": processes}
    with LocalCluster(**options, dashboard_address=None, silence_logs=40) as cluster:
        yield cluster.scheduler_address


def grade_class(lesson: str, count: int) -> None:
    """Stock nbgrader on a sample; all one by one, with one and two local workers, on a Dask cluster of two."""
    works = class_of(lesson, count)
    sample = [work for work in works if work.notebook.startswith(KINDS[:2])][:SAMPLE]
    if not sample:
        raise SystemExit(f"a class of {count} has nobody whom stock nbgrader can grade without a sandbox: name more")
    stock_s = stock(lesson, sample)
    rows: list[tuple[str, float, float | None]] = []
    scores: dict[str, dict[str, tuple]] = {}
    with GradingCourse("bubblewrap", Settings().limits) as one_by_one:
        one_by_one.grader.prove()
        began, before = time.monotonic(), own_cpu(one_by_one)
        scores["one by one"] = {w.notebook: score(one_by_one.grade(w)) for w in works}
        rows.append(("one by one, in one process", time.monotonic() - began, own_cpu(one_by_one) - before))
    for workers in (1, 2):
        with Local(Settings(), workers) as local:
            for slot in local.slots:
                slot.start()
            before = sum(family_cpu(slot.process.pid) for slot in local.slots if slot.process)
            began = time.monotonic()
            name = f"{workers} local worker{'s' * (workers > 1)}"
            scores[name] = {k: score(g) for k, g in run(local, ((w.notebook, w) for w in works))}
            wall = time.monotonic() - began
            used = sum(family_cpu(slot.process.pid) for slot in local.slots if slot.process)
            rows.append((name, wall, used - before))
    with dask_cluster(2) as address, Cluster(Settings(), address) as cluster:
        began = time.monotonic()
        scores["Dask, 2 workers"] = {k: score(g) for k, g in run(cluster, ((w.notebook, w) for w in works))}
        rows.append(("Dask, 2 workers", time.monotonic() - began, None))
    table = Table(title=f"{count} mixed submissions of {find_source(lesson).stem}, without pages")
    columns = ("home", "wall, s", "wall a submission, s", "stock's is", "CPU a submission, s", "speed-up", "scores")
    for column in columns:
        table.add_column(column, justify="left" if column in ("home", "scores") else "right")
    whole = f"{len(sample) * stock_s:.1f}"
    table.add_row(f"stock nbgrader, {len(sample)} of them", whole, f"{stock_s:.2f}", "", "", "", "")
    for name, wall, cpu_s in rows:
        same = [k for k, v in scores["one by one"].items() if scores.get(name, scores["one by one"])[k] != v]
        cpu = f"{cpu_s / count:.2f}" if cpu_s is not None else "–"
        table.add_row(
            *(name, f"{wall:.1f}", f"{wall / count:.2f}", f"{stock_s * count / wall:.1f}×", cpu),
            f"{rows[0][1] / wall:.2f}×",
            "equal" if not same else f"differ: {', '.join(same[:5])}",
        )
    Console(width=120).print(table)


def stock(lesson: str, works: list[Work]) -> float:
    """Wall seconds that nbgrader's own autograder takes for one of these submissions, on average."""
    source = find_source(lesson)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        course.add_source(folder, source)
        course.generate(folder, source.stem)
        for work in works:
            target = folder / "submitted" / work.notebook / source.stem
            target.mkdir(parents=True)
            (target / f"{source.stem}.ipynb").write_bytes(work.content)
        api, began = course.api(folder, Config()), time.monotonic()
        for work in works:
            done = api.autograde(source.stem, work.notebook)
            if not done["success"]:
                raise SystemExit(f"nbgrader could not grade {work.notebook}: {done['log'][-2000:]}")
        return (time.monotonic() - began) / len(works)


def own_cpu(grading: GradingCourse) -> float:
    servers = [s for s in (grading.grader._box, grading.grader._tests) if isinstance(s, ForkServer) and s.process]
    return time.process_time() + sum(family_cpu(s.process.pid) for s in servers if s.process)


def score(graded: Graded) -> tuple:
    r = graded.result
    return (r.status, r.score, tuple((e["id"], e["points"]) for e in r.exercises))


# Memory --------------------------------------------------------------------------------------------------------------


def memory(count: int, target: Path) -> None:
    """Grade so many small submissions in one worker, and draw the memory of it and of its two parents."""
    with small_course() as folder, Local(Settings(), 1) as local:
        (work,) = small_works(folder, 1)
        (slot,) = local.slots
        samples: list[tuple[int, list[float]]] = []
        for number, (_, graded) in enumerate(run(local, ((n, work) for n in range(count))), 1):
            assert graded.result.status == "graded", graded.result.flags
            if (number % max(1, count // 100) == 0 or number <= 5) and slot.process:
                samples.append((number, parents_mb(slot.process.pid)))
    names = ("the worker (nbgrader)", "warm parent of the tests", "warm parent of the answers, in its box")
    from bonsai.plot import figure, lines

    fig, (ax,) = figure(width=7, height=3.4)
    curves = {name: [mb[i] for _, mb in samples] for i, name in enumerate(names)}
    lines(ax, [n for n, _ in samples], curves, "submissions graded", "memory of its own, MB")
    ax.set_ylim(bottom=0)
    fig.savefig(target, dpi=120)
    half = len(samples) // 2
    for name, values in curves.items():
        print(f"{name}: {values[0]:.0f} MB at first, {values[half]:.0f} half way, {values[-1]:.0f} MB in the end")
    print(f"wrote {target}")


def parents_mb(pid: int) -> list[float]:
    """Private and proportional memory of a worker and of its two long-lived descendants that hold torch."""
    from autograder.box.sandbox import proportional_mb

    found: dict[str, float] = {}
    pids = [pid]
    for one in pids:
        try:
            command = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:
            continue
        if "autograder.grading.trusted" in command:
            found.setdefault("tests", proportional_mb(one))
        elif "autograder.box.worker" in command and "bwrap" not in command.partition(" ")[0]:
            found.setdefault("answers", proportional_mb(one))
    return [proportional_mb(pid), found.get("tests", 0.0), found.get("answers", 0.0)]


# A cluster that is not there -----------------------------------------------------------------------------------------


class Simulated(Cluster):
    """Workers that sleep as long as grading took, and give a recorded result."""

    def __init__(self, address: str, seconds: float, result: bytes):
        super().__init__(Settings(), address)
        self.task: Callable = sleep_instead
        self.seconds, self.result = seconds, result

    def start(self) -> None:
        import distributed

        self.client = distributed.Client(self.address, set_as_default=False)
        self.about = json.dumps(self.seconds).encode() + b"\n" + self.result


def sleep_instead(about: bytes, fingerprint: str, body: bytes) -> bytes:
    seconds, _, result = about.partition(b"\n")
    time.sleep(float(seconds))
    return result


def simulate(count: int, workers: int = 64, seconds: float = 0.6) -> None:
    """How many results a second a scheduler, the ledger and the one writer take from workers that only sleep."""
    table = Table(title=f"{count} results from {workers} simulated workers that take {seconds:g} s each")
    for column in ("what takes them", "results a second", "of the workers' own rate"):
        table.add_column(column, justify="left" if column.startswith("what") else "right")
    own = workers / seconds
    with small_course() as folder:
        works = small_works(folder, count)
        with Local(Settings(), 1) as local:
            ((_, graded),) = run(local, [(0, replace(works[0], page=True))])  # workers make the pages, too
        result = packed_result(graded)
        with dask_cluster(workers, processes=False) as address:
            for name, keep in (("the scheduler and the client", False), ("and the ledger", True)):
                with Simulated(address, seconds, result) as cluster, Ledger(folder) as ledger:
                    began = time.monotonic()
                    for work, got in run(cluster, ((w, w) for w in works)):
                        if keep:
                            ledger.keep(str(work.student), "90_small", "", "", got)
                    rate = count / (time.monotonic() - began)
                table.add_row(name, f"{rate:.1f}", f"{100 * rate / own:.0f} %")
            for name, pages in (("and nbgrader's gradebook", False), ("and the feedback pages", True)):
                few = min(count, 100)
                shutil.rmtree(folder / ".bonsai")
                for work in works[:few]:
                    target = folder / "submitted" / str(work.student) / "90_small"
                    target.mkdir(parents=True, exist_ok=True)
                    (target / "90_small.ipynb").write_bytes(work.content)
                (folder / ".bonsai").mkdir()
                with Simulated(address, seconds, result) as cluster, Ledger(folder) as ledger:
                    course_run = CourseRun(folder, ledger, feedback=pages)
                    pending, began = course_run.pending(), time.monotonic()
                    done = sum(1 for _ in course_run.grade(pending, cluster))
                    rate = done / (time.monotonic() - began)
                table.add_row(name, f"{rate:.1f}", f"{100 * rate / own:.0f} %")
    Console(width=120).print(table)


SMALL = '''# %% setup
from bonsai.testing import check

# %% [markdown]
# ### Double

# %% exercise="double" minutes=1 difficulty=1
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% test="double" points=2
# Checked here: one number.
# Hidden tests: two more.
check(double, [(3,)], [6])
### BEGIN HIDDEN TESTS
check(double, [(5,), (0,)], [10, 0])
### END HIDDEN TESTS
'''


@contextmanager
def small_course() -> Iterator[Path]:
    """A course with one lesson of one exercise."""
    from autograder import source

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "solutions").mkdir()
        (folder / "solutions" / "90_small.py").write_text(SMALL)
        kept = source.SOLUTIONS, source.LESSONS
        source.SOLUTIONS, source.LESSONS = folder / "solutions", folder / "lessons"
        try:
            course.init(folder / "course", [source.find_source("90")])
            text = json.dumps(teacher_notebook(source.find_source("90")))
        finally:
            source.SOLUTIONS, source.LESSONS = kept
        (folder / "course" / "solved.ipynb").write_text(text)
        yield folder / "course"


def small_works(folder: Path, count: int) -> list[Work]:
    about = course.assignment(folder, "90_small", course.configuration(folder))
    content = (folder / "solved.ipynb").read_bytes()
    names = [f"s{n:05}" for n in range(count)]
    return [Work(n, content, lesson="90_small", student=n, assignment=about) for n in names]
