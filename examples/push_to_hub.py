"""Publish a tagger from Python, and load it from the Hub again.

Log in first, with `hf auth login`. `tagsmith push FOLDER OWNER/NAME` also sends recipe and results.

Run: python examples/push_to_hub.py FOLDER OWNER/NAME
"""

from __future__ import annotations

import sys

import tagsmith


def main(folder: str, name: str) -> None:
    """Send weights, configuration, tokenizer and their code, then tag with what was sent."""
    tagsmith.pipeline(folder).push_to_hub(name)
    print(tagsmith.pipeline(name)("Ada Lovelace lived in London ."))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
