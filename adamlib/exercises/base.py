"""What is said of an answer: a mistake by its name, values in few letters."""

import reprlib
from typing import Any, NamedTuple

import numpy as np

LETTERS, ITEMS = 60, 8
SHORT = reprlib.Repr()
SHORT.maxstring = LETTERS


class Mistake(NamedTuple):
    """A wrong answer that has a name.

    Attributes
    ----------
    name : str
        A slug; one of `adamlib.identification.MISTAKES` where it is the same mistake.
    says : str
        What is wrong, in a sentence.
    wrong : object
        The wrong answer itself: a function as wrong as the learner's, or a value.
    """

    name: str
    says: str
    wrong: Any = None


class NotAttempted(Exception):
    """There is no answer yet."""


class NotYet(Exception):
    """The answer is wrong; says how.

    Parameters
    ----------
    says : str
        What is wrong, in sentences.
    name : str, optional
        The name of the mistake.
    given, expected, got : str, optional
        The smallest input that shows it, what was expected of it, and what came.
    """

    def __init__(
        self, says: str, name: str = "", given: str = "", expected: str = "", got: str = ""
    ) -> None:
        super().__init__(says)
        self.says, self.name = says, name
        self.lines = {"input": given, "expected": expected, "got": got}

    def __str__(self) -> str:
        first = f"not yet: {self.name}: {self.says}" if self.name else f"not yet: {self.says}"
        rest = [f"    {label + ':':10}{text}" for label, text in self.lines.items() if text]
        return "\n".join([first, *rest])


def show(value: object, digits: int = 6) -> str:
    """Write a value in few letters, the same on every machine.

    >>> show([1.0, 2.5]), show(np.ones(2)), show(object())
    ('[1, 2.5]', '[1, 1]', 'a value of type object')
    """
    if isinstance(value, (bool, np.bool_)) or value is None or value is ...:
        return "..." if value is ... else str(value)
    if isinstance(value, (int, np.integer)) and abs(int(value)) < 10**LETTERS:
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.{digits}g}"
    if isinstance(value, complex):
        return f"{value:.3g}"
    if isinstance(value, str):
        return SHORT.repr(str(value))
    if isinstance(value, np.ndarray):
        if value.size > ITEMS or value.dtype.kind not in "biuf":
            return f"an array of shape {value.shape} and type {value.dtype}"
        return show(value.tolist(), digits)
    if (type(value) is list or type(value) is tuple) and len(value) <= ITEMS:
        flat = all(not isinstance(item, (list, tuple, dict)) for item in value)
        inner = ", ".join(show(item, digits) if flat else _nested(item) for item in value)
        return f"[{inner}]" if type(value) is list else f"({inner})"
    return f"a value of type {type(value).__name__}"


def _nested(value: object) -> str:
    return f"a {type(value).__name__}" if isinstance(value, (list, tuple, dict)) else show(value)


def shown_apart(expected: object, got: object) -> tuple[str, str]:
    """Write two values with as many digits as it takes to tell them apart."""
    for digits in (6, 9, 17):
        texts = show(expected, digits), show(got, digits)
        if texts[0] != texts[1]:
            break
    return texts
