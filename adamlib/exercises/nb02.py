"""The exercises of notebook 02: the whole step, sign descent, the longest step, no bound at all."""

import math

import numpy as np

from ..experiments import unit_steps
from .base import Mistake
from .judges import Exercise, array, on_cases, satisfies
from .steps import a_step

# --- 02-step -------------------------------------------------------------------------------------


def my_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (v_hat**0.5 + eps)
    return theta, m, v, t


# --- 02-sign-descent -----------------------------------------------------------------------------


def my_betas():
    return (0.0, 0.0)  # m is the last gradient and v its square, so that m/√v is its sign


def step_lengths(grads: list[float], betas: tuple[float, float]) -> np.ndarray:
    """Lengths of the steps in units of lr, without eps."""
    return np.abs(unit_steps(grads, eps=0.0, betas=betas))


def is_sign_descent(value: object) -> Mistake | None:
    beta1, beta2 = array(value, (2,))
    if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
        return Mistake("out-of-range", "a beta is at least 0 and below 1.")
    lengths = step_lengths([1.0, 4.0, -2.0, 0.5], (float(beta1), float(beta2)))
    if np.allclose(lengths, 1, rtol=1e-9):
        return None
    last = f"with the gradients 1, 4, −2, 0.5 the last step has length {lengths[-1]:.2f} α."
    if beta1 and beta1 == beta2:
        says = "equal betas keep steps from being longer than α, but not from being shorter:"
        return Mistake("equal-betas", f"{says} {last}")
    if beta1 and beta2:
        return Mistake("both-remember", f"both averages still remember: {last}")
    if beta2:
        return Mistake("v-remembers", f"that is RMSProp with correction. v still remembers: {last}")
    return Mistake("m-remembers", f"m still remembers old gradients: {last}")


# --- 02-bound ------------------------------------------------------------------------------------


def bound(beta1, beta2):
    if beta1**2 >= beta2:
        return float("inf")
    return (1 - beta1) / ((1 - beta2) * (1 - beta1**2 / beta2)) ** 0.5


def _finite(formula):
    return lambda a, b: math.inf if a * a >= b else formula(a, b)


ENDLESS = "for β₁² ≥ β₂ the series grows without end, and no length is safe: infinity."
WRONG_BOUNDS = [
    Mistake(
        "quoted-bound",
        "this is the number that is usually quoted, the step after one lonely gradient.",
        lambda a, b: (1 - a) / (1 - b) ** 0.5,
    ),
    Mistake(
        "quoted-bound",
        "this is the number that is usually quoted, the step after one lonely gradient.",
        _finite(lambda a, b: (1 - a) / (1 - b) ** 0.5),
    ),
    Mistake(
        "no-square-root",
        "the root is missing. Cauchy and Schwarz bound the square of the step.",
        _finite(lambda a, b: (1 - a) / ((1 - b) * (1 - a * a / b))),
    ),
    Mistake(
        "beta1-not-squared",
        "the weights of m are squared in the sum, so the ratio of the series is β₁²/β₂.",
        lambda a, b: math.inf if a >= b else (1 - a) / ((1 - b) * (1 - a / b)) ** 0.5,
    ),
    Mistake("never-infinite", ENDLESS, lambda a, b: 1 / 0 if a * a >= b else bound(a, b)),
    Mistake("never-infinite", ENDLESS, lambda a, b: math.nan if a * a >= b else bound(a, b)),
    Mistake("never-infinite", ENDLESS, lambda a, b: 0.0 if a * a >= b else bound(a, b)),
    Mistake(
        "root-of-half",
        "the root goes over the whole denominator, over 1 − β₁²/β₂ too.",
        _finite(lambda a, b: (1 - a) / ((1 - b) ** 0.5 * (1 - a * a / b))),
    ),
    Mistake(
        "betas-swapped",
        "β₁ belongs to m, above the line.",
        lambda a, b: math.inf if b * b >= a else bound(b, a),
    ),
    Mistake("always-one", "that holds for the first step, not for all.", lambda a, b: 1.0),
]

# --- 02-break ------------------------------------------------------------------------------------


def my_gradients():
    return [(0.5 / 0.9) ** k for k in range(30)]  # shrinking, so that v forgets what m still holds


def is_too_long(value: object) -> Mistake | None:
    grads = array(value, (30,))
    if not np.isfinite(grads).all():
        return Mistake("not-finite", "gradients must be finite numbers.")
    if not np.any(grads[0]):
        says = "the first gradient is zero, so the first step is 0/0: NaN, and NaN for ever."
        return Mistake("starts-with-zero", says)
    lengths = step_lengths(grads.tolist(), (0.9, 0.5))
    says = f"the last step has length {lengths[-1]:.3g} α."
    if not np.isfinite(lengths).all():
        return Mistake("not-a-number", f"{says} v has underflowed: begin with larger gradients.")
    if lengths[-1] > 100:
        return None
    sizes = np.abs(grads)
    if np.ptp(sizes) < 1e-9 * sizes.max():
        return Mistake("constant", f"{says} Sizes that stay the same give no more than α.")
    if sizes[-1] > sizes[0]:
        return Mistake("growing", f"{says} They grow, so v is always as large as the newest.")
    if np.any(np.sign(grads) != np.sign(grads[0])):
        return Mistake("signs-cancel", f"{says} Their signs differ, and cancel in m.")
    fell = (sizes[-1] / sizes[0]) ** (1 / 29)
    fell_text = f"They shrink to {fell:.2f} of their size a step"
    if fell > 0.7:
        return Mistake("too-slow", f"{says} {fell_text}; v, with β₂ = 0.5, keeps up with that.")
    return Mistake("not-steady", f"{says} {fell_text} on average. Look at (14) for equality.")


EXERCISES = (
    Exercise(
        "02-step",
        (
            "begin with t = t + 1: the corrections need the number of this step.",
            "m and v are averaged with their own betas, v from g squared. Do not correct them yet.",
            "m_hat = m / (1 - beta1**t), and so for v. Return m and v, not the corrected ones.",
            "the last line divides m_hat by v_hat**0.5 + eps, eps outside the root.",
        ),
        my_step,
        a_step("paper"),
    ),
    Exercise(
        "02-sign-descent",
        (
            "nothing that happened before may play a role. What does that say of an average?",
            "an average without a memory is the newest value. Which β does that?",
        ),
        my_betas,
        satisfies(is_sign_descent),
    ),
    Exercise(
        "02-bound",
        (
            "it is the square root of a product of two sums; one of them is a geometric series.",
            "the ratio of that series is β₁²/β₂. What if it is 1 or more?",
            'write float("inf") for infinity, and check yourself with 7.27 at the defaults.',
        ),
        bound,
        on_cases(
            [(0.0, 0.75), (0.5, 0.75), (0.9, 0.99), (0.9, 0.999), (0.75, 0.5), (0.9, 0.5)],
            WRONG_BOUNDS,
        ),
    ),
    Exercise(
        "02-break",
        (
            "m remembers ten gradients, v hardly two. Which gradients does m hold that v forgot?",
            "they must shrink. Equality in the bound needs gᵢ ∝ (β₁/β₂)^(t−i).",
            "so each is β₂/β₁ = 0.5/0.9 times the one before.",
        ),
        my_gradients,
        satisfies(is_too_long),
    ),
)
