"""The pipeline `span-tagging` of the byte-to-span family: text or its bytes in, spans with exact offsets out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .byte_tags import ByteTagDecoder, TagAverage
from .pipeline_span_tagging import SpanTaggingPipeline
from .span_tagging import Document, Entity

Bytes = bytes | bytearray | memoryview


@dataclass
class _Document(Document):
    """A text that is tagged in windows."""

    stream: Any  # the tokenizer's TextStream
    entities: list[Entity] = field(default_factory=list)
    average: TagAverage = field(default_factory=TagAverage)  # of its windows' tags


@dataclass
class _Window:
    """Bytes of a document, uint8 `(bytes,)`, and the offset of the first."""

    document: _Document
    start: int
    data: np.ndarray


class ByteSpanTaggingPipeline(SpanTaggingPipeline):
    """Finds the spans of a text with a byte-to-span model: of any length, in any script, without splitting it.

    Call it with a text, a list of texts, or an iterator or generator of texts (then it gives a generator, and holds
    only some texts and windows at a time); a text is a str, or the bytes of one in UTF-8. Each text gives a list of
    `{"entity_group", "score", "word", "start", "end"}` in the order of the text, offsets in characters,
    `text[start:end] == word`, for bytes those of the text they spell. A score is the product of the probabilities of
    the span's start, length and label.

    Windows of k bytes overlap, those of several texts go through the model together, and each is merged with the one
    before it as soon as it is tagged. A text that cannot be read raises when its turn comes.

    With `decode: tags` in the configuration, what windows say of each byte is averaged, the best tags of the bytes
    write the spans, and a score is the probability of a span's least probable tag.

    Args (of the constructor as defaults, or of a call):
        batch_size: windows that go through the model together (128).
        overlap: of two windows, in bytes (half a window); a span of up to `overlap + 1` bytes lies wholly in one.
        errors: what is done about what is not UTF-8: "strict" raises, "replace" reads U+FFFD.
        recall_bias: taken from STOP's score; above 0 more spans are found, below 0 fewer (the configuration's).
        num_beams: write windows by beam search, following so many ways at a time; slower (1: greedily).
        min_score: leave out spans that score below (the configuration's). It is applied to the merged spans: so a
            higher one gives a part of what a lower one does, and one run with 0 gives every point of the
            precision-recall curve.

    Args (of the constructor alone):
        int8: tag with 8-bit weights on a CPU, as `SpanTaggingPipeline` does.

    Raises:
        ValueError: the tokenizer's windows or labels are not the model's.
    """

    _PARAMETERS = (("overlap", "errors"), ("recall_bias", "num_beams"), ("min_score", "recall_bias"))
    _BATCH_SIZE = 128
    _BUFFERED = 1
    _TAKES = "a str or bytes, or a list or an iterator of them"

    _decoder: ByteTagDecoder | None = None  # of the model's labels, made when it is first wanted

    def __init__(self, model: Any, tokenizer: Any = None, *args: Any, **kwargs: Any) -> None:
        config, layout = model.config, getattr(tokenizer, "layout", None)
        if layout is None:
            found = "no tokenizer" if tokenizer is None else f"a {type(tokenizer).__name__}"
            raise ValueError(f"A byte-to-span model needs its ByteToSpanTokenizer, and this has {found}. Pass it.")
        if (layout.window_size, list(layout.labels)) != (config.window_size, config.span_labels):
            raise ValueError(
                f"The model has windows of {config.window_size} bytes and the labels {config.span_labels}, the "
                f"tokenizer {layout.window_size} bytes and {list(layout.labels)}. Load both from one folder, or pass "
                "a ByteToSpanTokenizer(model.config.window_size, model.config.span_labels)."
            )
        super().__init__(model, tokenizer, *args, **kwargs)

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], ...]:
        steps = super()._sanitize_parameters(**parameters)
        if parameters.get("errors", "strict") not in ("strict", "replace"):
            raise ValueError(f"errors is {parameters['errors']!r}; it is 'strict' or 'replace'.")
        beams = parameters.get("num_beams", 1)
        if isinstance(beams, bool) or not isinstance(beams, int) or beams < 1:
            raise ValueError(f"num_beams is {beams!r}; it is a whole number of at least 1.")
        if beams > 1 and self.model.config.decode == "tags":
            raise ValueError(
                f"num_beams is {beams}, and this tagger finds spans by the tags of bytes, which nothing writes. Leave "
                'it out, or set the configuration\'s decode to "spans".'
            )
        self.tokenizer.stream("", overlap=parameters.get("overlap"))  # refuses one out of its range
        return steps

    def _is_one_text(self, inputs: Any, **before: Any) -> bool:
        return isinstance(inputs, str | Bytes)

    def preprocess(  # type: ignore[override]  # each family has parameters of its own
        self, input_: Any, overlap: int | None = None, errors: str = "strict"
    ) -> tuple[_Document, Iterator[_Window]]:
        """A text as a document, and its windows as they are read."""
        if not isinstance(input_, str | Bytes):
            raise TypeError(f"A text is a str or bytes, and this one is {type(input_).__name__}.")
        stream = self.tokenizer.stream(input_, overlap=overlap, errors=errors)
        document = _Document(stream=stream)
        return document, (_Window(document, start, data) for start, data in stream.windows())

    def _batches(self, parts: list[_Window], batch_size: int, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        """The windows in order: each document's merge needs them so. The buffer holds no more than one batch."""
        if not parts:
            return
        lengths = np.array([len(window.data) for window in parts])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.full(mask.shape, self.model.config.pad_token_id)
        ids[mask] = np.concatenate([window.data for window in parts])
        yield {"windows": parts, "input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

    def _forward(  # type: ignore[override]  # the parameters are those of the family
        self, input_tensors: dict[str, Any], recall_bias: float | None = None, num_beams: int = 1
    ) -> dict[str, Any]:
        """Windows to symbols and their log probabilities, both `(windows, symbols)`; or to those of bytes' tags."""
        ids, mask = input_tensors["input_ids"], input_tensors["attention_mask"]
        if self.model.config.decode == "tags":
            return {"windows": input_tensors["windows"], "tags": self.model.score_tags(ids, mask)}
        symbols, log_chances = self.model.decode_spans(ids, mask, recall_bias, num_beams)
        return {"windows": input_tensors["windows"], "symbols": symbols, "log_chances": log_chances}

    def postprocess(  # type: ignore[override]
        self, model_outputs: dict[str, Any], min_score: float | None = None, recall_bias: float | None = None
    ) -> None:
        """Give each document the spans of its windows that no later window can touch."""
        windows: list[_Window] = model_outputs["windows"]
        if "tags" in model_outputs:
            self._read_tags(windows, model_outputs["tags"].numpy(), min_score, recall_bias)
            return
        symbols: Tensor = model_outputs["symbols"]
        lengths = np.array([len(window.data) for window in windows])
        found = self.tokenizer.codec.decode_batch(symbols.numpy(), lengths)
        log_chances: np.ndarray = model_outputs["log_chances"].numpy()
        columns = found.positions[:, None] + np.arange(3)
        scores = np.exp(log_chances[found.rows[:, None], columns].sum(axis=1))
        arrays = (found.starts, found.ends, found.labels, scores)
        spans = list(zip(*(array.tolist() for array in arrays), strict=True))
        first = 0
        for window, after in zip(windows, np.cumsum(np.bincount(found.rows, minlength=len(windows))), strict=True):
            final = window.document.stream.add(window.start, spans[first:after])
            self._take(window.document, final, min_score)
            window.document.pending -= 1
            first = after

    def _finish(  # type: ignore[override]
        self, document: _Document, min_score: float | None = None, recall_bias: float | None = None, **_: Any
    ) -> list[Entity]:
        """The spans of a document that is tagged."""
        if self.model.config.decode == "tags":
            rest = [(document, *stretch) for stretch in document.average.finish()]
            self._write_spans(rest, min_score, recall_bias)
        else:
            self._take(document, document.stream.finish(), min_score)
        return document.entities

    def _read_tags(
        self, windows: list[_Window], scores: np.ndarray, min_score: float | None, recall_bias: float | None
    ) -> None:
        """Average what windows say, `(windows, bytes, tags)`, and tag the stretches that are whole."""
        stretches = []
        for window, row in zip(windows, scores, strict=True):
            document = window.document
            stretches += [(document, *part) for part in document.average.add(window.start, row[: len(window.data)])]
            document.pending -= 1
            if document.read and not document.pending:  # now, with others, and not each for itself in the end
                stretches += [(document, *part) for part in document.average.finish()]
        self._write_spans(stretches, min_score, recall_bias)

    def _write_spans(
        self,
        stretches: list[tuple[_Document, int, np.ndarray]],
        min_score: float | None,
        recall_bias: float | None,
    ) -> None:
        """Give documents the spans of their next stretches, each with its offset."""
        if self._decoder is None:
            self._decoder = ByteTagDecoder(list(self.tokenizer.labels))
        bias = self.model.config.recall_bias if recall_bias is None else recall_bias
        decoded = self._decoder.decode([scores for _, _, scores in stretches], bias)
        for (document, first, scores), spans in zip(stretches, decoded, strict=True):
            moved = [(first + start, first + end, label, score) for start, end, label, score in spans]
            self._take(document, document.stream.locate(moved, first + len(scores)), min_score)

    def _take(self, document: _Document, spans: Iterable[Any], min_score: float | None) -> None:
        """Keep the merged spans that score well enough."""
        least = self.model.config.min_score if min_score is None else min_score
        labels = self.tokenizer.labels
        document.entities += [
            {
                "entity_group": labels[span.label],
                "score": span.score,
                "word": span.word,
                "start": span.start,
                "end": span.end,
            }
            for span in spans
            if span.score >= least
        ]
