"""Every lesson, solved: nbval, full marks in both worlds, and equal scores for honest work in both.

Full marks in the sandbox are asked of every lesson at every commit; the rest of it goes in turn (see conftest.py)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import determine_grade

from autograder import course
from autograder.box.sandbox import Limits
from autograder.grading import preprocessors
from autograder.grading.grade import grade
from autograder.grading.split import Grader
from autograder.source import SOLUTIONS, helpers, sources, teacher_notebook

ROOT = Path(__file__).resolve().parent.parent
EVERY = pytest.mark.parametrize("source", sources(), ids=lambda s: s.stem)


@pytest.mark.in_turn(shift=2)
@EVERY
def test_the_executed_solution_passes_nbval(source):
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider"]
    command += ["--nbval", "--nbval-cell-timeout=300", f"--nbval-sanitize-with={ROOT / 'tests' / 'nbval.cfg'}"]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(h.parent) for h in helpers(source)[:1]),
        "PYTHONHASHSEED": "0",
    }
    done = subprocess.run(
        [*command, SOLUTIONS / f"{source.stem}.ipynb"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0 and re.search(r"\d+ passed", done.stdout), done.stdout[-4000:]


@EVERY
def test_the_executed_solution_has_all_points(source):
    """By its outputs, with which nbval compares what a kernel gives: stock nbgrader reads the points from them."""
    notebook = nbformat.read(SOLUTIONS / f"{source.stem}.ipynb", 4)
    tests = [c for c in notebook.cells if name_of(c).startswith("test_")]
    assert {name_of(c).removeprefix("test_"): determine_grade(c)[0] for c in tests} == most_points(source)


def course_of(folder: Path, source: Path) -> Path:
    """A course with one lesson and nbgrader's own autograder."""
    course.init(folder, [source])
    config = folder / "nbgrader_config.py"
    stock = (
        config.read_text()
        .replace("\nconfigure(c)\n", "\n")
        .replace("from autograder.preprocessors import configure\n", "")
    )
    config.write_text(stock)
    assert "configure(" not in stock
    return folder


def submit(folder: Path, student: str, source: Path, notebook: nbformat.NotebookNode) -> Path:
    """Put a notebook and the lesson's helpers where nbgrader looks for submissions."""
    target = folder / "submitted" / student / source.stem
    target.mkdir(parents=True)
    nbformat.write(notebook, target / f"{source.stem}.ipynb")
    for helper in helpers(source):
        (target / helper.name).write_bytes(helper.read_bytes())
    return target / f"{source.stem}.ipynb"


def stock_scores(folder: Path, lesson: str, student: str) -> dict[str, float]:
    """Exercise -> points in nbgrader's gradebook, manual questions left out."""
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        grades = book.find_submission_notebook(lesson, lesson, student).grades
        return {g.name.removeprefix("test_"): g.auto_score for g in grades if g.name.startswith("test_")}


@pytest.mark.in_turn(shift=0, parts=12)
@EVERY
def test_every_command_of_stock_nbgrader_works(source, tmp_path):
    """One lesson a commit: what the commands do differs little from lesson to lesson."""
    folder, lesson = course_of(tmp_path / "course", source), source.stem
    # set-up, answers and tests: nbval runs the cells between them in the same kind of kernel
    solved = without_demonstrations(nbformat.read(SOLUTIONS / f"{lesson}.ipynb", 4))
    submit(folder, "ada", source, solved)
    first = next(k for k, cell in enumerate(solved.cells) if name_of(cell).startswith("test_"))
    begun = submit(tmp_path / "desk", "ada", source, nbformat.from_dict(solved | {"cells": solved.cells[: first + 1]}))
    run = lambda *words: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "nbgrader", *words], cwd=folder, capture_output=True, text=True
    )
    steps = {
        "generate_assignment": run("generate_assignment", lesson, "--force"),
        "autograde": run("autograde", lesson),
        "generate_feedback": run("generate_feedback", lesson),
        "export": run("export"),
        "validate": run("validate", begun),
    }
    for name, done in steps.items():
        assert done.returncode == 0, f"nbgrader {name}: {done.stderr[-3000:]}"
    assert "Success! Your notebook passes all the tests." in steps["validate"].stdout
    assert stock_scores(folder, lesson, "ada") == most_points(source)
    assert (folder / "feedback" / "ada" / lesson / f"{lesson}.html").stat().st_size > 10_000
    assert lesson in (folder / "grades.csv").read_text()


def most_points(source: Path) -> dict[str, float]:
    """Exercise -> points."""
    about = [cell.metadata.get("nbgrader", {}) for cell in teacher_notebook(source).cells]
    return {meta["grade_id"].removeprefix("test_"): meta["points"] for meta in about if meta.get("grade")}


def without_demonstrations(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Set-up, answers and tests alone."""
    kept = [c for c in notebook.cells if c.cell_type == "markdown" or "nbgrader" in c.metadata]
    return nbformat.from_dict(notebook | {"cells": kept})


def honest_submissions(source: Path) -> dict[str, tuple[nbformat.NotebookNode, set[str]]]:
    """The rows of tests/answers, the k-th of every exercise together in one notebook, with the tests that concern them:
    the other exercises are the solution's, and their tests, the measured ones above all, would say nothing new. Where a
    row brings another exercise along (`compress` with its own `decompress`), that other one is not looked at."""
    rows = jupytext.reads(
        (ROOT / "tests" / "answers" / source.name).read_text(encoding="utf-8"), fmt="py:percent"
    ).cells
    columns: dict[str, dict[str, str]] = {}
    for kind in ("right", "wrong"):
        seen: dict[str, int] = {}
        for row in rows:
            if name := row.metadata.get(kind):
                seen[name] = seen.get(name, 0) + 1
                columns.setdefault(f"{kind}{seen[name]:02}", {})[name] = row.source
    made = {}
    for student, given in columns.items():
        notebook = without_demonstrations(teacher_notebook(source))
        for name, text in list(given.items()):
            for other in set(re.findall(r"^def (\w+)", text, re.M)) - {name}:
                given.pop(other, None)
        tests = {f"test_{name}" for name in given}
        kept = [c for c in notebook.cells if not name_of(c).startswith("test_") or name_of(c) in tests]
        for cell in kept:
            cell.source = given.get(name_of(cell), cell.source)
        made[student] = nbformat.from_dict(notebook | {"cells": kept}), set(given)
    return made


def name_of(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


@pytest.fixture(scope="module")
def warm():
    """One pair of warm parents for all lessons, also for `grade`, which else ends them with its last notebook."""
    close, Grader.close = Grader.close, lambda self: None
    yield preprocessors.shared_grader("bubblewrap", Limits())
    Grader.close = close
    for grader in preprocessors._graders.values():
        grader.close()


@EVERY
def test_honest_work_gets_what_it_deserves_in_the_sandbox(source, warm, in_turn):
    teacher = teacher_notebook(source)
    cells = {name_of(c): c.source for c in teacher.cells if name_of(c)}
    known = [c.source for c in teacher.cells if c.cell_type == "code"]
    files = {helper.name: helper.read_bytes() for helper in helpers(source)}
    folder = helpers(source)[0].parent
    columns = honest_submissions(source)
    for who in in_turn(sorted(columns)):
        notebook, given = columns[who]
        run = warm.run(notebook, files, cells, folder, known)
        assert {test.exercise for test in run.tests} == given
        for test in run.tests:
            assert test.passed is who.startswith("right"), f"{who}: {test}"
            if test.passed:
                assert test.points == test.max_points
            elif "Clauses(" in cells[test.id]:
                assert test.points < test.max_points
            else:
                assert test.points == 0
        assert who.startswith("wrong") or not run.flags, f"{who}: {run.flags}"


@EVERY
def test_the_solution_gets_full_marks_in_the_sandbox(source, warm, tmp_path):
    (result,) = grade([submit(tmp_path, "solution", source, nbformat.read(SOLUTIONS / f"{source.stem}.ipynb", 4))])
    assert (result.status, result.flags, result.score) == ("graded", [], result.max_score) and result.score > 0


@pytest.mark.in_turn(shift=0)
@EVERY
def test_stock_nbgrader_scores_work_as_we_do(source, warm, turn, tmp_path):
    """A notebook of right answers and one of wrong ones: others when it is this lesson's turn again, so all in time.

    That we give the right ones all their points is asked above."""
    folder, lesson = course_of(tmp_path / "course", source), source.stem
    columns = honest_submissions(source)
    kinds = [sorted(who for who in columns if who.startswith(kind)) for kind in ("right", "wrong")]
    right, wrong = (of_kind[turn % len(of_kind)] for of_kind in kinds)
    submit(folder, right, source, columns[right][0])
    (graded,) = grade([submit(folder, wrong, source, columns[wrong][0])])
    assert graded.status == "graded"
    api = course.api(folder, course.configuration(folder))
    given = {row["id"]: row["points"] for row in graded.exercises}
    for who, ours in ((right, most_points(source)), (wrong, given)):
        assert api.autograde(lesson, who)["success"]
        stock = stock_scores(folder, lesson, who)
        assert {k: ours[k] for k in columns[who][1]} == {k: stock[k] for k in columns[who][1]}, who
