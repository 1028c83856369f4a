"""Plots of what a tagger has learnt: the states behind labels, the vectors of words, and the lists of words."""

from __future__ import annotations

import copy
import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tagsmith.modeling.configuration_byte_to_span import GO_ID, ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.span_grammar import SpanGrammar
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.pictures import figures
from tagsmith.training.pictures import plot_characters as characters_module
from tagsmith.training.pictures import plot_states as states_module
from tagsmith.training.pictures.figures import new_figure, save_figure
from tagsmith.training.pictures.neighbours import neighbour_shares
from tagsmith.training.pictures.plot_characters import mutual_nearest, plot_characters, read_word_list
from tagsmith.training.pictures.plot_states import plot_states

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

LABELS = ["LOC", "PER", "$ORG$", "_MISC"]
TEXTS = {
    "en": ["Ada Lovelace lived in London.", "", "It rains.", "Grace went to New York City in 1843."],
    "es": ["Juan de Vega vivió en España.", "¿Llueve en Málaga?"],
}
COUNTRIES = [("Spain", "España"), ("France", "Francia"), ("Italy", "Italia"), ("Norway", "Noruega"), ("Cuba", "Cuba")]
WORDS = [(group, pair[side]) for side, group in enumerate(("en", "es")) for pair in COUNTRIES]


def byte_tagger(**options: Any) -> ByteToSpanForSpanTagging:
    """A random tagger that finds something of several labels; the seed is chosen for that."""
    torch.manual_seed(8)
    sizes = {"window_size": 12, "embedding_size": 8, "hidden_size": 24, "num_hidden_layers": 1}
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}
    others = {"encoder_hidden_size": 5, "initializer_range": 1.5, "recall_bias": 3.0, "hidden_dropout": 0.5}
    return ByteToSpanForSpanTagging(ByteToSpanConfig(**{**sizes, **labels, **others, **options})).eval()


@pytest.fixture(scope="module")
def tagger() -> ByteToSpanForSpanTagging:
    """Shared: copy it before you change it."""
    return byte_tagger()


@pytest.fixture(scope="module")
def tokenizer() -> ByteToSpanTokenizer:
    return ByteToSpanTokenizer(12, LABELS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@torch.no_grad()
def decode_by_hand(model: ByteToSpanForSpanTagging, window: bytes) -> list[tuple[int, int, str, float, np.ndarray]]:
    """One window, one symbol at a time: each span with its score and the state from which its label was chosen."""
    config = model.config
    read = model.model(torch.tensor([list(window)]))
    grammar, length = SpanGrammar(config), torch.tensor([len(window)])
    last, states = torch.tensor([GO_ID]), read.states
    symbols: list[int] = []
    chances: list[float] = []
    spans = []
    while config.stop_id not in symbols and len(symbols) < 3 * config.window_size:
        hidden, states = model.model.write(last[:, None], torch.ones(1, 1, dtype=torch.bool), states)
        scores = model.score_next(hidden, read)[:, 0]
        biased = scores.clone()
        biased[:, config.stop_id] -= config.recall_bias
        last = biased.masked_fill(~grammar.legal(last, length), float("-inf")).argmax(-1)
        symbols.append(int(last))
        chances.append(float(scores.log_softmax(-1)[0, last]))
        if symbols[-1] > config.stop_id:
            start, size = symbols[-3] - 259, symbols[-2] - config.first_length_id
            label = config.id2label[symbols[-1] - config.stop_id - 1]
            spans.append(
                (
                    start,
                    start + size,
                    label,
                    float(np.exp(sum(chances[-3:]))),
                    model.attend(hidden, read)[0][0, 0].numpy(),
                )
            )
    return spans


# --- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("encoder", ["shared", "separate", "bidirectional"])
def test_states_are_those_that_labels_are_chosen_from(
    encoder: str, attention: bool, tokenizer: ByteToSpanTokenizer
) -> None:
    model = byte_tagger(encoder=encoder, attention=attention, num_hidden_layers=2).double()
    windows = [b"Ada Lovelace", b"in L\xc3", b"x", b"Juan de Vega", b"It rains."]
    emitted = states_module._emissions(model, tokenizer, [np.frombuffer(window, dtype=np.uint8) for window in windows])
    assert sum(map(len, emitted)) > 5
    for window, found in zip(windows, emitted, strict=True):
        expected = decode_by_hand(model, window)
        assert [(start, end, label.label) for start, end, label, _ in found] == [span[:3] for span in expected]
        for (_, _, label, score), (_, _, _, chance, state) in zip(found, expected, strict=True):
            assert score == pytest.approx(chance, rel=1e-5)
            np.testing.assert_allclose(label.state, state, atol=1e-6)


@pytest.mark.parametrize("batch", [3, 64])
def test_spans_are_those_of_tagging(
    batch: int, tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = []
    for text in TEXTS["en"]:
        stream, spans = tokenizer.stream(text), []
        for offset, window in stream.windows():
            emitted = [span[:4] for span in decode_by_hand(tagger, window.tobytes())]
            spans += stream.add(offset, emitted)
        expected += [(span.label, span.word) for span in spans + stream.finish()]
    monkeypatch.setattr(states_module, "_BATCH", batch)
    found = list(states_module._spans(tagger, tokenizer, "en", TEXTS["en"]))
    assert [(point.label, point.word) for point in found] == expected and len(expected) > 5


def test_plot_states(tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    model = copy.deepcopy(tagger).train()  # dropout would make a difference
    result = plot_states(model, tokenizer, TEXTS, tmp_path / "states.png")
    rows = rows_of(tmp_path / "states.csv")
    expected = [
        (p.label, p.group, p.word) for g in TEXTS for p in states_module._spans(tagger, tokenizer, g, TEXTS[g])
    ]
    assert [(row["label"], row["group"], row["word"]) for row in rows] == expected
    assert list(rows[0]) == ["x", "y", "label", "group", "word"]
    assert np.isfinite([(float(row["x"]), float(row["y"])) for row in rows]).all()
    assert result.points == result.found == len(rows) == sum(result.labels.values())
    assert result.groups == {group: sum(row["group"] == group for row in rows) for group in TEXTS}
    assert list(result.neighbours) == ["label", "group"]
    assert all(0 <= share <= 1 for shares in result.neighbours.values() for share in shares)
    assert list(result.labels.values()) == sorted(result.labels.values(), reverse=True)
    assert (tmp_path / "states.png").read_bytes().startswith(b"\x89PNG")


def test_shares_of_neighbours() -> None:
    """Two heaps, each of one label; in space labels and heaps cross."""
    labels, groups = ["A"] * 12 + ["B"] * 12, ["x", "y"] * 12
    places = np.array([[100.0 * (label == "B"), number] for number, label in enumerate(labels)])
    vectors = np.array([[100.0 * (group == "y"), number, 0] for number, group in enumerate(groups)])
    pair = 11 / 23
    of_labels, of_groups = (neighbour_shares(places, vectors, kinds) for kinds in (labels, groups))
    assert of_labels.plane == 1 and of_labels.chance == pytest.approx(pair)
    assert of_groups.space == 1 and of_groups.chance == pytest.approx(pair) and of_groups.plane < 0.6
    assert neighbour_shares(places[:3], vectors[:3], ["A", "A", "B"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_seed_and_limit(tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    written = []
    for number, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{number}.png"
        result = plot_states(tagger, tokenizer, {**TEXTS, "none": []}, path, seed=seed, limit=8)
        assert result.groups == {"en": 4, "es": 4, "none": 0} and result.points == 8 < result.found
        written.append((path.read_bytes(), path.with_suffix(".csv").read_text()))
    assert written[0] == written[1] and written[0][1] != written[2][1]


def test_min_score(tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    model = copy.deepcopy(tagger)
    scores = [point.score for group in TEXTS for point in states_module._spans(tagger, tokenizer, group, TEXTS[group])]
    model.config.min_score = sorted(scores)[-6]
    assert plot_states(model, tokenizer, TEXTS, tmp_path / "a.svg").found == 6
    assert "<svg" in (tmp_path / "a.svg").read_text(encoding="utf-8")


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 60))
def test_shares_are_even(counts: list[int], limit: int) -> None:
    given_counts = {str(number): count for number, count in enumerate(counts)}
    shares = states_module._share(given_counts, limit)
    assert list(shares) == list(given_counts) and sum(shares.values()) == min(limit, sum(counts))
    for group, share in shares.items():
        assert share <= given_counts[group]
        assert share == given_counts[group] or share >= max(shares.values()) - 1


def test_each_point_is_as_likely() -> None:
    random = np.random.default_rng(0)
    counts = np.zeros(7)
    for _ in range(3000):
        drawn, count = states_module._draw(iter(range(7)), 3, random)  # type: ignore[arg-type]
        assert count == 7 and len(set(drawn)) == 3
        counts[drawn] += 1
    assert np.abs(counts / 3000 - 3 / 7).max() < 0.04


def test_too_few_spans(tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    model = copy.deepcopy(tagger)
    model.config.recall_bias = -1000.0
    with pytest.raises(InputError, match=r"found 0 spans in these texts\. Give more texts: .* at least 5"):
        plot_states(model, tokenizer, TEXTS, tmp_path / "a.png")
    with pytest.raises(InputError, match=r"the limit is 4 points\. Allow at least 5"):
        plot_states(tagger, tokenizer, TEXTS, tmp_path / "a.png", limit=4)
    assert list(tmp_path.iterdir()) == []


# --- characters ------------------------------------------------------------------------------------------------------


def word_tagger(tokenizer: HierarchicalTaggerTokenizer, **options: Any) -> HierarchicalTaggerForTokenClassification:
    torch.manual_seed(5)
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    config = HierarchicalTaggerConfig(
        **sizes, **{"hidden_size": 4, "character_dropout": 0.5, "tag_scheme": "plain", **options}
    )
    return HierarchicalTaggerForTokenClassification(config).eval()


@pytest.fixture(scope="module")
def words_tokenizer() -> HierarchicalTaggerTokenizer:
    return HierarchicalTaggerTokenizer.train([[word for _, word in WORDS]])


def brute_force(left: np.ndarray, right: np.ndarray, pairs: np.ndarray) -> list[bool]:
    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))

    found = []
    for a, b in pairs:
        own = cosine(left[a], right[b])
        rivals = [cosine(left[a], vector) for index, vector in enumerate(right) if index != b]
        rivals += [cosine(vector, right[b]) for index, vector in enumerate(left) if index != a]
        found.append(all(rival < own for rival in rivals))
    return found


def test_mutual_nearest() -> None:
    left = np.array([[1.0, 0, 0], [0, 2, 0], [0, 1.9, 1], [0, 0, 1]])
    right = np.array([[5.0, 0.1, 0], [0, 3, 0.1], [0, 0, 7], [0, 0, 1]])
    pairs = np.array([[0, 0], [1, 1], [2, 1], [3, 2], [0, 3]])
    # [2, 1]: 1's nearest is left 1. [3, 2]: right 3 points the same way. [0, 3]: at a right angle.
    assert mutual_nearest(left, right, pairs).tolist() == [True, True, False, False, False]
    assert not mutual_nearest(np.ones((3, 2)), np.ones((3, 2)), np.array([[0, 0], [1, 1], [2, 2]])).any()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_mutual_nearest_against_brute_force(n: int, m: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = random.normal(size=(n, 3)), random.normal(size=(m, 3))
    pairs = np.stack([random.integers(n, size=5), random.integers(m, size=5)], axis=1)
    assert mutual_nearest(left, right, pairs).tolist() == brute_force(left, right, pairs)
    assert mutual_nearest(left * 9, right, pairs).tolist() == mutual_nearest(right, left, pairs[:, ::-1]).tolist()


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (4, 2), elements=st.sampled_from([0.0, 1.0])))
def test_of_equals_none_is_nearest(vectors: np.ndarray) -> None:
    doubled = np.concatenate([vectors, vectors])
    assert not mutual_nearest(vectors, doubled, np.array([[0, 0], [1, 5]])).any()


@pytest.mark.parametrize("encoder", ["gru", "lstm", "cnn"])
def test_vectors_are_the_character_encoder_s(
    encoder: str, words_tokenizer: HierarchicalTaggerTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = word_tagger(words_tokenizer, character_encoder=encoder)
    words = [word for _, word in WORDS] + ["Qatar"]
    monkeypatch.setattr(characters_module, "_BATCH", 4)
    vectors, unknown = characters_module._spell(model, words_tokenizer, words)
    assert unknown == 1  # no Q in the list
    for word, vector in zip(words, vectors, strict=True):
        ids = torch.tensor([words_tokenizer.encode_words([word])["character_ids"][0]])
        with torch.no_grad():
            np.testing.assert_allclose(model.encoder.characters(ids)[0].numpy(), vector, atol=1e-6)


def test_plot_characters(words_tokenizer: HierarchicalTaggerTokenizer, tmp_path: Path) -> None:
    model = word_tagger(words_tokenizer)
    vectors, _ = characters_module._spell(model, words_tokenizer, [word for _, word in WORDS])
    pairs = [*COUNTRIES, ("Spain", "Francia")]
    where = np.array([(n, n) for n in range(5)] + [(0, 1)])
    expected = brute_force(vectors[:5], vectors[5:], where)
    assert 0 < sum(expected) < 6
    mixed = [WORDS[index] for index in (5, 0, 6, 7, 1, 2, 3, 8, 4, 9)]  # Spanish comes first
    turned = [(right, left) for left, right in pairs]
    result = plot_characters(model.train(), words_tokenizer, mixed + WORDS, tmp_path / "a.png", pairs=turned * 2)
    assert result.points == 10 and result.groups == {"es": 5, "en": 5} and result.unknown == 0
    assert result.mutual == pytest.approx(np.mean(expected))
    rows = rows_of(tmp_path / "a.csv")
    assert [(row["group"], row["word"]) for row in rows] == mixed and list(rows[0]) == ["x", "y", "group", "word"]
    again = plot_characters(model, words_tokenizer, mixed, tmp_path / "b.png", pairs=turned)
    assert again == result and (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_pairs(words_tokenizer: HierarchicalTaggerTokenizer, tmp_path: Path) -> None:
    words = [("a", "$5$"), ("b", "_x"), ("c", "España"), ("c", "Cuba"), ("c", "a,b")]
    result = plot_characters(word_tagger(words_tokenizer), words_tokenizer, words, tmp_path / "a.PDF", seed=4)
    assert result.mutual is None and result.groups == {"a": 1, "b": 1, "c": 3} and result.unknown == 3
    assert [row["word"] for row in rows_of(tmp_path / "a.csv")] == ["$5$", "_x", "España", "Cuba", "a,b"]
    assert (tmp_path / "a.PDF").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "pairs", "message"),
    [
        (WORDS[:4], None, r"there are 4 words\. Give at least 5"),
        (WORDS[:5], COUNTRIES, r"there are pairs, and 1 groups of words\. Give words of two groups"),
        ([*WORDS, ("fr", "Espagne")], COUNTRIES, "and 3 groups"),
        (WORDS, [], "the list of pairs is empty"),
        (WORDS, [("Spain", "Spain")], r"the pair \('Spain', 'Spain'\) has no word 'Spain' in 'es'"),
        ([("zz", letter) for letter in "QXZKJ"], None, "all 5 vectors are the same"),
    ],
)
def test_bad_words(
    words: Any, pairs: Any, message: str, words_tokenizer: HierarchicalTaggerTokenizer, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        plot_characters(word_tagger(words_tokenizer), words_tokenizer, words, tmp_path / "a.png", pairs=pairs)
    assert list(tmp_path.iterdir()) == []


# --- both ------------------------------------------------------------------------------------------------------------


def test_the_wrong_kind_of_tagger(
    tagger: ByteToSpanForSpanTagging,
    tokenizer: ByteToSpanTokenizer,
    words_tokenizer: HierarchicalTaggerTokenizer,
    tmp_path: Path,
) -> None:
    path, words = tmp_path / "a.png", words_tokenizer
    with pytest.raises(InputError, match=r"this is a hierarchical-tagger model\. Give a byte-to-span tagger"):
        plot_states(word_tagger(words), words, TEXTS, path)  # type: ignore[arg-type]
    for model in (tagger, word_tagger(words, character_encoder="none")):
        with pytest.raises(InputError, match="no character encoder"):
            plot_characters(model, words, WORDS, path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"a\.jpg: a picture ends in \.png, \.svg or \.pdf"),
        ("a", "a picture ends in"),
        ("b/a.png", r"b/a\.png: there is no such folder to write to\. Make .*b first"),
    ],
)
def test_bad_outputs(
    name: str, message: str, tagger: ByteToSpanForSpanTagging, tokenizer: ByteToSpanTokenizer, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        plot_states(tagger, tokenizer, TEXTS, tmp_path / name)
    with pytest.raises(InputError, match=message):
        save_figure(new_figure(), tmp_path / name)


@pytest.mark.parametrize("name", ["matplotlib", "sklearn"])
def test_a_missing_package(
    name: str,
    words_tokenizer: HierarchicalTaggerTokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=rf"plots need .*{name}.*pip install 'tagsmith\[plots\]'"):
        plot_characters(word_tagger(words_tokenizer), words_tokenizer, WORDS, tmp_path / "a.png")


def test_many_labels() -> None:
    names = [f"$L{number}$" for number in range(300)]
    colours, markers = figures.colours_of(names), figures.markers_of(names)
    assert len(set(map(tuple, colours.values()))) == 20 and colours[names[0]] == colours[names[20]]
    assert len({tuple(colour) for colour in figures.colours_of(names[:10]).values()}) == 10
    figure = new_figure()
    figures.legend(figure, "label", [(name, colours[name], markers[name]) for name in names], "upper")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [*names[:20], "… and 280 more"]
    assert not any(text.get_parse_math() for text in figure.legends[0].get_texts())


# --- word lists ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words", "pairs"),
    [
        ("Spain\r\n\n Cuba \n", [("list", "Spain"), ("list", "Cuba")], None),
        ("# en\nSpain\n#x\n#\n", [("en", "Spain"), ("en", "#x"), ("en", "#")], None),
        ("\ufeff# en\tes\nSpain\tEspaña", [("en", "Spain"), ("es", "España")], [("Spain", "España")]),
        ("a\tb\nc\td\n", [("first", "a"), ("first", "c"), ("second", "b"), ("second", "d")], [("a", "b"), ("c", "d")]),
    ],
)
def test_read_word_list(content: str, words: Any, pairs: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_word_list(path) == read_word_list(str(path)) == (words, pairs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"list\.txt: there is no word\. Give one word a line"),
        (b"\n  \n", "there is no word"),
        (b"# en\tes\n", "there is no word"),
        (b"a\tb\tc\n", r"list\.txt:1: 3 columns, expected one or two"),
        (b"a\n\nb\tc\n", r"list\.txt:3: 2 columns, expected 1\. Give one word a line throughout"),
        (b"# en\tes\na\n", r"list\.txt:2: 1 columns, expected 2"),
        (b"a\tb\nc\t\n", r"list\.txt:2:2: column 2 is empty"),
        (b"# en\ten\na\tb\n", r"list\.txt:1: both columns are 'en'\. Give the groups two names"),
        (b"a\nEspa\xf1a\n", r"list\.txt:2:5: byte 0xf1 .* is not utf-8"),
    ],
)
def test_bad_word_lists(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_word_list(path)


def test_missing_word_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"list\.txt: no such file"):
        read_word_list(tmp_path / "list.txt")
