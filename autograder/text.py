"""Texts that somebody else has written, as they can be shown anywhere: on a terminal, in JSON, in a table."""

import json
from typing import Any

FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # a spreadsheet takes a text that begins so for a formula


def printable(said: object) -> str:
    """A text whose characters all show, but for the ends of lines: the others are written as Python writes them.

    Escape sequences, which a terminal obeys, and characters that turn the direction of writing are no longer there.
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(said))


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON whose characters all show; a number that JSON does not have is null.

    Raises:
        TypeError: it is no plain data.
    """
    text = json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def finite(value: Any) -> Any:
    """Plain data without infinities and nans."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    return [finite(v) for v in value] if isinstance(value, list | tuple) else value


def in_table(value: Any) -> Any:
    """A cell of a table that a spreadsheet opens: a text that it would run gets a quote."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) or value[:1] in ("\t", "\r", "\n") else text
