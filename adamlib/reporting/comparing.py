"""Two checkpoints of a run: what changed from one to the other."""

from dataclasses import dataclass
from typing import Any

from ..tables import Table
from .findings import Finding
from .reports import HEADINGS, MOST_ROWS, Report, shown
from .shown import count

COMPARED = (
    *("root_v_50", "held_back_half", "never_had_gradient", "step_rms", "step_max"),
    *("lost_in_rounding", "cannot_shrink", "age"),
)


@dataclass(frozen=True, repr=False)
class Comparison:
    """What changed from an earlier report to a later one.

    Attributes
    ----------
    earlier, later : Report
    begun, ended : list of Finding
        Of the later one, those that the earlier one has not, and the other way round.
    """

    earlier: Report
    later: Report
    begun: list[Finding]
    ended: list[Finding]

    def table(self) -> Table:
        """Return a row a parameter that both have, those that changed most first."""
        before = {row["name"]: row for row in self.earlier.rows}
        pairs = [(before[row["name"]], row) for row in self.later.rows if row["name"] in before]
        pairs.sort(key=lambda pair: -max(_change(name, *pair) for name in COMPARED))
        rows = tuple(
            (new["name"], *(_cell(name, old, new) for name in COMPARED)) for old, new in pairs
        )
        return Table((HEADINGS["name"], *(_heading(name) for name in COMPARED)), rows[:MOST_ROWS])

    def __str__(self) -> str:
        lines = [str(self.table()), ""]
        names = {row["name"] for row in self.earlier.rows} ^ {
            row["name"] for row in self.later.rows
        }
        if names:
            lines.append(f"{count(len(names), 'parameter')} in one of the two only.")
        lines += [f"begun: {f.kind}: {f.parameter}: {f.says}.\n  → {f.do}" for f in self.begun]
        lines += [f"ended: {f.kind}: {f.parameter}" for f in self.ended]
        return "\n".join(lines if len(lines) > 2 else [*lines, "No finding began, none ended."])

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON holds."""
        return {
            "earlier": self.earlier.to_dict(),
            "later": self.later.to_dict(),
            "begun": [{"kind": f.kind, "parameter": f.parameter} for f in self.begun],
            "ended": [{"kind": f.kind, "parameter": f.parameter} for f in self.ended],
        }


def compare(earlier: Report, later: Report) -> Comparison:
    """Compare two reports, parameters by their names."""

    def new(ours: Report, theirs: Report) -> list[Finding]:
        known = {(f.kind, f.parameter) for f in theirs.findings}
        return [f for f in ours.findings if (f.kind, f.parameter) not in known]

    return Comparison(earlier, later, new(later, earlier), new(earlier, later))


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> float:
    """How far a share has moved; other columns do not sort."""
    both = (
        name != "age"
        and not name.startswith(("root", "step"))
        and None not in (old[name], new[name])
    )
    return abs(new[name] - old[name]) if both else 0.0


def _cell(name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    texts = [shown(name, row[name]) for row in (old, new)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _heading(name: str) -> str:
    return "√v̂: 50 %" if name == "root_v_50" else HEADINGS[name]
