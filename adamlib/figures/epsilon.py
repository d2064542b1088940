"""eps in whole runs: the map of lr and eps, one setting after another, and a gap."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import Transform
from numpy.typing import NDArray

from ..experiments import Trace
from .base import figure_of, label_beside, label_end, new_axes, new_panels, own_style
from .colours import (
    BACKGROUND_COLOURS,
    COLOURS,
    FAINT,
    FALLEN_COLOURS,
    INK,
    MUTED,
    ROSE_COLOUR,
    SIGN_COLOUR,
    method_colour,
)

FALLEN = LinearSegmentedColormap.from_list("fallen", FALLEN_COLOURS)


@own_style()
def plot_sweep(
    trace: Trace,
    notes: Mapping[str, tuple[float, ...]] | None = None,
    lines: Mapping[str, float] | None = None,
    decades: float = 6.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how far the loss has fallen for every pair of an eps and a learning rate.

    Parameters
    ----------
    trace : Trace
        Of a `sweep` over ``lr`` and ``eps``, each in equal steps of its logarithm.
    notes : mapping, optional
        Text → eps and lr of its middle, and, if it is to run along a diagonal, its slope in
        decades of lr over decades of eps. Written in white where the cell below is dark.
    lines : mapping, optional
        Text → an eps, marked by a dashed line; the text stands above it.
    decades : float
        The darkest colour: so many powers of ten below the first loss, or more.
    ax : Axes, optional

    Returns
    -------
    Axes
        With one image: log10 of the last over the first loss, masked where that is above zero
        or not a number; rows are learning rates, columns are eps, both in decades.

    Raises
    ------
    ValueError
        ``the trace has the axes lr (expected lr and eps)``.
    """
    if list(trace.axes) != ["lr", "eps"]:
        there = ", ".join(trace.axes) or "none"
        raise ValueError(f"the trace has the axes {there} (expected lr and eps)")
    ax = new_axes(figsize=(7.8, 5.2)) if ax is None else ax
    with np.errstate(all="ignore"):
        fallen = np.log10(trace.losses[..., -1] / trace.losses[..., 0])
    fallen = np.ma.masked_where(~(fallen <= 0), fallen)
    x, y = (_edges(trace.axes[name]) for name in ("eps", "lr"))
    norm = Normalize(-decades, 0)
    ax.set_facecolor(ROSE_COLOUR)
    ax.imshow(
        fallen,
        extent=(x[0], x[-1], y[0], y[-1]),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=FALLEN.reversed(),
        norm=norm,
    )
    ax.grid(False)
    ax.spines[:].set_visible(False)
    for axis, edges, every in ((ax.xaxis, x, 2), (ax.yaxis, y, 1)):
        ticks = np.arange(np.ceil(edges[0]), edges[-1] + 1e-9, every)
        axis.set_ticks(ticks, [_ten_to_the(tick) for tick in ticks])
    ax.set(xlabel="ε, in the units of the gradient", ylabel="learning rate α")
    for text, (eps, lr, *slope) in (notes or {}).items():
        _write(ax, fallen, trace, decades, text, eps, lr, *slope)
    for text, eps in (lines or {}).items():
        ax.axvline(np.log10(eps), color=INK, linestyle="--", linewidth=1)
        ax.annotate(
            text,
            (np.log10(eps), 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=9.5,
        )
    bar = figure_of(ax).colorbar(
        ScalarMappable(norm, FALLEN.reversed()), ax=ax, shrink=0.55, pad=0.02, extend="min"
    )
    every_other = np.arange(-decades, 1, 2).tolist()
    bar.set_ticks(every_other, labels=["1" if t == 0 else _ten_to_the(t) for t in every_other])
    bar.set_label("last loss / first loss")
    bar.outline.set_visible(False)
    return ax


def _edges(values: NDArray) -> NDArray:
    """Edges of the cells around values that are even in their logarithm."""
    decades = np.log10(values)
    half = (decades[-1] - decades[0]) / (len(decades) - 1) / 2
    return np.append(decades - half, decades[-1] + half)


def _write(
    ax: Axes,
    fallen: NDArray,
    trace: Trace,
    decades: float,
    text: str,
    eps: float,
    lr: float,
    slope: float = 0.0,
) -> None:
    row = np.abs(np.log10(trace.axes["lr"] / lr)).argmin()
    column = np.abs(np.log10(trace.axes["eps"] / eps)).argmin()
    dark = np.ma.filled(fallen[row, column], 0.0) < -decades / 2
    ax.text(
        np.log10(eps),
        np.log10(lr),
        text,
        color="white" if dark else INK,
        ha="center",
        va="center",
        rotation=np.degrees(np.arctan(slope)),
        rotation_mode="anchor",
        transform_rotates_text=True,
    )


@own_style()
def plot_epsilon(trace: Trace, gradients: NDArray, eps: float | Sequence[float]) -> Figure:
    """Draw what one eps does to a step and to a run, or what each of several does.

    Parameters
    ----------
    trace : Trace
        Of a `sweep` over ``eps`` alone.
    gradients : ndarray of float, any shape
        Of the parameters, where the runs start; drawn as a histogram of their sizes.
    eps : float or sequence of float
        Values of the axis. A number gives two panels side by side: the step, and the losses. A
        sequence gives a column for each, the step above the losses.

    Returns
    -------
    Figure
        On the first panel of each: the line of step / lr against \\|g\\|, above the histogram; on
        the second the losses of all runs in grey, and that of the chosen one in colour.

    Raises
    ------
    ValueError
        ``the trace has the axes lr, eps (expected eps)``; ``eps = 3 was not run (…)``.
    """
    if list(trace.axes) != ["eps"]:
        there = ", ".join(trace.axes) or "none"
        raise ValueError(f"the trace has the axes {there} (expected eps)")
    chosen = np.atleast_1d(eps).tolist()
    if np.ndim(eps) == 0:
        panels = new_panels(columns=2, figsize=(8.2, 3.3))
    else:
        panels = new_panels(2, len(chosen), figsize=(8.6, 5.4), sharex="row", sharey="row")
    steps, runs = panels[: len(chosen)], panels[len(chosen) :]
    for i, (value, step, losses) in enumerate(zip(chosen, steps, runs, strict=True)):
        step.set_title(f"ε = {_power(value)}", loc="left", fontweight="bold")
        _draw_step_curve(step, np.abs(gradients).ravel(), trace.axes["eps"], value)
        _draw_losses(losses, trace, value)
        if i == 0:
            step.set_ylabel("length of the step / α")
            _note(losses, 0.97, 0.62, "other ε", losses.transAxes)
            losses.set_ylabel("loss before the step")
    return figure_of(panels[0])


def _note(ax: Axes, x: float, y: float, text: str, place: Transform) -> None:
    ax.text(x, y, text, transform=place, color=FAINT, ha="right", fontsize=9.5)


def _power(value: float) -> str:
    exponent = np.log10(value)
    if 0.01 <= value <= 100 or not np.isclose(exponent, round(exponent)):
        return f"{value:.2g}"
    return _ten_to_the(exponent)


def _ten_to_the(exponent: float) -> str:
    """10⁻⁸, without the mathematics of matplotlib: it took a fifth of a redraw."""
    return "10" + f"{exponent:.0f}".translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _draw_step_curve(ax: Axes, sizes: NDArray, every: NDArray, eps: float) -> None:
    """|g|/(|g|+ε), the place of ε, and how many gradients have which size."""
    low, high = min(every.min(), 1e-9), every.max()
    x = np.logspace(np.log10(low), np.log10(high), 300)
    heights, edges = np.histogram(np.log10(sizes[sizes > 0]), bins=24)
    ax.fill_between(
        10.0 ** np.repeat(edges, 2)[1:-1],
        0.45 * np.repeat(heights, 2) / heights.max(),
        color=BACKGROUND_COLOURS["histogram"],
        linewidth=0,
    )
    foot = np.quantile(sizes[sizes > 0], 0.02) / 2
    _note(ax, foot, 0.09, "gradients", ax.transData)
    ax.axvline(eps, color=MUTED, linestyle=":", linewidth=1.2)
    left = eps < 1e-2 * high
    label_beside(
        ax,
        "ε",
        eps,
        1.04,
        (5 if left else -5, 0),
        MUTED,
        ha="left" if left else "right",
        va="center",
    )
    ax.plot(x, x / (x + eps), color=COLOURS["Adam"])
    ax.set(xscale="log", xlim=(low, high), ylim=(0, 1.1), xlabel="size of the gradient |g|")
    decades = np.arange(np.ceil(np.log10(low) / 4), np.log10(high) / 4 + 1e-9) * 4
    ax.set_xticks(10.0**decades, [_ten_to_the(d) for d in decades])
    ax.xaxis.set_minor_locator(plt.NullLocator())


def _draw_losses(ax: Axes, trace: Trace, eps: float) -> None:
    """All runs in grey, the chosen one in the colour of Adam."""
    steps = np.arange(trace.losses.shape[-1])
    chosen = trace.select(eps=eps).losses
    runs = [np.column_stack([steps, losses]) for losses in trace.losses]
    ax.add_collection(LineCollection(runs, colors=BACKGROUND_COLOURS["other runs"], linewidths=1))
    ax.plot(steps, chosen, color=COLOURS["Adam"])
    finite = trace.losses[np.isfinite(trace.losses) & (trace.losses > 0)]
    ax.set(yscale="log", xlabel="step t", xlim=(0, steps[-1]))
    ax.yaxis.set_minor_locator(plt.NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _: _ten_to_the(np.log10(value)))
    ax.set_ylim(finite.min() / 3, min(finite.max(), 100 * trace.losses.flat[0]) * 3)


@own_style()
def plot_gap(panels: Mapping[str, Sequence[Trace]]) -> Figure:
    """Draw the losses of several methods, one panel a problem, on the same scales.

    Parameters
    ----------
    panels : mapping of str to sequence of Trace
        Title → runs, each labelled with its method, up to a comma; one in `COLOURS` gives its
        colour.

    Returns
    -------
    Figure
        With one Axes a problem, in each one line a run, its method at the end.
    """
    axes = new_panels(columns=len(panels), sharey=True, figsize=(8.2, 3.6))
    for ax, (title, traces) in zip(axes, panels.items(), strict=True):
        for trace in traces:
            colour = method_colour(trace.label, SIGN_COLOUR)
            ax.plot(trace.losses, color=colour)
            method = trace.label.split(",")[0]
            label_end(ax, len(trace.losses) - 1, trace.losses[-1], method, colour)
        ax.set_title(title, loc="left", fontweight="bold", fontsize=11)
        ax.set(yscale="log", xlabel="step t", xlim=(0, len(trace.losses) - 1))
    axes[0].set_ylabel("loss above its smallest value")
    return figure_of(axes[0])
