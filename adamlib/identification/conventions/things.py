"""What stands in for the user's parameters, scalars, layers and models."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Arrays


class Parameter(np.ndarray):
    """An array that has what parameters have elsewhere: data, value, grad, assign_sub …"""

    requires_grad = trainable = True
    __hash__ = object.__hash__  # type: ignore[assignment]  # arrays have none; parameters are keys

    def __array_finalize__(self, other: object) -> None:
        self.grad: Any = None

    def _get(self) -> NDArray:
        return self.view(np.ndarray)

    def _set(self, value: Any) -> None:
        self.view(np.ndarray)[...] = value

    data = value = property(_get, _set)

    @property
    def gradient(self) -> Any:
        return self.grad

    def numpy(self) -> NDArray:
        return self.view(np.ndarray)

    def assign(self, value: Any) -> None:
        self._set(value)

    def assign_sub(self, value: Any) -> None:
        self._set(self.numpy() - value)

    def assign_add(self, value: Any) -> None:
        self._set(self.numpy() + value)

    def zero_grad(self) -> None:
        self.grad = np.zeros(self.shape)


class Scalar:
    """One number with data and grad, as small autograd engines have it."""

    def __init__(self, data: float) -> None:
        self.data, self.grad = float(data), 0.0

    def zero_grad(self) -> None:
        self.grad = 0.0


class Gradients(dict[str, Any]):
    """Gradients by the names of the parameters, with a d before them or without."""

    def __missing__(self, key: str) -> Any:
        return self[_bare(key)]


def _bare(key: str) -> str:
    """Return the parameter's name of a gradient's: W of dW; a KeyError where it is none."""
    for prefix in ("d_", "grad_", "d"):
        if key.startswith(prefix) and key != prefix:
            return key.removeprefix(prefix)
    raise KeyError(key)


class Layer:
    """A layer with a weight and a bias, and their gradients, under every usual name."""

    WEIGHTS = ("W", "w", "weights", "weight", "kernel", "theta")
    BIASES = ("b", "biases", "bias")
    BEFORE, AFTER = ("d", "d_", "grad_", "g"), ("_grad", "_gradient", "_gradients")
    trainable = True

    def __init__(self, weight: NDArray, bias: NDArray, listed: bool = False) -> None:
        self.__dict__["params"] = [weight, bias] if listed else {"W": weight, "b": bias}
        zeros = [np.zeros_like(weight), np.zeros_like(bias)]
        self.__dict__["grads"] = zeros if listed else Gradients(zip("Wb", zeros, strict=True))

    @classmethod
    def place(cls, name: str) -> tuple[str, int] | None:
        """Say in which of the two collections an attribute lies, and at which place."""
        for i, names in enumerate((cls.WEIGHTS, cls.BIASES)):
            if name in names:
                return "params", i
            if any(name in (f"{b}{n}" for b in cls.BEFORE) for n in names):
                return "grads", i
            if any(name in (f"{n}{a}" for a in cls.AFTER) for n in names):
                return "grads", i
        return None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or (place := self.place(name)) is None:
            raise AttributeError(f"a layer has no {name!r}", name=name, obj=self)
        held = self.__dict__[place[0]]
        return held[place[1] if isinstance(held, list) else "Wb"[place[1]]]

    def __setattr__(self, name: str, value: Any) -> None:
        if place := self.place(name):
            held = self.__dict__[place[0]]
            held[place[1] if isinstance(held, list) else "Wb"[place[1]]] = value
        else:
            self.__dict__[name] = value

    def parameters(self) -> list[Any]:
        return self.arrays()

    def arrays(self) -> list[Any]:
        """Return the weight and the bias as they are now."""
        return values(self.params)

    def take(self, grads: Sequence[NDArray]) -> None:
        """Set the gradients of the weight and of the bias."""
        for key, array, grad in zip(keys(self.grads), self.arrays(), grads, strict=True):
            self.grads[key] = grad
            if hasattr(array, "grad"):
                array.grad = grad


class Called(list[Any]):
    """A list that may be called, for what is an attribute here and a method there."""

    def __call__(self) -> "Called":
        return self


class Model:
    """Layers, and their parameters, under every usual name."""

    def __init__(self, arrays: Arrays, listed: bool = False) -> None:
        pairs = zip(arrays[::2], arrays[1::2], strict=True)
        self.layers = Called(Layer(weight, bias, listed) for weight, bias in pairs)
        self.trainable_layers = self.layers

    @property
    def parameters(self) -> Called:
        return Called(array for layer in self.layers for array in layer.arrays())

    params = trainable_variables = trainable_weights = weights = parameters

    def named_parameters(self) -> list[tuple[str, Any]]:
        return [(f"parameter {i}", p) for i, p in enumerate(self.parameters)]

    @property
    def grads(self) -> Called:
        return Called(grad for layer in self.layers for grad in values(layer.grads))

    gradients = grads

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


def keys(held: Any) -> list[Any]:
    """Return the keys of a dict, or the indices of a list."""
    return list(held) if isinstance(held, dict) else list(range(len(held)))


def values(held: Any) -> list[Any]:
    """Return the values of a dict, or of a list."""
    return list(held.values() if isinstance(held, dict) else held)
