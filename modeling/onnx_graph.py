"""A hierarchical tagger as ONNX graphs, of operators of ONNX itself, straight from its weights.

The whole ends at emissions; what comes after them, CRF and spans, is small, and stays outside in float64.

    words (batch, time)                  ids; of a tagger whose languages have words of their own `words.LANGUAGE`
    lengths (batch,)                     words of each sentence
    spelling (batch, time)               for each word its row among the distinct words of the batch; words with
                                         the same characters have one row
    characters (distinct, characters)    their character ids, 0 where a word is shorter
    character_lengths (distinct,)
    ngrams (distinct, n)                 rows of the table of n-grams, 0 for none
    gazetteer (batch, time, features)
      -> emissions (batch, time, tags)   of several heads `emissions.HEAD`; zeros and less at padding mean nothing

Cut in two, for each language that has words of its own, so that a word which recurs is read once, its product with the
weights of the first layer included:

    words (distinct,), characters, character_lengths, ngrams
      -> products (2, distinct, width)   what enters the steps of the first layer, of each direction

    forward, backward (n, width)         tables of such products
    rows (time, batch)                   of these tables, a word each
    lengths (batch,)
      -> states (time, batch, 2 * size)  which a head's output layer makes emissions of, with what the same words have
                                         elsewhere behind them for `word_memory`; padding means nothing

"sentence" is as "sentences", for one that is by itself: without lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .onnx_builder import GraphBuilder, Stored
from .onnx_names import SENTENCE, SENTENCES, WORDS, emissions_of, graph_of, words_of
from .onnx_recurrences import OPERATORS, add_known_stack, add_known_stack_of_one, add_products, add_stack


def make_graphs(config: Any, stored: Mapping[str, Stored], location: str, version: str) -> dict[str, Any]:
    """The graphs of a tagger by their names: all of it, and cut in two."""
    graphs, cell = {"model": tagger_graph(config, stored, location, version)}, config.cell(config.word_encoder)
    for language in config.vocabularies:
        build = GraphBuilder(stored, location)
        _add_products(build, config, language)
        graphs[graph_of(WORDS, language)] = build.model(version)
        for part in (SENTENCES, SENTENCE) if cell in OPERATORS else (SENTENCES,):
            build = GraphBuilder(stored, location)
            _add_states(build, config, language, part == SENTENCE)
            graphs[graph_of(part, language)] = build.model(version)
    return graphs


def _add_products(build: GraphBuilder, config: Any, language: str | None) -> None:
    place, parts = f"{_reader(language)}.recurrent.layers.0", []
    if config.word_embedding_size:
        parts.append(_words(build, language, build.input(WORDS, "INT64", "distinct")))
    x = build.join([*parts, *_spelled(build, config)], axis=1)
    ways = add_products(build, place, config.cell(config.word_encoder), [x, x])
    products = build.join([build.add("Unsqueeze", way, build.constant(0)) for way in ways], axis=0)
    build.output(products, "products", 2, "distinct", "width")


def _add_states(build: GraphBuilder, config: Any, language: str | None, one: bool) -> None:
    place, cell = f"{_reader(language)}.recurrent", config.cell(config.word_encoder)
    tables = [build.input(way, "FLOAT", "n", "width") for way in ("forward", "backward")]
    rows, count = build.input("rows", "INT64", "time", "batch"), config.num_hidden_layers
    if one:
        states = add_known_stack_of_one(build, place, cell, count, tables, rows)
    else:
        lengths = build.input("lengths", "INT32", "batch")
        states = add_known_stack(build, place, cell, count, tables, rows, lengths)
    build.output(states, "states", "time", "batch", 2 * config.hidden_size)


def tagger_graph(config: Any, stored: Mapping[str, Stored], location: str, version: str) -> Any:
    """The graph of a tagger, an `onnx.ModelProto`.

    Args:
        config: a `HierarchicalTaggerConfig`.
        stored: the tensors of the file of weights.
        location: the file's name, beside the graph.
        version: of who makes it.
    """
    build = GraphBuilder(stored, location)
    lengths = build.input("lengths", "INT32", "batch")
    spelled = _spelled(build, config)
    if spelled:
        spelling = build.input("spelling", "INT64", "batch", "time")
        spelled = [build.add("Gather", part, spelling) for part in spelled]
    gazetteer = None
    if config.gazetteer_size:
        gazetteer = build.input("gazetteer", "FLOAT", "batch", "time", config.gazetteer_size)
    tops = {}
    for language in config.vocabularies:
        parts = []
        if config.word_embedding_size:
            parts.append(_words(build, language, build.input(words_of(language), "INT64", "batch", "time")))
        x = build.add("Transpose", build.join([*parts, *spelled], axis=2), perm=[1, 0, 2])
        place, cell = f"{_reader(language)}.recurrent", config.cell(config.word_encoder)
        states, _ = add_stack(build, place, cell, config.num_hidden_layers, x, lengths)
        top = build.add("Transpose", states, perm=[1, 0, 2])
        if config.word_memory:
            top = build.join([top, _elsewhere(build, top, spelling, lengths)], axis=2)
        tops[language] = top if gazetteer is None else build.add("Concat", top, gazetteer, axis=2)
    names = config.head_names[:1] if config.sharing == "all" else config.head_names
    for name in names:
        key = "shared" if name is None or config.sharing == "all" else name
        emissions = build.dense(f"heads.{key}.output", tops[config.language(name)])
        build.output(emissions, emissions_of(key), "batch", "time", stored[f"heads.{key}.output.bias"].shape[0])
    return build.model(version)


def _elsewhere(build: GraphBuilder, states: str, words: str, lengths: str) -> str:
    """The mean of the states `(batch, time, size)` that a word `(batch, time)` has at its other places."""
    time = build.add("Gather", build.add("Shape", words), build.index(1))
    places = build.add("Range", build.index(0), time, build.index(1))
    there = build.add("Less", places, build.add("Unsqueeze", build.long(lengths), build.constant(1)))
    alike = build.add("Equal", *(build.add("Unsqueeze", words, build.constant(axis)) for axis in (2, 1)))
    apart = build.add(
        "Not", build.add("Equal", *(build.add("Unsqueeze", places, build.constant(axis)) for axis in (1, 0)))
    )
    alike = build.add("And", build.add("And", alike, apart), build.add("Unsqueeze", there, build.constant(1)))
    others = build.float(alike)
    count = build.add("ReduceSum", others, build.constant(2), keepdims=1)
    known = build.add("Where", build.add("Unsqueeze", there, build.constant(2)), states, build.scalar(0))
    return str(build.add("Div", build.add("MatMul", others, known), build.add("Max", count, build.scalar(1))))


def _reader(language: str | None) -> str:
    return f"encoder.readers.{language or 'shared'}"


def _words(build: GraphBuilder, language: str | None, ids: str) -> str:
    """The embeddings of words `(..., width)` by their ids."""
    table, frozen = f"{_reader(language)}.words.weight", f"{_reader(language)}.frozen_vectors"
    if frozen not in build.stored:
        return build.rows(table, ids)
    return str(build.add("Gather", build.add("Concat", build.number(table), build.number(frozen), axis=0), ids))


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
