"""The exercises of notebook 03: four first steps, underflow, a dead unit, and what eps leaves."""

import math

from .base import Mistake
from .judges import Exercise, on_cases, predictions

NAN, INF = math.nan, math.inf

# --- 03-first-steps ------------------------------------------------------------------------------


def my_steps():
    return {
        "0": float("nan"),  # 0/0
        "1e-30": float("inf"),  # g² is below the smallest float32, g is not
        "-1e-12": -1.0,  # tiny over tiny: a full step, whatever the size
        "1e-3": 1.0,
    }


UNDERFLOW = "g² is 1e-60, which float32 does not hold: v is zero. But m is not."
FULL = "without ε the step is g/√g², a full one, however tiny g is."
SIGN = "this is the right length with the wrong sign: first_step returns θ₀ − θ₁ = α·sign(g)."
WRONG_STEPS = {
    "0": [
        Mistake("zero-over-zero", "0/0 is not zero. IEEE 754 has no number for it.", 0.0),
        Mistake("zero-over-zero", "infinity is what m/0 gives, with m not zero.", INF),
        Mistake("zero-over-zero", "that is g/|g|, which has no value at g = 0.", 1.0),
    ],
    "1e-30": [
        Mistake("square-underflows", UNDERFLOW, 1.0),
        Mistake("square-underflows", f"{UNDERFLOW} NaN would need 0/0.", NAN),
        Mistake("square-underflows", UNDERFLOW, 0.0),
        Mistake("wrong-sign", SIGN, -INF),
    ],
    "-1e-12": [
        Mistake("wrong-sign", SIGN, 1.0),
        Mistake("tiny-is-not-zero", FULL, 0.0),
        Mistake("tiny-is-not-zero", FULL, -1e-12),
        Mistake("no-underflow", "its square is 1e-24, and float32 holds that.", -INF),
        Mistake("no-underflow", "its square is 1e-24, and float32 holds that.", NAN),
    ],
    "1e-3": [
        Mistake("wrong-sign", SIGN, -1.0),
        Mistake("size-does-not-matter", FULL, 1e-3),
        Mistake("size-does-not-matter", FULL, 0.0),
    ],
}

# --- 03-underflow --------------------------------------------------------------------------------


def vanishes_below(smallest, beta2):
    return (smallest / (2 * (1 - beta2))) ** 0.5


WRONG_BORDERS = [
    Mistake(
        "forgot-rounding",
        "numbers above half of the smallest one round up to it. The 2 is missing.",
        lambda s, b: (s / (1 - b)) ** 0.5,
    ),
    Mistake(
        "no-square-root",
        "that is the border for g². The root is missing.",
        lambda s, b: s / (2 * (1 - b)),
    ),
    Mistake(
        "beta2-for-its-rest",
        "the new square enters v with the weight 1 − β₂, not β₂.",
        lambda s, b: (s / (2 * b)) ** 0.5,
    ),
    Mistake(
        "weight-forgotten",
        "that is where g² itself vanishes. v takes only the share 1 − β₂ of it.",
        lambda s, b: (s / 2) ** 0.5,
    ),
    Mistake(
        "multiplies",
        "a small weight makes v vanish earlier, so the border moves up: divide by 1 − β₂.",
        lambda s, b: (s * (1 - b) / 2) ** 0.5,
    ),
    Mistake(
        "root-of-half",
        "the root goes over 1 − β₂ as well.",
        lambda s, b: (s / 2) ** 0.5 / (1 - b),
    ),
    Mistake(
        "doubled",
        "s/2 is half of the smallest number. You have doubled it.",
        lambda s, b: (2 * s / (1 - b)) ** 0.5,
    ),
]

# --- 03-dead-unit --------------------------------------------------------------------------------


def my_counts():
    return {
        "W1": 12,  # the unit's row: nothing flows back through a ReLU that is off
        "b1": 1,  # and its bias
        "W2": 3,  # the unit's column: its value is 0 for every example
        "b2": 0,  # every output still has an error
    }


ROW = "the gradient of W1 needs a derivative of the ReLU, which is 0 for this unit only."
WRONG_COUNTS = {
    "W1": [
        Mistake("one-weight-only", f"{ROW} That is a whole row.", 1),
        Mistake("inputs-not-padded", f"{ROW} All other rows have gradients.", 0),
        Mistake("rows-and-columns", f"{ROW} Its row has an entry for each of 12 inputs.", 8),
        Mistake("everything", f"{ROW} The other rows survive the first update.", 96),
        Mistake("padded-columns", f"{ROW} Here no input is padded.", 16),
    ],
    "b1": [
        Mistake("bias-forgotten", "the bias stands before the ReLU too, and gets no gradient.", 0),
        Mistake("everything", "only one of the eight units is dead.", 8),
    ],
    "W2": [
        Mistake(
            "value-is-zero",
            "the gradient of W2 is the error times the hidden value, and this one is exactly 0.",
            0,
        ),
        Mistake("rows-and-columns", "the unit feeds each of 3 outputs: a column of W2.", 8),
        Mistake("rows-and-columns", "the unit feeds each of 3 outputs: a column of W2.", 1),
        Mistake("everything", "only what leaves the dead unit has no gradient.", 24),
    ],
    "b2": [
        Mistake("bias-after", "b2 stands behind the unit. Its gradient is the error itself.", 1),
        Mistake("bias-after", "b2 stands behind the unit. Its gradient is the error itself.", 3),
    ],
}

# --- 03-share ------------------------------------------------------------------------------------


def eps_for(gradient, share):
    return abs(gradient) * (1 / share - 1)  # from share = |g| / (|g| + eps)


WRONG_EPS = [
    Mistake(
        "sign-kept",
        "eps follows from the size of the gradient, so that it is never negative.",
        lambda g, s: g * (1 / s - 1),
    ),
    Mistake(
        "one-too-many",
        "|g|/share is the whole denominator, |g| + eps. Take |g| away.",
        lambda g, s: abs(g) / s,
    ),
    Mistake(
        "linear",
        "eps stands below the line, so the share does not fall in proportion to it.",
        lambda g, s: abs(g) * (1 - s),
    ),
    Mistake(
        "upside-down",
        "a smaller share needs a larger eps. The quotient is upside down.",
        lambda g, s: abs(g) / (1 / s - 1),
    ),
    Mistake(
        "share-of-gradient",
        "this falls with the share, but a smaller share needs a larger eps.",
        lambda g, s: abs(g) * s,
    ),
    Mistake(
        "eps-inside-root",
        "this is for eps inside the root, √(g² + eps). Here it stands outside.",
        lambda g, s: g * g * (1 / s**2 - 1),
    ),
    Mistake("half-only", "that is right for half a step only.", lambda g, s: abs(g)),
]

EXERCISES = (
    Exercise(
        "03-first-steps",
        (
            "ask three questions of each: is m zero? is v zero? if neither, what is m̂/√v̂?",
            "float32 holds nothing below 1.4e-45. v is 0.001·g² on the first step.",
            'write float("nan"), float("inf"), or a number with its sign.',
        ),
        my_steps,
        predictions(WRONG_STEPS),
    ),
    Exercise(
        "03-underflow",
        (
            "v₁ = (1 − β₂)·g². Rounding sends it to zero below half of the smallest number.",
            "solve (1 − β₂)·g² = smallest/2 for g.",
        ),
        vanishes_below,
        on_cases(
            [(2.0**-1, 0.75), (2.0**-3, 0.75), (2.0**-24, 0.999), (2.0**-149, 0.9)], WRONG_BORDERS
        ),
    ),
    Exercise(
        "03-share",
        (
            "for a steady gradient the share is |g|/(|g| + eps). Turn that round.",
            "|g|/share = |g| + eps.",
        ),
        eps_for,
        on_cases([(1.0, 0.5), (1.0, 0.25), (-1.0, 0.5), (2.0, 0.5), (1e-3, 0.1)], WRONG_EPS),
    ),
    Exercise(
        "03-dead-unit",
        (
            "a number becomes NaN where its gradient is exactly zero. Go through the four arrays.",
            "W1 is 8 × 12: a row for each unit. W2 is 3 × 8: a column for each unit.",
            "the gradient of W2 is the error times the hidden value. What is that of a dead unit?",
        ),
        my_counts,
        predictions(WRONG_COUNTS, rtol=1e-9),
    ),
)
