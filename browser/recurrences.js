/** Layers with a matrix for the state before: GRU, LSTM and the plain RNN, many sequences at a time. */

import { byWay, Layer } from "./layer.js";
import { Product, ROWS } from "./product.js";

// The logistic function is 0.5 + 0.5 tanh(x / 2), its half taken into the weights, so that tanh serves all gates.

/** The weights of a layer, those of the first gates halved, or of those that `logistic` names. */
function read(weights, place, { width, size, directions }, gates, logistic) {
  const columns = gates * size;
  const part = (name, inner) => {
    const numbers = weights.get(`${place}.${name}`, [directions, inner, columns]);
    for (let at = 0; at < numbers.length; at++)
      if (logistic.includes(Math.floor((at % columns) / size))) numbers[at] /= 2;
    return numbers;
  };
  const bias = part("input_bias", 1), stateBias = part("recurrent_bias", 1);
  return { input: part("input_weight", width), bias, state: part("recurrent_weight", size), stateBias };
}

const sum = (one, other) => one.map((number, place) => number + other[place]);

/** A layer whose state is multiplied by a matrix, and kept where that is done. */
class Recurrence extends Layer {
  constructor(shape, gates, own, bias, stateWeight = own.state, stateGates = gates) {
    super(shape, gates, own.input, bias);
    const { size, directions } = shape;
    this.recurrent = new Product(stateWeight, { matrices: directions, inner: size, gates: stateGates, size });
    [this.state, this.apart] = [this.recurrent.x, this.recurrent.inner];
  }

  /** What enters this step, and the product of the states before with it. */
  _enter(rows, running, way, follows) {
    const { recurrent, entering } = this;
    for (let row = 0; row < running; row++)
      recurrent.out.set(rows[row].subarray(way * entering, way * entering + recurrent.columns), row * recurrent.columns);
    if (follows) recurrent.add(running, way);
  }
}

/** Gates in the order input, forget, cell, output. */
export class LSTM extends Recurrence {
  constructor(weights, place, shape) {
    const own = read(weights, place, shape, 4, [0, 1, 3]);
    super(shape, 4, own, sum(own.bias, own.stateBias));
    this.memory = new Float32Array(ROWS * shape.size);
  }

  start() {
    super.start();
    this.memory.fill(0);
  }

  /** Hidden state and cell of a row, to where those of a direction are. */
  end(row, way, to) {
    const { size, directions, state, memory, apart } = this;
    to.set(state.subarray(row * apart, row * apart + size), way * size);
    to.set(memory.subarray(row * size, (row + 1) * size), (directions + way) * size);
  }

  /** Of a layer that is read one way: have a row go on from what `end` gave. */
  begin(row, from, at) {
    const { size, state, memory, apart } = this;
    state.set(from.subarray(at, at + size), row * apart);
    memory.set(from.subarray(at + size, at + 2 * size), row * size);
  }

  step(rows, running, way, follows) {
    const { size, recurrent, memory, apart } = this, { x: state, out: gates, lane, columns } = recurrent;
    this._enter(rows, running, way, follows);
    recurrent.tanh(gates, 0, running * columns);
    for (let row = 0; row < running; row++)
      for (let j = 0, at = row * columns, own = row * size; j < size; j++, at++, own++) {
        const enters = gates[at] + 1, keeps = gates[at + lane] + 1;
        memory[own] = 0.5 * (keeps * memory[own] + enters * gates[at + 2 * lane]);
        state[row * apart + j] = memory[own];
      }
    recurrent.tanh(state, 0, running * apart);
    for (let row = 0; row < running; row++)
      for (let j = 0, at = row * columns + 3 * lane; j < size; j++) state[row * apart + j] *= 0.5 * (gates[at + j] + 1);
  }
}

/** Gates in the order reset, update, candidate; the reset gate after the product. */
export class GRU extends Recurrence {
  constructor(weights, place, shape) {
    const own = read(weights, place, shape, 3, [0, 1]);
    super(shape, 3, own, own.bias);
    this.stateBias = byWay(this.recurrent, own.stateBias, shape.directions, 3);
  }

  step(rows, running, way, follows) {
    const { size, recurrent, apart } = this, { x: state, out, lane, columns } = recurrent, from = way * this.entering;
    for (let row = 0; row < running; row++) out.set(this.stateBias[way], row * columns);
    if (follows) recurrent.add(running, way);
    for (let row = 0; row < running; row++) {
      const at = row * columns, input = rows[row];
      for (let j = 0; j < 2 * lane; j++) out[at + j] += input[from + j];
      recurrent.tanh(out, at, at + 2 * lane);
      for (let j = 0; j < size; j++)
        out[at + 2 * lane + j] = input[from + 2 * lane + j] + 0.5 * (out[at + j] + 1) * out[at + 2 * lane + j];
      recurrent.tanh(out, at + 2 * lane, at + 3 * lane);
      blend(state, row * apart, out, at + 2 * lane, out, at + lane, size);
    }
  }
}

/** The same, the reset gate before the product. */
export class GRUResetBefore extends Recurrence {
  constructor(weights, place, shape) {
    const own = read(weights, place, shape, 3, [0, 1]), { size, directions } = shape, gates = [], candidate = [];
    for (let at = 0; at < own.state.length; at += 3 * size) {
      gates.push(...own.state.subarray(at, at + 2 * size));
      candidate.push(...own.state.subarray(at + 2 * size, at + 3 * size));
    }
    super(shape, 3, own, sum(own.bias, own.stateBias), Float32Array.from(gates), 2);
    this.candidate = new Product(Float32Array.from(candidate), { matrices: directions, inner: size, size });
  }

  step(rows, running, way, follows) {
    const { size, recurrent, candidate, apart } = this, { x: state, out, lane, columns } = recurrent;
    const from = way * this.entering + 2 * lane;
    this._enter(rows, running, way, follows);
    for (let row = 0; row < running; row++) {
      const at = row * columns;
      recurrent.tanh(out, at, at + 2 * lane);
      for (let j = 0; j < size; j++)
        candidate.x[row * apart + j] = 0.5 * (out[at + j] + 1) * state[row * apart + j];
      candidate.out.set(rows[row].subarray(from, from + lane), row * candidate.columns);
    }
    if (follows) candidate.add(running, way);
    for (let row = 0; row < running; row++) {
      const at = row * candidate.columns;
      candidate.tanh(candidate.out, at, at + lane);
      blend(state, row * apart, candidate.out, at, out, row * columns + lane, size);
    }
  }
}

/** A GRU's new state: the candidate where the update gate is 0, the state before where it is 1. */
function blend(state, to, candidate, from, gates, at, size) {
  for (let j = 0; j < size; j++) {
    const next = candidate[from + j];
    state[to + j] = (state[to + j] - next) * 0.5 * (gates[at + j] + 1) + next;
  }
}

export class RNN extends Recurrence {
  constructor(weights, place, shape) {
    const own = read(weights, place, shape, 1, []);
    super(shape, 1, own, sum(own.bias, own.stateBias));
  }

  step(rows, running, way, follows) {
    const { size, recurrent, apart } = this, { x: state, out, columns } = recurrent;
    this._enter(rows, running, way, follows);
    recurrent.tanh(out, 0, running * columns);
    for (let row = 0; row < running; row++)
      state.set(out.subarray(row * columns, row * columns + size), row * apart);
  }
}
