"""One step of Adam, pure, for any array library.

`update` is the rule: read it beside Algorithm 1 of Kingma & Ba (2015). `adam_step` checks what it
is given and hands it to `update`; what makes every array library fit stands below them.
"""

from typing import Any, NamedTuple

import numpy as np

from .checks import (
    check_arrays,
    check_flag,
    check_float_array,
    check_hyperparameters,
    check_options,
    is_real,
)
from .dialects import FORMULAS, Dialect, find_dialect
from .moments import bias_correction
from .state import AdamState, Array

Number = float | Array


class Coefficients(NamedTuple):
    """The numbers of one step of `update`: Python floats, or 0-d tensors of float64.

    ``lr`` and ``eps`` may be arrays that broadcast; ``weight_decay`` is None for no decay, so that
    which lines of the rule are run never depends on a number.
    """

    lr: Number  # α
    beta1: Number  # β₁
    beta2: Number  # β₂
    eps: Number  # ε
    weight_decay: Number | None  # λ
    bias_correction1: Number  # 1 − β₁ᵗ
    bias_correction2: Number  # 1 − β₂ᵗ


def update(
    xp: Any,
    rule: Dialect,
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    coefficients: Coefficients,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array, Array | None]:
    """The rule: θₜ, mₜ, vₜ and AMSGrad's maximum from θₜ₋₁, gₜ, mₜ₋₁, vₜ₋₁ and the maximum so far.

    Real arrays of one shape and dtype, not changed; without a maximum there is no AMSGrad. ``xp``
    has ``sqrt``, ``maximum`` and ``atan2`` for them. Source: Kingma & Ba 2015, Algorithm 1.
    """
    lr, beta1, beta2, eps, decay, c1, c2 = coefficients
    c1, c2 = c1 if rule.corrects_exp_avg else 1.0, c2 if rule.corrects_exp_avg_sq else 1.0
    where, kept = None, 1.0
    if decay is not None:
        where = rule.decoupled_weight_decay if decoupled_weight_decay else "in the gradient"
        kept = 1 - (decay * lr if rule.decay_scale == "lr" else decay)  # 1 − α·λ
    g = -grad if maximize else grad  # gₜ

    if where == "in the gradient":
        g = g + decay * param  # gₜ + λ·θₜ₋₁
    if where == "before":
        param = param * kept  # θₜ₋₁·(1 − α·λ)
    m = beta1 * exp_avg + (1 - beta1) * g  # mₜ
    v = beta2 * exp_avg_sq + (1 - beta2) * (g * g)  # vₜ
    m_hat = 1 / c1 * m  # m̂ₜ = mₜ/(1 − β₁ᵗ)
    largest = max_exp_avg_sq
    if largest is not None and rule.amsgrad == "max of v̂":
        v_hat = largest = xp.maximum(largest, 1 / c2 * v)  # v̂ₜ, corrected first
    elif largest is not None:
        v_hat = 1 / c2 * (largest := xp.maximum(largest, v))  # v̂ₜ, corrected after
    else:
        v_hat = 1 / c2 * v  # v̂ₜ = vₜ/(1 − β₂ᵗ)
    param = param - lr * FORMULAS[rule.eps_placement].code(xp, m_hat, v_hat, eps, c2)  # θₜ
    if where == "after":
        param = param * kept
    return param, m, v, largest


@np.errstate(all="ignore")  # a division by zero is the lesson of the course, not a warning
def adam_step(
    param: Array,
    grad: Array,
    state: AdamState,
    *,
    lr: float | Array = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float | Array = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    amsgrad: bool = False,
    maximize: bool = False,
    dialect: str | Dialect = "pytorch",
) -> tuple[Array, AdamState]:
    r"""Take one step of Adam and return the new parameter and state; no input is changed.

    .. math::
        m_t &= \beta_1 m_{t-1} + (1-\beta_1) g_t, & \hat m_t &= m_t / (1-\beta_1^t), \\
        v_t &= \beta_2 v_{t-1} + (1-\beta_2) g_t^2, & \hat v_t &= v_t / (1-\beta_2^t), \\
        \theta_t &= \theta_{t-1} - \alpha \, \hat m_t / (\sqrt{\hat v_t} + \epsilon).

    Parameters
    ----------
    param : array θₜ₋₁
        Real or complex floats of any array-API library, any shape; complex numbers are
        treated as pairs of real ones, as torch does.
    grad : array gₜ
        Shape and dtype of ``param``; may hold inf and NaN.
    state : AdamState
        From `init_state` or from the step before.
    lr : float or array α
        Finite, 0 or more; units of ``param``. An array must broadcast to the shape of
        ``param``, so that one call can take a step in many runs at once.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1); any sequence of two numbers.
    eps : float or array ε
        Finite, 0 or more; units of ``grad``. Broadcasts like ``lr``.
    weight_decay : float
        Finite, 0 or more. Added to the gradient as weight_decay·θ (L2), unless decoupled.
    decoupled_weight_decay : bool
        Shrink θ by lr·weight_decay itself, outside the moments (AdamW).
    amsgrad : bool
        Divide by the largest vₜ so far; needs a state made with ``amsgrad=True``.
    maximize : bool
        Climb instead of descend.
    dialect : str or Dialect
        Which framework's Adam to be; see `adamlib.DIALECTS`.

    Returns
    -------
    param : array θₜ
        Shape, dtype and library of the one given.
    state : AdamState
        With ``step`` one larger.

    Raises
    ------
    ValueError, TypeError
        ``grad has shape (3,), param has shape (2,) (expected the same)``, ``dialect 'paper' has
        no amsgrad``, ``Invalid learning rate: -1`` (in torch's words, where torch has them), ….

    Examples
    --------
    The first step has the length lr, whatever the gradient:

    >>> param = np.array([1.0, 1.0])
    >>> new, state = adam_step(param, np.array([500.0, -0.02]), init_state(param), lr=0.1)
    >>> new.round(6)
    array([0.9, 1.1])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1; AMSGrad: Reddi et al. 2018, Algorithm 2, in torch's
    order (maximum first, then the correction); decoupled decay: Loshchilov & Hutter 2019,
    Algorithm 2, but times lr, as in torch, where they multiply by their schedule's factor only.

    All arithmetic is done in the dtype of ``param``. In float16 that makes g² overflow from
    |g| = 256 on; torch, which forms (1 − β₂)·g² in float32, holds until about 8100.
    """
    rule = find_dialect(dialect)
    check_hyperparameters(lr, betas, eps, weight_decay, allow_arrays=True)
    check_options(rule, weight_decay, decoupled_weight_decay, amsgrad, maximize)
    xp = check_arrays(param, grad, state, amsgrad)
    if _is_complex(xp, param):
        options = dict(betas=betas, weight_decay=weight_decay, amsgrad=amsgrad, dialect=rule)
        options |= dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize)
        return _complex_step(xp, param, grad, state, lr=lr, eps=eps, **options)
    lr, eps = _scalar_or_like(xp, "lr", lr, param), _scalar_or_like(xp, "eps", eps, param)
    step = state.step + 1
    numbers = coefficients(step, lr, betas, eps, weight_decay)
    moments = state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq if amsgrad else None
    flags = decoupled_weight_decay, maximize
    new_param, *new = update(xp, rule, param, grad, *moments, numbers, *flags)
    return _as_given(xp, param, new_param, AdamState(step, *new))


def coefficients(
    step: int, lr: Number, betas: tuple[float, float], eps: Number, weight_decay: float
) -> Coefficients:
    """Return the numbers of the step t = ``step``, counted from 1, of checked hyperparameters."""
    # a float64 of NumPy's would widen a float32 array, a float does not
    beta1, beta2 = map(float, betas)
    corrections = bias_correction(beta1, step), bias_correction(beta2, step)
    return Coefficients(lr, beta1, beta2, eps, float(weight_decay) or None, *corrections)


def init_state(param: Array, amsgrad: bool = False) -> AdamState:
    """Return the state before the first step: step 0, all moments zero.

    Parameters
    ----------
    param : float or complex array of any array-API library, any shape
    amsgrad : bool
        Whether to keep the running maximum that AMSGrad needs.

    Returns
    -------
    AdamState
        Fresh arrays of the shape, dtype and device of ``param``.

    Examples
    --------
    >>> init_state(np.ones(2)).exp_avg
    array([0., 0.])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1 (initialisation).
    """
    xp = check_float_array("param", param)
    check_flag("amsgrad", amsgrad)
    exp_avg, exp_avg_sq = xp.zeros_like(param), xp.zeros_like(param)
    return AdamState(0, exp_avg, exp_avg_sq, xp.zeros_like(param) if amsgrad else None)


def _is_complex(xp: Any, param: Array) -> bool:
    if type(param) is np.ndarray:
        return param.dtype.kind == "c"
    return xp.isdtype(param.dtype, "complex floating")


def _scalar_or_like(xp: Any, name: str, value: Array, param: Array) -> Number:
    """Turn lr or eps into a Python float, or into an array of the dtype of the parameter.

    A float64 array times a float32 one would be float64; a Python float never widens.
    """
    if is_real(value):
        return float(value)
    if value.ndim == 0:
        # torch promotes 0-d tensors like Python numbers and can differentiate through them.
        return value if xp.__name__.endswith("torch") else float(value)
    lengths = zip(reversed(value.shape), reversed(param.shape), strict=False)
    if value.ndim > param.ndim or any(n not in (1, m) for n, m in lengths):
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, param has shape {tuple(param.shape)} "
            f"(expected a shape that broadcasts to that of param)"
        )
    if type(value) is type(param) and value.dtype == param.dtype:
        return value
    return xp.asarray(value, dtype=param.dtype)


def _as_given(xp: Any, given: Array, param: Array, state: AdamState) -> tuple[Array, AdamState]:
    """Turn NumPy's results into what was given: 0-d arrays, and another order of bytes."""
    if given.ndim and (not isinstance(given, np.ndarray) or given.dtype.isnative):
        return param, state
    moments = (xp.asarray(moment, dtype=given.dtype) for moment in state.moments)
    return xp.asarray(param, dtype=given.dtype), AdamState(state.step, *moments)


def _complex_step(
    xp: Any, param: Array, grad: Array, state: AdamState, **options: Any
) -> tuple[Array, AdamState]:
    """Step the real and the imaginary parts separately."""

    def part(take: Any) -> tuple[Array, AdamState]:
        moments = (state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq)
        parts = (None if moment is None else take(moment) for moment in moments)
        return adam_step(take(param), take(grad), AdamState(state.step, *parts), **options)

    (param_re, re), (param_im, im) = part(xp.real), part(xp.imag)
    largest = None
    if options["amsgrad"]:
        largest = _join(xp, re.max_exp_avg_sq, im.max_exp_avg_sq)
    return _join(xp, param_re, param_im), AdamState(
        re.step,
        _join(xp, re.exp_avg, im.exp_avg),
        _join(xp, re.exp_avg_sq, im.exp_avg_sq),
        largest,
    )


def _join(xp: Any, real: Array, imag: Array) -> Array:
    """Combine two parts into complex numbers; re + 1j·im turns an infinity into NaN."""
    if hasattr(xp, "complex"):  # torch
        return xp.complex(real, imag)
    if isinstance(real, (np.ndarray, np.generic)):
        dtype = np.result_type(real.dtype, np.complex64).newbyteorder(real.dtype.byteorder)
        joined = np.empty(real.shape, dtype)
        joined.real, joined.imag = real, imag
        return joined
    return real + 1j * imag  # the standard has no other way
