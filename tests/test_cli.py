"""The command `bonsai` as a person meets it: tables, JSON, exit codes, one clear sentence for bad input."""

# ruff: noqa: E501  (tables are dense)
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from make_samples import SAMPLES, samples
from nbgrader.api import Gradebook

from autograder import course, source
from autograder.box.sandbox import Limits, SandboxMissing
from autograder.grading import grade as grading
from autograder.grading.grade import Unreadable, grade, read, which_lesson
from autograder.grading.preprocessors import without_hidden
from autograder.source import LESSONS, find_source

ROOT = Path(__file__).resolve().parent.parent
LESSON = "01_quantization_math"
ADA, BEN, CEM = (SAMPLES / who / LESSON / f"{LESSON}.ipynb" for who in ("ada", "ben", "cem"))


def bonsai(*words, cwd=ROOT, **env) -> subprocess.CompletedProcess:
    program = Path(sys.executable).parent / "bonsai"
    return subprocess.run(
        [program, *map(str, words)], cwd=cwd, capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"} | env
    )


def test_the_bundled_samples_are_in_step_with_the_lesson():
    for who, notebook in samples(LESSON).items():
        assert nbformat.read(SAMPLES / who / LESSON / f"{LESSON}.ipynb", 4) == notebook, (
            "run: python tests/make_samples.py"
        )


def test_grade_prints_the_document(tmp_path):
    done = bonsai("grade", ADA, BEN, CEM, "--json", "--feedback", tmp_path)
    assert done.returncode == 0, done.stderr
    ada, ben, cem = json.loads(done.stdout)["results"]
    assert [r["student"] for r in (ada, ben, cem)] == ["ada", "ben", "cem"]
    assert set(ada) == {
        "notebook",
        "lesson",
        "student",
        "score",
        "max_score",
        "seconds",
        "status",
        "flags",
        "exercises",
        "measured",
    }
    assert ada["lesson"] == LESSON and ada["status"] == "graded" and ada["flags"] == []
    assert ada["score"] == ada["max_score"] == sum(e["points"] for e in ada["exercises"])
    assert ada["measured"]["ratio"] >= 7.2 and ada["measured"]["held_back_accuracy_drop"] <= 1
    messages = {e["id"]: e["message"] for e in ben["exercises"] if not e["passed"]}
    assert "wrapped around" in messages["dequantize"] and "absolute value" in messages["symmetric_scale"]
    assert messages["integer_linear"] == "not answered yet"
    assert 0 < ben["score"] < ben["max_score"] == ada["max_score"]
    assert cem["score"] == 0 and any("ended its process" in flag for flag in cem["flags"])
    for who in ("ada", "ben", "cem"):
        page = (tmp_path / f"{who}-{LESSON}.html").read_text()
        assert "HIDDEN TESTS" not in page and "affine_qparams" in page


def test_grade_prints_a_table_and_goes_on_after_an_unreadable_file(tmp_path):
    cut = tmp_path / "cut.ipynb"
    cut.write_bytes(ADA.read_bytes()[:3000])
    done = bonsai("grade", cut, tmp_path / "missing.ipynb", BEN, "--workers", 1)
    assert done.returncode == 1
    assert "ben" in done.stdout and "unreadable" in done.stdout and "affine_qparams" in done.stdout
    assert "not complete JSON" in done.stdout and "No such file" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["grade"], "Missing argument"),
        (["grade", "x.ipynb", "--sandbox", "cardboard"], "cardboard"),
        (["grade", "x.ipynb", "--lesson", "77"], "no lesson '77'"),
        (["build", "77"], "no lesson '77'"),
        (["check", "77"], "no lesson '77'"),
        (["course", "init", "README.md"], "is a file"),
        (["course", "init", "tests"], "not empty and not a course"),
        (["grade", "x.ipynb", "--colour"], "No such option"),
        (["grade", "x.ipynb", "--workers", "-1"], "--workers"),
        (["grade", "x.ipynb", "--scheduler", "tcp://127.0.0.1:9"], "no scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(words, sentence):
    done = bonsai(*words, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s")
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_without_bubblewrap_there_is_one_sentence_and_no_fallback():
    done = bonsai("grade", ADA, PATH=str(Path(sys.executable).parent))
    assert done.returncode == 2
    assert "bubblewrap" in done.stderr and "install" in done.stderr and "Traceback" not in done.stderr


def test_every_command_has_help_with_an_example():
    for words in (["lab"], ["build"], ["grade"], ["check"], ["benchmark"], ["course", "init"], ["course", "grade"]):
        done = bonsai(*words, "--help")
        assert done.returncode == 0 and "Example: bonsai" in done.stdout


def notebook_of(cells=(), **metadata) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty"),
        (b"[1, 2]", "not a notebook"),
        (b'{"a": 1}', "not a notebook"),
        (b'{"cells": [3], "nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
        (b'{"cells": 5, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "not a valid notebook"),
        ("é".encode("latin-1"), "not text in UTF-8"),
        (b"[" * 100_000, "not complete JSON"),
    ],
)
def test_files_that_are_no_notebooks_are_named(tmp_path, content, sentence):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=sentence):
        read(path)


def test_an_old_notebook_is_read_and_its_outputs_are_dropped(tmp_path):
    path = tmp_path / "x.ipynb"
    cell = nbformat.v4.new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("stream", text="x" * 10_000_000)])
    notebook = notebook_of([cell])
    del notebook.cells[0]["id"]
    notebook.nbformat_minor = 2
    path.write_text(nbformat.writes(notebook))
    assert read(path).cells[0].outputs == [] and read(path).cells[0].id


def test_the_lesson_is_found_by_metadata_name_or_exercises(tmp_path):
    first = find_source("1")
    assert which_lesson(notebook_of(bonsai={"lesson": LESSON}), Path("x.ipynb")) == first
    assert which_lesson(notebook_of(), Path(f"{LESSON}.ipynb")) == first
    released = nbformat.read(LESSONS / LESSON / f"{LESSON}.ipynb", 4)
    released.metadata.pop("bonsai")
    assert which_lesson(released, Path("renamed.ipynb")) == first
    assert which_lesson(released, Path("02_post_training_quantization.ipynb")) == first  # its cells decide
    with pytest.raises(Unreadable, match="not of 00_"):
        which_lesson(released, Path("x.ipynb"), find_source("0"))
    with pytest.raises(Unreadable, match="--lesson"):
        which_lesson(notebook_of(), Path("renamed.ipynb"))


def test_check_tells_the_learner_what_to_look_at(tmp_path):
    done = bonsai("check", "01")  # the release as it lies there: nothing is answered yet
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not answered yet") >= 10 and "0 of 43 points" in done.stdout
    assert "4 points are graded by your teacher" in done.stdout


def test_check_of_one_exercise_runs_no_other_test(tmp_path):
    done = bonsai("check", "01", "quantize")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["✗ quantize  0/4", "    not answered yet"]
    assert "0 of 4 points" in done.stdout
    wrong = bonsai("check", "01", "quantise")
    assert wrong.returncode == 2 and "no exercise 'quantise'" in wrong.stderr and "mse_clip" in wrong.stderr


def test_check_says_each_result_as_soon_as_it_is_there_and_needs_no_nbgrader():
    script = (
        "import sys\nfrom autograder.grading.check import check\nfrom autograder.source import LESSONS, find_source\n"
        "source = find_source('01')\npath = LESSONS / source.stem / f'{source.stem}.ipynb'\nsaid = []\n"
        "run = check(source, path, lambda result: said.append((result.exercise, len(said))), 'affine_qparams')\n"
        "print(said, [t.exercise for t in run.tests], [m for m in ('nbgrader', 'torch', 'nbclient') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[('affine_qparams', 0)] ['affine_qparams'] []\n", done.stderr


# Broken submissions, end to end -----------------------------------------------------------------------------------------


SMALL = '''# %% [markdown]
# # A small lesson with $a<b$

# %% setup
from bonsai.testing import check

# %%
"a cell of the teacher's"

# %% [markdown]
# ### Double

# %% exercise="double" minutes=1 difficulty=1
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% test="double" points=2
check(double, [(3,)], [6])
### BEGIN HIDDEN TESTS
check(double, [(5,), (0,)], [10, 0])
### END HIDDEN TESTS

# %% [markdown]
# ### Half

# %% exercise="half" minutes=1 difficulty=1
def half(x):
    """Half of x."""
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %% test="half" points=3
check(half, [(3,)], [1.5])
### BEGIN HIDDEN TESTS
check(half, [(5,), (0,)], [2.5, 0.0])
### END HIDDEN TESTS
'''


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with two lessons of the same form, `90_small` and `91_other`; solved notebooks of both."""
    root = tmp_path / "lessons"
    (root / "solutions").mkdir(parents=True)
    (root / "solutions" / "90_small.py").write_text(SMALL)
    (root / "solutions" / "91_other.py").write_text(SMALL.replace("double", "triple").replace("half", "third"))
    monkeypatch.setattr(source, "SOLUTIONS", root / "solutions")
    monkeypatch.setattr(source, "LESSONS", root / "lessons")
    return tmp_path


def solved(name="90_small"):
    notebook = nbformat.from_dict(source.teacher_notebook(source.find_source(name)))
    for cell in notebook.cells:
        cell.source = without_hidden(cell.source)
    return notebook


def changed(change):
    """The solved notebook after `change(notebook, cells by id)`, as bytes."""
    notebook = solved()
    change(notebook, {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata})
    return json.dumps(notebook).encode()


def version3(notebook):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ["text"]}]
    cells += [{"cell_type": "heading", "level": 1, "metadata": {}, "source": ["old"]}]
    for c in notebook.cells:
        if c.cell_type == "code":
            old = {"output_type": "pyout", "prompt_number": 1, "text": ["1"], "metadata": {}}
            about = {"language": "python", "collapsed": False, "prompt_number": 1, "outputs": [old]}
            cells.append(
                about | {"cell_type": "code", "metadata": dict(c.metadata), "input": c.source.splitlines(True)}
            )
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def version4(notebook, minor):
    old = json.loads(json.dumps(notebook)) | {"nbformat_minor": minor}
    for cell in old["cells"]:
        del cell["id"]
        cell["source"] = cell["source"].splitlines(True)
    return old


def bare(notebook):
    """Without all metadata but nbgrader's, and without outputs and counts."""
    keep = ("cell_type", "source")
    cells = [
        {k: c[k] for k in keep} | ({"metadata": c.metadata} if "nbgrader" in c.metadata else {}) for c in notebook.cells
    ]
    return {"cells": cells}


def in_extra_cells(notebook, by_id):
    at = notebook.cells.index(by_id["double"])
    by_id["double"].source = "def double(x):\n    return factor(x) * x"
    notebook.cells.insert(at, nbformat.v4.new_code_cell("def factor(x):\n    return TWO"))
    notebook.cells.insert(at, nbformat.v4.new_code_cell("TWO = 2"))


def reordered(notebook, by_id):
    block = [by_id["half"], by_id["test_half"]]
    notebook.cells = [c for c in notebook.cells if c not in block]
    at = notebook.cells.index(by_id["setup"]) + 1
    notebook.cells[at:at] = block


def out_of_order(notebook, by_id):
    by_id["double"].source = "def double(x):\n    return late * x"
    for count, cell in enumerate(reversed([c for c in notebook.cells if c.cell_type == "code"]), 1):
        cell.execution_count = count


def kernel(name, language=None):
    def change(notebook, by_id):
        notebook.metadata.kernelspec = {"name": name, "display_name": name} | (
            {"language": language} if language else {}
        )

    return change


def edit(name, text):
    return lambda notebook, by_id: by_id[name].update(source=text)


def drop(*names):
    def change(notebook, by_id):
        notebook.cells = [c for c in notebook.cells if c not in [by_id[n] for n in names]]

    return change


def copy(name):
    return lambda notebook, by_id: notebook.cells.insert(0, nbformat.from_dict(by_id[name]))


def versions_of_metadata(notebook, by_id):
    by_id["double"].metadata.nbgrader = {"grade_id": "double", "solution": True, "schema_version": 1}
    by_id["test_half"].metadata.nbgrader = {"grade_id": "test_half", "grade": True, "points": 99, "schema_version": 77}


def half_a_character(notebook, by_id):
    notebook.cells.append(nbformat.v4.new_code_cell("x = '\ud800'"))


BROKEN = {  # name -> the file, points of double and half (None: cannot be read), a word of its sentence
    "invalid JSON": (lambda: b'{"cells": [}', None, "not complete JSON"),
    "empty": (lambda: b"", None, "The file is empty"),
    "truncated": (lambda: json.dumps(solved()).encode()[:2000], None, "not complete JSON"),
    "not UTF-8": (lambda: json.dumps(solved()).encode("utf-16"), None, "not text in UTF-8"),
    "huge number": (lambda: b'{"cells": [], "nbformat": ' + b"9" * 10_000 + b"}", None, "not"),
    "format 3": (lambda: json.dumps(version3(solved())).encode(), (2, 3), ""),
    "format 4.0": (lambda: json.dumps(version4(solved(), 0)).encode(), (2, 3), ""),
    "format 4.2": (lambda: json.dumps(version4(solved(), 2)).encode(), (2, 3), ""),
    "format 9": (lambda: json.dumps(solved() | {"nbformat": 9}).encode(), None, "not a valid notebook"),
    "byte order mark": (lambda: b"\xef\xbb\xbf" + json.dumps(solved()).encode(), (2, 3), ""),
    "missing metadata": (lambda: json.dumps(bare(solved())).encode(), (2, 3), ""),
    "no metadata at all": (lambda: changed(lambda n, by: [c.metadata.pop("nbgrader", None) for c in n.cells]), (2, 3), "'double' was missing"),
    "strange metadata": (lambda: changed(lambda n, by: n.metadata.update(title=3, authors="x", kernelspec=7)), (2, 3), ""),
    "deleted test": (lambda: changed(drop("test_half")), (2, 3), "'test_half' was missing"),
    "deleted answer": (lambda: changed(drop("half")), (2, 0), "'half' was missing"),
    "edited test": (lambda: changed(edit("test_half", "print('fine')")), (2, 3), "'test_half' was changed; it has been restored"),
    "edited set-up": (lambda: changed(edit("setup", "check = print")), (2, 3), "'setup' was changed"),
    "duplicated answer": (lambda: changed(copy("half")), (2, 3), "'half' stands there more than once"),
    "duplicated test": (lambda: changed(copy("test_half")), (2, 0), "'test_half' stands there more than once"),
    "reordered": (lambda: changed(reordered), (2, 3), "another order"),
    "answer in extra cells": (lambda: changed(in_extra_cells), (2, 3), ""),
    "syntax error": (lambda: changed(edit("half", "def half(x:")), (2, 0), ""),
    "R": (lambda: changed(kernel("ir", "R")), (2, 3), "written in R; its cells were run as Python"),
    "Julia": (lambda: changed(kernel("julia-1.10")), (2, 3), "written in julia"),
    "another Python": (lambda: changed(kernel("conda-env-x", "python")), (2, 3), ""),
    "old labels": (lambda: changed(versions_of_metadata), (2, 3), "label of cell 'test_half' was changed"),
    "half a character": (lambda: changed(half_a_character), (2, 3), ""),
    "run out of order": (lambda: changed(out_of_order), (0, 3), "run in another order; they were graded from top to bottom"),
    "another lesson": (lambda: json.dumps(solved("91_other")).encode(), None, "notebook of lesson 91_other, not of 90_small"),
    "no lesson's": (lambda: json.dumps(notebook_of([nbformat.v4.new_code_cell("1")])).encode(), (0, 0), "'test_double' was missing"),
    "brings results": (lambda: changed(lambda n, by: n.metadata.update(bonsai_run={"measured": {"ratio": 1e9}})), (2, 3), "results of its own"),
    "too many cells": (lambda: changed(lambda n, by: n.cells.extend([nbformat.v4.new_raw_cell("")] * 3000)), None, "3009 cells"),
    "long code": (lambda: changed(edit("half", "x = 1\n" * 2_000_000)), None, "larger than 8 MB"),
    "deeply nested": (lambda: b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None, "not"),
    "crashes": (lambda: changed(edit("half", "import os\nos._exit(1)")), (2, 0), "ended its process"),
}  # fmt: skip


def test_broken_submissions_get_a_sentence_and_stop_nobody(small):
    paths = {}
    for name, (content, _, _) in BROKEN.items():
        paths[name] = small / f"{name}.ipynb"
        paths[name].write_bytes(content())
    special = {
        "folder": "a folder",
        "pipe": "a device or a pipe",
        "link": "links are not followed",
        "none": "No such file",
    }
    (small / "folder.ipynb").mkdir()
    os.mkfifo(small / "pipe.ipynb")
    (small / "link.ipynb").symlink_to(paths["format 4.2"])
    (small / "loop.ipynb").symlink_to("loop.ipynb")
    (small / "last.ipynb").write_bytes(json.dumps(solved()).encode())
    order = [*paths.values(), *(small / f"{n}.ipynb" for n in special), small / "loop.ipynb", Path("/dev/zero")]
    order += [small / "last.ipynb"] * 2
    results = list(grade(order, feedback=small / "pages", lesson="90"))
    assert len(results) == len(order)
    by_name = {Path(r.notebook).stem: r for r in results}
    wrong = []
    for name, (_, points, sentence) in BROKEN.items():
        r = by_name[name]
        given = {e["id"]: e["points"] for e in r.exercises}
        got = (given.get("double"), given.get("half")) if r.status == "graded" else None
        flags = " ".join(r.flags)
        if got != points or sentence not in flags or (not sentence and flags):
            wrong.append(f"{name}: {r.status} {got} {flags}")
        assert r.status in ("graded", "unreadable") and r.max_score == 5 and r.seconds < 30
        assert (r.status == "unreadable") <= (len(r.flags) == 1) and "\n" not in flags
    assert not wrong, "\n".join(wrong)
    for name, sentence in special.items():
        assert by_name[name].status == "unreadable" and sentence in by_name[name].flags[0]
    assert by_name["loop"].status == by_name["zero"].status == "unreadable"
    assert [r.score for r in results[-2:]] == [5, 5] and results[-1].flags == []
    assert {"last.html", "last-2.html"} <= {p.name for p in (small / "pages").iterdir()}


def test_fifty_megabytes_of_outputs_are_dropped_quickly(small):
    notebook = solved()
    output = nbformat.v4.new_output("stream", text="0123456789" * 100_000)
    notebook.cells[-1].outputs = [output] * 50
    path = small / "long.ipynb"
    path.write_text(json.dumps(notebook))
    assert path.stat().st_size > 50e6
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert len(read(path).cells) == len(notebook.cells)
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB: another process read them
    path.write_bytes(b"[" * (9 << 20))
    with pytest.raises(Unreadable, match="cannot be read"):
        read(path)
    path.write_bytes(path.read_bytes()[:-3] + b'"x')
    with pytest.raises(Unreadable):
        read(path)
    with path.open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(Unreadable, match="300 MB"):
        read(path)


def test_a_notebook_whose_time_is_over_says_so(small):
    path = small / "slow.ipynb"
    notebook = solved()
    notebook.cells[3:3] = [nbformat.v4.new_code_cell("while True: pass")] * 5
    path.write_text(json.dumps(notebook))
    (result,) = grade([path], limits=Limits(cell_s=1, call_s=1, notebook_s=3))
    assert result.status == "timeout" and result.score == 0 and result.max_score == 5
    assert any("had not returned" in flag for flag in result.flags)


def test_our_own_failure_is_that_submissions_result(small, monkeypatch):
    path = small / "fine.ipynb"
    path.write_bytes(json.dumps(solved()).encode())
    real, calls = grading.which_lesson, []

    def fails_first(*args):
        calls.append(args)
        if len(calls) == 1:
            raise KeyError("a mistake of ours")
        return real(*args)

    monkeypatch.setattr(grading, "which_lesson", fails_first)
    first, second = grade([path, path], lesson="90")
    assert first.status == "crashed" and "KeyError" in first.flags[0] and first.score == 0 and first.max_score == 5
    assert second.status == "graded" and second.score == 5


def test_a_sandbox_that_fails_in_the_middle_is_no_score(small, monkeypatch):
    path = small / "fine.ipynb"
    path.write_bytes(json.dumps(solved()).encode())

    def refused(*args):
        raise SandboxMissing("bubblewrap is installed, but this machine refuses")

    monkeypatch.setattr("autograder.grading.split.begin", refused)
    with pytest.raises(SandboxMissing, match="refuses"):
        list(grade([path]))


def test_nbgrader_in_a_course_directory_grades_all_that_can_be(small):
    """A copied test cell, an invalid file, a crash, old labels, a link: each is its submission's matter."""
    folder, lesson = small / "course", "90_small"
    assert course.init(folder, [source.find_source("90")]) == [lesson]
    files = {
        "ann": json.dumps(solved()).encode(),
        "bad": b'{"cells": [',
        "cop": changed(copy("test_half")),
        "dia": changed(edit("double", "import os\nos._exit(1)")),
        "eli": changed(versions_of_metadata),
        "fay": changed(edit("half", "def half(x):\n    return open('answers.txt').read()")),
        "zoe": json.dumps(solved()).encode(),
    }
    for student, content in files.items():
        target = folder / "submitted" / student / lesson
        target.mkdir(parents=True)
        (target / f"{lesson}.ipynb").write_bytes(content)
    (folder / "submitted" / "fay" / lesson / "answers.txt").symlink_to(folder / "source" / lesson / f"{lesson}.ipynb")

    def nbgrader(*words):
        command = [sys.executable, "-m", "nbgrader", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    done = nbgrader("autograde", lesson)
    assert done.returncode == 1 and "'bad'" in done.stderr, done.stderr[-3000:]
    points = {}
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        for submission in book.assignment_submissions(lesson):
            grades = submission.notebooks[0].grades
            points[submission.student.id] = {g.name.removeprefix("test_"): g.auto_score for g in grades}
    full = {"double": 2, "half": 3}
    assert points.pop("bad") == {"double": None, "half": None}
    assert points == {
        **{"ann": full, "zoe": full, "eli": full, "cop": full | {"half": 0}},
        **{"dia": full | {"double": 0}, "fay": full | {"half": 0}},
    }
    assert nbgrader("generate_feedback", lesson).returncode == 0
    pages = {p.parts[-3]: p.read_text() for p in (folder / "feedback").glob(f"*/{lesson}/{lesson}.html")}
    assert set(pages) == set(points)
    assert "ended its process" in pages["dia"] and "FileNotFoundError" in pages["fay"]
    assert not any("[2.5, 0.0]" in page for page in pages.values())  # the hidden test


def test_course_init_on_a_course_keeps_what_a_teacher_changed_and_says_where(small, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")  # no program of nbgrader's is started: each takes seconds, or is not found
    folder, sources, said = small / "course", [source.find_source("90")], []
    course.init(folder, sources)
    mine = folder / "source" / "90_small" / "90_small.ipynb"
    course.init(folder, sources, said.append)
    assert said == [] and not (folder / course.BACKUPS).exists()
    notebook = nbformat.read(mine, 4)
    notebook.cells[0].source = "# My own title"
    edited = nbformat.writes(notebook)
    for number in (1, 2):
        mine.write_text(edited)
        course.init(folder, sources, said.append)
        assert len(said) == number and "90_small.ipynb" in said[-1]
        assert Path(said[-1].rpartition("it is in ")[2]).read_text() == edited
    assert nbformat.read(mine, 4).cells[0].source != "# My own title"
    assert [p.name for p in (folder / "release" / "90_small").iterdir()] == ["90_small.ipynb"]


def test_a_gradebook_that_was_replaced_is_read_anew(tmp_path, monkeypatch):
    """Engines are kept; their connections must not be: the file may be another one, here or in another folder."""
    course.api(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        left_open = Gradebook("sqlite:///rel.db")
        assert left_open.students == []
        left_open.add_student(name)
        assert [s.id for s in left_open.students] == [name]
        (tmp_path / name / "rel.db").unlink()
        with Gradebook("sqlite:///rel.db") as again:
            assert again.students == []
            again.add_student("new")
