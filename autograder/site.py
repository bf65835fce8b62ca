"""Builds the reading site: all lessons executed, with pictures and formulas, without answers and hidden tests.

python -m autograder.site [FOLDER]          build/site by default; open its index.html
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.source import LESSONS, ROOT, SOLUTIONS

DOCS = ROOT / "docs"
PICTURE = re.compile(r"^\*Picture: (.+?)\*\s*$", re.M | re.S)
OTHER = re.compile(r"\]\(\.\./(\w+)/\1\.ipynb\)")  # a link to another lesson, which has a folder of its own
TABLE = "## 2. What each technique gave on this model"  # the heading of lesson 11's decision table


def build(target: Path) -> None:
    """Write the sources of the site beside `target`, and have Sphinx make the pages.

    Raises:
        CalledProcessError: Sphinx found something wrong; it has said what.
    """
    pages = target.parent / f"{target.name}-source"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(DOCS, pages)
    shutil.copy(ROOT / "autograder" / "SECURITY.md", pages / "security.md")
    (pages / "lessons").mkdir()
    names = [path.stem for path in sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb"))]
    for name in names:
        nbformat.write(page(name), pages / "lessons" / f"{name}.ipynb")
    nbformat.write(section(page("11_capstone"), TABLE), pages / "decisions.ipynb")
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet"]
    subprocess.run([*command, str(pages), str(target)], check=True)


def page(name: str) -> NotebookNode:
    """A lesson as it is released, with the outputs of its executed solution. Answers stay stubs."""
    released = nbformat.read(LESSONS / name / f"{name}.ipynb", as_version=4)
    executed = {cell.id: cell for cell in nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4).cells}
    for number, cell in enumerate(released.cells):
        meta = cell.metadata.get("nbgrader", {})
        cell.metadata = NotebookNode()
        if cell.cell_type != "code":
            cell.source = OTHER.sub(r"](\1.ipynb)", cell.source)  # here all lie in one folder
            continue
        if not meta.get("solution"):
            cell.outputs = [shown(output) for output in executed[cell.id].outputs]
        if meta.get("locked"):
            cell.metadata["tags"] = ["hide-input"]
        if alt := picture(released.cells[number + 1 :]):
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return released


def section(whole: NotebookNode, heading: str) -> NotebookNode:
    """One section of a page as a page of its own.

    Raises:
        StopIteration: the page has no such heading.
    """
    cells = iter(whole.cells)
    first = next(cell for cell in cells if f"\n{heading}" in f"\n{cell.source}")
    first.source = re.sub(r"^##( \d+\.)?", "#", first.source[first.source.index(heading) :])
    part = nbformat.from_dict(whole | {"cells": [first]})
    for cell in cells:
        before, *after = re.split(r"^## ", cell.source, maxsplit=1, flags=re.M)
        cell.source = before if cell.cell_type == "markdown" else cell.source
        if cell.source.strip():
            part.cells.append(cell)
        if after and cell.cell_type == "markdown":
            break
    return part


def shown(output: NotebookNode) -> NotebookNode:
    """An output as the site shows it: a picture where there is one, else text."""
    data = output.get("data", {})
    if "image/png" in data:
        output.data = NotebookNode({"image/png": data["image/png"]})
    return output


def picture(below: list[NotebookNode]) -> str:
    """What the text below a cell says about its picture."""
    if below and below[0].cell_type == "markdown" and (said := PICTURE.search(below[0].source)):
        return re.sub(r"[*`$]", "", " ".join(said[1].split()))
    return ""


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        build(folder)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the site could not be built: Sphinx ended with {error.returncode}")
    print(f"Open {folder / 'index.html'}")
