"""identify: every dialect and mistake has its name, and nothing is claimed that a probe refutes."""

import itertools
import sys

import numpy as np
import pytest
import torch

import adamlib
import adams
from adamlib import DIALECTS, adam_step, identification, identify, init_state
from adamlib.identification import MISTAKES, RELATIVES
from adamlib.identification.reading import explaining
from covering import covering

USUAL = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
SETTINGS = (
    USUAL,
    dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
    dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12),
)
OUTSIDE = ("paper", "pytorch", "optax", "jax", "tinygrad", "deepspeed", "apex", "fastai")
FIRST = explaining.FIRST  # the mistakes that tests/adams.py makes


def on_the_probe(factory, **told):
    """The answer without the long run, which would make a test of every dialect long too."""
    settings = identification.told_settings(
        *(told.get(name) for name in ("lr", "betas", "eps", "weight_decay", "amsgrad"))
    )
    return identification.examine(factory, settings, last=0)


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


@pytest.mark.parametrize("name, setting, amsgrad, decay, decoupled", covering(configurations()))
def test_every_dialect_has_its_name(name, setting, amsgrad, decay, decoupled):
    options = dict(**setting, weight_decay=decay, amsgrad=amsgrad)
    found = on_the_probe(from_dialect(name, decoupled_weight_decay=decoupled, **options), **options)
    assert found.verdict == "dialect"
    assert name in found.names
    assert found.precision == "float64"
    assert found.first_difference is None and not found.mutates_grad


def told_of(slug):
    decay = 0.01 if slug.startswith("decay") else 0.0
    return dict(weight_decay=decay, amsgrad=slug.startswith("amsgrad"))


@pytest.mark.parametrize("setting", SETTINGS[:2], ids=["usual", "unusual"])
@pytest.mark.parametrize("slug", FIRST)
def test_every_mistake_is_named(slug, setting):
    told = told_of(slug)
    found = on_the_probe(adams.mistake(slug, **setting, wd=told["weight_decay"]), **setting, **told)
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


# Strangers, libraries, and things that are no optimizers at all.


KNOWN = {"adamax": "adamax", "nadam": "nadam-optax", "adabelief": "adabelief"}
KNOWN |= {"lr_halved_after_ten": "rate-changes", "clipped": "clipped-by-value"}


@pytest.mark.parametrize("name", [n for n in adams.strangers(**USUAL) if n not in KNOWN])
def test_a_stranger_is_unknown_with_a_first_difference(name):
    found = identify(adams.strangers(**USUAL)[name], **USUAL)
    assert (found.verdict, found.names) == ("unknown", ()), found
    difference = found.first_difference
    assert difference.step >= 1 and difference.expected != difference.got
    assert str(difference) in str(found)


def test_the_sign_of_a_gradient_is_no_adam():
    """It is 4/π·atan2(g, |g|), the steps of an atan2 Adam with β₁ = β₂ = 0."""
    told = dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12)
    assert on_the_probe(adams.strangers(**told)["lion"], **told).verdict == "unknown"


def test_signs_that_flip_hide_nothing():
    """With β₁ = 0, L2 decay and a small eps, small errors of the reading change a sign."""
    told = dict(lr=1e-4, betas=(0.0, 0.99), eps=1e-12, weight_decay=0.01)
    names = on_the_probe(from_dialect("bert", **told), **told).names
    assert names == ("bert", "mlx", "no-bias-correction", "only-m-corrected")


@pytest.mark.parametrize("name, slug", KNOWN.items())
def test_published_relatives_and_mistakes_are_no_strangers(name, slug):
    found = identify(adams.strangers(**USUAL)[name], **USUAL)
    assert (found.verdict, found.names) == (
        "dialect" if slug in RELATIVES else "mistake",
        (slug,),
    ), found


def test_the_first_difference_can_be_checked_by_hand():
    found = identify(adams.mistake("only-m-corrected", **USUAL), **USUAL)
    difference = found.first_difference
    assert (difference.step, difference.parameter, difference.gradient) == (1, 0.0, 1.0)
    assert difference.expected == pytest.approx(-1e-3)
    assert difference.got == pytest.approx(-1e-3 / np.sqrt(1e-3), rel=1e-5)
    assert difference.gradients == (1.0,)


TORCHS = itertools.product(
    (torch.optim.Adam, torch.optim.AdamW),
    (dict(foreach=False), dict(foreach=True), dict(fused=True)),
    (0.0, 0.01),
    (False, True),
)


@pytest.mark.parametrize("cls, options, decay, amsgrad", covering(TORCHS))
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


RELATED = {"NAdam": "nadam", "RAdam": "radam", "Adamax": "adamax", "RMSprop": "rmsprop"}


@pytest.mark.parametrize("name, slug", RELATED.items())
def test_torchs_relatives_of_adam_are_named_as_what_they_are(name, slug):
    found = identify(getattr(torch.optim, name))
    assert (found.verdict, found.names) == ("dialect", (slug,))
    assert found.settings.lr == torch.optim.__dict__[name]([torch.zeros(1)]).defaults["lr"]


@pytest.mark.parametrize("cls", [torch.optim.SGD, torch.optim.Adagrad, torch.optim.Rprop])
def test_other_torch_optimizers_are_no_adam(cls):
    assert identify(cls, lr=1e-3).verdict == "unknown"


def step_of(function):
    return lambda params: lambda grads: function(params, grads)


NO_OPTIMIZERS = {
    "raises": (step_of(lambda p, g: 1 / 0), "ZeroDivisionError"),
    "exits": (step_of(lambda p, g: sys.exit(3)), "SystemExit"),
    "not a function": (3, "cannot be called"),
    "returns no step": (lambda params: 3, "returned int"),
    "a number": (step_of(lambda p, g: 3), "returns an array of shape ()"),
    "too few": (step_of(lambda p, g: p[:1]), "returns an array of shape ("),
    "wrong shapes": (step_of(lambda p, g: [x[..., None] for x in p]), "arrays of shapes ("),
    "text": (step_of(lambda p, g: ["a", "b", "c"]), "must be real numbers, got text"),
    "infinite": (step_of(lambda p, g: [x + np.inf for x in p]), "NaN or infinity"),
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


class Rude(torch.optim.Adam):
    """Does to the gradients after its step what ``rude`` does."""

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for param in group["params"]:
                self.rude(param)


def test_a_changed_gradient_is_reported_for_torch_too():
    class Halving(Rude):
        def rude(self, param):
            param.grad.mul_(0.5)

    found = identify(Halving, **USUAL)
    assert found.mutates_grad and found.verdict == "mistake"
    assert found.names == ("gradient-mutated", *OUTSIDE)


def test_a_cleared_gradient_is_a_remark():
    class Clearing(Rude):
        def rude(self, param):
            param.grad.zero_()

    class Dropping(Rude):
        def rude(self, param):
            param.grad = None

    for cls in (Clearing, Dropping):
        found = identify(cls, **USUAL)
        assert (found.verdict, found.names, found.mutates_grad) == ("dialect", OUTSIDE, False)
        assert any("clears the gradients" in remark for remark in found.remarks)


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
