"""What a first step comes to, with and without eps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..checks import check_count
from ..floats import float_format, underflow_gradient
from ..moments import ema
from .unit_steps import first_step, real_floats

FIRST_STEPS = ("NaN", "infinite", "too long", "arbitrary", "fine", "held back")
"""What a first step can come to; see `classify_first_step`."""


def classify_first_step(
    grad: ArrayLike,
    eps: float | NDArray = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    noise: float | None = None,
) -> NDArray[np.str_]:
    """Take Adam's first step, as `first_step` does, and say what became of it.

    ===============  ==================================================================
    ``"NaN"``        0/0: neither m nor v holds anything
    ``"infinite"``   m/0: v has underflowed, m has not
    ``"too long"``   v has underflowed, and the step, g/ε, is longer than lr
    ``"arbitrary"``  0.5 to 1.5 lr long, though ``|grad|`` is below ``noise``
    ``"fine"``       0.5 to 1.5 lr long, and ``|grad|`` is not below ``noise``
    ``"held back"``  ε is larger than the gradient: the step is shorter than 0.5·lr, or, where
                     v has underflowed, not longer than lr
    ===============  ==================================================================

    ``noise`` is the size below which a gradient is nothing but rounding noise: half a unit in the
    last place of 1 unless given, since a sum that passes through numbers of size 1 is not known
    any better. A gradient whose square overflows gives a step of zero; it counts as held back.

    >>> gradients = np.array([0.0, 1e-30, 1e-12, 1.0], dtype=np.float32)
    >>> print(*classify_first_step(gradients))
    NaN infinite arbitrary fine
    >>> print(*classify_first_step(gradients, eps=1e-8))
    held back held back held back fine
    """
    grad = real_floats("grad", grad)
    noise = float_format(grad.dtype).ulp(1.0) / 2 if noise is None else float(noise)
    if not noise >= 0.0:
        raise ValueError(f"Invalid noise: {noise} (expected 0 or more)")
    length = np.abs(first_step(grad, eps, betas))
    with np.errstate(all="ignore"):  # the square may underflow or overflow
        no_v = np.broadcast_to(ema(np.zeros_like(grad), grad * grad, betas[1]) == 0, length.shape)
    is_noise = np.broadcast_to(np.abs(grad) < noise, length.shape)
    return classify_lengths(length, no_v, is_noise)


def classify_lengths(length: NDArray, no_v: NDArray, is_noise: NDArray) -> NDArray[np.str_]:
    """Name first steps by their length in units of lr, as `classify_first_step` does.

    The masks say where v is stored as zero, and where the gradient is nothing but rounding noise.

    >>> nowhere = np.zeros(3, dtype=bool)
    >>> print(*classify_lengths(np.array([np.inf, 1.0, 0.1]), nowhere, nowhere))
    infinite fine held back
    """
    cases = {
        "NaN": np.isnan(length),
        "infinite": np.isinf(length),
        "too long": (length > 1.5) | (no_v & (length > 1.0)),
        "held back": (length < 0.5) | no_v,
        "arbitrary": is_noise,
    }
    return np.select(list(cases.values()), list(cases), "fine")


def smallest_finite_first_step(dtype: DTypeLike, beta2: float = 0.999) -> float:
    """Search for the smallest gradient whose first step without eps is finite.

    Below it v₁ = (1 − β₂)·g² is stored as zero. `adamlib.floats.underflow_gradient` predicts
    it; this takes the steps, some 60 of them, and halves an interval of neighbouring floats.

    Parameters
    ----------
    dtype : float dtype of NumPy
        What the step is computed in.
    beta2 : float
        In [0, 1).

    Returns
    -------
    float
        A number of ``dtype``, in the units of the gradient.

    Raises
    ------
    ValueError
        ``the first step is not finite even for a gradient of 1``: 1 − β₂ is zero in ``dtype``.

    Examples
    --------
    >>> print(f"{smallest_finite_first_step(np.float32):.1e}")
    8.4e-22

    Notes
    -----
    NumPy rounds g² before it multiplies by 1 − β₂, so the answer lies a little beside the
    prediction: by 0.05 % at β₂ = 0.999, by 5 % at 0.9.
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"dtype must be a float dtype, got {dtype}")
    whole = np.dtype(f"i{dtype.itemsize}")  # positive floats are ordered as their bits are

    def is_finite(bits: int) -> bool:
        grad = np.array([bits], whole).view(dtype)
        return bool(np.isfinite(first_step(grad, betas=(0.9, beta2)))[0])

    low, high = 0, int(np.ones(1, dtype).view(whole)[0])
    if not is_finite(high):
        raise ValueError("the first step is not finite even for a gradient of 1")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_finite(middle) else (middle, high)
    return float(np.array([high], whole).view(dtype)[0])


@dataclass(frozen=True, eq=False)
class FirstStepMap:
    """What a first step comes to for each pair of a gradient and an eps.

    Attributes
    ----------
    grads : ndarray, shape (n,)
        Sizes of the gradient, increasing, the first one 0.
    eps : ndarray, shape (k,)
        Increasing, the first one 0.
    outcomes : ndarray of str, shape (k, n)
        Entries of `FIRST_STEPS`.
    underflow : float
        Size of the gradient below which v is stored as zero.
    noise : float
        Size of the gradient below which it is rounding noise.
    """

    grads: NDArray
    eps: NDArray
    outcomes: NDArray[np.str_]
    underflow: float
    noise: float


def first_step_map(
    dtype: DTypeLike = np.float32,
    grad_decades: tuple[int, int] = (-46, 6),
    eps_decades: tuple[int, int] = (-44, 2),
    per_decade: int = 12,
    betas: tuple[float, float] = (0.9, 0.999),
) -> FirstStepMap:
    """Take a first step for every pair of a gradient and an eps, zeros included.

    Parameters
    ----------
    dtype : float dtype of NumPy
        What the steps are computed in.
    grad_decades, eps_decades : pair of int
        First and last power of ten, in increasing order.
    per_decade : int
        Points in each decade, 1 or more.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1).

    Returns
    -------
    FirstStepMap
        Of 1 + per_decade · (number of decades) gradients and as many eps.

    Examples
    --------
    >>> small = first_step_map(grad_decades=(-30, 0), eps_decades=(-12, 0), per_decade=1)
    >>> small.outcomes.shape
    (13, 31)
    """
    check_count("per_decade", per_decade, 1)
    grads, eps = (np.append(0.0, centres(d, per_decade)) for d in (grad_decades, eps_decades))
    noise = float_format(dtype).ulp(1.0) / 2
    outcomes = classify_first_step(grads.astype(dtype), eps[:, None], betas, noise)
    return FirstStepMap(grads, eps, outcomes, underflow_gradient(dtype, betas[1]), noise)


def centres(decades: tuple[int, int], per_decade: int) -> NDArray[np.float64]:
    """Return the centres of equal parts of each decade."""
    first, last = decades
    if not first < last:
        raise ValueError(f"Invalid decades: {decades} (expected an increasing pair)")
    return 10.0 ** (first + (np.arange(per_decade * (last - first)) + 0.5) / per_decade)
