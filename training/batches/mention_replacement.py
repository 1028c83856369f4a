"""Training sentences with other names in them: spans in the place of others of their label (Dai and Adel 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags, tags_to_spans
from tagsmith.training.batches.numbered_rows import NumberedRows


class _Mention(NamedTuple):
    """The ids of a span's words, and of their characters."""

    input_ids: list[int]
    character_ids: list[list[int]]


class ReplacedMentions(NumberedRows):
    """Encoded sentences, in which each span is, with a probability, another one of its label, tags and all.

    A span makes way for any of the different ones that the training data of its head have under its label, each as
    likely as the others; of a label with one alone, that stays. Plain tags stay as they are.

    Args:
        rows: encoded sentences (see `encode_corpus`), with the name of their `head` where there are several.
        heads: their shapes by name; under None that of the only one.
        rate: the probability.
        seed: of what is drawn.

    Raises:
        ValueError: a rate that is no probability; sentences that are not all known beforehand, that have features of a
            gazetteer, or no span.
    """

    def __init__(self, rows: Any, heads: Mapping[str | None, HeadShape], rate: float, seed: int) -> None:
        super().__init__(rows, rate, seed, "mention_replacement")
        if "gazetteer_features" in self.rows.column_names:
            raise ValueError("mention_replacement does not go with gazetteers, which match words beside a span too")
        self.heads = heads
        self.tag_ids = {name: {tag: number for number, tag in enumerate(head.tags)} for name, head in heads.items()}
        self.mentions: dict[tuple[str | None, str], list[_Mention]] = {}
        self.spans = self._collect()
        if not self.mentions:
            raise ValueError("mention_replacement replaces spans, and the training data have none")

    def _collect(self) -> list[list[tuple[Span, int]]]:
        """The spans of each sentence, with their numbers among the mentions of their label, which are noted."""
        numbers: dict[Any, int] = {}
        found = []
        for row in self.rows:
            head, spans = row.get("head"), []
            shape = self.heads[head]
            plain = shape.tag_scheme == "plain"
            for span in [] if plain else tags_to_spans([shape.tags[tag] for tag in row["labels"]], shape.tag_scheme):
                own = self.mentions.setdefault((head, span.label), [])
                mention = _Mention(*(row[name][span.start : span.end] for name in _Mention._fields))
                key = (head, span.label, *mention.input_ids, *map(tuple, mention.character_ids))
                number = numbers.setdefault(key, len(own))
                if number == len(own):
                    own.append(mention)
                spans.append((span, number))
            found.append(spans)
        return found

    def _drawn(self, row: dict[str, Any], place: int, chance: np.random.Generator) -> dict[str, Any]:
        spans = self.spans[place]
        chances, draws = chance.random((2, len(spans)))
        if not (chances < self.rate).any():
            return row
        head, last = row.get("head"), 0
        moved: list[Span] = []
        words: list[int] = []
        spellings: list[list[int]] = []
        for (span, number), drawn, draw in zip(spans, chances, draws, strict=True):
            mentions = self.mentions[head, span.label]
            if drawn < self.rate and len(mentions) > 1:  # any but itself
                number = (number + 1 + int(draw * (len(mentions) - 1))) % len(mentions)
            words += row["input_ids"][last : span.start] + mentions[number].input_ids
            spellings += row["character_ids"][last : span.start] + mentions[number].character_ids
            moved.append(Span(len(words) - len(mentions[number].input_ids), len(words), span.label))
            last = span.end
        words += row["input_ids"][last:]
        spellings += row["character_ids"][last:]
        tags = spans_to_tags(moved, len(words), self.heads[head].tag_scheme)
        labels = [self.tag_ids[head][tag] for tag in tags]
        return {**row, "input_ids": words, "character_ids": spellings, "labels": labels, "length": len(words)}
