"""What a convention is, and what is said where none fits."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray]
Step = Callable[[Arrays], Arrays]
Cut = Literal["", "one array", "scalars", "layers"]
Hyperparameters = dict[str, float | bool]
T = TypeVar("T")

# What Python raises where a call is not what the called code expects.
OF_THE_CALL = (TypeError, ValueError, AttributeError, LookupError, NotImplementedError)


class CannotTell(TypeError):
    """Nothing says how this object takes steps; the message holds the shortest adapter."""


class Misfit(TypeError):
    """This convention does not fit; raised before the first step has been taken."""


class LoopEnded(RuntimeError):
    """A loop that is replayed has ended by itself."""


@dataclass
class Convention:
    """A way to begin a run of somebody's optimizer and to take its steps.

    Attributes
    ----------
    says : str
        What was taken for what, for people.
    run : callable
        Takes the starting arrays and this object, returns the step.
    cut : {"", "one array", "scalars", "layers"}
        Which arrays it wants: of shapes (n,), (2, 2), (5,); one of shape (n,); n of shape (1,);
        or four of shapes (n,), (2, 2), (3,), (2,).
    defaults : dict
        The hyperparameters that could be read off.
    cleared : bool
        Whether a step set the gradients that it had used to zero or None.
    taken : int
        The number of steps taken since it was begun.
    loss : float or None
        What the closure returns that a step is given, where it takes one; None: without.
    around : callable
        Makes the context in which the run is begun and every step is taken.
    slow : bool
        Whether its arrays are of a library in which large ones take seconds a step.
    """

    says: str
    run: "Callable[[Arrays, Convention], Step]"
    cut: Cut = ""
    defaults: Hyperparameters = field(default_factory=dict)
    cleared: bool = False
    taken: int = 0
    loss: float | None = None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    slow: bool = False

    def closure(self, *_: Any) -> float:
        """Give the loss, as a step asks for it."""
        return 1.0 if self.loss is None else self.loss

    def begin(self, arrays: Arrays) -> Step:
        """Start anew from these arrays, which are left as they are."""
        self.cleared, self.taken, self.loss = False, 0, None
        shapes = [a.shape for a in arrays]
        with self.around():
            taking = self.run([np.array(a, dtype=np.float64) for a in arrays], self)

        def step(grads: Arrays) -> Arrays:
            with self.around():
                result = [floats(a) for a in taking(grads)]
            got = [a.shape for a in result]
            if not self.taken and got != shapes:
                raise Misfit(f"{self.says}: it makes arrays of shapes {got} of {shapes}")
            self.taken += 1
            return result

        return step


def first_fitting(
    guesses: Iterable[Convention], attempt: Callable[[Convention], T]
) -> tuple[Convention, T]:
    """Return the first convention with which an attempt gets past its first step.

    An error of the call before that leads to the next guess; what the optimizer raises later,
    or raises of another kind, is its own. Where every guess fails, the first error stands.
    """
    first: Exception | None = None
    for guess in guesses:
        try:
            return guess, attempt(guess)
        except OF_THE_CALL as error:
            if guess.taken:
                raise
            first = first or error
    raise first or CannotTell("There is no convention to try.")


def read(value: Any) -> NDArray:
    """Return the number or the array that a thing of whatever library holds."""
    for name in ("detach", "cpu", "numpy"):
        value = getattr(value, name)() if hasattr(value, name) else value
    return floats(value)


def floats(value: Any) -> NDArray:
    """Return an array in float64; refuse what holds no real numbers."""
    array = np.array(value)
    if array.dtype.kind in "cOSU":
        kind = {"c": "complex numbers", "O": "objects"}.get(array.dtype.kind, "text")
        raise TypeError(f"the parameters must be real numbers, got {kind} ({array.dtype})")
    return array.astype(np.float64)
