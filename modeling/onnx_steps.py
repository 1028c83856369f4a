"""The steps of a GRU, LSTM or RNN as a loop of ONNX, for many sequences whose inputs are multiplied already.

ONNX's own operators multiply each input by its weights. Here that product is a row of a table, of distinct words, or
made by a product before; a step looks it up, and is one product of all sequences and a few operations. Gates stand in
the order of ONNX's operators, in which those that are logistic are next to each other.
"""

from __future__ import annotations

from typing import NamedTuple

from .onnx_builder import GraphBuilder


def gates_of(cell: str) -> tuple[str, int]:
    """What ONNX calls the operator of a cell, and how many gates it has."""
    operator = cell.split("-")[0].upper()
    return operator, {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]


class Entering(NamedTuple):
    """What enters the steps of one direction, in its own order.

    Attributes:
        values: `(time, batch, gates * size)`; or with `rows` a table `(n, gates * size)`.
        rows: rows of the table, `(time, batch)`.
    """

    values: str
    rows: str | None = None


def add_steps(
    build: GraphBuilder, name: str, cell: str, entering: Entering, weight: str, bias: str, zeros: str, size: int
) -> str:
    """One direction of a layer: the states `(time, batch, size)`.

    Args:
        build: the graph.
        name: of the loop, which no other has.
        cell: one that ONNX has an operator for.
        entering: with all biases but that of the next.
        weight: of the states, `(size, gates * size)`.
        bias: of a GRU, of the states' share `(gates * size,)`.
        zeros: the state to start from, `(batch, size)`.
        size: of it.
    """
    body, width = GraphBuilder({}, "", f"{name}."), gates_of(cell)[1] * size
    parts = ("state", "cell") if cell == "lstm" else ("state",)
    before = [body.input(f"{name}.{part}", "FLOAT", "batch", size) for part in parts]
    if entering.rows is None:
        here = body.input(f"{name}.here", "FLOAT", "batch", width)
    else:
        here = body.add("Gather", entering.values, body.input(f"{name}.row", "INT64", "batch"), axis=0)
    if cell == "lstm":
        after = _lstm(body, before, body.add("Add", body.add("MatMul", before[0], weight), here), size)
    elif cell == "rnn":
        after = [body.add("Tanh", body.add("Add", body.add("MatMul", before[0], weight), here))]
    elif cell == "gru":
        after = [_gru(body, before[0], here, weight, bias, size)]
    else:
        weights, biases = (
            build.add("Split", value, build.constant(2 * size, size), outputs=2, axis=-1) for value in (weight, bias)
        )
        after = [_gru_reset_before(body, before[0], here, weights, biases, size)]
    for value in [*after, body.add("Identity", after[0])]:
        body.result(value, "batch", size)
    (states,) = build.scan(body, [zeros] * len(before), [entering.rows or entering.values])
    return states


def towards(build: GraphBuilder, start: str, end: str, share: str) -> str:
    """`start + share (end - start)`."""
    return str(build.add("Add", build.add("Mul", build.add("Sub", end, start), share), start))


def _lstm(body: GraphBuilder, before: list[str], gates: str, size: int) -> list[str]:
    logistic, candidate = body.add("Split", gates, body.constant(3 * size, size), outputs=2, axis=1)
    enters, leaves, keeps = body.add("Split", body.add("Sigmoid", logistic), outputs=3, axis=1)
    new = body.add("Mul", enters, body.add("Tanh", candidate))
    cell = body.add("Add", body.add("Mul", keeps, before[1]), new)
    return [body.add("Mul", leaves, body.add("Tanh", cell)), cell]


def _gru(body: GraphBuilder, state: str, here: str, weight: str, bias: str, size: int) -> str:
    share = body.add("Add", body.add("MatMul", state, weight), bias)
    sizes = body.constant(2 * size, size)
    of_gates, of_candidate = body.add("Split", share, sizes, outputs=2, axis=1)
    gates, candidate = body.add("Split", here, sizes, outputs=2, axis=1)
    update, reset = body.add("Split", body.add("Sigmoid", body.add("Add", gates, of_gates)), outputs=2, axis=1)
    new = body.add("Tanh", body.add("Add", candidate, body.add("Mul", reset, of_candidate)))
    return towards(body, new, state, update)


def _gru_reset_before(
    body: GraphBuilder, state: str, here: str, weights: list[str], biases: list[str], size: int
) -> str:
    gates, candidate = body.add("Split", here, body.constant(2 * size, size), outputs=2, axis=1)
    gates = body.add("Add", body.add("Add", body.add("MatMul", state, weights[0]), biases[0]), gates)
    update, reset = body.add("Split", body.add("Sigmoid", gates), outputs=2, axis=1)
    share = body.add("Add", body.add("MatMul", body.add("Mul", reset, state), weights[1]), biases[1])
    return towards(body, body.add("Tanh", body.add("Add", share, candidate)), state, update)
