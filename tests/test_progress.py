"""What is solved in learners' copies: right, wrong, open, broken, endless and greedy answers."""

import csv
import io
import shutil
from pathlib import Path

import nbformat
import pytest

from adamlib import __main__ as main
from adamlib import progress
from adamlib.progress import BROKEN, OPEN, SOLVED, WRONG, Row

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def notebook(path, *cells):
    path.parent.mkdir(exist_ok=True)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, path)


def answer(source, tail='check("00-limit", largest_lr)'):
    return "from adamlib import check\n", "import numpy as np", f"{source}\n\n\n{tail}"


ANSWERS = {
    "right": ("def largest_lr(curvature):\n    return 2 / curvature", SOLVED, ""),
    "wrong": ("def largest_lr(curvature):\n    return 1 / curvature", WRONG, "reaches-the-floor: "),
    "open": ("def largest_lr(curvature): ...", OPEN, ""),
    "of a cell before": ("largest_lr = before", SOLVED, ""),
    "raises": ("def largest_lr(curvature):\n    return 1 / 0", WRONG, "ZeroDivisionError"),
    "never made": ("largest_lr = 1 / 0", WRONG, "ZeroDivisionError"),
    "ends its process": (
        "import os\n\n\ndef largest_lr(curvature):\n    os._exit(3)", WRONG, "exit code 3"
    ),
    "holds the interpreter": (
        "def largest_lr(curvature):\n    return sum(range(10**12))", WRONG, "did not end within"
    ),
    "takes memory": (
        "def largest_lr(curvature):\n    return np.ones(10**10)", WRONG, "emory"
    ),
}  # fmt: skip


@pytest.mark.parametrize("source, state, says", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_what_check_says_of_it(source, state, says, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 3.0 if "range" in source else 60.0)
    cells = ["def before(curvature):\n    return 2 / curvature", *answer(source)]
    notebook(tmp_path / "ada" / "00_start.ipynb", *cells)
    rows = {row.exercise: row for row in progress.progress([tmp_path / "ada"])}
    assert rows["00-limit"][3] == state and says in rows["00-limit"].says
    assert rows["00-names"] == Row(
        str(tmp_path / "ada"), "00_start.ipynb", "00-names", OPEN, "its cell is gone"
    )


def test_nothing_else_is_run(tmp_path):
    trace = tmp_path / "trace"
    writes = f"open({str(trace)!r}, 'a').write('run')"
    source = "def largest_lr(curvature):\n    return 2 / curvature"
    notebook(tmp_path / "ada" / "00_start.ipynb", writes, *answer(source), writes)
    rows = progress.progress([tmp_path / "ada"])
    assert any(row.state == SOLVED for row in rows) and not trace.exists()


@pytest.mark.parametrize(
    "text, says",
    [
        ("not json", "JSON"),
        ("{}", "cells"),
        ('{"cells": 3}', "cells"),
    ],
)
def test_a_broken_notebook_is_one_row(text, says, tmp_path):
    (tmp_path / "01_broken.ipynb").write_text(text)
    (row,) = progress.progress([tmp_path])
    assert row[1:4] == ("01_broken.ipynb", "", BROKEN) and row.says


def test_a_cell_that_is_no_python_is_said(tmp_path):
    notebook(tmp_path / "00_start.ipynb", 'check("00-limit", largest_lr')
    assert {row.state for row in progress.progress([tmp_path])} == {WRONG}
    assert "cell 1" in progress.progress([tmp_path])[0].says


def test_the_course_as_it_comes_is_open(tmp_path):
    """Each exercise of the notebooks is found, by the way in which it is written there."""
    for path in NOTEBOOKS.glob("0[0-3]*.ipynb"):
        shutil.copy(path, tmp_path)
    rows = progress.progress([tmp_path])
    assert {row.state for row in rows} == {OPEN} and not any(row.says for row in rows)


@pytest.mark.slow
def test_the_whole_course_as_it_comes_is_open():
    rows = progress.progress([NOTEBOOKS])
    assert {row.exercise for row in rows} == set(progress.all_exercises())
    assert {row.state for row in rows} == {OPEN} and not any(row.says for row in rows)


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook(Path("ada/00_start.ipynb"), *answer("largest_lr = lambda curvature: 2 / curvature"))
    notebook(Path("bob/00_start.ipynb"), *answer("largest_lr = lambda curvature: 1 / curvature"))
    Path("bob/01_broken.ipynb").write_text("[")


def test_a_room_in_words(room, capsys):
    assert main.main(["progress", "ada", "bob"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("ada: 1 of 3 solved\n  00  · names  ✓ limit  · standstill\n")
    assert "\nbob: 0 of 3 solved\n" in printed and "        00-limit: reaches-the-floor" in printed
    assert "\n  01  ! cannot be read\n        01_broken.ipynb: " in printed


def test_a_room_as_a_table(room, capsys):
    assert main.main(["progress", "ada", "bob", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 7
    assert {"learner": "ada", "notebook": "00_start.ipynb", "exercise": "00-limit",
            "state": "solved", "says": ""} in rows  # fmt: skip


@pytest.mark.parametrize("folder", ["none", "."])
def test_a_folder_without_notebooks(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main.main(["progress", folder]) == 2
    assert "has no notebook" in capsys.readouterr().err
