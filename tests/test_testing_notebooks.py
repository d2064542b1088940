"""The table of docs/testing_notebooks.md, measured again: which check finds which fault.

One copy of notebook 00 has a fault of each kind, each in a cell of its own.
"""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import environments
import notebook_rules
import notebooks

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "testing_notebooks.md"
KEPT = ("imports", "runs", "picture", "distances", "first-step", "tiny-step")
THREADS = """import torch

numbers = np.random.default_rng(0).random((100_000, 4), dtype=np.float32)
parts = np.array_split(numbers, torch.get_num_threads())  # as threads share a sum
print(sum(part.sum(axis=0) for part in parts))"""
ADDED = {"threads": THREADS, "order": "print(set(methods))", "fails": "1 / 0"}
STORED_WITH = dict.fromkeys(environments.THREADS, "1") | {"PYTHONHASHSEED": "1"}
RUN_WITH = dict.fromkeys(environments.THREADS, "2") | {"PYTHONHASHSEED": "2"}


def never_run(cell: NotebookNode) -> None:
    cell.outputs, cell.execution_count = [], None


def out_of_date(cell: NotebookNode) -> None:
    cell.outputs[0].text = cell.outputs[0].text.replace("-0.1", "-0.2")


def opted_out(cell: NotebookNode) -> None:
    cell.source = "# NBVAL_IGNORE_OUTPUT\n" + cell.source
    cell.outputs[0].text = "another text\n"


def other_picture(cell: NotebookNode) -> None:
    cell.source = cell.source.replace("traces", "traces[:2]")


def warns(cell: NotebookNode) -> None:
    cell.source += "\nimport warnings; warnings.warn('careful')"


def unchanged(cell: NotebookNode) -> None:
    """The fault is in the cell as it is."""


FAULTS: dict[str, tuple[str, Callable[[NotebookNode], None]]] = {
    "a cell was never run": ("distances", never_run),
    "a printed number is out of date": ("first-step", out_of_date),
    "the same, in a cell that opts out": ("tiny-step", opted_out),
    "a picture is out of date": ("picture", other_picture),
    "a warning on stderr": ("imports", warns),
    "another number of threads": ("threads", unchanged),
    "another hash seed": ("order", unchanged),
    "a cell that fails": ("fails", unchanged),
}


def run(notebook: NotebookNode) -> NotebookNode:
    """Execute a copy, as nbconvert --execute does but past a cell that fails, and return it."""
    copy = nbformat.from_dict(notebook)
    NotebookClient(copy, kernel_name="python3", allow_errors=True).execute()
    return copy


def with_faults() -> NotebookNode:
    """Some cells of notebook 00 as they are stored by one machine, then a fault in each."""
    cells = {cell.id: cell for cell in notebooks.read(notebooks.in_order()[0]).cells}
    chosen = [cells[cell_id] for cell_id in KEPT]
    chosen += [nbformat.v4.new_code_cell(source, id=name) for name, source in ADDED.items()]
    notebook = run(nbformat.v4.new_notebook(cells=chosen))
    for cell_id, change in FAULTS.values():
        change(notebook.cells[[*KEPT, *ADDED].index(cell_id)])
    notebook.cells[-1].outputs = []
    return notebook


def by_pytest(path: Path, option: str) -> set[str]:
    """The cells that fail, with nbval's option."""
    report = path.with_suffix(".xml")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", option]
    command += ["--nbval-current-env", f"--junitxml={report}", path.name]
    subprocess.run(command, cwd=path.parent, capture_output=True)
    cases = ET.parse(report).findall(".//testcase")
    assert len(cases) == len(KEPT) + len(ADDED)
    return {name for name, case in zip((*KEPT, *ADDED), cases, strict=True) if len(case)}


def by_running(again: NotebookNode) -> set[str]:
    """The cells that fail."""
    return {
        cell.id for cell in again.cells if any(out.output_type == "error" for out in cell.outputs)
    }


def by_comparing(notebook: NotebookNode, again: NotebookNode) -> set[str]:
    """The cells whose outputs, pictures and all, are others after one more run."""
    pairs = zip(notebook.cells, again.cells, strict=True)
    return {old.id for old, new in pairs if old.outputs != new.outputs}


def by_rules(notebook: NotebookNode) -> set[str]:
    """The faults for which tests/notebook_rules.py has a rule."""
    found = set()
    for cell in notebook.cells:
        alone = nbformat.v4.new_notebook(cells=[cell])
        rules = notebook_rules
        for rule in (rules.lets_nbval_compare_everything, rules.prints_nothing_to_stderr):
            if list(rule(alone, PAGE)):
                found.add(cell.id)
        if cell.execution_count is None:
            assert list(rules.is_run_from_top_to_bottom(notebook, PAGE))
            found.add(cell.id)
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, list[str]]:
    """Fault → what each column of the page's table says of it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STORED_WITH.items():
            patch.setenv(name, value)
        notebook = with_faults()
        for name, value in RUN_WITH.items():
            patch.setenv(name, value)
        path = tmp_path_factory.mktemp("faults") / "faults.ipynb"
        nbformat.write(notebook, path)
        again = run(notebook)
        columns = [
            by_pytest(path, "--nbval"),
            by_pytest(path, "--nbval-lax"),
            by_running(again),
            by_comparing(notebook, again),
            by_rules(notebook),
        ]
    return {
        fault: ["found" if cell_id in column else "passes" for column in columns]
        for fault, (cell_id, _) in FAULTS.items()
    }


def table() -> dict[str, list[str]]:
    """The rows of the page's table that are measured here."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [re.findall(r"[^|]+", line) for line in text.splitlines() if line.startswith("| ")]
    cells = {row[0].strip(): [cell.strip(" *") for cell in row[1:]] for row in rows}
    return {name: cells[name] for name in cells if name in FAULTS}


def test_the_table_of_the_page_is_what_the_checks_say(measured):
    assert table() == measured
