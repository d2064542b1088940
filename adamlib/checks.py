"""Every refusal of a number, a flag, a choice or an array: written once, in torch's words.

A function here returns nothing, or what the caller needs next, and raises before anything is
changed. ``what was given (what was expected)`` is the form where torch has no words of its own.
"""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from numbers import Integral, Rational, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from .state import MOST_STEPS, AdamState, Array

if TYPE_CHECKING:
    from .dialects import Dialect

LARGEST = np.float64(sys.float_info.max)  # of NumPy, so that no array is rounded to compare


def shown(value: object, of: Callable[[object], str] = str) -> str:
    """Return what a refusal prints of a value: of numbers in many digits the first ones.

    >>> shown(10**400)
    '100000000000… (401 digits)'
    """
    try:
        text = of(value)
    except ValueError:  # Python prints no more than 4300 digits
        return "a number of thousands of digits"
    if len(text) > 100 and isinstance(value, Rational):
        return f"{text[:12]}… ({len(text)} digits)"
    if len(text) > 200 and isinstance(value, (str, list, tuple, dict)):
        return f"{text[:200]}…"
    return text


# --- one value -----------------------------------------------------------------------------------


def one_of(what: str, value: object, choices: Iterable[object]) -> None:
    """Refuse what is not among the choices.

    >>> one_of("backend", "jax", ("numpy", "torch"))
    Traceback (most recent call last):
    ValueError: Unknown backend: 'jax' (expected one of numpy, torch)
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(
            f"Unknown {what}: {shown(value, repr)} (expected one of {', '.join(map(str, choices))})"
        )


def check_flag(name: str, value: object) -> None:
    """Refuse what is not a bool."""
    if value is not True and value is not False and not isinstance(value, np.bool_):
        raise TypeError(f"{name} must be a bool, got {shown(value, repr)}")


def is_real(value: object) -> bool:
    """Whether this is a number of Python or NumPy, and not a bool."""
    if type(value) is float:  # the usual case; the abstract class below is slow to ask
        return True
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def check_range(name: str, words: str, value: Any, allow_arrays: bool = False) -> None:
    """Refuse what is not a finite number, 0 or more; ``words`` are torch's for it."""
    if is_real(value):
        in_range = 0.0 <= value and _as_float(value) < math.inf
    elif type(value) is np.ndarray and value.dtype.kind == "f" and (allow_arrays or not value.ndim):
        in_range = bool(((value >= 0) & (value <= LARGEST)).all())  # as below, and faster
    elif is_array_api_obj(value) and (allow_arrays or value.ndim == 0):
        xp = array_namespace(value)
        if not xp.isdtype(value.dtype, "real floating"):
            raise TypeError(f"{name} must hold real floats, got dtype {value.dtype}")
        in_range = bool(xp.all((value >= 0) & xp.isfinite(value)))
    else:
        raise TypeError(f"{name} must be a real number, got {shown(value, repr)}{_hint(value)}")
    if not in_range:
        raise ValueError(f"Invalid {words}: {shown(value)}")


def _as_float(value: Any) -> float:
    """Return a number as a float: infinity where it is one of Python's that no float holds."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _hint(value: object) -> str:
    """Say where a number that is text most often comes from."""
    text = isinstance(value, str)
    return " (YAML reads 1e-8 as text and 1.0e-8 as a number)" if text else ""


def check_count(what: str, value: Any, lowest: int) -> None:
    """Refuse a number of steps, periods, … that is not an int, or too small.

    >>> check_count("number of steps", -1, 0)
    Traceback (most recent call last):
    ValueError: Invalid number of steps: -1 (expected 0 or more)
    """
    if not isinstance(value, Integral) or value is True or value < lowest:
        raise ValueError(f"Invalid {what}: {shown(value)} (expected {lowest} or more)")


def check_steps(step: Any, lowest: int) -> None:
    """Refuse a step t, or an array of them, that is not a whole number from ``lowest`` on."""
    if type(step) is int and lowest <= step <= MOST_STEPS:
        return
    if type(step) is int:
        expected = f"{lowest} or more" if step < lowest else "at most 2**53"
        raise ValueError(f"Invalid step: {shown(step)} (expected {expected})")
    steps = np.asarray(step)
    whole = steps.dtype.kind in "iu" or (
        steps.dtype.kind == "f" and bool(np.all(steps == np.floor(steps)))
    )
    if not whole:
        raise TypeError(f"step must be a whole number, got {shown(step, repr)}")
    if np.any(steps < lowest):
        raise ValueError(f"Invalid step: {step} (expected {lowest} or more)")


def check_steps_left(name: str, step: int) -> None:
    """Refuse one step more where the count of them cannot be larger."""
    if step >= MOST_STEPS:
        raise ValueError(f"{name} has taken 2**53 steps or more (expected fewer)")


# --- betas ---------------------------------------------------------------------------------------


def check_beta(beta: Any) -> None:
    """Refuse a decay rate outside [0, 1)."""
    if type(beta) is float and 0.0 <= beta < 1.0:
        return
    if not is_real(beta):
        raise TypeError(f"beta must be a real number, got {shown(beta, repr)}")
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"Invalid beta parameter: {shown(beta)} (expected 0 <= beta < 1)")


def check_beta_at(index: int, beta: Any) -> None:
    """Refuse one of a pair of decay rates outside [0, 1), in torch's words."""
    if not is_real(beta) and not _is_real_array(beta):
        raise TypeError(
            f"betas[{index}] must be a real number, got {shown(beta, repr)}{_hint(beta)}"
        )
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"Invalid beta parameter at index {index}: {shown(beta)}")


def check_pair(betas: Any) -> None:
    """Refuse what is not a sequence of two; torch takes a list of Hydra's and an array too."""
    if isinstance(betas, (tuple, list)):
        is_pair = len(betas) == 2
    else:
        is_sequence = hasattr(betas, "__getitem__") and not isinstance(betas, (str, bytes, Mapping))
        is_pair = is_sequence and getattr(betas, "ndim", 1) == 1 and len(betas) == 2
    if not is_pair:
        raise TypeError(
            f"betas must be a pair of real numbers, got {shown(betas, repr)}{_hint(betas)}"
        )


def _is_real_array(value: Any) -> bool:
    """Whether this is an array, or a tensor, of one real number and no dimension."""
    if isinstance(value, np.generic) or not is_array_api_obj(value) or value.ndim:
        return False
    return array_namespace(value).isdtype(value.dtype, "real floating")


# --- hyperparameters -----------------------------------------------------------------------------


def check_hyperparameters(
    lr: Any, betas: Any, eps: Any, weight_decay: Any, *, allow_arrays: bool = False
) -> None:
    """Refuse what `adam_step` does not take; ``lr`` and ``eps`` may be arrays if allowed."""
    check_range("lr", "learning rate", lr, allow_arrays)
    check_range("eps", "epsilon value", eps, allow_arrays)
    check_pair(betas)
    for index, beta in enumerate(betas):
        check_beta_at(index, beta)
    check_range("weight_decay", "weight_decay value", weight_decay)


def check_options(
    rule: "Dialect",
    weight_decay: float,
    decoupled_weight_decay: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """Refuse flags that are not booleans, and options that the dialect lacks."""
    check_flag("amsgrad", amsgrad)
    check_flag("maximize", maximize)
    check_flag("decoupled_weight_decay", decoupled_weight_decay)
    if amsgrad and rule.amsgrad is None:
        raise ValueError(f"dialect {rule.name!r} has no amsgrad")
    if weight_decay and decoupled_weight_decay and rule.decoupled_weight_decay is None:
        raise ValueError(f"dialect {rule.name!r} has no decoupled weight decay")


def check_amsgrad_held(held: bool) -> None:
    """Refuse AMSGrad where a parameter took steps without its running maximum."""
    if not held:
        raise ValueError(
            "amsgrad was switched on after the first step (expected it when the optimizer is made)"
        )


# --- arrays --------------------------------------------------------------------------------------


def check_float_array(name: str, value: Any) -> Any:
    """Return the namespace of an array of real or complex floats; refuse anything else."""
    if type(value) is np.ndarray and value.dtype.kind in "fc":
        return _of_numpy()
    if not is_array_api_obj(value):
        raise TypeError(f"{name} must be a float array, got {type(value).__name__}")
    xp = array_namespace(value)
    if not xp.isdtype(value.dtype, ("real floating", "complex floating")):
        raise TypeError(f"{name} must be a float array, got dtype {value.dtype}")
    return xp


@cache
def _of_numpy() -> Any:
    """NumPy's namespace: asked for once, and not by an import, since it loads all of NumPy."""
    return array_namespace(np.empty(0))


def check_arrays(param: Array, grad: Array, state: AdamState, amsgrad: bool) -> Any:
    """Return the namespace of the parameter; refuse what differs in library, shape or dtype."""
    xp = check_float_array("param", param)
    if not isinstance(state, AdamState):
        raise TypeError(f"state must be an AdamState, got {type(state).__name__}")
    if type(state.step) is not int or state.step < 0:
        raise ValueError(
            f"state.step must be a whole number, 0 or more, got {shown(state.step, repr)}"
        )
    check_steps_left("param", state.step)
    if amsgrad and state.max_exp_avg_sq is None:
        raise ValueError(
            "amsgrad=True needs a state with max_exp_avg_sq "
            "(expected init_state(param, amsgrad=True))"
        )
    arrays = {"grad": grad, "state.exp_avg": state.exp_avg, "state.exp_avg_sq": state.exp_avg_sq}
    if amsgrad:
        arrays["state.max_exp_avg_sq"] = state.max_exp_avg_sq
    for name, array in arrays.items():
        if type(array) is not type(param) and check_float_array(name, array) is not xp:
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
