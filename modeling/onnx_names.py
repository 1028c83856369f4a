"""What inputs and outputs of graphs are called, where that varies or several files name them."""

from __future__ import annotations

SPELLED = "spelled"  # what is made of words' characters, where a graph is cut


def emissions_of(head: str) -> str:
    """The name of a head's output, by the name of its module."""
    return "emissions" if head == "shared" else f"emissions.{head}"


def words_of(language: str | None) -> str:
    """The name of the input of a language's word ids."""
    return "words" if language is None else f"words.{language}"
