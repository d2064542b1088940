"""Reddi et al.'s counterexamples: a rare large gradient against many small ones on [−1, 1]."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_count
from ..dialects import Dialect, find_dialect
from ..moments import bias_correction, ema
from .unit_steps import each_step, unit_steps

LOW, HIGH = -1.0, 1.0
SETTLED = 1e-17  # of a first value this share is left: below half a unit in the last place


def rare_gradient(large: float, small: float, period: int, at: int = 1) -> NDArray[np.float64]:
    """Return one period of gradients: ``large`` once, ``small`` otherwise.

    They are the slopes of the linear functions fₜ(x) = gₜ·x, and do not depend on x.

    Parameters
    ----------
    large, small : float
        The rare gradient and the others.
    period : int
        Number of steps in a period, 2 or more.
    at : int
        Step of the rare one, 1 to ``period``.

    Returns
    -------
    ndarray of float64, shape (period,)
        Entry t − 1 is the gradient of step t, and of steps t + period, t + 2·period, ….

    Examples
    --------
    >>> rare_gradient(4, -1, 3)
    array([ 4., -1., -1.])

    Notes
    -----
    Source: Reddi et al. 2018, §3 (4, −1, 3; they write C for the 4) and §5 (1010, −10, 101).
    """
    check_count("period", period, 2)
    if type(at) is not int or not 1 <= at <= period:
        raise ValueError(f"Invalid at: {at} (expected 1 to {period})")
    gradients = np.full(period, float(small))
    gradients[at - 1] = large
    return gradients


def periodic_average(values: ArrayLike, beta: float) -> NDArray[np.float64]:
    r"""Return what the moving average of a periodic sequence settles to, step by step.

    .. math::
        a_k = \beta\, a_{k-1} + (1-\beta)\, x_k, \qquad a_0 = a_n,

    a linear system with one equation for each step. Shape (n,), directly after each value.

    >>> periodic_average([6.0, 0.0], beta=0.5)
    array([4., 2.])
    """
    values = _one_period("values", values)
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"Invalid beta: {beta} (expected 0 <= beta < 1)")
    # unrolled once around: aₙ = βⁿ·aₙ + (1 − β)·Σ βⁿ⁻ᵏ·xₖ
    total = ((1 - beta) * beta ** np.arange(len(values))[::-1] * values).sum()
    average = total / (-math.expm1(len(values) * math.log(beta)) if beta > 0 else 1.0)
    averages = []
    for value in values.tolist():
        average = ema(average, value, beta)
        averages.append(average)
    return np.array(averages)


def drift(
    gradients: ArrayLike,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: ArrayLike = 1e-8,
    amsgrad: bool = False,
) -> NDArray[np.float64]:
    r"""Return how far Adam moves in one period, in units of lr, once its averages have settled.

    .. math::
        -\sum_{k=1}^{n} \frac{m_k}{\sqrt{v_k} + \epsilon}

    with the periodic m and v of `periodic_average`; with AMSGrad the largest v stands for all.

    Parameters
    ----------
    gradients : array_like of float, shape (n,)
        One period.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).
    eps : float or array_like ε
        0 or more, units of ``gradients``; one drift for each.
    amsgrad : bool
        Divide by the largest v.

    Returns
    -------
    ndarray of float64, shape of ``eps``
        Negative where the parameter falls; gradient descent goes by −Σ gₖ.

    Examples
    --------
    The gradients add up to 2, but Adam climbs:

    >>> bool(drift([4.0, -1.0, -1.0], betas=(0.0, 1 / 17), eps=0.0) > 0)
    True
    """
    gradients = _one_period("gradients", gradients)
    m, v = periodic_average(gradients, betas[0]), periodic_average(gradients**2, betas[1])
    root = np.sqrt(np.full_like(v, v.max()) if amsgrad else v)
    return -(m / (root + np.asarray(eps, dtype=np.float64)[..., None])).sum(axis=-1)


def eps_threshold(
    gradients: ArrayLike, betas: tuple[float, float] = (0.9, 0.999), rtol: float = 1e-13
) -> float:
    """Return the eps at which Adam's drift is zero; above it, it goes where the sum says.

    Parameters
    ----------
    gradients : array_like of float, shape (n,)
        One period; its sum must not be zero.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).
    rtol : float
        Relative width at which the search by halving stops.

    Returns
    -------
    float
        In the units of ``gradients``; 0 where the drift is right without any eps.

    Examples
    --------
    >>> round(eps_threshold([4.0, -1.0, -1.0], betas=(0.0, 1 / 17)), 4)
    1.5313

    Notes
    -----
    Where the drift changes its sign more than once, one of the places is returned.
    """
    gradients = _one_period("gradients", gradients)
    total = gradients.sum()
    if total == 0:
        raise ValueError("gradients add up to 0 (expected a direction to go)")

    def is_wrong(eps: float) -> bool:
        return bool(drift(gradients, betas, eps) * total > 0)

    if not is_wrong(0.0):
        return 0.0
    low, high = 0.0, float(np.abs(gradients).max())
    while is_wrong(high):  # a large eps makes the drift −Σ gₖ/ε
        low, high = high, 2 * high
    while high - low > rtol * high:
        middle = (low + high) / 2
        low, high = (middle, high) if is_wrong(middle) else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, eq=False)
class Walk:
    """Where a walk on [−1, 1] was, period by period.

    Attributes
    ----------
    steps : ndarray of int, shape (periods,)
        Number of steps taken at the end of each period.
    end, low, high : ndarray of float64, shape (periods,)
        Position after the last step of a period, and the lowest and highest within it.
    """

    steps: NDArray[np.int64]
    end: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def middle(self) -> NDArray[np.float64]:
        """Halfway between ``low`` and ``high``, shape (periods,)."""
        return (self.low + self.high) / 2


def walk_on_interval(
    gradients: ArrayLike,
    periods: int,
    lr: float | Callable[[NDArray], NDArray],
    *,
    start: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    amsgrad: bool = False,
    dialect: str | Dialect = "pytorch",
) -> Walk:
    r"""Walk along periodic gradients, and stay in [−1, 1].

    .. math::
        x_t = \min(1, \max(-1,\; x_{t-1} - \alpha_t \Delta_t))

    The gradients do not depend on x, so neither does Δₜ, the step of `adamlib.adam_step` in
    units of lr. It is taken step by step until nothing of the start is left in the averages;
    from there on each period repeats the last. A whole period is then one map,
    x → min(high, max(low, x + shift)), and ten million steps take a fraction of a second.

    Parameters
    ----------
    gradients : array_like of float, shape (n,)
        One period.
    periods : int
        How many, 1 or more; n·periods steps in all.
    lr : float or callable
        α, or a function of the array of steps t that returns αₜ.
    start : float
        x₀, in [−1, 1].
    betas, eps, amsgrad, dialect
        As `adamlib.adam_step` takes them.

    Returns
    -------
    Walk

    Examples
    --------
    >>> there = walk_on_interval([4.0, -1.0, -1.0], periods=3000, lr=0.01, betas=(0.0, 1 / 17))
    >>> there.steps[-1].item(), there.high[-1].item()
    (9000, 1.0)

    Notes
    -----
    Equal to a loop over all steps up to rounding. Source: Reddi et al. 2018, §3 and §5.
    """
    gradients = _one_period("gradients", gradients)
    check_count("number of periods", periods, 1)
    if not LOW <= start <= HIGH:
        raise ValueError(f"Invalid start: {start} (expected -1 to 1)")
    settling = min(periods, _periods_to_settle(len(gradients), betas))
    steps = unit_steps(
        np.tile(gradients, settling), eps=eps, betas=betas, amsgrad=amsgrad, dialect=dialect
    ).reshape(settling, -1)
    last = len(gradients) * np.arange(1, periods + 1)

    def moves(k: int) -> NDArray[np.float64]:
        """The move of step k + 1 of every period, before the projection."""
        t = last - len(gradients) + k + 1
        settled = np.full(periods - settling, steps[-1, k])
        return (lr(t) if callable(lr) else lr) * -np.concatenate([steps[:, k], settled])

    # each period as one map
    shift, low, high = np.zeros(periods), np.full(periods, LOW), np.full(periods, HIGH)
    for k in range(len(gradients)):
        move = moves(k)
        shift += move
        low, high = (np.clip(bound + move, LOW, HIGH) for bound in (low, high))
    ends = [start]
    for by, least, most in zip(shift.tolist(), low.tolist(), high.tolist(), strict=True):
        ends.append(min(most, max(least, ends[-1] + by)))

    # within each period, from where it begins
    here, end = np.array(ends[:-1]), np.array(ends[1:])
    lowest, highest = np.full(periods, HIGH), np.full(periods, LOW)
    for k in range(len(gradients)):
        here = np.clip(here + moves(k), LOW, HIGH)
        lowest, highest = np.minimum(lowest, here), np.maximum(highest, here)
    return Walk(last, end, lowest, highest)


def _periods_to_settle(length: int, betas: tuple[float, float]) -> int:
    """Periods after which nothing of the start is left in m, v and their corrections."""
    slowest = max(betas)
    steps = np.log(SETTLED) / np.log(slowest) if slowest > 0 else 0.0
    return int(np.ceil(steps / length)) + 2


def _one_period(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} has shape {array.shape} (expected one period, one axis)")
    return array


def denominators(
    gradients: ArrayLike,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    amsgrad: bool = False,
    dialect: str | Dialect = "pytorch",
) -> NDArray[np.float64]:
    """Return what m is divided by, step by step, without eps, measured on the steps themselves.

    Parameters
    ----------
    gradients : array_like of float, shape (steps,)
        The first one not zero.
    betas, amsgrad, dialect
        As `adamlib.adam_step` takes them.

    Returns
    -------
    ndarray of float64, shape (steps,)
        m̂ₜ over the step in units of lr; mₜ over it in a dialect that does not correct m.

    Examples
    --------
    A gradient of 100, then one of 1:

    >>> print(*denominators([100.0, 1.0]).round(1))
    100.0 70.7
    >>> print(*denominators([100.0, 1.0], amsgrad=True, dialect="optax").round(1))
    100.0 100.0
    """
    gradients = _one_period("gradients", gradients)
    rule = find_dialect(dialect)
    roots = []
    for step, state in each_step(gradients, eps=0.0, betas=betas, amsgrad=amsgrad, dialect=rule):
        exp_avg = state.exp_avg
        if rule.corrects_exp_avg:
            exp_avg = exp_avg / bias_correction(betas[0], state.step)
        roots.append(exp_avg / step)
    return np.array(roots)
