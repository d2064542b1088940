"""Formulas are typeset while the site is built: pages need no script, and read without one.

A formula that MathJax refuses is a warning, and warnings are errors.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from typesetting import TAG, Typesetter

logger = logging.getLogger(__name__)


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    html = typesetter(translator).html(node.astext(), display=False)
    if in_a_link(node):
        shown, _, spoken = html.partition('<span class="spoken">')  # a link's name is plain text
        html = f'{shown}<span class="spoken">{re.sub("<[^>]+>", "", spoken)}</span>'
    translator.body.append(f'<span class="formula">{html}</span>')
    raise nodes.SkipNode


def in_a_link(node: nodes.Node) -> bool:
    return node.parent is not None and (
        isinstance(node.parent, nodes.reference) or in_a_link(node.parent)
    )


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """A displayed formula in a scroller of its own, its number beside it as a link to it."""
    tex = node.astext().strip()
    if r"\\" in tex and r"\begin" not in tex:  # lines of a docstring
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    tag = TAG.search(tex)
    html = typesetter(translator).html(TAG.sub("", tex), display=True)
    number = anchor = ""
    if tag:
        anchor = f' id="equation-{tag[1]}"'
        label = f"equation {tag[1]}"
        number = f'<a class="number" href="#equation-{tag[1]}" aria-label="{label}">({tag[1]})</a>'
    translator.body.append(
        f'<div class="equation"{anchor}><div class="formula" data-tex="{escape(tex)}">{html}</div>'
        f"{number}</div>\n"
    )
    raise nodes.SkipNode


def typesetter(translator: HTML5Translator) -> Typesetter:
    return translator.builder.app.typesetter


def begin(app: Sphinx) -> None:
    def refused(tex: str) -> None:
        logger.warning("MathJax refuses %r", tex)

    app.typesetter = Typesetter(Path(app.config.node_packages), refused)


def finish(app: Sphinx, exception: Exception | None) -> None:
    if exception is None:
        app.typesetter.write_style(Path(app.outdir) / "_static")
    app.typesetter.end()


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("node_packages", "", "html")
    app.add_html_math_renderer("typeset", (visit_inline, None), (visit_block, None))
    app.add_css_file("mathematics.css")
    app.connect("builder-inited", begin)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
