"""Grades on arrival: waits for submissions in a course's folder or in nbgrader's exchange, for as long as a term lasts.

What has been graded, and how often someone has tried, is in the ledger, so a restart forgets nothing. A course is held
only while something is graded: a teacher can grade, regrade and mark by hand beside it.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from watchfiles import watch as changes_in

from autograder import course
from autograder.classes.executor import Executor, GraderError, fingerprint, open_executor
from autograder.classes.gradebook import CourseRun, Submitted
from autograder.classes.ledger import CourseLocked, Ledger, lock
from autograder.classes.progress import Stopped
from autograder.grading.grade import Result
from autograder.grading.steps import CarefulCollect

DAY_S = 86_400.0


@dataclass(frozen=True)
class Rules:
    """How often a learner may have a lesson graded, and how the watch behaves."""

    cooldown_s: float = 300.0  # between two attempts of one learner at one lesson
    attempts: int = 10  # of one learner at one lesson in 24 hours
    poll_s: float = 2.0
    settle_s: float = 2.0  # a submission that was changed more recently may still be on its way
    rescan_s: float = 600.0  # everything is looked at again after that, whatever the changes said
    again_s: float = 60.0  # after trouble of ours: a full disk, a course that someone else holds
    idle_s: float = 600.0  # the warm workers are ended when nothing has come for so long


@dataclass
class Watch:
    """A course that is watched.

    Args:
        exchange: collect from nbgrader's exchange, and release the feedback there; else only look at `submitted/`.
        say: gets a sentence now and then.
    """

    folder: Path
    exchange: bool = False
    rules: Rules = field(default_factory=Rules)
    sandbox: str | None = None
    workers: int = 0
    scheduler: str | None = None
    say: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        config = course.configuration(self.folder)
        if self.exchange:
            config.ExchangeFactory.collect = CarefulCollect
        self.api = course.api(self.folder, config)
        steps = self.api.coursedir
        self.place = Path(steps.format_path(steps.submitted_directory, "", "").rstrip("/"))
        if self.exchange:
            self.place = Path(self.api.exchange_root) / steps.course_id / "inbound"
            if self.api.exchange_missing or not self.place.is_dir():
                raise course.CourseError(f"the exchange has no folder {self.place}; release an assignment first")
        self.place.mkdir(parents=True, exist_ok=True)
        self.code = fingerprint()
        self.stop, self.signal = threading.Event(), signal.SIGTERM
        self.later: dict[tuple[str, str], float] = {}  # who has to wait, until when
        self.told: dict[tuple[str, str], str] = {}  # the submission that someone was told to wait for
        self.odd: set[str] = set()  # what was said of folders that are no student's
        self.executor: Executor | None = None
        self.last = time.monotonic()  # that something was graded

    def run(self) -> Iterator[Result]:
        """Grade what comes, until SIGTERM or Ctrl-C.

        Raises:
            Stopped: the signal came.
            GraderError: nothing can be graded: at the start, or because the code on the disk is another one now.
        """
        with self._signals(), ExitStack() as stack:
            stack.callback(self._end_executor)
            for _ in self._looks():
                if fingerprint.__wrapped__() != self.code:
                    raise GraderError("the course's code has changed on the disk; start the watch again")
                try:
                    yield from self._batch()
                except (GraderError, CourseLocked, course.CourseError, OSError) as trouble:
                    self.say(f"{trouble}; trying again in {self.rules.again_s:.0f} s")
                    self._end_executor()
                    self.later[("", "")] = time.time() + self.rules.again_s
                if time.monotonic() - self.last > self.rules.idle_s:
                    self._end_executor()
        raise Stopped(self.signal)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(number: int, frame: object) -> None:
            self.signal = signal.Signals(number)
            self.stop.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _looks(self) -> Iterator[None]:
        """Come back when something has changed, when someone's waiting is over, and now and then in any case."""
        looked = float("-inf")  # the first look comes when changes are already being noted: none falls in between
        options: dict = {
            "force_polling": True,
            "poll_delay_ms": int(self.rules.poll_s * 1000),
            "yield_on_timeout": True,
        }
        options |= {"debounce": 500, "rust_timeout": 500, "watch_filter": None, "ignore_permission_denied": True}
        for changes in changes_in(self.place, stop_event=self.stop, **options):
            due = any(until <= time.time() for until in self.later.values())
            if changes or due or time.monotonic() - looked > self.rules.rescan_s:
                looked = time.monotonic()
                yield

    def _batch(self) -> Iterator[Result]:
        """Grade all that is there and may be graded now."""
        self.later.clear()
        if self.exchange:
            self._collect()
        with lock(self.folder), Ledger(self.folder) as ledger:
            run = CourseRun(self.folder, ledger, sandbox=self.sandbox)
            pending = run.pending()
            for sentence in sorted(run.odd - self.odd):
                self.say(sentence)
            self.odd |= run.odd
            ready = [one for one in pending if self._may_go(one, run, ledger)]
            if run.needs_grading(ready) and self.executor is None:
                self.executor = open_executor(run.settings, self.workers, self.scheduler)
                self.executor.start()
            for one in ready:
                if run.needs_grading([one]):
                    ledger.attempt(one.student, one.lesson)
            for result in run.grade(ready, self.executor, self._tick):
                self.last = time.monotonic()
                if self.exchange and result.status in ("graded", "timeout"):
                    self._release(str(result.student), str(result.lesson))
                yield result
                self._tick()

    def _collect(self) -> None:
        with self.api.gradebook as gradebook:
            lessons = sorted(a.name for a in gradebook.assignments)
        for lesson in lessons:
            if any(self.place.glob(f"*+{lesson}+*")):
                done = self.api.collect(lesson, update=True)
                if not done["success"]:
                    self.say(f"nbgrader could not collect {lesson}: {done.get('error', '').strip().splitlines()[-1:]}")

    def _release(self, student: str, lesson: str) -> None:
        done = self.api.release_feedback(lesson, student)
        if not done["success"]:
            self.say(f"nbgrader could not release the feedback of {student} on {lesson}")

    def _may_go(self, one: Submitted, run: CourseRun, ledger: Ledger) -> bool:
        """Whether a submission has arrived as a whole, and its learner may try again; else it waits."""
        now, who = time.time(), (one.student, one.lesson)
        tries = ledger.attempts(one.student, one.lesson, now - DAY_S)
        if run.needs_grading([one]) and tries:
            until = tries[-1] + self.rules.cooldown_s
            if len(tries) >= self.rules.attempts:
                until = max(until, tries[-self.rules.attempts] + DAY_S)
            if until > now:
                self.later[who] = until
                if self.told.get(who) != one.content:
                    self.told[who] = one.content
                    at = datetime.fromtimestamp(until).strftime("%Y-%m-%d %H:%M:%S")
                    self.say(f"{one.student} has tried {one.lesson} {len(tries)} times today; the next is at {at}")
                return False
        folder = run.folder_of(one)
        changed = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        if now - self.rules.settle_s < changed <= now:
            self.later[who] = changed + self.rules.settle_s
            return False
        return True

    def _tick(self) -> None:
        if self.stop.is_set():
            raise Stopped(self.signal)

    def _end_executor(self) -> None:
        executor, self.executor = self.executor, None
        if executor is not None:
            executor.close()
