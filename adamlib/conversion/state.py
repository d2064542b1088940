"""Move what an optimizer remembers from one library to another."""

from typing import Any

from ..checks import check_hyperparameters, one_of
from .readers import READERS
from .writers import WRITERS

NEEDED = {"torch": ("lr", "betas", "eps"), "adamlib": ("lr", "betas", "eps"), "keras": ("lr",)}
"""Hyperparameters that a layout holds, and that must be told where the source holds none."""


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
        carried.
    ModuleNotFoundError
        The library of ``target`` is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> state = dict(m=[np.array([0.1])], v=[np.array([0.001])], t=1)
    >>> moved = convert_state(state, "numpy", "adamlib", lr=0.1, betas=(0.9, 0.999), eps=1e-8)
    >>> moved["state"][0]
    {'step': array(1), 'exp_avg': array([0.1]), 'exp_avg_sq': array([0.001])}

    Notes
    -----
    Source: torch/optim/optimizer.py (``state_dict``); optax/_src/transform.py
    (``ScaleByAdamState``); keras/src/optimizers/adam.py and base_optimizer.py
    (``save_own_variables``).
    """
    one_of("source", source, READERS)
    one_of("target", target, WRITERS)
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
    given = (0.0 if lr is None else lr, (0.0, 0.0) if betas is None else betas)
    check_hyperparameters(*given, 0.0 if eps is None else eps, weight_decay=0.0)
    told: dict[str, Any] = {} if lr is None else {"lr": float(lr)}
    told |= {} if betas is None else {"betas": tuple(map(float, betas))}
    return told if eps is None else told | {"eps": float(eps)}
