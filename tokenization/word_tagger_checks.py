"""Whether the files of a hierarchical tagger are of one tagger: its words, characters and gazetteer."""

from __future__ import annotations

from typing import Any

from .input_error import InputError


def check_tokenizer(tokenizer: Any, config: Any, model: str) -> None:
    """See that words, characters and gazetteer are those that the network was made for.

    Args:
        tokenizer: a `HierarchicalTaggerTokenizer`.
        config: a `HierarchicalTaggerConfig`.
        model: the tagger's folder or name, for errors.

    Raises:
        InputError: what differs.
    """
    found: dict[Any, int] = {name: len(words) + 2 for name, words in tokenizer.vocabularies.items()}
    wanted: dict[Any, int] = {name: size for name, (size, _) in config.vocabularies.items()}
    if found != wanted:
        sizes = f"{_listed(found)} ids, and config.json {_listed(wanted)}"
        raise InputError(f"the files are of two taggers: the tokenizer's have {sizes}", path=model)
    characters = (tokenizer.character_vocab_size, config.character_vocab_size)
    reads_characters = config.character_encoder != "none" or config.ngram_sizes
    if reads_characters and characters[0] != characters[1]:
        sizes = "vocab.json has ids for {:,} characters, and config.json {:,}".format(*characters)
        raise InputError(f"the files are of two taggers: {sizes}", path=model)
    width = tokenizer.gazetteer.num_features if tokenizer.gazetteer is not None else 0
    if config.gazetteer_size and not width:
        raise InputError("this is not the whole folder of a tagger: gazetteer.json is missing", path=model)
    if width != config.gazetteer_size:
        sizes = f"gazetteer.json gives {width} features, and config.json has {config.gazetteer_size}"
        raise InputError(f"the files are of two taggers: {sizes}", path=model)


def _listed(sizes: dict[Any, int]) -> str:
    return ", ".join(f"{name} {size:,}" if name else f"{size:,}" for name, size in sizes.items())
