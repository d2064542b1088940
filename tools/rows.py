"""The rows of `make test-everywhere`: what differs in each from the machine as it is.

A row makes a place, of what it may put into a folder: a Python, a copy of the course or this one,
variables, a user. It raises `NotHere` where this machine has not what it takes; its probe says what
is really used there.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import oldest
from pytest_notebook_rules.perturbing import THREADS
from set_up import venv_python

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
OF_A_USER = ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
OF_A_USER += ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "JUPYTER_RUNTIME_DIR")


class NotHere(Exception):
    """This machine cannot run a row; the text says why."""


@dataclass
class Place:
    """Where the notebooks run."""

    variables: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    python: str = sys.executable
    user: int | None = None
    arguments: tuple[str, ...] = ()  # of pytest

    def environment(self) -> dict[str, str]:
        """Variables: a home folder has all that is the user's, whatever led elsewhere before."""
        kept = {name: value for name, value in os.environ.items() if name not in OF_A_USER}
        return (kept if "HOME" in self.variables else dict(os.environ)) | self.variables

    def start(self, command: list[str]) -> subprocess.CompletedProcess:
        """Run a command there; what it printed, stderr in it."""
        who = {} if self.user is None else dict(user=self.user, group=self.user, extra_groups=[])
        return subprocess.run(
            command, env=self.environment(), cwd=self.root, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **who,
        )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Its words, how to make its place, and a line of Python with what that prints there."""

    words: str
    make: Callable[[Path], Place]
    probe: str = ""
    prints: str = ""


def is_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def setting(words: str, probe: str = "", prints: str = "", x86: bool = False, **variables: str):
    """A row that is a few variables."""

    def make(folder: Path) -> Place:
        if x86 and not is_x86():
            raise NotHere(f"this processor is {platform.machine()}")
        return Place(variables)

    return Row(words, make, probe, prints)


# --- threads, instruction sets ------------------------------------------------------------------

CAPABILITY = "import torch; print(torch.backends.cpu.get_cpu_capability())"
MKL = "import torch; print(torch.backends.mkl.is_available())"
ONEDNN = "import torch; print(torch.backends.mkldnn.is_available())"


def threads(number: int) -> Row:
    # a busy machine need not be a slow one
    variables = dict.fromkeys(THREADS, str(number)) | {"OMP_WAIT_POLICY": "passive"}
    probe = "import torch, numba; print(torch.get_num_threads(), numba.get_num_threads())"
    words = f"{number} thread{'s' * (number > 1)}"
    return Row(words, lambda folder: Place(variables), probe, f"{number} {number}")


def without(words: str, pattern: str, feature: str) -> Row:
    """NumPy without some of the code that it has for this processor."""

    def make(folder: Path) -> Place:
        config = np.show_config(mode="dicts")["SIMD Extensions"]
        # NumPy before 2.4 names single instruction sets, 2.4 groups them: X86_V4 is AVX512
        found = [name for name in config.get("found", []) if re.match(pattern, name)]
        if not found or not is_x86():
            raise NotHere(f"NumPy uses no {feature} on this processor")
        return Place({"NPY_DISABLE_CPU_FEATURES": " ".join(found)})

    left = "[n for n in os.environ['NPY_DISABLE_CPU_FEATURES'].split() if m.__cpu_features__[n]]"
    probe = f"import os, numpy._core._multiarray_umath as m; print({left})"
    return Row(words, make, probe, "[]")


# --- a reader's own settings ----------------------------------------------------------------------

MATPLOTLIBRC = """
font.family: A Font That Nobody Has
text.usetex: True
figure.dpi: 33
axes.prop_cycle: cycler('color', ['red'])
"""
IPYTHON = """
c.InteractiveShell.ast_node_interactivity = "all"
c.InteractiveShellApp.exec_lines = ["import numpy as np", "np.set_printoptions(precision=2)"]
c.PlainTextFormatter.float_precision = "%.2e"
"""
STARTUP = """
import numpy as np
np.seterr(all="raise")
np.random.seed(1)
"""


def home(folder: Path) -> Path:
    path = folder / "home"
    path.mkdir(parents=True)
    return path


def at_home(path: Path) -> dict[str, str]:
    return {"HOME": str(path), "USERPROFILE": str(path)}


def hostile_home(folder: Path) -> Place:
    path = home(folder)
    files = {
        ".config/matplotlib/matplotlibrc": MATPLOTLIBRC,
        ".ipython/profile_default/ipython_config.py": IPYTHON,
        ".ipython/profile_default/startup/00-mine.py": STARTUP,
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return Place(at_home(path))


def german(folder: Path) -> Place:
    """A locale that is there, or is made of the sources that are."""
    made = folder / "de_DE.UTF-8"
    command = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(made)]
    try:
        subprocess.run(command, capture_output=True)
    except OSError:
        pass
    variables = {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
    return Place(variables | ({"LOCPATH": str(folder)} if made.exists() else {}))


POINT = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.localeconv()['{}'])"


# --- other places ---------------------------------------------------------------------------------

COURSE = ("adamlib", "benchmarks", "docs", "notebooks", "pytest-notebook-rules", "tests", "tools")
COURSE += ("conftest.py", "pyproject.toml", "constraints.txt", "README.md", "CONTRIBUTING.md")
COURSE += ("requirements.lock", "requirements-light.lock", "LICENSE", "LICENSE-TEXT.md")


def copied(folder: Path, name: str = "course") -> Path:
    """A copy of the course, without its environment."""
    root = folder / name
    root.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints", "build")
    for each in COURSE:
        copy = shutil.copy if (ROOT / each).is_file() else shutil.copytree
        copy(ROOT / each, root / each, **({} if copy is shutil.copy else {"ignore": ignored}))
    return root


def imports(root: Path, *more: str) -> dict[str, str]:
    """Let Python take the course from a copy."""
    paths = [*more, str(root), str(root / "pytest-notebook-rules")]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def umlauts(folder: Path) -> Place:
    root = copied(folder, "mein Küchentisch/der Kurs")
    return Place(imports(root), root)


def for_nobody(folder: Path, read_only: bool) -> Place:
    """Another user: one who may read the course, and nothing else of ours."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NotHere("only root can become another user")
    root, mine = copied(folder), home(folder)
    for path in (folder, folder.parent):
        os.chmod(path, 0o755)
    os.chown(mine, NOBODY, NOBODY)
    for path in [root, *root.rglob("*")] if read_only else []:
        os.chmod(path, 0o555 if path.is_dir() else 0o444)
    if not read_only:
        for path in [root, *root.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    # Python itself may stand in a folder that is closed to others; the system's does not
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = [sys.executable, *filter(None, [shutil.which(version, path="/usr/bin")])]
    variables = at_home(mine) | imports(root, sysconfig.get_path("purelib"))
    for python in pythons:
        place = Place(variables, root, python, NOBODY, ("-p", "no:cacheprovider"))
        try:
            if place.start([python, "-c", "import torch"]).returncode == 0:
                return place
        except PermissionError:
            continue
    raise NotHere(f"no {version} that another user may read")


DOCTOR = "notebooks/00_start_here.ipynb::Cell 0"


def unwritable_home(folder: Path) -> Place:
    """Root may write everywhere; so it is somebody else there."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    place = for_nobody(folder, False) if root else Place(at_home(home(folder)))
    ports = folder / "ports"  # the kernel's stand in a file, without which there is no kernel
    ports.mkdir()
    if place.user is not None:
        os.chown(ports, place.user, place.user)
    os.chmod(place.variables["HOME"], 0o555)
    place.variables["JUPYTER_RUNTIME_DIR"] = str(ports)
    place.arguments += ("--deselect", DOCTOR)  # it is there to say what is wrong
    return place


ELSEWHERE = """
import functools, nbval.plugin as plugin
start = plugin.RunningKernel
plugin.RunningKernel = lambda name, cwd, *more, **options: start(name, {folder!r}, *more, **options)
"""


def another_folder(folder: Path) -> Place:
    """As editors start kernels; nbval would start them beside the notebook."""
    (folder / "elsewhere.py").write_text(ELSEWHERE.format(folder=str(ROOT)))
    return Place({"PYTHONPATH": str(folder)}, arguments=("-p", "elsewhere"))


# --- other versions -------------------------------------------------------------------------------


def pip(python: str, *arguments: str) -> None:
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    more = os.environ.get("PIP_ARGS", "").split()
    done = subprocess.run([*command, *more, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"pip has no {arguments[-1]}: {done.stderr.strip().splitlines()[-1]}")


def release(name: str, which: str) -> Row:
    """Another version of a package, installed in an environment that has all else from this one."""
    bound = next(line for line in oldest.oldest() if line.startswith(f"{name}=="))

    def make(folder: Path) -> Place:
        venv.create(folder / "over", symlinks=os.name == "posix")
        python = venv_python(str(folder / "over"))
        answer = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        over = Path(subprocess.run(answer, capture_output=True, text=True).stdout.strip())
        requirement = bound if which == "oldest" else name
        pip(sys.executable, "--no-deps", "--target", str(over), requirement)
        (info,) = over.glob(f"{name}-*.dist-info")
        pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        version = info.name.removesuffix(".dist-info").replace("-", "==")
        if which == "newest" and version in pinned:
            raise NotHere(f"the newest one, {version}, is the pinned one")
        here = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
        (over / "all_else.pth").write_text(here + "\n", encoding="utf-8")
        return Place(python=python)

    version = bound.split("==")[1]
    same = f"V({name}.__version__) == V({version!r})"
    probe = f"import {name}; from packaging.version import Version as V; print({same})"
    words = f"{name}, the {which} within the bounds"
    return Row(words, make, probe, str(which == "oldest"))


def interpreter(minor: int) -> Row:
    """Another Python, with an environment of its own that the set-up makes."""
    name = f"python3.{minor}"

    def make(folder: Path) -> Place:
        found = shutil.which(name)
        if sys.version_info[1] == minor:
            found = sys.executable
        if not found or subprocess.run([found, "-c", ""], capture_output=True).returncode:
            raise NotHere(f"there is no {name} on the PATH")
        root = copied(folder)
        done = subprocess.run([found, "tools/set_up.py"], cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise NotHere(f"the set-up failed: {done.stderr.strip().splitlines()[-1]}")
        return Place(root=root, python=venv_python(str(root / ".venv")))

    probe = "import sys; print(*sys.version_info[:2], sep='.')"
    return Row(f"Python 3.{minor}", make, probe, f"3.{minor}")


def rows() -> dict[str, Row]:
    """Name → row, those that need another environment last."""
    found = {
        "one-thread": threads(1),
        "two-threads": threads(2),
        **{f"aten-{name}": setting(f"torch with {name}", CAPABILITY, name.upper(), True,
                                   ATEN_CPU_CAPABILITY=name)
           for name in ("default", "avx2", "avx512")},
        "numpy-no-avx512": without("NumPy without AVX512", "AVX512|X86_V4", "AVX512"),
        "numpy-no-avx2": without("NumPy without AVX512 and AVX2", r"\w", "AVX2"),
        "blas-haswell": setting("OpenBLAS for Haswell", x86=True, OPENBLAS_CORETYPE="Haswell"),
        "blas-prescott": setting("OpenBLAS for Prescott", x86=True, OPENBLAS_CORETYPE="Prescott"),
        "onednn-sse41": setting("oneDNN with SSE4.1", ONEDNN, "True", True,
                                ONEDNN_MAX_CPU_ISA="SSE41"),
        "onednn-avx2": setting("oneDNN with AVX2", ONEDNN, "True", True, ONEDNN_MAX_CPU_ISA="AVX2"),
        "mkl-compatible": setting("MKL with what all processors have", MKL, "True", True,
                                  MKL_CBWR="COMPATIBLE"),
        "mkl-sse42": setting("MKL with SSE4.2", MKL, "True", True,
                             MKL_ENABLE_INSTRUCTIONS="SSE4_2"),
        "locale-de": Row("the locale de_DE.UTF-8", german, POINT.format("decimal_point"), ","),
        "locale-c": setting("the locale C", POINT.format("decimal_point"), ".", LC_ALL="C"),
        "time-zone": setting("the time zone of the Chatham Islands",
                             "import time; print(time.timezone)", "-45900", TZ="Pacific/Chatham"),
        "hash-seed": setting("a hash seed", "print(hash('a') == hash('b'))", "False",
                             PYTHONHASHSEED="4321"),
        "home-empty": Row("an empty home folder", lambda folder: Place(at_home(home(folder)))),
        "home-unwritable": Row("a home folder that one may only read", unwritable_home,
                               "import os; print(os.access(os.environ['HOME'], os.W_OK))", "False"),
        "home-hostile": Row("matplotlibrc, IPython profile and start-up file of one's own",
                            hostile_home),
        "another-folder": Row("the kernel started in another folder", another_folder),
        "umlauts": Row("a path with spaces and umlauts", umlauts,
                       "import adamlib; print('Küchentisch' in adamlib.__file__)", "True"),
        "unprivileged": Row("another user, in a copy of hers", lambda f: for_nobody(f, False),
                            "import os; print(os.getuid())", str(NOBODY)),
        "read-only": Row("another user, in a course that she may only read",
                         lambda folder: for_nobody(folder, True),
                         "import os; print(os.access('notebooks', os.W_OK))", "False"),
        **{f"{name}-{which}": release(name, which)
           for name in ("numpy", "matplotlib") for which in ("oldest", "newest")},
        **{f"python-3.{minor}": interpreter(minor) for minor in range(11, 15)},
    }  # fmt: skip
    return found
