"""Processes that are forked after a model has run."""

from __future__ import annotations

import os

import torch


def one_thread_when_forked() -> None:
    """Let processes that are forked from this one tag with one thread each.

    The threads of OpenMP do not live on in a forked process: the first product that asked for them would wait forever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
