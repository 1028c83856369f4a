"""The first row of a file where it names the columns: `TOKEN	NE`, `Sentence #,Word,POS,Tag`."""

from __future__ import annotations

from collections.abc import Sequence

_WORDS = ("token", "tokens", "word", "words", "form", "forms", "surface", "mot", "wort", "palabra")
_SPAN_TAGS = (
    "tag", "tags", "ne", "ner", "ner_tag", "ner_tags", "ner-tag", "nertag", "ne_tag", "label", "labels", "entity",
    "entities",
    "entity_tag", "bio", "iob", "iob2", "bio_tag", "iob_tag", "bioes", "ne-coarse-lit", "ne-coarse", "chunk",
    "chunk_tag", "named_entity", "named entity", "gold", "annotation", "class",
)  # fmt: skip
_PLAIN_TAGS = ("pos", "pos_tag", "pos_tags", "upos", "xpos", "part of speech", "part_of_speech")
_SENTENCES = ("sentence #", "sentence", "sentence_id", "sentence id", "sent_id", "sentence_idx", "sent", "sentence_no")
_OTHERS = (
    "",
    "#",
    "id",
    "ids",
    "index",
    "idx",
    "token_id",
    "token id",
    "lemma",
    "feats",
    "head",
    "deprel",
    "misc",
    "doc",
)


def header_names(fields: Sequence[str]) -> tuple[str, ...]:
    """The columns' names in lower case if a row is a header, else nothing.

    A header names the words and the tags, and, of more than three columns, nothing that is unknown here save columns
    beside those two.
    """
    names = tuple(field.strip().strip("\"'").strip().casefold() for field in fields)
    if word_name(names) is None or not any(name in _SPAN_TAGS or name in _PLAIN_TAGS for name in names):
        return ()
    known = {*_WORDS, *_SPAN_TAGS, *_PLAIN_TAGS, *_SENTENCES, *_OTHERS}
    strangers = sum(name not in known for name in names)
    return names if strangers * 2 <= len(names) or len(names) > 5 else ()


def word_name(names: Sequence[str]) -> int | None:
    """The column that is called after words."""
    return next((number for number, name in enumerate(names) if name in _WORDS), None)


def tag_name(names: Sequence[str]) -> int | None:
    """The column that is called after tags: the last if it is, else the first of spans, else the last plain one."""
    if names[-1] in _SPAN_TAGS or names[-1] in _PLAIN_TAGS:
        return len(names) - 1
    spans = [number for number, name in enumerate(names) if name in _SPAN_TAGS]
    plain = [number for number, name in enumerate(names) if name in _PLAIN_TAGS]
    return spans[0] if spans else plain[-1] if plain else None


def sentence_name(names: Sequence[str]) -> int | None:
    """The column that is called after sentences: a new one begins where its value changes to another one."""
    return next((number for number, name in enumerate(names) if name in _SENTENCES), None)


def is_plain_name(name: str) -> bool:
    """Whether a column so called holds a plain tag for each word without question."""
    return name.casefold() in {*_PLAIN_TAGS, "lemma", "feats", "deprel", "head"}
