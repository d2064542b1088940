"""What to minimise: value, gradient, start, minimum.

Parameters are one array or a dict of arrays, of NumPy or torch; the answer is of the same
library. With extra leading axes, value and gradient answer for every entry of them at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import DTypeLike, NDArray

from .checks import check_count
from .state import Array

Params = Array | dict[str, Array]
ROUNDING, TURNS = 1e-13, 1000  # of a sum over a few dozen numbers; some thirty are enough


@dataclass(frozen=True)
class Problem:
    """A function to minimise, with its gradient.

    Attributes
    ----------
    name : str
    value_and_gradient : callable
        Takes parameters, returns the value (float, or an array over leading axes) and the
        gradient, of the structure, shapes and dtypes of the parameters.
    start : ndarray or dict of ndarray
        Where a run begins; `start_copy` gives a copy that an optimizer may write to.
    minimum : ndarray, dict of ndarray or None
        Where the smallest value lies, if that is known.

    Examples
    --------
    >>> valley = narrow_valley()
    >>> valley.value(valley.minimum)
    0.0
    """

    name: str
    value_and_gradient: Callable[[Params], tuple[Any, Params]]
    start: Params
    minimum: Params | None = None

    def value(self, params: Params) -> Any:
        """Return the value at ``params``."""
        return self.value_and_gradient(params)[0]

    def gradient(self, params: Params) -> Params:
        """Return the gradient at ``params``."""
        return self.value_and_gradient(params)[1]

    def start_copy(self) -> Params:
        """Return a fresh copy of the start, for an optimizer to work on in place."""
        return like_start(self, repeated(self))


def named(params: Params) -> dict[str, Array]:
    """Return parameters as a dict; a single array has the name ``""``.

    >>> named(3.0), named({"w": 3.0})
    ({'': 3.0}, {'w': 3.0})
    """
    return params if isinstance(params, dict) else {"": params}


def like_start(problem: Problem, params: dict[str, Array]) -> Params:
    """Return `named` parameters in the structure that the problem's start has.

    >>> like_start(narrow_valley(), {"": 3.0}), like_start(bigrams(2), {"W": 3.0})
    (3.0, {'W': 3.0})
    """
    return params if isinstance(problem.start, dict) else params[""]


def repeated(problem: Problem, grid: tuple[int, ...] = ()) -> dict[str, NDArray]:
    """Return copies of the start, `named`, one for each run: shapes (*grid, *own shape).

    >>> repeated(narrow_valley(), (2, 3))[""].shape
    (2, 3, 2)
    """
    return {
        name: np.broadcast_to(array, (*grid, *array.shape)).copy()
        for name, array in named(problem.start).items()
    }


def narrow_valley(
    curvatures: tuple[float, float] = (1.0, 50.0), start: tuple[float, float] = (-4.0, 1.0)
) -> Problem:
    """Return ½·(a·θ₁² + b·θ₂²): a valley along θ₁ with walls along θ₂ (b ≫ a).

    Parameters
    ----------
    curvatures : pair of floats
        a and b, each positive and finite.
    start : pair of floats
        Where a run begins.

    Returns
    -------
    Problem
        Parameters of shape (2,) or (..., 2), float64; the minimum is the origin.

    Examples
    --------
    >>> narrow_valley((1.0, 4.0)).gradient(np.array([2.0, 1.0]))
    array([2., 4.])
    """
    scale = np.asarray(curvatures, dtype=np.float64)
    if scale.shape != (2,) or not np.all((scale > 0) & np.isfinite(scale)):
        raise ValueError(f"Invalid curvatures: {curvatures} (expected two positive numbers)")

    def value_and_gradient(point: Array) -> tuple[Any, Array]:
        gradient = _like(point, scale) * point
        value = 0.5 * (gradient * point).sum(axis=-1)
        return _number(value), gradient

    return Problem(
        "narrow valley", value_and_gradient, np.array(start, dtype=np.float64), np.zeros(2)
    )


def two_layer_net(x: NDArray, y: NDArray, start: dict[str, NDArray]) -> Problem:
    r"""Return the squared error of a Linear–ReLU–Linear net, with the gradient by hand.

    .. math::
        L = \sum_{n,k} (\hat y_{nk} - y_{nk})^2, \qquad
        \hat y = \max(x W_1^\top + b_1, 0) \, W_2^\top + b_2

    Parameters
    ----------
    x : ndarray, shape (N, D_in)
        Inputs, float.
    y : ndarray, shape (N, D_out)
        Targets, dtype of ``x``.
    start : dict
        ``W1`` (H, D_in), ``b1`` (H,), ``W2`` (D_out, H), ``b2`` (D_out,): the shapes that
        `torch.nn.Linear` has, dtype of ``x``. Parameters may have leading axes before these.

    Returns
    -------
    Problem
        The value is a sum over all outputs, as `torch.nn.MSELoss(reduction="sum")` has it.

    Examples
    --------
    >>> net = random_two_layer_net(n=4, d_in=3, h=2, d_out=1)
    >>> {name: g.shape for name, g in net.gradient(net.start).items()}
    {'W1': (2, 3), 'b1': (2,), 'W2': (1, 2), 'b2': (1,)}
    """
    _check_net(x, y, start)

    def value_and_gradient(params: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
        w1, b1, w2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
        inputs, targets = _like(w1, x), _like(w1, y)
        before = inputs @ w1.mT + b1[..., None, :]
        hidden = before.clip(0)
        error = hidden @ w2.mT + b2[..., None, :] - targets
        value = (error * error).sum(axis=(-2, -1))

        d_out = 2 * error
        d_before = (d_out @ w2) * (before > 0)
        gradient = {
            "W1": d_before.mT @ inputs,
            "b1": d_before.sum(axis=-2),
            "W2": d_out.mT @ hidden,
            "b2": d_out.sum(axis=-2),
        }
        return _number(value), gradient

    return Problem("two-layer net", value_and_gradient, start)


def random_two_layer_net(
    seed: int = 0,
    n: int = 64,
    d_in: int = 1000,
    h: int = 100,
    d_out: int = 10,
    dtype: DTypeLike = np.float64,
) -> Problem:
    """Return `two_layer_net` on random data, with a start as `torch.nn.Linear` draws it.

    Inputs and targets are standard normal; weights and biases uniform in ±1/√(fan in). All
    are drawn in float64 by `numpy.random.default_rng` and then rounded to ``dtype``, so that
    they are the same on every machine.

    Parameters
    ----------
    seed : int
    n, d_in, h, d_out : int
        Number of examples, inputs, hidden units and outputs, each 1 or more.
    dtype : float dtype

    Returns
    -------
    Problem

    Examples
    --------
    >>> random_two_layer_net().start["W1"].shape
    (100, 1000)
    """
    sizes = (n, d_in, h, d_out)
    if min(sizes) < 1:
        raise ValueError(f"Invalid sizes: {sizes} (expected 1 or more each)")
    rng = np.random.default_rng(seed)
    x, y = random_examples(rng, n, d_in, d_out, dtype)
    start = {}
    for i, (rows, fan_in) in enumerate([(h, d_in), (d_out, h)], start=1):
        bound = 1 / np.sqrt(fan_in)
        start[f"W{i}"] = rng.uniform(-bound, bound, (rows, fan_in)).astype(dtype)
        start[f"b{i}"] = rng.uniform(-bound, bound, rows).astype(dtype)
    return two_layer_net(x, y, start)


def random_examples(
    seed: int | np.random.Generator = 0,
    n: int = 64,
    d_in: int = 1000,
    d_out: int = 10,
    dtype: DTypeLike = np.float64,
) -> tuple[NDArray, NDArray]:
    """Draw the inputs (n, d_in) and targets (n, d_out) of `random_two_layer_net`.

    >>> [array.shape for array in random_examples(n=4)]
    [(4, 1000), (4, 10)]
    """
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d_in)), rng.standard_normal((n, d_out))
    return x.astype(dtype), y.astype(dtype)


def bigrams(words: int = 64, power: float = 1.0, seed: int = 0) -> Problem:
    r"""Return the smallest language model: predict a word from the one before it.

    .. math::
        L = -\sum_{i,j} P_{ij} \log \operatorname{softmax}(W_i)_j
        + \sum_{i,j} P_{ij} \log T_{ij}, \qquad
        \sum_j P_{ij} = \sum_j P_{ji} = f_i \propto i^{-s}, \quad T_{ij} = P_{ij} / f_i

    The text is so long that all frequencies are exact, and the whole of it is one batch: there
    is no noise. As in a text, a word is as frequent before another as after one. The loss is
    the cross-entropy above its smallest value; it is convex.

    Parameters
    ----------
    words : int
        Size of the vocabulary, 2 or more.
    power : float
        s, 0 or more, finite: word i occurs in proportion to :math:`i^{-s}`, before and after
        another; 0 for words that are all equally frequent (Zipf's law is 1).
    seed : int
        Of the preferences that each word has for the next, drawn in float64.

    Returns
    -------
    Problem
        Parameters ``{"W": (words, words)}``, float64, all zero at the start.

    Examples
    --------
    >>> model = bigrams(words=8)
    >>> bool(abs(model.value(model.minimum)) < 1e-12)
    True
    """
    check_count("number of words", words, 2)
    power = float(power)
    if not 0.0 <= power < np.inf:
        raise ValueError(f"Invalid power: {power} (expected 0 or more)")
    frequency = np.arange(1.0, words + 1) ** -power
    frequency = frequency / frequency.sum()
    taste = 2 * np.random.default_rng(seed).standard_normal((words, words))
    pairs = _with_margins(np.exp(taste), frequency)
    log_next = np.log(pairs / frequency[:, None])
    smallest = -(pairs * log_next).sum()

    def value_and_gradient(params: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
        weights = params["W"]
        xp = array_namespace(weights)
        share, joint = _like(weights, frequency[:, None]), _like(weights, pairs)
        log_p = _log_softmax(xp, weights)
        value = -(joint * log_p).sum(axis=(-2, -1)) - float(smallest)
        gradient = {"W": share * xp.exp(log_p) - joint}
        return _number(value), gradient

    start = {"W": np.zeros((words, words))}
    return Problem("bigrams", value_and_gradient, start, {"W": log_next})


def _with_margins(table: NDArray, margin: NDArray) -> NDArray:
    """Scale a positive table by turns until its rows and its columns sum to the margin."""
    # Sinkhorn's iteration: each turn brings both closer by a factor
    for _ in range(TURNS):
        table = table * (margin / table.sum(axis=1))[:, None]
        columns = table.sum(axis=0)
        if np.abs(columns / margin - 1).max() < ROUNDING:
            break
        table = table * (margin / columns)
    return table


def _log_softmax(xp: Any, logits: Array) -> Array:
    """Logarithm of the softmax over the last axis; the maximum is taken out for its range."""
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def _number(value: Array) -> float | Array:
    """Return the value of a single run as a float, those of many as they are."""
    return float(value) if value.ndim == 0 else value


def _like(array: Array, constant: NDArray) -> Array:
    """Return a constant in the library and on the device of an array; on the CPU no copy."""
    if isinstance(array, np.ndarray):
        return constant
    return array_namespace(array).asarray(constant, device=array.device)


def _check_net(x: NDArray, y: NDArray, start: dict[str, NDArray]) -> None:
    if sorted(start) != ["W1", "W2", "b1", "b2"]:
        raise ValueError(f"start has the entries {list(start)} (expected W1, b1, W2, b2)")
    arrays = {"x": x, "y": y, **start}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise TypeError(f"{name} must be a float array, got {type(array).__name__}")
        if array.dtype != x.dtype:
            raise TypeError(f"{name} has dtype {array.dtype} (expected {x.dtype})")
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(f"x and y have shapes {x.shape}, {y.shape} (expected two axes each)")
    (n, d_in), d_out, h = x.shape, y.shape[1], start["b1"].shape[-1]
    shapes = {"y": (n, d_out), "W1": (h, d_in), "b1": (h,), "W2": (d_out, h), "b2": (d_out,)}
    for name, shape in shapes.items():
        if arrays[name].shape[-len(shape) :] != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape} (expected {shape})")
