"""The moment equations of Adam, one pure function each.

`ema` works on numbers and on arrays of any library: only ``+`` and ``*`` are used. The
functions below it say what such an average holds, how far back it reaches, and what becomes
of a step that nobody corrects. A β outside [0, 1) and a t that is not a whole number are
refused, as ``Invalid beta parameter: 1.0 (expected 0 <= beta < 1)``.
"""

import math
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from .checks import check_beta, check_pair, check_steps


class Averaged(Protocol):
    """What `ema` averages: a number or an array of any library."""

    def __add__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: float, /) -> Any: ...


Value = TypeVar("Value", bound=Averaged)


def ema(average: Value, value: Value, beta: float) -> Value:
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

    Examples
    --------
    >>> ema(0.0, 2.0, 0.75)
    0.5

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1 (the lines for mₜ and vₜ).
    """
    check_beta(beta)
    beta = float(beta)  # a float64 of NumPy's would widen a float32 array, a float does not
    return beta * average + (1 - beta) * value


@overload
def bias_correction(beta: float, step: int) -> float: ...
@overload
def bias_correction(beta: float, step: NDArray) -> NDArray[np.float64]: ...
def bias_correction(beta: float, step: int | NDArray) -> float | NDArray[np.float64]:
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

    Examples
    --------
    >>> bias_correction(0.5, 3)
    0.875

    Notes
    -----
    Source: Kingma & Ba 2015, §3.
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

    Examples
    --------
    >>> ema_weights(0.5, 3)
    array([0.125, 0.25 , 0.5  ])

    Notes
    -----
    Source: Kingma & Ba 2015, equation (1).
    """
    check_beta(beta)
    check_steps(step, 1)
    ages = np.arange(int(step) - 1, -1, -1, dtype=np.float64)
    return (1 - float(beta)) * float(beta) ** ages


def memory(beta: float) -> float:
    """How many steps an exponential moving average spans, by the usual rule: 1/(1 − β).

    The weight of a value has then fallen to about 1/e, 37 %, of its first size. The mean age of
    what is averaged is one less, β/(1 − β).

    >>> memory(0.75)
    4.0
    """
    check_beta(beta)
    return 1 / (1 - float(beta))


def half_life(beta: float) -> float:
    """After how many steps the weight of a value has halved: ln 2 / ln(1/β), not rounded.

    About 0.69 times `memory` where β is near 1, and 0 for β = 0.

    >>> half_life(0.5)
    1.0
    """
    check_beta(beta)
    return math.log(2) / -math.log(beta) if beta > 0 else 0.0


@overload
def uncorrected_step(betas: tuple[float, float], step: int) -> float: ...
@overload
def uncorrected_step(betas: tuple[float, float], step: NDArray) -> NDArray[np.float64]: ...
def uncorrected_step(
    betas: tuple[float, float], step: int | NDArray
) -> float | NDArray[np.float64]:
    """How much longer step t is without the bias corrections: (1 − β₁ᵗ)/√(1 − β₂ᵗ).

    With ε = 0 the quotient m/√v is this factor times m̂/√v̂, whatever the gradients were. For
    a constant gradient the corrected step is lr, so that this is the uncorrected one over lr.
    β₁ = 0 gives the factor when only the first moment is corrected, β₂ = 0 when only the second
    is. It tends to 1. ``step`` is an int, or an array of them, 1 or more.

    >>> print(f"{uncorrected_step((0.9, 0.999), 12):.2f}")
    6.57
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

    It is approached, as t grows, by gradients that grow by β₂/β₁ a step. With β₁ = β₂ = 0 it is
    1, the length of every step. For ε = 0; a larger ε only shortens the step. Source: Ma & Yarats
    2019, appendix F, which corrects the bound in Kingma & Ba 2015, §2.1.

    >>> round(largest_step((0.9, 0.999)), 2)
    7.27
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
