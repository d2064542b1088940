"""Adam in 16 bits: maps of the first step, averages that stick, steps that grow."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from ..experiments import PRECISION_STEPS, PrecisionMap
from .base import COLOURS, label_end, new_axes
from .first_steps import FIRST_STEP_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRECISION_COLOURS = {
    name: FIRST_STEP_COLOURS.get(name, {"no step": "#C4C4C4", "eps gone": "#5FAE93"}.get(name))
    for name in PRECISION_STEPS
}
"""Regions of the maps of first steps in four formats, those of notebook 03 and two more."""

FORMAT_COLOURS = {
    "float16": "#D55E00",
    "bfloat16": "#6A51A3",
    "float32": COLOURS["Adam"],
    "float64": "#555555",
}
"""The colour of a number format."""

REGION_LABELS = {
    "NaN": "NaN",
    "infinite": "±∞",
    "too long": "too long",
    "fine": "fine",
    "eps gone": "fine, ε gone",
    "held back": "held back by ε",
    "no step": "no step",
}
ON_DARK = ("NaN", "infinite")
CHARACTER = (1.3, 2.4)  # width and height of a label's character on a map, in decades


def plot_precision_maps(
    maps: Sequence[PrecisionMap], axes: "Sequence[Axes] | None" = None
) -> "Figure":
    """Draw what a first step comes to in each of several formats, one panel each.

    Parameters
    ----------
    maps : sequence of PrecisionMap
        From `adamlib.experiments.precision_map`, all on the same grid.
    axes : sequence of Axes, optional
        Drawn into if given, else new ones, two in a row.

    Returns
    -------
    Figure
        On each of its axes one image of what was measured, in decades.
    """
    if axes is None:
        rows = -(-len(maps) // 2)
        options = dict(sharex=True, sharey=True, squeeze=False, layout="constrained")
        size = (8.6, 3.15 * rows + 0.3)
        axes = new_axes(nrows=rows, ncols=2, figsize=size, **options).ravel()
    for ax, data in zip(axes, maps, strict=False):
        _draw_map(ax, data)
    for ax in axes[len(maps) :]:
        ax.set_axis_off()
    figure = axes[0].figure
    figure.supxlabel("size of the gradient |g|", fontsize=11, color="#222222")
    figure.supylabel("ε, in the units of the gradient", fontsize=11, color="#222222")
    return figure


def _draw_map(ax: "Axes", data: PrecisionMap) -> None:
    x, y = np.log10(data.grads), np.log10(data.eps)
    half = (x[1] - x[0]) / 2
    rgb = np.array([to_rgb(PRECISION_COLOURS[name]) for name in data.measured.flat])
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    image = rgb.reshape(*data.measured.shape, 3)
    ax.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    ax.axhline(-8, color="white", linewidth=1.6)
    ax.axhline(-8, color="#222222", linestyle=(0, (4, 2.5)), linewidth=1.1)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(data.dtype, loc="left", fontsize=11, fontweight="bold")
    ticks = np.arange(-40, 25, 16)
    ax.set_xticks(ticks, [f"10$^{{{d}}}$" if d else "1" for d in ticks])
    ticks = [-40, -24, -8]
    ax.set_yticks(ticks, [f"10$^{{{d}}}$" for d in ticks])
    ax.label_outer()
    for name, text in REGION_LABELS.items():
        for part in _left_and_right(data.measured == name):
            _write_into(ax, part, x, y, text, "white" if name in ON_DARK else "#222222")


def _left_and_right(where: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return a region, or both of its parts where columns without it stand between them."""
    columns = np.flatnonzero(where.any(axis=0))
    gaps = np.flatnonzero(np.diff(columns) > 1)
    if not len(gaps):
        return [where]
    left = np.arange(where.shape[1]) <= columns[gaps[0]]
    return [where & left, where & ~left]


def _write_into(
    ax: "Axes", where: NDArray[np.bool_], x: NDArray, y: NDArray, text: str, colour: str
) -> None:
    """Write a text into a region where it fits, lying or else upright, as central as it can."""
    points = 1 / (x[1] - x[0])
    width, height = (len(text) * CHARACTER[0] * points, CHARACTER[1] * points)
    for rotation, size in ((0, (height, width)), (90, (width, height))):
        rows, columns = np.nonzero(_fits(where, *(int(np.ceil(length)) for length in size)))
        if len(rows):
            centre = [places.mean() for places in np.nonzero(where)]
            best = np.argmin((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)
            style = dict(ha="center", va="center", color=colour, fontsize=9)
            ax.text(x[columns[best]], y[rows[best]], text, rotation=rotation, **style)
            return


def _fits(where: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Where a rectangle of so many points, rounded up to an odd number, lies in a region."""
    half_rows, half_columns = rows // 2, columns // 2
    padded = np.pad(where, ((half_rows, half_rows), (half_columns, half_columns)))
    shape = (2 * half_rows + 1, 2 * half_columns + 1)
    return np.lib.stride_tricks.sliding_window_view(padded, shape).all(axis=(2, 3))


def plot_averages_in(
    averages: Mapping[str, NDArray[np.float64]],
    switch: int,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the second moment in several formats, while the gradient is 1 and after it is 0.

    Parameters
    ----------
    averages : mapping of str to ndarray of float, shape (steps,)
        Name of a format → the average after steps 1, 2, …
    switch : int
        The last step with a gradient of 1.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a format, in their order, each labelled with its value at the switch.
    """
    ax = new_axes(figsize=(7.2, 4.0)) if ax is None else ax
    last = max(len(values) for values in averages.values())
    ax.axvspan(switch, last, color="#F2F2F2", zorder=0)
    for name, values in averages.items():
        exact = name == "float64"
        style = dict(color="#BDBDBD", linewidth=5) if exact else dict(color=FORMAT_COLOURS[name])
        ax.plot(np.arange(1, len(values) + 1), values, **style)
        below = dict(
            xytext=(-8, -24 if exact else -14), textcoords="offset points", ha="right", va="center"
        )
        stop = values[switch - 1]
        label = f"{name}: {stop:.2f}"
        ax.annotate(label, (switch, stop), color=FORMAT_COLOURS[name], **below)
    for x, text in ((switch / 2, "gradient 1"), ((switch + last) / 2, "gradient 0")):
        ax.text(x, 1.04, text, ha="center", color="#555555")
    ax.set(xlim=(0, last), ylim=(0, 1.12), xlabel="step t", ylabel="second moment v")
    return ax


def plot_growing_steps(
    measured: Mapping[str, NDArray[np.float64]],
    predicted: NDArray[np.float64],
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the steps of several implementations against time, and the prediction for one.

    Parameters
    ----------
    measured : mapping of str to ndarray of float, shape (steps,)
        What to call an implementation → its steps in units of lr. One that is infinite from
        the start has an arrow upwards instead of a line.
    predicted : ndarray of float, shape (steps,)
        Drawn dashed.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line for each implementation that is finite, in their order, then the prediction.
    """
    ax = new_axes(figsize=(7.2, 4.2)) if ax is None else ax
    shades = [COLOURS["without correction"], COLOURS["Adam"], "#555555"]
    top, steps = 45.0, np.arange(1, len(predicted) + 1)
    finite = {name: values for name, values in measured.items() if np.isfinite(values[0])}
    for (name, values), colour in zip(finite.items(), shades, strict=False):
        ax.plot(steps, values, color=colour, linewidth=2.6)
        label_end(ax, steps[-1], values[-1], name, colour)
    ax.plot(steps, predicted, color="#222222", linestyle="--", linewidth=1.1)
    i = len(steps) // 30
    beside = dict(xytext=(10, -12), textcoords="offset points", color="#222222")
    ax.annotate(r"$\sqrt{(1-\beta_2^t)/(1-\beta_2)}$", (steps[i], predicted[i]), **beside)
    for name in measured.keys() - finite.keys():
        style = dict(arrowstyle="-|>", color=COLOURS["momentum"], linewidth=2)
        ax.annotate("", (1.12, top), xytext=(1.12, 1), arrowprops=style)
        ax.annotate(
            f"{name}: infinite",
            (1.12, 20),
            xytext=(10, 0),
            textcoords="offset points",
            color="#9A6B00",
        )
    ax.set(xscale="log", yscale="log", xlim=(1, steps[-1]), ylim=(0.7, top))
    ax.set_yticks([1, 3, 10, 30], ["1", "3", "10", "30"])
    ax.minorticks_off()
    ax.set(xlabel="step t", ylabel="length of the step / lr")
    return ax
