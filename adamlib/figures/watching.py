"""What a report and a watched run say: √v̂ beside ε, and shares over the steps."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from ..reporting import Report
from ..reporting.numbers import module_of
from .base import label_beside, new_axes, new_panels, own_style
from .colours import COLOURS, INK, NUMBER_COLOUR

MOST_PARAMETERS, MOST_MODULES = 20, 6
WATCHED = {
    "held_back_half": "share that ε halves",
    "lost_in_rounding": "share lost in rounding",
    "step_max": "longest step / lr",
}


@own_style()
def plot_report(report: Report, ax: Axes | None = None) -> Axes:
    """Draw where √v̂ of each parameter lies, beside the ε that is added to it.

    Parameters
    ----------
    report : Report
        Of a state that has taken a step; of more than 20 parameters those that matter most.
    ax : Axes, optional

    Returns
    -------
    Axes
        For each parameter, the first on top, a line from the √v̂ that 1 % do not exceed to that of
        99 %, with a dot at the median and a tick at ε; a √v̂ of 0 stands at the left edge.

    Raises
    ------
    ValueError
        ``no step has been taken (expected a state)``.
    """
    measured = {one.row["name"]: one for one in report.measured if one.row["root_v_50"] is not None}
    names = [row[0] for row in report.table(None).rows if row[0] in measured][:MOST_PARAMETERS]
    if not names:
        raise ValueError("no step has been taken (expected a state)")
    ax = new_axes(figsize=(7.8, 1.4 + 0.3 * len(names))) if ax is None else ax
    rows = [measured[name].row for name in names]
    roots = np.array([[row[f"root_v_{q}"] for q in (1, 50, 99)] for row in rows])
    eps = np.array([_eps_beside_root(measured[name]) for name in names])
    least = np.concatenate([roots[roots > 0], eps[eps > 0]]).min(initial=1.0) / 3
    drawn, places = np.maximum(roots, least), -np.arange(len(names))
    ax.hlines(places, drawn[:, 0], drawn[:, 2], color=COLOURS["Adam"], linewidth=4, alpha=0.45)
    ax.plot(drawn[:, 1], places, "o", color=COLOURS["Adam"], markersize=6)
    ax.plot(np.where(eps > 0, eps, np.nan), places, "|", color=INK, markersize=13)
    label_beside(ax, "ε", max(eps[0], least), 0, (0, 9), INK, ha="center")
    ax.set(xscale="log", xlabel="√v̂: 1 %, median, 99 %", ylim=(0.7 - len(names), 0.9))
    ax.set_yticks(places, names)
    ax.grid(axis="y", color=NUMBER_COLOUR)
    return ax


def _eps_beside_root(one: Any) -> float:
    return 0.0 if one.held.rule is None else one.held.rule.eps_beside_root


@own_style()
def plot_watch(path: str | os.PathLike, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Draw what `adamlib.watch` wrote to a file, module by module, over the steps.

    Parameters
    ----------
    path : str or path
        Lines of JSON.
    axes : sequence of three Axes, optional

    Returns
    -------
    sequence of three Axes
        The share of the numbers that ε holds back by half, the share whose step is lost in
        rounding, and the longest step in units of lr; a line a module. Of more than six modules
        those with the largest values are drawn, and the others in grey.

    Raises
    ------
    ValueError
        ``'run.jsonl' holds no line of watch``; ``'run.jsonl', line 3, is not one of watch``.
    """
    lines = list(_read(path))
    if not lines:
        raise ValueError(f"{str(path)!r} holds no line of watch")
    axes = new_panels(1, 3, figsize=(11.8, 3.6)) if axes is None else axes
    steps = [line["step"] for line in lines]
    columns = {column: _modules(lines, column) for column in WATCHED}
    shades = _shades(columns)
    for ax, (column, title) in zip(axes, WATCHED.items(), strict=True):
        for name, values in columns[column].items():
            shade = shades.get(name)
            colour, order = (NUMBER_COLOUR, 1) if shade is None else (shade, 2)
            ax.plot(steps, values, color=colour, zorder=order, label=name)
        ax.set(xlabel="step t", ylabel=title)
        if column != "step_max":
            ax.set(ylim=(-0.03, 1.03))
    drawn = [line for line in axes[-1].lines if line.get_label() in shades]
    axes[-1].legend(
        handles=drawn, frameon=False, fontsize=9, handlelength=1.0,
        loc="upper left", bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip
    return axes


def _shades(columns: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Give the modules of the largest shares a colour each, in the order of the model."""
    peaks: dict[str, float] = {}
    for column, modules in columns.items():
        for name, values in modules.items():
            peak = 0.0 if column == "step_max" else float(np.nanmax(values))
            peaks[name] = max(peak, peaks.get(name, 0.0))
    chosen = set(sorted(peaks, key=lambda name: -peaks[name])[:MOST_MODULES])
    names = [name for name in peaks if name in chosen]
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.75, max(1, len(names))))
    return dict(zip(names, colours, strict=False))


def _modules(lines: Sequence[Mapping[str, Any]], column: str) -> dict[str, np.ndarray]:
    """Return each module's values: shares over its numbers, of steps the longest."""
    names = dict.fromkeys(module_of(row["name"]) for line in lines for row in line["rows"])
    found = {name: np.full(len(lines), np.nan) for name in names}
    for i, line in enumerate(lines):
        for name in names:
            rows = [r for r in line["rows"] if module_of(r["name"]) == name]
            rows = [r for r in rows if r[column] is not None and r["numbers"]]
            if rows:
                values = np.array([float(r[column]) for r in rows])
                weights = [r["numbers"] for r in rows]
                whole = (
                    values.max() if column == "step_max" else np.average(values, weights=weights)
                )
                found[name][i] = whole
    return {name: values for name, values in found.items() if not np.isnan(values).all()}


def _read(path: str | os.PathLike) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            try:
                line = json.loads(text)
                line["step"], line["rows"]
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{str(path)!r}, line {number}, is not one of watch") from error
            yield line
