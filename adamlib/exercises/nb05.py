"""The exercises of notebook 05: a scaled loss, Adam as momentum, EAdam's eps, and a cliff."""

import numpy as np

from .base import Mistake
from .judges import Exercise, array, on_cases, satisfies

# --- 05-same-run ---------------------------------------------------------------------------------


def same_run(factor, lr, eps, weight_decay):
    return lr, eps * factor, weight_decay * factor


WRONG_RUNS = [
    Mistake(
        "decay-forgotten",
        "L2 decay adds weight_decay·θ to the gradient. The gradient is scaled, θ is not.",
        lambda f, lr, eps, wd: (lr, eps * f, wd),
    ),
    Mistake(
        "eps-kept",
        "√v̂ is scaled with the loss. eps stands beside it, and must keep its ratio to it.",
        lambda f, lr, eps, wd: (lr, eps, wd * f),
    ),
    Mistake(
        "nothing-changed",
        "without eps and without decay nothing would have to change. Both are there.",
        lambda f, lr, eps, wd: (lr, eps, wd),
    ),
    Mistake(
        "lr-scaled",
        "m̂/√v̂ has no units: the factor cancels. lr stays.",
        lambda f, lr, eps, wd: (lr * f, eps * f, wd * f),
    ),
    Mistake(
        "lr-divided",
        "that is what SGD would need. In Adam m̂/√v̂ has no units, and lr stays.",
        lambda f, lr, eps, wd: (lr / f, eps * f, wd * f),
    ),
    Mistake(
        "lr-divided",
        "that is what SGD would need. In Adam m̂/√v̂ has no units, and lr stays.",
        lambda f, lr, eps, wd: (lr / f, eps, wd),
    ),
    Mistake(
        "upside-down",
        "a smaller loss has smaller gradients. eps must become smaller with them.",
        lambda f, lr, eps, wd: (lr, eps / f, wd / f),
    ),
    Mistake(
        "upside-down",
        "a smaller loss has smaller gradients. eps must become smaller with them.",
        lambda f, lr, eps, wd: (lr, eps / f, wd),
    ),
    Mistake(
        "eps-squared",
        "v is scaled by the square of the factor, but eps is added to its root.",
        lambda f, lr, eps, wd: (lr, eps * f**2, wd * f),
    ),
]

# --- 05-as-sgd -----------------------------------------------------------------------------------


def as_sgd(lr, eps, beta1):
    return lr / eps * (1 - beta1)


WRONG_RATES = [
    Mistake(
        "sum-not-average",
        "torch keeps the sum b = β₁·b + g. Adam's m is an average, (1 − β₁) times as large.",
        lambda lr, eps, b: lr / eps,
    ),
    Mistake(
        "eps-forgotten",
        "the denominator is eps, and it has not gone away: Adam's step is lr/eps·m̂.",
        lambda lr, eps, b: lr * (1 - b),
    ),
    Mistake(
        "divided-by-the-rest",
        "b = m/(1 − β₁), so that lr·b would be too long. It needs a smaller lr, not a larger.",
        lambda lr, eps, b: lr / eps / (1 - b),
    ),
    Mistake(
        "multiplied-by-eps",
        "eps stands below the line.",
        lambda lr, eps, b: lr * eps * (1 - b),
    ),
    Mistake(
        "beta-for-its-rest",
        "the new gradient enters m with the weight 1 − β₁, not β₁.",
        lambda lr, eps, b: lr / eps * b,
    ),
    Mistake(
        "upside-down",
        "the quotient is upside down: a larger eps makes shorter steps.",
        lambda lr, eps, b: eps / lr * (1 - b),
    ),
]

# --- 05-eadam ------------------------------------------------------------------------------------


def outside_eps(eps, beta2):
    return (eps / (1 - beta2)) ** 0.5


WRONG_OUTSIDE = [
    Mistake(
        "no-square-root",
        "that is what has gathered inside the root. Outside it counts with its root.",
        lambda e, b: e / (1 - b),
    ),
    Mistake(
        "one-step-only",
        "that is the root of one step's eps. v keeps the share β₂ of all earlier ones.",
        lambda e, b: e**0.5,
    ),
    Mistake(
        "root-of-eps-only",
        "the root goes over 1 − β₂ as well.",
        lambda e, b: e**0.5 / (1 - b),
    ),
    Mistake(
        "root-of-the-rest-only",
        "the root goes over eps as well.",
        lambda e, b: e / (1 - b) ** 0.5,
    ),
    Mistake(
        "multiplies",
        "a longer memory gathers more: divide by 1 − β₂.",
        lambda e, b: (e * (1 - b)) ** 0.5,
    ),
    Mistake(
        "beta-for-its-rest",
        "the sum 1 + β₂ + β₂² + … is 1/(1 − β₂).",
        lambda e, b: (e / b) ** 0.5,
    ),
    Mistake("as-if-outside", "EAdam's eps is not outside the root.", lambda e, b: e),
]

# --- 05-break ------------------------------------------------------------------------------------


def my_point():
    return 100.0, 10_000.0  # lr, eps: lr/eps = 0.01 trains, 0.1 does not


def falls_off(value):
    lr, eps = array(value, (2,))
    if not (np.isfinite([lr, eps]).all() and lr > 0 and eps > 0):
        return Mistake("not-positive", "lr and eps must both be positive and finite.")
    if eps < 1:
        return Mistake(
            "eps-does-not-matter",
            "that is left of the gradients in the map. There a tenth of eps changes nothing.",
        )
    works, less = _fall(lr, eps), _fall(lr, eps / 10)
    if not works <= 1e-3:
        says = "with these two the loss does not fall by 1000 times."
        return Mistake("does-not-train", f"{says} Look for the dark band.", "1e-3 or less")
    if less <= 1:
        return Mistake(
            "survives",
            "it trains, but with a tenth of eps it does not end higher than it began. "
            "Go further to the right, and closer to the edge.",
        )
    return None


def _fall(lr, eps):
    """Last over first loss of the net of the map."""
    from ..experiments import sweep
    from ..problems import random_two_layer_net

    net = random_two_layer_net(n=32, d_in=20, h=16, d_out=2)
    losses = sweep(net, 150, lr=float(lr), eps=float(eps)).losses
    return losses[-1] / losses[0] if np.isfinite(losses[-1]) else np.inf


EXERCISES = (
    Exercise(
        "05-same-run",
        (
            "every gradient is multiplied by the factor. What of m̂, of √v̂, of their quotient?",
            "eps is added to √v̂, weight_decay·θ to the gradient. Both must be scaled with them.",
            "return three numbers: lr, eps times the factor, weight_decay times the factor.",
        ),
        same_run,
        on_cases([(0.5, 1.0, 1.0, 1.0), (0.25, 0.1, 0.01, 0.5), (8.0, 0.1, 1e-8, 0.1)], WRONG_RUNS),
    ),
    Exercise(
        "05-as-sgd",
        (
            "where eps is huge, √v̂ + eps is eps. What is left of Adam's step?",
            "lr/eps·m. torch's buffer is b = β₁·b + g. How are b and m related?",
            "m = (1 − β₁)·b.",
        ),
        as_sgd,
        on_cases([(1.0, 4.0, 0.75), (2.0, 8.0, 0.0), (10.0, 1e4, 0.9)], WRONG_RATES),
    ),
    Exercise(
        "05-eadam",
        (
            "for a vanishing gradient only the constant is left in each denominator.",
            "v gathers eps·(1 + β₂ + β₂² + …), and the root is taken of that.",
        ),
        outside_eps,
        on_cases([(1.0, 0.75), (4.0, 0.75), (0.01, 0.9), (1e-8, 0.999)], WRONG_OUTSIDE),
    ),
    Exercise(
        "05-break",
        (
            "in the map a tenth of eps is three cells to the left. Where does that leave the band?",
            "on the diagonal a tenth of eps makes lr/eps ten times as large.",
            "lr/eps = 0.01 is on the band. Go up along it until 0.1 lies above everything blue.",
        ),
        my_point,
        satisfies(falls_off),
    ),
)
