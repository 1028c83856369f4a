"""Floating-point operations of the taggers' matrix products, counted from their shapes; and the machine's own rate.

A product of `(n, m)` and `(m, k)` counts 2nmk. Only forward passes are counted here: a backward pass has each product
twice, once for the inputs and once for the weights. The CRF and whatever goes element by element are left out; so are
the filters of the linear RNN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.word_reader import CharacterEncoder
from tagsmith.training.machine.process_tuning import float32_products

SIDE = 1024  # of the matrices that the machine's rate is measured with


def recurrent_products(stack: nn.Module, steps: int, projected: int | None = None) -> int:
    """Recurrent layers over `steps` packed rows: in each direction every row meets every matrix once.

    Args:
        stack: the layers.
        steps: rows.
        projected: how many distinct inputs there are, where the first layer's product is of these alone.
    """
    weights = {name: weight.numel() for name, weight in stack.named_parameters() if name.endswith("_weight")}
    first = weights.pop("layers.0.input_weight")
    return 2 * steps * sum(weights.values()) + 2 * (steps if projected is None else projected) * first


def embedded_products(stack: nn.Module, embedding: nn.Embedding, dropout: nn.Dropout, steps: int) -> int:
    """The same of `read`: ids and their embeddings."""
    dropped = dropout.training and dropout.p > 0
    return recurrent_products(stack, steps, None if dropped else min(steps, len(embedding.weight)))


def hierarchical_products(
    model: HierarchicalTaggerForTokenClassification, batch: Mapping[str, Any], heads: Sequence[str | None]
) -> int:
    """One forward pass over sentences, which several heads of a language may tag.

    Args:
        model: the tagger.
        batch: what its `forward` takes, or `predict_heads` with a table, whose making is not counted.
        heads: by which the sentences are tagged.
    """
    mask = batch["attention_mask"].bool()
    words, encoder = int(mask.sum()), model.encoder
    language, projected = model.config.head(heads[0]).language, 0 if "table" in batch else None
    count = recurrent_products(encoder.reader(language).recurrent, words, projected)
    if encoder.characters is not None and "character_ids" in batch:
        count += spelling_products(encoder.characters, batch["character_ids"][mask])
    return count + sum(2 * words * model.head(name).output.weight.numel() for name in heads)


def table_products(model: HierarchicalTaggerForTokenClassification, words: int, language: str | None) -> int:
    """`word_table` of so many words."""
    return recurrent_products(model.encoder.reader(language).recurrent, 0, words)


def spelling_products(characters: CharacterEncoder, ids: Tensor) -> int:
    """The characters of the distinct words, `(words, characters)` ids."""
    distinct = torch.unique(ids, dim=0)
    if characters.recurrent is not None:
        steps = int((distinct > 0).sum())
        return embedded_products(characters.recurrent, characters.embedding, characters.dropout, steps)
    assert characters.convolution is not None
    return 2 * distinct.numel() * characters.convolution.weight.numel()


def reading_products(model: ByteToSpanForSpanTagging, mask: Tensor) -> int:
    """Windows read: `(windows, bytes)` bool."""
    inner = model.model
    reader, steps = inner.writer if inner.reader is None else inner.reader, int(mask.sum())
    if inner.ngrams is None:
        count = embedded_products(reader, inner.embedding, inner.dropout, steps)
    else:  # no byte's embedding stands for itself
        count = recurrent_products(reader, steps)
    return count + (0 if inner.bridge is None else 2 * len(mask) * inner.bridge.weight.numel())


def scoring_products(model: ByteToSpanForSpanTagging, scored: int, width: int) -> int:
    """Symbols scored.

    Args:
        model: the tagger.
        scored: places at which the next symbol is scored; in training padding is among them.
        width: bytes of the widest window, all of which attention looks at.
    """
    count = 2 * scored * (model.positions.weight.numel() + model.label_scores.weight.numel())
    if model.query is not None:  # the query, its products with the bytes' states, and their weighted sum
        count += 2 * scored * (model.query.weight.numel() + 2 * width * model.model.memory_size)
    return count


def training_products(model: Any, batch: Mapping[str, Any]) -> int:
    """One step of training, forward and backward, of either family."""
    if isinstance(model, HierarchicalTaggerForTokenClassification):
        return 3 * hierarchical_products(model, batch, [batch.get("head")])
    mask, labels, inner = batch["attention_mask"].bool(), batch["labels"], model.model
    written = embedded_products(inner.writer, inner.embedding, inner.dropout, int((labels >= 0).sum()))
    scored = scoring_products(model, labels.numel(), mask.shape[1])
    scored += tag_products(model, mask.numel()) if "tag_labels" in batch else 0
    return 3 * (reading_products(model, mask) + written + scored)


def symbols_written(symbols: Tensor, stop: int) -> int:
    """Symbols that `decode_spans` computed, `(windows, symbols)`: of each window those up to its first STOP."""
    before = (symbols != stop).long().cumprod(1).sum(1)
    return int((before + 1).clamp(max=symbols.shape[1]).sum())


def tag_products(model: ByteToSpanForSpanTagging, places: int) -> int:
    """The tags of so many bytes, padding among them; none for a model without."""
    return 0 if model.tag_scores is None else 2 * places * model.tag_scores.weight.numel()


def decoding_products(model: ByteToSpanForSpanTagging, mask: Tensor, symbols: Tensor) -> int:
    """One call of `decode_spans`: windows `(windows, bytes)` bool, and the symbols that came of them."""
    steps, vocabulary = symbols_written(symbols, model.config.stop_id), len(model.model.embedding.weight)
    written = recurrent_products(model.model.writer, steps, vocabulary if len(mask) > vocabulary else None)
    return reading_products(model, mask) + written + scoring_products(model, steps, mask.shape[1])


class MatrixRate:
    """How fast this machine multiplies: square matrices of 1,024, again and again, between pieces of other work.

    float32 has as many rates as there are libraries that multiply it here without losing precision: what PyTorch takes
    by itself, and oneDNN, which takes matrices in a layout of its own. The fastest is the machine's.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        left, right = torch.randn(2, SIDE, SIDE).to(dtype)
        out = left @ right
        own = float32_products() if dtype == torch.float32 else "oneDNN"
        self.ways: dict[str, Callable[[], Tensor]] = {own: lambda: torch.mm(left, right, out=out)}
        if dtype == torch.float32 and own != "oneDNN" and torch.backends.mkldnn.is_available():
            rows, columns = left.to_mkldnn(), right.T.contiguous().to_mkldnn()
            self.ways["oneDNN"] = lambda: nn.functional.linear(rows, columns)
        self.operations = dict.fromkeys(self.ways, 0)
        self.seconds = dict.fromkeys(self.ways, 0.0)

    def run(self, seconds: float) -> None:
        """Multiply for so long, by each library for an equal share of it."""
        for library, multiply in self.ways.items():
            started, took = time.perf_counter(), 0.0
            while took < seconds / len(self.ways):
                multiply()
                self.operations[library] += 2 * SIDE**3
                took = time.perf_counter() - started
            self.seconds[library] += took

    @property
    def rates(self) -> dict[str, float]:
        """Operations a second by library, over all runs."""
        return {library: self.operations[library] / self.seconds[library] for library in self.ways}

    @property
    def library(self) -> str:
        """The fastest."""
        return max(self.rates, key=lambda library: self.rates[library])

    @property
    def rate(self) -> float:
        """Operations a second by the fastest library, over all runs."""
        return self.rates[self.library]
