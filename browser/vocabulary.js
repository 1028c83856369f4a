/** A tagger's words and characters as ids, out of its tokenizer_config.json and vocab.json. */

import { SPLITTERS } from "./words.js";

const UNKNOWN = 1, FIRST = 2;

export class Vocabulary {
  /**
   * @param {object} reading tokenizer_config.json
   * @param {{words: string[] | Object<string, string[]>, characters: string[]}} content vocab.json
   */
  constructor(reading, content) {
    this.lowercase = reading.lowercase ?? true;
    this.caseFallback = reading.case_fallback ?? false;
    this.zeroDigits = reading.zero_digits ?? true;
    this.zeroCharacterDigits = reading.zero_character_digits ?? false;
    this.normalization = reading.normalization ?? null;
    this.splitter = reading.splitter ?? "words";
    this.maxWordCharacters = reading.max_word_characters ?? 128;
    /** Lines that have no more words than this together are read together; 0 for each by itself. */
    this.passageWords = reading.passage_words ?? 0;
    /** Whether a line that is all in capitals is read in lower case. */
    this.lowerCapitals = reading.lower_capitals ?? false;
    if (!SPLITTERS.includes(this.splitter)) throw new Error(`tokenizer_config.json: unknown splitter ${this.splitter}`);
    if (![null, "nfc"].includes(this.normalization))
      throw new Error(`tokenizer_config.json: unknown normalization ${this.normalization}`);
    if (!(Number.isInteger(this.maxWordCharacters) && this.maxWordCharacters >= 2))
      throw new Error(`tokenizer_config.json: max_word_characters is ${this.maxWordCharacters}, and must be at least 2`);
    if (!(Number.isInteger(this.passageWords) && this.passageWords >= 0))
      throw new Error(`tokenizer_config.json: passage_words is ${this.passageWords}, and must be a whole number`);
    const ids = (list) => new Map(list.map((entry, place) => [entry, place + FIRST]));
    const words = Array.isArray(content.words) ? { "": content.words } : content.words;
    /** By language; under "" where all texts have the same words. */
    this.words = new Map(Object.entries(words).map(([language, own]) => [language, ids(own)]));
    this.characters = ids(content.characters);
  }

  /** How many ids a language's words have. */
  size(language) {
    return (this.words.get(language)?.size ?? 0) + FIRST;
  }

  /** How many ids characters have. */
  get characterSize() {
    return this.characters.size + FIRST;
  }

  /**
   * A sentence's words as they are read.
   * @param {string[]} words @returns {string[]}
   */
  read(words) {
    if (this.lowerCapitals && inCapitals(words)) words = words.map((word) => word.toLowerCase());
    return words.map((word) => this.shorten(word));
  }

  /** A word as it is read: of one with too many characters, its first and its last. */
  shorten(word) {
    const limit = this.maxWordCharacters;
    if (word.length <= limit) return word;
    const points = [...word];
    if (points.length <= limit) return word;
    const last = Math.floor(limit / 2);
    return points.slice(0, limit - last).join("") + points.slice(-last).join("");
  }

  /** The id of a word as it is read. */
  id(word, language) {
    const known = this.words.get(language);
    word = this._spelled(word, this.zeroDigits);
    if (this.lowercase) return known.get(word.toLowerCase()) ?? UNKNOWN;
    return known.get(word) ?? (this.caseFallback ? known.get(word.toLowerCase()) : undefined) ?? UNKNOWN;
  }

  /** The ids of its characters. */
  spell(word) {
    const spelled = this._spelled(word, this.zeroCharacterDigits);
    return Array.from(spelled, (character) => this.characters.get(character) ?? UNKNOWN);
  }

  _spelled(word, zeroDigits) {
    if (this.normalization) word = word.normalize("NFC");
    return zeroDigits ? word.replace(/\p{Nd}/gu, "0") : word;
  }
}

/** Whether a sentence is written in capitals: every letter is one, and two words or more have two of them. */
function inCapitals(words) {
  return !words.some((word) => /[\p{Lowercase}\p{Lt}\p{Lm}\p{Lo}]/u.test(word)) &&
    words.filter((word) => /\p{Lu}.*\p{Lu}/su.test(word)).length > 1;
}
