"""Write the requirements*.lock files: exact versions, each with the hashes of its published files.

    python tools/lock.py [NAME ...]

The versions are those of constraints.txt. uv, which has to be installed, asks the package index for
the files of every system and every Python; it installs nothing.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from set_up import LOCKS, PLUGIN

ROOT = Path(__file__).resolve().parent.parent
# The file that set-ups take of each set of extras; the container's hub has a file of its own.
FILES = LOCKS | {"course,hub": "requirements-container.lock"}
HEADING = """\
# Written by `make lock` for {extras}: the versions of constraints.txt, and the
# SHA-256 of every file that the package index has of them, for every system and Python.
#     pip install --require-hashes --no-deps -r {name}
"""
TORCH = """\
# On Linux torch is not among them: its builds for the CPU alone come from an index of their own,
# as the same version with other hashes. constraints.txt pins it; the libraries for CUDA, which only
# the default build on Linux needs, come with it.
"""


def wanted(extras: str, root: Path = ROOT) -> list[str]:
    """What has to be installed before the course and its plugin, which build with setuptools."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    plugin = (root / PLUGIN / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)
    lines = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    left = extras.split(",")
    while left:
        for line in project["project"]["optional-dependencies"][left.pop()]:
            requirement = Requirement(line)
            if requirement.name == project["project"]["name"]:
                left.extend(requirement.extras)
            else:
                lines.append(line)
    if "test" in extras:
        lines += tomllib.loads(plugin)["project"]["dependencies"]
    return sorted({*lines})


def pinned(root: Path = ROOT) -> dict[str, str]:
    """Package → its version in constraints.txt."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in found}


def resolved(requirements: Iterable[str], root: Path = ROOT) -> str:
    """What uv finds for all systems, from our oldest Python on."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal"]
    command += ["--no-header", "--no-annotate", "--generate-hashes", "--no-config"]
    command += ["--python-version", oldest, "--constraints", str(root / "constraints.txt")]
    text = "\n".join(requirements)
    return subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def kept(text: str, pins: dict[str, str]) -> str:
    """Leave out what only torch for Linux needs: it, and what constraints.txt does not pin."""
    entries = re.findall(r"^\S[^\n]*\n(?:[ ]+[^\n]*\n)*", text, re.MULTILINE)
    lines = []
    for entry in entries:
        first, rest = entry.split("\n", 1)
        requirement = Requirement(first.removesuffix("\\").strip())
        name, marker = canonicalize_name(requirement.name), str(requirement.marker)
        if name == "torch":
            first = f"{requirement} ; sys_platform != 'linux' \\"
        elif name not in pins:
            if 'sys_platform == "linux"' in marker and re.match("cuda|nvidia|triton", name):
                continue
            raise SystemExit(f"{name} has no pin in constraints.txt (expected one)")
        lines.append(f"{first}\n{rest}")
    return "".join(lines)


def main(names: Sequence[str] = sys.argv[1:]) -> None:
    for extras, name in FILES.items():
        if not names or name in names:
            text = kept(resolved(wanted(extras)), pinned())
            heading = HEADING.format(extras=f"[{extras}]", name=name)
            heading += TORCH if "\ntorch==" in text else ""
            (ROOT / name).write_text(heading + text, encoding="utf-8", newline="\n")
            print(f"{name}: {text.count('==')} packages, {text.count('--hash')} hashes")


if __name__ == "__main__":
    main()
