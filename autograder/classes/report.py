"""What a teacher wants to know of a class: one HTML file that needs no network, and tables as CSV.

It is read from nbgrader's gradebook (scores, late, what waits for a hand) and from the graded notebooks in
`autograded/` (messages, flags, measurements), so it is the same whoever graded: `bonsai course grade` or nbgrader.
"""

import base64
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import nbformat
from jinja2 import Environment
from nbgrader.api import Gradebook, MissingEntry

from autograder import course, leaderboard
from autograder.classes import similarity
from autograder.classes.ledger import FOLDER, Ledger
from autograder.grading.grade import whole
from autograder.text import in_table
from bonsai.plot import BLUE, ORANGE, figure

COST = re.compile(r"Difficulty (\d) of 5, about (\d+) minutes")
PASSED = 0.5  # of the points that the machine gives
MOST_MISTAKES = 15


@dataclass
class Exercise:
    """One exercise, over the class."""

    name: str
    points: float
    minutes: int | None = None  # that the lesson says it takes
    difficulty: int | None = None  # of 5, that the lesson says
    passed: int = 0
    judged: int = 0
    unanswered: int = 0

    @property
    def rate(self) -> float:
        return self.passed / self.judged if self.judged else 0.0


@dataclass
class Learner:
    """One learner's submission of a lesson."""

    name: str
    score: float
    max_score: float
    late_s: float
    penalty: float
    auto: float  # points that the machine gave
    auto_max: float
    status: str = "graded"
    points: dict[str, float] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)  # questions to grade by hand
    flags: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None  # that grading took
    answers: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """One lesson of a class."""

    lesson: str
    learners: list[Learner]
    missing: list[str]
    exercises: list[Exercise]
    mistakes: list[tuple[str, str, int]]  # exercise, sentence, learners; the most common first
    pairs: list[similarity.Pair]

    @property
    def waiting(self) -> dict[str, list[str]]:
        """Question -> who waits for its grade."""
        questions = dict.fromkeys(q for learner in self.learners for q in learner.waiting)
        return {q: [who.name for who in self.learners if q in who.waiting] for q in questions}

    @property
    def pass_rate(self) -> float:
        return mean(who.auto >= PASSED * who.auto_max for who in self.learners) if self.learners else 0.0

    @property
    def median(self) -> float:
        return median([who.score for who in self.learners] or [0.0])

    @property
    def board(self) -> list[leaderboard.Entry]:
        """The capstone's entries in order; none for other lessons."""
        if self.lesson != leaderboard.LESSON:
            return []
        results = [{"student": w.name, "notebook": "", "measured": w.measured} for w in self.learners]
        return leaderboard.rank(leaderboard.entries(results))

    @property
    def late(self) -> list[Learner]:
        return [who for who in self.learners if who.late_s > 0]


def read(folder: Path, lesson: str, anonymous: bool = False) -> Report:
    """A lesson as the course has it now.

    Args:
        anonymous: for showing in class: learners have numbers that do not follow their names, and what points at one
            of them (flags, similar pairs) is left out.

    Raises:
        CourseError: no such course or lesson.
    """
    config = course.configuration(folder)
    api = course.api(folder, config)
    with api.gradebook as gradebook:
        try:
            gradebook.find_assignment(lesson)
        except MissingEntry:
            raise course.CourseError(f"this course has no lesson {lesson!r}") from None
        learners = [_learner(submission) for submission in gradebook.assignment_submissions(lesson)]
        students = {student.id for student in gradebook.students}
    steps = api.coursedir
    teachers = Path(steps.format_path(steps.source_directory, ".", lesson)) / f"{lesson}.ipynb"
    exercises = _exercises(teachers)
    mistakes: Counter[tuple[str, str]] = Counter()
    for learner in learners:
        path = Path(steps.format_path(steps.autograded_directory, learner.name, lesson)) / f"{lesson}.ipynb"
        _read_notebook(path, learner, exercises, mistakes)
    _read_ledger(folder, lesson, learners)
    names = dict.fromkeys(exercises)
    common = [(e, s, n) for (e, s), n in mistakes.most_common() if e in names]
    missing = sorted(students - {who.name for who in learners})
    pairs: list[similarity.Pair] = []
    if anonymous:
        _hide_names(learners, lesson)
        missing = ["–"] * len(missing)
    else:
        pairs = similarity.pairs({who.name: who.answers for who in learners if who.answers}, _given(teachers))
    learners.sort(key=lambda who: who.name)
    return Report(lesson, learners, missing, list(exercises.values()), common[:MOST_MISTAKES], pairs)


def _learner(submission: Any) -> Learner:
    """What the gradebook says."""
    grades = [g for notebook in submission.notebooks for g in notebook.grades]
    machine = [g for g in grades if g.auto_score is not None]
    return Learner(
        name=submission.student.id,
        score=submission.score - (submission.late_submission_penalty or 0),
        max_score=submission.max_score,
        late_s=submission.total_seconds_late,
        penalty=submission.late_submission_penalty or 0,
        auto=sum(g.auto_score for g in machine),
        auto_max=sum(g.max_score for g in machine),
        points={g.name.removeprefix("test_"): g.score for g in grades if not g.needs_manual_grade},
        waiting=[g.name for g in grades if g.needs_manual_grade],
        status="graded" if machine else "not graded",
    )


def _exercises(teachers: Path) -> dict[str, Exercise]:
    """The lesson's exercises, with what its text says of them."""
    found: dict[str, Exercise] = {}
    cost: tuple[int, int] | tuple[None, None] = (None, None)
    for cell in nbformat.read(teachers, as_version=4).cells:
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and (said := COST.search(cell.source)):
            cost = int(said[1]), int(said[2])
        if cell.cell_type == "code" and meta.get("grade"):
            name = meta["grade_id"].removeprefix("test_")
            found[name] = Exercise(name, float(meta["points"]), cost[1], cost[0])
            cost = (None, None)
    return found


def _given(teachers: Path) -> list[str]:
    """Code that everybody had: the lesson's cells, its answers excepted."""
    from autograder.grading.preprocessors import without_hidden

    cells = nbformat.read(teachers, as_version=4).cells
    code = [c for c in cells if c.cell_type == "code" and not c.metadata.get("nbgrader", {}).get("solution")]
    stubs = [re.sub(r"(?ms)^ *### BEGIN SOLUTION.*?### END SOLUTION\n?", "", c.source) for c in cells]
    fenced = [block for c in cells for block in re.findall(r"(?ms)^```(?:python)?\n(.*?)^```", c.source)]
    return [without_hidden(c.source) for c in code] + stubs + fenced


def _read_notebook(path: Path, learner: Learner, exercises: dict[str, Exercise], mistakes: Counter) -> None:
    """What the graded notebook says."""
    if not path.is_file():
        learner.status = "unreadable" if learner.status == "not graded" else learner.status
        return
    notebook = json.loads(path.read_text(encoding="utf-8"))
    run = notebook["metadata"].get("bonsai_run", {})
    learner.flags = [str(flag) for flag in notebook["metadata"].get("bonsai_flags", [])]
    learner.measured = {k: float(v) for k, v in run.get("measured", {}).items()}
    learner.seconds = run.get("seconds")
    for cell in notebook["cells"]:
        meta, said = cell["metadata"].get("nbgrader", {}), cell["metadata"].get("bonsai_result")
        source = "".join(cell["source"])
        if meta.get("solution") and cell["cell_type"] == "code":
            learner.answers[meta["grade_id"]] = source
        if said and (one := exercises.get(meta.get("grade_id", "").removeprefix("test_"))):
            one.judged += 1
            one.passed += said["passed"] is True
            one.unanswered += said["message"] == "not answered yet"
            if not said["passed"] and (sentence := mistake(str(said["message"]))):
                mistakes[one.name, sentence] += 1


def mistake(message: str) -> str:
    """The sentence that names the mistake; "" where the test only saw a difference, or nothing was answered."""
    first = message.strip().partition("\n")[0].strip()
    if first == "not answered yet" or not first:
        return ""
    called = re.match(r"[\w.]+\(.*\):(?P<said>.*)", first) or re.match(r"[^:]{1,80}:(?P<said>.*)", first)
    return called["said"].strip() if called else first


def _read_ledger(folder: Path, lesson: str, learners: Iterable[Learner]) -> None:
    """What only our own run knows: why a file could not be read."""
    if not (folder / FOLDER / "ledger.db").is_file():
        return
    with Ledger(folder) as ledger:
        said = {row.student: row.result for row in ledger.rows(lesson)}
    for learner in learners:
        result = said.get(learner.name)
        if result is not None and result.status in ("unreadable", "crashed", "timeout"):
            learner.status = result.status
            learner.flags = learner.flags or result.flags


def _hide_names(learners: list[Learner], lesson: str) -> None:
    """Numbers in place of names, in an order that has nothing to do with them, and nothing that points at one."""
    learners.sort(key=lambda who: hashlib.blake2b(f"{lesson} {who.name}".encode()).digest())
    for number, who in enumerate(learners, 1):
        who.name, who.flags = f"learner {number}", []


# Pictures ------------------------------------------------------------------------------------------------------------


def picture(fig: Any) -> str:
    """A matplotlib figure as the address of an image."""
    file = io.BytesIO()
    fig.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def distribution(report: Report) -> tuple[str, str]:
    """How many learners have how many points, as a picture and in words."""
    scores = [who.score for who in report.learners]
    top = max((who.max_score for who in report.learners), default=1.0) or 1.0
    fig, (ax,) = figure(width=6, height=2.6)
    counts, edges, _ = ax.hist(scores, bins=10, range=(0, top), color=BLUE, edgecolor="white")
    ax.set(xlabel=f"points, of {top:g}", ylabel="learners")
    ax.locator_params(axis="y", integer=True)
    parts = [f"{int(n)} from {a:g} to {b:g}" for n, a, b in zip(counts, edges, edges[1:], strict=False) if n]
    return picture(fig), f"Histogram of the points of {len(scores)} learners: {', '.join(parts) or 'none'}."


def pareto(report: Report) -> tuple[str, str] | None:
    """The class's measured ratios against accuracy lost, as a picture and in words; None where nothing was measured."""
    measured = set().union(*(who.measured for who in report.learners))
    drop = "held_back_accuracy_drop" if "held_back_accuracy_drop" in measured else "accuracy_drop"
    points = sorted(
        (who.measured["ratio"], who.measured[drop])
        for who in report.learners
        if "ratio" in who.measured and drop in who.measured
    )
    if not points:
        return None
    front = [p for p in points if not any(q != p and q[0] >= p[0] and q[1] <= p[1] for q in points)]
    fig, (ax,) = figure(width=6, height=3)
    ax.plot(*zip(*points, strict=True), "o", color=BLUE, alpha=0.6, label="a learner")
    ax.plot(*zip(*front, strict=True), "-D", color=ORANGE, label="Pareto front")
    ax.set(xlabel="compression ratio, bytes before / after", ylabel="accuracy lost, points")
    ax.legend(frameon=False)
    best = ", ".join(f"{ratio:.2f}× for {lost:.2f} points" for ratio, lost in dict.fromkeys(front))
    return picture(fig), f"{len(points)} measured submissions; nobody is better in both than: {best}."


def fronts(report: Report) -> tuple[str, str] | None:
    """The capstone's leaderboard as a picture and in words; None where there are no entries."""
    board = report.board
    if not board:
        return None
    first = ", ".join(f"{e.name} {e.size_bytes:,} bytes and {e.error:.2f} %" for e in board if e.front == 1)
    return picture(leaderboard.draw(board, {})), f"{len(board)} entries, bytes against error; the first front: {first}."


# Output --------------------------------------------------------------------------------------------------------------


def write(reports: list[Report], target: Path, anonymous: bool = False) -> list[Path]:
    """Write `report.html` and the tables into a folder; returns the files."""
    target.mkdir(parents=True, exist_ok=True)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": lambda x: f"{100 * x:.0f} %", "number": lambda x: f"{x:g}", "span": span}
    template = environment.from_string((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))
    shown = [{"r": r, "distribution": distribution(r), "pareto": pareto(r), "fronts": fronts(r)} for r in reports]
    page = template.render(lessons=shown, anonymous=anonymous)
    files = {"report.html": page.encode(), **{f"{name}.csv": text for name, text in tables(reports, anonymous).items()}}
    for name, content in files.items():
        whole(target / name, content)
    return [target / name for name in files]


def tables(reports: list[Report], anonymous: bool) -> dict[str, bytes]:
    """Name -> a table as CSV in UTF-8."""
    heads = {
        "scores": "lesson learner status score max_score late_s penalty waiting seconds",
        "points": "lesson learner exercise points",
        "exercises": "lesson exercise points minutes difficulty judged passed unanswered",
        "mistakes": "lesson exercise mistake learners",
        "measured": "lesson learner quantity value",
        "flags": "lesson learner flag",
        "similarity": "lesson learner other alike shared exercises",
    }
    found: dict[str, list[list]] = {name: [head.split()] for name, head in heads.items()}
    for r in reports:
        for w in r.learners:
            about = [w.score, w.max_score, w.late_s, w.penalty, " ".join(w.waiting), w.seconds]
            found["scores"].append([r.lesson, w.name, w.status, *about])
            found["points"] += [[r.lesson, w.name, name, value] for name, value in w.points.items()]
            found["measured"] += [[r.lesson, w.name, name, value] for name, value in w.measured.items()]
            found["flags"] += [[r.lesson, w.name, flag] for flag in w.flags]
        found["scores"] += [[r.lesson, name, "missing", *[""] * 6] for name in r.missing]
        for e in r.exercises:
            about = [e.points, e.minutes, e.difficulty, e.judged, e.passed, e.unanswered]
            found["exercises"].append([r.lesson, e.name, *about])
        found["mistakes"] += [[r.lesson, *row] for row in r.mistakes]
        for p in r.pairs:
            found["similarity"].append([r.lesson, p.one, p.other, f"{p.alike:.2f}", p.shared, " ".join(p.exercises)])
    found["grades"] = grades(reports)
    if anonymous:
        del found["flags"], found["similarity"], found["grades"]
    return {name: as_csv(rows) for name, rows in found.items()}


def grades(reports: list[Report]) -> list[list]:
    """One row a learner and one column a lesson, as learning management systems import them; empty: not handed in."""
    scores = {r.lesson: {who.name: who.score for who in r.learners} for r in reports}
    names = sorted({name for r in reports for name in (*(who.name for who in r.learners), *r.missing)})
    return [["learner", *scores], *([name, *(of.get(name, "") for of in scores.values())] for name in names)]


def as_csv(rows: list[list]) -> bytes:
    """A table that a spreadsheet opens without running anything: a text that looks like a formula gets a quote."""
    file = io.StringIO()
    writer = csv.writer(file)
    for row in rows:
        writer.writerow(map(in_table, row))
    return file.getvalue().encode()


def span(seconds: float) -> str:
    """A time in words: 2 d 3 h."""
    minutes = int(seconds // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {rest} min" if hours else f"{rest} min"


def lessons_of(gradebook: Gradebook) -> list[str]:
    """The lessons of which something was handed in."""
    return sorted(a.name for a in gradebook.assignments if a.num_submissions)


def make(folder: Path, lesson: str | None, target: Path, anonymous: bool = False) -> list[Path]:
    """Write the report of one lesson, or of all of which something was handed in.

    Raises:
        CourseError: no such course or lesson, or nothing has been handed in.
    """
    with course.api(folder, course.configuration(folder)).gradebook as gradebook:
        known = sorted(a.name for a in gradebook.assignments)
        names = [course.named(lesson, known)] if lesson else lessons_of(gradebook)
    if not names:
        raise course.CourseError("nothing has been graded yet: bonsai course grade")
    return write([read(folder, name, anonymous) for name in names], target, anonymous)
