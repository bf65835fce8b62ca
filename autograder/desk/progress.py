"""What a learner has done so far: read from their saved notebooks and from the checks that they ran."""

import json
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path

import nbformat

from autograder.desk import workspace
from autograder.source import LESSONS

STUB = "raise NotImplementedError()"
COST = re.compile(r"^\*Difficulty \d of 5, about (\d+) minutes, (\d+) points?\*", re.M)


@dataclass
class Row:
    """One lesson as the start page and `bonsai progress` show it."""

    lesson: str
    title: str
    abilities: list[str]  # what one can do afterwards
    minutes: int  # of its exercises
    exercises: dict[str, int]  # exercise -> points that the checks can give
    answered: list[str] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)  # exercise -> points of the last check
    checked: str = ""  # when the last check was

    @property
    def score(self) -> float:
        return sum(self.points.values())

    @property
    def max_score(self) -> int:
        return sum(self.exercises.values())

    @property
    def next_step(self) -> str:
        """What to do next, in a few words."""
        number = self.lesson[:2]
        failing = [e for e in self.answered if e in self.points and self.points[e] < self.exercises[e]]
        fresh = [e for e in self.answered if e not in self.points]
        open_ = [e for e in self.exercises if e not in self.answered]
        if failing:
            return f"mend {failing[0]}"
        if open_:
            return f"write {open_[0]}" if self.answered else "begin"
        return f"run: bonsai check {number}" if fresh else "done"


def rows() -> list[Row]:
    """A row for each lesson. A notebook that cannot be read counts as not begun."""
    recorded = read_record()
    found = []
    for name in workspace.lessons():
        row = about(name)
        try:
            row.answered = answered(nbformat.read(workspace.notebook(name), as_version=4))
        except Exception:  # not opened yet, or broken: `bonsai check` says so
            row.answered = []
        said = recorded.get(name, {})
        row.points = {e: p for e, p in said.get("points", {}).items() if e in row.exercises}
        row.checked = said.get("checked", "")
        found.append(row)
    return found


def about(name: str) -> Row:
    """Title, abilities, exercises and their cost, from the lesson as built."""
    built = nbformat.read(LESSONS / name / f"{name}.ipynb", as_version=4)
    opening = next((c.source for c in built.cells if c.cell_type == "markdown"), "")
    title = re.search(r"^# (?:\d\d · )?(.+)$", opening, re.M)
    abilities = re.findall(r"^- (.+?)[,.]?$", opening.partition("you can")[2], re.M)
    minutes = sum(int(m) for c in built.cells for m, _ in COST.findall(c.source) if c.cell_type == "markdown")
    points = {}
    for cell in built.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade") and meta.get("grade_id", "").startswith("test_"):
            points[meta["grade_id"].removeprefix("test_")] = int(meta["points"])
    return Row(name, title[1] if title else name, abilities, minutes, points)


def answered(notebook: nbformat.NotebookNode) -> list[str]:
    """The exercises whose stub has been replaced."""
    cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    return [c.metadata.nbgrader.grade_id for c in cells if STUB not in c.source and c.source.strip()]


def record_path() -> Path:
    return workspace.root() / "progress.json"


def read_record() -> dict:
    """lesson -> {"points": {exercise: points}, "checked": time}. A broken file is put aside, not lost."""
    path = record_path()
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(v, dict) and isinstance(v.get("points"), dict) for v in record.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, OSError):
        os.replace(path, path.with_suffix(".broken.json"))
        return {}
    return record


def record(name: str, points: dict[str, float]) -> None:
    """Keep the points of a check: of a whole lesson, or of the exercises that were checked."""
    kept = read_record()
    lesson = kept.setdefault(name, {"points": {}})
    lesson["points"] |= points
    lesson["checked"] = datetime.now().isoformat(timespec="seconds")
    path = record_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".new")
    half.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    os.replace(half, path)


def as_html(table: list[Row]) -> str:
    """The table of the start page."""
    lines = ["<table><tr><th>lesson</th><th>minutes</th><th>written</th><th>points</th><th>next step</th></tr>"]
    for row in table:
        link = f'<a href="{row.lesson}/{row.lesson}.ipynb">{row.lesson[:2]} · {escape(row.title)}</a>'
        written = f"{len(row.answered)} of {len(row.exercises)}"
        points = f"{row.score:g} of {row.max_score}"
        cells = (link, row.minutes, written, points, escape(row.next_step))
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "".join(lines) + "</table>"


def show():
    """The table, for the start page's cell."""
    from IPython.display import HTML

    return HTML(as_html(rows()))
