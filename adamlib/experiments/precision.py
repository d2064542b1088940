"""Adam in a format, of 16 bits say: what a first step comes to, and what the averages keep.

torch, which has bfloat16, is imported inside the functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks import check_count, one_of
from ..floats import float_format, overflow_gradient, round_to, underflow_gradient
from .first_steps import centres, classify_lengths
from .unit_steps import each_step

if TYPE_CHECKING:
    import torch

PRECISION_STEPS = ("NaN", "infinite", "no step", "too long", "fine", "eps gone", "held back")
"""What a first step can come to in a format; see `predict_first_steps`."""

ORDERS = ("torch", "adam_step")
"""torch forms (1 − β₂)·g² in float32 or wider and rounds once; `adam_step` rounds g² first."""

BETA1, BETA2 = 0.9, 0.999


def predict_first_steps(
    grad: ArrayLike, eps: ArrayLike, dtype: object, order: str = "torch"
) -> NDArray[np.str_]:
    """Say what Adam's first step comes to, from the numbers of the format alone.

    ===============  ==================================================================
    ``"NaN"``        0/0, or ∞/∞ where the gradient itself overflows
    ``"infinite"``   m/0: v has underflowed and eps rounds to zero
    ``"no step"``    exactly 0: v has overflowed, or m has underflowed
    ``"too long"``   v has underflowed, and the step, g/ε, is longer than lr
    ``"fine"``       0.5 to 1.5 lr long, and eps has a part in it
    ``"eps gone"``   the same, and not a bit would change without eps
    ``"held back"``  shorter than 0.5·lr, or, where v has underflowed, not longer than lr
    ===============  ==================================================================

    Parameters
    ----------
    grad, eps : array_like of float, shapes that broadcast
        0 or more (of the gradient only the size counts); rounded to the format first.
    dtype : str or dtype
        See `adamlib.floats.float_format`.
    order : str
        ``"torch"`` or ``"adam_step"``: where g² overflows; see `ORDERS`.

    Returns
    -------
    ndarray of str
        Entries of `PRECISION_STEPS`.

    Examples
    --------
    >>> print(*predict_first_steps([0, 1e-5, 1e-2, 1.0], 1e-8, "float16"))
    NaN infinite eps gone eps gone
    >>> print(*predict_first_steps([0, 1e-5, 1e-2, 1.0], 1e-8, "bfloat16"))
    no step eps gone eps gone eps gone

    Notes
    -----
    For the default β. Thresholds, and exact arithmetic between them: only what goes in and the
    quotient that comes out are rounded.
    """
    one_of("order", order, ORDERS)
    grad, eps = np.broadcast_arrays(np.abs(round_to(grad, dtype)), round_to(eps, dtype))
    no_v = grad < underflow_gradient(dtype, BETA2)
    no_m = round_to((1 - BETA1) * grad, dtype) == 0
    too_large = grad >= overflow_gradient(dtype, BETA2 if order == "torch" else 0.0)
    root = np.select([no_v, too_large], [0.0, np.inf], grad)
    with np.errstate(all="ignore"):
        length = np.where(no_m, 0.0, grad) / (root + eps)
    return _classify(round_to(length, dtype), no_v, round_to(root + eps, dtype) == root)


def _classify(length: NDArray, no_v: NDArray, eps_gone: NDArray) -> NDArray[np.str_]:
    names = classify_lengths(length, no_v, np.zeros(length.shape, dtype=bool))
    names = np.where((names == "fine") & eps_gone, "eps gone", names)
    return np.where(length == 0, "no step", names)


def first_steps_in(
    grad: ArrayLike, eps: ArrayLike, dtype: object, order: str = "torch"
) -> NDArray[np.str_]:
    """Take the first step for every pair of n gradients and k eps in a format, and name it.

    Returns entries of `PRECISION_STEPS`, shape (k, n). The order ``"torch"`` is
    `adamlib.pytorch.Adam`, which is `torch.optim.Adam` to the bit; ``"adam_step"`` is
    `adamlib.adam_step` on tensors.

    >>> first_steps_in([0.0, 1e-5, 1.0], [1e-8], "float16").tolist()
    [['NaN', 'infinite', 'eps gone']]
    """
    import torch

    one_of("order", order, ORDERS)
    grads = torch.from_numpy(np.abs(round_to(np.atleast_1d(grad), dtype))).to(torch_dtype(dtype))
    rows = [*round_to(np.atleast_1d(eps), dtype).tolist(), 0.0]
    length, v = (_optimizer_steps if order == "torch" else _pure_steps)(grads, rows)
    length, without = length[:-1], length[-1]
    return _classify(length, np.broadcast_to(v == 0, length.shape), length == without)


def torch_dtype(dtype: object) -> "torch.dtype":
    """Return torch's name of a format.

    >>> torch_dtype("bfloat16")
    torch.bfloat16
    """
    import torch

    return getattr(torch, float_format(dtype).name)


def _optimizer_steps(grads: "torch.Tensor", eps: list[float]) -> tuple[NDArray, NDArray]:
    import torch

    from ..pytorch import Adam

    params = [torch.nn.Parameter(torch.zeros_like(grads)) for _ in eps]
    for param in params:
        param.grad = grads
    groups = [{"params": [param], "eps": one} for param, one in zip(params, eps, strict=True)]
    optimizer = Adam(groups, lr=1.0, betas=(BETA1, BETA2))
    optimizer.step()
    lengths = torch.stack([param.detach().double().abs() for param in params])
    return lengths.numpy(), optimizer.state[params[0]]["exp_avg_sq"].double().numpy()


def _pure_steps(grads: "torch.Tensor", eps: list[float]) -> tuple[NDArray, NDArray]:
    import torch

    column = torch.tensor(eps, dtype=torch.float64).to(grads.dtype)[:, None]
    step, state = next(each_step(grads[None], eps=column, betas=(BETA1, BETA2)))
    return step.double().abs().numpy(), state.exp_avg_sq[0].double().numpy()


@dataclass(frozen=True, eq=False)
class PrecisionMap:
    """What a first step comes to in a format, predicted and measured.

    Attributes
    ----------
    dtype : str
        The format.
    grads : ndarray, shape (n,)
        Sizes of the gradient, increasing.
    eps : ndarray, shape (k,)
        Increasing.
    predicted, measured : ndarray of str, shape (k, n)
        Entries of `PRECISION_STEPS`.
    inside : ndarray of bool, shape (k, n)
        Where the prediction stays the same when |g| and ε are changed by the margin.
    """

    dtype: str
    grads: NDArray
    eps: NDArray
    predicted: NDArray[np.str_]
    measured: NDArray[np.str_]
    inside: NDArray[np.bool_]

    def agreement(self) -> tuple[int, int, int]:
        """Points inside the regions that agree, points inside, and all points."""
        agree = (self.predicted == self.measured) & self.inside
        return int(agree.sum()), int(self.inside.sum()), self.inside.size


def precision_map(
    dtype: object,
    grad_decades: tuple[int, int] = (-48, 24),
    eps_decades: tuple[int, int] = (-48, 4),
    per_decade: int = 4,
    order: str = "torch",
    margin: float = 1.5,
) -> PrecisionMap:
    """Predict the first step on a grid of gradients and eps, and take it.

    Parameters
    ----------
    dtype : str or dtype
        See `adamlib.floats.float_format`.
    grad_decades, eps_decades : pair of int
        First and last power of ten, in increasing order.
    per_decade : int
        Points in each decade, 1 or more.
    order : str
        ``"torch"`` or ``"adam_step"``; see `first_steps_in`.
    margin : float
        Factor, 1 or more. A point is inside a region if the prediction is the same for |g| and
        ε each divided by it, as they are, and multiplied by it.

    Returns
    -------
    PrecisionMap

    Examples
    --------
    >>> precision_map("float16", per_decade=1).agreement()
    (3640, 3640, 3744)
    """
    check_count("per_decade", per_decade, 1)
    if not 1.0 <= margin < np.inf:
        raise ValueError(f"Invalid margin: {margin} (expected 1 or more)")
    grads, eps = (centres(decades, per_decade) for decades in (grad_decades, eps_decades))
    predicted = predict_first_steps(grads, eps[:, None], dtype, order)
    inside = np.ones(predicted.shape, dtype=bool)
    for a in (1 / margin, 1.0, margin):
        for b in (1 / margin, 1.0, margin):
            inside &= predict_first_steps(a * grads, b * eps[:, None], dtype, order) == predicted
    measured = first_steps_in(grads, eps, dtype, order)
    return PrecisionMap(float_format(dtype).name, grads, eps, predicted, measured, inside)


def moments_in(
    dtype: object, gradients: ArrayLike, betas: tuple[float, float] = (BETA1, BETA2)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Feed gradients to Adam in a format and return its two averages after each step.

    Parameters
    ----------
    dtype : str or dtype
        See `adamlib.floats.float_format`.
    gradients : array_like of float, shape (steps,) or (steps, n)
        Rounded to the format first.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).

    Returns
    -------
    m, v : ndarray of float64, shape of ``gradients``
        The first and the second moment after each step, not corrected.

    Examples
    --------
    A second moment that stops at half of its value:

    >>> m, v = moments_in("bfloat16", np.ones(2000))
    >>> print(v[-1])
    0.5

    Notes
    -----
    The state of `adamlib.pytorch.Adam`, and so of ``torch.optim.Adam(foreach=False)``, to the bit;
    with ``foreach=True`` torch rounds β₂ to a 16-bit format before it multiplies.
    """
    import torch

    from ..pytorch import Adam

    rows = torch.from_numpy(round_to(gradients, dtype)).to(torch_dtype(dtype))
    param = torch.nn.Parameter(torch.zeros_like(rows[0]))
    optimizer = Adam([param], betas=betas, foreach=False)
    kept = torch.empty(2, *rows.shape, dtype=torch.float64)
    for t, grad in enumerate(rows):
        param.grad = grad
        optimizer.step()
        state = optimizer.state[param]
        kept[0, t], kept[1, t] = state["exp_avg"], state["exp_avg_sq"]
    m, v = kept.numpy()
    return m, v


def constant_steps(
    optimizer: Callable[..., Any], grad: float, steps: int, dtype: object
) -> NDArray[np.float64]:
    """Feed one and the same gradient to a torch optimizer and return its steps in units of lr.

    Parameters
    ----------
    optimizer : callable
        Takes a list of parameters and ``lr``: `torch.optim.Adam`, say.
    grad : float
    steps : int
        0 or more.
    dtype : str or dtype
        Of the parameter, and so of the state and the gradient.

    Returns
    -------
    ndarray of float64, shape (steps,)
        (θₜ₋₁ − θₜ)/α. The parameter is put back to zero before each step, and lr is 1, so that
        this difference is not rounded.

    Examples
    --------
    >>> import torch
    >>> constant_steps(torch.optim.Adam, 1e-3, 2, "float32").round(3)
    array([1., 1.])
    """
    import torch

    kind = torch_dtype(dtype)
    param = torch.nn.Parameter(torch.zeros(1, dtype=kind))
    param.grad = torch.full((1,), grad, dtype=kind)
    stepper, lengths = optimizer([param], lr=1.0), np.empty(steps)
    for t in range(steps):
        param.data.zero_()
        stepper.step()
        lengths[t] = -param.item()
    return lengths
