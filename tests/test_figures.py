"""The data behind each figure; the pictures themselves are looked at by people."""

import matplotlib

matplotlib.use("Agg")  # before pyplot: no window, on any machine

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from adamlib.experiments import Trace, momentum, rmsprop, run, sgd
from adamlib.figures import COLOURS, plot_losses, plot_paths, show
from adamlib.problems import narrow_valley, random_two_layer_net

VALLEY = narrow_valley()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def traces(*curves):
    return [Trace(f"run {i}", np.array(curve)) for i, curve in enumerate(curves)]


def test_plot_losses_draws_every_loss_and_labels_its_end():
    ax = plot_losses(traces([4.0, 2.0, 1.0], [3.0, 3.0, 0.5]))
    assert [line.get_ydata().tolist() for line in ax.lines] == [[4, 2, 1], [3, 3, 0.5]]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 1, 2]] * 2
    assert ax.get_yscale() == "log"
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels == {"run 0": (2, 1.0), "run 1": (2, 0.5)}
    for text, line in zip(ax.texts, ax.lines, strict=True):
        assert to_hex(text.get_color()) == to_hex(line.get_color())


def displayed(monkeypatch, figure, alt):
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda data, **rest: calls.append((data, rest)))
    show(figure, alt=alt)
    ((data, rest),) = calls
    return data, rest


ALT = "One falling line over three steps, from four to one, on a logarithmic scale."


def test_show_stores_a_png_with_its_description(monkeypatch):
    ax = plot_losses(traces([4.0, 2.0, 1.0]))
    data, rest = displayed(monkeypatch, ax, ALT)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == f"Figure: {ALT}"
    metadata = rest["metadata"]["image/png"]
    assert metadata["alt"] == ALT
    assert rest["raw"] is True
    # the size a reader sees, in CSS pixels, at the resolution of the style
    assert (metadata["width"], metadata["height"]) == (720, 420)
    assert b"Software" not in data["image/png"]


def test_show_closes_the_figure(monkeypatch):
    ax = plot_losses(traces([4.0, 2.0, 1.0]))
    displayed(monkeypatch, ax.figure, ALT)
    assert not plt.fignum_exists(ax.figure.number)


def test_show_writes_the_same_bytes_each_time(monkeypatch):
    curves = [[4.0, 2.0, 1.0]]
    one, two = (displayed(monkeypatch, plot_losses(traces(*curves)), ALT)[0] for _ in range(2))
    assert one["image/png"] == two["image/png"]


def test_show_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match=r"alt has 3 characters \(expected a description of 40"):
        show(plot_losses(traces([1.0])), alt="abc")
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure or Axes, got list"):
        show([1, 2], alt=ALT)


def test_the_colours_can_be_told_apart_by_everybody():
    okabe_ito = "#000000 #E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7".split()
    assert set(COLOURS.values()) <= set(okabe_ito)
    assert len(set(COLOURS.values())) == len(COLOURS)


def paths(steps=30):
    methods = {"SGD": sgd(0.036), "momentum": momentum(0.036), "RMSProp": rmsprop(0.1)}
    return [run(VALLEY, method, steps, name, keep_path=True) for name, method in methods.items()]


def test_plot_paths_draws_the_paths():
    traces = paths()
    ax = plot_paths(VALLEY, traces)
    *lines, start, minimum = ax.lines
    for line, trace in zip(lines, traces, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), trace.path)
        assert line.get_color() == COLOURS[trace.label]
    np.testing.assert_array_equal(start.get_xydata(), [VALLEY.start])
    np.testing.assert_array_equal(minimum.get_xydata(), [VALLEY.minimum])
    assert texts(ax) == ["start", "minimum", "SGD", "momentum", "RMSProp"]
    assert ax.get_aspect() == 1  # else the walls look less steep than they are


def test_plot_paths_labels_stand_inside_and_beside_their_own_path():
    traces = paths()
    ax = plot_paths(VALLEY, traces)
    ax.figure.canvas.draw()
    box = ax.get_window_extent()
    boxes = [text.get_window_extent() for text in ax.texts]
    for i, one in enumerate(boxes):
        assert box.contains(one.x0, one.y0) and box.contains(one.x1, one.y1)
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
    for text, trace in zip(ax.texts[2:], traces, strict=True):
        away = [np.hypot(*(t.path - text.get_position()).T).min() for t in traces]
        assert traces[int(np.argmin(away))] is trace


def test_plot_paths_contours_are_those_of_the_problem():
    (contours,) = plot_paths(VALLEY, paths()).collections
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        if len(path.vertices):
            # linear interpolation on a grid of 300 points a side
            np.testing.assert_allclose(VALLEY.value(path.vertices), level, rtol=0.02)


def test_plot_paths_cuts_off_a_run_that_diverges():
    trace = run(VALLEY, sgd(lr=0.05), steps=40, label="SGD, too fast", keep_path=True)
    assert abs(trace.path[-1, 1]) > 1e6
    ax = plot_paths(VALLEY, [trace])
    assert max(np.abs(ax.get_ylim())) < 5
    assert ax.lines[0].get_color() == COLOURS["SGD"]


def test_plot_paths_draws_into_the_axes_given_and_colours_unknown_labels():
    ax = plt.subplots()[1]
    traces = [Trace("mine", np.zeros(1), None, np.zeros((2, 2))) for _ in range(2)]
    assert plot_paths(VALLEY, traces, ax=ax) is ax
    first, second = (to_hex(line.get_color()) for line in ax.lines[:2])
    assert first != second


def test_plot_paths_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match="trace 'SGD' has no path of points in two coordinates"):
        plot_paths(VALLEY, [run(VALLEY, sgd(0.01), 3, "SGD")])
    with pytest.raises(ValueError, match="problem 'two-layer net' has no known minimum"):
        plot_paths(random_two_layer_net(2, 2, 2, 2), [])
