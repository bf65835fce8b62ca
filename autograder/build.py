"""Writes a lesson's notebooks: the learner's into `lessons/`, the executed solution into `solutions/`."""

import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder import course
from autograder.source import LESSONS, SOLUTIONS, helpers, teacher_notebook


def release_notebook(source: Path) -> NotebookNode:
    """The learner's notebook, made by nbgrader's own generate step: no answers, no hidden tests.

    Raises:
        SourceError: the source breaks a rule.
        CourseError: nbgrader refused it.
    """
    with tempfile.TemporaryDirectory() as folder:
        course.add_source(Path(folder), source)
        course.generate(Path(folder), source.stem)
        return nbformat.read(Path(folder) / "release" / source.stem / f"{source.stem}.ipynb", as_version=4)


def execute(notebook: NotebookNode, folder: Path, timeout_s: int = 600) -> NotebookNode:
    """Run a notebook in place from the top in a fresh kernel whose working folder is `folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    client.execute(env=os.environ | {"PYTHONHASHSEED": "0"})
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds this machine's version
    notebook.metadata.pop("widgets", None)  # a widget without its kernel is an error message: keep its picture alone
    for cell in notebook.cells:
        if cell.cell_type == "code":
            views = [o for o in cell.outputs if o.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)]
            cell.outputs = [o for o in cell.outputs if o not in views or "image/png" in o.data]
    return notebook


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy with no outputs and no execution counts."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def build(source: Path, run: bool = True) -> list[Path]:
    """Write the learner's notebook and, if `run`, the executed solution; returns what was written."""
    name = source.stem
    lesson = LESSONS / name / f"{name}.ipynb"
    lesson.parent.mkdir(parents=True, exist_ok=True)
    _write(release_notebook(source), lesson)
    if not run:
        return [lesson]
    solution = SOLUTIONS / f"{name}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        for helper in helpers(source):
            shutil.copy(helper, folder)
        _write(execute(teacher_notebook(source), Path(folder)), solution)
    return [lesson, solution]


def _write(notebook: NotebookNode, path: Path) -> None:
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
