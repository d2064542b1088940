"""The data behind each figure, by module; the pictures themselves are looked at by people."""

import matplotlib

matplotlib.use("Agg")  # before pyplot: no window, on any machine

import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colors import to_hex, to_rgb

from adamlib import figures, identify, report, watch
from adamlib.experiments import (
    PRECISION_STEPS,
    NanSpread,
    Trace,
    drift,
    first_step_map,
    first_step_of_noise,
    momentum,
    precision_map,
    rare_gradient,
    rmsprop,
    run,
    sgd,
    sweep,
    walk_on_interval,
    width_scan,
)
from adamlib.figures import (
    COLOURS,
    DIALECT_COLOURS,
    FORMAT_COLOURS,
    REGION_COLOURS,
    WAY_COLOURS,
    plot_apart,
    plot_average,
    plot_averages_in,
    plot_denominators,
    plot_distances,
    plot_eps_threshold,
    plot_epsilon,
    plot_first_step_map,
    plot_floors,
    plot_gap,
    plot_identification,
    plot_longest_steps,
    plot_losses,
    plot_nan_spread,
    plot_paths,
    plot_precision_maps,
    plot_repairs,
    plot_report,
    plot_shrinkage,
    plot_step_lengths,
    plot_step_times,
    plot_sweep,
    plot_symptoms,
    plot_uncorrected_step,
    plot_walks,
    plot_watch,
    plot_width,
    show,
)
from adamlib.figures.colours import INK
from adamlib.moments import ema_weights, uncorrected_step
from adamlib.problems import narrow_valley, random_two_layer_net

VALLEY = narrow_valley()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", [name for name in figures.__all__ if name.startswith("plot_")])
def test_every_figure_has_a_test_here(name):
    assert f"{name}(" in Path(__file__).read_text(encoding="utf-8")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def words(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def traces(*curves):
    return [Trace(f"run {i}", np.array(curve)) for i, curve in enumerate(curves)]


def paths(steps=30):
    methods = {"SGD": sgd(0.036), "momentum": momentum(0.036), "RMSProp": rmsprop(0.1)}
    return [run(VALLEY, method, steps, name, keep_path=True) for name, method in methods.items()]


# --- base -----------------------------------------------------------------------------------------


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


# --- curves ---------------------------------------------------------------------------------------


def test_plot_losses_draws_every_loss_and_labels_its_end():
    ax = plot_losses(traces([4.0, 2.0, 1.0], [3.0, 3.0, 0.5]))
    assert [line.get_ydata().tolist() for line in ax.lines] == [[4, 2, 1], [3, 3, 0.5]]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 1, 2]] * 2
    assert ax.get_yscale() == "log"
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels == {"run 0": (2, 1.0), "run 1": (2, 0.5)}
    for text, line in zip(ax.texts, ax.lines, strict=True):
        assert to_hex(text.get_color()) == to_hex(line.get_color())


def test_plot_losses_draws_the_losses():
    traces = paths(steps=20)
    ax = plot_losses(traces)
    assert ax.get_yscale() == "log"
    for line, trace in zip(ax.lines, traces, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), np.arange(20))
        np.testing.assert_array_equal(line.get_ydata(), trace.losses)
        assert line.get_color() == COLOURS[trace.label]
    assert texts(ax) == ["SGD", "momentum", "RMSProp"]


def test_plot_losses_goes_from_dark_to_light_where_no_method_is_named():
    ax = plot_losses([Trace(f"ε = {eps}", np.ones(2)) for eps in (0.1, 1, 10)])
    brightness = [sum(line.get_color()[:3]) for line in ax.lines]
    assert brightness == sorted(brightness) and len(set(brightness)) == 3


def test_plot_shrinkage_draws_each_method_and_where_its_swings_begin_to_grow():
    rates = np.array([0.01, 0.02, 0.04, 0.08])
    ax = plot_shrinkage(rates, {"SGD": np.abs(1 - 50 * rates), "momentum": 0.9 + rates})
    sgd_line, momentum_line, one = ax.lines
    np.testing.assert_allclose(sgd_line.get_ydata(), [0.5, 0, 1, 3])
    np.testing.assert_array_equal(momentum_line.get_xdata(), rates)
    assert (sgd_line.get_color(), momentum_line.get_color()) == (
        COLOURS["SGD"],
        COLOURS["momentum"],
    )
    assert set(one.get_ydata()) == {1}
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels == {"SGD:\nup to α = 0.04": (0.04, 1), "momentum:\nup to α = 0.08": (0.08, 1)}
    assert ax.get_xscale() == "log"


def test_plot_longest_steps_draws_runs_and_bounds():
    lengths = {"one": np.array([1.0, 3.0, 2.0]), "two": [0.5, 0.25]}
    ax = plot_longest_steps(lengths, {"limit": 4.0})
    one, two, limit = ax.lines
    np.testing.assert_array_equal(one.get_xydata(), [(1, 1), (2, 3), (3, 2)])
    np.testing.assert_array_equal(two.get_xydata(), [(1, 0.5), (2, 0.25)])
    assert list(limit.get_ydata()) == [4.0, 4.0]
    assert texts(ax) == ["one", "two", "limit"]
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 4


DISTANCES = {"near": np.array([0.0, 1e-3, 1e-2]), "close": np.array([1e-3, 9e-3, 1.1e-2])}


def test_plot_distances_draws_every_distance_and_leaves_out_zeros():
    ax = plot_distances(DISTANCES, {"near": "outside", "close": "hat"})
    near, close, one = ax.lines
    assert np.isnan(near.get_ydata()[0]) and near.get_ydata()[1:].tolist() == [1e-3, 1e-2]
    assert close.get_ydata().tolist() == [1e-3, 9e-3, 1.1e-2]
    assert near.get_xdata().tolist() == [1, 2, 3]
    assert set(one.get_ydata()) == {1}
    assert (near.get_color(), close.get_color()) == (
        DIALECT_COLOURS["outside"],
        DIALECT_COLOURS["hat"],
    )
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_plot_distances_pushes_labels_apart_where_lines_end_together():
    ax = plot_distances(DISTANCES, {"near": "outside", "close": "hat"})
    ax.figure.draw_without_rendering()
    below, above = (
        next(t for t in ax.texts if t.get_text() == name).get_window_extent()
        for name in ("near", "close")
    )
    assert below.y1 <= above.y0 + 2 * ax.figure.dpi / 72


def test_plot_symptoms_draws_each_run_over_the_right_one():
    right, *wrong = traces([4.0, 2.0, 1.0], [4.0, 3.0, 2.0], [4.0, np.nan, np.nan], [4.0, 1.0, 0.5])
    panels = plot_symptoms(right, wrong, columns=2).axes
    assert [ax.get_title(loc="left") for ax in panels[:3]] == ["run 1", "run 2", "run 3"]
    for ax, trace in zip(panels, wrong, strict=False):
        assert ax.lines[0].get_ydata().tolist() == [4, 2, 1]
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), trace.losses)
    assert [len(ax.lines) for ax in panels[:3]] == [2, 3, 2]
    assert panels[1].lines[2].get_xydata().tolist() == [[0, 4]]
    assert texts(panels[1]) == ["NaN after step 1"]
    assert texts(panels[2]) == ["run 0"]
    assert not panels[3].axison


# --- paths ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("method, steps, below", [(momentum(0.1), 60, 0.48), (sgd(0.01), 5, 0.22)])
def test_plot_paths_moves_the_name_of_the_minimum_off_a_path(method, steps, below):
    trace = run(VALLEY, method, steps, keep_path=True)
    ax = plot_paths(VALLEY, [trace])
    ax.figure.canvas.draw()
    (text,) = (text for text in ax.texts if text.get_text() == "minimum")
    box, points = text.get_window_extent(), ax.transData.transform(trace.path)
    assert not any(box.contains(*point) for point in points)
    down = ax.transData.transform((0, 0)) - ax.transData.transform(text.get_position())
    np.testing.assert_allclose(down / ax.figure.dpi, (0, below), rtol=0.2, atol=1e-9)


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


# --- averages -------------------------------------------------------------------------------------


def pieces(ax):
    """Bottom and top of every bar, by the step it stands at: (step, bottom, top)."""
    return [
        (round(bar.get_x() + bar.get_width() / 2), bar.get_y(), bar.get_y() + bar.get_height())
        for bar in ax.patches
    ]


def test_plot_average_stacks_the_weights():
    columns = [ema_weights(0.5, t) for t in (1, 2, 3)]
    figure = plot_average({"m": columns, "v": [ema_weights(0.999, t) for t in (1, 2, 3)]})
    ax, other = figure.axes
    assert (ax.get_title(loc="left"), other.get_title(loc="left")) == ("m", "v")
    # the whole column first, then the newest value of each, the one before, …, by hand
    assert pieces(ax) == [
        *[(t, 0, 1) for t in (1, 2, 3)],
        *[(t, 0, 0.5) for t in (1, 2, 3)],
        *[(t, 0.5, 0.75) for t in (2, 3)],
        (3, 0.75, 0.875),
    ]
    assert sorted(texts(ax)) == [
        "",  # the bracket
        "all 3 together: 88%",
        "newest value: 50%",
        "the one before: 25%",
        "the zero at\nthe start",
    ]
    assert "all 3 together: 0%" in texts(other)


def test_plot_average_colours_what_is_seen_and_what_is_not():
    (ax,) = plot_average({"m": [ema_weights(0.9, t) for t in range(1, 31)]}).axes
    seen = [patch for patch in ax.patches if patch.get_height() < 1]
    assert len(seen) == 30 * 31 / 2
    assert to_hex(seen[0].get_facecolor()) == to_hex(COLOURS["Adam"])  # the newest: undiluted
    reds = [patch.get_facecolor()[0] for patch in ax.patches[:30]]
    assert min(reds) > to_rgb(COLOURS["without correction"])[0]  # the start: a light tint


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_plot_average_of_a_few_steps(steps):
    (ax,) = plot_average({"m": [ema_weights(0.9, t) for t in range(1, steps + 1)]}).axes
    assert len(ax.patches) == steps + steps * (steps + 1) / 2


def test_plot_uncorrected_step_draws_both_lines_and_the_marks():
    steps = np.arange(1, 2001)
    lengths = uncorrected_step((0.9, 0.999), steps)
    ax = plot_uncorrected_step(steps, np.ones(2000), lengths, marks=(1, 12, 100))
    corrected, uncorrected, *dots = ax.lines
    np.testing.assert_array_equal(corrected.get_ydata(), 1)
    np.testing.assert_array_equal(uncorrected.get_xydata(), np.stack([steps, lengths], axis=1))
    assert corrected.get_color() == COLOURS["Adam"]
    assert uncorrected.get_color() == COLOURS["without correction"]
    assert [dot.get_xydata().tolist() for dot in dots] == [
        [[t, lengths[t - 1]]] for t in (1, 12, 100)
    ]
    assert {"3.16 at t = 1", "6.57 at t = 12", "3.24 at t = 100"} < set(texts(ax))
    assert ax.get_xscale() == "log" and ax.get_ylabel() == "length of the step / lr"


def test_plot_uncorrected_step_draws_into_given_axes():
    ax = plt.subplots()[1]
    steps = np.arange(1, 4)
    assert plot_uncorrected_step(steps, np.ones(3), np.array([3.0, 2.0, 1.0]), ax=ax) is ax
    assert len(ax.lines) == 2


# --- first_steps ----------------------------------------------------------------------------------


def test_first_step_map_shows_every_outcome_where_it_is():
    data = first_step_map(np.float32, (-46, 4), (-44, 2), per_decade=2)
    ax = plot_first_step_map(data)
    rest, no_grad, no_eps, neither = ax.images
    colours = {colour.lower(): name for name, colour in REGION_COLOURS.items()}
    parts = [data.outcomes[1:, 1:], data.outcomes[1:, :1], data.outcomes[:1, 1:]]
    for image, part in zip((rest, no_grad, no_eps), parts, strict=True):
        shown = [colours[to_hex(rgb)] for row in image.get_array() for rgb in row]
        assert shown == list(part.flat)
    assert colours[to_hex(neither.get_array()[0, 0])] == "NaN"
    np.testing.assert_allclose(rest.get_extent(), (-46, 4, -44, 2))
    assert no_grad.get_extent()[1] < -46 and no_eps.get_extent()[3] < -44
    for label in ("NaN", "±∞", "too long", "arbitrary", "fine", "held back", "default"):
        assert label in words(ax)
    # g = 0, and gradients so small that m is lost
    assert sorted(text.get_rotation() for text in ax.texts if text.get_text() == "NaN") == [0, 90]


def test_first_step_map_leaves_out_what_is_not_there():
    ax = plot_first_step_map(first_step_map(np.float32, (-4, 4), (-20, 2), per_decade=1))
    assert "fine" in words(ax) and "too long" not in words(ax) and "±∞" not in words(ax)


@pytest.mark.parametrize("grads", [(-46, 6), (-30, 4), (-12, 4), (-4, 4), (3, 6)])
def test_first_step_map_names_the_diagonal_where_it_is(grads):
    ax = plot_first_step_map(first_step_map(np.float32, grads, (-20, 2), per_decade=1))
    there = [text.get_position() for text in ax.texts if text.get_text() == "ε = |g|"]
    assert len(there) == (grads[0] < 2)
    for x, y in there:
        assert max(grads[0], -20) < x < y < min(grads[1], 2) and y - x < 1.5


def test_first_step_map_is_drawn_into_given_axes():
    ax = plt.subplots()[1]
    assert plot_first_step_map(first_step_map(per_decade=1), ax) is ax


def test_nan_spread_shows_each_parameter_as_a_cell():
    shapes = {"W1": (4, 6), "b1": (4,), "W2": (2, 4), "b2": (2,)}
    rng = np.random.default_rng(0)
    masks = [{name: rng.random(shape) < 0.5 for name, shape in shapes.items()} for _ in range(2)]
    figure = plot_nan_spread(NanSpread(np.array([12.3, np.nan]), masks))
    assert len(figure.axes) == 2
    for ax, mask in zip(figure.axes, masks, strict=True):
        meshes = [each for each in ax.collections if isinstance(each, QuadMesh)]
        for mesh, name in zip(meshes, shapes, strict=True):
            shown = np.asarray(mesh.get_array()).reshape(len(mask[name]), -1)
            np.testing.assert_array_equal(shown, mask[name].reshape(len(mask[name]), -1))
        count = sum(int(each.sum()) for each in mask.values())
        assert f"NaN: {count} of 38" in words(ax)
    assert "loss: 12" in words(figure.axes[0]) and "loss: NaN" in words(figure.axes[1])
    assert "start" in words(figure.axes[0]) and "after update 1" in words(figure.axes[1])


def test_step_lengths_have_a_line_and_points_each():
    lines = {
        "a": (np.array([0.1, 1, 10]), np.array([0.1, 0.5, 0.9])),
        "b": (np.ones(1), np.ones(1)),
    }
    points = {"a": (np.array([1.0]), np.array([0.5])), "b": (np.ones(1), np.zeros(1))}
    ax = plot_step_lengths(lines, points)
    dotted, *drawn = ax.lines
    assert list(dotted.get_xdata()) == [1, 1]
    expected = [lines["a"], points["a"], lines["b"], points["b"]]
    for line, (x, y) in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([x, y]))
    assert texts(ax)[1:] == ["a", "0.5 lr", "b", "0 lr"] and ax.get_xscale() == "log"


# --- epsilon --------------------------------------------------------------------------------------


def grid(last):
    """A sweep whose first losses are 1 and whose last ones are given."""
    last = np.array(last)
    axes = {"lr": 10.0 ** np.arange(len(last)), "eps": 10.0 ** np.arange(last.shape[1])}
    return Trace("grid", np.stack([np.ones_like(last), last], axis=-1), axes=axes)


def test_plot_sweep_colours_each_run_by_its_fall():
    ax = plot_sweep(grid([[1e-3, 1.0, 10.0], [np.nan, np.inf, 1e-9]]))
    (image,) = ax.images
    drawn = image.get_array()
    np.testing.assert_array_equal(drawn.mask, [[False, False, True], [True, True, False]])
    np.testing.assert_allclose(drawn.compressed(), [-3, 0, -9])
    assert image.get_extent() == [-0.5, 2.5, -0.5, 1.5]  # eps to the right, lr upwards
    assert image.origin == "lower" and image.norm.vmin == -6


def test_plot_sweep_writes_where_the_eye_can_read():
    trace = grid([[1e-8, 1.0, 10.0], [1e-8, 1.0, np.nan]])
    notes = {"dark": (1, 1), "light": (10, 1), "none": (100, 10), "along": (1, 10, 1)}
    ax = plot_sweep(trace, notes=notes, lines={"here": 10})
    texts = {text.get_text(): text for text in ax.texts}
    assert {name: to_hex(text.get_color()) for name, text in texts.items()} == {
        "dark": "#ffffff",
        "light": INK,
        "none": INK,
        "along": "#ffffff",
        "here": "#000000",
    }
    assert texts["none"].get_position() == (2, 1)
    assert texts["dark"].get_rotation() == 0 and texts["along"].get_rotation() != 0
    assert ax.lines[0].get_xdata() == [1, 1]


def test_plot_sweep_needs_both_axes():
    with pytest.raises(ValueError, match=r"the trace has the axes lr \(expected lr and eps\)"):
        plot_sweep(sweep(narrow_valley(), 2, lr=[0.1, 0.2]))
    with pytest.raises(ValueError, match="the trace has the axes none"):
        plot_sweep(Trace("one", np.ones(3)))


SMALL_NET = random_two_layer_net(n=32, d_in=20, h=16, d_out=2)
EPS_RUNS = sweep(SMALL_NET, 10, lr=0.01, eps=[1e-4, 1.0, 1e4])


def test_plot_epsilon_draws_the_step_and_the_run():
    figure = plot_epsilon(EPS_RUNS, np.array([-2.0, 0.5, 0.0, 1.0]), 1.0)
    step, losses = figure.axes
    (curve,) = (line for line in step.lines if to_hex(line.get_color()) == COLOURS["Adam"].lower())
    x, y = curve.get_data()
    np.testing.assert_allclose(y, x / (x + 1.0))
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), EPS_RUNS.select(eps=1.0).losses)
    grey = [segment[:, 1] for segment in losses.collections[0].get_segments()]
    np.testing.assert_array_equal(grey, EPS_RUNS.losses)
    assert step.get_title(loc="left") == "ε = 1"


def test_plot_epsilon_has_a_column_for_each():
    figure = plot_epsilon(EPS_RUNS, np.ones(3), [1e-4, 1e4])
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["ε = 10⁻⁴", "ε = 10⁴", "", ""]
    texts = [[text.get_text() for text in ax.texts] for ax in figure.axes[2:]]
    assert texts == [["other ε"], []]


def test_plot_epsilon_says_what_it_needs():
    with pytest.raises(ValueError, match=r"the trace has the axes lr \(expected eps\)"):
        plot_epsilon(sweep(narrow_valley(), 2, lr=[0.1, 0.2]), np.ones(2), 1.0)
    with pytest.raises(ValueError, match="eps = 3 was not run"):
        plot_epsilon(EPS_RUNS, np.ones(2), 3.0)


def test_plot_gap_labels_methods_at_their_ends():
    traces = [Trace("Adam, lr = 1", np.array([2.0, 1.0])), Trace("sign descent", np.ones(2))]
    figure = plot_gap({"one": traces, "two": traces[:1]})
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == ["Adam", "sign descent"]
    assert to_hex(first.lines[0].get_color()) == COLOURS["Adam"].lower()
    assert first.lines[0].get_ydata().tolist() == [2.0, 1.0]
    assert first.get_yscale() == "log" and len(second.lines) == 1
    assert second.get_title(loc="left") == "two"


# --- counterexamples ------------------------------------------------------------------------------


FIRST, LAST = rare_gradient(1010, -10, 101), rare_gradient(1010, -10, 101, at=101)
SMALL, SMALL_BETAS = rare_gradient(4, -1, 3), (0.0, 1 / 17)


def falling(t):
    return 0.5 / np.sqrt(t)


def test_plot_walks_draws_bands_and_middles():
    walks = {
        "Adam": walk_on_interval(FIRST, 30, falling),
        "AMSGrad": walk_on_interval(FIRST, 40, falling, amsgrad=True),
    }
    walks["AMSGrad,\nlate"] = walk_on_interval(LAST, 50, falling, amsgrad=True)
    predicted = np.array([200.0, 400.0, 800.0]), np.array([0.0, -0.1, -0.2])
    ax = plot_walks(walks, predicted)
    for line, label in zip(ax.lines, walks, strict=False):
        there = walks[label]
        np.testing.assert_array_equal(line.get_xdata(), there.steps)
        np.testing.assert_array_equal(line.get_ydata(), there.middle)
        np.testing.assert_array_equal(there.middle, (there.low + there.high) / 2)
    first, second, third = (to_hex(line.get_color()) for line in ax.lines[:3])
    assert (first, second) == (to_hex(COLOURS["Adam"]), to_hex(COLOURS["AMSGrad"]))
    assert third not in (first, second)
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), np.transpose(predicted))
    bands = [item for item in ax.collections if isinstance(item, PolyCollection)]
    for band, there in zip(bands, walks.values(), strict=True):
        corners = band.get_paths()[0].vertices
        assert corners[:, 1].min() == there.low.min()
        assert corners[:, 1].max() == there.high.max()
    assert ax.get_xscale() == "log"
    assert {"Adam", "AMSGrad", "predicted"} <= {text.get_text() for text in ax.texts}


def test_plot_walks_thins_out_long_walks_and_keeps_their_end():
    there = walk_on_interval(SMALL, 50_000, 1e-5, betas=SMALL_BETAS)
    line = plot_walks({"Adam": there}).lines[0]
    assert len(line.get_xdata()) < 2000
    assert line.get_xdata()[[0, -1]].tolist() == [3, 150_000]


def test_plot_denominators_tells_lines_of_one_method_apart():
    roots = {"Adam": np.array([3.0, 2.0, 1.0]), "AMSGrad, a": np.full(3, 3.0)}
    roots["AMSGrad, b"] = np.array([4.0, 3.5, 3.1])
    ax = plot_denominators(roots)
    for line, values in zip(ax.lines, roots.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        assert line.get_xdata().tolist() == [1, 2, 3]
    adam, first, second = ax.lines
    assert to_hex(adam.get_color()) == to_hex(COLOURS["Adam"])
    assert to_hex(first.get_color()) == to_hex(COLOURS["AMSGrad"]) != to_hex(second.get_color())
    assert first.get_linestyle() != second.get_linestyle()
    assert adam.get_linewidth() > first.get_linewidth()  # seen where another lies on it
    # b ends where a does, and is labelled at its beginning
    at = {text.get_text(): text.xy[0] for text in ax.texts}
    assert at == {"Adam": 3, "AMSGrad, a": 3, "AMSGrad, b": 1}


def test_plot_eps_threshold_colours_by_the_direction():
    eps = np.array([0.1, 1.0, 10.0])
    drifts, ends = drift(SMALL, SMALL_BETAS, eps), np.array([1.0, 1.0, -1.0])
    figure = plot_eps_threshold(eps, drifts, ends, (eps, drifts), 1.5)
    top, bottom = figure.axes
    for ax, values in ((top, drifts), (bottom, ends)):
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), np.transpose([eps, values]))
        wrong, right = COLOURS["without correction"], COLOURS["Adam"]
        colours = [to_hex(colour) for colour in ax.collections[0].get_facecolors()]
        assert colours == [to_hex(c) for c in (wrong, wrong, right)]
        assert [1.5, 1.5] in [list(line.get_xdata()) for line in ax.lines]
    assert "ε* = 1.5000" in {text.get_text() for text in top.texts}


# --- precision ------------------------------------------------------------------------------------


def test_the_maps_show_what_was_measured():
    maps = [precision_map(name, per_decade=2) for name in ("float16", "float32", "float64")]
    figure = plot_precision_maps(maps)
    for ax, data in zip(figure.axes, maps, strict=False):
        (image,) = ax.images
        assert image.origin == "lower"
        expected = [[to_rgb(REGION_COLOURS[name]) for name in row] for row in data.measured]
        np.testing.assert_array_equal(image.get_array(), expected)
        left, right, low, high = image.get_extent()
        assert (left, right, low, high) == pytest.approx((-48, 24, -48, 4))
        assert ax.get_title(loc="left") == data.dtype
    (legend,) = figure.legends
    named = {to_hex(patch.get_facecolor()) for patch in legend.get_patches()}
    assert named == {to_hex(REGION_COLOURS[name]) for name in PRECISION_STEPS}


def test_averages_are_drawn_whole_and_labelled_at_the_switch():
    averages = {"float64": np.array([0.5, 1.0, 0.5]), "bfloat16": np.array([0.25, 0.5, 0.5])}
    ax = plot_averages_in(averages, switch=2)
    for line, (name, values) in zip(ax.lines, averages.items(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.c_[[1, 2, 3], values])
        label = next(t for t in ax.texts if t.get_text().startswith(f"{name}:"))
        assert label.get_text() == f"{name}: {values[1]:.2f}" and label.xy == (2, values[1])
        assert to_hex(label.get_color()) == to_hex(FORMAT_COLOURS[name])


def test_repairs_are_drawn_run_by_run_and_lost_ones_named():
    lost, runs = np.full(2, math.nan), np.array([2.0, 30.0])
    times = {
        ("float16", "float16", "none"): lost,
        ("float16", "float32", "none"): runs,
        ("float16", "float32", "other"): runs / 2,
    }
    figure = plot_repairs(times)
    (ax,) = figure.axes
    drawn = [dots.get_offsets()[:, 0].tolist() for dots in ax.collections]
    assert drawn == [[2.0, 30.0], [1.0, 15.0]]
    rows = [dots.get_offsets()[:, 1].round().tolist() for dots in ax.collections]
    assert rows == [[0, 0], [1, 1]]
    assert {t.get_text() for t in ax.texts} == {"NaN", "m, v in float16", "m, v in float32"}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["none", "other"]
    assert ax.get_xscale() == "log"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_repairs_and_their_names_stay_inside_the_picture(scale):
    runs = scale * np.array([2.0, 30.0])
    figure = plot_repairs({("float16", state, "none"): runs for state in ("float16", "float32")})
    figure.canvas.draw()
    (ax,) = figure.axes
    low, high = ax.get_xlim()
    assert low < min(1, *runs) and max(1, *runs) < high
    box = ax.get_window_extent()
    for name in ax.texts:
        assert box.x0 <= name.get_window_extent().x0 and name.get_window_extent().x1 <= box.x1


# --- width ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scan():
    return width_scan((64, 256, 1024, 4096), eps=(1e-3, 1e-5, 1e-8))


def test_plot_width_draws_theory_and_what_was_measured(scan):
    figure = plot_width(scan)
    left, right = figure.axes
    theory, dots, *lines = left.lines
    width, sigma = theory.get_data()
    np.testing.assert_allclose(sigma * np.sqrt(width), sigma[0] * np.sqrt(width[0]))
    np.testing.assert_array_equal(dots.get_data(), [scan.widths, scan.gradients])
    assert [line.get_ydata()[0] for line in lines] == scan.eps.tolist()
    # the dots lie on the line, to a tenth
    np.testing.assert_allclose(np.interp(scan.widths, width, sigma), scan.gradients, rtol=0.1)
    curves, measured = right.lines[::2], right.lines[1::2]
    for eps, steps, curve, points in zip(scan.eps, scan.steps, curves, measured, strict=True):
        np.testing.assert_array_equal(points.get_data(), [scan.widths, steps])
        np.testing.assert_allclose(curve.get_ydata(), first_step_of_noise(eps / sigma))
        assert curve.get_color() == points.get_color()
    assert curves[-1].get_color() == to_rgb(COLOURS["Adam"])
    assert [text.get_text() for text in right.texts] == [
        f"ε = $10^{{{power}}}$" for power in (-3, -5, -8)
    ]
    for text, curve in zip(right.texts, curves, strict=True):  # where its step is a half
        x, y = text.xy
        assert y == 0.5 and abs(np.interp(x, *curve.get_data()) - 0.5) < 0.03


def test_plot_width_draws_into_given_axes(scan):
    figure, axes = plt.subplots(ncols=2)
    assert plot_width(scan, axes) is figure
    assert all(ax.lines for ax in axes)


def test_plot_apart_draws_the_distances_and_the_switch():
    distances = {
        "float32": np.array([1e-8, 1e-7, 1e-4]),
        "float32, tanh": np.array([0.0, 1e-7, 1e-6]),
        "float64": np.array([1e-17, 1e-16, 1e-16]),
    }
    ax = plot_apart(distances, switch=2)
    *lines, switch = ax.lines
    for line, (name, apart) in zip(lines, distances.items(), strict=True):
        # where both runs are equal there is nothing to draw
        np.testing.assert_array_equal(line.get_data(), [[1, 2, 3], np.where(apart, apart, np.nan)])
        assert line.get_color() == FORMAT_COLOURS[name.split(",")[0]]
        assert (line.get_linestyle() == "--") == ("," in name)
    assert set(switch.get_xdata()) == {2}
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels["float32"] == (3, 1e-4) and labels["float64"] == (3, 1e-16)
    assert labels["float32,\ntanh"] == (3, 1e-6)
    assert ax.get_yscale() == "log"


# --- speed ----------------------------------------------------------------------------------------


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


# --- identification -------------------------------------------------------------------------------


class TooLong(torch.optim.Adam):
    """Its step count stays 1."""

    def step(self, closure=None):
        for state in self.state.values():
            state["step"].zero_()
        super().step(closure)


def test_plot_identification_draws_its_own_steps_over_the_right_ones():
    answer = identify(TooLong)
    assert answer.names == ("step-frozen-at-1",)
    over_steps, over_sizes = plot_identification(answer)
    right, own = (line.get_ydata() for line in over_steps.lines)
    np.testing.assert_allclose(right, 1.0, rtol=1e-6)
    m = 1 - 0.9 ** np.arange(1, len(own) + 1)
    v = 1 - 0.999 ** np.arange(1, len(own) + 1)
    np.testing.assert_allclose(own, m / 0.1 / np.sqrt(v / 0.001), rtol=1e-6)
    sizes, right = over_sizes.lines[0].get_data()
    np.testing.assert_allclose(right, sizes / (sizes + 1e-8), rtol=1e-6)
    assert texts(over_steps) == ["this one", "the right one"]


def test_plot_identification_draws_no_right_one_where_none_is_known():
    over_steps, over_sizes = plot_identification(identify(torch.optim.NAdam))
    assert len(over_steps.lines) == len(over_sizes.lines) == 1
    assert texts(over_steps) == ["this one"]


def test_plot_identification_refuses_an_error():
    with pytest.raises(ValueError, match="no steps to draw: the verdict is 'error'"):
        plot_identification(identify(lambda params: 3))


# --- watching -------------------------------------------------------------------------------------


def watched_run(path):
    """A net of two layers after nine steps, reported in the third, sixth and ninth."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.Adam(net.parameters(), eps=0.03)  # of the order of the gradients
    watch(optimizer, every=3, to=path, model=net)
    for _ in range(9):
        optimizer.zero_grad()
        net(torch.randn(16, 4)).square().mean().backward()
        optimizer.step()
    return report(optimizer, net)


def test_plot_watch_has_a_line_a_module(tmp_path):
    path = tmp_path / "run.jsonl"
    watched_run(path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    axes = plot_watch(path)
    assert [ax.get_xlabel() for ax in axes] == ["step t"] * 3
    for ax, column in zip(axes, ("held_back_half", "lost_in_rounding", "step_max"), strict=True):
        assert [line.get_label() for line in ax.lines] == ["0", "2"]
        assert ax.lines[0].get_xdata().tolist() == [3, 6, 9]
        rows = [line["rows"][:2] for line in lines]  # of module 0: a weight and a bias
        if column == "step_max":
            expected = [max(row[column] for row in both) for both in rows]
        else:
            expected = [(32 * w[column] + 8 * b[column]) / 40 for w, b in rows]
            assert column != "held_back_half" or any(w[column] != b[column] for w, b in rows)
        assert ax.lines[0].get_ydata() == pytest.approx(expected)
    colours = [[line.get_color() for line in ax.lines] for ax in axes]
    assert np.array_equal(colours[0], colours[1]) and np.array_equal(colours[0], colours[2])


def test_plot_watch_gives_the_worst_of_many_modules_a_colour(tmp_path):
    path = tmp_path / "run.jsonl"
    row = {"numbers": 3, "lost_in_rounding": 0.0, "step_max": 1.0}
    rows = [row | {"name": f"layer{i}.w", "held_back_half": i / 10} for i in range(9)]
    lines = [json.dumps({"step": step, "rows": rows}) + "\n" for step in (1, 2)]
    path.write_text("".join(lines), encoding="utf-8")
    axes = plot_watch(path)
    assert texts(axes[-1].get_legend()) == [f"layer{i}" for i in range(3, 9)]
    assert len(axes[0].lines) == 9


def test_plot_watch_refuses_what_watch_did_not_write(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="run.jsonl' holds no line of watch"):
        plot_watch(path)
    path.write_text('{"loss": 3}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="run.jsonl', line 1, is not one of watch"):
        plot_watch(path)


def test_plot_report_has_the_numbers_of_the_report(tmp_path):
    found = watched_run(tmp_path / "run.jsonl")
    ax = plot_report(found)
    by_name = {row["name"]: row for row in found.rows}
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(labels) == sorted(by_name)
    dots, eps = (line.get_xdata() for line in ax.lines[:2])
    assert dots.tolist() == [by_name[name]["root_v_50"] for name in labels]
    assert eps.tolist() == [0.03] * 4
    ends = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ends == [[by_name[n]["root_v_1"], by_name[n]["root_v_99"]] for n in labels]


def test_plot_report_refuses_an_optimizer_that_has_not_stepped():
    with pytest.raises(ValueError, match="no step has been taken"):
        plot_report(report(torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])))
