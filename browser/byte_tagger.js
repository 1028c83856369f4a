/** A byte-to-span tagger: spans by the tags of bytes, which windows score, or as windows write them. */

import { ByteReader } from "./byte_reader.js";
import { ByteText } from "./byte_text.js";
import { ByteWriter } from "./byte_writer.js";
import { Calibration } from "./calibration.js";
import { Linear } from "./linear.js";
import { ROWS } from "./product.js";
import { SpanMerger } from "./span_merger.js";
import { beamRules, SpanWriting } from "./span_writing.js";
import { byteTags, ByteTagChain, logSoftmax, TagAverage } from "./tag_average.js";

export class ByteTagger {
  /** Which files beside config.json and the weights it is made of. */
  static files = ({ decode }) =>
    ["tokenizer_config.json", ...(decode === "spans" ? ["generation_config.json"] : [])];

  constructor(config, [reading, generation], weights) {
    const { window_size: window = 60, labels = [] } = reading;
    if (window !== config.window_size || labels.join("\0") !== config.labels.join("\0"))
      throw new Error(
        `tokenizer_config.json does not fit config.json: windows of ${window} bytes and ${config.window_size}, ` +
          `labels ${labels.join(", ")} and ${config.labels.join(", ")}`);
    Object.assign(this, { window, labels, merge: config.merge, writes: config.decode === "spans" });
    this.reader = new ByteReader(weights, config);
    if (this.writes) {
      this.writing = new SpanWriting(new ByteWriter(weights, config, this.reader), config, beamRules(generation));
    } else {
      this.tags = byteTags(labels).length;
      this.linear = new Linear(weights, "tag_scores", this.reader.stateWidth, this.tags);
      this.chain = new ByteTagChain(labels, config.recall_bias);
    }
    this.calibration = new Calibration(config.calibration?.[""], config.min_score);
  }

  /** @param {string} text @param {number} beams @returns what `Tagger.tag` says */
  tag(text, beams) {
    const read = new ByteText(text), found = [];
    for (const { start, end, label, score: raw } of this.writes ? this._written(read, beams) : this._tagged(read)) {
      const span = read.span(start, end), score = this.calibration.of(raw);
      if (span && this.calibration.keeps(label, score)) found.push({ entity_group: label, score, ...span });
    }
    return found;
  }

  /** Windows some at a time, with where they begin. */
  *_windows({ bytes }, starts) {
    for (let first = 0; first < starts.length; first += ROWS) {
      const some = starts.slice(first, first + ROWS);
      yield [some, some.map((start) => bytes.subarray(start, start + this.window))];
    }
  }

  *_tagged(read) {
    const average = new TagAverage(read.bytes.length, this.tags);
    for (const [starts, windows] of this._windows(read, read.windows(this.window)))
      this.reader.read(windows).forEach((states, place) =>
        average.add(starts[place], logSoftmax(this.linear.scores(states), this.tags)));
    for (const [offset, scores] of average.stretches())
      for (const { first, end, label, score } of this.chain.spans(scores))
        yield { start: offset + first, end: offset + end, label, score };
  }

  *_written(read, beams) {
    const merger = new SpanMerger(this.window, this.merge);
    const named = (spans) => spans.map((span) => ({ ...span, label: this.labels[span.label] }));
    for (const [starts, windows] of this._windows(read, read.windows(this.window))) {
      const said = this.writing.spans(windows, beams);
      for (const [place, start] of starts.entries()) yield* named(merger.add(start, said[place]));
    }
    yield* named(merger.finish());
  }
}
