"""What the JavaScript of the browser does, against Python, in node where it is installed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from toys import script

import tagsmith
from tagsmith.tokenization.words import SPLITTERS, split_words

FOLDER = Path(tagsmith.__file__).parent / "browser"
CHECK = """
import fs from "node:fs";
const { splitLines } = await import(process.argv[2]);
const found = JSON.parse(fs.readFileSync(process.argv[3], "utf8")).map(([text, splitter]) =>
  splitLines(text, splitter).flat().map(({ start, end }) => text.slice(start, end)));
console.log(JSON.stringify(found));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_words_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    chance = random.Random(7)
    texts = [script("fuzz_texts").make_text(chance) for _ in range(300)]
    cases = [(text, splitter) for text in texts for splitter in SPLITTERS]
    (tmp_path / "check.mjs").write_text(CHECK, encoding="utf-8")
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    command = ["node", tmp_path / "check.mjs", FOLDER / "words.js", tmp_path / "cases.json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[word.text for word in split_words(*case)] for case in cases]
