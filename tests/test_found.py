"""What the exercises of notebooks 00 to 03 say that you should find is what a run finds."""

import numpy as np
import pytest

import adamlib
from adamlib.exercises.nb01 import first_weight, step_ratio
from adamlib.exercises.nb02 import bound, my_gradients, my_step, step_lengths
from adamlib.exercises.nb03 import eps_for
from adamlib.experiments import first_step, run, sgd
from adamlib.moments import ema_weights
from adamlib.problems import narrow_valley

VALLEY = narrow_valley(curvatures=(1, 50), start=(-4, 1))


@pytest.mark.parametrize(("lr", "across"), [(0.039, 0.05), (0.041, 19)])
def test_sgd_on_both_sides_of_its_bound(lr, across):
    assert run(VALLEY, sgd(lr), 60).params[1] == pytest.approx(across, rel=0.1)


@pytest.mark.parametrize(("gradient", "share"), [(1e-6, 0.99), (1e-7, 0.91)])
def test_the_share_of_a_first_step_beside_eps(gradient, share):
    zero = np.zeros(1)
    moved, _ = adamlib.adam_step(zero, np.array([gradient]), adamlib.init_state(zero), lr=1.0)
    assert -moved.item() == pytest.approx(share, abs=0.005)


def test_adam_with_a_rate_of_2_does_not_leave_the_valley():
    def adam(params):
        return adamlib.Adam(params, lr=2)

    after = [np.linalg.norm(run(VALLEY, adam, steps).params) for steps in (60, 200, 1000)]
    assert after[:2] == pytest.approx([0.06, 0.0001], rel=0.2)
    assert after[2] < 1e-20


def test_the_longest_uncorrected_step_with_another_beta2():
    steps = np.arange(1, 1000)
    ratios = step_ratio(0.9, 0.99, steps)
    assert (steps[ratios.argmax()], ratios.max()) == (13, pytest.approx(2.13, abs=0.005))


@pytest.mark.parametrize(("steps", "other", "corrected"), [(100, 9057, 96), (1000, 3681, 6.8)])
def test_an_outlier_at_the_start(steps, other, corrected):
    first = first_weight(0.999, steps)
    assert first * 100**2 + (1 - first) == pytest.approx(other, abs=0.5)
    weights = ema_weights(0.999, steps)
    squares = np.where(np.arange(steps) == 0, 100.0**2, 1.0)
    assert weights @ squares / weights.sum() == pytest.approx(corrected, rel=0.005)


def test_three_steps_by_hand():
    theta, m, v, t = 1.0, 0.0, 0.0, 0
    thetas = []
    for _ in range(3):
        theta, m, v, t = my_step(theta, theta, m, v, t, 0.5, 0.9, 0.999, 0.0)
        thetas.append(theta)
    assert thetas == pytest.approx([0.5, 0.03391, -0.336], abs=5e-4)
    corrected = m / (1 - 0.9**3), np.sqrt(v / (1 - 0.999**3))
    assert corrected == pytest.approx((0.477, 0.646), abs=6e-4)


def test_the_length_that_no_step_reaches():
    found = [bound(*betas) for betas in ((0.9, 0.999), (0.9, 0.99), (0.5, 0.5))]
    assert found == pytest.approx([7.27, 2.35, 1], abs=0.005)


def test_the_steps_of_gradients_that_shrink():
    lengths = step_lengths(my_gradients(), (0.9, 0.5))[[9, 19, 29]]
    assert lengths == pytest.approx([3, 25, 260], rel=0.03)


@pytest.mark.parametrize("gradient", [1e-6, -0.02, 500.0])
def test_from_half_a_step_to_a_tenth_eps_grows_ninefold(gradient):
    half, tenth = eps_for(gradient, 0.5), eps_for(gradient, 0.1)
    assert tenth / half == pytest.approx(9)
    lengths = [abs(first_step(np.array([gradient]), eps)).item() for eps in (half, tenth)]
    assert lengths == pytest.approx([0.5, 0.1])


@pytest.mark.parametrize("eps", [0.0, 1e-8, 1.0, 1e30])
def test_a_square_beyond_the_largest_number_makes_a_step_of_zero(eps):
    assert first_step(np.array([2e19], np.float32), eps) == 0
