"""A tagger as a function over columns, which datasets, Ray Data and Spark send to their processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from tagsmith.training.tagging.runtimes import RuntimeName, usual_runtime
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER


class BatchTagger:
    """Adds the spans of a column of texts: a callable over batches of columns.

    It is pickled without weights: each process loads the tagger from its folder when it is first called.

    Args:
        model: folder of a tagger that every process can read, or its name on the Hub.
        column: of the texts.
        output: the new column, with a list of spans for each text; of several heads, name one by `head=...`.
        runtime: what computes: "torch", "numpy", "onnx"; None chooses as `tagsmith tag` does: numpy, which starts at
            once, for the tagger that comes with tagsmith, ONNX Runtime for an exported one, torch for all others.
        **options: of the pipeline's call, like `head`, `min_score` and `batch_size`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_TAGGER,
        column: str = "text",
        output: str = "spans",
        runtime: RuntimeName | None = None,
        **options: Any,
    ) -> None:
        if runtime not in (None, *get_args(RuntimeName)):
            raise ValueError(f"runtime is {runtime!r}; choose one of {', '.join(get_args(RuntimeName))}, or None.")
        self.model, self.column, self.output, self.options = os.fspath(model), column, output, options
        self.runtime = runtime
        self._tagger: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """All but what is loaded."""
        return {**self.__dict__, "_tagger": None}

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """A batch with the new column.

        Args:
            batch: columns by name, lists or arrays of numpy; the column of the texts is one of them.

        Raises:
            KeyError: there is no such column.
            TypeError: what the column holds is not text.
        """
        if self.column not in batch:
            raise KeyError(f"there is no column {self.column!r}; there are {', '.join(batch)}")
        if self._tagger is None:
            self._tagger = self._load()
        texts = batch[self.column]
        spans = self._tagger([str(text) if isinstance(text, np.str_) else text for text in texts], **self.options)
        if not isinstance(texts, np.ndarray):
            return {**batch, self.output: spans}
        column = np.empty(len(texts), dtype=object)  # lists of different lengths
        column[:] = spans
        return {**batch, self.output: column}

    def _load(self) -> Any:
        runtime = self.runtime or usual_runtime(self.model)
        if runtime == "torch":
            from tagsmith.training.tagging.load_tagger import load_tagger

            return load_tagger(self.model)
        from tagsmith.runtime.loading import load

        return load(self.model, runtime)
