"""`report`: the table and the findings of one optimizer."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..checks import check_count
from ..dialects import Dialect
from ..tables import Table
from .findings import KINDS, Finding, findings
from .numbers import COLUMNS, COUNTED, Measured, measure, module_of, with_noise
from .rules import Settings
from .shown import count, number, percent
from .states import Reading, read
from .suggestions import Suggestion, suggest

HEADINGS = {
    "name": "parameter",
    "numbers": "numbers",
    "grad_rms": "RMS of g",
    "root_v_1": "√v̂: 1 %",
    "root_v_50": "50 %",
    "root_v_99": "99 %",
    "eps_over_root_v": "ε/√v̂",
    "held_back_half": "held back by half",
    "held_back_1pct": "by 1 %",
    "never_had_gradient": "v = 0",
    "step_rms": "RMS of step",
    "step_max": "longest",
    "lost_in_rounding": "lost",
    "cannot_shrink": "v sticks",
    "age": "age",
}
MOST_ROWS = 20


@dataclass(frozen=True, repr=False)
class Report:
    """What eps does in a run: a row a parameter, and what there is to say.

    Attributes
    ----------
    kind : str
        The class of the optimizer, or ``state dict``.
    rows : list of dict
        One a parameter, in the optimizer's order, with the columns that `report` explains.
    findings : list of Finding
        The worst first; empty where there is nothing to say.
    groups : list of dict
        Of each parameter group ``lr, betas, eps, dialect, amsgrad, bound``; the last is the length
        in units of lr that no step exceeds.
    """

    kind: str
    rows: list[dict[str, Any]]
    findings: list[Finding]
    groups: list[dict[str, Any]]
    measured: list[Measured] = field(default_factory=list)

    def table(self, most: int | None = MOST_ROWS) -> Table:
        """Return the rows, module by module, those that matter first; None: all of them."""
        if most is not None:
            check_count("number of rows", most, 1)
        ordered = _in_order(self.rows, self.findings)[:most]
        cells = tuple(tuple(shown(name, row[name]) for name in COLUMNS) for row in ordered)
        return Table(tuple(HEADINGS[name] for name in COLUMNS), cells)

    def paragraphs(self) -> list[str]:
        """Return the findings in words, a paragraph a kind."""
        found = []
        for kind in KINDS:
            ours = [finding for finding in self.findings if finding.kind == kind]
            if ours:
                worst, *others = ours
                also = f" The same in {_listed(others)}." if others else ""
                found.append(
                    f"{kind}: {worst.parameter}: {worst.says}.{also}\n"
                    f"  → {worst.do}\n    proved in {worst.cell}"
                )
        return found

    def text(self, most: int | None = MOST_ROWS) -> str:
        """Return heading, table and findings, with at most so many rows; None: all of them."""
        left_out = 0 if most is None else len(self.rows) - most
        more = [f"… and {count(left_out, 'parameter')} more: table(None)"] if left_out > 0 else []
        return "\n".join([self._heading(), "", str(self.table(most)), *more, "", self._words()])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        found = [escape(text) for text in self.paragraphs() or [self._words()]]
        words = "".join(f"<p>{text}</p>" for text in found).replace("\n", "<br>")
        return f"<p>{escape(self._heading())}</p>{self.table()._repr_html_()}{words}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON holds; NaN and infinity as their names."""
        return {
            "kind": self.kind,
            "groups": [_plain(group) for group in self.groups],
            "rows": [_plain(row) for row in self.rows],
            "findings": [_plain(vars(finding)) for finding in self.findings],
        }

    def _heading(self) -> str:
        numbers = sum(row["numbers"] for row in self.rows)
        steps = sorted({one.held.step for one in self.measured if one.held.step})
        taken = "step " + " to ".join(str(step) for step in steps[:: max(1, len(steps) - 1)])
        groups = [
            f"lr {number(g['lr'])}, betas ({g['betas'][0]:g}, {g['betas'][1]:g}), "
            f"eps {number(g['eps'])}"
            + (f", no step above {number(g['bound'])} lr" if math.isfinite(g["bound"]) else "")
            for g in self.groups
        ]
        sizes = f"{count(len(self.rows), 'parameter')}, {count(numbers, 'number')}"
        return f"{self.kind}: {sizes}, {taken if steps else 'no step taken yet'}; " + "; ".join(
            dict.fromkeys(groups)
        )

    def _words(self) -> str:
        return "\n\n".join(self.paragraphs()) or "Nothing to say: no finding."


def report(
    optimizer: Any,
    model: Any = None,
    *,
    lr: float | None = None,
    betas: tuple[float, float] | None = None,
    eps: float | None = None,
) -> Report:
    r"""Say what eps does in a run: read an optimizer's state, and change nothing.

    A row a parameter. Every number is that of the last step, computed in float64 from the state as
    it is stored; weight decay is no part of the step.

    ======================  ====================================================================
    ``name, numbers``       the parameter, and how many numbers it has (two for a complex one)
    ``grad_rms``            √mean g² of the gradient that is there
    ``root_v_1, _50, _99``  √v̂, without ε, that 1, 50 and 99 % of the numbers do not exceed, to
                            within 2 %. v̂ = v/(1 − β₂ᵗ) as the dialect corrects it; with AMSGrad
                            the largest v; Adamax: u − ε
    ``eps_over_root_v``     ε/√v̂ with the median; of an ε̂ before the correction ε̂/√(1 − β₂ᵗ),
                            of one under the root √ε
    ``held_back_half``      share of the numbers with :math:`\frac{\sqrt{\hat v}}{\sqrt{\hat v} +
                            \epsilon} < \frac12`, so ε > √v̂ (under the root ε > 3 v̂); numbers with
                            m = v = 0 have no step to hold back and do not count
    ``held_back_1pct``      the same below 0.99: ε > √v̂/99
    ``never_had_gradient``  share with v = 0 exactly
    ``step_rms, step_max``  √mean and largest of :math:`\frac{|\hat m|}{\sqrt{\hat v} + \epsilon}`,
                            in units of lr. Adam's is below (1−β₁)/√((1−β₂)(1−β₁²/β₂)), 7.27
    ``lost_in_rounding``    share with 0 < \|Δθ\| < half an ulp of θ in its dtype, Δθ being the step
                            times the lr that the group has now
    ``cannot_shrink``       share with v > 0 for which β₂·v rounds to v in the dtype of the state
    ``age``                 steps taken, in memories of v: t·(1 − β₂)
    ======================  ====================================================================

    Shares go from 0 to 1. A column is None where the input does not hold what it needs: a state
    dict has no gradients and, without ``model``, no parameters; before the first step there is no
    state.

    Parameters
    ----------
    optimizer
        Of torch: Adam, AdamW, NAdam, RAdam, Adamax, SparseAdam, `adamlib.pytorch`, also wrapped by
        Lightning or accelerate, and the state dict of one. `adamlib.Adam`. A Keras Adam or AdamW.
        An optax state, of adam, adamw or amsgrad. A dict of m, v and t.
    model : optional
        What has the names: a torch module; for a state dict a module or a module's state dict;
        for an optax state the parameters.
    lr, betas, eps : optional
        As `adamlib.adam_step` takes them; needed where a state holds none (optax, m, v and t), and
        they win over what it says.

    Returns
    -------
    Report
        With ``rows``, ``findings``, ``table(most=20)``, ``to_dict()``; prints as a table and the
        findings in words.

    Raises
    ------
    ValueError
        ``the SGD has no exp_avg_sq and no betas …``; ``an optax state holds no lr, betas, eps …``.
    TypeError
        ``optimizer is a Linear (expected a torch optimizer of Adam's kind, …)``.

    Examples
    --------
    >>> import numpy as np, adamlib
    >>> optimizer = adamlib.Adam({"w": np.ones(4)})
    >>> optimizer.step({"w": np.array([1.0, 1e-6, 1e-9, 1e-9])})
    >>> found = report(optimizer)
    >>> found.rows[0]["held_back_half"], round(found.rows[0]["held_back_1pct"], 2)
    (0.5, 0.5)
    >>> [finding.kind for finding in found.findings]
    ['eps-holds-back', 'state-too-young']

    Notes
    -----
    One pass in blocks: memory for one block, and time for some passes over the state. Of parameters
    that are sharded over processes (FSDP2) each counts its own part and the sums are exchanged, so
    that every process must call it. Source: Kingma & Ba 2015, §2.1; Ma & Yarats 2019, appendix F
    (the bound).
    """
    told = {"lr": lr, "betas": betas, "eps": eps}
    return of_reading(read(optimizer, model, {k: v for k, v in told.items() if v is not None}))


def of_reading(reading: Reading) -> Report:
    """Measure all parameters, one at a time."""
    measured = with_noise([measure(held) for held in reading.held])
    _mark_those_left_out(measured)
    rows = [one.row for one in measured]
    groups = [_shown_group(settings) for settings in reading.groups]
    return Report(reading.kind, rows, findings(measured), groups, measured)


def _mark_those_left_out(measured: Iterable[Measured]) -> None:
    """A parameter that is trained and has no state, where others have one, never had a gradient."""
    measured = list(measured)
    if any(one.held.step for one in measured):
        for one in measured:
            if not one.held.step and one.held.trained:
                one.row["never_had_gradient"] = 1.0


def _shown_group(settings: Settings) -> dict[str, Any]:
    shown = ("lr", "betas", "eps", "amsgrad")
    group = {name: getattr(settings, name) for name in shown}
    return group | {"dialect": settings.rule.name, "bound": settings.bound}


def suggest_eps(
    optimizer_or_report: Any, share: float = 0.01, *, target: str | Dialect | None = None
) -> list[Suggestion]:
    """Suggest eps from the denominators of a run: how large it may be, and how small.

    Parameters
    ----------
    optimizer_or_report
        As `report` takes it, or what that returned.
    share : float
        Above 0, below 1: of the numbers that may be held back by half, and of lr that a step of
        rounding noise may be long.
    target : str or Dialect, optional
        For which dialect the numbers are wanted; the group's own unless given (`convert_eps`).

    Returns
    -------
    list of Suggestion
        One a parameter group that has a state: ``.largest``, ``.smallest``, ``.contradict``.

    Raises
    ------
    ValueError
        ``no step has been taken (expected a state)``.

    Examples
    --------
    >>> import numpy as np, adamlib
    >>> optimizer = adamlib.Adam(np.ones(1000))
    >>> optimizer.step(np.linspace(1e-6, 1e-3, 1000))
    >>> print(suggest_eps(optimizer)[0])
    group 0:
      eps ≤ 9.91e-06 holds back no more than 1 % by half
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"Invalid share: {share} (expected above 0 and below 1)")
    given = optimizer_or_report
    found = given if isinstance(given, Report) else report(given)
    suggestions = suggest(found.measured, share, target)
    if not suggestions:
        raise ValueError("no step has been taken (expected a state)")
    return suggestions


# --- how it is shown ------------------------------------------------------------------------------


def _in_order(rows: list[dict[str, Any]], found: list[Finding]) -> list[dict[str, Any]]:
    """Sort rows: modules by the worst of their parameters, parameters by what was found of them."""
    kinds = list(KINDS)
    worst: dict[str, int] = {}
    for finding in found:
        place = kinds.index(finding.kind)
        worst[finding.parameter] = min(worst.get(finding.parameter, len(kinds)), place)

    def rank(row: dict[str, Any]) -> tuple[int, float]:
        held = row["held_back_half"] or 0.0
        return worst.get(row["name"], len(kinds)), -held

    modules: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        modules.setdefault(module_of(row["name"]), []).append(row)
    for ours in modules.values():
        ours.sort(key=rank)
    return [row for ours in sorted(modules.values(), key=lambda m: rank(m[0])) for row in ours]


def shown(name: str, value: Any) -> str:
    """Show a value of a column."""
    if isinstance(value, (str, int)):
        return str(value)
    return percent(value) if name in COUNTED else number(value)


def _listed(others: list[Finding]) -> str:
    names = [finding.parameter for finding in others]
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more"


def _plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict without the numbers that JSON has no way to write."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in mapping.items()
    }
