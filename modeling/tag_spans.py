"""Spans of words read off predicted tags, a batch at a time."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .tag_grammar import span_labels, split_tags


@lru_cache
def _tables(tags: tuple[str, ...], scheme: str) -> tuple[Tensor, Tensor, Tensor]:
    """Whether a span opens at a tag after another, and closes at a tag before another; and the tags' span labels.

    Two bool tables `(tags + 1, tags + 1)` over neighbours [first, second]; the last index is a sentence's edge.
    They read any tagging, legal or not, as conlleval does: a change of label, or a prefix that begins or ends a span.
    Then `(tags,)`, the index into `span_labels`, -1 for the tag outside.
    """
    parts = [*split_tags(tags, scheme), ("O", "")]
    opens, closes = [], []
    for prefix, label in parts:
        apart = [label != after or prefix in "ESLU" or before in "BSU" for before, after in parts]
        opens.append([cut and before != "O" for cut, (before, _) in zip(apart, parts, strict=True)])
        closes.append([cut and prefix != "O" for cut in apart])
    labels = span_labels(tags, scheme)
    ids = [-1 if prefix == "O" else labels.index(label) for prefix, label in parts[:-1]]
    cpu = torch.device("cpu")  # named, because the first call may come under another device's context
    return torch.tensor(opens, device=cpu), torch.tensor(closes, device=cpu), torch.tensor(ids, device=cpu)


def spans_of_tags(tag_ids: Tensor, tags: tuple[str, ...], scheme: str) -> Tensor:
    """Read the spans off a batch of tags.

    Args:
        tag_ids: `(batch, words)` long, -100 at padding.
        tags: the tags in the order of their ids.
        scheme: "BIOES", "BILOU", "IOB1", "IOB2" or "plain" (each word is a span).

    Returns:
        `(spans, 4)` long on the CPU: row, first word, end word (exclusive), index into `span_labels`; in order.

    Raises:
        ValueError: the scheme is unknown, or a tag is not one of the scheme's.
    """
    opens, closes, label = _tables(tags, scheme)
    ids = torch.nn.functional.pad(tag_ids.cpu(), (1, 1), value=-100)
    ids = torch.where(ids < 0, len(tags), ids)
    before, here, after = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
    starts = opens[before, here].nonzero()
    ends = closes[here, after].nonzero()
    return torch.stack([*starts.unbind(1), ends[:, 1] + 1, label[here[*starts.unbind(1)]]], dim=1)
