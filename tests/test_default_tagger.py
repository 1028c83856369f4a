"""The tagger that comes with the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import tagsmith
from tagsmith.training.cards.results import Results
from tagsmith.training.commands.command_line import app

FOLDER = Path(tagsmith.DEFAULT_TAGGER)
TEXT = "Angela Merkel and Barack Obama met in Washington."
TAGGED = "[Angela Merkel PER] and [Barack Obama PER] met in [Washington LOC].\n"


def tag(*arguments: object, text: str = "") -> str:
    result = CliRunner().invoke(app, ["tag", *map(str, arguments)], input=text)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_no_model_named() -> None:
    spans = tagsmith.pipeline()(TEXT)
    assert [(TEXT[span["start"] : span["end"]], span["entity_group"]) for span in spans] == [
        ("Angela Merkel", "PER"),
        ("Barack Obama", "PER"),
        ("Washington", "LOC"),
    ]


def test_texts_from_standard_input_and_from_files(tmp_path: Path) -> None:
    assert tag(text=TEXT) == TAGGED
    path = tmp_path / "notes.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert tag(path) == tag("-", text=TEXT) == tag(tagsmith.DEFAULT_TAGGER, path) == TAGGED
    assert tag(path, "-", text=TEXT) == TAGGED * 2


@pytest.mark.parametrize(
    "text, found",
    [
        ("Dronning Margrethe besøgte København i går.", ("København", "LOC")),
        ("O presidente do Brasil viajou para Lisboa.", ("Brasil", "LOC")),
        ("Novak Đoković je rođen u Beogradu.", ("Beogradu", "LOC")),
        ("习近平在北京会见了法国总统马克龙。", ("北京", "LOC")),
        ("Angela Merkel besuchte gestern Paris.", ("Angela Merkel", "PER")),
        ("Владимир Путин прибыл в Минск.", ("Минск", "LOC")),
        ("東京で安倍晋三が語った。", ("安倍晋三", "PER")),
        ("नरेंद्र मोदी दिल्ली गए।", ("दिल्ली", "LOC")),
    ],
)
def test_languages(text: str, found: tuple[str, str]) -> None:
    assert found in [(text[span["start"] : span["end"]], span["entity_group"]) for span in tagsmith.pipeline()(text)]


def test_it_is_small() -> None:
    weights = load_file(FOLDER / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16, torch.int32}  # of hashes
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10e6
    assert tagsmith.pipeline().model.dtype == torch.float32


def test_released_taggers_are_small_and_load() -> None:
    folders = [path.parent for path in FOLDER.parent.glob("*/model.safetensors")]
    assert FOLDER in folders
    for folder in folders:
        assert sum(path.stat().st_size for path in folder.iterdir()) < 14e6, folder.name
        found = [(span["entity_group"], span["word"]) for span in tagsmith.pipeline(folder)(TEXT)]
        expected = (
            [("PROPN", "Angela"), ("VERB", "met")] if folder.name.startswith("pos") else [("PER", "Angela Merkel")]
        )
        assert set(expected) <= set(found), folder.name


@pytest.mark.parametrize("options", [[], ["--format", "text"]])
def test_it_tags_without_torch(tmp_path: Path, options: list[str]) -> None:
    """With no option nothing is imported that takes long; with any, still neither torch nor transformers."""
    path = tmp_path / "notes.txt"
    path.write_text(TEXT, encoding="utf-8")
    light = [] if options else ["typer", "pydantic", "jinja2"]
    code = f"""
import sys
from tagsmith.training.commands.entry import main
sys.argv = ["tagsmith", "tag", {str(path)!r}, *{options!r}]
try:
    main()
except SystemExit as stop:
    assert not stop.code
heavy = {{"torch", "transformers", "datasets", *{light!r}}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == TAGGED + "[]\n", done.stderr


def test_by_torch_it_tags_alike(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert tag(path, "--runtime", "torch") == tag(path, "--runtime", "numpy") == TAGGED


def test_its_card() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    results = Results.read(FOLDER)
    assert set(results.scores("test")) == {"da", "en", "hr", "pt", "sk", "sr", "sv", "zh", "all"}
    for split in ("dev", "test"):
        assert f"{results.scores(split)['all']['f1'] * 100:.2f}" in card
    assert "license: cc-by-sa-4.0" in card and "Universal NER" in card
    assert results.languages.keys() == {"gold", "weak", "untrained"}
    for kind, scores in results.languages.items():
        for code, f1 in scores.items():
            _, _, row = card.partition(f"| {code} | {kind} |")
            assert float(row.partition("|")[0]) == pytest.approx(100 * f1, abs=0.06), code
    trained = results.languages["gold"] | results.languages["weak"]
    assert len(trained) == 33 and all(f"\n- {code}\n" in card for code in trained)
