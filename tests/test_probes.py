"""Nothing that decides a point comes from the learner's process as a verdict, a count or a description.

A probe runs beside the answer. What it returns is a product: tensors, bytes, what the exercise returned. A comparison,
a length, a class or an accuracy is made by the test, from the product. Read from the source of every test cell.
"""

import ast

import pytest

from autograder.source import sources, teacher_notebook

COUNTS = "len sum max min all any bool abs round isinstance issubclass hasattr type "
COUNTS += "accuracy evaluate allclose equal getsizeof"
# Probes that still say something of this sort, as they are on the day of writing: none may be added.
LEFT = {
    "00 rehearse_both: ==",
    "00 compare_by_default: sum",
    "02 fold_batchnorm_of: type",
    "02 quantized_linear: isinstance",
    "02 quantized_linear: type",
    "03 finish_lenet: ==",
    "04 prune_heads_of: isinstance",
    "05 distillation_gradients: is",
    "05 distilled: in",
    "05 similarities: is",
    "06 fake_quantize: is",
    "06 trained_codes: isinstance",
    "09 quantized: ==",
    "09 quantized: len",
    "09 batches_of: type",
    "09 conversation: in",
    "09 conversation: len",
    "10 modules_made: len",
    "10 running_values: is not",
    "10 half_width_values: isinstance",
    "10 evolution_of_nobody: in",
}
SIGNS = {ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in"}


def probes(cell: str):
    """The probes of a test cell."""
    lines = ["pass" if line.lstrip().startswith(("%", "!")) else line for line in cell.split("\n")]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "probe" for d in node.decorator_list):
            yield node


def judgements(probe: ast.FunctionDef) -> set[str]:
    """What in the values that a probe returns is a comparison, a count or a description."""
    found = set()
    for back in [node for node in ast.walk(probe) if isinstance(node, ast.Return) and node.value is not None]:
        for node in ast.walk(back.value):
            if isinstance(node, ast.Compare):
                found |= {SIGNS.get(type(op), "<") for op in node.ops}
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                found.add("not")
            elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in COUNTS.split():
                found.add(ast.unparse(node.func).split(".")[-1])
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("return torch.equal(got, want)", {"equal"}),
        ("return {'right': got == 3, 'n': len(blob)}", {"==", "len"}),
        ("return bonsai.measure.accuracy(net, x, y)", {"accuracy"}),
        ("return not wrong", {"not"}),
        ("return quantize(x), list(model.state_dict().items())", set()),
    ],
)
def test_what_is_found(source, found):
    (probe,) = probes(f"%time\n@probe\ndef f(x):\n    {source}")
    assert judgements(probe) == found


def test_probes_return_products():
    number, found = 0, set()
    for source in sources():
        for cell in teacher_notebook(source).cells:
            if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
                for probe in probes(cell.source):
                    number += 1
                    found |= {f"{source.stem[:2]} {probe.name}: {what}" for what in judgements(probe)}
    assert number > 80
    assert found == LEFT, f"new: {sorted(found - LEFT)}; mended, so take it off the list: {sorted(LEFT - found)}"
