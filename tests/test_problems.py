"""Problems: values and gradients against torch's autograd, and refusals."""

import numpy as np
import pytest
import torch

from adamlib.problems import (
    like_start,
    named,
    narrow_valley,
    random_examples,
    random_two_layer_net,
    repeated,
    two_layer_net,
)

SIZES = dict(n=5, d_in=7, h=6, d_out=3)
RTOL = 1e-12  # float64, sums of a few terms in another order than torch's


def torch_net(net, params, x, y):
    """Value and gradients of the same net, by torch."""
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    hidden = torch.relu(torch.nn.functional.linear(torch.tensor(x), tensors["W1"], tensors["b1"]))
    output = torch.nn.functional.linear(hidden, tensors["W2"], tensors["b2"])
    loss = torch.nn.MSELoss(reduction="sum")(output, torch.tensor(y))
    loss.backward()
    return loss.item(), {name: tensor.grad.numpy() for name, tensor in tensors.items()}


def net_with_data(seed=0):
    x, y = random_examples(seed, n=5, d_in=7, d_out=3)
    return random_two_layer_net(seed, **SIZES), x, y


@pytest.mark.parametrize("seed", range(3))
def test_the_net_has_torchs_value_and_gradient(seed):
    net, x, y = net_with_data(seed)
    value, gradient = net.value_and_gradient(net.start)
    expected_value, expected = torch_net(net, net.start, x, y)
    assert value == pytest.approx(expected_value, rel=RTOL)
    for name in expected:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=RTOL, atol=1e-14)


def test_leading_axes_are_runs_of_their_own():
    net, _, _ = net_with_data()
    stacked = {name: np.stack([a, 2 * a, -a]) for name, a in net.start.items()}
    values, gradients = net.value_and_gradient(stacked)
    for i, factor in enumerate((1, 2, -1)):
        one = {name: factor * a for name, a in net.start.items()}
        value, gradient = net.value_and_gradient(one)
        assert values[i] == pytest.approx(value, rel=RTOL)
        for name in gradient:
            np.testing.assert_allclose(gradients[name][i], gradient[name], rtol=RTOL, atol=1e-14)


def test_the_random_net_starts_as_torch_linear_does():
    net = random_two_layer_net(seed=3)
    for name, fan_in in {"W1": 1000, "b1": 1000, "W2": 100, "b2": 100}.items():
        bound = fan_in**-0.5
        assert np.abs(net.start[name]).max() <= bound
        assert np.abs(net.start[name]).max() > 0.75 * bound  # ten numbers, at least
    assert net.start["W1"].shape == torch.nn.Linear(1000, 100).weight.shape


def test_a_dtype_is_kept_throughout():
    net = random_two_layer_net(dtype=np.float32, **SIZES)
    assert {a.dtype for a in net.gradient(net.start).values()} == {np.dtype(np.float32)}


def test_the_same_seed_gives_the_same_problem_and_another_one_another():
    one, two, other = (random_two_layer_net(seed, **SIZES) for seed in (1, 1, 2))
    assert one.value(one.start) == two.value(two.start) != other.value(other.start)


def test_the_examples_are_normal_numbers_inputs_first():
    rng = np.random.default_rng(5)
    x, y = random_examples(5, n=4, d_in=3, d_out=2, dtype=np.float32)
    np.testing.assert_array_equal(x, rng.standard_normal((4, 3)).astype(np.float32))
    np.testing.assert_array_equal(y, rng.standard_normal((4, 2)).astype(np.float32))


PROBLEMS = pytest.mark.parametrize(
    "problem", [narrow_valley(), random_two_layer_net(**SIZES)], ids=["array", "dict"]
)


@PROBLEMS
def test_the_start_copy_is_a_copy(problem):
    copy = named(problem.start_copy())
    for name, array in named(problem.start).items():
        np.testing.assert_array_equal(copy[name], array)
        copy[name] += 1
        assert not np.array_equal(named(problem.start)[name], copy[name])


@PROBLEMS
def test_runs_side_by_side_start_apart_and_leave_the_problem_alone(problem):
    runs = repeated(problem, (3,))
    for name, array in named(problem.start).items():
        runs[name][0] += 1
        np.testing.assert_array_equal(runs[name][1:], np.stack([array, array]))
    assert type(like_start(problem, runs)) is type(problem.start)


def test_the_valley_by_hand():
    valley = narrow_valley((1.0, 50.0))
    assert valley.value(np.array([2.0, -1.0])) == 0.5 * (1 * 4 + 50 * 1)
    assert valley.gradient(np.array([2.0, -1.0])).tolist() == [2.0, -50.0]
    assert valley.value(np.array([[2.0, -1.0], [0.0, 0.0]])).tolist() == [27.0, 0.0]


START = random_two_layer_net(**SIZES).start
X, Y = np.zeros((5, 7)), np.zeros((5, 3))
REFUSED = {
    "curvature": (lambda: narrow_valley((0.0, 1.0)), ValueError, "Invalid curvatures"),
    "sizes": (lambda: random_two_layer_net(n=0), ValueError, "Invalid sizes"),
    "entries": (lambda: two_layer_net(X, Y, {"W1": X}), ValueError, "start has the entries"),
    "list": (lambda: two_layer_net([1.0], Y, START), TypeError, "x must be a float array"),
    "integers": (lambda: two_layer_net(X.astype(int), Y, START), TypeError, "x must be a float"),
    "dtype": (lambda: two_layer_net(X, Y.astype("f4"), START), TypeError, "y has dtype float32"),
    "axes": (lambda: two_layer_net(X[0], Y, START), ValueError, "expected two axes each"),
    "shape": (lambda: two_layer_net(X[:, 1:], Y, START), ValueError, r"W1 has shape \(6, 7\)"),
    "examples": (lambda: two_layer_net(X, Y[1:], START), ValueError, r"y has shape \(4, 3\)"),
}


@pytest.mark.parametrize("make, error, message", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
