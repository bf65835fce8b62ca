"""An ordinary nbgrader course made of the lessons, whose autograder is ours."""

import shutil
from pathlib import Path

import nbformat
from traitlets.config import Config

from autograder.source import helpers, sources, teacher_notebook

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


def init(folder: Path, lessons: list[Path] | None = None) -> list[str]:
    """Make an nbgrader course directory with source and release versions of the lessons; returns their names.

    Args:
        folder: new or empty, or a course made earlier, whose sources are then refreshed.
        lessons: sources, all by default.

    Raises:
        CourseError: the folder holds something else, or nbgrader could not generate a lesson.
    """
    config = folder / "nbgrader_config.py"
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is a file: name a folder")
    if folder.exists() and any(folder.iterdir()) and not config.exists():
        raise CourseError(f"{folder} is not empty and not a course: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        config.write_text(CONFIG, encoding="utf-8")
    names = []
    for source in lessons or sources():
        add_source(folder, source)
        generate(folder, source.stem)
        names.append(source.stem)
    return names


def add_source(folder: Path, source: Path) -> None:
    """Put the teacher's notebook of a lesson, and its helper files, into the course's `source/`."""
    target = folder / "source" / source.stem
    target.mkdir(parents=True, exist_ok=True)
    nbformat.write(teacher_notebook(source), target / f"{source.stem}.ipynb")
    for helper in helpers(source):
        shutil.copy(helper, target)


def generate(folder: Path, lesson: str) -> None:
    """Run nbgrader's generate step, which also enters the lesson into the gradebook.

    Raises:
        CourseError: nbgrader refused.
    """
    result = api(folder).generate_assignment(lesson)
    if not result["success"]:
        raise CourseError(f"nbgrader could not generate {lesson}:\n{result['log']}")


def api(folder: Path, config: Config | None = None):
    """nbgrader's programming interface for a course directory."""
    from nbgrader.apps import NbGraderAPI  # imported late: it takes a second

    config = config or Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.course_id = "bonsai"
    config.NbGrader.logfile = ""
    return NbGraderAPI(config=config)
