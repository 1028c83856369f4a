from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import assert_last_line, assert_one_line, card_of, results_of, tagsmith

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.score_calibration import ScoreCalibration
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.calibration import (
    ScoredSpans,
    calibrate,
    expected_error,
    fit_calibration,
    reliability,
    thresholds,
)
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.evaluation.tagged_once import Recording, Replay
from tagsmith.training.evaluation.tagged_texts import tagged_texts
from tagsmith.training.tagging.load_tagger import load_tagger

pytestmark = pytest.mark.usefixtures("datasets_cache")

TEXT = "Ada Lovelace lived in London ."


def overconfident(spans: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose logits are twice those of the truth."""
    chance = np.random.default_rng(1)
    logits = chance.normal(0.5, 1.5, spans)
    right = chance.random(spans) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-2 * logits)), right


def test_the_temperature_is_found() -> None:
    scores, right = overconfident()
    fitted = fit_calibration(scores, right)
    assert fitted.temperature == pytest.approx(2.0, abs=0.2) and fitted.shift == pytest.approx(0.0, abs=0.1)
    before, after = (
        expected_error(reliability(np.array(values), right)) for values in (scores, list(map(fitted, scores)))
    )
    assert before > 0.05 and after < 0.02


def test_errors_are_of_other_documents() -> None:
    scores, right = overconfident()
    spans = ScoredSpans(["A"] * len(scores), scores.tolist(), right.tolist(), [n // 20 for n in range(len(scores))])
    found = calibrate(spans)
    assert found.before > 0.05 and found.after < 0.03
    for few in (ScoredSpans(), ScoredSpans(["A"] * 30, [0.5] * 30, [True] * 30, list(range(30)))):
        with pytest.raises(InputError, match="too little to calibrate"):
            calibrate(few)


def test_reliability() -> None:
    bins = reliability(np.array([0.05, 0.95, 1.0]), np.array([False, True, True]))
    assert [(own.spans, own.right) for own in bins] == [(1, 0.0), (2, 1.0)]
    assert expected_error(bins) == pytest.approx((0.05 + 2 * 0.025) / 3)
    assert reliability(np.array([]), np.array([])) == [] and expected_error([]) == 0.0


def test_thresholds() -> None:
    spans = ScoredSpans(
        ["A"] * 5 + ["B"] * 2 + ["C"],
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.9, 0.4, 0.3],
        [True, True, False, True, False, False, True, True],
        [0] * 8,
    )
    found = thresholds(spans, 0.75)
    assert found["A"] == (pytest.approx(0.55), 0.75, 1.0, True)
    assert not found["B"].reached and found["B"].precision == 0.5
    assert found["C"] == (0.0, 1.0, 1.0, True)
    with pytest.raises(InputError, match="no spans were found"):
        thresholds(ScoredSpans(), 0.9)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.2, 5), st.floats(-3, 3))
def test_calibration_keeps_the_order(one: float, other: float, temperature: float, shift: float) -> None:
    calibration = ScoreCalibration(temperature, shift)
    low, high = sorted((one, other))
    assert 0 <= calibration(low) <= calibration(high) <= 1
    assert ScoreCalibration()(one) == one


def test_the_pipeline_gives_calibrated_scores(tiny_folder: Path, byte_folder: Path) -> None:
    for folder in (tiny_folder, byte_folder):
        pipeline = load_tagger(str(folder))
        before = pipeline(TEXT)
        pipeline.model.config.calibration = {"": {"temperature": 2.0, "shift": -0.5}}
        after = pipeline(TEXT)
        calibration = ScoreCalibration(2.0, -0.5)
        assert [one["score"] for one in after] == pytest.approx([calibration(one["score"]) for one in before])
        assert [(one["start"], one["end"]) for one in after] == [(one["start"], one["end"]) for one in before]
        label = before[0]["entity_group"]
        pipeline.model.config.calibration = {"": {"min_scores": {label: 1.0}}}
        assert not [one for one in pipeline(TEXT) if one["entity_group"] == label and one["score"] < 1]
        assert len(pipeline(TEXT, min_score=0.0)) == len(before), "a call has the last word"


@pytest.mark.parametrize(
    "bad", [{"temperature": 0}, {"min_scores": {"A": 2}}, {"scale": 1.0}, {"shift": float("inf")}]
)
def test_configurations_that_cannot_be(bad: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="calibration of ''"):
        HierarchicalTaggerConfig.for_tags(["O", "B-A"], tag_scheme="IOB2", calibration={"": bad})


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "tagger"))


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """Mostly what the tagger knows, and some annotated otherwise."""
    path = tmp_path / "dev.conll"
    lines = []
    for number in range(30):
        label = "LOC" if number % 3 else "PER"
        lines += ["Ada B-PER", "lived O", "in O", f"London B-{label}", ". O", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_calibrate_and_thresholds_are_kept(folder: Path, dev: Path, tmp_path: Path) -> None:
    picture = tmp_path / "reliability.svg"
    arguments = ["evaluate", folder, dev, "--json", "--calibrate", "--precision", 0.9, "--bootstrap"]
    if pytest.importorskip("matplotlib"):
        arguments += ["--reliability", picture]
    outcome = tagsmith(*arguments)
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    found = result["calibration"]
    assert found["expected_calibration_error"] <= found["before"]
    assert result["intervals"]["drawn"] == "sentences"
    assert result["intervals"]["f1"]["low"] <= result["intervals"]["f1"]["value"] <= result["intervals"]["f1"]["high"]
    assert picture.exists() and "spans,score,right" in picture.with_suffix(".csv").read_text(encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["calibration"][""]["temperature"] == found["temperature"]
    assert set(config["calibration"][""]["min_scores"]) == {"LOC", "PER"}
    assert "warning: no threshold of LOC reaches precision 0.9" in outcome.err
    assert results_of(folder)["calibration"][""]["file"] == "dev.conll"
    card = card_of(folder)
    assert "expected calibration error" in card and "spans below these scores are left out" in card
    again = tagsmith("evaluate", folder, dev)
    assert again.code == 0 and "expected" not in again.out
    assert_one_line(tagsmith(*arguments), "--overwrite")


@pytest.mark.parametrize("family", ["tiny_folder", "byte_folder"])
@pytest.mark.parametrize("calibration", [{}, {"temperature": 2.0, "shift": -0.5, "min_scores": {"PER": 0.4}}])
def test_a_corpus_is_tagged_once(
    family: str, calibration: dict[str, Any], dev: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What is remembered scores as what is tagged again, also by other thresholds."""
    dev.with_suffix(".jsonl").write_text('{"text": "Ada Lovelace lived in Lund.", "spans": []}\n', encoding="utf-8")
    rows = [*load_corpus(dev)["train"].select(range(3)), *load_corpus(dev.with_suffix(".jsonl"))["train"]]
    pipeline: Any = load_tagger(request.getfixturevalue(family))
    texts = []

    def counted(given: Any, **options: Any) -> Any:
        return pipeline((texts.append(text) or text for text in given), **options)

    counted.model, counted.tokenizer = pipeline.model, pipeline.tokenizer  # type: ignore[attr-defined]
    recording = Recording(counted)
    assert len(list(tagged_texts(recording, rows, batch_size=2))) == 4
    count = len(texts)
    if hasattr(pipeline.model.config, "min_score"):
        pipeline.model.config.min_score = 0.3
    pipeline.model.config.calibration = {"": calibration}
    assert score_tagger(Replay(recording), rows, batch_size=2) == score_tagger(pipeline, rows, batch_size=2)
    assert len(texts) == count


def test_bad_input(folder: Path, dev: Path, tmp_path: Path) -> None:
    assert_one_line(tagsmith("evaluate", "owner/name", dev, "--calibrate"), "--calibrate keeps settings in a folder")
    one = tmp_path / "one.conll"
    one.write_text("Ada B-PER\nleft O\n", encoding="utf-8")
    assert_last_line(tagsmith("evaluate", folder, one, "--calibrate"), "too little to calibrate")
    assert_last_line(tagsmith("evaluate", folder, one, "--bootstrap"), "1 sentence")
    assert "calibration" not in results_of(folder) if (folder / "results.json").exists() else True
