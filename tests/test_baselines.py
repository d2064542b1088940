"""Gradient descent, momentum and RMSProp against torch's, and against steps worked by hand."""

import math

import numpy as np
import pytest
import torch

from adamlib.experiments import momentum, rmsprop, run, sgd
from adamlib.problems import narrow_valley, random_two_layer_net

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
