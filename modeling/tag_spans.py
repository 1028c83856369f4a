"""Spans of words read off predicted tags, a batch at a time."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache
def _boundaries(tags: tuple[str, ...], scheme: str) -> tuple[Tensor, Tensor]:
    """Whether a span opens at a tag after another, and closes at a tag before another.

    Two bool tables `(tags + 1, tags + 1)` over neighbours [first, second]; the last index is a sentence's edge.
    They read any tagging, legal or not, as conlleval does: a change of label, or a prefix that begins or ends a span.
    """
    edge = ("O", "")
    parts = [("", tag) if scheme == "plain" else tuple(tag.partition("-")[::2]) for tag in tags] + [edge]
    opens = torch.zeros(len(parts), len(parts), dtype=torch.bool)
    closes = torch.zeros(len(parts), len(parts), dtype=torch.bool)
    for i, (prefix, label) in enumerate(parts):
        for j, (next_prefix, next_label) in enumerate(parts):
            apart = label != next_label or prefix in "ESLU" or next_prefix in "BSU" or scheme == "plain"
            opens[i, j] = next_prefix != "O" and apart
            closes[i, j] = prefix != "O" and apart
    return opens, closes


@lru_cache
def span_labels(tags: tuple[str, ...], scheme: str) -> tuple[str, ...]:
    """The labels that tags speak of, sorted; of plain tags, the tags themselves in their own order."""
    if scheme == "plain":
        return tags
    return tuple(sorted({tag.partition("-")[2] for tag in tags} - {""}))


def spans_of_tags(tag_ids: Tensor, tags: tuple[str, ...], scheme: str) -> Tensor:
    """Read the spans off a batch of tags.

    Args:
        tag_ids: `(batch, words)` long, -100 at padding.
        tags: the tags in the order of their ids.
        scheme: "BIOES", "BILOU", "IOB1", "IOB2" or "plain" (each word is a span).

    Returns:
        `(spans, 4)` long on the CPU: row, first word, end word (exclusive), index into `span_labels`; in order.
    """
    opens, closes = _boundaries(tags, scheme)
    edge = len(tags)
    ids = torch.nn.functional.pad(tag_ids.cpu(), (1, 1), value=-100)
    ids = torch.where(ids < 0, edge, ids)
    before, here, after = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
    starts = opens[before, here].nonzero()
    ends = closes[here, after].nonzero()
    labels = span_labels(tags, scheme)
    of_tag = [
        labels.index(tag if scheme == "plain" else tag.partition("-")[2]) if scheme == "plain" or tag != "O" else -1
        for tag in tags
    ]
    label = torch.tensor(of_tag)[here[starts[:, 0], starts[:, 1]]]
    return torch.stack([starts[:, 0], starts[:, 1], ends[:, 1] + 1, label], dim=1)
