"""Run an optimizer on a problem and keep what happened."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import as_path, read_whole, write_whole
from ..checks import check_count
from ..problems import Params, Problem

TRACE_FORMAT = "adamlib-trace-1"
SYMBOLS = {"eps": "ε"}


class Stepper(Protocol):
    """Anything that updates parameters in place, given their gradient: `adamlib.Adam`, say."""

    def step(self, grads: Params) -> None: ...


@dataclass(frozen=True, eq=False)
class Trace:
    """What a run, or many runs at once, left behind.

    Attributes
    ----------
    label : str
        Names the run in a figure.
    losses : ndarray of float64, shape (..., steps)
        The loss before each update, as a training loop prints it.
    params : ndarray or dict of ndarray, shape (..., *shape of the parameter), or None
        The parameters after the last update.
    path : ndarray, shape (steps + 1, *shape of the parameter), or None
        Every point that the run visited, the start first; kept for a single array.
    axes : dict of str to ndarray
        What the leading axes ``...`` are, in their order: name → values. Empty for one run;
        `sweep` has ``"lr"`` and ``"eps"``.

    Examples
    --------
    >>> from adamlib.experiments import sweep
    >>> from adamlib.problems import narrow_valley
    >>> trace = sweep(narrow_valley(), steps=10, lr=[0.1, 0.2, 0.5], eps=[1e-8, 1.0])
    >>> trace.losses.shape
    (3, 2, 10)
    >>> trace.select(lr=0.2).label
    'narrow valley, lr = 0.2'
    """

    label: str
    losses: NDArray[np.float64]
    params: Params | None = None
    path: NDArray | None = None
    axes: dict[str, NDArray] = field(default_factory=dict)

    def select(self, **chosen: float) -> Self:
        """Return the trace of the runs with these values on the axes named.

        Parameters
        ----------
        **chosen
            Name of an axis → one of its values, to within a relative 1e-9.

        Returns
        -------
        Trace
            Without those axes, labelled with the values.

        Raises
        ------
        ValueError
            ``the trace has no axis 'beta' (expected one of lr, eps)``; ``lr = 0.3 was not run
            (expected one of 0.1, 0.2, 0.5)``.
        """
        for name in chosen:
            if name not in self.axes:
                there = ", ".join(self.axes) or "none: it is a single run"
                raise ValueError(f"the trace has no axis {name!r} (expected one of {there})")
        places = {n: _place(n, v, chosen[n]) for n, v in self.axes.items() if n in chosen}
        index = tuple(places.get(name, slice(None)) for name in self.axes)
        axes = {name: values for name, values in self.axes.items() if name not in chosen}
        parts = [self.label, *(f"{SYMBOLS.get(n, n)} = {chosen[n]:g}" for n in places)]
        params = self.params
        if isinstance(params, dict):
            params = {name: array[index] for name, array in params.items()}
        elif params is not None:
            params = params[index]
        return type(self)(", ".join(parts), self.losses[index], params, self.path, axes)

    def save(self, path: str | os.PathLike) -> None:
        """Write the trace to exactly that path, an npz without pickles, whole or not at all.

        Parameters
        ----------
        path : str or path
            A file in an existing folder; replaced if it exists.

        Raises
        ------
        OSError
            What the file system says; a file already there is then untouched.
        """
        arrays: dict[str, NDArray | None] = {"losses": self.losses, "path": self.path}
        arrays |= {f"axis/{name}": values for name, values in self.axes.items()}
        if isinstance(self.params, dict):
            arrays |= {f"params/{name}": array for name, array in self.params.items()}
        else:
            arrays["params"] = self.params
        kept = {name: array for name, array in arrays.items() if array is not None}
        header = {"format": TRACE_FORMAT, "label": self.label, "arrays": list(kept)}
        write_whole(as_path(path), header, kept)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a trace.

        Parameters
        ----------
        path : str or path
            Written by `save`.

        Returns
        -------
        Trace
            Equal to the one that was saved, to the bit.

        Raises
        ------
        ValueError
            ``'runs.npz' is no complete adamlib trace (…)``.
        FileNotFoundError
            There is no such file.
        """
        header, arrays = read_whole(as_path(path), TRACE_FORMAT, _entries)

        def under(folder: str) -> dict[str, NDArray]:
            names = [name for name in header["arrays"] if name.startswith(folder)]
            return {name.removeprefix(folder): arrays[name] for name in names}

        params = under("params/") or arrays.get("params")
        return cls(header["label"], arrays["losses"], params, arrays.get("path"), under("axis/"))


def _entries(header: dict[str, Any]) -> set[str]:
    """Return the names of the arrays of a trace, or refuse a header that `Trace.save` has not."""
    label, arrays = header.get("label"), header.get("arrays")
    known = header.keys() == {"format", "label", "arrays"} and isinstance(label, str)
    if not known or not isinstance(arrays, list) or "losses" not in arrays:
        raise ValueError("its header is not that of a trace")
    if not all(isinstance(name, str) for name in arrays):
        raise ValueError("its header names an array by something else than text")
    return set(arrays)


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

    Examples
    --------
    >>> from adamlib import Adam
    >>> from adamlib.problems import narrow_valley
    >>> trace = run(narrow_valley(), lambda params: Adam(params, lr=0.1), steps=200)
    >>> bool(trace.losses[-1] < 1e-3 * trace.losses[0])
    True
    """
    check_count("number of steps", steps, 0)
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


@dataclass(frozen=True, eq=False)
class NanSpread:
    """Where a run has NaN, from update to update.

    Attributes
    ----------
    losses : ndarray of float64, shape (updates + 1,)
        The loss at the start and after each update.
    masks : list of dict of ndarray of bool, length updates + 1
        For each parameter where it is NaN, at the start and after each update.
    """

    losses: NDArray[np.float64]
    masks: list[dict[str, NDArray[np.bool_]]]

    def counts(self) -> list[dict[str, int]]:
        """Number of NaN in each parameter, at the start and after each update."""
        return [{name: int(mask.sum()) for name, mask in masks.items()} for masks in self.masks]


def nan_spread(
    problem: Problem, optimizer: Callable[[Params], Stepper], updates: int = 2
) -> NanSpread:
    """Run an optimizer and record where the parameters are NaN.

    Parameters
    ----------
    problem : Problem
        With parameters in a dict; not changed.
    optimizer : callable
        Takes the parameters and returns the optimizer that updates them in place.
    updates : int
        Number of updates, 0 or more.

    Returns
    -------
    NanSpread

    Examples
    --------
    >>> from adamlib import Adam
    >>> from adamlib.problems import random_two_layer_net
    >>> net = random_two_layer_net(n=8, d_in=3, h=2, d_out=1)
    >>> nan_spread(net, lambda params: Adam(params), updates=1).counts()[-1]
    {'W1': 0, 'b1': 0, 'W2': 0, 'b2': 0}
    """
    check_count("number of updates", updates, 0)
    params = problem.start_copy()
    if not isinstance(params, dict):
        raise TypeError(f"nan_spread needs parameters in a dict, got {type(params).__name__}")
    stepper = optimizer(params)
    losses, masks = np.empty(updates + 1), []
    for t in range(updates + 1):
        losses[t], grads = problem.value_and_gradient(params)
        masks.append({name: np.isnan(array) for name, array in params.items()})
        if t < updates:
            stepper.step(grads)
    return NanSpread(losses, masks)


def _place(name: str, values: NDArray, value: float) -> int:
    found = np.flatnonzero(np.isclose(values, value, rtol=1e-9, atol=0))
    if len(found) != 1:
        there = ", ".join(f"{each:g}" for each in values)
        raise ValueError(f"{name} = {value:g} was not run (expected one of {there})")
    return int(found[0])
