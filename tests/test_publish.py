"""Publishing, over the real client, on a Hub of this machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi
from loopback_hub import LoopbackHub, Repository
from safetensors.torch import load_file, save_file
from toys import with_content, without
from transformers import AutoConfig, TrainingArguments
from transformers.pipelines import pipeline

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.cards.model_card import BEGIN
from tagsmith.training.cards.publish import publish_tagger
from tagsmith.training.commands.card_command import card
from tagsmith.training.commands.push_command import push
from tagsmith.training.tagging.load_tagger import load_tagger
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer

TEXT = "Ada Lovelace lived in London . Grace went to New York City ."
ID = "ada/tagger"
WEIGHTS = {"config.json", "model.safetensors"}
WORDS = {"tokenizer_config.json", "vocab.json"}
MODEL_CODE = {
    "byte_span_tagging.py",
    "byte_tags.py",
    "chain_recursions.py",
    "configuration_hierarchical_tagger.py",
    "crf.py",
    "dropout.py",
    "exportable.py",
    "forked.py",
    "fused_lstm.py",
    "int8.py",
    "label_smoothing.py",
    "linear_recurrence.py",
    "linear_scans.py",
    "modeling_hierarchical_tagger.py",
    "ngram_embedding.py",
    "ngram_hashes.py",
    "one_sequence.py",
    "packing.py",
    "pipeline_byte_span_tagging.py",
    "pipeline_span_tagging.py",
    "recurrent.py",
    "recurrent_cells.py",
    "remote_code.py",
    "score_calibration.py",
    "span_tagging.py",
    "state_crf.py",
    "symbol_rules.py",
    "tag_average.py",
    "tag_chain.py",
    "tag_grammar.py",
    "tag_rules.py",
    "tag_spans.py",
    "tagger_head.py",
    "tagger_shape.py",
    "unchanged.py",
    "word_cache.py",
    "word_reader.py",
}
WORD_CODE = {
    "composed.py",
    "encodings.py",
    "gazetteers.py",
    "input_error.py",
    "saved_tokenizer.py",
    "sentence_padding.py",
    "spans.py",
    "strict_json.py",
    "tokenization_hierarchical_tagger.py",
    "word_lookup.py",
    "word_vocabulary.py",
    "words.py",
}
CODE = MODEL_CODE | WORD_CODE
TAGGER = WEIGHTS | WORDS | CODE
HUBS = {".gitattributes"}
KINDS = ("public", "private")


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A tagger's folder as a training run leaves it, and what should never leave this machine."""
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tagger\n", encoding="utf-8")
    (folder / "curve.png").write_bytes(b"\x89PNG")
    (folder / "holiday.png").write_bytes(b"\x89PNG, a person's own")
    recipe = {
        "model": {"hidden_size": 10},
        "start_from": "/home/ada/earlier",
        "vectors": {"path": None, "paths": {"en": "C:\\data\\glove.txt", "da": "vectors/da.txt"}},
        "training": {"hub_token": "hf_ada", "seed": 1},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    results = {"minutes": 1, "files": ["../train.conll"], "pictures": {"learning_curve": "curve.png"}}
    results["data"] = {"": {"train": {"words": 9}, "examples": {"PER": ["Ada Private"]}}}
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (folder / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    for name in ("checkpoints/checkpoint-1/optimizer.pt", "training_args.bin", "notes.txt", "own.py", "model.bin"):
        (folder / name).write_bytes(b"hf_ada")
    return folder


def pushed(hub: LoopbackHub) -> set[str]:
    return set(hub.repositories[ID].tree()) - HUBS


class TestPush:
    """`tagsmith push`, and a tagger loaded back."""

    def test_everything_that_belongs_to_a_tagger(self, hub: LoopbackHub, folder: Path, capsys: Any) -> None:
        push(folder, ID)
        out, err = capsys.readouterr()
        assert out == f"{hub.endpoint}/{ID}\n"
        assert (
            "not published: /home/ada/earlier, C:\\data\\glove.txt, vectors/da.txt, hub_token, ../train.conll" in err
        )
        assert pushed(hub) == TAGGER | {"README.md", "recipe.yaml", "results.json", "curve.png"}
        assert len(hub.repositories[ID].branches["main"]) == 2  # the Hub's own, and one
        tree = hub.repositories[ID].tree()
        assert not any(
            secret in data for data in tree.values() for secret in (b"hf_ada", b"/home", str(folder).encode())
        )
        recipe = yaml.safe_load(tree["recipe.yaml"])
        assert recipe["start_from"] == "earlier" and recipe["training"] == {"seed": 1}
        assert recipe["vectors"] == {"path": None, "paths": {"en": "glove.txt", "da": "da.txt"}}
        results = json.loads(tree["results.json"])
        assert results["files"] == ["train.conll"] and results["data"] == {"": {"train": {"words": 9}}}
        assert not any(b"Ada Private" in data for data in tree.values())
        assert load_tagger(ID)(TEXT) == load_tagger(str(folder))(TEXT) != []

    def test_the_head_of_the_weights_is_not_published(self, hub: LoopbackHub, folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(load_file(path), path, metadata={"format": "pt", "from": "/home/ada/data"})
        publish_tagger(folder, ID)
        assert b"/home/ada" not in hub.repositories[ID].tree()["model.safetensors"]
        assert load_tagger(ID)(TEXT) == load_tagger(str(folder))(TEXT) != []

    def test_nothing_new(self, hub: LoopbackHub, folder: Path, capsys: Any) -> None:
        assert publish_tagger(folder, ID).changed
        hub.requests.clear()
        push(folder, ID)
        assert "there is no new commit" in capsys.readouterr().err
        assert len(hub.repositories[ID].branches["main"]) == 2
        assert not any("/commit/" in request for request in hub.requests)

    def test_files_of_an_earlier_tagger_do_not_stay(self, hub: LoopbackHub, folder: Path) -> None:
        publish_tagger(folder, ID)
        repository = hub.repositories[ID]
        more = {"gazetteer.json": b"{}", "pytorch_model.bin": b"\x80", "notes.md": b"by hand"}
        repository.commit("main", repository.tree() | more)
        assert publish_tagger(folder, ID).removed == ["gazetteer.json", "pytorch_model.bin"]
        assert set(more) & pushed(hub) == {"notes.md"}

    def test_a_dry_run_needs_no_network(self, folder: Path, capsys: Any) -> None:
        push(folder, ID, dry_run=True)
        out, err = capsys.readouterr()
        listed = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in out.splitlines()}
        assert set(listed) == TAGGER | {"README.md", "recipe.yaml", "results.json", "curve.png"}
        assert listed["model.safetensors"] == (folder / "model.safetensors").stat().st_size
        assert "nothing was sent" in err

    def test_a_branch_of_a_private_repository(self, hub: LoopbackHub, tiny_folder: Path, capsys: Any) -> None:
        push(tiny_folder, "tagger", private=True, revision="next")
        assert capsys.readouterr().out == f"{hub.endpoint}/{ID}/tree/next\n"
        repository = hub.repositories[ID]
        assert repository.private and set(repository.tree()) == HUBS
        assert set(repository.tree("next")) - HUBS == TAGGER
        assert not publish_tagger(tiny_folder, ID, revision="next").changed

    def test_a_byte_to_span_tagger(self, hub: LoopbackHub, byte_folder: Path) -> None:
        publish_tagger(byte_folder, ID)
        assert {"modeling_byte_to_span.py", "span_grammar.py", "tokenization_byte_to_span.py"} <= pushed(hub)
        assert not {"state_crf.py", "words.py"} & pushed(hub)
        assert load_tagger(ID)(TEXT) == load_tagger(str(byte_folder))(TEXT) != []


class TestWhatCannotBePushed:
    """One line for each."""

    @pytest.mark.parametrize(
        "spoil, words",
        [
            (shutil.rmtree, "there is no such folder"),
            (without("config.json"), r"not the folder of a tagger: config\.json is missing"),
            (without("vocab.json"), r"vocab\.json is missing"),
            (without("tokenizer_config.json"), r"tokenizer_config\.json is missing"),
            (without("model.safetensors"), r"no file named model\.safetensors"),
            (with_content("model.safetensors", b"\x10\0\0\0\0\0\0\0{"), "weights are damaged"),
            (with_content("recipe.yaml", b"a: ["), r"recipe\.yaml.*this is not YAML"),
            (with_content("results.json", b"{"), r"results\.json:1:2: no JSON"),
        ],
    )
    def test_a_folder(self, folder: Path, spoil: Callable[[Path], Any], words: str) -> None:
        spoil(folder)
        with pytest.raises(InputError, match=f"{re.escape(str(folder))}.*{words}") as caught:
            publish_tagger(folder, ID, dry_run=True)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["a/b/c", "a b", "-a/b", "a..b", "x" * 100, ""])
    def test_a_name(self, tiny_folder: Path, name: str) -> None:
        with pytest.raises(InputError, match="no name of a repository"):
            publish_tagger(tiny_folder, name, dry_run=True)

    @pytest.mark.parametrize(
        "token, name, words",
        [
            (None, ID, "there is no token for the Hub. Log in"),
            ("hf_wrong", ID, r"does not accept the token \(401: Invalid credentials"),
            ("hf_eve", ID, r"gives no right to do this \(403"),
            ("hf_eve", "ada/public", r"gives no right to do this \(403"),
            ("hf_eve", "ada/private", r"gives no right to do this \(403"),
        ],
    )
    def test_a_token(self, tiny_folder: Path, tmp_path: Path, token: str | None, name: str, words: str) -> None:
        with LoopbackHub() as hub:
            hub.repositories = {f"ada/{kind}": Repository.of(tiny_folder, kind == "private") for kind in KINDS}
            with hub.client(tmp_path, token), pytest.raises(InputError, match=f"{name}: .*{words}"):
                publish_tagger(tiny_folder, name)

    @pytest.mark.parametrize("route", ["create", "preupload", "put", "commit"])
    @pytest.mark.parametrize("cut", [False, True])
    def test_a_failure_half_way(self, hub: LoopbackHub, tiny_folder: Path, route: str, cut: bool) -> None:
        if cut:
            hub.cut = route
        else:
            hub.refused[route] = 500
        words = "the Hub cannot be reached" if cut else r"the Hub has a problem \(500"
        with pytest.raises(InputError, match=f"{ID}: {words}"):
            publish_tagger(tiny_folder, ID)
        assert not hub.repositories or not pushed(hub)
        hub.cut = None
        hub.refused.clear()
        assert publish_tagger(tiny_folder, ID).changed and pushed(hub) == TAGGER

    def test_without_a_network(self, hub: LoopbackHub, tiny_folder: Path) -> None:
        hub.__exit__()
        with pytest.raises(InputError, match="the Hub cannot be reached"):
            publish_tagger(tiny_folder, ID)

    def test_offline(self, hub: LoopbackHub, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(InputError, match="HF_HUB_OFFLINE forbids"):
            publish_tagger(tiny_folder, ID)

    def test_a_commit_of_somebody_else_meanwhile(self, hub: LoopbackHub, tiny_folder: Path) -> None:
        hub.before["preupload"] = lambda: hub.repositories[ID].commit("main", {"theirs": b""})
        with pytest.raises(InputError, match="somebody else has changed the repository"):
            publish_tagger(tiny_folder, ID)
        assert pushed(hub) == {"theirs"}

    def test_a_public_repository_is_not_taken_for_a_private_one(self, hub: LoopbackHub, tiny_folder: Path) -> None:
        publish_tagger(tiny_folder, ID)
        with pytest.raises(InputError, match="everybody can see it"):
            publish_tagger(tiny_folder, ID, private=True)


class TestLoading:
    """What `load_tagger` says of a name on the Hub."""

    @pytest.mark.parametrize(
        "token, name, words",
        [
            ("hf_ada", "ada/none", "no such repository on the Hub, or it is private"),
            (None, "ada/none", "no such repository on the Hub, or it is private"),
            (None, "ada/private", "no such repository on the Hub, or it is private"),
            ("hf_eve", "ada/private", "no such repository on the Hub, or it is private"),
            ("hf_wrong", "ada/private", r"does not accept the token \(401"),
            ("hf_ada", "ada/empty", r"config\.json is missing"),
            ("hf_ada", "ada/half", r"model\.safetensors is missing"),
            ("hf_ada", "ada--x/y..z", "no name of a repository"),
        ],
    )
    def test_a_repository(self, tiny_folder: Path, tmp_path: Path, token: str | None, name: str, words: str) -> None:
        with LoopbackHub() as hub:
            hub.repositories["ada/private"] = Repository.of(tiny_folder, private=True)
            for new, missing in (("ada/empty", "config.json"), ("ada/half", "model.safetensors")):
                hub.repositories[new] = Repository.of(tiny_folder)
                hub.repositories[new].tree().pop(missing)
            with (
                hub.client(tmp_path / "other", token),
                pytest.raises(InputError, match=f"{name}: .*{words}") as caught,
            ):
                load_tagger(name)
            assert "\n" not in str(caught.value)

    def test_offline(self, hub: LoopbackHub, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        publish_tagger(tiny_folder, ID)
        expected = load_tagger(ID)(TEXT)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert load_tagger(ID)(TEXT) == expected  # out of the cache
        with pytest.raises(
            InputError,
            match="ada/other: there is no such folder here, and this is not in the cache, and HF_HUB_OFFLINE",
        ):
            load_tagger("ada/other")

    def test_without_a_network(self, hub: LoopbackHub, tiny_folder: Path) -> None:
        publish_tagger(tiny_folder, ID)
        expected = load_tagger(ID)(TEXT)
        hub.__exit__()
        assert load_tagger(ID)(TEXT) == expected
        with pytest.raises(InputError, match=r"ada/other: .*the Hub cannot be reached"):
            load_tagger("ada/other")

    @pytest.mark.parametrize(
        "change, words",
        [
            (
                {"model_type": "bert"},
                "no tagger, but a model of type 'bert'. If a newer tagsmith has made it, upgrade",
            ),
            ({"teleport": True}, r"config\.json has what tagsmith \S+ does not know: teleport\. If a newer"),
            ({"output": "teleport"}, "cannot be loaded"),
        ],
    )
    def test_a_tagger_of_another_version(self, folder: Path, change: dict[str, Any], words: str) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | change
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(InputError, match=words) as caught:
            load_tagger(str(folder))
        assert "\n" not in str(caught.value)


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
