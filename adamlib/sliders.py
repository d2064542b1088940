"""A slider below which a figure is redrawn: the reader moves, the equation obeys."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from .figures import check_alt, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDGET = "application/vnd.jupyter.widget-view+json"


class Slider:
    """A slider over values, with a figure that is drawn anew for the one chosen.

    As the last line of a cell it shows itself. Where no kernel runs (a rendered page, a
    notebook just opened) the figure of the first value chosen stands in its place.

    Parameters
    ----------
    name : str
        Stands before the slider: ``"ε"``.
    values : sequence of float
        What can be chosen, two or more, all different.
    draw : callable
        Takes a value, returns a Figure or Axes. It is called on each move, so it must be fast:
        train before, draw here.
    alt : str
        What there is to see, in a sentence or two, whatever the value; 40 characters or more.
    start : float, optional
        The value chosen first; the first of ``values`` unless given.

    Examples
    --------
    >>> from adamlib.figures import plot_losses
    >>> from adamlib.experiments import sweep
    >>> from adamlib.problems import narrow_valley
    >>> trace = sweep(narrow_valley(), 50, lr=[0.01, 0.1])
    >>> slider = Slider(
    ...     "lr",
    ...     trace.axes["lr"],
    ...     lambda lr: plot_losses([trace.select(lr=lr)]),
    ...     alt="The loss of the narrow valley, step by step, for the lr that is chosen.",
    ... )
    >>> slider.value
    0.01
    >>> slider.value = 0.1
    """

    def __init__(
        self,
        name: str,
        values: Sequence[float],
        draw: Callable[[float], "Figure | Axes"],
        alt: str,
        start: float | None = None,
    ) -> None:
        values = [float(value) for value in values]
        if len(set(values)) < max(2, len(values)):
            raise ValueError(
                f"values has {len(values)} entries (expected two or more, all different)"
            )
        start = values[0] if start is None else float(start)
        if start not in values:
            raise ValueError(f"start is {start} (expected one of values)")
        check_alt(alt)
        self._draw, self._alt = draw, alt
        first = _figure(draw(start))
        self._first, self._size = png(first)
        self._places = [ax.get_position() for ax in getattr(first, "axes", ())]
        self._slider = ipywidgets.SelectionSlider(
            options=[(f"{value:.3g}", value) for value in values],
            value=start,
            description=name,
            layout={"width": "min(100%, 480px)"},
        )
        self._image = ipywidgets.Image(
            value=self._first,
            format="png",
            layout={"width": f"{self._size['width']}px", "max_width": "100%"},
        )
        self._box = ipywidgets.VBox([self._slider, self._image])
        self._slider.observe(lambda change: self._redraw(), names="value")

    @property
    def value(self) -> float:
        """The value chosen; setting it moves the slider and redraws the figure."""
        return self._slider.value

    @value.setter
    def value(self, value: float) -> None:
        self._slider.value = value

    @property
    def picture(self) -> bytes:
        """The figure that is shown, as a PNG."""
        return self._image.value

    def _redraw(self) -> None:
        """Draw anew, with all axes where the first figure has them: steadier, and half the work."""
        figure = _figure(self._draw(self.value))
        settled = len(getattr(figure, "axes", ())) == len(self._places)
        if settled:
            figure.set_layout_engine("none")
            for ax, place in zip(figure.axes, self._places, strict=True):
                ax.set_position(place)
        self._image.value = png(figure, settled)[0]

    def __repr__(self) -> str:
        return f"Slider: {self._alt}"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tell a notebook what it may show; the first kind that it knows wins."""
        widget = self._box._repr_mimebundle_(**kwargs)[WIDGET]
        data = {"text/plain": repr(self), "image/png": b64encode(self._first).decode("ascii")}
        return data | {WIDGET: widget}, {"image/png": {"alt": self._alt, **self._size}}


def _figure(drawn: Any) -> Any:
    return getattr(drawn, "figure", drawn)
