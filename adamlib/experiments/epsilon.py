"""What eps does to whole runs: scaled losses, Adam's limits, rates, sharpness, the best run."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adam import adam_step, init_state
from ..checks import check_count, check_hyperparameters
from ..moments import bias_correction, ema
from ..problems import Params, Problem, like_start, named, repeated
from .sweeps import one_axis
from .traces import Trace

APART = 1e-6  # how far the gradients of a difference are apart


def scale_loss(problem: Problem, factor: float) -> Problem:
    """Return a problem with its value, and so its gradient, multiplied by a factor.

    Parameters
    ----------
    problem : Problem
        Not changed.
    factor : float
        Positive and finite.

    Returns
    -------
    Problem
        With the same start and the same minimum.

    Examples
    --------
    >>> from adamlib.problems import narrow_valley
    >>> scale_loss(narrow_valley((1.0, 4.0)), 0.5).gradient(np.array([2.0, 1.0]))
    array([1., 2.])
    """
    factor = float(factor)
    if not 0.0 < factor < np.inf:
        raise ValueError(f"Invalid factor: {factor} (expected a positive number)")

    def value_and_gradient(params: Params) -> tuple[Any, Params]:
        value, grads = problem.value_and_gradient(params)
        grads = {name: factor * grad for name, grad in named(grads).items()}
        return factor * value, like_start(problem, grads)

    name = f"{problem.name}, loss × {factor:g}"
    return Problem(name, value_and_gradient, problem.start, problem.minimum)


@np.errstate(all="ignore")  # a run that diverges says so by its losses
def momentum_sweep(
    problem: Problem,
    steps: int = 500,
    *,
    lr: float | ArrayLike,
    beta: float = 0.9,
    sign: bool = False,
    label: str = "",
) -> Trace:
    r"""Run momentum, or sign descent with momentum, with every learning rate at once.

    .. math::
        m_t = \beta\,m_{t-1} + (1-\beta)\,g_t, \qquad
        \theta_t = \theta_{t-1} - \alpha\,\frac{m_t}{1-\beta^t}
        \quad\text{or}\quad
        \theta_t = \theta_{t-1} - \alpha \operatorname{sign}(m_t)

    The first is what Adam becomes where ε is much larger than every gradient, with α/ε for α.

    Parameters
    ----------
    problem : Problem
        Not changed. Its value and gradient must take parameters with leading axes.
    steps : int
        Number of updates, 0 or more.
    lr : float or array_like, shape (k,)
        Learning rates α, each finite, 0 or more.
    beta : float
        β, in [0, 1).
    sign : bool
        Whether to step along the sign of the average.
    label : str
        Kept in the trace; the name of the problem unless given.

    Returns
    -------
    Trace
        With the axis ``lr`` where it is an array.

    Examples
    --------
    >>> from adamlib.problems import narrow_valley
    >>> trace = momentum_sweep(narrow_valley(), steps=100, lr=[0.01, 0.1])
    >>> bool(trace.losses[1, -1] < trace.losses[0, -1])
    True
    """
    check_count("number of steps", steps, 0)
    rates = one_axis("lr", lr)
    check_hyperparameters(rates, (beta, 0.0), 0.0, 0.0, allow_arrays=True)
    params = repeated(problem, rates.shape)
    average = {name: np.zeros_like(array) for name, array in params.items()}
    losses = np.empty((*rates.shape, steps))
    for t in range(steps):
        losses[..., t], grads = problem.value_and_gradient(like_start(problem, params))
        for name, grad in named(grads).items():
            average[name] = mean = ema(average[name], grad, beta)
            direction = np.sign(mean) if sign else mean / bias_correction(beta, t + 1)
            own = (None,) * (direction.ndim - rates.ndim)
            params[name] = params[name] - rates[(..., *own)].astype(direction.dtype) * direction
    axes = {"lr": rates} if rates.ndim else {}
    return Trace(label or problem.name, losses, like_start(problem, params), axes=axes)


def best_run(trace: Trace) -> Trace:
    """Return the run of a sweep with the smallest last loss, labelled with where it lies.

    Parameters
    ----------
    trace : Trace
        With at least one axis; a loss that is not finite counts as infinite.

    Returns
    -------
    Trace
        Of one run.

    Raises
    ------
    ValueError
        ``no run has a finite last loss``.

    Examples
    --------
    >>> from adamlib.experiments import sweep
    >>> from adamlib.problems import narrow_valley
    >>> best_run(sweep(narrow_valley(), steps=50, lr=[0.01, 0.1, 10.0])).label
    'narrow valley, lr = 0.1'
    """
    if not trace.axes:
        raise ValueError("the trace has no axes (expected one of a sweep)")
    last = trace.losses[..., -1]
    last = np.where(np.isfinite(last), last, np.inf)
    if np.isinf(last).all():
        raise ValueError("no run has a finite last loss")
    place = np.unravel_index(last.argmin(), last.shape)
    return trace.select(
        **{name: values[i] for (name, values), i in zip(trace.axes.items(), place, strict=True)}
    )


@np.errstate(all="ignore")  # without eps a parameter without a gradient divides by zero
def parameter_rates(
    problem: Problem,
    steps: int,
    *,
    lr: float,
    eps: ArrayLike,
    betas: tuple[float, float] = (0.9, 0.999),
) -> NDArray[np.float64]:
    r"""Run Adam and return the learning rate that each parameter has in the last step.

    .. math::
        \frac{\alpha}{\sqrt{\hat v_t} + \epsilon} \;\le\; \frac{\alpha}{\epsilon}

    It is what the step multiplies m̂ by.

    Parameters
    ----------
    problem : Problem
        Not changed. Its value and gradient must take parameters with leading axes.
    steps : int
        Number of updates t, 1 or more.
    lr : float
        Learning rate α, finite, 0 or more.
    eps : array_like of float, shape (k,)
        ε, each finite, 0 or more; one run for each.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).

    Returns
    -------
    ndarray of float64, shape (k, number of parameters)
        Units of lr over those of the gradient.

    Examples
    --------
    A gradient of 2 and one of 4 on the first step, with eps = 0 and eps = 4:

    >>> from adamlib.problems import narrow_valley
    >>> valley = narrow_valley((1.0, 1.0), start=(2.0, 4.0))
    >>> parameter_rates(valley, 1, lr=8.0, eps=[0.0, 4.0]).round(2)
    array([[4.  , 2.  ],
           [1.33, 1.  ]])
    """
    check_count("number of steps", steps, 1)
    eps = np.asarray(eps, dtype=np.float64)
    if eps.ndim != 1:
        raise ValueError(f"eps has shape {eps.shape} (expected one axis)")
    params = repeated(problem, eps.shape)
    states = {name: init_state(array) for name, array in params.items()}
    for _ in range(steps):
        grads = named(problem.gradient(like_start(problem, params)))
        for name, array in params.items():
            beside = eps[(..., *[None] * (array.ndim - 1))]
            params[name], states[name] = adam_step(
                array, grads[name], states[name], lr=lr, eps=beside, betas=betas
            )
    roots = [np.sqrt(state.exp_avg_sq.reshape(len(eps), -1)) for state in states.values()]
    return lr / (np.hstack(roots) / np.sqrt(bias_correction(betas[1], steps)) + eps[:, None])


def sharpness(problem: Problem, params: Params, rates: ArrayLike = 1.0) -> float:
    r"""Return the largest curvature at a point, each parameter measured by its learning rate.

    .. math::
        \lambda_{\max}\bigl(D^{1/2} H D^{1/2}\bigr), \qquad D = \operatorname{diag}(\text{rates})

    Momentum with :math:`\beta_1` leaves a minimum where this is above
    :math:`2(1+\beta_1)/(1-\beta_1)`: the swings of a quadratic grow there.

    Parameters
    ----------
    problem : Problem
        Its gradient must take parameters with leading axes.
    params : ndarray or dict of ndarray
        The point, of the structure and shapes of the problem's start, float64.
    rates : float or array_like, shape (number of parameters,)
        In the order of ``params``, as `parameter_rates` returns them; each 0 or more.

    Returns
    -------
    float
        The largest eigenvalue of the Hessian H where all rates are 1.

    Examples
    --------
    >>> from adamlib.problems import narrow_valley
    >>> valley = narrow_valley((1.0, 50.0))
    >>> round(sharpness(valley, valley.start), 4), round(sharpness(valley, valley.start, 0.1), 4)
    (50.0, 5.0)

    Notes
    -----
    From differences of the gradient, 2·10⁻⁶ apart.
    """
    at = named(params)
    point = np.concatenate([array.ravel() for array in at.values()])

    def gradients(points: NDArray) -> NDArray:
        ends = np.cumsum([array.size for array in at.values()])[:-1]
        parts = zip(at.items(), np.split(points, ends, axis=1), strict=True)
        there = {name: part.reshape(-1, *array.shape) for (name, array), part in parts}
        grads = named(problem.gradient(like_start(problem, there)))
        return np.hstack([grads[name].reshape(len(points), -1) for name in at])

    steps = APART * np.eye(point.size)
    hessian = (gradients(point + steps) - gradients(point - steps)) / (2 * APART)
    root = np.sqrt(np.broadcast_to(rates, point.shape))
    scaled_hessian = root[:, None] * (hessian + hessian.T) / 2 * root
    return float(np.linalg.eigvalsh(scaled_hessian)[-1])
