"""adamlib.experiments against torch's optimizers and against steps worked by hand."""

import math

import numpy as np
import pytest
import torch

from adamlib import Adam
from adamlib.experiments import (
    FIRST_STEPS,
    classify_first_step,
    first_step,
    first_step_map,
    momentum,
    nan_spread,
    rms_step,
    rmsprop,
    run,
    sgd,
    smallest_finite_first_step,
)
from adamlib.floats import underflow_gradient
from adamlib.problems import narrow_valley, random_two_layer_net, two_layer_net

# beta: torch keeps b = β·b + g, which is m/(1−β); so its learning rate is (1−β) times ours
TORCH = {
    "sgd": (sgd(lr=0.03), lambda p: torch.optim.SGD(p, lr=0.03)),
    "momentum": (
        momentum(lr=0.03, beta=0.9),
        lambda p: torch.optim.SGD(p, lr=(1 - 0.9) * 0.03, momentum=0.9),
    ),
    "rmsprop": (
        rmsprop(lr=0.03, beta2=0.95, eps=1e-3),
        lambda p: torch.optim.RMSprop(p, lr=0.03, alpha=0.95, eps=1e-3),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_plain_optimizers_are_those_of_torch(name):
    ours, theirs = TORCH[name]
    valley = narrow_valley()
    path = run(valley, ours, steps=100, keep_path=True).path
    param = torch.tensor(valley.start, requires_grad=True)
    optimizer = theirs([param])
    for point in path:
        # float64, the same formula in another order of operations, 100 steps
        np.testing.assert_allclose(param.detach().numpy(), point, rtol=1e-10, atol=1e-14)
        param.grad = torch.from_numpy(valley.gradient(param.detach().numpy()))
        optimizer.step()


def test_two_steps_by_hand():
    def after(optimizer):
        weight = np.array([1.0])
        stepper = optimizer(weight)
        for grad in (2.0, -4.0):
            stepper.step(np.array([grad]))
        return weight[0]

    assert after(sgd(lr=0.5)) == 1 - 0.5 * 2 + 0.5 * 4
    # m: 0.5·2 = 1, then 0.5·1 − 0.5·4 = −1.5
    assert after(momentum(lr=0.5, beta=0.5)) == 1 - 0.5 * 1 + 0.5 * 1.5
    # v: 0.75·4 = 3, then 0.25·3 + 0.75·16 = 12.75
    by_hand = 1 - 0.5 * 2 / math.sqrt(3) + 0.5 * 4 / math.sqrt(12.75)
    assert after(rmsprop(lr=0.5, beta2=0.25, eps=0.0)) == pytest.approx(by_hand, rel=1e-15)


@pytest.mark.parametrize("optimizer", [sgd(lr=1e-5), momentum(lr=1e-5), rmsprop(lr=1e-4)])
def test_plain_optimizers_take_dicts_and_leave_gradients_alone(optimizer):
    net = random_two_layer_net(n=8, d_in=5, h=4, d_out=2)
    params, grads = net.start_copy(), net.gradient(net.start)
    before = {name: grad.copy() for name, grad in grads.items()}
    optimizer(params).step(grads)
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, before[name])
    for name, param in params.items():
        np.testing.assert_array_equal(np.sign(net.start[name] - param), np.sign(grads[name]))
    losses = run(net, optimizer, steps=20).losses
    assert losses[-1] < losses[0]


def test_every_run_begins_with_a_fresh_memory():
    optimizer = momentum(lr=0.03)
    first, second = (run(narrow_valley(), optimizer, steps=20).losses for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_rmsprop_without_eps_divides_zero_by_zero_in_silence():
    weight = np.array([1.0, 1.0])
    rmsprop(lr=0.1, beta2=0.75, eps=0.0)(weight).step(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(weight, [math.nan, 0.8])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: sgd(lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: sgd(lr=math.nan), ValueError, "Invalid learning rate: nan"),
        (lambda: sgd(lr="0.1"), TypeError, "lr must be a real number, got '0.1'"),
        (lambda: momentum(lr=math.inf), ValueError, "Invalid learning rate: inf"),
        (lambda: momentum(0.1, beta=1.0), ValueError, "Invalid beta parameter at index 0: 1.0"),
        (lambda: rmsprop(0.1, beta2=-0.1), ValueError, "Invalid beta parameter at index 1: -0.1"),
        (lambda: rmsprop(0.1, eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: rmsprop(0.1, beta2=None), TypeError, r"betas\[1\] must be a real number"),
    ],
)
def test_bad_hyperparameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_run_keeps_what_happened():
    valley = narrow_valley()
    trace = run(valley, lambda params: Adam(params, lr=0.1), steps=3, label="x", keep_path=True)
    assert trace.label == "x" and trace.path.shape == (4, 2)
    np.testing.assert_array_equal(trace.path[0], valley.start)
    np.testing.assert_array_equal(trace.path[-1], trace.params)
    assert trace.losses.tolist() == [valley.value(point) for point in trace.path[:-1]]
    np.testing.assert_array_equal(valley.start, [-4.0, 1.0])
    assert run(valley, sgd(0.1), steps=0).losses.shape == (0,)
    assert run(valley, sgd(0.1), steps=1).label == "narrow valley"


def test_bad_runs_are_refused():
    with pytest.raises(ValueError, match="Invalid number of steps: -1"):
        run(narrow_valley(), sgd(0.1), steps=-1)
    net = random_two_layer_net(n=2, d_in=2, h=2, d_out=1)
    with pytest.raises(ValueError, match="keep_path needs parameters in one array, got dict"):
        run(net, sgd(0.1), keep_path=True)


NET = ("W1", "b1", "W2", "b2")


# --- a first step -----------------------------------------------------------------------------


def torch_first_step(grad: np.ndarray, eps: float, amsgrad: bool) -> np.ndarray:
    param = torch.nn.Parameter(torch.zeros(grad.shape, dtype=torch.from_numpy(grad).dtype))
    param.grad = torch.from_numpy(grad)
    torch.optim.Adam([param], lr=1.0, eps=eps, amsgrad=amsgrad, foreach=False).step()
    return -param.detach().numpy()


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("eps", [0.0, 1e-30, 1e-8, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_first_step_is_torch_s(dtype, eps, amsgrad):
    grad = np.array([0, 1e-40, -1e-30, 1e-22, 1e-12, -1e-8, 1.0, 1e10], dtype=dtype)
    got = first_step(grad, eps, amsgrad=amsgrad)
    assert got.dtype == dtype
    # to rounding: torch multiplies and divides in another order; 1e-40 has 17 bits left
    rtol = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, torch_first_step(grad, eps, amsgrad), rtol=rtol)


def test_first_step_broadcasts_eps():
    got = first_step(np.array([1.0, 3.0]), np.array([[0.0], [1.0]]))
    np.testing.assert_allclose(got, [[1, 1], [0.5, 0.75]], rtol=1e-12)


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


# --- NaN in a net -------------------------------------------------------------------------------


def padded_net(padding: int):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 12)), rng.standard_normal((16, 3))
    x[:, 12 - padding :] = 0.0
    start = random_two_layer_net(seed=0, n=16, d_in=12, h=8, d_out=3).start
    return x, y, start, two_layer_net(x, y, start)


def torch_masks(x, y, start, updates, eps, amsgrad):
    """NaN in the same net, trained by torch."""
    w1, b1, w2, b2 = params = [torch.nn.Parameter(torch.tensor(start[n])) for n in NET]
    optimizer = torch.optim.Adam(params, lr=1e-2, eps=eps, amsgrad=amsgrad)
    x, y, masks = torch.tensor(x), torch.tensor(y), []
    for t in range(updates + 1):
        masks.append({n: p.detach().isnan().numpy() for n, p in zip(NET, params, strict=True)})
        if t < updates:
            optimizer.zero_grad()
            ((torch.relu(x @ w1.T + b1) @ w2.T + b2 - y) ** 2).sum().backward()
            optimizer.step()
    return masks


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("eps", [0.0, 1e-8])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_nan_spreads_as_in_torch(padding, eps, amsgrad):
    x, y, start, net = padded_net(padding)
    got = nan_spread(net, lambda p: Adam(p, lr=1e-2, eps=eps, amsgrad=amsgrad), 3)
    expected = torch_masks(x, y, start, 3, eps, amsgrad)
    for ours, theirs in zip(got.masks, expected, strict=True):
        for name in NET:
            np.testing.assert_array_equal(ours[name], theirs[name])
    fails = eps == 0 and padding > 0
    assert [sum(c.values()) for c in got.counts()] == [0, 8 * padding * fails, *2 * [131 * fails]]
    np.testing.assert_array_equal(np.isnan(got.losses), [False, fails, fails, fails])


def test_nan_spread_leaves_the_problem_alone():
    _, _, start, net = padded_net(1)
    before = {name: array.copy() for name, array in start.items()}
    nan_spread(net, lambda p: Adam(p, eps=0))
    for name in NET:
        np.testing.assert_array_equal(net.start[name], before[name])


def test_nan_spread_refuses():
    net = padded_net(0)[-1]
    with pytest.raises(ValueError, match=r"Invalid number of updates: -1 \(expected 0 or more\)"):
        nan_spread(net, Adam, -1)
    with pytest.raises(TypeError, match="nan_spread needs parameters in a dict, got ndarray"):
        nan_spread(narrow_valley(), Adam)


# --- lengths of steps -----------------------------------------------------------------------------


def test_rms_step_is_that_of_torch():
    gradients = np.random.default_rng(3).standard_normal((7, 4))
    param = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.Adam([param], lr=1.0, eps=0.3)
    points = [param.detach().clone()]
    for grad in gradients:
        param.grad = torch.tensor(grad)
        optimizer.step()
        points.append(param.detach().clone())
    steps = torch.stack(points).diff(dim=0)[-3:]
    expected = steps.square().mean().sqrt().item()
    np.testing.assert_allclose(rms_step(gradients, [0.3], last=3), [expected], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_constant_gradient_as_large_as_eps_has_half_speed(size):
    eps = size * np.array([0.0, 1.0, 99.0])
    got = rms_step(np.full((20, 2), size), eps, last=20)
    np.testing.assert_allclose(got, [1, 0.5, 0.01], rtol=1e-12)


def test_noise_has_the_predicted_size():
    draws = np.random.default_rng(1).standard_normal((4000, 400))
    got = rms_step(draws, [1e-6, 1.0], last=1000)
    # √(0.1/1.9) = 0.2294, the statistical error is about 0.4 %
    np.testing.assert_allclose(got, [0.2294, 0.1147], rtol=0.02)


def test_rms_step_refuses():
    with pytest.raises(ValueError, match=r"gradients has shape \(3,\) \(expected two axes"):
        rms_step(np.ones(3), [0.0])
    for last in (0, 4):
        with pytest.raises(ValueError, match=rf"Invalid last: {last} \(expected 1 to 3\)"):
            rms_step(np.ones((3, 1)), [0.0], last=last)
    with pytest.raises(TypeError, match="gradients must hold real floats, got dtype int64"):
        rms_step(np.ones((3, 1), dtype=np.int64), [0.0])
