/** A byte-to-span tagger that finds spans by the tags of bytes: windows into states, and these into tags. */

import { ByteText } from "./byte_text.js";
import { Calibration } from "./calibration.js";
import { Linear } from "./linear.js";
import { ByteNgrams } from "./ngrams.js";
import { ROWS } from "./product.js";
import { Stack } from "./stack.js";
import { byteTags, ByteTagChain, logSoftmax, TagAverage } from "./tag_average.js";

const SPECIAL = 259; // ids of bytes, and of GO, DROP and PAD

/** What reads windows and scores the tags of their bytes. */
class ByteNetwork {
  constructor(weights, config) {
    const { embedding_size: width, hidden_size: size, num_hidden_layers: layers, window_size: window, labels } = config;
    const ids = SPECIAL + 2 * window + 2 + labels.length, both = config.encoder === "bidirectional";
    this.width = width;
    this.embedding = weights.get("model.embedding.weight", [ids, width]);
    this.ngrams = config.ngram_sizes?.length ? new ByteNgrams(weights, config) : null;
    const shape = both
      ? { width, size: config.encoder_hidden_size, layers: config.encoder_num_layers, directions: 2 }
      : { width, size, layers, directions: 1 };
    this.stack = new Stack(weights, config.encoder === "shared" ? "model.writer" : "model.reader", "lstm", shape);
    this.tags = byteTags(labels).length;
    this.linear = new Linear(weights, "tag_scores", this.stack.width, this.tags);
    /** What the first layer makes of each byte, where nothing is added to it. */
    this.projected = this.ngrams ? null : this.stack.project(this.embedding.subarray(0, 256 * width));
  }

  /** @param {Uint8Array[]} windows @returns {Float32Array[]} log probabilities of their bytes' tags `(bytes, tags)` */
  score(windows) {
    const states = this.stack.run(windows.map((bytes) => this._steps(bytes)));
    return states.map((own) => logSoftmax(this.linear.scores(own), this.tags));
  }

  _steps(bytes) {
    if (this.projected) return Array.from(bytes, (byte) => this.projected[byte]);
    const { width, embedding } = this, inputs = new Float32Array(bytes.length * width);
    bytes.forEach((byte, at) => inputs.set(embedding.subarray(byte * width, (byte + 1) * width), at * width));
    this.ngrams.ofBytes(bytes, inputs);
    return this.stack.project(inputs);
  }
}

export class ByteTagger {
  /** Which files beside config.json and the weights it is made of. */
  static files = () => ["tokenizer_config.json"];

  constructor(config, [reading], weights) {
    const { window_size: window = 60, labels = [] } = reading;
    if (window !== config.window_size || labels.join("\0") !== config.labels.join("\0"))
      throw new Error(
        `tokenizer_config.json does not fit config.json: windows of ${window} bytes and ${config.window_size}, ` +
          `labels ${labels.join(", ")} and ${config.labels.join(", ")}`);
    this.window = window;
    this.network = new ByteNetwork(weights, config);
    this.chain = new ByteTagChain(labels, config.recall_bias);
    this.calibration = new Calibration(config.calibration?.[""], config.min_score);
  }

  /** @param {string} text @returns what `Tagger.tag` says */
  tag(text) {
    const read = new ByteText(text), { bytes } = read, starts = read.windows(this.window), found = [];
    const average = new TagAverage(bytes.length, this.network.tags);
    for (let first = 0; first < starts.length; first += ROWS) {
      const some = starts.slice(first, first + ROWS);
      const said = this.network.score(some.map((start) => bytes.subarray(start, start + this.window)));
      some.forEach((start, place) => average.add(start, said[place]));
    }
    for (const [offset, scores] of average.stretches())
      for (const { first, end, label, score: raw } of this.chain.spans(scores)) {
        const span = read.span(offset + first, offset + end), score = this.calibration.of(raw);
        if (span && this.calibration.keeps(label, score)) found.push({ entity_group: label, score, ...span });
      }
    return found;
  }
}
