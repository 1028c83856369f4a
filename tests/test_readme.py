"""The README's code runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import ROOT, blocks, lay_out_folder, options_of_the_command_line, options_written, run_python_blocks

from tagsmith.training.runs.recipe import bundled_recipes, read_recipe

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out_folder(tmp_path, tiny_folder)
    assert run_python_blocks(README, "README.md") >= 5


def test_recipe_block_reads(tmp_path: Path) -> None:
    (block,) = blocks(README, "yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text(block, encoding="utf-8")
    assert read_recipe(path).model["hidden_size"] == 300


def test_recipes_are_all_named() -> None:
    table = README[README.index("## Recipes") : README.index("A recipe is a YAML file")]
    assert {name for name in bundled_recipes() if f"`{name}`" not in table} == set()


def test_options_of_the_command_line_exist() -> None:
    options, commands = options_of_the_command_line()
    assert options_written(README) - options == set()
    assert commands <= set(re.findall(r"tagsmith (?:plot )?(\w+)", README)) | {"plot"}
