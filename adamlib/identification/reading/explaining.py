"""Which mistakes explain a rule that was read off: they and the settings that were meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, product
from math import isclose
from typing import Any

import numpy as np

from .rules import AMSGrad, Correction, Decay, Placement, Rule


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of an optimizer."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float = 0.0
    amsgrad: bool = False


USUAL = Settings(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)


@dataclass(frozen=True)
class Known:
    """What is known of the hyperparameters of an optimizer; None: nothing."""

    lr: float | None = None
    betas: tuple[float, float] | None = None
    eps: float | None = None
    weight_decay: float | None = None
    amsgrad: bool | None = None

    def given(self) -> dict[str, Any]:
        """What is not None."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def filled(self) -> Settings:
        """Take the usual for what is not known."""
        return replace(USUAL, **self.given())

    def or_else(self, other: "Known") -> "Known":
        """Take from another what is not known here."""
        return replace(other, **self.given())


@dataclass(frozen=True)
class Written:
    """The averages and corrections as somebody writes them, of β₁ and β₂."""

    keep_m: str = "β₁"
    weight_m: str = "1−β₁"
    keep_v: str = "β₂"
    weight_v: str = "1−β₂"
    base_m: str | None = "β₁"
    base_v: str | None = "β₂"
    clock_m: str = "right"
    clock_v: str = "right"
    power_v: float = 1.0
    swapped: bool = False
    eps_power: float = 1.0
    factor: float = 1.0

    def normal(self, form: Rule, betas: tuple[float, float]) -> "Normal | None":
        """What it does in a form, with weights that add up to 1: lr and eps take the rest.

        None where that cannot be said of it.
        """
        beta1, beta2 = betas[::-1] if self.swapped else betas
        value = {"β₁": beta1, "β₂": beta2, "1−β₁": 1 - beta1, "1−β₂": 1 - beta2, "0": 0.0, "1": 1.0}
        a, c = value[self.keep_m], value[self.keep_v]
        if not value[self.weight_m]:
            a = 0.0  # m stays zero, whatever it keeps
        if a >= 1 or c >= 1 or not value[self.weight_v]:
            return None
        of_m, of_v = value[self.weight_m] / (1 - a), value[self.weight_v] / (1 - c)
        if not _scales(form, of_m, of_v):
            return None
        of_v *= {"m²": of_m**2, "m": of_m}.get(form.v_of, 1.0)
        if not of_v:
            return None
        m = Correction(value[self.base_m], self.clock_m) if self.base_m else None
        v = Correction(value[self.base_v], self.clock_v, self.power_v) if self.base_v else None
        if any(x and x.number(betas) >= 1 for x in (m, v)):
            return None  # divided by zero
        # 1 − 0ᵗ is 1; a count frozen so late that nothing is left to correct is none
        m, v = (x if x and x.number(betas) > 0 else None for x in (m, v))
        if any(x and x.frozen and x.number(betas) ** x.frozen < 1e-3 for x in (m, v)):
            return None
        c1, c2 = (_frozen(x, betas) for x in (m, v))
        if (c1, c2) != (1.0, 1.0) and (form.placement == "none" or "corrected" in form.starts):
            return None
        m, v = (x if x and not x.frozen else None for x in (m, v))
        return _normal(form, (a, c), (m, v), (of_m, of_v), (c1, c2), self.factor)

    def may_be(self, rule: Rule, known: Known) -> bool:
        """Whether the corrections of a rule may come of it, by their clocks and powers."""
        if not all((*rule.betas, *(known.betas or ()))):  # 1 − 0ᵗ is 1, whatever the clock
            return True
        for base, clock, power, corrects in (
            (self.base_m, self.clock_m, 1.0, rule.corrects_m),
            (self.base_v, self.clock_v, self.power_v, rule.corrects_v),
        ):
            plain = base is None or clock.startswith("frozen")
            if plain is not (corrects is None):
                return False
            if corrects and (corrects.clock, corrects.power) != (clock, power):
                return False
        return True


def _scales(form: Rule, of_m: float, of_v: float) -> bool:
    """Whether an average with weights that do not add up to 1 is a multiple of one that does."""
    fixed_m = form.m_starts == "gradient" or form.shared or form.v_of == "(g−m)²"
    fixed_v = form.v_starts == "gradient" or form.shared
    return not (fixed_m and not close(of_m, 1) or fixed_v and not close(of_v, 1))


def _frozen(correction: Correction | None, betas: tuple[float, float]) -> float:
    """What a correction divides by in every step, if its count is frozen; else 1."""
    if not correction or not correction.frozen:
        return 1.0
    return float((1 - correction.number(betas) ** correction.frozen) ** correction.power)


def _normal(
    form: Rule,
    betas: tuple[float, float],
    corrections: tuple[Correction | None, Correction | None],
    scales: tuple[float, float],
    frozen: tuple[float, float],
    factor: float,
) -> "Normal | None":
    """Divide a rule's numerator and denominator by what m and v are multiples of."""
    of_m, root = scales[0] / frozen[0], scales[1] ** form.power
    inside, placement = form.placement.startswith("inside"), form.placement
    eps = 1 / (scales[1] if inside else root)
    if placement in ("outside", "inside", "inside and outside"):
        eps *= frozen[1] if inside else frozen[1] ** form.power
    lr = of_m / root * frozen[1] ** form.power
    if not lr and (placement == "added" or form.decay != "none"):
        return None  # only these move it
    if placement == "added":
        eps = 1 / lr
    if form.eps_in_m and not close(eps * of_m, 1):
        return None  # two multiples of eps
    if placement == "none" and not close(lr, 1) or placement == "inside and outside" and eps != 1:
        return None
    decay = 1.0
    if form.decay in ("before", "after"):
        decay = 1 / (factor * lr)
    elif form.decay == "times corrected lr":
        decay = root / scales[0]
    elif form.decay == "in the quotient":
        decay = 1 / of_m
    return Normal(betas, *corrections, factor * lr, eps, decay)


@dataclass(frozen=True)
class Normal:
    """The averages, the corrections, and the factors by which lr, eps and weight decay act."""

    betas: tuple[float, float]
    corrects_m: Correction | None
    corrects_v: Correction | None
    lr: float
    eps: float
    decay: float


FROZEN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000)
AVERAGES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "no-bias-correction": (
        "Neither m nor v is divided by 1 − βᵗ.",
        [dict(base_m=None, base_v=None)],
    ),
    "only-m-corrected": (
        "m is divided by 1 − β₁ᵗ, but v not by 1 − β₂ᵗ.",
        [dict(base_v=None)],
    ),
    "only-v-corrected": (
        "v is divided by 1 − β₂ᵗ, but m not by 1 − β₁ᵗ.",
        [dict(base_m=None)],
    ),
    "step-frozen-at-1": (
        "The step count t stays 1, so the corrections never fade.",
        [dict(clock_m="frozen 1", clock_v="frozen 1")],
    ),
    "step-frozen": (
        "The step count t stays the same, so the corrections never fade.",
        [dict(clock_m=f"frozen {n}", clock_v=f"frozen {n}") for n in FROZEN[1:]],
    ),
    "step-frozen-for-m": (
        "The step count stays the same in the correction of m only.",
        [dict(clock_m=f"frozen {n}") for n in FROZEN],
    ),
    "step-frozen-for-v": (
        "The step count stays the same in the correction of v only.",
        [dict(clock_v=f"frozen {n}") for n in FROZEN],
    ),
    "step-starts-at-0": (
        "The first step has t = 0, so that both corrections divide by zero.",
        [dict(clock_m="from -1", clock_v="from -1")],
    ),
    "step-starts-at-2": (
        "The first step has t = 2, so the corrections are too weak.",
        [dict(clock_m="from 1", clock_v="from 1")],
    ),
    "step-per-parameter": (
        "t advances once per parameter, not once per step.",
        [dict(clock_m="per parameter", clock_v="per parameter")],
    ),
    "betas-swapped": ("β₁ and β₂ are swapped.", [dict(swapped=True)]),
    "average-weights-swapped": (
        "The weights are swapped: (1 − β)·m + β·g, and so for v.",
        [dict(keep_m="1−β₁", weight_m="β₁", keep_v="1−β₂", weight_v="β₂")],
    ),
    "m-weights-swapped": (
        "The weights are swapped in m, (1 − β₁)·m + β₁·g, though not in v.",
        [dict(keep_m="1−β₁", weight_m="β₁")],
    ),
    "v-weights-swapped": (
        "The weights are swapped in v, (1 − β₂)·v + β₂·g², though not in m.",
        [dict(keep_v="1−β₂", weight_v="β₂")],
    ),
    "v-uses-beta1": (
        "v is averaged with β₁.",
        [
            dict(keep_v="β₁", weight_v="1−β₁"),
            dict(keep_v="β₁", weight_v="1−β₁", base_v="β₁"),
        ],
    ),
    "m-uses-beta2": (
        "m is averaged with β₂.",
        [
            dict(keep_m="β₂", weight_m="1−β₂"),
            dict(keep_m="β₂", weight_m="1−β₂", base_m="β₂"),
        ],
    ),
    "v-weight-exchanged": (
        "One weight of v is m's: β₂·v + (1 − β₁)·g², or β₁·v + (1 − β₂)·g².",
        [dict(weight_v="1−β₁"), dict(keep_v="β₁")],
    ),
    "m-weight-exchanged": (
        "One weight of m is v's: β₁·m + (1 − β₂)·g, or β₂·m + (1 − β₁)·g.",
        [dict(weight_m="1−β₂"), dict(keep_m="β₂")],
    ),
    "m-is-a-sum": ("m adds up the gradients: β₁·m + g, without 1 − β₁.", [dict(weight_m="1")]),
    "corrections-swapped": (
        "m is corrected with β₂, and v with β₁.",
        [dict(base_m="β₂", base_v="β₁")],
    ),
    "v-corrected-with-beta1": ("v is divided by 1 − β₁ᵗ.", [dict(base_v="β₁")]),
    "m-corrected-with-beta2": ("m is divided by 1 − β₂ᵗ.", [dict(base_m="β₂")]),
    "correction-of-1-minus-beta": (
        "The correction takes a power of 1 − β: 1 − (1 − β)ᵗ stands where 1 − βᵗ should.",
        [
            dict(base_m="1−β₁", base_v="1−β₂"),
            dict(base_m="1−β₁"),
            dict(base_v="1−β₂"),
        ],
    ),
    "correction-without-root": (
        "The root is missing in the correction of v: 1 − β₂ᵗ stands where √(1 − β₂ᵗ) should.",
        [dict(power_v=2.0)],
    ),
    "state-reset-every-call": (
        "The moments begin at zero again on every call.",
        [
            dict(keep_m="0", keep_v="0"),
            dict(keep_m="0", keep_v="0", clock_m="frozen 1", clock_v="frozen 1"),
        ],
    ),
    "exponent-is-the-index": (
        "The corrections' exponent is the number of the parameter, not of the step.",
        [dict(clock_m="index", clock_v="index")],
    ),
    "step-starts-late": (
        "The step count starts far from 1, so the corrections are too weak.",
        [dict(clock_m=f"from {k}", clock_v=f"from {k}") for k in (2, 9, 99)],
    ),
    "update-applied-twice": ("The update is applied twice.", [dict(factor=2.0)]),
    "eps-squared": ("eps is squared.", [dict(eps_power=2.0)]),
}


PLACES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "eps-inside-root": (
        "eps is added inside the root, √(v̂ + ε), where it acts like √ε outside.",
        [dict(placement="inside")],
    ),
    "eps-added-to-quotient": (
        "eps is added to the quotient, m̂/√v̂ + ε, not to the denominator.",
        [dict(placement="added")],
    ),
    "eps-missing": (
        "There is no eps, so that a zero gradient divides by zero.",
        [dict(placement="missing")],
    ),
    "eps-added-to-both": (
        "eps is added to m̂ too, so that a zero gradient takes a step of full length.",
        [dict(eps_in_m=True)],
    ),
    "v-of-g-not-squared": ("v averages the gradient, not its square.", [dict(v_of="g")]),
    "v-of-absolute-g": ("v averages |g|, not its square.", [dict(v_of="|g|")]),
    "v-of-m-squared": ("v averages m², not g².", [dict(v_of="m²")]),
    "v-of-m": ("v averages m, not g².", [dict(v_of="m")]),
    "corrected-moments-stored": (
        "The corrected moments are written back and corrected again.",
        [
            dict(m_starts="corrected", v_starts="corrected"),
            dict(m_starts="corrected"),
            dict(v_starts="corrected"),
        ],
    ),
    "state-starts-at-gradient": (
        "The state starts at the first gradient, and is corrected as if it had started at zero.",
        [
            dict(m_starts="gradient", v_starts="gradient"),
            dict(m_starts="gradient"),
            dict(v_starts="gradient"),
        ],
    ),
    "no-square-root": ("The root of v̂ is missing from the denominator.", [dict(power=1.0)]),
    "v-squared": ("v̂ is squared where its root should be taken.", [dict(power=2.0)]),
    "root-taken-twice": ("The root of v̂ is taken twice.", [dict(power=0.25)]),
    "moments-share-a-buffer": ("m and v are one and the same array.", [dict(shared=True)]),
    "ascent": ("The step is added: the function climbs.", [dict(sign=1.0)]),
    "gradient-applied-twice": ("Each gradient is applied twice.", [dict(twice=True)]),
    "clipped-by-value": ("The gradient is clipped by value.", [dict(input="clipped by value")]),
    "clipped-by-norm": (
        "The gradient is clipped by norm.",
        [dict(input="clipped by norm"), dict(input="clipped by norm of all")],
    ),
    "one-step-late": ("Each gradient acts one step late.", [dict(input="late")]),
    "decay-not-times-lr": (
        "Decoupled weight decay is not multiplied by the learning rate.",
        [dict(decay="before, not times lr"), dict(decay="after, not times lr")],
    ),
    "decay-in-the-wrong-place": (
        "Weight decay enters where no Adam and no AdamW has it.",
        [
            dict(decay="after"),
            dict(decay="in the quotient"),
            dict(decay="times corrected lr"),
            dict(decay="in m only"),
        ],
    ),
    "decay-grows": (
        "Weight decay has the wrong sign: it makes the parameters grow.",
        [],
    ),
    "amsgrad-max-not-kept": (
        "AMSGrad's maximum is not kept from step to step.",
        [dict(amsgrad="last two")],
    ),
    "amsgrad-max-stored-in-v": (
        "AMSGrad's maximum is written back into v, and averaged on.",
        [dict(amsgrad="stored")],
    ),
    "rate-changes": ("The learning rate changes with the steps.", []),
}


@dataclass(frozen=True)
class Explanation:
    """Mistakes with which Adam at these settings does what a rule does.

    ``contradicted`` names what is known and acts otherwise. The lowest ``cost`` is the likeliest.
    """

    slugs: tuple[str, ...]
    settings: Settings
    contradicted: tuple[str, ...] = ()
    cost: float = 0.0

    def more(
        self, slugs: Sequence[str] = (), contradicted: str = "", **settings: Any
    ) -> "Explanation":
        """Add mistakes, a contradiction, or settings."""
        return Explanation(
            (*self.slugs, *slugs),
            replace(self.settings, **settings),
            (*self.contradicted, *([contradicted] if contradicted else [])),
            self.cost + len(slugs) + CONTRADICTION * bool(contradicted),
        )


CONTRADICTION = 2.0  # as dear as two mistakes
UGLY = 0.1  # for each digit beyond two of a number that somebody typed


def explain(rule: Rule, known: Known, most: int = 3) -> list[Explanation]:
    """Explain a rule: mistakes that turn Algorithm 1, or its reordered form, into it.

    Returns
    -------
    list of Explanation
        The likeliest first; with at most ``most`` mistakes in averages and corrections.
    """
    rule = bare(rule)
    placed = [slug for slug, (_, ways) in PLACES.items() if any(_made(rule, w) for w in ways)]
    if rule.rates:
        placed.append("rate-changes")
    found = []
    for e, normal in _explain_averages(rule, known, most):
        e = _explain_decay(e, normal, rule, known).more(placed, amsgrad=rule.amsgrad != "none")
        if (rule.decay, rule.placement, rule.amsgrad) == ("after", "hat", "none"):
            # the reordered form has AdamW's decay after the step in transformers
            slugs = tuple(s for s in e.slugs if s != "decay-in-the-wrong-place")
            e = replace(e, slugs=slugs, cost=e.cost - 1)
        if known.amsgrad and rule.amsgrad == "none":
            # a v that is corrected again and again grows, and is its own maximum
            unseen = rule.v_starts == "corrected"
            e = e.more([] if unseen else ["amsgrad-max-not-kept"], amsgrad=True)
        elif known.amsgrad is False and rule.amsgrad != "none":
            e = e.more(contradicted="amsgrad")
        found.append(replace(e, slugs=tuple(s for s in MISTAKES if s in e.slugs)))
    return sorted(found, key=lambda e: e.cost)


def bare(rule: Rule) -> Rule:
    """Leave out a correction by 1 − 0ᵗ, which is 1; take a root of v's as usual."""
    m, v = (
        c if c and c.number(rule.betas) > 0 else None for c in (rule.corrects_m, rule.corrects_v)
    )
    if v and rule.power != 0.5 and isclose(v.power * rule.power, 0.5):
        v = replace(v, power=1.0)  # v̂'s root is not, or once more, taken; the correction's is
    return replace(rule, corrects_m=m, corrects_v=v)


def _made(rule: Rule, way: dict[str, Any]) -> bool:
    return all(getattr(rule, name) == value for name, value in way.items())


def _explain_averages(rule: Rule, known: Known, most: int) -> "list[tuple[Explanation, Normal]]":
    """Explain the averages, the corrections, lr and eps."""
    found: list[tuple[Explanation, Normal]] = []
    tries = _betas(rule, known)
    for count in range(most + 1):
        for slugs, written in (*_written(count), *(_frozen_at(rule, known) if count == 1 else ())):
            if written.may_be(rule, known):
                found += _as_written(rule, known, tries, slugs, written)
        if count and found and min(e.cost for e, _ in found) < count + 1:
            break
    return found


@cache
def _written(count: int) -> "list[tuple[tuple[str, ...], Written]]":
    """All that may be written with so many mistakes."""
    found = []
    for slugs in combinations(AVERAGES, count):
        for ways in product(*(AVERAGES[slug][1] for slug in slugs)):
            changes = {k: v for way in ways for k, v in way.items()}
            if len(changes) == sum(map(len, ways)):  # else two change the same thing
                found.append((slugs, Written(**changes)))
    return found


def _frozen_at(rule: Rule, known: Known) -> "Iterator[tuple[tuple[str], Written]]":
    """A step count that stays at any number, where the rate that is known tells it."""
    if known.lr is None or rule.rates:
        return
    beta1, beta2 = known.betas or rule.betas
    n = np.arange(1, 10001)
    left1, left2 = beta1**n, beta2**n
    c1, c2 = 1 - left1, (1 - left2) ** rule.power
    for slug, of_lr, left, clocks in (
        ("step-frozen", c2 / c1, np.maximum(left1, left2), ("clock_m", "clock_v")),
        ("step-frozen-for-m", 1 / c1, left1, ("clock_m",)),
        ("step-frozen-for-v", c2, left2, ("clock_v",)),
    ):
        same = np.isclose(known.lr * of_lr, rule.lr, 1e-6, 0)
        for count in set(n[same & (left > 1e-3)].tolist()) - set(FROZEN):  # so much is corrected
            yield (slug,), Written(**dict.fromkeys(clocks, f"frozen {count}"))  # type: ignore[arg-type]


def _as_written(
    rule: Rule,
    known: Known,
    tries: Sequence[tuple[float, float]],
    slugs: tuple[str, ...],
    written: Written,
) -> "Iterator[tuple[Explanation, Normal]]":
    """Explain them by what somebody may have written with one of these betas."""
    for betas in tries:
        normal = written.normal(rule, betas)
        if normal is None or not _same(normal, rule):
            continue
        eps = (rule.eps / normal.eps) ** (1 / written.eps_power)
        lr = rule.lr / normal.lr if normal.lr else known.lr  # or m stays zero
        if lr is None or not normal.lr and rule.lr:
            continue
        # what is known settles it, then few mistakes, then numbers that somebody would type
        cost = len(slugs) + 1.5 * (known.betas is None and betas[0] > betas[1])
        cost += 1.5 * (betas == (0, 0) and known.betas != (0, 0))  # rather reset than asked for
        cost += UGLY * sum(max(0, digits(x) - 2) for x in (lr, eps, *(1 - b for b in betas)) if x)
        e = Explanation(slugs, Settings(lr, betas, eps), cost=cost)
        for name in ("lr", "betas", "eps"):
            told = getattr(known, name)
            if name == "eps" and rule.placement in ("missing", "none"):
                continue  # there is none
            if told is not None and not _as_told(getattr(e.settings, name), told):
                e = e.more(contradicted=name)
        if known.eps is None and rule.eps == 0 and rule.placement == "outside":
            e = replace(e, cost=e.cost + 1.5)  # rather forgotten than meant
        yield e, normal


def _as_told(number: Any, told: Any) -> bool:
    """Whether a number, or each of two, is the one that was told."""
    pairs = zip(number, told, strict=True) if isinstance(told, tuple) else [(number, told)]
    return all(close(a, b) for a, b in pairs)


def _same(normal: Normal, rule: Rule) -> bool:
    """Whether averages and corrections are the same."""
    pairs = [*zip(normal.betas, rule.betas, strict=True)]
    for a, b in ((normal.corrects_m, rule.corrects_m), (normal.corrects_v, rule.corrects_v)):
        if a is None or b is None:
            if a is not b:
                return False
        elif a.clock != b.clock or a.power != b.power:
            return False
        else:
            pairs.append((a.number(rule.betas), b.number(rule.betas)))
    return all(close(1 - a, 1 - b) for a, b in pairs)


def _betas(rule: Rule, known: Known) -> list[tuple[float, float]]:
    """The betas that somebody may have asked for: what is known, or what could be meant."""
    a, c = rule.betas
    tries = [known.betas] if known.betas else []
    tries += [(a, c)]
    if not known.betas:
        m, v = ([x.number(rule.betas)] if x else [] for x in (rule.corrects_m, rule.corrects_v))
        tries += [(c, a), *product((a, 1 - a, *m), (c, 1 - c, *v)), (0.9, 0.999)]
    rounded = dict.fromkeys((float(f"{x:.12g}"), float(f"{y:.12g}")) for x, y in tries)
    return [betas for betas in rounded if all(0 <= b < 1 for b in betas)]


def _explain_decay(e: Explanation, normal: Normal, rule: Rule, known: Known) -> Explanation:
    """Add the weight decay: times the rate that was meant, or not; its sign."""
    told = known.weight_decay
    if rule.decay == "none":
        return e.more(contradicted="weight_decay" if told else "", weight_decay=0.0)
    grows = ["decay-grows"] if rule.weight_decay < 0 else []
    wd = abs(rule.weight_decay) / normal.decay
    if rule.decay.endswith("not times lr"):
        grows.append("decay-not-times-lr")
    elif rule.decay in ("before", "after"):
        share = rule.lr * abs(rule.weight_decay)
        free = close(share, told) and not close(wd, told) if told else wd > 0.5 and share < wd
        if free:
            wd = share
            grows.append("decay-not-times-lr")
    off = told is not None and not close(wd, told)
    e = e.more(grows, contradicted="weight_decay" if off else "", weight_decay=wd)
    return replace(e, cost=e.cost + UGLY * max(0, digits(wd) - 2))


def composed(
    slugs: Sequence[str], settings: Settings, placement: Placement, decay: Decay, amsgrad: AMSGrad
) -> Iterator[Rule]:
    """Give every rule that makes these mistakes, at these settings, on a form of Adam.

    The form is told by where eps, weight decay and AMSGrad's maximum stand in the right one.
    """
    for ways in product(*({**AVERAGES, **PLACES}[slug][1] for slug in slugs)):
        changes = {k: v for way in ways for k, v in way.items()}
        if len(changes) < sum(map(len, ways)):  # two change the same thing
            continue
        written = Written(**{k: v for k, v in changes.items() if hasattr(Written, k)})
        shape: dict[str, Any] = {"placement": placement, "decay": decay, "amsgrad": amsgrad}
        shape |= {k: v for k, v in changes.items() if not hasattr(Written, k)}
        form = Rule(1.0, settings.betas, bound=BOUND, **shape)
        normal = written.normal(form, settings.betas)
        if normal:
            yield replace(
                form,
                lr=settings.lr * normal.lr,
                betas=normal.betas,
                eps=settings.eps**written.eps_power * normal.eps,
                weight_decay=settings.weight_decay * normal.decay,
                corrects_m=normal.corrects_m,
                corrects_v=normal.corrects_v,
            )


BOUND = 1.0  # to which a composed rule clips


def close(a: float, b: float) -> bool:
    return isclose(a, b, rel_tol=1e-6)


def digits(number: float) -> int:
    """How many digits a number needs: few for one that somebody typed."""
    return len(f"{abs(number):.8e}".split("e")[0].replace(".", "").rstrip("0"))


FIRST = (
    "eps-inside-root", "eps-added-to-quotient", "eps-missing", "no-bias-correction",
    "only-m-corrected", "only-v-corrected", "step-frozen-at-1", "step-starts-at-0",
    "step-starts-at-2", "step-per-parameter", "betas-swapped", "average-weights-swapped",
    "v-uses-beta1", "v-of-g-not-squared", "corrected-moments-stored", "state-reset-every-call",
    "no-square-root", "moments-share-a-buffer", "ascent", "gradient-mutated",
    "decay-not-times-lr", "decay-in-the-wrong-place", "amsgrad-max-not-kept",
)  # fmt: skip
_SAYS = {slug: says for slug, (says, _) in {**AVERAGES, **PLACES}.items()}
_SAYS["gradient-mutated"] = "The caller's gradient is changed."
MISTAKES = {slug: _SAYS[slug] for slug in (*FIRST, *(s for s in _SAYS if s not in FIRST))}
"""The catalogue of mistakes: slug → what is wrong; those found in published code first."""
