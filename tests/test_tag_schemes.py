from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import (
    SCHEMES,
    SchemeDetector,
    canonical_scheme,
    find_violations,
    spans_to_tags,
    split_tag,
    tag_names,
    tags_to_spans,
)

SPAN_SCHEMES = SCHEMES[:4]
LABELS = ["LOC", "PER", "GPE-LOC"]


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Span], int]:
    spans, end = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)), max_size=5)
    ):
        spans.append(Span(end + gap, end + gap + length, label))
        end = spans[-1].end
    return spans, end + draw(st.integers(0, 2))


@given(sentences(), st.sampled_from(SPAN_SCHEMES))
@settings(max_examples=200)
def test_spans_survive_every_scheme(sentence: tuple[list[Span], int], scheme: str) -> None:
    spans, length = sentence
    tags = spans_to_tags(spans, length, scheme)
    assert len(tags) == length
    assert not find_violations(tags, scheme)
    assert tags_to_spans(tags, scheme, strict=True) == spans
    assert tags_to_spans(tags, scheme) == spans
    assert set(tags) <= set(tag_names(LABELS, scheme)) | {"O"}


@given(sentences(), st.sampled_from(SPAN_SCHEMES), st.sampled_from(SPAN_SCHEMES))
@settings(max_examples=100)
def test_conversion_round_trip(sentence: tuple[list[Span], int], source: str, target: str) -> None:
    spans, length = sentence
    tags = spans_to_tags(spans, length, source)
    converted = spans_to_tags(tags_to_spans(tags, source), length, target)
    assert spans_to_tags(tags_to_spans(converted, target, strict=True), length, source) == tags


def conlleval_spans(tags: list[str]) -> list[Span]:
    """The shared tasks' rules for where a chunk begins and ends, written out one by one."""
    spans, opened = [], None
    for position in range(len(tags) + 1):
        before, before_label = split_tag(tags[position - 1]) if position else ("O", "")
        here, here_label = split_tag(tags[position]) if position < len(tags) else ("O", "")
        before, here = before.replace("L", "E").replace("U", "S"), here.replace("L", "E").replace("U", "S")
        ends = before in "ES" or (before in "BI" and here in "BSO")
        ends = ends or (before != "O" and before_label != here_label)
        begins = here in "BS" or (before in "ESO" and here in "EI")
        begins = begins or (here != "O" and before_label != here_label)
        if ends and opened is not None:
            spans.append(Span(opened, position, before_label))
            opened = None
        if begins:
            opened = position
    return spans


any_tag = st.one_of(
    st.just("O"), st.builds(lambda p, label: f"{p}-{label}", st.sampled_from("BIESLU"), st.sampled_from(LABELS))
)


@given(st.lists(any_tag, max_size=8), st.sampled_from(SPAN_SCHEMES))
@settings(max_examples=400)
def test_lenient_reading_is_total_and_conllevals(tags: list[str], scheme: str) -> None:
    spans = tags_to_spans(tags, scheme)
    assert spans == conlleval_spans(tags)
    covered = [position for span in spans for position in range(span.start, span.end)]
    assert covered == [position for position, tag in enumerate(tags) if tag != "O"]


@given(st.lists(any_tag, max_size=8), st.sampled_from(SPAN_SCHEMES))
@settings(max_examples=300)
def test_strict_accepts_exactly_what_the_scheme_writes(tags: list[str], scheme: str) -> None:
    valid = spans_to_tags(tags_to_spans(tags, scheme), len(tags), scheme) == tags
    assert valid == (not find_violations(tags, scheme))
    if not valid:
        with pytest.raises(InputError):
            tags_to_spans(tags, scheme, strict=True)


def test_plain_tags_are_one_span_a_word() -> None:
    tags = ["DET", "NOUN", "X", "-LRB-"]
    spans = tags_to_spans(tags, "plain", strict=True)
    assert spans[3] == Span(3, 4, "-LRB-")
    assert spans_to_tags(spans, 4, "plain") == tags
    with pytest.raises(ValueError, match="word 2 of 4"):
        spans_to_tags([spans[0], *spans[2:]], 4, "plain")
    with pytest.raises(ValueError, match="covers 2 words"):
        spans_to_tags([Span(0, 2, "DET")], 2, "plain")


def test_spans_that_no_tags_hold() -> None:
    with pytest.raises(ValueError, match=r"start=1, end=3, label='B'.*start=0, end=2, label='A'"):
        spans_to_tags([Span(0, 2, "A"), Span(1, 3, "B")], 4, "IOB2")
    for span in (Span(-1, 1, "A"), Span(1, 1, "A"), Span(3, 5, "A")):
        with pytest.raises(ValueError, match="4 words"):
            spans_to_tags([span], 4, "BIOES")


def test_violations_say_what_and_whether_readable() -> None:
    (opening,) = find_violations(["O", "I-LOC", "I-LOC"], "IOB2")
    assert (opening.position, opening.readable, opening.kind) == (1, True, "I- that opens a span")
    (free,) = find_violations(["O", "B-LOC"], "IOB1")
    assert free.readable and "B-LOC" in free.found
    (never,) = find_violations(["O", "E-LOC"], "BIOES")
    assert not never.readable and never.position == 1
    (left,) = find_violations(["B-LOC", "O"], "BIOES")
    assert not left.readable and left.position == 0
    assert [v.position for v in find_violations(["O", "B-LOC"], "BILOU")] == [1]
    (change,) = find_violations(["B-LOC", "I-PER", "E-PER"], "BIOES")
    assert not change.readable
    (foreign,) = find_violations(["B-LOC", "E-LOC"], "IOB2")
    assert not foreign.readable and "does not know" in foreign.found


@pytest.mark.parametrize("tag", ["LOC", "Q-LOC", "B-", "B", ""])
def test_tags_without_a_known_prefix(tag: str) -> None:
    with pytest.raises(InputError):
        tags_to_spans(["O", tag], "IOB2")


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", ["I-LOC", "O", "I-PER", "I-PER", "B-PER"]),
        ("IOB2", ["B-LOC", "O", "B-PER", "I-PER", "B-PER"]),
        ("IOB2", ["O", "O"]),
        ("BIOES", ["S-LOC", "O", "B-PER", "I-PER", "E-PER"]),
        ("BILOU", ["U-LOC", "O", "B-PER", "L-PER"]),
        ("plain", ["DET", "X", "PUNCT"]),
        ("plain", ["-LRB-", "NNP", "PRP$", ",", "X-Y"]),
        ("IOB2", ["O", "Q-LOC", "O"]),
        ("IOB2", ["B-LOC", "Q-LOC"]),
        ("plain", []),
    ],
)
def test_detection(scheme: str, tags: list[str]) -> None:
    detector = SchemeDetector()
    detector.add(tags)
    assert detector.result() == scheme


def test_detection_goes_by_majority() -> None:
    detector = SchemeDetector()
    detector.add(["I-ORG", "O", "I-LOC", "I-LOC"])
    detector.add(["O", "B-ORG"])
    assert detector.result() == "IOB1"
    for _ in range(3):
        detector.add(["B-ORG", "I-ORG"])
    assert detector.result() == "IOB2"


def test_detection_skips_unknown_tags_and_bounds_memory() -> None:
    detector = SchemeDetector()
    detector.add([None, "I-LOC"])
    detector.add(["B-LOC"])
    assert detector.result() == "IOB2"
    words = SchemeDetector()
    for number in range(300):
        words.add([f"word{number}-{k}" for k in range(100)])
    assert words.words == 30_000 and words.result() == "plain"


def test_names() -> None:
    assert tag_names(["PER", "LOC", "LOC"], "IOB2") == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert tag_names(["X"], "iobes") == ["O", "B-X", "I-X", "E-X", "S-X"]
    assert tag_names(["NOUN", "ADJ"], "plain") == ["ADJ", "NOUN"]
    assert [canonical_scheme(name) for name in ("IOBES", "bio", "Plain", "bilou")] == [
        "BIOES",
        "IOB2",
        "plain",
        "BILOU",
    ]
    with pytest.raises(InputError, match="IOB3"):
        canonical_scheme("IOB3")
