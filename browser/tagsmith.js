/** Tags texts in the browser, or in node, with a tagger as tagsmith saves it. No dependency, no build step. */

import { readConfig } from "./config.js";
import { Ngrams } from "./ngrams.js";
import { Product } from "./product.js";
import { Stack } from "./recurrences.js";
import { TagChain } from "./tag_chain.js";
import { Vocabulary } from "./vocabulary.js";
import { Weights } from "./weights.js";
import { splitLines, stretches } from "./words.js";

const MAX_WORDS = 500; // of a line that are read together
const KEPT = 10000; // words of a language whose reading is kept from text to text

/** The characters of words, by a recurrent encoder. */
class Characters {
  constructor(weights, config) {
    const { character_embedding_size: width, character_encoder: cell, character_hidden_size: size } = config;
    this.width = width;
    this.embedding = weights.get("encoder.characters.embedding.weight", [config.character_vocab_size, width]);
    this.stack = new Stack(weights, "encoder.characters.recurrent", cell, width, size, config.character_num_layers);
    this.projected = new Map();
  }

  /** The ids of a word's characters to `out[at...]`: what each direction has at the end of its way. */
  ofWord(ids, out, at) {
    const size = this.stack.size, states = this.stack.run(ids.map((id) => this._project(id)));
    out.set(states.subarray(states.length - 2 * size, states.length - size), at);
    out.set(states.subarray(size, 2 * size), at + size);
  }

  _project(id) {
    if (!this.projected.has(id)) this.projected.set(id, this.stack.project(this.embedding, id * this.width));
    return this.projected.get(id);
  }
}

/** The words of a language, each read once, and the encoder that reads them in their sentence. */
class Reader {
  constructor(weights, config, language, vocabulary, characters, ngrams) {
    Object.assign(this, { language, vocabulary, characters, ngrams });
    const place = `encoder.readers.${language || "shared"}`;
    const { vocab_size: words, frozen_word_id: frozen } = config.languages[language];
    if (vocabulary.size(language) !== words)
      throw new Error(`vocab.json does not fit config.json: ${vocabulary.size(language)} word ids, vocab_size ${words}`);
    this.wordWidth = config.word_embedding_size;
    this.trainedWords = frozen ?? words;
    if (this.wordWidth) this.trained = weights.get(`${place}.words.weight`, [this.trainedWords, this.wordWidth]);
    if (this.wordWidth && this.trainedWords < words)
      this.frozen = weights.get(`${place}.frozen_vectors`, [words - this.trainedWords, this.wordWidth]);
    this.characterWidth = characters ? 2 * config.character_hidden_size : 0;
    this.width = this.wordWidth + this.characterWidth + (ngrams ? config.ngram_embedding_size : 0);
    const { word_encoder: cell, hidden_size: size, num_hidden_layers: layers } = config;
    this.stack = new Stack(weights, `${place}.recurrent`, cell, this.width, size, layers);
    this.known = new Map();
  }

  /** Words of a sentence to states `(words, 2 * hidden_size)`. */
  read(words) {
    if (this.known.size > KEPT) this.known.clear();
    return this.stack.run(words.map((word) => {
      if (!this.known.has(word)) this.known.set(word, this._make(word));
      return this.known.get(word);
    }));
  }

  _make(word) {
    const input = new Float32Array(this.width), ids = this.vocabulary.spell(word);
    if (this.wordWidth) {
      const id = this.vocabulary.id(word, this.language), row = id - this.trainedWords;
      const [table, place] = row < 0 ? [this.trained, id] : [this.frozen, row];
      input.set(table.subarray(place * this.wordWidth, (place + 1) * this.wordWidth));
    }
    this.characters?.ofWord(ids, input, this.wordWidth);
    this.ngrams?.ofWord(ids, input, this.wordWidth + this.characterWidth);
    return this.stack.project(input);
  }
}

/** States to spans. */
class Head {
  constructor(weights, config, shape) {
    const place = `heads.${shape.key}`, count = shape.tags.length, width = 2 * config.hidden_size;
    Object.assign(this, { ...shape, width });
    const rows = weights.get(`${place}.output.weight`, [count, width]);
    const columns = Float32Array.from(rows, (_, at) => rows[(at % count) * width + Math.floor(at / count)]);
    this.product = new Product(columns, 1, width, count);
    this.bias = weights.get(`${place}.output.bias`, [count]);
    const start = weights.get(`${place}.crf.start`, [count]);
    this.chain = new TagChain(shape.tags, shape.scheme, start, weights.get(`${place}.crf.transitions`, [count, count]));
  }

  /** The spans of states `(words, 2 * hidden_size)`, their scores calibrated. */
  spans(states) {
    const words = states.length / this.width, count = this.tags.length, emissions = new Float64Array(words * count);
    for (let word = 0; word < words; word++) {
      this.product.x.set(states.subarray(word * this.width, (word + 1) * this.width));
      this.product.out.set(this.bias);
      this.product.add();
      emissions.set(this.product.out, word * count);
    }
    const found = this.chain.spans(emissions).map((span) => ({ ...span, score: this._calibrated(span.score) }));
    return found.filter((span) => span.score >= (this.calibration.min_scores[span.label] ?? 0));
  }

  _calibrated(score) {
    const { temperature, shift } = this.calibration;
    if (temperature === 1 && shift === 0) return score;
    const inside = Math.min(Math.max(score, 1e-12), 1 - 1e-12);
    return 1 / (1 + Math.exp(-(Math.log(inside / (1 - inside)) / temperature + shift)));
  }
}

/** Finds the spans of texts, as `tagsmith.pipeline` does. */
export class Tagger {
  /**
   * @param {string | URL | ((name: string) => Promise<Uint8Array> | Uint8Array)} folder the address of a tagger's
   *   folder, or what reads a file of it by its name
   * @returns {Promise<Tagger>}
   */
  static async load(folder) {
    const read = typeof folder === "function" ? folder : (name) => download(folder, name);
    const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
    const [config, reading, content, bytes] = await Promise.all([
      json("config.json"), json("tokenizer_config.json"), json("vocab.json"), read("model.safetensors"),
    ]);
    return new Tagger(readConfig(config), new Vocabulary(reading, content), new Weights(bytes));
  }

  constructor(config, vocabulary, weights) {
    this.vocabulary = vocabulary;
    const size = config.character_vocab_size;
    if (vocabulary.characterSize !== size)
      throw new Error(
        `vocab.json does not fit config.json: ${vocabulary.characterSize} character ids, character_vocab_size ${size}`);
    const characters = config.character_encoder === "none" ? null : new Characters(weights, config);
    const ngrams = config.ngram_sizes?.length ? new Ngrams(weights, config) : null;
    const reader = (language) => new Reader(weights, config, language, vocabulary, characters, ngrams);
    this.readers = new Map(Object.keys(config.languages).map((language) => [language, reader(language)]));
    this.heads = config.shapes.map((shape) => new Head(weights, config, shape));
  }

  /**
   * @typedef {{entity_group: string, score: number, word: string, start: number, end: number}} Entity
   *   `text.slice(start, end) === word`
   * @param {string} text
   * @returns {Entity[] | Object<string, Entity[]>} the spans, in order; of a tagger of several heads, by their names
   */
  tag(text) {
    if (typeof text !== "string") throw new TypeError(`A text is a string, and this is of the type ${typeof text}.`);
    const found = Object.fromEntries(this.heads.map(({ name }) => [name, []]));
    for (const line of splitLines(text, this.vocabulary.splitter))
      for (const words of stretches(line, MAX_WORDS)) this._tagWords(text, words, found);
    return found[""] ?? found;
  }

  _tagWords(text, words, found) {
    const read = words.map((word) => this.vocabulary.shorten(word.text)), states = new Map();
    for (const head of this.heads) {
      if (!states.has(head.language)) states.set(head.language, this.readers.get(head.language).read(read));
      for (const { first, end, label, score } of head.spans(states.get(head.language))) {
        const start = words[first].start, stop = words[end - 1].end;
        found[head.name].push({ entity_group: label, score, word: text.slice(start, stop), start, end: stop });
      }
    }
  }
}

async function download(folder, name) {
  const base = new URL(folder, globalThis.location?.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const response = await fetch(new URL(name, base));
  if (!response.ok) throw new Error(`${name} was not found at ${base}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
