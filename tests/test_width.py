"""Gradients and first steps beside the width, against torch, theory and drawn numbers."""

import numpy as np
import pytest
import torch

from adamlib.experiments import first_step_of_noise, gradient_at_width, width_scan
from adamlib.problems import random_two_layer_net

WIDTHS = (64, 256, 1024, 4096)


@pytest.fixture(scope="module")
def scan():
    return width_scan(WIDTHS, eps=(1e-3, 1e-5, 1e-8))


def torchs_gradients_and_step(width, eps):
    """Root mean squares, by torch's layers, loss and optimizer."""
    net = random_two_layer_net(0, 64, 64, width, 10)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 64)), rng.standard_normal((64, 10))
    model = torch.nn.Sequential(
        torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
    ).double()
    with torch.no_grad():
        for param, name in zip(model.parameters(), ("W1", "b1", "W2", "b2"), strict=True):
            param.copy_(torch.from_numpy(net.start[name]))
    loss = torch.nn.MSELoss()(model(torch.from_numpy(x)), torch.from_numpy(y))
    loss.backward()
    weight = model[0].weight
    before = weight.detach().clone()
    torch.optim.Adam([weight], lr=1.0, eps=eps).step()
    found = weight.grad, model[2].weight.grad, weight.data - before
    rms = [array.square().mean().sqrt().item() for array in found]
    return loss.item(), *rms


@pytest.mark.parametrize("eps, row", [(1e-3, 0), (1e-8, 2)])
@pytest.mark.parametrize("width, column", [(64, 0), (1024, 2)])
def test_it_is_torchs_gradient_and_torchs_first_step(scan, width, column, eps, row):
    loss, gradient, gradient_2, step = torchs_gradients_and_step(width, eps)
    # float64, sums of up to 65536 squares, and a step that is added to weights of 0.1
    np.testing.assert_allclose(scan.losses[column], loss, rtol=1e-12)
    np.testing.assert_allclose(scan.gradients[column], gradient, rtol=1e-12)
    np.testing.assert_allclose(scan.gradients_2[column], gradient_2, rtol=1e-12)
    np.testing.assert_allclose(scan.steps[row, column], step, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [{}, dict(n=16), dict(d_out=40), dict(d_in=256)])
def test_theory_is_right_within_a_twentieth(sizes, seed):
    found = width_scan(WIDTHS[1:], **sizes, seed=seed)
    expected = gradient_at_width(found.widths, found.n, found.d_out, found.losses)
    np.testing.assert_allclose(found.gradients, expected, rtol=0.05)


def test_theory_falls_short_where_the_net_itself_is_most_of_the_error():
    """As its docstring says: with many more examples than inputs."""
    found = width_scan((1024,), n=4096, d_in=16)
    assert found.gradients > 1.5 * gradient_at_width(1024, 4096, 10, found.losses)


@pytest.mark.parametrize("seed", range(4))
def test_theory_falls_short_by_a_tenth_and_by_a_third(seed):
    """As its docstring says, with 16 and with 64 times as many examples as inputs."""
    found = []
    for n in (64, 256, 1024, 4096):
        one = width_scan((256,), n=n, seed=seed)
        found.append((gradient_at_width(256, n, 10, one.losses) / one.gradients).item())
    assert np.all(np.abs(np.subtract(found, [1.0, 1.0, 0.87, 0.67])) < [0.05, 0.05, 0.06, 0.06])


def test_the_first_layers_gradients_fall_like_one_over_the_root_of_the_width(scan):
    slope = np.polyfit(np.log(scan.widths), np.log(scan.gradients), 1)[0]
    assert abs(slope + 0.5) < 0.01
    assert 4e-3 < scan.gradients[0] < 4.5e-3 and 5e-4 < scan.gradients[-1] < 5.5e-4


@pytest.mark.parametrize("seed", range(3))
def test_the_second_layers_do_not(seed):
    found = width_scan(WIDTHS, seed=seed)
    assert found.gradients[0] > 7.5 * found.gradients[-1]
    assert found.gradients_2.max() < 1.5 * found.gradients_2.min()


def test_a_large_eps_is_felt_and_the_default_is_not(scan):
    assert 0.65 < scan.steps[0, 0] < 0.75 and 0.25 < scan.steps[0, -1] < 0.35
    assert np.all(np.diff(scan.steps[0]) < -0.05)
    assert np.all(np.abs(scan.steps[2] - 1) < 2e-4)


def test_the_steps_are_those_of_normal_gradients_within_a_twentieth(scan):
    expected = first_step_of_noise(scan.eps[:, None] / scan.gradients)
    np.testing.assert_allclose(scan.steps, expected, rtol=0.05)


@pytest.mark.parametrize("ratio", [1e-3, 0.1, 1.0, 30.0])
def test_steps_of_noise_are_those_of_drawn_numbers(ratio):
    z = np.abs(np.random.default_rng(0).standard_normal(1_000_000))
    square = (z / (z + ratio)) ** 2
    # four standard errors of the mean square; the root has half the relative error
    error = 4 * square.std() / 1000 / square.mean() / 2
    np.testing.assert_allclose(first_step_of_noise(ratio), np.sqrt(square.mean()), rtol=error)


def test_steps_of_noise_at_the_ends():
    assert first_step_of_noise(0.0) == 1.0
    np.testing.assert_allclose(first_step_of_noise(1e8), 1e-8, rtol=1e-4)
    assert first_step_of_noise(np.ones((2, 3))).shape == (2, 3)


def test_nothing_to_scan_is_refused():
    with pytest.raises(ValueError, match=r"no widths \(expected one or more\)"):
        width_scan(())
    with pytest.raises(ValueError, match="Invalid sizes"):
        width_scan((0,))
