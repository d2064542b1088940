"""The table of dialects: complete, consistent and read by name."""

import dataclasses
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from adamlib import DIALECTS, Dialect
from adamlib.dialects import FORMULAS, NOT_RUN, dialect_name, find_dialect, table
from adamlib.tables import Table
from libraries import RUNS, short
from test_packaging import pins

NEEDED = (
    "paper paper-reordered pytorch keras tensorflow1 optax jax bert transformers-adamw mlx "
    "tinygrad scikit-learn chainer deepspeed apex apex-contrib apex-contrib-inside fastai "
    "fastai-lesson atan2"
).split()


def test_the_table_has_what_the_course_needs():
    assert set(NEEDED) <= DIALECTS.keys()


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_complete(name):
    dialect = DIALECTS[name]
    assert dialect.name == name and name == name.lower() and " " not in name
    assert dialect.source
    assert 0 < dialect.eps < 1 or dialect.eps_placement == "none"
    assert dialect.eps_placement in FORMULAS
    assert str(dialect).startswith(f"{name}: θ ← ")


def test_the_prose_counts_the_updates_as_they_are():
    """Where eps stands, and whether there is a correction: as notebook 07 groups them."""
    groups: dict[tuple[str, bool], list[bool]] = {}
    for d in DIALECTS.values():
        groups.setdefault((d.eps_placement, d.corrects_exp_avg_sq), []).append(d.special is None)
    words = "no one two three four five six seven eight nine ten".split()
    updates, as_they_come = words[len(groups)], words[sum(map(any, groups.values()))]
    root = Path(__file__).parent.parent
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert f"{updates} updates, {as_they_come} of them as they come" in readme
    notebook = (root / "notebooks" / "07_which_adam_is_this.ipynb").read_text(encoding="utf-8")
    assert f"[{updates} updates, {as_they_come} as they come]" in notebook
    assert f"{as_they_come.capitalize()} as they come: " in notebook
    assert f"make it {updates}." in notebook
    on_slides = (f"One name, {updates} updates, ", f"it is {updates}, {as_they_come} of them as ")
    for words in (*on_slides, f"## {updates.capitalize()} updates"):
        assert words in notebook
    elsewhere = {
        "site/pages/questions.md": f"there are {updates}, {as_they_come} of them with",
        "guide/schedules.toml": f"One name, {updates} updates",
        "instructor_guide.md": f"{updates.capitalize()}, {as_they_come} of them as they come",
    }
    for page, words in elsewhere.items():
        assert words in (root / "docs" / page).read_text(encoding="utf-8"), page


def test_no_two_dialects_have_one_source():
    sources = [d.source for d in DIALECTS.values()]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize(
    "name, formula",
    {
        "keras": "θ·(1−α·λ) − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)), ε̂ = 1e-07, AMSGrad: max of v",
        "bert": "θ·(1−α·λ) − α·m / (√v + ε), ε = 1e-06",
        "transformers-adamw": "(θ − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)))·(1−α·λ), ε̂ = 1e-06",
        "fastai": "θ·(1−α·λ) − α·m̂ / (√v̂ + ε), ε = 1e-05",
        "fastai-lesson": "θ·(1−α·λ) − α·m̂ / √(v̂ + ε), ε = 1e-05",
        "atan2": "θ·(1−α·λ) − α·1.27·atan2(m̂, √v̂)",
    }.items(),
)
def test_a_dialect_prints_as_one_formula(name, formula):
    assert str(DIALECTS[name]) == f"{name}: θ ← {formula}"


def test_what_each_dialect_of_the_spine_says():
    assert DIALECTS["paper"].eps_placement == "outside"
    assert DIALECTS["paper-reordered"].eps_placement == "hat"
    assert DIALECTS["paper"].amsgrad is DIALECTS["paper"].decoupled_weight_decay is None
    torch = DIALECTS["pytorch"]
    assert (torch.eps_placement, torch.eps) == ("outside", 1e-8)
    assert (torch.amsgrad, torch.decoupled_weight_decay) == ("max of v", "before")


def test_a_dialect_is_data_that_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DIALECTS["paper"].eps = 1.0


def test_a_dialect_is_told_from_another_of_its_name():
    """So it may be the key of a cache; its name may not."""
    first, same = Dialect("own", "here"), Dialect("own", "here")
    other = dataclasses.replace(first, eps_placement="hat")
    assert {first: 1, other: 2}[same] == 1 and len({first, same, other}) == 2


MAKERS = {
    "new": Dialect,
    "replaced": lambda **facts: dataclasses.replace(DIALECTS["keras"], **facts),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    "wrong, error, message",
    [
        (
            dict(eps_placement="outsied"),
            ValueError,
            f"Unknown eps_placement: 'outsied' (expected one of {', '.join(FORMULAS)})",
        ),
        (dict(eps_placement="Outside"), ValueError, "Unknown eps_placement: 'Outside' (expected"),
        (dict(eps_placement=None), ValueError, "Unknown eps_placement: None (expected"),
        (
            dict(amsgrad="max of v^"),
            ValueError,
            "Unknown amsgrad: 'max of v^' (expected one of max of v, max of v̂, None)",
        ),
        (dict(amsgrad=True), ValueError, "Unknown amsgrad: True (expected one of"),
        (
            dict(decoupled_weight_decay="sooner"),
            ValueError,
            "Unknown decoupled_weight_decay: 'sooner' (expected one of before, after, None)",
        ),
        (dict(decay_scale="eta"), ValueError, "Unknown decay_scale: 'eta' (expected one of lr, "),
        (dict(special="plugin"), ValueError, "Unknown special: 'plugin' (expected one of option,"),
        (dict(corrects_exp_avg="no"), TypeError, "corrects_exp_avg must be a bool, got 'no'"),
        (dict(eps="1e-8"), TypeError, "eps must be a float, got '1e-8'"),
        (dict(name=["own"]), TypeError, "name must be a str, got ['own']"),
    ],
)
def test_a_dialect_that_no_rule_knows_is_refused_when_it_is_made(wrong, error, message, make):
    with pytest.raises(error) as raised:
        make(**{"name": "own", "source": "here", **wrong})
    assert str(raised.value).startswith(message)


def test_what_no_framework_runs_as_it_comes_is_marked():
    marked = {name: DIALECTS[name].special for name in NEEDED if DIALECTS[name].special}
    assert marked == {
        "apex-contrib-inside": "option",
        "fastai-lesson": "lesson",
        "atan2": "third party",
    }


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_by_name_and_by_itself(name):
    assert find_dialect(name) is find_dialect(DIALECTS[name]) is DIALECTS[name]
    assert dialect_name(name) == dialect_name(DIALECTS[name]) == name


@pytest.mark.parametrize("find", [find_dialect, dialect_name])
@pytest.mark.parametrize(
    "dialect, error, message",
    [
        ("torch", ValueError, r"Unknown dialect: 'torch' \(expected one of paper, paper-reord"),
        ("PyTorch", ValueError, "Unknown dialect: 'PyTorch'"),
        ("", ValueError, "Unknown dialect: ''"),
        (3, TypeError, "dialect must be a name or a Dialect, got 3"),
        (None, TypeError, "dialect must be a name or a Dialect, got None"),
    ],
)
def test_what_is_no_dialect_is_refused(find, dialect, error, message):
    with pytest.raises(error, match=message):
        find(dialect)


def test_a_dialect_of_ones_own_has_no_name_to_store():
    own = Dialect("pytorch", "my notebook", eps_placement="hat")
    assert find_dialect(own) is own
    with pytest.raises(ValueError, match="DIALECTS has no such Dialect"):
        dialect_name(own)


@pytest.mark.parametrize("placement", FORMULAS)
def test_a_formula_prints_what_it_computes(placement):
    """The text of each row, read as Python, gives the numbers of the code beside it."""
    m, v, eps, c2 = 0.3, 0.7, 0.01, 0.2
    numbers = {"m": m, "v̂": v, "v": c2 * v, "ε": eps, "ε̂": eps, "c2": c2}
    text = re.sub("√(v̂|v)", r"√(\1)", FORMULAS[placement].text.format(m="m", v="v̂"))
    for sign, code in {"√": "sqrt", "1−β₂ᵗ": "c2", "²": "**2", "·": " * "}.items():
        text = text.replace(sign, code)
    read = eval(text, {"sqrt": math.sqrt, "atan2": math.atan2, **numbers})
    code = FORMULAS[placement].code(np, m, v, eps, c2)
    assert code == pytest.approx(read, rel=1e-14)


# Verified: what tests/frameworks runs (`make test-frameworks`), at the pinned version.


def test_a_dialect_is_verified_exactly_if_a_test_runs_its_library():
    ran = {
        dialect: f"{run.library} {short(pins()[run.library].removeprefix('=='))}"
        for run in RUNS.values()
        for dialect in run.dialects
    }
    assert {name: d.verified for name, d in DIALECTS.items()} == {
        name: ran.get(name, NOT_RUN) for name in DIALECTS
    }


@pytest.mark.parametrize("name", [name for name, d in DIALECTS.items() if d.verified != NOT_RUN])
def test_every_option_of_a_verified_dialect_is_run(name):
    runs = [run for run in RUNS.values() if name in run.dialects]
    assert any(run.amsgrad for run in runs) == (DIALECTS[name].amsgrad is not None)
    decoupled = any(run.decay == "decoupled" for run in runs)
    assert decoupled == (DIALECTS[name].decoupled_weight_decay is not None)


# The table that shows them side by side.

COLUMNS = ("framework", "formula", "default ε", "AMSGrad", "decoupled decay", "source", "verified")


def test_the_table_has_every_dialect_and_its_facts():
    shown = table()
    assert shown.columns == COLUMNS
    assert [row[0] for row in shown.rows] == list(DIALECTS)
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["keras"] == (
        "m̂ / ((√v + ε̂)/√(1−β₂ᵗ))",
        "1e-07",
        "max of v",
        "before·α",
        "keras/src/optimizers/adam.py",
        DIALECTS["keras"].verified,
    )
    assert rows["atan2"][:4] == ("1.27·atan2(m̂, √v̂)", "–", "–", "before·α")
    assert rows["chainer"][3] == "before, not ·α"
    assert rows["apex"][-1] == NOT_RUN


def test_the_columns_of_the_text_stand_below_each_other():
    """A hat takes no column of its own."""
    lines = str(Table(("a", "b"), (("m̂ / √v̂", "1"), ("long enough", "2")))).splitlines()
    assert lines == ["a            b", "───────────  ─", "m̂ / √v̂       1", "long enough  2"]
    assert len(str(table()).splitlines()) == 2 + len(DIALECTS)


def test_the_html_has_headings_for_columns_and_rows():
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append((tag, dict(attrs).get("scope")))

    Reader().feed(table()._repr_html_())
    assert seen.count(("th", "col")) == len(COLUMNS)
    assert seen.count(("th", "row")) == len(DIALECTS)
    assert seen.count(("td", None)) == len(DIALECTS) * (len(COLUMNS) - 1)
    assert "Kingma &amp; Ba 2015" in table()._repr_html_()
    assert "&lt;b&gt;" in Table(("a",), (("<b>",),))._repr_html_()
