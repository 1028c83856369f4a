/** The tensors of a model.safetensors file as Float32Array, each looked at by the shape that it must have. */

const TYPES = { F16: Uint16Array, F32: Float32Array, I32: Int32Array, I64: BigInt64Array };

/** The values of all numbers of 16 bits. */
function halves() {
  const values = new Float32Array(65536);
  for (let bits = 0; bits < values.length; bits++) {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) values[bits] = NaN;
    else values[bits] = exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
  }
  return values;
}

export class Weights {
  /** @param {Uint8Array} bytes of the file */
  constructor(bytes) {
    const length = bytes.length < 8 ? Infinity
      : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    if (length > bytes.length - 8) throw new Error("model.safetensors is damaged: it ends within its header");
    this.bytes = bytes;
    this.base = 8 + length;
    this.entries = JSON.parse(new TextDecoder().decode(bytes.subarray(8, this.base)));
    this.halves = halves();
  }

  /**
   * @param {string} name
   * @param {number[]} shape
   * @returns {Float32Array | number[]} whole numbers as plain ones, which float32 does not hold
   */
  get(name, shape) {
    const entry = Object.hasOwn(this.entries, name) ? this.entries[name] : null;
    if (!entry || entry.shape.join() !== shape.join())
      throw new Error(`model.safetensors does not fit config.json: ${name}` +
        (entry ? ` has the shape [${entry.shape}], not [${shape}]` : " is missing"));
    const Type = TYPES[entry.dtype];
    if (!Type) throw new Error(`model.safetensors: ${name} is of the type ${entry.dtype}, which is not read`);
    const [start, end] = entry.data_offsets;
    const count = shape.reduce((product, size) => product * size, 1);
    if (end - start !== count * Type.BYTES_PER_ELEMENT || this.base + end > this.bytes.length)
      throw new Error(`model.safetensors is damaged: the place of ${name} does not fit its shape`);
    const first = this.bytes.byteOffset + this.base;
    const stored = new Type(this.bytes.buffer.slice(first + start, first + end));
    if (entry.dtype.startsWith("I")) return Array.from(stored, Number);
    const values = new Float32Array(count), half = entry.dtype === "F16";
    for (let place = 0; place < count; place++) {
      values[place] = half ? this.halves[stored[place]] : stored[place];
      if (!Number.isFinite(values[place])) throw new Error(`model.safetensors is damaged: ${name} holds no finite number`);
    }
    return values;
  }
}
