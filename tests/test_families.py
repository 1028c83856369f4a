"""The table of families: every part of a record is there, and fits what transformers asks of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tagsmith.training.families import FAMILIES, Family, Part

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.model_type)


@families
def test_every_part_can_be_loaded(family: Family) -> None:
    for field in fields(family):
        part = getattr(family, field.name)
        if isinstance(part, Part):
            assert callable(part.load()), field.name


@families
def test_the_parts_are_of_one_family(family: Family) -> None:
    config = family.config.load()
    assert FAMILIES[config.model_type] is family
    assert family.encoder.load().config_class is family.tagger.load().config_class is config
    assert hasattr(family.tagger.load(), "generate") == family.generates
