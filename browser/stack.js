/** Layers of one cell upon each other. */

import { LinearRNN, SRU } from "./linear_recurrences.js";
import { GRU, GRUResetBefore, LSTM, RNN } from "./recurrences.js";

const CELLS = { lstm: LSTM, gru: GRU, "gru-reset-before": GRUResetBefore, rnn: RNN };

function makeLayer(weights, place, cell, shape) {
  if (cell.startsWith("sru")) return new SRU(weights, place, shape, cell === "sru-state-gates");
  if (cell.startsWith("linear-rnn")) return new LinearRNN(weights, place, shape, cell === "linear-rnn");
  return new CELLS[cell](weights, place, shape);
}

/** The cell of an encoder, by its name in config.json and the fields that choose among its forms. */
export function cellOf(encoder, config) {
  const forms = {
    gru: [config.gru_reset === "before", "gru-reset-before"],
    sru: [config.sru_gates === "state", "sru-state-gates"],
    "linear-rnn": [config.linear_rnn === "plain", "linear-rnn-plain"],
  };
  const [chosen, cell] = forms[encoder] ?? [false, ""];
  return chosen ? cell : encoder;
}

export class Stack {
  /**
   * @param {import("./weights.js").Weights} weights @param {string} place of them @param {string} cell
   * @param {{width: number, size: number, layers: number, directions?: number}} shape
   */
  constructor(weights, place, cell, { width, size, layers, directions = 2 }) {
    /** How wide the states are. */
    this.width = directions * size;
    this.layers = Array.from({ length: layers }, (_, index) =>
      makeLayer(weights, `${place}.layers.${index}`, cell, { width: index ? this.width : width, size, directions }));
  }

  /** Inputs `(rows, width)` to what enters the steps of the first layer, of each row, wherever it stands. */
  project(inputs) {
    return this.layers[0].project(inputs);
  }

  /**
   * @param {Float32Array[][]} sequences of projected steps
   * @param {Float32Array[][]} [ends] of LSTMs, to be filled: of each layer what each sequence ends with, as `Layer.run`
   * @returns {Float32Array[]} states of each `(steps, width)`
   */
  run(sequences, ends) {
    let states;
    this.layers.forEach((layer, place) => {
      const own = ends && (ends[place] = sequences.map(() => new Float32Array(2 * this.width)));
      states = layer.run(place ? states.map((below) => layer.project(below)) : sequences, own);
    });
    return states;
  }
}
