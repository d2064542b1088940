"""Reading a rule off its steps: the numbers that it was built with, nothing told; its mistakes."""

import itertools
import random

import numpy as np
import pytest

import adams
from adamlib import DIALECTS, adam_step, identify, init_state
from adamlib.identification.judging import explanations, judge
from adamlib.identification.observing import Observation
from adamlib.identification.reading import (
    Correction,
    Fit,
    Known,
    Rule,
    Settings,
    explain,
    follow,
    make_probe,
    read,
)
from adamlib.identification.reading.explaining import AVERAGES, FIRST, PLACES, composed
from covering import covering

USUAL = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
UNUSUAL = dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3)
SETTINGS = (USUAL, UNUSUAL)
PROBE = make_probe()
# where a rule that was read has eps; without a correction of v it is outside as well as hat
PLACEMENTS = {name: {d.eps_placement} for name, d in DIALECTS.items()}
PLACEMENTS |= {n: {"outside", "hat"} for n, d in DIALECTS.items() if not d.corrects_exp_avg_sq}


def dialect_path(name, decoupled=False, **options):
    param, path = PROBE.start, [PROBE.start]
    state = init_state(param, options.get("amsgrad", False))
    for grad in PROBE.grads:
        param, state = adam_step(
            param, grad, state, dialect=name, decoupled_weight_decay=decoupled, **options
        )
        path.append(param)
    return np.array(path)


def adam_path(factory):
    step, path = factory(PROBE.cut(PROBE.start)), [PROBE.start]
    with np.errstate(all="ignore"):
        for row in PROBE.grads:
            path.append(np.concatenate([np.ravel(param) for param in step(PROBE.cut(row))]))
    return np.array(path)


# one dialect of each form
FORMS = ("pytorch", "optax", "keras", "chainer", "transformers-adamw", "apex-contrib-inside")
FORMS += ("fastai-lesson", "bert", "atan2")


def rows():
    for name, setting in itertools.product(FORMS, SETTINGS):
        dialect = DIALECTS[name]
        yield name, setting, False, 0.0, False
        yield name, setting, False, 0.01, False
        if dialect.amsgrad:
            yield name, setting, True, 0.0, False
        if dialect.decoupled_weight_decay:
            yield name, setting, bool(dialect.amsgrad), 0.01, True


@pytest.mark.parametrize("name, setting, amsgrad, decay, decoupled", list(rows()))
def test_the_numbers_of_a_dialect_are_read_off_with_nothing_told(
    name, setting, amsgrad, decay, decoupled
):
    options = dict(**setting, weight_decay=decay, amsgrad=amsgrad)
    fits = read(dialect_path(name, decoupled=decoupled, **options), PROBE)
    assert fits and fits[0].precision == "float64"
    rules = [fit.rule for fit in fits]
    assert PLACEMENTS[name] & {rule.placement for rule in rules}
    share = decay if DIALECTS[name].decay_scale == "lr" or not decoupled else decay / setting["lr"]
    wanted = (setting["lr"], *setting["betas"], share)
    found = [(r.lr, *r.betas, r.weight_decay) for r in rules]
    assert any(np.allclose(numbers, wanted, rtol=1e-9, atol=1e-12) for numbers in found), found
    if PLACEMENTS[name] != {"none"}:
        assert any(rule.eps == pytest.approx(setting["eps"], rel=1e-6) for rule in rules)
    kinds = {rule.decay for rule in rules}
    where = DIALECTS[name].decoupled_weight_decay if decoupled else "L2"
    assert (where if decay else "none") in kinds
    assert {rule.amsgrad for rule in rules} == {DIALECTS[name].amsgrad if amsgrad else "none"}


# Those of tests/adams.py that are seen in the steps. A first step of NaN says nothing more, and
# decay that is divided by eps is not read.
UNSEEN = ("step-starts-at-0", "decay-in-the-wrong-place", "gradient-mutated")
SEEN = [slug for slug in FIRST if slug not in UNSEEN]


@pytest.mark.parametrize("setting", SETTINGS, ids=["usual", "unusual"])
@pytest.mark.parametrize("slug", SEEN)
def test_a_mistake_is_explained_by_its_name(slug, setting):
    decay = 0.01 if slug.startswith("decay") else None
    factory = adams.mistake(slug, **setting, wd=decay or 0.0)
    known = Known(**setting, weight_decay=decay, amsgrad=slug.startswith("amsgrad") or None)
    fits = read(adam_path(factory), PROBE, [setting["betas"]])
    found = sorted((e for fit in fits for e in explain(fit.rule, known)), key=lambda e: e.cost)
    assert found and slug in {s for e in found if e.cost < found[0].cost + 0.01 for s in e.slugs}
    assert found[0].settings.lr == pytest.approx(setting["lr"])
    assert not found[0].contradicted


@pytest.mark.parametrize("name", adams.strangers(**USUAL))
def test_no_rule_fits_a_stranger(name):
    fits = read(adam_path(adams.strangers(**USUAL)[name]), PROBE, [USUAL["betas"]])
    if name == "lr_halved_after_ten":  # the rate is read step by step
        rates = np.array(fits[0].rule.rates)
        np.testing.assert_allclose(rates[:10], 1.0, rtol=1e-6)
        np.testing.assert_allclose(rates[10:], 0.5, rtol=1e-6)
    elif name == "clipped":
        assert fits[0].rule.input == "clipped by value" and np.isclose(fits[0].rule.bound, 1.0)
    else:
        assert fits == []


def compositions():
    """Two mistakes at once, on forms, decays and AMSGrad, that do not change the same thing."""
    rng = random.Random(3)
    averages = ["only-m-corrected", "only-v-corrected", "step-starts-at-2", "v-uses-beta1"]
    places = ["ascent", "no-square-root", "state-starts-at-gradient"]
    for slugs in itertools.product(averages, places):
        yield slugs, rng.choice(["outside", "hat"]), rng.choice(["none", "before"])


@pytest.mark.parametrize("slugs, placement, decay", list(compositions()))
def test_mistakes_that_stand_together_are_all_named(slugs, placement, decay):
    decayed = Settings(**USUAL, weight_decay=0.01 if decay != "none" else 0.0)
    rule = next(composed(slugs, decayed, placement, decay, "none"))
    path = follow(rule, PROBE.start, PROBE.grads, PROBE.index)
    fits = read(path, PROBE, [USUAL["betas"]])
    found = [e for fit in fits for e in explain(fit.rule, Known(**USUAL))]
    assert found and set(slugs) <= set(min(found, key=lambda e: e.cost).slugs)


@pytest.mark.parametrize(
    "slug, betas",
    [
        ("correction-without-root", (0.9, 0.999)),
        ("moments-share-a-buffer", (0.7, 0.95)),
        ("v-of-absolute-g", (0.6, 0.6)),
    ],
)
def test_a_mistake_and_its_betas_are_read_off_with_nothing_told(slug, betas):
    rule = next(composed([slug], Settings(1e-3, betas, 1e-8), "outside", "none", "none"))
    fits = read(follow(rule, PROBE.start, PROBE.grads, PROBE.index), PROBE)
    assert fits
    best, _ = explanations(fits, Known())[0]
    assert (best.slugs, best.settings.lr, best.settings.betas) == ((slug,), 1e-3, betas)


M, V = Correction("β₁"), Correction("β₂")
FIXED = (1 - 0.999**37) ** 0.5  # the root of the correction of v in step 37
# a rule, what is known, the mistakes, what is meant besides the usual
EXPLAINED = {
    "L2 decay": (Rule(**USUAL, weight_decay=0.02, corrects_m=M, corrects_v=V, decay="L2"),
                 {}, (), dict(weight_decay=0.02)),
    "no averages": (Rule(1e-3, (0.0, 0.0), 1e-8), {}, ("state-reset-every-call",), {}),
    "eps inside, before a fixed correction":
        (Rule(1e-3 * FIXED, (0.9, 0.999), 1e-8, corrects_m=M, placement="inside"),
         USUAL, ("step-frozen-for-v",), {}),
    "β₂ for β₁ = 0, whose correction is 1":
        (Rule(1e-3, (0.999, 0.999), 1e-8, corrects_v=V),
         USUAL | dict(betas=(0.0, 0.999)), ("m-uses-beta2",), dict(betas=(0.0, 0.999))),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPLAINED)
def test_a_rule_is_explained_by_the_likeliest_mistake(case):
    rule, known, slugs, meant = EXPLAINED[case]
    best, _ = explanations([Fit(rule, "float64", np.zeros(0), 0.0)], Known(**known))[0]
    wanted = vars(Settings(**USUAL | meant))
    assert best.slugs == slugs and not best.contradicted
    assert [*vars(best.settings).values()] == [pytest.approx(value) for value in wanted.values()]


# what cannot be read off where both stand together, as people make them of AdamW with AMSGrad
TOLD_PAIRS = (
    ("eps-added-to-quotient", "no-square-root"),
    ("eps-missing", "state-reset-every-call"),
    ("betas-swapped", "decay-in-the-wrong-place"),
    ("moments-share-a-buffer", "average-weights-swapped"),
    ("only-v-corrected", "corrected-moments-stored"),
)


@pytest.mark.parametrize("pair", TOLD_PAIRS, ids="+".join)
def test_a_pair_that_cannot_be_read_off_is_named_where_all_is_told(pair):
    settings = Settings(**USUAL, weight_decay=0.01, amsgrad=True)
    decay = "none" if "decay-in-the-wrong-place" in pair else "L2"
    rule = next(composed(pair, settings, "outside", decay, "max of v"))
    with np.errstate(all="ignore"):
        path = follow(rule, PROBE.start, PROBE.grads, PROBE.index)
        found = judge(Observation(PROBE, path), Known(**vars(settings)))
    assert found.verdict == "mistake" and set(found.names) == set(pair)


FORMS = ("outside", "hat", "inside", "inside-uncorrected")
DECAYS, MAXIMA = ("none", "L2", "before"), ("none", "max of v")
# On this form it is no mistake but transformers' decay, after the step, or chainer's.
RIGHT_THERE = {("decay-in-the-wrong-place", "hat"), ("decay-not-times-lr", "hat")}
ALSO_RIGHT = ("no-bias-correction", "eps-inside-root")  # BERT's, fast.ai's lesson


def single_mistakes():
    """Every row of the catalogue on every form, with each decay, with AMSGrad and without."""
    slugs = (*AVERAGES, *PLACES)
    for slug, form, decay, amsgrad in itertools.product(slugs, FORMS, DECAYS, MAXIMA):
        own = changed_by(slug)
        if "placement" in own and form != "outside" or "decay" in own and decay != "none":
            continue
        if "amsgrad" in own and amsgrad != "none" or slug == "step-starts-at-0":  # NaN from step 1
            continue
        settings = settings_of(slug, decay, amsgrad)
        for number, _ in enumerate(composed([slug], settings, form, decay, amsgrad)):
            if (slug, form) not in RIGHT_THERE or number:
                name = f"{slug} {number}, {form}, {decay}, {amsgrad}"
                yield pytest.param(slug, number, form, decay, amsgrad, id=name)


def changed_by(slug):
    return {name for way in {**AVERAGES, **PLACES}[slug][1] for name in way}


def settings_of(slug, decay, amsgrad):
    own = changed_by(slug)
    return Settings(
        **USUAL,
        weight_decay=0.01 if decay != "none" or "decay" in own else 0.0,
        amsgrad=amsgrad != "none" or "amsgrad" in own,
    )


@pytest.mark.parametrize(
    "slug, number, form, decay, amsgrad", covering(single_mistakes(), together=1)
)
def test_every_mistake_is_named_on_every_form(slug, number, form, decay, amsgrad):
    settings = settings_of(slug, decay, amsgrad)
    rule = [*composed([slug], settings, form, decay, amsgrad)][number]
    with np.errstate(all="ignore"):
        path = follow(rule, PROBE.start, PROBE.grads, PROBE.index)
    found = judge(Observation(PROBE, path), Known(**vars(settings)))
    assert slug in found.names, found
    assert found.verdict == "mistake" or slug in ALSO_RIGHT


FROZEN = itertools.product(("mv", "m", "v"), (1, 10, 37), FORMS, (False, True))


@pytest.mark.parametrize("frozen, count, form, told", covering(FROZEN))
def test_a_step_count_that_stays_at_any_number_is_told(frozen, count, form, told):
    """The steps alone are those of an Adam without corrections at another rate."""

    class Frozen:
        def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            self.params, self.t = list(params), 0
            self.m, self.v = ([np.zeros_like(p) for p in self.params] for _ in "mv")

        def step(self, grads):
            self.t += 1
            c1 = 1 - 0.9 ** (count if "m" in frozen else self.t)
            c2 = 1 - 0.999 ** (count if "v" in frozen else self.t)
            for p, g, m, v in zip(self.params, grads, self.m, self.v, strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= 1e-3 * m / c1 / {
                    "outside": np.sqrt(v / c2) + 1e-8,
                    "hat": (np.sqrt(v) + 1e-8) / np.sqrt(c2),
                    "inside": np.sqrt(v / c2 + 1e-8),
                    "inside-uncorrected": np.sqrt(v + 1e-8) / np.sqrt(c2),
                }[form]  # fmt: skip

    found = identify(Frozen, **USUAL if told else {})
    slug = "step-frozen" if frozen == "mv" else f"step-frozen-for-{frozen}"
    slug += "-at-1" if (frozen, count) == ("mv", 1) else ""
    assert set(found.names) == {slug, *(["eps-inside-root"] if form == "inside" else [])}
    assert found.settings.lr == pytest.approx(1e-3)
    bases = {"hat": "reordered", "inside-uncorrected": "inside-uncorrected"}
    assert found.base == bases.get(form, "algorithm-1")
