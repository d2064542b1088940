"""Which mutants a module has."""

import pytest

from mutation.finding import KINDS, Mutant, mutants

MODULE = '''\
"""A module."""

from __future__ import annotations

from typing import overload

LIMIT = 3


@overload
def larger(a: int, b: int) -> int: ...


@overload
def larger(a: float, b: float) -> float: ...


def larger(a: int | float, b: int | float = 0) -> int | float:
    """The larger one."""
    check("ä", a)
    if a == b:
        raise ValueError(f"equal: {abs(a)}")
    return max(
        a + LIMIT,
        b,
    )
'''


def found(text: str = MODULE, kind: str = "") -> list[Mutant]:
    return [mutant for mutant in mutants("adamlib/it.py", text) if kind in mutant.kind]


def readings(ones: list[Mutant]) -> list[tuple[str, str]]:
    return [(mutant.was, mutant.now) for mutant in ones]


def test_a_number_is_one_more_and_one_less():
    default = "def larger(a: int | float, b: int | float = 0) -> int | float:"
    assert readings(found(kind="number")) == [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 2"),
        (default, default.replace("= 0", "= 1")),
        (default, default.replace("= 0", "= -1")),
    ]


def test_a_call_becomes_its_first_argument():
    """Not of what is raised, and not inside of a text; letters of several bytes do no harm."""
    first, second = found(kind="call")
    assert (first.was, first.now) == ('check("ä", a)', '("ä")')
    assert second.now == "return (a + LIMIT)"
    assert (second.line, second.last) == (23, 26)


def test_the_same_program_is_tried_once():
    """`not a == b` is `a != b` to a test, and to no tree: these two are two."""
    assert readings(found(kind="comparison")) == [("if a == b:", "if a != b:")]
    assert readings(found(kind="logic")) == [("if a == b:", "if not a == b:")]
    assert len(found("x = 0.1\n")) == 2
    assert not found("x = 'text'\n")


def test_types_and_stubs_are_left_alone():
    assert not found("from __future__ import annotations\n\nx: int | None\n")
    assert not found("if TYPE_CHECKING:\n    x = 1\n")
    assert not found(kind="flow")
    assert all("|" not in mutant.now or "def" in mutant.now for mutant in found())


@pytest.mark.parametrize("text", [MODULE, MODULE.replace("\n", "\n\n", 3)])
def test_the_text_differs_where_it_says(text):
    for mutant in found(text):
        old, new = text.splitlines(), mutant.text(text).splitlines()
        assert old[: mutant.line - 1] == new[: mutant.line - 1]
        assert old[mutant.line - 1] != new[mutant.line - 1]
        assert old[mutant.last :] == new[len(new) - len(old) + mutant.last :]
        compile(mutant.text(text), "it.py", "exec")


def test_names_stay_when_other_lines_change():
    names = [mutant.name for mutant in found()]
    assert len({*names}) == len(names)
    assert names == [mutant.name for mutant in found(MODULE.replace("LIMIT = 3", "\n\nLIMIT = 3"))]
    assert names[0] == "adamlib/it.py larger: a + LIMIT, -> a - LIMIT,"


def test_of_lines_that_read_alike_each_has_a_name():
    two = found("def f(x):\n    x += 1\n    x += 1\n", kind="number")
    assert [mutant.nth for mutant in two] == [1, 1, 2, 2]
    assert [mutant.line for mutant in two] == [2, 2, 3, 3]


def test_where_is_the_function_in_its_class():
    text = "class A:\n    x = 1\n\n    @property\n    def f(self):\n        return 2\n"
    assert [mutant.where for mutant in found(text, "number")] == ["A", "A", "A.f", "A.f"]
    assert [mutant.where for mutant in found(text, "flow")] == ["A.f"]


def test_every_operator_is_one_of_cosmic_ray():
    from cosmic_ray.plugins import operator_names

    assert {f"core/{name}" for names in KINDS.values() for name in names} <= {*operator_names()}
