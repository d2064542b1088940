"""First steps beside eps: the map of what they come to, NaN on its way, lengths."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..experiments import FirstStepMap, NanSpread
from .base import figure_of, label_beside, label_end, new_axes, new_panels, own_style
from .colours import COLOURS, INK, MUTED, NAN_COLOUR, NUMBER_COLOUR, REGION_COLOURS

FIRST_STEP_LABELS = {
    "too long": "too long:\n|g|/ε times lr",
    "arbitrary": "arbitrary:\nrounding noise\nmoves it by\n½ to 1 lr",
    "fine": "fine:\n½ to 1 lr",
    "held back": "held back by ε",
}
ZERO_GAP, ZERO_WIDTH = 1.0, 3.5  # of the strips for zero, in decades


@own_style()
def plot_first_step_map(data: FirstStepMap, ax: Axes | None = None) -> Axes:
    """Draw what a first step comes to for each gradient and eps, each region labelled.

    Parameters
    ----------
    data : FirstStepMap
        From `adamlib.experiments.first_step_map`.
    ax : Axes, optional

    Returns
    -------
    Axes
        In decades; four images: all sizes, ε = 0, g = 0, and both zero. The strips for zero
        stand to the left of the smallest gradient and below the smallest eps.
    """
    ax = new_axes(figsize=(7.6, 5.4)) if ax is None else ax
    rgb = np.array([to_rgb(REGION_COLOURS[name]) for name in data.outcomes.flat])
    rgb = rgb.reshape(*data.outcomes.shape, 3)
    (x_zero, x_rest), (y_zero, y_rest) = _zero_and_rest(data.grads), _zero_and_rest(data.eps)
    zero, rest = slice(0, 1), slice(1, None)
    for rows, ys in ((rest, y_rest), (zero, y_zero)):
        for columns, xs in ((rest, x_rest), (zero, x_zero)):
            image = rgb[rows, columns]
            ax.imshow(
                image, extent=(*xs, *ys), origin="lower", aspect="auto", interpolation="nearest"
            )
    ax.set(xlim=(x_zero[0], x_rest[1]), ylim=(y_zero[0], y_rest[1]))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="size of the gradient |g|", ylabel="ε, in the units of the gradient")
    for axis, strip, span in ((ax.xaxis, x_zero, x_rest), (ax.yaxis, y_zero, y_rest)):
        decades = np.arange(np.ceil(span[0] / 8) * 8, span[1] + 1, 8)
        axis.set_ticks([np.mean(strip), *decades], ["0", *(f"10$^{{{d:.0f}}}$" for d in decades)])
    _label_first_step_map(ax, data, float(np.mean(x_zero)), float(np.mean(y_zero)))
    return ax


def _zero_and_rest(values: NDArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the strip for zero and the other values begin and end, in decades."""
    decades = np.log10(values[1:])
    half = (decades[1] - decades[0]) / 2
    first, last = decades[0] - half, decades[-1] + half
    return (first - ZERO_GAP - ZERO_WIDTH, first - ZERO_GAP), (first, last)


def _label_first_step_map(ax: Axes, data: FirstStepMap, x_zero: float, y_zero: float) -> None:
    """Write the regions' names into their middles, the thresholds above, the default beside."""
    x, y = np.log10(data.grads[1:]), np.log10(data.eps[1:])
    for name, text in FIRST_STEP_LABELS.items():
        rows, columns = np.nonzero(data.outcomes[1:, 1:] == name)
        if len(rows):
            ax.text(x[columns].mean(), y[rows].mean(), text, ha="center", va="center")
    infinite = x[data.outcomes[0, 1:] == "infinite"]
    if len(infinite):
        ax.text(infinite.mean(), y_zero, "±∞", ha="center", va="center", color="white")
    nan = {x_zero: 0}
    tiny = x[data.outcomes[0, 1:] == "NaN"]
    if len(tiny):  # m is lost as well; the block is too narrow for a word that lies
        nan[tiny.mean()] = 90
    for at, turn in nan.items():
        ax.text(
            at, y_zero, "NaN", rotation=turn, ha="center", va="center", color="white", fontsize=9
        )
    for where, text in ((data.underflow, "v is stored as 0"), (data.noise, "rounding noise")):
        factor, exponent = f"{where:.0e}".split("e")
        ax.annotate(
            f"below {factor}·10$^{{{int(exponent)}}}$\n{text}",
            (np.log10(where), 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 5),
            textcoords="offset points",
            ha="right",
            fontsize=9,
        )
    _label_diagonal(ax, data)
    ax.axhline(-8, color=INK, linestyle="--", linewidth=1)
    label_end(ax, x[-1], -8, "ε = 10⁻⁸,\nthe default", INK)


def _label_diagonal(ax: Axes, data: FirstStepMap) -> None:
    """Write ε = |g| along the line where both are equal, near its lower end."""
    (x_low, x_high), (y_low, y_high) = (_zero_and_rest(v)[1] for v in (data.grads, data.eps))
    low, high = max(x_low, y_low), min(x_high, y_high)
    if low < high:
        place = min(low + 8, (low + high) / 2)  # a tick away from the corner, if there is room
        ax.text(
            place,
            place + 1.1,
            "ε = |g|",
            rotation=45,
            rotation_mode="anchor",
            transform_rotates_text=True,
        )


@own_style()
def plot_nan_spread(data: NanSpread, axes: Sequence[Axes] | None = None) -> Figure:
    """Draw every parameter of the two-layer net as a cell, dark where it is NaN.

    Parameters
    ----------
    data : NanSpread
        Of a net with the parameters W1, b1, W2, b2.
    axes : sequence of Axes, optional
        One for the start and one for each update.

    Returns
    -------
    Figure
        On each of its axes four meshes, W1, b1, W2, b2 in this order: 1 for NaN, else 0.
    """
    n = len(data.masks)
    axes = new_panels(columns=n, figsize=(2.6 * n, 3.3)) if axes is None else axes
    for t, (ax, masks, loss) in enumerate(zip(axes, data.masks, data.losses, strict=True)):
        h, d_in = masks["W1"].shape
        corners = {"W1": (0, 0), "b1": (d_in + 1, 0), "W2": (0, h + 2), "b2": (d_in + 1, h + 2)}
        for name, (x, y) in corners.items():
            _draw_mask(ax, masks[name].reshape(len(masks[name]), -1), x, y)
            ax.text(x, y - 0.25, name, fontsize=9, va="bottom")
        when = "start" if t == 0 else f"after update {t}"
        ax.text(0, -1.6, when, fontsize=11, fontweight="bold", va="bottom")
        there = "NaN" if np.isnan(loss) else f"{loss:.0f}"
        count, size = (sum(f(mask) for mask in masks.values()) for f in (np.sum, np.size))
        below = h + 2 + len(masks["b2"])
        ax.text(0, below + 0.4, f"NaN: {count} of {size}\nloss: {there}", va="top")
        ax.set(
            aspect="equal", xticks=[], yticks=[], xlim=(-0.5, d_in + 3), ylim=(below + 2.7, -2.8)
        )
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figure_of(axes[0])


def _draw_mask(ax: Axes, mask: NDArray, x: float, y: float) -> None:
    """One square for each entry, the first one with its corner at x, y."""
    ax.pcolormesh(
        x + np.arange(mask.shape[1] + 1),
        y + np.arange(mask.shape[0] + 1),
        mask.astype(float),
        cmap=ListedColormap([NUMBER_COLOUR, NAN_COLOUR]),
        vmin=0,
        vmax=1,
        edgecolor="white",
        linewidth=1,
    )


Curves = Mapping[str, tuple[NDArray, NDArray]]


@own_style()
def plot_step_lengths(lines: Curves, points: Curves, ax: Axes | None = None) -> Axes:
    """Draw how long a step is against the size of the gradient, in units of ε.

    Parameters
    ----------
    lines, points : mapping
        Name of a kind of gradient → its sizes in units of ε, and the steps in units of lr: as
        predicted, and as measured. The same one or two names in both.
    ax : Axes, optional

    Returns
    -------
    Axes
        For each name a line and a line of markers, filled for the first name, open for the
        second; the measured length where the gradient is as large as ε is written beside it.
    """
    ax = new_axes() if ax is None else ax
    ax.axvline(1, color=MUTED, linestyle=":", linewidth=1.2)
    ax.text(0.85, 0.9, "as large as ε", color=MUTED, ha="right", va="center")
    for name, face in zip(lines, (COLOURS["Adam"], "white"), strict=False):
        ax.plot(*lines[name], color=COLOURS["Adam"])
        ax.plot(*points[name], "o", color=COLOURS["Adam"], markerfacecolor=face, markersize=5)
        label_end(ax, lines[name][0][-1], lines[name][1][-1], name, COLOURS["Adam"])
        for x, y in zip(*points[name], strict=True):
            if np.isclose(x, 1):
                label_beside(ax, f"{y:.3g} lr", x, y, (8, -12), COLOURS["Adam"])
    ax.set(xscale="log", ylim=(0, 1.06), ylabel="length of the step / lr")
    ax.set_xlabel("size of the gradient / ε")
    return ax
