"""A hierarchical tagger of several heads: its configuration, model, tokenizer and pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file, save_file
from torch import Tensor
from toys import assert_same

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.modeling.word_reader import forget_rare
from tagsmith.tokenization.tag_schemes import tag_names

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
