"""Kills the one writer of a course at random lines, again and again, and looks at what it leaves behind.

python tests/kill_writer.py [TIMES] [SEED]

The grading itself is replayed from recorded results, so that a run takes a second and the kill hits the writer: the
ledger, nbgrader's gradebook, and the moving of pages. Each round begins with an ungraded course; runs are killed until
one comes to its end. After each kill: no page is half there, the databases can be read, nothing that the ledger keeps
is graded again. At the end: the gradebook and the pages are those of a run that nobody killed.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path

from class_of import LESSON, make_course, pages, rows

from autograder.classes import executor, gradebook
from autograder.classes.executor import Settings, packed_result, run, unpacked
from autograder.classes.ledger import FOLDER, Ledger, lock

TRACED = ("autograder/classes", "nbgrader/", "nbconvert/writers", "nbconvert/exporters/exporter.py", "shutil.py")


class Recorded:
    """An executor that knows the results, and notes who asked for one."""

    room = 3

    def __init__(self, results: dict[str, bytes], notes: Path):
        self.results, self.notes = results, notes

    def submit(self, body: bytes, done) -> None:
        work = unpacked(body)
        with self.notes.open("a") as notes:
            notes.write(f"{work.student}\n")
        done(self.results[work.student])

    def alive(self) -> str:
        return ""


def record(folder: Path) -> dict[str, bytes]:
    """The results of a class, graded once."""
    (folder / FOLDER).mkdir(exist_ok=True)
    with Ledger(folder) as ledger:
        course = gradebook.CourseRun(folder, ledger)
        works = [(one.student, course.work(one.student, one.lesson)) for one in course.pending()]
        with executor.Local(Settings(), 1) as local:
            results = {student: packed_result(graded) for student, graded in run(local, works)}
    shutil.rmtree(folder / FOLDER)
    return results


def in_child(folder: Path, results: dict[str, bytes], notes: Path, kill_at: int | None) -> tuple[int, int]:
    """Grade the course in a forked process that kills itself at a line; its exit status, and how many lines it ran."""
    count = folder.parent / "count"
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = grade(folder, results, notes, kill_at, count)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    return status, int(count.read_text()) if count.exists() else 0


def grade(folder: Path, results: dict[str, bytes], notes: Path, kill_at: int | None, count: Path) -> int:
    lines, writer = 0, os.getpid()

    def trace(frame, event, argument):
        nonlocal lines
        if os.getpid() != writer:  # a page is made in a process with limits: that one is not the writer
            return sys.settrace(None)
        if event == "call" and not any(part in frame.f_code.co_filename for part in TRACED):
            return None
        if event == "line":
            lines += 1
            if lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.path.insert(0, str(folder))
    sys.settrace(trace)
    with lock(folder), Ledger(folder) as ledger:
        course = gradebook.CourseRun(folder, ledger)
        for _ in course.grade(course.pending(), Recorded(results, notes)):
            pass
    sys.settrace(None)
    count.write_text(str(lines))
    return 0


def look(folder: Path, whole: dict[str, str]) -> None:
    """What must hold at any moment."""
    for name, text in pages(folder).items():
        assert text == whole[name], f"{name} is half there"
    for database in ("gradebook.db", f"{FOLDER}/ledger.db"):
        if (folder / database).exists():
            with sqlite3.connect(folder / database) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def kept(folder: Path) -> set[str]:
    """Whose result the ledger has."""
    if not (folder / FOLDER / "ledger.db").exists():
        return set()
    with Ledger(folder) as ledger:
        return {row.student for row in ledger.rows() if row.state in ("graded", "written")}


def kill_writer(folder: Path, times: int, seed: int) -> dict[str, float]:
    """Kill so many times; what was seen.

    Args:
        folder: holds a course that nobody has graded, as `course`.

    Raises:
        AssertionError: something was lost, doubled or half written.
    """
    chance, fresh = random.Random(seed), folder / "fresh"
    os.rename(folder / "course", fresh)
    results = record(fresh)
    shutil.copytree(fresh, folder / "course")
    notes = folder / "notes"
    status, lines = in_child(folder / "course", results, notes, None)
    assert status == 0, "a run that nobody kills fails"
    goal, whole = rows(folder / "course"), pages(folder / "course")
    seen = {"kills": 0, "rounds": 0, "lines of a whole run": lines, "most kills in a round": 0}
    while seen["kills"] < times:
        shutil.rmtree(folder / "course")
        shutil.copytree(fresh, folder / "course")
        in_round = 0
        while True:
            before = kept(folder / "course")
            notes.unlink(missing_ok=True)
            last = seen["kills"] >= times
            status, _ = in_child(folder / "course", results, notes, None if last else chance.randint(1, lines))
            asked = set(notes.read_text().split()) if notes.exists() else set()
            assert not asked & before, f"graded again: {asked & before}"
            look(folder / "course", whole)
            if status == 0:
                break
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"a run failed: {status}"
            seen["kills"] += 1
            in_round += 1
        seen["rounds"] += 1
        seen["most kills in a round"] = max(seen["most kills in a round"], in_round)
        assert rows(folder / "course") == goal, "the gradebook differs from that of a run that nobody killed"
        assert pages(folder / "course") == whole, "a page is missing or differs"
        with Ledger(folder / "course") as ledger:
            assert [(row.student, row.state) for row in ledger.rows(LESSON)] == [(s, "written") for s in sorted(goal)]
        assert not (folder / "course" / FOLDER / "staging").exists()
    return seen


if __name__ == "__main__":
    times, seed = (int(word) for word in (sys.argv[1:] + ["200", "0"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        make_course(Path(folder))
        began = time.monotonic()
        found = kill_writer(Path(folder), times, seed) | {"seconds": round(time.monotonic() - began)}
    print(json.dumps(found))
