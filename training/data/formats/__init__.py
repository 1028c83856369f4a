"""The formats of annotation tools and other taggers, one file each: recognised, read strictly, and written.

Imported by `annotated_files` and `conversion`; imports the readers' common parts in `training.data`.
"""

from __future__ import annotations
