"""From a corpus to batches: encoded sentences and byte windows, the order in which they come, and their collators.

Imports `training.data` and below; knows no model, trainer or command.
"""

from __future__ import annotations
