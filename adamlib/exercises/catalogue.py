"""All exercises of the course, by name."""

from functools import cache
from importlib import import_module
from pathlib import Path

from .judges import Exercise

# the notebooks that have exercises, by number: one module each
NOTEBOOKS = tuple(sorted(path.stem[2:] for path in Path(__file__).parent.glob("nb[0-9][0-9].py")))


@cache
def all_exercises() -> dict[str, Exercise]:
    """Return all exercises by name, in the order of the notebooks.

    >>> list(all_exercises())[0]
    '00-names'
    """
    modules = [import_module(f"{__package__}.nb{number}") for number in NOTEBOOKS]
    return {exercise.name: exercise for module in modules for exercise in module.EXERCISES}


def find(name: str) -> Exercise:
    """Return the exercise of that name; refuse an unknown one.

    >>> find("99-none")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Unknown exercise: '99-none' (expected one of 00-names, 00-limit, ...
    """
    known = all_exercises()
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"Unknown exercise: {name!r} (expected one of {', '.join(known)})")
    return found
