"""What a model card says of a hierarchical tagger: its heads, its encoders, its languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tagsmith.modeling.tag_rules import span_labels
from tagsmith.training.cards.results import Results

CITATION = """@article{yang-etal-2016-multi-task,
    title = "Multi-Task Cross-Lingual Sequence Tagging from Scratch",
    author = "Yang, Zhilin and Salakhutdinov, Ruslan and Cohen, William",
    journal = "arXiv preprint arXiv:1603.06270",
    year = "2016",
    url = "https://arxiv.org/abs/1603.06270",
}"""
_ENCODERS = {"gru": "GRU", "lstm": "LSTM", "rnn": "RNN", "sru": "SRU", "linear-rnn": "linear RNN"}


def labels_by_head(config: Any) -> dict[str, Sequence[str]]:
    """The labels of each head by its name; of a tagger of one under the empty string."""
    shapes = {name or "": config.head(name) for name in config.head_names}
    return {name: span_labels(shape.tags, shape.tag_scheme) for name, shape in shapes.items()}


def shape_said(config: Any) -> dict[str, Any]:
    """The template's variables about the network, Markdown already."""
    plain = [config.head(name).tag_scheme == "plain" for name in config.head_names]
    characters = f"{config.character_num_layers} x {config.character_hidden_size} each way"
    encoder = _ENCODERS.get(config.character_encoder)
    return {
        "all_plain": all(plain),
        "some_plain": any(plain),
        "character_encoder": f"A two-way {encoder} ({characters})"
        if encoder
        else f"A convolution ({config.character_filters} filters over {config.character_window} characters)",
        "word_encoder": f"a two-way {_ENCODERS[config.word_encoder]} ({config.num_hidden_layers} x "
        f"{config.hidden_size} each way)",
    }


def language_names(config: Any, results: Results) -> list[str]:
    """What may name languages: the vocabularies, where words are a language's own."""
    return [*(config.languages or {})]
