from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.locks import locked


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with locked(lock, "taken", "Wait."):
        with pytest.raises(InputError, match=r"taken\. Wait\."), locked(lock, "taken", "Wait."):
            pass
        assert lock.exists(), "the one who is refused leaves it alone"
    assert not lock.exists()


def test_a_file_that_a_killed_process_has_left(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    with locked(tmp_path / ".lock", "taken", "Wait."):
        pass
