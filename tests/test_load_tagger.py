"""One check of a tagger's folder, whichever way it is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.word_tagger_checks import check_tokenizer
from tagsmith.training.tagging.load_tagger import load_tagger
from tests.toys import with_content, without


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], Any]:
    def damage(folder: Path) -> None:
        found = load_file(folder / "model.safetensors")
        change(found)
        save_file(found, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def config(**fields: Any) -> Callable[[Path], Any]:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")

    return damage


def vocabulary(kind: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], Any]:
    def damage(folder: Path) -> None:
        path = folder / "vocab.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content[kind] = change(content[kind])
        path.write_text(json.dumps(content), encoding="utf-8")

    return damage


def first_value(value: float) -> Callable[[dict[str, torch.Tensor]], Any]:
    return lambda found: found["encoder.characters.embedding.weight"].view(-1)[-1:].fill_(value)


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


NOT_FITTING = "the weights do not fit config.json"
TWO = "the files are of two taggers"
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing tensor": (weights(lambda found: found.pop("encoder.characters.embedding.weight")), NOT_FITTING),
    "another tensor": (weights(lambda found: found.update(other=torch.ones(2))), NOT_FITTING),
    "another shape": (
        weights(lambda found: found.update({"encoder.characters.embedding.weight": torch.ones(3, 3)})),
        NOT_FITTING,
    ),
    "nan": (weights(first_value(float("nan"))), "no finite number"),
    "infinity": (weights(first_value(float("-inf"))), "no finite number"),
    "cut short": (cut_short, "damaged"),
    "fewer words": (vocabulary("words", lambda words: words[:-1]), TWO),
    "more words": (vocabulary("words", lambda words: [*words, "zzyzx"]), TWO),
    "fewer characters": (vocabulary("characters", lambda found: found[:-1]), TWO),
    "more characters": (vocabulary("characters", lambda found: [*found, "\u2603"]), TWO),
    "vocabulary missing": (without("vocab.json"), "vocab.json is missing"),
    "newer version": (config(wings=2), "does not know: wings"),
    "gazetteer missing": (config(gazetteer_size=9), NOT_FITTING),
    "fewer tags": (config(id2label={"0": "O"}, label2id={"O": 0}), NOT_FITTING),
    "broken configuration": (with_content("config.json", b"{"), "cannot be read"),
    **{
        f"absurd {name}": (config(**{name: 10**12}), f"{name} 1,000,000,000,000|{NOT_FITTING}")
        for name in ("vocab_size", "hidden_size", "num_hidden_layers", "character_vocab_size", "word_embedding_size")
    },
}


@pytest.mark.parametrize("load", [load_tagger, tagsmith.pipeline])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_refused_by_every_way(damage: str, load: Any, tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    change, message = DAMAGES[damage]
    change(folder)
    with pytest.raises(InputError, match=message):
        load(str(folder))


def test_what_pipelines_take(tiny_folder: Path) -> None:
    pipeline = tagsmith.pipeline(tiny_folder, min_score=0.5, batch_size=3, device="cpu", int8=True)
    assert pipeline.int8 and pipeline._batch_size == 3
    with pytest.raises(TypeError, match="no parameter minscore"):
        tagsmith.pipeline(tiny_folder, minscore=1)


def test_characters_that_only_ngrams_read_must_fit(tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
    sizes = {"vocab_size": tiny_tokenizer.vocab_size, "character_vocab_size": tiny_tokenizer.character_vocab_size}
    for more, fits in ((0, True), (1, False)):
        sizes["character_vocab_size"] += more
        config = tagsmith.HierarchicalTaggerConfig.for_tags(
            ["O", "S-X"], character_encoder="none", ngram_sizes=[2], ngram_rows=3, **sizes
        )
        with nullcontext() if fits else pytest.raises(InputError, match=TWO):
            check_tokenizer(tiny_tokenizer, config, "folder")
