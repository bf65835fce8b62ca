"""What comes out of running a notebook with its tests, wherever it ran. Imports nothing that only Linux has."""

from dataclasses import dataclass, field

from nbformat import NotebookNode


@dataclass
class TestResult:
    """One test cell."""

    id: str
    exercise: str
    points: float
    max_points: float
    passed: bool
    message: str
    seconds: float
    hidden: bool = False  # whether a hidden check was the one that failed


@dataclass
class Run:
    """One graded notebook."""

    notebook: NotebookNode
    tests: list[TestResult] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)  # sentences for the teacher
    measured: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  # seconds for: start, cells, tests, restarts
    timed_out: bool = False  # whether the notebook's time was over before its end
