from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import assert_one_line, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.rereadable import rereadable

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")

CONTENT = "Tessa B-PER\nlives O\n\nMilo B-PER\n"
Pipe = Callable[[str], Path]


@pytest.fixture
def pipe(tmp_path: Path) -> Pipe:
    """Make a named pipe that something writes into once."""

    def make(content: str) -> Path:
        path = tmp_path / f"pipe{len(list(tmp_path.iterdir()))}"
        os.mkfifo(path)
        threading.Thread(target=path.write_text, args=(content,), daemon=True).start()
        return path

    return make


def test_a_regular_file_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text(CONTENT)
    assert rereadable(path) == path
    with pytest.raises(FileNotFoundError):
        rereadable(tmp_path / "nothing")


def test_a_pipe_is_read_once_and_again(pipe: Pipe) -> None:
    path = pipe(CONTENT)
    copy = rereadable(path)
    assert copy.read_text() == rereadable(path).read_text() == CONTENT
    assert copy.parent.stat().st_mode & 0o077 == 0


def test_readers_take_pipes(pipe: Pipe, tmp_path: Path) -> None:
    assert [sentence.tokens for sentence in open_sentences(pipe(CONTENT))] == [["Tessa", "lives"], ["Milo"]]
    rows = '{"tokens": ["Tessa", "lives"], "tags": ["B-PER", "O"]}\n'
    assert [sentence.tokens for sentence in open_sentences(pipe(rows))] == [["Tessa", "lives"]]
    corpus = load_corpus({"train": pipe(CONTENT)}, cache_dir=tmp_path / "cache")
    assert corpus["train"]["tokens"][:] == [["Tessa", "lives"], ["Milo"]]


def test_errors_name_the_pipe(pipe: Pipe) -> None:
    path = pipe("a O\nb Q-X\n")
    with pytest.raises(InputError) as caught:
        list(open_sentences(path))
    assert (caught.value.path, caught.value.line) == (path, 2) or str(caught.value.path) == str(path)
    with pytest.raises(InputError, match="is empty"):
        list(open_sentences(pipe("")))


def test_check_takes_a_pipe(pipe: Pipe) -> None:
    path = pipe(CONTENT)
    outcome = tagsmith("check", path)
    assert outcome.code == 0 and f"{path}: 2 columns" in outcome.out and "PER 2" in outcome.out


def test_check_takes_standard_input() -> None:
    command = [sys.executable, "-m", "tagsmith", "check", "/dev/stdin"]
    done = subprocess.run(command, input=CONTENT, capture_output=True, text=True, check=True)
    assert "/dev/stdin: 2 columns" in done.stdout and "PER 2" in done.stdout


def test_no_such_file_is_still_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(open_sentences(tmp_path / "nothing.conll"))
    assert "no such file" in tagsmith("check", tmp_path / "nothing.conll").out


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    missing = f"{tmp_path}/lang=en/trian.conll"
    outcome = tagsmith("train", "sample", "--train", missing, "--output-dir", tmp_path / "out")
    assert_one_line(outcome, f"{missing}: no such file")
