"""The table of dialects: complete, consistent and read by name."""

import dataclasses

import pytest

from adamlib import DIALECTS, Dialect
from adamlib.dialects import QUOTIENTS, dialect_name, find_dialect

NEEDED = (
    "paper paper-reordered pytorch keras tensorflow1 optax jax bert transformers-adamw mlx "
    "tinygrad scikit-learn chainer deepspeed apex fastai atan2"
).split()


def test_the_table_has_what_the_course_needs():
    assert set(NEEDED) <= DIALECTS.keys()


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_complete(name):
    dialect = DIALECTS[name]
    assert dialect.name == name and name == name.lower() and " " not in name
    assert dialect.source
    assert 0 < dialect.eps < 1 or dialect.eps_placement == "none"
    assert dialect.eps_placement in QUOTIENTS
    assert str(dialect).startswith(f"{name}: θ ← ")


def test_no_two_dialects_have_one_source():
    sources = [d.source for d in DIALECTS.values()]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize(
    "name, formula",
    {
        "keras": "θ·(1−α·λ) − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)), ε̂ = 1e-07, AMSGrad: max of v",
        "bert": "θ·(1−α·λ) − α·m / (√v + ε), ε = 1e-06",
        "transformers-adamw": "(θ − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)))·(1−α·λ), ε̂ = 1e-06",
        "fastai": "θ·(1−α·λ) − α·m̂ / √(v̂ + ε), ε = 1e-05",
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
    assert hash(DIALECTS["paper"]) != hash(DIALECTS["pytorch"])


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


def test_algorithm_1_is_what_differs_from_it_in_nothing():
    own = dataclasses.replace(DIALECTS["paper"], name="own")
    assert own.is_algorithm_1 and DIALECTS["pytorch"].is_algorithm_1
    for change in (
        dict(eps_placement="hat"),
        dict(eps_placement="inside"),
        dict(corrects_exp_avg=False),
        dict(corrects_exp_avg_sq=False),
        dict(amsgrad="max of v̂"),
        dict(decoupled_weight_decay="after"),
    ):
        assert not dataclasses.replace(own, **change).is_algorithm_1
