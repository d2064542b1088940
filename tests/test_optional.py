"""Cells that need what is not installed say so, show what is stored, and let the others run."""

import ast
import json
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

import notebooks
from adamlib import optional

ROOT = Path(__file__).resolve().parent.parent
LIGHT = (
    "from adamlib import optional, use_default_settings\n"
    "optional.LIBRARIES = ('absent_one', 'numpy')\n"
    "use_default_settings()"
)
STORED = "from the notebook\n"
CELLS = {
    "light": LIGHT,
    "needs": "from math import pi\ndef whole(): return pi\nhalf, lost = [1], 1\nprint('half')\n"
    "import absent_one\nhalf.append(absent_one.ones(1))\nlost = 2",
    "follows": "print(whole(), lost.item())",
    "given": "if not isinstance(lost, dict): raise ValueError('no dict')",
    "half": "print(half)",
    "whole": "print(f'{whole():.2f}')",
    "printed": "print(f'{lost:.3f}')",
    "free": "1 / 2",
    "inside": "from inner import something",
    "new": "import numpy, absent_one.nn as nn",
    "other": "import no_such_library",
    "after": "print(nn.Linear)",
}


def saved(path: Path) -> nbformat.NotebookNode:
    """A notebook of these cells, each with a stored output; one has a figure too."""
    cells = []
    for name, source in CELLS.items():
        stream = nbformat.v4.new_output("stream", text=STORED)
        cells.append(nbformat.v4.new_code_cell(source, id=name, outputs=[stream]))
    picture = nbformat.v4.new_output(
        "display_data", {"text/plain": "a figure", "image/png": "AAAA"}
    )
    cells[list(CELLS).index("new")].outputs.append(picture)
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(notebook, path)
    return notebook


def run(
    folder: Path, notebook: nbformat.NotebookNode, allow_errors: bool = True
) -> dict[str, list]:
    """The outputs of its cells, by their ids."""
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, kernel_name="python3", allow_errors=allow_errors, resources=resources
    )
    client.execute()
    return {cell.id: cell.outputs for cell in notebook.cells}


def words(outputs: list) -> list[str]:
    return [each.get("text") or each.get("evalue") or each.data["text/plain"] for each in outputs]


SENTENCE = "This needs absent_one, which is not installed here: pip install absent_one."
NOTE = f"{SENTENCE} The output that is stored with the course:"


def test_a_notebook_in_a_light_installation(tmp_path):
    (tmp_path / "inner.py").write_text("import absent_one")
    notebook = saved(tmp_path / "77_words.ipynb")
    first = run(tmp_path, notebook)
    stored = [NOTE, STORED]
    assert words(first["needs"]) == stored, "what it printed before it was stopped is gone"
    assert words(first["follows"]) == words(first["printed"]) == stored
    assert words(first["inside"]) == stored
    assert words(first["new"]) == [*stored, "a figure"]
    assert first["new"][-1].data["image/png"] == "AAAA"
    assert words(first["after"]) == stored
    assert words(first["given"]) == stored, (
        "a function may refuse what it is given in its own words"
    )
    assert words(first["half"]) == stored, "what a stopped cell had computed is no result"
    assert (words(first["whole"]), words(first["free"])) == (["3.14\n"], ["0.5"])
    assert [each.ename for each in first["other"]] == ["ModuleNotFoundError"]
    assert words(first["other"]) == ["No module named 'no_such_library'"]

    # Saved so, and run again: the sentence does not become a stored output. "Run All" goes on to
    # the end: nothing stops it but what is an error.
    nbformat.write(notebook, tmp_path / "77_words.ipynb")
    notebook.cells = [cell for cell in notebook.cells if cell.id != "other"]
    again = run(tmp_path, notebook, allow_errors=False)
    for name in ("needs", "follows", "given", "inside", "new", "after"):
        assert words(again[name]) == words(first[name]), name


def test_a_cell_of_the_readers_own_has_nothing_stored(tmp_path):
    cells = [LIGHT, "import absent_one"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    outputs = list(run(tmp_path, notebook).values())
    assert words(outputs[1]) == [SENTENCE]


def test_a_browser_is_not_told_to_install(monkeypatch):
    monkeypatch.setattr("sys.platform", "emscripten")
    assert optional.sentence("torch") == "This needs torch, which is not installed here."


@pytest.mark.parametrize("path", notebooks.in_order(), ids=lambda path: path.name[:2])
def test_the_first_cell_of_a_notebook_needs_nothing_more(path):
    """It runs everywhere, and from it on the others say what they need."""
    (first,) = [cell for cell in notebooks.read(path).cells if cell.id == "imports"]
    names = [
        name
        for node in ast.walk(ast.parse(first.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(each.name for each in node.names)]
    ]
    assert not {str(name).partition(".")[0] for name in names} & set(optional.LIBRARIES)


def test_the_stored_outputs_are_those_of_the_course(tmp_path, monkeypatch):
    """Of a changed copy beside it and of the original the original counts."""
    (original,) = (ROOT / "notebooks").glob("00_*.ipynb")
    content = json.loads(original.read_text(encoding="utf-8"))
    (cell,) = [each for each in content["cells"] if each["id"] == "imports"]
    stored, cell["outputs"] = cell["outputs"], []
    (tmp_path / original.name).write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "01_broken.ipynb").write_text("{")
    monkeypatch.chdir(tmp_path)
    optional._stored.cache_clear()
    assert optional._stored()["".join(cell["source"])] == stored
    optional._stored.cache_clear()


def test_the_libraries_are_what_the_course_adds_to_the_light_half():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    course = map(Requirement, project["optional-dependencies"]["course"])
    names = [each.name for each in course if each.name != project["name"]]
    assert names == list(optional.LIBRARIES)


def test_nothing_is_changed_where_nothing_is_missing():
    """The stored outputs of the course, and errors in them, come from a full installation."""
    assert optional.missing() == []
    optional.excuse_what_is_missing(None)  # would fail if it touched the shell


@pytest.mark.parametrize(
    "use",
    ["x + 1", "1 + x", "x[0]", "x(1)", "list(x)", "len(x)", "str(x)", "f'{x:.2f}'", "x.a", "-x"]
    + [
        "bool(x)",
        "x == 1",
        "1 in x",
        "float(x)",
        "x @ x",
        "abs(x)",
        "np.array(x)",
        "np.sqrt(x)",
        "open(x)",
    ],
)
def test_whatever_is_done_with_an_absent_thing_says_what_it_needs(use):
    import numpy as np

    with pytest.raises(ModuleNotFoundError, match="^This needs torch, ") as raised:
        eval(use, {"x": optional.Absent("torch"), "np": np})
    assert raised.value.name == "torch"
