"""Taggers on a machine that has torch and transformers, but not this package."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from loopback_hub import LoopbackHub, Repository
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer
from transformers.pipelines import pipeline

from tagsmith.training.tagging.load_tagger import load_tagger

TEXT = "Ada Lovelace lived in London . Grace went to New York City ."

# Run where `import tagsmith` fails. Its argument: for each family a folder, a name on the Hub, a name to push to, and
# a folder to save to.
ELSEWHERE = """
import json, sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tagsmith":
            raise ModuleNotFoundError("No module named 'tagsmith'", name=name)

sys.meta_path.insert(0, NotInstalled())
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSeq2SeqLM, AutoModelForTokenClassification, AutoTokenizer
from transformers import pipeline

text = "TEXT"

def refused(load, place):
    try:
        load(place)
    except ValueError as error:
        return "trust_remote_code=True" in str(error)

def tag(place):
    return pipeline("span-tagging", model=place, trust_remote_code=True)(text)

def try_out(folder, name, new_name, saved):
    autos = AutoConfig, AutoModelForTokenClassification, AutoTokenizer
    loads = [*(auto.from_pretrained for auto in autos), lambda place: pipeline("span-tagging", model=place)]
    found = {"refused": [refused(load, name) for load in loads] + [refused(loads[0], folder)]}
    found["spans"] = [tag(folder), tag(name)]

    config, model, tokenizer = (auto.from_pretrained(name, trust_remote_code=True) for auto in autos)
    more = [AutoModel] + [AutoModelForSeq2SeqLM] * config.is_encoder_decoder
    parts = [config, model, tokenizer, *(auto.from_pretrained(name, trust_remote_code=True) for auto in more)]
    found["classes"] = [type(part).__name__ for part in parts]

    model.train()
    if config.is_encoder_decoder:
        inputs = {**tokenizer(text[:16], return_tensors="pt"), "labels": torch.tensor([[config.stop_id]])}
    else:
        batch = tokenizer.pad_sentences([{**tokenizer.encode_words(["Ada", "lived"]), "labels": [4, 0]}])
        inputs = {key: torch.from_numpy(value) for key, value in batch.items()}
    before = model(**inputs).loss
    before.backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    found["learnt"] = model(**inputs).loss.item() < before.item()

    tagger = pipeline("span-tagging", model=name, trust_remote_code=True)
    tagger.model = model.eval()
    found["tuned"] = tagger(text)
    tagger.save_pretrained(saved)
    tagger.push_to_hub(new_name)
    found["again"] = [tag(saved), tag(new_name)]
    return found

print(chr(10) + json.dumps({family: try_out(*places) for family, places in json.loads(sys.argv[1]).items()}))
""".replace("TEXT", TEXT)


@pytest.fixture(params=["words", "bytes"])
def family(request: pytest.FixtureRequest) -> str:
    """Either of them."""
    return request.param


@pytest.fixture
def folder(family: str, tiny_folder: Path, byte_folder: Path) -> Path:
    """A tagger of the family."""
    return {"words": tiny_folder, "bytes": byte_folder}[family]


class Elsewhere(NamedTuple):
    """What came of a process without this package."""

    found: dict[str, Any]
    saved: Path
    hub: LoopbackHub


@pytest.fixture(scope="module")
def elsewhere(tiny_folder: Path, byte_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Both families in one process: it is its imports that take long."""
    place = tmp_path_factory.mktemp("elsewhere")
    with LoopbackHub() as hub:
        given = {}
        for family, folder in (("words", tiny_folder), ("bytes", byte_folder)):
            hub.repositories[f"ada/{family}"] = Repository.of(folder)
            given[family] = [str(folder), f"ada/{family}", f"ada/{family}-tuned", str(place / family)]
        run = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, json.dumps(given)],
            cwd=place,
            env={**hub.environment(place / "home"), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stderr
    return Elsewhere(json.loads(run.stdout.splitlines()[-1]), place, hub)


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Spans exactly, scores within 1e-5."""
    assert expected
    assert [{**span, "score": 0} for span in found] == [{**span, "score": 0} for span in expected]
    assert [span["score"] for span in found] == pytest.approx([span["score"] for span in expected], abs=1e-5)


@pytest.mark.slow
def test_where_this_package_is_not_installed(elsewhere: Elsewhere, family: str, folder: Path) -> None:
    found, here = elsewhere.found[family], load_tagger(str(folder))
    assert all(found["refused"])
    for spans in found["spans"]:
        assert_same(spans, here(TEXT))
    classes = [type(here.model.config), type(here.model), type(here.tokenizer), type(here.model.base_model)]
    assert [cls.__name__ for cls in classes] == found["classes"][:4]
    assert found["classes"][4:] == ([] if family == "words" else ["ByteToSpanForSpanTagging"])


@pytest.mark.slow
def test_a_tagger_that_was_trained_on_there(elsewhere: Elsewhere, family: str, folder: Path) -> None:
    found, saved = elsewhere.found[family], elsewhere.saved / family
    assert found["learnt"]
    for spans in (*found["again"], load_tagger(str(saved))(TEXT)):
        assert_same(spans, found["tuned"])
    files = {path.name for path in folder.iterdir()}
    assert {path.name for path in saved.iterdir()} == files
    assert elsewhere.hub.repositories[f"ada/{family}-tuned"].tree().keys() - {".gitattributes", "README.md"} == files


def test_the_code_of_a_checkpoint_is_not_run_unasked(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "tagger"
    shutil.copytree(folder, other)
    expected = load_tagger(str(folder))(TEXT)
    for path in other.glob("*.py"):
        path.write_text(f"raise RuntimeError({path.name!r})", encoding="utf-8")
    for load in (AutoConfig, AutoModelForTokenClassification, AutoTokenizer):
        load.from_pretrained(other)
    assert load_tagger(str(other))(TEXT) == pipeline("span-tagging", model=str(other))(TEXT) == expected


def test_what_travels_needs_nothing_but_transformers_and_torch(folder: Path) -> None:
    needed = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                needed |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                needed.add((node.module or "").partition(".")[0])
    of_transformers = {"huggingface_hub", "numpy", "tokenizers", "safetensors"}
    assert needed - set(sys.stdlib_module_names) <= {"torch", "transformers", *of_transformers}


def test_no_place_of_this_machine_travels(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(folder).encode() not in content and str(Path.home()).encode() not in content, path.name
