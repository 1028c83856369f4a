"""Kills at file events: that the watch kills where it says, that damage is seen, and some kills of each command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from toys import script

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file events are watched on Linux only")

WRITES = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
from file_events import FileEvents
from tagsmith.training.machine.whole_files import write_whole
folder = Path({folder!r})
FileEvents([folder], folder.with_name("log"), {kill_at}).watch()
{write}
"""
IN_PLACE = "(folder / 'a.txt').write_text('new content')"
WHOLE = "write_whole(folder / 'a.txt', 'new content')"


def killed(folder: Path, write: str, kill_at: int) -> tuple[int, str, list[str]]:
    """The exit code of a process that writes, what it leaves, and its events."""
    folder.mkdir()
    (folder / "a.txt").write_text("old content", encoding="utf-8")
    code = WRITES.format(benchmarks=str(ROOT / "benchmarks"), folder=str(folder), kill_at=kill_at, write=write)
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    events = folder.with_name("log").read_text(encoding="utf-8").splitlines()
    folder.with_name("log").unlink()
    return done.returncode, (folder / "a.txt").read_text(encoding="utf-8"), events


def test_a_file_written_in_place_is_seen_in_pieces(tmp_path: Path) -> None:
    left = [killed(tmp_path / str(at), IN_PLACE, at) for at in range(4)]
    assert left[0] == (0, "new content", ["open a.txt", "half a.txt", "close a.txt"])
    assert [(code, content) for code, content, _ in left[1:]] == [(-9, ""), (-9, "new c"), (-9, "new content")]


def test_a_whole_file_is_old_or_new_at_each_event(tmp_path: Path) -> None:
    code, content, events = killed(tmp_path / "0", WHOLE, 0)
    assert (code, content) == (0, "new content")
    names = [event.split()[0] for event in events]
    assert names[0] == "open" and {"fsync", "half", "close"} <= {*names}
    renamed = next(number for number, name in enumerate(names, 1) if name in ("replace", "rename"))
    for at in {1, renamed // 2 + 1, renamed}:
        assert killed(tmp_path / str(at), WHOLE, at)[:2] == (-9, "old content")


@pytest.mark.parametrize(
    ("name", "content", "whole"),
    [
        ("a/config.json", b'{"a": 1}', True),
        ("a/config.json", b'{"a": ', False),
        ("a/config.json", b"", False),
        ("a/x.png", b"\x89PNG....IEND\xaeB`\x82", True),
        ("a/x.png", b"\x89PNG....", False),
        ("a/README.md", b"text", False),
        ("a/model.safetensors", b"\x10\0\0\0", False),
        ("out.jsonl", b"[]\n", True),
        ("out.jsonl", b'[{"a"', False),
    ],
)
def test_what_is_cut_short_is_told(name: str, content: bytes, whole: bool) -> None:
    assert script("kills").is_whole(name, content) == whole


def trial(before: dict[str, bytes], after: dict[str, bytes], **facts: Any) -> Any:
    kills = script("kills")
    made = object.__new__(kills.Trial)
    made.scenario = kills.Scenario("x", [], lambda folder, run: None, **facts)
    made.before, made.after = before, after
    return made


@pytest.mark.parametrize(
    ("left", "wrong"),
    [
        ({"NOTES.txt": b"n\n", "tagger/config.json": b"{}"}, []),
        ({"NOTES.txt": b"n\n", "tagger/config.json": b'{"a": 1}'}, []),
        ({"NOTES.txt": b"n\n", "tagger/config.json": b'{"a'}, ["neither the old content nor the new"]),
        ({"NOTES.txt": b"n\n"}, ["tagger/config.json is lost"]),
        ({"NOTES.txt": b"", "tagger/config.json": b"{}"}, ["NOTES.txt is changed"]),
        ({"NOTES.txt": b"n\n", "tagger/config.json": b"{}", "tagger/x.json": b"{"}, ["tagger/x.json is cut short"]),
    ],
)
def test_what_a_kill_leaves_is_judged(tmp_path: Path, left: dict[str, bytes], wrong: list[str]) -> None:
    before = {"NOTES.txt": b"n\n", "tagger/config.json": b"{}"}
    after = {"NOTES.txt": b"n\n", "tagger/config.json": b'{"a": 1}'}
    for name, content in left.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = trial(before, after, was_tagger=True)._look_at(tmp_path)
    assert len(found) == len(wrong) and all(part in said for part, said in zip(wrong, found, strict=True))


def test_kills_are_spread_over_all_events() -> None:
    spread = script("kills").spread
    assert spread(100, 3) == [1, 50, 100] and spread(2, 9) == [1, 2] and spread(5, 1) == [1]


@pytest.mark.slow
@pytest.mark.parametrize("name", [scenario.name for scenario in script("kill_scenarios").SCENARIOS])
def test_commands_that_are_killed_lose_nothing(name: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--kills", "4", "--times", "1", "--only", name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failures" in done.stdout
