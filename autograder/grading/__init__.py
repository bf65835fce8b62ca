"""Grades one submission: the learner's code inside the box, the tests outside it, nbgrader around both."""
