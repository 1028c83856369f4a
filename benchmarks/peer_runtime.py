"""tagsmith's runtime without torch as an adapter of peers.py: it tags by what was learnt, and does not learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peer_protocol import Peer, main

from tagsmith import runtime


class RuntimeTagger(Peer):
    """`tagsmith.runtime.load` of a folder."""

    packages = ("tagsmith", "numpy")

    tagger: Any

    def tag_text(self, lines: list[str]) -> None:
        """From text to spans."""
        list(self.tagger(iter(lines)))

    def tag_one(self, given: str) -> None:
        """As a caller of one text does."""
        self.tagger(given)

    def load(self, folder: Path) -> None:
        """What `tagsmith train` wrote."""
        self.tagger = runtime.load(folder)


if __name__ == "__main__":
    main(RuntimeTagger)
