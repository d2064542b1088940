"""Read off a path which rule takes it: each number from its own columns, then a check of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fitting import PRECISIONS, Fit, fitted, off_by, polished, rated, rounding
from .probes import QUIET, SIZES, STEPS, Probe
from .rules import AMSGrad, Correction, Decay, Placement, Rule, Run, follow, follow_all, inputs
from .schedules import named

ROUGH = 1e-3  # how closely a number must be read before it is polished
SAME = 1e-5  # how close corrections are that are the same
USUAL_BETAS = ((0.9, 0.999), (0.5, 0.9))

# Columns whose gradients are steady, but for one, and the steps in which v has only grown:
# there AMSGrad's maximum is v itself.
BLOCK = {"steady": 6, "flip 2": 6, "flip 3": 6, "flip 4": 6, "spike 2": 2, "spike 3": 3}
BLOCK |= {"spike 4": 4, "spike 1": 1}
STEADY = ("steady", "second 0", "third 0", "third 3")  # in the parameters of each cut
CLOCKS = ("right", "from 1", "from 2", "from 9", "from 99", "per parameter", "per layer", "index")
AMSGRADS: tuple[AMSGrad, ...] = ("none", "max of v", "max of v̂", "last two", "stored")
FREE: tuple[Decay, ...] = ("before, not times lr", "after, not times lr")
CORRECTED: tuple[Decay, ...] = ("times corrected lr",)
COUPLED: tuple[Decay, ...] = ("L2", "in m only", "in the quotient")
WEIGHT_DECAYS = 10.0 ** np.arange(-6, 0.6, 0.5)


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
        found = Reader(path, probe, trial, betas).fitting()
        if found:
            return closest(found)
    hints = clipped_somehow(path, probe)
    for trial in [replace(t, **hint) for hint in hints for t in TRIALS if t.input == "given"]:
        found = Reader(path, probe, trial, betas).fitting()
        if found:
            return closest(found)
    return []


def closest(fits: Sequence[Fit]) -> list[Fit]:
    """Those that fit most closely."""
    best = min(fits, key=lambda fit: [*PRECISIONS].index(fit.precision)).precision
    return [fit for fit in fits if fit.precision == best]


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
        """The rules that fit, with AMSGrad's maximum where none fits without."""
        with np.errstate(all="ignore"):
            placed = [*self.rules()]
            for kinds in (AMSGRADS[:1], AMSGRADS[1:]):
                rules = [
                    rule
                    for kind in kinds
                    for p in placed
                    for rule in self.with_decay(replace(p, amsgrad=kind))
                ]
                if found := self.best(rules):
                    return found
        return []

    def best(self, rules: Sequence[Rule]) -> list[Fit]:
        """Those of the likely rules that fit when their numbers are polished."""
        rough = sorted((round(self.rough(r), 9), i, r) for i, r in enumerate(rules))
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
                    yield from self.with_bound(placed)

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
        block = {**BLOCK, "early": 6} if self.trial.input == "clipped by value" else BLOCK
        columns, rows = self.probe.at(*block), max(block.values())
        t = np.arange(1, rows + 1)[:, None]
        u, grads = self.u[:rows, columns], self.grads[:rows, columns]
        mask = (t <= np.array(list(block.values()))) & (t > self.first)
        mask[:, 0] = False
        mask &= (np.abs(u[:, :1]) > 1e-200) & np.isfinite(u[:, :1])
        nothing = np.isnan(u)  # the root of something negative: so it must be for the rule
        seen = (u / u[:, :1])[mask & ~nothing]
        if len(seen) < 4 or not np.isfinite(seen).all():
            return None
        blank = replace(usual(self.trial) if stores(self.trial) else self.trial, input="given")

        def ratios(betas: NDArray) -> NDArray:
            """Those of several pairs of betas at once, beside each other: one row for each."""
            rules = [replace(blank, betas=(a, c)) for a, c in betas]
            start, index = np.zeros(len(columns)), np.zeros(len(columns), int)
            way = np.diff(follow_all(rules, start, grads, index), axis=1)
            found = (way / way[:, :, :1])[:, mask & ~nothing]
            found[(np.isnan(way) & ~nothing)[:, mask].any(axis=1)] = np.nan
            return found

        found = solve(ratios, seen, np.array([*dict.fromkeys(self._starts())]))
        if found is None:
            return None
        a, c = (0.0 if b < 1e-9 else float(b) for b in found)
        return replace(self.trial, betas=(a, c))

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
        way = self._steps(bare, np.zeros(4), self.grads[:rows, columns], index)
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
        of_m = [(c, value) for c, value in options if c is None or c.power == 1]
        m, v = (np.array([value for _, value in some]) for some in (of_m, options))
        # of all pairs: by the correction of m, by that of v, by step, by parameter
        rates = scale * m[:, None] / v[None] ** rule.power
        spread = np.abs(rates / rates[:, :, -1:, :1] - 1).max(axis=(2, 3))
        near = max(10 * float(np.nanmin(spread)), 1e-7)
        oddities = [oddity(c, "β₁") for c, _ in of_m], [oddity(c, "β₂") for c, _ in options]
        close = np.argwhere(spread < min(near, ROUGH))  # of those that rounding parts, the plainest
        for i, j in sorted(close, key=lambda x: oddities[0][x[0]] + oddities[1][x[1]]):
            fit = replace(rule, sign=sign, corrects_m=of_m[i][0], corrects_v=options[j][0])
            yield replace(fit, lr=float(np.median(rates[i, j])))
        if not (spread < ROUGH).any():
            across = (np.ptp(rates, axis=3) / rates.max(axis=3)).max(axis=2)
            yield from self._scheduled(
                [
                    replace(rule, sign=sign, corrects_m=of_m[i][0], corrects_v=options[j][0])
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
        powers = dict.fromkeys((1.0, 0.5 / rule.power, 1 / rule.power))  # of v's root, or of v
        for power, clock, base in product(powers, CLOCKS, bases):
            correction = Correction(base, clock, power)
            value = correction.at(t, rule.betas, index[None], self.count)
            if not np.isfinite(value).all() or (value <= 0).any():
                continue
            shape = value / value[-1, 0]
            if np.abs(shape / np.array(shapes) - 1).max(axis=(1, 2)).min() > SAME:
                options.append((correction, value))
                shapes.append(shape)
        return options

    def _scheduled(self, rules: Sequence[Rule]) -> Iterator[Rule]:
        """A rate for every step, where the lengths of the steady steps follow no correction.

        Any corrections will do for this: those are likely with which the rates are a schedule.
        """
        column = self.probe.at("steady")
        found: list[tuple[bool, Rule]] = []
        for rule in rules:
            bare = replace(rule, lr=1.0, eps=0.0, sign=1.0, input="given")
            way = self._steps(bare, np.zeros(1), self.grads[:, column], self.index[column])
            rates = (self.u[:, column] / way)[self.first - 1 :, 0] * rule.sign
            if np.isfinite(rates).all() and (rates > 0).all():
                lr = float(rates.max())
                rates = np.concatenate([rates[: self.first - 1], rates]) / lr
                known = bool(named(rates.tolist()))
                if known or (rule.corrects_m, rule.corrects_v) in LIKELY:
                    found.append((known, replace(rule, lr=lr, rates=tuple(map(float, rates)))))
        best = [rule for known, rule in found if known] or [rule for _, rule in found]
        yield from best[:4]

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
        even = (self.u[:rows, pairs[2]] - self.u[:rows, pairs[3]]) / 2
        of_m = (m[:, list(columns).index(pairs[2])] * tiny / 2 / even)[self.first :]
        if abs(odd) > 1e-9 and np.ptp(of_m) < 0.01 * abs(of_m[-1]):  # (m̂ + ε) stands for m̂
            rule = replace(rule, eps_in_m=True, eps=float(np.median(of_m)))
            share = share * m / (m + rule.eps)
        free = np.ones(len(columns), bool)
        if rule.input == "clipped by value":  # by a bound that is not known yet
            free = np.abs(self.grads[0, columns]) < rule.bound
        for most in (0.98, 1 - 1e-6):  # eps shows best where it holds the step back
            seen = (share > 0.02) & (share < most) & free
            if seen.any():
                break
        else:
            if rule.eps_in_m:
                return [replace(rule, placement="missing")]
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
        if rule.eps_in_m:
            return [r for _, r in found]
        both = [
            replace(r, placement="inside and outside") for _, r in found if r.placement == "inside"
        ]
        return [r for _, r in found] + both

    # The bound of a clipped gradient: of all, the one with which most steps are as they are.

    def with_bound(self, rule: Rule) -> list[Rule]:
        """The rule with the bounds that fit best."""
        if not rule.input.startswith("clipped"):
            return [rule]
        logs = np.arange(-6.0, 5.0)
        if rule.input != "clipped by value" and rule.eps:  # eps is read in units of it
            logs = np.append(logs, np.log10(rule.bound * 1e-8 / rule.eps))
        offs = np.array([self._off_with_bound(rule, x) for x in logs])
        if not offs.min() < 0.2:
            return []
        near = logs[np.argsort(offs, kind="stable")[:2]]
        logs = np.unique(np.concatenate([x + np.arange(-0.4, 0.5, 0.2) for x in near]).round(6))
        best = sorted(logs, key=lambda x: self._off_with_bound(rule, x))[:2]
        return [with_bound(rule, float(10**x)) for x in best]

    def _off_with_bound(self, rule: Rule, log: float) -> float:
        """How far steps are off with a bound, on average, at most 1."""
        names = [n for n in self.probe.names if "at" not in n and n not in BLOCK]
        columns = self.probe.at(*names)
        taken, trial = self.u[:, columns], with_bound(rule, float(10**log))
        grads = inputs(trial, self.probe.grads, self.index)[:, columns]
        bare = replace(trial, input="given")
        off = self._steps(bare, np.zeros(len(columns)), grads, self.index[columns]) - taken
        return float(np.nanmean(np.minimum(np.abs(off / taken), 1.0)))

    # weight decay: what moves a parameter whose gradient is zero.

    def with_decay(self, rule: Rule) -> list[Rule]:
        """Where weight decay enters, and its size, likeliest first."""
        if self.share.any():
            return self._decoupled(rule)
        zero = self.probe.at("zero at 100", "zero at -3")
        base = np.nan_to_num(self.steps[:, self.probe.at("zero")])
        extra = self.steps[:, zero] - base
        moved = (np.abs(extra) > 4 * self.unit * np.abs(self.path[1:, zero])) & np.isfinite(extra)
        if not moved.any():
            return [rule]
        where = np.argwhere(moved)[0]
        grows = np.sign(extra[*where] * self.path[where[0], zero[where[1]]]) * rule.sign < 0
        at = self.probe.at(*(n for n in self.probe.names if " at " in n))
        steps, index = self.steps[:8, at], self.index[at]
        grads = self.grads[:8, at]
        found = []
        for kind in COUPLED:
            bare = replace(rule, decay=kind, input="given")
            trials = [replace(bare, weight_decay=float(-w if grows else w)) for w in WEIGHT_DECAYS]
            way = follow_all(trials, self.probe.start[at], grads, index, self.count)
            off = np.abs(np.diff(way, axis=1) - steps) / (np.abs(steps) + 1e-300)
            offs = np.nanmean(np.minimum(off, 2.0), axis=(1, 2))
            best = int(np.argmin(offs))
            near = self.polished(replace(trials[best], input=rule.input), (8, 8, 8))
            found.append((float(offs[best]), near))
        return [r for _, r in sorted(found, key=lambda f: f[0])]

    def _decoupled(self, rule: Rule) -> list[Rule]:
        """The same where it takes a share of the parameter, whatever the gradient."""
        rates = np.array(rule.rates or 1.0)
        whole = self.share / (rule.lr * rates)
        kinds: list[Rule] = []
        if np.abs(self.share / self.share[-1] - 1).max() < ROUGH or rule.rates:
            steady = np.median(self.share)
            before = replace(rule, decay="before", weight_decay=float(np.median(whole)))
            lr = rule.lr / (1 - steady)  # which decay after the step makes shorter
            kinds = [before, replace(rule, decay="after", lr=lr, weight_decay=steady / lr)]
            if rule.rates and np.abs(self.share / steady - 1).max() < ROUGH:
                free = float(steady)  # of the rate, which changes
                kinds += [replace(rule, decay=k, weight_decay=free) for k in FREE]
        else:
            kinds = [replace(rule, decay=k, weight_decay=float(whole[-1])) for k in CORRECTED]
        return kinds

    def _steps(self, rule: Rule, start: NDArray, grads: NDArray, index: NDArray) -> NDArray:
        """The steps that a rule takes on some of the numbers."""
        return np.diff(follow(rule, start, grads, index, self.count), axis=0)

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
        if rule.rates:
            reach = inputs(rule, self.probe.grads, self.index)
            for _ in range(2):  # once more, now that eps is known
                rule = rated(self.polished(rule), self.path, reach, self.index)
        else:
            rule = self.polished(rule)
        return fitted(rule, self.path, self.probe.grads, self.index, self.unit)

    def polished(self, rule: Rule, rows: Sequence[int] = (8, STEPS, STEPS, STEPS, STEPS)) -> Rule:
        """The rule with the numbers with which its first steps, so many, are nearest."""
        return polished(rule, self.path, self.probe.grads, self.index, self.unit, rows)


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


def solve(function: Callable[[NDArray], NDArray], seen: NDArray, starts: NDArray) -> NDArray | None:
    """Find two betas for which a function gives what was seen, by Gauss and Newton's steps.

    From all starts at once, shape (starts, 2); the function takes rows of betas, and gives NaN
    where there is nothing.
    """
    x = starts
    for _ in range(12):
        h = 1e-6 * (1 - x)
        shifts = np.stack([0 * h, h * [1, 0], h * [0, 1]])
        values = function((x + shifts).reshape(-1, 2)).reshape(3, len(x), -1)
        here, slope = values[0], (values[1:] - values[0]) / h.T[:, :, None]
        good = np.isfinite(values).all(axis=(0, 2))
        if not good.any():
            return None
        x, off, slope = x[good], seen - here[good], slope[:, good].transpose(1, 2, 0)
        worst = np.abs(off).max(axis=1)
        if worst.min() < 1e-9:
            return x[np.argmin(worst)]
        move = np.linalg.pinv(slope, rcond=1e-12) @ off[:, :, None]
        before, x = x, np.clip(x + move[:, :, 0], 0.0, 1 - 0.05 * (1 - x))
        if np.abs(x - before).max() < 1e-13:
            break
    worst = np.abs(seen - function(x)).max(axis=1)
    best = int(np.argmin(np.where(np.isfinite(worst), worst, np.inf)))
    return x[best] if worst[best] < ROUGH else None


def with_bound(rule: Rule, bound: float) -> Rule:
    """A rule with another bound, and the eps that this comes to where all gradients are clipped."""
    if rule.input == "clipped by value":
        return replace(rule, bound=bound)
    power = 1 / rule.power if rule.placement.startswith("inside") else 1.0
    if rule.v_of in ("g", "|g|", "m"):
        power /= 2
    return replace(rule, bound=bound, eps=rule.eps * (bound / rule.bound) ** power)


def oddity(correction: Correction | None, base: str) -> int:
    """In how many ways a correction is not the usual one, by 1 − baseᵗ, and is not left out."""
    if correction is None:
        return 0
    return (correction.base != base) + (correction.clock != "right") + (correction.power != 1)


def clipped_somehow(path: NDArray, probe: Probe) -> list[dict[str, Any]]:
    """Say whether the steps show that gradients are clipped, and how, whatever the averages.

    By value: what is ten times as large takes the same step. By norm: seen beside a steady
    gradient, one whose sign flips once tells how large each gradient was beside those before.
    """
    u = np.diff(path[:7], axis=0)
    steady, spike, *flips = (u[:, j] for j in probe.at("steady", "spike 2", "flip 2", "flip 3"))
    with np.errstate(all="ignore"):
        found: list[dict[str, Any]] = []
        if abs(spike[1] / steady[1] - 1) < ROUGH:
            found.append(dict(input="clipped by value", bound=0.01))
        second, third = (1 - flip / steady for flip in flips)
        beta = float(second[4] / third[4])
        sums = 2 * beta ** np.arange(-1, 5) / second  # of the gradients as averaged, but for one
        sizes = sums[1:] - beta * sums[:-1]
        if np.isfinite(sizes[1:]).all() and abs(sizes[3] / sizes[2] - 1) > 0.01:
            found += [dict(input=f"clipped by norm{of}", bound=1.0) for of in ("", " of all")]
    return found


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
TRIALS = [Rule(1.0, (0.0, 0.0), **form) for form in ({}, *_FORMS)]  # type: ignore[arg-type]
