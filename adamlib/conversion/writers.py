"""Write the state of an Adam for each library."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dialects import DIALECTS, Dialect, find_dialect
from ..state import FLAGS, HYPERPARAMETERS, MOMENTS
from .memory import NO_MAXIMUM, Memory, by_name, one_count, one_group


def _write_torch(memory: Memory) -> dict[str, Any]:
    import torch

    for group in memory.groups:
        rule = find_dialect(group.get("dialect", "pytorch"))
        if not _steps_as_torch(rule, group):
            raise ValueError(
                f"dialect {rule.name!r} takes other steps than torch's Adam (expected 'pytorch': "
                "set it, and the eps that convert_eps gives, before you take the state)"
            )
    defaults = torch.optim.Adam([torch.zeros(1)]).state_dict()["param_groups"][0]
    groups = [{**defaults, **group} for group in memory.groups]
    for group in groups:
        group.pop("dialect", None)
    step_dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    states = {}
    for place, state in memory.states.items():
        step = torch.tensor(float(state.step), dtype=step_dtype, device="cpu")
        if int(step) != state.step:
            raise ValueError(f"step {state.step} is no {step_dtype} (expected a count below 2**24)")
        moments = zip(MOMENTS, state.moments, strict=False)
        states[place] = {"step": step} | {key: _tensor(moment) for key, moment in moments}
    return {"state": states, "param_groups": groups}


def _steps_as_torch(rule: Dialect, group: dict[str, Any]) -> bool:
    """Whether a dialect with the options of this group takes the steps of torch's Adam."""
    asked = ["eps_placement", "corrects_exp_avg", "corrects_exp_avg_sq"]
    asked += ["amsgrad"] if group.get("amsgrad") else []
    if group.get("weight_decay") and group.get("decoupled_weight_decay"):
        asked += ["decoupled_weight_decay", "decay_scale"]
    torch_s = DIALECTS["pytorch"]
    return all(getattr(rule, name) == getattr(torch_s, name) for name in asked)


def _tensor(array: NDArray) -> Any:
    import torch

    if array.dtype.name != "bfloat16":
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)


def _write_adamlib(memory: Memory) -> dict[str, Any]:
    group = {
        "weight_decay": 0.0,
        **dict.fromkeys(FLAGS, False),
        "dialect": "pytorch",
        **one_group(memory, "adamlib.Adam"),
    }
    kept = {name: group[name] for name in (*HYPERPARAMETERS, "params")}
    kept |= {name: float(group[name]) for name in ("lr", "eps", "weight_decay")}
    kept |= {"betas": tuple(map(float, group["betas"]))}
    if memory.names is not None:
        kept["param_names"] = list(memory.names)
    states = {}
    for place, state in memory.states.items():
        if state.exp_avg.dtype.name == "bfloat16":
            raise TypeError(f"parameter {place} has dtype bfloat16 (expected one of NumPy's own)")
        states[place] = {"step": np.array(state.step)}
        states[place] |= dict(zip(MOMENTS, state.moments, strict=False))
    return {"state": states, "param_groups": [kept]}


def _write_numpy(memory: Memory) -> dict[str, Any]:
    step, moments = one_count(memory, "hand-written code")
    rows = [by_name(memory, row) for row in zip(*moments, strict=True)]
    return dict(zip(("m", "v", "v_max"), rows, strict=False)) | {"t": step}


def _write_optax(memory: Memory) -> tuple[Any, Any]:
    import jax
    import optax

    step, moments = one_count(memory, "optax")
    if len(moments[0]) == 3:
        raise ValueError(NO_MAXIMUM)
    for first, _ in moments:
        if first.dtype.kind == "c":
            raise ValueError("complex moments cannot be carried: optax keeps one v for both parts")
        if first.dtype == np.float64 and not jax.config.read("jax_enable_x64"):
            raise ValueError("float64 moments need jax_enable_x64 (JAX would round to float32)")
    rows = ([jax.numpy.array(moment) for moment in row] for row in zip(*moments, strict=True))
    mu, nu = (by_name(memory, row) for row in rows)
    count = jax.numpy.array(step, jax.numpy.int32)
    return optax.ScaleByAdamState(count, mu, nu), optax.EmptyState()


def _write_keras(memory: Memory) -> dict[str, NDArray]:
    lr = float(one_group(memory, "Keras")["lr"])
    step, moments = one_count(memory, "Keras")
    if any(row[0].dtype.kind == "c" for row in moments):
        raise ValueError("complex moments cannot be carried: Keras squares the gradient as it is")
    values = [np.array(step), np.array(lr)]
    values += [moment for row in moments for moment in row[:2]]
    values += [moment for row in moments for moment in row[2:]]
    return {str(i): value for i, value in enumerate(values)}


WRITERS: dict[str, Callable[[Memory], Any]] = {
    "torch": _write_torch,
    "adamlib": _write_adamlib,
    "optax": _write_optax,
    "keras": _write_keras,
    "numpy": _write_numpy,
}
