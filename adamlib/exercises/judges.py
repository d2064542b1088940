"""What an exercise is, and how answers are judged.

Functions are judged on cases, predictions key by key, values by a property. Each judge is
made from data and raises `NotYet` with the name of the mistake.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .base import Mistake, NotAttempted, NotYet, show, shown_apart
from .running import Answer

Judge = Callable[[Answer, Callable[..., Any]], None]
UNNAMED = "the result differs, and none of the known mistakes explains it."


@dataclass(frozen=True)
class Exercise:
    """One exercise, as data.

    Attributes
    ----------
    name : str
        ``"01-average"``: the notebook's number and a word.
    hints : tuple of str
        Two or more steps of help, the last one nearly the answer.
    solution : callable
        The function asked for; where a value is asked for, a function without arguments that
        returns it. It is what `solution` prints and what the judge accepts.
    judge : callable
        Takes an `Answer` and ``solution``; raises `NotYet` where the answer is wrong.
    """

    name: str
    hints: tuple[str, ...]
    solution: Callable[..., Any]
    judge: Judge

    @property
    def asks_for_a_value(self) -> bool:
        """Whether a value is asked for, not a function."""
        return self.solution.__code__.co_argcount == 0


def number(value: Any, given: str = "") -> float:
    """Return a number as a float, or say that it is none."""
    if value is ...:
        raise NotAttempted
    if not isinstance(value, (str, bytes, bool, np.bool_)) and not np.ndim(value):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise NotYet(f"expected a number, got {show(value)}.", given=given)


def array(value: object, shape: tuple[int, ...], given: str = "") -> NDArray:
    """Return numbers as a float64 array of a shape, or say what they are instead."""
    if value is ...:
        raise NotAttempted
    try:
        found = np.asarray(value)
        numbers = found.astype(np.float64) if found.dtype.kind in "iuf" else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None or numbers.shape != shape:
        size = f"{shape[0]} numbers" if len(shape) == 1 else f"numbers of shape {shape}"
        raise NotYet(f"expected {size}, got {show(value)}.", given=given)
    return numbers


def agree(a: ArrayLike, b: ArrayLike, rtol: float) -> bool:
    """Whether numbers or arrays agree; NaN agrees with NaN."""
    return bool(np.allclose(a, b, rtol=rtol, atol=0, equal_nan=True))


def on_cases(cases: Sequence[tuple], mistakes: Sequence[Mistake], rtol: float = 1e-9) -> Judge:
    """Judge a function on cases, the smallest first; a mistake is one that fits all of them."""

    def judge(answer: Answer, solution: Callable[..., Any]) -> None:
        expected = [solution(*copy.deepcopy(case)) for case in cases]
        results = [_result(answer, case, want) for case, want in zip(cases, expected, strict=True)]
        triples = zip(cases, expected, results, strict=True)
        first = next((t for t in triples if not _right(t[2], t[1], rtol)), None)
        if first is None:
            return
        case, want, got = first
        mistake = next((m for m in mistakes if _fits(m, cases, results, rtol)), None)
        if isinstance(got, NotYet):
            raise NotYet(mistake.says, mistake.name, **_of(got, want)) if mistake else got
        call = f"{answer.name}({', '.join(map(show, case))})"
        says, name = (mistake.says, mistake.name) if mistake else (UNNAMED, "")
        raise NotYet(says, name, call, *shown_apart(want, got))

    return judge


def _of(error: NotYet, want: Any) -> dict[str, str]:
    return dict(given=error.lines["input"], expected=show(want), got=error.says)


def _right(got: Any, want: Any, rtol: float) -> bool:
    return not isinstance(got, NotYet) and agree(got, want, rtol)


def _result(answer: Answer, case: tuple, want: Any) -> float | NDArray | NotYet:
    try:
        value = answer(*case)
        return (
            array(value, np.shape(want), answer.call)
            if np.ndim(want)
            else number(value, answer.call)
        )
    except NotYet as error:
        return error


def _fits(mistake: Mistake, cases: Sequence[tuple], results: Sequence, rtol: float) -> bool:
    for case, got in zip(cases, results, strict=True):
        try:
            wrong = mistake.wrong(*copy.deepcopy(case))
        except ArithmeticError:
            wrong = None
        if (wrong is None) != isinstance(got, NotYet):
            return False
        if wrong is not None and not agree(got, wrong, rtol):
            return False
    return True


def predictions(wrong: Mapping[Any, Sequence[Mistake]], rtol: float = 1e-2) -> Judge:
    """Judge a dict of predictions, key by key; the right ones are the solution's."""

    def judge(answer: Answer, solution: Callable[..., Any]) -> None:
        given, right = _value(answer), solution()
        if not isinstance(given, dict):
            raise NotYet(f"expected a dict with the keys {show(list(right))}, got {show(given)}.")
        for key, want in right.items():
            if given.get(key) is None or given[key] is ...:
                raise NotYet(f"{key!r} has no answer yet.")
            found = _alike(given[key], want, rtol, repr(key))
            if found is not None:
                known = [m for m in wrong.get(key, ()) if _alike(found, m.wrong, rtol, "") is None]
                mistake = known[0] if known else Mistake("", _otherwise(found, right, wrong))
                raise NotYet(
                    mistake.says, mistake.name, repr(key), "something else", show(given[key])
                )
        if surplus := [key for key in given if key not in right]:
            raise NotYet(f"the keys {show(surplus)} were not asked for.")

    return judge


def _otherwise(found: Any, right: Mapping, wrong: Mapping[Any, Sequence[Mistake]]) -> str:
    """Say what is wrong with a prediction that no known mistake explains: perhaps a misspelt word.

    Where all right answers are words, these and those of the mistakes are all there is to choose.
    """
    words = [*right.values(), *(m.wrong for each in wrong.values() for m in each)]
    if not all(isinstance(word, str) for word in words) or any(
        _alike(found, word, 0, "") is None for word in words
    ):
        return "this prediction is wrong."
    return f"expected one of {', '.join(dict.fromkeys(words))}."


def _alike(value: Any, want: Any, rtol: float, given: str) -> Any:
    """Return None where a prediction is the wanted one, else the prediction."""
    if isinstance(want, str):
        if not isinstance(value, str):
            raise NotYet(f"expected a text such as {want[:1]!r}, got {show(value)}.", given=given)
        same = value.strip().casefold() == want.casefold()
        return None if same else value
    found = number(value, given)
    return None if agree(found, want, rtol) else found


def satisfies(test: Callable[[Any], Mistake | None]) -> Judge:
    """Judge a value by a property; ``test`` returns the mistake, or None where it has it."""

    def judge(answer: Answer, solution: Callable[..., Any]) -> None:
        value = _value(answer)
        mistake = test(value)
        if mistake is not None:
            expected = mistake.wrong or ""
            raise NotYet(mistake.says, mistake.name, expected=expected, got=show(value))

    return judge


def _value(answer: Answer) -> Any:
    """Return the answer; a function without arguments is called for it."""
    value = answer() if callable(answer.value) else answer.value
    if value is ...:
        raise NotAttempted
    return value
