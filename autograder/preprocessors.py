"""What a course's `nbgrader_config.py` names: `configure(c)` makes nbgrader grade in the sandbox."""

from autograder.grading.preprocessors import configure

__all__ = ["configure"]
