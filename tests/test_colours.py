"""The palette: every colour stands in it once, is used, and means the same in all figures."""

import matplotlib

matplotlib.use("Agg")  # before pyplot: no window, on any machine

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.colors import CSS4_COLORS, to_hex, to_rgb

import adamlib
from adamlib.experiments import FIRST_STEPS, NUMPY_WAYS, PRECISION_STEPS, TORCH_WAYS, Trace, Walk
from adamlib.figures import (
    COLOURS,
    DIALECT_COLOURS,
    REGION_COLOURS,
    WAY_COLOURS,
    colours,
    plot_denominators,
    plot_distances,
    plot_gap,
    plot_losses,
    plot_paths,
    plot_shrinkage,
    plot_uncorrected_step,
    plot_walks,
)
from adamlib.problems import narrow_valley

ROOT = Path(__file__).parent.parent
LIBRARY = Path(adamlib.__file__).parent
PALETTE = LIBRARY / "figures" / "colours.py"
STYLE = (LIBRARY / "figures" / "adamlib.mplstyle").read_text(encoding="utf-8")
HEX = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6})\b|^#[0-9a-fA-F]{3,4}$")
PLACES = [
    *(path for folder in (LIBRARY, ROOT / "tools") for path in sorted(folder.rglob("*.py"))),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
NAMES = {name: value for name, value in vars(colours).items() if name.isupper()}
TABLES = {name: value for name, value in NAMES.items() if isinstance(value, dict)}


@cache
def code(path: Path) -> str:
    """The Python in a file; a notebook's cells without magic."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    lines = "\n".join(cell.source for cell in cells if cell.cell_type == "code").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


@cache
def said(source: str) -> tuple[set[str], set[str]]:
    """The names in a source, and its strings."""
    nodes = list(ast.walk(ast.parse(source)))
    constants = {node.value for node in nodes if isinstance(node, ast.Constant)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names, {value for value in constants if isinstance(value, str)}


def loose_colours(source: str) -> list[str]:
    """The colours that a source writes as such, by number or by a name of CSS, white apart."""
    named = CSS4_COLORS.keys() - {"white"}
    return [text for text in said(source)[1] if HEX.search(text) or text in named]


def leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: path.stem)
def test_no_colour_stands_outside_the_palette(path):
    if path != PALETTE:
        assert loose_colours(code(path)) == []


@pytest.mark.parametrize(
    "source, expected",
    [
        ('ax.plot(x, color="#0072B2")', ["#0072B2"]),
        ('ax.plot(x, color="#0072b280")', ["#0072b280"]),
        ('dict(color="#ccc")', ["#ccc"]),
        ("html = f\"<b style='color: #0072B2'>{x}\"", ["<b style='color: #0072B2'>"]),
        ('ax.plot(x, color="grey")', ["grey"]),
        ('ax.plot(x, color="white")', []),
        ('"issue #123 of pytorch#26218"  # 0072B2', []),
    ],
)
def test_a_loose_colour_is_found(source, expected):
    assert loose_colours(source) == expected


def test_each_colour_is_written_once():
    written = [text.upper() for text in re.findall(r"#\w{6}\b", code(PALETTE))]
    assert len(set(written)) == len(written) > 20
    assert set(written) == {text.upper() for value in NAMES.values() for text in leaves(value)}


def unused(names: dict[str, object], places: list[Path]) -> list[str]:
    """Names, and keys of tables, that no file mentions; a key may begin a longer text."""
    read, texts = (
        set().union(*each) for each in zip(*(said(code(p)) for p in places), strict=True)
    )
    texts |= set(STYLE.splitlines())
    keys = [key for table in names.values() if isinstance(table, dict) for key in table]
    return [name for name in names if name not in read] + [
        key for key in keys if not any(text.startswith(key) for text in texts)
    ]


OTHERS = [path for path in PLACES if path != PALETTE]


def test_every_colour_is_used():
    inside = ast.walk(ast.parse(code(PALETTE)))
    read = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    hues = {name for name in read & NAMES.keys() if name not in TABLES}
    assert unused({name: NAMES[name] for name in NAMES.keys() - hues}, OTHERS) == []


def test_an_unused_colour_is_found():
    assert unused({"FORGOTTEN": "#123456", "INK": "#222222"}, OTHERS) == ["FORGOTTEN"]
    assert unused({"COLOURS": {"Adam": "", "Adagrad, say": ""}}, OTHERS) == ["Adagrad, say"]


def test_the_style_has_colours_of_the_palette():
    named = {text.lower() for value in NAMES.values() for text in leaves(value)}
    lines = [line for line in STYLE.splitlines() if not line.startswith("#")]
    styled = re.findall(r"\b[0-9a-f]{6}\b", "\n".join(lines).lower())
    assert len(styled) > 7 and {f"#{text}" for text in styled} <= named


# --- who has which --------------------------------------------------------------------------------


def test_methods_can_be_told_apart_by_everybody():
    okabe_ito = "#000000 #E69F00 #56B4E9 #009E73 #F0E442 #0072B2 #D55E00 #CC79A7".split()
    assert set(COLOURS.values()) <= set(okabe_ito)


def test_within_a_table_no_two_are_alike():
    for name, table in TABLES.items():
        assert len(set(table.values())) == len(table), name


def test_a_name_has_one_colour_in_all_tables():
    for name in TABLES:
        for other in TABLES:
            for key in TABLES[name].keys() & TABLES[other].keys():
                assert TABLES[name][key] == TABLES[other][key], key
    assert DIALECT_COLOURS["outside"] == COLOURS["Adam"]  # the paper's Adam


def test_the_tables_name_what_there_is():
    assert REGION_COLOURS.keys() == {*FIRST_STEPS, *PRECISION_STEPS}
    assert WAY_COLOURS.keys() <= {*NUMPY_WAYS, *TORCH_WAYS}


def test_the_greys_go_from_dark_to_light():
    greys = [to_rgb(grey)[0] for grey in (colours.INK, colours.MUTED, colours.FAINT)]
    assert greys == sorted(greys)
    assert greys[-1] < min(to_rgb(colour)[0] for colour in colours.BACKGROUND_COLOURS.values())


TRACE = Trace("", np.array([2.0, 1.0]), None, np.array([[1.0, 1.0], [0.5, 0.5]]))


def named(label: str) -> Trace:
    return Trace(label, TRACE.losses, None, TRACE.path)


STEPS = np.arange(1, 4)
DRAWN_BY = {
    "losses": lambda name: plot_losses([named(name)]),
    "paths": lambda name: plot_paths(narrow_valley(), [named(name)]),
    "gap": lambda name: plot_gap({"one": [named(name)]}).axes[0],
    "shrinkage": lambda name: plot_shrinkage(np.array([0.1, 0.2]), {name: np.array([0.5, 0.6])}),
    "denominators": lambda name: plot_denominators({name: np.array([1.0, 2.0])}),
    "walks": lambda name: plot_walks({name: Walk(STEPS, *(np.zeros(3),) * 3)}),
}


@pytest.mark.parametrize("figure", DRAWN_BY)
@pytest.mark.parametrize("method", COLOURS)
def test_a_method_has_its_colour_in_every_figure(method, figure):
    ax = DRAWN_BY[figure](method)
    line = to_hex(ax.lines[0].get_color())
    label = next(to_hex(text.get_color()) for text in ax.texts if method in text.get_text())
    plt.close("all")
    assert line == label == COLOURS[method].lower()


def test_adam_and_what_it_lacks_have_their_colours_where_they_are_not_named():
    lengths = np.array([1.0, 2.0, 3.0])
    corrected, uncorrected = plot_uncorrected_step(STEPS, np.ones(3), lengths).lines
    drifts = plot_distances(
        {"a": lengths, "b": lengths}, {"a": "outside", "b": "without correction"}
    )
    for first, second in ((corrected, uncorrected), drifts.lines[:2]):
        assert first.get_color() == COLOURS["Adam"]
        assert second.get_color() == COLOURS["without correction"]
    plt.close("all")
