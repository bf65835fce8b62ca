"""Grades notebooks through nbgrader and reports what came out as plain data."""

import errno
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from traitlets.config import Config

from autograder import course
from autograder.box.sandbox import Limits, SandboxMissing
from autograder.source import SourceError, find_source, sources, teacher_notebook

MAX_BYTES = 8 << 20  # of a submitted notebook without its outputs
MAX_FILE_BYTES = 256 << 20  # with them
MAX_CELLS = 2000
CELL_KEPT = {"nbgrader", "bonsai_result"}  # of a cell's metadata
# Reads a large file in a process of its own, whose memory and time are bounded, and leaves its outputs out.
SLIM = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
notebook = json.loads(sys.stdin.buffer.read().decode("utf-8-sig"))
sheets = notebook.get("worksheets", [notebook]) if isinstance(notebook, dict) else []
for cell in [cell for sheet in sheets for cell in sheet.get("cells", [])]:
    cell["outputs"] = []
json.dump(notebook, sys.stdout)
"""


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
    forced = find_source(lesson) if lesson else None
    with tempfile.TemporaryDirectory(prefix="bonsai-grade-") as folder:
        grading = _Course(Path(folder), sandbox, limits or Limits())
        try:
            for number, notebook in enumerate(notebooks, 1):
                yield grading.grade(notebook, f"submission{number:04}", forced, feedback)
        finally:
            grading.close()


class _Course:
    """A temporary nbgrader course that grades one submission after another."""

    def __init__(self, folder: Path, sandbox: str, limits: Limits):
        from autograder.grading import preprocessors  # imported late: nbgrader takes a second

        self.folder, self.known, self.pages = folder, set[str](), Counter[str]()
        config = Config()
        preprocessors.configure(config, sandbox)
        config.SplitExecute.limits = asdict(limits)
        grader = preprocessors.shared_grader(sandbox, limits)
        grader.start()
        self.close = grader.close
        self.api = course.api(folder, config)

    def grade(self, path: Path, submission: str, source: Path | None, feedback: Path | None) -> Result:
        began = time.monotonic()
        parts = Path(os.path.abspath(path)).parts
        student = parts[-3] if len(parts) > 3 and parts[-2] == path.stem and find_or_none(path.stem) else None
        result = Result(mended(str(path)), source.stem if source else None, student and mended(student))
        try:
            notebook = read(path)
            source = which_lesson(notebook, path, source)
            result.lesson = source.stem
            self._grade(notebook, source, submission, result)
            if feedback and result.status in ("graded", "timeout"):
                self._feedback(source.stem, submission, feedback / self._page_name(path, student))
        except Unreadable as error:
            result.status, result.flags = "unreadable", [str(error)]
        except (SandboxMissing, course.CourseError):
            raise
        except Exception as error:  # our own mistake: it must not cost the others their result
            result.status, result.score, result.exercises = "crashed", 0.0, []
            result.flags = [f"The grader itself failed: {type(error).__name__}: {last_line(str(error))}"]
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
        done = self.api.autograde(lesson, submission)
        graded = self.folder / "autograded" / submission / lesson / f"{lesson}.ipynb"
        if not done["success"] or not graded.exists():
            if missing := re.search(r"^\s*autograder\.sandbox\.SandboxMissing: (.*)", done.get("log", ""), re.M):
                raise SandboxMissing(missing[1])
            result.status = "crashed"
            result.flags = [f"The grader could not finish: {last_line(done.get('log') or done.get('error', ''))}"]
            return
        cells = nbformat.read(graded, as_version=4)
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

    def _page_name(self, path: Path, student: str | None) -> str:
        """Name of a submission's feedback page, which no other one has."""
        name = re.sub(r"[^\w.-]", "_", f"{student}-{path.stem}" if student else path.stem)
        self.pages[name] += 1
        return f"{name}-{self.pages[name]}.html" if self.pages[name] > 1 else f"{name}.html"

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
    """A submitted notebook in nbformat 4, without outputs.

    Raises:
        Unreadable: no regular file, too large, not JSON, not a notebook.
    """
    raw = content_of(path)
    try:
        text = raw.decode("utf-8-sig")
        content = json.loads(text)
        if "\\u" in text:  # half a character is JSON, but nothing that can be written
            content = mended(content)
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8, so it is not a notebook.") from None
    except (ValueError, RecursionError):
        what = "The file is empty." if not raw.strip() else "The file is not complete JSON: it was cut off or edited."
        raise Unreadable(f"{what} Save it again in JupyterLab.") from None
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise Unreadable("The file is JSON, but not a notebook.")
    try:
        notebook = upgraded(content)
    except Unreadable:
        raise
    except Exception as error:  # nbformat raises what it likes on what is not a notebook
        raise Unreadable(f"The file is not a valid notebook: {last_line(str(error))}") from None
    return notebook


def content_of(path: Path) -> bytes:
    """The bytes of a file, of a large one those of its notebook without outputs.

    Raises:
        Unreadable: it is not a regular file, or it is too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unreadable("This is a link, and links are not followed: hand in the file itself.") from None
        raise Unreadable(f"The file could not be read: {error.strerror}.") from None
    about = os.fstat(fd)
    if not stat.S_ISREG(about.st_mode):
        os.close(fd)
        raise Unreadable(f"This is {'a folder' if stat.S_ISDIR(about.st_mode) else 'a device or a pipe'}, not a file.")
    with open(fd, "rb") as file:
        if about.st_size > MAX_FILE_BYTES:
            raise Unreadable(f"The file has {about.st_size >> 20} MB; more than {MAX_FILE_BYTES >> 20} are not read.")
        if about.st_size <= MAX_BYTES:
            return file.read(MAX_BYTES)
        slim = subprocess.run([sys.executable, "-I", "-c", SLIM], stdin=file, capture_output=True)
    if slim.returncode != 0 and b"JSONDecodeError" in slim.stderr:
        raise Unreadable("The file is not complete JSON: it was cut off or edited. Save it again in JupyterLab.")
    if slim.returncode != 0 or len(slim.stdout) > MAX_BYTES:
        raise Unreadable(f"The notebook, outputs aside, is larger than {MAX_BYTES >> 20} MB, or cannot be read.")
    return slim.stdout


def mended(value: Any) -> Any:
    """JSON data whose texts can be written as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [mended(v) for v in value]
    return {mended(k): mended(v) for k, v in value.items()} if isinstance(value, dict) else value


def upgraded(content: dict) -> nbformat.NotebookNode:
    """A notebook of any format as one of nbformat 4.5, of which only what grading looks at is kept."""
    if "cells" in content:
        content.setdefault("nbformat", 4)
        content.setdefault("nbformat_minor", 5)
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    content["metadata"] = {}
    for cell in [c for sheet in content.get("worksheets", [content]) for c in sheet.get("cells", [])]:
        own = cell.get("metadata")
        cell["metadata"] = {k: v for k, v in own.items() if k in CELL_KEPT} if isinstance(own, dict) else {}
        for key in ("source", "input"):
            if isinstance(cell.get(key), list):
                cell[key] = "".join(cell[key])
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
    notebook = nbformat.convert(nbformat.from_dict(content), 4)
    if len(notebook.cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(notebook.cells)} cells; more than {MAX_CELLS} are not read.")
    made = nbformat.v4.new_notebook()
    for cell in notebook.cells:
        make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
        new = make.get(cell.cell_type, nbformat.v4.new_raw_cell)(cell.get("source", ""), metadata=cell.metadata)
        count = cell.get("execution_count")
        if cell.cell_type == "code" and type(count) is int and count >= 0:
            new.execution_count = count
        new.id = f"cell-{len(made.cells)}"
        made.cells.append(new)
    if isinstance(metadata.get("bonsai"), dict):
        made.metadata["bonsai"] = metadata["bonsai"]
    if isinstance(kernel := metadata.get("kernelspec"), dict):
        made.metadata["kernelspec"] = {k: str(kernel.get(k, "")) for k in ("name", "display_name", "language")}
    if any(k in metadata for k in ("bonsai_run", "bonsai_flags")):
        made.metadata["bonsai_run"] = {}  # the grader says that it was there
    nbformat.validate(made)
    return made


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


def ids_of(source: Path) -> set[str]:
    """The names of a lesson's exercises, tests and questions; none if its source is being worked on."""
    try:
        cells = teacher_notebook(source).cells
    except SourceError:
        return set()
    return {c.metadata.nbgrader.grade_id for c in cells if is_marked(c)} - {"setup"}


def find_or_none(lesson: str) -> Path | None:
    """The source of a lesson, or None."""
    return next((s for s in sources() if s.stem == lesson), None)


def last_line(text: str) -> str:
    """The last line of a traceback or log that says something, at most 200 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
