"""What replaces parts of nbgrader: `configure(c)` in a course's `nbgrader_config.py` plugs everything in.

Sanitizing: `DropDuplicates`. Autograding: `SplitExecute`, `SaveStructuredGrades`, `CleanForReaders`. Feedback:
`HideHiddenTests` and what is in `autograder.grading.pages`. The gradebook, partial credit by hand, late penalties and
the formgrader stay nbgrader's.
"""

import atexit
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    ClearHiddenTests,
    ClearOutput,
    DeduplicateIds,
    Execute,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from traitlets import Bool, Dict, Enum, List

from autograder.box.sandbox import Limits, SandboxMissing
from autograder.grading.handed_in import bare_cell, bounded, files_of
from autograder.grading.pages import (
    FeedbackExporter,
    Formulas,
    GradesAndWaits,
    ResultsFirst,
    fenced,
    harmless_markdown,
    is_harmless,
    pictures,
    without_remote_pictures,
)
from autograder.grading.split import Grader, error_output, words
from autograder.results import Run
from autograder.source import TAKEN_MESSAGE, is_taken
from autograder.text import printable

CLEANED = "Markup that no page may hold was taken out of cell"
KEPT_METADATA = {"kernelspec", "language_info", "bonsai", "bonsai_flags", "bonsai_run"}

CLEAN_S, CLEAN_MB = 30, 1024  # for the cleaning of one notebook
TEXT_CHARACTERS = 20_000  # of a learner's text cell
OUTPUT_BYTES = 32 << 20  # of all outputs of a notebook
DEEPEST = 500  # tags within tags of an output

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
        flags: list[str] = nb.metadata.pop("bonsai_remarks", [])
        present: list[str] = []
        strangers = 0
        for cell in nb.cells:
            meta = cell.metadata.pop("nbgrader", None)
            name = meta.get("grade_id") if isinstance(meta, dict) else None
            if not isinstance(name, str) or name not in known:
                strangers += meta is not None
            elif name in present:
                flags.append(f"Cell {name!r} stands there more than once; the first counts.")
            else:
                present.append(name)
                teachers = known[name]
                own = teachers.metadata.nbgrader
                if own.locked and not same(cell, teachers):
                    flags.append(f"The locked cell {name!r} was changed; it has been restored.")
                if own.locked and cell.cell_type == teachers.cell_type:
                    cell.source = teachers.source  # else nbgrader reports each cell whose hidden tests it puts back
                if any(bool(meta.get(kind)) != own[kind] for kind in ("grade", "solution", "locked", "task")):
                    flags.append(f"The label of cell {name!r} was changed; it has been restored.")
                cell.metadata["nbgrader"] = NotebookNode(own)
        if not set(present) - {"setup"}:  # every lesson has one of that name
            seems = "another lesson's" if strangers else "no lesson's"
            flags.append(f"None of its cells belongs to this lesson: it seems to be {seems} notebook.")
        elif strangers:
            flags.append(f"{strangers} cells are marked as the teacher's and are not; they count as the learner's own.")
        flags += [f"Cell {name!r} was missing." for name in known if name not in present]
        if present != [name for name in known if name in present]:
            flags.append("The lesson's cells stand in another order than in the lesson.")
        put_back(nb, known)
        language = language_of(nb)
        if language:
            flags.append(f"The notebook says that it is written in {language}; its cells were run as Python.")
        counts = [c.get("execution_count") for c in nb.cells if c.get("execution_count")]
        nb.metadata["bonsai_order"] = counts == sorted(counts)
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
        said = [cell.metadata.pop("bonsai_result", None) for cell in nb.cells]  # whatever a submission claims
        claims = [nb.metadata.pop("bonsai_run", None), *said] != [None] * (len(said) + 1)
        in_order = nb.metadata.pop("bonsai_order", True)
        teacher = {name: cell.source for name, cell in teacher_cells(resources).items()}
        with _lock:
            grader = shared_grader(self.sandbox, Limits(**self.limits), self.warm)
            cells = self._source_cells(resources)
            known = [cell.source for cell in cells]
            demonstrations = [cell.source for cell in cells if "nbgrader" not in cell.metadata]
            answers = [cell for cell in cells if utils.is_solution(cell)]
            references = {cell.metadata.nbgrader.grade_id: cell.source for cell in answers}
            files, helpers = self._files(resources), self._helpers(resources)
            run = grader.run(nb, files, teacher, helpers, known, demonstrations, references)
        taken = {
            cell.metadata.nbgrader.grade_id
            for cell in nb.cells
            if cell.metadata.get("nbgrader", {}).get("solution") and is_taken(cell.source)
        }
        for test in run.tests:
            if test.exercise in taken:
                test.points, test.passed, test.message = 0.0, False, TAKEN_MESSAGE
        flags = list(nb.metadata.get("bonsai_flags", []))
        if claims:
            flags.append("The notebook brought results of its own; they were dropped.")
        if not in_order and not all(test.passed for test in run.tests):
            flags.append("Its cells had last been run in another order; they were graded from top to bottom.")
        run.flags = [printable(flag) for flag in (*flags, *run.flags)]
        resources["bonsai"] = run
        return with_results(run), resources

    def _folder(self, resources: Any, step: str, student: str = ".") -> Path:
        course = CourseDirectory(config=self.config)
        return Path(course.format_path(getattr(course, step), student, resources["nbgrader"]["assignment"]))

    def _files(self, resources: Any) -> dict[str, bytes]:
        """What was handed in beside the notebook, with the teacher's files over it. nbgrader's own copy of it is not
        used: it follows links, which lead where the teacher may read."""
        handed_in = self._folder(resources, "submitted_directory", resources["nbgrader"]["student"])
        here = handed_in if handed_in.is_dir() else Path(resources["metadata"]["path"])
        return files_of(here)[0] | files_of(self._folder(resources, "source_directory"))[0]

    def _source_cells(self, resources: Any) -> list[NotebookNode]:
        """The code cells of the teacher's notebook."""
        path = self._folder(resources, "source_directory") / f"{resources['nbgrader']['notebook']}.ipynb"
        if not path.is_file():
            return []
        return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    def _helpers(self, resources: Any) -> Path | None:
        """The teacher's own folder of the assignment, for the files that the set-up cell imports."""
        folder = self._folder(resources, "source_directory")
        return folder if folder.is_dir() else None


class ProvenExporter(NotebookExporter):
    """nbgrader makes one before it looks at the first submission: where nothing can be graded, it ends there."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        if SplitExecute in getattr(self.parent, "autograde_preprocessors", []):
            step = SplitExecute(parent=self.parent)
            try:
                with _lock:
                    shared_grader(step.sandbox, Limits(**step.limits), step.warm).start()
            except SandboxMissing as error:
                self.log.error("Nothing was graded: %s", error)
                raise SystemExit(2) from error

    def _preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        self.optimistic_validation = bool(self._preprocessors)  # one for all steps; it fails with none
        return super()._preprocess(nb, resources)


class SaveStructuredGrades(SaveAutoGrades):
    """A test's points come from what the test process said. No output means nothing, and no result means 0 points."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        self.run: Run | None = resources.get("bonsai")
        nb, resources = super().preprocess(nb, resources)
        if flags := self.run.flags if self.run is not None else []:
            self._tell_the_teacher(nb, flags)
        return nb, resources

    def _tell_the_teacher(self, nb: NotebookNode, flags: list[str]) -> None:
        """Flags go into the log, and into the formgrader: its own mark, and a comment at the first answer."""
        for flag in flags:
            self.log.warning("%s, %s: %s", self.student_id, self.notebook_id, flag)
        where = self.notebook_id, self.assignment_id, self.student_id
        first = next((c.metadata.nbgrader.grade_id for c in nb.cells if utils.is_solution(c)), None)
        with Gradebook(self.db_url) as gradebook:
            gradebook.find_submission_notebook(*where).flagged = True
            if first is not None:
                comment = gradebook.find_comment(first, *where)
                comment.auto_comment = "\n\n".join(filter(None, [comment.auto_comment, *flags]))
            gradebook.db.commit()

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        if utils.is_solution(cell) or cell.cell_type != "code":
            return super()._add_score(cell, resources)
        name = cell.metadata["nbgrader"]["grade_id"]
        grade = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        tests = self.run.tests if self.run is not None else []
        shares = [t.points / t.max_points for t in tests if t.id == name and t.max_points]
        grade.auto_score = round(grade.max_score * shares[0], 2) if shares else 0
        grade.needs_manual_grade = grade.manual_score is not None
        self.gradebook.db.commit()


class HideHiddenTests(ClearHiddenTests):
    """Feedback shows what failed and why, not the hidden test, nor how a question is marked."""

    display_data_priority: List = List(help="Not used; nbconvert sets it for all preprocessors.").tag(config=True)

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if utils.is_locked(cell):
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
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = without_remote_pictures(cell.source)
        before = [cell.source for cell in nb.cells]
        shortened = shorten(nb)

        def work() -> bytes:
            for number, cell in enumerate(nb.cells):
                self._clean(cell, resources, number)
            return json.dumps(nb.cells).encode()

        cleaned = bounded(work, CLEAN_S, CLEAN_MB)
        if cleaned is None:
            shortened = ["Its texts and outputs take too long to be cleaned; they are shown without any markup."]
            plain(nb, resources, self)
        else:
            nb.cells = [nbformat.from_dict(cell) for cell in json.loads(cleaned)]
        nb.metadata["bonsai_flags"] = [*nb.metadata.get("bonsai_flags", []), *shortened]
        changed = [str(n) for n, cell in enumerate(nb.cells, 1) if cell.source != before[n - 1]]
        if changed:
            sentence = f"{CLEANED} {', '.join(changed[:10])} (of all cells)."
            nb.metadata["bonsai_flags"] = [*nb.metadata.get("bonsai_flags", []), sentence]
        return nb, resources

    def _clean(self, cell: NotebookNode, resources: Any, number: int) -> None:
        if cell.cell_type == "code":
            self.preprocess_cell(cell, resources, number)
            for output in cell.outputs:
                if "data" in output:
                    output["data"] = NotebookNode({k: v for k, v in output["data"].items() if is_fit(k, v)})
            kept = {"nbgrader", "bonsai_result"}
        else:
            if cell.cell_type == "raw":
                cell.cell_type, cell.source = "markdown", fenced(cell.source)
            attached = pictures(cell.pop("attachments", None))
            cell.source = harmless_markdown(cell.source, attached)
            if attached and cell.cell_type == "markdown":
                cell["attachments"] = nbformat.from_dict(attached)
            kept = {"nbgrader"}
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in kept})
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(cell.get("id", ""))):
            cell["id"] = f"cell-{number}"


def shorten(nb: NotebookNode) -> list[str]:
    """Keep texts and outputs within what is cleaned in bearable time; sentences about what was cut."""
    flags, room = [], OUTPUT_BYTES
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type != "code" and len(cell.source) > TEXT_CHARACTERS and "nbgrader" not in cell.metadata:
            cell.source = fenced(cell.source[:TEXT_CHARACTERS])
            flags.append(f"The text of cell {number} is longer than {TEXT_CHARACTERS:,} characters; it was cut.")
        kept = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in [
                kind for kind, value in data.items() if kind.startswith("text/") and depth(str(value)) > DEEPEST
            ]:
                del data[kind]
                flags.append(f"An output of cell {number} is nested too deeply to be cleaned; it was left out.")
            room -= len(json.dumps(output))
            if room >= 0 and (data or output.output_type not in ("display_data", "execute_result")):
                kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept
    if room < 0:
        flags.append(f"Its outputs are more than {OUTPUT_BYTES >> 20} MB in all; the rest was left out.")
    return list(dict.fromkeys(flags))


def is_fit(kind: str, value: Any) -> bool:
    """Whether an output that nbconvert lets pass is what its kind says, once it is on a page."""
    if kind.startswith("image/"):
        return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]*", value) is not None
    return kind != "text/markdown" or is_harmless(str(value))


def depth(text: str) -> int:
    """How many tags are opened at the same time, at most and at a glance: some need not be closed."""
    deepest = now = 0
    for closing in re.findall(r"<(/?)(?!(?:br|hr|img|col|wbr|p|li|td|tr|th)\b)[A-Za-z]", text):
        now = max(0, now - 1) if closing else now + 1
        deepest = max(deepest, now)
    return deepest


def plain(nb: NotebookNode, resources: Any, cleaner: Any) -> None:
    """All texts as plain text, and of outputs only what is no markup."""
    for number, cell in enumerate(nb.cells):
        if cell.cell_type != "code":
            cell.cell_type, cell.source = "markdown", fenced(cell.source[:TEXT_CHARACTERS])
            cell.pop("attachments", None)
        for output in cell.get("outputs", []):
            kinds = ("text/plain", "image/png")
            if "data" in output:
                output["data"] = NotebookNode({k: v for k, v in output["data"].items() if k in kinds})
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in ("nbgrader", "bonsai_result")})
        cell["id"] = f"cell-{number}"


def teacher_cells(resources: Any) -> dict[str, NotebookNode]:
    """grade_id -> the assignment's cell as the gradebook has it, in the order of the lesson."""
    names = resources["nbgrader"]
    cells = {}
    with Gradebook(names["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
        points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
        kinds = {
            "grade": {cell.name for cell in notebook.grade_cells},
            "solution": {cell.name for cell in notebook.solution_cells},
            "task": {cell.name for cell in notebook.task_cells},
        }
        for source in notebook.source_cells:
            name = source.name
            meta = {"grade_id": name, "locked": bool(source.locked), "checksum": source.checksum, "schema_version": 3}
            meta |= {kind: name in of_kind for kind, of_kind in kinds.items()} | {"cell_type": source.cell_type}
            if name in points:
                meta["points"] = points[name]
            cells[name] = bare_cell(source.cell_type, source.source or "", {"nbgrader": meta})
            cells[name].id = f"teachers-{len(cells)}"
    return cells


def same(cell: NotebookNode, teachers: NotebookNode) -> bool:
    """Whether a locked cell is the teacher's, as it is or as it was released."""
    texts = (words(without_hidden(teachers.source)), words(teachers.source))
    return cell.cell_type == teachers.cell_type and words(cell.source) in texts


def language_of(nb: NotebookNode) -> str:
    """The language of a notebook's kernel where it is not Python, or ""."""
    spec = nb.metadata.get("kernelspec")
    spec = spec if isinstance(spec, dict) else {}
    known = {"ir": "R", "xr": "R"}
    name = re.sub(r"[^a-z].*", "", str(spec.get("name") or "").lower())  # julia-1.10
    language = str(spec.get("language") or "") or known.get(name, name)
    return "" if re.match(r"i?python|conda|venv|", language, re.I)[0] else language[:40]  # type: ignore[index]


def put_back(nb: NotebookNode, known: dict[str, NotebookNode]) -> None:
    """Add the teacher's cells that are missing, answers excepted: nbgrader's own way stops at two in a row.

    A set-up cell goes after the teacher's cell before it, a test before the one after it: below all of the learner's.
    """
    order = list(known)
    for name, cell in known.items():
        present = [(c.metadata.get("nbgrader") or {}).get("grade_id") for c in nb.cells]
        meta = cell.metadata.nbgrader
        if name in present or (meta.solution and not meta.grade):
            continue
        before, after = order[: order.index(name)], order[order.index(name) + 1 :]
        if "points" not in meta:
            at = max((present.index(n) + 1 for n in before if n in present), default=0)
        else:
            at = min((present.index(n) for n in after if n in present), default=len(present))
        nb.cells.insert(at, nbformat.from_dict(cell))


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
    about = {"measured": run.measured, "seconds": round(run.seconds, 3), "timed_out": run.timed_out}
    run.notebook.metadata["bonsai_run"] = about
    return run.notebook


def without_hidden(source: str) -> str:
    """A teacher's cell without its hidden tests or mark scheme; an unclosed one goes to the end."""
    region = r"^[^\n]*BEGIN (HIDDEN TESTS|MARK SCHEME).*?(END \1[^\n]*\n?|\Z)"
    return re.sub(region, "", source, flags=re.S | re.M)


def configure(c: Any, sandbox: str = "bubblewrap") -> None:
    """Plug everything into nbgrader's configuration object."""
    c.SplitExecute.sandbox = sandbox
    c.SanitizeHTML.enabled = c.CleanForReaders.enabled = True
    # nbgrader's CheckCellMetadata is in neither list: every cell has the teacher's own metadata, or none
    restore = [DropDuplicates, ClearOutput, OverwriteKernelspec, OverwriteCells]
    run = [SplitExecute, LimitOutput, SaveStructuredGrades, AssignLatePenalties, CleanForReaders]
    c.Autograde.sanitize_preprocessors, c.Autograde.autograde_preprocessors = restore, run
    c.Autograde.exporter_class = ProvenExporter
    c.GenerateFeedback.preprocessors = [GradesAndWaits, HideHiddenTests, ResultsFirst, CSSHTMLHeaderPreprocessor]
    c.GenerateFeedback.exporter_class = FeedbackExporter
    c.HTMLExporter.preprocessors = [Formulas]  # feedback and the formgrader's pages
