"""How tokenizers are saved: with the code that travels with them, and over no other files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer
from transformers.tokenization_utils_base import TOKENIZER_CONFIG_FILE

_CLASSES = ("HierarchicalTaggerTokenizer", "ByteToSpanTokenizer")


class SavedTokenizer(PreTrainedTokenizer):
    """A tokenizer that, saved in a folder, overwrites no file of a person's own there."""

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """As `PreTrainedTokenizer` does, after `check_files`."""
        self.check_files(save_directory)
        return super().save_pretrained(save_directory, *args, **kwargs)

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


def _is_tokenizer(folder: str | os.PathLike[str]) -> bool:
    try:
        content = json.loads(Path(folder, TOKENIZER_CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("tokenizer_class") in _CLASSES
