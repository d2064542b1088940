"""What is missing on this machine, and what to type.

The standard library only, so that it can answer where nothing else is installed.
"""

from __future__ import annotations  # an old Python must reach the line that says it is too old

import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

DISTRIBUTION = "learn-adam"
FOLDER = Path(__file__).resolve().parent.parent
CHECKOUT = (FOLDER / "pyproject.toml").is_file()  # or a wheel, in the folder of all packages
PINNED = "-c constraints.txt " if CHECKOUT else ""
INSTALL = f'python -m pip install {PINNED}-e ".[course,test]"'
EXTRAS = ("light", "course")
IN_A_BROWSER = sys.platform == "emscripten"  # JupyterLite: no processes, no ports, no torch
FREE_GB = 0.5
IMPORTS = {
    "numpy": "numpy",
    "torch": "torch",
    "matplotlib": "matplotlib.pyplot",
    "jupyterlab": "jupyterlab",
}
SECONDS = 120


class Finding(NamedTuple):
    """One line of the report; ``advice`` is empty where all is well."""

    subject: str
    state: str
    advice: str = ""


class Requirement(NamedTuple):
    """A dependency: its distribution name, its lower bound, and the extra it belongs to."""

    name: str
    bound: str
    extra: str


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version: ``'2.13.0+cpu'`` → ``(2, 13, 0)``."""
    public = re.split(r"[^\d.]", version)[0]
    return tuple(int(number) for number in public.split(".") if number)


def at_least(version: str, bound: str) -> bool:
    """True where a version satisfies a lower bound; ``'2.1'`` satisfies ``'2.1.0'``.

    >>> at_least("2.13.0+cpu", "2.8"), at_least("2.1", "2.1.0"), at_least("2.0.2", "2.1")
    (True, True, False)
    """
    found, wanted = release(version), release(bound)
    length = max(len(found), len(wanted))
    padded = [numbers + (0,) * (length - len(numbers)) for numbers in (found, wanted)]
    return padded[0] >= padded[1]


def parse(requirement: str) -> Requirement:
    """Read a line such as ``torch>=2.8; extra == "course"``."""
    name = re.split(r"[^\w.-]", requirement)[0]
    bound = re.search(r">=\s*([\w.]+)", requirement)
    extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
    return Requirement(name, bound[1] if bound else "0", extra[1] if extra else "")


def installed() -> metadata.Distribution | None:
    """Metadata of this distribution, or None where adamlib runs from a folder only.

    An editable install leaves a copy of its metadata in the source folder, which any Python
    started there finds. That copy does not count: what was installed has a list of its files.
    """
    found = metadata.distributions(name=DISTRIBUTION)
    return next((each for each in found if each.read_text("RECORD") is not None), None)


def oldest_python(folder: Path = FOLDER) -> str:
    """The oldest Python that the course runs on."""
    if not (folder / "pyproject.toml").is_file():
        distribution = installed()
        return distribution.metadata["Requires-Python"].removeprefix(">=") if distribution else "0"
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'requires-python = ">=([\d.]+)"', text)[0]


def requirements(folder: Path = FOLDER) -> list[Requirement]:
    """What the course needs, from pyproject.toml or, of a wheel, from the installed metadata."""
    if not (folder / "pyproject.toml").is_file():
        distribution = installed()
        lines = distribution.requires or [] if distribution else []
    else:
        import tomllib  # came with Python 3.11, and `doctor` must start before that

        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        lines = list(project["dependencies"])
        for extra, wanted in project["optional-dependencies"].items():
            lines += [f'{line}; extra == "{extra}"' for line in wanted]
    wanted = [r for r in map(parse, lines) if r.extra in ("", *EXTRAS)]
    return [r for r in wanted if r.name != DISTRIBUTION]  # the course names its light half


def check_python(bound: str) -> Finding:
    version = "{}.{}.{}".format(*sys.version_info)
    state = f"{version} ({sys.executable})"
    if at_least(version, bound):
        return Finding("Python", state)
    advice = f"the course needs Python {bound} or newer"
    if CHECKOUT:
        advice += f": make test BASE_PYTHON=/path/to/python{bound}"
    return Finding("Python", state, advice)


def check_hidden() -> Iterator[Finding]:
    """Files that Python finds before the modules of the same names, without importing any."""
    paths = sysconfig.get_paths()
    installed_here = {name for key in ("purelib", "platlib") for name in modules_in(paths[key])}
    given = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    for folder in dict.fromkeys(map(os.path.abspath, [os.getcwd(), *given])):
        for name, path in sorted(modules_in(folder).items()):
            if name in sys.stdlib_module_names or name in installed_here and name != "adamlib":
                own = "Python's own" if name in sys.stdlib_module_names else "the installed"
                advice = f"rename it, or move it out of {folder}"
                if folder in map(os.path.abspath, given):
                    advice += ", or take that folder out of PYTHONPATH"
                yield Finding(f"module {name}", f"{path} hides {own} {name}", advice)


def modules_in(folder: str | Path) -> dict[str, Path]:
    """The modules and packages of a folder: name → file."""
    try:
        entries = list(Path(folder).iterdir())
    except OSError:
        return {}
    found = {path.stem: path for path in entries if path.suffix == ".py"}
    return found | {
        path.name: path / "__init__.py" for path in entries if (path / "__init__.py").is_file()
    }


def check_installation() -> Finding:
    distribution = installed()
    if distribution:
        return Finding("adamlib", f"{distribution.version}, installed")
    state = f"not installed in this Python; it runs from the folder {FOLDER}"
    advice = (
        f"in that folder type: make test   (or, without make: {INSTALL})\n"
        "      then use the Python of .venv: .venv/bin/python, on Windows .venv\\Scripts\\python"
    )
    return Finding("adamlib", state, advice)


def check_dependency(requirement: Requirement) -> Finding:
    name, bound, _ = requirement
    advice = "type: " + (INSTALL if CHECKOUT else f'python -m pip install "{name}>={bound}"')
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", advice)
    if at_least(version, bound):
        return Finding(name, version)
    return Finding(name, f"{version} is too old, the course needs {bound} or newer", advice)


def check_dependencies() -> Iterator[Finding]:
    """Each of them, in a line; all that the light installation leaves out, in one."""
    found = {each: check_dependency(each) for each in requirements()}
    absent = [each for each, finding in found.items() if finding.state == "missing"]
    rest = [each for each in found if each.extra == "course"]
    if IN_A_BROWSER:  # its versions are not the reader's to change
        there = [each for each in found if each.name in ("numpy", "matplotlib")]
        found = {each: check_dependency(each._replace(bound="0")) for each in there}
    elif absent == rest:
        found = {each: found[each] for each in found if each not in rest}
        state = f"without {', '.join(each.name for each in rest)}. Cells that need one say so"
        yield Finding("light installation", state)
    yield from found.values()


def check_import(name: str, module: str) -> Finding:
    """Import in a process of its own: a broken library can end the whole process."""
    subject = f"import {module}"
    try:
        process = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Finding(
            subject, f"takes more than {SECONDS} seconds", "close other programs, try again"
        )
    if process.returncode == 0:
        return Finding(subject, "works")
    last = (process.stderr.strip() or f"exit status {process.returncode}").splitlines()[-1]
    repair = f'python -m pip install --force-reinstall --no-deps {PINNED}"{name}"'
    return Finding(subject, f"fails: {last}", f"type: {repair}")


def check_kernel() -> Finding:
    """Notebooks ask for the kernel ``python3``; it must start a Python with these packages."""
    subject = "Jupyter kernel python3"
    register = "python -m ipykernel install --sys-prefix"
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except ImportError:
        return Finding(subject, "Jupyter is missing", "install jupyterlab, see above")
    except NoSuchKernel:
        return Finding(subject, "missing", f"type: {register}")
    # Jupyter replaces a bare `python` by the interpreter that it runs in
    here = Path(sys.executable)
    if re.fullmatch(r"python(3(\.\d+)?)?(\.exe)?", program) or Path(program) == here:
        return Finding(subject, "works")
    return Finding(subject, f"starts another Python: {program}", f"type: {register}")


# What a room full of machines is asked for beforehand, each in a process of its own.
CELL = """
import numpy as np
from adamlib import adam_step, init_state
param, state = adam_step(np.zeros(3), np.ones(3), init_state(np.zeros(3)))
assert np.allclose(param, -1e-3), param
"""
RUN_CELL = f"""
from jupyter_client.manager import run_kernel
with run_kernel(kernel_name="python3", startup_timeout={SECONDS}) as client:
    answer = client.execute_interactive({CELL!r}, timeout={SECONDS}, output_hook=print)["content"]
    if answer["status"] != "ok":
        raise SystemExit(f"{{answer.get('ename')}}: {{answer.get('evalue')}}")
"""
DRAW = """
import matplotlib
matplotlib.use("agg")
from matplotlib import font_manager, pyplot
from adamlib.figures.base import own_style
with own_style():  # as the course's figures are drawn
    font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    pyplot.figure().text(0, 0, r"$\\sqrt{v} + \\epsilon$")
    pyplot.savefig(__import__("io").BytesIO())
"""
TRIALS = {
    "a cell in a kernel": (RUN_CELL, "close other programs; see the lines above"),
    "a figure with its fonts": (DRAW, "remove matplotlib's font cache (matplotlib.get_cachedir())"),
}


def check_trial(subject: str, program: str, advice: str) -> Finding:
    """Run a program; say how long it took, or its last words."""
    started = time.monotonic()
    try:
        process = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=2 * SECONDS
        )
    except subprocess.TimeoutExpired:
        return Finding(subject, f"takes more than {2 * SECONDS} seconds", advice)
    if process.returncode == 0:
        return Finding(subject, f"works, in {time.monotonic() - started:.0f} s")
    last = (process.stderr.strip() or f"exit status {process.returncode}").splitlines()[-1]
    return Finding(subject, f"fails: {last}", advice)


def check_port() -> Finding:
    """Jupyter and its kernels talk through ports of this machine's own address."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()[:2], timeout=5):
                return Finding("ports of 127.0.0.1", "work")
    except OSError as error:
        advice = "allow Python to connect to 127.0.0.1: a firewall or a proxy program forbids it"
        return Finding("ports of 127.0.0.1", f"fail: {error}", advice)


def check_home() -> Finding:
    """Where Jupyter and matplotlib keep what they need between two starts."""
    home = Path.home()
    if home.is_dir() and os.access(home, os.W_OK):
        return Finding("home folder", f"{home}")
    advice = "set the environment variable HOME (on Windows USERPROFILE) to a folder of your own"
    return Finding("home folder", f"{home} cannot be written to", advice)


def check_space(folder: Path = FOLDER) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    advice = "" if free >= FREE_GB else f"free some space: {FREE_GB} GB are needed to work"
    return Finding("free disk space", f"{free:.1f} GB", advice)


def lines_of(path: Path, pattern: str) -> list[str]:
    """What a pattern finds at the beginning of a file's lines, each once."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return list(dict.fromkeys(re.findall(pattern, text, re.MULTILINE)))


def own_figure_settings() -> Iterator[Finding]:
    """The matplotlibrc of this user, if there is one."""
    try:
        import matplotlib
    except Exception:
        return  # check_import has said it
    path = Path(matplotlib.matplotlib_fname()).resolve()
    names = lines_of(path, r"^[ \t]*([\w.]+)[ \t]*:")
    if names and Path(matplotlib.get_data_path()).resolve() != path.parent:
        state = f"{path} sets {', '.join(names)}; the course's figures do not take it"
        yield Finding("your matplotlibrc", state)


def own_session_settings() -> Iterator[Finding]:
    """What IPython runs and reads before the first cell."""
    ipython = Path(os.environ.get("IPYTHONDIR") or Path.home() / ".ipython")
    profile = ipython / "profile_default"
    found = [str(path) for path in sorted(profile.glob("startup/*.*py"))]
    for path in sorted(profile.glob("ipython*config.py")):
        if names := lines_of(path, r"^[ \t]*c\.([\w.]+)"):
            found.append(f"{path} ({', '.join(names)})")
    if found:
        state = (
            f"{', '.join(found)}\n      The notebooks put NumPy's, torch's and IPython's settings "
            "back. Should a cell still print something else,\n"
            "      start Jupyter with the environment variable IPYTHONDIR set to an empty folder."
        )
        yield Finding("your IPython settings", state)


def findings() -> Iterator[Finding]:
    """All checks, in the order in which to put things right."""
    python = check_python(oldest_python())
    yield python
    if python.advice:
        return  # whatever else is missing here belongs into another Python
    hidden = list(check_hidden())
    yield from hidden
    if hidden:
        return  # what is below would be looked for in the wrong files
    yield check_installation()
    yield check_space()
    dependencies = list(check_dependencies())
    yield from dependencies
    if IN_A_BROWSER:
        return
    missing = {finding.subject for finding in dependencies if finding.state == "missing"}
    there = {finding.subject for finding in dependencies} - missing
    for name, module in IMPORTS.items():
        if name in there:
            yield check_import(name, module)
    kernel = check_kernel()
    yield kernel
    yield check_port()
    yield check_home()
    if not (missing or kernel.advice):
        for subject, (program, advice) in TRIALS.items():
            yield check_trial(subject, program, advice)
    yield from own_figure_settings()
    yield from own_session_settings()
