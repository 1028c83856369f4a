"""Exported taggers: graph, weights and manifest, and what ONNX Runtime finds by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_runtime import FROZEN, SHAPES, assert_same, fuzz_texts, make_tagger, sample_texts
from toys import assert_one_line, tagsmith

import tagsmith as package
from tagsmith.runtime import load
from tagsmith.runtime.packed_rows import Packed
from tagsmith.runtime.word_tagger import WordTable
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.tagging.export import export_tagger
from tagsmith.training.tagging.runtimes import usual_runtime

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TEXTS = [
    "Ada Lovelace met Juan de Vega in New York City .",
    "",
    "It rains\nin Lund , 1843 .",
    "東京 👨\u200d👩\u200d👧 x",
    "Ada",
]


def export(folder: Path, output: Path, **options: Any) -> Any:
    """Export a tagger; the pipeline of it as it was."""
    pipeline = package.pipeline(folder, device="cpu")
    export_tagger(pipeline, output, str(folder), **options)
    return pipeline


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(tmp_path: Path, name: str) -> None:
    folder = make_tagger(tmp_path / "own", **SHAPES[name])
    export(folder, tmp_path / "out")
    expected = package.pipeline(tmp_path / "out")(TEXTS)  # of the weights in 16 bits
    assert any(expected)
    for runtime in ("onnx", "numpy"):
        tagger = load(tmp_path / "out", runtime)
        for batch_size in (64, 1):
            assert_same(tagger(TEXTS, batch_size=batch_size), expected)


@pytest.mark.parametrize("name", SHAPES)
def test_the_whole_graph(tmp_path: Path, name: str) -> None:
    """In one piece, as other languages may take it: the emissions of the model, of sentences of several lengths."""
    folder = make_tagger(tmp_path / "own", **SHAPES[name])
    export(folder, tmp_path / "out")
    pipeline, runtime = package.pipeline(tmp_path / "out"), load(tmp_path / "out", "onnx")
    ids = pipeline.tokenizer([TEXTS[0], TEXTS[4], "It saw Lund"], return_tensors="pt")
    expected, mask = pipeline.model(**ids).logits.detach().numpy(), ids["attention_mask"].bool().numpy()
    characters = ids["character_ids"].numpy()[mask] if "character_ids" in ids else np.zeros((mask.sum(), 1), int)
    spelling = np.zeros(mask.shape, dtype=np.int64)
    spelling[mask] = np.arange(mask.sum())
    feed = {
        "words": ids["input_ids"].numpy(),
        "lengths": mask.sum(1).astype(np.int32),
        "spelling": spelling,
        "characters": characters,
        "character_lengths": (characters > 0).sum(1).astype(np.int32),
    }
    if "gazetteer_features" in ids:
        feed["gazetteer"] = ids["gazetteer_features"].numpy().astype(np.float32)
    if runtime.network.ngrams is not None:
        feed["ngrams"] = runtime.network.ngrams.rows_of_words(characters)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    taken = {item.name: feed[item.name] for item in session.get_inputs()}
    found = session.run(["emissions"], taken)[0].reshape(expected.shape)
    assert np.abs(found - expected)[mask].max() < max(1e-4, 1e-6 * np.abs(expected[mask]).max())  # float32 has no more


def test_several_heads(tmp_path: Path) -> None:
    pipeline = export(FROZEN / "heads", tmp_path / "out")
    for head in pipeline.model.config.head_names:
        found = load(tmp_path / "out", "onnx")(TEXTS, head=head)
        assert_same(found, package.pipeline(tmp_path / "out")(TEXTS, head=head))


def test_a_tagger_that_runs_its_own_code_says_what_to_install(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = package.pipeline(tiny_folder).model
    monkeypatch.setattr("tagsmith.modeling.exportable.IS_REMOTE", True)
    with pytest.raises(ModuleNotFoundError, match="Install tagsmith"):
        model.export_onnx(tmp_path)


def test_the_calibration_is_exported_and_read(tiny_folder: Path, tmp_path: Path) -> None:
    pipeline = package.pipeline(tiny_folder)
    pipeline.model.config.calibration = {"": {"temperature": 2.0, "shift": -0.5, "min_scores": {"PER": 0.3}}}
    pipeline.save_pretrained(tmp_path / "own")
    export(tmp_path / "own", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert content["calibration"] == pipeline.model.config.calibration
    for runtime in ("numpy", "onnx"):
        assert_same(load(tmp_path / "out", runtime)(TEXTS), package.pipeline(tmp_path / "out")(TEXTS))


def test_one_copy_of_the_weights_in_16_bits(tiny_folder: Path, tmp_path: Path) -> None:
    pipeline = export(tiny_folder, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    wanted = {"config.json", "manifest.json", "model.onnx", "model.safetensors", "tokenizer_config.json", "vocab.json"}
    wanted |= {"words.onnx", "sentences.onnx", "sentence.onnx"}
    assert names == wanted
    graph = onnx.load(tmp_path / "out" / "model.onnx", load_external_data=False)
    assert all(tensor.external_data and not tensor.raw_data for tensor in graph.graph.initializer)
    assert (graph.producer_name, graph.producer_version) == ("tagsmith", package.__version__)
    numbers = pipeline.model.num_parameters()
    assert (tmp_path / "out" / "model.safetensors").stat().st_size < 2.2 * numbers + 5000


def test_the_manifest(tiny_folder: Path, tmp_path: Path) -> None:
    pipeline = export(tiny_folder, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    (head,) = content["heads"]
    assert content["version"] == 2 and content["opset"] >= 17 and content["words"]["splitter"] == "words"
    assert content["words"]["zero_character_digits"] is False and content["calibration"] is None
    assert head["tags"] == list(pipeline.model.config.tags) and head["chain"] == "static"
    transitions = torch.tensor(head["transitions"])
    assert torch.equal(transitions, pipeline.model.head().crf.transitions)
    graph = onnx.load(tmp_path / "out" / content["graphs"]["model"], load_external_data=False).graph
    assert {item.name for item in graph.input} == {"words", "lengths", "spelling", "characters", "character_lengths"}


def test_another_manifest(tiny_folder: Path, tmp_path: Path) -> None:
    export(tiny_folder, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    own = path.read_text(encoding="utf-8")
    path.write_text(own.replace('"version": 2', '"version": 3'), encoding="utf-8")
    with pytest.raises(InputError, match=r"of version 3.*upgrade"):
        load(tmp_path / "out", "onnx")
    (tmp_path / "out" / "sentences.onnx").unlink()
    path.write_text(own, encoding="utf-8")
    with pytest.raises(InputError, match=r"a graph that .* names is missing"):
        load(tmp_path / "out", "onnx")


def test_an_earlier_export(tiny_folder: Path, tmp_path: Path) -> None:
    """Its graphs were others: ONNX Runtime says what to do, numpy tags by it, and it can be exported again."""
    out, again = tmp_path / "out", tmp_path / "again"
    export(tiny_folder, out)
    content = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    graphs = {"model": "model.onnx", "spelling": "spelling.onnx", "sentences": "sentences.onnx"}
    (out / "words.onnx").rename(out / "spelling.onnx")
    (out / "manifest.json").write_text(json.dumps({**content, "version": 1, "graphs": graphs}), encoding="utf-8")
    with pytest.raises(InputError, match=r"an earlier tagsmith .*numpy.*tagsmith export"):
        load(out, "onnx")
    assert usual_runtime(str(out)) == "numpy"
    expected = package.pipeline(tiny_folder)(TEXTS)
    export(out, again)
    for folder, runtime in ((out, "numpy"), (again, "onnx")):
        assert_same(load(folder, runtime)(TEXTS), expected, scores=1e-2)  # of weights in 16 bits


@pytest.mark.parametrize(
    ("name", "graph", "count"),
    [
        ("lstm", "words", 2),
        ("lstm", "sentences", 2),
        ("two layers", "sentences", 6),
        ("gru, reset before", "sentences", 10),
        ("sru", "words", 2),
        ("linear rnn", "sentences", 2),
    ],
)
def test_int8(tmp_path: Path, name: str, graph: str, count: int) -> None:
    """Products of 8-bit weights: of both directions in each layer, of the steps too."""
    folder = make_tagger(tmp_path / "own", **SHAPES[name])
    export(folder, tmp_path / "out", int8=True)
    model = onnx.load(tmp_path / "out" / f"{graph}.int8.onnx")
    steps = [part.g.node for node in model.graph.node for part in node.attribute if part.HasField("g")]
    assert sum(node.op_type == "MatMulInteger" for nodes in (model.graph.node, *steps) for node in nodes) == count
    assert not (tmp_path / "out" / "sentence.onnx").exists()
    words = ["Ada", "saw", "Lund", "."]
    found, whole = (load(tmp_path / "out", runtime) for runtime in ("onnx", "numpy"))
    for sentences in (1, 3):
        packed = Packed.of(np.array([len(words)] * sentences))
        rows = np.tile(np.arange(len(words)), sentences)[packed.gather]
        states = []
        for tagger in (found, whole):
            table = WordTable(tagger.network, tagger.tokenizer, None)
            table.read(words)
            own = np.array([table.rows[word] for word in words])[rows]
            states.append(tagger.network.encode(table.table, own, packed, None))
        assert 0 < np.abs(states[0] - states[1]).max() < 0.3 * max(1, np.abs(states[1]).max())


def test_int8_is_quiet(tiny_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    export(tiny_folder, tmp_path / "out", int8=True)
    assert not caplog.records


def test_on_the_command_line(tiny_folder: Path, tmp_path: Path) -> None:
    text = b"Ada Lovelace lived in London .\n"
    out, tagged = tmp_path / "out", "[Ada Lovelace PER] lived in [London LOC] .\n"
    assert tagsmith("export", tiny_folder, "--output", out).code == 0
    for runtime in ("auto", "onnx", "numpy", "torch"):
        assert tagsmith("tag", out, "--runtime", runtime, stdin=text).out == tagged
    assert "by onnx" in tagsmith("tag", out, "-v", stdin=text).err
    assert "by numpy" in tagsmith("tag", tiny_folder, "--runtime", "numpy", "-v", stdin=text).err
    assert_one_line(tagsmith("export", tiny_folder, "--output", out), out, "already", "--output")
    assert_one_line(tagsmith("tag", tiny_folder, "--runtime", "onnx", stdin=text), "not exported", "tagsmith export")
    assert_one_line(tagsmith("tag", tiny_folder, "--runtime", "numpy", "--int8", stdin=text), "--int8", "torch")
    assert_one_line(tagsmith("tag", "owner/name", "--runtime", "numpy", stdin=text), "owner/name", "--runtime torch")


@pytest.mark.usefixtures("datasets_cache")
def test_settings_of_an_exported_tagger(tiny_folder: Path, tmp_path: Path) -> None:
    """What `evaluate` keeps in config.json stands in the manifest, too, which other languages read alone."""
    out, dev = tmp_path / "out", tmp_path / "dev.conll"
    dev.write_text("Ada B-PER\nLovelace I-PER\nlived O\nin O\nLondon B-PER\n", encoding="utf-8")
    export(tiny_folder, out)
    outcome = tagsmith("evaluate", out, dev, "--precision", 0.9)
    assert outcome.code == 0, outcome.err
    own, said = (json.loads((out / name).read_text(encoding="utf-8")) for name in ("config.json", "manifest.json"))
    assert own["calibration"][""]["min_scores"]
    assert said["calibration"] == own["calibration"]


@pytest.mark.parametrize("count", [100, pytest.param(1600, marks=pytest.mark.slow)])
def test_conformance_texts(count: int, tmp_path: Path) -> None:
    """The tagger that comes with the package, by its graph; its weights have 16 bits already."""
    texts = fuzz_texts(count, seed=7) + sample_texts(count)
    pipeline = export(Path(package.DEFAULT_TAGGER), tmp_path / "out")
    assert_same(load(tmp_path / "out", "onnx")(texts), pipeline(texts))
