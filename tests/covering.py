"""Of a product of choices: what every push tries, and what is left to the night."""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations

import pytest


def covering(cases: Iterable[Sequence], together: int = 2) -> list:
    """Return all cases; slow are those of which every push has each ``together`` of choices.

    A case is told by its choices, ``(choice, …)``, or is a ``pytest.param`` of them. What fails
    for one choice, or for two at once, fails in what every push tries; the night tries all.
    """
    cases = list(cases)
    order, seen, tried = random.Random(0).sample(range(len(cases)), len(cases)), set(), set()
    for i in order:
        choices = [repr(choice) for choice in getattr(cases[i], "values", cases[i])]
        new = set(combinations(enumerate(choices), together)) - seen
        if new:
            seen |= new
            tried.add(i)
    return [
        pytest.param(
            *getattr(case, "values", case),
            id=getattr(case, "id", None),
            marks=[] if i in tried else [pytest.mark.slow],
        )
        for i, case in enumerate(cases)
    ]
