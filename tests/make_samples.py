"""Make the three sample submissions of lesson 01 from its release: all right, partly right, not executable.

python tests/make_samples.py
"""

import re
from pathlib import Path

import nbformat

from autograder.build import release_notebook
from autograder.source import find_source, teacher_notebook

SAMPLES = Path(__file__).resolve().parent / "samples"
PARTLY = {  # Ben drops the zero point of unsigned codes, forgets the absolute value, and stops before the integers
    "dequantize": "def dequantize(q, scale, zero_point):\n    return (q - zero_point) * scale",
    "symmetric_scale": """def symmetric_scale(x, bits, axis=None):
    if bits < 2:
        raise ValueError("at least 2 bits")
    largest = x.max() if axis is None else x.movedim(axis, 0).flatten(1).amax(dim=1)
    return torch.where(largest > 0, largest / (2 ** (bits - 1) - 1), torch.ones(()))""",
}
UNANSWERED = {"fixed_point_multiplier", "integer_linear"}
BREAKS = """import os
print(os.listdir("/"), os.path.exists("../../../gradebook.db"), os.path.exists("../../../solutions"))
os._exit(0)"""


def answers(lesson: str) -> dict[str, str]:
    """The reference answers by exercise, without their markers."""
    cells = teacher_notebook(find_source(lesson)).cells
    found = {c.metadata.nbgrader.grade_id: c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")}
    return {name: re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", source) for name, source in found.items()}


def submission(release: nbformat.NotebookNode, given: dict[str, str]) -> nbformat.NotebookNode:
    """The release with these answers filled in."""
    notebook = nbformat.from_dict(release)
    for cell in notebook.cells:
        cell.source = given.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return notebook


def samples(lesson: str) -> dict[str, nbformat.NotebookNode]:
    """Student -> notebook."""
    right, release = answers(lesson), release_notebook(find_source(lesson))
    partly = {name: source for name, source in (right | PARTLY).items() if name not in UNANSWERED}
    broken = {"affine_qparams": BREAKS, "quantize": "def quantize(x, scale, zero_point, qmin, qmax)\n    return x"}
    return {
        "ada": submission(release, right),
        "ben": submission(release, partly),
        "cem": submission(release, broken),
    }


if __name__ == "__main__":
    name = "01_quantization_math"
    for student, notebook in samples(name).items():
        path = SAMPLES / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
