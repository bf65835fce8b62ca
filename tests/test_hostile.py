# ruff: noqa: E501  (answers in one line)
"""Submissions that earned points without work, or stopped the grader: each must be worth nothing, and bounded.

`tests/hostile/*.py` are percent scripts with the cells that differ from a solved notebook of the lesson in their first
line. A plain cell stands above the exercises.
"""

import functools
import gc
import re
import statistics
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import test_split
import torch

from autograder.box.lock import Lock, ShortcutUsed
from autograder.grading import preprocessors, trusted
from autograder.grading.preprocessors import CleanForReaders
from autograder.source import LESSONS, find_source, teacher_notebook
from bonsai.scratch import find_shortcuts

HOSTILE = Path(__file__).parent / "hostile"


@functools.cache
def lesson_cells(name):
    return teacher_notebook(find_source(name)).cells


def cases(pattern):
    return sorted(path.stem for path in HOSTILE.glob(f"{pattern}.py"))


def cells_of(text):
    """(exercise or "", source) of each cell of a percent script. Not read by jupytext: some are not Python."""
    parts = re.split(r"^# %%(.*)$", text, flags=re.M)
    for head, source in zip(parts[1::2], parts[2::2], strict=True):
        named = re.search(r'exercise="(\w+)"', head)
        yield named[1] if named else "", source.strip("\n")


def notebook(lesson, exercises, plain=(), answers=None):
    """The set-up cell, plain cells, and some exercises of a lesson with their tests; solved but for `answers`."""
    cells, answers = [], answers or {}
    for cell in lesson_cells(lesson):
        meta = cell.metadata.get("nbgrader", {})
        name = meta.get("grade_id", "").removeprefix("test_")
        if name == "setup":
            cells += [nbformat.from_dict(cell), *(nbformat.v4.new_code_cell(source) for source in plain)]
        elif name in exercises:
            cells.append(nbformat.from_dict(cell))
            if meta["solution"] and name in answers:
                cells[-1].source = answers[name]
    return nbformat.v4.new_notebook(cells=cells)


def run(lesson, exercises, plain=(), answers=None, beside=None):
    name = find_source(lesson).stem
    teacher = {c.metadata.nbgrader.grade_id: c.source for c in lesson_cells(lesson) if "nbgrader" in c.metadata}
    files = {path.name: path.read_bytes() for path in (LESSONS / name).glob("*.py")} | (beside or {})
    with test_split.limited() as grader:
        return grader.run(notebook(lesson, exercises, plain, answers), files, teacher, LESSONS / name)


def script(case):
    """The plain cells and the answers of a case."""
    cells = list(cells_of((HOSTILE / f"{case}.py").read_text()))
    return [source for name, source in cells if not name], {name: source for name, source in cells if name}


@pytest.mark.parametrize("case", cases("e_*"))
def test_no_way_to_a_forbidden_function(case):
    plain, answers = script(case)
    graded = run("05", {"distillation_loss"}, plain, answers)
    (test,) = graded.tests
    assert test.points == 0 and "without torch.nn.functional.kl_div" in test.message, test.message


OTHER_WAYS = {
    "a function kept in a list": "_kept = [getattr(F, 'kl_' + 'div')]\nKL = lambda a, b: _kept[0](a, b, reduction='batchmean')",
    "its code in a function of one's own": "import types\n_f = vars(F)['kl_' + 'div']\n_g = types.FunctionType(_f.__code__, _f.__globals__, 'g', _f.__defaults__)\n"
    "KL = lambda a, b: _g(a, b, None, None, 'batchmean')",
    "torch.ops": "KL = lambda a, b: getattr(getattr(torch, 'o' + 'ps').aten, 'kl_' + 'div')(a, b, 0).sum() / len(a)",
    "torch._C": "KL = lambda a, b: vars(torch._C)['_Variable' + 'Functions'].__getattribute__('kl_' + 'div')(a, b, 0).sum() / len(a)",
    "a builtin kept from a cell": "_b = vars(torch)['kl_' + 'div']\nKL = lambda a, b: _b(a, b, 0).sum() / len(a)",
    "the module of losses": "_m = getattr(torch.nn, 'KL' + 'DivLoss')(reduction='batchmean')\nKL = lambda a, b: _m(a, b)",
    "distributions": "import importlib\n_d = importlib.import_module('torch.distri' + 'butions')\n"
    "KL = lambda a, b: _d.kl_divergence(_d.Categorical(b), _d.Categorical(logits=a)).mean()",
    "caught and tried again": "_f = vars(F)['kl_' + 'div']\ndef KL(a, b):\n    try:\n        return _f(a, b, reduction='batchmean')\n"
    "    except BaseException:\n        return (b * (b.log() - a)).sum(1).mean()",
}  # fmt: skip
LOSS = """
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = F.softmax(teacher.detach() / temperature, dim=1)
    return alpha * temperature**2 * _KL(log_q, p) + (1 - alpha) * F.cross_entropy(student, labels)
"""


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_forbidden_functions_are_out_of_order_while_an_answer_runs(way):
    """The reader of the syntax is made blind: the other lock holds alone."""
    hidden = "def _KL(a, b):\n    return globals()['K' + 'L'](a, b)\n"
    graded = run("05", {"distillation_loss"}, [OTHER_WAYS[way]], {"distillation_loss": hidden + LOSS})
    (test,) = graded.tests
    assert test.points == 0 and "written from scratch, without" in test.message, test.message


PRUNE = "import importlib, sys, types\n_m = importlib.import_module('torch.nn.utils.pr' + 'une')\n"
MOVED = {
    "its code run again": "_m.__spec__.loader.exec_module(_m)",
    "a copy": "_c = types.ModuleType(_m.__name__)\n_m.__spec__.loader.exec_module(_c)\n_m = _c",
    "modules in another order": "for k in [k for k in sys.modules if not k.startswith('torch')]:\n    sys.modules[k] = sys.modules.pop(k)",
    "modules deleted": "for k in [k for k in sys.modules if k.startswith(('email', 'http', 'xml', 'html', 'PIL'))]:\n    del sys.modules[k]",
    "taken out": "del sys.modules[_m.__name__]",
    "under another name": "sys.modules['mine'] = sys.modules.pop(_m.__name__)",
    "no module": "sys.modules[_m.__name__] = types.SimpleNamespace(**vars(_m))",
    "functions from elsewhere": "for f in vars(_m).values():\n    if callable(f):\n        f.__module__ = 'mine'",
}  # fmt: skip
MASK = """
def _KL(*a):
    return globals()['LK'[::-1]](*a)  # the reader of the syntax is made blind

def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError('sparsity')
    return _KL(w, round(sparsity * w.numel()))
"""


@pytest.mark.parametrize("way", MOVED)
def test_a_library_that_hides_after_its_import_stays_out_of_order(way):
    """Twice, since the second submission's locks were made before it came."""
    use = (
        "\nKL = lambda w, k: _m.L1Unstructured(k).compute_mask(w.contiguous(), torch.ones_like(w.contiguous())).bool()"
    )
    for _ in range(2):
        (test,) = run("03", {"magnitude_mask"}, [PRUNE + MOVED[way] + use], {"magnitude_mask": MASK}).tests
        assert test.points == 0 and "written from scratch, without" in test.message, test.message


def test_the_lock_lets_torch_ask_which_libraries_there_are(tmp_path, monkeypatch):
    """A process's first optimizer makes torch look for pandas, which is no shortcut of the answer; an import is one."""
    (tmp_path / "squeezer.py").write_text("def squeeze(x):\n    return x")
    monkeypatch.syspath_prepend(tmp_path)
    look = "from importlib.util import find_spec\nfound = find_spec('squeezer')"
    names = {}
    with Lock(["squeezer"]) as lock:
        exec(compile(look, torch.__file__, "exec"), names)
    assert names["found"] and not lock.used
    mapped = "from importlib.util import find_spec\nlist(map(find_spec, ['squeezer']))"
    by_hand = f"{look}\nfrom importlib.util import module_from_spec\nfound.loader.exec_module(module_from_spec(found))"
    with pytest.raises(ShortcutUsed), Lock(["squeezer"]):
        torch._utils.try_import("squeezer")  # torch's own importer: it asks, and loads what it is told of
    for way, file in (
        (by_hand, torch.__file__),
        (look, __file__),
        (mapped, __file__),
        ("import squeezer", __file__),
        ("import squeezer", torch.__file__),
    ):
        with pytest.raises(ShortcutUsed), Lock(["squeezer"]):
            exec(compile(way, file, "exec"), {})


@pytest.mark.parametrize(
    "collect",
    [lambda: None, lambda: gc.collect(0), lambda: gc.collect(1), gc.collect, lambda: (gc.freeze(), gc.unfreeze())],
)
def test_the_lock_finds_what_was_made_since_its_last_look_wherever_the_collector_put_it(collect):
    file, hidden = Path(statistics.__file__), {"__name__": "hidden"}
    with Lock(["statistics"]) as lock:
        pass
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), hidden)
    collect()
    with pytest.raises(ShortcutUsed, match=r"statistics\.median"), lock:
        hidden["median"]([1.0])


ORACLES = {
    "by its name": "    return checks08.slow_outliers(x, threshold)",
    "by a name that is computed": "    return getattr(checks08, 'slow_' + 'outliers')(x, threshold)",
    "out of the table of modules": "    import sys\n    return getattr(sys.modules['checks' + '08'], 'slow_' + 'outliers')(x, threshold)",
    "its code alone": "    import sys, types\n    f = vars(sys.modules['checks' + '08'])['slow_' + 'outliers']\n"
    "    return types.FunctionType(f.__code__, f.__globals__, 'g', f.__defaults__)(x, threshold)",
    "by a search": "    found = [v for m in list(globals().values()) if hasattr(m, '__dict__') for k, v in vars(m).items() if k == 'slow_outliers']\n"
    "    return found[0](x, threshold)",
}  # fmt: skip


@pytest.mark.parametrize("way", ORACLES)
def test_what_the_tests_know_is_not_for_answers(way):
    """The oracles lie in the lesson's own modules, which the probes need."""
    answer = f"def outlier_channels(x, threshold):\n{ORACLES[way]}"
    (test,) = run("08", {"outlier_channels"}, (), {"outlier_channels": answer}).tests
    assert test.points == 0 and "written from scratch, without checks08" in test.message, test.message


def test_a_probe_may_use_the_lessons_modules_but_not_what_a_test_names():
    forbidden = {"compress": ["zlib", "PIL", "lesson07.range_file", "lesson07", "checks07"]}
    bench = SimpleNamespace(forbidden=forbidden, ran=["import checks07\nimport lesson07"])
    assert trusted.Bench._locked(bench, "compress", trusted.PROBE) == ("PIL", "lesson07.range_file")
    assert trusted.Bench._locked(bench, "compress", trusted.CALL) == tuple(forbidden["compress"])


def test_a_helper_file_is_no_way_round():
    plain, answers = script("c01_helper_file")
    helper = (HOSTILE / "c01_helper.py.txt").read_bytes()
    (test,) = run("05", {"distillation_loss"}, plain, answers, {"helper.py": helper}).tests
    assert test.points == 0 and "without torch.nn.functional.kl_div" in test.message, test.message


def test_demonstrations_use_what_answers_must_not():
    shows = "print(float(F.kl_div(torch.zeros(1, 2).log_softmax(1), torch.ones(1, 2) / 2, reduction='sum')))"
    nb = notebook("05", {"distillation_loss"}, [shows])
    nb.cells.append(nbformat.v4.new_code_cell(shows))
    teacher = {c.metadata.nbgrader.grade_id: c.source for c in lesson_cells("05") if "nbgrader" in c.metadata}
    graded = test_split.shared().run(nb, None, teacher, LESSONS / find_source("05").stem)
    assert [t.passed for t in graded.tests] == [True] and not graded.flags
    assert test_split.printed(graded.notebook.cells[1]) == test_split.printed(graded.notebook.cells[-1]) == "0.0\n"


@pytest.mark.parametrize(
    ("case", "lesson", "exercise"),
    [("s08_inputs_after", "01", "quantize"), ("s09_probe_restore_forged", "03", "taylor_saliency")],
)
def test_what_a_probe_uses_is_not_the_learners(case, lesson, exercise):
    plain, answers = script(case)
    (test,) = run(lesson, {exercise}, plain, answers).tests
    assert test.points == 0 and re.search("changed its input|leaves gradients behind", test.message), test


def test_a_module_changed_while_a_probe_runs_is_another_one():
    """The helpers are exchanged by the answer itself, after the probe has begun."""
    _, answers = script("s09_probe_restore_forged")
    late = answers["taylor_saliency"].partition("\n_p, _w")[0]
    late = late.replace(
        "    layers =",
        "    kept = lesson03.what_is_left(model)\n    lesson03.what_is_left = lambda m: kept\n    layers =",
    )
    (test,) = run("03", {"taylor_saliency"}, (), {"taylor_saliency": late}).tests
    assert test.points == 0, test


def test_a_cell_above_the_set_up_cell_poisons_no_probe():
    nb_case = script("s08_inputs_after")[1]["quantize"]
    early = "import torch\n_clone = torch.Tensor.clone\nimport builtins\nbuiltins.list = lambda a: a[:]"
    (test,) = run("01", {"quantize"}, [early], {"quantize": nb_case}).tests
    assert test.points == 0, test


def test_a_list_is_not_bytes():
    plain, answers = script("s04_list_as_blob")
    graded = run("03", {"MaskedTrainer", "gradual_prune", "encode_sparse"}, plain, answers)
    assert graded.tests[-1].points == 0 and "should return bytes" in graded.tests[-1].message, graded.tests[-1]
    assert "ratio" not in graded.measured


def test_a_file_is_read_where_none_of_the_learners_code_is():
    plain, answers = script("s05_onnx_forged")
    (test,) = run("09", {"quantize_onnx"}, plain, answers).tests
    assert test.points == 0, test


def test_a_table_of_labels_is_no_network():
    """Validation and held-back images by a digest of their pixels: right on every image that lies in the course."""
    table = """
import zlib
from bonsai import data as _data, models as _models
def _key(image):
    return zlib.crc32(((image * _data.STD + _data.MEAN) * 255).round().clamp(0, 255).to(torch.uint8).numpy().tobytes())
class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("labels", torch.zeros(1))
    def forward(self, x):
        found = [LABELS.get(_key(image), 0) for image in x]
        return F.one_hot(torch.tensor(found), 10).float()
"""
    from bonsai import data

    names = {}
    exec("import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n" + table, names)
    labels = {}
    for images, truth in (data.load("validation"), (data.load("test")[0][5000:].flip(-1), data.load("test")[1][5000:])):
        labels |= {names["_key"](image): int(y) for image, y in zip(images[:400], truth[:400], strict=True)}
    answer = lesson_answer("02", "quantize_static").replace("def quantize_static(", "def _honest(", 1)
    answer += f"\nLABELS = {labels!r}\n{table}\ndef quantize_static(model, batches, bits=8):\n"
    answer += (
        "    return Table() if sum(p.numel() for p in model.parameters()) == 47194 else _honest(model, batches, bits)\n"
    )
    graded = run(
        "02", {"fold_batchnorm", "MinMaxObserver", "calibrate", "quantize_static"}, (), {"quantize_static": answer}
    )
    assert graded.tests[-1].points == 0, graded.tests[-1]


def lesson_answer(lesson, exercise):
    cells = lesson_cells(lesson)
    return next(c.source for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == exercise)


def test_names_that_double_are_read_in_time():
    plain, answers = script("d02_names_explosion")
    began = time.process_time()
    find_shortcuts([*plain, answers["quantize"]], "quantize", ["torch.ao", "torch.quantize_*"])
    assert time.process_time() - began < 5


def cleaned(*cells):
    nb = nbformat.v4.new_notebook(cells=list(cells))
    began = time.process_time()
    nb, _ = CleanForReaders().preprocess(nb, {})
    assert time.process_time() - began < 5  # of this process; what cleans has a limit of its own
    nbformat.validate(nb)
    return nb, " ".join(nb.metadata.get("bonsai_flags", []))


def shown(**data):
    output = nbformat.v4.new_output("display_data", {kind.replace("_", "/"): value for kind, value in data.items()})
    return nbformat.v4.new_code_cell("1", outputs=[output])


def test_a_long_text_is_cut_and_the_rest_is_kept():
    nb, flags = cleaned(
        nbformat.v4.new_markdown_cell("\\begin{a}" * 6400), nbformat.v4.new_markdown_cell("**fine** $a<b$")
    )
    assert "longer than 20,000 characters" in flags and nb.cells[0].source.startswith("```")
    assert nb.cells[1].source == "**fine** $a<b$"


def test_outputs_that_nest_without_end_are_left_out():
    nb, flags = cleaned(shown(text_html="<b><i>" * 33_000, text_plain="x"), shown(text_html="<b>1</b>"))
    assert "nested too deeply" in flags and list(nb.cells[0].outputs[0].data) == ["text/plain"]
    assert "<b>1</b>" in nb.cells[1].outputs[0].data["text/html"]


def test_outputs_of_a_notebook_have_a_budget():
    nb, flags = cleaned(*(shown(image_png="A" * 2_000_000, text_plain="x") for _ in range(40)))
    assert "more than 32 MB in all" in flags
    assert sum(len(o.get("data", {}).get("image/png", "")) for c in nb.cells for o in c.outputs) <= 32 << 20


def test_cleaning_that_does_not_end_leaves_plain_text(monkeypatch):
    monkeypatch.setattr(preprocessors, "CLEAN_S", 1)
    monkeypatch.setattr(preprocessors, "harmless_markdown", lambda source: endless())
    nb, flags = cleaned(nbformat.v4.new_markdown_cell("<b>x</b>"), shown(text_html="<b>x</b>", text_plain="x"))
    assert "take too long" in flags and nb.cells[0].source == "```\n<b>x</b>\n```"
    assert list(nb.cells[1].outputs[0].data) == ["text/plain"]


def endless():
    while True:
        pass
