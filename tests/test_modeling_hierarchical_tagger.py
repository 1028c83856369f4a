"""The hierarchical tagger: every shape of it, batches, saving and loading, spans and their scores."""

from __future__ import annotations

import ast
import copy
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from toys import assert_same, weights_of
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.int8 import quantize
from tagsmith.modeling.modeling_hierarchical_tagger import (
    HierarchicalTaggerForTokenClassification,
    HierarchicalTaggerModel,
)
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.tag_grammar import legal_transitions
from tagsmith.modeling.word_reader import forget_rare
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

PACKAGE = Path(tagsmith.__file__).parent
CHARACTER_ENCODERS = ["gru", "lstm", "cnn", "none"]
WORD_ENCODERS = ["gru", "lstm", "rnn", "sru", "linear-rnn"]
OUTPUTS = [("softmax", "BIOES"), *(("crf", scheme) for scheme in ("BIOES", "BILOU", "IOB1", "IOB2", "plain"))]
LENGTHS = [3, 5, 1]

Batch = dict[str, Tensor]


def config_of(**options: Any) -> HierarchicalTaggerConfig:
    scheme = options.get("tag_scheme", "BIOES")
    tags = tag_names(["PER", "LOC"], scheme)
    defaults: dict[str, Any] = {
        "vocab_size": 20,
        "character_vocab_size": 12,
        "word_embedding_size": 6,
        "character_embedding_size": 4,
        "character_hidden_size": 3,
        "character_filters": 5,
        "hidden_size": 4,
        "id2label": dict(enumerate(tags)),
        "label2id": {tag: index for index, tag in enumerate(tags)},
    }
    return HierarchicalTaggerConfig(**{**defaults, **options})


def model_of(seed: int = 0, **options: Any) -> HierarchicalTaggerForTokenClassification:
    torch.manual_seed(seed)
    return HierarchicalTaggerForTokenClassification(config_of(**options)).eval()


def batch_of(config: HierarchicalTaggerConfig, lengths: list[int] | None = None, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    lengths = LENGTHS if lengths is None else lengths
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=generator)

    sizes = draw(1, 5, *mask.shape)
    characters = draw(1, config.character_vocab_size, *mask.shape, 4)
    batch = {
        "input_ids": draw(1, config.vocab_size, *mask.shape) * mask,
        "character_ids": characters * (torch.arange(4) < sizes[..., None]) * mask[..., None],
        "attention_mask": mask.long(),
        "labels": draw(0, len(config.tags), *mask.shape).masked_fill(~mask, -100),
    }
    if config.gazetteer_size:
        batch["gazetteer_features"] = draw(0, 2, *mask.shape, config.gazetteer_size).float()
    return batch


def without_labels(batch: Batch) -> Batch:
    return {key: value for key, value in batch.items() if key != "labels"}


@pytest.mark.parametrize("word_encoder", WORD_ENCODERS)
@pytest.mark.parametrize("character_encoder", CHARACTER_ENCODERS)
class TestEveryShape:
    def test_has_a_finite_loss_that_reaches_every_parameter(self, character_encoder: str, word_encoder: str) -> None:
        for (output, scheme), gazetteer_size in itertools.product(OUTPUTS, (0, 3)):
            options = {"output": output, "tag_scheme": scheme, "gazetteer_size": gazetteer_size}
            model = model_of(character_encoder=character_encoder, word_encoder=word_encoder, **options).train()
            outputs = model(**batch_of(model.config))
            assert outputs.loss.isfinite() and outputs.loss.shape == () and outputs.tags is None
            assert outputs.logits.shape == (3, 5, len(model.config.tags))
            outputs.loss.backward()
            for name, parameter in model.named_parameters():
                assert parameter.grad is not None and parameter.grad.isfinite().all(), name
                assert parameter.grad.any(), (name, options)

    def test_tags_words_and_nothing_else(self, character_encoder: str, word_encoder: str) -> None:
        for output, scheme in OUTPUTS:
            model = model_of(
                character_encoder=character_encoder, word_encoder=word_encoder, output=output, tag_scheme=scheme
            )
            batch = batch_of(model.config)
            outputs = model(**batch)
            mask = batch["attention_mask"].bool()
            assert ((outputs.tags == -100) == ~mask).all() and outputs.tags.max() < len(model.config.tags)
            assert not outputs.logits[~mask].any() and not outputs.hidden_states[~mask].any()
            if output == "crf":
                start, transitions, end = legal_transitions(model.config.tags, scheme)
                for ids, length in zip(outputs.tags.tolist(), LENGTHS, strict=True):
                    assert start[ids[0]] and end[ids[length - 1]]
                    assert all(transitions[a, b] for a, b in itertools.pairwise(ids[:length]))

    def test_company_in_a_batch_changes_nothing(self, character_encoder: str, word_encoder: str) -> None:
        for output, gazetteer_size in (("crf", 2), ("softmax", 0)):
            model = model_of(
                character_encoder=character_encoder,
                word_encoder=word_encoder,
                output=output,
                gazetteer_size=gazetteer_size,
            ).double()
            batch = batch_of(model.config)
            if gazetteer_size:
                batch["gazetteer_features"] = batch["gazetteer_features"].double()
            together = model(**batch)
            losses = []
            for row, length in enumerate(LENGTHS):
                alone = model(**{key: value[row : row + 1, :length] for key, value in batch.items()})
                torch.testing.assert_close(alone.logits[0], together.logits[row, :length])
                assert alone.tags[0].tolist() == together.tags[row, :length].tolist()
                losses.append(alone.loss * (1 if output == "crf" else length))
            mean = sum(losses) / (len(LENGTHS) if output == "crf" else sum(LENGTHS))
            torch.testing.assert_close(together.loss, mean)

    def test_empty_rows_and_batches_pass(self, character_encoder: str, word_encoder: str) -> None:
        for output in ("crf", "softmax"):
            model = model_of(character_encoder=character_encoder, word_encoder=word_encoder, output=output).train()
            for lengths in ([0, 0], [2, 0]):
                batch = batch_of(model.config, [*lengths, 1])
                batch = {key: value[:2] for key, value in batch.items()}
                assert model(**batch).loss.isfinite()
            for rows, words, characters in ((0, 0, 0), (0, 3, 2), (2, 0, 0)):
                batch = {
                    "input_ids": torch.zeros(rows, words, dtype=torch.long),
                    "character_ids": torch.zeros(rows, words, characters, dtype=torch.long),
                    "attention_mask": torch.zeros(rows, words, dtype=torch.long),
                    "labels": torch.full((rows, words), -100),
                }
                assert model(**batch).loss.item() == 0
                model.eval()
                spans, scores = model.predict_spans(**without_labels(batch))
                assert spans.shape == (0, 4) and scores.shape == (0,)
                model.train()

    def test_saves_and_loads_bit_equal(self, character_encoder: str, word_encoder: str, tmp_path: Path) -> None:
        for output in ("crf", "softmax"):
            model = model_of(
                character_encoder=character_encoder,
                word_encoder=word_encoder,
                output=output,
                gazetteer_size=2,
                cost=0.2,
            )
            model.save_pretrained(tmp_path / output)
            loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path / output)
            assert not loaded.training and loaded.config.to_dict().keys() == model.config.to_dict().keys()
            state = model.state_dict()
            assert loaded.state_dict().keys() == state.keys()
            assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())
            batch = batch_of(model.config)
            ours, theirs = model(**batch), loaded(**batch)
            assert torch.equal(ours.logits, theirs.logits) and torch.equal(ours.tags, theirs.tags)
            assert torch.equal(ours.loss, theirs.loss)


class TestStateTransitions:
    """A CRF whose transitions depend on the state of the word."""

    @pytest.mark.parametrize("scheme", ["BIOES", "IOB1", "plain"])
    def test_tags_and_learns_and_is_kept(self, scheme: str, tmp_path: Path) -> None:
        model = model_of(transitions="state", tag_scheme=scheme, cost=0.5)
        batch, count = batch_of(model.config), len(model.config.tags)
        outputs = model(**batch)
        assert outputs.logits.shape == (3, 5, count + 1, count) and outputs.loss.isfinite()
        outputs.loss.backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
        spans, scores = model.predict_spans(**without_labels(batch))
        assert len(spans) == len(scores) and ((scores > 0) & (scores <= 1)).all()
        model.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path)
        assert torch.equal(loaded(**batch).tags, outputs.tags) and loaded(**batch).loss == outputs.loss

    def test_company_in_a_batch_changes_nothing(self) -> None:
        model = model_of(transitions="state").double()
        batch = batch_of(model.config)
        together = model(**batch)
        for row, length in enumerate(LENGTHS):
            alone = model(**{key: value[row : row + 1, :length] for key, value in batch.items()})
            torch.testing.assert_close(alone.logits[0], together.logits[row, :length])
            assert torch.equal(alone.tags[0], together.tags[row, :length])

    def test_are_not_for_a_softmax(self) -> None:
        with pytest.raises(Exception, match='leave transitions "static"'):
            config_of(output="softmax", transitions="state")


class TestGRUReset:
    """Where the reset gate comes is a choice of the whole tagger, which its file keeps."""

    def test_both_encoders_follow_it(self, tmp_path: Path) -> None:
        model = model_of(gru_reset="before")
        stacks = [model.encoder.characters.recurrent, model.encoder.reader(None).recurrent]
        assert {layer.cell for stack in stacks for layer in stack.layers} == {"gru-reset-before"}
        batch = batch_of(model.config)
        model.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path)
        assert torch.equal(loaded(**batch).logits, model(**batch).logits)
        loaded.config.gru_reset = "after"
        other = HierarchicalTaggerForTokenClassification(loaded.config).eval()
        other.load_state_dict(model.state_dict())
        assert not torch.allclose(other(**batch).logits, model(**batch).logits)

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(Exception, match="gru_reset"):
            config_of(gru_reset="between")


class TestCharacters:
    @pytest.mark.parametrize("encoder", ["gru", "lstm", "cnn"])
    def test_each_distinct_word_is_spelled_once(self, encoder: str) -> None:
        model = model_of(character_encoder=encoder).double()
        words = torch.tensor([[3, 4, 0], [5, 0, 0], [3, 4, 0], [3, 4, 5], [5, 0, 0], [3, 4, 0]])
        characters = model.encoder.characters
        assert characters is not None
        seen: list[Tensor] = []
        handle = characters.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
        packed = model.encoder._spell_once(words)
        handle.remove()
        assert len(seen) == 1 and sorted(seen[0].tolist()) == [[3, 4, 0], [3, 4, 5], [5, 0, 0]]
        for word, features in zip(words, packed, strict=True):
            torch.testing.assert_close(characters(word[word > 0][None])[0], features)

    @pytest.mark.parametrize("encoder", ["gru", "lstm", "cnn"])
    def test_a_word_without_characters_is_zeros(self, encoder: str) -> None:
        characters = model_of(character_encoder=encoder).encoder.characters
        assert characters is not None
        features = characters(torch.tensor([[0, 0], [3, 0]]))
        assert not features[0].any() and features[1].any()

    def test_convolution_sees_no_further_than_the_word(self) -> None:
        characters = model_of(character_encoder="cnn").encoder.characters
        assert characters is not None
        short = torch.tensor([[3, 4]])
        torch.testing.assert_close(characters(short), characters(nn.functional.pad(short, (0, 7))))
        with torch.no_grad():
            characters.convolution.bias.fill_(5.0)  # padding would win the maximum, were it looked at
            characters.convolution.weight.fill_(-1.0)
            characters.embedding.weight[1:].fill_(1.0)
        assert characters(nn.functional.pad(short, (0, 7))).max().item() == pytest.approx(5 - 2 * 4)

    def test_a_tagger_may_read_characters_alone(self) -> None:
        model = model_of(word_embedding_size=0)
        batch = batch_of(model.config)
        other = {**batch, "input_ids": batch["input_ids"].clamp(max=1)}
        assert torch.equal(model(**batch).logits, model(**other).logits)
        with pytest.raises(NotImplementedError, match="has no word embeddings"):
            model.get_input_embeddings()

    def test_the_attention_mask_may_be_left_out(self) -> None:
        model = model_of()
        batch = batch_of(model.config)
        assert torch.equal(model(**batch).logits, model(**{**batch, "attention_mask": None}).logits)


class TestRefusals:
    def test_characters(self) -> None:
        model = model_of()
        batch = batch_of(model.config)
        with pytest.raises(ValueError, match="reads characters: pass character_ids"):
            model(batch["input_ids"])

    def test_gazetteer_features(self) -> None:
        model = model_of(gazetteer_size=2)
        batch = {key: value for key, value in batch_of(model.config).items() if key != "gazetteer_features"}
        with pytest.raises(ValueError, match="has a gazetteer: pass gazetteer_features"):
            model(**batch)

    @pytest.mark.parametrize("output", ["crf", "softmax"])
    def test_padding_on_the_left(self, output: str) -> None:
        model = model_of(output=output)
        batch = {key: value.flip(1) for key, value in batch_of(model.config).items()}
        with pytest.raises(ValueError, match="2 rows of the mask have padding before a word"):
            model(**batch)

    @pytest.mark.parametrize("output", ["crf", "softmax"])
    def test_tags_of_another_scheme_are_refused(self, output: str) -> None:
        with pytest.raises(ValueError, match="'LABEL_0' does not belong to the scheme BIOES"):
            HierarchicalTaggerForTokenClassification(HierarchicalTaggerConfig(output=output))


class TestTraining:
    @pytest.mark.parametrize("output", ["crf", "softmax"])
    def test_learns_a_toy_task(self, output: str) -> None:
        model = model_of(output=output).train()
        batch = batch_of(model.config)
        batch["labels"] = (batch["input_ids"] % 2 * 4).masked_fill(batch["attention_mask"] == 0, -100)  # O or S-LOC
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = model(**batch).loss
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.1 * losses[0]
        assert torch.equal(model.eval()(**batch).tags, batch["labels"])

    def test_cost_raises_the_loss(self) -> None:
        batch = batch_of(config_of())
        assert model_of(cost=1.0)(**batch).loss > model_of()(**batch).loss
        assert torch.equal(model_of(cost=1.0)(**batch).logits, model_of()(**batch).logits)

    def test_rare_words_train_unk(self) -> None:
        model = model_of(rare_word_id=10, rare_word_dropout=0.9).train()
        reader = model.encoder.reader()
        words = reader.words
        assert words is not None
        batch = batch_of(model.config, [40] * 8)
        batch["input_ids"] = batch["input_ids"].clamp(min=2)
        model(**batch).loss.backward()
        assert words.weight.grad is not None
        reached = words.weight.grad.any(1)
        assert reached[1] and reached[2:10].all() and not reached[0]
        ids = torch.arange(2, 20).repeat(200)
        forgotten = forget_rare(ids, reader.rare_id, reader.rare_dropout)
        kept = forgotten == ids
        assert kept[ids < 10].all() and kept[ids >= 10].float().mean().item() == pytest.approx(0.1, abs=0.03)
        assert (forgotten[~kept] == 1).all()
        model.eval()
        assert torch.equal(model(**batch).logits, model(**batch).logits)

    def test_rare_characters_train_unk(self) -> None:
        model = model_of(rare_character_id=8, rare_word_dropout=0.9).train()
        assert model.encoder.characters is not None
        embedding = model.encoder.characters.embedding
        batch = batch_of(model.config, [40] * 8)
        batch["character_ids"] = batch["character_ids"].masked_fill(batch["character_ids"] == 1, 2)
        model(**batch).loss.backward()
        assert embedding.weight.grad is not None
        reached = embedding.weight.grad.any(1)
        assert reached[1:8].all() and not reached[0]
        model.eval()
        assert torch.equal(model(**batch).logits, model(**batch).logits)

    def test_dropout_is_only_for_training(self) -> None:
        options = {"embedding_dropout": 0.5, "character_dropout": 0.5, "hidden_dropout": 0.5}
        model = model_of(**options)
        batch = batch_of(model.config)
        assert torch.equal(model(**batch).logits, model(**batch).logits)
        model.train()
        assert not torch.equal(model(**batch).logits, model(**batch).logits)

    def test_softmax_loss_counts_words_alone(self) -> None:
        model = model_of(output="softmax")
        batch = batch_of(model.config)
        expected = model(**batch).loss
        careless = {**batch, "labels": batch["labels"].clamp(min=0)}
        torch.testing.assert_close(model(**careless).loss, expected)

    def test_runs_under_autocast(self) -> None:
        for encoder in CHARACTER_ENCODERS:
            model = model_of(character_encoder=encoder).train()
            batch = batch_of(model.config)
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(**batch).loss
            loss.backward()
            torch.testing.assert_close(loss.float(), model(**batch).loss, rtol=0.05, atol=0.1)

    def test_no_grad_inference_mode_and_deepcopy(self) -> None:
        model = model_of()
        batch = batch_of(model.config)
        expected = model(**batch).logits
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                torch.testing.assert_close(model(**batch).logits, expected)  # another kernel
        twin = copy.deepcopy(model)
        assert torch.equal(twin(**batch).logits, expected)
        with torch.no_grad():
            twin.head().output.bias.add_(1)
        assert torch.equal(model(**batch).logits, expected)


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


def saved_without(model: HierarchicalTaggerForTokenClassification, folder: Path, pattern: str) -> list[str]:
    """Save a model and delete from its weights what matches; returns the deleted names."""
    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    deleted = [name for name in weights if re.search(pattern, name)]
    save_file({k: v for k, v in weights.items() if k not in deleted}, folder / "model.safetensors", {"format": "pt"})
    return deleted


class TestLoading:
    @pytest.mark.parametrize(
        ("pattern", "options"),
        [
            (r"readers\.shared\.words\.weight", {}),
            (r"characters\.embedding", {}),
            (r"characters\.convolution", {"character_encoder": "cnn"}),
            (r"characters\.recurrent", {"character_encoder": "lstm"}),
            (r"readers\.shared\.recurrent\.layers\.1\.recurrent_weight", {"recurrent_initializer": "orthogonal"}),
            (r"input_bias", {"word_encoder": "lstm", "recurrent_initializer": "orthogonal"}),
            (r"readers\.shared\.recurrent", {"word_encoder": "rnn", "recurrent_initializer": "normal"}),
            (r"readers\.shared\.recurrent", {"word_encoder": "sru"}),
            (r"input_weight|state_output", {"word_encoder": "linear-rnn"}),
            (r"^heads\.shared\.output\.", {"output": "softmax"}),
            (r"^heads\.shared\.crf\.transitions", {}),
            (r".", {}),
        ],
    )
    def test_missing_weights_start_afresh_and_the_rest_is_kept(
        self, pattern: str, options: dict[str, Any], tmp_path: Path
    ) -> None:
        model = model_of(**options)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(9.0)
        deleted = saved_without(model, tmp_path, pattern)
        assert deleted
        torch.manual_seed(1)
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path)
        for name, parameter in loaded.named_parameters():
            if name not in deleted:
                assert (parameter == 9).all(), name
                continue
            assert parameter.isfinite().all() and parameter.abs().max() <= 2, name
            if parameter.dim() > 1 and not name.endswith("_bias"):
                assert parameter.std() > 0.02, name
        assert loaded(**batch_of(model.config)).loss.isfinite()
        if "orthogonal" in options.values() and "weight" in pattern:
            for block in loaded.encoder.reader().recurrent.layers[1].recurrent_weight[0].split(4, dim=1):
                torch.testing.assert_close(block @ block.t(), torch.eye(4), rtol=0, atol=1e-5)

    def test_padding_embeddings_are_zero_from_the_start(self, tmp_path: Path) -> None:
        saved_without(model_of(), tmp_path, "words|characters")
        loaded = HierarchicalTaggerModel.from_pretrained(tmp_path)
        words = loaded.reader().words
        assert words is not None and loaded.characters is not None
        for embedding in (words, loaded.characters.embedding):
            assert not embedding.weight[0].any() and embedding.weight[1:].any(1).all()

    @pytest.mark.parametrize("scheme", ["BIOES", "BILOU", "IOB1", "IOB2"])
    def test_legality_is_known_at_once(self, scheme: str, tmp_path: Path) -> None:
        model = model_of(tag_scheme=scheme)
        model.save_pretrained(tmp_path)
        crf = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path).head().crf
        assert crf is not None
        expected = legal_transitions(model.config.tags, scheme)
        for found, legal in zip((crf.legal_start, crf.legal_transitions, crf.legal_end), expected, strict=True):
            assert found.dtype == torch.bool and torch.equal(found, legal)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("character_encoder", CHARACTER_ENCODERS)
    def test_half_precision_leaves_the_crf_alone(
        self, character_encoder: str, dtype: torch.dtype, tmp_path: Path
    ) -> None:
        model = model_of(character_encoder=character_encoder, gazetteer_size=2)
        model.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path, dtype=dtype)
        crf = loaded.head().crf
        assert crf is not None
        assert {parameter.dtype for parameter in crf.parameters()} == {torch.float32}
        assert {parameter.dtype for parameter in loaded.encoder.parameters()} == {dtype}
        batch = batch_of(model.config)
        outputs, expected = loaded(**batch), model(**batch)
        torch.testing.assert_close(outputs.logits.float(), expected.logits, rtol=0.1, atol=0.1)
        assert outputs.loss.dtype == torch.float32
        torch.testing.assert_close(outputs.loss, expected.loss, rtol=0.1, atol=0.1)
        assert outputs.tags.min() == -100 and (outputs.tags == -100).equal(expected.tags == -100)
        _, scores = loaded.predict_spans(**without_labels(batch))
        assert ((scores >= 0) & (scores <= 1)).all()

    def test_half_precision_tags_as_the_trained_model_does(
        self,
        tiny_folder: Path,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
    ) -> None:
        batch = tiny_tokenizer(["Ada Lovelace lived in London .", "In Lund it rains ."], return_tensors="pt")
        loaded = HierarchicalTaggerForTokenClassification.from_pretrained(tiny_folder, dtype=torch.bfloat16)
        assert torch.equal(loaded(**batch).tags, tiny_model(**batch).tags)

    def test_another_label_set_gives_a_working_head(self, tmp_path: Path) -> None:
        for output in ("crf", "softmax"):
            model = model_of(output=output)
            model.save_pretrained(tmp_path / output)
            tags = ["O", "B-X", "I-X", "E-X", "S-X"]
            options = {"id2label": dict(enumerate(tags)), "label2id": {tag: i for i, tag in enumerate(tags)}}
            with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
                HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path / output, **options)
            loaded = HierarchicalTaggerForTokenClassification.from_pretrained(
                tmp_path / output, ignore_mismatched_sizes=True, **options
            )
            assert loaded.head().span_labels == ("X",) and loaded.head().output.weight.shape[0] == 5
            assert all(parameter.isfinite().all() for parameter in loaded.parameters())
            assert torch.equal(loaded.get_input_embeddings().weight, model.get_input_embeddings().weight)
            batch = batch_of(loaded.config)
            assert loaded(**batch).loss.isfinite() and loaded(**batch).tags.max() < 5

    def test_auto_classes_find_it(self, tmp_path: Path) -> None:
        tagsmith.register()
        model = model_of()
        model.save_pretrained(tmp_path)
        assert type(AutoConfig.from_pretrained(tmp_path)) is HierarchicalTaggerConfig
        assert type(AutoConfig.for_model("hierarchical-tagger")) is HierarchicalTaggerConfig
        tagger = AutoModelForTokenClassification.from_pretrained(tmp_path)
        assert type(tagger) is HierarchicalTaggerForTokenClassification
        encoder = AutoModel.from_pretrained(tmp_path)
        assert type(encoder) is HierarchicalTaggerModel
        batch = without_labels(batch_of(model.config))
        assert torch.equal(encoder(**batch), model(**batch).hidden_states)
        assert type(AutoModel.from_config(config_of())) is HierarchicalTaggerModel
        encoder.save_pretrained(tmp_path / "encoder")
        headed = HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path / "encoder")
        assert torch.equal(headed(**batch).hidden_states, model(**batch).hidden_states)
        assert all(parameter.isfinite().all() for parameter in headed.parameters())

    def test_missing_weights_file_is_named(self, tmp_path: Path) -> None:
        config_of().save_pretrained(tmp_path)
        with pytest.raises(OSError, match=r"model\.safetensors"):
            HierarchicalTaggerForTokenClassification.from_pretrained(tmp_path)


def posteriors_by_enumeration(
    model: HierarchicalTaggerForTokenClassification, logits: Tensor
) -> dict[tuple[int, int, str], float]:
    """P(span) of one sentence `(words, tags)`: the legal tag sequences that write it, over all legal ones."""
    crf, tags = model.head().crf, model.config.tags
    assert crf is not None
    start, transitions, end = legal_transitions(tags, model.config.tag_scheme)
    masses: dict[tuple[int, int, str], float] = {}
    total = 0.0
    for ids in itertools.product(range(len(tags)), repeat=len(logits)):
        pairs = list(itertools.pairwise(ids))
        if not (start[ids[0]] and end[ids[-1]] and all(transitions[a, b] for a, b in pairs)):
            continue
        score = crf.start[ids[0]] + sum(crf.transitions[a, b] for a, b in pairs)
        mass = (score + sum(logits[word, tag] for word, tag in enumerate(ids))).exp().item()
        total += mass
        opened = 0
        for word, tag in enumerate(ids):
            prefix, _, label = tags[tag].partition("-")
            opened = word if prefix in "BS" else opened
            if prefix in ("E", "S"):
                masses[opened, word + 1, label] = masses.get((opened, word + 1, label), 0.0) + mass
    return {span: mass / total for span, mass in masses.items()}


class TestPredictSpans:
    def test_scores_are_exact_posteriors(self) -> None:
        found = 0
        for seed in range(4):
            model = model_of(seed, num_hidden_layers=1).double()
            batch = without_labels(batch_of(model.config, [4, 1, 3], seed))
            with torch.no_grad():
                model.head().output.weight.mul_(8)
                model.head().output.bias[1:].add_(0.5)
            spans, scores = model.predict_spans(**batch)
            logits = model(**batch).logits.detach()
            for row, length in enumerate([4, 1, 3]):
                expected = posteriors_by_enumeration(model, logits[row, :length])
                for (_, start, end, label), score in zip(
                    spans[spans[:, 0] == row].tolist(), scores[spans[:, 0] == row].tolist(), strict=True
                ):
                    assert score == pytest.approx(expected[start, end, model.head().span_labels[label]], rel=1e-6)
                    found += 1
        assert found > 5

    def test_scores_of_a_softmax_are_products(self) -> None:
        model = model_of(output="softmax", tag_scheme="IOB2")
        batch = without_labels(batch_of(model.config))
        spans, scores = model.predict_spans(**batch)
        outputs = model(**batch)
        chances = outputs.logits.softmax(-1).amax(-1)
        assert len(spans)
        for (row, start, end, _), score in zip(spans.tolist(), scores.tolist(), strict=True):
            assert score == pytest.approx(chances[row, start:end].prod().item(), rel=1e-5)

    def test_plain_tags_are_a_span_each(self) -> None:
        for output in ("crf", "softmax"):
            model = model_of(output=output, tag_scheme="plain")
            batch = without_labels(batch_of(model.config))
            spans, scores = model.predict_spans(**batch)
            assert [(r, s, e) for r, s, e, _ in spans.tolist()] == [
                (row, word, word + 1) for row, length in enumerate(LENGTHS) for word in range(length)
            ]
            assert spans[:, 3].tolist() == [tag for row in model(**batch).tags.tolist() for tag in row if tag >= 0]
            assert ((scores > 0) & (scores <= 1)).all()

    def test_the_mask_may_be_left_out(self) -> None:
        model = model_of()
        batch = without_labels(batch_of(model.config))
        spans, scores = model.predict_spans(**batch)
        del batch["attention_mask"]
        again, same = model.predict_spans(**batch)
        assert torch.equal(spans, again) and torch.equal(scores, same)

    def test_is_not_for_training(self) -> None:
        model = model_of().train()
        with pytest.raises(RuntimeError, match=r"Call eval\(\) first"):
            model.predict_spans(**without_labels(batch_of(model.config)))


class TestPacking:
    def test_padding_of_words_and_characters_changes_nothing(self) -> None:
        for encoder in CHARACTER_ENCODERS:
            model = model_of(character_encoder=encoder)
            batch = batch_of(model.config)
            wider = {
                "input_ids": nn.functional.pad(batch["input_ids"], (0, 3)),
                "character_ids": nn.functional.pad(batch["character_ids"], (0, 6, 0, 3)),
                "labels": nn.functional.pad(batch["labels"], (0, 3), value=-100),
            }
            ours, theirs = model(**batch), model(**wider)
            torch.testing.assert_close(ours.logits, theirs.logits[:, :5])
            torch.testing.assert_close(ours.loss, theirs.loss)
            assert torch.equal(ours.tags, theirs.tags[:, :5])

    def test_encoder_gives_the_states_that_the_tagger_reads(self) -> None:
        model = model_of()
        batch = without_labels(batch_of(model.config))
        packing = Packing.of(batch["attention_mask"].bool())
        logits = packing.unpack(model.head().output(packing.pack(model.encoder(**batch))))
        torch.testing.assert_close(logits, model(**batch).logits)


UPLOADED = sorted(path for room in ("modeling", "tokenization") for path in (PACKAGE / room).glob("*.py"))
ROOMS = ("modeling", "tokenization", "training")


class TestRemoteCode:
    """Checkpoints carry the files of modeling/ and tokenization/: each imports its own folder's siblings alone."""

    @pytest.mark.parametrize("path", UPLOADED, ids=lambda path: path.name)
    def test_imports_reach_siblings_and_the_stack_alone(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        allowed = {"numpy", "transformers", "tokenizers", "huggingface_hub", *sys.stdlib_module_names}
        allowed |= {"torch"} if path.parent.name == "modeling" else set()
        allowed |= {"onnx", "safetensors"} if path.name.startswith("onnx_") else set()  # which do not travel
        siblings = []
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= allowed, ast.unparse(node)
            elif isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1 and node.module and "." not in node.module, ast.unparse(node)
                assert (path.parent / f"{node.module}.py").is_file(), ast.unparse(node)
                siblings.append(node.module)
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] in allowed, ast.unparse(node)
        # transformers finds the files to upload by this pattern, in docstrings too.
        found = re.findall(r"^\s*from\s+\.(\S+)\s+import", text, re.M) + re.findall(
            r"^\s*import\s+\.(\S+)", text, re.M
        )
        assert sorted(found) == sorted(siblings)

    def test_file_names_are_unique_in_the_package(self) -> None:
        names = [path.name for room in ROOMS for path in (PACKAGE / room).rglob("*.py") if path.stem != "__init__"]
        assert sorted(names) == sorted(set(names))


def test_outputs_as_transformers_asks_for_them(
    tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: Any, tiny_folder: Path
) -> None:
    batch = tiny_tokenizer("In Lund it rains .", return_tensors="pt")
    with torch.no_grad():
        output = tiny_model(**batch)
        logits, tags, hidden = tiny_model(**batch, return_dict=False)
        several = tiny_model(
            **batch, return_dict=True, output_hidden_states=True, output_attentions=False
        ).hidden_states
    assert torch.equal(logits, output.logits) and torch.equal(tags, output.tags)
    assert torch.equal(hidden, output.hidden_states)
    assert isinstance(several, tuple) and torch.equal(several[-1], hidden)
    load = HierarchicalTaggerForTokenClassification.from_pretrained
    other = load(tiny_folder, num_labels=3, tag_scheme="plain", ignore_mismatched_sizes=True)
    assert other(**batch).logits.shape[-1] == 3
    with pytest.raises(ValueError, match=r"does not belong to the scheme BIOES.*'plain'"):
        load(tiny_folder, num_labels=3, ignore_mismatched_sizes=True)
