"""A small corpus in eight languages, from Universal NER (CC BY-SA 4.0, see ATTRIBUTION.md), to try tagsmith with."""

from __future__ import annotations

from pathlib import Path


def sample_files() -> dict[str, Path]:
    """The paths of the bundled corpus, `train` and `dev`."""
    folder = Path(__file__).parent
    return {split: folder / f"{split}.iob2" for split in ("train", "dev")}
