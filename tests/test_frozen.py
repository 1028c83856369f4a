"""Checkpoints of earlier days give the spans that they gave: `tests/frozen` tells how they were made."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer

import tagsmith
from tagsmith.training.tagging.load_tagger import load_tagger

HERE = Path(__file__).parent / "frozen"
NAMES = sorted(path.parent.name for path in HERE.glob("*/spans.json"))

each = pytest.mark.parametrize("name", NAMES)


def recorded(name: str) -> list[dict[str, Any]]:
    return list(json.loads((HERE / name / "spans.json").read_text(encoding="utf-8")))


def check(pipeline: Any, name: str) -> None:
    """A pipeline finds what is recorded, by each head where there are several."""
    for row in recorded(name):
        by_head = row["entities"] if isinstance(row["entities"], dict) else {None: row["entities"]}
        for head, expected in by_head.items():
            found = pipeline(row["text"], **({} if head is None else {"head": head}))
            scores = [entity.pop("score") for entity in found]
            assert scores == pytest.approx([entity.pop("score") for entity in expected], abs=1e-4), (head, row["text"])
            assert found == expected, (head, row["text"])


def test_each_family_is_here() -> None:
    assert {"hierarchical", "heads", "bytes"} <= set(NAMES)


@each
def test_the_pipeline(name: str) -> None:
    check(tagsmith.pipeline(HERE / name), name)


@each
def test_the_auto_classes(name: str) -> None:
    tagsmith.register()
    model = AutoModelForTokenClassification.from_pretrained(HERE / name)
    check(tagsmith.pipeline(model, tokenizer=AutoTokenizer.from_pretrained(HERE / name)), name)


@each
def test_the_command_line(name: str) -> None:
    check(load_tagger(str(HERE / name)), name)  # it refuses weights that do not fit and fields that it does not know


@each
def test_saved_again_by_the_code_of_today(name: str, tmp_path: Path) -> None:
    tagsmith.pipeline(HERE / name).save_pretrained(tmp_path / "again")
    check(tagsmith.pipeline(tmp_path / "again"), name)


@each
def test_frozen_is_frozen(name: str) -> None:
    """Small enough for a repository, without what loading does not take, and not to be made again."""
    assert sum(path.stat().st_size for path in (HERE / name).iterdir()) < 250_000
    files = {"config.json", "model.safetensors", "tokenizer_config.json", "spans.json", "vocab.json"}
    assert {path.name for path in (HERE / name).iterdir()} <= files
    spec = importlib.util.spec_from_file_location("make_frozen", HERE / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    with pytest.raises(FileExistsError, match="is frozen"):
        make.make(name)
