"""What follows what in a tag scheme; `test_crf` holds it against enumeration."""

from __future__ import annotations

import pytest
import torch

from tagsmith.modeling.tag_grammar import legal_transitions
from tagsmith.modeling.tag_rules import GRAMMARS, span_labels
from tagsmith.tokenization.tag_schemes import PREFIXES, find_violations, tag_names


class TestLegalTransitions:
    def test_are_bool_and_shaped(self) -> None:
        start, transitions, end = legal_transitions(["O", "B-P", "I-P", "E-P", "S-P", "S-Q"], "BIOES")
        assert [(t.dtype, tuple(t.shape)) for t in (start, transitions, end)] == [
            (torch.bool, (6,)),
            (torch.bool, (6, 6)),
            (torch.bool, (6,)),
        ]

    def test_take_a_label_with_a_hyphen_whole(self) -> None:
        _, transitions, _ = legal_transitions(["B-X-Y", "I-X-Y", "I-X"], "IOB2")
        assert transitions[0].tolist() == [True, True, False]

    @pytest.mark.parametrize(
        ("tags", "scheme", "message"),
        [
            (["O"], "IOBES", "Use one of IOB1, IOB2, BIOES, BILOU, plain"),
            (["O", "S-P"], "IOB2", "'S-P' does not belong to the scheme IOB2.*B-LABEL, I-LABEL.*Convert"),
            (["O", "PER"], "BIOES", "'PER'"),
            (["O", "B-"], "BIOES", "'B-'"),
            (["O", "BI-P"], "BIOES", "'BI-P'"),
            (["O", "-P"], "BIOES", "'-P'"),
            (["O", "b-P"], "IOB1", "'b-P'"),
        ],
    )
    def test_refuse_what_is_not_of_the_scheme(self, tags: list[str], scheme: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            legal_transitions(tags, scheme)


class TestSpanLabels:
    def test_are_sorted_and_of_plain_tags_in_their_order(self) -> None:
        assert span_labels(["O", "S-Z", "S-A", "B-Z", "E-Z"], "BIOES") == ("A", "Z")
        assert span_labels(["O", "B-X-Y", "I-X-Y"], "IOB2") == ("X-Y",)
        assert span_labels(["VERB", "NOUN", "O"], "plain") == ("VERB", "NOUN", "O")
        assert span_labels(["O"], "IOB1") == ()

    def test_unknown_schemes_are_refused(self) -> None:
        with pytest.raises(ValueError, match="Unknown tag scheme 'BIO'"):
            span_labels(["O"], "BIO")


class TestTwoGrammars:
    """The model's grammar and the tokenizer's say the same; they cannot share code, for each is uploaded alone."""

    @pytest.mark.parametrize("scheme", sorted(GRAMMARS))
    def test_know_the_same_prefixes(self, scheme: str) -> None:
        assert GRAMMARS[scheme].prefixes == PREFIXES[scheme]

    @pytest.mark.parametrize("scheme", sorted(GRAMMARS))
    def test_forbid_the_same_neighbours(self, scheme: str) -> None:
        tags = tag_names(["PER", "LOC", "A-B"], scheme)
        start, transitions, end = legal_transitions(tags, scheme)
        for i, before in enumerate(tags):
            for j, after in enumerate(tags):
                legal = bool(start[i] & transitions[i, j] & end[j])
                assert legal == (not find_violations([before, after], scheme)), (before, after)
