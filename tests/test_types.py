"""What a type checker tells somebody who uses the package: names have types of their own, and typing errors show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tagsmith

ROOT = Path(tagsmith.__file__).parent

# Each revealed expression, and what it must be said to be.
REVEALED = {
    'tagsmith.load_corpus("train.conll")': "tagsmith.training.data.corpus.Corpus",
    "streamed": "tagsmith.training.data.corpus.Corpus | tagsmith.training.data.corpus.StreamedCorpus",
    "corpus.is_plain()": "bool",
    'corpus.reports["train"]': "tagsmith.training.data.reading_report.Report",
    "tagsmith.pipeline()": "tagsmith.modeling.pipeline_span_tagging.SpanTaggingPipeline",
    "TaggerTrainer()": "tagsmith.training.trainers.tagger_trainer.TaggerTrainer",
    'tagsmith.read_recipe("ner")': "tagsmith.training.runs.recipe.RunRecipe",
    "tagsmith.HierarchicalTaggerConfig()": (
        "tagsmith.modeling.configuration_hierarchical_tagger.HierarchicalTaggerConfig"
    ),
    "tagsmith.DEFAULT_TAGGER": "str",
    "tagsmith.register": "def ()",
    "tagsmith.label_names": "def (dataset: Any | Any) -> list[str]",
}
SCRIPT = """
import tagsmith
from tagsmith import Corpus, TaggerTrainer

corpus: Corpus = tagsmith.load_corpus({"train": "train.conll", "dev": "dev.conll"})
streamed = tagsmith.load_corpus("train.conll", streaming=bool(corpus))
"""
# Each mistake, and what must be said of it.
WRONG = {
    "tagsmith.no_such_name": 'Module has no attribute "no_such_name"',
    "tagsmith.check_folder(3)": 'Argument 1 to "check_folder" has incompatible type "int"',
}


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".typing").is_dir(), reason="needs the source tree")
def test_what_a_type_checker_tells_a_user(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    revealed = "".join(f"reveal_type({expression})\n" for expression in REVEALED)
    (tmp_path / "user.py").write_text("\n".join([SCRIPT, revealed, *WRONG]) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "user.py"]
    path = {**os.environ, "MYPYPATH": str(ROOT / ".typing")}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    said = re.findall(r'note: Revealed type is "(.*)"', done.stdout)
    assert dict(zip(REVEALED, said, strict=True)) == REVEALED
    errors = re.findall(r"error: (.*)", done.stdout)
    assert len(errors) == len(WRONG) and not done.stderr, done.stdout
    for error, expected in zip(errors, WRONG.values(), strict=True):
        assert error.startswith(expected), error
