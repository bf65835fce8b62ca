# ruff: noqa: E501  (sources of notebooks, and tables, are dense)
"""Split execution, from a notebook to points: who passes, who does not, and what a submission can do to the grader."""

import atexit
import contextlib
import functools
import json
import subprocess
import sys
import time

import nbformat
import pytest

from autograder.box import wire
from autograder.box.sandbox import Limits
from autograder.grading.split import Grader, clean, clean_output
from autograder.grading.trusted import AnswerError, defined, global_names, rebuilt
from autograder.source import kind_of

LIMITS = Limits(cell_s=3, call_s=2, test_s=15, notebook_s=60, memory_mb=1500, processes=40, tmp_mb=64, file_mb=16)
SECRET = "MARKER_73519"  # stands in every hidden test; must never reach the learner's process or an output

SETUP = """\
import random
import torch
from bonsai.testing import expect, require, check_errors, probe, fresh, record, from_scratch
FORBIDDEN = ["torch.quantize_per_tensor"]
%matplotlib inline
"""
ANSWERS = {
    "double": "def double(x):\n    if len(x) == 0:\n        raise ValueError('empty')\n    return 2 * x",
    "total": "def total(xs):\n    return sum(xs)",
    "pack": "import json\n\ndef helper(b):\n    return json.loads(b)\n\ndef pack(xs):\n    return json.dumps(xs).encode()\n\n"
    "def unpack(blob):\n    return helper(blob)",
}
TESTS = {
    "double": f"""\
from_scratch(double, FORBIDDEN)
expect(double(torch.tensor([1.0, 2.0])), torch.tensor([2.0, 4.0]), "double([1, 2])", {{"It was squared.": torch.tensor([1.0, 4.0])}})
### BEGIN HIDDEN TESTS
_seed = 918273645  # {SECRET}
_x = torch.randn(20, generator=torch.Generator().manual_seed(_seed))
expect(double(_x), 2 * _x, "double(random numbers)")
check_errors(ValueError, double, (torch.zeros(0),))

@probe
def _keeps_its_input(x):
    before = x.clone()  # {SECRET}
    double(x)
    return bool((x == before).all())

require(_keeps_its_input(_x) is True, "double changed its input")
### END HIDDEN TESTS""",
    "total": f"""\
expect(total([1, 2, 3]), 6, "total([1, 2, 3])")
### BEGIN HIDDEN TESTS
_xs = [random.randrange(1000) for _ in range(50)]  # {SECRET}
expect(total(_xs), sum(_xs), "total(50 numbers)")
### END HIDDEN TESTS""",
    "pack": """\
_blob = pack([1, 2, 3])
require(isinstance(_blob, bytes), "pack should return bytes")
expect(fresh(unpack)(_blob), [1, 2, 3], "unpack(pack([1, 2, 3]))")
record(size=len(_blob), code=fresh(unpack).code_bytes)""",
}
POINTS = {"double": 4, "total": 3, "pack": 5}


def code(source, **meta):
    cell = nbformat.v4.new_code_cell(source)
    if meta:
        cell.metadata["nbgrader"] = {"grade": False, "solution": False, "locked": False, "task": False} | meta
    return cell


def notebook(before=(), after=(), **answers):
    """A sanitized submission; `before` and `after` are the learner's own cells around the answers."""
    cells = [code(SETUP, grade_id="setup", locked=True), *map(code, before)]
    for name in ANSWERS:
        cells.append(code(answers.get(name, ANSWERS[name]), grade_id=name, solution=True))
        cells.append(code(TESTS[name], grade_id=f"test_{name}", grade=True, locked=True, points=POINTS[name]))
    return nbformat.v4.new_notebook(cells=[*cells, *map(code, after)])


TEACHER = {c.metadata.nbgrader.grade_id: c.source for c in notebook().cells}


@functools.cache
def shared() -> Grader:
    """One grader for all test files: each start imports torch twice."""
    grader = Grader(limits=LIMITS)
    atexit.register(grader.close)
    return grader


@pytest.fixture
def grader():
    return shared()


@contextlib.contextmanager
def limited(**limits):
    """The shared grader with other limits, which hold from one submission to the next."""
    grader = shared()
    grader.limits = Limits(**limits)
    try:
        yield grader
    finally:
        grader.limits = LIMITS


def grade(grader, before=(), after=(), files=None, **answers):
    run = grader.run(notebook(before, after, **answers), files, TEACHER)
    nbformat.validate(run.notebook)
    for cell in run.notebook.cells:
        assert SECRET not in json.dumps(cell.get("outputs", [])), "a hidden test leaked into an output"
    assert SECRET not in " ".join([*run.flags, *(t.message for t in run.tests)])
    assert "parent process" not in " ".join(run.flags), "a submission ended what it was forked from"
    return run


def points(run):
    return {t.exercise: t.points for t in run.tests}


def message(run, exercise):
    return next(t.message for t in run.tests if t.exercise == exercise)


def printed(cell):
    return "".join(o.get("text", "") for o in cell.outputs)


# Honest work ---------------------------------------------------------------------------------------------------------


def test_an_error_is_told_though_codecs_are_out_of_order(grader):
    """Its lines are read from files, and Python reads files with codecs."""
    test = 'from_scratch(total, ["codecs", "numpy.savez_compressed"])\ntotal([1])'
    cells = notebook(total="def total(xs):\n    return [torch.zeros(x + 1) + torch.zeros(3) for x in xs]")
    next(c for c in cells.cells if c.metadata.nbgrader.grade_id == "test_total").source = test
    run = grader.run(cells, None, TEACHER | {"test_total": test})
    assert "must match the size" in message(run, "total") and "ended its process" not in " ".join(run.flags)
    assert message(run, "total").count("line 2 of the answer") == 1


CLAUSES = """\
from bonsai.testing import Clauses
clauses = Clauses(packing=2, unpacking=3)
with clauses("packing"):
    expect(pack([1, 2, 3]), b"[1, 2, 3]", "pack([1, 2, 3])")
with clauses("unpacking"):
    expect(unpack(b"[4]"), [4], "unpack(b'[4]')")
    expect(fresh(unpack)(b"[1, 2, 3]"), [1, 2, 3], "unpack in a new process")
record(size=9)
clauses.award()"""


@pytest.mark.parametrize(
    ("text", "earned", "says"),
    [
        (ANSWERS["pack"], 5, ""),
        (ANSWERS["pack"].replace("helper(blob)", "[]"), 2, "2 of 5 points, for: packing"),
        (ANSWERS["pack"].replace("helper(blob)", "1 / 0"), 2, "ZeroDivisionError"),
        (ANSWERS["pack"].replace(".encode()", ""), 3, "3 of 5 points, for: unpacking"),
        ("def pack(xs):\n    return xs\n\ndef unpack(blob):\n    return blob", 0, "expected"),
        ("import os\n\ndef pack(xs):\n    os._exit(0)\n\ndef unpack(blob):\n    return [4]", 0, "ended"),
        ("", 0, "pack"),
        (
            "import bonsai.testing as t\nt.awarded.append(1.0)\nt.Clauses.award = lambda self: 5.0\nt.raises = False\n"
            "def pack(xs):\n    t.awarded[:] = [1.0]\n    raise t.CheckFailed('5.0')\n\nunpack = pack",
            0,
            "5.0",
        ),
    ],
)
def test_points_by_clause(grader, text, earned, says):
    """Clauses that hold give their points; the learner's process has no say in it."""
    cells = notebook(pack=text)
    next(c for c in cells.cells if c.metadata.nbgrader.grade_id == "test_pack").source = CLAUSES
    run = grader.run(cells, None, TEACHER | {"test_pack": CLAUSES})
    test = run.tests[-1]
    assert (test.points, test.passed) == (earned, earned == 5), test
    assert says in test.message
    assert run.measured.get("size", 9) == 9


def test_right_answers_get_all_points_twice_the_same(grader):
    first, second = grade(grader), grade(grader)
    for run in (first, second):
        assert points(run) == POINTS and run.flags == [] and run.measured == {"size": 9.0, "code": 71.0}
        assert all(t.message == "" and t.max_points == POINTS[t.exercise] for t in run.tests)
    shown = [
        printed(c) for c in first.notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "test_double"
    ]
    assert "✓ double([1, 2])" in shown[0]
    assert [c.outputs for c in first.notebook.cells] == [c.outputs for c in second.notebook.cells]
    assert [c.execution_count for c in first.notebook.cells] == list(range(1, 8))


def test_a_wrong_answer_gets_the_message_of_its_mistake(grader):
    run = grade(grader, double="def double(x):\n    return x * x")
    assert points(run) == {"double": 0, "total": 3, "pack": 5} and run.flags == []
    assert "It was squared." in message(run, "double")
    result = run.tests[0]
    assert not result.hidden and not result.passed
    assert grade(grader, double="def double(x):\n    return 2 * x").tests[0].hidden  # no error for an empty input


def test_an_open_exercise_is_not_answered_yet(grader):
    run = grade(grader, total="def total(xs):\n    raise NotImplementedError")
    assert points(run) == {"double": 4, "total": 0, "pack": 5} and message(run, "total") == "not answered yet"


def test_an_error_in_the_answer_shows_the_learners_line(grader):
    run = grade(grader, total="def total(xs):\n    n = 0\n    return xs / n")
    assert message(run, "total").startswith("your code raised TypeError: unsupported operand")
    cell = next(c for c in run.notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "test_total")
    assert any("line 3 of the answer to total, in total: return xs / n" in line for line in cell.outputs[-1].traceback)
    assert "is not defined" in message(grade(grader, total="x = 1"), "total")
    assert "SyntaxError" in json.dumps(grade(grader, total="def total(:").notebook)


def test_a_result_the_test_cannot_use_is_a_sentence(grader):
    for value in ("object()", "lambda: 3", "None", "(i for i in xs)"):
        run = grade(grader, total=f"def total(xs):\n    return {value}")
        assert points(run)["total"] == 0 and message(run, "total")


def test_outputs_are_those_of_jupyter(grader):
    cells = [
        "print('hello')\nimport sys\nprint('careful', file=sys.stderr)\n1 + 1",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        "import os\nos.write(1, b'past Python')\n!echo from a program",
        "1 / 0",
        "import helper\nprint(helper.x, __import__('os').environ['NBGRADER_EXECUTION'])",
        "%%capture out\nprint('quiet')",
        "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))",
    ]
    run = grade(grader, before=cells, files={"helper.py": b"x = 41", "sub/data.txt": b"1"})
    assert points(run) == POINTS
    shown = [c.outputs for c in run.notebook.cells[1 : 1 + len(cells)]]
    assert [o.output_type for o in shown[0]] == ["stream", "stream", "execute_result"]
    assert shown[0][0].text == "hello\n" and shown[0][1].name == "stderr" and shown[0][2].data["text/plain"] == "2"
    assert "image/png" in shown[1][0].data
    assert "past Python" in str(shown[2]) and "from a program" in str(shown[2])
    assert shown[3][0].ename == "ZeroDivisionError"
    assert shown[4][0].text == "41 autograde\n"
    assert shown[5] == [] and "text/html" in shown[6][0].data


def test_helpers_in_own_cells_and_later_definitions_count(grader):
    own = ["import json as j", "def add(a, b):\n    return a + b", "LIMIT = 3"]
    run = grade(grader, before=own, total="def total(xs):\n    n = 0\n    for x in xs:\n        n = add(n, x)\n    return n",
                after=["def total(xs):\n    return -1"])  # fmt: skip
    assert points(run) == POINTS  # as in stock nbgrader, a test sees what stands above it
    codec = (
        ANSWERS["pack"]
        .replace("import json\n", "")
        .replace("json.", "j.")
        .replace("def helper(b):\n    return j.loads(b)\n\n", "")
    )
    run = grade(grader, before=[*own, "def helper(b):\n    return j.loads(b)"], pack=codec)
    assert points(run) == POINTS, message(run, "pack")  # a fresh process knows them too


def test_without_the_teachers_sources_the_metadata_is_believed(grader):
    run = grader.run(notebook())
    assert points(run) == POINTS


def test_nothing_of_the_learners_runs_beside_the_tests(grader):
    nb = notebook()
    nb.cells.insert(
        1, code("import os\nos.environ['X'] = 'learner'\nexpect = lambda *a, **k: None", grade_id="mine", locked=True)
    )
    nb.cells.insert(2, code("expect = lambda *a, **k: None", grade_id="setup", locked=True))
    nb.cells[0].source += "\nimport bonsai.testing\nexpect = lambda *a, **k: None"
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "double":
            cell.source = "def double(x):\n    return 0\n\ndef expect(*a, **k):\n    return None"
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_double":
            cell.source = "pass"
    run = grader.run(nb, None, TEACHER)
    assert points(run)["double"] == 0 and points(run)["total"] == 3
    assert any("'mine'" in f for f in run.flags) and any("'setup'" in f for f in run.flags)


def test_a_shortcut_is_named(grader):
    run = grade(
        grader,
        double="import torch as t\ndef double(x):\n    t.quantize_per_tensor(x, 1., 0, t.qint8)\n    return 2 * x",
    )
    assert points(run)["double"] == 0 and "torch.quantize_per_tensor" in message(run, "double")


def test_a_fresh_process_has_no_data_and_no_memory(grader):
    seen = "import os\nblobs = []\ndef pack(xs):\n    blobs.append(xs)\n    return b'x'\n"
    memory = grade(grader, pack=seen + "def unpack(blob):\n    return blobs[0]")
    assert points(memory)["pack"] == 0 and "IndexError" in message(memory, "pack")
    disk = (
        seen
        + "def unpack(blob):\n    return [1, 2, 3] if os.listdir('/course/data') or os.listdir('/tmp') else ['empty']"
    )
    spill = grade(grader, pack=disk.replace("return b'x'", "open('/tmp/x', 'w').write('1'); return b'x'"))
    assert points(spill)["pack"] == 0 and "empty" in message(spill, "pack")


PTY = """
import fcntl, json, os, struct
def pack(xs):
    global m
    m = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(m, 0x40045431, struct.pack("i", 0))
    os.write(m, b"[1, 2, 3]\\n")
    return bytes([struct.unpack("i", fcntl.ioctl(m, 0x80045430, bytes(4)))[0]])
def unpack(blob):
    return json.loads(os.read(os.open(f"/dev/pts/{blob[0]}", os.O_RDWR | os.O_NOCTTY), 100))
"""
LOCKS = """
import ctypes, fcntl, os
def pack(xs):
    global held
    held = os.open("/course/bonsai/data.py", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    return b"x"
def unpack(blob):
    try:
        fcntl.flock(os.open("/course/bonsai/data.py", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return [1, 2, 3]
"""
LOAD = (
    "def pack(xs):\n    return b'x'\n\ndef unpack(blob):\n    return [1, 2, 3] if open('/proc/loadavg').read() else []"
)
NOTICES = """
import ctypes
def pack(xs):
    return b"x"
def unpack(blob):
    c = ctypes.CDLL(None)
    seen = c.inotify_init1(0)
    return [1, 2, 3] if c.inotify_add_watch(seen, b"/course/bonsai", 32) >= 0 else []
"""
CHANNELS = {
    "a terminal": PTY,
    "a lock on a shared file": LOCKS,
    "the machine's load": LOAD,
    "notices of a folder": NOTICES,
}


@pytest.mark.parametrize("name", CHANNELS)
def test_nothing_connects_a_fresh_process_to_the_first_one(grader, name):
    run = grade(grader, pack=CHANNELS[name])
    assert points(run) == {"double": 4, "total": 3, "pack": 0}, message(run, "pack")


def test_the_first_process_stands_still_while_the_fresh_one_runs(grader):
    """Its threads and its children too: they count how long they were not run."""
    clock = """
import os, threading, time
def watch(path):
    last = time.monotonic()
    while True:
        time.sleep(0.01)
        now = time.monotonic()
        if now - last > 0.9:
            open(path, "w").write("stood still")
        last = now
threading.Thread(target=watch, args=("thread",), daemon=True).start()
if os.fork() == 0:
    watch("child")
"""
    slow = ANSWERS["pack"].replace("return helper(blob)", "import time; time.sleep(1.5); return helper(blob)")
    run = grade(
        grader, before=[clock], pack=slow, after=["import time; time.sleep(0.1)\nprint(sorted(os.listdir('.')))"]
    )
    assert points(run) == POINTS and printed(run.notebook.cells[-1]) == "['child', 'thread']\n"


def test_a_fresh_process_shares_no_open_file_and_no_memory(grader):
    look = """
import os, re, stat
def opened():
    kinds = []
    for n in range(512):
        try:
            kinds.append(oct(stat.S_IFMT(os.fstat(n).st_mode)))
        except OSError:
            pass
    return sorted(kinds)
def shown():
    fds = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
    kinds = sorted(re.sub(r"[0-9]+", "N", os.readlink(f)) for f in fds if os.path.islink(f))
    with open("/proc/self/maps") as maps:
        return kinds, [m.split()[1] for m in maps if "s" in m.split()[1] and "w" in m.split()[1]]
"""
    unpack = (
        "def pack(xs):\n    return b'x'\n\ndef unpack(blob):\n    raise ValueError((opened(), os.listdir('/proc')))"
    )
    run = grade(grader, before=[look + "print(shown())\nprint(opened())"], pack=look + unpack)
    kinds = ["/dev/null", "/dev/null", *["/memfd:outputs (deleted)"] * 3, "socket:[N]"]
    ours, opened = printed(run.notebook.cells[1]).splitlines()
    assert ours == f"{(kinds, [])}"  # the outputs' file is its own, the socket the grader's
    # the same few in the fresh process, which sees no /proc: its smaps would say which pages the first one has changed
    assert message(run, "pack").splitlines()[0] == f"your code raised ValueError: ({opened}, [])"


def test_weights_in_the_code_or_in_a_file_do_not_reach_the_fresh_process(grader):
    # 2,700 characters above U+FFFF: 10,800 bytes
    heavy = f"WEIGHTS = {chr(0x10000) * 2_700!r}\n" + ANSWERS["pack"].replace(
        "json.loads(b)", "json.loads(b) + [] * len(WEIGHTS)"
    )
    run = grade(grader, pack=heavy)
    assert points(run)["pack"] == 0 and "takes at most 8,192 bytes of your code" in message(run, "pack")
    assert points(grade(grader, pack=heavy.replace("len(WEIGHTS)", "1"))) == POINTS  # what is not used does not count
    reads = "def pack(xs):\n    return b'1'\n\ndef unpack(blob):\n    return list(open('weights.bin', 'rb').read())"
    run = grade(grader, pack=reads, files={"weights.bin": bytes([1, 2, 3])})
    assert points(run)["pack"] == 0 and "FileNotFoundError" in message(run, "pack")


def test_a_shortcut_above_the_test_counts_even_if_a_clean_answer_follows(grader):
    cheat = "def double(x):\n    torch.quantize_per_tensor(x, 1., 0, torch.qint8)\n    return 2 * x"
    run = grade(grader, double=cheat, after=[ANSWERS["double"]])
    assert points(run)["double"] == 0 and "quantize_per_tensor" in message(run, "double")


def test_more_code_or_files_than_anyone_writes_are_cut(grader):
    run = grade(grader, after=["# " + "x" * (6 << 20)], files={"a": bytes(40 << 20), "b": bytes(40 << 20), "c": b"1"})
    assert points(run) == POINTS and any("5 MB" in f for f in run.flags) and any("50 MB" in f for f in run.flags)


@pytest.mark.parametrize(
    "meta", [3, [], "x", {"grade": True}, {"grade": True, "points": "many"}, {"grade_id": [1], "locked": True}]
)
def test_strange_metadata_is_not_the_graders_end(grader, meta):
    nb = notebook()
    nb.cells.append(code("x = 1"))
    nb.cells[-1].metadata["nbgrader"] = meta
    run = grader.run(nb, None, TEACHER)
    assert points(run) == POINTS


# Hostile submissions -------------------------------------------------------------------------------------------------
# name -> the answer to `double` (and perhaps a cell before it). Whatever it does, `double` is worth nothing and the other
# exercises keep their points.

WRONG = "def double(x):\n    return x"
LYING = """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __sub__(self, other): return 0
    def __len__(self): return 2
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __bool__(self): return True
    shape = dtype = property(lambda self: self)
def double(x):
    return Yes()
"""
INTEGRITY = {
    "objects equal to everything": LYING,
    "patched torch": "import torch\ntorch.equal = torch.allclose = lambda *a, **k: True\ntorch.Tensor.__eq__ = lambda a, b: torch.ones(1).bool()\n"
    "torch.Tensor.all = lambda *a, **k: True\n" + WRONG,
    "patched builtins": "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = ValueError\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.print('patched')\n" + WRONG,
    "patched checks": "import bonsai.testing, sys\nfor name in dir(bonsai.testing):\n    if callable(getattr(bonsai.testing, name)):\n"
    "        setattr(bonsai.testing, name, lambda *a, **k: None)\nexpect = require = check_errors = from_scratch = lambda *a, **k: None\n" + WRONG,
    "replaced modules": "import sys, types\nsys.modules['bonsai.testing'] = sys.modules['random'] = types.ModuleType('x')\n" + WRONG,
    "ast transformer": "import ast\nclass T(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n    def visit_Expr(self, node): return ast.Pass()\n"
    "get_ipython().ast_transformers.append(T())\n" + WRONG,
    "hooks": "get_ipython().events.register('pre_run_cell', lambda info: print('SPY', info.raw_cell))\n"
    "get_ipython().showtraceback = lambda *a, **k: None\n" + WRONG,
    "tensor subclass": "import torch\nclass T(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None): return True\n"
    "def double(x):\n    return x.as_subclass(T)",
    "int and str subclasses": "class I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef double(x):\n    return I(0)",
    "frames": "import sys\ndef double(x):\n    f = sys._getframe()\n    while f:\n        f.f_globals['passed'] = f.f_globals['score'] = True\n        f = f.f_back\n    return x",
    "printed score": "print('{\"passed\": true, \"score\": 100}')\ndef double(x):\n    print(100.0)\n    return x\n100.0",
    "raises the check's own error": "class CheckFailed(AssertionError): pass\ndef double(x):\n    raise CheckFailed('ok')",
    "ends the loop of the test": "def double(x):\n    raise StopIteration",
    "ends by SystemExit": "def double(x):\n    raise SystemExit(0)",
    "an error with a long story": "def double(x):\n    raise ValueError('x' * 10**8)",
    "an error that cannot be shown": "class E(Exception):\n    def __str__(self): raise self\ndef double(x):\n    raise E()",
    "overwrites the bridge": "import sys\nm = sys.modules['__main__']\nimport gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Session':\n"
    "        o.call = lambda *a: 1\nimport autograder.box.wire as w\nw.encode = lambda *a, **k: b'T'\n" + WRONG,
    "a pickle": "import pickle\ndef double(x):\n    return pickle.dumps(x)",
    "deeply nested": "def double(x):\n    y = x\n    for _ in range(100_000):\n        y = [y]\n    return y",
    "refers to itself": "def double(x):\n    y = []\n    y.append(y)\n    return y",
    "huge tensor": "import torch\ndef double(x):\n    return torch.zeros(200_000_000)",
    "huge virtual tensor": "import torch\ndef double(x):\n    return torch.zeros(1).expand(1 << 40)",
    "a million values": "def double(x):\n    return list(range(3_000_000))",
    "colliding keys": "def double(x):\n    return {i * (2**61 - 1): 0 for i in range(3000)}",
    "half characters": "def double(x):\n    raise TypeError('\\ud800 \\x00 <script>')",
    "exits in a cell": "exit()\n" + WRONG,
    "closes descriptors": "import os\nfor fd in range(3):\n    os.close(fd)\n" + WRONG,
    "a thousand pictures": "import matplotlib.pyplot as plt\nfor i in range(30):\n    plt.figure()\n    plt.plot([i])\n    plt.show()\n" + WRONG,
    "strange display data": "from IPython.display import display\ndisplay({'text/html': object(), 'a b': 1, '../x': 'y'}, raw=True)\n" + WRONG,
    "clears outputs": "from IPython.display import clear_output\nclear_output()\nsys = None\nget_ipython().display_pub = None\n" + WRONG,
}  # fmt: skip


@pytest.mark.parametrize("name", INTEGRITY)
def test_tricks_gain_nothing(grader, name):
    run = grade(grader, double=INTEGRITY[name])
    assert points(run) == {"double": 0, "total": 3, "pack": 5}, [(t.exercise, t.message) for t in run.tests]
    assert message(run, "double") and len(message(run, "double")) < 5000
    assert run.flags, "the teacher is told"
    assert "SPY" not in json.dumps(run.notebook) or SECRET not in json.dumps(
        [c.get("outputs") for c in run.notebook.cells]
    )


AVAILABILITY = {  # name -> the answer to `double`, a word of the flag
    "os._exit": ("import os\ndef double(x):\n    os._exit(0)", "ended its process"),
    "endless loop": ("def double(x):\n    while True: pass", "processor time and had not returned; one call may take 2 s"),
    "endless loop in C": ("def double(x):\n    sum(range(10**13))", "processor time and had not returned; one call may take 2 s"),
    "sleep": ("import time\ndef double(x):\n    time.sleep(1000)", "without doing anything; one call may take 2 s"),
    "memory": ("def double(x):\n    import torch\n    y = [torch.ones(10_000_000) for _ in range(1000)]\n    return x", ""),
    "shared memory": ("import mmap\ndef double(x):\n    global m\n    m = []\n    while True:\n        b = mmap.mmap(-1, 1 << 28)\n        b.write(bytes(1 << 28))\n        m.append(b)", ""),
    "processes": ("import os, time\ndef double(x):\n    n = 0\n    try:\n        while n < 500:\n            n += 1\n            if os.fork() == 0:\n                time.sleep(100); os._exit(0)\n    except OSError: pass\n    return n", ""),
    "signals to everyone": ("import os, signal\ndef double(x):\n    for p in range(-1, 3000):\n        if p != os.getpid():\n            try: os.kill(p, signal.SIGKILL)\n            except OSError: pass\n    os.kill(0, 9)\n    return x", ""),
    "segmentation fault": ("import ctypes\ndef double(x):\n    ctypes.string_at(0)", "ended its process"),
    "recursion in C": ("import sys\nsys.setrecursionlimit(10**9)\ndef double(x):\n    return double(x)", ""),
    "huge file": ("def double(x):\n    for i in range(100):\n        open(f'/tmp/{i}', 'wb').write(bytes(1 << 24))\n    return x", ""),
    "writes over the toolkit": ("def double(x):\n    open('/course/bonsai/testing.py', 'w').write('')\n    return x", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", AVAILABILITY)
def test_an_answer_that_does_not_come_back_costs_itself_only(grader, name):
    answer, flag = AVAILABILITY[name]
    began = time.monotonic()
    run = grade(grader, double=answer)
    assert points(run) == {"double": 0, "total": 3, "pack": 5}, [(t.exercise, t.message) for t in run.tests]
    assert time.monotonic() - began < 25
    assert run.flags and flag in " ".join(run.flags)


CELLS = {  # name -> a cell of the learner's, a word of the flag
    "endless loop": ("while True: pass", "had not returned; a cell may take 3 s"),
    "os._exit": ("import os\nos._exit(3)", "ended its process"),
    "200 MB of output": ("for _ in range(200):\n    print('x' * 10**6)", "printed more"),
    "200 MB past Python": ("import os\nfor _ in range(200):\n    try: os.write(1, b'x' * 10**6)\n    except OSError: pass", "printed more"),
    "endless print": ("while True: print('x' * 1000)", "had not returned"),
    "thread that ends everything later": ("import threading, time, os\nwait = SOON - time.time()\nif wait > 0:\n    threading.Thread(target=lambda: (time.sleep(wait), os._exit(0)), daemon=True).start()", ""),
    "daemon child": ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1000)\n    os._exit(0)", ""),
    "fork that goes on": ("import os\nos.fork()", ""),
    "forged reply": ("import os, struct\nfor fd in range(3, 512):\n    try: os.write(fd, struct.pack('!BQI', 64, 2, 2) + b'{}')\n    except OSError: pass", "protocol"),
    "garbage on the wire": ("import os\nfor fd in range(3, 512):\n    try: os.write(fd, b'\\xff' * 1000)\n    except OSError: pass", "protocol"),
    "replies ahead of time": ("import os, struct\nfor fd in range(3, 512):\n    try: [os.write(fd, struct.pack('!BQI', 64, n, 1) + b'T') for n in range(3, 30)]\n    except OSError: pass", "protocol"),
    "closes the wire": ("import os\nos.closerange(3, 512)", "ended its process"),
    "symlinks": ("import os\nfor n, t in enumerate(['/', '/proc/1/root', '/proc/self/fd', '../../../etc']):\n    os.symlink(t, f'link{n}')", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_a_hostile_cell_leaves_the_exercises_alone(grader, name):
    source, flag = CELLS[name]
    began = time.monotonic()
    run = grade(grader, before=[source.replace("SOON", repr(time.time() + 0.25))])
    assert time.monotonic() - began < 30
    assert run.flags and flag in " ".join(run.flags)
    assert len(json.dumps(run.notebook)) < 1_000_000
    assert points(run) == POINTS, [(t.exercise, t.message) for t in run.tests]


def test_other_work_on_the_machine_costs_no_points():
    """Limits are of what a submission uses itself: eight busy loops beside it take nothing away."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    work = "import torch\nfor _ in range({}):\n    torch.randn(200, 200).exp().sum()\n"
    try:
        with limited(cell_s=4, call_s=2, test_s=6) as grader:
            slow = "def double(x):\n    " + work.format(200).replace("\n", "\n    ") + "\n    return _double(x)"
            own = ANSWERS["double"].replace("def double", "def _double")
            run = grade(grader, before=[work.format(1500)], double=f"{own}\n\n{slow}")
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    assert points(run) == POINTS, [t.message for t in run.tests]
    assert run.flags == []


@pytest.mark.parametrize("hides", ["pipes", "sockets", "files without a name"])
def test_memory_that_is_not_mapped_counts_too(grader, monkeypatch, hides):
    cells = {
        "pipes": "import os\nfor _ in range(180):\n    os.set_blocking((p := os.pipe())[1], False)\n    held.append(p)\n    os.write(p[1], bytes(1 << 16))",
        "sockets": "import socket\nfor _ in range(180):\n    held += (s := socket.socketpair())\n    s[0].setblocking(False)\n    s[0].send(bytes(1 << 17))",
        "files without a name": "import tempfile\nfor _ in range(60):\n    held.append(tempfile.TemporaryFile())\n    held[-1].write(bytes(1 << 20))",
    }  # fmt: skip
    cell = "import time\nheld = []\n" + cells[hides] + "\ntime.sleep(2)\nprint('kept')"
    from autograder.box import sandbox

    most = 8 if hides == "pipes" else 50  # a limit below what torch maps would end every process: this part alone
    monkeypatch.setattr(sandbox, "takes_more", lambda pids, limit_mb: sandbox.held_mb(pids) > most)
    run = grade(grader, before=[cell])
    assert any("MB of memory and was left out" in flag for flag in run.flags), run.flags
    assert points(run) == POINTS


def test_files_in_memory_alone_cannot_be_made(grader):
    makes = "import os\nfor _ in range(100):\n    os.write(os.memfd_create('x'), bytes(1 << 24))"
    run = grade(grader, before=[makes])
    assert "PermissionError" in json.dumps(run.notebook.cells[1])
    assert any("raw file descriptors" in flag for flag in run.flags)
    assert points(run) == POINTS


SELF_DESTRUCTION = {  # what a cell does to all later ones; the grader only has to end, and say why
    "reads the wire": "import os, threading\ndef eat():\n    while True:\n        try: os.read(200, 1000)\n        except OSError: break\n"
    "threading.Thread(target=eat, daemon=True).start()",
    "broken shell": "import sys\nsys.displayhook = None\nget_ipython().displayhook = None\nget_ipython().run_cell = None",
    "no builtins": "import builtins\nfor n in list(vars(builtins)):\n    delattr(builtins, n)",
    "no memory left": "import resource\nresource.setrlimit(resource.RLIMIT_DATA, (1, 1))",
}


@pytest.mark.parametrize("name", SELF_DESTRUCTION)
def test_a_submission_that_breaks_its_own_process_ends_in_time(name):
    with limited(cell_s=1, call_s=1, test_s=3, notebook_s=5, restarts=3) as grader:
        run = grade(grader, before=[SELF_DESTRUCTION[name]])
        assert run.flags and run.seconds < 15 and all(t.passed or t.message for t in run.tests)
    assert points(grade(grader)) == POINTS  # and the next submission is not touched


def test_the_notebook_has_a_clock_too():
    with limited(cell_s=1, notebook_s=2) as hurried:
        run = hurried.run(notebook(before=["while True: pass"] * 5), None, TEACHER)
    assert run.timed_out and run.seconds < 40 and [t.passed for t in run.tests] == [False] * 3
    assert all("not run" in t.message for t in run.tests)


def test_restarts_have_a_limit():
    with limited(restarts=2) as strict:
        run = strict.run(notebook(before=["import os; os._exit(0)"] * 6), None, TEACHER)
    assert [t.points for t in run.tests] == [0, 0, 0] and "restarted" in run.tests[0].message


# What the learner's process can find ----------------------------------------------------------------------------------

LOOK = """
import re
def look():
    # The pattern is not what it looks for, and what was found is counted only.
    needle, hits = re.compile(rb"MARKER[_]73519|9182736[4]5|expect[(]double|BEGIN[ ]HIDDEN"), []
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as mem:
        for line in maps:
            start, stop = (int(p, 16) for p in line.split()[0].split("-"))
            if " rw-p " in line and stop - start < 1 << 30:
                try:
                    mem.seek(start)
                    hits += [m.group()[:3] for m in needle.finditer(mem.read(stop - start))]
                except OSError:
                    pass
    return len(hits)
"""


def test_hidden_tests_are_not_in_the_learners_memory():
    answer = LOOK + "\n" + ANSWERS["double"]
    kept = "kept = bytes([x + 1 for x in b'L@QJDQ^62408'])\nprint('HITS', look())"  # the search does find a secret
    with limited(memory_mb=2000) as slow:
        run = grade(slow, double=answer, after=["print('HITS', look())", kept])
    assert [printed(c) for c in run.notebook.cells[-2:]] == ["HITS 0\n", "HITS 1\n"], run.flags


ENVIRONMENT = """
import os, socket, json, pathlib
def reach(kind, address):
    s = socket.socket(kind, socket.SOCK_STREAM)
    s.settimeout(1)
    try:
        s.connect(address)
        return "connected"
    except OSError as error:
        return type(error).__name__
def write(path):
    try:
        open(path, "w").write("x")
        return "written"
    except OSError:
        return "refused"
def names(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []
print(json.dumps({
    "env": dict(os.environ), "pids": [p for p in names("/proc") if p.isdigit()], "root": names("/"),
    "autograder": names("/course/autograder"), "box": names("/course/autograder/box"), "course": names("/course"), "uid": os.getuid(),
    "lo": reach(socket.AF_INET, ("127.0.0.1", 22)), "out": reach(socket.AF_INET, ("1.1.1.1", 53)),
    "unix": reach(socket.AF_UNIX, "\\0x"), "repo": [names(p) for p in PATHS],
    "write": {p: write(p) for p in ["/usr/x", "/course/bonsai/x.py", "/course/data/x", "/x", "/dev/x", "/proc/sys/kernel/hostname", "/etc/x"]},
    "tmp": write("/tmp/x"), "work": names("."), "status": open("/proc/self/status").read(),
    "links": [os.path.exists(p) for p in ["/proc/1/root/root/.ssh", "/etc/passwd", "/etc/shadow", "/home/stu", "/sys", "/var"]],
}))
"""


def test_the_box_is_empty_deaf_and_dumb(grader, monkeypatch):
    from autograder.box.sandbox import ROOT

    monkeypatch.setenv("GRADER_TOKEN", SECRET)
    paths = [str(ROOT), str(ROOT / "solutions"), str(ROOT / "tests"), str(ROOT / ".git"), str(ROOT / "autograder")]
    with Grader(limits=LIMITS) as other:
        run = grade(other, before=[f"PATHS = {paths}\n" + ENVIRONMENT], files={"notes.txt": b"1"})
    seen = json.loads(printed(run.notebook.cells[1]))
    assert not [k for k in seen["env"] if "TOKEN" in k or "SSH" in k or "VIRTUAL" in k]
    assert seen["pids"] == ["1"] and seen["uid"] == 1000
    assert set(seen["course"]) == {"autograder", "bonsai", "data"}
    assert seen["autograder"] == ["__init__.py", "box"] and seen["box"] == [
        "__init__.py",
        "lock.py",
        "wire.py",
        "worker.py",
    ]
    assert seen["lo"] != "connected" and seen["out"] != "connected" and seen["unix"] != "connected"
    assert all(set(found) <= {".venv"} for found in seen["repo"])
    assert set(seen["write"].values()) == {"refused"} and seen["tmp"] == "written"
    assert seen["work"] == ["notes.txt"] and not any(seen["links"])
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines())
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_one_submission_finds_nothing_of_another(grader):
    leave = "import os\nfor p in ['/tmp/left', '/dev/shm/left', 'left']:\n    open(p, 'w').write('x')\nleft = 1"
    grade(grader, before=[leave])
    look = "import os\nprint([p for p in ['/tmp/left', '/dev/shm/left', 'left'] if os.path.exists(p)], 'left' in globals())"
    run = grade(grader, before=[look])
    assert printed(run.notebook.cells[1]) == "[] False\n"


def test_files_cannot_be_placed_outside_the_working_folder(grader):
    files = {"../up.txt": b"1", "/tmp/absolute.txt": b"1", "a/../../b.txt": b"1", "fine.txt": b"1"}
    run = grade(grader, before=["import os\nprint(sorted(os.listdir('.')), os.listdir('/tmp'))"], files=files)
    assert printed(run.notebook.cells[1]) == "['fine.txt'] []\n"


# The parents ---------------------------------------------------------------------------------------------------------


def test_the_driver_stays_small():
    check = "import sys, autograder.grading.split as s, autograder.source as t; t.check_lessons(); print([m for m in ('torch', 'numpy', 'IPython', 'bonsai') if m in sys.modules])"
    from autograder.box.sandbox import PYTHON, ROOT

    assert subprocess.run([PYTHON, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_trains_imports_what_training_takes_once_and_nothing_else_does():
    """Half of a cold start: lessons that train nothing do without."""
    has = code("import sys\nprint('torch._dynamo' in sys.modules)")
    found = []
    with Grader(limits=LIMITS) as fresh:
        for setup in (SETUP, f"{SETUP}\ntorch.optim.SGD", SETUP):
            run = fresh.run(nbformat.v4.new_notebook(cells=[has]), teacher={"setup": setup})
            found.append(run.notebook.cells[0].outputs[0].text)
    assert found == ["False\n", "True\n", "True\n"]


def test_a_first_cell_finds_nothing_that_the_parent_left(grader):
    """The parent has run a cell, to have imported what a cell takes."""
    look = "print(sorted(set(globals()) & {'torch', 'np', 'usual_settings'}), In, Out)"
    run = grader.run(nbformat.v4.new_notebook(cells=[code(look)]), teacher={})
    assert printed(run.notebook.cells[0]) == f"[] {['', look]} {{}}\n"


def test_parents_have_one_thread_and_start_again_when_the_toolkit_changes(grader, monkeypatch):
    import psutil

    import autograder.grading.split

    grader.start()
    families = [psutil.Process(s.process.pid) for s in (grader._box, grader._tests)]
    members = [p for f in families for p in (f, *f.children(recursive=True))]
    assert all(p.num_threads() == 1 for p in members) and any("autograder.box.worker" in p.cmdline() for p in members)
    before = grader._box.process.pid
    grade(grader)
    assert grader._box.process.pid == before
    monkeypatch.setattr(autograder.grading.split, "fingerprint", lambda: ("changed",))
    assert points(grade(grader)) == POINTS and grader._box.process.pid != before
    grader._box.process.kill()
    grader._box.process.wait()
    assert points(grade(grader)) == POINTS  # and when one has died


def test_the_parent_holds_no_data(grader):
    """What a child finds before anything ran: weights or pictures in the parent would be every submission's."""
    look = "import gc, os, torch\ngc.unfreeze()\nprint(sum(o.numel() for o in gc.get_objects() if issubclass(type(o), torch.Tensor)))\nprint(os.listdir('/proc/self/fd'))"
    shown = printed(grade(grader, before=[look]).notebook.cells[1]).splitlines()
    assert int(shown[0]) < 1000
    assert len(shown[1].split()) <= 7  # standard ones, the wire, the outputs' file and its copies, this listing


def test_killing_the_grader_ends_all_its_processes():
    import signal

    import psutil

    script = (
        "import sys; sys.path.insert(0, 'tests'); import test_split as t\n"
        "with t.Grader(limits=t.Limits()) as g:\n    g.start(); print('ready', flush=True)\n"
        "    g.run(t.notebook(before=['import ctypes; ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\\nwhile True: pass']), None, t.TEACHER)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(0.5)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_no_process_is_left_behind(grader):
    import psutil

    grade(grader, before=["import subprocess\nsubprocess.Popen(['sleep', '987'])"])
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "987"]]


def test_cold_and_without_a_sandbox_the_points_are_the_same():
    with Grader(limits=LIMITS, warm=False) as cold:
        assert points(grade(cold)) == POINTS and cold._box is None
    with pytest.warns(UserWarning, match="No sandbox"), Grader("none", LIMITS) as none:
        assert points(grade(none, files={"helper.py": b"x = 1"}, before=["import helper"])) == POINTS
        run = grade(none, double="import os\ndef double(x):\n    os._exit(0)")
        assert points(run) == {"double": 0, "total": 3, "pack": 5}


# Small parts ---------------------------------------------------------------------------------------------------------


def test_kinds_of_cells():
    assert (
        kind_of({"grade": True, "locked": True}) == "test" and kind_of({"solution": True, "locked": True}) == "answer"
    )
    assert (
        kind_of({"locked": True}) == "setup"
        and kind_of({"locked": True, "task": True}) == "plain"
        and kind_of({}) == "plain"
    )
    assert kind_of({"grade": True, "solution": True}) == "answer"


@pytest.mark.parametrize(
    "output",
    [{}, {"output_type": "x"}, {"output_type": "stream"}, {"output_type": "stream", "name": [], "text": {}, "x": 1},
     {"output_type": "display_data", "data": {"text/plain": 3}}, {"output_type": "display_data", "data": []}, 3, None],
)  # fmt: skip
def test_outputs_of_no_known_form_are_refused(output):
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        nbformat.v4.nbbase.validate(clean_output(output, 1), ref="output")


@pytest.mark.parametrize(
    ("name", "bases", "expected"),
    [
        ("ValueError", ["ValueError", "Exception"], ValueError),
        ("MyError", ["KeyError", "LookupError", "Exception", "BaseException", "object"], KeyError),
        ("UnicodeDecodeError", ["UnicodeDecodeError", "UnicodeError", "ValueError", "Exception"], UnicodeError),
        ("StopIteration", ["StopIteration", "Exception"], Exception),  # would end a loop of the test in silence
        ("GeneratorExit", ["GeneratorExit", "BaseException"], AnswerError),
        ("SystemExit", ["SystemExit", "BaseException", "object"], AnswerError),
        ("KeyboardInterrupt", ["KeyboardInterrupt"], AnswerError),
        ("x", ["print", "open", "__import__", 3, None], AnswerError),
    ],
)
def test_an_exception_arrives_as_its_builtin_base(name, bases, expected):
    said = {"type": name, "bases": bases, "message": "m", "args": ("m",), "traceback": []}
    error = rebuilt(said)
    assert type(error) is expected and "m" in str(error)
    for broken in (None, 3, [], {}, {**said, "bases": 3}, {**said, "traceback": None}):
        with pytest.raises(wire.WireError):
            rebuilt(broken)


def test_names_of_a_test_cell():
    assert global_names("x = f(y)\ndef g(a):\n    b = a + z\n    return h(b)\n[w for w in v]") == {
        "f",
        "y",
        "z",
        "h",
        "v",
    }
    assert global_names("import q\nfor i in r:\n    q.s(i, lambda t: t + u)") == {"r", "u"}
    assert defined("def f(): pass\nclass C:\n    def m(self): pass\n%matplotlib inline\nx = 1") == ["f", "C"]


def test_text_can_be_written():
    clean("\ud800 \x00 \x1b[31m").encode()
