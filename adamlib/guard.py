"""Run somebody's code in this process: what it changes is put back, and it does not run for ever.

What holds the interpreter itself, such as ``sum(range(10**10))``, or ends the process, can only
be stopped in a process of its own: see `isolation`.
"""

import _thread
import contextlib
import ctypes
import gc
import io
import math
import os
import random
import sys
import sysconfig
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from .isolation import error_text

SECONDS_TO_STOP = 2.0
POLL = 0.02
CAN_START_THREADS = sys.platform != "emscripten"  # not in a browser: JupyterLite
OURS = os.path.dirname(__file__)
LIBRARIES = ("<frozen", *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
IDLE = 10  # times as long may it take without computing, as in a sleep


class Endless(Exception):
    """Raised where somebody's code did not come to an end; ``stopped`` says whether it has now."""

    def __init__(self, stopped: bool) -> None:
        super().__init__(
            "It does not come to an end, and "
            + ("was stopped." if stopped else "cannot be stopped. Restart the kernel.")
        )
        self.stopped = stopped


class Ended(Exception):
    """Raised where somebody's code raised what ends a program: ``by`` is that."""

    def __init__(self, by: BaseException) -> None:
        super().__init__(f"It raised {error_text(by)}")
        self.by = by


class Stopped(BaseException):
    """Raised inside code that takes too long.

    No `Exception`, which much code catches. Where it is caught all the same, the next line of the
    code raises it again.
    """

    def __init__(self) -> None:
        frame: FrameType | None = sys._getframe(1)
        sys.settrace(_stop_here)
        while frame is not None and frame.f_code.co_filename != __file__:
            frame.f_trace = _stop_here
            frame = frame.f_back


def _stop_here(frame: FrameType, event: str, arg: object) -> None:
    if event == "line":
        raise Stopped


# What is put back.


class Silent(io.TextIOBase):
    """A stream that forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hide output and warnings, and put back what code may change of the process.

    That is: random generators, streams, warnings, print options, the working folder, environment
    variables, the recursion limit, the collector, torch's modes, and functions of NumPy, `math`
    and Python that were exchanged. Threads that were started are stopped, those of a library's
    pool apart, which it uses again.
    """
    threads = set(threading.enumerate())
    with contextlib.ExitStack() as stack:
        for put_back in (_random(), _process(), _torch(), *map(_functions, _modules())):
            stack.callback(put_back)
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(np.printoptions())
        stack.enter_context(contextlib.redirect_stdout(Silent()))
        stack.enter_context(contextlib.redirect_stderr(Silent()))
        warnings.simplefilter("ignore")
        interrupt, _thread.interrupt_main = _thread.interrupt_main, _no_interrupt
        says, threading.excepthook = threading.excepthook, lambda _: None
        try:
            yield
        finally:
            _thread.interrupt_main = interrupt
            for thread in filter(_runs_own_code, set(threading.enumerate()) - threads):
                stop(thread, 0.5, SystemExit)
            threading.excepthook = says


def _runs_own_code(thread: threading.Thread) -> bool:
    """Whether a thread has something to do that is no library's; a pool's waits for work."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS) or not file.startswith(LIBRARIES):
            return True
        frame = frame.f_back
    return isinstance(thread, threading.Timer)


def _no_interrupt(*signal: object) -> None:
    raise RuntimeError("the main thread may not be interrupted")


def _random() -> Callable[[], None]:
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - theirs

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002

    return put_back


def _process() -> Callable[[], None]:
    environment, folder, path = dict(os.environ), os.getcwd(), list(sys.path)
    depth, collects, thresholds = sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold()

    def put_back() -> None:
        if os.environ != environment:
            os.environ.clear()
            os.environ.update(environment)
        with contextlib.suppress(OSError):  # somebody removed it
            os.chdir(folder)
        sys.path[:] = path
        sys.setrecursionlimit(depth)
        (gc.enable if collects else gc.disable)()
        gc.set_threshold(*thresholds)

    return put_back


def _torch() -> Callable[[], None]:
    torch = sys.modules.get("torch")
    if torch is None:
        return lambda: None
    rng, grad = torch.get_rng_state(), torch.is_grad_enabled()
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()

    def put_back() -> None:
        torch.set_rng_state(rng)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    return put_back


def _modules() -> list[ModuleType]:
    return [np, np.linalg, np.random, math, random, time, sys.modules["builtins"]]


def _functions(module: ModuleType) -> Callable[[], None]:
    kept = dict(vars(module))

    def put_back() -> None:
        now = vars(module)
        for name, value in kept.items():
            if now.get(name) is not value:
                setattr(module, name, value)

    return put_back


# What is stopped.


def limited(
    work: Callable[[], Any],
    seconds: float,
    in_all: float | None = None,
    part: Callable[[], object] = lambda: None,
) -> Any:
    """Do some work in a thread, undisturbed; stop it where it takes too long.

    A loop is stopped between two of its lines, by an exception raised inside the thread. A
    single long operation (a product of huge matrices) ends by itself first. Where no thread can
    be started the work is done in this one.

    Parameters
    ----------
    work : callable
        The work, without arguments.
    seconds : float
        How long a part of it may take: seconds of the processor, those of imports left out; it
        may wait ten times as long.
    in_all : float, optional
        How long all of it may take, counted alike. Default: ``seconds``.
    part : callable
        Returns another object when another part of the work has begun.

    Returns
    -------
    object
        What ``work`` returns.

    Raises
    ------
    Endless
        If it had to be stopped.
    Ended
        If it raised what is no `Exception`, such as SystemExit.
    Exception
        What ``work`` raises.
    """
    ends: list[tuple[Any, BaseException | None]] = []

    def target() -> None:
        try:
            with np.errstate(all="ignore"):
                ends.append((work(), None))
        except BaseException as error:
            sys.settrace(None)
            ends.append((None, error))

    do = _in_a_thread if CAN_START_THREADS else _here
    with undisturbed():
        in_time, stopped = do(target, seconds, in_all or seconds, part)
    if not in_time:
        raise Endless(stopped)
    value, error = ends[0]
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise Ended(error) from error
    return value


def _in_a_thread(
    target: Callable[[], None], seconds: float, in_all: float, part: Callable[[], object]
) -> tuple[bool, bool]:
    """Whether it ended in time, and whether it has ended now."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        in_time = _wait(thread, seconds, in_all, part)
    except BaseException:  # the user interrupts
        stop(thread)
        raise
    return in_time, in_time or stop(thread)


def _here(
    target: Callable[[], None], seconds: float, in_all: float, part: Callable[[], object]
) -> tuple[bool, bool]:
    """The same; the clock is read at each call, and at each line that is not of a library."""
    began = since = time.monotonic()
    present, in_time, before = part(), True, sys.gettrace()

    def watch(frame: FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        nonlocal present, since, in_time
        now = time.monotonic()
        if (other := part()) is not present:
            present, since = other, now
        if now - since > seconds or now - began > in_all:
            in_time = False
            raise Stopped
        return None if "site-packages" in frame.f_code.co_filename else watch

    sys.settrace(watch)
    try:
        target()
    finally:
        sys.settrace(before)
    return in_time, True


def _wait(
    thread: threading.Thread, seconds: float, in_all: float, part: Callable[[], object]
) -> bool:
    """Wait for the thread; False where a part, or all of it, took too long."""
    used = whole = 0.0
    present, clock, wall = part(), time.process_time(), time.monotonic()
    began = wall
    while thread.is_alive():
        thread.join(POLL)
        now, importing = time.process_time(), _imports(thread)
        took, clock = (0.0 if importing else now - clock), now
        if (other := part()) is not present or importing:
            present, used, wall = other, 0.0, time.monotonic()
        used, whole = used + took, whole + took
        waited = max((time.monotonic() - wall) / seconds, (time.monotonic() - began) / in_all)
        if used > seconds or whole > in_all or waited > IDLE:
            return not thread.is_alive()
    return True


def _imports(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def stop(
    thread: threading.Thread, seconds: float | None = None, by: type[BaseException] = Stopped
) -> bool:
    """Raise an exception in a thread until it ends; its code may catch it once or twice."""
    until = time.monotonic() + (seconds or SECONDS_TO_STOP)
    while thread.is_alive() and time.monotonic() < until:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(by)
        )
        thread.join(POLL)
    return not thread.is_alive()
