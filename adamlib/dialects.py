"""What each framework calls Adam, as data.

A `Dialect` says where a variant departs from Algorithm 1, and prints as a formula. The step that
it stands for is taken by `adamlib.adam.update`. `table` shows all of them side by side.
"""

import unicodedata
from dataclasses import dataclass, fields
from html import escape
from typing import Literal, get_args, get_origin

QUOTIENTS = {
    "outside": "{m} / (√{v} + ε)",
    "hat": "{m} / ((√v + ε̂)/√(1−β₂ᵗ))",
    "inside": "{m} / √({v} + ε)",
    "inside-uncorrected": "{m} / (√(v + ε)/√(1−β₂ᵗ))",
    "none": "1.27·atan2({m}, √{v})",
}
DECAYED = {
    ("before", "lr"): "θ·(1−α·λ) − α·{step}",
    ("before", "nothing"): "θ·(1−λ) − α·{step}",
    ("after", "lr"): "(θ − α·{step})·(1−α·λ)",
}
NOT_RUN = "from source, not run"


@dataclass(frozen=True)
class Dialect:
    """One variant of Adam.

    Attributes
    ----------
    name : str
        The slug by which `adam_step` and the optimizers take it.
    source : str
        Where the variant is defined.
    eps : float
        The eps that the source uses unless told otherwise. `adam_step` takes 1e-8 unless
        given, whatever the dialect.
    eps_placement : {"outside", "hat", "inside", "inside-uncorrected", "none"}
        ``outside``: √v̂ + eps, after the correction (Algorithm 1).
        ``hat``: √v + eps, before the correction, the paper's reordered form; it acts as
        eps/√(1−β₂ᵗ) acts outside.
        ``inside``: √(v̂ + eps). ``inside-uncorrected``: √(v + eps), before the correction.
        ``none``: there is no eps, because there is no division: 1.27·atan2(m̂, √v̂).
    corrects_exp_avg, corrects_exp_avg_sq : bool
        Whether m and v are divided by 1 − βᵗ.
    amsgrad : {"max of v", "max of v̂", None}
        What AMSGrad takes the maximum of; None: has no AMSGrad.
    decoupled_weight_decay : {"before", "after", None}
        Where decoupled decay goes: on θ before the step, or on the result; None: has none.
    decay_scale : {"lr", "nothing"}
        What decoupled decay is multiplied by.
    verified : str
        The library whose own optimizer takes the same steps in tests/frameworks, and its
        version (major.minor), or ``from source, not run``.
    special : {"option", "lesson", "third party", None}
        What an entry is that no paper proposes and no framework runs as it comes: an option
        that is off by default, a lesson's code, a third party's package.

    Raises
    ------
    ValueError
        ``Unknown eps_placement: 'outsied' (expected one of outside, hat, inside,
        inside-uncorrected, none)``, and so for every attribute that has a list of values.
    TypeError
        ``corrects_exp_avg must be a bool, got 'no'``.

    Examples
    --------
    >>> print(DIALECTS["keras"])
    keras: θ ← θ·(1−α·λ) − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)), ε̂ = 1e-07, AMSGrad: max of v
    """

    name: str
    source: str
    eps: float = 1e-8
    eps_placement: Literal["outside", "hat", "inside", "inside-uncorrected", "none"] = "outside"
    corrects_exp_avg: bool = True
    corrects_exp_avg_sq: bool = True
    amsgrad: Literal["max of v", "max of v̂", None] = None
    decoupled_weight_decay: Literal["before", "after", None] = None
    decay_scale: Literal["lr", "nothing"] = "lr"
    verified: str = NOT_RUN
    special: Literal["option", "lesson", "third party", None] = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value, known = getattr(self, field.name), get_args(field.type)
            if get_origin(field.type) is Literal:
                if value not in known:
                    raise ValueError(
                        f"Unknown {field.name}: {value!r} "
                        f"(expected one of {', '.join(map(str, known))})"
                    )
            elif not isinstance(value, (float, int) if field.type is float else field.type):
                raise TypeError(f"{field.name} must be a {field.type.__name__}, got {value!r}")

    @property
    def is_algorithm_1(self) -> bool:
        """Whether moments, eps and options all stand where Algorithm 1, or torch, has them."""
        corrected = self.corrects_exp_avg and self.corrects_exp_avg_sq
        as_torch = self.amsgrad != "max of v̂" and self.decoupled_weight_decay != "after"
        return corrected and as_torch and self.eps_placement == "outside"

    @property
    def quotient(self) -> str:
        """The step before it is multiplied by α, as a formula."""
        m = "m̂" if self.corrects_exp_avg else "m"
        v = "v̂" if self.corrects_exp_avg_sq else "v"
        return QUOTIENTS[self.eps_placement].format(m=m, v=v)

    def __str__(self) -> str:
        decay = (self.decoupled_weight_decay, self.decay_scale)
        formula = DECAYED.get(decay, "θ − α·{step}").format(step=self.quotient)
        eps = {"hat": f", ε̂ = {self.eps:g}", "none": ""}.get(
            self.eps_placement, f", ε = {self.eps:g}"
        )
        amsgrad = f", AMSGrad: {self.amsgrad}" if self.amsgrad else ""
        return f"{self.name}: θ ← {formula}{eps}{amsgrad}"


HAT = dict(eps_placement="hat")
UNCORRECTED = dict(corrects_exp_avg=False, corrects_exp_avg_sq=False)
BEFORE, AFTER = dict(decoupled_weight_decay="before"), dict(decoupled_weight_decay="after")
AMSGRAD, AMSGRAD_HAT = dict(amsgrad="max of v"), dict(amsgrad="max of v̂")

DIALECTS: dict[str, Dialect] = {
    d.name: d
    for d in (
        Dialect("paper", "Kingma & Ba 2015, Algorithm 1", verified="autograd 1.9"),
        Dialect(
            "paper-reordered", "Kingma & Ba 2015, end of §2", **HAT, verified="scikit-learn 1.9"
        ),
        Dialect(
            "pytorch",
            "torch/optim/adam.py, _single_tensor_adam",
            **AMSGRAD,
            **BEFORE,
            verified="torch 2.13",
        ),
        Dialect(
            "keras",
            "keras/src/optimizers/adam.py",
            1e-7,
            **HAT,
            **AMSGRAD,
            **BEFORE,
            verified="keras 3.15",
        ),
        Dialect("tensorflow1", "tensorflow/core/kernels/training_ops.cc, ApplyAdam", **HAT),
        Dialect(
            "optax",
            "optax/_src/transform.py, scale_by_adam",
            **AMSGRAD_HAT,
            **BEFORE,
            verified="optax 0.2",
        ),
        Dialect("jax", "jax/example_libraries/optimizers.py, adam", verified="jax 0.10"),
        Dialect("bert", "google-research/bert, optimization.py", 1e-6, **UNCORRECTED, **BEFORE),
        Dialect(
            "transformers-adamw",
            "transformers 4, optimization.py, AdamW (since removed)",
            1e-6,
            **HAT,
            **AFTER,
            verified="transformers 4.49",
        ),
        Dialect(
            "mlx",
            "mlx/optimizers, AdamW, bias_correction=False",
            **UNCORRECTED,
            **BEFORE,
            verified="mlx 0.32",
        ),
        Dialect(
            "tinygrad",
            "tinygrad/nn/optim.py, LAMB with adam=True",
            **BEFORE,
            verified="tinygrad 0.14",
        ),
        Dialect(
            "scikit-learn",
            "sklearn/neural_network/_stochastic_optimizers.py",
            **HAT,
            verified="scikit-learn 1.9",
        ),
        Dialect(
            "chainer",
            "chainer/optimizers/adam.py",
            **HAT,
            **AMSGRAD,
            **BEFORE,
            decay_scale="nothing",
        ),
        Dialect("deepspeed", "deepspeed, csrc/adam/cpu_adam_impl.cpp", **BEFORE),
        Dialect("apex", "apex, csrc/multi_tensor_adam.cu", **BEFORE),
        Dialect("apex-contrib", "apex/contrib/optimizers/fused_adam.py", **HAT),
        Dialect(
            "apex-contrib-inside",
            "apex/contrib/optimizers/fused_adam.py, eps_inside_sqrt=True",
            eps_placement="inside-uncorrected",
            special="option",
        ),
        Dialect("fastai", "fastai/optimizer.py, adam_step", 1e-5, **BEFORE),
        Dialect(
            "fastai-lesson",
            "fastai/course22p2, nbs/12_accel_sgd.ipynb",
            1e-5,
            "inside",
            **BEFORE,
            special="lesson",
        ),
        Dialect(
            "atan2",
            "lucidrains/adam-atan2-pytorch",
            0.0,
            "none",
            **BEFORE,
            verified="adam-atan2-pytorch 0.4",
            special="third party",
        ),
    )
}


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of text that show as HTML in a notebook and as columns elsewhere.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of tuples of str
        The first entry of a row is its heading.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, tuple("─" * width for width in widths))
        return "\n".join(
            "  ".join(
                cell + " " * (width - _width(cell))
                for cell, width in zip(line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _width(text: str) -> int:
    """Columns that a text takes: the hat of m̂ is a character of its own, on the m."""
    return sum(not unicodedata.combining(character) for character in text)


def table() -> Table:
    """Return all dialects side by side.

    Returns
    -------
    Table
        A notebook shows it as an HTML table; ``print`` it elsewhere.

    Examples
    --------
    >>> for row in table().rows[:3]:
    ...     print(*row[:4], row[-1], sep=" | ")
    paper | m̂ / (√v̂ + ε) | 1e-08 | – | autograd 1.9
    paper-reordered | m̂ / ((√v + ε̂)/√(1−β₂ᵗ)) | 1e-08 | – | scikit-learn 1.9
    pytorch | m̂ / (√v̂ + ε) | 1e-08 | max of v | torch 2.13

    Notes
    -----
    Taught in: notebook 07.
    """
    columns = ("framework", "formula", "default ε", "AMSGrad", "decoupled decay", "source")
    return Table((*columns, "verified"), tuple(_row(d) for d in DIALECTS.values()))


def _row(dialect: Dialect) -> tuple[str, ...]:
    decay = dialect.decoupled_weight_decay
    scale = "·α" if dialect.decay_scale == "lr" else ", not ·α"
    return (
        dialect.name,
        dialect.quotient,
        "–" if dialect.eps_placement == "none" else f"{dialect.eps:g}",
        dialect.amsgrad or "–",
        f"{decay}{scale}" if decay else "–",
        dialect.source,
        dialect.verified,
    )


def dialect_name(dialect: str | Dialect) -> str:
    """Return the name under which `DIALECTS` has a dialect; optimizers keep only the name.

    Parameters
    ----------
    dialect : str or Dialect

    Returns
    -------
    str

    Raises
    ------
    ValueError, TypeError
        As `find_dialect`, and ``DIALECTS has no such Dialect: …``.

    Examples
    --------
    >>> dialect_name(DIALECTS["paper"])
    'paper'
    """
    found = find_dialect(dialect)
    if DIALECTS.get(found.name) != found:
        raise ValueError(f"DIALECTS has no such Dialect: {found!r}")
    return found.name


def find_dialect(dialect: str | Dialect) -> Dialect:
    """Return the dialect of that name; a `Dialect` is returned as it is.

    Parameters
    ----------
    dialect : str or Dialect

    Returns
    -------
    Dialect

    Raises
    ------
    ValueError
        ``Unknown dialect: 'torch' (expected one of paper, paper-reordered, pytorch, …)``.
    TypeError
        ``dialect must be a name or a Dialect, got 3``.

    Examples
    --------
    >>> find_dialect("paper").eps_placement
    'outside'
    """
    if isinstance(dialect, Dialect):
        return dialect
    if not isinstance(dialect, str):
        raise TypeError(f"dialect must be a name or a Dialect, got {dialect!r}")
    if dialect not in DIALECTS:
        raise ValueError(f"Unknown dialect: {dialect!r} (expected one of {', '.join(DIALECTS)})")
    return DIALECTS[dialect]
