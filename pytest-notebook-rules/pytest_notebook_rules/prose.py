"""Rules about what is read: alt texts, links to files and headings, links to cells.

They say what is certain. Pages that a site generator makes (`.html`), labels of such generators
and addresses on the web are left alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pytest_notebook_rules.reading import (
    MINOR_WITH_IDS,
    Cell,
    Notebook,
    Unreadable,
    joined,
    read,
)
from pytest_notebook_rules.rules import Problems, rule
from pytest_notebook_rules.settings import Settings

CODE = re.compile(
    r"^ *(```+|~~~+).*?(?:^ *\1|\Z)|(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\2(?!`)", re.M | re.S
)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
MATHS = re.compile(r"\$\$.*?\$\$|(?<![\\$])\$(?=\S)[^$\n]*(?<=\S)\$|\\\[.*?\\\]", re.DOTALL)
TARGET = (
    r"\(\s*(?:<([^>\n]*)>|((?:[^()\s]|\([^()\s]*\))*))"
    r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^)]*\)))?\s*\)"
)
IMAGE = re.compile(r"!\[((?:[^\[\]]|\[[^\[\]]*\])*)\]" + TARGET)
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|!?\[[^\[\]]*\])*\]" + TARGET)
DEFINITION = re.compile(r"^ {0,3}\[(?!\^)[^\]\n]+\]:\s*<?([^\s>]+)>?", re.MULTILINE)
HTML_LINK = re.compile(r"<a\b[^>]*?\shref\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
HTML_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
SRC = re.compile(r"\ssrc\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
ALT = re.compile(r"\salt\s*(?:=|[\s/>])|\baria-hidden\b|\brole\s*=", re.IGNORECASE)
ELSEWHERE = re.compile(r"[a-zA-Z][\w+.-]*:|//|/|[^#]*[{}<>*|]|.*[$]")
HEADING = re.compile(
    r"^ {0,3}#{1,6}\s+(.+)$|^(.+)\n(?:=+|-+) *$|<h\d[^>]*>([\s\S]*?)</h\d>", re.MULTILINE
)
ANCHOR = re.compile(
    r"\b(?:id|name)\s*=\s*\\?[\"']?([^\"'\s>\\]+)|^ *\(([^()\s]+)\)=|\{#([\w:.-]+)", re.MULTILINE
)
# of slides, of Colab, of generators that number their anchors, and the top of the page
OTHER_FRAGMENT = re.compile(r"$|/|scrollTo=|id\d+$|top$", re.IGNORECASE)
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CELL_LINK = "cell-id="


# --- pictures ------------------------------------------------------------------------------------


def alt_of(cell: Cell, output: dict[str, Any], kind: str) -> str:
    """The alt text of a picture below a cell: in its metadata, or as MyST-NB or Quarto have it."""
    metadata = output.get("metadata") or {}
    of_kind = metadata.get(kind)
    image = (cell.metadata.get("mystnb") or {}).get("image")
    quarto = re.search(r"^#\| *(?:fig-)?alt: *[\"']?(.+?)[\"']?\s*$", cell.source, re.MULTILINE)
    texts = [
        of_kind.get("alt") if isinstance(of_kind, dict) else None,
        metadata.get("alt"),
        image.get("alt") if isinstance(image, dict) else None,
        quarto[1] if quarto else None,
    ]
    return next((text for text in texts if isinstance(text, str) and text.strip()), "").strip()


@rule("alt-texts")
def alt_texts(notebook: Notebook, settings: Settings) -> Problems:
    """Each picture has words for those who do not see it."""
    for cell in notebook.code:
        for output in cell.outputs:
            kind = next((k for k in output.get("data") or {} if k.startswith("image/")), None)
            letters = len(alt_of(cell, output, kind)) if kind else settings.alt_letters
            if letters == 0:
                yield cell, "a picture has no alt text"
            elif letters < settings.alt_letters:
                wanted = settings.alt_letters
                yield cell, f"an alt text of {letters} letters (expected {wanted} or more)"
    for cell in notebook.markdown:
        text = prose(cell)
        targets = [image[2] or image[3] for image in IMAGE.finditer(text) if not image[1].strip()]
        tags = [tag for tag in HTML_IMAGE.findall(text) if not ALT.search(tag)]
        for what in [*targets, *(tag[:60] for tag in tags)]:
            yield cell, f"the picture {what[:60]!r} has no alt text"


# --- links ---------------------------------------------------------------------------------------


def prose(cell: Cell) -> str:
    """A cell's Markdown without code, comments and mathematics."""
    return MATHS.sub("$", COMMENT.sub("", CODE.sub("`", cell.source)))


def targets(cell: Cell) -> Iterator[str]:
    """What its links and pictures lead to, as written."""
    text = prose(cell)
    for pattern in (IMAGE, LINK):
        for found in pattern.finditer(text):
            yield found[found.lastindex or 0]
    for pattern in (DEFINITION, HTML_LINK):
        yield from pattern.findall(text)
    for tag in HTML_IMAGE.findall(text):
        yield from SRC.findall(tag)


def bare(text: str) -> str:
    """Letters and digits only: Jupyter, GitHub and Sphinx each make another anchor of a heading."""
    shown = re.sub(r"<[^>]*>|\{#[^}]*\}", "", re.sub(TARGET, "", text))
    return re.sub(r"[\W_]+", "", unquote(shown).lower())


def anchors(notebook: Notebook) -> set[str]:
    """What a fragment may name: headings and ids, in the text and in what cells show."""
    found = set()
    for cell in notebook.cells:
        texts = [cell.source]
        for output in cell.outputs:
            data = output.get("data") or {}
            texts += [joined(data.get(kind)) for kind in ("text/html", "text/markdown")]
        for text in texts:
            for pattern in (HEADING, ANCHOR):
                found |= {bare(part) for match in pattern.findall(text) for part in match if part}
    return found


def is_there(folder: Path, target: str) -> bool:
    """Whether a target is a file or folder; one without an ending may be a page's source."""
    names = [target, target.removeprefix("files/")]
    if not Path(target).suffix:
        names += [target.rstrip("/") + ending for ending in (".ipynb", ".md", ".rst")]
    try:
        return any((folder / name).exists() for name in names)
    except (OSError, ValueError):
        return False


def local(target: str) -> tuple[str, str] | None:
    """File and fragment of a target that can be looked up; None for one that cannot."""
    if ELSEWHERE.match(target):
        return None
    file, _, fragment = target.partition("#")
    file = unquote(file.partition("?")[0])
    if file.lower().endswith((".html", ".htm")) or (file and not re.search("[./]", file)):
        return None
    return file, fragment


def linked(notebook: Notebook, file: str) -> Notebook | None:
    """The notebook that a link leads to, where it is one."""
    if not file or (notebook.path.parent / file).resolve() == notebook.path.resolve():
        return notebook
    try:
        return read(notebook.path.parent / file) if file.endswith(".ipynb") else None
    except Unreadable:
        return None


def attachment_is_missing(cell: Cell, target: str) -> bool:
    kind, _, name = target.partition(":")
    attached = cell.stored.get("attachments") or {}
    return kind == "attachment" and not {name, unquote(name)} & attached.keys()


@rule("links")
def links(notebook: Notebook, settings: Settings) -> Problems:
    """Links to files, headings and attachments lead somewhere."""
    for cell in notebook.markdown:
        for target in dict.fromkeys(targets(cell)):
            found = local(target)
            if attachment_is_missing(cell, target):
                yield cell, f"({target}) is not attached to the cell"
            if not found:
                continue
            file, fragment = found
            if file and not is_there(notebook.path.parent, file):
                yield cell, f"({target}) leads to no file"
            elif fragment and not fragment.startswith(CELL_LINK):
                other = linked(notebook, file)
                if other and not OTHER_FRAGMENT.match(fragment):
                    known, name = anchors(other), bare(fragment)
                    # the second heading of a name has a number behind it
                    if not {name, name.rstrip("0123456789")} & known:
                        yield cell, f"({target}) leads to no heading and no anchor"


# --- cell ids ------------------------------------------------------------------------------------


@rule("cell-ids")
def cell_ids(notebook: Notebook, settings: Settings) -> Problems:
    """From nbformat 4.5 on each cell has an id of its own; a link to one (#cell-id=) finds it."""
    seen: set[str] = set()
    for cell in notebook.cells if notebook.minor >= MINOR_WITH_IDS else []:
        if not isinstance(cell.id, str) or not CELL_ID.fullmatch(cell.id):
            yield cell, f"its id is {cell.id!r} (expected letters, digits, - and _)"
        elif cell.id in seen:
            yield cell, "another cell has the same id"
        seen |= {str(cell.id)}
    for cell in notebook.markdown:
        for target in dict.fromkeys(targets(cell)):
            found = local(target)
            if found and found[1].startswith(CELL_LINK):
                other = linked(notebook, found[0])
                if other and unquote(found[1].removeprefix(CELL_LINK)) not in other.ids:
                    old = other.minor < MINOR_WITH_IDS
                    why = f", nbformat 4.{other.minor} has none" if old else ""
                    yield cell, f"({target}) leads to no cell{why}"
