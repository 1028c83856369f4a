"""What touches the machine: its processor and how a process computes on it, files that are written whole, locks.

Also the processes of a launched run.

The lowest room of `training`: imports none of the others.
"""

from __future__ import annotations
