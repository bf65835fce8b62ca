"""A test must be able to fail: every lesson's test cells against wrong and right answers.

`tests/answers/NN_name.py` holds them, one a cell, each a complete replacement of the answer cell:

    # %% wrong="affine_qparams" says="not widened"                 a named mistake: the visible and the hidden tests
                                                                    each find it alone and say so
    # %% wrong="affine_qparams" unnamed=True says="expected"        any other mistake: the whole test cell finds it
    # %% wrong="pack_int4" says="sign was lost" score=2             as before; the clauses that hold give 2 points
    # %% right="affine_qparams"                                     another correct answer: the test cell accepts it

No wrong answer gets the sentence of another named mistake of its exercise, unless its row says that it holds there:
`also="no int|not clamped"`.
"""

import ast
import contextlib
import functools
import io
import re
import sys
import tempfile
import traceback
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import pytest
import torch

from autograder.grading.demonstrations import Names, look
from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai import data, testing
from bonsai.scratch import find_shortcuts, own_modules
from bonsai.testing import CheckFailed, report_shortcuts

pytestmark = pytest.mark.filterwarnings("ignore")  # what numpy and torch say of wrong answers
ANSWERS = Path(__file__).parent / "answers"
CHECKS = ("check", "check_errors", "expect", "require", "from_scratch")
LONGEST_MESSAGE = 600
LOAD_ONCE = functools.cache(data.load)
RAN: list[str] = []  # cells, as a notebook's kernel remembers them


@dataclass
class Row:
    """One wrong or right answer."""

    lesson: str
    exercise: str
    kind: str  # named, unnamed or right
    says: str
    source: str
    id: str
    also: tuple[str, ...] = ()
    score: float = 0.0  # points by clause, for a wrong answer


class Lesson:
    """The code cells of a lesson."""

    def __init__(self, name: str):
        cells = [c for c in teacher_notebook(find_source(name)).cells if c.cell_type == "code"]
        named = {c.metadata.nbgrader.grade_id: c.source for c in cells if "nbgrader" in c.metadata}
        self.name, self.setup = name, named.pop("setup")
        about = [c.metadata.nbgrader for c in cells if "nbgrader" in c.metadata]
        self.points = {meta.grade_id.removeprefix("test_"): meta.points for meta in about if meta.grade}
        self.tests = {k.removeprefix("test_"): v for k, v in named.items() if k.startswith("test_")}
        self.answers = {k: named[k] for k in named if k in self.tests}  # in the order of the notebook
        order = list(named)  # a test may stand below a later exercise, which it needs
        self.above = {e: [o for o in self.answers if order.index(o) < order.index(f"test_{e}")] for e in self.answers}

    def world(self, exercise: str, answer: str) -> dict[str, Any]:
        """The namespace in which a test cell meets an answer: set-up, the references above it, answer."""
        sys.path.insert(0, str(LESSONS / self.name))
        try:
            names = run(self.setup, {"__name__": "__main__"}, "<setup>")
        finally:
            sys.path.pop(0)
        RAN[:] = [self.setup]
        for other in self.above[exercise]:
            if other != exercise:
                run(self.answers[other], names, "<reference>")
                RAN.append(self.answers[other])
        RAN.append(answer)

        def from_scratch(learners: Callable, forbidden: list[str], uses: Collection[str] = ()) -> None:
            name = learners.__name__
            forbidden = [*forbidden, *(module for module in own_modules([self.setup]) if module not in uses)]
            report_shortcuts(name, find_shortcuts([self.setup, answer], name, forbidden))

        names["from_scratch"] = from_scratch
        return run(answer, names, "<answer>")

    def fails(self, exercise: str, answer: str, visible: bool = True, hidden: bool = True) -> Exception | None:
        """What a test cell raises for an answer. The part that does not count runs with its checks silent."""
        names = self.world(exercise, answer)
        shown, secret = split(self.tests[exercise])
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                if visible:
                    run(shown, names, "<visible>")
                    run(secret if hidden else "", names, "<hidden>")
                else:
                    alone(shown, secret, names)
                if "clauses" in names:
                    names["clauses"].award()
            except Exception as error:
                return error
        return None


def run(source: str | ast.Module, names: dict[str, Any], filename: str) -> dict[str, Any]:
    exec(compile(source, filename, "exec"), names)
    return names


def alone(visible: str, hidden: str, names: dict[str, Any]) -> None:
    """Run the hidden part of a test cell, and of the visible part before it what it needs, with its checks silent: each
    hidden statement is preceded by the visible ones up to the last that mentions a name which it reads and they bind.
    So a mistake that is found at once does not wait for the trainings of the visible part."""
    before = [(s, names_in(s)) for s in ast.parse(visible).body if not is_check(s)]
    given, mine = {name for _, about in before for name in about.binds}, set()
    for statement in ast.parse(hidden).body:
        about = names_in(statement)
        wanted = about.reads & given - mine
        last = max((k for k, (_, other) in enumerate(before) if wanted & other.mentions), default=-1)
        kept = {name: names[name] for name in mine if name in names}
        silently([other for other, _ in before[: last + 1]], names)
        del before[: last + 1]
        names.update(kept)
        run(ast.Module([statement], []), names, "<hidden>")
        mine |= set(about.binds)


def is_check(statement: ast.stmt) -> bool:
    """Whether a statement only calls a check of the lesson's own, `checks09.check_clock(…)`."""
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("checks")


def names_in(statement: ast.stmt) -> Names:
    """What a statement does with names."""
    _, about = look(ast.unparse(statement))
    return about


def silently(statements: list[ast.stmt], names: dict[str, Any]) -> None:
    """Run statements for what they define: checks do nothing, and what raises is passed over."""
    real = {name: names[name] for name in CHECKS}
    names.update(dict.fromkeys(CHECKS, lambda *args, **kwargs: None))
    failed = dict(names["clauses"].failed) if "clauses" in names else {}
    for statement in statements:
        with contextlib.suppress(Exception):
            run(ast.Module([statement], []), names, "<visible>")
    names.update(real)
    if "clauses" in names:
        names["clauses"].failed = failed


def split(test: str) -> tuple[str, str]:
    """The visible and the hidden part of a test cell."""
    region = re.compile(r"^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS", re.S | re.M)
    return region.sub("", test).replace("\nclauses.award()", ""), "\n".join(region.findall(test))


def stub(answer: str) -> str:
    """The answer cell as learners get it."""
    return re.sub(
        r"^( *)### BEGIN SOLUTION.*?### END SOLUTION", r"\1raise NotImplementedError()", answer, flags=re.S | re.M
    )


def rows(path: Path) -> Iterator[Row]:
    count: Counter[str] = Counter()
    for cell in jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells:
        if cell.cell_type != "code":
            continue
        also = tuple(str(cell.metadata.pop("also", "")).split("|"))
        score = float(cell.metadata.pop("score", 0))
        markers = set(cell.metadata) & {"wrong", "right", "unnamed", "says"}
        verdict = "right" if "right" in markers else "wrong"
        if markers not in ({"right"}, {"wrong", "says"}, {"wrong", "unnamed", "says"}):
            raise ValueError(f"{path.name}: a cell marked {dict(cell.metadata)}")
        exercise = cell.metadata[verdict]
        kind = "right" if verdict == "right" else "unnamed" if cell.metadata.get("unnamed") else "named"
        count[exercise + verdict] += 1
        label = f"{path.stem[:2]}-{exercise}-{verdict}-{count[exercise + verdict]}"
        yield Row(path.stem, exercise, kind, str(cell.metadata.get("says", "")), cell.source, label, also, score)


LESSON = {path.stem: Lesson(path.stem) for path in sorted(ANSWERS.glob("[0-9][0-9]_*.py"))}
ROWS = [row for name in LESSON for row in rows(ANSWERS / f"{name}.py")]
EXERCISES = [pytest.param(lesson, e, id=f"{n[:2]}-{e}") for n, lesson in LESSON.items() for e in lesson.answers]


def of_kind(*kinds: str) -> list:
    return [pytest.param(row, id=row.id) for row in ROWS if row.kind in kinds]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where answers write, working folder and temporary one: what the other process of the suite writes is no trace."""
    return tmp_path_factory.mktemp("answers")


@pytest.fixture(autouse=True)
def world(monkeypatch, folder):
    """One thread, a fixed seed, the data read once, a kernel that remembers its cells, and a folder."""
    monkeypatch.setattr(data, "load", LOAD_ONCE)
    monkeypatch.setattr(testing, "get_ipython", lambda: types.SimpleNamespace(user_ns={"In": RAN}))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(folder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def explain(error: Exception | None) -> str:
    return "".join(traceback.format_exception(error)) if error else "nothing was raised"


def crossings(row: Row, message: str) -> list[str]:
    """What names other mistakes of the exercise, and stands in the message that an answer gets."""
    others = {r.says for r in ROWS if (r.lesson, r.exercise, r.kind) == (row.lesson, row.exercise, "named")}
    told = message.partition("\n  expected")[0].lower()  # what follows are values
    found = [says for says in others if says.lower() in told and len(says) > len("expected")]
    known = (row.says.lower(), *(says.lower() for says in row.also))
    return sorted(says for says in found if not any(k and (says.lower() in k or k in says.lower()) for k in known))


def assert_tells(error: Exception | None, row: Row) -> None:
    """A failed check that names the mistake and no other; or an exception of the answer itself, if its text does."""
    says = row.says
    assert error is not None, f"the tests accept this answer; expected a message with {says!r}"
    frames = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
    assert isinstance(error, CheckFailed) or (says and "<answer>" in frames), explain(error)
    message = str(error) if isinstance(error, CheckFailed) else f"{type(error).__name__}: {error}"
    assert says.lower() in message.lower(), message
    assert len(message) <= LONGEST_MESSAGE, message
    assert not (others := crossings(row, message)), f"names {others}, another mistake: {message}"


@pytest.mark.parametrize("row", of_kind("named"))
def test_named_mistake(row):
    lesson = LESSON[row.lesson]
    assert_tells(lesson.fails(row.exercise, row.source, hidden=False), row)
    assert_tells(lesson.fails(row.exercise, row.source, visible=False), row)


@pytest.mark.parametrize("row", of_kind("unnamed"))
def test_unnamed_mistake(row):
    assert_tells(LESSON[row.lesson].fails(row.exercise, row.source), row)


@pytest.mark.parametrize("row", [param for param in of_kind("named", "unnamed") if param.values[0].score])
def test_points_by_clause(row):
    lesson = LESSON[row.lesson]
    testing.awarded.clear()
    assert lesson.fails(row.exercise, row.source) is not None
    assert testing.awarded == [row.score / lesson.points[row.exercise]]


@pytest.mark.parametrize("row", of_kind("right"))
def test_right_answer(row):
    error = LESSON[row.lesson].fails(row.exercise, row.source)
    assert error is None, explain(error)


@pytest.mark.quick
@pytest.mark.parametrize("lesson, exercise", EXERCISES)
def test_reference(lesson, exercise):
    """As its full marks in the sandbox say at every commit."""
    error = lesson.fails(exercise, lesson.answers[exercise])
    assert error is None, explain(error)


@pytest.mark.parametrize("lesson, exercise", EXERCISES)
def test_stub(lesson, exercise):
    error = lesson.fails(exercise, stub(lesson.answers[exercise]))
    assert isinstance(error, NotImplementedError), explain(error)


@pytest.mark.parametrize("lesson, exercise", EXERCISES)
def test_table_is_complete(lesson, exercise):
    mine = [row for row in ROWS if row.lesson == lesson.name and row.exercise == exercise]
    kinds = Counter(row.kind for row in mine)
    assert kinds["right"] >= 3 and kinds["unnamed"] >= 2 and kinds["named"] >= 1, kinds
    forbids = "from_scratch(" in lesson.tests[exercise]
    assert not forbids or any("from scratch" in row.says for row in mine), "no answer that calls a forbidden library"
    assert all(row.says for row in mine if row.kind != "right")


def test_every_row_has_an_exercise():
    assert all(row.exercise in LESSON[row.lesson].answers for row in ROWS)
