"""Of which library arrays are: what becomes of one before it is handed over."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
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


def numpy_single(array: NDArray) -> Any:
    return array.astype(np.float32)


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


def in_float64() -> AbstractContextManager[Any]:
    """Return the context in which JAX keeps float64."""
    import jax

    return jax.enable_x64(True)


def tinygrad_leaf(array: NDArray) -> Any:
    import tinygrad

    return tinygrad.Tensor(array.copy()).realize()


def tinygrad_training() -> AbstractContextManager[Any]:
    """Return the context without which tinygrad's optimizers take no step."""
    import tinygrad

    return tinygrad.Context(TRAINING=1)


def mlx_leaf(array: NDArray) -> Any:
    import mlx.core

    return mlx.core.array(array, mlx.core.float64)


def mlx_on_cpu() -> AbstractContextManager[Any]:
    """Return the context in which MLX has float64."""
    import mlx.core

    return mlx.core.stream(mlx.core.cpu)


@dataclass(frozen=True)
class Side:
    """How an array becomes a bare parameter here, one with .grad, and a gradient.

    ``around``: the context in which the code is run. ``slow``: whether large arrays are.
    """

    leaf: Leaf
    parameter: Leaf
    gradient: Leaf
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    slow: bool = False


NUMPY = Side(numpy_leaf, numpy_parameter, as_given)
TORCH = Side(torch_leaf, torch_parameter, torch_view)
JAX = Side(jax_leaf, jax_leaf, jax_leaf, in_float64)
TINYGRAD = Side(tinygrad_leaf, tinygrad_leaf, tinygrad_leaf, tinygrad_training, slow=True)
SINGLE = Side(numpy_single, numpy_single, numpy_single)
MLX = Side(mlx_leaf, mlx_leaf, mlx_leaf, mlx_on_cpu)
SIDES = {"torch": TORCH, "tinygrad": TINYGRAD, "mlx": MLX, "jax": JAX, "optax": JAX}


def side_of(libraries: Iterable[str], kind: str | None = None) -> Side:
    """Return the side of the libraries that some code speaks of: NumPy's, where none has one."""
    named = [kind] if kind else [name for name in SIDES if name in set(libraries)]
    return SIDES.get(named[0], NUMPY) if named else NUMPY
