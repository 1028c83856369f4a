"""The command beside other processes: pipes, encodings, and forks."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toys import tagsmith

FORK = """
import multiprocessing, sys, torch, tagsmith
torch.set_num_threads(4)
pipeline = tagsmith.pipeline()
texts = ["Ada Lovelace lived in London and Paris."] * 200
pipeline(texts)
process = multiprocessing.get_context("fork").Process(target=pipeline, args=(texts[:9],))
process.start()
process.join(60)
code = process.exitcode
process.kill()
sys.exit(code != 0)
"""


def start(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tagsmith", "tag", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_tags() -> None:
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=120).returncode == 0


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
