"""Byte-to-span taggers without torch find what the pipeline finds, whatever their shape and however they write."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_runtime import FROZEN, TEXTS, assert_same, check, fuzz_texts, sample_texts
from transformers import GenerationConfig

import tagsmith
from tagsmith.runtime import load
from tagsmith.runtime.byte_config import BYTE_TRAINING, ByteConfig
from tagsmith.runtime.loading import BESIDE
from tagsmith.runtime.span_writing import write_spans
from tagsmith.runtime.weights_file import read_weights
from tagsmith.tokenization.strict_json import read_json

RELEASED = Path(tagsmith.__file__).parent / "model_cards" / "byte-ner-multilingual"
ENCODERS: dict[str, dict[str, Any]] = {
    "shared": {"encoder": "shared"},
    "two layers": {"encoder": "shared", "num_hidden_layers": 2},
    "separate": {"encoder": "separate", "num_hidden_layers": 2},
    "bidirectional": {"encoder": "bidirectional", "encoder_num_layers": 2},
    "patches": {"encoder": "bidirectional", "encoder_num_layers": 1, "patch_hidden_size": 4},
}
NGRAMS = {"ngram_sizes": [1, 2], "ngram_rows": 9}
FEW = [*TEXTS[:5], "Ada in Lund. " * 9]


def make_byte_tagger(folder: Path, generation: dict[str, Any] | None = None, **fields: Any) -> Path:
    """A tagger with random weights, saved."""
    torch.manual_seed(4)
    labels = ["PER", "LOC"]
    sizes = {
        "window_size": 16,
        "embedding_size": 6,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "encoder_hidden_size": 5,
    }
    shape = {**sizes, "initializer_range": 1.0, **fields}
    model = tagsmith.ByteToSpanForSpanTagging(tagsmith.ByteToSpanConfig.for_tags(labels, **shape))
    if fields.get("ngram_sizes"):
        model.model.ngrams.know(torch.tensor([ord(letter) + 1 for letter in "aeiou tnd"]))
    model.positions.bias.data[-1] -= 3.0  # so that something is written before STOP
    if generation:
        model.generation_config = GenerationConfig.from_model_config(model.config)
        model.generation_config.update(**generation)
    model.save_pretrained(folder)
    tagsmith.ByteToSpanTokenizer(shape["window_size"], labels).save_pretrained(folder)
    return folder


def released(folder: Path) -> Path:
    """The tagger that is released, as it writes spans, whichever way its configuration says."""
    shutil.copytree(RELEASED, folder, dirs_exist_ok=True)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**content, "decode": "spans"}), encoding="utf-8")
    return folder


def check_symbols(folder: Path, num_beams: int = 1, recall_bias: float = 0.0) -> np.ndarray:
    """The runtime and the model write the same symbols of windows of every length, and with the same chances.

    Of beams a window in twenty may differ: two ways that are as good but for rounding may part there.
    """
    model, tagger = tagsmith.pipeline(folder).model, load(folder)
    size = model.config.window_size
    rows = np.frombuffer("".join(TEXTS).encode()[: 2 * size * size], dtype=np.uint8).reshape(-1, size)
    mask = np.arange(size) < 1 + np.arange(len(rows))[:, None] % size
    ids = np.where(mask, rows, model.config.pad_token_id).astype(np.int64)
    expected = model.decode_spans(torch.from_numpy(ids), torch.from_numpy(mask), recall_bias, num_beams)
    symbols, chances = write_spans(tagger.network, ids, mask, recall_bias, num_beams, tagger.rules)
    assert symbols.shape == expected[0].shape
    same = (symbols == expected[0].numpy()).all(1)
    assert same.mean() > 0.95 if num_beams > 1 else same.all()
    assert np.abs(chances - expected[1].numpy())[same].max() < 1e-4
    return symbols


TAGS = {"tag_loss": 1.0, "decode": "tags"}


@pytest.mark.parametrize("ngrams", [{}, NGRAMS], ids=["plain", "n-grams"])
@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_bytes_by_their_tags(tmp_path: Path, encoder: str, order: str, ngrams: dict[str, Any]) -> None:
    folder = make_byte_tagger(tmp_path, **TAGS, **ENCODERS[encoder], **ngrams, input_order=order)
    assert any(check(folder))
    check(folder, [text.encode() for text in TEXTS], recall_bias=1.0, overlap=3, min_score=0.3)


@pytest.mark.parametrize("attention", [False, True], ids=["", "attention"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_windows_that_are_written(tmp_path: Path, encoder: str, attention: bool) -> None:
    """Every shape in every order of bytes, with n-grams and without, half of these within the grammar."""
    for number, (order, ngrams) in enumerate(product(["forward", "reversed"], [{}, NGRAMS])):
        grammar = number in (0, 3)
        choices = {"input_order": order, "span_grammar": grammar, "attention": attention, **ngrams}
        folder = make_byte_tagger(tmp_path / str(number), **ENCODERS[encoder], **choices)
        for num_beams in (1, 3):
            assert check_symbols(folder, num_beams, recall_bias=0.5).shape[1] > 3
        if grammar:
            assert any(check(folder, FEW))


@pytest.mark.parametrize(
    "fields",
    [
        {"span_order": "first_first"},
        {"merge": "paper"},
        {"tag_loss": 1.0},
        {"window_size": 16, "attention": True, "calibration": {"": {"temperature": 2.0, "shift": -0.5}}},
    ],
)
def test_what_a_configuration_says_of_tagging(tmp_path: Path, fields: dict[str, Any]) -> None:
    folder = make_byte_tagger(tmp_path, **fields)
    assert any(check(folder, FEW))
    check(folder, FEW, num_beams=2)


OPTIONS: list[dict[str, Any]] = [
    {"recall_bias": 3.0},
    {"recall_bias": -3.0, "num_beams": 2},
    {"num_beams": 5},
    {"overlap": 0, "merge": "paper", "num_beams": 2},
    {"overlap": 15, "ignore_labels": ["PER"]},
    {"errors": "replace"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_are_those_of_the_pipeline(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = make_byte_tagger(tmp_path, encoder="bidirectional", attention=True)
    texts = [*FEW, *([b"Ada \xff Lund"] if "errors" in options else [text.encode() for text in FEW])]
    assert any(check(folder, texts, **options))


def middle_score(spans: list[Any]) -> float:
    """A threshold among the scores of spans, as far as can be from the two that it lies between."""
    scores = np.unique([span["score"] for found in spans for span in found])
    middle = scores[len(scores) // 4 : 1 + 3 * len(scores) // 4]
    place = (middle[1:] / middle[:-1]).argmax()
    assert middle[place + 1] > 1.01 * middle[place]  # rounding does not cross it
    return float(np.sqrt(middle[place] * middle[place + 1]))


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"attention": True}, {"recall_bias": 2.0}),
        ({"attention": True}, {"num_beams": 5}),
        ({"attention": True}, {"overlap": 0, "merge": "paper"}),
        (TAGS, {"recall_bias": 2.0}),
    ],
    ids=str,
)
def test_a_threshold_that_some_spans_reach(tmp_path: Path, fields: dict[str, Any], options: dict[str, Any]) -> None:
    """Given with a call, or by the configuration."""
    shape = {"encoder": "bidirectional", **fields}
    folder = make_byte_tagger(tmp_path / "free", **shape)
    found = check(folder, FEW, **options)
    least = middle_score(found)
    kept = check(folder, FEW, min_score=least, **options)
    assert 0 < sum(map(len, kept)) < sum(map(len, found))
    assert all(span["score"] >= least for spans in kept for span in spans)
    chosen = make_byte_tagger(tmp_path / "chosen", **shape, min_score=least)
    assert check(chosen, FEW, **options) == kept


@pytest.mark.parametrize("grammar", [True, False], ids=["grammar", "free"])
@pytest.mark.parametrize(
    "rules",
    [
        {"length_penalty": 0.7},
        {"length_penalty": 2.0, "early_stopping": "never"},
        {"length_penalty": -1.0, "early_stopping": True},
        {"early_stopping": True},
        {"early_stopping": "never"},
    ],
    ids=str,
)
def test_how_beams_are_compared(tmp_path: Path, rules: dict[str, Any], grammar: bool) -> None:
    folder = make_byte_tagger(tmp_path, {"num_beams": 4, **rules}, attention=True, span_grammar=grammar)
    for num_beams, bias in ((4, 0.0), (2, 1.0)):
        assert check_symbols(folder, num_beams, bias).shape[1] > 3


def test_rules_that_only_generate_has(tmp_path: Path) -> None:
    folder = make_byte_tagger(tmp_path)
    path = tmp_path / "generation_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "repetition_penalty": 2.0}), encoding="utf-8")
    with pytest.raises(tagsmith.InputError, match=r"is set to: repetition_penalty.*--runtime torch"):
        load(folder)
    path.unlink()
    check(folder, FEW, num_beams=2)


def test_windows_of_a_byte_or_two(tmp_path: Path) -> None:
    """More beams than there are ways to write."""
    folder = make_byte_tagger(tmp_path, attention=True)
    check(folder, ["a", "", "ab", "Lund in a", "é"], num_beams=6)


def test_options_that_are_wrong(tmp_path: Path) -> None:
    tagger = load(make_byte_tagger(tmp_path))
    with pytest.raises(ValueError, match="num_beams is 0"):
        tagger("Ada", num_beams=0)
    with pytest.raises(TypeError, match="no parameter nonsense"):
        tagger("Ada", nonsense=1)
    with pytest.raises(TypeError, match="A text is a str or bytes"):
        tagger([1])


def test_labels_that_there_cannot_be(tmp_path: Path) -> None:
    folder = make_byte_tagger(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"LOC"', '"PER"'), encoding="utf-8")
    with pytest.raises(tagsmith.InputError, match=r"tokenizer_config.json.*'PER' is given twice"):
        load(folder)


def test_the_fields_are_those_of_the_configuration() -> None:
    """A new one is to be one that the runtime knows of, with the same default."""
    ours = {field.name: field.default for field in fields(ByteConfig)}
    assert set(tagsmith.ByteToSpanConfig().to_dict()) - set(ours) - BYTE_TRAINING - BESIDE == set()
    theirs = {
        name: getattr(tagsmith.ByteToSpanConfig, name) for name in ours if name not in ("id2label", "model_type")
    }
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("attention", [False, True], ids=["", "attention"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_weights_are_those_of_the_model(tmp_path: Path, encoder: str, attention: bool) -> None:
    for number, more in enumerate([{}, NGRAMS, TAGS]):
        folder = make_byte_tagger(tmp_path / str(number), **ENCODERS[encoder], attention=attention, **more)
        shapes = ByteConfig.of(read_json(folder / "config.json")).shapes()
        weights = read_weights(folder / "model.safetensors")
        assert {name: tensor.shape for name, tensor in weights.items()} == shapes


def test_a_tagger_of_earlier_days() -> None:
    assert any(check(FROZEN / "bytes"))


@pytest.mark.parametrize("count", [40, pytest.param(1600, marks=pytest.mark.slow)])
def test_conformance_texts(tmp_path: Path, count: int) -> None:
    """Texts of all scripts and the sample's, with a tagger that is released."""
    texts = fuzz_texts(count, seed=7) + sample_texts(count)
    folder = released(tmp_path)
    pipeline, runtime = tagsmith.pipeline(folder, device="cpu"), load(folder)
    expected = pipeline(texts)
    assert sum(map(len, expected)) > count / 2
    assert_same(runtime(texts), expected)
    few = texts[:: max(len(texts) // 100, 1)]
    assert_same(runtime(few, num_beams=3), pipeline(few, num_beams=3))
