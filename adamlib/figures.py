"""Draw traces: plot_*(data, ax) → ax, and show(figure, alt). No mathematics here."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from .experiments import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("adamlib.mplstyle")
MINIMUM_ALT = 40

COLOURS = {
    "SGD": "#000000",
    "momentum": "#E69F00",
    "RMSProp": "#009E73",
    "Adam": "#0072B2",
    "AMSGrad": "#CC79A7",
    "without correction": "#D55E00",
}
"""The colour of a method, the same in every figure of the course (Okabe & Ito 2008)."""


def new_axes(**options: object) -> "Axes":
    """Return the axes of a new figure in the style of the course.

    Parameters
    ----------
    **options
        Passed to `matplotlib.pyplot.subplots`.
    """
    with plt.style.context(STYLE):
        return plt.subplots(**options)[1]


def show(figure: "Figure | Axes", alt: str) -> None:
    """Display a figure as a PNG that carries a description for those who do not see it.

    Parameters
    ----------
    figure : Figure or Axes
        Closed afterwards, so that a notebook does not draw it twice.
    alt : str
        What there is to see, in a sentence or two; stored with the output.

    Raises
    ------
    ValueError
        ``alt has 3 characters (expected a description of 40 or more)``.
    TypeError
        ``figure must be a matplotlib Figure or Axes, got list``.
    """
    from IPython.display import display

    figure = getattr(figure, "figure", figure)
    if not hasattr(figure, "savefig"):
        raise TypeError(f"figure must be a matplotlib Figure or Axes, got {type(figure).__name__}")
    if len(alt) < MINIMUM_ALT:
        raise ValueError(
            f"alt has {len(alt)} characters (expected a description of {MINIMUM_ALT} or more)"
        )
    buffer = io.BytesIO()
    with plt.style.context(STYLE):
        # Without the version of matplotlib in it, the file is the same on the next one.
        figure.savefig(buffer, format="png", metadata={"Software": None})
    width, height = (round(inches * figure.get_dpi()) for inches in figure.get_size_inches())
    plt.close(figure)
    display(
        {"image/png": buffer.getvalue(), "text/plain": f"Figure: {alt}"},
        raw=True,
        metadata={"image/png": {"alt": alt, "width": width, "height": height}},
    )


def label_end(ax: "Axes", x: float, y: float, text: str, colour: object) -> None:
    """Write a label to the right of a line's last point, in the colour of the line."""
    ax.annotate(
        text,
        (x, y),
        xytext=(6, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        annotation_clip=False,
    )


def plot_losses(traces: Sequence[Trace], ax: "Axes | None" = None) -> "Axes":
    """Draw the losses of several runs on a logarithmic scale, each labelled at its end.

    Parameters
    ----------
    traces : sequence of Trace
        In the order of their colours, dark to light.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a trace, in their order.
    """
    ax = new_axes() if ax is None else ax
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.75, len(traces)))
    for trace, colour in zip(traces, colours, strict=True):
        steps = np.arange(len(trace.losses))
        ax.plot(steps, trace.losses, color=colour)
        label_end(ax, steps[-1], trace.losses[-1], trace.label, colour)
    ax.set(yscale="log", xlabel="step t", ylabel="loss before the step")
    return ax
