/** Tags texts in the browser, or in node, with a tagger as tagsmith saves it. No dependency, no build step. */

import { ByteTagger } from "./byte_tagger.js";
import { readConfig } from "./config.js";
import { Weights } from "./weights.js";
import { WordTagger } from "./word_tagger.js";

const FAMILIES = { "hierarchical-tagger": WordTagger, "byte-to-span": ByteTagger };
const LONE = /\p{Cs}/u;

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
    const config = readConfig(await json("config.json")), Family = FAMILIES[config.model_type];
    const [bytes, ...files] = await Promise.all([read("model.safetensors"), ...Family.files(config).map(json)]);
    return new Tagger(new Family(config, files, new Weights(bytes)));
  }

  /** @param {WordTagger | ByteTagger} family what computes */
  constructor(family) {
    this.family = family;
  }

  /**
   * @typedef {{entity_group: string, score: number, word: string, start: number, end: number}} Entity
   *   `text.slice(start, end) === word`
   * @param {string} text
   * @param {{num_beams?: number}} [options] `num_beams`, of a tagger that writes spans: how many ways to write a window
   *   are followed at a time; 1 for the most probable symbol each time
   * @returns {Entity[] | Object<string, Entity[]>} the spans, in order; of a tagger of several heads, by their names
   */
  tag(text, { num_beams = 1, ...others } = {}) {
    if (typeof text !== "string") throw new TypeError(`A text is a string, and this is of the type ${typeof text}.`);
    const lone = text.search(LONE);
    if (lone >= 0)
      throw new TypeError(`The text holds a lone surrogate (U+${text.charCodeAt(lone).toString(16).toUpperCase()}) at ` +
        `${lone}, which is no character. text.toWellFormed() has U+FFFD in its place, and the same offsets.`);
    if (Object.keys(others).length) throw new TypeError(`tag has no option ${Object.keys(others)[0]}; it has num_beams.`);
    if (!Number.isInteger(num_beams) || num_beams < 1)
      throw new TypeError(`num_beams is ${num_beams}; it is a whole number of at least 1.`);
    if (num_beams > 1 && !this.family.writes)
      throw new TypeError(`num_beams is ${num_beams}, and this tagger finds spans by tags, which nothing writes.`);
    return this.family.tag(text, num_beams);
  }
}

async function download(folder, name) {
  const base = new URL(folder, globalThis.location?.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const response = await fetch(new URL(name, base));
  if (!response.ok) throw new Error(`${name} was not found at ${base}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
