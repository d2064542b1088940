"""Of many cases: what every push tries, and what is left to the night.

What is tried is the same in every process and at every push.
"""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import pytest


def each_nth(cases: Iterable, n: int) -> list:
    """Return all cases, of which every push tries each second one, or third: each ``n``-th."""
    return [marked(case, i % n == 0) for i, case in enumerate(cases)]


def covering(cases: Iterable[Sequence], together: int = 2) -> list:
    """Return all cases, of which every push tries so many that none of its choices is left out.

    A case is its choices, or a ``pytest.param`` of them. What fails for a choice, or for two of
    them ``together``, fails in what every push tries.
    """
    cases = list(cases)
    seen: set[tuple] = set()
    tried = set()
    for i in random.Random(0).sample(range(len(cases)), len(cases)):
        choices = [repr(choice) for choice in getattr(cases[i], "values", cases[i])]
        if new := set(combinations(enumerate(choices), together)) - seen:
            seen |= new
            tried.add(i)
    return [
        marked(case if hasattr(case, "marks") else pytest.param(*case), i in tried)
        for i, case in enumerate(cases)
    ]


def marked(case: Any, tried: bool) -> Any:
    """A case that is slow unless every push tries it."""
    case = case if hasattr(case, "marks") else pytest.param(case)
    marks = case.marks if tried else (*case.marks, pytest.mark.slow)
    return pytest.param(*case.values, id=case.id, marks=marks)
