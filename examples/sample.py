"""What the examples share: a few sentences of the bundled sample, and a small model. Not an example by itself."""

from __future__ import annotations

from pathlib import Path

from datasets import DatasetDict

import tagsmith

# The bundled sample: news, web and literary sentences of eight languages, with people, places and organisations.
SAMPLE = next((Path(tagsmith.__file__).parent / "training").glob("**/sample"))
FILES = {name: SAMPLE / f"{name}.iob2" for name in ("train", "dev")}


def few_sentences() -> DatasetDict:
    """200 sentences to train on, 50 to score on."""
    corpus = tagsmith.load_corpus(FILES)
    return DatasetDict({"train": corpus["train"].select(range(200)), "dev": corpus["dev"].select(range(50))})


def small_model(
    tokenizer: tagsmith.HierarchicalTaggerTokenizer, tags: list[str]
) -> tagsmith.HierarchicalTaggerForTokenClassification:
    """A tagger that trains in seconds."""
    return tagsmith.HierarchicalTaggerForTokenClassification(
        tagsmith.HierarchicalTaggerConfig.for_tags(
            tags,
            vocab_size=tokenizer.vocab_size,
            character_vocab_size=tokenizer.character_vocab_size,
            character_num_layers=1,
            character_hidden_size=20,
            hidden_size=50,
            num_hidden_layers=1,
        )
    )
