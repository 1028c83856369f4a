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
from loopback_hub import LoopbackHub, Repository
from safetensors.torch import load_file, save_file
from toys import with_content, without

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.publish import publish_tagger
from tagsmith.training.commands.push_command import push
from tagsmith.training.tagging.load_tagger import load_tagger

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
    "log_chain.py",
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
    "word_kinds.py",
    "word_memory.py",
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


def folder_of_a_run(tagger: Path, tmp_path: Path) -> Path:
    """A tagger's folder as a training run leaves it, and what should never leave this machine."""
    folder = tmp_path / "tagger"
    shutil.copytree(tagger, folder)
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


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return folder_of_a_run(tiny_folder, tmp_path)


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
