"""The exercises of notebook 11: what a report says, the eps it suggests, and what it cannot see."""

import math

import numpy as np

from ..optimizer import Adam
from ..problems import random_two_layer_net
from ..reporting import report
from .base import Mistake
from .judges import Exercise, number, on_cases, predictions, satisfies

# --- 11-findings ----------------------------------------------------------------------------------


def my_findings():
    return {
        "float32, g = 1": "nothing",
        "float32, g = 1e-9": "eps-holds-back",  # 1e-8 is ten times √v̂
        "float32, g = 0": "never-had-a-gradient",  # 0/(0 + 1e-8) is no NaN
        "bfloat16, g = 1": "state-cannot-shrink",  # the steps of 1e-3 count beside θ = 0.01
        "bfloat16, g = 1, theta = 1, beta2 = 0.99": "steps-lost-in-rounding",
        "float16, g = 1, of one number 0": "division-by-zero-ahead",  # 1e-8 is 0 there
    }


WIDE = "float32 has 24 bits: 0.1 % of v and a step of 1e-3 are there."
SMALL = "g² is 1e-18, and float32 goes down to 1e-45."
NO_EPS = "float16 rounds all up to 3e-8 to zero, this eps too."
HALF_UNIT = "half a unit is 4e-3 at θ = 1 in bfloat16, and 3e-5 at θ = 0.01. A step is 1e-3."
SHRINKS = "0.99·v is v less 1 %, and bfloat16 tells numbers 0.8 % apart."
STICKS = "0.999·v is v less 0.1 %, and bfloat16 tells numbers 0.8 % apart, at best 0.4 %."
NO_ZERO_BELOW = "eps is held in float32, so the step is 0/1e-8, and that is 0."
KEYS = list(my_findings())
WRONG_FINDINGS = {
    KEYS[0]: [
        Mistake("healthy", "√v̂ is 1, far above eps, and float32 holds it all.", "eps-holds-back"),
        Mistake("wide-enough", WIDE, "state-cannot-shrink"),
        Mistake("wide-enough", WIDE, "steps-lost-in-rounding"),
    ],
    KEYS[1]: [
        Mistake("eps-is-larger", "√v̂ is 1e-9. What is added to it is ten times that.", "nothing"),
        Mistake("small-is-not-zero", SMALL, "never-had-a-gradient"),
        Mistake("small-is-not-zero", SMALL, "division-by-zero-ahead"),
        Mistake(
            "short-is-not-lost",
            "the step is 1e-4, an eleventh of lr, and θ = 0.01 has units of 1e-9.",
            "steps-lost-in-rounding",
        ),
    ],
    KEYS[2]: [
        Mistake("eps-is-there", NO_ZERO_BELOW, "division-by-zero-ahead"),
        Mistake("no-step-to-hold", "0 is not held back: it has no step to take.", "eps-holds-back"),
        Mistake("v-is-zero", "nothing moves here. That may be meant, and is said.", "nothing"),
    ],
    KEYS[3]: [
        Mistake("half-a-unit", HALF_UNIT, "steps-lost-in-rounding"),
        Mistake("v-sticks", STICKS, "nothing"),
        Mistake("eps-is-small", "beside √v̂ = 1 an eps of 1e-8 is nothing.", "eps-holds-back"),
    ],
    KEYS[4]: [
        Mistake("v-shrinks", SHRINKS, "state-cannot-shrink"),
        Mistake("half-a-unit", HALF_UNIT, "nothing"),
    ],
    KEYS[5]: [
        Mistake("eps-is-zero", NO_EPS, "nothing"),
        Mistake("eps-is-zero", NO_EPS, "eps-holds-back"),
        Mistake(
            "eps-is-zero",
            "one number of ten is not half of them. But what is that one divided by?",
            "never-had-a-gradient",
        ),
        Mistake(
            "eleven-bits",
            "0.999·v needs 10 bits, and float16 has 11. v = 1 does come down.",
            "state-cannot-shrink",
        ),
    ],
}

# --- 11-largest-eps -------------------------------------------------------------------------------


def largest_eps(roots, share):
    ranked = np.sort(roots[roots > 0])
    return ranked[int(share * len(ranked))]


def _ranked(roots):
    return sorted(r for r in roots.tolist() if r > 0)


def _nth(roots, share, shift=0):
    return _ranked(roots)[math.floor(share * len(_ranked(roots))) + shift]


WRONG_EPS = [
    Mistake(
        "zeros-counted",
        "a number that never had a gradient has no step to hold back. Leave out the zeros.",
        lambda roots, share: sorted(roots.tolist())[math.floor(share * len(roots))],
    ),
    Mistake(
        "zeros-counted",
        "leave out the zeros: they have no step to hold back. And a quantile between two numbers "
        "is not the largest eps.",
        lambda roots, share: np.quantile(roots, share),
    ),
    Mistake(
        "wrong-end",
        "with this eps it is only the share that is not held back. Count from the small end.",
        lambda roots, share: _ranked(roots)[-1 - math.floor(share * len(_ranked(roots)))],
    ),
    Mistake(
        "one-too-few",
        "there is a larger one: a √v̂ of exactly eps takes half a step, which is not less.",
        lambda roots, share: _nth(roots, share, -1),
    ),
    Mistake(
        "one-too-many",
        "with this eps one number more is held back than the share allows.",
        lambda roots, share: _nth(roots, share, +1),
    ),
    Mistake(
        "by-one-per-cent",
        "that holds few numbers back by more than 1 %. By half, eps may be √v̂ itself.",
        lambda roots, share: _nth(roots, share) / 99,
    ),
    Mistake(
        "squared",
        "eps is added to the root of v̂, and the roots are given. Square nothing.",
        lambda roots, share: _nth(roots, share) ** 2,
    ),
    Mistake(
        "not-sorted",
        "the share is one of the smallest numbers, not of the first ones.",
        lambda roots, share: [r for r in roots.tolist() if r > 0][
            math.floor(share * np.count_nonzero(roots))
        ],
    ),
    Mistake(
        "interpolated",
        "close. A quantile between two of the numbers is not the largest eps: go up to the next.",
        lambda roots, share: np.quantile(roots[roots > 0], share),
    ),
    Mistake(
        "median",
        "with the median half of the numbers are held back, whatever the share.",
        lambda roots, share: np.median(roots[roots > 0]),
    ),
]

# --- 11-break -------------------------------------------------------------------------------------


def my_lr():
    return 1000.0  # no step is too long in units of lr, and lr itself is absurd


def silent_and_useless(value: object) -> Mistake | None:
    lr = number(value)
    if not math.isfinite(lr):
        return Mistake("not-finite", "a learning rate is a finite number.")
    if lr <= 0:
        return Mistake("out-of-range", "a learning rate is above 0.")
    net = random_two_layer_net(n=32, d_in=20, h=16, d_out=2)
    params = net.start_copy()
    optimizer = Adam(params, lr=lr, backend="numpy")
    with np.errstate(all="ignore"):
        for _ in range(200):
            optimizer.step(net.gradient(params))
        left = net.value(params) / net.value(net.start)
    if found := report(optimizer).findings:
        return Mistake(found[0].kind, f"the report has something to say: {found[0].says}.")
    if left < 0.9:
        return Mistake("still-trains", f"{left:.2g} of the loss is left, less than 0.9.")
    return None


EXERCISES = (
    Exercise(
        "11-findings",
        (
            "ask in turn: is v zero? is √v̂ below eps? does the format hold eps, β₂·v, and θ − lr?",
            "bfloat16 has 8 bits: its numbers are 2^-7 to 2^-8 of themselves apart.",
            "float16 holds nothing below 3e-8. In float32 all is held; there only eps, and a "
            "gradient that never was, are left.",
        ),
        my_findings,
        predictions(WRONG_FINDINGS),
    ),
    Exercise(
        "11-largest-eps",
        (
            "a number is held back by more than half where √v̂ is below eps. Sort the roots.",
            "leave out the zeros. Of n roots, int(share·n) may be below eps, and not one more.",
            "so eps is the root that has int(share·n) others before it.",
        ),
        largest_eps,
        on_cases(
            [
                (np.array([1.0, 2.0, 3.0, 4.0]), 0.5),
                (np.array([4.0, 0.0, 1.0, 3.0, 0.0, 7.0, 9.0, 2.0]), 0.25),
                (np.array([8.0, 5.0, 0.0, 6.0, 1.0, 2.0]), 0.25),
                (np.array([0.5, 4.0, 0.25, 2.0, 0.0, 8.0, 1.0]), 0.75),
            ],
            WRONG_EPS,
        ),
    ),
    Exercise(
        "11-break",
        (
            "the report measures steps in units of lr, and looks at no loss. What if lr is wrong?",
            "try a learning rate that is far too large, or one that is far too small.",
        ),
        my_lr,
        satisfies(silent_and_useless),
    ),
)
