"""adamlib.moments against numbers worked by hand and against the sum written out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adamlib import bias_correction, ema, ema_weights

BETA = st.floats(0, 1, exclude_max=True)


def test_ema_by_hand():
    # 0.9·0 + 0.1·2 = 0.2; 0.9·0.2 + 0.1·(−3) = −0.12; 0.9·(−0.12) + 0.1·0 = −0.108
    average, seen = 0.0, []
    for value in (2.0, -3.0, 0.0):
        average = ema(average, value, 0.9)
        seen.append(average)
    assert seen == pytest.approx([0.2, -0.12, -0.108], rel=1e-15)


def test_ema_at_the_ends():
    assert ema(5.0, 7.0, 0) == 7.0  # β = 0 forgets everything
    assert ema(5.0, 5.0, 0.75) == 5.0  # a constant stays


@given(BETA, st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_ema_is_the_weighted_sum(beta, values):
    average = 0.0
    for value in values:
        average = ema(average, value, beta)
    weighted = math.fsum(ema_weights(beta, len(values)) * values)
    # rounding: a few units of the largest value a step
    assert average == pytest.approx(weighted, rel=1e-12, abs=1e-11)


@given(BETA, st.integers(1, 300))
def test_weights_sum_to_the_bias_correction(beta, step):
    weights = ema_weights(beta, step)
    assert weights.shape == (step,) and weights.dtype == np.float64
    assert math.fsum(weights) == pytest.approx(bias_correction(beta, step), rel=1e-12, abs=1e-13)
    assert np.all(np.diff(weights) >= 0)  # the newest counts most
    assert weights[-1] == 1 - beta


def test_weights_by_hand():
    # (1−β)β², (1−β)β, 1−β with β = 1/2
    assert ema_weights(0.5, 3).tolist() == [0.125, 0.25, 0.5]
    assert ema_weights(0.0, 2).tolist() == [0.0, 1.0]


def test_bias_correction_by_hand():
    assert bias_correction(0.5, 0) == 0
    assert bias_correction(0.5, 1) == 0.5
    assert bias_correction(0.5, 3) == 0.875
    assert bias_correction(0.0, 0) == 0  # 0⁰ is 1
    assert bias_correction(0.0, 5) == 1
    # the 31.6 of the reordered form at t = 1: 1/√(1 − 0.999)
    assert 1 / math.sqrt(bias_correction(0.999, 1)) == pytest.approx(31.6, abs=0.03)


def test_bias_correction_of_many_steps_is_that_of_each():
    steps = np.array([[0, 1], [10, 1000]])
    expected = [[bias_correction(0.9, int(step)) for step in row] for row in steps]
    np.testing.assert_array_equal(bias_correction(0.9, steps), expected)


@pytest.mark.parametrize("beta", [0.9, np.float64(0.9), np.float32(0.5), 0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_ema_keeps_dtype_and_inputs(beta, dtype):
    average, value = np.ones(3, dtype), np.full(3, 2, dtype)
    assert ema(average, value, beta).dtype == dtype
    assert np.all(average == 1) and np.all(value == 2)


def test_ema_works_on_tensors_and_broadcasts():
    got = ema(torch.zeros(2, 1), torch.ones(3), 0.75)
    assert torch.equal(got, torch.full((2, 3), 0.25))
    assert ema(np.zeros((2, 1)), np.ones(3), 0.75).shape == (2, 3)


FUNCTIONS = {
    "ema": lambda beta: ema(0.0, 1.0, beta),
    "bias_correction": lambda beta: bias_correction(beta, 1),
    "ema_weights": lambda beta: ema_weights(beta, 1),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "beta, error, message",
    [
        (1.0, ValueError, r"Invalid beta parameter: 1.0 \(expected 0 <= beta < 1\)"),
        (1, ValueError, "Invalid beta parameter: 1 "),
        (-0.1, ValueError, "Invalid beta parameter: -0.1 "),
        (math.nan, ValueError, "Invalid beta parameter: nan "),
        (math.inf, ValueError, "Invalid beta parameter: inf "),
        ("0.9", TypeError, "beta must be a real number, got '0.9'"),
        (True, TypeError, "beta must be a real number, got True"),
        (None, TypeError, "beta must be a real number, got None"),
        (0.9j, TypeError, "beta must be a real number, got 0.9j"),
    ],
)
def test_bad_beta_is_refused(function, beta, error, message):
    with pytest.raises(error, match=message):
        FUNCTIONS[function](beta)


@pytest.mark.parametrize("function, lowest", [(bias_correction, 0), (ema_weights, 1)])
@pytest.mark.parametrize(
    "step, error, message",
    [
        (-1, ValueError, "Invalid step: -1 "),
        (0.5, TypeError, "step must be a whole number, got 0.5"),
        (math.nan, TypeError, "step must be a whole number, got nan"),
        ("3", TypeError, "step must be a whole number, got '3'"),
        (True, TypeError, "step must be a whole number, got True"),
        (None, TypeError, "step must be a whole number, got None"),
    ],
)
def test_bad_step_is_refused(function, lowest, step, error, message):
    with pytest.raises(error, match=message):
        function(0.9, step)
    with pytest.raises(ValueError, match=rf"Invalid step: {lowest - 1} \(expected {lowest} or"):
        function(0.9, lowest - 1)
