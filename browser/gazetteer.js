/** Lists of names, matched against words: features in the space of labels, as tagsmith's gazetteers give them. */

const BLANK = /[\p{White_Space}\x1c-\x1f]+/u; // what Python splits at

export class Gazetteer {
  /** @param {{case_sensitive: boolean, normalization?: string, entries: Object<string, string[]>}} content of the file */
  constructor(content) {
    if (![null, "nfc"].includes(content.normalization ?? null))
      throw new Error(`gazetteer.json has normalization: "${content.normalization}"; this library has nfc and null`);
    const number = Object.keys(content.entries).find((label) => /^\d+$/.test(label)); // whose order JavaScript changes
    if (number) throw new Error(`gazetteer.json has a list for the label ${number}: give it a name that is no number`);
    this.caseSensitive = content.case_sensitive;
    this.normalization = content.normalization ?? null;
    /** By label: the entries, and by their first word how many words they have, the longest first. */
    this.lists = Object.values(content.entries).map((lines) => {
      const found = lines.map((line) => this._fold(line).split(BLANK).filter(Boolean)).filter((words) => words.length);
      const lengths = new Map();
      for (const [first, ...rest] of found) lengths.set(first, (lengths.get(first) ?? new Set()).add(1 + rest.length));
      for (const [first, own] of lengths) lengths.set(first, [...own].sort((a, b) => b - a));
      return { entries: new Set(found.map((words) => words.join(" "))), lengths };
    });
    /** Of each word: none matches, then of each label the beginning, inside, end and whole of an entry. */
    this.size = 1 + 4 * this.lists.length;
  }

  /** Words of a sentence as they are read to `(words, size)`: left to right, the longest first. */
  match(words) {
    const { size: width } = this, out = new Float32Array(words.length * width), matched = new Set();
    const folded = words.map((word) => this._fold(word));
    this.lists.forEach(({ entries, lengths }, label) => {
      for (let start = 0; start < folded.length; ) {
        const fits = (length) => entries.has(folded.slice(start, start + length).join(" "));
        const size = (lengths.get(folded[start]) ?? []).find((length) => start + length <= folded.length && fits(length));
        for (let place = start; place < start + (size ?? 0); place++) {
          const kind = size === 1 ? 3 : place === start ? 0 : place === start + size - 1 ? 2 : 1;
          out[place * width + 1 + 4 * label + kind] = 1;
          matched.add(place);
        }
        start += size ?? 1;
      }
    });
    for (let word = 0; word < words.length; word++) out[word * width] = matched.has(word) ? 0 : 1;
    return out;
  }

  _fold(text) {
    const composed = this.normalization ? text.normalize("NFC") : text;
    return this.caseSensitive ? composed : composed.toLowerCase();
  }
}
