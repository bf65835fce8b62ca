"""The report on a class, and the search for answers that are alike."""

import csv
import random
import re
from html.parser import HTMLParser

import pytest
from class_of import LESSON, answered, hand_in, make_course

from autograder import course
from autograder.classes import report
from autograder.classes.executor import Local
from autograder.classes.gradebook import CourseRun
from autograder.classes.ledger import FOLDER, Ledger
from autograder.classes.similarity import RUN, WINDOW, fingerprints, pairs, tokens

ANSWER = """
def entropy(histogram, base=2.0):
    total = sum(histogram)
    result = 0.0
    for count in histogram:
        if count > 0:
            share = count / total
            result -= share * math.log(share) / math.log(base)
    return result
"""
RENAMED = """
def entropy(h, base = 2.0):   # my own work
    s = sum(h)

    e = 0.0
    for n in h:
        if n > 0:
            p = n/s
            e -= (p
                  * math.log(p) / math.log(base))
    return e
"""
OTHER = """
def entropy(histogram, base=2.0):
    p = torch.as_tensor(histogram, dtype=torch.float64)
    p = p[p > 0] / p.sum()
    return float(-(p * p.log()).sum() / math.log(base))
"""


def test_tokens_know_no_names_comments_layout_or_texts():
    one, other = tokens("x = f(a, 'b')  # c\n"), tokens('y  =  g(\n  z, "d")\n')
    assert one == other == ["name", "=", "name", "(", "name", ",", "text", ")"]
    assert tokens("x.sum()") != tokens("x.max()") and tokens("x + 1") != tokens("x + 2")
    assert tokens("def f(:\n  'open")[:3] == ["def", "name", "("]  # what is no Python, as far as it goes


def test_a_shared_passage_is_found_wherever_it_stands():
    passage = " + ".join(f"x.a{i}" for i in range(RUN + WINDOW))
    for seed in range(20):
        chance = random.Random(seed)
        one, other = (" - ".join(f"y.b{chance.random()}" for _ in range(chance.randint(1, 60))) for _ in range(2))
        assert fingerprints(f"{one} - {passage}") & fingerprints(f"{passage} - {other}")
        assert not fingerprints(one) & fingerprints(other)


def test_a_pair_is_more_than_what_everybody_had():
    def class_of(**given):
        crowd = {
            f"s{i}": {"entropy": f"def entropy(h):\n    return h.sum(dim={i}) / {i}.5 + h.mean() ** {i}"}
            for i in range(9)
        }
        return crowd | {who: {"entropy": text} for who, text in given.items()}

    (pair,) = pairs(class_of(ann=ANSWER, ben=RENAMED, cem=OTHER))
    assert (pair.one, pair.other) == ("ann", "ben") and pair.alike > 0.5 and pair.exercises == ("entropy",)
    assert pairs(class_of(ann=ANSWER, ben=RENAMED), given=[ANSWER]) == []  # the lesson gave it
    assert pairs({f"s{i}": {"entropy": ANSWER} for i in range(10)}) == []  # all have it: the obvious answer
    assert pairs({}) == pairs({"ann": {}, "ben": {"x": ""}}) == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("quantize(tensor([1.0]), 2): Codes wrapped around.\n  first difference", "Codes wrapped around."),
        ("the scale: The zero was forgotten.\nfound 3", "The zero was forgotten."),
        ("the scale:\nfirst difference at 3", ""),
        ("f((1, 2)): \n  expected 3", ""),
        ("not answered yet", ""),
        ("f did not return within 20 s", "f did not return within 20 s"),
    ],
)
def test_mistakes_are_counted_by_their_sentence(message, sentence):
    assert report.mistake(message) == sentence


class Page(HTMLParser):
    """What has to be right in a page that is read aloud, printed, or opened without a network."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.headings, self.open, self.tables = [], [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        if tag == "img":
            self.images.append(about)
        self.links += [v for k, v in attrs if k in ("href", "src")]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.tables += tag == "caption"
        assert tag != "script"


LONG = """def half(x):
    parts = [1.0, 2.0, 4.0]
    best = None
    for part in parts:
        guess = x / part
        if best is None or abs(2 * guess - x) < abs(2 * best - x):
            best = guess
    return best
"""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of seven, graded, of whom two handed in the same; one name is markup, and a formula handed in nothing."""
    root = tmp_path_factory.mktemp("class")
    folder = make_course(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.source.SOLUTIONS", root / "solutions")
        for student, text in {"fox<script>": LONG, "gil": LONG.replace("guess", "g")}.items():
            hand_in(folder, student, {f"{LESSON}.ipynb": answered(half=text)})
    with course.api(folder).gradebook as gradebook:
        gradebook.add_student("=gone")
    (folder / FOLDER).mkdir()
    with pytest.MonkeyPatch.context() as patch, Ledger(folder) as ledger:
        patch.syspath_prepend(str(folder))  # its late penalty
        run = CourseRun(folder, ledger)
        with Local(run.settings, 1) as local:
            assert len(list(run.grade(run.pending(), local))) == 7
    return folder


def test_the_report_of_a_class(graded, tmp_path):
    files = report.make(graded, "90", tmp_path / "report")
    assert {f.name for f in files} == {p.name for p in (tmp_path / "report").iterdir()}
    text = (tmp_path / "report" / "report.html").read_text()
    page = Page(text)
    assert page.images and all(len(image["alt"]) > 20 for image in page.images)
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert page.headings[0] == 1 and all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert "fox&lt;script&gt;" in text
    found = {f.stem: list(csv.DictReader(f.open())) for f in files if f.suffix == ".csv"}
    scores = {row["learner"]: row for row in found["scores"]}
    assert (
        scores["eve"]["late_s"] == "122400.0" and scores["eve"]["penalty"] == "2.0" and scores["eve"]["score"] == "0.0"
    )
    assert scores["ann"]["waiting"] == "why" and scores["bad"]["status"] == "unreadable"
    assert scores["'=gone"]["status"] == "missing" and len(scores) == 8
    grades = {row["learner"]: row[LESSON] for row in found["grades"]}
    assert grades["ann"] == scores["ann"]["score"] and grades["'=gone"] == "" and len(grades) == 8
    exercises = {row["exercise"]: row for row in found["exercises"]}
    assert (exercises["double"]["passed"], exercises["double"]["judged"]) == ("4", "6")
    assert (exercises["half"]["minutes"], exercises["half"]["difficulty"]) == ("1", "1")
    assert any(row["learner"] == "cop" and "more than once" in row["flag"] for row in found["flags"])
    (pair,) = found["similarity"]
    assert (pair["learner"], pair["other"], pair["exercises"]) == ("fox<script>", "gil", "half")
    assert "A pair is a place to look, never a verdict" in text


def test_a_report_to_show_names_nobody(graded, tmp_path):
    files = report.make(graded, None, tmp_path / "shown", anonymous=True)
    text = "".join(f.read_text() for f in files)
    assert not any(re.search(rf"\b{who}\b", text) for who in ("ann", "bad", "cop", "dia", "eve", "fox", "gil", "gone"))
    assert not {"flags.csv", "similarity.csv", "grades.csv"} & {f.name for f in files}
    assert "learner 7" in text


def test_a_report_of_nothing_is_one_sentence(graded, tmp_path):
    with pytest.raises(course.CourseError, match="no lesson '77'"):
        report.make(graded, "77", tmp_path)
    with pytest.raises(course.CourseError, match="is not a course"):
        report.make(tmp_path, None, tmp_path)
