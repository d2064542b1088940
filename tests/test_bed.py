"""The frozen bed: optimizers as people have them, each loaded from its file with nothing told."""

import re
from pathlib import Path

import numpy as np
import pytest

from adamlib import identify
from adamlib.identification import MISTAKES
from adamlib.identification.targets import load
from bed.entries import ENTRIES, Entry
from covering import each_nth

BED = Path(__file__).parent / "bed"
# What is not answered yet: each must fail, so that a mend shows.
MISSED = {
    "factory.py:make_amsgrad": "AMSGrad's own paper has no corrections; only Adam's habits count",
    "es_optimizers.py:BasicAdam": "two habits at once, no correction and eps inside: no dialect",
    "nnfs_ch10.py:Optimizer_Adam": "a schedule whose steps are counted per layer",
    "tds_article.py:AdamOptim": "a mistake in one of two parameters only",
    "word2vec_numpy.py:AdamTrainer": "one v for all parameters, of the mean of g²",
}


def answer_to(entry: Entry):
    return identify(load(f"{BED}/{entry.target}").value)


def names(entries):
    """Every second one waits for the night."""
    cases = [
        pytest.param(
            entry,
            id=entry.target,
            marks=[pytest.mark.xfail(reason=MISSED[entry.target])]
            if entry.target in MISSED
            else [],
        )
        for entry in entries
    ]
    return pytest.mark.parametrize("entry", each_nth(cases, 2))


def words(answer) -> str:
    """What an answer says, as the bed's expressions expect it: β as beta, hyphens as spaces."""
    text = f"{' '.join(answer.names)} {answer}".replace("β₁", "beta1").replace("β₂", "beta2")
    return text.replace("-", " ") + " " + text


@names([e for e in ENTRIES if e.right])
def test_what_is_right_is_called_so_and_its_settings_are_read(entry):
    answer = answer_to(entry)
    assert answer.verdict == "dialect", answer
    for name, value in vars(entry.settings).items():
        if name in ("lr", "betas", "eps", "weight_decay") and value is not None:
            assert np.allclose(getattr(answer.settings, name), value, 1e-4), (name, answer)
    assert answer.settings.amsgrad == entry.settings.amsgrad


@names([e for e in ENTRIES if not e.right])
def test_what_is_wrong_is_said(entry):
    answer = answer_to(entry)
    assert answer.verdict == "mistake" and set(answer.names) & set(MISTAKES), answer
    for fault in entry.faults:
        assert any(re.search(way, words(answer), re.IGNORECASE) for way in fault), (fault, answer)
