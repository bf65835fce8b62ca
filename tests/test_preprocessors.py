# ruff: noqa: E501  (sources of notebooks are dense)
"""nbgrader with the split grader in it: points, feedback, and what a submission's metadata and text can do."""

import os
import time
from dataclasses import asdict

import nbformat
import pytest
import test_split
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown import markdown2html
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from autograder.grading import pages, preprocessors
from autograder.grading.handed_in import files_of
from autograder.grading.pages import Formulas, is_harmless, with_mathml
from autograder.grading.preprocessors import configure, fenced, harmless_markdown, without_hidden
from autograder.source import LESSONS

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with one assignment; grading in it shares one warm grader."""
    root = tmp_path_factory.mktemp("course")
    source = test_split.notebook()
    for number, cell in enumerate(source.cells):
        cell.metadata.nbgrader["schema_version"] = 3
        if cell.metadata.nbgrader["grade_id"] == "test_pack":
            cell.source = test_split.CLAUSES
        cell.id = f"c{number}"
        if cell.metadata.nbgrader["solution"]:
            cell.source = f"### BEGIN SOLUTION\n{cell.source}\n### END SOLUTION"
    scheme = "=== BEGIN MARK SCHEME ===\nMARKING_2: names the bytes\n=== END MARK SCHEME ==="
    hint = "<details><summary>Hint</summary>because $a<b$</details>"
    source.cells.append(nbformat.v4.new_markdown_cell(f"Why? {hint}\n\n{scheme}\n"))
    task = {
        "grade_id": "why",
        "points": 2,
        "task": True,
        "locked": True,
        "grade": False,
        "solution": False,
        "schema_version": 3,
    }
    source.cells[-1].metadata["nbgrader"] = task
    folder = root / "source" / "small"
    folder.mkdir(parents=True)
    nbformat.write(source, folder / "small.ipynb")
    config = Config()
    config.CourseDirectory.root = str(root)
    config.NbGrader.logfile = ""
    configure(config)
    config.SplitExecute.limits = asdict(test_split.LIMITS)
    preprocessors._graders[(os.getpid(), "bubblewrap", test_split.LIMITS, True)] = test_split.shared()
    api = NbGraderAPI(config=config)
    assert api.generate_assignment("small")["success"]
    return root, api


def hand_in(course, student, change=None, **answers):
    """Grade a submission; the stored points, the autograded notebook, the feedback page."""
    root, api = course
    notebook = nbformat.read(root / "release" / "small" / "small.ipynb", 4)
    by_name = {c.metadata.nbgrader.grade_id: c for c in notebook.cells}
    for name, text in (test_split.ANSWERS | answers).items():
        by_name[name].source = text
    if change:
        change(notebook, by_name)
    folder = root / "submitted" / student / "small"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "small.ipynb")
    result = api.autograde("small", student)
    assert result["success"], result
    assert api.generate_feedback("small", student)["success"]
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        grades = gradebook.find_submission_notebook("small", "small", student).grades
        points = {g.name: g.auto_score for g in grades}
    graded = nbformat.read(root / "autograded" / student / "small" / "small.ipynb", 4)
    page = (root / "feedback" / student / "small" / "small.html").read_text()
    return points, graded, page


FULL = {"test_double": 4, "test_total": 3, "test_pack": 5, "why": None}


def test_points_flags_and_feedback(course):
    points, graded, page = hand_in(course, "ada")
    assert points == FULL and graded.metadata.bonsai_flags == []
    assert graded.metadata.bonsai_run["measured"]["size"] == 9
    results = [c.metadata.bonsai_result for c in graded.cells if "bonsai_result" in c.metadata]
    assert [r["passed"] for r in results] == [True] * 3
    assert test_split.SECRET not in page and "HIDDEN TESTS" not in page
    assert "<details>" in page  # the lesson's own text stays
    assert "MARKING_2" not in page and "MARKING_2" in graded.cells[-1].source  # for the teacher only


def test_flags_reach_the_log_the_formgrader_and_the_feedback(course, caplog):
    def change(notebook, by_name):
        by_name["test_double"].source += "\nprint('mine')"

    root, _ = course
    hand_in(course, "gus")
    _points, graded, page = hand_in(course, "fay", change, double="def double(x):\n    import socket\n    return 2 * x")
    flags = graded.metadata.bonsai_flags
    assert any("'test_double' was changed" in flag for flag in flags) and len(flags) >= 2
    assert all(flag in BeautifulSoup(page, "html.parser").get_text() for flag in flags)
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        notebook = gradebook.find_submission_notebook("small", "small", "fay")
        assert notebook.flagged
        comment = gradebook.find_comment("double", "small", "small", "fay").comment
        assert all(flag in comment for flag in flags)
        assert not gradebook.find_submission_notebook("small", "small", "gus").flagged
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert all(flag in said for flag in flags)
    assert "checksum" not in said and "not recognized" not in said


def test_a_hidden_failure_shows_its_message_and_not_its_source(course):
    points, _graded, page = hand_in(course, "bob", total="def total(xs):\n    return 6")
    assert points == FULL | {"test_total": 0}
    assert "(a hidden test)" in page and "total(50 numbers)" in page and "randrange" not in page
    rows = [
        [td.get_text() for td in tr.find_all("td")] for tr in BeautifulSoup(page, "html.parser").table.find_all("tr")
    ]
    assert rows[1] == ["double", "4 / 4", "✓"] and rows[2][:2] == ["total", "0 / 3"] and rows[4][0] == "why"
    assert rows[4] == ["why", "– / 2", "not graded yet: your teacher does"]
    listed = [li.get_text(" ", strip=True) for li in BeautifulSoup(page, "html.parser").find(id="toc").find_all("li")]
    assert listed[:2] == ["double : 4 of 4", "total : 0 of 3"] and listed[3] == "why : not graded yet, 2 points"
    assert rows[2][2].startswith("(a hidden test) total(50 numbers)")
    assert "✗ (a hidden test) total(50 numbers)" in page  # and at its cell


def test_feedback_shows_the_points_of_the_clauses_that_hold(course):
    half = test_split.ANSWERS["pack"].replace("helper(blob)", "[]")
    points, _graded, page = hand_in(course, "kim", pack=half)
    assert points == FULL | {"test_pack": 2}
    soup = BeautifulSoup(page, "html.parser")
    row = [td.get_text(" ") for td in soup.table.find_all("tr")[3].find_all("td")]
    assert row[:2] == ["pack", "2 / 5"] and row[2].endswith("2 of 5 points, for: packing")
    assert "pack : 2 of 5" in [li.get_text(" ", strip=True) for li in soup.find(id="toc").find_all("li")]


def test_a_question_that_was_graded_by_hand_shows_its_points(course):
    root, api = course
    hand_in(course, "una")
    with Gradebook(f"sqlite:///{root}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("why", "small", "small", "una")
        grade.manual_score, grade.needs_manual_grade = 0, False
        gradebook.db.commit()
    assert api.generate_feedback("small", "una", force=True)["success"]
    page = BeautifulSoup((root / "feedback" / "una" / "small" / "small.html").read_text(), "html.parser")
    assert "why : 0 of 2" in [li.get_text(" ", strip=True) for li in page.find(id="toc").find_all("li")]


def test_a_feedback_page_needs_no_network_and_runs_nothing(course):
    _, _, page = hand_in(course, "mia")
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.find_all("script") and not soup.find_all("link")
    assert not [t for t in soup.find_all(True) if str(t.get("src", "")).startswith(("http", "//"))]
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy
    assert soup.math and soup.math.find("mo").get_text() == "<" and "$a" not in soup.get_text()


def test_a_page_that_takes_too_long_to_make_has_the_results_alone(course, monkeypatch):
    def change(notebook, by_name):
        notebook.cells.append(nbformat.v4.new_code_cell("# a very long cell\n" + "x = f(1, [2, 'three'])\n" * 60_000))

    monkeypatch.setattr(pages, "PAGE_S", 2)
    before = time.process_time()
    points, graded, page = hand_in(course, "lea", change)
    soup = BeautifulSoup(page, "html.parser")
    assert points == FULL and "x = f(1" in graded.cells[-1].source
    assert "x = f(1" not in page and pages.NOT_SHOWN in soup.get_text()
    assert "double : 4 of 4" in [li.get_text(" ", strip=True) for li in soup.find(id="toc").find_all("li")]
    assert "✓" in soup.table.get_text() and not soup.find_all("script")
    assert time.process_time() - before < 10  # of our own process: the page took more


def test_the_formgraders_page_has_formulas_without_a_network(course):
    root, api = course
    hand_in(course, "noa")
    assert HTMLExporter(config=api.config).preprocessors == [Formulas]
    exporter = HTMLExporter(config=api.config, template_name="classic")
    page, _ = exporter.from_filename(str(root / "autograded" / "noa" / "small" / "small.ipynb"))
    assert "<math" in page and "$a" not in BeautifulSoup(page, "html.parser").get_text()


def copied(notebook, by_name):
    notebook.cells.insert(1, nbformat.from_dict(by_name["test_double"]))


def removed(notebook, by_name):
    notebook.cells.remove(by_name["test_total"])


def emptied(notebook, by_name):
    notebook.cells = []


def answers_in_cells_of_their_own(notebook, by_name):
    notebook.cells = [nbformat.v4.new_code_cell(by_name[n].source) for n in test_split.ANSWERS]
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import torch"))


def edited(notebook, by_name):
    by_name["test_double"].source = "1000.0"
    by_name["setup"].source += "\nexpect = print"


def claimed(notebook, by_name):
    for cell in notebook.cells:
        cell.metadata["bonsai_result"] = {"passed": True, "points": 1000}
    notebook.metadata["bonsai_run"] = {"measured": {"ratio": 1e9}}
    notebook.metadata["bonsai_flags"] = ["all is well"]


def retyped(notebook, by_name):
    by_name["test_double"].cell_type = "markdown"
    by_name["test_double"].pop("outputs"), by_name["test_double"].pop("execution_count")


def relabelled(notebook, by_name):
    by_name["double"].metadata.nbgrader.update(locked=True, solution=False, grade=False)
    by_name["double"].source = "import os\nos.environ['OUTSIDE'] = 'yes'\nexpect = print\ndouble = None"


def unlabelled(notebook, by_name):
    del by_name["double"].metadata["nbgrader"]


def strange(notebook, by_name):
    notebook.cells[0].metadata["nbgrader"] = {"grade_id": ["x"], "locked": 7}
    notebook.cells.append(
        nbformat.v4.new_code_cell("expect = print", metadata={"nbgrader": {"grade_id": "mine", "locked": True}})
    )


@pytest.mark.parametrize(
    ("change", "expected", "flag"),
    [
        (copied, FULL, "more than once"),
        (removed, FULL, "'test_total' was missing"),
        (emptied, dict.fromkeys(FULL, 0) | {"why": None}, "'setup' was missing"),
        (answers_in_cells_of_their_own, FULL, "'test_pack' was missing"),
        (edited, FULL, "'test_double' was changed"),
        (claimed, FULL, "brought results of its own"),
        (retyped, FULL, "'test_double' was changed"),
        (relabelled, FULL | {"test_double": 0}, "label of cell 'double' was changed"),
        (unlabelled, FULL, "'double' was missing"),
        (strange, FULL, "'setup' was missing"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_notebooks_are_restored_or_cost_their_own_points(course, change, expected, flag):
    points, graded, _ = hand_in(course, change.__name__, change)
    if change is copied:  # the copy stands before the answer, and the first one counts
        expected = FULL | {"test_double": 0}
    assert points == expected
    assert flag in " ".join(graded.metadata.bonsai_flags) and "all is well" not in graded.metadata.bonsai_flags
    assert "ratio" not in graded.metadata.get("bonsai_run", {}).get("measured", {})


def test_without_a_result_there_are_no_points(course, monkeypatch):
    """Empty outputs, or forged metadata, are not a pass when nothing ran."""
    monkeypatch.setattr(preprocessors.SplitExecute, "preprocess", lambda self, nb, resources, km=None: (nb, resources))
    points, _, _ = hand_in(course, "nobody", claimed)
    assert points == {"test_double": 0, "test_total": 0, "test_pack": 0, "why": None}


def test_no_script_of_a_learner_reaches_a_page(course):
    def change(notebook, by_name):
        notebook.metadata["title"], notebook.metadata["language_info"] = EVIL, {"name": EVIL}
        notebook.cells.append(
            nbformat.v4.new_markdown_cell(f"{EVIL}\n\n![x](http://evil.example/x.png) [y](javascript:alert(2))")
        )
        notebook.cells.append(
            nbformat.v4.new_raw_cell("<script>alert(3)</script>", metadata={"raw_mimetype": "text/html"})
        )
        code = [
            f"from IPython.display import HTML, SVG, Javascript, Markdown, Image, display\ndisplay(HTML({EVIL!r}))\ndisplay(HTML('<script>alert(4)</script>'))",
            f"display(Javascript('alert(5)'))\ndisplay(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(6)\"/>'))\ndisplay(Markdown({EVIL!r}))",
            f"display({{'image/png': {EVIL!r}, 'text/plain': {EVIL!r}}}, raw=True)\ndisplay(Image(url='http://evil.example/y.png'))\nprint({EVIL!r})",
            f"raise ValueError({EVIL!r})",
            f"display({{'application/vnd.jupyter.widget-view+json': {{'model_id': {EVIL!r}}}}}, raw=True)\ndisplay({{'text/latex': '$\\\\href{{javascript:alert(7)}}{{x}}$'}}, raw=True)",
            "display({'image/png': 'AAAA\" onerror=\"alert(8)'}, raw=True, metadata={'image/png': {'width': '1\" onload=\"alert(9)'}})",
        ]
        notebook.cells += [
            nbformat.v4.new_code_cell(text, metadata={"tags": ['"><script>alert(10)</script>']}) for text in code
        ]

    answer = f"def double(x):\n    raise ValueError({EVIL!r})"
    _, graded, page = hand_in(course, "eve", change, double=answer)
    assert any("Markup that no page may hold" in flag for flag in graded.metadata.bonsai_flags)
    soup = BeautifulSoup(page, "html.parser")
    assert not [t for t in soup.find_all(True) for a in t.attrs if a.lower().startswith("on")]
    assert not [s for s in soup.find_all("script") if "alert" in (s.string or "")]
    sources = [t.get(a, "") for t in soup.find_all(True) for a in ("src", "href", "data")]
    assert not [s for s in sources if "evil" in s or s.strip().lower().startswith("javascript")]
    assert not soup.find_all(["svg", "iframe", "object", "embed"])


@pytest.mark.parametrize(
    "text",
    [EVIL, "![a](http://evil/x.png)", "[x](javascript:alert(1))", "[x](java&#115;cript:alert(1))", "<javascript:alert(1)>",
     "x <svg onload=alert(1)>", "![a](data:image/svg+xml;base64,AAA)", "<a href=' java\tscript:alert(1)'>x</a>",
     "<p style='background:url(//e)'>x</p>", "<!-- x -->", "![][r]\n\n[r]: //evil/x", "<iframe src=x></iframe>",
     "[t]\n\n[t]: data:text/html,x", "<math><mtext></p><script>1</script>", "<form action=//e><button>x</button></form>",
     "<base href=//evil>", "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=//e>", "\\(<img src=x onerror=1>\\)",
     "```\nx\n```\n<script>1</script>", "<details ontoggle=alert(1) open>", "<img src='data:text/html,x'>", "<p\nonclick=x>y"],
)  # fmt: skip
def test_harmful_text_is_made_harmless(text):
    soup = BeautifulSoup(markdown2html(harmless_markdown(text)), "html.parser")
    assert not soup.find_all(["script", "svg", "iframe", "form", "base", "meta", "link", "style", "math"])
    for tag in soup.find_all(True):
        assert not [a for a in tag.attrs if a.startswith("on")]
        assert not str(tag.get("src", "")).startswith(("http", "//", "data:"))
        assert "script:" not in "".join(str(tag.get("href", "")).split()) and "url" not in str(tag.get("style", ""))


@pytest.mark.parametrize(
    "text",
    ["# Title\n\n> a < b and `x > y`", "$a<b$ and $$\\sum_{i<n}$$", "| a | b |\n|---|---|\n| 1 | 2 |", "<b>bold</b> [l](https://x.org/a?b=c:d)",
     "<details><summary>Hint</summary>Use <code>round</code>.</details>", "```python\nif a < b: print('<script>')\n```", "[a](#part:2) [b](mailto:x@y.z)"],
)  # fmt: skip
def test_the_lessons_own_text_stays_as_it_is(text):
    assert harmless_markdown(text) == text


FORMULAS = [
    "$a<b$",
    "$$\\sum_{i<n} x_i^2$$",
    "$$\n\\frac{a}{b}\n$$",
    "a $x_*y_*$ b $z*2*3$",
    "| $|x|$ | 1 |\n|---|---|\n| $\\text{a_b}$ | 2 |",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_mathml(text):
    made = with_mathml(text)
    soup = BeautifulSoup(markdown2html(made), "html.parser")
    assert soup.find_all("math") and "$" not in soup.get_text() and not soup.find_all(["em", "strong"])
    assert made == with_mathml(made)


@pytest.mark.parametrize(
    "text",
    ["`$a$`", "``a ` $b$``", "```\n$a$\n```", "~~~~\n$a$\n~~~\n$b$\n~~~~", "it costs $5", "5 \\$ and \\$6", "$\\frac{1}{$", "a $ b\n\nc $ d",
     "$\\text{<script>alert(1)</script>}$", "$\\href{javascript:alert(1)}{x}$", "$\\text{<img src=x onerror=alert(1)>}$"],
)  # fmt: skip
def test_code_and_what_is_no_formula_stay_as_they_are(text):
    assert with_mathml(text) == text


ROUND = ["$x`<img src=q onerror=alert(1)>`$", "`$` <b>x</b> $y$", "$a$ `$`<img src=x onerror=alert(1)>`$` $b$", "$$a$$ $<svg onload=alert(1)>$",
         "```\n$a$\n<script>1</script>\n```\n$b$", "$a\n\n<script>alert(1)</script>\n\nb$", "\\$<iframe src=x>$", "$a$<math><mtext></p><style><a id=\"</style><img src=x onerror=alert(1)>\">"]  # fmt: skip


@pytest.mark.parametrize("text", ROUND)
def test_formulas_are_no_way_round_the_cleaning(text):
    clean = harmless_markdown(text)
    soup = BeautifulSoup(markdown2html(with_mathml(clean)), "html.parser")
    assert not soup.find_all(["script", "svg", "iframe", "style"])
    assert not [a for t in soup.find_all(True) for a in t.attrs if a.startswith("on")]


def test_every_formula_of_the_lessons_is_converted():
    for path in sorted(LESSONS.glob("*/*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown" and is_harmless(cell.source):
                left = BeautifulSoup(markdown2html(with_mathml(cell.source)), "html.parser")
                [t.decompose() for t in left.find_all(["code", "pre"])]
                assert "$" not in left.get_text(), f"{path.stem}: {left.get_text()[:500]}"


def test_small_parts(tmp_path):
    assert fenced("a ```` b").startswith("`````\n")
    assert without_hidden("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc") == "a\nc"
    assert without_hidden("a\n### BEGIN HIDDEN TESTS\nb") == "a\n"
    assert without_hidden("a\n=== BEGIN MARK SCHEME ===\nb\n=== END MARK SCHEME ===\nc") == "a\nc"
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "x.ipynb").write_text("{}")
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    files, refused = files_of(tmp_path)
    assert files == {"a.py": b"1"} and [r.split()[0] for r in refused] == ["'folder'", "'link.py'"]
