/** Texts into words with exact offsets, as tagsmith's tokenizer splits them. */

import { RANGES } from "./characters.js";

// A class of each code point, one character, and its property of Unicode's grapheme clusters, another.
const CLASSES = "xULMNJlmn";
const starts = [], kinds = [];
for (let at = 0, place = 0; place < RANGES.length; place += 2) {
  at += RANGES[place];
  starts.push(at);
  kinds.push(RANGES[place + 1]);
}
const LITERAL = new Map([..."'.-&,:/"].map((c) => [c.codePointAt(0), c]));
LITERAL.set(0x2019, "'").set(0xb7, "·").set(0x387, "·");
const [OTHER, CR, LF, CONTROL, EXTEND, PREPEND, FLAG, SPACING, JOINER, L, V, T, LV, LVT, PICTURE] = Array(15).keys();

const known = new Map();
/** @param {number} point @returns {number} class times 16 plus property */
function kindOf(point) {
  let kind = known.get(point);
  if (kind === undefined) {
    let low = 0, high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= point) low = middle;
      else high = middle;
    }
    known.set(point, (kind = kinds[low]));
  }
  return kind;
}

const LETTER = "[ULMNJ]";
const PATTERNS = {
  words: new RegExp(
    `(?:UM*\\.)+(?!${LETTER})|'(?:[ULl][Mm]*){1,2}(?!${LETTER})|` +
      `${LETTER}+(?:[-.&·]${LETTER}+|(?<=[Nn])[,:/][Nn]+)*|\\.{2,}|-{2,}`, "y"),
  punctuation: new RegExp(`${LETTER}+`, "y"),
  whitespace: null,
};
export const SPLITTERS = Object.keys(PATTERNS);
const SPACE = /\p{White_Space}/u;
const SHOWS = new RegExp(
  "[^\\p{White_Space}\\0-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f" +
    "\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufff8\\u{1bca0}-\\u{1bca3}" +
    "\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]", "u");

/** Where the grapheme that begins at a place ends, among the code points of a stretch without white space. */
function graphemeEnd(kinds, start) {
  let place = start + 1;
  while (place < kinds.length && !breaks(kinds, place)) place++;
  return place;
}

function breaks(kinds, place) {
  const before = kinds[place - 1] & 15, here = kinds[place] & 15;
  if (before === CR && here === LF) return false;
  if ((before >= CR && before <= CONTROL) || (here >= CR && here <= CONTROL)) return true;
  if (before === L && (here === L || here === V || here === LV || here === LVT)) return false;
  if ((before === LV || before === V) && (here === V || here === T)) return false;
  if ((before === LVT || before === T) && here === T) return false;
  if (here === EXTEND || here === JOINER || here === SPACING || before === PREPEND) return false;
  if (before === JOINER && here === PICTURE) {
    let back = place - 2;
    while (back >= 0 && (kinds[back] & 15) === EXTEND) back--;
    return !(back >= 0 && (kinds[back] & 15) === PICTURE);
  }
  if (before === FLAG && here === FLAG) {
    let flags = 0;
    for (let back = place - 2; back >= 0 && (kinds[back] & 15) === FLAG; back--) flags++;
    return flags % 2 === 1;
  }
  return true;
}

/**
 * @typedef {{text: string, start: number, end: number}} Word `source.slice(start, end) === text`
 * @param {string} text
 * @param {string} splitter "words", "punctuation" or "whitespace"
 * @returns {Word[][]} the words of each line that has any
 */
export function splitLines(text, splitter) {
  if (!(splitter in PATTERNS)) throw new RangeError(`Unknown splitter "${splitter}".`);
  const lines = [];
  for (const line of text.matchAll(/[^\r\n]+/g)) {
    const words = [];
    if (SHOWS.test(line[0]))
      for (const piece of line[0].matchAll(/\P{White_Space}+/gu))
        splitPiece(piece[0], line.index + piece.index, PATTERNS[splitter], words);
    if (words.length) lines.push(words);
  }
  return lines;
}

function splitPiece(piece, offset, pattern, words) {
  if (!pattern) return void words.push({ text: piece, start: offset, end: offset + piece.length });
  const points = Array.from(piece, (character) => /** @type {number} */ (character.codePointAt(0)));
  const kinds = points.map(kindOf);
  const classes = points.map((point, place) => LITERAL.get(point) ?? CLASSES[kinds[place] >> 4]).join("");
  for (let place = 0, start = 0; place < points.length; ) {
    pattern.lastIndex = place;
    const end = pattern.test(classes) ? pattern.lastIndex : graphemeEnd(kinds, place);
    let size = 0;
    for (; place < end; place++) size += points[place] > 0xffff ? 2 : 1;
    words.push({ text: piece.slice(start, start + size), start: offset + start, end: offset + start + size });
    start += size;
  }
}

const ENDS = new Set(".!?…。！？।॥؟۔։");

/**
 * A line of more words than fit, in stretches that end where a sentence does, if one does.
 * @param {Word[]} words @param {number} most @returns {Generator<Word[]>}
 */
export function* stretches(words, most) {
  let start = 0;
  while (words.length - start > most) {
    let cut = start + most;
    while (cut > start && !ENDS.has([...words[cut - 1].text].at(-1))) cut--;
    if (cut === start) cut += most;
    yield words.slice(start, cut);
    start = cut;
  }
  yield words.slice(start);
}

/**
 * A text's words as they are read together: its lines, in stretches where they are long, or passages of them.
 * @param {string} text @param {Vocabulary} vocabulary @param {number} most words
 * @returns {Word[][]}
 */
export function sentences(text, { splitter, passageWords }, most) {
  const together = Math.min(passageWords, most), passages = [];
  for (const line of splitLines(text, splitter))
    for (const words of stretches(line, most)) {
      const last = passages.at(-1);
      if (last && last.length + words.length <= together) last.push(...words);
      else passages.push(words);
    }
  return passages;
}
