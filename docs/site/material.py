"""The notebooks and the pages of docs/ as Sphinx reads them: each cell can be linked to.

A link to a cell, ``05_words.ipynb#cell-id=corner``, becomes one to the label ``nb05-corner``.
"""

import ast
import base64
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import nbformat
from nbformat import NotebookNode

import notebooks
from play import BESIDE

ROOT = Path(__file__).resolve().parents[2]
TO_A_CELL = re.compile(r"\]\((?:\.\./)?(?:notebooks/)?(\d\d)_\w+\.ipynb#cell-id=([\w-]+)\)")
TO_A_MODULE = re.compile(r"\]\(\.\./adamlib/([\w/]+)\.py\)")
# what is said to readers of the repository: of tests and viewers, and the line for README's table
FOR_THE_REPOSITORY = re.compile(r"(?<=explains it\.) tests/test_glossary\.py .*")
ABOUT = re.compile(r"^\*\*About\.\*\* .*\n\n", re.MULTILINE)
DARK_OR_LIGHT = re.compile(r"\b(?:dark|light|pale|bright)(?:er|est)?\b", re.IGNORECASE)
QUOTED = re.compile(r"<!-- (figure|output) (\d\d) ([\w-]+) -->")
DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{(\w+)\}")


def label(number: str, cell: str) -> str:
    """The name by which a cell is linked to.

    >>> label("05", "corner")
    'nb05-corner'
    """
    return f"nb{number}-{cell}"


def with_site_links(text: str, up: str = "../") -> str:
    """Turn links to cells and to modules into links of the site.

    >>> with_site_links("[so](05_eps.ipynb#cell-id=corner)")
    '[so](#nb05-corner)'
    """
    text = TO_A_CELL.sub(lambda found: f"](#{label(found[1], found[2])})", text)
    return TO_A_MODULE.sub(
        lambda found: f"]({up}api/adamlib.{found[1].replace('/', '.')}.rst)", text
    )


def anchored(path: Path) -> NotebookNode:
    """A notebook with a label before each cell, and without the links at its end."""
    notebook, number, cells = notebooks.read(path), path.name[:2], []
    mark_as_drawn(notebook.cells)
    for cell in notebook.cells:
        if cell.id == "navigation":
            continue
        target = f"({label(number, cell.id)})=\n"
        if cell.cell_type == "markdown":
            if cell.source.startswith("<"):  # HTML, which takes no label
                target = f'<a id="{label(number, cell.id)}"></a>\n'
            source = ABOUT.sub("", cell.source)
            cell.source = target + "\n" + with_site_links(source)
        else:
            cells.append(nbformat.v4.new_markdown_cell(target, id=f"at-{cell.id}"))
        cells.append(cell)
        if (number, cell.id) in BESIDE:
            text = BESIDE[number, cell.id]
            cells.append(nbformat.v4.new_markdown_cell(text, id=f"beside-{cell.id}"))
    notebook.cells = cells
    return notebook


def mark_as_drawn(cells: list[NotebookNode]) -> None:
    """Give a figure the class `as-drawn` where the words about it speak of dark and light.

    In the dark the pages show figures with light and dark exchanged; these words would be wrong.
    """
    for before, cell, after in zip(cells, cells[1:], cells[2:], strict=False):
        image = cell.metadata.get("mystnb", {}).get("image")
        words = [near.source for near in (before, after) if near.cell_type == "markdown"]
        if image and DARK_OR_LIGHT.search(" ".join([image["alt"], *words])):
            image["classes"] = "as-drawn"


def equations() -> Iterator[tuple[str, str, str]]:
    """(notebook's file name, number, TeX) of every numbered equation, in reading order."""
    for path in notebooks.in_order():
        for cell in notebooks.read(path).cells:
            if cell.cell_type == "markdown":
                for tex in DISPLAYED.findall(cell.source):
                    if tag := TAG.search(tex):
                        yield path.name, tag[1], TAG.sub("", tex).strip()


def imported(tree: ast.AST) -> dict[str, str]:
    """Name in a cell → the full name of what of adamlib it imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("adamlib"):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            names = [each for each in node.names if each.name.startswith("adamlib")]
            found |= {each.asname or each.name: each.name for each in names}
    return found


def full_name(dotted: str) -> str:
    """The module that defines a public name, and the name: where the reference has it.

    >>> full_name("adamlib.adam_step"), full_name("adamlib.experiments.sweep")
    ('adamlib.adam.adam_step', 'adamlib.experiments.sweep')
    """
    package, _, name = dotted.rpartition(".")
    if package != "adamlib":
        return dotted
    home = import_module("adamlib")._HOMES.get(name)
    return f"adamlib.{home}.{name}" if home else dotted


def names_in(notebook: NotebookNode) -> dict[str, str]:
    """All names of adamlib that a notebook's code imports → their full names."""
    found: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found |= imported(ast.parse(cell.source))
    return {name: full_name(dotted) for name, dotted in found.items()}


def uses() -> dict[str, list[tuple[str, str]]]:
    """Full name → (notebook's stem, id of the first cell) of each notebook that uses it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in notebooks.in_order():
        notebook, seen = notebooks.read(path), set()
        names = names_in(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                for name in sorted(used(ast.parse(cell.source), names) - seen):
                    found.setdefault(name, []).append((path.stem, cell.id))
                    seen.add(name)
    return found


def used(tree: ast.AST, names: dict[str, str]) -> set[str]:
    """Full names of what a cell uses, imports apart."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            found.add(names[node.id])
        elif isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            if rest and head in names and rest.replace(".", "").isidentifier():
                found.add(full_name(f"{names[head]}.{rest}"))
    return found


def quoted(source: Path, kind: str, number: str, cell_id: str) -> str:
    """What a cell shows, for a page that quotes it: its printed lines, or its figure."""
    (path,) = notebooks.FOLDER.glob(f"{number}_*.ipynb")
    (cell,) = [cell for cell in notebooks.read(path).cells if cell.id == cell_id]
    if kind == "output":
        printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        return f"```text\n{printed.rstrip()}\n```"
    (output,) = [output for output in cell.outputs if "image/png" in output.get("data", {})]
    name = f"{label(number, cell_id)}.png"
    (source / name).write_bytes(base64.b64decode(output.data["image/png"]))
    size = output.metadata["image/png"]
    return (
        f"```{{image}} /{name}\n:alt: {size['alt']}\n:width: {size['width']}\n"
        f":height: {size['height']}\n```"
    )


def quote_cells(source: Path) -> None:
    """Put what cells show into the pages that ask for it."""
    for page in source.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        new = QUOTED.sub(lambda found: quoted(source, *found.groups()), text)
        page.write_text(with_site_links(new), encoding="utf-8")


def write(source: Path) -> None:
    """Write the notebooks, the glossary and the instructor's guide."""
    folder = source / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks.in_order():
        nbformat.write(anchored(path), folder / path.name)
    for name in ("glossary.md", "instructor_guide.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        text = with_site_links(FOR_THE_REPOSITORY.sub("", text), up="")
        (source / name).write_text(text, encoding="utf-8")
    quote_cells(source)
