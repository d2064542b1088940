"""JupyterLite beside the site: the course's notebooks, run in the reader's browser.

`make site LITE=1` writes it to build/site/lite. Nothing is fetched for it: JupyterLite and the
wheels come from this environment, and of Pyodide, which is Python for browsers, only the address
is written down; PYODIDE=/a/folder copies a distribution beside it instead.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit

import notebooks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORK = ROOT / "build" / "lite"
# The newest version of which the tests have a copy; it fits the kernel in constraints.txt.
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"
# The notebooks that NumPy carries and that start no processes. The others can be read: links
# lead to them.
RUN = ("00", "01", "02", "03", "05", "06")
APPS = ("notebooks", "tree")
# The tab's icons, which JupyterLite asks for and does not bring.
ICONS = ("favicon-notebook.ico", *(f"favicon-busy-{number}.ico" for number in (1, 2, 3)))
KERNEL = "@jupyterlite/pyodide-kernel-extension"
PACKED = ("array-api-compat", "comm")
LARGE = ".pt"  # for notebook 11, which needs torch
NOT_IN_A_WHEEL = ("INSTALLER", "REQUESTED", "direct_url.json")


def source(pyodide: str) -> str:
    """Who a reader's browser gets Python from.

    >>> source(PYODIDE), source("/a/folder")
    ('cdn.jsdelivr.net', 'this site')
    """
    return urlsplit(pyodide).netloc or "this site"


def wheel_of_ours(folder: Path) -> Path:
    """Build the wheel of a copy: building leaves files beside the sources."""
    copy = WORK / "source"
    shutil.copytree(
        ROOT / "adamlib", copy / "adamlib", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT.md"):
        shutil.copy(ROOT / name, copy)
    code = f"from setuptools import build_meta as b; b.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    (path,) = folder.glob("learn_adam-*.whl")
    return path


def packed(name: str, folder: Path) -> Path:
    """Make a wheel of a library of Python files that is installed here."""
    found = distribution(name)
    path = folder / f"{name.replace('-', '_')}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in sorted(found.files or [], key=str):
            if file.suffix != ".pyc" and file.name not in NOT_IN_A_WHEEL:
                wheel.write(str(file.locate()), str(file))
    return path


def copy_contents(folder: Path) -> None:
    """The notebooks with their stored outputs, and the files beside them that they read."""
    folder.mkdir()
    for path in notebooks.in_order():
        shutil.copy(path, folder)
    ignored = shutil.ignore_patterns("__pycache__", "conftest.py", f"*{LARGE}")
    shutil.copytree(notebooks.FOLDER / "data", folder / "data", ignore=ignored)


def run_jupyterlite(target: Path, contents: Path, wheels: list[Path]) -> None:
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--output-dir", str(target)]
    command += ["--contents", str(contents), "--lite-dir", str(WORK)]
    # of this environment's extensions the kernel alone: others are made for another JupyterLab
    extension = Path(sys.prefix, "share", "jupyter", "labextensions", KERNEL)
    command += ["--ignore-sys-prefix", f"--LiteBuildConfig.federated_extensions={extension}"]
    command += ["--no-sourcemaps"]
    for app in APPS:
        command += ["--apps", app]
    for wheel in wheels:
        command += ["--piplite-wheels", str(wheel)]
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"JupyterLite was not built:\n{done.stdout}{done.stderr}")


def configure(target: Path, pyodide: str, wheels: list[Path]) -> None:
    """Say where Python comes from, and what it has before the first cell runs."""
    path = target / "jupyter-lite.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    data = settings["jupyter-config-data"]
    kernel = data["litePluginSettings"][f"{KERNEL}:kernel"]
    above = "../" * len(Path("extensions", KERNEL, "static").parts)  # seen from the kernel's script
    ours = [f"{above}pypi/{wheel.name}" for wheel in wheels if not wheel.name.startswith("comm")]
    kernel |= {
        "pyodideUrl": f"{pyodide.rstrip('/')}/pyodide.js",
        "disablePyPIFallback": True,  # nobody else's package index is asked
        "loadPyodideOptions": {"packages": ["numpy", "matplotlib", *ours]},
    }
    data |= {"appName": "Adam and its epsilon", "appUrl": "./tree", "exposeAppInBrowser": True}
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def add_bar(target: Path) -> None:
    """Show what is loaded, and where the reader's work is kept, below each notebook."""
    shutil.copy(HERE / "bar.js", target)
    icons = target / "static" / "favicons"
    icons.mkdir(parents=True, exist_ok=True)
    for name in ICONS:
        shutil.copy(target / "notebooks" / "favicon.ico", icons / name)
    page = target / "notebooks" / "index.html"
    script = f'<script src="../bar.js" data-run="{" ".join(RUN)}"></script>'
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("<head>", f"<head>{script}", 1), encoding="utf-8")


def build(target: Path, pyodide: str = PYODIDE) -> None:
    """Write JupyterLite to a folder; ``pyodide`` is the address or the folder of a distribution."""
    target = target.resolve()
    for folder in (WORK, target):
        shutil.rmtree(folder, ignore_errors=True)
    (WORK / "wheels").mkdir(parents=True)
    wheels = [wheel_of_ours(WORK / "wheels")] + [packed(each, WORK / "wheels") for each in PACKED]
    copy_contents(WORK / "contents")
    run_jupyterlite(target, WORK / "contents", wheels)
    if not urlsplit(pyodide).netloc:
        shutil.copytree(pyodide, target / "pyodide")
        pyodide = "./pyodide/"
    configure(target, pyodide, wheels)
    add_bar(target)
