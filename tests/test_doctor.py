"""What the doctor finds on a healthy machine, and on ones that lack something."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adamlib import doctor


def test_bounds_are_those_of_pyproject():
    found = doctor.requirements()
    assert {"numpy", "torch", "jupyterlab", "sympy"} <= {each.name for each in found}
    assert {each.extra for each in found} == {"", "light", "course"}
    assert doctor.oldest_python() == "3.11"


def test_without_a_pyproject_they_are_those_of_the_distribution(tmp_path, monkeypatch):
    folder = tmp_path / "learn_adam-9.dist-info"
    folder.mkdir()
    lines = ["Name: learn-adam", "Version: 9", "Requires-Python: >=3.12", "Requires-Dist: numpy>=3"]
    lines += ['Requires-Dist: torch>=4; extra == "course"', 'Requires-Dist: ruff; extra == "test"']
    (folder / "METADATA").write_text("\n".join(lines))
    (folder / "RECORD").write_text("learn_adam-9.dist-info/METADATA,,\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    wanted = [doctor.Requirement("numpy", "3", ""), doctor.Requirement("torch", "4", "course")]
    assert doctor.requirements(tmp_path) == wanted
    assert doctor.oldest_python(tmp_path) == "3.12"


def test_without_an_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda: None)
    finding = doctor.check_installation()
    assert "not installed" in finding.state
    assert "make test" in finding.advice
    assert (doctor.requirements(tmp_path), doctor.oldest_python(tmp_path)) == ([], "0")


def test_the_copy_of_the_metadata_in_the_source_folder_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "learn_adam.egg-info").mkdir()
    (tmp_path / "learn_adam.egg-info" / "PKG-INFO").write_text("Name: learn-adam\nVersion: 9\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert doctor.installed() is None
    (tmp_path / "learn_adam.egg-info").rename(folder := tmp_path / "learn_adam-9.dist-info")
    (folder / "PKG-INFO").rename(folder / "METADATA")
    (folder / "RECORD").write_text("learn_adam-9.dist-info/METADATA,,\n")
    assert doctor.installed().version == "9"


@pytest.mark.parametrize(
    ("checkout", "numpy"),
    [(True, doctor.INSTALL), (False, 'python -m pip install "numpy>=999"')],
)
def test_missing_and_old_dependencies(checkout, numpy, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKOUT", checkout)
    missing = doctor.check_dependency(doctor.Requirement("no-such-thing", "1", ""))
    assert missing.state == "missing"
    assert missing.advice == f"type: {numpy}".replace("numpy>=999", "no-such-thing>=1")
    old = doctor.check_dependency(doctor.Requirement("numpy", "999", ""))
    assert "too old" in old.state and "999" in old.state
    assert old.advice == f"type: {numpy}"


BOUNDS = {"numpy": "", "jupyterlab": "light", "torch": "course", "sympy": "course"}


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ((), []),
        (("torch", "sympy"), ["light installation"]),
        (("torch",), ["torch"]),
        (("torch", "sympy", "numpy"), ["numpy", "torch", "sympy"]),
    ],
)
def test_a_light_installation_lacks_nothing_a_broken_one_does(absent, says, monkeypatch):
    """Without any of what only the course has it is light; without some of it it is broken."""
    needed = [doctor.Requirement(name, "1", extra) for name, extra in BOUNDS.items()]
    monkeypatch.setattr(doctor, "requirements", lambda: needed)

    def version(name):
        if name in absent:
            raise doctor.metadata.PackageNotFoundError(name)
        return "2"

    monkeypatch.setattr(doctor.metadata, "version", version)
    found = [each for each in doctor.check_dependencies() if each.state != "2"]
    assert [each.subject for each in found] == says
    assert all(bool(each.advice) == (each.subject in absent) for each in found)


def test_in_a_browser_it_asks_for_what_can_be_there(monkeypatch):
    """JupyterLite has no processes, no ports and no JupyterLab from PyPI."""
    monkeypatch.setattr(doctor, "IN_A_BROWSER", True)
    monkeypatch.setattr(subprocess, "run", None)
    monkeypatch.setattr(doctor.socket, "create_server", None)
    subjects = [each.subject for each in doctor.findings() if not each.subject.startswith("module")]
    assert subjects == ["Python", "adamlib", "free disk space", "numpy", "matplotlib"]


def test_an_import_that_fails_is_quoted(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise OSError('libtorch.so is damaged')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = doctor.check_import("torch", "broken_library")
    assert "libtorch.so is damaged" in finding.state
    assert "--force-reinstall" in finding.advice


def test_an_old_python():
    finding = doctor.check_python("99.0")
    assert "99.0 or newer" in finding.advice


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "doctor.py"])
def test_an_old_python_can_read_what_tells_it_so(name):
    ast.parse((Path(doctor.__file__).parent / name).read_text("utf-8"), feature_version=(3, 8))


def test_a_kernel_of_another_python(monkeypatch):
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

    elsewhere = KernelSpec(argv=["/other/python", "-m", "ipykernel_launcher"])
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: elsewhere)
    assert "/other/python" in doctor.check_kernel().state

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert "ipykernel install" in doctor.check_kernel().advice


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e6})
    )
    assert "free some space" in doctor.check_space().advice


def test_a_matplotlibrc_is_named_with_what_it_sets(tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.get_configdir", lambda: str(tmp_path / "none"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    assert list(doctor.own_figure_settings()) == [], "matplotlib's own file is nobody's setting"
    path = tmp_path / "matplotlibrc"
    path.write_text("# mine\n#font.size: 3\ntext.usetex : True\naxes.grid: False  # plain\n")
    (finding,) = doctor.own_figure_settings()
    assert f"{path.resolve()} sets text.usetex, axes.grid;" in finding.state
    assert finding.advice == "", "figures stand on their own settings: nothing to put right"


def test_what_ipython_reads_first_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    profile = tmp_path / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "README").write_text("what IPython puts there by itself")
    config = profile / "ipython_kernel_config.py"
    config.write_text("c = get_config()  #noqa\n# c.IPKernelApp.pylab = None\n")
    assert list(doctor.own_session_settings()) == []
    (profile / "startup" / "00-mine.py").write_text("import numpy as np")
    config.write_text("c.InteractiveShell.ast_node_interactivity = 'all'\n")
    (finding,) = doctor.own_session_settings()
    assert str(profile / "startup" / "00-mine.py") in finding.state
    assert f"{config} (InteractiveShell.ast_node_interactivity)" in finding.state
    assert "IPYTHONDIR set to an empty folder" in finding.state and finding.advice == ""


def test_the_doctor_reports_them(tmp_path, monkeypatch):
    own = doctor.Finding("your matplotlibrc", "somewhere")
    monkeypatch.setattr(doctor, "IMPORTS", {})
    monkeypatch.setattr(doctor, "own_figure_settings", lambda: iter([own]))
    assert own in doctor.findings()


@pytest.mark.parametrize("name", ["numpy", "random", "argparse", "torch", "email", "dataclasses"])
@pytest.mark.parametrize("package", [False, True])
@pytest.mark.parametrize("where", ["folder", "PYTHONPATH"])
def test_what_hides_a_module_is_named_and_not_imported(name, package, where, tmp_path):
    file = tmp_path / (f"{name}/__init__.py" if package else f"{name}.py")
    file.parent.mkdir(exist_ok=True)
    file.write_text("raise RuntimeError('imported')")
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    process = subprocess.run(
        [sys.executable, "-m", "adamlib", "doctor"],
        cwd=tmp_path if where == "folder" else elsewhere,
        env=os.environ | ({"PYTHONPATH": str(tmp_path)} if where == "PYTHONPATH" else {}),
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (1, "")
    kind = "the installed" if name in ("numpy", "torch") else "Python's own"
    assert f"NO  module {name}: {file} hides {kind} {name}\n" in process.stdout
    assert ("PYTHONPATH" in process.stdout) == (where == "PYTHONPATH")
    assert "force-reinstall" not in process.stdout


def test_files_of_other_names_and_folders_without_init_hide_nothing(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "numpy").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    assert list(doctor.check_hidden()) == []


def test_a_cell_runs_and_a_figure_is_drawn_whatever_the_readers_own_settings_are(
    tmp_path, monkeypatch
):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.family: No Such Font\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))  # there is no LaTeX
    for subject, (program, advice) in doctor.TRIALS.items():
        assert doctor.check_trial(subject, program, advice).state.startswith("works, in ")


@pytest.mark.parametrize(
    "program, says",
    [
        (doctor.RUN_CELL.replace("-1e-3", "-2e-3"), "fails: AssertionError"),
        (doctor.DRAW.replace("DejaVu Sans", "No Such Font"), "fails: "),
        ("import os; os._exit(7)", "fails: exit status 7"),
    ],
)
def test_what_a_trial_lacks_is_said(program, says):
    found = doctor.check_trial("this", program, "do that")
    assert found.state.startswith(says) and found.advice == "do that"


def test_a_trial_without_end(monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 0.2)
    assert "takes more than" in doctor.check_trial("this", "while True: pass", "x").state


def test_a_machine_that_does_not_talk_to_itself(monkeypatch):
    def refused(*args, **kwargs):
        raise OSError("not permitted")

    assert doctor.check_port().state == "work"
    monkeypatch.setattr(doctor.socket, "create_connection", refused)
    assert doctor.check_port().state == "fail: not permitted" and doctor.check_port().advice


def test_a_home_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.Path, "home", lambda: tmp_path)
    assert not doctor.check_home().advice
    monkeypatch.setattr(doctor.Path, "home", lambda: tmp_path / "none")
    assert "HOME" in doctor.check_home().advice
