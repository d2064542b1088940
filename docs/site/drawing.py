"""Panels and controls of the figures that can be moved: the build draws what static/chart.js does.

Without JavaScript the drawing stays as it was built, and the controls stay hidden.
"""

import json
from collections.abc import Iterable, Sequence
from html import escape
from math import isnan
from typing import Any, NamedTuple

import numpy as np

BEYOND = 500  # as in static/chart.js


class Panel(NamedTuple):
    """A rectangle of a drawing, and what its edges stand for; powers of ten on a log axis."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    log_x: bool = False
    log_y: bool = False

    def across(self, x: float) -> float:
        first, last = self.x
        share = (_decade(x, self.log_x) - first) / (last - first)
        return _within(self.left + self.width * share, self.left, self.width)

    def up(self, y: float) -> float:
        first, last = self.y
        share = (_decade(y, self.log_y) - first) / (last - first)
        return _within(self.top + self.height * (1 - share), self.top, self.height)

    def line(self, xs: Iterable[float], ys: Iterable[float]) -> str:
        """A line through points as the ``d`` of a path; it breaks where a number is none.

        >>> Panel(0, 0, 10, 10, (0, 1), (0, 1)).line([0, 0.5, 1], [0, float("nan"), 1])
        'M0.0 10.0M10.0 0.0'
        """
        drawn, pen = "", "M"
        for x, y in zip(xs, ys, strict=True):
            if isnan(y):
                pen = "M"
            else:
                drawn += f"{pen}{self.across(x):.1f} {self.up(y):.1f}"
                pen = "L"
        return drawn

    def dots(self, xs: Iterable[float], ys: Iterable[float]) -> str:
        return "".join(f"{self.line([x], [y])}h0" for x, y in zip(xs, ys, strict=True))

    def axes(
        self,
        xs: dict[float, str],
        ys: dict[float, str],
        x_label: str = "",
        y_label: str = "",
        grid: bool = True,
    ) -> str:
        """Ticks with their texts, a faint line at each, what the axes are.

        Every other tick's text is left out where the screen is narrow.
        """
        bottom, right = self.top + self.height, self.left + self.width
        parts = []
        for place, (x, text) in enumerate(xs.items()):
            at = self.across(x)
            if grid:
                parts.append(f'<path class="grid" d="M{at:.1f} {bottom}V{self.top}"/>')
            parts.append(
                f'<text{_rank(place)} text-anchor="middle" dominant-baseline="hanging" '
                f'font-size="14" x="{at:.1f}" y="{bottom + 7}">{text}</text>'
            )
        for place, (y, text) in enumerate(ys.items()):
            at = self.up(y)
            if grid:
                parts.append(f'<path class="grid" d="M{self.left} {at:.1f}H{right}"/>')
            parts.append(
                f'<text{_rank(place)} text-anchor="end" font-size="14" x="{self.left - 7}" '
                f'y="{at + 5:.1f}">{text}</text>'
            )
        if x_label:
            parts.append(
                f'<text text-anchor="middle" font-size="15" x="{(self.left + right) / 2}" '
                f'y="{bottom + 54}">{x_label}</text>'
            )
        if y_label:
            parts.append(f'<text font-size="15" x="2" y="{self.top - 16}">{y_label}</text>')
        return "".join(parts)

    def clip(self, name: str) -> str:
        """What may be seen of a line: what lies in the panel. It is named by its id."""
        return (
            f'<clipPath id="{name}"><rect x="{self.left}" y="{self.top}" width="{self.width}" '
            f'height="{self.height}"/></clipPath>'
        )


def _decade(value: float, log: bool) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log10(value)) if log else value


def _within(place: float, start: float, length: float) -> float:
    return min(start + length + BEYOND, max(start - BEYOND, place))


def _rank(place: int) -> str:
    return ' class="second"' if place % 2 else ""


def power(exponent: int) -> str:
    """
    >>> power(0), power(1), power(-8)
    ('1', '10', '1e-8')
    """
    return {0: "1", 1: "10"}.get(exponent, f"1e{exponent}")


def powers(first: int, last: int, every: int) -> dict[float, str]:
    """Powers of ten as ticks, and how they are written."""
    return {10.0**each: power(each) for each in range(first, last + 1, every)}


def slider(
    name: str, label: str, decades: tuple[float, float], at: float, step: float = 0.05, zero=False
) -> str:
    """A slider over powers of ten; ``zero`` is one place to the left of them."""
    least = decades[0] - 1 if zero else decades[0]
    return labelled(label, _range(name, least, decades[1], step, at, " data-zero" if zero else ""))


def steps(name: str, label: str, last: int, at: int, first: int = 0, kind: str = "") -> str:
    """A slider over whole numbers."""
    return labelled(label, _range(name, first, last, 1, at), kind)


def labelled(label: str, control: str, kind: str = "") -> str:
    """A control with its name before it; ``wide`` is the kind that takes a line of its own."""
    return f'<label class="{kind}"><span>{label}</span>{control}</label>'


def _range(name: str, first: float, last: float, step: float, at: float, more: str = "") -> str:
    return (
        f'<input type="range" name="{name}" min="{first}" max="{last}" step="{step}" '
        f'value="{at}"{more}><output></output>'
    )


def choice(name: str, label: str, values: Sequence[str], chosen: str) -> str:
    options = "".join(
        f"<option{' selected' if value == chosen else ''}>{value}</option>" for value in values
    )
    return labelled(label, f'<select name="{name}">{options}</select>')


def choice_in_groups(name: str, label: str, groups: dict[str, dict[str, str]], none: str) -> str:
    """A choice with a first entry for none, then groups of value → text."""
    parts = [f'<option value="">{none}</option>']
    for title, entries in groups.items():
        options = "".join(
            f'<option value="{value}">{escape(text)}</option>' for value, text in entries.items()
        )
        parts.append(f'<optgroup label="{title}">{options}</optgroup>')
    return labelled(label, f'<select name="{name}">{"".join(parts)}</select>', "wide")


def picture(kind: str, box: tuple[float, float], alt: str, *parts: str) -> str:
    """A drawing; its title is what is said of it where it is not seen."""
    name = f"title-{kind.split()[0]}"
    return (
        f'<svg class="{kind}" viewBox="0 0 {box[0]} {box[1]}" role="img" aria-labelledby="{name}">'
        f'<title id="{name}">{escape(alt)}</title>{"".join(parts)}</svg>'
    )


def figure(kind: str, data: dict[str, Any], drawings: str, controls: Sequence[str]) -> str:
    """A figure that can be moved: its drawings, its data, and what can be changed.

    One line of HTML, so that Markdown leaves it alone.
    """
    data = {
        key: value._asdict() if isinstance(value, Panel) else value for key, value in data.items()
    }
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return (
        f'<div class="play {kind}">{drawings}'
        f'<script type="application/json" class="data">{written}</script>'
        f"<noscript><p>{STILL}</p></noscript>"
        '<div class="controls" hidden><p class="says" aria-live="polite"></p>'
        f"{''.join(controls)}</div></div>"
    )


STILL = "This is a picture: with JavaScript you could move it here."
