"""A tagger over columns: pickled without weights, over lists and arrays, in processes of datasets."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import tagsmith

TEXTS = ["Ada Lovelace lived in London .", "", "Grace went to New York City ."]


def test_columns_of_any_kind(tiny_folder: Path) -> None:
    expected: Any = tagsmith.pipeline(tiny_folder)(TEXTS)
    tagger = tagsmith.BatchTagger(tiny_folder)
    assert tagger({"text": TEXTS, "id": [1, 2, 3]}) == {"text": TEXTS, "id": [1, 2, 3], "spans": expected}
    packed = pickle.dumps(tagger)
    assert len(packed) < 1000, "the weights stay where they are"
    for texts in (np.array(TEXTS), np.array(TEXTS, dtype=object)):
        found = pickle.loads(packed)({"text": texts})
        assert isinstance(found["spans"], np.ndarray) and found["spans"].tolist() == expected
    with pytest.raises(KeyError, match="texts"):
        tagsmith.BatchTagger(tiny_folder, column="texts")({"text": TEXTS})


@pytest.mark.slow
def test_two_processes_of_datasets(tiny_folder: Path, tmp_path: Path) -> None:
    expected: Any = tagsmith.pipeline(tiny_folder)(TEXTS * 20)
    rows = datasets.Dataset.from_dict({"text": TEXTS * 20})
    tagged = rows.map(tagsmith.BatchTagger(tiny_folder), batched=True, batch_size=10, num_proc=2)
    for found, spans in zip(tagged["spans"], expected, strict=True):
        keys = ("start", "end", "entity_group")
        assert [[one[key] for key in keys] for one in found] == [[one[key] for key in keys] for one in spans]
