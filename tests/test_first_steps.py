"""What becomes of a first step, float by float."""

import numpy as np
import pytest

from adamlib.experiments import (
    FIRST_STEPS,
    classify_first_step,
    first_step,
    first_step_map,
    smallest_finite_first_step,
)
from adamlib.floats import underflow_gradient


@pytest.mark.parametrize("call", [first_step, classify_first_step])
def test_first_step_wants_floats(call):
    with pytest.raises(TypeError, match="grad must hold real floats, got dtype int64"):
        call(np.array([1], dtype=np.int64))


@pytest.mark.parametrize(
    "grad, eps, outcome",
    [
        (0.0, 0.0, "NaN"),
        (5e-45, 0.0, "NaN"),  # 0.1·g is below half the smallest subnormal: m is lost as well
        (1e-44, 0.0, "infinite"),
        (8.3e-22, 0.0, "infinite"),
        (8.5e-22, 0.0, "arbitrary"),
        (5.9e-8, 0.0, "arbitrary"),
        (6.0e-8, 0.0, "fine"),
        (1.0, 0.0, "fine"),
        (-1.0, 0.0, "fine"),
        (1e-22, 1e-30, "too long"),
        (1.2e-22, 1e-22, "too long"),  # v is lost: the step is |g|/ε, not about 1
        (1e-22, 1.2e-22, "held back"),
        (1e-22, 1e-21, "held back"),
        (2e-8, 1e-8, "arbitrary"),
        (0.9e-8, 1e-8, "held back"),
        (0.0, 1e-8, "held back"),
        (2e19, 0.0, "held back"),  # g² overflows: a step of zero
    ],
)
def test_first_step_is_classified_in_float32(grad, eps, outcome):
    assert classify_first_step(np.float32(grad), eps) == outcome


def test_where_v_is_lost_eps_alone_decides():
    # float16 loses v below 5.5e-3, far above its rounding noise of 4.9e-4
    half = np.array([4e-3, 4e-3, 6e-3], dtype=np.float16)
    outcomes = classify_first_step(half, np.array([3.5e-3, 4.5e-3, 3.5e-3]))
    assert outcomes.tolist() == ["too long", "held back", "fine"]


def test_noise_is_a_choice():
    assert classify_first_step(1e-9) == "fine"  # float64
    assert classify_first_step(1e-9, noise=1e-8) == "arbitrary"
    assert classify_first_step(0.0, noise=0.0) == "NaN"


@pytest.mark.parametrize("noise", [-1.0, float("nan")])
def test_noise_must_not_be_negative(noise):
    with pytest.raises(ValueError, match=r"Invalid noise: .* \(expected 0 or more\)"):
        classify_first_step(1.0, noise=noise)


# --- where it begins to be finite ---------------------------------------------------------------


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.999])
def test_smallest_finite_step_by_taking_every_float16_step(beta2):
    every = np.arange(0x3C01, dtype=np.int16).view(np.float16)  # 0 to 1, increasing
    finite = np.isfinite(first_step(every, betas=(0.9, beta2)))
    first = finite.argmax()
    assert finite[first:].all() and not finite[:first].any()
    assert smallest_finite_first_step(np.float16, beta2) == every[first]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smallest_finite_step_has_an_infinite_neighbour(dtype):
    found = dtype(smallest_finite_first_step(dtype))
    below = np.nextafter(found, dtype(0))
    assert np.isfinite(first_step(found)) and np.isinf(first_step(below))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("beta2, rtol", [(0.999, 1e-3), (0.99, 1e-2), (0.9, 0.06)])
def test_smallest_finite_step_lies_where_it_is_predicted(dtype, beta2, rtol):
    # NumPy rounds g² to a whole number of subnormals before it multiplies: half a unit of
    # 0.5/(1−β₂), hence the tolerance of (1−β₂)/2 and a little more
    found, predicted = smallest_finite_first_step(dtype, beta2), underflow_gradient(dtype, beta2)
    np.testing.assert_allclose(found, predicted, rtol=rtol)


def test_smallest_finite_step_refuses():
    with pytest.raises(TypeError, match="dtype must be a float dtype, got int64"):
        smallest_finite_first_step(np.int64)
    with pytest.raises(ValueError, match="not finite even for a gradient of 1"):
        smallest_finite_first_step(np.float16, beta2=1 - 1e-9)


# --- the map --------------------------------------------------------------------------------


def test_map_takes_every_pair_and_zero():
    got = first_step_map(np.float32, (-46, 2), (-30, 0), per_decade=2)
    assert got.outcomes.shape == got.eps.shape + got.grads.shape == (61, 97)
    assert got.grads[0] == got.eps[0] == 0
    np.testing.assert_allclose(got.grads[1:3], [10**-45.75, 10**-45.25])
    assert set(got.outcomes.flat) == set(FIRST_STEPS)
    for i, j in [(0, 0), (0, 50), (1, 40), (30, 60), (60, 96), (60, 0)]:
        expected = classify_first_step(np.float32(got.grads[j]), float(got.eps[i]))
        assert got.outcomes[i, j] == expected
    assert got.underflow == underflow_gradient("float32", 0.999)
    assert got.noise == 2.0**-24


def test_any_eps_that_float32_holds_removes_nan_and_infinity():
    got = first_step_map(np.float32)
    assert not np.isin(got.outcomes[1:], ["NaN", "infinite"]).any()
    assert list(dict.fromkeys(got.outcomes[0])) == ["NaN", "infinite", "arbitrary", "fine"]


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(per_decade=0), r"Invalid per_decade: 0 \(expected 1 or more\)"),
        (dict(grad_decades=(2, 1)), r"Invalid decades: \(2, 1\) \(expected an increasing pair\)"),
        (dict(eps_decades=(0, 0)), r"Invalid decades: \(0, 0\) \(expected an increasing pair\)"),
    ],
)
def test_map_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        first_step_map(**options)
