/** The symbols of windows by what scores one after another: greedily, or by beams; and the spans that they say. */

import { ROWS } from "./product.js";
import { logSoftmax } from "./tag_average.js";

const GO = 256, FIRST = 259; // the ids of GO and of start 0; then the other starts, the lengths from 0 on, STOP, labels
const NEVER = -1e9; // the score of a beam that is none

const BESIDE = new Set(("_from_model_config transformers_version bos_token_id eos_token_id pad_token_id " +
  "decoder_start_token_id output_attentions output_hidden_states output_scores use_cache return_dict_in_generate " +
  "num_beams max_length max_new_tokens length_penalty early_stopping").split(" "));

/** How beams are compared, out of generation_config.json; what would have windows written otherwise is refused. */
export function beamRules(settings) {
  const other = Object.keys(settings).find((name) => settings[name] !== null && !BESIDE.has(name));
  if (other)
    throw new Error(`generation_config.json has ${other}, without which this library writes. Take it out, or tag with ` +
      "Python instead: tagsmith.pipeline, or tagsmith serve.");
  const { length_penalty: penalty, early_stopping: early } = settings;
  return { penalty: penalty === 1 ? 0 : penalty ?? 0, early: early ?? false };
}

/** Which symbols may follow each other, and the scores by which they are chosen. */
class Grammar {
  constructor({ window_size: window, span_grammar: strict, labels }, recallBias) {
    Object.assign(this, { window, strict, recallBias });
    /** By their place among the ids from start 0 on. */
    [this.firstLength, this.stop, this.size] = [window, 2 * window + 1, 2 * window + 2 + labels.length];
    this.most = 3 * window;
  }

  /** Scores `(ids from start 0 on,)` without those that cannot follow `previous` in a window of `length` bytes. */
  weigh(scores, previous, length) {
    const weighed = scores.slice();
    weighed[this.stop] -= this.recallBias;
    return this.strict ? weighed.map((score, id) => (this._legal(id, previous, length) ? score : -Infinity)) : weighed;
  }

  _legal(id, previous, length) {
    const { firstLength, stop } = this;
    if (previous >= 0 && previous < firstLength)
      return id > firstLength && id < stop && id - firstLength <= length - previous;
    if (previous >= firstLength && previous < stop) return id > stop;
    return id === stop || (id < Math.min(length, firstLength) && previous !== stop);
  }
}

/**
 * @typedef {{symbols: number[], chances: number[]}} Written symbols up to STOP, by their place among the ids from start 0
 *   on, and the log probability of each
 */
export class SpanWriting {
  /** @param {import("./byte_writer.js").ByteWriter} writer @param {object} config @param {object} rules of `beamRules` */
  constructor(writer, config, rules) {
    Object.assign(this, { writer, rules, grammar: new Grammar(config, config.recall_bias) });
  }

  /** @param {Uint8Array[]} windows @returns {{start: number, end: number, label: number, score: number}[][]} of each */
  spans(windows, beams) {
    const found = [];
    for (let first = 0; first < windows.length; first += ROWS) {
      const some = windows.slice(first, first + ROWS);
      const written = beams > 1 ? this._byBeams(some, beams) : this._greedy(some);
      written.forEach((own, place) => found.push(this._read(own, some[place].length)));
    }
    return found;
  }

  _read({ symbols, chances }, length) {
    const { firstLength, stop, window } = this.grammar, spans = [];
    for (let at = 0; at + 2 < symbols.length && symbols[at] !== stop; at++) {
      const [start, size, label] = [symbols[at], symbols[at + 1] - firstLength, symbols[at + 2] - stop - 1];
      if (start >= window || size < 1 || size > window || label < 0 || start + size > length) continue;
      const sum = Math.fround(Math.fround(chances[at] + chances[at + 1]) + chances[at + 2]);
      const score = Math.fround(Math.exp(sum)); // in 32 bits as in the runtime, so that spans draw where they draw there
      spans.push({ start, end: start + size, label, score });
    }
    return spans;
  }

  _greedy(windows) {
    const { writer, grammar } = this, written = windows.map(() => ({ symbols: [], chances: [] }));
    let going = writer.read(windows).map((writing, place) => ({ writing, place, last: GO - FIRST }));
    for (let step = 0; going.length && step < grammar.most; step++) {
      const said = writer.step(going.map(({ last }) => last + FIRST), going.map(({ writing }) => writing));
      going = going.map(({ place, last }, row) => {
        const [scores, writing] = said[row], weighed = grammar.weigh(scores, last, writing.length);
        const best = weighed.indexOf(weighed.reduce((high, score) => Math.max(high, score)));
        written[place].symbols.push(best);
        written[place].chances.push(logSoftmax(scores, scores.length)[best]);
        return { writing, place, last: best };
      }).filter(({ last }) => last !== grammar.stop);
    }
    return written;
  }

  _byBeams(windows, count) {
    const { writer, grammar } = this, none = { symbols: [], chances: [], score: NEVER, whole: false };
    let going = writer.read(windows).map((writing, place) => ({
      place, whole: Array(count).fill(none),
      running: Array.from({ length: count }, (_, way) => ({ ...none, score: way ? NEVER : 0, writing })),
    }));
    const found = [];
    for (let step = 0; going.length; step++) {
      const ways = going.flatMap(({ running }) => running), last = ({ symbols }) => symbols.at(-1) ?? GO - FIRST;
      const said = writer.step(ways.map((way) => last(way) + FIRST), ways.map(({ writing }) => writing));
      going.forEach((own, row) => this._continue(own, said.slice(row * count, (row + 1) * count), last, step));
      const goesOn = (own) => step + 1 < grammar.most && this._canImprove(own, step + 1);
      for (const own of going) if (!goesOn(own)) found[own.place] = own.whole[0];
      going = going.filter(goesOn);
    }
    return found;
  }

  /** The best continuations of a window's beams, twice as many as these, so that enough are left when some end. */
  _continue(own, said, last, step) {
    const { grammar, rules } = this, { size } = grammar, ways = own.running, count = ways.length;
    const chances = said.map(([scores]) => logSoftmax(scores, size));
    const total = new Float32Array(count * size);
    ways.forEach((way, number) => grammar.weigh(chances[number], last(way), said[number][1].length)
      .forEach((score, id) => (total[number * size + id] = score + way.score)));
    const top = [...total.keys()].sort((a, b) => compare(total[a], total[b])).slice(0, 2 * count);
    const nexts = top.map((at) => {
      const [of, id] = [Math.floor(at / size), at % size], before = ways[of];
      const ended = id === grammar.stop || step + 1 === grammar.most;
      const [symbols, log] = [[...before.symbols, id], [...before.chances, chances[of][id]]];
      return { symbols, chances: log, score: total[at], ended, writing: said[of][1] };
    });
    const ended = nexts.map(({ symbols, chances: log, score, ended: end }, number) => {
      const whole = end && number < count, own = Math.fround(score / (step + 1) ** rules.penalty);
      return { symbols, chances: log, score: whole ? own : Math.fround(own + NEVER), whole };
    });
    own.whole = best([...own.whole, ...ended], count);
    const running = ({ ended: end, score, ...next }) => ({ ...next, score: end ? Math.fround(score + NEVER) : score });
    own.running = best(nexts.map(running), count);
  }

  /** Whether a running beam can still become better than the worst whole one. */
  _canImprove({ running, whole }, length) {
    const { rules, grammar } = this, at = rules.early === "never" && rules.penalty > 0 ? grammar.most : length;
    const possible = Math.fround(running[0].score / at ** rules.penalty);
    if (rules.early === true && whole.every((beam) => beam.whole)) return false;
    const worst = Math.min(...whole.map(({ score }) => score));
    return whole.some((beam) => possible > (beam.whole ? worst : NEVER));
  }
}

/** For sorting: the higher score first, those of one score as they are. */
const compare = (one, other) => (one === other ? 0 : other - one);
const best = (beams, count) => beams.sort((one, other) => compare(one.score, other.score)).slice(0, count);
