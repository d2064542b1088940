"""Exercises that name the mistake: `check` an answer, take a `hint`, see the `solution`.

The exercises of notebook NN stand in ``nbNN.py``, as data: what is asked, hints, the solution,
and wrong answers with their names.
"""

import dis
import sys
from functools import cache
from html import escape
from importlib import import_module
from types import CodeType, FunctionType

from .base import NotAttempted, NotYet, error_text
from .judges import Exercise
from .running import Answer, limited
from .sources import source as source

NOTEBOOKS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10")
NOTHING_DONE = {
    "RESUME", "NOP", "CACHE", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP",
}  # fmt: skip


@cache
def exercises() -> dict[str, Exercise]:
    """Return all exercises by name, in the order of the notebooks.

    Examples
    --------
    >>> list(exercises())[0]
    '00-names'
    """
    modules = [import_module(f"{__name__}.nb{number}") for number in NOTEBOOKS]
    return {exercise.name: exercise for module in modules for exercise in module.EXERCISES}


def check(name: str, answer: object) -> None:
    """Say whether an answer is right; if it is wrong, name the mistake.

    Prints ``not attempted``, ``correct``, or ``not yet:`` with the name of the mistake where it
    has one, the smallest input that shows it, what was expected of it and what came. The answer
    is called on copies, what it prints is not shown, and a loop without an end is stopped after
    some seconds.

    Parameters
    ----------
    name : str
        The exercise: ``"01-average"``.
    answer : object
        The function or the value asked for; ``...`` or None while there is none.

    Raises
    ------
    ValueError
        ``Unknown exercise: '99-none' (expected one of 00-names, …)``. Nothing else: whatever
        the answer does is reported, not raised.

    Examples
    --------
    >>> check("00-limit", ...)
    not attempted
    >>> check("00-limit", lambda curvature: 1 / curvature)
    not yet: reaches-the-floor: with 1/h a single step lands in the minimum. SGD leaves later.
        input:    largest_lr(1)
        expected: 2
        got:      1
    >>> check("00-limit", lambda curvature: 2 / curvature)
    correct
    """
    print(verdict(find(name), answer))


def verdict(exercise: Exercise, answer: object) -> str:
    """Return what `check` prints."""
    if is_missing(answer):
        return "not attempted"
    code = exercise.solution.__code__
    parameters = code.co_varnames[: code.co_argcount]
    examined = Answer(answer, exercise.solution.__name__, parameters)
    try:
        limited(lambda: exercise.judge(examined, exercise.solution), examined)
        _refuse_changes(examined)
    except NotAttempted:
        return "not attempted"
    except NotYet as error:
        return str(error)
    except Exception as error:  # an object that cannot be compared, say
        return str(NotYet(f"your answer cannot be examined: {error_text(error)}"))
    return "correct"


def _refuse_changes(answer: Answer) -> None:
    if answer.changed:
        parameter, call, what = answer.changed
        name = "gradient-mutated" if parameter == "g" else "argument-changed"
        says = f"the result is right, but {parameter} is changed. The caller may still need it."
        raise NotYet(says, name, call, got=what)


def is_missing(answer: object) -> bool:
    """Whether nothing has been written yet: ``...``, None, a stub, or a dict of nothing else.

    Examples
    --------
    >>> is_missing(lambda x: ...), is_missing({"a": ...}), is_missing(lambda x: x)
    (True, True, False)
    """
    if answer is ... or answer is None:
        return True
    if type(answer) is dict:
        return bool(answer) and all(map(is_missing, answer.values()))
    if type(answer) in (list, tuple):
        return bool(answer) and all(item is ... or item is None for item in answer)  # type: ignore[attr-defined]
    return type(answer) is FunctionType and _does_nothing(answer.__code__)  # type: ignore[attr-defined]


def _does_nothing(code: CodeType) -> bool:
    steps = list(dis.get_instructions(code))
    constants = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {step.opname for step in steps} <= NOTHING_DONE and all(
        constant is None or constant is ... for constant in constants
    )


def hint(name: str, n: int = 1) -> None:
    """Print a hint; each says more than the one before.

    Parameters
    ----------
    name : str
        The exercise.
    n : int
        Which hint, from 1.

    Raises
    ------
    ValueError
        ``Unknown exercise: '99-none' (expected one of 00-names, …)`` or
        ``Invalid hint: 9 ('00-limit' has hints 1 to 2)``.

    Examples
    --------
    >>> hint("00-limit", 1)
    Hint 1 of 2: on the wall each step multiplies θ₂ by 1 − curvature·α. When does that grow?
    """
    hints = find(name).hints
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(hints):
        raise ValueError(f"Invalid hint: {n!r} ({name!r} has hints 1 to {len(hints)})")
    print(f"Hint {n} of {len(hints)}: {hints[n - 1]}")


def solution(name: str) -> None:
    """Show the source of the solution: the very function that the tests accept.

    In a notebook it is folded away below the word 'Solution', and stays so however often the
    cell is run; elsewhere it is printed.

    Parameters
    ----------
    name : str
        The exercise.

    Raises
    ------
    ValueError
        ``Unknown exercise: '99-none' (expected one of 00-names, …)``.

    Examples
    --------
    >>> solution("00-limit")
    def largest_lr(curvature):
        return 2 / curvature  # beyond it 1 - curvature * lr is below -1
    """
    text = source(find(name).solution)
    if _in_a_notebook():
        from IPython.display import display

        # <samp>: JupyterLab gives <pre> and <code> in an output the font of the text
        code = f"<pre><samp>{escape(text)}</samp></pre>"
        folded = f"<details><summary>Solution</summary>{code}</details>"
        display({"text/plain": text, "text/html": folded}, raw=True)
    else:
        print(text)


def _in_a_notebook() -> bool:
    """Whether a kernel runs this; asking must not import IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def find(name: str) -> Exercise:
    """Return the exercise of that name.

    Raises
    ------
    ValueError
        ``Unknown exercise: '99-none' (expected one of 00-names, …)``.
    """
    found = exercises().get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"Unknown exercise: {name!r} (expected one of {', '.join(exercises())})")
    return found
