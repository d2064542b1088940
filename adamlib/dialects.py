"""What each framework calls Adam, as data.

A `Dialect` says where a variant departs from Algorithm 1; it holds no code. The one place
that reads it is `adamlib.adam.adam_step`.
"""

from dataclasses import dataclass
from typing import Literal

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
    amsgrad: Literal["max of v", "max of v̂"] | None = None
    decoupled_weight_decay: Literal["before", "after"] | None = None
    decay_scale: Literal["lr", "nothing"] = "lr"

    @property
    def is_algorithm_1(self) -> bool:
        """Whether moments, eps and options all stand where Algorithm 1, or torch, has them."""
        corrected = self.corrects_exp_avg and self.corrects_exp_avg_sq
        as_torch = self.amsgrad != "max of v̂" and self.decoupled_weight_decay != "after"
        return corrected and as_torch and self.eps_placement == "outside"

    def __str__(self) -> str:
        m = "m̂" if self.corrects_exp_avg else "m"
        v = "v̂" if self.corrects_exp_avg_sq else "v"
        step = QUOTIENTS[self.eps_placement].format(m=m, v=v)
        decay = (self.decoupled_weight_decay, self.decay_scale)
        formula = DECAYED.get(decay, "θ − α·{step}").format(step=step)
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
        Dialect("paper", "Kingma & Ba 2015, Algorithm 1"),
        Dialect("paper-reordered", "Kingma & Ba 2015, end of §2", **HAT),
        Dialect("pytorch", "torch/optim/adam.py, _single_tensor_adam", **AMSGRAD, **BEFORE),
        Dialect("keras", "keras/src/optimizers/adam.py", 1e-7, **HAT, **AMSGRAD, **BEFORE),
        Dialect("tensorflow1", "tensorflow/core/kernels/training_ops.cc, ApplyAdam", **HAT),
        Dialect("optax", "optax/_src/transform.py, scale_by_adam", **AMSGRAD_HAT, **BEFORE),
        Dialect("jax", "jax/example_libraries/optimizers.py, adam"),
        Dialect("bert", "google-research/bert, optimization.py", 1e-6, **UNCORRECTED, **BEFORE),
        Dialect(
            "transformers-adamw",
            "transformers 4, optimization.py, AdamW (since removed)",
            1e-6,
            **HAT,
            **AFTER,
        ),
        Dialect("mlx", "mlx/optimizers, AdamW, bias_correction=False", **UNCORRECTED, **BEFORE),
        Dialect("tinygrad", "tinygrad/nn/optim.py, LAMB with adam=True", **BEFORE),
        Dialect("scikit-learn", "sklearn/neural_network/_stochastic_optimizers.py", **HAT),
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
        Dialect(
            "apex-contrib",
            "apex/contrib/optimizers/fused_adam.py, eps_inside_sqrt=True",
            eps_placement="inside-uncorrected",
        ),
        Dialect("fastai", "fastai course 2022 part 2, minai", 1e-5, "inside", **BEFORE),
        Dialect("atan2", "lucidrains/adam-atan2-pytorch", 0.0, "none", **BEFORE),
    )
}


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
