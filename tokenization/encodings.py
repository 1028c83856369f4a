"""What tokenizers of both families give, and how long it becomes: cut on request, padded to a length or a multiple."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from transformers import BatchEncoding

Padding = bool | str | None
Truncation = bool | str | None


class TaggerEncoding(BatchEncoding):
    """As `BatchEncoding`; a tagger's tokens are its words, so that `word_ids` is known without a fast tokenizer."""

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The number of each token's word in its text, None at padding; of one text of the batch."""
        row = _row(self["attention_mask"], batch_index)
        return [number if int(on) else None for number, on in enumerate(row)]


class ByteEncoding(BatchEncoding):
    """As `BatchEncoding`; the words of bytes are what white space parts."""

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """The number of each byte's word in its text, None at white space and padding; of one text of the batch."""
        ids, mask = (_row(self[name], batch_index) for name in ("input_ids", "attention_mask"))
        size = sum(map(int, mask))
        words: list[int | None] = []
        number, inside = -1, False
        for character in bytes(map(int, ids[:size])).decode():
            number += not inside and not character.isspace()
            inside = not character.isspace()
            words += [number if inside else None] * len(character.encode())
        return words + [None] * (len(ids) - size)


def _row(batch: Any, index: int) -> Any:
    return batch[index] if len(batch) and not _is_number(batch[0]) else batch


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or getattr(value, "ndim", 1) == 0


def refuse_special_tokens_mask(wanted: bool) -> None:
    """Say how to tag, to a pipeline of transformers that asks a tagger's tokenizer for its special tokens.

    Raises:
        ValueError: they are wanted.
    """
    if wanted:
        raise ValueError(
            "A tagger's tokens have no special ones among them, and no mask of these (return_special_tokens_mask). To "
            "tag, call tagsmith.register() before transformers.pipeline; without tagsmith, make the pipeline by its "
            "task: pipeline('span-tagging', model=..., trust_remote_code=True)."
        )


def limit(lengths: Sequence[int], truncation: Truncation, max_length: int | None, unit: str) -> int | None:
    """To how many tokens texts are cut; None where they stay whole.

    Args:
        lengths: of the texts.
        truncation: as transformers takes it; a tagger has nothing to truncate but a text's end.
        max_length: the most tokens.
        unit: what tokens are, for messages.

    Raises:
        ValueError: a truncation that there is not, or a length below 1.

    Warns:
        UserWarning: texts are cut, or longer than `max_length` and not cut.
    """
    if truncation not in (None, False, True, "longest_first", "only_first", "do_not_truncate"):
        raise ValueError(f"truncation is {truncation!r}; choose True or False.")
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length is {max_length}; it must be at least 1.")
    if max_length is None or not (longer := sum(length > max_length for length in lengths)):
        return None
    cut = truncation not in (None, False, "do_not_truncate")
    what = "their ends are cut off" if cut else "they stay whole; truncation=True cuts them"
    warnings.warn(f"{longer:,} of {len(lengths):,} texts have more than {max_length:,} {unit}: {what}.", stacklevel=3)
    return max_length if cut else None


def is_padded(padding: Padding) -> bool:
    """Whether texts are padded at all.

    Raises:
        ValueError: a padding that there is not.
    """
    if padding not in (None, False, True, "longest", "max_length", "do_not_pad"):
        raise ValueError(f"padding is {padding!r}; choose True, False, 'longest' or 'max_length'.")
    return padding not in (None, False, "do_not_pad")


def padded_length(longest: int, padding: Padding, max_length: int | None, multiple: int | None) -> int:
    """To how many tokens texts are padded.

    Raises:
        ValueError: `padding="max_length"` without a length, or a multiple below 1.
    """
    if padding == "max_length" and max_length is None:
        raise ValueError("padding='max_length' needs max_length.")
    if multiple is not None and multiple < 1:
        raise ValueError(f"pad_to_multiple_of is {multiple}; it must be at least 1.")
    width = max(longest, max_length or 0) if padding == "max_length" else longest
    return -(-width // (multiple or 1)) * (multiple or 1)
