"""The light installation, made as a reader makes it: no torch, and the notebooks run through."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest

import adamlib
import notebooks
import set_up
from adamlib import optional

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # as the README has it
INTERPRETER = "python.defaultInterpreterPath"
# The cells that a library other than NumPy and matplotlib is the point of, and what follows from
# them. In notebook 06 the first counterexample is PyTorch's own loop.
NEED_MORE = {
    "00": [],
    "01": ["derivative", "unroll-sympy", "sum-symbolic", "expectation-symbolic", "why-twelve"],
    "02": ["two-steps", "against-torch"],
    "03": ["zeros-exist", "batch-norm", "flush-found", "torch"],
    "05": ["the-slider", "torch-net", "torch-corner"],
    "06": ["loop", "long-check", "run", "small-first", "small-predict", "small-run", "figure-walks"]
    + ["constant-run", "orders-on-problem", "orders-register", "eps-scale"],
    "07": ["walk-torch", "drift", "drift-numbers", "drift-figure", "identify-torch"]
    + ["identify-options", "identify-zero", "own-object", "stranger", "told-wrong", "looked-at"]
    + ["relu"],
}
ABOUT_TORCH = ("04", "08", "09", "10", "11")
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, kernel_name="python3", timeout=600).execute(cwd="work")
    nbformat.write(notebook, path)
"""


def run(folder: Path, *command: str) -> str:
    """What a command prints, without the settings of the environment that runs the tests."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "JUPYTER_PATH")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    process = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def light(tmp_path_factory) -> tuple[Path, str]:
    """A folder as it is fetched, set up by `make lab LIGHT=1` short of JupyterLab; its Python."""
    folder = tmp_path_factory.mktemp("light") / "course"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "work*", "build")
    shutil.copytree(ROOT, folder, ignore=ignored)
    run(folder, sys.executable, "tools/set_up.py", "--light")
    python = set_up.venv_python(str(folder / ".venv"))
    run(folder, python, "tools/lab.py", "reset")  # makes work/
    return folder, python


def shown(outputs: list) -> list[tuple]:
    """What nbval compares: the kinds, the text, that a figure is one; streams joined."""
    found: list[tuple] = []
    for each in outputs:
        if each.output_type != "stream":
            pictured = "image/png" in each.data
            found.append((pictured, "" if pictured else each.data["text/plain"]))
        elif found and found[-1][0] == each.name:
            found[-1] = (each.name, found[-1][1] + each.text)
        else:
            found.append((each.name, each.text))
    return found


@pytest.mark.slow
def test_there_is_no_torch_and_the_doctor_is_content(light):
    folder, python = light
    listed = run(folder, python, "-m", "pip", "list", "--format=freeze").lower()
    assert not [name for name in optional.LIBRARIES if f"\n{name}==" in listed]
    said = run(folder, python, "-m", "adamlib", "doctor")
    assert f"light installation: without {', '.join(optional.LIBRARIES)}" in said


def told(light: tuple[Path, str], number: str) -> list[str]:
    """Run a notebook through: each cell prints what is stored; these say that they did not run."""
    folder, python = light
    (original,) = (path for path in notebooks.in_order() if path.name.startswith(number))
    run(folder, python, "-c", EXECUTE, str(folder / "work" / original.name))
    stored = {cell.id: cell for cell in notebooks.read(original).cells}
    found = []
    for cell in notebooks.read(folder / "work" / original.name).cells:
        if cell.cell_type == "code":
            outputs = [out for out in cell.outputs if optional.NOTE not in out.get("metadata", {})]
            found += [cell.id] * (len(cell.outputs) - len(outputs))
            assert shown(outputs) == shown(stored[cell.id].outputs), cell.id
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", NEED_MORE)
def test_a_notebook_runs_through_and_shows_what_is_stored(light, number):
    """`NEED_MORE`, and no others, say that they did not run."""
    assert told(light, number) == NEED_MORE[number]


@pytest.mark.slow
@pytest.mark.parametrize("number", ABOUT_TORCH)
def test_a_notebook_about_torch_can_be_read_to_its_end(light, number):
    """Its first cell runs; nothing stops "Run All"."""
    found = told(light, number)
    assert found and "imports" not in found


@pytest.mark.slow
def test_it_is_installed_from_a_repository(tmp_path):
    """`pip install -c … "learn-adam[light] @ git+…"`, with this one as the address."""
    venv.create(tmp_path / "env", with_pip=True)
    python = set_up.venv_python(str(tmp_path / "env"))
    address = ROOT.as_uri().replace("file://", "file://localhost")  # older pips want a host
    wanted = f"learn-adam[light] @ git+{address}"
    pinned = ["-c", str(ROOT / "constraints.txt")]
    run(tmp_path, python, "-m", "pip", "install", "-q", *pinned, wanted)
    said = run(tmp_path, python, "-m", "adamlib", "doctor")
    assert f"adamlib: {adamlib.__version__}, installed" in said and "light installation" in said


def test_the_container_for_editors_is_set_up_as_by_make():
    lines = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8").splitlines()
    file = json.loads("\n".join(line for line in lines if not line.strip().startswith("//")))
    assert file["postCreateCommand"] == "python3 tools/set_up.py"
    assert file["containerEnv"]["PIP_ARGS"] == "--extra-index-url " + CPU_INDEX
    assert "/.venv/bin/python" in file["customizations"]["vscode"]["settings"][INTERPRETER]


def test_the_cells_that_need_more_exist():
    for number, ids in NEED_MORE.items():
        (path,) = (each for each in notebooks.in_order() if each.name.startswith(number))
        assert set(ids) <= {cell.id for cell in nbformat.read(path, as_version=4).cells}
