"""What tests of written pages share: the code blocks of a page, and a folder in which that code runs."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import torch

import tagsmith

ROOT = Path(__file__).parents[1]

# Options of torchrun and accelerate launch.
LAUNCHERS = {"--nproc-per-node", "--nnodes", "--node-rank", "--master-addr", "--master-port"}
LAUNCHERS |= {"--multi_gpu", "--cpu", "--num_processes", "--num_machines", "--machine_rank"}
LAUNCHERS |= {"--main_process_ip", "--main_process_port"}


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.M | re.S)


def run_python_blocks(page: str, name: str) -> int:
    """Run a page's Python blocks in order, with names in common, and count them."""
    names: dict[str, object] = {}
    without_twins = torch.__version__ < "2.8"  # which refuses them, as the page says
    code = [block for block in blocks(page, "python") if not (without_twins and "export_twin" in block)]
    for block in code:
        exec(compile(block, name, "exec"), names)
    return len(code)


def lay_out_folder(folder: Path, tagger: Path) -> None:
    """Put files into a folder that pages speak of: `train.conll`, `dev.conll`, `raw.txt`, `my-tagger`, `tasks`."""
    write_toy_corpus(folder / "train.conll", 64, 1)
    write_toy_corpus(folder / "dev.conll", 24, 2)
    (folder / "raw.txt").write_text("abcd saw Abcd .\nEdca came .\n", encoding="utf-8")
    shutil.copytree(tagger, folder / "my-tagger")
    _save_tagger_of_heads(folder / "tasks")


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


def _save_tagger_of_heads(folder: Path) -> None:
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train([["Angela", "met"]])
    heads = {"pos": {"tags": ["NOUN"], "tag_scheme": "plain"}, "ner": {"tags": ["O", "S-PER"], "tag_scheme": "BIOES"}}
    sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
    config = tagsmith.HierarchicalTaggerConfig(sharing="encoder", heads=heads, id2label={}, label2id={}, **sizes)
    tagsmith.HierarchicalTaggerForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def options_of_the_command_line() -> tuple[set[str], set[str]]:
    """All options, and all commands by name."""
    from typer.main import get_command

    from tagsmith.training.commands.command_line import app

    whole = get_command(app)
    commands = {**whole.commands, **whole.commands["plot"].commands}
    options = {option for command in (whole, *commands.values()) for item in command.params for option in item.opts}
    return options | {"--help"}, set(commands)


def options_written(page: str) -> set[str]:
    """The options that a page's text and code name, launchers' own aside."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]+", page)) - LAUNCHERS
