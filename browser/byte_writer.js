/** What writes the symbols of windows: from the states of their bytes, one symbol after another. */

import { Linear } from "./linear.js";
import { ROWS } from "./product.js";
import { Stack } from "./stack.js";

const IMPOSSIBLE = -1e4; // the score of a place where there is no byte

/**
 * @typedef {{states: Float32Array, memory: Float32Array, length: number}} Writing where a window is in being written: of
 *   each layer hidden state and cell `(layers, 2, size)`; the states of its bytes; how many of these there are
 */

export class ByteWriter {
  /**
   * @param {import("./weights.js").Weights} weights @param {object} config of `readConfig`
   * @param {import("./byte_reader.js").ByteReader} reader
   */
  constructor(weights, config, reader) {
    const { embedding_size: width, hidden_size: size, num_hidden_layers: layers, window_size: window, labels } = config;
    Object.assign(this, { reader, size, layers, window });
    const shape = { width, size, layers, directions: 1 }, { stack } = reader, read = reader.stateWidth;
    this.stack = config.encoder === "shared" ? stack : new Stack(weights, "model.writer", "lstm", shape);
    /** What the first layer makes of each id. */
    this.projected = this.stack.project(reader.embedding);
    const both = config.encoder === "bidirectional";
    this.bridge = both ? new Linear(weights, "model.bridge", reader.endWidth, 2 * layers * size) : null;
    this.query = config.attention ? new Linear(weights, "query", size, read, false) : null;
    const features = config.attention ? size + read : size;
    this.positions = new Linear(weights, "positions", features, 2 * window + 2);
    this.labels = new Linear(weights, "label_scores", features, labels.length);
  }

  /** @param {Uint8Array[]} windows @returns {Writing[]} from which their writing starts */
  read(windows) {
    const ends = [], read = this.reader.read(windows, ends), top = ends.at(-1);
    return windows.map(({ length }, place) => {
      if (!this.bridge) {
        const states = new Float32Array(2 * this.layers * this.size);
        ends.forEach((layer, index) => states.set(layer[place], 2 * index * this.size));
        return { states, memory: read[place], length };
      }
      const hidden = top[place].subarray(0, this.reader.endWidth);
      return { states: this.bridge.scores(hidden).map(Math.tanh), memory: read[place], length };
    });
  }

  /**
   * Writes a symbol of each.
   * @param {number[]} symbols the ids before @param {Writing[]} writings
   * @returns {[Float32Array, Writing][]} the scores of what may come next, of the ids from start 0 on, and where it
   *   stands then
   */
  step(symbols, writings) {
    const found = [];
    for (let first = 0; first < symbols.length; first += ROWS) {
      const some = writings.slice(first, first + ROWS), states = some.map((own) => own.states.slice());
      const features = this._features(this._hidden(symbols.slice(first, first + ROWS), states), some);
      const [positions, labels] = [this.positions, this.labels].map((linear) => linear.scores(features.flat));
      some.forEach((own, row) => {
        const of = ({ outputs }, scores) => scores.subarray(row * outputs, (row + 1) * outputs);
        const scores = Float32Array.of(...of(this.positions, positions), ...of(this.labels, labels));
        features.pointing[row]?.forEach((score, place) => (scores[place] += score));
        found.push([scores, { ...own, states: states[row] }]);
      });
    }
    return found;
  }

  /** The top layer's states of rows `(rows, size)`; `states` become those after the step. */
  _hidden(symbols, states) {
    const { size, stack } = this, hidden = new Float32Array(symbols.length * size), ends = new Float32Array(2 * size);
    stack.layers.forEach((layer, index) => {
      const rows = index ? layer.project(hidden) : symbols.map((symbol) => this.projected[symbol]);
      states.forEach((own, row) => layer.begin(row, own, 2 * index * size));
      layer.step(rows, rows.length, 0, true);
      states.forEach((own, row) => {
        layer.end(row, 0, ends);
        own.set(ends, 2 * index * size);
        hidden.set(ends.subarray(0, size), row * size);
      });
    });
    return hidden;
  }

  /** States, with attention and what they attend to; and by which scores they point at starts. */
  _features(hidden, writings) {
    if (!this.query) return { flat: hidden, pointing: [] };
    const { size, window } = this, { outputs: width } = this.query, asked = this.query.scores(hidden), pointing = [];
    const flat = new Float32Array(writings.length * (size + width));
    writings.forEach(({ memory, length }, row) => {
      const own = new Float32Array(window).fill(IMPOSSIBLE), at = row * (size + width);
      for (let byte = 0; byte < length; byte++) {
        own[byte] = 0;
        for (let j = 0; j < width; j++) own[byte] += asked[row * width + j] * memory[byte * width + j];
      }
      const most = own.reduce((high, score) => Math.max(high, score)), chances = own.map((s) => Math.exp(s - most));
      const total = chances.reduce((sum, chance) => sum + chance);
      flat.set(hidden.subarray(row * size, (row + 1) * size), at);
      for (let byte = 0; byte < length; byte++)
        for (let j = 0; j < width; j++) flat[at + size + j] += (chances[byte] / total) * memory[byte * width + j];
      pointing.push(own);
    });
    return { flat, pointing };
  }
}
