"""The palette: every colour of the course, once, by name.

A figure takes its colours from here by what they mean, and writes none but white itself. The
colours in ``adamlib.mplstyle`` are some of these; a test compares them.
"""

from matplotlib.colors import to_rgb
from matplotlib.typing import ColorType

# Okabe & Ito (2008): distinguishable with every common form of colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PINK = "#0072B2", "#D55E00", "#CC79A7"
# Two more hues, dark enough to be read as text.
VIOLET, BROWN = "#6A51A3", "#8C510A"

INK = "#222222"
"""Text, and lines that count as much as a curve: the floor, ε = 10⁻⁸."""

MUTED = "#555555"
"""Axes, words that explain, and a grey curve."""

FAINT = "#767676"
"""Lines and notes to compare with; still readable as text on white."""

BACKGROUND_COLOURS = {
    "grid": "#E6E6E6",
    "contours": "#CCCCCC",
    "right run": "#B5B5B5",
    "exact average": "#BDBDBD",
    "gradient 0": "#F2F2F2",
    "histogram": "#C9CDD1",
    "other runs": "#DADDE0",
}
"""What lies behind curves, too light for text."""

COLOURS = {
    "SGD": BLACK,
    "momentum": ORANGE,
    "RMSProp": GREEN,
    "Adam": BLUE,
    "AMSGrad": PINK,
    "without correction": VERMILION,
}
"""The colour of a method, the same in every figure of the course."""

SIGN_COLOUR = BROWN
"""A method without a colour of its own, beside Adam: steps along the sign of the gradient."""

DIALECT_COLOURS = {
    "outside": COLOURS["Adam"],
    "without correction": COLOURS["without correction"],
    "hat": VIOLET,
    "inside": BROWN,
    "none": MUTED,
}
"""The colour of a dialect of Adam, by where its ε stands or by what it leaves out."""

NAN_COLOUR, NUMBER_COLOUR = "#262626", "#DCE9F2"
"""NaN, and a number that is none, wherever a figure shows which is which."""

REGION_COLOURS = {
    "NaN": NAN_COLOUR,
    "infinite": VERMILION,
    "no step": "#C4C4C4",
    "too long": "#F2B98C",
    "arbitrary": "#F6EFA6",
    "fine": "#8CCBB5",
    "eps gone": "#5FAE93",
    "held back": NUMBER_COLOUR,
}
"""What a first step comes to, on maps: warm is wrong, green is right."""

FALLEN_COLOURS = ("#F7F4EE", "#CFE1E8", "#7FB8CF", "#2E86B5", "#0B4F86", "#062A4F")
"""How far a loss has fallen, from not at all to far, on the map of lr and eps."""

ROSE_COLOUR = "#EBC3A6"
"""A run that ends higher than it began, or nowhere, on the same map."""

FORMAT_COLOURS = {
    "float16": VERMILION,
    "bfloat16": VIOLET,
    "float32": BLUE,
    "float64": MUTED,
}
"""The colour of a number format."""

WAY_COLOURS = {
    "textbook": BLACK,
    "in place": ORANGE,
    "blocked": GREEN,
    "compiled": BLUE,
    "torch single": VERMILION,
    "torch foreach": PINK,
    "torch fused": SKY,
    "ours fused": VIOLET,
}
"""The colour of a way to take the same step."""


def method_colour(label: str, otherwise: ColorType) -> ColorType:
    """Return the colour of the method that a label begins with, if it names one."""
    names = [name for name in COLOURS if label.startswith(name)]
    return COLOURS[max(names, key=len)] if names else otherwise


def mixed(method: str, grey: float, share: float) -> tuple[float, float, float]:
    """Return the colour of a method with a share of it replaced by white (1) or black (0)."""
    red, green, blue = ((1 - share) * part + share * grey for part in to_rgb(COLOURS[method]))
    return red, green, blue
