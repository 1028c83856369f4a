"""Two draws of dropout drawn towards each other: how far they are apart, by enumeration, and training by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_byte_trainer import make_trainer as make_byte_trainer
from test_distillation import LABELS, LENGTHS, distribution, sentences
from test_tagger_trainer import Toy, make_model, make_trainer, toy
from toys import BYTE_MODEL, assert_last_line, tagsmith, toy_file

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.tagger_head import TaggerHead
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.training.trainers.divergence import disagreement

__all__ = ["toy"]  # a fixture


def head_of(output: str) -> TaggerHead:
    torch.manual_seed(1)
    head = TaggerHead(HierarchicalTaggerConfig(output=output), HeadShape(LABELS, "IOB2"), 2).double()
    for weight in head.parameters():
        torch.nn.init.normal_(weight)
    return head


def test_of_tag_sequences() -> None:
    head, (one, mask), (other, _) = head_of("crf"), sentences(2), sentences(3)
    assert head.crf is not None
    wanted = torch.zeros((), dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        legal, every = (
            [distribution(head.crf, own[row], length, legal=legal) for own in (one, other)] for legal in (True, False)
        )
        for towards in (0, 1):
            for sequence, log in legal[towards].items():
                wanted += log.exp() * (every[towards][sequence] - every[1 - towards][sequence]) / 2
    torch.testing.assert_close(disagreement(head, one, other, mask), wanted / len(LENGTHS))
    assert abs(disagreement(head, one, one.clone(), mask)) < 1e-12


def test_of_words() -> None:
    head, (one, mask), (other, _) = head_of("softmax"), sentences(2), sentences(3)
    p, q = one[mask].float().softmax(-1), other[mask].float().softmax(-1)
    wanted = ((p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1)).mean() / 2
    torch.testing.assert_close(disagreement(head, one, other, mask), wanted)
    assert disagreement(head, one, one.clone(), mask) == 0


@pytest.mark.parametrize("output", ["crf", "softmax"])
def test_either_moves_towards_the_other(output: str) -> None:
    head, (one, mask), (other, _) = head_of(output), sentences(2), sentences(3)
    one.requires_grad_()
    apart = disagreement(head, one, other, mask)
    (gradient,) = torch.autograd.grad(apart, one)
    assert gradient[mask].abs().sum() > 0 and not gradient[~mask].any()
    assert disagreement(head, one - 0.01 * gradient, other, mask) < apart


def test_nothing_is_apart_of_nothing() -> None:
    mask = torch.zeros(1, 2, dtype=torch.bool)
    empty = torch.zeros(1, 2, len(LABELS), dtype=torch.float64)
    assert (
        disagreement(head_of("crf"), empty, empty, mask) == disagreement(head_of("softmax"), empty, empty, mask) == 0
    )


def test_training(toy: Toy, tmp_path: Path) -> None:
    """What two draws of dropout say is closer together for it."""
    apart = []
    for weight in (0.0, 5.0):
        model = make_model(toy, embedding_dropout=0.3, hidden_dropout=0.3)
        trainer = make_trainer(toy, tmp_path, model=model, trainer={"consistency": weight}, num_train_epochs=3)
        trainer.train()
        batch = next(iter(trainer.get_train_dataloader()))
        batch.pop("labels")
        torch.manual_seed(5)
        with torch.no_grad():
            draws = [model.train()(**batch).logits for _ in range(2)]
            apart.append(float(disagreement(model.head(), *draws, batch["attention_mask"].bool())))
    assert 0 < apart[1] < apart[0]


def test_what_is_refused(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"consistency is -1\.0; it cannot be negative"):
        make_trainer(toy, tmp_path, trainer={"consistency": -1.0})
    with pytest.raises(ValueError, match="transitions that depend on the state"):
        make_trainer(toy, tmp_path, model=make_model(toy, transitions="state"), trainer={"consistency": 1.0})
    with pytest.raises(ValueError, match=r"for hierarchical taggers.*byte-to-span"):
        make_byte_trainer(tmp_path, consistency=1.0)


@pytest.mark.parametrize("recipe", ["ner", "byte-ner"])
@pytest.mark.usefixtures("datasets_cache")
def test_a_recipe(tmp_path: Path, recipe: str) -> None:
    """Of the command; of several heads, too."""
    data = toy_file(tmp_path / "train.conll", 8, 1)
    model = [f"--set=model.{name}={value}" for name, value in BYTE_MODEL.items()] if recipe == "byte-ner" else []
    outcome = tagsmith(
        "train", recipe, "--train", data, "--output-dir", tmp_path / "x", *model, "--set", "consistency=1"
    )
    if recipe == "byte-ner":
        assert_last_line(outcome, "consistency")
        return
    assert outcome.code == 0
    heads: dict[str, Any] = {"a": data, "b": data}
    files = [option for name, path in heads.items() for option in ("--train", f"{name}={path}")]
    both = tagsmith("train", "joint-languages", *files, "--output-dir", tmp_path / "y", "--set", "consistency=1")
    assert both.code == 0
