"""Which mutants a run tries."""

from collections import Counter

import pytest

from mutation.choosing import equal_shares, group, proportional_shares, sample, shard
from mutation.finding import Mutant

SIZES = {"adam": 30, "floats": 300, "identification/reading/rules": 700, "identification/cells": 90}


def made(sizes: dict[str, int], more: str = "") -> list[Mutant]:
    """Mutants of some modules, of three kinds."""
    kinds = ("number", "call", "call", "logic", "call")
    return [
        Mutant(f"adamlib/{name}.py", more, kinds[i % 5], i, i, f"x = {i}", "", 1, 0, 0, "")
        for name, size in sizes.items()
        for i in range(size)
    ]


def test_a_package_is_one_module():
    assert {group(mutant) for mutant in made(SIZES)} == {"adam", "floats", "identification"}


def test_a_sample_has_as_many_of_each_module_where_there_are():
    chosen = sample(made(SIZES), 200)
    assert Counter(map(group, chosen)) == {"adam": 30, "floats": 85, "identification": 85}
    assert len({*chosen}) == 200


def test_a_sample_has_the_kinds_by_their_shares():
    chosen = [mutant for mutant in sample(made(SIZES), 230) if group(mutant) == "floats"]
    assert Counter(m.kind for m in chosen) == {"call": 60, "number": 20, "logic": 20}


def test_a_sample_hangs_on_its_seed_alone():
    mutants = made(SIZES)
    assert {*sample(mutants, 50)} == {*sample(mutants[::-1], 50)}
    assert {*sample(mutants, 50)} != {*sample(mutants, 50, seed=1)}
    assert {*sample(mutants, 40)} <= {*sample(mutants, 80)}


def test_what_is_tried_of_the_others_stays_when_one_function_changes():
    rest = made(SIZES)
    one, other = (made({"floats": 40}, more) for more in ("f", "g"))
    before, after = ({*sample(rest + more, 300)} for more in (one, other))
    assert len(before - after - {*one}) < 10
    assert shard(rest + one, 1, 3)[:90] == shard(rest + other, 1, 3)[:90]


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_shards_are_all(n):
    mutants = made(SIZES)
    parts = [shard(mutants, k, n) for k in range(1, n + 1)]
    assert sorted((m for part in parts for m in part), key=mutants.index) == mutants
    assert max(map(len, parts)) < 1.3 * len(mutants) / n


def test_equal_shares():
    assert equal_shares({"a": 10, "b": 100, "c": 100}, 90) == {"a": 10, "b": 40, "c": 40}
    assert equal_shares({"a": 1, "b": 2}, 90) == {"a": 1, "b": 2}


def test_proportional_shares():
    assert proportional_shares({"a": 1, "b": 99}, 10) == {"a": 1, "b": 9}
    assert proportional_shares({"a": 25, "b": 75}, 4) == {"a": 1, "b": 3}
    assert proportional_shares({"a": 1, "b": 2}, 90) == {"a": 1, "b": 2}
