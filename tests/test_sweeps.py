"""Sweeps: each run is the run alone, whatever library takes the steps."""

from functools import cache

import numpy as np
import pytest
import torch

from adamlib import Adam
from adamlib.experiments import run, sweep
from adamlib.problems import Problem, narrow_valley, random_examples, random_two_layer_net

NET = random_two_layer_net(n=8, d_in=5, h=4, d_out=2)
LR, EPS = [1e-3, 1e-2, 0.1], [0.0, 1e-8, 1e-3, 1.0]


def torch_losses(net, steps, **options):
    """The same net trained by torch alone: its layers, its autograd, its Adam."""
    x, y = map(torch.from_numpy, random_examples(n=8, d_in=5, d_out=2))
    start = net.start_copy()
    d_in, h, d_out = x.shape[1], len(start["b1"]), len(start["b2"])
    layers = torch.nn.Linear(d_in, h), torch.nn.ReLU(), torch.nn.Linear(h, d_out)
    model = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        for param, name in zip(model.parameters(), ("W1", "b1", "W2", "b2"), strict=True):
            param.copy_(torch.from_numpy(start[name]))
    optimizer = torch.optim.Adam(model.parameters(), **options)
    losses = []
    for _ in range(steps):
        loss = ((model(x) - y) ** 2).sum()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


@cache
def swept(backend, **options):
    return sweep(NET, 30, lr=LR, eps=EPS, backend=backend, **options)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"weight_decay": 0.1}])
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("lr", LR)
def test_each_run_of_a_sweep_is_torchs_run_alone(lr, eps, options, backend):
    trace = swept(backend, **options)
    assert trace.losses.shape == (3, 4, 30)
    alone = torch_losses(NET, 30, lr=lr, eps=eps, **options)
    # eps = 0 lets rounding noise take full steps, so the runs agree to fewer digits
    rtol = 1e-9 if eps else 1e-5
    np.testing.assert_allclose(trace.losses[LR.index(lr), EPS.index(eps)], alone, rtol=rtol)


def test_the_parameters_are_those_of_the_run_alone():
    trace = sweep(NET, 30, lr=LR, eps=EPS)
    alone = run(NET, lambda params: Adam(params, lr=0.1, eps=1e-3), 30)
    for name, array in alone.params.items():
        np.testing.assert_allclose(trace.params[name][2, 2], array, rtol=1e-9)
        assert trace.params[name].shape == (3, 4, *array.shape)


def test_options_reach_the_step():
    betas = sweep(NET, 20, lr=[0.01], eps=[1e-8], betas=(0.5, 0.9)).losses[0, 0]
    np.testing.assert_allclose(betas, torch_losses(NET, 20, lr=0.01, betas=(0.5, 0.9)), rtol=1e-9)
    keras = sweep(NET, 20, lr=[0.01], eps=1e-3, dialect="keras").losses[0]
    alone = run(NET, lambda p: Adam(p, lr=0.01, eps=1e-3, dialect="keras"), 20).losses
    np.testing.assert_allclose(keras, alone, rtol=1e-12)


@pytest.mark.parametrize(
    "lr, eps, axes, shape",
    [
        (0.1, 1e-8, [], (5,)),
        ([0.1, 0.2], 1e-8, ["lr"], (2, 5)),
        (0.1, [1e-8, 1.0, 2.0], ["eps"], (3, 5)),
        (np.array([0.1]), (1e-8, 1.0), ["lr", "eps"], (1, 2, 5)),
    ],
)
@pytest.mark.parametrize("problem", [narrow_valley(), NET], ids=["array", "dict"])
def test_the_axes_are_the_arrays_that_were_given(problem, lr, eps, axes, shape):
    trace = sweep(problem, 5, lr=lr, eps=eps)
    assert list(trace.axes) == axes and trace.losses.shape == shape
    assert trace.label == problem.name
    assert type(trace.params) is type(problem.start)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_float32_stays_float32(backend):
    net = random_two_layer_net(n=8, d_in=5, h=4, d_out=2, dtype=np.float32)
    trace = sweep(net, 3, lr=LR, eps=EPS, backend=backend)
    assert {array.dtype for array in trace.params.values()} == {np.dtype(np.float32)}
    assert all(type(array) is np.ndarray for array in trace.params.values())


def test_the_problem_is_not_changed():
    before = NET.start_copy()
    sweep(NET, 5, lr=LR)
    for name, array in before.items():
        assert np.array_equal(NET.start[name], array)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_what_comes_back_is_no_part_of_the_problem(backend):
    params = sweep(NET, 0, backend=backend).params
    assert not any(np.shares_memory(params[name], NET.start[name]) for name in params)
    params["W1"] += 1  # and may be written to


def test_a_run_that_diverges_leaves_the_others_alone():
    trace = sweep(NET, 30, lr=[1e-2, 1e300], eps=1e-8)
    assert not np.isfinite(trace.losses[1, -1])
    np.testing.assert_allclose(trace.losses[0], torch_losses(NET, 30, lr=1e-2), rtol=1e-9)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": -1}, r"Invalid number of steps: -1 \(expected 0 or more\)"),
        ({"lr": [[1.0, 2.0]]}, r"lr has shape \(1, 2\) \(expected a number or one axis\)"),
        ({"eps": []}, r"eps has shape \(0,\) \(expected a number or one axis\)"),
        ({"eps": [1e-8, -1.0]}, "Invalid epsilon value"),
        ({"lr": [np.nan]}, "Invalid learning rate"),
        ({"backend": "jax"}, r"Unknown backend: 'jax' \(expected one of numpy, torch\)"),
        ({"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        ({"dialect": "mine"}, "Unknown dialect"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sweep(NET, **{"steps": 3} | options)


def test_words_are_no_learning_rates():
    with pytest.raises(TypeError, match="lr must"):
        sweep(NET, 3, lr=["0.1"])


def test_a_function_without_leading_axes_is_refused():
    flat = Problem("flat", lambda p: (float((p * p).sum()), 2 * p), np.ones(3))
    with pytest.raises(ValueError, match=r"'flat' has a value of shape \(\) for runs of shape"):
        sweep(flat, 3, lr=LR)
    assert sweep(flat, 3, lr=0.1).losses.shape == (3,)


def test_a_progress_bar_on_request_only(capsys):
    sweep(NET, 3, lr=LR)
    assert capsys.readouterr().err == ""
    sweep(NET, 3, lr=LR, progress=True)
    assert "3/3" in capsys.readouterr().err
