"""Many submissions: workers that die, runs that are stopped or killed, one writer, a gradebook that is nbgrader's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from class_of import LESSON, answered, hand_in, make_course, pages, rows
from kill_writer import kill_writer
from test_cli import ADA, bonsai

from autograder import course
from autograder.classes import executor as executors
from autograder.classes import ledger as ledgers
from autograder.classes.executor import GraderError, Local, Settings, run
from autograder.grading.grade import Work

BONSAI = Path(sys.executable).parent / "bonsai"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("class"))


@pytest.fixture
def folder(made, tmp_path):
    """A course of one's own."""
    return Path(shutil.copytree(made, tmp_path / "course"))


def works(folder: Path, *students: str) -> list[tuple[str, Work]]:
    about = course.assignment(folder, LESSON, course.configuration(folder))
    content = {s: (folder / "submitted" / s / LESSON / f"{LESSON}.ipynb").read_bytes() for s in students}
    return [(s, Work(s, content[s], lesson=LESSON, student=s, assignment=about)) for s in students]


# Workers -------------------------------------------------------------------------------------------------------------


def sleepy(folder: Path, seconds: float) -> Work:
    (_, work), *_ = works(folder, "ann")
    text = json.loads(work.content)
    text["cells"].insert(
        0, {"cell_type": "code", "source": f"import time; time.sleep({seconds})", "metadata": {}, "outputs": []}
    )
    return Work("sleepy", json.dumps(text).encode(), lesson=LESSON, student="sleepy", assignment=work.assignment)


def test_a_worker_that_dies_is_replaced_once_and_costs_nobody_else_anything(folder):
    plain = works(folder, "ann", "dia")
    with Local(Settings(), 1) as local:
        (slot,) = local.slots
        kills: list[int] = []

        def kill(times):
            """End the worker while it grades the sleepy one, so many times."""
            while len(kills) < times:
                process, doing = slot.process, slot.doing
                busy = doing is not None and doing[0] == "sleepy" and time.time() - doing[1] > 0.5
                if busy and process and process.pid not in kills:
                    kills.append(process.pid)
                    os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.05)

        for times in (1, 2):
            kills.clear()
            thread = threading.Thread(target=kill, args=(times,))
            thread.start()
            results = {
                k: g.result for k, g in run(local, [*plain, ("sleepy", sleepy(folder, 3)), ("after", plain[0][1])])
            }
            thread.join()
            assert results["ann"].score == results["after"].score == 5
            assert results["dia"].score == 3 and results["dia"].status == "graded"
            if times == 1:
                assert results["sleepy"].status == "graded" and results["sleepy"].score == 5
            else:
                assert results["sleepy"].status == "crashed" and "2 times" in results["sleepy"].flags[0]
                assert [e["max_points"] for e in results["sleepy"].exercises] == [2, 3]
        pid = slot.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_stays_of_workers_that_were_ended(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    left = lambda: list(tmp_path.glob("bonsai-grade-*"))  # noqa: E731
    with Local(Settings(), 1) as local:
        assert [graded.result.status for _, graded in run(local, works(folder, "ann"))] == ["graded"]
        assert len(left()) == 1  # where the worker works
    assert left() == []
    with Local(Settings(), 1) as local:
        local.slots[0].connection.close()  # as if we had been killed
        local.slots[0].process.wait(60)
        assert left() == []


def test_another_checkout_is_refused_before_the_first_submission(monkeypatch):
    monkeypatch.setattr(executors, "fingerprint", lambda lessons=True: "0" * 64)
    with pytest.raises(GraderError, match=r"the checkout on .* is another one"), Local(Settings(), 1):
        pass


def test_a_grader_that_cannot_work_is_an_error_and_no_score(folder, tmp_path):
    nowhere = str(Path(sys.executable).parent)
    for words in (["grade", ADA], ["course", "grade", "--course", folder]):
        done = bonsai(*words, PATH=nowhere)
        assert done.returncode == 2 and "bubblewrap" in done.stderr and "Traceback" not in done.stderr
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
    environment = os.environ | {"PATH": nowhere, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert [line.partition("] ")[2][:40] for line in done.stderr.splitlines()] == [
        "Nothing was graded: bubblewrap is missin"
    ]
    assert rows(folder) == {} and not (folder / "autograded").exists()
    (tmp_path / "file").write_text("")
    done = bonsai("grade", ADA, "--feedback", tmp_path / "file")
    assert done.returncode == 2 and "file" in done.stderr and "Traceback" not in done.stderr
    done = bonsai("grade", ADA, "--sandbox", "docker")  # there is none, or none that runs
    assert done.returncode == 2 and "docker" in done.stderr and "Traceback" not in done.stderr


def stopped(number: int, *words: object, when: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    """A command that gets a signal as soon as it says something on stderr."""
    command = [str(BONSAI), *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": cwd}
    process = subprocess.Popen(command, **pipes)
    said = ""
    while when not in said:
        line = process.stderr.readline()
        assert line, f"it ended before: {said}"
        said += line
    began = time.monotonic()
    process.send_signal(number)
    process.send_signal(number)  # as `timeout` does, and some who are impatient
    out, rest = process.communicate(timeout=60)
    assert time.monotonic() - began < 20
    return subprocess.CompletedProcess(command, process.returncode, out, said + rest)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_prints_what_is_done_and_gives_the_interrupted_one_no_score(tmp_path, number, code):
    cut, endless = tmp_path / "cut.ipynb", tmp_path / "endless.ipynb"
    cut.write_text("{")
    text = json.loads(ADA.read_text())
    text["cells"].insert(0, {"cell_type": "code", "source": "while True: pass", "metadata": {}, "outputs": []})
    endless.write_text(json.dumps(text))
    done = stopped(number, "grade", cut, endless, "--json", "--workers", 1, when="1/2 cut.ipynb unreadable")
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert found["interrupted"] is True and [r["status"] for r in found["results"]] == ["unreadable"]
    assert "1 of 2 were graded" in done.stderr and "Traceback" not in done.stderr


# One writer ----------------------------------------------------------------------------------------------------------


def one_by_one(folder: Path) -> None:
    """What a teacher does with nbgrader alone."""
    for step in ("autograde", "generate_feedback"):
        command = [sys.executable, "-m", "nbgrader", step, LESSON]
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(folder)}
        )


def test_the_gradebook_is_the_one_that_nbgrader_makes_one_by_one(folder, tmp_path):
    theirs = Path(shutil.copytree(folder, tmp_path / "theirs"))
    one_by_one(theirs)
    done = bonsai("course", "grade", "--workers", 2, cwd=folder, PYTHONPATH=str(folder))
    assert done.returncode == 1 and "bad" in done.stdout and "5 of 5" in done.stdout, done.stderr  # bad is unreadable
    assert rows(folder) == rows(theirs) and set(rows(folder)) == {"ann", "bad", "cop", "dia", "eve"}
    assert rows(folder)["eve"][0][1] > 0 and rows(folder)["eve"][0][2] == 2
    assert pages(folder) == pages(theirs)
    assert set(os.listdir(folder / ".bonsai")) == {"ledger.db", "lock"}


def test_only_what_is_new_is_graded_and_manual_grades_are_kept(folder):
    def grade(*words):
        done = bonsai("course", "grade", "--json", "--workers", 1, *words, cwd=folder, PYTHONPATH=str(folder))
        assert "Traceback" not in done.stderr
        return sorted(json.loads(line)["student"] for line in done.stdout.splitlines())

    for student in ("bad", "cop"):
        shutil.rmtree(folder / "submitted" / student)
    assert grade() == ["ann", "dia", "eve"]
    assert grade() == []
    with course.api(folder).gradebook as gradebook:
        grades = {s: gradebook.find_submission_notebook(LESSON, LESSON, s).grades for s in ("ann", "dia")}
        for student in grades:
            why = next(g for g in grades[student] if g.name == "why")
            why.manual_score, why.needs_manual_grade = 3, False
        half = next(g for g in grades["dia"] if g.name == "test_half")
        half.manual_score = 1
        gradebook.db.commit()
    hand_in(folder, "ann", {f"{LESSON}.ipynb": answered_in(folder, half="def half(x):\n    return x // 2")})
    assert grade("90") == ["ann"]
    about = {name: (auto, manual, needs) for name, auto, manual, *_, needs in rows(folder)["ann"][1]}
    assert about == {"test_double": (2, None, False), "test_half": (0, None, False), "why": (None, 3, False)}
    assert grade("--force") == ["ann", "dia", "eve"]
    about = {name: (auto, manual, needs) for name, auto, manual, *_, needs in rows(folder)["dia"][1]}
    assert about["test_half"] == (3, 1, True) and about["why"] == (None, 3, False)
    assert bonsai("course", "grade", "77", cwd=folder).returncode == 2


def test_a_renamed_notebook_alone_in_its_folder_is_graded(folder):
    hand_in(folder, "ann", {"Meine Lösung (2).ipynb": answered_in(folder)})
    hand_in(folder, "dia", {"a.ipynb": answered_in(folder), "b.ipynb": answered_in(folder)})
    hand_in(folder, "eve", {"other.ipynb": b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'})
    done = bonsai("course", "grade", "--json", "--workers", 1, cwd=folder, PYTHONPATH=str(folder))
    results = {r["student"]: r for r in map(json.loads, done.stdout.splitlines())}
    assert results["ann"]["score"] == 5 and results["ann"]["status"] == "graded", done.stderr
    assert results["dia"]["status"] == "unreadable" and "but 2 others" in results["dia"]["flags"][0]
    assert results["eve"]["score"] == 0 and "no lesson's notebook" in " ".join(results["eve"]["flags"])
    assert rows(folder)["ann"][1][0][3] > 0


def answered_in(folder: Path, **given: str) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.source.SOLUTIONS", folder.parent / "solutions")
        if not (folder.parent / "solutions").exists():
            from class_of import TEXT

            (folder.parent / "solutions").mkdir()
            (folder.parent / "solutions" / f"{LESSON}.py").write_text(TEXT)
        return answered(**given)


def test_a_second_run_says_who_holds_the_course(folder):
    with ledgers.lock(folder):
        done = bonsai("course", "grade", cwd=folder)
        assert done.returncode == 2 and f"process {os.getpid()} on" in done.stderr and "since 20" in done.stderr
    with ledgers.lock(folder):
        pass


def test_what_is_no_course_is_one_sentence(tmp_path):
    done = bonsai("course", "grade", cwd=tmp_path)
    assert done.returncode == 2 and "is not a course" in done.stderr and "Traceback" not in done.stderr


def test_a_writer_that_is_killed_at_any_line_loses_and_doubles_nothing(made, tmp_path):
    shutil.copytree(made, tmp_path / "course")
    seen = kill_writer(tmp_path, 20, seed=int(time.time()))
    assert seen["kills"] == 20


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(folder, tmp_path):
    """The course lies on a small disk of its own, which the gradebook, the ledger and the pages soon fill."""
    full = tmp_path / "full"
    full.mkdir()
    room = sum(path.stat().st_size for path in folder.rglob("*")) + 400_000
    script = 'cp -a "$1/." "$2" && cd "$2" && "$3" course grade --workers 1; code=$?; cp -a "$2/." "$1"; exit $code'
    command = ["bwrap", "--dev-bind", "/", "/", "--size", str(room), "--tmpfs", full, "sh", "-c", script]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([*command, "sh", folder, full, BONSAI], capture_output=True, text=True, env=environment)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr, done.stderr
    assert "cannot be written" in done.stderr or "could not" in done.stderr + done.stdout
    done = bonsai("course", "grade", "--json", "--workers", 1, cwd=folder, PYTHONPATH=str(folder))
    assert all(about[1][0][1] is not None for who, about in rows(folder).items() if who != "bad")
    assert set(rows(folder)) == {"ann", "bad", "cop", "dia", "eve"}
