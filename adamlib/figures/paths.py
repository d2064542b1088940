"""Paths of several runs over the contours of a problem in two coordinates."""

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from ..experiments import Trace
from ..problems import Params, Problem
from .base import figure_of, new_axes, own_style
from .colours import BACKGROUND_COLOURS, INK, method_colour


@own_style()
def plot_paths(problem: Problem, traces: Sequence[Trace], ax: Axes | None = None) -> Axes:
    """Draw the paths of several runs over the contours of a problem in two coordinates.

    Parameters
    ----------
    problem : Problem
        Of one array of shape (2,), with a known minimum; `adamlib.problems.narrow_valley`, say.
    traces : sequence of Trace
        Made with ``keep_path=True``. A trace has the colour of its label's method in
        `COLOURS`: that of ``"momentum"``, say, for ``"momentum, β = 0.9"``.
    ax : Axes, optional

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
    start, minimum = (_point(problem, place) for place in (problem.start, problem.minimum))
    paths = [_path(trace) for trace in traces]
    ax = new_axes() if ax is None else ax
    low, high = _window(ax, start, minimum, paths)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="θ₁", ylabel="θ₂")
    ax.set_aspect("equal")
    ax.grid(False)
    _draw_contours(ax, problem, minimum)
    colours = [method_colour(trace.label, f"C{i % 7}") for i, trace in enumerate(traces)]
    for path, colour in zip(paths, colours, strict=True):
        ax.plot(*path.T, color=colour, marker=".", markersize=5, linewidth=1.4)
    ax.plot(*start, "o", color=INK, markersize=8, markerfacecolor="white", zorder=5)
    ax.plot(*minimum, "*", color=INK, markersize=14, markeredgecolor="white", zorder=6)
    labels = [trace.label for trace in traces]
    _label_paths(ax, start, minimum, list(zip(paths, labels, colours, strict=True)))
    return ax


def _point(problem: Problem, place: Params | None) -> NDArray:
    """Return a place of a problem, shape (2,); refuse a problem without."""
    if not isinstance(place, np.ndarray) or place.shape != (2,):
        raise ValueError(f"problem {problem.name!r} has no known minimum in two coordinates")
    return place


def _path(trace: Trace) -> NDArray:
    """Return the path of a trace, shape (steps + 1, 2); refuse a trace without."""
    if trace.path is None or trace.path.shape[1:] != (2,):
        raise ValueError(
            f"trace {trace.label!r} has no path of points in two coordinates "
            f"(expected keep_path=True)"
        )
    return trace.path


def _window(
    ax: Axes, start: NDArray, minimum: NDArray, paths: Sequence[NDArray]
) -> tuple[NDArray, NDArray]:
    """Return corners that hold all paths and fill the axes, but cut off paths that run away."""
    reach = np.abs(start - minimum)
    reach = 1.2 * np.maximum(reach, reach.max() / 4)
    points = np.concatenate([start[None], minimum[None], *paths])
    points = np.clip(points, minimum - reach, minimum + reach)
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    margin = 0.08 * (high - low).max()
    box = np.array([ax.bbox.width, ax.bbox.height])
    half = (high - low) / 2 + margin
    half = box * (half / box).max()  # one scale for both coordinates
    return (low + high) / 2 - half, (low + high) / 2 + half


def _draw_contours(ax: Axes, problem: Problem, minimum: NDArray) -> None:
    x, y = (np.linspace(*limits, 300) for limits in (ax.get_xlim(), ax.get_ylim()))
    values = problem.value(np.stack(np.meshgrid(x, y), axis=-1))
    bottom = problem.value(minimum)
    levels = bottom + (values.max() - bottom) * 2.5 ** np.arange(-8, 1)
    ax.contour(x, y, values, levels=levels, colors=BACKGROUND_COLOURS["contours"], linewidths=0.8)


def _label_paths(
    ax: Axes, start: NDArray, minimum: NDArray, runs: Sequence[tuple[NDArray, str, ColorType]]
) -> None:
    """Write each label beside its path where it is farthest from everything else."""
    inches = ax.transData + figure_of(ax).dpi_scale_trans.inverted()
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]

    def write(place: NDArray, text: str, colour: ColorType) -> None:
        x, y = inches.inverted().transform(place)
        ax.text(x, y, text, color=colour, ha="center", va="center", path_effects=halo, zorder=7)

    paths = [_densely(inches.transform(path)) for path, _, _ in runs]
    taken = []
    for point, text, ups in (
        (start, "start", (0.2,)),
        (minimum, "minimum", (-0.22, -0.48)),
    ):
        places = inches.transform(point) + [(0, up) for up in ups]
        boxes = np.array([_text_box(place, text) for place in places])
        clear = [_gaps(boxes, path).tolist() for path in paths]
        best = np.argmax(np.minimum(0.1, np.min(clear, axis=0))) if paths else 0
        write(places[best], text, INK)
        taken.append(boxes[best])
    (left, bottom), (right, top) = inches.transform(np.transpose([ax.get_xlim(), ax.get_ylim()]))
    for path, (sparse, label, colour) in zip(paths, runs, strict=True):
        points = inches.transform(sparse)
        places = np.concatenate([points + (0, 0.2), points - (0, 0.2)])
        boxes = np.array([_text_box(place, label) for place in places])
        inside = ((boxes > (left, bottom)) & (boxes < (right, top))).all(axis=(1, 2))
        others = np.concatenate([*(other for other in paths if other is not path), *taken])
        gaps = np.minimum(_gaps(boxes, others), 2 * _gaps(boxes, path))
        best = np.argmax(np.where(inside, gaps, -1.0))
        write(places[best], label, colour)
        taken.append(boxes[best])


def _gaps(boxes: NDArray, points: NDArray) -> NDArray:
    """Return the distance of each box from the nearest of the points."""
    return np.linalg.norm(boxes[:, :, None] - points, axis=-1).min(axis=(1, 2))


def _text_box(centre: NDArray, text: str) -> NDArray:
    """Return points along a text of about this size, in inches."""
    half = 0.045 * len(text)
    return centre + np.stack([np.linspace(-half, half, 9), np.zeros(9)], axis=-1)


def _densely(path: NDArray) -> NDArray:
    """Return points along the lines between the points of a path."""
    share = np.linspace(0.0, 1.0, 9)[:, None, None]
    return (path[:-1] * (1 - share) + path[1:] * share).reshape(-1, 2)
