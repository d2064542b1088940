"""How a process that torchrun has started joins the others, and which device is its own."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


# notebook 10 prints this function
def start_process_group(device: str) -> "torch.device":
    """Join the other processes and return the device of this one.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU each where there are enough.

    Returns
    -------
    torch.device
        The device on which this process computes.

    Raises
    ------
    ValueError
        ``device is 'cuda' for 2 processes here, and there are 0 GPUs``.
    """
    import torch
    import torch.distributed as dist

    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if device == "cuda" and gpus < here:
        raise ValueError(f"device is 'cuda' for {here} processes here, and there are {gpus} GPUs")
    if device == "cuda" or (device == "auto" and gpus >= here):
        mine = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(mine)
        dist.init_process_group("nccl", device_id=mine)
        return mine
    dist.init_process_group("gloo")
    return torch.device("cpu")
