"""What replaces parts of nbgrader: `configure(c)` in a course's `nbgrader_config.py` plugs everything in.

Sanitizing: `DropDuplicates`. Autograding: `SplitExecute`, `SaveStructuredGrades`, `CleanForReaders`. Feedback:
`HideHiddenTests`. The gradebook, partial credit by hand, late penalties and the formgrader stay nbgrader's.
"""

import atexit
import os
import re
import threading
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
from bleach import clean as bleach_clean
from nbconvert.filters.markdown import markdown2html
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    DeduplicateIds,
    Execute,
    GetGrades,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Bool, Dict, Enum

from autograder.sandbox import Limits
from autograder.split import Grader, Run, error_output

FILES_BYTES = 50 << 20  # of a submission's other files
KEPT_METADATA = {"kernelspec", "language_info", "bonsai", "bonsai_flags", "bonsai_run"}

_graders: dict[tuple, Grader] = {}
_lock = threading.Lock()


def shared_grader(sandbox: str, limits: Limits, warm: bool = True) -> Grader:
    """One grader a process, so that torch is imported once; ended when the process ends."""
    key = (os.getpid(), sandbox, limits, warm)
    if key not in _graders:
        _graders[key] = Grader(sandbox, limits, warm)
        atexit.register(_graders[key].close)
    return _graders[key]


class DropDuplicates(DeduplicateIds):
    """The first cell with an id keeps it; later ones, and those with an id that the teacher does not know, become
    the learner's plain cells. nbgrader's own version leaves half of the metadata, which stops the whole class."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        known = teacher_cells(resources)
        flags: list[str] = []
        seen: set[str] = set()
        for cell in nb.cells:
            meta = cell.metadata.get("nbgrader")
            if meta is None:
                continue
            name = meta.get("grade_id") if isinstance(meta, dict) else None
            if not isinstance(name, str) or name not in known or name in seen:
                if isinstance(name, str) and name in seen:
                    flags.append(f"Cell {name!r} stands there more than once; the first counts.")
                del cell.metadata["nbgrader"]
                continue
            seen.add(name)
            source, locked = known[name]
            if locked and words(cell.source) not in (words(without_hidden(source)), words(source)):
                flags.append(f"The locked cell {name!r} was changed; it has been restored.")
            cell.metadata["nbgrader"] = NotebookNode(meta)
        flags += [f"Cell {name!r} was missing." for name in known if name not in seen]
        put_back(nb, resources)
        nb.metadata["bonsai_flags"] = flags
        return nb, resources


class SplitExecute(Execute):
    """Runs the notebook with the learner's code in a sandbox and the tests outside it."""

    sandbox = Enum(
        ["bubblewrap", "docker", "podman", "none"],
        "bubblewrap",
        help="Where a submission's code runs. With none it has your rights: it can read and change all that you can.",
    ).tag(config=True)
    limits = Dict(help="Limits of a submission, such as {'cell_s': 30, 'memory_mb': 2048}.").tag(config=True)
    warm = Bool(True, help="Keep a parent process that has imported torch for the next submission.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any, km: Any = None) -> tuple[NotebookNode, Any]:
        for cell in nb.cells:  # whatever a submission claims
            cell.metadata.pop("bonsai_result", None)
        nb.metadata.pop("bonsai_run", None)
        teacher = {name: source for name, (source, _) in teacher_cells(resources).items()}
        files = submitted_files(Path(resources["metadata"]["path"]))
        with _lock:
            grader = shared_grader(self.sandbox, Limits(**self.limits), self.warm)
            run = grader.run(nb, files, teacher, self._helpers(resources))
        run.flags = [*nb.metadata.get("bonsai_flags", []), *run.flags]
        resources["bonsai"] = run
        return with_results(run), resources

    def _helpers(self, resources: Any) -> Path | None:
        """The teacher's own folder of the assignment, for the files that the set-up cell imports."""
        course = CourseDirectory(config=self.config)
        folder = course.format_path(course.source_directory, ".", resources["nbgrader"]["assignment"])
        return Path(folder) if Path(folder).is_dir() else None


class SaveStructuredGrades(SaveAutoGrades):
    """A test's points come from what the test process said. No output means nothing, and no result means 0 points."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        self.run: Run | None = resources.get("bonsai")
        return super().preprocess(nb, resources)

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        if utils.is_solution(cell) or cell.cell_type != "code":
            return super()._add_score(cell, resources)
        name = cell.metadata["nbgrader"]["grade_id"]
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        tests = self.run.tests if self.run is not None else []
        grade.auto_score = grade.max_score if any(t.id == name and t.passed for t in tests) else 0
        grade.needs_manual_grade = grade.manual_score is not None
        self.gradebook.db.commit()


class HideHiddenTests(ClearHiddenTests):
    """Feedback shows what failed and why, not the hidden test."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if utils.is_grade(cell) and cell.cell_type == "code":
            cell.source = without_hidden(cell.source)
        return cell, resources


class CleanForReaders(SanitizeHTML):
    """No script, event handler or remote resource of a learner reaches the teacher's browser or a feedback page.

    Outputs are cleaned as nbconvert does it. Text cells are rendered, and the page looked at: one with anything that is
    not on the list is escaped, and shown as plain text if that is not enough. So the lessons' own text stays as it is.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        nb.metadata = NotebookNode({k: v for k, v in nb.metadata.items() if k in KEPT_METADATA})
        nb.metadata["language_info"] = {"name": "python"}
        for number, cell in enumerate(nb.cells):
            self._clean(cell, resources, number)
        return nb, resources

    def _clean(self, cell: NotebookNode, resources: Any, number: int) -> None:
        if cell.cell_type == "code":
            self.preprocess_cell(cell, resources, number)
            kept = {"nbgrader", "bonsai_result"}
        else:
            if cell.cell_type == "raw":
                cell.cell_type, cell.source = "markdown", fenced(cell.source)
            cell.source = harmless_markdown(cell.source)
            cell.pop("attachments", None)
            kept = {"nbgrader"}
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in kept})
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(cell.get("id", ""))):
            cell["id"] = f"cell-{number}"


def teacher_cells(resources: Any) -> dict[str, tuple[str, bool]]:
    """grade_id -> source, and whether it is locked, of the assignment's cells in the gradebook."""
    names = resources["nbgrader"]
    with Gradebook(names["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
        return {cell.name: (cell.source or "", bool(cell.locked)) for cell in notebook.source_cells}


def put_back(nb: NotebookNode, resources: Any) -> None:
    """Add the teacher's cells that are missing, answers excepted: nbgrader's own way stops at two in a row.

    A set-up cell goes after the teacher's cell before it, a test before the one after it: below all of the learner's.
    """
    names = resources["nbgrader"]
    with Gradebook(names["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
        graded = {cell.name: cell.max_score for cell in notebook.grade_cells}
        tasks = {cell.name: cell.max_score for cell in notebook.task_cells}
        answers = {cell.name for cell in notebook.solution_cells}
        order = [cell.name for cell in notebook.source_cells]
        for cell in notebook.source_cells:
            present = [(c.metadata.get("nbgrader") or {}).get("grade_id") for c in nb.cells]
            name = cell.name
            if name in present or (name in answers and name not in graded):
                continue
            make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
            new = make(cell.source)
            meta = {"grade_id": name, "locked": bool(cell.locked), "checksum": cell.checksum, "schema_version": 3}
            meta |= {"grade": name in graded, "solution": name in answers, "task": name in tasks}
            meta |= {"cell_type": cell.cell_type}
            if (points := graded.get(name, tasks.get(name))) is not None:
                meta["points"] = points
            new.metadata["nbgrader"] = NotebookNode(meta)
            before, after = order[: order.index(name)], order[order.index(name) + 1 :]
            if points is None:
                at = max((present.index(n) + 1 for n in before if n in present), default=0)
            else:
                at = min((present.index(n) for n in after if n in present), default=len(present))
            nb.cells.insert(at, new)


def submitted_files(folder: Path) -> dict[str, bytes]:
    """A submission's files without notebooks. Links are not followed: they could lead anywhere."""
    files, room = {}, FILES_BYTES
    for path in sorted(folder.rglob("*")):
        if any(p.is_symlink() for p in (path, *path.parents) if p.is_relative_to(folder)) or not path.is_file():
            continue
        room -= path.stat().st_size
        if path.suffix != ".ipynb" and room >= 0:
            files[str(path.relative_to(folder))] = path.read_bytes()
    return files


def with_results(run: Run) -> NotebookNode:
    """The notebook with results, flags and measurements in its metadata: for pages, not for scores."""
    results = {test.id: test for test in run.tests}
    for cell in run.notebook.cells:
        result = results.get((cell.metadata.get("nbgrader") or {}).get("grade_id", ""))
        if result is not None:
            shown = {k: getattr(result, k) for k in ("exercise", "points", "max_points", "passed", "message", "hidden")}
            cell.metadata["bonsai_result"] = shown
            if result.hidden:
                cell.outputs = [*cell.outputs[:-1], error_output("CheckFailed", f"(a hidden test) {result.message}")]
    run.notebook.metadata["bonsai_flags"] = run.flags
    run.notebook.metadata["bonsai_run"] = {"measured": run.measured, "seconds": round(run.seconds, 3)}
    return run.notebook


def without_hidden(source: str) -> str:
    """A test cell without its hidden part; an unclosed one goes to the end."""
    return re.sub(r"^[^\n]*BEGIN HIDDEN TESTS.*?(END HIDDEN TESTS[^\n]*\n?|\Z)", "", source, flags=re.S | re.M)


def words(source: str) -> str:
    """A text whose blank space does not matter."""
    return " ".join(source.split())


# Text cells ----------------------------------------------------------------------------------------------------------

TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption center code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li "
        "mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var",
    )
)
ATTRIBUTES = frozenset(
    re.findall(r"\w+", "align alt class colspan height href id open rowspan src start style target title width")
)
STYLE = re.compile(r"[\w\s:;.%#-]*")  # no url(), no escapes
SCHEMES = ("", "http", "https", "mailto")


class _Page(HTMLParser):
    """Notes whether rendered text holds anything that is not on the lists."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.bad = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bad |= tag not in TAGS
        for name, value in attrs:
            text = value or ""
            scheme = re.sub(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u200b]", "", unescape(text)).partition(":")
            found = scheme[0].lower() if scheme[1] and "/" not in scheme[0] and "#" not in scheme[0] else ""
            self.bad |= name not in ATTRIBUTES
            self.bad |= name == "href" and found not in SCHEMES
            local = not found and not text.strip().startswith(("//", "\\", "/\\"))
            self.bad |= name == "src" and not (local or re.match(r"data:image/(png|jpeg|gif);base64,", text))
            self.bad |= name == "style" and not STYLE.fullmatch(text)

    def handle_comment(self, data: str) -> None:
        self.bad = True

    def handle_decl(self, decl: str) -> None:
        self.bad = True

    def handle_pi(self, data: str) -> None:
        self.bad = True

    def unknown_decl(self, data: str) -> None:
        self.bad = True


def is_harmless(source: str) -> bool:
    """Whether a text cell, rendered, holds only elements, attributes and addresses that are on the lists."""
    page = _Page()
    try:
        page.feed(markdown2html(source))
    except Exception:
        return False
    return not page.bad and "<" not in page.rawdata  # what is left is a tag that was not closed


def harmless_markdown(source: str) -> str:
    """The text as it is, if it is harmless; else escaped; else as plain text."""
    if is_harmless(source):
        return source
    escaped = bleach_clean(source)
    return escaped if is_harmless(escaped) else fenced(source)


def fenced(source: str) -> str:
    """Text in a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{source}\n{fence}"


def configure(c: Any, sandbox: str = "bubblewrap") -> None:
    """Plug everything into nbgrader's configuration object."""
    c.SplitExecute.sandbox = sandbox
    c.OverwriteCells.add_missing_cells = True
    c.SanitizeHTML.enabled = c.CleanForReaders.enabled = True
    restore = [ClearOutput, DropDuplicates, OverwriteKernelspec, OverwriteCells, CheckCellMetadata]
    run = [SplitExecute, LimitOutput, SaveStructuredGrades, AssignLatePenalties, CheckCellMetadata, CleanForReaders]
    c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors = restore, run
    c.GenerateFeedback.preprocessors = [GetGrades, HideHiddenTests, CSSHTMLHeaderPreprocessor]
