"""How good a tagger is: span scores, the scores of a corpus, and the trade of precision against recall.

Imports `training.data` and `training.batches`; whatever trains, reports or draws imports it.
"""

from __future__ import annotations
