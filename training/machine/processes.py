"""The processes of a run that torchrun or accelerate have launched: which of them speaks, and how each ends."""

from __future__ import annotations

import atexit
import os
import sys


def is_main_process() -> bool:
    """Whether this process is the first of those that torchrun or accelerate launch, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK"))


def end_launched_process() -> None:
    """End this process with success, here and now, if torchrun or accelerate have launched it; else do nothing.

    A thread of gloo may still hold tensors of the last exchange, and lets go of them under Python's lock. Where Python
    is ending by then, PyTorch aborts the process, and torchrun calls a finished run a failed one. To destroy the
    process group does not help: once a model was wrapped in `DistributedDataParallel`, that waits for no thread. So
    Python's own end is left out.
    """
    if "LOCAL_RANK" in os.environ:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
