"""Train from a data set in the shape that the Hub has: `tokens`, and `ner_tags` as class labels.

The data set here is made in memory and needs no network; give `load_corpus` an id as "owner/name" for one of the Hub.

Run: python examples/hub_data_set.py OUTPUT_FOLDER
"""

from __future__ import annotations

import sys

import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value
from sample import small_model
from transformers import TrainingArguments

import tagsmith

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ROWS = {
    "tokens": [["Ada", "Lovelace", "lived", "in", "London"], ["It", "rains", "in", "Lund"], ["Grace", "smiled"]] * 20,
    "ner_tags": [[1, 2, 0, 0, 3], [0, 0, 0, 3], [1, 0]] * 20,
}


def main(folder: str) -> None:
    """Train for three passes and print the dev scores."""
    torch.manual_seed(1)
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=TAGS))})
    rows = Dataset.from_dict(ROWS, features=features)
    corpus = tagsmith.load_corpus(DatasetDict({"train": rows, "dev": rows.select(range(6))}))
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train(tagsmith.training_words(corpus["train"], "words", "BIOES"))
    tags = tagsmith.tag_names(tagsmith.label_names(corpus["train"]), "BIOES")
    encoded, _ = tagsmith.encode_corpus(corpus, tokenizer, tags, "BIOES")
    trainer = tagsmith.TaggerTrainer(
        model=small_model(tokenizer, tags),
        args=TrainingArguments(
            folder,
            num_train_epochs=3,
            learning_rate=1e-2,
            eval_strategy="epoch",
            report_to="none",
            dataloader_pin_memory=False,
        ),
        data_collator=tagsmith.TaggerCollator(tokenizer),
        train_dataset=encoded["train"],
        eval_dataset=encoded["dev"],
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(folder)
    print(f"dev F1 {trainer.evaluate()['eval_f1']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
