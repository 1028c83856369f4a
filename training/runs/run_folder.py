"""The folder that a training run writes: what belongs to a tagger in it, and whether a run may write there."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock, Timeout

import tagsmith.modeling
import tagsmith.tokenization
from tagsmith.tokenization.input_error import InputError

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
_TYPES = ("hierarchical-tagger", "byte-to-span")


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
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") in _TYPES
    except (OSError, ValueError, AttributeError):
        return False


def lock_folder(folder: Path) -> FileLock:
    """Keep other runs out of a folder until this process ends or the lock is released.

    Raises:
        InputError: another run has it.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        fix = "Wait for its end, or name another --output-dir."
        raise InputError("another run is writing this folder", path=folder, fix=fix) from None
    return lock


def unlock_folder(lock: FileLock) -> None:
    """Let other runs into the folder again, and leave nothing of the lock there."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
