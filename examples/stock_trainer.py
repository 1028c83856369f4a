"""Train a tagger with the stock `transformers.Trainer` on the bundled sample.

Run: python examples/stock_trainer.py OUTPUT_FOLDER
"""

from __future__ import annotations

import sys

import torch
from sample import few_sentences, small_model
from transformers import Trainer, TrainingArguments

import tagsmith


def main(folder: str) -> None:
    """Train for two passes, save, and tag a sentence with what was saved."""
    torch.manual_seed(1)
    corpus = few_sentences()
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train(tagsmith.training_words(corpus["train"], "words", "BIOES"))
    tags = tagsmith.tag_names(tagsmith.label_names(corpus["train"]), "BIOES")
    encoded, _ = tagsmith.encode_corpus(corpus, tokenizer, tags, "BIOES")
    trainer = Trainer(
        model=small_model(tokenizer, tags),
        args=TrainingArguments(
            folder,
            num_train_epochs=2,
            per_device_train_batch_size=16,
            learning_rate=5e-3,
            eval_strategy="epoch",
            dataloader_pin_memory=False,
        ),
        data_collator=tagsmith.TaggerCollator(tokenizer),
        train_dataset=encoded["train"],
        eval_dataset=encoded["dev"],
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(folder)
    print(tagsmith.pipeline(folder)("Angela Merkel lives in Berlin ."))


if __name__ == "__main__":
    main(sys.argv[1])
