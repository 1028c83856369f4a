"""What the JavaScript of the browser does, against Python, in node where it is installed."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_runtime import FROZEN, NGRAMS, SCHEMES, SHAPES, SIZES, TEXTS, assert_same, fuzz_texts, make_tagger, save
from toys import script

import tagsmith
from tagsmith.browser.character_table import TABLE, character_table
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.runtime import load
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.words import SPLITTERS, iterate_sentences, split_words
from tagsmith.training.cards.space import check_browser_has

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
# Of each text the words as they are read, in stretches, their ids and their characters' ids; and the spans.
TAG = """
const { Tagger } = await import(`${library}/tagsmith.js`);
const { splitLines, stretches } = await import(`${library}/words.js`);
const answer = async ([folder, texts]) => {
  try {
    const tagger = await Tagger.load(read(folder));
    const vocabulary = tagger.vocabulary;
    const language = vocabulary.words.keys().next().value;
    return texts.map((text) => {
      const lines = splitLines(text, vocabulary.splitter).flatMap((line) => [...stretches(line, 500)]);
      const words = lines.map((line) => line.map((word) => vocabulary.shorten(word.text)));
      const ids = words.map((line) => line.map((word) => [vocabulary.id(word, language), vocabulary.spell(word)]));
      const spans = tagger.tag(text);
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


def check(folder: Path, taggers: list[Path], texts: list[str]) -> int:
    """In node, JavaScript finds what the runtime finds; how many spans there are."""
    answers = in_node(folder, TAG, [[str(tagger), texts] for tagger in taggers])
    return sum(compare(tagger, texts, answer) for tagger, answer in zip(taggers, answers, strict=True))


def compare(tagger: Path, texts: list[str], answer: Any) -> int:
    """What JavaScript finds in texts, `answer` of `TAG`, is what the runtime finds; how many spans there are."""
    assert not isinstance(answer, str), answer
    count = 0
    runtime: Any = load(tagger)
    tokens = runtime.tokenizer
    language = next(iter(tokens.vocabularies))
    for text, (ids, spans), expected in zip(texts, answer, runtime(texts), strict=True):
        lines = [tokens.shorten([word.text for word in line])[0] for line in tokens.sentences(text, 500)]
        spelled = [[row[row > 0].tolist() for row in tokens.spell(line)] for line in lines]
        looked_up = [tokens.look_up(line, language) for line in lines]
        assert [
            [list(pair) for pair in zip(*line, strict=True)] for line in zip(looked_up, spelled, strict=True)
        ] == ids
        if isinstance(expected, dict):
            expected = {name: units(text, own) for name, own in expected.items()}
            count += sum(map(len, expected.values()))
        else:
            expected = units(text, expected)
            count += len(expected)
        assert_same(spans, expected)
    return count


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


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_every_shape_that_it_has(tmp_path: Path, tiny_folder: Path, count: int) -> None:
    shapes: dict[str, dict[str, Any]] = {
        "lstm": {"word_encoder": "lstm", "character_encoder": "lstm"},
        "layers": {"num_hidden_layers": 2, "character_num_layers": 2},
        "none": {"character_encoder": "none"},
        "spelling": {"word_embedding_size": 0},
        "ngrams": NGRAMS,
        "ngrams-alone": {**NGRAMS, "word_embedding_size": 0, "character_encoder": "none"},
        "frozen": {"frozen_word_id": 9},
        "iob2": {"scheme": "IOB2"},
        "calibrated": {"calibration": {"": {"temperature": 1.7, "shift": 0.2, "min_scores": {"PER": 0.6}}}},
    }
    taggers = [make_tagger(tmp_path / name, **shape) for name, shape in shapes.items()]
    taggers += [make_heads(tmp_path / sharing, sharing) for sharing in ("characters", "encoder", "all")]
    texts = [*TEXTS, *fuzz_texts(count, 12)]
    assert check(tmp_path, [tiny_folder, FROZEN / "hierarchical", *taggers], texts) > count


def test_what_it_does_not_have_is_named(tmp_path: Path) -> None:
    shapes: list[dict[str, Any]] = [
        {"word_encoder": "sru"},
        {"character_encoder": "cnn"},
        {"gru_reset": "before"},
        {"output": "softmax"},
        {"transitions": "state"},
        {"gazetteer_size": 9},
        {"scheme": "BILOU"},
    ]
    taggers = [make_tagger(tmp_path / str(place), **shape) for place, shape in enumerate(shapes)]
    for shape, answer in zip(shapes, in_node(tmp_path, TAG, [[str(tagger), []] for tagger in taggers]), strict=True):
        ((field, value),) = shape.items()
        name = {"scheme": "tag_scheme"}.get(field, field)
        assert f"config.json has {name}: {json.dumps(value)}" in answer


def test_a_push_refuses_what_it_refuses(tmp_path: Path) -> None:
    shapes = [*SHAPES.values(), *({"scheme": scheme} for scheme in SCHEMES)]
    taggers = [make_tagger(tmp_path / str(place), **shape) for place, shape in enumerate(shapes)]
    refused = 0
    for tagger, answer in zip(taggers, in_node(tmp_path, TAG, [[str(tagger), []] for tagger in taggers]), strict=True):
        if not isinstance(answer, str):
            check_browser_has(tagger)
            continue
        refused += 1
        found = re.search(r"config\.json has \w+: [^;]+", answer)
        assert found, answer
        with pytest.raises(InputError, match=re.escape(found[0])):
            check_browser_has(tagger)
    assert 0 < refused < len(taggers)


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
    answers = in_node(tmp_path, TAG, [[str(tiny_folder), [text]] for text in ("Ada \ud800", "Ada")])
    assert "lone surrogate" in answers[0]
    assert [span["word"] for span in answers[1][0][1]] == ["Ada"]


def test_long_lines_are_cut_where_sentences_end(tmp_path: Path) -> None:
    chance = random.Random(3)
    texts = [
        "".join(chance.choices(["Ada ", "saw ", "it . ", "x! ", "東。"], [9, 9, 1, 1, 1], k=60)) for _ in range(40)
    ]
    expected = [[[word.text for word in line] for line in iterate_sentences(text, "words", 7)] for text in texts]
    assert in_node(tmp_path, STRETCHES, texts) == expected
