"""What a server takes, in one place: the command's options, the queue and the reader of bodies have it from here."""

from __future__ import annotations

from dataclasses import dataclass

BATCH_CHARACTERS = 200_000  # of the texts in one batch, so that a long text does not keep short ones waiting
READ_AND_DROPPED = 256_000_000  # bytes of a body that is too large: so that its client gets to the answer
KEEP_ALIVE = 30  # seconds that a connection may be idle between two requests


@dataclass(frozen=True)
class Limits:
    """What a server takes; larger requests, and those that would wait longer, are turned away.

    Attributes:
        max_bytes: of a body.
        max_batch: texts in a batch; those of one request stay together, however many they are.
        max_waiting: texts that may wait.
        max_wait: seconds for a body to arrive, and seconds that a request may wait after that.
    """

    max_bytes: int = 1_000_000
    max_batch: int = 64
    max_waiting: int = 1024
    max_wait: float = 10.0
