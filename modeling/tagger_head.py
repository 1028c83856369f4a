"""A head of the hierarchical tagger: from states to the scores of tags, a loss, tags, spans."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from .configuration_hierarchical_tagger import HierarchicalTaggerConfig
from .crf import ConditionalRandomField
from .label_smoothing import summed_cross_entropy
from .state_crf import StateConditionalRandomField
from .tag_chain import TagChain
from .tag_rules import span_labels
from .tag_spans import spans_of_tags
from .tagger_shape import HeadShape


class TaggerHead(nn.Module):
    """States to tags: a linear layer, and a CRF or a softmax for each word by itself.

    Args:
        config: of the tagger.
        shape: the head's tags.
        input_size: width of the states, gazetteer features included.
    """

    def __init__(self, config: HierarchicalTaggerConfig, shape: HeadShape, input_size: int) -> None:
        super().__init__()
        self.tags, self.tag_scheme = tuple(shape.tags), shape.tag_scheme
        self.crf = None
        self.chain_kind = "softmax" if config.output == "softmax" else config.transitions
        if config.output == "crf":
            kind = StateConditionalRandomField if config.transitions == "state" else ConditionalRandomField
            self.crf = kind(len(self.tags), shape.tags, self.tag_scheme, config.cost)
        self.word_shape = (len(self.tags),) if self.crf is None else self.crf.word_shape
        self.output = nn.Linear(input_size, math.prod(self.word_shape))
        self.span_labels = span_labels(self.tags, self.tag_scheme)  # what `spans` counts
        self._chain: TagChain | None = None  # of the last sentence that was by itself

    def forward(self, states: Tensor) -> Tensor:
        """Packed states to emissions `(steps, tags)`, or scores of pairs `(steps, 1 + tags, tags)`."""
        emissions: Tensor = self.output(states)
        return emissions.unflatten(-1, self.word_shape)

    def loss(self, logits: Tensor, labels: Tensor, mask: Tensor, smoothing: float = 0.0) -> Tensor:
        """The objective: softmax-margin or likelihood of the sentences' tags; cross entropy of words for softmax.

        Raises:
            ValueError: labels are to be smoothed, and the head has a CRF.
        """
        if self.crf is not None:
            if smoothing:
                raise ValueError("Labels are smoothed for a softmax, and this head has a CRF. Leave smoothing out.")
            loss: Tensor = self.crf(logits, labels, mask)
            return loss
        gold = labels.masked_fill(~mask, -100).flatten()
        return summed_cross_entropy(logits.flatten(0, 1), gold, smoothing) / (gold != -100).sum().clamp(min=1)

    def decode(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The best tags, `(batch, words)` long, -100 at padding: Viterbi over legal paths, or each word's best."""
        if self.crf is not None:
            return self.crf.decode(logits, mask)
        return logits.argmax(-1).masked_fill(~mask, -100)

    def spans(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The spans of the best tags and how probable each is, as `predict_spans` gives them."""
        if len(mask) == 1 and logits.device.type == "cpu" and mask.all() and mask.numel():
            return self._spans_of_one(logits)
        tags = self.decode(logits, mask)
        spans = spans_of_tags(tags, self.tags, self.tag_scheme)
        if self.crf is not None:
            return spans, self.crf.span_posteriors(logits, mask, spans.to(logits.device)).cpu()
        chosen = logits.float().log_softmax(-1).gather(-1, tags.clamp(min=0)[..., None])[..., 0]
        total = nn.functional.pad(chosen.cpu().double().cumsum(1), (1, 0))  # Apple's GPUs have no float64
        return spans, (total[spans[:, 0], spans[:, 2]] - total[spans[:, 0], spans[:, 1]]).exp()

    def _spans_of_one(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The same of one sentence without padding, in numpy: its operations cost less."""
        of_crf = [] if self.crf is None else self.crf.named_parameters()
        weights = {name: _as_array(weight) for name, weight in of_crf}
        chain = self._chain
        if chain is None or not chain.is_of(weights):
            chain = self._chain = TagChain(self.chain_kind, self.tags, self.tag_scheme, weights)
        scores = _as_array(logits).swapaxes(0, 1).astype(np.float32 if self.crf is None else np.float64)
        spans, chances = chain.spans(scores, np.array([len(scores)]))
        kind = torch.float64 if self.crf is None else torch.promote_types(logits.dtype, torch.float32)
        return torch.from_numpy(spans), torch.from_numpy(chances).to(kind)


def _as_array(tensor: Tensor) -> np.ndarray:
    """A tensor on the CPU as numpy has it, of 32 bits or more."""
    whole = tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32))
    array: np.ndarray = whole.numpy()
    return array
