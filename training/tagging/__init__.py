"""A trained tagger at work: loading it with clear errors, tagging files, sharding them, writing what was found.

Imports `training.machine`; knows nothing of how a tagger was trained.
"""

from __future__ import annotations
