"""Draw traces: plot_*(data, ax) → ax, and show(figure, alt). No mathematics here."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.colors import ListedColormap, to_rgb
from numpy.typing import NDArray

from .experiments import FIRST_STEPS, FirstStepMap, NanSpread, Trace
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

DIALECT_COLOURS = {
    "outside": COLOURS["Adam"],
    "without correction": COLOURS["without correction"],
    "hat": "#6A51A3",
    "inside": "#8C510A",
    "none": "#555555",
}
"""The colour of a dialect of Adam, by where its ε stands or by what it leaves out."""

NAN_COLOUR, NUMBER_COLOUR = "#262626", "#DCE9F2"
"""NaN, and a number that is none, wherever a figure shows which is which."""

FIRST_STEP_COLOURS = dict(
    zip(
        FIRST_STEPS,
        (NAN_COLOUR, "#D55E00", "#F2B98C", "#F6EFA6", "#8CCBB5", "#DCE9F2"),
        strict=True,
    )
)
"""Regions of the map of first steps: warm is wrong, green is right."""


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
        A trace has the colour of its label's method in `COLOURS`; where the labels name no
        methods, colours go from dark to light in the order given.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a trace, in their order.
    """
    ax = new_axes() if ax is None else ax
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.75, len(traces)))
    for trace, shade in zip(traces, shades, strict=True):
        colour = _method_colour(trace.label, shade)
        steps = np.arange(len(trace.losses))
        ax.plot(steps, trace.losses, color=colour)
        label_end(ax, steps[-1], trace.losses[-1], trace.label, colour)
    ax.set(yscale="log", xlabel="step t", ylabel="loss before the step")
    return ax


def plot_longest_steps(
    lengths: Mapping[str, Sequence[float]],
    bounds: Mapping[str, float],
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the lengths of steps from the first on, below the bounds that are claimed for them.

    Parameters
    ----------
    lengths : mapping of str to sequence of float
        What to call each run, and |Δₜ|/α of its steps.
    bounds : mapping of str to float
        What to call each bound, and its height in the same units; drawn dashed.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a run, in their order, then one a bound.
    """
    ax = new_axes() if ax is None else ax
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.6, len(lengths)))  # readable as text
    for (label, values), shade in zip(lengths.items(), shades, strict=True):
        ax.plot(np.arange(1, len(values) + 1), values, ".-", color=shade, markersize=5)
        label_end(ax, len(values), values[-1], label, shade)
    last = max(len(values) for values in lengths.values())
    for label, height in bounds.items():
        ax.axhline(height, color="#767676", linestyle="--", linewidth=1.2, zorder=1)
        above = dict(xytext=(0, 4), textcoords="offset points", ha="right", color="#555555")
        ax.annotate(label, (last, height), **above)
    ax.set(xlim=(0, last), ylim=(0, 1.12 * ax.dataLim.y1))
    ax.set(xlabel="step", ylabel="length of the step, |Δ|/α")
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
    colours = [_method_colour(trace.label, f"C{i % 7}") for i, trace in enumerate(traces)]
    for trace, colour in zip(traces, colours, strict=True):
        ax.plot(*trace.path.T, color=colour, marker=".", markersize=5, linewidth=1.4)
    ax.plot(*problem.start, "o", color="#222222", markersize=8, markerfacecolor="white", zorder=5)
    ax.plot(*minimum, "*", color="#222222", markersize=14, markeredgecolor="white", zorder=6)
    _label_paths(ax, problem, traces, colours)
    return ax


def _method_colour(label: str, otherwise: object) -> object:
    """Return the colour of the method that a label begins with, if it names one."""
    names = [name for name in COLOURS if label.startswith(name)]
    return COLOURS[max(names, key=len)] if names else otherwise


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
        ax.text(*inches.inverted().transform(places[best]), text, color="#222222", **style)
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


FIRST_STEP_LABELS = {
    "too long": "too long:\n|g|/ε times lr",
    "arbitrary": "arbitrary:\nrounding noise\nmoves it by\n½ to 1 lr",
    "fine": "fine:\n½ to 1 lr",
    "held back": "held back by ε",
}
ZERO_GAP, ZERO_WIDTH = 1.0, 3.5  # of the strips for zero, in decades


def plot_first_step_map(data: FirstStepMap, ax: "Axes | None" = None) -> "Axes":
    """Draw what a first step comes to for each gradient and eps, each region labelled.

    Parameters
    ----------
    data : FirstStepMap
        From `adamlib.experiments.first_step_map`.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        In decades; four images: all sizes, ε = 0, g = 0, and both zero. The strips for zero
        stand to the left of the smallest gradient and below the smallest eps.
    """
    ax = new_axes(figsize=(7.6, 5.4)) if ax is None else ax
    rgb = np.array([to_rgb(FIRST_STEP_COLOURS[name]) for name in data.outcomes.flat])
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
    _label_first_step_map(ax, data, np.mean(x_zero), np.mean(y_zero))
    return ax


def _zero_and_rest(values: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the strip for zero and the other values begin and end, in decades."""
    decades = np.log10(values[1:])
    half = (decades[1] - decades[0]) / 2
    first, last = decades[0] - half, decades[-1] + half
    return (first - ZERO_GAP - ZERO_WIDTH, first - ZERO_GAP), (first, last)


def _label_first_step_map(ax: "Axes", data: FirstStepMap, x_zero: float, y_zero: float) -> None:
    """Write the regions' names into their middles, the thresholds above, the default beside."""
    x, y = np.log10(data.grads[1:]), np.log10(data.eps[1:])
    for name, text in FIRST_STEP_LABELS.items():
        rows, columns = np.nonzero(data.outcomes[1:, 1:] == name)
        if len(rows):
            ax.text(x[columns].mean(), y[rows].mean(), text, ha="center", va="center")
    infinite = x[data.outcomes[0, 1:] == "infinite"]
    if len(infinite):
        ax.text(infinite.mean(), y_zero, "±∞", ha="center", va="center", color="white")
    nan = dict(s="NaN", ha="center", va="center", color="white", fontsize=9)
    ax.text(x_zero, y_zero, **nan)
    tiny = x[data.outcomes[0, 1:] == "NaN"]
    if len(tiny):  # m is lost as well; the block is too narrow for a word that lies
        ax.text(tiny.mean(), y_zero, rotation=90, **nan)
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
    along = dict(rotation=45, rotation_mode="anchor", transform_rotates_text=True)
    ax.text(-36, -34.9, "ε = |g|", **along)
    ax.axhline(-8, color="#222222", linestyle="--", linewidth=1)
    label_end(ax, x[-1], -8, "ε = 10⁻⁸,\nthe default", "#222222")


def plot_nan_spread(data: NanSpread, axes: "Sequence[Axes] | None" = None) -> "Figure":
    """Draw every parameter of the two-layer net as a cell, dark where it is NaN.

    Parameters
    ----------
    data : NanSpread
        Of a net with the parameters W1, b1, W2, b2.
    axes : sequence of Axes, optional
        Drawn into if given, else new ones; one for each update and one for the start.

    Returns
    -------
    Figure
        On each of its axes four meshes, W1, b1, W2, b2 in this order: 1 for NaN, else 0.
    """
    n = len(data.masks)
    axes = new_axes(ncols=n, figsize=(2.6 * n, 3.3), squeeze=False)[0] if axes is None else axes
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
    return axes[0].figure


def _draw_mask(ax: "Axes", mask: np.ndarray, x: float, y: float) -> None:
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


Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]


def plot_step_lengths(lines: Curves, points: Curves, ax: "Axes | None" = None) -> "Axes":
    """Draw how long a step is against the size of the gradient, in units of ε.

    Parameters
    ----------
    lines, points : mapping
        Name of a kind of gradient → its sizes in units of ε, and the steps in units of lr: as
        predicted, and as measured. The same one or two names in both.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        For each name a line and a line of markers, filled for the first name, open for the
        second; the measured length where the gradient is as large as ε is written beside it.
    """
    ax = new_axes() if ax is None else ax
    ax.axvline(1, color="#555555", linestyle=":", linewidth=1.2)
    ax.text(0.85, 0.9, "as large as ε", color="#555555", ha="right", va="center")
    for name, face in zip(lines, (COLOURS["Adam"], "white"), strict=False):
        ax.plot(*lines[name], color=COLOURS["Adam"])
        ax.plot(*points[name], "o", color=COLOURS["Adam"], markerfacecolor=face, markersize=5)
        label_end(ax, lines[name][0][-1], lines[name][1][-1], name, COLOURS["Adam"])
        for x, y in zip(*points[name], strict=True):
            if np.isclose(x, 1):
                _beside(ax, f"{y:.3g} lr", x, y, (8, -12), COLOURS["Adam"])
    ax.set(xscale="log", ylim=(0, 1.06), ylabel="length of the step / lr")
    ax.set_xlabel("size of the gradient / ε")
    return ax


def plot_drift(
    distances: Mapping[str, NDArray], colours: Mapping[str, str], ax: "Axes | None" = None
) -> "Axes":
    """Draw how far several runs are from a reference, step by step, on logarithmic scales.

    Parameters
    ----------
    distances : mapping of str to ndarray of float, shape (steps,)
        What to call each run, and its distance after steps 1, 2, …, in units of lr. A zero
        is left out.
    colours : mapping of str to str
        The same names → an entry of `DIALECT_COLOURS` each.
    ax : Axes, optional
        Drawn into if given, else a new one.

    Returns
    -------
    Axes
        One line a run, in their order, each labelled at its end; then a dashed one at 1.
    """
    ax = new_axes(figsize=(7.8, 4.8)) if ax is None else ax
    last = max(len(values) for values in distances.values())
    ends = {}
    for label, values in distances.items():
        colour = DIALECT_COLOURS[colours[label]]
        drawn = np.where(values > 0, values, np.nan)
        ax.plot(np.arange(1, len(values) + 1), drawn, color=colour, linewidth=1.7)
        ends[label] = (drawn[-1], colour)
    ax.axhline(1, color="#767676", linestyle="--", linewidth=1.2, zorder=1)
    below = dict(xytext=(3, -13), textcoords="offset points", color="#555555", fontsize=9.5)
    ax.annotate("one step's length", (1, 1), **below)
    ax.set(xscale="log", yscale="log", xlim=(1, last), xlabel="step t")
    ax.set_ylabel("distance from the paper's path / lr")
    _label_ends(ax, last, ends)
    return ax


def _label_ends(ax: "Axes", x: float, ends: Mapping[str, tuple[float, str]]) -> None:
    """Write labels to the right of their lines, pushed apart where they would overlap."""
    low, high = np.log(ax.get_ylim())
    height = ax.get_position().height * ax.figure.get_figheight() * 72
    labels = sorted(ends, key=lambda label: ends[label][0])
    wanted = np.array([(np.log(ends[label][0]) - low) / (high - low) * height for label in labels])
    places = wanted.copy()
    for _ in range(200):
        overlap = np.maximum(14 - np.diff(places), 0) / 2
        places[:-1] -= overlap
        places[1:] += overlap
    for label, shift in zip(labels, places - wanted, strict=True):
        y, colour = ends[label]
        style = dict(textcoords="offset points", va="center", annotation_clip=False)
        ax.annotate(label, (x, y), xytext=(6, shift), color=colour, **style)


def plot_symptoms(right: Trace, wrong: Sequence[Trace], columns: int = 4) -> "Figure":
    """Draw each of several runs in a panel of its own, with the right one in grey behind it.

    Parameters
    ----------
    right : Trace
        The run that all others are compared with.
    wrong : sequence of Trace
        One panel each, titled with its label. Where a loss is NaN the line ends in a cross.
    columns : int
        Panels in a row.

    Returns
    -------
    Figure
        With one Axes for each of ``wrong``, in their order; in each two lines, the right run
        first, labelled in the last. All have the same scales.
    """
    rows = -(-len(wrong) // columns)
    size = (2.2 * columns, 1.75 * rows + 0.3)
    panels = new_axes(
        nrows=rows, ncols=columns, sharex=True, sharey=True, figsize=size, squeeze=False
    )
    for ax, trace in zip(panels.flat, wrong, strict=False):
        ax.plot(right.losses, color="#B5B5B5", linewidth=4.5, solid_capstyle="round")
        ax.plot(trace.losses, color=COLOURS["without correction"], linewidth=1.7)
        ax.set_title(trace.label, fontsize=9, loc="left", fontweight="bold")
        _mark_nan(ax, trace)
    for ax in panels.flat[len(wrong) :]:
        ax.set_axis_off()
    end = len(right.losses) - 1, right.losses[-1]
    above = dict(xytext=(2, 13), textcoords="offset points", ha="right", color="#767676")
    panels.flat[len(wrong) - 1].annotate(right.label, end, **above)
    top, ax = right.losses[0], panels[0, 0]
    ax.set(yscale="log", ylim=(top / 1e9, 8 * top), xlim=(-0.03 * len(right.losses), None))
    ax.figure.supxlabel("step t", fontsize=11, color="#222222")
    ax.figure.supylabel("loss before the step", fontsize=11, color="#222222")
    return ax.figure


def _mark_nan(ax: "Axes", trace: Trace) -> None:
    """Put a cross where the numbers of a run end."""
    finite = np.isfinite(trace.losses)
    if finite.all() or not finite[0]:
        return
    last = int(finite.argmin()) - 1
    colour = COLOURS["without correction"]
    ax.plot(last, trace.losses[last], "x", color=colour, markersize=8, markeredgewidth=2)
    _beside(ax, f"NaN after step {last + 1}", last, trace.losses[last], (-3, -44), colour)
