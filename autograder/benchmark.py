"""What grading one submission costs, in CPU and wall seconds, and where they go.

python -m autograder.benchmark [LESSON] [--runs N]     one submission
python -m autograder.benchmark [LESSON] --class N      many, on this machine's cores and on a Dask cluster
python -m autograder.benchmark --memory N --simulate N    what stays, and what a cluster of 64 would give
"""

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import nbformat
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table
from traitlets.config import Config

from autograder import course
from autograder.box import sandbox
from autograder.grading import preprocessors
from autograder.source import ROOT, SOLUTIONS, find_source, helpers

# name, sandbox (None: stock nbgrader), whether the parent process that has imported torch is kept
MODES = [
    ("stock nbgrader", None, False),
    ("split, no sandbox, cold", "none", False),
    ("split, no sandbox, warm", "none", True),
    ("split, sandboxed, cold", "bubblewrap", False),
    ("split, sandboxed, warm", "bubblewrap", True),
]
OWN_WORK = """
import json, sys, time
from autograder.box import worker
sys.path.insert(0, ".")
worker.warm_up()
shell = worker.make_shell()
began = time.process_time()
for cell in json.load(open("cells.json")):
    shell.outputs = worker.Outputs(200 << 10, 2 << 20)
    shell.run_cell(cell, store_history=True).raise_error()
print("seconds", time.process_time() - began)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", nargs="?", default="01")
    parser.add_argument("--runs", type=int, default=3, help="submissions in each mode; the median is shown")
    parser.add_argument("--class", type=int, dest="class_", metavar="N", help="a class of N mixed submissions")
    parser.add_argument("--memory", type=int, metavar="N", help="memory of the parents over N small submissions")
    parser.add_argument("--simulate", type=int, metavar="N", help="N results from 64 simulated workers")
    given = parser.parse_args()
    if given.class_ or given.memory or given.simulate:
        from autograder.classes import measure as classes

        if given.class_:
            classes.grade_class(given.lesson, given.class_)
        if given.memory:
            classes.memory(given.memory, Path("memory.png"))
        if given.simulate:
            classes.simulate(given.simulate)
        return
    warnings.filterwarnings("ignore", "No sandbox")  # the lesson's own solution is what runs
    source = find_source(given.lesson)
    own = median(own_work(source) for _ in range(given.runs))
    table = Table(title=f"One submission of {source.stem}, all right; median of {given.runs}, seconds")
    for column in ("mode", "score", "wall", "CPU", "nbgrader", "start", "answers", "tests", "stock's CPU is"):
        table.add_column(column, justify="left" if column == "mode" else "right")
    stock = 0.0
    for name, box, warm in MODES:
        rows = measure(source, box, warm, given.runs)
        middle = [median(row[i] for row in rows) for i in range(1, 7)]
        stock = stock or middle[1]
        table.add_row(name, f"{rows[0][0]:g}", *(f"{v:.2f}" for v in middle), f"{stock / middle[1]:.1f}×")
    console = Console(width=120)
    console.print(table)
    console.print(
        f"Own work: {own:.2f} CPU s, the notebook's cells, pictures too, in one process that had imported the "
        "toolkit; demonstrations that no answer needs are not run when we grade. nbgrader: its two "
        "passes and the gradebook, in the grader's process. start: processes that import torch. answers: the "
        "learner's processes. tests: the test process. Stock nbgrader runs all of it in one kernel, shown under start."
    )


def own_work(source: Path) -> float:
    """CPU seconds of the solved notebook's code, without imports, kernels or grading."""
    import json

    notebook = nbformat.read(SOLUTIONS / f"{source.stem}.ipynb", as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        for helper in helpers(source):
            (Path(folder) / helper.name).write_bytes(helper.read_bytes())
        cells = [c.source for c in notebook.cells if c.cell_type == "code"]
        (Path(folder) / "cells.json").write_text(json.dumps(cells))
        environment = os.environ | sandbox.course_environment(str(ROOT))
        done = subprocess.run(
            [sys.executable, "-c", OWN_WORK], cwd=folder, env=environment, capture_output=True, text=True
        )
    if done.returncode != 0:
        raise SystemExit(f"the solution of {source.stem} does not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def measure(source: Path, box: str | None, warm: bool, runs: int) -> list[tuple]:
    """For each run: score, wall, CPU, and its parts nbgrader, start, answers and tests."""
    lesson = source.stem
    with tempfile.TemporaryDirectory() as folder, workers() as used:
        course.add_source(Path(folder), source)
        course.generate(Path(folder), lesson)
        config = Config()
        if box:
            preprocessors.configure(config, box)
            config.SplitExecute.warm = warm
        api, rows = course.api(Path(folder), config), []
        grader = preprocessors.shared_grader(box, sandbox.Limits(), warm) if box else None
        if grader and warm:
            grader.start()
        for run in range(runs):
            target = Path(folder) / "submitted" / f"student{run}" / lesson
            target.mkdir(parents=True)
            (target / f"{lesson}.ipynb").write_bytes((SOLUTIONS / f"{lesson}.ipynb").read_bytes())
            used.clear()
            parents = parent_cpu(grader)
            own, children, began = cpu(resource.RUSAGE_SELF), cpu(resource.RUSAGE_CHILDREN), time.monotonic()
            done = api.autograde(lesson, f"student{run}")
            wall = time.monotonic() - began
            if not done["success"]:
                raise SystemExit(f"nbgrader could not grade: {done['log'][-2000:]}")
            nbgrader = cpu(resource.RUSAGE_SELF) - own
            answers, tests = sum(s for k, s in used if k == "A"), sum(s for k, s in used if k == "B")
            start = (parent_cpu(grader) - parents) if warm else sum(s for k, s in used if k == "parent")
            if not box:
                start = cpu(resource.RUSAGE_CHILDREN) - children
            with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
                grades = book.find_submission_notebook(lesson, lesson, f"student{run}").grades
                score = sum(g.auto_score or 0 for g in grades)
            rows.append((score, wall, nbgrader + start + answers + tests, nbgrader, start, answers, tests))
        if grader:
            grader.close()
    return rows


@contextlib.contextmanager
def workers() -> Iterator[list[tuple[str, float]]]:
    """Collects the CPU seconds of every process of the grader when it is ended: learner's, tests' or warm parent's."""
    used: list[tuple[str, float]] = []
    kill, stop = sandbox.Worker.kill, sandbox.ForkServer.stop

    def kill_and_note(worker: sandbox.Worker) -> None:
        alive = worker.pidfd >= 0
        kill(worker)
        if alive:
            used.append(("A" if worker.memory_mb or worker._end else "B", worker.cpu_s))

    def stop_and_note(server: sandbox.ForkServer) -> None:
        if server.process is not None:
            used.append(("parent", tree_cpu(server.process.pid)))
        stop(server)

    sandbox.Worker.kill, sandbox.ForkServer.stop = kill_and_note, stop_and_note  # type: ignore[method-assign, assignment]
    try:
        yield used
    finally:
        sandbox.Worker.kill, sandbox.ForkServer.stop = kill, stop  # type: ignore[method-assign, assignment]


def cpu(who: int) -> float:
    """User and system seconds of this process or of its ended children."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def parent_cpu(grader) -> float:
    """CPU seconds of a grader's two warm parents so far."""
    servers = [s for s in (grader._box, grader._tests) if getattr(s, "process", None)] if grader else []
    return sum(tree_cpu(s.process.pid) for s in servers)


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and of its living descendants, ended ones not counted."""
    pids, seconds = [pid], 0.0
    for one in pids:  # grows while we walk
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for task in os.listdir(f"/proc/{one}/task"):
                pids += map(int, Path(f"/proc/{one}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return seconds


if __name__ == "__main__":
    main()
