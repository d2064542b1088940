"""adamlib: the Adam optimizer and its epsilon, as the paper writes it and as frameworks do.

The public names, in reading order. Everything is loaded on first use, so that
``import adamlib`` costs next to nothing and never imports torch, matplotlib, numba
or sympy; a module that needs one of them raises ModuleNotFoundError where it is missing.

==========================  ============================================================
``adamlib.state``           what Adam remembers, and the names that state dicts use
``adamlib.checks``          every refusal of a bad number, flag, choice or array
``adamlib.tables``          rows of text, for a terminal and for a notebook
``adamlib.floats``          what a dtype can hold: where eps vanishes, where g² underflows
``adamlib.moments``         one pure function per moment equation
``adamlib.dialects``        what each framework calls Adam, as data
``adamlib.adam``            one step of Adam, pure, for any array library
``adamlib.kernels``         the step compiled with numba, where that is installed
``adamlib.checkpoints``     state dicts and checkpoint files, checked and written whole
``adamlib.conversion``      an eps, or a state, carried from one Adam to another
``adamlib.optimizer``       Adam for NumPy arrays, in place, with checkpoints
``adamlib.compiled``        the step compiled by torch, in C++ or Triton: fused=True
``adamlib.pytorch``         Adam and AdamW for torch, drop-in
``adamlib.identification``  which Adam is this function, or which mistake
``adamlib.problems``        what to minimise
``adamlib.experiments``     run an optimizer on a problem and keep a trace
``adamlib.distributed``     train on many processes, by DDP and FSDP2, started by torchrun
``adamlib.figures``         draw a trace
``adamlib.sliders``         move a slider, and a figure is redrawn
``adamlib.exercises``       check an answer, take a hint, see the solution
``adamlib.settings``        the settings of NumPy, torch and IPython that the notebooks need
``adamlib.doctor``          what is missing on this machine, and what to type
==========================  ============================================================
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import (
        adam,
        checkpoints,
        checks,
        compiled,
        conversion,
        dialects,
        distributed,
        doctor,
        exercises,
        experiments,
        figures,
        floats,
        identification,
        kernels,
        moments,
        optimizer,
        problems,
        pytorch,
        settings,
        sliders,
        state,
        tables,
    )
    from .adam import adam_step, init_state
    from .conversion import convert_eps, convert_state
    from .dialects import DIALECTS, Dialect
    from .exercises import check, hint, solution
    from .identification import Identification, identify
    from .moments import bias_correction, ema, ema_weights
    from .optimizer import Adam
    from .settings import use_default_settings
    from .state import AdamState

__version__ = "0.1.0"

_HOME = {
    "ema": "moments",
    "bias_correction": "moments",
    "ema_weights": "moments",
    "Dialect": "dialects",
    "DIALECTS": "dialects",
    "AdamState": "state",
    "init_state": "adam",
    "adam_step": "adam",
    "convert_eps": "conversion",
    "convert_state": "conversion",
    "Adam": "optimizer",
    "Identification": "identification",
    "identify": "identification",
    "check": "exercises",
    "hint": "exercises",
    "solution": "exercises",
    "use_default_settings": "settings",
}
_MODULES = (
    "state",
    "checks",
    "tables",
    "floats",
    "moments",
    "dialects",
    "adam",
    "kernels",
    "checkpoints",
    "conversion",
    "optimizer",
    "compiled",
    "pytorch",
    "identification",
    "problems",
    "experiments",
    "distributed",
    "figures",
    "sliders",
    "exercises",
    "settings",
    "doctor",
)

__all__ = [  # noqa: F822 - the names are loaded on first use, by __getattr__ below
    "DIALECTS",
    "Adam",
    "AdamState",
    "Dialect",
    "Identification",
    "adam",
    "adam_step",
    "bias_correction",
    "check",
    "checkpoints",
    "checks",
    "compiled",
    "conversion",
    "convert_eps",
    "convert_state",
    "dialects",
    "distributed",
    "doctor",
    "ema",
    "ema_weights",
    "exercises",
    "experiments",
    "figures",
    "floats",
    "hint",
    "identification",
    "identify",
    "init_state",
    "kernels",
    "moments",
    "optimizer",
    "problems",
    "pytorch",
    "settings",
    "sliders",
    "solution",
    "state",
    "tables",
    "use_default_settings",
]


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> "list[str]":  # a string: an old Python must get as far as the doctor
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
