"""What all commands print with."""

import io
import sys

import typer
from rich.console import Console

for stream in (sys.stdout, sys.stderr):  # where ✓ cannot be written, as in a pipe on Windows, stands a ?
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")

out, err = Console(), Console(stderr=True)


def fail(sentence: str, code: int = 2) -> typer.Exit:
    """Say one sentence on stderr; raise what this returns."""
    err.print("[red]bonsai:[/red] ", end="")
    err.print(sentence, highlight=False, markup=False)
    return typer.Exit(code)
