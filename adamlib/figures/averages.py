"""What a moving average is made of, and what a step is without its correction."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from .base import figure_of, label_beside, new_axes, new_panels, own_style
from .colours import COLOURS, mixed


@own_style()
def plot_average(weights: Mapping[str, Sequence[NDArray]]) -> Figure:
    """Draw what a moving average is made of, step by step, one panel an average.

    A column is the whole average after t values, of height 1. Its blue pieces are the weights
    of the values, the newest at the bottom and darkest; what they leave open is the start.

    Parameters
    ----------
    weights : mapping of str to sequence of arrays
        Title of the panel → weights after 1, 2, … values, the oldest first, as
        `adamlib.moments.ema_weights` gives them.

    Returns
    -------
    Figure
        With one Axes an average, side by side.
    """
    panels = new_panels(columns=len(weights), sharey=True)
    for ax, (title, columns) in zip(panels, weights.items(), strict=True):
        _draw_columns(ax, columns)
        ax.set_title(title, loc="left")
        ax.set(xlabel="step t", xticks=sorted({1, *range(10, len(columns) + 1, 10)}))
    panels[0].set_ylabel("share of the average")
    return figure_of(panels[0])


def _draw_columns(ax: Axes, columns: Sequence[NDArray]) -> None:
    """Draw one column a step, its pieces from the newest value up, and name the parts."""
    last = len(columns)
    steps = np.arange(1, last + 1)
    ax.bar(steps, 1.0, width=1.0, color=mixed("without correction", 1.0, 0.7))
    newest_first = columns[-1][::-1]
    tops = newest_first.cumsum()
    for age, (weight, top) in enumerate(zip(newest_first, tops, strict=True)):
        shade = mixed("Adam", 1.0, 0.8 * age / last)
        heights = [column[-1 - age] for column in columns[age:]]
        ax.bar(steps[age:], heights, 1.0, top - weight, color=shade)
        if weight > 0.004:
            ax.hlines(top, age + 0.5, last + 0.5, color="white", linewidth=0.5)

    def write(y: float, text: str, colour: ColorType = "white") -> None:
        ax.text(0.97 * last, y, text, color=colour, ha="right", va="center")

    together = f"all {last} together: {tops[-1]:.0%}"
    if newest_first[0] > 0.06:  # a text fits into the pieces
        for age, name in enumerate(("newest value", "the one before")[:last]):
            middle = tops[age] - newest_first[age] / 2
            write(middle, f"{name}: {newest_first[age]:.0%}")
        high = min(5, last - 1)
        write(tops[high] - newest_first[high] / 2, together)
        ends = (0.985 * last, 0.005), (0.985 * last, tops[-1] - 0.01)
        bracket = "|-|, widthA=0.2, widthB=0.2"
        arrow = dict(arrowstyle=bracket, color="white", shrinkA=0, shrinkB=0)
        ax.annotate("", *ends, arrowprops=arrow)
    else:
        write(tops[-1] + 0.04, together, mixed("Adam", 0.0, 0.3))
    dark = mixed("without correction", 0.0, 0.4)
    ax.text(1.2, 0.97, "the zero at\nthe start", color=dark, va="top")
    ax.set(xlim=(0.5, last + 0.5), ylim=(0, 1))
    ax.grid(False)


@own_style()
def plot_uncorrected_step(
    steps: NDArray,
    corrected: NDArray,
    uncorrected: NDArray,
    marks: Sequence[int] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the length of a step with and without the bias corrections.

    Parameters
    ----------
    steps : ndarray of int, shape (n,)
        The steps t, drawn on a logarithmic scale.
    corrected, uncorrected : ndarray of float, shape (n,)
        Step over lr at each of them.
    marks : sequence of int
        Steps at which the uncorrected length is written beside its curve.
    ax : Axes, optional

    Returns
    -------
    Axes
        With the two lines, the corrected one first, then one dot a mark.
    """
    ax = new_axes() if ax is None else ax
    blue, red = COLOURS["Adam"], COLOURS["without correction"]
    ax.plot(steps, corrected, color=blue)
    ax.plot(steps, uncorrected, color=red)
    for mark in marks:
        here = int(np.flatnonzero(steps == mark).item())
        length = uncorrected[here]
        rises = uncorrected[min(here + 1, len(steps) - 1)] > length
        ax.plot(mark, length, "o", color=red)
        label_beside(ax, f"{length:.2f} at t = {mark}", mark, length, (9, -13 if rises else 4), red)
    top = uncorrected.argmax()
    label_beside(
        ax, "without correction", steps[top], uncorrected[top], (9, 22), red, weight="bold"
    )
    label_beside(ax, "Adam: the step that you asked for", steps[0], corrected[0], (0, -17), blue)
    ax.set(xscale="log", xlabel="step t", ylabel="length of the step / lr")
    ax.set(xlim=(0.8 * steps[0], steps[-1]), ylim=(0, 1.2 * uncorrected[top]))
    ax.xaxis.set_major_formatter("{x:.0f}")
    return ax
