/** What this library computes, by the fields of config.json; all values of other fields. Python reads this file, too. */
export const CHOICES = {
  "hierarchical-tagger": {
    "word_encoder": ["gru", "lstm", "rnn", "sru", "linear-rnn"],
    "character_encoder": ["gru", "lstm", "cnn", "none"],
    "gru_reset": ["after", "before"],
    "sru_gates": ["words", "state"],
    "linear_rnn": ["gated", "plain"],
    "output": ["crf", "softmax"],
    "transitions": ["static", "state"],
    "tag_scheme": ["IOB1", "IOB2", "BIOES", "BILOU", "plain"]
  },
  "byte-to-span": {
    "decode": ["tags", "spans"],
    "encoder": ["shared", "separate", "bidirectional"],
    "merge": ["middle", "paper"],
    "input_order": ["forward", "reversed"]
  }
};
