"""adamlib.floats against NumPy's and torch's own casts, additions and neighbours."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adamlib.floats import (
    FORMATS,
    eps_invisible_from,
    float_format,
    round_to,
    ulp_distance,
    underflow_gradient,
)

NAMES = ("float16", "bfloat16", "float32", "float64")
ALL_16_BITS = np.arange(2**16, dtype=np.uint16)
ANY_FLOAT = st.floats(width=64)
FINITE = st.floats(width=64, allow_nan=False, allow_infinity=False)


def every_value(name: str) -> np.ndarray:
    """All 65536 float16 or bfloat16 values, as float64."""
    if name == "float16":
        return ALL_16_BITS.view(np.float16).astype(np.float64)
    return torch.tensor(ALL_16_BITS.view(np.int16)).view(torch.bfloat16).double().numpy()


def finite_values(name: str) -> np.ndarray:
    """All finite values, each once, in increasing order."""
    values = every_value(name)
    return np.unique(values[np.isfinite(values)])


def cast(x, name: str) -> np.ndarray:
    """Round by the library that has the format; exact for float32 input to bfloat16."""
    if name == "bfloat16":
        return torch.tensor(np.asarray(x)).to(torch.bfloat16).double().numpy()
    with np.errstate(all="ignore"):
        return np.asarray(x, np.float64).astype(name).astype(np.float64)


def assert_same(got, expected):
    """Equal numbers, equal signs of zero, NaN where NaN is."""
    np.testing.assert_array_equal(got, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(expected)[number])


# --- the formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_format_has_the_limits_that_torch_reports(name):
    form, info = float_format(name), torch.finfo(getattr(torch, name))
    assert form.max == info.max
    assert form.smallest_normal == info.tiny
    assert form.ulp(1.0) == info.eps
    assert form.smallest_subnormal == info.tiny * info.eps


@pytest.mark.parametrize(
    "dtype, name",
    [
        ("bfloat16", "bfloat16"),
        (np.float16, "float16"),
        (np.dtype("float32"), "float32"),
        (np.float64(1).dtype, "float64"),
        (torch.bfloat16, "bfloat16"),
        (torch.float64, "float64"),
    ],
)
def test_format_is_found_by_any_spelling(dtype, name):
    assert float_format(dtype) is FORMATS[name]


@pytest.mark.parametrize("dtype", ["int32", np.int32, torch.int8, "float8", None, 3, ""])
def test_unknown_format_is_refused(dtype):
    with pytest.raises(ValueError, match="Unknown floating-point format: .*expected one of"):
        float_format(dtype)


# --- ulp --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_ulp_is_the_gap_to_the_next_number_for_every_number(name):
    values = finite_values(name)
    values = values[values >= 0]
    gaps = [float_format(name).ulp(x) for x in values[:-1]]
    np.testing.assert_array_equal(gaps, np.diff(values))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(FINITE)
def test_ulp_is_numpy_spacing(dtype, x):
    with np.errstate(all="ignore"):
        x_there = dtype(abs(x))
    if x_there < np.finfo(dtype).max:
        assert float_format(dtype).ulp(float(x_there)) == np.spacing(x_there)
        assert float_format(dtype).ulp(-float(x_there)) == np.spacing(x_there)


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_ulp_of_no_number_is_refused(x):
    with pytest.raises(ValueError, match=f"x must be finite, got {x}"):
        float_format("float32").ulp(x)


# --- rounding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_number_of_a_format_rounds_to_itself(name):
    values = every_value(name)
    assert_same(round_to(values, name), values)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_every_midpoint_rounds_to_the_even_neighbour(name):
    values = finite_values(name)
    below, above = values[:-1], values[1:]
    middle = (below + above) / 2
    rounded = round_to(middle, name)
    assert np.all((rounded == below) | (rounded == above))
    unit = np.array([float_format(name).ulp(x) for x in middle])
    assert np.all(rounded / unit % 2 == 0)
    # a hair to either side it is the nearer one
    np.testing.assert_array_equal(round_to(np.nextafter(middle, np.inf), name), above)
    np.testing.assert_array_equal(round_to(np.nextafter(middle, -np.inf), name), below)


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
@given(st.lists(ANY_FLOAT, min_size=1, max_size=20))
def test_rounding_is_the_cast_of_numpy(name, xs):
    assert_same(round_to(xs, name), cast(xs, name))


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_rounding_to_bfloat16_is_the_cast_of_torch(xs):
    # from float32: from float64 torch rounds twice
    assert_same(round_to(xs, "bfloat16"), cast(np.array(xs, np.float32), "bfloat16"))


@pytest.mark.parametrize("name", NAMES)
def test_rounding_at_the_ends_of_the_range(name):
    form = float_format(name)
    assert round_to(form.max, name) == form.max
    assert round_to(form.smallest_subnormal, name) == form.smallest_subnormal
    if name != "float64":
        half_way = form.max + form.ulp(form.max) / 2
        assert round_to(half_way, name) == math.inf
        assert round_to(-half_way, name) == -math.inf
        assert round_to(np.nextafter(half_way, 0), name) == form.max
        assert round_to(np.finfo(np.float64).max, name) == math.inf
        assert round_to(form.smallest_subnormal / 2, name) == 0


@pytest.mark.parametrize("name", NAMES)
def test_rounding_keeps_shape_and_input(name):
    x = np.full((2, 3), 0.1)
    rounded = round_to(x, name)
    assert rounded.shape == (2, 3) and rounded.dtype == np.float64
    assert not np.shares_memory(rounded, x)
    assert round_to(0.1, name).shape == ()
    assert np.all(x == 0.1)


# --- where eps vanishes -----------------------------------------------------------------------


def test_eps_1e8_is_invisible_in_float32_from_a_quarter_on():
    assert eps_invisible_from(1e-8, "float32") == 0.25
    eps = np.float32(1e-8)
    for x in (0.25, 0.3, 0.5, 1.0, 3.0):
        assert np.float32(x) + eps == np.float32(x)
    assert np.float32(0.125) + eps != np.float32(0.125)
    just_below = np.nextafter(np.float32(0.25), np.float32(0))
    assert just_below + eps == np.float32(0.25)  # still moves


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_eps_invisible_from_is_tight_over_every_number(name):
    values = finite_values(name)
    values = values[values >= 0]
    rng = np.random.default_rng(0)
    positive = np.concatenate([values[1:200], values[-200:], rng.choice(values[1:], 200)])
    for eps in positive:
        bound = eps_invisible_from(eps, name)
        # float32 sums round to the sums of 16-bit formats: it has more than twice their bits
        with np.errstate(over="ignore"):
            total = cast(values.astype(np.float32) + np.float32(eps), name)
        changed = values[total != values]
        assert changed.max() < bound
        half = bound / 2 if bound < math.inf else math.ldexp(1.0, float_format(name).max_exponent)
        assert changed.max() >= half, (eps, bound)


@pytest.mark.parametrize(
    "eps, name, bound",
    [
        (1e-8, "float16", 0.0),  # rounds to zero: changes nothing
        (1e-8, "bfloat16", 2.0**-18),
        (1e-8, "float64", 2.0**27),
        (1e6, "float16", math.inf),  # rounds to infinity: changes everything
        (60000.0, "float16", math.inf),
        (1e308, "float64", math.inf),
        (5e-324, "float64", 2.0**-1020),
    ],
)
def test_eps_invisible_from_examples(eps, name, bound):
    assert eps_invisible_from(eps, name) == bound


@pytest.mark.parametrize("eps", [0.0, -1, math.nan, math.inf])
def test_eps_that_is_no_positive_number_is_refused(eps):
    with pytest.raises(ValueError, match=f"Invalid epsilon value: {eps}"):
        eps_invisible_from(eps, "float32")


# --- where g² underflows ----------------------------------------------------------------------


@pytest.mark.parametrize("beta2", [0.0, 0.9, 0.99, 0.999, 1 - 2**-10])
@pytest.mark.parametrize("name", NAMES)
def test_underflow_threshold_is_where_v_becomes_zero(name, beta2):
    threshold = underflow_gradient(name, beta2)
    dtype = getattr(torch, name)

    def v1(g: float) -> float:
        g = torch.tensor([g], dtype=dtype)
        return torch.zeros(1, dtype=dtype).addcmul_(g, g, value=1 - beta2).item()

    # 2 %: g itself is rounded to the dtype first, to 8 bits in bfloat16
    assert v1(threshold * 0.98) == 0 < v1(threshold * 1.02)
    assert v1(-threshold * 0.98) == 0 < v1(-threshold * 1.02)


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("beta2", [0.0, 0.9, 0.999])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_underflow_threshold_is_exact_when_rounded_once(name, beta2, flush):
    threshold = underflow_gradient(name, beta2, flush)
    below, above = ((1 - beta2) * (threshold * c) ** 2 for c in (1 - 1e-12, 1 + 1e-12))
    if flush:  # before rounding: a normal number may round up from just below
        assert below < float_format(name).smallest_normal <= above
    else:
        assert round_to(below, name) == 0 < round_to(above, name)


@pytest.mark.parametrize("beta2", [1.0, -0.1, math.nan, math.inf])
def test_underflow_refuses_bad_beta(beta2):
    with pytest.raises(ValueError, match=f"Invalid beta parameter at index 1: {beta2}"):
        underflow_gradient("float32", beta2)


# --- ulp distance -----------------------------------------------------------------------------


def test_ulp_distance_counts_every_float16():
    values = finite_values("float16").astype(np.float16)  # −0 and +0 are one
    assert np.all(ulp_distance(values[1:], values[:-1]) == 1)
    index = np.arange(len(values))
    i, j = np.random.default_rng(0).choice(index, (2, 10_000))
    np.testing.assert_array_equal(ulp_distance(values[i], values[j]), np.abs(i - j))


@given(st.floats(-1e308, 1e308), st.integers(0, 20), st.booleans())
def test_ulp_distance_counts_neighbours(x, n, up):
    y = np.float64(x)
    for _ in range(n):
        y = np.nextafter(y, np.inf if up else -np.inf)
    assert ulp_distance(np.float64(x), y) == n == ulp_distance(y, np.float64(x))


@pytest.mark.parametrize("dtype, width", [(np.float16, 16), (np.float32, 32), (np.float64, 64)])
def test_ulp_distance_special_values(dtype, width):
    zero, one, nan, inf = (dtype(x) for x in (0, 1, math.nan, math.inf))
    assert ulp_distance(zero, -zero) == 0
    assert ulp_distance(nan, -nan) == 0
    assert ulp_distance(nan, one) == 2**64 - 1 == ulp_distance(one, nan)
    assert ulp_distance(inf, np.finfo(dtype).max) == 1
    infinity_rank = int(inf.view(f"u{width // 8}"))
    assert ulp_distance(-inf, inf) == 2 * infinity_rank
    assert ulp_distance(-one, one) == 2 * int(one.view(f"u{width // 8}"))


def test_ulp_distance_broadcasts():
    assert ulp_distance(np.ones((2, 1)), np.ones(3)).shape == (2, 3)


@pytest.mark.parametrize(
    "a, b",
    [(np.float32(1), np.float64(1)), (1, 2), (np.array(1j), np.array(1j)), ("a", "b")],
)
def test_ulp_distance_refuses_other_dtypes(a, b):
    with pytest.raises(TypeError, match="a and b must have one float dtype, got"):
        ulp_distance(a, b)


def test_a_format_is_not_changed():
    """All who ask for a format get the same one."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        float_format("float16").name = "half"
