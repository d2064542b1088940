"""Walks against torch step by step, drifts against the paper and linear algebra."""

import math
import re
from itertools import product

import numpy as np
import pytest
import torch

import notebooks
from adamlib import DIALECTS, Dialect, adam_step, init_state, pytorch
from adamlib.experiments import (
    denominators,
    drift,
    eps_threshold,
    periodic_average,
    rare_gradient,
    walk_on_interval,
)
from covering import covering

FIRST, LAST = rare_gradient(1010, -10, 101), rare_gradient(1010, -10, 101, at=101)
BETAS = (0.9, 0.99)
SMALL, SMALL_BETAS = rare_gradient(4, -1, 3), (0.0, 1 / 17)


def falling(t):
    return 0.5 / np.sqrt(t)


def torch_path(gradients, steps, lr, *, start=0.0, betas=BETAS, eps=1e-8, amsgrad=False):
    """Every position that torch's own Adam visits, clipped to [−1, 1]."""
    x = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([x], betas=betas, eps=eps, amsgrad=amsgrad)
    path = []
    for t in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = float(lr(t)) if callable(lr) else lr
        x.grad = torch.tensor([gradients[(t - 1) % len(gradients)]], dtype=torch.float64)
        optimizer.step()
        x.data.clamp_(-1, 1)
        path.append(x.item())
    return np.array(path)


# --- gradients and averages ----------------------------------------------------------------------


def test_the_rare_gradient_is_where_the_paper_has_it():
    for t in range(1, 400):
        assert FIRST[(t - 1) % 101] == (1010 if t % 101 == 1 else -10)
        assert LAST[(t - 1) % 101] == (1010 if t % 101 == 0 else -10)
        assert SMALL[(t - 1) % 3] == (4 if t % 3 == 1 else -1)


@pytest.mark.parametrize("period", [1, 0, 2.0, True])
def test_a_period_has_two_steps_or_more(period):
    with pytest.raises(ValueError, match="Invalid period: .* \\(expected 2 or more\\)"):
        rare_gradient(1, -1, period)


@pytest.mark.parametrize("at", [0, 4, 1.0])
def test_the_rare_gradient_is_inside_the_period(at):
    with pytest.raises(ValueError, match="Invalid at: .* \\(expected 1 to 3\\)"):
        rare_gradient(1, -1, 3, at)


@pytest.mark.parametrize("beta", [0.0, 1 / 17, 0.9, 0.999, 0.99999])
@pytest.mark.parametrize("length", [1, 3, 101])
def test_the_periodic_average_solves_the_linear_system(length, beta):
    values = np.random.default_rng(length).standard_normal(length)
    before = np.roll(np.eye(length), -1, axis=1)
    expected = np.linalg.solve(np.eye(length) - beta * before, (1 - beta) * values)
    np.testing.assert_allclose(periodic_average(values, beta), expected, rtol=1e-9, atol=1e-12)


def test_the_periodic_average_by_hand():
    # C = 4, beta2 = 1/17: v3 = (16/17)(16/289 + 1/17 + 1)/(1 - 1/4913) = 322/307
    v = periodic_average([16, 1, 1], 1 / 17)
    np.testing.assert_allclose(v, [4642 / 307, 562 / 307, 322 / 307], rtol=1e-14)


@pytest.mark.parametrize("beta", [1.0, -0.1, math.nan])
def test_the_periodic_average_needs_a_beta_below_one(beta):
    with pytest.raises(ValueError, match="Invalid beta: .* \\(expected 0 <= beta < 1\\)"):
        periodic_average([1.0, 2.0], beta)


@pytest.mark.parametrize("function", [drift, eps_threshold, denominators])
@pytest.mark.parametrize("values", [np.ones((2, 2)), [], 3.0])
def test_a_period_has_one_axis(function, values):
    with pytest.raises(ValueError, match="gradients has shape .* \\(expected one period"):
        function(values)


# --- drift and threshold -------------------------------------------------------------------------


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("gradients, betas", [(FIRST, BETAS), (LAST, BETAS), (SMALL, SMALL_BETAS)])
def test_the_drift_is_what_torch_drifts(gradients, betas, amsgrad):
    eps, n = 0.5, len(gradients)
    path = torch_path(gradients, 60 * n, 1e-6, betas=betas, eps=eps, amsgrad=amsgrad)
    moved = (path[-1] - path[-1 - n]) / 1e-6
    np.testing.assert_allclose(drift(gradients, betas, eps, amsgrad), moved, rtol=1e-6)


@pytest.mark.parametrize("betas", [(0.0, 0.5), (0.9, 0.999), (0.99, 0.9)])
def test_amsgrad_drifts_as_the_sum_of_the_gradients(betas):
    """A large period: −Σg over one root."""
    gradients = np.random.default_rng(0).standard_normal(50)
    root = np.sqrt(periodic_average(gradients**2, betas[1]).max())
    found = drift(gradients, betas, 0.25, amsgrad=True)
    np.testing.assert_allclose(found, -gradients.sum() / (root + 0.25), rtol=1e-9)


def test_the_drift_takes_many_eps_at_once():
    eps = np.array([[0.0, 1.0, 2.0], [4.0, 8.0, 1e9]])
    each = [[drift(SMALL, SMALL_BETAS, e) for e in row] for row in eps]
    np.testing.assert_array_equal(drift(SMALL, SMALL_BETAS, eps), each)
    assert drift(SMALL, SMALL_BETAS, 1e9) == pytest.approx(-2e-9, rel=1e-6)


def test_the_threshold_of_the_papers_first_example():
    assert eps_threshold(SMALL, SMALL_BETAS) == pytest.approx(1.5312513650, abs=1e-9)
    a, b, c = np.sqrt([4642 / 307, 562 / 307, 322 / 307])
    quadratic = [2, 3 * (b + c) - 2 * a, 4 * b * c - a * (b + c)]
    assert eps_threshold(SMALL, SMALL_BETAS) == pytest.approx(max(np.roots(quadratic)), rel=1e-12)


def test_the_threshold_of_the_papers_second_example():
    assert eps_threshold(FIRST, BETAS) == pytest.approx(2078.36, abs=0.01)
    assert eps_threshold(LAST, BETAS) == pytest.approx(eps_threshold(FIRST, BETAS), rel=1e-9)
    # exercise 2: less where the rare gradient outweighs the others by more than 1 %
    assert eps_threshold(rare_gradient(1100, -10, 101), BETAS) == pytest.approx(137.44, abs=0.01)


@pytest.mark.parametrize(
    "small, wrong, right", [(100, 1.02, 1.03), (1000, 1.29, 1.3), (20_000, 1000, None)]
)
def test_how_much_a_rare_gradient_may_outweigh_the_others(small, wrong, right):
    """Exercise 3, with Adam's defaults: the drift is positive up to this factor."""
    assert drift(rare_gradient(wrong * small, -1, small + 1)) > 0
    assert right is None or drift(rare_gradient(right * small, -1, small + 1)) < 0


def test_the_threshold_scales_with_the_gradients_and_not_with_their_sign():
    base = eps_threshold(SMALL, SMALL_BETAS)
    assert eps_threshold(1e-6 * SMALL, SMALL_BETAS) == pytest.approx(1e-6 * base, rel=1e-9)
    assert eps_threshold(-SMALL, SMALL_BETAS) == pytest.approx(base, rel=1e-12)


def test_there_is_no_threshold_where_adam_is_right():
    assert eps_threshold(SMALL, (0.0, 0.9)) == 0.0
    assert eps_threshold([1.0, 1.0]) == 0.0
    with pytest.raises(ValueError, match="gradients add up to 0 \\(expected a direction to go\\)"):
        eps_threshold([1.0, -1.0])


def test_the_simulation_turns_round_at_the_threshold():
    """adam_step itself, with a batch of eps on both sides of it."""
    eps = np.array([1.0, 1.51, 1.55, 10.0])
    x = np.zeros(4)
    state = init_state(x)
    for t in range(10_000):
        grad = np.full(4, SMALL[t % 3])
        x, state = adam_step(x, grad, state, lr=0.01, betas=SMALL_BETAS, eps=eps)
        x = x.clip(-1, 1)
    assert x[0] > 0.98 and x[3] < -0.98
    assert 0 < x[1] < 0.2 and -0.2 < x[2] < 0


# --- walks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gradients, lr, amsgrad", covering(product([FIRST, LAST], [falling, 0.5, 0.003], [False, True]))
)
def test_a_walk_is_where_torch_is(gradients, lr, amsgrad):
    """Ends, lowest and highest points, well beyond the place where the periods repeat."""
    periods = 60
    path = torch_path(gradients, 101 * periods, lr, start=0.25, amsgrad=amsgrad)
    there = walk_on_interval(gradients, periods, lr, start=0.25, betas=BETAS, amsgrad=amsgrad)
    rows = path.reshape(periods, 101)
    assert there.steps.tolist() == [101 * (k + 1) for k in range(periods)]
    for found, expected in (
        (there.end, rows[:, -1]),
        (there.low, rows.min(axis=1)),
        (there.high, rows.max(axis=1)),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_walk_that_is_shorter_than_the_memory():
    path = torch_path(SMALL, 3, 0.1, betas=BETAS, eps=0.5, start=-1.0)
    there = walk_on_interval(SMALL, 1, 0.1, betas=BETAS, eps=0.5, start=-1.0)
    np.testing.assert_allclose(there.end, path[-1:], rtol=0, atol=1e-14)


def test_a_walk_of_optax():
    """By hand: the maximum of the corrected v. (tests/frameworks has optax itself.)"""
    m = v = largest = x = 0.0
    found = []
    for t in range(1, 60 * 101 + 1):
        g = FIRST[(t - 1) % 101]
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        largest = max(largest, v / (1 - 0.99**t))
        x = min(1, max(-1, x - falling(t) * m / (1 - 0.9**t) / (largest**0.5 + 1e-8)))
        found.append(x)
    there = walk_on_interval(FIRST, 60, falling, betas=BETAS, amsgrad=True, dialect="optax")
    np.testing.assert_allclose(there.end, found[100::101], rtol=0, atol=1e-12)


def test_the_papers_claim_after_a_hundred_thousand_steps():
    adam, amsgrad = (
        walk_on_interval(FIRST, 990, falling, betas=BETAS, amsgrad=kind) for kind in (False, True)
    )
    assert adam.low[-1] > 0.99 and amsgrad.high[-1] < -0.99
    assert adam.middle[-1] == pytest.approx(0.9955, abs=1e-4)
    assert amsgrad.middle[-1] == pytest.approx(-0.9957, abs=1e-4)


@pytest.mark.slow
def test_the_late_gradient_takes_amsgrad_millions_of_steps():
    """Step by step in plain Python: 5.8 million steps, some seconds."""
    there = walk_on_interval(LAST, 58_000, falling, betas=BETAS, amsgrad=True)
    m = v = largest = x = 0.0
    power1 = power2 = 1.0
    found = []
    for t in range(1, 58_000 * 101 + 1):
        g = -10.0 if t % 101 else 1010.0
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        power1, power2 = 0.9 * power1, 0.99 * power2
        largest = v if v > largest else largest
        x -= 0.5 / t**0.5 * (m / (1 - power1)) / ((largest / (1 - power2)) ** 0.5 + 1e-8)
        x = 1.0 if x > 1 else -1.0 if x < -1 else x
        if t % 101 == 0:
            found.append(x)
    np.testing.assert_allclose(there.end, found, rtol=0, atol=1e-9)
    assert there.end[9_900] > 0.08  # a million steps: not even in the middle
    below = np.argmax(there.middle < -0.99)
    assert 5.6e6 < there.steps[below] < 5.8e6


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("gradients", [FIRST, LAST], ids=["first", "last"])
def test_a_constant_rate_of_one_half_sweeps_the_interval(gradients, amsgrad):
    there = walk_on_interval(gradients, 990, 0.5, betas=BETAS, amsgrad=amsgrad)
    assert (there.low[-1], there.high[-1]) == (-1.0, 1.0)


def test_a_walk_has_the_betas_of_adam_unless_told_otherwise():
    path = torch_path(FIRST, 3 * 101, 0.01, betas=(0.9, 0.999))
    np.testing.assert_allclose(
        walk_on_interval(FIRST, 3, 0.01).end, path[100::101], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("beta2, end", [(1 / 17, 1), (0.4, -1)])
def test_a_larger_beta2_mends_the_first_example(beta2, end):
    there = walk_on_interval(SMALL, 3333, 0.01, betas=(0.0, beta2))
    assert there.end[-1] == pytest.approx(end, abs=0.02)


@pytest.mark.parametrize("periods", [0, 1.0, True])
def test_a_walk_needs_a_number_of_periods(periods):
    with pytest.raises(ValueError, match="Invalid number of periods: .* \\(expected 1 or more\\)"):
        walk_on_interval(SMALL, periods, 0.1)


@pytest.mark.parametrize("start", [-1.5, 2, math.nan])
def test_a_walk_starts_in_the_interval(start):
    with pytest.raises(ValueError, match="Invalid start: .* \\(expected -1 to 1\\)"):
        walk_on_interval(SMALL, 1, 0.1, start=start)


# --- denominators --------------------------------------------------------------------------------

OUTLIER = np.array([100.0] + [1.0] * 4999)


def test_torch_divides_by_a_falling_root():
    root = denominators(OUTLIER, amsgrad=True)
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=1.0, eps=0.0, amsgrad=True)
    for t, g in enumerate(OUTLIER, start=1):
        x.grad = torch.tensor([g])
        optimizer.step()
        if t in (1, 2, 10, 100, 5000):
            stored = optimizer.state[x]["max_exp_avg_sq"].item()
            assert root[t - 1] == pytest.approx((stored / (1 - 0.999**t)) ** 0.5, rel=1e-9)
    assert root[0] == pytest.approx(100)
    assert root[-1] == pytest.approx(3.173, abs=5e-4)
    assert (np.diff(root) < 0).all()


def test_optax_divides_by_a_hundred_for_ever():
    root = denominators(OUTLIER, amsgrad=True, dialect="optax")
    np.testing.assert_allclose(root, 100, rtol=1e-9)


def test_what_is_not_corrected_is_divided_by_the_root_of_v():
    v = np.array([4.0, 3.0])  # beta2 = 0.75, gradients 4 and 0
    plain = denominators([4.0, 0.0], betas=(0.9, 0.75), dialect="bert")
    np.testing.assert_allclose(plain, np.sqrt(v), rtol=1e-12)
    corrected = denominators([4.0, 0.0], betas=(0.9, 0.75))
    np.testing.assert_allclose(corrected, np.sqrt(v / [0.25, 0.4375]), rtol=1e-12)


def test_the_papers_amsgrad_in_a_torch_loop(monkeypatch):
    """As notebook 06 says: with the dialect made known. Beside Algorithm 2 by hand."""
    plain = dict(corrects_exp_avg=False, corrects_exp_avg_sq=False)
    paper = Dialect("reddi", "Algorithm 2", **plain, amsgrad="max of v")
    monkeypatch.setitem(DIALECTS, "reddi", paper)
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = pytorch.Adam([x], lr=1e-3, betas=BETAS, amsgrad=True, dialect="reddi")
    m = v = largest = expected = 0.0
    roots = []
    for g in np.tile(FIRST, 3):
        x.grad = torch.tensor([g])
        optimizer.step()
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        largest = max(largest, v)
        expected -= 1e-3 * m / (largest**0.5 + 1e-8)
        roots.append(largest**0.5)
        assert x.item() == pytest.approx(expected, rel=1e-12)
    found = denominators(np.tile(FIRST, 3), betas=BETAS, amsgrad=True, dialect=paper)
    np.testing.assert_allclose(found, roots, rtol=1e-9)


@pytest.mark.slow
def test_an_outlier_is_forgotten_by_adam_only(capsys):
    """Exercise 4 of the notebook: what its folded solution prints."""
    path = notebooks.FOLDER / "06_amsgrad.ipynb"
    (cell,) = (c for c in notebooks.read(path).cells if c.id == "solution-06-outlier")
    code = re.search(r"```python\n(.*?)```", cell.source, re.DOTALL)[1]
    exec(code, {"np": np, "denominators": denominators})
    adam, by_torch, by_optax = map(float, capsys.readouterr().out.split())
    assert adam == 1.0
    assert by_torch == pytest.approx(1 / (0.001 * 1e12) ** 0.5, rel=0.02)  # printed digits
    assert by_optax == 1e-6
