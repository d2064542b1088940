"""What each framework calls Adam, as data.

A `Dialect` says where a variant departs from Algorithm 1; it holds no code. The one place
that reads it is `adamlib.adam.adam_step`.
"""

from dataclasses import dataclass
from typing import Literal

FORMULAS = {
    "outside": "θ ← θ − α·m̂/(√v̂ + ε)",
    "hat": "θ ← θ − α·(√(1−β₂ᵗ)/(1−β₁ᵗ))·m/(√v + ε̂)",
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
    eps_placement : {"outside", "hat"}
        ``outside``: added to √v̂, after the correction (Algorithm 1).
        ``hat``: added to √v before the correction, the paper's reordered form, where it
        acts as eps/√(1−β₂ᵗ) acts outside.
    amsgrad : {"max of v", None}
        What AMSGrad takes the maximum of, before the correction; None: has no AMSGrad.
    decoupled_weight_decay : {"before", None}
        Where decoupled decay goes: θ·(1 − lr·weight_decay) before the step; None: has none.

    Examples
    --------
    >>> print(DIALECTS["paper-reordered"])
    paper-reordered: θ ← θ − α·(√(1−β₂ᵗ)/(1−β₁ᵗ))·m/(√v + ε̂)
    """

    name: str
    source: str
    eps: float = 1e-8
    eps_placement: Literal["outside", "hat"] = "outside"
    amsgrad: Literal["max of v"] | None = None
    decoupled_weight_decay: Literal["before"] | None = None

    def __str__(self) -> str:
        return f"{self.name}: {FORMULAS[self.eps_placement]}"


DIALECTS: dict[str, Dialect] = {
    d.name: d
    for d in (
        Dialect("paper", "Kingma & Ba 2015, Algorithm 1"),
        Dialect("paper-reordered", "Kingma & Ba 2015, end of §2", eps_placement="hat"),
        Dialect(
            "pytorch",
            "torch/optim/adam.py, _single_tensor_adam",
            amsgrad="max of v",
            decoupled_weight_decay="before",
        ),
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
        ``Unknown dialect: 'torch' (expected one of paper, paper-reordered, pytorch)``.
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
