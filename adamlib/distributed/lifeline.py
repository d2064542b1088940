"""No process outlives the one that started it, however that one ends.

On Linux the kernel sees to it, by the signal that a process gets when its parent dies. Elsewhere a
process holds one end of a connection to its parent and ends when the other end is gone.
"""

import ctypes
import os
import signal
import socket
import sys
import threading
from functools import cache
from pathlib import Path
from typing import NoReturn

LINUX = sys.platform == "linux"
PARENT, PORT = "ADAMLIB_PARENT", "ADAMLIB_PARENT_PORT"  # in the environment of a process started
PR_SET_PDEATHSIG = 1  # of Linux's prctl


def for_children() -> dict[str, str]:
    """Return what the environment of processes must hold that this one starts."""
    mine = {PARENT: str(os.getpid())}
    return mine if LINUX else mine | {PORT: str(_port(os.getpid()))}


def end_with_parent() -> None:
    """Let this process, and those that it will start, end when their parents do."""
    parent = int(os.environ.get(PARENT, 0))
    if parent == os.getpid():  # called before
        return
    if PORT in os.environ:
        _watch(parent, int(os.environ[PORT]))
    elif LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent not in (0, os.getppid()) and not _is_alive(parent):  # it died before this
            _end(parent)
    if PORT in os.environ:
        os.environ[PORT] = str(_port(os.getpid()))
    os.environ[PARENT] = str(os.getpid())


def _is_alive(process: int) -> bool:
    """Whether a process of Linux is there, and not only its status, until that is asked for."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _end(parent: int) -> NoReturn:
    text = f"process {os.getpid()} ends, as process {parent}, which started it, has died\n"
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    finally:
        os._exit(1)


def _watch(parent: int, port: int) -> None:
    try:
        connection = socket.create_connection(("127.0.0.1", port))
    except OSError:
        _end(parent)

    def watch() -> None:
        try:
            connection.recv(1)  # nothing is ever sent
        except OSError:
            pass
        _end(parent)

    threading.Thread(target=watch, daemon=True).start()


@cache
def _port(process: int) -> int:
    """Return where a process holds the other ends of the connections of its children."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def hold() -> None:
        while True:
            held.append(server.accept()[0])

    threading.Thread(target=hold, daemon=True).start()
    return server.getsockname()[1]
