"""The decks and their list as HTML, by nbconvert's exporter of slides with a template of ours."""

import re
from pathlib import Path
from typing import Protocol

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import SlidesExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

import content
import notebooks
from content import TAG

TEMPLATES = Path(__file__).resolve().parent / "templates"
TO_A_CELL = re.compile(r"(\d\d)_\w+\.ipynb#cell-id=([\w-]+)")
ABOUT = re.compile(r"^\*\*About\.\*\* (.*)", re.MULTILINE)
COLUMNS = 104  # of printed text; in more it would be too small
TALL = 1.65  # a figure that is less wide than this many times its height
ASKS = re.compile("what do you expect", re.IGNORECASE)
# around a sign between two quantities, and between a number and its unit
IN_A_FORMULA = re.compile(
    r" (?=[=≈≠<>≤≥≪≫+−×] )|(?<=[=≈≠<>≤≥≪≫+−×]) |(?<=\d) (?=· |α|lr\b|%)|(?<=\d ·) "
)


def refuse(tex: str) -> None:
    raise SystemExit(f"MathJax refuses {tex!r}")


class Typesetting(Protocol):
    """What sets formulas: docs/site/typesetting.py."""

    def html(self, tex: str, display: bool) -> str: ...


class OnSlides(IPythonRenderer):
    """Markdown as HTML, formulas typeset; links lead to other slides, or are plain words."""

    def __init__(self, typesetter: Typesetting, addresses: dict[tuple[str, str], str]) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.typesetter, self.addresses = typesetter, addresses

    def text(self, text: str) -> str:
        return super().text(unbroken(text))

    def inline_math(self, body: str) -> str:
        return f'<span class="formula">{self.typesetter.html(body, display=False)}</span>'

    def block_math(self, body: str) -> str:
        tag = TAG.search(body)
        number = f'<span class="number">({tag[1]})</span>' if tag else ""
        html = self.typesetter.html(TAG.sub("", body).strip(), display=True)
        return f'<span class="equation"><span class="formula">{html}</span>{number}</span>'

    def paragraph(self, text: str) -> str:
        kind = ' class="question"' if ASKS.search(text) else ""
        return f"<p{kind}>{text}</p>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        cell = TO_A_CELL.search(url)
        address = self.addresses.get((cell[1], cell[2])) if cell else None
        return f'<a href="{address}">{text}</a>' if address else text


def unbroken(text: str) -> str:
    """The text with its formulas joined, so that no line ends inside one.

    >>> unbroken("With ε = 0 a step is 0.5 lr: take it").replace("\N{NO-BREAK SPACE}", "~")
    'With ε~=~0 a step is 0.5~lr: take it'
    """
    return IN_A_FORMULA.sub("\N{NO-BREAK SPACE}", text)


def room(text: str) -> str:
    """How many columns and rows a printed text takes, as CSS; longer lines are broken.

    >>> room("one\\nthree")
    '--columns: 5; --rows: 2'
    """
    lines = text.rstrip().split("\n")
    columns = min(max(map(len, lines)), COLUMNS)
    rows = sum(max(1, -(-len(line) // columns)) for line in lines)
    return f"--columns: {columns}; --rows: {rows}"


class DeckExporter(SlidesExporter):
    """nbconvert's own, with our template and our Markdown."""

    def __init__(self, markdown: MarkdownWithMath) -> None:
        super().__init__(extra_template_basedirs=[str(TEMPLATES)], template_name="deck")
        self.register_filter("on_slides", markdown.render)
        self.register_filter("room", room)


class Renderer:
    """Renders all decks: each must know the slides of the others, to lead there."""

    def __init__(self, decks: list[tuple[Path, NotebookNode]], typesetter: Typesetting) -> None:
        addresses = {
            (path.stem[:2], slide.id): f"{path.stem}.html#/{slide.id}"
            for path, notebook in decks
            for slide in content.slides(notebook)
        }
        self.decks = decks
        self.markdown = MarkdownWithMath(renderer=OnSlides(typesetter, addresses))
        self.exporter = DeckExporter(self.markdown)

    def deck(self, path: Path, notebook: NotebookNode) -> str:
        """The page of one notebook's slides."""
        shown = nbformat.from_dict({**notebook, "cells": on_slides(notebook)})
        resources = {"deck": {"title": notebooks.title(notebook), "name": path.stem}}
        html, _ = self.exporter.from_notebook_node(shown, resources)
        return html

    def index(self) -> str:
        """The page that lists the decks."""
        rows = [
            {
                "name": path.stem,
                "title": notebooks.title(notebook),
                "about": self.markdown.render(ABOUT.search(notebook.cells[0].source)[1]),
                "slides": len(content.slides(notebook)),
                "minutes": content.minutes(notebook),
            }
            for path, notebook in self.decks
        ]
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False
        )
        return environment.get_template("index.html.j2").render(decks=rows)


def on_slides(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that are on slides, each with what the template asks for under `on_slide`."""
    cells, so_far, slides = [], 0.0, content.slides(notebook)
    whole = content.minutes(notebook)
    for number, slide in enumerate(slides, 1):
        so_far += slide.minutes
        for cell in slide.cells:
            text = content.text_of(cell)
            cell = nbformat.from_dict({**cell})
            cell.on_slide = {
                "text": text,
                "show": cell.metadata.slideshow.get("show", "output"),
                "asks": bool(ASKS.search(text)),
            }
            cells.append(cell)
        cells[-len(slide.cells)].on_slide |= {
            "number": number,
            "of": len(slides),
            "kind": kind(slide, number),
            "notes": slide.notes,
            "minutes": slide.minutes,
            "so_far": so_far,
            "whole": whole,
        }
    return cells


def kind(slide: content.Slide, number: int) -> str:
    """What a slide looks like: its classes."""
    if number == 1:
        return "cover"
    outputs = [output for cell in slide.cells for output in content.shown(cell)]
    for size in [
        out.metadata["image/png"] for out in outputs if "image/png" in out.get("data", {})
    ]:
        tall = len(slide.cells) > 1 and size["width"] < TALL * size["height"]
        return "with-figure beside" if tall else "with-figure"
    return "exercise" if content.text_of(slide.cells[0]).startswith("## Exercise") else "plain"
