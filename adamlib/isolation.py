"""Run somebody's code in a process of its own: in limited time, and with nothing left running.

There are three processes. The caller starts a guard; the guard forks a worker, which runs the
code and sends its answer to the caller over a pipe. Another pipe, the lifeline, leads from the
caller to the guard. When the caller lets go of it, or dies, or when the worker has ended, the guard
kills the worker and all that came of it. Where nothing can be forked (Windows) a fresh interpreter
is the worker, and the caller kills the tree below it.

The command line loads this file before NumPy: it needs the standard library only.
"""

import faulthandler
import json
import os
import pickle
import queue
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

SECONDS = 60.0
PAUSE = 0.02
LAST_WAIT = 5.0  # for what the system cannot kill at once
CAN_FORK = hasattr(os, "fork")
HEADER = struct.Struct("!Q")
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
LONGEST = 500  # characters of a message
# of Linux, from sys/prctl.h
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

Report = Callable[[str], None]
Job = Callable[[Report], Any]
Message = tuple[str, Any]


class Outcome(NamedTuple):
    """What a job returned; or, in a sentence, why it returned nothing."""

    value: Any = None
    failure: str = ""


# The caller.


def in_fresh_interpreter(name: str, arguments: tuple, seconds: float = SECONDS) -> Outcome:
    """Call ``module:function`` with picklable arguments, and a `Report`, in a new interpreter."""
    try:
        task = (name, pickle.dumps(arguments))
    except Exception as error:  # whatever somebody's __reduce__ raises
        return Outcome(failure=f"It cannot be sent to another process: {error_text(error)}.")
    process = subprocess.Popen(
        # -P: the modules beside this file are no top-level modules
        [sys.executable, "-P", str(Path(__file__)), json.dumps(sys.path)],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "MPLBACKEND": "Agg"},  # no windows
    )
    assert process.stdin and process.stdout
    lifeline, channel = process.stdin, process.stdout

    def let_go() -> int:
        if not CAN_FORK:
            kill_tree(process.pid)
        with suppress(OSError):
            lifeline.write(b".")
        lifeline.close()
        return process.wait()

    with suppress(OSError):  # it has ended already
        send(lifeline.fileno(), task)
    return listen(channel.fileno(), seconds, let_go, channel.close)


def in_fork(job: Job, seconds: float = SECONDS) -> Outcome:
    """Run a job in a copy of this process."""
    lifeline, hold = os.pipe()
    channel, speak = os.pipe()
    guard = fork()
    if not guard:
        try:
            os.close(hold)
            os.close(channel)
            os.setsid()
            work_guarded(job, lifeline, speak)
        finally:
            os._exit(1)
    os.close(lifeline)
    os.close(speak)

    def let_go() -> int:
        # A word, not only the end: other copies of this process may hold the pipe open.
        with suppress(OSError):
            os.write(hold, b".")
        os.close(hold)
        with suppress(ChildProcessError):
            os.waitpid(guard, 0)
        return 0

    return listen(channel, seconds, let_go, lambda: os.close(channel))


def listen(
    channel: int, seconds: float, let_go: Callable[[], int], close: Callable[[], None]
) -> Outcome:
    """Wait for the answer or the end, but not too long; end what is left of it."""
    heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
    ear = threading.Thread(target=hear, args=(channel, heard), daemon=True)
    ear.start()
    deadline = time.monotonic() + min(seconds, threading.TIMEOUT_MAX / 2)
    doing = "being started"
    message: Message = ("doing", "")
    try:
        while message[0] == "doing":
            doing = message[1] or doing
            message = heard.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        message = ("late", None)
    finally:
        code = let_go()
        ear.join(1)
        if not ear.is_alive():
            close()
    kind, value = message
    if kind == "answer":
        return Outcome(value)
    if kind == "late":
        return Outcome(failure=f"It did not end within {seconds:g} s while {doing}: stopped.")
    if kind == "raised":
        return Outcome(failure=f"It raised {value} while {doing}.")
    return Outcome(failure=f"{how_it_ended(code if value is None else value)} while {doing}.")


def hear(channel: int, heard: "queue.SimpleQueue[Message]") -> None:
    """Pass on every message, the last one that there are no more."""
    while message := receive(channel):
        heard.put(message)
    heard.put(("ended", None))


def how_it_ended(code: int) -> str:
    """Say it of an exit code, or of minus the number of a signal."""
    if code >= 0:
        return f"It ended its process with exit code {code}"
    try:
        return f"Its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"Its process was ended by signal {-code}"


def error_text(error: BaseException) -> str:
    """Write an exception in a line, without addresses; its own ``str`` may fail.

    >>> error_text(ValueError("no"))
    'ValueError: no'
    """
    try:
        message = ADDRESS.sub("0x…", " ".join(str(error).split()))[:LONGEST]
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


# The guard.


def work_guarded(job: Job, lifeline: int, speak: int) -> NoReturn:
    """Fork the worker; wait for its end, or for the caller's; leave nothing running."""
    linux(PR_SET_CHILD_SUBREAPER, 1)  # what the worker's children leave behind becomes ours
    guard = os.getpid()
    worker = fork()
    if not worker:
        try:
            os.close(lifeline)
            os.setpgid(0, 0)
            linux(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == guard:
                work(job, speak)
        finally:
            os._exit(0)
    with suppress(OSError):  # it has done so itself
        os.setpgid(worker, worker)
    status = None
    while status is None and not select.select([lifeline], [], [], PAUSE)[0]:
        found, status_now = os.waitpid(worker, os.WNOHANG)
        status = status_now if found else None
    kill_all(worker)
    with suppress(OSError):
        if status is not None:
            send(speak, ("ended", os.waitstatus_to_exitcode(status)))
    os._exit(0)


def kill_all(group: int) -> None:
    """Kill a group of processes, then what has become a child of this one, until none is left."""
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + LAST_WAIT
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            for child in children():
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(PAUSE / 10)


def children() -> list[int]:
    """List the children of this process; none where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):  # it has ended meanwhile
            # pid (a name with whatever in it) state parent …
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(path.parent.name))
    return found


def linux(option: int, value: int) -> None:
    """Call prctl; nothing elsewhere."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are threads; the copy uses none of them
        return os.fork()


def kill_tree(root: int) -> None:
    """Kill a process of Windows and those below it."""
    command = ["taskkill", "/F", "/T", "/PID", str(root)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


# The worker.


def work(job: Job, speak: int) -> None:
    """Run a job in silence and send what it returns."""
    hush()
    try:
        answer = ("answer", job(lambda doing: send(speak, ("doing", doing))))
        send(speak, answer)
    except BaseException as error:  # somebody's code may raise anything
        send(speak, ("raised", error_text(error)))


def hush() -> None:
    """Let everything that is printed go nowhere, and nothing be read."""
    faulthandler.disable()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8", errors="replace")


def serve() -> None:
    """Do the one task that `in_fresh_interpreter` sends."""
    sys.path[:] = json.loads(sys.argv.pop())
    lifeline, speak = os.dup(0), os.dup(1)
    task = receive(lifeline)
    if task is None:
        return
    name, arguments = task

    def job(report: Report) -> Any:
        module, _, function = name.partition(":")
        return getattr(import_module(module), function)(*pickle.loads(arguments), report)

    if CAN_FORK:
        work_guarded(job, lifeline, speak)
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()
    work(job, speak)
    threading.Event().wait()  # the caller kills the tree from its root


def end_with(lifeline: int) -> None:
    """End when the caller does."""
    os.read(lifeline, 1)
    kill_tree(os.getpid())


# The pipes.


def send(pipe: int, message: Any) -> None:
    """Write a message, its length first."""
    data = pickle.dumps(message)
    data = HEADER.pack(len(data)) + data
    while data:
        data = data[os.write(pipe, data) :]


def receive(pipe: int) -> Any:
    """Read a message; None where the other side has ended."""
    if not (header := read_exactly(pipe, HEADER.size)):
        return None
    data = read_exactly(pipe, HEADER.unpack(header)[0])
    return pickle.loads(data) if data else None


def read_exactly(pipe: int, size: int) -> bytes:
    parts = []
    while size and (part := os.read(pipe, size)):
        parts.append(part)
        size -= len(part)
    return b"" if size else b"".join(parts)


if __name__ == "__main__":
    serve()
