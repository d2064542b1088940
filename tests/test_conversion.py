"""Settings and states carried from one Adam to another: they go on with the same steps."""

import numpy as np
import pytest

from adamlib import DIALECTS, AdamState, Dialect, adam_step, convert_eps

BETAS = (0.9, 0.999)
DIVIDING = [name for name, rule in DIALECTS.items() if rule.eps_placement != "none"]


# An eps.

GRADS = np.geomspace(1e2, 1e-12, 29) * np.resize([1.0, -1.0], 29)
LATE = 40_000  # 0.999⁴⁰⁰⁰⁰ is 4e-18: 1 − β₂ᵗ is 1 to the bit
TRIED = np.array([0.0, *np.geomspace(1e-20, 1, 999)])[:, np.newaxis]  # 4.7 % apart


def step_at(t, dialect, eps, betas):
    """The step number t in units of lr, for each gradient; one row for each eps of a column."""
    eps = np.asarray(eps)
    grads = 0.7 * GRADS + np.zeros_like(eps) if eps.ndim else 0.7 * GRADS
    m, v = ((1 - beta ** (t - 1)) * GRADS**n for n, beta in enumerate(betas, start=1))
    state = AdamState(t - 1, m + 0 * grads, v + 0 * grads)
    options = dict(lr=1.0, betas=betas, eps=eps, dialect=dialect)
    return adam_step(np.zeros_like(grads), grads, state, **options)[0]


@pytest.mark.parametrize("betas", [BETAS, (0.5, 0.9), (0.0, 0.0)], ids=str)
@pytest.mark.parametrize("step", [1, 2, 10, 1000, LATE, None])
@pytest.mark.parametrize("source", DIVIDING)
def test_a_converted_eps_takes_the_same_step_and_is_refused_where_none_does(source, step, betas):
    t = step or LATE
    for target in DIVIDING:
        for eps in (1e-5, 0.0):
            expected = step_at(t, source, eps, betas)
            try:
                found = convert_eps(eps, source, target, betas=betas, step=step)
            except ValueError as error:
                assert str(error).startswith(f"no eps of {target!r} takes the steps of {source!r}")
                tried = step_at(t, target, TRIED, betas)
                assert not np.isclose(tried, expected, rtol=0.1, atol=0).all(axis=1).any()
            else:
                np.testing.assert_allclose(step_at(t, target, found, betas), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "eps, source, target, step, expected",
    [
        (1e-8, "paper-reordered", "paper", 1, 1e-8 / np.sqrt(1 - 0.999)),
        (1e-7, "keras", "pytorch", 100, 1e-7 / np.sqrt(1 - 0.999**100)),
        (1e-8, "pytorch", "tensorflow1", 1, 1e-8 * np.sqrt(1 - 0.999)),
        (1e-8, "apex-contrib-inside", "fastai-lesson", 1, 1e-8 / (1 - 0.999)),
        (1e-5, "fastai-lesson", "apex-contrib-inside", 10, 1e-5 * (1 - 0.999**10)),
        (1e-6, "bert", "mlx", 3, 1e-6),
        (1e-6, "bert", "pytorch", None, 1e-6),
        (1e-7, "keras", "pytorch", None, 1e-7),
    ],
)
def test_the_factors_are_those_of_the_formulas(eps, source, target, step, expected):
    assert convert_eps(eps, source, target, step=step) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("step", [1, 7, None])
@pytest.mark.parametrize("name", DIVIDING)
def test_an_eps_that_stays_is_not_touched(name, step):
    for eps in (0.0, 5e-324, 0.1, 1e300):
        assert convert_eps(eps, name, DIALECTS[name], step=step) == eps


def test_where_corrections_cancel_an_uncorrected_eps_is_found():
    """√(1 − 0.99) is 1 − 0.9: with these betas the first step of BERT's Adam is as long."""
    betas = (0.9, 0.99)
    eps = convert_eps(1e-6, "bert", "pytorch", betas=betas, step=1)
    assert eps == pytest.approx(1e-5, rel=1e-12)
    bert = step_at(1, "bert", 1e-6, betas)
    np.testing.assert_allclose(step_at(1, "pytorch", eps, betas), bert, rtol=1e-12)


def test_a_dialect_of_ones_own_is_converted():
    half = Dialect("half", "only v is corrected", eps_placement="hat", corrects_exp_avg=False)
    assert convert_eps(1e-8, half, "keras") == 1e-8
    with pytest.raises(ValueError, match=r"makes the step 0\.1 times as long even without eps"):
        convert_eps(1e-8, half, "keras", step=1)


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        (
            (1e-5, "fastai-lesson", "pytorch"),
            {},
            ValueError,
            "no eps of 'pytorch' takes the steps of 'fastai-lesson' with eps=1e-05: one adds eps "
            "to the root, the other under it, and √v + a is √(v + b) for one v only (late in "
            "training eps=0.00316228 agrees where v is 0)",
        ),
        ((1e-8, "keras", "apex-contrib-inside"), {}, ValueError, "eps=1e-16 agrees where v is 0"),
        (
            (1e-6, "bert", "pytorch"),
            dict(step=10),
            ValueError,
            "at step 10: they differ in what is corrected, which makes the step 6.53 times as "
            "long even without eps (expected step=None, late in training)",
        ),
        ((1e-8, "pytorch", "atan2"), {}, ValueError, "with eps=1e-08: 'atan2' has no eps"),
        ((0.0, "atan2", "pytorch"), {}, ValueError, "with eps=0: 'atan2' has no eps"),
        ((1e-8, "atan2", "atan2"), {}, ValueError, "'atan2' has no eps"),
        ((1e-8, "torch", "keras"), {}, ValueError, "Unknown dialect: 'torch' (expected one of"),
        ((1e-8, "keras", 3), {}, TypeError, "dialect must be a name or a Dialect, got 3"),
        ((-1, "keras", "paper"), {}, ValueError, "Invalid epsilon value: -1"),
        (("1e-8", "keras", "paper"), {}, TypeError, "eps must be a real number, got '1e-8'"),
        ((1e-8, "keras", "paper"), dict(betas=(0.9, 1.0)), ValueError, "index 1: 1.0"),
        ((1e-8, "keras", "paper"), dict(betas=0.9), TypeError, "betas must be a pair"),
        ((1e-8, "keras", "paper"), dict(step=0), ValueError, "Invalid step: 0 (expected 1 or"),
        ((1e-8, "keras", "paper"), dict(step=1.5), TypeError, "step must be a whole number or"),
        ((1e-8, "keras", "paper"), dict(step=True), TypeError, "step must be a whole number or"),
    ],
)
def test_what_no_eps_does_is_refused_with_the_reason(arguments, options, error, message):
    with pytest.raises(error) as raised:
        convert_eps(*arguments, **options)
    assert message in str(raised.value)
