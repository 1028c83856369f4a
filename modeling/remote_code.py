"""How models are saved: whole, over no other files, and with the code that travels with them.

The code is for those who have transformers and torch, but not this package.

transformers copies the file of a configuration class into the folder where it is saved, and with it all files that
this one imports by a relative import, wherever in the file it stands. So the configuration imports what is its
family's just before it is saved, and names it in config.json.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import (
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    SAFE_WEIGHTS_INDEX_NAME,
    SAFE_WEIGHTS_NAME,
    TRANSFORMERS_DYNAMIC_MODULE_NAME,
)

# Whether this file itself came with a checkpoint.
IS_REMOTE = __name__.startswith(f"{TRANSFORMERS_DYNAMIC_MODULE_NAME}.")

MODEL_TYPES = ("hierarchical-tagger", "byte-to-span")


def save_with_code(
    config: PreTrainedConfig,
    folder: str | os.PathLike[str],
    classes: Mapping[str, type],
    pipeline: type,
    **kwargs: Any,
) -> None:
    """Save a configuration that names its family's classes, by Auto class, and its pipeline.

    The configuration itself stays as it is.

    Raises:
        FileExistsError: as `check_model_files` does.
    """
    check_model_files(folder)
    push, hub = push_choices(folder, kwargs)
    named = copy.deepcopy(config)
    named.auto_map = {auto: _reference(cls) for auto, cls in classes.items()}
    pipelines = {"impl": _reference(pipeline), "pt": ["AutoModelForTokenClassification"], "type": "text"}
    named.custom_pipelines = {"span-tagging": pipelines}
    with staged_files(folder) as staged:
        PreTrainedConfig.save_pretrained(named, staged, **kwargs)
    if push:
        config.push_to_hub(**hub)


# What sends a folder to the Hub, with a tagger's card and without what says where this machine has its files; None
# where tagsmith is not installed, or has not registered its models.
push_folder: Callable[..., Any] | None = None


class Pushed:
    """What is pushed as a tagger is: in one commit, with its own card, and nothing of this machine in it."""

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> Any:
        """As in transformers; a card that is there already stays."""
        if push_folder is None:
            return super().push_to_hub(repo_id, **kwargs)  # type: ignore[misc]
        sizes = {name: kwargs.pop(name) for name in ("max_shard_size",) if name in kwargs}
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder, **sizes)  # type: ignore[attr-defined]
            return push_folder(Path(folder), repo_id, **kwargs)


class SavedModel(Pushed, PreTrainedModel):
    """A model whose folder is written whole: a kill or a full disk leaves what was there, or a part that says so."""

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        """As `PreTrainedModel.save_pretrained`; with `push_to_hub`, the card of the folder stays as it is.

        Raises:
            FileExistsError: as `check_model_files` does.
        """
        check_model_files(save_directory)
        push, hub = push_choices(save_directory, kwargs)
        with staged_files(save_directory) as staged:
            super().save_pretrained(staged, *args, **kwargs)
        if push:
            self.push_to_hub(**hub)


@contextmanager
def staged_files(folder: str | os.PathLike[str]) -> Iterator[str]:
    """An empty folder inside another, from which files move there once the block ends; none do if it fails.

    config.json goes first and comes last: a move that is cut short leaves nothing that passes for a model. Files keep
    the permissions of those that they replace.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target, prefix=".part-") as name:
        yield name
        parts = sorted(Path(name).iterdir(), key=lambda path: (path.name == CONFIG_NAME, path.name))
        for part in parts:
            with part.open("r+b") as file:
                os.fsync(file.fileno())
            if (target / part.name).exists():
                part.chmod((target / part.name).stat().st_mode & 0o777)
        names = {part.name for part in parts}
        if CONFIG_NAME in names:
            (target / CONFIG_NAME).unlink(missing_ok=True)
        if SAFE_WEIGHTS_INDEX_NAME in names:  # weights in one file would be read in place of the new ones
            (target / SAFE_WEIGHTS_NAME).unlink(missing_ok=True)
        for part in parts:
            part.replace(target / part.name)


def push_choices(folder: str | os.PathLike[str], kwargs: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether `save_pretrained` shall push, and what `push_to_hub` then takes; `kwargs` keeps the rest."""
    push = kwargs.pop("push_to_hub", False)
    names = ("repo_id", "commit_message", "private", "token", "revision", "create_pr", "tags")
    hub = {name: kwargs.pop(name) for name in names if name in kwargs}
    return push, {"repo_id": Path(folder).absolute().name, **hub}


def check_model_files(folder: str | os.PathLike[str]) -> None:
    """See that a model that is saved in a folder overwrites no file of a person's own there.

    What stands in the folder of a tagger belongs to it: config.json names its code, which imports the rest.

    Raises:
        FileExistsError: files have the names of a model's or of its code, and are neither the same nor a tagger's.
    """
    if is_tagger(folder):
        return
    code = {path.name: path.read_bytes() for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"}
    names = [*code, CONFIG_NAME, GENERATION_CONFIG_NAME, SAFE_WEIGHTS_NAME]
    there = [path for path in (Path(folder, name) for name in names) if os.path.lexists(path)]
    ours = [path for path in there if path.name in code and path.is_file()]  # the weights are not read
    same = {path.name for path in ours if path.read_bytes() == code[path.name]}
    others = sorted(path.name for path in there if path.name not in same)
    if others:
        raise FileExistsError(
            f"{os.fspath(folder)}: saving a tagger here would overwrite {', '.join(others)}, not a tagger's own. "
            "Name another folder, or move them away."
        )


def is_tagger(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder has the config.json of a tagger."""
    try:
        content = json.loads(Path(folder, CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("model_type") in MODEL_TYPES


def known_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a config.json, except for those that name its code where the code is installed.

    transformers finds the installed classes without them; at the name of a pipeline it would insist on running the
    code of the checkpoint.
    """
    ours = () if IS_REMOTE else ("auto_map", "custom_pipelines")
    return {name: value for name, value in fields.items() if name not in ours}


def _reference(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
