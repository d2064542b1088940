"""What a floating-point format can hold: where eps vanishes, where g² underflows, ulp distance.

A format is a significand of ``precision`` bits (the hidden one included) and a range of
exponents. From these three integers follow every number that the course prints about
low precision, bfloat16 included, without any library that implements the format.
Source of all: IEEE 754-2019, §4.3.1 (round to nearest) and §7.4 (overflow).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_beta_at, one_of


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format, IEEE 754 style with subnormals.

    Attributes
    ----------
    name : str
        ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``.
    precision : int
        Bits of the significand, the hidden one included.
    min_exponent, max_exponent : int
        Exponents e of the smallest and the largest normal numbers, 1.xxx · 2ᵉ.

    Examples
    --------
    >>> float_format("float16").smallest_subnormal == 2.0**-24
    True
    >>> float_format("bfloat16").max == float_format("float32").max
    False
    """

    name: str
    precision: int
    min_exponent: int
    max_exponent: int

    @property
    def max(self) -> float:
        """Largest finite number, (2 − 2^(1−precision)) · 2^max_exponent."""
        return math.ldexp(2.0 - math.ldexp(1.0, 1 - self.precision), self.max_exponent)

    @property
    def smallest_normal(self) -> float:
        """Smallest normal number, 2^min_exponent."""
        return math.ldexp(1.0, self.min_exponent)

    @property
    def smallest_subnormal(self) -> float:
        """Smallest number above zero, 2^(min_exponent + 1 − precision)."""
        return math.ldexp(1.0, self.min_exponent + 1 - self.precision)

    @property
    def lost_exponent(self) -> int:
        """The e for which everything up to 2ᵉ rounds to zero: half the smallest subnormal.

        An exponent, because float64 cannot hold that number of its own: ``min_exponent −
        precision``.
        """
        return self.min_exponent - self.precision

    def ulp(self, x: float) -> float:
        """Distance from ``|x|`` = 1.xxx · 2ᵉ to the next larger number of the format.

        It is 2^(max(e, min_exponent) + 1 − precision), in the units of ``x``.

        >>> float_format("float32").ulp(0.25) == 2.0**-25
        True
        """
        if not math.isfinite(x):
            raise ValueError(f"x must be finite, got {x}")
        exponent = max(math.frexp(x)[1] - 1, self.min_exponent) if x else self.min_exponent
        return math.ldexp(1.0, exponent + 1 - self.precision)


FORMATS = {
    f.name: f
    for f in (
        FloatFormat("float16", 11, -14, 15),
        FloatFormat("bfloat16", 8, -126, 127),
        FloatFormat("float32", 24, -126, 127),
        FloatFormat("float64", 53, -1022, 1023),
    )
}


def float_format(dtype: object) -> FloatFormat:
    """Return the format that a dtype has.

    Parameters
    ----------
    dtype : str, numpy dtype, NumPy scalar type or torch dtype
        One of float16, bfloat16, float32, float64; ``torch.float16`` and ``np.float16`` work.

    Examples
    --------
    >>> float_format(np.float32).precision
    24
    """
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = name.removeprefix("torch.")
    one_of("floating-point format", name, FORMATS)
    return FORMATS[name]


def round_to(x: ArrayLike, dtype: object) -> NDArray[np.float64]:
    """Round numbers to a format, to nearest with ties to even, and return them as float64.

    Parameters
    ----------
    x : array_like of float64
        Any numbers, NaN and infinities included.
    dtype : as `float_format` takes

    Returns
    -------
    ndarray of float64, shape of ``x``
        The nearest numbers that the format holds; ±inf beyond its range.

    Examples
    --------
    >>> float(round_to(1e-8, "float16"))
    0.0
    >>> float(round_to(0.999, "bfloat16"))
    1.0
    """
    form = float_format(dtype)
    x = np.asarray(x, dtype=np.float64)
    if form.name == "float64":
        return x.copy()
    with np.errstate(invalid="ignore", over="ignore"):  # NaN; the largest float64 numbers
        exponent = np.maximum(np.frexp(x)[1] - 1, form.min_exponent)
        quantum = np.ldexp(1.0, exponent + 1 - form.precision)
        rounded = np.asarray(np.rint(x / quantum) * quantum)
    return np.where(np.abs(rounded) > form.max, np.copysign(np.inf, x), rounded)


def eps_invisible_from(eps: float, dtype: object) -> float:
    """Return the power of two from which on adding ``eps`` changes no positive number.

    x + ε rounds back to x as soon as ε is less than half a unit in the last place of x.

    Parameters
    ----------
    eps : float
        A positive finite number.
    dtype : as `float_format` takes
        ``eps`` is rounded to it first, as the addition does. Where that gives zero, no number
        is ever changed and the answer is 0; where it gives infinity, every number is changed and
        the answer is inf.

    Returns
    -------
    float
        The bound, in the units of ``eps`` (inf where the format has no such number).

    Examples
    --------
    >>> eps_invisible_from(1e-8, "float32")
    0.25
    """
    if not 0.0 < eps < math.inf:
        raise ValueError(f"Invalid epsilon value: {eps}")
    form = float_format(dtype)
    rounded = float(round_to(eps, dtype))
    if rounded in (0.0, math.inf):
        return rounded
    # With eps in [2ᵉ, 2ᵉ⁺¹), half an ulp of x exceeds it from x = 2^(e + 1 + precision) on;
    # one binade earlier half an ulp is 2ᵉ, and eps still moves some x.
    exponent = math.frexp(rounded)[1] + form.precision
    return math.ldexp(1.0, exponent) if exponent <= form.max_exponent else math.inf


def underflow_gradient(dtype: object, beta2: float, flush_subnormals: bool = False) -> float:
    """Return the |g| below which a first step stores v₁ = (1 − β₂)·g² as zero.

    (1 − β₂)·g² rounds to zero below half the smallest subnormal number, or, on hardware
    that flushes subnormals, below the smallest normal one.

    Parameters
    ----------
    dtype : as `float_format` takes
    beta2 : float
        In [0, 1).
    flush_subnormals : bool
        True for hardware or settings that replace subnormal results by zero.

    Returns
    -------
    float
        The threshold, in the units of the gradient.

    Examples
    --------
    >>> print(f"{underflow_gradient('float16', 0.999):.1e}")
    5.5e-03
    >>> print(f"{underflow_gradient('float32', 0.999):.1e}")
    8.4e-22
    """
    check_beta_at(1, beta2)
    form = float_format(dtype)
    smallest = form.smallest_normal if flush_subnormals else form.smallest_subnormal / 2
    # For float64 half the smallest subnormal is itself not a float: take roots first.
    if smallest == 0.0:
        return math.sqrt(form.smallest_subnormal) / math.sqrt(2 * (1 - beta2))
    return math.sqrt(smallest) / math.sqrt(1 - beta2)


def overflow_gradient(dtype: object, beta2: float = 0.0) -> float:
    """Return the |g| from which on (1 − β₂)·g² rounds to infinity: to max + ulp(max)/2 or more.

    Where g² is formed first, and rounded to the format, β₂ plays no part: leave it at 0. So do
    NumPy and `adamlib.adam_step`. Where the product is formed in a wider format and rounded
    once, pass β₂: so do torch's single-tensor path and its foreach path in half precision.

    Parameters
    ----------
    dtype : as `float_format` takes
    beta2 : float
        In [0, 1).

    Returns
    -------
    float
        The threshold, in the units of the gradient. A number of the format is above it exactly
        where its square is infinite.

    Examples
    --------
    >>> print(f"{overflow_gradient('float16'):.0f}")
    256
    >>> print(f"{overflow_gradient('float16', 0.999):.0f}")
    8094
    """
    check_beta_at(1, beta2)
    form = float_format(dtype)
    # (2 − 2⁻ᵖ)·2ᴱ is infinite already: in float64 it cannot be written, its root can.
    root = math.sqrt((2.0 - math.ldexp(1.0, -form.precision)) * 2.0)
    return math.ldexp(root, (form.max_exponent - 1) // 2) / math.sqrt(1 - beta2)


def average_sticks_at(value: float, beta: float, dtype: object) -> float:
    """Return where an average of a constant value, begun at zero, stops growing for good.

    Only where the format loses the decay altogether, 1 − β ≤ 2^−(precision + 1), so that β·a
    rounds back to a. Then each step adds (1 − β)·value, until half a unit in the last place is
    larger than that: at the first power of two 2ᵏ ≥ 2^precision · (1 − β) · value.

    Parameters
    ----------
    value : float
        What is averaged, above 0: for the second moment g².
    beta : float
        In [0, 1), so close to 1 that the decay is lost.
    dtype : as `float_format` takes

    Returns
    -------
    float
        In the units of ``value``, never more than 2^precision · (1 − β) · 2 of it.

    Raises
    ------
    ValueError
        ``beta 0.9 still decays in bfloat16 (expected 0.998046875 or more, below 1)``.

    Examples
    --------
    >>> average_sticks_at(1.0, 0.999, "bfloat16")
    0.5
    """
    form = float_format(dtype)
    lost_from = 1.0 - math.ldexp(1.0, -form.precision - 1)
    if not lost_from <= beta < 1.0:
        raise ValueError(
            f"beta {beta} still decays in {form.name} (expected {lost_from} or more, below 1)"
        )
    if not 0.0 < value < math.inf:
        raise ValueError(f"Invalid value: {value} (expected a finite number above 0)")
    return 2.0 ** math.ceil(math.log2(math.ldexp((1 - beta) * value, form.precision)))


def ulp_distance(a: ArrayLike, b: ArrayLike) -> NDArray[np.uint64]:
    """Count the steps between neighbouring floats that lead from ``a`` to ``b``.

    Arrays of one dtype (float16, float32 or float64), shapes that broadcast. 0 where the numbers
    are equal (+0 and −0 count as equal, NaN and NaN too); NaN against a number is the largest
    uint64.

    >>> int(ulp_distance(np.float32(1), np.nextafter(np.float32(1), np.float32(2))))
    1
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.dtype not in (np.float16, np.float32, np.float64):
        raise TypeError(f"a and b must have one float dtype, got {a.dtype} and {b.dtype}")
    ranks = [_rank(x) for x in (a, b)]
    # Unsigned subtraction is exact where the signed one would overflow.
    with np.errstate(over="ignore"):  # wrapping around is what unsigned numbers do
        distance = np.maximum(*ranks).astype(np.uint64) - np.minimum(*ranks).astype(np.uint64)
    one_nan = np.isnan(a) != np.isnan(b)
    both_nan = np.isnan(a) & np.isnan(b)
    distance = np.where(one_nan, np.uint64(2**64 - 1), distance)
    return np.where(both_nan, np.uint64(0), distance)


def _rank(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """Position of each float on the number line, as an integer; both zeros are 0."""
    bits = x.view(f"i{x.dtype.itemsize}").astype(np.int64)
    lowest = -(2 ** (8 * x.dtype.itemsize - 1))
    return np.where(bits < 0, lowest - bits, bits)
