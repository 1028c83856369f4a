"""A byte-to-span tagger as graphs of ONNX: what reads windows, and one step of what writes their spans.

bytes (windows, bytes)               ids of bytes, PAD behind the end of a window
lengths (windows,)                   bytes of each
ngrams (windows, bytes, n)           rows of the table of n-grams, 0 for none
patches (windows, bytes)             with patches: that of each byte
edges (windows, patches, 2)          the first and the last byte of each
patch_counts (windows,)              patches of each window
  -> tags (windows, bytes, tags)     log probabilities, with `decode: tags`
  -> states (windows, layers, 2, size)   with `decode: spans`: what the writer starts from, hidden state and cell
  -> memory (windows, bytes, width)      with attention: the states of the bytes

symbols (windows, ways)              ids of the last symbols, GO first
states (windows, ways, layers, 2, size)
memory, lengths                      with attention
  -> scores (windows, ways, symbols)     of the symbols that may come next, from start 0 on; no probabilities yet
  -> next_states                         as the states
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .onnx_builder import GraphBuilder, Stored
from .onnx_recurrences import add_stack
from .symbol_rules import IMPOSSIBLE


def make_graphs(config: Any, stored: Mapping[str, Stored], location: str, version: str) -> dict[str, Any]:
    """The graphs of a tagger by their names: "bytes" and, where it writes spans, "writer".

    Args:
        config: a `ByteToSpanConfig`.
        stored: the tensors of the file of weights.
        location: the file's name, beside the graph.
        version: of who makes them.
    """
    graphs = {"bytes": _reader(GraphBuilder(stored, location), config).model(version)}
    if config.decode == "spans":
        graphs["writer"] = _writer(GraphBuilder(stored, location), config).model(version)
    return graphs


def _reader(build: GraphBuilder, config: Any) -> GraphBuilder:
    ids, lengths = build.input("bytes", "INT64", "windows", "bytes"), build.input("lengths", "INT32", "windows")
    embedded = build.rows("model.embedding.weight", ids)
    if config.ngram_sizes:
        embedded = _with_ngrams(build, embedded, 2 * len(config.ngram_sizes))
    x, backwards = build.add("Transpose", embedded, perm=[1, 0, 2]), config.input_order == "reversed"
    place, layers = "model.writer" if config.encoder == "shared" else "model.reader", config.num_hidden_layers
    both = config.encoder == "bidirectional"
    count = config.encoder_num_layers if both else layers
    found, ends = add_stack(build, place, "lstm", count, build.turned(x, lengths) if backwards else x, lengths)
    top = build.add("Transpose", build.turned(found, lengths) if backwards else found, perm=[1, 0, 2])
    if config.patch_hidden_size:
        top, ends = _with_patches(build, top)
    if config.decode == "tags":
        scores = build.add("LogSoftmax", build.dense("tag_scores", top), axis=-1)
        build.output(scores, "tags", "windows", "bytes", build.stored["tag_scores.bias"].shape[0])
        return build
    if both:
        bridged = build.add("Tanh", build.dense("model.bridge", ends[-1][0]))
        states = build.add("Reshape", bridged, build.constant(0, layers, 2, config.hidden_size))
    else:
        states = _states(build, ends)
    build.output(states, "states", "windows", layers, 2, config.hidden_size)
    if config.attention:
        build.output(top, "memory", "windows", "bytes", build.stored["query.weight"].shape[0])
    return build


def _with_ngrams(build: GraphBuilder, embedded: str, kinds: int) -> str:
    """The embeddings of bytes, and those of the n-grams that begin and end at them."""
    rows = build.input("ngrams", "INT64", "windows", "bytes", kinds)
    for kind in range(kinds):
        own = build.add("Gather", rows, build.constant(kind), axis=2)  # (windows, bytes, 1)
        known = build.float(build.add("Greater", own, build.constant(0)))  # row 0 is of none
        table = build.rows("model.ngrams.embedding.weight", build.add("Squeeze", own, build.constant(2)))
        embedded = build.add("Add", embedded, build.add("Mul", table, known))
    return embedded


def _with_patches(build: GraphBuilder, states: str) -> tuple[str, list[list[str]]]:
    """The states of bytes and, beside them, of their patches; and what the layer of these ends with."""
    patches = build.input("patches", "INT64", "windows", "bytes")
    edges = build.input("edges", "INT64", "windows", "patches", 2)
    counts = build.input("patch_counts", "INT32", "windows")
    two = build.constant(2)
    places = build.add("Unsqueeze", build.add("Reshape", edges, build.constant(0, -1)), two)
    sides = build.add("GatherND", states, places, batch_dims=1)  # (windows, 2 * patches, width)
    width = build.join([build.add("Shape", edges, start=0, end=2), build.constant(-1)], axis=0)
    by_patch = build.add("Transpose", build.add("Reshape", sides, width), perm=[1, 0, 2])
    found, ends = add_stack(build, "model.patches.stack", "lstm", 1, by_patch, counts)
    above = build.add("Transpose", found, perm=[1, 0, 2])
    at_bytes = build.add("GatherND", above, build.add("Unsqueeze", patches, two), batch_dims=1)
    return build.join([states, at_bytes], axis=2), ends


def _states(build: GraphBuilder, ends: list[list[str]]) -> str:
    """Each layer's hidden state and cell `(rows, size)` as one, `(rows, layers, 2, size)`."""
    one, layers = build.constant(1), []
    for both in ends:
        side_by_side = build.join([build.add("Unsqueeze", part, one) for part in both], axis=1)
        layers.append(build.add("Unsqueeze", side_by_side, one))
    return build.join(layers, axis=1)


def _writer(build: GraphBuilder, config: Any) -> GraphBuilder:
    layers, size = config.num_hidden_layers, config.hidden_size
    symbols = build.input("symbols", "INT64", "windows", "ways")
    states = build.input("states", "FLOAT", "windows", "ways", layers, 2, size)
    x = build.rows("model.embedding.weight", build.add("Reshape", symbols, build.constant(1, -1)))
    parts = build.add(
        "Reshape", build.add("Transpose", states, perm=[2, 3, 0, 1, 4]), build.constant(2 * layers, -1, size)
    )
    parts = build.add("Split", parts, outputs=2 * layers, axis=0)
    initial = [parts[2 * layer : 2 * layer + 2] for layer in range(layers)]
    _, ends = add_stack(build, "model.writer", "lstm", layers, x, "", initial)
    after = build.add("Reshape", _states(build, ends), build.add("Shape", states))
    build.output(after, "next_states", "windows", "ways", layers, 2, size)
    shape = build.join([build.add("Shape", symbols), build.constant(size)], axis=0)
    hidden = build.add("Reshape", ends[-1][0], shape)
    features, starts = _attended(build, config, hidden) if config.attention else (hidden, None)
    scores = build.join([build.dense(name, features) for name in ("positions", "label_scores")], axis=2)
    count = len(config.span_labels) + 2 * config.window_size + 2
    if starts is not None:
        others = build.constant(0, 0, 0, 0, 0, count - config.window_size)
        scores = build.add("Add", scores, build.add("Pad", starts, others))
    build.output(scores, "scores", "windows", "ways", count)
    return build


def _attended(build: GraphBuilder, config: Any, hidden: str) -> tuple[str, str]:
    """Two of `(windows, ways, ...)`: states and what they attend to; and by which scores they point at starts."""
    width = build.stored["query.weight"].shape[0]
    memory = build.input("memory", "FLOAT", "windows", "bytes", width)
    lengths = build.long(build.input("lengths", "INT32", "windows"))
    found = build.add("MatMul", build.dense("query", hidden), build.add("Transpose", memory, perm=[0, 2, 1]))
    impossible = build.scalar(IMPOSSIBLE)
    size = build.add("Gather", build.add("Shape", memory), build.index(1))
    places = build.add("Range", build.index(0), size, build.index(1))
    inside = build.add("Less", places, build.add("Unsqueeze", lengths, build.constant(1, 2)))
    pointing = build.add("Where", inside, found, impossible)
    seen = build.add("MatMul", build.add("Softmax", pointing, axis=-1), memory)
    lacking = build.add("Sub", build.constant(config.window_size), build.add("Unsqueeze", size, build.constant(0)))
    pads = build.join([build.constant(0, 0, 0, 0, 0), lacking], axis=0)
    return build.join([hidden, seen], axis=2), build.add("Pad", pointing, pads, impossible)
