"""What the notebooks do to the machine, by strace: no network, no file outside their folders."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
CALLS = (
    "connect,sendto,open,openat,creat,rename,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,symlinkat,"
    "linkat,chmod,fchmodat,truncate,execve"
)
CHANGES = r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC"
LOCAL = r'sin_addr=inet_addr\("127\.|inet_pton\(AF_INET6, "::(1|ffff:127\.[\d.]+)"'
RESOLVER = "htons(53)"  # torchrun asks for the name of 127.0.0.1
# Kernel, torchrun and its workers, compilers; matplotlib lists fonts, platform asks for a name.
PROGRAMS = (
    r"^(python[\d.]*|cc|gcc|c\+\+|g\+\+|clang|cc1|cc1plus|as|ld|collect2|ldconfig|fc-list|uname)$"
)


def faults(trace: str, allowed: tuple[Path, ...]) -> list[str]:
    """Name each connection, changed file and program in a trace that no notebook needs."""
    found = []
    for line in trace.splitlines():
        call = re.search(r"(\w+)\((.*)\) = (-?\d+)", line)
        if not call or call[3] == "-1" and call[1] != "connect":
            continue
        name, arguments = call[1], call[2]
        paths = re.findall(r'"([^"]*)"', arguments)
        if name in ("connect", "sendto"):
            local = re.search(LOCAL, arguments) or RESOLVER in arguments
            if "sa_family=AF_INET" in arguments and not local:
                found.append(line)
        elif name == "execve":
            if not re.match(PROGRAMS, Path(paths[0]).name):
                found.append(line)
        elif name in ("open", "openat") and not re.search(CHANGES, arguments):
            continue
        elif not all(may_change(path, allowed) for path in paths):
            found.append(line)
    return found


def may_change(path: str, allowed: tuple[Path, ...]) -> bool:
    """Whether a path is a device, stands in /proc, or lies in a folder that is allowed."""
    if not path or not path.startswith("/"):
        return True  # a part of a folder that was opened, or the folder that it started in
    whole = Path(os.path.normpath(path))
    return path.startswith(("/dev/", "/proc/")) or any(whole.is_relative_to(a) for a in allowed)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="strace is a program of Linux")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name[:2])
def test_a_notebook_keeps_to_its_folder_and_off_the_network(notebook, tmp_path):
    if not shutil.which("strace"):
        pytest.fail("strace is not installed (apt-get install strace)")
    folder, home, scratch, trace = (tmp_path / name for name in ("work", "home", "tmp", "trace"))
    for each in (folder, home, scratch):
        each.mkdir()
    shutil.copy(notebook, folder)
    shutil.copytree(notebook.parent / "data", folder / "data")
    shutil.copytree(notebook.parents[1] / "benchmarks", tmp_path / "benchmarks")
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "PYTEST", "COV"))},
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(home / "numba"),
    }
    run = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--stdout"]
    subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-s",
            "300",
            "-e",
            f"trace={CALLS}",
            "-o",
            trace,
            *run,
            notebook.name,
        ],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=900,
    )
    assert faults(trace.read_text(errors="replace"), (tmp_path, Path("/tmp/torch"))) == []


def internet(address: str, result: str) -> str:
    return f'connect(5, {{sa_family=AF_INET, sin_addr=inet_addr("{address}")}}, 16) = {result}'


@pytest.mark.parametrize(
    "line, bad",
    [
        (internet("1.2.3.4", "0"), True),
        (internet("1.2.3.4", "-1 ENETUNREACH"), True),
        (internet("1.2.3.4", "0").replace("INET,", "INET, sin_port=htons(53),"), False),
        (internet("127.0.0.1", "0"), False),
        ('connect(5, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0', False),
        ('openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3', False),
        ('openat(AT_FDCWD, "/root/.cache/x", O_WRONLY|O_CREAT, 0666) = 3', True),
        ('openat(AT_FDCWD, "/allowed/../etc/x", O_RDWR) = 3', True),
        ('openat(AT_FDCWD, "/allowed/x", O_RDWR) = 3', False),
        ('openat(AT_FDCWD, "/root/x", O_RDWR) = -1 EACCES', False),
        ('rename("/allowed/x", "/home/x") = 0', True),
        ('execve("/usr/bin/curl", ["curl"], 0x1) = 0', True),
        ('execve("/usr/bin/python3", ["python3"], 0x1) = 0', False),
    ],
)
def test_what_no_notebook_needs_is_found(line, bad):
    assert len(faults(line, (Path("/allowed"),))) == bad
