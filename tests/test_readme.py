"""The README's code runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import ROOT, blocks, lay_out_folder, options_of_the_command_line, options_written, run_python_blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, datasets_cache: None
) -> None:
    monkeypatch.chdir(tmp_path)
    lay_out_folder(tmp_path, tiny_folder)
    assert run_python_blocks(README, "README.md") >= 1


def test_options_of_the_command_line_exist() -> None:
    options, _ = options_of_the_command_line()
    assert options_written(README) - options == set()


def test_the_two_commands() -> None:
    """Install and demonstration, and tests: one line each, which `.ci/run` takes from here."""
    install, tests = (block for block in blocks(README, "bash") if "venv" in block)
    assert install.count("\n") == tests.count("\n") == 1
    assert install.endswith(" && tagsmith demo\n") and tests.endswith(" && pytest\n")


def test_links_are_absolute() -> None:
    """Package indexes show this page too."""
    assert not re.findall(r"\]\((?!https://|#)[^)]*\)", README)
