"""Run an optimizer on a problem and keep what happened; no plotting here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .problems import Params, Problem


class Stepper(Protocol):
    """Anything that updates parameters in place, given their gradient: `adamlib.Adam`, say."""

    def step(self, grads: Params) -> None: ...


@dataclass(frozen=True, eq=False)
class Trace:
    """What a run left behind.

    Attributes
    ----------
    label : str
        Names the run in a figure.
    losses : ndarray of float64, shape (steps,)
        The loss before each update, as a training loop prints it.
    params : ndarray or dict of ndarray
        The parameters after the last update.
    """

    label: str
    losses: NDArray[np.float64]
    params: Params | None = None


def run(
    problem: Problem,
    optimizer: Callable[[Params], Stepper],
    steps: int = 500,
    label: str = "",
) -> Trace:
    """Minimise a problem from its start.

    Parameters
    ----------
    problem : Problem
        Not changed: the optimizer works on a copy of its start.
    optimizer : callable
        Takes the parameters and returns the optimizer that updates them in place.
    steps : int
        Number of updates, 0 or more.
    label : str
        Kept in the trace; the name of the problem unless given.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError
        ``Invalid number of steps: -1 (expected 0 or more)``.

    Examples
    --------
    >>> from adamlib import Adam
    >>> from adamlib.problems import narrow_valley
    >>> trace = run(narrow_valley(), lambda params: Adam(params, lr=0.1), steps=200)
    >>> bool(trace.losses[-1] < 1e-3 * trace.losses[0])
    True
    """
    if type(steps) is not int or steps < 0:
        raise ValueError(f"Invalid number of steps: {steps} (expected 0 or more)")
    params = problem.start_copy()
    stepper = optimizer(params)
    losses = np.empty(steps)
    for t in range(steps):
        losses[t], grads = problem.value_and_gradient(params)
        stepper.step(grads)
    return Trace(label or problem.name, losses, params)
