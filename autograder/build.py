"""Writes a lesson's notebooks: the learner's into `lessons/`, the executed solution into `solutions/`."""

import ast
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from autograder import course
from autograder.source import LESSONS, ROOT, SOLUTIONS, helpers, teacher_notebook

CHECKS = {"testing", "scratch", "bundle"}  # of the toolkit, what says whether an answer is right, and shows no figure


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
    """A copy with no outputs, no execution counts, and no digest of what they were made from."""
    copy = nbformat.from_dict(notebook)
    copy.metadata.get("bonsai", {}).pop("digest", None)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def digest(source: Path, notebook: NotebookNode) -> str:
    """What the outputs of a solution come from, as a digest: its code, its helpers, the toolkit that these import, and
    what scripts recorded for it.

    Comments, docstrings and text cells do not count.
    """
    files = {path.stem: path for path in helpers(source)}
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    names, seen = [name for text in texts for name in imported(text)], set[str]()
    for name in names:  # grows while we walk
        part = name.removeprefix("bonsai.")
        path = files.get(name, ROOT / "bonsai" / f"{part}.py" if name.startswith("bonsai.") else None)
        if path is None or name in seen or part in CHECKS or not path.exists():
            continue
        seen.add(name)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names += imported(path.read_text(encoding="utf-8"))
        texts.append(f"{name}\n{ast.unparse(without_docstrings(tree))}")
    count = len(texts) - len(seen)
    recorded = ROOT / "data" / f"lesson{source.stem[:2]}.json"
    if recorded.exists():
        texts.append(recorded.read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(texts[:count] + sorted(texts[count:])).encode()).hexdigest()[:16]


def imported(text: str) -> list[str]:
    """Modules that a text imports, `from a import b` as a.b as well."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(("%", "!"))]
    found: list[str] = []
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return found


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def executed(source: Path, again: bool = False) -> NotebookNode:
    """A solution with its outputs: those that it has, while what they come from is as it was, else those of a new run.

    Args:
        again: run it anyway.
    """
    notebook, path = teacher_notebook(source), SOLUTIONS / f"{source.stem}.ipynb"
    made_from = digest(source, notebook)
    before = nbformat.read(path, as_version=4) if path.exists() and not again else None
    if before is not None and before.metadata.get("bonsai", {}).get("digest") == made_from:
        code = [cell for cell in before.cells if cell.cell_type == "code"]
        for cell, old in zip((c for c in notebook.cells if c.cell_type == "code"), code, strict=True):
            cell.outputs, cell.execution_count = old.outputs, old.execution_count
    else:
        with tempfile.TemporaryDirectory() as folder:
            for helper in helpers(source):
                shutil.copy(helper, folder)
            execute(notebook, Path(folder))
    notebook.metadata.bonsai["digest"] = made_from
    return notebook


def build(source: Path, run: bool = True, again: bool = False) -> list[Path]:
    """Write the learner's notebook and, if `run`, the executed solution; returns what was written.

    A file that would stay the same is not written; a solution is only run if what it is made from has changed, or if
    `again` says so.
    """
    name = source.stem
    lesson = LESSONS / name / f"{name}.ipynb"
    lesson.parent.mkdir(parents=True, exist_ok=True)
    written = [lesson] if _write(release_notebook(source), lesson) else []
    solution = SOLUTIONS / f"{name}.ipynb"
    if run and _write(executed(source, again), solution):
        written.append(solution)
    return written


def _write(notebook: NotebookNode, path: Path) -> bool:
    """Whether the file was written: not if it holds this notebook already."""
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True
