"""The order of the suite: what takes minutes first, so that the two processes end together."""


def pytest_collection_modifyitems(items):
    """Whole lessons before everything else, and the grading of all their answers before the rest of these."""
    items.sort(key=lambda item: ("test_lessons" not in item.nodeid, "honest_work" not in item.nodeid))
