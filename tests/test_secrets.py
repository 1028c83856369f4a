"""Whatever the way of pushing, nothing goes up that is a person's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_hub import LoopbackHub
from test_publish import ID, TAGGER, TEXT, folder_of_a_run, pushed
from transformers import TrainingArguments

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.cards.publish import publish_tagger
from tagsmith.training.commands.card_command import card
from tagsmith.training.commands.push_command import push
from tagsmith.training.tagging.load_tagger import load_tagger
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return folder_of_a_run(tiny_folder, tmp_path)


def trained(folder: Path, tokenizer: HierarchicalTaggerTokenizer, config: Any, **arguments: Any) -> TaggerTrainer:
    """A trainer that has trained for two steps, and pushed what its strategy says."""
    row = {**tokenizer.encode_words(["Ada", "lived"]), "labels": [4, 0]}
    settings = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1, "hub_model_id": ID, "hub_token": "hf_ada"}
    trainer = TaggerTrainer(
        model=HierarchicalTaggerForTokenClassification(config),
        args=TrainingArguments(
            str(folder), push_to_hub=True, report_to=[], disable_tqdm=True, **settings, **arguments
        ),
        train_dataset=[row, row],
        data_collator=TaggerCollator(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    return trainer


class TestSecrets:
    """Whatever the way of pushing, nothing goes up but what `tagsmith push` would send."""

    @pytest.mark.parametrize("strategy", ["end", "every_save"])
    @pytest.mark.parametrize("by_hand", [False, True])
    def test_a_trainer(
        self, hub: LoopbackHub, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, strategy: str, by_hand: bool
    ) -> None:
        folder = tmp_path / "private run"
        folder.mkdir()
        (folder / "diary.txt").write_text("dear diary", encoding="utf-8")
        trainer = trained(folder, tiny_tokenizer, tiny_model.config, hub_strategy=strategy, hub_always_push=True)
        if by_hand:
            trainer.push_to_hub(language="en", license="apache-2.0", tags="names")
        trainer._finish_current_push()
        found = pushed(hub) if ID in hub.repositories else set()
        assert found - {"README.md"} == (TAGGER if by_hand or strategy == "every_save" else set())
        assert ("README.md" in found) == by_hand
        for commit in hub.repositories[ID].branches["main"]:
            for name, data in hub.repositories[ID].tree(commit).items():
                secrets = (b"hf_ada", str(tmp_path).encode(), str(Path.home()).encode() + b"/", b"dear diary")
                assert not any(secret in data for secret in secrets), name
        if by_hand:
            card = hub.repositories[ID].tree()["README.md"].decode()
            assert "library_name: tagsmith" in card and "- names" in card and "license: apache-2.0" in card

    @pytest.mark.parametrize("strategy", ["checkpoint", "all_checkpoints"])
    def test_checkpoints_are_not_published(
        self, hub: LoopbackHub, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, strategy: str
    ) -> None:
        with pytest.raises(ValueError, match=r"would publish the training arguments.*Use 'every_save' or 'end'"):
            trained(tmp_path, tiny_tokenizer, tiny_model.config, hub_strategy=strategy)

    def test_models_tokenizers_and_pipelines_of_a_folder(self, hub: LoopbackHub, folder: Path) -> None:
        tagger = load_tagger(str(folder))
        for part in (tagger.model.config, tagger.model, tagger.tokenizer, tagger):
            part.push_to_hub(ID)
        assert not any(str(folder).encode() in data for data in hub.repositories[ID].tree().values())

    def test_spans_of_the_training_data_on_request(self, hub: LoopbackHub, folder: Path) -> None:
        card(folder, examples=True)
        publish_tagger(folder, ID)
        tree = hub.repositories[ID].tree()
        assert b"Ada Private" in tree["results.json"] and b"Ada Private" in tree["README.md"]
        card(folder, examples=False)
        publish_tagger(folder, ID)
        assert not any(b"Ada Private" in data for data in hub.repositories[ID].tree().values())

    def test_strings_that_somebody_put_into_a_configuration(
        self, hub: LoopbackHub, folder: Path, byte_folder: Path, tmp_path: Path
    ) -> None:
        secrets = ["hunter22", "hf_abcdefghijk", str(tmp_path), str(Path.home()) + "/", "pa55", "AKIAABCDEFGHIJKLMNOP"]
        bytes_folder = tmp_path / "bytes"
        shutil.copytree(byte_folder, bytes_folder)
        for own in (folder, bytes_folder):
            for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
                content = json.loads((own / name).read_text()) if (own / name).exists() else {}
                content["x_token_id" if name == "config.json" else "task"] = {
                    "data": f"{own}/private/train.conll",
                    "home": f"made in {Path.home()}/x with hf_abcdefghijk",
                    "source": "https://ada:pa55@example.org/x.git",
                    "api_key": "hunter22",
                    "deep": [{"password": "hunter22", "note": "AWS_ACCESS_KEY_ID=AKIAABCDEFGHIJKLMNOP"}],
                }
                (own / name).write_text(json.dumps(content), encoding="utf-8")
            recipe = {"training": {"hub_token": "hunter22", "passwd": "hunter22", "seed": 1}}
            (own / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
            results = {"command": "tagsmith train x --set training.hub_token=hunter22", "secret": "hunter22"}
            (own / "results.json").write_text(json.dumps(results), encoding="utf-8")
            private = publish_tagger(own, ID).private_values
            assert {"api_key", "password", "hub_token", "passwd", "secret", "a token or password"} <= {*private}
            for name, data in hub.repositories[ID].tree().items():
                assert not [secret for secret in secrets if secret.encode() in data], name
            kept = json.loads(hub.repositories[ID].tree()["config.json"])["id2label"]
            assert kept == json.loads((own / "config.json").read_text())["id2label"]
            assert load_tagger(ID)(TEXT) == load_tagger(str(own))(TEXT)

    @pytest.mark.parametrize("part", ["model", "config", "tokenizer", "pipeline"])
    @pytest.mark.parametrize("family", ["words", "bytes"])
    def test_nor_are_they_by_other_ways(
        self, hub: LoopbackHub, folder: Path, byte_folder: Path, part: str, family: str
    ) -> None:
        pipe = load_tagger(str(folder if family == "words" else byte_folder))
        note = {"data": f"{folder}/private/train.conll", "api_key": "hunter22", "note": "with hf_abcdefghijk"}
        pipe.model.config.note = note
        pipe.tokenizer.init_kwargs["note"] = note
        pushed_by = {"model": pipe.model, "config": pipe.model.config, "tokenizer": pipe.tokenizer, "pipeline": pipe}
        pushed_by[part].push_to_hub(ID)
        assert pipe.model.config.note == note
        tree = hub.repositories[ID].tree()
        assert ("README.md" in tree) == (part in ("model", "pipeline"))
        for name, data in tree.items():
            for secret in ("hunter22", "hf_abcdefghijk", str(folder), str(Path.home()) + "/"):
                assert secret.encode() not in data, name
        kept = json.loads(tree.get("config.json") or tree["tokenizer_config.json"])
        assert kept["note"]["data"] == "train.conll"

    def test_a_persons_own_text_is_not_rewritten(self, hub: LoopbackHub, folder: Path, capsys: Any) -> None:
        text = (
            "# Mine\n<details><summary>See [here](docs/a.md)</summary></details>\n"
            f"Trained on data/private/train.conll\nand {folder}/notes.txt.\nMy hub_token=hf_abcdefghijk\n"
            "and https://ada:pa55@example.org/x. See https://a.b/c.html, and/or model_cards/x.\n"
        )
        path = folder / "README.md"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="--keep-readme") as caught:
            push(folder, ID)
        for said in (
            "line 3 (data/private",
            f"line 4 ({folder}/notes.txt)",
            "line 5 (a token or",
            "line 6 (a token",
        ):
            assert said in str(caught.value).replace("README.md:", ""), str(caught.value)
        assert "hf_abcdefghijk" not in str(caught.value) and "summary" not in str(caught.value)
        assert ID not in hub.repositories and path.read_text(encoding="utf-8") == text
        push(folder, ID, keep_readme=True)
        assert text.strip() in hub.repositories[ID].tree()["README.md"].decode()
        path.write_text("# Mine\nSee [here](docs/a.md), PER/LOC and 1/2/2020.\n", encoding="utf-8")
        publish_tagger(folder, ID)

    def test_what_a_trainer_left_is_removed_and_said(
        self, hub: LoopbackHub, folder: Path, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, capsys: Any
    ) -> None:
        left = ["runs/May_1/events.out.tfevents.1", "trainer_state.json", "training_args.bin"]
        publish_tagger(folder, ID)
        repository = hub.repositories[ID]
        repository.commit("main", repository.tree() | dict.fromkeys([*left, "notes.md"], b"hf_ada"))
        push(folder, ID)
        assert (
            "revoke that token" in capsys.readouterr().err and not pushed(hub) & {*left} and "notes.md" in pushed(hub)
        )
        repository.commit("main", repository.tree() | dict.fromkeys([*left, "notes.md"], b"hf_ada"))
        with pytest.warns(UserWarning, match=r"training_args.bin.*history.*revoke that token"):
            trainer = trained(tmp_path / "run", tiny_tokenizer, tiny_model.config, hub_strategy="end")
        trainer.push_to_hub()
        assert not pushed(hub) & {*left} and "notes.md" in pushed(hub)
