"""`python -m adamlib doctor` on a healthy machine, and on ones that lack something."""

import subprocess
import sys
from pathlib import Path

import pytest

from adamlib import __main__ as main

ROOT = Path(__file__).resolve().parent.parent


def test_all_is_well_here(capsys):
    assert main.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "All is well." in printed
    assert "NO" not in printed


@pytest.mark.parametrize("argv", [[], ["nurse"]])
def test_other_commands_are_refused(argv):
    with pytest.raises(SystemExit):
        main.main(argv)


def test_bounds_are_those_of_pyproject():
    from_metadata = main.requirements()
    assert {"numpy", "torch", "jupyterlab"} <= {requirement.name for requirement in from_metadata}
    assert {requirement.extra for requirement in from_metadata} == {"", "course"}
    assert main.oldest_python() == "3.11"


def test_without_an_installation(monkeypatch):
    with_metadata = main.requirements(), main.oldest_python()
    monkeypatch.setattr(main, "installed", lambda folder=None: None)
    assert (main.requirements(), main.oldest_python()) == with_metadata
    finding = main.check_installation()
    assert "not installed" in finding.state
    assert "make test" in finding.advice


def test_the_copy_of_the_metadata_in_the_source_folder_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "learn_adam.egg-info").mkdir()
    (tmp_path / "learn_adam.egg-info" / "PKG-INFO").write_text("Name: learn-adam\nVersion: 9\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert main.installed(tmp_path) is None
    assert main.installed(ROOT).version == "9"


def test_missing_and_old_dependencies():
    missing = main.check_dependency(main.Requirement("no-such-thing", "1", ""))
    assert missing.state == "missing"
    assert main.INSTALL in missing.advice
    old = main.check_dependency(main.Requirement("numpy", "999", ""))
    assert "too old" in old.state and "999" in old.state
    assert main.INSTALL in old.advice


def test_an_import_that_fails_is_quoted(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise OSError('libtorch.so is damaged')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = main.check_import("torch", "broken_library")
    assert "libtorch.so is damaged" in finding.state
    assert "--force-reinstall" in finding.advice


def test_an_old_python():
    finding = main.check_python("99.0")
    assert "99.0 or newer" in finding.advice


def test_a_kernel_of_another_python(monkeypatch):
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

    elsewhere = KernelSpec(argv=["/other/python", "-m", "ipykernel_launcher"])
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda self, name: elsewhere)
    assert "/other/python" in main.check_kernel().state

    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert "ipykernel install" in main.check_kernel().advice


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(main.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1e6}))
    assert "free some space" in main.check_space().advice


def test_one_finding_to_put_right_is_exit_status_1(monkeypatch, capsys):
    monkeypatch.setattr(
        main, "findings", lambda: iter([main.Finding("torch", "missing", "type: x")])
    )
    assert main.main(["doctor"]) == 1
    assert "→ type: x" in capsys.readouterr().out


def test_it_imports_the_standard_library_only():
    code = (
        "import sys; before = set(sys.modules); import adamlib.__main__;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'adamlib'}))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"
