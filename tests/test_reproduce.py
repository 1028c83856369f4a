"""The tables of the sources: every cell is a run that can be made, and a table goes on where it stopped."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

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
