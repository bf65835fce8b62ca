"""An ordinary nbgrader course made of the lessons, whose autograder is ours."""

import copy
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from traitlets.config import Config, PyFileConfigLoader

from autograder.source import helpers, sources, teacher_notebook

CONFIG_FILE = "nbgrader_config.py"
CONFIG = '''"""nbgrader's settings of this course. Run nbgrader, and JupyterLab for the formgrader, in this folder."""

from autograder.preprocessors import configure

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "bonsai"
c.ExecutePreprocessor.timeout = 300  # seconds a cell; a measured one may take more than nbgrader's 30 on a busy machine

# Answers run in a sandbox, apart from the tests, and scores come from what the tests say. Without this line nbgrader
# grades as it always does: in one process, with your rights.
configure(c)
'''


class CourseError(ValueError):
    """A course could not be made; the message says why."""


BACKUPS = "backups"  # of what stood in `source/`, beside it: nbgrader takes each notebook there for a lesson's


def init(
    folder: Path, lessons: list[Path] | None = None, tell: Callable[[str], None] = lambda sentence: None
) -> list[str]:
    """Make an nbgrader course directory with source and release versions of the lessons; returns their names.

    Args:
        folder: new or empty, or a course made earlier, whose sources are then refreshed: what differs is kept, dated.
        lessons: sources, all by default.
        tell: is called with a sentence on each file that is kept.

    Raises:
        CourseError: the folder holds something else, or nbgrader could not generate a lesson.
    """
    config = folder / CONFIG_FILE
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is a file: name a folder")
    if folder.exists() and any(folder.iterdir()) and not config.exists():
        raise CourseError(f"{folder} is not empty and not a course: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        config.write_text(CONFIG, encoding="utf-8")
    names = []
    for source in lessons or sources():
        for kept in add_source(folder, source):
            tell(f"source/{source.stem} had another {kept.name}; it is in {kept}")
        generate(folder, source.stem)
        names.append(source.stem)
    return names


def add_source(folder: Path, source: Path) -> list[Path]:
    """Put the teacher's notebook of a lesson, and its helper files, into the course's `source/`.

    Returns:
        copies of the files that stood there and were different, perhaps by a teacher's hand.
    """
    target = folder / "source" / source.stem
    target.mkdir(parents=True, exist_ok=True)
    made = {f"{source.stem}.ipynb": nbformat.writes(teacher_notebook(source)).encode() + b"\n"}
    made |= {helper.name: helper.read_bytes() for helper in helpers(source)}
    place = folder / BACKUPS / f"{source.stem}-{datetime.now():%Y-%m-%d-%H%M%S.%f}"
    kept = []
    for name, content in made.items():
        path = target / name
        if path.exists() and path.read_bytes() != content:
            place.mkdir(parents=True, exist_ok=True)
            kept.append(Path(shutil.copy(path, place)))
        path.write_bytes(content)
    return kept


def generate(folder: Path, lesson: str) -> None:
    """Run nbgrader's generate step, which also enters the lesson into the gradebook.

    Raises:
        CourseError: nbgrader refused.
    """
    result = api(folder).generate_assignment(lesson)
    if not result["success"]:
        raise CourseError(f"nbgrader could not generate {lesson}:\n{result['log']}")


def assignment(folder: Path, lesson: str, config: Config) -> dict[str, Any]:
    """A course's own version of a lesson as plain data: name, cells as its gradebook has them, files, and their hash.

    Raises:
        CourseError: the course does not have it, or it has more than one notebook.
    """
    from nbgrader.api import MissingEntry

    from autograder.grading.handed_in import files_of
    from autograder.grading.preprocessors import teacher_cells

    course = api(folder, config)
    with course.gradebook as gradebook:
        try:
            names = [n.name for n in gradebook.find_assignment(lesson).notebooks]
        except MissingEntry:
            known = ", ".join(sorted(a.name for a in gradebook.assignments)) or "none"
            raise CourseError(f"this course's gradebook has no {lesson!r}; it has: {known}") from None
    if names != [lesson]:
        raise CourseError(f"{lesson} has the notebooks {', '.join(names)}; grade it with nbgrader autograde")
    resources = {"nbgrader": {"db_url": course.coursedir.db_url, "assignment": lesson, "notebook": lesson}}
    cells = [{k: cell[k] for k in ("cell_type", "source", "metadata")} for cell in teacher_cells(resources).values()]
    cells = json.loads(json.dumps(cells))  # plain, and without ids, which are drawn anew each time
    step = course.coursedir.source_directory
    files, _ = files_of(Path(course.coursedir.format_path(step, ".", lesson)), notebooks=True)
    text = json.dumps(cells, sort_keys=True).encode()
    parts = [text, *(part for name, content in sorted(files.items()) for part in (name.encode(), content))]
    return {"name": lesson, "cells": cells, "files": files, "hash": digest(parts)}


def named(lesson: str, known: list[str]) -> str:
    """The lesson of a course that is meant, by name or number.

    Raises:
        CourseError: none, or more than one.
    """
    found = [k for k in known if k == lesson or k.partition("_")[0].lstrip("0") == lesson.lstrip("0")]
    if len(found) != 1:
        raise CourseError(f"this course has no lesson {lesson!r}; it has: {', '.join(known) or 'none'}")
    return found[0]


def digest(parts: list[bytes]) -> str:
    """SHA-256 of parts of any length, so that no two lists of parts give the same text."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def enter(folder: Path, given: dict[str, Any]) -> None:
    """Enter what `assignment` gave into another course: its files into `source/`, its cells into the gradebook."""
    from autograder.grading.handed_in import write_files

    lesson = given["name"]
    write_files(given["files"], folder / "source" / lesson)
    with api(folder).gradebook as gradebook:
        gradebook.add_assignment(lesson)
        gradebook.add_notebook(lesson, lesson)
        for cell in given["cells"]:
            meta = cell["metadata"]["nbgrader"]
            name, kind = meta["grade_id"], {"cell_type": meta["cell_type"]}
            about = {"source": cell["source"], "checksum": meta["checksum"], "locked": meta["locked"]}
            gradebook.add_source_cell(name, lesson, lesson, **kind, **about)
            if meta["solution"]:
                gradebook.add_solution_cell(name, lesson, lesson)
            if meta["grade"]:
                gradebook.add_grade_cell(name, lesson, lesson, max_score=meta["points"], **kind)
            if meta["task"]:
                gradebook.add_task_cell(name, lesson, lesson, max_score=meta["points"], **kind)


def configuration(folder: Path) -> Config:
    """What a course's `nbgrader_config.py` says.

    Raises:
        CourseError: there is none, or it cannot be read.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise CourseError(f"{folder} is not a course: it has no {CONFIG_FILE}; make one with bonsai course init")
    try:
        return PyFileConfigLoader(CONFIG_FILE, path=str(folder)).load_config()
    except Exception as error:
        raise CourseError(f"{folder / CONFIG_FILE} cannot be read: {type(error).__name__}: {error}") from None


def api(folder: Path, config: Config | None = None):
    """nbgrader's programming interface for a course directory."""
    from nbgrader import api as gradebooks  # imported late: it takes a second
    from nbgrader.apps import NbGraderAPI

    gradebooks.get_alembic_version = schema_version  # theirs starts a program that must be on the PATH, and is slow
    gradebooks.create_engine = engine  # theirs forgets at each step how its queries are compiled
    config = copy.deepcopy(config) if config else Config()
    config.CourseDirectory.root = str(folder.resolve())
    if "course_id" not in config.CourseDirectory:
        config.CourseDirectory.course_id = "bonsai"
    config.NbGrader.logfile = ""
    return NbGraderAPI(config=config)


def engine(url: str, **options: Any) -> Any:
    """One SQLAlchemy engine for each database, which lets go of its connections whenever it is asked for again: the
    file may be another one by now."""
    found = engine_at(url, str(Path.cwd()), **options)
    found.dispose()
    return found


@functools.lru_cache(maxsize=4)
def engine_at(url: str, folder: str, **options: Any) -> Any:
    from sqlalchemy import create_engine

    return create_engine(url, **options)


def schema_version() -> str:
    """The version of the gradebook's tables that this nbgrader makes."""
    import nbgrader
    from alembic.script import ScriptDirectory

    (head,) = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_heads()
    return head
