"""The page 'Which Adam is it', computed from `adamlib.DIALECTS`."""

import re

from adamlib.conversion import convert_eps
from adamlib.dialects import DIALECTS, Dialect

STEPS = (1, 10, 100, 1000)
NAMES = {
    "paper": "The paper, Algorithm 1",
    "paper-reordered": "The paper, reordered",
    "pytorch": "PyTorch",
    "keras": "Keras",
    "tensorflow1": "TensorFlow 1",
    "optax": "optax",
    "jax": "JAX, example_libraries",
    "bert": "BERT",
    "transformers-adamw": "transformers, AdamW",
    "mlx": "MLX",
    "tinygrad": "tinygrad",
    "scikit-learn": "scikit-learn",
    "chainer": "Chainer",
    "deepspeed": "DeepSpeed",
    "apex": "apex",
    "apex-contrib": "apex, contrib",
    "apex-contrib-inside": "apex, contrib, eps inside",
    "fastai": "fastai",
    "fastai-lesson": "fastai, the lesson",
    "atan2": "adam-atan2",
}


def carried(dialect: Dialect) -> str:
    """How to carry a default eps to PyTorch: what `convert_eps` gives, or why it gives nothing."""

    def there(step: int | None) -> float:
        return convert_eps(dialect.eps, dialect.name, "pytorch", step=step)

    try:
        late = there(None)
    except ValueError as refusal:
        return sentence(refusal)
    try:
        early = {step: there(step) for step in STEPS}
    except ValueError as refusal:
        return f"Late in training `eps={late:g}`. Before, {refusal}."
    if early[1] == late:
        return f"The same number: `eps={late:g}`."
    numbers = ", ".join(f"{eps:.2g} at step {step}" for step, eps in early.items())
    return (
        f"Late in training `eps={late:g}`. Before, the same steps need another one, {numbers}: "
        f'`convert_eps({dialect.eps:g}, "{dialect.name}", "pytorch", step=t)` has it for any step.'
    )


def sentence(refusal: ValueError) -> str:
    words = str(refusal)
    return f"{words[0].upper()}{words[1:]}."


TEX = {
    "m̂": r"\hat m",
    "v̂": r"\hat v",
    "ε̂": r"\hat\epsilon",
    "ε": r"\epsilon",
    "β₂ᵗ": r"\beta_2^t",
    "−": "-",
    "·": r"\,",
    "atan2": r"\operatorname{atan2}",
}
ROOT_OF = re.compile(r"√(?:\(([^()]*)\)|(\\hat v|v))")


def tex(quotient: str) -> str:
    r"""A quotient of `adamlib.dialects.FORMULAS` as TeX.

    >>> tex("m̂ / (√v̂ + ε)")
    '\\dfrac{\\hat m}{\\sqrt{\\hat v} + \\epsilon}'
    """
    for sign, name in TEX.items():
        quotient = quotient.replace(sign, name)
    quotient = ROOT_OF.sub(lambda found: rf"\sqrt{{{found[1] or found[2]}}}", quotient)
    above, slash, below = quotient.partition(" / ")
    if not slash:
        return above
    if below.startswith("("):
        below = below[1:-1]
    return rf"\dfrac{{{above}}}{{{below}}}"


def entry(dialect: Dialect) -> str:
    decay = {
        ("before", "lr"): "on θ before the step, times lr",
        ("before", "nothing"): "on θ before the step, not times lr",
        ("after", "lr"): "on the result, times lr",
    }.get((dialect.decoupled_weight_decay or "", dialect.decay_scale), "has none")
    moments = [
        name
        for name, yes in (
            ("m", dialect.corrects_exp_avg),
            ("v", dialect.corrects_exp_avg_sq),
        )
        if yes
    ]
    eps = "none" if dialect.eps_placement == "none" else f"{dialect.eps:g}"
    return f"""## {NAMES.get(dialect.name, dialect.name)}

| | |
|---|---|
| **Step, in units of lr** | ${tex(dialect.quotient)}$ |
| **The same as text** | `{dialect.quotient}` |
| **Default eps** | {eps} |
| **Corrects** | {" and ".join(moments) or "nothing"} |
| **AMSGrad** | {dialect.amsgrad or "has none"} |
| **Decoupled decay** | {decay} |
| **Defined in** | {dialect.source} |
| **Checked against** | {dialect.verified} |
| **In `adamlib`** | `dialect="{dialect.name}"` |

**To PyTorch.** {carried(dialect)}
"""


def which_adam() -> str:
    head = """# Which Adam is it?

What each framework calls Adam: the formula, the default eps, and how to carry a setting to
PyTorch. The entries are computed from `adamlib.DIALECTS`, the table that the library itself runs;
those with a version beside *Checked against* take the same steps as that library in our tests.
[Notebook 07](#nb07-table) has them side by side, and
[counts how many different updates they are](#nb07-groups). Have you an Adam of unknown origin?
[`identify` runs it and says whose it is](#nb07-own-file-run).

| Framework | Step, in units of lr | Default eps |
|---|---|---|
"""
    rows = [
        f"| [{NAMES.get(d.name, d.name)}](#adam-of-{d.name}) | ${tex(d.quotient)}$ | "
        f"{'none' if d.eps_placement == 'none' else f'{d.eps:g}'} |"
        for d in DIALECTS.values()
    ]
    entries = [f"(adam-of-{d.name})=\n\n{entry(d)}" for d in DIALECTS.values()]
    return head + "\n".join(rows) + "\n\n" + "\n".join(entries)
