"""What all commands print with."""

import typer
from rich.console import Console

out, err = Console(), Console(stderr=True)


def fail(sentence: str, code: int = 2) -> typer.Exit:
    """Say one sentence on stderr; raise what this returns."""
    err.print("[red]bonsai:[/red] ", end="")
    err.print(sentence, highlight=False, markup=False)
    return typer.Exit(code)
