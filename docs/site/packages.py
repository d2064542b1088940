"""The npm packages that pages and slides are built with, in build/node."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "build" / "node"


def install(folder: Path = FOLDER) -> Path:
    """Install what package-lock.json pins, unless that is what is there; its node_modules."""
    lock = (HERE / "package-lock.json").read_bytes()
    modules = folder / "node_modules"
    done = modules / ".lock"  # a copy of the lock that was installed
    if done.exists() and done.read_bytes() == lock:
        return modules
    if not shutil.which("npm"):
        raise SystemExit("make site and make slides need Node.js 20 or newer, with npm.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=folder,
        check=True,
    )
    done.write_bytes(lock)
    return modules
