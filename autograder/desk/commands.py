"""The learner's commands."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from autograder.console import fail, out, shown
from autograder.desk import workspace

app = typer.Typer()
Lesson = Annotated[str, typer.Argument(help="Number or name.")]
CONFIGURATION = Path(__file__).resolve().parent / "jupyter"  # of a learner's JupyterLab


@app.command(epilog="Example: bonsai lab --port 8890")
def lab(
    port: Annotated[int, typer.Option(help="Port of the local server.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab at the start page of your workspace."""
    from autograder.desk import start

    try:
        for name in workspace.open_all():
            out.print(shown(f"{name} is new in {workspace.root()}"), soft_wrap=True)
        start.write()
    except workspace.WorkspaceError as error:
        raise fail(str(error)) from None
    begin = "import autograder, jupyterlab.labapp; jupyterlab.labapp.main()"  # ours first: see there why it is faster
    command = [sys.executable, "-c", begin, f"--notebook-dir={workspace.root()}", f"--port={port}"]
    command += [f"--LabApp.default_url=/lab/tree/{start.NAME}"]
    command += [] if browser else ["--no-browser"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    paths = [str(CONFIGURATION), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    environment = os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}
    if os.name == "posix":  # in our place: a signal reaches the server itself, which ends its kernels
        os.execve(sys.executable, command, environment)
    raise typer.Exit(subprocess.run(command, env=environment).returncode)


@app.command(epilog="Example: bonsai progress")
def progress() -> None:
    """Show what you have written, the points of your last checks, and the next step."""
    from autograder.desk import progress

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("lesson", "minutes", "written", "points", "next step"):
        table.add_column(heading, justify="left" if heading in ("lesson", "next step") else "right")
    rows = progress.rows()
    for row in rows:
        written = f"{len(row.answered)}/{len(row.exercises)}"
        points = f"{row.score:g}/{row.max_score}"
        table.add_row(f"{row.lesson[:2]} {row.title}", str(row.minutes), written, points, row.next_step)
    total = f"{sum(r.score for r in rows):g}/{sum(r.max_score for r in rows)}"
    table.add_row("all", str(sum(r.minutes for r in rows)), "", total, "")
    out.print(table)


@app.command(epilog="Example: bonsai reset 04")
def reset(lesson: Lesson) -> None:
    """Put a lesson of your workspace back to how it was; what you have is kept beside it, dated."""
    try:
        name = workspace.find(lesson)
        kept = workspace.reset(name)
    except workspace.WorkspaceError as error:
        raise fail(str(error)) from None
    out.print(shown(f"{name} is as new." + (f" Yours is in {kept}" if kept else "")), soft_wrap=True)


@app.command(epilog="Example: bonsai update")
def update(lesson: Annotated[str | None, typer.Argument(help="Number or name; all if left out.")] = None) -> None:
    """Bring newer versions of the lessons into your workspace and keep your answers."""
    try:
        for name in [workspace.find(lesson)] if lesson else workspace.lessons():
            for sentence in workspace.update(name):
                out.print(shown(sentence), soft_wrap=True)
    except workspace.WorkspaceError as error:
        raise fail(str(error)) from None


@app.command(epilog="Example: bonsai answer 04 shrink_conv")
def answer(lesson: Lesson, exercise: Annotated[str, typer.Argument(help="Name of the exercise.")]) -> None:
    """Put the course's answer to an exercise into your notebook, for 0 points, so that you can go on."""
    from autograder.source import SOLUTIONS

    try:
        name = workspace.find(lesson)
        kept = workspace.take_answer(SOLUTIONS / f"{name}.py", exercise)
    except workspace.WorkspaceError as error:
        raise fail(str(error)) from None
    out.print(shown(f"The answer to {exercise} is in your notebook: open it again in JupyterLab."))
    out.print(shown(f"What you had is in {kept}"), soft_wrap=True)


@app.command(epilog="Example: bonsai submit 04 --student ada")
def submit(
    lesson: Lesson,
    student: Annotated[str, typer.Option(help="Your name in the course.")] = os.environ.get("USER", "me"),
) -> None:
    """Write what you hand in, and say what is missing."""
    from autograder.desk.submit import submit

    try:
        path, missing = submit(workspace.find(lesson), student)
    except workspace.WorkspaceError as error:
        raise fail(str(error)) from None
    for sentence in missing:
        out.print(shown(sentence))
    out.print(shown(f"Hand in {path}"), soft_wrap=True)


@app.command(epilog="Example: bonsai doctor")
def doctor() -> None:
    """Look at this machine for what the course needs; exit 1 if lessons cannot be done on it."""
    from autograder.desk.doctor import examine

    found = []
    for finding in examine():
        mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[yellow]![/yellow]"
        out.print(f"{mark} {finding.what:<10}", end=" ")
        out.print(shown(finding.said))
        if not finding.ok:
            out.print(shown(f"  {finding.remedy}"))
        found.append(finding)
    raise typer.Exit(0 if all(f.ok or not f.needed for f in found) else 1)
