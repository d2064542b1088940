"""What Adam remembers between two steps, and the names by which state dicts know it."""

from dataclasses import dataclass
from typing import Any

Array = Any  # an array of NumPy, torch or any other array-API library

MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
"""The arrays of a state, as torch calls them; the last is kept for AMSGrad only."""

SIZES = ("lr", "betas", "eps", "weight_decay")
FLAGS = ("decoupled_weight_decay", "amsgrad", "maximize")
HYPERPARAMETERS = (*SIZES, *FLAGS, "dialect")
"""What a parameter group says about the step."""

MOST_STEPS = 2**53
"""No count of steps is larger: up to here a float64 tells each whole number from the next."""


@dataclass(frozen=True, eq=False)
class AdamState:
    """What Adam remembers of one parameter between two steps.

    Attributes
    ----------
    step : int
        Number of steps taken, t; 0 before the first.
    exp_avg : array, shape and dtype of the parameter
        First moment mₜ, the average of the gradients.
    exp_avg_sq : array, shape and dtype of the parameter
        Second moment vₜ, the average of the squared gradients (for complex numbers of the
        squares of the real and of the imaginary parts, each for itself).
    max_exp_avg_sq : array or None
        AMSGrad's running maximum of vₜ; None without AMSGrad.
    """

    step: int
    exp_avg: Array
    exp_avg_sq: Array
    max_exp_avg_sq: Array | None = None

    @property
    def moments(self) -> tuple[Array, ...]:
        """The arrays that there are, in the order of `MOMENTS`."""
        all_three = (self.exp_avg, self.exp_avg_sq, self.max_exp_avg_sq)
        return tuple(moment for moment in all_three if moment is not None)


def moments_used(amsgrad: bool) -> tuple[str, ...]:
    """Return the names of the arrays that a state has.

    >>> moments_used(amsgrad=False)
    ('exp_avg', 'exp_avg_sq')
    """
    return MOMENTS if amsgrad else MOMENTS[:2]
