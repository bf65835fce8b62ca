"""Nothing that decides a point comes from the learner's process as a verdict, a count or a description.

A probe runs beside the answer. What it returns is a product: tensors, bytes, what the exercise returned. A comparison,
a length, a class or an accuracy is made by the test, from the product. Read from the source of every test cell.
"""

import ast
import re

import pytest

from autograder.source import sources, teacher_notebook

COUNTS = "len sum max min all any bool abs round isinstance issubclass hasattr type "
COUNTS += "accuracy evaluate allclose equal getsizeof"
SIGNS = {ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"}


def probes(cell: str):
    """The probes of a test cell."""
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in cell.split("\n")]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "probe" for d in node.decorator_list):
            yield node


def judgements(probe: ast.FunctionDef) -> set[str]:
    """What in the values that a probe returns is a comparison, a count or a description.

    What asks whether something is there (`x if y is None else z`), or of which kind, to choose among products is none.
    """
    found = set()
    for back in [node for node in ast.walk(probe) if isinstance(node, ast.Return) and node.value is not None]:
        asked = {id(part) for node in ast.walk(back.value) for test in choices(node) for part in ast.walk(test)}
        for node in [node for node in ast.walk(back.value) if id(node) not in asked]:
            if isinstance(node, ast.Compare):
                found |= {SIGNS.get(type(op), "<") for op in node.ops}
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                found.add("not")
            elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in COUNTS.split():
                found.add(ast.unparse(node.func).split(".")[-1])
    return found


def choices(node: ast.AST) -> list[ast.expr]:
    """The conditions of a node that only ask whether something is None, or an instance of a class."""
    tests = [node.test] if isinstance(node, ast.IfExp) else getattr(node, "ifs", [])
    return [t for t in tests if re.fullmatch(r"isinstance\(.*\)|[^()]+ is (not )?None", ast.unparse(t))]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("return torch.equal(got, want)", {"equal"}),
        ("return {'right': got == 3, 'n': len(blob)}", {"==", "len"}),
        ("return bonsai.measure.accuracy(net, x, y)", {"accuracy"}),
        ("return not wrong", {"not"}),
        ("return 'right' if got == want else 'wrong'", {"=="}),
        ("return zeros if x.grad is None else x.grad, [m for m in net if isinstance(m, BatchNorm2d)]", set()),
        ("return quantize(x), list(model.state_dict().items())", set()),
    ],
)
def test_what_is_found(source, found):
    (probe,) = probes(f"%time\n@probe\ndef f(x):\n    {source}")
    assert judgements(probe) == found


def test_probes_return_products():
    number, found = 0, []
    for source in sources():
        for cell in teacher_notebook(source).cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
                for probe in probes(cell.source):
                    number += 1
                    found += [f"{source.stem[:2]} {probe.name}: {what}" for what in judgements(probe)]
    assert number > 80
    assert not found, found
