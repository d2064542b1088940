"""The exercises of notebook 08: regions, where v sticks, an eps for float16, and a break."""

import math

import numpy as np

from ..experiments import first_step, moments_in
from .base import Mistake
from .judges import Exercise, number, on_cases, predictions, satisfies

# --- 08-regions ----------------------------------------------------------------------------------


def my_regions():
    return {
        "float16, g = 0, eps = 1e-8": "NaN",  # 0/0: this eps is zero there
        "float16, g = 1e-3, eps = 1e-8": "infinite",  # m/0: v is zero below 5.5e-3
        "float16, g = 1e-3, eps = 1e-4": "too long",  # g/eps: ten times lr
        "float16, g = 1e4, eps = 1e-4": "no step",  # v overflows from 8100 on
        "bfloat16, g = 1e-3, eps = 1e-8": "eps gone",  # below half a unit of 1e-3, 4e-6
        "float32, g = 1e-3, eps = 1e-8": "fine",  # above half a unit of 1e-3, 6e-11
    }


NO_EPS = "float16 holds nothing below 6e-8. What is 1e-8 there?"
NO_V = "v is 0.001·g² = 1e-9, and float16 rounds everything up to 3e-8 to zero."
EIGHT = "bfloat16 has 8 bits: near 1e-3 its numbers are 8e-6 apart. 1e-8 is lost."
FINE = "float32 numbers near 1e-3 are 1e-10 apart, so 1e-8 changes the denominator."
KEYS = list(my_regions())
WRONG_REGIONS = {
    KEYS[0]: [
        Mistake("eps-is-zero", f"{NO_EPS} 0/0 is not 0.", "no step"),
        Mistake("eps-is-zero", f"{NO_EPS} 0/0 is not 0.", "held back"),
        Mistake("zero-over-zero", "infinity is m/0, with an m that is not zero.", "infinite"),
    ],
    KEYS[1]: [
        Mistake("v-is-zero", NO_V, "fine"),
        Mistake("v-is-zero", NO_V, "eps gone"),
        Mistake("m-is-not-zero", f"{NO_V} But m is 1e-4, and it holds that.", "NaN"),
        Mistake("eps-is-zero", NO_EPS, "too long"),
    ],
    KEYS[2]: [
        Mistake("v-is-zero", NO_V, "fine"),
        Mistake("v-is-zero", NO_V, "eps gone"),
        Mistake("eps-is-held", "float16 does hold 1e-4, so nothing is divided by 0.", "infinite"),
        Mistake("v-is-zero", f"{NO_V} The step is g/eps. How long is that?", "held back"),
    ],
    KEYS[3]: [
        Mistake("v-overflows", "v is 0.001·g² = 1e5, more than 65504.", "fine"),
        Mistake("v-overflows", "v is 0.001·g² = 1e5, more than 65504.", "eps gone"),
        Mistake("infinity-below", "it is v that is infinite, below the line.", "infinite"),
        Mistake("infinity-below", "m is 1000 and v infinite. That quotient exists.", "NaN"),
    ],
    KEYS[4]: [
        Mistake("eight-bits", EIGHT, "fine"),
        Mistake("range-of-float32", "bfloat16 has the range of float32: v is held.", "infinite"),
        Mistake("range-of-float32", "bfloat16 has the range of float32: v is held.", "too long"),
    ],
    KEYS[5]: [
        Mistake("eps-is-visible", FINE, "eps gone"),
        Mistake("eps-is-small", f"{FINE} But by one part in 100 000 only.", "held back"),
    ],
}

# --- 08-stuck ------------------------------------------------------------------------------------


def stuck_at(beta2, g):
    border = 2**8 * (1 - beta2) * g**2  # at 2^k half a unit is 2^(k-8)
    return 2.0 ** np.ceil(np.log2(border))


def _power(x):
    return 2.0 ** math.ceil(math.log2(x))


WRONG_STUCK = [
    Mistake(
        "not-a-power-of-two",
        "right so far. But units double only at powers of two, so v runs on to the next one.",
        lambda b, g: 256 * (1 - b) * g * g,
    ),
    Mistake(
        "rounded-down",
        "below the border v still grows. It stops at the first power of two above.",
        lambda b, g: 2.0 ** math.floor(math.log2(256 * (1 - b) * g * g)),
    ),
    Mistake(
        "whole-unit",
        "an addition is lost when it is less than half a unit, not less than a whole one.",
        lambda b, g: _power(128 * (1 - b) * g * g),
    ),
    Mistake(
        "quarter-unit",
        "half of 2^(k-7) is 2^(k-8). You have halved it twice.",
        lambda b, g: _power(512 * (1 - b) * g * g),
    ),
    Mistake(
        "float16",
        "2^11 belongs to float16. bfloat16 has 8 bits.",
        lambda b, g: _power(2**11 * (1 - b) * g * g),
    ),
    Mistake(
        "not-squared",
        "v averages g², not g.",
        lambda b, g: _power(256 * (1 - b) * g),
    ),
    Mistake(
        "half-of-it",
        "half of g² is right for g = 1 and β₂ = 0.999 only.",
        lambda b, g: g * g / 2,
    ),
    Mistake(
        "nearest-power",
        "that is the nearest power of two. v passes all those below the border.",
        lambda b, g: 2.0 ** round(math.log2(256 * (1 - b) * g * g)),
    ),
]

# --- 08-eps --------------------------------------------------------------------------------------


def my_eps():
    return 1e-2  # above 5.5e-3, where v begins to hold something, and below 0.1/9


def works_in_float16(value: object) -> Mistake | None:
    eps = number(value)
    if not 0 <= eps < math.inf:
        return Mistake("out-of-range", "an eps is a finite number, 0 or more.")
    with np.errstate(all="ignore"):
        half = np.float16(eps)
    if half == 0:
        return Mistake("rounds-to-zero", "float16 makes zero of it.")
    grads = np.logspace(-6, 2, 800).astype(np.float16)
    lengths = np.abs(first_step(grads, eps))
    worst = int(np.argmax(lengths))
    if not lengths[worst] < 1.01:
        says = f"the gradient {grads[worst]:.1e} makes a step of {lengths[worst]:.3g} lr."
        return Mistake("too-small", f"{says} There v is zero, and the step g/eps.")
    share = float(np.abs(first_step(np.array([0.1], np.float16), eps))[0])
    if share < 0.9:
        return Mistake("too-large", f"a gradient of 0.1 makes a step of {share:.2f} lr only.")
    return None


# --- 08-break ------------------------------------------------------------------------------------


def my_gradient():
    return 1.96  # v sticks at 1, the power of two just above 0.256·g²


def makes_v_stick_low(value: object) -> Mistake | None:
    grad = number(value)
    if not math.isfinite(grad):
        return Mistake("not-finite", "a gradient is a finite number.")
    if not 1 <= grad <= 2:
        return Mistake("out-of-range", "take a gradient from 1 to 2.")
    rounded = float(moments_in("bfloat16", [grad], betas=(0.0, 0.0))[0][0])
    v = moments_in("bfloat16", np.full(2000, grad))[1][-1]
    share = v / rounded**2
    if share < 0.27:
        return None
    says = f"v sticks at {v:g}, which is {share:.2f} of g²."
    if grad > 1.9:
        return Mistake("too-far", f"{says} You have gone past the place: go back a little.")
    if grad == 1:
        return Mistake("half-of-it", f"{says} That is the case of the notebook. Move on from it.")
    return Mistake("too-high", f"{says} Make g² larger, and let v stick at the same number.")


EXERCISES = (
    Exercise(
        "08-regions",
        (
            "ask in turn: is v zero or infinite? is eps zero? if neither, compare eps with g.",
            "v = 0.001·g² is zero up to 3e-8 in float16, and infinite from 65520 on.",
            "eps is gone where it is less than half the distance between numbers near g.",
        ),
        my_regions,
        predictions(WRONG_REGIONS),
    ),
    Exercise(
        "08-stuck",
        (
            "each step adds (1 − β₂)·g². It is lost where half a unit in the last place is more.",
            "from 2^k on a unit is 2^(k−7). So the question is the smallest 2^k that is large "
            "enough.",
            "2^(k−8) ≥ (1 − β₂)·g². Take log2 and round up.",
        ),
        stuck_at,
        on_cases(
            # the last one, of exact powers, tells a whole unit from rounding down
            [(0.999, 1.0), (0.999, 2.0), (0.999, 1.5), (0.9999, 1.0), (1 - 2.0**-10, 1.0)],
            WRONG_STUCK,
        ),
    ),
    Exercise(
        "08-eps",
        (
            "where v is zero the step is g/eps. How large can such a g be?",
            "below 5.5e-3 v is zero. And 0.1/(0.1 + eps) has to be 0.9 or more.",
        ),
        my_eps,
        satisfies(works_in_float16),
    ),
    Exercise(
        "08-break",
        (
            "v sticks at a power of two, and at least at 0.256·g². When is it close to that?",
            "let v stick at 1. For which g is 0.256·g² nearly 1, and not above it?",
        ),
        my_gradient,
        satisfies(makes_v_stick_low),
    ),
)
