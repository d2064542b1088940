"""The exercises of notebook 07: three Adams to write, and what eps is worth inside the root."""

from .base import Mistake
from .judges import Exercise, on_cases
from .steps import a_step

# --- 07-inside -----------------------------------------------------------------------------------


def inside_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (v_hat + eps) ** 0.5
    return theta, m, v, t


# --- 07-reordered --------------------------------------------------------------------------------


def reordered_step(theta, g, m, v, t, lr, beta1, beta2, eps):
    t = t + 1
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    corrected_lr = lr * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
    theta = theta - corrected_lr * m / (v**0.5 + eps)
    return theta, m, v, t


# --- 07-decoupled --------------------------------------------------------------------------------


def decoupled_step(theta, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    t = t + 1
    theta = theta * (1 - lr * weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (v_hat**0.5 + eps)
    return theta, m, v, t


# --- 07-half-speed -------------------------------------------------------------------------------


def half_speed(eps):
    return (eps / 3) ** 0.5  # g/√(g² + eps) = 1/2, so 4 g² = g² + eps


WRONG_HALVES = [
    Mistake(
        "naive-root",
        "there eps inside equals g², and the step is 1/√2 of lr, not half.",
        lambda e: e**0.5,
    ),
    Mistake("as-if-outside", "that is where it would be with eps outside the root.", lambda e: e),
    Mistake("no-square-root", "that is g². The root is missing.", lambda e: e / 3),
    Mistake("three-outside", "the 3 belongs under the root.", lambda e: e**0.5 / 3),
    Mistake("upside-down", "4 g² = g² + eps: divide by 3.", lambda e: (3 * e) ** 0.5),
    Mistake("four", "g² is on both sides: 4 g² − g² are three.", lambda e: (e / 4) ** 0.5),
]

OUTSIDE = "eps is outside the root, √v̂ + ε."
HAT = "this is the reordered form: its eps is added before v is corrected."
EXERCISES = (
    Exercise(
        "07-inside",
        (
            "take the step of notebook 02. Only the last line changes.",
            "the sum v_hat + eps goes under the root: (v_hat + eps) ** 0.5.",
        ),
        inside_step,
        a_step(
            "fastai-lesson",
            habits={
                "paper": OUTSIDE,
                "keras": HAT,
                "apex-contrib-inside": "eps is added to v before the correction. Correct v first.",
            },
        ),
    ),
    Exercise(
        "07-reordered",
        (
            "the last line divides m by √v + eps, both as they are.",
            "both corrections go into one factor: lr·√(1 − β₂ᵗ)/(1 − β₁ᵗ).",
        ),
        reordered_step,
        a_step(
            "paper-reordered",
            habits={
                "paper": "this is Algorithm 1: eps is added after v is corrected.",
                "bert": "nothing is corrected. The factor of lr is missing.",
                "fastai-lesson": "eps is inside the root.",
            },
        ),
    ),
    Exercise(
        "07-decoupled",
        (
            "decoupled: the decay does not pass through m and v.",
            "theta shrinks by the factor 1 − lr·weight_decay before the step.",
        ),
        decoupled_step,
        a_step(
            "pytorch",
            weight_decay=0.25,
            coupled="the decay enters the gradient, and so m and v. That is L2, not decoupled.",
        ),
    ),
    Exercise(
        "07-half-speed",
        (
            "the length of a step over lr is g/√(g² + eps). Set it to one half.",
            "square both sides: 4 g² = g² + eps.",
        ),
        half_speed,
        on_cases([(3.0,), (12.0,), (1.0,), (1e-8,)], WRONG_HALVES),
    ),
)
