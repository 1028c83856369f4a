/** GRU and LSTM layers, read both ways, upon each other. */

/** out[at...] += x (inner) times w (inner, columns). */
export function product(x, xAt, w, wAt, out, at, inner, columns) {
  let k = 0;
  for (; k + 3 < inner; k += 4, wAt += 4 * columns) {
    const a = x[xAt + k], b = x[xAt + k + 1], c = x[xAt + k + 2], d = x[xAt + k + 3];
    const second = wAt + columns, third = second + columns, fourth = third + columns;
    for (let j = 0; j < columns; j++)
      out[at + j] += a * w[wAt + j] + b * w[second + j] + (c * w[third + j] + d * w[fourth + j]);
  }
  for (; k < inner; k++, wAt += columns)
    for (let j = 0; j < columns; j++) out[at + j] += x[xAt + k] * w[wAt + j];
}

const logistic = (x) => 1 / (1 + Math.exp(-x));
const tanh = (x) => 2 / (1 + Math.exp(-2 * x)) - 1;

class Layer {
  /** @param {string} place of its weights @param {number} width of its inputs @param {number} size of its states */
  constructor(weights, place, cell, width, size) {
    const columns = (cell === "lstm" ? 4 : 3) * size;
    Object.assign(this, { cell, width, size, columns });
    this.inputWeight = weights.get(`${place}.input_weight`, [2, width, columns]);
    this.recurrentWeight = weights.get(`${place}.recurrent_weight`, [2, size, columns]);
    this.inputBias = weights.get(`${place}.input_bias`, [2, 1, columns]);
    this.recurrentBias = weights.get(`${place}.recurrent_bias`, [2, 1, columns]);
  }

  /** An input, `x[at...]`, to what enters a step: `(2, columns)`. */
  project(x, at) {
    const { width, columns } = this, out = this.inputBias.slice();
    for (let way = 0; way < 2; way++)
      product(x, at, this.inputWeight, way * width * columns, out, way * columns, width, columns);
    return out;
  }

  /** @param {Float32Array[]} steps projected @returns {Float32Array} states `(steps, 2 * size)`, in the text's order */
  run(steps) {
    const { size, columns } = this, out = new Float32Array(steps.length * 2 * size);
    const step = this.cell === "lstm" ? lstmStep : gruStep;
    const share = new Float32Array(columns);
    for (let way = 0; way < 2; way++) {
      const bias = this.recurrentBias.subarray(way * columns, (way + 1) * columns);
      const state = new Float32Array(size), memory = new Float32Array(size);
      for (let count = 0; count < steps.length; count++) {
        const place = way ? steps.length - 1 - count : count;
        share.set(bias);
        if (count) product(state, 0, this.recurrentWeight, way * size * columns, share, 0, size, columns);
        step(steps[place], way * columns, share, state, memory, size);
        out.set(state, (2 * place + way) * size);
      }
    }
    return out;
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
