"""What Adam is compared with: gradient descent, momentum, RMSProp, for `run`."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..checks import check_hyperparameters
from ..moments import ema
from ..problems import Params, named
from .traces import Stepper

Update = Callable[[NDArray, NDArray], tuple[NDArray, NDArray]]


def sgd(lr: float) -> Callable[[Params], Stepper]:
    """Return plain gradient descent, for `run`: θₜ = θₜ₋₁ − α·gₜ, as `torch.optim.SGD` has it.

    Parameters
    ----------
    lr : float
        Learning rate α, finite, 0 or more.

    Returns
    -------
    callable
        Takes the parameters and returns what updates them in place.

    Examples
    --------
    >>> weights = np.array([3.0, -1.0])
    >>> sgd(lr=0.5)(weights).step(np.array([2.0, 4.0]))
    >>> weights
    array([ 2., -3.])
    """
    check_hyperparameters(lr, (0.0, 0.0), 0.0, 0.0)
    return lambda params: _RuleStepper(params, lambda grad, memory: (lr * grad, memory))


def momentum(lr: float, beta: float = 0.9) -> Callable[[Params], Stepper]:
    """Return gradient descent along the average gradient: mₜ = β·mₜ₋₁ + (1−β)·gₜ, −α·mₜ.

    Parameters
    ----------
    lr : float
        Learning rate α, finite, 0 or more.
    beta : float
        β₁, in [0, 1).

    Returns
    -------
    callable
        As that of `sgd`.

    Examples
    --------
    >>> weights = np.array([3.0, -1.0])
    >>> momentum(lr=0.5, beta=0.75)(weights).step(np.array([2.0, 4.0]))
    >>> weights
    array([ 2.75, -1.5 ])

    Notes
    -----
    This is Adam's m without correction. Many write b = β·b + g instead, which is m/(1−β): so
    this is ``torch.optim.SGD(params, lr=(1 - beta) * lr, momentum=beta)``. Source: Polyak 1964,
    in this form.
    """
    check_hyperparameters(lr, (beta, 0.0), 0.0, 0.0)

    def update(grad: NDArray, memory: NDArray) -> tuple[NDArray, NDArray]:
        exp_avg = ema(memory, grad, beta)
        return lr * exp_avg, exp_avg

    return lambda params: _RuleStepper(params, update)


def rmsprop(lr: float, beta2: float = 0.9, eps: float = 1e-8) -> Callable[[Params], Stepper]:
    """Return RMSProp: vₜ = β₂·vₜ₋₁ + (1−β₂)·gₜ², θₜ = θₜ₋₁ − α·gₜ/(√vₜ + ε).

    Parameters
    ----------
    lr : float
        Learning rate α, finite, 0 or more.
    beta2 : float
        β₂, in [0, 1).
    eps : float
        ε outside the root, finite, 0 or more.

    Returns
    -------
    callable
        As that of `sgd`.

    Examples
    --------
    >>> weights = np.array([3.0, -1.0])
    >>> rmsprop(lr=0.5, beta2=0.75, eps=0.0)(weights).step(np.array([2.0, 4.0]))
    >>> weights
    array([ 2., -2.])

    Notes
    -----
    Equal to ``torch.optim.RMSprop(params, lr, alpha=beta2, eps=eps)``. Source: Tieleman &
    Hinton 2012, lecture 6.5.
    """
    check_hyperparameters(lr, (0.0, beta2), eps, 0.0)

    def update(grad: NDArray, memory: NDArray) -> tuple[NDArray, NDArray]:
        exp_avg_sq = ema(memory, grad * grad, beta2)
        return lr * grad / (np.sqrt(exp_avg_sq) + eps), exp_avg_sq

    return lambda params: _RuleStepper(params, update)


class _RuleStepper:
    """Applies one rule to one array or to a dict of them; the memory starts at zero."""

    def __init__(self, params: Params, update: Update) -> None:
        self.params, self.update = named(params), update
        self.memory = {name: np.zeros_like(array) for name, array in self.params.items()}

    @np.errstate(all="ignore")  # where a rule divides by zero, its result says so
    def step(self, grads: Params) -> None:
        for name, grad in named(grads).items():
            change, self.memory[name] = self.update(grad, self.memory[name])
            self.params[name] -= change
