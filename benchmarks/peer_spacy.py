"""spaCy's default `ner` for the CPU, from scratch, as an adapter of peers.py.

The configuration is that of `spacy init config --pipeline ner --optimize efficiency`, with the job's `language` or
"en". For speed, a batch is `batch_size` sentences, or `batch_words` words where that is given; else spaCy's own
schedule, from 100 words to 1,000.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
from peer_protocol import Peer, Sentence, main, shuffled, spans_of, tags_of
from spacy.cli.init_config import init_config
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.training.batchers import minibatch_by_words
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches, train_while_improving
from spacy.util import fix_random_seed, registry, resolve_dot_names


class SpacyTagger(Peer):
    """`tok2vec` and `ner` of a blank pipeline."""

    packages = ("spacy", "thinc")

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job

    @cached_property
    def examples(self) -> list[Example]:
        """The training data, with which the untrained pipeline and its optimizer are made."""
        job, language = self.job, self.job.get("language", "en")
        vocab = spacy.blank(language).vocab
        config = init_config(lang=language, pipeline=["ner"], optimize="efficiency")
        with tempfile.TemporaryDirectory() as folder:
            for split in ("train", "dev"):
                path = Path(folder, f"{split}.spacy")
                DocBin(docs=[_document(vocab, sentence) for sentence in job[split]]).to_disk(path)
                config["paths"][split] = str(path)
            config = config.interpolate()
            fix_random_seed(config["training"]["seed"])
            self.nlp = init_nlp(config)
            self.settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
            (read,) = resolve_dot_names(config, [self.settings["train_corpus"]])
            examples = list(read(self.nlp))
        self.optimizer = self.settings["optimizer"]
        return examples

    def steps(self) -> Iterator[int]:
        """Batches of one size, in random order."""
        examples = self.examples
        if limit := self.job.get("batch_words"):
            passes = shuffled(examples, len(examples))
            batches = (batch for mixed in passes for batch in minibatch_by_words(mixed, limit))
        else:
            batches = shuffled(examples, self.job["batch_size"])
        for batch in batches:
            self.nlp.update(batch, drop=self.settings["dropout"], sgd=self.optimizer)
            self.optimizer.step_schedules()
            yield sum(map(len, batch))

    def evaluations(self) -> Iterator[None]:
        """As `spacy train` does: every 200 steps, by the averaged weights; it does not stop by itself."""
        examples = self.examples
        batches = create_train_batches(self.nlp, lambda _: examples, self.settings["batcher"], 0)
        names = ("dropout", "eval_frequency", "accumulate_gradient", "annotating_components", "before_update")
        choices = {name: self.settings[name] for name in names}
        steps = train_while_improving(
            self.nlp, self.optimizer, batches, lambda: (0.0, {}), patience=0, max_steps=0, exclude=[], **choices
        )
        for _, _, evaluated in steps:
            if evaluated is not None:
                with self.nlp.use_params(self.optimizer.averages):
                    yield

    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """A document a sentence."""
        documents = [Doc(self.nlp.vocab, words=words) for words in sentences]
        return [
            tags_of(((entity.start, entity.end, entity.label_) for entity in document.ents), len(document))
            for document in self.nlp.pipe(documents)
        ]

    def tag_text(self, lines: list[str]) -> None:
        """Split by spaCy's own tokenizer."""
        for document in self.nlp.pipe(lines):
            document.ents  # noqa: B018

    def tag_one(self, given: str) -> None:
        """As a caller of one text does."""
        self.nlp(given).ents  # noqa: B018

    def save(self, folder: Path) -> None:
        """The pipeline's folder."""
        self.nlp.to_disk(folder)

    def load(self, folder: Path) -> None:
        """From there."""
        self.nlp = spacy.load(folder)


def _document(vocab: Any, sentence: Sentence) -> Doc:
    words, tags = sentence
    document = Doc(vocab, words=words)
    document.set_ents([Span(document, start, end, label) for start, end, label in spans_of(tags)])
    return document


if __name__ == "__main__":
    main(SpacyTagger)
