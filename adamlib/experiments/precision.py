"""Adam in 16 bits: what a first step comes to, what the averages keep, and how to train.

torch, which has bfloat16, is imported inside the functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..adam import adam_step, init_state
from ..checks import check_count, check_hyperparameters, one_of
from ..floats import float_format, overflow_gradient, round_to, underflow_gradient
from ..problems import Problem
from .first_steps import classify_lengths
from .traces import Trace

if TYPE_CHECKING:
    from torch import Tensor

PRECISION_STEPS = ("NaN", "infinite", "no step", "too long", "fine", "eps gone", "held back")
"""What a first step can come to in a format; see `predict_step`."""

ORDERS = ("torch", "adam_step")
"""torch forms (1 − β₂)·g² in float32 or wider and rounds once; `adam_step` rounds g² first."""

BETA1, BETA2 = 0.9, 0.999


def predict_step(
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

    Raises
    ------
    ValueError
        ``Unknown order: 'keras' (expected one of torch, adam_step)``.

    Examples
    --------
    >>> print(*predict_step([0, 1e-5, 1e-2, 1.0], 1e-8, "float16"))
    NaN infinite eps gone eps gone
    >>> print(*predict_step([0, 1e-5, 1e-2, 1.0], 1e-8, "bfloat16"))
    no step eps gone eps gone eps gone

    Notes
    -----
    For the default β. Thresholds, and exact arithmetic between them: only what goes in and the
    quotient that comes out are rounded. Taught in: notebook 08.
    """
    _check_order(order)
    grad, eps = np.broadcast_arrays(np.abs(round_to(grad, dtype)), round_to(eps, dtype))
    no_v = grad < underflow_gradient(dtype, BETA2)
    no_m = round_to((1 - BETA1) * grad, dtype) == 0
    too_large = grad >= overflow_gradient(dtype, BETA2 if order == "torch" else 0.0)
    root = np.select([no_v, too_large], [0.0, np.inf], grad)
    with np.errstate(all="ignore"):
        length = np.where(no_m, 0.0, grad) / (root + eps)
    return _classify(round_to(length, dtype), no_v, round_to(root + eps, dtype) == root)


def _check_order(order: str) -> None:
    one_of("order", order, ORDERS)


def _classify(length: NDArray, no_v: NDArray, eps_gone: NDArray) -> NDArray[np.str_]:
    names = classify_lengths(length, no_v, np.zeros(length.shape, dtype=bool))
    names = np.where((names == "fine") & eps_gone, "eps gone", names)
    return np.where(length == 0, "no step", names)


def take_step(
    grad: ArrayLike, eps: ArrayLike, dtype: object, order: str = "torch"
) -> NDArray[np.str_]:
    """Take the first step for every pair of a gradient and an eps, and say what became of it.

    Parameters
    ----------
    grad : array_like of float, shape (n,)
    eps : array_like of float, shape (k,)
    dtype : str or dtype
        What torch computes in; see `adamlib.floats.float_format`.
    order : str
        ``"torch"``: `adamlib.pytorch.Adam`, which is `torch.optim.Adam` to the bit;
        ``"adam_step"``: `adamlib.adam_step` on tensors.

    Returns
    -------
    ndarray of str, shape (k, n)
        Entries of `PRECISION_STEPS`; see `predict_step`.

    Raises
    ------
    ValueError
        ``Unknown order: 'keras' (expected one of torch, adam_step)``.

    Examples
    --------
    >>> take_step([0.0, 1e-5, 1.0], [1e-8], "float16").tolist()
    [['NaN', 'infinite', 'eps gone']]

    Notes
    -----
    Taught in: notebook 08.
    """
    import torch

    _check_order(order)
    grad = np.abs(round_to(np.atleast_1d(grad), dtype))
    grads = torch.from_numpy(grad).to(getattr(torch, float_format(dtype).name))
    walk = _optimizer_steps if order == "torch" else _pure_steps
    rows = round_to(np.atleast_1d(eps), dtype).tolist()
    length, v = walk(grads, [*rows, 0.0])
    length, without = length[:-1], length[-1]
    return _classify(length, np.broadcast_to(v == 0, length.shape), length == without)


def _optimizer_steps(grads: "Tensor", eps: list[float]) -> tuple[NDArray, NDArray]:
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


def _pure_steps(grads: "Tensor", eps: list[float]) -> tuple[NDArray, NDArray]:
    import torch

    column = torch.tensor(eps, dtype=torch.float64).to(grads.dtype)[:, None]
    zeros = torch.zeros(len(eps), len(grads), dtype=grads.dtype)
    rows, betas = grads.expand_as(zeros), (BETA1, BETA2)
    moved, state = adam_step(zeros, rows, init_state(zeros), lr=1.0, betas=betas, eps=column)
    return moved.double().abs().numpy(), state.exp_avg_sq[0].double().numpy()


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
        ``"torch"`` or ``"adam_step"``; see `take_step`.
    margin : float
        Factor, 1 or more. A point is inside a region if the prediction is the same for |g| and
        ε each divided by it, as they are, and multiplied by it.

    Returns
    -------
    PrecisionMap

    Raises
    ------
    ValueError
        ``Invalid decades: (2, 1) (expected an increasing pair)``, ``Invalid per_decade: 0
        (expected 1 or more)``, ``Invalid margin: 0.5 (expected 1 or more)``.

    Examples
    --------
    >>> precision_map("float16", per_decade=1).agreement()
    (3640, 3640, 3744)

    Notes
    -----
    Taught in: notebook 08.
    """
    check_count("per_decade", per_decade, 1)
    if not 1.0 <= margin < np.inf:
        raise ValueError(f"Invalid margin: {margin} (expected 1 or more)")
    grads, eps = (_centres(decades, per_decade) for decades in (grad_decades, eps_decades))
    predicted = predict_step(grads, eps[:, None], dtype, order)
    inside = np.ones(predicted.shape, dtype=bool)
    for a in (1 / margin, 1.0, margin):
        for b in (1 / margin, 1.0, margin):
            inside &= predict_step(a * grads, b * eps[:, None], dtype, order) == predicted
    measured = take_step(grads, eps, dtype, order)
    return PrecisionMap(float_format(dtype).name, grads, eps, predicted, measured, inside)


def _centres(decades: tuple[int, int], per_decade: int) -> NDArray[np.float64]:
    first, last = decades
    if not first < last:
        raise ValueError(f"Invalid decades: {decades} (expected an increasing pair)")
    return 10.0 ** (first + (np.arange(per_decade * (last - first)) + 0.5) / per_decade)


def moments_in(
    dtype: object, gradients: ArrayLike, betas: tuple[float, float] = (BETA1, BETA2)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run Adam's two averages in a format, with torch's operations, and return all of them.

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

    Raises
    ------
    ValueError, TypeError
        As `adamlib.adam_step`, for the betas.

    Examples
    --------
    A second moment that stops at half of its value:

    >>> m, v = moments_in("bfloat16", np.ones(2000))
    >>> print(v[-1])
    0.5

    Notes
    -----
    Equal to the state of ``torch.optim.Adam(foreach=False)`` to the bit; with ``foreach=True``
    torch rounds β₂ to a 16-bit format before it multiplies. Taught in: notebook 08.
    """
    import torch

    check_hyperparameters(0.0, betas, 0.0, 0.0)
    rows = torch.from_numpy(round_to(gradients, dtype))
    rows = rows.to(getattr(torch, float_format(dtype).name))
    m, v = torch.zeros_like(rows[0]), torch.zeros_like(rows[0])
    kept = torch.empty(2, *rows.shape, dtype=torch.float64)
    for t, grad in enumerate(rows):
        m.lerp_(grad, 1 - betas[0])
        v.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
        kept[0, t], kept[1, t] = m, v
    first, second = kept.numpy()
    return first, second


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

    Notes
    -----
    Taught in: notebook 08.
    """
    import torch

    kind = getattr(torch, float_format(dtype).name)
    param = torch.nn.Parameter(torch.zeros(1, dtype=kind))
    param.grad = torch.full((1,), grad, dtype=kind)
    stepper, lengths = optimizer([param], lr=1.0), np.empty(steps)
    for t in range(steps):
        param.data.zero_()
        stepper.step()
        lengths[t] = -param.item()
    return lengths


# --- training ------------------------------------------------------------------------------------

REPAIRS = ("none", "stochastic rounding", "Kahan summation", "master weights")
"""Ways to add a step to parameters of 16 bits; see `train_in`."""


def train_in(
    dtype: object,
    problem: Problem,
    repair: str = "none",
    *,
    state: object = None,
    lr: float = 1e-3,
    eps: float = 1e-8,
    grad_scale: float = 1.0,
    steps: int = 2000,
    seed: int = 0,
) -> Trace:
    """Train with parameters and gradients in a format, the loss and its gradient in float64.

    =========================  ===========================================================
    ``"none"``                 θ − step, rounded to nearest
    ``"stochastic rounding"``  rounded up or down by chance, right on average
    ``"Kahan summation"``      rounded to nearest, and what that took away is added next time
    ``"master weights"``       θ is kept in float32, and rounded for use
    =========================  ===========================================================

    Parameters
    ----------
    dtype : str or dtype
        Of the parameters that the network is evaluated with, and of the gradients.
    problem : Problem
        With parameters in a dict of float64; not changed. With leading axes, one run for each
        of their entries.
    repair : str
        An entry of `REPAIRS`.
    state : str or dtype, optional
        Of m, v and the step; if not given, as ``dtype``.
    lr, eps : float
        As in `adamlib.pytorch.Adam`, which takes the steps.
    grad_scale : float
        What the gradient is multiplied by before it is rounded; it is not divided out.
    steps : int
        Number of updates, 0 or more.
    seed : int
        Of the stochastic rounding.

    Returns
    -------
    Trace
        ``steps + 1`` losses, before each update and after the last, all of them with the
        rounded parameters; its label is the repair.

    Raises
    ------
    ValueError
        ``Unknown repair: 'prayer' (expected one of none, …)``, ``Invalid number of steps: -1
        (expected 0 or more)``.

    Examples
    --------
    >>> from adamlib.problems import random_two_layer_net
    >>> net = random_two_layer_net(n=8, d_in=3, h=4, d_out=1)
    >>> trace = train_in("bfloat16", net, "Kahan summation", lr=1e-2, steps=100)
    >>> bool(trace.losses[-1] < trace.losses[0])
    True

    Notes
    -----
    No repair and no ``state`` is `torch.optim.Adam` in the format to the bit. Source:
    Micikevicius et al. 2018 (master weights); Zamirai et al. 2021 (the two others). Taught in:
    notebook 08.
    """
    one_of("repair", repair, REPAIRS)
    check_count("number of steps", steps, 0)
    import torch

    from ..pytorch import Adam

    kind = getattr(torch, float_format(dtype).name)
    kept = kind if state is None else getattr(torch, float_format(state).name)
    places, end = {}, 0  # of each parameter in the flat array of all
    for name, array in problem.start.items():
        places[name], end = (slice(end, end + array.size), array.shape), end + array.size

    def value_and_gradient(flat: "Tensor") -> tuple[Any, "Tensor"]:
        wide = flat.double().numpy()
        params = {name: wide[place].reshape(shape) for name, (place, shape) in places.items()}
        with np.errstate(all="ignore"):  # a run that is lost goes on to the end
            loss, grads = problem.value_and_gradient(params)
            flat_grads = np.concatenate([grads[name].ravel() for name in places])
        return loss, torch.from_numpy(round_to(grad_scale * flat_grads, dtype)).to(kind)

    start = np.concatenate([array.ravel() for array in problem.start.values()])
    theta = torch.from_numpy(round_to(start, dtype)).to(kind)
    in_place = repair == "none" and kept == kind
    moving = torch.nn.Parameter(theta.clone() if in_place else torch.zeros_like(theta, dtype=kept))
    optimizer = Adam([moving], lr=lr, eps=eps)
    add = None if in_place else _adder(repair, theta, seed)
    losses = []
    for _ in range(steps):
        loss, grad = value_and_gradient(theta)
        losses.append(loss)
        moving.grad = grad.to(kept)
        if add:
            moving.data.zero_()  # so that what comes back is the step itself
        optimizer.step()
        theta = add(moving.detach()) if add else moving.detach()
        if torch.isnan(theta).all():  # and will be to the end
            break
    last = value_and_gradient(theta)[0]
    losses += [last] * (steps + 1 - len(losses))
    return Trace(repair, np.array(losses))


def _adder(repair: str, theta: "Tensor", seed: int) -> Callable[["Tensor"], "Tensor"]:
    """Return what adds a step to 16-bit parameters and returns them."""
    import torch

    kind, theta = theta.dtype, theta.clone()
    rng = np.random.default_rng(seed)
    master, lost = theta.float(), torch.zeros_like(theta)

    def add(step: "Tensor") -> "Tensor":
        nonlocal master, theta, lost
        if repair == "Kahan summation":  # everything here is rounded to the format
            wanted = step.to(kind) + lost
            new = theta + wanted
            lost = wanted - (new - theta)
            theta = new
            return theta
        master = master + step.float()
        theta = stochastic_round(master, kind, rng) if "stoch" in repair else master.to(kind)
        if "master" not in repair:
            master = theta.float()  # what rounding took away is gone
        return theta

    return add


def stochastic_round(x: "Tensor", dtype: object, rng: np.random.Generator) -> "Tensor":
    """Round float32 numbers to a format up or down by chance, so that the mean is right.

    A number a third of the way from one neighbour to the next goes to the next in a third of
    all cases.

    Parameters
    ----------
    x : Tensor of float32
        Within the range of the format; below its smallest normal number the spacing is that
        of the format too.
    dtype : str or dtype
        See `adamlib.floats.float_format`.
    rng : Generator
        Drawn from once for each number.

    Returns
    -------
    Tensor of ``dtype``, shape of ``x``

    Examples
    --------
    >>> import torch
    >>> third = torch.full((10_000,), 1 + 2**-7 / 3)  # bfloat16 has nothing between 1 and 1 + 2⁻⁷
    >>> rounded = stochastic_round(third, "bfloat16", np.random.default_rng(0))
    >>> print(f"{(rounded > 1).double().mean():.2f}")
    0.33

    Notes
    -----
    Taught in: notebook 08.
    """
    import torch

    form = float_format(dtype)
    exponent = torch.frexp(x).exponent.clamp(min=form.min_exponent + 1).double()
    spacing = torch.exp2(exponent - form.precision)
    draws = torch.from_numpy(rng.random(tuple(x.shape)))
    below = torch.floor(x.double() / spacing)
    up = draws < x.double() / spacing - below
    return ((below + up) * spacing).to(getattr(torch, form.name))
