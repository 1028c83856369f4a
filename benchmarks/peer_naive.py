"""The network of `ner-paper` written the plain way, as an adapter of peers.py: torch alone, no transformers.

Batches are padded, in random order or of like lengths; the characters of every word are spelled, however often it
occurs; the CRF takes a step for each word, by pytorch-crf, or by the loop below where that is not installed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peer_protocol import Peer, Sentence, main, shuffled
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

try:
    from torchcrf import CRF
except ImportError:
    CRF = None

COST, RARE = 5.0, 0.5  # of softmax-margin; how often a word that occurs once is taken for an unknown one
TAGGED = 64  # sentences that are tagged at a time
POOL = 50  # batches among whose sentences those of like lengths are looked for


class StepLoopCrf(nn.Module):
    """A linear-chain CRF with the calls of pytorch-crf: `(batch, time, tags)`, mask True at words."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.empty(tags).uniform_(-0.1, 0.1))
        self.transitions = nn.Parameter(torch.empty(tags, tags).uniform_(-0.1, 0.1))

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor, reduction: str = "mean") -> Tensor:
        """Log likelihood of the tags, its mean over the rows."""
        assert reduction == "mean"
        gold = emissions.gather(2, tags.unsqueeze(2)).squeeze(2) * mask
        steps = self.transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]
        score = self.start[tags[:, 0]] + gold.sum(1) + steps.sum(1)
        alpha = self.start + emissions[:, 0]
        for step in range(1, emissions.shape[1]):
            scores = alpha.unsqueeze(2) + self.transitions + emissions[:, step].unsqueeze(1)
            alpha = torch.where(mask[:, step, None], scores.logsumexp(1), alpha)
        return (score - alpha.logsumexp(1)).mean()

    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The best tags of each row (Viterbi)."""
        best, pointers = self.start + emissions[:, 0], []
        for step in range(1, emissions.shape[1]):
            scores, before = (best.unsqueeze(2) + self.transitions).max(1)
            best = torch.where(mask[:, step, None], scores + emissions[:, step], best)
            pointers.append(before)
        paths = []
        for row, length in enumerate(mask.sum(1).tolist()):
            path = [int(best[row].argmax())]
            for before in reversed(pointers[: length - 1]):
                path.append(int(before[row, path[-1]]))
            paths.append(path[::-1])
        return paths


class Network(nn.Module):
    """Characters, words and a CRF, in the sizes of `ner-paper`; packed, or padding read like words.

    A padded batch of LSTMs is what PyTorch has oneDNN's fused layers for; there are none of GRUs.
    """

    def __init__(self, words: int, characters: int, tags: int, padded: bool = False, cell: str = "gru") -> None:
        super().__init__()
        self.padded, layer = padded, {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.words, self.characters = nn.Embedding(words, 50, 0), nn.Embedding(characters, 25, 0)
        self.speller = layer(25, 80, 2, batch_first=True, bidirectional=True)
        self.encoder = layer(50 + 160, 300, 2, batch_first=True, bidirectional=True)
        self.output = nn.Linear(600, tags)
        self.crf = StepLoopCrf(tags) if CRF is None else CRF(tags, batch_first=True)

    def forward(self, words: Tensor, characters: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """Emissions `(batch, time, tags)` of words `(batch, time)`; `characters` has a row a word, with lengths."""
        vectors = self.words(words)
        shapes = vectors.new_zeros(*words.shape, 160)
        if self.padded:
            both = self.speller(self.characters(characters))[0]
            shapes[mask] = torch.cat([both[torch.arange(len(both)), lengths - 1, :80], both[:, 0, 80:]], 1)
            return self.output(self.encoder(torch.cat([vectors, shapes], 2))[0])
        spelled = pack_padded_sequence(self.characters(characters), lengths, True, enforce_sorted=False)
        _, last = self.speller(spelled)
        last = last[0] if isinstance(last, tuple) else last
        shapes[mask] = torch.cat([last[-2], last[-1]], 1)
        packed = pack_padded_sequence(torch.cat([vectors, shapes], 2), mask.sum(1), True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.encoder(packed)[0], True)
        return self.output(states)


class NaiveTagger(Peer):
    """Plain torch: AdaGrad at 0.01, softmax-margin, as in `ner-paper`."""

    packages = ("torch",) if CRF is None else ("torch", "pytorch-crf")

    def __init__(self, job: dict[str, Any]) -> None:
        torch.set_num_threads(job["threads"])
        torch.manual_seed(1)
        self.job = job
        counts = Counter(word for words, _ in job["train"] for word in map(_normal, words))
        self.word_ids = {word: number for number, word in enumerate(counts, 2)}
        self.once = torch.tensor([False, False, *(count == 1 for count in counts.values())])
        self.character_ids = {letter: number for number, letter in enumerate(sorted(set("".join(counts))), 2)}
        self.tags = sorted({tag for _, tags in job["train"] for tag in tags})
        sizes = len(self.word_ids) + 2, len(self.character_ids) + 2, len(self.tags)
        self.network = Network(*sizes, padded=job.get("padded", False), cell=job.get("cell", "gru"))
        self.optimizer = torch.optim.Adagrad(self.network.parameters(), lr=0.01, eps=1e-6)

    def batch(self, sentences: list[list[str]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Padded ids, 0 at padding and 1 for what is unknown, with the lengths of words and the mask."""
        words = [list(map(_normal, sentence)) for sentence in sentences]
        rows = [torch.tensor([self.word_ids.get(word, 1) for word in row]) for row in words]
        spelled = [torch.tensor([self.character_ids.get(c, 1) for c in word]) for row in words for word in row]
        ids = pad_sequence(rows, True)
        return ids, pad_sequence(spelled, True), torch.tensor(list(map(len, spelled))), ids > 0

    def learn(self, sentences: list[Sentence]) -> None:
        """One step."""
        words, characters, lengths, mask = self.batch([words for words, _ in sentences])
        number = {tag: index for index, tag in enumerate(self.tags)}
        tags = pad_sequence([torch.tensor([number[tag] for tag in tags]) for _, tags in sentences], True)
        words = words.masked_fill(self.once[words] & (torch.rand(words.shape) < RARE), 1)
        emissions = self.network(words, characters, lengths, mask)
        charged = emissions + COST * (1 - nn.functional.one_hot(tags, len(self.tags)))
        (-self.network.crf(charged, tags, mask=mask, reduction="mean")).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def steps(self) -> Iterator[int]:
        """Batches in random order, of like lengths where the job says `alike`."""
        batches = alike if self.job.get("alike") else shuffled
        for sentences in batches(self.job["train"], self.job["batch_size"]):
            self.learn(sentences)
            yield sum(len(words) for words, _ in sentences)

    @torch.no_grad()
    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """Batches of 64, as tagsmith's, in the order given or by length."""
        order = list(range(len(sentences)))
        if self.job.get("alike"):
            order.sort(key=lambda number: len(sentences[number]))
        found: dict[int, list[str]] = {}
        for start in range(0, len(order), TAGGED):
            numbers = order[start : start + TAGGED]
            *inputs, mask = self.batch([sentences[number] for number in numbers])
            paths = self.network.crf.decode(self.network(*inputs, mask), mask=mask)
            found.update(zip(numbers, ([self.tags[tag] for tag in path] for path in paths), strict=True))
        return [found[number] for number in range(len(sentences))]

    def save(self, folder: Path) -> None:
        """The weights and both vocabularies."""
        vocabularies = {"words": self.word_ids, "characters": self.character_ids, "tags": self.tags}
        torch.save({"weights": self.network.state_dict(), **vocabularies}, folder / "model.pt")


def alike(sentences: list[Sentence], size: int) -> Iterator[list[Sentence]]:
    """Batches of sentences of like lengths, out of `POOL` batches drawn at random, in random order."""
    order = random.Random(1)
    for pool in shuffled(sentences, POOL * size):
        pool.sort(key=lambda sentence: len(sentence[0]))
        batches = [pool[start : start + size] for start in range(0, len(pool), size)]
        yield from order.sample(batches, len(batches))


def _normal(word: str) -> str:
    return re.sub(r"\d", "0", word)


if __name__ == "__main__":
    main(NaiveTagger)
