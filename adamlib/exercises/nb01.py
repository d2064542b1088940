"""The exercises of notebook 01: a corrected average, steps that are too long, another cure."""

from .base import Mistake
from .judges import Exercise, on_cases

# --- 01-average ----------------------------------------------------------------------------------


def my_average(values, beta):
    average = 0.0
    for value in values:
        average = beta * average + (1 - beta) * value
    return average / (1 - beta ** len(values))


def _average(values, old, new, first=None):
    average = 0.0 if first is None else first
    for value in values[first is not None :]:
        average = old * average + new * value
    return average


def _stored(values, beta):
    average = 0.0
    for t, value in enumerate(values, start=1):
        average = (beta * average + (1 - beta) * value) / (1 - beta**t)
    return average


def _plain(values, beta):
    return _average(values, beta, 1 - beta)


WRONG_AVERAGES = [
    Mistake(
        "no-bias-correction",
        "the average is not divided by 1 − βᵗ, so it is still pulled toward its start at zero.",
        _plain,
    ),
    Mistake(
        "average-weights-swapped",
        "the weights are swapped: β belongs to the old average, 1 − β to the new value.",
        lambda x, b: _average(x, 1 - b, b) / (1 - b ** len(x)),
    ),
    Mistake(
        "swapped-and-not-corrected",
        "the weights are swapped, and the average is not divided by 1 − βᵗ.",
        lambda x, b: _average(x, 1 - b, b),
    ),
    Mistake(
        "step-frozen-at-1",
        "it is divided by 1 − β after every number of values. The power t is missing.",
        lambda x, b: _plain(x, b) / (1 - b),
    ),
    Mistake(
        "divides-by-the-rest",
        "βᵗ is what the start at zero holds. What the values hold is the rest, 1 − βᵗ.",
        lambda x, b: _plain(x, b) / b ** len(x),
    ),
    Mistake(
        "multiplies",
        "the average is too small, so divide by 1 − βᵗ. Multiplying makes it smaller.",
        lambda x, b: _plain(x, b) * (1 - b ** len(x)),
    ),
    Mistake(
        "step-starts-at-2",
        "the power is t + 1. After one value it must be 1.",
        lambda x, b: _plain(x, b) / (1 - b ** (len(x) + 1)),
    ),
    Mistake(
        "step-starts-at-0",
        "the power is t − 1, so after the first value the division is by zero.",
        lambda x, b: _plain(x, b) / (1 - b ** (len(x) - 1)),
    ),
    Mistake(
        "corrected-moments-stored",
        "the corrected average is carried on and corrected again. Correct once, at the end.",
        _stored,
    ),
    Mistake(
        "starts-at-the-first-value",
        "the average starts at the first value. That is another cure for the bias: exercise 3.",
        lambda x, b: _average(x, b, 1 - b, x[0]),
    ),
    Mistake(
        "plain-mean",
        "this is the plain mean. Here younger values weigh more.",
        lambda x, b: sum(x) / len(x),
    ),
    Mistake(
        "oldest-weighs-most",
        "the values go in from the wrong end: the newest comes last and weighs most.",
        lambda x, b: my_average(x[::-1], b),
    ),
    Mistake(
        "weights-do-not-fade",
        "the new value enters with its full size. Its weight is 1 − β.",
        lambda x, b: _average(x, b, 1) / (1 - b ** len(x)),
    ),
]

# --- 01-too-long ---------------------------------------------------------------------------------


def step_ratio(beta1, beta2, t):
    return (1 - beta1**t) / (1 - beta2**t) ** 0.5


WRONG_RATIOS = [
    Mistake(
        "upside-down",
        "this is how much too short the corrected step would be: turn the quotient round.",
        lambda a, b, t: (1 - b**t) ** 0.5 / (1 - a**t),
    ),
    Mistake(
        "no-square-root",
        "the root is missing. v stands under a root, and so does what it lacks.",
        lambda a, b, t: (1 - a**t) / (1 - b**t),
    ),
    Mistake(
        "step-frozen-at-1",
        "this is the first step only. The power t is missing.",
        lambda a, b, t: (1 - a) / (1 - b) ** 0.5,
    ),
    Mistake(
        "only-m-corrected",
        "this is the step with m corrected and v not. Here neither is.",
        lambda a, b, t: 1 / (1 - b**t) ** 0.5,
    ),
    Mistake(
        "only-v-corrected",
        "this is the step with v corrected and m not. Here neither is.",
        lambda a, b, t: 1 - a**t,
    ),
    Mistake(
        "betas-swapped",
        "β₁ belongs to m, above the line, β₂ to v, below it.",
        lambda a, b, t: (1 - b**t) / (1 - a**t) ** 0.5,
    ),
    Mistake(
        "power-outside",
        "the power belongs to each β, not to the quotient: 1 − βᵗ, not (1 − β)ᵗ.",
        lambda a, b, t: (1 - a) ** t / (1 - b) ** (t / 2),
    ),
]

# --- 01-other-cure -------------------------------------------------------------------------------


def first_weight(beta, t):
    return beta ** (t - 1)  # it starts with weight 1, and every later value takes a share


WRONG_WEIGHTS = [
    Mistake(
        "usual-average",
        "this is the weight in an average that started at zero. Here g₁² came in with weight 1.",
        lambda b, t: (1 - b) * b ** (t - 1),
    ),
    Mistake(
        "corrected-average",
        "this is its weight in the corrected average v̂. Here nothing is corrected.",
        lambda b, t: (1 - b) * b ** (t - 1) / (1 - b**t),
    ),
    Mistake(
        "one-step-late",
        "after one value nothing has faded yet: the weight of g₁² is then 1.",
        lambda b, t: b**t,
    ),
    Mistake("rest", "this is what all later values hold.", lambda b, t: 1 - b ** (t - 1)),
    Mistake(
        "new-share",
        "1 − β is the weight of the newest value, not of the first.",
        lambda b, t: 1 - b,
    ),
    Mistake(
        "weights-swapped",
        "what is there is multiplied by β at each step, not by 1 − β.",
        lambda b, t: (1 - b) ** (t - 1),
    ),
    Mistake("plain-mean", "this is its weight in a plain mean.", lambda b, t: 1 / t),
]

EXERCISES = (
    Exercise(
        "01-average",
        (
            "start with average = 0.0, and let the values in one by one, oldest first, as in (1).",
            "a value enters with the weight 1 − β; what is there is multiplied by β.",
            "after the loop divide once, by the sum of all weights: (3) says what it is.",
        ),
        my_average,
        on_cases(
            [
                ([1.0], 0.5),
                ([8.0, 4.0], 0.5),
                ([8.0, 4.0, 2.0], 0.5),
                ([1.0, -1.0], 0.75),
                ([1.0, 0.0, 0.0, 5.0], 0.9),
            ],
            WRONG_AVERAGES,
        ),
    ),
    Exercise(
        "01-too-long",
        (
            "m holds the share 1 − β₁ᵗ of what it should hold. And v?",
            "the step divides m by the root of v. So the root goes over the share of v too.",
        ),
        step_ratio,
        on_cases(
            [(0.5, 0.75, 1), (0.9, 0.999, 1), (0.9, 0.999, 2), (0.9, 0.999, 12), (0.5, 0.75, 3)],
            WRONG_RATIOS,
        ),
    ),
    Exercise(
        "01-other-cure",
        (
            "after one value the average is g₁² itself. What happens to it in the second step?",
            "every step after the first multiplies it by β. How many steps are that?",
        ),
        first_weight,
        on_cases(
            [(0.5, 1), (0.5, 2), (0.5, 3), (0.75, 2), (0.75, 3), (0.999, 1000)], WRONG_WEIGHTS
        ),
    ),
)
