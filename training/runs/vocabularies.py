"""What corpora call for before a hierarchical tagger can be made: its heads, their tags, its words and characters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from torch import Tensor

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.tag_rules import span_labels
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.composed import check_normalization
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import canonical_scheme, tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.words import SPLITTERS, shorten_words
from tagsmith.training.batches.ngram_counts import ngrams_of_words
from tagsmith.training.batches.preparation import choose_splitter, training_words
from tagsmith.training.data.corpora import said
from tagsmith.training.data.corpus import Corpus, label_names
from tagsmith.training.runs.earlier_tagger import READING, EarlierTagger
from tagsmith.training.runs.pretrained_vectors import PretrainedVectors, read_vectors
from tagsmith.training.runs.recipe import Recipe
from tagsmith.training.runs.teaching import Teaching

Corpora = Mapping[str | None, Corpus]  # by head; under None that of a tagger of one


class Vocabularies(NamedTuple):
    """The tokenizer and the heads that corpora call for, and the recipe with what was left open filled in.

    Attributes:
        vectors: pretrained ones of the tokenizer's words, by language; under None where all have the same words.
    """

    recipe: Recipe
    tokenizer: HierarchicalTaggerTokenizer
    heads: dict[str | None, HeadShape]
    vectors: dict[str | None, PretrainedVectors]
    ngrams: Tensor | None = None  # the hashes of those that have an embedding


def build_vocabularies(
    recipe: Recipe, corpora: Corpora, earlier: EarlierTagger | None = None, teaching: Teaching | None = None
) -> Vocabularies:
    """Find the tags of each head, choose the splitter, and collect words and characters.

    Args:
        recipe: the run's choices.
        corpora: "train" and maybe "dev" of each head.
        earlier: a tagger to continue from: its words, characters and tags stay, its tokenizer's options hold.
        teaching: of a student, which has the teachers' tags, and the words of the raw text too.

    Raises:
        InputError: data that do not fit together, or choices that do not fit them.
    """
    by_language = recipe.model.get("sharing") == "characters"
    heads = {}
    for name, corpus in corpora.items():
        heads[name] = _head(recipe, name, corpus, _language(recipe, name, earlier) if by_language else None)
    if recipe.model.get("sharing") == "all":
        heads = _with_all_tags(heads)
    if earlier is not None:
        heads = {name: earlier.known_shape(name, shape) for name, shape in heads.items()}
    if teaching is not None:
        heads = {name: teaching.known_shape(shape) for name, shape in heads.items()}
    _check_languages(recipe, heads)
    before = earlier.tokenizer if earlier is not None else None
    options = _options(recipe, corpora, heads, earlier)
    words: Any = {}
    spellings: set[str] = set()
    for name, corpus in corpora.items():
        sentences = training_words(corpus["train"], options["splitter"], heads[name].tag_scheme)
        language = heads[name].language
        if teaching is not None:
            sentences = chain(sentences, teaching.more_words(options["splitter"]))
        if recipe.model.get("ngram_sizes"):
            sentences = _noted(sentences, spellings, options["max_word_characters"], recipe.lowercase_share > 0)
        words[language] = chain(words.get(language, ()), sentences)
    tokenizer = HierarchicalTaggerTokenizer.train(
        words if by_language else words[None], gazetteer=_gazetteer(recipe, earlier), earlier=before, **options
    )
    vectors = read_vectors(recipe, tokenizer, earlier)
    scheme = heads[None].tag_scheme if None in heads else recipe.tag_scheme
    tokenizer_options = dataclasses.replace(recipe.tokenizer, **options)
    settled = dataclasses.replace(recipe, tag_scheme=scheme, tokenizer=tokenizer_options)
    spellings = set(map(tokenizer.spelled, spellings))
    return Vocabularies(settled, tokenizer, heads, vectors, _ngrams(recipe, spellings, earlier))


def _noted(sentences: Iterable[list[str]], spellings: set[str], limit: int, lowered: bool) -> Iterator[list[str]]:
    """Sentences as they come, and their words as they are spelt, no more than `limit` characters of each.

    With `lowered`, in lower case too.
    """
    for words in sentences:
        read = shorten_words(words, limit)[0]
        spellings.update(read)
        if lowered:
            spellings.update(map(str.lower, read))
        yield words


def _ngrams(recipe: Recipe, spellings: set[str], earlier: EarlierTagger | None) -> Tensor | None:
    """The n-grams of the training data's words that have an embedding; an earlier tagger's stay."""
    config = HierarchicalTaggerConfig
    sizes = recipe.model.get("ngram_sizes")
    if not sizes:
        return None
    least, most = (recipe.model.get(name, getattr(config, name)) for name in ("ngram_min_count", "ngram_rows"))
    counted = ngrams_of_words(spellings, sizes, least, most)
    return counted if earlier is None else earlier.with_ngrams(counted, recipe.freeze)


def _language(recipe: Recipe, name: str | None, earlier: EarlierTagger | None) -> str:
    """The language of a head: the recipe's choice, or what it is in an earlier tagger, or one of its own name."""
    before = earlier.heads.get(name) if earlier is not None else None
    return recipe.languages.get(str(name)) or (before.language if before is not None else None) or str(name)


def _check_languages(recipe: Recipe, heads: Mapping[str | None, HeadShape]) -> None:
    """Choices by languages go with heads that have them."""
    by_language = recipe.model.get("sharing") == "characters"
    if not by_language and (recipe.languages or recipe.vectors.paths):
        choice = "languages" if recipe.languages else "vectors.paths"
        raise InputError(f"the recipe has {choice}, and its words are not each language's own")
    if by_language and recipe.vectors.path:
        raise InputError(
            "the recipe has vectors.path, and each language has words of its own", fix="Set vectors.paths instead."
        )
    if unknown := set(recipe.languages) - set(map(str, heads)):
        raise InputError(f"the recipe's languages name {min(unknown)!r}, which is no head of this run")
    if unknown := set(recipe.vectors.paths) - {str(shape.language) for shape in heads.values()}:
        raise InputError(f"the recipe's vectors.paths name {min(unknown)!r}, which is no language of this run")


def _head(recipe: Recipe, name: str | None, corpus: Corpus, language: str | None) -> HeadShape:
    """The tags that a corpus calls for."""
    train = corpus["train"]
    if next(iter(train), None) is None:  # of a stream nobody knows how many there are
        raise InputError(f"{said(name)}the training data has no sentences")
    known = set(label_names(train))
    if not known:
        raise InputError(f"{said(name)}the training data has no spans: there is nothing to learn")
    plain = corpus.is_plain()
    scheme = "plain" if plain else canonical_scheme(recipe.tag_scheme)
    if scheme == "plain" and not plain:
        raise InputError(
            f"{said(name)}the recipe's tag_scheme is plain, and the data has spans", fix="Set tag_scheme to BIOES."
        )
    found = set()
    if "dev" in corpus:
        found = set(label_names(corpus["dev"]))
        if corpus.is_plain("dev") != plain:
            raise InputError(
                f"{said(name)}train and dev do not have the same kind of tags: one has spans, the other a plain tag "
                "for each word",
                fix="Name the column of the tags for both with --tag-column.",
            )
        if found and not found & known:
            raise InputError(
                f"{said(name)}train and dev have no label in common: {', '.join(sorted(known)[:5])} in the one, "
                f"{', '.join(sorted(found)[:5])} in the other",
                fix="Give both the same kind of data.",
            )
    # Labels that only dev has can never be found, but they must have a tag to be counted as missed.
    return HeadShape(tag_names(sorted(known | found), scheme), scheme, language)


def _with_all_tags(heads: Mapping[str | None, HeadShape]) -> dict[str | None, HeadShape]:
    """Heads that share all have the tags of all."""
    schemes = {shape.tag_scheme for shape in heads.values()}
    if len(schemes) > 1:
        raise InputError(
            "some heads have spans, some a plain tag for each word, and so cannot share all",
            fix="Pass --set model.sharing=encoder.",
        )
    scheme = schemes.pop()
    labels = {label for shape in heads.values() for label in span_labels(shape.tags, scheme)}
    return {name: shape._replace(tags=tag_names(sorted(labels), scheme)) for name, shape in heads.items()}


def _options(
    recipe: Recipe,
    corpora: Corpora,
    heads: Mapping[str | None, HeadShape],
    earlier: EarlierTagger | None,
) -> dict[str, Any]:
    """How words are made: the recipe's choices, the earlier tagger's where there is one."""
    options = dataclasses.asdict(recipe.tokenizer)
    if earlier is not None:
        options.update({name: getattr(earlier.tokenizer, name) for name in READING[earlier.taken]})
    if options["splitter"] == "auto":
        options["splitter"] = choose_splitter(
            (corpus["train"], heads[name].tag_scheme == "plain") for name, corpus in corpora.items()
        )
    if options["splitter"] not in SPLITTERS:
        raise InputError(
            f"there is no splitter {options['splitter']!r}", fix=f"Use one of auto, {', '.join(SPLITTERS)}."
        )
    try:
        check_normalization(options["normalization"])
    except ValueError as error:
        raise InputError(f"the recipe's tokenizer does not fit: {error}") from error
    if options["lower_capitals"] and options["passage_words"]:
        found = "tokenizer.lower_capitals looks at sentences by themselves, and passage_words joins them"
        raise InputError(found, fix="Leave out one of the two.")
    if options["passage_words"] < 0:
        found = f"tokenizer.passage_words is {options['passage_words']}"
        raise InputError(found, fix="Give a number of words; 0 reads each sentence by itself.")
    if options["max_word_characters"] < 2:
        found = f"tokenizer.max_word_characters is {options['max_word_characters']}"
        raise InputError(found, fix="Give 2 or more; 128 is the default.")
    return options


def _gazetteer(recipe: Recipe, earlier: EarlierTagger | None) -> Gazetteer | None:
    lists = recipe.gazetteers
    if earlier is not None and earlier.taken == "all":
        if lists.files and earlier.tokenizer.gazetteer is None:
            raise InputError("the recipe has gazetteers, and start_from has none", fix="Leave them out.")
        return earlier.tokenizer.gazetteer
    if not lists.files:
        return None
    return Gazetteer(
        dict(lists.files),
        encoding=lists.encoding,
        case_sensitive=lists.case_sensitive,
        normalization=recipe.tokenizer.normalization,
    )
