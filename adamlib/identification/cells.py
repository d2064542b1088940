"""The code of a file or a notebook, cell by cell, without IPython's magics."""

import __future__

import ast
import io
import json
import re
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

# %time, !ls, ?help; x = !ls, x = %time; help?
MAGIC = re.compile(r"^\s*([%!?]|[\w., ]+=\s*[%!])|\?\s*$")
# The rest of such a cell is Python; of all others (%%bash, %%html) it is something else.
PYTHON_MAGICS = {"time", "timeit", "capture", "prun"}


class CannotLoad(ValueError):
    """What a target names cannot be had; the message is a sentence for the one who named it."""


@dataclass(frozen=True)
class Cell:
    """A piece of somebody's code.

    Attributes
    ----------
    number : int
        Among the code cells, from 1; 0 for a file.
    name : str
        The file's path, or the notebook's with the number of the cell.
    source : str
        Without magics.
    tree : ast.Module
    flags : int
        What it takes from the future, for `compile`.
    """

    number: int
    name: str
    source: str
    tree: ast.Module
    flags: int


def read_cells(path: Path) -> tuple[list[Cell], dict[int, str]]:
    """Read a file's one cell or a notebook's many; the others are what is no Python: number → why.

    `CannotLoad` is raised where nothing can be read.
    """
    if path.suffix != ".ipynb":
        return [parsed(0, str(path), source_of(path), 0)], {}
    cells: list[Cell] = []
    broken: dict[int, str] = {}
    for number, source in enumerate(sources_of(path), 1):
        flags = cells[-1].flags if cells else 0
        try:
            cells.append(parsed(number, f"{path}, cell {number}", source, flags))
        except CannotLoad as error:
            broken[number] = str(error)
    return cells, broken


def source_of(path: Path) -> str:
    """Read a file of Python in the encoding that it declares."""
    data = content(path)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except (SyntaxError, UnicodeError):
        raise CannotLoad(f"{path} is not Python: it is no text.") from None


def sources_of(path: Path) -> list[str]:
    """Read the code cells of a notebook."""
    try:
        notebook = json.loads(content(path).decode("utf-8"))
        language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        sources = [c["source"] for c in notebook["cells"] if c["cell_type"] == "code"]
        sources = [text if isinstance(text, str) else "".join(text) for text in sources]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise CannotLoad(f"{path} is no notebook (expected JSON with a list of cells).") from None
    if language.lower() not in ("python", "python3", "ipython"):
        raise CannotLoad(f"{path} is not Python: it is a notebook in {language}.")
    return sources


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotLoad(f"{path} cannot be read: {error.strerror or error}.") from None


def parsed(number: int, name: str, source: str, flags: int) -> Cell:
    """Parse a cell; where a magic is in the way, without it."""
    magics, short = bool(number), Path(name).name
    if magics and source.lstrip().startswith("%%"):
        first, _, rest = source.lstrip().partition("\n")
        source = "\n" + rest if first[2:].split(" ")[0].strip() in PYTHON_MAGICS else ""
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its own invalid escapes
                tree = ast.parse(source, name)
            return Cell(number, name, source, tree, flags | future(tree))
        except SyntaxError as error:
            lines = source.split("\n")
            at = (error.lineno or 0) - 1
            if not (magics and 0 <= at < len(lines) and MAGIC.search(lines[at])):
                line = f", line {error.lineno}" if error.lineno else ""
                raise CannotLoad(f"{short}{line} is not Python: {error.msg}.") from None
            # something has to stand there, for a branch of nothing else
            lines[at] = " " * (len(lines[at]) - len(lines[at].lstrip())) + "pass"
            source = "\n".join(lines)
        except ValueError as error:  # before Python 3.12, of null bytes
            raise CannotLoad(f"{short} is not Python: {error}.") from None
        except (RecursionError, MemoryError):
            raise CannotLoad(f"{short} is nested too deeply to be read.") from None


def future(tree: ast.Module) -> int:
    """Return the flags of ``from __future__ import …``."""
    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    features = [getattr(__future__, name, None) for name in names]
    return sum({feature.compiler_flag for feature in features if feature})
