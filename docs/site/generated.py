"""Pages that are computed: Which Adam is it, notation, numbered equations, the reference."""

import json
import re
import shutil
from html import escape
from importlib import import_module
from pathlib import Path

import numpy as np

import adamlib
import material
import notebooks
import readme
from adamlib.conversion import convert_eps
from adamlib.dialects import DIALECTS, Dialect
from adamlib.experiments import FirstStepMap, first_step_map
from adamlib.figures.colours import REGION_COLOURS

STEPS = (1, 10, 100, 1000)
NAMES = {
    "paper": "The paper, Algorithm 1",
    "paper-reordered": "The paper, reordered",
    "pytorch": "PyTorch",
    "keras": "Keras",
    "tensorflow1": "TensorFlow 1",
    "optax": "optax",
    "jax": "JAX, example_libraries",
    "bert": "BERT",
    "transformers-adamw": "transformers, AdamW",
    "mlx": "MLX",
    "tinygrad": "tinygrad",
    "scikit-learn": "scikit-learn",
    "chainer": "Chainer",
    "deepspeed": "DeepSpeed",
    "apex": "apex",
    "apex-contrib": "apex, contrib",
    "apex-contrib-inside": "apex, contrib, eps inside",
    "fastai": "fastai",
    "fastai-lesson": "fastai, the lesson",
    "atan2": "adam-atan2",
}


def carried(dialect: Dialect) -> str:
    """How to carry a default eps to PyTorch: what `convert_eps` gives, or why it gives nothing."""

    def there(step: int | None) -> float:
        return convert_eps(dialect.eps, dialect.name, "pytorch", step=step)

    try:
        late = there(None)
    except ValueError as refusal:
        return sentence(refusal)
    try:
        early = {step: there(step) for step in STEPS}
    except ValueError as refusal:
        return f"Late in training `eps={late:g}`. Before, {refusal}."
    if early[1] == late:
        return f"The same number: `eps={late:g}`."
    numbers = ", ".join(f"{eps:.2g} at step {step}" for step, eps in early.items())
    return (
        f"Late in training `eps={late:g}`. Before, the same steps need another one, {numbers}: "
        f'`convert_eps({dialect.eps:g}, "{dialect.name}", "pytorch", step=t)` has it for any step.'
    )


def sentence(refusal: ValueError) -> str:
    words = str(refusal)
    return f"{words[0].upper()}{words[1:]}."


TEX = {
    "m̂": r"\hat m",
    "v̂": r"\hat v",
    "ε̂": r"\hat\epsilon",
    "ε": r"\epsilon",
    "β₂ᵗ": r"\beta_2^t",
    "−": "-",
    "·": r"\,",
    "atan2": r"\operatorname{atan2}",
}
ROOT_OF = re.compile(r"√(?:\(([^()]*)\)|(\\hat v|v))")


def tex(quotient: str) -> str:
    r"""A quotient of `adamlib.dialects.FORMULAS` as TeX.

    >>> tex("m̂ / (√v̂ + ε)")
    '\\dfrac{\\hat m}{\\sqrt{\\hat v} + \\epsilon}'
    """
    for sign, name in TEX.items():
        quotient = quotient.replace(sign, name)
    quotient = ROOT_OF.sub(lambda found: rf"\sqrt{{{found[1] or found[2]}}}", quotient)
    above, slash, below = quotient.partition(" / ")
    if not slash:
        return above
    if below.startswith("("):
        below = below[1:-1]
    return rf"\dfrac{{{above}}}{{{below}}}"


def entry(dialect: Dialect) -> str:
    decay = {
        ("before", "lr"): "on θ before the step, times lr",
        ("before", "nothing"): "on θ before the step, not times lr",
        ("after", "lr"): "on the result, times lr",
    }.get((dialect.decoupled_weight_decay or "", dialect.decay_scale), "has none")
    moments = [
        name
        for name, yes in (
            ("m", dialect.corrects_exp_avg),
            ("v", dialect.corrects_exp_avg_sq),
        )
        if yes
    ]
    eps = "none" if dialect.eps_placement == "none" else f"{dialect.eps:g}"
    return f"""## {NAMES.get(dialect.name, dialect.name)}

| | |
|---|---|
| **Step, in units of lr** | ${tex(dialect.quotient)}$ |
| **The same as text** | `{dialect.quotient}` |
| **Default eps** | {eps} |
| **Corrects** | {" and ".join(moments) or "nothing"} |
| **AMSGrad** | {dialect.amsgrad or "has none"} |
| **Decoupled decay** | {decay} |
| **Defined in** | {dialect.source} |
| **Checked against** | {dialect.verified} |
| **In `adamlib`** | `dialect="{dialect.name}"` |

**To PyTorch.** {carried(dialect)}
"""


def which_adam() -> str:
    head = """# Which Adam is it?

What each framework calls Adam: the formula, the default eps, and how to carry a setting to
PyTorch. The entries are computed from `adamlib.DIALECTS`, the table that the library itself runs;
those with a version beside *Checked against* take the same steps as that library in our tests.
[Notebook 07](#nb07-table) has them side by side, and
[counts how many different updates they are](#nb07-groups). Have you an Adam of unknown origin?
[`identify` runs it and says whose it is](#nb07-own-file-run).

| Framework | Step, in units of lr | Default eps |
|---|---|---|
"""
    rows = [
        f"| [{NAMES.get(d.name, d.name)}](#adam-of-{d.name}) | ${tex(d.quotient)}$ | "
        f"{'none' if d.eps_placement == 'none' else f'{d.eps:g}'} |"
        for d in DIALECTS.values()
    ]
    entries = [f"(adam-of-{d.name})=\n\n{entry(d)}" for d in DIALECTS.values()]
    return head + "\n".join(rows) + "\n\n" + "\n".join(entries)


def notation() -> str:
    """The table of notebook 00, and where each symbol is defined."""
    path = notebooks.in_order()[0]
    (cell,) = [cell for cell in notebooks.read(path).cells if cell.id == "notation"]
    _, _, text = cell.source.partition("\n\n")
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return f"""# Notation

Equations use the paper's symbols, code uses PyTorch's names. This is the table of
[notebook 00](#nb00-notation).

{table}

Every numbered equation is in the [index of equations](equations.md), every technical word in the
[glossary](glossary.md).
"""


def equations() -> str:
    lines = [
        "# Numbered equations",
        "",
        "Every numbered equation of the course; its number leads to its place.",
    ]
    here = ""
    for name, number, tex in material.equations():
        if name != here:
            here = name
            title = notebooks.title(notebooks.read(notebooks.FOLDER / name))
            lines += ["", f"## [{title}](notebooks/{name})"]
        one_line = " ".join(tex.split())
        page = f"notebooks/{name.removesuffix('.ipynb')}.html"
        lines += [
            "",
            "````{container} indexed",
            f'<a class="to-equation" href="{page}#equation-{number}">({number})</a>',
            "",
            f"$$\n{one_line}\n$$",
            "````",
        ]
    return "\n".join(lines) + "\n"


def course() -> str:
    """A card for each notebook, from its first cell."""
    cards = []
    for path in notebooks.in_order():
        link, about, _, minutes = readme.row(path, "")[:4]
        cards.append(f"- **{link}**\n\n  {about}\n\n  {minutes} minutes\n")
    return "```{container} cards\n" + "\n".join(cards) + "```"


def region_style() -> str:
    """The colours of the map's regions as CSS."""
    lines = [
        f"  --region-{name.replace(' ', '-')}: {colour};" for name, colour in REGION_COLOURS.items()
    ]
    lines = [line.replace("--region-NaN", "--region-nan") for line in lines]
    fills = [
        f".{each} {{ fill: var(--{each}); --region: var(--{each}); }}"
        for each in (line.split(":")[0].strip().removeprefix("--") for line in lines)
    ]
    return "\n".join([":root {", *lines, "}", *fills, ""])


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


def map_picture(data: FirstStepMap) -> str:
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
    return (
        f'<div class="map" data-place="{escape(json.dumps(place))}">'
        f'<svg viewBox="0 0 760 548" role="img" aria-labelledby="map-title">'
        f'<title id="map-title">{MAP_ALT}</title>'
        f'<g class="regions" shape-rendering="crispEdges">{shapes}</g>{map_words(data, strip)}'
        f'<circle class="marker" r="9" /></svg>{CONTROLS}</div>'
    )


def slider(name: str, label: str, decades: tuple[int, int], at: float) -> str:
    """A slider over powers of ten; its lowest place, left of them, is zero."""
    return (
        f'<label><span>{label}</span><input type="range" name="{name}" min="{decades[0] - 1}" '
        f'max="{decades[1]}" step="0.05" value="{at}"><output></output></label>'
    )


def choice(name: str, label: str, values: tuple[str, ...], chosen: str) -> str:
    options = "".join(
        f"<option{' selected' if value == chosen else ''}>{value}</option>" for value in values
    )
    return f'<label><span>{label}</span><select name="{name}">{options}</select></label>'


GRAD_DECADES, EPS_DECADES, PER_DECADE = (-46, 6), (-44, 2), 6
CONTROLS = (
    '<div class="controls" hidden><p class="says" aria-live="polite"></p>'
    + slider("gradient", "gradient", GRAD_DECADES, -12)
    + slider("eps", "eps", EPS_DECADES, -8)
    + choice("beta2", "β₂", ("0.9", "0.99", "0.999", "0.9999"), "0.999")
    + choice("format", "format", ("float16", "bfloat16", "float32", "float64"), "float32")
    + "</div>"
)
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


def map_words(data: FirstStepMap, strip: tuple[float, float]) -> str:
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


def the_map() -> FirstStepMap:
    return first_step_map(np.float32, GRAD_DECADES, EPS_DECADES, PER_DECADE)


def fill_front_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    text = text.replace("<!-- map -->", map_picture(the_map()))
    page.write_text(text.replace("<!-- course -->", course()), encoding="utf-8")


def modules() -> list[str]:
    """The public modules and what stands in their packages, in reading order."""
    names = []
    for line in Path(adamlib.__file__).with_suffix(".pyi").read_text(encoding="utf-8").splitlines():
        if line.startswith("from . import "):
            names.append(f"adamlib.{line.split()[3]}")
    return names


def reference_page(name: str) -> str:
    module = import_module(name)
    shown = f"``{name}``"
    options = ["   :members:", "   :show-inheritance:"]
    if hasattr(module, "__path__"):
        options.append("   :imported-members:")
    return "\n".join([shown, "=" * len(shown), "", f".. automodule:: {name}", *options, ""])


def reference_index(names: list[str]) -> str:
    public = sorted(name for name in adamlib.__all__ if adamlib._HOMES[name])
    rows = "\n".join(
        f"* :py:obj:`adamlib.{name} <{material.full_name(f'adamlib.{name}')}>`" for name in public
    )
    entries = "\n".join(f"   {name}" for name in names)
    return f"""Reference
=========

``adamlib``, from its docstrings. What a notebook uses says which notebook. These names can be
taken from ``adamlib`` itself:

{rows}

The modules, in reading order: each is built on those above it.

.. toctree::
   :maxdepth: 1

{entries}
"""


def write(source: Path) -> None:
    folder = source / "api"
    folder.mkdir(exist_ok=True)
    names = modules()
    for name in names:
        (folder / f"{name}.rst").write_text(reference_page(name), encoding="utf-8")
    pages = {
        "api/index.rst": reference_index(names),
        "which-adam.md": which_adam(),
        "notation.md": notation(),
        "equations.md": equations(),
    }
    for page, text in pages.items():
        (source / page).write_text(text, encoding="utf-8")
    fill_front_page(source / "index.md")
    static = source / "_static"
    static.mkdir()
    (static / "regions.css").write_text(region_style(), encoding="utf-8")
    (static / "map.svg").write_text(logo(), encoding="utf-8")
    shutil.copy(material.ROOT / "docs" / "first_step_map.png", static)
