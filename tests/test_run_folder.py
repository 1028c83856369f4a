from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.runs.run_folder import check_folder_is_free, lock_folder, tagger_files, unlock_folder


@pytest.mark.parametrize("name", ["crf.py", "words.py", "recipe.yaml", "config.json", "results.json", "README.md"])
def test_a_strangers_file_is_not_overwritten(tmp_path: Path, name: str) -> None:
    assert name in tagger_files()
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=f"would overwrite: {name}.*--overwrite-output-dir"):
        check_folder_is_free(tmp_path)
    with pytest.raises(InputError, match="would overwrite"):
        check_folder_is_free(tmp_path, resume=True)
    check_folder_is_free(tmp_path, overwrite=True)


def test_a_folder_that_is_free(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "data").mkdir()
    check_folder_is_free(tmp_path)
    check_folder_is_free(tmp_path / "new")
    with pytest.raises(InputError, match="this is a file"):
        check_folder_is_free(tmp_path / "notes.txt")


def test_an_earlier_tagger(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "byte-to-span"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"would overwrite: config\.json"):
        check_folder_is_free(tmp_path)
    check_folder_is_free(tmp_path, resume=True)
    (tmp_path / "checkpoints" / "checkpoint-7").mkdir(parents=True)
    with pytest.raises(InputError, match=r"checkpoints of an earlier run are here.*--resume"):
        check_folder_is_free(tmp_path)


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path)
    with pytest.raises(InputError, match="another run is writing this folder"):
        lock_folder(tmp_path)
    unlock_folder(lock)
    assert not list(tmp_path.iterdir())
    unlock_folder(lock_folder(tmp_path))
