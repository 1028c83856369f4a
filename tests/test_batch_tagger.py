"""A tagger over columns: pickled without weights, over lists and arrays, in processes of datasets."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import tagsmith
from tagsmith.tokenization.input_error import InputError

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


def test_runtimes(tiny_folder: Path) -> None:
    texts = ["Angela Merkel met Barack Obama in Washington .", ""]
    places = [[(one["start"], one["end"], one["entity_group"]) for one in own] for own in tagsmith.pipeline()(texts)]
    for runtime in (None, "torch", "numpy"):
        found = tagsmith.BatchTagger(runtime=runtime)({"text": texts})["spans"]
        assert [[(one["start"], one["end"], one["entity_group"]) for one in own] for own in found] == places
    with pytest.raises(ValueError, match="runtime is 'jax'; choose one of torch, numpy, onnx, or None"):
        tagsmith.BatchTagger(runtime="jax")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"manifest\.json"):
        tagsmith.BatchTagger(tiny_folder, runtime="onnx")({"text": texts})


def test_the_bundled_tagger_needs_no_torch() -> None:
    code = "import sys, tagsmith; tagsmith.BatchTagger()({'text': ['It rains.']}); "
    code += "print(sorted({'torch', 'transformers'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_two_processes_of_datasets(tiny_folder: Path, tmp_path: Path) -> None:
    expected: Any = tagsmith.pipeline(tiny_folder)(TEXTS * 20)
    rows = datasets.Dataset.from_dict({"text": TEXTS * 20})
    tagged = rows.map(tagsmith.BatchTagger(tiny_folder), batched=True, batch_size=10, num_proc=2)
    for found, spans in zip(tagged["spans"], expected, strict=True):
        keys = ("start", "end", "entity_group")
        assert [[one[key] for key in keys] for one in found] == [[one[key] for key in keys] for one in spans]
