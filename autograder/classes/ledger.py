"""What of a course has been graded: a SQLite file that survives being killed, and the lock of who grades.

A submission's row goes from nothing to `graded` (its result is kept here) to `written` (it is in the gradebook and its
pages lie in the course). A run that was killed between the two is finished by the next one from what is kept. One that
our own failure kept from a result is `crashed`: the next run grades it again.
"""

import fcntl
import json
import os
import socket
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from autograder.course import digest
from autograder.grading.grade import Graded, Result, Work

FOLDER = ".bonsai"  # in a course
TABLES = """
CREATE TABLE IF NOT EXISTS submission (
    student TEXT NOT NULL, lesson TEXT NOT NULL,
    content TEXT NOT NULL,  -- hash of what was handed in
    grader TEXT NOT NULL,   -- hash of what grades it
    state TEXT NOT NULL CHECK (state IN ('graded', 'written', 'crashed')),
    result TEXT NOT NULL,   -- JSON
    notebook BLOB NOT NULL, page BLOB NOT NULL,  -- compressed; empty once they are written
    at REAL NOT NULL,       -- when it was graded
    PRIMARY KEY (student, lesson)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempt (student TEXT NOT NULL, lesson TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS attempts ON attempt (student, lesson, at);
"""


class CourseLocked(RuntimeError):
    """Another run writes into this course; the message says whose, and since when."""


@dataclass(frozen=True)
class Row:
    """A submission that has been graded."""

    student: str
    lesson: str
    state: str
    result: Result
    at: float


def content_hash(work: Work) -> str:
    """Of all that was handed in, the time of handing in included: a late one is penalised."""
    parts = [part for name, content in sorted(work.files.items()) for part in (name.encode(), content)]
    return digest([work.content, work.unreadable.encode(), *parts])


@contextmanager
def lock(course: Path) -> Iterator[None]:
    """Hold a course. The lock is the kernel's, so it ends with the process that holds it, however that ends.

    Raises:
        CourseLocked: another process holds it.
    """
    (course / FOLDER).mkdir(exist_ok=True)
    with open(course / FOLDER / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CourseLocked(f"{course} is being graded by {file.read().strip() or 'another process'}") from None
        since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
        command = " ".join(["bonsai", *sys.argv[1:4]])
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {since} ({command})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


class Ledger:
    """The rows of a course. Each method is one transaction, and is on the disk when it returns."""

    def __init__(self, course: Path):
        (course / FOLDER).mkdir(exist_ok=True)
        self.db = sqlite3.connect(course / FOLDER / "ledger.db", isolation_level=None, timeout=60)
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(TABLES)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.db.close()

    def state(self, student: str, lesson: str, content: str, grader: str) -> str:
        """What became of this very submission with this very grader: graded, written, crashed or ""."""
        found = self.db.execute(
            "SELECT state FROM submission WHERE student = ? AND lesson = ? AND content = ? AND grader = ?",
            (student, lesson, content, grader),
        ).fetchone()
        return found[0] if found else ""

    def keep(self, student: str, lesson: str, content: str, grader: str, graded: Graded) -> None:
        """A result has come; it replaces what there was of an earlier submission."""
        state = "crashed" if graded.result.status == "crashed" else "graded"
        values = (student, lesson, content, grader, state, json.dumps(asdict(graded.result), ensure_ascii=False))
        blobs = zlib.compress(graded.notebook, 3), zlib.compress(graded.page, 3)
        self.db.execute(
            "INSERT OR REPLACE INTO submission VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, *blobs, time.time())
        )

    def kept(self, student: str, lesson: str) -> Graded:
        """The result of a submission that is graded and not yet written."""
        result, *blobs = self.db.execute(
            "SELECT result, notebook, page FROM submission WHERE student = ? AND lesson = ? AND state = 'graded'",
            (student, lesson),
        ).fetchone()
        notebook, page = map(zlib.decompress, blobs)
        return Graded(Result(**json.loads(result)), notebook, page)

    def written(self, student: str, lesson: str) -> None:
        """The result is in the gradebook, and the pages are in their folders."""
        self.db.execute(
            "UPDATE submission SET state = 'written', notebook = x'', page = x'' "
            "WHERE student = ? AND lesson = ? AND state = 'graded'",
            (student, lesson),
        )

    def rows(self, lesson: str | None = None) -> list[Row]:
        """All that has been graded, by lesson and student."""
        found = self.db.execute(
            "SELECT student, lesson, state, result, at FROM submission WHERE lesson = coalesce(?, lesson) "
            "ORDER BY lesson, student",
            (lesson,),
        )
        return [Row(s, le, state, Result(**json.loads(result)), at) for s, le, state, result, at in found]

    def attempt(self, student: str, lesson: str) -> None:
        """Note that a submission was taken for grading now."""
        self.db.execute("INSERT INTO attempt VALUES (?, ?, ?)", (student, lesson, time.time()))

    def attempts(self, student: str, lesson: str, since: float) -> list[float]:
        """When submissions were taken for grading after a moment, in order."""
        found = self.db.execute(
            "SELECT at FROM attempt WHERE student = ? AND lesson = ? AND at > ? ORDER BY at", (student, lesson, since)
        )
        return [at for (at,) in found]
