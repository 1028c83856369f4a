/** What reads windows of bytes: the states of these, and what each window ends with. */

import { PatchReader } from "./byte_patches.js";
import { ByteNgrams } from "./ngrams.js";
import { Stack } from "./stack.js";

const SPECIAL = 259; // ids of bytes, and of GO, DROP and PAD

export class ByteReader {
  /** @param {import("./weights.js").Weights} weights @param {object} config of `readConfig` */
  constructor(weights, config) {
    const { embedding_size: width, hidden_size: size, num_hidden_layers: layers, window_size: window, labels } = config;
    const ids = SPECIAL + 2 * window + 2 + labels.length, both = config.encoder === "bidirectional";
    this.width = width;
    this.backwards = config.input_order === "reversed";
    this.embedding = weights.get("model.embedding.weight", [ids, width]);
    this.ngrams = config.ngram_sizes?.length ? new ByteNgrams(weights, config) : null;
    const shape = both
      ? { width, size: config.encoder_hidden_size, layers: config.encoder_num_layers, directions: 2 }
      : { width, size, layers, directions: 1 };
    this.stack = new Stack(weights, config.encoder === "shared" ? "model.writer" : "model.reader", "lstm", shape);
    const { patch_hidden_size: patched } = config;
    this.patches = patched ? new PatchReader(weights, this.stack.width, patched) : null;
    /** How wide the states of bytes are. */
    this.stateWidth = (this.patches ?? this.stack).width;
    /** How wide what the bridge reads is, of what the top layer ends with. */
    this.endWidth = (this.patches?.stack ?? this.stack).width;
    /** What the first layer makes of each byte, where nothing is added to it. */
    this.projected = this.ngrams ? null : this.stack.project(this.embedding.subarray(0, 256 * width));
  }

  /**
   * @param {Uint8Array[]} windows
   * @param {Float32Array[][]} [ends] to be filled, as `Stack.run` does, with patches by their layer alone
   * @returns {Float32Array[]} the states of their bytes `(bytes, stateWidth)`
   */
  read(windows, ends) {
    const turned = (steps) => (this.backwards ? steps.reverse() : steps);
    const found = this.stack.run(windows.map((bytes) => turned(this._steps(bytes))), this.patches ? undefined : ends);
    const states = this.backwards ? found.map((own) => this._turned(own)) : found;
    return this.patches ? this.patches.read(windows, states, ends) : states;
  }

  _turned(states) {
    const { width } = this.stack, turned = new Float32Array(states.length);
    for (let from = 0; from < states.length; from += width)
      turned.set(states.subarray(from, from + width), states.length - width - from);
    return turned;
  }

  _steps(bytes) {
    if (this.projected) return Array.from(bytes, (byte) => this.projected[byte]);
    const { width, embedding } = this, inputs = new Float32Array(bytes.length * width);
    bytes.forEach((byte, at) => inputs.set(embedding.subarray(byte * width, (byte + 1) * width), at * width));
    this.ngrams.ofBytes(bytes, inputs);
    return this.stack.project(inputs);
  }
}
