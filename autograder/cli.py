"""The command `bonsai`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from autograder.classes.commands import app as classes
from autograder.classes.commands import course_app
from autograder.console import err, fail, out, shown
from autograder.desk.commands import app as learner

app = typer.Typer(help="Bonsai: a hands-on course in model compression.", no_args_is_help=True, add_completion=False)
app.add_typer(course_app, name="course")
app.add_typer(learner)
app.add_typer(classes)


def version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        out.print(f"bonsai {version('bonsai-course')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: bonsai build 01")
def build(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers or names; all if left out.")] = None,
    execute: Annotated[bool, typer.Option(help="Run the solutions and keep their pictures.")] = True,
    again: Annotated[bool, typer.Option(help="Run them also where nothing they are made from has changed.")] = False,
) -> None:
    """Build the notebooks from their sources in solutions/: what would stay the same is not written."""
    from nbclient.exceptions import CellExecutionError

    from autograder import build as building
    from autograder.course import CourseError
    from autograder.source import SourceError, find_source, sources

    try:
        for source in [find_source(name) for name in lessons] if lessons else sources():
            written = building.build(source, execute, again)
            if not written:
                out.print(shown(f"{source.stem} is as it was"))
            for path in written:
                out.print(shown(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"))
    except (SourceError, CourseError, ValueError) as error:
        raise fail(str(error)) from None
    except CellExecutionError as error:
        raise fail(f"a cell of {source.name} failed:\n{error}", code=1) from None


@app.command(epilog="Example: bonsai check 04 taylor_importance")
def check(
    lesson: Annotated[str, typer.Argument(help="Number or name.")],
    exercise: Annotated[str, typer.Argument(help="Only this one, with what it needs.", show_default=False)] = "",
    sandbox: Annotated[
        str | None, typer.Option(help="Insist on one: bubblewrap, docker or podman.", show_default=False)
    ] = None,
) -> None:
    """Grade your own notebook of a lesson, hidden tests included, and say what to look at.

    Your cells run in bubblewrap where it works, else as in JupyterLab.
    """
    from autograder.desk import doctor, plain, progress, workspace
    from autograder.results import Run, TestResult
    from autograder.source import LESSONS, find_source, points_by_hand

    def tell(row: TestResult) -> None:
        mark = "[green]✓[/green]" if row.passed else "[red]✗[/red]"
        out.print(mark, shown(f"{row.exercise}  {row.points:g}/{row.max_points:g}"))
        if row.message:
            out.print(shown(f"    {row.message}".replace("\n", "\n    ")))

    def run() -> Run:
        if sandbox or doctor.sandbox().ok:
            from autograder.box.sandbox import SandboxMissing  # of Linux only
            from autograder.grading.check import check

            try:
                return check(source, path, tell, exercise, sandbox or "bubblewrap")
            except SandboxMissing as error:
                if sandbox:
                    raise ValueError(error) from None
        out.print(plain.NO_SANDBOX, highlight=False)
        return plain.check(source, path, tell, exercise)

    try:
        source = find_source(lesson)
        mine = workspace.notebook(source.stem)
        path = mine if mine.exists() else LESSONS / source.stem / mine.name
        done = run()
    except ValueError as error:
        raise fail(str(error)) from None
    if path == mine and done.tests:
        progress.record(source.stem, {test.exercise: test.points for test in done.tests})
    for flag in done.flags:
        out.print("[yellow]note[/yellow]", shown(flag), soft_wrap=True)
    score, most = sum(test.points for test in done.tests), sum(test.max_points for test in done.tests)
    out.print(f"{score:g} of {most:g} points in {done.seconds:.0f} s")
    if by_hand := 0 if exercise else sum(points_by_hand(source).values()):
        out.print(f"{by_hand:g} points are graded by your teacher", highlight=False)
    raise typer.Exit(1 if done.timed_out else 0)


@app.command(epilog="Example: bonsai benchmark resnet8 --batch 64 --json")
def benchmark(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or all.")],
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Images in a timed call.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Timed calls.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Measure a shipped model: bytes, parameters, MACs, memory, latency, throughput, accuracy on the test images."""
    import json as text

    from bonsai import data, measure, models

    if model not in ("all", *models.MODELS):
        raise fail(f"no model {model!r}: choose one of {', '.join(models.MODELS)}, or all")
    try:
        images, labels = data.load("test")
        names = list(models.MODELS) if model == "all" else [model]
        results = {n: measure.report(models.load(n), images, labels, batch, threads, repeats) for n in names}
    except (OSError, ValueError) as error:
        raise fail(str(error)) from None
    if json:
        print(text.dumps(results, indent=2))
        return
    table = Table(title=f"batch {batch}, threads {threads}, {repeats} timed calls", box=box.SIMPLE)
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    rows = {"bytes": ",", "parameters": ",", "macs": ",", "memory_bytes": ",", "p50_ms": ".3f", "p95_ms": ".3f"}
    rows |= {"p99_ms": ".3f", "images_per_second": ",.0f", "accuracy": ".2f"}
    labels_of = {"macs": "MACs an image", "memory_bytes": "memory, bytes", "images_per_second": "images a second"}
    labels_of |= {"accuracy": "test accuracy, %"} | {f"p{q}_ms": f"p{q}, ms" for q in (50, 95, 99)}
    for key, form in rows.items():
        table.add_row(labels_of.get(key, key), *(format(result[key], form) for result in results.values()))
    out.print(table)


@app.command(epilog="Example: bonsai grade */11_capstone.ipynb --json > class.json; bonsai leaderboard class.json")
def leaderboard(
    results: Annotated[list[Path], typer.Argument(help="Files of bonsai grade --json, or folders that hold them.")],
    again: Annotated[Path | None, typer.Option(help="The same with entries that you made anew: they verify.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write the picture of the fronts here.")] = None,
    pseudonyms: Annotated[bool, typer.Option(help="Show trees in place of names.")] = False,
    salt: Annotated[str, typer.Option(help="The same trees each time; keep it to yourself.")] = "",
) -> None:
    """Rank the capstone's size entries: fronts, what each adds to the others, ties within the noise."""
    from autograder import leaderboard as boards

    try:
        board = boards.rank(
            boards.entries(boards.documents(results), boards.documents([again]) if again else []),
        )
        names = boards.pseudonyms(board, salt) if pseudonyms else {}
        if picture:
            boards.draw(board, names).savefig(picture, dpi=120)
    except (ValueError, OSError) as error:
        raise fail(str(error)) from None
    table = Table(title="capstone, size track", box=box.SIMPLE)
    for name in ("rank", "front", "bytes", "error, %", "adds", "score"):
        table.add_column(name, justify="right")
    table.add_column("entry")
    table.add_column("")
    for e in board:
        numbers = (f"{e.size_bytes:,}", f"{e.error:.2f} ± {e.spread:.2f}", f"{e.adds:.3f}", f"{e.score:.0f}")
        table.add_row(str(e.rank), str(e.front), *numbers, shown(names.get(e.name, e.name)), e.notes)
    out.print(table)


@course_app.command(epilog="Example: bonsai course init my-course --lesson 01")
def init(
    folder: Annotated[Path, typer.Argument(help="New folder.")],
    lesson: Annotated[list[str] | None, typer.Option(help="Only these lessons.")] = None,
) -> None:
    """Make an nbgrader course directory: source, release, gradebook and configuration."""
    from autograder import course
    from autograder.source import SourceError, find_source

    try:
        asked = [find_source(name) for name in lesson] if lesson else None
        names = course.init(folder, asked, lambda sentence: out.print(sentence, markup=False, soft_wrap=True))
    except (course.CourseError, SourceError, ValueError, OSError) as error:
        raise fail(str(error)) from None
    steps = f"Next: cd {folder}, put notebooks into submitted/STUDENT/{names[0]}/,"
    out.print(
        shown(f"{folder} holds {', '.join(names)}. {steps}\nand run nbgrader autograde {names[0]}"), soft_wrap=True
    )


def main() -> None:
    """Entry point: an interrupted run ends with one line, and so does what only Linux can do."""
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name not in ("fcntl", "resource", "pwd", "grp"):
            raise
        err.print("bonsai: this needs the sandbox, which is for Linux; on Windows use WSL 2", highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("bonsai: interrupted")
        sys.exit(130)
