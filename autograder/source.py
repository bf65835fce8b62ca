"""Reads a lesson's one source, `solutions/NN_name.py`, and makes the teacher's notebook of it.

A source is a jupytext percent script. Its cell headers carry these markers and no others:

    # %% [markdown]                                       text
    # %%                                                  code that anyone may change; `tags=[...]` for nbval
    # %% setup                                            locked; runs beside the answers and beside the tests
    # %% exercise="affine_qparams" minutes=10 difficulty=2    the answer cell; its nbgrader id is the exercise
    # %% test="affine_qparams" points=4                   locked tests; their nbgrader id is test_affine_qparams
    # %% [markdown] question="why_int8" points=4          a question that a teacher grades by hand

A test cell begins with two comment lines in plain words, `# Checked here: …` and `# Hidden tests: …`. The learner's
page shows them as text above the cell, which is folded.

All points of a test cell are lost with its first check that fails, unless the exercise's contract has clauses that can
be judged apart. These stand there with a number each, which add up to the cell's points, and checks below one of them:

    clauses = Clauses(packing=2, unpacking=2)
    with clauses("packing"):
        check(pack_int4, …)
    clauses.award()                                     the last line, behind the hidden tests

nbgrader's partial credit carries the sum.

Answers stand between `### BEGIN SOLUTION` and `### END SOLUTION`, hidden tests between `### BEGIN HIDDEN TESTS` and
`### END HIDDEN TESTS`, mark schemes between `=== BEGIN MARK SCHEME ===` and `=== END MARK SCHEME ===`.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LESSONS, SOLUTIONS = ROOT / "lessons", ROOT / "solutions"

# Which keys a cell header may carry, by the key that names its kind.
HEADERS = {
    ("code", "setup"): {"setup"},
    ("code", "exercise"): {"exercise", "minutes", "difficulty"},
    ("code", "test"): {"test", "points"},
    ("markdown", "question"): {"question", "points"},
    ("code", "plain"): {"tags"},
    ("markdown", "plain"): set(),
}
REGIONS = {  # begin and end of a region -> the only kind of cell that may hold it
    ("### BEGIN SOLUTION", "### END SOLUTION"): "exercise",
    ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"): "test",
    ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="): "question",
}
TAKEN = "# Taken from the course: worth 0 points."  # first line of an answer that `bonsai answer` put in
TAKEN_MESSAGE = "the course's own answer was taken here, which is worth 0 points"
JUPYTEXT_KEYS = {"lines_to_next_cell", "lines_to_end_of_cell_marker"}


class SourceError(ValueError):
    """A lesson's source breaks a rule; the message names the file and the cell."""


def sources() -> list[Path]:
    """The lessons' sources, in order."""
    return sorted(SOLUTIONS.glob("[0-9][0-9]_*.py"))


def find_source(lesson: str) -> Path:
    """The source of a lesson given as number or name: `1`, `01`, `01_quantization_math`.

    Raises:
        ValueError: no lesson, or more than one, is meant.
    """
    number = lesson.zfill(2) if lesson.isdigit() else lesson
    found = [p for p in sources() if p.stem == lesson or p.stem.startswith(f"{number}_")]
    if len(found) != 1:
        raise ValueError(f"no lesson {lesson!r}: there are {', '.join(p.stem for p in sources())}")
    return found[0]


def check_lessons() -> None:
    """See that the lessons are there, with the modules that their set-up cells import.

    Raises:
        SourceError: something is missing, which would be our trouble and not a submission's.
    """
    if not sources():
        raise SourceError(f"there are no lessons: {SOLUTIONS} holds no source")
    for source in sources():
        there, text = {helper.stem for helper in helpers(source)}, source.read_text(encoding="utf-8")
        imported = re.findall(rf"^(?:from|import) ([a-z]+{source.stem[:2]})\b", text, re.M)
        if missing := sorted(set(imported) - there):
            raise SourceError(f"{LESSONS / source.stem} lacks {', '.join(missing)}.py, which {source.stem} imports")


def teacher_notebook(source: Path) -> NotebookNode:
    """The notebook with answers, hidden tests and nbgrader's metadata (schema 3), without outputs.

    Raises:
        SourceError: a marker that is not known, or that stands where it may not.
    """
    parsed = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    cells: list[NotebookNode] = []
    exercises: dict[str, NotebookNode] = {}
    tested: dict[str, float] = {}
    for number, raw in enumerate(parsed.cells, 1):
        where = f"{source.name}, cell {number}"
        kind, header = _header(raw, where)
        _check_regions(raw.source, kind, where)
        cell = _cell(raw, kind, header)
        if kind == "exercise":
            name = header["exercise"]
            if name in exercises:
                raise SourceError(f"{where}: exercise {name!r} stands there twice")
            if not cells or not re.match(r"#+ ", cells[-1].source):
                raise SourceError(f"{where}: a markdown cell with a heading must introduce exercise {name!r}")
            exercises[name] = cells[-1]
            cells[-1].metadata["bonsai"] = {k: header[k] for k in ("minutes", "difficulty")}
        if kind == "test":
            name = header["test"]
            if name not in exercises or name in tested:
                raise SourceError(f"{where}: test of {name!r} needs one exercise of that name before it")
            tested[name] = header["points"]
            _check_clauses(raw.source, header["points"], where)
            cells += summary(cell)
        cells.append(cell)
    untested = sorted(set(exercises) - set(tested))
    if untested:
        raise SourceError(f"{source.name}: no test for {', '.join(untested)}")
    for name, text in exercises.items():
        effort = text.metadata.pop("bonsai")
        heading, _, rest = text.source.partition("\n")
        points = f"{tested[name]} point{'s' * (tested[name] != 1)}"
        cost = f"*Difficulty {effort['difficulty']} of 5, about {effort['minutes']} minutes, {points}*"
        text.source = f"{heading}\n\n{cost}\n{rest}"
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        bonsai={"lesson": source.stem},
    )
    _number_cells(notebook)
    nbformat.validate(notebook)
    return notebook


def _header(raw: NotebookNode, where: str) -> tuple[str, dict]:
    """The kind of a cell and the keys of its header."""
    keys = {k: v for k, v in raw.metadata.items() if k not in JUPYTEXT_KEYS}
    if keys.get("title") == "setup":
        keys["setup"] = keys.pop("title")
    kind = next((k for k in ("setup", "exercise", "test", "question") if k in keys), "plain")
    allowed = HEADERS.get((raw.cell_type, kind))
    if allowed is None:
        raise SourceError(f"{where}: a {raw.cell_type} cell cannot be marked {kind!r}")
    if unknown := sorted(set(keys) - allowed):
        raise SourceError(f"{where}: unknown marker {', '.join(f'{k}={keys[k]!r}' for k in unknown)}")
    if kind != "plain" and (missing := sorted(allowed - set(keys))):
        raise SourceError(f"{where}: {kind} cell without {', '.join(missing)}")
    for key in ("points", "minutes", "difficulty"):
        if key in keys and (not isinstance(keys[key], int) or keys[key] < 1):
            raise SourceError(f"{where}: {key}={keys[key]!r} should be a whole number from 1")
    return kind, keys


def _check_regions(text: str, kind: str, where: str) -> None:
    """Regions are closed, known, and stand in the kind of cell that they belong to."""
    marks = [line.strip() for line in text.splitlines() if re.match(r"\s*(###|===) *[A-Z][A-Z ]+", line)]
    allowed = [mark for region, home in REGIONS.items() if home == kind for mark in region]
    for mark in marks:
        if mark not in allowed:
            raise SourceError(f"{where}: unknown or misplaced marker {mark!r} in a {kind} cell")
    if marks != allowed * (len(marks) // 2) or (allowed and not marks):
        raise SourceError(f"{where}: a {kind} cell needs {' … '.join(allowed)}, opened and closed")


def _check_clauses(test: str, points: int, where: str) -> None:
    """The points of clauses add up to those of their cell, each clause has checks, and the last line gives them."""
    if not (found := re.search(r"^clauses = Clauses\(([\w=, ]+)\)$", test, flags=re.M)):
        return
    each = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found[1])}
    if sum(each.values()) != points:
        raise SourceError(f"{where}: the clauses {found[1]} do not add up to {points} points")
    if set(re.findall(r'clauses\("(\w+)"\)', test)) != set(each):
        raise SourceError(f"{where}: checks stand under other clauses than {', '.join(each)}")
    if not test.rstrip().endswith("### END HIDDEN TESTS\nclauses.award()"):
        raise SourceError(f"{where}: behind the hidden tests the last line should be clauses.award()")


def _cell(raw: NotebookNode, kind: str, header: dict) -> NotebookNode:
    new = nbformat.v4.new_markdown_cell if raw.cell_type == "markdown" else nbformat.v4.new_code_cell
    cell = new(raw.source)
    flags = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
    if kind == "setup":
        cell.metadata["nbgrader"] = flags | {"grade_id": "setup", "locked": True}
    elif kind == "exercise":
        cell.metadata["nbgrader"] = flags | {"grade_id": header["exercise"], "solution": True}
    elif kind == "test":
        own = {"grade_id": f"test_{header['test']}", "points": header["points"], "grade": True, "locked": True}
        cell.metadata["nbgrader"] = flags | own
        cell.metadata["jupyter"] = {"source_hidden": True}
    elif kind == "question":
        own = {"grade_id": header["question"], "points": header["points"], "task": True, "locked": True}
        cell.metadata["nbgrader"] = flags | own
    if "tags" in header:
        cell.metadata["tags"] = header["tags"]
    return cell


def summary(test: NotebookNode) -> list[NotebookNode]:
    """The text cell above a test, made of its two comment lines; the test cell loses them. Without them: none."""
    said = re.match(r"# Checked here: (.+)\n# Hidden tests: (.+)\n", test.source)
    if not said:
        return []
    test.source = test.source[said.end() :]
    text = f"**Checked here:** {said[1]}  \n**Hidden tests:** {said[2]}"
    return [nbformat.v4.new_markdown_cell(text)]


def points_by_hand(source: Path) -> dict[str, float]:
    """The questions that a teacher grades, and their points."""
    about = [cell.metadata.get("nbgrader", {}) for cell in teacher_notebook(source).cells]
    return {meta["grade_id"]: meta["points"] for meta in about if meta.get("task")}


def is_taken(answer: str) -> bool:
    """Whether an answer cell holds the course's own answer, as `bonsai answer` puts it there."""
    return any(line.strip() == TAKEN for line in answer.splitlines())


def kind_of(meta: Mapping[str, Any]) -> str:
    """The kind of a code cell by nbgrader's metadata."""
    if meta.get("grade") and not meta.get("solution"):
        return "test"
    if meta.get("solution"):
        return "answer"
    return "setup" if meta.get("locked") and not meta.get("task") else "plain"


def _number_cells(notebook: NotebookNode) -> None:
    """Cell ids that stay the same from build to build: nbgrader's id, else a digest of the text."""
    seen: set[str] = set()
    for cell in notebook.cells:
        named = cell.metadata.get("nbgrader", {}).get("grade_id")
        base = named or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        unique, n = base[:60], 1
        while unique in seen:
            n += 1
            unique = f"{base[:60]}-{n}"
        seen.add(unique)
        cell.id = unique


def helpers(source: Path) -> list[Path]:
    """The hand-written modules that lie beside a lesson's notebook."""
    return sorted((LESSONS / source.stem).glob("*.py"))
