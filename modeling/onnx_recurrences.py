"""Recurrent layers in graphs of ONNX: GRU, LSTM and RNN by its own operators, SRU and the linear RNN by loops.

Where the product of inputs and weights is known, by distinct words, GRU, LSTM and RNN are loops as well, since ONNX's
operators would make it again; but for a single sequence, of which a loop takes longer than the operator.

Sequences lie as `(time, batch, width)`, padded behind their end. What is computed for padding enters no state that is
read. The formulas of SRU and the linear RNN stand in `linear_recurrence.py`.
"""

from __future__ import annotations

import math
from typing import Any

from .onnx_builder import GraphBuilder
from .onnx_steps import Entering, add_steps, gates_of, towards

OPERATORS = ("gru", "gru-reset-before", "lstm", "rnn")  # the cells that ONNX has operators for
# ONNX's order of gates, by where they stand in ours.
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
        if cell in OPERATORS:
            x, last = _operator(build, own, cell, x, lengths, initial[index] if initial else [])
        else:
            entering = add_products(build, own, cell, [x, build.turned(x, lengths)])
            x, last = _loop(build, own, cell, entering, lengths)
        ends.append(last)
    return x, ends


def add_products(build: GraphBuilder, place: str, cell: str, ways: list[str]) -> list[str]:
    """What enters the steps of a layer of two directions, wherever they stand: `(..., width)` of each.

    Of a cell with an operator all biases are in it, but a GRU's of the states' share.

    Args:
        build: the graph.
        place: of the layer's weights.
        cell: of it.
        ways: what each direction reads, `(..., features)`.
    """
    weights = _by_way(build, place, "input_weight", cell)
    products = [build.add("MatMul", way, weight) for way, weight in zip(ways, weights, strict=True)]
    if not cell.startswith("sru"):
        biases = _by_way(build, place, "input_bias", cell)
        if cell in ("lstm", "rnn"):
            both = zip(biases, _by_way(build, place, "recurrent_bias", cell), strict=True)
            biases = [build.add("Add", *pair) for pair in both]
        return [build.add("Add", product, bias) for product, bias in zip(products, biases, strict=True)]
    if build.stored[f"{place}.input_weight"].shape[2] == 2 * build.stored[f"{place}.gate_bias"].shape[2]:
        return products
    own = [build.add("Split", way, outputs=2, axis=-1)[number] for number, way in enumerate(ways)]
    return [build.add("Concat", *pair, axis=-1) for pair in zip(products, own, strict=True)]


def add_known_stack(
    build: GraphBuilder, place: str, cell: str, count: int, tables: list[str], rows: str, lengths: str
) -> str:
    """As `add_stack`, where what enters the first layer is known: the top layer's states.

    Args:
        build: the graph.
        place: of the weights, before their names.
        cell: of all layers.
        count: of them.
        tables: of `add_products`, `(n, width)` of each direction.
        rows: of these tables, `(time, batch)`.
        lengths: int32 `(batch,)`.
    """
    x, ways = "", [rows, build.turned(rows, lengths)]
    entering = [Entering(table, way) for table, way in zip(tables, ways, strict=True)]
    for index in range(count):
        own = f"{place}.layers.{index}"
        if index:
            ways = [x, build.turned(x, lengths)]
            entering = [Entering(values) for values in add_products(build, own, cell, ways)]
        if cell in OPERATORS:
            x = _stepped(build, own, cell, entering, lengths)
        else:
            x, _ = _loop(build, own, cell, [_found(build, way) for way in entering], lengths)
    return x


def add_known_stack_of_one(
    build: GraphBuilder, place: str, cell: str, count: int, tables: list[str], rows: str
) -> str:
    """As `add_known_stack`, of a single sequence and a cell that ONNX has an operator for.

    The operator multiplies once more, but by little: its weights are the rows of the table, one for each step, and
    each step's input chooses one of them.
    """
    chosen = [build.add("Transpose", build.add("Gather", table, rows), perm=[1, 2, 0]) for table in tables]
    time = build.add("Gather", build.add("Shape", rows), build.index(0))
    steps = build.add("Range", build.index(0), time, build.index(1))
    own_step = build.add("Equal", build.add("Unsqueeze", steps, build.constant(1)), steps)
    x = build.add("Unsqueeze", build.float(own_step), build.constant(1))  # (time, 1, time)
    for index in range(count):
        own = f"{place}.layers.{index}"
        if index:
            x, _ = _operator(build, own, cell, x, "", [])
            continue
        bias = ""
        if cell.startswith("gru"):
            of_states = _gates(build, "GRU", f"{own}.recurrent_bias")
            both = build.join([build.add("Sub", of_states, of_states), of_states], axis=1)
            bias = build.add("Squeeze", both, build.constant(2))
        x, _ = _operated(build, own, cell, [x, build.join(chosen, axis=0)], bias, "", [])
    return x


def _stepped(build: GraphBuilder, place: str, cell: str, entering: list[Entering], lengths: str) -> str:
    """A layer as loops of steps, one of each direction: its states `(time, batch, 2 * size)`."""
    weights = _by_way(build, place, "recurrent_weight", cell)
    biases = _by_way(build, place, "recurrent_bias", cell)
    size = build.stored[f"{place}.recurrent_weight"].shape[1]
    zeros = _zeros(build, lengths, size)
    forward, backward = (
        add_steps(build, f"{place}.{name}", cell, entering[way], weights[way], biases[way], zeros, size)
        for way, name in enumerate(("forward", "backward"))
    )
    return build.join([forward, build.turned(backward, lengths)], axis=2)


def _found(build: GraphBuilder, entering: Entering) -> str:
    """What enters steps, `(time, batch, width)`."""
    if entering.rows is None:
        return entering.values
    return str(build.add("Gather", entering.values, entering.rows, axis=0))


def _by_way(build: GraphBuilder, place: str, name: str, cell: str) -> list[str]:
    """A tensor of gates `(2, rows, gates * size)` by direction, `(rows, gates * size)` each, in ONNX's order."""
    whole = build.number(f"{place}.{name}")
    if cell in OPERATORS and len(order := _ORDER[gates_of(cell)[0]]) > 1:
        parts = build.add("Split", whole, outputs=len(order), axis=2)
        whole = build.join([parts[gate] for gate in order], axis=2)
    ways = build.add("Split", whole, outputs=2, axis=0)
    return [build.add("Squeeze", way, build.constant(0)) for way in ways]


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
    operator, _ = gates_of(cell)
    inputs = _gates(build, operator, f"{place}.input_weight")
    biases = [_gates(build, operator, f"{place}.{part}_bias") for part in ("input", "recurrent")]
    bias = build.add("Squeeze", build.join(biases, axis=1), build.constant(2))
    return _operated(build, place, cell, [x, inputs], bias, lengths, initial)


def _operated(
    build: GraphBuilder, place: str, cell: str, entering: list[str], bias: str, lengths: str, initial: list[str]
) -> tuple[str, list[str]]:
    """A layer by ONNX's operator, of inputs and their weights."""
    operator, _ = gates_of(cell)
    states = _gates(build, operator, f"{place}.recurrent_weight")
    directions, size, _ = build.stored[f"{place}.recurrent_weight"].shape
    how: dict[str, Any] = {"direction": "bidirectional" if directions == 2 else "forward", "hidden_size": size}
    if operator == "GRU":
        how["linear_before_reset"] = int(cell == "gru")
    count = 3 if operator == "LSTM" else 2
    found, *last = build.add(operator, *entering, states, bias, lengths, *initial, outputs=count, **how)
    by_place = build.add("Transpose", found, perm=[0, 2, 1, 3])
    ends = [_flat(build, build.add("Transpose", end, perm=[1, 0, 2]), 1) for end in last]
    return _flat(build, by_place, 2), ends


def _flat(build: GraphBuilder, x: str, axes: int) -> str:
    """The first axes as they are, and all others as one."""
    return str(build.add("Reshape", x, build.constant(*[0] * axes, -1)))


def _sides(build: GraphBuilder, entering: list[str], parts: int) -> list[str]:
    """What enters, `(time, batch, parts * size)` of each direction, as parts `(time, batch, 2 * size)`."""
    if parts == 1:
        return [build.join(entering, axis=2)]
    split = [build.add("Split", way, outputs=parts, axis=2) for way in entering]
    return [build.join(both, axis=2) for both in zip(*split, strict=True)]


def _loop(build: GraphBuilder, place: str, cell: str, entering: list[str], lengths: str) -> tuple[str, list[str]]:
    """A layer that ONNX has no operator for."""
    return (_sru if cell.startswith("sru") else _linear_rnn)(build, place, entering, lengths)


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


def _sru(build: GraphBuilder, place: str, entering: list[str], lengths: str) -> tuple[str, list[str]]:
    size = build.stored[f"{place}.gate_bias"].shape[2] // 2
    candidate, forget, highway, skip = _sides(build, entering, 4)
    biases = _by_direction(build, f"{place}.gate_bias", 2)
    forget, highway = (build.add("Add", gate, bias) for gate, bias in zip((forget, highway), biases, strict=True))
    body = GraphBuilder({}, "", f"{place}.")
    state = body.input(f"{place}.before", "FLOAT", "batch", 2 * size)
    gate, enters = (body.input(f"{place}.{name}", "FLOAT", "batch", 2 * size) for name in ("gate", "enters"))
    start = _zeros(build, lengths, 2 * size)
    if f"{place}.state_weight" in build.stored:
        of_forget, of_highway = _by_direction(build, f"{place}.state_weight", 2)
        keeps = body.add("Sigmoid", body.add("Add", gate, body.add("Mul", state, of_forget)))
        after = towards(body, enters, state, keeps)
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
    return _results(build, towards(build, scaled, states, build.add("Sigmoid", highway)), lengths)


def _linear_rnn(build: GraphBuilder, place: str, entering: list[str], lengths: str) -> tuple[str, list[str]]:
    _, size, numbers = build.stored[f"{place}.decay_logit"].shape
    width = build.stored[f"{place}.input_weight"].shape[2]
    dense, *gate = _sides(build, entering, width // size)
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
    out = towards(build, dense, past, build.add("Sigmoid", gate[0])) if gate else past
    return _results(build, out, lengths)
