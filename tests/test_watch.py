"""A course that is watched: what comes is graded once, not too often, and a restart forgets nothing."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from class_of import LESSON, answered, hand_in, make_course, rows

from autograder import course
from autograder.classes.ledger import Ledger
from autograder.classes.progress import Stopped
from autograder.classes.watch import Rules, Watch

RULES = Rules(cooldown_s=3600, attempts=2, poll_s=0.2, settle_s=0.2, again_s=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course in which nothing is handed in yet, and two notebooks: right, and half right."""
    root = tmp_path_factory.mktemp("watch")
    folder = make_course(root)
    shutil.rmtree(folder / "submitted")
    config = folder / "nbgrader_config.py"
    config.write_text(config.read_text().replace('c.AssignLatePenalties.plugin_class = "late.TwoPoints"\n', ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.source.SOLUTIONS", root / "solutions")
        return folder, answered(), answered(half="def half(x):\n    return x // 2")


def watch(folder: Path, until: int, said: list[str], during=None, rules=RULES, **options) -> list:
    """Watch until so many results came, then end it with SIGTERM; `during(number)` is called after each."""
    results = []
    watched = Watch(folder, rules=rules, workers=1, say=said.append, **options)
    with pytest.raises(Stopped):
        for result in watched.run():
            results.append(result)
            if during:
                during(len(results))
            if len(results) == until:
                began = time.monotonic()
                os.kill(os.getpid(), signal.SIGTERM)
    assert time.monotonic() - began < 10
    return results


def test_what_comes_is_graded_and_a_restart_forgets_nothing(made, tmp_path):
    template, right, half = made
    folder = Path(shutil.copytree(template, tmp_path / "course"))
    notebook, said = f"{LESSON}.ipynb", []
    hand_in(folder, "ann", {notebook: half})

    def during(number: int) -> None:
        if number == 1:  # while it is watched
            hand_in(folder, "ben", {notebook: right})

    results = watch(folder, 2, said, during)
    assert [(r.student, r.score) for r in results] == [("ann", 2), ("ben", 5)]
    assert (folder / "feedback" / "ben" / LESSON / f"{LESSON}.html").exists()
    hand_in(folder, "ann", {notebook: right})  # too soon: it waits, and is said to
    hand_in(folder, "cem", {notebook: right})
    results = watch(folder, 1, said)
    assert [(r.student, r.score) for r in results] == [("cem", 5)]
    assert any(sentence.startswith(f"ann has tried {LESSON} 1 times today; the next is at ") for sentence in said)
    results = watch(folder, 1, said, rules=Rules(cooldown_s=0, attempts=2, poll_s=0.2, settle_s=0.2))
    assert [(r.student, r.score) for r in results] == [("ann", 5)]
    hand_in(folder, "ann", {notebook: half})  # the third of the day
    hand_in(folder, "dia", {notebook: right})
    results = watch(folder, 1, said, rules=Rules(cooldown_s=0, attempts=2, poll_s=0.2, settle_s=0.2))
    assert [r.student for r in results] == ["dia"] and rows(folder)["ann"][1][1][1] == 3
    with Ledger(folder) as ledger:
        assert len(ledger.attempts("ann", LESSON, 0.0)) == 2


def test_the_exchange_is_collected_released_to_and_never_followed(made, tmp_path, monkeypatch):
    template, right, _ = made
    folder, exchange = Path(shutil.copytree(template, tmp_path / "course")), tmp_path / "exchange"
    inbound = exchange / "bonsai" / "inbound"
    inbound.mkdir(parents=True)
    exchange.chmod(0o777)
    config = folder / "nbgrader_config.py"
    config.write_text(
        f"{config.read_text()}\nc.Exchange.root = {str(exchange)!r}\nc.ExchangeCollect.check_owner = False\n"
    )
    (tmp_path / "secret.txt").write_text("only the teacher reads this")
    spy = answered_spy(right)

    def arrive(student: str, content: bytes) -> Path:
        place = inbound / f"{student}+{LESSON}+2026-01-01 10:00:00 UTC+abc"
        partial = tmp_path / student
        partial.mkdir()
        (partial / f"{LESSON}.ipynb").write_bytes(content)
        (partial / "timestamp.txt").write_text("2026-01-01 10:00:00 UTC")
        (partial / "submission_secret.txt").write_text(f"secret of {student}")
        (partial / "look.txt").symlink_to(tmp_path / "secret.txt")
        return partial.rename(place)

    arrive("ann", right)
    said: list[str] = []
    results = watch(folder, 2, said, lambda n: n == 1 and arrive("spy", spy), exchange=True)
    assert [(r.student, r.score) for r in results] == [("ann", 5), ("spy", 5)]
    assert len(list((exchange / "bonsai" / "feedback").glob("*.html"))) == 2
    for path in folder.rglob("*"):
        assert path.is_symlink() or not path.is_file() or b"only the teacher reads" not in path.read_bytes()


def answered_spy(right: bytes) -> bytes:
    """A right answer that prints what a link of it leads to."""
    import json

    text = json.loads(right)
    text["cells"].insert(
        1, {"cell_type": "code", "source": "print(open('look.txt').read())", "metadata": {}, "outputs": []}
    )
    return json.dumps(text).encode()


def test_trouble_of_ours_is_said_and_tried_again(made, tmp_path):
    template, right, _ = made
    folder = Path(shutil.copytree(template, tmp_path / "course"))
    hand_in(folder, "ann", {f"{LESSON}.ipynb": right})
    from autograder.classes.ledger import lock

    said: list[str] = []
    held = lock(folder)
    held.__enter__()
    threading.Timer(3, lambda: held.__exit__(None, None, None)).start()
    results = watch(folder, 1, said)
    assert [r.student for r in results] == ["ann"]
    assert any("is being graded by process" in sentence and "trying again" in sentence for sentence in said)
    with pytest.raises(course.CourseError, match="is not a course"):
        Watch(tmp_path)
    with pytest.raises(course.CourseError, match="the exchange has no folder"):
        Watch(folder, exchange=True)
