"""Train a byte-to-span tagger: no words, no tokenizer, raw bytes in and spans out.

So short a run learns next to nothing; leave `max_steps` out for a real one.

Run: python examples/from_bytes.py OUTPUT_FOLDER
"""

from __future__ import annotations

import sys

from sample import few_sentences

import tagsmith

SETTINGS = [
    "model.hidden_size=48",
    "model.encoder_hidden_size=24",
    "model.encoder_num_layers=1",
    "training.max_steps=30",
    "training.eval_steps=15",
    "training.save_steps=15",
    "training.per_device_train_batch_size=32",
]


def main(folder: str) -> None:
    """Train for thirty steps, then tag text in two scripts, as `str` and as `bytes`."""
    recipe = tagsmith.read_recipe("byte-ner", SETTINGS)
    tagsmith.train_byte_tagger(recipe, {"sample": few_sentences()}, folder)
    tagger = tagsmith.pipeline(folder)
    print(tagger("Angela Merkel lives in Berlin ."))
    print(tagger("习近平在北京。".encode()))


if __name__ == "__main__":
    main(sys.argv[1])
