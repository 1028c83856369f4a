/** What layers have in common that are read step by step: many sequences at a time, each layer one way or both ways. */

import { Product, ROWS } from "./product.js";

/** @typedef {{width: number, size: number, directions: number}} Shape of its inputs, and of its states each way */

export class Layer {
  /**
   * @param {Shape} shape
   * @param {number} gates that the inputs are multiplied for
   * @param {Float32Array} weight `(directions, width, gates * size)`
   * @param {Float32Array} bias `(directions, gates * size)`
   */
  constructor(shape, gates, weight, bias) {
    const { width, size, directions } = Object.assign(this, shape);
    this.input = new Product(weight, { matrices: directions, inner: width, gates, size });
    this.inputBias = byWay(this.input, bias, directions, gates);
    /** How much of what enters a step is of one direction. */
    this.entering = this.input.columns;
  }

  /** @param {Float32Array} inputs `(rows, width)` @returns {Float32Array[]} what enters steps, of each row */
  project(inputs) {
    const { width, directions, input, entering } = this, rows = inputs.length / width;
    const projected = new Float32Array(rows * directions * entering);
    for (let first = 0; first < rows; first += ROWS) {
      const some = Math.min(ROWS, rows - first);
      for (let row = 0; row < some; row++)
        input.x.set(inputs.subarray((first + row) * width, (first + row + 1) * width), row * input.inner);
      for (let way = 0; way < directions; way++) {
        for (let row = 0; row < some; row++) input.out.set(this.inputBias[way], row * entering);
        input.add(some, way);
        for (let row = 0; row < some; row++)
          projected.set(input.out.subarray(row * entering, (row + 1) * entering),
            ((first + row) * directions + way) * entering);
      }
    }
    const of = directions * entering;
    return Array.from({ length: rows }, (_, row) => projected.subarray(row * of, (row + 1) * of));
  }

  /**
   * @param {Float32Array[][]} sequences of steps, projected
   * @param {Float32Array[]} [ends] of an LSTM, to be filled: of each sequence the hidden state and the cell that it ends
   *   with, `(2, directions * size)`
   * @returns {Float32Array[]} of each the states `(steps, directions * size)`, in the order of its steps
   */
  run(sequences, ends) {
    const order = [...sequences.keys()].sort((a, b) => sequences[b].length - sequences[a].length);
    const states = sequences.map((steps) => new Float32Array(steps.length * this.directions * this.size));
    for (let first = 0; first < order.length; first += ROWS) {
      const some = order.slice(first, first + ROWS);
      for (let way = 0; way < this.directions; way++)
        this._walk(some.map((number) => sequences[number]), some.map((number) => states[number]), way,
          ends && some.map((number) => ends[number]));
    }
    return states;
  }

  /** Sequences, the longest first, one way: step by step those that still run. */
  _walk(sequences, states, way, ends) {
    const { size, directions } = this, rows = [];
    this.start();
    for (let time = 0, running = sequences.length; ; time++) {
      while (running && sequences[running - 1].length <= time) running--;
      if (!running) return;
      const place = (row) => (way ? sequences[row].length - 1 - time : time);
      for (let row = 0; row < running; row++) rows[row] = sequences[row][place(row)];
      this.step(rows, running, way, time > 0);
      for (let row = 0; row < running; row++) {
        const from = row * this.apart;
        states[row].set(this.state.subarray(from, from + size), (place(row) * directions + way) * size);
        if (ends && sequences[row].length === time + 1) this.end(row, way, ends[row]);
      }
    }
  }

  /** Have `state`, whose rows are `apart`, be that before the first step. */
  start() {
    this.state.fill(0);
  }
}

/** A bias of each direction, where a product's columns have their place. */
export function byWay(product, bias, directions, gates) {
  const columns = bias.length / directions;
  return Array.from({ length: directions }, (_, way) =>
    product.spread(bias.subarray(way * columns, (way + 1) * columns), gates));
}
