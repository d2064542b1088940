"""What a report says in words: seven kinds of finding, each with its threshold."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..floats import float_format, underflow_gradient
from ..moments import memory
from ..tables import Table
from .numbers import Measured
from .rules import NO_DIVISION
from .shown import count, number, percent
from .suggestions import largest_eps

STEPS_OF_A_RUN = 0.01  # in units of lr; below it gradients are far smaller than v remembers


@dataclass(frozen=True)
class Finding:
    """One thing to know about one parameter.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    parameter : str
        Its name in the report.
    value : float
        The number that is beyond the threshold: a share from 0 to 1, a step in units of lr, or an
        age in memories of v.
    says : str
        What was found, with the number, and what it means.
    do : str
        What to try.
    cell : str
        The notebook and the cell that prove it: ``03_….ipynb#cell-id=one-per-cent``.
    """

    kind: str
    parameter: str
    value: float
    says: str
    do: str
    cell: str


class Kind(NamedTuple):
    """When a finding is raised, and what it says."""

    raised: str  # the threshold, in words
    threshold: float
    value: Callable[[Measured], float | None]  # None: not known, or not to be compared
    says: Callable[[Measured, float], str]
    do: Callable[[Measured], str]
    cell: str
    below: bool = False  # raised below the threshold, not from it on


# --- what is compared -----------------------------------------------------------------------------


def _too_long(one: Measured) -> float | None:
    longest, rule = one.row["step_max"], one.held.rule
    if longest is None or rule is None or rule.placement == NO_DIVISION:
        return None
    if math.isnan(longest) and _zero_divided(one):  # which says why
        return None
    return longest / one.held.settings.bound


def _zero_divided(one: Measured) -> float | None:
    """The share of v = 0 where ε, as the state's format holds it, is 0."""
    never, dtype = one.row["never_had_gradient"], one.dtype
    if not never or dtype is None or one.held.settings.rule.eps_placement == "none":
        return None
    return None if one.held.settings.eps_in(dtype) else never


def _held_back(one: Measured) -> float | None:
    """The share that ε holds back by half, without noise, for which it is there."""
    share = one.row["held_back_half"]
    return None if share is None else share - one.held_back_noise


def _young(one: Measured) -> float | None:
    return one.held.age or None


# --- the words ------------------------------------------------------------------------------------


def _says_too_long(one: Measured, value: float) -> str:
    longest, bound = one.row["step_max"], one.held.settings.bound
    if math.isnan(longest):
        return "its longest step is NaN: m or v is not finite"
    return (
        f"its longest step is {number(longest)} lr, and with these betas no step exceeds "
        f"{number(bound)} lr: of some number v holds less than m does"
    )


def _do_too_long(one: Measured) -> str:
    if math.isnan(one.row["step_max"]):
        return "Go back to a checkpoint before it, and look for the first loss that is not finite."
    mend = "if betas were changed or the state was made by another optimizer, begin it anew"
    if float_format(one.dtype).precision > 11:
        return mend[0].upper() + mend[1:] + "."
    return (
        f"v underflows in {one.dtype}: keep the state in float32, scale the loss up, or take a "
        f"larger eps; {mend}."
    )


def _says_zero_divided(one: Measured, value: float) -> str:
    eps = one.held.settings.eps
    why = f"eps = {number(eps)} is 0 in {one.dtype}" if eps else "eps is 0"
    return f"{why}, and so is v of {percent(value)} of the numbers: the step 0/0 is NaN"


def _do_zero_divided(one: Measured) -> str:
    least = float_format(one.dtype).smallest_subnormal
    held = "1e-8" if least < 1e-8 else f"{number(least)} or more"
    return f"Take an eps that {one.dtype} holds: {held}."


def _says_stuck(one: Measured, value: float) -> str:
    return (
        f"in {one.dtype} {one.held.settings.betas[1]:g}·v rounds back to v for {percent(value)} of "
        "the numbers: v never comes down again, and the steps stay too short"
    )


def _do_stuck(one: Measured) -> str:
    most = 1 - 2.0 ** -float_format(one.dtype).precision
    return f"Keep the state in float32, or take a β₂ below {most:.3g}."


def _says_lost(one: Measured, value: float) -> str:
    return (
        f"{percent(value)} of the steps are smaller than half a unit in the last place of their "
        "parameter: rounding takes them away, and nothing moves"
    )


def _do_lost(one: Measured) -> str:
    steps = one.row["step_rms"]
    masters = " (master weights in float32)" if float_format(one.dtype).precision < 24 else ""
    mend = (
        f"Keep the parameters in a wider format too{masters}, add with Kahan summation or "
        "stochastic rounding, or take a larger lr."
    )
    if steps < STEPS_OF_A_RUN:
        arrived = f"A run that has arrived looks like this too: its steps are {number(steps)} lr."
        return f"{arrived} If yours has not: {mend[0].lower()}{mend[1:]}"
    return mend


def _says_held_back(one: Measured, value: float) -> str:
    return (
        f"eps = {number(one.held.settings.eps)} holds {percent(value)} of the numbers back by more "
        f"than half: the √v̂ in their middle is {number(one.row['root_v_50'])}"
    )


def _do_held_back(one: Measured) -> str:
    return (
        f"Try eps = {number(largest_eps([one], 0.01))}, which holds back 1 % of them, in a group "
        "of its own if the others want the larger one; or scale the loss up."
    )


def _says_never(one: Measured, value: float) -> str:
    if one.dtype is None:
        return "it has never had a gradient, though others have"
    least = underflow_gradient(one.dtype, one.held.settings.betas[1])
    return (
        f"v is 0 for {percent(value)} of the numbers after {count(one.held.step, 'step')}: they "
        f"have never had a gradient, or in {one.dtype} none above {number(least)}"
    )


def _do_never(one: Measured) -> str:
    return (
        "Look for a dead unit, an input that is always zero, a row that is never drawn; what is "
        "meant to rest needs no optimizer."
    )


def _says_young(one: Measured, value: float) -> str:
    span = memory(one.held.settings.betas[1])
    return (
        f"v has seen {count(one.held.step, 'step')} of the {span:.0f} that it remembers: what is "
        "compared with √v̂ here will change"
    )


def _do_young(one: Measured) -> str:
    span = memory(one.held.settings.betas[1])
    return f"Report again some {span:.0f} steps later."


KINDS = {  # the worst first
    "steps-too-long": Kind(
        "longest step ≥ 1.1 times the bound for these betas (7.27 lr at the defaults)",
        1.1, _too_long, _says_too_long, _do_too_long,
        "02_adam_step_by_step.ipynb#cell-id=longest",
    ),
    "division-by-zero-ahead": Kind(
        "any number with v = 0 where eps is 0 in the format of the state",
        0.0, _zero_divided, _says_zero_divided, _do_zero_divided,
        "03_division_without_epsilon.ipynb#cell-id=one-column",
    ),
    "state-cannot-shrink": Kind(
        "β₂·v rounds to v for ≥ 10 % of the numbers",
        0.1, lambda one: one.row["cannot_shrink"], _says_stuck, _do_stuck,
        "08_low_precision.ipynb#cell-id=decay-all",
    ),
    "steps-lost-in-rounding": Kind(
        "step below half an ulp of its parameter for ≥ 20 % of the numbers",
        0.2, lambda one: one.row["lost_in_rounding"], _says_lost, _do_lost,
        "08_low_precision.ipynb#cell-id=lost",
    ),
    "eps-holds-back": Kind(
        "ε halves the step, or more, for ≥ 5 % of the numbers, rounding noise left out",
        0.05, _held_back, _says_held_back, _do_held_back,
        "03_division_without_epsilon.ipynb#cell-id=one-per-cent",
    ),
    "never-had-a-gradient": Kind(
        "v = 0 for ≥ 50 % of the numbers",
        0.5, lambda one: one.row["never_had_gradient"], _says_never, _do_never,
        "03_division_without_epsilon.ipynb#cell-id=one-column",
    ),
    "state-too-young": Kind(
        "age < 0.02 memories of v (20 steps at the defaults)",
        0.02, _young, _says_young, _do_young,
        "01_moment_equations.ipynb#cell-id=memory", below=True,
    ),
}  # fmt: skip
"""The seven kinds of finding."""


def thresholds() -> Table:
    """Return when each kind of finding is raised, and the cell that proves what it says."""
    rows = tuple((name, kind.raised, kind.cell) for name, kind in KINDS.items())
    return Table(("kind", "raised by", "proved in"), rows)


def findings(measured: Iterable[Measured]) -> list[Finding]:
    """Return what there is to say, the worst kind first, and within a kind the worst parameter."""
    measured = list(measured)
    found: list[Finding] = []
    for name, kind in KINDS.items():
        sign = 1 if kind.below else -1
        ours = sorted(_of_kind(name, kind, measured), key=lambda finding: sign * finding.value)
        found += ours
    return found


def _of_kind(name: str, kind: Kind, measured: Iterable[Measured]) -> Iterator[Finding]:
    for one in measured:
        value = kind.value(one)
        if value is None or (value >= kind.threshold if kind.below else value < kind.threshold):
            continue
        shown = one.row["step_max"] if name == "steps-too-long" else value
        says, do = kind.says(one, value), kind.do(one)
        yield Finding(name, one.row["name"], shown, says, do, kind.cell)
