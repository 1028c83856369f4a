"""Texts in, spans out, whatever computes them: how texts are cut, put together in batches, and given their spans.

transformers' pipeline and the runtime without torch are both made of this; each adds what a batch goes through.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any

from .score_calibration import ScoreCalibration
from .tag_rules import written_tags

Entity = dict[str, Any]

_WORDS = 30_000  # words of sentences whose distinct words are read together
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
class WordDocument(Document):
    """A text that is tagged in sentences, by one head or several."""

    text: str
    words: list[str] | None = None  # where they were given
    entities: defaultdict[str | None, list[Entity]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Sentence:
    """Words of a document, as they are read, with their character offsets."""

    document: WordDocument
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


class SpanTagging:
    """Finds the spans of texts, by `_forward` of those who add it.

    Attributes:
        model: what tags; it has a `config` of a tagger, and `head(name)` with its `span_labels`.
        tokenizer: what splits texts into words, or cuts them into windows.
        shortened: how many words so far had more characters than are read.
        says_shortened: whether that is logged after the first texts with any.
    """

    model: Any
    tokenizer: Any
    shortened: int
    says_shortened: bool
    forward: Any  # a batch to the spans of its parts
    _batch_size: int | None
    _preprocess_params: dict[str, Any]
    _forward_params: dict[str, Any]
    _postprocess_params: dict[str, Any]

    # What differs between the families, beside the three steps; the parameters are those of each step.
    _PARAMETERS: tuple[tuple[str, ...], ...] = (
        ("is_split_into_words", "max_words"),
        ("head",),
        ("min_score", "head", "aggregation_strategy", "ignore_labels"),
    )
    _BATCH_SIZE = 64
    _BUFFERED = 16  # batches that are sorted by length together, and whose distinct words are read once
    _TAKES = "a str, or a list or an iterator of str"

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
        check_whole("max_words", parameters.get("max_words", 1))
        check_number("min_score", parameters.get("min_score"))
        if parameters.get("head") is not None:
            self.model.config.head(parameters["head"])  # raises where there is none
        return tuple({name: parameters[name] for name in names if name in parameters} for names in self._PARAMETERS)

    def _strategy(self, given: Any) -> str:
        """An aggregation strategy by its name, or as a member of transformers' enumeration."""
        name = str(getattr(given, "value", given)).lower()
        if name not in _STRATEGIES:
            raise ValueError(f"aggregation_strategy is {name!r}; it is one of {', '.join(_STRATEGIES)}.")
        return name

    def _is_stream(self, inputs: Any) -> bool:
        """Whether texts are to be read one by one, and not at once."""
        return isinstance(inputs, Iterator)

    def __call__(
        self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **kwargs: Any
    ) -> list[Entity] | list[list[Entity]] | Generator[list[Entity], None, None]:
        """Tag a text, a list of texts, or an iterator of texts.

        Raises:
            TypeError: an unknown parameter, or something that is no text (or no list of words).
            ValueError: a size below 1 or another parameter out of its range, a head that is not there, what is not
                Unicode, an empty word.
        """
        check_workers(num_workers)
        defaults = self._preprocess_params, self._forward_params, self._postprocess_params
        steps = [{**of_all, **own} for of_all, own in zip(defaults, self._sanitize_parameters(**kwargs), strict=True)]
        size = batch_size if batch_size is not None else self._batch_size or self._BATCH_SIZE
        check_whole("batch_size", size)
        if self._is_one_text(inputs, **steps[0]):
            return next(self._stream([inputs], size, *steps))
        texts = _texts(inputs)
        if texts is None:
            raise TypeError(f"span-tagging takes {self._TAKES}, not {type(inputs).__name__}.")
        stream = self._stream(texts, size, *steps)
        return stream if self._is_stream(texts) else list(stream)

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
        tag = partial(self._tag, buffer, batch_size, during, after)
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
        during: dict[str, Any],
        after: dict[str, Any],
    ) -> None:
        """Tag what is in the buffer, if anything, and empty it."""
        if not buffer:
            return
        self._make_ready()
        parts = buffer.copy()
        buffer.clear()  # before the model runs: what it fails at is not tried again
        caches: dict[str | None, Any] = {}
        for batch in self._batches(parts, batch_size, caches, **during):
            self.postprocess(self.forward(batch, **during), **after)
        self._keep_words(caches)

    def _make_ready(self) -> None:
        """Have the model be one that tags."""

    def _word_cache(self, language: str | None) -> Any:
        """What is made of the words of a language, with `rows` and `read`; of taggers that know words."""
        raise NotImplementedError

    def _keep_words(self, caches: dict[str | None, Any]) -> None:
        """Have what was made of words at hand for the next sentences."""

    def _batches(
        self, parts: list[Any], batch_size: int, caches: dict[str | None, Any], head: str | None = None, **_: Any
    ) -> Iterator[dict[str, Any]]:
        """Sentences, those of similar length together, when their words are in the cache of each language."""
        parts.sort(key=lambda part: len(part.words))
        for group in _groups(parts, batch_size):
            for language in dict.fromkeys(self.model.config.language(name) for name in self._names(head)):
                if language not in caches:
                    caches[language] = self._word_cache(language)
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
    ) -> tuple[WordDocument, Iterator[Sentence]]:
        """A text, or its words, as a document, and the sentences of that."""
        document = _given_words(input_) if is_split_into_words else _given_text(input_)
        if document.words is not None:
            self.tokenizer.check(document.words)
        return document, self._sentences(document, max_words)

    def _sentences(self, document: WordDocument, max_words: int) -> Iterator[Sentence]:
        if document.words is None:
            first = 0
            for words in self.tokenizer.sentences(document.text, max_words):
                texts, starts, ends = map(list, zip(*words, strict=True))
                yield Sentence(document, self._shorten(texts), starts, ends, first)
                first += len(texts)
            return
        start = position = 0
        while start < len(document.words):
            rest = document.words[start : start + max_words]
            if start + max_words < len(document.words):
                rest = rest[: self.tokenizer.cut(rest, max_words)]
            starts = list(accumulate([len(word) + 1 for word in rest], initial=position))
            ends = [first + len(word) for first, word in zip(starts[:-1], rest, strict=True)]
            yield Sentence(document, self._shorten(rest), starts[:-1], ends, start)
            start, position = start + len(rest), starts[-1]

    def _shorten(self, words: list[str]) -> list[str]:
        read, shortened = self.tokenizer.read(words)
        self.shortened += shortened
        return list(read)

    def postprocess(
        self,
        model_outputs: dict[str, Any],
        min_score: float | None = None,
        head: str | None = None,
        aggregation_strategy: str = "simple",
        ignore_labels: Collection[str] | None = None,
    ) -> None:
        """Give each document the spans of its sentences, as characters, or their words."""
        sentences: list[Sentence] = model_outputs["sentences"]
        for name, (spans, scores) in model_outputs["found"].items():
            labels = self.model.head(name).span_labels
            calibration = ScoreCalibration.of(self.model.config, name)
            for (row, first, end, label), raw in zip(spans.tolist(), scores.tolist(), strict=True):
                score = calibration(raw)
                if not calibration.keeps(labels[label], score, min_score) or labels[label] in (ignore_labels or ()):
                    continue
                sentence = sentences[row]
                found = sentence.document.entities[name]
                if aggregation_strategy == "none":
                    scheme = self.model.config.head(name).tag_scheme
                    tags = written_tags(end - first, labels[label], scheme)
                    found += [sentence.word(first + place, tag, score) for place, tag in enumerate(tags)]
                else:
                    found.append(sentence.span(first, end, labels[label], score))
        for sentence in sentences:
            sentence.document.pending -= 1


def _texts(inputs: Any) -> Iterable[Any] | None:
    """Texts one by one; None for what is no collection of them."""
    if isinstance(inputs, bytes | Mapping):
        return None
    if isinstance(inputs, Iterable):
        return inputs
    if hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__"):
        return (inputs[place] for place in range(len(inputs)))
    return None


def _given_text(text: Any) -> WordDocument:
    if not isinstance(text, str):
        fix = ROWS if isinstance(text, Mapping) else "For words already split, pass is_split_into_words=True."
        raise TypeError(f"A text is a str, and this one is {type(text).__name__}. {fix}")
    return WordDocument(text, size=len(text))


def _given_words(words: Any) -> WordDocument:
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"With is_split_into_words each input is a list of words, and this is {type(words).__name__}.")
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"A word is a str, and this one is {type(word).__name__}: {word!r}.")
    text = " ".join(words)
    return WordDocument(text, words, size=len(text))


def check_whole(name: str, value: Any) -> None:
    """See that a parameter is a whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least 1.")


def check_number(name: str, value: Any) -> None:
    """See that a parameter that is given is a number, and not one that compares with none.

    Raises:
        ValueError: it is not.
    """
    if value is not None and (not hasattr(value, "__float__") or isinstance(value, str) or value != value):
        raise ValueError(f"{name} is {value!r}; it must be a number.")


def _groups(sentences: list[Sentence], batch_size: int) -> Iterator[list[Sentence]]:
    """Sentences in their order, as many batches at a time as `_WORDS` allows, one at least."""
    group: list[Sentence] = []
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


def check_workers(number: int | None) -> None:
    """Refuse what would do nothing: reading texts is a small part of tagging."""
    if number:
        raise ValueError(
            f"num_workers is {number}; span-tagging reads texts in its own process. Leave it out, and for several "
            "processes use `tagsmith tag --shards`."
        )
