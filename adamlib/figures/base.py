"""The look of the course: axes, labels, and `show`."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes

STYLE = Path(__file__).with_name("adamlib.mplstyle")
MINIMUM_ALT = 40


def own_style() -> "AbstractContextManager[None]":
    """Within it, and in a function that it decorates, matplotlib's defaults and our style hold.

    Whatever a ``matplotlibrc`` or the caller has set stays out, and is back afterwards.
    """
    return plt.style.context(STYLE, after_reset=True)


@own_style()
def new_axes(
    figsize: tuple[float, float] | None = None, layout: str | None = None, **options: object
) -> "Axes":
    """Return the axes of a new figure in the style of the course.

    Parameters
    ----------
    figsize : (float, float), optional
        Width and height in inches; those of the style unless given.
    layout : str, optional
        What places the axes; as the style has it unless given.
    **options
        Passed to `matplotlib.figure.Figure.subplots`.
    """
    try:
        figure = plt.figure(figsize=figsize, layout=layout)
    except ImportError:  # the caller's backend opens windows, and cannot here
        figure = Figure(figsize=figsize, layout=layout)
    return figure.subplots(**options)


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

    check_alt(alt)
    picture, metadata = png(figure)
    display(
        {"image/png": picture, "text/plain": f"Figure: {alt}"},
        raw=True,
        metadata={"image/png": {"alt": alt, **metadata}},
    )


def check_alt(alt: str) -> None:
    """Refuse a description that says nothing."""
    if len(alt) < MINIMUM_ALT:
        raise ValueError(
            f"alt has {len(alt)} characters (expected a description of {MINIMUM_ALT} or more)"
        )


def png(figure: "Figure | Axes", settled: bool = False) -> tuple[bytes, dict[str, int]]:
    """Return a figure as a PNG, with the width and height to show it at; closes the figure.

    Parameters
    ----------
    figure : Figure or Axes
    settled : bool
        Whether all axes have their places already: then it is drawn once, which takes half the
        time, instead of once for the layout and once for the picture.

    Returns
    -------
    picture : bytes
        The same on each call and with each version of matplotlib that draws the same.
    size : dict
        ``width`` and ``height`` in CSS pixels.

    Raises
    ------
    TypeError
        ``figure must be a matplotlib Figure or Axes, got list``.
    """
    figure = getattr(figure, "figure", figure)
    if not hasattr(figure, "savefig"):
        raise TypeError(f"figure must be a matplotlib Figure or Axes, got {type(figure).__name__}")
    width, height = (round(inches * figure.get_dpi()) for inches in figure.get_size_inches())
    buffer = io.BytesIO()
    without_version = {"Software": None}  # the file is the same with the next matplotlib
    canvas = FigureCanvasAgg(figure)  # another backend may have no way to make a PNG
    with own_style():
        if settled:
            figure.set_dpi(plt.rcParams["savefig.dpi"])
            canvas.print_png(buffer, metadata=without_version)
        else:
            figure.savefig(buffer, format="png", metadata=without_version)
    plt.close(figure)
    return buffer.getvalue(), {"width": width, "height": height}


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


def label_beside(
    ax: "Axes", text: str, x: float, y: float, points: tuple[int, int], colour: str, **style: object
) -> None:
    """Write a text so many points to the right of and above a place."""
    ax.annotate(text, (x, y), xytext=points, textcoords="offset points", color=colour, **style)
