"""What of a byte-to-span tagger tags bytes, as `torch.export` and `torch.compile(fullgraph=True)` take it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from .configuration_byte_to_span import GO_ID, PAD_ID
from .input_order import turned
from .patch_layer import at_bytes, at_edges, patches_of
from .twin_layers import check_inputs, mask_of, read_stack, sum_of_rows


class ByteTwin(nn.Module):
    """From bytes to the log probabilities of their tags, for inference. The weights are the tagger's own.

    Args:
        model: a `ByteToSpanForSpanTagging` that has a layer of tags.

    Attributes:
        names: of its inputs, as in the graph of ONNX (`onnx_bytes.py`).

    Raises:
        ValueError: the model has no such layer.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        if model.tag_scores is None:
            raise ValueError(
                "This tagger has no layer of tags (tag_loss is 0), and writes spans symbol by symbol, which no twin "
                "does. Call model.export_onnx(folder), whose graphs do."
            )
        self.config, reader = model.config, model.model
        self.embedding = reader.embedding
        self.reader = reader.writer if reader.reader is None else reader.reader
        self.ngrams = None if reader.ngrams is None else reader.ngrams.embedding
        self.tag_scores = model.tag_scores
        self.patches = None if reader.patches is None else reader.patches.stack
        self._rows = None if reader.ngrams is None else reader.ngrams.byte_rows
        of_ngrams = () if self.ngrams is None else ("ngrams",)
        of_patches = () if self.patches is None else ("patches", "edges", "patch_counts")
        self.names = ("bytes", "lengths", *of_ngrams, *of_patches)

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tags of windows.

        Args:
            inputs: by `names`.

                - `bytes`: ids `(windows, bytes)`, at most `window_size` of them
                - `lengths`: of windows, `(windows,)`; what stands behind the end of one changes nothing
                - `ngrams`: `(windows, bytes, n)`, rows of their table, 0 for none
                - `patches`: `(windows, bytes)`, the patch of each byte
                - `edges`: `(windows, patches, 2)`, the first and the last byte of each patch
                - `patch_counts`: of windows, `(windows,)`

        Returns:
            `tags`, log probabilities `(windows, bytes, tags)`, in float32 at least; at padding they mean nothing.

        Raises:
            ValueError: other inputs than those of `names`.
        """
        check_inputs(inputs, self.names)
        mask = mask_of(inputs["lengths"], inputs["bytes"].shape[1])
        x = self.embedding(inputs["bytes"])
        if self.ngrams is not None:
            x = x + sum_of_rows(self.ngrams, inputs["ngrams"])
        backwards = self.config.input_order == "reversed"
        states = read_stack(self.reader, turned(x, mask) if backwards else x, mask)
        states = turned(states, mask) if backwards else states
        if self.patches is not None:
            edges = inputs["edges"]
            above = read_stack(self.patches, at_edges(states, edges), mask_of(inputs["patch_counts"], edges.shape[1]))
            states = torch.cat([states, at_bytes(above, inputs["patches"])], -1)
        scores = self.tag_scores(states)
        scores = scores.detach().to(torch.promote_types(scores.dtype, torch.float32))
        return {"tags": scores.log_softmax(-1)}

    @torch.no_grad()
    def inputs(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        """The inputs for windows as `score_tags` takes them, which the tokenizer gives.

        Args:
            input_ids: `(windows, bytes)`, padded by PAD at the right.
            attention_mask: `(windows, bytes)`, 1 for bytes.
        """
        mask = input_ids.ne(PAD_ID) if attention_mask is None else attention_mask.bool()
        found = {"bytes": input_ids, "lengths": mask.sum(1)}
        if self._rows is not None:
            found["ngrams"] = self._rows(input_ids.masked_fill(~mask | (input_ids >= GO_ID), -1))
        if self.patches is not None:
            found.update(zip(self.names[-3:], patches_of(input_ids.masked_fill(~mask, -1)), strict=True))
        return found

    def example(self) -> dict[str, Tensor]:
        """Inputs to trace it with, small ones."""
        ids = torch.tensor([[65, 46, 65]] * 2, device=self.embedding.weight.device)
        return self.inputs(ids)

    def dynamic_shapes(self) -> tuple[dict[str, dict[int, Any]]]:
        """The axes that may have any size, for `torch.export.export`."""
        windows, length = Dim("windows"), Dim("bytes", max=self.config.window_size)
        axes: dict[str, dict[int, Any]] = {name: {0: windows, 1: length} for name in self.names}
        axes["edges"] = {0: windows, 1: Dim("patches", max=self.config.window_size)}
        axes["lengths"] = axes["patch_counts"] = {0: windows}
        return ({name: axes[name] for name in self.names},)
