"""The hierarchical tagger: every shape of it, batches, saving and loading, spans and their scores."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import (
    HierarchicalTaggerForTokenClassification,
)
from tagsmith.modeling.packing import Packing
from tagsmith.modeling.tag_grammar import legal_transitions
from tagsmith.modeling.word_reader import forget_rare
from tagsmith.tokenization.tag_schemes import tag_names

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
        packed, alike = model.encoder._spell_once(words)
        handle.remove()
        assert packed is not None and alike.tolist() == [0, 2, 0, 1, 2, 0]
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
