"""The answer as a person would give it: what it is, its settings, where it differs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..dialects import DIALECTS
from .reading import MISTAKES, Known, Rule
from .reading.explaining import USUAL
from .relatives import RELATIVES

Verdict = Literal["dialect", "mistake", "unknown", "error"]
TITLES = {
    "paper": "the paper",
    "paper-reordered": "the paper's last line of section 2",
    "pytorch": "PyTorch",
    "keras": "Keras",
    "tensorflow1": "TensorFlow 1",
    "optax": "optax",
    "jax": "JAX",
    "bert": "BERT",
    "mlx": "MLX",
    "deepspeed": "DeepSpeed",
    "apex": "Apex",
}
FIRST = ("pytorch", "keras", "bert")  # what a dialect is called after, where it is one of these
BASES = {
    "algorithm-1": "Algorithm 1",
    "reordered": "the paper's reordered form, with ε̂",
    "inside": "eps inside the root, √(v̂ + ε)",
    "inside-uncorrected": "eps inside the root, before the correction, √(v + ε)",
    "atan2": "atan2, without a division",
}


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
        result = f"{title(self.against)} gives {self.expected:.9g}, this one {self.got:.9g}"
        return f"{where}{after}: {result}."


@dataclass(frozen=True)
class Identification:
    """What `identify` found.

    Attributes
    ----------
    verdict : {"dialect", "mistake", "unknown", "error"}
        ``dialect``: at least one dialect, or a published relative of Adam, takes every step.
        ``mistake``: a mistake explains them, or several together, or it is a dialect that changes
        the caller's gradient. ``unknown``: nothing does. ``error``: it raised, returned no
        parameters, or gave no finite numbers.
    names : tuple of str
        Slugs of all dialects and mistakes that fit, simplest first; where only several mistakes
        together explain the steps, all of these.
    base : str
        The form that it, or its mistakes, stand on: ``"algorithm-1"``, ``"reordered"``,
        ``"inside"``, ``"inside-uncorrected"``, ``"atan2"``; "" where there is none.
    settings : Known or None
        lr, betas, eps, weight_decay and amsgrad as they act; eps is None where there is none.
    convention : str
        How it was called.
    remarks : tuple of str
        What is no mistake and yet worth saying; a setting that was told and acts otherwise.
    contradicted : tuple of str
        The settings that were told and act otherwise.
    explanations : tuple of tuples of str
        Every set of mistakes that explains the steps as well as the first.
    first_difference : Difference or None
        Against the right Adam (a mistake) or against the nearest dialect (unknown).
    mutates_grad : bool
        Whether the gradients that it was given came back changed.
    precision : {"float64", "float32"}
        How closely the names fit: to 1e-9, or as its float32 arithmetic allows.
    looked_at : str
        The inputs that the answer rests on, and what was left out.
    message : str
        What went wrong, for an error.
    """

    verdict: Verdict
    names: tuple[str, ...] = ()
    base: str = ""
    settings: Known | None = None
    convention: str = ""
    remarks: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()
    explanations: tuple[tuple[str, ...], ...] = ()
    first_difference: Difference | None = None
    mutates_grad: bool = False
    precision: str = "float64"
    looked_at: str = ""
    message: str = ""
    details: tuple[str, ...] = ()
    steps: "Steps | None" = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.verdict == "error":
            yield f"It cannot be examined: {self.message}"
            return
        yield " ".join(self._first())
        yield from self.details
        yield from self.remarks
        if self.first_difference:
            yield str(self.first_difference)
        if self.names and self.precision != "float64":
            yield f"It fits to {self.precision} precision only."
        if self.looked_at:
            yield self.looked_at

    def _first(self) -> Iterator[str]:
        dialects = [name for name in self.names if name in DIALECTS]
        relatives = [name for name in self.names if name in RELATIVES]
        mistakes = [name for name in self.names if name in MISTAKES]
        if self.verdict == "unknown":
            yield self.message
        elif self.verdict == "mistake" and not dialects:
            count = len(mistakes)
            alone = [e for e in self.explanations if len(e) == 1]
            if count > 1 and not alone:
                yield f"Not quite Adam: {count} mistakes together explain every step."
            else:
                yield "Not quite Adam."
            yield " And: ".join(MISTAKES[name] for name in mistakes)
        elif relatives:
            yield "This is a published relative of Adam. " + " ".join(
                RELATIVES[name].says for name in relatives
            )
        else:
            changed = self.verdict == "mistake"
            yield f"{'But for one thing this' if changed else 'This'} is {as_had_by(dialects)}"
            for name in mistakes:
                also = "" if name == "gradient-mutated" else "It is also what this mistake does: "
                yield also + MISTAKES[name]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the steps as JSON has it."""
        values = {k: v for k, v in vars(self).items() if k not in ("steps", "details")}
        for name in ("settings", "first_difference"):
            values[name] = asdict(values[name]) if values[name] else None
        return {**values, "says": str(self)}

    def plot(self) -> Any:
        """Draw its steps beside the right ones: over the steps, and over the gradient's size.

        Returns
        -------
        sequence of two matplotlib Axes
        """
        if self.steps is None:
            raise ValueError(f"no steps to draw: the verdict is {self.verdict!r}")
        from .. import figures

        return figures.plot_identification(self)


@dataclass(frozen=True)
class Steps:
    """Steps in units of lr: its own, and those of the right Adam where that is known.

    ``over_steps``: with a steady gradient of 1, shape (steps,). ``sizes``: of steady gradients;
    ``over_sizes``: the last step with each of them, shape (sizes,).
    """

    over_steps: NDArray
    right_over_steps: NDArray | None
    sizes: NDArray
    over_sizes: NDArray
    right_over_sizes: NDArray | None


def title(name: str) -> str:
    return TITLES.get(name, name)


def as_had_by(names: Sequence[str]) -> str:
    """Say whose Adam it is: after whom it is called, its formula, and who else has it."""
    first = next((name for name in FIRST if name in names), names[0])
    rest = [title(name) for name in names if name != first]
    text = f"Adam as {title(first)} has it: {DIALECTS[first].quotient}."
    if rest:
        verb = "does" if len(rest) == 1 else "do"
        text += f" So {verb} {listed(rest)}."
    return text


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as a sentence does.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def written(name: str, value: Any) -> str:
    """Write a setting as it is typed.

    >>> written("betas", (0.9, 0.999)), written("eps", 1e-8)
    ('betas = (0.9, 0.999)', 'eps = 1e-08')
    """
    if isinstance(value, tuple):
        return f"{name} = ({', '.join(f'{v:g}' for v in value)})"
    return f"{name} = {value if isinstance(value, bool) else format(value, 'g')}"


def settings_line(settings: Known, defaults: Known, rule: Rule | None = None) -> str:
    """Say the settings that were read off, and which defaults of its own differ from PyTorch's.

    >>> settings_line(Known(1e-3, (0.9, 0.999), 1e-7), Known(lr=1e-3, eps=1e-7))
    'It acts with lr = 0.001, betas = (0.9, 0.999) and eps = 1e-07 (PyTorch: eps = 1e-08).'
    """
    shown = {"lr": settings.lr, "betas": settings.betas, "eps": settings.eps}
    shown |= {"weight_decay": settings.weight_decay or None, "amsgrad": settings.amsgrad or None}
    parts = [written(name, value) for name, value in shown.items() if value is not None]
    if rule and rule.decay != "none":
        kind = "coupled" if rule.decay == "L2" else "decoupled" if rule.share else rule.decay
        parts = [f"{part} ({kind})" if part.startswith("weight_decay") else part for part in parts]
    own = {n: v for n, v in defaults.given().items() if n in ("lr", "betas", "eps")}
    usual = vars(USUAL)
    others = [n for n, v in own.items() if v == shown[n] and v != usual[n]]
    theirs = ", ".join(written(n, usual[n]) for n in others)
    return f"It acts with {listed(parts)}{f' (PyTorch: {theirs})' if theirs else ''}."


def apart_line(names: Sequence[str]) -> str:
    """Say which option would tell names apart that take the same steps; "" for one."""
    if len(names) < 2:
        return ""
    found = [DIALECTS[name] for name in names if name in DIALECTS]
    would = []
    if len({d.eps_placement for d in found}) > 1:
        would.append("an eps that counts")
    if len({d.decoupled_weight_decay for d in found}) > 1:
        would.append("decoupled weight decay")
    if len({d.amsgrad for d in found}) > 1:
        would.append("AMSGrad")
    text = "No probe tells these names apart at these settings"
    return f"{text}; {listed(would, 'or')} would." if would else f"{text}."


def times(ratio: float) -> str:
    """Write a ratio.

    >>> times(5000.0), times(0.31623), times(-0.0)
    ('5,000', '0.316', '0')
    """
    return f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio + 0.0:.3g}"


def effect(ratios: NDArray, gradient: str) -> str:
    """Say from which step on steps are wrong, and how long they are there and at the last.

    ``ratios``: each step over the right one, shape (steps,).

    >>> effect(np.array([1.0, 2.0, 4.0]), "a steady gradient")
    'From step 2 on its steps are wrong: with a steady gradient 2 times as long there, 4 in step 3.'
    """
    wrong = ~(np.abs(ratios - 1) <= 0.01)
    if not wrong.any():
        return ""
    first, last = int(np.argmax(wrong)), float(ratios[-1])
    ratio = float(ratios[first])
    if not np.isfinite(ratio):
        return f"From step {first + 1} on its steps are not numbers with {gradient}."
    if ratio < 0:
        return f"From step {first + 1} on its steps go the wrong way, with {gradient}."
    start = f"From step {first + 1} on its steps are wrong"
    text = f"{start}: with {gradient} {times(ratio)} times as long"
    if np.isfinite(last) and abs(ratio - last) > 0.01 * abs(last):
        return f"{text} there, {times(last)} in step {len(ratios)}."
    return f"{text} as they should be."
