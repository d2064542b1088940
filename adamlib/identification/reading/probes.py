"""The gradients that an optimizer is probed with."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

STEPS = 40
BIG = 1e4  # so large that no usual eps shows beside it
QUIET = slice(30, 34)  # steps in which all gradients are small together
Shapes = tuple[tuple[int, ...], ...]


def cut(row: NDArray, shapes: Shapes) -> list[NDArray]:
    """Cut a row of numbers into fresh arrays of these shapes."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(row, ends)
    return [part.reshape(s).copy() for part, s in zip(parts, shapes, strict=True)]


def numbered(shapes: Shapes) -> NDArray:
    """Number of the parameter that each number belongs to, from 0."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    return np.repeat(np.arange(len(sizes)), sizes)


@dataclass(frozen=True)
class Probe:
    """Parameters to start from and the gradients of every step, one column a number.

    Attributes
    ----------
    start : ndarray, shape (numbers,)
    grads : ndarray, shape (steps, numbers)
    shapes : tuple of shapes
        How the numbers are cut into parameters.
    names : tuple of str
        What each column is for.
    """

    start: NDArray
    grads: NDArray
    shapes: Shapes
    names: tuple[str, ...]

    def cut(self, row: NDArray) -> list[NDArray]:
        """Cut a row of numbers into fresh arrays of the parameters' shapes."""
        return cut(row, self.shapes)

    @property
    def index(self) -> NDArray:
        """Number of the parameter that each number belongs to, from 0."""
        return numbered(self.shapes)

    def recut(self, how: str) -> "Probe":
        """Cut it otherwise: into one array, into scalars, or into two layers of two arrays."""
        count = len(self.start)
        shapes = {
            "one array": ((count,),),
            "scalars": ((1,),) * count,
            "layers": (*self.shapes[:2], (3,), (2,)),
        }
        return replace(self, shapes=shapes.get(how, self.shapes))

    def at(self, *names: str) -> list[int]:
        """Number the columns of these names."""
        return [self.names.index(name) for name in names]


SIZES = tuple(range(2, -13, -1))  # decades of the steady gradients


def make_probe(seed: int = 0) -> Probe:
    """Build the gradients from which the numbers of a rule are read, and on which it is checked.

    Large ones, steady but for one sign or one size: the weights of the averages. Steady ones of
    all sizes: eps. Zeros, and parameters that are not zero: decay. Alternating, shrinking,
    growing and random ones, and some steps in which all are small: the check.
    """
    t = np.arange(1, STEPS + 1)
    one = np.ones(STEPS)
    rng = np.random.default_rng(seed)
    columns: dict[str, NDArray] = {"steady": BIG * one}
    columns |= {f"flip {k}": np.where(t == k, -BIG, BIG) for k in (2, 3, 4)}
    columns |= {f"spike {k}": np.where(t == k, 10 * BIG, BIG) for k in (1, 2, 3, 4)}
    columns |= {"tenth": 0.1 * BIG * one, "negative": -BIG * one}
    columns |= {f"size {e}": 10.0**e * one for e in SIZES}
    columns |= {f"size -{e}": -(10.0**e) * one for e in (0, -8)}
    columns |= {f"alternating {e}": -((-1.0) ** t) * 10.0**e for e in (2, -4, -8)}
    columns["shrinking"], columns["growing"] = 10.0 ** (2 - t / 3), -(10.0 ** (-10 + t / 3))
    columns["drop"] = np.where(t < 9, 1.0, 1e-3)
    columns["zero"], columns["late"] = 0 * one, np.where(t < 4, 0.0, 1.0)
    columns["early"] = np.where(t < 3, -1.0, 0.0)
    columns |= {f"noise {i}": rng.standard_normal(STEPS) * 10.0**-i for i in range(6)}
    start = dict.fromkeys(columns, 0.0)
    noise = rng.standard_normal(STEPS) * 0.1
    for theta in (100.0, -3.0, 0.5, 0.01):
        start[f"zero at {theta:g}"], columns[f"zero at {theta:g}"] = theta, 0 * one
        start[f"one at {theta:g}"], columns[f"one at {theta:g}"] = theta, one
        start[f"noise at {theta:g}"] = theta
        columns[f"noise at {theta:g}"] = noise
    first = len(columns)
    for shape, size in (("second", 4), ("third", 5)):
        for i in range(size):
            name = f"{shape} {i}"
            columns[name] = rng.standard_normal(STEPS) * 10.0**-i if i % 3 else BIG * one
            start[name] = 0.0
    grads = np.array(list(columns.values())).T
    grads[QUIET] *= 1e-6
    return Probe(
        np.array([start[name] for name in columns]),
        grads,
        ((first,), (2, 2), (5,)),
        tuple(columns),
    )
