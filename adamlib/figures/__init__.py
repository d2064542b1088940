"""Draw traces: plot_*(data, ax) → ax, and show(figure, alt). No mathematics here.

Give ``ax``, or ``axes``, to draw into a figure of your own; left out, they are those of a new one.

===================  ===========================================================
``colours``          the palette: every colour, once, by name
``base``             the look of the course: axes, labels, and `show`
``quiet``            what matplotlib says of folders and fonts is left to the doctor
``curves``           runs and steps against time
``paths``            runs in two coordinates
``averages``         what a moving average is made of
``first_steps``      first steps beside eps
``epsilon``          whole runs beside eps
``counterexamples``  walks on [−1, 1], denominators, the eps that turns Adam round
``precision``        Adam in 16 bits: maps of first steps, averages, repairs
``width``            runs that drift apart, and the width where gradients meet eps
``speed``            how long a step takes, in units of the floor
``identification``   the steps of an optimizer beside the right ones
``watching``         what a report and a watched run say
===================  ===========================================================
"""

from . import quiet as quiet  # before matplotlib is imported
from .averages import plot_average, plot_uncorrected_step
from .base import MINIMUM_ALT, check_alt, new_axes, png, show
from .colours import (
    COLOURS,
    DIALECT_COLOURS,
    FORMAT_COLOURS,
    REGION_COLOURS,
    WAY_COLOURS,
)
from .counterexamples import plot_denominators, plot_eps_threshold, plot_walks
from .curves import plot_distances, plot_longest_steps, plot_losses, plot_shrinkage, plot_symptoms
from .epsilon import plot_epsilon, plot_gap, plot_sweep
from .first_steps import plot_first_step_map, plot_nan_spread, plot_step_lengths
from .identification import plot_identification
from .paths import plot_paths
from .precision import plot_averages_in, plot_precision_maps, plot_repairs
from .speed import plot_floors, plot_step_times
from .watching import plot_report, plot_watch
from .width import plot_apart, plot_width

__all__ = [
    "COLOURS",
    "DIALECT_COLOURS",
    "FORMAT_COLOURS",
    "MINIMUM_ALT",
    "REGION_COLOURS",
    "WAY_COLOURS",
    "check_alt",
    "new_axes",
    "plot_apart",
    "plot_average",
    "plot_averages_in",
    "plot_denominators",
    "plot_distances",
    "plot_eps_threshold",
    "plot_epsilon",
    "plot_first_step_map",
    "plot_floors",
    "plot_gap",
    "plot_identification",
    "plot_longest_steps",
    "plot_losses",
    "plot_nan_spread",
    "plot_paths",
    "plot_precision_maps",
    "plot_repairs",
    "plot_report",
    "plot_shrinkage",
    "plot_step_lengths",
    "plot_step_times",
    "plot_sweep",
    "plot_symptoms",
    "plot_uncorrected_step",
    "plot_walks",
    "plot_watch",
    "plot_width",
    "png",
    "show",
]
