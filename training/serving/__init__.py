"""A tagger as a server: the queue that makes batches of requests, the routes, the formats of annotation tools.

Imports `training.machine` and `tokenization`; without torch unless a tagger needs it. What loads taggers hands them in.
"""

from __future__ import annotations
