"""What the button Validate uses in a learner's JupyterLab: a course's limits, and no cell that grading leaves out."""

from autograder.desk.plain import only_what_counts

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.ExecutePreprocessor.timeout = 300  # seconds a cell
c.ExecutePreprocessor.on_notebook_start = only_what_counts
