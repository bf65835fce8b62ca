"""Checks one's own notebook in an ordinary Jupyter kernel: on macOS and Windows, and wherever there is no bubblewrap.

The tests are the same, hidden ones included, but they run beside the answers: this is no sandbox, and no way to grade
what somebody else wrote.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.desk import workspace
from autograder.desk.workspace import key
from autograder.grading.demonstrations import roles, to_run
from autograder.results import Run, TestResult
from autograder.source import LESSONS, TAKEN_MESSAGE, is_taken, kind_of, teacher_notebook

CELL_S = 300  # wall clock, for a busy laptop
LEFT_OUT = "skip-execution"  # nbclient does not run a cell with this tag
NO_SANDBOX = "This check is not a sandbox: your cells run with your rights, as they do in JupyterLab."


def check(source: Path, notebook: Path, tell: Callable[[TestResult], None], only: str = "") -> Run:
    """Run a learner's notebook with the lesson's own set-up and tests, without the demonstrations that nothing needs.

    Args:
        source: the lesson's source, which holds the hidden tests.
        notebook: the learner's, in the folder where it runs.
        tell: is called with each exercise's result as it is judged.
        only: one exercise: what stands below its test, the other tests, and the learner's own cells that nothing
            above it needs are not run.

    Raises:
        WorkspaceError: the file is not a notebook.
        ValueError: the lesson has no exercise of that name.
    """
    from nbclient import NotebookClient  # imported late: the check in the sandbox does without a kernel
    from nbclient.exceptions import DeadKernelError

    began = time.monotonic()
    teacher = teacher_notebook(source)
    require_exercise(source, teacher, only)
    prepared = with_tests(workspace.read(notebook), teacher, only)
    leave_out(prepared, demonstrations(teacher, prepared if only else None))
    taken = {key(cell) for cell in prepared.cells if is_taken(cell.source)}
    run = Run(prepared)

    def judged(cell: NotebookNode, **_: object) -> None:
        if kind_of(cell.metadata.get("nbgrader", {})) == "test":
            result = judge(cell)
            if result.exercise in taken:
                result.points, result.passed, result.message = 0.0, False, TAKEN_MESSAGE
            run.tests.append(result)
            tell(result)

    client = NotebookClient(
        prepared,
        timeout=CELL_S,
        interrupt_on_timeout=True,
        error_on_timeout={"ename": "Timeout", "evalue": f"the cell ran for more than {CELL_S} s", "traceback": []},
        allow_errors=True,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],  # else each check begins with a warning about the transport
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_executed=judged,
    )
    with contextlib.suppress(DeadKernelError):
        client.execute(env=os.environ | {"NBGRADER_EXECUTION": "autograde", "MPLBACKEND": "agg"})
    seen = {result.id for result in run.tests}
    for cell in prepared.cells:
        if kind_of(cell.metadata.get("nbgrader", {})) == "test" and key(cell) not in seen:
            cell.outputs = [nbformat.v4.new_output("error", ename="", evalue="not run: the kernel died before it")]
            judged(cell)
    run.seconds = time.monotonic() - began
    return run


def require_exercise(source: Path, teacher: NotebookNode, exercise: str) -> None:
    """See that a lesson has an exercise, if one is named.

    Raises:
        ValueError: it has none of that name.
    """
    known = [key(c).removeprefix("test_") for c in teacher.cells if kind_of(c.metadata.get("nbgrader", {})) == "test"]
    if exercise and exercise not in known:
        raise ValueError(f"no exercise {exercise!r} in {source.stem}: there are {', '.join(known)}")


def with_tests(mine: NotebookNode, teacher: NotebookNode, only: str = "") -> NotebookNode:
    """The learner's cells with the teacher's set-up and tests in place of what stands there; missing tests put back."""
    locked = {
        key(c): c for c in teacher.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("locked")
    }
    cells = [locked.get(key(cell), cell) for cell in mine.cells if cell.cell_type == "code"]
    order = [key(c) for c in teacher.cells if "nbgrader" in c.metadata]
    for name in order:
        if name in locked and name not in map(key, cells):
            after = [i for i, c in enumerate(cells) if key(c) in order and order.index(key(c)) > order.index(name)]
            cells.insert(min(after, default=len(cells)), locked[name])
    if only:
        end = next((i for i, c in enumerate(cells) if key(c) == f"test_{only}"), len(cells) - 1)
        tests = [key(c) for c in cells if key(c).startswith("test_") and key(c) != f"test_{only}"]
        cells = [c for c in cells[: end + 1] if key(c) not in tests]
    prepared = nbformat.v4.new_notebook(cells=[nbformat.from_dict(cell) for cell in cells], metadata=mine.metadata)
    for number, cell in enumerate(prepared.cells):
        cell.outputs, cell.execution_count, cell.id = [], None, f"cell-{number}"
    return prepared


def demonstrations(teacher: NotebookNode, prepared: NotebookNode | None = None) -> list[str]:
    """The texts of a lesson's own demonstrations; of a notebook's own cells, too, where one exercise is checked."""
    cells = [*teacher.cells, *(prepared.cells if prepared else [])]
    return [c.source for c in cells if c.cell_type == "code" and "nbgrader" not in c.metadata]


def leave_out(notebook: NotebookNode, texts: Collection[str]) -> None:
    """Mark the cells with these texts that nothing in the notebook needs, so that nbclient does not run them."""
    code = [c for c in notebook.cells if c.cell_type == "code"]
    cells = roles(((kind_of(cell.metadata.get("nbgrader", {})), cell.source) for cell in code), texts)
    needed = to_run(cells)
    for i, cell in enumerate(code):
        if cells[i][0] == "demonstration" and i not in needed:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), LEFT_OUT]


def only_what_counts(notebook: NotebookNode, **_: object) -> None:
    """For nbclient, when it begins with a lesson's notebook: leave out what grading leaves out."""
    about = notebook.metadata.get("bonsai")
    name = about.get("lesson") if isinstance(about, dict) else None
    if name in workspace.lessons():
        leave_out(notebook, demonstrations(workspace.read(LESSONS / name / f"{name}.ipynb")))


def judge(cell: NotebookNode) -> TestResult:
    """The result of a test cell that was run; the number that its last line shows is the points, as nbgrader has it."""
    error = next((o for o in cell.outputs if o.output_type == "error"), None)
    shown = next((o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "execute_result"), "")
    most = points = float(cell.metadata.nbgrader.points)
    message = ""
    if error is None and re.fullmatch(r"\d+(\.\d+)?", shown):
        points = min(float(shown), most)
        said = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
        message = said.partition("✗ ")[2].strip()
    if error is not None:
        message = error.evalue if error.ename == "CheckFailed" else f"{error.ename}: {error.evalue}".strip(": ")
        if error.ename == "NotImplementedError" and not error.evalue:
            message = "not answered yet"
    ran = error is None and cell.execution_count is not None
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    name = key(cell)
    passed, points = ran and not message, points if ran else 0.0
    return TestResult(name, name.removeprefix("test_"), points, most, passed, message, 0.0)
