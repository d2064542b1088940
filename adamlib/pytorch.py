"""Adam and AdamW for torch, drop-in: equal to torch.optim bit for bit in the default dialect.

The bits are torch's because the operations are, in torch's order: ``lerp_`` for the first
moment, ``mul_`` and ``addcmul_`` for the second, ``addcdiv_`` for the step. For the algorithm
without these fusions read `adamlib.adam.adam_step`; every dialect but ``"pytorch"`` is that
function, and so is ``fused=True``, compiled (`adamlib.compiled`).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from . import compiled
from .adam import AdamState, adam_step, check_hyperparameters, check_options
from .compiled import MOMENTS
from .dialects import Dialect, dialect_name, find_dialect

FUSED_FOREACH = "`fused` and `foreach` cannot be `True` together."
TENSOR_LR_FOREACH = "lr as a Tensor is not supported for capturable=False and foreach=True"


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
    betas : pair of floats
        (β₁, β₂), each in [0, 1).
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
        ``Invalid learning rate: -1``, ``Invalid epsilon value: -1``, ``Invalid beta parameter
        at index 0: 1.0``, ``Invalid weight_decay value: -1``, ``optimizer got an empty
        parameter list``, ``Tensor lr must be 1-element``, ``capturable=True is not supported
        (expected False)``, ``dialect 'paper' has no amsgrad``.
    RuntimeError
        ```fused` and `foreach` cannot be `True` together.``, ``fused=True needs a C++ compiler,
        and none was found (expected g++ on the path, or CXX to name one; or fused=False)``.
    TypeError
        ``params[0] must hold floats, got dtype torch.int64``; hyperparameters of a wrong type.

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
    State dicts go both ways between this class and `torch.optim.Adam`. As in torch,
    ``load_state_dict`` brings the other's hyperparameters along: eps, betas, and with the
    state of an AdamW ``decoupled_weight_decay=True``, which turns this Adam into AdamW. What
    only concerns the implementation (``foreach``, ``fused``) stays this optimizer's own, and
    moments of a wrong shape, which torch takes, are refused.

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
    Taught in: notebook 04.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
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
            "dialect": dialect_name(dialect),
        }
        _check_group(defaults)
        self._flats: dict[Tensor, compiled.Flat] = {}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as torch does; changes nothing when it raises.

        Parameters
        ----------
        param_group : dict
            ``params`` and the hyperparameters in which the group differs from the defaults.

        Raises
        ------
        ValueError, TypeError
            As the constructor lists them.
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
        defaults = self.defaults if loading else state["defaults"]
        own = self.param_groups if loading else state["param_groups"]
        for group, mine in zip(state["param_groups"], own, strict=True):
            for name in ("capturable", "differentiable", "amsgrad", "maximize"):
                group.setdefault(name, False)
            group.setdefault("decoupled_weight_decay", False)
            group.setdefault("dialect", defaults["dialect"])
            group |= {name: mine.get(name) for name in ("foreach", "fused")}
            _check_group(group)
        _check_state(state["state"], state["param_groups"])
        super().__setstate__(state)
        self._flats = {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of another optimizer's state; changes nothing when it raises.

        Parameters
        ----------
        state_dict : dict
            From this class or from `torch.optim.Adam` or ``AdamW``, whatever their ``foreach``
            and ``fused``. Its hyperparameters replace those of this optimizer, as in torch.

        Raises
        ------
        TypeError
            ``state_dict must be a dict, got list``.
        ValueError
            ``loaded state dict has a different number of parameter groups``, ``… has no
            'betas' …``, ``loaded exp_avg has shape (3,), its parameter has shape (2,)``.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a dict, got {type(state_dict).__name__}")
        if not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError(
                f"state_dict has the keys {list(state_dict)} (expected state and param_groups)"
            )
        groups, states = state_dict["param_groups"], state_dict["state"]
        if not isinstance(groups, list) or not isinstance(states, Mapping):
            raise TypeError("state_dict must hold a dict, state, and a list, param_groups")
        if not all(isinstance(entry, Mapping) for entry in [*groups, *states.values()]):
            raise TypeError("state_dict must hold one dict a group and one a parameter")
        if not all("params" in group for group in groups):
            raise ValueError("loaded state dict has no 'params' in a parameter group")
        super().load_state_dict(state_dict)
        for state in self.state.values():  # torch shares tensors of the right dtype
            state |= {k: v.clone() for k, v in state.items() if isinstance(v, Tensor)}

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
        return loss

    def _check_step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        # Numbers only, no ranges, as in torch: a scheduler may undershoot zero by a rounding.
        for name in ("lr", "eps", "weight_decay", "betas"):
            value = group[name]
            for number in value if type(value) in (tuple, list) else (value,):
                if type(number) is not float and not isinstance(number, (Real, Tensor)):
                    raise TypeError(f"{name} must be a real number, got {value!r}")
        for param in params:
            if param.grad.is_sparse:
                raise RuntimeError(
                    "Adam does not support sparse gradients, please consider SparseAdam instead"
                )
            if not group["amsgrad"]:
                continue
            state = self.state.get(param)
            if state and "max_exp_avg_sq" not in state:
                raise ValueError(
                    "amsgrad was switched on after the first step (expected it when the "
                    "optimizer is made)"
                )

    def _step_group(self, group: dict[str, Any], params: list[Tensor]) -> None:
        if group["dialect"] != "pytorch":
            for param in params:
                _step_dialect(param, self.state[param], group)
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
    ) -> tuple[list[dict[str, Tensor]], compiled.Plan]:
        """Compile and check what a group needs, with states for the new; change nothing."""
        states = [self.state.get(p) or _zero_state(p, group["amsgrad"]) for p in params]
        return states, compiled.prepare(group, params, states, self._flats)

    def _step_fused(
        self, params: list[Tensor], states: list[dict[str, Tensor]], plan: compiled.Plan
    ) -> None:
        self.state.update(zip(params, states, strict=True))
        compiled.run(plan)


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
    where they multiply it by their schedule's factor only. Taught in: notebook 04.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
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
    beta1, beta2 = group["betas"]
    lr, weight_decay = _scalar(group["lr"]), group["weight_decay"]
    grad = -param.grad if group["maximize"] else param.grad
    exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
    max_exp_avg_sq = state["max_exp_avg_sq"] if group["amsgrad"] else exp_avg_sq
    state["step"] += 1
    step = state["step"].item()

    if weight_decay != 0 and group["decoupled_weight_decay"]:
        param.mul_(1 - lr * weight_decay)
    elif weight_decay != 0:
        grad = grad.add(param, alpha=weight_decay)
    if param.is_complex():
        parts = (param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq)
        param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq = map(torch.view_as_real, parts)

    exp_avg.lerp_(grad, 1 - beta1)
    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if group["amsgrad"]:
        torch.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    bias_correction1 = 1 - beta1**step
    bias_correction2 = 1 - beta2**step
    denom = (max_exp_avg_sq.sqrt() / bias_correction2**0.5).add_(group["eps"])
    param.addcdiv_(exp_avg, denom, value=-(lr / bias_correction1))


def _step_foreach(
    params: list[Tensor], states: list[dict[str, Tensor]], group: dict[str, Any]
) -> None:
    """Update tensors of one dtype and device at once, in the order of ``_multi_tensor_adam``."""
    beta1, beta2 = group["betas"]
    lr, weight_decay = group["lr"], group["weight_decay"]
    grads = [param.grad for param in params]
    used = MOMENTS if group["amsgrad"] else MOMENTS[:2]
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


def _step_dialect(param: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """Update one tensor in place by `adamlib.adam_step`."""
    used = MOMENTS if group["amsgrad"] else MOMENTS[:2]
    options = ("betas", "eps", "weight_decay", "decoupled_weight_decay", "amsgrad", "maximize")
    new_param, new = adam_step(
        param.detach(),
        param.grad.detach(),
        AdamState(int(state["step"].item()), *(state[name] for name in used)),
        lr=_scalar(group["lr"]),
        dialect=group["dialect"],
        **{name: group[name] for name in options},
    )
    param.copy_(new_param)
    state["step"] += 1
    for name in used:
        state[name].copy_(getattr(new, name))


def _zero_state(param: Tensor, amsgrad: bool) -> dict[str, Tensor]:
    used = MOMENTS if amsgrad else MOMENTS[:2]
    zeros = {n: torch.zeros_like(param, memory_format=torch.preserve_format) for n in used}
    return {"step": torch.tensor(0.0, dtype=_step_dtype()), **zeros}


def _step_dtype() -> torch.dtype:
    """Return the dtype in which torch counts steps."""
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def _scalar(lr: float | Tensor) -> float | Tensor:
    return lr.squeeze() if isinstance(lr, Tensor) and lr.dim() else lr


def _wants_foreach(group: dict[str, Any], params: list[Tensor]) -> bool:
    """Choose as torch does: on request, else on a GPU, never with a tensor lr."""
    if isinstance(group["lr"], Tensor) or not params:
        return False
    if group["foreach"] is not None:
        return group["foreach"]
    plain = (Tensor, torch.nn.Parameter)
    return all(type(p) in plain and p.device.type in ("cuda", "xpu") for p in params)


def _check_group(group: dict[str, Any]) -> None:
    """Check the hyperparameters of a parameter group, and the tensors if it has any."""
    for name in ("lr", "betas", "eps", "weight_decay"):
        if name not in group:
            raise ValueError(
                f"loaded state dict has no {name!r} (expected the parameter group of an Adam)"
            )
    lr = group["lr"]
    if isinstance(lr, Tensor):
        if group["foreach"]:
            raise ValueError(TENSOR_LR_FOREACH)
        if lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        lr = lr.item()
    check_hyperparameters(lr, group["betas"], group["eps"], group["weight_decay"])
    rule = find_dialect(group["dialect"])
    group["dialect"] = dialect_name(rule)
    flags = ("decoupled_weight_decay", "amsgrad", "maximize")
    check_options(rule, group["weight_decay"], *(group[flag] for flag in flags))
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
        for device in {param.device for param in params}:
            compiled.check_compiler(device)


def _check_state(states: Mapping[Any, dict[str, Any]], groups: list[dict[str, Any]]) -> None:
    """Check a state to be loaded against the parameters; make tensors of numeric steps."""
    amsgrad = {param: group["amsgrad"] for group in groups for param in group["params"]}
    for param, state in states.items():
        if param not in amsgrad:
            raise ValueError(f"loaded state dict has state of parameter {param!r}, which is none")
        if not state:
            continue
        for name in ("step", *(MOMENTS if amsgrad[param] else MOMENTS[:2])):
            if name not in state:
                raise ValueError(f"loaded state of a parameter has no {name!r}")
            value = state[name]
            if name == "step":
                if not _is_whole(value):
                    raise ValueError(f"loaded step is {value} (expected a whole number, 0 or more)")
                if not isinstance(value, Tensor):
                    state[name] = torch.tensor(float(value), dtype=_step_dtype())
                elif value.device.type != "cpu":  # torch's fused and capturable count on the GPU
                    state[name] = value.cpu()
            elif not isinstance(value, Tensor):
                raise TypeError(f"loaded {name} must be a Tensor, got {type(value).__name__}")
            elif value.layout != param.layout or value.is_complex() != param.is_complex():
                raise TypeError(
                    f"loaded {name} is {value.layout} and {value.dtype}, its parameter "
                    f"{param.layout} and {param.dtype} (expected the same)"
                )
            elif value.shape != param.shape:
                raise ValueError(
                    f"loaded {name} has shape {tuple(value.shape)}, its parameter has shape "
                    f"{tuple(param.shape)} (expected the same)"
                )


def _is_whole(step: object) -> bool:
    one = isinstance(step, Tensor) and step.numel() == 1
    number = step.item() if one else step
    return isinstance(number, (int, float)) and number >= 0 and float(number).is_integer()
