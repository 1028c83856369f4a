"""A hierarchical tagger of several heads: its configuration, model, tokenizer and pipeline."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from toys import assert_same

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.modeling.word_reader import forget_rare
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

SHARINGS = ["characters", "encoder", "all"]
NER = {"tags": tag_names(["LOC", "PER"], "BIOES"), "tag_scheme": "BIOES"}
CHUNKS = {"tags": tag_names(["NP"], "IOB2"), "tag_scheme": "IOB2"}
POS = {"tags": ["NOUN", "VERB", "X"], "tag_scheme": "plain"}
SHAPE: dict[str, Any] = {
    "character_vocab_size": 12,
    "word_embedding_size": 6,
    "character_embedding_size": 4,
    "character_hidden_size": 3,
    "character_num_layers": 1,
    "hidden_size": 4,
    "num_hidden_layers": 1,
}
HEADS: dict[str, dict[str, Any]] = {
    "encoder": {"heads": {"chunks": CHUNKS, "ner": NER, "pos": POS}, "vocab_size": 20, "rare_word_id": 15},
    "all": {"heads": {"news": NER, "web": NER}, "vocab_size": 20, "rare_word_id": 15},
    "characters": {
        "heads": {
            "en-ner": {**NER, "language": "en"},
            "en-pos": {**POS, "language": "en"},
            "es": {**NER, "language": "es"},
        },
        "languages": {"en": {"vocab_size": 20, "rare_word_id": 15}, "es": {"vocab_size": 30, "rare_word_id": None}},
    },
}

Batch = dict[str, Tensor]


def config_of(kind: str, **options: Any) -> HierarchicalTaggerConfig:
    parts = {"sharing": kind, "id2label": {}, "label2id": {}, **HEADS[kind]}
    return HierarchicalTaggerConfig(**{**SHAPE, **parts, **options})


def model_of(sharing: str, **options: Any) -> HierarchicalTaggerForTokenClassification:
    torch.manual_seed(0)
    model = HierarchicalTaggerForTokenClassification(config_of(sharing, **options)).eval()
    with torch.no_grad():  # the CRF begins at zeros, which would not tell one head's from another's
        for parameter in model.heads.parameters():
            parameter.uniform_(-1, 1)
    return model


def batch_of(head: HeadShape, seed: int = 1, gazetteer_size: int = 0) -> Batch:
    chance = torch.Generator().manual_seed(seed)
    mask = torch.arange(5) < torch.tensor([3, 5, 1])[:, None]
    batch = {
        "input_ids": torch.randint(1, 20, (3, 5), generator=chance) * mask,
        "character_ids": torch.randint(1, 12, (3, 5, 4), generator=chance) * mask[..., None],
        "attention_mask": mask.long(),
        "labels": torch.full((3, 5), -100).masked_scatter(mask, torch.zeros(9, dtype=torch.long)),
    }
    assert head.tags[0] in ("O", "NOUN")  # the labels above are legal everywhere
    if gazetteer_size:
        batch["gazetteer_features"] = torch.rand(3, 5, gazetteer_size, generator=chance) * mask[..., None]
    return batch


def without_labels(batch: Batch) -> Batch:
    return {key: value for key, value in batch.items() if key != "labels"}


ALL_HEADS = [(sharing, name) for sharing in SHARINGS for name in HEADS[sharing]["heads"]]


class TestConfiguration:
    @pytest.mark.parametrize("sharing", SHARINGS)
    def test_round_trip(self, sharing: str, tmp_path: Path) -> None:
        config = config_of(sharing)
        config.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerConfig.from_pretrained(tmp_path)
        for name in HierarchicalTaggerConfig.__annotations__:
            assert getattr(loaded, name) == getattr(config, name), name
        assert loaded.id2label == loaded.label2id == {}
        assert [loaded.head(name) for name in loaded.head_names] == [config.head(name) for name in config.head_names]
        assert [*loaded.vocabularies.items()] == [*config.vocabularies.items()]

    def test_the_order_of_heads_is_that_of_the_file(self, tmp_path: Path) -> None:
        languages = {name: {"vocab_size": 9, "rare_word_id": None} for name in ("fr", "en", "de")}
        heads = {f"{name}-ner": {**NER, "language": name} for name in languages}
        config = config_of("characters", heads=heads, languages=languages)
        config.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerConfig.from_pretrained(tmp_path)
        assert loaded.head_names == config.head_names == ["de-ner", "en-ner", "fr-ner"]
        models = [HierarchicalTaggerForTokenClassification(each) for each in (config, loaded)]
        assert list(models[0].state_dict()) == list(models[1].state_dict())  # so does an optimizer's state

    def test_what_a_head_is(self) -> None:
        config = config_of("characters")
        assert config.head_names == ["en-ner", "en-pos", "es"]
        assert config.head("es") == HeadShape(NER["tags"], "BIOES", "es")
        assert config.head("es").to_dict() == HEADS["characters"]["heads"]["es"]
        assert config_of("encoder").head("pos") == HeadShape(POS["tags"], "plain")
        assert HeadShape(POS["tags"], "plain").to_dict() == POS
        assert config.vocabularies == {"en": (20, 15), "es": (30, None)}
        assert config_of("encoder").vocabularies == {None: (20, 15)}

    def test_a_tagger_of_one_head(self) -> None:
        config = HierarchicalTaggerConfig(id2label={0: "O", 1: "B-X", 2: "I-X"}, tag_scheme="IOB2", vocab_size=7)
        assert config.head_names == [None]
        assert config.head() == HeadShape(["O", "B-X", "I-X"], "IOB2")
        assert config.vocabularies == {None: (7, None)}
        with pytest.raises(ValueError, match="one head, without a name, and none 'ner'"):
            config.head("ner")

    def test_a_head_that_is_not_there(self) -> None:
        config = config_of("encoder")
        with pytest.raises(ValueError, match=r"no head 'nerd'\. Choose one of chunks, ner, pos"):
            config.head("nerd")
        with pytest.raises(ValueError, match=r"several heads\. Choose one of chunks, ner, pos"):
            config.head()

    @pytest.mark.parametrize(
        "name", ["type", "train", "items", "keys", "training", "_modules", "forward", "a.b", "", "a b", "a/b", "a\n"]
    )
    @pytest.mark.parametrize("kind", ["head", "language"])
    def test_names_that_no_module_can_have(self, name: str, kind: str) -> None:
        options: dict[str, Any] = {"heads": {name: NER}}
        if kind == "language":
            options = {
                "heads": {"ner": {**NER, "language": name}},
                "languages": {name: {"vocab_size": 9, "rare_word_id": None}},
            }
        with pytest.raises(StrictDataclassError, match="cannot be a module's"):
            config_of("characters" if kind == "language" else "encoder", **options)

    @pytest.mark.parametrize(
        "sharing, options, message",
        [
            ("encoder", {"sharing": "words"}, "'characters', 'encoder', 'all'"),
            ("encoder", {"sharing": None}, "give both, or neither"),
            ("encoder", {"heads": None}, "give both, or neither"),
            ("encoder", {"heads": {}}, "give both, or neither"),
            ("encoder", {"heads": {1: NER}}, "heads"),
            ("encoder", {"languages": HEADS["characters"]["languages"]}, "share their characters alone"),
            ("characters", {"languages": None}, "share their characters alone"),
            ("encoder", {"id2label": {0: "O"}, "label2id": {"O": 0}}, "must be {}"),
            ("encoder", {"id2label": None}, "must be {}"),
            ("encoder", {"heads": {"ner": {"tags": ["O"]}}}, "The head 'ner' has tags;"),
            ("encoder", {"heads": {"ner": {**NER, "language": "en"}}}, "has tags, tag_scheme, language;"),
            ("encoder", {"heads": {"ner": {**NER, "cost": 1}}}, "The head 'ner' has tags, tag_scheme, cost;"),
            ("characters", {"heads": {"ner": NER}}, "The head 'ner' has tags, tag_scheme;"),
            ("characters", {"heads": {"fr": {**NER, "language": "fr"}}}, "is in 'fr', which is not among"),
            ("characters", {"languages": {"en": {"vocab_size": 20, "rare_word_id": 1}}}, "is in 'es'"),
            ("characters", {"languages": {**HEADS["characters"]["languages"], "fr": {"vocab_size": 2}}}, "'fr' has"),
            (
                "characters",
                {"languages": {**HEADS["characters"]["languages"], "fr": {"vocab_size": 0, "rare_word_id": None}}},
                "needs vocab_size, above 0",
            ),
            ("all", {"heads": {"news": NER, "web": CHUNKS}}, "must have the same tags"),
            ("all", {"heads": {"news": NER, "web": {**NER, "tag_scheme": "plain"}}}, "must have the same tags"),
        ],
    )
    def test_nonsense_is_refused(self, sharing: str, options: dict[str, Any], message: str) -> None:
        with pytest.raises(StrictDataclassError, match=rf"(?s){message}"):
            config_of(sharing, **options)


class TestModel:
    @pytest.mark.parametrize(
        "sharing, readers, heads",
        [
            ("characters", {"en", "es"}, {"en-ner", "en-pos", "es"}),
            ("encoder", {"shared"}, {"ner", "chunks", "pos"}),
            ("all", {"shared"}, {"shared"}),
        ],
    )
    def test_what_is_shared(self, sharing: str, readers: set[str], heads: set[str]) -> None:
        model = model_of(sharing)
        assert set(model.encoder.readers) == readers
        assert set(model.heads) == heads
        roots = {name.split(".")[1] for name in model.state_dict() if name.startswith("encoder.")}
        assert roots == {"characters", "readers"}
        for name in model.config.head_names:
            shape, head = model.config.head(name), model.head(name)
            assert head is (model.heads["shared"] if sharing == "all" else model.heads[name])
            assert head.output.out_features == len(shape.tags)
            words = model.encoder.reader(shape.language).words
            assert words.num_embeddings == model.config.vocabularies[shape.language][0]

    @pytest.mark.parametrize("sharing, head", ALL_HEADS)
    def test_a_batch_teaches_what_it_went_through(self, sharing: str, head: str) -> None:
        model = model_of(sharing).train()
        shape = model.config.head(head)
        model(**batch_of(shape), head=head).loss.backward()
        taught = {
            "encoder.characters.",
            f"encoder.readers.{shape.language or 'shared'}.",
            f"heads.{'shared' if sharing == 'all' else head}.",
        }
        for name, parameter in model.named_parameters():
            if any(name.startswith(prefix) for prefix in taught):
                assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
            else:
                assert parameter.grad is None, name

    @pytest.mark.parametrize("options", [{}, {"output": "softmax", "character_encoder": "none", "gazetteer_size": 2}])
    @pytest.mark.parametrize("sharing, head", ALL_HEADS)
    def test_a_head_is_a_tagger_of_one(self, sharing: str, head: str, options: dict[str, Any]) -> None:
        model = model_of(sharing, **options)
        shape = model.config.head(head)
        vocab_size, rare_word_id = model.config.vocabularies[shape.language]
        tags = dict(enumerate(shape.tags))
        config = HierarchicalTaggerConfig(
            **{**SHAPE, **options},
            vocab_size=vocab_size,
            rare_word_id=rare_word_id,
            id2label=tags,
            label2id={tag: index for index, tag in tags.items()},
            tag_scheme=shape.tag_scheme,
        )
        alone = HierarchicalTaggerForTokenClassification(config).eval()
        key = "shared" if sharing == "all" else head
        language = shape.language or "shared"
        renamed = {
            name.replace(f"heads.{key}.", "heads.shared.").replace(f"readers.{language}.", "readers.shared."): value
            for name, value in model.state_dict().items()
        }
        alone.load_state_dict({name: renamed[name] for name in alone.state_dict()})

        batch = batch_of(shape, gazetteer_size=options.get("gazetteer_size", 0))
        expected, found = alone(**batch), model(**batch, head=head)
        for name in ("loss", "logits", "tags", "hidden_states"):
            assert torch.equal(found[name], expected[name]), name
        spans = [tagger.predict_spans(**without_labels(batch), head=name) for tagger, name in
                 ((model, head), (alone, None))]  # fmt: skip
        assert len(spans[0][0]) > 0
        assert all(torch.equal(*pair) for pair in zip(*spans, strict=True))

    @pytest.mark.parametrize("sharing, heads", [
        ("characters", ["en-pos", "en-ner"]), ("encoder", ["pos", "ner", "chunks"]), ("all", ["news", "web"])
    ])  # fmt: skip
    def test_heads_together_and_apart(self, sharing: str, heads: list[str]) -> None:
        model = model_of(sharing)
        batch = without_labels(batch_of(model.config.head(heads[0])))
        together = model.predict_heads(heads, **batch)
        assert list(together) == heads
        for name in heads:
            spans, scores = model.predict_spans(**batch, head=name)
            assert torch.equal(together[name][0], spans) and torch.equal(together[name][1], scores)
            assert spans[:, 3].min() >= 0 and spans[:, 3].max() < len(model.head(name).span_labels)

    def test_heads_of_two_languages_are_predicted_apart(self) -> None:
        model = model_of("characters")
        batch = without_labels(batch_of(model.config.head("es")))
        with pytest.raises(ValueError, match="of several languages"):
            model.predict_heads(["en-ner", "es"], **batch)

    def test_a_head_that_is_not_there(self) -> None:
        model = model_of("encoder")
        batch = batch_of(model.config.head("ner"))
        for name in (None, "nerd"):
            with pytest.raises(ValueError, match="Choose one of chunks, ner, pos"):
                model(**batch, head=name)
            with pytest.raises(ValueError, match="Choose one of chunks, ner, pos"):
                model.predict_spans(**without_labels(batch), head=name)

    @pytest.mark.parametrize("sharing", SHARINGS)
    def test_saved_and_loaded(self, sharing: str, tmp_path: Path) -> None:
        model = model_of(sharing)
        model.save_pretrained(tmp_path)
        loaded, info = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
        assert not any(info.values())
        assert_same(loaded.state_dict(), model.state_dict())
        assert loaded.config.heads == model.config.heads
        for name in model.config.head_names:
            batch = batch_of(model.config.head(name))
            assert torch.equal(loaded(**batch, head=name).logits, model(**batch, head=name).logits)

    # What stands in a checkpoint is told from what is missing by names, and what stays float32 too.
    @pytest.mark.parametrize("name", ["crf", "ner-crf", "encoder", "shared", "heads", "0", "gamma"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_heads_of_any_name_load(self, name: str, dtype: torch.dtype, tmp_path: Path) -> None:
        model = model_of("encoder", heads={name: NER, "other": POS})
        model.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path, dtype=dtype)
        weights = loaded.state_dict()
        for key, value in model.state_dict().items():
            kept = ".crf." in key.removeprefix(f"heads.{name}")
            assert weights[key].dtype == (torch.float32 if kept else dtype), key
            assert torch.equal(weights[key], value.to(weights[key].dtype)), key
        loaded.predict_spans(**without_labels(batch_of(model.config.head(name))), head=name)

    def test_what_a_checkpoint_lacks_is_initialised(self, tmp_path: Path) -> None:
        model = model_of("characters")
        model.save_pretrained(tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        gone = {
            name for name in weights
            if name.startswith(("heads.es.", "encoder.readers.es.")) or name == "heads.en-ner.output.bias"
        }  # fmt: skip
        save_file({name: value for name, value in weights.items() if name not in gone}, tmp_path / "model.safetensors",
                  metadata={"format": "pt"})  # fmt: skip
        junk = [torch.full((400, 7), 1e30) for _ in range(50)]  # memory that is handed out again is not zeros
        del junk
        loaded, info = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
        assert set(info["missing_keys"]) == gone
        found = loaded.state_dict()
        assert_same({name: found[name] for name in weights.keys() - gone},
                    {name: weights[name] for name in weights.keys() - gone})  # fmt: skip
        fresh = HierarchicalTaggerForTokenClassification(model.config).state_dict()
        for name in gone:
            assert found[name].abs().max() < 3, name
            assert bool(found[name].any()) == bool(fresh[name].any()), name
        assert not found["encoder.readers.es.words.weight"][0].any()

    def test_word_embeddings_of_a_language(self) -> None:
        model = model_of("characters")
        with pytest.raises(NotImplementedError, match="its own"):
            model.get_input_embeddings()
        before = model.encoder.reader("en").words.weight.clone()
        vectors = torch.arange(12.0).view(2, 6)
        model.encoder.set_word_vectors(torch.tensor([3, 5]), vectors, "es")
        assert torch.equal(model.encoder.reader("es").words.weight[[3, 5]], vectors)
        assert torch.equal(model.encoder.reader("en").words.weight, before)
        assert model_of("encoder").get_input_embeddings().num_embeddings == 20

    def test_rare_words_are_each_language_s_own(self) -> None:
        model = model_of("characters", rare_word_dropout=0.99).train()
        assert model.encoder.reader("en").rare_id == 15
        ids = torch.full((50,), 16)
        assert (forget_rare(ids, model.encoder.reader("en").rare_id, 0.99) == 1).sum() > 30
        assert torch.equal(forget_rare(ids, model.encoder.reader("es").rare_id, 0.99), ids)


ENGLISH = [["The", "cat", "sat", "in", "1984"], ["the", "cat", "ran"]]
SPANISH = [["El", "gato", "the", "ñu"], ["el", "gato", "2001"]]


def two_languages(**options: Any) -> HierarchicalTaggerTokenizer:
    return HierarchicalTaggerTokenizer.train({"en": ENGLISH, "es": SPANISH}, **options)


class TestTokenizer:
    def test_a_vocabulary_for_each_language(self) -> None:
        tokenizer = two_languages()
        assert tokenizer.languages == ["en", "es"]
        assert tokenizer.vocabularies == {
            "en": ["the", "cat", "sat", "in", "0000", "ran"],
            "es": ["el", "gato", "the", "ñu", "0000"],
        }
        assert tokenizer.rare_word_id == {"en": 4, "es": 4}
        assert tokenizer.vocab_size == 8
        assert {"the", "ñu"} <= {name.partition(":")[2] for name in tokenizer.get_vocab()}
        assert tokenizer.get_vocab()["es:the"] == 4

    def test_ids_are_of_the_language_and_characters_of_all(self) -> None:
        tokenizer = two_languages()
        english, spanish = (tokenizer.encode_words(["the", "ñu"], language) for language in ("en", "es"))
        assert english["input_ids"] == [2, 1]
        assert spanish["input_ids"] == [4, 5]
        assert english["character_ids"] == spanish["character_ids"]
        assert 1 not in english["character_ids"][1]
        assert tokenizer(["the ñu", "cat"], language="en")["input_ids"].tolist() == [[2, 1], [3, 0]]
        assert tokenizer.encode("the", "es") == tokenizer.encode(["the"], "es") == [4]

    @pytest.mark.parametrize("language", [None, "fr"])
    def test_a_language_that_is_not_there(self, language: str | None) -> None:
        tokenizer = two_languages()
        with pytest.raises(ValueError, match="Choose one of en, es"):
            tokenizer.encode_words(["the"], language)
        with pytest.raises(ValueError, match="Choose one of en, es"):
            tokenizer("the", language=language)
        with pytest.raises(ValueError, match="Choose one of en, es"):
            _ = tokenizer.words

    def test_a_language_where_all_have_the_same_words(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(ENGLISH)
        assert tokenizer.languages == []
        with pytest.raises(ValueError, match="leave out language='en'"):
            tokenizer.encode_words(["the"], "en")

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        tokenizer = two_languages(lowercase=False, gazetteer=Gazetteer({"X": ["gato"]}))
        tokenizer.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerTokenizer.from_pretrained(tmp_path)
        assert loaded.vocabularies == tokenizer.vocabularies
        assert loaded.characters == tokenizer.characters
        assert loaded.rare_word_id == tokenizer.rare_word_id
        for language in ("en", "es"):
            encoded = loaded.encode_words(["the", "gato", "El"], language)
            expected = tokenizer.encode_words(["the", "gato", "El"], language)
            assert {**encoded, "gazetteer_features": 0} == {**expected, "gazetteer_features": 0}

    @pytest.mark.parametrize(
        "words, message",
        [
            ({"en": ["a", "a"]}, "the words of en hold 'a' twice"),
            ({"en": "a"}, "the words of en are not a list"),
            ({"en": [""]}, "the words of en are not a list"),
        ],
    )
    def test_a_broken_vocabulary(self, words: Any, message: str, tmp_path: Path) -> None:
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps({"words": words, "characters": ["a"]}), encoding="utf-8")
        with pytest.raises(InputError, match=message):
            HierarchicalTaggerTokenizer(str(path))

    def test_extra_words_of_a_language(self) -> None:
        tokenizer = two_languages(extra_words={"es": ["Lince", "gato"]})
        assert tokenizer.vocabularies["es"][-1] == "lince"
        assert "lince" not in tokenizer.vocabularies["en"]
        assert tokenizer.frozen_word_id == {"es": len(tokenizer.vocabularies["es"]) + 1}
        assert tokenizer.encode(["LINCE"], "es") == [tokenizer.frozen_word_id["es"]]

    def test_a_language_beside_earlier_ones(self) -> None:
        earlier = two_languages()
        tokenizer = HierarchicalTaggerTokenizer.train({"fr": [["le", "chat", "le"]]}, earlier=earlier)
        assert tokenizer.vocabularies == {**earlier.vocabularies, "fr": ["le", "chat"]}
        assert tokenizer.rare_word_id == {"en": 4, "es": 4, "fr": 3}
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)

    def test_languages_after_a_vocabulary_of_all_have_its_characters(self) -> None:
        earlier = HierarchicalTaggerTokenizer.train(ENGLISH)
        tokenizer = HierarchicalTaggerTokenizer.train({"es": SPANISH}, earlier=earlier)
        assert tokenizer.vocabularies == {"es": two_languages().vocabularies["es"]}
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)

    WORDS = st.lists(st.lists(st.text("abcÉß1", min_size=1, max_size=3), min_size=1, max_size=5), max_size=6)

    @given(before=WORDS, after=WORDS, min_count=st.integers(1, 2), extra=st.lists(st.text("abz", min_size=1)))
    @settings(max_examples=40, deadline=None)
    def test_what_was_known_stays_known(
        self, before: list[list[str]], after: list[list[str]], min_count: int, extra: list[str]
    ) -> None:
        earlier = HierarchicalTaggerTokenizer.train(before, extra_words=extra)
        tokenizer = HierarchicalTaggerTokenizer.train(after, earlier=earlier, min_count=min_count)
        assert set(earlier.words) <= set(tokenizer.words)
        assert len(set(tokenizer.words)) == len(tokenizer.words)
        assert set(tokenizer.characters[: len(earlier.characters)]) == set(earlier.characters)
        assert len(set(tokenizer.characters)) == len(tokenizer.characters)
        for character in {character for words in after for word in words for character in word}:
            assert character in tokenizer.characters
        # Rare are what the earlier one took for rare, and of the words new to training those that come once.
        frequent_before, rare_before, extra_before = earlier.split_vocabulary(None)
        counts: dict[str, int] = {}
        for word in itertools.chain.from_iterable(after):
            counts[tokenizer.normalize(word)] = counts.get(tokenizer.normalize(word), 0) + 1
        new = {word: count for word, count in counts.items() if count >= min_count}
        new = {word: count for word, count in new.items() if word not in {*frequent_before, *rare_before}}
        frequent, rare, extra_now = tokenizer.split_vocabulary(None)
        assert set(frequent) == {*frequent_before, *(word for word, count in new.items() if count > 1)}
        assert set(rare) == {*rare_before, *(word for word, count in new.items() if count == 1)}
        assert extra_now == [word for word in extra_before if word not in new]


TEXTS = ["The cat sat in London.\nEl gato ran.", "", "the gato", " \n", "Ñu 1984 cat sat in the El gato ."]


def pipeline_of(sharing: str) -> SpanTaggingPipeline:
    tokenizer: HierarchicalTaggerTokenizer = two_languages()
    options: dict[str, Any] = {"character_vocab_size": tokenizer.character_vocab_size}
    if sharing == "characters":
        sizes = {name: len(words) + 2 for name, words in tokenizer.vocabularies.items()}
        options["languages"] = {name: {"vocab_size": size, "rare_word_id": None} for name, size in sizes.items()}
    else:
        tokenizer = HierarchicalTaggerTokenizer.train(ENGLISH + SPANISH)
        options = {"character_vocab_size": tokenizer.character_vocab_size, "vocab_size": tokenizer.vocab_size}
    return tagsmith.pipeline(model_of(sharing, **options), tokenizer=tokenizer)


@pytest.fixture(scope="module", params=SHARINGS)
def pipeline(request: pytest.FixtureRequest) -> SpanTaggingPipeline:
    return pipeline_of(request.param)


def rounded(result: Any) -> Any:
    """Scores depend on the batch in their last digits."""
    if isinstance(result, dict):
        return {name: rounded(value) for name, value in result.items()}
    return [{**entity, "score": pytest.approx(entity["score"], abs=1e-5)} for entity in result]


class TestPipeline:
    def test_one_head_gives_a_list_and_none_all(self, pipeline: SpanTaggingPipeline) -> None:
        names = pipeline.model.config.head_names
        for text in TEXTS:
            found = pipeline(text)
            assert list(found) == names
            for name in names:
                alone = pipeline(text, head=name)
                assert isinstance(alone, list)
                assert alone == rounded(found[name])
                assert all(text[entity["start"] : entity["end"]] == entity["word"] for entity in alone)
        assert any(pipeline(TEXTS[0])[name] for name in names)

    def test_heads_differ_in_their_labels(self) -> None:
        found = pipeline_of("encoder")(TEXTS[-1])
        labels = {name: {entity["entity_group"] for entity in entities} for name, entities in found.items()}
        assert labels["ner"] <= {"LOC", "PER"} and labels["chunks"] <= {"NP"} and labels["pos"] <= set(POS["tags"])
        assert len(found["pos"]) == len(pipeline_of("encoder").tokenizer.split(TEXTS[-1]))

    def test_a_language_is_read_in_its_own_words(self) -> None:
        pipeline = pipeline_of("characters")
        words = ["the", "gato", "cat"]
        for name in ("en-ner", "es"):
            language = pipeline.model.config.head(name).language
            encoded = pipeline.tokenizer([words], is_split_into_words=True, return_tensors="pt", language=language)
            spans, scores = pipeline.model.predict_spans(**encoded, head=name)
            found = pipeline(words, is_split_into_words=True, head=name)
            assert [entity["score"] for entity in found] == pytest.approx(scores.tolist(), abs=1e-6)
            labels = pipeline.model.head(name).span_labels
            assert [entity["entity_group"] for entity in found] == [labels[label] for label in spans[:, 3].tolist()]

    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_lists_and_generators(self, pipeline: SpanTaggingPipeline, batch_size: int) -> None:
        expected = [rounded(pipeline(text)) for text in TEXTS]
        assert pipeline(TEXTS, batch_size=batch_size) == expected
        stream = pipeline(iter(TEXTS), batch_size=batch_size)
        assert isinstance(stream, Iterator)
        assert list(stream) == expected

    def test_a_stream_without_an_end(self, pipeline: SpanTaggingPipeline) -> None:
        name = pipeline.model.config.head_names[-1]
        for options in ({}, {"head": name}):
            stream = pipeline(itertools.cycle(TEXTS), batch_size=2, **options)
            assert list(itertools.islice(stream, 7)) == [
                rounded(pipeline(text, **options)) for text in itertools.islice(itertools.cycle(TEXTS), 7)
            ]

    def test_the_least_score(self, pipeline: SpanTaggingPipeline) -> None:
        found = pipeline(TEXTS[0])
        scores = sorted(entity["score"] for entities in found.values() for entity in entities)
        least = scores[len(scores) // 2] - 1e-5
        assert pipeline(TEXTS[0], min_score=least) == {
            name: rounded([entity for entity in entities if entity["score"] >= least])
            for name, entities in found.items()
        }
        assert pipeline(TEXTS[0], min_score=1.01) == {name: [] for name in found}

    def test_no_text(self, pipeline: SpanTaggingPipeline) -> None:
        names = pipeline.model.config.head_names
        assert pipeline("") == pipeline(" \n ") == {name: [] for name in names}
        assert pipeline("", head=names[0]) == []
        assert pipeline([]) == []

    def test_a_head_by_default(self) -> None:
        whole = pipeline_of("encoder")
        chosen = tagsmith.pipeline(whole.model, tokenizer=whole.tokenizer, head="ner")
        assert chosen(TEXTS[0]) == rounded(whole(TEXTS[0])["ner"])
        assert chosen(TEXTS[0], head="pos") == rounded(whole(TEXTS[0])["pos"])
        assert chosen(TEXTS[0], head=None) == rounded(whole(TEXTS[0]))

    def test_a_head_that_is_not_there(self, pipeline: SpanTaggingPipeline) -> None:
        names = ", ".join(map(str, pipeline.model.config.head_names))
        with pytest.raises(ValueError, match=f"no head 'nerd'. Choose one of {names}"):
            pipeline(TEXTS[0], head="nerd")
        with pytest.raises(ValueError, match=f"Choose one of {names}"):
            tagsmith.pipeline(pipeline.model, tokenizer=pipeline.tokenizer, head="nerd")

    def test_a_folder(self, pipeline: SpanTaggingPipeline, tmp_path: Path) -> None:
        pipeline.model.save_pretrained(tmp_path)
        pipeline.tokenizer.save_pretrained(tmp_path)
        assert tagsmith.pipeline(str(tmp_path))(TEXTS) == [rounded(pipeline(text)) for text in TEXTS]

    def test_a_tagger_of_one_head_gives_plain_lists(
        self,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
    ) -> None:
        pipeline = tagsmith.pipeline(tiny_model, tokenizer=tiny_tokenizer)
        found = pipeline("In Lund it rains .")
        assert [entity["word"] for entity in found] == ["Lund"]
        assert pipeline("In Lund it rains .", head=None) == found
        assert pipeline(["", "It rains"]) == [[], []]
        with pytest.raises(ValueError, match="one head, without a name, and none 'ner'"):
            pipeline("In Lund it rains .", head="ner")
