from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.full_disks import MOVE_CACHE, writing


@pytest.mark.parametrize(
    "error, said",
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota exceeded"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 470"), "the disk is full"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), "the disk is full"),
        (SafetensorError("Error while serializing: I/O error: Os { code: 28, kind: StorageFull }"), "No space left"),
    ],
)
def test_a_full_disk_is_one_error(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught, writing(tmp_path):
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("An error occurred while generating the dataset") from cause
    assert caught.value.path == tmp_path and "Free some space" in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"Read-only file system .*HF_HOME"),
        writing(tmp_path / "a" / "b", MOVE_CACHE),
    ):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path / "a"))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Not a directory"), writing(tmp_path / "file" / "home"):
        os.makedirs(tmp_path / "file" / "home" / "cache")


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    for error in (
        ValueError("no"),
        InputError("no"),
        OSError(errno.EACCES, "Permission denied", "/elsewhere/data.conll"),
        RuntimeError("PytorchStreamReader failed reading zip archive"),
    ):
        with pytest.raises(type(error)) as caught, writing(tmp_path):
            raise error
        assert caught.value is error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_what_pytorch_raises() -> None:
    with pytest.raises(InputError), writing("/dev"):
        torch.save(torch.zeros(1_000_000), "/dev/full")
