"""Checkpoints that many processes write, each its share, and any number of them reads."""

import contextlib
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .jobs import Job

if TYPE_CHECKING:
    import torch

CHECKPOINT = re.compile(r"step-\d{8}")


# notebook 10 prints this function
def save_checkpoint(
    folder: Path, step: int, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> Path:
    """Write a sharded checkpoint, each process its share; call it in all of them.

    The files go to another folder first, which gets its name when all processes are done: a
    folder ``step-00000100`` is whole, whatever dies when, on a file system that renames at once, as
    local ones do.

    Parameters
    ----------
    folder : Path
        Where the checkpoints are; made where it is missing.
    step : int
        Steps that have been taken.
    model, optimizer
        As `wrap` returned it, and its optimizer; or both without any process group.

    Returns
    -------
    Path
        The checkpoint: ``folder/step-00000100``.
    """
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict

    whole = Path(folder, f"step-{step:08d}")
    part = whole.with_suffix(".part")
    if _rank() == 0:
        shutil.rmtree(part, ignore_errors=True)  # of a run that died while it wrote
    _barrier()
    parameters, state = get_state_dict(model, optimizer)
    with _one_process_is_enough():
        # returns when all files of all processes are written
        dcp.save(
            {"model": parameters, "optimizer": state}, storage_writer=dcp.FileSystemWriter(part)
        )
    if _rank() == 0:
        part.rename(whole)
    _barrier()
    return whole


def latest_checkpoint(folder: Path) -> Path | None:
    """Return the whole checkpoint with the most steps in a folder, or None.

    Parameters
    ----------
    folder : Path
        May be missing.

    Returns
    -------
    Path or None

    Examples
    --------
    >>> latest_checkpoint(Path("no such folder")) is None
    True
    """
    whole = [path for path in Path(folder).glob("step-*") if CHECKPOINT.fullmatch(path.name)]
    return max(whole, key=checkpoint_step, default=None)


def checkpoint_step(path: Path) -> int:
    """Return the number of steps behind a checkpoint.

    >>> checkpoint_step(Path("runs/step-00000100"))
    100
    """
    return int(path.name.removeprefix("step-"))


def load_checkpoint(
    path: Path, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer"
) -> None:
    """Fill a model and its optimizer from a checkpoint; each process reads its own share.

    Parameters
    ----------
    path : Path
        From `save_checkpoint`, by any number of processes, any wrapper, and by
        `adamlib.pytorch.Adam` or `torch.optim.Adam`.
    model, optimizer
        Of any wrapper and any number of processes, or without a process group. As with
        ``load_state_dict``, hyperparameters are those of the checkpoint. A checkpoint of torch
        says nothing of a dialect; there the optimizer's own stays.
    """
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

    reader = dcp.FileSystemReader(path)
    parameters, state = get_state_dict(model, optimizer)
    saved = reader.read_metadata().state_dict_metadata
    groups: Any = state["param_groups"]
    for i, group in enumerate(groups):
        group.pop("dialect", None)  # one that was not saved would be missed
        if f"optimizer.param_groups.{i}.dialect" in saved:
            group["dialect"] = ""  # asks for it
    parts: dict[str, Any] = {"model": parameters, "optimizer": state}
    with _one_process_is_enough():
        dcp.load(parts, storage_reader=reader)
    set_state_dict(
        model,
        optimizer,
        model_state_dict=parts["model"],
        optim_state_dict=parts["optimizer"],
    )


def resume(job: Job, model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> int:
    """Go on from the latest checkpoint, if there is one; return the steps behind it.

    What a run that died has left half written is removed.
    """
    import torch.distributed as dist

    if job.checkpoints and _rank() == 0:
        for left in Path(job.checkpoints).glob("step-*.part"):
            if CHECKPOINT.fullmatch(left.stem):
                shutil.rmtree(left, ignore_errors=True)
    # one process looks, so that all go on from the same
    found = [latest_checkpoint(Path(job.checkpoints)) if job.checkpoints else None]
    if found[0] is None and job.resume:
        found = [latest_checkpoint(Path(job.resume))]
    dist.broadcast_object_list(found)
    path = found[0]
    if path is None and job.resume:
        raise FileNotFoundError(
            f"no checkpoint in {job.resume} (expected a folder step-00000100, say)"
        )
    if path is None:
        return 0
    load_checkpoint(path, model, optimizer)
    return checkpoint_step(path)


def _rank() -> int:
    import torch.distributed as dist

    return dist.get_rank() if dist.is_initialized() else 0


def _barrier() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.barrier()


@contextlib.contextmanager
def _one_process_is_enough() -> Iterator[None]:
    """Silence the warning of torch's checkpoints that there is no process group."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable or")
        yield
