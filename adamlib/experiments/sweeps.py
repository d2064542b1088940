"""Many runs at once: every pair of a learning rate and an eps, batched along leading axes."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adam import adam_step, init_state
from ..checks import check_count, check_hyperparameters, one_of
from ..problems import Array, Problem, like_start, named, repeated
from .traces import Trace

BACKENDS = ("numpy", "torch")


@np.errstate(all="ignore")  # a run that diverges says so by its losses
def sweep(
    problem: Problem,
    steps: int = 500,
    *,
    lr: float | ArrayLike = 1e-3,
    eps: float | ArrayLike = 1e-8,
    label: str = "",
    backend: str = "numpy",
    progress: bool = False,
    **options: Any,
) -> Trace:
    """Run Adam from the same start with every pair of a learning rate and an eps, all at once.

    Each array of parameters gets leading axes, one for each hyperparameter that is an array,
    and `adamlib.adam_step` takes one step of all runs together. So a step costs a few calls for
    all of them instead of a few calls for each.

    Parameters
    ----------
    problem : Problem
        Not changed. Its value and gradient must take parameters with leading axes, as those
        of `adamlib.problems` do.
    steps : int
        Number of updates, 0 or more.
    lr : float or array_like, shape (k,)
        Learning rates α, each finite, 0 or more.
    eps : float or array_like, shape (n,)
        ε, each finite, 0 or more; units of the gradient.
    label : str
        Kept in the trace; the name of the problem unless given.
    backend : {"numpy", "torch"}
        The library that does the work; on the CPU, in the dtype of the start.
    progress : bool
        Whether to show a progress bar, on stderr or as a widget.
    **options
        ``betas``, ``weight_decay``, ``amsgrad``, ``dialect``, …: as `adamlib.adam_step` takes
        them, the same in every run.

    Returns
    -------
    Trace
        With the axes ``lr`` and ``eps``, in this order, where they are arrays: the losses have
        the shape (k, n, steps). All arrays are of NumPy.

    Raises
    ------
    ValueError
        ``problem 'mine' has a value of shape () for runs of shape (9, 9) (expected one for each:
        a function that takes leading axes)``. Hyperparameters as `adamlib.adam_step`.

    Examples
    --------
    >>> from adamlib.problems import narrow_valley
    >>> trace = sweep(narrow_valley(), steps=100, lr=[0.01, 0.1], eps=[1e-8, 1e-4, 1.0])
    >>> trace.losses.shape, trace.axes["lr"]
    ((2, 3, 100), array([0.01, 0.1 ]))
    >>> bool(trace.losses[1, 0, -1] < trace.losses[0, 0, -1])
    True

    Notes
    -----
    A run of a sweep is equal to the run alone to rounding. It pays where the arrays of one run
    are small: one of the size of notebook 04 keeps a processor busy by itself.
    """
    check_count("number of steps", steps, 0)
    one_of("backend", backend, BACKENDS)
    lr, eps = one_axis("lr", lr), one_axis("eps", eps)
    check_hyperparameters(lr, options.get("betas", (0.9, 0.999)), eps, 0.0, allow_arrays=True)
    axes = {name: values for name, values in (("lr", lr), ("eps", eps)) if values.ndim}
    grid = tuple(len(values) for values in axes.values())
    lr = lr[(..., *[None] * eps.ndim)]  # the first axis; that of eps comes after it

    params = {name: _of_library(backend, array) for name, array in repeated(problem, grid).items()}
    rates = {name: _beside(backend, p, lr, eps, grid) for name, p in params.items()}
    states = {name: init_state(p, options.get("amsgrad", False)) for name, p in params.items()}
    losses = np.empty((*grid, steps))
    for t in _counted(steps, progress):
        value, grads = problem.value_and_gradient(like_start(problem, params))
        _check_value(problem, value, grid)
        losses[..., t] = value
        for name, grad in named(grads).items():
            params[name], states[name] = adam_step(
                params[name], grad, states[name], **rates[name], **options
            )
    final = {name: np.asarray(array) for name, array in params.items()}
    return Trace(label or problem.name, losses, like_start(problem, final), axes=axes)


def one_axis(name: str, values: float | ArrayLike) -> NDArray:
    """Return a hyperparameter as an array of no axis or of one."""
    array = np.asarray(values)
    if array.ndim > 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape} (expected a number or one axis)")
    return array.astype(np.float64) if array.dtype.kind in "iuf" else array


def _beside(
    backend: str, param: Array, lr: NDArray, eps: NDArray, grid: tuple[int, ...]
) -> dict[str, Array]:
    """Return lr and eps with axes added, so that they broadcast against a parameter."""
    own = (None,) * (param.ndim - len(grid))
    arrays = {"lr": lr[(..., *own)], "eps": eps[(..., *own)]}
    return {
        name: _of_library(backend, array) if array.size > 1 else float(array.item())
        for name, array in arrays.items()
    }


def _of_library(backend: str, array: NDArray) -> Array:
    if backend == "numpy":
        return array
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _check_value(problem: Problem, value: Any, grid: tuple[int, ...]) -> None:
    """Refuse the value of a function that does not answer for each run."""
    if np.shape(value) != grid:
        raise ValueError(
            f"problem {problem.name!r} has a value of shape {np.shape(value)} for runs of shape "
            f"{grid} (expected one for each: a function that takes leading axes)"
        )


def _counted(steps: int, progress: bool) -> Iterable[int]:
    if not progress:
        return range(steps)
    from tqdm.auto import trange

    return trange(steps, desc="steps")
