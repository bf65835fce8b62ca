"""Grades one notebook: the learner's cells in a sandboxed process A, the test cells in a process B outside it.

    with Grader() as grader:
        run = grader.run(notebook, files={"lesson01.py": b"..."}, teacher=sources, helpers=Path("lessons/01_..."))

This process starts both, passes bytes between them without reading them, and watches the clock and the memory. When A
hangs, dies or breaks the protocol it is killed and started again from the top without the cell that did it.
"""

import contextlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.box import wire
from autograder.box import worker as inside
from autograder.box.sandbox import (
    PYTHON,
    ROOT,
    START_S,
    TICK_S,
    TOOLKIT,
    WALL,
    WORK,
    Container,
    ForkServer,
    Gone,
    Limits,
    SandboxMissing,
    Worker,
    begin,
    open_sandbox,
    trusted_server,
)
from autograder.grading import trusted
from autograder.grading.demonstrations import roles
from autograder.grading.handed_in import FILES_BYTES
from autograder.results import Run, TestResult
from autograder.source import kind_of
from autograder.text import printable

REPLY_BYTES = 4 << 20  # of a cell's outputs, and as much again as pictures may take
OUTPUTS = 1000  # of a cell
PICTURES = 20  # of a cell; matplotlib itself warns when so many are open
READ_S = 20  # of processor time, to look through the learner's code for the teacher
SOURCE_BYTES = 5 << 20  # of all code cells; what comes after that is left out
NOT_LENT = "A right one cannot stand in for it here: a model, or a gradient, does not cross between processes."
NOT_RUN = "Not run again: this demonstration is the course's own, unchanged, and nothing that is graded needs it.\n"
# Lessons in which the learner's process sees no test images: what a learner trains at home counts there.
WITHOUT_TEST_IMAGES = {"11_capstone"}
PROGRAMS = (".py", ".pyc", ".so", ".pth", ".zip", ".egg", ".whl", ".ipy")  # files that Python can run
MIME = re.compile(r"[a-z]+/[A-Za-z0-9.+-]+")


class Grader:
    """Keeps the two warm parents; one notebook at a time.

    Args:
        sandbox: bubblewrap, docker, podman or none.
        warm: keep the parents from one notebook to the next.
        lean: the parents import what every lesson needs and no more: for a single notebook.
    """

    def __init__(
        self, sandbox: str = "bubblewrap", limits: Limits | None = None, warm: bool = True, lean: bool = False
    ):
        self.sandbox, self.limits, self.warm, self.lean = sandbox, limits or Limits(), warm, lean
        self._box: ForkServer | Container | None = None
        self._tests: ForkServer | None = None
        self._print: tuple | None = None

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End both parents and all their children."""
        for server in (self._box, self._tests):
            if server is not None:
                server.close()
        self._box = self._tests = None

    def start(self) -> None:
        """Start the parents, or start them again when the toolkit has changed or one has died.

        Raises:
            SandboxMissing: see `open_sandbox`.
        """
        now = fingerprint()
        if self._box is not None and (now != self._print or not self._box.alive or not self._tests_alive()):
            self.close()
        if self._box is None:
            self._box, self._tests = open_sandbox(self.sandbox, self.limits, self.lean), trusted_server()
            self._print = now
            self._box.start()
            self._tests.start()
        assert self._tests is not None
        self._box.ready()
        self._tests.ready()

    def prove(self) -> None:
        """Open a box once, as for a submission, so that a machine that cannot is found before the first one.

        Raises:
            SandboxMissing: it cannot.
        """
        self.start()
        assert self._box is not None
        with tempfile.TemporaryDirectory() as folder:
            try:
                worker = self._box.spawn(self.limits.memory_mb)
                begin(worker, self.sandbox, self.limits, {}, folder if self.sandbox == "none" else WORK, False)
            except Gone as gone:
                raise SandboxMissing(f"no box of {self.sandbox} opens here: the process in it {gone}") from None
            worker.kill()

    def _tests_alive(self) -> bool:
        return self._tests is not None and self._tests.alive

    def run(
        self,
        notebook: NotebookNode,
        files: Mapping[str, bytes] | None = None,
        teacher: Mapping[str, str] | None = None,
        helpers: Path | None = None,
        known: Collection[str] = (),
        demonstrations: Collection[str] = (),
        references: Mapping[str, str] | None = None,
        tell: Callable[[TestResult], None] | None = None,
    ) -> Run:
        """Run a notebook whose locked cells have been restored and hold the hidden tests.

        Args:
            notebook: is not changed; `Run.notebook` is a copy with outputs.
            files: the submission's other files, for the learner's process only.
            teacher: grade_id -> source of the teacher's cells (answers as stubs). Given, nothing else is ever run
                outside the sandbox, whatever the notebook's metadata says; leave it out only for a notebook of yours.
            helpers: the teacher's folder with the lesson's helper files, for the set-up cell outside the sandbox.
            known: texts of the teacher's other code cells, in which nothing is looked for that a teacher should see.
            demonstrations: of these, the texts that nothing depends on but what uses their names: one that is unchanged
                is run only if a cell of the learner needs it (`autograder.grading.demonstrations`).
            tell: is called with the result of each test as soon as it is there.
            references: exercise -> the teacher's answer, for exercises that use an answer which is wrong.

        Raises:
            SandboxMissing: there is no sandbox. What a submission does never raises.
        """
        began = time.monotonic()
        self.start()
        assert self._box is not None and self._tests is not None
        self._tests.learn([*demonstrations, *(teacher or {}).values()])
        if not self.lean and trains(helpers, teacher or {}):
            self._box.learn([json.dumps(inside.TRAINING)])
        with tempfile.TemporaryDirectory() as folder:
            work = folder if self.sandbox == "none" else WORK
            grading = _Grading(self, notebook, dict(files or {}), teacher, helpers, work, began)
            grading.references = dict(references or {})
            grading.known = {words(text) for text in (*known, *(teacher or {}).values())}
            grading.tell = tell
            grading.skip(demonstrations)
            try:
                grading.parts["start"] = time.monotonic() - began
                return grading.run()
            finally:
                grading.close()
                self._box.learn(json.dumps(patterns) for patterns in sorted(grading.locked))
                if not self.warm:
                    self.close()


def trains(helpers: Path | None, teacher: Mapping[str, str]) -> bool:
    """Whether a lesson's answers train something, by its graded cells and its helpers."""
    texts = [*teacher.values(), *(file.read_text("utf-8") for file in (helpers.glob("*.py") if helpers else ()))]
    return any(re.search(r"\boptim\.|\btrain\.|\btorchao\.", text) for text in texts)


def fingerprint() -> tuple:
    """Changes when the toolkit, this grader or Python does."""
    files = [*ROOT.glob("bonsai/**/*.py"), *(ROOT / name for name in TOOLKIT), Path(trusted.__file__), Path(PYTHON)]
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(files) if f.exists())


@dataclass
class _Cell:
    """A code cell: `kind` is setup, answer, plain, test or skipped (a demonstration that nothing needs)."""

    node: NotebookNode
    kind: str
    id: str
    source: str
    left_out: str = ""  # why it is not run again
    failed: str = ""  # how it ended, if with an error
    count: int = 0  # its execution count


class _Grading:
    """One notebook on its way through A and B."""

    def __init__(
        self,
        grader: Grader,
        notebook: NotebookNode,
        files: dict[str, bytes],
        teacher: Mapping[str, str] | None,
        helpers: Path | None,
        work: str,
        began: float,
    ):
        assert grader._box is not None and grader._tests is not None
        self.box, self.server, self.sandbox = grader._box, grader._tests, grader.sandbox
        self.limits, self.teacher, self.work = grader.limits, teacher, work
        self.helpers = str(helpers.resolve()) if helpers else ""
        self.began, self.deadline = began, began + WALL * grader.limits.notebook_s
        self.ended_s = 0.0  # processor time and waiting of processes that have ended
        self.spent_s, self.look_again = 0.0, 0.0  # what was spent at the last look, and when to look again
        self.notebook = nbformat.from_dict(notebook)
        self.run_ = Run(self.notebook)
        self.parts = self.run_.parts
        self.files = self._bounded(files)
        self.decoder_files = {p.name: p.read_bytes() for p in helpers.glob("*.py")} if helpers else {}
        self.cells = self._classify()
        self.a: Worker | None = None
        self.b: Worker | None = None
        self.done: list[_Cell] = []  # what A has run
        self.setups: list[_Cell] = []  # what B has run
        self.restarts = 0
        self.count = 0
        self.second_try = False
        self.seeded: Worker | None = None  # the A whose random state has been set for this test
        self.known: set[str] = set()
        self.tell: Callable[[TestResult], None] | None = None
        self.references: dict[str, str] = {}
        self.lent: dict[str, _Cell] = {}  # what stands for an answer that is wrong: name -> that answer
        self.r: Worker | None = None
        self.unlent = False  # whether a call of the reference lost something on its way
        self.locked = set[tuple[str, ...]]()  # what has been out of order during calls

    # The notebook ------------------------------------------------------------------------------------------------

    def _classify(self) -> list[_Cell]:
        """What each code cell is, by its metadata, which the teacher's sources must confirm."""
        cells, seen, room = [], set(), SOURCE_BYTES
        for node in self.notebook.cells:
            if node.cell_type != "code":
                continue
            node.outputs, node.execution_count = [], None
            room -= len(node.source)
            if room < 0:
                self.flag(f"The code is longer than {SOURCE_BYTES >> 20} MB; what comes after that was left out.")
                continue
            meta = node.metadata.get("nbgrader")
            meta = meta if isinstance(meta, dict) else {}
            name = str(meta.get("grade_id", ""))
            kind = kind_of(meta)
            source = node.source
            if kind != "plain" and self.teacher is not None:
                if name not in self.teacher or name in seen:
                    self.flag(f"A cell calls itself {name!r} but is not the teacher's; it counts as the learner's own.")
                    kind = "plain"
                elif kind in ("setup", "test"):
                    source = self.teacher[name]
            if kind != "plain":
                seen.add(name)
            cells.append(_Cell(node, kind, name, source))
        return cells

    def _bounded(self, files: dict[str, bytes]) -> dict[str, bytes]:
        room, kept = FILES_BYTES, {}
        for name, content in list(files.items())[:1000]:
            room -= len(content)
            if room >= 0:
                kept[name] = content
        if len(kept) < len(files):
            self.flag(f"Only files of up to {FILES_BYTES >> 20} MB in all were taken.")
        return kept

    def flag(self, sentence: str) -> None:
        if (text := printable(sentence)) not in self.run_.flags:
            self.run_.flags.append(text)

    def skip(self, demonstrations: Collection[str]) -> None:
        """Mark the teacher's unchanged demonstrations that nothing in the notebook needs; when in doubt, none."""
        cells = roles(((c.kind, c.source) for c in self.cells), demonstrations)
        if all(role != "demonstration" for role, _ in cells):
            return
        try:
            body = wire.encode({"cells": cells}, limit=1 << 30)
            reply = self._serve(self._bench(), trusted.CHOOSE, body, READ_S)
        except Gone:
            return
        needed = set(wire.decode(reply)["run"])
        for i, cell in enumerate(self.cells):
            if cells[i][0] == "demonstration" and i not in needed:
                cell.kind = "skipped"

    def run(self) -> Run:
        """All cells in order, as if it were one notebook."""
        for cell in self.cells:
            began = time.monotonic()
            if cell.kind == "skipped":
                self.count += 1
                cell.node.outputs = [NotebookNode(output_type="stream", name="stdout", text=NOT_RUN)]
            elif cell.kind == "test":
                self._test(cell)
            else:
                self._learner_cell(cell)
                if cell.kind == "setup":
                    self._setup(cell)
            part = "tests" if cell.kind == "test" else "cells"
            self.parts[part] = self.parts.get(part, 0.0) + time.monotonic() - began
        self._try_with_references()
        self.run_.timed_out = self.over()
        self._look()
        self.run_.seconds = time.monotonic() - self.began
        return self.run_

    def _look(self) -> None:
        """Have the learner's own code read, in the process of the tests, for what the teacher should look at."""
        own = [c for c in self.cells if c.kind in ("answer", "plain") and words(c.source) not in self.known]
        cells = [(sentence(called(c)), c.source) for c in own]
        failed = [sentence(called(c)) for c in own if c.failed or c.left_out]
        for name, content in self.files.items():
            if name.endswith(PROGRAMS) and content != self.decoder_files.get(name):
                if name.endswith(".py"):
                    cells.append((f"The file {name}", content.decode("utf-8", "replace")))
                else:
                    self.flag(f"The file {name} holds code that cannot be looked at.")
        if not cells:
            return
        request = {"cells": cells, "setup": "\n".join(c.source for c in self.setups), "failed": failed}
        try:
            body = wire.encode(request, limit=1 << 30)
            deadline = time.monotonic() + WALL * READ_S
            _, reply = self._bench().request(trusted.READ, body, deadline, seconds=READ_S)
            for remark in wire.decode(reply)["flags"]:
                self.flag(clean(remark))
        except Gone:
            self.flag("The code could not be looked through: it is too long, or nested too deeply.")

    def close(self) -> None:
        for worker in (self.a, self.b, self.r):
            if worker is not None:
                worker.kill()
        if self.sandbox == "none":
            shutil.rmtree(self.work, ignore_errors=True)
            Path(self.work).mkdir(exist_ok=True)

    def until(self, seconds: float) -> float:
        """A deadline by the wall clock for something that may use so many seconds; not later than the notebook's."""
        return min(time.monotonic() + WALL * seconds, self.deadline)

    def left(self, seconds: float) -> float:
        """So many seconds, or what is left of the notebook's."""
        return max(0.1, min(seconds, self.limits.notebook_s - self.spent()))

    def spent(self) -> float:
        """Seconds of processor time, and of waiting, that the submission and its tests have used; looked at only now
        and then, since most calls are shorter than a look."""
        if time.monotonic() >= self.look_again:
            now = [w.cpu() + w.waited_s for w in (self.a, self.b) if w is not None]
            self.spent_s = self.ended_s + sum(now)
            self.look_again = time.monotonic() + TICK_S
        return self.spent_s

    def over(self) -> bool:
        """Whether the notebook's time is over."""
        return self.spent() >= self.limits.notebook_s or time.monotonic() >= self.deadline

    def _serve(
        self,
        worker: Worker,
        kind: int,
        body: bytes,
        seconds: float,
        limit: int = wire.MAX_BYTES,
        lend: Callable[[bytes], bytes] | None = None,
    ) -> bytes:
        """A request that may use so many seconds; its reply.

        Raises:
            Gone: see `Worker.request`.
        """
        return worker.request(kind, body, self.until(seconds), limit, self.left(seconds), lend)[1]

    # Process A ---------------------------------------------------------------------------------------------------

    def _learner_cell(self, cell: _Cell) -> None:
        """Run a cell in A and keep its outputs; one that A does not survive is left out from then on."""
        if not cell.source.strip():
            return
        self.count += 1
        cell.node.execution_count = cell.count = self.count
        try:
            a = self._process()
            outputs, flood = self._run_cell(a, cell)
        except Gone as gone:
            why = self._why(gone, self.limits.cell_s, "a cell")
            if gone.kind != "refused":
                self.flag(f"{sentence(called(cell))} {why} and was left out.")
            cell.left_out = f"was left out: it {why}"
            cell.node.outputs = [error_output("LeftOut", f"This cell {cell.left_out}.")]
        else:
            cell.node.outputs = outputs
            if flood:
                self.flag(f"{sentence(called(cell))} printed more than is kept; the rest was cut.")
            pictures = sum("image/png" in o.get("data", {}) for o in outputs)
            if pictures > PICTURES:
                self.flag(f"{sentence(called(cell))} showed {pictures} pictures.")
        self.done.append(cell)

    def _run_cell(self, a: Worker, cell: _Cell) -> tuple[list[NotebookNode], bool]:
        body = wire.encode((cell.source, called(cell)), limit=1 << 30)
        reply = self._serve(a, inside.CELL, body, self.limits.cell_s, REPLY_BYTES + (self.limits.picture_kb << 11))
        try:
            said = json.loads(reply)
            outputs = list(said["outputs"])
            flood = said["flood"] is True or len(outputs) > OUTPUTS + 1
            cell.failed = failure(cell, said["error"]) if said["error"] else ""
            for setting in said["settings"][:5]:
                if re.fullmatch("[A-Za-z' ]{1,60}", setting):
                    self.flag(f"{sentence(called(cell))} changes {setting}; the tests set it as usual.")
            return [clean_output(o, self.count) for o in outputs[: OUTPUTS + 1]], flood
        except Exception:  # whatever else it is, A sent it
            a.kill()
            raise Gone("protocol", "broke the protocol: its outputs are not what Jupyter's are") from None

    def _process(self) -> Worker:
        """A, started again from the top if it is gone.

        Raises:
            Gone: it could not be brought to where it was.
        """
        while self.a is None or self.a.pidfd < 0:
            if self.over():
                raise Gone("refused", f"was not run: the notebook's {self.limits.notebook_s:.0f} s were over")
            if self.restarts > self.limits.restarts:
                raise Gone(
                    "refused", f"was not run: the process had to be restarted {self.limits.restarts} times already"
                )
            began = time.monotonic()
            if self.a is not None:
                self.ended_s += self.a.cpu_s + self.a.waited_s
            self.a = self._fresh_process(hide_data=False)
            self.restarts += 1
            for cell in self.done:
                try:
                    self._again(self.a, cell)
                except Gone as gone:
                    cell.left_out = f"was left out: it {self._why(gone, self.limits.cell_s, 'a cell')}"
                    self.flag(f"{sentence(called(cell))} {cell.left_out}.")
                    break
            self.parts["restarts"] = self.parts.get("restarts", 0.0) + time.monotonic() - began
        return self.a

    def _again(self, a: Worker, cell: _Cell) -> None:
        if cell.left_out:
            request = wire.encode((names_in(cell), f"{called(cell)} {cell.left_out}"))
            self._serve(a, inside.LEAVE_OUT, request, self.limits.cell_s, REPLY_BYTES)
        else:
            self._run_cell(a, cell)

    def _fresh_process(self, hide_data: bool) -> Worker:
        worker = self._spawn(self.box)
        files = self.decoder_files if hide_data else self.files
        without = Path(self.helpers).name in WITHOUT_TEST_IMAGES
        begin(worker, self.sandbox, self.limits, files, self.work, hide_data, without)
        setups = [c.source for c in self.cells if c.kind == "setup"]
        self._serve(worker, inside.KEEP, wire.encode((setups,), limit=1 << 30), self.limits.cell_s, REPLY_BYTES)
        return worker

    def _spawn(self, server: ForkServer | Container) -> Worker:
        try:
            return server.spawn(self.limits.memory_mb)
        except SandboxMissing:  # it was there when this notebook began
            self.flag("A parent process of the grader did not answer and was started again.")
            server.stop()
            server.start()
            return server.spawn(self.limits.memory_mb)

    def _decoder_process(self, code: str) -> Worker:
        """A': the set-up and the learner's `code`, without data, and without anything that A did."""
        worker = self._fresh_process(hide_data=True)
        try:
            for source in (*(c.source for c in self.setups), code):
                request = wire.encode((source,), limit=1 << 30)
                self._serve(worker, inside.DEFINE, request, self.limits.cell_s, REPLY_BYTES)
            if self.lent:
                self._replace(worker, list(self.lent))
        except Gone:
            self._end(worker)
            raise
        return worker

    # Another's mistake -------------------------------------------------------------------------------------------

    def _try_with_references(self) -> None:
        """Test an answer again that failed, and that uses another one which is wrong: with the reference in its place.

        The references run in a third process, in a sandbox of its own. The learner's process calls them through this
        one, with plain data, and only after all tests have run: it never holds their code, nor can it use their results
        for their own points.
        """
        failed = {test.exercise: test for test in self.run_.tests if not test.passed}
        answers = {c.id: c for c in self.done if c.kind == "answer"}
        for cell in [c for c in self.cells if c.kind == "test" and c.id.removeprefix("test_") in failed]:
            test = failed[cell.id.removeprefix("test_")]
            answer = answers.get(test.exercise)
            if answer is None or answer.left_out or answer.failed or test.message == "not answered yet":
                continue
            self.lent = self._wrong_below(answer, [answers[e] for e in failed if e in answers and e != test.exercise])
            if self.lent and not self.over():
                self._try_again(cell, test)
        self.lent = {}

    def _wrong_below(self, answer: _Cell, wrong: list[_Cell]) -> dict[str, _Cell]:
        """The functions of wrong answers that an answer uses, directly or through helpers; none if one is a class."""
        homes = {name: c for c in self.done if c.kind == "plain" and not c.left_out for name in names_in(c)}
        lost = {name: c for c in wrong if c.id in self.references for name in names_in(c)}
        lost |= {c.id: c for c in wrong if c.id in self.references}
        todo, seen, found = [answer], {id(answer)}, dict[str, _Cell]()
        for cell in todo:  # grows while we walk
            for word in set(re.findall(r"\w+", cell.source)):
                if word in lost:
                    found[word] = lost[word]
                elif word in homes and id(homes[word]) not in seen:
                    seen.add(id(homes[word]))
                    todo.append(homes[word])
        kinds = [self.references[c.id] for c in found.values()]
        functions = {name for text in kinds for name in re.findall(r"^def\s+(\w+)", text, flags=re.M)}
        return found if set(found) <= functions else {}

    def _try_again(self, cell: _Cell, test: TestResult) -> None:
        """Run one test with the references in the place of `self.lent`, and give the points if it passes."""
        others = " and ".join(dict.fromkeys(c.id for c in self.lent.values()))
        self.unlent = False
        if self.a is not None:
            self._end(self.a)
        above = self.cells[: self.cells.index(cell)]
        borrowers = {id(c) for c in self.lent.values()}
        points, message = test.points, test.message
        try:
            self.a = self._fresh_process(hide_data=False)
            for one in [
                c for c in self.done if c in above and (c.kind != "plain" or words(c.source) not in self.known)
            ]:
                if id(one) not in borrowers:
                    self._again(self.a, one)
                else:
                    self._replace(self.a, [name for name, c in self.lent.items() if c is one])
            said, gone = self._attempt(cell)
        except Gone:
            return
        if said["passed"] is True:
            test.passed, test.points, test.hidden = True, test.max_points * said["share"], False
            test.message = f"passed with a right {others} in the place of yours, which it uses"
            self.run_.measured.update(said["measured"])
            cell.node.outputs = [NotebookNode(output_type="stream", name="stdout", text=f"✓ {test.message}\n")]
        elif gone is None:
            test.points = max(test.points, round(test.max_points * said["share"], 2))
            said["message"] = printable(clean(said["message"]))
            if self.unlent:
                test.message += f"\nIt uses {others}, which is wrong: look there first. {NOT_LENT}"
            else:
                test.message, test.hidden = (
                    f"with a right {others} in the place of yours: {said['message']}",
                    said["hidden"],
                )
            cell.node.outputs = [*cell.node.outputs[:-1], error_output("CheckFailed", test.message)]
        is_new = self.unlent or (test.points, said["message"]) != (points, message)
        if self.tell is not None and is_new:  # else it was told
            self.tell(test)

    def _replace(self, worker: Worker, names: list[str]) -> None:
        self._serve(worker, inside.REPLACE, wire.encode((names,)), self.limits.cell_s, REPLY_BYTES)

    def _lend(self, body: bytes) -> bytes:
        """The reply of the reference to a call of the learner's process; an empty one says what `borrow` says there.

        Raises:
            Gone: the reference could not stand what it was given.
        """
        if not body:
            self.unlent = True
            return wire.encode(("error", {"bases": ["TypeError"], "message": NOT_LENT}))
        if self.r is None or self.r.pidfd < 0:
            self.r = self._fresh_process(hide_data=False)
            for cell in self.setups:
                self._run_cell(self.r, cell)
            for source in self.references.values():
                request = wire.encode((source, "the reference"), limit=1 << 30)
                self._serve(self.r, inside.CELL, request, self.limits.cell_s, REPLY_BYTES)
        return self._serve(self.r, inside.CALL, body, self.limits.call_s)

    def _end(self, worker: Worker) -> None:
        """End a process, and keep account of what it used."""
        worker.kill()
        self.ended_s += worker.cpu_s + worker.waited_s

    def _why(self, gone: Gone, seconds: float, what: str) -> str:
        """How something was lost, as the end of a sentence; `what` may use so many seconds."""
        if gone.kind not in ("timeout", "cpu", "idle"):
            return str(gone)
        if self.over():
            return f"{gone}; the notebook's {self.limits.notebook_s:.0f} s were over"
        return f"{gone}; {what} may take {seconds:.0f} s"

    # Process B ---------------------------------------------------------------------------------------------------

    def _bench(self) -> Worker:
        """B, with the set-up cells that came so far."""
        if self.b is None or self.b.pidfd < 0:
            if self.b is not None:
                self.ended_s += self.b.cpu_s + self.b.waited_s
            self.b = self._spawn(self.server)
            stubs = [source for c in self.cells if c.kind == "answer" and (source := (self.teacher or {}).get(c.id))]
            cells = [c for c in self.cells if c.kind != "test"]
            setups = [i for i, c in enumerate(cells) if c.kind == "setup"]
            sources = [c.node.source for c in cells]
            request = {"cells": sources, "setups": setups, "stubs": stubs, "helpers": self.helpers}
            self.b.request(trusted.BEGIN, wire.encode(request, strict=True), time.monotonic() + START_S)
            for cell in self.setups:
                self._setup_in(self.b, cell)
        return self.b

    def _setup(self, cell: _Cell) -> None:
        self.setups.append(cell)
        if self.b is not None and self.b.pidfd >= 0:
            with contextlib.suppress(Gone):  # the next test starts it again, and says so
                self._setup_in(self.b, cell)

    def _setup_in(self, b: Worker, cell: _Cell) -> None:
        request = wire.encode({"name": cell.id, "source": cell.source}, limit=1 << 30)
        reply = self._serve(b, trusted.SETUP, request, self.limits.cell_s)
        if failed := wire.decode(reply)["failed"]:
            self.flag(f"The set-up cell {cell.id} failed in the grader: {clean(failed)}")

    def _test(self, cell: _Cell) -> None:
        """Run a test cell in B. When A dies in it, a second try shows whether the exercise was to blame."""
        began = time.monotonic()
        self.count += 1
        cell.node.execution_count = self.count
        self.second_try, self.seeded = False, None
        said, gone = self._attempt(cell)
        if gone is not None and gone.kind in ("ended", "protocol"):  # perhaps the work of another exercise's thread
            self.flag(f"{cell.id}: {clean(said['message'])}; tried once more in a new process.")
            self.second_try = True
            said, gone = self._attempt(cell)
        if gone is not None and gone.kind != "refused":
            self.flag(f"{cell.id}: {clean(said['message'])}.")
        for remark in said["flags"]:
            self.flag(clean(remark))
        points = points_of(cell.node.metadata.nbgrader)
        passed = said["passed"] is True
        message = printable(clean(said["message"]))
        exercise = cell.id.removeprefix("test_")
        seconds = time.monotonic() - began
        result = TestResult(
            cell.id,
            exercise,
            round(points * said["share"], 2),
            points,
            passed,
            message,
            seconds,
            said["hidden"],
        )
        self.run_.tests.append(result)
        if self.tell is not None:
            self.tell(result)
        self.run_.measured.update(said["measured"])
        outputs = []
        if said["printed"]:
            outputs.append(NotebookNode(output_type="stream", name="stdout", text=clean(said["printed"])))
        if not passed:
            outputs.append(error_output("CheckFailed", message))
        cell.node.outputs = outputs

    def _attempt(self, cell: _Cell) -> tuple[dict[str, Any], Gone | None]:
        """What B says of a test cell; and how A was lost in it, if it was."""
        said = {
            "passed": False,
            "message": "",
            "printed": "",
            "hidden": False,
            "measured": {},
            "share": 0.0,
        }
        said["flags"] = []
        if self.over():
            over = f"not run: the notebook's {self.limits.notebook_s:.0f} s were over"
            return said | {"message": over}, Gone("refused", over)
        deadline, began = self.until(self.limits.test_s), self.spent()
        try:
            b = self._bench()
            b._number += 1
            above = sum(c.kind != "test" for c in self.cells[: self.cells.index(cell)])
            failed = {name: c.failed for c in self.done if c.failed for name in (*names_in(c), *variables_in(c))}
            request = {"name": cell.id, "source": cell.source, "above": above, "failed": failed}
            b.send(trusted.TEST, wire.encode(request, limit=1 << 30), deadline)
            gone: Gone | None = None
            while True:
                b._wait_for_reply(deadline, self.left(self.limits.test_s - (self.spent() - began)))
                kind, _, body = b.channel.receive(3 * wire.MAX_BYTES, deadline)
                if kind == trusted.RESULT:
                    break
                answer, reply, gone = self._ask(cell, body)
                b.channel.send(answer, 0, reply, deadline)
            said = wire.decode(body)
        except (TimeoutError, Gone) as error:
            late = self.over()
            self._end_bench()
            if isinstance(error, Gone) and error.kind not in ("cpu", "idle"):
                self.flag(f"{cell.id} ended the process that runs the tests; it counts as failed.")
                return said | {"message": "what your function returned was too much for the test"}, None
            what = f"the test with its calls took more than {self.limits.test_s:.0f} s of processor time"
            if late:
                what = f"the test did not end before the notebook's {self.limits.notebook_s:.0f} s were over"
            self.flag(f"{cell.id}: {what}.")
            return said | {"message": what}, None
        except (EOFError, OSError, wire.WireError):
            self._end_bench()
            self.flag(f"{cell.id} ended the process that runs the tests; it counts as failed.")
            return said | {"message": "what your function returned was too much for the test"}, None
        if said["malformed"] and self.a is not None:
            self.a.kill()
            self.flag(f"{cell.id}: the answer's process broke the protocol: it sent something that is not plain data.")
            if (blamed := self._culprit(cell, "")) is not None:
                blamed.left_out = "was left out: it broke the protocol"
        return said, gone

    def _end_bench(self) -> None:
        if self.b is not None:
            self.b.kill()

    def _ask(self, cell: _Cell, body: bytes) -> tuple[int, bytes, Gone | None]:
        """Pass one question on to A, or to a new A', and its answer back. While A' lives, A is stopped."""
        name, kind, code, locked, inner = wire.decode(body)
        self.locked |= {locked} if locked else set()
        fresh = code is not None
        try:
            lend = self._lend if self.lent else None
            if not fresh:
                a = self._process()
                if self.seeded is not a:
                    self._serve(a, inside.SEED, wire.encode(()), self.limits.call_s)
                    self.seeded = a
                return trusted.ANSWER, self._serve(a, kind, inner, self.limits.call_s, lend=lend), None
            with self.a.stopped() if self.a else contextlib.nullcontext():
                worker = self._decoder_process(code)
                try:
                    reply = self._serve(worker, kind, inner, self.limits.call_s, lend=lend)
                finally:
                    self._end(worker)
            return trusted.ANSWER, reply, None
        except Gone as gone:
            why = self._why(gone, self.limits.call_s, "one call")
            blamed = self._culprit(cell, name)
            if gone.kind == "refused":
                return trusted.LOST, f"not run: {why}".replace("not run: was not run", "not run").encode(), gone
            slow = gone.kind in ("timeout", "cpu", "idle", "memory")
            if blamed is not None and not fresh and (slow or self.second_try):
                blamed.left_out = f"was left out: {name} {why}"
            return trusted.LOST, f"{name} {why}".encode(), gone

    def _culprit(self, cell: _Cell, name: str) -> _Cell | None:
        """The cell to leave out when a call does not come back: the one that defines it, else the tested answer."""
        own = [c for c in self.done if c.kind == "answer" and c.id == cell.id.removeprefix("test_")]
        defining = [c for c in self.done if c.kind in ("answer", "plain") and name in names_in(c)]
        found = defining or own
        return found[-1] if found else None


def points_of(meta: Mapping[str, Any]) -> float:
    try:
        return float(meta.get("points", 0))
    except (TypeError, ValueError):
        return 0.0


def names_in(cell: _Cell) -> list[str]:
    """Functions and classes at the top of a cell. By pattern: this process does not parse a learner's code."""
    found = re.findall(r"^(?:async\s+)?(?:def|class)\s+(\w+)", cell.source, flags=re.M)
    return found or ([cell.id] if cell.kind == "answer" else [])


def variables_in(cell: _Cell) -> list[str]:
    """Names that a line at the top of a cell gives a value or imports, by pattern."""
    imported = re.findall(r"^(?:from\s+\S+\s+)?import\s+(.+)", cell.source, flags=re.M)
    assigned = re.findall(r"^(\w+)\s*(?::[^=]+)?=(?!=)", cell.source, flags=re.M)
    return assigned + [name for line in imported for name in re.findall(r"(\w+)\s*(?:,|$|#)", line)]


def called(cell: _Cell) -> str:
    """What a reader finds a cell by: its exercise, or its first line."""
    if cell.kind in ("answer", "setup"):
        return f"the answer to {cell.id}" if cell.kind == "answer" else "the set-up cell"
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return f"the cell that begins with {clean(first)[:40]!r}"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def failure(cell: _Cell, error: Mapping[str, Any]) -> str:
    """How a cell of the learner's ended, for those who miss what it defines.

    Raises:
        KeyError, TypeError: `error` is not what `worker.describe` gives.
    """
    first = clean(error["message"]).strip().partition("\n")[0][:200]
    lines = [clean(line)[:300] for line in list(error["traceback"])[-1:]]
    return "\n".join([f"{called(cell)} failed: {clean(error['type'])[:60]}: {first}", *lines])


def words(source: str) -> str:
    """A text whose blank space does not matter."""
    return " ".join(source.split())


def clean(text: Any) -> str:
    """Text that can be written to a file: no half characters, no control characters but line ends."""
    text = str(text).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b-\x0d\x0e-\x1a\x1c-\x1f]", "", text)


def clean_output(said: Mapping[str, Any], count: int) -> NotebookNode:
    """One output of A, with the parts that nbformat knows and no others.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else.
    """
    kind = said["output_type"]
    if kind == "stream":
        name = "stderr" if said["name"] == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=clean(said["text"]))
    if kind == "error":
        lines = [clean(line) for line in said["traceback"][:100]]
        return error_output(clean(said["ename"]), clean(said["evalue"]), lines)
    if kind not in ("execute_result", "display_data"):
        raise ValueError("an output of no known kind")
    data = {key: clean_data(key, value) for key, value in said["data"].items() if MIME.fullmatch(key)}
    output = NotebookNode(output_type=kind, data=NotebookNode(data), metadata=NotebookNode())
    if kind == "execute_result":
        output["execution_count"] = count
    return output


def clean_data(kind: str, value: Any) -> Any:
    if kind.endswith("json"):
        return json.loads(clean(json.dumps(value)))
    if not isinstance(value, str):
        raise TypeError("data that is not text")
    return clean(value)


def error_output(name: str, message: str, lines: list[str] | None = None) -> NotebookNode:
    """An error as nbformat has it. A failed check is shown as its message, then the learner's own lines."""
    shown = [f"✗ {message}", *(lines or [])] if name in ("CheckFailed", "LeftOut") else lines or [f"{name}: {message}"]
    return NotebookNode(output_type="error", ename=name, evalue=message, traceback=shown)
