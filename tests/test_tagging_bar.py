"""The bar over the files that are being tagged."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from tagsmith.training.commands import tagging_bar as bars
from tagsmith.training.commands.command_options import Messages
from tagsmith.training.tagging.tag_files import read_texts


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(bars, "messages", Messages(file=out, force_terminal=True, width=80))
    return out


def tag_all(files: list[str], output: Path | None = Path("out")) -> list[str | None]:
    with bars.tagging_bar(files, output) as watch:
        return list(read_texts(files, watch))


def test_a_bar_on_a_terminal(terminal: io.StringIO, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ada\n" * 200, encoding="utf-8")
    assert tag_all([str(path), str(path)]) == ["Ada"] * 400
    assert "tagging" in terminal.getvalue() and "1.6/1.6 kB" in terminal.getvalue()


def test_none_elsewhere(
    terminal: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Ada\n", encoding="utf-8")
    monkeypatch.setattr(bars.messages, "silent", True)
    assert tag_all([str(path)]) == ["Ada"]
    monkeypatch.setattr(bars.messages, "silent", False)
    with bars.tagging_bar(["-"], Path("out")):
        pass
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert tag_all([str(path)], None) == ["Ada"], "the text goes to the same terminal"
    assert terminal.getvalue() == ""
    monkeypatch.setattr(bars, "messages", Messages(file=terminal, force_terminal=False))
    assert tag_all([str(path)]) == ["Ada"]
    assert terminal.getvalue() == ""


def test_what_is_watched_is_the_files_own_bytes(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_bytes(b"Ada\n" * 100)
    packed.write_bytes(gzip.compress(b"Ada\n" * 100))
    seen: list[Any] = []
    assert len(list(read_texts([str(plain), str(packed)], seen.append))) == 200
    assert seen == sorted(seen)
    assert seen[-1] == plain.stat().st_size + packed.stat().st_size
