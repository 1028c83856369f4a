"""What a model card says of a byte-to-span tagger: its labels and its languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tagsmith.training.cards.results import Results

CITATION = """@inproceedings{gillick-etal-2016-multilingual,
    title = "Multilingual Language Processing From Bytes",
    author = "Gillick, Dan and Brunk, Cliff and Vinyals, Oriol and Subramanya, Amarnag",
    booktitle = "Proceedings of NAACL-HLT 2016",
    year = "2016",
    note = "arXiv:1512.00103",
    url = "https://arxiv.org/abs/1512.00103",
}"""


def labels_by_head(config: Any) -> dict[str, Sequence[str]]:
    """The labels, under the empty string: there is one head."""
    return {"": config.span_labels}


def shape_said(config: Any) -> dict[str, Any]:
    """The template takes what it says of the network from the configuration itself."""
    return {}


def language_names(config: Any, results: Results) -> list[str]:
    """What may name languages: the corpora that it was trained on together."""
    return [*results.data]
