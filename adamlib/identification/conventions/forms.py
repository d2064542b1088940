"""The forms in which parameters and gradients are handed over: arrays, lists, dicts, layers …

A form makes what the user's code gets out of the arrays of a probe, gives it gradients, and reads
it back. The gradients that it gives are the probe's own arrays wherever they are arguments; the
``.grad`` of a parameter is a copy, which is read back unless it was cleared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, Convention, Cut, Misfit, read
from .things import Model, Parameter, Scalar

KEYS = ("W1", "b1", "W2", "b2")
Leaf = Callable[[NDArray], Any]


def numpy_leaf(array: NDArray) -> Any:
    return array.copy()


def numpy_parameter(array: NDArray) -> Any:
    return array.copy().view(Parameter)


def torch_leaf(array: NDArray) -> Any:
    import torch

    return torch.from_numpy(array.copy())


def torch_parameter(array: NDArray) -> Any:
    import torch

    return torch.nn.Parameter(torch.from_numpy(array.copy()))


def torch_view(array: NDArray) -> Any:
    """The tensor that shares the memory of an array: a change of it is seen."""
    import torch

    return torch.from_numpy(array)


def as_given(array: NDArray) -> Any:
    return array


@dataclass(frozen=True)
class Side:
    """How an array becomes a tensor or a parameter here, and a gradient what is handed over."""

    leaf: Leaf
    parameter: Leaf
    gradient: Leaf


NUMPY = Side(numpy_leaf, numpy_parameter, as_given)
TORCH = Side(torch_leaf, torch_parameter, torch_view)


class Form(Protocol):
    """How parameters are held and gradients given."""

    says: str
    cut: Cut

    def hold(self, arrays: Arrays) -> Any: ...
    def given(self, grads: Arrays) -> Any: ...
    def returned(self, given: Any, grads: Arrays) -> None: ...
    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]: ...
    def read(self, held: Any) -> Arrays: ...


def nothing() -> None:
    """What is to do after a step that was given no gradients to hold."""


@dataclass(frozen=True)
class OneArray:
    """One array, or where ``flat`` names several, that array cut into so many pieces."""

    leaf: Leaf
    gradient: Leaf
    says: str = "one array at a time"
    cut: Cut = "one array"

    def hold(self, arrays: Arrays) -> Any:
        return self.leaf(arrays[0])

    def given(self, grads: Arrays) -> Any:
        return self.gradient(grads[0])

    def returned(self, given: Any, grads: Arrays) -> None:
        pass

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        return (
            placed([held], grads, self.gradient, convention) if hasattr(held, "grad") else nothing
        )

    def read(self, held: Any) -> Arrays:
        return [read(held)]


@dataclass(frozen=True)
class Listed:
    """A list of arrays, or of parameters with .data and .grad."""

    leaf: Leaf
    gradient: Leaf
    says: str = "a list of arrays"
    cut: Cut = ""

    def hold(self, arrays: Arrays) -> Any:
        return [self.leaf(a) for a in arrays]

    def given(self, grads: Arrays) -> Any:
        # The very list: an entry that is replaced is seen by the caller too.
        return grads if self.gradient is as_given else [self.gradient(g) for g in grads]

    def returned(self, given: Any, grads: Arrays) -> None:
        pass

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        cells = list(held)
        if not all(hasattr(cell, "grad") for cell in cells):
            return nothing
        return placed(cells, grads, self.gradient, convention)

    def read(self, held: Any) -> Arrays:
        return [read(value) for value in entries(held)]


def entries(held: Any) -> list[Any]:
    """Return the entries of a list, of a dict, or the one thing that it is."""
    if isinstance(held, dict):
        return [value for entry in held.values() for value in entries(entry)]
    if isinstance(held, (list, tuple)):
        return [value for entry in held for value in entries(entry)]
    return [held]


def placed(
    cells: Sequence[Any], grads: Arrays, gradient: Leaf, convention: Convention
) -> Callable[[], None]:
    """Set .grad of every cell; return what reads changes in place back after the step."""
    given = [np.array(g) for g in grads]
    for cell, grad in zip(cells, given, strict=True):
        cell.grad = gradient(grad)

    def after() -> None:
        for cell, grad, theirs in zip(cells, grads, given, strict=True):
            left = cell.grad
            changed = not np.array_equal(theirs, grad, equal_nan=True)
            empty = left is None or not np.any(read(left))
            if empty and np.any(grad):
                convention.cleared = True
            elif changed:
                grad[...] = theirs

    return after


@dataclass(frozen=True)
class Dict:
    """A dict of arrays; or of several parameters cut from one array, where it has set keys."""

    leaf: Leaf
    gradient: Leaf
    keys: tuple[str, ...] = KEYS
    grad_keys: tuple[str, ...] = KEYS
    says: str = "a dict of arrays"

    @property
    def cut(self) -> Cut:
        return "layers" if len(self.keys) == len(KEYS) else "one array"

    def _cut(self, arrays: Arrays) -> Arrays:
        return arrays if self.cut == "layers" else pieces(arrays[0], len(self.keys))

    def hold(self, arrays: Arrays) -> Any:
        arrays = self._cut(arrays)
        return {k: self.leaf(a) for k, a in zip(self.keys, arrays, strict=True)}

    def given(self, grads: Arrays) -> Any:
        grads = self._cut(grads)
        return {k: self.gradient(g) for k, g in zip(self.grad_keys, grads, strict=True)}

    def returned(self, given: Any, grads: Arrays) -> None:
        for key, grad in zip(self.grad_keys, self._cut(grads), strict=True):
            if key in given and (now := read(given[key])).shape == grad.shape:
                grad[...] = now

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        cells = list(held.values())
        if not all(hasattr(cell, "grad") for cell in cells):
            return nothing
        return placed(cells, self._cut(grads), self.gradient, convention)

    def read(self, held: Any) -> Arrays:
        found = [read(held[k]) for k in self.keys]
        return found if self.cut == "layers" else [np.concatenate([a.ravel() for a in found])]


def pieces(array: NDArray, count: int) -> Arrays:
    """Cut one array into several: views of it, the later ones of three numbers."""
    ends = [len(array) - 3 * i for i in range(count - 1, 0, -1)]
    return np.split(array, ends)


@dataclass(frozen=True)
class DictsOfLayers:
    """A list with a dict of weight and bias for every layer."""

    leaf: Leaf
    gradient: Leaf
    keys: tuple[str, ...] = ("W", "b")
    grad_keys: tuple[str, ...] = ("W", "b")
    says: str = "a list of dicts, one a layer"
    cut: Cut = "layers"

    def hold(self, arrays: Arrays) -> Any:
        return self._dicts(self.keys, [self.leaf(a) for a in arrays])

    def _dicts(self, keys: tuple[str, ...], values: list[Any]) -> list[dict[str, Any]]:
        pairs = zip(values[::2], values[1::2], strict=True)
        return [dict(zip(keys, pair, strict=True)) for pair in pairs]

    def given(self, grads: Arrays) -> Any:
        return self._dicts(self.grad_keys, [self.gradient(g) for g in grads])

    def returned(self, given: Any, grads: Arrays) -> None:
        for grad, now in zip(grads, entries(given), strict=True):
            grad[...] = read(now)

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        return nothing

    def read(self, held: Any) -> Arrays:
        return [read(value) for value in entries(held)]


@dataclass(frozen=True)
class Scalars:
    """A list of single numbers with .data and .grad."""

    says: str = "numbers with .data and .grad"
    cut: Cut = "scalars"

    def hold(self, arrays: Arrays) -> Any:
        return [Scalar(a[0]) for a in arrays]

    def given(self, grads: Arrays) -> Any:
        return [float(g[0]) for g in grads]

    def returned(self, given: Any, grads: Arrays) -> None:
        for value, grad in zip(given, grads, strict=True):
            grad[0] = value

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        for cell, grad in zip(held, grads, strict=True):
            cell.grad = float(grad[0])

        def after() -> None:
            for cell, grad in zip(held, grads, strict=True):
                if not cell.grad and grad[0]:
                    convention.cleared = True
                else:
                    grad[0] = cell.grad

        return after

    def read(self, held: Any) -> Arrays:
        return [np.array([cell.data], dtype=np.float64) for cell in held]


@dataclass(frozen=True)
class Layers:
    """Two layers with a weight and a bias, alone (``layers``), in a list, or in a model."""

    parameter: Leaf
    model: bool = False
    listed: bool = False
    says: str = "layers"
    cut: Cut = "layers"

    def hold(self, arrays: Arrays) -> Any:
        model = Model([self.parameter(a) for a in arrays], self.listed)
        return model if self.model else model.layers

    def given(self, grads: Arrays) -> Any:
        return grads

    def returned(self, given: Any, grads: Arrays) -> None:
        pass

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        layers = list(held)
        copies = [np.array(g) for g in grads]
        for i, layer in enumerate(layers):
            pair = copies[2 * i : 2 * i + 2]
            layer.take(pair)
            for array, grad in zip(layer.arrays(), pair, strict=True):
                if isinstance(array, Parameter):
                    array.grad = grad

        def after() -> None:
            for grad, left in zip(grads, copies, strict=True):
                if not np.any(left) and np.any(grad):
                    convention.cleared = True
                else:
                    grad[...] = left

        return after

    def read(self, held: Any) -> Arrays:
        return [read(array) for layer in held for array in layer.arrays()]


def like(form: Form, result: Any, arrays: Arrays) -> Arrays:
    """Read what a step returned as arrays of the parameters' shapes, in the form or bare."""
    try:
        got = form.read(result)
    except (TypeError, KeyError, IndexError, AttributeError):
        got = [read(value) for value in entries(result)]
    if [a.shape for a in got] != [a.shape for a in arrays]:
        shapes = ([a.shape for a in got], [a.shape for a in arrays])
        raise Misfit("it returns arrays of shapes {} for {}".format(*shapes))
    return got
