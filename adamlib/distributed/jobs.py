"""What to train, as data, and what happened: all that goes to the processes and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import write_whole
from ..checks import check_count, one_of

CHOICES = {
    "wrapper": ("ddp", "fsdp2"),
    "optimizer": ("adamlib", "torch", "sgd"),
    "loss": ("mean", "sum"),
    "dtype": ("float32", "float64"),
}
HELD = ("parameter", "gradient", "exp_avg", "exp_avg_sq")
"""What an optimizer with Adam's memory keeps for each parameter, in the order of `Result.held`."""


@dataclass(frozen=True)
class Job:
    """What to train, and how; every field is an option of the script, ``--same-batch`` say.

    Attributes
    ----------
    wrapper : str
        ``"ddp"`` (each process holds all of the model) or ``"fsdp2"`` (each holds its share).
    optimizer : str
        ``"adamlib"``, ``"torch"`` (its Adam) or ``"sgd"`` (torch's).
    loss : str
        ``"mean"`` or ``"sum"`` over the examples of a process and their outputs.
    dtype : str
        ``"float32"`` or ``"float64"``.
    steps : int
        The step to stop after, counted from the start of the run, also after a restart.
    lr, eps : float
        As in `adamlib.pytorch.Adam`; SGD has no eps.
    seed, n, d_in, h, d_out : int
        Of `adamlib.problems.random_two_layer_net`, whose data and start these are. n is the
        size of the whole batch; each process takes an equal share of it.
    same_batch : bool
        Every process takes the whole batch instead.
    checkpoints : str
        Folder to write checkpoints to, and to go on from where it has one. On many machines
        all of them see it.
    every : int
        Steps between two checkpoints; 0 for none.
    resume : str
        Folder to start from, as ``checkpoints``, but it must have one.
    die_at : int
        The last process kills itself after that many steps, on the first start; 0 for never.

    Raises
    ------
    ValueError
        ``every is 5 and checkpoints is '' (expected a folder)``.

    Examples
    --------
    >>> Job(wrapper="fsdp2", steps=10).optimizer
    'adamlib'
    """

    wrapper: str = "ddp"
    optimizer: str = "adamlib"
    loss: str = "mean"
    dtype: str = "float32"
    steps: int = 1
    lr: float = 1e-3
    eps: float = 1e-8
    seed: int = 0
    n: int = 256
    d_in: int = 64
    h: int = 128
    d_out: int = 16
    same_batch: bool = False
    checkpoints: str = ""
    every: int = 0
    resume: str = ""
    die_at: int = 0

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            one_of(name, getattr(self, name), choices)
        for name in ("steps", "every", "die_at"):
            check_count(name, getattr(self, name), 0)
        for name in ("n", "d_in", "h", "d_out"):
            check_count(name, getattr(self, name), 1)
        if self.every and not self.checkpoints:
            raise ValueError(f"every is {self.every} and checkpoints is '' (expected a folder)")


@dataclass(frozen=True, eq=False)
class Result:
    """What happened in a job.

    Attributes
    ----------
    params, exp_avg, exp_avg_sq : dict of ndarray
        After the last step, whole, by the names of `adamlib.problems.two_layer_net`; dtype of
        the job. The moments are empty for SGD.
    losses : ndarray of float64, shape (processes, steps)
        Each process's own loss before each of its steps.
    held : ndarray of int, shape (processes, 4)
        Bytes that each process holds of the `HELD` kinds, after the last step.
    first_step : int
        Steps that the checkpoint it started from had behind it; 0 for a fresh start.
    restarts : int
        How often torchrun had started the job anew.
    """

    params: dict[str, NDArray]
    losses: NDArray[np.float64]
    held: NDArray[np.int64]
    exp_avg: dict[str, NDArray] = field(default_factory=dict)
    exp_avg_sq: dict[str, NDArray] = field(default_factory=dict)
    first_step: int = 0
    restarts: int = 0


def write(path: str, results: Mapping[str, Result]) -> None:
    """Write results as an npz, whole or not at all."""
    arrays: dict[str, Any] = {}
    for name, result in results.items():
        for key, value in vars(result).items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            arrays |= {f"{name}/{key}/{part}": array for part, array in parts}
    write_whole(Path(path), None, arrays)


def read(path: Path) -> dict[str, Result]:
    """Read what `write` wrote."""
    found: dict[str, dict[str, Any]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for entry, array in arrays.items():
            name, key, part = entry.rsplit("/", 2)
            values = found.setdefault(name, {})
            if part:
                values.setdefault(key, {})[part] = array
            else:
                values[key] = array if array.ndim else array.item()
    return {name: Result(**values) for name, values in found.items()}
