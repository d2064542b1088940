"""Run optimizers on problems and keep what happened; no plotting here.

=================  =================================================================
``traces``         `run` an optimizer on a problem: a `Trace`
``baselines``      what Adam is compared with: `sgd`, `momentum`, `rmsprop`
``sweeps``         many runs at once, over lr and eps
``first_steps``    what a first step comes to, with and without eps
=================  =================================================================
"""

from .baselines import momentum, rmsprop, sgd
from .first_steps import (
    FIRST_STEPS,
    FirstStepMap,
    NanSpread,
    classify_first_step,
    first_step,
    first_step_map,
    nan_spread,
    rms_step,
    smallest_finite_first_step,
)
from .sweeps import sweep
from .traces import Stepper, Trace, run

__all__ = [
    "FIRST_STEPS",
    "FirstStepMap",
    "NanSpread",
    "Stepper",
    "Trace",
    "classify_first_step",
    "first_step",
    "first_step_map",
    "momentum",
    "nan_spread",
    "rms_step",
    "rmsprop",
    "run",
    "sgd",
    "smallest_finite_first_step",
    "sweep",
]
