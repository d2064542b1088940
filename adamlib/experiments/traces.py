"""Run an optimizer on a problem and keep what happened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..problems import Params, Problem


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
    path : ndarray, shape (steps + 1, *shape of the parameter), or None
        Every point that the run visited, the start first; kept for a single array.
    """

    label: str
    losses: NDArray[np.float64]
    params: Params | None = None
    path: NDArray | None = None


def run(
    problem: Problem,
    optimizer: Callable[[Params], Stepper],
    steps: int = 500,
    label: str = "",
    keep_path: bool = False,
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
    keep_path : bool
        Whether to keep every point visited; needs a problem of a single array.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError
        ``Invalid number of steps: -1 (expected 0 or more)``; ``keep_path needs parameters in
        one array, got dict``.

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
    if keep_path and not isinstance(params, np.ndarray):
        raise ValueError(f"keep_path needs parameters in one array, got {type(params).__name__}")
    path = [params.copy()] if keep_path else []
    stepper = optimizer(params)
    losses = np.empty(steps)
    for t in range(steps):
        losses[t], grads = problem.value_and_gradient(params)
        stepper.step(grads)
        if keep_path:
            path.append(params.copy())
    return Trace(label or problem.name, losses, params, np.array(path) if keep_path else None)
