"""Adam and AdamW for torch, drop-in: equal to torch.optim bit for bit in the default dialect.

The bits are torch's because the operations are, in torch's order: ``lerp_`` for the first
moment, ``mul_`` and ``addcmul_`` for the second, ``addcdiv_`` for the step. For the algorithm
without these fusions read `adamlib.adam.adam_step`; every dialect but ``"pytorch"`` is that
function, and so is ``fused=True``, compiled (`adamlib.fused`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .adam import adam_step
from .checkpoints import FOR_TORCH, check_dict, groups_and_states, read_entry
from .checks import check_amsgrad_held, check_hyperparameters, check_options, check_pair
from .dialects import DIALECTS, Dialect, dialect_name, find_dialect
from .fused import Flat, Plan, check_compiler, prepare, run
from .state import FLAGS, MOMENTS, SIZES, AdamState, moments_used

PYTORCH = DIALECTS["pytorch"]
IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")
"""What says how a step is computed, not which: no state dict changes it."""
FUSED_FOREACH = "`fused` and `foreach` cannot be `True` together."
TENSOR_FOREACH = "{} as a Tensor is not supported for capturable=False and foreach=True"

Betas = Sequence[float | Tensor] | Tensor


class Adam(Optimizer):
    r"""`torch.optim.Adam`, written to be read, with a ``dialect``.

    .. math::
        \theta_t = \theta_{t-1} - \alpha \, \frac{m_t}{1-\beta_1^t} \Big/
        \Big( \frac{\sqrt{v_t}}{\sqrt{1-\beta_2^t}} + \epsilon \Big)

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) or of dict
        Real or complex floats; dicts are parameter groups, as in torch.
    lr : float or one-element Tensor
        α, finite, 0 or more.
    betas : pair of floats or of one-element Tensors
        (β₁, β₂), each in [0, 1); any sequence of two.
    eps : float
        ε, finite, 0 or more, added outside the root after the correction.
    weight_decay : float
        0 or more; L2 unless ``decoupled_weight_decay``.
    amsgrad, maximize, decoupled_weight_decay : bool
        As in torch.
    foreach : bool or None
        Update all tensors of a dtype and device at once; faster on a GPU, and the default
        there, as in torch. The bits are those of torch's foreach: in float32 and float64 the
        same as without, in half types and complex now and then another rounding.
    fused : bool or None
        True: the rule of `adamlib.adam_step`, in any dialect, compiled by ``torch.compile`` (C++
        on a CPU, Triton on a GPU), so that a step crosses memory once; see Notes.
    capturable, differentiable
        Taken so that the signature is torch's; True is refused.
    dialect : str or Dialect
        Which framework's Adam to be; see `adamlib.DIALECTS`.

    Raises
    ------
    ValueError
        ``optimizer got an empty parameter list``, ``Tensor lr must be 1-element``,
        ``capturable=True is not supported (expected False)``, ``dialect 'paper' has no amsgrad``.
    RuntimeError
        ```fused` and `foreach` cannot be `True` together.``, ``fused=True needs a C++ compiler,
        and none was found (expected g++ on the path, or CXX to name one; or fused=False)``.
    TypeError
        ``params[0] must hold floats, got dtype torch.int64``.

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.tensor([3.0, -1.0]))
    >>> optimizer = Adam([weight], lr=0.5)
    >>> weight.square().sum().backward()
    >>> optimizer.step()
    >>> weight.detach()
    tensor([ 2.5000, -0.5000])

    Notes
    -----
    State dicts go both ways between this class and `torch.optim.Adam`, those of
    ``torch.distributed.checkpoint`` too. As in torch, ``load_state_dict`` brings the other's
    hyperparameters along: eps, betas, and with the state of an AdamW
    ``decoupled_weight_decay=True``, which turns this Adam into AdamW. What only concerns the
    implementation (``foreach``, ``fused``, ``capturable``, ``differentiable``) stays this
    optimizer's own. Moments of a wrong shape, which torch takes, are refused; where both sides
    have names for the parameters, moments go by name. A parameter group holds ``dialect`` only
    where that is not ``"pytorch"``: so the keys are torch's, and a state dict without it leaves
    an optimizer its own.

    Under ``torch.compile`` a step runs as it is, uncompiled, with the same bits.

    ``fused=True`` compiles at the first step. On two CPU cores that took 7 s for one tensor and
    12 s for a network of 144, and no more for a larger one, since a program takes tensors of any
    length, eight at a time. torch keeps what it compiled on disk: the next process waited 2 to 4 s.
    A program is made for each dtype, device and set of flags (dialect, amsgrad, maximize, kind of
    decay), at most four for each: a lone tensor or several, short or long. Nothing else compiles
    anew: no schedule of lr, betas, eps or decay, no gradient that comes and goes. Steps equal
    those of `adam_step` and of torch's fused to rounding, not to the bit. float16 and bfloat16 are
    computed in float32 and rounded once, when they are stored. A failed compilation raises before
    anything is changed. GradScaler unscales the gradients first, as for ``fused=False``.

    Source: torch/optim/adam.py, ``_single_tensor_adam``; Kingma & Ba 2015, Algorithm 1.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        dialect: str | Dialect = "pytorch",
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
            "dialect": dialect,
        }
        _check_group(defaults)
        self._flats: dict[int, Flat] = {}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as torch does; changes nothing when it raises.

        Parameters
        ----------
        param_group : dict
            ``params`` and the hyperparameters in which the group differs from the defaults.

        """
        self._flats = {}
        super().add_param_group(param_group)
        try:
            _check_group(self.param_groups[-1])
        except (ValueError, TypeError, RuntimeError):
            self.param_groups.pop()
            raise

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Check and take over a complete state: the end of `load_state_dict` and unpickling."""
        loading = "defaults" not in state
        own = self.param_groups if loading else state["param_groups"]
        for group, mine in zip(state["param_groups"], own, strict=True):
            for name in FLAGS:
                group.setdefault(name, False)
            group.setdefault("dialect", mine.get("dialect", "pytorch"))
            group |= {name: mine.get(name) for name in IMPLEMENTATION}
            _check_group(group)
        for key, entry in state["state"].items():
            if loading and isinstance(key, Tensor):  # torch shares tensors of the right dtype
                entry |= {k: v.clone() for k, v in entry.items() if isinstance(v, Tensor)}
        super().__setstate__(state)
        self._flats = {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of another optimizer's state; changes nothing when it raises.

        Parameters
        ----------
        state_dict : dict
            From this class or from `torch.optim.Adam` or ``AdamW``, whatever their ``foreach``
            and ``fused``. Its hyperparameters replace those of this optimizer, as in torch. It
            is checked after the pre-hooks, which may mend it.

        Raises
        ------
        ValueError
            What does not fit: ``loaded exp_avg has shape (3,), its parameter has shape (2,)``.
        """
        check_dict(state_dict)
        last = self.register_load_state_dict_pre_hook(_checked_state_dict)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with the gradients in ``.grad``; parameters without one are skipped.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and the gradients anew; called once, with gradients enabled.

        Returns
        -------
        What ``closure`` returned, or None.

        Raises
        ------
        RuntimeError
            ``Adam does not support sparse gradients, please consider SparseAdam instead``,
            before anything is changed; with ``fused=True`` also ``fused=True could not compile
            the step for cpu: …``.
        ValueError
            ``amsgrad was switched on after the first step …``.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if torch.compiler.is_compiling():
            self._take_step_uncompiled()
        else:
            self._take_step()
        return loss

    def _take_step(self) -> None:
        ready = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        for group, params in zip(self.param_groups, ready, strict=True):
            self._check_step(group, params)
        planned = [
            self._plan_fused(group, params) if group["fused"] else None
            for group, params in zip(self.param_groups, ready, strict=True)
        ]
        for group, params, plan in zip(self.param_groups, ready, planned, strict=True):
            if plan is None:
                for param in params:
                    if not self.state[param]:
                        self.state[param] = _zero_state(param, group["amsgrad"])
                self._step_group(group, params)
            elif params:
                self._step_fused(params, *plan)

    # torch.compile would trace a step anew for each parameter
    _take_step_uncompiled = torch._disable_dynamo(_take_step)

    def _check_step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        if "dialect" in group:
            _check_numbers(group)
            _check_rule(group, find_dialect(group["dialect"]))
        elif not _are_plain(group["lr"], group["betas"], group["eps"], group["weight_decay"]):
            _check_numbers(group, floats_for_betas=True)
        for param in params:
            if param.grad.is_sparse:  # type: ignore[union-attr]  # it has one
                raise RuntimeError(
                    "Adam does not support sparse gradients, please consider SparseAdam instead"
                )
            if group["amsgrad"] and (state := self.state.get(param)):
                check_amsgrad_held(MOMENTS[-1] in state)

    def _step_group(self, group: dict[str, Any], params: list[Tensor]) -> None:
        rule = find_dialect(group.get("dialect", "pytorch"))
        if rule is not PYTORCH and rule != PYTORCH:
            for param in params:
                _step_dialect(param, self.state[param], group, rule)
        elif _wants_foreach(group, params):
            buckets = defaultdict(list)
            for param in params:
                buckets[param.device, param.dtype].append(param)
            for bucket in buckets.values():
                _step_foreach(bucket, [self.state[param] for param in bucket], group)
        else:
            for param in params:
                _step_single(param, self.state[param], group)

    def _plan_fused(
        self, group: dict[str, Any], params: list[Tensor]
    ) -> tuple[list[dict[str, Tensor]], Plan]:
        """Compile and check what a group needs, with states for the new; change nothing."""
        states = [self.state.get(p) or _zero_state(p, group["amsgrad"]) for p in params]
        return states, prepare(group, params, states, self._flats)

    def _step_fused(
        self, params: list[Tensor], states: list[dict[str, Tensor]], plan: Plan
    ) -> None:
        self.state.update(zip(params, states, strict=True))
        run(plan)


class AdamW(Adam):
    """`torch.optim.AdamW`: Adam with decoupled weight decay, 0.01 unless told otherwise.

    Parameters, errors and equality to the bit are those of `Adam`. Whatever state is loaded,
    the decay stays decoupled, as in torch.

    Examples
    --------
    >>> AdamW([torch.nn.Parameter(torch.ones(2))]).param_groups[0]["weight_decay"]
    0.01

    Notes
    -----
    Source: Loshchilov & Hutter 2019, Algorithm 2, but the decay is multiplied by lr, as in torch,
    where they multiply it by their schedule's factor only.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        dialect: str | Dialect = "pytorch",
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            foreach=foreach,
            fused=fused,
            capturable=capturable,
            differentiable=differentiable,
            dialect=dialect,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        for group in state["param_groups"]:
            group["decoupled_weight_decay"] = True
        super().__setstate__(state)


def _step_single(param: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Update one tensor in place, in the order of ``torch.optim.adam._single_tensor_adam``."""
    beta1, beta2 = _betas(group)
    lr, weight_decay = _scalar(group["lr"]), group["weight_decay"]
    grad: Any = param.grad
    if group["maximize"]:
        grad = -grad
    exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
    max_exp_avg_sq = state["max_exp_avg_sq"] if group["amsgrad"] else exp_avg_sq
    state["step"] += 1
    step = state["step"].item()
    bias_correction1, bias_correction2 = 1 - beta1**step, 1 - beta2**step

    if weight_decay != 0 and group["decoupled_weight_decay"]:
        param.mul_(1 - lr * weight_decay)
    elif weight_decay != 0:
        grad = grad.add(param, alpha=weight_decay)
    if param.is_complex():
        parts = (param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq)
        param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq = map(torch.view_as_real, parts)

    if isinstance(beta1, Tensor):
        beta1 = beta1.to(param)  # torch rounds it here, and neither β₂ nor the corrections
    # from here on printed in notebook 04
    exp_avg.lerp_(grad, 1 - beta1)
    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if group["amsgrad"]:
        torch.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    denom = (max_exp_avg_sq.sqrt() / bias_correction2**0.5).add_(group["eps"])
    param.addcdiv_(exp_avg, denom, value=-(lr / bias_correction1))


def _step_foreach(
    params: list[Tensor], states: list[dict[str, Tensor]], group: dict[str, Any]
) -> None:
    """Update tensors of one dtype and device at once, in the order of ``_multi_tensor_adam``."""
    beta1, beta2 = _betas(group)
    lr, weight_decay = group["lr"], group["weight_decay"]
    grads: Any = [param.grad for param in params]
    used = moments_used(group["amsgrad"])
    moments = [[state[name] for state in states] for name in used]
    if params[0].is_complex():
        params, grads, *moments = (
            [torch.view_as_real(t) for t in tensors] for tensors in (params, grads, *moments)
        )
    if group["maximize"]:
        grads = torch._foreach_neg(grads)
    torch._foreach_add_([state["step"] for state in states], 1)
    steps = [state["step"].item() for state in states]

    if weight_decay != 0 and group["decoupled_weight_decay"]:
        torch._foreach_mul_(params, 1 - lr * weight_decay)
    elif weight_decay != 0:
        grads = torch._foreach_add(grads, params, alpha=weight_decay)
    exp_avgs, exp_avg_sqs, max_exp_avg_sqs = moments[0], moments[1], moments[-1]

    torch._foreach_lerp_(exp_avgs, grads, 1 - beta1)
    torch._foreach_mul_(exp_avg_sqs, beta2)
    torch._foreach_addcmul_(exp_avg_sqs, grads, grads, value=1 - beta2)
    if group["amsgrad"]:
        torch._foreach_maximum_(max_exp_avg_sqs, exp_avg_sqs)
    denoms = torch._foreach_sqrt(max_exp_avg_sqs)
    torch._foreach_div_(denoms, [(1 - beta2**step) ** 0.5 for step in steps])
    torch._foreach_add_(denoms, group["eps"])
    step_sizes = [-(lr / (1 - beta1**step)) for step in steps]
    torch._foreach_addcdiv_(params, exp_avgs, denoms, step_sizes)


def _step_dialect(
    param: Tensor, state: dict[str, Tensor], group: dict[str, Any], rule: Dialect
) -> None:
    """Update one tensor in place by `adamlib.adam_step`."""
    grad: Any = param.grad
    used = moments_used(group["amsgrad"])
    options = ("eps", "weight_decay", "decoupled_weight_decay", "amsgrad", "maximize")
    new_param, new = adam_step(
        param.detach(),
        grad.detach(),
        AdamState(int(state["step"].item()), *(state[name] for name in used)),
        lr=_scalar(group["lr"]),
        betas=_betas(group),
        dialect=rule,
        **{name: group[name] for name in options},
    )
    param.copy_(new_param)
    state["step"] += 1
    for name in used:
        state[name].copy_(getattr(new, name))


def _zero_state(param: Tensor, amsgrad: bool) -> dict[str, Tensor]:
    used = moments_used(amsgrad)
    zeros = {n: torch.zeros_like(param, memory_format=torch.preserve_format) for n in used}
    # on the CPU as in torch, whatever the default device: a step reads it as a Python number
    return {"step": torch.tensor(0.0, dtype=_step_dtype(), device="cpu"), **zeros}


def _step_dtype() -> torch.dtype:
    """Return the dtype in which torch counts steps."""
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def _scalar(value: Any) -> Any:
    return value.squeeze() if isinstance(value, Tensor) and value.dim() else value


def _betas(group: dict[str, Any]) -> tuple[Any, Any]:
    """Return both betas as floats, or as 0-d tensors where they are tensors."""
    beta1, beta2 = group["betas"]
    if type(beta1) is float and type(beta2) is float:
        return beta1, beta2
    first, second = (_scalar(b) if isinstance(b, Tensor) else float(b) for b in (beta1, beta2))
    return first, second


def _wants_foreach(group: dict[str, Any], params: list[Tensor]) -> bool:
    """Choose as torch does: on request, else on a GPU, never with a tensor lr or betas."""
    beta1, _ = group["betas"]
    if isinstance(group["lr"], Tensor) or isinstance(beta1, Tensor) or not params:
        return False
    if group["foreach"] is not None:
        return group["foreach"]
    plain = (Tensor, torch.nn.Parameter)
    return all(type(p) in plain and p.device.type in ("cuda", "xpu") for p in params)


def _check_group(group: dict[str, Any]) -> None:
    """Check the hyperparameters of a parameter group, and the tensors if it has any."""
    if group["foreach"] and isinstance(group["lr"], Tensor):
        raise ValueError(TENSOR_FOREACH.format("lr"))
    _check_numbers(group)
    group["betas"] = _betas(group)
    tensors = [isinstance(beta, Tensor) for beta in group["betas"]]
    if any(tensors) and not all(tensors):
        raise ValueError("betas must be either both floats or both Tensors")
    if group["foreach"] and any(tensors):
        raise ValueError(TENSOR_FOREACH.format("betas[0]"))
    rule = find_dialect(group.pop("dialect", "pytorch"))
    if dialect_name(rule) != "pytorch":
        group["dialect"] = rule.name
    _check_rule(group, rule)
    if group["foreach"] not in (None, True, False):
        raise TypeError(f"foreach must be a bool or None, got {group['foreach']!r}")
    for name in ("capturable", "differentiable"):
        if group[name]:
            raise ValueError(f"{name}=True is not supported (expected False)")
    if group["fused"] not in (None, True, False):
        raise TypeError(f"fused must be a bool or None, got {group['fused']!r}")
    if group["fused"] and group["foreach"]:
        raise RuntimeError(FUSED_FOREACH)
    params = group.get("params", ())
    for i, param in enumerate(params):
        if not (param.is_floating_point() or param.is_complex()):
            raise TypeError(f"params[{i}] must hold floats, got dtype {param.dtype}")
    if group["fused"]:
        # memory that is only promised may yet come to lie anywhere: refused when a step is taken
        for device in {param.device for param in params if not param.is_meta}:
            check_compiler(device)


def _are_plain(lr: Any, betas: Any, eps: Any, weight_decay: Any) -> bool:
    """Whether these are floats in their ranges: the usual case, told fast, since steps ask."""
    if type(betas) is not tuple or len(betas) != 2:
        return False
    beta1, beta2 = betas
    if not (type(lr) is type(beta1) is type(beta2) is type(eps) is float):
        return False
    if type(weight_decay) not in (float, int):
        return False
    in_range = 0.0 <= lr < inf and 0.0 <= eps < inf and 0.0 <= weight_decay < inf
    return in_range and 0.0 <= beta1 < 1.0 and 0.0 <= beta2 < 1.0


def _check_rule(group: dict[str, Any], rule: Dialect) -> None:
    check_options(rule, group["weight_decay"], *(group[flag] for flag in FLAGS))


def _check_numbers(group: dict[str, Any], floats_for_betas: bool = False) -> None:
    """Refuse lr, betas, eps and weight_decay that no constructor would take.

    With ``floats_for_betas`` floats of any size will do: CyclicLR and OneCycleLR set them as
    they are told to, and torch takes that.
    """
    lr, betas, eps, weight_decay = (group[name] for name in SIZES)
    if isinstance(lr, Tensor):
        if lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        lr = lr.item()
    check_pair(betas)  # before its floats are taken away: the message shows what was given
    if isinstance(betas, (tuple, list)) and not all(type(beta) is float for beta in betas):
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor) and beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")
        betas = tuple(map(_scalar, betas))
    if floats_for_betas and isinstance(betas, (tuple, list)):
        betas = [0.0 if type(beta) is float else beta for beta in betas]
    check_hyperparameters(lr, betas, eps, weight_decay)


# --- state dicts ------------------------------------------------------------------------------


def _checked_state_dict(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Return a state dict that torch can load, checked: the pre-hook after all others."""
    groups, states = groups_and_states(state_dict, FOR_TORCH, ("params", *SIZES))
    own = optimizer.param_groups
    if [len(group["params"]) for group in groups] != [len(group["params"]) for group in own]:
        return state_dict  # torch says what is wrong
    groups = [_in_own_order(*pair) for pair in zip(groups, own, strict=True)]
    owners = {
        key: (param, bool(group.get("amsgrad")))
        for group, mine in zip(groups, own, strict=True)
        for key, param in zip(group["params"], mine["params"], strict=True)
    }
    states = {
        key: _checked_state(entry, *owners[key]) if key in owners else _foreign(key, entry)
        for key, entry in states.items()
    }
    return {**state_dict, "state": states, "param_groups": groups}


def _in_own_order(saved: Mapping[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return a saved group with its parameters in the order of one's own, by name if possible.

    What only concerns the implementation is left out, lest torch move a step to the GPU for it.
    """
    saved = {name: value for name, value in saved.items() if name not in IMPLEMENTATION}
    theirs, ours = saved.get("param_names"), own.get("param_names")
    if theirs is None or ours is None or list(theirs) == ours:
        return saved
    ids = dict(zip(theirs, saved["params"], strict=False))
    if ids.keys() != set(ours) or len(theirs) != len(ours) or len(ids) != len(ours):
        raise ValueError(
            f"loaded state dict has the parameters {list(theirs)} (expected {ours}; "
            "a load_state_dict pre-hook may rename them)"
        )
    return saved | {"params": [ids[name] for name in ours], "param_names": list(ours)}


def _foreign(key: object, entry: object) -> object:
    """Pass on what a hook has left in the state; refuse the state of an unknown parameter."""
    if isinstance(entry, Mapping) and MOMENTS[0] in entry:
        raise ValueError(f"loaded state dict has state of parameter {key!r}, which is none")
    return entry


def _checked_state(state: Mapping[str, Any], param: Tensor, amsgrad: bool) -> Mapping[str, Any]:
    """Check the state of a parameter; return a copy whose step is a tensor on the CPU."""
    if isinstance(state, Mapping) and not state:
        return state
    count, moments = read_entry(state, amsgrad, FOR_TORCH)
    for name, value in moments.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"loaded {name} must be a Tensor, got {type(value).__name__}")
        if value.layout != param.layout or value.is_complex() != param.is_complex():
            raise TypeError(
                f"loaded {name} is {value.layout} and {value.dtype}, its parameter "
                f"{param.layout} and {param.dtype} (expected the same)"
            )
        if value.shape != param.shape:
            raise ValueError(
                f"loaded {name} has shape {tuple(value.shape)}, its parameter has shape "
                f"{tuple(param.shape)} (expected the same)"
            )
    step = state["step"]
    if isinstance(step, Tensor):  # torch's fused and capturable count on the GPU
        return {**state, "step": step.cpu()}
    return {**state, "step": torch.tensor(float(count), dtype=_step_dtype(), device="cpu")}
