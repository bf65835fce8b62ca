"""nbgrader's own steps that touch a submission's folder, so that they touch only what `handed_in` takes of it.

`careful(c)` puts them into nbgrader's place, for its commands and the formgrader.
"""

import contextlib
import os
import re
import tempfile
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import api, autogradeapp
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.exchange.default import ExchangeCollect
from traitlets import Bool

from autograder.grading.handed_in import (
    FILES_BYTES,
    MAX_FILE_BYTES,
    HandedIn,
    Unreadable,
    files_of,
    handed_in,
    is_student,
    parsed_apart,
    write_files,
)

USERNAME = re.compile(r"(?!\.+$)[\w.@ +-]{1,100}")


class CarefulAutograde(Autograde):
    """nbgrader's autograde step over a copy of each submission, which holds what is taken of it and nothing else."""

    careful = Bool(False, help="Whether submissions are copied before anything else looks at them.").tag(config=True)
    _copy = ""

    @property
    def _input_directory(self) -> str:
        return self._copy if self._copy and self._sanitizing else super()._input_directory

    def convert_notebooks(self) -> None:
        if not self.careful:
            return super().convert_notebooks()
        pattern = self._format_source("(?P<lesson>.*)", "(?P<student>.*)", escape=True)
        failed = []
        for folder in sorted(self.assignments):
            if named := re.match(pattern, folder):
                student = named["student"]
                if not (is_student(student) and self._one(Path(folder), named["lesson"], student)):
                    failed.append(ascii(student))
        if failed:
            self.log.error("There was an error processing the submissions of %s", ", ".join(failed))
            raise NbGraderException(f"some submissions could not be graded: {', '.join(failed)}")

    def _one(self, folder: Path, lesson: str, student: str) -> bool:
        """Grade one submission; whether it could be."""
        root = Path(self.coursedir.root) / ".bonsai"
        root.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="taken-", dir=root) as copy:
            self._copy = os.path.relpath(copy, self.coursedir.root)
            try:
                why = self._take(folder, Path(self._format_source(lesson, student)), lesson)
                if why:
                    self.notebooks: list[str] = []
                    if self.init_destination(lesson, student):
                        self._enter(lesson, student)
                        self.log.error("%s, %s: %s", student, lesson, why)
                    return False
                target = self._format_source(lesson, student)
                notebooks = [str(path) for path in Path(target).glob("*.ipynb")]
                self.assignments = {target: [n for n in notebooks if self._wanted(n)]}
                super().convert_notebooks()
            except NbGraderException:
                return False
            finally:
                self._copy = ""
        return True

    def _wanted(self, notebook: str) -> bool:
        return fnmatchcase(Path(notebook).stem, self.coursedir.notebook_id)

    def _take(self, folder: Path, target: Path, lesson: str) -> str:
        """Copy what is taken of a submission; why it cannot be graded, or ""."""
        target.mkdir(parents=True)
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                names = [n.name for n in gradebook.find_assignment(lesson).notebooks]
            except MissingEntry:
                names = [lesson]
        for number, name in enumerate(names):
            taken = handed_in(folder, name)
            if number == 0:
                write_files(taken.files, target)
            try:
                write_notebook(taken, target / f"{name}.ipynb", taken.remarks if number == 0 else [])
            except Unreadable as error:
                return str(error)
        return ""

    def _enter(self, lesson: str, student: str) -> None:
        """Note in the gradebook that something was handed in; it has no scores."""
        timestamp = self.coursedir.get_existing_timestamp(self._format_source(lesson, student))
        about = {"timestamp": timestamp} if timestamp else {}
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook, contextlib.suppress(MissingEntry):
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(lesson, student, **about)


def write_notebook(taken: HandedIn, path: Path, remarks: list[str]) -> None:
    """Write a notebook as it was read.

    Raises:
        Unreadable: it could not be read.
    """
    if taken.unreadable:
        raise Unreadable(taken.unreadable)
    notebook = parsed_apart(taken.notebook)
    notebook.metadata["bonsai_remarks"] = remarks
    nbformat.write(notebook, path)


class CarefulCollect(ExchangeCollect):
    """nbgrader's collecting from the exchange, where learners write: regular files within bounds, and no name that
    leads elsewhere or stops the others."""

    def _path_to_record(self, path: str) -> dict[str, Any]:
        record: dict[str, Any] = {"username": "", "filename": "", "timestamp": datetime.min}
        name = os.path.basename(path)
        if name.count("+") >= 2 and USERNAME.fullmatch(name.rsplit("+", 3)[0]):
            with contextlib.suppress(Exception):  # a time that is none
                record = super()._path_to_record(path)
        if not record["username"] or os.path.islink(path) or not os.path.isdir(path):
            self.log.error("%r is no submission; it is not collected", name)
            record["username"] = ""
        return record

    def copy_files(self) -> None:
        self.src_records: list[dict[str, Any]] = [r for r in vars(self)["src_records"] if r["username"]]
        super().copy_files()

    def do_copy(self, src: str, dest: str, log: object = None) -> None:
        most = min(1000 * self.coursedir.max_dir_size, FILES_BYTES + MAX_FILE_BYTES)
        files, refused = files_of(Path(src), notebooks=True, most=most)
        for sentence in refused:
            self.log.warning("%s: %s", src, sentence)
        Path(dest).mkdir(parents=True)
        write_files(files, Path(dest))


def careful(c: Any) -> None:
    """Let nbgrader's configuration object, its commands and the formgrader use these steps."""
    c.CarefulAutograde.careful = True
    c.ExchangeFactory.collect = CarefulCollect
    api.Autograde = autogradeapp.Autograde = CarefulAutograde  # nbgrader names the class there, and nowhere else
