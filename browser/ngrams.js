/** The n-grams of words: the sum of their vectors, by hashes that are part of the file format. */

const BASE = 1000003, PRIME = 2 ** 31 - 1, BOUNDARY = 0x110000; // the boundary stands at both ends of a word

export class Ngrams {
  constructor(weights, config) {
    const { ngram_sizes: sizes, ngram_rows: rows, ngram_embedding_size: width } = config;
    this.sizes = new Set(sizes);
    this.most = Math.max(...sizes);
    this.width = width;
    this.table = weights.get("encoder.ngrams.embedding.weight", [1 + rows, width]);
    this.points = weights.get("encoder.ngrams.points", [config.character_vocab_size]);
    const hashes = weights.get("encoder.ngrams.hashes", [rows]);
    this.rows = new Map(hashes.map((hash, place) => [hash, place + 1]));
  }

  /** The ids of a word's characters to `out[at...]`. */
  ofWord(ids, out, at) {
    const codes = [BOUNDARY, ...ids.map((id) => this.points[id]), BOUNDARY];
    let count = 0;
    for (let start = 0; start < codes.length; start++)
      for (let end = start, hash = 0; end < Math.min(start + this.most, codes.length) && codes[end] >= 0; end++) {
        hash = end === start ? codes[end] + 1 : (hash * BASE + codes[end] + 1) % PRIME;
        const row = this.sizes.has(end - start + 1) && this.rows.get(hash);
        if (!row) continue;
        count++;
        for (let j = 0; j < this.width; j++) out[at + j] += this.table[row * this.width + j];
      }
    for (let j = 0; j < this.width; j++) out[at + j] /= Math.sqrt(Math.max(count, 1));
  }
}
