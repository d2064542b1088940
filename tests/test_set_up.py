"""The set-up says what is wrong, and what to type, on machines that lack something."""

import ast
import errno
import os
import re
import stat
import sys
from pathlib import Path

import pytest

import set_up

ROOT = Path(__file__).resolve().parent.parent
NO_NETWORK = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...: "
    "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')'\n"
    "ERROR: Could not find a version that satisfies the requirement torch (from versions: none)\n"
    "ERROR: No matching distribution found for torch\n"
)
FULL_DISK = (
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
)
WRONG_HASH = (
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated "
    "the package versions, please update the hashes.\n"
)
NO_WHEEL = "ERROR: No matching distribution found for torch==2.13.0\n"


READ = ("pyproject.toml", "constraints.txt", f"{set_up.PLUGIN}/pyproject.toml")


def copy_what_it_reads(folder: Path) -> None:
    (folder / set_up.PLUGIN).mkdir()
    for name in (*READ, *set_up.LOCKS.values()):
        (folder / name).write_bytes((ROOT / name).read_bytes())


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the files that the set-up reads, and room enough on the disk."""
    copy_what_it_reads(tmp_path)
    monkeypatch.setattr(set_up, "free_bytes", lambda root: 1e12)
    return str(tmp_path)


def fake_python(folder: str, pip_says: str = "", status: int = 0) -> None:
    """Put a stand-in for .venv/bin/python there: its `pip install` prints to stderr and ends."""
    path = Path(set_up.venv_python(os.path.join(folder, ".venv")))
    path.parent.mkdir(parents=True, exist_ok=True)
    install = f"sys.stderr.write({pip_says!r}); sys.exit({status})"
    log = path.parent / "log"
    path.write_text(
        "#!/bin/sh\n"
        f'"exec" "{sys.executable}" "$0" "$@"\n'  # nothing to Python; a #! takes no spaces
        "import sys\n"
        f"open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"if 'install' in sys.argv: {install}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def calls(folder: str) -> list[str]:
    """What the stand-in was asked for, and forget it."""
    log = Path(set_up.venv_python(os.path.join(folder, ".venv"))).parent / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


needs_shebang = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a Unix script")


def test_old_pythons_can_read_it():
    source = (ROOT / "tools" / "set_up.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Nonlocal, ast.YieldFrom, ast.Starred)
    found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, new)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    arguments = [a for f in functions for a in (*f.args.args, *f.args.kwonlyargs)]
    assert found == [], "Python 2.7 cannot read these"
    assert all(a.annotation is None for a in arguments)
    assert all(f.returns is None and not f.args.kwonlyargs for f in functions)
    assert source.isascii(), "Python 2.7 reads ASCII unless told otherwise"


def test_the_bound_is_that_of_pyproject():
    assert set_up.oldest_python(str(ROOT)) == (3, 11)


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_named_with_the_way_out(version, monkeypatch):
    monkeypatch.setattr(set_up, "find_newer", lambda oldest: None)
    with pytest.raises(set_up.Problem) as problem:
        set_up.check_python(version, (3, 11))
    assert f"This is Python {version[0]}.{version[1]}" in str(problem.value)
    assert "needs 3.11 or newer" in str(problem.value)
    assert "make test BASE_PYTHON=/path/to/python3" in str(problem.value)


@needs_shebang
def test_a_newer_python_on_the_path_is_found(tmp_path, monkeypatch):
    (tmp_path / "python3.12").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(set_up.Problem, match=r"make test BASE_PYTHON=python3\.12"):
        set_up.check_python((3, 9, 1), (3, 11))


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 1), (4, 0, 0)])
def test_a_new_python_passes(version):
    set_up.check_python(version, (3, 11))


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_no_venv_module(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(set_up.Problem) as problem:
        set_up.check_venv_module()
    package = "python{}.{}-venv".format(*sys.version_info)
    assert f"sudo apt install {package}" in str(problem.value)


def test_too_little_room():
    set_up.check_space(2e9, 1.8)
    with pytest.raises(set_up.Problem, match=r"1\.0 GB are free, the set-up needs about 1\.8 GB"):
        set_up.check_space(1e9, 1.8)


@pytest.mark.parametrize(
    ("stderr", "says"),
    [
        (NO_NETWORK, "no connection to the package index"),
        (FULL_DISK, "The disk is full"),
        ("ERROR: ResolutionImpossible: for help visit ...", "Without a network it says the same"),
        (NO_WHEEL, "for this Python (3.99)"),
        (WRONG_HASH, "another file than the one that was published"),
        ("Segmentation fault", "The set-up failed"),
    ],
)
def test_failures_of_pip_are_explained(stderr, says):
    assert says in set_up.explain(stderr, "3.99")


@needs_shebang
@pytest.mark.parametrize(
    ("pip_says", "advice"),
    [(NO_NETWORK, "Check the network"), (FULL_DISK, "free some space and repeat")],
)
def test_a_failing_pip_ends_the_set_up_with_advice(project, capsys, pip_says, advice):
    fake_python(project, pip_says, status=1)
    assert set_up.main(project) == 1
    printed = capsys.readouterr().err
    assert pip_says in printed, "pip's own words are shown too"
    assert advice in printed
    assert not os.path.exists(os.path.join(project, ".venv", "set-up-done"))


@needs_shebang
def test_a_disk_that_fills_up_outside_pip(project, monkeypatch, capsys):
    fake_python(project)

    def full(root, folder, extras, quietly):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(set_up, "install", full)
    assert set_up.main(project) == 1
    assert "The disk is full" in capsys.readouterr().err


@needs_shebang
def test_done_once_and_repeated_only_when_something_changed(project, capsys):
    fake_python(project)
    assert set_up.main(project) == 0
    assert any("--editable" in call for call in calls(project))

    assert set_up.main(project) == 0
    assert calls(project) == ["-c "], "a second run starts the Python of .venv and nothing else"

    for name in ("constraints.txt", f"{set_up.PLUGIN}/pyproject.toml", "requirements.lock"):
        with open(os.path.join(project, name), "a") as file:
            file.write("# a newer version of something\n")
        assert set_up.main(project) == 0
        assert any("--editable" in call for call in calls(project))


@needs_shebang
def test_the_plugin_is_installed_from_its_folder(project):
    fake_python(project)
    assert set_up.main(project) == 0
    (install,) = [call for call in calls(project) if "--editable" in call]
    assert install.endswith(f"[course,test] --editable {os.path.join(project, set_up.PLUGIN)}")
    assert "--no-deps --no-build-isolation" in install, "nothing is fetched for it, nor to build it"


@needs_shebang
@pytest.mark.parametrize("light", [[], ["--light"]], ids=["whole", "light"])
def test_what_is_fetched_is_checked_by_its_hash(project, light):
    """All but torch, whose builds for the CPU alone have others."""
    fake_python(project)
    assert set_up.main(project, light) == 0
    locked, *torch, course = [call for call in calls(project) if " install " in call]
    file = os.path.join(project, set_up.LOCKS[set_up.LIGHT if light else set_up.FULL])
    assert locked.endswith(f"--require-hashes --no-deps --requirement {file}")
    pinned = f"--constraint {os.path.join(project, 'constraints.txt')} torch"
    assert [call.endswith(pinned) for call in torch] == ([] if light else [True])
    assert "--editable" in course


@needs_shebang
def test_the_light_one_installs_less_and_never_takes_away(project, capsys):
    fake_python(project)
    for wanted, installed in (("--light", "[light]"), ("", "[course,test]"), ("--light", None)):
        assert set_up.main(project, [wanted]) == 0
        installs = [call for call in calls(project) if "--editable" in call]
        assert [installed in call for call in installs] == ([True] if installed else [])
        assert all((set_up.PLUGIN in call) == (not wanted) for call in installs)
    sizes = re.findall(r"[\d.]+ GB", capsys.readouterr().out)
    assert sizes == ["0.5 GB", "1.8 GB"], "each is said before it is fetched"


@needs_shebang
def test_jupyter_in_it_reads_the_settings_of_the_course(project):
    fake_python(project)
    assert set_up.main(project) == 0
    (line,) = Path(project, ".venv", "etc", "jupyter", "jupyter_config.py").read_text().splitlines()
    ours = os.path.join(project, "tools", "jupyter", "jupyter_config.py")
    assert line == f"load_subconfig({ours!r})"


@needs_shebang
def test_an_interrupted_set_up_resumes(project, monkeypatch, capsys):
    fake_python(project)
    with monkeypatch.context() as patch:

        def interrupted(command):
            raise KeyboardInterrupt

        patch.setattr(set_up, "run", interrupted)
        assert set_up.main(project) == 130
    assert "goes on where it stopped" in capsys.readouterr().err
    assert set_up.main(project) == 0
    assert any("--editable" in call for call in calls(project))


@needs_shebang
def test_arguments_for_pip_are_passed_on(project, monkeypatch):
    fake_python(project)
    monkeypatch.setenv("PIP_ARGS", "--extra-index-url 'https://example.org/a b'")
    assert set_up.main(project) == 0
    assert any("--extra-index-url https://example.org/a b" in call for call in calls(project))


@needs_shebang
def test_a_path_with_spaces_and_umlauts(tmp_path, monkeypatch):
    folder = tmp_path / "mein Küchentisch"
    folder.mkdir()
    os.symlink(sys.executable, folder / "python")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    copy_what_it_reads(folder)
    fake_python(str(folder))
    monkeypatch.setattr(set_up, "free_bytes", lambda root: 1e12)
    assert set_up.main(str(folder)) == 0
    assert any("--editable" in call for call in calls(str(folder)))


@needs_shebang
def test_pip_settings_that_switch_are_switched_back(project):
    """PIP_USER=1 in a profile or a file: "Can not perform a '--user' install"."""
    fake_python(project)
    log = Path(project) / "environment"
    path = Path(set_up.venv_python(os.path.join(project, ".venv")))
    names = ("PIP_USER", "PIP_REQUIRE_HASHES", "PIP_NO_DEPS")
    writes = f"open({str(log)!r}, 'a').write(str([os.environ.get(n) for n in {names}]))"
    text = path.read_text()
    path.write_text(
        text.replace("import sys\n", f"import os, sys\nif 'install' in sys.argv: {writes}\n")
    )
    assert set_up.main(project) == 0
    assert log.read_text() == 3 * "['0', '0', '0']"


@pytest.mark.parametrize("name", ["target", "prefix", "root"])
@pytest.mark.parametrize("where", ["variable", "file"])
def test_pip_settings_that_lead_elsewhere_are_named(project, monkeypatch, capsys, name, where):
    """They cannot be switched off; the packages would be put beside .venv."""
    if where == "variable":
        monkeypatch.setenv(f"PIP_{name.upper()}", "/else where")
        said = f":env:.{name}"
    else:
        file = Path(project) / "pip.conf"
        file.write_text(f"[install]\n{name} = /else where\n", encoding="utf-8")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
        said = f"install.{name}"
    with pytest.raises(set_up.Problem, match=re.escape(f"{said}='/else where'")):
        set_up.check_pip_settings(sys.executable)


def test_other_pip_settings_stay(monkeypatch, tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\ntimeout = 60\n[install]\nuser = true\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    set_up.check_pip_settings(sys.executable)


def test_an_environment_without_pip_is_made_anew(project, monkeypatch):
    """`python -m venv` was interrupted before it came to pip."""
    os.mkdir(os.path.join(project, ".venv"))
    commands = []
    monkeypatch.setattr(set_up, "run", commands.append)
    monkeypatch.setattr(set_up, "check_pip_settings", lambda python: None)
    assert set_up.main(project) == 0
    assert commands[0] == [sys.executable, "-m", "venv", "--clear", os.path.join(project, ".venv")]
