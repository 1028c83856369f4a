"""How probable spans are to a tagger."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags, tag_names
from tagsmith.training.doubts.opinions import span_posteriors


@pytest.mark.parametrize("scheme", ["BIOES", "BILOU", "IOB1", "IOB2"])
@pytest.mark.parametrize("lacks", ["", "I-LOC"])
def test_of_a_softmax(scheme: str, lacks: str) -> None:
    """The product of the tags that write the span; 0 where a tag is not among the head's."""
    tags = [tag for tag in tag_names(["LOC", "PER"], scheme) if tag != lacks]
    head = SimpleNamespace(crf=None, tags=tags, tag_scheme=scheme, span_labels=("LOC", "PER"))
    logits = torch.randn(2, 5, len(tags), generator=torch.Generator().manual_seed(1))
    places = [(row, start, end) for row in (0, 1) for start in range(5) for end in range(start + 1, 6)]
    spans = [(*place, label) for place in places for label in (0, 1)]
    chances, expected = logits.double().softmax(-1), []
    for row, start, end, label in spans:
        written = spans_to_tags([Span(0, end - start, head.span_labels[label])], end - start, scheme)
        factors = [chances[row, start + at, tags.index(tag)] if tag in tags else 0.0 for at, tag in enumerate(written)]
        expected.append(float(torch.tensor(factors).prod()))
    found = span_posteriors(head, logits, torch.ones(2, 5, dtype=torch.bool), torch.tensor(spans))
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-12)
