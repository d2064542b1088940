"""identify: every dialect and mistake has its name, and nothing is claimed that a probe refutes."""

import itertools
import random
import subprocess
import sys
import time
import typing

import numpy as np
import pytest
import torch

import adamlib
import adams
from adamlib import DIALECTS, adam_step, identification, identify, init_state
from adamlib.identification import MISTAKES, Settings, catalogue
from adamlib.identification.paths import RTOL, dialect_paths, misfits

USUAL = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
SETTINGS = (
    USUAL,
    dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
    dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12),
)
OUTSIDE = ("paper", "pytorch", "optax", "jax", "tinygrad", "deepspeed", "apex", "fastai")


def from_dialect(name, amsgrad=False, **options):
    """Return a factory that steps with adam_step."""

    def factory(params):
        params = list(params)
        states = [init_state(p, amsgrad) for p in params]

        def step(grads):
            for i, grad in enumerate(grads):
                params[i], states[i] = adam_step(
                    params[i], grad, states[i], dialect=name, amsgrad=amsgrad, **options
                )
            return params

        return step

    return factory


def configurations():
    for (name, rule), setting in itertools.product(DIALECTS.items(), SETTINGS):
        for amsgrad in (False, True) if rule.amsgrad else (False,):
            yield name, setting, amsgrad, 0.0, False
            yield name, setting, amsgrad, 0.01, False
            if rule.decoupled_weight_decay:
                yield name, setting, amsgrad, 0.01, True


@pytest.mark.parametrize("name, setting, amsgrad, decay, decoupled", list(configurations()))
def test_every_dialect_has_its_name(name, setting, amsgrad, decay, decoupled):
    options = dict(**setting, weight_decay=decay, amsgrad=amsgrad)
    found = identify(from_dialect(name, decoupled_weight_decay=decoupled, **options), **options)
    assert found.verdict == "dialect"
    assert name in found.names
    assert found.precision == "float64"
    assert found.first_difference is None and not found.mutates_grad


def told_of(slug):
    decay = 0.01 if slug.startswith("decay") else 0.0
    return dict(weight_decay=decay, amsgrad=slug.startswith("amsgrad"))


@pytest.mark.parametrize("setting", SETTINGS[:2], ids=["usual", "unusual"])
@pytest.mark.parametrize("slug", MISTAKES)
def test_every_mistake_is_named(slug, setting):
    told = told_of(slug)
    found = identify(adams.mistake(slug, **setting, wd=told["weight_decay"]), **setting, **told)
    assert slug in found.names, found
    if slug not in ("eps-inside-root", "no-bias-correction"):  # the lesson's and BERT's habits
        assert found.verdict == "mistake"
    assert MISTAKES[slug] in str(found)


def test_what_coincides_is_said():
    assert identify(adams.mistake("no-bias-correction", **USUAL), **USUAL).names == (
        "bert",
        "mlx",
        "no-bias-correction",
    )
    found = identify(lambda params: torch.optim.Adam(params), **USUAL)
    assert found.names == OUTSIDE
    assert "No probe tells these names apart" in str(found)


@pytest.mark.parametrize("eps", [1e-8, 1e-12])
def test_hat_and_outside_are_told_apart_as_far_as_float64_can(eps):
    options = {**USUAL, "eps": eps}
    assert identify(from_dialect("keras", **options), **options).names[0] == "paper-reordered"


def test_without_eps_its_place_does_not_matter():
    options = {**USUAL, "eps": 0.0}
    found = identify(from_dialect("keras", **options), **options)
    assert {"paper", "keras", "fastai-lesson", "eps-missing"} <= set(found.names)


# Pairs of mistakes, on probes that identify has not seen.


def further_probe(told, seed):
    """Gradients of random sizes and signs, unlike those that identify uses."""
    rng = np.random.default_rng(seed)
    probe = identification.make_probe(told)
    grads = rng.standard_normal(probe.grads.shape) * 10.0 ** rng.uniform(-9, 1, probe.start.shape)
    return identification.Probe(rng.standard_normal(probe.start.shape), grads, probe.shapes)


def variant_factory(variant, told):
    """Return a factory that takes the steps of a variant."""

    def factory(params):
        shapes = tuple(param.shape for param in params)
        start = np.concatenate([param.ravel() for param in params])
        seen = []

        def step(grads):
            seen.append(np.concatenate([grad.ravel() for grad in grads]))
            probe = identification.Probe(start, np.array(seen), shapes)
            return probe.cut(identification.variant_path(variant, probe, told)[-1])

        return step

    return factory


def hundred_pairs():
    told = Settings(1e-3, (0.9, 0.999), 1e-8, 0.01, True)
    pairs = list(itertools.combinations(catalogue.relevant(told), 2))
    random.Random(4).shuffle(pairs)
    variants = [(pair, list(catalogue.mistaken_variants(told, pair))) for pair in pairs]
    return [(pair, random.Random(5).choice(found)) for pair, found in variants if found][:100]


@pytest.mark.parametrize("pair, variant", list(hundred_pairs()), ids=lambda value: str(value)[:60])
def test_no_pair_of_mistakes_is_called_what_a_further_probe_refutes(pair, variant):
    told = Settings(1e-3, (0.9, 0.999), 1e-8, 0.01, True)
    found = identify(
        variant_factory(variant, told), **USUAL, weight_decay=told.weight_decay, amsgrad=True
    )
    assert found.verdict in ("dialect", "mistake")
    probe = further_probe(told, seed=6)
    path = identification.variant_path(variant, probe, told)
    entries = dict.fromkeys(found.names, [])
    for name, expected in dialect_paths(probe, told):
        if name in entries:
            entries[name] = [*entries[name], expected]
    for name in set(found.names) & MISTAKES.keys():
        names = next((pair for pair in found.pairs if name in pair), (name,))
        entries[name] = [
            identification.variant_path(v, probe, told)
            for v in catalogue.mistaken_variants(told, names)
        ]
    for name, paths in entries.items():
        fits = [not misfits(path, p, RTOL).any() for p in paths]
        assert any(fits), f"{name} is refuted"


@pytest.mark.parametrize("decay, amsgrad", [(0.0, False), (0.01, False), (0.01, True)])
def test_the_right_variant_is_adam_step(decay, amsgrad):
    told = Settings(1e-3, (0.9, 0.999), 1e-8, decay, amsgrad)
    probe = further_probe(told, seed=7)
    for base in catalogue.right_variants(told):
        expected = identification.dialect_path("pytorch", probe, told, base.decay == "before")
        path = identification.variant_path(base, probe, told)
        np.testing.assert_allclose(path, expected, rtol=1e-12, atol=1e-14)


# Strangers, libraries, and things that are no optimizers at all.


@pytest.mark.parametrize("name", adams.strangers(**USUAL))
def test_a_stranger_is_unknown_with_a_first_difference(name):
    found = identify(adams.strangers(**USUAL)[name], **USUAL)
    assert (found.verdict, found.names) == ("unknown", ()), found
    difference = found.first_difference
    assert difference.step >= 1 and difference.expected != difference.got
    assert str(difference) in str(found)


def test_the_first_difference_can_be_checked_by_hand():
    found = identify(adams.mistake("only-m-corrected", **USUAL), **USUAL)
    difference = found.first_difference
    assert (difference.step, difference.parameter, difference.gradient) == (1, 0.0, 1.0)
    assert difference.expected == pytest.approx(-1e-3)
    assert difference.got == pytest.approx(-1e-3 / np.sqrt(1e-3), rel=1e-5)
    assert difference.gradients == (1.0,)


@pytest.mark.parametrize(
    "options", [dict(foreach=False), dict(foreach=True), dict(fused=True)], ids=str
)
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("cls", [torch.optim.Adam, torch.optim.AdamW])
def test_torch_is_pytorch(cls, options, decay, amsgrad):
    told = dict(**USUAL, weight_decay=decay, amsgrad=amsgrad)
    found = identify(lambda params: cls(params, **told, **options), **told)
    assert found.verdict == "dialect" and "pytorch" in found.names
    assert "keras" not in found.names


OURS = {
    "numpy": lambda params, **options: adamlib.Adam(params, **options).step,
    "torch": lambda params, **options: adamlib.pytorch.Adam(params, **options),
}


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
@pytest.mark.parametrize("name", ["pytorch", "keras", "bert", "atan2"])
def test_our_own_optimizers_are_what_they_say(name, make):
    assert name in identify(lambda params: make(params, **USUAL, dialect=name), **USUAL).names


@pytest.mark.parametrize("cls", [torch.optim.SGD, torch.optim.NAdam, torch.optim.RMSprop])
def test_other_torch_optimizers_are_no_adam(cls):
    assert identify(lambda params: cls(params, lr=1e-3), **USUAL).verdict == "unknown"


def step_of(function):
    return lambda params: lambda grads: function(params, grads)


NO_OPTIMIZERS = {
    "raises": (step_of(lambda p, g: 1 / 0), "ZeroDivisionError"),
    "exits": (step_of(lambda p, g: sys.exit(3)), "SystemExit"),
    "not a function": (3, "cannot be called"),
    "returns no step": (lambda params: 3, "returned int"),
    "a number": (step_of(lambda p, g: 3), "no list of 3 arrays"),
    "too few": (step_of(lambda p, g: p[:1]), "no list of 3 arrays"),
    "wrong shapes": (step_of(lambda p, g: [x[..., None] for x in p]), "array of shape"),
    "text": (step_of(lambda p, g: ["a", "b", "c"]), "ValueError"),
    "infinite": (step_of(lambda p, g: [x + np.inf for x in p]), "not finite"),
    "recursion": (lambda params: NO_OPTIMIZERS["recursion"][0](params), "RecursionError"),
}


@pytest.mark.parametrize("factory, message", NO_OPTIMIZERS.values(), ids=NO_OPTIMIZERS)
def test_nothing_makes_it_crash(factory, message):
    found = identify(factory, **USUAL)
    assert (found.verdict, found.names) == ("error", ())
    assert message in str(found)


def test_a_pair_that_fits_exactly_comes_before_a_single_that_fits_roughly():
    """Decay before or after the step differs by lr·decay only, 1e-5 of a step."""
    told = dict(**USUAL, weight_decay=0.01)

    def factory(params):
        params = list(params)

        def step(grads):
            for i, g in enumerate(grads):
                moved = params[i] - 1e-3 * g / (np.abs(g) + 1e-8)
                params[i] = moved * (1 - 1e-3 * 0.01)
            return params

        return step

    found = identify(factory, **told)
    assert found.precision == "float64"
    assert set(found.names) == {"state-reset-every-call", "decay-in-the-wrong-place"}


def test_a_changed_gradient_is_reported_for_torch_too():
    class Rude(torch.optim.Adam):
        def step(self):
            super().step()
            for group in self.param_groups:
                for param in group["params"]:
                    param.grad.zero_()

    found = identify(lambda params: Rude(params), **USUAL)
    assert found.mutates_grad and found.verdict == "mistake"
    assert found.names == ("gradient-mutated", *OUTSIDE)


def test_float32_arithmetic_is_recognised_as_such():
    def factory(params):
        params = [p.astype(np.float32) for p in params]
        optimizer = adamlib.Adam(params, **USUAL)

        def step(grads):
            optimizer.step([g.astype(np.float32) for g in grads])
            return params

        return step

    found = identify(factory, **USUAL)
    assert (found.verdict, found.precision) == ("dialect", "float32")
    assert "pytorch" in found.names and "float32 precision" in str(found)


def test_decay_that_cancels_the_step_is_no_mistake_in_float32():
    """With 1 − βᵗ in float32 (tinygrad, torch's capturable) what is left of a step is inexact."""
    told = dict(**USUAL, weight_decay=0.01)

    def factory(params):
        params = [p.copy() for p in params]
        m, v, t = [0 * p for p in params], [0 * p for p in params], 0

        def step(grads):
            nonlocal t
            t += 1
            bc1, bc2 = (1 - np.float32(b) ** np.float32(t) for b in USUAL["betas"])
            for i, g in enumerate(grads):
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g * g
                params[i] *= 1 - 1e-3 * 0.01
                params[i] -= 1e-3 * (m[i] / bc1) / (np.sqrt(v[i] / bc2) + 1e-8)
            return params

        return step

    found = identify(factory, **told)
    assert (found.verdict, found.precision) == ("dialect", "float32"), found
    assert "pytorch" in found.names


def test_an_answer_takes_less_than_two_seconds():
    """Half of the limit, for a loaded machine; the unknown tries all pairs and takes longest."""
    started = time.perf_counter()
    identify(adams.strangers(**USUAL)["nadam"], **USUAL, weight_decay=0.01, amsgrad=True)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(lr=-1), ValueError, "Invalid learning rate: -1"),
        (dict(betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1"),
        (dict(eps="1"), TypeError, "eps must be a real number"),
        (dict(kind="jax"), ValueError, r"Unknown kind: 'jax' \(expected numpy or torch\)"),
    ],
)
def test_bad_hyperparameters_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        identify(from_dialect("paper", **USUAL), **{**USUAL, **change})


def test_every_mistake_can_be_made():
    told = Settings(1e-3, (0.9, 0.999), 1e-8, 0.01, True)
    assert set(catalogue.relevant(told)) == MISTAKES.keys() - {"gradient-mutated"}


def test_every_position_of_a_switch_has_its_mistake_or_is_right():
    told = Settings(1e-3, (0.9, 0.999), 1e-8, 0.01, True)
    found = [variant for _, ways in catalogue.CATALOGUE.values() for variant in ways]
    for name, kind in typing.get_type_hints(catalogue.Variant).items():
        positions = {getattr(v, name) for v in [*found, *catalogue.right_variants(told)]}
        some = {bool: {False, True}, float: {1.0, -1.0}}
        known = set(some.get(kind, typing.get_args(kind)))
        assert positions | {getattr(catalogue.Variant(), name)} == known, name


@pytest.mark.parametrize("slug", [slug for slug, (_, ways) in catalogue.CATALOGUE.items() if ways])
def test_no_way_of_a_mistake_is_right(slug):
    told = Settings(1e-3, (0.9, 0.999), 1e-8, 0.01, True)
    probe = identification.make_probe(told)
    right = [identification.variant_path(v, probe, told) for v in catalogue.right_variants(told)]
    for variant in catalogue.mistaken_variants(told, [slug]):
        path = identification.variant_path(variant, probe, told)
        assert all(misfits(path, expected, RTOL).any() for expected in right), variant


# The command line.

COMMANDS = {
    "what was expected": ("torch.optim:AdamW --weight-decay 0.01 --expect pytorch", 0, "pytorch"),
    "something else": ("torch.optim:Adam --expect keras", 1, "dialect: paper, pytorch"),
    "no dialect": ("torch.optim:NAdam", 1, "unknown: -"),
    "betas": ("torch.optim:Adam --betas 0.5 0.9 --eps 1e-3 --lr 0.1", 0, "dialect: paper"),
    "no such module": ("nothing:x", 2, "'nothing:x' cannot be loaded: ModuleNotFoundError"),
    "no colon": ("torch.optim", 2, "'torch.optim' is no package.module:name"),
    "unknown name": ("torch.optim:Adam --expect keraas", 2, "--expect keraas: unknown"),
    "bad number": ("torch.optim:Adam --lr -1", 2, "Invalid learning rate: -1"),
}


@pytest.mark.parametrize("arguments, code, text", COMMANDS.values(), ids=COMMANDS)
def test_the_command_line(arguments, code, text, capsys):
    from adamlib.__main__ import main

    assert main(["identify", *arguments.split()]) == code
    assert text in capsys.readouterr().out


def test_the_command_line_finds_a_file_in_the_current_folder(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def factory(params):\n    return lambda grads: [p - 1e-3 for p in params]\n"
    )
    command = [sys.executable, "-m", "adamlib", "identify", "mine:factory"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (1, "")
    assert process.stdout.startswith("unknown")
