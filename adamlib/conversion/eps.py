"""Which eps of another dialect takes the same step."""

import math
from numbers import Integral

from ..checks import check_count, check_hyperparameters
from ..dialects import Dialect, find_dialect
from ..moments import bias_correction

BESIDE_THE_ROOT = ("outside", "hat")
UNDER_THE_ROOT = ("inside", "inside-uncorrected")


def convert_eps(
    eps: float,
    source: str | Dialect,
    target: str | Dialect,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    step: int | None = None,
) -> float:
    r"""Return the eps with which ``target`` takes the step that ``source`` takes with ``eps``.

    Written with the raw moments, every step that divides is

    .. math::
        \alpha \, c_t \, \frac{m_t}{\sqrt{v_t} + e}
        \quad\text{or}\quad
        \alpha \, c_t \, \frac{m_t}{\sqrt{v_t + e}}.

    Two dialects take the same step, whatever the gradients are, if they have the same one of the
    two forms, the same :math:`c_t` and the same :math:`e`.

    ======================  ===============================  ==============================
    eps_placement           e                                form
    ======================  ===============================  ==============================
    ``outside``             ε·√(1−β₂ᵗ)                       √v + e
    ``hat``                 ε̂                                √v + e
    ``inside``              ε·(1−β₂ᵗ)                        √(v + e)
    ``inside-uncorrected``  ε                                √(v + e)
    ``none``                no eps: refused                  no division
    ======================  ===============================  ==============================

    :math:`c_t` is √(1−β₂ᵗ)/(1−β₁ᵗ), or 1 in a dialect that corrects nothing (BERT, MLX), where
    e = ε. So these two agree with the others late in training only.

    Parameters
    ----------
    eps : float
        Finite, 0 or more, as ``source`` takes it.
    source, target : str or Dialect
        See `adamlib.DIALECTS`.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1); the same in both.
    step : int or None
        The step t at which the two agree, 1 or more. None: late in training, where 1 − βᵗ is 1.
        Where the factor between the two depends on t, no one eps serves every step.

    Returns
    -------
    float
        For the same lr and the same gradients, and without weight decay and AMSGrad.

    Raises
    ------
    ValueError
        ``no eps of 'pytorch' takes the steps of 'fastai-lesson' with eps=1e-05: …`` where one
        stands under the root and the other outside (unless it is 0); where one corrects the bias
        and the other does not, at a step at which that shows; where one has no eps at all.

    Examples
    --------
    Keras adds its 1e-7 before the correction. At the first step that is as 3e-6 is in PyTorch,
    late in training as 1e-7:

    >>> print(f"{convert_eps(1e-7, 'keras', 'pytorch', step=1):.2e}")
    3.16e-06
    >>> convert_eps(1e-7, "keras", "pytorch")
    1e-07

    Notes
    -----
    Source: Kingma & Ba 2015, end of §2 (ε̂).
    """
    rules = old, new = find_dialect(source), find_dialect(target)
    check_hyperparameters(1e-3, betas, eps, 0.0)
    corrections = _corrections(betas, step)
    eps, asked = float(eps), f"no eps of {new.name!r} takes the steps of {old.name!r} with {eps=:g}"
    for rule in rules:
        if rule.eps_placement == "none":
            raise ValueError(f"{asked}: {rule.name!r} has no eps")
        if rule.eps_placement not in (*BESIDE_THE_ROOT, *UNDER_THE_ROOT):
            raise ValueError(
                f"{asked}: {rule.name!r} takes {rule.quotient}, neither of the two forms"
            )
    lengths = [_length(rule, *corrections) for rule in rules]
    if not math.isclose(*lengths, rel_tol=1e-12):
        raise ValueError(
            f"{asked} at step {step}: they differ in what is corrected, which makes the step "
            f"{lengths[0] / lengths[1]:.3g} times as long even without eps (expected step=None, "
            "late in training)"
        )
    if eps and _is_under_the_root(old) != _is_under_the_root(new):
        alike = f"eps={eps**2 if _is_under_the_root(new) else math.sqrt(eps):g}"
        raise ValueError(
            f"{asked}: one adds eps to the root, the other under it, and √v + a is √(v + b) for "
            f"one v only (late in training {alike} agrees where v is 0)"
        )
    return eps * (_weight(old, corrections[1]) / _weight(new, corrections[1]))


def _corrections(betas: tuple[float, float], step: int | None) -> tuple[float, float]:
    """Return 1 − β₁ᵗ and 1 − β₂ᵗ; late in training both are 1."""
    if step is None:
        return 1.0, 1.0
    if not isinstance(step, Integral) or isinstance(step, bool):
        raise TypeError(f"step must be a whole number or None, got {step!r}")
    check_count("step", step, 1)
    beta1, beta2 = betas
    return bias_correction(beta1, int(step)), bias_correction(beta2, int(step))


def _length(rule: Dialect, bias_correction1: float, bias_correction2: float) -> float:
    """Return c of `convert_eps`: the step in units of lr·m/√v, without eps."""
    root = math.sqrt(bias_correction2) if rule.corrects_exp_avg_sq else 1.0
    return root / (bias_correction1 if rule.corrects_exp_avg else 1.0)


def _weight(rule: Dialect, bias_correction2: float) -> float:
    """Return e/ε of `convert_eps`."""
    if not rule.corrects_exp_avg_sq:
        return 1.0
    return {"outside": math.sqrt(bias_correction2), "inside": bias_correction2}.get(
        rule.eps_placement, 1.0
    )


def _is_under_the_root(rule: Dialect) -> bool:
    return rule.eps_placement in UNDER_THE_ROOT
