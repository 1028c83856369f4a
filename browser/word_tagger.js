/** A hierarchical tagger: characters into words, words in their sentence into tags, tags into spans. */

import { Calibration } from "./calibration.js";
import { Gazetteer } from "./gazetteer.js";
import { Linear } from "./linear.js";
import { WordNgrams } from "./ngrams.js";
import { ROWS } from "./product.js";
import { makeSpelling } from "./spelling.js";
import { cellOf, Stack } from "./stack.js";
import { Softmax, StateChain, StaticChain } from "./tag_chain.js";
import { Vocabulary } from "./vocabulary.js";
import { sentences } from "./words.js";

const MAX_WORDS = 500; // of a line that are read together
const KEPT = 10000; // words of a language whose reading is kept from text to text

/** Of a word's places, the mean of the states at the others behind the state at each. */
function addOthers(places, states, both, width) {
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (const place of places) sum += states[place * width + i];
    for (const place of places)
      both[(2 * place + 1) * width + i] = (sum - states[place * width + i]) / (places.length - 1);
  }
}

/** The words of a language, each read once, and the encoder that reads them in their sentence. */
class Reader {
  constructor(weights, config, language, vocabulary, spelling, ngrams) {
    Object.assign(this, { language, vocabulary, spelling, ngrams });
    const place = `encoder.readers.${language || "shared"}`;
    const { vocab_size: words, frozen_word_id: frozen } = config.languages[language];
    if (vocabulary.size(language) !== words)
      throw new Error(`vocab.json does not fit config.json: ${vocabulary.size(language)} word ids, vocab_size ${words}`);
    this.wordWidth = config.word_embedding_size;
    this.trainedWords = frozen ?? words;
    if (this.wordWidth) this.trained = weights.get(`${place}.words.weight`, [this.trainedWords, this.wordWidth]);
    if (this.wordWidth && this.trainedWords < words)
      this.frozen = weights.get(`${place}.frozen_vectors`, [words - this.trainedWords, this.wordWidth]);
    this.width = this.wordWidth + (spelling?.width ?? 0) + (ngrams?.width ?? 0);
    const { hidden_size: size, num_hidden_layers: layers } = config, shape = { width: this.width, size, layers };
    this.stack = new Stack(weights, `${place}.recurrent`, cellOf(config.word_encoder, config), shape);
    this.known = new Map();
    this.remembers = config.word_memory;
  }

  /** @param {string[][]} sentences @returns {Float32Array[]} states of each `(words, 2 * hidden_size)` */
  read(sentences) {
    if (this.known.size > KEPT) this.known.clear();
    const fresh = [...new Set(sentences.flat())].filter((word) => !this.known.has(word));
    const made = this.stack.project(this._features(fresh));
    fresh.forEach((word, place) => this.known.set(word, made[place]));
    const states = this.stack.run(sentences.map((words) => words.map((word) => this.known.get(word))));
    return this.remembers ? sentences.map((words, place) => this._remembering(words, states[place])) : states;
  }

  /** The states of a sentence, and behind each the mean of those that the same word has at its other places. */
  _remembering(words, states) {
    const places = new Map(), width = states.length / words.length, both = new Float32Array(2 * states.length);
    words.forEach((word, place) => {
      const kind = this.vocabulary.spell(word).join();
      if (!places.has(kind)) places.set(kind, []);
      places.get(kind).push(place);
      both.set(states.subarray(place * width, (place + 1) * width), 2 * place * width);
    });
    for (const own of places.values())
      if (own.length > 1) addOthers(own, states, both, width);
    return both;
  }

  /** What is made of words apart from their sentence: `(words, width)`. */
  _features(words) {
    const { width, wordWidth, spelling, ngrams } = this, features = new Float32Array(words.length * width);
    if (wordWidth)
      words.forEach((word, place) => {
        const id = this.vocabulary.id(word, this.language), row = id - this.trainedWords;
        const [table, from] = row < 0 ? [this.trained, id] : [this.frozen, row];
        features.set(table.subarray(from * wordWidth, (from + 1) * wordWidth), place * width);
      });
    if (!spelling && !ngrams) return features;
    const spelled = words.map((word) => this.vocabulary.spell(word));
    spelling?.ofWords(spelled, features, wordWidth, width);
    ngrams?.ofWords(spelled, features, wordWidth + (spelling?.width ?? 0), width);
    return features;
  }
}

/** States, and behind them what a gazetteer says, to spans. */
class Head {
  constructor(weights, config, { name, tags, scheme, language, key, calibration }) {
    Object.assign(this, { name, language, calibration: new Calibration(calibration) });
    const place = `heads.${key}`, count = tags.length;
    if (config.output === "softmax") this.chain = new Softmax(tags, scheme);
    else if (config.transitions === "state") this.chain = new StateChain(tags, scheme);
    else {
      const steps = weights.get(`${place}.crf.transitions`, [count, count]);
      this.chain = new StaticChain(tags, scheme, weights.get(`${place}.crf.start`, [count]), steps);
    }
    const width = 2 * config.hidden_size * (config.word_memory ? 2 : 1) + config.gazetteer_size;
    this.linear = new Linear(weights, `${place}.output`, width, this.chain.outputs);
  }

  /** @param {Float32Array} states `(words, width)` @returns {import("./tag_chain.js").Found[]} */
  spans(states) {
    const { calibration } = this, scores = Float64Array.from(this.linear.scores(states));
    const found = this.chain.spans(scores).map((span) => ({ ...span, score: calibration.of(span.score) }));
    return found.filter((span) => calibration.keeps(span.label, span.score));
  }
}

export class WordTagger {
  /** Which files beside config.json and the weights it is made of. */
  static files({ gazetteer_size: size }) {
    return ["tokenizer_config.json", "vocab.json", ...(size ? ["gazetteer.json"] : [])];
  }

  constructor(config, [reading, content, gazetteer], weights) {
    this.vocabulary = new Vocabulary(reading, content);
    const size = config.character_vocab_size, found = this.vocabulary.characterSize;
    if (found !== size)
      throw new Error(`vocab.json does not fit config.json: ${found} character ids, character_vocab_size ${size}`);
    this.gazetteer = gazetteer ? new Gazetteer(gazetteer) : null;
    const [features, wanted] = [this.gazetteer?.size ?? 0, config.gazetteer_size];
    if (features !== wanted)
      throw new Error(`gazetteer.json does not fit config.json: ${features} features, gazetteer_size ${wanted}`);
    const spelling = makeSpelling(weights, config);
    const ngrams = config.ngram_sizes?.length ? new WordNgrams(weights, config) : null;
    const reader = (language) => new Reader(weights, config, language, this.vocabulary, spelling, ngrams);
    this.readers = new Map(Object.keys(config.languages).map((language) => [language, reader(language)]));
    this.heads = config.shapes.map((shape) => new Head(weights, config, shape));
  }

  /** @param {string} text @returns what `Tagger.tag` says */
  tag(text) {
    const found = Object.fromEntries(this.heads.map(({ name }) => [name, []]));
    const lines = sentences(text, this.vocabulary, MAX_WORDS);
    for (let first = 0; first < lines.length; first += ROWS)
      this._tagLines(text, lines.slice(first, first + ROWS), found);
    return found[""] ?? found;
  }

  _tagLines(text, lines, found) {
    const read = lines.map((words) => this.vocabulary.read(words.map((word) => word.text))), states = new Map();
    for (const { language } of this.heads)
      if (!states.has(language)) states.set(language, this._match(read, this.readers.get(language).read(read)));
    for (const head of this.heads)
      lines.forEach((words, line) => {
        for (const { first, end, label, score } of head.spans(states.get(head.language)[line])) {
          const start = words[first].start, stop = words[end - 1].end;
          found[head.name].push({ entity_group: label, score, word: text.slice(start, stop), start, end: stop });
        }
      });
  }

  /** States of sentences with what a gazetteer has of their words behind them. */
  _match(sentences, states) {
    const { gazetteer } = this;
    if (!gazetteer) return states;
    return states.map((own, place) => {
      const words = sentences[place].length, wide = own.length / words, width = wide + gazetteer.size;
      const matched = gazetteer.match(sentences[place]), both = new Float32Array(words * width);
      for (let word = 0; word < words; word++) {
        both.set(own.subarray(word * wide, (word + 1) * wide), word * width);
        both.set(matched.subarray(word * gazetteer.size, (word + 1) * gazetteer.size), word * width + wide);
      }
      return both;
    });
  }
}
