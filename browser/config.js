/** The shape of a hierarchical tagger out of its config.json; what this library does not have is refused by name. */

import { SCHEMES } from "./tag_chain.js";

const DEFAULTS = {
  sharing: null, heads: null, languages: null, id2label: null, vocab_size: 2, character_vocab_size: 2,
  word_embedding_size: 50, character_embedding_size: 25, character_encoder: "gru", character_hidden_size: 80,
  character_num_layers: 2, ngram_sizes: null, ngram_rows: 0, ngram_embedding_size: 50, word_encoder: "gru",
  hidden_size: 300, num_hidden_layers: 2, gru_reset: "after", gazetteer_size: 0, output: "crf", transitions: "static",
  tag_scheme: "BIOES", frozen_word_id: null, calibration: null,
};
const CHOICES = {
  model_type: ["hierarchical-tagger"], word_encoder: ["gru", "lstm"], character_encoder: ["gru", "lstm", "none"],
  gru_reset: ["after"], gazetteer_size: [0], output: ["crf"], transitions: ["static"], tag_scheme: SCHEMES,
};
// Fields of training, of cells that are refused above, and of transformers.
const BESIDE = new Set(
  ("cost embedding_dropout character_dropout hidden_dropout ngram_dropout ngram_min_count rare_word_id " +
    "rare_character_id rare_word_dropout recurrent_initializer label2id character_filters character_window sru_gates " +
    "linear_rnn model_type architectures auto_map custom_pipelines dtype torch_dtype transformers_version use_cache " +
    "pad_token_id unk_token_id bos_token_id eos_token_id decoder_start_token_id is_encoder_decoder " +
    "chunk_size_feed_forward output_attentions output_hidden_states problem_type return_dict _name_or_path").split(" "));

/** @param {object} content config.json @returns {object} its fields with their defaults, and `shapes` of the heads */
export function readConfig(content) {
  const unknown = Object.keys(content).find((field) => !Object.hasOwn(DEFAULTS, field) && !BESIDE.has(field));
  if (unknown) throw new Error(`config.json has a field that this library does not know: ${unknown}`);
  const config = { ...DEFAULTS, ...content };
  const heads = config.heads ?? { "": { tags: Object.values(config.id2label ?? {}), tag_scheme: config.tag_scheme } };
  for (const [field, choices] of Object.entries(CHOICES))
    for (const value of field === "tag_scheme" ? Object.values(heads).map((head) => head.tag_scheme) : [config[field]])
      if (!choices.includes(value))
        throw new Error(`config.json has ${field}: ${JSON.stringify(value)}; this library has ${choices.join(", ")}`);
  const languages = config.languages ?? { "": { vocab_size: config.vocab_size, frozen_word_id: config.frozen_word_id } };
  const shapes = Object.keys(heads).sort().map((name) => ({
    name, tags: heads[name].tags, scheme: heads[name].tag_scheme, language: heads[name].language ?? "",
    key: !name || config.sharing === "all" ? "shared" : name,
    calibration: { temperature: 1, shift: 0, min_scores: {}, ...config.calibration?.[name] },
  }));
  return { ...config, languages, shapes };
}
