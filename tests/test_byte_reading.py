"""How a byte-to-span tagger reads: the order of bytes, their tags and n-grams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_modeling_byte_to_span import (
    LENGTHS,
    Batch,
    batch_of,
    bytes_of,
    every_shape,
    generate,
    model_of,
    until_stop,
)
from torch import nn

from tagsmith.modeling.configuration_byte_to_span import PAD_ID
from tagsmith.modeling.input_order import turned
from tagsmith.modeling.modeling_byte_to_span import (
    ByteToSpanForSpanTagging,
)


def reversed_rows(batch: Batch) -> Batch:
    rows = [row[: int(mask.sum())].flip(0) for row, mask in zip(*batch.values(), strict=True)]
    return {**batch, "input_ids": nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID)}


class TestInputOrder:
    def test_turned_twice_is_as_before(self) -> None:
        batch = bytes_of(LENGTHS)
        ids, mask = batch["input_ids"], batch["attention_mask"].bool()
        assert torch.equal(turned(ids, mask), reversed_rows(batch)["input_ids"])
        assert torch.equal(turned(turned(ids, mask), mask), ids)
        wide = torch.stack([ids, -ids], dim=2)
        assert torch.equal(turned(wide, mask)[..., 1], -turned(ids, mask))

    @every_shape
    def test_bytes_are_read_from_the_last(self, encoder: str, attention: bool) -> None:
        """As windows that are turned by hand; states, and what points at them, stay where their bytes are."""
        options: dict[str, Any] = {"encoder": encoder, "attention": attention, "initializer_range": 1.0}
        forward, backward = model_of(**options), model_of(**options, input_order="reversed")
        batch = bytes_of(LENGTHS)
        mask = batch["attention_mask"].bool()
        read, by_hand = backward.model(**batch), forward.model(**reversed_rows(batch))
        torch.testing.assert_close(read.states, by_hand.states)
        torch.testing.assert_close(turned(read.last_hidden_state, mask), by_hand.last_hidden_state)
        symbols, _ = backward.decode_spans(**batch)
        assert until_stop(backward.config, symbols) == until_stop(backward.config, generate(backward, batch))
        if not attention:  # nothing else that knows where bytes stand
            assert torch.equal(symbols, forward.decode_spans(**reversed_rows(batch))[0])

    def test_ngrams_are_those_of_the_text(self) -> None:
        for order in ("forward", "reversed"):
            model = model_of(ngram_sizes=[2], ngram_rows=1, encoder="bidirectional", input_order=order)
            assert model.model.ngrams is not None
            model.model.ngrams.know(torch.tensor([98000393]))  # of "ab"
            moved = []
            for text in (b"xabyy", b"xbayy"):
                ids = torch.tensor([[*text, PAD_ID]])
                rows = model.model.ngrams.embedding.weight.data
                with_row = model.model(ids).last_hidden_state
                kept, rows[:] = rows.clone(), 0.0
                moved.append(not torch.equal(with_row, model.model(ids).last_hidden_state))
                rows[:] = kept
            assert moved == [True, False]


class TestTagsAndNgrams:
    def model(self, **options: Any) -> ByteToSpanForSpanTagging:
        model = model_of(tag_loss=0.5, ngram_sizes=[1, 2], ngram_rows=3, encoder="bidirectional", **options)
        assert model.model.ngrams is not None
        model.model.ngrams.know(torch.tensor([98, 99, 98000393]))  # of "a", "b" and "ab"
        return model.eval()

    def test_the_loss_of_tags_is_added(self) -> None:
        model = self.model()
        batch = batch_of(model.config)
        tags = torch.zeros_like(batch["input_ids"]).masked_fill(batch["attention_mask"] == 0, -100)
        alone = model(**batch).loss
        together = model(**batch, tag_labels=tags).loss
        scores = model.score_tags(batch["input_ids"], batch["attention_mask"])
        of_tags = -(scores[..., 0] * batch["attention_mask"]).sum() / len(tags)
        torch.testing.assert_close(together, alone + 0.5 * of_tags)
        together.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())

    def test_tags_of_known_labels_stay(self) -> None:
        model = self.model()
        ids = torch.tensor([list(b"abba")])
        before, names = model.score_tags(ids), model.config.byte_tags
        wanted = [*model.config.span_labels[::-1], "new"]
        model.set_labels(wanted)
        after = model.score_tags(ids)
        assert model.config.byte_tags == ["O", *(f"{kind}-{label}" for label in wanted for kind in "BIES")]
        places = [model.config.byte_tags.index(name) for name in names]
        torch.testing.assert_close(after[..., places].softmax(-1), before.softmax(-1))

    def test_ngrams_are_of_what_is_read(self) -> None:
        model = self.model()
        states = [model.model(torch.tensor([list(text)])).last_hidden_state for text in (b"ab", b"ba")]
        model.model.ngrams.embedding.weight.data.zero_()
        without = [model.model(torch.tensor([list(text)])).last_hidden_state for text in (b"ab", b"ba")]
        assert all(not torch.allclose(one, other) for one, other in zip(states, without, strict=True))

    def test_more_ngrams(self) -> None:
        model = self.model()
        ids = torch.tensor([list(b"abxab")])
        before = model.score_tags(ids)
        model.model.add_ngrams(torch.tensor([5, 98, 7]))
        assert model.config.ngram_rows == 5
        torch.testing.assert_close(model.score_tags(ids), before)
        with pytest.raises(ValueError, match="reads no n-grams"):
            model_of().model.add_ngrams(torch.tensor([5]))

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        model = self.model()
        model.save_pretrained(tmp_path)
        again = ByteToSpanForSpanTagging.from_pretrained(tmp_path)
        ids = torch.tensor([list(b"abba")])
        torch.testing.assert_close(again.score_tags(ids), model.score_tags(ids))

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="no layer of tags"):
            model_of().score_tags(torch.tensor([[1]]))
