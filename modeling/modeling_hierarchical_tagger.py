"""The hierarchical tagger: characters into words, words into a sentence, a sentence into tags through a CRF.

Yang, Salakhutdinov, Cohen (2016), *Multi-Task Cross-Lingual Sequence Tagging from Scratch*, sections 3 and 4; by
its configuration also the BiLSTM taggers that it grew out of (Lample et al. 2016; Ma and Hovy 2016).

    characters (batch, words, characters)
        | distinct words only            embedding, encoder; embeddings of n-grams
        v
    (distinct words, 2 * character_hidden_size)     words (batch, words)
        |                                                |  embedding
        +-----------------------+------------------------+
                                v  one row a word, no padding
                     word encoder, both ways
                                v  what a word was elsewhere in the passage joins here, and gazetteer features
                     emissions (batch, words, tags)
                                v
                     CRF: loss, tags, posteriors

A tagger of several heads (section 4) has one of what is above a line and several of what is below it: `sharing`
draws the line under the characters, under the word encoder, or under everything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_outputs import ModelOutput

from .configuration_hierarchical_tagger import HierarchicalTaggerConfig
from .crf import ConditionalRandomField
from .dropout import Dropout
from .exportable import Exportable
from .linear_recurrence import LinearRNNLayer, SRULayer
from .packing import Packing
from .recurrent import RecurrentLayer
from .remote_code import SavedModel
from .tagger_head import TaggerHead
from .word_memory import elsewhere
from .word_reader import CharacterEncoder, WordNgrams, WordReader

SHARED = "shared"  # the name of a module that all heads have in common


@dataclass
class HierarchicalTaggerOutput(ModelOutput):
    """What the tagger gives for a batch.

    Attributes:
        loss: a scalar, the mean over sentences (over words for softmax), if labels were given.
        logits: emissions, `(batch, words, tags)`, zeros at padding. With `transitions: state` there are none, and
            these are the scores of pairs of tags, `(batch, words, 1 + tags, tags)`: from the tag before, START first.
        tags: the best legal tag of each word, `(batch, words)` long, -100 at padding; None while training.
        hidden_states: the word encoder's states, `(batch, words, 2 * hidden_size)`, zeros at padding; with
            `word_memory` behind them the mean of those at the word's other places, as wide.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    tags: Tensor | None = None
    hidden_states: Tensor | tuple[Tensor, ...] | None = None


class HierarchicalTaggerPreTrainedModel(SavedModel):
    """Loading, saving and initialisation, for the encoder and the tagger alike."""

    config_class = HierarchicalTaggerConfig
    config: HierarchicalTaggerConfig
    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    accepts_loss_kwargs = False  # the loss is a mean over sentences: Trainer must divide by accumulation steps
    _keep_in_fp32_modules_strict = [r"\.crf\.[^.]+$"]  # noqa: RUF012 (a pattern; a head may be named "crf")
    _no_split_modules = ["RecurrentLayer", "SRULayer", "LinearRNNLayer", "ConditionalRandomField"]  # noqa: RUF012

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            bound = math.sqrt(3 / module.embedding_dim)  # unit variance over a word's coordinates
            init.uniform_(module.weight, -bound, bound)
            if module.padding_idx is not None and not getattr(module.weight, "_is_hf_initialized", False):
                module.weight[module.padding_idx].zero_()
        elif isinstance(module, RecurrentLayer):
            module.reset_parameters(self.config.recurrent_initializer)
        elif isinstance(module, ConditionalRandomField | SRULayer | LinearRNNLayer):
            module.reset_parameters()
        elif isinstance(module, nn.Linear | nn.Conv1d):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)


class HierarchicalTaggerModel(HierarchicalTaggerPreTrainedModel):
    """Words in their sentence as vectors: everything below the output."""

    def __init__(self, config: HierarchicalTaggerConfig) -> None:
        super().__init__(config)
        self.characters = None if config.character_encoder == "none" else CharacterEncoder(config)
        self.ngrams = WordNgrams(config) if config.ngram_sizes else None
        spelling_size = sum(part.output_size for part in self._spellers)
        self.readers = nn.ModuleDict(
            {name or SHARED: WordReader(config, name, spelling_size) for name in config.vocabularies}
        )
        self.output_size = 2 * config.hidden_size * (2 if config.word_memory else 1)
        self.post_init()

    def reader(self, language: str | None = None) -> WordReader:
        """The words and the word encoder of a language; None where all heads have the same.

        Raises:
            ValueError: there is no such language; the message has those that are.
        """
        if language not in self.config.vocabularies:
            known = ", ".join(self.config.languages or ()) or "None, for all"
            raise ValueError(f"This tagger has no words of the language {language!r}. Choose one of {known}.")
        reader: WordReader = self.readers[language or SHARED]  # type: ignore[assignment]
        return reader

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings, of a tagger whose heads all have the same."""
        if self.config.languages is not None:
            raise NotImplementedError("Each language of this tagger has its own: see reader(language).words.")
        words = self.reader().words
        if words is None:
            raise NotImplementedError("This tagger has no word embeddings (word_embedding_size is 0).")
        return words

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Put other word embeddings in place."""
        self.reader().words = value

    @torch.no_grad()
    def set_word_vectors(self, ids: Tensor, vectors: Tensor, language: str | None = None) -> None:
        """Give words pretrained vectors, from which they learn on; those from `frozen_word_id` on keep theirs.

        Args:
            ids: `(n,)` word ids.
            vectors: `(n, word_embedding_size)`.
            language: whose words, as in `reader`.

        Raises:
            NotImplementedError: the tagger has no word embeddings, or each language has its own.
            ValueError: vectors of another width, or numbers too large for the 16 bits of words that are not trained.
        """
        if language is None:
            self.get_input_embeddings()
        if vectors.shape[1] != self.config.word_embedding_size:
            raise ValueError(
                f"The vectors have {vectors.shape[1]} dimensions, the model's words "
                f"{self.config.word_embedding_size}. Set word_embedding_size to {vectors.shape[1]}."
            )
        self.reader(language).set_vectors(ids, vectors)

    def set_ngrams(self, hashes: Tensor, characters: Sequence[str]) -> None:
        """Have the rows of n-grams be those of the training data.

        Args:
            hashes: long `(ngram_rows,)`, each once.
            characters: of the tokenizer, in the order of their ids.

        Raises:
            ValueError: the tagger reads no n-grams.
        """
        if self.ngrams is None:
            raise ValueError("This tagger reads no n-grams (ngram_sizes).")
        self.ngrams.know(hashes)
        self.ngrams.spelt_by(characters)

    @torch.compiler.disable  # one graph for each length would be slower than none: a compiled model runs as it is
    def forward(
        self,
        input_ids: Tensor,
        character_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        language: str | None = None,
    ) -> Tensor:
        """Encode sentences.

        Args:
            input_ids: `(batch, words)`.
            character_ids: `(batch, words, characters)`, 0 where a word is shorter.
            attention_mask: `(batch, words)`, 1 for words, right-padded by 0; by default where ids are not PAD.
            language: of the sentences, where each has its own words.

        Returns:
            `(batch, words, output_size)`, zeros at padding, as `hidden_states` has them.
        """
        packing = Packing.of(self.valid(input_ids, attention_mask))
        return packing.unpack(self.encode(input_ids, character_ids, packing, language))

    def valid(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Where words stand: `(batch, words)` bool."""
        return input_ids.ne(0) if attention_mask is None else attention_mask.bool()  # PAD is 0

    def encode(
        self,
        input_ids: Tensor,
        character_ids: Tensor | None,
        packing: Packing,
        language: str | None = None,
        table: Tensor | None = None,
        kinds: Tensor | None = None,
    ) -> Tensor:
        """Words to states, packed: `(steps, output_size)`; with a table, ids are rows of that, of words of kinds."""
        reader, ids, spelling = self.reader(language), packing.pack(input_ids), None
        if table is not None:
            words = ids if kinds is None else packing.pack(kinds)
            return self._remembering(reader.recurrent.outputs(ids, packing, table), words, packing)
        words = ids
        if self._spellers:
            if character_ids is None:
                raise ValueError("This tagger reads characters: pass character_ids, which its tokenizer gives.")
            spelling, words = self._spell_once(packing.pack(character_ids))
        return self._remembering(reader(ids, spelling, packing), words, packing)

    def _remembering(self, states: Tensor, words: Tensor, packing: Packing) -> Tensor:
        """States, and with `word_memory` behind them what the same words are elsewhere."""
        if not self.config.word_memory:
            return states
        return torch.cat([states, elsewhere(states, words, packing)], dim=-1)

    @property
    def _spellers(self) -> list[CharacterEncoder | WordNgrams]:
        """What reads the characters of words."""
        return [part for part in (self.characters, self.ngrams) if part is not None]

    def spell(self, character_ids: Tensor) -> Tensor | None:
        """What is made of words' characters `(words, characters)`: `(words, features)`; None if nothing is."""
        parts = [part(character_ids) for part in self._spellers]
        return torch.cat(parts, dim=-1) if parts else None

    def _spell_once(self, ids: Tensor) -> tuple[Tensor | None, Tensor]:
        """As `spell`, of packed words `(steps, characters)`, one that recurs once; and which are alike, `(steps,)`."""
        if not ids.numel():  # `unique` refuses what has no elements
            return self.spell(ids), ids.new_zeros(len(ids))
        distinct, inverse = torch.unique(ids, dim=0, return_inverse=True)
        spelling = self.spell(distinct)
        return None if spelling is None else spelling[inverse], inverse

    @torch.no_grad()
    def word_table(self, input_ids: Tensor, spelling: Tensor | None = None, language: str | None = None) -> Tensor:
        """What is made of words apart from their sentence, for `predict_heads`: once for all places where they stand.

        Args:
            input_ids: `(words,)`.
            spelling: `(words, features)`, what `spell` makes of them.
            language: whose words they are.

        Returns:
            `(2, words, ...)`, a row for each direction and word.
        """
        reader = self.reader(language)
        table: Tensor = reader.recurrent.project(reader.features(input_ids, spelling))
        return table


class HierarchicalTaggerForTokenClassification(Exportable, HierarchicalTaggerPreTrainedModel):
    """The tagger: words in their sentence, and one head or several that tag them."""

    graphs_from = "onnx_graph"
    twin_from = "twin_words", "WordTwin"

    def __init__(self, config: HierarchicalTaggerConfig) -> None:
        super().__init__(config)
        self.encoder = HierarchicalTaggerModel(config)
        self.dropout = Dropout(config.hidden_dropout)
        width = self.encoder.output_size + config.gazetteer_size
        names = config.head_names[:1] if config.sharing == "all" else config.head_names
        self._keys = {name: self._key(name) for name in config.head_names}
        self.heads = nn.ModuleDict({self._key(name): TaggerHead(config, config.head(name), width) for name in names})
        self.post_init()

    def _key(self, name: str | None) -> str:
        return SHARED if name is None or self.config.sharing == "all" else name

    def head(self, name: str | None = None) -> TaggerHead:
        """A head by its name; None for that of a tagger that has but one.

        Raises:
            ValueError: there is no such head; the message has those that are.
        """
        if name not in self._keys:
            self.config.head(name)  # says why
        head: TaggerHead = self.heads[self._keys[name]]  # type: ignore[assignment]
        return head

    @torch.compiler.disable  # one graph for each length would be slower than none: a compiled model runs as it is
    def forward(
        self,
        input_ids: Tensor,
        character_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        gazetteer_features: Tensor | None = None,
        labels: Tensor | None = None,
        head: str | None = None,
        smoothing: float = 0.0,
        return_dict: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> HierarchicalTaggerOutput | tuple[Any, ...]:
        """Tag sentences by one head.

        Args:
            input_ids: `(batch, words)`.
            character_ids: `(batch, words, characters)`, 0 where a word is shorter.
            attention_mask: `(batch, words)`, 1 for words, right-padded by 0; by default where ids are not PAD.
            gazetteer_features: `(batch, words, gazetteer_size)`, for a tagger with a gazetteer.
            labels: `(batch, words)` tag ids, -100 at padding.
            head: which, of a tagger that has several.
            smoothing: of labels; share of the loss that is the mean over all tags, for a softmax.
            return_dict: False gives what is there of the output as a tuple.
            output_hidden_states: True gives `hidden_states` as a tuple, as transformers' models do.
            output_attentions: taken for transformers' sake; there are none.
        """
        chosen = self.head(head)
        mask = self.encoder.valid(input_ids, attention_mask)
        packing = Packing.of(mask)
        states = self.encoder.encode(input_ids, character_ids, packing, self.config.language(head))
        logits = packing.unpack(chosen(self._top(states, gazetteer_features, packing)))
        hidden: Any = packing.unpack(states)
        output = HierarchicalTaggerOutput(
            loss=None if labels is None else chosen.loss(logits, labels, mask, smoothing),
            logits=logits,
            tags=None if self.training else chosen.decode(logits, mask),
            hidden_states=(hidden,) if output_hidden_states else hidden,
        )
        return output.to_tuple() if return_dict is False else output

    def _top(self, states: Tensor, gazetteer_features: Tensor | None, packing: Packing) -> Tensor:
        """What the heads see: packed states, and the gazetteer's features where there is one."""
        top: Tensor = self.dropout(states) if self.training else states
        if not self.config.gazetteer_size:
            return top
        if gazetteer_features is None:
            raise ValueError("This tagger has a gazetteer: pass gazetteer_features, which its tokenizer gives.")
        return torch.cat([top, packing.pack(gazetteer_features).to(top)], dim=-1)

    def predict_spans(self, input_ids: Tensor, *, head: str | None = None, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The spans of a batch of sentences and how probable each is.

        With a CRF a score is exact: the probability, over all legal taggings, that just this span stands there with
        just this label. With a softmax words are independent, and it is the product of its tags' probabilities.

        Args:
            input_ids: `(batch, words)`.
            head: which, of a tagger that has several.
            **inputs: what else `forward` takes, labels aside.

        Returns:
            `(spans, 4)` long on the CPU: row, first word, end word (exclusive), index into the head's `span_labels`,
            in order; and `(spans,)` scores in [0, 1].

        Raises:
            RuntimeError: the tagger is in training mode.
            ValueError: there is no such head.
        """
        return self.predict_heads([head], input_ids, **inputs)[head]

    @torch.no_grad()
    def predict_heads(
        self,
        heads: Sequence[str | None],
        input_ids: Tensor,
        character_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        gazetteer_features: Tensor | None = None,
        table: Tensor | None = None,
        kinds: Tensor | None = None,
    ) -> dict[str | None, tuple[Tensor, Tensor]]:
        """As `predict_spans`, by several heads that read the same words: sentences are encoded once.

        Args:
            heads: their names, all of one language.
            input_ids: as `forward` takes it.
            character_ids: as `forward` takes them.
            attention_mask: as `forward` takes it.
            gazetteer_features: as `forward` takes them.
            table: of `encoder.word_table`, in place of character ids; `input_ids` then are its rows.
            kinds: with a table, `(batch, words)`, equal where words have the same characters; by default, where rows
                are.
        """
        if self.training:
            raise RuntimeError("The tagger is training, and dropout would blur its scores. Call eval() first.")
        chosen = {name: self.head(name) for name in heads}
        languages = {self.config.language(name) for name in heads}
        if len(languages) > 1:
            raise ValueError(f"The heads {', '.join(map(str, heads))} are of several languages: predict them apart.")
        mask = self.encoder.valid(input_ids, attention_mask)
        packing = Packing.of(mask)
        states = self.encoder.encode(input_ids, character_ids, packing, languages.pop(), table, kinds)
        top = self._top(states, gazetteer_features, packing)
        return {name: head.spans(packing.unpack(head(top)), mask) for name, head in chosen.items()}
