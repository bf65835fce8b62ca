"""What a course's `nbgrader_config.py` names: `configure(c)` makes nbgrader grade in the sandbox."""

from typing import Any

from autograder.grading import preprocessors, steps

__all__ = ["configure"]


def configure(c: Any, sandbox: str = "bubblewrap") -> None:
    """Plug everything into nbgrader's configuration object.

    Args:
        sandbox: where submissions run, see `autograder.box.sandbox`.
    """
    preprocessors.configure(c, sandbox)
    steps.careful(c)
