"""The pipeline `span-tagging`: raw text in, labelled spans with exact character offsets and scores out.

transformers knows one class for a task. So this one, of the hierarchical family, is also the base of that of the
byte-to-span family, and gives one of those where the model is of that family.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Pipeline

from .int8 import quantize
from .remote_code import Pushed, check_model_files, push_choices, staged_files
from .span_tagging import Sentence, SpanTagging, check_workers
from .word_cache import WordCache


class SpanTaggingPipeline(Pushed, SpanTagging, Pipeline):
    """Finds the spans of a text.

    Call it with a text, a list of texts, or an iterator or generator of texts (then it gives a generator, and holds
    only some batches at a time). A torch `Dataset`, transformers' `KeyDataset` and whatever else has `__len__` and
    `__getitem__`, but cannot be iterated, are read like a generator. Each text gives a list of `{"entity_group",
    "score", "word", "start", "end"}` in the order of the text, offsets in characters, `text[start:end] == word`; for
    plain tags, as parts of speech, one for each word. Lines of a text are tagged apart. Scores are exact posteriors of
    the span. A tagger of several heads gives such a list for each, `{head: [...]}`, unless one is chosen. What is made
    of up to 10,000 words is kept from call to call, until the model's weights change.

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

    def __new__(cls, model: Any = None, *args: Any, **kwargs: Any) -> Self:
        """A pipeline of the model's family."""
        if cls is SpanTaggingPipeline and model is not None and model.config.model_type == "byte-to-span":
            from .pipeline_byte_span_tagging import ByteSpanTaggingPipeline

            return object.__new__(ByteSpanTaggingPipeline)
        return object.__new__(cls)

    def __init__(self, *args: Any, int8: bool = False, **kwargs: Any) -> None:
        check_workers(kwargs.get("num_workers"))
        super().__init__(*args, **kwargs)
        self.int8 = int8
        self.shortened, self.says_shortened = 0, True
        self._words: dict[str | None, WordCache] = {}
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

    def _is_stream(self, inputs: Any) -> bool:
        return isinstance(inputs, Iterator | Dataset)

    def _make_ready(self) -> None:
        if self.model.training:  # it may come straight from there
            self.model.eval()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_words": {}}  # a copy makes its own

    def forward(self, model_inputs: dict[str, Any], **forward_params: Any) -> dict[str, Any]:
        """As of every pipeline; `_forward` puts tensors on the device itself."""
        with self.device_placement(), self.get_inference_context()():
            return self._forward(model_inputs, **forward_params)

    def _word_cache(self, language: str | None) -> WordCache:
        """That of the sentences before, unless another thread has it, or the model has learnt since."""
        kept = self._words.pop(language, None)
        if kept is not None and not kept.outdated:
            return kept
        self.model.eval()
        return WordCache(self.model.encoder, self.tokenizer, language)

    def _keep_words(self, caches: dict[str | None, WordCache]) -> None:
        self._words.update(caches)

    def _forward(self, input_tensors: dict[str, Any], head: str | None = None) -> dict[str, Any]:
        """Sentences to each head's spans `(spans, 4)` (row, first word, end word, label) and scores `(spans,)`."""
        sentences: list[Sentence] = input_tensors["sentences"]
        by_language: defaultdict[str | None, list[str | None]] = defaultdict(list)
        for name in self._names(head):
            by_language[self.model.config.language(name)].append(name)
        found: dict[str | None, tuple[Tensor, Tensor]] = {}
        for language, names in by_language.items():
            cache: WordCache = input_tensors["caches"][language]
            features = [{"input_ids": [cache.rows[word] for word in part.words]} for part in sentences]
            if self.tokenizer.gazetteer is not None:
                for feature, part in zip(features, sentences, strict=True):
                    feature["gazetteer_features"] = self.tokenizer.gazetteer.match(part.words)
            arrays = self.tokenizer.pad_sentences(features)
            if cache.kinds is not None:
                rows = arrays["input_ids"]
                arrays["kinds"] = np.array(cache.kinds.of(rows.ravel().tolist()), dtype=np.int64).reshape(rows.shape)
            batch = {key: torch.from_numpy(value).to(self.device) for key, value in arrays.items()}
            found.update(self.model.predict_heads(names, **batch, table=cache.table))
        return {**input_tensors, "found": found}
