"""Train the net of notebook 04 on many processes, started by torchrun.

==============  =================================================================
``jobs``        what to train, as data, and what happened: `Job`, `Result`
``training``    the loop, as one of many processes: `train`, `wrap`
``sharded``     checkpoints that many write and any number reads
``setup``       join the other processes: `start_process_group`
``launching``   `launch`: start it from a notebook, by torchrun
``lifeline``    no process outlives the one that started it
``torchrun``    torchrun itself, with that, and with less patience
``guarded``     so it is for any script or module: run it by this one
``__main__``    the script that torchrun starts
==============  =================================================================

Everything distributed is PyTorch's: DDP, FSDP2, ``torch.distributed.checkpoint``, and torchrun,
which starts a job anew when one of its processes dies. The optimizer is `adamlib.pytorch.Adam`,
unchanged. tools/launch.sh starts the script on a laptop and on a cluster.
"""

from .jobs import HELD, Job, Result
from .launching import launch
from .setup import start_process_group
from .sharded import latest_checkpoint, load_checkpoint, save_checkpoint
from .training import examples, new_model, new_optimizer, train, wrap

__all__ = [
    "HELD",
    "Job",
    "Result",
    "examples",
    "latest_checkpoint",
    "launch",
    "load_checkpoint",
    "new_model",
    "new_optimizer",
    "save_checkpoint",
    "start_process_group",
    "train",
    "wrap",
]
