"""The documentation's pages: their code runs as it stands there, and they name everything once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from documents import ROOT, blocks, lay_out_folder, options_of_the_command_line, options_written, run_python_blocks

import tagsmith
from tagsmith.training.runs.recipe import read_recipe
from tagsmith.training.runs.recipe_files import bundled_recipes

DOCS = ROOT / "docs"
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
WITH_CODE = [name for name, page in PAGES.items() if blocks(page, "python")]


@pytest.mark.parametrize("name", WITH_CODE)
def test_python_blocks_run(
    name: str, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, datasets_cache: None
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out_folder(tmp_path, tiny_folder)
    assert run_python_blocks(PAGES[name], name)


def test_recipe_block_reads(tmp_path: Path) -> None:
    (block,) = blocks(PAGES["guides/recipes.md"], "yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text(block, encoding="utf-8")
    assert read_recipe(path).model["hidden_size"] == 300


def options_of_named_scripts(page: str) -> set[str]:
    """Options of the scripts in benchmarks/ that the page names."""
    scripts = {ROOT / "benchmarks" / f"{name}.py" for name in re.findall(r"\b(\w+)\.py\b", page)}
    return options_written("\n".join(path.read_text(encoding="utf-8") for path in scripts if path.is_file()))


def test_recipes_are_all_named() -> None:
    assert {name for name in bundled_recipes() if f"`{name}`" not in PAGES["guides/recipes.md"]} == set()


def test_options_of_the_command_line_exist() -> None:
    options, commands = options_of_the_command_line()
    unknown = {
        (name, option)
        for name, page in PAGES.items()
        for option in options_written(page) - options - options_of_named_scripts(page)
    }
    assert unknown == set()
    named = set(re.findall(r"tagsmith (?:plot )?(\w+)", PAGES["reference/commands.md"]))
    assert commands <= named | {"plot"}


def test_each_public_name_is_on_one_page_of_the_reference() -> None:
    documented = [
        name
        for page, text in PAGES.items()
        if page.startswith("reference/")
        for name in re.findall(r"^(?:::: |`)tagsmith\.(\w+)", text, flags=re.M)
    ]
    assert sorted(documented) == sorted(set(tagsmith.__all__) - {"__version__"})


def test_each_page_is_in_the_navigation() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]

    def pages(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [page for value in entry.values() for page in pages(value)]
        return [str(entry)] if isinstance(entry, str) else [page for item in entry for page in pages(item)]  # type: ignore[attr-defined]

    assert sorted(pages(navigation)) == sorted(PAGES)


def test_pages_fetch_nothing_from_elsewhere() -> None:
    """No scripts, styles or pictures of other sites: the documentation reads the same without a network."""
    for name, page in PAGES.items():
        assert not re.search(r"<script|<link|src=.https?:|!\[[^\]]*\]\(https?:", page), name


def test_interfaces_that_are_not_public_are_used() -> None:
    """A row of the page whose name no code has any more is out of date."""
    folders = ("modeling", "tokenization", "training")
    code = "\n".join(path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py"))
    rows = re.findall(r"^\| (`_.*?) \|", PAGES["about/interfaces.md"], flags=re.M)
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(names) > 10
    assert {name for name in names if not re.search(rf"\b{name}\b", code)} == set()
