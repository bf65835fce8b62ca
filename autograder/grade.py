"""Grades notebooks through nbgrader and reports what came out as plain data."""

import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat
from traitlets.config import Config

from autograder import course
from autograder.sandbox import Limits
from autograder.source import find_source, helpers, sources, teacher_notebook

MAX_BYTES = 64 << 20  # of a submitted file


class Unreadable(ValueError):
    """A submission that cannot be graded; the message is one sentence."""


@dataclass
class Result:
    """What one submission is worth."""

    notebook: str
    lesson: str | None
    student: str | None
    score: float = 0.0
    max_score: float = 0.0
    seconds: float = 0.0
    status: str = "graded"  # graded, unreadable, timeout or crashed
    flags: list[str] = field(default_factory=list)
    exercises: list[dict] = field(default_factory=list)  # id, points, max_points, passed, message
    measured: dict[str, float] = field(default_factory=dict)


def document(results: list[Result]) -> str:
    """The results as the JSON document that `bonsai grade --json` prints."""
    return json.dumps({"results": [asdict(r) for r in results]}, indent=2, ensure_ascii=False)


def grade(
    notebooks: list[Path], feedback: Path | None = None, sandbox: str = "bubblewrap", lesson: str | None = None
) -> Iterator[Result]:
    """Grade submitted notebooks one after another, each through nbgrader's autograde step in a gradebook of its own.

    Args:
        notebooks: files in any folder. In `…/STUDENT/LESSON/LESSON.ipynb`, nbgrader's layout, the student is named.
        feedback: folder that receives an HTML page for each graded notebook.
        sandbox: see `autograder.sandbox`.
        lesson: number or name, where the notebook does not say which lesson it is.

    Yields:
        a result for each notebook, also for those that cannot be read.

    Raises:
        SandboxMissing: the sandbox is not to be had.
        ValueError: no such lesson.
    """
    forced = find_source(lesson) if lesson else None
    with tempfile.TemporaryDirectory(prefix="bonsai-grade-") as folder:
        grading = _Course(Path(folder), sandbox)
        try:
            for number, notebook in enumerate(notebooks, 1):
                yield grading.grade(notebook, f"submission{number:04}", forced, feedback)
        finally:
            grading.close()


class _Course:
    """A temporary nbgrader course that grades one submission after another."""

    def __init__(self, folder: Path, sandbox: str):
        from autograder import preprocessors  # imported late: nbgrader takes a second

        self.folder, self.known = folder, set[str]()
        config = Config()
        preprocessors.configure(config, sandbox)
        grader = preprocessors.shared_grader(sandbox, Limits())
        grader.start()
        self.close = grader.close
        self.api = course.api(folder, config)

    def grade(self, path: Path, submission: str, source: Path | None, feedback: Path | None) -> Result:
        began = time.monotonic()
        parts = path.resolve().parts
        student = parts[-3] if len(parts) > 3 and parts[-2] == path.stem and find_or_none(path.stem) else None
        result = Result(str(path), source.stem if source else None, student)
        try:
            notebook = read(path)
            source = source or which_lesson(notebook, path)
            result.lesson = source.stem
            self._grade(notebook, source, submission, result)
            if feedback and result.status == "graded":
                self._feedback(source.stem, submission, feedback / page_name(path, student))
        except Unreadable as error:
            result.status, result.flags = "unreadable", [str(error)]
        result.seconds = round(time.monotonic() - began, 2)
        if source and not result.exercises:  # nothing could be graded: every exercise is there, with no points
            tests = [
                c.metadata.nbgrader
                for c in teacher_notebook(source).cells
                if c.metadata.get("nbgrader", {}).get("grade")
            ]
            why = result.flags[0] if result.flags else "not graded"
            result.exercises = [exercise(t.grade_id, 0.0, float(t.points), False, why) for t in tests]
            result.max_score = sum(e["max_points"] for e in result.exercises)
        return result

    def _grade(self, notebook: nbformat.NotebookNode, source: Path, submission: str, result: Result) -> None:
        lesson = source.stem
        if lesson not in self.known:
            course.add_source(self.folder, source)
            course.generate(self.folder, lesson)
            self.known.add(lesson)
        target = self.folder / "submitted" / submission / lesson
        target.mkdir(parents=True)
        nbformat.write(notebook, target / f"{lesson}.ipynb")
        for helper in helpers(source):
            shutil.copy(helper, target)
        done = self.api.autograde(lesson, submission)
        graded = self.folder / "autograded" / submission / lesson / f"{lesson}.ipynb"
        if not done["success"] or not graded.exists():
            result.status = "crashed"
            result.flags = [f"The grader could not finish: {last_line(done.get('error') or done['log'])}"]
            return
        cells = nbformat.read(graded, as_version=4)
        run = cells.metadata.get("bonsai_run", {})
        result.flags, result.measured = list(cells.metadata.get("bonsai_flags", [])), dict(run.get("measured", {}))
        for cell in cells.cells:
            meta = cell.metadata.get("nbgrader", {})
            if meta.get("grade") and cell.cell_type == "code":
                said = cell.metadata.get("bonsai_result", {})
                result.exercises.append(
                    exercise(
                        meta["grade_id"],
                        said.get("points", 0.0),
                        float(meta["points"]),
                        said.get("passed", False),
                        said.get("message", "not run"),
                    )
                )
        result.score = sum(e["points"] for e in result.exercises)
        result.max_score = sum(e["max_points"] for e in result.exercises)

    def _feedback(self, lesson: str, submission: str, page: Path) -> None:
        self.api.generate_feedback(lesson, submission)
        made = self.folder / "feedback" / submission / lesson / f"{lesson}.html"
        if made.exists():
            page.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, page)


def exercise(grade_id: str, points: float, max_points: float, passed: bool, message: str) -> dict:
    """One row of a result's `exercises`."""
    name = grade_id.removeprefix("test_")
    return {"id": name, "points": points, "max_points": max_points, "passed": passed, "message": message}


def read(path: Path) -> nbformat.NotebookNode:
    """A submitted notebook in nbformat 4.

    Raises:
        Unreadable: no file, too large, not JSON, not a notebook.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise Unreadable(f"The file has {size / 1e6:.0f} MB; more than {MAX_BYTES / 1e6:.0f} MB is not read.")
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Unreadable(f"The file could not be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8, so it is not a notebook.") from None
    except (json.JSONDecodeError, RecursionError):
        raise Unreadable(
            "The file is not complete JSON: it was cut off or edited by hand. Save it again in JupyterLab."
        ) from None
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise Unreadable("The file is JSON, but not a notebook.")
    try:
        notebook = nbformat.convert(nbformat.from_dict(content), 4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        _, notebook = nbformat.validator.normalize(notebook)
        notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises what it likes on what is not a notebook
        raise Unreadable(f"The file is not a valid notebook: {last_line(str(error))}") from None
    return notebook


def which_lesson(notebook: nbformat.NotebookNode, path: Path) -> Path:
    """The source of the lesson that a notebook belongs to, by its metadata, its name or its exercises.

    Raises:
        Unreadable: none, or it cannot be told.
    """
    for name in (notebook.metadata.get("bonsai", {}).get("lesson"), path.stem):
        if isinstance(name, str) and (source := find_or_none(name)):
            return source
    ids = {c.metadata.get("nbgrader", {}).get("grade_id") for c in notebook.cells} - {None, "setup"}
    votes = Counter(
        {
            s: len(ids & {c.metadata.get("nbgrader", {}).get("grade_id") for c in teacher_notebook(s).cells})
            for s in sources()
        }
    )
    best, shared = votes.most_common(1)[0] if votes else (None, 0)
    if best is None or not shared:
        raise Unreadable("It cannot be told which lesson this is: name it with --lesson.")
    return best


def find_or_none(lesson: str) -> Path | None:
    """The source of a lesson, or None."""
    return next((s for s in sources() if s.stem == lesson), None)


def page_name(path: Path, student: str | None) -> str:
    """Name of the feedback page of a submission."""
    name = f"{student}-{path.stem}" if student else path.stem
    return re.sub(r"[^\w.-]", "_", name) + ".html"


def last_line(text: str) -> str:
    """The last line of a traceback or log that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
