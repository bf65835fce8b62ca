"""Checks one's own notebook in an ordinary Jupyter kernel: on macOS and Windows, and wherever there is no bubblewrap.

The tests are the same, hidden ones included, but they run beside the answers: this is no sandbox, and no way to grade
what somebody else wrote.
"""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.desk.workspace import key
from autograder.source import is_taken, teacher_notebook

CELL_S = 300  # wall clock, for a busy laptop
NO_SANDBOX = "There is no sandbox here: your cells run with your rights, as they do in JupyterLab."


def check(source: Path, notebook: Path, tell: Callable[[dict], None], only: str = "") -> list[dict]:
    """Run a learner's notebook with the lesson's own set-up and tests.

    Args:
        source: the lesson's source, which holds the hidden tests.
        notebook: the learner's, in the folder where it runs.
        tell: is called with each exercise's row as it is judged: id, points, max_points, passed, message.
        only: one exercise; cells below its test are not run.

    Returns:
        the rows of all exercises that were asked for.
    """
    from nbclient import NotebookClient  # imported late: the check in the sandbox does without a kernel
    from nbclient.exceptions import DeadKernelError

    prepared = with_tests(nbformat.read(notebook, as_version=4), teacher_notebook(source), only)
    taken = {key(cell) for cell in prepared.cells if is_taken(cell.source)}
    rows: dict[str, dict] = {}

    def judged(cell: NotebookNode, **_: object) -> None:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade") and cell.cell_type == "code":
            row = judge(cell)
            if row["id"] in taken:
                row |= {"points": 0.0, "passed": False, "message": "the course's own answer, worth 0 points"}
            if not only or row["id"] == only:
                rows[row["id"]] = row
                tell(row)

    client = NotebookClient(
        prepared,
        timeout=CELL_S,
        interrupt_on_timeout=True,
        error_on_timeout={"ename": "Timeout", "evalue": f"the cell ran for more than {CELL_S} s", "traceback": []},
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_executed=judged,
    )
    with contextlib.suppress(DeadKernelError):
        client.execute(env=os.environ | {"NBGRADER_EXECUTION": "validate", "MPLBACKEND": "agg"})
    for cell in prepared.cells:
        row = judge(cell) if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code" else None
        if row and row["id"] not in rows and (not only or row["id"] == only):
            rows[row["id"]] = row | {"points": 0.0, "passed": False, "message": "not run: the kernel died before it"}
            tell(rows[row["id"]])
    return list(rows.values())


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


def judge(cell: NotebookNode) -> dict:
    """A test cell that was run as a row of the results."""
    error = next((o for o in cell.outputs if o.output_type == "error"), None)
    points = float(cell.metadata.nbgrader.points)
    message = ""
    if error is not None:
        message = error.evalue if error.ename == "CheckFailed" else f"{error.ename}: {error.evalue}".strip(": ")
        if error.ename == "NotImplementedError" and not error.evalue:
            message = "not answered yet"
    passed = error is None and cell.execution_count is not None
    name = key(cell).removeprefix("test_")
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    return {"id": name, "points": points * passed, "max_points": points, "passed": passed, "message": message}
