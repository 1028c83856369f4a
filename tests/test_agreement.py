"""How far annotators agree, and where they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import assert_last_line, assert_one_line, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.reading_report import Sentence
from tagsmith.training.evaluation.agreement import Row, cohens_kappa, compare_annotators

TEXTS = ["Tessa Ruiz lives in Oderau .", "Milo left Vantor .", "It rains ."]
ANNA = [[(0, 10, "PER"), (20, 26, "LOC")], [(0, 4, "PER"), (10, 16, "ORG")], []]
BEN = [[(0, 5, "PER"), (20, 26, "LOC")], [(10, 16, "LOC")], []]


def sentences(spans: list[Any], texts: list[str] = TEXTS) -> list[Sentence]:
    rows = zip(texts, spans, strict=True)
    return [Sentence(n, text, True, [], [], [], [], own, n + 1) for n, (text, own) in enumerate(rows)]


def write(path: Path, spans: list[Any], texts: list[str] = TEXTS) -> Path:
    rows = [
        {"text": text, "spans": [{"start": a, "end": b, "label": label} for a, b, label in own]}
        for text, own in zip(texts, spans, strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_figures() -> None:
    agreement = compare_annotators([sentences(ANNA), sentences(BEN)])
    rows = agreement.pairs[0, 1]
    assert list(rows) == ["LOC", "ORG", "PER", "all"]
    assert rows["all"][:1] + rows["all"][2:] == (2 / 7, 4, 3, 1)
    assert rows["PER"][:1] + rows["PER"][2:] == (0.0, 2, 1, 0)
    assert rows["LOC"].f1 == 2 / 3 and rows["ORG"].f1 == 0.0
    # Of 13 words Anna marks three as PER and Ben one of them: 11/13 agree, and by chance (3*1 + 10*12)/169.
    assert rows["PER"].kappa == pytest.approx((11 / 13 - 123 / 169) / (1 - 123 / 169))
    assert rows["ORG"].kappa == pytest.approx(0.0)


def test_full_agreement() -> None:
    agreement = compare_annotators([sentences(ANNA)] * 3)
    assert len(agreement.pairs) == 3 and agreement.mean("f1") == agreement.mean("kappa") == 1.0
    assert list(agreement.differences()) == []


def test_nothing_to_agree_on() -> None:
    nothing: list[Any] = [[], [], []]
    assert compare_annotators([sentences(nothing)] * 2).pairs[0, 1] == {"all": Row(None, None, 0, 0, 0)}
    with pytest.raises(InputError, match="no text is in all"):
        compare_annotators([sentences(ANNA), sentences([[]], ["Another text"])])
    with pytest.raises(InputError, match="--map all=ALL"):
        compare_annotators([sentences([[(0, 5, "all")], [], []])] * 2)
    with pytest.raises(InputError, match="nobody to agree with"):
        compare_annotators([sentences(ANNA)])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_kappa_is_that_of_others(choices: list[tuple[str, str]]) -> None:
    cohen_kappa_score = pytest.importorskip("sklearn.metrics").cohen_kappa_score
    firsts, seconds = zip(*choices, strict=True)
    counts = {pair: choices.count(pair) for pair in choices}
    ours = cohens_kappa(counts)
    if ours is None:
        assert len({*firsts, *seconds}) == 1
    else:
        assert ours == pytest.approx(cohen_kappa_score(firsts, seconds))


def test_kinds_of_differences() -> None:
    agreement = compare_annotators([sentences(ANNA), sentences(BEN)])
    assert [difference.kind for difference in agreement.differences()] == ["borders", "missing", "label"]
    other: list[Any] = [[(0, 5, "ORG"), (6, 10, "PER"), (20, 26, "LOC")], ANNA[1], []]
    (difference,) = compare_annotators([sentences(ANNA), sentences(other)]).differences()
    assert difference.kind == "labels and borders" and len(difference.spans[1]) == 2


def test_texts_are_matched_without_white_space(tmp_path: Path) -> None:
    texts = ["Tessa  Ruiz lives in Oderau.", "Another .", "It rains.", "It rains."]
    spans = [[(0, 11, "PER"), (21, 27, "LOC")], [], [], [(0, 2, "X")]]
    agreement = compare_annotators([sentences(ANNA), sentences(spans, texts)])
    assert [shared.text for shared in agreement.texts] == [TEXTS[0], TEXTS[2]]
    assert agreement.alone == [1, 2]
    assert agreement.pairs[0, 1]["all"].f1 == 1.0


def test_the_command(tmp_path: Path) -> None:
    one, two = write(tmp_path / "anna.jsonl", ANNA), write(tmp_path / "ben.jsonl", BEN)
    listed, page = tmp_path / "differences.tsv", tmp_path / "differences.html"
    outcome = tagsmith("agree", one, two, "--differences", listed, "--html", page)
    assert outcome.code == 0, outcome.err
    assert "28.57" in outcome.out and "3 texts are compared" in outcome.out
    assert listed.read_text(encoding="utf-8").splitlines() == [
        "place\tkind\tanna\tben",
        f"{one}:1\tborders\tTessa Ruiz PER\tTessa PER",
        f"{one}:2\tmissing\tMilo PER\t-",
        f"{one}:2\tlabel\tVantor ORG\tVantor LOC",
    ]
    html = page.read_text(encoding="utf-8")
    assert html.count("<article") == 4 and "anna.jsonl:2 ben" in html and "It rains" not in html
    for option in ("--html", "--differences"):
        assert_one_line(tagsmith("agree", one, two, option, two), "ben.jsonl", "such a file already")
    figures = json.loads(tagsmith("agree", one, two, "--json").out)
    assert figures["texts"] == 3 and figures["pairs"][0]["annotators"] == ["anna", "ben"]
    assert figures["pairs"][0]["labels"]["LOC"]["both"] == 1
    three = tagsmith("agree", one, two, one)
    assert "mean of all pairs" in three.out


def test_texts_of_one_file_alone(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.jsonl", ANNA), write(tmp_path / "b.jsonl", BEN[:2], TEXTS[:2])
    outcome = tagsmith("agree", one, two)
    assert f"warning: {one}: 1 texts are not in all of the files" in outcome.err
    other = write(tmp_path / "c.jsonl", [[]], ["Another"])
    assert_last_line(tagsmith("agree", one, other), "no text is in all of the files")
