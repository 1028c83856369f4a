"""Floating-point operations of the taggers' matrix products, counted from their shapes; and the machine's own rate.

A product of `(n, m)` and `(m, k)` counts 2nmk. Only forward passes are counted here: a backward pass has each product
twice, once for the inputs and once for the weights. The CRF and whatever goes element by element are left out; so are
the filters of the linear RNN.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import CharacterEncoder, HierarchicalTaggerForTokenClassification

SIDE = 1024  # of the matrices that the machine's rate is measured with


def recurrent_products(stack: nn.Module, steps: int) -> int:
    """Recurrent layers over `steps` packed rows: in each direction every row meets every matrix once."""
    return sum(2 * steps * weight.numel() for name, weight in stack.named_parameters() if name.endswith("_weight"))


def hierarchical_products(
    model: HierarchicalTaggerForTokenClassification, batch: Mapping[str, Any], heads: Sequence[str | None]
) -> int:
    """One forward pass over sentences, which several heads of a language may tag.

    Args:
        model: the tagger.
        batch: what its `forward` takes; `attention_mask` and `character_ids` are read, the latter if they are there.
        heads: by which the sentences are tagged.
    """
    mask = batch["attention_mask"].bool()
    words, encoder = int(mask.sum()), model.encoder
    count = recurrent_products(encoder.reader(model.config.head(heads[0]).language).recurrent, words)
    if encoder.characters is not None and "character_ids" in batch:
        count += spelling_products(encoder.characters, batch["character_ids"][mask])
    return count + sum(2 * words * model.head(name).output.weight.numel() for name in heads)


def spelling_products(characters: CharacterEncoder, ids: Tensor) -> int:
    """The characters of the distinct words, `(words, characters)` ids."""
    distinct = torch.unique(ids, dim=0)
    if characters.recurrent is not None:
        return recurrent_products(characters.recurrent, int((distinct > 0).sum()))
    assert characters.convolution is not None
    return 2 * distinct.numel() * characters.convolution.weight.numel()


def reading_products(model: ByteToSpanForSpanTagging, mask: Tensor) -> int:
    """Windows read: `(windows, bytes)` bool."""
    inner = model.model
    count = recurrent_products(inner.writer if inner.reader is None else inner.reader, int(mask.sum()))
    return count + (0 if inner.bridge is None else 2 * len(mask) * inner.bridge.weight.numel())


def writing_products(model: ByteToSpanForSpanTagging, steps: int, scored: int, width: int) -> int:
    """Symbols written.

    Args:
        model: the tagger.
        steps: of the LSTM that writes, over all windows.
        scored: places at which the next symbol is scored; in training padding is among them.
        width: bytes of the widest window, all of which attention looks at.
    """
    count = recurrent_products(model.model.writer, steps)
    count += 2 * scored * (model.positions.weight.numel() + model.label_scores.weight.numel())
    if model.query is not None:  # the query, its products with the bytes' states, and their weighted sum
        count += 2 * scored * (model.query.weight.numel() + 2 * width * model.model.memory_size)
    return count


def training_products(model: Any, batch: Mapping[str, Any]) -> int:
    """One step of training, forward and backward, of either family."""
    if isinstance(model, HierarchicalTaggerForTokenClassification):
        return 3 * hierarchical_products(model, batch, [batch.get("head")])
    mask, labels = batch["attention_mask"].bool(), batch["labels"]
    written = writing_products(model, int((labels >= 0).sum()), labels.numel(), mask.shape[1])
    return 3 * (reading_products(model, mask) + written)


def symbols_written(symbols: Tensor, stop: int) -> int:
    """Symbols that `decode_spans` computed, `(windows, symbols)`: of each window those up to its first STOP."""
    before = (symbols != stop).long().cumprod(1).sum(1)
    return int((before + 1).clamp(max=symbols.shape[1]).sum())


def decoding_products(model: ByteToSpanForSpanTagging, mask: Tensor, symbols: Tensor) -> int:
    """One call of `decode_spans`: windows `(windows, bytes)` bool, and the symbols that came of them."""
    steps = symbols_written(symbols, model.config.stop_id)
    return reading_products(model, mask) + writing_products(model, steps, steps, mask.shape[1])


class MatrixRate:
    """How fast this machine multiplies: square matrices of 1,024, again and again, between pieces of other work."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.left, self.right = torch.randn(2, SIDE, SIDE).to(dtype)
        self.out = self.left @ self.right
        self.operations, self.seconds = 0, 0.0

    def run(self, seconds: float) -> None:
        """Multiply for so long."""
        started, took = time.perf_counter(), 0.0
        while took < seconds:
            torch.mm(self.left, self.right, out=self.out)
            self.operations += 2 * SIDE**3
            took = time.perf_counter() - started
        self.seconds += took

    @property
    def rate(self) -> float:
        """Operations a second, over all runs."""
        return self.operations / self.seconds
