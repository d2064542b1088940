"""The moment equations of Adam, one pure function each.

Everything here works on numbers and on arrays of any library: only ``+``, ``*`` and ``**``
are used.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array")


def _check_beta(beta: float) -> None:
    if type(beta) is float and 0.0 <= beta < 1.0:
        return
    if isinstance(beta, bool) or not isinstance(beta, (int, float, np.floating)):
        raise TypeError(f"beta must be a real number, got {beta!r}")
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"Invalid beta parameter: {beta} (expected 0 <= beta < 1)")


def _check_steps(step: int | NDArray, lowest: int) -> None:
    steps = np.asarray(step)
    whole = steps.dtype.kind in "iu" or (
        steps.dtype.kind == "f" and bool(np.all(steps == np.floor(steps)))
    )
    if not whole:
        raise TypeError(f"step must be a whole number, got {step!r}")
    if np.any(steps < lowest):
        raise ValueError(f"Invalid step: {step} (expected {lowest} or more)")


def ema(average: Array, value: Array, beta: float) -> Array:
    """One update of an exponential moving average: β·average + (1 − β)·value.

    Parameters
    ----------
    average, value : number or array of any library, shapes that broadcast
        The average so far and the value that enters it; the first moment averages the
        gradient gₜ, the second its square gₜ².
    beta : float
        Share of the old average that is kept, in [0, 1).

    Returns
    -------
    number or array
        The new average; the inputs are not changed.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)``.

    Examples
    --------
    >>> ema(0.0, 2.0, 0.75)
    0.5

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1 (the lines for mₜ and vₜ). Taught in: notebook 01.
    """
    _check_beta(beta)
    beta = float(beta)  # a float64 of NumPy's would widen a float32 array, a float does not
    return beta * average + (1 - beta) * value  # type: ignore[operator]


def bias_correction(beta: float, step: int | NDArray) -> float | NDArray:
    """How much of a constant an average started at zero holds after ``step`` values: 1 − βᵗ.

    Parameters
    ----------
    beta : float
        In [0, 1).
    step : int or array of int
        Number of values t averaged so far, 0 or more.

    Returns
    -------
    float or ndarray of float64, shape of ``step``
        In [0, 1]; dividing the average by it removes the bias toward the start at zero.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'`` or ``step must be a whole number, got 0.5``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)`` or
        ``Invalid step: -1 (expected 0 or more)``.

    Examples
    --------
    >>> bias_correction(0.5, 3)
    0.875

    Notes
    -----
    Source: Kingma & Ba 2015, §3. Taught in: notebook 01.
    """
    _check_beta(beta)
    if type(step) is not int or step < 0:
        _check_steps(step, 0)
    return 1 - float(beta) ** step


def ema_weights(beta: float, step: int) -> NDArray[np.float64]:
    """Weights that g₁ … g_t have in the average after t values: (1 − β)·β^(t−i).

    Parameters
    ----------
    beta : float
        In [0, 1).
    step : int
        Number of values t, 1 or more.

    Returns
    -------
    ndarray of float64, shape (step,)
        Oldest first; they sum to 1 − βᵗ.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'`` or ``step must be a whole number, got 0.5``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)`` or
        ``Invalid step: 0 (expected 1 or more)``.

    Examples
    --------
    >>> ema_weights(0.5, 3)
    array([0.125, 0.25 , 0.5  ])

    Notes
    -----
    Source: Kingma & Ba 2015, equation (1). Taught in: notebook 01.
    """
    _check_beta(beta)
    _check_steps(step, 1)
    return (1 - float(beta)) * float(beta) ** np.arange(int(step) - 1, -1, -1)
