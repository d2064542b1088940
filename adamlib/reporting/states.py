"""How the state is got out of each kind of optimizer, without a copy and without a change."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import check_hyperparameters
from ..optimizer import Adam
from ..state import HYPERPARAMETERS, MOMENTS, Array
from .numbers import Held
from .rules import Settings, count_of, names_of_moments, settings_of, step_rule

EXPECTED = (
    "expected a torch optimizer of Adam's kind, adamlib.Adam, a Keras Adam, an optax state or a "
    "state dict"
)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # no parameters
WRAPPED = ("module.", "_orig_mod.")


class Stored(NamedTuple):
    """An array in a file, read when its parameter has its turn."""

    shape: tuple[int, ...]
    load: Callable[[], Array]


class SortedByName(dict):
    """A model's tensors from a file that has lost the order of the model, as safetensors do."""


class Row(NamedTuple):
    """One parameter of a group: what may be known of it."""

    name: str
    entry: Mapping[str, Any]  # its state, by torch's names; empty before the first step
    param: Array | None = None
    grad: Array | None = None
    trained: bool = True


class Reading(NamedTuple):
    """What an optimizer is, and its parameters, one at a time."""

    kind: str
    groups: list[Settings]
    held: Iterable[Held]


def read(optimizer: Any, model: Any = None, told: Mapping[str, Any] | None = None) -> Reading:
    """Read an optimizer, or a state, of any library; ``told`` hyperparameters win over its own."""
    told = told or {}
    if isinstance(optimizer, Adam):
        return _read_ours(optimizer, told)
    optimizer = unwrapped(optimizer)
    if isinstance(optimizer, Mapping) and (state := find_state_dict(optimizer)):
        return _read_state_dict(state, model, told)
    if isinstance(optimizer, Mapping) and {"m", "v", "t"} <= optimizer.keys():
        return _read_hand_written(optimizer, model, told)
    if hasattr(optimizer, "param_groups") and hasattr(optimizer, "state"):
        return _read_torch(optimizer, model, told)
    if hasattr(optimizer, "beta_1") and hasattr(optimizer, "iterations"):
        return _read_keras(optimizer, told)
    if states := list(_adam_states(optimizer)):
        return _read_optax(states, model, told)
    given = f"a dict with the keys {[*optimizer]}" if isinstance(optimizer, Mapping) else None
    raise TypeError(f"optimizer is {given or f'a {type(optimizer).__name__}'} ({EXPECTED})")


def unwrapped(optimizer: Any) -> Any:
    """Return what Lightning and accelerate wrap, and of a compiled Keras model its optimizer."""
    return getattr(optimizer, "optimizer", optimizer)


def find_state_dict(held: Any, depth: int = 4) -> Mapping[str, Any] | None:
    """Find an optimizer's state dict in a dict that holds one or, as Lightning's, a list of them.

    Several become one, whose groups are those of all.
    """
    found = list(_state_dicts(held, depth))
    if len(found) < 2:
        return found[0] if found else None
    entries, groups = {}, []
    for i, state in enumerate(found):
        entries.update({(i, place): entry for place, entry in state["state"].items()})
        for group in state["param_groups"]:
            groups.append({**group, "params": [(i, place) for place in group["params"]]})
    return {"state": entries, "param_groups": groups}


def _state_dicts(held: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if isinstance(held, Mapping) and {"state", "param_groups"} <= held.keys():
        yield held
    elif depth and isinstance(held, (Mapping, list, tuple)):
        for value in held.values() if isinstance(held, Mapping) else held:
            yield from _state_dicts(value, depth - 1)


# --- torch's layout -------------------------------------------------------------------------------


def _read_torch(optimizer: Any, model: Any, told: Mapping[str, Any]) -> Reading:
    names = {id(param): name for name, param in _named(model)}
    rows: list[list[Row]] = []
    place = 0
    for group in optimizer.param_groups:
        own = group.get("param_names") or [None] * len(group["params"])
        rows.append([])
        for name, param in zip(own, group["params"], strict=True):
            name = names.get(id(param)) or name or f"parameter {place}"
            entry = optimizer.state.get(param, {})  # .get, as a defaultdict would make one
            rows[-1].append(Row(name, entry, param.detach(), param.grad, param.requires_grad))
            place += 1
    return _reading(type(optimizer).__name__, optimizer.param_groups, rows, told)


def _read_state_dict(state: Mapping[str, Any], model: Any, told: Mapping[str, Any]) -> Reading:
    groups, entries = state["param_groups"], state["state"]
    if not isinstance(entries, Mapping) or not isinstance(groups, Sequence):
        raise TypeError("the state dict must hold a dict, state, and a list, param_groups")
    known = [list(group.get("param_names") or ()) for group in groups]
    shapes = [[_shape(entries.get(p, {})) for p in group["params"]] for group in groups]
    named = iter(names_for(shapes, known, _named(model), not isinstance(model, SortedByName)))
    rows = [
        [
            Row(name, entries.get(p, {}), param)
            for p, (name, param) in zip(places, named, strict=False)
        ]
        for places in (group["params"] for group in groups)
    ]
    return _reading("state dict", groups, rows, told)


def _reading(
    title: str,
    groups: Sequence[Mapping[str, Any]],
    rows: Sequence[Sequence[Row]],
    told: Mapping[str, Any],
) -> Reading:
    settings = []
    for group, own in zip(groups, rows, strict=True):
        entry = next((row.entry for row in own if row.entry), {})
        if entry and not {"exp_avg_sq", "exp_inf"} & entry.keys():
            raise ValueError(
                f"the {title if title != 'state dict' else 'state of a parameter'} has no "
                f"exp_avg_sq, it has {', '.join(map(str, entry)) or 'nothing'} "
                "(expected an optimizer of Adam's kind)"
            )
        if "betas" not in group and "betas" not in told:
            raise ValueError(
                f"the {title} has no exp_avg_sq and no betas (expected an optimizer of Adam's kind)"
            )
        settings.append(settings_of({**group, **told}, entry, title))
    return Reading(title, settings, _held(settings, rows))


def _held(settings: Sequence[Settings], rows: Sequence[Sequence[Row]]) -> Iterator[Held]:
    """Give the parameters one at a time, so that those of a file need not be there together."""
    for number, (own, group) in enumerate(zip(settings, rows, strict=True)):
        for row in group:
            yield _held_of(own, number, row)


def _held_of(settings: Settings, group: int, row: Row) -> Held:
    """Return one parameter: of a sharded one this process's part, and how to add up the others."""
    entry = {name: _loaded(value) for name, value in row.entry.items()}
    step = count_of(entry)
    m, v, largest = names_of_moments(settings)
    arrays = {"param": _loaded(row.param), "grad": row.grad, "exp_avg": None, "exp_avg_sq": None}
    rule = None
    if step:
        needed = {"exp_avg": m, "exp_avg_sq": v} | ({"denominator": largest} if largest else {})
        for name in needed.values():
            if name not in entry:
                raise ValueError(f"the state of {row.name} has no {name} (expected an Adam's)")
        arrays |= {name: entry[key] for name, key in needed.items()}
        rule = step_rule(settings, step, entry, _format(arrays["exp_avg_sq"]))
    known = [array for array in arrays.values() if array is not None]
    if any(tuple(array.shape) != tuple(known[0].shape) for array in known):
        shapes = ", ".join(f"{k} {tuple(a.shape)}" for k, a in arrays.items() if a is not None)
        raise ValueError(f"{row.name} has {shapes} (expected one shape)")
    first = known[0] if known else None
    numbers = 0 if first is None else int(np.prod(first.shape, dtype=np.int64))
    numbers *= 2 if first is not None and "complex" in str(first.dtype) else 1
    arrays |= {name: _own_part(array) for name, array in arrays.items()}
    return Held(
        row.name, numbers, settings, group, step, rule,
        trained=row.trained, reduce=_reducer(first), **arrays,
    )  # fmt: skip


def _loaded(value: Any) -> Any:
    return value.load() if isinstance(value, Stored) else value


def _format(array: Array) -> str:
    name = str(array.dtype).removeprefix("torch.")
    return {"complex64": "float32", "complex128": "float64"}.get(name, name)


def _own_part(array: Array | None) -> Array | None:
    """Return what this process holds of a DTensor; of a sparse gradient all of it."""
    if array is not None and hasattr(array, "to_local"):
        array = array.to_local()
    return array.to_dense() if array is not None and getattr(array, "is_sparse", False) else array


def _reducer(array: Array | None) -> Callable[[NDArray, str], NDArray] | None:
    """Return how numbers are added up over the processes that a DTensor is sharded over."""
    if array is None or not hasattr(array, "placements"):
        return None
    import torch
    import torch.distributed as dist

    mesh, device = array.device_mesh, array.device
    sharded = [i for i, placement in enumerate(array.placements) if placement.is_shard()]

    def reduce(values: NDArray, operation: str) -> NDArray:
        numbers = torch.from_numpy(values).to(device)
        for dimension in sharded:
            group = mesh.get_group(dimension)
            dist.all_reduce(numbers, getattr(dist.ReduceOp, operation), group)
        return numbers.cpu().numpy()

    return reduce


# --- names ----------------------------------------------------------------------------------------


def _named(model: Any) -> list[tuple[str, Array]]:
    """Return the names and tensors of a module, or of a state dict of one."""
    if model is None:
        return []
    if hasattr(model, "named_parameters"):
        named = model.named_parameters()
    elif isinstance(model, Mapping):
        named = ((str(k), v) for k, v in model.items() if hasattr(v, "shape"))
    else:
        raise TypeError(f"model must be a module or its state dict, got {type(model).__name__}")
    return [(_plain(name), value) for name, value in named]


def _plain(name: str) -> str:
    """Return a name without what DDP and torch.compile put into it."""
    for prefix in WRAPPED:
        name = name.replace(prefix, "") if name.startswith(prefix) else name
    return name.replace("._orig_mod.", ".")


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...] | None:
    array = entry.get(MOMENTS[0])
    return None if array is None else tuple(array.shape)


def names_for(
    shapes: Sequence[Sequence[tuple[int, ...] | None]],
    known: Sequence[Sequence[str]],
    named: Sequence[tuple[str, Array]],
    ordered: bool = True,
) -> list[tuple[str, Array | None]]:
    """Name the parameters of a state dict, which numbers them, and find them in a model's.

    By name where the groups have names. Else in the order of the model, as the shapes tell; or, as
    Hugging Face's trainer sorts them, each group in that order; or by a shape that only one tensor
    has. What may be one of several keeps its number.
    """
    flat = [shape for group in shapes for shape in group]
    if sum(map(len, known)) == len(flat):
        tensors = dict(named)
        return [(name, tensors.get(_plain(name))) for group in known for name in map(str, group)]
    named = [pair for pair in named if not pair[0].endswith(STATISTICS)]
    found = _in_order(flat, named) if ordered else []
    if ordered and not found:
        by_group = [_in_order(group, named) for group in shapes]
        found = [pair for group in by_group for pair in group] if all(by_group) else []
    found = found or [_of_its_shape(shape, flat, named) for shape in flat]
    names = [pair[0] for pair in found if pair]
    return [
        pair if pair and names.count(pair[0]) == 1 else (f"parameter {i}", None)
        for i, pair in enumerate(found)
    ]


def _in_order(
    shapes: Sequence[tuple[int, ...] | None], named: Sequence[tuple[str, Array]]
) -> list[tuple[str, Array] | None]:
    """Pair each shape with a tensor, in order; None where another would fit; [] where none fits.

    The first that fit, sought from the front, and the last, sought from the back, are the same
    where there is but one way.
    """
    first = _first_that_fit(shapes, named)
    last = _first_that_fit(shapes[::-1], named[::-1])[::-1]
    return [a if a[0] == b[0] else None for a, b in zip(first, last, strict=True)]


def _first_that_fit(
    shapes: Sequence[tuple[int, ...] | None], named: Sequence[tuple[str, Array]]
) -> list[tuple[str, Array]]:
    found, rest = [], iter(named)
    for shape in shapes:
        pair = next((p for p in rest if shape is None or tuple(p[1].shape) == shape), None)
        if pair is None:
            return []
        found.append(pair)
    return found


def _of_its_shape(
    shape: tuple[int, ...] | None,
    shapes: Sequence[tuple[int, ...] | None],
    named: Sequence[tuple[str, Array]],
) -> tuple[str, Array] | None:
    fitting = [pair for pair in named if tuple(pair[1].shape) == shape]
    return fitting[0] if len(fitting) == shapes.count(shape) == 1 else None


# --- other libraries ------------------------------------------------------------------------------


def _read_ours(optimizer: Adam, told: Mapping[str, Any]) -> Reading:
    group = {name: getattr(optimizer, name) for name in HYPERPARAMETERS} | dict(told)
    names = list(optimizer.params) if isinstance(optimizer.params, dict) else optimizer._names
    rows = []
    for i, (name, param) in enumerate(zip(names, optimizer._params, strict=True)):
        entry: dict[str, Any] = {}
        if i in optimizer._moments:
            moments = zip(MOMENTS, optimizer._moments[i], strict=False)
            entry = {"step": optimizer._steps[i], **dict(moments)}
        rows.append(
            Row(name if isinstance(optimizer.params, dict) else f"params{name}", entry, param)
        )
    return _reading("Adam", [group], [rows], {})


def _read_hand_written(state: Mapping[str, Any], model: Any, told: Mapping[str, Any]) -> Reading:
    from ..conversion.readers import READERS

    memory = READERS["numpy"](_widened(state))
    entries = [
        {"step": one.step, **dict(zip(MOMENTS, one.moments, strict=False))}
        for one in memory.states.values()
    ]
    for name, key in zip(MOMENTS, ("m", "v", "v_max"), strict=True):
        for entry, given in zip(entries, _listed(state.get(key, [])), strict=False):
            if hasattr(given, "detach"):  # torch's stay in their format
                entry[name] = given.detach()
    shapes = [tuple(entry[MOMENTS[0]].shape) for entry in entries]
    names = names_for([shapes], [memory.names or ()], _named(model))
    rows = [Row(*pair) for pair in _rows(names, entries)]
    group = {"amsgrad": memory.groups[0]["amsgrad"]} | _needed(told, "a dict of m, v and t")
    return _reading("Adam", [group], [rows], {})


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _widened(value: Any) -> Any:
    """Return the same with float32 for torch's bfloat16, which NumPy lacks."""
    if isinstance(value, Mapping):
        return {key: _widened(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_widened(entry) for entry in value]
    return value.float() if str(getattr(value, "dtype", "")) == "torch.bfloat16" else value


def _rows(
    names: Sequence[tuple[str, Array | None]], entries: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any], Array | None]]:
    for (name, param), entry in zip(names, entries, strict=True):
        yield name, entry, param


def _needed(told: Mapping[str, Any], what: str) -> dict[str, Any]:
    if missing := [name for name in ("lr", "betas", "eps") if name not in told]:
        raise ValueError(f"{what} holds no {', '.join(missing)} (expected them as arguments)")
    check_hyperparameters(told["lr"], told["betas"], told["eps"], 0.0)
    return dict(told)


def _adam_states(state: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Find optax's states of Adam, and what inject_hyperparams says about each."""
    if hasattr(state, "mu") and hasattr(state, "nu") and hasattr(state, "count"):
        yield state, {}
    elif hasattr(state, "hyperparams") and hasattr(state, "inner_state"):
        names = {"learning_rate": "lr", "eps": "eps", "b1": "b1", "b2": "b2"}
        own: dict[str, Any] = {
            new: float(state.hyperparams[old])
            for old, new in names.items()
            if old in state.hyperparams
        }
        if {"b1", "b2"} <= own.keys():
            own["betas"] = (own.pop("b1"), own.pop("b2"))
        yield from ((found, own | inner) for found, inner in _adam_states(state.inner_state))
    elif isinstance(state, Mapping):
        yield from _adam_states(list(state.values()))
    elif isinstance(state, (tuple, list)):
        for entry in state:
            yield from _adam_states(entry)


def _read_optax(
    states: Sequence[tuple[Any, dict[str, Any]]], model: Any, told: Mapping[str, Any]
) -> Reading:
    import jax

    params = {} if model is None else dict(_leaves(jax, model))
    groups, rows = [], []
    for state, own in states:
        amsgrad = hasattr(state, "nu_max")
        of_optax = {"dialect": "optax", "amsgrad": amsgrad}
        groups.append(of_optax | _needed({**own, **told}, "an optax state"))
        kept = (state.mu, state.nu, *((state.nu_max,) if amsgrad else ()))
        moments = [dict(_leaves(jax, tree)) for tree in kept]
        rows.append(
            [
                Row(
                    name,
                    {"step": int(state.count)} | dict(zip(MOMENTS, row, strict=False)),
                    params.get(name),
                )
                for name, *row in zip(moments[0], *(m.values() for m in moments), strict=True)
            ]
        )
    return _reading("Adam", groups, rows, {})


def _leaves(jax: Any, tree: Any) -> Iterator[tuple[str, NDArray]]:
    """Give names and arrays; on the CPU they share the memory of JAX's."""
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        yield jax.tree_util.keystr(path, simple=True, separator=".") or "params", np.asarray(leaf)


def _read_keras(optimizer: Any, told: Mapping[str, Any]) -> Reading:
    kind = type(optimizer).__name__
    if kind not in ("Adam", "AdamW"):
        raise ValueError(f"optimizer is Keras's {kind} (expected its Adam or AdamW)")
    group = {
        "dialect": "keras",
        "amsgrad": bool(optimizer.amsgrad),
        "lr": float(np.asarray(optimizer.learning_rate)),
        "betas": (float(optimizer.beta_1), float(optimizer.beta_2)),
        "eps": float(optimizer.epsilon),
    } | dict(told)
    step, rows = int(optimizer.iterations), []
    kept = [
        getattr(optimizer, name, []) for name in ("_momentums", "_velocities", "_velocity_hats")
    ]
    for i, variable in enumerate(getattr(optimizer, "_trainable_variables", [])):
        moments = [row[i].numpy() for row in kept if row]
        entry = {"step": step} | dict(zip(MOMENTS, map(np.asarray, moments), strict=False))
        rows.append(Row(variable.path, entry if step else {}, np.asarray(variable.numpy())))
    return _reading(kind, [group], [rows], {})
