"""Spans of words read off predicted tags, a batch at a time."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .tag_rules import span_edges


@lru_cache
def _tables(tags: tuple[str, ...], scheme: str) -> tuple[Tensor, Tensor, Tensor]:
    """What `span_edges` says, as tensors: bool `(tags + 1, tags + 1)` twice, and long `(tags,)`."""
    cpu = torch.device("cpu")  # named, because the first call may come under another device's context
    opens, closes, ids = (torch.tensor(table, device=cpu) for table in span_edges(tags, scheme))
    return opens, closes, ids


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
