/** A linear layer upon states. */

import { Product, ROWS } from "./product.js";

export class Linear {
  /** @param {import("./weights.js").Weights} weights @param {string} place of them @param {boolean} biased */
  constructor(weights, place, inner, outputs, biased = true) {
    const stored = weights.get(`${place}.weight`, [outputs, inner]), columns = new Float32Array(stored.length);
    for (let out = 0; out < outputs; out++)
      for (let j = 0; j < inner; j++) columns[j * outputs + out] = stored[out * inner + j];
    Object.assign(this, { inner, outputs, product: new Product(columns, { inner, size: outputs }) });
    this.bias = this.product.spread(biased ? weights.get(`${place}.bias`, [outputs]) : new Float32Array(outputs));
  }

  /** @param {Float32Array} states `(rows, inner)` @returns {Float32Array} `(rows, outputs)` */
  scores(states) {
    const { product, inner, outputs, bias } = this, rows = states.length / inner;
    const scores = new Float32Array(rows * outputs);
    for (let first = 0; first < rows; first += ROWS) {
      const some = Math.min(ROWS, rows - first);
      for (let row = 0, from = first * inner; row < some; row++, from += inner) {
        product.x.set(states.subarray(from, from + inner), row * product.inner);
        product.out.set(bias, row * product.columns);
      }
      product.add(some);
      for (let row = 0, from = 0; row < some; row++, from += product.columns)
        scores.set(product.out.subarray(from, from + outputs), (first + row) * outputs);
    }
    return scores;
  }
}
