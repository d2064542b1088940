"""The forms of Adam that a page can be asked for, as static/adam.js takes them.

The dialects are those of `adamlib.dialects`, the mistakes those of `adamlib.identification`: a
`Change` is what a form does otherwise than Algorithm 1, in the words of their tables.
"""

from typing import Any

from adamlib.dialects import Dialect
from adamlib.identification.reading.explaining import AVERAGES, PLACES

Change = dict[str, Any]
TABLES = {"in the averages and corrections": AVERAGES, "in the wrong place": PLACES}
# what two numbers without weight decay, AMSGrad, a bound or a schedule cannot show
LEFT_OUT = {"rate-changes", "clipped-by-value", "clipped-by-norm"}
PREFIXES = ("decay-", "amsgrad-")
# in any dialect the same as in this one: there is one for each formula
FORMS = ("paper", "keras", "bert", "fastai-lesson", "apex-contrib-inside", "atan2")


def of_dialect(dialect: Dialect, amsgrad: bool = False) -> Change:
    change: Change = {"placement": dialect.eps_placement}
    if not dialect.corrects_exp_avg:
        change["base_m"] = None
    if not dialect.corrects_exp_avg_sq:
        change["base_v"] = None
    if amsgrad:
        change["amsgrad"] = dialect.amsgrad
    return change


def mistakes(*tables: dict[str, Any]) -> dict[str, tuple[str, Change]]:
    """Slug → what it says, and the first way to make it; of some tables or of all."""
    return {
        slug: (sentence, ways[0])
        for table in tables or TABLES.values()
        for slug, (sentence, ways) in table.items()
        if slug not in LEFT_OUT and not slug.startswith(PREFIXES)
    }
