"""The command line `tagsmith`: one file a command, the options that they share, and the entry point.

The top room: imports all others, and nothing imports it.
"""

from __future__ import annotations
