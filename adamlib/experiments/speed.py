"""Ways to take the same step of Adam, to be compared by `interleaved` clocks.

A way has moments of its own, and shares the parameters and gradients of the others.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import one_of
from ..moments import bias_correction
from ..optimizer import Adam

Step = Callable[[], object]
BETA1, BETA2, LR, EPS = 0.9, 0.999, 1e-3, 1e-8
NUMPY_WAYS = ("textbook", "in place", "blocked", "compiled", "floor")
TORCH_WAYS = (
    "torch single",
    "torch foreach",
    "torch fused",
    "ours",
    "ours foreach",
    "ours fused",
    "torch floor",
)
TORCH_OPTIONS: dict[str, dict[str, Any]] = {
    "single": dict(foreach=False, fused=False),
    "foreach": dict(foreach=True, fused=False),
    "fused": dict(foreach=False, fused=True),
}


# notebook 09 prints this function
def textbook(
    param: NDArray, grad: NDArray, exp_avg: NDArray, exp_avg_sq: NDArray, step: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Return θₜ, mₜ and vₜ as one writes Algorithm 1 down: a new array for each result.

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq : ndarray, float, one shape
        θₜ₋₁, gₜ, mₜ₋₁ and vₜ₋₁; not changed.
    step : int
        t, from 1.

    Returns
    -------
    param, exp_avg, exp_avg_sq : ndarray

    Examples
    --------
    >>> textbook(np.ones(1), np.ones(1), np.zeros(1), np.zeros(1), step=1)[0].round(6)
    array([0.999])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1.
    """
    exp_avg = BETA1 * exp_avg + (1 - BETA1) * grad
    exp_avg_sq = BETA2 * exp_avg_sq + (1 - BETA2) * grad**2
    exp_avg_hat = exp_avg / bias_correction(BETA1, step)
    exp_avg_sq_hat = exp_avg_sq / bias_correction(BETA2, step)
    param = param - LR * exp_avg_hat / (np.sqrt(exp_avg_sq_hat) + EPS)
    return param, exp_avg, exp_avg_sq


# notebook 09 prints this function
def in_place(
    param: NDArray,
    grad: NDArray,
    exp_avg: NDArray,
    exp_avg_sq: NDArray,
    scratch: NDArray,
    step: int,
) -> None:
    """Take the same step with one more array and no new one.

    Parameters
    ----------
    param, exp_avg, exp_avg_sq : ndarray, float, one shape
        θ, m and v; written to.
    grad : ndarray
        gₜ; not changed.
    scratch : ndarray
        Of the same shape and dtype; its content is lost.
    step : int
        t, from 1.

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1.
    """
    exp_avg *= BETA1
    np.multiply(grad, 1 - BETA1, out=scratch)
    exp_avg += scratch
    exp_avg_sq *= BETA2
    np.multiply(grad, grad, out=scratch)
    scratch *= 1 - BETA2
    exp_avg_sq += scratch
    np.divide(exp_avg_sq, bias_correction(BETA2, step), out=scratch)
    np.sqrt(scratch, out=scratch)
    scratch += EPS
    np.divide(exp_avg, scratch, out=scratch)
    scratch *= LR / bias_correction(BETA1, step)
    param -= scratch


def numpy_step(way: str, params: list[NDArray], grads: list[NDArray]) -> Step:
    """Return a function that takes one step of Adam on NumPy arrays each time it is called.

    Parameters
    ----------
    way : str
        ``"textbook"``: `textbook`. ``"in place"``: `in_place`. ``"blocked"``: `adamlib.Adam` on
        NumPy, ``"compiled"``: on numba. ``"floor"``: no Adam, but p += g, m += g, v += g in one
        compiled pass, which moves the same bytes (`adamlib.kernels.touch`).
    params, grads : lists of ndarray
        Float32 or float64, contiguous; ``params`` are written to, but by ``"textbook"``.

    Returns
    -------
    callable

    Raises
    ------
    ModuleNotFoundError
        ``"compiled"`` and ``"floor"`` need numba.

    Examples
    --------
    >>> param = np.ones(2)
    >>> numpy_step("in place", [param], [np.array([1.0, -1.0])])()
    >>> param.round(6)
    array([0.999, 1.001])
    """
    one_of("way", way, NUMPY_WAYS)
    if way in ("blocked", "compiled"):
        backend = "numpy" if way == "blocked" else "numba"
        optimizer = Adam(params, lr=LR, betas=(BETA1, BETA2), eps=EPS, backend=backend)
        return lambda: optimizer.step(grads)
    moments = [[np.zeros_like(param) for _ in range(3)] for param in params]
    if way == "floor":
        from ..kernels import touch

        flat = [
            [array.reshape(-1) for array in (p, g, *own[:2])]
            for p, g, own in zip(params, grads, moments, strict=True)
        ]

        def touch_all() -> None:
            for arrays in flat:
                touch(*arrays)

        return touch_all
    counter = itertools.count(1)

    def step() -> None:
        t = next(counter)
        for param, grad, own in zip(params, grads, moments, strict=True):
            if way == "in place":
                in_place(param, grad, own[0], own[1], own[2], t)
            else:
                _, own[0], own[1] = textbook(param, grad, own[0], own[1], t)

    return step


def torch_step(way: str, params: list[Any], grads: list[Any]) -> Step:
    """Return a function that takes one step of Adam on tensors each time it is called.

    Parameters
    ----------
    way : str
        ``"torch single"``, ``"torch foreach"``, ``"torch fused"``: `torch.optim.Adam`.
        ``"ours"``, ``"ours foreach"``, ``"ours fused"``: `adamlib.pytorch.Adam`.
        ``"torch floor"``: p += g, m += g, v += g through `torch.compile`.
    params, grads : lists of Tensor
        On one device; ``params`` are written to.

    Returns
    -------
    callable

    Examples
    --------
    >>> import torch
    >>> param = torch.ones(2)
    >>> torch_step("torch single", [param], [torch.tensor([1.0, -1.0])])()
    >>> param
    tensor([0.9990, 1.0010])
    """
    import torch

    from ..pytorch import Adam as Ours

    one_of("way", way, TORCH_WAYS)
    if way == "torch floor":
        moments = [[torch.zeros_like(p) for p in params] for _ in range(2)]

        @torch.compile(fullgraph=True, dynamic=False)
        def touch(params: list, grads: list, exp_avgs: list, exp_avg_sqs: list) -> None:
            for param, grad, *own in zip(params, grads, exp_avgs, exp_avg_sqs, strict=True):
                for array in (param, *own):
                    array.add_(grad)

        return lambda: touch(params, grads, *moments)
    whose, _, path = way.partition(" ")
    leaves = [torch.nn.Parameter(param) for param in params]  # of the same memory
    for leaf, grad in zip(leaves, grads, strict=True):
        leaf.grad = grad
    cls = Ours if whose == "ours" else torch.optim.Adam
    options = TORCH_OPTIONS[path or "single"]
    return cls(leaves, lr=LR, betas=(BETA1, BETA2), eps=EPS, **options).step


def random_arrays(
    shapes: Iterable[tuple[int, ...]],
    dtype: Literal["float32", "float64"] = "float32",
    seed: int = 0,
) -> tuple[list[NDArray], list[NDArray]]:
    """Return parameters of zeros and normal gradients of these shapes, a list of each.

    >>> [param.shape for param in random_arrays([(2, 3), (4,)])[0]]
    [(2, 3), (4,)]
    """
    rng, shapes = np.random.default_rng(seed), list(shapes)
    params = [np.zeros(shape, dtype) for shape in shapes]
    return params, [rng.standard_normal(shape, dtype) for shape in shapes]


def gpt2_shapes(width: int = 768, layers: int = 12, words: int = 50257) -> list[tuple[int, ...]]:
    """Return the shapes of the parameters of GPT-2; 148 tensors as it was published (small).

    Parameters
    ----------
    width, layers, words : int
        Size of the residual stream, number of blocks, and size of the vocabulary.

    Returns
    -------
    list of tuples of int

    Examples
    --------
    >>> shapes = gpt2_shapes()
    >>> len(shapes), sum(int(np.prod(shape)) for shape in shapes)
    (148, 124439808)

    Notes
    -----
    Source: Radford et al. 2019, Table 2 (its 117M; the published weights hold 124M).
    """
    norm = [(width,), (width,)]
    attention = [(3 * width, width), (3 * width,), (width, width), (width,)]
    mlp = [(4 * width, width), (4 * width,), (width, 4 * width), (width,)]
    block = [*norm, *attention, *norm, *mlp]
    return [(words, width), (1024, width), *block * layers, *norm]
