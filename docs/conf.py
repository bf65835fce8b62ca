"""Settings of the reading site: Sphinx with myst-nb and furo. `make site` builds it; it needs no network to be read."""

from html import escape

from latex2mathml.converter import convert

project = "Bonsai"
author = "the Bonsai authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["build"]

nb_execution_mode = "off"  # the notebooks come executed
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "furo"
html_title = "Bonsai"
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # a page read from a disk may not fetch the others
html_math_renderer = "mathml"
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}

autodoc_member_order = "bysource"
autodoc_mock_imports: list[str] = []


def _formula(display: str):
    """Formulas as MathML, which every browser draws without a script."""

    def visit(translator, node):
        try:
            made = convert(node.astext(), display=display)
        except Exception:  # not mathematics that can be read: as it was written
            made = f"<code>{escape(node.astext())}</code>"
        if display == "block":
            made = f'<div class="math">{made}</div>'
        translator.body.append(made)
        from docutils.nodes import SkipNode

        raise SkipNode

    return visit, None


def setup(app):
    app.add_html_math_renderer("mathml", _formula("inline"), _formula("block"))
