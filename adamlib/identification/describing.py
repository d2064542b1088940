"""How far an optimizer is from the right one, and what else is worth saying of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..dialects import DIALECTS
from .answers import (
    BASES,
    FIRST,
    Difference,
    Identification,
    Steps,
    apart_line,
    as_had_by,
    effect,
    listed,
    settings_line,
    title,
    written,
)
from .judging import Judgement, choices, dialect_path
from .observing import LONG, WIDE, Observation
from .reading import MISTAKES, Explanation, Known, Rule, Settings, follow
from .reading.probes import SIZES, STEPS
from .reading.rules import Correction, inputs
from .reading.schedules import named

FORMS = ("hat", "inside-uncorrected", "none")  # right ones, beside Algorithm 1
GRADIENTS_SEEN = "gradients from 1e5 down to 1e-12, zeros, changes of sign and of size"
FURTHER_SEEN = (
    f"{LONG} steps of {{count}} numbers, {GRADIENTS_SEEN}, a matrix that is orthogonal to its "
    "gradient, two spikes"
)
NOT_LOOKED_AT = "Not looked at: sparse gradients, several groups, other dtypes."
MEND = "Mend this and ask again: nothing after it could be looked at."
LAST = 1000  # the step at which a mistake is weighed
GRADIENTS = {
    "a steady gradient": 1.0,
    "a steady gradient of 1e-4": 1e-4,
    "a steady gradient of 1e-8": 1e-8,
    "an alternating gradient": -1.0,
    "no gradient": 0.0,
}


def failed(seen: Observation) -> Identification:
    """Say that it raised something."""
    return Identification("error", convention=seen.convention, message=seen.error)


def describe(seen: Observation, found: Judgement, told: Known, known: Known) -> Identification:
    """Put the answer together."""
    if found.names == ("step-starts-at-0",) and not seen.divided:
        message = f"its first step gives NaN or infinity everywhere, as with t = 0. {MEND}"
        return Identification("error", convention=seen.convention, message=message)
    best = found.explanations[0] if found.explanations else None
    settings = acting(best, found.rule) if best else None
    meant = best.settings if best else known.filled()
    if "eps-missing" in found.names:
        meant = replace(meant, eps=known.filled().eps)
    names = found.names
    verdict = found.verdict
    if seen.mutates_grad and verdict != "unknown":
        names, verdict = ("gradient-mutated", *names), "mistake"
    near = nearest(seen, meant) if verdict != "dialect" else None
    right = right_rule(found.rule, meant) if best and found.rule else None
    contradicted = best.contradicted if best else ()
    return Identification(
        verdict,
        names,
        base_of(found.rule, names) if best else "",
        settings,
        seen.convention,
        tuple(remarks(seen, found, told, known)),
        tuple(name for name in contradicted if name in told.given()),
        tuple(dict.fromkeys(e.slugs for e in found.explanations)),
        difference(seen, near) if near and near.misfit.any() else None,
        seen.mutates_grad,
        found.precision,
        looked_at(seen),
        unknown_message(found, near, in_16_bits(seen, meant))
        if near and verdict == "unknown"
        else "",
        tuple(details(seen, found, settings, right)),
        steps_in_lr(seen, settings, right) if settings else None,
    )


def acting(best: Explanation, rule: Rule | None) -> Known:
    """The settings as they act; eps is None where there is none."""
    acts = Known(**vars(best.settings))
    return replace(acts, eps=None) if rule and rule.placement in ("none", "missing") else acts


def base_of(rule: Rule | None, names: tuple[str, ...]) -> str:
    """The form that it, or its mistakes, stand on."""
    if rule is None:
        return ""
    forms = {"hat": "reordered", "none": "atan2"}
    forms |= {name: name for name in ("inside", "inside-uncorrected")}
    if "eps-inside-root" in names and not set(names) & set(DIALECTS):
        return "algorithm-1"
    return forms.get(rule.placement, "algorithm-1")


def right_rule(rule: Rule, settings: Settings) -> Rule:
    """The right Adam of the same form, at these settings."""
    placement = rule.placement if rule.placement in FORMS else "outside"
    decay = rule.decay if rule.decay in ("L2", "after") else "before"
    return Rule(
        settings.lr,
        settings.betas,
        settings.eps or 0.0,
        settings.weight_decay,
        Correction("β₁"),
        Correction("β₂"),
        placement,
        decay if settings.weight_decay else "none",
        "max of v" if settings.amsgrad else "none",
    )


def unknown_message(found: Judgement, near: "Nearest", rounded: str) -> str:
    """Say what an unknown rule comes nearest to, or what it is until it becomes another."""
    if not found.leaves:
        says = "no Adam, relative or mistake of the catalogue takes its steps"
        share = 1 - float(near.misfit.mean())
        least = f"The nearest is {title(near.name)}, in {share:.0%} of them"
        return f"I do not know this rule: {says}. {rounded or least}."
    dialects = [name for name in found.nearest if name in DIALECTS]
    what = as_had_by(dialects).partition(":")[0] if dialects else "not quite Adam"
    until = f"On the first {STEPS} steps it is {what}"
    wrong = "" if dialects else f" ({' '.join(MISTAKES[name] for name in found.nearest)})"
    return f"I do not know this rule. {until}{wrong}, but not {found.leaves}."


def in_16_bits(seen: Observation, settings: Settings) -> str:
    """Say which dialects take its first steps but for the rounding of a state in 16 bits.

    Of v only the first steps are sharp: each further one may add a rounding that it keeps for
    1/(1 − β₂) steps, until any of the forms would fit.
    """
    rows, unit = 3, 2.0**-6
    sizes = np.abs(seen.probe.grads[:rows])
    normal = ((sizes > 0.3) & (sizes < 100)).all(axis=0)  # float16 holds (1 − β₂)·g² of these
    # which numbers are looked at, and by how much at least rounding parts half of them
    kinds = {"bfloat16": (slice(None), 2.0**-12), "float16": (normal, 2.0**-15)}
    fit: dict[str, list[str]] = {kind: [] for kind in kinds}
    for name, decoupled in choices(settings):
        path = dialect_path(name, seen.probe, settings, decoupled)
        with np.errstate(all="ignore"):
            own, ideal = (np.diff(p[: rows + 1], axis=0) for p in (seen.path, path))
            size = np.abs(path[: rows + 1]).max(axis=0)
            close = np.abs(own - ideal) <= unit * (np.abs(ideal) + settings.lr) + 2.0**-22 * size
            parts = np.abs(own / ideal - 1)[:, normal]
        for kind, (columns, least) in kinds.items():
            if close[:, columns].all() and np.median(parts) > least and name not in fit[kind]:
                fit[kind].append(name)
    for kind, names in fit.items():
        if names:
            known = [*(name for name in FIRST if name in names), *names]
            forms = {DIALECTS[name].eps_placement: name for name in reversed(known)}
            what = listed([title(name) for name in forms.values()], "or")
            more = "rounding hides whether more of it is other"
            return f"Its first steps are those of {what}, but for a state in {kind}: {more}"
    return ""


def details(
    seen: Observation, found: Judgement, settings: Known | None, right: Rule | None
) -> Iterator[str]:
    """Say how far its steps are from the right ones, and with which settings it acts."""
    dialects = [name for name in found.names if name in DIALECTS]
    if found.rule and right and found.verdict == "mistake" and not dialects:
        if worst := worst_effect(found.rule, right):
            yield worst
        if right.placement != "outside":
            yield f"It stands on {BASES[base_of(found.rule, found.names)]}."
    if found.rule and found.rule.rates and not found.leaves:
        yield schedule(found.rule.rates)
    if not settings and found.verdict == "mistake":
        yield MEND
    if settings:
        yield settings_line(settings, seen.defaults, found.rule)
    together = found.verdict == "mistake" and any(len(e.slugs) > 1 for e in found.explanations[:1])
    if text := apart_line(() if together else found.names):
        yield text


def worst_effect(rule: Rule, right: Rule) -> str:
    """Say what a mistake does to the steps, with the plainest gradient that shows it well."""
    found: list[tuple[float, str]] = []
    each = any(
        c and c.clock.startswith(("per", "index")) for c in (rule.corrects_m, rule.corrects_v)
    )
    for words, size in GRADIENTS.items():
        if size == 0 and right.decay != "none" and found:
            break  # without a gradient decay alone is seen
        sign = (-1.0) ** np.arange(LAST) if size < 0 else 1.0
        start = np.array([1.0 if size == 0 else 0.0])
        grads = (abs(size) * sign * np.ones(LAST))[:, None]
        coupled = size != 0 and rule.decay == right.decay == "L2"  # what joins g is part of it
        both = [replace(r, weight_decay=0.0) if coupled else r for r in (rule, right)]
        own, wanted = (moved(r, start, grads) for r in both)
        with np.errstate(all="ignore"):
            ratios = np.where(own == wanted, 1.0, own / np.where(wanted == 0, np.nan, wanted))
        if size > 0 and right.decay != "none":
            ratios = ratios[: balanced(wanted)]
        if text := effect(ratios, f"{words} in the third parameter" if each else words):
            with np.errstate(all="ignore"):
                far = np.abs(np.log(np.abs(ratios[[0, len(ratios) // 2, -1]])))
            found.append((min(float(np.nan_to_num(far, nan=np.inf).max()), 5.0), text))
    enough = max((far for far, _ in found), default=0.0) / 2
    return next((text for far, text in found if far >= enough), "")


def balanced(steps: NDArray) -> int:
    """From which step on, counted from 0, decay holds the balance of a steady gradient.

    >>> balanced(np.array([1.0, 0.8, 0.2, 0.1])), balanced(np.ones(3))
    (2, 3)
    """
    still = np.abs(steps) < 0.3 * np.abs(steps).max()
    return int(np.argmax(still)) if still.any() else len(steps)


def moved(rule: Rule, start: NDArray, grads: NDArray) -> NDArray:
    """The steps of a rule for the third parameter of three, (steps,)."""
    rule = replace(rule, rates=())
    index = np.full(1, 2)
    with np.errstate(all="ignore"):
        return np.diff(follow(rule, start, grads, index)[:, 0])


def schedule(rates: tuple[float, ...]) -> str:
    """Name the form of a rate that changes.

    >>> schedule(tuple(0.9**t for t in range(10)))
    'The rate is multiplied by 0.9 at every step.'
    """
    ends = f"changes, from {rates[0]:.3g} to {rates[-1]:.3g} of its largest value"
    return f"The rate {named(rates) or f'{ends} in {len(rates)} steps'}."


def remarks(seen: Observation, found: Judgement, told: Known, known: Known) -> Iterator[str]:
    """Say what is told or a default and acts otherwise, and what is no mistake."""
    for best, name in [(e, name) for e in found.explanations[:1] for name in e.contradicted]:
        wanted, acts = getattr(known, name), getattr(best.settings, name)
        default = getattr(seen.defaults, name)
        text = f"it behaves as {written(name, acts)}"
        if name == "lr" and found.rule and (rates := found.rule.rates) and rates[-1] == max(rates):
            text = f"in {len(rates)} steps its rate came up to {acts:g}"
        if name not in told.given():
            yield f"Its default is {written(name, wanted)}, but {text}."
            continue
        own = default is not None and np.allclose(default, acts, 1e-6, 0)
        yield f"You told {written(name, wanted)}; {text}{', its own default' if own else ''}."
    if seen.cleared:
        yield "Its step clears the gradients that it has used."


def looked_at(seen: Observation) -> str:
    """Say on which inputs the answer rests."""
    count = len(seen.probe.start)
    if seen.long is not None:
        ended = f" ({seen.left_out})" if seen.left_out else ""
        return f"Looked at: {FURTHER_SEEN.format(count=count + WIDE)}{ended}. {NOT_LOOKED_AT}"
    left = f" As {seen.left_out}, no large parameter and no long run." if seen.left_out else ""
    text = f"Looked at: {STEPS} steps of {count} numbers, {GRADIENTS_SEEN}."
    return f"{text}{left} {NOT_LOOKED_AT}"


@dataclass(frozen=True)
class Nearest:
    """The dialect that it follows most closely, its path, and where they part."""

    name: str
    path: NDArray
    misfit: NDArray


def nearest(seen: Observation, settings: Settings) -> Nearest:
    """Find the dialect that takes most of its steps, at these settings."""
    found = []
    for name, decoupled in choices(settings):
        path = dialect_path(name, seen.probe, settings, decoupled)
        found.append(Nearest(name, path, misfits(seen.path, path)))
    return min(found, key=lambda near: near.misfit.sum())


def difference(seen: Observation, near: Nearest) -> Difference:
    """The first step on which it leaves a dialect, on the plainest input that shows it."""
    step = int(np.argmax(near.misfit.any(axis=1)))
    columns = map(int, np.flatnonzero(near.misfit[step]))
    column = min(columns, key=lambda j: plainness(seen, step, j))
    grads = seen.probe.grads[: step + 1, column]
    return Difference(
        step=step + 1,
        parameter=float(seen.path[step, column]),
        gradient=float(grads[-1]),
        gradients=tuple(map(float, grads)),
        expected=float(near.path[step + 1, column]),
        got=float(seen.path[step + 1, column]),
        against=near.name,
    )


def plainness(seen: Observation, step: int, column: int) -> tuple[bool, float]:
    """The order in which inputs are shown: a parameter at zero, a gradient near 1."""
    grad = float(seen.probe.grads[step, column])
    return bool(seen.path[0, column]), abs(np.log(abs(grad))) + (grad < 0) if grad else 99.0


def misfits(path: NDArray, expected: NDArray) -> NDArray:
    """Say where two paths take clearly different steps, a mask of shape (steps, numbers)."""
    with np.errstate(all="ignore"):
        got, wanted = np.diff(path, axis=0), np.diff(expected, axis=0)
        size = np.maximum(np.abs(path), np.abs(expected))[1:]
        close = np.abs(got - wanted) <= 1e-7 * np.abs(wanted) + 1e-15 * size
    return ~(close | (path[1:] == expected[1:]) | (np.isnan(path[1:]) & np.isnan(expected[1:])))


def steps_in_lr(seen: Observation, settings: Known, right: Rule | None) -> Steps | None:
    """Its steps in units of lr, and the right ones, for the plot."""
    if not settings.lr:
        return None
    steady, *sized = seen.probe.at("size 0", *(f"size {e}" for e in SIZES))
    own = np.diff(seen.path, axis=0) / settings.lr
    ideal = None
    if right:
        effective = inputs(right, seen.probe.grads, seen.probe.index)
        ideal = np.diff(follow(right, seen.probe.start, effective, seen.probe.index), axis=0)
        ideal = ideal / settings.lr
    last = 28  # before the steps in which all are small
    return Steps(
        own[:last, steady],
        None if ideal is None else ideal[:last, steady],
        10.0 ** np.array(SIZES),
        own[last - 1, sized],
        None if ideal is None else ideal[last - 1, sized],
    )
