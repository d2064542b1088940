"""How well a rule fits a path: by how much each step is off, and by how much it may be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .rules import Rule, Run, follow_all, inputs

RTOL, RTOL32 = 1e-9, 1e-6  # of a step, in float64 and in float32
PRECISIONS = {"float64": 2.0**-53, "float32": 2.0**-24}
NUMBERS = ("lr", "eps", "weight_decay", "bound")


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
            return (off <= self.allowed[: len(off)]) | same(path, other)


def same(path: NDArray, other: NDArray) -> NDArray:
    """Say where two paths lead to the same numbers, NaN included."""
    return (path[1:] == other[1:]) | (np.isnan(path[1:]) & np.isnan(other[1:]))


@np.errstate(all="ignore")
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
    length = np.abs(wanted) + abs(rule.share) * size
    rtol = RTOL if state_unit < 1e-9 else RTOL32  # to which its numbers can be read
    allowed = 8 * unit * size + rtol * length + state_unit * np.array(doubt)
    off = np.where(same(path, np.array(way)), 0.0, np.abs(np.diff(path, axis=0) - wanted))
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


def rated(rule: Rule, path: NDArray, grads: NDArray, index: NDArray) -> Rule:
    """A rule with a rate for every step, with which the path's steps are nearest to its own.

    ``grads`` are those that reach the averages. The largest rate is lr.
    """
    once = replace(rule, rates=(), input="given")
    run = Run(once, path[0], index, int(index.max()) + 1, len(grads))
    rates = []
    for there, after, grad in zip(path, path[1:], grads, strict=False):
        run.theta = there
        wanted, got = run.step(grad) - there, after - there
        # those that are least rounded: the longest beside their parameter
        clear = np.abs(wanted) / (np.abs(there) + np.abs(after) + 1e-300)
        clear = np.where(np.isfinite(got / wanted), clear, 0.0)
        best = clear >= np.quantile(clear, 0.8)
        rates.append(float(np.median((got / wanted)[best])))
    top = max(rates)
    if not (np.isfinite(rates).all() and top > 0):
        return rule
    return replace(rule, lr=rule.lr * top, rates=tuple(r / top for r in rates))


def polished(
    rule: Rule, path: NDArray, grads: NDArray, index: NDArray, unit: float, rows: Sequence[int]
) -> Rule:
    """The numbers of a rule with which its steps are nearest to the path's.

    ``rows`` says how many steps are looked at each time: a rough number is far off late.
    """
    names = [n for n in NUMBERS if getattr(rule, n)]
    signs = {n: np.sign(getattr(rule, n)) for n in names}
    x = np.log([*(abs(getattr(rule, n)) for n in names), *(1 - b for b in rule.betas)])
    taken = np.diff(path, axis=0)
    weight = 1 / (np.abs(taken) + 1e3 * unit * np.abs(path[1:]) + 1e-300)

    def built(x: NDArray) -> Rule:
        numbers = {n: float(signs[n] * np.exp(y)) for n, y in zip(names, x, strict=False)}
        a, c = (max(0.0, float(1 - np.exp(y))) for y in x[-2:])
        return with_numbers(rule, (a, c), numbers)

    for last in rows:
        tries = [built(y) for y in (x, *(x + 1e-6 * np.eye(len(x))))]
        here, *moved = np.diff(follow_all(tries, path[0], grads[:last], index), axis=1)
        off = (taken[:last] - here) * weight[:last]
        fine = np.isfinite(off) & np.isfinite(moved).all(axis=0) & (np.abs(off) < 0.3)
        slope = np.array([((m - here) * weight[:last])[fine] / 1e-6 for m in moved]).T
        if len(slope) < len(x):
            break
        move = np.linalg.lstsq(slope, off[fine], rcond=1e-10)[0]
        x = x + np.clip(move, -0.5, 0.5)
        if last == max(rows) and np.abs(move).max() < 1e-11:
            break
    return built(x)


def fitted(rule: Rule, path: NDArray, grads: NDArray, index: NDArray, unit: float) -> Fit | None:
    """Say how closely a rule fits, with numbers as short as they may be; None where it does not."""
    for precision, state_unit in PRECISIONS.items():
        for fit in shorter(rule, unit):
            reach = inputs(fit, grads, index)
            off, allowed, _ = off_by(fit, path, reach, index, unit, state_unit)
            if (off <= allowed).all():
                return Fit(fit, precision, allowed, unit)
    return None


def shorter(rule: Rule, unit: float) -> Iterator[Rule]:
    """The rule with shorter numbers, the shortest first, and as it is."""
    rtols = (1e-3, 1e-4, 1e-5, 1e-6, 1e-9) if unit > 1e-9 else (1e-6, 1e-9)
    yield from dict.fromkeys([*(shortened(rule, rtol) for rtol in rtols), rule])


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
    return with_numbers(rule, (a, c), {n: shortest(getattr(rule, n), rtol) for n in NUMBERS})


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
