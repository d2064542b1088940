"""`--notebook-perturb` names the cells whose outputs change, and what they change with."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from faults import ONE, code, error, picture, stream, text, write
from pytest_notebook_rules import perturbing
from pytest_notebook_rules.perturbing import Shown, changes, difference, perturbed, shown
from pytest_notebook_rules.plugin import pytest_configure
from pytest_notebook_rules.reading import Notebook, read
from pytest_notebook_rules.settings import Settings

pytest_plugins = ["pytester"]
ALONE = ("-p", "pytest_notebook_rules.plugin", "-p", "no:cacheprovider")
SAME = [("stdout", "1\n")]


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch):
    """Loading all that are installed takes a second each time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def three(tmp_path: Path) -> Notebook:
    return read(write(tmp_path / "a.ipynb", text("a"), ONE, ONE, minor=5))


def said(notebook: Notebook, third) -> list[str]:
    """What is said where the third cell shows `third(threads, seed, number of the run)`."""
    number = iter(range(100))

    def runs(threads: int, seed: int) -> list[Shown]:
        return [[], SAME, [("stdout", third(threads, seed, next(number)))]]

    return [f"{cell.number}: {words}" for cell, words in changes(notebook, runs)]


@pytest.mark.parametrize(
    ("third", "words"),
    [
        (lambda threads, seed, number: f"{threads}\n", "with 2 threads, '1' → '2'"),
        (lambda threads, seed, number: f"{seed}\n", "with the hash seed, '1' → '2'"),
        (lambda threads, seed, number: f"{seed == 4}\n", "with the hash seed, 'False' → 'True'"),
        (lambda threads, seed, number: f"{number}\n", "from run to run, '0' → '2'"),
        (
            lambda threads, seed, number: f"{threads + seed > 3}\n",
            "with threads and hash seed together, 'False' → 'True'",
        ),
    ],
    ids=["threads", "seed", "another seed", "each run", "both"],
)
def test_the_cause_is_named(tmp_path, third, words):
    assert said(three(tmp_path), third) == [f"3: its output changes {words}"]


def test_cells_are_named_in_their_order(tmp_path):
    def runs(threads: int, seed: int) -> list[Shown]:
        return [[("stdout", f"{threads == 3}")], [("stdout", f"{seed}")], SAME]

    assert [cell.number for cell, _ in changes(three(tmp_path), runs)] == [1, 2]


def test_nothing_is_said_of_what_stays(tmp_path):
    assert said(three(tmp_path), lambda threads, seed, number: "same\n") == []


def test_a_cell_that_fails_is_named_unless_it_may(tmp_path):
    allowed = ONE | {"metadata": {"tags": ["raises-exception"]}}
    notebook = read(write(tmp_path / "a.ipynb", ONE, allowed))
    failed = [[("error", "ValueError: no")]] * 2
    assert [(cell.number, words) for cell, words in changes(notebook, lambda *_: failed)] == [
        (1, "fails, ValueError: no")
    ]


def test_what_is_compared():
    outputs = [
        stream("a"),
        stream("warn", "stderr"),
        stream("b\n"),
        picture(alt="x"),
        error("E"),
        {"output_type": "display_data", "data": {perturbing.WIDGET: {"model_id": "1"}}},
        {"output_type": "display_data", "data": {"application/json": {"a": 1}}},
    ]
    kinds = [kind for kind, _ in shown(outputs)]
    assert kinds == ["stderr", "stdout", "image/png", "text/plain", "error", "application/json"]
    assert shown(outputs)[1] == ("stdout", "ab\n")
    assert difference([("image/png", "a")], [("image/png", "b")]) == "another image/png"
    assert difference([], SAME) == "more or less of it"


def test_a_run_that_does_not_end_is_one_line(tmp_path, monkeypatch):
    def fails(*_: object) -> list[Shown]:
        raise perturbing.NotRun("with 1 threads it did not end: Kernel died")

    monkeypatch.setattr(perturbing, "run", fails)
    assert list(perturbed(three(tmp_path), Settings())) == [
        (None, "with 1 threads it did not end: Kernel died")
    ]


def test_it_runs_and_names_the_cell(pytester, monkeypatch):
    """One real notebook: a hash seed, the number of threads, and cells that stay as they are."""
    monkeypatch.setattr(perturbing, "OTHERS", ((2, 2),))
    write(
        pytester.path / "a.ipynb",
        text("# A"),
        code("print(1)"),
        code("print({'red', 'green', 'blue', 'black', 'white'})"),
        code("import os; print(os.environ['OMP_NUM_THREADS'])"),
        code("1 / 0", metadata={"tags": ["raises-exception"]}),
        minor=4,
    )
    content = (pytester.path / "a.ipynb").read_bytes()
    result = pytester.runpytest_inprocess(*ALONE, "--notebook-perturb")
    result.assert_outcomes(failed=1)
    # Where CI is set, pytest's summary has the whole message again.
    said = dict.fromkeys(line for line in result.outlines if line.startswith("a.ipynb:"))
    assert [line.partition(" → ")[0].partition(", ")[0].split(": ", 1)[1] for line in said] == [
        "perturb: cell 3: its output changes with the hash seed",
        "perturb: cell 4: its output changes with 2 threads",
    ]
    assert (pytester.path / "a.ipynb").read_bytes() == content


def test_other_languages_are_left_alone(pytester):
    path = write(pytester.path / "a.ipynb", code("x <- 1"))
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["metadata"]["language_info"] = {"name": "R"}
    path.write_text(json.dumps(stored), encoding="utf-8")
    result = pytester.runpytest_inprocess(*ALONE, "--notebook-perturb")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_it_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    option = SimpleNamespace(notebook_rules=False, notebook_perturb=True)
    config = SimpleNamespace(option=option, rootpath=tmp_path, stash={})
    with pytest.raises(pytest.UsageError, match="^--notebook-perturb needs nbclient: pip install"):
        pytest_configure(config)
