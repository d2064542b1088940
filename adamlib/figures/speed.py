"""How long a step takes: in units of the floor, beside its bytes, and over its size."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from .base import label_beside, label_end, new_axes, own_style
from .colours import INK, WAY_COLOURS

MARKERS = ("|", "o", "D")
LABELS_AT = 1.8  # times the largest size


@own_style()
def plot_floors(rows: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw how many floors ways to take a step cost: a row a way, a mark a reason.

    Parameters
    ----------
    rows : mapping of str to mapping of str to float
        Way → what is counted or measured → its size, in units of the floor, above 0. At most
        three kinds, the same in each row; where there are two or more they are named beside the
        marks of the first row.
    ax : Axes, optional

    Returns
    -------
    Axes
        One set of points a kind, the first ways on top; a thin line joins the points of a way.
    """
    ax = new_axes(figsize=(7.6, 0.55 * len(rows) + 1.5)) if ax is None else ax
    ax.axvline(1, color=INK, linewidth=1.1)
    for row, (way, values) in enumerate(rows.items()):
        colour = WAY_COLOURS.get(way, INK)
        ax.plot([min(values.values()), max(values.values())], [row, row], color=colour, alpha=0.35)
        alone = len(values) == 1  # nothing to tell apart, so nothing to name
        for i, (kind, value) in enumerate(values.items()):
            marker = "o" if alone else MARKERS[i]
            size, edge = (15, 2.2) if marker == "|" else (7, 1)
            ax.plot([value], [row], marker, color=colour, markersize=size, markeredgewidth=edge)
            if row == 0 and not alone:
                label_beside(
                    ax,
                    kind,
                    value,
                    row,
                    (0, -13 if i == 1 else 13),  # neighbours may be close
                    colour,
                    ha="center",
                    va="top" if i == 1 else "bottom",
                )
    every = [value for values in rows.values() for value in values.values()]
    low, high = 0.82 * min(1, *every), 1.6 * max(1, *every)
    ax.set(xscale="log", xlim=(low, high), ylim=(len(rows) - 0.5, -0.9))
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if low <= tick <= high]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(rows)), list(rows))
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("in units of the floor")
    return ax


@own_style()
def plot_step_times(
    times: Mapping[str, Sequence[tuple[float, float]]], ax: Axes | None = None
) -> Axes:
    """Draw the time of a step over the number of parameters, in units of the floor.

    Parameters
    ----------
    times : mapping of str to sequence of (float, float)
        Way → pairs of the number of parameters and the time in units of the floor.
    ax : Axes, optional

    Returns
    -------
    Axes
        One line a way, labelled at its end.
    """
    ax = new_axes(figsize=(7.6, 4.4)) if ax is None else ax
    ends: dict[str, tuple[float, float]] = {}
    for way, points in times.items():
        ax.plot(*zip(*points, strict=True), color=WAY_COLOURS[way], marker="o", markersize=4)
        ends[way] = points[-1]
    ax.plot(ax.dataLim.intervalx, [1, 1], color=INK, linewidth=1.1, zorder=1)
    ax.set(xscale="log", yscale="log", xlabel="parameters", ylabel="time, in units of the floor")
    above = 0.0
    for way, (x, y) in sorted(ends.items(), key=lambda entry: entry[1][1]):
        above = max(y, above * 1.24)  # labels that would overlap move up, and a line leads to them
        label_end(ax, LABELS_AT * x, above, way, WAY_COLOURS[way])
        ax.plot(
            [x, LABELS_AT * x], [y, above], color=WAY_COLOURS[way], linewidth=0.8, clip_on=False
        )
    ax.set_xlim(right=1.2 * x)
    ticks = [tick for tick in (1, 3, 10, 30, 100) if tick <= ax.get_ylim()[1]]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    return ax
