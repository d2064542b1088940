"""Many machines and wide nets: runs that drift apart, and gradients that meet eps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from ..experiments import WidthScan, first_step_of_noise, gradient_at_width
from .base import figure_of, label_beside, label_end, new_axes, new_panels, own_style
from .colours import FAINT, FORMAT_COLOURS, INK, mixed

RANGE = (1e1, 1e16)  # widths drawn


@own_style()
def plot_apart(
    distances: Mapping[str, NDArray[np.float64]], switch: int, ax: Axes | None = None
) -> Axes:
    """Draw how far apart two runs are that add their gradients in different orders.

    Parameters
    ----------
    distances : mapping of str to ndarray of float, shape (steps,)
        Name of a format, and what else is special after a comma → the largest distance of a
        parameter after steps 1, 2, …
    switch : int
        The first step after which a unit is on in one run and off in the other.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line each, in their order, labelled at its end, dashed where its name has a comma; then
        a vertical one.
    """
    ax = new_axes(figsize=(7.2, 3.9)) if ax is None else ax
    for name, apart in distances.items():
        steps = np.arange(1, len(apart) + 1)
        known, _, special = name.partition(", ")
        colour, dashes = FORMAT_COLOURS[known], "--" if special else "-"
        drawn = np.where(apart > 0, apart, np.nan)  # equal is nowhere on a logarithmic axis
        ax.plot(steps, drawn, color=colour, linewidth=1.6, linestyle=dashes)
        label_end(ax, steps[-1], apart[-1], name.replace(", ", ",\n"), colour)
    ax.axvline(switch, color=FAINT, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
    says = "float32: the first unit that is on\nin one run and off in the other"
    label_beside(ax, says, switch, 1e-11, (7, 0), INK)
    ax.set(yscale="log", ylim=(1e-18, 1), xlim=(0, None))
    ax.set(xlabel="step t", ylabel="largest distance of a parameter")
    return ax


@own_style()
def plot_width(scan: WidthScan, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw gradients and first steps beside the width of a net, measured and predicted.

    Parameters
    ----------
    scan : WidthScan
        From `adamlib.experiments.width_scan`; its eps in decreasing order.
    axes : pair of Axes, optional
        For the gradients and for the steps.

    Returns
    -------
    Figure
        On the first axes a line (theory) and dots (measured) of the gradients, then a line for
        each eps; on the second, for each eps, a line and dots of the steps. The darker the blue,
        the smaller the eps.
    """
    if axes is None:
        layout = ConstrainedLayoutEngine(wspace=0.06)
        axes = new_panels(columns=2, figsize=(8.8, 3.9), layout=layout)
    left, right = axes
    shades = np.linspace(0.45, 0.0, len(scan.eps))
    colours = [mixed("Adam", 1.0, shade) for shade in shades]
    width = np.geomspace(*RANGE, 301)
    sigma = gradient_at_width(width, scan.n, scan.d_out, scan.losses.mean())

    left.plot(width, sigma, color=INK, linewidth=1.4)
    left.plot(scan.widths, scan.gradients, "o", color=INK, markersize=4.5, zorder=3)
    label_beside(left, "(8), first layer: $H^{-1/2}$", width[165], sigma[165], (6, 4), INK)
    label_beside(left, "measured", scan.widths[0], scan.gradients[0], (8, 6), INK)
    for eps, steps, colour in zip(scan.eps, scan.steps, colours, strict=True):
        label = f"ε = $10^{{{round(np.log10(eps))}}}$"
        left.axhline(eps, color=colour, linewidth=1.8)
        label_beside(left, label, RANGE[1], eps, (-2, 5), colour, ha="right")
        right.plot(width, first_step_of_noise(eps / sigma), color=colour)
        right.plot(scan.widths, steps, "o", color=colour, markersize=4.5, zorder=3)
        half = width[np.argmin(np.abs(first_step_of_noise(eps / sigma) - 0.5))]
        label_beside(right, label, half, 0.5, (6, 3), colour)
    ticks = 10.0 ** np.arange(2, 17, 4)
    for ax, what in ((left, "gradient (RMS)"), (right, "first step (RMS), in units of lr")):
        ax.set(xscale="log", xlim=RANGE, xlabel="width H of the hidden layer", ylabel=what)
        ax.set_xticks(ticks)
        ax.minorticks_off()
    left.set(yscale="log", ylim=(1e-10, 1e-1))
    left.minorticks_off()
    right.set(ylim=(0, 1.05))
    return figure_of(left)
