"""Read the state of an Adam of each library."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..checkpoints import FOR_TORCH, groups_and_states, read_entry
from .memory import NO_MAXIMUM, Memory, checked_state, copy_array, in_a_row, shown

FOR_MOVING = FOR_TORCH._replace(
    entry="state[{place}] has no {name!r} (expected an Adam's)", step="the step count"
)


def _read_state_dict(state: Any) -> Memory:
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= state.keys():
        raise ValueError(f"state is {shown(state)} (expected a dict of state and param_groups)")
    groups, entries = groups_and_states(state, FOR_MOVING, ("params",))
    if not groups:
        raise ValueError("state has no parameter groups (expected one or more)")
    states = {}
    for group in groups:
        for place in group["params"]:
            if entry := entries.get(place):
                step, moments = read_entry(entry, bool(group.get("amsgrad")), FOR_MOVING, place)
                named = {f"state[{place}][{name!r}]": moments[name] for name in moments}
                states[place] = checked_state(step, named)
    names = [name for group in groups for name in group.get("param_names", ())]
    return Memory(states, [deepcopy(dict(group)) for group in groups], names or None)


def _read_numpy(state: Any) -> Memory:
    if not isinstance(state, Mapping) or not {"m", "v", "t"} <= state.keys() <= {*"mvt", "v_max"}:
        raise ValueError(
            f"state is {shown(state)} (expected a dict of m, v, t and, with AMSGrad, v_max)"
        )
    moments = {key: state[key] for key in ("m", "v", "v_max") if key in state}
    names = list(state["m"]) if isinstance(state["m"], Mapping) else None
    if names is not None:
        for key, values in moments.items():
            if not isinstance(values, Mapping) or values.keys() != state["m"].keys():
                raise ValueError(f"{key} is {shown(values)} (expected the keys {names}, as m)")
        moments = {key: [values[name] for name in names] for key, values in moments.items()}
    return in_a_row(state["t"], moments, names)


def _read_optax(state: Any) -> Memory:
    import jax

    found = list(_adam_states(state))
    if len(found) != 1:
        raise ValueError(f"state holds {len(found)} states of scale_by_adam (expected one)")
    if hasattr(found[0], "nu_max"):
        raise ValueError(NO_MAXIMUM)
    tree = found[0].mu
    flat = isinstance(tree, dict) and all(
        isinstance(name, str) and hasattr(value, "__array__") for name, value in tree.items()
    )
    moments = {"mu": jax.tree.leaves(tree), "nu": jax.tree.leaves(found[0].nu)}
    return in_a_row(found[0].count, moments, sorted(tree) if flat else None)


def _adam_states(state: Any) -> Iterator[Any]:
    """Find the states of scale_by_adam and scale_by_amsgrad in that of a chain."""
    if type(state).__name__ in ("ScaleByAdamState", "ScaleByAmsgradState"):
        yield state
    elif isinstance(state, (tuple, list)):
        for entry in state:
            yield from _adam_states(entry)
    elif isinstance(state, Mapping):
        yield from _adam_states(list(state.values()))


def _read_keras(state: Any) -> Memory:
    if isinstance(state, Mapping) and set(state) == {str(i) for i in range(len(state))}:
        state = [state[str(i)] for i in range(len(state))]
    if not isinstance(state, (list, tuple)):
        raise ValueError(
            f"state is {shown(state)} (expected optimizer.variables, or what save_own_variables "
            "fills)"
        )
    if any(isinstance(getattr(value, "name", None), str) for value in state):
        kinds = _by_name(state)
    elif len(state) >= 4 and len(state) % 2 == 0:
        row = list(state)
        kinds = {"iteration": row[:1], "learning_rate": row[1:2]}
        kinds |= {"momentum": row[2::2], "velocity": row[3::2]}
    else:
        raise ValueError(
            f"state holds {len(state)} arrays (expected iteration, learning_rate, and a momentum "
            "and a velocity a parameter; with AMSGrad or a schedule pass optimizer.variables, "
            "whose names say what they are)"
        )
    keys = [key for key in ("momentum", "velocity", "velocity_hat") if kinds.get(key)]
    memory = in_a_row(kinds["iteration"][0], {key: kinds[key] for key in keys})
    for rate in kinds["learning_rate"]:  # none with a schedule
        memory.groups[0]["lr"] = float(copy_array("learning_rate", rate))
    return memory


def _by_name(variables: Sequence[Any]) -> dict[str, list[Any]]:
    """Sort the variables of a Keras optimizer; their names end with what they are."""
    kinds = ("velocity_hat", "velocity", "momentum", "learning_rate", "iteration")
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for variable in variables:
        kind = next((kind for kind in kinds if variable.name.endswith(kind)), None)
        if kind is None:
            raise ValueError(
                f"{variable.name!r} has no place in another Adam's state (expected iteration, "
                "learning_rate, momentums and velocities)"
            )
        found[kind].append(variable)
    if len(found["iteration"]) != 1:
        raise ValueError(f"state holds {len(found['iteration'])} iterations (expected one)")
    return found


READERS: dict[str, Callable[[Any], Memory]] = {
    "torch": _read_state_dict,
    "adamlib": _read_state_dict,
    "optax": _read_optax,
    "keras": _read_keras,
    "numpy": _read_numpy,
}
