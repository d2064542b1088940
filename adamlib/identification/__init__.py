"""Which Adam is this function? Or which mistake?

An optimizer is run on gradients chosen so that no two entries of the catalogue agree on all of
them. Its steps are then compared with those of every dialect (`adamlib.adam_step`), of every
mistake in `MISTAKES`, and of every pair of mistakes. What is named fits on every probe; what
fits nothing is called unknown, with the first input on which it differs from the nearest entry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import check_hyperparameters
from ..dialects import DIALECTS
from .catalogue import MISTAKES, Settings, mistaken_variants, relevant
from .paths import RTOL, RTOL32, dialect_path, dialect_paths, misfits, variant_path
from .probes import STEPS, Factory, Kind, Probe, Run, from_optax, make_probe, observe

__all__ = [
    "MISTAKES",
    "STEPS",
    "Difference",
    "Identification",
    "Probe",
    "Run",
    "Settings",
    "dialect_path",
    "from_optax",
    "identify",
    "make_probe",
    "variant_path",
]

Verdict = Literal["dialect", "mistake", "unknown", "error"]
Precision = Literal["float64", "float32"]
PRECISIONS: tuple[tuple[float, Precision], ...] = ((RTOL, "float64"), (RTOL32, "float32"))


@dataclass(frozen=True)
class Difference:
    """The first input on which two functions differ.

    Attributes
    ----------
    step : int
        The number of the step, from 1.
    parameter : float
        The parameter before that step, in the run of the function that was examined.
    gradient : float
        The gradient of that step.
    gradients : tuple of float
        All gradients of that parameter up to and including this step.
    expected, got : float
        The parameter after the step, by the entry named in ``against``, and by the function.
    against : str
        What it is compared with.
    """

    step: int
    parameter: float
    gradient: float
    gradients: tuple[float, ...]
    expected: float
    got: float
    against: str

    def __str__(self) -> str:
        before = ", ".join(f"{g:.3g}" for g in self.gradients[-4:-1])
        if len(self.gradients) > 4:
            before = "…, " + before
        after = f" after the gradients {before}" if before else ""
        where = f"Step {self.step}, parameter {self.parameter:.6g}, gradient {self.gradient:.6g}"
        result = f"{self.against} gives {self.expected:.9g}, this function {self.got:.9g}"
        return f"{where}{after}: {result}."


@dataclass(frozen=True)
class Identification:
    """What `identify` found.

    Attributes
    ----------
    verdict : {"dialect", "mistake", "unknown", "error"}
        ``dialect``: at least one dialect fits on every probe. ``mistake``: a mistake fits, or a
        pair of them, or a dialect that changes the caller's gradient. ``unknown``: nothing fits.
        ``error``: it raised, returned no parameters, or gave no finite numbers where it should.
    names : tuple of str
        Slugs of all dialects and mistakes that fit, simplest first; both slugs of a pair.
    first_difference : Difference or None
        Against the right Adam (a mistake) or against the nearest entry (unknown).
    mutates_grad : bool
        Whether the gradients that it was given came back changed.
    precision : {"float64", "float32"}
        How closely the names fit: to 1e-9, or only to 2e-5 as float32 arithmetic does.
    pairs : tuple of pairs of str
        Every pair of mistakes that fits, where no single entry does.
    message : str
        What went wrong, for an error.
    """

    verdict: Verdict
    names: tuple[str, ...] = ()
    first_difference: Difference | None = None
    mutates_grad: bool = False
    precision: Precision = "float64"
    pairs: tuple[tuple[str, str], ...] = ()
    message: str = ""

    def __str__(self) -> str:
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        dialects = [name for name in self.names if name in DIALECTS]
        mistakes = [name for name in self.names if name in MISTAKES]
        if self.verdict == "error":
            yield f"It cannot be examined: {self.message}"
        elif self.verdict == "unknown":
            yield "This is not an Adam that the catalogue knows, nor one with two known mistakes."
        elif self.pairs:
            yield "Two mistakes together explain every step: " + " And: ".join(
                f"{name}. {MISTAKES[name]}" for name in self.pairs[0]
            )
            for pair in self.pairs[1:]:
                yield f"So do {pair[0]} and {pair[1]}."
        else:
            if dialects:
                yield f"On every probe this is {' = '.join(dialects)}."
            for name in mistakes:
                yield f"{'It is also' if dialects else 'It is'} {name}: {MISTAKES[name]}"
            if len(self.names) > 1:
                yield "No probe tells these names apart at these hyperparameters."
        if self.names and self.precision == "float32":
            yield "They fit to float32 precision (2e-5) only."
        if self.mutates_grad and "gradient-mutated" not in self.names:
            yield MISTAKES["gradient-mutated"]
        if self.first_difference:
            yield str(self.first_difference)


def identify(
    factory: Factory,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    kind: Kind | None = None,
) -> Identification:
    """Say which dialect of Adam an optimizer is, or which mistake it makes.

    Parameters
    ----------
    factory : callable
        Takes a list of float64 arrays (the starting parameters) and returns ``step``, which
        takes a list of gradients and returns the new parameters, or None if it changed them in
        place. Or takes a list of `torch.nn.Parameter` and returns a torch optimizer.
    lr, betas, eps, weight_decay, amsgrad
        The hyperparameters that the optimizer was built with.
    kind : {"numpy", "torch"}, optional
        Which of the two ``factory`` is. Unless given, NumPy is tried, then torch.

    Returns
    -------
    Identification
        ``print`` it; a function that raises gives the verdict ``"error"``.

    Examples
    --------
    >>> def factory(params):
    ...     m, v, t = [p * 0 for p in params], [p * 0 for p in params], 0
    ...     def step(grads):
    ...         nonlocal t
    ...         t += 1
    ...         for p, g, mi, vi in zip(params, grads, m, v):
    ...             mi[...] = 0.9 * mi + 0.1 * g
    ...             vi[...] = 0.999 * vi + 0.001 * g * g
    ...             p -= 0.01 * mi / (1 - 0.9**t) / np.sqrt(vi / (1 - 0.999**t) + 1e-8)
    ...     return step
    >>> identify(factory, lr=0.01, betas=(0.9, 0.999), eps=1e-8).names
    ('fastai-lesson', 'eps-inside-root')
    """
    check_hyperparameters(lr, betas, eps, weight_decay)
    if kind not in (None, "numpy", "torch"):
        raise ValueError(f"Unknown kind: {kind!r} (expected numpy or torch)")
    beta1, beta2 = map(float, betas)
    settings = Settings(float(lr), (beta1, beta2), float(eps), float(weight_decay), bool(amsgrad))
    probe = make_probe(settings)
    run = observe(factory, probe, kind)
    if run.error:
        return Identification("error", mutates_grad=run.mutates_grad, message=run.error)
    return _judge(run, probe, settings)


def _judge(run: Run, probe: Probe, settings: Settings) -> Identification:
    """Compare the path that was taken with those of the dialects, the mistakes and their pairs."""
    path, mutates = run.path, run.mutates_grad
    dialects = list(dialect_paths(probe, settings))
    mistakes = [
        (name, variant_path(variant, probe, settings))
        for name in relevant(settings)
        for variant in mistaken_variants(settings, [name])
    ]
    # An exact pair before an approximate single: what fits to 1e-9 fits by no accident.
    decay = settings.lr * settings.weight_decay
    for rtol, precision in PRECISIONS:
        names = _fitting([*dialects, *mistakes], path, rtol, decay)
        pairs = () if names else _fitting_pairs(path, probe, settings, rtol)
        names = pairs[0] if pairs else names
        if names:
            known = any(name in DIALECTS for name in names) and not mutates
            difference = None if known else _difference(dialects, path, probe, rtol)
            names = ("gradient-mutated", *names) if mutates else names
            verdict: Verdict = "dialect" if known else "mistake"
            return Identification(verdict, names, difference, mutates, precision, pairs)
    difference = _difference([*dialects, *mistakes], path, probe, RTOL32)
    if not np.isfinite(path).all() and all(np.isfinite(p).all() for _, p in dialects):
        message = f"it gives numbers that are not finite. {difference}"
        return Identification("error", mutates_grad=mutates, message=message)
    return Identification("unknown", first_difference=difference, mutates_grad=mutates)


def _fitting(
    entries: Sequence[tuple[str, NDArray]], path: NDArray, rtol: float, decay: float
) -> tuple[str, ...]:
    """Name the entries whose path is the one that was taken."""
    fits = [name for name, expected in entries if not misfits(path, expected, rtol, decay).any()]
    return tuple(dict.fromkeys(fits))


def _fitting_pairs(
    path: NDArray, probe: Probe, settings: Settings, rtol: float
) -> tuple[tuple[str, str], ...]:
    """Name the pairs of mistakes that explain the path that was taken."""
    # A few steps settle most pairs; only what survives them is run to the end.
    short = replace(probe, grads=probe.grads[:3])
    fitting = []
    for pair in combinations(relevant(settings), 2):
        for variant in mistaken_variants(settings, pair):
            if misfits(path[:4], variant_path(variant, short, settings), rtol).any():
                continue
            if not misfits(path, variant_path(variant, probe, settings), rtol).any():
                fitting.append(pair)
    return tuple(dict.fromkeys(fitting))


def _difference(
    entries: Sequence[tuple[str, NDArray]], path: NDArray, probe: Probe, rtol: float
) -> Difference | None:
    """Find the first step on which a path leaves the entry that it follows most closely."""
    parted = [(misfits(path, expected, rtol), name, expected) for name, expected in entries]
    misfit, name, expected = min(parted, key=lambda entry: entry[0].sum())
    if not misfit.any():
        return None
    step, number = np.argwhere(misfit)[0]
    grads = probe.grads[: step + 1, number]
    return Difference(
        step=int(step) + 1,
        parameter=float(path[step, number]),
        gradient=float(grads[-1]),
        gradients=tuple(map(float, grads)),
        expected=float(expected[step + 1, number]),
        got=float(path[step + 1, number]),
        against=name,
    )
