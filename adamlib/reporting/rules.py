"""What the last step of each kind of optimizer was made of, as a few numbers."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..checkpoints import whole_step
from ..checks import check_hyperparameters
from ..dialects import DIALECTS, FORMULAS, Dialect, find_dialect
from ..floats import round_to
from ..moments import bias_correction, largest_step
from ..state import MOMENTS

KINDS = ("Adam", "NAdam", "RAdam", "Adamax", "SparseAdam")
NO_DIVISION = "no division"
UNDER_THE_ROOT = ("inside", "inside-uncorrected")


class Settings(NamedTuple):
    """What a parameter group says about its steps.

    ``kind`` is one of `KINDS`; AdamW is an Adam, as decay is no part of the step that is reported.
    """

    kind: str
    lr: float
    betas: tuple[float, float]
    eps: float
    rule: Dialect
    amsgrad: bool = False
    wide: bool = False  # torch's fused computes 16-bit states in float32, where no eps is lost
    group: Mapping[str, Any] = {}  # as it came, for what one kind alone has

    @property
    def bound(self) -> float:
        """The length, in units of lr, that no step exceeds, whatever the gradients.

        `adamlib.moments.largest_step`, 7.27 at the defaults, for Adam in each dialect and for
        RAdam, whose factor is below 1. The same argument gives NAdam's and Adamax's.
        """
        beta1, beta2 = self.betas
        if self.kind == "Adamax":
            return (1 - beta1) / (1 - beta1 / beta2) if beta1 < beta2 else math.inf
        if self.rule.eps_placement == "none":
            return 1.27 * math.pi / 2
        if self.kind == "NAdam" and beta1**2 < beta2:
            older = beta1**2 / beta2
            newest = (1 - beta1) * (1 + beta1)
            rest = beta1 * (1 - beta1)
            return math.sqrt((newest**2 + rest**2 * older / (1 - older)) / (1 - beta2))
        return largest_step(self.betas)

    def eps_in(self, dtype: str) -> float:
        """Return ε as a state of that format has it: 0 where it is rounded to 0."""
        return self.eps if self.wide or round_to(self.eps, dtype) else 0.0


class StepRule(NamedTuple):
    """The last step of a parameter: Δθ/lr = quotient(from_exp_avg·m + from_grad·g, v̂, ε).

    ``placement`` names the quotient in `adamlib.dialects.FORMULAS`; v̂ = v/correction2, with the
    correction that the dialect makes, or (u − ε)² where ``is_root`` (Adamax, whose u holds ε).
    """

    placement: str
    from_exp_avg: float
    correction2: float
    eps: float
    from_grad: float = 0.0
    is_root: bool = False

    @property
    def eps_beside_root(self) -> float:
        """What ε comes to beside √v̂: for ε under the root the √v̂ that it equals."""
        root = math.sqrt(self.correction2)
        return {
            "outside": self.eps,
            "hat": self.eps / root,
            "inside": math.sqrt(self.eps),
            "inside-uncorrected": math.sqrt(self.eps) / root,
            "none": 0.0,
            NO_DIVISION: 0.0,
        }[self.placement]

    def held_back_below(self, share: float) -> float:
        r"""Return the √v̂ below which ε takes more than a share of the step away.

        .. math::
            \frac{\sqrt{\hat v}}{\sqrt{\hat v} + \epsilon} < 1 - s
            \iff \sqrt{\hat v} < \epsilon\,\frac{1 - s}{s}, \qquad
            \frac{\sqrt{\hat v}}{\sqrt{\hat v + \epsilon}} < 1 - s
            \iff \sqrt{\hat v} < \sqrt\epsilon \Big/ \sqrt{(1 - s)^{-2} - 1}

        For a half: below ε, or below √(ε/3); for 1 %: below 99 ε, or below 7.02 √ε.
        """
        if self.placement in UNDER_THE_ROOT:
            return self.eps_beside_root / math.sqrt((1 - share) ** -2 - 1)
        return self.eps_beside_root * ((1 - share) / share)

    def m_hat(self, exp_avg: Any, grad: Any) -> Any:
        """Return what the step is along, for arrays of float64."""
        m_hat = self.from_exp_avg * exp_avg
        return m_hat + self.from_grad * grad if self.from_grad else m_hat

    def v_hat(self, xp: Any, v: Any) -> Any:
        """Return the square of the root that ε is added to, for arrays of float64."""
        if not self.is_root:
            return v / self.correction2
        root = v - self.eps
        return xp.where(root > 0, root * root, 0 * root)

    def quotient(self, xp: Any, m_hat: Any, v_hat: Any) -> Any:
        """Return the steps in units of lr, for arrays of float64."""
        if self.placement == NO_DIVISION:
            return m_hat
        return FORMULAS[self.placement].code(xp, m_hat, v_hat, self.eps, self.correction2)


def settings_of(group: Mapping[str, Any], entry: Mapping[str, Any], name: str = "") -> Settings:
    """Read a parameter group; the state of one of its parameters and the class tell the kind."""
    for key in ("lr", "betas", "eps"):
        if key not in group or group[key] is None:
            raise ValueError(
                f"{name or 'the parameter group'} has no {key!r} (expected that of an Adam)"
            )
    lr, eps = _number(group["lr"]), _number(group["eps"])
    betas = tuple(_number(beta) for beta in group["betas"])
    check_hyperparameters(lr, betas, eps, 0.0)
    kind = _kind(group, entry, name)
    rule = find_dialect(group.get("dialect", "pytorch"))
    if kind in ("RAdam", "SparseAdam"):  # they add eps to √v and correct afterwards
        rule = DIALECTS["tensorflow1"]
    flags = bool(group.get("amsgrad")), bool(group.get("fused"))
    return Settings(kind, lr, (betas[0], betas[1]), eps, rule, *flags, group)


def _kind(group: Mapping[str, Any], entry: Mapping[str, Any], name: str) -> str:
    """Tell the kind by the class, or in a bare state dict by what only that kind has."""
    if name in KINDS:
        return name
    if "exp_inf" in entry:
        return "Adamax"
    if "momentum_decay" in group:
        return "NAdam"
    if "amsgrad" in group or "foreach" not in group and "weight_decay" in group:
        return "Adam"
    if "weight_decay" not in group and "maximize" in group:
        return "SparseAdam"
    return "RAdam" if "decoupled_weight_decay" in group else "Adam"


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def step_rule(settings: Settings, step: int, entry: Mapping[str, Any], dtype: str) -> StepRule:
    """Return the rule of the step t = ``step``, 1 or more, of a parameter with that state."""
    settings = settings._replace(eps=settings.eps_in(dtype))
    rule, eps = settings.rule, settings.eps
    beta1, beta2 = settings.betas
    c1 = bias_correction(beta1, step) if rule.corrects_exp_avg else 1.0
    c2 = bias_correction(beta2, step) if rule.corrects_exp_avg_sq else 1.0
    if settings.kind == "Adamax":
        return StepRule("outside", 1 / c1, 1.0, float(round_to(eps, dtype)), is_root=True)
    if settings.kind == "RAdam":
        length = _rectification(beta2, step)
        placement = rule.eps_placement if length else NO_DIVISION
        return StepRule(placement, (length or 1.0) / c1, c2, eps)
    if settings.kind == "NAdam":
        return StepRule("outside", *_nesterov(settings, step, entry, c2))
    if settings.amsgrad and rule.amsgrad == "max of v̂":
        c2 = 1.0  # corrected before the maximum was taken
    return StepRule(rule.eps_placement, 1 / c1, c2, eps)


def _rectification(beta2: float, step: int) -> float:
    """Return RAdam's factor r_t; 0 where it does not divide at all. Source: Liu et al. 2020."""
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * step * beta2**step / bias_correction(beta2, step)
    if rho <= 5:
        return 0.0
    return math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))


def _nesterov(
    settings: Settings, step: int, entry: Mapping[str, Any], c2: float
) -> tuple[float, float, float, float]:
    """Return weight of m, 1 − β₂ᵗ, ε and weight of g of NAdam's step. Source: Dozat 2016."""
    decay = settings.group.get("momentum_decay", 4e-3)
    mu, following = (settings.betas[0] * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
    product = float(_number(entry["mu_product"]))
    of_grad = (1 - mu) / (1 - product)
    if settings.group.get("maximize"):
        of_grad = -of_grad
    return following / (1 - product * following), c2, settings.eps, of_grad


def count_of(entry: Mapping[str, Any]) -> int:
    """Return how many steps the state of a parameter has seen; 0 where there is none."""
    return whole_step("the step count", entry["step"]) if entry else 0


def names_of_moments(settings: Settings) -> tuple[str, str, str | None]:
    """Return what the state calls m, v and what the step divides by, if that is another."""
    if settings.kind == "Adamax":
        return MOMENTS[0], "exp_inf", None
    return MOMENTS[0], MOMENTS[1], MOMENTS[2] if settings.amsgrad else None
