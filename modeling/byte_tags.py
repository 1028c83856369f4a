"""The spans that the best tags of bytes write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .crf import ConditionalRandomField
from .tag_average import SCHEME, ByteSpan, byte_tags
from .tag_spans import spans_of_tags


class ByteTagDecoder:
    """The best legal tags of stretches, as spans.

    Args:
        labels: of spans, in the order of their ids.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.tags = tuple(byte_tags(labels))
        self._chain = ConditionalRandomField(len(self.tags), list(self.tags), SCHEME)
        for parameter in self._chain.parameters():  # nothing is learnt of neighbours; it knows what is legal
            nn.init.zeros_(parameter)
        self._ids = [labels.index(label) for label in self._chain.span_labels]

    @torch.no_grad()
    def decode(self, stretches: Sequence[np.ndarray], recall_bias: float = 0.0) -> list[list[ByteSpan]]:
        """The spans of each stretch.

        Args:
            stretches: float32 `(bytes, tags)` each, log probabilities, which need not add up to 1.
            recall_bias: taken from that of O.

        Returns:
            For each its spans in their order, in bytes of the stretch. A score is the probability of a span's least
            probable tag.
        """
        found: list[list[ByteSpan]] = [[] for _ in stretches]
        if not stretches:
            return found
        scores = nn.utils.rnn.pad_sequence([torch.from_numpy(stretch) for stretch in stretches], batch_first=True)
        lengths = torch.tensor([len(stretch) for stretch in stretches])
        mask = torch.arange(scores.shape[1]) < lengths[:, None]
        scores = scores.log_softmax(-1)
        biased = scores.clone()
        biased[..., 0] -= recall_bias
        tags = self._best(biased, mask)
        spans = spans_of_tags(tags, self.tags, SCHEME)
        if not len(spans):
            return found
        chances = scores.gather(2, tags.clamp(min=0)[..., None])[..., 0].exp()
        flat = torch.cat([chances.flatten(), chances.new_ones(1)]).numpy()  # so that an end can lie behind the last
        edges = (spans[:, 1:3] + scores.shape[1] * spans[:, :1]).flatten().numpy()
        least = np.minimum.reduceat(flat, edges)[::2]
        for (row, start, end, label), score in zip(spans.tolist(), least.tolist(), strict=True):
            found[row].append(ByteSpan(start, end, self._ids[label], score))
        return found

    def _best(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The best legal tags `(stretches, bytes)`, -100 at padding: each byte's best where these are legal."""
        tags = scores.argmax(-1).masked_fill(~mask, 0)  # O, which any stretch may end before
        chain = self._chain
        legal = chain.legal_transitions[tags[:, :-1], tags[:, 1:]].all(1)
        legal &= chain.legal_start[tags[:, 0]] & chain.legal_end[tags[:, -1]]
        if not legal.all():
            tags[~legal] = chain.decode(scores[~legal], mask[~legal])
        return tags.masked_fill(~mask, -100)
