/** The spelling of words: what a recurrent encoder, or filters, make of their characters. */

import { Product, ROWS } from "./product.js";
import { cellOf, Stack } from "./stack.js";

const BATCH = 512; // words whose states are held together

/** @param {import("./weights.js").Weights} weights @returns {RecurrentSpelling | FilteredSpelling | null} */
export function makeSpelling(weights, config) {
  if (config.character_encoder === "none") return null;
  return new (config.character_encoder === "cnn" ? FilteredSpelling : RecurrentSpelling)(weights, config);
}

class Spelling {
  constructor(weights, { character_vocab_size: count, character_embedding_size: width }) {
    this.embedded = width;
    this.embedding = weights.get("encoder.characters.embedding.weight", [count, width]);
  }

  vector(id) {
    return this.embedding.subarray(id * this.embedded, (id + 1) * this.embedded);
  }
}

/** What each direction has at the end of its way; 0 of a word without characters. */
class RecurrentSpelling extends Spelling {
  constructor(weights, config) {
    super(weights, config);
    const { character_hidden_size: size, character_num_layers: layers } = config;
    const cell = cellOf(config.character_encoder, config), shape = { width: this.embedded, size, layers };
    this.stack = new Stack(weights, "encoder.characters.recurrent", cell, shape);
    this.width = this.stack.width;
    this.projected = new Map();
  }

  /** Of each word, by the ids of its characters, to `out[at...]`, rows `apart`. */
  ofWords(spelled, out, at, apart) {
    const size = this.width / 2;
    for (let first = 0; first < spelled.length; first += BATCH) {
      const steps = spelled.slice(first, first + BATCH).map((ids) => ids.map((id) => this._project(id)));
      this.stack.run(steps).forEach((states, word) => {
        if (!states.length) return;
        const to = (first + word) * apart + at;
        out.set(states.subarray(states.length - this.width, states.length - size), to);
        out.set(states.subarray(size, this.width), to + size);
      });
    }
  }

  _project(id) {
    if (!this.projected.has(id)) this.projected.set(id, this.stack.project(this.vector(id))[0]);
    return this.projected.get(id);
  }
}

/** The most that each filter makes of any window of characters. */
class FilteredSpelling extends Spelling {
  constructor(weights, config) {
    super(weights, config);
    const { character_filters: filters, character_window: window } = config, width = this.embedded;
    const kernel = weights.get("encoder.characters.convolution.weight", [filters, width, window]);
    const weight = new Float32Array(kernel.length);
    for (let filter = 0; filter < filters; filter++)
      for (let j = 0; j < width; j++)
        for (let place = 0; place < window; place++)
          weight[(place * width + j) * filters + filter] = kernel[(filter * width + j) * window + place];
    this.product = new Product(weight, { inner: window * width, size: filters });
    this.bias = this.product.spread(weights.get("encoder.characters.convolution.bias", [filters]));
    [this.width, this.window] = [filters, window];
  }

  /** As that of the other. */
  ofWords(spelled, out, at, apart) {
    spelled.forEach((ids, word) => {
      const most = out.subarray(word * apart + at, word * apart + at + this.width);
      if (ids.length) most.fill(-Infinity);
      for (let first = 0; first < ids.length; first += ROWS)
        this._filter(ids, first, Math.min(ROWS, ids.length - first), most);
    });
  }

  _filter(ids, first, count, most) {
    const { product, window, embedded } = this, half = Math.floor(window / 2);
    for (let row = 0; row < count; row++) {
      product.x.fill(0, row * product.inner, (row + 1) * product.inner);
      for (let place = 0; place < window; place++) {
        const id = ids[first + row + place - half];
        if (id !== undefined) product.x.set(this.vector(id), row * product.inner + place * embedded);
      }
      product.out.set(this.bias, row * product.columns);
    }
    product.add(count);
    for (let row = 0; row < count; row++)
      for (let j = 0; j < most.length; j++) most[j] = Math.max(most[j], product.out[row * product.columns + j]);
  }
}
