"""The table of families: every part of a record is there, fits the others, and nothing else tells families apart."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

import tagsmith
from tagsmith.training.cards.results import Results
from tagsmith.training.families import FAMILIES, Family, Part

ROOT = Path(tagsmith.__file__).parent
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model_type)

# Files of one family that name it: its configuration and its own pictures; and the pipeline, which travels with
# checkpoints, where the table does not go.
OWN = {"configuration_hierarchical_tagger", "configuration_byte_to_span", "plot_states", "pipeline_span_tagging"}
OWN |= {"remote_code"}  # travels with taggers, without the table


@families
def test_every_part_can_be_loaded(family: Family) -> None:
    for field in fields(family):
        part = getattr(family, field.name)
        if isinstance(part, Part) and field.name != "card":
            assert callable(part.load()), field.name


@families
def test_the_parts_are_of_one_family(family: Family) -> None:
    config = family.config.load()
    assert FAMILIES[config.model_type] is family
    assert family.encoder.load().config_class is family.tagger.load().config_class is config
    assert hasattr(family.tagger.load(), "generate") == family.generates
    assert family.recipe.load()().model_type == family.model_type


@families
def test_what_a_card_needs_to_know(family: Family) -> None:
    config = family.config.load().for_tags(["O", "S-X"])
    assert (config.id2label, config.label2id) == ({0: "O", 1: "S-X"}, {"O": 0, "S-X": 1})
    card = family.card.load()
    assert card.CITATION.startswith("@") and card.CITATION.endswith("}")
    assert list(card.labels_by_head(config)) == [""] and isinstance(card.shape_said(config), dict)
    assert card.language_names(config, Results()) == []


def test_families_are_told_apart_by_the_table_alone() -> None:
    naming = {
        path.stem
        for folder in ("modeling", "tokenization", "training")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in FAMILIES
    }
    assert naming == OWN | {"families"}
