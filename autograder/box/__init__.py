"""The sandbox: processes that run a learner's code, and the wire between them and the grader."""
