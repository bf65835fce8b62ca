"""Which demonstrations a submission needs, and that leaving the others out changes no score."""

import json

import jupytext
import nbformat
import pytest
import test_split

from autograder.grading.demonstrations import to_run
from autograder.grading.split import NOT_RUN
from autograder.source import LESSONS, find_source, sources, teacher_notebook
from bonsai.bundle import as_python

SETUP = "import torch\nimport numpy as np\nLIMIT = [3]\n\n@probe\ndef after(exercise):\n    return globals()[exercise]"
SHOWN = [
    "import copy\nmodel = torch.ones(3)\nval_x = torch.zeros(2)",  # 0
    "twin = copy.copy(model)\nprint(twin)",  # 1
    "import scipy.cluster.vq\nfrom json import loads",  # 2
    "for width in (1, 2):\n    print(width)\n[rows := [1]]",  # 3
    "twin += 1",  # 4
    "def scale(x):\n    return x * factor",  # 5
    "factor = 2.0",  # 6
    "print(model.sum(), double(1))",  # 7
    "with open('log') as file:\n    pass",  # 8
]
ANSWER = "def double(x):\n    return 2 * x"
TEST = "expect(double(3), 6)\nfor x in range(3):\n    require(x < 3, 'x')"


def chosen(*own: str, shown=SHOWN, setup=SETUP, test=TEST) -> set[int]:
    """Numbers of the demonstrations that run, when the learner's cells stand below them."""
    cells = [("setup", setup), *(("demonstration", s) for s in shown), *(("own", s) for s in own), ("test", test)]
    return {i - 1 for i in to_run(cells)}


EVERY = set(range(len(SHOWN)))


@pytest.mark.parametrize(
    ("own", "needed"),
    [
        (ANSWER, set()),
        ("", set()),
        ("def double(x):\n    import copy\n    return copy.copy(x) * 2", set()),
        ("import copy\ndef double(x):\n    return copy.copy(x) * 2", set()),  # the same import
        ("def double(x, model=None, twin=3):\n    val_x = x\n    return [width for width in val_x]", set()),  # its own
        ("width = 3\nprint(width)\ndef double(x):\n    factor = 2\n    return factor * x", set()),
        ("def double(x):\n    return x + LIMIT[0] + np.pi", set()),  # the set-up's
        ("%matplotlib inline\ndef double(x):\n    return 2 * x", set()),
        # what a cell binds; what may change it; what these need
        ("def double(x):\n    return copy.copy(x) * 2", {0}),
        ("def double(x):\n    return scale(x)", {5, 6}),
        ("print(width)", {3}),
        ("print(rows)", {3}),
        ("print(file)", {8}),
        ("def double(x):\n    return loads('2') * x", {2}),
        ("import scipy\ndef double(x):\n    return scipy.cluster.vq.kmeans(x)", {2}),  # the submodule is loaded there
        ("print(twin)", {0, 1, 4}),
        ("print(model)", {0, 1, 4, 7}),  # 1 gives it a second name, under which 4 changes it
        ("val_x[0] = 1", {0, 1, 4, 7}),  # what 0 binds beside it
        ("print(val_x)\nval_x = 3", {0, 1, 4, 7}),
        ("factor += 1", {5, 6}),
        ("del factor", {5, 6}),
        ("class Double:\n    by = factor", {5, 6}),
        ("def double(x, by=factor):\n    return by * x", {5, 6}),
        ("double = lambda x: x * factor", {5, 6}),
        ("print([x * factor for x in range(3)])", {5, 6}),
        # IPython's own
        ("%time double(3)", set()),
        ("%time y = double(factor)", {5, 6}),
        ("%timeit -n 10 -r3 double(factor)", {5, 6}),
        ("%%time\nprint(factor)", {5, 6}),
        ("double?\n??factor\ntorch.nn?", {5, 6}),
        ("!ls\rprint(factor)", {5, 6}),  # two lines
        ("!pip install rich\n%pip list\n!ls -l\n%matplotlib inline", set()),
        ("!ls \\\nfactor = 3\nprint(factor)", {5, 6}),  # one command
    ],
)
def test_what_is_needed(own, needed):
    assert chosen(own) == needed


@pytest.mark.parametrize(
    "own",
    [
        "%%timeit\ndouble(3)",
        "!ls {model}",
        "!cp two.txt mine.txt",
        "!ls > files.txt",
        "!ls $model",
        "%run other.py",
        "files = !ls",
        "%%bash\nls",
        "if True:\n    %timeit double(3)",
        "def double(x):\n    %time factor = 3\n    return factor * x",  # which binds nothing there
        "%%capture out\nprint(3)",
        "%%time 3\nimport copy",  # an error of the magic's
        "time two = factor",  # automagic
        "time two = factor;\n",
        "run -i other.py",
        "import os\nos.sys.modules",
        "print(_2, _i3, _oh)",
        "def double(x):\n    return globals()['copy'].copy(x)",
        "def double(x):\n    return eval('copy.copy')(x)",
        "exec('import copy')",
        "import sys\ndef double(x):\n    return sys.modules['__main__'].copy.copy(x)",
        "import sys as system",
        "import sys\nprint(sys.byteorder)\ns = sys",
        "import sys\ndef sys():\n    pass\nprint(sys.stdout, sys.settrace)",
        "from sys import byteorder, modules",
        "from sys import *",
        "from __main__ import copy",
        "import inspect",
        "def double(x):\n    return scale.__globals__['copy']",
        "print(_)",
        "print(Out[1], In[2])",
        "def double(x):\n    return getattr(x, '__globals__')",
        # what remembers earlier calls
        "calls = 0\ndef double(x):\n    global calls\n    calls += 1\n    return 2 * x",
        "seen = {}\ndef double(x):\n    seen[x] = 2 * x\n    return seen[x]",
        "seen = []\ndef double(x):\n    seen.append(x)\n    return 2 * x",
        "seen = []\ndef note(where, x):\n    where.append(x)\ndef double(x):\n    note(seen, x)\n    return 2 * x",
        "def double(x, seen=[]):\n    return 2 * x",
        "def double(x):\n    double.calls = 1\n    return 2 * x",
        "class Double:\n    calls = 0\n    def __init__(self):\n        Double.calls += 1",
        "class Double:\n    calls = 0\n    def __init__(self):\n        type(self).calls += 1",
        "class Double:\n    seen = []",
        "import functools\n@functools.lru_cache\ndef double(x):\n    return 2 * x",
        "numbers = iter(range(9))\ndef double(x):\n    return 2 * x + next(numbers)",
        "rng = torch.Generator()\ndef double(x):\n    return 2 * torch.rand(3, generator=rng)",
        "def made():\n    n = 0\n    def inner(x):\n        nonlocal n\n        n += 1\n        return n * x"
        "\n    return inner\ntimes = made()\ndef double(x):\n    return times(x)",
        "x = torch.zeros(3)\ndef double(y):\n    x.add_(y)\n    return x",
        "x = torch.zeros(3)\ndef double(y):\n    torch.nn.init.ones_(x)\n    return x",
        "def double(x):\n    torch.relu = None\n    return 2 * x",
        "x = " + "-" * 5000 + "1",  # nested too deeply to be read
    ],
)
def test_in_doubt_all_are(own):
    assert chosen(own) == EVERY


@pytest.mark.parametrize(
    "own",
    [
        "TABLE = {2: [1, 0], 4: torch.tensor([1.0])}\ndef double(x):\n    return TABLE[2] + 2 * x",
        "def double(x):\n    out = []\n    out.append(x)\n    def inner():\n        nonlocal x\n        x += 1"
        "\n    out[0] = 1\n    return out",
        "class Double:\n    BITS = 4\n    def __init__(self):\n        self.seen = []\n        self.seen.append(1)",
        "def double(x):\n    torch.nn.init.zeros_(x)\n    return x.add_(x)",
        "from math import *\ndef double(x):\n    return 2 * x",
        "import sys\nfrom sys import maxsize\ndouble = lambda x: x + sys.getsizeof(3)\nprint(sys.byteorder)",
    ],
)
def test_what_remembers_nothing_is_no_reason(own):
    assert chosen(own) == set()


@pytest.mark.parametrize(
    "own", ["def double(:", "print(factor", "%time double(3)\nprint(factor", "(" * 999 + "factor", "=%\\\n"]
)
def test_what_is_no_python_runs_nothing_and_needs_nothing(own):
    assert chosen(own) == set()


WORLD = [
    "torch.set_default_dtype(torch.float64)",
    "np.pi = 3",
    "import os\nos.environ['A'] = '1'",
    "import os\nos.chdir('/')",
    "import matplotlib.pyplot as plt\nplt.rcParams['font.size'] = 3",
    "import matplotlib.pyplot as plt\nplt.rcParams.update({})",
    "globals()['x'] = 1",
    "exec('x = 1')",
    "setattr(torch, 'x', 1)",
    "%autoreload",
]
HARMLESS = [
    "torch.manual_seed(3)",  # states are set anew
    "torch.set_num_threads(2)",
    "model = torch.nn.Linear(1, 1).eval()",
    "from unittest.mock import patch\nwith patch.dict(globals(), double=abs):\n    double(3)",
]


@pytest.mark.parametrize("shown", WORLD)
def test_what_changes_the_world_always_runs(shown):
    assert chosen(ANSWER, shown=[shown]) == {0}


@pytest.mark.parametrize("shown", HARMLESS)
def test_what_changes_nothing_that_answers_see_does_not(shown):
    assert chosen(ANSWER, shown=[shown]) == set()


def test_a_test_needs_what_it_uses():
    assert chosen(ANSWER, test="expect(scale(3), 6)") == {5, 6}
    assert chosen(ANSWER, test="@probe\ndef scaled(x):\n    return scale(x)\nscaled(3)") == {5, 6}
    assert chosen(ANSWER, test="def scale(x):\n    return factor\nfactor = 3\nscale(3)") == set()


def test_only_cells_above_are_run_for_what_is_read_at_once():
    cells = [("setup", SETUP), ("own", "print(late)"), ("demonstration", "late = 1"), ("own", ANSWER), ("test", TEST)]
    assert to_run(cells) == set()
    cells[1] = ("own", "def double(x):\n    return late * x")
    assert to_run(cells) == {2}


# In the grader -------------------------------------------------------------------------------------------------------


DEMONSTRATIONS = ["import copy\nfactor = 2", "print('long', double(torch.ones(1)))", "noise = torch.rand(3)"]


def graded(demonstrations, before=(), **answers):
    return test_split.shared().run(
        test_split.notebook([*DEMONSTRATIONS, *before], **answers),
        None,
        test_split.TEACHER,
        demonstrations=demonstrations,
    )


def skipped(run):
    return [c.source for c in run.notebook.cells if c.get("outputs") and c.outputs[0].get("text") == NOT_RUN]


def test_a_demonstration_that_nothing_needs_is_not_run():
    run = graded(DEMONSTRATIONS)
    assert test_split.points(run) == test_split.POINTS and run.flags == []
    assert skipped(run) == DEMONSTRATIONS
    copying = graded(DEMONSTRATIONS, double=test_split.ANSWERS["double"].replace("2 * x", "copy.copy(2 * x)"))
    assert test_split.points(copying) == test_split.POINTS and skipped(copying) == DEMONSTRATIONS[1:]
    changed = graded(["import copy\nfactor = 3", *DEMONSTRATIONS[1:]])  # another text is the learner's own cell
    assert skipped(changed) == DEMONSTRATIONS[1:]
    assert skipped(graded([])) == []


def test_a_copied_test_or_set_up_is_no_demonstration():
    run = graded([*DEMONSTRATIONS, "raise RuntimeError('learner')"], before=["raise RuntimeError('learner') "])
    assert "raise RuntimeError('learner') " in skipped(run)  # blanks at the end do not count
    run = graded(DEMONSTRATIONS, before=["raise RuntimeError('learner')"])
    assert "RuntimeError" in json.dumps(run.notebook)


def test_the_random_state_is_the_same_whatever_ran_before():
    """An answer that draws without a generator gets the same numbers, whichever cells ran and whatever they drew."""
    drawing = (
        "def total(xs):\n    return [float(torch.rand(1)), __import__('random').random(), float(np.random.rand())]"
    )
    messages = {
        next(
            t.message
            for t in graded(shown, before=before, total="import numpy as np\n" + drawing).tests
            if t.exercise == "total"
        )
        for shown in (DEMONSTRATIONS, [])
        for before in ([], ["import random\ntorch.rand(5)\nrandom.random()\ntorch.manual_seed(5)"])
    }
    assert len(messages) == 1 and "0.49625" in messages.pop()  # torch.rand after the seed 0


def test_a_cell_gets_the_same_random_state_too():
    draws = "factor_drawn = float(torch.rand(1))\nprint(factor_drawn)"
    texts = {test_split.printed(graded(shown, before=[draws]).notebook.cells[4]) for shown in (DEMONSTRATIONS, [])}
    assert len(texts) == 1


# In the lessons ------------------------------------------------------------------------------------------------------


def roles(notebook):
    """(role, source) of a teacher's code cells."""
    made = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            meta = cell.metadata.get("nbgrader")
            role = "demonstration" if not meta else "test" if meta.grade else "own" if meta.solution else "setup"
            made.append((role, cell.source))
    return made


@pytest.mark.parametrize("source", sources(), ids=lambda s: s.stem)
def test_a_solved_lesson_needs_no_demonstration(source):
    assert to_run(roles(teacher_notebook(source))) == set()


@pytest.mark.parametrize("source", sources(), ids=lambda s: s.stem)
def test_few_of_the_answers_need_one(source):
    """Answers as learners write them: what each needs can be decided, and most need nothing."""
    notebook = teacher_notebook(source)
    names = [c.metadata.get("nbgrader", {}).get("grade_id") for c in notebook.cells if c.cell_type == "code"]
    cells, some, count = roles(notebook), [], 0
    answers = jupytext.read(LESSONS.parent / "tests" / "answers" / source.name, fmt="py:percent")
    for row in answers.cells[:: 1 + len(answers.cells) // 60]:
        exercise = row.metadata.get("right") or row.metadata.get("wrong")
        if exercise in names:
            at = names.index(exercise)
            count += 1
            some += [exercise] if to_run([*cells[:at], ("own", row.source), *cells[at + 1 :]]) else []
    assert count and len(some) < 0.15 * count, some


def submission(lesson: str, extra: str = "", **answers: str):
    """A solved lesson with some answers replaced, and what `Grader.run` needs beside it."""
    source = find_source(lesson)
    notebook = teacher_notebook(source)
    named = {c.metadata.nbgrader.grade_id: c.source for c in notebook.cells if "nbgrader" in c.metadata}
    shown = [c.source for c in notebook.cells if c.cell_type == "code" and "nbgrader" not in c.metadata]
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    if extra:
        notebook.cells.append(nbformat.v4.new_code_cell(extra))
    folder = LESSONS / source.stem
    return notebook, {p.name: p.read_bytes() for p in folder.glob("*.py")}, named, folder, shown


def both_ways(lesson: str, **changes: str):
    """The scores of a submission, and how many demonstrations ran: with what it needs alone, and with all of them."""
    from autograder.box.sandbox import Limits

    notebook, files, named, folder, shown = submission(lesson, **changes)
    kept = [
        c for c in notebook.cells if c.cell_type == "code" and (c.metadata.get("nbgrader", {}).get("grade_id", "x") in
        ("x", "setup", *changes, *(f"test_{n}" for n in changes)) or c.metadata.get("nbgrader", {}).get("solution"))
    ]  # fmt: skip
    notebook = nbformat.from_dict(notebook | {"cells": kept})
    limits = Limits(cell_s=300, call_s=100, test_s=300, notebook_s=1500)
    with test_split.limited(**vars(limits)) as grader:
        runs = [grader.run(notebook, files, named, folder, demonstrations=d) for d in (shown, [])]
    return [[(t.exercise, t.points, t.message) for t in run.tests] for run in runs], len(shown) - len(skipped(runs[0]))


@pytest.mark.parametrize("cell", ["=%\\\n", "%unending\n" * 4])
def test_a_cell_on_which_ipython_itself_fails_is_no_python(cell, monkeypatch):
    monkeypatch.setattr("IPython.core.inputtransformer2.TRANSFORM_LOOP_LIMIT", 3)
    with pytest.raises(SyntaxError, match="IPython cannot read this cell"):
        as_python(cell)


def test_lesson_01_scores_the_same_with_and_without_its_demonstrations():
    right = "def dequantize(q, scale, zero_point):\n    return (q.float() - zero_point) * scale\n"
    for answer, passes in ((right, True), (right.replace("- zero_point", "+ zero_point"), False)):
        (few, every), ran = both_ways("01", dequantize=answer)
        assert few == every and ran == 0 and bool(few[0][1]) is passes
    (few, every), ran = both_ways("01", dequantize=right, extra="=%\\\n")  # IPython itself fails on it
    assert few == every and few[0][1], few
    tried = "%timeit -n1 -r1 quantize(torch.ones(2), 1.0, 0, 0, 255)\nquantize?\n!ls"
    (few, every), ran = both_ways("01", dequantize="def dequantize(:", extra=tried)
    assert few == every and ran == 0 and not few[0][1]
    copying = right.replace("return ", "return copy.copy(").rstrip() + ")\n"  # a demonstration below imports copy
    (few, every), ran = both_ways("01", dequantize=copying)
    assert few == every and 0 < ran < 16
