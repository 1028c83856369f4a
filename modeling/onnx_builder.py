"""Graphs of ONNX, node by node, that point into a file of weights.

A graph holds no weights: they are those of the model's own safetensors file, so that there is one copy. What has 16
bits there is cast, and put into the order that an operator has it in, when a runtime loads the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

OPSET = 17


class Stored(NamedTuple):
    """A tensor in the file of weights: its type there (`F16`, `F32`), shape, and place in bytes."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    length: int


class GraphBuilder:
    """Collects the nodes of a graph, or of the body of a loop in one.

    Args:
        stored: the tensors of the file of weights.
        location: the file's name, beside the graph.
        prefix: of the names of values, where they have to differ from another graph's.
    """

    def __init__(self, stored: Mapping[str, Stored], location: str, prefix: str = "") -> None:
        import onnx

        self.onnx, self.stored, self.location, self.prefix = onnx, stored, location, prefix
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.outputs: list[Any] = []
        self._count = 0

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; the name of its output, or those of several."""
        self._count += 1
        names = [f"{self.prefix}{operator.lower()}_{self._count}_{place}" for place in range(outputs)]
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

    def result(self, value: str, *shape: str | int) -> None:
        """Have a value be an output of a loop's step under its own name; each is one at most once."""
        self.outputs.append(self.onnx.helper.make_tensor_value_info(value, self.onnx.TensorProto.FLOAT, shape))

    def constant(self, *values: int) -> str:
        """Whole numbers `(n,)`."""
        return self._hold(np.array(values, dtype=np.int64))

    def index(self, value: int) -> str:
        """A whole number, of no dimensions."""
        return self._hold(np.array(value, dtype=np.int64))

    def scalar(self, value: float) -> str:
        """A number in 32 bits, of no dimensions."""
        return self._hold(np.array(value, dtype=np.float32))

    def _hold(self, values: np.ndarray) -> str:
        return str(self.add("Constant", value=self.onnx.numpy_helper.from_array(values)))

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

    def long(self, value: str) -> str:
        """A value as whole numbers of 64 bits."""
        return str(self.add("Cast", value, to=self.onnx.TensorProto.INT64))

    def rows(self, name: str, ids: str) -> str:
        """Rows of a table of the file by their numbers, in 32 bits."""
        return self.float(self.add("Gather", self.weight(name), ids))

    def dense(self, place: str, x: str) -> str:
        """A linear layer of the file, with its bias if it has one."""
        product = self.add("MatMul", x, self.add("Transpose", self.number(f"{place}.weight"), perm=[1, 0]))
        bias = f"{place}.bias"
        return str(self.add("Add", product, self.number(bias)) if bias in self.stored else product)

    def join(self, parts: Sequence[str], axis: int) -> str:
        """Parts one after another; a single one as it is."""
        return str(parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=axis))

    def turned(self, x: str, lengths: str) -> str:
        """`(time, batch, ...)`, each sequence of so many steps from its end to its beginning, padding as it was."""
        return str(self.add("ReverseSequence", x, self.long(lengths), batch_axis=1, time_axis=0))

    def scan(self, body: GraphBuilder, states: Sequence[str], rows: Sequence[str]) -> list[str]:
        """A loop over time.

        Args:
            body: one step; its inputs are the states and a row of each, its outputs the next states and rows.
            states: that it starts from.
            rows: `(time, ...)` each.

        Returns:
            The rows of all steps, of each of those that the body has.
        """
        graph = self.onnx.helper.make_graph(body.nodes, f"{body.prefix}step", list(body.inputs.values()), body.outputs)
        count = len(body.outputs)
        names = self.add("Scan", *states, *rows, outputs=count, body=graph, num_scan_inputs=len(rows))
        return list(names[len(states) :])

    def model(self, version: str) -> Any:
        """The whole, an `onnx.ModelProto`."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, "tagger", list(self.inputs.values()), self.outputs, list(self.weights.values())
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opsets, producer_name="tagsmith", producer_version=version, ir_version=8
        )


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
