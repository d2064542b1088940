"""Sliders: what is shown, what a move does, what a notebook stores."""

import matplotlib

matplotlib.use("Agg")  # before pyplot: no window, on any machine

import matplotlib.pyplot as plt
import pytest
from IPython.core.formatters import DisplayFormatter

from adamlib.figures import new_axes
from adamlib.sliders import WIDGET, Slider

ALT = "One point at the height that the slider is set to, on axes from 0 to 10."
drawn = []


def point(height):
    drawn.append(height)
    ax = new_axes(figsize=(4, 3))
    ax.plot([0], [height], "o")
    ax.set(ylim=(0, 10))
    return ax


@pytest.fixture
def slider():
    drawn.clear()
    plt.close("all")  # what other tests have left open
    return Slider("height", [1, 2, 5.5], point, alt=ALT, start=2)


def test_a_move_draws_the_figure_anew(slider):
    assert slider.value == 2.0 and drawn == [2.0]
    pictures = [slider.picture]
    for value in (5.5, 1):
        slider.value = value
        pictures.append(slider.picture)
    assert drawn == [2.0, 5.5, 1.0]
    assert len(set(pictures)) == 3
    slider.value = 2.0
    assert slider.picture == pictures[0]
    assert plt.get_fignums() == []


def test_the_axes_stay_where_they_are():
    axes = []

    def wide(value):
        axes.append(new_axes(figsize=(4, 3)))
        axes[-1].plot([0, 1], [0, value])  # the longer its tick labels, the narrower the axes
        return axes[-1]

    Slider("height", [1, 1e-7], wide, alt=ALT).value = 1e-7
    first, second = axes
    assert first.get_position().bounds == second.get_position().bounds


def test_the_first_value_is_the_start_unless_given():
    assert Slider("height", [3, 4], point, alt=ALT).value == 3.0


def test_it_shows_a_widget_and_a_picture_for_where_there_is_none(slider):
    data, metadata = DisplayFormatter().format(slider)
    assert set(data) == {WIDGET, "image/png", "text/plain"}
    assert data["text/plain"] == f"Slider: {ALT}"  # no address, no number: the same each time
    assert metadata["image/png"] == {"alt": ALT, "width": 400, "height": 300}
    assert data["image/png"].startswith("iVBORw0KGgo")  # PNG's first bytes in base64


def test_the_picture_for_where_there_is_none_is_the_first(slider):
    before = DisplayFormatter().format(slider)[0]["image/png"]
    slider.value = 1.0
    assert DisplayFormatter().format(slider)[0]["image/png"] == before


@pytest.mark.parametrize(
    "change, message",
    [
        ({"values": [1.0]}, r"values has 1 entries \(expected two or more, all different\)"),
        ({"values": [1.0, 1.0]}, r"values has 2 entries \(expected two or more, all different\)"),
        ({"start": 3}, r"start is 3.0 \(expected one of values\)"),
        ({"alt": "a dot"}, r"alt has 5 characters \(expected a description of 40 or more\)"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Slider(**{"name": "height", "values": [1, 2], "draw": point, "alt": ALT} | change)


def test_what_is_no_figure_is_refused():
    with pytest.raises(TypeError, match="matplotlib Figure or Axes, got float"):
        Slider("height", [1, 2], lambda height: height, alt=ALT)
