"""From what an optimizer did to what it is: a dialect, mistakes, a relative, or unknown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..adam import adam_step, init_state
from ..dialects import DIALECTS
from .observing import CLOSURE, SPIKES, Course, Observation
from .reading import MISTAKES, Explanation, Fit, Known, Probe, Rule, Settings, explain, read
from .reading.explaining import FIRST, composed
from .reading.fitting import PRECISIONS, RTOL, off_by, rated, rounding, shortest
from .reading.reader import closest
from .reading.rules import AMSGrad, Decay, Placement, inputs
from .reading.schedules import CLOSE, named
from .relatives import RELATIVES, Relative

Verdict = Literal["dialect", "mistake", "unknown"]

RTOL32 = 2e-5  # of a step: what a relative may be off whose constants are in float32
LIKE = 0.3  # explanations that cost so little more are as likely


@dataclass(frozen=True)
class Judgement:
    """What fits, and what follows from it.

    ``names``: slugs of dialects, relatives and mistakes. ``explanations``: the likely ones, the
    best first. ``leaves``: where further on it is something else than on the probe; ``nearest``:
    what it is there.
    """

    verdict: Verdict
    names: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    rule: Rule | None = None
    precision: str = "float64"
    leaves: str = ""
    nearest: tuple[str, ...] = ()


def judge(seen: Observation, known: Known) -> Judgement:
    """Find what fits; ``known`` is what is told of the settings, or else the class's default."""
    if not np.isfinite(seen.path[1:]).any():
        return Judgement("mistake", ("step-starts-at-0",))
    fits = read(seen.path, seen.probe, [known.betas] if known.betas else [])
    fits = [snapped(fit, seen, known) for fit in fits if is_adam(fit.rule)]
    return judged([prolonged(fit, seen) if fit.rule.rates else fit for fit in fits], seen, known)


def judged(fits: Sequence[Fit], seen: Observation, known: Known, prolong: bool = True) -> Judgement:
    """Find what fits, of rules that take the path of the probe.

    With ``prolong`` a rule that leaves it later is tried with a rate that changes.
    """
    explained = explanations(fits, known)
    doubtful = not explained or explained[0][0].contradicted or len(explained[0][0].slugs) > 2
    if prolong and doubtful:
        explained = explanations(tried(seen, known), known) or explained
    if not explained:
        return relative(seen, known) or Judgement("unknown")
    best, fit = explained[0]
    if is_rmsprop(fit.rule, known):
        return Judgement("dialect", ("rmsprop",), (best,), fit.rule, fit.precision)
    likely = [(e, f) for e, f in explained if e.cost < best.cost + LIKE]
    dialects = () if fit.rule.rates else fitting(seen, likely)
    mistakes = singles(explained, best, bool(dialects))
    if not dialects and not mistakes:
        mistakes = best.slugs
    names = (*dialects, *mistakes)
    left = leaves(fit, seen)
    if left and prolong and not fit.rule.rates:
        changing = prolonged(fit, seen)
        if is_scheduled(changing.rule.rates) and not leaves(changing, seen):
            return judged([changing], seen, known, prolong=False)
    plain = dialects or len(best.slugs) == 1 and not best.contradicted
    if (left or not plain) and (found := relative(seen, known)):
        return found
    if left or not names:
        return Judgement("unknown", rule=fit.rule, leaves=left, nearest=names)
    verdict: Verdict = "dialect" if dialects else "mistake"
    alike_ones = tuple(dict.fromkeys(e for e, _ in likely))
    return Judgement(verdict, names, alike_ones, fit.rule, fit.precision)


def is_adam(rule: Rule) -> bool:
    """Whether it averages; atan2 of g and |g| is a sign."""
    return max(rule.betas) < 1 - 1e-7 and (rule.placement != "none" or any(rule.betas))


def explanations(fits: Sequence[Fit], known: Known) -> list[tuple[Explanation, Fit]]:
    """Explain what fits, the likeliest first."""
    found: list[tuple[Explanation, Fit]] = []
    for fit in fits:
        own = explain(fit.rule, known)
        found += [(e, fit) for e in own]
        for place, dear in elsewhere(fit.rule):
            other = replace(fit, rule=replace(fit.rule, placement=place))
            there = explain(other.rule, known)
            least = min((e.cost for e in own), default=np.inf)
            if there and there[0].cost + dear < least:
                found += [(e, other) for e in there]
    return sorted(found, key=lambda pair: pair[0].cost)


def snapped(fit: Fit, seen: Observation, known: Known) -> Fit:
    """Take the numbers that are known for those that were read, if it fits more closely so."""
    if fit.precision == "float64":
        return fit
    rule = fit.rule
    near = {n: v for n, v in known.given().items() if n not in ("betas", "amsgrad")}
    near = {n: v for n, v in near.items() if np.isclose(getattr(rule, n), v, 1e-3, 0)}
    if known.betas and np.allclose(rule.betas, known.betas, 0, 1e-4):
        near["betas"] = known.betas
    closer = fits_as_it_is(replace(rule, **near), seen)
    return closer if closer and closer.precision == "float64" else fit


def prolonged(fit: Fit, seen: Observation) -> Fit:
    """Read a rate for every step off the whole run, where there is one: schedules are long."""
    long = seen.long
    if long is None:
        return fit
    grads = inputs(fit.rule, long.grads, long.index)
    rule = rated(fit.rule, long.path, grads, long.index)
    for rtol in (1e-4, 1e-6, 1e-9) if fit.precision == "float32" else (1e-6, 1e-9):
        short = replace(fit, rule=replace(rule, lr=shortest(rule.lr, rtol)))
        if not misfits(short, long, grads).any():
            return short
    return replace(fit, rule=rule)


def is_scheduled(rates: tuple[float, ...]) -> bool:
    """Whether they follow a schedule, and change before there is a loss to look at."""
    return bool(named(rates)) and bool(np.ptp(rates[:CLOSURE]) > CLOSE)


def is_rmsprop(rule: Rule, known: Known) -> bool:
    """Whether it is RMSProp: no m and no correction, where nobody asked for β₁ = 0."""
    asked = known.betas is not None and known.betas[0] == 0
    bare = rule.corrects_m is None and rule.corrects_v is None
    plain = rule.v_of == "g²" and rule.power == 0.5 and rule.input == "given"
    return not asked and rule.betas[0] == 0 < rule.betas[1] and bare and plain


# Rules that cannot be read off, tried at the settings that are known


def tried(seen: Observation, known: Known) -> list[Fit]:
    """Find what takes the path where all settings are known: right forms, mistakes, then pairs."""
    if None in (known.lr, known.betas, known.eps):
        return []
    settings = known.filled()
    single = [(), *((slug,) for slug in MISTAKES if slug not in NOT_IN_STEPS)]
    pairs = combinations([slug for slug in FIRST if slug not in NOT_IN_STEPS], 2)
    for many, placements in ((single, PLACEMENTS), (pairs, PLACEMENTS[:2])):
        rules = (
            rule
            for slugs, form in product(many, forms(settings, placements))
            for rule in composed(slugs, settings, *form)
        )
        found = [fit for rule in rules if (fit := fits_as_it_is(rule, seen))]
        if found:
            return closest(found)
    return []


PLACEMENTS: tuple[Placement, ...] = ("outside", "hat", "inside", "inside-uncorrected")
NOT_IN_STEPS = ("gradient-mutated", "rate-changes")


def forms(
    settings: Settings, placements: Sequence[Placement]
) -> Iterator[tuple[Placement, Decay, AMSGrad]]:
    """Give the right forms of Adam: where eps stands, the decay, the maximum."""
    decays: tuple[Decay, ...] = ("L2", "before", "after") if settings.weight_decay else ("none",)
    maxima: tuple[AMSGrad, ...] = ("max of v", "max of v̂") if settings.amsgrad else ("none",)
    yield from product(placements, decays, maxima)


def fits_as_it_is(rule: Rule, seen: Observation) -> Fit | None:
    """Whether a rule takes the path with the numbers that it has."""
    probe, path = seen.probe, seen.path
    grads, unit = inputs(rule, probe.grads, probe.index), rounding(path)

    def allowed(state_unit: float, steps: int) -> NDArray | None:
        start, given = path[: steps + 1], grads[:steps]
        off, most, _ = off_by(rule, start, given, probe.index, unit, state_unit)
        return most if (off <= most).all() else None

    # the first steps settle most rules, in the format that forgives most
    if allowed(max(PRECISIONS.values()), 3) is None:
        return None
    for precision, state_unit in PRECISIONS.items():
        if (most := allowed(state_unit, len(grads))) is not None:
            return Fit(rule, precision, most, unit)
    return None


def elsewhere(rule: Rule) -> Iterator[tuple[Placement, float]]:
    """Give the other places of eps with the same steps, and by how much they must be likelier.

    With no correction of v the reordered form is Algorithm 1; with eps = 0 all places are one.
    """
    if rule.corrects_v is None and rule.eps and rule.placement == "outside":
        yield "hat", LIKE
    if rule.corrects_v is None and rule.eps and rule.placement == "inside":
        yield "inside-uncorrected", 1 + LIKE  # eps inside is a mistake more often than a form
    if rule.eps == 0 and rule.placement == "outside":
        yield "inside", -np.inf
        yield "added", -np.inf


def singles(
    explained: Sequence[tuple[Explanation, Fit]], best: Explanation, beside: bool
) -> tuple[str, ...]:
    """Name every mistake that explains the steps alone, at the settings of the best explanation.

    Beside a dialect only those of Algorithm 1 are named: its other forms are dialects themselves.
    """
    found: list[str] = []
    for e, fit in explained:
        if len(e.slugs) != 1 or len(e.contradicted) > len(best.contradicted):
            continue
        if not alike(e.settings, best.settings, e.slugs[0]):
            continue
        rule = fit.rule
        if beside and (rule.placement in OTHER_FORMS or rule.amsgrad == "max of v̂"):
            continue
        found.append(e.slugs[0])
    # What has a name already needs no second one: the later entries are for what has none.
    first = [slug for slug in found if slug in FIRST]
    return tuple(s for s in MISTAKES if s in (first if first or beside else found))


OTHER_FORMS = ("hat", "inside-uncorrected", "none")


def alike(one: Settings, other: Settings, slug: str = "") -> bool:
    """Whether two settings are the same, eps apart where there is none."""
    names = ["lr", "weight_decay", *(["eps"] if slug != "eps-missing" else [])]
    numbers = [(getattr(one, n), getattr(other, n)) for n in names]
    numbers += zip(one.betas, other.betas, strict=True)
    return all(np.isclose(a, b, 1e-7, 0) for a, b in numbers) and one.amsgrad == other.amsgrad


# Dialects


def fitting(seen: Observation, likely: Sequence[tuple[Explanation, Fit]]) -> tuple[str, ...]:
    """Name the dialects that take the path at the settings of a likely explanation."""
    found: list[str] = []
    done: list[Settings] = []
    for e, fit in likely:
        if "eps-missing" not in e.slugs and not any(alike(e.settings, s) for s in done):
            done.append(e.settings)
            found += dialects_at(e.settings, fit, seen)
    return tuple(name for name in DIALECTS if name in found)


def dialects_at(settings: Settings, fit: Fit, seen: Observation) -> Iterator[str]:
    """Name the dialects that take the path at some settings."""
    first = replace(seen.probe, grads=seen.probe.grads[:2])
    for name, decoupled in choices(settings):
        if fit.takes(seen.path[:3], dialect_path(name, first, settings, decoupled)).all():
            if fit.takes(seen.path, dialect_path(name, seen.probe, settings, decoupled)).all():
                yield name


def choices(settings: Settings) -> Iterator[tuple[str, bool]]:
    """Give the dialects that have the options, with decay coupled and decoupled."""
    for name, rule in DIALECTS.items():
        if settings.amsgrad and rule.amsgrad is None:
            continue
        yield name, False
        if settings.weight_decay and rule.decoupled_weight_decay:
            yield name, True


def dialect_path(name: str, probe: Probe, settings: Settings, decoupled: bool) -> NDArray:
    """Run a dialect on a probe; return the parameters before every step and at the end.

    Returns
    -------
    ndarray of float64, shape (steps + 1, numbers)
    """
    param, path = probe.start, [probe.start]
    state = init_state(param, settings.amsgrad)
    options: dict[str, Any] = {**vars(settings), "decoupled_weight_decay": decoupled}
    for grad in probe.grads:
        param, state = adam_step(param, grad, state, dialect=name, **options)
        path.append(param)
    return np.array(path)


# Beyond the probe


def leaves(fit: Fit, seen: Observation) -> str:
    """Say where it leaves the rule that it followed on the probe; "" where it does not."""
    whole, long = seen.whole, seen.long
    if whole is None or long is None:
        return ""
    reach = inputs(fit.rule, whole.grads, whole.index)
    wrong = misfits(fit, whole, reach)
    if wrong[:, ~whole.small].any():
        return f"on a parameter of {(whole.index == 0).sum():,} numbers"
    matrix = whole.index == 1
    if wrong[:, matrix].any() and not wrong[:, ~matrix].any():
        return "where the gradient of a matrix is orthogonal to it"
    further = inputs(fit.rule, long.grads, long.index)  # over all: a late one is the last one's
    further[: len(reach)] = reach[:, whole.small]  # whose norm had the wide part in it
    wrong = misfits(fit, long, further)
    if not wrong.any():
        return ""
    step = int(np.argmax(wrong.any(axis=1)))
    spike = ", in which the gradients are 1,000 times as large" if step in SPIKES else ""
    return f"in step {step + 1}{spike}"


def misfits(fit: Fit, course: Course, grads: NDArray) -> NDArray:
    """Say where a rule takes other steps, a mask of shape (steps, numbers)."""
    state_unit = PRECISIONS[fit.precision]
    with np.errstate(all="ignore"):
        off, allowed, _ = off_by(fit.rule, course.path, grads, course.index, fit.unit, state_unit)
    return off > allowed


# Relatives


def relative(seen: Observation, known: Known) -> Judgement | None:
    """Find the published relatives that take the path, at the settings that are known."""
    if known.amsgrad:
        return None
    settings = known.filled()
    probe = seen.probe
    small = Course(probe.grads, seen.path, probe.shapes, np.ones(len(probe.start), bool))
    for rtol, precision in ((RTOL, "float64"), (RTOL32, "float32")):
        names = [s for s, r in RELATIVES.items() if takes(r, seen.whole or small, settings, rtol)]
        if names:
            explanation = Explanation((), settings)
            return Judgement("dialect", tuple(names), (explanation,), None, precision)
    return None


def takes(entry: Relative, course: Course, settings: Settings, rtol: float) -> bool:
    """Whether a relative takes every step, with one of its kinds of decay."""
    kinds = entry.decays if settings.weight_decay else entry.decays[:1]
    return any(follows(entry, course, settings, kind, rtol) for kind in kinds)


def follows(entry: Relative, course: Course, settings: Settings, kind: Any, rtol: float) -> bool:
    path, share = course.path, settings.lr * settings.weight_decay
    step, before = entry.run(settings, path[0], course.shapes, kind), path[0]
    with np.errstate(all="ignore"):
        for grad, last, got in zip(course.grads, path, path[1:], strict=False):
            theta = step(grad)
            wanted, size = theta - before, np.maximum(np.abs(got), np.abs(last))
            allowed = 8 * 2.0**-53 * size + rtol * (np.abs(wanted) + share * size)
            same = (got == theta) | (np.isnan(got) & np.isnan(theta))
            if not ((np.abs(got - last - wanted) <= allowed) | same).all():
                return False
            before = theta
    return True
