"""Make .venv and install everything the course needs; do nothing where that is already done.

    python3 tools/set_up.py            all of the course and its tests
    python3 tools/set_up.py --light    what the notebooks need that NumPy carries: no torch

`make` calls this before everything else. It uses the standard library only, and is written so
that every Python from 2.7 on can read it: a wrong Python then gets a sentence that says what to do
instead of a SyntaxError. Extra arguments for pip come from the environment variable PIP_ARGS.
"""

from __future__ import print_function

import hashlib
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What is installed, and the room that it takes, in GB.
FULL, LIGHT = "course,test", "light"
NEEDED_GB = {FULL: 1.8, LIGHT: 0.5}
# Their packages with the hashes of the files; all but torch on Linux (tools/lock.py).
LOCKS = {FULL: "requirements.lock", LIGHT: "requirements-light.lock"}
PLUGIN = "pytest-notebook-rules"  # a folder with a distribution of its own, not on PyPI
NEWEST_TRIED = 14  # Python 3.14, the newest in the workflow


class Problem(Exception):
    """Something only the user can put right; the text says what happened and what to do."""


def venv_python(folder):
    """Path of the interpreter inside a virtual environment."""
    if os.name == "nt":
        return os.path.join(folder, "Scripts", "python.exe")
    return os.path.join(folder, "bin", "python")


def read(root, name):
    with open(os.path.join(root, name), "rb") as file:
        return file.read()


def oldest_python(root):
    """The bound in pyproject.toml, as a pair of integers."""
    text = read(root, "pyproject.toml").decode("utf-8")
    found = re.search(r'requires-python = ">=(\d+)\.(\d+)"', text)
    return int(found.group(1)), int(found.group(2))


def find_newer(oldest):
    """Name of a fitting Python on the PATH, newest first, or None."""
    names = ["python3.%d" % minor for minor in range(NEWEST_TRIED, oldest[1] - 1, -1)]
    return next((name for name in names if works(name, "-c", "import ensurepip, venv")), None)


def check_python(version, oldest):
    """Refuse a Python that is older than the course needs."""
    if tuple(version[:2]) >= oldest:
        return
    name = find_newer(oldest)
    if name:
        advice = "There is a newer one here. Type:\n\n    make test BASE_PYTHON=%s" % name
    else:
        advice = (
            "Install Python %d.%d or newer (from your system's package manager or python.org),\n"
            "then name it:\n\n    make test BASE_PYTHON=/path/to/python3" % oldest
        )
    raise Problem(
        "This is Python %d.%d (%s), and the course needs %d.%d or newer.\n%s"
        % (version[0], version[1], sys.executable, oldest[0], oldest[1], advice)
    )


def check_venv_module():
    """Refuse a Python without `venv`; Debian and Ubuntu ship it in a package of its own."""
    try:
        import ensurepip  # noqa: F401 - what `venv` needs to put pip into the environment
        import venv  # noqa: F401
    except ImportError as error:
        raise Problem(
            "This Python (%s) cannot make a virtual environment: %s.\n"
            "On Debian and Ubuntu type:\n\n    sudo apt install python%d.%d-venv\n\n"
            "and repeat your command. Elsewhere, install a complete Python and name it with "
            "BASE_PYTHON=/path/to/python3."
            % (sys.executable, error, sys.version_info[0], sys.version_info[1])
        )


def check_space(free, needed_gb):
    """Refuse to begin where the disk is too full to finish."""
    if free < needed_gb * 1e9:
        raise Problem(
            "There is too little room on this disk: %.1f GB are free, the set-up needs about "
            "%.1f GB.\nFree some space, or move this folder to another disk; repeat your command."
            % (free / 1e9, needed_gb)
        )


def check_pip_settings(python):
    """Refuse settings of pip, from files or variables, that put packages beside the environment."""
    listed = subprocess.check_output([python, "-m", "pip", "config", "list"])
    text = listed.decode("utf-8", "replace")
    found = re.findall(r"^\S+\.(?:target|prefix|root)='.*'$", text, re.MULTILINE)
    if found:
        raise Problem(
            "Your settings of pip put packages elsewhere:\n\n    %s\n\n"
            "Remove that for the set-up (:env: is a variable, PIP_TARGET and the like; the files "
            "are listed by `%s -m pip config debug`) and repeat your command."
            % ("\n    ".join(found), python)
        )


def explain(stderr, python_version):
    """Say what pip's (or venv's) error output means and what to do, for the usual causes."""
    text = stderr.lower()
    if "no space left" in text or "errno 28" in text or "not enough space" in text:
        return (
            "The disk is full. The set-up needs about %.1f GB (make lab LIGHT=1: %.1f GB): free "
            "some space and repeat your command; it goes on where it stopped."
            % (NEEDED_GB[FULL], NEEDED_GB[LIGHT])
        )
    network = (
        "newconnectionerror|connection broken|failed to establish|name resolution|getaddrinfo|"
        "connecttimeout|readtimeout|timed out|proxyerror|network is unreachable|"
        "max retries exceeded|remotedisconnected"
    )
    if re.search(network, text):
        return (
            "The packages could not be downloaded: no connection to the package index.\n"
            "Check the network (behind a proxy set HTTPS_PROXY) and repeat your command; it goes "
            "on where it stopped.\nAn index of your own: make test PIP_ARGS='--index-url URL'. "
            "Once the set-up is done, no network is needed."
        )
    if "do not match the hashes" in text:
        return (
            "A package is another file than the one that was published: see above which. Nothing "
            "of it was installed.\nWith an index of your own (PIP_ARGS, pip's settings) it may be "
            "a build of that index's: use the public one. Else report it, as SECURITY.md says."
        )
    if "no matching distribution found" in text or "resolutionimpossible" in text:
        return (
            "pip found no version of a package for this Python (%s) on this system, see above.\n"
            "Without a network it says the same: check that first. "
            "Pythons 3.11 to 3.%d are tried; name one with BASE_PYTHON=/path/to/python3 after "
            "removing the folder .venv." % (python_version, NEWEST_TRIED)
        )
    return (
        "The set-up failed, see above. Repeat your command; if it fails again, remove .venv first."
    )


# What somebody may have set for all of pip's environments, in a variable or a file.
SWITCHED_OFF = {"PIP_USER": "0", "PIP_REQUIRE_HASHES": "0", "PIP_NO_DEPS": "0"}


def run(command):
    """Run a command; its output goes to the terminal (pip draws its progress there)."""
    # Only stderr is piped: an stdout that is not a terminal would hide pip's progress bars.
    environment = dict(os.environ, **SWITCHED_OFF)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    lines = []
    for raw in iter(process.stderr.readline, b""):
        line = raw.decode("utf-8", "replace")
        lines.append(line)
        sys.stderr.write(line)
    process.stderr.close()
    if process.wait() != 0:
        version = "%d.%d" % tuple(sys.version_info[:2])
        raise Problem(explain("".join(lines), version))


def fingerprint(root, extras):
    """Changes when a repeated set-up could install something else."""
    digest = hashlib.sha256()
    ours = ["pyproject.toml", "constraints.txt", os.path.join(PLUGIN, "pyproject.toml")]
    for name in ours + [LOCKS[extras]]:
        digest.update(read(root, name))
    # a moved folder breaks the scripts in .venv, which hold absolute paths
    digest.update((os.path.abspath(root) + extras).encode("utf-8"))
    return digest.hexdigest()


def works(python, *arguments):
    """True where this interpreter starts and ends well with these arguments."""
    with open(os.devnull, "wb") as nowhere:
        try:
            return subprocess.call([python] + list(arguments), stdout=nowhere, stderr=nowhere) == 0
        except OSError:
            return False


def done(root, folder, stamp):
    """What the last set-up installed of these very files; None if its Python does not start."""
    try:
        written = read(folder, os.path.basename(stamp)).decode("ascii")
    except (IOError, OSError):
        return None
    for extras in (FULL, LIGHT):
        if written == fingerprint(root, extras) and works(venv_python(folder), "-c", ""):
            return extras
    return None


def free_bytes(root):
    import shutil

    return shutil.disk_usage(root).free


def install(root, folder, extras, quietly):
    """Fill the environment. pip keeps what is there already, so this resumes after a break."""
    python = venv_python(folder)
    if not works(python, "-m", "pip", "--version"):
        run([sys.executable, "-m", "venv", "--clear", folder])
    check_pip_settings(python)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    pip += shlex.split(os.environ.get("PIP_ARGS", ""))
    if quietly:
        pip += ["--quiet"]
    run(pip + ["--require-hashes", "--no-deps", "--requirement", os.path.join(root, LOCKS[extras])])
    if extras == FULL:
        run(pip + ["--constraint", os.path.join(root, "constraints.txt"), "torch"])
    folders = ["--editable", "%s[%s]" % (root, extras)]
    if extras == FULL:
        folders += ["--editable", os.path.join(root, PLUGIN)]
    # With build isolation the backend, which is there, would be downloaded again, and unpinned.
    run(pip + ["--no-deps", "--no-build-isolation"] + folders)


def configure(root, folder):
    """Make the Jupyter of this environment read tools/jupyter too, when `make lab` is not used."""
    path = os.path.join(folder, "etc", "jupyter")
    if not os.path.isdir(path):
        os.makedirs(path)
    ours = os.path.join(os.path.abspath(root), "tools", "jupyter", "jupyter_config.py")
    with open(os.path.join(path, "jupyter_config.py"), "w") as file:
        file.write("load_subconfig(%r)\n" % ours)


def set_up(root=ROOT, extras=FULL):
    """The whole set-up, or the light one, which leaves a whole one as it is; raises Problem."""
    check_python(sys.version_info, oldest_python(root))
    folder = os.path.join(root, ".venv")
    stamp = os.path.join(folder, "set-up-done")
    there = done(root, folder, stamp)
    if there in (FULL, extras):
        return
    check_venv_module()
    updating = there is None and os.path.exists(stamp)
    if updating:
        print("Bringing .venv up to date ...")
    else:
        check_space(free_bytes(root), NEEDED_GB[extras])
        print("Setting up .venv (once; a few minutes, %.1f GB) ..." % NEEDED_GB[extras])
    sys.stdout.flush()
    install(root, folder, extras, quietly=updating)
    configure(root, folder)
    with open(stamp, "w") as file:
        file.write(fingerprint(root, extras))
    print("Set-up done.")


def main(root=ROOT, arguments=()):
    try:
        set_up(root, LIGHT if "--light" in arguments else FULL)
    except Problem as problem:
        print("\n%s" % problem, file=sys.stderr)
        return 1
    except (IOError, OSError) as error:
        print("\n%s\n%s" % (error, explain(str(error), sys.version.split()[0])), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Repeat your command: it goes on where it stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
