"""Install the course in this folder, on first use, and open it in JupyterLab.

    python3 start.py                     install, and open your own copy of the notebooks
    python3 start.py --install-only      install, and stop
    python3 start.py --of ../instructor  open the notebooks of another folder

On Windows: `py start.py`. What is not known here goes to JupyterLab (`--no-browser`). With the
packages for this computer in wheels/ no network is needed; without them they are downloaded.
It is written so that every Python can read it: a wrong one gets a sentence instead of an error.
"""

from __future__ import print_function

import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(HERE, ".venv")
WHEELS = os.path.join(HERE, "wheels")
DONE = os.path.join(VENV, "installed")
OLDEST = (3, 11)
NEEDED_GB = 1.8


class Problem(Exception):
    """Something only the user can put right; the text says what happened and what to do."""


def packages_for_this_computer():
    """The folder that holds all packages for this Python on this system, if the kit has them."""
    parts = (sys.implementation.cache_tag, platform.system(), platform.machine())
    return os.path.join(WHEELS, "-".join(parts).lower())


def check_python():
    """Refuse a Python that cannot run the course."""
    if sys.version_info[:2] < OLDEST:
        raise Problem(
            "This is Python %d.%d, and the course needs %d.%d or newer. Start it with another:\n\n"
            "    python%d.%d start.py" % (tuple(sys.version_info[:2]) + OLDEST + OLDEST)
        )
    try:
        import ensurepip  # noqa: F401 - what `venv` needs to put pip into the environment
        import venv  # noqa: F401
    except ImportError as error:
        raise Problem(
            "This Python cannot make a virtual environment: %s.\nOn Debian and Ubuntu type:\n\n"
            "    sudo apt install python%d.%d-venv" % ((error,) + tuple(sys.version_info[:2]))
        )


def check_space():
    """Refuse to begin where the disk is too full to finish."""
    import shutil

    free = shutil.disk_usage(HERE).free
    if free < NEEDED_GB * 1e9:
        raise Problem(
            "There is too little room on this disk: %.1f GB are free, the course needs %.1f GB."
            % (free / 1e9, NEEDED_GB)
        )


def python():
    """The Python of the course."""
    return os.path.join(
        VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
    )


def place():
    """Where .venv is: one that was copied from elsewhere may not work."""
    return os.path.normcase(os.path.realpath(VENV))


def is_installed():
    """Whether the course was installed in this very place."""
    if not (os.path.exists(DONE) and os.path.exists(python())):
        return False
    with open(DONE) as file:
        return file.read() == place()


def install():
    """Make .venv and install the course into it, unless that is done."""
    check_python()
    if is_installed():
        return
    check_space()
    local = packages_for_this_computer()
    pip = [python(), "-m", "pip"]
    options = ["--disable-pip-version-check", "-c", os.path.join(HERE, "constraints.txt")]
    if os.path.isdir(local):
        # nothing that this computer's settings say of an index, a proxy or a target counts
        pip += ["--isolated"]
        options += ["--no-index", "--find-links", local]
    print("Installing the course (once; some minutes) ...")
    sys.stdout.flush()
    wheel = next(name for name in os.listdir(WHEELS) if name.startswith("learn_adam-"))
    wanted = os.path.join(WHEELS, wheel) + "[course]"
    for command in (
        [sys.executable, "-m", "venv", "--clear", VENV],
        pip + ["install", "--quiet"] + options + [wanted],
    ):
        if subprocess.call(command):
            raise Problem(why_not(local))
    with open(DONE, "w") as file:
        file.write(place())
    print("Installed.")


def why_not(local):
    """What to do where pip could not install the course."""
    if os.path.isdir(local):
        return (
            "The packages in wheels/ do not fit this computer, see above (an older system than the "
            "one they come from, say).\nWork in pairs, or read the course's pages in a browser."
        )
    return (
        "The packages could not be installed, see above. This kit has none for this computer\n"
        "(it would be the folder wheels/%s), so that they have to be downloaded:\n"
        "check the network and repeat your command." % os.path.basename(local)
    )


def main(arguments):
    import argparse

    lines = __doc__.split("\n\n")
    parser = argparse.ArgumentParser(
        description="\n\n".join(lines), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--install-only", action="store_true", help="install, and stop")
    parser.add_argument("--of", default=HERE, metavar="FOLDER", help="whose notebooks/ to open")
    asked, extra = parser.parse_known_args(arguments)
    try:
        install()
    except Problem as problem:
        print("\n%s" % problem, file=sys.stderr)
        return 1
    if asked.install_only:
        return 0
    code = "import sys, lab; from pathlib import Path; lab.main(sys.argv[2:], Path(sys.argv[1]))"
    environment = dict(os.environ, PYTHONPATH=os.path.join(HERE, "tools"))
    folder = os.path.abspath(asked.of)
    try:
        return subprocess.call([python(), "-c", code, folder, "work"] + extra, env=environment)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
