"""Run whatever takes steps: over the probe, then on, where no number is read but much can change.

After the steps of the probe come some in which 8,192 further numbers of the first parameter have
gradients and a matrix has one that is orthogonal to it, then a long run with two spikes. It is
one run, of one optimizer.
"""

import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import guard
from ..isolation import error_text
from ..optional import NotInstalled
from .conventions import (
    CannotTell,
    Convention,
    Hyperparameters,
    Misfit,
    conventions,
    first_fitting,
)
from .conventions.base import LoopEnded, Step
from .reading import Known
from .reading.probes import STEPS, Probe, Shapes, cut, make_probe, numbered

Kind = Literal["numpy", "torch"]
WIDE = 8192  # further numbers: states are quantised from 4,096 on
TURNED = 6  # steps with a gradient for all of them, and one orthogonal to the matrix
LONG = 640  # steps in all
SPIKES = (300, 560)  # steps in which all gradients are 1,000 times as large
CLOSURE = 620  # the step from which it is given a closure, where it takes one
SECONDS = 60.0  # of the processor, for one answer
SLOW = 0.01  # seconds of the processor for a step, beyond which it goes no further


@dataclass(frozen=True)
class Course:
    """Gradients and what became of the parameters: (steps, numbers) and (steps + 1, numbers).

    ``small`` says which of the numbers are the probe's.
    """

    grads: NDArray
    path: NDArray
    shapes: Shapes
    small: NDArray

    @property
    def index(self) -> NDArray:
        """Number of the parameter that each number belongs to, from 0."""
        return numbered(self.shapes)


@dataclass(frozen=True)
class Observation:
    """What an optimizer did with a probe: the parameters before every step and at the end.

    ``divided``: whether something was divided by zero in the first step, where that can be seen.
    ``whole`` is the run with the wide part, until it has had its gradients, and ``long`` is all of
    it without; None where it went no further than the probe, and ``left_out`` says why. ``error``
    is what it raised, after ``steps`` steps.
    """

    probe: Probe
    path: NDArray
    convention: str = ""
    defaults: Known = field(default_factory=Known)
    mutates_grad: bool = False
    cleared: bool = False
    divided: bool = False
    whole: Course | None = None
    long: Course | None = None
    left_out: str = ""
    error: str = ""
    steps: int = 0


def observe(x: Any, told: Known, kind: Kind | None = None, last: int = LONG) -> Observation:
    """Run an optimizer by the first convention that fits it; what it raises is reported.

    ``last`` is the number of its last step, at least those of the probe.
    """
    attempts: list[Attempt] = []

    def attempt(convention: Convention) -> Observation:
        attempts.append(Attempt(convention, last))
        return attempts[-1].run()

    def run() -> Observation:
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # more would wait for each other on numbers so few
        return first_fitting(conventions(x, options(told), kind), attempt)[1]

    try:
        return guard.limited(run, SECONDS)
    except NotInstalled:
        raise
    except Exception as error:  # somebody's code may raise anything
        by = error.by if isinstance(error, guard.Ended) else error
        farthest = max(attempts, key=lambda a: a.taken, default=None)
        steps = farthest.taken if farthest else 0
        says = farthest.convention.says if farthest else ""
        probe = make_probe()
        return Observation(probe, probe.start[None], says, error=raised(by, steps), steps=steps)


def options(told: Known) -> Hyperparameters:
    """Give what is told to build an optimizer with, each beta for itself."""
    given = told.given()
    beta1, beta2 = given.pop("betas", (None, None))
    return given if beta1 is None else {**given, "beta1": beta1, "beta2": beta2}


def as_known(defaults: Hyperparameters) -> Known:
    """Take what was read off a class as far as Adam could have it; betas only where both are."""
    values: dict[str, Any] = {
        name: value
        for name, value in defaults.items()
        if not name.startswith("beta") and 0 <= value < np.inf
    }
    pair = [defaults.get(name, -1.0) for name in ("beta1", "beta2")]
    if all(0 <= beta < 1 for beta in pair):
        values["betas"] = tuple(pair)
    return Known(**values)


class Attempt:
    """One run by one convention."""

    def __init__(self, convention: Convention, last: int) -> None:
        self.convention, self.last = convention, last
        self.probe = make_probe().recut(convention.cut)
        self.first = int(np.prod(self.probe.shapes[0]))
        self.wide = 0 if convention.cut == "scalars" or convention.slow else WIDE
        self.shapes = ((self.first + self.wide,), *self.probe.shapes[1:])
        self.small = np.ones(len(self.probe.start) + self.wide, bool)
        self.small[self.first : self.first + self.wide] = False
        self.mutates = False
        self.taken = 0

    def run(self) -> Observation:
        """Take the probe's steps, then the further ones if the first were quick."""
        probe, convention = self.probe, self.convention
        step = convention.begin(cut(self.spread(probe.start), self.shapes))
        path = [self.spread(probe.start)]
        clock = [time.process_time()]
        divided: list[object] = ["torch"] if "torch" in convention.says else []
        with np.errstate(divide="call", invalid="call", call=lambda *seen: divided.append(seen)):
            path.append(self.take(step, self.spread(probe.grads[0])))
        for row in probe.grads[1:]:
            path.append(self.take(step, self.spread(row)))
            clock.append(time.process_time())
        slow = np.median(np.diff(clock)) > SLOW
        there = np.array(path)[:, self.small]
        whole = long = None
        left_out = ""
        if convention.cut == "scalars":
            left_out = "it works number by number, which is slow"
        elif slow or convention.slow:
            left_out = "its steps are slow"
        elif self.last > STEPS and np.isfinite(there[1:]).any():
            whole, long, left_out = self.go_on(step, path)
        return Observation(
            probe,
            there,
            convention.says,
            as_known(convention.defaults),
            self.mutates,
            convention.cleared,
            bool(divided),
            whole,
            long,
            left_out,
            steps=self.taken,
        )

    def go_on(self, step: Step, path: list[NDArray]) -> tuple[Course, Course, str]:
        """Take the further steps; the gradient of the matrix is orthogonal to where it stands."""
        rng = np.random.default_rng(1)
        sizes = 10.0 ** rng.uniform(-6, 0, len(self.small))
        wide, matrix = ~self.small, numbered(self.shapes) == 1
        grads = [self.spread(row) for row in self.probe.grads]
        small, left_out = [row[self.small] for row in path], ""
        for t in range(STEPS, self.last):
            grad = self.spread(rng.standard_normal(len(self.probe.start)) * 1e-2)
            if t < STEPS + TURNED:
                grad[wide] = (sizes * rng.standard_normal(len(sizes)))[wide]
                if matrix.any():
                    grad[matrix] = across(path[-1][matrix])
            elif t in SPIKES:
                grad *= 1e3
            elif t >= CLOSURE:
                self.convention.loss = 3.7
            try:
                row = self.take(step, grad)
            except LoopEnded:
                left_out = f"it ended by itself after {self.taken} steps"
                break
            grads.append(grad)
            small.append(row[self.small])
            if t < STEPS + TURNED:
                path.append(row)
        whole = np.array(grads[: len(path) - 1]), np.array(path), self.shapes, self.small
        long = np.array([g[self.small] for g in grads]), np.array(small), self.probe.shapes
        return Course(*whole), Course(*long, np.ones(len(self.probe.start), bool)), left_out

    def spread(self, row: NDArray) -> NDArray:
        """Put the probe's numbers where they belong; the wide part is zero."""
        whole = np.zeros(len(self.small))
        whole[self.small] = row
        return whole

    def take(self, step: Step, grad: NDArray) -> NDArray:
        """Take a step; see whether the gradients came back changed, or all zero."""
        given = cut(grad, self.shapes)
        kept = [g.copy() for g in given]
        result = step(given)
        self.taken += 1
        pairs = zip(given, kept, strict=True)
        changed = [a for a, b in pairs if not np.array_equal(a, b, equal_nan=True)]
        if any(np.any(a) for a in changed):
            self.mutates = True
        elif changed:
            self.convention.cleared = True
        return np.concatenate([a.ravel() for a in result])


def across(matrix: NDArray) -> NDArray:
    """Return a gradient that is orthogonal to a 2 × 2 matrix, row by row, and as long."""
    a, b, c, d = matrix
    turned = np.array([-b, a, -d, c])
    return turned if turned.any() else np.array([1.0, 1.0, 1.0, 1.0])


def raised(error: BaseException, steps: int) -> str:
    """Say what was raised, as it came, and where in somebody's own code."""
    if isinstance(error, (Misfit, CannotTell, guard.Endless)):
        return str(error)
    own = [f for f in traceback.extract_tb(error.__traceback__) if not ours(f.filename)]
    message = error_text(error)
    if own and not own[-1].filename.startswith("<frozen"):
        message += f" ({own[-1].filename}, line {own[-1].lineno}, in {own[-1].name})"
    if steps or own:
        message += f", in step {steps + 1}"
    if isinstance(error, ZeroDivisionError):
        message += ". 1 − βᵗ is zero where t = 0"
    return message


def ours(filename: str) -> bool:
    return filename.startswith(__file__.rpartition("identification")[0])
