/** GRU and LSTM layers, read both ways, upon each other. */

import { Product } from "./product.js";

const logistic = (x) => 1 / (1 + Math.exp(-x));
const tanh = (x) => 2 / (1 + Math.exp(-2 * x)) - 1;

class Layer {
  /** @param {string} place of its weights @param {number} width of its inputs @param {number} size of its states */
  constructor(weights, place, cell, width, size) {
    const columns = (cell === "lstm" ? 4 : 3) * size;
    Object.assign(this, { cell, width, size, columns });
    const product = (name, inner) => new Product(weights.get(`${place}.${name}`, [2, inner, columns]), 2, inner, columns);
    const bias = (name) => weights.get(`${place}.${name}`, [2, 1, columns]);
    [this.input, this.inputBias] = [product("input_weight", width), bias("input_bias")];
    [this.recurrent, this.recurrentBias] = [product("recurrent_weight", size), bias("recurrent_bias")];
  }

  /** An input, `x[at...]`, to what enters a step: `(2, columns)`. */
  project(x, at) {
    const { width, columns, input } = this, projected = new Float32Array(2 * columns);
    input.x.set(x.subarray(at, at + width));
    for (let way = 0; way < 2; way++) {
      input.out.set(this.inputBias.subarray(way * columns, (way + 1) * columns));
      input.add(way);
      projected.set(input.out, way * columns);
    }
    return projected;
  }

  /** @param {Float32Array[]} steps projected @returns {Float32Array} states `(steps, 2 * size)`, in the text's order */
  run(steps) {
    const { size, columns, recurrent } = this, states = new Float32Array(steps.length * 2 * size);
    const step = this.cell === "lstm" ? lstmStep : gruStep, state = recurrent.x, memory = new Float32Array(size);
    for (let way = 0; way < 2; way++) {
      const bias = this.recurrentBias.subarray(way * columns, (way + 1) * columns);
      state.fill(0);
      memory.fill(0);
      for (let count = 0; count < steps.length; count++) {
        const place = way ? steps.length - 1 - count : count;
        recurrent.out.set(bias);
        if (count) recurrent.add(way);
        step(steps[place], way * columns, recurrent.out, state, memory, size);
        states.set(state, (2 * place + way) * size);
      }
    }
    return states;
  }
}

/** Gates in the order input, forget, cell, output; `state` and `memory` are written over. */
function lstmStep(input, at, share, state, memory, size) {
  const gate = (place) => input[at + place] + share[place];
  for (let j = 0; j < size; j++) {
    const enters = logistic(gate(j)), keeps = logistic(gate(size + j)), leaves = logistic(gate(3 * size + j));
    memory[j] = keeps * memory[j] + enters * tanh(gate(2 * size + j));
    state[j] = leaves * tanh(memory[j]);
  }
}

/** Gates in the order reset, update, candidate; the reset gate after the product. */
function gruStep(input, at, share, state, memory, size) {
  for (let j = 0; j < size; j++) {
    const reset = logistic(input[at + j] + share[j]), update = logistic(input[at + size + j] + share[size + j]);
    const candidate = tanh(input[at + 2 * size + j] + reset * share[2 * size + j]);
    state[j] = (state[j] - candidate) * update + candidate;
  }
}

export class Stack {
  constructor(weights, place, cell, width, size, count) {
    this.size = size;
    this.layers = Array.from({ length: count }, (_, index) =>
      new Layer(weights, `${place}.layers.${index}`, cell, index ? 2 * size : width, size));
  }

  /** What the first layer makes of an input, wherever it stands. */
  project(x, at = 0) {
    return this.layers[0].project(x, at);
  }

  /** Projected steps to the top layer's states `(steps, 2 * size)`. */
  run(steps) {
    let states = this.layers[0].run(steps);
    for (const layer of this.layers.slice(1))
      states = layer.run(steps.map((_, place) => layer.project(states, place * 2 * this.size)));
    return states;
  }
}
