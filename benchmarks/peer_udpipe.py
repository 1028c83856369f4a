"""The tagger of UDPipe 1 from scratch, as an adapter of peers.py: `ufal.udpipe`, parts of speech alone.

Its own trainer goes over the data as often as the job's `iterations` say: an averaged perceptron over the tags that
its dictionary and its guesser of suffixes allow. Lemmas, features and tags of the treebank's own are left out, which
is its fastest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from peer_protocol import Peer, main
from peer_protocol import Sentence as Tagged
from ufal.udpipe import Model, ProcessingError, Sentence, Sentences, Trainer

WITHOUT = ("provide_lemma", "use_lemma", "provide_xpostag", "use_xpostag", "provide_feats", "use_feats")


class UdpipeTagger(Peer):
    """MorphoDiTa's tagger, one model of it."""

    packages = ("ufal.udpipe",)

    data: bytes
    model: Model

    def evaluations(self) -> Iterator[None]:
        """One, when it is done."""
        options = {"models": 1, "guesser_suffix_rules_1": 8, "iterations_1": self.job.get("iterations", 10)}
        options |= {f"{name}_1": 0 for name in WITHOUT}
        tagger = ";".join(f"{name}={value}" for name, value in options.items())
        error, given = ProcessingError(), [_sentences(self.job[split]) for split in ("train", "dev")]
        self.data = Trainer.train("morphodita_parsito", *given, "none", tagger, "none", error)
        if error.occurred():
            raise RuntimeError(f"UDPipe's trainer failed: {error.message}")
        path = Path(self.job["folder"], "tagger.udpipe")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        self.load(path.parent)
        yield

    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """A sentence at a time, as its interface has it."""
        return [self._tags(words) for words in sentences]

    def _tags(self, words: list[str]) -> list[str]:
        sentence = _sentence(words)
        self.model.tag(sentence, Model.DEFAULT)
        return [word.upostag for word in list(sentence.words)[1:]]  # the first is the root

    def save(self, folder: Path) -> None:
        """UDPipe's own format."""
        (folder / "tagger.udpipe").write_bytes(self.data)

    def load(self, folder: Path) -> None:
        """From there."""
        self.data = (folder / "tagger.udpipe").read_bytes()
        self.model = Model.load(str(folder / "tagger.udpipe"))


def _sentence(words: list[str]) -> Sentence:
    made = Sentence()
    for word in words:
        made.addWord(word)
    return made


def _sentences(given: list[Tagged]) -> Sentences:
    made = Sentences()
    for words, tags in given:
        sentence = _sentence(words)
        for number, tag in enumerate(tags, 1):
            sentence.words[number].upostag = tag
        made.append(sentence)
    return made


if __name__ == "__main__":
    main(UdpipeTagger)
