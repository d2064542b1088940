"""Move a setting or a state from one Adam to another.

`convert_eps` says which eps of another dialect takes the same step. `convert_state` moves what an
optimizer remembers between the layouts of torch, adamlib, optax, Keras and hand-written code.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import check_count, check_hyperparameters
from .dialects import DIALECTS, Dialect, find_dialect
from .moments import bias_correction
from .state import HYPERPARAMETERS, MOMENTS, AdamState, moments_used

UNDER_THE_ROOT = ("inside", "inside-uncorrected")
DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
NEEDED = {"torch": ("lr", "betas", "eps"), "adamlib": ("lr", "betas", "eps"), "keras": ("lr",)}
"""Hyperparameters that a layout holds, and that must be told where the source holds none."""

NO_MAXIMUM = (
    "AMSGrad cannot be carried: optax keeps the largest v̂, the others the largest v, and neither "
    "gives the other (expected a state without AMSGrad)"
)


def convert_eps(
    eps: float,
    source: str | Dialect,
    target: str | Dialect,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    step: int | None = None,
) -> float:
    r"""Return the eps with which ``target`` takes the step that ``source`` takes with ``eps``.

    Written with the raw moments, every step that divides is

    .. math::
        \alpha \, c_t \, \frac{m_t}{\sqrt{v_t} + e}
        \quad\text{or}\quad
        \alpha \, c_t \, \frac{m_t}{\sqrt{v_t + e}}.

    Two dialects take the same step, whatever the gradients are, if they have the same one of the
    two forms, the same :math:`c_t` and the same :math:`e`.

    ======================  ===============================  ==============================
    eps_placement           e                                form
    ======================  ===============================  ==============================
    ``outside``             ε·√(1−β₂ᵗ)                       √v + e
    ``hat``                 ε̂                                √v + e
    ``inside``              ε·(1−β₂ᵗ)                        √(v + e)
    ``inside-uncorrected``  ε                                √(v + e)
    ``none``                no eps: refused                  no division
    ======================  ===============================  ==============================

    :math:`c_t` is √(1−β₂ᵗ)/(1−β₁ᵗ), or 1 in a dialect that corrects nothing (BERT, MLX), where
    e = ε. So these two agree with the others late in training only.

    Parameters
    ----------
    eps : float
        Finite, 0 or more, as ``source`` takes it.
    source, target : str or Dialect
        See `adamlib.DIALECTS`.
    betas : pair of floats (β₁, β₂)
        Each in [0, 1); the same in both.
    step : int or None
        The step t at which the two agree, 1 or more. None: late in training, where 1 − βᵗ is 1.
        Where the factor between the two depends on t, no one eps serves every step.

    Returns
    -------
    float
        For the same lr and the same gradients, and without weight decay and AMSGrad.

    Raises
    ------
    ValueError
        ``no eps of 'pytorch' takes the steps of 'fastai-lesson' with eps=1e-05: …`` where one
        stands under the root and the other outside (unless it is 0); where one corrects the bias
        and the other does not, at a step at which that shows; where one has no eps at all.
        ``Invalid step: 0 (expected 1 or more)``; bad hyperparameters.
    TypeError
        ``step must be a whole number or None, got 1.5``; bad hyperparameters.

    Examples
    --------
    Keras adds its 1e-7 before the correction. At the first step that is as 3e-6 is in PyTorch,
    late in training as 1e-7:

    >>> print(f"{convert_eps(1e-7, 'keras', 'pytorch', step=1):.2e}")
    3.16e-06
    >>> convert_eps(1e-7, "keras", "pytorch")
    1e-07

    Notes
    -----
    Source: Kingma & Ba 2015, end of §2 (ε̂). Taught in: notebook 05.
    """
    rules = old, new = find_dialect(source), find_dialect(target)
    check_hyperparameters(1e-3, betas, eps, 0.0)
    corrections = _corrections(betas, step)
    eps, asked = float(eps), f"no eps of {new.name!r} takes the steps of {old.name!r} with {eps=:g}"
    for rule in rules:
        if rule.eps_placement == "none":
            raise ValueError(f"{asked}: {rule.name!r} has no eps")
    lengths = [_length(rule, *corrections) for rule in rules]
    if not math.isclose(*lengths, rel_tol=1e-12):
        raise ValueError(
            f"{asked} at step {step}: they differ in what is corrected, which makes the step "
            f"{lengths[0] / lengths[1]:.3g} times as long even without eps (expected step=None, "
            "late in training)"
        )
    if eps and _is_under_the_root(old) != _is_under_the_root(new):
        alike = f"eps={eps**2 if _is_under_the_root(new) else math.sqrt(eps):g}"
        raise ValueError(
            f"{asked}: one adds eps to the root, the other under it, and √v + a is √(v + b) for "
            f"one v only (late in training {alike} agrees where v is 0)"
        )
    return eps * (_weight(old, corrections[1]) / _weight(new, corrections[1]))


def _corrections(betas: tuple[float, float], step: int | None) -> tuple[float, float]:
    """Return 1 − β₁ᵗ and 1 − β₂ᵗ; late in training both are 1."""
    if step is None:
        return 1.0, 1.0
    if not isinstance(step, Integral) or isinstance(step, bool):
        raise TypeError(f"step must be a whole number or None, got {step!r}")
    check_count("step", step, 1)
    beta1, beta2 = betas
    return bias_correction(beta1, int(step)), bias_correction(beta2, int(step))


def _length(rule: Dialect, bias_correction1: float, bias_correction2: float) -> float:
    """Return c of `convert_eps`: the step in units of lr·m/√v, without eps."""
    root = math.sqrt(bias_correction2) if rule.corrects_exp_avg_sq else 1.0
    return root / (bias_correction1 if rule.corrects_exp_avg else 1.0)


def _weight(rule: Dialect, bias_correction2: float) -> float:
    """Return e/ε of `convert_eps`."""
    if not rule.corrects_exp_avg_sq:
        return 1.0
    return {"outside": math.sqrt(bias_correction2), "inside": bias_correction2}.get(
        rule.eps_placement, 1.0
    )


def _is_under_the_root(rule: Dialect) -> bool:
    return rule.eps_placement in UNDER_THE_ROOT


def convert_state(
    state: Any,
    source: str,
    target: str,
    *,
    lr: float | None = None,
    betas: tuple[float, float] | None = None,
    eps: float | None = None,
) -> Any:
    r"""Return what an Adam remembers in the layout of another library, to the last bit.

    ===========  ==========================================================================
    layout       what ``state`` is
    ===========  ==========================================================================
    ``torch``    ``torch.optim.Adam(…).state_dict()``, AdamW's and `adamlib.pytorch`'s too
    ``adamlib``  ``adamlib.Adam(…).state_dict()``
    ``optax``    the state of a chain that holds one ``ScaleByAdamState(count, mu, nu)``; given
                 back as ``optax.adam`` has it: put its first entry into the state of your chain
    ``keras``    ``optimizer.variables``, or the same as a list of arrays or as the dict that
                 ``save_own_variables`` fills; given back for ``load_own_variables`` of an optimizer
                 without a schedule
    ``numpy``    ``dict(m=…, v=…, t=…)``: m and v an array, a list or a dict of arrays, and with
                 AMSGrad ``v_max``, the largest v so far
    ===========  ==========================================================================

    Moments are copied, number for number, in their dtype. What a layout cannot hold:

    =====================  ================================================================
    cannot be carried      and so
    =====================  ================================================================
    lr, betas, eps         optax and NumPy hold none, Keras only lr (in float32, unless its
                           ``floatx`` is another): tell them, or it is a ValueError. A target that
                           holds none leaves them out. eps is taken as it is: `convert_eps`
                           translates it.
    other hyperparameters  weight decay, ``maximize`` and torch's flags reach torch and adamlib
                           only; from elsewhere they are those of ``torch.optim.Adam``
    a count a parameter    optax, Keras and NumPy count once for all: refused where counts differ,
                           or where a parameter has taken no step
    parameter groups       torch only; optax and NumPy take the parameters of all groups in a row,
                           adamlib and Keras refuse
    AMSGrad's maximum      optax keeps the largest v̂, the others the largest v, and neither gives
                           the other: refused
    complex moments        torch, adamlib and NumPy keep a v of the real and of the imaginary part,
                           optax one of both, Keras g²: refused
    bfloat16               needs ml_dtypes, which JAX brings; adamlib has none: refused
    float64                JAX needs ``jax_enable_x64``: refused without
    a dialect              torch's Adam takes the steps of Algorithm 1: others are refused
    names                  kept where parameters stand in a flat dict (``param_names`` in torch and
                           adamlib), in the order of ``jax.tree.leaves`` from optax; Keras has none
    parameters             no layout holds them. Shapes stay as they are: a Keras ``Dense`` kernel
                           is the transpose of the weight of a torch ``Linear``
    =====================  ================================================================

    Parameters
    ----------
    state
        As the first table says; not changed, and nothing that is returned shares its memory.
    source, target : {"torch", "adamlib", "optax", "keras", "numpy"}
    lr, betas, eps
        As `adamlib.adam_step` takes them; they win over what ``state`` says.

    Returns
    -------
    dict or tuple
        Tensors on the CPU for torch.

    Raises
    ------
    ValueError
        ``a 'numpy' state holds no lr, betas, eps (expected them as arguments)``; what cannot be
        carried; ``Unknown source: 'jax' (expected one of torch, adamlib, optax, keras, numpy)``.
    TypeError
        ``m[0] must be an array, got float`` and the like.
    ModuleNotFoundError
        The library of ``target`` is not installed.

    Examples
    --------
    >>> state = dict(m=[np.array([0.1])], v=[np.array([0.001])], t=1)
    >>> moved = convert_state(state, "numpy", "adamlib", lr=0.1, betas=(0.9, 0.999), eps=1e-8)
    >>> moved["state"][0]
    {'step': array(1), 'exp_avg': array([0.1]), 'exp_avg_sq': array([0.001])}

    Notes
    -----
    Source: torch/optim/optimizer.py (``state_dict``); optax/_src/transform.py
    (``ScaleByAdamState``); keras/src/optimizers/adam.py and base_optimizer.py
    (``save_own_variables``). Taught in: notebook 04.
    """
    for role, name in (("source", source), ("target", target)):
        if name not in READERS:
            raise ValueError(f"Unknown {role}: {name!r} (expected one of {', '.join(READERS)})")
    told = _told(lr, betas, eps)
    memory = READERS[source](state)
    groups = [{**group, **told} for group in memory.groups]
    if missing := [name for name in NEEDED.get(target, ()) if name not in groups[0]]:
        raise ValueError(
            f"a {source!r} state holds no {', '.join(missing)} (expected them as arguments)"
        )
    return WRITERS[target](memory._replace(groups=groups))


def _told(lr: Any, betas: Any, eps: Any) -> dict[str, Any]:
    """Check the hyperparameters that are told; leave out those that are not."""
    told = {"lr": lr, "betas": betas, "eps": eps}
    told = {name: value for name, value in told.items() if value is not None}
    none = {"lr": 0.0, "betas": (0.0, 0.0), "eps": 0.0}
    check_hyperparameters(**(none | told), weight_decay=0.0)
    plain = {"lr": float, "betas": lambda pair: tuple(map(float, pair)), "eps": float}
    return {name: plain[name](value) for name, value in told.items()}


class Memory(NamedTuple):
    """What an optimizer remembers, of no library.

    Attributes
    ----------
    states : dict
        Place of the parameter → its state, as NumPy arrays of their own.
    groups : list of dict
        At least one; torch's names, and only what the source holds. ``params`` are the places.
    names : list of str or None
        Of the parameters, in the order of their places.
    """

    states: dict[int, AdamState]
    groups: list[dict[str, Any]]
    names: list[str] | None = None


# Reading.


def _read_state_dict(state: Any) -> Memory:
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= state.keys():
        raise ValueError(f"state is {_shown(state)} (expected a dict of state and param_groups)")
    if not state["param_groups"]:
        raise ValueError("state has no parameter groups (expected one or more)")
    states = {}
    for group in state["param_groups"]:
        keys = moments_used(bool(group.get("amsgrad")))
        for place in group["params"]:
            if entries := state["state"].get(place):
                if absent := [key for key in ("step", *keys) if key not in entries]:
                    raise ValueError(f"state[{place}] has no {absent[0]!r} (expected an Adam's)")
                named = {f"state[{place}][{key!r}]": entries[key] for key in keys}
                states[place] = _state(entries["step"], named)
    groups = deepcopy(list(state["param_groups"]))
    names = [name for group in groups for name in group.get("param_names", ())]
    return Memory(states, groups, names or None)


def _read_numpy(state: Any) -> Memory:
    if not isinstance(state, Mapping) or not {"m", "v", "t"} <= state.keys() <= {*"mvt", "v_max"}:
        raise ValueError(
            f"state is {_shown(state)} (expected a dict of m, v, t and, with AMSGrad, v_max)"
        )
    moments = {key: state[key] for key in ("m", "v", "v_max") if key in state}
    names = list(state["m"]) if isinstance(state["m"], Mapping) else None
    if names is not None:
        for key, values in moments.items():
            if not isinstance(values, Mapping) or values.keys() != state["m"].keys():
                raise ValueError(f"{key} is {_shown(values)} (expected the keys {names}, as m)")
        moments = {key: [values[name] for name in names] for key, values in moments.items()}
    return _in_a_row(state["t"], moments, names)


def _read_optax(state: Any) -> Memory:
    import jax

    found = list(_adam_states(state))
    if len(found) != 1:
        raise ValueError(f"state holds {len(found)} states of scale_by_adam (expected one)")
    if hasattr(found[0], "nu_max"):
        raise ValueError(NO_MAXIMUM)
    tree = found[0].mu
    flat = isinstance(tree, dict) and all(
        isinstance(name, str) and hasattr(value, "__array__") for name, value in tree.items()
    )
    moments = {"mu": jax.tree.leaves(tree), "nu": jax.tree.leaves(found[0].nu)}
    return _in_a_row(found[0].count, moments, sorted(tree) if flat else None)


def _adam_states(state: Any) -> Iterator[Any]:
    """Find the states of scale_by_adam and scale_by_amsgrad in that of a chain."""
    if type(state).__name__ in ("ScaleByAdamState", "ScaleByAmsgradState"):
        yield state
    elif isinstance(state, (tuple, list)):
        for entry in state:
            yield from _adam_states(entry)
    elif isinstance(state, Mapping):
        yield from _adam_states(list(state.values()))


def _read_keras(state: Any) -> Memory:
    if isinstance(state, Mapping) and set(state) == {str(i) for i in range(len(state))}:
        state = [state[str(i)] for i in range(len(state))]
    if not isinstance(state, (list, tuple)):
        raise ValueError(
            f"state is {_shown(state)} (expected optimizer.variables, or what save_own_variables "
            "fills)"
        )
    if any(isinstance(getattr(value, "name", None), str) for value in state):
        kinds = _by_name(state)
    elif len(state) >= 4 and len(state) % 2 == 0:
        kinds = dict(iteration=state[:1], learning_rate=state[1:2])
        kinds |= dict(momentum=state[2::2], velocity=state[3::2])
    else:
        raise ValueError(
            f"state holds {len(state)} arrays (expected iteration, learning_rate, and a momentum "
            "and a velocity a parameter; with AMSGrad or a schedule pass optimizer.variables, "
            "whose names say what they are)"
        )
    keys = [key for key in ("momentum", "velocity", "velocity_hat") if kinds.get(key)]
    memory = _in_a_row(kinds["iteration"][0], {key: kinds[key] for key in keys})
    for rate in kinds["learning_rate"]:  # none with a schedule
        memory.groups[0]["lr"] = float(_array("learning_rate", rate))
    return memory


def _by_name(variables: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Sort the variables of a Keras optimizer; their names end with what they are."""
    kinds = ("velocity_hat", "velocity", "momentum", "learning_rate", "iteration")
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for variable in variables:
        kind = next((kind for kind in kinds if variable.name.endswith(kind)), None)
        if kind is None:
            raise ValueError(
                f"{variable.name!r} has no place in another Adam's state (expected iteration, "
                "learning_rate, momentums and velocities)"
            )
        found[kind].append(variable)
    if len(found["iteration"]) != 1:
        raise ValueError(f"state holds {len(found['iteration'])} iterations (expected one)")
    return found


def _in_a_row(step: Any, moments: dict[str, Any], names: list[str] | None = None) -> Memory:
    """Read lists of moments, which belong to each other in this order and share one count."""
    rows = {k: list(m) if isinstance(m, (list, tuple)) else [m] for k, m in moments.items()}
    lengths = {len(row) for row in rows.values()}
    if len(rows) < 2 or len(lengths) != 1 or lengths == {0}:
        shown = ", ".join(f"{len(row)} {key}" for key, row in rows.items())
        raise ValueError(f"state holds {shown} (expected as many of each, one or more)")
    states = {
        i: _state(step, {f"{key}[{i}]": row[i] for key, row in rows.items()})
        for i in range(lengths.pop())
    }
    group: dict[str, Any] = {"params": list(states), "amsgrad": len(rows) == 3}
    return Memory(states, [group if names is None else group | {"param_names": names}], names)


def _state(step: Any, moments: dict[str, Any]) -> AdamState:
    """Check and copy the state of one parameter; the moments go by the names they are called."""
    arrays = {name: _array(name, moment) for name, moment in moments.items()}
    first, *_ = arrays.values()
    for name, array in arrays.items():
        if (array.shape, array.dtype) != (first.shape, first.dtype):
            raise ValueError(
                f"{name} has shape {array.shape} and dtype {array.dtype} (expected {first.shape} "
                f"and {first.dtype}, as the first moment)"
            )
    return AdamState(_whole(step), *arrays.values())


def _whole(step: Any) -> int:
    value = getattr(step, "value", step)  # a Keras variable has its array there
    try:
        number = math.nan if isinstance(value, (str, bytes, bool)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number >= 0 and number.is_integer()):
        raise ValueError(f"the step count is {step!r} (expected a whole number, 0 or more)")
    return int(number)


def _shown(state: Any) -> str:
    if isinstance(state, Mapping):
        return f"a dict with the keys {list(state)}"
    return f"a {type(state).__name__}"


def _array(name: str, value: Any) -> NDArray:
    """Copy an array of any library to NumPy, bit for bit."""
    value = getattr(value, "value", value)  # a Keras variable
    if hasattr(value, "detach"):
        value = _from_tensor(name, value.detach().cpu())
    if not hasattr(value, "__array__"):
        raise TypeError(f"{name} must be an array, got {type(value).__name__}")
    array = np.array(value, order="C")
    if array.dtype.name not in DTYPES:
        raise TypeError(f"{name} must be a float array, got dtype {array.dtype}")
    return array


def _from_tensor(name: str, tensor: Any) -> Any:
    import torch

    if tensor.dtype != torch.bfloat16:
        return tensor.numpy()
    try:
        from ml_dtypes import bfloat16
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} has dtype bfloat16, which needs ml_dtypes, which is not installed"
        ) from error
    return tensor.contiguous().view(torch.int16).numpy().view(bfloat16)


# Writing.


def _write_torch(memory: Memory) -> dict[str, Any]:
    import torch

    for group in memory.groups:
        rule = find_dialect(group.get("dialect", "pytorch"))
        if not _steps_as_torch(rule, group):
            raise ValueError(
                f"dialect {rule.name!r} takes other steps than torch's Adam (expected 'pytorch': "
                "set it, and the eps that convert_eps gives, before you take the state)"
            )
    defaults = torch.optim.Adam([torch.zeros(1)]).state_dict()["param_groups"][0]
    groups = [{**defaults, **group} for group in memory.groups]
    for group in groups:
        group.pop("dialect", None)
    step_dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    states = {}
    for place, state in memory.states.items():
        step = torch.tensor(float(state.step), dtype=step_dtype, device="cpu")
        if int(step) != state.step:
            raise ValueError(f"step {state.step} is no {step_dtype} (expected a count below 2**24)")
        moments = zip(MOMENTS, state.moments, strict=False)
        states[place] = {"step": step} | {key: _tensor(moment) for key, moment in moments}
    return {"state": states, "param_groups": groups}


def _steps_as_torch(rule: Dialect, group: dict[str, Any]) -> bool:
    """Whether a dialect with the options of this group takes the steps of torch's Adam."""
    asked = ["eps_placement", "corrects_exp_avg", "corrects_exp_avg_sq"]
    asked += ["amsgrad"] if group.get("amsgrad") else []
    if group.get("weight_decay") and group.get("decoupled_weight_decay"):
        asked += ["decoupled_weight_decay", "decay_scale"]
    torch_s = DIALECTS["pytorch"]
    return all(getattr(rule, name) == getattr(torch_s, name) for name in asked)


def _tensor(array: NDArray) -> Any:
    import torch

    if array.dtype.name != "bfloat16":
        return torch.from_numpy(array)
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)


def _write_adamlib(memory: Memory) -> dict[str, Any]:
    group = {
        "weight_decay": 0.0,
        "decoupled_weight_decay": False,
        "amsgrad": False,
        "maximize": False,
        "dialect": "pytorch",
        **_one_group(memory, "adamlib.Adam"),
    }
    kept = {name: group[name] for name in (*HYPERPARAMETERS, "params")}
    kept |= {name: float(group[name]) for name in ("lr", "eps", "weight_decay")}
    kept |= {"betas": tuple(map(float, group["betas"]))}
    if memory.names is not None:
        kept["param_names"] = list(memory.names)
    states = {}
    for place, state in memory.states.items():
        if state.exp_avg.dtype.name == "bfloat16":
            raise TypeError(f"parameter {place} has dtype bfloat16 (expected one of NumPy's own)")
        states[place] = {"step": np.array(state.step)}
        states[place] |= dict(zip(MOMENTS, state.moments, strict=False))
    return {"state": states, "param_groups": [kept]}


def _write_numpy(memory: Memory) -> dict[str, Any]:
    step, moments = _one_count(memory, "hand-written code")
    rows = [list(row) for row in zip(*moments, strict=True)]
    if memory.names is not None:
        rows = [dict(zip(memory.names, row, strict=True)) for row in rows]
    return dict(zip(("m", "v", "v_max"), rows, strict=False)) | {"t": step}


def _write_optax(memory: Memory) -> tuple[Any, Any]:
    import jax
    import optax

    step, moments = _one_count(memory, "optax")
    if len(moments[0]) == 3:
        raise ValueError(NO_MAXIMUM)
    for mu, _ in moments:
        if mu.dtype.kind == "c":
            raise ValueError("complex moments cannot be carried: optax keeps one v for both parts")
        if mu.dtype == np.float64 and not jax.config.jax_enable_x64:
            raise ValueError("float64 moments need jax_enable_x64 (JAX would round to float32)")
    mu, nu = ([jax.numpy.array(m) for m in row] for row in zip(*moments, strict=True))
    if memory.names is not None:
        mu, nu = (dict(zip(memory.names, row, strict=True)) for row in (mu, nu))
    count = jax.numpy.array(step, jax.numpy.int32)
    return optax.ScaleByAdamState(count, mu, nu), optax.EmptyState()


def _write_keras(memory: Memory) -> dict[str, NDArray]:
    lr = float(_one_group(memory, "Keras")["lr"])
    step, moments = _one_count(memory, "Keras")
    if any(row[0].dtype.kind == "c" for row in moments):
        raise ValueError("complex moments cannot be carried: Keras squares the gradient as it is")
    values = [np.array(step), np.array(lr)]
    values += [moment for row in moments for moment in row[:2]]
    values += [moment for row in moments for moment in row[2:]]
    return {str(i): value for i, value in enumerate(values)}


def _one_group(memory: Memory, what: str) -> dict[str, Any]:
    if len(memory.groups) != 1:
        raise ValueError(f"state has {len(memory.groups)} parameter groups ({what} has one)")
    return memory.groups[0]


def _one_count(memory: Memory, what: str) -> tuple[int, list[list[NDArray]]]:
    """Return the number of steps that all parameters have taken, and their moments in a row."""
    places = [place for group in memory.groups for place in group["params"]]
    steps = [memory.states[place].step if place in memory.states else 0 for place in places]
    if len(set(steps)) != 1 or not memory.states:
        raise ValueError(
            f"the parameters have taken {steps} steps ({what} counts once for all, expected the "
            "same, and moments of each)"
        )
    moments = [memory.states[place].moments for place in places]
    if len({len(row) for row in moments}) != 1:
        raise ValueError(f"some parameters have AMSGrad, some not ({what} has it for all or none)")
    return steps[0], moments


READERS: dict[str, Callable[[Any], Memory]] = {
    "torch": _read_state_dict,
    "adamlib": _read_state_dict,
    "optax": _read_optax,
    "keras": _read_keras,
    "numpy": _read_numpy,
}
WRITERS: dict[str, Callable[[Memory], Any]] = {
    "torch": _write_torch,
    "adamlib": _write_adamlib,
    "optax": _write_optax,
    "keras": _write_keras,
    "numpy": _write_numpy,
}
