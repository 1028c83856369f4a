from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.ngram_counts import ngrams_of_words
from tagsmith.training.runs.earlier_tagger import PARTS, EarlierTagger, earlier_tagger, freeze
from tagsmith.training.runs.recipe import Recipe

LOC = HeadShape(tag_names(["LOC"], "BIOES"), "BIOES")
PER_LOC = HeadShape(tag_names(["LOC", "PER"], "BIOES"), "BIOES")
KINDS = HeadShape(["NAME", "WORD"], "plain")
BEFORE = [["a", "b", "a"], ["c", "b", "D1"]]
AFTER = [["e", "a", "e"], ["f", "c", "c"]]
Heads = dict[str | None, HeadShape]


def in_language(shape: HeadShape, language: str) -> HeadShape:
    return shape._replace(language=language)


def make_tokenizer(sentences: Any, **options: Any) -> HierarchicalTaggerTokenizer:
    return HierarchicalTaggerTokenizer.train(sentences, **options)


def make_model(
    tokenizer: HierarchicalTaggerTokenizer, heads: Heads, sharing: str | None = None, **options: Any
) -> HierarchicalTaggerForTokenClassification:
    parts: dict[str, Any] = {"id2label": {}, "label2id": {}}
    if sharing is None:
        tags = dict(enumerate(heads[None].tags))
        parts = {"id2label": tags, "label2id": {tag: number for number, tag in tags.items()}}
        parts["tag_scheme"] = heads[None].tag_scheme
    else:
        parts["heads"] = {name: shape.to_dict() for name, shape in heads.items()}
    if tokenizer.languages:
        sizes = {name: len(words) + 2 for name, words in tokenizer.vocabularies.items()}
        parts["languages"] = {name: {"vocab_size": size, "rare_word_id": None} for name, size in sizes.items()}
    else:
        parts["vocab_size"] = tokenizer.vocab_size
    shape: dict[str, Any] = {
        "word_embedding_size": 6,
        "character_embedding_size": 4,
        "character_hidden_size": 3,
        "character_num_layers": 1,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "character_vocab_size": tokenizer.character_vocab_size,
    }
    model = HierarchicalTaggerForTokenClassification(
        HierarchicalTaggerConfig(**{**shape, **options}, **parts, sharing=sharing)
    )
    with torch.no_grad():  # the CRF begins at zeros
        for parameter in model.heads.parameters():
            parameter.uniform_(-1, 1)
    return model.eval()


def make_earlier(
    folder: Path, heads: Heads, sharing: str | None = None, sentences: Any = BEFORE, **options: Any
) -> EarlierTagger:
    tokenizer = make_tokenizer(sentences)
    make_model(tokenizer, heads, sharing, **options).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return EarlierTagger(str(folder))


def counted(sentences: list[list[str]]) -> Tensor:
    return ngrams_of_words({word for words in sentences for word in words}, [1, 2], 1, 1000)


def with_ngrams(tokenizer: HierarchicalTaggerTokenizer, heads: Heads, known: Any) -> Any:
    """A tagger that knows these n-grams, or those of sentences."""
    known = counted(known) if isinstance(known, list) else known
    model = make_model(tokenizer, heads, "encoder", ngram_sizes=[1, 2], ngram_rows=len(known))
    model.encoder.set_ngrams(known, tokenizer.characters)
    return model


def logits(model: Any, tokenizer: Any, words: list[str], head: str | None) -> Tensor:
    language = model.config.head(head).language
    with torch.no_grad():
        batch = tokenizer([words], is_split_into_words=True, return_tensors="pt", language=language)
        found: Tensor = model(**batch, head=head).logits
    return found


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> EarlierTagger:
    """A tagger of two heads over one encoder. Shared: do not change it."""
    torch.manual_seed(1)
    return make_earlier(tmp_path_factory.mktemp("joint"), {"ner": LOC, "kinds": KINDS}, "encoder")


class TestPlaces:
    def test_what_is_known_of_it(self, joint: EarlierTagger) -> None:
        assert joint.heads == {"ner": LOC, "kinds": KINDS}
        assert joint.tokenizer.words == make_tokenizer(BEFORE).words

    def test_one_head_has_no_name(self, tmp_path: Path) -> None:
        assert make_earlier(tmp_path, {None: LOC}).heads == {}

    @pytest.mark.parametrize("place, message", [("", "from a trained tagger"), ("nowhere", "no such folder")])
    def test_no_tagger_there(self, place: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            EarlierTagger(place)


class TestShape:
    def test_the_earlier_shape_holds(self, joint: EarlierTagger) -> None:
        recipe = Recipe(model={"sharing": "encoder", "hidden_size": 99, "word_encoder": "sru", "hidden_dropout": 0.3})
        model = joint.shaped(recipe).model
        assert (model["hidden_size"], model["word_encoder"], model["character_hidden_size"]) == (4, "gru", 3)
        assert model["hidden_dropout"] == 0.3
        assert recipe.model["hidden_size"] == 99

    @pytest.mark.parametrize("wanted", [None, "characters", "all"])
    def test_what_is_shared_cannot_change(self, joint: EarlierTagger, wanted: str | None) -> None:
        recipe = Recipe(model={"sharing": wanted} if wanted else {})
        with pytest.raises(InputError, match=f"shares encoder, and the recipe {wanted or 'nothing'}") as caught:
            joint.shaped(recipe)
        assert "model.sharing=encoder" in str(caught.value)

    @pytest.mark.parametrize("wanted", [None, "characters", "encoder", "all"])
    def test_a_tagger_of_one_head_can_become_any(self, tmp_path: Path, wanted: str | None) -> None:
        earlier = make_earlier(tmp_path, {None: LOC})
        assert earlier.shaped(Recipe(model={"sharing": wanted})).model["sharing"] == wanted

    def test_a_head_keeps_its_tags(self, joint: EarlierTagger) -> None:
        few = HeadShape(["O", "S-LOC"], "BIOES")
        assert joint.known_shape("ner", few) == LOC
        assert joint.known_shape("web", few) == few
        assert joint.known_shape("kinds", HeadShape(["WORD"], "plain")) == KINDS

    def test_other_labels_for_a_head(self, joint: EarlierTagger) -> None:
        with pytest.raises(InputError, match=r"the data of 'ner' have B-PER.*or the data another name"):
            joint.known_shape("ner", PER_LOC)
        with pytest.raises(InputError, match="NAME"):
            joint.known_shape("ner", KINDS)

    def test_where_all_is_shared_a_new_head_has_the_tags_of_all(self, tmp_path: Path) -> None:
        earlier = make_earlier(tmp_path, {"news": PER_LOC, "web": PER_LOC}, "all")
        assert earlier.known_shape("mail", LOC) == PER_LOC
        with pytest.raises(InputError, match="the data of 'mail' have NAME"):
            earlier.known_shape("mail", KINDS)

    def test_a_head_keeps_its_language(self, tmp_path: Path) -> None:
        heads: Heads = {"ner": in_language(LOC, "en")}
        earlier = make_earlier(tmp_path, heads, "characters", {"en": BEFORE})
        assert earlier.known_shape("ner", in_language(LOC, "en")) == heads["ner"]
        with pytest.raises(InputError, match="the head 'ner' of start_from is in 'en', and languages has 'ner'"):
            earlier.known_shape("ner", in_language(LOC, "ner"))

    def test_one_head_out_of_another(self, tmp_path: Path) -> None:
        earlier = make_earlier(tmp_path, {None: PER_LOC})
        assert earlier.known_shape(None, LOC) == PER_LOC
        assert earlier.known_shape(None, KINDS) == KINDS
        assert earlier.known_shape("ner", LOC) == LOC


class TestHandDown:
    def test_a_head_more_and_words_more(self, joint: EarlierTagger) -> None:
        tokenizer = make_tokenizer(AFTER, earlier=joint.tokenizer)
        model = make_model(tokenizer, {**joint.heads, "names": PER_LOC}, "encoder")
        fresh = {name: value.clone() for name, value in model.state_dict().items()}
        assert joint.hand_down(model, tokenizer) == []
        for name in ("ner", "kinds"):
            for words in (["a", "b", "D1", "c"], ["b"], ["?", "a"]):
                expected = logits(joint.model, joint.tokenizer, words, name)
                torch.testing.assert_close(logits(model, tokenizer, words, name), expected, rtol=0, atol=1e-6)
        for name, value in model.state_dict().items():
            if name.startswith("heads.names."):
                assert torch.equal(value, fresh[name])
        rows = {word: number for number, word in enumerate(tokenizer.words, 2)}
        words = model.encoder.reader().words.weight
        for word in ("e", "f"):
            assert torch.equal(words[rows[word]], fresh["encoder.readers.shared.words.weight"][rows[word]])

    @pytest.mark.parametrize("frozen", [[], ["words"], ["characters"], ["words", "characters"]])
    def test_what_is_new_in_frozen_parts_stays_unknown(self, joint: EarlierTagger, frozen: list[str]) -> None:
        tokenizer = make_tokenizer(AFTER, earlier=joint.tokenizer)
        model = make_model(tokenizer, {**joint.heads, "names": PER_LOC}, "encoder")
        joint.hand_down(model, tokenizer, frozen)
        # "e" and "f" were unknown to the earlier tagger, as words and as characters.
        same = torch.allclose(
            logits(model, tokenizer, ["a", "e", "f"], "ner"),
            logits(joint.model, joint.tokenizer, ["a", "e", "f"], "ner"),
            rtol=0,
            atol=1e-6,
        )
        assert same == (len(frozen) == 2)

    def test_a_language_more(self, tmp_path: Path) -> None:
        heads: Heads = {"en": in_language(LOC, "en"), "es": in_language(KINDS, "es")}
        earlier = make_earlier(tmp_path, heads, "characters", {"en": BEFORE, "es": [["b", "z"]]})
        tokenizer = make_tokenizer({"fr": AFTER, "es": [["z", "y", "y"]]}, earlier=earlier.tokenizer)
        model = make_model(tokenizer, {**heads, "fr": in_language(LOC, "fr")}, "characters")
        assert earlier.hand_down(model, tokenizer) == []
        for name in ("en", "es"):
            for words in (["a", "b", "D1"], ["b", "z"]):
                expected = logits(earlier.model, earlier.tokenizer, words, name)
                torch.testing.assert_close(logits(model, tokenizer, words, name), expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("sharing", ["encoder", "all", None])
    def test_a_head_without_a_name(self, sharing: str | None, tmp_path: Path) -> None:
        earlier = make_earlier(tmp_path, {None: LOC})
        tokenizer = make_tokenizer(AFTER, earlier=earlier.tokenizer)
        name = None if sharing is None else "ner"
        model = make_model(tokenizer, {name: LOC}, sharing)
        left = earlier.hand_down(model, tokenizer)
        assert left == (["heads.shared.crf", "heads.shared.output"] if sharing == "encoder" else [])
        if not left:
            expected = logits(earlier.model, earlier.tokenizer, ["a", "b"], None)
            torch.testing.assert_close(logits(model, tokenizer, ["a", "b"], name), expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("tags", [PER_LOC, LOC._replace(tags=LOC.tags[::-1]), KINDS])
    @pytest.mark.parametrize("sharing", ["all", None])
    def test_other_tags_have_another_head(self, sharing: str | None, tags: HeadShape, tmp_path: Path) -> None:
        earlier = make_earlier(tmp_path, {None: LOC})
        model = make_model(earlier.tokenizer, {None if sharing is None else "ner": tags}, sharing)
        before = model.heads["shared"].output.weight.clone()
        assert earlier.hand_down(model, earlier.tokenizer) == ["heads.shared.crf", "heads.shared.output"]
        assert torch.equal(model.heads["shared"].output.weight, before)

    def test_languages_after_one_vocabulary_have_its_characters(self, tmp_path: Path) -> None:
        earlier = make_earlier(tmp_path, {None: LOC})
        tokenizer = make_tokenizer({"fr": AFTER}, earlier=earlier.tokenizer)
        model = make_model(tokenizer, {"fr": in_language(LOC, "fr")}, "characters")
        left = earlier.hand_down(model, tokenizer)
        assert "encoder.readers.shared" in left and "heads.shared.output" in left
        for name in ("recurrent.layers", "embedding"):
            assert not any(name in module for module in left if "characters" in module)
        spelt = [
            tagger.encoder.characters(torch.tensor(ids.encode_words(["bD1"], language)["character_ids"]))
            for tagger, ids, language in ((model, tokenizer, "fr"), (earlier.model, earlier.tokenizer, None))
        ]
        assert torch.equal(*spelt)

    WORDS = st.lists(st.lists(st.text("abcé", min_size=1, max_size=2), min_size=1, max_size=4), min_size=1, max_size=4)

    @given(before=WORDS, after=WORDS, sentence=st.lists(st.text("abcé?", min_size=1, max_size=2), min_size=1))
    @settings(max_examples=20, deadline=None)
    def test_frozen_it_reads_any_words_as_before(
        self, before: list[list[str]], after: list[list[str]], sentence: list[str]
    ) -> None:
        old = make_tokenizer(before)
        earlier = EarlierTagger.__new__(EarlierTagger)
        earlier.model, earlier.tokenizer = with_ngrams(old, {"ner": LOC}, before), old
        tokenizer = make_tokenizer(after, earlier=old)
        known = earlier.with_ngrams(counted(after), ["characters"])
        model = with_ngrams(tokenizer, {"ner": LOC, "kinds": KINDS}, known)
        earlier.hand_down(model, tokenizer, list(PARTS))
        torch.testing.assert_close(
            logits(model, tokenizer, sentence, "ner"), logits(earlier.model, old, sentence, "ner")
        )


class TestCharactersAlone:
    def earlier(self, folder: Path) -> EarlierTagger:
        make_earlier(folder, {None: PER_LOC})
        return EarlierTagger(str(folder), "characters")

    def test_words_and_heads_are_new(self, tmp_path: Path) -> None:
        earlier = self.earlier(tmp_path)
        tokenizer = make_tokenizer(AFTER, earlier=earlier.tokenizer, lowercase=False)
        assert tokenizer.words == make_tokenizer(AFTER, lowercase=False).words
        assert set(tokenizer.characters) == set("abcD1ef")
        model = make_model(tokenizer, {None: LOC}, hidden_size=7, word_embedding_size=5)
        fresh = {name: value.clone() for name, value in model.state_dict().items()}
        assert earlier.hand_down(model, tokenizer) == []
        for name, value in model.state_dict().items():
            assert torch.equal(value, fresh[name]) != name.startswith("encoder.characters."), name
        spelt = [
            tagger.encoder.characters(torch.tensor(ids.encode_words(["bD1"])["character_ids"]))
            for tagger, ids in ((model, tokenizer), (earlier.model, earlier.tokenizer))
        ]
        assert torch.equal(*spelt)

    def test_the_shape_of_the_rest_is_the_recipe_s(self, tmp_path: Path) -> None:
        earlier = self.earlier(tmp_path)
        model = earlier.shaped(Recipe(model={"sharing": "encoder", "hidden_size": 99})).model
        assert (model["sharing"], model["hidden_size"], model["character_hidden_size"]) == ("encoder", 99, 3)
        assert "word_embedding_size" not in model
        assert earlier.known_shape(None, LOC) == LOC, "not the earlier head, which knows its tags"

    def test_no_such_part(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"start_with is 'words'.*Use one of all, characters"):
            EarlierTagger(str(tmp_path), "words")
        with pytest.raises(
            InputError, match=r"start_with is 'characters', and there is no start_from.*start_from=FOLDER"
        ):
            earlier_tagger(Recipe(start_with="characters"))


class TestNgrams:
    def earlier(self) -> EarlierTagger:
        earlier = EarlierTagger.__new__(EarlierTagger)
        earlier.tokenizer = make_tokenizer(BEFORE)
        earlier.model = with_ngrams(earlier.tokenizer, {"ner": LOC}, BEFORE)
        return earlier

    def test_known_ones_stay_beside_new_ones(self) -> None:
        earlier = self.earlier()
        known = earlier.with_ngrams(counted(AFTER), [])
        assert known.tolist() == sorted({*counted(BEFORE).tolist(), *counted(AFTER).tolist()})
        tokenizer = make_tokenizer(AFTER, earlier=earlier.tokenizer)
        model = with_ngrams(tokenizer, {"ner": LOC}, known)
        assert earlier.hand_down(model, tokenizer) == []
        words = ["a", "b", "D1", "?"]
        expected = logits(earlier.model, earlier.tokenizer, words, "ner")
        torch.testing.assert_close(logits(model, tokenizer, words, "ner"), expected)

    def test_frozen_ones_have_none_beside_them(self) -> None:
        earlier = self.earlier()
        assert earlier.with_ngrams(counted(AFTER), ["characters"]).tolist() == counted(BEFORE).tolist()


class TestFreeze:
    @pytest.mark.parametrize("parts", [[], ["characters"], ["words"], ["word_encoder"], list(PARTS)])
    def test_parts(self, parts: list[str]) -> None:
        tokenizer = make_tokenizer({"en": BEFORE, "es": AFTER})
        heads: Heads = {"en": in_language(LOC, "en"), "es": in_language(LOC, "es")}
        model = make_model(tokenizer, heads, "characters", ngram_sizes=[2], ngram_rows=3)
        freeze(model, parts)
        kinds = {"words": ".words.", "word_encoder": ".recurrent."}
        for name, parameter in model.named_parameters():
            of_characters = name.startswith(("encoder.characters.", "encoder.ngrams."))
            held = of_characters and "characters" in parts
            held = held or any(part in parts and kind in name and not of_characters for part, kind in kinds.items())
            assert parameter.requires_grad == (not held), name

    def test_an_unknown_part(self, joint: EarlierTagger) -> None:
        with pytest.raises(InputError, match=r"freeze names 'heads'.*Use some of characters, words, word_encoder"):
            freeze(joint.model, ["heads"])
