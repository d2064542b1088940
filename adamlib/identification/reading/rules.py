"""The rule of Adam with every choice in the open, and the way that it takes over a probe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Placement = Literal[
    "outside",  # m̂ / (√v̂ + ε)
    "hat",  # m̂ / ((√v + ε̂) / √(1−β₂ᵗ))
    "inside",  # m̂ / √(v̂ + ε)
    "inside-uncorrected",  # m̂ / (√(v + ε) / √(1−β₂ᵗ))
    "inside and outside",  # m̂ / (√(v̂ + ε) + ε)
    "added",  # m̂ / √v̂ + ε
    "accumulated",  # v ← … + ε
    "missing",  # m̂ / √v̂
    "none",  # 1.27·atan2(m̂, √v̂)
]
Decay = Literal[
    "none",
    "L2",
    "before",
    "after",
    "before, not times lr",
    "after, not times lr",
    "in the quotient",
    "times corrected lr",
    "in m only",
]
AMSGrad = Literal["none", "max of v", "max of v̂", "last two", "stored"]
Start = Literal["zero", "gradient", "corrected"]
Source = Literal["g²", "g", "|g|", "m²", "m", "(g−m)²"]
Input = Literal["given", "clipped by value", "clipped by norm", "clipped by norm of all", "late"]


@dataclass(frozen=True)
class Correction:
    """(1 − base ** clock) ** power: what a moment is divided by.

    ``base`` is "β₁", "β₂", "1−β₁" or "1−β₂" of the rule, or a number. ``clock`` is what it takes
    for t: "right", "from k" (t + k), "frozen k", "per parameter" ((t−1)·n + i), "per layer" (of two
    parameters), "index" (i, the number of the parameter from 1). ``power`` is 1 but where somebody
    took no root of v's, or one root too many.
    """

    base: str | float
    clock: str = "right"
    power: float = 1.0

    @property
    def frozen(self) -> float:
        """The number that t stays at; 0 where it does not."""
        return float(self.clock[7:]) if self.clock.startswith("frozen") else 0.0

    def number(self, betas: tuple[float, float]) -> float:
        """Return the base of a rule with these betas."""
        if isinstance(self.base, str):
            beta = betas["₁₂".index(self.base[-1])]
            return 1 - beta if self.base.startswith("1") else beta
        return self.base

    def at(
        self, t: NDArray | int, betas: tuple[float, float], index: NDArray, count: int
    ) -> NDArray:
        """Return its value; ``index`` numbers the parameters from 0."""
        kind, _, number = self.clock.partition(" ")
        times: NDArray = t + 0.0 * index
        if kind == "from":
            times = times + float(number)
        elif kind == "frozen":
            times = 0.0 * times + float(number)
        elif self.clock == "per parameter":
            times = (times - 1) * count + index + 1
        elif self.clock == "per layer":
            times = (times - 1) * ((count + 1) // 2) + index // 2 + 1
        elif kind == "index":
            times = 0.0 * times + index + 1
        return (1 - self.number(betas) ** times) ** self.power


@dataclass(frozen=True)
class Rule:
    """What an optimizer does: Algorithm 1, or any other choice at each place.

    ``betas`` are the weights that the averages keep of what they were: m ← β₁·m + (1−β₁)·g.
    ``rates`` multiply lr, one a step, where they follow no correction.
    """

    lr: float
    betas: tuple[float, float]
    eps: float = 0.0
    weight_decay: float = 0.0
    corrects_m: Correction | None = None
    corrects_v: Correction | None = None
    placement: Placement = "outside"
    decay: Decay = "none"
    amsgrad: AMSGrad = "none"
    input: Input = "given"
    bound: float = 0.0
    m_starts: Start = "zero"
    v_starts: Start = "zero"
    v_of: Source = "g²"
    shared: bool = False
    absolute: bool = False
    power: float = 0.5
    sign: float = -1.0
    twice: bool = False
    eps_in_m: bool = False  # (m̂ + ε) stands for m̂
    rates: tuple[float, ...] = ()

    @property
    def starts(self) -> tuple[Start, Start]:
        """What m and v start at."""
        return self.m_starts, self.v_starts

    @property
    def share(self) -> float:
        """What decoupled decay takes of a parameter in a step, beside what the gradient does."""
        if self.decay in ("none", "L2", "in m only", "in the quotient"):
            return 0.0
        return self.weight_decay * (1.0 if "not times lr" in self.decay else self.lr)


class Run:
    """A rule at work on numbers that lie in some parameters."""

    def __init__(
        self,
        rule: Rule,
        start: NDArray,
        index: NDArray,
        count: int,
        steps: int = 100,
        doubtful: bool = False,
    ) -> None:
        self.rule, self.theta, self.doubtful = rule, start, doubtful
        t = np.arange(1, steps * (1 + rule.twice) + 1)[:, None]
        self.c1, self.c2 = (
            np.ones((len(t), 1)) if x is None else x.at(t, rule.betas, index, count)
            for x in (rule.corrects_m, rule.corrects_v)
        )
        self.m, self.v, self.top, self.last = np.zeros((4, *start.shape))
        self.m_error, self.v_error = np.zeros((2, *start.shape))  # in units of the roundoff
        self.largest = np.abs(start)  # of θ so far
        self.t = 0

    def step(self, grad: NDArray) -> NDArray:
        """Take a step; ``m_hat`` and ``v_hat`` are then what it divided, eps apart."""
        for _ in range(2 if self.rule.twice else 1):
            self.t += 1
            self._step(grad)
        return self.theta

    def _step(self, grad: NDArray) -> None:
        rule = self.rule
        lr, decay = rule.lr, rule.weight_decay
        if rule.rates:
            lr = lr * rule.rates[min(self.t, len(rule.rates)) - 1]
        c1, c2 = self.c1[self.t - 1], self.c2[self.t - 1]

        theta = self.theta
        if rule.decay == "before":
            theta = theta * (1 - lr * decay)
        elif rule.decay == "before, not times lr":
            theta = theta * (1 - decay)
        decayed = grad + decay * theta if rule.decay in ("L2", "in m only") else grad
        self._average(decayed, decayed if rule.decay == "L2" else grad, c1, c2)
        v = self._amsgrad(c2)
        if rule.absolute:
            v = np.abs(v)
        self.m_hat = self.m if rule.m_starts == "corrected" else self.m / c1
        self.v_hat = v if rule.v_starts == "corrected" else v / c2
        self.kept_v = v
        self.q = q = self._quotient(self.m_hat, v, c2)
        if rule.decay == "times corrected lr":
            q = q + decay * theta * c2**0.5 / c1
        theta = theta + rule.sign * lr * q
        if rule.decay == "after":
            theta = theta * (1 - lr * decay)
        elif rule.decay == "after, not times lr":
            theta = theta * (1 - decay)
        self.theta = theta

    def _average(self, for_m: NDArray, for_v: NDArray, c1: Any, c2: Any) -> None:
        rule = self.rule
        beta1, beta2 = rule.betas
        if self.t == 1 and rule.m_starts == "gradient":
            self.m = for_m
        else:
            self.m = beta1 * self.m + (1 - beta1) * for_m
        value = for_v if rule.v_of == "g" else self.m
        if rule.v_of == "g²":
            value = for_v * for_v
        elif rule.v_of == "|g|":
            value = np.abs(for_v)
        elif rule.v_of == "m²":
            value = self.m * self.m
        elif rule.v_of == "(g−m)²":
            value = (for_v - self.m) ** 2
        if self.doubtful:
            grown = np.abs(self.m) + (1 - beta1) * np.abs(for_m)
            if rule.decay in ("L2", "in m only"):  # θ is rounded at its largest
                self.largest = np.maximum(self.largest, np.abs(self.theta))
                grown = grown + abs(rule.weight_decay) * self.largest
            self.m_error = beta1 * self.m_error + grown
        kept = self.m if rule.shared else self.v
        if self.t == 1 and rule.v_starts == "gradient":
            self.v = value
        else:
            self.v = beta2 * kept + (1 - beta2) * value
        if rule.placement == "accumulated":
            self.v = self.v + rule.eps
        if rule.amsgrad == "stored":
            self.v = np.maximum(self.v, kept)
        if self.doubtful:
            grown = 2 * np.abs(self.v) + (1 - beta2) * (np.abs(value) + self._error_of(for_v))
            self.v_error = beta2 * self.v_error + grown
        if rule.shared:
            self.m = self.v
        if rule.m_starts == "corrected":
            self.m = self.m / c1
        if rule.v_starts == "corrected":
            self.v = self.v / c2

    def _error_of(self, grad: NDArray) -> NDArray:
        """By how many roundoffs what v averages is off as m is."""
        kind = self.rule.v_of
        if kind == "m":
            return self.m_error
        if kind == "m²":
            return 2 * np.abs(self.m) * self.m_error
        if kind == "(g−m)²":
            return 2 * np.abs(grad - self.m) * (self.m_error + np.abs(grad) + np.abs(self.m))
        return np.zeros_like(grad)

    def _amsgrad(self, c2: Any) -> NDArray:
        kind = self.rule.amsgrad
        if kind == "max of v":
            self.top = np.maximum(self.top, self.v)
            return self.top
        if kind == "max of v̂":
            self.top = np.maximum(self.top, self.v / c2)
            return self.top * c2
        if kind == "last two":
            self.last, last = self.v, self.last
            return np.maximum(last, self.v)
        return self.v

    def _quotient(self, m: NDArray, v: NDArray, c2: Any) -> NDArray:
        rule = self.rule
        if rule.v_starts == "corrected":
            c2 = 1.0
        if rule.decay == "in the quotient":
            m = m + rule.weight_decay * self.theta
        if rule.eps_in_m:
            m = m + rule.eps
        if rule.placement == "none":
            return 1.27 * np.arctan2(m, (v / c2) ** rule.power)
        self.below = self._denominator(v, c2)
        return m / self.below + (rule.eps if rule.placement == "added" else 0.0)

    def _denominator(self, v: NDArray, c2: Any) -> NDArray:
        placement, eps, power = self.rule.placement, self.rule.eps, self.rule.power
        if placement == "hat":
            return (v**power + eps) / c2**power
        if placement == "inside-uncorrected":
            return (v + eps) ** power / c2**power
        v = v / c2
        if placement == "inside":
            return (v + eps) ** power
        if placement == "inside and outside":
            return (v + eps) ** power + eps
        if placement in ("missing", "accumulated", "added"):
            return v**power
        return v**power + eps

    def doubt(self) -> NDArray:
        """By how many roundoffs of its state the last step may be off."""
        rule = self.rule
        beta1, beta2 = rule.betas
        c1, c2 = self.c1[self.t - 1], self.c2[self.t - 1]
        if rule.placement == "none":  # the angle changes at most by 1/√v̂ for each m̂
            self.below = (self.kept_v / c2) ** rule.power
        of_m = self.m_error / c1 / np.abs(self.below)
        of_v = np.where(self.v_error > 0, self.v_error / np.abs(self.v), 0.0)
        rest = rule.power * of_v + 1 / (1 - beta1) + rule.power / (1 - beta2) + 8
        return np.nan_to_num(np.abs(rule.lr) * (of_m + np.abs(self.q) * rest), posinf=0.0)


def inputs(rule: Rule, grads: NDArray, index: NDArray) -> NDArray:
    """What reaches the averages of the gradients of every step, (steps, numbers)."""
    if rule.input == "clipped by value":
        return np.clip(grads, -rule.bound, rule.bound)
    if rule.input == "late":
        return np.concatenate([0 * grads[:1], grads[:-1]])
    if rule.input == "given":
        return grads.copy()
    if rule.input == "clipped by norm of all":
        index = 0 * index
    squares = [np.bincount(index, row**2)[index] for row in grads]
    return grads * np.minimum(1.0, rule.bound / np.maximum(np.sqrt(squares), 1e-300))


def follow(rule: Rule, start: NDArray, grads: NDArray, index: NDArray, count: int = 0) -> NDArray:
    """Run a rule; return the parameters before every step and at the end, (steps + 1, numbers).

    ``count`` is the number of parameters, where ``index`` does not reach the last.
    """
    return follow_all([rule], start, grads, index, count)[0]


def follow_all(
    rules: Sequence[Rule], start: NDArray, grads: NDArray, index: NDArray, count: int = 0
) -> NDArray:
    """Run rules that differ in their numbers only, side by side: (rules, steps + 1, numbers)."""

    def beside(numbers: Sequence[float]) -> Any:
        return numbers[0] if len(numbers) == 1 else np.repeat(numbers, len(start))

    rule = replace(
        rules[0],
        input="given",
        betas=tuple(beside(betas) for betas in zip(*(r.betas for r in rules), strict=True)),
        **{n: beside([getattr(r, n) for r in rules]) for n in ("lr", "eps", "weight_decay")},
    )
    here, many = np.tile(start, len(rules)), np.tile(index, len(rules))
    run = Run(rule, here, many, count or int(index.max()) + 1, len(grads))
    with np.errstate(all="ignore"):
        reach = np.concatenate([inputs(r, grads, index) for r in rules], axis=1)
        way = np.array([here, *(run.step(grad) for grad in reach)])
    return way.reshape(len(way), len(rules), len(start)).swapaxes(0, 1)
