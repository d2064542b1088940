"""Read off a path which rule takes it: each number from its own columns, then a check of all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .probes import QUIET, SIZES, STEPS, Probe
from .rules import AMSGrad, Correction, Decay, Placement, Rule, Run, follow, inputs

RTOL, RTOL32 = 1e-9, 1e-6  # of a step, in float64 and in float32
PRECISIONS = {"float64": 2.0**-53, "float32": 2.0**-24}
ROUGH = 1e-3  # how closely a number must be read before it is polished
USUAL_BETAS = ((0.9, 0.999), (0.5, 0.9))

# Columns whose gradients are steady, but for one, and the steps in which v has only grown:
# there AMSGrad's maximum is v itself.
BLOCK = {"steady": 6, "flip 2": 6, "flip 3": 6, "flip 4": 6, "spike 2": 2, "spike 3": 3}
BLOCK |= {"spike 4": 4, "spike 1": 1}
STEADY = ("steady", "second 0", "third 0", "third 3")  # in the parameters of each cut
CLOCKS = ("right", "from 1", "from 2", "from 9", "from 99", "per parameter", "per layer", "index")
AMSGRADS: tuple[AMSGrad, ...] = ("none", "max of v", "max of v̂", "last two", "stored")
DECOUPLED: tuple[Decay, ...] = ("before", "after")
CORRECTED: tuple[Decay, ...] = ("times corrected lr",)
COUPLED: tuple[Decay, ...] = ("L2", "in m only", "in the quotient")
WEIGHT_DECAYS = 10.0 ** np.arange(-6, 0.6, 0.5)


@dataclass(frozen=True)
class Fit:
    """A rule that takes a path; ``allowed`` is by how much each step may be off.

    ``unit``: to what the parameters are rounded.
    """

    rule: Rule
    precision: str
    allowed: NDArray
    unit: float

    def takes(self, path: NDArray, other: NDArray) -> NDArray:
        """Say where another path takes the same steps, a mask of shape (steps, numbers)."""
        with np.errstate(all="ignore"):
            off = np.abs(np.diff(path, axis=0) - np.diff(other, axis=0))
            return (off <= self.allowed[: len(off)]) | _same(path, other)


def _same(path: NDArray, other: NDArray) -> NDArray:
    return (path[1:] == other[1:]) | (np.isnan(path[1:]) & np.isnan(other[1:]))


def read(path: NDArray, probe: Probe, betas: Sequence[tuple[float, float]] = ()) -> list[Fit]:
    """Find the rules that take a path, and how closely they do.

    Parameters
    ----------
    path : ndarray, shape (steps + 1, numbers)
        The parameters before every step of the probe and at the end.
    betas : sequence of pairs of float
        Betas that it may have, where the steps do not show them.

    Returns
    -------
    list of Fit
        With numbers as short as they may be; none where nothing fits.
    """
    for trial in TRIALS:
        if found := Reader(path, probe, trial, betas).fitting():
            best = min(found, key=lambda fit: [*PRECISIONS].index(fit.precision)).precision
            return [fit for fit in found if fit.precision == best]
    return []


class Reader:
    """A path, read as that of a rule whose form is given and whose numbers are not."""

    def __init__(
        self, path: NDArray, probe: Probe, trial: Rule, betas: Sequence[tuple[float, float]] = ()
    ) -> None:
        self.path, self.probe, self.trial = path, probe, trial
        self.known = [*betas, *USUAL_BETAS]
        self.index = probe.index
        self.count = int(self.index.max()) + 1
        self.grads = inputs(trial, probe.grads, self.index)
        self.first = 2 if trial.input == "late" else 1  # the first step that moves
        with np.errstate(all="ignore"):
            self.unit = rounding(path)
            self.steps = np.diff(path, axis=0)
            self.share = self._share()
            self.u = self.steps + self.share[:, None] * path[:-1]

    def fitting(self) -> list[Fit]:
        """The rules that fit."""
        with np.errstate(all="ignore"):
            rough = sorted((self.rough(r), i, r) for i, r in enumerate(self.rules()))
            found: dict[Rule, Fit] = {}
            for bad, _, rule in rough[:8]:
                if bad > 0.1 or found and bad > rough[0][0] + 0.01:
                    break
                if fit := self.exact(rule):
                    found[fit.rule] = fit
        return [*found.values()]

    def rules(self) -> Iterator[Rule]:
        """The rules with numbers as they are read, each from its own columns."""
        if (rule := self.with_betas()) is not None:
            for corrected in self.with_corrections(rule):
                for placed in self.with_eps(corrected):
                    for amsgrad in AMSGRADS:
                        yield from self.with_decay(replace(placed, amsgrad=amsgrad))

    # What decoupled decay takes: the same share of every parameter, whatever the gradient.

    def _share(self) -> NDArray:
        """That share in every step; 0 where there is none."""
        theta, shares = self.path[:-1], []
        for kind in ("one", "noise", "zero"):
            near, *far = self.probe.at(*(f"{kind} at {x}" for x in ("0.5", "100", "-3")))
            found = [
                (self.steps[:, near] - self.steps[:, j]) / (theta[:, j] - theta[:, near])
                for j in far
            ]
            if np.isfinite(found).all():
                shares += found
        here = np.array(shares)
        noise = 100 * self.unit if self.unit > 1e-9 else 1e-12
        if len(here) and (np.abs(here) > noise).all():
            if np.ptp(here, axis=0).max() < (ROUGH + noise) * np.abs(here).max():
                return here[-2]
        return np.zeros(len(self.steps))

    # β₁ and β₂: by how much one flipped sign, or one larger gradient, shows later.

    def with_betas(self) -> Rule | None:
        """The betas with which the steps of the block are what they are beside the steady ones."""
        columns, rows = self.probe.at(*BLOCK), max(BLOCK.values())
        t = np.arange(1, rows + 1)[:, None]
        u, grads = self.u[:rows, columns], self.grads[:rows, columns]
        mask = (t <= np.array(list(BLOCK.values()))) & (t > self.first)
        mask[:, 0] = False
        mask &= (np.abs(u[:, :1]) > 1e-200) & np.isfinite(u[:, :1])
        nothing = np.isnan(u)  # the root of something negative: so it must be for the rule
        seen = (u / u[:, :1])[mask & ~nothing]
        if len(seen) < 4 or not np.isfinite(seen).all():
            return None
        blank = replace(usual(self.trial) if stores(self.trial) else self.trial, input="given")
        start, index = np.zeros(len(columns)), np.zeros(len(columns), int)

        def ratios(betas: NDArray) -> NDArray:
            rule = replace(blank, betas=(float(betas[0]), float(betas[1])))
            way = np.diff(follow(rule, start, grads, index), axis=0)
            if (np.isnan(way) & ~nothing)[mask].any():
                return np.full(len(seen), np.nan)
            return (way / way[:, :1])[mask & ~nothing]

        for betas in self._starts():
            if (found := solve(ratios, seen, np.array(betas))) is not None:
                a, c = (0.0 if b < 1e-9 else float(b) for b in found)
                return replace(self.trial, betas=(a, c))
        return None

    def _starts(self) -> Iterator[tuple[float, float]]:
        """Betas to begin with: as second steps show them in the usual form, then usual ones."""
        steady, flip, spike = (self.u[1, j] for j in self.probe.at("steady", "flip 2", "spike 2"))
        a = (1 + flip / steady) / (1 - flip / steady)
        q = ((a + 1) / (a + 10) * spike / steady) ** 2
        c = (100 * q - 1) / (1 - q)
        for x, y in product((a, a / (1 + a)), (c, c / (1 + c))):
            if -1e-6 <= x < 1 and -1e-6 <= y < 1:
                yield max(x, 0.0), max(y, 0.0)
        yield from self.known

    # The corrections and lr: how the length of a steady step changes.

    def with_corrections(self, rule: Rule) -> Iterator[Rule]:
        """The corrections that give the lengths of the steady steps, and the rate."""
        columns = self.probe.at(*STEADY)
        rows, index = QUIET.start, self.index[columns]
        bare = replace(rule, lr=1.0, eps=0.0, sign=1.0, input="given")
        bare = usual(bare) if stores(rule) else bare
        way = np.diff(follow(bare, np.zeros(4), self.grads[:rows, columns], index), axis=0)
        u = self.u[:rows, columns]
        scale = u / way
        size = np.abs(self.path[1 : rows + 1, columns])
        usable = (np.isfinite(scale) & (np.abs(u) > 1e3 * self.unit * size)).all(axis=1)
        usable[: self.first - 1] = True
        last = len(usable) if usable.all() else int(np.argmin(usable))
        scale = scale[self.first - 1 : last]
        if len(scale) < 4:
            return
        sign, scale = float(np.sign(scale[0, 0])), np.abs(scale)
        if stores(rule):
            if np.abs(scale / scale[-1, 0] - 1).max() < ROUGH:
                yield replace(usual(rule), lr=float(np.median(scale)), sign=sign)
            return
        t = np.arange(self.first, last + 1)[:, None]
        options = self._corrections(rule, t, index)
        values = np.array([value for _, value in options])
        # of all pairs: by the correction of m, by that of v, by step, by parameter
        rates = scale * values[:, None] / values[None] ** rule.power
        spread = np.abs(rates / rates[:, :, -1:, :1] - 1).max(axis=(2, 3))
        for i, j in np.argwhere(spread < ROUGH):
            fit = replace(rule, sign=sign, corrects_m=options[i][0], corrects_v=options[j][0])
            yield replace(fit, lr=float(np.median(rates[i, j])))
        if not (spread < ROUGH).any():
            across = (np.ptp(rates, axis=3) / rates.max(axis=3)).max(axis=2)
            yield from self._scheduled(
                [
                    replace(rule, sign=sign, corrects_m=options[i][0], corrects_v=options[j][0])
                    for i, j in np.argwhere(across < ROUGH)
                ]
            )

    def _corrections(
        self, rule: Rule, t: NDArray, index: NDArray
    ) -> list[tuple[Correction | None, NDArray]]:
        """The corrections that differ by more than a factor, which is the rate's."""
        options: list[tuple[Correction | None, NDArray]] = [(None, np.ones((len(t), len(index))))]
        shapes = [np.ones((len(t), len(index)))]
        bases: list[str | float] = ["β₁", "β₂", "1−β₁", "1−β₂", *self.known[0]]
        for base, clock in product(bases, CLOCKS):
            correction = Correction(base, clock)
            value = correction.at(t, rule.betas, index[None], self.count)
            if not np.isfinite(value).all() or (value <= 0).any():
                continue
            shape = value / value[-1, 0]
            if np.abs(shape / np.array(shapes) - 1).max(axis=(1, 2)).min() > ROUGH:
                options.append((correction, value))
                shapes.append(shape)
        return options

    def _scheduled(self, rules: Sequence[Rule]) -> Iterator[Rule]:
        """A rate for every step, where the lengths of the steady steps follow no correction."""
        column = self.probe.at("steady")
        likely = [r for r in rules if (r.corrects_m, r.corrects_v) in LIKELY] or rules[:3]
        for rule in likely:
            bare = replace(rule, lr=1.0, eps=0.0, sign=1.0, input="given")
            way = np.diff(
                follow(bare, np.zeros(1), self.grads[:, column], self.index[column]), axis=0
            )
            rates = np.abs(self.u[:, column] / way)[:, 0]
            if np.isfinite(rates).all() and (rates > 0).all():
                lr = float(rates.max())
                yield replace(rule, lr=lr, rates=tuple(float(r) for r in rates / lr))

    def rated(self, rule: Rule) -> Rule:
        """The rule with its rates read again, now that eps is known."""
        if not rule.rates:
            return rule
        column = self.probe.at("steady")
        once = replace(rule, rates=(), lr=1.0, input="given")
        grads, index = self.grads[:, column], self.index[column]
        way = np.diff(follow(once, np.zeros(1), grads, index), axis=0)
        rates = np.abs(self.u[:, column] / way)[:, 0]
        lr = float(rates.max())
        return replace(rule, lr=lr, rates=tuple(float(r) for r in rates / lr))

    # eps: how steps shrink with the gradient.

    def with_eps(self, rule: Rule) -> list[Rule]:
        """Where eps stands, and its size."""
        if rule.placement == "none":
            return [rule]
        columns = self.probe.at(*(f"size {e}" for e in SIZES))
        rows, power = QUIET.start, rule.power
        bare, index = replace(rule, input="given", eps=0.0), self.index[columns]
        run = Run(bare, np.zeros(len(columns)), index, self.count, rows)
        taken: list[tuple[NDArray, NDArray, NDArray]] = []
        for grad in self.grads[:rows, columns]:
            before = run.theta
            step = run.step(grad) - before
            taken.append((run.m_hat, run.v_hat, step))
        m, v, full = (np.array(part) for part in zip(*taken, strict=True))
        c2 = np.ones((rows, 1))
        if rule.corrects_v:
            t = np.arange(1, rows + 1)[:, None]
            c2 = rule.corrects_v.at(t, rule.betas, self.index[columns][None], self.count)
        u = self.u[:rows, columns]
        share = u / full  # of the step that there would be without eps
        share[: self.first - 1] = np.nan

        # where eps is added to m or to the quotient, the two signs differ
        pairs = self.probe.at("size 0", "size -0", "size -8", "size --8")
        large, tiny = (self.u[:rows, i] + self.u[:rows, j] for i, j in (pairs[:2], pairs[2:]))
        lr = full[-1, 0] / (m / v**power)[-1, 0]
        odd = float(tiny[-1] / (2 * lr))
        if abs(odd) > 1e-13 and abs(large[-1] / tiny[-1] - 1) < ROUGH:
            return [replace(rule, placement="added", eps=abs(odd))]
        if abs(odd) > 1e-4:  # (m̂ + ε)/(√v̂ + ε) of a gradient of 1e-8, and of −1e-8
            even = (self.u[rows - 1, pairs[2]] - self.u[rows - 1, pairs[3]]) / 2
            at = list(columns).index(pairs[2])
            eps = float((full[-1, at] / even - 1) * v[-1, at] ** power)
            return [replace(rule, placement="in both", eps=eps)]
        for most in (0.98, 1 - 1e-6):  # eps shows best where it holds the step back
            seen = (share > 0.02) & (share < most)
            if seen.any():
                break
        else:
            nowhere: tuple[Placement, ...] = ("missing", "outside")
            return [replace(rule, placement=p, eps=0.0) for p in nowhere]
        outside = v**power * (1 / share - 1)
        inside = v * ((1 / share) ** (1 / power) - 1)
        tries: dict[Placement, NDArray] = {
            "outside": outside,
            "hat": outside * c2**power,
            "inside": inside,
            "inside-uncorrected": inside * c2,
        }
        if rule.corrects_v is None:
            del tries["hat"], tries["inside-uncorrected"]
        # with L2 decay the smallest gradients are the parameter's own after the first step
        early = seen & (np.arange(rows) == np.argmax(seen.any(axis=1)))[:, None]
        for rows_ in (seen, early):
            found = []
            for placement, values in tries.items():
                eps = float(np.median(values[rows_]))
                off = np.abs(values[rows_] / eps - 1).max()
                if off < 0.05:
                    found.append((off, replace(rule, placement=placement, eps=eps)))
            if found:
                break
        found.sort(key=lambda f: f[0])
        both = [
            replace(r, placement="inside and outside") for _, r in found if r.placement == "inside"
        ]
        return [r for _, r in found] + both

    # weight decay: what moves a parameter whose gradient is zero.

    def with_decay(self, rule: Rule) -> list[Rule]:
        """Where weight decay enters, and its size, likeliest first."""
        if self.share.any():
            if np.abs(self.share / self.share[-1] - 1).max() < ROUGH:
                share = float(np.median(self.share))
                before = replace(rule, decay="before", weight_decay=share / rule.lr)
                lr = rule.lr / (1 - share)  # which decay after the step makes shorter
                return [before, replace(rule, decay="after", lr=lr, weight_decay=share / lr)]
            wd = float(self.share[-1] / rule.lr)
            kinds = CORRECTED + (DECOUPLED if rule.rates else ())
            return [replace(rule, decay=kind, weight_decay=wd) for kind in kinds]
        zero = self.probe.at("zero at 100", "zero at -3")
        moved = self.path[-1, zero] != self.path[0, zero]
        if not (moved & np.isfinite(self.path[-1, zero])).any():
            return [rule]
        if rule.placement in ("in both", "missing", "added"):
            return [rule]
        at = self.probe.at(*(n for n in self.probe.names if " at " in n))
        found = []
        steps = self.steps[:8, at]
        for kind in COUPLED:
            bare = replace(rule, decay=kind, input="given")
            trials = [replace(bare, weight_decay=float(wd)) for wd in WEIGHT_DECAYS]
            offs = []
            for trial in trials:
                way = follow(trial, self.probe.start[at], self.grads[:8, at], self.index[at])
                off = np.abs(np.diff(way, axis=0) - steps) / (np.abs(steps) + 1e-300)
                offs.append(float(np.nanmean(np.minimum(off, 2.0))))
            best = int(np.argmin(offs))
            near = self.polished(replace(trials[best], input=rule.input), (8, 8, 8))
            found.append((offs[best], near))
        return [r for _, r in sorted(found, key=lambda f: f[0])]

    # The whole path.

    def off(self, rule: Rule, unit: float = 0.0) -> tuple[NDArray, NDArray, NDArray]:
        """By how much each step of a rule is off, by how much it may be, and how long it is."""
        grads = inputs(rule, self.probe.grads, self.index)
        return off_by(rule, self.path, grads, self.index, self.unit, unit)

    def rough(self, rule: Rule) -> float:
        """The share of numbers on which a rule is off by some percent."""
        off, allowed, length = self.off(rule, self.unit if self.unit > 1e-9 else 0.0)
        return float(((off > 0.03 * length) & (off > allowed)).mean())

    def exact(self, rule: Rule) -> Fit | None:
        """The rule with the numbers that fit, as short as they may be."""
        polished = self.rated(self.polished(rule))
        if rule.rates:
            polished = self.rated(self.polished(polished))
        for precision, unit in PRECISIONS.items():
            rtols = (1e-3, 1e-4, 1e-5, 1e-6, 1e-9) if unit > 1e-9 else (1e-6, 1e-9)
            for fit in (*(shortened(polished, rtol) for rtol in rtols), polished):
                off, allowed, _ = self.off(fit, unit)
                if (off <= allowed).all():
                    return Fit(fit, precision, allowed, self.unit)
        return None

    def polished(self, rule: Rule, rows: Sequence[int] = (8, STEPS, STEPS, STEPS, STEPS)) -> Rule:
        """The numbers of a rule with which its steps are nearest to the path's.

        ``rows`` says how many steps are looked at each time: a rough number is far off late.
        """
        names = [n for n in ("lr", "eps", "weight_decay", "bound") if getattr(rule, n) > 0]
        x = np.log([*(getattr(rule, n) for n in names), *(1 - b for b in rule.betas)])

        def built(x: NDArray) -> Rule:
            numbers = {n: float(np.exp(y)) for n, y in zip(names, x, strict=False)}
            a, c = (max(0.0, float(1 - np.exp(y))) for y in x[-2:])
            return with_numbers(rule, (a, c), numbers)

        weight = 1 / (np.abs(self.steps) + 1e3 * self.unit * np.abs(self.path[1:]) + 1e-300)
        for last in rows:
            grads = self.probe.grads[:last]

            def steps(x: NDArray, grads: NDArray = grads) -> NDArray:
                fit = built(x)
                return np.diff(follow(fit, self.probe.start, grads, self.index), axis=0)

            here = steps(x)
            moved = [steps(x + 1e-6 * row) for row in np.eye(len(x))]
            off = (self.steps[:last] - here) * weight[:last]
            fine = np.isfinite(off) & np.isfinite(moved).all(axis=0) & (np.abs(off) < 0.3)
            slope = np.array([((m - here) * weight[:last])[fine] / 1e-6 for m in moved]).T
            if len(slope) < len(x):
                break
            move = np.linalg.lstsq(slope, off[fine], rcond=1e-10)[0]
            x = x + np.clip(move, -0.5, 0.5)
            if last == STEPS and np.abs(move).max() < 1e-11:
                break
        return built(x)


def off_by(
    rule: Rule, path: NDArray, grads: NDArray, index: NDArray, unit: float, state_unit: float = 0.0
) -> tuple[NDArray, NDArray, NDArray]:
    """By how much each step of a rule is off a path, by how much it may be, and how long it is.

    It may be off by 1e-9 of the step and by the rounding of the parameter, to ``unit``; with
    ``state_unit`` also by what is lost in averages and corrections that are rounded to this.
    ``grads`` are those that reach the averages.
    """
    rule = replace(rule, input="given")
    count, steps = int(index.max()) + 1, len(grads)
    run = Run(rule, path[0], index, count, steps, bool(state_unit))
    way, doubt = [path[0]], []
    for there, grad in zip(path, grads, strict=False):
        run.theta = there  # each step from where the path stands: what is lost does not add up
        way.append(run.step(grad))
        doubt.append(run.doubt() if state_unit else 0.0 * grad)
    wanted = np.array(way)[1:] - path[:-1]
    size = np.maximum(np.abs(path), np.abs(way))
    size = np.maximum(size[1:], size[:-1])
    # a share that is taken off the parameter may cancel a step
    length = np.abs(wanted) + rule.share * size
    rtol = RTOL if state_unit < 1e-9 else RTOL32  # to which its numbers can be read
    allowed = 8 * unit * size + rtol * length + state_unit * np.array(doubt)
    off = np.where(_same(path, np.array(way)), 0.0, np.abs(np.diff(path, axis=0) - wanted))
    return (
        np.where(np.isfinite(off), off, np.inf),
        np.where(np.isfinite(allowed), allowed, 0.0),
        length,
    )


def rounding(path: NDArray) -> float:
    """Half the distance of numbers next to 1 in the format that the parameters are in."""
    with np.errstate(all="ignore"):
        single = np.array_equal(path[1:], np.float32(path[1:]), equal_nan=True)
    return float(np.finfo(np.float32 if single else np.float64).eps) / 2


def usual(rule: Rule) -> Rule:
    """A rule with the corrections of Algorithm 1."""
    return replace(rule, corrects_m=Correction("β₁"), corrects_v=Correction("β₂"))


def stores(rule: Rule) -> bool:
    """Whether corrections do more than change the length of a step: they are taken as usual."""
    return "corrected" in (rule.m_starts, rule.v_starts) or rule.placement == "none"


LIKELY: list[tuple[Correction | None, Correction | None]] = [
    (Correction("β₁"), Correction("β₂")),
    (Correction("β₁"), None),
    (None, None),
    *((Correction("β₁", c), Correction("β₂", c)) for c in ("per parameter", "per layer")),
]


def solve(function: Callable[[NDArray], NDArray], seen: NDArray, x: NDArray) -> NDArray | None:
    """Find two betas for which a function gives what was seen, by Gauss and Newton's steps."""
    for _ in range(12):
        here = function(x)
        off = seen - here
        if not np.isfinite(off).all():
            return None
        if np.abs(off).max() < 1e-9:
            return x
        h = 1e-6 * (1 - x)
        slope = np.array([(function(x + row) - here) / row.sum() for row in np.diag(h)]).T
        if not np.isfinite(slope).all():
            return None
        move = np.linalg.lstsq(slope, off, rcond=1e-12)[0]
        before, x = x, np.clip(x + move, 0.0, 1 - 0.05 * (1 - x))
        if np.abs(x - before).max() < 1e-13:
            break
    return x if np.abs(seen - function(x)).max() < ROUGH else None


def shortest(number: float, rtol: float) -> float:
    """Return the decimal of fewest digits within a relative distance."""
    for digits in range(1, 12):
        short = float(f"{number:.{digits - 1}e}")
        if abs(short - number) <= rtol * abs(number):
            return short
    return number


def shortened(rule: Rule, rtol: float) -> Rule:
    """A rule with the shortest numbers within a relative distance; of a beta, of 1 − β."""
    a, c = (float(f"{1 - shortest(1 - b, rtol):.12g}") if b else 0.0 for b in rule.betas)
    names = ("lr", "eps", "weight_decay", "bound")
    return with_numbers(rule, (a, c), {n: shortest(getattr(rule, n), rtol) for n in names})


def with_numbers(rule: Rule, betas: tuple[float, float], numbers: Mapping[str, float]) -> Rule:
    """A rule with other betas, and some of lr, eps, weight_decay and bound."""
    return replace(
        rule,
        betas=betas,
        lr=numbers.get("lr", rule.lr),
        eps=numbers.get("eps", rule.eps),
        weight_decay=numbers.get("weight_decay", rule.weight_decay),
        bound=numbers.get("bound", rule.bound),
    )


_FORMS: list[dict[str, object]] = [
    dict(placement="none"),
    dict(power=1.0),
    dict(v_of="g"),
    dict(v_of="|g|"),
    dict(v_of="m²"),
    dict(v_of="m"),
    dict(m_starts="gradient", v_starts="gradient"),
    dict(m_starts="gradient"),
    dict(v_starts="gradient"),
    dict(m_starts="corrected", v_starts="corrected"),
    dict(m_starts="corrected"),
    dict(v_starts="corrected"),
    dict(shared=True),
    dict(shared=True, absolute=True),
    dict(v_of="g", absolute=True),
    dict(v_of="g", power=1.0),
    dict(twice=True),
    dict(power=0.25),
    dict(power=2.0),
    dict(input="late"),
]
_FORMS += [
    dict(input=kind, bound=bound)
    for kind in ("clipped by value", "clipped by norm", "clipped by norm of all")
    for bound in (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 100.0)
]
TRIALS = [Rule(1.0, (0.0, 0.0), **form) for form in ({}, *_FORMS)]  # type: ignore[arg-type]
