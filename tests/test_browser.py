"""What the JavaScript of the browser does, against Python, in node where it is installed."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from test_runtime import (
    FROZEN,
    NGRAMS,
    SCHEMES,
    SHAPES,
    SIZES,
    TEXTS,
    assert_same,
    fuzz_texts,
    make_tagger,
    sample_texts,
    save,
)
from test_runtime_bytes import ENCODERS, TAGS, make_byte_tagger, released
from test_runtime_bytes import NGRAMS as BYTE_NGRAMS
from toys import script

import tagsmith
from tagsmith.browser.character_table import TABLE, character_table
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.runtime import load
from tagsmith.runtime.byte_config import BYTE_TRAINING, ByteConfig
from tagsmith.runtime.loading import BESIDE
from tagsmith.runtime.word_config import TRAINING, WordConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.words import SPLITTERS, iterate_sentences, split_words
from tagsmith.training.cards.space import CHOICES, check_browser_has

ORDERS = ("forward", "reversed")
FOLDER = Path(tagsmith.__file__).parent / "browser"
WORDS = """
const { splitLines } = await import(`${library}/words.js`);
const answer = ([text, splitter]) => splitLines(text, splitter).flat().map(({ start, end }) => text.slice(start, end));
"""
STRETCHES = """
const { splitLines, stretches } = await import(`${library}/words.js`);
const texts = (line) => line.map((word) => word.text);
const answer = (text) => [...stretches(splitLines(text, "words").flat(), 7)].map(texts);
"""
# Of each text the words as they are read, in stretches, their ids and their characters' ids, or its bytes; and spans.
TAG = """
const { Tagger } = await import(`${library}/tagsmith.js`);
const { sentences } = await import(`${library}/words.js`);
const { ByteText } = await import(`${library}/byte_text.js`);
const idsOf = (vocabulary, text) => {
  if (!vocabulary) return Array.from(new ByteText(text).bytes);
  const language = vocabulary.words.keys().next().value;
  const words = sentences(text, vocabulary, 500).map((line) => line.map((word) => vocabulary.shorten(word.text)));
  return words.map((line) => line.map((word) => [vocabulary.id(word, language), vocabulary.spell(word)]));
};
const answer = async ([folder, texts, options]) => {
  try {
    const tagger = await Tagger.load(read(folder));
    return texts.map((text) => {
      const ids = idsOf(tagger.family.vocabulary, text);
      const spans = tagger.tag(text, options);
      for (const { start, end, word } of Object.values(spans).flat())
        if (text.slice(start, end) !== word) throw new Error(`${start} to ${end} is not ${word}`);
      return [ids, spans];
    });
  } catch (error) {
    return String(error);
  }
};
"""

NODE = 'import fs from "node:fs";\nconst read = (folder) => (name) => fs.readFileSync(`${folder}/${name}`);\n'

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def in_node(folder: Path, code: str, cases: list[Any]) -> list[Any]:
    """What `answer` of some JavaScript gives of each case."""
    begin = NODE + "const [library, input] = process.argv.slice(2);\n"
    end = """
const found = [];
for (const one of JSON.parse(fs.readFileSync(input, "utf8"))) found.push(await answer(one));
process.stdout.write(JSON.stringify(found));
"""
    (folder / "check.mjs").write_text(begin + code + end, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    command = ["node", folder / "check.mjs", FOLDER, folder / "cases.json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def units(text: str, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spans by UTF-16 offsets."""
    return [
        {**span, **{name: len(text[: span[name]].encode("utf-16-le")) // 2 for name in ("start", "end")}}
        for span in spans
    ]


def check(folder: Path, taggers: list[Path], texts: list[str], draws: int = 0, **options: Any) -> int:
    """In node, JavaScript finds what the runtime finds, but for `draws` texts a tagger; how many spans there are."""
    answers = in_node(folder, TAG, [[str(tagger), texts, options] for tagger in taggers])
    pairs = zip(taggers, answers, strict=True)
    return sum(compare(tagger, texts, answer, draws, **options) for tagger, answer in pairs)


def compare(tagger: Path, texts: list[str], answer: Any, draws: int = 0, **options: Any) -> int:
    """What JavaScript finds in texts, `answer` of `TAG`, is what the runtime finds; how many spans there are.

    Symbols may be equally probable but for rounding where weights are random: then `draws` texts may part.
    """
    assert not isinstance(answer, str), answer
    count = 0
    runtime: Any = load(tagger)
    for text, (ids, spans), expected in zip(texts, answer, runtime(texts, **options), strict=True):
        assert ids == ids_of(runtime.tokenizer, text)
        if isinstance(expected, dict):
            expected = {name: units(text, own) for name, own in expected.items()}
            count += sum(map(len, expected.values()))
        else:
            expected = units(text, expected)
            count += len(expected)
        try:
            assert_same(spans, expected)
        except AssertionError:
            if (draws := draws - 1) < 0:
                raise
    return count


def ids_of(tokens: Any, text: str) -> list[Any]:
    """What the runtime reads of a text: of the words of each stretch the id and the characters' ids, or its bytes."""
    if not hasattr(tokens, "vocabularies"):
        return list(text.encode())
    language = next(iter(tokens.vocabularies))
    lines = [tokens.shorten([word.text for word in line])[0] for line in tokens.sentences(text, 500)]
    spelled = [[row[row > 0].tolist() for row in tokens.spell(line)] for line in lines]
    looked_up = [tokens.look_up(line, language) for line in lines]
    return [[list(pair) for pair in zip(*line, strict=True)] for line in zip(looked_up, spelled, strict=True)]


def make_heads(folder: Path, sharing: str) -> Path:
    """A tagger of two heads, with words of their own where only characters are shared."""
    schemes = {"ner": "BIOES", "other": "BIOES" if sharing == "all" else "IOB2"}
    heads: dict[str, Any] = {name: {"tags": SCHEMES[own], "tag_scheme": own} for name, own in schemes.items()}
    tokenizer = HierarchicalTaggerTokenizer.train([text.split() for text in TEXTS[:5]])
    sizes: dict[str, Any] = {"vocab_size": tokenizer.vocab_size}
    if sharing == "characters":
        tokenizer = HierarchicalTaggerTokenizer.train({"de": [TEXTS[4].split()], "en": [TEXTS[0].split()]})
        heads = {name: {**head, "language": "en" if name == "ner" else "de"} for name, head in heads.items()}
        languages = {name: {"vocab_size": len(own) + 2} for name, own in tokenizer.vocabularies.items()}
        sizes = {"languages": {name: {**own, "rare_word_id": None} for name, own in languages.items()}}
    sizes["character_vocab_size"] = tokenizer.character_vocab_size
    return save(
        folder, tokenizer, HierarchicalTaggerConfig.for_tags([], sharing=sharing, heads=heads, **SIZES, **sizes)
    )


@pytest.mark.slow
def test_the_table_of_characters_is_what_its_script_writes() -> None:
    assert TABLE.read_text(encoding="utf-8") == character_table()


@pytest.mark.skipif(shutil.which("wat2wasm") is None, reason="needs wabt")
def test_the_product_is_what_its_text_compiles_to(tmp_path: Path) -> None:
    subprocess.run(["wat2wasm", TABLE.with_name("product.wat"), "-o", tmp_path / "product.wasm"], check=True)
    parts = re.findall(r'"([A-Za-z0-9+/=]{20,})"', (TABLE.with_name("product.js")).read_text(encoding="utf-8"))
    assert base64.b64decode("".join(parts)) == (tmp_path / "product.wasm").read_bytes()


def test_words_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    chance = random.Random(7)
    texts = [script("fuzz_texts").make_text(chance) for _ in range(300)]
    cases = [(text, splitter) for text in texts for splitter in SPLITTERS]
    assert in_node(tmp_path, WORDS, cases) == [[word.text for word in split_words(*case)] for case in cases]


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_the_bundled_tagger(tmp_path: Path, count: int) -> None:
    assert check(tmp_path, [Path(tagsmith.DEFAULT_TAGGER)], [*TEXTS, *fuzz_texts(count, 11)]) > count / 2


def calm(taggers: list[Path]) -> None:
    """Make random weights smaller, so that layers upon each other do not make much of what rounding does."""
    for tagger in taggers:
        weights = load_file(tagger / "model.safetensors")
        smaller = {name: tensor / 3 if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
        save_file(smaller, tagger / "model.safetensors")


# Beside what the runtime is tested with.
MORE: dict[str, dict[str, Any]] = {
    "characters, reset before": {"gru_reset": "before", "character_num_layers": 2, "word_encoder": "rnn"},
    "rnn, three layers": {"word_encoder": "rnn", "num_hidden_layers": 3},
    "sru, inputs as wide as states": {"word_encoder": "sru", "word_embedding_size": 4},
    "filters and n-grams": {**NGRAMS, "character_encoder": "cnn", "character_filters": 6},
    "a gazetteer, n-grams, pairs": {**NGRAMS, "gazetteer_size": 9, "transitions": "state", "word_encoder": "sru"},
    "softmax of a gazetteer": {"gazetteer_size": 9, "output": "softmax", "word_encoder": "lstm"},
    "passages": {"passage_words": 12},
    "capitals": {"lower_capitals": True},
    "calibrated": {"calibration": {"": {"temperature": 1.7, "shift": 0.2, "min_scores": {"PER": 0.6}}}},
}


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_shape(tmp_path: Path, tiny_folder: Path, count: int) -> None:
    taggers = [make_tagger(tmp_path / name, **shape) for name, shape in {**SHAPES, **MORE}.items()]
    taggers += [make_heads(tmp_path / sharing, sharing) for sharing in ("characters", "encoder", "all")]
    calm(taggers)
    texts = [*TEXTS, *fuzz_texts(count, 12)]
    assert check(tmp_path, [tiny_folder, FROZEN / "hierarchical", FROZEN / "heads", *taggers], texts) > count


# What a tagger's fields may be; a combination takes one of each row.
OPTIONS: list[list[dict[str, Any]]] = [
    [{"word_encoder": "rnn"}, {"word_encoder": "lstm"}]
    + [{"word_encoder": "sru", "sru_gates": gates} for gates in ("words", "state")]
    + [{"word_encoder": "linear-rnn", "linear_rnn": kind} for kind in ("gated", "plain")]
    + [{"word_encoder": "gru", "gru_reset": reset} for reset in ("before", "after")],
    [{"character_encoder": name} for name in ("gru", "lstm", "cnn", "none")],
    [{"num_hidden_layers": count} for count in (1, 2, 3)],
    [{"character_num_layers": count} for count in (1, 2)],
    [{"output": "softmax"}, {"transitions": "static"}, {"transitions": "state"}],
    [{"scheme": name} for name in SCHEMES],
    [{}, {"gazetteer_size": 9}],
    [{}, NGRAMS],
    [{}, {"frozen_word_id": 9}],
    [{"hidden_size": size, "character_hidden_size": size - 1} for size in (4, 5, 9)],
]


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_combinations(tmp_path: Path, count: int) -> None:
    chance = random.Random(16)
    shapes = [{name: value for row in OPTIONS for name, value in chance.choice(row).items()} for _ in range(count)]
    taggers = [make_tagger(tmp_path / str(place), **shape) for place, shape in enumerate(shapes)]
    calm(taggers)
    assert check(tmp_path, taggers, [*TEXTS, *fuzz_texts(15, 17)]) > count


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("output", [{}, {"transitions": "state"}, {"output": "softmax"}])
def test_every_scheme(tmp_path: Path, output: dict[str, str], count: int) -> None:
    taggers = [make_tagger(tmp_path / scheme, scheme, **output) for scheme in SCHEMES]
    assert check(tmp_path, taggers, [*TEXTS, *fuzz_texts(count, 14)]) > count


@pytest.mark.parametrize("count", [30, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_shape_of_bytes(tmp_path: Path, count: int) -> None:
    calibration = {"": {"temperature": 1.7, "shift": 0.2, "min_scores": {"PER": 0.3}}}
    shapes: dict[str, dict[str, Any]] = {
        **ENCODERS,
        "n-grams": {"encoder": "bidirectional", **BYTE_NGRAMS},
        "n-grams one way": BYTE_NGRAMS,
        "biased": {"encoder": "bidirectional", "recall_bias": 1.5, "min_score": 0.2, "calibration": calibration},
        "long windows": {"encoder": "separate", "window_size": 701},
        "tiny windows": {"window_size": 3},
    }
    taggers = [make_byte_tagger(tmp_path / name, **TAGS, **shape) for name, shape in shapes.items()]
    assert check(tmp_path, taggers, [*TEXTS, *fuzz_texts(count, 15)]) > count


@pytest.mark.parametrize("count", [15, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_shape_of_bytes_that_writes(tmp_path: Path, count: int) -> None:
    calibration = {"": {"temperature": 1.7, "shift": 0.2, "min_scores": {"PER": 0.1}}}
    shapes: dict[str, dict[str, Any]] = {
        **{
            f"{name}, {order}": {**shape, "input_order": order} for name, shape in ENCODERS.items() for order in ORDERS
        },
        **{f"{name}, attention": {**shape, "attention": True} for name, shape in ENCODERS.items()},
        "n-grams": {"encoder": "bidirectional", **BYTE_NGRAMS, "input_order": "reversed"},
        "n-grams one way": {**BYTE_NGRAMS, "attention": True},
        "as it comes": {"span_grammar": False},
        "of the paper": {"merge": "paper"},
        "biased": {"recall_bias": 1.5, "min_score": 1e-4, "calibration": calibration},
        "long windows": {"encoder": "bidirectional", "window_size": 101},
        "tiny windows": {"window_size": 3},
    }
    taggers = [make_byte_tagger(tmp_path / name, **shape) for name, shape in shapes.items()]
    assert check(tmp_path, taggers, [*TEXTS, *fuzz_texts(count, 15)], draws=count // 300) > count


RULES: list[dict[str, Any]] = [
    {},
    {"num_beams": 2, "length_penalty": 0.7},
    {"num_beams": 2, "early_stopping": True},
    {"num_beams": 2, "length_penalty": -1.0, "early_stopping": "never"},
]


@pytest.mark.parametrize("rules", RULES)
def test_beams_of_bytes(tmp_path: Path, rules: dict[str, Any]) -> None:
    shapes: list[dict[str, Any]] = [{}, {"attention": True, "encoder": "bidirectional"}, {"span_grammar": False}]
    taggers = [make_byte_tagger(tmp_path / str(place), rules, **shape) for place, shape in enumerate(shapes)]
    for num_beams in (2, 4):
        assert check(tmp_path, taggers, [*TEXTS[:5], *fuzz_texts(4, 18)], num_beams=num_beams) > 4


@pytest.mark.slow
@pytest.mark.parametrize("num_beams", [1, 4])
def test_a_released_tagger_that_writes(tmp_path: Path, num_beams: int) -> None:
    assert (
        check(
            tmp_path,
            [released(tmp_path / "own")],
            [*TEXTS, *fuzz_texts(200, 19), *sample_texts(50)],
            num_beams=num_beams,
        )
        > 50
    )


def test_options_that_there_are_not(tmp_path: Path, tiny_folder: Path, byte_folder: Path) -> None:
    cases = [
        [str(tiny_folder), ["Ada"], {"num_beams": 2}],
        [str(byte_folder), ["Ada"], {"num_beams": 0}],
        [str(byte_folder), ["Ada"], {"beams": 2}],
        [str(make_byte_tagger(tmp_path / "own", {"repetition_penalty": 2.0})), ["Ada"], {}],
    ]
    says = ["nothing writes", "at least 1", "no option beams", "generation_config.json has repetition_penalty"]
    for answer, wanted in zip(in_node(tmp_path, TAG, cases), says, strict=True):
        assert wanted in answer


def test_without_web_assembly(tmp_path: Path) -> None:
    """As where a page's policy forbids it."""
    taggers = [make_tagger(tmp_path / name, **SHAPES[name]) for name in ("lstm", "gru, reset before", "filters")]
    answers = in_node(tmp_path, f"delete globalThis.WebAssembly;{TAG}", [[str(tagger), TEXTS] for tagger in taggers])
    assert sum(compare(tagger, TEXTS, answer) for tagger, answer in zip(taggers, answers, strict=True)) > len(TEXTS)


def test_a_push_refuses_what_it_refuses(tmp_path: Path, byte_folder: Path) -> None:
    refused = {}
    for place, (field, value) in enumerate(
        {"decode": "words", "input_order": "inwards", "model_type": "bert"}.items()
    ):
        other = tmp_path / str(place)
        shutil.copytree(byte_folder, other)
        content = json.loads((other / "config.json").read_text(encoding="utf-8"))
        (other / "config.json").write_text(json.dumps({**content, field: value}), encoding="utf-8")
        refused[other] = f'{field}: "{value}"'
    answers = in_node(tmp_path, TAG, [[str(tagger), []] for tagger in refused])
    for (tagger, found), answer in zip(refused.items(), answers, strict=True):
        assert f"config.json has {found}, which this library cannot compute; it has" in answer
        assert "tagsmith serve" in answer
        with pytest.raises(InputError, match=f"config.json has {found}, which the page in a browser cannot compute"):
            check_browser_has(tagger)


def test_its_fields_are_those_of_the_runtime(tmp_path: Path) -> None:
    code = """
const { BESIDE, DEFAULTS } = await import(`${library}/config.js`);
const { CHOICES } = await import(`${library}/choices.js`);
const { SCHEMES } = await import(`${library}/tag_rules.js`);
const answer = () => [DEFAULTS, BESIDE, CHOICES, SCHEMES];
"""
    ((defaults, beside, choices, schemes),) = in_node(tmp_path, code, [None])
    configs: dict[str, Any] = {"hierarchical-tagger": WordConfig, "byte-to-span": ByteConfig}
    assert choices == CHOICES and defaults.keys() == CHOICES.keys() == configs.keys()
    for kind, config in configs.items():
        theirs = {field.name: field.default for field in fields(config)}
        own = {**defaults[kind], "model_type": kind}
        assert own == {name: value for name, value in theirs.items() if name != "pad_token_id"}
    assert set(beside["hierarchical-tagger"]) == TRAINING and set(beside["byte-to-span"]) == BYTE_TRAINING
    assert set(beside["both"]) == BESIDE | {"model_type"}
    assert choices["hierarchical-tagger"]["tag_scheme"] == schemes


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.safetensors", b"\0" * 4, "ends within its header"),
        ("config.json", b'{"model_type": "hierarchical-tagger", "tomorrow": 1}', "does not know: tomorrow"),
        ("vocab.json", b'{"words": ["a"], "characters": ["a"]}', "vocab.json does not fit config.json"),
        ("tokenizer_config.json", b'{"splitter": "other"}', "unknown splitter other"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, tiny_folder: Path, name: str, content: bytes, says: str) -> None:
    shutil.copytree(tiny_folder, tmp_path / "tagger")
    (tmp_path / "tagger" / name).write_bytes(content)
    (answer,) = in_node(tmp_path, TAG, [[str(tmp_path / "tagger"), []]])
    assert says in answer


def test_what_is_no_text_is_refused(tmp_path: Path, tiny_folder: Path) -> None:
    bytewise = make_byte_tagger(tmp_path / "bytes", **TAGS)
    cases = [[str(folder), [text]] for text in ("Ada \ud83d", "Ada") for folder in (bytewise, tiny_folder)]
    *refused, _, found = in_node(tmp_path, TAG, cases)
    for answer in refused:
        assert "lone surrogate (U+D83D) at 4" in answer and "text.toWellFormed()" in answer
    assert [span["word"] for span in found[0][1]] == ["Ada"]


def test_long_lines_are_cut_where_sentences_end(tmp_path: Path) -> None:
    chance = random.Random(3)
    texts = [
        "".join(chance.choices(["Ada ", "saw ", "it . ", "x! ", "東。"], [9, 9, 1, 1, 1], k=60)) for _ in range(40)
    ]
    expected = [[[word.text for word in line] for line in iterate_sentences(text, "words", 7)] for text in texts]
    assert in_node(tmp_path, STRETCHES, texts) == expected
