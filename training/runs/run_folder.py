"""The folder that a training run writes: what belongs to a tagger in it, and whether a run may write there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tagsmith.modeling.remote_code import is_tagger
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.full_disks import writing
from tagsmith.training.machine.locks import locked
from tagsmith.training.machine.processes import is_main_process
from tagsmith.training.machine.whole_files import PART
from tagsmith.training.tagging.tagger_files import tagger_files
from tagsmith.training.trainers.checkpoints import checkpoints_in

CHECKPOINTS = "checkpoints"
_LOCK = ".tagsmith.lock"
_WAIT = "Wait for its end, or name another --output-dir."
STAGED = f"{PART}tagger"  # a finished tagger's files, before they are moved into the folder


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
    if overwrite or not folder.is_dir():
        return
    earlier = checkpoints_in(folder / CHECKPOINTS)
    if resume and (earlier or is_tagger(folder) or (folder / STAGED).is_dir()):
        return
    fix = "Name another folder, or replace what is there with --overwrite-output-dir."
    if earlier:
        fix = "Continue that run with --resume, name another folder, or replace it with --overwrite-output-dir."
        raise InputError("checkpoints of an earlier run are here", path=folder / CHECKPOINTS, fix=fix)
    if there := sorted(tagger_files() & {path.name for path in folder.iterdir()}):
        names = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        raise InputError(f"the folder has files that this run would overwrite: {names}", path=folder, fix=fix)


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
    with writing(folder, "Name another --output-dir"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    with locked(Path(folder, _LOCK), "another run is writing this folder", _WAIT):
        for part in Path(folder).glob("*.part"):  # what a killed run was writing
            if part.name.rpartition(".part")[0].rpartition(".")[0] in tagger_files():
                part.unlink()
        yield
