"""The reference, from docstrings: which notebooks use a name stands below its entry."""

import re

from sphinx.application import Sphinx

import material

# what reads well in a terminal and is markup to Sphinx: shapes as `(*grid, *own shape)`, and `|g|`
MARKUP = re.compile(r"(?<=[(\s])\*(?=[a-z][\w ]*[),])|\|(?=\S{1,2}\|)|(?<=\|\S)\||(?<=\|\S\S)\|")
# code, examples and directives
KEPT = re.compile(r"(``[^`]+``|`[^`\n]+`|^ *(?:>>>|\.\.\.|\.\. ).*$)", re.MULTILINE)
ROW = re.compile(r"(`+[^`]+`+) +(.+)")
BORDER = re.compile(r"(=+)(  +)(=+)")


def mend(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Make a docstring that is written for a terminal readable for Sphinx."""
    parts = KEPT.split("\n".join(lines))
    parts[::2] = [MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    lines[:] = widened("".join(parts).split("\n"))


def widened(lines: list[str]) -> list[str]:
    """Give a table's first column the room that its longest entry needs.

    >>> widened(["=  =", "`a` b", "=  ="])
    ['===  =', '`a`  b', '===  =']
    """
    borders = [index for index, line in enumerate(lines) if BORDER.fullmatch(line)]
    if len(borders) != 2:
        return lines
    first, last = borders
    rows = [found.groups() for line in lines[first + 1 : last] if (found := ROW.fullmatch(line))]
    if len(rows) != last - first - 1:
        return lines
    width = max(len(row[0]) for row in rows)
    border = "=" * width + "  " + BORDER.fullmatch(lines[first])[3]
    table = [border, *(f"{row[0]:{width}}  {row[1]}" for row in rows), border]
    return [*lines[:first], *table, *lines[last + 1 :]]


def add_uses(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    found = app.course_uses.get(name, [])
    links = [f":ref:`{stem[:2]} <{material.label(stem[:2], cell)}>`" for stem, cell in found]
    if links:
        lines += ["", f"*In notebooks* {', '.join(links)}", ""]


def skip(
    app: Sphinx, kind: str, name: str, thing: object, skipped: bool, options: object
) -> bool | None:
    """Leave out the fields of named tuples, which Python describes by their number."""
    number = (getattr(thing, "__doc__", None) or "").startswith("Alias for field number")
    return True if number else None


def read_uses(app: Sphinx) -> None:
    app.course_uses = material.uses()


def setup(app: Sphinx) -> dict[str, object]:
    app.connect("builder-inited", read_uses)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", mend, priority=100)
    app.connect("autodoc-process-docstring", add_uses, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
