"""Adam's step as the browser computes it, held to `adamlib`: every dialect, option and mistake."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

import rules
from adamlib import adam_step, init_state
from adamlib.dialects import DIALECTS
from adamlib.experiments import unit_steps
from adamlib.identification.reading.explaining import AVERAGES, Written
from adamlib.identification.reading.rules import Correction, Rule, follow
from built import SITE

STEPS = 150
FORMATS = ("float16", "bfloat16", "float32", "float64")
SETTINGS = [
    dict(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8),
    dict(lr=0.1, beta1=0.5, beta2=0.95, eps=1e-3),
    dict(lr=10.0, beta1=0.0, beta2=0.9, eps=0.0),
]
WITH_AMSGRAD = [(name, False) for name in DIALECTS if name != "atan2"]
WITH_AMSGRAD += [(name, True) for name, dialect in DIALECTS.items() if dialect.amsgrad]
MISTAKES = rules.mistakes()
RUN = """([change, settings, start, grads, format]) => {
    const rule = {...ALGORITHM_1, ...change}, kind = arithmetic(format);
    const params = [...start], states = params.map(freshState);
    return grads.map((row, i) => {
        const numbers = coefficients(rule, settings, i + 1);
        params.forEach((param, j) => {
            params[j] = update(rule, numbers, states[j], param, row[j], kind);
        });
        return String(params);
    });
}"""
STEPS_ALONE = """([change, settings, grads, format]) => {
    const rule = {...ALGORITHM_1, ...change}, kind = arithmetic(format);
    const states = grads[0].map(freshState);
    return grads.map((row, i) => {
        const numbers = coefficients(rule, settings, i + 1);
        return String(states.map((state, j) => {
            update(rule, numbers, state, 0, row[j], kind);
            return state.step;
        }));
    });
}"""
RUN_TOGETHER = """([change, settings, start, grads]) => {
    const rule = {...ALGORITHM_1, ...change};
    const params = [...start], states = params.map(freshState);
    return grads.map(row => (takeStep(rule, settings, params, row, states), String(params)));
}"""


@pytest.fixture(scope="module")
def page(browser) -> Page:
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    yield page
    page.close()


def gradients(largest: float, smallest: float) -> np.ndarray:
    """(steps, numbers): noise of all sizes, steady ones, silence, a change of sign, a spike."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(smallest, largest, 12)
    columns = list(rng.standard_normal((12, STEPS)) * sizes[:, None])
    t = np.arange(STEPS)
    columns += [np.full(STEPS, 1e-3), 0.0 * t, np.where(t < 3, 1.0, 0.0)]
    columns += [np.where(t // 7 % 2, 1.0, -1.0), np.where(t == 5, largest, 1.0)]
    return np.array(columns).T


def numbers(rows: list[str]) -> np.ndarray:
    """Numbers travel as text: JSON knows neither NaN nor infinity."""
    return np.array([[float(each) for each in row.split(",")] for row in rows])


def of_adamlib(name, amsgrad, settings, start, grads, kind) -> np.ndarray:
    """The parameters after each step; in torch for bfloat16, which NumPy has not."""
    betas = settings["beta1"], settings["beta2"]
    options = dict(lr=settings["lr"], eps=settings["eps"], betas=betas)
    options |= dict(amsgrad=amsgrad, dialect=name)
    if kind == "bfloat16":
        param, grads = (torch.from_numpy(each).to(torch.bfloat16) for each in (start, grads))
    else:
        param, grads = start.astype(kind), grads.astype(kind)
    state, found = init_state(param, amsgrad), []
    for grad in grads:
        param, state = adam_step(param, grad, state, **options)
        found.append(np.asarray(param.double() if kind == "bfloat16" else param, np.float64))
    return np.array(found)


def rounded(array: np.ndarray, kind: str) -> np.ndarray:
    """The same numbers in the browser and here: those of the format."""
    return torch.from_numpy(array).to(getattr(torch, kind)).double().numpy()


@pytest.mark.parametrize("settings", SETTINGS, ids=["usual", "short", "no eps"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("name", "amsgrad"), WITH_AMSGRAD)
def test_every_dialect_takes_the_same_steps_to_the_bit(name, amsgrad, kind, settings, page):
    grads = rounded(gradients(100.0 if kind == "float16" else 1e4, 1e-6), kind)
    start = rounded(np.linspace(-2, 2, grads.shape[1]), kind)
    change = rules.of_dialect(DIALECTS[name], amsgrad)
    asked = [change, settings, start.tolist(), grads.tolist(), kind]
    found = numbers(page.evaluate(RUN, asked))
    np.testing.assert_array_equal(found, of_adamlib(name, amsgrad, settings, start, grads, kind))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_angle_of_atan2_is_that_of_adamlib_to_three_roundings(kind, page):
    """A browser's atan2 is not C's: each step is compared, before it is rounded into θ."""
    grads = gradients(1e4, 1e-6).astype(kind)
    change = rules.of_dialect(DIALECTS["atan2"])
    asked = [change, dict(lr=1.0, beta1=0.9, beta2=0.999, eps=0.0), grads.tolist(), kind]
    found = numbers(page.evaluate(STEPS_ALONE, asked))
    wanted = unit_steps(grads, dialect="atan2")
    np.testing.assert_allclose(found, wanted, rtol=3 * np.finfo(kind).eps, atol=0)


def form_of(name: str) -> Rule:
    dialect = DIALECTS[name]
    corrects_m = Correction("β₁") if dialect.corrects_exp_avg else None
    corrects_v = Correction("β₂") if dialect.corrects_exp_avg_sq else None
    return Rule(
        1.0, (0.0, 0.0), placement=dialect.eps_placement, corrects_m=corrects_m,
        corrects_v=corrects_v,
    )  # fmt: skip


def normal_form(slug: str, name: str, settings: dict) -> Rule | None:
    """What `identify` takes a mistake for: the same steps, its averages' weights adding up to 1."""
    betas = settings["beta1"], settings["beta2"]
    form = replace(form_of(name), lr=settings["lr"], betas=betas, eps=settings["eps"])
    way = MISTAKES[slug][1]
    if slug not in AVERAGES:
        return replace(form, **way)
    bases = dict(base_m="β₁" if form.corrects_m else None, base_v="β₂" if form.corrects_v else None)
    written = Written(**(bases | way))
    normal = written.normal(form, betas)
    return normal and replace(
        form,
        lr=form.lr * normal.lr,
        eps=form.eps**written.eps_power * normal.eps,
        betas=normal.betas,
        corrects_m=normal.corrects_m,
        corrects_v=normal.corrects_v,
    )


FORMS_OF = [
    (slug, name)
    for slug in MISTAKES
    for name in rules.FORMS
    if normal_form(slug, name, SETTINGS[0])
]


@pytest.mark.parametrize(("slug", "name"), FORMS_OF)
def test_every_mistake_is_the_one_that_identify_names(slug, name, page):
    """Written out here, as a rule whose weights add up to 1 there; numbers are parameters."""
    grads = gradients(1e4, 1e-6)
    start = np.zeros(grads.shape[1])
    change = rules.of_dialect(DIALECTS[name]) | MISTAKES[slug][1]
    for settings in SETTINGS[:2]:
        asked = [change, settings, start.tolist(), grads.tolist()]
        found = numbers(page.evaluate(RUN_TOGETHER, asked))
        rule = normal_form(slug, name, settings)
        wanted = follow(rule, start, grads, np.arange(len(start)))[1:]
        there = np.isfinite(wanted)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
        largest = np.maximum.accumulate(np.where(there, np.abs(wanted), 0.0))
        apart = np.abs(found - wanted)[there] / np.maximum(largest[there], 1e-300)
        assert apart.max(initial=0.0) < 1e-13  # measured: 3e-14


def test_only_the_angle_has_mistakes_that_identify_cannot_put_otherwise():
    left = {(slug, name) for slug in MISTAKES for name in rules.FORMS} - set(FORMS_OF)
    assert {name for _, name in left} == {"atan2"}
    assert len(left) == 8


def test_the_forms_are_all_that_the_dialects_have():
    def form(name):
        change = rules.of_dialect(DIALECTS[name])
        return tuple(sorted(change.items()))

    assert sorted(map(form, rules.FORMS)) == sorted({form(name) for name in DIALECTS})
