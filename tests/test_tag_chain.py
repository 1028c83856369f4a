"""The chain of tags of one sentence, against that of several, and against all legal sequences by themselves."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from test_runtime import SCHEMES

from tagsmith import HierarchicalTaggerConfig
from tagsmith.modeling.tag_chain import TagChain
from tagsmith.modeling.tagger_head import TaggerHead


def make(scheme: str, scale: float, words: int) -> tuple[TagChain, np.ndarray]:
    """A static CRF and the emissions of a sentence `(words, 1, tags)`."""
    chance, tags = np.random.default_rng(words), SCHEMES[scheme]
    start, transitions = (chance.normal(scale=scale, size=(len(tags),) * axes) for axes in (1, 2))
    chain = TagChain("static", tags, scheme, {"start": start, "transitions": transitions})
    return chain, chance.normal(scale=scale, size=(words, 1, len(tags)))


@pytest.mark.parametrize("words", [1, 2, 30])
@pytest.mark.parametrize("scale", [0.1, 2.0, 500.0])  # the last without the range that one pass needs
@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_is_what_it_is_among_others(scheme: str, scale: float, words: int) -> None:
    chain, scores = make(scheme, scale, words)
    (found, chances), lengths = chain.spans(scores, np.array([words])), np.array([words] * 2)
    both, both_chances = chain.spans(np.concatenate([scores, scores], axis=1), lengths)
    assert both.tolist() == [*found.tolist(), *([1, *span[1:]] for span in found.tolist())]
    np.testing.assert_allclose(both_chances, np.concatenate([chances, chances]), atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 500.0])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_against_every_sequence(scheme: str, scale: float) -> None:
    words = 3 if scheme == "BIOES" else 4
    chain, scores = make(scheme, scale, words)

    def score_of(tags: tuple[int, ...]) -> float:
        steps = chain.start[tags[0]] + chain.end[tags[-1]] + sum(chain.transitions[tags[:-1], tags[1:]])
        return float(steps + sum(scores[range(words), 0, tags]))

    sequences = {tags: score_of(tags) for tags in product(range(chain.num_tags), repeat=words)}
    best = max((score, tags) for tags, score in sequences.items())
    total, mass = 0.0, {}
    for tags, score in sequences.items():
        total += np.exp(score - best[0])
        for span in chain.read_spans(np.array(tags)[:, None], np.array([words])).tolist():
            mass[tuple(span)] = mass.get(tuple(span), 0.0) + np.exp(score - best[0])
    assert tuple(chain.decode(scores, np.array([words]))[:, 0]) == best[1]
    spans = np.array(sorted(mass))
    wanted = [mass[tuple(span)] / total for span in spans]
    np.testing.assert_allclose(chain.posteriors(scores, np.array([words]), spans), wanted, atol=1e-12)
    found, chances = chain.spans(scores, np.array([words]))
    assert found.tolist() == chain.read_spans(np.array(best[1])[:, None], np.array([words])).tolist()
    np.testing.assert_allclose(chances, [mass[tuple(span)] / total for span in found.tolist()], atol=1e-12)


def test_a_head_follows_its_weights() -> None:
    config = HierarchicalTaggerConfig(id2label=dict(enumerate(SCHEMES["BIOES"])), tag_scheme="BIOES")
    head, scores = TaggerHead(config, config.head(), 8), torch.randn(1, 9, len(SCHEMES["BIOES"]))
    head.double().eval()
    for _ in range(3):
        found = head.spans(scores, torch.ones(1, 9, dtype=torch.bool))
        both = head.spans(scores.repeat(2, 1, 1), torch.ones(2, 9, dtype=torch.bool))
        first = both[0][:, 0] == 0
        assert torch.equal(found[0], both[0][first])
        torch.testing.assert_close(found[1], both[1][first])
        torch.nn.init.normal_(head.crf.transitions, std=3)  # type: ignore[union-attr]
