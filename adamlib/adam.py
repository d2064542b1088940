"""One step of Adam, pure, for any array library.

`adam_step` is the algorithm of the course: it checks what it is given and hands it to `update`,
which you read beside Algorithm 1 of Kingma & Ba (2015). Complex numbers and what the other
dialects divide by stand in helpers below them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, assert_never

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from .dialects import Dialect, find_dialect
from .moments import bias_correction

Array = Any  # an array of NumPy, torch or any other array-API library
Number = float | Array


@dataclass(frozen=True, eq=False)
class AdamState:
    """What Adam remembers of one parameter between two steps.

    Attributes
    ----------
    step : int
        Number of steps taken, t; 0 before the first.
    exp_avg : array, shape and dtype of the parameter
        First moment mₜ, the average of the gradients.
    exp_avg_sq : array, shape and dtype of the parameter
        Second moment vₜ, the average of the squared gradients (for complex numbers of the
        squares of the real and of the imaginary parts, each for itself).
    max_exp_avg_sq : array or None
        AMSGrad's running maximum of vₜ; None without AMSGrad.
    """

    step: int
    exp_avg: Array
    exp_avg_sq: Array
    max_exp_avg_sq: Array | None = None


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

    Raises
    ------
    TypeError
        ``param must be a float array, got list``.

    Examples
    --------
    >>> init_state(np.ones(2)).exp_avg
    array([0., 0.])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1 (initialisation). Taught in: notebook 02.
    """
    xp = _check_float_array("param", param)
    _check_flag("amsgrad", amsgrad)
    exp_avg, exp_avg_sq = xp.zeros_like(param), xp.zeros_like(param)
    return AdamState(0, exp_avg, exp_avg_sq, xp.zeros_like(param) if amsgrad else None)


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
    ValueError
        ``Invalid learning rate: -1``, ``Invalid epsilon value: -1``,
        ``Invalid beta parameter at index 0: 1.0``, ``Invalid weight_decay value: -1``,
        ``grad has shape (3,), param has shape (2,) (expected the same)``,
        ``amsgrad=True needs a state with max_exp_avg_sq (expected init_state(param,
        amsgrad=True))``, ``dialect 'paper' has no amsgrad``, ``Unknown dialect: …``.
    TypeError
        ``param must be a float array, got list``, ``grad has dtype float64, param has dtype
        float32 (expected the same)``, ``lr must be a real number, got '0.1'``, ….

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
    Taught in: notebook 02.

    All arithmetic is done in the dtype of ``param``. In float16 that makes g² overflow from
    |g| = 256 on; torch, which forms (1 − β₂)·g² in float32, holds until about 8100.
    """
    rule = find_dialect(dialect)
    check_hyperparameters(lr, betas, eps, weight_decay, allow_arrays=True)
    check_options(rule, weight_decay, decoupled_weight_decay, amsgrad, maximize)
    xp = _check_arrays(param, grad, state, amsgrad)
    if _is_complex(xp, param):
        options = dict(betas=betas, weight_decay=weight_decay, amsgrad=amsgrad, dialect=rule)
        options |= dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize)
        return _complex_step(xp, param, grad, state, lr=lr, eps=eps, **options)
    lr, eps = _scalar_or_like(xp, "lr", lr, param), _scalar_or_like(xp, "eps", eps, param)
    step = state.step + 1
    numbers = step_numbers(step, lr, betas, eps, weight_decay)
    moments = state.exp_avg, state.exp_avg_sq, state.max_exp_avg_sq if amsgrad else None
    param, *moments = update(
        xp, rule, param, grad, *moments, numbers, decoupled_weight_decay, maximize
    )
    return _as_arrays(xp, param, AdamState(step, *moments))


def step_numbers(
    step: int, lr: Number, betas: tuple[float, float], eps: Number, weight_decay: float
) -> "Numbers":
    """Return the numbers of the step number ``step``, counted from 1.

    Parameters
    ----------
    step : int
    lr, betas, eps, weight_decay
        As `adam_step` takes them, checked.
    """
    # a float64 of NumPy's would widen a float32 array, a float does not
    beta1, beta2 = map(float, betas)
    return Numbers(
        lr,
        beta1,
        beta2,
        eps,
        float(weight_decay) or None,
        bias_correction(beta1, step),
        bias_correction(beta2, step),
    )


class Numbers(NamedTuple):
    """The numbers of one step of `update`: Python floats, or 0-d tensors of float64.

    Attributes
    ----------
    lr, beta1, beta2, eps
        As `adam_step` takes them; lr and eps may be arrays that broadcast.
    weight_decay
        None for no decay, so that which lines of the rule are run never hangs on a number.
    bias_correction1, bias_correction2
        1 − β₁ᵗ and 1 − β₂ᵗ.
    """

    lr: Number
    beta1: Number
    beta2: Number
    eps: Number
    weight_decay: Number | None
    bias_correction1: Number
    bias_correction2: Number


def update(
    xp: Any,
    rule: Dialect,
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    numbers: Numbers,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array, Array | None]:
    """The rule itself: Algorithm 1 on arrays that `adam_step` has checked.

    `adam_step` and `adamlib.Adam` call it with Python floats, `adamlib.compiled` has
    ``torch.compile`` trace it with 0-d tensors. The default dialect is written twice more, which
    tests hold to this one: for one number after the other in `adamlib.kernels`, and in torch's
    operations, for torch's bits, in `adamlib.pytorch`.

    Parameters
    ----------
    xp : module
        Has ``sqrt``, ``maximum`` and ``atan2`` for the arrays.
    rule : Dialect
    param, grad, exp_avg, exp_avg_sq : real arrays of one shape and dtype
        θₜ₋₁, gₜ, mₜ₋₁, vₜ₋₁; not changed.
    max_exp_avg_sq : array or None
        AMSGrad's maximum so far; None: no AMSGrad.
    numbers : Numbers
    decoupled_weight_decay, maximize : bool

    Returns
    -------
    param, exp_avg, exp_avg_sq, max_exp_avg_sq
        θₜ, mₜ, vₜ and the new maximum, or None.

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1. Taught in: notebook 02.
    """
    lr, beta1, beta2, eps, weight_decay, bias_correction1, bias_correction2 = numbers
    amsgrad = max_exp_avg_sq is not None
    decays = weight_decay is not None
    if maximize:
        grad = -grad
    if decays and decoupled_weight_decay and rule.decoupled_weight_decay == "before":
        param = param * (1 - _decay_rate(rule, lr, weight_decay))
    elif decays and not decoupled_weight_decay:
        grad = grad + weight_decay * param

    exp_avg = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * (grad * grad)

    if rule.is_algorithm_1:
        max_exp_avg_sq = xp.maximum(max_exp_avg_sq, exp_avg_sq) if amsgrad else None
        step_size = lr / bias_correction1  # α·m̂ = (α/(1−β₁ᵗ))·m: one pass over memory less
        exp_avg_sq_hat = (max_exp_avg_sq if amsgrad else exp_avg_sq) / bias_correction2
        param = param - step_size * exp_avg / (xp.sqrt(exp_avg_sq_hat) + eps)
        return param, exp_avg, exp_avg_sq, max_exp_avg_sq

    corrections = (bias_correction1, bias_correction2)
    quotient, max_exp_avg_sq = _in_dialect(
        xp, rule, exp_avg, exp_avg_sq, max_exp_avg_sq, eps, corrections
    )
    param = param - lr * quotient
    if decays and decoupled_weight_decay and rule.decoupled_weight_decay == "after":
        param = param * (1 - _decay_rate(rule, lr, weight_decay))
    return param, exp_avg, exp_avg_sq, max_exp_avg_sq


def _in_dialect(
    xp: Any,
    rule: Dialect,
    exp_avg: Array,
    exp_avg_sq: Array,
    largest: Array | None,
    eps: float | Array,
    corrections: tuple[Number, Number],
) -> tuple[Array, Array | None]:
    """Return what a dialect multiplies by lr, and the maximum that its AMSGrad keeps."""
    bias_correction1 = corrections[0] if rule.corrects_exp_avg else 1.0
    bias_correction2 = corrections[1] if rule.corrects_exp_avg_sq else 1.0
    exp_avg_hat, exp_avg_sq_hat = exp_avg / bias_correction1, exp_avg_sq / bias_correction2
    if largest is not None and rule.amsgrad == "max of v̂":
        largest = exp_avg_sq_hat = xp.maximum(largest, exp_avg_sq_hat)
    elif largest is not None:
        largest = xp.maximum(largest, exp_avg_sq)
        exp_avg_sq_hat = largest / bias_correction2

    placement = rule.eps_placement
    if placement == "none":
        return 1.27 * xp.atan2(exp_avg_hat, xp.sqrt(exp_avg_sq_hat)), largest
    if placement == "inside":
        return exp_avg_hat / xp.sqrt(exp_avg_sq_hat + eps), largest
    if placement == "inside-uncorrected":  # √(v + ε) = √(1−β₂ᵗ)·√(v̂ + ε/(1−β₂ᵗ))
        return exp_avg_hat / xp.sqrt(exp_avg_sq_hat + eps / bias_correction2), largest
    if placement == "hat":  # √v + ε̂ = √(1−β₂ᵗ)·(√v̂ + ε̂/√(1−β₂ᵗ))
        root = math.sqrt if isinstance(bias_correction2, float) else xp.sqrt
        return exp_avg_hat / (xp.sqrt(exp_avg_sq_hat) + eps / root(bias_correction2)), largest
    if placement == "outside":
        return exp_avg_hat / (xp.sqrt(exp_avg_sq_hat) + eps), largest
    assert_never(placement)


def _decay_rate(rule: Dialect, lr: Number, weight_decay: Number) -> Number:
    """Return the share by which the dialect's decoupled decay shrinks the parameter."""
    return lr * weight_decay if rule.decay_scale == "lr" else weight_decay


def check_hyperparameters(
    lr: float | Array,
    betas: tuple[float, float],
    eps: float | Array,
    weight_decay: float,
    *,
    allow_arrays: bool = False,
) -> None:
    """Refuse hyperparameters that are no finite numbers in their range, in torch's words.

    Parameters
    ----------
    lr, betas, eps, weight_decay
        As `adam_step` takes them.
    allow_arrays : bool
        Whether ``lr`` and ``eps`` may be arrays.

    Raises
    ------
    ValueError, TypeError
        As `adam_step` lists them.
    """
    _check_range("lr", "learning rate", lr, allow_arrays)
    _check_range("eps", "epsilon value", eps, allow_arrays)
    if not _is_pair(betas):
        raise TypeError(f"betas must be a pair of real numbers, got {betas!r}{_hint(betas)}")
    for i, beta in enumerate(betas):
        if not _is_real(beta) and not _is_real_array(beta):
            raise TypeError(f"betas[{i}] must be a real number, got {beta!r}{_hint(beta)}")
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    _check_range("weight_decay", "weight_decay value", weight_decay, False)


def check_options(
    rule: Dialect,
    weight_decay: float,
    decoupled_weight_decay: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """Refuse flags that are no booleans and options that the dialect has not.

    Parameters
    ----------
    rule : Dialect
    weight_decay, decoupled_weight_decay, amsgrad, maximize
        As `adam_step` takes them.

    Raises
    ------
    TypeError
        ``amsgrad must be a bool, got 1``.
    ValueError
        ``dialect 'paper' has no amsgrad`` or ``… no decoupled weight decay``.
    """
    _check_flag("amsgrad", amsgrad)
    _check_flag("maximize", maximize)
    _check_flag("decoupled_weight_decay", decoupled_weight_decay)
    if amsgrad and rule.amsgrad is None:
        raise ValueError(f"dialect {rule.name!r} has no amsgrad")
    if weight_decay and decoupled_weight_decay and rule.decoupled_weight_decay is None:
        raise ValueError(f"dialect {rule.name!r} has no decoupled weight decay")


def _is_pair(betas: object) -> bool:
    """Whether this is a sequence of two, as torch takes it: a list of Hydra's, an array, …."""
    if isinstance(betas, (tuple, list)):
        return len(betas) == 2
    sequence = hasattr(betas, "__getitem__") and not isinstance(betas, (str, bytes, Mapping))
    return sequence and getattr(betas, "ndim", 1) == 1 and len(betas) == 2  # type: ignore[arg-type]


def _is_real_array(value: object) -> bool:
    """Whether this is an array, or a tensor, of one real number and no dimension."""
    if isinstance(value, np.generic) or not is_array_api_obj(value) or value.ndim:
        return False
    return array_namespace(value).isdtype(value.dtype, "real floating")


def _hint(value: object) -> str:
    """Say where a number that is text most often comes from."""
    text = isinstance(value, str)
    return " (YAML reads 1e-8 as text and 1.0e-8 as a number)" if text else ""


def _is_real(value: object) -> bool:
    if type(value) is float:  # the usual case; the abstract class below is slow to ask
        return True
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _check_range(name: str, words: str, value: object, allow_arrays: bool) -> None:
    if _is_real(value):
        in_range = 0.0 <= value < math.inf  # type: ignore[operator]
    elif is_array_api_obj(value) and (allow_arrays or value.ndim == 0):
        xp = array_namespace(value)
        if not xp.isdtype(value.dtype, "real floating"):
            raise TypeError(f"{name} must hold real floats, got dtype {value.dtype}")
        in_range = bool(xp.all((value >= 0) & xp.isfinite(value)))
    else:
        raise TypeError(f"{name} must be a real number, got {value!r}{_hint(value)}")
    if not in_range:
        raise ValueError(f"Invalid {words}: {value}")


def _check_flag(name: str, value: object) -> None:
    if value is not True and value is not False and not isinstance(value, np.bool_):
        raise TypeError(f"{name} must be a bool, got {value!r}")


def _check_float_array(name: str, value: object) -> Any:
    """Return the namespace of an array of real or complex floats; refuse anything else."""
    if type(value) is np.ndarray and value.dtype.kind in "fc":
        return array_namespace(value)
    if not is_array_api_obj(value):
        raise TypeError(f"{name} must be a float array, got {type(value).__name__}")
    xp = array_namespace(value)
    if not xp.isdtype(value.dtype, ("real floating", "complex floating")):
        raise TypeError(f"{name} must be a float array, got dtype {value.dtype}")
    return xp


def _check_arrays(param: Array, grad: Array, state: AdamState, amsgrad: bool) -> Any:
    """Check that everything has the library, shape and dtype of the parameter."""
    xp = _check_float_array("param", param)
    if not isinstance(state, AdamState):
        raise TypeError(f"state must be an AdamState, got {type(state).__name__}")
    if type(state.step) is not int or state.step < 0:
        raise ValueError(f"state.step must be a whole number, 0 or more, got {state.step!r}")
    if amsgrad and state.max_exp_avg_sq is None:
        raise ValueError(
            "amsgrad=True needs a state with max_exp_avg_sq "
            "(expected init_state(param, amsgrad=True))"
        )
    arrays = {"grad": grad, "state.exp_avg": state.exp_avg, "state.exp_avg_sq": state.exp_avg_sq}
    if amsgrad:
        arrays["state.max_exp_avg_sq"] = state.max_exp_avg_sq
    for name, array in arrays.items():
        if type(array) is not type(param) and _check_float_array(name, array) is not xp:
            raise TypeError(
                f"{name} is a {type(array).__module__} array, param a "
                f"{type(param).__module__} array (expected the same library)"
            )
        if array.shape != param.shape:
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}, param has shape "
                f"{tuple(param.shape)} (expected the same)"
            )
        if array.dtype != param.dtype:
            raise TypeError(
                f"{name} has dtype {array.dtype}, param has dtype {param.dtype} (expected the same)"
            )
    return xp


def _is_complex(xp: Any, param: Array) -> bool:
    if type(param) is np.ndarray:
        return param.dtype.kind == "c"
    return xp.isdtype(param.dtype, "complex floating")


def _scalar_or_like(xp: Any, name: str, value: float | Array, param: Array) -> float | Array:
    """Make of lr or eps a Python float, or an array of the dtype of the parameter.

    A float64 array times a float32 one would be float64; a Python float never widens.
    """
    if _is_real(value):
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
    return xp.asarray(value, dtype=param.dtype)


def _as_arrays(xp: Any, param: Array, state: AdamState) -> tuple[Array, AdamState]:
    """Turn the scalars that NumPy makes of 0-d arrays back into arrays."""
    if param.ndim:
        return param, state
    largest = state.max_exp_avg_sq
    return xp.asarray(param), AdamState(
        state.step,
        xp.asarray(state.exp_avg),
        xp.asarray(state.exp_avg_sq),
        None if largest is None else xp.asarray(largest),
    )


def _complex_step(
    xp: Any, param: Array, grad: Array, state: AdamState, **options: Any
) -> tuple[Array, AdamState]:
    """Step the real and the imaginary parts, each for itself."""

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
    """Make complex numbers of two parts; re + 1j·im turns an infinity into NaN."""
    if hasattr(xp, "complex"):  # torch
        return xp.complex(real, imag)
    if isinstance(real, (np.ndarray, np.generic)):
        joined = np.empty(real.shape, dtype=np.result_type(real.dtype, np.complex64))
        joined.real, joined.imag = real, imag
        return joined
    return real + 1j * imag  # the standard has no other way
