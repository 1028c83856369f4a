"""The taggers that are on this machine, and the command that lists them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from documents import ROOT
from huggingface_hub import constants
from typer.testing import CliRunner

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.known_taggers import known_taggers, read_tagger
from tagsmith.training.commands.command_line import app

FROZEN = ROOT / "tests" / "frozen"
CARD = "---\nlanguage: da\nlicense: mit\n---\nA tagger.\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_in(cache: Path, repository: str, folder: Path) -> Path:
    """A copy as the Hub's library keeps it."""
    place = cache / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc", encoding="utf-8")
    (place / "blobs").mkdir()
    shutil.copytree(folder, place / "snapshots" / "abc")
    return place / "snapshots" / "abc"


def test_the_bundled_tagger_alone(cache: Path) -> None:
    (tagger,) = known_taggers()
    assert tagger.bundled and tagger.family == "hierarchical-tagger" and 1e6 < tagger.bytes < 10e6
    assert set(tagger.labels) == {"PER", "LOC", "ORG"} and "da" in tagger.languages
    assert len(tagger.trained_on["gold"]) + len(tagger.trained_on["weak"]) == 33 and "da" in tagger.trained_on["gold"]
    assert tagger.license == "cc-by-sa-4.0" and 0 < tagger.scores["dev"]["da"] < 100


def test_copies_of_the_hub(cache: Path) -> None:
    snapshot = put_in(cache, "ada/heads", FROZEN / "heads")
    (snapshot / "README.md").write_text(CARD, encoding="utf-8")
    put_in(cache, "ada/bytes", FROZEN / "bytes")
    (put_in(cache, "ada/torn", FROZEN / "bytes") / "tokenizer_config.json").unlink()
    other = put_in(cache, "ada/bert", FROZEN / "bytes") / "config.json"
    other.write_text('{"model_type": "bert"}', encoding="utf-8")
    _, of_bytes, of_heads = known_taggers()
    assert (of_bytes.name, of_bytes.family, of_bytes.license) == ("ada/bytes", "byte-to-span", None)
    assert (of_heads.name, of_heads.languages, of_heads.license) == ("ada/heads", ["da"], "mit")
    assert set(of_bytes.labels) == set(of_heads.labels) == {"PER", "LOC", "ORG"}


@pytest.mark.parametrize("card", ["", "no metadata", "---\n: : [\n---\n", "---\njust text\n---\n"])
def test_a_card_that_says_nothing(tmp_path: Path, card: str) -> None:
    folder = shutil.copytree(FROZEN / "bytes", tmp_path / "bytes")
    (folder / "README.md").write_text(card, encoding="utf-8")
    tagger = read_tagger(folder, "mine")
    assert (tagger.languages, tagger.license, tagger.scores) == ([], None, {})


def test_another_kind_of_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(InputError, match="of the type bert"):
        read_tagger(tmp_path, "mine")


def test_the_command(cache: Path) -> None:
    put_in(cache, "ada/bytes", FROZEN / "bytes")
    said = CliRunner().invoke(app, ["models"])
    assert said.exit_code == 0 and said.stdout.startswith("the bundled tagger (hierarchical-tagger, ")
    assert "\n  trained for: ar " in said.stdout and "\n  not trained for, but tried: " in said.stdout
    assert "ada/bytes (byte-to-span, 0.2 MB, no licence stated)\n  labels: " in said.stdout
    listed = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert [tagger["bundled"] for tagger in listed] == [True, False]
