"""Which of the processes of a training run speaks."""

from __future__ import annotations

import os


def is_main_process() -> bool:
    """Whether this process is the first of those that torchrun or accelerate launch, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK"))
