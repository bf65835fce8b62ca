"""A small course for the tests of many submissions: a lesson of two exercises and a question, and the class."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from autograder import course, source
from autograder.grading.preprocessors import without_hidden

LESSON = "90_small"
TEXT = '''# %% [markdown]
# # A small lesson with $a<b$

# %% setup
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

# %% [markdown]
# ### Half

# %% exercise="half" minutes=1 difficulty=1
def half(x):
    """Half of x."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %% test="half" points=3
# Checked here: one number.
# Hidden tests: two more.
check(half, [(3,)], [1.5])
### BEGIN HIDDEN TESTS
check(half, [(5,), (0,)], [2.5, 0.0])
### END HIDDEN TESTS

# %% [markdown] question="why" points=4
# Why is that so?
#
# === BEGIN MARK SCHEME ===
# Because.
# === END MARK SCHEME ===
'''
CONFIG = """
c.AssignLatePenalties.plugin_class = "late.TwoPoints"
"""
LATE = """
from nbgrader.plugins import BasePlugin


class TwoPoints(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 2
"""


def answered(**given: str) -> bytes:
    """The lesson as someone hands it in: right answers, or those that are given by exercise."""
    notebook = nbformat.from_dict(source.teacher_notebook(source.find_source("90")))
    for cell in notebook.cells:
        cell.source = given.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""), without_hidden(cell.source))
    return json.dumps(notebook).encode()


def class_of() -> dict[str, dict[str, bytes]]:
    """Student -> files."""
    on_time, late = b"2026-01-01 10:00:00 UTC", b"2026-01-03 10:00:00 UTC"
    notebook, time = f"{LESSON}.ipynb", "timestamp.txt"
    text = json.loads(answered())
    text["cells"].insert(0, next(c for c in text["cells"] if c["metadata"].get("nbgrader", {}).get("grade")))
    return {
        "ann": {notebook: answered(), time: on_time, "notes/plan.txt": b"first double, then half"},
        "bad": {notebook: b'{"cells": [', time: on_time},
        "cop": {notebook: json.dumps(text).encode()},
        "dia": {notebook: answered(double="import os\nos._exit(1)")},
        "eve": {notebook: answered(half="def half(x):\n    return x // 2"), time: late},
    }


def hand_in(folder: Path, student: str, files: dict[str, bytes]) -> None:
    target = folder / "submitted" / student / LESSON
    shutil.rmtree(target, ignore_errors=True)
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)


def make_course(folder: Path) -> Path:
    """The course, with everything handed in and nothing graded."""
    (folder / "solutions").mkdir(parents=True)
    (folder / "solutions" / f"{LESSON}.py").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "SOLUTIONS", folder / "solutions")
        patch.setattr(source, "LESSONS", folder / "lessons")
        made = folder / "course"
        course.init(made, [source.find_source("90")])
        for student, files in class_of().items():
            hand_in(made, student, files)
    with (made / "nbgrader_config.py").open("a") as config:
        config.write(CONFIG)
    (made / "late.py").write_text(LATE)
    with course.api(made).gradebook as gradebook:
        gradebook.update_or_create_assignment(LESSON, duedate="2026-01-02 00:00:00 UTC")
    return made


def rows(folder: Path) -> dict[str, list]:
    """All that the gradebook says of each student."""
    found = {}
    with course.api(folder).gradebook as gradebook:
        for submission in gradebook.assignment_submissions(LESSON):
            (notebook,) = submission.notebooks
            grades = [
                (g.name, g.auto_score, g.manual_score, g.score, g.max_score, g.extra_credit, g.needs_manual_grade)
                for g in sorted(notebook.grades, key=lambda g: g.name)
            ]
            comments = [(c.name, c.auto_comment, c.manual_comment) for c in notebook.comments]
            about = (
                submission.timestamp,
                submission.total_seconds_late,
                notebook.late_submission_penalty,
                notebook.flagged,
            )
            found[submission.student.id] = [about, grades, sorted(comments, key=str)]
    return found


def pages(folder: Path) -> dict[str, str]:
    """Everything in `autograded/` and `feedback/`, without what differs from one run to the next."""
    found = {}
    for step in ("autograded", "feedback"):
        for path in sorted((folder / step).rglob("*")):
            if path.is_file():
                text = path.read_text()
                if path.suffix == ".ipynb":
                    notebook = json.loads(text)
                    notebook["metadata"].get("bonsai_run", {}).pop("seconds", None)
                    for cell in notebook["cells"]:
                        del cell["id"]
                    text = json.dumps(notebook, sort_keys=True)
                text = re.sub(r'id="cell-id=[^"]*"', "", text)
                found[str(path.relative_to(folder))] = text
    return found
