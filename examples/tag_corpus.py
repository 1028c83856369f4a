"""Tag a corpus, line by line and in constant memory, and write JSON lines.

Run: python examples/tag_corpus.py INPUT.txt OUTPUT.jsonl
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import tagsmith


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, one at a time."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def main(source: str, target: str) -> None:
    """Tag with the bundled tagger; name a folder, or a tagger on the Hub, for another."""
    tagger = tagsmith.pipeline(min_score=0.5)
    with Path(target).open("w", encoding="utf-8", newline="\n") as output:
        for line, spans in zip(lines(Path(source)), tagger(lines(Path(source))), strict=True):
            found = [{"start": span["start"], "end": span["end"], "label": span["entity_group"]} for span in spans]
            output.write(json.dumps({"text": line, "spans": found}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
