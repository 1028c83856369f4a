"""Names that are paths are never looked up on the Hub."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data import hub_names
from tagsmith.training.data.hub_names import is_file_name, may_be_on_hub, say_shadowed
from tagsmith.training.tagging.load_tagger import load_tagger
from tests.toys import assert_one_line
from tests.toys import tagsmith as command

PATHS = ["./a/b", ".a/b", "../b", "/a/b", "~/b", "~ada/b", "a\\b", "a/b\\c", "a/b/c", "a/b/", "data/nothere.txt"]
PATHS += ["data/x.CONLL", "data/x.jsonl", "a/b.gz", "a/b.safetensors", "here/b", "name", "", "a b/c", "å/b"]


@pytest.mark.parametrize("name", PATHS)
def test_paths_are_not_looked_up(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert not may_be_on_hub(name)
    if name:
        with pytest.raises(InputError, match=r"there is no such folder\. Name"):
            load_tagger(name)
        with pytest.raises(InputError, match=r"there is no such folder\. Name"):
            tagsmith.pipeline(name)


@pytest.mark.parametrize("name", ["ada/ner", "ada/ner-v1.5", "Ada_1/ner.en", "taggers/mine"])
def test_names_of_the_hub(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert may_be_on_hub(name) and not is_file_name(name)


@pytest.mark.parametrize("name", ["data/nothere.txt", "nothere.txt", "~/nothere.md", "a/b/nothere.log.gz"])
def test_a_text_that_is_not_there_is_no_tagger(name: str) -> None:
    assert_one_line(command("tag", name), f"{name}: there is no such file")


def test_a_dead_network_is_not_blamed_alone_and_not_tried_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{filename}"
    )
    begun = time.monotonic()
    with pytest.raises(InputError, match="taggers/mine: there is no such folder here, and the Hub cannot be reached"):
        load_tagger("taggers/mine")
    assert time.monotonic() - begun < 5


def test_a_folder_that_shadows_a_repository_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    hub_names._said.clear()
    with caplog.at_level(logging.WARNING):
        for name in ("ada/ner", "ada/ner", "./ada/ner", "/ada/ner", "ner"):
            say_shadowed(name)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["ada/ner"]
