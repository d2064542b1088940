"""Pages that are computed: Which Adam is it, notation, numbered equations, the reference."""

from importlib import import_module
from pathlib import Path

import adamlib
import material
import notebooks
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
| **Divides by** | `{dialect.quotient}` |
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

| Framework | Divides by | Default eps |
|---|---|---|
"""
    rows = [
        f"| [{NAMES.get(d.name, d.name)}](#adam-of-{d.name}) | `{d.quotient}` | "
        f"{'none' if d.eps_placement == 'none' else f'{d.eps:g}'} |"
        for d in DIALECTS.values()
    ]
    entries = [f"(adam-of-{d.name})=\n\n{entry(d)}" for d in DIALECTS.values()]
    return head + "\n".join(rows) + "\n\n" + "\n".join(entries)


def notation() -> str:
    """The table of notebook 00, and where each symbol is defined."""
    path = notebooks.in_order()[0]
    (cell,) = [cell for cell in notebooks.read(path).cells if cell.id == "notation"]
    _, _, text = cell.source.partition("\n\n")
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    return f"""# Notation

Equations use the paper's symbols, code uses PyTorch's names. This is the table of
[notebook 00](#nb00-notation).

{table}

Every numbered equation is in the [index of equations](equations.md), every technical word in the
[glossary](glossary.md).
"""


def equations() -> str:
    lines = [
        "# Numbered equations",
        "",
        "Every numbered equation of the course; its number leads to its place.",
    ]
    here = ""
    for name, number, tex in material.equations():
        if name != here:
            here = name
            title = notebooks.title(notebooks.read(notebooks.FOLDER / name))
            lines += ["", f"## [{title}](notebooks/{name})"]
        one_line = " ".join(tex.split()).replace(rf"\tag{{{number}}}", "")
        page = f"notebooks/{name.removesuffix('.ipynb')}.html"
        lines += [
            "",
            f'<a class="to-equation" href="{page}#equation-{number}">({number})</a>',
            "",
            f"$$\n{one_line}\n$$",
        ]
    return "\n".join(lines) + "\n"


def modules() -> list[str]:
    """The public modules and what stands in their packages, in reading order."""
    names = []
    for line in Path(adamlib.__file__).with_suffix(".pyi").read_text(encoding="utf-8").splitlines():
        if line.startswith("from . import "):
            names.append(f"adamlib.{line.split()[3]}")
    return names


def reference_page(name: str) -> str:
    module = import_module(name)
    shown = f"``{name}``"
    options = ["   :members:", "   :show-inheritance:"]
    if hasattr(module, "__path__"):
        options.append("   :imported-members:")
    return "\n".join([shown, "=" * len(shown), "", f".. automodule:: {name}", *options, ""])


def reference_index(names: list[str]) -> str:
    public = sorted(name for name in adamlib.__all__ if adamlib._HOMES[name])
    rows = "\n".join(
        f"* :py:obj:`adamlib.{name} <{material.full_name(f'adamlib.{name}')}>`" for name in public
    )
    entries = "\n".join(f"   {name}" for name in names)
    return f"""Reference
=========

``adamlib``, from its docstrings. What a notebook uses says which notebook. These names can be
taken from ``adamlib`` itself:

{rows}

The modules, in reading order: each is built on those above it.

.. toctree::
   :maxdepth: 1

{entries}
"""


def write(source: Path) -> None:
    folder = source / "api"
    folder.mkdir(exist_ok=True)
    names = modules()
    for name in names:
        (folder / f"{name}.rst").write_text(reference_page(name), encoding="utf-8")
    pages = {
        "api/index.rst": reference_index(names),
        "which-adam.md": which_adam(),
        "notation.md": notation(),
        "equations.md": equations(),
    }
    for page, text in pages.items():
        (source / page).write_text(text, encoding="utf-8")
