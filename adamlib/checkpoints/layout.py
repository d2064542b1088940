"""State dicts, checked whole before anything is taken over.

The layout of a state dict is torch's, and all that read one, for NumPy, torch and other libraries,
read it here: `groups_and_states`, then `read_entry` for each parameter.
"""

import contextlib
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_hyperparameters, check_options, shown
from ..dialects import find_dialect
from ..state import FLAGS, HYPERPARAMETERS, MOMENTS, MOST_STEPS, SIZES, moments_used

# --- for any library ------------------------------------------------------------------------------


class Words(NamedTuple):
    """How a reader says what a state dict lacks."""

    keys: str
    entry: str
    step: str
    kinds: str = ""  # where it tells keys that are missing from values of the wrong kind


FOR_NUMPY = Words(
    "state, a dict, and param_groups, a list",
    "state[{place}] has no {name!r} (expected {needed})",
    "state[{place}]['step']",
)
FOR_TORCH = Words(
    "state and param_groups",
    "loaded state of a parameter has no {name!r}",
    "loaded step",
    "state_dict must hold a dict, state, and a list, param_groups",
)


def check_dict(state_dict: object) -> None:
    """Refuse a state dict that is not a dict."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict must be a dict, got {type(state_dict).__name__}")


def groups_and_states(
    state_dict: Mapping[str, Any], words: Words, needed: Iterable[str]
) -> tuple[list[Mapping[str, Any]], Mapping[Any, Any]]:
    """Return the two parts of a state dict; refuse groups that lack what is needed."""
    check_dict(state_dict)
    groups, states = state_dict.get("param_groups"), state_dict.get("state")
    if not isinstance(groups, list) or not isinstance(states, Mapping):
        if words.kinds and {"state", "param_groups"} <= state_dict.keys():
            raise TypeError(words.kinds)
        raise ValueError(f"state_dict has the keys {list(state_dict)} (expected {words.keys})")
    for group in groups:
        _check_entry(group)
    for group, name in product(groups, needed):
        if name not in group:
            raise ValueError(
                f"loaded state dict has no {name!r} (expected the parameter group of an Adam)"
            )
    return groups, states


def read_entry(
    entry: Mapping[str, Any], amsgrad: bool, words: Words, place: object = None
) -> tuple[int, dict[str, Any]]:
    """Return the count of steps and the moments of one parameter, whatever arrays these are."""
    _check_entry(entry)
    needed = ("step", *moments_used(amsgrad))
    for name in needed:
        if name not in entry:
            raise ValueError(words.entry.format(place=place, name=name, needed=", ".join(needed)))
    step = whole_step(words.step.format(place=place), entry["step"])
    return step, {name: entry[name] for name in needed[1:]}


def _check_entry(entry: object) -> None:
    if not isinstance(entry, Mapping):
        raise TypeError("state_dict must hold one dict a group and one a parameter")


def whole_step(name: str, step: Any) -> int:
    """Return a count of steps as an int: a number, or an array or tensor of one."""
    with contextlib.suppress(AttributeError, ValueError, RuntimeError):  # not a number, or many
        step = step.item()
    if isinstance(step, (int, float)) and not isinstance(step, bool):
        if step >= 0 and step % 1 == 0:
            if step > MOST_STEPS:
                raise ValueError(f"{name} is {shown(step)} (expected at most 2**53)")
            return int(step)
    simple = isinstance(step, (int, float, str))
    given = shown(step, repr) if simple else f"a {type(step).__name__}"
    raise ValueError(f"{name} is {given} (expected a whole number, 0 or more)")


# --- the state dicts of NumPy's Adam --------------------------------------------------------------


def parse_state_dict(
    state_dict: Mapping[str, Any], params: list[NDArray], names: list[str] | None
) -> tuple[dict[str, Any], dict[int, tuple[int, list[NDArray]]]]:
    """Return the hyperparameters and, by parameter, steps and moments; these share memory.

    What says how torch computes a step (foreach, fused, capturable, differentiable) is left out.
    """
    groups, states = groups_and_states(state_dict, FOR_NUMPY, (*SIZES, *FLAGS))
    if len(groups) != 1:
        raise ValueError("loaded state dict has a different number of parameter groups")
    group = {"dialect": "pytorch", **groups[0]}
    keys, saved_names = group.get("params", []), group.get("param_names")
    if not isinstance(keys, (list, tuple)):
        raise TypeError(f"params of a group must be a list, got {type(keys).__name__}")
    if len(keys) != len(params):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )
    if names is not None and saved_names is not None and names != saved_names:
        raise ValueError(f"loaded state dict has parameters {saved_names} (expected {names})")
    options = checked_options({name: group[name] for name in HYPERPARAMETERS})
    found = {}
    for key, entry in states.items():
        if type(key) is not int or key not in keys:
            raise ValueError(
                f"loaded state dict has state of parameter {key!r} (expected one of {keys})"
            )
        own = keys.index(key)
        # switched off, AMSGrad keeps the maximum that it has
        kept = options["amsgrad"] or (isinstance(entry, Mapping) and MOMENTS[-1] in entry)
        step, moments = read_entry(entry, kept, FOR_NUMPY, key)
        arrays = {}
        for name, moment in moments.items():
            arrays[name] = array = _as_array(f"state[{key}][{name!r}]", moment)
            check_like(f"state[{key}]", f"[{name!r}]", array, params[own])
            if name != MOMENTS[0] and _is_negative(array):
                raise ValueError(f"state[{key}][{name!r}] is negative (expected a mean of squares)")
        found[own] = step, list(arrays.values())
    return options, found


def _as_array(name: str, value: Any) -> NDArray:
    try:
        return np.asarray(value)
    except Exception as error:  # each library has its own words, as of a tensor on a GPU
        kind = type(value).__name__
        raise TypeError(
            f"{name} must be an array, got a {kind} of which NumPy makes none"
        ) from error


def _is_negative(array: NDArray) -> bool:
    """Whether a number is below zero; of complex ones a real or an imaginary part."""
    parts = (array.real, array.imag) if array.dtype.kind == "c" else (array,)
    return any(bool((part < 0).any()) for part in parts)


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Check hyperparameters; return them as plain Python values, which JSON can hold."""
    rule = find_dialect(options["dialect"])
    check_hyperparameters(*(options[name] for name in SIZES))
    check_options(rule, options["weight_decay"], *(options[flag] for flag in FLAGS))
    plain: dict[str, Any] = {"betas": tuple(map(float, options["betas"]))}
    plain |= {name: float(options[name]) for name in ("lr", "eps", "weight_decay")}
    return options | plain | {flag: bool(options[flag]) for flag in FLAGS}


def check_like(what: str, name: str, value: object, param: NDArray) -> None:
    """Refuse an array whose shape or dtype is not that of its parameter ``name``."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{what}{name} must be an array, got {type(value).__name__}")
    if value.shape != param.shape:
        raise ValueError(f"{what}{name} has shape {value.shape} (expected {param.shape})")
    if value.dtype != param.dtype:
        raise TypeError(f"{what}{name} has dtype {value.dtype} (expected {param.dtype})")
