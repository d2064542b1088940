"""What a notebook calls: `check` an answer, take a `hint`, see the `solution`.

Each takes the name of an exercise, ``"01-average"``, and refuses an unknown one with a ValueError:
``Unknown exercise: '99-none' (expected one of 00-names, …)``.
"""

import sys
from html import escape

from .catalogue import find
from .sources import source
from .verdicts import verdict, verdict_apart


def check(name: str, answer: object, apart: bool = False) -> None:
    """Say whether an answer is right; if it is wrong, name the mistake.

    Prints ``not attempted``, ``correct``, or ``not yet:`` with the name of the mistake where it
    has one, the smallest input that shows it, what was expected of it and what came. The answer
    is called on copies, what it prints is not shown, a loop without an end is stopped after some
    seconds, and whatever it raises is reported, not raised.

    Parameters
    ----------
    name : str
        The exercise: ``"01-average"``.
    answer : object
        The function or the value asked for; ``...`` or None while there is none.
    apart : bool
        Examine it in a process of its own, which is ended after some seconds: also what holds
        the interpreter, as ``sum(range(10**10))`` does, or ends it. For answers of others.

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
    exercise = find(name)
    print(verdict_apart(name, answer) if apart else verdict(exercise, answer))


def hint(name: str, n: int = 1) -> None:
    """Print a hint; each says more than the one before.

    Parameters
    ----------
    name : str
        The exercise.
    n : int
        Which hint, from 1.

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
