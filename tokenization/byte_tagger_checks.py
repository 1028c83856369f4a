"""Whether the files of a byte-to-span tagger are of one tagger: its window and labels."""

from __future__ import annotations

from typing import Any

from .input_error import InputError


def check_tokenizer(tokenizer: Any, config: Any, model: str) -> None:
    """See that symbols and labels are those that the network was made for.

    Args:
        tokenizer: a `ByteToSpanTokenizer`.
        config: a `ByteToSpanConfig`.
        model: the tagger's folder or name, for errors.

    Raises:
        InputError: what differs.
    """
    if tokenizer.vocab_size != config.vocab_size:
        sizes = f"{tokenizer.vocab_size:,} ids, and config.json {config.vocab_size:,}"
        raise InputError(f"the files are of two taggers: the tokenizer's have {sizes}", path=model)
    if list(tokenizer.labels) != config.span_labels:
        raise InputError("the files are of two taggers: their labels differ", path=model)
