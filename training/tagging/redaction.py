"""Tagged texts with names replaced by placeholders, `[PER]`, or `[PER_1]` where the same name keeps its number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Entity = Mapping[str, Any]


class Redaction:
    """Replaces spans, and knows which placeholder stands for which name.

    Args:
        labels: of the spans to replace.
        numbered: whether placeholders have numbers: the same name of the same label has the same one, names that
            differ in any character have different ones.

    Attributes:
        names: what each numbered placeholder stands for.
        count: how many spans have been replaced.
        alike: how many placeholders the texts held from the start, which cannot be told from ours.
    """

    def __init__(self, labels: Sequence[str], numbered: bool = False) -> None:
        self.labels, self.numbered = list(labels), numbered
        self.names: dict[str, str] = {}
        self.count = self.alike = 0
        self._placeholders: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._alike = re.compile(rf"\[(?:{'|'.join(map(re.escape, labels))})(?:_\d+)?\]")

    def apply(self, text: str, entities: Sequence[Entity]) -> tuple[str, list[Entity]]:
        """A text without its names, and its spans in it; those that are replaced have placeholders for words.

        Args:
            text: as it was tagged.
            entities: of the pipeline: in order, without overlap.
        """
        self.alike += len(self._alike.findall(text))
        pieces: list[str] = []
        kept: list[Entity] = []
        at = length = 0
        for entity in entities:
            before, word = text[at : entity["start"]], entity["word"]
            if entity["entity_group"] in self.labels:
                word = self._placeholder(entity["entity_group"], word)
                self.count += 1
            start = length + len(before)
            length = start + len(word)
            pieces += [before, word]
            kept.append({**entity, "word": word, "start": start, "end": length})
            at = entity["end"]
        return "".join([*pieces, text[at:]]), kept

    def _placeholder(self, label: str, name: str) -> str:
        if not self.numbered:
            return f"[{label}]"
        if (label, name) not in self._placeholders:
            self._numbers[label] += 1
            placeholder = f"[{label}_{self._numbers[label]}]"
            self._placeholders[label, name] = placeholder
            self.names[placeholder] = name
        return self._placeholders[label, name]
