"""What a page shows: text cells without anything harmful, formulas that need no script, a table of the results."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection
from html import escape, unescape
from html.parser import HTMLParser
from typing import Any

import nbformat
from bleach import clean as bleach_clean
from latex2mathml.converter import convert as to_mathml
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown import markdown2html
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades

from autograder.grading.handed_in import bounded

# Harmless text -------------------------------------------------------------------------------------------------------

TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr b blockquote br caption center code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li "
        "mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var",
    )
)
ATTRIBUTES = frozenset(
    re.findall(r"\w+", "align alt class colspan height href id open rowspan src start style title width")
)
VALUE = r"\s*[\w #.%]*\s*"  # no url(), no escapes, nothing negative
STYLES = "background|background-color|color|font-style|font-weight|text-align|text-decoration|vertical-align"
STYLE = re.compile(rf"\s*(({STYLES}):{VALUE}(;\s*|$))*")  # nothing that takes a text to another place
CLASS = re.compile(r"\s*((highlight|anchor-link|table|alert|alert-[a-z]{4,7}|[a-z][a-z0-9]?)(\s+|$))*")
SIZE = re.compile(r"\d{1,3}(px|%)?|\d?(\.\d{1,3})?em|(negative)?[a-z]{4,13}mathspace|")  # pictures, spaces of formulas
RASTER = ("image/png", "image/jpeg", "image/gif")
PICTURE_BYTES = 4 << 20  # of a text cell's pictures, in base64
HIDDEN = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # and what turns text round
SCHEMES = ("", "http", "https", "mailto")
PAGE_S, PAGE_MB = 30, 1024  # for making a page
NOT_SHOWN = "The notebook is not shown: it takes too long to make a page of it."
RESERVED = ("test_", "cell-id=")  # what the ids of a page's own cells begin with


class _Page(HTMLParser):
    """Notes whether rendered text holds anything that is not on the lists."""

    def __init__(self, tags: frozenset[str], attributes: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes = tags, attributes
        self.bad = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bad |= tag not in self.tags
        for name, value in attrs:
            text = value or ""
            scheme = re.sub(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u200b]", "", unescape(text)).partition(":")
            found = scheme[0].lower() if scheme[1] and "/" not in scheme[0] and "#" not in scheme[0] else ""
            self.bad |= name not in self.attributes
            self.bad |= name == "href" and found not in SCHEMES
            local = not found and not text.strip().startswith(("//", "\\", "/\\"))
            self.bad |= name == "src" and not (local or re.match(r"data:image/(png|jpeg|gif);base64,", text))
            self.bad |= name == "style" and (tag == "a" or not STYLE.fullmatch(text))
            self.bad |= name == "class" and not CLASS.fullmatch(text)
            self.bad |= name in ("width", "height") and not SIZE.fullmatch(text)
            self.bad |= name == "id" and text.startswith(RESERVED)  # the results' own

    def handle_comment(self, data: str) -> None:
        self.bad = True

    def handle_decl(self, decl: str) -> None:
        self.bad = True

    def handle_pi(self, data: str) -> None:
        self.bad = True

    def unknown_decl(self, data: str) -> None:
        self.bad = True


def is_harmless(source: str, tags: frozenset[str] = TAGS, attributes: frozenset[str] = ATTRIBUTES) -> bool:
    """Whether a text cell, rendered, holds only elements, attributes and addresses that are on the lists."""
    page = _Page(tags, attributes)
    try:
        page.feed(markdown2html(source))
    except Exception:
        return False
    return not page.bad and "<" not in page.rawdata  # what is left is a tag that was not closed


def harmless_markdown(source: str, attached: Collection[str] = ()) -> str:
    """The text as it is, if it is harmless; else escaped; else as plain text.

    Args:
        attached: names of the cell's pictures, which it may show.
    """
    if is_harmless(with_pictures(source, attached)):
        return source
    escaped = bleach_clean(source)
    return escaped if is_harmless(escaped) else fenced(source)


def with_pictures(source: str, attached: Collection[str]) -> str:
    """The text with a picture of its own in place of each attached one, as a page will show it."""
    for name in attached:
        source = source.replace(f"attachment:{name}", "data:image/png;base64,AAAA")
    return source


def pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """Of a cell's attachments those that are pictures made of points, as data; no SVG, which is a program."""
    kept, room = {}, PICTURE_BYTES
    for name, kinds in list(attachments.items())[:20] if isinstance(attachments, dict) else []:
        for kind, data in kinds.items() if isinstance(kinds, dict) else []:
            data = "".join(data) if isinstance(data, list) and all(isinstance(d, str) for d in data) else data
            if kind not in RASTER or not isinstance(data, str) or not re.fullmatch(r"[\w. ()-]{1,100}", name):
                continue
            room -= len(data)
            if room >= 0 and re.fullmatch(r"[A-Za-z0-9+/=\s]*", data):
                kept[name] = {kind: data}
    return kept


def without_remote_pictures(source: str) -> str:
    """The text with what a picture from elsewhere says in its place: a page loads nothing, a badge is no cause for
    a remark."""
    source = re.sub(r"!\[([^\]\n]{0,200})\]\(https?:[^)\s]{1,1000}\)", r"\1", source)
    return re.sub(r"<img\b[^<>]{0,2000}>", lambda tag: remote_alt(tag[0]), source)


def remote_alt(tag: str) -> str:
    """What stands for an image of another server; any other tag stays as it is."""
    if not re.search(r"\bsrc\s*=\s*[\"']?https?:", tag) or re.search(r"\son\w+\s*=", tag):
        return tag
    alt = re.search(r"\balt\s*=\s*\"([^\"<>]*)\"", tag)
    return alt[1] if alt else "(a picture)"


def fenced(source: str) -> str:
    """Text in a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{source}\n{fence}"


# Formulas ------------------------------------------------------------------------------------------------------------

MATHML = frozenset(
    re.findall(
        r"\w+",
        "math menclose mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace "
        "msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics",
    )
)
MATHML_ATTRIBUTES = frozenset(
    re.findall(
        r"\w+",
        "accent accentunder align close columnalign columnlines columnspacing depth display displaystyle fence form "
        "height largeop linebreak linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation "
        "open rowlines rowspacing rspace scriptlevel separator separators stretchy symmetric voffset width xmlns",
    )
)
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
CODE_OR_FORMULA = re.compile(
    r"(?P<code>^ {0,3}(?P<fence>`{3,}|~{3,}).*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
    r"|(?<!\\)\$\$(?P<block>.+?)(?<!\\)\$\$"
    r"|(?<![$\\])\$(?P<inline>[^$\n]+(?:\n[^$\n]+)*)(?<!\\)\$(?!\$)",
    re.S | re.M,
)


def with_mathml(source: str) -> str:
    """A text cell with its formulas as MathML, which browsers show without MathJax; code stays as it is.

    A formula that cannot be converted stays as text, and so does the cell if it would hold anything harmful then.
    """
    changed = CODE_OR_FORMULA.sub(lambda m: m[0] if m["code"] else mathml(m[0], m["block"] or m["inline"]), source)
    return changed if is_harmless(changed, TAGS | MATHML, ATTRIBUTES | MATHML_ATTRIBUTES) else source


def mathml(whole: str, formula: str) -> str:
    """`whole`, which is `formula` between dollars, as MathML; or unchanged, if it holds anything but mathematics."""
    display = "block" if whole.startswith("$$") else "inline"
    try:
        made = to_mathml(formula, display=display)
        root = ET.fromstring(made)
    except Exception:  # a formula is anything at all
        return whole
    for element in root.iter():
        name = element.tag.removeprefix(NAMESPACE) if isinstance(element.tag, str) else ""
        if name not in MATHML or not MATHML_ATTRIBUTES.issuperset(element.attrib):
            return whole
    text = re.sub(r">[^<]+<", lambda m: re.sub(r"[^\w\s<>&#;]", lambda c: f"&#{ord(c[0])};", m[0]), made)
    return text.replace("\n", " ")  # the signs that mean something in markdown are gone


class Formulas(Preprocessor):
    """Formulas of text cells as MathML, so that a page shows them without a network."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enabled = True

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
        return cell, resources


# Feedback ------------------------------------------------------------------------------------------------------------


class GradesAndWaits(GetGrades):
    """Scores from the gradebook, and whether a question still waits for its grade: to nbgrader that is a 0."""

    def _get_score(self, cell: NotebookNode, resources: Any) -> None:
        super()._get_score(cell, resources)
        names = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata.nbgrader.grade_id, *names)
        cell.metadata.nbgrader["waits"] = bool(grade.needs_manual_grade and grade.manual_score is None)


class ResultsFirst(Preprocessor):
    """A table of the exercises, their points and messages, above the notebook."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enabled = True

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        graded = [(cell, row) for cell in nb.cells if (row := result_row(cell))]
        resources["entries"] = {cell.metadata.nbgrader.grade_id: entry(cell) for cell, _ in graded}
        if graded:
            rows = "".join(row for _, row in graded)
            head = "<tr><th>Exercise</th><th>Points</th><th>What the tests say</th></tr>"
            flags = "".join(f"<li>{safe(flag)}</li>\n" for flag in nb.metadata.get("bonsai_flags", []))
            remarks = f"\n<p>Remarks, for your teacher too:</p>\n<ul>\n{flags}</ul>" if flags else ""
            late = resources.get("nbgrader", {}).get("late_penalty") or 0
            remarks += f"\n<p>Handed in late: {late:g} points were taken off.</p>" if late else ""
            table = nbformat.v4.new_markdown_cell(f'<table class="table">\n{head}\n{rows}</table>{remarks}')
            nb.cells.insert(0, table)
        return nb, resources


def result_row(cell: NotebookNode) -> str:
    """A row for a test or a question, or ""."""
    meta, result = cell.metadata.get("nbgrader", {}), cell.metadata.get("bonsai_result", {})
    if not (meta.get("grade") or meta.get("task")):
        return ""
    name = meta["grade_id"]
    points, most = meta.get("score", result.get("points", 0)) or 0, meta.get("points", 0)
    waits = meta.get("task") and meta.get("waits")
    said = str(result.get("message", "not graded yet: your teacher does" if waits else ""))
    said = "✓" if result.get("passed") else said
    if result.get("hidden"):
        said = f"(a hidden test) {said}"
    link = f'<a href="#{safe(name)}">{safe(name.removeprefix("test_"))}</a>'
    have = "–" if waits else f"{points:g}"
    return f"<tr><td>{link}</td><td>{have} / {most:g}</td><td>{safe(said)}</td></tr>\n"


def safe(text: str) -> str:
    """Text as HTML within a markdown cell: no markup, no formula, and no blank line, which would end the table."""
    return "<br>".join(escape(line) for line in text.splitlines() if line.strip()).replace("$", "&#36;")


class FeedbackExporter(HTMLExporter):
    """nbgrader's feedback page without scripts, and with a policy that lets a browser load nothing from elsewhere."""

    POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'"

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kw: Any) -> Any:
        """The page, made in a process with limits; one with the results alone, if that takes too much."""
        made = bounded(lambda: self._page(nb, resources, **kw).encode(), PAGE_S, PAGE_MB)
        page = made.decode() if made is not None else self._page(results_alone(nb), resources, **kw)
        return page, self._init_resources(resources)

    def _page(self, nb: NotebookNode, resources: Any, **kw: Any) -> str:
        page, resources = super().from_notebook_node(nb, resources, **kw)
        page = re.sub(r"<script\b.*?</script\s*>", "", page, flags=re.S | re.I)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{self.POLICY}">'
        entries = resources.get("entries", {})
        head, end, rest = page.partition("</ol>")
        head = re.sub(r'<a href="#([^"]+)">[^<]*</a> \(Score: [^)]*\)', lambda m: entries.get(m[1], m[0]), head)
        page = HIDDEN.sub(lambda c: ascii(c[0])[1:-1], head + end + rest)
        return page.replace("<head>", f"<head>\n{policy}", 1)


def results_alone(nb: NotebookNode) -> NotebookNode:
    """A graded notebook without anything that its learner wrote."""
    kept = nbformat.from_dict({**nb, "cells": [c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id")]})
    for cell in kept.cells:
        cell.source = ""
        cell.pop("attachments", None)
        if "outputs" in cell:
            cell.outputs = []
    kept.metadata["bonsai_flags"] = [*nb.metadata.get("bonsai_flags", []), NOT_SHOWN]
    return kept


def entry(cell: NotebookNode) -> str:
    """A test or a question in the list at the top of nbgrader's page, by its name."""
    meta = cell.metadata.nbgrader
    link = f'<a href="#{escape(meta.grade_id)}">{escape(meta.grade_id.removeprefix("test_"))}</a>'
    if meta.get("task") and meta.get("waits"):
        return f"{link}: not graded yet, {meta['points']:g} points"
    return f"{link}: {meta.get('score') or 0:g} of {meta['points']:g}"
