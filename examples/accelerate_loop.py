"""Train a tagger in a loop of your own with Accelerate, and score its spans.

Run: python examples/accelerate_loop.py OUTPUT_FOLDER
     torchrun --nproc-per-node 2 examples/accelerate_loop.py OUTPUT_FOLDER
"""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator
from sample import few_sentences, small_model
from torch.utils.data import DataLoader

import tagsmith


def main(folder: str) -> None:
    """Train for two passes, score on dev sentences, save."""
    torch.manual_seed(1)
    accelerator, corpus = Accelerator(), few_sentences()
    tokenizer = tagsmith.HierarchicalTaggerTokenizer.train(tagsmith.training_words(corpus["train"], "words", "BIOES"))
    tags = tagsmith.tag_names(tagsmith.label_names(corpus["train"]), "BIOES")
    encoded, _ = tagsmith.encode_corpus(corpus, tokenizer, tags, "BIOES")
    collator = tagsmith.TaggerCollator(tokenizer)
    model = small_model(tokenizer, tags)
    model, optimizer, train, dev = accelerator.prepare(
        model,
        torch.optim.AdamW(model.parameters(), lr=5e-3),
        DataLoader(encoded["train"].to_list(), batch_size=16, shuffle=True, collate_fn=collator),
        DataLoader(encoded["dev"].to_list(), batch_size=64, collate_fn=collator),
    )
    for _ in range(2):
        model.train()
        for batch in train:
            accelerator.backward(model(**batch).loss)
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    metric = tagsmith.SpanScore(keep_in_memory=True)
    for batch in dev:
        with torch.no_grad():
            predicted = model(**batch).tags
        both = accelerator.pad_across_processes((predicted, batch["labels"]), dim=1, pad_index=-100)
        for row, gold in zip(*accelerator.gather_for_metrics(both), strict=True):
            words = gold != -100
            metric.add(prediction=[tags[i] for i in row[words]], reference=[tags[i] for i in gold[words]])
    scores = metric.compute(scheme="BIOES")
    if accelerator.is_main_process:
        print(f"dev F1 {scores['f1']:.3f}")
        accelerator.unwrap_model(model).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
