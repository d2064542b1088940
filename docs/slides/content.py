"""What stands on the slides, read from the notebooks: the metadata `slideshow` of their cells.

    "slideshow": {
      "slide_type": "slide",                                a slide begins; "fragment": comes at
                                                            the next key; "-": is there at once
      "text": "## Where?\\n\\n{{So $m$ is there}}\\n\\n{{(3)}}",  what the slide shows of the cell
      "show": "code",                                       of a code cell, instead of its output
      "notes": "Ask before you go on.",                     for the speaker, on slides only
      "minutes": 2
    }

A cell without `slideshow` is on no slide. Without `text` a slide shows the whole of a Markdown
cell, and a code cell's output without a heading. In a text `{{first words}}` is the sentence of the
cell that begins so, `{{first words…}}` what is left of its paragraph, `{{(3)}}` its equation (3): a
sentence that a slide shares with its notebook stands in the notebook only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

import notebooks

SLIDE_TYPES = ("slide", "fragment", "-")
SHOWS = ("output", "code")
HOLE = re.compile(r"\{\{(.+?)\}\}")
EQUATION = re.compile(r"\((\w+)\)")
DISPLAYED = re.compile(r"\$\$.+?\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{(\w+)\}")
# a formula or code, in which a full stop ends nothing; then the end of a sentence
ENDS = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|(?<!et al)[.?!](?=[*)'’]*(?:\s|$))[*)'’]*", re.DOTALL
)


@dataclass
class Slide:
    """One slide: the cells that it shows, and what the speaker reads."""

    cells: list[NotebookNode] = field(default_factory=list)

    @property
    def id(self) -> str:
        """That of its first cell, which is its address: `05_words.html#/corner`."""
        return self.cells[0].id

    @property
    def notes(self) -> str:
        return self.cells[0].metadata.slideshow.get("notes", "")

    @property
    def minutes(self) -> float:
        return self.cells[0].metadata.slideshow.get("minutes", 0)


def slides(notebook: NotebookNode) -> list[Slide]:
    """The slides of a notebook, in order."""
    found: list[Slide] = []
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if kind == "slide":
            found.append(Slide())
        if kind is not None:
            if not found:
                raise ValueError(
                    f"{cell.id}: the first slide's type is {kind!r} (expected 'slide')"
                )
            found[-1].cells.append(cell)
    return found


def minutes(notebook: NotebookNode) -> float:
    """What the slides of a notebook take."""
    return sum(slide.minutes for slide in slides(notebook))


def text_of(cell: NotebookNode) -> str:
    """The Markdown that a slide shows of a cell, the holes filled."""
    otherwise = cell.source if cell.cell_type == "markdown" else ""
    text = cell.metadata.slideshow.get("text", otherwise)
    return HOLE.sub(lambda hole: quoted(cell, hole[1]), text)


def quoted(cell: NotebookNode, words: str) -> str:
    """What a hole takes from its cell: an equation, the rest of a paragraph, or a sentence."""
    if number := EQUATION.fullmatch(words):
        for display in DISPLAYED.findall(cell.source):
            if number[1] in TAG.findall(display):
                return display
        raise ValueError(f"{cell.id}: there is no equation ({number[1]})")
    first = words.removesuffix("…")
    if cell.source.count(first) != 1:
        raise ValueError(
            f"{cell.id}: {first!r} stands {cell.source.count(first)} times in the cell"
        )
    rest = re.split(r"\n\s*\n", cell.source[cell.source.index(first) :])[0]
    if first != words:
        return rest
    for end in ENDS.finditer(rest):
        if end[0][0] in ".?!" and end.end() >= len(first):
            return rest[: end.end()]
    raise ValueError(f"{cell.id}: the sentence {first!r} has no end")


def shown(cell: NotebookNode) -> list[NotebookNode]:
    """The outputs that a slide shows of a cell."""
    if cell.cell_type != "code" or cell.metadata.slideshow.get("show") == "code":
        return []
    return cell.outputs


def decks() -> Iterator[tuple[Path, NotebookNode]]:
    """(Path, notebook) of every notebook of the course."""
    for path in notebooks.in_order():
        yield path, notebooks.read(path)
