"""Which Adam is this? Or which mistake?

============= =====================================================================
`conventions` how to drive whatever takes steps
`observing`   one run of it, on gradients made for the purpose
`reading`     the rule that takes such steps, read off them; the mistakes behind it
`relatives`   published rules that are neither Adam nor a mistake
`judging`     which of all these it is
`describing`  how far it is from the right one
`answers`     the same in words
============= =====================================================================
"""

from typing import Any

import numpy as np

from .. import isolation
from ..checks import check_flag, check_hyperparameters
from .answers import Difference, Identification
from .describing import describe, failed
from .judging import dialect_path, judge
from .observing import LONG, Kind, observe
from .reading import MISTAKES, Known, Probe, Settings, make_probe
from .relatives import RELATIVES

__all__ = [
    "MISTAKES",
    "RELATIVES",
    "Difference",
    "Identification",
    "Probe",
    "Settings",
    "dialect_path",
    "identify",
    "make_probe",
]


def identify(
    x: Any,
    *,
    lr: float | None = None,
    betas: tuple[float, float] | None = None,
    eps: float | None = None,
    weight_decay: float | None = None,
    amsgrad: bool | None = None,
    kind: Kind | None = None,
    isolated: bool = False,
) -> Identification:
    """Say which Adam takes these steps, or which mistake it makes.

    Parameters
    ----------
    x : object
        Whatever takes steps: a torch, Keras or optax optimizer, a class or an object with a
        step, a function that takes parameters and returns ``step(grads)``, an update function,
        a loop. Its names and its code tell how it is called; `Identification.convention` says it.
    lr, betas, eps, weight_decay, amsgrad : optional
        Settings to build it with, where it takes them, and to be held against what it does.
        Those that are not told are read off its steps.
    kind : {"numpy", "torch"}, optional
        What its arrays are. Unless given, its code tells.
    isolated : bool
        Run it in a process of its own, with a time limit: nothing that it does reaches this one.

    Returns
    -------
    Identification
        ``print`` it; whatever the optimizer raises gives the verdict ``"error"``.

    Raises
    ------
    ValueError, TypeError
        A setting that is told is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> class Mine:
    ...     def __init__(self, lr=0.01):
    ...         self.lr, self.m, self.v, self.t = lr, {}, {}, 0
    ...     def step(self, params, grads):
    ...         self.t += 1
    ...         for i, (p, g) in enumerate(zip(params, grads)):
    ...             m = self.m[i] = 0.9 * self.m.get(i, 0) + 0.1 * g
    ...             v = self.v[i] = 0.999 * self.v.get(i, 0) + 0.001 * g * g
    ...             m, v = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
    ...             p -= self.lr * m / np.sqrt(v + 1e-8)
    >>> answer = identify(Mine)
    >>> answer.names, answer.settings.lr, answer.settings.eps
    (('fastai-lesson', 'eps-inside-root'), 0.01, 1e-08)
    """
    told = told_settings(lr, betas, eps, weight_decay, amsgrad)
    if kind not in (None, "numpy", "torch"):
        raise ValueError(f"Unknown kind: {kind!r} (expected numpy or torch)")
    if isolated:
        return examined_apart(x, told, kind)
    return examine(x, told, kind)


def told_settings(lr: Any, betas: Any, eps: Any, weight_decay: Any, amsgrad: Any) -> Known:
    """Return what is told as plain numbers; refuse what is out of range."""
    told = Known(lr, betas, eps, weight_decay, amsgrad)
    whole = told.filled()
    check_hyperparameters(whole.lr, whole.betas, whole.eps, whole.weight_decay)
    check_flag("amsgrad", whole.amsgrad)
    plain: dict[str, Any] = {name: float(v) for name, v in told.given().items() if name != "betas"}
    if betas is not None:
        plain["betas"] = (float(betas[0]), float(betas[1]))
    if amsgrad is not None:
        plain["amsgrad"] = bool(amsgrad)
    return Known(**plain)


def examine(x: Any, told: Known, kind: Kind | None = None, last: int = LONG) -> Identification:
    """Run it in this process and judge what it did.

    ``told`` are the settings to build it with, ``last`` is the number of its last step.
    """
    seen = observe(x, told, kind, last)
    if seen.error:
        return failed(seen)
    known = told.or_else(seen.defaults)
    with np.errstate(all="ignore"):
        return describe(seen, judge(seen, known), told, known)


def examined_apart(
    x: Any, told: Known, kind: Kind | None = None, seconds: float = isolation.SECONDS
) -> Identification:
    """Do the same in a process of its own; the verdict is ``"error"`` where no answer came.

    Where nothing can be forked x has to be picklable.
    """
    if isolation.CAN_FORK:
        outcome = isolation.in_fork(lambda report: examined(x, told, kind, report), seconds)
    else:
        task = (x, told, kind)
        outcome = isolation.in_fresh_interpreter(f"{__name__}:examined", task, seconds)
    failure = outcome.failure[:1].lower() + outcome.failure[1:]
    return outcome.value or Identification("error", message=failure)


def examined(x: Any, told: Known, kind: Kind | None, report: isolation.Report) -> Identification:
    """Examine an object in this process, which is a child."""
    report("being examined")
    return examine(x, told, kind)
