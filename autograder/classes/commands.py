"""The commands of who grades a class: grade, and those of a course."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from autograder.console import err, fail, out, shown

app = typer.Typer()
course_app = typer.Typer(help="For teachers: nbgrader courses.", no_args_is_help=True)

Sandbox = Annotated[str, typer.Option(help="bubblewrap, docker, podman, or none (answers run with your rights).")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that grade at the same time; 0 is one a core.")]
Scheduler = Annotated[str | None, typer.Option(help="A Dask scheduler to grade on, such as tls://host:8786.")]
Course = Annotated[Path, typer.Option(help="The course directory.")]
Force = Annotated[bool, typer.Option(help="Also what has been graded and has not changed.")]


@app.command(epilog="Example: bonsai grade submitted/*/01_quantization_math/*.ipynb --feedback pages --json")
def grade(
    notebooks: Annotated[list[Path], typer.Argument(help="Submitted notebooks.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
    feedback: Annotated[Path | None, typer.Option(help="Folder for a feedback page of each notebook.")] = None,
    lesson: Annotated[str | None, typer.Option(help="The lesson, where the notebooks do not say.")] = None,
    sandbox: Sandbox = "bubblewrap",
    workers: Workers = 0,
    scheduler: Scheduler = None,
) -> None:
    """Grade notebooks: exit 0 when all were graded whatever they scored, 1 when some could not be, 2 for bad usage."""
    from autograder.classes.executor import GraderError, Settings, open_executor, run
    from autograder.classes.progress import Progress, Stopped, stoppable
    from autograder.course import CourseError
    from autograder.grading.grade import Pages, Result, document, work_of
    from autograder.source import check_lessons, find_source

    results: dict[int, Result] = {}
    stopped, trouble = None, ""
    try:
        check_lessons()
        asked = find_source(lesson).stem if lesson else None
        pages = Pages(feedback) if feedback else None
        works = ((n, work_of(path, asked, page=pages is not None)) for n, path in enumerate(notebooks))
        with (
            stoppable(),
            open_executor(Settings(sandbox), workers, scheduler, len(notebooks)) as executor,
            Progress(err, len(notebooks), executor.running) as progress,
        ):
            for number, graded in run(executor, works, progress.tick):
                if pages:
                    pages.keep(graded)
                results[number] = graded.result
                progress.result(graded.result)
    except Stopped as signal:
        stopped = signal
    except (GraderError, CourseError, ValueError, OSError) as error:
        if not results:
            raise fail(str(error)) from None
        trouble = str(error)
    rows = [results[number] for number in sorted(results)]
    if json:
        print(document(rows, bool(stopped or trouble)))
    else:
        show(rows)
        if feedback:
            out.print(shown(f"Feedback pages: {feedback.resolve()}"), soft_wrap=True)
    if stopped or trouble:
        why = trouble or f"stopped by {stopped}"
        raise fail(f"{why}; {len(rows)} of {len(notebooks)} were graded", stopped.code if stopped else 1)
    raise typer.Exit(0 if all(r.status == "graded" for r in rows) else 1)


def show(results: list) -> None:
    """One table a lesson: student, score, points of every exercise, the measured compression ratio; then flags."""
    for lesson in dict.fromkeys(r.lesson for r in results):
        rows = [r for r in results if r.lesson == lesson]
        exercises = max(rows, key=lambda r: len(r.exercises)).exercises
        table = Table(title=lesson or "unknown lesson", padding=(0, 1, 0, 0), box=box.SIMPLE)
        table.add_column("student")
        table.add_column("score", justify="right")
        for number, exercise in enumerate(exercises, 1):
            table.add_column(f"{number}\n/{exercise['max_points']:g}", justify="right")
        table.add_column("ratio", justify="right")
        for r in rows:
            points = {e["id"]: f"{e['points']:g}" for e in r.exercises}
            ratio = f"{r.measured['ratio']:.2f}×" if "ratio" in r.measured else "–"
            score = f"{r.score:g}/{r.max_score:g}" if r.status == "graded" else r.status
            student = r.student or Path(r.notebook).stem
            table.add_row(shown(student), score, *(points.get(e["id"], "–") for e in exercises), ratio)
        out.print(table)
        names = ", ".join(f"{number} {e['id']}" for number, e in enumerate(exercises, 1))
        out.print(shown(f"Exercises: {names}.\nRatio: measured, bytes before / after.\n"))
    for r in results:
        for flag in r.flags:
            out.print(shown(r.student or r.notebook, "yellow") + shown(f": {flag}"), soft_wrap=True)


@course_app.command("grade", epilog="Example: bonsai course grade 01 --workers 4")
def course_grade(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers or names; all if left out.")] = None,
    course: Course = Path("."),
    force: Force = False,
    feedback: Annotated[bool, typer.Option(help="Make the feedback pages too.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each result as it comes.")] = False,
    sandbox: Annotated[str | None, typer.Option(help="Instead of the course's own.")] = None,
    workers: Workers = 0,
    scheduler: Scheduler = None,
) -> None:
    """Grade what was handed in since the last time, into nbgrader's gradebook: autograde and generate_feedback in one.

    Stopped at any moment, it goes on where it was. Exit 0 when all were graded, 1 when some could not be.
    """
    from autograder.classes.executor import Executor, GraderError, open_executor
    from autograder.classes.gradebook import CourseRun
    from autograder.classes.ledger import CourseLocked, Ledger, lock
    from autograder.classes.progress import Progress, Stopped, line, stoppable
    from autograder.course import CourseError, configuration

    results, pending, stopped, trouble = [], [], None, ""
    try:
        configuration(course)
        with stoppable(), lock(course), Ledger(course) as ledger, ExitStack() as stack:
            run = CourseRun(course, ledger, lessons or [], force, feedback, sandbox)
            pending = run.pending()
            for sentence in sorted(run.odd):
                err.print(shown(sentence), soft_wrap=True)
            new = run.needs_grading(pending)
            executor: Executor | None = None
            if new:
                executor = opened = open_executor(run.settings, workers, scheduler, new)
                stack.enter_context(opened)
            progress = stack.enter_context(Progress(err, len(pending), executor.running if executor else dict))
            for result in run.grade(pending, executor, progress.tick):
                results.append(result)
                progress.result(result)
                if json:
                    print(line(result), flush=True)
    except Stopped as signal:
        stopped = signal
    except (GraderError, CourseError, CourseLocked, ValueError, OSError) as error:
        if not results:
            raise fail(str(error)) from None
        trouble = str(error)
    if not json:
        show(sorted(results, key=lambda r: (r.lesson, r.student)))
        out.print(f"{len(results)} of {len(pending)} new submissions were graded.", highlight=False)
    if stopped or trouble:
        raise fail(f"{trouble or f'stopped by {stopped}'}; run it again to go on", stopped.code if stopped else 1)
    raise typer.Exit(0 if all(r.status in ("graded", "timeout") for r in results) else 1)


@course_app.command(epilog="Example: bonsai course watch --exchange --cooldown 10 --attempts 8")
def watch(
    course: Course = Path("."),
    exchange: Annotated[bool, typer.Option(help="Collect from nbgrader's exchange; release feedback there.")] = False,
    cooldown: Annotated[float, typer.Option(min=0, help="Minutes between two tries of a learner at a lesson.")] = 5,
    attempts: Annotated[int, typer.Option(min=1, help="Tries of a learner at a lesson in 24 hours.")] = 10,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the folder.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each result as it comes.")] = False,
    sandbox: Annotated[str | None, typer.Option(help="Instead of the course's own.")] = None,
    workers: Workers = 0,
    scheduler: Scheduler = None,
) -> None:
    """Grade what is handed in as it comes, until SIGTERM or Ctrl-C; a restart goes on where it was."""
    from autograder.classes.executor import GraderError
    from autograder.classes.progress import Progress, Stopped, line
    from autograder.classes.watch import Rules, Watch
    from autograder.course import CourseError

    try:
        with Progress(err, None) as progress:
            rules = Rules(cooldown_s=60 * cooldown, attempts=attempts, poll_s=poll)
            watched = Watch(course, exchange, rules, sandbox, workers, scheduler, progress.say)
            progress.say(f"watching {watched.place}")
            for result in watched.run():
                progress.result(result)
                if json:
                    print(line(result), flush=True)
    except Stopped as signal:
        raise fail(f"stopped by {signal}", 0 if str(signal) == "SIGTERM" else signal.code) from None
    except (GraderError, CourseError, OSError) as error:
        raise fail(str(error)) from None


@course_app.command(epilog="Example: bonsai course report 01 --anonymous --to slides")
def report(
    lesson: Annotated[str | None, typer.Argument(help="Number or name; all if left out.")] = None,
    course: Course = Path("."),
    to: Annotated[Path, typer.Option(help="Folder for the page and the tables.")] = Path("report"),
    anonymous: Annotated[bool, typer.Option(help="For showing in class: no names, flags or pairs.")] = False,
) -> None:
    """Write what a teacher wants to know of a class: one HTML page without network, and CSV tables."""
    from autograder.classes.report import make
    from autograder.course import CourseError

    try:
        files = make(course, lesson, to, anonymous)
    except (CourseError, OSError) as error:
        raise fail(str(error)) from None
    out.print(shown("\n".join(map(str, files))), soft_wrap=True)
