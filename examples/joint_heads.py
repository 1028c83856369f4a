"""Train one tagger with two heads: named entities, and whether a word is capitalised.

Run: python examples/joint_heads.py OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets import DatasetDict
from sample import few_sentences

import tagsmith

SETTINGS = ["model.hidden_size=40", "model.word_embedding_size=32", "training.num_train_epochs=2"]


def by_case(corpus: DatasetDict) -> DatasetDict:
    """The same sentences with other tags: a second task, made from the words themselves."""
    tagged = corpus.map(lambda row: {"tags": ["UPPER" if word[:1].isupper() else "LOWER" for word in row["tokens"]]})
    return tagsmith.load_corpus(tagged.select_columns(["tokens", "tags"]), scheme="plain")


def main(folder: str) -> None:
    """Train for two passes, then tag a sentence with both heads."""
    corpus = few_sentences()
    recipe = tagsmith.read_recipe("joint-tasks", SETTINGS)
    tagsmith.train_tagger(recipe, {"ner": corpus, "case": by_case(corpus)}, Path(folder))
    for head, spans in tagsmith.pipeline(folder)("Angela Merkel lives in Berlin .").items():
        print(head, [(span["word"], span["entity_group"]) for span in spans])


if __name__ == "__main__":
    main(sys.argv[1])
