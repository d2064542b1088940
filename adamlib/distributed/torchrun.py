"""torchrun, as `launch` starts it: it ends with its caller, and does not wait long for processes.

python -m adamlib.distributed.torchrun ARGUMENTS OF TORCHRUN
"""

import functools
import gc
import importlib
import os
from typing import Any

from .guarded import RARELY
from .lifeline import end_with_parent

SECONDS_TO_CLOSE = 3  # for processes that are asked to end; torchrun would wait for 30


def without_libuv() -> None:
    """Let torchrun ask for no libuv, which it does whatever is set: pytorch issue 148283."""
    name = "torch.distributed.elastic.rendezvous.c10d_rendezvous_backend"
    backend: Any = importlib.import_module(name)
    backend.TCPStore = functools.partial(backend.TCPStore, use_libuv=False)


def close_soon() -> None:
    """Kill processes soon that ignore SIGTERM, when another one has died or torchrun is stopped."""
    api: Any = importlib.import_module("torch.distributed.elastic.multiprocessing.api")
    close = api.PContext.close

    def close_in_time(
        context: Any, death_sig: Any = None, timeout: float = SECONDS_TO_CLOSE
    ) -> None:
        close(context, death_sig, min(timeout, SECONDS_TO_CLOSE))

    api.PContext.close = close_in_time


def main() -> None:
    """Run torchrun with the arguments of this program."""
    end_with_parent()
    gc.set_threshold(RARELY)
    if os.environ.get("USE_LIBUV") == "0":  # where torch is built without it
        without_libuv()
    close_soon()
    importlib.import_module("torch.distributed.run").main()


if __name__ == "__main__":
    main()
