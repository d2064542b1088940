"""The catalogue of mistakes: slug → what is wrong → which switches of Algorithm 1 it turns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal


@dataclass(frozen=True)
class Settings:
    """The hyperparameters that an optimizer is said to have."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool


Eps = Literal["outside", "inside", "added", "missing"]
Clock = Literal["right", "frozen", "from 0", "from 2", "per parameter"]
VBeta = Literal["beta2", "beta1", "beta1 throughout"]
Decay = Literal[
    "none",
    "L2",
    "before",
    "not times lr",
    "after",
    "in the quotient",
    "times corrected lr",
    "in m only",
]
AMSGrad = Literal["max of v", "last two", "none"]


@dataclass(frozen=True)
class Variant:
    """Algorithm 1 with switches for everything that people get wrong; the default is right.

    ``amsgrad`` says what is kept where AMSGrad is asked for. ``decay`` has two right places,
    "L2" and "before", where there is any (`right_variants`).
    """

    eps: Eps = "outside"
    corrects_m: bool = True
    corrects_v: bool = True
    clock: Clock = "right"
    swapped_betas: bool = False
    swapped_weights: bool = False
    v_beta: VBeta = "beta2"
    v_of: Literal["square", "gradient"] = "square"
    stored: Literal["raw", "corrected"] = "raw"
    reset: bool = False
    root: bool = True
    shared: bool = False
    sign: float = -1.0
    decay: Decay = "none"
    amsgrad: AMSGrad = "max of v"


CATALOGUE: dict[str, tuple[str, list[Variant]]] = {
    "eps-inside-root": (
        "eps is added inside the root, √(v̂ + ε), where it acts like √ε outside.",
        [Variant(eps="inside")],
    ),
    "eps-added-to-quotient": (
        "eps is added to the quotient, m̂/√v̂ + ε, not to the denominator.",
        [Variant(eps="added")],
    ),
    "eps-missing": (
        "There is no eps, so that a zero gradient divides by zero.",
        [Variant(eps="missing")],
    ),
    "no-bias-correction": (
        "Neither m nor v is divided by 1 − βᵗ.",
        [Variant(corrects_m=False, corrects_v=False)],
    ),
    "only-m-corrected": (
        "m is divided by 1 − β₁ᵗ, but v not by 1 − β₂ᵗ.",
        [Variant(corrects_v=False)],
    ),
    "only-v-corrected": (
        "v is divided by 1 − β₂ᵗ, but m not by 1 − β₁ᵗ.",
        [Variant(corrects_m=False)],
    ),
    "step-frozen-at-1": (
        "The step count t stays 1, so the corrections never fade.",
        [Variant(clock="frozen")],
    ),
    "step-starts-at-0": (
        "The first step has t = 0, so that both corrections divide by zero.",
        [Variant(clock="from 0")],
    ),
    "step-starts-at-2": (
        "The first step has t = 2, so the corrections are too weak.",
        [Variant(clock="from 2")],
    ),
    "step-per-parameter": (
        "t advances once per parameter, not once per step.",
        [Variant(clock="per parameter")],
    ),
    "betas-swapped": ("β₁ and β₂ are swapped.", [Variant(swapped_betas=True)]),
    "average-weights-swapped": (
        "The weights are swapped: (1 − β)·m + β·g, and so for v.",
        [Variant(swapped_weights=True)],
    ),
    "v-uses-beta1": (
        "v is averaged with β₁.",
        [Variant(v_beta="beta1"), Variant(v_beta="beta1 throughout")],
    ),
    "v-of-g-not-squared": ("v averages the gradient, not its square.", [Variant(v_of="gradient")]),
    "corrected-moments-stored": (
        "The corrected moments are written back and corrected again.",
        [Variant(stored="corrected")],
    ),
    "state-reset-every-call": (
        "The moments begin at zero again on every call.",
        [Variant(reset=True), Variant(reset=True, clock="frozen")],
    ),
    "no-square-root": ("The root of v̂ is missing from the denominator.", [Variant(root=False)]),
    "moments-share-a-buffer": ("m and v are one and the same array.", [Variant(shared=True)]),
    "ascent": ("The step is added: the function climbs.", [Variant(sign=1.0)]),
    "gradient-mutated": ("The caller's gradient is changed.", []),
    "decay-not-times-lr": (
        "Decoupled weight decay is not multiplied by the learning rate.",
        [Variant(decay="not times lr")],
    ),
    "decay-in-the-wrong-place": (
        "Weight decay enters where no Adam and no AdamW has it.",
        [
            Variant(decay="after"),
            Variant(decay="in the quotient"),
            Variant(decay="times corrected lr"),
            Variant(decay="in m only"),
        ],
    ),
    "amsgrad-max-not-kept": (
        "AMSGrad's maximum is not kept from step to step.",
        [Variant(amsgrad="none"), Variant(amsgrad="last two")],
    ),
}
"""Slug → what is wrong, and every way to get it wrong; no switch where only the caller sees it."""

MISTAKES = {slug: wrong for slug, (wrong, _) in CATALOGUE.items()}
"""The catalogue of mistakes found in published code: slug → what is wrong."""


def relevant(settings: Settings) -> list[str]:
    """Give the mistakes in a step that can be made with these options."""
    skipped = {slug for slug, (_, variants) in CATALOGUE.items() if not variants}
    if not settings.weight_decay:
        skipped |= {"decay-not-times-lr", "decay-in-the-wrong-place"}
    if not settings.amsgrad:
        skipped |= {"amsgrad-max-not-kept"}
    return [slug for slug in CATALOGUE if slug not in skipped]


def right_variants(settings: Settings) -> list[Variant]:
    """Give the right Adams that a mistake may start from: with L2 decay and with decoupled."""
    decays: tuple[Decay, ...] = ("L2", "before") if settings.weight_decay else ("none",)
    return [Variant(decay=decay) for decay in decays]


def mistaken_variants(settings: Settings, slugs: Sequence[str]) -> Iterator[Variant]:
    """Give every variant that makes all of these mistakes, each once."""
    changes: list[dict[str, Any]] = [{}]
    for slug in slugs:
        changes = [
            {**change, **further}
            for change in changes
            for further in map(_switched, CATALOGUE[slug][1])
            if not change.keys() & further.keys()
        ]
    found = {replace(right, **c) for right in right_variants(settings) for c in changes}
    yield from sorted(found, key=repr)


@cache
def _switched(variant: Variant) -> dict[str, Any]:
    """Give the switches that are not as in the right Adam."""
    return {name: value for name, value in vars(variant).items() if value != getattr(Variant, name)}
