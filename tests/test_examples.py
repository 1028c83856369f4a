"""The examples run, and each is short and says what it shows."""

from __future__ import annotations

import ast
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT
from loopback_hub import LoopbackHub

import tagsmith

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
TRAINING = ["stock_trainer", "accelerate_loop", "hub_data_set", "joint_heads", "from_bytes"]

pytestmark = pytest.mark.usefixtures("datasets_cache")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What imports an example, as Python does when it runs one."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.mark.parametrize("name", TRAINING)
def test_training(name: str, load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(name).main(str(tmp_path))
    assert (tmp_path / "model.safetensors").is_file()
    assert capsys.readouterr().out


def test_tag_corpus(load: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("It rains in London.\n\nIt rains.\n", encoding="utf-8")
    load("tag_corpus").main(str(source), str(target))
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["It rains in London.", "", "It rains."]
    assert [(span["start"], span["end"], span["label"]) for span in rows[0]["spans"]] == [(12, 18, "LOC")]


def test_presidio(load: Any, tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("presidio_analyzer")
    example = load("presidio_recognizer")
    found = example.main("Angela Merkel was in London; the card is 4111 1111 1111 1111.")
    assert {one.entity_type for one in found} == {"PERSON", "LOCATION", "CREDIT_CARD"}
    assert "PERSON 'Angela Merkel'" in capsys.readouterr().out
    text = "Ada Lovelace lived in London ."
    expected: Any = tagsmith.pipeline(tiny_folder)(text)
    engine = example.analyzer(example.TaggerRecognizer(str(tiny_folder)))
    results = sorted(engine.analyze(text, language="en"), key=lambda result: result.start)
    assert [(one.start, one.end, one.entity_type) for one in results] == [(0, 12, "PERSON"), (22, 28, "LOCATION")]
    assert [one.score for one in results] == pytest.approx([span["score"] for span in expected], abs=1e-5)
    assert [one.entity_type for one in engine.analyze(text, language="en", entities=["LOCATION"])] == ["LOCATION"]
    sure = example.analyzer(example.TaggerRecognizer(str(tiny_folder), min_score=1.0))
    assert len(sure.analyze(text, language="en")) == sum(span["score"] >= 1 for span in expected)


def test_push_to_hub(load: Any, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LoopbackHub() as hub, hub.client(tmp_path):
        load("push_to_hub").main(str(tiny_folder), "ada/tiny")
        assert "model.safetensors" in hub.repositories["ada/tiny"].tree()
    assert "Ada Lovelace" in capsys.readouterr().out


def test_each_script_is_run() -> None:
    assert sorted([*TRAINING, "tag_corpus", "presidio_recognizer", "push_to_hub", "sample"]) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_is_short_and_says_how_to_run_it(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert text.count("\n") < 60
    said = ast.get_docstring(ast.parse(text)) or ""
    assert f"python examples/{name}.py" in said or name == "sample"
    assert f"`{name}.py`" in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_notebook_runs() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert "Ada Lovelace" in str(notebook.cells[2].outputs)
