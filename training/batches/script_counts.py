"""Which scripts training data is written in, by its letters: what a tagger without a vocabulary knows of text."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import Counter

import numpy as np

from tagsmith.training.tagging.familiarity import script_of

_BYTES = 1 << 20  # that are decoded at a time


def letters_by_script(data: np.ndarray) -> Counter[str]:
    """How many letters of each script there are, scripts by their names in Unicode (LATIN, CJK).

    Args:
        data: uint8 `(bytes,)`, of UTF-8.
    """
    decoder, letters = getincrementaldecoder("utf-8")(), Counter[str]()
    for start in range(0, len(data), _BYTES):
        text = decoder.decode(data[start : start + _BYTES].tobytes())
        codes, counts = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32), return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            if script := script_of(chr(code)):
                letters[script] += count
    return letters
