"""Which eps: the largest that holds back few numbers, the smallest that keeps noise from moving."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..conversion import convert_eps
from ..dialects import Dialect
from .numbers import Measured, edge_of, place_of
from .rules import UNDER_THE_ROOT, Settings
from .shown import number, percent


@dataclass(frozen=True)
class Suggestion:
    """Two eps for a parameter group, and whether there is one between them.

    Attributes
    ----------
    group : int
        Which parameter group.
    share : float
        What was asked for.
    largest : float or None
        The largest eps that holds back no more than this share of the numbers by more than half;
        numbers that never had a gradient are left out. None where there is no other.
    smallest : float or None
        The smallest eps with which no number that has only rounding noise for a gradient takes a
        step longer than this share of lr, whatever that noise does. None where there is none.
    """

    group: int
    share: float
    largest: float | None
    smallest: float | None

    @property
    def contradict(self) -> bool:
        """Whether no eps does both."""
        both = self.largest is not None and self.smallest is not None
        return both and self.smallest > self.largest  # type: ignore[operator]

    def __str__(self) -> str:
        share, found = percent(self.share), []
        if self.largest is not None:
            found.append(f"eps ≤ {number(self.largest)} holds back no more than {share} by half")
        if self.smallest is not None:
            found.append(f"eps ≥ {number(self.smallest)} keeps noise to steps below {share} of lr")
        if self.contradict:
            found.append("no eps does both: give parameters of so different gradients two groups")
        return "\n  ".join(
            [f"group {self.group}:", *(found or ["no number has a finite gradient other than 0"])]
        )


def suggest(
    measured: Iterable[Measured], share: float, target: str | Dialect | None
) -> list[Suggestion]:
    """Return a suggestion a group, for the dialect of the group or for another."""
    groups: dict[int, list[Measured]] = {}
    for one in measured:
        if len(one.bins):
            groups.setdefault(one.held.group, []).append(one)
    return [
        Suggestion(
            group, share, largest_eps(ours, share, target), _smallest_eps(ours, share, target)
        )
        for group, ours in groups.items()
    ]


def largest_eps(
    measured: Iterable[Measured], share: float, target: str | Dialect | None = None
) -> float | None:
    """Return the largest eps beside which no more than a share of the √v̂ above 0 is smaller."""
    measured = list(measured)
    histogram: dict[int, int] = {}
    for one in measured:
        for place, count in zip(one.bins.tolist(), one.counts.tolist(), strict=True):
            histogram[place] = histogram.get(place, 0) + (count if place else 0)
    places = sorted(place for place in histogram if math.isfinite(edge_of(place)))
    counts = np.array([histogram[place] for place in places])
    if not counts.sum():
        return None
    root = math.sqrt(edge_of(places[place_of(share, counts)]))
    return _as_eps(root, measured[0].held.settings, target)


def _smallest_eps(
    measured: Iterable[Measured], share: float, target: str | Dialect | None
) -> float | None:
    r"""Return the eps that keeps steps of noise below share·lr.

    Noise is a √v̂ that may be nothing but rounding (`numbers.with_noise`). Its step is at most
    :math:`B \sqrt{\hat v} / (\sqrt{\hat v} + \epsilon)`, B being the bound of `largest_step`.
    """
    measured = list(measured)
    settings = measured[0].held.settings
    noise = [r for one in measured for r in one.roots.tolist() if 0 < r <= one.noise]
    if not noise or not math.isfinite(settings.bound):
        return None
    return _as_eps(max(noise) * (settings.bound / share - 1), settings, target, 1.0)


def _as_eps(
    root: float, settings: Settings, target: str | Dialect | None, under: float = 3.0
) -> float:
    """Return the eps that acts as ``root`` does beside √v̂, late in training.

    Under the root ε holds back by half where v̂ = ε/3, and a much smaller v̂ as √ε does outside.
    """
    placement = settings.rule.eps_placement
    eps = under * root**2 if placement in UNDER_THE_ROOT else root
    return eps if target is None else convert_eps(eps, settings.rule, target, betas=settings.betas)
