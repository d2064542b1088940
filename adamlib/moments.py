"""The moment equations of Adam, one pure function each. Taught in: notebook 01.

`ema` works on numbers and on arrays of any library: only ``+`` and ``*`` are used. The
functions below it say what such an average holds, how far back it reaches, and what becomes
of a step that nobody corrects.
"""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .checks import check_beta, check_pair, check_steps

Array = TypeVar("Array")


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
    check_beta(beta)
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
    check_beta(beta)
    check_steps(step, 0)
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
    check_beta(beta)
    check_steps(step, 1)
    return (1 - float(beta)) * float(beta) ** np.arange(int(step) - 1, -1, -1)


def memory(beta: float) -> float:
    """How many values an exponential moving average spans, by the usual rule: 1/(1 − β).

    The weight (1 − β)·βᵏ of a value that came in k steps ago has then fallen to about 1/e,
    37 %, of its first size. The mean age of what is averaged is one less, β/(1 − β).

    Parameters
    ----------
    beta : float
        In [0, 1).

    Returns
    -------
    float
        In steps, 1 or more.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)``.

    Examples
    --------
    >>> memory(0.75)
    4.0

    Notes
    -----
    Source: the geometric series of Kingma & Ba 2015, equation (1). Taught in: notebook 01.
    """
    check_beta(beta)
    return 1 / (1 - float(beta))


def half_life(beta: float) -> float:
    """After how many steps the weight of a value has halved: h with βʰ = 1/2.

    Parameters
    ----------
    beta : float
        In [0, 1).

    Returns
    -------
    float
        ln 2 / ln(1/β), in steps, not rounded; 0 for β = 0. About 0.69 times `memory` where
        β is near 1.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)``.

    Examples
    --------
    >>> half_life(0.5)
    1.0

    Notes
    -----
    Source: Kingma & Ba 2015, equation (1). Taught in: notebook 01.
    """
    check_beta(beta)
    return math.log(2) / -math.log(beta) if beta > 0 else 0.0


def uncorrected_step(betas: tuple[float, float], step: int | NDArray) -> float | NDArray:
    """How much longer a step is without the bias corrections: (1 − β₁ᵗ)/√(1 − β₂ᵗ).

    With ε = 0 the quotient m/√v is this factor times m̂/√v̂, whatever the gradients were. For
    a constant gradient the corrected step is lr, so that this is the uncorrected one over lr.

    Parameters
    ----------
    betas : pair of floats (β₁, β₂)
        Each in [0, 1). β₁ = 0 gives the factor when only the first moment is corrected,
        β₂ = 0 when only the second is.
    step : int or array of int
        The step t, 1 or more.

    Returns
    -------
    float or ndarray of float64, shape of ``step``
        Above 1 where the uncorrected step is too long; tends to 1.

    Raises
    ------
    TypeError
        ``betas must be a pair of real numbers, got 0.9``, ``beta must be a real number, got
        '0.9'`` or ``step must be a whole number, got 0.5``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)`` or
        ``Invalid step: 0 (expected 1 or more)``.

    Examples
    --------
    >>> uncorrected_step((0.5, 0.75), 1)
    1.0
    >>> print(f"{uncorrected_step((0.9, 0.999), 12):.2f}")
    6.57

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1 and §3. Taught in: notebook 01.
    """
    check_pair(betas)
    check_steps(step, 1)
    beta1, beta2 = betas
    ratio = bias_correction(beta1, step) / np.sqrt(bias_correction(beta2, step))
    return ratio if isinstance(step, np.ndarray) else float(ratio)


def largest_step(betas: tuple[float, float]) -> float:
    r"""Return the length, in units of α, that no step of Adam exceeds, whatever the gradients.

    .. math::
        \sup \frac{|\hat m_t|}{\sqrt{\hat v_t}}
        = \frac{1-\beta_1}{\sqrt{(1-\beta_2)(1-\beta_1^2/\beta_2)}}
        \quad\text{if } \beta_1^2 < \beta_2, \qquad \infty \text{ if not.}

    Parameters
    ----------
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).

    Returns
    -------
    float
        1 or more; approached, as t grows, by gradients that grow by β₂/β₁ a step. With
        β₁ = β₂ = 0 it is 1, the length of every step.

    Raises
    ------
    TypeError
        ``beta must be a real number, got '0.9'``; ``betas must be a pair of real numbers, got
        0.9``.
    ValueError
        ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)``.

    Examples
    --------
    >>> round(largest_step((0.9, 0.999)), 2)
    7.27
    >>> largest_step((0.9, 0.5))
    inf

    Notes
    -----
    For ε = 0; a larger ε only shortens the step. Source: Ma & Yarats 2019, appendix F, which
    corrects the bound in Kingma & Ba 2015, §2.1. Taught in: notebook 02.
    """
    check_pair(betas)
    for beta in betas:
        check_beta(beta)
    beta1, beta2 = (float(beta) for beta in betas)
    if beta1 == beta2:  # the limit of the formula, and free of its rounding
        return 1.0
    if beta1**2 >= beta2:
        return math.inf
    return (1 - beta1) / math.sqrt((1 - beta2) * (1 - beta1**2 / beta2))
