"""The training loop of notebook 04, as one of many processes; PyTorch does what is distributed."""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..problems import named, random_examples, random_two_layer_net
from ..state import moments_used
from .jobs import Job, Result
from .sharded import resume, save_checkpoint

if TYPE_CHECKING:
    import torch

LAYERS = {"W1": "0.weight", "b1": "0.bias", "W2": "2.weight", "b2": "2.bias"}


# notebook 10 prints this function
def train(job: Job, device: "torch.device") -> Result:
    """Train on this process's share, in step with the others; call it in all of them.

    Parameters
    ----------
    job : Job
    device : torch.device
        Of this process.

    Returns
    -------
    Result
        The same in every process, but whole parameters and moments in process 0 only.

    Raises
    ------
    ValueError
        ``Invalid n: 9 (expected a multiple of the number of processes, 2)``.
    FileNotFoundError
        ``no checkpoint in runs/a (expected a folder step-00000100, say)``.
    """
    import torch

    inputs, targets = my_share(job, device)
    model = wrap(new_model(job).to(device), job.wrapper)
    optimizer = new_optimizer(job, model)
    loss_fn = torch.nn.MSELoss(reduction=job.loss)
    first = step = resume(job, model, optimizer)
    losses = []
    while step < job.steps:
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        step += 1
        losses.append(loss.item())
        if job.every and step % job.every == 0:
            save_checkpoint(Path(job.checkpoints), step, model, optimizer)
        if step == job.die_at:
            die()
    return gather(model, optimizer, losses, first)


# notebook 10 prints this function
def wrap(model: "torch.nn.Sequential", wrapper: str) -> "torch.nn.Module":
    """Make a model one of many: by DDP, or by FSDP2 layer by layer.

    Parameters
    ----------
    model : torch.nn.Sequential
        On the device of this process, with the same parameters in all of them.
    wrapper : str
        ``"ddp"`` or ``"fsdp2"``.

    Returns
    -------
    torch.nn.Module
        DDP's wrapper, or the model itself with sharded parameters. Make the optimizer after
        this: it must see these parameters.
    """
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    if wrapper == "ddp":
        return DistributedDataParallel(model)
    device = next(model.parameters()).device
    mesh = init_device_mesh(device.type, (get_world_size(),))
    for layer in model:
        if list(layer.parameters()):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def my_share(job: Job, device: "torch.device") -> "tuple[torch.Tensor, torch.Tensor]":
    """Return this process's inputs and targets: of P equal runs of examples, the rank-th."""
    import torch
    import torch.distributed as dist

    rank, processes = dist.get_rank(), dist.get_world_size()
    whole = [torch.from_numpy(array).to(device) for array in examples(job)]
    if job.same_batch:
        return whole[0], whole[1]
    if job.n % processes:
        raise ValueError(
            f"Invalid n: {job.n} (expected a multiple of the number of processes, {processes})"
        )
    x, y = (array.chunk(processes)[rank] for array in whole)
    return x, y


def examples(job: Job) -> tuple[NDArray, NDArray]:
    """Return the inputs (n, d_in) and targets (n, d_out) of the whole batch.

    >>> [array.shape for array in examples(Job(n=8))]
    [(8, 64), (8, 16)]
    """
    return random_examples(job.seed, job.n, job.d_in, job.d_out, job.dtype)


def new_model(job: Job) -> "torch.nn.Sequential":
    """Return Linear–ReLU–Linear at the start of `adamlib.problems.random_two_layer_net`.

    Examples
    --------
    >>> new_model(Job())[0].weight.shape
    torch.Size([128, 64])
    """
    import torch

    sizes = job.seed, job.n, job.d_in, job.h, job.d_out
    start = named(random_two_layer_net(*sizes, dtype=job.dtype).start)
    model = torch.nn.Sequential(
        torch.nn.Linear(job.d_in, job.h), torch.nn.ReLU(), torch.nn.Linear(job.h, job.d_out)
    )
    tensors = {LAYERS[name]: torch.from_numpy(array) for name, array in start.items()}
    model.to(getattr(torch, job.dtype)).load_state_dict(tensors)
    return model


def new_optimizer(job: Job, model: "torch.nn.Module") -> "torch.optim.Optimizer":
    """Return the optimizer of a job for the parameters of a model.

    Examples
    --------
    >>> type(new_optimizer(Job(optimizer="sgd"), new_model(Job()))).__name__
    'SGD'
    """
    import torch

    from ..pytorch import Adam

    if job.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=job.lr)
    kind = Adam if job.optimizer == "adamlib" else torch.optim.Adam
    return kind(model.parameters(), lr=job.lr, eps=job.eps)


def die() -> None:
    """Kill the last process, as a machine that fails would, unless this is a restart."""
    import torch.distributed as dist

    first_start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    if first_start and dist.get_rank() == dist.get_world_size() - 1:
        # Windows has no SIGKILL; there SIGTERM ends a process without asking it
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def gather(
    model: "torch.nn.Module", optimizer: "torch.optim.Optimizer", losses: list[float], first: int
) -> Result:
    """Collect what all processes have into process 0; call it in all of them."""
    import torch.distributed as dist
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    mine = losses, [sum(map(_bytes, tensors)) for tensors in _tensors(model, optimizer)]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    parameters, state = get_state_dict(model, optimizer, options=whole)
    states: Any = state.get("state", {})  # none for SGD
    parts: list[dict[str, Any]] = [parameters] + [
        {key: entry[moment] for key, entry in states.items() if moment in entry}
        for moment in moments_used(amsgrad=False)
    ]
    params, exp_avg, exp_avg_sq = (
        {name: part[key].numpy() for name, key in LAYERS.items() if key in part} for part in parts
    )
    return Result(
        params,
        np.array([each[0] for each in everyone], dtype=np.float64),
        np.array([each[1] for each in everyone], dtype=np.int64),
        exp_avg,
        exp_avg_sq,
        first,
        int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
    )


def _tensors(model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> list[list]:
    """Return the tensors of each of the `HELD` kinds in this process."""
    params = list(model.parameters())
    moments = [
        [optimizer.state[p][name] for p in params if name in optimizer.state[p]]
        for name in moments_used(amsgrad=False)
    ]
    return [params, [p.grad for p in params if p.grad is not None], *moments]


def _bytes(tensor: "torch.Tensor") -> int:
    from torch.distributed.tensor import DTensor

    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).nbytes
