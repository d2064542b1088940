"""The gradients of two layers, and a first step, beside the width of a net: why eps returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problems import random_two_layer_net
from .unit_steps import rms_step

QUANTILES = 20_001


@dataclass(frozen=True, eq=False)
class WidthScan:
    """What a first step of Adam meets in nets of several widths.

    Attributes
    ----------
    widths : ndarray of int, shape (w,)
        Hidden units.
    losses : ndarray, shape (w,)
        Mean squared error at the start.
    gradients : ndarray, shape (w,)
        Root mean square of the gradient of the first layer's weights. It falls like one over the
        root of the width, because it comes through the second layer's weights, which do.
    gradients_2 : ndarray, shape (w,)
        The same of the second layer's weights, which do not fall.
    eps : ndarray, shape (k,)
    steps : ndarray, shape (k, w)
        Root mean square of Adam's first step on the first layer's weights, in units of lr.
    n, d_out : int
        Examples and outputs, over which the loss is a mean.
    """

    widths: NDArray[np.int64]
    losses: NDArray[np.float64]
    gradients: NDArray[np.float64]
    gradients_2: NDArray[np.float64]
    eps: NDArray[np.float64]
    steps: NDArray[np.float64]
    n: int
    d_out: int


def width_scan(
    widths: Sequence[int] = (64, 128, 256, 512, 1024, 2048, 4096),
    eps: Sequence[float] = (1e-3, 1e-8),
    n: int = 64,
    d_in: int = 64,
    d_out: int = 10,
    seed: int = 0,
) -> WidthScan:
    """Take Adam's first step in nets of several widths, with the mean squared error as the loss.

    Parameters
    ----------
    widths : sequence of int
        Hidden units of `adamlib.problems.random_two_layer_net`, 1 or more each.
    eps : sequence of float
        0 or more each.
    n, d_in, d_out, seed : int
        Of the net and its data.

    Returns
    -------
    WidthScan

    Examples
    --------
    >>> scan = width_scan(widths=(64, 1024))
    >>> print(f"{scan.gradients[0] / scan.gradients[1]:.1f} for a width 16 times as large")
    4.0 for a width 16 times as large

    Notes
    -----
    In float64. Source: after Wortsman et al. 2023, §3.4.
    """
    if not len(widths):
        raise ValueError("no widths (expected one or more)")
    losses, gradients, gradients_2, steps = [], [], [], []
    for width in widths:
        net = random_two_layer_net(seed, n, d_in, width, d_out)
        value, gradient = net.value_and_gradient(net.start)
        # of the mean; the problem's value is the sum
        grad, grad_2 = gradient["W1"] / (n * d_out), gradient["W2"] / (n * d_out)
        losses.append(value / (n * d_out))
        gradients.append(_rms(grad))
        gradients_2.append(_rms(grad_2))
        steps.append(rms_step(grad.reshape(1, -1), eps))
    return WidthScan(
        widths=np.array(widths),
        losses=np.array(losses),
        gradients=np.array(gradients),
        gradients_2=np.array(gradients_2),
        eps=np.array(eps),
        steps=np.transpose(steps),
        n=n,
        d_out=d_out,
    )


def gradient_at_width(
    width: ArrayLike, n: int, d_out: int, loss: ArrayLike = 1.0
) -> NDArray[np.float64]:
    r"""Return the root mean square of the first layer's gradients that theory expects at the start.

    .. math:: \sqrt{\frac{2\,L}{3\,N\,D_\text{out}\,H}}

    Parameters
    ----------
    width : array_like
        Hidden units H.
    n, d_out : int
        Examples N and outputs, over which the loss is a mean.
    loss : array_like
        Mean squared error L; about 1 for a net that has learned nothing.

    Returns
    -------
    ndarray, the shape that the arguments broadcast to

    Examples
    --------
    >>> print(f"{gradient_at_width(64, n=64, d_out=10):.4f}")
    0.0040

    Notes
    -----
    For standard normal inputs, half of the units on, second weights uniform in ±1/√H, and errors
    that are independent of all of these. The last holds for targets of pure noise, and not many
    more examples than inputs: the net's own outputs, part of its errors, are not independent.
    With 16 times as many examples as inputs this is about a tenth too low, with 64 times about
    a third.
    """
    return np.sqrt(2 * np.asarray(loss) / (3 * n * d_out * np.asarray(width, dtype=np.float64)))


def first_step_of_noise(eps_over_sigma: ArrayLike) -> NDArray[np.float64]:
    r"""Return the root mean square of Adam's first step for normal gradients.

    .. math:: \sqrt{\mathbb{E} \Bigl( \frac{|z|}{|z| + \epsilon/\sigma} \Bigr)^2},
        \qquad z \sim \mathcal{N}(0, 1)

    Parameters
    ----------
    eps_over_sigma : array_like
        ε in units of the gradients' standard deviation, 0 or more.

    Returns
    -------
    ndarray, shape of the argument
        In units of lr: 1 far above ε, σ/ε far below.

    Examples
    --------
    >>> first_step_of_noise([0.0, 1.0, 1e3]).round(4).tolist()
    [1.0, 0.4278, 0.001]

    Notes
    -----
    The mean over 20 001 equally likely z.
    """
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    z = np.abs([NormalDist().inv_cdf(p) for p in middles])
    ratio = np.asarray(eps_over_sigma, dtype=np.float64)[..., None]
    with np.errstate(invalid="ignore"):
        length = np.where(ratio == 0, 1.0, z / (z + ratio))
    return _rms(length, axis=-1)


def _rms(array: NDArray, axis: int | None = None) -> NDArray[np.float64]:
    return np.sqrt(np.mean(np.square(array), axis=axis))
