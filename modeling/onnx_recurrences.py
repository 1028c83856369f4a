"""Recurrent layers in graphs of ONNX: GRU, LSTM and RNN by its own operators, SRU and the linear RNN by loops.

Sequences lie as `(time, batch, width)`, padded behind their end. What is computed for padding enters no state that is
read. The formulas of SRU and the linear RNN stand in `linear_recurrence.py`.
"""

from __future__ import annotations

import math
from typing import Any

from .onnx_builder import GraphBuilder

# Cells that ONNX has operators for, and its order of gates by where they stand in ours.
_OPERATOR = {"gru": "GRU", "gru-reset-before": "GRU", "lstm": "LSTM", "rnn": "RNN"}
_ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}


def add_stack(
    build: GraphBuilder,
    place: str,
    cell: str,
    count: int,
    x: str,
    lengths: str,
    initial: list[list[str]] | None = None,
) -> tuple[str, list[list[str]]]:
    """Layers upon each other, of as many directions as their weights have.

    Args:
        build: the graph.
        place: of the weights, before their names.
        cell: of all layers.
        count: of them.
        x: `(time, batch, width)`.
        lengths: int32 `(batch,)`; "" where all are whole.
        initial: of an LSTM, for each layer, hidden state and cell to start from, `(directions, batch, size)`.

    Returns:
        The top layer's states `(time, batch, directions * size)`; and for each layer what a sequence ends with,
        `(batch, directions * size)`: of an LSTM hidden state and cell, of the others one.
    """
    ends = []
    for index in range(count):
        own = f"{place}.layers.{index}"
        if cell in _OPERATOR:
            x, last = _operator(build, own, cell, x, lengths, initial[index] if initial else [])
        else:
            x, last = (_sru if cell.startswith("sru") else _linear_rnn)(build, own, x, lengths)
        ends.append(last)
    return x, ends


def _gates(build: GraphBuilder, operator: str, name: str) -> str:
    """A tensor of gates `(directions, rows, gates * size)` as ONNX has it, `(directions, gates * size, rows)`."""
    whole = build.add("Transpose", build.number(name), perm=[0, 2, 1])
    order = _ORDER[operator]
    if len(order) == 1:
        return str(whole)
    parts = build.add("Split", whole, outputs=len(order), axis=1)
    return build.join([parts[place] for place in order], axis=1)


def _operator(
    build: GraphBuilder, place: str, cell: str, x: str, lengths: str, initial: list[str]
) -> tuple[str, list[str]]:
    operator = _OPERATOR[cell]
    inputs, states = (_gates(build, operator, f"{place}.{part}_weight") for part in ("input", "recurrent"))
    biases = [_gates(build, operator, f"{place}.{part}_bias") for part in ("input", "recurrent")]
    bias = build.add("Squeeze", build.join(biases, axis=1), build.constant(2))
    directions, size, _ = build.stored[f"{place}.recurrent_weight"].shape
    how: dict[str, Any] = {"direction": "bidirectional" if directions == 2 else "forward", "hidden_size": size}
    if operator == "GRU":
        how["linear_before_reset"] = int(cell == "gru")
    count = 3 if operator == "LSTM" else 2
    found, *last = build.add(operator, x, inputs, states, bias, lengths, *initial, outputs=count, **how)
    by_place = build.add("Transpose", found, perm=[0, 2, 1, 3])
    ends = [_flat(build, build.add("Transpose", end, perm=[1, 0, 2]), 1) for end in last]
    return _flat(build, by_place, 2), ends


def _flat(build: GraphBuilder, x: str, axes: int) -> str:
    """The first axes as they are, and all others as one."""
    return str(build.add("Reshape", x, build.constant(*[0] * axes, -1)))


def _projected(build: GraphBuilder, place: str, x: str, lengths: str, parts: int) -> tuple[list[str], list[str]]:
    """What both directions make of inputs, each in its own order, and side by side: parts `(time, batch, 2 * size)`.

    Returns:
        The parts; and the inputs in the order of each direction.
    """
    ways = [x, build.turned(x, lengths)]
    weights = build.add("Split", build.number(f"{place}.input_weight"), outputs=2, axis=0)
    found = []
    for way, weight in zip(ways, weights, strict=True):
        product = build.add("MatMul", way, build.add("Squeeze", weight, build.constant(0)))
        found.append(build.add("Split", product, outputs=parts, axis=2) if parts > 1 else [product])
    return [build.join(both, axis=2) for both in zip(*found, strict=True)], ways


def _by_direction(build: GraphBuilder, name: str, parts: int) -> list[str]:
    """A tensor `(2, 1, parts * size)` as parts `(2 * size,)`, the directions side by side."""
    whole = build.number(name)
    split = build.add("Split", whole, outputs=parts, axis=2) if parts > 1 else [whole]
    return [build.add("Reshape", part, build.constant(-1)) for part in split]


def _results(build: GraphBuilder, out: str, lengths: str) -> tuple[str, list[str]]:
    """Outputs `(time, batch, 2 * size)`, each direction in its own order, as `add_stack` gives them."""
    times = build.add(
        "Range", build.index(0), build.add("Gather", build.add("Shape", out), build.index(0)), build.index(1)
    )
    last = build.add("Sub", build.long(lengths), build.constant(1))
    at_end = build.float(build.add("Equal", build.add("Unsqueeze", times, build.constant(1)), last))
    chosen = build.add("Mul", out, build.add("Unsqueeze", at_end, build.constant(2)))
    ends = build.add("ReduceSum", chosen, build.constant(0), keepdims=0)
    forward, backward = build.add("Split", out, outputs=2, axis=2)
    return build.join([forward, build.turned(backward, lengths)], axis=2), [ends]


def _zeros(build: GraphBuilder, lengths: str, *shape: int) -> str:
    """A state of zeros, `(batch, *shape)`."""
    return str(build.add("ConstantOfShape", build.join([build.add("Shape", lengths), build.constant(*shape)], axis=0)))


def _towards(build: GraphBuilder, start: str, end: str, share: str) -> str:
    """`start + share (end - start)`."""
    return str(build.add("Add", build.add("Mul", build.add("Sub", end, start), share), start))


def _sru(build: GraphBuilder, place: str, x: str, lengths: str) -> tuple[str, list[str]]:
    width = build.stored[f"{place}.input_weight"].shape[2]
    size = build.stored[f"{place}.gate_bias"].shape[2] // 2
    (candidate, forget, highway, *rest), ways = _projected(build, place, x, lengths, width // size)
    if rest:
        skip = rest[0]
    else:  # each direction's own part of what it reads
        skip = build.join([build.add("Split", way, outputs=2, axis=2)[own] for own, way in enumerate(ways)], axis=2)
    biases = _by_direction(build, f"{place}.gate_bias", 2)
    forget, highway = (build.add("Add", gate, bias) for gate, bias in zip((forget, highway), biases, strict=True))
    body = GraphBuilder({}, "", f"{place}.")
    state = body.input(f"{place}.before", "FLOAT", "batch", 2 * size)
    gate, enters = (body.input(f"{place}.{name}", "FLOAT", "batch", 2 * size) for name in ("gate", "enters"))
    start = _zeros(build, lengths, 2 * size)
    if f"{place}.state_weight" in build.stored:
        of_forget, of_highway = _by_direction(build, f"{place}.state_weight", 2)
        keeps = body.add("Sigmoid", body.add("Add", gate, body.add("Mul", state, of_forget)))
        after = _towards(body, enters, state, keeps)
    else:
        forget = build.add("Sigmoid", forget)
        candidate = build.add("Sub", candidate, build.add("Mul", candidate, forget))
        after = body.add("Add", body.add("Mul", state, gate), enters)
    for name, value in (("after", after), ("now", after), ("then", state)):
        body.output(value, f"{place}.{name}", "batch", 2 * size)
    states, before = build.scan(body, [start], [forget, candidate])
    if f"{place}.state_weight" in build.stored:
        highway = build.add("Add", highway, build.add("Mul", before, of_highway))
    scaled = build.add("Mul", skip, build.scalar(math.sqrt(3)))
    return _results(build, _towards(build, scaled, states, build.add("Sigmoid", highway)), lengths)


def _linear_rnn(build: GraphBuilder, place: str, x: str, lengths: str) -> tuple[str, list[str]]:
    _, size, numbers = build.stored[f"{place}.decay_logit"].shape
    width = build.stored[f"{place}.input_weight"].shape[2]
    parts, _ = _projected(build, place, x, lengths, width // size)
    biases = _by_direction(build, f"{place}.input_bias", width // size)
    dense, *gate = [build.add("Add", part, bias) for part, bias in zip(parts, biases, strict=True)]
    shape = build.constant(2 * size, numbers)
    decay = build.add("Reshape", build.add("Sigmoid", build.number(f"{place}.decay_logit")), shape)
    both = [build.number(f"{place}.state_{side}") for side in ("input", "output")]
    weight = build.add("Reshape", build.add("Mul", *both), shape)
    body = GraphBuilder({}, "", f"{place}.")
    state = body.input(f"{place}.before", "FLOAT", "batch", 2 * size, numbers)
    enters = body.add("Unsqueeze", body.input(f"{place}.enters", "FLOAT", "batch", 2 * size), body.constant(2))
    after = body.add("Add", body.add("Mul", state, decay), enters)
    body.output(after, f"{place}.after", "batch", 2 * size, numbers)
    summed = body.add("ReduceSum", body.add("Mul", after, weight), body.constant(2), keepdims=0)
    body.output(summed, f"{place}.now", "batch", 2 * size)
    (past,) = build.scan(body, [_zeros(build, lengths, 2 * size, numbers)], [dense])
    out = _towards(build, dense, past, build.add("Sigmoid", gate[0])) if gate else past
    return _results(build, out, lengths)
