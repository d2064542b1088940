"""The container and Binder's files, beside what they repeat; a server on a course that stays."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lock

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
POST_BUILD = (ROOT / ".binder" / "postBuild").read_text(encoding="utf-8")
COPIED = [
    name
    for line in re.findall(r"^COPY (.+)", DOCKERFILE, re.MULTILINE)
    for name in line.split()[:-1]
]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)", DOCKERFILE, re.MULTILINE)


def test_its_python_is_the_one_that_every_test_runs_with_each_night():
    (argument,) = [line for line in instructions("ARG") if line.startswith("PYTHON=")]
    python = argument.removeprefix("PYTHON=")
    nightly = yaml.safe_load((ROOT / ".github/workflows/nightly.yml").read_text(encoding="utf-8"))
    assert re.match(rf"python:{python}\b", nightly["jobs"]["slow"]["container"]["image"])
    assert (ROOT / ".binder" / "runtime.txt").read_text() == f"python-{python}\n"


def test_what_is_copied_exists_and_reaches_the_builder():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines and sorted(sent) == sorted(COPIED)
    assert all((ROOT / name).exists() for name in COPIED)


def test_every_version_is_pinned():
    installs = re.findall(r"pip install|\(python -m pip install", POST_BUILD)
    assert installs and POST_BUILD.count("--constraint constraints.txt") == len(installs)


def test_what_is_in_the_container_is_checked_by_its_hash():
    """All but torch, which has other hashes at each index; and nothing comes with the course."""
    run = DOCKERFILE.partition("\nRUN python")[2].partition("\n")[0]
    locked, torch, course = (" ".join(part.split()) for part in run.split("&&"))
    assert "--require-hashes --no-deps" in locked
    assert locked.endswith(f"--requirement {lock.FILES['course,hub']}")
    assert "--constraint constraints.txt" in torch and torch.endswith(" torch")
    assert course.endswith("--no-deps --no-build-isolation --editable .")


def test_the_user_is_not_root_and_owns_nothing_of_the_course():
    assert instructions("USER") == ["1000"] and "--uid 1000 " in DOCKERFILE
    assert "--chown" not in DOCKERFILE and "chmod" not in DOCKERFILE
    assert DOCKERFILE.index("\nUSER 1000") > max(map(DOCKERFILE.rindex, ("\nCOPY ", "\nRUN ")))


@pytest.fixture
def course(tmp_path):
    """What the image has in /course, of it two notebooks."""
    root = tmp_path / "course"
    for name in ("tools", "benchmarks"):
        shutil.copytree(ROOT / name, root / name)
    (root / "notebooks").mkdir()
    for path in sorted((ROOT / "notebooks").glob("0[01]_*.ipynb")):
        shutil.copy(path, root / "notebooks")
    return root


TELLS = (
    "import os, sys; from pathlib import Path;"
    "print(Path.cwd(), sorted(p.name for p in Path().iterdir() if p.suffix),"
    "Path('../benchmarks/step.json').is_file(), os.environ['JUPYTER_CONFIG_PATH'], sys.argv[1:])"
)


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in paths if "__pycache__" not in str(path)}


def test_a_server_runs_on_a_copy_in_the_home_folder(course, tmp_path):
    home, before = tmp_path / "home", files(course)
    environment = os.environ | {"HOME": str(home), "USERPROFILE": str(home)}
    environment.pop("JUPYTER_CONFIG_PATH", None)
    command = [sys.executable, str(course / "tools" / "lab.py"), "serve"]
    command += [sys.executable, "-c", TELLS, "--ServerApp.base_url=/adam/"]
    home.mkdir()
    work = home / "learn-adam" / "work"
    wanted = (
        f"{work} ['00_start_here.ipynb', '01_moment_equations.ipynb'] True "
        f"{course / 'tools' / 'jupyter'} ['--ServerApp.base_url=/adam/']\n"
    )
    for _ in range(2):
        assert subprocess.check_output(command, env=environment, text=True) == wanted
        (work / "00_start_here.ipynb").write_text("mine")  # and is kept by the next start
    assert (work / "00_start_here.ipynb").read_text() == "mine"
    assert files(course) == before
