"""Whatever a submission says can be shown anywhere: on a terminal, in JSON, in a table, on a page."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from rich.console import Console
from test_cli import bonsai, solved
from test_handed_in import LESSON, gradebook, one_course, right, small  # noqa: F401  (small is a fixture)
from test_hostile import cells_of, cleaned, run, script

from autograder.classes import commands, progress
from autograder.classes.report import as_csv
from autograder.console import fail, shown
from autograder.grading.grade import Graded, Pages, Result, document, grade
from autograder.grading.pages import harmless_markdown, is_harmless
from autograder.text import as_json, printable

NASTY = "\x1b[2J\x1b]52;c;ZWNobw==\x07 \x9b31m \u202egnp \u2066 [bold]x[/bold] [ :skull: \\[/"


def printed(show) -> str:
    """What a terminal without colours gets."""
    file = io.StringIO()
    show(Console(file=file, width=500, color_system=None))
    return file.getvalue()


def is_plain(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


def test_a_terminal_gets_no_escape_sequence_and_no_markup(monkeypatch):
    said = printed(lambda console: console.print(shown(NASTY)))
    assert is_plain(said) and "[bold]x[/bold] [ :skull: \\[/" in said and "\\x1b[2J" in said and "\\u202e" in said
    result = Result(NASTY, "lesson", NASTY, status="graded", flags=[NASTY], exercises=[], measured={"ratio": 1.0})
    for one in (result, Result(f"a/{NASTY}/b", None, None, status="unreadable", flags=[NASTY])):
        assert is_plain(printed(lambda console, one=one: table(monkeypatch, console, one)))
        assert is_plain(printed(lambda console, one=one: progress.Progress(console, 3).result(one)))
        assert is_plain(printed(lambda console, one=one: console.print(
            progress.Progress(console, 3, lambda: {one.notebook: 0.0})._picture())))  # fmt: skip
    assert is_plain(printed(lambda console: said_on(monkeypatch, console, lambda: fail(NASTY))))


def table(monkeypatch, console, result):
    monkeypatch.setattr(commands, "out", console)
    commands.show([result])


def said_on(monkeypatch, console, say):
    monkeypatch.setattr("autograder.console.err", console)
    say()


def test_json_is_json_and_shows_all_its_characters():
    result = Result(NASTY, None, NASTY + "ü😀", flags=[NASTY], measured={"ratio": float("inf"), "x": float("nan")})
    for text in (document([result]), progress.line(result)):
        assert is_plain(text) and "ü😀" in text
        read = json.loads(text, parse_constant=lambda name: pytest.fail(name))
        one = read["results"][0] if "results" in read else read
        assert one["notebook"] == NASTY and one["measured"] == {"ratio": None, "x": None}
    assert json.loads(as_json({"a": "\U000e0001\ud800"})) == {"a": "\U000e0001\ud800"}
    assert printable("a\ud800\n\t") == "a\\ud800\n\\t"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1", "＝1"])
def test_a_table_runs_nothing(text):
    (row,) = csv.reader(io.StringIO(as_csv([[text, 1.5, "plain", "x=1"]]).decode()))
    assert row[0].startswith("'") and row[1:] == ["1.5", "plain", "x=1"] and is_plain(row[0])


def test_no_page_is_written_over_another(tmp_path):
    pages = Pages(tmp_path)
    names = ["n/a/x.ipynb", "n/b/x.ipynb", "n/c/x-2.ipynb", "n/d/X.ipynb", "n/e/x!.ipynb", "n/f/x?.ipynb"]
    names += ["z" * 300 + ".ipynb", "z" * 301 + ".ipynb", "字" * 200 + ".ipynb", "n/..ipynb", "n/.ipynb", ".."]
    for number, name in enumerate(names):
        pages.keep(Graded(Result(name, None, None), page=str(number).encode()))
    for student in ("a/../../b", "a_.._.._b", NASTY):
        pages.keep(Graded(Result("x.ipynb", None, student), page=student.encode()))
    there = list(tmp_path.iterdir())
    assert len(there) == len(names) + 3 == len({path.read_bytes() for path in there})
    assert len({path.name.casefold() for path in there}) == len(there) and all(p.suffix == ".html" for p in there)


@pytest.mark.parametrize(
    "text",
    [
        '<div style="position:fixed;top:0;left:0;width:100%;height:100%;background:white">SPOOF 43 / 43</div>',
        '<a href="https://example.org/" style="position:fixed;top:0">x</a>',
        '<a href="https://example.org/" style="color:white">x</a>',
        '<b style="margin-top:-500px">x</b>',
        '<b style="margin: -9em">x</b>',
        '<b style="opacity:0">x</b>',
        '<b style="display:none">x</b>',
        '<b style="font-size:9999px">x</b>',
        '<b style="transform:scale(99)">x</b>',
        '<b style="color:red;;position:absolute">x</b>',
        '<b style="color:\\70 osition">x</b>',
        '<b style="z-index:9;color:red">x</b>',
        '<b style="color:red/**/;position/**/:fixed">x</b>',
        '<b style="background:url(http://example.org/x)">x</b>',
        '<b style="text-indent:-9999px">x</b>',
        "<table class='navbar navbar-fixed-top'><tr><td>z</td></tr></table>",
        '<div class="modal show">x</div>',
        "<b id='test_quantize'>z</b>",
        "## test_quantize",
        '<img src="data:image/png;base64,AAAA" width="9999" height="9999">',
        '<a href="#x" target="_parent">x</a>',
        '<div style="color:red" style="position:fixed">x</div>',
    ],
)
def test_nothing_lies_over_a_page(text):
    assert not is_harmless(text), text
    assert is_harmless(harmless_markdown(text))


@pytest.mark.parametrize(
    "text",
    [
        '<span style="color:red">important</span>',
        '<div style="text-align: center; font-weight: bold">x</div>',
        '<div class="alert alert-info">note</div>',
        '<img src="data:image/png;base64,AAAA" width="300">',
        "## A heading\n\n```python\ndef f(x):\n    return x\n```\n\n|a|b|\n|:-:|-|\n|1|2|",
    ],
)
def test_honest_markup_stays(text):
    assert harmless_markdown(text) == text


def test_outputs_and_texts_of_the_case_are_what_they_say():
    cells = list(cells_of((Path(__file__).parent / "hostile" / "i03_mime.py").read_text()))
    plain, _ = script("i03_mime")
    graded = run("01", {"quantize"}, plain[:1])
    texts = [nbformat.v4.new_markdown_cell(source.replace("\n# ", "\n").removeprefix("# ")) for _, source in cells[1:]]
    forged = nbformat.v4.new_output("display_data", {"image/png": 'x" onerror="alert(1)', "text/plain": "x"})
    nb, _ = cleaned(*graded.notebook.cells, *texts, nbformat.v4.new_code_cell("1", outputs=[forged]))
    page = HTMLExporter(template_name="basic").from_notebook_node(nb)[0]
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.find_all(["script", "style", "iframe", "svg", "form", "object"])
    for tag in soup.find_all():
        assert not [name for name in tag.attrs if name.startswith("on")], tag
        assert "position" not in tag.get("style", "") and "navbar" not in tag.get("class", []), tag
        assert not str(tag.get("href", "")).lower().startswith("javascript"), tag
        assert tag.name != "img" or tag["src"].startswith("data:image/"), tag
        assert not str(tag.get("id", "")).startswith("test_"), tag


def test_what_a_submission_names_is_shown_as_it_is(small, tmp_path):  # noqa: F811
    """The kernel's language, an error's text, a path that a cell names, the folder that it all lies in."""
    nb = solved()
    nb.metadata.kernelspec = {"name": "\x1b[2Jir", "display_name": "x", "language": "R\x1b[2J[bold]\u202e"}
    nb.cells.insert(1, nbformat.v4.new_code_cell("p = '/proc/\x1b[2J\x1b[H\x1b[32mALL 43/43\x1b[0m'"))
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "half":
            cell.source = "def half(x):\n    raise ValueError('\x1b[2J \\x1b]0;t\\x07 \\u202e [bold]')"
    folder = small / "sub[" / "\x1b[2J[bold]b"
    folder.mkdir(parents=True)
    (folder / "90_small.ipynb").write_text(json.dumps(nb))
    (result,) = grade([folder / "90_small.ipynb"], feedback=tmp_path / "pages", lesson="90")
    assert result.status == "graded" and result.score == 2, result
    assert is_plain("".join(result.flags)) and len(result.flags) == 2, result.flags
    assert "written in R\\x1b[2J[bold]\\u202e" in result.flags[0] and "/proc/\\x1b[2J" in result.flags[1]
    assert is_plain(result.exercises[1]["message"]) and is_plain(document([result]))
    (page,) = (tmp_path / "pages").iterdir()
    assert "\x1b" not in page.read_text() and "\u202e" not in page.read_text().split("<body")[1].split("def half")[0]


def test_a_path_with_markup_is_graded_from_the_command_line(tmp_path):
    folder = tmp_path / "sub["
    folder.mkdir()
    (folder / "b\x1b[2J[bold].ipynb").write_text("{")
    done = bonsai("grade", folder / "b\x1b[2J[bold].ipynb", "--feedback", tmp_path / "[/x", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "not complete JSON" in done.stderr
    assert is_plain(done.stdout + done.stderr) and "b\\x1b[2J[bold]" in done.stdout


def test_student_folders_with_odd_names_are_graded_or_named(small):  # noqa: F811
    """Brackets mean something to nbgrader and to rich; what cannot be shown or found is said, and stops nobody."""
    names = ["a[b]", "[bold]", "=cmd", "zo\u00eb", "\x1b[2J", "x\udcff", "last"]
    folder = one_course(small / "course", dict.fromkeys(names, right()))
    done = bonsai("course", "grade", "--workers", 1, cwd=folder, PYTHONPATH=str(folder))
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    for odd in ("'a[b]'", "'[bold]'", "'\\x1b[2J'", "'x\\udcff'"):
        assert f"{odd} can be no student's name" in done.stderr
    good = {"=cmd", "zo\u00eb", "last"}
    assert {who: points for who, (points, _) in gradebook(folder).items()} == dict.fromkeys(good, (2, 3))
    for who in good:
        assert (folder / "feedback" / who / LESSON / f"{LESSON}.html").exists() and who in done.stdout, who
    command = [sys.executable, "-m", "nbgrader", "autograde", LESSON, "--force"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert {who: points for who, (points, _) in gradebook(folder).items()} == dict.fromkeys(good, (2, 3))
