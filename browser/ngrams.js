/** N-grams of words and of bytes: sums of their vectors, found by hashes that are part of the file format. */

const BASE = 1000003, PRIME = 2 ** 31 - 1, BOUNDARY = 0x110000; // the boundary stands at both ends of a word

class Ngrams {
  /** @param {number} ways rows that each n-gram has */
  constructor(weights, place, { ngram_sizes: sizes, ngram_rows: count }, width, ways) {
    this.sizes = new Set(sizes);
    this.most = Math.max(...sizes);
    this.width = width;
    this.count = count;
    this.table = weights.get(`${place}.embedding.weight`, [1 + ways * count, width]);
    this.rows = new Map(weights.get(`${place}.hashes`, [count]).map((hash, index) => [hash, index + 1]));
  }

  /** Each n-gram of codes that has a row: where it begins, where its last code is, and the row; none holds a code < 0. */
  *_find(codes) {
    for (let start = 0; start < codes.length; start++)
      for (let end = start, hash = 0; end < Math.min(start + this.most, codes.length) && codes[end] >= 0; end++) {
        hash = end === start ? codes[end] + 1 : (hash * BASE + codes[end] + 1) % PRIME;
        const row = this.sizes.has(end - start + 1) && this.rows.get(hash);
        if (row) yield [start, end, row];
      }
  }

  _add(row, out, at) {
    for (let j = 0, from = row * this.width; j < this.width; j++) out[at + j] += this.table[from + j];
  }
}

export class WordNgrams extends Ngrams {
  constructor(weights, config) {
    super(weights, "encoder.ngrams", config, config.ngram_embedding_size, 1);
    this.points = weights.get("encoder.ngrams.points", [config.character_vocab_size]);
  }

  /** Of each word, by the ids of its characters, the vectors of its n-grams, added up, to `out[at...]`, `apart` rows. */
  ofWords(spelled, out, at, apart) {
    spelled.forEach((ids, word) => {
      const codes = [BOUNDARY, ...ids.map((id) => this.points[id]), BOUNDARY], from = word * apart + at;
      let count = 0;
      for (const [, , row] of this._find(codes)) {
        this._add(row, out, from);
        count++;
      }
      for (let j = 0; j < this.width; j++) out[from + j] /= Math.sqrt(Math.max(count, 1));
    });
  }
}

export class ByteNgrams extends Ngrams {
  constructor(weights, config) {
    super(weights, "model.ngrams", config, config.embedding_size, 2);
  }

  /** A window's bytes: at each is added what n-grams that begin and that end there have, to `out` `(bytes, width)`. */
  ofBytes(bytes, out) {
    for (const [start, end, row] of this._find(bytes)) {
      this._add(row, out, start * this.width);
      this._add(row + this.count, out, end * this.width);
    }
  }
}
