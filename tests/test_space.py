"""The page in a browser as a static Space, on a Hub of this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from loopback_hub import LoopbackHub, Repository
from test_runtime import make_tagger
from test_runtime_bytes import TAGS, make_byte_tagger

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.publish import publish_tagger
from tagsmith.training.cards.space import CHOICES, stage_page
from tagsmith.training.commands.push_command import push
from tagsmith.training.data.strict_parsing import parse_yaml

ID, SPACE = "ada/tagger", "ada/page"
PAGE = {path.name for path in (Path(tagsmith.__path__[0]) / "browser").iterdir() if path.suffix in (".js", ".css")}
FILES = {"README.md", "index.html", *PAGE}
FILES |= {f"tagger/{name}" for name in ("config.json", "tokenizer_config.json", "vocab.json", "model.safetensors")}


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A tagger with a card, and a file that belongs nowhere."""
    folder = tmp_path / "tagger"
    shutil.copytree(tiny_folder, folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tagger\n", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    return folder


def files(hub: LoopbackHub) -> dict[str, bytes]:
    """Of the Space, without what the Hub puts there."""
    return {
        name: data for name, data in hub.repositories[f"spaces/{SPACE}"].tree().items() if name != ".gitattributes"
    }


def head(readme: bytes) -> Any:
    return parse_yaml(readme.decode().split("---\n")[1], Path("README.md"))[0]


def test_the_page_and_the_tagger(hub: LoopbackHub, folder: Path, capsys: Any) -> None:
    push(folder, ID, space=SPACE)
    assert capsys.readouterr().out == f"{hub.endpoint}/{ID}\n{hub.endpoint}/spaces/{SPACE}\n"
    space, found = hub.repositories[f"spaces/{SPACE}"], files(hub)
    assert set(found) == FILES and space.sdk == "static" and not space.private
    assert len(space.branches["main"]) == 2  # the Hub's own, and one
    model = hub.repositories[ID].tree()
    for name in FILES:
        if name.startswith("tagger/"):
            assert found[name] == model[name.removeprefix("tagger/")]
    assert b'data-tagger="tagger/"' in found["index.html"] and b"model_cards" not in found["index.html"]
    asked = {"sdk": "static", "app_file": "index.html", "models": [ID], "license": "apache-2.0", "title": "tagger"}
    assert asked.items() <= head(found["README.md"]).items()


def test_a_second_push_keeps_the_readme(hub: LoopbackHub, folder: Path) -> None:
    first = publish_tagger(folder, ID, space=SPACE)
    assert first.space and first.space.changed
    again = publish_tagger(folder, ID, space=SPACE)
    assert again.space and not again.space.changed
    mine = files(hub)["README.md"].replace(b"title: tagger", b"title: Names")
    HfApi().upload_file(path_or_fileobj=mine, path_in_repo="README.md", repo_id=SPACE, repo_type="space")
    publish_tagger(folder, ID, space=SPACE)
    assert files(hub)["README.md"] == mine
    publish_tagger(folder, "ada/other", space=SPACE)
    assert head(files(hub)["README.md"])["models"] == ["ada/other"]


def test_a_dry_run(hub: LoopbackHub, folder: Path, capsys: Any) -> None:
    push(folder, ID, space=SPACE, dry_run=True)
    listed = {line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert listed >= FILES and not hub.requests


def test_a_private_one(hub: LoopbackHub, folder: Path) -> None:
    publish_tagger(folder, ID, space=SPACE, private=True)
    assert hub.repositories[f"spaces/{SPACE}"].private
    hub.repositories[f"spaces/{SPACE}"].private = False
    with pytest.raises(InputError, match=f"{SPACE}: .*everybody can see it"):
        publish_tagger(folder, "ada/other", space=SPACE, private=True)
    assert "ada/other" not in hub.repositories


def test_what_the_page_does_not_have_is_refused_before_anything_is_sent(
    hub: LoopbackHub, tmp_path: Path, byte_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHOICES, "byte-to-span", {"decode": ["tags"], "input_order": ["forward"]})
    taggers = {byte_folder: 'decode: "spans"'}
    taggers[make_byte_tagger(tmp_path / "backwards", **TAGS, input_order="reversed")] = 'input_order: "reversed"'
    for tagger, reason in taggers.items():
        with pytest.raises(InputError, match=f"{reason}, which the page in a browser cannot compute"):
            publish_tagger(tagger, ID, space=SPACE)
    assert not hub.requests


def test_settings_of_generate_that_the_page_leaves_out(tmp_path: Path) -> None:
    tagger = make_byte_tagger(tmp_path / "tagger")
    stage_page(tagger, tmp_path / "page")
    path = tagger / "generation_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "repetition_penalty": 2.0}), encoding="utf-8")
    with pytest.raises(InputError, match="repetition_penalty"):
        stage_page(tagger, tmp_path / "other")


@pytest.mark.parametrize("kind", ["bytes", "gazetteer"])
def test_the_files_of_other_taggers(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "tagger"
    tagger = make_byte_tagger(folder, **TAGS) if kind == "bytes" else make_tagger(folder, gazetteer_size=9)
    stage_page(tagger, tmp_path / "page")
    more = {"generation_config.json"} if kind == "bytes" else {"vocab.json", "gazetteer.json"}
    found = {path.name for path in (tmp_path / "page" / "tagger").iterdir()}
    assert found == {"config.json", "tokenizer_config.json", "model.safetensors", *more}


def test_a_field_of_another_version(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "tomorrow": 1}), encoding="utf-8")
    with pytest.raises(InputError, match="does not know: tomorrow"):
        stage_page(folder, tmp_path / "page")


@pytest.mark.parametrize(("tagger", "space"), [(ID, "a b"), (ID, "page"), ("tagger", SPACE)])
def test_a_name(folder: Path, tagger: str, space: str) -> None:
    with pytest.raises(InputError, match="Write owner/name"):
        publish_tagger(folder, tagger, space=space, dry_run=True)


def test_a_space_of_another_kind_stays(hub: LoopbackHub, folder: Path) -> None:
    hub.repositories[f"spaces/{SPACE}"] = space = Repository(sdk="gradio")
    space.commit("main", {"app.py": b"theirs"})
    with pytest.raises(InputError, match=f"{SPACE}: .*no static one, but of the kind gradio"):
        publish_tagger(folder, ID, space=SPACE)
    assert set(files(hub)) == {"app.py"}
    assert len(hub.requests) == 1 and ID not in hub.repositories  # before the tagger is sent


@pytest.mark.parametrize("route", ["create", "commit"])
def test_a_failure(hub: LoopbackHub, folder: Path, route: str) -> None:
    publish_tagger(folder, ID)
    hub.refused[route] = 500
    with pytest.raises(InputError, match=r"the Hub has a problem \(500"):
        publish_tagger(folder, ID, space=SPACE)
    hub.refused.clear()
    found = publish_tagger(folder, ID, space=SPACE).space
    assert found and found.changed
