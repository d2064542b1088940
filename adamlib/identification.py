"""Which Adam is this function? Or which mistake?

An optimizer is run on gradients chosen so that no two entries of the catalogue agree on all of
them. Its steps are then compared with those of every dialect (`adamlib.adam_step`), of every
mistake in `MISTAKES`, and of every pair of mistakes. What is named fits on every probe; what
fits nothing is called unknown, with the first input on which it differs from the nearest entry.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .adam import adam_step, init_state
from .checks import check_hyperparameters
from .dialects import DIALECTS

MISTAKES = {
    "eps-inside-root": "eps is added inside the root, √(v̂ + ε), where it acts like √ε outside.",
    "eps-added-to-quotient": "eps is added to the quotient, m̂/√v̂ + ε, not to the denominator.",
    "eps-missing": "There is no eps, so that a zero gradient divides by zero.",
    "no-bias-correction": "Neither m nor v is divided by 1 − βᵗ.",
    "only-m-corrected": "m is divided by 1 − β₁ᵗ, but v not by 1 − β₂ᵗ.",
    "only-v-corrected": "v is divided by 1 − β₂ᵗ, but m not by 1 − β₁ᵗ.",
    "step-frozen-at-1": "The step count t stays 1, so the corrections never fade.",
    "step-starts-at-0": "The first step has t = 0, so that both corrections divide by zero.",
    "step-starts-at-2": "The first step has t = 2, so the corrections are too weak.",
    "step-per-parameter": "t advances once per parameter, not once per step.",
    "betas-swapped": "β₁ and β₂ are swapped.",
    "average-weights-swapped": "The weights are swapped: (1 − β)·m + β·g, and so for v.",
    "v-uses-beta1": "v is averaged with β₁.",
    "v-of-g-not-squared": "v averages the gradient, not its square.",
    "corrected-moments-stored": "The corrected moments are written back and corrected again.",
    "state-reset-every-call": "The moments begin at zero again on every call.",
    "no-square-root": "The root of v̂ is missing from the denominator.",
    "moments-share-a-buffer": "m and v are one and the same array.",
    "ascent": "The step is added: the function climbs.",
    "gradient-mutated": "The caller's gradient is changed.",
    "decay-not-times-lr": "Decoupled weight decay is not multiplied by the learning rate.",
    "decay-in-the-wrong-place": "Weight decay enters where no Adam and no AdamW has it.",
    "amsgrad-max-not-kept": "AMSGrad's maximum is not kept from step to step.",
}
"""The catalogue of mistakes found in published code: slug → what is wrong."""

RTOL, RTOL32 = 1e-9, 2e-5
STEPS = 24

Factory = Callable[[list], Any]


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

    verdict: Literal["dialect", "mistake", "unknown", "error"]
    names: tuple[str, ...] = ()
    first_difference: Difference | None = None
    mutates_grad: bool = False
    precision: Literal["float64", "float32"] = "float64"
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
            yield "This is no Adam that the catalogue knows, nor one with two known mistakes."
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
    kind: Literal["numpy", "torch"] | None = None,
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

    Raises
    ------
    ValueError, TypeError
        For the hyperparameters, as `adamlib.adam_step`; ``Unknown kind: 'jax' (expected numpy
        or torch)``.

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

    Notes
    -----
    Taught in: notebook 07.
    """
    check_hyperparameters(lr, betas, eps, weight_decay)
    if kind not in (None, "numpy", "torch"):
        raise ValueError(f"Unknown kind: {kind!r} (expected numpy or torch)")
    told = Told(float(lr), tuple(map(float, betas)), float(eps), float(weight_decay), bool(amsgrad))
    probe = make_probe(told)
    observed = _observe(factory, probe, kind)
    if observed.error:
        return Identification("error", mutates_grad=observed.mutates_grad, message=observed.error)
    return _judge(observed, probe, told)


@dataclass(frozen=True)
class Told:
    """The hyperparameters that an optimizer is said to have."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    amsgrad: bool


@dataclass(frozen=True)
class Probe:
    """Parameters to start from and the gradients of every step, one column a number.

    Attributes
    ----------
    start : ndarray, shape (numbers,)
    grads : ndarray, shape (steps, numbers)
    shapes : tuple of shapes
        How the numbers are cut into parameters.
    """

    start: NDArray
    grads: NDArray
    shapes: tuple[tuple[int, ...], ...]

    def cut(self, row: NDArray) -> list[NDArray]:
        """Cut a row of numbers into fresh arrays of the parameters' shapes."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        parts = np.split(row, ends)
        return [part.reshape(s).copy() for part, s in zip(parts, self.shapes, strict=True)]

    @property
    def parameter_index(self) -> NDArray:
        """Number of the parameter that each number belongs to, from 0."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        return np.repeat(np.arange(len(sizes)), sizes)


def make_probe(told: Told, seed: int = 0) -> Probe:
    """Build the gradients that tell the entries apart at these hyperparameters.

    Steady, alternating, shrinking and growing runs from 1e2 down to 1e-10 and around eps and
    √eps, zeros before and after, a negative first gradient, noise; parameters that start at
    zero, where a step is exact, and large ones, where decay shows.
    """
    t = np.arange(STEPS)
    ones = np.ones(STEPS)
    sizes = [1.0, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e2]
    sizes += [s for s in (told.eps, told.eps**0.5) if s > 0]
    steady = [(-1) ** i * size * ones for i, size in enumerate(sizes)]
    alternating = [-size * (-1.0) ** t for size in (1.0, 1e-4, 1e-8)]
    drifting = [10.0 ** (2 - t / 2), -(10.0 ** (-10 + t / 2)), np.where(t < 8, 1.0, 1e-3)]
    zeros = [0 * ones, np.where(t < 3, 0.0, 1.0), np.where(t < 2, -1.0, 0.0)]
    noise = np.random.default_rng(seed).standard_normal((6, STEPS)) * 10.0 ** -np.arange(6)[:, None]
    columns = [*steady, *alternating, *drifting, *zeros, *noise]
    large = [steady[0], alternating[0], drifting[0], zeros[0], noise[0], noise[3]]
    start = np.concatenate([np.zeros(len(columns)), np.resize([100.0, -3.0, 0.5], len(large))])
    grads = np.array([*columns, *large]).T
    rest = len(start) - 5
    return Probe(start, grads, ((rest - 4,), (2, 2), (5,)))


@dataclass(frozen=True)
class Observed:
    """What an optimizer did with a probe: the parameters before every step and at the end."""

    path: NDArray
    mutates_grad: bool = False
    error: str = ""
    steps: int = 0


def _observe(factory: Factory, probe: Probe, kind: str | None) -> Observed:
    """Run an optimizer on a probe; whatever it raises is reported, not raised."""
    if not callable(factory):
        return Observed(probe.start[None], error=f"{factory!r} cannot be called")
    runners = {"numpy": _numpy_stepper, "torch": _torch_stepper}
    tried = [_run(runners[k], factory, probe) for k in ([kind] if kind else runners)]
    for observed in tried:
        if not observed.error:
            return observed
    return max(tried, key=lambda observed: observed.steps)


def _run(make_stepper: Callable, factory: Factory, probe: Probe) -> Observed:
    path, mutates, steps = [probe.start], False, 0
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            step = make_stepper(factory, probe.cut(probe.start))
            for row in probe.grads:
                params, changed = step(probe.cut(row))
                path.append(_joined(params, probe))
                mutates, steps = mutates or changed, steps + 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a learner's function may raise anything
        message = f"{type(error).__name__}: {error}"
        if isinstance(error, ZeroDivisionError):
            message += f", in step {steps + 1}. 1 − βᵗ is zero where t = 0."
        return Observed(np.array(path), mutates, message, steps)
    return Observed(np.array(path), mutates)


def _joined(params: object, probe: Probe) -> NDArray:
    if not isinstance(params, (list, tuple)) or len(params) != len(probe.shapes):
        raise TypeError(f"step returned no list of {len(probe.shapes)} arrays")
    arrays = [np.asarray(param, dtype=np.float64) for param in params]
    for array, shape in zip(arrays, probe.shapes, strict=True):
        if array.shape != shape:
            raise ValueError(f"step returned an array of shape {array.shape} (expected {shape})")
    return np.concatenate([array.ravel() for array in arrays])


def _numpy_stepper(factory: Factory, params: list[NDArray]) -> Callable:
    step = factory(params)
    if not callable(step):
        raise TypeError(f"the factory returned {type(step).__name__} (expected a function)")

    def run(grads: list[NDArray]) -> tuple[object, bool]:
        given = [grad.copy() for grad in grads]
        returned = step(grads)
        changed = not all(
            np.array_equal(a, b, equal_nan=True) for a, b in zip(given, grads, strict=True)
        )
        return (params if returned is None else returned), changed

    return run


def _torch_stepper(factory: Factory, params: list[NDArray]) -> Callable:
    import torch

    parameters = [torch.nn.Parameter(torch.from_numpy(param)) for param in params]
    optimizer = factory(parameters)

    def run(grads: list[NDArray]) -> tuple[object, bool]:
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        optimizer.step()
        changed = not all(
            p.grad is not None and np.array_equal(p.grad.numpy(), g, equal_nan=True)
            for p, g in zip(parameters, grads, strict=True)
        )
        return [parameter.detach().numpy() for parameter in parameters], changed

    return run


def from_optax(transformation: Any) -> Factory:
    """Make of an optax gradient transformation what `identify` takes.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        ``optax.adam(1e-3)``, say.

    Returns
    -------
    callable
        Runs the transformation in float64, whatever JAX's default is.
    """

    def factory(params: list[NDArray]) -> Callable:
        import jax
        import optax

        with jax.enable_x64(True):
            values = [jax.numpy.asarray(param) for param in params]
            state = transformation.init(values)

        def step(grads: list[NDArray]) -> list[NDArray]:
            nonlocal values, state
            with jax.enable_x64(True):
                updates, state = transformation.update(
                    [jax.numpy.asarray(grad) for grad in grads], state, values
                )
                values = optax.apply_updates(values, updates)
                return [np.asarray(value) for value in values]

        return step

    return factory


# The entries of the catalogue, as data and as the paths that they take through a probe.


@dataclass(frozen=True)
class Variant:
    """Algorithm 1 with switches for everything that people get wrong; the default is right."""

    eps: str = "outside"
    corrects_m: bool = True
    corrects_v: bool = True
    clock: str = "right"
    swapped_betas: bool = False
    swapped_weights: bool = False
    v_beta: str = "beta2"
    v_of: str = "square"
    stored: str = "raw"
    reset: bool = False
    root: bool = True
    shared: bool = False
    sign: float = -1.0
    decay: str = "none"
    amsgrad: str = "none"


CHANGES: dict[str, tuple[dict[str, Any], ...]] = {
    "eps-inside-root": (dict(eps="inside"),),
    "eps-added-to-quotient": (dict(eps="added"),),
    "eps-missing": (dict(eps="missing"),),
    "no-bias-correction": (dict(corrects_m=False, corrects_v=False),),
    "only-m-corrected": (dict(corrects_v=False),),
    "only-v-corrected": (dict(corrects_m=False),),
    "step-frozen-at-1": (dict(clock="frozen"),),
    "step-starts-at-0": (dict(clock="from 0"),),
    "step-starts-at-2": (dict(clock="from 2"),),
    "step-per-parameter": (dict(clock="per parameter"),),
    "betas-swapped": (dict(swapped_betas=True),),
    "average-weights-swapped": (dict(swapped_weights=True),),
    "v-uses-beta1": (dict(v_beta="beta1"), dict(v_beta="beta1 throughout")),
    "v-of-g-not-squared": (dict(v_of="gradient"),),
    "corrected-moments-stored": (dict(stored="corrected"),),
    "state-reset-every-call": (dict(reset=True), dict(reset=True, clock="frozen")),
    "no-square-root": (dict(root=False),),
    "moments-share-a-buffer": (dict(shared=True),),
    "ascent": (dict(sign=1.0),),
    "decay-not-times-lr": (dict(decay="not times lr"),),
    "decay-in-the-wrong-place": (
        dict(decay="after"),
        dict(decay="in the quotient"),
        dict(decay="times corrected lr"),
        dict(decay="in m only"),
    ),
    "amsgrad-max-not-kept": (dict(amsgrad="none"), dict(amsgrad="last two")),
}


def _relevant(told: Told) -> list[str]:
    """Give the mistakes that can be made with these options."""
    skipped = set()
    if not told.weight_decay:
        skipped |= {"decay-not-times-lr", "decay-in-the-wrong-place"}
    if not told.amsgrad:
        skipped |= {"amsgrad-max-not-kept"}
    return [name for name in CHANGES if name not in skipped]


def _bases(told: Told) -> list[Variant]:
    """Give the right Adams that a mistake may start from: with L2 decay and with decoupled."""
    right = Variant(amsgrad="max of v" if told.amsgrad else "none")
    decays = ("L2", "before") if told.weight_decay else ("none",)
    return [replace(right, decay=decay) for decay in decays]


def _mistaken(told: Told, names: Sequence[str]) -> Iterator[Variant]:
    """Give every variant that makes all of these mistakes, each once."""
    found = set()
    for base in _bases(told):
        changes: list[dict[str, Any]] = [{}]
        for name in names:
            changes = [
                {**change, **further}
                for change in changes
                for further in CHANGES[name]
                if not change.keys() & further.keys()
            ]
        found |= {replace(base, **change) for change in changes}
    yield from sorted(found, key=repr)


def variant_path(variant: Variant, probe: Probe, told: Told) -> NDArray:
    """Run a variant on a probe; return the parameters before every step and at the end.

    Returns
    -------
    ndarray of float64, shape (steps + 1, numbers)
    """
    memory = {name: np.zeros_like(probe.start) for name in ("m", "v", "largest", "last")}
    path = [probe.start]
    index, count = probe.parameter_index, len(probe.shapes)
    clocks = {
        "right": lambda t: t,
        "frozen": lambda t: 1,
        "from 0": lambda t: t - 1,
        "from 2": lambda t: t + 1,
        "per parameter": lambda t: (t - 1) * count + index + 1,
    }
    with np.errstate(all="ignore"):
        for t, grad in enumerate(probe.grads, start=1):
            path.append(_mistaken_step(variant, told, path[-1], grad, memory, clocks, t))
    return np.array(path)


def _mistaken_step(
    variant: Variant,
    told: Told,
    param: NDArray,
    grad: NDArray,
    memory: dict[str, NDArray],
    clocks: dict[str, Callable],
    t: int,
) -> NDArray:
    """Take one step of a variant; ``memory`` is updated."""
    beta1, beta2 = told.betas[::-1] if variant.swapped_betas else told.betas
    v_beta = beta2 if variant.v_beta == "beta2" else beta1
    clock = np.asarray(clocks[variant.clock](t), dtype=np.float64)
    correction1 = 1 - beta1**clock
    correction2 = 1 - (beta1 if variant.v_beta == "beta1 throughout" else beta2) ** clock
    decay, lr = told.weight_decay, told.lr

    raw = grad
    if variant.decay == "L2":
        grad = raw = grad + decay * param
    elif variant.decay == "in m only":
        grad = grad + decay * param
    elif variant.decay == "before":
        param = param * (1 - lr * decay)
    elif variant.decay == "not times lr":
        param = param * (1 - decay)

    m, v = (0.0, 0.0) if variant.reset else (memory["m"], memory["v"])
    m = _averaged(m, grad, beta1, variant)
    v = _averaged(
        m if variant.shared else v, raw**2 if variant.v_of == "square" else raw, v_beta, variant
    )
    m = v if variant.shared else m
    m_hat = m / correction1 if variant.corrects_m else m
    largest = _amsgrad(variant, memory, v)
    v_hat = largest / correction2 if variant.corrects_v else largest
    memory["m"], memory["v"] = (m_hat, v_hat) if variant.stored == "corrected" else (m, v)

    quotient = _quotient(variant, m_hat, v_hat, told.eps)
    if variant.decay == "in the quotient":
        quotient = _quotient(variant, m_hat + decay * param, v_hat, told.eps)
    elif variant.decay == "times corrected lr":
        quotient = quotient + decay * param * np.sqrt(correction2) / correction1
    param = param + variant.sign * lr * quotient
    return param * (1 - lr * decay) if variant.decay == "after" else param


def _averaged(average: Any, value: NDArray, beta: float, variant: Variant) -> NDArray:
    kept = 1 - beta if variant.swapped_weights else beta
    return kept * average + (1 - kept) * value


def _amsgrad(variant: Variant, memory: dict[str, NDArray], v: NDArray) -> NDArray:
    """Return what is divided by, before correction and root."""
    if variant.amsgrad == "max of v":
        memory["largest"] = np.maximum(memory["largest"], v)
        return memory["largest"]
    if variant.amsgrad == "last two":
        last, memory["last"] = memory["last"], v
        return np.maximum(last, v)
    return v


def _quotient(variant: Variant, m: NDArray, v: NDArray, eps: float) -> NDArray:
    power = 0.5 if variant.root else 1.0
    if variant.eps == "inside":
        return m / (v + eps) ** power
    if variant.eps == "added":
        return m / v**power + eps
    return m / (v**power + (eps if variant.eps == "outside" else 0.0))


def dialect_path(name: str, probe: Probe, told: Told, decoupled: bool) -> NDArray:
    """Run a dialect on a probe; as `variant_path`."""
    param, path = probe.start, [probe.start]
    state = init_state(param, told.amsgrad)
    options = dict(lr=told.lr, betas=told.betas, eps=told.eps, amsgrad=told.amsgrad)
    options |= dict(weight_decay=told.weight_decay, decoupled_weight_decay=decoupled)
    for grad in probe.grads:
        param, state = adam_step(param, grad, state, dialect=name, **options)
        path.append(param)
    return np.array(path)


def _dialect_paths(probe: Probe, told: Told) -> Iterator[tuple[str, NDArray]]:
    """Give every dialect that has the options, with its path; decay coupled and decoupled."""
    for name, rule in DIALECTS.items():
        if told.amsgrad and rule.amsgrad is None:
            continue
        for decoupled in (False, True) if told.weight_decay else (False,):
            if not decoupled or rule.decoupled_weight_decay:
                yield name, dialect_path(name, probe, told, decoupled)


# The comparison.


def _misfits(path: NDArray, expected: NDArray, rtol: float, decay: float = 0.0) -> NDArray:
    """Say where two paths take different steps: a mask of shape (steps, numbers).

    ``decay`` is the share of a parameter that decoupled decay takes off. It may cancel the rest
    of a step, and what remains is then less exact than either; so it counts for itself.
    """
    with np.errstate(all="ignore"):
        coarse = rtol == RTOL32 and np.array_equal(path[1:], np.float32(path[1:]), equal_nan=True)
        unit = np.finfo(np.float32 if coarse else np.float64).eps
        got, wanted = np.diff(path, axis=0), np.diff(expected, axis=0)
        size = np.maximum(np.abs(path), np.abs(expected))
        slack = 4 * unit * np.maximum(size[1:], size[:-1])
        scale = np.abs(wanted) + decay * size[:-1]
        close = np.abs(got - wanted) <= rtol * scale + slack
        same = (path[1:] == expected[1:]) | (np.isnan(path[1:]) & np.isnan(expected[1:]))
    return ~(close & np.isfinite(slack) | same)


def _judge(observed: Observed, probe: Probe, told: Told) -> Identification:
    path, mutates = observed.path, observed.mutates_grad
    dialects = list(_dialect_paths(probe, told))
    mistakes = [
        (name, variant_path(variant, probe, told))
        for name in _relevant(told)
        for variant in _mistaken(told, [name])
    ]
    # An exact pair before an approximate single: what fits to 1e-9 fits by no accident.
    decay = told.lr * told.weight_decay
    for rtol, precision in ((RTOL, "float64"), (RTOL32, "float32")):
        names, pairs = _fitting([*dialects, *mistakes], path, rtol, decay), ()
        if not names:
            pairs = _fitting_pairs(path, probe, told, rtol)
            names = pairs[0] if pairs else ()
        if names:
            known = any(name in DIALECTS for name in names) and not mutates
            difference = None if known else _difference(dialects, path, probe, rtol)
            names = ("gradient-mutated", *names) if mutates else names
            verdict = "dialect" if known else "mistake"
            return Identification(verdict, names, difference, mutates, precision, pairs)
    difference = _difference([*dialects, *mistakes], path, probe, RTOL32)
    if not np.isfinite(path).all() and all(np.isfinite(p).all() for _, p in dialects):
        message = f"it gives numbers that are not finite. {difference}"
        return Identification("error", mutates_grad=mutates, message=message)
    return Identification("unknown", first_difference=difference, mutates_grad=mutates)


def _fitting(
    entries: Sequence[tuple[str, NDArray]], path: NDArray, rtol: float, decay: float
) -> tuple[str, ...]:
    fits = [name for name, expected in entries if not _misfits(path, expected, rtol, decay).any()]
    return tuple(dict.fromkeys(fits))


def _fitting_pairs(
    path: NDArray, probe: Probe, told: Told, rtol: float
) -> tuple[tuple[str, str], ...]:
    # A few steps settle most pairs; only what survives them is run to the end.
    short = replace(probe, grads=probe.grads[:3])
    fitting = []
    for pair in combinations(_relevant(told), 2):
        for variant in _mistaken(told, pair):
            if _misfits(path[:4], variant_path(variant, short, told), rtol).any():
                continue
            if not _misfits(path, variant_path(variant, probe, told), rtol).any():
                fitting.append(pair)
    return tuple(dict.fromkeys(fitting))


def _difference(
    entries: Sequence[tuple[str, NDArray]], path: NDArray, probe: Probe, rtol: float
) -> Difference | None:
    """Find the first step on which a path leaves the entry that it follows most closely."""
    misfits = [(_misfits(path, expected, rtol), name, expected) for name, expected in entries]
    misfit, name, expected = min(misfits, key=lambda entry: entry[0].sum())
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
