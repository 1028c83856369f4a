"""Hierarchical taggers saved and loaded, here and where there is no tagsmith."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_modeling_hierarchical_tagger import CHARACTER_ENCODERS, batch_of, config_of, model_of, without_labels
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import (
    HierarchicalTaggerForTokenClassification,
    HierarchicalTaggerModel,
)
from tagsmith.modeling.tag_grammar import legal_transitions
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer

PACKAGE = Path(tagsmith.__file__).parent


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
