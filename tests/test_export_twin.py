"""Twins of taggers: what `torch.export` and `torch.compile` make of them gives what the taggers give."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_heads
import test_modeling_byte_to_span as of_bytes
import test_modeling_hierarchical_tagger as of_words
import torch
from torch import Tensor, nn

import tagsmith

pytestmark = pytest.mark.skipif(torch.__version__ < "2.8", reason="before torch 2.8 there are no twins")

Run = Callable[[dict[str, Tensor]], dict[str, Tensor]]

CELLS: dict[str, dict[str, Any]] = {
    "gru": {},
    "gru, reset before": {"gru_reset": "before"},
    "lstm": {"word_encoder": "lstm"},
    "rnn": {"word_encoder": "rnn"},
    "sru": {"word_encoder": "sru"},
    "sru, gates of the state": {"word_encoder": "sru", "sru_gates": "state"},
    "linear rnn": {"word_encoder": "linear-rnn"},
    "linear rnn without a gate": {"word_encoder": "linear-rnn", "linear_rnn": "plain"},
}
NGRAMS = {"ngram_sizes": [1, 3], "ngram_rows": 12}
EVERYTHING = {**NGRAMS, "gazetteer_size": 3}
LENGTHS = [[3, 5, 1, 4], [1], [2, 2], [7, 6]]


@torch.no_grad()
def with_numbers(model: Any) -> Any:
    """The model in float64, with weights that tell each of its parts from the others."""
    torch.manual_seed(1)
    for tensor in (*model.double().parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.normal_(std=0.7)
    if model.config.ngram_sizes:
        ngrams = getattr(model, "encoder", getattr(model, "model", None)).ngrams
        ngrams.know(torch.arange(len(ngrams.hashes)) + 2)  # of single characters or bytes
        if hasattr(ngrams, "points"):
            ngrams.spelt_by("abcdefghijklmnopqrstuvwxyz"[: len(ngrams.points) - 2])
            ngrams.points[2:] -= ord("a")
    return model.eval()


def batch_of(config: Any, lengths: list[int], language: str | None = None) -> dict[str, Tensor]:
    """Random sentences; the first word of the first has no characters."""
    torch.manual_seed(len(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    spelled = torch.arange(4) < torch.randint(1, 5, mask.shape)[..., None]
    batch = {
        "input_ids": torch.randint(1, config.vocabularies[language][0], mask.shape) * mask,
        "character_ids": torch.randint(1, config.character_vocab_size, spelled.shape) * spelled * mask[..., None],
        "attention_mask": mask.long(),
    }
    batch["character_ids"][0, 0] = 0
    if config.gazetteer_size:
        batch["gazetteer_features"] = torch.rand(*mask.shape, config.gazetteer_size)
    return batch


def assert_same_words(model: Any, run: Run, several_lengths: list[list[int]] = LENGTHS) -> None:
    """The logits of all heads, of batches of several shapes."""
    twin, config = model.export_twin(), model.config
    for lengths, language in itertools.product(several_lengths, config.vocabularies):
        batch = batch_of(config, lengths, language)
        found = run(twin.inputs(**batch, language=language))
        for name in config.head_names:
            if config.head(name).language == language:
                key = "emissions" if name is None or config.sharing == "all" else f"emissions.{name}"
                expected = model(**batch, head=name).logits
                assert found[key].shape == expected.shape and expected.abs().max() > 0.1
                assert (found[key] - expected).abs().max() < 1e-10


def assert_same_bytes(model: Any, run: Run) -> None:
    twin = model.export_twin()
    for lengths in ([7, 10, 1, 4], [1], [2, 2], [9]):
        batch = of_bytes.bytes_of(lengths)
        mask = batch["attention_mask"].bool()
        found = run(twin.inputs(**batch))["tags"]
        expected = model.tag_scores(model.model(**batch).last_hidden_state).log_softmax(-1)
        assert (found - expected)[mask].abs().max() < 1e-10
        assert torch.allclose(found[mask].float(), model.score_tags(**batch)[mask], atol=1e-6)


def exported(model: Any, folder: Path) -> Run:
    """The twin as a program that was saved and loaded."""
    twin = model.export_twin()
    program = torch.export.export(twin, (twin.example(),), dynamic_shapes=twin.dynamic_shapes())
    torch.export.save(program, folder / "twin.pt2")
    run: Run = torch.export.load(folder / "twin.pt2").module()
    return run


def compiled(model: Any) -> Run:
    torch._dynamo.reset()
    run: Run = torch.compile(model.export_twin(), backend="eager", fullgraph=True, dynamic=True)
    return run


@pytest.mark.parametrize("character_encoder", of_words.CHARACTER_ENCODERS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_shape(cell: str, character_encoder: str) -> None:
    for ngrams, gazetteer_size in itertools.product(({}, NGRAMS), (0, 3)):
        options = {**CELLS[cell], "character_encoder": character_encoder, "gazetteer_size": gazetteer_size, **ngrams}
        model = with_numbers(of_words.model_of(**options))
        assert_same_words(model, model.export_twin())


@pytest.mark.parametrize("sharing", test_heads.SHARINGS)
def test_several_heads(sharing: str) -> None:
    model = with_numbers(test_heads.model_of(sharing, **EVERYTHING))
    assert_same_words(model, model.export_twin())


@pytest.mark.parametrize(
    "options",
    [
        {"transitions": "state"},
        {"output": "softmax"},
        {"frozen_word_id": 9},
        {"word_embedding_size": 0},
        {"word_memory": True, "character_vocab_size": 3},
        {"word_memory": True, "character_vocab_size": 3, "character_encoder": "none", **EVERYTHING},
        {"word_embedding_size": 0, "character_encoder": "none", **NGRAMS},
    ],
    ids=lambda options: ", ".join(options),
)
def test_other_shapes(options: dict[str, Any]) -> None:
    model = with_numbers(of_words.model_of(**options))
    assert_same_words(model, model.export_twin())


def test_weights_are_shared() -> None:
    model = of_words.model_of(**EVERYTHING)
    twin = model.export_twin()
    own = {id(parameter) for parameter in model.parameters()}
    crf = {id(parameter) for parameter in model.head().crf.parameters()}
    assert {id(parameter) for parameter in twin.parameters()} == own - crf


def test_nothing_is_dropped_out() -> None:
    model = with_numbers(of_words.model_of(hidden_dropout=0.5, embedding_dropout=0.5, character_encoder="cnn"))
    twin, batch = model.export_twin(), batch_of(model.config, [3, 2])
    expected = model(**batch).logits
    model.train()
    assert torch.allclose(twin(twin.inputs(**batch))["emissions"], expected)


def test_an_exported_program(tmp_path: Path) -> None:
    model = with_numbers(test_heads.model_of("encoder", word_encoder="rnn", **EVERYTHING))
    assert_same_words(model, exported(model, tmp_path))


def test_a_compiled_twin() -> None:
    model = with_numbers(of_words.model_of(num_hidden_layers=1, character_encoder="cnn", **EVERYTHING))
    assert_same_words(model, compiled(model), [[3, 5, 1, 4], [2, 2]])


@pytest.mark.slow
def test_languages_in_one_program(tmp_path: Path) -> None:
    model = with_numbers(test_heads.model_of("characters", transitions="state", **EVERYTHING))
    assert_same_words(model, exported(model, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "character_encoder"), [*zip(CELLS, 2 * of_words.CHARACTER_ENCODERS, strict=True)])
def test_every_exported_shape(cell: str, character_encoder: str, tmp_path: Path) -> None:
    options = {**CELLS[cell], "character_encoder": character_encoder, "character_num_layers": 1, **EVERYTHING}
    model = with_numbers(of_words.model_of(**options))
    assert_same_words(model, exported(model, tmp_path))
    assert_same_words(model, compiled(model))


BYTES: list[dict[str, Any]] = [
    {"encoder": "shared"},
    {"encoder": "separate", "input_order": "reversed", "ngram_sizes": [1, 3], "ngram_rows": 12},
    {"encoder": "bidirectional", "ngram_sizes": [2], "ngram_rows": 12},
    {"encoder": "bidirectional", "input_order": "reversed"},
    {"encoder": "bidirectional", "patch_hidden_size": 3, "ngram_sizes": [2], "ngram_rows": 12},
]


@pytest.mark.parametrize("options", BYTES, ids=lambda options: ", ".join(map(str, options.values())))
def test_bytes(options: dict[str, Any]) -> None:
    model = with_numbers(of_bytes.model_of(tag_loss=1.0, **options))
    assert_same_bytes(model, model.export_twin())


def test_exported_bytes(tmp_path: Path) -> None:
    model = with_numbers(of_bytes.model_of(tag_loss=1.0, num_hidden_layers=1, **BYTES[1]))
    run, twin = exported(model, tmp_path), model.export_twin()
    assert_same_bytes(model, run)
    with pytest.raises((AssertionError, RuntimeError), match="<= 10"):  # wider than the model's windows
        run(twin.inputs(**of_bytes.bytes_of([11])))


@pytest.mark.slow
def test_compiled_bytes() -> None:
    model = with_numbers(of_bytes.model_of(tag_loss=1.0, **BYTES[3]))
    assert_same_bytes(model, compiled(model))


def test_the_spans_of_the_pipeline(tiny_folder: Path) -> None:
    pipe = tagsmith.pipeline(tiny_folder)
    texts = ["Ada Lovelace lived in London .", "She left .", "Ada"]
    batch = pipe.tokenizer(texts, padding=True, return_tensors="pt")
    twin = pipe.model.export_twin()
    emissions = twin(twin.inputs(**batch))["emissions"]
    spans, scores = pipe.model.head().spans(emissions, batch["attention_mask"].bool())
    found: list[list[Any]] = [[] for _ in texts]
    for (row, start, end, label), score in zip(spans.tolist(), scores.tolist(), strict=True):
        word = " ".join(texts[row].split()[start:end])
        found[row].append((word, pipe.model.head().span_labels[label], pytest.approx(score, abs=1e-5)))
    expected = [[(span["word"], span["entity_group"], span["score"]) for span in each] for each in pipe(texts)]
    assert any(expected) and found == expected


def test_8_bits_are_refused(tiny_folder: Path) -> None:
    model = tagsmith.pipeline(tiny_folder, int8=True).model
    with pytest.raises(ValueError, match=r"8-bit weights.*without int8"):
        model.export_twin()


def test_what_writes_spans_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no layer of tags.*export_onnx"):
        of_bytes.model_of().export_twin()


def test_an_old_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.7.1")
    with pytest.raises(RuntimeError, match=r"needs torch 2\.8, and this is 2\.7\.1"):
        of_words.model_of().export_twin()


def test_inputs_are_checked() -> None:
    twin = of_words.model_of(character_encoder="none").export_twin()
    with pytest.raises(ValueError, match=r"The inputs are words\. This tagger takes words, lengths\."):
        twin({"words": torch.ones(1, 1, dtype=torch.long)})


def test_a_tagger_that_runs_its_own_code_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    model: nn.Module = of_words.model_of()
    monkeypatch.setattr("tagsmith.modeling.exportable.IS_REMOTE", True)
    with pytest.raises(ModuleNotFoundError, match="Install tagsmith"):
        model.export_twin()
