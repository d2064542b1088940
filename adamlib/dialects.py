"""What each framework calls Adam, as data.

`FORMULAS` has each quotient once, its text beside its code. A `Dialect` says which of them a
variant takes and where it departs from Algorithm 1; `adamlib.adam.update` reads both. `table`
shows all dialects side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from .checks import check_flag, one_of
from .tables import Table


class Formula(NamedTuple):
    """What a dialect multiplies by α: as a text, and as code.

    Attributes
    ----------
    text : str
        With ``{m}`` and ``{v}`` for the moments, corrected or not.
    code : function of (xp, m, v, eps, c2)
        ``m`` and ``v`` as the dialect corrects them, ``c2`` the 1 − β₂ᵗ that v was divided by.
    """

    text: str
    code: Callable[[Any, Any, Any, Any, Any], Any]


# fmt: off
FORMULAS = {
    "outside": Formula(
        "{m} / (√{v} + ε)",
        lambda xp, m, v, eps, c2: m / (xp.sqrt(v) + eps)),
    "hat": Formula(  # √v + ε̂ = √(1−β₂ᵗ)·(√v̂ + ε̂/√(1−β₂ᵗ))
        "{m} / ((√v + ε̂)/√(1−β₂ᵗ))",
        lambda xp, m, v, eps, c2: m / (xp.sqrt(v) + eps / c2**0.5)),
    "inside": Formula(
        "{m} / √({v} + ε)",
        lambda xp, m, v, eps, c2: m / xp.sqrt(v + eps)),
    "inside-uncorrected": Formula(  # √(v + ε) = √(1−β₂ᵗ)·√(v̂ + ε/(1−β₂ᵗ))
        "{m} / (√(v + ε)/√(1−β₂ᵗ))",
        lambda xp, m, v, eps, c2: m / xp.sqrt(v + eps / c2)),
    "none": Formula(
        "1.27·atan2({m}, √{v})",
        lambda xp, m, v, eps, c2: 1.27 * xp.atan2(m, xp.sqrt(v))),
}
# fmt: on
DECAYED: dict[tuple[str | None, str], str] = {
    ("before", "lr"): "θ·(1−α·λ) − α·{step}",
    ("before", "nothing"): "θ·(1−λ) − α·{step}",
    ("after", "lr"): "(θ − α·{step})·(1−α·λ)",
}
CHOICES = {
    "eps_placement": tuple(FORMULAS),
    "amsgrad": ("max of v", "max of v̂", None),
    "decoupled_weight_decay": ("before", "after", None),
    "decay_scale": ("lr", "nothing"),
    "special": ("option", "lesson", "third party", None),
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

    Examples
    --------
    >>> print(DIALECTS["keras"])
    keras: θ ← θ·(1−α·λ) − α·m̂ / ((√v + ε̂)/√(1−β₂ᵗ)), ε̂ = 1e-07, AMSGrad: max of v
    """

    name: str
    source: str
    eps: float = 1e-8
    eps_placement: str = "outside"
    corrects_exp_avg: bool = True
    corrects_exp_avg_sq: bool = True
    amsgrad: str | None = None
    decoupled_weight_decay: str | None = None
    decay_scale: str = "lr"
    verified: str = NOT_RUN
    special: str | None = None

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            one_of(name, getattr(self, name), choices)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is bool:
                check_flag(field.name, value)
            elif field.name not in CHOICES:
                kind, kinds = ("float", (float, int)) if field.type is float else ("str", (str,))
                if not isinstance(value, kinds):
                    raise TypeError(f"{field.name} must be a {kind}, got {value!r}")

    @property
    def quotient(self) -> str:
        """The step before it is multiplied by α, as a formula."""
        m = "m̂" if self.corrects_exp_avg else "m"
        v = "v̂" if self.corrects_exp_avg_sq else "v"
        return FORMULAS[self.eps_placement].text.format(m=m, v=v)

    def __str__(self) -> str:
        decay = (self.decoupled_weight_decay, self.decay_scale)
        formula = DECAYED.get(decay, "θ − α·{step}").format(step=self.quotient)
        eps = {"hat": f", ε̂ = {self.eps:g}", "none": ""}.get(
            self.eps_placement, f", ε = {self.eps:g}"
        )
        amsgrad = f", AMSGrad: {self.amsgrad}" if self.amsgrad else ""
        return f"{self.name}: θ ← {formula}{eps}{amsgrad}"


# fmt: off
_ENTRIES = (
    Dialect("paper", "Kingma & Ba 2015, Algorithm 1", verified="autograd 1.9"),
    Dialect("paper-reordered", "Kingma & Ba 2015, end of §2",
            eps_placement="hat", verified="scikit-learn 1.9"),
    Dialect("pytorch", "torch/optim/adam.py, _single_tensor_adam",
            amsgrad="max of v", decoupled_weight_decay="before", verified="torch 2.13"),
    Dialect("keras", "keras/src/optimizers/adam.py", 1e-7, "hat",
            amsgrad="max of v", decoupled_weight_decay="before", verified="keras 3.15"),
    Dialect("tensorflow1", "tensorflow/core/kernels/training_ops.cc, ApplyAdam",
            eps_placement="hat"),
    Dialect("optax", "optax/_src/transform.py, scale_by_adam",
            amsgrad="max of v̂", decoupled_weight_decay="before", verified="optax 0.2"),
    Dialect("jax", "jax/example_libraries/optimizers.py, adam", verified="jax 0.10"),
    Dialect("bert", "google-research/bert, optimization.py", 1e-6,
            corrects_exp_avg=False, corrects_exp_avg_sq=False, decoupled_weight_decay="before"),
    Dialect("transformers-adamw", "transformers 4, optimization.py, AdamW (since removed)",
            1e-6, "hat", decoupled_weight_decay="after", verified="transformers 4.49"),
    Dialect("mlx", "mlx/optimizers, AdamW, bias_correction=False",
            corrects_exp_avg=False, corrects_exp_avg_sq=False, decoupled_weight_decay="before",
            verified="mlx 0.32"),
    Dialect("tinygrad", "tinygrad/nn/optim.py, LAMB with adam=True",
            decoupled_weight_decay="before", verified="tinygrad 0.14"),
    Dialect("scikit-learn", "sklearn/neural_network/_stochastic_optimizers.py",
            eps_placement="hat", verified="scikit-learn 1.9"),
    Dialect("chainer", "chainer/optimizers/adam.py", eps_placement="hat",
            amsgrad="max of v", decoupled_weight_decay="before", decay_scale="nothing"),
    Dialect("deepspeed", "deepspeed, csrc/adam/cpu_adam_impl.cpp",
            decoupled_weight_decay="before"),
    Dialect("apex", "apex, csrc/multi_tensor_adam.cu", decoupled_weight_decay="before"),
    Dialect("apex-contrib", "apex/contrib/optimizers/fused_adam.py", eps_placement="hat"),
    Dialect("apex-contrib-inside", "apex/contrib/optimizers/fused_adam.py, eps_inside_sqrt=True",
            eps_placement="inside-uncorrected", special="option"),
    Dialect("fastai", "fastai/optimizer.py, adam_step", 1e-5, decoupled_weight_decay="before"),
    Dialect("fastai-lesson", "fastai/course22p2, nbs/12_accel_sgd.ipynb", 1e-5, "inside",
            decoupled_weight_decay="before", special="lesson"),
    Dialect("atan2", "lucidrains/adam-atan2-pytorch", 0.0, "none",
            decoupled_weight_decay="before", verified="adam-atan2-pytorch 0.4",
            special="third party"),
)
# fmt: on
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ENTRIES}


def table() -> Table:
    """Return all dialects side by side; a notebook shows HTML, ``print`` columns.

    >>> for row in table().rows[:3]:
    ...     print(*row[:4], row[-1], sep=" | ")
    paper | m̂ / (√v̂ + ε) | 1e-08 | – | autograd 1.9
    paper-reordered | m̂ / ((√v + ε̂)/√(1−β₂ᵗ)) | 1e-08 | – | scikit-learn 1.9
    pytorch | m̂ / (√v̂ + ε) | 1e-08 | max of v | torch 2.13
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

    >>> dialect_name(DIALECTS["paper"])
    'paper'
    """
    found = find_dialect(dialect)
    if DIALECTS.get(found.name) != found:
        raise ValueError(f"DIALECTS has no such Dialect: {found!r}")
    return found.name


def find_dialect(dialect: str | Dialect) -> Dialect:
    """Return the dialect of that name; a `Dialect` is returned as it is.

    >>> find_dialect("paper").eps_placement
    'outside'
    """
    if isinstance(dialect, Dialect):
        return dialect
    if not isinstance(dialect, str):
        raise TypeError(f"dialect must be a name or a Dialect, got {dialect!r}")
    one_of("dialect", dialect, DIALECTS)
    return DIALECTS[dialect]
