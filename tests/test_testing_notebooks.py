"""The table of docs/testing_notebooks.md, measured again: which check finds which fault.

One copy of notebook 00 has a fault of each kind, each in a cell of its own.
"""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import environments
import notebooks
from notebook_rules import SETTINGS
from pytest_notebook_rules.rules import findings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "testing_notebooks.md"
KEPT = ("imports", "runs", "picture", "distances", "first-step", "tiny-step")
THREADS = """import numba

numbers = np.random.default_rng(0).random((100_000, 4), dtype=np.float32)
parts = np.array_split(numbers, numba.get_num_threads())  # as threads share a sum
print(sum(part.sum(axis=0) for part in parts))"""
# every kind of text output: the stored one, and the cell that gives it
KINDS = {
    "stream": ("12.5", "print(12.5)"),
    "result": ("42", "6 * 7"),
    "data": ("a figure", "display({'text/plain': 'a figure'}, raw=True)"),
}
ADDED = {"threads": THREADS, "order": "print(set(methods))"}
ADDED |= {name: source for name, (_, source) in KINDS.items()}
ADDED |= {f"{name}-changed": source for name, (_, source) in KINDS.items()}
ADDED |= {"fails": "1 / 0"}
# one process for several runs of pytest, without what conftest.py leaves out
RUNS = "import json, sys, conftest, pytest; [pytest.main(run) for run in json.loads(sys.argv[1])]"
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


def by_one_character(cell: NotebookNode, text: str) -> None:
    """Store another text, where the cell gives this one."""
    (output,) = cell.outputs
    place, key = (output, "text") if "text" in output else (output.data, "text/plain")
    assert place[key].strip() == text
    place[key] = place[key].replace(text, text[:-1] + "_")


def with_faults() -> NotebookNode:
    """Some cells of notebook 00 as they are stored by one machine, then a fault in each."""
    cells = {cell.id: cell for cell in notebooks.read(notebooks.in_order()[0]).cells}
    chosen = [cells[cell_id] for cell_id in KEPT]
    chosen += [nbformat.v4.new_code_cell(source, id=name) for name, source in ADDED.items()]
    notebook = run(nbformat.v4.new_notebook(cells=chosen))
    cells = dict(zip((*KEPT, *ADDED), notebook.cells, strict=True))
    for cell_id, change in FAULTS.values():
        change(cells[cell_id])
    for name, (text, _) in KINDS.items():
        by_one_character(cells[f"{name}-changed"], text)
    cells["fails"].outputs = []
    return notebook


def by_pytest(path: Path, *options: str) -> Iterator[set[str]]:
    """The cells that fail, with each of nbval's options."""
    reports = [path.with_name(f"{option}.xml") for option in options]
    common = ["-q", "-p", "no:cacheprovider", "--nbval-current-env", path.name]
    runs = [
        [*common, option, f"--junitxml={report}"]
        for option, report in zip(options, reports, strict=True)
    ]
    command = [sys.executable, "-c", RUNS, json.dumps(runs)]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=path.parent, env=variables, capture_output=True)
    for report in reports:
        cases = ET.parse(report).findall(".//testcase")
        yield {name for name, case in zip((*KEPT, *ADDED), cases, strict=True) if len(case)}


def by_running(again: NotebookNode) -> set[str]:
    """The cells that fail."""
    return {
        cell.id for cell in again.cells if any(out.output_type == "error" for out in cell.outputs)
    }


def by_comparing(notebook: NotebookNode, again: NotebookNode) -> set[str]:
    """The cells whose outputs, pictures and all, are others after one more run."""
    pairs = zip(notebook.cells, again.cells, strict=True)
    return {old.id for old, new in pairs if old.outputs != new.outputs}


def by_rules(path: Path) -> set[str]:
    """The cells in which the rules of pytest-notebook-rules find something."""
    found = [each for each in findings(path, SETTINGS) if each.cell]
    # that of the order names the first cell behind the one that was never run
    return {each.cell.id for each in found if each.rule != "order"}


@pytest.fixture(scope="module")
def columns(tmp_path_factory) -> list[set[str]]:
    """What each column of the page's table finds."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STORED_WITH.items():
            patch.setenv(name, value)
        notebook = with_faults()
        for name, value in RUN_WITH.items():
            patch.setenv(name, value)
        path = tmp_path_factory.mktemp("faults") / "faults.ipynb"
        nbformat.write(notebook, path)
        again = run(notebook)
        return [
            *by_pytest(path, "--nbval", "--nbval-lax"),
            by_running(again),
            by_comparing(notebook, again),
            by_rules(path),
        ]


def table() -> dict[str, list[str]]:
    """The rows of the page's table that are measured here."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [re.findall(r"[^|]+", line) for line in text.splitlines() if line.startswith("| ")]
    cells = {row[0].strip(): [cell.strip(" *") for cell in row[1:]] for row in rows}
    return {name: cells[name] for name in cells if name in FAULTS}


@pytest.mark.slow
def test_the_table_of_the_page_is_what_the_checks_say(columns):
    assert table() == {
        fault: ["found" if cell_id in column else "passes" for column in columns]
        for fault, (cell_id, _) in FAULTS.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nbval_fails_on_one_changed_character_of_every_kind_and_only_then(columns, kind):
    assert f"{kind}-changed" in columns[0]
    assert kind not in columns[0]
