"""The learner's own copies of the lessons, in a folder that nothing we ship writes over.

`lessons/` holds the lessons as built; the workspace (`work/`, or the folder that `BONSAI_WORK` names) holds what a
person writes. A lesson is copied there once. `.bonsai/` in it keeps each lesson as it was copied, so that a newer
lesson can be brought in without losing an answer.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.source import LESSONS, ROOT, TAKEN, teacher_notebook

GIVEN = ".bonsai"  # the lessons as they were copied
BACKUPS = "backups"  # of a lesson, beside its notebook


class WorkspaceError(ValueError):
    """The workspace cannot be used like this; the message is one sentence that says what to do."""


def root() -> Path:
    """The workspace: `BONSAI_WORK` if set, else `work/` in the course's folder."""
    return Path(os.environ.get("BONSAI_WORK") or ROOT / "work").expanduser().resolve()


def lessons() -> list[str]:
    """Names of the lessons as built, in order."""
    return sorted(path.parent.name for path in LESSONS.glob("[0-9][0-9]_*/*.ipynb") if path.stem == path.parent.name)


def find(lesson: str) -> str:
    """The name of a lesson given as number or name: `1`, `01`, `01_quantization_math`.

    Raises:
        WorkspaceError: no lesson is meant.
    """
    number = lesson.zfill(2) if lesson.isdigit() else lesson
    found = [name for name in lessons() if name == lesson or name.startswith(f"{number}_")]
    if len(found) != 1:
        raise WorkspaceError(f"no lesson {lesson!r}: there are {', '.join(lessons())}")
    return found[0]


def notebook(name: str) -> Path:
    """Where a lesson's notebook lies, or will lie, in the workspace."""
    return root() / name / f"{name}.ipynb"


def open_all() -> list[str]:
    """Copy every lesson that the workspace does not hold yet; returns their names.

    Raises:
        WorkspaceError: the folder cannot be written to.
    """
    new = [name for name in lessons() if not notebook(name).exists()]
    for name in new:
        open_lesson(name)
    return new


def open_lesson(name: str) -> Path:
    """Copy a lesson into the workspace if it is not there; returns its notebook.

    Raises:
        WorkspaceError: the folder cannot be written to.
    """
    try:
        for file in files(name):
            given, mine = root() / GIVEN / name / file.name, root() / name / file.name
            for target in (given, mine):
                target.parent.mkdir(parents=True, exist_ok=True)
            if not mine.exists():
                shutil.copyfile(file, mine)
                shutil.copyfile(file, given)
    except OSError as error:
        remedy = "set BONSAI_WORK to a folder of yours"
        raise WorkspaceError(f"{root()} cannot be written to ({error.strerror}): {remedy}") from None
    return notebook(name)


def files(name: str) -> Iterator[Path]:
    """The files of a lesson as built: the notebook and its helper modules."""
    yield from sorted(path for path in (LESSONS / name).iterdir() if path.suffix in (".ipynb", ".py"))


def backup(path: Path) -> Path:
    """Copy a file of the workspace into its lesson's `backups`, dated to the second; returns the copy."""
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    target = path.parent / BACKUPS / f"{path.stem}-{stamp}{path.suffix}"
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{path.stem}-{stamp}-{number}{path.suffix}")
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, target)
    return target


def reset(name: str) -> Path | None:
    """Put a lesson back to how it was built; returns the backup of what was there, if anything was."""
    mine = notebook(name)
    kept = backup(mine) if mine.exists() else None
    mine.unlink(missing_ok=True)
    open_lesson(name)
    return kept


def update(name: str) -> list[str]:
    """Bring a newer version of a lesson in and keep the learner's work; returns sentences on what was done.

    Answers, questions' answers, and cells that the learner added go into the new notebook. Of a cell of ours that both
    the learner and the new version changed, the new version stays. What was there before is backed up first.

    Raises:
        WorkspaceError: the learner's notebook cannot be read; nothing has been changed.
    """
    mine = notebook(name)
    if not mine.exists():
        open_lesson(name)
        return [f"{name} is new in your workspace."]
    said = []
    for file in files(name):
        given, own = root() / GIVEN / name / file.name, root() / name / file.name
        if given.exists() and given.read_bytes() == file.read_bytes():
            continue
        if file.suffix == ".ipynb":
            merged, remarks = merge(read(given if given.exists() else file), read(own), read(file))
            said.append(f"{name} was updated; what was there is in {backup(own)}.")
            said += remarks
            write(merged, own)
        else:
            if own.exists() and given.exists() and own.read_bytes() != given.read_bytes():
                said.append(f"{own.name} was replaced; yours is in {backup(own)}.")
            shutil.copyfile(file, own)
        given.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, given)
    return said or [f"{name} is up to date."]


def merge(base: NotebookNode, mine: NotebookNode, theirs: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The new version of a lesson with the learner's work in it, and remarks on what could not be kept in place.

    Args:
        base: the lesson as the learner was given it.
        mine: the learner's notebook.
        theirs: the lesson's new version.
    """
    merged = nbformat.from_dict(theirs)
    given = {key(cell): cell for cell in base.cells}
    new = {key(cell): cell for cell in merged.cells}
    places = {key(cell): cell.id for cell in merged.cells}
    remarks: list[str] = []
    last: str | None = None  # the cell of the new version after which the learner's next own cell goes
    for cell in mine.cells:
        name, was = key(cell), given.get(key(cell))
        target = new.get(name)
        changed = was is None or cell.source != was.source
        if target is not None and was is not None:
            last = places[name]
            if not changed or is_ours(was):
                if cell.source == target.source and cell.cell_type == "code":
                    target.outputs, target.execution_count = cell.outputs, cell.execution_count
            elif is_answer(was) or target.source == was.source:
                target.source = cell.source
            else:
                remarks.append(f"A cell that you had changed has a new version: {first_line(cell)}")
        elif changed and cell.source.strip():
            position = next((i for i, c in enumerate(merged.cells) if c.id == last), len(merged.cells) - 1) + 1
            own = nbformat.from_dict(cell)
            while own.id in {c.id for c in merged.cells}:
                own.id = f"{own.id[:50]}-own"
            merged.cells.insert(position, own)
            last = own.id
            if was is not None:
                remarks.append(f"The new version has no place for this cell of yours any more: {first_line(cell)}")
    return merged, remarks


def key(cell: NotebookNode) -> str:
    """What makes a cell the same cell in two versions of a lesson: nbgrader's name, else its id."""
    return (cell.metadata.get("nbgrader") or {}).get("grade_id") or str(cell.get("id", ""))


def is_ours(cell: NotebookNode) -> bool:
    """Set-up, tests and questions: cells that a learner does not edit."""
    return bool((cell.metadata.get("nbgrader") or {}).get("locked"))


def is_answer(cell: NotebookNode) -> bool:
    return bool((cell.metadata.get("nbgrader") or {}).get("solution"))


def first_line(cell: NotebookNode) -> str:
    return next((line.strip()[:80] for line in cell.source.splitlines() if line.strip()), "")


def take_answer(source: Path, exercise: str) -> Path:
    """Put the course's answer to an exercise into the learner's notebook, marked as taken; returns the backup.

    Raises:
        WorkspaceError: no such exercise, or its cell is not in the notebook.
    """
    if os.environ.get("BONSAI_ANSWERS", "").lower() in ("no", "off", "0"):
        raise WorkspaceError("answers are switched off in this course (BONSAI_ANSWERS)")
    cells = {key(cell): cell.source for cell in teacher_notebook(source).cells if is_answer(cell)}
    if exercise not in cells:
        raise WorkspaceError(f"no exercise {exercise!r} in {source.stem}: there are {', '.join(cells)}")
    path = notebook(source.stem)
    mine = read(path)
    own = next((cell for cell in mine.cells if key(cell) == exercise), None)
    if own is None:
        raise WorkspaceError(f"the cell of {exercise} is not in {path}: bonsai update puts it back")
    kept = backup(path)
    answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", cells[exercise], flags=re.M)
    own.source, own.outputs, own.execution_count = f"{TAKEN}\n{answer}", [], None
    write(mine, path)
    return kept


def read(path: Path) -> NotebookNode:
    """A notebook of the workspace.

    Raises:
        WorkspaceError: it is not there, or not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise WorkspaceError(f"{path} is not there: run bonsai lab once") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, json.JSONDecodeError, UnicodeDecodeError, OSError):
        remedy = f"its last good state may be in {path.parent / '.ipynb_checkpoints'} or {path.parent / BACKUPS}"
        raise WorkspaceError(f"{path} is not a complete notebook: {remedy}") from None


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that an interrupted write leaves the old one."""
    half = path.with_name(f".{path.name}.new")
    half.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    os.replace(half, path)
