/** Products of matrices and tanh, which take the time: WebAssembly, or plain JavaScript where that may not run. */

// From product.wat.
const BYTES = Uint8Array.from(atob(
  "AGFzbQEAAAABHgRgBn9/f39/fwBgBX9/f39/AGAEf39/fwBgAn9/AAIIAQFlAW0CAAEDBQQAAQIDBxICB3Byb2R1Y3QAAAR0YW5oAAMKtAkEkgEB" +
  "BH8gAiAFaiEGA0AgAyEHIAAhCCACIQkCQANAIAdBBEgNASAIIAEgCSAEIAUQASAIIARBAnRqIQggCSAFQQJ0aiEJIAdBBGshBwwACwsCQANAIAdF" +
  "DQEgCCABIAkgBBACIAggBGohCCAJIAVqIQkgB0EBayEHDAALCyABIARBA3RqIQEgAkEgaiICIAZJDQALC+4CAgN/C3sgACADaiEFIAL9AAQAIQsg" +
  "Av0ABBAhDCACIARqIgf9AAQAIQ0gB/0ABBAhDiAHIARqIgf9AAQAIQ8gB/0ABBAhECAHIARqIgf9AAQAIREgB/0ABBAhEgNAIAH9AAQAIQkgAf0A" +
  "BBAhCiAA/QkCACEIIAsgCCAJ/eYB/eQBIQsgDCAIIAr95gH95AEhDCAAIANqIgb9CQIAIQggDSAIIAn95gH95AEhDSAOIAggCv3mAf3kASEOIAYg" +
  "A2oiBv0JAgAhCCAPIAggCf3mAf3kASEPIBAgCCAK/eYB/eQBIRAgBiADav0JAgAhCCARIAggCf3mAf3kASERIBIgCCAK/eYB/eQBIRIgAUEgaiEB" +
  "IABBBGoiACAFSQ0ACyACIAv9CwQAIAIgDP0LBBAgAiAEaiIHIA39CwQAIAcgDv0LBBAgByAEaiIHIA/9CwQAIAcgEP0LBBAgByAEaiIHIBH9CwQA" +
  "IAcgEv0LBBALpgICAX8FeyAAIANqIQQgAv0ABAAhBiAC/QAEECEH/QwAAAAAAAAAAAAAAAAAAAAAIQj9DAAAAAAAAAAAAAAAAAAAAAAhCQNAIAD9" +
  "CQIAIQUgBiAFIAH9AAQA/eYB/eQBIQYgByAFIAH9AAQQ/eYB/eQBIQcgAP0JAgQhBSAIIAUgAf0ABCD95gH95AEhCCAJIAUgAf0ABDD95gH95AEh" +
  "CSAA/QkCCCEFIAYgBSAB/QAEQP3mAf3kASEGIAcgBSAB/QAEUP3mAf3kASEHIAD9CQIMIQUgCCAFIAH9AARg/eYB/eQBIQggCSAFIAH9AARw/eYB" +
  "/eQBIQkgAUGAAWohASAAQRBqIgAgBEkNAAsgAiAGIAj95AH9CwQAIAIgByAJ/eQB/QsEEAuFAwECewJAA0AgACABTw0B/Qw7qjhAO6o4QDuqOEA7" +
  "qjhA/QwAAEDBAABAwQAAQMEAAEDB/QwAAEBBAABAQQAAQEEAAEBBIAD9AAQA/egB/ekB/eYBIQIgAv1qIQMgAiAD/eUBIQIgAP0MAACAPwAAgD8A" +
  "AIA/AACAP/0MAAAAQAAAAEAAAABAAAAAQP0MAACAPwAAgD8AAIA/AACAPyAD/fgB/Qx/AAAAfwAAAH8AAAB/AAAA/a4BQRf9qwH9DAAAgD8AAIA/" +
  "AACAPwAAgD8gAv0MGHIxPxhyMT8YcjE/GHIxPyAC/Qzw/XU+8P11PvD9dT7w/XU+IAL9DEdYYz1HWGM9R1hjPUdYYz0gAv0MW5UdPFuVHTxblR08" +
  "W5UdPCAC/Qz/w646/8OuOv/Drjr/w646IAL9DImEITmJhCE5iYQhOYmEITn95gH95AH95gH95AH95gH95AH95gH95AH95gH95AH95gH95AH95gH9" +
  "5AH95wH95QH9CwQAIABBEGohAAwACwsL"
), (character) => character.charCodeAt(0));

function compile() {
  try {
    return new WebAssembly.Module(BYTES);
  } catch {
    return null; // no instructions on four numbers at a time, or the page's policy forbids them
  }
}
const MODULE = compile();

/** How many rows are multiplied together. */
export const ROWS = 64;

/** @param {number} count @param {number} unit @returns {number} the count, or what is above it and has whole units */
export const whole = (count, unit) => Math.ceil(count / unit) * unit;

/**
 * A matrix, or one for each direction, with room for what it is multiplied by. Its columns are those of `gates` of one
 * size, and each gate is filled up to whole fours by columns of 0.
 */
export class Product {
  /**
   * @param {Float32Array} weight `(matrices, inner, gates * size)`
   * @param {{matrices?: number, inner: number, gates?: number, size: number}} shape
   */
  constructor(weight, { matrices = 1, inner, gates = 1, size }) {
    this.lane = whole(size, 4);
    /** How far apart rows are: of what is multiplied, and of what the products are added to. */
    [this.inner, this.columns] = [whole(inner, 4), whole(gates * this.lane, 8)];
    const [before, after] = [ROWS * this.inner, ROWS * this.columns];
    const count = before + after + matrices * this.inner * this.columns;
    const memory = MODULE && new WebAssembly.Memory({ initial: Math.ceil(count / 16384) });
    const all = memory ? new Float32Array(memory.buffer, 0, count) : new Float32Array(count);
    this.fast = memory && new WebAssembly.Instance(MODULE, { e: { m: memory } }).exports;
    /** What is multiplied, `(ROWS, inner)`, 0 beyond the matrix; to be filled in. */
    this.x = all.subarray(0, before);
    /** What products are added to, `(ROWS, columns)`; to be filled in. */
    this.out = all.subarray(before, before + after);
    this.weight = all.subarray(before + after);
    for (let matrix = 0; matrix < matrices; matrix++)
      for (let k = 0; k < inner; k++)
        for (let gate = 0; gate < gates; gate++)
          for (let j = 0, from = ((matrix * inner + k) * gates + gate) * size; j < size; j++) {
            const column = gate * this.lane + j; // by eights, as they are read
            this.weight[(matrix * this.columns + (column & ~7)) * this.inner + k * 8 + (column & 7)] = weight[from + j];
          }
  }

  /** `out += x * weight[matrix]` of the first rows. */
  add(rows = 1, matrix = 0) {
    const { inner, columns, weight, x, out, fast } = this, start = matrix * inner * columns;
    if (fast) {
      const places = [0, 4 * (x.length + out.length + start), 4 * x.length];
      return void fast.product(...places, rows, 4 * inner, 4 * columns);
    }
    for (let row = 0; row < rows; row++)
      for (let first = 0, at = start; first < columns; first += 8)
        for (let k = 0; k < inner; k++, at += 8)
          for (let j = 0, to = row * columns + first; j < 8; j++) out[to + j] += x[row * inner + k] * weight[at + j];
  }

  /** Of `x` or `out` the numbers from `start` to `end`, whole fours, become their tanh. */
  tanh(array, start, end) {
    const base = array === this.x ? 0 : this.x.length;
    if (this.fast) return void this.fast.tanh(4 * (base + start), 4 * (base + end));
    for (let place = start; place < end; place++) array[place] = Math.tanh(array[place]);
  }

  /** Numbers of columns, as many as the matrix was given, where the columns of `out` have their place. */
  spread(numbers, gates = 1) {
    const spread = new Float32Array(this.columns), size = numbers.length / gates;
    for (let gate = 0; gate < gates; gate++)
      spread.set(numbers.subarray(gate * size, (gate + 1) * size), gate * this.lane);
    return spread;
  }
}
