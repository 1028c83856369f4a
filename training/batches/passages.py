"""Neighbouring sentences of a document as one row, for a tagger that reads passages (`passage_words`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.words import split_words
from tagsmith.training.data.corpus import Corpus

_ALIKE = ("document", "raw")  # what rows of a passage have in common
_BATCH = 1_000  # sentences that are read at a time; no passage goes beyond them


def passages(rows: Iterable[Mapping[str, Any]], words: int) -> Iterator[list[Mapping[str, Any]]]:
    """Rows that are read together, in their order.

    Args:
        rows: corpus rows (see `load_corpus`).
        words: how many a passage may have, as texts are split, or as given where there is no text; a longer row is
            one by itself. At 0 each row is.
    """
    passage: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        own = len(row["tokens"]) if row["tokens"] and not row["raw"] else len(split_words(row["text"]))
        apart = passage and any(row.get(key) != passage[0].get(key) for key in _ALIKE)
        if passage and (not words or apart or size + own > words):
            yield passage
            passage, size = [], 0
        passage.append(row)
        size += own
    if passage:
        yield passage


def offsets(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Where each row's text begins in the text of all, and where another would."""
    return list(accumulate((len(row["text"]) + len(row.get("after", "\n")) for row in rows), initial=0))


def joined_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The texts of rows that follow each other, joined by what stood between them."""
    parts = [part for row in rows for part in (row["text"], row.get("after", "\n"))]
    return "".join(parts[:-1])


def one_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows of a document, which follow each other, as one: their texts are joined by what stood between them."""
    if len(rows) == 1:
        return dict(rows[0])
    joined: dict[str, Any] = {
        "document": rows[0].get("document"),
        "text": joined_text(rows),
        "after": rows[-1].get("after", "\n"),
        "raw": rows[0]["raw"],
        "tokens": [token for row in rows for token in row["tokens"]],
        "tags": [tag for row in rows for tag in row["tags"]],
        "spans": [],
    }
    placed = list(zip(offsets(rows), rows, strict=False))
    for side in ("starts", "ends"):
        joined[side] = [place + offset for offset, row in placed for place in row[side]]
    for offset, row in placed:
        joined["spans"] += [
            {**span, "start": span["start"] + offset, "end": span["end"] + offset} for span in row["spans"]
        ]
    return joined


def at_their_rows(found: Iterable[tuple[Span, float]], borders: Sequence[int]) -> list[list[tuple[Span, float]]]:
    """Spans of a passage, each at the row where it begins and counted from there; it may end beyond that.

    Args:
        found: spans, with their scores.
        borders: where each row begins, and the end of all.
    """
    own: list[list[tuple[Span, float]]] = [[] for _ in borders[1:]]
    for span, score in found:
        at = bisect_right(borders, span.start, hi=len(own)) - 1
        own[at].append((Span(span.start - borders[at], span.end - borders[at], span.label), score))
    return own


def joined(corpus: Corpus, words: int) -> Corpus:
    """A corpus whose rows are passages, in files or as streams as it is.

    Args:
        corpus: of sentences.
        words: as `passages` has them.
    """
    if not words:
        return corpus
    split = partial(_joined_batch, words=words)
    for name, rows in corpus.items():
        joint = rows.map(split, batched=True, batch_size=_BATCH, **_shown(rows, name))
        corpus = corpus.replaced(name, joint)
    return corpus


def _shown(rows: Any, name: str) -> dict[str, Any]:
    """What `map` takes of data that are in files alone."""
    return {"desc": f"Joining {name}"} if hasattr(rows, "data") else {}


def _joined_batch(batch: Mapping[str, list[Any]], words: int) -> dict[str, list[Any]]:
    rows = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
    found = [one_row(passage) for passage in passages(rows, words)]
    return {name: [row[name] for row in found] for name in batch}
