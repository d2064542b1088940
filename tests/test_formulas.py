"""Every dialect beside a formula of its own, in long double, step by step, in units of rounding.

The formulas are those of the papers and of the files that `Dialect.source` names, written out
here one by one. Each takes the state that `adam_step` had, so that no error adds up: what is left
are a few roundings of a step, and those of βᵗ in 1 − βᵗ, which that divides.
"""

import itertools

import numpy as np
import pytest

from adamlib import DIALECTS, AdamState, adam_step, init_state

LONG = np.longdouble
HALF_ULP = 2.0**-53
STEPS = 2000
LOOKED_AT = {*range(1, 61), *range(100, STEPS + 1, 100)}
ROUNDINGS = 16  # of a step: corrections, root, quotient, sums
SETTINGS = (
    dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8),
    dict(lr=0.5, betas=(0.0, 0.5), eps=1e-3),
    dict(lr=1e-4, betas=(0.99, 0.9999), eps=1e-16),
)
pytestmark = pytest.mark.skipif(
    np.finfo(LONG).eps > 1e-18, reason="a long double is a double on this machine"
)


def algorithm_1(m, v, c1, c2, eps):
    return (m / c1) / (np.sqrt(v / c2) + eps)


def reordered(m, v, c1, c2, eps):
    """The paper's α·√(1−β₂ᵗ)/(1−β₁ᵗ) times m/(√v + ε̂)."""
    return np.sqrt(c2) / c1 * m / (np.sqrt(v) + eps)


def uncorrected(m, v, c1, c2, eps):
    return m / (np.sqrt(v) + eps)


def inside(m, v, c1, c2, eps):
    return (m / c1) / np.sqrt(v / c2 + eps)


def reordered_inside(m, v, c1, c2, eps):
    return np.sqrt(c2) / c1 * m / np.sqrt(v + eps)


def atan2(m, v, c1, c2, eps):
    return LONG("1.27") * np.arctan2(m / c1, np.sqrt(v / c2))


# the quotient; AMSGrad by the largest v, or v̂; how decoupled decay shrinks θ, and when
def adamw(lr, decay):
    return 1 - lr * decay


def without_lr(lr, decay):
    return 1 - decay


RULES = {
    "paper": (algorithm_1, None, None, None),
    "paper-reordered": (reordered, None, None, None),
    "pytorch": (algorithm_1, "v", adamw, "before"),
    "keras": (reordered, "v", adamw, "before"),
    "tensorflow1": (reordered, None, None, None),
    "optax": (algorithm_1, "v̂", adamw, "before"),
    "jax": (algorithm_1, None, None, None),
    "bert": (uncorrected, None, adamw, "before"),
    "transformers-adamw": (reordered, None, adamw, "after"),
    "mlx": (uncorrected, None, adamw, "before"),
    "tinygrad": (algorithm_1, None, adamw, "before"),
    "scikit-learn": (reordered, None, None, None),
    "chainer": (reordered, "v", without_lr, "before"),
    "deepspeed": (algorithm_1, None, adamw, "before"),
    "apex": (algorithm_1, None, adamw, "before"),
    "apex-contrib": (reordered, None, None, None),
    "apex-contrib-inside": (reordered_inside, None, None, None),
    "fastai": (algorithm_1, None, adamw, "before"),
    "fastai-lesson": (inside, None, adamw, "before"),
    "atan2": (atan2, None, adamw, "before"),
}


def gradients():
    """One column a number: sizes from 1e6 to 1e-12, signs, spikes, zeros, and what falls."""
    t = np.arange(STEPS)
    noise = np.random.default_rng(5).standard_normal((8, STEPS))
    sizes = 10.0 ** np.array([[6], [3], [0], [-2], [-4], [-6], [-8], [-12]])
    falling = 10.0 ** np.linspace(2, -10, STEPS)
    spike = np.where(t % 97 == 3, 1e3, 1e-3)
    return np.array([*sizes * noise, falling, -falling, spike, 0.0 * t, np.where(t < 5, 1.0, 0)]).T


GRADS = gradients()
START = np.resize([1.0, -30.0, 1e-3, 0.0, 700.0], GRADS.shape[1])


def cases():
    for (name, (_, top, shrinks, _)), k in itertools.product(RULES.items(), range(3)):
        for amsgrad, decay in itertools.product((False, True), ("none", "L2", "decoupled")):
            if (top or not amsgrad) and (shrinks or decay != "decoupled"):
                some = k == 0 or decay == "decoupled" and amsgrad
                marks = [] if some else [pytest.mark.slow]
                yield pytest.param(name, k, amsgrad, decay, marks=marks)


@pytest.mark.parametrize("name, k, amsgrad, decay", list(cases()))
def test_a_dialect_takes_the_steps_of_its_formula(name, k, amsgrad, decay):
    setting = SETTINGS[k]
    options = dict(**setting, dialect=name, amsgrad=amsgrad)
    options |= dict(
        weight_decay=0.0 if decay == "none" else 0.01, decoupled_weight_decay=decay == "decoupled"
    )
    param, state = START, init_state(START, amsgrad)
    for t, grad in enumerate(GRADS, start=1):
        new, after = adam_step(param, grad, state, **options)
        if t in LOOKED_AT:
            hold(name, setting, decay, param, grad, state, new, after)
        param, state = new, after


def test_a_loaded_state_goes_on_where_it_stood():
    """Step 0 and step 10⁹ of a state that somebody loads."""
    for step in (0, 1, 10**9):
        state = AdamState(step, 0.1 * GRADS[0], GRADS[0] ** 2, None)
        new, after = adam_step(START, GRADS[1], state, **SETTINGS[0])
        assert after.step == step + 1
        hold("pytorch", SETTINGS[0], "none", START, GRADS[1], state, new, after)


def hold(name, setting, decay, param, grad, state, new, after):
    """Compare one step with the formula; all in long double, from what the step was given."""
    quotient, top, shrinks, when = RULES[name]
    lr, eps = LONG(setting["lr"]), LONG(setting["eps"])
    beta1, beta2 = map(LONG, setting["betas"])
    theta, g, m, v = (LONG(x) for x in (param, grad, state.exp_avg, state.exp_avg_sq))
    wd = LONG(0.01)
    size_g = np.abs(g)
    if decay == "L2":
        g, size_g = g + wd * theta, size_g + wd * np.abs(theta)
    if decay == "decoupled" and when == "before":
        theta = theta * shrinks(lr, wd)
    m, size_m = beta1 * m + (1 - beta1) * g, beta1 * np.abs(m) + (1 - beta1) * size_g
    v, size_v = beta2 * v + (1 - beta2) * g * g, beta2 * v + (1 - beta2) * size_g**2
    near(after.exp_avg, m, 4 * size_m)
    near(after.exp_avg_sq, v, 8 * size_v)

    # What follows is the formula of the state that the step made: its errors are not the step's.
    m, v = LONG(after.exp_avg), LONG(after.exp_avg_sq)
    c1, c2 = 1 - beta1**after.step, 1 - beta2**after.step
    if state.max_exp_avg_sq is not None:
        before = LONG(state.max_exp_avg_sq)
        kept = np.maximum(before, v if top == "v" else v / c2)
        near(after.max_exp_avg_sq, kept, (3 + 1 / c2) * kept)
        v = LONG(after.max_exp_avg_sq) * (1 if top == "v" else c2)
    with np.errstate(all="ignore"):
        step = lr * quotient(m, v, c1, c2, eps)
    theta = theta - np.nan_to_num(step)
    size = np.abs(LONG(param)) + np.abs(theta)
    if decay == "decoupled" and when == "after":
        theta = theta * shrinks(lr, wd)
    near(new, theta, 3 * size + (ROUNDINGS + 1 / c1 + 0.5 / c2) * np.abs(step))


def near(got, wanted, roundings):
    off = np.abs(LONG(got) - wanted)
    allowed = HALF_ULP * roundings + np.finfo(float).smallest_subnormal
    assert (off <= allowed).all(), (off / allowed).max()


def facts(name):
    """What `update` reads of a dialect: all but its name, its source and its default eps."""
    d = DIALECTS[name]
    decay = (d.decoupled_weight_decay, d.decay_scale)
    return d.eps_placement, d.corrects_exp_avg, d.corrects_exp_avg_sq, d.amsgrad, *decay


def test_every_update_has_a_formula():
    """A dialect that says of its update what another says needs no row of its own."""
    assert {facts(name) for name in RULES} == {facts(name) for name in DIALECTS}
