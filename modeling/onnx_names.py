"""What inputs and outputs of graphs are called, where that varies or several files name them."""

from __future__ import annotations

# The graphs of a tagger that is cut in two, at what is made of a word wherever it stands.
WORDS, SENTENCES, SENTENCE = "words", "sentences", "sentence"


def graph_of(part: str, language: str | None) -> str:
    """The name of a part's graph for the words of a language."""
    return part if language is None else f"{part}.{language}"


def emissions_of(head: str) -> str:
    """The name of a head's output, by the name of its module."""
    return "emissions" if head == "shared" else f"emissions.{head}"


def words_of(language: str | None) -> str:
    """The name of the input of a language's word ids."""
    return "words" if language is None else f"words.{language}"
