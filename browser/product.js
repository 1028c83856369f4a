/** The product that takes the time: 290 bytes of WebAssembly, or plain JavaScript where these may not run. */

// out (rows, columns) += x (rows, inner) times w (inner, columns), by four numbers at a time; from product.wat
const BYTES = Uint8Array.from(atob(
  "AGFzbQEAAAABCgFgBn9/f39/fwACCAEBZQFtAgABAwIBAAcLAQdwcm9kdWN0AAAK8AEB7QEDBH8EewJ/IAVBAnQhCQJAA0AgA0UN" +
  "ASABIQggBCEGAkADQCAGRQ0BIAD9CQIAIQogAP0JAgQhCyAA/QkCCCEMIAD9CQIMIQ0gAiEOIAIgCWohDwNAIA4gDv0ABAAgCiAI" +
  "/QAEAP3mASALIAggCWr9AAQA/eYB/eQBIAwgCCAJQQF0av0ABAD95gEgDSAIIAlBA2xq/QAEAP3mAf3kAf3kAf3kAf0LBAAgCEEQ" +
  "aiEIIA5BEGohDiAOIA9JDQALIAggCUEDbGohCCAAQRBqIQAgBkEEayEGDAALCyACIAlqIQIgA0EBayEDDAALCws="
), (character) => character.charCodeAt(0));

function compile() {
  try {
    return new WebAssembly.Module(BYTES);
  } catch {
    return null; // no instructions on four numbers at a time, or the page's policy forbids them
  }
}
const MODULE = compile();

export class Product {
  /**
   * @param {Float32Array} weight `(matrices, inner, columns)`
   * @param {number} matrices @param {number} inner @param {number} columns
   */
  constructor(weight, matrices, inner, columns) {
    this.inner = (inner + 3) & ~3; // with rows of 0
    this.columns = columns;
    const count = this.inner + columns + matrices * this.inner * columns, fast = MODULE && columns % 4 === 0;
    const memory = fast ? new WebAssembly.Memory({ initial: Math.ceil(count / 16384) }) : null;
    const all = memory ? new Float32Array(memory.buffer, 0, count) : new Float32Array(count);
    this.fast = memory ? new WebAssembly.Instance(MODULE, { e: { m: memory } }).exports.product : null;
    /** What is multiplied, `(inner)`; to be filled in. */
    this.x = all.subarray(0, inner);
    /** What the product is added to, `(columns)`; to be filled in. */
    this.out = all.subarray(this.inner, this.inner + columns);
    this.start = this.inner + columns;
    this.weight = all.subarray(this.start);
    for (let matrix = 0, size = inner * columns; matrix < matrices; matrix++)
      this.weight.set(weight.subarray(matrix * size, (matrix + 1) * size), matrix * this.inner * columns);
  }

  /** `out += x * weight[matrix]` */
  add(matrix = 0) {
    const { inner, columns, weight, x, out } = this;
    let at = matrix * inner * columns;
    if (this.fast) return void this.fast(0, 4 * (this.start + at), 4 * inner, 1, inner, columns);
    for (let k = 0; k < x.length; k++, at += columns) {
      const factor = x[k];
      for (let j = 0; j < columns; j++) out[j] += factor * weight[at + j];
    }
  }
}
