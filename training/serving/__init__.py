"""A tagger as a server: the queue that makes batches of requests, the routes, the formats of annotation tools.

Imports `training.families` and `tokenization`; taggers are handed in, so that nothing here needs torch.
"""

from __future__ import annotations
