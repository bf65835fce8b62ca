"""What all commands print with."""

import io
import sys

import typer
from rich.console import Console
from rich.text import Text

from autograder.text import printable

for stream in (sys.stdout, sys.stderr):  # where ✓ cannot be written, as in a pipe on Windows, stands a ?
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")

out, err = Console(), Console(stderr=True)


def shown(said: object, style: str = "") -> Text:
    """Somebody else's text for a terminal: no escape sequence, markup or emoji of it means anything."""
    return Text(printable(said), style)


def fail(sentence: str, code: int = 2) -> typer.Exit:
    """Say one sentence on stderr; raise what this returns."""
    err.print("[red]bonsai:[/red] ", end="")
    err.print(shown(sentence), soft_wrap=True)
    return typer.Exit(code)
