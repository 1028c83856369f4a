"""The tables of the sources: every cell is a run that can be made, and a table continues where it stopped."""

from __future__ import annotations

import gzip
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from toys import script as tables_of
from toys import tagsmith

from tagsmith.training.runs.recipe import read_recipe

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCORES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "accuracy": 0.75, "labels": {}}


@pytest.fixture(scope="module")
def reproduce() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("reproduce")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("ner/en", "ner/es", "pos/en"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / "train.conll").write_text("a O\n\n" * 10, encoding="utf-8")
        if folder != "ner/es":
            (tmp_path / "data" / folder / "dev.conll").write_text("a O\n", encoding="utf-8")
    return tmp_path / "data"


@pytest.mark.parametrize("table", ["lecture", "encoders", "yang", "transfer", "gillick"])
def test_cells_are_of_recipes_that_read(reproduce: Any, table: str) -> None:
    cells = reproduce.TABLES[table]()
    assert len({(cell.column, cell.name) for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.scored is None or cell.scored in cell.data
        if cell.recipe not in reproduce.BASELINES:
            recipe = read_recipe(cell.recipe, [text.replace("{data}", "data") for text in cell.settings])
            assert ("" in cell.data) == (len(cell.data) == 1)
            assert "" in cell.data or recipe.model_type == "byte-to-span" or recipe.model["sharing"]


def test_a_run_and_its_score(reproduce: Any, root: Path, tmp_path: Path) -> None:
    cell = reproduce.Cell("joint", "NER", {"en": "ner/en", "es": "ner/es"}, "joint-languages", ("a.b={data}",), "es")
    run = reproduce.Run(cell, 2, root, tmp_path / "table", ["training.num_train_epochs=1"])
    assert f"en={root}/ner/en/train.conll" in run.command and "training.seed=2" in run.command
    assert f"a.b={root}" in run.command and run.command[-1] == "training.num_train_epochs=1"
    held = run.files["es"]  # the last fifth, where there is no dev file
    assert [path.read_text().count("a O") for path in (held["train"], held["dev"])] == [8, 2]
    assert run.results is None and run.score("dev") is None
    run.folder.mkdir(parents=True)
    results = {"minutes": 1.5, "dev": {"en": SCORES, "es": {**SCORES, "f1": 0.25}}}
    (run.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    assert run.score("dev") == 25 and run.score("test") is None
    results["dev"]["all"] = {**SCORES, "f1": 0.9}  # of one tagger's several corpora together
    (run.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    mean = reproduce.Run(reproduce.Cell("joint", "mean", cell.data, cell.recipe, cell.settings, None), 2, root,
                         tmp_path / "table", ["training.num_train_epochs=1"])  # fmt: skip
    assert mean.folder == run.folder and mean.score("dev") == 37.5
    other = reproduce.Run(reproduce.Cell("joint", "English", cell.data, cell.recipe, cell.settings, "en"), 2, root,
                          tmp_path / "table", ["training.num_train_epochs=1"])  # fmt: skip
    assert other.folder == run.folder and other.score("dev") == 50
    assert reproduce._row(cell, [run])["minutes"] == [1.5]
    assert not reproduce.Run(cell, 3, root, tmp_path / "table", []).run(0)


def test_cells_that_train_on_the_dev_set_too(reproduce: Any, root: Path, tmp_path: Path) -> None:
    cell = reproduce.Cell("both", "NER", {"": "ner/en"}, "ner", with_dev=True)
    run = reproduce.Run(cell, 1, root, tmp_path / "table", [])
    alone = reproduce.Run(reproduce.Cell("train", "NER", {"": "ner/en"}, "ner"), 1, root, tmp_path / "table", [])
    assert run.folder != alone.folder
    assert run.files[""]["train"].read_text(encoding="utf-8") == "a O\n\n" * 10 + "a O\n"
    run.folder.mkdir(parents=True)
    (run.folder / "results.json").write_text(json.dumps({"minutes": 1, "dev": SCORES, "test": SCORES}))
    assert run.score("dev") is None and run.score("test") == 50
    assert "| NER | both |  |  | 50.00 |" in reproduce._markdown("t", [reproduce._row(cell, [run])])


def _data(root: Path) -> None:
    """Toy data of every folder that the tables name, gazetteers and vectors."""
    spans = "Ada B-{0}\nand O\nBo B-{0}\nsaw O\nLund B-LOC\n\nit O\nwas O\nOslo B-LOC\nin O\n1843 O\n\n"
    plain = (
        "Ada PROPN\nand CCONJ\nBo PROPN\nsaw VERB\nLund PROPN\n\nit PRON\nwas AUX\nOslo PROPN\nin ADP\n1843 NUM\n\n"
    )
    folders = {f"ner/{name}": spans.format("PER") for name in ("en", "de", "es", "nl")}
    folders |= {f"pos/{name}": plain for name in tables_of("tables")._POS} | {"ptb": plain}
    folders["chunking/en"] = spans.format("NP")
    for folder, text in folders.items():
        (root / folder).mkdir(parents=True)
        for split, count in (("train", 8), ("dev", 2)):
            (root / folder / f"{split}.conll").write_text(text * count, encoding="utf-8")
    (root / "gazetteers").mkdir()
    for name in ("loc", "org", "per", "msc"):
        (root / "gazetteers" / f"ner.{name}.lst").write_text("lund\nada\n", encoding="latin-1")
    (root / "vectors").mkdir()
    numbers = " 0.25" * 100
    with gzip.open(root / "vectors" / "glove.6B.100d.250k.txt.gz", "wt", encoding="utf-8") as file:
        file.writelines(f"{word}{numbers}\n" for word in ("ada", "lund", "saw", "the"))


@pytest.mark.slow
@pytest.mark.parametrize("table", ["lecture", "encoders", "yang", "transfer", "gillick"])
def test_every_cell_starts(reproduce: Any, table: str, tmp_path: Path, datasets_cache: None) -> None:
    """A step of each run, and a table of all."""
    _data(tmp_path / "data")
    quick = ["training.max_steps=1", "training.per_device_train_batch_size=2", "training.logging_steps=1"]
    rows, started = [], set()
    for cell in reproduce.TABLES[table]():
        small = ["model.hidden_size=8", *(["model.encoder_hidden_size=8"] if cell.recipe.startswith("byte") else [])]
        run = reproduce.Run(cell, 1, tmp_path / "data", tmp_path / "table", [*quick, *small])
        if run.folder not in started and not run.baseline:
            started.add(run.folder)
            outcome = tagsmith(*run.command[1:])
            assert outcome.code == 0, (cell, outcome.err)
        run.tag()
        if not run.baseline:
            assert cell.with_dev or run.score("dev") is not None, cell
        rows.append(reproduce._row(cell, [run]))
    assert reproduce._markdown("t", rows).count("\n") > len(started) / 2


def test_accuracy_counts_for_parts_of_speech(reproduce: Any, root: Path, tmp_path: Path) -> None:
    run = reproduce.Run(reproduce.Cell("crf", "POS", {"": "pos/en"}, "crf"), 1, root, tmp_path / "table", [])
    assert "baselines.py" in run.command[1]
    run.folder.mkdir(parents=True)
    (run.folder / "results.json").write_text(json.dumps({"minutes": 1, "dev": SCORES}), encoding="utf-8")
    assert run.score("dev") == 75
    assert "| POS | crf | 75.00 |  |  |  | 1.0 |" in reproduce._markdown("t", [reproduce._row(run.cell, [run])])


def test_figures_of_dev_and_test_sets_stand_apart(reproduce: Any) -> None:
    cells = {(cell.column, cell.name): cell for cell in reproduce.TABLES["lecture"]()}
    row = {"source": {"source": 87.0, "source_dev": 91.57, "trained_on": "train + dev"}}
    assert cells["NER", "blstm + vectors"].source == 87.0 and cells["NER", "blstm + vectors"].source_dev == 91.57
    assert reproduce._given(row["source"]) == ("91.57", "87.00 (train + dev)")
    assert reproduce._given({"gain": 1.99}) == ("", "+1.99 by the helper")
    assert cells["NER", "blstm"].source is None  # 80.76 is of the whole model with random vectors
    assert all(cell.source is None for (column, _), cell in cells.items() if column == "POS")  # other treebanks
