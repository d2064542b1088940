"""Read off the steps of an optimizer which rule takes them, and explain the rule.

============  ===================================================================
`rules`       the rule of Adam with every choice in the open, and the way it takes
`probes`      the gradients from which the numbers of a rule can be read
`reader`      β₁, β₂, corrections, lr, eps, decay: each from its own columns
`fitting`     how closely a rule with such numbers takes the path
`schedules`   the names of rates that change
`explaining`  the mistakes, and the settings that were meant, behind such a rule
============  ===================================================================
"""

from .explaining import MISTAKES, Explanation, Known, Settings, explain
from .fitting import Fit
from .probes import Probe, make_probe
from .reader import read
from .rules import Correction, Rule, follow

__all__ = [
    "MISTAKES",
    "Correction",
    "Explanation",
    "Fit",
    "Known",
    "Probe",
    "Rule",
    "Settings",
    "explain",
    "follow",
    "make_probe",
    "read",
]
