"""A byte-to-span tagger without torch: spans as windows write them, or by the tags of bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np

from ..modeling.byte_span_tagging import ByteSpanTagging
from ..modeling.span_tagging import Entity
from ..modeling.tag_average import SCHEME, ByteSpan, byte_tags
from ..modeling.tag_chain import TagChain
from ..tokenization.byte_windows import Merge
from ..tokenization.input_error import InputError
from ..tokenization.span_codec import SpanCodec, SymbolLayout
from ..tokenization.strict_json import read_json
from ..tokenization.text_stream import TextStream
from .byte_config import BeamRules
from .span_writing import write_spans


class ByteTokens:
    """What cuts a tagger's texts into windows, by its tokenizer_config.json.

    Args:
        folder: of the tagger.

    Raises:
        InputError: a window or labels that there cannot be.
    """

    def __init__(self, folder: str) -> None:
        path = os.path.join(folder, "tokenizer_config.json")
        content = read_json(path)
        try:
            layout = SymbolLayout(content.get("window_size", 60), content.get("labels", ()))
        except (ValueError, TypeError) as error:
            raise InputError(str(error).rstrip("."), path=path) from error
        self.window_size, self.labels, self.vocab_size = layout.window_size, list(layout.labels), layout.vocab_size
        self.codec = SpanCodec(layout)

    def stream(
        self, text: Any, *, overlap: int | None = None, errors: str = "strict", merge: Merge = "middle"
    ) -> TextStream:
        """A text of any length as windows, and what they predict as spans of it."""
        return TextStream(text, self.window_size, overlap, errors, merge)


class ByteTagChain:
    """The best legal tags of stretches, as spans; what `ByteTagDecoder` does.

    Args:
        labels: of spans, in the order of their ids.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.tags = byte_tags(labels)
        count = len(self.tags)
        free = {"start": np.zeros(count), "transitions": np.zeros((count, count))}  # it knows what is legal
        self.chain = TagChain("static", self.tags, SCHEME, free)
        self._ids = [labels.index(label) for label in self.chain.span_labels]

    def decode(self, stretches: Sequence[np.ndarray], recall_bias: float = 0.0) -> list[list[ByteSpan]]:
        """The spans of each stretch, float32 `(bytes, tags)` log probabilities, in order.

        A score is the probability of a span's least probable tag.
        """
        found: list[list[ByteSpan]] = [[] for _ in stretches]
        order = sorted(range(len(stretches)), key=lambda number: -len(stretches[number]))
        if not stretches:
            return found
        lengths = np.array([len(stretches[number]) for number in order])
        scores = np.zeros((lengths[0], len(order), len(self.tags)), dtype=np.float32)
        for column, number in enumerate(order):
            scores[: lengths[column], column] = stretches[number]
        scores -= scores.max(2, keepdims=True)
        scores -= np.log(np.exp(scores).sum(2, keepdims=True))
        biased = scores.copy()
        biased[..., 0] -= np.float32(recall_bias)
        tags = self._best(biased, lengths)
        chances = np.exp(np.take_along_axis(scores, tags[:, :, None], 2)[:, :, 0]).T
        for row, start, end, label in self.chain.read_spans(tags, lengths).tolist():
            score = float(chances[row, start:end].min())
            found[order[row]].append(ByteSpan(start, end, self._ids[label], score))
        return found

    def _best(self, scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The best legal tags `(bytes, stretches)`: each byte's best where these are legal; O at padding."""
        rules, inside = self.chain.rules, np.arange(len(scores))[:, None] < lengths
        tags = np.where(inside, scores.argmax(2), 0)
        legal = rules.transitions[tags[:-1], tags[1:]].all(0)
        legal &= rules.start[tags[0]] & rules.end[tags[-1]]
        if not legal.all():
            rest = ~legal
            tags[:, rest] = self.chain.decode(scores[:, rest].astype(np.float64), lengths[rest])
        return np.where(inside, tags, 0)


class _Model:
    """A network under the names by which `ByteSpanTagging` asks for it."""

    def __init__(self, network: Any) -> None:
        self.network, self.config = network, network.config


class ByteTagger(ByteSpanTagging):
    """Finds the spans of texts in bytes, as `tagsmith.pipeline` does; see `load`.

    Calls of several threads go through it one after another.

    Args:
        network: with a `config`, and `score_tags` as of `ByteTagNetwork`, or `read` and `step` as of
            `ByteSpanNetwork`.
        tokens: what cuts texts into windows.
        rules: by which beams are compared.
    """

    def __init__(self, network: Any, tokens: ByteTokens, rules: BeamRules) -> None:
        self.model, self.tokenizer = _Model(network), tokens
        self.network, self.rules = network, rules
        self.shortened, self.says_shortened = 0, True
        self._batch_size = None
        self._preprocess_params, self._forward_params, self._postprocess_params = {}, {}, {}
        self._lock = Lock()

    def pipe(self, texts: Iterable[Any], **options: Any) -> Iterator[list[Entity]]:
        """Tag texts as they come, some windows at a time.

        Args:
            texts: any number of them, str or bytes.
            **options: what a call takes.
        """
        tagged: Any = self(iter(texts), **options)
        yield from tagged

    def _tag(self, *args: Any, **kwargs: Any) -> None:
        with self._lock:
            super()._tag(*args, **kwargs)

    def _make_decoder(self) -> ByteTagChain:
        return ByteTagChain(self.tokenizer.labels)

    def forward(self, batch: dict[str, Any], recall_bias: float | None = None, num_beams: int = 1) -> dict[str, Any]:
        """Windows to symbols and their log probabilities, both `(windows, symbols)`; or to those of bytes' tags."""
        network, ids, mask = self.network, batch["input_ids"], batch["attention_mask"]
        if network.config.decode == "tags":
            return {"windows": batch["windows"], "tags": network.score_tags(ids, mask)}
        bias = network.config.recall_bias if recall_bias is None else recall_bias
        symbols, log_chances = write_spans(network, ids, mask, bias, num_beams, self.rules)
        return {"windows": batch["windows"], "symbols": symbols, "log_chances": log_chances}
