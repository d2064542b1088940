"""`make test-everywhere`: what changes an output is found, what is not here does not pass."""

import json
import os
import re
from pathlib import Path

import nbformat
import pytest
import yaml

import environments
import rows
from rows import NOBODY, ROOT, NotHere, Place, Row

NOTEBOOK = ROOT / "notebooks" / "00_start_here.ipynb"  # by its name; another stands in its place
PYTEST = ("--nbval", "--nbval-current-env", "-p", "no:cacheprovider")
NIGHTLY = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")


@pytest.fixture
def course(tmp_path):
    """A course of one notebook, which prints a variable of the environment."""

    def make(source: str = "import os\nprint(os.environ['COLOUR'])", shown: str = "red") -> Path:
        output = nbformat.v4.new_output("stream", name="stdout", text=f"{shown}\n")
        cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output])
        (tmp_path / "notebooks").mkdir()
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbformat.write(notebook, tmp_path / "notebooks" / NOTEBOOK.name)
        return tmp_path

    return make


def coloured(root: Path, colour: str, **probe: str) -> Row:
    return Row(colour, lambda folder: Place({"COLOUR": colour}, root, arguments=PYTEST), **probe)


def absent(folder: Path) -> Place:
    raise NotHere("there is no such thing")


@pytest.mark.slow
def test_a_row_that_changes_an_output_is_found(course, capsys, tmp_path):
    root, written = course(), tmp_path / "results.json"
    known = {
        "same": coloured(root, "red"),
        "other": coloured(root, "blue"),
        "absent": Row("nothing", absent),
        "ignored": coloured(root, "red", probe="print(1)", prints="2"),
        "broken": coloured(root, "red", probe="raise SystemExit('oh')", prints="oh"),
    }
    arguments = ["--notebooks", str(NOTEBOOK), "--json", str(written)]
    assert environments.main(arguments, known) == 1
    said = capsys.readouterr().out
    for name, words in {
        "same": "red +unchanged +1 notebooks +1 passed",
        "other": "blue +CHANGED +1 notebooks +0 passed",
        "absent": "nothing +not here: there is no such thing",
        "ignored": "red +not here: '1' is what is used (.expected '2'.)",
        "broken": "red +not here: 'oh' is what is used",
    }.items():
        assert re.search(rf"^{name} +{words}", said, re.MULTILINE), said
    assert "blue" in said and "mismatch" in said  # pytest's report
    assert said.endswith("\n1 unchanged, 1 CHANGED, 3 not here\n")
    results = json.loads(written.read_text())
    assert [r["result"] for r in results] == ["unchanged", "CHANGED", *["not here"] * 3]
    assert environments.main(["same", "absent", "--notebooks", str(NOTEBOOK)], known) == 0


@pytest.mark.slow
def test_no_tests_are_no_pass(course):
    root = course()
    (root / "notebooks" / NOTEBOOK.name).unlink()
    result = environments.run("same", coloured(root, "red"), [NOTEBOOK])
    assert result.result == environments.CHANGED


def test_an_unknown_row_is_named(capsys):
    with pytest.raises(SystemExit):
        environments.main(["umlaut"])
    assert "unknown rows: umlaut (expected some of one-thread, " in capsys.readouterr().err


def test_every_row_is_run_every_night_once():
    jobs = yaml.safe_load(NIGHTLY)["jobs"]
    shards = jobs["everywhere"]["strategy"]["matrix"]["rows"]
    shards += re.findall(r'make test-everywhere ROWS="([^"$]*)"', NIGHTLY)
    assert sorted(" ".join(shards).split()) == sorted(rows.rows())


@pytest.mark.slow
def test_a_kernel_starts_in_another_folder(course, tmp_path):
    root = course("from pathlib import Path\nprint(Path.cwd())", str(ROOT))
    (tmp_path / "row").mkdir()
    place = rows.another_folder(tmp_path / "row")
    place.root, place.arguments = root, place.arguments + PYTEST
    assert environments.tested(place, [NOTEBOOK])[:2] == (True, 1)
    place.arguments = PYTEST
    assert environments.tested(place, [NOTEBOOK])[:2] == (False, 0)


def test_a_copy_is_what_is_imported(tmp_path):
    row = rows.rows()["umlauts"]
    place = row.make(tmp_path)
    environments.probed(place, row)
    code = "import pytest_notebook_rules as p; print(p.__file__)"
    assert str(place.root) in place.start([place.python, "-c", code]).stdout


def test_a_home_folder_has_all_that_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLCONFIGDIR", "/elsewhere")
    assert "MPLCONFIGDIR" in Place().environment()
    place = rows.hostile_home(tmp_path)
    assert "MPLCONFIGDIR" not in place.environment()
    code = "import matplotlib, numpy as np; print(matplotlib.matplotlib_fname())"
    assert str(tmp_path) in place.start([place.python, "-c", code]).stdout


def test_what_another_processor_has_not_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setattr(rows.platform, "machine", lambda: "arm64")
    for name in ("aten-avx2", "blas-prescott", "mkl-sse42", "onednn-avx2"):
        with pytest.raises(NotHere, match="this processor is arm64"):
            rows.rows()[name].make(tmp_path)
    with pytest.raises(NotHere, match="NumPy uses no AVX2 on this processor"):
        rows.rows()["numpy-no-avx2"].make(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users as POSIX has them")
def test_only_root_becomes_another_user(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(NotHere, match="only root can become another user"):
        rows.rows()["read-only"].make(tmp_path)


def test_a_python_that_is_not_there_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotHere, match="there is no python3.10 on the PATH"):
        rows.interpreter(10).make(tmp_path)


def test_figures_say_nothing_of_a_home_folder_that_is_closed(tmp_path):
    """The doctor does. Nobody may make a folder in a file, not even root."""
    (tmp_path / "file").touch()
    place = Place(rows.at_home(tmp_path / "file"))
    assert place.start([place.python, "-c", "import adamlib.figures"]).stdout == ""
    loud = place.start([place.python, "-c", "import matplotlib.pyplot"]).stdout
    assert "mkdir -p failed" in loud and "temporary cache directory" in loud
