/** Patches of a window's bytes: what reads words. Where they begin is what `modeling/byte_patches.py` says. */

import { Stack } from "./stack.js";

const CONTINUES = 1, SPACE = 2, JOINS = 3, SIGN = 4;

const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const lower = byte | 32;
  if (byte <= 32) return SPACE;
  if (byte < 0x80) return (byte >= 48 && byte <= 57) || (lower >= 97 && lower <= 122) ? JOINS : SIGN;
  if (byte < 0xc0) return CONTINUES;
  return byte === 0xc2 || (byte >= 0xe2 && byte <= 0xe9) || byte >= 0xef ? SIGN : JOINS;
});

/** @param {Uint8Array} bytes of a window @returns {number[]} where its patches begin */
export function patchStarts(bytes) {
  const starts = [];
  let behind = 0, joins = false; // how many bytes lie behind a character's first, and whether that joins others
  bytes.forEach((byte, at) => {
    const kind = KINDS[byte];
    // The bytes behind a character's first, three at most, are of its kind; what has no first one joins.
    if (kind !== CONTINUES) behind = 0;
    const joined = joins, own = kind === CONTINUES ? (++behind > 3 || at < behind ? true : joins) : kind === JOINS;
    joins = own;
    const space = at > 0 && KINDS[bytes[at - 1]] === SPACE;
    if (!at || (kind !== CONTINUES && kind !== SPACE && (space || !(own && joined)))) starts.push(at);
  });
  return starts;
}

export class PatchReader {
  /**
   * @param {import("./weights.js").Weights} weights @param {number} below how wide the states of bytes are
   * @param {number} size of the state of a patch, each way
   */
  constructor(weights, below, size) {
    this.below = below;
    this.stack = new Stack(weights, "model.patches.stack", "lstm", { width: 2 * below, size, layers: 1 });
    /** How wide the states of bytes and patches are together. */
    this.width = below + this.stack.width;
  }

  /**
   * @param {Uint8Array[]} windows @param {Float32Array[]} states of their bytes `(bytes, below)`
   * @param {Float32Array[][]} [ends] to be filled, as `Stack.run` does
   * @returns {Float32Array[]} the states of bytes and patches `(bytes, width)`
   */
  read(windows, states, ends) {
    const { below, width, stack } = this, starts = windows.map(patchStarts);
    const entering = windows.map((bytes, window) => {
      const own = states[window], inputs = new Float32Array(starts[window].length * 2 * below);
      starts[window].forEach((first, patch) => {
        const last = (starts[window][patch + 1] ?? bytes.length) - 1;
        [first, last].forEach((at, side) =>
          inputs.set(own.subarray(at * below, (at + 1) * below), (2 * patch + side) * below));
      });
      return stack.project(inputs);
    });
    return stack.run(entering, ends).map((above, window) => {
      const both = new Float32Array(windows[window].length * width);
      let patch = -1;
      windows[window].forEach((_, at) => {
        if (starts[window][patch + 1] === at) patch++;
        both.set(states[window].subarray(at * below, (at + 1) * below), at * width);
        both.set(above.subarray(patch * stack.width, (patch + 1) * stack.width), at * width + below);
      });
      return both;
    });
  }
}
