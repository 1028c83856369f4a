"""Unicode's forms of one word: an accent may be part of its letter, or a character after it."""

from __future__ import annotations

import unicodedata

NORMALIZATIONS = ("nfc",)


def composed(text: str, normalization: str | None) -> str:
    """A text in the form that is looked up: composed for "nfc", as it stands for None."""
    return unicodedata.normalize("NFC", text) if normalization else text


def check_normalization(normalization: str | None) -> None:
    """See that there is such a form.

    Raises:
        ValueError: there is none.
    """
    if normalization is not None and normalization not in NORMALIZATIONS:
        raise ValueError(f"Unknown normalization {normalization!r}; choose {', '.join(NORMALIZATIONS)} or None.")
