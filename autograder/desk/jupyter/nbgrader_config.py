"""What the button Validate uses in a learner's JupyterLab: a course's limits on time."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.ExecutePreprocessor.timeout = 300  # seconds a cell
