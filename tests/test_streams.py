"""The command beside other processes: pipes, encodings, and forks."""

from __future__ import annotations

import gzip
import io
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
import torch
from toys import tagsmith

import tagsmith as package


def start(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tagsmith", "tag", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_tags() -> None:
    """Also where torch has computed with several threads before."""
    pipeline: Any = package.pipeline()
    texts = ["Ada Lovelace lived in London and Paris."] * 200
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        pipeline(texts)
        process = multiprocessing.get_context("fork").Process(target=pipeline, args=(texts[:9],))
        process.start()
        process.join(60)
    finally:
        torch.set_num_threads(threads)
    code = process.exitcode
    process.kill()
    assert code == 0


def test_a_co_process_answers_each_line() -> None:
    with start("-", "--format", "jsonl", PYTHONIOENCODING="latin-1") as process:
        assert process.stdin and process.stdout
        for text in ("Ada lived in Łódź.", "Łódź"):
            first, second = text.encode()[:5], text.encode()[5:] + b"\n"
            for piece in (first, second):
                process.stdin.write(piece)
                process.stdin.flush()
            assert json.loads(process.stdout.readline().decode("utf-8"))["text"] == text
        process.stdin.close()
        assert process.wait(60) == 0


def test_gzip_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(gzip.compress(b"Ada\nLund\n"))
    found = tagsmith("tag", path, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["text"] for line in found] == ["Ada", "Lund"]
    shards = ["--output", tmp_path / "out", "--shards", "2", "--format", "jsonl"]
    outcome = tagsmith("tag", path, *shards)
    assert outcome.code == 2 and "gzip file cannot be cut" in outcome.err
    path.write_bytes(path.read_bytes()[:-9])
    assert "damaged" in tagsmith("tag", path).err


def test_a_closed_input_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    found = subprocess.run(f"{sys.executable} -m tagsmith tag - <&-", shell=True, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: standard input is closed") and found.stderr.count("\n") == 1


class Lines(io.StringIO):
    """Standard output, whose writes another thread waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: SimpleQueue[str] = SimpleQueue()

    def write(self, text: str) -> int:
        self.lines.put(text)
        return super().write(text)


def run(command: str, stdin: bytes = b"") -> list[str]:
    """The texts that a command line of bash has tagged."""
    process = subprocess.run(["bash", "-c", command], input=stdin, capture_output=True, timeout=120)
    assert process.returncode == 0, process.stderr
    return [json.loads(line)["text"] for line in process.stdout.decode("utf-8").splitlines()]


@pytest.mark.skipif(os.name == "nt", reason="no such files here")
def test_pipes_by_name_are_read_once(tiny_folder: Path) -> None:
    tag = f"{sys.executable} -m tagsmith tag {tiny_folder} --runtime numpy --format jsonl"  # starts at once
    assert run(f"{tag} <(printf 'Ada\\nLund\\n') <(printf Grace | gzip)") == ["Ada", "Lund", "Grace"]
    assert run(f"{tag} /dev/stdin", "Łódź\nLund".encode()) == ["Łódź", "Lund"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_pipe_in_the_file_system_is_answered_line_by_line(tiny_folder: Path, tmp_path: Path) -> None:
    pipe, answers = tmp_path / "pipe", Lines()
    os.mkfifo(pipe)
    found = []

    def ask() -> None:
        with pipe.open("wb") as writer:
            for text in ("Ada", "Lund"):
                writer.write(text.encode() + b"\n")
                writer.flush()
                found.append(json.loads(answers.lines.get(timeout=60))["text"])

    asking = Thread(target=ask)
    asking.start()
    assert tagsmith("tag", tiny_folder, pipe, "--format", "jsonl", stdout=answers).code == 0
    asking.join()
    assert found == ["Ada", "Lund"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_a_pipe_that_is_not_utf8_says_where(tmp_path: Path, tiny_folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"Ada\nL\xff\n"))
    writer.start()
    outcome = tagsmith("tag", tiny_folder, tmp_path / "pipe", "--format", "jsonl")
    writer.join()
    assert outcome.code == 2 and "pipe:2:2: byte 0xFF is not UTF-8" in outcome.err
