# ruff: noqa: E501  (sources of notebooks are dense)
"""Honest work is never wronged: what other cells did decides nothing, and every message is true."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest
import test_hostile
import torch
from IPython.core.interactiveshell import InteractiveShell
from test_split import ANSWERS, POINTS, TEACHER, grade, message, notebook, points, shared

from autograder.grading.pages import harmless_markdown, pictures, without_remote_pictures
from autograder.grading.suspicion import suspicions
from bonsai import kernel
from bonsai.settings import SETTINGS, changed, usual_settings
from bonsai.testing import CheckFailed, check, check_errors, expect, shown
from bonsai.wording import as_code, call_as_code, name_of

CHANGES = {  # code of a learner's cell -> what the flag says of it
    "torch.set_default_dtype(torch.float64)": "default dtype",
    "torch.set_grad_enabled(False)": "records gradients",
    "torch.set_default_device('meta')": "default device",
    "import warnings\nwarnings.simplefilter('error')": "about a warning",
    "import numpy\nnumpy.seterr(all='raise')": "invalid value",
    "torch.set_printoptions(precision=1)": "prints tensors",
}


@pytest.fixture
def grader():
    return shared()


# Settings ------------------------------------------------------------------------------------------------------------


def test_settings_are_usual_inside_and_as_they_were_afterwards():
    torch.set_num_threads(1)
    with usual_settings():
        for source in CHANGES:
            exec(source, {"torch": torch})
        before = changed()
        assert len(before) == len(CHANGES)
        with usual_settings() as found:
            assert found == before and changed() == []
            torch.set_default_dtype(torch.float16)
        assert changed() == before and torch.get_default_dtype() == torch.float64
    assert changed() == [] and set(before) <= set(SETTINGS)


def test_global_settings_cost_no_points_and_are_flagged(grader):
    run = grade(grader, before=CHANGES)
    assert points(run) == POINTS, [t.message for t in run.tests]
    for told, flag in zip(CHANGES.values(), run.flags, strict=True):
        assert told in flag and "begins with" in flag and "as usual" in flag


# A learner's own kernel ----------------------------------------------------------------------------------------------

SETUP = """\
import torch
from bonsai import data
from bonsai.testing import check, expect, record, require
"""
TEST = """\
expect(len(data.CLASSES), 10, "the classes")
check(double, [(torch.ones(2),)], [2 * torch.ones(2)])
require(max(1, 2) == 2 and round(2.5) == 2 and sum([1, 2]) == 3, "builtins")
record(ratio=2.0)
"""


@pytest.fixture
def shell():
    shell = InteractiveShell()
    kernel.attach(shell)
    shell.run_cell(SETUP).raise_error()
    shell.run_cell("def double(x):\n    return 2 * x").raise_error()
    return shell


@pytest.mark.parametrize(
    "cell",
    [
        *CHANGES,
        "data = torch.randn(3)\nrecord = [1]\nrequire = expect = None",
        "from numpy import *\ndef double(x):\n    return 2 * x",
        "import functools\ndef _twice(n, x):\n    return n * x\ndouble = functools.partial(_twice, 2)",
        "class Doubler:\n    def __call__(self, x):\n        return 2 * x\ndouble = Doubler()",
        "double = lambda x: 2 * x",
        "def timed(f):\n    def wrapper(*args):\n        return f(*args)\n    return wrapper\n@timed\ndef double(x):\n    return 2 * x",
        "@torch.jit.script\ndef double(x):\n    return 2 * x",
    ],
)
def test_a_test_cell_passes_whatever_another_cell_did(shell, cell):
    if "jit" in cell:
        shell.user_ns["double"] = torch.jit.trace(lambda x: 2 * x, torch.ones(2))
    else:
        shell.run_cell(cell).raise_error()
    mine = shell.user_ns.get("data")
    before = changed()
    result = shell.run_cell(TEST)
    assert result.success, result.error_in_exec
    assert shell.user_ns.get("data") is mine and changed() == before
    with usual_settings():
        pass
    for _, write, usual in SETTINGS.values():
        write(usual)


def test_a_kernel_shows_the_learners_line_and_nothing_of_ours(shell, capsys):
    shell.run_cell("def double(x):\n    y = x[5]\n    return y")
    for test in (TEST, "require(True, '')\ndouble(torch.ones(2))"):
        shell.run_cell(test)
        said = capsys.readouterr().out
        assert "IndexError" in said and "line 2 of its cell, in double: y = x[5]" in said
        assert "testing.py" not in said and len(said.splitlines()) < 9, said


def test_the_notebooks_name_of_an_exercise():
    names = {"__name__": "__main__", "np": np, "functools": functools, "name_of": name_of, "torch": torch}
    exec(
        "def f(x):\n    return x\ng = functools.partial(f)\nclass C:\n    def __call__(self):\n        pass\nc = C()",
        names,
    )
    exec("told = [name_of(f), name_of(g), name_of(c)]", names)
    assert names["told"] == ["f", "g", "c"]


# What messages say ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [3, -0.5, float("inf"), "a", b"\0", None, [1, (2,)], {"a": torch.tensor([0.1, -3e-7])}, torch.tensor(1.5),
     torch.tensor([[1, 2]], dtype=torch.uint8), torch.tensor([True]), torch.zeros(0, 3), torch.full((4, 9), 2.5),
     torch.tensor([1 / 3], dtype=torch.float64), torch.tensor([float("-inf"), float("nan")])],
)  # fmt: skip
def test_a_call_can_be_pasted(value):
    import math

    again = eval(call_as_code("list", ((value,),)), {"torch": torch, "math": math, "list": list})
    expect(again, [value], "the value")
    if isinstance(value, torch.Tensor):
        assert again[0].dtype == value.dtype


def test_what_cannot_be_pasted_is_not_shown_as_if_it_could():
    assert as_code(torch.randn(100)) == as_code(object()) == call_as_code("f", (torch.randn(100), 1)) == ""


def test_a_symptom_is_not_shown_for_something_unrelated():
    want = torch.ones(3)
    flat = lambda got, want: got.shape != want.shape and got.numel() == want.numel()  # noqa: E731
    assert shown(flat, torch.ones(3, 1), want) and not shown(flat, torch.ones(4), want)
    assert not shown(lambda got, want: got.shape != want.shape, torch.ones(3, 1), want)
    assert not shown(lambda got, want: isinstance(got, Exception), NameError("x"), want)
    assert shown(lambda got, want: isinstance(got, OverflowError), OverflowError("x"), want)
    assert not shown(lambda got, want: got.sum() > 0, NameError("x"), want)


def said(function, *args, **kwargs):
    with pytest.raises(CheckFailed) as caught:
        function(*args, **kwargs)
    return caught.value


def test_a_mistake_that_a_right_result_refutes_is_not_named():
    cases, want = [(2.0,), (3.0,)], [4.0, 9.0]
    doubled = {"It was doubled.": lambda x: 2 * x}
    assert "doubled" not in str(said(check, lambda x: x * x if x < 3 else 8.0, cases, want, doubled))
    assert "doubled" in str(said(check, lambda x: 2 * x, [(3.0,), (2.0,)], [9.0, 4.0], doubled))  # where both agree
    wrong = said(check, lambda x: 2 * x + (x == 2), [(3.0,), (2.0,)], [9.0, 5.0], doubled)
    assert wrong.sentences == () and "expected 9" in str(wrong)


@pytest.mark.parametrize(
    "got, told",
    [
        (torch.ones(2).to_sparse(), "to_dense"),
        (torch.ones(2, device="meta"), "on the CPU"),
        (None, "return"),
        (torch.tensor([1.0004, 1.0], dtype=torch.float16), "float16, which keeps"),
    ],
)
def test_odd_results_are_explained(got, told):
    assert told in str(said(expect, got, torch.tensor([1.0004, 1.0]), "f()", tol=1e-6))


def test_an_error_that_was_not_raised_or_another_is_told_with_the_call():
    assert "f(1): expected ValueError, yours returned 1" in str(
        said(check_errors, ValueError, named("f", lambda x: x), (1,))
    )


def named(name, function):
    function.__name__ = name
    return function


# The grader ----------------------------------------------------------------------------------------------------------


def test_the_failing_line_and_a_call(grader):
    answer = "def total(xs):\n    first = xs[7]\n    return first"
    told = message(grade(grader, total=answer), "total")
    assert told.splitlines() == [
        "your code raised IndexError: list index out of range",
        "  line 2 of the answer to total, in total: first = xs[7]",
        "  try it: total([1, 2, 3])",
    ]


def test_a_cell_that_failed_is_named_where_its_names_are_missing(grader):
    run = grade(grader, total="import seaborn\n" + ANSWERS["total"], double=ANSWERS["double"] + "\ninput('?')")
    told = message(run, "total")
    assert (
        told.startswith("total is missing, because the answer to total failed: ModuleNotFoundError")
        and "line 1" in told
    )
    assert points(run)["double"] == 4  # what a cell defined before it failed is there
    run = grade(grader, before=["x = 1\ndef helper(x)\n    return x"], total="def total(xs):\n    return helper(xs)")
    assert "helper is missing, because the cell that begins with 'x = 1' failed: SyntaxError" in message(run, "total")


def test_not_answered_yet_is_said_of_our_stub_alone(grader):
    assert (
        message(grade(grader, total="def total(xs):\n    raise NotImplementedError()"), "total") == "not answered yet"
    )
    for text in ("'later'", '"bitwise_and_cpu" not implemented'):
        told = message(grade(grader, total=f"def total(xs):\n    raise NotImplementedError({text!r})"), "total")
        assert told.startswith("your code raised NotImplementedError: ") and "line 2 of the answer to total" in told


def test_prints_and_pictures_in_calls_are_no_burden(grader):
    loud = "def double(x):\n    print('x' * 3_000_000)\n    if len(x) == 0:\n        raise ValueError\n    return 2 * x"
    shows = "from IPython.display import display\ndef pack(xs):\n    display(xs)\n    return bytes(xs)\n\n"
    shows += "def unpack(blob):\n    display(len(blob))\n    import matplotlib.pyplot as plt\n    plt.plot([1])\n    plt.show()\n    return list(blob)"
    assert points(grade(grader, double=loud, pack=shows)) == POINTS


def test_a_probe_sees_the_names_of_the_set_up_cell(grader):
    run = grade(grader, before=["from numpy import *\nrecord = require = 3\nrandom = None\nbool = bytes"])
    assert points(run) == POINTS, [t.message for t in run.tests]


def test_there_is_no_gpu(grader):
    told = message(grade(grader, double="def double(x):\n    return 2 * x.cuda()"), "double")
    assert "line 2 of the answer to double" in told and "There is no GPU when grading" in told


# Whole answers of a real lesson: `tests/honest/*.py` are percent scripts, as those of `tests/hostile`


def graded_script(name, *others):
    """A script's exercises, and some others with right answers, as the grader runs them."""
    cells = list(test_hostile.cells_of((Path(__file__).parent / "honest" / f"{name}.py").read_text()))
    plain, answers = [s for n, s in cells if not n], {n: s for n, s in cells if n}
    return test_hostile.run("01", {*answers, *others}, plain, answers)


def test_right_work_in_unusual_clothes_keeps_its_points():
    run = graded_script("variants", "group_quantize", "pack_int4")
    assert len(run.tests) == 7 and all(t.passed and t.points > 0 for t in run.tests), [t.message for t in run.tests]
    assert any("default dtype" in flag for flag in run.flags) and len(run.flags) == 1, run.flags


TOLD = {  # exercise -> what its message holds, and what it does not
    "affine_qparams": ("input() has nobody to ask", "not widened"),
    "dequantize": ("There is no GPU when grading", "wrapped around"),
    "sqnr_db": ("NotImplementedError: todo later", "not answered yet"),
    "integer_linear": ("No module named 'seaborn'", "62 bits"),
    "pack_int4": ("missing 1 required positional argument: 'extra'", "The sign was lost"),
}


def test_of_a_failure_its_cause_is_told_and_no_diagnosis():
    run = graded_script("failures")
    for exercise, (cause, diagnosis) in TOLD.items():
        told = message(run, exercise)
        assert cause in told and diagnosis not in told and not run.flags, (exercise, told)


# An exercise that uses another one ----------------------------------------------------------------------------------

USES = "def total(xs):\n    return int(sum(double(torch.tensor(xs, dtype=torch.float32))) / 2)"


def with_references(tell=None, **answers):
    return shared().run(notebook(**answers), None, TEACHER, references=ANSWERS, tell=tell)


@pytest.mark.parametrize(
    "wrong", ["def double(x):\n    return 3 * x", "def double(x):\n    raise NotImplementedError()"]
)
def test_points_do_not_depend_on_anothers_mistake(wrong):
    run = with_references(double=wrong, total=USES)
    assert points(run) == {"double": 0, "total": 3, "pack": 5}
    assert message(run, "total") == "passed with a right double in the place of yours, which it uses"


def test_ones_own_mistake_is_told_with_a_right_answer_in_the_others_place():
    run = with_references(double="def double(x):\n    return 3 * x", total=USES.replace("/ 2", "/ 4"))
    assert points(run) == {"double": 0, "total": 0, "pack": 5}
    assert message(run, "total").startswith("with a right double in the place of yours: ") and "expected 6" in message(
        run, "total"
    )


@pytest.mark.parametrize(
    "line",
    [
        "double(x).sum().backward()\n    return int((x.grad * x).sum() / 2)",
        "double(torch.nn.Linear(1, 1))\n    return int(sum(xs))",
    ],
)
def test_where_no_right_answer_can_stand_in_the_other_mistake_is_named(line):
    """What the reference returns has no gradient, and takes no model: nothing can be said of the answer itself."""
    total = f"def total(xs):\n    x = torch.tensor(xs, dtype=torch.float32, requires_grad=True)\n    {line}"
    run = with_references(double="def double(x):\n    return 3 * x", total=total)
    assert points(run)["total"] == 0
    assert "It uses double, which is wrong: look there first." in message(run, "total")
    assert "in the place of yours" not in message(run, "total")


@pytest.mark.parametrize(
    "total, times",
    [
        (USES, 2),  # points
        (USES.replace("/ 2", "/ 4"), 2),  # another message
        ("def total(xs):\n    return str(double)[:0]", 1),  # the same
    ],
)
def test_a_result_is_told_again_only_if_it_changed(total, times):
    told = []
    with_references(
        tell=lambda test: told.append(test.exercise), double="def double(x):\n    return 3 * x", total=total
    )
    assert told.count("total") == times


def test_the_reference_stays_outside_the_learners_process():
    spy = "def double(x):\n    return 3 * x"
    looks = "import inspect\n" + USES.replace(
        "    return", "    assert 'len(x)' not in str(vars(double)) + repr(double.__code__.co_consts)\n    return"
    )
    assert points(with_references(double=spy, total=looks))["total"] == 3


# Pages and flags -----------------------------------------------------------------------------------------------------

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def test_a_pasted_picture_stays_and_nothing_else_does():
    kept = pictures(
        {"curve.png": {"image/png": PNG}, "a.svg": {"image/svg+xml": "<svg/>"}, "b.png": {"image/png": "<x>"}}
    )
    assert kept == {"curve.png": {"image/png": PNG}}
    text = "*Your answer:* see ![curve](attachment:curve.png)"
    assert harmless_markdown(text, kept) == text and harmless_markdown(text) != text
    assert pictures(None) == pictures([1]) == pictures({"c.png": "x"}) == {}


def test_a_badge_of_another_server_is_replaced_by_its_text():
    badge = '<a href="https://colab.research.google.com/x" target="_parent"><img src="https://colab.research.google.com/assets/colab-badge.svg" alt="Open In Colab"/></a>'
    assert re.search(r">Open In Colab</a>$", without_remote_pictures(badge)) and "<img" not in without_remote_pictures(
        badge
    )
    assert without_remote_pictures("![a](https://x.org/a.png) ![b](attachment:b.png)") == "a ![b](attachment:b.png)"
    evil = '<img src="https://x" onerror="alert(1)">'
    assert without_remote_pictures(evil) == evil  # this is for the cleaner, which says so


@pytest.mark.parametrize(
    "source", ["import asyncio\nawait asyncio.sleep(1)", "%load_ext autoreload\n%autoreload 2", "%history"]
)
def test_harmless_habits_are_not_flagged(source):
    assert suspicions([("The cell", source)]) == []


def test_what_opens_connections_is_still_flagged():
    assert "network" in suspicions([("The cell", "import asyncio\nasyncio.open_connection('x', 1)")])[0]


def test_a_cell_is_called_by_its_exercise_or_its_first_line(grader):
    run = grade(grader, before=["\nimport subprocess  # hm\n"], total=ANSWERS["total"] + "\nimport ctypes")
    assert run.flags[0].startswith("The cell that begins with 'import subprocess  # hm' starts another program")
    assert run.flags[1].startswith("The answer to total reaches into")
