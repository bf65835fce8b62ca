"""Makes what a learner hands in: a folder `STUDENT/LESSON/` that `bonsai grade` and nbgrader take as it is."""

import re
import shutil
from pathlib import Path

from autograder.desk import progress, workspace
from autograder.source import LESSONS

HANDED_IN = "hand-in"
LARGEST_MB = 20


def submit(name: str, student: str) -> tuple[Path, list[str]]:
    """Copy a lesson's notebook, and the files that the learner put beside it, into the hand-in folder.

    Returns:
        the notebook's copy, and sentences on what is missing.

    Raises:
        WorkspaceError: the notebook is not there or cannot be read, or the name cannot be a folder's.
    """
    if not re.fullmatch(r"[\w.-]{1,64}", student) or student.startswith("."):
        raise workspace.WorkspaceError(f"the name {student!r} cannot be a folder: letters, digits, dots and hyphens")
    mine = workspace.notebook(name)
    notebook = workspace.read(mine)
    row = progress.about(name)
    missing = [e for e in row.exercises if e not in progress.answered(notebook)]
    said = [f"Not answered: {', '.join(missing)}."] if missing else []
    present = {workspace.key(cell) for cell in notebook.cells}
    built = workspace.read(LESSONS / name / f"{name}.ipynb")
    lost = [workspace.key(c) for c in built.cells if "nbgrader" in c.metadata and workspace.key(c) not in present]
    if lost:
        said.append(f"Cells of the lesson are missing: {', '.join(lost)}. The grader puts tests back, not answers.")
    if mine.stat().st_size > LARGEST_MB << 20:
        said.append(f"The notebook has more than {LARGEST_MB} MB: clear its outputs and save it.")
    target = workspace.root() / HANDED_IN / student / name
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    ours = {file.name for file in workspace.files(name)}
    for file in mine.parent.iterdir():
        if file.is_file() and not file.is_symlink() and (file == mine or file.name not in ours):
            shutil.copyfile(file, target / file.name)
    return target / mine.name, said
