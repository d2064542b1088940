"""The npm packages that pages and slides are built with, in build/node; the hub's test, too."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent.parent / "build" / "node"


def install(folder: Path = FOLDER, pinned: Path = HERE) -> Path:
    """Install what the package-lock.json in `pinned` pins, unless it is there; its node_modules."""
    lock = (pinned / "package-lock.json").read_bytes()
    modules = folder / "node_modules"
    done = modules / ".lock"  # a copy of the lock that was installed
    if done.exists() and done.read_bytes() == lock:
        return modules
    if not shutil.which("npm"):
        raise SystemExit("This needs Node.js 20 or newer, with npm.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pinned / name, folder)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"],
        cwd=folder,
        check=True,
    )
    done.write_bytes(lock)
    return modules
