/** From emissions to spans: the best legal tags, and how probable each of their spans is; in float64. */

import { TagRules } from "./tag_rules.js";

export const ILLEGAL = -1e30; // outweighs any sum of scores, and stays finite however often it is added
const SMALLEST = 2 ** -1012; // what divisors are held above
const FLOOR = Math.log(2 ** -1022) / 2; // scores that are further below the highest are beyond such products

/** Whether the exponentials of scores, divided by the highest, are within the range. */
function narrow(scores) {
  let most = -Infinity, least = Infinity;
  for (const score of scores) [most, least] = [Math.max(most, score), Math.min(least, score)];
  return least - most >= FLOOR;
}

/** @typedef {{first: number, end: number, label: string, score: number}} Found span of words, `end` exclusive */

/** Words by themselves: the best tag of each, whose probabilities make the score of a span. */
export class Softmax {
  /** @param {string[]} tags @param {string} scheme */
  constructor(tags, scheme) {
    this.rules = new TagRules(tags, scheme);
    /** How many numbers each word has. */
    this.outputs = tags.length;
  }

  /** @param {Float64Array} emissions `(words, tags)` @returns {Found[]} */
  spans(emissions) {
    const count = this.outputs, path = bestOf(emissions, count);
    const chances = path.map((tag, word) => {
      const own = emissions.subarray(word * count, (word + 1) * count), most = own[tag];
      return 1 / own.reduce((sum, score) => sum + Math.exp(score - most), 0);
    });
    const product = ({ first, end }) => chances.slice(first, end).reduce((a, b) => a * b, 1);
    return this.rules.read(path).map((span) => ({ ...span, score: product(span) }));
  }
}

/** The best tag of each word, whatever is legal. */
export function bestOf(emissions, count) {
  return Array.from({ length: emissions.length / count }, (_, word) => {
    let best = 0;
    for (let tag = 1; tag < count; tag++) if (emissions[word * count + tag] > emissions[word * count + best]) best = tag;
    return best;
  });
}

/** A conditional random field; those who add it have the scores of steps between tags. */
class Chain {
  constructor(tags, scheme) {
    this.rules = new TagRules(tags, scheme);
    this.count = tags.length;
  }

  /** @param {Float64Array} scores `(words, outputs)` @returns {Found[]} */
  spans(scores) {
    const spans = this.rules.read(this.decode(scores));
    if (!spans.length) return [];
    const posterior = this._posterior(scores), words = scores.length / this.outputs;
    return spans.map((span) => {
      let score = 0;
      for (const spelling of this.rules.spellings) score += this._score(posterior, words, span, spelling);
      return { ...span, score: Math.min(Math.max(score, 0), 1) };
    });
  }

  /** The best legal tags, by Viterbi. */
  decode(scores) {
    const { count } = this, words = scores.length / this.outputs, best = new Float64Array(words * count);
    for (let tag = 0; tag < count; tag++) best[tag] = this._first(scores, tag);
    const reach = (word, before, tag) => best[(word - 1) * count + before] + this._step(scores, word, before, tag);
    for (let word = 1; word < words; word++)
      for (let tag = 0; tag < count; tag++) {
        let most = -Infinity;
        for (let before = 0; before < count; before++) most = Math.max(most, reach(word, before, tag));
        best[word * count + tag] = most;
      }
    const path = new Array(words), legalEnd = this.rules.legalEnd;
    for (let word = words - 1; word >= 0; word--) {
      const last = word === words - 1;
      const value = (tag) => last ? best[word * count + tag] + (legalEnd[tag] ? 0 : ILLEGAL)
        : reach(word + 1, tag, path[word + 1]);
      path[word] = 0;
      for (let tag = 1; tag < count; tag++) if (value(tag) > value(path[word])) path[word] = tag;
    }
    return path;
  }

  /** P(the words are exactly one span of the label, written in this way), from its last word back to its first. */
  _score({ marginals, before }, words, { first, end, label }, { tags, openEnd, openStart }) {
    const { count } = this, [begin, inner, last, only] = tags(label), size = end - first;
    if (size === 1 ? only < 0 : begin < 0 || last < 0 || (size > 2 && inner < 0)) return 0;
    const closing = size === 1 ? only : last;
    let score = marginals[(end - 1) * count + closing];
    if (openEnd && end < words) {
      score = 0;
      for (let tag = 0; tag < count; tag++)
        if (tag !== inner) score += before(end, closing, tag) * marginals[end * count + tag];
    }
    for (let word = end - 1; word > first; word--)
      score *= before(word, word - 1 === first ? begin : inner, word === end - 1 ? closing : inner);
    if (openStart && first > 0) {
      let opens = 0;
      for (let tag = 0; tag < count; tag++)
        if (this.rules.tags[tag].label !== label) opens += before(first, tag, begin);
      score *= opens;
    }
    return score;
  }

  /** The last word's distribution over tags that may end, out of masses. */
  _ends(masses, marginals, at) {
    let total = 0;
    for (let tag = 0; tag < this.count; tag++) if (this.rules.legalEnd[tag]) total += masses[tag];
    for (let tag = 0; tag < this.count; tag++)
      if (this.rules.legalEnd[tag]) marginals[at + tag] = masses[tag] / Math.max(total, SMALLEST);
  }

  /** The words before the last: what `before` says of a word's tag, given that of the next. */
  _backwards({ marginals, before }, words) {
    const { count } = this;
    for (let word = words - 1; word > 0; word--)
      for (let previous = 0; previous < count; previous++)
        for (let tag = 0; tag < count; tag++)
          marginals[(word - 1) * count + previous] += marginals[word * count + tag] * before(word, previous, tag);
  }

  /** Sums over all prefixes by their logarithms, and P(the tag before | the tag) of each pair. */
  _posterior(scores) {
    const { count } = this, words = scores.length / this.outputs, of = count * count;
    const [prefixes, marginals] = [new Float64Array(words * count), new Float64Array(words * count)];
    const backward = new Float64Array(words * of);
    for (let tag = 0; tag < count; tag++) prefixes[tag] = this._first(scores, tag);
    for (let word = 1; word < words; word++)
      for (let tag = 0; tag < count; tag++) {
        const pair = (before) => prefixes[(word - 1) * count + before] + this._step(scores, word, before, tag);
        let most = ILLEGAL, sum = 0;
        for (let before = 0; before < count; before++) most = Math.max(most, pair(before));
        for (let before = 0; before < count; before++) sum += Math.exp(pair(before) - most);
        prefixes[word * count + tag] = most + Math.log(sum);
        for (let before = 0; before < count; before++)
          backward[word * of + before * count + tag] = Math.exp(pair(before) - most) / sum;
      }
    const before = (word, previous, tag) => backward[word * of + previous * count + tag];
    const posterior = { marginals, before }, end = (words - 1) * count;
    const masses = prefixes.subarray(end), { legalEnd } = this.rules;
    const most = masses.reduce((highest, mass, tag) => (legalEnd[tag] ? Math.max(highest, mass) : highest), ILLEGAL);
    this._ends(masses.map((mass) => Math.exp(mass - most)), marginals, end);
    this._backwards(posterior, words);
    return posterior;
  }
}

/** Of each pair of tags one score. */
export class StaticChain extends Chain {
  /** @param {string[]} tags @param {string} scheme @param {Float32Array} start @param {Float32Array} transitions */
  constructor(tags, scheme, start, transitions) {
    super(tags, scheme);
    this.outputs = tags.length;
    const scores = (given, may) => Float64Array.from(given, (score, place) => (may[place] ? score : ILLEGAL));
    const mass = (given, may) => {
      const most = given.reduce((a, b) => Math.max(a, b));
      return Float64Array.from(given, (score, place) => (may[place] ? Math.exp(score - most) : 0));
    };
    const { legalStart, legal } = this.rules;
    [this.start, this.startMass] = [scores(start, legalStart), mass(start, legalStart)];
    [this.transitions, this.stepMass] = [scores(transitions, legal), mass(transitions, legal)];
    this.narrow = narrow(start) && narrow(transitions);
  }

  _first(emissions, tag) {
    return emissions[tag] + this.start[tag];
  }

  _step(emissions, word, before, tag) {
    return this.transitions[before * this.count + tag] + emissions[word * this.count + tag];
  }

  _posterior(emissions) {
    const { count, stepMass } = this, words = emissions.length / count;
    if (!this.narrow) return super._posterior(emissions);
    for (let at = 0; at < emissions.length; at += count)
      if (!narrow(emissions.subarray(at, at + count))) return super._posterior(emissions);
    const [filtered, arrivals, marginals] = Array.from({ length: 3 }, () => new Float64Array(emissions.length));
    for (let word = 0, at = 0; word < words; word++, at += count) {
      let most = -Infinity, total = 0;
      for (let tag = 0; tag < count; tag++) most = Math.max(most, emissions[at + tag]);
      for (let tag = 0; tag < count; tag++) {
        if (word)
          for (let before = 0; before < count; before++)
            arrivals[at + tag] += filtered[at - count + before] * stepMass[before * count + tag];
        else arrivals[tag] = this.startMass[tag];
        filtered[at + tag] = arrivals[at + tag] * Math.exp(emissions[at + tag] - most);
        total += filtered[at + tag];
      }
      for (let tag = 0; tag < count; tag++) filtered[at + tag] /= Math.max(total, SMALLEST);
    }
    const before = (word, previous, tag) => filtered[(word - 1) * count + previous] * stepMass[previous * count + tag]
      / Math.max(arrivals[word * count + tag], SMALLEST);
    const posterior = { marginals, before }, end = emissions.length - count;
    this._ends(filtered.subarray(end), marginals, end);
    this._backwards(posterior, words);
    return posterior;
  }
}

/** Scores of pairs that come with each word: `(words, 1 + tags, tags)`, from START and from each tag to each. */
export class StateChain extends Chain {
  constructor(tags, scheme) {
    super(tags, scheme);
    this.outputs = (1 + tags.length) * tags.length;
  }

  _first(scores, tag) {
    return this.rules.legalStart[tag] ? scores[tag] : ILLEGAL;
  }

  _step(scores, word, before, tag) {
    const pair = before * this.count + tag;
    return this.rules.legal[pair] ? scores[word * this.outputs + this.count + pair] : ILLEGAL;
  }
}
