"""Training in 16 bits: ways to add a step that is smaller than half a unit of the parameter.

torch, which has bfloat16, is imported inside the functions.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_count, one_of
from ..floats import float_format, round_to
from ..problems import Problem
from .precision import torch_dtype
from .traces import Trace

if TYPE_CHECKING:
    from torch import Tensor

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
    Micikevicius et al. 2018 (master weights); Zamirai et al. 2021 (the two others).
    """
    one_of("repair", repair, REPAIRS)
    check_count("number of steps", steps, 0)
    import torch

    from ..pytorch import Adam

    kept = torch_dtype(dtype if state is None else state)
    theta, value_and_gradient = _in_format(problem, dtype, grad_scale)
    in_place = repair == "none" and kept == theta.dtype
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


def _in_format(
    problem: Problem, dtype: object, grad_scale: float
) -> tuple["Tensor", Callable[["Tensor"], tuple[Any, "Tensor"]]]:
    """Return the start, all parameters in one flat tensor, and the loss and gradient there."""
    import torch

    kind = torch_dtype(dtype)
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
    return torch.from_numpy(round_to(start, dtype)).to(kind), value_and_gradient


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
    all cases. Below the smallest normal number of the format the spacing is that of the format
    too; above its largest there is nothing to round to. ``rng`` is drawn from once for each number.

    >>> import torch
    >>> third = torch.full((10_000,), 1 + 2**-7 / 3)  # bfloat16 has nothing between 1 and 1 + 2⁻⁷
    >>> rounded = stochastic_round(third, "bfloat16", np.random.default_rng(0))
    >>> print(f"{(rounded > 1).double().mean():.2f}")
    0.33
    """
    import torch

    form = float_format(dtype)
    exponent = torch.frexp(x).exponent.clamp(min=form.min_exponent + 1).double()
    spacing = torch.exp2(exponent - form.precision)
    draws = torch.from_numpy(rng.random(tuple(x.shape)))
    below = torch.floor(x.double() / spacing)
    up = draws < x.double() / spacing - below
    return ((below + up) * spacing).to(torch_dtype(dtype))
