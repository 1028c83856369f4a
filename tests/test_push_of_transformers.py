"""The ways of transformers to push, on a Hub of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import HfApi
from loopback_hub import LoopbackHub
from test_publish import ID, MODEL_CODE, TAGGER, TEXT, pushed
from transformers import AutoConfig, TrainingArguments
from transformers.pipelines import pipeline

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.cards.model_card import BEGIN
from tagsmith.training.tagging.load_tagger import load_tagger
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


def check_card(hub: LoopbackHub) -> str:
    """The card is ours, with what the Hub's page and its readers want."""
    card = hub.repositories[ID].tree()["README.md"].decode()
    for part in ("library_name: tagsmith", "pipeline_tag: token-classification", "widget:\n- text: ", BEGIN):
        assert part in card, part
    for part in ("pip install", f'tagsmith.pipeline("{ID}")'):
        assert part in card, part
    return card


class TestTransformers:
    """The ways of transformers to push."""

    def test_model_tokenizer_and_configuration(
        self,
        hub: LoopbackHub,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
    ) -> None:
        tiny_model.config.push_to_hub(ID)
        assert pushed(hub) == {"config.json"} | MODEL_CODE
        tiny_model.push_to_hub(ID)
        check_card(hub)
        tiny_tokenizer.push_to_hub(ID)
        assert pushed(hub) == TAGGER | {"README.md"}
        check_card(hub)
        config = json.loads(hub.repositories[ID].tree()["config.json"])
        assert set(config["auto_map"]) == {"AutoConfig", "AutoModel", "AutoModelForTokenClassification"}
        assert config["custom_pipelines"]["span-tagging"]["impl"] == "pipeline_span_tagging.SpanTaggingPipeline"
        assert not hasattr(tiny_model.config, "auto_map") and not hasattr(AutoConfig.from_pretrained(ID), "auto_map")
        assert pipeline("span-tagging", model=ID)(TEXT) == load_tagger(ID)(TEXT)  # the installed code

    def test_pipeline(self, hub: LoopbackHub, tiny_folder: Path, byte_folder: Path) -> None:
        for folder in (tiny_folder, byte_folder):
            tagger = load_tagger(str(folder))
            tagger.push_to_hub(ID)
            assert load_tagger(ID)(TEXT) == tagger(TEXT)
            check_card(hub)

    def test_a_card_that_is_there_stays(self, hub: LoopbackHub, tiny_folder: Path) -> None:
        tagger = load_tagger(str(tiny_folder))
        tagger.push_to_hub(ID, tags=["names"])
        assert "- names" in check_card(hub)
        HfApi().upload_file(path_or_fileobj=b"mine", path_in_repo="README.md", repo_id=ID)
        tagger.model.push_to_hub(ID)
        assert b"mine" in hub.repositories[ID].tree()["README.md"]

    def test_trainer(
        self,
        hub: LoopbackHub,
        tiny_model: HierarchicalTaggerForTokenClassification,
        tiny_tokenizer: HierarchicalTaggerTokenizer,
        tmp_path: Path,
    ) -> None:
        row = {**tiny_tokenizer.encode_words(["Ada", "lived"]), "labels": [4, 0]}
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "run"),
            max_steps=1,
            push_to_hub=True,
            hub_model_id=ID,
            hub_strategy="end",
            disable_tqdm=True,
            report_to=[],
        )
        trainer = TaggerTrainer(
            model=HierarchicalTaggerForTokenClassification(tiny_model.config),
            args=arguments,
            train_dataset=[row, row],
            data_collator=TaggerCollator(tiny_tokenizer),
            processing_class=tiny_tokenizer,
        )
        trainer.train()
        trainer.push_to_hub()
        assert pushed(hub) >= TAGGER
        check_card(hub)
        assert isinstance(load_tagger(ID)(TEXT), list)
