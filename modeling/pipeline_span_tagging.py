"""The pipeline `span-tagging`: raw text in, labelled spans with exact character offsets and scores out.

transformers knows one class for a task. So this one, of the hierarchical family, is also the base of that of the
byte-to-span family, and gives one of those where the model is of that family.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Pipeline

from .int8 import quantize
from .remote_code import Pushed, check_model_files, push_choices, staged_files
from .score_calibration import ScoreCalibration
from .tag_grammar import written_tags
from .word_cache import WordCache

Entity = dict[str, Any]

_WORDS = 30_000  # words of sentences whose distinct words are read together
_FEW = 100  # words of sentences that are tagged without a cache
_CHARACTERS = 4_000_000  # of texts that are held together; of a single one, any number
ROWS = 'For rows of a data set, pass one column: KeyDataset(rows, "text"), or rows["text"].'
_STRATEGIES = ("none", "simple", "first", "average", "max")


@dataclass(kw_only=True)
class Document:
    """A text on its way: how many of its parts are still to be tagged, and whether it is read."""

    pending: int = 0
    read: bool = False
    size: int = 0  # in characters, of what is held until it is tagged


@dataclass
class _Document(Document):
    """A text that is tagged in sentences, by one head or several."""

    text: str
    words: list[str] | None = None  # where they were given
    entities: defaultdict[str | None, list[Entity]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class _Sentence:
    """Words of a document, as they are read, with their character offsets."""

    document: _Document
    words: list[str]
    starts: list[int]
    ends: list[int]
    first: int = 0  # how many words of the document come before

    def span(self, first: int, end: int, label: str, score: float) -> Entity:
        """Words `first` to `end` (exclusive) as a span."""
        start, stop = self.starts[first], self.ends[end - 1]
        word = self.document.text[start:stop]
        return {"entity_group": label, "score": score, "word": word, "start": start, "end": stop}

    def word(self, place: int, tag: str, score: float) -> Entity:
        """One word of a span, with its tag."""
        whole = self.span(place, place + 1, tag, score)
        return {"entity": tag, "score": score, "index": self.first + place, **dict(list(whole.items())[2:])}


class SpanTaggingPipeline(Pushed, Pipeline):
    """Finds the spans of a text.

    Call it with a text, a list of texts, or an iterator or generator of texts (then it gives a generator, and holds
    only some batches at a time). A torch `Dataset`, transformers' `KeyDataset` and whatever else has `__len__` and
    `__getitem__`, but cannot be iterated, are read like a generator. Each text gives a list of `{"entity_group",
    "score", "word", "start", "end"}` in the order of the text, offsets in characters, `text[start:end] == word`; for
    plain tags, as parts of speech, one for each word. Lines of a text are tagged apart. Scores are exact posteriors of
    the span. A tagger of several heads gives such a list for each, `{head: [...]}`, unless one is chosen.

    Args (of the constructor as defaults, or of a call):
        batch_size: sentences that go through the model together (64).
        head: the one to tag by, of a tagger that has several (all of them).
        min_score: leave out spans that score below (the configuration's, which may have one for each label; else 0).
        aggregation_strategy: as of transformers' pipeline for token classification, for which this one stands in.
            Spans are whole, and words have no parts: "simple" (the default), "first", "average" and "max" give the
            same. "none" gives the words of the spans apart, `{"entity", "score", "index", "word", "start", "end"}`:
            the tag in the tagger's scheme, the score of the span, the number of the word in the text, from 0.
        ignore_labels: labels whose spans are left out (none).
        is_split_into_words: each input is a list of words; its text is the words joined by one space.
        max_words: a longer line is tagged in stretches of at most so many words, cut at a sentence's end (500).

    Args (of the constructor alone):
        int8: tag with 8-bit weights on a CPU (`quantize`); the model is changed in place, what is saved of it is not.

    Attributes:
        shortened: how many words so far had more than the tokenizer's `max_word_characters`, of which only the first
            and last characters were read. It is logged after the first texts with any, unless `says_shortened` is
            False.
    """

    _load_tokenizer = True
    _load_image_processor = False
    _load_feature_extractor = False
    _load_processor = False

    # What differs between the families, beside the three steps; the parameters are those of each step.
    _PARAMETERS: tuple[tuple[str, ...], ...] = (
        ("is_split_into_words", "max_words"),
        ("head",),
        ("min_score", "head", "aggregation_strategy", "ignore_labels"),
    )
    _BATCH_SIZE = 64
    _BUFFERED = 16  # batches that are sorted by length together, and whose distinct words are read once
    _TAKES = "a str, or a list or an iterator of str"

    def __new__(cls, model: Any = None, *args: Any, **kwargs: Any) -> Self:
        """A pipeline of the model's family."""
        if cls is SpanTaggingPipeline and model is not None and model.config.model_type == "byte-to-span":
            from .pipeline_byte_span_tagging import ByteSpanTaggingPipeline

            return object.__new__(ByteSpanTaggingPipeline)
        return object.__new__(cls)

    def __init__(self, *args: Any, int8: bool = False, **kwargs: Any) -> None:
        _check_workers(kwargs.get("num_workers"))
        super().__init__(*args, **kwargs)
        self.int8 = int8
        self.shortened, self.says_shortened = 0, True
        if int8:
            quantize(self.model)

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Save model, tokenizer and their code.

        Raises:
            FileExistsError: the names of files in the folder that would be overwritten, and are not a tagger's.
        """
        check_model_files(save_directory)
        self.tokenizer.check_files(save_directory)
        push, hub = push_choices(save_directory, kwargs)
        with staged_files(save_directory) as staged:
            super().save_pretrained(staged, **kwargs)
        if push:
            self.push_to_hub(**hub)

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], ...]:
        known = list(dict.fromkeys(name for names in self._PARAMETERS for name in names))
        if unknown := parameters.keys() - set(known):
            raise TypeError(
                f"span-tagging has no parameter {', '.join(sorted(unknown))}; it has "
                f"{', '.join(['batch_size', *known])}."
            )
        if parameters.get("aggregation_strategy") is None:
            parameters.pop("aggregation_strategy", None)
        else:
            parameters["aggregation_strategy"] = self._strategy(parameters["aggregation_strategy"])
        if isinstance(parameters.get("ignore_labels"), str):
            raise ValueError(f"ignore_labels is {parameters['ignore_labels']!r}; it is a list of labels.")
        if parameters.get("max_words", 1) < 1:
            raise ValueError(f"max_words is {parameters['max_words']}; it must be at least 1.")
        if parameters.get("head") is not None:
            self.model.config.head(parameters["head"])  # raises where there is none
        return tuple({name: parameters[name] for name in names if name in parameters} for names in self._PARAMETERS)

    def _strategy(self, given: Any) -> str:
        """An aggregation strategy by its name, or as a member of transformers' enumeration."""
        name = str(getattr(given, "value", given)).lower()
        if name not in _STRATEGIES:
            raise ValueError(f"aggregation_strategy is {name!r}; it is one of {', '.join(_STRATEGIES)}.")
        return name

    def __call__(
        self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **kwargs: Any
    ) -> list[Entity] | list[list[Entity]] | Generator[list[Entity], None, None]:
        """Tag a text, a list of texts, or an iterator of texts.

        Raises:
            TypeError: an unknown parameter, or something that is no text (or no list of words).
            ValueError: a size below 1 or another parameter out of its range, a head that is not there, what is not
                Unicode, an empty word.
        """
        _check_workers(num_workers)
        defaults = self._preprocess_params, self._forward_params, self._postprocess_params
        steps = [{**of_all, **own} for of_all, own in zip(defaults, self._sanitize_parameters(**kwargs), strict=True)]
        size = batch_size if batch_size is not None else self._batch_size or self._BATCH_SIZE
        if size < 1:
            raise ValueError(f"batch_size is {size}; it must be at least 1.")
        if self._is_one_text(inputs, **steps[0]):
            return next(self._stream([inputs], size, *steps))
        texts, at_once = _texts(inputs)
        if texts is None:
            raise TypeError(f"span-tagging takes {self._TAKES}, not {type(inputs).__name__}.")
        stream = self._stream(texts, size, *steps)
        return list(stream) if at_once else stream

    def _is_one_text(self, inputs: Any, **before: Any) -> bool:
        if before.get("is_split_into_words") and isinstance(inputs, list | tuple) and inputs:
            return isinstance(inputs[0], str)
        return isinstance(inputs, str)

    def _stream(
        self,
        texts: Iterable[Any],
        batch_size: int,
        before: dict[str, Any],
        during: dict[str, Any],
        after: dict[str, Any],
    ) -> Generator[list[Entity], None, None]:
        documents: deque[Any] = deque()
        buffer: list[Any] = []
        caches: dict[str | None, WordCache] = {}  # for these texts alone: the model may learn before it sees others
        tag = partial(self._tag, buffer, batch_size, caches, during, after)
        limit = batch_size * self._BUFFERED
        held = 0
        try:
            for text in texts:
                document, parts = self.preprocess(text, **before)
                documents.append(document)
                for part in parts:
                    document.pending += 1
                    buffer.append(part)
                    if len(buffer) >= limit:
                        tag()
                document.read = True
                held += document.size
                if len(documents) >= limit or held > _CHARACTERS:  # many without any parts, behind one that waits
                    tag()
                    held = 0
                yield from self._finished(documents, after)
        except Exception:  # a text that cannot be read, or the iterator's own: first the texts before it
            tag()
            yield from self._finished(documents, after)
            raise
        tag()
        yield from self._finished(documents, after)
        self._say_shortened()

    def _say_shortened(self) -> None:
        if self.shortened and self.says_shortened:
            self.says_shortened = False
            logging.getLogger(__name__).warning(self.tokenizer.describe_shortened(self.shortened))

    def _finished(self, documents: deque[Any], after: dict[str, Any]) -> Iterator[list[Entity]]:
        while documents and documents[0].read and not documents[0].pending:
            yield self._finish(documents.popleft(), **after)

    def _tag(
        self,
        buffer: list[Any],
        batch_size: int,
        caches: dict[str | None, WordCache],
        during: dict[str, Any],
        after: dict[str, Any],
    ) -> None:
        """Tag what is in the buffer, if anything, and empty it."""
        if not buffer:
            return
        self.model.eval()  # a model given as such may come straight from training
        parts = buffer.copy()
        buffer.clear()  # before the model runs: what it fails at is not tried again
        for batch in self._batches(parts, batch_size, caches, **during):
            self.postprocess(self.forward(batch, **during), **after)

    def _batches(
        self, parts: list[Any], batch_size: int, caches: dict[str | None, WordCache], head: str | None = None, **_: Any
    ) -> Iterator[dict[str, Any]]:
        """Sentences, those of like length together, when their words are in the cache of each language.

        A few by themselves go without: what a cache saves is less than it costs.
        """
        parts.sort(key=lambda part: len(part.words))
        if not caches and len(parts) <= batch_size and sum(len(part.words) for part in parts) <= _FEW:
            yield {"sentences": parts, "caches": caches}
            return
        for group in _groups(parts, batch_size):
            for language in dict.fromkeys(self.model.config.head(name).language for name in self._names(head)):
                if language not in caches:
                    caches[language] = WordCache(self.model.encoder, self.tokenizer, language)
                caches[language].read(word for sentence in group for word in sentence.words)
            for start in range(0, len(group), batch_size):
                yield {"sentences": group[start : start + batch_size], "caches": caches}

    def _finish(self, document: Any, head: str | None = None, **_: Any) -> Any:
        """The spans of a document that is tagged: a list, or one for each head."""
        names = self._names(head)
        spans = {name: sorted(document.entities[name], key=lambda entity: entity["start"]) for name in names}
        return spans.get(head, spans)

    def _names(self, head: str | None) -> list[str | None]:
        """The heads to tag by: the one that is asked for, or all."""
        return self.model.config.head_names if head is None else [head]

    def preprocess(
        self, input_: Any, is_split_into_words: bool = False, max_words: int = 500
    ) -> tuple[_Document, Iterator[_Sentence]]:
        """A text, or its words, as a document, and the sentences of that."""
        document = _given_words(input_) if is_split_into_words else _given_text(input_)
        return document, self._sentences(document, max_words)

    def _sentences(self, document: _Document, max_words: int) -> Iterator[_Sentence]:
        if document.words is None:
            first = 0
            for words in self.tokenizer.sentences(document.text, max_words):
                texts, starts, ends = map(list, zip(*words, strict=True))
                yield _Sentence(document, self._shorten(texts), starts, ends, first)
                first += len(texts)
            return
        start = position = 0
        while start < len(document.words):
            rest = document.words[start : start + max_words]
            if start + max_words < len(document.words):
                rest = rest[: self.tokenizer.cut(rest, max_words)]
            starts = list(accumulate([len(word) + 1 for word in rest], initial=position))
            ends = [first + len(word) for first, word in zip(starts[:-1], rest, strict=True)]
            yield _Sentence(document, self._shorten(rest), starts[:-1], ends, start)
            start, position = start + len(rest), starts[-1]

    def _shorten(self, words: list[str]) -> list[str]:
        read, shortened = self.tokenizer.shorten(words)
        self.shortened += shortened
        return list(read)

    def _forward(self, input_tensors: dict[str, Any], head: str | None = None) -> dict[str, Any]:
        """Sentences to each head's spans `(spans, 4)` (row, first word, end word, label) and scores `(spans,)`."""
        sentences: list[_Sentence] = input_tensors["sentences"]
        by_language: defaultdict[str | None, list[str | None]] = defaultdict(list)
        for name in self._names(head):
            by_language[self.model.config.head(name).language].append(name)
        found: dict[str | None, tuple[Tensor, Tensor]] = {}
        for language, names in by_language.items():
            cache: WordCache | None = input_tensors["caches"].get(language)
            if cache is None:
                features = [self.tokenizer.encode_words(part.words, language) for part in sentences]
            else:
                features = [{"input_ids": [cache.rows[word] for word in part.words]} for part in sentences]
            if self.tokenizer.gazetteer is not None and cache is not None:
                for feature, part in zip(features, sentences, strict=True):
                    feature["gazetteer_features"] = self.tokenizer.gazetteer.match(part.words)
            arrays = self.tokenizer.pad_sentences(features)
            batch = {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}
            found.update(self.model.predict_heads(names, **batch, table=None if cache is None else cache.table))
        return {**input_tensors, "found": found}

    def postprocess(
        self,
        model_outputs: dict[str, Any],
        min_score: float | None = None,
        head: str | None = None,
        aggregation_strategy: str = "simple",
        ignore_labels: Collection[str] | None = None,
    ) -> None:
        """Give each document the spans of its sentences, as characters, or their words."""
        sentences: list[_Sentence] = model_outputs["sentences"]
        for name, (spans, scores) in model_outputs["found"].items():
            labels, scheme = self.model.head(name).span_labels, self.model.config.head(name).tag_scheme
            calibration = ScoreCalibration.of(self.model.config, name)
            for (row, first, end, label), raw in zip(spans.tolist(), scores.tolist(), strict=True):
                score = calibration(raw)
                if not calibration.keeps(labels[label], score, min_score) or labels[label] in (ignore_labels or ()):
                    continue
                sentence = sentences[row]
                found = sentence.document.entities[name]
                if aggregation_strategy == "none":
                    tags = written_tags(end - first, labels[label], scheme)
                    found += [sentence.word(first + place, tag, score) for place, tag in enumerate(tags)]
                else:
                    found.append(sentence.span(first, end, labels[label], score))
        for sentence in sentences:
            sentence.document.pending -= 1


def _texts(inputs: Any) -> tuple[Iterable[Any] | None, bool]:
    """Texts one by one, and whether they are to be tagged at once; None for what is no collection of them."""
    if isinstance(inputs, bytes | Mapping):
        return None, False
    if isinstance(inputs, Iterable):
        return inputs, not isinstance(inputs, Iterator | Dataset)
    if hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__"):
        return (inputs[place] for place in range(len(inputs))), False
    return None, False


def _given_text(text: Any) -> _Document:
    if not isinstance(text, str):
        fix = ROWS if isinstance(text, Mapping) else "For words already split, pass is_split_into_words=True."
        raise TypeError(f"A text is a str, and this one is {type(text).__name__}. {fix}")
    return _Document(text, size=len(text))


def _given_words(words: Any) -> _Document:
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"With is_split_into_words each input is a list of words, and this is {type(words).__name__}.")
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"A word is a str, and this one is {type(word).__name__}: {word!r}.")
    text = " ".join(words)
    return _Document(text, words, size=len(text))


def _groups(sentences: list[_Sentence], batch_size: int) -> Iterator[list[_Sentence]]:
    """Sentences in their order, as many batches at a time as `_WORDS` allows, one at least."""
    group: list[_Sentence] = []
    size = 0
    for start in range(0, len(sentences), batch_size):
        batch = sentences[start : start + batch_size]
        words = sum(len(sentence.words) for sentence in batch)
        if group and size + words > _WORDS:
            yield group
            group, size = [], 0
        group += batch
        size += words
    if group:
        yield group


def _check_workers(number: int | None) -> None:
    """Refuse what would do nothing: reading texts is a small part of tagging."""
    if number:
        raise ValueError(
            f"num_workers is {number}; span-tagging reads texts in its own process. Leave it out, and for several "
            "processes use `tagsmith tag --shards`."
        )
