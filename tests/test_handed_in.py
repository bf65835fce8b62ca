"""What is taken of a submission's folder: in a course as from a single file, nothing hangs, fills the disk or ends the
others, and whatever cannot be graded gets one sentence."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from test_cli import BROKEN, bonsai, changed, edit, small, solved  # noqa: F401  (small is a fixture)

from autograder import course, source
from autograder.grading import handed_in as taking
from autograder.grading.handed_in import Unreadable, files_of, handed_in, parsed_apart, read_regular

LESSON = "90_small"


def right() -> bytes:
    return json.dumps(solved()).encode()


def many_cells(notebook, by_id):
    notebook.cells.extend(nbformat.v4.new_code_cell("") for _ in range(10_000))


def not_a_number() -> bytes:
    return right().replace(b'"points": 2', b'"points": NaN')


def folder_for_notebook(folder: Path) -> None:
    (folder / f"{LESSON}.ipynb").unlink()
    (folder / f"{LESSON}.ipynb").mkdir()
    (folder / f"{LESSON}.ipynb" / "inner.txt").write_text("x")


def fifo_for_notebook(folder: Path) -> None:
    (folder / f"{LESSON}.ipynb").unlink()
    os.mkfifo(folder / f"{LESSON}.ipynb")


def sparse(folder: Path) -> None:
    with open(folder / "huge.bin", "wb") as file:
        file.truncate(1 << 40)


def many_files(folder: Path) -> None:
    (folder / "many").mkdir()
    for n in range(1500):
        (folder / "many" / f"{n}.txt").write_text("x")


def deep(folder: Path) -> None:
    for _ in range(30):
        folder = folder / "d"
        folder.mkdir()


def linked(name: str, target: str):
    return lambda folder: (folder / name).symlink_to(target)


FOLDERS = {  # name -> what is done to a solved submission's folder, points (None: cannot be graded), a word of a flag
    "zero": (linked("data.bin", "/dev/zero"), (2, 3), "data.bin' was not taken: this is a link"),
    "etc": (linked("etc", "/etc"), (2, 3), "etc' was not taken: it is a link"),
    "pipe": (lambda f: os.mkfifo(f / "data.bin"), (2, 3), "data.bin' was not taken: this is a device or a pipe"),
    "huge": (sparse, (2, 3), "the file has 1048576 MB; more than 50 are not read"),
    "many": (many_files, (2, 3), "more files were not taken"),
    "deep": (deep, (2, 3), "in a depth, that is not taken"),
    "folder": (folder_for_notebook, None, "This is a folder, not a file"),
    "fifo": (fifo_for_notebook, None, "a device or a pipe"),
    "renamed": (lambda f: (f / f"{LESSON}.ipynb").rename(f / "my copy [1].ipynb"), (2, 3), "is called 'my"),
    "no time": (lambda f: (f / "timestamp.txt").write_text("soon"), (2, 3), "timestamp.txt holds no time"),
    "endless time": (linked("timestamp.txt", "/dev/zero"), (2, 3), "timestamp.txt' was not taken"),
    "folder time": (lambda f: (f / "timestamp.txt").mkdir(), (2, 3), "timestamp.txt' was not taken"),
    "odd name": (lambda f: (f / "\x1b[2J[bold]").write_text("x"), (2, 3), "its name cannot be shown"),
}  # fmt: skip
TEXTS = {
    "not a number": (not_a_number, (2, 3), ""),
    "10,000 cells": (lambda: changed(many_cells), None, "10009 cells"),
    "minor 99": (lambda: json.dumps(solved() | {"nbformat_minor": 99}).encode(), (2, 3), ""),
}


def one_course(folder: Path, files: dict[str, bytes]) -> Path:
    assert course.init(folder, [source.find_source("90")]) == [LESSON]
    for student, content in files.items():
        target = folder / "submitted" / student / LESSON
        target.mkdir(parents=True)
        (target / f"{LESSON}.ipynb").write_bytes(content)
    for student, (change, _, _) in FOLDERS.items():
        if student in files:
            change(folder / "submitted" / student / LESSON)
    return folder


def gradebook(folder: Path) -> dict[str, tuple]:
    """Student -> scores of the two exercises, and the comments that the teacher sees."""
    found = {}
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        for submission in book.assignment_submissions(LESSON):
            (notebook,) = submission.notebooks
            points = {g.name: g.auto_score for g in notebook.grades}
            said = " ".join(c.auto_comment or "" for c in notebook.comments)
            found[submission.student.id] = (points["test_double"], points["test_half"]), said
    return found


@pytest.mark.parametrize("way", ["nbgrader autograde", "bonsai course grade"])
def test_whatever_lies_in_a_course_gets_a_sentence_and_the_others_are_graded(small, way):  # noqa: F811
    texts = {name.replace(" ", "_"): case for name, case in (BROKEN | TEXTS).items()}
    if way.startswith("nbgrader"):  # which grades one after another: those that are not like the others
        kept = ["invalid_JSON", "deeply_nested", "10,000_cells", "not_a_number", "minor_99"]
        kept += ["byte_order_mark", "half_a_character"]
        texts = {name: texts[name] for name in kept}
    contents = {name: make() for name, (make, _, _) in texts.items()} | dict.fromkeys([*FOLDERS, "last"], right())
    folder = one_course(small / "course", contents)
    if way.startswith("nbgrader"):
        command = [sys.executable, "-m", "nbgrader", "autograde", LESSON]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    else:
        done = bonsai("course", "grade", "--json", "--workers", 2, cwd=folder, PYTHONPATH=str(folder))
    log = done.stderr + done.stdout
    assert done.returncode == 1 and "Traceback" not in log, log[-3000:]
    found, wrong = gradebook(folder), []
    for name, (_, points, sentence) in (texts | FOLDERS | {"last": (None, (2, 3), "")}).items():
        if name == "another_lesson":  # in a course it is what was handed in as this lesson
            points, sentence = (0, 0), "another lesson's notebook"
        got, said = found[name]
        told = said if said.strip() else log  # without scores, or without a cell of an answer, there is no comment
        if got != (points or (None, None)) or sentence not in told.replace("\\\\", "\\"):
            wrong.append(f"{name}: {got} {said!r}, not {points} {sentence!r}")
    assert not wrong, "\n".join(wrong)
    assert not any(path.is_symlink() or path.is_fifo() for path in (folder / "autograded").rglob("*"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and "submitted" not in path.parts)
    assert size < 100e6 and not list((folder / ".bonsai").glob("taken-*"))


def test_a_file_that_grows_is_not_taken(tmp_path, monkeypatch):
    """The descriptor says 5 bytes, and the file never ends."""
    (tmp_path / "grows").write_bytes(b"first")
    assert read_regular(tmp_path / "grows", 100) == b"first"
    monkeypatch.setattr(os, "fstat", lambda fd: os.stat(tmp_path / "grows"))
    monkeypatch.setattr(taking.os, "open", lambda *a, _open=os.open, **k: _open("/dev/zero", os.O_RDONLY))
    with pytest.raises(Unreadable, match="grows"):
        read_regular(tmp_path / "grows", 1 << 20)


def test_a_folder_that_becomes_a_link_leads_nowhere(tmp_path):
    """A learner who can still write there exchanges a folder and a link all the time."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.mkdir()
    (secret / "a.txt").write_text("secret")
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("own")
    (folder / "link").symlink_to(secret)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            os.rename(folder / "sub", folder / "was")
            os.rename(folder / "link", folder / "sub")
            os.rename(folder / "sub", folder / "link")
            os.rename(folder / "was", folder / "sub")

    worker = threading.Thread(target=exchange)
    worker.start()
    try:
        for _ in range(2000):
            files, _ = files_of(folder)
            assert b"secret" not in files.values()
    finally:
        stop.set()
        worker.join()


def test_a_notebook_that_takes_too_much_to_read_is_one_sentence(small, monkeypatch):  # noqa: F811
    monkeypatch.setattr(taking, "PARSE_MB", 100)
    with pytest.raises(Unreadable, match="too much time or memory"):
        parsed_apart(b'{"cells": [' + b'{"a":0},' * 2_600_000 + b"{}]}")
    assert len(parsed_apart(right()).cells) == len(solved().cells)


def test_links_above_a_submission_are_not_followed(tmp_path):
    (tmp_path / "real" / LESSON).mkdir(parents=True)
    (tmp_path / "real" / LESSON / f"{LESSON}.ipynb").write_text("{}")
    (tmp_path / "student").symlink_to(tmp_path / "real")
    assert "is a link" in handed_in(tmp_path / "student" / LESSON, LESSON).unreadable
    assert handed_in(tmp_path / "real" / LESSON, LESSON).notebook == b"{}"
    assert handed_in(tmp_path / "real" / LESSON, "other").notebook == b"{}"
    shutil.copy(tmp_path / "real" / LESSON / f"{LESSON}.ipynb", tmp_path / "real" / LESSON / "b.ipynb")
    assert "but 2 others" in handed_in(tmp_path / "real" / LESSON, "other").unreadable


def test_the_exchange_is_collected_whatever_lies_in_it(small, tmp_path):  # noqa: F811
    """Names without a time, names that lead elsewhere, links, devices: the right one is collected."""
    folder, inbound = one_course(small / "course", {}), small / "exchange" / "bonsai" / "inbound"
    inbound.mkdir(parents=True)
    (small / "exchange").chmod(0o777)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.Exchange.root = {str(small / 'exchange')!r}\nc.ExchangeCollect.check_owner = False\n")
    time_ = "2026-01-01 10:00:00 UTC"
    for name in (f"ann+{LESSON}+{time_}+r", f"bob+{LESSON}+never+r", f"..+{LESSON}+{time_}+r", f"+{LESSON}+{time_}+r"):
        (inbound / name).mkdir()
        (inbound / name / f"{LESSON}.ipynb").write_bytes(changed(edit("half", "1")))
        (inbound / name / "data.bin").symlink_to("/dev/zero")
        (inbound / name / "notes.txt").write_text("x")
    (inbound / f"eve+{LESSON}+{time_}+r").symlink_to("/etc")
    command = [sys.executable, "-m", "nbgrader", "collect", LESSON]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("is no submission") == 3 and "data.bin' was not taken" in done.stderr
    there = sorted(str(p.relative_to(folder / "submitted")) for p in (folder / "submitted").rglob("*") if p.is_file())
    assert there == [f"ann/{LESSON}/{LESSON}.ipynb", f"ann/{LESSON}/notes.txt"]
    assert not (folder / LESSON).exists()
