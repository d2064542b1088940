"""Adam for NumPy arrays: in place, all or nothing, with checkpoints.

The update itself is `adamlib.adam.update`, applied to blocks that fit the processor's cache. So
there is one rule, no temporary array as large as a parameter, and memory is crossed once. Where
numba is installed, `adamlib.kernels` does the same to the bit, faster.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, Self

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from .adam import coefficients, update
from .checkpoints import (
    as_path,
    check_like,
    checked_options,
    parse_state_dict,
    read_checkpoint,
    write_checkpoint,
)
from .checks import check_amsgrad_held, check_steps_left, one_of
from .dialects import Dialect, dialect_name, find_dialect
from .state import HYPERPARAMETERS, MOMENTS, SIZES, moments_used

Params = NDArray | list[NDArray] | dict[str, NDArray]

BLOCK_BYTES = 128 * 1024
"""Size of a block: the four arrays and the temporaries of the rule stay in the L2 cache."""

FREED_ONCE = 4 * 1024**2
"""Bytes of an array that is freed before the first block; see `_let_malloc_keep_memory`."""

BACKENDS = ("auto", "numpy", "numba")

Access = Literal["readonly", "readwrite"]


class Adam:
    """The Adam optimizer for NumPy arrays, updated in place.

    Parameters
    ----------
    params : ndarray, list of ndarray or dict of ndarray
        Float or complex arrays, writable, of any shape, stride and order; updated in place.
    lr : float
        Learning rate α, finite, 0 or more. An attribute: set ``optimizer.lr`` for a schedule.
    betas : pair of floats
        (β₁, β₂), each in [0, 1); any sequence of two numbers.
    eps : float
        ε, finite, 0 or more (0 is allowed, and divides by zero where a gradient is zero).
    weight_decay : float
        0 or more; L2 unless decoupled.
    decoupled_weight_decay, amsgrad, maximize, dialect
        As `adamlib.adam_step` takes them.
    backend : {"auto", "numpy", "numba"}
        What computes the step, with the same result to the bit. ``"numba"`` compiles it for
        float32 and float64 in the default dialect (some seconds, once on a machine) and leaves
        everything else to NumPy; ``"auto"`` is ``"numba"`` where that is installed.

    Raises
    ------
    ValueError
        ``optimizer got an empty parameter list``; ``params[0] is read-only``; ``params[1] shares
        memory with params[0]``.
    TypeError
        ``params[0] must be a float array, got dtype int64`` and the like.
    ModuleNotFoundError
        ``backend='numba' needs numba, which is not installed``.

    Examples
    --------
    >>> weights = np.array([3.0, -1.0])
    >>> optimizer = Adam(weights, lr=0.5)
    >>> optimizer.step(np.array([2.0, 2.0]))
    >>> weights.round(6)
    array([ 2.5, -1.5])

    Notes
    -----
    Source: Kingma & Ba 2015, Algorithm 1.
    """

    _options: dict[str, Any] | None

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        decoupled_weight_decay: bool = False,
        amsgrad: bool = False,
        maximize: bool = False,
        dialect: str | Dialect = "pytorch",
        backend: str = "auto",
    ) -> None:
        one_of("backend", backend, BACKENDS)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.decoupled_weight_decay, self.amsgrad = decoupled_weight_decay, amsgrad
        self.maximize, self.backend = maximize, backend
        self.dialect = dialect_name(dialect)
        _kernels(backend)
        self._hyperparameters()
        self.params = params
        self._names, self._params = _flatten(params)
        _check_params(self._params, self._names)
        self._memory = np.array([byte_bounds(param) for param in self._params], np.uint64).T
        self._owners = _owners(self._params)
        self._steps: dict[int, int] = {}  # t and the moments of the parameters that took a step
        self._moments: dict[int, list[NDArray]] = {}
        self._prepared: dict[int, Any] = {}

    def step(self, grads: Params) -> None:
        """Take one step: update the parameters and the moments in place.

        Everything is checked before the first number is written, so a step that raises has
        changed nothing.

        Parameters
        ----------
        grads : ndarray, list or dict
            The structure, shapes and dtypes of ``params``. A None in a list or dict leaves
            its parameter alone, its moments and step count included.

        Raises
        ------
        ValueError, TypeError
            What does not fit: ``grads[0] has shape (3,) (expected (2,))``.
        """
        options = self._options or self._hyperparameters()
        amsgrad = options["amsgrad"]
        ready = [
            (i, param, grad, self._next_step(i), self._moments_of(i, param, amsgrad))
            for i, param, grad in self._pair(grads)
        ]
        kernels = _kernels(self.backend)
        arguments: dict[int, tuple] = {}  # of a step, the same for all parameters that take it
        for i, param, grad, step, moments in ready:
            if kernels and kernels.can_step(param, options):
                if step not in arguments:
                    arguments[step] = kernels.kernel_arguments(step, options)
                if i not in self._prepared:
                    self._prepared[i] = kernels.Kernel(param, moments)
                self._prepared[i].step(grad, amsgrad, arguments[step])
            else:
                _step_in_blocks(param, grad, moments, step, options)
            self._steps[i], self._moments[i] = step, moments

    def _next_step(self, i: int) -> int:
        step = self._steps.get(i, 0)
        check_steps_left(f"params{self._names[i]}", step)
        return step + 1

    def _moments_of(self, i: int, param: NDArray, amsgrad: bool) -> list[NDArray]:
        moments = self._moments.get(i)
        if moments is None:
            return [np.zeros_like(param, subok=False) for _ in moments_used(amsgrad)]
        if amsgrad:
            check_amsgrad_held(len(moments) == len(MOMENTS))
        return moments

    def _hyperparameters(self) -> dict[str, Any]:
        """Return the hyperparameters, checked; they stay so until one is set."""
        options = checked_options({name: getattr(self, name) for name in HYPERPARAMETERS})
        if type(self.betas) is tuple:  # a list may change without being set
            self._options = options
        return options

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in HYPERPARAMETERS:
            self._options = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made of the other attributes: a copy would point to other arrays."""
        return self.__dict__ | {"_prepared": {}, "_owners": frozenset()}

    def _pair(self, grads: Params) -> Iterator[tuple[int, NDArray, NDArray]]:
        """Give (index, parameter, gradient) of every gradient that is not None, checked."""
        values: list[Any]
        if isinstance(self.params, np.ndarray):
            values = [grads]
        elif isinstance(self.params, dict):
            if not isinstance(grads, dict):
                raise TypeError(f"grads must be a dict, got {type(grads).__name__}")
            if grads.keys() != self.params.keys():
                raise ValueError(f"grads has the keys {list(grads)} (expected {list(self.params)})")
            values = [grads[name] for name in self.params]
        else:
            if not isinstance(grads, (list, tuple)):
                raise TypeError(f"grads must be a list, got {type(grads).__name__}")
            if len(grads) != len(self._params):
                raise ValueError(f"grads has {len(grads)} entries (expected {len(self._params)})")
            values = list(grads)
        for i, (param, grad) in enumerate(zip(self._params, values, strict=True)):
            if grad is not None:
                yield i, param, self._checked_grad(param, grad, self._names[i])

    def _checked_grad(self, param: NDArray, grad: NDArray, name: str) -> NDArray:
        check_like("grads", name, grad, param)
        if not param.flags.writeable:
            raise ValueError(f"params{name} is read-only")
        # A gradient that lies in a parameter's memory (of x·y it is y itself) would change
        # while that parameter is updated.
        if self._owners and grad.flags.owndata and id(grad) not in self._owners:
            return grad
        start, end = byte_bounds(grad)
        shared = (start < self._memory[1]) & (self._memory[0] < end)
        return grad.copy() if shared.any() else grad

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of state and hyperparameters in the layout of torch's optimizers.

        Returns
        -------
        dict
            ``state``: index of the parameter → ``step`` (0-d int64 array), ``exp_avg``,
            ``exp_avg_sq`` and, with amsgrad, ``max_exp_avg_sq``; only parameters that have
            taken a step stand in it. ``param_groups``: a list of one dict with the
            hyperparameters, ``params`` (the indices) and, where ``params`` is a dict,
            ``param_names``.
        """
        group = self._hyperparameters() | {"params": list(range(len(self._params)))}
        if isinstance(self.params, dict):
            group["param_names"] = list(self.params)
        state = {
            i: {
                "step": np.array(self._steps[i]),
                **{k: v.copy() for k, v in zip(MOMENTS, moments, strict=False)},
            }
            for i, moments in self._moments.items()
        }
        return {"state": state, "param_groups": [group]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of state and hyperparameters; changes nothing when it raises.

        Parameters
        ----------
        state_dict : dict
            From `state_dict` of this class, or of `torch.optim.Adam` with one parameter group
            of CPU tensors. As in torch, its hyperparameters replace those of the optimizer.

        Raises
        ------
        ValueError, TypeError
            What does not fit: ``state[0]['exp_avg'] has shape (3,) (expected (2,))``.
        """
        options, saved = parse_state_dict(state_dict, self._params, self._given_names())
        copies = {i: (step, [m.copy() for m in moments]) for i, (step, moments) in saved.items()}
        self._take_over(options, copies)

    def _take_over(
        self, options: dict[str, Any], saved: dict[int, tuple[int, list[NDArray]]]
    ) -> None:
        self._steps = {i: step for i, (step, _) in saved.items()}
        self._moments = {i: moments for i, (_, moments) in saved.items()}
        self._prepared = {}
        for name, value in options.items():
            setattr(self, name, value)

    def _given_names(self) -> list[str] | None:
        return list(self.params) if isinstance(self.params, dict) else None

    def save(self, path: str | os.PathLike) -> None:
        """Write parameters, state and hyperparameters to exactly that path.

        The file is an npz without pickles. It is written beside the target, flushed to the
        disk and then renamed, so that the path holds either the old file or the new one.

        Parameters
        ----------
        path : str or path
            A file in an existing folder; replaced if it exists, with the same mode and through
            links. What saves of this path left behind that were killed is removed.

        Raises
        ------
        ValueError
            ``path is '' (expected the name of a file)``.
        OSError
            What the file system says; a file already there is then untouched. What is no regular
            file, as a device or a pipe, is not replaced, nor is a file that may not be written.
        """
        if self.amsgrad:
            for moments in self._moments.values():
                check_amsgrad_held(len(moments) == len(MOMENTS))
        write_checkpoint(as_path(path), self.state_dict(), self._params)

    @classmethod
    def load(cls, path: str | os.PathLike, params: Params) -> Self:
        """Make an optimizer from a checkpoint, and restore the parameters into ``params``.

        Training goes on from there equal to the bit.

        Parameters
        ----------
        path : str or path
            Written by `save`.
        params : ndarray, list or dict
            Writable arrays of the saved structure, shapes and dtypes; overwritten with the
            saved values once the whole file has been read and checked.

        Returns
        -------
        Adam

        Raises
        ------
        ValueError
            ``'run.npz' is no complete adamlib checkpoint (…)``; ``the checkpoint has 2
            parameters (expected 1)``; other names, a shape or dtype that differs. Nothing is
            changed then, and nothing larger than the parameters has been read.
        FileNotFoundError
            There is no such file.
        """
        path, optimizer = as_path(path), cls(params)
        values, saved = read_checkpoint(
            path, optimizer._params, optimizer._names, optimizer._given_names()
        )
        optimizer._take_over(*saved)
        for value, target in zip(values, optimizer._params, strict=True):
            target[...] = value
        return optimizer


def _owners(params: list[NDArray]) -> frozenset[int]:
    """Return the identities of the arrays that own the memory; empty where one is no array."""
    owners: list[Any] = []
    for param in params:
        owner: Any = param
        while isinstance(owner, np.ndarray) and not owner.flags.owndata:
            owner = owner.base
        owners.append(owner)
    return frozenset(map(id, owners)) if all(type(o) is np.ndarray for o in owners) else frozenset()


@cache
def _kernels(backend: str) -> Any:
    """Return the module of compiled steps, or None where NumPy is to do the work."""
    if backend == "numpy" or (backend == "auto" and not find_spec("numba")):
        return None
    if not find_spec("numba"):
        raise ModuleNotFoundError("backend='numba' needs numba, which is not installed")
    return import_module("adamlib.kernels")


@np.errstate(all="ignore")  # as `adam_step`
def _step_in_blocks(
    param: NDArray, grad: NDArray, moments: list[NDArray], step: int, options: dict[str, Any]
) -> None:
    """Take the step t = ``step`` block by block, writing parameter and moments in place."""
    _let_malloc_keep_memory()
    rule = find_dialect(options["dialect"])
    numbers = coefficients(step, *(options[name] for name in SIZES))
    flags = options["decoupled_weight_decay"], options["maximize"]
    written = [param, *moments[: len(moments_used(options["amsgrad"]))]]
    accesses: list[Access] = ["readwrite" for _ in written]
    with np.nditer(
        [grad, *written],
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readonly"], *[[access] for access in accesses]],
        buffersize=BLOCK_BYTES // param.itemsize,
    ) as blocks:
        for block in blocks:
            for g, p, m, v, *rest in _real_parts(block):
                largest = rest[0] if rest else None
                # no name for the results: the memory of these is that of the next block's
                for old, new in zip(
                    (p, m, v, *rest),
                    update(np, rule, p, g, m, v, largest, numbers, *flags),
                    strict=False,
                ):
                    old[...] = new


def _real_parts(arrays: Sequence[NDArray]) -> list[Sequence[NDArray]]:
    """Views of the real and of the imaginary parts, each of which takes a step for itself."""
    if arrays[0].dtype.kind != "c":
        return [arrays]
    return [[array.real for array in arrays], [array.imag for array in arrays]]


@cache
def _let_malloc_keep_memory() -> None:
    """Allocate and free a large array, which glibc's malloc takes for a sign to keep memory.

    Until a program has freed one, it gives the memory of temporaries back to the system at once,
    whose pages are provided anew for each block: that takes up to three times the step itself.
    """
    np.empty(FREED_ONCE, np.uint8)


def _flatten(params: Params) -> tuple[list[str], list[NDArray]]:
    """Give a printable name and the array of every parameter."""
    if isinstance(params, np.ndarray):
        return [""], [params]
    if isinstance(params, dict):
        for name in params:
            if not isinstance(name, str):
                raise TypeError(f"params must have names for keys, got {name!r}")
        return [f"[{name!r}]" for name in params], list(params.values())
    if isinstance(params, (list, tuple)):
        return [f"[{i}]" for i in range(len(params))], list(params)
    hint = " (adamlib.pytorch.Adam takes tensors)" if "torch" in type(params).__module__ else ""
    raise TypeError(
        "params must be a float array, a list or a dict of float arrays, "
        f"got {type(params).__name__}{hint}"
    )


def _check_params(params: list[NDArray], names: list[str]) -> None:
    if not params:
        raise ValueError("optimizer got an empty parameter list")
    for i, (name, param) in enumerate(zip(names, params, strict=True)):
        if not isinstance(param, np.ndarray):
            raise TypeError(f"params{name} must be a float array, got {type(param).__name__}")
        if param.dtype.kind not in "fc":
            raise TypeError(f"params{name} must be a float array, got dtype {param.dtype}")
        if not param.flags.writeable:
            raise ValueError(f"params{name} is read-only")
        for other, earlier in zip(names, params[:i], strict=False):
            if np.shares_memory(param, earlier):
                raise ValueError(f"params{name} shares memory with params{other}")
