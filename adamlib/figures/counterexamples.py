"""Walks on [−1, 1], denominators, and the eps that turns Adam round."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType, LineStyleType
from numpy.typing import NDArray

from ..experiments import Walk
from .base import figure_of, label_beside, label_ends, new_axes, new_panels, own_style
from .colours import COLOURS, FAINT, INK, MUTED, method_colour, mixed

DRAWN = 1500  # periods, evenly spaced on the logarithmic axis
LINES: tuple[LineStyleType, ...] = ("-", (0, (6, 2)), (0, (1, 1.2)))
SHADES = (0.0, 0.4, 0.2)  # how much black is in the lines of one method
SAME = 1.1  # lines that end closer together than this factor


@own_style()
def plot_walks(
    walks: Mapping[str, Walk],
    predicted: tuple[NDArray, NDArray] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw walks on [−1, 1] against time, each as the band that it covers within a period.

    Parameters
    ----------
    walks : mapping of str to Walk
        What to write beside the end of each; a walk has the colour of the method that its
        label begins with, a second one of the same method a darker shade of it.
    predicted : pair of ndarray, optional
        Steps and positions of rings.
    ax : Axes, optional

    Returns
    -------
    Axes
        One band (a collection) and one line (the middle of the band) a walk, in their order;
        then the lines at the two ends of the interval, then the rings.
    """
    ax = new_axes(figsize=(7.6, 4.4)) if ax is None else ax
    drawn: dict[ColorType, int] = {}
    for label, walk in walks.items():
        colour = _shade(label, drawn)[0]
        last = len(walk.steps) - 1
        some = np.unique(np.geomspace(1, last + 1, DRAWN).round().astype(int)) - 1
        steps, middle = walk.steps[some], walk.middle[some]
        band = walk.low[some], walk.high[some]
        ax.fill_between(steps, *band, color=colour, alpha=0.2, linewidth=0)
        ax.plot(steps, middle, color=colour)
        away = -14 if middle[-1] > 0 else 6  # from the end of the interval
        label_beside(ax, label, steps[-1], middle[-1], (5, away), colour, annotation_clip=False)
    first = min(walk.steps[0] for walk in walks.values())
    for place, text in ((1, "the worst point"), (-1, "the best point")):
        ax.axhline(place, color=FAINT, linewidth=1, linestyle=":", zorder=1)
        label_beside(ax, text, first, place, (4, 5 if place > 0 else -13), MUTED, fontsize=9)
    if predicted is not None:
        ax.plot(*predicted, "o", color=INK, markersize=5, markerfacecolor="white")
        x, y = (part[len(part) // 2] for part in predicted)
        label_beside(ax, "predicted", x, y, (10, 4), INK)
    ax.set(xscale="log", ylim=(-1.16, 1.16), yticks=[-1, -0.5, 0, 0.5, 1])
    ax.set(xlabel="step t", ylabel="position x", xlim=(first, None))
    return ax


@own_style()
def plot_denominators(roots: Mapping[str, NDArray], ax: Axes | None = None) -> Axes:
    """Draw what a gradient is divided by, step by step, on logarithmic scales.

    Parameters
    ----------
    roots : mapping of str to ndarray of float, shape (steps,)
        What to write beside each line, which has the colour of the method that its label
        begins with; lines of one method differ in their dashes and shades. One that ends
        where another ends is labelled at its beginning. The denominators at steps 1, 2, ….
    ax : Axes, optional

    Returns
    -------
    Axes
        One line for each, in their order.
    """
    ax = new_axes(figsize=(7.6, 4.2)) if ax is None else ax
    drawn: dict[ColorType, int] = {}
    ends: dict[str, tuple[float, ColorType]] = {}
    for label, values in roots.items():
        colour, style = _shade(label, drawn)
        (line,) = ax.plot(np.arange(1, len(values) + 1), values, color=colour, linestyle=style)
        if label == "Adam":  # seen below another
            line.set(linewidth=5, alpha=0.5)
        if any(1 / SAME < values[-1] / end < SAME for end, _ in ends.values()):
            label_beside(ax, label, 1, values[0], (6, -15), colour)
        else:
            ends[label] = (values[-1], colour)
    last = max(len(values) for values in roots.values())
    ax.set(xscale="log", yscale="log", xlim=(1, last), xlabel="step t", ylabel="denominator")
    label_ends(ax, last, ends)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:.0f}")
    return ax


def _shade(label: str, drawn: dict[ColorType, int]) -> tuple[ColorType, LineStyleType]:
    """Return colour and dashes of the next line; ``drawn`` counts those of each method."""
    colour = method_colour(label, FAINT)
    k = drawn.get(colour, 0) % len(LINES)
    drawn[colour] = drawn.get(colour, 0) + 1
    if colour == FAINT:
        return FAINT, LINES[k]
    method = next(name for name, value in COLOURS.items() if value == colour)
    return mixed(method, 0.0, SHADES[k]), LINES[k]


@own_style()
def plot_eps_threshold(
    eps: NDArray,
    drifts: NDArray,
    ends: NDArray,
    derived: tuple[NDArray, NDArray],
    threshold: float,
) -> Figure:
    """Draw how far Adam goes in a period, and where it ends, against eps.

    Parameters
    ----------
    eps, drifts, ends : ndarray of float, shape (n,)
        What was run: ε, the way of one settled period in units of lr, the last position.
    derived : pair of ndarray of float
        ε and the drift that follows from the equations.
    threshold : float
        The ε at which the derived drift is zero.

    Returns
    -------
    Figure
        Two axes above each other: drift (the derived line, a zero line, the points of the
        runs) and last position (the points). Red where Adam climbs, blue where it descends.
    """
    wrong, right = COLOURS["without correction"], COLOURS["Adam"]
    top, bottom = new_panels(2, sharex=True, figsize=(7.2, 5.6), height_ratios=(3, 2))
    colours = np.where(drifts > 0, wrong, right)
    for sign, colour in ((1, wrong), (-1, right)):
        part = np.where(sign * derived[1] >= 0, derived[1], np.nan)
        top.plot(derived[0], part, color=colour)
    top.axhline(0, color=FAINT, linewidth=1)
    top.scatter(eps, drifts, c=colours, s=22, zorder=3)
    bottom.scatter(eps, ends, c=colours, s=22, zorder=3)
    for ax in (top, bottom):
        ax.axvline(threshold, color=INK, linewidth=1.2, linestyle="--", zorder=1)
    label_beside(top, f"ε* = {threshold:.4f}", threshold, drifts.max(), (7, -4), INK)
    label_beside(top, "Adam climbs", eps[0], drifts[0] / 2, (0, 0), wrong, weight="bold")
    low = int(drifts.argmin())
    label_beside(top, "Adam descends", eps[low], drifts[low], (-30, -22), right, weight="bold")
    label_beside(bottom, "too slow\nto arrive", eps[-1], ends[-1], (4, -42), right, ha="right")
    top.set(xscale="log", ylabel="drift in one period / lr", ylim=(drifts.min() - 0.22, None))
    bottom.set(xlabel="ε, in the units of the gradient", ylabel="last position x")
    bottom.set(ylim=(-1.2, 1.2))
    bottom.set_yticks([-1, 0, 1], ["best  −1", "0", "worst  1"])
    bottom.xaxis.set_major_formatter("{x:g}")
    return figure_of(top)
