/** From emissions to spans: the best legal tags of a CRF, and how probable each of their spans is; in float64. */

const ILLEGAL = -1e30; // outweighs any sum of scores, and stays finite however often it is added
const SMALLEST = 2 ** -1012; // what divisors are held above
const FLOOR = Math.log(2 ** -1022) / 2; // a tag far below the best keeps some mass

// Of each scheme: tags that are legal only right after a B or an I of their label; tags that such a one must follow;
// the prefixes of a span's first, inner, last and only word; and whether the word after a span must not continue it.
const GRAMMARS = {
  BIOES: { continuing: "IE", unfinished: "BI", prefixes: "BIES", openEnd: false },
  IOB2: { continuing: "I", unfinished: "", prefixes: "BIIB", openEnd: true },
};
export const SCHEMES = Object.keys(GRAMMARS);
const OUTSIDE = { prefix: "O", label: "" };

export class TagChain {
  /** @param {string[]} tags @param {string} scheme @param {Float32Array} start @param {Float32Array} transitions */
  constructor(tags, scheme, start, transitions) {
    this.grammar = GRAMMARS[scheme];
    this.ids = new Map(tags.map((tag, id) => [tag, id]));
    this.tags = tags.map((tag) => ({ prefix: tag.split("-", 1)[0], label: tag.slice(tag.split("-", 1)[0].length + 1) }));
    const letters = new Set(this.grammar.prefixes);
    const strange = tags.find((tag, id) => tag !== "O" && !(letters.has(this.tags[id].prefix) && this.tags[id].label));
    if (strange) throw new Error(`config.json: the tag ${strange} does not belong to the scheme ${scheme}`);
    const legalStart = this.tags.map((tag) => this._follows(OUTSIDE, tag));
    const legal = this.tags.flatMap((before) => this.tags.map((after) => this._follows(before, after)));
    this.legalEnd = this.tags.map((tag) => this._follows(tag, OUTSIDE));
    const scores = (given, may) => Float64Array.from(given, (score, place) => (may[place] ? score : ILLEGAL));
    const mass = (given, may) => {
      const most = given.reduce((a, b) => Math.max(a, b));
      return Float64Array.from(given, (score, place) => (may[place] ? Math.exp(score - most) : 0));
    };
    [this.start, this.startMass] = [scores(start, legalStart), mass(start, legalStart)];
    [this.transitions, this.stepMass] = [scores(transitions, legal), mass(transitions, legal)];
  }

  _follows(before, after) {
    const { continuing, unfinished } = this.grammar;
    if (continuing.includes(after.prefix)) return "BI".includes(before.prefix) && before.label === after.label;
    return !unfinished.includes(before.prefix);
  }

  /**
   * @param {Float64Array} emissions `(words, tags)`
   * @returns {{first: number, end: number, label: string, score: number}[]} spans of words, `end` exclusive
   */
  spans(emissions) {
    const spans = this._read(this._decode(emissions));
    if (!spans.length) return [];
    const chain = this._posterior(emissions);
    return spans.map((span) => ({ ...span, score: Math.min(Math.max(this._score(chain, span), 0), 1) }));
  }

  /** The best legal tags, by Viterbi. */
  _decode(emissions) {
    const count = this.tags.length, words = emissions.length / count, best = new Float64Array(emissions.length);
    for (let tag = 0; tag < count; tag++) best[tag] = emissions[tag] + this.start[tag];
    const reach = (word, before, tag) => best[word * count + before] + this.transitions[before * count + tag];
    for (let word = 1; word < words; word++)
      for (let tag = 0; tag < count; tag++) {
        let most = -Infinity;
        for (let before = 0; before < count; before++) most = Math.max(most, reach(word - 1, before, tag));
        best[word * count + tag] = most + emissions[word * count + tag];
      }
    const path = new Array(words);
    for (let word = words - 1; word >= 0; word--) {
      const last = word === words - 1;
      const value = (tag) => last ? best[word * count + tag] + (this.legalEnd[tag] ? 0 : ILLEGAL)
        : reach(word, tag, path[word + 1]);
      path[word] = 0;
      for (let tag = 1; tag < count; tag++) if (value(tag) > value(path[word])) path[word] = tag;
    }
    return path;
  }

  /** The spans that tags write. */
  _read(path) {
    const tags = path.map((id) => this.tags[id]), spans = [];
    const apart = (a, b) => a.label !== b.label || "ES".includes(a.prefix) || "BS".includes(b.prefix);
    tags.forEach((tag, word) => {
      if (tag.prefix === "O") return;
      if (apart(tags[word - 1] ?? OUTSIDE, tag)) spans.push({ first: word, end: word + 1, label: tag.label });
      else spans[spans.length - 1].end = word + 1;
    });
    return spans;
  }

  /** The distribution over legal tags, as a chain from right to left. */
  _posterior(emissions) {
    const count = this.tags.length, words = emissions.length / count;
    const [filtered, arrivals, marginals] = Array.from({ length: 3 }, () => new Float64Array(emissions.length));
    for (let word = 0, at = 0; word < words; word++, at += count) {
      let most = -Infinity, total = 0;
      for (let tag = 0; tag < count; tag++) most = Math.max(most, emissions[at + tag]);
      for (let tag = 0; tag < count; tag++) {
        if (word)
          for (let before = 0; before < count; before++)
            arrivals[at + tag] += filtered[at - count + before] * this.stepMass[before * count + tag];
        else arrivals[tag] = this.startMass[tag];
        filtered[at + tag] = arrivals[at + tag] * Math.exp(Math.max(emissions[at + tag] - most, FLOOR));
        total += filtered[at + tag];
      }
      for (let tag = 0; tag < count; tag++) filtered[at + tag] /= Math.max(total, SMALLEST);
    }
    const chain = { filtered, arrivals, marginals, words }, end = emissions.length - count;
    let total = 0;
    for (let tag = 0; tag < count; tag++) if (this.legalEnd[tag]) total += filtered[end + tag];
    for (let tag = 0; tag < count; tag++)
      if (this.legalEnd[tag]) marginals[end + tag] = filtered[end + tag] / Math.max(total, SMALLEST);
    for (let word = words - 1; word > 0; word--)
      for (let before = 0; before < count; before++)
        for (let tag = 0; tag < count; tag++)
          marginals[(word - 1) * count + before] += marginals[word * count + tag] * this._before(chain, word, before, tag);
    return chain;
  }

  /** P(the word before has the tag `before` | the word has `tag`). */
  _before({ filtered, arrivals }, word, before, tag) {
    const count = this.tags.length;
    const mass = filtered[(word - 1) * count + before] * this.stepMass[before * count + tag];
    return mass / Math.max(arrivals[word * count + tag], SMALLEST);
  }

  /** P(the words are exactly one span of the label). */
  _score(chain, { first, end, label }) {
    const count = this.tags.length;
    const [begin, inner, last, only] = Array.from(this.grammar.prefixes, (prefix) => this.ids.get(`${prefix}-${label}`));
    const closing = end - first === 1 ? only : last;
    let score = chain.marginals[(end - 1) * count + closing];
    if (this.grammar.openEnd && end < chain.words) {
      score = 0;
      for (let tag = 0; tag < count; tag++)
        if (tag !== inner) score += this._before(chain, end, closing, tag) * chain.marginals[end * count + tag];
    }
    for (let word = end - 1; word > first; word--)
      score *= this._before(chain, word, word - 1 === first ? begin : inner, word === end - 1 ? closing : inner);
    return score;
  }
}
