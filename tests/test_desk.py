"""The learner's desk: a workspace that is never written over, progress, a start page, handing in, a doctor."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import nbformat
import psutil
import pytest
from nbgrader import validator as validators
from traitlets.config import PyFileConfigLoader

from autograder.desk import commands, doctor, plain, progress, start, submit, workspace
from autograder.grading.grade import grade, which_lesson
from autograder.source import LESSONS, find_source, is_taken, teacher_notebook

LESSON = "01_quantization_math"
ANSWER = "def affine_qparams(x_min, x_max, qmin, qmax):\n    return 1.0, 0"


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch) -> Path:
    """A workspace of its own, in a folder with a space and an umlaut."""
    folder = tmp_path / "mein schöner Ordner"
    monkeypatch.setenv("BONSAI_WORK", str(folder))
    return folder


def cell_of(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    return next(c for c in notebook.cells if workspace.key(c) == name)


def write_answer(name: str = LESSON, exercise: str = "affine_qparams", source: str = ANSWER) -> nbformat.NotebookNode:
    notebook = workspace.read(workspace.notebook(name))
    cell_of(notebook, exercise).source = source
    workspace.write(notebook, workspace.notebook(name))
    return notebook


def newer(monkeypatch, tmp_path: Path, change) -> None:
    """Lessons as a newer course would have them: `change` gets the built notebook of lesson 01."""
    folder = tmp_path / "newer"
    for name in (LESSON,):
        (folder / name).mkdir(parents=True)
        for file in workspace.files(name):
            (folder / name / file.name).write_bytes(file.read_bytes())
    path = folder / LESSON / f"{LESSON}.ipynb"
    notebook = nbformat.read(path, 4)
    change(notebook)
    workspace.write(notebook, path)
    monkeypatch.setattr(workspace, "LESSONS", folder)


def test_opening_copies_every_lesson_once_and_never_over_a_persons_work(desk):
    assert workspace.open_all() == workspace.lessons()
    write_answer()
    assert workspace.open_all() == []
    assert cell_of(workspace.read(workspace.notebook(LESSON)), "affine_qparams").source == ANSWER
    assert (desk / LESSON / "lesson01.py").read_bytes() == (LESSONS / LESSON / "lesson01.py").read_bytes()


def test_reset_keeps_a_dated_copy(desk):
    workspace.open_lesson(LESSON)
    write_answer()
    kept = [workspace.reset(LESSON), workspace.reset(LESSON)]
    assert len(set(kept)) == 2, "two backups of one second have one name"
    assert cell_of(workspace.read(kept[0]), "affine_qparams").source == ANSWER
    assert progress.STUB in cell_of(workspace.read(workspace.notebook(LESSON)), "affine_qparams").source


def test_update_brings_the_new_text_and_keeps_answers_and_own_cells(monkeypatch, tmp_path):
    workspace.open_lesson(LESSON)
    mine = write_answer()
    own = nbformat.v4.new_code_cell("my_note = 1", id="mine")
    mine.cells.insert([workspace.key(c) for c in mine.cells].index("affine_qparams") + 1, own)
    workspace.write(mine, workspace.notebook(LESSON))

    def change(notebook):
        notebook.cells[0].source = "# A new beginning"
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell("A new paragraph.", id="paragraph"))

    newer(monkeypatch, tmp_path, change)
    said = workspace.update(LESSON)
    merged = workspace.read(workspace.notebook(LESSON))
    assert [c.source for c in merged.cells[:2]] == ["# A new beginning", "A new paragraph."]
    names = [workspace.key(c) for c in merged.cells]
    assert cell_of(merged, "affine_qparams").source == ANSWER
    assert names.index("mine") == names.index("affine_qparams") + 1
    assert "was updated" in said[0] and "backups" in said[0]
    assert workspace.update(LESSON) == [f"{LESSON} is up to date."]


def test_update_keeps_the_new_version_of_a_cell_that_both_changed_and_says_so(monkeypatch, tmp_path):
    workspace.open_lesson(LESSON)
    mine = workspace.read(workspace.notebook(LESSON))
    mine.cells[0].source = "# My own title"
    workspace.write(mine, workspace.notebook(LESSON))
    newer(monkeypatch, tmp_path, lambda notebook: notebook.cells[0].__setitem__("source", "# A new title"))
    said = workspace.update(LESSON)
    assert workspace.read(workspace.notebook(LESSON)).cells[0].source == "# A new title"
    assert any("My own title" in sentence for sentence in said)


def test_update_puts_an_answer_whose_exercise_is_gone_beside_its_old_neighbour(monkeypatch, tmp_path):
    workspace.open_lesson(LESSON)
    write_answer()

    def change(notebook):
        notebook.cells = [c for c in notebook.cells if workspace.key(c) != "affine_qparams"]

    newer(monkeypatch, tmp_path, change)
    said = workspace.update(LESSON)
    assert ANSWER in [c.source for c in workspace.read(workspace.notebook(LESSON)).cells]
    assert any("no place" in sentence for sentence in said)


def test_a_broken_notebook_is_one_sentence_and_stays_as_it_is(monkeypatch, tmp_path):
    workspace.open_lesson(LESSON)
    workspace.notebook(LESSON).write_text('{"cells": [')
    newer(monkeypatch, tmp_path, lambda notebook: notebook.cells.pop())
    with pytest.raises(workspace.WorkspaceError, match="not a complete notebook"):
        workspace.update(LESSON)
    assert workspace.notebook(LESSON).read_text() == '{"cells": ['


def test_progress_counts_answers_and_the_points_of_the_last_check():
    workspace.open_all()
    row = next(r for r in progress.rows() if r.lesson == LESSON)
    assert (row.answered, row.score, row.next_step) == ([], 0, "begin")
    assert row.title == "The mathematics of quantization" and row.minutes > 60 and len(row.abilities) >= 3
    assert progress.COST.findall("*Difficulty 1 of 5, about 4 minutes, 1 point*") == [("4", "1")]
    write_answer()
    row = next(r for r in progress.rows() if r.lesson == LESSON)
    assert row.answered == ["affine_qparams"] and row.next_step == "write quantize"
    progress.record(LESSON, {"affine_qparams": 4.0})
    progress.record(LESSON, {"quantize": 0.0})
    row = next(r for r in progress.rows() if r.lesson == LESSON)
    assert row.score == 4.0 and row.points == {"affine_qparams": 4.0, "quantize": 0.0}
    write_answer(exercise="quantize", source="def quantize(*args):\n    return 0")
    assert next(r for r in progress.rows() if r.lesson == LESSON).next_step == "mend quantize"


@pytest.mark.parametrize("content", ['{"01', "[1, 2]", '{"01_quantization_math": 3}', "\udcff"])
def test_a_broken_record_is_put_aside(desk, content):
    workspace.open_lesson(LESSON)
    progress.record_path().write_text(content, encoding="utf-8", errors="surrogateescape")
    assert all(row.score == 0 for row in progress.rows())
    assert (desk / "progress.broken.json").exists()
    progress.record(LESSON, {"quantize": 4.0})
    assert json.loads(progress.record_path().read_text())[LESSON]["points"] == {"quantize": 4.0}


def test_an_answer_can_be_taken_for_no_points(desk, monkeypatch):
    source = find_source("01")
    workspace.open_lesson(LESSON)
    write_answer(exercise="quantize", source="mine = 1")
    kept = workspace.take_answer(source, "quantize")
    cell = cell_of(workspace.read(workspace.notebook(LESSON)), "quantize")
    assert is_taken(cell.source) and "def quantize" in cell.source and "SOLUTION" not in cell.source
    assert cell_of(workspace.read(kept), "quantize").source == "mine = 1"
    (result,) = grade([workspace.notebook(LESSON)])
    row = next(e for e in result.exercises if e["id"] == "quantize")
    assert (row["points"], row["passed"]) == (0.0, False) and "taken" in row["message"]
    with pytest.raises(workspace.WorkspaceError, match="no exercise 'nothing'"):
        workspace.take_answer(source, "nothing")
    monkeypatch.setenv("BONSAI_ANSWERS", "off")
    with pytest.raises(workspace.WorkspaceError, match="switched off"):
        workspace.take_answer(source, "quantize")


def test_the_start_page_names_every_lesson_and_a_person_may_change_it(desk):
    workspace.open_all()
    start.write()
    page = workspace.read(desk / start.NAME)
    text = "\n".join(c.source for c in page.cells)
    assert all(f"({name}/{name}.ipynb)" in text for name in workspace.lessons())
    namespace: dict = {}
    exec(page.cells[1].source.replace("progress.show()", "shown = progress.show()"), namespace)
    assert all(f'href="{name}/{name}.ipynb"' in namespace["shown"].data for name in workspace.lessons())
    page.cells[0].source = "# Mine"
    workspace.write(page, desk / start.NAME)
    start.write()
    assert workspace.read(desk / start.NAME).cells[0].source == "# Mine"


def test_handing_in_gives_a_notebook_of_the_lesson_and_says_what_is_missing(desk):
    workspace.open_lesson(LESSON)
    write_answer()
    (desk / LESSON / "picture.png").write_bytes(b"png")
    path, missing = submit.submit(LESSON, "ada")
    assert path.parts[-3:] == ("ada", LESSON, f"{LESSON}.ipynb")
    assert sorted(p.name for p in path.parent.iterdir()) == [f"{LESSON}.ipynb", "picture.png"]
    assert "quantize" in missing[0] and "affine_qparams" not in missing[0]
    assert which_lesson(nbformat.read(path, 4), path).stem == LESSON
    with pytest.raises(workspace.WorkspaceError, match="cannot be a folder"):
        submit.submit(LESSON, "../ada")


def test_the_doctor_finds_what_is_wrong_and_names_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    found = doctor.sandbox()
    assert not found.ok and not found.needed and "apt install bubblewrap" in found.remedy
    folder = tmp_path / "data" / "FashionMNIST"
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").write_text("0" * 64 + "  FashionMNIST/images\n")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert not doctor.data().ok and "FashionMNIST/images" in doctor.data().remedy
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    assert not doctor.python().ok


def test_commands_answer_bad_use_with_one_sentence(desk):
    def bonsai(*words):
        command = [sys.executable, "-m", "autograder", *words]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})

    done = bonsai("reset", "77")
    assert done.returncode == 2 and "no lesson '77'" in done.stderr and "Traceback" not in done.stderr
    done = bonsai("submit", "01", "--student", "ada")
    assert done.returncode == 2 and "run bonsai lab once" in done.stderr.replace("\n", " ")
    done = bonsai("--version")
    assert done.returncode == 0 and done.stdout.startswith("bonsai ")


def test_sigterm_ends_the_lab_and_its_kernels(desk, tmp_path):
    own = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "autograder", "lab", "--no-browser", f"--port={port}"]
    log = (tmp_path / "log").open("w")
    lab = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | own | {"JUPYTER_TOKEN": "word"})
    address, headers = f"http://127.0.0.1:{port}/api/kernels", {"Authorization": "token word"}
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urlopen(Request(address, b"{}", headers)):
                break
            time.sleep(0.2)
        started = psutil.Process(lab.pid).children(recursive=True)
        assert any("ipykernel" in " ".join(process.cmdline()) for process in started)
        assert (desk / start.NAME).exists()
        lab.terminate()
        lab.wait(60)
        assert psutil.wait_procs(started, timeout=30)[1] == []
    finally:
        lab.kill()


ELSEWHERE = """
import os, shutil, sys, signal, socket
import IPython, ipywidgets, jupytext, matplotlib.pyplot, nbclient, nbformat, rich.progress, torch, torchvision, typer
import jupyter_client.manager, jupyter_client.provisioning, zmq.asyncio  # other people's packages know their platforms
for place, names in (
    (os, "fork forkpty pidfd_open memfd_create sched_getaffinity geteuid getuid setns unshare"),
    (signal, "pidfd_send_signal"),
    (socket, "send_fds recv_fds"),
):
    for name in names.split():
        if hasattr(place, name):
            delattr(place, name)
WITHOUT = ("resource", "fcntl", "grp", "pwd", "pty", "termios", "seccomp", "prctl")

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in WITHOUT:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
for name in WITHOUT:
    sys.modules.pop(name, None)
shutil.which = lambda *names, **settings: None
start = nbclient.NotebookClient.execute

def on_this_machine(*words, **settings):  # a kernel is started as this machine does it
    sys.platform, given = {real!r}, sys.platform
    try:
        return start(*words, **settings)
    finally:
        sys.platform = given

nbclient.NotebookClient.execute = on_this_machine
sys.platform = {platform!r}

def run(*words):
    from autograder import cli
    sys.argv = ["bonsai", *words]
    print("$", *words)
    try:
        cli.main()
    except SystemExit as end:
        print("exit", end.code)
"""


def elsewhere(platform: str, program: str) -> subprocess.CompletedProcess:
    """Run a program in a Python that has nothing of what only Linux has."""
    text = ELSEWHERE.format(platform=platform, real=sys.platform) + program
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=wide)


WRAPS = "def dequantize(q, scale, zero_point):\n    return (q - zero_point) * scale"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_learner_works_on_every_system(desk, platform):
    workspace.open_all()
    write_answer(exercise="dequantize", source=WRAPS)
    program = """
os.execve = lambda *words: print("Jupyter would start with", words[1][1:4])
import bonsai.testing, autograder.desk.start
run("lab", "--no-browser")
run("check", "01", "dequantize")
run("check", "01", "nothing")
run("answer", "01", "affine_qparams")
run("progress")
run("submit", "01", "--student", "jörg")
run("update", "01")
run("reset", "01")
run("doctor")
run("check", "01", "dequantize", "--sandbox", "bubblewrap")
run("grade", "x.ipynb")
"""
    done = elsewhere(platform, program)
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    said = dict(part.split("\n", 1) for part in done.stdout.split("$ ")[1:])
    assert "Jupyter would start" in said["lab --no-browser"] or platform == "win32"
    checked = said["check 01 dequantize"]
    assert "not a sandbox" in checked and "✗ dequantize  0/" in checked and "wrapped around" in checked
    assert "exit 2" in said["check 01 nothing"] and "no exercise 'nothing'" in done.stderr
    assert "is in your notebook" in said["answer 01 affine_qparams"] and "2/" in said["progress"]
    assert str(desk / "hand-in" / "jörg" / LESSON / f"{LESSON}.ipynb") in said["submit 01 --student jörg"]
    assert "is as new" in said["reset 01"] and "! sandbox" in said["doctor"] and "exit 0" in said["doctor"]
    assert "exit 2" in said["check 01 dequantize --sandbox bubblewrap"]
    assert "exit 2" in said["grade x.ipynb"] and "sandbox, which is for Linux" in done.stderr


def answer_all(name: str, **wrong: str) -> None:
    """Write the right answers into the workspace's notebook, or those that are given by exercise."""
    workspace.open_lesson(name)
    teacher = teacher_notebook(find_source(name))
    answers = {workspace.key(c): c.source for c in teacher.cells if workspace.is_answer(c)} | wrong
    notebook = workspace.read(workspace.notebook(name))
    for cell in notebook.cells:
        cell.source = answers.get(workspace.key(cell), cell.source)
    workspace.write(notebook, workspace.notebook(name))


def test_without_a_sandbox_right_answers_get_all_points_and_demonstrations_are_left_out():
    answer_all(LESSON)
    told: list = []
    run = plain.check(find_source("01"), workspace.notebook(LESSON), told.append)
    assert run.tests == told and all(test.passed for test in told)
    assert sum(test.points for test in told) == next(r for r in progress.rows() if r.lesson == LESSON).max_score
    left_out = [c.source for c in run.notebook.cells if plain.LEFT_OUT in c.metadata.get("tags", [])]
    assert len(left_out) > 5 and not any(c.outputs for c in run.notebook.cells if c.source in left_out)


def test_without_a_sandbox_clauses_give_their_points_one_by_one():
    right = next(
        c
        for c in teacher_notebook(find_source("01")).cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == "pack_int4"
    )
    answer_all(LESSON, pack_int4=f"{right.source}\nunpack_int4 = lambda packed, n: packed[:n]")
    run = plain.check(find_source("01"), workspace.notebook(LESSON), lambda row: None, "pack_int4")
    (test,) = run.tests
    assert (test.points, test.max_points, test.passed) == (2, 4, False)
    assert test.message.endswith("2 of 4 points, for: packing")


def test_a_kernel_that_dies_costs_what_comes_after_it_and_says_so():
    workspace.open_lesson(LESSON)
    write_answer(exercise="quantize", source="import os\nos._exit(1)")
    run = plain.check(find_source("01"), workspace.notebook(LESSON), lambda row: None)
    said = {test.exercise: test.message for test in run.tests}
    assert said["affine_qparams"] == "not answered yet" and "the kernel died" in said["quantize"]


def test_validate_names_what_is_wrong_and_runs_no_demonstration_that_nothing_needs():
    """As in a learner's JupyterLab, whose button calls the same. One test fine-tunes a network: it stays unanswered."""
    name = "04_structured_pruning"
    answer_all(name, prune_heads="def prune_heads(*given):\n    return 1", channels_for_macs="")
    notebook = workspace.read(workspace.notebook(name))
    shown = [c.source for c in notebook.cells if c.cell_type == "code" and "nbgrader" not in c.metadata]
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(commands.CONFIGURATION)).load_config()
    ran: list[str] = []
    settings.ExecutePreprocessor.on_cell_execute = lambda cell, cell_index: ran.append(cell.source)
    said = validators.Validator(config=settings).validate(str(workspace.notebook(name)))
    assert list(said) == ["failed"]
    unanswered, wrong = said["failed"]
    assert "channels_for_macs" in unanswered["source"] and "not defined" in unanswered["raw_error"]
    assert "prune_heads" in wrong["source"] and "expected" in wrong["raw_error"]
    assert len(shown) > 10 and len(ran) > 10 and not set(shown) & set(ran), "a demonstration was run"
    assert settings.ExecutePreprocessor.timeout == 300
