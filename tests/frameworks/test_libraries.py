"""Every dialect that PyPI can supply, beside the real library: `make test-frameworks`.

A library that is missing makes these tests fail; nothing is skipped. That is why `make test`
does not collect this folder (`norecursedirs` in pyproject.toml).
"""

import inspect
import itertools
from importlib import import_module
from importlib.metadata import version

import numpy as np
import pytest

from adamlib import DIALECTS, adam_step, identify, init_state
from adamlib.identification.conventions import conventions
from beside import cut
from libraries import EXACT, RUNS, SINGLE, short

SETTINGS = (
    dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
    dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
    dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12),
)
STEPS = 40


def gradients():
    """One column a number: from 1e2 down to 1e-8 and up again, constant, alternating, zeros."""
    t = np.arange(STEPS)
    falling = 10.0 ** np.linspace(2, -8, STEPS)
    signs = np.where(t // 3 % 2, -1.0, 1.0)
    steady = [np.full(STEPS, size) for size in (1e2, 1.0, -1e-4, 1e-6, -1e-8)]
    zeros = [0.0 * t, np.where(t < 3, 0.0, -1.0), np.where(t < 2, 1e-4, 0.0)]
    columns = [falling, -falling[::-1], signs * falling, signs, signs * 1e-7, *steady, *zeros]
    return np.array([*columns, *columns]).T


GRADS = gradients()
SHAPES = {"": ((2, 4), (18,)), "one array": ((26,),), "layers": ((2, 4), (2, 2), (3,), (11,))}
HALVES = GRADS.shape[1] // 2
# At zero a step is exact; decay needs parameters that no step carries past zero, or L2's
# gradient g + λ·θ changes sign by rounding.
START, DECAYING = np.repeat([0.0, 3.0], HALVES), np.repeat([70.0, -30.0], HALVES)


def library_path(x, start):
    convention = next(conventions(x))
    shapes = SHAPES[convention.cut]
    step, path = convention.begin(cut(start, shapes)), [start]
    for row in GRADS:
        path.append(np.concatenate([p.ravel() for p in step(cut(row, shapes))]))
    return np.array(path)


def our_path(dialect, start, amsgrad, **options):
    param, state, path = start, init_state(start, amsgrad), [start]
    for row in GRADS:
        param, state = adam_step(param, row, state, dialect=dialect, amsgrad=amsgrad, **options)
        path.append(param)
    return np.array(path)


def deviation(path, expected, lr, weight_decay):
    """The largest difference between steps, relative to the step; rounding of θ set aside.

    Decay may cancel the rest of a step, so its share counts for itself.
    """
    got, wanted = np.diff(path, axis=0), np.diff(expected, axis=0)
    rounding = 4 * np.finfo(np.float64).eps * np.abs(expected).max(axis=0)
    excess = np.maximum(np.abs(got - wanted) - rounding, 0.0)
    size = np.abs(wanted) + lr * weight_decay * np.abs(expected[:-1])
    assert np.isfinite(path).all()
    return np.divide(excess, size, out=np.sign(excess), where=size != 0).max()


def options_of(name):
    """Every combination of the options that an optimizer has."""
    run = RUNS[name]
    for amsgrad in (False, True) if run.amsgrad else (False,):
        for weight_decay in (0.0, 0.01) if run.decay else (0.0,):
            yield dict(amsgrad=amsgrad, weight_decay=weight_decay)


CASES = [
    (name, {**setting, **options})
    for name, setting in itertools.product(RUNS, SETTINGS)
    for options in options_of(name)
]


@pytest.mark.parametrize("library", sorted({run.library for run in RUNS.values()}))
def test_the_version_that_ran_is_the_one_that_the_table_names(library):
    installed = short(
        version(library)
    )  # missing? pip install -c constraints.txt -e ".[frameworks]"
    for run in RUNS.values():
        for dialect in run.dialects if run.library == library else ():
            assert DIALECTS[dialect].verified == f"{library} {installed}"


@pytest.mark.parametrize("name, options", CASES, ids=str)
def test_a_dialect_takes_the_steps_of_the_library(name, options):
    run = RUNS[name]
    start = DECAYING if options["weight_decay"] else START
    path = library_path(run.make(**options), start)
    for dialect in run.dialects:
        decoupled = run.decay == "decoupled"
        expected = our_path(dialect, start, decoupled_weight_decay=decoupled, **options)
        worst = deviation(path, expected, options["lr"], options["weight_decay"])
        assert worst <= run.rtol, f"{dialect}: {worst:.1e}"


@pytest.mark.parametrize("name", DIALECTS)
def test_these_gradients_tell_formulas_apart(name):
    """Dialects that another formula defines differ from this one by far more than the tolerance."""
    options = dict(**SETTINGS[0], weight_decay=0.0, amsgrad=False)
    path = our_path(name, START, **options)
    for other, rule in DIALECTS.items():
        distance = deviation(path, our_path(other, START, **options), options["lr"], 0.0)
        assert distance > 100 * SINGLE or rule.quotient == DIALECTS[name].quotient


def same_rule(one, other, amsgrad, decay):
    """Whether two dialects are one with these options."""

    def rule(d):
        decoupled = (d.decoupled_weight_decay, d.decay_scale) if decay == "decoupled" else None
        return d.quotient, d.amsgrad if amsgrad else None, decoupled

    return rule(one) == rule(other)


@pytest.mark.parametrize("name, options", [(n, o) for n in RUNS for o in options_of(n)], ids=str)
def test_identify_names_what_the_table_says(name, options):
    run, told = RUNS[name], {**SETTINGS[0], **options}
    found = identify(run.make(**told))
    if run.rtol == SINGLE and run.decay == "L2" and options["weight_decay"]:
        # g + λ·θ may change sign by float32 rounding, so nothing fits; nothing wrong is claimed.
        assert found.verdict in ("dialect", "unknown")
        return
    assert found.verdict == "dialect" and not found.mutates_grad, str(found)
    assert set(run.dialects) <= set(found.names)
    if run.rtol == EXACT:
        decay = run.decay if options["weight_decay"] else None
        table = DIALECTS[run.dialects[0]]
        same = {d for d, r in DIALECTS.items() if same_rule(r, table, options["amsgrad"], decay)}
        assert set(found.names) & DIALECTS.keys() == same
        assert found.precision == "float64"


@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if run.default_eps])
def test_the_default_eps_is_the_library_s(name):
    module, function, parameter = RUNS[name].default_eps.replace(":", " ").split()
    signature = inspect.signature(getattr(import_module(module), function))
    for dialect in RUNS[name].dialects:
        assert DIALECTS[dialect].eps == signature.parameters[parameter].default
