"""Grades what was handed in to an nbgrader course: many submissions at a time, and one writer of `gradebook.db`.

The writer runs nbgrader's own autograde step over the graded notebook that a worker sent, with the worker's results in
the place of execution. So students, submissions, scores, late penalties and manual grades are nbgrader's, and so is the
feedback. It works in a folder beside the course's, from which whole files are moved into the course.
"""

import copy
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.preprocessors.base import NbGraderPreprocessor

from autograder import course
from autograder.box.sandbox import Limits
from autograder.classes.executor import Executor, GraderError, Settings, fingerprint, run
from autograder.classes.ledger import FOLDER, Ledger, content_hash
from autograder.classes.progress import unbroken
from autograder.grading.grade import Graded, Result, Work
from autograder.grading.handed_in import files_of, handed_in, is_student, last_line, mended, write_files
from autograder.grading.preprocessors import CLEANED, SaveStructuredGrades, configure
from autograder.results import Run, TestResult


class NotWritten(Exception):
    """nbgrader would not take one submission; the others go on."""


STAGING = f"{FOLDER}/staging"


class Recorded(NbGraderPreprocessor):
    """Takes the place of execution: the results are those that a worker wrote into the notebook."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        tests = []
        for cell in nb.cells:
            said = cell.metadata.get("bonsai_result")
            if said:
                tests.append(TestResult(id=cell.metadata.nbgrader.grade_id, seconds=0.0, **said))
        flags = [
            flag for flag in nb.metadata.get("bonsai_flags", []) if not flag.startswith(CLEANED)
        ]  # said after that
        resources["bonsai"] = Run(nb, tests, flags)
        return nb, resources


class Writer:
    """The one writer of a course: the gradebook, `autograded/` and `feedback/`."""

    def __init__(self, folder: Path, config: Any, feedback: bool = True):
        self.folder, self.feedback = folder.resolve(), feedback
        self.staging = self.folder / STAGING
        base = course.api(self.folder, config)
        steps = base.coursedir
        self.real = {"autograded": steps.autograded_directory, "feedback": steps.feedback_directory}
        self.coursedir = steps
        grading = copy.deepcopy(config)
        configure(grading)
        grading.CarefulAutograde.careful = False  # what is staged has been taken already
        grading.Autograde.sanitize_preprocessors = []
        grading.Autograde.autograde_preprocessors = [Recorded, SaveStructuredGrades, AssignLatePenalties]
        grading.CourseDirectory.submitted_directory = f"{STAGING}/submitted"
        grading.CourseDirectory.autograded_directory = f"{STAGING}/autograded"
        self.grading = course.api(self.folder, grading)
        paging = copy.deepcopy(config)
        configure(paging)
        paging.CourseDirectory.feedback_directory = f"{STAGING}/feedback"
        self.paging = course.api(self.folder, paging)

    def write(self, student: str, lesson: str, graded: Graded, files: dict[str, bytes]) -> None:
        """Enter a result into the gradebook and put its pages into the course. Done twice, it changes nothing more.

        Raises:
            NotWritten: nbgrader would not take it.
            GraderError: nothing can be written, for example because the disk is full.
        """
        shutil.rmtree(self.staging, ignore_errors=True)
        staged = {**files, f"{lesson}.ipynb": graded.notebook}
        write_files(staged, self.staging / "submitted" / student / lesson)
        done = self.grading.autograde(lesson, student)
        if not graded.notebook:  # as nbgrader does it: the submission is known, and has no scores
            shutil.rmtree(self._place("autograded", student, lesson), ignore_errors=True)
            if "JSON" not in done.get("log", ""):
                raise refused(f"enter {student}'s {lesson}", done)
        elif not done["success"]:
            raise refused(f"write {student}'s {lesson}", done)
        else:
            self._move("autograded", student, lesson)
            if self.feedback:
                self._page(student, lesson, graded.page)
        shutil.rmtree(self.staging, ignore_errors=True)

    def _page(self, student: str, lesson: str, page: bytes) -> None:
        """The worker's page, where it says what nbgrader's would; nbgrader's where a teacher's hand is in it."""
        if page and self._is_plain(student, lesson):
            made = self.staging / "feedback" / student / lesson
            made.mkdir(parents=True)
            (made / f"{lesson}.html").write_bytes(page)
            write_files(files_of(self._place("autograded", student, lesson))[0], made)
        else:
            done = self.paging.generate_feedback(lesson, student)
            if not done["success"]:
                raise refused(f"make {student}'s page of {lesson}", done)
        self._move("feedback", student, lesson)

    def _is_plain(self, student: str, lesson: str) -> bool:
        with self.grading.gradebook as gradebook:
            found = gradebook.find_submission_notebook(lesson, lesson, student)
            by_hand = any(g.manual_score is not None or g.extra_credit for g in found.grades)
            said = any(c.manual_comment for c in found.comments)
            return not (by_hand or said or found.late_submission_penalty)

    def _place(self, step: str, student: str, lesson: str) -> Path:
        return Path(self.coursedir.format_path(self.real[step], student, lesson))

    def _move(self, step: str, student: str, lesson: str) -> None:
        """Put what nbgrader made into the course, each file as a whole, and take away what is no longer there."""
        made, place = self.staging / step / student / lesson, self._place(step, student, lesson)
        place.mkdir(parents=True, exist_ok=True)
        names = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
        for name in sorted(names, key=lambda n: n.suffix == ".ipynb"):  # the notebook last
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            with open(made / name, "rb") as file:
                os.fsync(file.fileno())
            os.replace(made / name, place / name)
        for path in sorted(place.rglob("*"), reverse=True):
            if path.is_file() and path.relative_to(place) not in names:
                path.unlink()
        folder = os.open(place, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def refused(what: str, done: dict[str, Any]) -> Exception:
    """nbgrader's failure: the submission's own, or one that would meet all others too."""
    log = done.get("log", "") + done.get("error", "")
    everyones = re.search(r"disk is full|No space left|read-only|unable to open database|database is locked", log)
    return (GraderError if everyones else NotWritten)(f"nbgrader could not {what}: {reason(done)}")


def reason(done: dict[str, Any]) -> str:
    """The line of nbgrader's log that says why."""
    lines = [line for line in done.get("log", "").splitlines() if "Error" in line and not line.startswith("[ERROR]")]
    return last_line(lines[-1] if lines else done.get("error", ""))


@dataclass(frozen=True)
class Submitted:
    """One student's submission of one lesson, by the hash of its content and of what grades it."""

    student: str
    lesson: str
    content: str
    grader: str


class CourseRun:
    """What a course has to grade.

    Args:
        lessons: names; all that the gradebook knows if there are none.
        force: also what has been graded as it is.
        feedback: whether pages are made.
    Raises:
        CourseError: no such course, or no such lesson in it.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        lessons: Collection[str] = (),
        force: bool = False,
        feedback: bool = True,
        sandbox: str | None = None,
    ):
        config = course.configuration(folder)
        self.folder, self.ledger, self.force, self.feedback = folder.resolve(), ledger, force, feedback
        self.api = course.api(self.folder, config)
        self.writer = Writer(self.folder, config, feedback)
        about = config.SplitExecute
        limits = Limits(**about["limits"]) if "limits" in about else Limits()
        self.settings = Settings(sandbox or about.get("sandbox", "bubblewrap"), limits)
        with self.api.gradebook as gradebook:
            known = sorted(a.name for a in gradebook.assignments)
        self.lessons = [course.named(name, known) for name in lessons] if lessons else known
        self.assignments: dict[str, dict] = {}
        self.odd: set[str] = set()  # sentences about what is left aside
        self.config = config

    def pending(self) -> list[Submitted]:
        """What was handed in and is not in the gradebook as it is, in order of lesson and student."""
        found = []
        for lesson in self.lessons:
            entered = self._entered(lesson)
            for student in sorted(filter(self._is_name, self.api.get_submitted_students(lesson))):
                submitted = self._submitted(student, lesson, self.work(student, lesson))
                there = student in entered and self.ledger.state(*vars(submitted).values()) == "written"
                if self.force or not there:
                    found.append(submitted)
        return found

    def _is_name(self, student: str) -> bool:
        """Whether a folder has a student's name; one that has not is noted."""
        if not is_student(student):
            self.odd.add(f"{student!a} can be no student's name; what is in its folder is not graded.")
        return is_student(student)

    def _entered(self, lesson: str) -> set[str]:
        with self.api.gradebook as gradebook:
            try:
                return {s.student.id for s in gradebook.assignment_submissions(lesson)}
            except MissingEntry:
                return set()

    def _submitted(self, student: str, lesson: str, work: Work) -> Submitted:
        version = self._assignment(lesson)["hash"]
        grader = course.digest([fingerprint(lessons=False).encode(), version.encode(), repr(self.settings).encode()])
        return Submitted(student, lesson, content_hash(work), grader)

    def _assignment(self, lesson: str) -> dict:
        if lesson not in self.assignments:
            self.assignments[lesson] = course.assignment(self.folder, lesson, self.config)
        return self.assignments[lesson]

    def work(self, student: str, lesson: str) -> Work:
        """A submission as it lies in the course now."""
        folder = Path(self.api.coursedir.format_path(self.api.coursedir.submitted_directory, student, lesson))
        found, assignment = handed_in(folder, lesson), self._assignment(lesson)
        return Work(
            mended(os.path.join(student, lesson, f"{lesson}.ipynb")),
            found.notebook,
            found.unreadable,
            lesson,
            student,
            found.files,
            found.remarks,
            assignment,
            self.feedback,
        )

    def grade(
        self, pending: list[Submitted], executor: Executor | None, tick: Callable[[], None] = lambda: None
    ) -> Iterator[Result]:
        """Grade and write; give each result once it is in the gradebook.

        Args:
            executor: None is enough where `needs_grading` says that nothing is to be graded.

        Raises:
            GraderError: nothing more can be graded or written; what was given before is safe.
        """
        new = [one for one in pending if self._is_new(one)]
        for one in pending:
            if one not in new:
                with unbroken(), safe():
                    graded = self.ledger.kept(one.student, one.lesson)
                    self._write(one, graded, self.work(one.student, one.lesson).files)
                yield graded.result
        taken: dict[Submitted, Work] = {}

        def works() -> Iterator[tuple[Submitted, Work]]:
            for one in new:
                work = self.work(one.student, one.lesson)
                one = self._submitted(one.student, one.lesson, work)  # as it is now
                taken[one] = work
                yield one, work

        if executor is None:
            return
        for one, graded in run(executor, works(), tick):
            with unbroken(), safe():
                self.ledger.keep(one.student, one.lesson, one.content, one.grader, graded)
                if graded.result.status != "crashed":
                    self._write(one, graded, taken.pop(one).files)
            yield graded.result

    def folder_of(self, one: Submitted) -> Path:
        steps = self.api.coursedir
        return Path(steps.format_path(steps.submitted_directory, one.student, one.lesson))

    def _is_new(self, one: Submitted) -> bool:
        """Whether there is no result of it yet, or it is to be graded again."""
        return self.ledger.state(one.student, one.lesson, one.content, one.grader) != "graded"

    def needs_grading(self, pending: list[Submitted]) -> int:
        return sum(map(self._is_new, pending))

    def _write(self, one: Submitted, graded: Graded, files: dict[str, bytes]) -> None:
        try:
            self.writer.write(one.student, one.lesson, graded, files)
        except NotWritten as error:  # the result stays in the ledger, and the next run tries again
            graded.result.status = "crashed"
            graded.result.flags.append(f"{error}; the score is kept for the next run.")
        else:
            self.ledger.written(one.student, one.lesson)


@contextmanager
def safe() -> Iterator[None]:
    """A full disk and the like end the run, with one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise GraderError(f"the ledger cannot be written: {error}") from None
    except OSError as error:
        raise GraderError(f"the course cannot be written: {error}") from None
