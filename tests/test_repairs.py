"""Training in 16 bits, against torch's own optimizers and loops by hand."""

from functools import partial

import numpy as np
import pytest
import torch

from adamlib.experiments import REPAIRS, stochastic_round, train_in
from adamlib.floats import float_format, round_to
from adamlib.problems import Problem, random_two_layer_net

SINGLE = partial(torch.optim.Adam, foreach=False)
NET = random_two_layer_net(n=8, d_in=5, h=6, d_out=2)


def by_hand(dtype, steps, lr, keep):
    """The loop written out: ``keep`` is the dtype of the weights that the optimizer has."""
    start = {n: torch.tensor(a).to(getattr(torch, dtype)) for n, a in NET.start.items()}
    weights = {n: torch.nn.Parameter(a.to(keep)) for n, a in start.items()}
    optimizer, losses = SINGLE(list(weights.values()), lr=lr), []
    for _ in range(steps + 1):
        seen = {n: w.detach().to(getattr(torch, dtype)).double() for n, w in weights.items()}
        loss, grads = NET.value_and_gradient({n: a.numpy() for n, a in seen.items()})
        losses.append(loss)
        for name, weight in weights.items():
            rounded = torch.tensor(round_to(grads[name], dtype)).to(getattr(torch, dtype))
            weight.grad = rounded.to(keep)
        optimizer.step()
    return np.array(losses)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_no_repair_is_torch_s_adam_in_the_format(dtype):
    got = train_in(dtype, NET, lr=1e-2, steps=60).losses
    expected = by_hand(dtype, 60, 1e-2, getattr(torch, dtype))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_master_weights_are_torch_s_adam_in_float32(dtype):
    got = train_in(dtype, NET, "master weights", state="float32", lr=1e-3, steps=40).losses
    expected = by_hand(dtype, 40, 1e-3, torch.float32)
    # the step is rounded once more before it is added, which may tip a 16-bit weight over
    np.testing.assert_allclose(got, expected, rtol=1e-2)
    assert got[0] == expected[0]


@pytest.mark.parametrize("state", ["bfloat16", "float32"])
@pytest.mark.parametrize("repair", REPAIRS)
def test_a_repair_moves_weights_or_does_not(repair, state):
    """One weight at 1, steps of 1e-3, in bfloat16: below 1 its neighbours are 0.004 apart."""
    weights = []

    def value_and_gradient(params):
        weights.append(params["w"].item())
        return params["w"].item(), {"w": np.ones(1)}

    problem = Problem("slope", value_and_gradient, {"w": np.ones(1)})
    train_in("bfloat16", problem, repair, state=state, lr=1e-3, steps=200)
    assert all(round_to(w, "bfloat16") == w for w in weights)
    if repair == "none":
        assert set(weights) == {1.0}
    else:  # 200 · 1e-3, and for a chance of 1 in 4 to move by 0.004 a standard deviation of 0.025
        assert weights[-1] == pytest.approx(0.8, abs=0.1 if "stochastic" in repair else 0.01)


def test_the_state_is_where_it_is_asked_for():
    runs = [
        train_in("bfloat16", NET, "Kahan summation", state=state, lr=1e-2, steps=50).losses
        for state in (None, "bfloat16", "float32")
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_runs_along_a_leading_axis_are_the_runs_one_by_one():
    others = [random_two_layer_net(seed, n=8, d_in=5, h=6, d_out=2).start for seed in (1, 2)]
    starts = {name: np.stack([other[name] for other in others]) for name in NET.start}
    both = train_in("bfloat16", Problem("two", NET.value_and_gradient, starts), steps=40).losses
    for run, start in zip(both.T, others, strict=True):
        alone = train_in("bfloat16", Problem("one", NET.value_and_gradient, start), steps=40)
        np.testing.assert_allclose(run, alone.losses, rtol=1e-12)


def test_training_is_the_same_each_time_and_leaves_the_problem_alone():
    before = NET.start_copy()
    options = dict(repair="stochastic rounding", lr=1e-2, steps=30)
    one, two = (train_in("bfloat16", NET, **options).losses for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = train_in("bfloat16", NET, seed=1, **options).losses
    assert not np.array_equal(one, other)
    for name, array in NET.start.items():
        np.testing.assert_array_equal(array, before[name])


def test_float16_is_lost_with_the_default_eps_and_in_silence():
    losses = train_in("float16", NET, grad_scale=1e-4, lr=1e-2, steps=5).losses
    assert np.isfinite(losses[0]) and np.isnan(losses[1:]).all()
    assert len(losses) == 6


@pytest.mark.parametrize("repair", REPAIRS)
def test_a_lost_run_is_as_long_as_any(repair):
    losses = train_in("float16", NET, repair, grad_scale=1e-4, steps=9).losses
    assert losses.shape == (10,) and np.isnan(losses[1:]).all()


def test_the_scale_of_the_gradient_is_no_matter_in_bfloat16():
    runs = [train_in("bfloat16", NET, grad_scale=s, steps=30).losses for s in (1, 2**12)]
    np.testing.assert_array_equal(*runs)
    assert not np.array_equal(runs[0], train_in("bfloat16", NET, grad_scale=-1, steps=30).losses)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(repair="prayer"), r"Unknown repair: 'prayer' \(expected one of none"),
        (dict(steps=-1), "Invalid number of steps: -1"),
        (dict(eps=-1), "Invalid epsilon value: -1"),
    ],
)
def test_bad_runs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        train_in("bfloat16", NET, **options)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_stochastic_rounding_is_right_on_average(name):
    form = float_format(name)
    for x in (1.0, -1.5, 3.14159, -0.7, 1.5 * form.smallest_subnormal, form.smallest_normal):
        unit = form.ulp(x)
        many = torch.full((20_000,), x + 0.3 * unit)
        rounded = stochastic_round(many, name, np.random.default_rng(0)).double().numpy()
        assert set(np.unique(rounded)) <= set(round_to(rounded, name))
        assert np.ptp(rounded) == unit
        assert abs(rounded.mean() - float(many[0])) < 0.02 * unit


def test_stochastic_rounding_leaves_what_the_format_holds():
    held = torch.tensor(round_to(np.random.default_rng(0).standard_normal(1000), "bfloat16"))
    rounded = stochastic_round(held.float(), "bfloat16", np.random.default_rng(1))
    assert torch.equal(rounded.double(), held) and rounded.dtype == torch.bfloat16
    zero = stochastic_round(torch.zeros(3), "float16", np.random.default_rng(1))
    assert torch.equal(zero, torch.zeros(3).half())


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="Unknown floating-point format"):
        stochastic_round(torch.ones(1), "int8", None)
