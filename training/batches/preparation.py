"""Corpora into encoded sentences: words, tags and vocabularies, for training a hierarchical tagger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, IterableDataset
from datasets.fingerprint import Hasher

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.words import check_words, project_spans, split_words
from tagsmith.training.data.corpus_cache import private_cache

_SAMPLE = 2_000  # sentences that the splitter is chosen on
_COLUMNS = ["raw", "tokens", "tags", "text", "spans"]  # of a row; the last two where the text is split anew
_BATCH = 1_000  # sentences that are read at a time


class Altered(NamedTuple):
    """What of a split the tagger does not see as it stands there.

    Attributes:
        misaligned: spans that do not begin and end where words do.
        shortened: words with more characters than are read of one.
    """

    misaligned: int
    shortened: int


@dataclass
class PreparedSentence:
    """A sentence's words and tags as the tagger will meet them, and how many spans did not align with words."""

    words: list[str]
    tags: list[str]
    misaligned: int


def prepare_sentence(row: Mapping[str, Any], splitter: str, scheme: str) -> PreparedSentence:
    """A corpus row as words and tags.

    Where the raw text is known, it is split as it will be at tagging, and the spans are projected onto the words. A
    corpus given only as tokens, and one of plain tags, is used as given. A span that crosses a line end is left out:
    lines are tagged apart.

    Args:
        row: a row of a corpus (see `load_corpus`).
        splitter: of the tokenizer.
        scheme: in which the tags are wanted.
    """
    if scheme == "plain":
        return PreparedSentence(list(row["tokens"]), list(row["tags"]), 0)
    if not row["raw"]:
        spans = tags_to_spans(row["tags"], "IOB2")
        return PreparedSentence(list(row["tokens"]), spans_to_tags(spans, len(row["tokens"]), scheme), 0)
    words = split_words(row["text"], splitter)
    spans, misaligned = project_spans(
        sorted(
            Span(span["start"], span["end"], span["label"]) for span in row["spans"] if span["end"] <= len(row["text"])
        ),
        [word.start for word in words],
        [word.end for word in words],
    )
    return PreparedSentence([word.text for word in words], spans_to_tags(spans, len(words), scheme), misaligned)


def choose_splitter(corpora: Iterable[tuple[Iterable[Mapping[str, Any]], bool]]) -> str:
    """The splitter that suits corpora: "words" or "punctuation", judged on the first 2,000 sentences of each.

    With raw text and spans, the one whose words break fewest spans; otherwise the one whose words agree best with the
    corpus's own tokens. "words" wins a draw.

    Args:
        corpora: rows, and whether their tags are plain.
    """
    costs = {"words": 0, "punctuation": 0}
    for rows, plain in corpora:
        for row in islice(rows, _SAMPLE):
            for splitter in costs:
                if row["raw"] and not plain:
                    costs[splitter] += prepare_sentence(row, splitter, "IOB2").misaligned
                else:
                    found = {(word.start, word.end) for word in split_words(row["text"], splitter)}
                    costs[splitter] += len(found ^ set(zip(row["starts"], row["ends"], strict=True)))
    return min(costs, key=lambda splitter: costs[splitter])


def training_words(dataset: Dataset | IterableDataset, splitter: str, scheme: str) -> Iterator[list[str]]:
    """The words of each sentence, as the tagger will be trained on them."""
    for batch in dataset.select_columns(["raw", "text", "tokens"]).iter(batch_size=_BATCH):
        for raw, text, tokens in zip(batch["raw"], batch["text"], batch["tokens"], strict=True):
            if raw and scheme != "plain":
                yield [word.text for word in split_words(text, splitter)]
            else:
                yield tokens


def encode_corpus(
    corpus: DatasetDict,
    tokenizer: HierarchicalTaggerTokenizer,
    tags: list[str],
    scheme: str,
    language: str | None = None,
) -> tuple[DatasetDict, dict[str, Altered]]:
    """Every split as `input_ids`, `character_ids`, `labels` (and `gazetteer_features`) and `length`, memory-mapped.

    Args:
        corpus: splits of corpus rows; one that is a stream stays one, and what it alters is not counted.
        tokenizer: gives the ids.
        tags: in the order of their ids.
        scheme: of the tags.
        language: of the words, for a tokenizer in which each language has its own.

    Returns:
        The encoded splits, without sentences that have no words, and what each tells otherwise than its data.

    Raises:
        InputError: a tag that is not among `tags`.
    """
    tag_ids = {tag: index for index, tag in enumerate(tags)}

    def prepare(row: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
        sentence = prepare_sentence(row, tokenizer.splitter, scheme)
        if unknown := set(sentence.tags) - tag_ids.keys():
            raise InputError(f"the corpus has the tag {min(unknown)!r}, which the tagger does not know")
        return sentence.words, {
            "labels": [tag_ids[tag] for tag in sentence.tags],
            "length": len(sentence.words),
            "misaligned": sentence.misaligned,
            "shortened": tokenizer.read(sentence.words)[1],
        }

    def encode(row: dict[str, Any]) -> dict[str, Any]:
        words, others = prepare(row)
        return {**tokenizer.encode_words(words, language), **others}

    def encode_batch(table: pa.Table) -> pa.Table:
        needed = _COLUMNS if scheme != "plain" and pc.any(table["raw"]).as_py() else _COLUMNS[:3]
        sentences, others = zip(*map(prepare, table.select(needed).to_pylist()), strict=True)
        columns = {name: [row[name] for row in others] for name in others[0]}
        return pa.table({**_encode_sentences(sentences, tokenizer, language), **columns})

    # All that the result depends on.
    options = [tokenizer.vocabularies, tokenizer.characters, tokenizer.init_kwargs, tokenizer.gazetteer]
    options += [tags, scheme, language]
    encoded, altered = DatasetDict(), {}
    with private_cache():
        for name, split in corpus.items():
            if isinstance(split, IterableDataset):
                own = [*Altered._fields, *(split.column_names or next(iter(split), {}))]
                rows = split.map(encode).filter(lambda length: length > 0, input_columns="length")
                encoded[name] = rows.remove_columns(own)
                continue
            fingerprint = Hasher.hash([split._fingerprint, "encode_corpus", 1, options])
            encoded[name], altered[name] = _encode_rows(split, encode_batch, fingerprint, name)
    return encoded, altered


def _encode_rows(
    split: Dataset, encode: Callable[[pa.Table], pa.Table], fingerprint: str, name: str
) -> tuple[Dataset, Altered]:
    """The encoded rows that have words, and what all of them tell otherwise than their data."""
    # Not from the cache: nothing in the fingerprint tells whether the code that encodes has changed.
    rows = split.with_format("arrow").map(
        encode,
        batched=True,  # several times as fast as row by row
        batch_size=_BATCH,
        remove_columns=split.column_names,
        new_fingerprint=fingerprint,
        load_from_cache_file=False,
        desc=f"Encoding {name}",
    )
    rows = rows.with_format(None)
    altered = Altered(*(pc.sum(rows.data[count]).as_py() or 0 for count in Altered._fields))
    rows = rows.remove_columns(list(Altered._fields))
    if pc.min(rows.data["length"]).as_py() == 0:
        rows = rows.filter(lambda length: length > 0, input_columns="length", desc=f"Reading {name}")
    return rows, altered


def _encode_sentences(
    sentences: Sequence[Sequence[str]], tokenizer: HierarchicalTaggerTokenizer, language: str | None
) -> dict[str, pa.Array]:
    """What `encode_words` gives of each sentence; a word is looked up once, however often it occurs in them."""
    check_words(list(dict.fromkeys(chain.from_iterable(sentences))))
    sentences = [tokenizer.read(words)[0] for words in sentences]
    places = {word: place for place, word in enumerate(dict.fromkeys(chain.from_iterable(sentences)))}
    words = list(places)
    where = np.fromiter(map(places.__getitem__, chain.from_iterable(sentences)), dtype=np.int64)
    borders = _borders(np.fromiter(map(len, sentences), dtype=np.int32))
    word_ids = np.array(tokenizer.look_up(words, language), dtype=np.int32)
    character_ids, lengths = tokenizer.spell_out(words)
    spelled = pa.ListArray.from_arrays(_borders(lengths), pa.array(character_ids))
    encoded = {
        "input_ids": pa.ListArray.from_arrays(borders, pa.array(word_ids[where])),
        "character_ids": pa.ListArray.from_arrays(borders, spelled.take(pa.array(where))),
    }
    if (gazetteer := tokenizer.gazetteer) is not None:
        encoded["gazetteer_features"] = pa.array([list(gazetteer.match(words)) for words in sentences])
    return encoded


def _borders(lengths: np.ndarray) -> pa.Array:
    """Where each of several lists begins and ends, laid end to end."""
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), type=pa.int32())
