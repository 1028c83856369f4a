"""Make checkpoints to be frozen, with the spans that they give for ever.

    python tests/frozen/make.py hierarchical heads bytes

Each is a tiny tagger, trained on a part of the bundled sample with a fixed seed and one thread, in a folder beside
this file. A folder that is there is never made again: `tests/test_frozen.py` holds today's code to what it has
recorded. For a format that has changed on purpose, add a checkpoint of another name.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import DatasetDict

import tagsmith
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.sample import sample_files
from tagsmith.training.runs.byte_run import train_byte_tagger
from tagsmith.training.runs.hierarchical_run import train_tagger
from tagsmith.training.runs.recipe import ByteRecipe, Recipe, TokenizerOptions

HERE = Path(__file__).parent
FILES = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.json"]  # what loading takes

# Sentences of each of the sample's sets, from its beginning.
PARTS = {
    "mixed": {"English-EWT": 90, "Danish-DDT": 40, "Serbian-SET": 40, "Chinese-GSDSIMP": 40},
    "en": {"English-EWT": 120},
    "da": {"Danish-DDT": 100},
}
# Of no corpus: scripts that the taggers have never seen, and places where offsets go wrong.
TEXTS = [
    "",
    " \n\t",
    "Angela Merkel and Barack Obama met at the White House in Washington.\nThen they flew to London.",
    "Dronning Margrethe besøgte København i går, og Peter Hansen rejste til Aarhus.",
    "Ангела Меркель приехала в Москву из Берлина.",
    "زار محمد بن سلمان القاهرة ولندن.",
    "香港和北京的大学与美国国会。",
    "🙂 Zoe\u0308 👩‍🚀 saw Paris — “Nancy”,\u00a0Kofi Annan & the U.N. in 1998… \ufeffIraq",
]
WORDS = {
    "word_embedding_size": 16,
    "character_embedding_size": 12,
    "character_encoder": "gru",
    "character_hidden_size": 16,
    "character_num_layers": 1,
    "word_encoder": "lstm",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "cost": 0.2,
    "rare_word_dropout": 0.3,
    "embedding_dropout": 0.1,
}
EPOCHS = {
    "seed": 1,
    "num_train_epochs": 16,
    "per_device_train_batch_size": 8,
    "learning_rate": 0.01,
    "lr_scheduler_type": "cosine",
    "save_strategy": "no",
    "use_cpu": True,
}
BYTES = {
    "window_size": 40,
    "embedding_size": 24,
    "encoder": "bidirectional",
    "encoder_hidden_size": 28,
    "encoder_num_layers": 1,
    "hidden_size": 48,
    "num_hidden_layers": 1,
    "attention": True,
}
STEPS = {
    "seed": 1,
    "max_steps": 2500,
    "per_device_train_batch_size": 64,
    "learning_rate": 0.01,
    "lr_scheduler_type": "cosine",
    "max_grad_norm": 1.0,
    "save_strategy": "no",
    "logging_steps": 500,
    "use_cpu": True,
    "bf16": False,
}
COMMON = TokenizerOptions(min_count=2)  # words that occur once are left to their characters
RECIPES = {
    "hierarchical": Recipe(model=WORDS, tokenizer=COMMON, training=EPOCHS),
    "heads": Recipe(model={**WORDS, "sharing": "characters"}, tokenizer=COMMON, training=EPOCHS),
    "bytes": ByteRecipe(model=BYTES, training=STEPS, line_share=0.5),
}


def part_of_sample(part: str) -> str:
    """The first sentences of some of the sample's sets, as they stand there."""
    left = dict(PARTS[part])
    taken, source = [], ""
    for block in sample_files()["train"].read_text(encoding="utf-8").split("\n\n"):
        if run := re.search(r"^# newdoc id = (\S+)-run-\d+$", block, re.MULTILINE):
            source = run[1]
        elif block.startswith("# newdoc"):
            source = ""  # a document with an id of its own, which does not name its set
        if left.get(source):
            left[source] -= 1
            taken.append(block)
    assert not any(left.values()), left
    return "\n\n".join(taken) + "\n\n"


def corpus_of(part: str, place: Path) -> DatasetDict:
    """A part of the sample, read as any training data."""
    file = place / f"{part}.iob2"
    file.write_text(part_of_sample(part), encoding="utf-8")
    corpus = load_corpus({"train": file}, cache_dir=place / "cache")
    assert isinstance(corpus, DatasetDict)
    return corpus


def train(name: str, place: Path) -> tuple[Path, list[str]]:
    """A trained tagger's folder, and some texts of its training data."""
    recipe, folder = RECIPES[name], place / "tagger"
    if isinstance(recipe, ByteRecipe):
        corpora = {"": corpus_of("mixed", place)}
        train_byte_tagger(recipe, corpora, folder)
    else:
        assert isinstance(recipe, Recipe)
        corpora = {part: corpus_of(part, place) for part in (("en", "da") if name == "heads" else ("mixed",))}
        train_tagger(recipe, corpora if name == "heads" else corpora["mixed"], folder)
    texts = []
    for corpus in corpora.values():
        rows = corpus["train"]
        texts += [row["text"] for row in rows.select(range(0, len(rows), len(rows) // 8)) if row["spans"]]
    return folder, texts


def found_by(pipeline: Any, text: str, head: str | None) -> list[dict[str, Any]]:
    """The spans of a text, their scores to six digits."""
    return [
        {**entity, "score": round(entity["score"], 6)} for entity in pipeline(text, **({"head": head} if head else {}))
    ]


def record(folder: Path, texts: list[str]) -> str:
    """Texts and their spans as JSON; of a tagger with heads their spans by head."""
    pipeline = tagsmith.pipeline(folder)
    heads = getattr(pipeline.model.config, "heads", None)
    rows = [
        {
            "text": text,
            "entities": {head: found_by(pipeline, text, head) for head in sorted(heads)}
            if heads
            else found_by(pipeline, text, None),
        }
        for text in texts
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def make(name: str) -> None:
    """Train a tagger, keep what loading takes, and record its spans.

    Raises:
        FileExistsError: it has been made: frozen is frozen.
    """
    target = HERE / name
    if target.exists():
        raise FileExistsError(f"{target} is frozen: add a checkpoint of another name.")
    with TemporaryDirectory() as place:
        folder, texts = train(name, Path(place))
        spans = record(folder, [*TEXTS, *texts])
        target.mkdir()
        for file in FILES:
            if (folder / file).exists():
                copyfile(folder / file, target / file)
    (target / "spans.json").write_text(spans, encoding="utf-8")


def main() -> None:
    """Make the checkpoints that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=RECIPES, help="which to make")
    names = parser.parse_args().names
    torch.set_num_threads(1)
    for name in names:
        make(name)


if __name__ == "__main__":
    main()
