"""A hierarchical tagger as an ONNX graph, of operators of ONNX itself, straight from its weights.

The graph ends at emissions; what comes after them, CRF and spans, is small, and stays outside in float64. It holds no
weights: they are those of the model's own safetensors file, which the graph points into, so that there is one copy.
What has 16 bits there is cast, and its gates are put into ONNX's order, when a runtime loads the graph.

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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

OPSET = 17
SPELLED = "spelled"  # what is made of words' characters, where the graph is cut
SUPPORTED = {"gru", "gru-reset-before", "lstm", "rnn"}

# ONNX's order of gates, by where they stand in ours.
_OPERATOR = {"gru": "GRU", "gru-reset-before": "GRU", "lstm": "LSTM", "rnn": "RNN"}
_ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}


class Stored(NamedTuple):
    """A tensor in the file of weights: its type there (`F16`, `F32`), shape, and place in bytes."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int


def unsupported(config: Any) -> str | None:
    """What of a tagger's shape ONNX has no operator for; None where all can be exported."""
    encoders = {"word_encoder": config.word_encoder, "character_encoder": config.character_encoder}
    for name, encoder in encoders.items():
        if encoder not in ("cnn", "none") and config.cell(encoder) not in SUPPORTED:
            return f"{name} {encoder}"
    return None


class GraphBuilder:
    """Collects the nodes of a graph.

    Args:
        stored: the tensors of the file of weights.
        location: the file's name, beside the graph.
    """

    def __init__(self, stored: Mapping[str, Stored], location: str) -> None:
        import onnx

        self.onnx, self.stored, self.location = onnx, stored, location
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.outputs: list[Any] = []
        self._count = 0

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; the name of its output, or those of several."""
        self._count += 1
        names = [f"{operator.lower()}_{self._count}_{place}" for place in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name: str, kind: str, *shape: str | int) -> str:
        """An input of the graph, of "INT64", "INT32" or "FLOAT"."""
        types = self.onnx.TensorProto
        self.inputs[name] = self.onnx.helper.make_tensor_value_info(name, getattr(types, kind), shape)
        return name

    def output(self, value: str, name: str, *shape: str | int) -> None:
        """Have a value be an output of the graph."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape))

    def constant(self, *values: int) -> str:
        """Whole numbers `(n,)`."""
        return str(self.add("Constant", value=self.onnx.numpy_helper.from_array(np.array(values, dtype=np.int64))))

    def weight(self, name: str) -> str:
        """A tensor of the file as it is there."""
        if name not in self.weights:
            place = self.stored[name]
            tensor = self.onnx.TensorProto(name=name, dims=place.shape)
            tensor.data_type = {"F16": tensor.FLOAT16, "F32": tensor.FLOAT}[place.kind]
            tensor.data_location = tensor.EXTERNAL
            entries = {"location": self.location, "offset": place.offset, "length": place.length}
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=str(value))
            self.weights[name] = tensor
        return name

    def number(self, name: str) -> str:
        """A tensor of the file in 32 bits."""
        own = self.weight(name)
        return own if self.stored[name].kind == "F32" else self.float(own)

    def float(self, value: str) -> str:
        """A value in 32 bits."""
        return str(self.add("Cast", value, to=self.onnx.TensorProto.FLOAT))

    def rows(self, name: str, ids: str) -> str:
        """Rows of a table of the file by their numbers, in 32 bits."""
        return self.float(self.add("Gather", self.weight(name), ids))

    def gates(self, operator: str, name: str) -> str:
        """A tensor of gates `(directions, rows, gates * size)` as ONNX has it, `(directions, gates * size, rows)`."""
        whole = self.add("Transpose", self.number(name), perm=[0, 2, 1])
        order = _ORDER[operator]
        if len(order) == 1:
            return str(whole)
        parts = self.add("Split", whole, outputs=len(order), axis=1)
        return str(self.add("Concat", *(parts[place] for place in order), axis=1))

    def layer(self, place: str, cell: str, x: str, lengths: str) -> tuple[str, str]:
        """A layer that reads both ways: `(time, batch, width)` to states `(time, batch, 2 * size)`; and the last."""
        operator = _OPERATOR[cell]
        inputs, states = (self.gates(operator, f"{place}.{part}_weight") for part in ("input", "recurrent"))
        biases = [self.gates(operator, f"{place}.{part}_bias") for part in ("input", "recurrent")]
        bias = self.add("Squeeze", self.add("Concat", *biases, axis=1), self.constant(2))
        how: dict[str, Any] = {
            "direction": "bidirectional",
            "hidden_size": self.stored[f"{place}.recurrent_weight"].shape[1],
        }
        if operator == "GRU":
            how["linear_before_reset"] = int(cell == "gru")
        found, last = self.add(operator, x, inputs, states, bias, lengths, outputs=2, **how)
        by_word = self.add("Transpose", found, perm=[0, 2, 1, 3])
        return self.add("Reshape", by_word, self.constant(0, 0, -1)), last

    def stack(self, place: str, cell: str, count: int, x: str, lengths: str) -> tuple[str, str]:
        """Layers upon each other, as `layer`."""
        last = ""
        for index in range(count):
            x, last = self.layer(f"{place}.layers.{index}", cell, x, lengths)
        return x, last

    def model(self, producer: str, version: str) -> Any:
        """The whole."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, "tagger", list(self.inputs.values()), self.outputs, list(self.weights.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opsets, producer_name=producer, producer_version=version, ir_version=8
        )


def tagger_graphs(config: Any, stored: Mapping[str, Stored], location: str, version: str) -> dict[str, Any]:
    """The graphs of a tagger by their names: all of it, and cut in two where words' characters are read."""
    graphs = {"model": tagger_graph(config, stored, location, version)}
    if config.character_encoder != "none" or config.ngram_sizes:
        build = GraphBuilder(stored, location)
        parts = _spelled(build, config)
        whole = parts[0] if len(parts) == 1 else build.add("Concat", *parts, axis=1)
        build.output(whole, SPELLED, "distinct", _spelled_size(config, stored))
        graphs["spelling"] = build.model("tagsmith", version)
    return {**graphs, "sentences": tagger_graph(config, stored, location, version, whole=False)}


def tagger_graph(config: Any, stored: Mapping[str, Stored], location: str, version: str, whole: bool = True) -> Any:
    """The graph of a tagger, an `onnx.ModelProto`.

    Args:
        config: a `HierarchicalTaggerConfig` that `unsupported` finds nothing in.
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
        features = parts[0] if len(parts) == 1 else build.add("Concat", *parts, axis=2)
        x = build.add("Transpose", features, perm=[1, 0, 2])
        place, cell = f"encoder.readers.{language or 'shared'}.recurrent", config.cell(config.word_encoder)
        states, _ = build.stack(place, cell, config.num_hidden_layers, x, lengths)
        top = build.add("Transpose", states, perm=[1, 0, 2])
        tops[language] = top if gazetteer is None else build.add("Concat", top, gazetteer, axis=2)
    names = config.head_names[:1] if config.sharing == "all" else config.head_names
    for name in names:
        key = "shared" if name is None or config.sharing == "all" else name
        weight = build.add("Transpose", build.number(f"heads.{key}.output.weight"), perm=[1, 0])
        product = build.add("MatMul", tops[config.head(name).language], weight)
        emissions = build.add("Add", product, build.number(f"heads.{key}.output.bias"))
        build.output(emissions, emissions_of(key), "batch", "time", stored[f"heads.{key}.output.bias"].shape[0])
    return build.model("tagsmith", version)


def emissions_of(head: str) -> str:
    """The name of a head's output, by the name of its module."""
    return "emissions" if head == "shared" else f"emissions.{head}"


def words_of(language: str | None) -> str:
    """The name of the input of a language's word ids."""
    return "words" if language is None else f"words.{language}"


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
        lowest = build.onnx.numpy_helper.from_array(np.array([np.finfo(np.float32).min], dtype=np.float32))
        masked = build.add("Where", there, found, build.add("Constant", value=lowest))
        return str(build.add("ReduceMax", masked, axes=[2], keepdims=0))
    lengths = build.input("character_lengths", "INT32", "distinct")
    x, cell = build.add("Transpose", embedded, perm=[1, 0, 2]), config.cell(config.character_encoder)
    _, last = build.stack("encoder.characters.recurrent", cell, config.character_num_layers, x, lengths)
    return str(build.add("Reshape", build.add("Transpose", last, perm=[1, 0, 2]), build.constant(0, -1)))


def _ngrams(build: GraphBuilder) -> str:
    rows = build.input("ngrams", "INT64", "distinct", "n")
    known = build.float(build.add("Greater", rows, build.constant(0)))
    table = build.rows("encoder.ngrams.embedding.weight", rows)
    masked = build.add("Mul", table, build.add("Unsqueeze", known, build.constant(2)))  # row 0 is of none
    summed = build.add("ReduceSum", masked, build.constant(1), keepdims=0)
    count = build.add("ReduceSum", known, build.constant(1), keepdims=1)
    one = build.onnx.numpy_helper.from_array(np.array(1, dtype=np.float32))
    atleast = build.add("Max", count, build.add("Constant", value=one))
    return str(build.add("Div", summed, build.add("Sqrt", atleast)))


def stored_tensors(path: Path) -> dict[str, Stored]:
    """Where the tensors of a safetensors file stand."""
    import json

    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        found[name] = Stored(entry["dtype"], tuple(entry["shape"]), 8 + length + start, end - start)
    return found


def write_graphs(model: Any, folder: Path, version: str) -> dict[str, Path]:
    """As `export_onnx` of a model, which calls this."""
    import onnx
    from safetensors.torch import save_file

    if part := unsupported(model.config):
        raise ValueError(f"ONNX has no operator for {part}; gru, lstm, rnn and cnn can be exported.")
    weights = folder / "model.safetensors"
    save_file({name: _halved(name, tensor) for name, tensor in model.state_dict().items()}, weights)
    graphs = tagger_graphs(model.config, stored_tensors(weights), weights.name, version)
    paths = {name: folder / f"{name}.onnx" for name in graphs}
    for name, path in paths.items():
        path.write_bytes(graphs[name].SerializeToString())
        onnx.checker.check_model(str(path), full_check=True)
    return paths


def _halved(name: str, tensor: Any) -> Any:
    """A tensor in 16 bits, except for a CRF's scores, what would not fit, and what is no floating-point number."""
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point() or ".crf." in name:
        return tensor
    short = tensor.half()
    return short if short.isfinite().all() else tensor.float()
