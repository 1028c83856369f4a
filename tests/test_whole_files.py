from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.whole_files import move_files, staged_files, whole_file, whole_path, write_whole


def test_what_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), whole_file(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    path.chmod(0o600)
    write_whole(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_text(encoding="utf-8") == "new"


def test_a_part_has_the_permissions_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch(0o600)
    path.chmod(0o600)
    with whole_path(path) as part:
        assert part.parent == tmp_path and part.stat().st_mode & 0o777 == 0o600
        part.write_bytes(b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "old")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_files_that_move_together(tmp_path: Path) -> None:
    for name in ("key", "a", "stale", "mine"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), staged_files(tmp_path, "key") as staged:
        (staged / "a").write_text("new", encoding="utf-8")
        raise RuntimeError
    assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"old"}
    staged = tmp_path / "staged"
    staged.mkdir()
    for name in ("key", "a", "z"):
        (staged / name).write_text("new", encoding="utf-8")
    move_files(staged, tmp_path, "key", ["stale", "none"])
    staged.rmdir()
    content = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert content == {"key": "new", "a": "new", "z": "new", "mine": "old"}


@pytest.mark.parametrize("moves", range(4))
def test_a_move_that_is_cut_short_leaves_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    for name in ("key", "a", "b"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    replace, done = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    try:
        with staged_files(tmp_path, "key") as staged:
            for name in ("key", "a", "b"):
                (staged / name).write_text("new", encoding="utf-8")
    except KeyboardInterrupt:
        assert not (tmp_path / "key").exists()
    else:
        assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"new"}


def test_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text(encoding="utf-8") == "text"
    (tmp_path / "nowhere").symlink_to(tmp_path / "none" / "file")
    with pytest.raises(InputError, match="leads nowhere"):
        write_whole(tmp_path / "nowhere", "text")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match=r"leads (to itself|nowhere)"):
        write_whole(tmp_path / "a", "text")
