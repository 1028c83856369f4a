"""`torch.compile`: a compiled tagger gives what the tagger gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from toys import weights_of
from transformers import TrainingArguments

import tagsmith
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer

# PyTorch's own, when it imports inductor.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")

TEXTS = ["Ada Lovelace lived in London .", "She left ."]


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
@pytest.mark.parametrize("train", [False, True])
def test_words(tiny_folder: Path, backend: str, train: bool) -> None:
    pipe = tagsmith.pipeline(tiny_folder)
    batch = pipe.tokenizer(TEXTS, padding=True, return_tensors="pt")
    labels = torch.where(batch["attention_mask"].bool(), 0, -100)
    model = pipe.model.train(train)
    losses = []
    for called in (model, torch.compile(model, backend=backend)):
        torch.manual_seed(1)
        model.zero_grad()
        output = called(**batch, labels=labels)
        if train:
            output.loss.backward()
        losses.append(output.loss.item())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_bytes(byte_folder: Path, backend: str) -> None:
    pipe = tagsmith.pipeline(byte_folder)
    batch = pipe.tokenizer(["Ada Lovelace", "left"], padding=True, return_tensors="pt")
    decoder = torch.full((2, 1), pipe.model.config.decoder_start_token_id)
    expected = pipe.model(**batch, decoder_input_ids=decoder).logits
    found = torch.compile(pipe.model, backend=backend)(**batch, decoder_input_ids=decoder).logits
    assert torch.equal(found, expected)


def test_a_trainer(tiny_folder: Path, tmp_path: Path) -> None:
    trained = []
    for compiled in (False, True):
        pipe = tagsmith.pipeline(tiny_folder)
        rows = [
            {**pipe.tokenizer.encode_words(text.split()), "labels": [0] * len(text.split()), "length": 1}
            for text in TEXTS
        ]
        arguments = TrainingArguments(
            str(tmp_path / str(compiled)), max_steps=2, use_cpu=True, torch_compile=compiled, report_to="none"
        )
        trainer = TaggerTrainer(
            model=pipe.model, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=pipe.tokenizer
        )
        trainer.train()
        trained.append(weights_of(trainer.model))
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


def calls(folder: Path) -> tuple[Any, dict[str, Any]]:
    """A tagger and what a step of training calls it with."""
    pipe = tagsmith.pipeline(folder)
    batch = pipe.tokenizer(["Ada Lovelace", "left"], padding=True, return_tensors="pt")
    words = pipe.model.config.model_type == "hierarchical-tagger"
    labels = torch.where(batch["attention_mask"].bool(), 0, -100) if words else torch.ones((2, 1), dtype=torch.long)
    return pipe.model.train(), {**batch, "labels": labels}


@pytest.mark.parametrize("family", ["tiny_folder", "byte_folder"])
def test_no_graph_breaks(family: str, request: pytest.FixtureRequest) -> None:
    """A compiled model is one call that runs as it is: there is no graph that could break."""
    model, inputs = calls(request.getfixturevalue(family))
    found = torch._dynamo.explain(model)(**inputs)
    assert found.graph_count == found.op_count == len(found.break_reasons) == 0
