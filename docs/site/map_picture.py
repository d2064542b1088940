"""The map of the first step as the front page has it, its colours, and the sign of the site."""

import numpy as np

from adamlib.experiments import FirstStepMap, first_step_map
from adamlib.figures.colours import REGION_COLOURS
from drawing import choice, figure, picture, slider

# The map's bottom strip, and the map in small, as what a page fills. On `body`, where a dark theme
# sets the colour that the strip starts from.
IDEA = """body {
  --strip: linear-gradient(
    to right,
    var(--strip-start, var(--region-nan)) 0 8%,
    var(--region-infinite) 8% 30%,
    var(--region-too-long) 30% 48%,
    var(--region-arbitrary) 48% 68%,
    var(--region-fine) 68%
  );
  --mini-map:
    linear-gradient(to bottom right, var(--region-held-back) 50%, transparent 50.5%),
    linear-gradient(
      to right,
      var(--region-too-long) 45%,
      var(--region-arbitrary) 45% 72%,
      var(--region-fine) 72%
    );
}"""


def region_style() -> str:
    """The colours of the map's regions as CSS, and what is made of them."""
    lines = [
        f"  --region-{name.replace(' ', '-')}: {colour};" for name, colour in REGION_COLOURS.items()
    ]
    lines = [line.replace("--region-NaN", "--region-nan") for line in lines]
    fills = [
        f".{each} {{ fill: var(--{each}); --region: var(--{each}); }}"
        for each in (line.split(":")[0].strip().removeprefix("--") for line in lines)
    ]
    return "\n".join([":root {", *lines, "}", *fills, IDEA, ""])


def logo() -> str:
    """The map in small: what the pages have as their sign."""
    colour = REGION_COLOURS
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<path fill="{colour["held back"]}" d="M0 0h32v25H0z"/>
<path fill="{colour["too long"]}" d="M0 25V24.5L14 13.6V25z"/>
<path fill="{colour["arbitrary"]}" d="M14 13.6 23 6.6V25h-9z"/>
<path fill="{colour["fine"]}" d="M23 6.6 31.5 0H32v25h-9z"/>
<path fill="{colour["NaN"]}" d="M0 27h4v5H0z"/>
<path fill="{colour["infinite"]}" d="M4 27h10v5H4z"/>
<path fill="{colour["arbitrary"]}" d="M14 27h9v5h-9z"/>
<path fill="{colour["fine"]}" d="M23 27h9v5h-9z"/>
</svg>
"""


# the map's picture: where it stands in the drawing, in its units
LEFT, TOP, WIDTH, HEIGHT, GAP, STRIP = 92, 46, 620, 400, 8, 34
LABELS = {
    "held back": "held back by eps",
    "too long": "too long",
    "arbitrary": "arbitrary",
    "fine": "fine",
}


def drawn(data: FirstStepMap) -> str:
    """The map of the first step as SVG, and below it what static/first_step.js lets one change.

    Without g = 0, with the strip for eps = 0.
    """
    outcomes = data.outcomes[:, 1:]
    x = np.linspace(LEFT, LEFT + WIDTH, outcomes.shape[1] + 1)
    y = np.linspace(TOP + HEIGHT, TOP, outcomes.shape[0])  # from the smallest eps upwards
    strip = (TOP + HEIGHT + GAP + STRIP, TOP + HEIGHT + GAP)
    paths: dict[str, list[str]] = {}
    for row, edges in ((0, strip), *((i, (y[i - 1], y[i])) for i in range(1, len(outcomes)))):
        for name, first, last in runs(outcomes[row]):
            low, high = edges
            paths.setdefault(name, []).append(
                f"M{x[first]:.1f} {low:.2f}H{x[last]:.1f}V{high:.2f}H{x[first]:.1f}z"
            )
    shapes = "".join(
        f'<path class="region-{name.lower().replace(" ", "-")}" d="{"".join(parts)}"/>'
        for name, parts in paths.items()
    )
    place = dict(left=LEFT, top=TOP, width=WIDTH, height=HEIGHT, strip=strip)
    place |= dict(grads=GRAD_DECADES, eps=EPS_DECADES, perDecade=PER_DECADE)
    drawing = picture(
        "map", (760, 548), MAP_ALT,
        f'<g class="regions" shape-rendering="crispEdges">{shapes}</g>{words_on(data, strip)}',
        '<circle class="marker" r="9" />',
    )  # fmt: skip
    return figure("first-step", place, drawing, CONTROLS)


GRAD_DECADES, EPS_DECADES, PER_DECADE = (-46, 6), (-44, 2), 6
CONTROLS = [
    slider("gradient", "gradient", GRAD_DECADES, -12, zero=True),
    slider("eps", "eps", EPS_DECADES, -8, zero=True),
    choice("beta2", "β₂", ("0.9", "0.99", "0.999", "0.9999"), "0.999"),
    choice("format", "format", ("float16", "bfloat16", "float32", "float64"), "float32"),
]
MAP_ALT = (
    "Map of the first step of Adam in float32, over the size of the gradient and eps. Above the "
    "diagonal eps = |g| the step is held back. Below it, from small to large gradients: too long, "
    "arbitrary, fine. With eps = 0: NaN, infinite, arbitrary, fine. The default eps, 1e-8, cuts "
    "the corner of the arbitrary region."
)


def runs(row: np.ndarray) -> list[tuple[str, int, int]]:
    """Stretches of the same entry: (entry, first, one after the last).

    >>> runs(np.array(["a", "a", "b"]))
    [('a', 0, 2), ('b', 2, 3)]
    """
    cuts = [0, *(np.flatnonzero(row[1:] != row[:-1]) + 1).tolist(), len(row)]
    return [(str(row[i]), i, j) for i, j in zip(cuts, cuts[1:], strict=False)]


def words_on(data: FirstStepMap, strip: tuple[float, float]) -> str:
    """The labels of the regions, the axes, and the line of the default."""
    decades_x, decades_y = np.log10(data.grads[1:]), np.log10(data.eps[1:])

    def across(decade: float) -> float:
        return LEFT + WIDTH * (decade - decades_x[0]) / (decades_x[-1] - decades_x[0])

    def up(decade: float) -> float:
        return TOP + HEIGHT - HEIGHT * (decade - decades_y[0]) / (decades_y[-1] - decades_y[0])

    words = ['<g class="names">']
    for name, text in LABELS.items():
        rows, columns = np.nonzero(data.outcomes[1:, 1:] == name)
        words.append(
            f'<text class="on-map" text-anchor="middle" font-size="17" '
            f'x="{across(decades_x[columns].mean()):.1f}" y="{up(decades_y[rows].mean()):.1f}">'
            f"{text}</text>"
        )
    middle = (strip[0] + strip[1]) / 2 + 6
    for name, text in (("infinite", "±∞"), ("NaN", "NaN")):
        at = decades_x[data.outcomes[0, 1:] == name].mean()
        size = 17 if name == "infinite" else 11
        narrow = " narrow" if name == "NaN" else ""
        words.append(
            f'<text class="on-dark{narrow}" text-anchor="middle" font-size="{size}" '
            f'x="{across(at):.1f}" y="{middle:.1f}">{text}</text>'
        )
    words.append("</g>")
    for place, decade in enumerate(range(-40, 1, 8)):
        power = "1" if decade == 0 else f"1e{decade}"
        rank = ' class="second"' if place % 2 == 0 else ""  # left out where the screen is narrow
        words.append(
            f'<text{rank} text-anchor="middle" dominant-baseline="hanging" font-size="14" '
            f'x="{across(decade):.1f}" y="{strip[0] + 7:.1f}">{power}</text>'
            f'<text{rank} text-anchor="end" font-size="14" x="{LEFT - 8}" '
            f'y="{up(decade) + 5:.1f}">{power}</text>'
        )
    line = up(-8)
    words += [
        f'<path class="default-line" d="M{LEFT} {line:.1f}H{LEFT + WIDTH}"/>',
        f'<text class="on-map" font-size="14" x="{LEFT + 10}" y="{line - 7:.1f}">eps = 1e-8, the '
        "default</text>",
        f'<text text-anchor="end" font-size="14" x="{LEFT - 8}" y="{middle:.1f}">0</text>',
        f'<text text-anchor="middle" font-size="16" x="{LEFT + WIDTH / 2}" y="{strip[0] + 50}">'
        "size of the gradient |g|</text>",
        f'<text font-size="16" x="{LEFT}" y="{TOP - 16}">eps, in the units of the gradient</text>',
    ]
    return "".join(words)


def html() -> str:
    """The map in float32, at the defaults, drawn."""
    return drawn(first_step_map(np.float32, GRAD_DECADES, EPS_DECADES, PER_DECADE))
