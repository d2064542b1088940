"""Draw traces: plot_*(data, ax) → ax, and show(figure, alt). No mathematics here."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from .experiments import Trace
from .problems import Problem

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


def plot_paths(problem: Problem, traces: Sequence[Trace], ax: "Axes | None" = None) -> "Axes":
    """Draw the paths of several runs over the contours of a problem in two coordinates.

    Parameters
    ----------
    problem : Problem
        Of one array of shape (2,), with a known minimum; `adamlib.problems.narrow_valley`, say.
    traces : sequence of Trace
        Made with ``keep_path=True``. A trace has the colour of its label's method in
        `COLOURS`: that of ``"momentum"``, say, for ``"momentum, β = 0.9"``.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a trace, in their order, with a dot at every step, a label where the path is
        farthest from the others, a ring at the start and a star at the minimum.

    Raises
    ------
    ValueError
        ``trace 'SGD' has no path of points in two coordinates (expected keep_path=True)``;
        ``problem 'narrow valley' has no known minimum in two coordinates``.
    """
    minimum = problem.minimum
    if not isinstance(minimum, np.ndarray) or minimum.shape != (2,):
        raise ValueError(f"problem {problem.name!r} has no known minimum in two coordinates")
    for trace in traces:
        if trace.path is None or trace.path.shape[1:] != (2,):
            raise ValueError(
                f"trace {trace.label!r} has no path of points in two coordinates "
                f"(expected keep_path=True)"
            )
    ax = new_axes() if ax is None else ax
    low, high = _window(ax, problem, traces)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="θ₁", ylabel="θ₂")
    ax.set_aspect("equal")
    ax.grid(False)
    _draw_contours(ax, problem)
    colours = [_method_colour(trace.label, i) for i, trace in enumerate(traces)]
    for trace, colour in zip(traces, colours, strict=True):
        ax.plot(*trace.path.T, color=colour, marker=".", markersize=5, linewidth=1.4)
    ax.plot(*problem.start, "o", color="#222222", markersize=8, markerfacecolor="white", zorder=5)
    ax.plot(*minimum, "*", color="#222222", markersize=14, markeredgecolor="white", zorder=6)
    _label_paths(ax, problem, traces, colours)
    return ax


def _method_colour(label: str, i: int) -> str:
    """Return the colour of the longest method name that a label begins with."""
    names = [name for name in COLOURS if label.startswith(name)]
    return COLOURS[max(names, key=len)] if names else f"C{i % 7}"


def _window(ax: "Axes", problem: Problem, traces: Sequence[Trace]) -> tuple[np.ndarray, np.ndarray]:
    """Return corners that hold all paths and fill the axes, but cut off paths that run away."""
    reach = np.abs(problem.start - problem.minimum)
    reach = 1.2 * np.maximum(reach, reach.max() / 4)
    points = np.concatenate([problem.start[None], problem.minimum[None], *(t.path for t in traces)])
    points = np.clip(points, problem.minimum - reach, problem.minimum + reach)
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    margin = 0.08 * (high - low).max()
    box = np.array([ax.bbox.width, ax.bbox.height])
    half = (high - low) / 2 + margin
    half = box * (half / box).max()  # one scale for both coordinates
    return (low + high) / 2 - half, (low + high) / 2 + half


def _draw_contours(ax: "Axes", problem: Problem) -> None:
    x, y = (np.linspace(*limits, 300) for limits in (ax.get_xlim(), ax.get_ylim()))
    values = problem.value(np.stack(np.meshgrid(x, y), axis=-1))
    bottom = problem.value(problem.minimum)
    levels = bottom + (values.max() - bottom) * 2.5 ** np.arange(-8, 1)
    ax.contour(x, y, values, levels=levels, colors="#cccccc", linewidths=0.8)


def _label_paths(
    ax: "Axes", problem: Problem, traces: Sequence[Trace], colours: Sequence[str]
) -> None:
    """Write each label beside its path where it is farthest from everything else."""
    inches = ax.transData + ax.figure.dpi_scale_trans.inverted()
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    style = dict(ha="center", va="center", path_effects=halo, zorder=7)
    taken = []
    for point, text, up in ((problem.start, "start", 0.2), (problem.minimum, "minimum", -0.22)):
        where = inches.transform(point) + (0, up)
        ax.text(*inches.inverted().transform(where), text, color="#222222", **style)
        taken.append(_text_box(where, text))
    paths = [_densely(inches.transform(trace.path)) for trace in traces]
    (left, bottom), (right, top) = inches.transform(np.transpose([ax.get_xlim(), ax.get_ylim()]))
    for path, trace, colour in zip(paths, traces, colours, strict=True):
        points = inches.transform(trace.path)
        places = np.concatenate([points + (0, 0.2), points - (0, 0.2)])
        boxes = np.array([_text_box(place, trace.label) for place in places])
        inside = ((boxes > (left, bottom)) & (boxes < (right, top))).all(axis=(1, 2))
        others = np.concatenate([*(other for other in paths if other is not path), *taken])
        gaps = np.minimum(_gaps(boxes, others), 2 * _gaps(boxes, path))
        best = np.argmax(np.where(inside, gaps, -1.0))
        ax.text(*inches.inverted().transform(places[best]), trace.label, color=colour, **style)
        taken.append(boxes[best])


def _gaps(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distance of each box from the nearest of the points."""
    return np.linalg.norm(boxes[:, :, None] - points, axis=-1).min(axis=(1, 2))


def _text_box(centre: np.ndarray, text: str) -> np.ndarray:
    """Return points along a text of about this size, in inches."""
    half = 0.045 * len(text)
    return centre + np.stack([np.linspace(-half, half, 9), np.zeros(9)], axis=-1)


def _densely(path: np.ndarray) -> np.ndarray:
    """Return points along the lines between the points of a path."""
    share = np.linspace(0.0, 1.0, 9)[:, None, None]
    return (path[:-1] * (1 - share) + path[1:] * share).reshape(-1, 2)


def plot_average(weights: Mapping[str, Sequence[NDArray]]) -> "Figure":
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
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(1, len(weights), sharey=True, squeeze=False)
        for ax, (title, columns) in zip(panels[0], weights.items(), strict=True):
            _draw_columns(ax, columns)
            ax.set_title(title)
            ax.set(xlabel="step t", xticks=sorted({1, *range(10, len(columns) + 1, 10)}))
        panels[0][0].set_ylabel("share of the average")
    return figure


def _draw_columns(ax: "Axes", columns: Sequence[NDArray]) -> None:
    """Draw one column a step, its pieces from the newest value up, and name the parts."""
    last = len(columns)
    steps = np.arange(1, last + 1)
    ax.bar(steps, 1.0, width=1.0, color=_mixed("without correction", 1.0, 0.7))
    newest_first = columns[-1][::-1]
    tops = newest_first.cumsum()
    for age, (weight, top) in enumerate(zip(newest_first, tops, strict=True)):
        shade = _mixed("Adam", 1.0, 0.8 * age / last)
        heights = [column[-1 - age] for column in columns[age:]]
        ax.bar(steps[age:], heights, 1.0, top - weight, color=shade)
        if weight > 0.004:
            ax.hlines(top, age + 0.5, last + 0.5, color="white", linewidth=0.5)
    label = {"x": 0.97 * last, "ha": "right", "va": "center"}
    together = f"all {last} together: {tops[-1]:.0%}"
    if newest_first[0] > 0.06:  # a text fits into the pieces
        for age, name in enumerate(("newest value", "the one before")[:last]):
            middle = tops[age] - newest_first[age] / 2
            ax.text(y=middle, s=f"{name}: {newest_first[age]:.0%}", color="white", **label)
        high = min(5, last - 1)
        ax.text(y=tops[high] - newest_first[high] / 2, s=together, color="white", **label)
        bracket = {"arrowstyle": "|-|, widthA=0.2, widthB=0.2", "color": "white", "shrinkA": 0}
        ends = (0.985 * last, 0.005), (0.985 * last, tops[-1] - 0.01)
        ax.annotate("", *ends, arrowprops=bracket | {"shrinkB": 0})
    else:
        ax.text(y=tops[-1] + 0.04, s=together, color=_mixed("Adam", 0.0, 0.3), **label)
    dark = _mixed("without correction", 0.0, 0.4)
    ax.text(1.2, 0.97, "the zero at\nthe start", color=dark, va="top")
    ax.set(xlim=(0.5, last + 0.5), ylim=(0, 1))
    ax.grid(False)


def _mixed(method: str, grey: float, share: float) -> tuple[float, ...]:
    """Return the colour of a method with a share of it replaced by white (1) or black (0)."""
    return tuple((1 - share) * part + share * grey for part in to_rgb(COLOURS[method]))


def plot_uncorrected_step(
    steps: NDArray,
    corrected: NDArray,
    uncorrected: NDArray,
    marks: Sequence[int] = (),
    ax: "Axes | None" = None,
) -> "Axes":
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
        Drawn into if given, else a new one.

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
        here = np.flatnonzero(steps == mark).item()
        length = uncorrected[here]
        rises = uncorrected[min(here + 1, len(steps) - 1)] > length
        ax.plot(mark, length, "o", color=red)
        _beside(ax, f"{length:.2f} at t = {mark}", mark, length, (9, -13 if rises else 4), red)
    top = uncorrected.argmax()
    _beside(ax, "without correction", steps[top], uncorrected[top], (9, 22), red, weight="bold")
    _beside(ax, "Adam: the step that you asked for", steps[0], corrected[0], (0, -17), blue)
    ax.set(xscale="log", xlabel="step t", ylabel="length of the step / lr")
    ax.set(xlim=(0.8 * steps[0], steps[-1]), ylim=(0, 1.2 * uncorrected[top]))
    ax.xaxis.set_major_formatter("{x:.0f}")
    return ax


def _beside(
    ax: "Axes", text: str, x: float, y: float, points: tuple[int, int], colour: str, **style: str
) -> None:
    """Write a text so many points to the right of and above a place."""
    ax.annotate(text, (x, y), xytext=points, textcoords="offset points", color=colour, **style)
