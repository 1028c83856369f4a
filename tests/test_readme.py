"""The README's code runs as it stands there."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

import tagsmith
from tagsmith.training.runs.recipe import bundled_recipes, read_recipe

# Options of torchrun and accelerate launch.
LAUNCHERS = {"--nproc-per-node", "--nnodes", "--node-rank", "--master-addr", "--master-port"}
LAUNCHERS |= {"--multi_gpu", "--cpu", "--num_processes", "--num_machines", "--machine_rank"}
LAUNCHERS |= {"--main_process_ip", "--main_process_port"}

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.M | re.S)


def write_toy_corpus(path: Path, sentences: int, seed: int) -> None:
    """Sentences in which a capital letter makes a name."""
    chance = random.Random(seed)
    lines = []
    for _ in range(sentences):
        for _ in range(chance.randint(3, 8)):
            word = "".join(chance.choices("abcde", k=4))
            lines.append(f"{word.title()} B-NAME" if chance.random() < 0.3 else f"{word} O")
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def save_tagger_of_heads(folder: Path) -> None:
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train([["Angela", "met"]])
    heads = {"pos": {"tags": ["NOUN"], "tag_scheme": "plain"}, "ner": {"tags": ["O", "S-PER"], "tag_scheme": "BIOES"}}
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    config = tagsmith.HierarchicalTaggerConfig(sharing="encoder", heads=heads, id2label={}, label2id={}, **sizes)
    tagsmith.HierarchicalTaggerForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def test_python_blocks_run(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_toy_corpus(tmp_path / "train.conll", 64, 1)
    write_toy_corpus(tmp_path / "dev.conll", 24, 2)
    shutil.copytree(tiny_folder, tmp_path / "my-tagger")
    save_tagger_of_heads(tmp_path / "tasks")
    names: dict[str, object] = {}
    code = blocks("python")
    assert len(code) >= 5
    for block in code:
        exec(compile(block, "README.md", "exec"), names)


def test_recipe_block_reads(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text(block, encoding="utf-8")
    assert read_recipe(path).model["hidden_size"] == 300


def test_recipes_are_all_named() -> None:
    table = README[README.index("## Recipes") : README.index("A recipe is a YAML file")]
    assert {name for name in bundled_recipes() if f"`{name}`" not in table} == set()


def test_options_of_the_command_line_exist() -> None:
    from typer.main import get_command

    from tagsmith.training.commands.command_line import app

    commands = get_command(app).commands
    commands = {**commands, **commands["plot"].commands}
    known = {option for command in commands.values() for item in command.params for option in item.opts}
    written = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", README)) - LAUNCHERS
    assert written - known == set()
    named = set(re.findall(r"tagsmith (?:plot )?(\w+)", README)) | {"plot"}
    assert set(commands) <= named
