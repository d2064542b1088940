"""Adam in 16 bits: maps of the first step, averages that stick, what repairs training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..experiments import PrecisionMap
from .base import TextStyle, figure_of, label_beside, new_axes, new_panels, own_style
from .colours import BACKGROUND_COLOURS, FORMAT_COLOURS, INK, MUTED, REGION_COLOURS

REGION_LABELS = {
    "NaN": "NaN",
    "infinite": "infinite",
    "too long": "too long",
    "fine": "fine",
    "eps gone": "fine, ε gone",
    "held back": "held back by ε",
    "no step": "no step",
}


@own_style()
def plot_precision_maps(maps: Sequence[PrecisionMap], axes: Sequence[Axes] | None = None) -> Figure:
    """Draw what a first step comes to in each of several formats, one panel each.

    Parameters
    ----------
    maps : sequence of PrecisionMap
        From `adamlib.experiments.precision_map`, all on the same grid.
    axes : sequence of Axes, optional
        One a format; new ones stand two in a row.

    Returns
    -------
    Figure
        On each of its axes one image of what was measured, in decades; below them the names of
        the colours.
    """
    if axes is None:
        rows = -(-len(maps) // 2)
        axes = new_panels(rows, 2, figsize=(8.6, 3.3 * rows + 0.7), layout="constrained")
    for ax, data in zip(axes, maps, strict=False):
        _draw_map(ax, data)
    for ax in axes[len(maps) :]:
        ax.set_axis_off()
    figure = figure_of(axes[0])
    figure.supxlabel("size of the gradient |g|", fontsize=11, color=INK)
    figure.supylabel("ε, in the units of the gradient", fontsize=11, color=INK)
    names = {REGION_COLOURS[name]: text for name, text in REGION_LABELS.items()}
    patches = [Patch(color=colour, label=text) for colour, text in names.items()]
    figure.legend(
        handles=patches,
        loc="outside upper center",
        ncols=len(patches),
        frameon=False,
        fontsize=10,
        handlelength=1.1,
        handletextpad=0.45,
        columnspacing=1.1,
    )
    return figure


def _draw_map(ax: Axes, data: PrecisionMap) -> None:
    x, y = np.log10(data.grads), np.log10(data.eps)
    half = (x[1] - x[0]) / 2
    rgb = np.zeros((*data.measured.shape, 3))
    for name, colour in REGION_COLOURS.items():
        rgb[data.measured == name] = to_rgb(colour)
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    ax.imshow(rgb, extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    ax.axhline(-8, color=INK, linewidth=1.1)
    ax.axhline(-8, color="white", linestyle=(0, (4, 4)), linewidth=1.1)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(data.dtype, loc="left", fontsize=11, fontweight="bold")
    for axis, decades in ((ax.xaxis, (-40, -24, -8, 8, 24)), (ax.yaxis, (-40, -24, -8))):
        axis.set_ticks(decades, [f"10$^{{{d}}}$" for d in decades])


@own_style()
def plot_averages_in(
    averages: Mapping[str, NDArray[np.float64]],
    switch: int,
    ax: Axes | None = None,
) -> Axes:
    """Draw the second moment in several formats, while the gradient is 1 and after it is 0.

    Parameters
    ----------
    averages : mapping of str to ndarray of float, shape (steps,)
        Name of a format → the average after steps 1, 2, …
    switch : int
        The last step with a gradient of 1.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a format, in their order, each labelled with its value at the switch.
    """
    ax = new_axes(figsize=(7.2, 4.0)) if ax is None else ax
    last = max(len(values) for values in averages.values())
    ax.axvspan(switch, last, color=BACKGROUND_COLOURS["gradient 0"], zorder=0)
    for name, values in averages.items():
        exact = name == "float64"
        colour = FORMAT_COLOURS[name]
        (line,) = ax.plot(np.arange(1, len(values) + 1), values, color=colour)
        if exact:
            line.set(color=BACKGROUND_COLOURS["exact average"], linewidth=5)
        stop, below = values[switch - 1], (-8, -24 if exact else -14)
        label_beside(
            ax, f"{name}: {stop:.2f}", switch, stop, below, colour, ha="right", va="center"
        )
    for x, text in ((switch / 2, "gradient 1"), ((switch + last) / 2, "gradient 0")):
        ax.text(x, 1.04, text, ha="center", color=MUTED)
    ax.set(xlim=(0, last), ylim=(0, 1.12), xlabel="step t", ylabel="second moment v")
    return ax


@own_style()
def plot_repairs(
    times: Mapping[tuple[str, str, str], NDArray[np.float64]],
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw how far runs in 16 bits end above runs in float64: a panel a format, a dot a run.

    Parameters
    ----------
    times : mapping of (format, format of the state, repair) to ndarray of float, shape (runs,)
        The loss in units of that of the same run in float64; NaN for a run that is lost. The
        order of the repairs is that of the rows.
    axes : sequence of Axes, optional
        One a format.

    Returns
    -------
    Figure
        On each of its axes, for each row, the runs with each kind of state; "NaN" at the right
        end where all are lost.
    """
    formats = list(dict.fromkeys(key[0] for key in times))
    repairs = list(dict.fromkeys(key[2] for key in times))
    if axes is None:
        axes = new_panels(
            1, len(formats), figsize=(8.6, 3.5), sharex=True, sharey=True, layout="constrained"
        )
    every = np.concatenate([[1, 2.5], *times.values()])
    low, high = 0.6 * np.nanmin(every), 4 * np.nanmax(every)
    ticks = [10**decade for decade in range(1 + int(np.log10(high)))]
    for ax, dtype in zip(axes, formats, strict=True):
        ax.axvline(1, color=INK, linewidth=1.1)
        ax.set(xscale="log", xlim=(low, high), ylim=(len(repairs) - 0.45, -0.75))
        for (name, state, repair), values in times.items():
            if name == dtype:
                _draw_runs(ax, dtype, state, repairs.index(repair), values)
        ax.set_xticks(ticks, [f"{tick:,}".replace(",", " ") for tick in ticks])
        ax.minorticks_off()
        ax.set_yticks(range(len(repairs)), repairs)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        ax.set_title(dtype, loc="left", fontsize=11, fontweight="bold")
    figure = figure_of(axes[0])
    figure.supxlabel("loss, in units of the loss in float64", fontsize=11, color=INK)
    return figure


def _draw_runs(ax: Axes, dtype: str, state: str, row: int, values: NDArray[np.float64]) -> None:
    """Draw a row's runs with one kind of state; in the first row, name it where they end."""
    narrow, lost, colour = state == dtype, np.isnan(values).all(), FORMAT_COLOURS[state]
    height = row + (-0.17 if narrow else 0.17)
    low, high = ax.get_xlim()
    end, aside = (high, -6) if lost else (np.nanmax(values), 0)
    style = TextStyle(ha="right" if end > np.sqrt(low * high) else "left", va="center", fontsize=10)
    if lost:
        label_beside(ax, "NaN", end, height, (aside, 0), colour, **style)
    else:
        dots = ax.scatter(values, np.full(len(values), height), s=34, color=colour, linewidth=1.4)
        dots.set(facecolor="white" if narrow else colour, alpha=0.9)
    if row == 0:
        place = aside, 15 if narrow else -15
        label_beside(ax, f"m, v in {state}", end, height, place, colour, **style)
