"""What the teacher is told of a submission's code: every trick by its name, and nothing of honest work."""

import time

import pytest
import test_answers
import test_split

from autograder.grading.suspicion import LONGEST, MOST, suspicions
from autograder.source import sources, teacher_notebook

SETUP = "import torch\nimport numpy as np\nimport torch.nn as nn\nfrom bonsai.testing import expect"


def said(source: str) -> str:
    return " ".join(suspicions([("Code cell 4", source)], SETUP))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import subprocess", "Code cell 4 starts another program (subprocess)."),
        ("!curl example.org", "starts another program (!)"),
        ("%%bash\nls", "starts another program (%bash)"),
        ("%time import subprocess", "starts another program"),
        ("from os import system as s\ns('ls')", "os.system"),
        ("import os\nrun = getattr(os, 'sys' + 'tem')\nrun('ls')", "os.system"),
        ("__import__('os').kill(1, 9)", "os.kill"),
        ("import importlib\nimportlib.import_module('socket')", "opens network connections (socket)"),
        ("import os as o\no._exit(0)", "os._exit"),
        ("import os\ndef f(os):\n    return os.path\nos.fork()", "os.fork"),
        ("import sys\nsys.modules['torch'].equal = print", "changes"),
        ("torch.Tensor.__eq__ = lambda a, b: True", "changes a library for everyone (torch.Tensor.__eq__)"),
        ("setattr(torch, 'equal', print)", "changes a library"),
        ("vars(torch)['equal'] = print", "changes a library"),
        ("del np.ndarray.sum", "changes a library"),
        ("import threading\nthreading.Thread(target=print).start()", "leaves work for later"),
        ("class T(torch.Tensor):\n    pass", "lie in a comparison (torch.Tensor)"),
        ("class P(nn.Parameter):\n    pass", "lie in a comparison"),
        ("type('I', (int,), {'__eq__': lambda a, b: True})", "lie in a comparison"),
        ("f = lambda: 0\nf.__globals__['expect'] = print", "looks into the running program (__globals__)"),
        ("[c for c in ().__class__.__base__.__subclasses__()]", "__subclasses__"),
        ("import gc\ngc.get_objects()", "gc.get_objects"),
        ("exec('import pickle')", "runs code when it is read"),
        ("exec(chr(105) + 'mport os')", "runs code that it builds (exec)"),
        ("open('/proc/self/mem')", "names a path outside its folder (/proc/self/mem)"),
        ("from pathlib import Path\nPath('..').resolve()", "outside its folder"),
        ("open('../../gradebook.db')", "outside its folder"),
        ("open('lesson01.py', 'w')", "opens a program"),
        ("%%writefile torch.py\nx = 1", "opens a program"),
        ("import os\nos.environ", "reads the environment"),
        ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (1, 1))", "changes limits"),
        ("def expect(*a): pass", "redefines a name of the tests (expect)"),
        ("expect = print", "redefines a name of the tests"),
        ("get_ipython().events.register('x', print)", "notebook's machinery"),
        ("ip = get_ipython()", "notebook's machinery"),
        ("import autograder.box.wire", "reaches for the grader"),
        ("print('{\"score\": 100}')", "result of the grader"),
        ("x = 'a' * 10**9", "very large"),
        ("(" * 150 + ")" * 150, ""),
        ("def f(x: __import__('os').system('ls')) -> int: pass", "os.system"),
        ("def f(x) -> __import__('subprocess'): pass", "subprocess"),
        ("x: __import__('os').system('ls') = 1", "os.system"),
        ("def f(*a: \"__import__('os').system('ls')\"): pass", "os.system"),
        ("import os\nmatch os:\n    case object(system=run):\n        run('ls')", "os.system"),
        ("match f:\n    case object(__globals__=g):\n        g", "__globals__"),
        ("import os\ngetattr(os, f'sys{\"tem\"}')('ls')", "os.system"),
        ("import os\nos.__getattribute__('sys' + 'tem')('ls')", "os.system"),
        ("import os\nobject.__getattribute__(os, 'system')('ls')", "os.system"),
        ("import os, operator\noperator.attrgetter('system')(os)('ls')", "os.system"),
        ("import os\nos.__dict__['system']('ls')", "os.system"),
        ("import os\nvars(os).get('system')('ls')", "os.system"),
        ("import os\n(s := os.system)\ns('ls')", "os.system"),
        ("import os\ndef f(o=os):\n    o.fork()", "os.fork"),
        ("import os\n(lambda o=os: o.fork())()", "os.fork"),
        ("import builtins\ngetattr(builtins, 'eval')('1')", "runs code that it builds (builtins.eval)"),
        ("from builtins import exec as e\ne('1')", "runs code that it builds (builtins.exec)"),
        ("getattr(__builtins__, 'ex' + 'ec')('1')", "runs code that it builds"),
        ("globals()['__builtins__'].eval('1')", "runs code that it builds"),
        ("torch.os.system('ls')", "starts another program (torch.os.system)"),
        ("np.random._pickle.loads(x)", "runs code when it is read"),
        ("import posix\nposix.system('ls')", "starts another program (posix.system)"),
        ("'{0.__init__.__globals__}'.format(f)", "__globals__"),
        ("'{0[__builtins__]}'.format(f)", "__builtins__"),
        ("import os\ngetattr(os, 'metsys'[::-1])('ls')", "os.system"),
        ("import os\ngetattr(os, ''.join(['sys', 'tem']))('ls')", "os.system"),
        ("import os\ngetattr(os, '%s%s' % ('sys', 'tem'))('ls')", "os.system"),
        ("import os\ngetattr(os, chr(115) + 'ystem')('ls')", "os.system"),
        ("getattr(torch, name)(x)", "fetches something by a name that it builds (torch)"),
        ("%alias_magic t time", "starts another program (%alias_magic)"),
        ("$$$ no Python", "cannot be read as Python"),
        ("'{:>99999999999}'.format(1)", ""),
        ("+".join("1" * 5000), "nested too deeply"),
        ("# " + "x" * LONGEST, "too long"),
    ],
)  # fmt: skip
def test_what_is_named(source, sentence):
    assert sentence in said(source)


@pytest.mark.parametrize(
    "source",
    [
        "signal = x.pow(2).sum()\nsignal.sqrt()",  # a variable, not the module
        "model.eval()\ntorch.manual_seed(0)\nnp.random.seed(0)",
        "torch.backends.quantized.engine = 'qnnpack'",
        "def f(np):\n    np.x = 1",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.scale = 2**61",
        "import tempfile, os, time, gc\nos.path.getsize('a.bin')\ntime.perf_counter()\ngc.collect()",
        "%matplotlib inline\n%timeit f(3)",
        "print(f'score: {3}, [0..1], a/b, 3 ~ 4')",
        "# see /etc/passwd\n'''open('/etc/passwd')'''",
        "import re, torch\nre.compile('a')\ntorch.compile(f)",
        "x = torch.zeros(1000, 1000)\nrange(10**6)\n2**31 - 1",
    ],
)
def test_what_is_not_named(source):
    assert said(source) == ""


def test_no_remark_on_right_answers_and_solutions():
    for row in test_answers.ROWS:
        if row.kind == "right":
            found = suspicions([(row.id, row.source)], test_answers.LESSON[row.lesson].setup)
            assert not found, found
    for source in sources():
        cells = [c for c in teacher_notebook(source).cells if c.cell_type == "code"]
        own = {c.metadata.nbgrader.grade_id: c.source for c in cells if "nbgrader" in c.metadata}
        answers = [(name, code) for name, code in own.items() if not name.startswith("test_")]
        assert suspicions(answers, own["setup"]) == []


def test_what_the_set_up_imports_is_expected_and_nothing_beside_it():
    setup = "import os, asyncio\nfrom threading import Thread"
    assert suspicions([("C", "import asyncio, threading\nasyncio.run(f())\nthreading.Thread(target=f)")], setup) == []
    for code in ("import threading\nthreading.Timer(1, f)", "os.fork()", "import asyncio_server, socket", "exec('')"):
        assert len(suspicions([("C", code)], setup)) == 1, code


def test_few_remarks_on_wrong_answers():
    wrong = [row for row in test_answers.ROWS if row.kind != "right"]
    noted = [r for r in wrong if suspicions([(r.id, r.source)], test_answers.LESSON[r.lesson].setup)]
    assert len(noted) <= 0.05 * len(wrong), [r.id for r in noted]


def test_one_sentence_a_kind_and_cell_and_not_too_many():
    assert len(suspicions([("C", "import os\nos.kill(1, 9)\nos.fork()\nos.abort()")])) == 1
    many = suspicions([(f"Code cell {n}", "import subprocess, socket") for n in range(100)])
    assert len(many) == MOST and many[-1] == "There are 181 more remarks of this sort."


def test_it_is_read_beside_the_tests_and_never_run():
    grader = test_split.shared()
    run = test_split.grade(grader, before=["import socket"], after=["x = 1", "import os\nif False: os.kill(1, 9)"])
    assert run.flags == [
        "The cell that begins with 'import socket' opens network connections (socket).",
        "The cell that begins with 'import os' starts, signals or ends processes (os.kill).",
    ]
    assert test_split.points(run) == test_split.POINTS
    same = grader.run(test_split.notebook(before=["import  socket"]), None, test_split.TEACHER, None, ["import socket"])
    assert same.flags == []  # the teacher's own cell
    began = time.monotonic()
    deep = test_split.grade(
        grader, before=["x = " + "(" * 90 + "1" + ")" * 90, "if False:\n    y = " + "-" * 20_000 + "1"]
    )
    assert time.monotonic() - began < 30 and test_split.points(deep) == test_split.POINTS


def test_a_cell_that_is_no_python_is_a_remark_only_if_it_ran():
    cells = [("C", "def f(:"), ("D", "$$$")]
    assert suspicions(cells, SETUP, ["C"]) == ["D cannot be read as Python, so it was not looked at."]
    run = test_split.grade(test_split.shared(), before=["def f(:"])
    assert run.flags == [] and test_split.points(run) == test_split.POINTS


def test_programs_beside_the_notebook_are_read_too():
    files = {
        "helper.py": b"import socket",
        "b.py": b"def f(x):\n    return x",
        "c.so": b"\x7fELF",
        "notes.txt": b"exec",
    }
    run = test_split.shared().run(test_split.notebook(), files, test_split.TEACHER)
    assert run.flags == [
        "The file c.so holds code that cannot be looked at.",
        "The file helper.py opens network connections (socket).",
    ]
    assert test_split.points(run) == test_split.POINTS
