/** What overlapping windows write, merged into spans that do not overlap; the rules stand in `byte_windows.py`. */

/** @typedef {{start: number, end: number, label: number, score: number}} Span in bytes, of a window or of the text */

export class SpanMerger {
  /** @param {number} window in bytes @param {"middle" | "paper"} rule */
  constructor(window, rule) {
    Object.assign(this, { window, rule, before: null, recent: [], pending: [] });
  }

  /**
   * Takes the next window's spans.
   * @param {number} start of the window @param {Span[]} spans of it
   * @returns {Span[]} those of the text, in its order, that no later window can touch
   */
  add(start, spans) {
    const { before } = this;
    this._contend(start);
    const final = this.pending.filter(({ span }) => span.end <= start);
    this.pending = this.pending.slice(final.length);
    for (const { start: first, end, ...said } of spans.sort((a, b) => a.start - b.start || b.score - a.score)) {
      const span = { start: start + first, end: start + end, ...said }, place = this._place(start, span);
      const held = before !== null && span.end <= before + this.window;
      if (!(held && this._place(before, span) <= place)) this.recent.push({ rank: [place, -span.score, start], span });
    }
    this.before = start;
    return final.map(({ span }) => span);
  }

  /** The spans left, after the last window. */
  finish() {
    this._contend(null);
    return this.pending.map(({ span }) => span);
  }

  /** The smaller, the better: twice the bytes between the middles of window and span, or the span's start. */
  _place(start, span) {
    return this.rule === "paper" ? span.start - start : Math.abs(2 * start + this.window - span.start - span.end);
  }

  /** Lets the last window's spans contend, except for those that the next one is to report. */
  _contend(start) {
    for (const candidate of this.recent) {
      const { span, rank } = candidate;
      if (start !== null && span.start >= start && this._place(start, span) < rank[0]) continue;
      const rivals = this.pending.filter(({ span: other }) => other.start < span.end && span.start < other.end);
      if (rivals.some((rival) => !precedes(rank, rival.rank))) continue;
      this.pending = this.pending.filter((other) => !rivals.includes(other));
      this.pending.push(candidate);
      this.pending.sort((one, other) => one.span.start - other.span.start);
    }
    this.recent = [];
  }
}

/** Whether a rank comes before another, by its first number that differs. */
function precedes(rank, other) {
  const place = rank.findIndex((number, at) => number !== other[at]);
  return place >= 0 && rank[place] < other[place];
}
