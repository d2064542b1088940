"""What is said of an answer: nothing yet, not yet and why, or that it is correct."""

import dis
from types import CodeType, FunctionType

from .. import isolation
from ..isolation import error_text
from .base import NotAttempted, NotYet
from .catalogue import find
from .judges import Exercise
from .running import Answer, limited

APART = 45.0  # seconds for an answer in a process of its own, where imports count
NOTHING_DONE = {
    "RESUME", "NOP", "CACHE", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "POP_TOP",
}  # fmt: skip


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


def verdict_apart(name: str, answer: object) -> str:
    """Return the same of an answer that is examined in a process of its own.

    Where nothing can be forked (Windows) it has to be picklable.
    """
    if isolation.CAN_FORK:
        outcome = isolation.in_fork(lambda report: examined(name, answer, report), APART)
    else:
        task = (name, answer)
        outcome = isolation.in_fresh_interpreter(f"{__name__}:examined", task, APART)
    failure = outcome.failure[:1].lower() + outcome.failure[1:]
    return outcome.value or str(NotYet(f"your answer cannot be examined: {failure}"))


def examined(name: str, answer: object, report: isolation.Report) -> str:
    """Examine an answer in this process, which is a child."""
    report("being examined")
    return verdict(find(name), answer)


def _refuse_changes(answer: Answer) -> None:
    if answer.changed:
        parameter, call, what = answer.changed
        name = "gradient-mutated" if parameter == "g" else "argument-changed"
        says = f"the result is right, but {parameter} is changed. The caller may still need it."
        raise NotYet(says, name, call, got=what)


def is_missing(answer: object) -> bool:
    """Whether nothing has been written yet: ``...``, None, a stub, or a dict of nothing else.

    >>> is_missing(lambda x: ...), is_missing({"a": ...}), is_missing(lambda x: x)
    (True, True, False)
    """
    if answer is ... or answer is None:
        return True
    if type(answer) is dict:
        return bool(answer) and all(map(is_missing, answer.values()))
    if type(answer) is list or type(answer) is tuple:
        return bool(answer) and all(item is ... or item is None for item in answer)
    return type(answer) is FunctionType and _does_nothing(answer.__code__)


def _does_nothing(code: CodeType) -> bool:
    steps = list(dis.get_instructions(code))
    constants = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    return {step.opname for step in steps} <= NOTHING_DONE and all(
        constant is None or constant is ... for constant in constants
    )
