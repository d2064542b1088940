"""adamlib.moments against numbers worked by hand and against the sum written out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adamlib import adam_step, bias_correction, ema, ema_weights, init_state
from adamlib.moments import half_life, largest_step, memory, uncorrected_step

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


@pytest.mark.parametrize("beta", [np.longdouble(0.5), np.float32(0.5)])
def test_weights_are_float64_whatever_the_beta(beta):
    assert ema_weights(beta, 3).dtype == np.float64
    assert ema_weights(beta, 3).tolist() == [0.125, 0.25, 0.5]


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


def test_memory_by_hand():
    assert [memory(beta) for beta in (0, 0.5, 0.75)] == [1, 2, 4]
    assert memory(0.9) == pytest.approx(10) and memory(0.999) == pytest.approx(1000)


@given(st.floats(0, 0.95))
def test_memory_is_one_more_than_the_mean_age(beta):
    weights = ema_weights(beta, 2000)  # 0.95²⁰⁰⁰ is 0 to rounding: as good as for ever
    ages = np.arange(1999, -1, -1)
    assert memory(beta) == pytest.approx(1 + math.fsum(ages * weights), rel=1e-9)


def test_half_life_by_hand():
    assert half_life(0.5) == 1
    assert half_life(math.sqrt(0.5)) == pytest.approx(2, rel=1e-15)
    assert half_life(0.9) == pytest.approx(6.58, abs=0.005)  # ln 2 / ln(10/9)
    assert half_life(0.999) == pytest.approx(692.8, abs=0.005)
    assert half_life(0) == 0 and half_life(5e-324) > 0


@given(st.floats(1e-3, 0.9999))
def test_a_weight_halves_in_a_half_life(beta):
    assert beta ** half_life(beta) == pytest.approx(0.5, rel=1e-12)


def uncorrected_by_torch(betas, grads):
    """Step length over lr, from torch's own moments, with nothing corrected."""
    param = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer = torch.optim.Adam([param], betas=betas)
    for grad in grads:
        param.grad = torch.tensor(grad, dtype=torch.float64)
        optimizer.step()
        state = optimizer.state[param]
        yield (state["exp_avg"] / state["exp_avg_sq"].sqrt()).item()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.99), (0.0, 0.999), (0.5, 0.0)])
def test_uncorrected_step_is_that_of_a_constant_gradient(betas):
    lengths = list(uncorrected_by_torch(betas, [-3.0] * 30))
    # rounding: 30 additions of either moment
    np.testing.assert_allclose(-uncorrected_step(betas, np.arange(1, 31)), lengths, rtol=1e-13)


def test_uncorrected_step_by_hand():
    # 0.1/√0.001 = √10; only m corrected: 1/√0.001; only v corrected: 0.1
    assert uncorrected_step((0.9, 0.999), 1) == pytest.approx(math.sqrt(10), rel=1e-12)
    assert uncorrected_step((0, 0.999), 1) == pytest.approx(math.sqrt(1000), rel=1e-12)
    assert uncorrected_step((0.9, 0), 1) == pytest.approx(0.1, rel=1e-12)
    # (1 − 0.9²)/√(1 − 0.999²) = 0.19/√0.001999
    assert uncorrected_step([0.9, 0.999], 2) == pytest.approx(0.19 / math.sqrt(0.001999))


def test_uncorrected_step_peaks_at_twelve():
    steps = np.arange(1, 10_001)
    ratios = uncorrected_step((0.9, 0.999), steps)
    assert ratios.shape == steps.shape and ratios.dtype == np.float64
    assert steps[ratios.argmax()] == 12 and ratios.max() == pytest.approx(6.57, abs=0.005)
    assert type(uncorrected_step((0.9, 0.999), 12)) is float
    # every element is that of its step, to the last bits of a power
    single = [uncorrected_step((0.9, 0.999), int(step)) for step in steps[:50]]
    np.testing.assert_allclose(ratios[:50], single, rtol=1e-13)


@pytest.mark.parametrize(
    "betas, step, error, message",
    [
        (0.9, 1, TypeError, "betas must be a pair of real numbers, got 0.9"),
        ((0.9,), 1, TypeError, r"betas must be a pair of real numbers, got \(0.9,\)"),
        ((0.9, "0.9"), 1, TypeError, "beta must be a real number, got '0.9'"),
        ((1.0, 0.9), 1, ValueError, "Invalid beta parameter: 1.0 "),
        ((0.9, 1.0), 1, ValueError, "Invalid beta parameter: 1.0 "),
        ((0.9, 0.999), 0, ValueError, r"Invalid step: 0 \(expected 1 or more\)"),
        ((0.9, 0.999), 0.5, TypeError, "step must be a whole number, got 0.5"),
        ((0.9, 0.999), np.array([1, 0]), ValueError, "Invalid step: "),
    ],
)
def test_uncorrected_step_refuses(betas, step, error, message):
    with pytest.raises(error, match=message):
        uncorrected_step(betas, step)


FUNCTIONS = {
    "ema": lambda beta: ema(0.0, 1.0, beta),
    "bias_correction": lambda beta: bias_correction(beta, 1),
    "ema_weights": lambda beta: ema_weights(beta, 1),
    "memory": memory,
    "half_life": half_life,
    "largest_step, first": lambda beta: largest_step((beta, 0.999)),
    "largest_step, second": lambda beta: largest_step((0.9, beta)),
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


def bound(beta1, beta2, step):
    """The largest |m̂|/√v̂ after t steps: Cauchy–Schwarz on the weights, written out."""
    w1, w2 = ema_weights(beta1, step), ema_weights(beta2, step)
    largest = math.sqrt(math.fsum(w1**2 / w2))
    return largest * math.sqrt(bias_correction(beta2, step)) / bias_correction(beta1, step)


def test_largest_step_by_hand():
    # 0.1/√(0.001·(1 − 0.81/0.999)) = 0.1/√(0.001·0.189189…) = 0.1/0.0137546…
    assert largest_step((0.9, 0.999)) == pytest.approx(7.2703, abs=1e-4)
    # β₁ = 0: one gradient over the root of (1−β₂)·g²
    assert largest_step((0, 0.75)) == 2.0
    assert largest_step((0.9, 0.81)) == math.inf  # β₁² = β₂ already
    assert largest_step((0.5, 0.0)) == math.inf
    assert [largest_step((beta, beta)) for beta in (0, 0.3, 0.999)] == [1, 1, 1]


@given(st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_no_bound_after_t_steps_exceeds_largest_step(beta1, beta2):
    limit = largest_step((beta1, beta2))
    assert limit >= 1 - 1e-12
    for step in (1, 2, 10, 60):  # more would overflow where β₁² is far above β₂
        assert bound(beta1, beta2, step) <= limit * (1 + 1e-9)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.9, 0.99)])
def test_largest_step_is_approached_and_by_growing_gradients(betas):
    steps = 9000 if betas[1] == 0.999 else 1000
    growth = betas[1] / betas[0]
    param = np.zeros(1)
    state = init_state(param)
    for i in range(steps):
        # held at 1e-150 until the growth reaches 1: their share in the moments is nothing
        grad = np.array([max(growth ** float(i - steps + 1), 1e-150)])
        before, (param, state) = param, adam_step(param, grad, state, lr=1.0, betas=betas, eps=0.0)
    length = abs(param - before)[0]
    assert length == pytest.approx(largest_step(betas), rel=1e-3)
    assert length <= largest_step(betas) * (1 + 1e-12)


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.99, 0.999), "ab c"])
def test_betas_of_largest_step_must_be_a_pair(betas):
    with pytest.raises(TypeError, match="betas must be a pair of real numbers, got "):
        largest_step(betas)
