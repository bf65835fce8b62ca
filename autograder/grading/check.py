"""Checks a learner's own notebook exercise by exercise: in the sandbox, with the hidden tests, without nbgrader."""

from collections.abc import Callable
from pathlib import Path

from autograder.box.sandbox import Limits
from autograder.desk.plain import demonstrations, require_exercise, with_tests
from autograder.desk.workspace import key
from autograder.grading.grade import read
from autograder.grading.split import Grader
from autograder.results import Run, TestResult
from autograder.source import TAKEN_MESSAGE, helpers, is_taken, teacher_notebook


def check(
    source: Path,
    notebook: Path,
    tell: Callable[[TestResult], None],
    only: str = "",
    sandbox: str = "bubblewrap",
    limits: Limits | None = None,
) -> Run:
    """Grade a notebook of a lesson.

    Args:
        source: the lesson's source, which holds the hidden tests.
        tell: is called with each result as soon as the exercise is graded; and again with one that is better, or says
            more, with the course's answer in place of another one that is wrong.
        only: one exercise: what stands below its test, the other tests, and the learner's own cells that nothing
            above it needs are not run.

    Raises:
        Unreadable: the file is not a notebook.
        ValueError: the lesson has no exercise of that name.
        SandboxMissing: see `open_sandbox`.
    """
    teacher = teacher_notebook(source)
    require_exercise(source, teacher, only)
    named = {key(c): c.source for c in teacher.cells if "nbgrader" in c.metadata}
    cells = [c for c in teacher.cells if c.cell_type == "code"]
    prepared = with_tests(read(notebook), teacher, only)
    shown = demonstrations(teacher, prepared if only else None)
    taken = {key(c) for c in prepared.cells if is_taken(c.source)}

    def judged(result: TestResult) -> None:
        if result.exercise in taken:
            result.points, result.passed, result.message = 0.0, False, TAKEN_MESSAGE
        tell(result)

    folder = helpers(source)[0].parent if helpers(source) else None
    files = {path.name: path.read_bytes() for path in helpers(source)}
    with Grader(sandbox, limits, lean=True) as grader:
        known = [c.source for c in cells]
        references = {key(c): c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")}
        return grader.run(prepared, files, named, folder, known, shown, references, judged)
