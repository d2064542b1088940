"""requirements*.lock: the versions of the constraints, hashes of their files, nothing missing."""

import json
import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lock
import sbom
import set_up

ROOT = Path(__file__).resolve().parent.parent
ENTRY = re.compile(
    r"^(\S[^\n]*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
SMALL = ("idna", "six", "fqdn")  # installed in a moment
every_lock = pytest.mark.parametrize("name", lock.FILES.values())


def text_of(name: str) -> str:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def entries(name: str) -> dict[str, Requirement]:
    found = [Requirement(line) for line, _ in ENTRY.findall(text_of(name))]
    return {canonicalize_name(each.name): each for each in found}


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def needed_here(requirements: list[str]) -> set[str]:
    """What packages ask for, on this system, as far as they are installed."""
    left, found = [Requirement(line) for line in requirements], set()
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        for extra in ("", *one.extras):
            if (name, extra) not in found:
                found.add((name, extra))
                try:
                    lines = metadata.requires(name) or []
                except metadata.PackageNotFoundError:  # the container's hub
                    lines = []
                left += [more for more in map(Requirement, lines) if applies(more, extra)]
    return {name for name, _ in found}


@every_lock
def test_every_line_is_an_exact_version_with_hashes(name):
    assert ENTRY.sub("", text_of(name)) == ""
    assert all(re.fullmatch(r"==[\w.]+", str(each.specifier)) for each in entries(name).values())


@every_lock
def test_the_versions_are_those_of_the_constraints(name):
    pins = lock.pinned()
    versions = {key: each.specifier for key, each in entries(name).items()}
    assert {key: f"=={pins.get(key)}" for key in versions} == {
        key: str(specifier) for key, specifier in versions.items()
    }


@pytest.mark.parametrize("extras", lock.FILES)
def test_all_that_is_needed_is_in_it(extras):
    """The libraries for CUDA, which torch may ask for, have no pin."""
    found = entries(lock.FILES[extras])
    here = {name for name, each in found.items() if applies(each)}
    needed = {*needed_here(lock.wanted(extras))} & {*lock.pinned()}
    assert needed - here == ({"torch"} if sys.platform == "linux" and "torch" in needed else set())
    if "hub" not in extras:
        assert here <= needed


@every_lock
def test_other_systems_have_theirs(name):
    found = {key: str(each.marker) for key, each in entries(name).items() if each.marker}
    assert found["pywinpty"] == 'os_name == "nt"'
    assert found["appnope"] == 'sys_platform == "darwin"'
    assert found.get("torch", 'sys_platform != "linux"') == 'sys_platform != "linux"'
    heading = (ROOT / name).read_text(encoding="utf-8").partition("\nanyio")[0]
    assert ("On Linux torch is not among them" in heading) == ("torch" in found)


def test_each_set_up_has_a_lock_and_the_plugin_is_asked_for():
    assert {*set_up.LOCKS} == {set_up.FULL, set_up.LIGHT}
    assert "pytest>=8.2" in lock.wanted("test") and "matplotlib>=3.10.7" in lock.wanted("course")
    assert all(any(line.startswith("setuptools") for line in lock.wanted(e)) for e in lock.FILES)


FOUND = """\
cuda-bindings==13.5.0 ; python_full_version < '3.15' and sys_platform == 'linux' \\
    --hash=sha256:1
numpy==2.4.6 \\
    --hash=sha256:2 \\
    --hash=sha256:3
torch==2.13.0 \\
    --hash=sha256:4
"""


def test_what_torch_brings_on_linux_is_left_out():
    assert lock.kept(FOUND, {"numpy": "2.4.6", "torch": "2.13.0"}) == (
        "numpy==2.4.6 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
        "torch==2.13.0 ; sys_platform != 'linux' \\\n    --hash=sha256:4\n"
    )


def test_what_has_no_pin_is_refused():
    with pytest.raises(SystemExit, match="numpy has no pin in constraints.txt"):
        lock.kept(FOUND, {"torch": "2.13.0"})
    with pytest.raises(SystemExit, match="nvidia-thing has no pin"):  # for all systems
        lock.kept("nvidia-thing==1 \\\n    --hash=sha256:1\n", {})


# --- with pip, and with the index that it uses ----------------------------------------------------


def install(folder: Path, requirements: str) -> subprocess.CompletedProcess:
    path = folder / "small.lock"
    path.write_text(requirements, encoding="utf-8")
    venv.create(folder / "env", with_pip=True, clear=True)
    command = [set_up.venv_python(str(folder / "env")), "-m", "pip", "install", "--no-cache-dir"]
    command += ["--require-hashes", "--no-deps", "-r", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def small():
    found = ENTRY.finditer(text_of("requirements.lock"))
    picked = [each[0] for each in found if each[0].startswith(tuple(f"{n}==" for n in SMALL))]
    assert len(picked) == len(SMALL)
    return "".join(picked)


@pytest.mark.slow
def test_pip_installs_the_files_that_it_names(small, tmp_path):
    done = install(tmp_path, small)
    assert done.returncode == 0, done.stderr
    assert re.search("Successfully installed( [a-z]+-[0-9.]+){3}\n", done.stdout)


@pytest.mark.slow
def test_a_file_of_another_hash_is_refused_and_nothing_is_installed(small, tmp_path):
    last = re.compile("(six==.*)", re.DOTALL)
    changed = last.sub(lambda six: re.sub("sha256:.{8}", "sha256:00000000", six[0]), small)
    done = install(tmp_path, changed)
    assert done.returncode != 0 and "Successfully installed" not in done.stdout
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "report it" in set_up.explain(done.stderr, "3.11")


@pytest.mark.slow
def test_the_sbom_lists_what_is_installed(tmp_path):
    sbom.write(tmp_path / "build" / "sbom.json")
    written = json.loads((tmp_path / "build" / "sbom.json").read_text(encoding="utf-8"))
    assert (written["bomFormat"], written["specVersion"]) == ("CycloneDX", "1.6")
    course = written["metadata"]["component"]
    assert course["name"] == "learn-adam"
    listed = {canonicalize_name(c["name"]): c["version"] for c in [*written["components"], course]
              if "version" in c}  # fmt: skip
    installed = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
    del installed["learn-adam"]
    assert listed.items() >= installed.items()
    here = {name: each for name, each in entries("requirements.lock").items() if applies(each)}
    assert {name: f"=={listed.get(name)}" for name in here} == {
        name: str(each.specifier) for name, each in here.items()
    }
