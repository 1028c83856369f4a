"""The runtime without torch finds what the pipeline finds, whatever the tagger's shape."""

from __future__ import annotations

import importlib.util
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toys import script

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.runtime import load
from tagsmith.runtime.loading import BESIDE
from tagsmith.runtime.word_config import TRAINING, WordConfig
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

FROZEN = Path(__file__).parent / "frozen"
TEXTS = [
    "Ada Lovelace met Juan de Vega in New York City .",
    "",
    "It rains\nin Lund , 1843 .\r\n\r\nAda saw it .",
    "Ada",
    "e\u0301te\u0301 in Straße 12,5 — “Grace” went to 東京都 and ไทย 👨\u200d👩\u200d👧 .",
    " ".join(random.Random(1).choices(["Ada", "went", "to", "Lund", ".", "saw", "Grace", "in", "New", "York"], k=520)),
    "x" * 300 + " saw " + "y" * 200,
    "ADA SAW NEW YORK AND LUND , ΟΔΟΣ .\nNBA 東京 CBA\nÉTÉ À LUND\nADA\nⓐ ADA LUND\nADA LUND Ⅳ",
]
SIZES: dict[str, Any] = {
    "word_embedding_size": 7,
    "character_embedding_size": 5,
    "character_hidden_size": 6,
    "character_num_layers": 1,
    "character_filters": 9,
    "hidden_size": 8,
    "num_hidden_layers": 1,
}
NGRAMS = {"ngram_sizes": [1, 2, 4], "ngram_rows": 12, "ngram_embedding_size": 5}
SHAPES: dict[str, dict[str, Any]] = {
    "lstm": {"word_encoder": "lstm", "character_encoder": "lstm"},
    "two layers": {"num_hidden_layers": 2, "character_num_layers": 2},
    "gru, reset before": {"gru_reset": "before", "num_hidden_layers": 2},
    "rnn": {"word_encoder": "rnn"},
    "sru": {"word_encoder": "sru", "num_hidden_layers": 2},
    "sru, gates of the state": {"word_encoder": "sru", "sru_gates": "state", "num_hidden_layers": 2},
    "linear rnn": {"word_encoder": "linear-rnn", "num_hidden_layers": 2},
    "linear rnn without a gate": {"word_encoder": "linear-rnn", "linear_rnn": "plain"},
    "filters": {"character_encoder": "cnn", "character_window": 5},
    "no characters": {"character_encoder": "none"},
    "characters alone": {"word_embedding_size": 0},
    "n-grams": NGRAMS,
    "n-grams alone": {**NGRAMS, "word_embedding_size": 0, "character_encoder": "none"},
    "transitions of the state": {"transitions": "state"},
    "softmax": {"output": "softmax"},
    "frozen words": {"frozen_word_id": 9},
    "word memory": {"word_memory": True, "passage_words": 30},
    "memory of n-grams": {**NGRAMS, "word_memory": True, "character_encoder": "none", "gazetteer_size": 9},
    "a gazetteer": {"gazetteer_size": 9},
}
SCHEMES = {
    "BIOES": ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC", "B-PER", "I-PER", "E-PER", "S-PER"],
    "BILOU": ["O", "B-LOC", "I-LOC", "L-LOC", "U-LOC"],
    "IOB1": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    "IOB2": ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
    "plain": ["NOUN", "VERB", "X"],
}


def make_tokenizer(**options: Any) -> HierarchicalTaggerTokenizer:
    return HierarchicalTaggerTokenizer.train([text.split() for text in TEXTS[:5]], **options)


def save(folder: Path, tokenizer: HierarchicalTaggerTokenizer, config: HierarchicalTaggerConfig) -> Path:
    torch.manual_seed(3)
    model = HierarchicalTaggerForTokenClassification(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and "words" not in name:
            torch.nn.init.normal_(parameter, std=2.0 if "output" in name else 0.7)  # so that tags differ
    if model.encoder.characters is not None:
        model.encoder.characters.embedding.weight.data[0] = 0  # padding is nothing, as in training
    if config.ngram_sizes:
        model.encoder.set_ngrams(torch.arange(3, 3 + config.ngram_rows) * 37, tokenizer.characters)
        codes = model.encoder.ngrams.points[2:].long()[: config.ngram_rows] + 1  # single characters, which texts have
        model.encoder.set_ngrams(codes, tokenizer.characters)
    for buffer in ("frozen_vectors",):
        for reader in model.encoder.readers.values():
            if getattr(reader, buffer) is not None:
                getattr(reader, buffer).normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tagger(folder: Path, scheme: str = "BIOES", **fields: Any) -> Path:
    """A tagger of a shape, with random weights, saved."""
    reading = {name: fields.pop(name) for name in ("passage_words", "lower_capitals") if name in fields}
    gazetteer = Gazetteer({"LOC": ["Lund", "New York City"], "PER": ["Ada"]}) if "gazetteer_size" in fields else None
    tokenizer = make_tokenizer(gazetteer=gazetteer, **reading)
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    config = HierarchicalTaggerConfig.for_tags(SCHEMES[scheme], tag_scheme=scheme, **{**SIZES, **sizes, **fields})
    return save(folder, tokenizer, config)


def assert_same(found: Any, expected: Any, scores: float = 1e-4) -> None:
    """Spans that are equal, with scores that are close; of one text or several, of one head or several."""
    if isinstance(expected, dict) and "score" not in expected:
        assert found.keys() == expected.keys()
        for name, spans in expected.items():
            assert_same(found[name], spans)
        return
    if expected and not (isinstance(expected[0], dict) and "score" in expected[0]):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
        return
    assert [{**span, "score": None} for span in found] == [{**span, "score": None} for span in expected]
    assert [span["score"] for span in found] == pytest.approx([span["score"] for span in expected], abs=scores)


def check(folder: Path, texts: list[Any] | None = None, **options: Any) -> list[Any]:
    """The runtime and the pipeline agree of texts, in batches of any size, and find something."""
    pipeline, runtime = tagsmith.pipeline(folder), load(folder)
    texts = TEXTS if texts is None else texts
    expected = pipeline(texts, **options)
    for batch_size in (64, 2):
        assert_same(runtime(texts, batch_size=batch_size, **options), expected)
    assert_same(list(runtime.pipe(iter(texts), **options)), expected)
    assert_same(runtime(texts[0], **options), expected[0])
    return expected


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(tmp_path: Path, name: str) -> None:
    expected = check(make_tagger(tmp_path, **SHAPES[name]))
    assert any(expected)


@pytest.mark.parametrize("transitions", ["static", "state"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme(tmp_path: Path, scheme: str, transitions: str) -> None:
    expected = check(make_tagger(tmp_path, scheme, transitions=transitions))
    assert any(expected)


@pytest.mark.parametrize("sharing", ["characters", "encoder", "all"])
def test_several_heads(tmp_path: Path, sharing: str) -> None:
    shapes = (
        {"ner": ("BIOES", "en"), "pos": ("plain", "de")}
        if sharing != "all"
        else {"a": ("IOB2", ""), "b": ("IOB2", "")}
    )
    heads = {name: {"tags": SCHEMES[scheme], "tag_scheme": scheme} for name, (scheme, _) in shapes.items()}
    sizes: dict[str, Any] = {}
    if sharing == "characters":
        words = {"en": [text.split() for text in TEXTS[:3]], "de": [TEXTS[4].split()]}
        tokenizer = HierarchicalTaggerTokenizer.train(words)
        heads = {name: {**head, "language": shapes[name][1]} for name, head in heads.items()}
        vocabularies = {name: len(own) + 2 for name, own in tokenizer.vocabularies.items()}
        sizes["languages"] = {name: {"vocab_size": size, "rare_word_id": None} for name, size in vocabularies.items()}
    else:
        tokenizer = make_tokenizer()
        sizes["vocab_size"] = tokenizer.vocab_size
    sizes["character_vocab_size"] = tokenizer.character_vocab_size
    config = HierarchicalTaggerConfig.for_tags([], sharing=sharing, heads=heads, **SIZES, **sizes)
    folder = save(tmp_path, tokenizer, config)
    check(folder)
    for name in heads:
        check(folder, head=name)
    with pytest.raises(ValueError, match="no head 'other'"):
        load(folder)("Ada", head="other")


READINGS: list[dict[str, Any]] = [
    {"normalization": None},
    {"splitter": "punctuation"},
    {"lowercase": False},
    {"lowercase": False, "case_fallback": True},
    {"passage_words": 6},
    {"passage_words": 1000},
    {"lower_capitals": True},
    {"lower_capitals": True, "lowercase": False},
]


@pytest.mark.parametrize("options", READINGS)
def test_every_way_to_read_words(tmp_path: Path, options: dict[str, Any]) -> None:
    tokenizer = make_tokenizer(**options)
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    check(
        save(
            tmp_path,
            tokenizer,
            HierarchicalTaggerConfig.for_tags(SCHEMES["IOB2"], tag_scheme="IOB2", **SIZES, **sizes),
        )
    )


def test_options_are_those_of_the_pipeline(tiny_folder: Path) -> None:
    check(tiny_folder, min_score=0.9)
    check(tiny_folder, max_words=3)
    check(tiny_folder, [["Ada", "saw", "New York"], ["It"], []], is_split_into_words=True)
    tagger = load(tiny_folder)
    with pytest.raises(TypeError, match="no parameter nonsense"):
        tagger("Ada", nonsense=1)
    with pytest.raises(TypeError, match="A text is a str"):
        tagger([1])
    assert tagger([]) == []


@pytest.mark.parametrize("words", [["Ada", ""], ["a", "b\ud800"], ["\ud83d", "\ude00"]])
def test_words_that_torch_refuses(tiny_folder: Path, words: list[str]) -> None:
    said = []
    for tagger in (tagsmith.pipeline(tiny_folder), load(tiny_folder)):
        with pytest.raises(ValueError) as caught:
            tagger([["It", "rains"], words], is_split_into_words=True)
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]


def test_words_that_are_kept_have_a_bound(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagsmith.runtime.word_tagger._ROWS", 5)
    check(tiny_folder)
    tagger = load(tiny_folder)
    for text in TEXTS * 2:
        tagger(text)
    (words,) = tagger._words.values()
    most = max(len({word.text for word in tagger.tokenizer.split(text)}) for text in TEXTS)
    assert len(words.rows) <= words.table.shape[1] <= max(5, most)


@pytest.mark.parametrize("name", ["hierarchical", "heads"])
def test_taggers_of_earlier_days(name: str) -> None:
    check(FROZEN / name)


def test_it_is_what_a_long_text_streams_through(tiny_folder: Path) -> None:
    def texts() -> Iterator[str]:
        for number in range(3000):
            read.append(number)
            yield f"Ada {number} ."

    read: list[int] = []
    stream = load(tiny_folder).pipe(texts())
    next(stream)
    assert len(read) < 2000


def test_neither_torch_nor_transformers(tiny_folder: Path) -> None:
    code = f"""
import sys
from tagsmith.runtime import load
load({str(tiny_folder)!r})("Ada Lovelace lived in London .")
print({{"torch", "transformers", "safetensors", "datasets", "huggingface_hub"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout.strip() == "set()"


def test_the_distribution_of_its_own(tiny_folder: Path, tmp_path: Path) -> None:
    """Its files, without tagsmith: none is missing, and torch and transformers are wanted by none."""
    source = Path(tagsmith.__file__).parent / "tagsmith_runtime"
    spec = importlib.util.spec_from_file_location("runtime_setup", source / "setup.py")
    assert spec is not None and spec.loader is not None
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    package = tmp_path / "tagsmith_runtime"
    for path in [source / "__init__.py", *setup.wanted()]:
        target = package / (path.name if path.parent == source else path.relative_to(setup.ROOT))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
for name in ("tagsmith", "torch", "transformers", "safetensors", "onnxruntime"):
    sys.modules[name] = None
import tagsmith_runtime
for span in tagsmith_runtime.load({str(tiny_folder)!r})("Ada Lovelace lived in London ."):
    print(span["entity_group"], span["word"])
print(tagsmith_runtime.InputError.__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=False)
    lines = ["PER Ada Lovelace", "LOC London", "tagsmith_runtime.tokenization.input_error"]
    assert done.stdout.splitlines() == lines, done.stderr


def test_the_distribution_has_tagsmiths_version_and_bounds() -> None:
    root = Path(tagsmith.__file__).parent
    files = [folder / "pyproject.toml" for folder in (root / "tagsmith_runtime", root)]
    own, whole = (tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in files)
    assert own["version"] == whole["version"]
    assert set(own["dependencies"]) <= set(whole["dependencies"])


def test_the_fields_are_those_of_the_configuration() -> None:
    """A new one is to be one that the runtime knows of, with the same default."""
    ours = {field.name: field.default for field in fields(WordConfig)}
    config = HierarchicalTaggerConfig()
    own = set(config.to_dict())
    assert own - set(ours) - TRAINING - BESIDE == set()
    theirs = {name: getattr(HierarchicalTaggerConfig, name) for name in ours if name not in ("id2label", "model_type")}
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("name", SHAPES)
def test_the_weights_are_those_of_the_model(tmp_path: Path, name: str) -> None:
    from tagsmith.runtime.weights_file import read_weights
    from tagsmith.tokenization.strict_json import read_json

    folder = make_tagger(tmp_path, **SHAPES[name])
    weights = read_weights(folder / "model.safetensors")
    shapes = WordConfig.of(read_json(folder / "config.json")).shapes()
    assert {name: tensor.shape for name, tensor in weights.items()} == shapes


def fuzz_texts(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [script("fuzz_texts").make_text(chance) for _ in range(count)]


def sample_texts(count: int) -> list[str]:
    from tagsmith.training.data.sample import sample_files

    lines = sample_files()["dev"].read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")][:count]


@pytest.mark.parametrize("count", [100, pytest.param(1600, marks=pytest.mark.slow)])
def test_conformance_texts(count: int) -> None:
    """Texts of all scripts and the sample's, with the tagger that comes with the package."""
    texts = fuzz_texts(count, seed=7) + sample_texts(count)
    pipeline, runtime = tagsmith.pipeline(), load(tagsmith.DEFAULT_TAGGER)
    assert_same(runtime(texts), pipeline(texts))
    split = [[tuple(word) for word in runtime.tokenizer.split(text)] for text in texts]
    assert split == [[tuple(word) for word in pipeline.tokenizer.split(text)] for text in texts]
    words = sorted({word for row in split for word, _, _ in row})
    assert runtime.tokenizer.look_up(words, None) == pipeline.tokenizer.encode(words)
    assert np.array_equal(runtime.tokenizer.spell(words), pipeline.tokenizer.spell(words))
