"""Taggers are saved over no file of a person's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedConfig, TrainingArguments

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.tagging.tagger_files import check_tagger_files, tagger_files
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


@pytest.fixture(autouse=True)
def registered() -> None:
    tagsmith.register()


def save_model(source: Path, folder: Path) -> None:
    AutoModelForTokenClassification.from_pretrained(source).save_pretrained(folder)


def save_config(source: Path, folder: Path) -> None:
    AutoModelForTokenClassification.from_pretrained(source).config.save_pretrained(folder)


def save_tokenizer(source: Path, folder: Path) -> None:
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)


def save_pipeline(source: Path, folder: Path) -> None:
    tagsmith.pipeline(source).save_pretrained(folder)


def save_trained(source: Path, folder: Path) -> None:
    pipeline = tagsmith.pipeline(source)
    arguments = TrainingArguments(str(folder.parent / "runs"), use_cpu=True)
    trainer = TaggerTrainer(pipeline.model, arguments, processing_class=pipeline.tokenizer)
    trainer.save_model(str(folder))


WAYS = [
    (save_model, ["crf.py", "recurrent.py", "config.json", "model.safetensors", "remote_code.py"]),
    (save_config, ["crf.py", "config.json"]),
    (save_tokenizer, ["words.py", "input_error.py", "vocab.json", "gazetteer.json", "tokenizer_config.json"]),
    (save_pipeline, ["crf.py", "words.py", "pipeline_span_tagging.py", "config.json", "vocab.json"]),
    (save_trained, ["crf.py", "words.py", "config.json", "vocab.json"]),
]


@pytest.mark.parametrize("save, names", WAYS)
def test_what_is_not_a_taggers_is_not_overwritten(
    tiny_folder: Path, tmp_path: Path, save: Callable[[Path, Path], None], names: list[str]
) -> None:
    for name in names:
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text('{"model_type": "bert"}', encoding="utf-8")
        with pytest.raises(FileExistsError, match=rf"would overwrite {name}"):
            save(tiny_folder, folder)
        assert [path.name for path in folder.iterdir()] == [name], "nothing is written"
        assert (folder / name).read_text(encoding="utf-8") == '{"model_type": "bert"}'


@pytest.mark.parametrize("save, names", WAYS)
def test_a_tagger_is_saved_over_a_tagger(
    tiny_folder: Path, byte_folder: Path, tmp_path: Path, save: Callable[[Path, Path], None], names: list[str]
) -> None:
    for source in (tiny_folder, tiny_folder) if save is save_trained else (byte_folder, tiny_folder):
        save(source, tmp_path / "new")
    code = [path for name in ("crf.py", "words.py") if (path := tmp_path / "new" / name).exists()]
    for path in code:
        path.write_text("# of an earlier version\n", encoding="utf-8")
    save(tiny_folder, tmp_path / "new")
    assert not [path for path in code if "earlier version" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("save, names", WAYS)
def test_a_full_disk_leaves_the_earlier_tagger(
    tiny_folder: Path,
    tmp_path: Path,
    save: Callable[[Path, Path], None],
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    spans = tagsmith.pipeline(folder)("Ada lives in London.")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    for kind in (PreTrainedConfig, HierarchicalTaggerTokenizer):
        monkeypatch.setattr(kind, "to_json_file" if kind is PreTrainedConfig else "save_vocabulary", full)
    with pytest.raises((OSError, InputError), match=r"No space left|disk is full"):
        save(tiny_folder, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert tagsmith.pipeline(folder)("Ada lives in London.") == spans


@pytest.mark.parametrize("save", [save_model, save_config, save_tokenizer, save_pipeline])
def test_files_keep_their_permissions_and_links_are_not_written_through(
    tiny_folder: Path, tmp_path: Path, save: Callable[[Path, Path], None]
) -> None:
    folder, blobs = tmp_path / "tagger", tmp_path / "blobs"
    shutil.copytree(tiny_folder, blobs)
    folder.mkdir()
    for path in blobs.iterdir():  # as the cache of the Hub has them
        (folder / path.name).symlink_to(path)
    (blobs / "config.json").chmod(0o600)
    before = {path.name: path.read_bytes() for path in blobs.iterdir()}
    save(tiny_folder, folder)
    assert {path.name: path.read_bytes() for path in blobs.iterdir()} == before
    assert not list(folder.glob(".part-*"))
    if save is not save_tokenizer:
        assert not (folder / "config.json").is_symlink()
        assert (folder / "config.json").stat().st_mode & 0o777 == 0o600
    assert tagsmith.pipeline(folder)("Ada lives in London.") == tagsmith.pipeline(blobs)("Ada lives in London.")


def test_weights_in_parts_replace_those_in_one_file(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "new")
    model = AutoModelForTokenClassification.from_pretrained(tiny_folder)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    model.save_pretrained(tmp_path / "new", max_shard_size="20KB")
    again = AutoModelForTokenClassification.from_pretrained(tmp_path / "new")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_in_any_order(tiny_folder: Path, tmp_path: Path) -> None:
    for folder, ways in (
        (tmp_path / "a", (save_tokenizer, save_model)),
        (tmp_path / "b", (save_model, save_tokenizer)),
    ):
        for save in ways:
            save(tiny_folder, folder)
        assert tagsmith.pipeline(folder)("Ada Lovelace lived in London .")


def test_the_same_code_beside_nothing_else_may_stay(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_folder / "crf.py", tmp_path)
    save_model(tiny_folder, tmp_path)
    check_tagger_files(tmp_path)


def test_what_the_trainer_saves_is_whole(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new"
    save_trained(tiny_folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() <= tagger_files()

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.PreTrainedTokenizer.save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        save_trained(tiny_folder, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
