"""State dicts and files: checked whole before anything is taken over, written whole.

The layout of a state dict is torch's. A file is an npz without pickles with a header in JSON; its
path holds the old file or the new one, never half of one.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_hyperparameters, check_options
from .dialects import find_dialect
from .state import HYPERPARAMETERS, AdamState, moments_used

CHECKPOINT_FORMAT = "adamlib-checkpoint-1"


def checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Check hyperparameters; return them as plain Python values, which JSON can hold."""
    rule = find_dialect(options["dialect"])
    check_hyperparameters(options["lr"], options["betas"], options["eps"], options["weight_decay"])
    flags = ("decoupled_weight_decay", "amsgrad", "maximize")
    check_options(rule, options["weight_decay"], *(options[flag] for flag in flags))
    plain: dict[str, Any] = {"betas": tuple(map(float, options["betas"]))}
    plain |= {name: float(options[name]) for name in ("lr", "eps", "weight_decay")}
    return options | plain | {flag: bool(options[flag]) for flag in flags}


def check_like(name: str, value: object, param: NDArray) -> None:
    """Refuse what has not the shape and dtype of its parameter."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array, got {type(value).__name__}")
    if value.shape != param.shape:
        raise ValueError(f"{name} has shape {value.shape} (expected {param.shape})")
    if value.dtype != param.dtype:
        raise TypeError(f"{name} has dtype {value.dtype} (expected {param.dtype})")


def parse_state_dict(
    state_dict: dict[str, Any], params: list[NDArray], names: list[str] | None
) -> tuple[dict[str, Any], dict[int, AdamState]]:
    """Check a state dict against the parameters; return hyperparameters and states."""
    if not isinstance(state_dict, dict):
        raise TypeError(f"state_dict must be a dict, got {type(state_dict).__name__}")
    groups, saved = state_dict.get("param_groups"), state_dict.get("state")
    if not isinstance(groups, list) or not isinstance(saved, dict):
        raise ValueError(
            f"state_dict has the keys {list(state_dict)} (expected state, a dict, and "
            "param_groups, a list)"
        )
    entries = [*groups, *saved.values()]
    if not all(isinstance(entry, dict) for entry in entries):
        raise TypeError("state_dict must hold one dict a group and one a parameter")
    if len(state_dict["param_groups"]) != 1:
        raise ValueError("loaded state dict has a different number of parameter groups")
    group = dict(state_dict["param_groups"][0])
    keys = list(group.pop("params", ()))
    if len(keys) != len(params):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )
    saved_names = group.pop("param_names", None)
    if names is not None and saved_names is not None and names != saved_names:
        raise ValueError(f"loaded state dict has parameters {saved_names} (expected {names})")
    options = _group_options(group)
    states = {}
    for i, entries in saved.items():
        if type(i) is not int or i not in keys:
            raise ValueError(
                f"loaded state dict has state of parameter {i!r} (expected one of {keys})"
            )
        own = keys.index(i)
        states[own] = _parameter_state(i, entries, params[own], bool(options["amsgrad"]))
    return options, states


def _group_options(group: dict[str, Any]) -> dict[str, Any]:
    """Read the hyperparameters of a parameter group, torch's or ours.

    What says how torch computes a step (foreach, fused, capturable, differentiable) is left out.
    """
    group = {"dialect": "pytorch", **group}
    missing = [name for name in HYPERPARAMETERS if name not in group]
    if missing:
        raise ValueError(
            f"loaded state dict has no {missing[0]!r} (expected the parameter group of an Adam)"
        )
    options = {name: group[name] for name in HYPERPARAMETERS}
    return checked_options(options)


def _parameter_state(i: int, entries: dict[str, Any], param: NDArray, amsgrad: bool) -> AdamState:
    """Check and convert the state of one parameter; shares memory with ``entries``."""
    needed = ("step", *moments_used(amsgrad))
    missing = [key for key in needed if key not in entries]
    if missing:
        raise ValueError(f"state[{i}] has no {missing[0]!r} (expected {', '.join(needed)})")
    step = whole_step(f"state[{i}]['step']", entries["step"])
    moments = [np.asarray(entries[key]) for key in needed[1:]]
    for key, moment in zip(needed[1:], moments, strict=True):
        check_like(f"state[{i}][{key!r}]", moment, param)
    return AdamState(step, *moments)


def whole_step(name: str, step: object) -> int:
    """Return a count of steps as an int: a number, or an array or tensor of one.

    Raises
    ------
    ValueError
        ``loaded step is -1 (expected a whole number, 0 or more)``.
    """
    with contextlib.suppress(AttributeError, ValueError, RuntimeError):  # not one number
        step = step.item()  # type: ignore[attr-defined]
    if isinstance(step, (int, float)) and not isinstance(step, bool):
        if step >= 0 and step % 1 == 0:
            return int(step)
    shown = repr(step) if isinstance(step, (int, float, str)) else f"a {type(step).__name__}"
    raise ValueError(f"{name} is {shown} (expected a whole number, 0 or more)")


def as_path(path: str | os.PathLike) -> Path:
    """Refuse what is no path."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or a path, got {type(path).__name__}")
    return Path(path)


def write_whole(path: Path, header: dict[str, Any], arrays: dict[str, NDArray]) -> None:
    """Write a header and arrays so that the path never holds half of them."""
    target = Path(os.path.realpath(path))  # a link keeps pointing to its file
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    # The rename itself reaches the disk with its folder, where the system lets us open that.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_whole(
    path: Path, file_format: str, entries: Callable[[dict[str, Any]], set[str]]
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Read header and arrays of a file, or say that it is none of that format.

    ``entries`` says which arrays must be there, given the header.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as npz:
                arrays = {key: npz[key] for key in npz.files}
            header = json.loads(str(arrays.pop("header")))
            if header["format"] != file_format:
                raise ValueError(f"format {header['format']!r}")
            if missing := sorted(entries(header) - arrays.keys()):
                raise ValueError(f"{missing[0]!r} is missing")
        except Exception as error:  # what zip, npy and JSON readers raise is no short list
            kind = file_format.rpartition("-")[0].replace("-", " ")
            raise ValueError(f"{str(path)!r} is no complete {kind} ({error})") from error
    return header, arrays
