"""The numbers behind the figures of notebook 09."""

import matplotlib

matplotlib.use("Agg")  # before pyplot: no window, on any machine

import matplotlib.pyplot as plt
import pytest

from adamlib.figures import WAY_COLOURS, plot_floors, plot_step_times


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_each_way_has_a_row_and_each_kind_a_mark():
    rows = {
        "textbook": {"bytes": 6.6, "measured": 6.2, "with new pages": 11.0},
        "torch fused": {"bytes": 1.0, "measured": 1.1, "with new pages": 1.2},
    }
    ax = plot_floors(rows)
    floor, *lines = ax.lines
    assert list(floor.get_xdata()) == [1, 1]
    span, *marks = lines[:4]
    assert sorted(span.get_xdata()) == [6.2, 11.0]
    assert [mark.get_xdata()[0] for mark in marks] == [6.6, 6.2, 11.0]
    assert len({mark.get_marker() for mark in marks}) == 3
    assert {tuple(mark.get_ydata()) for mark in lines[4:]} == {(1,), (1, 1)}
    assert {mark.get_color() for mark in marks} == {WAY_COLOURS["textbook"]}
    assert texts(ax) == ["bytes", "measured", "with new pages"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top


def test_what_is_faster_than_the_floor_is_inside_the_picture():
    ax = plot_floors({"torch fused": {"yours": 0.3}})
    low, high = ax.get_xlim()
    assert low < 0.3 < 1 < high
    assert texts(ax) == []  # one kind needs no name
    assert ax.lines[-1].get_marker() == "o"


def test_each_way_has_a_line_with_its_name_at_the_end():
    times = {"textbook": [(100, 9.0), (1000, 4.0)], "compiled": [(100, 3.0), (1000, 1.0)]}
    ax = plot_step_times(times)
    curves = {line.get_color(): line for line in ax.lines[:2]}
    for way, points in times.items():
        assert list(map(tuple, curves[WAY_COLOURS[way]].get_xydata())) == points
    assert sorted(texts(ax)) == sorted(times)
    assert list(ax.lines[2].get_ydata()) == [1, 1]


def test_labels_do_not_overlap():
    same = {way: [(10, 1.0), (100, 1.0)] for way in ("compiled", "torch fused", "ours fused")}
    heights = sorted(text.xy[1] for text in plot_step_times(same).texts)
    assert all(b / a > 1.2 for a, b in zip(heights, heights[1:], strict=False))
