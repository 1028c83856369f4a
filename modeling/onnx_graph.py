"""A hierarchical tagger as an ONNX graph, of operators of ONNX itself, straight from its weights.

The graph ends at emissions; what comes after them, CRF and spans, is small, and stays outside in float64.

    words (batch, time)                  ids; of a tagger whose languages have words of their own `words.LANGUAGE`
    lengths (batch,)                     words of each sentence
    spelling (batch, time)               for each word its row among the distinct words of the batch
    characters (distinct, characters)    their character ids, 0 where a word is shorter
    character_lengths (distinct,)
    ngrams (distinct, n)                 rows of the table of n-grams, 0 for none
    gazetteer (batch, time, features)
      -> emissions (batch, time, tags)   of several heads `emissions.HEAD`; zeros and less at padding mean nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .onnx_builder import GraphBuilder, Stored
from .onnx_names import SPELLED, emissions_of, words_of
from .onnx_recurrences import add_stack


def make_graphs(config: Any, stored: Mapping[str, Stored], location: str, version: str) -> dict[str, Any]:
    """The graphs of a tagger by their names: all of it, and cut in two where words' characters are read."""
    graphs = {"model": tagger_graph(config, stored, location, version)}
    if config.character_encoder != "none" or config.ngram_sizes:
        build = GraphBuilder(stored, location)
        parts = _spelled(build, config)
        build.output(build.join(parts, axis=1), SPELLED, "distinct", _spelled_size(config, stored))
        graphs["spelling"] = build.model(version)
    return {**graphs, "sentences": tagger_graph(config, stored, location, version, whole=False)}


def tagger_graph(config: Any, stored: Mapping[str, Stored], location: str, version: str, whole: bool = True) -> Any:
    """The graph of a tagger, an `onnx.ModelProto`.

    Args:
        config: a `HierarchicalTaggerConfig`.
        stored: the tensors of the file of weights.
        location: the file's name, beside the graph.
        version: of who makes it.
        whole: make what is of words' characters; else it is an input, `spelled` `(distinct, features)`.
    """
    build = GraphBuilder(stored, location)
    lengths = build.input("lengths", "INT32", "batch")
    size = _spelled_size(config, stored)
    spelled = _spelled(build, config) if whole or not size else [build.input(SPELLED, "FLOAT", "distinct", size)]
    if spelled:
        spelling = build.input("spelling", "INT64", "batch", "time")
        spelled = [build.add("Gather", part, spelling) for part in spelled]
    gazetteer = None
    if config.gazetteer_size:
        gazetteer = build.input("gazetteer", "FLOAT", "batch", "time", config.gazetteer_size)
    tops = {}
    for language in config.vocabularies:
        parts = [*_words(build, config, language), *spelled]
        x = build.add("Transpose", build.join(parts, axis=2), perm=[1, 0, 2])
        place, cell = f"encoder.readers.{language or 'shared'}.recurrent", config.cell(config.word_encoder)
        states, _ = add_stack(build, place, cell, config.num_hidden_layers, x, lengths)
        top = build.add("Transpose", states, perm=[1, 0, 2])
        tops[language] = top if gazetteer is None else build.add("Concat", top, gazetteer, axis=2)
    names = config.head_names[:1] if config.sharing == "all" else config.head_names
    for name in names:
        key = "shared" if name is None or config.sharing == "all" else name
        emissions = build.dense(f"heads.{key}.output", tops[config.head(name).language])
        build.output(emissions, emissions_of(key), "batch", "time", stored[f"heads.{key}.output.bias"].shape[0])
    return build.model(version)


def _words(build: GraphBuilder, config: Any, language: str | None) -> list[str]:
    """The embeddings of words, where there are any: `(batch, time, width)`."""
    place = f"encoder.readers.{language or 'shared'}"
    if not config.word_embedding_size:
        return []
    ids = build.input(words_of(language), "INT64", "batch", "time")
    table = f"{place}.words.weight"
    if f"{place}.frozen_vectors" not in build.stored:
        return [build.rows(table, ids)]
    both = build.add("Concat", build.number(table), build.number(f"{place}.frozen_vectors"), axis=0)
    return [build.add("Gather", both, ids)]


def _spelled_size(config: Any, stored: Mapping[str, Stored]) -> int:
    """The width of what is made of words' characters."""
    size = 0
    if config.character_encoder == "cnn":
        size += config.character_filters
    elif config.character_encoder != "none":
        size += 2 * config.character_hidden_size
    return size + (stored["encoder.ngrams.embedding.weight"].shape[1] if config.ngram_sizes else 0)


def _spelled(build: GraphBuilder, config: Any) -> list[str]:
    """What is made of the characters of distinct words: `(distinct, width)` of each part."""
    parts = []
    if config.character_encoder != "none":
        parts.append(_characters(build, config))
    if config.ngram_sizes:
        parts.append(_ngrams(build))
    return parts


def _characters(build: GraphBuilder, config: Any) -> str:
    ids = build.input("characters", "INT64", "distinct", "characters")
    embedded = build.rows("encoder.characters.embedding.weight", ids)
    if config.character_encoder == "cnn":
        x = build.add("Transpose", embedded, perm=[0, 2, 1])
        place, half = "encoder.characters.convolution", config.character_window // 2
        kernel, bias = build.number(f"{place}.weight"), build.number(f"{place}.bias")
        found = build.add("Conv", x, kernel, bias, pads=[half, half])
        there = build.add("Unsqueeze", build.add("Greater", ids, build.constant(0)), build.constant(1))
        masked = build.add("Where", there, found, build.scalar(float(np.finfo(np.float32).min)))
        return str(build.add("ReduceMax", masked, axes=[2], keepdims=0))
    lengths = build.input("character_lengths", "INT32", "distinct")
    x, cell = build.add("Transpose", embedded, perm=[1, 0, 2]), config.cell(config.character_encoder)
    _, ends = add_stack(build, "encoder.characters.recurrent", cell, config.character_num_layers, x, lengths)
    return ends[-1][0]


def _ngrams(build: GraphBuilder) -> str:
    rows = build.input("ngrams", "INT64", "distinct", "n")
    known = build.float(build.add("Greater", rows, build.constant(0)))
    table = build.rows("encoder.ngrams.embedding.weight", rows)
    masked = build.add("Mul", table, build.add("Unsqueeze", known, build.constant(2)))  # row 0 is of none
    summed = build.add("ReduceSum", masked, build.constant(1), keepdims=0)
    count = build.add("ReduceSum", known, build.constant(1), keepdims=1)
    atleast = build.add("Max", count, build.scalar(1))
    return str(build.add("Div", summed, build.add("Sqrt", atleast)))
