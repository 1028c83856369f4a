"""The script that trains on the first sentences of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from toys import script, tagsmith

from tagsmith.training.runs.recipe import read_recipe

SENTENCE = "Ada NNP B-PER\nleft VBD O"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "ner" / "en"
    folder.mkdir(parents=True)
    document = "-DOCSTART- -X- O\n\n" + "".join(f"{SENTENCE}\n{number} CD O\n\n" for number in range(5))
    for split in ("train", "dev"):
        (folder / f"{split}.conll").write_text(document * 2, encoding="utf-8")
    return tmp_path / "data"


@pytest.mark.parametrize(("sentences", "share", "expected"), [(6, None, 6), (None, 0.25, 3), (None, 1.0, 10)])
def test_the_first_sentences(root: Path, sentences: int | None, share: float | None, expected: int) -> None:
    small = script("small_data")
    small.make_small(root / "ner/en", root / "small", sentences, share, dev=4)
    lines = (root / "small" / "train.conll").read_text(encoding="utf-8")
    assert lines == "".join(f"{SENTENCE}\n{number % 5} CD O\n\n" for number in range(expected))
    assert len(small.sentences_in(root / "small" / "dev.conll")) == 4


def test_more_than_there_is_and_neither_or_both_sizes_are_refused(root: Path) -> None:
    small = script("small_data")
    with pytest.raises(typer.BadParameter, match=r"train.conll has 10 sentences, and 11 are wanted"):
        small.make_small(root / "ner/en", root / "small", 11, None, None)
    with pytest.raises(typer.BadParameter, match=r"there is no .*ner/train"):
        small.make_small(root / "ner", root / "small", 1, None, None)
    for sizes in ({}, {"sentences": 3, "share": 0.5}, {"share": 0.0}):
        with pytest.raises(typer.BadParameter, match="either --sentences or a --share"):
            small.main(root, ["ner/en"], root / "out", **sizes)


def test_rows_are_of_recipes_that_read() -> None:
    small = script("small_data")
    recipes = {cell.name: read_recipe(cell.recipe, list(cell.settings)) for cell in small.cells(["ner/en"])}
    assert {recipe.training["num_train_epochs"] for recipe in recipes.values()} == {24}
    replaced = {name: recipe.mention_replacement for name, recipe in recipes.items()}
    assert all((rate == 0.3) == name.startswith("ner-small") for name, rate in replaced.items())
    assert len({(r.mention_replacement, r.start_from, r.start_with) for r in recipes.values()}) == len(recipes)


def test_a_table_that_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch, datasets_cache: None) -> None:
    """Runs of two rows in this process; started again, none is made twice."""
    small, started = script("small_data"), []

    def run(self: Any, seconds: float | None) -> bool:
        started.append(self.seed)
        outcome = tagsmith(*self.command[1:])
        assert outcome.code == 0, outcome.err
        return True

    monkeypatch.setattr(script("reproduce").Run, "run", run)
    tiny = ["training.num_train_epochs=1", "model.hidden_size=4", "model.ngram_sizes=[]"]
    for _ in range(2):
        small.main(root, ["ner/en"], root / "out", sentences=3, seeds="1,2", only=["24 passes"], set_=tiny)
    assert started == [1, 2]
    table = (root / "out" / "table.md").read_text(encoding="utf-8")
    assert table.startswith("the first 3 sentences, seeds 1,2\n") and table.count("| ner/en | ner, 24 passes |") == 1
    (results,) = (root / "out" / "runs").glob("*-seed2/results.json")
    assert '"sentences": 3' in results.read_text(encoding="utf-8")
