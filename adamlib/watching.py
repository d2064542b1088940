"""`watch`: the numbers of a report, every so many steps of a training run.

A hook behind ``optimizer.step()`` calls `adamlib.report`, which changes nothing, and writes what it
says to a file, to a function or to TensorBoard. Lightning and Hugging Face's trainer make their
optimizers themselves: `for_lightning` and `for_trainer` are callbacks that watch those.
"""

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import check_count
from .reporting import Report, report
from .reporting.numbers import COLUMNS
from .reporting.states import unwrapped

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from transformers import TrainerCallback

Target = str | os.PathLike | Callable[[dict[str, Any]], None] | Any
NOT_DRAWN = ("name", "numbers", "age")


class Watch:
    """What `watch` returns: it stays on the optimizer until it is removed.

    Attributes
    ----------
    every : int
    steps : int
        How many steps the optimizer has taken.
    """

    def __init__(
        self, optimizer: Any, every: int, write: Callable[[Report, int], None], model: Any
    ):
        self.every, self.steps = every, _steps_of(report(optimizer, model))
        self._write, self._model = write, model
        self._hook = optimizer.register_step_post_hook(self._after_a_step)

    def remove(self) -> None:
        """Take the hook off the optimizer; what was written stays."""
        self._hook.remove()

    def _after_a_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.steps += 1
        if self.steps % self.every:
            return
        first = _is_first_process()
        if not first and not _is_sharded(optimizer):
            return
        found = report(optimizer, self._model)
        if first:
            try:
                self._write(found, self.steps)
            except OSError as error:  # a full disk ends no training
                warnings.warn(f"watch could not write step {self.steps} ({error})", stacklevel=2)


def watch(
    optimizer: Any, every: int = 100, to: Target = "watch.jsonl", *, model: Any = None
) -> Watch:
    """Write what `adamlib.report` says of an optimizer, every so many steps, until removed.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        As `adamlib.report` takes it, also as accelerate and Lightning wrap it.
    every : int
        Steps between two reports, 1 or more; those whose number it divides.
    to : path, callable or torch.utils.tensorboard.SummaryWriter
        A file gets a line of JSON a report, ``{"step": …, "optimizer": …, "rows": […], "findings":
        […]}`` with the rows of `adamlib.report`, after those that it has; NaN and infinity as text.
        A callable gets that as a dict. A writer gets a scalar a column and parameter,
        ``held_back_half/layer.weight``.
    model : torch.nn.Module, optional
        Has the names of the parameters.

    Returns
    -------
    Watch
        With ``remove()``. It is no part of the optimizer's state dict, nor of a pickle or a copy.

    Raises
    ------
    TypeError, ValueError
        As `adamlib.report`; ``watch needs a torch optimizer, got Adam``; ``to must be a path, a
        callable or a SummaryWriter, got int``.

    Examples
    --------
    >>> import torch
    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> optimizer, seen = torch.optim.Adam([weight]), []
    >>> handle = watch(optimizer, every=2, to=seen.append)
    >>> for _ in range(5):
    ...     weight.grad = torch.ones(3)
    ...     optimizer.step()
    >>> handle.remove()
    >>> [line["step"] for line in seen], round(seen[0]["rows"][0]["step_max"], 3)
    ([2, 4], 1.0)

    Notes
    -----
    Where a process group trains, the first process writes. Parameters that are sharded (FSDP2) are
    added up over all processes, so that all of them must watch.
    """
    check_count("every", every, 1)
    optimizer = unwrapped(optimizer)
    if not hasattr(optimizer, "register_step_post_hook"):
        raise TypeError(f"watch needs a torch optimizer, got {type(optimizer).__name__}")
    return Watch(optimizer, every, _writer(to), model)


def _writer(to: Target) -> Callable[[Report, int], None]:
    """Return what writes a report."""
    if isinstance(to, (str, os.PathLike)):
        return lambda found, step: _append(Path(to), found, step)
    if hasattr(to, "add_scalar"):
        return lambda found, step: _add_scalars(to, found, step)
    if callable(to):
        return lambda found, step: to(_line(found, step))
    raise TypeError(f"to must be a path, a callable or a SummaryWriter, got {type(to).__name__}")


def _line(found: Report, step: int) -> dict[str, Any]:
    plain = found.to_dict()
    kept = ("kind", "parameter", "value")
    said = [{name: finding[name] for name in kept} for finding in plain["findings"]]
    return {"step": step, "optimizer": found.kind, "rows": plain["rows"], "findings": said}


def _append(path: Path, found: Report, step: int) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(_line(found, step), ensure_ascii=False) + "\n")


def _add_scalars(writer: Any, found: Report, step: int) -> None:
    for row in found.rows:
        for name in COLUMNS:
            if name not in NOT_DRAWN and row[name] is not None:
                writer.add_scalar(f"{name}/{row['name']}", row[name], step)


def _steps_of(found: Report) -> int:
    return max((one.held.step for one in found.measured), default=0)


def _is_first_process() -> bool:
    import torch.distributed as dist

    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def _is_sharded(optimizer: Any) -> bool:
    params = (param for group in optimizer.param_groups for param in group["params"])
    return any(hasattr(param, "placements") for param in params)


def for_lightning(every: int = 100, to: Target = "watch.jsonl") -> "Callback":
    """Return a callback for Lightning's Trainer that watches its optimizers.

    ``Trainer(callbacks=[adamlib.watching.for_lightning(every=100, to="watch.jsonl")])``; ``every``
    and ``to`` as `watch` takes them.
    """
    from lightning.pytorch.callbacks import Callback

    class Watching(Callback):
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.watches = [watch(one, every, to, model=pl_module) for one in trainer.optimizers]

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            for one in self.watches:
                one.remove()

    return Watching()


def for_trainer(every: int = 100, to: Target = "watch.jsonl") -> "TrainerCallback":
    """Return a callback for Hugging Face's Trainer that watches its optimizer.

    ``Trainer(…, callbacks=[adamlib.watching.for_trainer(every=100, to="watch.jsonl")])``; ``every``
    and ``to`` as `watch` takes them.
    """
    from transformers import TrainerCallback

    class Watching(TrainerCallback):
        watched: Watch | None = None
        waiting: Any = None

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # some versions tell no callback which optimizer there is: it is caught at its step
            if self.watched is None:
                self.waiting = _at_the_next_step(kwargs["model"], self._found)

        def _found(self, optimizer: Any, model: Any) -> None:
            self.watched = self.watched or watch(optimizer, every, to, model=model)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if self.waiting is not None:
                self.waiting.remove()
                self.waiting = None

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if self.watched is not None:
                self.watched.remove()
                self.watched = None

    return Watching()


def _at_the_next_step(model: Any, found: Callable[[Any, Any], None]) -> Any:
    """Call a function with the optimizer of a model, before it steps; until it is removed."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    own = {id(param) for param in model.parameters()}

    def look(optimizer: Any, args: Any, kwargs: Any) -> None:
        if any(id(param) in own for group in optimizer.param_groups for param in group["params"]):
            found(optimizer, model)

    return register_optimizer_step_pre_hook(look)
