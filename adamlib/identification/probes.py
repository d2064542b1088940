"""The gradients that an optimizer is probed with, and the call of whatever optimizer is given."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .catalogue import Settings

STEPS = 24

Factory = Callable[[list], Any]
Kind = Literal["numpy", "torch"]


@dataclass(frozen=True)
class Probe:
    """Parameters to start from and the gradients of every step, one column a number.

    Attributes
    ----------
    start : ndarray, shape (numbers,)
    grads : ndarray, shape (steps, numbers)
    shapes : tuple of shapes
        How the numbers are cut into parameters.
    """

    start: NDArray
    grads: NDArray
    shapes: tuple[tuple[int, ...], ...]

    def cut(self, row: NDArray) -> list[NDArray]:
        """Cut a row of numbers into fresh arrays of the parameters' shapes."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        parts = np.split(row, ends)
        return [part.reshape(s).copy() for part, s in zip(parts, self.shapes, strict=True)]

    @property
    def parameter_index(self) -> NDArray:
        """Number of the parameter that each number belongs to, from 0."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        return np.repeat(np.arange(len(sizes)), sizes)


def make_probe(settings: Settings, seed: int = 0) -> Probe:
    """Build the gradients that tell the entries apart at these hyperparameters.

    Steady, alternating, shrinking and growing runs from 1e2 down to 1e-10 and around eps and
    √eps, zeros before and after, a negative first gradient, noise; parameters that start at
    zero, where a step is exact, and large ones, where decay shows.
    """
    t = np.arange(STEPS)
    ones = np.ones(STEPS)
    sizes = [1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e2]
    sizes += [s for s in (settings.eps, settings.eps**0.5) if s > 0]
    steady = [(-1) ** i * size * ones for i, size in enumerate(sizes)]
    alternating = [-size * (-1.0) ** t for size in (1.0, 1e-4, 1e-8)]
    drifting = [10.0 ** (2 - t / 2), -(10.0 ** (-10 + t / 2)), np.where(t < 8, 1.0, 1e-3)]
    zeros = [0 * ones, np.where(t < 3, 0.0, 1.0), np.where(t < 2, -1.0, 0.0)]
    noise = np.random.default_rng(seed).standard_normal((6, STEPS)) * 10.0 ** -np.arange(6)[:, None]
    columns = [*steady, *alternating, *drifting, *zeros, *noise]
    large = [steady[0], alternating[0], drifting[0], zeros[0], noise[0], noise[3]]
    start = np.concatenate([np.zeros(len(columns)), np.resize([100.0, -3.0, 0.5], len(large))])
    grads = np.array([*columns, *large]).T
    rest = len(start) - 5
    return Probe(start, grads, ((rest - 4,), (2, 2), (5,)))


@dataclass(frozen=True)
class Run:
    """What an optimizer did with a probe: the parameters before every step and at the end."""

    path: NDArray
    mutates_grad: bool = False
    error: str = ""
    steps: int = 0


def observe(factory: Factory, probe: Probe, kind: Kind | None) -> Run:
    """Run an optimizer on a probe; whatever it raises is reported, not raised."""
    if not callable(factory):
        return Run(probe.start[None], error=f"{factory!r} cannot be called")
    callers = {"numpy": _numpy_caller, "torch": _torch_caller}
    tried = [_run(callers[k], factory, probe) for k in ([kind] if kind else callers)]
    for run in tried:
        if not run.error:
            return run
    return max(tried, key=lambda run: run.steps)


def _run(make_caller: Callable, factory: Factory, probe: Probe) -> Run:
    """Take every step of a probe, until something is raised."""
    path, mutates, steps = [probe.start], False, 0
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            step = make_caller(factory, probe.cut(probe.start))
            for row in probe.grads:
                params, changed = step(probe.cut(row))
                path.append(_joined(params, probe))
                mutates, steps = mutates or changed, steps + 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a learner's function may raise anything
        message = f"{type(error).__name__}: {error}"
        if isinstance(error, ZeroDivisionError):
            message += f", in step {steps + 1}. 1 − βᵗ is zero where t = 0."
        return Run(np.array(path), mutates, message, steps)
    return Run(np.array(path), mutates)


def _joined(params: object, probe: Probe) -> NDArray:
    """Join the parameters into a row of numbers; refuse another number of them, or other shapes."""
    if not isinstance(params, (list, tuple)) or len(params) != len(probe.shapes):
        raise TypeError(f"step returned no list of {len(probe.shapes)} arrays")
    arrays = [np.asarray(param, dtype=np.float64) for param in params]
    for array, shape in zip(arrays, probe.shapes, strict=True):
        if array.shape != shape:
            raise ValueError(f"step returned an array of shape {array.shape} (expected {shape})")
    return np.concatenate([array.ravel() for array in arrays])


def _numpy_caller(factory: Factory, params: list[NDArray]) -> Callable:
    """Return what takes gradients and gives the parameters, and whether the gradients changed."""
    step = factory(params)
    if not callable(step):
        raise TypeError(f"the factory returned {type(step).__name__} (expected a function)")

    def run(grads: list[NDArray]) -> tuple[object, bool]:
        given = [grad.copy() for grad in grads]
        returned = step(grads)
        changed = not all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(given, grads, strict=True)
        )
        return (params if returned is None else returned), changed

    return run


def _torch_caller(factory: Factory, params: list[NDArray]) -> Callable:
    """Do the same with a torch optimizer."""
    import torch

    parameters = [torch.nn.Parameter(torch.from_numpy(param)) for param in params]
    optimizer = factory(parameters)

    def run(grads: list[NDArray]) -> tuple[object, bool]:
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        optimizer.step()
        changed = not all(
            p.grad is not None and np.array_equal(p.grad.numpy(), g, equal_nan=True)
            for p, g in zip(parameters, grads, strict=True)
        )
        return [parameter.detach().numpy() for parameter in parameters], changed

    return run


def from_optax(transformation: Any) -> Factory:
    """Make of an optax gradient transformation what `identify` takes.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        ``optax.adam(1e-3)``, say.

    Returns
    -------
    callable
        Runs the transformation in float64, whatever JAX's default is.
    """

    def factory(params: list[NDArray]) -> Callable:
        import jax
        import optax

        with jax.enable_x64(True):
            values = [jax.numpy.asarray(param) for param in params]
            state = transformation.init(values)

        def step(grads: list[NDArray]) -> list[NDArray]:
            nonlocal values, state
            with jax.enable_x64(True):
                updates, state = transformation.update(
                    [jax.numpy.asarray(grad) for grad in grads], state, values
                )
                values = optax.apply_updates(values, updates)
                return [np.asarray(value) for value in values]

        return step

    return factory
