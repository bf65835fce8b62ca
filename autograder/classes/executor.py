"""Grades many submissions, on this machine's cores or on a cluster.

    with Local(Settings(), workers=2) as executor:
        for key, graded in run(executor, {"ada": work_of(path)}.items()): ...

Each submission is graded by a process of ours (`serve`) that keeps two warm parents, one of them sandboxed. A `Slot`
holds such a process and replaces it when it dies. `Local` has a slot for each worker; on a cluster each worker of
Dask's has its own, so that no submission ever runs in, or ends, a process that others use.
"""

import contextlib
import logging
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from autograder.box import wire
from autograder.box.sandbox import WALL, Limits, SandboxMissing
from autograder.course import CourseError, digest
from autograder.grading.grade import Graded, Result, Work, tests_of
from autograder.source import ROOT, find_source

MESSAGE_BYTES = 256 << 20  # of a submission with its files, or of its result
START_S = 300.0  # until a worker has imported everything, on a slow disk and a busy machine
SLACK_S = 180.0  # that a worker may take beyond the notebook's own limit, for nbgrader and the pages
TRIES = 2

Key = TypeVar("Key")


class GraderError(RuntimeError):
    """Nothing can be graded here, through no fault of a submission; the message is one sentence."""


@dataclass(frozen=True)
class Settings:
    """What all submissions of a run have in common."""

    sandbox: str = "bubblewrap"
    limits: Limits = field(default_factory=Limits)


# What crosses ----------------------------------------------------------------------------------------------------


def pack(value: Any) -> bytes:
    """Plain data as bytes, for our own processes."""
    return wire.encode(value, strict=True, limit=MESSAGE_BYTES)


def packed(work: Work) -> bytes:
    """A work item. What it holds is plain data, so any machine can read it."""
    return pack({k: getattr(work, k) for k in Work.__dataclass_fields__})


def unpacked(body: bytes) -> Work:
    return Work(**wire.decode(body))


def packed_result(graded: Graded) -> bytes:
    return pack({"result": asdict(graded.result), "notebook": graded.notebook, "page": graded.page})


def unpacked_result(body: bytes) -> Graded:
    """A result, or the error that a worker met.

    Raises:
        GraderError: the worker cannot grade.
    """
    said = wire.decode(body)
    if "error" in said:
        raise GraderError(said["error"])
    return Graded(Result(**said["result"]), said["notebook"], said["page"])


GRADER = (
    *("bonsai/**/*.py", "autograder/box/*.py", "autograder/grading/*.py", "data/*.json"),
    *("autograder/course.py", "autograder/results.py"),
)
LESSONS = ("solutions/*.py", "lessons/*/*.py", "autograder/source.py")


@cache
def fingerprint(lessons: bool = True) -> str:
    """A hash of what decides a score: toolkit, grader, data, versions; and the lessons, where no course has its own.

    Two checkouts with the same one give the same scores.
    """
    patterns = GRADER + LESSONS if lessons else GRADER
    files = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
    parts = [part for f in files for part in (str(f.relative_to(ROOT)).encode(), f.read_bytes())]
    versions = [f"{name} {version(name).partition('+')[0]}".encode() for name in ("torch", "numpy", "nbgrader")]
    return digest([*parts, *versions, str(sys.version_info[:2]).encode()])


# The process that grades -----------------------------------------------------------------------------------------


def serve(connection: Connection) -> None:
    """Grade what comes, one submission after another, until the other side is gone."""
    from autograder.grading.grade import GradingCourse

    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    folders: list[Path] = []  # what we must not leave behind

    def read() -> None:  # the end of the other side ends us in the middle of a submission too
        with contextlib.suppress(EOFError, OSError):
            while True:
                inbox.put(connection.recv_bytes())
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    said = wire.decode(inbox.get())
    if said["fingerprint"] != fingerprint():
        connection.send_bytes(pack({"error": difference(said["fingerprint"], fingerprint())}))
        return
    try:
        with GradingCourse(said["sandbox"], Limits(**said["limits"])) as course:
            folders.append(course.folder)
            course.grader.prove()
            connection.send_bytes(pack({"folder": str(course.folder)}))
            while True:
                connection.send_bytes(packed_result(course.grade(unpacked(inbox.get()))))
    except (SandboxMissing, CourseError, ValueError, OSError) as error:
        connection.send_bytes(pack({"error": str(error)}))


def difference(theirs: str, ours: str) -> str:
    host = socket.gethostname()
    return (
        f"the checkout on {host} is another one (toolkit, lessons or grader: {ours[:12]}, not {theirs[:12]}); "
        "bring both to the same version"
    )


class Slot:
    """A place for one submission at a time: a process of the grader, replaced when it dies."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.process: subprocess.Popen | None = None
        self.connection: Connection | None = None
        self.folder: Path | None = None  # where it works; it is killed and cannot clean up
        self.doing: tuple[str, float] | None = None  # which submission, and since when
        self.closed = False

    def start(self) -> None:
        """Start the process, unless it runs, and wait until it can grade.

        Raises:
            GraderError: it cannot.
        """
        if self.process is not None:
            return
        if self.closed:
            raise GraderError("the run was stopped")
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "autograder.classes.executor"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=None if os.environ.get("BONSAI_DEBUG") else subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us: we say what becomes of it
                env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.connection = Connection(ours.detach())
        about = {"sandbox": self.settings.sandbox, "limits": asdict(self.settings.limits)}
        try:
            self.connection.send_bytes(pack(about | {"fingerprint": fingerprint()}))
            if not self.connection.poll(START_S):
                raise GraderError(f"a worker did not start within {START_S:.0f} s")
            said = wire.decode(self.connection.recv_bytes())
        except (EOFError, OSError):
            said = {"error": "a worker ended before it could grade anything"}
        except GraderError:
            self.stop()
            raise
        if "error" in said:
            self.stop()
            raise GraderError(said["error"])
        self.folder = Path(said["folder"])

    def grade(self, body: bytes) -> bytes:
        """Grade one submission; when it kills the process, once more in a new one.

        Raises:
            GraderError: the process cannot be started.
        """
        work = unpacked(body)
        try:
            for _ in range(TRIES):
                self.start()
                self.doing = work.notebook, time.time()
                assert self.connection is not None
                try:
                    self.connection.send_bytes(body)
                    if not self.connection.poll(WALL * self.settings.limits.notebook_s + SLACK_S):
                        why = "did not end in time"
                    else:
                        return self.connection.recv_bytes()
                except (EOFError, OSError):
                    why = "ended"
                self.doing = None
                self.stop()
                if self.closed:
                    raise GraderError("the run was stopped")
            return packed_result(lost(work, f"The process that graded it {why}, {TRIES} times."))
        finally:
            self.doing = None

    def stop(self) -> None:
        """End the process and all that it started."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        folder, self.folder = self.folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def abort(self) -> None:
        """End the process from another thread; the submission that it grades gets no result."""
        self.closed = True
        process = self.process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def lost(work: Work, why: str) -> Graded:
    """The result of a submission that took its grader with it."""
    source = find_source(work.lesson) if work.lesson and not work.assignment else None
    tests = [{"id": n.removeprefix("test_"), "points": 0.0, "max_points": p} for n, p in tests_of(work, source)]
    result = Result(work.notebook, work.lesson, work.student, status="crashed", flags=[why])
    result.exercises = [test | {"passed": False, "message": why} for test in tests]
    result.max_score = sum(test["max_points"] for test in result.exercises)
    return Graded(result)


# The two homes ---------------------------------------------------------------------------------------------------

Done = Callable[[bytes | BaseException], None]  # gets a packed result, or why there is none


class Executor(Protocol):
    """Where submissions are graded."""

    def start(self) -> None:
        """Be ready, or raise GraderError: before the first submission."""

    @property
    def room(self) -> int:
        """How many submissions it takes at a time."""

    def submit(self, body: bytes, done: Done) -> None:
        """Take a submission; `done` is called once, from any thread."""

    def running(self) -> dict[str, float]:
        """Notebook -> since when it is being graded."""

    def alive(self) -> str:
        """Why no more results will come, or ""."""

    def close(self) -> None:
        """End everything at once."""


class Local:
    """Worker processes on this machine."""

    def __init__(self, settings: Settings, workers: int = 0):
        self.slots = [Slot(settings) for _ in range(workers or cores())]
        self.free: queue.LifoQueue[Slot] = queue.LifoQueue()
        for slot in reversed(self.slots):
            self.free.put(slot)
        self.threads = ThreadPoolExecutor(len(self.slots), thread_name_prefix="grading")

    def __enter__(self) -> "Local":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the first worker, and wait for it; the others start with their first submission."""
        try:
            self.threads.submit(self.slots[0].start).result()
        except BaseException:
            self.close()
            raise

    @property
    def room(self) -> int:
        return len(self.slots) + 1

    def submit(self, body: bytes, done: Done) -> None:
        def ended(future: Future) -> None:
            error = future.exception() if not future.cancelled() else GraderError("the run was stopped")
            done(error or future.result())

        self.threads.submit(self._grade, body).add_done_callback(ended)

    def _grade(self, body: bytes) -> bytes:
        slot = self.free.get()
        try:
            return slot.grade(body)
        finally:
            self.free.put(slot)

    def running(self) -> dict[str, float]:
        return dict(doing for slot in self.slots if (doing := slot.doing))

    def alive(self) -> str:
        return ""

    def close(self) -> None:
        for slot in self.slots:
            slot.abort()
        self.threads.shutdown(wait=True, cancel_futures=True)
        for slot in self.slots:
            slot.stop()


class Cluster:
    """The workers of a `dask scheduler`, through `distributed.Client`; TLS and the like come from Dask's settings."""

    def __init__(self, settings: Settings, address: str):
        self.settings, self.address = settings, address
        self.task: Callable[[bytes, str, bytes], bytes] = grade_on_worker
        self.client: Any = None
        self.doing: dict[str, tuple[str, float]] = {}  # key -> notebook and when it was sent
        self.futures: dict[str, Any] = {}

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Connect, and let every worker prove that it has the same checkout and a sandbox.

        Raises:
            GraderError: the scheduler does not answer, has no workers, or one of them cannot grade.
        """
        try:
            import distributed
        except ImportError:
            raise GraderError("a cluster needs the extra: pip install 'bonsai-course[cluster]'") from None
        for name in [n for n in logging.root.manager.loggerDict if n.split(".")[0] == "distributed"]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # a lost scheduler is our one sentence
        self.about = pack({"sandbox": self.settings.sandbox, "limits": asdict(self.settings.limits)})
        try:
            self.client = distributed.Client(self.address, set_as_default=False)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            raise GraderError(f"no scheduler answers at {self.address}: {last(error)}") from None
        try:
            said = self.client.run(ready_on_worker, self.about, fingerprint(), on_error="return")
        except Exception as error:
            self.close()
            raise GraderError(f"the workers of {self.address} do not answer: {last(error)}") from None
        wrong = [f"the worker {address}: {last(s)}" for address, s in said.items() if s]
        if not said or wrong:
            self.close()
            raise GraderError(wrong[0] if wrong else f"the scheduler at {self.address} has no workers")

    @property
    def room(self) -> int:
        return 2 * max(1, sum(self.client.nthreads().values()))

    def submit(self, body: bytes, done: Done) -> None:
        key = f"bonsai-{uuid.uuid4().hex}"
        self.doing[key] = unpacked(body).notebook, time.time()
        future = self.client.submit(self.task, self.about, fingerprint(), body, key=key, pure=False, retries=0)
        self.futures[key] = future

        def ended(future: Any) -> None:
            self.doing.pop(key, None)
            self.futures.pop(key, None)
            try:
                done(future.result())
            except Exception as error:
                done(self._trouble(error))

        future.add_done_callback(ended)

    def _trouble(self, error: Exception) -> Exception:
        name = type(error).__name__
        if name == "KilledWorker":  # the machine's memory, for example; our own process there has a slot to die in
            return SubmissionLost(f"The machines that graded it were lost ({last(error)}).")
        return error if isinstance(error, GraderError) else GraderError(f"the cluster failed: {name}: {last(error)}")

    def running(self) -> dict[str, float]:
        return dict(list(self.doing.values())[: self.room // 2])

    def alive(self) -> str:
        return "" if self.client.status == "running" else f"the scheduler at {self.address} is gone"

    def close(self) -> None:
        if self.client is not None:
            with contextlib.suppress(Exception):
                self.client.cancel(list(self.futures.values()), force=True)
            with contextlib.suppress(Exception):
                self.client.close(timeout=5)


class SubmissionLost(Exception):
    """One submission has no result, and the others go on."""


_slots: dict[bytes, list[Slot]] = {}  # of this process, when it is a worker of a cluster: those that are free
_slots_lock = threading.Lock()


def ready_on_worker(about: bytes, theirs: str) -> str:
    """On a worker of a cluster: "" if it can grade, else why not."""
    if theirs != fingerprint():
        return difference(theirs, fingerprint())
    try:
        with slot_of_worker(about) as slot:
            slot.start()
    except GraderError as error:
        return str(error)
    return ""


def grade_on_worker(about: bytes, theirs: str, body: bytes) -> bytes:
    """On a worker of a cluster: grade a submission in a slot beside the worker's own process."""
    if theirs != fingerprint():
        return pack({"error": difference(theirs, fingerprint())})
    try:
        with slot_of_worker(about) as slot:
            return slot.grade(body)
    except GraderError as error:
        return pack({"error": str(error)})


@contextlib.contextmanager
def slot_of_worker(about: bytes) -> Iterator[Slot]:
    """A free slot with these settings; a worker with several threads has several."""
    with _slots_lock:
        free = _slots.setdefault(about, [])
        slot = free.pop() if free else None
    if slot is None:
        said = wire.decode(about)
        slot = Slot(Settings(said["sandbox"], Limits(**said["limits"])))
    try:
        yield slot
    finally:
        with _slots_lock:
            _slots[about].append(slot)


# A run -----------------------------------------------------------------------------------------------------------


def run(
    executor: Executor, works: Iterable[tuple[Key, Work]], tick: Callable[[], None] = lambda: None
) -> Iterator[tuple[Key, Graded]]:
    """Grade all, and give each result as it comes. Only as many are read and held as there is room for.

    Args:
        tick: called a few times a second, for whoever shows how far it is.

    Raises:
        GraderError: nothing more can be graded; what was given before counts.
    """
    ended: queue.SimpleQueue[tuple[Key, Work, bytes | BaseException]] = queue.SimpleQueue()
    waiting, flying, room = iter(works), 0, executor.room
    more = True
    while more or flying:
        while more and flying < room:
            try:
                key, work = next(waiting)
            except StopIteration:
                more = False
                break

            def done(outcome: bytes | BaseException, key: Key = key, work: Work = work) -> None:
                ended.put((key, work, outcome))

            executor.submit(packed(work), done)
            flying += 1
        if not flying:
            break
        try:
            key, work, outcome = ended.get(timeout=0.2)
        except queue.Empty:
            tick()
            if why := executor.alive():
                raise GraderError(why) from None
            continue
        flying -= 1
        if isinstance(outcome, SubmissionLost):
            yield key, lost(work, str(outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            yield key, unpacked_result(outcome)
        tick()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def last(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def open_executor(settings: Settings, workers: int, scheduler: str | None, most: int = 1 << 16) -> "Local | Cluster":
    """The home that was asked for: a cluster where a scheduler is named; never more workers than there is work."""
    return Cluster(settings, scheduler) if scheduler else Local(settings, min(workers or cores(), most))


if __name__ == "__main__":
    serve(Connection(os.dup(0)))
