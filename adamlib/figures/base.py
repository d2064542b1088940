"""The look of the course: axes, labels, and `show`."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.typing import ColorType

STYLE = Path(__file__).with_name("adamlib.mplstyle")
MINIMUM_ALT = 40
APART = 14  # points between the middles of labels that do not overlap

Layout = Literal["constrained", "compressed", "tight"] | LayoutEngine
Shared = bool | Literal["row", "col"]


class TextStyle(TypedDict, total=False):
    """How a label looks and where it stands, as `matplotlib.text.Annotation` calls it."""

    ha: Literal["left", "center", "right"]
    va: Literal["top", "center", "baseline", "bottom"]
    fontsize: float
    weight: Literal["bold"]
    annotation_clip: bool


@contextmanager
def own_style() -> Iterator[None]:
    """Within it, and in a function that it decorates, matplotlib's defaults and our style hold.

    Whatever a ``matplotlibrc`` or the caller has set stays out, and is back afterwards.
    """
    with plt.style.context(STYLE, after_reset=True):
        yield


def new_axes(figsize: tuple[float, float] | None = None, layout: Layout | None = None) -> Axes:
    """Return the axes of a new figure in the style of the course; width and height in inches."""
    return new_panels(figsize=figsize, layout=layout)[0]


@own_style()
def new_panels(
    rows: int = 1,
    columns: int = 1,
    figsize: tuple[float, float] | None = None,
    layout: Layout | None = None,
    sharex: Shared = False,
    sharey: Shared = False,
    height_ratios: Sequence[float] | None = None,
) -> list[Axes]:
    """Return the axes of a new figure, row by row; `matplotlib.figure.Figure.subplots`."""
    try:
        figure = plt.figure(figsize=figsize, layout=layout)
    except ImportError:  # the caller's backend opens windows, and cannot here
        figure = Figure(figsize=figsize, layout=layout)
    panels = figure.subplots(
        rows, columns, squeeze=False, sharex=sharex, sharey=sharey, height_ratios=height_ratios
    )
    return list(panels.flat)


def figure_of(drawn: object) -> Figure:
    """Return the figure that an axes stands in, or a figure itself; refuse anything else."""
    inner = drawn.figure if isinstance(drawn, Artist) else None
    if inner is None:
        raise TypeError(f"figure must be a matplotlib Figure or Axes, got {type(drawn).__name__}")
    return inner.figure  # of a SubFigure the whole; with matplotlib 3.8 too, which browsers have


def show(figure: Figure | Axes, alt: str) -> None:
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


def png(figure: Figure | Axes, settled: bool = False) -> tuple[bytes, dict[str, int]]:
    """Return a figure as a PNG, with the width and height to show it at; closes the figure.

    The bytes are the same on each call and with each version of matplotlib that draws the same;
    ``width`` and ``height`` are CSS pixels. Where all axes have their places already,
    ``settled``, it is drawn once, not once for the layout and once for the picture.
    """
    drawn = figure_of(figure)
    width, height = (round(inches * drawn.get_dpi()) for inches in drawn.get_size_inches())
    buffer = io.BytesIO()
    without_version = {"Software": None}  # the file is the same with the next matplotlib
    canvas = FigureCanvasAgg(drawn)  # another backend may have no way to make a PNG
    with own_style():
        if settled:
            drawn.set_dpi(plt.rcParams["savefig.dpi"])
            canvas.print_png(buffer, metadata=without_version)
        else:
            drawn.savefig(buffer, format="png", metadata=without_version)
    plt.close(drawn)
    return buffer.getvalue(), {"width": width, "height": height}


def label_beside(
    ax: Axes,
    text: str,
    x: float,
    y: float,
    points: tuple[float, float],
    colour: ColorType,
    **style: Unpack[TextStyle],
) -> None:
    """Write a text so many points to the right of and above a place."""
    ax.annotate(text, (x, y), xytext=points, textcoords="offset points", color=colour, **style)


def label_end(
    ax: Axes, x: float, y: float, text: str, colour: ColorType, shift: float = 0.0
) -> None:
    """Write a label to the right of a line's last point, or ``shift`` points above that."""
    label_beside(ax, text, x, y, (6, shift), colour, va="center", annotation_clip=False)


def label_ends(ax: Axes, x: float, ends: Mapping[str, tuple[float, ColorType]]) -> None:
    """Write labels to the right of their lines, pushed apart where they would overlap."""
    low, high = np.log(ax.get_ylim())
    height = ax.get_position().height * figure_of(ax).get_figheight() * 72
    labels = sorted(ends, key=lambda label: ends[label][0])
    wanted = np.array([(np.log(ends[label][0]) - low) / (high - low) * height for label in labels])
    places = wanted.copy()
    for _ in range(200):
        overlap = np.maximum(APART - np.diff(places), 0) / 2
        places[:-1] -= overlap
        places[1:] += overlap
    for label, shift in zip(labels, places - wanted, strict=True):
        y, colour = ends[label]
        label_end(ax, x, y, label, colour, shift)
