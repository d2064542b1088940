"""The exercises of notebook 00: two languages, SGD's limit, and a gradient that eps swallows."""

from .base import Mistake
from .judges import Exercise, number, on_cases, predictions, satisfies

# --- 00-names ------------------------------------------------------------------------------------


def my_names():
    return {
        "exp_avg": "m",  # the decaying average of gradients
        "exp_avg_sq": "v",  # the decaying average of squared gradients
        "bias_correction1": "1 - beta1^t",
        "denom": "sqrt(v_hat) + eps",
    }


SWAPPED = "`exp` is for exponential, `avg` for average; `sq` says which average is of squares."
FIRST = "the 1 in its name belongs to β₁, and to the first moment."
WRONG_NAMES = {
    "exp_avg": [
        Mistake("moments-swapped", SWAPPED, "v"),
        Mistake(
            "corrected", "the state holds the average as it is. It is corrected on use.", "m_hat"
        ),
    ],
    "exp_avg_sq": [
        Mistake("moments-swapped", SWAPPED, "m"),
        Mistake(
            "corrected", "the state holds the average as it is. It is corrected on use.", "v_hat"
        ),
    ],
    "bias_correction1": [
        Mistake("wrong-moment", FIRST, "1 - beta2^t"),
        Mistake("wrong-moment", f"{FIRST} And m is divided by it; it is not itself m̂.", "m_hat"),
    ],
    "denom": [
        Mistake("eps-missing", "the denominator is all that stands below the line.", "sqrt(v_hat)"),
        Mistake(
            "no-square-root", "v is an average of squares; below the line stands its root.", "v"
        ),
        Mistake("correction-only", "that is what v is divided by, not what m̂ is.", "1 - beta2^t"),
    ],
}

# --- 00-limit ------------------------------------------------------------------------------------


def largest_lr(curvature):
    return 2 / curvature  # beyond it 1 - curvature * lr is below -1


WRONG_LIMITS = [
    Mistake(
        "reaches-the-floor",
        "with 1/h a single step lands in the minimum. SGD leaves later.",
        lambda h: 1 / h,
    ),
    Mistake(
        "one-curvature-only",
        "that is the limit for a curvature of 50. Use the argument.",
        lambda h: 0.04,
    ),
    Mistake(
        "notebooks-choice", "0.038 is what the notebook takes, not the limit.", lambda h: 0.038
    ),
    Mistake("upside-down", "a steeper wall allows a smaller learning rate.", lambda h: h / 2),
    Mistake(
        "factor-above-zero",
        "you ask that the factor stays above 0. It may be negative, down to −1.",
        lambda h: 0.5 / h,
    ),
    Mistake("root", "the curvature enters as it is, without a root.", lambda h: 2 / h**0.5),
]

# --- 00-standstill -------------------------------------------------------------------------------


def my_gradient():
    return 5e-9  # eps is twice as large, so the step is a third of lr


def stands_still(value: object) -> Mistake | None:
    gradient = number(value)
    step = abs(gradient) / (abs(gradient) + 1e-8) if gradient else 0.0
    if gradient == 0:
        return Mistake("no-gradient", "a gradient of zero gives no step at all. Find a small one.")
    if not abs(gradient) < float("inf"):
        return Mistake("not-finite", "a gradient must be a finite number.")
    if gradient == 1e-8:
        return Mistake("exactly-half", "where |g| = eps the step is exactly half of lr. Go on.")
    if step < 0.5:
        return None
    if abs(gradient) < 1e-6:
        length = f"the step is {step:.2f} lr. eps must be larger than the gradient."
        return Mistake("eps-too-small", length)
    says = "next to this gradient eps is nothing, and the step is lr. Think of the size of eps."
    return Mistake("eps-not-reached", says)


EXERCISES = (
    Exercise(
        "00-names",
        (
            "`exp_avg` is short for exponential moving average, `sq` for square.",
            "`denom` is the denominator: everything below the line in the last line of (2).",
        ),
        my_names,
        predictions(WRONG_NAMES),
    ),
    Exercise(
        "00-limit",
        (
            "on the wall each step multiplies θ₂ by 1 − curvature·α. When does that grow?",
            "it grows where the factor is below −1. Solve 1 − curvature·α = −1 for α.",
        ),
        largest_lr,
        on_cases([(1.0,), (2.0,), (50.0,), (0.5,)], WRONG_LIMITS),
    ),
    Exercise(
        "00-standstill",
        (
            "`move` of section 3 shows the step, with lr = 0.1. Try smaller and smaller gradients.",
            "on the first step m̂ = g and √v̂ = |g|, so the step is lr·|g|/(|g| + eps).",
        ),
        my_gradient,
        satisfies(stands_still),
    ),
)
