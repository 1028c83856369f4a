/** Scores that mean what they say, and which of them are given. */

export class Calibration {
  /** @param {{temperature?: number, shift?: number, min_scores?: Object<string, number>}} own of config.json */
  constructor({ temperature = 1, shift = 0, min_scores: least = {} } = {}, otherwise = 0) {
    Object.assign(this, { temperature, shift, least: new Map(Object.entries(least)), otherwise });
  }

  /** A score after calibration, from 0 to 1. */
  of(score) {
    const { temperature, shift } = this;
    if (temperature === 1 && shift === 0) return score;
    const inside = Math.min(Math.max(score, 1e-12), 1 - 1e-12);
    return 1 / (1 + Math.exp(-(Math.log(inside / (1 - inside)) / temperature + shift)));
  }

  /** Whether a span of a calibrated score is given. */
  keeps(label, score) {
    return score >= (this.least.get(label) ?? this.otherwise);
  }
}
