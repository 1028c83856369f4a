"""Tags of bytes: averages over windows, legal paths, spans and their scores."""

from __future__ import annotations

import numpy as np
import pytest
from byte_references import window_starts
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.modeling import tag_average as module
from tagsmith.modeling.byte_tags import ByteTagDecoder
from tagsmith.modeling.tag_average import TagAverage, byte_tags

LABELS = ["PER", "LOC"]


def scores_of(tags: list[str], sure: float = 0.9) -> np.ndarray:
    """Log probabilities under which just these tags are best."""
    names = byte_tags(LABELS)
    chances = np.full((len(tags), len(names)), (1 - sure) / (len(names) - 1), dtype=np.float32)
    chances[np.arange(len(tags)), [names.index(tag) for tag in tags]] = sure
    return np.log(chances)


def test_names() -> None:
    assert byte_tags(["B", "A"]) == ["O", "B-B", "I-B", "E-B", "S-B", "B-A", "I-A", "E-A", "S-A"]


class TestAverage:
    @settings(deadline=None)
    @given(st.integers(1, 60), st.integers(1, 9), st.data())
    def test_weights_fall_from_the_middle(self, length: int, window: int, data: st.DataObject) -> None:
        overlap = data.draw(st.integers(0, window - 1))
        chance = np.random.default_rng(length)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_SHORTEST", 5)
            patch.setattr(module, "_LONGEST", 11)
            average, found = TagAverage(), []
            sums, weights = np.zeros((length, 3)), np.zeros(length)
            for start in window_starts(length, window, overlap).tolist():
                said = chance.random((min(window, length), 3)).astype(np.float32)
                for place, row in enumerate(said):
                    weight = min(place, len(said) - 1 - place) + 1
                    sums[start + place] += weight * row
                    weights[start + place] += weight
                found += list(average.add(start, said))
            found += list(average.finish())
        assert list(average.finish()) == []
        place = 0
        for first, stretch in found:
            assert first == place and len(stretch) > 0
            place += len(stretch)
        assert place == length
        np.testing.assert_allclose(np.concatenate([part for _, part in found]), sums / weights[:, None], rtol=1e-5)
        assert all(5 <= len(part) <= 11 for _, part in found[:-1])

    def test_a_stretch_ends_where_nothing_is_most_probable(self) -> None:
        said = np.zeros((1200, 2), dtype=np.float32)
        said[299, 0] = 1.0
        average = TagAverage()
        assert list(average.add(0, said)) == []
        found = [(first, len(part)) for first, part in average.finish()]
        assert found == [(0, 300), (300, 256), (556, 256), (812, 388)]


class TestDecoder:
    def test_the_best_where_it_is_legal(self) -> None:
        tags = ["O", "S-LOC", "B-PER", "I-PER", "E-PER", "B-LOC", "E-LOC"]
        (spans,) = ByteTagDecoder(LABELS).decode([scores_of(tags)])
        assert [span[:3] for span in spans] == [(1, 2, 1), (2, 5, 0), (5, 7, 1)]
        assert all(span.score == pytest.approx(0.9) for span in spans)

    def test_the_least_probable_tag_is_the_score(self) -> None:
        scores = scores_of(["B-PER", "I-PER", "E-PER", "O"])
        scores[1] = scores_of(["I-PER"], 0.5)
        scores[3] = scores_of(["O"], 0.3)
        (spans,) = ByteTagDecoder(LABELS).decode([scores])
        assert [span.score for span in spans] == [pytest.approx(0.5)]

    @pytest.mark.parametrize(
        ("tags", "doubt", "spans"),
        [
            (["O", "I-PER", "E-PER"], 0, [(0, 3, 0)]),
            (["B-PER", "E-LOC"], 1, [(0, 2, 0)]),
            (["B-PER", "I-PER"], 1, [(0, 2, 0)]),
            (["E-PER", "O"], 0, []),
        ],
    )
    def test_illegal_tags_become_the_best_legal_ones(
        self, tags: list[str], doubt: int, spans: list[tuple[int, int, int]]
    ) -> None:
        scores = scores_of(tags)
        scores[doubt] = scores_of([tags[doubt]], 0.2)
        found = ByteTagDecoder(LABELS).decode([scores_of(["O"]), scores, scores_of(["S-LOC"] * 5)])
        assert [[span[:3] for span in part] for part in found[:2]] == [[], spans]
        assert len(found[2]) == 5

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 4))
    def test_against_enumeration(self, seed: int, length: int) -> None:
        scores = np.random.default_rng(seed).normal(size=(length, 5)).astype(np.float32)
        best: tuple[float, list[tuple[int, int]]] = (-np.inf, [])

        def go_on(place: int, total: float, spans: list[tuple[int, int]]) -> None:
            nonlocal best
            if place == length:
                best = max(best, (total, spans))
                return
            go_on(place + 1, total + scores[place, 0], spans)
            go_on(place + 1, total + scores[place, 4], [*spans, (place, place + 1)])
            for end in range(place + 2, length + 1):
                inner = scores[place, 1] + scores[place + 1 : end - 1, 2].sum() + scores[end - 1, 3]
                go_on(end, total + inner, [*spans, (place, end)])

        go_on(0, 0.0, [])
        (spans,) = ByteTagDecoder(["X"]).decode([scores])
        assert [span[:2] for span in spans] == best[1]
        assert all(0 < span.score <= 1 for span in spans)

    def test_recall_bias_is_taken_from_o(self) -> None:
        scores = scores_of(["O", "O"], 0.6)
        scores[1, 4] = np.log(0.5)
        decoder = ByteTagDecoder(LABELS)
        assert decoder.decode([scores]) == [[]]
        ((span,),) = decoder.decode([scores], recall_bias=1.0)
        assert span[:3] == (1, 2, 0) and span.score < 0.5  # of what the tags say without it

    def test_nothing(self) -> None:
        assert ByteTagDecoder(LABELS).decode([]) == []
