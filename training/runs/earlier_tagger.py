"""Going on from a trained tagger: what it has learnt is handed down to one with more heads, words or languages."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor, nn

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.runs.recipe import Recipe
from tagsmith.training.tagging.load_tagger import load_tagger

# What weights depend on: it stays as it was.
_CHARACTERS = ["character_embedding_size", "character_encoder", "character_hidden_size", "character_num_layers"]
_CHARACTERS += ["character_filters", "character_window", "ngram_sizes", "ngram_embedding_size"]
_SHAPE = {
    "all": [
        *("word_embedding_size", "hidden_size", "num_hidden_layers", "word_encoder", "word_memory", "output"),
        *_CHARACTERS,
    ],
    "characters": _CHARACTERS,
}

# How the earlier tagger reads words and characters: that stays, too.
_READING = ["zero_character_digits", "normalization", "max_word_characters"]
READING = {
    "all": ["splitter", "lowercase", "case_fallback", "zero_digits", *_READING],
    "characters": _READING,
}

# Parts of a tagger that can be kept as they are, by the names of their parameters.
PARTS = {
    "characters": r"encoder\.(characters|ngrams)\..*",
    "words": r"encoder\.readers\.[^.]+\.words\..*",
    "word_encoder": r"encoder\.readers\.[^.]+\.recurrent\..*",
}


class EarlierTagger:
    """A trained tagger to continue from.

    Args:
        place: its folder, or its name on the Hub.
        taken: "all", or "characters" for the embeddings of characters and n-grams and the encoder of characters alone.

    Attributes:
        tokenizer: the tagger's; without words where none are taken.
        heads: the shapes of its heads by name; none for a tagger of one, whose head has no name, or where none are
            taken.

    Raises:
        InputError: no tagger there, or one of another family; there is no such part.
    """

    tokenizer: HierarchicalTaggerTokenizer

    taken = "all"

    def __init__(self, place: str, taken: str = "all") -> None:
        self.place, self.taken = place, taken
        if taken not in _SHAPE:
            raise InputError(f"start_with is {taken!r}", fix=f"Use one of {', '.join(_SHAPE)}.")
        if not place:
            raise InputError("the recipe continues from a trained tagger", fix="Name it with --set start_from=FOLDER.")
        pipeline = load_tagger(place)
        self.model, self.tokenizer = pipeline.model, pipeline.tokenizer
        self.config = self.model.config
        if not isinstance(self.config, HierarchicalTaggerConfig):
            raise InputError(f"start_from is a {self.config.model_type}", path=place)
        self.heads: dict[str | None, HeadShape] = {
            name: self.config.head(name) for name in self.config.head_names if name is not None and taken == "all"
        }
        if taken == "characters":
            reading = {name: getattr(self.tokenizer, name) for name in READING["all"]}
            self.tokenizer = HierarchicalTaggerTokenizer(words=[], characters=self.tokenizer.characters, **reading)

    def shaped(self, recipe: Recipe) -> Recipe:
        """A recipe with the earlier tagger's shape.

        Raises:
            InputError: what is shared differs, so that the weights would not fit.
        """
        wanted, found = recipe.model.get("sharing"), self.config.sharing
        if found is not None and wanted != found and self.taken == "all":
            fix = f"Pass --set model.sharing={found}."
            raise InputError(
                f"start_from shares {found}, and the recipe {wanted or 'nothing'}", path=self.place, fix=fix
            )
        model = {**recipe.model, **{name: getattr(self.config, name) for name in _SHAPE[self.taken]}}
        return dataclasses.replace(recipe, model=model)

    def known_shape(self, name: str | None, shape: HeadShape) -> HeadShape:
        """A head's shape as it is in the earlier tagger, where it is there, or where all is shared.

        Raises:
            InputError: the data have tags that the head does not know, or are in another language than the head.
        """
        if self.taken != "all":
            return shape
        known = self.heads.get(name)
        if known is None and self.config.sharing == "all":
            known = next(iter(self.heads.values()))
        elif name is None:  # a tagger of one head out of another: with other labels it gets another head
            known = self.config.head()
            known = known if set(shape.tags) <= set(known.tags) else None
        if known is None:
            return shape
        if unknown := [tag for tag in shape.tags if tag not in known.tags]:
            message = f"the data of {name!r} have {unknown[0]}, which that head of start_from does not know"
            raise InputError(message, path=self.place, fix="Give the head its own data, or the data another name.")
        if known.language != shape.language:
            message = f"the head {name!r} of start_from is in {known.language!r}, and languages has {shape.language!r}"
            raise InputError(message, path=self.place, fix="Leave it out of languages.")
        return known

    def with_ngrams(self, counted: Tensor, frozen: Collection[str]) -> Tensor:
        """The hashes of the n-grams that have an embedding, with those counted in new data unless they are frozen."""
        known = self.model.encoder.ngrams.hashes.long()
        return known if "characters" in frozen else torch.cat([known, counted]).unique()

    @torch.no_grad()
    def hand_down(
        self,
        model: HierarchicalTaggerForTokenClassification,
        tokenizer: HierarchicalTaggerTokenizer,
        frozen: Collection[str] = (),
    ) -> list[str]:
        """Put the earlier tagger's weights where they belong in a larger one.

        Args:
            model: with the same shape, and at least the heads.
            tokenizer: with at least the words and characters.
            frozen: parts that will not be trained: their new words and characters stay what they were, unknown.

        Returns:
            The modules that the larger tagger has no place for: a head without a name, in one whose heads have names
            or other tags.
        """
        weights = model.state_dict()
        left = set()
        for name, weight in self.model.state_dict().items():
            module = ".".join(name.split(".")[:3])
            if name.endswith(".frozen_vectors"):
                continue  # they go with the words
            if self.taken == "characters" and not re.fullmatch(PARTS["characters"], name):
                continue
            if name not in weights or (name.startswith("heads.") and not self._same_tags(model, name.split(".")[1])):
                left.add(module)
            elif name == "encoder.characters.embedding.weight":
                _move(weight, weights[name], self.tokenizer.characters, tokenizer.characters, "characters" in frozen)
            elif name.startswith("encoder.ngrams."):
                continue  # all together below
            elif re.fullmatch(PARTS["words"], name):
                reader = name.split(".")[2]
                self._hand_down_words(
                    model, tokenizer, reader if reader in tokenizer.vocabularies else None, "words" in frozen
                )
            else:
                weights[name].copy_(weight)
        if model.encoder.ngrams is not None:
            model.encoder.ngrams.take_over(self.model.encoder.ngrams)
        return sorted(left)

    def _hand_down_words(
        self,
        model: HierarchicalTaggerForTokenClassification,
        tokenizer: HierarchicalTaggerTokenizer,
        language: str | None,
        as_unknown: bool,
    ) -> None:
        """A language's words to where they are in a larger vocabulary, whether they are trained there or not."""
        source, target = self.model.encoder.reader(language), model.encoder.reader(language)
        known = self.tokenizer.vocabularies[language]
        vectors = source.look_up(torch.arange(len(known) + 2))
        if as_unknown and target.words is not None:
            target.words.weight[2:] = vectors[1]
        target.set_vectors(torch.tensor([0, 1, *tokenizer.encode(known, language)]), vectors)

    def _same_tags(self, model: HierarchicalTaggerForTokenClassification, key: str) -> bool:
        ours, theirs = self.model.heads[key], model.heads[key]
        return bool((ours.tags, ours.tag_scheme) == (theirs.tags, theirs.tag_scheme))


def earlier_tagger(recipe: Recipe) -> EarlierTagger | None:
    """The tagger that a recipe continues from, if it does.

    Raises:
        InputError: as `EarlierTagger` does; a part is to be taken, and no tagger named that has it; or one is to be
            frozen that neither the tagger nor vectors give.
    """
    if recipe.start_with == "characters":
        new = {"word_encoder"} if recipe.vectors.path or recipe.vectors.paths else {"word_encoder", "words"}
        if left := sorted(new & set(recipe.freeze)):
            found = f"freeze names {left[0]}, of which start_with: characters takes nothing"
            raise InputError(found, fix="Freeze characters alone: other parts would stay random.")
    if recipe.start_from is not None:
        return EarlierTagger(recipe.start_from, recipe.start_with)
    if recipe.start_with != "all":
        found = f"start_with is {recipe.start_with!r}, and there is no start_from"
        raise InputError(found, fix="Name the tagger with --set start_from=FOLDER.")
    return None


def _move(
    source: Tensor, target: Tensor, entries: Sequence[str], new_entries: Iterable[str], as_unknown: bool
) -> None:
    """Rows of an embedding to where their entries are in a larger vocabulary; PAD and UNK stay the first."""
    places = {entry: number for number, entry in enumerate(new_entries, 2)}
    if as_unknown:
        target[2:] = source[1]
    target[[0, 1, *(places[entry] for entry in entries)]] = source


def freeze(model: nn.Module, parts: Iterable[str]) -> None:
    """Keep parts of a tagger from being trained.

    Raises:
        InputError: there is no such part.
    """
    for part in parts:
        if part not in PARTS:
            raise InputError(f"freeze names {part!r}", fix=f"Use some of {', '.join(PARTS)}.")
        for name, parameter in model.named_parameters():
            if re.fullmatch(PARTS[part], name):
                parameter.requires_grad_(False)
