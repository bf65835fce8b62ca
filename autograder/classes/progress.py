"""Shows how far a run is, on a terminal or in plain lines, and stops it when it is told to."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from autograder.console import shown
from autograder.grading.grade import Result
from autograder.text import as_json

SHOWN = 8  # submissions that are being graded, on a terminal


class Stopped(KeyboardInterrupt):
    """The run was told to end; `code` is the exit code that says how."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


_waiting: list[int] | None = None  # signals that came during `unbroken`


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Meanwhile Ctrl-C and SIGTERM raise `Stopped` in the main thread; a second one, a second later, ends the program
    (`timeout` sends each twice)."""
    first = 0.0

    def stop(number: int, frame: object) -> None:
        nonlocal first
        if first and time.monotonic() - first < 1:
            return
        if first:
            signal.signal(number, before[number])
            os.kill(os.getpid(), number)
            return
        first = time.monotonic()
        if _waiting is not None:
            _waiting.append(number)
        else:
            raise Stopped(number)

    before: dict = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Something short that is done to its end: the signals of `stoppable` wait for it."""
    global _waiting
    came: list[int] = []
    _waiting = came
    try:
        yield
    finally:
        _waiting = None
    if came:
        raise Stopped(came[0])


class Progress:
    """Done and in all, rate, time left, who is being graded for how long, and flags as they come.

    Args:
        total: submissions of this run; None for a run without an end.
        running: notebook -> since when it is being graded.
    """

    def __init__(self, console: Console, total: int | None, running: Callable[[], dict[str, float]] = dict):
        self.console, self.total, self.running = console, total, running
        self.done, self.began, self.drawn = 0, time.monotonic(), 0.0
        columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")
        self.bar = Bar(*columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console)
        self.task = self.bar.add_task("grading", total=total, rate="")
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.stop()

    @property
    def rate(self) -> float:
        """Submissions a second, so far."""
        return self.done / max(1e-9, time.monotonic() - self.began)

    def tick(self) -> None:
        """Draw again, on a terminal, at most four times a second."""
        if self.live and time.monotonic() - self.drawn > 0.25:
            self.drawn = time.monotonic()
            self.bar.update(self.task, completed=self.done, rate=f"{self.rate:.2f} a second")
            self.live.update(self._picture(), refresh=True)

    def _picture(self) -> RenderableType:
        now = time.time()
        oldest = sorted(self.running().items(), key=lambda item: item[1])
        lines = [shown(f"  {short(name)}, for {max(0.0, now - since):.0f} s") for name, since in oldest[:SHOWN]]
        more = [shown(f"  and {len(oldest) - SHOWN} more")] if len(oldest) > SHOWN else []
        return Group(self.bar, *lines, *more)

    def result(self, result: Result) -> None:
        """Count a result; say it in a line where there is no terminal, and its flags in any case."""
        self.done += 1
        name = result.student or short(result.notebook)
        if not self.live:
            what = f"{result.score:g}/{result.max_score:g}" if result.status == "graded" else result.status
            count = f"{self.done}/{self.total}" if self.total is not None else str(self.done)
            left = ""
            if self.total is not None and self.done < self.total:
                left = f"; {self.rate:.2f} a second, {(self.total - self.done) / self.rate:.0f} s left"
            self.say(f"{count} {name} {what} in {result.seconds:.1f} s{left}")
        for flag in result.flags:
            self.say(f"{name}: {flag}")
        self.tick()

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self.console.print(shown(sentence), soft_wrap=True)


def short(notebook: str) -> str:
    """The part of a path that says whose it is: `ada/01_…/01_….ipynb` is ada."""
    parts = notebook.split(os.sep)
    return parts[-3] if len(parts) > 2 and parts[-1].startswith(parts[-2]) else parts[-1]


def line(result: Result) -> str:
    """A result as one line of JSON."""
    return as_json(asdict(result))
