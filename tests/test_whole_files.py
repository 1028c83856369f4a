from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.whole_files import whole_file, write_whole


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
