from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.runs import run_folder
from tagsmith.training.runs.run_folder import check_folder_is_free, claimed_folder
from tagsmith.training.tagging.tagger_files import tagger_files


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
    folder = tmp_path / "new"
    with claimed_folder(folder):
        with pytest.raises(InputError, match="another run is writing this folder"), claimed_folder(folder):
            pass
        assert list(folder.iterdir())
    with claimed_folder(folder):
        pass
    assert not list(folder.iterdir())


def test_a_run_that_fails_lets_go_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), claimed_folder(tmp_path):
        raise KeyboardInterrupt
    with claimed_folder(tmp_path):
        pass


def test_the_lock_of_a_killed_run_does_not_stay(tmp_path: Path) -> None:
    code = (  # what `claimed_folder` holds, without its imports
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tagsmith.training.machine.locks import locked\n"
        "with locked(Path(sys.argv[1]), '', ''):\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / run_folder._LOCK], check=False).returncode == 9
    assert list(tmp_path.iterdir())
    with claimed_folder(tmp_path):
        pass


def test_what_a_killed_run_was_writing_goes(tmp_path: Path) -> None:
    for name in ("README.md.12345678.part", "results.json.0a.part", "mine.part", "film.mp4.part"):
        (tmp_path / name).touch()
    with claimed_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"mine.part", "film.mp4.part"}
