/** The shape of a tagger out of its config.json; what this library does not have is refused by name. */

import { CHOICES } from "./choices.js";

export const DEFAULTS = {
  "hierarchical-tagger": {
    sharing: null, heads: null, languages: null, id2label: null, vocab_size: 2, character_vocab_size: 2,
    word_embedding_size: 50, character_embedding_size: 25, character_encoder: "gru", character_hidden_size: 80,
    character_num_layers: 2, character_filters: 30, character_window: 3, ngram_sizes: null, ngram_rows: 0,
    ngram_embedding_size: 50, word_encoder: "gru", hidden_size: 300, num_hidden_layers: 2, gru_reset: "after",
    word_memory: false, sru_gates: "words", linear_rnn: "gated", gazetteer_size: 0, output: "crf", transitions: "static",
    tag_scheme: "BIOES", frozen_word_id: null, calibration: null,
  },
  "byte-to-span": {
    window_size: 60, embedding_size: 320, hidden_size: 320, num_hidden_layers: 4, encoder: "shared",
    encoder_hidden_size: 128, encoder_num_layers: 2, patch_hidden_size: 0, attention: false, ngram_sizes: null,
    ngram_rows: 0, tag_loss: 0, decode: "spans", span_grammar: true, recall_bias: 0, min_score: 0, merge: "middle",
    input_order: "forward", calibration: null, id2label: null,
  },
};
// Fields of training, and of transformers.
export const BESIDE = {
  "hierarchical-tagger": ("cost embedding_dropout character_dropout hidden_dropout ngram_dropout ngram_min_count " +
    "rare_word_id rare_character_id rare_word_dropout recurrent_initializer label2id").split(" "),
  "byte-to-span": ("embedding_dropout hidden_dropout byte_dropout ngram_dropout ngram_min_count output_dropout " +
    "initializer_range label2id span_order").split(" "),
  both: ("model_type architectures auto_map custom_pipelines dtype torch_dtype transformers_version use_cache " +
    "pad_token_id unk_token_id bos_token_id eos_token_id decoder_start_token_id is_encoder_decoder " +
    "chunk_size_feed_forward output_attentions output_hidden_states problem_type return_dict _name_or_path").split(" "),
};

/** @param {object} content config.json @returns {object} its fields with their defaults, and what follows from them */
export function readConfig(content) {
  const kind = content.model_type;
  if (!Object.hasOwn(CHOICES, kind)) refuse("model_type", kind, Object.keys(CHOICES));
  const known = new Set([...Object.keys(DEFAULTS[kind]), ...BESIDE[kind], ...BESIDE.both]);
  const unknown = Object.keys(content).find((field) => !known.has(field));
  if (unknown)
    throw new Error(`config.json has a field that this library does not know: ${unknown}. Take a newer version of it.`);
  const config = { ...DEFAULTS[kind], ...content }, labels = Object.values(config.id2label ?? {});
  const heads = config.heads ?? { "": { tags: labels, tag_scheme: config.tag_scheme } };
  for (const [field, choices] of Object.entries(CHOICES[kind]))
    for (const value of field === "tag_scheme" ? Object.values(heads).map((head) => head.tag_scheme) : [config[field]])
      if (!choices.includes(value)) refuse(field, value, choices);
  return kind === "byte-to-span" ? { ...config, labels } : { ...config, ...readHeads(config, heads) };
}

function readHeads(config, heads) {
  const languages = config.languages ?? { "": { vocab_size: config.vocab_size, frozen_word_id: config.frozen_word_id } };
  const shapes = Object.keys(heads).sort().map((name) => ({
    name, tags: heads[name].tags, scheme: heads[name].tag_scheme, language: heads[name].language ?? "",
    key: !name || config.sharing === "all" ? "shared" : name, calibration: config.calibration?.[name],
  }));
  return { languages, shapes };
}

function refuse(field, value, choices) {
  throw new Error(`config.json has ${field}: ${JSON.stringify(value)}, which this library cannot compute; it has ` +
    `${choices.join(", ")}. Tag with Python instead: tagsmith.pipeline, or tagsmith serve.`);
}
