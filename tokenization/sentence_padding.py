"""Encoded sentences padded to arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from transformers import BatchEncoding

from .encodings import Padding, TaggerEncoding, is_padded, padded_length
from .gazetteers import Gazetteer
from .word_lookup import PAD_ID, padded


class SentencePadding:
    """A tokenizer that pads the sentences that it has encoded.

    Attributes:
        gazetteer: whose features words have; None for a tagger without.
    """

    gazetteer: Gazetteer | None

    def pad(
        self,
        encoded_inputs: Any,
        padding: Padding = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad encoded sentences, as transformers' collators ask for it; `labels` by -100.

        Args:
            encoded_inputs: a list of encoded sentences, or one mapping with a list of each part.
            padding: as in a call.
            max_length: as in a call.
            pad_to_multiple_of: as in a call.
            padding_side: "right", the only one.
            return_attention_mask: False leaves the mask out.
            return_tensors: "pt" or "np"; None gives arrays too.
            verbose: taken for transformers' sake.

        Raises:
            ValueError: another side, or sizes that do not fit.
        """
        if padding_side not in (None, "right"):
            raise ValueError(f"padding_side is {padding_side!r}; a tagger reads words padded on the right.")
        features = encoded_inputs
        if isinstance(features, Mapping):
            ids = features["input_ids"]
            if len(ids) and np.ndim(ids[0]) == 0:
                features = [features]
            else:
                features = [{key: value[row] for key, value in encoded_inputs.items()} for row in range(len(ids))]
        if is_padded(padding):
            data: dict[str, Any] = {**self.pad_sentences(features, padding, max_length, pad_to_multiple_of)}
        else:
            data = {key: [feature[key] for feature in features] for key in features[0]}
        others = [key for key in (features[0] if len(features) else ()) if key not in data]
        data |= {key: [feature[key] for feature in features] for key in others}
        if return_attention_mask is False:
            data.pop("attention_mask", None)
        return TaggerEncoding(data, tensor_type=return_tensors)

    def pad_sentences(
        self,
        features: Sequence[Mapping[str, Any]],
        padding: Padding = True,
        max_length: int | None = None,
        multiple: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Right-pad encoded sentences to arrays: the one place that does.

        Args:
            features: the sentences.
            padding: True pads to the longest; "max_length" to `max_length` words.
            max_length: a number of words.
            multiple: pad to a multiple of so many words.

        Returns:
            int64 `input_ids` `(batch, words)`, `attention_mask` `(batch, words)` and, where given, `character_ids`
            `(batch, words, characters)`, `labels` `(batch, words)` padded by -100 and float32 `gazetteer_features`.
        """
        lengths = np.array([len(feature["input_ids"]) for feature in features], dtype=np.int64)
        shape = (len(features), padded_length(int(lengths.max(initial=0)), padding, max_length, multiple))
        mask = np.arange(shape[1]) < lengths[:, None]
        arrays = {"input_ids": np.full(shape, PAD_ID, dtype=np.int64), "attention_mask": mask.astype(np.int64)}
        arrays["input_ids"][mask] = _flat([feature["input_ids"] for feature in features])

        if not features or "character_ids" in features[0]:
            spelled = list(chain.from_iterable(feature["character_ids"] for feature in features))
            rows = padded(_flat(spelled), np.array(list(map(len, spelled)), dtype=np.int64))
            arrays["character_ids"] = np.full((*shape, rows.shape[1]), PAD_ID, dtype=np.int64)
            arrays["character_ids"][mask] = rows
        if features and "labels" in features[0]:
            arrays["labels"] = np.full(shape, -100, dtype=np.int64)
            arrays["labels"][mask] = _flat([feature["labels"] for feature in features])
        if self.gazetteer is not None:
            arrays["gazetteer_features"] = np.zeros((*shape, self.gazetteer.num_features), dtype=np.float32)
            for row, feature in zip(arrays["gazetteer_features"], features, strict=True):
                given = np.reshape(feature["gazetteer_features"], (-1, self.gazetteer.num_features))
                row[: len(given)] = given
        return arrays


def _flat(rows: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64)
