"""What a hierarchical tagger reads of words: their vectors, and those that are frozen."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file
from test_modeling_hierarchical_tagger import batch_of, config_of, model_of, without_labels
from toys import assert_same, weights_of

from tagsmith.modeling.int8 import quantize
from tagsmith.modeling.modeling_hierarchical_tagger import (
    HierarchicalTaggerForTokenClassification,
)


class TestWordVectors:
    def test_take_their_rows(self) -> None:
        model = model_of().encoder
        before = model.get_input_embeddings().weight.detach().clone()
        vectors = torch.randn(2, 6, dtype=torch.float64)
        model.set_word_vectors(torch.tensor([3, 7]), vectors)
        after = model.get_input_embeddings().weight
        torch.testing.assert_close(after[[3, 7]], vectors.float())
        others = [row for row in range(20) if row not in (3, 7)]
        assert torch.equal(after[others], before[others]) and after.requires_grad

    def test_of_another_width_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"have 5 dimensions, the model's words 6. Set word_embedding_size to 5"):
            model_of().encoder.set_word_vectors(torch.tensor([3]), torch.zeros(1, 5))

    def test_need_word_embeddings(self) -> None:
        with pytest.raises(NotImplementedError, match="word_embedding_size is 0"):
            model_of(word_embedding_size=0).encoder.set_word_vectors(torch.tensor([3]), torch.zeros(1, 5))


class TestFrozenWords:
    """Words whose vectors are not trained: ids from `frozen_word_id` on."""

    FROZEN = torch.linspace(-2, 2, 42).view(7, 6)

    def model(self, **options: Any) -> HierarchicalTaggerForTokenClassification:
        model = model_of(**{"frozen_word_id": 13, **options})
        model.encoder.set_word_vectors(torch.arange(13, 20), self.FROZEN)
        return model

    def test_each_word_has_its_row(self) -> None:
        model = self.model()
        reader = model.encoder.reader()
        assert reader.words.num_embeddings == 13 and reader.frozen_vectors.dtype == torch.float16
        ids = torch.tensor([[0, 1, 12], [13, 19, 15]])
        found = reader.look_up(ids)
        assert torch.equal(found[0], reader.words.weight[ids[0]])
        assert torch.equal(found[1], self.FROZEN.half().float()[[0, 6, 2]])

    def test_vectors_go_to_both_tables(self) -> None:
        model = self.model()
        before = weights_of(model)
        vectors = torch.tensor([[0.5] * 6, [0.25] * 6], dtype=torch.float64)
        model.encoder.set_word_vectors(torch.tensor([14, 3]), vectors)
        changed = {name: value != before[name] for name, value in model.state_dict().items()}
        assert {name: rows.any(-1).nonzero().flatten().tolist() for name, rows in changed.items() if rows.any()} == {
            "encoder.readers.shared.words.weight": [3],
            "encoder.readers.shared.frozen_vectors": [1],
        }
        assert model.encoder.reader().look_up(torch.tensor([14, 3])).tolist() == vectors.tolist()

    def test_it_tags_as_if_all_words_were_trained(self) -> None:
        model, whole = self.model(), model_of()
        weights = model.state_dict()
        frozen = weights.pop("encoder.readers.shared.frozen_vectors")
        words = weights["encoder.readers.shared.words.weight"]
        weights["encoder.readers.shared.words.weight"] = torch.cat([words, frozen.float()])
        whole.load_state_dict(weights)
        batch = batch_of(model.config)
        assert (batch["input_ids"] >= 13).any()
        for name in ("loss", "logits", "tags"):
            assert torch.equal(getattr(model(**batch), name), getattr(whole(**batch), name)), name

    def test_they_cost_no_parameters_and_have_no_gradient(self) -> None:
        few, many = (model_of(frozen_word_id=13, vocab_size=size) for size in (14, 1_000))
        assert few.num_parameters() == many.num_parameters() == model_of(vocab_size=13).num_parameters()
        shapes = [[parameter.shape for parameter in model.parameters()] for model in (few, many)]
        assert shapes[0] == shapes[1]
        model = self.model().train()
        model(**batch_of(model.config)).loss.backward()
        reader = model.encoder.reader()
        assert not reader.frozen_vectors.requires_grad
        assert reader.words.weight.grad.any() and not reader.words.weight.grad[0].any()

    def test_only_trained_words_have_a_gradient(self) -> None:
        model = self.model().train()
        batch = batch_of(model.config)
        model(**batch).loss.backward()
        seen = {*batch["input_ids"].flatten().tolist()} - {0}
        rows = model.encoder.reader().words.weight.grad.any(1).nonzero().flatten().tolist()
        assert set(rows) == {word for word in seen if word < 13}

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_they_are_stored_and_loaded_in_16_bits(self, dtype: torch.dtype, tmp_path: Path) -> None:
        model = self.model()
        model.save_pretrained(tmp_path)
        name = "encoder.readers.shared.frozen_vectors"
        assert load_file(tmp_path / "model.safetensors")[name].dtype == torch.float16
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path, dtype=dtype).eval()
        assert torch.equal(loaded.state_dict()[name], model.state_dict()[name])
        batch = without_labels(batch_of(model.config))
        torch.testing.assert_close(loaded(**batch).logits.float(), model(**batch).logits, atol=0.03, rtol=0.03)
        loaded.save_pretrained(tmp_path / "again")
        assert torch.equal(load_file(tmp_path / "again" / "model.safetensors")[name], model.state_dict()[name])

    def test_a_row_more_is_two_bytes_a_number_in_the_file(self, tmp_path: Path) -> None:
        sizes = []
        for vocab_size in (1_013, 2_013):
            model_of(frozen_word_id=13, vocab_size=vocab_size).save_pretrained(tmp_path)
            sizes.append((tmp_path / "model.safetensors").stat().st_size)
        assert sizes[1] - sizes[0] == pytest.approx(1_000 * 6 * 2, abs=16)

    def test_a_moved_model_still_tags(self) -> None:
        batch = batch_of(config_of())
        expected = self.model()(**batch).logits
        for move in (lambda model: model.double(), lambda model: model.bfloat16(), copy.deepcopy):
            torch.testing.assert_close(move(self.model())(**batch).logits.float(), expected, atol=0.03, rtol=0.03)

    def test_numbers_too_large_for_16_bits_are_refused_and_nothing_is_changed(self) -> None:
        model = self.model()
        before = weights_of(model)
        with pytest.raises(ValueError, match=r"16 bits, up to 65,504"):
            model.encoder.set_word_vectors(torch.tensor([3, 14]), torch.full((2, 6), 7e4))
        assert_same(before, model.state_dict())
        model.encoder.set_word_vectors(torch.tensor([3]), torch.full((1, 6), 7e4))

    @pytest.mark.parametrize("options", [{"frozen_word_id": 1}, {"frozen_word_id": 21}, {"frozen_word_id": -1}])
    def test_ids_that_do_not_fit_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(StrictDataclassError, match=r"frozen_word_id is .* between 2 and vocab_size"):
            config_of(**options)

    def test_they_need_word_embeddings(self) -> None:
        with pytest.raises(StrictDataclassError, match="word_embedding_size above 0"):
            config_of(frozen_word_id=13, word_embedding_size=0)

    def test_none_may_be_frozen(self) -> None:
        for options in ({}, {"frozen_word_id": 20}):
            assert model_of(**options).encoder.reader().frozen_vectors is None

    def test_eight_bits(self) -> None:
        model = self.model(word_encoder="lstm")
        batch = without_labels(batch_of(model.config))
        expected = model(**batch).logits
        with torch.no_grad():
            torch.testing.assert_close(quantize(model)(**batch).logits, expected, atol=0.05, rtol=0.05)
