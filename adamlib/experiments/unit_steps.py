"""The steps of Adam in units of lr, for a run of gradients that does not depend on the parameter.

Each is taken from zero with lr = 1: what comes back is the step itself, free of rounding.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from ..adam import adam_step, init_state
from ..dialects import Dialect
from ..state import AdamState, Array


def each_step(
    gradients: Array, *, eps: float | Array = 1e-8, state: AdamState | None = None, **options: Any
) -> Iterator[tuple[Array, AdamState]]:
    """Yield each step, as `unit_steps` has it, and the state after it; for any array library.

    >>> step, state = next(each_step(np.array([4.0]), eps=4.0))
    >>> step.item(), state.step
    (0.5, 1)
    """
    xp = array_namespace(gradients)
    steps, *one = gradients.shape
    shape = np.broadcast_shapes(tuple(one), np.shape(eps))
    gradients = xp.reshape(gradients, (steps, *[1] * (len(shape) - len(one)), *one))
    gradients = xp.broadcast_to(gradients, (steps, *shape))
    zero = xp.zeros(shape, dtype=gradients.dtype)
    state = state or init_state(zero, options.get("amsgrad", False))
    for t in range(steps):
        moved, state = adam_step(zero, gradients[t, ...], state, lr=1.0, eps=eps, **options)
        yield zero - moved, state


def unit_steps(
    gradients: ArrayLike,
    *,
    eps: float | NDArray = 1e-8,
    betas: tuple[float, float] = (0.9, 0.999),
    amsgrad: bool = False,
    dialect: str | Dialect = "pytorch",
    state: AdamState | None = None,
) -> NDArray:
    r"""Feed gradients to Adam and return its steps in units of lr, positive along the gradient.

    .. math::
        \frac{\theta_{t-1} - \theta_t}{\alpha} = \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}

    Parameters
    ----------
    gradients : array_like of floats, shape (steps, …)
        Entry t − 1 is the gradient gₜ. Its dtype is the one that everything is computed in.
    eps : float or ndarray ε
        Finite, 0 or more; units of ``gradients``; broadcasts against one of them.
    betas, amsgrad, dialect
        As `adamlib.adam_step` takes them.
    state : AdamState, optional
        What Adam remembers of earlier gradients; nothing unless given. Not changed.

    Returns
    -------
    ndarray, dtype of ``gradients``, shape (steps, …), one step broadcast with ``eps``
        In floating point it may hold NaN and ±inf.

    Examples
    --------
    A gradient of 1, then silence:

    >>> unit_steps([1.0, 0.0, 0.0]).round(2)
    array([1.  , 0.67, 0.52])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1.
    """
    gradients = real_floats("gradients", gradients)
    options: dict[str, Any] = dict(betas=betas, amsgrad=amsgrad, dialect=dialect)
    steps = each_step(gradients, eps=eps, state=state, **options)
    return np.array([step for step, _ in steps])


def first_step(
    grad: ArrayLike,
    eps: float | NDArray = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    amsgrad: bool = False,
) -> NDArray:
    r"""Take Adam's first step and return it in units of lr, positive along the gradient.

    .. math::
        \frac{\theta_0 - \theta_1}{\alpha} = \frac{\hat m_1}{\sqrt{\hat v_1} + \epsilon}

    Parameters
    ----------
    grad : array_like of floats g₁, any shape
        Its dtype is the one that everything is computed in.
    eps : float or ndarray ε
        Finite, 0 or more; units of ``grad``; broadcasts against ``grad``.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).
    amsgrad : bool
        Divide by the largest v so far.

    Returns
    -------
    ndarray, dtype of ``grad``, shape of ``grad`` broadcast with ``eps``
        ±1 on paper where ε = 0; in floating point it may be NaN or ±inf.

    Examples
    --------
    >>> first_step([2.0, 0.0, -1e-8])
    array([ 1., nan, -1.])
    >>> first_step([2.0, 0.0, -1e-8], eps=1e-8)
    array([ 1. ,  0. , -0.5])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1.
    """
    grad = real_floats("grad", grad)
    return unit_steps(grad[None], eps=eps, betas=betas, amsgrad=amsgrad)[0]


def rms_step(
    gradients: NDArray,
    eps: ArrayLike,
    last: int = 1,
    betas: tuple[float, float] = (0.9, 0.999),
) -> NDArray[np.float64]:
    r"""Feed gradients to Adam and return the root-mean-square step in units of lr.

    .. math::
        \sqrt{\operatorname{mean} (\theta_{t-1} - \theta_t)^2} \, / \, \alpha

    Parameters
    ----------
    gradients : ndarray of float64, shape (steps, coordinates)
        Row t − 1 is the gradient gₜ.
    eps : array_like of float, shape (k,)
        Each finite, 0 or more; units of ``gradients``. One run for each.
    last : int
        Number of steps, counted from the end, that the mean is taken over, 1 to ``steps``.
        All coordinates enter it.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).

    Returns
    -------
    ndarray of float64, shape (k,)
        0 or more.

    Examples
    --------
    A constant gradient of 2, with eps = 0 and eps = 2:

    >>> rms_step(np.full((5, 1), 2.0), eps=[0.0, 2.0])
    array([1. , 0.5])
    """
    gradients = real_floats("gradients", gradients).astype(np.float64)
    if gradients.ndim != 2:
        raise ValueError(
            f"gradients has shape {gradients.shape} (expected two axes, steps and coordinates)"
        )
    if not 1 <= last <= len(gradients):
        raise ValueError(f"Invalid last: {last} (expected 1 to {len(gradients)})")
    eps = np.asarray(eps, dtype=np.float64)[:, None]
    total = np.zeros(len(eps))
    for step, state in each_step(gradients[:, None], eps=eps, betas=betas):
        if state.step > len(gradients) - last:  # one at a time: all of them may not fit
            total += (step * step).mean(axis=1)
    return np.sqrt(total / last)


def real_floats(name: str, value: ArrayLike) -> NDArray:
    """Return the array, or refuse what does not hold real floats."""
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must hold real floats, got dtype {array.dtype}")
    return array
