"""Train in several processes, each with its share of every batch; the tagger is that of one process but for rounding.

Run: python examples/data_parallel.py OUTPUT_FOLDER
     torchrun --nproc-per-node 2 examples/data_parallel.py OUTPUT_FOLDER
"""

from __future__ import annotations

import os
import sys

import torch
from sample import few_sentences, small_model
from transformers import TrainingArguments

import tagsmith
from tagsmith.training.machine.processes import end_launched_process

BATCH = 16  # sentences of a step, of all processes together


def main(folder: str) -> None:
    """Train for six passes and print the dev scores."""
    tagsmith.tune_process(threads=1)
    torch.manual_seed(1)  # the same in each process: all begin with the same weights
    corpus = few_sentences()
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train(tagsmith.training_words(corpus["train"], "words", "BIOES"))
    tags = tagsmith.tag_names(tagsmith.label_names(corpus["train"]), "BIOES")
    encoded, _ = tagsmith.encode_corpus(corpus, tokenizer, tags, "BIOES")
    processes = int(os.environ.get("WORLD_SIZE", 1))  # which torchrun and accelerate set
    trainer = tagsmith.TaggerTrainer(
        model=small_model(tokenizer, tags),
        args=TrainingArguments(
            folder,
            use_cpu=not torch.cuda.is_available(),  # else each process would train for itself on a CPU
            num_train_epochs=6,
            per_device_train_batch_size=BATCH // processes,
            learning_rate=2e-2,
            dataloader_drop_last=True,  # the last batch may be too small to share
            ddp_find_unused_parameters=False,
            save_strategy="no",
            report_to="none",
            dataloader_pin_memory=False,
        ),
        train_dataset=encoded["train"],
        eval_dataset=encoded["dev"],
        processing_class=tokenizer,
    )
    trainer.train()
    scores = trainer.evaluate()
    trainer.save_model(folder)
    if trainer.is_world_process_zero():
        print(f"{processes} processes: loss {scores['eval_loss']:.4f}, dev F1 {scores['eval_f1']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
    end_launched_process()  # gloo's threads can make Python abort at its own end
