"""The start page: a notebook in the workspace that says what there is, how far one is, and how to go on."""

import hashlib

import nbformat

from autograder.desk import progress, workspace

NAME = "start.ipynb"

INTRO = """# Bonsai: how to make a neural network smaller and faster

Run the next cell (Shift+Enter) to see how far you are. A click on a lesson opens it."""

WAYS = """## How this works

- **Read, then write.** Each lesson explains a technique, then asks you to write it: replace each
  `raise NotImplementedError()`.
- **Run the test below your answer.** In about a second it says what it expected and what came. It is folded: click on
  the dots to read it.
- **Check a lesson** in a terminal: `bonsai check 04`, or one exercise: `bonsai check 04 taylor_importance`. This runs
  the hidden tests too, and keeps your points for the table above.
- **Stuck?** Each exercise has folded hints, from a nudge to the line that matters. If they are not enough,
  `bonsai answer 04 taylor_importance` puts the course's answer into your notebook, marked as taken and worth 0 points,
  so that you can go on.
- **Begin again:** `bonsai reset 04` keeps a dated copy of what you have. `bonsai update` brings newer lessons in and
  keeps your answers.
- **Hand in:** `bonsai submit 04` writes the file that a teacher grades, and says what is missing.
- **Something is odd:** `bonsai doctor` looks at your machine."""

CODE = """from autograder.desk import progress

progress.show()"""


def page() -> nbformat.NotebookNode:
    """The start page as it is written into a new workspace."""
    lines = ["## The lessons", "", "| lesson | minutes | afterwards you can |", "|---|---|---|"]
    for row in progress.rows():
        link = f"[{row.lesson[:2]} · {row.title}]({row.lesson}/{row.lesson}.ipynb)"
        able = "; ".join(row.abilities).replace("|", "\\|")
        lines.append(f"| {link} | {row.minutes} | {able} |")
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [markdown(INTRO), code(CODE), markdown("\n".join(lines)), markdown(WAYS)]
    for number, cell in enumerate(cells):
        cell.id = f"start-{number}"
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return notebook


def write() -> None:
    """Write the start page, unless there is one that a person has changed."""
    target, mark = workspace.root() / NAME, workspace.root() / workspace.GIVEN / f"{NAME}.sha256"
    if target.exists() and (not mark.exists() or mark.read_text() != digest(workspace.read(target))):
        return
    made = page()
    mark.parent.mkdir(parents=True, exist_ok=True)
    workspace.write(made, target)
    mark.write_text(digest(made))


def digest(notebook: nbformat.NotebookNode) -> str:
    """Of the cells' texts: outputs come and go when the page is run."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()
