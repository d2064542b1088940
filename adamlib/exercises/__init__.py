"""Exercises that name the mistake: `check` an answer, take a `hint`, see the `solution`.

The exercises of notebook NN stand in ``nbNN.py``, as data: hints, the solution, and wrong answers
with their names.

==============  ==========================================================
``commands``    what a notebook calls
``catalogue``   all exercises, by name
``verdicts``    what is said of an answer
``judges``      what an exercise is, and how answers are judged
``steps``       steps of Adam as answers
``running``     an answer is run silently, on copies, and not for ever
``base``        a mistake by its name, values in few letters
``sources``     the source of a function, without its docstring
==============  ==========================================================
"""

from .catalogue import NOTEBOOKS, all_exercises, find
from .commands import check, hint, solution
from .sources import source

__all__ = ["NOTEBOOKS", "all_exercises", "check", "find", "hint", "solution", "source"]
