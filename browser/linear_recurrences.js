/** Layers whose state enters its own recurrence element by element: simple recurrent units and the linear RNN. */

import { Layer } from "./layer.js";
import { ROWS } from "./product.js";

const ALPHA = Math.sqrt(3), STATES = 8; // numbers of the linear RNN's state, of each dimension

/** Gates in the order candidate, forget, highway, and what the highway carries, a projection or the input itself. */
export class SRU extends Layer {
  constructor(weights, place, shape, gatesOfState) {
    const { width, size, directions } = shape, projects = width !== directions * size;
    const stored = 3 + projects, own = weights.get(`${place}.input_weight`, [directions, width, stored * size]);
    const gateBias = weights.get(`${place}.gate_bias`, [directions, 1, 2 * size]);
    const all = new Float32Array(directions * width * 4 * size), bias = new Float32Array(directions * 4 * size);
    for (let way = 0; way < directions; way++) {
      bias.set(gateBias.subarray(2 * way * size, 2 * (way + 1) * size), (4 * way + 1) * size);
      for (let k = 0, row = way * width; k < width; k++, row++) {
        all.set(own.subarray(row * stored * size, (row + 1) * stored * size), row * 4 * size);
        const carried = all.subarray((row * 4 + 3) * size, (row + 1) * 4 * size), j = k - way * size;
        if (!projects && j >= 0 && j < size) carried[j] = 1; // each direction carries its own share of the input
        for (let at = 0; at < size; at++) carried[at] *= ALPHA;
      }
    }
    super(shape, 4, all, bias);
    this.stateWeight = gatesOfState ? weights.get(`${place}.state_weight`, [directions, 1, 2 * size]) : null;
    this.apart = size;
    [this.state, this.memory] = [new Float32Array(ROWS * size), new Float32Array(ROWS * size)];
  }

  start() {
    this.memory.fill(0);
  }

  step(rows, running, way) {
    const { size, state, memory, entering, stateWeight, input: { lane } } = this;
    for (let row = 0; row < running; row++)
      for (let j = 0, at = way * entering, own = row * size; j < size; j++, at++, own++) {
        const input = rows[row], before = memory[own];
        let forget = input[at + lane], highway = input[at + 2 * lane];
        if (stateWeight) {
          forget += stateWeight[2 * way * size + j] * before;
          highway += stateWeight[(2 * way + 1) * size + j] * before;
        }
        memory[own] = (before - input[at]) * logistic(forget) + input[at];
        state[own] = (memory[own] - input[at + 3 * lane]) * logistic(highway) + input[at + 3 * lane];
      }
  }
}

/** The linear recurrent layer, with its gate or without. */
export class LinearRNN extends Layer {
  constructor(weights, place, shape, gated) {
    const { width, size, directions } = shape, gates = 1 + gated;
    const bias = weights.get(`${place}.input_bias`, [directions, 1, gates * size]);
    super(shape, gates, weights.get(`${place}.input_weight`, [directions, width, gates * size]), bias);
    const read = (name) => weights.get(`${place}.${name}`, [directions, size, STATES]);
    this.decay = read("decay_logit").map(logistic);
    const output = read("state_output");
    this.weight = read("state_input").map((number, at) => number * output[at]);
    [this.gated, this.apart] = [gated, size];
    [this.state, this.memory] = [new Float32Array(ROWS * size), new Float32Array(ROWS * size * STATES)];
  }

  start() {
    this.memory.fill(0);
  }

  step(rows, running, way) {
    const { size, state, memory, entering, decay, weight, gated, input: { lane } } = this;
    for (let row = 0; row < running; row++)
      for (let j = 0, at = way * entering, own = row * size; j < size; j++, at++, own++) {
        const dense = rows[row][at];
        let past = 0;
        for (let n = 0, kept = own * STATES, of = (way * size + j) * STATES; n < STATES; n++, kept++, of++) {
          memory[kept] = memory[kept] * decay[of] + dense;
          past += memory[kept] * weight[of];
        }
        state[own] = gated ? (past - dense) * logistic(rows[row][at + lane]) + dense : past;
      }
  }
}

function logistic(x) {
  return 1 / (1 + Math.exp(-x));
}
