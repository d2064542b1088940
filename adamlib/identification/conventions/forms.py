"""The forms in which parameters and gradients are handed over: arrays, lists, dicts, layers …

A form makes what the user's code gets out of the arrays of a probe, gives it gradients, and reads
it back. The gradients that it gives are the probe's own arrays wherever they are arguments; the
``.grad`` of a parameter is a copy, which is read back unless it was cleared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Arrays, Convention, Cut, Misfit, read
from .sides import NUMPY, Leaf, Side, as_given
from .things import Model, Scalar, values

KEYS = ("W1", "b1", "W2", "b2")


@dataclass(frozen=True)
class Form:
    """How parameters are held and gradients given; this one: a list of arrays or parameters.

    ``leaf``: what becomes of an array. ``grad_leaf``: of a gradient that is an argument.
    """

    leaf: Leaf
    grad_leaf: Leaf
    says: str = "a list of arrays"
    cut: Cut = ""

    def hold(self, arrays: Arrays) -> Any:
        """Make what the code gets as its parameters."""
        return [self.leaf(a) for a in arrays]

    def given(self, grads: Arrays) -> Any:
        """Make what the code gets as its gradients."""
        # The very list: an entry that is replaced is seen by the caller too.
        return grads if self.grad_leaf is as_given else [self.grad_leaf(g) for g in grads]

    def returned(self, given: Any, grads: Arrays) -> None:
        """Let the caller see what became of the gradients that were given."""

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        """Set the gradients that lie in the parameters; return what is to be done after a step."""
        cells = self.cells(held)
        return placed(cells, grads, self.grad_leaf, convention) if cells else nothing

    def cells(self, held: Any) -> list[Any]:
        """List what has a .grad to set."""
        return [cell for cell in entries(held) if hasattr(cell, "grad")]

    def read(self, held: Any) -> Arrays:
        """Read the parameters back."""
        return [read(value) for value in entries(held)]


def nothing() -> None:
    """What is to do after a step that was given no gradients to hold."""


def entries(held: Any) -> list[Any]:
    """Return the entries of a list or of a dict, of those within it too, or the one thing it is."""
    if isinstance(held, dict):
        held = list(held.values())
    if isinstance(held, (list, tuple)):
        return [value for entry in held for value in entries(entry)]
    return [held]


def placed(
    cells: Sequence[Any], grads: Arrays, grad_leaf: Leaf, convention: Convention
) -> Callable[[], None]:
    """Set .grad of every cell; return what reads changes in place back after the step."""
    given = [np.array(g) for g in grads]
    for cell, grad in zip(cells, given, strict=True):
        cell.grad = grad_leaf(grad)

    def after() -> None:
        for cell, grad, theirs in zip(cells, grads, given, strict=True):
            seen(grad, theirs, cell.grad is None or not np.any(read(cell.grad)), convention)

    return after


def seen(grad: NDArray, theirs: NDArray, empty: bool, convention: Convention) -> None:
    """Let the caller see a gradient that was changed in place, but not one that was cleared."""
    if empty and np.any(grad):
        convention.cleared = True
    if np.any(theirs):
        grad[...] = theirs


@dataclass(frozen=True)
class OneArray(Form):
    """One array, which is all the parameters there are."""

    says: str = "one array at a time"
    cut: Cut = "one array"

    def hold(self, arrays: Arrays) -> Any:
        return self.leaf(arrays[0])

    def given(self, grads: Arrays) -> Any:
        return self.grad_leaf(grads[0])


@dataclass(frozen=True)
class Dict(Form):
    """A dict of arrays; where the code has set keys of its own, of pieces of one array."""

    says: str = "a dict of arrays"
    cut: Cut = "layers"
    keys: tuple[str, ...] = KEYS
    grad_keys: tuple[str, ...] = KEYS

    def _cut(self, arrays: Arrays) -> Arrays:
        return arrays if self.cut == "layers" else pieces(arrays[0], len(self.keys))

    def hold(self, arrays: Arrays) -> Any:
        return dict(zip(self.keys, map(self.leaf, self._cut(arrays)), strict=True))

    def given(self, grads: Arrays) -> Any:
        return dict(zip(self.grad_keys, map(self.grad_leaf, self._cut(grads)), strict=True))

    def returned(self, given: Any, grads: Arrays) -> None:
        for key, grad in zip(self.grad_keys, self._cut(grads), strict=True):
            if key in given and (now := read(given[key])).shape == grad.shape:
                grad[...] = now

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        return super().place(held, self._cut(grads), convention)

    def read(self, held: Any) -> Arrays:
        found = [read(held[k]) for k in self.keys]
        return found if self.cut == "layers" else [np.concatenate([a.ravel() for a in found])]


@dataclass(frozen=True)
class DictModel(Dict):
    """A model that has its parameters in one dict and their gradients in another."""

    says: str = "a model with dicts of parameters and gradients"
    names: tuple[str, str] = ("params", "grads")

    def hold(self, arrays: Arrays) -> Any:
        return SimpleNamespace(**dict(zip(self.names, (super().hold(arrays), {}), strict=True)))

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        copies = [np.array(g) for g in grads]
        setattr(held, self.names[1], self.given(copies))

        def after() -> None:
            left = getattr(held, self.names[1]) or dict.fromkeys(self.grad_keys, 0.0)
            for key, grad, theirs in zip(self.grad_keys, grads, copies, strict=True):
                seen(grad, theirs, not np.any(read(left[key])), convention)

        return after

    def read(self, held: Any) -> Arrays:
        return super().read(getattr(held, self.names[0]))


def pieces(array: NDArray, count: int) -> Arrays:
    """Cut one array into several: views of it, the later ones of three numbers."""
    return np.split(array, [len(array) - 3 * i for i in range(count - 1, 0, -1)])


@dataclass(frozen=True)
class DictsOfLayers(Form):
    """A list with a dict of weight and bias for every layer."""

    says: str = "a list of dicts, one a layer"
    cut: Cut = "layers"
    grad_keys: tuple[str, str] = ("W", "b")

    def hold(self, arrays: Arrays) -> Any:
        return self._dicts(("W", "b"), [self.leaf(a) for a in arrays])

    def _dicts(self, keys: tuple[str, str], values: list[Any]) -> list[dict[str, Any]]:
        pairs = zip(values[::2], values[1::2], strict=True)
        return [dict(zip(keys, pair, strict=True)) for pair in pairs]

    def given(self, grads: Arrays) -> Any:
        return self._dicts(self.grad_keys, [self.grad_leaf(g) for g in grads])

    def returned(self, given: Any, grads: Arrays) -> None:
        for grad, now in zip(grads, entries(given), strict=True):
            grad[...] = read(now)


@dataclass(frozen=True)
class Scalars(Form):
    """A list of single numbers with .data and .grad."""

    leaf: Leaf = as_given
    grad_leaf: Leaf = as_given
    says: str = "numbers with .data and .grad"
    cut: Cut = "scalars"

    def hold(self, arrays: Arrays) -> Any:
        return [Scalar(a[0]) for a in arrays]

    def given(self, grads: Arrays) -> Any:
        return [float(g[0]) for g in grads]

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        for cell, grad in zip(held, grads, strict=True):
            cell.grad = float(grad[0])

        def after() -> None:
            for cell, grad in zip(held, grads, strict=True):
                seen(grad, np.array(cell.grad or 0.0), not cell.grad, convention)

        return after

    def read(self, held: Any) -> Arrays:
        return [np.array([cell.data], dtype=np.float64) for cell in held]


@dataclass(frozen=True)
class NamedNumbers(Form):
    """A dict of single numbers, as for sparse features."""

    leaf: Leaf = as_given
    grad_leaf: Leaf = as_given
    says: str = "a dict of numbers"
    cut: Cut = "scalars"

    def hold(self, arrays: Arrays) -> Any:
        return {f"x{i}": float(a[0]) for i, a in enumerate(arrays)}

    def given(self, grads: Arrays) -> Any:
        return self.hold(grads)

    def read(self, held: Any) -> Arrays:
        return [np.array([value], dtype=np.float64) for value in held.values()]


@dataclass(frozen=True)
class Layers(Form):
    """Two layers with a weight and a bias, in a list or in a model of them.

    ``listed``: their params and grads are lists, not dicts.
    """

    says: str = "layers"
    cut: Cut = "layers"
    model: bool = False
    listed: bool = False

    def hold(self, arrays: Arrays) -> Any:
        model = Model([self.leaf(a) for a in arrays], self.listed)
        return model if self.model else model.layers

    def place(self, held: Any, grads: Arrays, convention: Convention) -> Callable[[], None]:
        copies = [np.array(g) for g in grads]
        given = [self.grad_leaf(g) for g in copies]
        for i, layer in enumerate(held):
            layer.take(given[2 * i : 2 * i + 2])

        def after() -> None:
            left = [g for layer in held for g in values(layer.grads)]
            for grad, theirs, now in zip(grads, copies, left, strict=True):
                seen(grad, theirs, now is None or not np.any(read(now)), convention)

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
        raise Misfit(f"it returns {shapes(got)} for parameters of {shapes(arrays)}")
    return got


def shapes(arrays: Arrays) -> str:
    """Say how many arrays there are and of which shapes, the first of them."""
    shown = ", ".join(str(a.shape) for a in arrays[:4])
    what = f"{len(arrays)} arrays of shapes" if len(arrays) != 1 else "an array of shape"
    return f"{what} {shown}{', …' if len(arrays) > 4 else ''}"


def listed(side: Side = NUMPY, cells: bool = False) -> Form:
    """Return a list of arrays, or of parameters with .data and .grad."""
    says = "a list of parameters with .grad" if cells else "a list of arrays"
    return Form(side.parameter if cells else side.leaf, side.gradient, says)
