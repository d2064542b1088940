"""The steps of an optimizer that was identified, beside the right ones."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from ..identification import Identification
from .base import label_beside, new_panels, own_style
from .colours import BACKGROUND_COLOURS, COLOURS, INK

OWN, RIGHT = COLOURS["without correction"], BACKGROUND_COLOURS["right run"]


@own_style()
def plot_identification(
    answer: Identification, axes: Sequence[Axes] | None = None
) -> Sequence[Axes]:
    """Draw an optimizer's steps beside the right ones: over the steps, and over gradient sizes.

    Parameters
    ----------
    answer : Identification
        Of `adamlib.identify`, with steps: not of an error.
    axes : sequence of two Axes, optional

    Returns
    -------
    sequence of two Axes
        The length of a step in units of lr, first with a steady gradient of 1 from step 1 on, then
        late, with steady gradients of many sizes. Each has the right one as a wide grey line,
        where a right one is known, and its own.

    Raises
    ------
    ValueError
        ``no steps to draw: the verdict is 'error'``.
    """
    steps = answer.steps
    if steps is None:
        raise ValueError(f"no steps to draw: the verdict is {answer.verdict!r}")
    axes = new_panels(1, 2, figsize=(8.6, 3.8), sharey=True) if axes is None else axes
    t = np.arange(1, len(steps.over_steps) + 1)
    curves = (
        (t, steps.over_steps, steps.right_over_steps),
        (steps.sizes, steps.over_sizes, steps.right_over_sizes),
    )
    for ax, (x, own, right) in zip(axes, curves, strict=True):
        if right is not None:
            ax.plot(x, length(right), color=RIGHT, linewidth=7, solid_capstyle="round")
        ax.plot(x, length(own), color=OWN, marker="o", markersize=3.5)
        ax.set(yscale="log")
    axes[0].set(xlabel="step t, gradient always 1", ylabel="length of a step in units of lr")
    axes[1].set(xscale="log", xlabel="size of a steady gradient, late steps")
    axes[1].xaxis.set_major_locator(LogLocator(base=1000, numticks=20))
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(min(low, 0.05), max(high, 5))
    place_words(axes[0], t, steps.over_steps, steps.right_over_steps)
    return axes


def length(steps: NDArray) -> NDArray:
    """The length; what is zero or not a number is left out."""
    found = np.abs(steps)
    return np.where(np.isfinite(found) & (found > 0), found, np.nan)


def place_words(ax: Axes, t: NDArray, own: NDArray, right: NDArray | None) -> None:
    """Name the two lines at the middle of the panel, its own away from the right one."""
    middle = len(t) // 2
    height = length(own)[middle]
    if np.isnan(height):
        return
    above = right is None or height >= length(right)[middle]
    own_at, right_at = ((0, 12), (0, -14)) if above else ((0, -14), (0, 12))
    label_beside(ax, "this one", t[middle], height, own_at, OWN, ha="center", va="center")
    if right is not None:
        y = length(right)[middle]
        label_beside(ax, "the right one", t[middle], y, right_at, INK, ha="center", va="center")
