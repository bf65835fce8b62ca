"""The order of the suite; what runs in turn, and `--whole`; `--since`, the part that what was changed concerns."""

import functools
import gc
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import autograder  # noqa: F401  (before nbformat, which is loaded faster then)

ROOT = Path(__file__).resolve().parent.parent
WHOLE_LESSONS = ("test_lessons", "test_browser", "test_site")  # minutes each: in the whole suite alone
# What a change below these concerns, beside the tests of a lesson and the test files that were changed themselves.
CONCERNS = {
    "autograder/box/": ("test_wire", "test_sandbox", "test_split"),
    "autograder/grading/": ("test_split", "test_demonstrations", "test_suspicion", "test_preprocessors"),
    "autograder/grading/demonstrations": ("test_demonstrations",),
    "autograder/desk/": ("test_desk",),
    "autograder/classes/": ("test_classes",),
    "autograder/build.py": ("test_build",),
    "autograder/source.py": ("test_build", "test_cli"),
    "autograder/cli.py": ("test_cli",),
    "autograder/course.py": ("test_cli", "test_preprocessors"),
    "bonsai/scratch": ("test_scratch",),
    "bonsai/": ("test_toolkit", "test_benchmark"),
    "pyproject.toml": ("test_project",),
    "requirements.lock": ("test_project",),
}


# What costs minutes is done in turn: a quarter at a commit, others at the next, so that four commits see all of it.
PARTS = 4


def pytest_configure(config):
    config.addinivalue_line("markers", "in_turn(shift, parts): a part of the lessons at each commit; all with --whole")
    config.addinivalue_line("markers", "quick: only with --since or --whole, as another test says the same more slowly")


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="also what is left to the turns of other commits")
    parser.addoption("--since", metavar="COMMIT", help="only tests that the changes since this commit concern")


def pytest_collection_modifyitems(config, items):
    """The longest first: whole lessons, of these the grading of all their answers; the many rows of answers last."""
    last, first = ("test_answers",), ("test_lessons", "honest_work")
    items.sort(key=lambda item: [name in item.nodeid for name in last] + [name not in item.nodeid for name in first])
    if not config.getoption("--whole"):
        keep(config, items, is_in_turn)
    if commit := config.getoption("--since"):
        keep(config, items, lambda item: is_concerned(item, changed(commit), commit))
    elif not config.getoption("--whole"):
        keep(config, items, lambda item: item.get_closest_marker("quick") is None)


def pytest_collection_finish():
    """What is imported and collected stays: the garbage collector need not look through it at every test."""
    gc.collect()
    gc.freeze()


def keep(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    """Leave only the wanted tests in the list, and tell pytest of the others."""
    kept, others = [], []
    for item in items:
        (kept if wanted(item) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


@functools.cache
def commits() -> int:
    """The number of the commit; 0 where there is no history."""
    done = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else 0


def is_in_turn(item: pytest.Item) -> bool:
    """Whether a test belongs to this commit; one without the mark always does."""
    mark = item.get_closest_marker("in_turn")
    if mark is None:
        return True
    return (int(lesson_of(item) or 0) - commits() - mark.kwargs["shift"]) % mark.kwargs.get("parts", PARTS) == 0


@pytest.fixture
def turn() -> int:
    """How often the turn has come to a lesson: 0, 1, 2, …"""
    return commits() // PARTS


@pytest.fixture
def in_turn(pytestconfig) -> Callable[[Sequence], Sequence]:
    """Of some cases, those whose turn it is at this commit."""
    return lambda cases: cases if pytestconfig.getoption("--whole") else cases[commits() % PARTS :: PARTS]


@functools.cache
def changed(commit: str) -> tuple[str, ...]:
    """Files that differ from where this branch left `commit`, those not yet added included."""
    base = git("merge-base", commit, "HEAD").strip()
    return tuple(
        sorted({*git("diff", "--name-only", base).split(), *git("ls-files", "-o", "--exclude-standard").split()})
    )


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise pytest.UsageError(f"--since: {done.stderr.strip()}")
    return done.stdout


def is_concerned(item: pytest.Item, files: tuple[str, ...], commit: str) -> bool:
    """Whether changed files concern a test: its own file; the files that it is about; its lesson and exercise."""
    name = Path(str(item.path)).stem
    if name in WHOLE_LESSONS:
        return False
    lesson = lesson_of(item)
    if lesson is None:
        concerns = {
            test for file in files for start, tests in CONCERNS.items() if file.startswith(start) for test in tests
        }
        return name in concerns or f"tests/{name}.py" in files
    mine = [file for file in files if re.search(rf"(/|lesson){lesson}(_|\.|/)", file)]
    if name != "test_answers":
        return bool(mine)
    exercises = changed_exercises(lesson, commit, tuple(mine))
    return exercises is None or any(f"[{lesson}-{exercise}" in item.nodeid for exercise in exercises)


def lesson_of(item: pytest.Item) -> str | None:
    """The number of the lesson that a test is about, by its parameters."""
    found = re.search(r"\[(\d\d)[-_]", item.nodeid)
    return found[1] if found else None


@functools.cache
def changed_exercises(lesson: str, commit: str, files: tuple[str, ...]) -> set[str] | None:
    """Exercises of a lesson whose answer, test, or table of answers changed; None: all, since its helpers did."""
    import jupytext

    if any(re.match(r"lessons/.*\.py", file) for file in files):
        return None
    base, exercises = git("merge-base", commit, "HEAD").strip(), set()
    for file in files:
        if not re.match(r"(solutions|tests/answers)/.*\.py", file):
            continue
        before = subprocess.run(["git", "show", f"{base}:{file}"], cwd=ROOT, capture_output=True, text=True).stdout
        now = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
        cells = [
            {(exercise_of(c), c.source) for c in jupytext.reads(text, fmt="py:percent").cells} for text in (before, now)
        ]
        different = {exercise for exercise, _ in cells[0] ^ cells[1]}
        if "setup" in different:
            return None
        exercises |= different - {""}
    return exercises


def exercise_of(cell) -> str:
    if cell.metadata.get("title") == "setup":
        return "setup"
    return next((cell.metadata[k] for k in ("exercise", "test", "right", "wrong") if k in cell.metadata), "")
