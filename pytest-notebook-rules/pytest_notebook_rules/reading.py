"""A notebook of nbformat 4.0 to 4.5 as the rules see it, read with the standard library alone."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

MAJOR, NEWEST_MINOR = 4, 5
MINOR_WITH_IDS = 5
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# a comment or a tag that takes a cell out of a comparison, or lets it fail
MARKS = re.compile(
    r"^\s*#\s*((?:NBVAL|PYTEST_VALIDATE)_(?:IGNORE_OUTPUT|SKIP|RAISES_EXCEPTION))\s*$",
    re.MULTILINE | re.IGNORECASE,
)
SKIPS = {"nbval-skip", "skip-execution"}
RAISES = {"nbval-raises-exception", "raises-exception"}
TAGS = SKIPS | RAISES | {"nbval-ignore-output", "pytest-validate-ignore-output"}


class Unreadable(Exception):
    """A file that is no notebook of nbformat 4; the text says why, in one line."""


def joined(text: object) -> str:
    """A text that nbformat stores whole or as a list of lines."""
    if isinstance(text, list):
        return "".join(str(line) for line in text)
    return text if isinstance(text, str) else ""


@dataclass(frozen=True)
class Cell:
    """A cell: its number from 1, the line of the file on which it begins, and what is stored."""

    number: int
    line: int
    stored: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.stored.get("cell_type", "")

    @property
    def id(self) -> str | None:
        return self.stored.get("id")

    @property
    def count(self) -> int | None:
        return self.stored.get("execution_count")

    @property
    def metadata(self) -> dict[str, Any]:
        return self.stored.get("metadata") or {}

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return self.stored.get("outputs") or []

    @cached_property
    def source(self) -> str:
        return joined(self.stored.get("source"))

    @property
    def tags(self) -> set[str]:
        tags = self.metadata.get("tags")
        return {str(tag).lower() for tag in tags} if isinstance(tags, list) else set()

    @property
    def marks(self) -> list[str]:
        """How it takes itself out of a comparison, as nbval and nbclient read it."""
        tags = {tag.replace("_", "-"): tag for tag in self.tags}
        return [*MARKS.findall(self.source), *sorted(tags[tag] for tag in tags if tag in TAGS)]

    @property
    def may_raise(self) -> bool:
        return any(mark.lower().replace("_", "-") in RAISES for mark in self.marks)

    @property
    def is_skipped(self) -> bool:
        return any(mark.lower().replace("_", "-") in SKIPS for mark in self.marks)

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"cell {self.number}" + (f" ({self.id})" if self.id else "")


@dataclass(frozen=True)
class Notebook:
    """A notebook and where it lies."""

    path: Path
    minor: int
    metadata: dict[str, Any]
    cells: list[Cell]

    @cached_property
    def code(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "code"]

    @cached_property
    def markdown(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "markdown"]

    @cached_property
    def ids(self) -> set[str]:
        return {cell.id for cell in self.cells if cell.id}

    @property
    def is_python(self) -> bool:
        """True where nothing says that it is another language."""
        kernel, language = (self.metadata.get(k) or {} for k in ("kernelspec", "language_info"))
        names = [language.get("name"), kernel.get("language"), "python"]
        return "python" in next(name for name in names if name).lower()


def text_of(output: dict[str, Any]) -> str:
    """The text that nbval compares, without colours: a stream, or the plain text of a result."""
    if output.get("output_type") == "stream":
        text = joined(output.get("text"))
    else:
        text = joined((output.get("data") or {}).get("text/plain"))
    return ANSI.sub("", text)


def lines_of_cells(text: str, cells: int) -> list[int]:
    """The line on which each cell begins; 1 for all where the layout hides it."""
    decoder, lines = json.JSONDecoder(), []
    found = re.search(r'"cells"\s*:\s*\[', text)
    position = found.end() if found else len(text)
    while found := re.compile(r"[\s,]*(?=\{)").match(text, position):
        lines.append(text.count("\n", 0, found.end()) + 1)
        try:
            position = decoder.raw_decode(text, found.end())[1]
        except json.JSONDecodeError:
            break
    return lines if len(lines) == cells else [1] * cells


def problems_of_form(stored: Any) -> Iterator[str]:
    """Why something is not a notebook that can be read."""
    if not isinstance(stored, dict) or "nbformat" not in stored:
        yield "JSON, but not a notebook: it has no 'nbformat'"
    elif stored["nbformat"] != MAJOR:
        yield f"nbformat {stored['nbformat']} (expected {MAJOR}): open and save it in Jupyter"
    elif not isinstance(stored.get("cells"), list):
        yield "not a notebook: it has no list of 'cells'"
    elif wrong := [n for n, cell in enumerate(stored["cells"], 1) if not isinstance(cell, dict)]:
        yield f"not a notebook: cell {wrong[0]} is no cell"


def read(path: Path) -> Notebook:
    """Read a notebook of nbformat 4.0 to 4.5.

    Parameters
    ----------
    path
        A file that ends in `.ipynb`.

    Returns
    -------
    Notebook
        Its cells as they are stored; cells of nbformat 4.0 to 4.4 have the id None.

    Raises
    ------
    Unreadable
        Where it cannot be read, is not JSON, or is not a notebook of nbformat 4; one line says why.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        stored = json.loads(text)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"not JSON: no UTF-8 text at byte {error.start}") from error
    except json.JSONDecodeError as error:
        words = "the file is empty" if not text.strip() else error.msg
        raise Unreadable(f"not JSON: {words} (line {error.lineno})") from error
    except RecursionError as error:
        raise Unreadable("not a notebook: it is nested too deeply") from error
    for problem in problems_of_form(stored):
        raise Unreadable(problem)
    lines = lines_of_cells(text, len(stored["cells"]))
    cells = [
        Cell(number, line, cell)
        for number, (line, cell) in enumerate(zip(lines, stored["cells"], strict=True), 1)
    ]
    minor, metadata = stored.get("nbformat_minor"), stored.get("metadata")
    return Notebook(
        path,
        minor if isinstance(minor, int) else 0,
        metadata if isinstance(metadata, dict) else {},
        cells,
    )
