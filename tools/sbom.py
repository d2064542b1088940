"""Write a list of all that is installed, with versions and licences: an SBOM, as CycloneDX 1.6.

    python tools/sbom.py [build/sbom.json]

It is about the Python that runs this. What writes it, cyclonedx-bom, is installed beside that, in a
folder for the moment, so that it is not in the list itself.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from set_up import venv_python

ROOT = Path(__file__).resolve().parent.parent


def write(path: Path, python: str = sys.executable) -> None:
    """Write what this Python has installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        beside = venv_python(folder)
        command = [beside, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        command += ["-c", str(ROOT / "constraints.txt"), "cyclonedx-bom"]
        subprocess.run([*command, *shlex.split(os.environ.get("PIP_ARGS", ""))], check=True)
        command = [beside, "-m", "cyclonedx_py", "environment", python, "-o", str(path)]
        command += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
        subprocess.run(command, check=True)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    path = Path(*arguments) if arguments else ROOT / "build" / "sbom.json"
    write(path)
    print(path)


if __name__ == "__main__":
    main()
