"""What an optimizer remembers, of no library: what readers make and writers take."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import whole_step
from ..state import AdamState

DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
NO_MAXIMUM = (
    "AMSGrad cannot be carried: optax keeps the largest v̂, the others the largest v, and neither "
    "gives the other (expected a state without AMSGrad)"
)


class Memory(NamedTuple):
    """What an optimizer remembers, of no library.

    Attributes
    ----------
    states : dict
        Place of the parameter → its state, as NumPy arrays of their own.
    groups : list of dict
        At least one; torch's names, and only what the source holds. ``params`` are the places.
    names : list of str or None
        Of the parameters, in the order of their places.
    """

    states: dict[int, AdamState]
    groups: list[dict[str, Any]]
    names: list[str] | None = None


def in_a_row(step: Any, moments: dict[str, Any], names: list[str] | None = None) -> Memory:
    """Read lists of moments, which belong to each other in this order and share one count."""
    rows = {k: list(m) if isinstance(m, (list, tuple)) else [m] for k, m in moments.items()}
    lengths = {len(row) for row in rows.values()}
    if len(rows) < 2 or len(lengths) != 1 or lengths == {0}:
        counts = ", ".join(f"{len(row)} {key}" for key, row in rows.items())
        raise ValueError(f"state holds {counts} (expected as many of each, one or more)")
    count = whole_step("the step count", _counter(step))
    states = {
        i: checked_state(count, {f"{key}[{i}]": row[i] for key, row in rows.items()})
        for i in range(lengths.pop())
    }
    group: dict[str, Any] = {"params": list(states), "amsgrad": len(rows) == 3}
    return Memory(states, [group if names is None else group | {"param_names": names}], names)


def checked_state(step: int, moments: dict[str, Any]) -> AdamState:
    """Check and copy the state of one parameter; the moments go by the names they are called."""
    arrays = {name: copy_array(name, moment) for name, moment in moments.items()}
    first, *_ = arrays.values()
    for name, array in arrays.items():
        if (array.shape, array.dtype) != (first.shape, first.dtype):
            raise ValueError(
                f"{name} has shape {array.shape} and dtype {array.dtype} (expected {first.shape} "
                f"and {first.dtype}, as the first moment)"
            )
    return AdamState(step, *arrays.values())


def _counter(step: Any) -> Any:
    """Return a count as something that `whole_step` can ask: TensorFlow's tensors need NumPy."""
    value = getattr(step, "value", step)  # a Keras variable has its array there
    return value if hasattr(value, "item") else np.asarray(value)


def copy_array(name: str, value: Any) -> NDArray:
    """Copy an array of any library to NumPy, bit for bit."""
    value = getattr(value, "value", value)  # a Keras variable
    if hasattr(value, "detach"):
        value = _from_tensor(name, value.detach().cpu())
    if not hasattr(value, "__array__"):
        raise TypeError(f"{name} must be an array, got {type(value).__name__}")
    array = np.array(value, order="C")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{name} must be a float array, got dtype {array.dtype}")
    return array


def _from_tensor(name: str, tensor: Any) -> Any:
    import torch

    if tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    try:
        from ml_dtypes import bfloat16
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} has dtype bfloat16, which needs ml_dtypes, which is not installed"
        ) from error
    return tensor.contiguous().view(torch.int16).numpy().view(bfloat16)


def one_group(memory: Memory, what: str) -> dict[str, Any]:
    """Return the only parameter group."""
    if len(memory.groups) != 1:
        raise ValueError(f"state has {len(memory.groups)} parameter groups ({what} has one)")
    return memory.groups[0]


def one_count(memory: Memory, what: str) -> tuple[int, list[tuple[NDArray, ...]]]:
    """Return the number of steps that all parameters have taken, and their moments in a row."""
    places = [place for group in memory.groups for place in group["params"]]
    steps = [memory.states[place].step if place in memory.states else 0 for place in places]
    if len(set(steps)) != 1 or not memory.states:
        raise ValueError(
            f"the parameters have taken {steps} steps ({what} counts once for all, expected the "
            "same, and moments of each)"
        )
    moments = [memory.states[place].moments for place in places]
    if len({len(row) for row in moments}) != 1:
        raise ValueError(f"some parameters have AMSGrad, some not ({what} has it for all or none)")
    return steps[0], moments


def by_name(memory: Memory, row: Sequence[Any]) -> list[Any] | dict[str, Any]:
    """Return an entry a parameter by their names, or as a list where they have none."""
    return list(row) if memory.names is None else dict(zip(memory.names, row, strict=True))


def shown(state: Any) -> str:
    """Say what something is that was given for a state."""
    if isinstance(state, Mapping):
        return f"a dict with the keys {list(state)}"
    return f"a {type(state).__name__}"
