"""Flair's `SequenceTagger` from scratch, an adapter of peers.py: a BiLSTM-CRF over one-hot words and characters.

The steps are those of Flair's `ModelTrainer`: SGD at 0.1, clipping at 5, the rate halved where the loss of training
has not fallen for more than three passes. It tags in process, since a stack of these embeddings does not survive
saving and loading in Flair 0.15.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flair
import torch
from flair.data import Corpus, Dictionary
from flair.data import Sentence as FlairSentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
from flair.models import SequenceTagger
from flair.training_utils import store_embeddings
from peer_protocol import Peer, Sentence, main, shuffled, spans_of, tags_of
from torch.optim.lr_scheduler import ReduceLROnPlateau


class FlairTagger(Peer):
    """One BiLSTM of 256 each way, words of 300, characters by an LSTM of 25 each way."""

    packages = ("flair", "torch", "transformers")

    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(job["threads"])
        flair.device = torch.device("cpu")
        flair.set_seed(1)
        self.job = job
        self.train = [_sentence(sentence) for sentence in job["train"]]
        corpus = Corpus(train=FlairDatapointDataset(self.train), sample_missing_splits=False)
        letters = Dictionary()
        for letter in sorted({letter for words, _ in job["train"] for letter in "".join(words)}):
            letters.add_item(letter)
        path = Path(job["folder"], "characters")
        letters.save(path)
        words = OneHotEmbeddings.from_corpus(corpus, min_freq=3)
        embeddings = StackedEmbeddings([words, CharacterEmbeddings(path_to_char_dict=path)])
        labels = corpus.make_label_dictionary("ner", add_unk=False)
        self.tagger = SequenceTagger(embeddings, labels, "ner", hidden_size=256, rnn_layers=1, use_crf=True)
        self.optimizer = torch.optim.SGD(self.tagger.parameters(), lr=0.1)
        self.loss, self.passes = 0.0, ReduceLROnPlateau(self.optimizer, factor=0.5, patience=3)

    def steps(self) -> Iterator[int]:
        """Batches in random order, their embeddings not kept."""
        for batch in shuffled(self.train, self.job["batch_size"]):
            self.tagger.train()
            loss, _ = self.tagger.forward_loss(batch)  # summed over the batch, and learnt from so
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.tagger.parameters(), 5.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.loss += loss.item()
            store_embeddings(batch, "none")
            yield sum(map(len, batch))

    def evaluations(self) -> Iterator[None]:
        """After each pass."""
        for _ in super().evaluations():
            self.passes.step(self.loss)
            self.loss = 0.0
            yield

    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """In batches of 32."""
        given = [FlairSentence(words) for words in sentences]
        self.tagger.predict(given, mini_batch_size=32, label_name="found")
        return [
            tags_of(
                (
                    (s.tokens[0].idx - 1, s.tokens[-1].idx, s.get_label("found").value)
                    for s in sentence.get_spans("found")
                ),
                len(sentence),
            )
            for sentence in given
        ]

    def save(self, folder: Path) -> None:
        """Flair's pickle, for its size alone."""
        self.tagger.save(folder / "model.pt")


def _sentence(sentence: Sentence) -> FlairSentence:
    words, tags = sentence
    made = FlairSentence(words)
    for start, end, label in spans_of(tags):
        made[start:end].add_label("ner", label)
    return made


if __name__ == "__main__":
    main(FlairTagger)
