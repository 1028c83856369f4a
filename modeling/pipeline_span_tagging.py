"""The pipeline `span-tagging`: raw text in, labelled spans with exact character offsets and scores out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

import torch
from torch import Tensor
from transformers import Pipeline

Entity = dict[str, Any]

_BUFFER = 16  # batches of sentences that are sorted by length together


@dataclass
class _Document:
    """A text on its way: how many of its sentences are still to be tagged, and the spans found so far."""

    text: str
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
        known = {"min_score", "is_split_into_words", "max_words"}
        if unknown := parameters.keys() - known:
            raise TypeError(
                f"span-tagging has no parameter {', '.join(sorted(unknown))}; it has batch_size, "
                f"{', '.join(sorted(known))}."
            )
        if parameters.get("max_words", 1) < 1:
            raise ValueError(f"max_words is {parameters['max_words']}; it must be at least 1.")
        before = {name: parameters[name] for name in ("is_split_into_words", "max_words") if name in parameters}
        after = {name: parameters[name] for name in ("min_score",) if name in parameters}
        return before, {}, after

    def __call__(  # type: ignore[override]
        self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **kwargs: Any
    ) -> list[Entity] | list[list[Entity]] | Generator[list[Entity], None, None]:
        """Tag a text, a list of texts, or an iterator of texts."""
        before, _, after = self._sanitize_parameters(**kwargs)
        before, after = {**self._preprocess_params, **before}, {**self._postprocess_params, **after}
        size = batch_size or self._batch_size or 32
        split = before.get("is_split_into_words", False)
        if isinstance(inputs, str) or (split and isinstance(inputs, list) and inputs and isinstance(inputs[0], str)):
            return next(self._stream([inputs], size, before, after))
        if isinstance(inputs, GeneratorType | Iterator):
            return self._stream(inputs, size, before, after)
        return list(self._stream(inputs, size, before, after))

    def _stream(
        self, texts: Iterable[Any], batch_size: int, before: dict[str, Any], after: dict[str, Any]
    ) -> Generator[list[Entity], None, None]:
        documents: deque[_Document] = deque()
        buffer: list[_Sentence] = []
        for text in texts:
            document = _Document(" ".join(text) if before.get("is_split_into_words") else text)
            documents.append(document)
            for sentence in self.preprocess(text, document=document, **before):
                document.pending += 1
                buffer.append(sentence)
                if len(buffer) >= batch_size * _BUFFER:
                    self._tag(buffer, batch_size, after)
            document.read = True
            yield from self._finished(documents)
        self._tag(buffer, batch_size, after)
        yield from self._finished(documents)

    def _tag(self, buffer: list[_Sentence], batch_size: int, after: dict[str, Any]) -> None:
        """Tag the sentences of the buffer, longest together, and empty it."""
        buffer.sort(key=lambda sentence: len(sentence.words))
        for first in range(0, len(buffer), batch_size):
            batch = buffer[first : first + batch_size]
            outputs = self.forward({"sentences": batch})
            self.postprocess({"sentences": batch, **outputs}, **after)
        buffer.clear()

    @staticmethod
    def _finished(documents: deque[_Document]) -> Iterator[list[Entity]]:
        while documents and documents[0].read and not documents[0].pending:
            document = documents.popleft()
            yield sorted(document.entities, key=lambda entity: entity["start"])

    def preprocess(  # type: ignore[override]
        self,
        input_: str | Sequence[str],
        document: _Document | None = None,
        is_split_into_words: bool = False,
        max_words: int = 500,
    ) -> Iterator[_Sentence]:
        """A text to its sentences."""
        if is_split_into_words:
            if isinstance(input_, str):
                raise TypeError("With is_split_into_words each input is a list of words, and this one is a text.")
            yield from self._given_words(list(input_), document or _Document(" ".join(input_)), max_words)
            return
        if not isinstance(input_, str):
            raise TypeError(
                f"A text is a str, and this one is {type(input_).__name__}. For words already split, pass "
                "is_split_into_words=True."
            )
        document = document or _Document(input_)
        for words in self.tokenizer.sentences(input_, max_words):
            yield _Sentence(document, *map(list, zip(*words, strict=True)))

    def _given_words(self, words: list[str], document: _Document, max_words: int) -> Iterator[_Sentence]:
        starts, ends, position = [], [], 0
        for word in words:
            starts.append(position)
            ends.append(position + len(word))
            position += len(word) + 1
        start = 0
        while start < len(words):
            stop = len(words)
            if stop - start > max_words:
                stop = start + self.tokenizer.cut(words[start : start + max_words], max_words)
            yield _Sentence(document, words[start:stop], starts[start:stop], ends[start:stop])
            start = stop

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Sentences to their spans `(spans, 4)` (row, first word, end word, label) and scores `(spans,)`."""
        features = [self.tokenizer.encode_words(sentence.words) for sentence in input_tensors["sentences"]]
        arrays = self.tokenizer.pad_sentences(features)
        batch = {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}
        spans, scores = self.model.predict_spans(**batch)
        return {"spans": spans, "scores": scores}

    def postprocess(self, model_outputs: dict[str, Any], min_score: float = 0.0) -> None:  # type: ignore[override]
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
