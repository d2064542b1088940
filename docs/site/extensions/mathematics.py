"""Formulas are typeset while the site is built: pages need no script, and read without one.

A formula that MathJax refuses is a warning, and warnings are errors. For a screen reader each
formula comes as MathML too, which is not shown.
"""

import json
import re
import subprocess
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
TAG = re.compile(r"\\tag\{(\w+)\}")
SOURCE = re.compile(r' data-(?:latex|semantic-[\w-]+|mjx-texclass)="[^"]*"')
FONT = re.compile(r"fonts/(mjx-[\w-]+\.woff2)")
FONTS = "node_modules/@mathjax/mathjax-newcm-font/chtml/woff2"


class Typesetter:
    """MathJax in a process of its own, for as long as the build takes."""

    def __init__(self, packages: Path) -> None:
        program = Path(__file__).parent.parent / "mathematics.mjs"
        self.process = subprocess.Popen(
            ["node", str(program), str(packages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.known: dict[tuple[str, bool], str] = {}

    def ask(self, **question: object) -> dict[str, str]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("MathJax ended before it was asked everything")
        return json.loads(line)

    def html(self, tex: str, display: bool) -> str:
        if (tex, display) not in self.known:
            found = self.ask(tex=tex, display=display)
            if "<merror" in found["mathml"]:
                logger.warning("MathJax refuses %r", tex)
            shown = SOURCE.sub("", found["html"]).replace("<mjx-container", SHOWN, 1)
            spoken = re.sub(r">\s+<", "><", SOURCE.sub("", found["mathml"]))
            self.known[tex, display] = f'{shown}<span class="spoken">{spoken}</span>'
        return self.known[tex, display]

    def style_sheet(self) -> str:
        return self.ask(css=True)["css"]

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)


SHOWN = '<mjx-container aria-hidden="true"'


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
    app.typesetter = Typesetter(Path(app.config.node_packages))


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write the style sheet for what was typeset, and the fonts that it names."""
    if exception is None:
        css = app.typesetter.style_sheet()
        static = Path(app.outdir) / "_static"
        (static / "mathematics.css").write_text(css, encoding="utf-8")
        (static / "fonts").mkdir(exist_ok=True)
        for name in sorted(set(FONT.findall(css))):
            font = Path(app.config.node_packages) / FONTS / name
            (static / "fonts" / name).write_bytes(font.read_bytes())
    app.typesetter.end()


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("node_packages", "", "html")
    app.add_html_math_renderer("typeset", (visit_inline, None), (visit_block, None))
    app.add_css_file("mathematics.css")
    app.connect("builder-inited", begin)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
