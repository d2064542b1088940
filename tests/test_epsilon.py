"""What eps does to whole runs, against torch, autograd and numbers worked by hand."""

import numpy as np
import pytest
import torch

from adamlib import DIALECTS, adam_step, init_state
from adamlib.experiments import (
    Trace,
    best_run,
    momentum_sweep,
    parameter_rates,
    scale_loss,
    sharpness,
    sweep,
)
from adamlib.problems import bigrams, narrow_valley, random_examples, random_two_layer_net

RATES, EPSILONS = np.logspace(-4, 3, 22), np.logspace(-9, 4, 40)  # the notebook's


def small_net(dtype=np.float64):
    return random_two_layer_net(n=32, d_in=20, h=16, d_out=2, dtype=dtype)


def examples(dtype=np.float64):
    """The inputs and targets of the small net, for torch."""
    return map(torch.from_numpy, random_examples(n=32, d_in=20, d_out=2, dtype=dtype))


@pytest.fixture(scope="module")
def runs():
    return sweep(small_net(), 150, lr=RATES, eps=EPSILONS)


# --- only the ratio counts ------------------------------------------------------------------------


def test_scale_loss_multiplies_value_and_gradient_and_keeps_the_dtype():
    net = small_net(np.float32)
    value, grads = net.value_and_gradient(net.start)
    small, small_grads = scale_loss(net, 0.25).value_and_gradient(net.start)
    assert small == 0.25 * value
    for name, grad in grads.items():
        assert small_grads[name].dtype == np.float32
        np.testing.assert_array_equal(small_grads[name], grad / 4)
    valley = scale_loss(narrow_valley((1.0, 4.0)), 3.0)
    np.testing.assert_array_equal(valley.gradient(np.array([2.0, 1.0])), [6.0, 12.0])
    assert valley.name == "narrow valley, loss × 3"


@pytest.mark.parametrize("factor", [0.0, -1.0, np.inf, np.nan])
def test_a_factor_must_be_positive(factor):
    with pytest.raises(ValueError, match=r"Invalid factor: .* \(expected a positive number\)"):
        scale_loss(narrow_valley(), factor)


def torch_run(factor, eps):
    """The notebook's net in torch: nothing of ours but the data."""
    problem = small_net(np.float32)
    params = {n: torch.from_numpy(a.copy()).requires_grad_() for n, a in problem.start.items()}
    x, y = examples(np.float32)
    optimizer = torch.optim.Adam(params.values(), lr=0.01, eps=eps)
    for _ in range(50):
        hidden = torch.relu(x @ params["W1"].mT + params["b1"])
        loss = factor * (hidden @ params["W2"].mT + params["b2"] - y).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.cat([param.detach().flatten() for param in params.values()])


def test_a_power_of_two_leaves_the_run_of_torch_too_equal_to_the_bit():
    plain = torch_run(1.0, 1e-8)
    assert torch.equal(plain, torch_run(2.0**-20, 2.0**-20 * 1e-8))
    assert not torch.equal(plain, torch_run(1e-6, 1e-6 * 1e-8))
    assert not torch.equal(plain, torch_run(2.0**-20, 1e-8))


def test_old_weight_decay_must_be_scaled_as_well():
    """Exercise 1 of the notebook."""
    net, c = small_net(), 2.0**-20
    plain, right, wrong = (
        sweep(scale_loss(net, f), 100, lr=0.01, eps=f * 1e-8, weight_decay=decay).params["W1"]
        for f, decay in ((1.0, 0.1), (c, c * 0.1), (c, 0.1))
    )
    np.testing.assert_array_equal(plain, right)
    assert np.abs(plain - wrong).max() > 0.1


# --- momentum -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_momentum_is_that_of_torch_with_a_corrected_rate(beta):
    """torch keeps b = β·b + g; the correction is put into its learning rate, step by step."""
    valley, lr = narrow_valley(), 0.05
    trace = momentum_sweep(valley, steps=40, lr=lr, beta=beta)
    param = torch.tensor(valley.start, requires_grad=True)
    optimizer = torch.optim.SGD([param], lr=lr, momentum=beta)
    for t in range(40):
        assert trace.losses[t] == pytest.approx(valley.value(param.detach().numpy()), rel=1e-9)
        param.grad = torch.from_numpy(valley.gradient(param.detach().numpy()))
        optimizer.param_groups[0]["lr"] = lr * (1 - beta) / (1 - beta ** (t + 1))
        optimizer.step()
    # float64, another order of operations, 40 steps
    np.testing.assert_allclose(param.detach().numpy(), trace.params, rtol=1e-9)


def test_sign_descent_by_hand():
    valley = narrow_valley((1.0, 1.0), start=(1.0, -0.25))
    trace = momentum_sweep(valley, steps=2, lr=0.4, beta=0.75, sign=True)
    # gradients (1, −0.25), then (0.6, 0.15): the second m is (0.3375, −0.009375), so that the
    # second parameter goes on although its gradient has turned
    np.testing.assert_allclose(trace.params, [0.2, 0.55], rtol=1e-15)


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
@pytest.mark.parametrize("sign", [False, True])
def test_a_momentum_sweep_is_its_runs_side_by_side(sign, rate):
    both = momentum_sweep(small_net(), 10, lr=[1e-4, 1e-3], sign=sign)
    assert list(both.axes) == ["lr"] and both.losses.shape == (2, 10)
    alone = momentum_sweep(small_net(), 10, lr=rate, sign=sign)
    np.testing.assert_allclose(both.select(lr=rate).losses, alone.losses, rtol=1e-10)


def test_a_momentum_sweep_in_float32_stays_there():
    trace = momentum_sweep(small_net(np.float32), 2, lr=[1e-4, 1e-3])
    assert trace.params["W1"].dtype == np.float32


def test_adam_with_a_huge_eps_is_momentum():
    goal = momentum_sweep(small_net(), 100, lr=0.01).params["W1"]
    distances = [
        np.abs(sweep(small_net(), 100, lr=0.01 * eps, eps=eps).params["W1"] - goal).max()
        for eps in (1e6, 1e7, 1e8)
    ]
    np.testing.assert_allclose(np.diff(np.log10(distances)), -1, atol=1e-3)
    assert distances[0] < 1e-5


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(lr=-1.0), "Invalid learning rate: -1"),
        (dict(lr=[0.1, np.nan]), "Invalid learning rate"),
        (dict(lr=np.ones((2, 2))), r"lr has shape \(2, 2\) \(expected a number or one axis\)"),
        (dict(lr=0.1, beta=1.0), "Invalid beta parameter at index 0: 1.0"),
        (dict(lr=0.1, steps=-1), "Invalid number of steps: -1"),
    ],
)
def test_bad_momentum_sweeps_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        momentum_sweep(narrow_valley(), **{"steps": 2} | options)


# --- the best of a sweep, and what each parameter has ---------------------------------------------


def test_the_best_run_has_the_smallest_finite_last_loss():
    losses = np.array([[[9.0, 3.0], [9.0, np.nan]], [[9.0, 2.0], [1.0, np.inf]]])
    axes = {"lr": np.array([0.1, 1.0]), "eps": np.array([1e-8, 1e-4])}
    best = best_run(Trace("grid", losses, axes=axes))
    assert best.losses.tolist() == [9.0, 2.0] and not best.axes
    assert best.label == "grid, lr = 1, ε = 1e-08"


def test_a_best_run_needs_runs():
    with pytest.raises(ValueError, match=r"the trace has no axes \(expected one of a sweep\)"):
        best_run(Trace("one", np.ones(3)))
    with pytest.raises(ValueError, match="no run has a finite last loss"):
        best_run(Trace("none", np.full((2, 1), np.nan), axes={"lr": np.ones(2)}))


def test_parameter_rates_are_those_of_torch():
    net, eps = small_net(), [1e-8, 1.0]
    ours = parameter_rates(net, 20, lr=0.01, eps=eps)
    for row, value in zip(ours, eps, strict=True):
        params = {n: torch.from_numpy(a.copy()).requires_grad_() for n, a in net.start.items()}
        optimizer = torch.optim.Adam(params.values(), lr=0.01, eps=value)
        for _ in range(20):
            grads = net.gradient({name: param.detach().numpy() for name, param in params.items()})
            for name, param in params.items():
                param.grad = torch.from_numpy(grads[name])
            optimizer.step()
        v = torch.cat([optimizer.state[param]["exp_avg_sq"].flatten() for param in params.values()])
        theirs = 0.01 / ((v / (1 - 0.999**20)).sqrt() + value)
        np.testing.assert_allclose(row, theirs, rtol=1e-8)  # 20 steps in another order
        assert row.max() <= 0.01 / value


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(steps=0), r"Invalid number of steps: 0 \(expected 1 or more\)"),
        (dict(eps=1.0), r"eps has shape \(\) \(expected one axis\)"),
        (dict(eps=[-1.0]), "Invalid epsilon value"),
    ],
)
def test_bad_parameter_rates_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        parameter_rates(narrow_valley(), **dict(steps=1, lr=0.1, eps=[1.0]) | options)


@pytest.mark.parametrize("rates", [1.0, np.geomspace(0.01, 1.0, 370)], ids=["plain", "scaled"])
def test_the_sharpness_is_that_of_torchs_hessian(rates):
    net = small_net()
    shapes = {name: array.shape for name, array in net.start.items()}
    x, y = examples()

    def loss(flat):
        parts = flat.split([int(np.prod(shape)) for shape in shapes.values()])
        w1, b1, w2, b2 = (p.reshape(s) for p, s in zip(parts, shapes.values(), strict=True))
        return ((torch.relu(x @ w1.mT + b1) @ w2.mT + b2 - y) ** 2).sum()

    flat = torch.tensor(np.concatenate([array.ravel() for array in net.start.values()]))
    hessian = torch.autograd.functional.hessian(loss, flat)
    root = torch.tensor(np.sqrt(np.broadcast_to(rates, 370)))
    expected = torch.linalg.eigvalsh(root[:, None] * hessian * root)[-1].item()
    # differences 2e-6 apart of gradients of about 1: eight digits
    assert sharpness(net, net.start, rates) == pytest.approx(expected, rel=1e-7)


# --- bigrams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.0, 1.5])
def test_bigrams_have_the_gradient_of_autograd(power):
    model = bigrams(words=7, power=power, seed=1)
    weights = np.random.default_rng(0).standard_normal((7, 7))
    value, grads = model.value_and_gradient({"W": weights})
    tensor = torch.tensor(weights, requires_grad=True)
    frequency = torch.arange(1, 8, dtype=torch.float64) ** -power
    frequency = frequency / frequency.sum()
    true = torch.log_softmax(torch.from_numpy(model.minimum["W"]), dim=1)
    divergence = (true.exp() * (true - torch.log_softmax(tensor, dim=1))).sum(dim=1)
    loss = (frequency * divergence).sum()  # the loss above its smallest value
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(grads["W"], tensor.grad, rtol=1e-10, atol=1e-15)


def test_bigrams_are_least_at_their_minimum_and_take_leading_axes():
    model = bigrams(words=6)
    assert model.value(model.minimum) == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(model.gradient(model.minimum)["W"], 0, atol=1e-15)
    stacked = np.stack([model.start["W"], model.minimum["W"]])
    np.testing.assert_allclose(
        model.value({"W": stacked}), [model.value(model.start), 0], atol=1e-14
    )
    tensors = model.value({"W": torch.from_numpy(stacked)})
    np.testing.assert_allclose(tensors, model.value({"W": stacked}), atol=1e-14)


def test_a_run_that_diverges_leaves_the_others_alone():
    model = bigrams(words=6)
    far = 1e5 * np.random.default_rng(0).standard_normal((6, 6))
    value, grads = model.value_and_gradient({"W": np.stack([model.start["W"], far])})
    assert value[0] == pytest.approx(model.value(model.start), rel=1e-12)
    assert np.isfinite(value).all() and np.isfinite(grads["W"]).all()


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5])
def test_words_are_as_frequent_as_zipf_says_before_others_and_after_them(power):
    model = bigrams(words=64, power=power)
    follows = np.exp(model.minimum["W"])
    # from zero weights the gradient is the frequency of the word before times 1/64 − T
    before = model.gradient(model.start)["W"] / (1 / 64 - follows)
    np.testing.assert_allclose(before, np.broadcast_to(before[:, :1], (64, 64)), rtol=1e-9)
    before = before[:, 0]
    np.testing.assert_allclose(before / before[0], np.arange(1, 65) ** -power, rtol=1e-9)
    np.testing.assert_allclose(before @ follows, before, rtol=1e-9)  # after others


def test_words_have_likings_of_their_own():
    follows = np.exp(bigrams(words=64, power=1.0).minimum["W"])
    assert (follows.argmax(axis=1) == follows.sum(axis=0).argmax()).mean() < 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(words=1), r"Invalid number of words: 1 \(expected 2 or more\)"),
        (dict(power=-1.0), r"Invalid power: -1.0 \(expected 0 or more\)"),
        (dict(power=np.inf), "Invalid power: inf"),
    ],
)
def test_bad_bigrams_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bigrams(**options)


# --- what the notebook says -----------------------------------------------------------------------


def test_eadam_is_adam_with_eps_inside_the_root():
    """Against the recursion of the paper, written here once more."""
    rng, beta2, eps = np.random.default_rng(2), 0.99, 1e-3
    zero = np.zeros(3)
    state, m, v = init_state(zero), zero, zero
    for t, grad in enumerate(rng.standard_normal((300, 3)) * [1.0, 1e-2, 1e-5], start=1):
        m, v = 0.9 * m + 0.1 * grad, beta2 * v + (1 - beta2) * grad**2 + eps
        theirs = -(m / (1 - 0.9**t)) / np.sqrt(v / (1 - beta2**t))
        options = dict(lr=1.0, betas=(0.9, beta2), eps=eps / (1 - beta2), dialect="fastai-lesson")
        ours, state = adam_step(zero, grad, state, **options)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_values_of_practice():
    assert torch.optim.Adam([torch.zeros(1, requires_grad=True)]).defaults["eps"] == 1e-8
    found = {name: DIALECTS[name].eps for name in ("paper", "pytorch", "optax", "keras", "bert")}
    expected = {"paper": 1e-8, "pytorch": 1e-8, "optax": 1e-8, "keras": 1e-7, "bert": 1e-6}
    assert found == expected


def test_the_corner_of_the_map(runs):
    """Best lr level for small eps, best lr/eps level for large; none of it near a tie."""
    last = np.where(np.isfinite(runs.losses[..., -1]), runs.losses[..., -1], np.inf)
    best = RATES[last.argmin(axis=0)]
    np.testing.assert_allclose(best[EPSILONS < 2e-2], 10 ** (-5 / 3))
    np.testing.assert_allclose((best / EPSILONS)[EPSILONS > 8], 10 ** (-5 / 3))


def smallest(trace):
    return best_run(trace).losses[-1]


@pytest.mark.parametrize("seed", range(5))
def test_a_grid_across_the_corner_beats_momentum_and_one_before_it(seed):
    """Choi et al. in small: 64 runs each, learning rates from 1e-4 to 1."""
    net = random_two_layer_net(seed, n=32, d_in=20, h=16, d_out=2)
    rates = np.logspace(-4, 0, 8)
    across = smallest(sweep(net, 100, lr=rates, eps=np.logspace(-2, 4, 8)))
    before = smallest(sweep(net, 100, lr=rates, eps=np.logspace(-10, -3, 8)))
    momentum = smallest(momentum_sweep(net, 100, lr=np.logspace(-4, 0, 64)))
    assert across < min(0.96 * before, 0.9 * momentum)  # the closest: seed 2 and seed 3


def test_a_long_run_leaves_its_minimum_unless_eps_caps_the_rates():
    """The rates grow as v forgets; with a tenth of α they stay below the edge of the map."""
    runs = sweep(small_net(), 6000, lr=[0.001, 0.01], eps=[1e-8, 1.0])
    fall = runs.losses / runs.losses[..., :1]
    assert fall[1, :, 1000:1500].max() < 1e-20
    late = fall[..., 4500:].max(axis=-1)
    assert late[1, 0] > 1e-5 and late[1, 1] < 1e-25 and late[0, 0] < 1e-25


@pytest.mark.slow
def test_the_long_run_leaves_when_its_sharpness_passes_38():
    """2(1+β₁)/(1−β₁) = 38: the run stands at its minimum until then, and not much longer."""
    sharp = {}
    for steps in (1500, 2200, 2300):
        there = sweep(small_net(), steps, lr=0.01).params
        (rates,) = parameter_rates(small_net(), steps, lr=0.01, eps=[1e-8])
        sharp[steps] = sharpness(small_net(), there, rates)
    assert sharp[1500] == pytest.approx(24.08, abs=0.01)
    assert sharp[2200] == pytest.approx(36.56, abs=0.01) and sharp[2300] > 38
    losses = sweep(small_net(), 2600, lr=0.01).losses
    assert losses[1500:2200].max() < 1e-28 and losses[2300:].max() > 1e-10
    # one rate for all may be 38/393 there
    assert 38 / sharpness(small_net(), there) == pytest.approx(0.0967, abs=1e-4)


def test_sgd_and_adam_with_a_huge_eps_go_different_ways_from_the_same_start():
    """What exercise 2 of the notebook says one should find."""
    lengths, losses, steps = [], [], []
    for name in ("Adam", "SGD"):
        path, values = torch_path(name, 40)
        moves = np.diff(path, axis=0)
        steps.append(moves / np.linalg.norm(moves, axis=1)[:, None])
        lengths.append(np.linalg.norm(moves, axis=1))
        losses.append(np.array(values))
    ratio = lengths[0] / lengths[1]
    assert ratio[0] == pytest.approx(10, rel=2e-5)  # beside eps stands a root of up to 20
    assert (ratio[:9] > 1).all() and (ratio[9:] < 1).all()
    assert 0.55 < ratio[19:].min() and ratio[19:].max() < 0.7
    cosine = (steps[0] * steps[1]).sum(axis=1)
    assert cosine[0] == pytest.approx(1) and 0.3 < cosine[9:].min() and cosine[9:].max() < 0.55
    assert 1 / (1 - 0.9**10) == pytest.approx(1.54, abs=0.005)
    assert (losses[0][1:] < losses[1][1:]).all()


def torch_path(name, steps):
    """All parameters and losses of a run of exercise 2, by torch."""
    net = small_net()
    params = [torch.from_numpy(array.copy()).requires_grad_() for array in net.start.values()]
    x, y = examples()
    if name == "Adam":
        optimizer = torch.optim.Adam(params, lr=1e4, eps=1e6)
    else:
        optimizer = torch.optim.SGD(params, lr=1e4 / 1e6 * 0.1, momentum=0.9)
    path, losses = [], []
    for _ in range(steps + 1):
        path.append(np.concatenate([param.detach().numpy().ravel() for param in params]))
        loss = (
            (torch.relu(x @ params[0].mT + params[1]) @ params[2].mT + params[3] - y) ** 2
        ).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(path), losses


def test_the_root_of_v_remembers_gradients_that_have_gone():
    net = small_net()
    end = sweep(net, 150, lr=0.01).params
    now = np.concatenate([np.abs(grad).ravel() for grad in net.gradient(end).values()])
    root = 0.01 / parameter_rates(net, 150, lr=0.01, eps=[0.0])
    assert np.median(now) < 1e-3 and 0.3 < np.median(root) < 0.5


def test_points_that_a_smaller_eps_destroys_lie_on_the_diagonal(runs):
    """Exercise 4 of the notebook: three columns are a factor of ten."""
    with np.errstate(all="ignore"):
        fall = runs.losses[..., -1] / runs.losses[..., 0]
    fall = np.where(np.isfinite(fall), fall, np.inf)
    broken = np.argwhere((fall[:, 3:] < 1e-3) & (fall[:, :-3] > 1))
    ratios = RATES[broken[:, 0]] / EPSILONS[broken[:, 1] + 3]
    assert len(broken) == 8
    assert EPSILONS[broken[:, 1] + 3].min() > 400
    assert ratios.min() > 0.009 and ratios.max() < 0.022
