"""How tokenizers are saved: with the code that travels with them, and over no other files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import PreTrainedTokenizer
from transformers.tokenization_utils_base import TOKENIZER_CONFIG_FILE

_HUB_CHOICES = ("repo_id", "commit_message", "private", "token", "revision", "create_pr", "tags")
_CLASSES = ("HierarchicalTaggerTokenizer", "ByteToSpanTokenizer")


# What sends a folder to the Hub without what says where this machine has its files; None where tagsmith is not
# installed, or has not registered its models.
push_folder: Callable[..., Any] | None = None


class SavedTokenizer(PreTrainedTokenizer):
    """A tokenizer that, saved in a folder, overwrites no file of a person's own there."""

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> Any:
        """As in transformers, but paths and secrets that were put into the configuration are not sent."""
        kwargs.pop("max_shard_size", None)
        if push_folder is None:
            return super().push_to_hub(repo_id, **kwargs)
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_folder(Path(folder), repo_id, **kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """Save the tokenizer's files, and its code with them; each is written whole, or stays as it was.

        Raises:
            FileExistsError: as `check_files` does.
        """
        self.check_files(save_directory)
        type(self).register_for_auto_class()  # so that the code is saved; not at import, since it imports torch
        push = kwargs.pop("push_to_hub", False)
        hub = {name: kwargs.pop(name) for name in _HUB_CHOICES if name in kwargs}
        Path(save_directory).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=save_directory, prefix=".part-") as staged:
            files = super().save_pretrained(staged, *args, **kwargs)
            for part in Path(staged).iterdir():
                _put_in_place(part, Path(save_directory, part.name))
        if push:
            self.push_to_hub(**{"repo_id": Path(save_directory).absolute().name, **hub})
        return tuple(os.path.join(save_directory, os.path.relpath(path, staged)) for path in files)

    @classmethod
    def check_files(cls, folder: str | os.PathLike[str]) -> None:
        """See that saving overwrites nothing; what stands beside an earlier tokenizer of these classes is its own.

        Raises:
            FileExistsError: files have the names of a tokenizer's or of its code, and are neither the same nor such
                a tokenizer's.
        """
        if _is_tokenizer(folder):
            return
        code = {path.name: path.read_bytes() for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"}
        names = [*code, TOKENIZER_CONFIG_FILE, *cls.vocab_files_names.values()]
        there = [path for path in (Path(folder, name) for name in names) if os.path.lexists(path)]
        ours = [path for path in there if path.name in code and path.is_file()]
        same = {path.name for path in ours if path.read_bytes() == code[path.name]}
        others = sorted(path.name for path in there if path.name not in same)
        if others:
            raise FileExistsError(
                f"{os.fspath(folder)}: saving a tokenizer here would overwrite {', '.join(others)}, not such a "
                "tokenizer's own. Name another folder, or move them away."
            )


def _put_in_place(part: Path, target: Path) -> None:
    """Give a complete file its name, once it is on the disk, with the permissions of the file that has it now."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    if target.exists():
        part.chmod(target.stat().st_mode & 0o777)
    part.replace(target)


def _is_tokenizer(folder: str | os.PathLike[str]) -> bool:
    try:
        content = json.loads(Path(folder, TOKENIZER_CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("tokenizer_class") in _CLASSES
