"""The hierarchical tagger's configuration: what it keeps and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig


def test_round_trip(tmp_path: Path) -> None:
    config = HierarchicalTaggerConfig(
        id2label=dict(enumerate(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])),
        character_encoder="cnn", word_encoder="lstm", output="softmax", tag_scheme="IOB1", cost=5, rare_word_id=7,
        rare_word_dropout=0.5, hidden_dropout=0.25, recurrent_initializer="normal", gazetteer_size=9,
    )  # fmt: skip
    config.save_pretrained(tmp_path)
    loaded = HierarchicalTaggerConfig.from_pretrained(tmp_path)
    assert {k: v for k, v in loaded.to_dict().items() if k != "_name_or_path"} == {
        k: v for k, v in config.to_dict().items() if k != "_name_or_path"
    }
    assert loaded.tags == config.tags == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "hierarchical-tagger"


def test_ids_of_labels_may_be_text_and_in_any_order() -> None:
    config = HierarchicalTaggerConfig(id2label={"1": "S-X", "0": "O"})
    assert config.tags == ["O", "S-X"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_encoder": "transformer"}, "character_encoder.*'gru', 'lstm', 'cnn', 'none'"),
        ({"word_encoder": "cnn"}, "word_encoder.*'gru', 'lstm', 'rnn', 'sru', 'linear-rnn'"),
        ({"output": "crff"}, "output.*'crf', 'softmax'"),
        ({"tag_scheme": "IOBES"}, "tag_scheme.*'BIOES', 'BILOU', 'IOB1', 'IOB2', 'plain'"),
        ({"recurrent_initializer": "zeros"}, "recurrent_initializer.*'uniform', 'orthogonal', 'glorot', 'normal'"),
        ({"hidden_size": "300"}, "hidden_size.*expected int, got str"),
        ({"hidden_size": 300.0}, "hidden_size.*expected int, got float"),
        ({"rare_word_id": "x"}, "rare_word_id"),
        ({"hidden_size": 0}, "hidden_size is 0; it must be at least 1"),
        ({"character_filters": 0}, "character_filters is 0"),
        ({"character_num_layers": -1}, "character_num_layers is -1"),
        ({"character_window": 4}, "character_window is 4; it must be odd"),
        ({"character_window": -1}, "character_window is -1; it must be at least 1"),
        ({"gazetteer_size": -1}, "cannot be negative"),
        ({"hidden_dropout": 1.0}, "hidden_dropout is 1.0; it must be at least 0 and below 1"),
        ({"rare_word_dropout": -0.1}, "rare_word_dropout is -0.1"),
        ({"cost": -1}, "cost is -1; it cannot be negative"),
        ({"word_embedding_size": 0, "character_encoder": "none"}, "reads nothing"),
        ({"pad_token_id": None}, "PAD is 0 and UNK 1"),
        ({"unk_token_id": 5}, "PAD is 0 and UNK 1"),
        ({"id2label": {1: "O", 2: "S-X"}}, r"id2label has the ids \[1, 2\]"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StrictDataclassError, match=rf"(?s){message}"):
        HierarchicalTaggerConfig(**options)


def test_fields_stay_checked() -> None:
    config = HierarchicalTaggerConfig()
    with pytest.raises(StrictDataclassError, match="word_encoder"):
        config.word_encoder = "cnn"  # type: ignore[assignment]
