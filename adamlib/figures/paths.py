"""Paths of several runs over the contours of a problem in two coordinates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import patheffects

from ..experiments import Trace
from ..problems import Problem
from .base import new_axes, own_style
from .colours import BACKGROUND_COLOURS, INK, method_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_style()
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
    colours = [method_colour(trace.label, f"C{i % 7}") for i, trace in enumerate(traces)]
    for trace, colour in zip(traces, colours, strict=True):
        ax.plot(*trace.path.T, color=colour, marker=".", markersize=5, linewidth=1.4)
    ax.plot(*problem.start, "o", color=INK, markersize=8, markerfacecolor="white", zorder=5)
    ax.plot(*minimum, "*", color=INK, markersize=14, markeredgecolor="white", zorder=6)
    _label_paths(ax, problem, traces, colours)
    return ax


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
    ax.contour(x, y, values, levels=levels, colors=BACKGROUND_COLOURS["contours"], linewidths=0.8)


def _label_paths(
    ax: "Axes", problem: Problem, traces: Sequence[Trace], colours: Sequence[str]
) -> None:
    """Write each label beside its path where it is farthest from everything else."""
    inches = ax.transData + ax.figure.dpi_scale_trans.inverted()
    halo = [patheffects.withStroke(linewidth=3, foreground="white")]
    style = dict(ha="center", va="center", path_effects=halo, zorder=7)
    paths = [_densely(inches.transform(trace.path)) for trace in traces]
    taken = []
    for point, text, ups in (
        (problem.start, "start", (0.2,)),
        (problem.minimum, "minimum", (-0.22, -0.48)),
    ):
        places = inches.transform(point) + [(0, up) for up in ups]
        boxes = np.array([_text_box(place, text) for place in places])
        clear = [_gaps(boxes, path).tolist() for path in paths]
        best = np.argmax(np.minimum(0.1, np.min(clear, axis=0))) if paths else 0
        ax.text(*inches.inverted().transform(places[best]), text, color=INK, **style)
        taken.append(boxes[best])
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
