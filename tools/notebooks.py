"""Run the notebooks, store their outputs, and write them in one normal form.

    python tools/notebooks.py                 run all, normalise, write
    python tools/notebooks.py --keep-outputs  normalise and write without running
    python tools/notebooks.py --check         change nothing; list what is not in the normal form

The normal form leaves out whatever depends on the machine, ends each notebook with links to its
neighbours, tags the solutions, and copies alt text to where MyST-NB reads it. HTML exports take it
from the output itself, through the template in tools/templates (see tools/jupyter).
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbformat.reader import NotJSONError

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# what Jupyter writes, without the version of Python
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
KEPT = ("tags", "collapsed", "slideshow")
KEPT_JUPYTER = ("source_hidden", "outputs_hidden")
# the whole of a cell, which gets the tag `solution`: copies are made with it and without
SOLUTION = re.compile(r'solution\("[^"]+"\)|<details><summary>Solution</summary>.*', re.DOTALL)
NAVIGATION = re.compile(r"---\n(\[← |Contents: this notebook)")
SECONDS_PER_CELL = 600
# the address of a widget in a kernel that is gone; the picture beside it stays
WIDGET = "application/vnd.jupyter.widget-view+json"


def in_order(folder: Path = FOLDER) -> list[Path]:
    """All notebooks of the course; their file names are their order."""
    return sorted(folder.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Read a notebook as it is stored; cells of nbformat 4.0 to 4.4 get the ids cell-1, cell-2 …"""
    try:
        notebook = nbformat.read(path, as_version=4)
    except NotJSONError:
        raise SystemExit(f"{path}: not JSON, so not a notebook") from None
    taken = {cell.get("id") for cell in notebook.cells}
    free = (name for number in count(1) if (name := f"cell-{number}") not in taken)
    for cell in notebook.cells:
        if "id" not in cell:
            cell.id = next(free)
    return notebook


def text(notebook: NotebookNode) -> str:
    """The file's content in nbformat's own layout: indent 1, sorted keys, readable Unicode."""
    return nbformat.writes(notebook) + "\n"


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel, in the notebook's folder; raises on an error in a cell."""
    client = NotebookClient(
        notebook,
        kernel_name=KERNELSPEC["name"],
        timeout=SECONDS_PER_CELL,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
    )
    client.execute()


def alt_texts(cell: NotebookNode) -> list[str]:
    """Alt texts of the pictures below a cell, as `adamlib.figures.show` stored them."""
    found = [
        output.get("metadata", {}).get("image/png", {}).get("alt", "")
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    return [alt for alt in found if alt]


def cell_metadata(cell: NotebookNode) -> dict:
    """What a cell's metadata may hold: `KEPT`, what is hidden, and the alt text for MyST-NB."""
    kept = {key: cell.metadata[key] for key in KEPT if key in cell.metadata}
    if SOLUTION.fullmatch(cell.source):
        kept["tags"] = sorted({"solution", *kept.get("tags", ())})
    jupyter = cell.metadata.get("jupyter", {})
    hidden = {key: jupyter[key] for key in KEPT_JUPYTER if key in jupyter}
    if hidden:
        kept["jupyter"] = hidden
    if alts := alt_texts(cell):
        kept["mystnb"] = {"image": {"alt": " ".join(alts)}}
    return kept


def normalise(notebook: NotebookNode) -> None:
    """Bring a notebook into the normal form; sources, ids and outputs' contents stay."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}
    )
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    merge = CoalesceStreamsPreprocessor(enabled=True)
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        cell.metadata = nbformat.from_dict(cell_metadata(cell))
        merge.preprocess_cell(cell, {}, index)


def title(notebook: NotebookNode) -> str:
    """The first top-level heading."""
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return "untitled"


def navigation(path: Path, titles: dict[Path, str]) -> str:
    """Links to the previous notebook, the first one and the next, as Markdown."""
    paths = list(titles)
    here = paths.index(path)

    def link(there: int, words: str) -> str:
        return f"[{words}]({paths[there].name})"

    parts = []
    if here > 0:
        parts.append(link(here - 1, f"← {titles[paths[here - 1]]}"))
    parts.append(link(0, "Contents") if here > 0 else "Contents: this notebook")
    if here + 1 < len(paths):
        parts.append(link(here + 1, f"{titles[paths[here + 1]]} →"))
    return "---\n" + " · ".join(parts)


def set_navigation(notebook: NotebookNode, source: str) -> None:
    """Make the cell with id `navigation` the last one, with this text."""
    # one that lost its id is known by its text
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.id != "navigation" and not NAVIGATION.match(cell.source)
    ]
    notebook.cells.append(nbformat.v4.new_markdown_cell(source, id="navigation"))


def brought_up_to_date(paths: Sequence[Path], run: bool) -> Iterator[tuple[Path, str, str]]:
    """For each notebook: its path, its text as stored and its text as it should be."""
    for path in paths:
        titles = {near: title(read(near)) for near in in_order(path.parent)}
        notebook = read(path)
        if run:
            print(f"running {path.name}", flush=True)
            execute(notebook, path.parent)
        normalise(notebook)
        set_navigation(notebook, navigation(path, titles))
        nbformat.validate(notebook)
        yield path, path.read_text(encoding="utf-8"), text(notebook)


def stale(paths: Sequence[Path]) -> list[Path]:
    """The notebooks whose file is not in the normal form."""
    return [path for path, old, new in brought_up_to_date(paths, run=False) if old != new]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run and normalise the notebooks.")
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks (default: all)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--keep-outputs", action="store_true", help="do not run, only normalise")
    how.add_argument("--check", action="store_true", help="change nothing, list what would change")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    asked = arguments(argv)
    paths = [path.resolve() for path in asked.paths] or in_order(FOLDER)
    if asked.check:
        names = [path.name for path in stale(paths)]
        for name in names:
            print(f"{name}: not in the normal form (make notebooks writes it)")
        return int(bool(names))
    for path, old, new in brought_up_to_date(paths, run=not asked.keep_outputs):
        if old != new:
            path.write_text(new, encoding="utf-8", newline="\n")
            print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
