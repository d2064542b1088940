"""Run what a learner wrote: silently, on copies, in a thread of its own, and not for ever."""

import contextlib
import copy
import ctypes
import io
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from .base import NotAttempted, NotYet, error_text, show

SECONDS = 3.0  # for one call of an answer
SECONDS_IN_ALL = 30.0
SECONDS_TO_STOP = 2.0
POLL = 0.02


class Stopped(SystemExit):
    """Raised inside an answer that takes too long.

    A SystemExit, because a thread that it reaches too late ends by it without a word. An answer
    may catch it; so it sees to it that the next line of the answer raises it again.
    """

    def __init__(self) -> None:
        frame: FrameType | None = sys._getframe(1)
        frames = []
        while frame is not None and frame.f_code is not Answer.on.__code__:
            frames.append(frame)
            frame = frame.f_back
        if frame is not None:  # we are inside an answer
            sys.settrace(_stop_here)
            for each in frames:
                each.f_trace = _stop_here


def _stop_here(frame: FrameType, event: str, arg: object) -> None:
    if event == "line":
        raise Stopped


class Answer:
    """A learner's answer, called on copies of what it is given.

    Parameters
    ----------
    value : object
        The answer: a function or a value.
    name : str
        How the function is called in messages.
    parameters : sequence of str
        The names of its parameters.

    Attributes
    ----------
    changed : tuple of str
        The first parameter that came back changed, and how; empty if none did.
    since : float or None
        When the present call began, by `time.monotonic`.
    call : str
        The present call, or the last, as it would be typed.
    """

    def __init__(self, value: object, name: str, parameters: Sequence[str] = ()) -> None:
        self.value, self.name, self.parameters = value, name, parameters
        self.changed: tuple[str, ...] = ()
        self.call = ""
        self.since: float | None = None

    def __call__(self, *args: Any) -> Any:
        """Call the function on copies; what it raises becomes `NotYet`."""
        given = [_copied(arg) for arg in args]
        value = self.on(f"{self.name}({', '.join(map(show, args))})", *given)
        for parameter, before, after in zip(self.parameters, args, given, strict=False):
            if not self.changed and not _same(before, after):
                what = f"{parameter} was {show(before)} and is {show(after)}"
                self.changed = (parameter, f"after {self.call}", what)
        return value

    def on(self, call: str, *args: Any) -> Any:
        """Call the function on these very arguments; ``call`` is how messages write it."""
        self.call = call
        if not callable(self.value):
            raise NotYet(f"expected a function, got {show(self.value)}.")
        self.since = time.monotonic()
        try:
            value = self.value(*args)
        except Stopped:
            sys.settrace(None)
            raise
        except BaseException as error:  # a learner's function may raise anything
            raise NotYet(f"your function raised {error_text(error)}", given=call) from None
        finally:
            self.since = None
        if value is ...:
            raise NotAttempted
        if value is None:
            raise NotYet("your function returns None. Is its return missing?", given=call)
        return value


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, (list, dict, np.ndarray)) else value


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, (list, np.ndarray)):
        return np.array_equal(before, after, equal_nan=True)
    return True


class Silent(io.TextIOBase):
    """A stream that forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hide output and warnings, and put random generators back where they were."""
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the learner's own
    torch_state = torch.get_rng_state() if torch else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(Silent()), contextlib.redirect_stderr(Silent()):
                yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torch_state)


def limited(work: Callable[[], None], answer: Answer) -> None:
    """Do ``work``, which calls ``answer``, in a thread; stop it where it takes too long.

    A loop is stopped between two of its lines, by an exception raised inside the thread. A
    single long operation (a sleep, a product of huge matrices) ends by itself first.

    Raises
    ------
    NotYet
        What ``work`` raises, whatever it is; and where it had to be stopped.
    """
    ends: list[BaseException | None] = []

    def target() -> None:
        try:
            with np.errstate(all="ignore"):
                work()
        except BaseException as error:
            ends.append(error)
        else:
            ends.append(None)

    thread = threading.Thread(target=target, daemon=True)
    with undisturbed():
        thread.start()
        try:
            in_time = _wait(thread, answer)
        except BaseException:  # the learner interrupts the kernel
            _stop(thread)
            raise
        stopped = in_time or _stop(thread)
    if not in_time:
        end = "was stopped" if stopped else "cannot be stopped. Restart the kernel"
        raise NotYet(f"your function does not come to an end, and {end}.", "endless", answer.call)
    error = ends[0]
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise NotYet(f"your answer cannot be examined: {error_text(error)}")


def _wait(thread: threading.Thread, answer: Answer) -> bool:
    """Wait for the thread; False where a call, or all of them, took too long."""
    started = time.monotonic()
    while thread.is_alive():
        thread.join(POLL)
        since, now = answer.since, time.monotonic()
        if since is not None and now - since > SECONDS or now - started > SECONDS_IN_ALL:
            return not thread.is_alive()
    return True


def _stop(thread: threading.Thread) -> bool:
    """Raise `Stopped` in a thread until it ends; an answer may catch it once or twice."""
    until = time.monotonic() + SECONDS_TO_STOP
    while thread.is_alive() and time.monotonic() < until:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Stopped)
        )
        thread.join(POLL)
    return not thread.is_alive()
