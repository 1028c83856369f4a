"""Two taggers on the same texts: which is better, how sure that is, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tagsmith.training.evaluation.bootstrap import Comparison, Units, compare, resampled_units, summed
from tagsmith.training.evaluation.tagged_texts import TaggedText

Pair = tuple[TaggedText, TaggedText]
_SURE = 0.05


@dataclass
class Compared:
    """What a comparison found.

    Attributes:
        comparison: of F1, by a paired bootstrap.
        units: what was drawn.
        only_first: spans that the first alone has right.
        only_second: that the second alone has right.
        texts: those that the taggers tag otherwise.
    """

    comparison: Comparison
    units: Units
    only_first: int
    only_second: int
    texts: list[Pair]

    def result(self, names: Sequence[str]) -> dict[str, Any]:
        """All but the texts, as `tagsmith errors --compare --json` has it."""
        own = self.comparison
        better = names[0] if own.difference.value > 0 else names[1]
        verdict = f"{better} is better." if own.p < _SURE else "Chance may well explain the difference."
        return {
            "taggers": list(names),
            "f1": list(own.f1),
            "difference": own.difference._asdict(),
            "first_better": own.first_better,
            "p": own.p,
            "verdict": verdict,
            "drawn": self.units.said,
            "units": self.units.size,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "differing_texts": len(self.texts),
        }

    @staticmethod
    def spans(pair: Pair) -> dict[str, Any]:
        """The spans of a text that not both taggers found, and the gold ones, as JSON has them."""
        one, other = pair
        left, right = set(one.spans), set(other.spans)
        sides = {"gold": set(one.gold), "first": left - right, "second": right - left}
        return {
            "text": one.text,
            **{
                name: [{**span._asdict(), "text": one.text[span.start : span.end]} for span in sorted(spans)]
                for name, spans in sides.items()
            },
        }


def compare_taggers(pairs: Iterable[Pair]) -> Compared:
    """Compare two taggers.

    Args:
        pairs: each text, as the first tagger has it and as the second has it.

    Raises:
        InputError: the texts are too few for a bootstrap.
    """
    documents: list[int] = []
    counts: list[list[int]] = []
    texts: list[Pair] = []
    only_first = only_second = 0
    for one, other in pairs:
        gold, left, right = set(one.gold), set(one.spans), set(other.spans)
        documents.append(one.document)
        counts.append([len(gold & left), len(left), len(gold), len(gold & right), len(right), len(gold)])
        only_first += len(gold & left - right)
        only_second += len(gold & right - left)
        if left != right:
            texts.append((one, other))
    units = resampled_units(documents)
    sums = summed(np.array(counts), units)
    return Compared(compare(sums[:, :3], sums[:, 3:]), units, only_first, only_second, texts)
