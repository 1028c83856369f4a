/** What the windows of a text say of each byte, averaged, and the best legal tags of these, as spans. */

import { bestOf, StaticChain } from "./tag_chain.js";

const SHORTEST = 256, LONGEST = 512; // a stretch of a text that is tagged at a time, in bytes

/** The tags of bytes: O, and of each label how a span begins, goes on and ends, or is a single byte. */
export function byteTags(labels) {
  return ["O", ...labels.flatMap((label) => [..."BIES"].map((prefix) => `${prefix}-${label}`))];
}

/** Log probabilities that windows give to the tags of bytes, the nearer to the middle the more they count. */
export class TagAverage {
  /** @param {number} bytes of the text @param {number} tags */
  constructor(bytes, tags) {
    this.tags = tags;
    [this.sums, this.weights] = [new Float32Array(bytes * tags), new Float32Array(bytes)];
  }

  /** @param {number} start of a window @param {Float32Array} said `(bytes, tags)` */
  add(start, said) {
    const { tags, sums, weights } = this, length = said.length / tags;
    for (let byte = 0; byte < length; byte++) {
      const weight = Math.min(byte, length - 1 - byte) + 1;
      weights[start + byte] += weight;
      for (let tag = 0, to = (start + byte) * tags; tag < tags; tag++)
        sums[to + tag] += Math.fround(weight * said[byte * tags + tag]);
    }
  }

  /** Stretches that end where O is most probable, and what is said of their bytes: `[start, (bytes, tags)]`. */
  *stretches() {
    const { tags, sums, weights } = this, bytes = weights.length;
    for (let start = 0, end = 0; start < bytes; start = end) {
      const outside = (byte) => Math.fround(sums[byte * tags] / weights[byte]);
      end = Math.min(start + SHORTEST, bytes);
      if (bytes - start >= LONGEST) {
        for (let byte = end; byte < start + LONGEST; byte++) if (outside(byte) > outside(end - 1)) end = byte + 1;
      } else end = bytes;
      yield [start, sums.slice(start * tags, end * tags).map((sum, at) => sum / weights[start + Math.floor(at / tags)])];
    }
  }
}

export class ByteTagChain {
  /** @param {string[]} labels @param {number} recallBias taken from O */
  constructor(labels, recallBias) {
    const tags = byteTags(labels), count = tags.length;
    this.chain = new StaticChain(tags, "BIOES", new Float32Array(count), new Float32Array(count * count));
    this.recallBias = recallBias;
  }

  /**
   * @param {Float32Array} scores of a stretch, `(bytes, tags)`
   * @returns {import("./tag_chain.js").Found[]} spans of bytes, each with the probability of its least probable tag
   */
  spans(scores) {
    const { chain: { rules, count }, recallBias } = this, chances = logSoftmax(scores, count);
    const biased = Float64Array.from(chances, (chance, at) => (at % count ? chance : chance - recallBias));
    let path = bestOf(biased, count);
    if (!rules.isLegal(path)) path = this.chain.decode(biased);
    const least = ({ first, end }) =>
      path.slice(first, end).reduce((low, tag, place) => Math.min(low, chances[(first + place) * count + tag]), 0);
    return rules.read(path).map((span) => ({ ...span, score: Math.exp(least(span)) }));
  }
}

/** Rows of scores to their log probabilities, in float32. */
export function logSoftmax(scores, count) {
  const found = new Float32Array(scores.length);
  for (let at = 0; at < scores.length; at += count) {
    let most = -Infinity, sum = 0;
    for (let tag = at; tag < at + count; tag++) most = Math.max(most, scores[tag]);
    for (let tag = at; tag < at + count; tag++) sum = Math.fround(sum + Math.fround(Math.exp(scores[tag] - most)));
    for (let tag = at; tag < at + count; tag++) found[tag] = scores[tag] - most - Math.log(sum);
  }
  return found;
}
