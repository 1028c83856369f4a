"""Texts as bytes in, spans out, whatever computes them: windows, their batches, and how their answers are merged.

The pipeline of transformers and the runtime without torch are both made of this, as of `span_tagging.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .score_calibration import ScoreCalibration
from .span_tagging import ROWS, Document, Entity, SpanTagging, check_number, check_whole
from .tag_average import TagAverage

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


class ByteSpanTagging(SpanTagging):
    """Finds the spans of texts that are read in windows of bytes."""

    _PARAMETERS = (
        ("overlap", "merge", "errors"),
        ("recall_bias", "num_beams"),
        ("min_score", "recall_bias", "aggregation_strategy", "ignore_labels"),
    )
    _BATCH_SIZE = 128
    _BUFFERED = 1
    _TAKES = "a str or bytes, or a list or an iterator of them"

    _decoder: Any = None  # of the model's labels, made when it is first wanted

    def _make_decoder(self) -> Any:
        """What makes spans of bytes' tags: it has `decode` of stretches and the recall bias."""
        raise NotImplementedError

    def _sanitize_parameters(self, **parameters: Any) -> tuple[dict[str, Any], ...]:
        steps = super()._sanitize_parameters(**parameters)
        if parameters.get("errors", "strict") not in ("strict", "replace"):
            raise ValueError(f"errors is {parameters['errors']!r}; it is 'strict' or 'replace'.")
        beams = parameters.get("num_beams", 1)
        check_whole("num_beams", beams)
        check_number("recall_bias", parameters.get("recall_bias"))
        if beams > 1 and self.model.config.decode == "tags":
            raise ValueError(
                f"num_beams is {beams}, and this tagger finds spans by the tags of bytes, which nothing writes. Leave "
                'it out, or set the configuration\'s decode to "spans".'
            )
        if "merge" in parameters and self.model.config.decode == "tags":
            raise ValueError(
                f"merge is {parameters['merge']!r}, and this tagger averages the tags of bytes, where nothing is "
                'merged. Leave it out, or set the configuration\'s decode to "spans".'
            )
        self._stream_of("", parameters.get("overlap"), parameters.get("merge"))  # refuses what is out of its range
        return steps

    def _strategy(self, given: Any) -> str:
        name = super()._strategy(given)
        if name == "none":
            raise ValueError(
                "aggregation_strategy is 'none', which gives words or their parts, and a byte-to-span tagger has none:"
                " it finds whole spans. Leave it out, or pass 'simple'."
            )
        return name

    def _stream_of(self, text: Any, overlap: int | None, merge: str | None, errors: str = "strict") -> Any:
        rule = self.model.config.merge if merge is None else merge
        return self.tokenizer.stream(text, overlap=overlap, errors=errors, merge=rule)

    def _is_one_text(self, inputs: Any, **before: Any) -> bool:
        return isinstance(inputs, str | Bytes)

    def preprocess(  # type: ignore[override]  # each family has parameters of its own
        self, input_: Any, overlap: int | None = None, errors: str = "strict", merge: str | None = None
    ) -> tuple[_Document, Iterator[_Window]]:
        """A text as a document, and its windows as they are read."""
        if not isinstance(input_, str | Bytes):
            fix = f" {ROWS}" if isinstance(input_, Mapping) else ""
            raise TypeError(f"A text is a str or bytes, and this one is {type(input_).__name__}.{fix}")
        stream = self._stream_of(input_, overlap, merge, errors)
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
        yield {"windows": parts, "input_ids": ids, "attention_mask": mask}

    def postprocess(  # type: ignore[override]
        self, model_outputs: dict[str, Any], min_score: float | None = None, recall_bias: float | None = None, **_: Any
    ) -> None:
        """Give each document the spans of its windows that no later window can touch."""
        windows: list[_Window] = model_outputs["windows"]
        if "tags" in model_outputs:
            self._read_tags(windows, model_outputs["tags"], min_score, recall_bias)
            return
        lengths = np.array([len(window.data) for window in windows])
        found = self.tokenizer.codec.decode_batch(model_outputs["symbols"], lengths)
        log_chances: np.ndarray = model_outputs["log_chances"]
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
        self,
        document: _Document,
        min_score: float | None = None,
        recall_bias: float | None = None,
        ignore_labels: Collection[str] | None = None,
        **_: Any,
    ) -> list[Entity]:
        """The spans of a document that is tagged."""
        if self.model.config.decode == "tags":
            rest = [(document, *stretch) for stretch in document.average.finish()]
            self._write_spans(rest, min_score, recall_bias)
        else:
            self._take(document, document.stream.finish(), min_score)
        ignored = ignore_labels or ()
        return [entity for entity in document.entities if entity["entity_group"] not in ignored]

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
            self._decoder = self._make_decoder()
        bias = self.model.config.recall_bias if recall_bias is None else recall_bias
        decoded = self._decoder.decode([scores for _, _, scores in stretches], bias)
        for (document, first, scores), spans in zip(stretches, decoded, strict=True):
            moved = [(first + start, first + end, label, score) for start, end, label, score in spans]
            self._take(document, document.stream.locate(moved, first + len(scores)), min_score)

    def _take(self, document: _Document, spans: Iterable[Any], min_score: float | None) -> None:
        """Keep the merged spans that score well enough."""
        config, labels = self.model.config, self.tokenizer.labels
        calibration = ScoreCalibration.of(config)
        document.entities += [
            {
                "entity_group": labels[span.label],
                "score": score,
                "word": span.word,
                "start": span.start,
                "end": span.end,
            }
            for span in spans
            if calibration.keeps(labels[span.label], score := calibration(span.score), min_score, config.min_score)
        ]
