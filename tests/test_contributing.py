"""CONTRIBUTING.md: its table of modules is what the notebooks import."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
EVERYWHERE = {"base"}  # `show`


def imported_from(path: Path) -> dict[str, str]:
    """Name → the module beside an `__init__.py` that it comes from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    relative = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level]
    return {alias.name: str(node.module) for node in relative for alias in node.names}


def used(notebook: Path, package: str) -> set[str]:
    """The modules of a package whose names the code of a notebook imports."""
    homes = imported_from(ROOT / "adamlib" / package / "__init__.py")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    trees = [ast.parse("".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [a.name for node in nodes if node.module == f"adamlib.{package}" for a in node.names]
    return {homes[name] for name in names if name in homes} - EVERYWHERE


def rows() -> dict[str, list[set[str]]]:
    """Notebook → the modules in each column of the table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("\n| Notebook |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {
        first: [set(c.replace("`", "").split(", ")) - {"–"} for c in rest] for first, *rest in cells
    }


def test_every_notebook_has_its_row():
    assert list(rows()) == [notebook.name[:2] for notebook in NOTEBOOKS]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name[:2])
def test_a_row_has_the_modules_that_the_notebook_imports_from(notebook):
    number = notebook.name[:2]
    experiments, figures, exercises = rows()[number]
    assert experiments == used(notebook, "experiments")
    assert figures == used(notebook, "figures")
    assert exercises == {f"nb{number}"}
