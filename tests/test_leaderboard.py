"""The capstone's leaderboard: fronts, what an entry adds, ties, verification, names."""

import json
import math

import pytest
from typer.testing import CliRunner

from autograder import console, leaderboard
from autograder.classes import report
from autograder.cli import app


def result(student, size, drop, score=70.0, error=7.1, **more):
    measured = {"size_bytes": size, "drop": drop, "error": error + drop, "drop_error": 0.2, "score_size": score}
    notebook = f"{student}/11_capstone.ipynb"
    return {"notebook": notebook, "student": student, "lesson": "11_capstone", "measured": measured | more}


def board(*results, again=()):
    return leaderboard.rank(leaderboard.entries(results, again))


def test_fronts_and_what_an_entry_adds():
    entries = board(result("ada", 10_000, 0.9), result("ben", 60_000, 0.2), result("cem", 60_000, 0.8))
    by_name = {e.name: e for e in entries}
    assert [by_name[n].front for n in ("ada", "ben", "cem")] == [1, 1, 2]
    assert by_name["cem"].adds == 0 and by_name["ada"].adds > by_name["ben"].adds > 0
    assert [e.rank for e in entries] == [1, 2, 3]
    corner = (math.log2(leaderboard.BASELINE_BYTES), 7.1 + 3)
    alone = (corner[0] - math.log2(10_000)) * (corner[1] - 8.0)
    assert leaderboard.area([by_name["ada"].point], corner) == pytest.approx(alone)


def test_equal_points_share_a_rank_and_noise_is_shown():
    entries = board(result("ada", 10_000, 0.5), result("ben", 10_000, 0.5), result("cem", 10_100, 0.45))
    assert [e.rank for e in entries if e.name != "cem"] in ([1, 1], [2, 2])
    assert all(e.near for e in entries)
    assert not any(e.near for e in board(result("ada", 10_000, 0.9), result("ben", 60_000, 0.2)))


def test_only_a_second_run_verifies():
    first = result("ada", 10_000, 0.9)
    assert not board(first)[0].verified
    assert board(first, again=[result("ada", 10_400, 1.2)])[0].verified
    assert not board(first, again=[result("ada", 10_600, 0.9)])[0].verified
    assert not board(first, again=[result("ada", 10_000, 1.5)])[0].verified
    assert not board(first, again=[result("ben", 10_000, 0.9)])[0].verified


def test_broken_floors_and_missing_numbers_are_no_entries():
    assert board(result("ada", 10_000, 4.0, score=0.0), {**result("ben", 1, 1), "measured": {}}) == []


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(console.out, "_width", 160)
    results = [result("ada", 10_000, 0.9), result("[red]ben", 60_000, 0.2)]
    (tmp_path / "class.json").write_text(json.dumps({"results": results}))
    picture = tmp_path / "board.png"
    done = CliRunner().invoke(app, ["leaderboard", str(tmp_path), "--picture", str(picture)], env={"COLUMNS": "160"})
    assert done.exit_code == 0 and "[red]ben" in done.output and "not verified" in done.output
    assert "8.00 ± 0.20" in done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    hidden = CliRunner().invoke(app, ["leaderboard", str(tmp_path), "--pseudonyms"], env={"COLUMNS": "160"})
    assert hidden.exit_code == 0 and "ada" not in hidden.output
    (tmp_path / "class.json").write_text("[]")
    broken = CliRunner().invoke(app, ["leaderboard", str(tmp_path)])
    assert broken.exit_code == 2 and "is not what bonsai" in broken.output


def test_the_leaderboard_in_the_teachers_report(tmp_path):
    handed_in = [result("ada", 10_000, 0.5), result("<b>ben", 10_000, 0.5), result("cem", 60_000, 4.0, score=0.0)]
    learners = [
        report.Learner(r["student"], 60.0, 70.0, 0.0, 0.0, 60.0, 70.0, measured=r["measured"]) for r in handed_in
    ]
    made = report.Report("11_capstone", learners, [], [], [], [])
    assert [(e.rank, e.name) for e in made.board] == [(1, "<b>ben"), (1, "ada")]
    report.write([made], tmp_path)
    page = (tmp_path / "report.html").read_text()
    board = page[page.index("Leaderboard of the size track") : page.index("Learners")]
    assert board.count("not verified, within the noise of a neighbour") == 2 and board.count("7.60 ± 0.20") == 2
    assert "&lt;b&gt;ben" in board and "cem" not in board
    other = report.Report("03_pruning", learners, [], [], [], [])
    report.write([other], tmp_path)
    assert "Leaderboard" not in (tmp_path / "report.html").read_text()
