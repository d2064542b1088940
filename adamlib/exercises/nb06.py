"""The exercises of notebook 06: three orders of a maximum, a drift, and a problem of one's own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..experiments import drift, rare_gradient
from .base import Mistake, NotYet
from .judges import Exercise, array, on_cases, predictions, satisfies

# --- 06-orders -----------------------------------------------------------------------------------


def my_roots():
    # v₁ = 0.25·16 = 4 and v₂ = 0.75·4 = 3; the corrections are 1/4 and 7/16
    return {
        "Adam": (3 / (7 / 16)) ** 0.5,
        "torch": (4 / (7 / 16)) ** 0.5,  # the largest v is 4, corrected with today's 7/16
        "optax": (4 / (1 / 4)) ** 0.5,  # the largest v̂ is 16
        "paper": 4**0.5,  # the largest v, not corrected
    }


ROOT = "that is v itself. Adam divides by its root."
PRESENT = "AMSGrad keeps the largest, and v has fallen from 4 to 3."
TORCH = (12 / 7 * 16 / 3) ** 0.5
ADAM = (48 / 7) ** 0.5
WRONG_ROOTS = {
    "Adam": [
        Mistake("no-square-root", ROOT, 48 / 7),
        Mistake("no-bias-correction", "v₂ = 3 is still to be divided by 1 − β₂² = 7/16.", 3**0.5),
        Mistake("keeps-the-maximum", "Adam has no maximum: it divides by the present v̂.", TORCH),
        Mistake("keeps-the-maximum", "Adam has no maximum: it divides by the present v̂.", 4.0),
        Mistake("step-frozen-at-1", "1/4 was the correction of step 1. Step 2 has 7/16.", 12**0.5),
    ],
    "torch": [
        Mistake("no-square-root", ROOT, 64 / 7),
        Mistake("orders-swapped", "that is optax: torch corrects after the maximum.", 4.0),
        Mistake("no-bias-correction", "torch does correct, after it has taken the maximum.", 2.0),
        Mistake("maximum-forgotten", PRESENT, ADAM),
    ],
    "optax": [
        Mistake("no-square-root", ROOT, 16.0),
        Mistake("orders-swapped", "that is torch: optax corrects first.", TORCH),
        Mistake("no-bias-correction", "optax takes the maximum of v̂, not of v.", 2.0),
        Mistake("maximum-forgotten", "v̂ has fallen, and the maximum keeps the first one.", ADAM),
    ],
    "paper": [
        Mistake("no-square-root", ROOT, 4.0),
        Mistake("corrected", "Reddi et al. correct nothing.", TORCH),
        Mistake("maximum-forgotten", PRESENT, 3**0.5),
        Mistake("maximum-forgotten", f"{PRESENT} And the paper corrects nothing.", ADAM),
    ],
}

# --- 06-drift ------------------------------------------------------------------------------------


def way_of_a_period(large, eps):
    beta2 = 1 / (1 + large**2)
    v3 = (1 - beta2) * (beta2**2 * large**2 + beta2 + 1) / (1 - beta2**3)
    v1 = beta2 * v3 + (1 - beta2) * large**2
    v2 = beta2 * v1 + (1 - beta2)
    return -large / (v1**0.5 + eps) + 1 / (v2**0.5 + eps) + 1 / (v3**0.5 + eps)


def settled(large: float, swapped: bool = False) -> tuple[float, ...]:
    """The three values of v, the weights of the average swapped or not."""
    beta2 = 1 / (1 + large**2)
    keep, new = (1 - beta2, beta2) if swapped else (beta2, 1 - beta2)
    v3 = new * (keep**2 * large**2 + keep + 1) / (1 - keep**3)
    v1 = keep * v3 + new * large**2
    return v1, keep * v1 + new, v3


def of(v: tuple[float, ...], large: float, eps: float) -> float:
    """The way of a period with these three values of v."""
    return sum(-g / (x**0.5 + eps) for g, x in zip((large, -1, -1), v, strict=True))


WRONG_WAYS = [
    Mistake(
        "wrong-sign",
        "this is the sum of g/(√v + ε). Adam goes the other way.",
        lambda c, e: -way_of_a_period(c, e),
    ),
    Mistake(
        "v-of-the-step-before",
        "v takes in the gradient first, and is divided by then.",
        lambda c, e: of(settled(c)[2:] + settled(c)[:2], c, e),
    ),
    Mistake(
        "eps-inside-root",
        "here ε stands outside the root.",
        lambda c, e: of(tuple((x + e) for x in settled(c)), c, 0.0),
    ),
    Mistake(
        "not-settled",
        "these are the first three steps from v = 0. The system asks for v₀ = v₃.",
        lambda c, e: of(_first_three(c), c, e),
    ),
    Mistake(
        "average-weights-swapped",
        "the new square enters with 1 − β₂, and here that is nearly all.",
        lambda c, e: of(settled(c, swapped=True), c, e),
    ),
    Mistake(
        "keeps-the-maximum",
        "this is AMSGrad, which divides all three by the largest v.",
        lambda c, e: of((settled(c)[0],) * 3, c, e),
    ),
    Mistake(
        "no-square-root",
        "Adam divides by the root of v.",
        lambda c, e: of(tuple(x**2 for x in settled(c)), c, e),
    ),
    Mistake(
        "v-is-the-square",
        "v holds the present square and something of those before.",
        lambda c, e: of((c * c, 1.0, 1.0), c, e),
    ),
    Mistake(
        "one-small-gradient",
        "a period has two small gradients.",
        lambda c, e: -c / (settled(c)[0] ** 0.5 + e) + 1 / (settled(c)[1] ** 0.5 + e),
    ),
    Mistake(
        "four-only", "C is an argument. Here it is always 4.", lambda c, e: way_of_a_period(4, e)
    ),
    Mistake("no-eps", "ε has no effect on it.", lambda c, e: way_of_a_period(c, 0.0)),
]


def _first_three(large: float) -> tuple[float, ...]:
    beta2, v, found = 1 / (1 + large**2), 0.0, []
    for square in (large**2, 1.0, 1.0):
        v = beta2 * v + (1 - beta2) * square
        found.append(v)
    return tuple(found)


# --- 06-break ------------------------------------------------------------------------------------


def my_period():
    return [1010.0] + [-1.0] * 1000  # the sum is 10; v forgets the 1010 on the way


LONGEST = 100_000


def climbs(value: Any) -> Mistake | None:
    """Whether Adam with its defaults goes up where the sum of the gradients says down."""
    size = np.shape(value)[0] if np.ndim(value) == 1 else 0
    if not 0 < size <= LONGEST:
        raise NotYet(f"expected one period as a list of 1 to {LONGEST} numbers.")
    period: NDArray[np.float64] = array(value, (size,))
    if not np.isfinite(period).all():
        return Mistake("not-finite", "a gradient has to be a finite number.")
    wanted = f"a sum above zero, here {period.sum():.3g}"
    if not period.sum() > 0:
        says = "the sum of a period must be positive, so that down is the right way."
        return Mistake("sum-not-positive", says, wanted)
    if len(set(period.tolist())) == 1:
        return Mistake("constant", "with equal gradients every step is the same, and right.")
    if size == 101 and np.array_equal(np.sort(period), np.sort(rare_gradient(1010, -10, 101))):
        return Mistake("of-section-1", "Adam climbs on this one, and you know it. Find another.")
    way = float(drift(period))
    wanted = f"a drift above zero, here {way:.3g} lr in a period"
    if way > 0:
        return None
    if np.abs(period).max() < 10 * np.abs(period).mean():
        says = "Adam goes down, as it should: your largest gradients are not rare enough."
        return Mistake("nothing-rare", says, wanted)
    if size < 100:
        says = "Adam goes down: v is an average over a thousand steps, and forgets little in these."
        return Mistake("too-short", says, wanted)
    says = "Adam goes down: the rare gradient outweighs the others by too much."
    return Mistake("outweighs", says, wanted)


EXERCISES = (
    Exercise(
        "06-orders",
        (
            "v₁ = 0.25·16 and v₂ = 0.75·v₁. The corrections are 1 − 0.75 and 1 − 0.75².",
            "torch corrects max(v₁, v₂), optax takes the larger of v₁/(1/4) and v₂/(7/16).",
            "max(v₁, v₂) = 4. torch: √(4/(7/16)). optax: √16. The paper: √4. Adam: √(3/(7/16)).",
        ),
        my_roots,
        predictions(WRONG_ROOTS),
    ),
    Exercise(
        "06-drift",
        (
            "β₁ = 0, so m is the gradient. You need the three v, and v₀ = v₃ closes the system.",
            "v₃ = β₂³·v₃ + (1 − β₂)(β₂²·C² + β₂ + 1). Solve for v₃; v₁ and v₂ follow from it.",
            "the way is −C/(√v₁ + ε) + 1/(√v₂ + ε) + 1/(√v₃ + ε).",
        ),
        way_of_a_period,
        on_cases([(4.0, 0.0), (4.0, 1.0), (3.0, 0.0), (10.0, 2.0)], WRONG_WAYS),
    ),
    Exercise(
        "06-break",
        (
            "β₂ = 0.999 remembers for a thousand steps. How long must a period be?",
            "one large positive gradient, and many small negative ones that add up to almost it.",
            "a thousand times −1, and once a little more than 1000.",
        ),
        my_period,
        satisfies(climbs),
    ),
)
