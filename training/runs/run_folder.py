"""The folder that a training run writes: what belongs to a tagger in it, and whether a run may write there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

import tagsmith.modeling
import tagsmith.tokenization
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.families import FAMILIES
from tagsmith.training.machine.processes import is_main_process

CHECKPOINTS = "checkpoints"
_LOCK = ".tagsmith.lock"
_FILES = {
    "README.md",
    "added_tokens.json",
    "config.json",
    "gazetteer.json",
    "generation_config.json",
    "model.safetensors",
    "recipe.yaml",
    "results.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "vocab.json",
}


def tagger_files() -> set[str]:
    """The names of all files that a tagger's folder may have, its code among them."""
    folders = [Path(package.__path__[0]) for package in (tagsmith.modeling, tagsmith.tokenization)]
    code = {path.name for folder in folders for path in folder.glob("*.py")} - {"__init__.py"}
    return _FILES | code


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run in its folder, whole or not."""
    found = (folder / CHECKPOINTS).glob("checkpoint-*")
    return [path for path in found if path.name.removeprefix("checkpoint-").isdecimal()]


def check_folder_is_free(folder: str | Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """See that a run overwrites nothing that it was not told to.

    Args:
        folder: for the tagger.
        resume: the run continues one that has left checkpoints, or a tagger of ours, in the folder.
        overwrite: an earlier tagger, or other files by its files' names, may be replaced.

    Raises:
        InputError: the folder is a file, or has files that the run would write.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file", path=folder, fix="Name a folder with --output-dir.")
    if overwrite or not folder.is_dir() or (resume and (checkpoints(folder) or _is_ours(folder))):
        return
    fix = "Name another folder, or replace what is there with --overwrite-output-dir."
    if checkpoints(folder):
        fix = "Continue that run with --resume, name another folder, or replace it with --overwrite-output-dir."
        raise InputError("checkpoints of an earlier run are here", path=folder / CHECKPOINTS, fix=fix)
    if there := sorted(tagger_files() & {path.name for path in folder.iterdir()}):
        names = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        raise InputError(f"the folder has files that this run would overwrite: {names}", path=folder, fix=fix)


def _is_ours(folder: Path) -> bool:
    try:
        return read_json(folder / "config.json").get("model_type") in FAMILIES
    except (OSError, InputError):
        return False


@contextmanager
def claimed_folder(folder: str | Path, *, resume: bool = False, overwrite: bool = False) -> Iterator[None]:
    """A folder that is free for a run, made where it is missing, and kept from other runs until the block ends.

    The main process of a launched run claims it for all. A process that is killed claims nothing any more.

    Raises:
        InputError: as `check_folder_is_free`; or another run has the folder.
    """
    if not is_main_process():
        yield
        return
    check_folder_is_free(folder, resume=resume, overwrite=overwrite)
    Path(folder).mkdir(parents=True, exist_ok=True)
    lock = FileLock(Path(folder, _LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        fix = "Wait for its end, or name another --output-dir."
        raise InputError("another run is writing this folder", path=folder, fix=fix) from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
