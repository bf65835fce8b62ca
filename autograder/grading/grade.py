"""Grades notebooks through nbgrader and reports what came out as plain data."""

import contextlib
import functools
import itertools
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from traitlets.config import Config

from autograder import course
from autograder.box.sandbox import Limits, SandboxMissing
from autograder.grading.handed_in import Unreadable, content_of, last_line, mended, parsed, parsed_apart, write_files
from autograder.source import SourceError, find_source, sources, teacher_notebook
from autograder.text import as_json, printable


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


@dataclass(frozen=True)
class Work:
    """One submission as plain data: all that a grader needs of it, on this machine or on another one."""

    notebook: str  # what the result calls it
    content: bytes = b""  # of the notebook
    unreadable: str = ""  # why there is no content
    lesson: str | None = None  # the one that was asked for
    student: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)  # what was handed in beside the notebook
    remarks: list[str] = field(default_factory=list)  # about what was not taken
    assignment: dict | None = None  # a course's own version of the lesson: see `autograder.course.assignment`
    page: bool = False  # whether a feedback page is wanted


@dataclass
class Graded:
    """What comes back for a `Work`."""

    result: Result
    notebook: bytes = b""  # as nbgrader autogrades it, with outputs; empty if it could not be graded
    page: bytes = b""  # for the learner


def document(results: list[Result], interrupted: bool = False) -> str:
    """The results as the JSON document that `bonsai grade --json` prints."""
    content: dict[str, Any] = {"results": [asdict(r) for r in results]}
    if interrupted:
        content["interrupted"] = True
    return as_json(content, indent=2)


def grade(
    notebooks: list[Path],
    feedback: Path | None = None,
    sandbox: str = "bubblewrap",
    lesson: str | None = None,
    limits: Limits | None = None,
) -> Iterator[Result]:
    """Grade submitted notebooks one after another, each through nbgrader's autograde step in a gradebook of its own.

    Args:
        notebooks: files in any folder. In `…/STUDENT/LESSON/LESSON.ipynb`, nbgrader's layout, the student is named.
        feedback: folder that receives an HTML page for each graded notebook.
        sandbox: see `autograder.box.sandbox`.
        lesson: number or name, where the notebook does not say which lesson it is.
        limits: of each submission.

    Yields:
        a result for each notebook, also for those that cannot be read.

    Raises:
        SandboxMissing: the sandbox is not to be had.
        ValueError: no such lesson.
    """
    pages = Pages(feedback) if feedback else None
    asked = find_source(lesson).stem if lesson else None
    with GradingCourse(sandbox, limits or Limits()) as course:
        for path in notebooks:
            graded = course.grade(work_of(path, asked, page=pages is not None))
            if pages:
                pages.keep(graded)
            yield graded.result


def work_of(path: Path, lesson: str | None = None, page: bool = False) -> Work:
    """A file as a `Work`; one that cannot be read says so."""
    parts = Path(os.path.abspath(path)).parts
    student = parts[-3] if len(parts) > 3 and parts[-2] == path.stem and find_or_none(path.stem) else None
    work = Work(mended(str(path)), lesson=lesson, student=student and mended(student), page=page)
    try:
        return replace(work, content=content_of(path))
    except Unreadable as error:
        return replace(work, unreadable=str(error))


class Pages:
    """A folder of feedback pages, each under a name that no other one has."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # found out now, not after the first submission
            self.folder, self.taken = folder, set[str]()

    def keep(self, graded: Graded) -> None:
        """Write a submission's page, if it has one: as a whole or not at all."""
        if graded.page:
            whole(self.folder / self._name(graded.result), graded.page)

    def _name(self, result: Result) -> str:
        stem = Path(result.notebook).stem
        wanted = f"{result.student}-{stem}" if result.student else stem
        short = re.sub(r"[^\w.-]", "_", wanted)[:50]  # a letter has up to four bytes, a file name 255
        name = short.lstrip(".") or "page"
        names = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
        free = next(n for n in names if n.casefold() not in self.taken)
        self.taken.add(free.casefold())
        return f"{free}.html"


def whole(path: Path, content: bytes) -> None:
    """Write a file so that after a crash or a power cut there is the old one or the new one, and no half of it."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


class GradingCourse:
    """A temporary nbgrader course that grades one submission after another, and keeps nothing of them."""

    def __init__(self, sandbox: str, limits: Limits):
        from autograder.grading import preprocessors  # imported late: nbgrader takes a second

        self._temporary = tempfile.TemporaryDirectory(prefix="bonsai-grade-")
        self.folder, self.known, self.count = Path(self._temporary.name), dict[str, Any](), 0
        config = Config()
        preprocessors.configure(config, sandbox)
        config.SplitExecute.limits = asdict(limits)
        try:
            self.grader = preprocessors.shared_grader(sandbox, limits)
            self.grader.start()
        except BaseException:
            self._temporary.cleanup()
            raise
        self.api = course.api(self.folder, config)

    def __enter__(self) -> "GradingCourse":
        return self

    def __exit__(self, *error: object) -> None:
        self.grader.close()
        self._temporary.cleanup()

    def grade(self, work: Work) -> Graded:
        """Grade one submission. What it does never raises.

        Raises:
            SandboxMissing, CourseError: nothing can be graded here.
        """
        began = time.monotonic()
        graded = Graded(Result(work.notebook, work.lesson, work.student))
        result = graded.result
        source = find_or_none(work.lesson) if work.lesson and not work.assignment else None
        try:
            if work.unreadable:
                raise Unreadable(work.unreadable)
            notebook = parsed_apart(work.content)
            notebook.metadata["bonsai_remarks"] = list(work.remarks)
            if work.assignment is None:
                source = which_lesson(notebook, Path(work.notebook), source)
                result.lesson = source.stem
            self._autograde(notebook, work, source, graded)
        except Unreadable as error:
            result.status, result.flags = "unreadable", [str(error), *work.remarks]
        except (SandboxMissing, course.CourseError):
            raise
        except Exception as error:  # our own mistake: it must not cost the others their result
            result.status, result.score, result.exercises = "crashed", 0.0, []
            result.flags = [f"The grader itself failed: {type(error).__name__}: {last_line(str(error))}"]
        if not result.exercises:  # nothing could be graded: every exercise is there, with no points
            why = result.flags[0] if result.flags else "not graded"
            result.exercises = [exercise(name, 0.0, most, False, why) for name, most in tests_of(work, source)]
            result.max_score = sum(e["max_points"] for e in result.exercises)
        result.flags = [printable(flag) for flag in result.flags]
        result.seconds = round(time.monotonic() - began, 2)
        return graded

    def _autograde(self, notebook: nbformat.NotebookNode, work: Work, source: Path | None, graded: Graded) -> None:
        """Grade a notebook through nbgrader, and forget it there."""
        lesson = self._lesson(work, source)
        self.count += 1
        submission = f"submission{self.count}"
        steps = [self.folder / step / submission for step in ("submitted", "autograded", "feedback")]
        target = steps[0] / lesson
        target.mkdir(parents=True)
        try:
            write_files(work.files, target)
            nbformat.write(notebook, target / f"{lesson}.ipynb")
            self._run(lesson, submission, graded)
            if work.page and graded.notebook:
                self.api.generate_feedback(lesson, submission)
                made = steps[2] / lesson / f"{lesson}.html"
                graded.page = made.read_bytes() if made.exists() else b""
        finally:
            for folder in steps:
                shutil.rmtree(folder, ignore_errors=True)
            self._forget(lesson, submission)

    def _forget(self, lesson: str, submission: str) -> None:
        from nbgrader.api import MissingEntry

        with self.api.gradebook as gradebook:
            with contextlib.suppress(MissingEntry):
                gradebook.remove_submission(lesson, submission)
            with contextlib.suppress(MissingEntry):
                gradebook.remove_student(submission)

    def _lesson(self, work: Work, source: Path | None) -> str:
        """Enter the lesson into the temporary course, unless it is there."""
        if work.assignment is not None:
            name, version = work.assignment["name"], work.assignment["hash"]
            if self.known.get(name, version) != version:  # the teacher has changed it: begin anew
                self.known.clear()
                shutil.rmtree(self.folder / "source")
                (self.folder / "gradebook.db").unlink()
            if name not in self.known:
                course.enter(self.folder, work.assignment)
        else:
            assert source is not None
            name, version = source.stem, None
            if name not in self.known:
                course.add_source(self.folder, source)
                course.generate(self.folder, name)
        self.known[name] = version
        return name

    def _run(self, lesson: str, submission: str, graded: Graded) -> None:
        """nbgrader's autograde step."""
        result = graded.result
        done = self.api.autograde(lesson, submission)
        made = self.folder / "autograded" / submission / lesson / f"{lesson}.ipynb"
        if not done["success"] or not made.exists():
            said = done.get("log", "") + done.get("error", "")
            if missing := re.search(r"^\s*autograder[\w.]*\.SandboxMissing: (.*)", said, re.M):
                raise SandboxMissing(missing[1])
            result.status = "crashed"
            result.flags = [f"The grader could not finish: {last_line(done.get('log') or done.get('error', ''))}"]
            return
        graded.notebook = made.read_bytes()
        cells = nbformat.reads(graded.notebook.decode(), as_version=4)
        run = cells.metadata.get("bonsai_run", {})
        if run.get("timed_out"):
            result.status = "timeout"
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


def tests_of(work: Work, source: Path | None) -> list[tuple[str, float]]:
    """The names of a lesson's tests and their points; none where the lesson is not known."""
    if work.assignment is not None:
        cells = work.assignment["cells"]
    else:
        cells = teacher_notebook(source).cells if source else []
    about = [c["metadata"].get("nbgrader", {}) for c in cells if c["cell_type"] == "code"]
    return [(a["grade_id"], float(a["points"])) for a in about if a.get("grade")]


def exercise(grade_id: str, points: float, max_points: float, passed: bool, message: str) -> dict:
    """One row of a result's `exercises`."""
    name = grade_id.removeprefix("test_")
    return {"id": name, "points": points, "max_points": max_points, "passed": passed, "message": message}


def read(path: Path) -> nbformat.NotebookNode:
    """A submitted notebook in nbformat 4, without outputs.

    Raises:
        Unreadable: no regular file, too large, not JSON, not a notebook.
    """
    return parsed(content_of(path))


def which_lesson(notebook: nbformat.NotebookNode, path: Path, forced: Path | None = None) -> Path:
    """The source of the lesson that a notebook belongs to: by its cells, its metadata or its name.

    Args:
        forced: the lesson that was asked for.

    Raises:
        Unreadable: it cannot be told; or it is another lesson's than the one asked for.
    """
    ids = {str((c.metadata.get("nbgrader") or {}).get("grade_id")) for c in notebook.cells if is_marked(c)} - {"setup"}
    about = notebook.metadata.get("bonsai")
    said = about.get("lesson") if isinstance(about, dict) else None
    claimed = [s for name in (said, path.stem) if isinstance(name, str) and (s := find_or_none(name))]
    for source in [forced] if forced else claimed:
        if not ids or ids & ids_of(source):
            return source
    votes = Counter({source: len(ids & ids_of(source)) for source in sources()})
    best, shared = votes.most_common(1)[0] if votes else (None, 0)
    if forced and best is not None and shared:
        raise Unreadable(f"This is a notebook of lesson {best.stem}, not of {forced.stem}.")
    if best is not None and shared:
        return best
    if forced or claimed:
        return forced or claimed[0]
    raise Unreadable("It cannot be told which lesson this is: name it with --lesson.")


def is_marked(cell: nbformat.NotebookNode) -> bool:
    return isinstance(cell.metadata.get("nbgrader"), dict)


def ids_of(source: Path) -> frozenset[str]:
    """The names of a lesson's exercises, tests and questions; none if its source is being worked on."""
    return _ids_of(source, source.stat().st_mtime_ns)


@functools.lru_cache(maxsize=100)
def _ids_of(source: Path, changed: int) -> frozenset[str]:
    try:
        cells = teacher_notebook(source).cells
    except SourceError:
        return frozenset()
    return frozenset(c.metadata.nbgrader.grade_id for c in cells if is_marked(c)) - {"setup"}


def find_or_none(lesson: str) -> Path | None:
    """The source of a lesson, or None."""
    return next((s for s in sources() if s.stem == lesson), None)
