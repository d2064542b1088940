"""Run what a learner wrote: on copies, silently, and not for ever."""

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import guard
from ..guard import Stopped
from ..isolation import error_text
from .base import NotAttempted, NotYet, show

SECONDS = 4.0  # for one call of an answer, and for what is done with what it returns
SECONDS_IN_ALL = 30.0


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
    part : object
        Another one whenever a call begins or ends.
    call : str
        The present call, or the last, as it would be typed.
    """

    def __init__(self, value: object, name: str, parameters: Sequence[str] = ()) -> None:
        self.value, self.name, self.parameters = value, name, parameters
        self.changed: tuple[str, ...] = ()
        self.call = ""
        self.part = object()

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
        self.part = object()
        try:
            value = self.value(*args)
        except Stopped:
            sys.settrace(None)
            raise
        except BaseException as error:  # a learner's function may raise anything
            raise NotYet(f"your function raised {error_text(error)}", given=call) from None
        finally:
            self.part = object()
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


def limited(work: Callable[[], None], answer: Answer) -> None:
    """Do ``work``, which calls ``answer``; stop it where it takes too long.

    Raises
    ------
    NotYet
        What ``work`` raises, whatever it is; and where it had to be stopped.
    """
    try:
        guard.limited(work, SECONDS, SECONDS_IN_ALL, lambda: answer.part)
    except guard.Endless as error:
        end = "was stopped" if error.stopped else "cannot be stopped. Restart the kernel"
        says = f"your function does not come to an end, and {end}."
        raise NotYet(says, "endless", answer.call) from None
    except guard.Ended as error:
        raise NotYet(f"your answer cannot be examined: {error_text(error.by)}") from None
