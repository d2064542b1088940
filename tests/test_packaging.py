"""Bounds stand once, in pyproject.toml; everything that repeats one is held in step with it."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import adamlib
import set_up
from oldest import oldest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# names on conda-forge where they differ from PyPI's
CONDA_NAMES = {"torch": "pytorch"}


def requirements(*extras: str) -> dict[str, Requirement]:
    """Of the run time and of some extras, without what one extra takes from another."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    found = {Requirement(line).name: Requirement(line) for line in lines}
    return {name: each for name, each in found.items() if name != PROJECT["name"]}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in found}


def test_environment_yml_has_the_same_bounds():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    packages = [line for line in environment["dependencies"] if isinstance(line, str)]
    ours = requirements("light", "course", "test").values()
    wanted = [f"{CONDA_NAMES.get(each.name, each.name)}{each.specifier}" for each in ours]
    assert packages == [f"python{PROJECT['requires-python']}", "pip", *wanted]
    assert environment["dependencies"][-1] == {"pip": ["-e .", f"-e ./{set_up.PLUGIN}"]}
    assert environment["channels"] == ["conda-forge"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_direct_dependency_is_pinned_within_its_bounds(extra):
    for requirement in requirements(extra).values():
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} of [{extra}] is not in constraints.txt"
        version = pin.removeprefix("==")
        assert requirement.specifier.contains(version), f"{requirement} excludes the pin {pin}"


def test_every_pin_that_is_installed_takes_the_oldest_python():
    """Its first release too, which systems have for years: Debian 12 has 3.11.2."""
    oldest_python = PROJECT["requires-python"].removeprefix(">=") + ".0"
    installed = {canonicalize_name(each.name): each for each in metadata.distributions()}
    for name in pins().keys() & installed.keys():
        wanted = installed[name].metadata["Requires-Python"]
        assert SpecifierSet(wanted or "").contains(oldest_python), f"{name} wants Python {wanted}"


def test_constraints_are_exact_public_versions():
    for name, specifier in pins().items():
        assert re.fullmatch(r"==[\w.]+", specifier), f"{name}{specifier}"


def test_oldest_versions_are_the_bounds():
    bounds = requirements("light", "course", "test").values()
    assert oldest() == [str(each).replace(">=", "==") for each in bounds]


def test_there_are_no_upper_bounds():
    for each in requirements(*EXTRAS).values():
        assert re.fullmatch(r">=[\w.]+", str(each.specifier)), each


def test_the_version_stands_in_the_citation_too():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == adamlib.__version__


def test_every_install_of_the_tests_has_the_plugin_too():
    """It is not on PyPI, so that no extra can name it."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    installs = [line for line in workflow.splitlines() if '-e ".[course,test]"' in line]
    assert installs and all(line.endswith(f" -e ./{set_up.PLUGIN}") for line in installs)
    assert (ROOT / set_up.PLUGIN / "pyproject.toml").is_file()


def test_the_plugin_needs_what_the_course_has():
    plugin = tomllib.loads((ROOT / set_up.PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))
    project = plugin["project"]
    assert project["requires-python"] == PROJECT["requires-python"]
    lines = project["dependencies"] + project["optional-dependencies"]["perturb"]
    for requirement in map(Requirement, lines):
        version = pins()[canonicalize_name(requirement.name)].removeprefix("==")
        assert requirement.specifier.contains(version), requirement


def test_the_workflow_runs_the_oldest_python():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f'"{PROJECT["requires-python"].removeprefix(">=")}"' in workflow


@pytest.mark.parametrize(
    "workflow", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda p: p.name
)
def test_actions_are_pinned_by_commit(workflow):
    """A tag can be moved; beside the commit stands the version that it was."""
    used = re.findall(r"uses: (.+)", workflow.read_text(encoding="utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+(\.\d+)*", action), action


# --- what is built from the repository ------------------------------------------------------------


def built(kind: str, target: Path) -> Path:
    """Build a wheel or an sdist of a copy: building leaves files beside the sources."""
    copy = target / "copy"
    ignored = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "work*", "notebooks")
    shutil.copytree(ROOT, copy, ignore=ignored)
    code = f"from setuptools import build_meta as b; b.build_{kind}({str(target)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    shutil.rmtree(copy)
    (path,) = target.glob("learn_adam-*")
    return path


def test_the_doctor_answers_from_a_wheel_with_nothing_beside_it(tmp_path):
    """Also the first cell of notebook 00, which asks it."""
    wheel = built("wheel", tmp_path)
    venv.create(tmp_path / "env", with_pip=False)
    python = set_up.venv_python(str(tmp_path / "env"))
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([python, "-c", where], text=True).strip()
    zipfile.ZipFile(wheel).extractall(packages)  # a wheel of Python files only

    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str) -> str:
        process = subprocess.run(
            [python, *arguments], cwd=tmp_path, env=alone, capture_output=True, text=True
        )
        assert process.stderr == ""
        return process.stdout

    printed = run("-m", "adamlib", "doctor")
    assert f"adamlib: {adamlib.__version__}, installed" in printed
    for each in requirements("light", "course").values():
        assert f'NO  {each.name}: missing\n      → type: python -m pip install "{each}"' in printed
    assert "constraints.txt" not in printed and "make" not in printed
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "doctor"]
    assert run("-c", cell.source).endswith("put these right first, from the top\n")


def test_the_source_package_has_no_tests_that_cannot_run(tmp_path):
    """They need the notebooks and tools of the repository: all of them stay there."""
    with tarfile.open(built("sdist", tmp_path)) as package:
        names = [name.partition("/")[2] for name in package.getnames()]
    assert "adamlib/figures/adamlib.mplstyle" in names and "adamlib/adam.py" in names
    assert [name for name in names if "test" in name] == []
