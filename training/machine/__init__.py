"""What touches the machine: files that are written whole, and the processes of a launched run.

The lowest room of `training`: imports none of the others.
"""

from __future__ import annotations
