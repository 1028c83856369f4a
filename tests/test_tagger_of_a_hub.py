"""What `load_tagger` says of a name on the Hub, and of another version's tagger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub, Repository
from test_publish import ID, TEXT, folder_of_a_run

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.publish import publish_tagger
from tagsmith.training.tagging.load_tagger import load_tagger


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return folder_of_a_run(tiny_folder, tmp_path)


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
