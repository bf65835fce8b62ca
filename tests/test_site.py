"""The reading site: complete, readable without a network, and without answers."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright
from test_browser import ARGS, CHROMIUM, SIZES

from autograder import site
from autograder.source import sources, teacher_notebook

SECRET = re.compile(r"(?:### BEGIN (?:SOLUTION|HIDDEN TESTS)|=== BEGIN MARK SCHEME ===)\n(.*?)(?:###|===) END", re.S)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    site.build(folder)
    return folder


class Page(HTMLParser):
    """What a page loads, links to, shows, and how its headings follow each other."""

    def __init__(self, path: Path):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.alts: list[str] = []
        self.ids: set[str] = set()
        self.headings: list[int] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given[k] for k in ("id", "name") if given.get(k)}
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loads.append(given.get("href") or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img":
            self.alts.append(given.get("alt") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def test_every_page_is_whole_and_loads_nothing_from_elsewhere(built):
    pages = {path: Page(path) for path in built.rglob("*.html")}
    assert {f"{s.stem}.html" for s in sources()} <= {p.name for p in pages}
    for path, page in pages.items():
        assert not [u for u in page.loads if re.match(r"(https?:)?//", u)], path
        for link in page.links:
            if re.match(r"(https?|mailto):", link):
                continue
            target, _, anchor = link.partition("#")
            file = (path.parent / target).resolve() if target else path.resolve()
            assert file.exists(), f"{path.name} links to {link}"
            if anchor and file.suffix == ".html":
                assert anchor in pages[path.parent / target if target else path].ids or file != path, link


def test_lessons_have_pictures_with_words_and_headings_in_order(built):
    for source in sources():
        page = Page(built / "lessons" / f"{source.stem}.html")
        assert page.headings[0] == 1, source.stem
        jumps = [(a, b) for a, b in zip(page.headings, page.headings[1:], strict=False) if b > a + 1]
        assert not jumps, f"{source.stem}: headings jump {jumps}"
        assert sum(len(alt) > 20 for alt in page.alts) >= 3, source.stem


def test_the_decision_table_has_a_page_of_its_own(built):
    text = (built / "decisions.html").read_text(encoding="utf-8")
    page = Page(built / "decisions.html")
    assert page.headings[0] == 1 and any(len(alt) > 20 for alt in page.alts)
    assert "int8, static" in text and "combined: 35 to 50 times" in text and "3. One number" not in text
    assert "decisions.html" in Page(built / "index.html").links


def test_the_site_holds_no_answer_no_hidden_test_and_no_mark_scheme(built):
    pages = [p.read_text(encoding="utf-8") for p in built.rglob("*.html")]
    text = re.sub(r"<[^>]+>", "", "\n".join(pages)).replace("&#39;", "'").replace("&quot;", '"')
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    shown = {line.strip() for line in text.splitlines()}
    notebooks = {source: teacher_notebook(source) for source in sources()}
    cells = [cell for notebook in notebooks.values() for cell in notebook.cells]
    public = {line.strip() for cell in cells for line in SECRET.sub("", cell.source).splitlines()}
    for source, notebook in notebooks.items():
        for cell in notebook.cells:
            for region in SECRET.findall(cell.source):
                for line in {x.strip() for x in region.splitlines()} - public:
                    assert len(line) < 25 or line not in shown, f"{source.stem}: {line}"


def test_a_page_of_the_site_keeps_the_answer_cells_as_stubs_and_drops_widgets():
    name = sources()[0].stem
    made = site.page(name)
    nbformat.validate(made)
    stubs = [c for c in made.cells if c.cell_type == "code" and "raise NotImplementedError()" in c.source]
    assert stubs and all(not c.outputs for c in stubs)
    assert any(c.get("outputs") for c in made.cells)


# The least contrast (WCAG 2.2, 1.4.3) of a visible text with what lies behind it, and that text.
CONTRAST = """() => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const color = parts(getComputedStyle(e).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
        }
        return [255, 255, 255];
    };
    let least = [21, ""];
    for (const e of document.querySelectorAll("article :is(p, li, h1, h2, h3, td, th, a, summary, .highlight span)")) {
        if (!e.innerText || !e.innerText.trim() || !e.getClientRects().length || e.matches(".headerlink")) continue;
        const [a, b] = [light(parts(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < least[0]) least = [ratio, `${e.tagName} ${e.className}: ${e.innerText.slice(0, 60)}`];
    }
    return least;
}"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt install chromium")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_search_formulas_contrast_and_every_width_in_a_browser(built, scheme, tmp_path):
    shots = Path(os.environ.get("BONSAI_SCREENSHOTS", tmp_path))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(color_scheme=scheme)
        page.set_default_timeout(60_000)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for name in ("index", "lessons/06_quantization_aware_training"):
            page.goto((built / f"{name}.html").as_uri())
            for size in SIZES:
                page.set_viewport_size({"width": size[0], "height": size[1]})
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= size[0] + 10, f"{name} is {width} wide on a screen of {size[0]}"
                page.screenshot(path=shots / f"site-{Path(name).name[:5]}-{scheme}-{size[0]}.png")
            ratio, text = page.evaluate(CONTRAST)
            assert ratio >= 4.5, f"{name}: contrast {ratio:.2f} of {text!r}"
        formula = page.locator("math").first.bounding_box()
        assert formula and formula["width"] > 10 and formula["height"] > 8
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(int(v) for v in re.findall(r"\d+", body)[:3]) < 60) is (scheme == "dark"), body
        page.goto((built / "search.html").as_uri() + "?q=straight-through")
        expect(page.locator("#search-results a").first).to_be_visible()
        assert not said, said
        browser.close()
