"""Run optimizers on problems and keep what happened; no plotting here.

===================  ===============================================================
``traces``           `run` an optimizer on a problem: a `Trace`
``baselines``        what Adam is compared with: `sgd`, `momentum`, `rmsprop`
``sweeps``           many runs at once, over lr and eps
``epsilon``          what eps does to whole runs: rates, sharpness, the best of a sweep
``unit_steps``       the steps of Adam in units of lr, for a run of gradients
``first_steps``      what a first step comes to, with and without eps
``counterexamples``  where Adam walks the wrong way: drift, threshold, `walk_on_interval`
``precision``        Adam in 16 bits: its first step and its averages
``repairs``          training in 16 bits
``traffic``          the bytes that a step moves, counted
``speed``            ways to take the same step
``clocks``           how to compare their times
``width``            gradients and first steps beside the width of a net
===================  ===============================================================
"""

from .baselines import momentum, rmsprop, sgd
from .clocks import TimesAsLong, interleaved, times_as_long
from .counterexamples import (
    Walk,
    denominators,
    drift,
    eps_threshold,
    periodic_average,
    rare_gradient,
    walk_on_interval,
)
from .epsilon import best_run, momentum_sweep, parameter_rates, scale_loss, sharpness
from .first_steps import (
    FIRST_STEPS,
    FirstStepMap,
    classify_first_step,
    first_step_map,
    smallest_finite_first_step,
)
from .precision import (
    PRECISION_STEPS,
    PrecisionMap,
    constant_steps,
    first_steps_in,
    moments_in,
    precision_map,
    predict_first_steps,
)
from .repairs import REPAIRS, stochastic_round, train_in
from .speed import (
    NUMPY_WAYS,
    TORCH_WAYS,
    gpt2_shapes,
    in_place,
    numpy_step,
    random_arrays,
    textbook,
    torch_step,
)
from .sweeps import sweep
from .traces import NanSpread, Stepper, Trace, nan_spread, run
from .traffic import Traffic, numpy_traffic, torch_traffic
from .unit_steps import first_step, rms_step, unit_steps
from .width import WidthScan, first_step_of_noise, gradient_at_width, width_scan

__all__ = [
    "FIRST_STEPS",
    "NUMPY_WAYS",
    "PRECISION_STEPS",
    "REPAIRS",
    "TORCH_WAYS",
    "FirstStepMap",
    "NanSpread",
    "PrecisionMap",
    "Stepper",
    "TimesAsLong",
    "Trace",
    "Traffic",
    "Walk",
    "WidthScan",
    "best_run",
    "classify_first_step",
    "constant_steps",
    "denominators",
    "drift",
    "eps_threshold",
    "first_step",
    "first_step_map",
    "first_step_of_noise",
    "first_steps_in",
    "gradient_at_width",
    "gpt2_shapes",
    "in_place",
    "interleaved",
    "moments_in",
    "momentum",
    "momentum_sweep",
    "nan_spread",
    "numpy_step",
    "numpy_traffic",
    "parameter_rates",
    "periodic_average",
    "precision_map",
    "predict_first_steps",
    "random_arrays",
    "rare_gradient",
    "rms_step",
    "rmsprop",
    "run",
    "scale_loss",
    "sharpness",
    "sgd",
    "smallest_finite_first_step",
    "stochastic_round",
    "sweep",
    "textbook",
    "times_as_long",
    "torch_step",
    "torch_traffic",
    "train_in",
    "unit_steps",
    "walk_on_interval",
    "width_scan",
]
