"""The script that measures training on streams, on corpora of a few kilobytes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from toys import script

from tagsmith.training.data.corpora import load_corpus

streaming = script("streaming")


class Pool:
    """A pool of processes, in this process."""

    def __init__(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def submit(self, call: Any, *arguments: Any) -> Any:
        found = call(*arguments)
        return SimpleNamespace(result=lambda: found)


def test_the_corpus(tmp_path: Path, datasets_cache: None) -> None:
    path = tmp_path / "one.conll"
    streaming.write_corpus(path, 0.02)
    assert 20_000 <= path.stat().st_size < 21_000
    rows = load_corpus(path)["train"]
    assert {len(row["tokens"]) for row in rows} == {12} and rows[50]["document"] == rows[0]["document"] + 1
    named = [word[0].isupper() for row in rows for word in row["tokens"]]
    assert named == [tag == "B-LOC" for row in rows for tag in row["tags"]] and 0.1 < sum(named) / len(named) < 0.3


@pytest.mark.parametrize("kind", ["several", "bytes"])
def test_the_table(kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(streaming, "ProcessPoolExecutor", Pool)
    run = streaming.run
    monkeypatch.setattr(streaming, "run", lambda kind, megabytes, steps: run(kind, megabytes / 50, steps))
    streaming.main(megabytes="1", steps=1, kind=[kind])
    head, _, row = capsys.readouterr().out.strip().splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert head.count("|") == row.count("|") and cells[:2] == [kind, "0.02"]
    assert 0 < float(cells[2]) <= float(cells[3])
