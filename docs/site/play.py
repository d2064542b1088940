"""The pages of figures that can be moved, drawn as they are before anybody moves them.

Static pictures without JavaScript; with it static/valley.js, orders.js and eps_map.js compute all
that changes, by the rule in static/adam.js.
"""

import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from numpy.typing import NDArray

import rules
from adamlib import DIALECTS, Dialect, adam_step, init_state
from adamlib.figures.colours import BACKGROUND_COLOURS, COLOURS, ROSE_COLOUR, VIOLET
from adamlib.figures.epsilon import FALLEN
from adamlib.problems import narrow_valley, random_examples
from adamlib.sliders import Slider
from cells_run import run_cells
from drawing import (
    Panel,
    choice,
    choice_in_groups,
    figure,
    picture,
    powers,
    slider,
    steps,
)

BETAS1, BETAS2 = ("0", "0.5", "0.8", "0.9", "0.95", "0.99"), ("0", "0.9", "0.99", "0.999", "0.9999")

# ---- the valley of notebook 00 ----

CURVATURES, START = (1.0, 50.0), (-4.0, 1.0)
VALLEY = Panel(46, 14, 570, 304, (-4.7, 1.3), (-1.6, 1.6))
LOSS = Panel(70, 40, 288, 262, (0, 300), (-12, 3), log_y=True)
MOST_STEPS, FIRST_STEPS = 300, 60
VALLEY_ALT = (
    "Contour lines of a narrow valley, ellipses that are seven times as long as they are high, and "
    "the path of 60 steps of Adam from the upper left: it goes down into the valley, crosses its "
    "floor and comes back in a shallow curve to the minimum."
)
LOSS_ALT = "The loss of the same run against the step, on a logarithmic axis: it falls in arches."


def path() -> tuple[NDArray, NDArray]:
    """All points of the run that is shown first, and the loss at each."""
    valley = narrow_valley(CURVATURES, START)
    points = [valley.start_copy()]
    state = init_state(points[0])
    for _ in range(MOST_STEPS):
        point, state = adam_step(points[-1], valley.gradient(points[-1]), state, lr=0.1)
        points.append(point)
    return np.array(points), valley.value(np.array(points))


def contours() -> str:
    """Ellipses of the levels that `adamlib.figures.plot_paths` draws."""
    corner = np.max(np.abs([VALLEY.x, VALLEY.y]), axis=1)
    top = narrow_valley(CURVATURES, START).value(corner)
    x, y = VALLEY.across(0), VALLEY.up(0)
    units = VALLEY.width / (VALLEY.x[1] - VALLEY.x[0]), VALLEY.height / (VALLEY.y[1] - VALLEY.y[0])
    radii = [np.sqrt(2 * top * 2.5**k / np.array(CURVATURES)) * units for k in range(-8, 1)]
    shapes = "".join(
        f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}"/>' for rx, ry in radii
    )
    return f'<g class="contours" clip-path="url(#in-valley)">{shapes}</g>'


def valley_figure() -> str:
    points, losses = path()
    some, times = points[: FIRST_STEPS + 1], range(MOST_STEPS + 1)
    far = LOSS.line(times[: FIRST_STEPS + 1], losses[: FIRST_STEPS + 1])
    star = f'<path class="star" transform="translate({VALLEY.across(0):.1f} {VALLEY.up(0):.1f})" '
    star += 'd="M0-9 2.6-2.8 9-2.8 3.9 1.4 5.6 8 0 4.2-5.6 8-3.9 1.4-9-2.8-2.6-2.8z"/>'
    start = f'<circle class="start" r="6" cx="{VALLEY.across(-4):.1f}" cy="{VALLEY.up(1):.1f}"/>'
    valley = picture(
        "valley", (630, 382), VALLEY_ALT,
        VALLEY.clip("in-valley"), contours(),
        VALLEY.axes({x: str(x).replace("-", "−") for x in range(-4, 2)},
                    {y: str(y).replace("-", "−") for y in (-1, 0, 1)}, "θ₁", grid=False),
        f'<text font-size="15" x="4" y="{VALLEY.up(0.5):.0f}">θ₂</text>',
        '<g clip-path="url(#in-valley)"><path class="path right" d=""/><path class="stops right" '
        f'd=""/><path class="path run" d="{VALLEY.line(*some.T)}"/>'
        f'<path class="stops run" d="{VALLEY.dots(*some.T)}"/>{start}{star}'
        '<circle class="here" r="9"/></g>',
    )  # fmt: skip
    loss = picture(
        "losses", (380, 382), LOSS_ALT,
        LOSS.clip("in-loss"),
        LOSS.axes({t: str(t) for t in range(0, 301, 100)}, powers(-12, 3, 3), "step", "loss"),
        '<g clip-path="url(#in-loss)"><path class="all right" d=""/><path class="far right" d=""/>'
        f'<path class="all run" d="{LOSS.line(times, losses)}"/>'
        f'<path class="far run" d="{far}"/>'
        '<circle class="now" r="7"/></g>',
    )  # fmt: skip
    dialects = {
        name: dict(formula=dialect.quotient, eps=dialect.eps, change=rules.of_dialect(dialect))
        for name, dialect in DIALECTS.items()
    }
    mistakes = {
        slug: dict(says=says, change=change) for slug, (says, change) in rules.mistakes().items()
    }
    data = dict(valley=VALLEY, loss=LOSS, curvatures=CURVATURES, start=START)
    data |= dict(dialects=dialects, mistakes=mistakes)
    groups = {
        title: {slug: says for slug, (says, _) in rules.mistakes(table).items()}
        for title, table in rules.TABLES.items()
    }
    controls = [
        slider("lr", "lr", (-4, 2), -1),
        slider("eps", "eps", (-12, 4), -8, zero=True),
        choice("beta1", "β₁", BETAS1, "0.9"),
        choice("beta2", "β₂", BETAS2, "0.999"),
        choice("dialect", "dialect", tuple(DIALECTS), "pytorch"),
        steps("steps", "steps", MOST_STEPS, FIRST_STEPS, first=1),
        choice_in_groups("mistake", "mistake", groups, "none"),
    ]
    return figure("valley", data, f'<div class="beside">{valley}{loss}</div>', controls)


# ---- the orders of AMSGrad in notebook 06 ----

ORDERS = Panel(62, 40, 576, 300, (0, np.log10(5000)), (-0.2, 3.2), log_x=True, log_y=True)
LAST, LABEL_HEIGHT = 5000, 24
LABELS = {"adam": "Adam", "torch": "PyTorch", "optax": "optax", "paper": "paper"}
ORDERS_ALT = (
    "What a step is divided by, against the step, both axes logarithmic, after one gradient of 100 "
    "and then ones. Optax's AMSGrad stays at 100. The paper's stays at 3.16. PyTorch's begins at "
    "100 and falls to 3.17; until step 100 Adam is next to it, then Adam falls on to 1.03."
)


def order_rules() -> dict[str, tuple[str, Dialect, bool]]:
    """Name → what notebook 06 calls it, whose it is, and whether it is AMSGrad."""
    paper = run_cells("06", "imports", "orders-run")["paper"]
    return {
        "adam": ("Adam", DIALECTS["pytorch"], False),
        "torch": ("AMSGrad, torch", DIALECTS["pytorch"], True),
        "optax": ("AMSGrad, optax", DIALECTS["optax"], True),
        "paper": ("AMSGrad, paper", paper, True),
    }


def apart(places: dict[str, float]) -> dict[str, float]:
    """The heights of labels, pushed apart where they would overlap, as static/orders.js does.

    >>> apart({"a": 100.0, "b": 90.0, "c": 10.0})
    {'c': 10.0, 'b': 83.0, 'a': 107.0}
    """
    found = dict(sorted(places.items(), key=lambda each: each[1]))
    names = list(found)
    for _ in range(50):
        for above, below in zip(names, names[1:], strict=False):
            push = max(0.0, LABEL_HEIGHT - (found[below] - found[above])) / 2
            found[above] -= push
            found[below] += push
    return found


def orders_figure() -> str:
    roots = run_cells("06", "imports", "orders-run")["roots"]
    drawn = np.unique(np.geomspace(1, LAST, 300).round().astype(int))
    lines = rings = ""
    for name, (label, *_) in order_rules().items():
        lines += f'<path class="{name}" d="{ORDERS.line(drawn, roots[label][drawn - 1])}"/>'
        rings += f'<circle class="{name}" r="6"/>'
    ends = {name: roots[label][-1] for name, (label, *_) in order_rules().items()}
    labels = "".join(
        f'<text class="{name}" font-size="16" x="{ORDERS.left + ORDERS.width + 8}" y="{y:.1f}">'
        f"{LABELS[name]}</text>"
        for name, y in apart({name: ORDERS.up(end) + 5 for name, end in ends.items()}).items()
    )
    svg = picture(
        "orders", (750, 404), ORDERS_ALT,
        ORDERS.axes({t: f"{t:g}" for t in (1, 10, 100, 1000, 5000)},
                    {y: f"{y:g}" for y in (1, 10, 100, 1000)}, "step", "divided by"),
        f'<g class="lines">{lines}{rings}</g>{labels}',
    )  # fmt: skip
    changes = {name: rules.of_dialect(*each) for name, (_, *each) in order_rules().items()}
    controls = [
        slider("size", "spike", (0, 3), 2),
        slider("at", "at step", (0, 3), 0, step=0.01),
        choice("beta2", "β₂", BETAS2[1:], "0.999"),
        slider("step", "look at", (0, round(np.log10(LAST), 4)), 3, step=0.0001),
    ]
    data = dict(panel=ORDERS, steps=drawn.tolist(), rules=changes)
    return figure("orders", data, svg, controls)


# ---- the map of eps and the learning rate in notebook 05 ----

STEPS = 150
DECADES, SHADES = 8.0, 24
MAP = Panel(72, 34, 640, 308, (-9 - 1 / 6, 4 + 1 / 6), (-4 - 1 / 6, 3 + 1 / 6), True, True)
LOSSES = Panel(72, 30, 624, 150, (0, STEPS), (-6, 7), log_y=True)
MAP_ALT = (
    "Heat map of last over first loss for eps from 1e-9 to 1e4 and lr from 1e-4 to 1e3. The "
    "dark band, where training works, lies level near lr = 0.02 for every eps below the median "
    "gradient of 1.3, and turns there into a diagonal, lr = 0.02 eps. Above it runs end higher "
    "than they began or hardly train, below it they are too slow."
)
RUN_ALT = "The loss of the run that is marked on the map, against the step, on a logarithmic axis."
FIRST_CELL = 7, 3  # lr, eps: the default eps, and its best lr


def swept() -> dict[str, Any]:
    """The 880 runs of notebook 05, and what they are runs of."""
    return run_cells("05", "imports", "keep-eps-result", "the-sweep", "the-slider")


def cells(losses: NDArray) -> str:
    """The map: a path for each shade, of its cells."""
    rows, columns = losses.shape[:2]
    wide, high = MAP.width / columns, MAP.height / rows
    with np.errstate(all="ignore"):
        fallen = np.log10(losses[..., -1] / losses[..., 0])
    shades: dict[str, list[str]] = {}
    for row, column in np.ndindex(fallen.shape):
        bottom = MAP.top + high * (rows - row)
        shape = f"M{MAP.left + wide * column:g} {bottom:g}h{wide:g}v{-high:g}h{-wide:g}z"
        shades.setdefault(colour(fallen[row, column]), []).append(shape)
    paths = "".join(f'<path fill="{name}" d="{"".join(d)}"/>' for name, d in shades.items())
    return f'<g shape-rendering="crispEdges">{paths}</g>'


def colour(fallen: float) -> str:
    """That of `adamlib.figures.plot_sweep`, in 24 shades.

    >>> colour(1.0) == ROSE_COLOUR, colour(0.0), colour(-8.0), colour(-9.0)
    (True, '#f7f4ee', '#062a4f', '#062a4f')
    """
    if not fallen <= 0:
        return ROSE_COLOUR
    share = round(min(-fallen / DECADES, 1.0) * (SHADES - 1)) / (SHADES - 1)
    return "#" + "".join(f"{round(255 * part):02x}" for part in FALLEN(share)[:3])


def map_figure() -> str:
    found = swept()
    losses, typical = found["runs"].losses, float(found["typical"])
    rates, epsilons = (found["runs"].axes[name].tolist() for name in ("lr", "eps"))
    words = [
        ("on-map", 1e-4, 30, 0, "ends higher than it began"),
        ("on-dark", 1e-4, 0.0147, 0, "ε changes nothing: tune α"),
        ("on-dark", 300, 3.4, 1, "only α/ε counts"),
        ("on-map", 1e2, 1e-3, 0, "too slow"),
    ]
    slope = np.degrees(np.arctan2(MAP.height / 7.333, MAP.width / 13.333))
    notes = "".join(
        f'<text class="{kind} note" text-anchor="middle" dominant-baseline="middle" '
        f'font-size="16" transform="translate({MAP.across(eps):.0f} {MAP.up(lr):.0f}) '
        f'rotate({-slope * turn:.1f})">'
        f"{text}</text>"
        for kind, eps, lr, turn, text in words
    )
    lines = "".join(
        f'<path class="default-line" d="M{MAP.across(eps):.1f} {MAP.top}v{MAP.height}"/>'
        f'<text text-anchor="middle" font-size="14" x="{MAP.across(eps):.1f}" y="{MAP.top - 7}">'
        f"{text}</text>"
        for eps, text in ((1e-8, "the default"), (typical, "typical gradient"))
    )
    lr, eps = FIRST_CELL
    wide, high = MAP.width / len(epsilons), MAP.height / len(rates)
    place = f"translate({MAP.left + wide * eps:g} {MAP.top + high * (len(rates) - 1 - lr):g})"
    shown = picture(
        "map-of-eps", (730, 406), MAP_ALT,
        cells(losses), lines, notes,
        MAP.axes(powers(-8, 4, 2), powers(-4, 3, 1), "ε, in the units of the gradient",
                 grid=False),
        '<text font-size="15" x="2" y="18">α</text>',
        f'<rect class="cell-mark" width="{wide:g}" height="{high:g}" transform="{place}"/>',
    )  # fmt: skip
    run = picture(
        "run-of-cell", (730, 244), RUN_ALT,
        LOSSES.clip("in-losses"),
        LOSSES.axes({t: str(t) for t in range(0, STEPS + 1, 25)}, powers(-6, 6, 2), "step", "loss"),
        f'<g clip-path="url(#in-losses)"><path class="run" d="'
        f'{LOSSES.line(range(1, STEPS + 1), losses[lr, eps])}"/></g>',
    )  # fmt: skip
    x, y = random_examples(n=32, d_in=20, d_out=2)
    start = {name: array.tolist() for name, array in found["net"].start.items()}
    data = dict(map=MAP, losses=LOSSES, rates=rates, eps=epsilons, typical=typical, steps=STEPS)
    data |= dict(net=dict(x=x.tolist(), y=y.tolist(), **start))
    controls = [
        steps("lr", "α", len(rates) - 1, lr),
        steps("eps", "ε", len(epsilons) - 1, eps),
    ]
    return figure("eps-map", data, shown + run, controls)


# ---- the slider of notebook 05 ----


def frames(static: Path) -> str:
    """Write a picture for each value of the notebook's own slider; return what moves it."""
    slider: Slider = swept()["_"]
    choices, first, shown = slider._slider.options, slider.value, []
    for number, (text, value) in enumerate(choices):
        slider.value = value
        name = f"epsilon-{number:02}.png"
        (static / name).write_bytes(slider.picture)
        frame = dict(value=text, says=says_of(value))
        frame = {key: short(words) for key, words in frame.items()}
        shown.append(dict(picture=f"../_static/{name}", **frame))
    start = [value for _, value in choices].index(first)
    slider.value = first
    moved = steps("frame", "ε", len(shown) - 1, start, kind="wide")
    return figure("frames", dict(frames=shown), "", [moved])


def says_of(eps: float) -> str:
    """What one picture of the slider shows."""
    found = swept()
    typical, losses = found["typical"], found["runs"].select(lr=0.01, eps=eps).losses
    full, left = typical / (typical + eps), losses[-1] / losses[0]
    return (
        f"With ε = {eps:.3g} a gradient of the typical size, {typical:.2g}, gets {full:.2g} of a "
        f"full step. In {len(losses)} steps the loss falls to {left:.2g} of what it was."
    )


def short(text: str) -> str:
    """Exponents as the figures write them.

    >>> short("1e-09, 1e+04")
    '1e-9, 1e4'
    """
    return re.sub(r"e([+-])0*", lambda found: "e-" if found[1] == "-" else "e", text)


BESIDE = {
    ("00", "picture-caption"): "[Move Adam through this valley](../play/valley.md): every setting, "
    "every dialect, every mistake.",
    ("05", "figure-3-caption"): "[Point at this map](../play/eps-map.md), and the run of each cell "
    "is trained before your eyes.",
    (
        "06",
        "caption-orders",
    ): "[Move the outlier yourself](../play/two-orders.md), its size and its step.",
    ("05", "the-slider"): "<!-- frames -->",
}
"""(Notebook, cell) → what its page has below that cell, for a reader without Python."""

# ---- all of them ----

FIGURES = {
    "valley": valley_figure,
    "two-orders": orders_figure,
    "eps-map": map_figure,
}


def style() -> str:
    """The colours of the lines as CSS, by what they mean."""
    colours = dict(
        adam=COLOURS["Adam"], amsgrad=COLOURS["AMSGrad"], wrong=COLOURS["without correction"]
    )
    colours |= dict(contours=BACKGROUND_COLOURS["contours"], paper=VIOLET)
    lines = [f"  --{name}: {value};" for name, value in colours.items()]
    return "\n".join([":root {", *lines, "}", ""])


def fill(source: Path) -> None:
    """Draw the figures into their pages, and the slider's into its notebook."""
    for name, draw in FIGURES.items():
        page = source / "play" / f"{name}.md"
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace("<!-- figure -->", draw()), encoding="utf-8")
    static = source / "_static"
    (path,) = (source / "notebooks").glob("05_*.ipynb")
    notebook, html = nbformat.read(path, 4), frames(static)
    for cell in notebook.cells:
        cell.source = cell.source.replace("<!-- frames -->", html)
    nbformat.write(notebook, path)
