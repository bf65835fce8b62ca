"""The command `bonsai` as a person meets it: tables, JSON, exit codes, one clear sentence for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from make_samples import SAMPLES, samples

from autograder.grade import Unreadable, read, which_lesson
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
    done = bonsai("grade", cut, tmp_path / "missing.ipynb", BEN)
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
        (["grade", "x.ipynb", "--workers"], "No such option"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(words, sentence):
    done = bonsai(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_without_bubblewrap_there_is_one_sentence_and_no_fallback():
    done = bonsai("grade", ADA, PATH=str(Path(sys.executable).parent))
    assert done.returncode == 2
    assert "bubblewrap" in done.stderr and "install" in done.stderr and "Traceback" not in done.stderr


def test_every_command_has_help_with_an_example():
    for words in (["lab"], ["build"], ["grade"], ["check"], ["benchmark"], ["course", "init"]):
        done = bonsai(*words, "--help")
        assert done.returncode == 0 and "Example: bonsai" in done.stdout


def notebook_of(cells=(), **metadata) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not complete JSON"),
        (b"[1, 2]", "not a notebook"),
        (b'{"a": 1}', "not a notebook"),
        (b'{"cells": [{"cell_type": "code"}], "nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
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
    source = find_source("1")
    assert which_lesson(notebook_of(bonsai={"lesson": LESSON}), Path("x.ipynb")) == source
    assert which_lesson(notebook_of(), Path(f"{LESSON}.ipynb")) == source
    released = nbformat.read(LESSONS / LESSON / f"{LESSON}.ipynb", 4)
    released.metadata.pop("bonsai")
    assert which_lesson(released, Path("renamed.ipynb")) == source
    with pytest.raises(Unreadable, match="--lesson"):
        which_lesson(notebook_of(), Path("renamed.ipynb"))


def test_check_tells_the_learner_what_to_look_at(tmp_path):
    done = bonsai("check", "01")  # the release as it lies there: nothing is answered yet
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not answered yet") >= 10 and "0 of 43 points" in done.stdout
