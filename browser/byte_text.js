/** A text as its UTF-8 bytes, in windows, and spans of these as spans of the text. */

export class ByteText {
  /** @param {string} text without a lone surrogate */
  constructor(text) {
    this.text = text;
    this.bytes = new TextEncoder().encode(text);
    /** Of each byte the place of its character in the text, in UTF-16 units, and whether it is a character's first. */
    this.places = new Int32Array(this.bytes.length + 1);
    for (let byte = 0, place = 0, size = 0; byte < this.bytes.length; byte++) {
      if (this._begins(byte)) {
        place += size;
        size = this.bytes[byte] >= 0xf0 ? 2 : 1;
      }
      this.places[byte] = place;
    }
    this.places[this.bytes.length] = text.length;
    this.end = 0; // of the last span that was given
  }

  _begins(byte) {
    return byte === this.bytes.length || (this.bytes[byte] & 0xc0) !== 0x80;
  }

  /** Where windows begin, the last of which ends with the text: half of each is in the next. */
  windows(size) {
    const starts = [], stride = size - Math.floor(size / 2), last = Math.max(this.bytes.length - size, 0);
    for (let start = 0; start < last; start += stride) starts.push(start);
    return this.bytes.length ? [...starts, last] : [];
  }

  /**
   * A span of bytes as one of the text, widened to hold whole characters; null for what the span before it has. Spans
   * come in their order.
   */
  span(start, end) {
    while (!this._begins(end)) end++;
    const first = Math.max(this.places[start], this.end), stop = this.places[end];
    if (first >= stop) return null;
    this.end = stop;
    return { word: this.text.slice(first, stop), start: first, end: stop };
  }
}
