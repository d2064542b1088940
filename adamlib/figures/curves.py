"""Runs and steps against time: losses, lengths, distances, symptoms."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..experiments import Trace
from .base import (
    figure_of,
    label_beside,
    label_end,
    label_ends,
    new_axes,
    new_panels,
    own_style,
)
from .colours import (
    BACKGROUND_COLOURS,
    COLOURS,
    DIALECT_COLOURS,
    FAINT,
    INK,
    MUTED,
    method_colour,
)


@own_style()
def plot_losses(traces: Sequence[Trace], ax: Axes | None = None) -> Axes:
    """Draw the losses of several runs on a logarithmic scale, each labelled at its end.

    Parameters
    ----------
    traces : sequence of Trace
        A trace has the colour of its label's method in `COLOURS`; where the labels name no
        methods, colours go from dark to light in the order given.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a trace, in their order.
    """
    ax = new_axes() if ax is None else ax
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.75, len(traces)))
    for trace, shade in zip(traces, shades, strict=True):
        colour = method_colour(trace.label, shade)
        steps = np.arange(len(trace.losses))
        ax.plot(steps, trace.losses, color=colour)
        label_end(ax, steps[-1], trace.losses[-1], trace.label, colour)
    ax.set(yscale="log", xlabel="step t", ylabel="loss before the step")
    return ax


@own_style()
def plot_shrinkage(rates: NDArray, left: Mapping[str, NDArray], ax: Axes | None = None) -> Axes:
    """Draw what one step leaves of a swing, against the learning rate.

    Parameters
    ----------
    rates : ndarray of float, shape (rates,)
        Learning rates α, above 0, in rising order.
    left : mapping of str to ndarray of float, shape (rates,)
        A method → the share of a swing that a step leaves, below 1 where it dies out. The
        method's name is also that of its colour in `COLOURS`.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a method, in their order, labelled with the largest α at which a swing does
        not grow; then a dashed line at 1.
    """
    ax = new_axes() if ax is None else ax
    for method, shares in left.items():
        ax.plot(rates, shares, color=COLOURS[method])
        limit = rates[shares <= 1].max()
        text = f"{method}:\nup to α = {limit:.2f}"
        label_beside(ax, text, limit, 1.0, (-4, 8), COLOURS[method], ha="right")
    ax.axhline(1, color=FAINT, linestyle="--", linewidth=1.2, zorder=1)
    ax.set(xscale="log", xlim=(rates[0], rates[-1]), ylim=(0, 1.25))
    ax.set(xlabel="learning rate α", ylabel="share of a swing left by a step")
    return ax


@own_style()
def plot_longest_steps(
    lengths: Mapping[str, Sequence[float]],
    bounds: Mapping[str, float],
    ax: Axes | None = None,
) -> Axes:
    """Draw the lengths of steps from the first on, below the bounds that are claimed for them.

    Parameters
    ----------
    lengths : mapping of str to sequence of float
        What to call each run, and |Δₜ|/α of its steps.
    bounds : mapping of str to float
        What to call each bound, and its height in the same units; drawn dashed.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a run, in their order, then one a bound.
    """
    ax = new_axes() if ax is None else ax
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.6, len(lengths)))  # readable as text
    for (label, values), shade in zip(lengths.items(), shades, strict=True):
        ax.plot(np.arange(1, len(values) + 1), values, ".-", color=shade, markersize=5)
        label_end(ax, len(values), values[-1], label, shade)
    last = max(len(values) for values in lengths.values())
    for label, height in bounds.items():
        ax.axhline(height, color=FAINT, linestyle="--", linewidth=1.2, zorder=1)
        label_beside(ax, label, last, height, (0, 4), MUTED, ha="right")
    ax.set(xlim=(0, last), ylim=(0, 1.12 * ax.dataLim.y1))
    ax.set(xlabel="step", ylabel="length of the step, |Δ|/α")
    return ax


@own_style()
def plot_distances(
    distances: Mapping[str, NDArray], colours: Mapping[str, str], ax: Axes | None = None
) -> Axes:
    """Draw how far several runs are from a reference, step by step, on logarithmic scales.

    Parameters
    ----------
    distances : mapping of str to ndarray of float, shape (steps,)
        What to call each run, and its distance after steps 1, 2, …, in units of lr. A zero
        is left out.
    colours : mapping of str to str
        The same names → an entry of `DIALECT_COLOURS` each.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a run, in their order, each labelled at its end; then a dashed one at 1.
    """
    ax = new_axes(figsize=(7.8, 4.8)) if ax is None else ax
    last = max(len(values) for values in distances.values())
    ends = {}
    for label, values in distances.items():
        colour = DIALECT_COLOURS[colours[label]]
        drawn = np.where(values > 0, values, np.nan)
        ax.plot(np.arange(1, len(values) + 1), drawn, color=colour, linewidth=1.7)
        ends[label] = (drawn[-1], colour)
    ax.axhline(1, color=FAINT, linestyle="--", linewidth=1.2, zorder=1)
    label_beside(ax, "one step's length", 1, 1, (3, -13), MUTED, fontsize=9.5)
    ax.set(xscale="log", yscale="log", xlim=(1, last), xlabel="step t")
    ax.set_ylabel("distance from the paper's path / lr")
    label_ends(ax, last, ends)
    return ax


@own_style()
def plot_symptoms(right: Trace, wrong: Sequence[Trace], columns: int = 4) -> Figure:
    """Draw each of several runs in a panel of its own, with the right one in grey behind it.

    Parameters
    ----------
    right : Trace
        The run that all others are compared with.
    wrong : sequence of Trace
        One panel each, titled with its label. Where a loss is NaN the line ends in a cross.
    columns : int
        Panels in a row.

    Returns
    -------
    Figure
        With one Axes for each of ``wrong``, in their order; in each two lines, the right run
        first, labelled in the last. All have the same scales.
    """
    rows = -(-len(wrong) // columns)
    size = (2.2 * columns, 1.75 * rows + 0.3)
    panels = new_panels(rows, columns, sharex=True, sharey=True, figsize=size)
    for ax, trace in zip(panels, wrong, strict=False):
        ax.plot(
            right.losses,
            color=BACKGROUND_COLOURS["right run"],
            linewidth=4.5,
            solid_capstyle="round",
        )
        ax.plot(trace.losses, color=COLOURS["without correction"], linewidth=1.7)
        ax.set_title(trace.label, fontsize=9, loc="left", fontweight="bold")
        _mark_nan(ax, trace)
    for ax in panels[len(wrong) :]:
        ax.set_axis_off()
    end, top, labelled = len(right.losses) - 1, right.losses[0], panels[len(wrong) - 1]
    label_beside(labelled, right.label, end, right.losses[-1], (2, 13), FAINT, ha="right")
    panels[0].set(yscale="log", ylim=(top / 1e9, 8 * top), xlim=(-0.03 * (end + 1), None))
    figure = figure_of(panels[0])
    figure.supxlabel("step t", fontsize=11, color=INK)
    figure.supylabel("loss before the step", fontsize=11, color=INK)
    return figure


def _mark_nan(ax: Axes, trace: Trace) -> None:
    """Put a cross where the numbers of a run end."""
    finite = np.isfinite(trace.losses)
    if finite.all() or not finite[0]:
        return
    last = int(finite.argmin()) - 1
    colour = COLOURS["without correction"]
    ax.plot(last, trace.losses[last], "x", color=colour, markersize=8, markeredgewidth=2)
    label_beside(ax, f"NaN after step {last + 1}", last, trace.losses[last], (-3, -44), colour)
