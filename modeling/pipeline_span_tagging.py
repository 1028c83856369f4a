"""The pipeline `span-tagging`: raw text in, labelled spans with exact character offsets and scores out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from transformers import Pipeline

Entity = dict[str, Any]

_BUFFER = 16  # batches of sentences that are sorted by length together
_CELLS = 4_000_000  # character ids that a batch may hold, padding included: a very long word gets a smaller batch


@dataclass
class _Document:
    """A text on its way: how many of its sentences are still to be tagged, and the spans found so far."""

    text: str
    words: list[str] | None = None  # where they were given
    pending: int = 0
    read: bool = False
    entities: list[Entity] = field(default_factory=list)


@dataclass
class _Sentence:
    """Words of a document with their character offsets."""

    document: _Document
    words: list[str]
    starts: list[int]
    ends: list[int]

    @property
    def longest(self) -> int:
        """Characters of the longest word."""
        return max(map(len, self.words))


class SpanTaggingPipeline(Pipeline):
    """Finds the spans of a text.

    Call it with a text, a list of texts, or an iterator or generator of texts (then it gives a generator, and holds
    only some batches at a time). Each text gives a list of `{"entity_group", "score", "word", "start", "end"}` in the
    order of the text, offsets in characters, `text[start:end] == word`; for plain tags, as parts of speech, one for
    each word. Lines of a text are tagged apart. Scores are exact posteriors of the span.

    Args (of the constructor as defaults, or of a call):
        batch_size: sentences that go through the model together (32).
        min_score: leave out spans that score below (0).
        is_split_into_words: each input is a list of words; its text is the words joined by one space.
        max_words: a longer line is tagged in stretches of at most so many words, cut at a sentence's end (500).
    """

    _load_tokenizer = True
    _load_image_processor = False
    _load_feature_extractor = False
    _load_processor = False

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        before, after = ("is_split_into_words", "max_words"), ("min_score",)
        if unknown := parameters.keys() - {*before, *after}:
            raise TypeError(
                f"span-tagging has no parameter {', '.join(sorted(unknown))}; it has "
                f"{', '.join(['batch_size', *before, *after])}."
            )
        if parameters.get("max_words", 1) < 1:
            raise ValueError(f"max_words is {parameters['max_words']}; it must be at least 1.")
        return (
            {name: parameters[name] for name in before if name in parameters},
            {},
            {name: parameters[name] for name in after if name in parameters},
        )

    def __call__(
        self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **kwargs: Any
    ) -> list[Entity] | list[list[Entity]] | Generator[list[Entity], None, None]:
        """Tag a text, a list of texts, or an iterator of texts.

        Raises:
            TypeError: an unknown parameter, or something that is no text (or no list of words).
            ValueError: a batch size or a `max_words` below 1, a lone surrogate, an empty word.
        """
        before, _, after = self._sanitize_parameters(**kwargs)
        before, after = {**self._preprocess_params, **before}, {**self._postprocess_params, **after}
        size = batch_size if batch_size is not None else self._batch_size or 32
        if size < 1:
            raise ValueError(f"batch_size is {size}; it must be at least 1.")
        split = before.pop("is_split_into_words", False)
        words = split and isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], str)
        if isinstance(inputs, str) or words:
            return next(self._stream([inputs], split, size, before, after))
        if not isinstance(inputs, Iterable) or isinstance(inputs, bytes | Mapping):
            raise TypeError(f"span-tagging takes a str, or a list or an iterator of str, not {type(inputs).__name__}.")
        stream = self._stream(inputs, split, size, before, after)
        return stream if isinstance(inputs, Iterator) else list(stream)

    def _stream(
        self, texts: Iterable[Any], split: bool, batch_size: int, before: dict[str, Any], after: dict[str, Any]
    ) -> Generator[list[Entity], None, None]:
        documents: deque[_Document] = deque()
        buffer: list[_Sentence] = []
        for text in texts:
            document = _given_words(text) if split else _given_text(text)
            documents.append(document)
            for sentence in self.preprocess(document, **before):
                document.pending += 1
                buffer.append(sentence)
                if len(buffer) >= batch_size * _BUFFER:
                    self._tag(buffer, batch_size, after)
            document.read = True
            if len(documents) >= batch_size * _BUFFER:  # many without any words, behind one that waits
                self._tag(buffer, batch_size, after)
            yield from self._finished(documents)
        self._tag(buffer, batch_size, after)
        yield from self._finished(documents)

    def _tag(self, buffer: list[_Sentence], batch_size: int, after: dict[str, Any]) -> None:
        """Tag the sentences of the buffer, those of like length together, and empty it."""
        self.model.eval()  # a model given as such may come straight from training
        for batch in _batches(buffer, batch_size):
            outputs = self.forward({"sentences": batch})
            self.postprocess({"sentences": batch, **outputs}, **after)
        buffer.clear()

    @staticmethod
    def _finished(documents: deque[_Document]) -> Iterator[list[Entity]]:
        while documents and documents[0].read and not documents[0].pending:
            document = documents.popleft()
            yield sorted(document.entities, key=lambda entity: entity["start"])

    def preprocess(self, input_: _Document, max_words: int = 500) -> Iterator[_Sentence]:
        """A document to its sentences."""
        if input_.words is None:
            for words in self.tokenizer.sentences(input_.text, max_words):
                yield _Sentence(input_, *map(list, zip(*words, strict=True)))
            return
        start = position = 0
        while start < len(input_.words):
            rest = input_.words[start : start + max_words]
            if start + max_words < len(input_.words):
                rest = rest[: self.tokenizer.cut(rest, max_words)]
            starts = list(accumulate([len(word) + 1 for word in rest], initial=position))
            yield _Sentence(
                input_, rest, starts[:-1], [first + len(word) for first, word in zip(starts[:-1], rest, strict=True)]
            )
            start, position = start + len(rest), starts[-1]

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Sentences to their spans `(spans, 4)` (row, first word, end word, label) and scores `(spans,)`."""
        features = [self.tokenizer.encode_words(sentence.words) for sentence in input_tensors["sentences"]]
        arrays = self.tokenizer.pad_sentences(features)
        batch = {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}
        spans, scores = self.model.predict_spans(**batch)
        return {"spans": spans, "scores": scores}

    def postprocess(self, model_outputs: dict[str, Any], min_score: float = 0.0) -> None:
        """Give each document the spans of its sentences, as characters."""
        spans: Tensor = model_outputs["spans"]
        labels = self.model.span_labels
        sentences: list[_Sentence] = model_outputs["sentences"]
        for (row, first, end, label), score in zip(spans.tolist(), model_outputs["scores"].tolist(), strict=True):
            if score < min_score:
                continue
            sentence = sentences[row]
            start, stop = sentence.starts[first], sentence.ends[end - 1]
            sentence.document.entities.append(
                {
                    "entity_group": labels[label],
                    "score": score,
                    "word": sentence.document.text[start:stop],
                    "start": start,
                    "end": stop,
                }
            )
        for sentence in sentences:
            sentence.document.pending -= 1


def _given_text(text: Any) -> _Document:
    if not isinstance(text, str):
        raise TypeError(
            f"A text is a str, and this one is {type(text).__name__}. For words already split, pass "
            "is_split_into_words=True."
        )
    return _Document(text)


def _given_words(words: Any) -> _Document:
    if isinstance(words, str) or not isinstance(words, Iterable):
        raise TypeError(f"With is_split_into_words each input is a list of words, and this is {type(words).__name__}.")
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"A word is a str, and this one is {type(word).__name__}: {word!r}.")
    return _Document(" ".join(words), words)


def _batches(sentences: list[_Sentence], batch_size: int) -> Iterator[list[_Sentence]]:
    """Sentences sorted by length, in batches of `batch_size`, or fewer where they would be too large in memory."""
    batch: list[_Sentence] = []
    longest = 0
    for sentence in sorted(sentences, key=lambda sentence: len(sentence.words)):
        longest = max(longest, sentence.longest)
        if batch and (len(batch) == batch_size or (len(batch) + 1) * len(sentence.words) * longest > _CELLS):
            yield batch
            batch, longest = [], sentence.longest
        batch.append(sentence)
    if batch:
        yield batch
