"""NumPy, torch or JAX: what becomes of an array before it is handed over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .things import Parameter

Leaf = Callable[[NDArray], Any]


def as_given(array: NDArray) -> Any:
    """The very array, so that the caller sees what is changed."""
    return array


def numpy_leaf(array: NDArray) -> Any:
    return array.copy()


def numpy_parameter(array: NDArray) -> Any:
    return array.copy().view(Parameter)


def numpy_gradient(array: NDArray) -> Any:
    """The same memory, with .data, for gradients that are tensors themselves."""
    return array.view(Parameter)


def torch_leaf(array: NDArray) -> Any:
    return torch_view(array.copy())


def torch_view(array: NDArray) -> Any:
    """The tensor that shares the memory of an array, so that the caller sees what is changed."""
    import torch

    return torch.from_numpy(array)


def torch_parameter(array: NDArray) -> Any:
    import torch

    return torch.nn.Parameter(torch_leaf(array))


def jax_leaf(array: NDArray) -> Any:
    import jax

    return jax.numpy.asarray(array)


@dataclass(frozen=True)
class Side:
    """How an array becomes a bare parameter here, one with .grad, and a gradient."""

    leaf: Leaf
    parameter: Leaf
    gradient: Leaf


NUMPY = Side(numpy_leaf, numpy_parameter, as_given)
TORCH = Side(torch_leaf, torch_parameter, torch_view)
JAX = Side(jax_leaf, jax_leaf, jax_leaf)
