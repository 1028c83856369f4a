/** Memory of floats, and the one product that takes the time: 290 bytes of WebAssembly, or plain JavaScript. */

// out (rows, columns) += x (rows, inner) times w (inner, columns), by four numbers at a time; from product.wat
const PRODUCT = "AGFzbQEAAAABCgFgBn9/f39/fwACCAEBZQFtAgABAwIBAAcLAQdwcm9kdWN0AAAK8AEB7QEDBH8EewJ/IAVBAnQhCQJAA0AgA0UNASABIQggBCEGAkADQCAGRQ0BIAD9CQIAIQogAP0JAgQhCyAA/QkCCCEMIAD9CQIMIQ0gAiEOIAIgCWohDwNAIA4gDv0ABAAgCiAI/QAEAP3mASALIAggCWr9AAQA/eYB/eQBIAwgCCAJQQF0av0ABAD95gEgDSAIIAlBA2xq/QAEAP3mAf3kAf3kAf3kAf0LBAAgCEEQaiEIIA5BEGohDiAOIA9JDQALIAggCUEDbGohCCAAQRBqIQAgBkEEayEGDAALCyACIAlqIQIgA0EBayEDDAALCws=";

/** Weights stay where they are put; what is made after `mark` is free again after `release`. */
export class Floats {
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 16 });
    this.top = 0;
    /** @type {Float32Array} all of it; another one after `make` */
    this.all = new Float32Array(this.memory.buffer);
    try {
      const bytes = Uint8Array.from(atob(PRODUCT), (c) => c.charCodeAt(0));
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: this.memory } });
      this.fast = /** @type {Function} */ (instance.exports.product);
    } catch {
      this.fast = null; // no instructions on four numbers at a time
    }
  }

  /**
   * Room for numbers, all 0.
   * @param {number} count
   * @returns {number} where it begins
   */
  make(count) {
    const start = this.top;
    this.top += (count + 3) & ~3;
    if (this.top > this.all.length) {
      const pages = Math.ceil(((this.top - this.all.length) * 4) / 65536);
      this.memory.grow(Math.max(pages, 64));
      this.all = new Float32Array(this.memory.buffer);
    }
    this.all.fill(0, start, start + count);
    return start;
  }

  /** @param {ArrayLike<number>} numbers */
  put(numbers) {
    const start = this.make(numbers.length);
    this.all.set(numbers, start);
    return start;
  }

  /** out (rows, columns) += x (rows, inner) times w (inner, columns), all by where they begin. */
  product(x, w, out, rows, inner, columns) {
    if (this.fast && inner % 4 === 0 && columns % 4 === 0) {
      this.fast(x * 4, w * 4, out * 4, rows, inner, columns);
      return;
    }
    const all = this.all;
    for (let row = 0; row < rows; row++, out += columns)
      for (let k = 0, p = w; k < inner; k++, p += columns) {
        const factor = all[x++];
        for (let j = 0; j < columns; j++) all[out + j] += factor * all[p + j];
      }
  }
}
