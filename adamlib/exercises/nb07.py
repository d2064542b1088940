"""The exercises of notebook 07: three Adams to write, eps inside the root, mistakes to find."""

import difflib
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from ..dialects import DIALECTS
from ..identification import MISTAKES, Identification, identify
from ..identification.targets import load
from .base import Mistake, NotYet, show, shown_apart
from .judges import Exercise, on_cases, satisfies
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

# --- 07-find-the-mistake -------------------------------------------------------------------------


def found():
    return {
        "homework.py:Adam": "step-starts-at-2",
        "kernels.py:adam_step": "step-frozen-at-1",
        "layers.py:AdamOptimizer": "right",
        "optim.py:adam": "corrected-moments-stored",
        "torch_adamw.py:AdamW": "decay-not-times-lr and v-weight-exchanged",
    }


BESIDE_A_NOTEBOOK = Path("data")
IN_THE_REPOSITORY = Path(__file__).parents[2] / "notebooks" / "data"


def finding(value: Any) -> None:
    """Judge what somebody says of the files, one after the other."""
    right = found()
    if not isinstance(value, dict):
        raise NotYet(f"expected a dict with the keys {show(list(right))}, got {show(value)}.")
    for target, text in right.items():
        named, there = words(value.get(target, ...), target), words(text, target)
        if named != there:
            raise NotYet(*misjudged(named, there), *smallest(target, value[target]))
    if surplus := [key for key in value if key not in right]:
        raise NotYet(f"the keys {show(surplus)} were not asked for.")


def words(value: Any, target: str) -> set[str]:
    """The mistakes that an answer names for a file; empty where it calls the file right."""
    if value is ... or value is None:
        raise NotYet(f"{target!r} has no answer yet.")
    parts = value if isinstance(value, (list, tuple, set)) else [value]
    text = " ".join(parts).casefold() if all(isinstance(p, str) for p in parts) else ""
    named = {word for word in re.split(r"[\s,+&]+", text) if word not in ("", "and")}
    if not named:
        says = f"expected 'right' or names of mistakes, got {show(value)}."
        raise NotYet(says, given=target)
    for word in named - {"right", *MISTAKES, *DIALECTS}:
        near = difflib.get_close_matches(word, MISTAKES, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        says = f"{show(word)} is no name of adamlib.identification.MISTAKES.{meant}"
        raise NotYet(says, given=target)
    return {word for word in named if word in MISTAKES}


def misjudged(named: set[str], there: set[str]) -> tuple[str, str]:
    """Say what is wrong with an answer, and name that; the right one is not given away."""
    if not named:
        return "there is a mistake in this file. The input shows it.", "called-right"
    if not there:
        return "this file is right. Corrections may also stand in the rate.", "called-wrong"
    if named < there:
        return f"{' '.join(named)} is one of two mistakes in this file.", "one-of-two"
    if some := named & there:
        return f"of what you name, only {' '.join(some)} is in this file.", "too-many"
    says = " ".join(MISTAKES[slug] for slug in sorted(named))
    return f"there is a mistake in this file, but another than this: {says}", "another-mistake"


def smallest(target: str, value: Any) -> tuple[str, str, str]:
    """The smallest input on which a file differs from the right Adam: it, expected, got."""
    difference = examined(target).first_difference
    if difference is None:
        return target, "something else", show(value)
    grads = ", ".join(map(show, difference.gradients))
    many = "s" if difference.step > 1 else ""
    given = f"{target}, from parameter 0, after the gradient{many} {grads}"
    return given, *shown_apart(difference.expected, difference.got)


@cache
def examined(target: str) -> Identification:
    """What `identify` says of a file of the notebooks."""
    here = (BESIDE_A_NOTEBOOK / target.split(":")[0]).is_file()
    folder = BESIDE_A_NOTEBOOK if here else IN_THE_REPOSITORY
    path = list(sys.path)
    try:
        return identify(load(str(folder / target)).value)
    finally:
        sys.path[:] = path  # its folder is among them now


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
    Exercise(
        "07-find-the-mistake",
        (
            "ask of each file: what is t at the first step? What divides m and v, and how often? "
            "Which β stands beside which moment? What is the decay multiplied by?",
            "one is in the reordered form, and right. Two count the steps wrongly, one keeps what "
            "it should only use, and one has two mistakes: in its decay and in a weight of v.",
        ),
        found,
        satisfies(finding),
    ),
)
