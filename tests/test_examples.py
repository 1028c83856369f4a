"""The examples run, and each is short and says what it shows."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from documents import ROOT
from loopback_hub import LoopbackHub
from toys import weights_in

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


@pytest.mark.slow
def test_two_processes_are_as_one(tmp_path: Path) -> None:
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    said = {}
    for name, launch in {"1": [], "2": two}.items():
        command = [sys.executable, *launch, str(EXAMPLES / "data_parallel.py"), str(tmp_path / name)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        run = subprocess.run(command, env=environment, timeout=400, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr[-3000:]
        found = re.search(rf"^{name} processes: loss (\S+), dev F1 (\S+)$", run.stdout, flags=re.MULTILINE)
        assert found, run.stdout
        said[name] = [float(number) for number in found.groups()]
    assert said["2"] == pytest.approx(said["1"], rel=1e-3, abs=0.01)
    one, other = weights_in(tmp_path / "1"), weights_in(tmp_path / "2")
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-2, atol=1e-3, msg=name)


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


def in_frames(load: Any, texts: list[str], model: Path) -> list[Any]:
    """What the example of Spark gives for texts, in frames of two."""
    frames = [pd.DataFrame({"id": range(2), "text": texts[at : at + 2]}) for at in range(0, len(texts), 2)]
    tagged = pd.concat(load("spark_job").tag_frames(frames, str(model)))
    assert list(tagged) == ["id", "text", "spans"] and tagged["text"].tolist() == texts
    return list(tagged["spans"])


def test_frames_of_spark(load: Any, tiny_folder: Path) -> None:
    texts = ["Ada Lovelace lived in London .", "", "It rains .", "Grace went to New York City ."]
    assert in_frames(load, texts, tiny_folder) == tagsmith.pipeline(tiny_folder)(texts)


@pytest.mark.slow
def test_spark(tiny_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    texts = ["Ada Lovelace lived in London .", "", "It rains .", "Grace went to New York City ."] * 10
    source, target = tmp_path / "in.json", tmp_path / "out"
    rows = [json.dumps({"id": number, "text": text}) for number, text in enumerate(texts)]
    source.write_text("\n".join(rows), encoding="utf-8")
    command = [sys.executable, str(EXAMPLES / "spark_job.py"), str(source), str(target), str(tiny_folder)]
    subprocess.run(command, timeout=400, check=True)
    parts = [path.read_text(encoding="utf-8").splitlines() for path in target.glob("*.json")]
    found = {row["id"]: row["spans"] for part in parts for row in map(json.loads, part)}
    expected: Any = tagsmith.pipeline(tiny_folder)(texts)
    assert len(found) == len(texts)
    for number, spans in enumerate(expected):
        assert [(one["start"], one["end"], one["word"], one["entity_group"]) for one in found[number]] == [
            (one["start"], one["end"], one["word"], one["entity_group"]) for one in spans
        ]


def test_push_to_hub(load: Any, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LoopbackHub() as hub, hub.client(tmp_path):
        load("push_to_hub").main(str(tiny_folder), "ada/tiny")
        assert "model.safetensors" in hub.repositories["ada/tiny"].tree()
    assert "Ada Lovelace" in capsys.readouterr().out


def test_each_script_is_run() -> None:
    others = ["tag_corpus", "data_parallel", "presidio_recognizer", "push_to_hub", "sample", "spark_job"]
    assert sorted([*TRAINING, *others]) == SCRIPTS


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
    assert "Charles Babbage" in str(notebook.cells[2].outputs)
